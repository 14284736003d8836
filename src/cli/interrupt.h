// Interrupt: Ctrl-C and SIGTERM as something to wait for, so that what must be cleaned up is cleaned up.
//
// While one exists, SIGINT and SIGTERM do not end the process; they make fd() readable. At most one exists at a time.
// Commands that leave nothing behind do not use it: the default, which ends them, is right for them.
#pragma once

#include "base/result.h"

namespace selvedge::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  int fd() const { return fd_; }
  bool arrived() const;
  /// Waits until `fd` is readable or at its end. False after `timeout_ms` (negative: never).
  /// Errors: kCancelled when a signal came, kIo.
  Result<bool> wait_readable(int fd, int timeout_ms) const;
  /// Lets time pass. Errors: as above.
  Status pause(int timeout_ms) const;

 private:
  int fd_;
};

/// As Interrupt::wait_readable; `interrupt` may be null.
Result<bool> wait_readable(const Interrupt* interrupt, int fd, int timeout_ms);

/// In a child between fork and exec: signals as they were before.
void unblock_signals();

}  // namespace selvedge::cli
