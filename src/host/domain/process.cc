#include "host/domain/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/domain/confine.h"

namespace selvedge::host::domain {
namespace {

constexpr int kRunnerSocket = 3;
constexpr size_t kReadBytes = 256 * 1024;
// Threads that run are interrupted at once, others need a moment of a processor to stop. The loop waits this long.
constexpr int64_t kHaltWaitNs = 1'000'000;
constexpr int kReadsAtOnce = 8;  // so that a process that never stops talking does not keep the loop
// What the depth limit of the rewriter was measured against; a smaller inherited limit would end runs early.
constexpr rlim_t kStackBytes = 8u << 20;

struct Attempt {
  unsigned long flags;
  uint32_t layers;
};

/// Stands for the number of layers, which is known in the child only. Compared by its address.
constexpr char kLayersArgument[] = "LAYERS";

constexpr unsigned long kNamespaces = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
constexpr uint32_t kNamespaceLayers = kLayerPidNamespace | kLayerNetNamespace | kLayerMountNamespace |
                                      kLayerIpcNamespace | kLayerUtsNamespace;

bool write_file(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = write(fd, text, strlen(text));
  close(fd);
  return n == ssize_t(strlen(text));
}

/// Whatever a person waits for outranks guests. Where the kernel weighs sessions against each other before it looks at priorities, as
/// Debian's does, a process that is only nice still takes as much as all of a desktop: so each runner is a session, and that is nice too.
/// spec: WF 8.2
void enter_background() {
  setsid();
  const sched_param none{};
  sched_setscheduler(0, SCHED_OTHER, &none);  // whatever class the node itself was put in
  setpriority(PRIO_PROCESS, 0, 19);
  write_file("/proc/self/autogroup", "10");
}

/// A process that was killed ends as fast as it gets the processor, and in the background that is hundreds of milliseconds when others
/// are busy. Its end is some milliseconds of kernel work. For root, and for others where RLIMIT_RTPRIO allows it.
void hurry(pid_t thread) {
  const sched_param lowest{.sched_priority = 1};
  sched_setscheduler(thread, SCHED_FIFO, &lowest);
}

int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> out;
  DIR* dir = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (dir == nullptr) return out;
  while (const dirent* entry = readdir(dir)) {
    if (const long id = std::atol(entry->d_name); id > 0) out.push_back(pid_t(id));
  }
  closedir(dir);
  return out;
}

/// A status file of /proc: lines of a name and a number.
class StatusFile {
 public:
  explicit StatusFile(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    char text[4096];
    const ssize_t n = read(fd, text, sizeof text);
    close(fd);
    if (n > 0) text_.assign(text, size_t(n));
  }
  /// 0 when there is no such line.
  uint64_t number(std::string_view name) const {
    const size_t at = text_.find("\n" + std::string(name));
    return at == std::string::npos ? 0 : std::strtoull(text_.c_str() + at + 1 + name.size(), nullptr, 10);
  }

 private:
  std::string text_;
};

/// All that the child needs, put together before it exists.
struct Plan {
  const char* program;
  std::vector<const char*> arguments;
  std::vector<int> descriptors;    // those that become 3, 4, ...
  std::vector<int> groups;         // of the control group, to be entered before exec
  bool confine;
  bool background;
  const char* user_map;
};

/// Puts the standard descriptors and the plan's into their places, and closes all others. Returns an exit code, 0 when done.
int place_descriptors(Plan& plan) {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return 120;
  // They first move out of the way of the numbers below.
  for (int& fd : plan.descriptors) {
    fd = fcntl(fd, F_DUPFD, 64);
    if (fd < 0) return 121;
  }
  for (int fd = 0; fd < kRunnerSocket; ++fd) {
    if (dup2(null, fd) < 0) return 122;
  }
  int number = kRunnerSocket;
  for (const int fd : plan.descriptors) {
    if (dup2(fd, number++) < 0) return 123;
  }
  syscall(SYS_close_range, number, ~0u, 0);
  return 0;
}

/// In the child, between clone and exec: only what is safe after a fork of a process with threads.
[[noreturn]] void become_runner(Plan& plan, const Attempt& attempt) {
  if ((attempt.flags & CLONE_NEWUSER) != 0) {
    // The runner is root of its own namespace only, so that it may empty its root directory before it drops that too.
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", plan.user_map);
  }
  if (plan.background) enter_background();
  // Machines only: a runner enters its control group itself, while its engine starts (GroupEntry).
  for (const int fd : plan.groups) (void)!write(fd, "0", 1);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (const int code = place_descriptors(plan); code != 0) _exit(code);
  const rlimit stack{kStackBytes, kStackBytes};
  setrlimit(RLIMIT_STACK, &stack);
  if (plan.confine && !confine_before_exec()) _exit(3);
  char layers[12] = {};
  int at = 10;
  uint32_t value = attempt.layers;
  do layers[at--] = char('0' + value % 10);
  while ((value /= 10) != 0);
  for (const char*& argument : plan.arguments) {
    if (argument == kLayersArgument) argument = layers + at + 1;
  }
  // No environment: the engine takes options from it.
  char* const environment[] = {nullptr};
  execve(plan.program, const_cast<char* const*>(plan.arguments.data()), environment);
  _exit(124);
}

struct Child {
  pid_t pid = -1;
  int pid_fd = -1;
};

Child clone_runner(const Launch& launch, DomainClass domain_class, int socket, const ControlGroup* group) {
  // A machine needs no rights even in a namespace of its own, so it is not root there.
  char user_map[32];
  std::snprintf(user_map, sizeof user_map, "%u %u 1", launch.confine ? 65534u : 0u, unsigned(geteuid()));
  Plan plan{launch.program.c_str(), {"selvedge-domain"}, {socket}, {}, launch.confine, domain_class == DomainClass::kBackground, user_map};
  const std::string group_layers = std::to_string(group != nullptr ? group->layers() : 0);
  const std::string group_count = std::to_string(group != nullptr ? group->descriptors().size() : 0);
  if (launch.arguments.empty()) plan.arguments.insert(plan.arguments.end(), {"--pool", kLayersArgument, group_layers.c_str(), group_count.c_str()});
  for (const std::string& argument : launch.arguments) plan.arguments.push_back(argument.c_str());
  plan.arguments.push_back(nullptr);
  plan.descriptors.insert(plan.descriptors.end(), launch.descriptors.begin(), launch.descriptors.end());
  if (group != nullptr && launch.confine) plan.groups = group->descriptors();
  if (group != nullptr && !launch.confine) plan.descriptors.insert(plan.descriptors.end(), group->descriptors().begin(), group->descriptors().end());
  // Root needs no user namespace: it drops to nobody instead, which is more than an own namespace gives.
  const Attempt with_user{kNamespaces | CLONE_NEWUSER, kNamespaceLayers | kLayerUserNamespace};
  const Attempt without_user{kNamespaces, kNamespaceLayers};
  const Attempt bare{0, 0};
  const Attempt attempts[] = {geteuid() == 0 ? without_user : with_user, bare};
  for (const Attempt& attempt : attempts) {
    int pid_fd = -1;
    // The parent_tid argument receives the pidfd.
    const long pid = syscall(SYS_clone, attempt.flags | CLONE_PIDFD | SIGCHLD, nullptr, &pid_fd, nullptr, nullptr);
    if (pid == 0) become_runner(plan, attempt);
    if (pid > 0) return {pid_t(pid), pid_fd};
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<RunnerProcess>> RunnerProcess::start(Loop& loop, const Launch& launch, DomainClass domain_class, Callbacks callbacks) {
  if (access(launch.program.c_str(), X_OK) != 0) {
    return fail(Errc::kIo, "cannot run " + launch.program + ": " + strerror(errno) + "; is selvedge-domain installed beside selvedge?");
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    return fail(Errc::kIo, std::string("cannot make a socket for a domain: ") + strerror(errno));
  }
  // The runner blocks on its end.
  fcntl(pair[1], F_SETFL, 0);
  auto group = ControlGroup::make();
  const Child child = clone_runner(launch, domain_class, pair[1], group.get());
  const int why = errno;
  close(pair[1]);
  if (child.pid < 0) {
    close(pair[0]);
    return fail(Errc::kIo, std::string("cannot start a domain process: ") + strerror(why));
  }
  std::unique_ptr<RunnerProcess> out(new RunnerProcess(loop, child.pid, child.pid_fd, pair[0], std::move(callbacks)));
  out->group_ = std::move(group);
  return out;
}

RunnerProcess::RunnerProcess(Loop& loop, pid_t pid, int pid_fd, int socket, Callbacks callbacks)
    : callbacks_(std::move(callbacks)), pid_(pid), pid_fd_(pid_fd), socket_(socket) {
  socket_watch_ = std::make_unique<Loop::Watch>(loop, socket_, [this](int events) { on_socket(events); });
  socket_watch_->set(Loop::Watch::kReadable);
  exit_watch_ = std::make_unique<Loop::Watch>(loop, pid_fd_, [this](int) { on_exit(); });
  exit_watch_->set(Loop::Watch::kReadable);
}

RunnerProcess::~RunnerProcess() {
  socket_watch_.reset();
  exit_watch_.reset();
  if (!reaped_) {
    ::kill(pid_, SIGKILL);
    int status;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  close(socket_);
  close(pid_fd_);
}

void RunnerProcess::kill() {
  if (reaped_) return;
  killed_ = true;
  ::kill(pid_, SIGKILL);
  hurry_threads();
}

/// SIGSTOP and not SIGKILL, because the kernel says when the last thread has stopped; that a process was killed it says when its memory is gone, and that
/// takes milliseconds.
bool RunnerProcess::halt() {
  if (reaped_) return true;
  ::kill(pid_, SIGSTOP);
  hurry_threads();
  const int64_t late = monotonic_ns() + kHaltWaitNs;
  for (;;) {
    siginfo_t state{};
    if (waitid(P_PIDFD, id_t(pid_fd_), &state, WSTOPPED | WEXITED | WNOHANG | WNOWAIT) == 0 && state.si_pid != 0) return true;
    if (monotonic_ns() > late) return false;
    sched_yield();
  }
}

void RunnerProcess::hurry_threads() {
  if (!std::exchange(hurried_, true)) {
    for (pid_t thread : threads_of(pid_)) hurry(thread);
  }
}

void RunnerProcess::freeze() {
  if (!reaped_) ::kill(pid_, SIGSTOP);
}

void RunnerProcess::thaw() {
  if (!reaped_) ::kill(pid_, SIGCONT);
}

void RunnerProcess::send(Bytes frame) {
  outgoing_.push_back(std::move(frame));
  write_some();
}

void RunnerProcess::on_socket(int events) {
  if (events & Loop::Watch::kWritable) write_some();
  if (events & Loop::Watch::kReadable) read_some();
}

void RunnerProcess::write_some() {
  while (!outgoing_.empty() && !deaf_) {
    const Bytes& frame = outgoing_.front();
    const ssize_t n = ::send(socket_, frame.data() + sent_, frame.size() - sent_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      // A closed socket is noticed by reading; here it only means that nobody listens.
      if (errno != EAGAIN) outgoing_.clear(), sent_ = 0;
      break;
    }
    sent_ += size_t(n);
    if (sent_ == frame.size()) {
      outgoing_.pop_front();
      sent_ = 0;
    }
  }
  if (!deaf_) socket_watch_->set(Loop::Watch::kReadable | (outgoing_.empty() ? 0 : Loop::Watch::kWritable));
}

void RunnerProcess::read_some() {
  for (int reads = 0; !deaf_ && (reads < kReadsAtOnce || reaped_); ++reads) {
    const size_t old = incoming_.size();
    incoming_.resize(old + kReadBytes);
    const ssize_t n = recv(socket_, incoming_.data() + old, kReadBytes, 0);
    incoming_.resize(old + (n > 0 ? size_t(n) : 0));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      // The process closed its end; that it is gone comes through its pidfd.
      deaf_ = true;
      socket_watch_->set(0);
      // No thread comes back from the kernel after SIGKILL, and the socket closes when the last of them has left its memory.
      if (killed_) callbacks_.quiet();
      return;
    }
    take_frames();
  }
}

void RunnerProcess::take_frames() {
  size_t at = 0;
  while (!deaf_ && incoming_.size() - at >= kFrameHeaderBytes) {
    const auto header = decode_header(ByteView(incoming_).subspan(at, kFrameHeaderBytes));
    if (!header.ok()) {
      deaf_ = true;
      socket_watch_->set(0);
      callbacks_.nonsense(header.error().message);
      return;
    }
    if (incoming_.size() - at - kFrameHeaderBytes < header->body_bytes) break;
    const ByteView body = ByteView(incoming_).subspan(at + kFrameHeaderBytes, header->body_bytes);
    at += kFrameHeaderBytes + header->body_bytes;
    callbacks_.frame(FrameType(header->type), body);
  }
  incoming_.erase(incoming_.begin(), incoming_.begin() + ptrdiff_t(at));
}

void RunnerProcess::on_exit() {
  if (reaped_) return;
  int status = 0;
  const pid_t got = waitpid(pid_, &status, WNOHANG);
  if (got == 0 || (got < 0 && errno == EINTR)) return;
  reaped_ = true;
  exit_watch_->set(0);
  // A result that was written just before the end still counts.
  if (!deaf_) read_some();
  deaf_ = true;
  socket_watch_->set(0);
  callbacks_.gone(status);
}

uint64_t RunnerProcess::cpu_ns() const {
  clockid_t clock;
  timespec used{};
  if (reaped_ || clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return uint64_t(used.tv_sec) * 1'000'000'000u + uint64_t(used.tv_nsec);
}

RunnerProcess::Usage RunnerProcess::usage() const {
  Usage out;
  if (reaped_) return out;
  out.cpu_ns = cpu_ns();
  const std::string home = "/proc/" + std::to_string(pid_);
  const StatusFile process(home + "/status");
  out.resident_bytes = process.number("VmRSS:") * 1024;
  out.swapped_bytes = process.number("VmSwap:") * 1024;
  for (pid_t thread : threads_of(pid_)) {
    out.wakeups += StatusFile(home + "/task/" + std::to_string(thread) + "/status").number("voluntary_ctxt_switches:");
  }
  return out;
}

bool RunnerProcess::caught_up() const {
  int unread = 0;
  return outgoing_.empty() && ioctl(socket_, SIOCOUTQ, &unread) == 0 && unread == 0;
}

}  // namespace selvedge::host::domain
