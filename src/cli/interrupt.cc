#include "cli/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace selvedge::cli {

namespace {
sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}
}  // namespace

Interrupt::Interrupt() {
  const sigset_t set = ending_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

Interrupt::~Interrupt() {
  // What arrived has been answered by cleaning up; it must not end the process a second time.
  signalfd_siginfo seen;
  while (fd_ >= 0 && read(fd_, &seen, sizeof seen) > 0) {
  }
  if (fd_ >= 0) close(fd_);
  unblock_signals();
}

bool Interrupt::arrived() const {
  pollfd each{fd_, POLLIN, 0};
  return fd_ >= 0 && poll(&each, 1, 0) == 1;
}

Result<bool> Interrupt::wait_readable(int fd, int timeout_ms) const { return cli::wait_readable(this, fd, timeout_ms); }

Status Interrupt::pause(int timeout_ms) const {
  TRY(cli::wait_readable(this, -1, timeout_ms));
  return ok();
}

Result<bool> wait_readable(const Interrupt* interrupt, int fd, int timeout_ms) {
  pollfd both[2] = {{fd, POLLIN, 0}, {interrupt == nullptr ? -1 : interrupt->fd(), POLLIN, 0}};
  for (;;) {
    const int ready = poll(both, 2, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail(Errc::kIo, std::string("cannot wait: ") + strerror(errno));
    if (both[1].revents != 0) return fail(Errc::kCancelled, "interrupted");
    return ready > 0;
  }
}

void unblock_signals() {
  const sigset_t set = ending_signals();
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace selvedge::cli
