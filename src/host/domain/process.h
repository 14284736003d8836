// RunnerProcess: one selvedge-domain process and the socket to it.
//
// Starts it in its own namespaces where the kernel allows, sends and receives frames without ever blocking the loop,
// kills it, and says when it is gone. What its frames mean is the pool's business. Private to host/domain; lives on
// the loop thread.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>

#include "host/domain/frames.h"
#include "host/domain/launch.h"
#include "host/domain/limits.h"
#include "host/loop/loop.h"

namespace selvedge::host::domain {

class RunnerProcess {
 public:
  struct Callbacks {
    std::function<void(FrameType type, ByteView body)> frame;
    /// The process said something that is no frame, and should be killed.
    std::function<void(std::string why)> nonsense;
    /// After kill(), unless halt() said so: none of its threads runs anything of the guest's any more; the kernel still tidies up. Not always called.
    std::function<void()> quiet;
    /// The process is gone and reaped. `status` as of waitpid.
    std::function<void(int status)> gone;
  };
  /// None of the callbacks comes from within start(). After `gone` there are no more. The owner must not destroy the
  /// object from within a callback. Errors: kIo.
  static Result<std::unique_ptr<RunnerProcess>> start(Loop& loop, const Launch& launch, DomainClass domain_class, Callbacks callbacks);
  /// Kills and reaps, waiting for the kernel if the process still lives.
  ~RunnerProcess();
  RunnerProcess(const RunnerProcess&) = delete;
  RunnerProcess& operator=(const RunnerProcess&) = delete;

  void send(Bytes frame);
  void kill();
  /// Stops all threads where they are, for good: kill() comes next. True when it is certain already that none of them runs, which is known within
  /// a fraction of a millisecond or, after kHaltWait, not waited for.
  bool halt();
  /// Stops all of its threads, or lets them go on. Nothing in the process has to agree.
  void freeze();
  void thaw();
  pid_t pid() const { return pid_; }
  /// Whether all that was sent to it is in the kernel's hands.
  bool written() const { return outgoing_.empty(); }
  /// Whether it has read all that was sent to it.
  bool caught_up() const;

  /// What it has used so far, as the kernel counts: nothing that it says itself. Zeros when unknown.
  struct Usage {
    uint64_t cpu_ns = 0;
    uint64_t resident_bytes = 0;
    uint64_t swapped_bytes = 0;   // private memory that is not resident but still taken
    uint64_t wakeups = 0;         // times any of its present threads waited and was woken
  };
  Usage usage() const;
  uint64_t cpu_ns() const;
  /// Null where control groups cannot be made.
  ControlGroup* group() { return group_.get(); }

 private:
  RunnerProcess(Loop& loop, pid_t pid, int pid_fd, int socket, Callbacks callbacks);
  void on_socket(int events);
  void read_some();
  void write_some();
  void on_exit();
  void hurry_threads();
  void take_frames();

  std::unique_ptr<ControlGroup> group_;
  Callbacks callbacks_;
  pid_t pid_;
  int pid_fd_, socket_;
  bool reaped_ = false, deaf_ = false, killed_ = false, hurried_ = false;
  std::deque<Bytes> outgoing_;
  size_t sent_ = 0;  // of the first in outgoing_
  Bytes incoming_;
  std::unique_ptr<Loop::Watch> socket_watch_, exit_watch_;
};

}  // namespace selvedge::host::domain
