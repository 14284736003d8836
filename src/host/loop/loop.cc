#include "host/loop/loop.h"

#include <time.h>
#include <uv.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"

namespace selvedge::host {

struct Loop::Impl {
  uv_loop_t loop;
  uv_async_t async;
  std::thread::id owner;
  int64_t wall_offset_ns = 0;

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> posted;
  struct Job {
    std::function<void()> job;
    std::function<void()> done;
  };
  std::deque<Job> jobs;
  bool stopping = false;
  std::vector<std::thread> workers;

  void serve_posted() {
    std::deque<std::function<void()>> ready;
    {
      std::lock_guard<std::mutex> lock(mutex);
      ready.swap(posted);
    }
    for (auto& callback : ready) callback();
  }

  void work_loop() {
    for (;;) {
      Job job;
      {
        std::unique_lock<std::mutex> lock(mutex);
        wake.wait(lock, [this] { return stopping || !jobs.empty(); });
        if (stopping) return;
        job = std::move(jobs.front());
        jobs.pop_front();
      }
      job.job();
      {
        std::lock_guard<std::mutex> lock(mutex);
        posted.push_back(std::move(job.done));
      }
      uv_async_send(&async);
    }
  }
};

static int64_t clock_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

Loop::Loop(unsigned workers) : impl_(std::make_unique<Impl>()) {
  CHECK(uv_loop_init(&impl_->loop) == 0);
  impl_->async.data = impl_.get();
  CHECK(uv_async_init(&impl_->loop, &impl_->async, [](uv_async_t* a) { static_cast<Impl*>(a->data)->serve_posted(); }) == 0);
  // BOOTTIME counts suspend: a lease does not live longer because the lid was closed.
  impl_->wall_offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
  if (workers == 0) workers = std::max(1u, std::min(4u, std::thread::hardware_concurrency()));
  for (unsigned i = 0; i < workers; ++i) impl_->workers.emplace_back([impl = impl_.get()] { impl->work_loop(); });
}

Loop::~Loop() {
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  for (std::thread& worker : impl_->workers) worker.join();
  impl_->posted.clear();
  impl_->jobs.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->async), nullptr);
  uv_run(&impl_->loop, UV_RUN_DEFAULT);
  uv_loop_close(&impl_->loop);
}

void Loop::run() { uv_run(&impl_->loop, UV_RUN_DEFAULT); }
void Loop::run_once() { uv_run(&impl_->loop, UV_RUN_NOWAIT); }
void Loop::stop() {
  post([this] { uv_stop(&impl_->loop); });
}

Instant Loop::now() const { return {clock_ns(CLOCK_BOOTTIME) + impl_->wall_offset_ns}; }
uv_loop_s* Loop::uv() { return &impl_->loop; }

void Loop::post(std::function<void()> callback) {
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->posted.push_back(std::move(callback));
  }
  uv_async_send(&impl_->async);
}

void Loop::work(std::function<void()> job, std::function<void()> done) {
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->jobs.push_back({std::move(job), std::move(done)});
  }
  impl_->wake.notify_one();
}

// A libuv handle outlives its wrapper by the one loop turn that uv_close needs; State is freed in that callback.
struct Loop::Timer::State {
  uv_timer_t handle;
  Loop* loop;
  std::function<void()> callback;
};

Loop::Timer::Timer(Loop& loop, std::function<void()> callback) : state_(new State{{}, &loop, std::move(callback)}) {
  uv_timer_init(loop.uv(), &state_->handle);
  state_->handle.data = state_;
}

Loop::Timer::~Timer() {
  state_->callback = nullptr;
  uv_timer_stop(&state_->handle);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle), [](uv_handle_t* h) { delete static_cast<State*>(h->data); });
}

void Loop::Timer::set(Instant when) {
  if (when == Instant::never()) return cancel();
  const Instant now = state_->loop->now();
  const int64_t wait_ns = when <= now ? 0 : (when - now).ns;  // "at once" may lie so far back that the difference would not fit
  const uint64_t wait_ms = wait_ns <= 0 ? 0 : uint64_t((wait_ns + 999'999) / 1'000'000);
  uv_update_time(state_->loop->uv());
  uv_timer_start(
      &state_->handle,
      [](uv_timer_t* h) {
        auto* state = static_cast<State*>(h->data);
        if (state->callback) state->callback();
      },
      wait_ms, 0);
}

void Loop::Timer::cancel() { uv_timer_stop(&state_->handle); }

struct Loop::Watch::State {
  uv_poll_t handle;
  std::function<void(int)> callback;
};

Loop::Watch::Watch(Loop& loop, int fd, std::function<void(int)> callback) : state_(new State{{}, std::move(callback)}) {
  CHECK(uv_poll_init(loop.uv(), &state_->handle, fd) == 0);
  state_->handle.data = state_;
}

Loop::Watch::~Watch() {
  state_->callback = nullptr;
  uv_poll_stop(&state_->handle);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle), [](uv_handle_t* h) { delete static_cast<State*>(h->data); });
}

void Loop::Watch::set(int events) {
  if (events == 0) {
    uv_poll_stop(&state_->handle);
    return;
  }
  int mask = 0;
  if (events & kReadable) mask |= UV_READABLE | UV_DISCONNECT;
  if (events & kWritable) mask |= UV_WRITABLE;
  uv_poll_start(&state_->handle, mask, [](uv_poll_t* h, int status, int ready) {
    auto* state = static_cast<State*>(h->data);
    if (!state->callback) return;
    int events_ready = 0;
    if (status < 0 || (ready & (UV_READABLE | UV_DISCONNECT))) events_ready |= kReadable;
    if (ready & UV_WRITABLE) events_ready |= kWritable;
    state->callback(events_ready);
  });
}

}  // namespace selvedge::host
