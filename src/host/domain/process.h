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
    /// The process is gone and reaped. `status` as of waitpid.
    std::function<void(int status)> gone;
  };
  /// None of the callbacks comes from within start(). After `gone` there are no more. The owner must not destroy the
  /// object from within a callback. Errors: kIo.
  static Result<std::unique_ptr<RunnerProcess>> start(Loop& loop, const Launch& launch, Callbacks callbacks);
  /// Kills and reaps, waiting for the kernel if the process still lives.
  ~RunnerProcess();
  RunnerProcess(const RunnerProcess&) = delete;
  RunnerProcess& operator=(const RunnerProcess&) = delete;

  void send(Bytes frame);
  void kill();
  pid_t pid() const { return pid_; }
  /// Null where control groups cannot be made.
  ControlGroup* group() { return group_.get(); }
  /// Resident bytes now, 0 when unknown.
  uint64_t resident_bytes() const;

 private:
  RunnerProcess(Loop& loop, pid_t pid, int pid_fd, int socket, Callbacks callbacks);
  void on_socket(int events);
  void read_some();
  void write_some();
  void on_exit();
  void take_frames();

  std::unique_ptr<ControlGroup> group_;
  Callbacks callbacks_;
  pid_t pid_;
  int pid_fd_, socket_;
  bool reaped_ = false, deaf_ = false;
  std::deque<Bytes> outgoing_;
  size_t sent_ = 0;  // of the first in outgoing_
  Bytes incoming_;
  std::unique_ptr<Loop::Watch> socket_watch_, exit_watch_;
};

}  // namespace selvedge::host::domain
