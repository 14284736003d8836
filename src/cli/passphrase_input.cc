#include "cli/passphrase_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "crypto/passphrase.h"

namespace selvedge::cli {

namespace {

using crypto::LockedBytes;

constexpr uint8_t kControlC = 3;

// Reads up to the end of the line, one byte at a time, so that nothing of what follows lies in a buffer.
Result<LockedBytes> read_line(int fd, const std::string& where) {
  LockedBytes line = TRY(LockedBytes::make(crypto::kPassphraseSizeMax + 1, crypto::LockNeed::kWanted));
  size_t size = 0;
  for (;;) {
    uint8_t byte = 0;
    const ssize_t got = read(fd, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::kIo, "cannot read " + where + ": " + strerror(errno));
    if (got == 0 || byte == '\n') break;
    if (byte == kControlC) return fail(Errc::kCancelled, "no passphrase was given; nothing was done");
    if (size > crypto::kPassphraseSizeMax) return fail(Errc::kInvalid, "the passphrase is longer than 1024 bytes");
    line.mutable_view()[size++] = byte;
  }
  if (size > 0 && line.view()[size - 1] == '\r') --size;
  if (size == 0) return fail(Errc::kInvalid, "the passphrase is empty");
  line.shrink(size);
  return line;
}

/// The terminal with its echo off, for as long as it lives. Control-C comes as a character: a signal would leave it mute.
class QuietTerminal {
 public:
  QuietTerminal() : fd_(open("/dev/tty", O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0 || tcgetattr(fd_, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~tcflag_t(ECHO | ISIG);
    usable_ = tcsetattr(fd_, TCSAFLUSH, &quiet) == 0;
  }
  ~QuietTerminal() {
    if (usable_) tcsetattr(fd_, TCSAFLUSH, &before_);
    if (fd_ >= 0) close(fd_);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  bool usable() const { return usable_; }

  Result<LockedBytes> ask(std::string_view question) {
    say(question);
    Result<LockedBytes> line = read_line(fd_, "the terminal");
    say("\n");  // the one that was typed is not shown
    return line;
  }

 private:
  void say(std::string_view text) {
    if (write(fd_, text.data(), text.size()) < 0) return;  // who cannot see the question may still answer it
  }
  int fd_;
  termios before_{};
  bool usable_ = false;
};

}  // namespace

Result<crypto::LockedBytes> read_passphrase(const std::string& file, Ask ask) {
  if (!file.empty()) {
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(errno == ENOENT ? Errc::kNotFound : Errc::kIo, "cannot read the passphrase from " + file + ": " + strerror(errno));
    Result<LockedBytes> line = read_line(fd, file);
    close(fd);
    return line;
  }
  QuietTerminal terminal;
  if (!terminal.usable()) return fail(Errc::kUnavailable, "there is no terminal to ask for the passphrase at; put it into a private file and name that with --passphrase-file");
  LockedBytes first = TRY(terminal.ask("Passphrase: "));
  if (ask == Ask::kOnce) return first;
  const LockedBytes second = TRY(terminal.ask("Once more:  "));
  if (!crypto::constant_time_equal(first.view(), second.view())) return fail(Errc::kInvalid, "the two were not the same; nothing was done");
  return first;
}

}  // namespace selvedge::cli
