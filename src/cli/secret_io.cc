#include "cli/secret_io.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

extern char** environ;

namespace selvedge::cli {

namespace {

constexpr int kSecretDescriptor = 3;
constexpr const char* kSecretPath = "/dev/fd/3";

struct Descriptor {
  int fd = -1;
  Descriptor() = default;
  explicit Descriptor(int number) : fd(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close_now(); }
  void close_now() {
    if (fd > 2) close(fd);
    fd = -1;
  }
};

Error secret_file_error(const char* what, const std::string& path, int number) {
  const Errc code = number == ENOENT ? Errc::kNotFound : number == EEXIST ? Errc::kExists : Errc::kIo;
  return fail(code, std::string(what) + " " + path + ": " + std::strerror(number));
}

/// Everything, or as much as the reader takes. Errors: kIo.
Status write_fully(int fd, ByteView bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return secret_file_error("cannot write", path, errno);
    bytes = bytes.subspan(size_t(put));
  }
  return ok();
}

/// While it lives, what a person types to end the command ends the command and not this process, and a reader that went away is an error.
class SignalsForTheCommand {
 public:
  SignalsForTheCommand() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    for (size_t i = 0; i < 3; ++i) sigaction(kSignals[i], &ignore, &before_[i]);
  }
  ~SignalsForTheCommand() {
    for (size_t i = 0; i < 3; ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  SignalsForTheCommand(const SignalsForTheCommand&) = delete;
  SignalsForTheCommand& operator=(const SignalsForTheCommand&) = delete;
  static constexpr int kSignals[3] = {SIGINT, SIGQUIT, SIGPIPE};

 private:
  struct sigaction before_[3];
};

/// Starts the command with `input` as the descriptor `place` says. posix_spawn copies no memory, and says when there is no such command.
Result<pid_t> spawn(const std::vector<std::string>& words, int input, SecretPlace place) {
  std::vector<std::string> copies = words;
  if (place == SecretPlace::kThird) {
    for (std::string& word : copies) {
      for (size_t at = word.find("{}"); at != std::string::npos; at = word.find("{}", at + 1)) word.replace(at, 2, kSecretPath);
    }
  }
  std::vector<char*> arguments;
  for (std::string& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, place == SecretPlace::kInput ? STDIN_FILENO : kSecretDescriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int number : SignalsForTheCommand::kSignals) sigaddset(&defaults, number);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t child = -1;
  const int outcome = posix_spawnp(&child, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (outcome != 0) return secret_file_error("cannot run", words[0], outcome);
  return child;
}

}  // namespace

Result<crypto::LockedBytes> read_secret(const std::string& path, size_t bytes_max) {
  Descriptor file(path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return secret_file_error("cannot read", path, errno);
  crypto::LockedBytes out = TRY(crypto::LockedBytes::make(bytes_max + 1, crypto::LockNeed::kWanted));
  size_t total = 0;
  while (total <= bytes_max) {
    const ssize_t got = read(file.fd, out.mutable_view().data() + total, out.size() - total);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return secret_file_error("cannot read", path, errno);
    if (got == 0) break;
    total += size_t(got);
  }
  if (total > bytes_max) return fail(Errc::kLimit, path + " is larger than " + std::to_string(bytes_max >> 10) + " KiB: keep it as a file, and its key as the secret");
  out.shrink(total);
  return out;
}

Status write_secret(const std::string& path, ByteView secret) {
  if (path == "-") return write_fully(STDOUT_FILENO, secret, "standard output");
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.fd < 0) return secret_file_error("cannot write", path, errno);
  return write_fully(file.fd, secret, path);
}

CommandResult run_with_secret(const std::vector<std::string>& command, SecretPlace place, const std::function<Result<crypto::LockedBytes>()>& get) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return secret_file_error("cannot make", "a pipe", errno);
  Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  pid_t child = -1;
  const SignalsForTheCommand quiet;
  {
    const crypto::LockedBytes secret = TRY(get());
    child = TRY(spawn(command, reading.fd, place));
    reading.close_now();
    (void)write_fully(writing.fd, secret.view(), "the pipe").ok();  // a command that does not read it has its own exit code to say so
  }  // wiped here, while the command works
  writing.close_now();
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return secret_file_error("cannot wait for", command[0], errno);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace selvedge::cli
