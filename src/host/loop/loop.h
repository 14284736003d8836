// Loop: the one thread on which a node lives, and a small pool of workers beside it.
//
// Everything in host/ runs on the loop thread unless it says otherwise. Work that would hold the loop up (fountain
// coding, disk sync, hashing of large inputs) goes to a worker with work(); its answer comes back on the loop
// thread. No other thread touches a node, so nothing in host/ needs a lock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/time.h"

struct uv_loop_s;

namespace selvedge::host {

class Loop {
 public:
  /// `workers`: threads of the pool; 0 picks the number of processors, at most 4.
  explicit Loop(unsigned workers = 0);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop(). Callbacks queued by post() before run() are served first.
  void run();
  /// Serves what is ready without blocking, then returns (tests).
  void run_once();
  /// Callable from any thread and from a callback.
  void stop();

  /// Wall time at start plus monotonic time since: never goes back. Fresh at every call.
  Instant now() const;
  uv_loop_s* uv();

  /// Runs `callback` on the loop thread soon. Callable from any thread.
  void post(std::function<void()> callback);
  /// Runs `job` on a worker, then `done` on the loop thread. Jobs start in the order they were given.
  void work(std::function<void()> job, std::function<void()> done);

  /// One-shot timer; destroying it cancels it. Call set() again to move it.
  class Timer {
   public:
    Timer(Loop& loop, std::function<void()> callback);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    void set(Instant when);
    void cancel();

   private:
    struct State;
    State* state_;
  };

  /// Watches a file descriptor. Destroying it stops the watch; it does not close the descriptor.
  class Watch {
   public:
    enum Events : int { kReadable = 1, kWritable = 2 };
    Watch(Loop& loop, int fd, std::function<void(int events)> callback);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    /// `events` is a union of Events; 0 pauses.
    void set(int events);

   private:
    struct State;
    State* state_;
  };

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace selvedge::host
