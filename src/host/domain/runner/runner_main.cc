// selvedge-domain: the process in which one lease's guests run. Started by DomainPool, never by a person, except
//
//   selvedge-domain --self-test                       locks itself down and shows what it cannot do any more
//   selvedge-domain --bench MODULE ROUNDS ARGS...     times it as it is and rewritten, not locked down (bench/domain_bench)
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "crypto/hash.h"
#include "host/domain/domain_pool.h"
#include "host/domain/runner/engine.h"
#include "host/domain/runner/lockdown.h"
#include "wasm/rewrite.h"

namespace selvedge::host::domain {
namespace {

uint64_t clock_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return uint64_t(t.tv_sec) * 1'000'000'000u + uint64_t(t.tv_nsec);
}

bool read_all(uint8_t* at, size_t size) {
  while (size > 0) {
    const ssize_t n = read(kRunnerSocket, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= size_t(n);
  }
  return true;
}

bool write_all(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(kRunnerSocket, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(size_t(n));
  }
  return true;
}

struct Frame {
  uint8_t type = 0;
  Bytes body;
};

Result<Frame> read_frame() {
  uint8_t header[kFrameHeaderBytes];
  if (!read_all(header, sizeof header)) return fail(Errc::kCancelled, "the pool is gone");
  const FrameHeader parsed = TRY(decode_header(header));
  Frame out{parsed.type, Bytes(parsed.body_bytes)};
  if (!read_all(out.body.data(), out.body.size())) return fail(Errc::kCancelled, "the pool is gone");
  return out;
}

/// Keeps the process to its pace: slices of fuel that take about as long as they should, and rests that keep its share. The account
/// runs over all tasks and over loading a module, so that many short tasks get no more than one long one.
class Pacer {
 public:
  /// What came before (the engine's start) is not the lease's.
  void start() { settled_cpu_ns_ = clock_ns(CLOCK_PROCESS_CPUTIME_ID); }
  void set(const PaceFrame& pace) {
    settle();
    pace_ = pace;
    balance_ns_ = std::min(balance_ns_, burst_ns());
  }

  /// Fuel of the next slice, after one of `ended`; rests first when the share is used up. 0 when the pool is gone.
  uint64_t next_slice(uint64_t ended) {
    const uint64_t now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    // A guest's rate changes as the engine compiles it, so the last slice is the best guess; halved and doubled at most.
    const uint64_t wanted = uint64_t(double(ended) * double(pace_.slice_us) * 1000 / double(std::max<uint64_t>(now - slice_began_ns_, 1000)));
    if (ended > 0) fuel_ = std::clamp(wanted, std::max(fuel_ / 2, kFuelMin), std::min(fuel_ * 2, kFuelMax));
    const bool there = rest();
    slice_began_ns_ = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return there ? fuel_ : 0;
  }

  /// Waits until the share allows to go on, and hears what the pool says meanwhile. False when the pool is gone.
  bool rest() {
    if (!listen(0)) return false;
    settle();
    if (balance_ns_ > 0) return true;
    // Until half a burst may run at once: fewer rests are fewer wake-ups.
    while (balance_ns_ < burst_ns() / 2) {
      const int64_t wait_ms = (burst_ns() - balance_ns_) * 1000 / pace_.permille / 1'000'000;
      if (!listen(int(std::clamp<int64_t>(wait_ms, 1, kRestMsMax)))) return false;
      settle();
    }
    return true;
  }

 private:
  static constexpr uint64_t kFuelMin = 20'000, kFuelMax = 20'000'000;
  static constexpr int64_t kRestMsMax = 1000;

  int64_t burst_ns() const { return std::max<int64_t>(int64_t(pace_.burst_us), 1000) * 1000; }

  void settle() {
    const uint64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);  // the engine's own threads count too
    const int64_t earned = int64_t(wall - settled_wall_ns_) / 1000 * pace_.permille;
    balance_ns_ = std::min(balance_ns_ + earned - int64_t(cpu - settled_cpu_ns_), burst_ns());
    if (pace_.permille >= 1000) balance_ns_ = burst_ns();
    settled_wall_ns_ = wall;
    settled_cpu_ns_ = cpu;
  }

  bool listen(int wait_ms) {
    pollfd socket{kRunnerSocket, POLLIN | POLLRDHUP, 0};
    while (poll(&socket, 1, wait_ms) > 0) {
      if ((socket.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) return false;
      const auto frame = read_frame();
      const auto pace = frame.ok() && frame->type == uint8_t(FrameType::kPace) ? decode_pace(frame->body) : fail(Errc::kInvalid, "not now");
      if (!pace.ok()) return false;
      set(*pace);
      wait_ms = 0;
    }
    return true;
  }

  PaceFrame pace_;
  uint64_t fuel_ = 200'000;  // before anything is known of the guest: a fraction of a slice
  uint64_t slice_began_ns_ = 0;
  uint64_t settled_cpu_ns_ = 0, settled_wall_ns_ = clock_ns(CLOCK_MONOTONIC);
  int64_t balance_ns_ = 0;
};

/// Frame after frame until the pool closes the socket or sends what makes no sense.
int serve(Engine& engine, Pacer& pacer) {
  std::string load_error;
  for (;;) {
    auto frame = read_frame();
    if (!frame.ok()) return frame.code() == Errc::kCancelled ? 0 : 1;
    if (frame->type == uint8_t(FrameType::kModule)) {
      const auto module = decode_module(frame->body);
      if (!module.ok()) return 1;
      const Status loaded = engine.load(*module);
      if (!loaded.ok()) load_error = loaded.error().message;
      continue;
    }
    if (frame->type == uint8_t(FrameType::kPace)) {
      const auto pace = decode_pace(frame->body);
      if (!pace.ok()) return 1;
      pacer.set(*pace);
      continue;
    }
    if (frame->type != uint8_t(FrameType::kTask)) return 1;
    auto task = decode_task(frame->body);
    if (!task.ok()) return 1;
    ResultFrame result;
    const DomainHandle handle = task->handle;
    if (load_error.empty()) {
      if (!pacer.rest()) return 0;
      result = engine.run(std::move(task).value());
    } else {
      result.end = uint8_t(DomainEnd::kRefused);
      result.message = load_error;
    }
    result.handle = handle;
    result.message.resize(std::min<size_t>(result.message.size(), 1024));
    if (!write_all(encode(result))) return 0;
    engine.prepare();
  }
}

int run_domain(bool self_test, uint32_t made_by_pool) {
  // Only the pool's environment variables could reach the engine's options; it passes none.
  uint32_t layers = made_by_pool;
  auto before = lockdown_before_engine(layers);
  if (!before.ok()) return 3;
  layers |= *before;
  Pacer pacer;
  auto engine = Engine::create([&pacer](uint64_t ended) { return pacer.next_slice(ended); });
  if (!engine.ok()) return 4;
  auto after = lockdown_after_engine(layers);
  if (!after.ok()) return 5;
  layers |= *after;
  if (self_test) {
    const int worked = lockdown_self_test();
    _exit(worked == 0 ? 0 : 6);
  }
  if (!write_all(encode(HelloFrame{layers}))) return 0;
  pacer.start();
  return serve(**engine, pacer);
}

Bytes read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

/// Prints the median milliseconds of CPU time of the original and of the rewritten module, and the fuel.
int bench(int argc, char** argv) {
  const Bytes original = read_file(argv[2]);
  ModuleFrame module;
  const auto rewritten = wasm::rewrite(original);
  if (!rewritten.ok()) {
    std::fprintf(stderr, "%s\n", rewritten.error().message.c_str());
    return 1;
  }
  module.identity = rewritten->identity;
  module.has_start = rewritten->has_start;
  module.pages_min = rewritten->memory_pages_min;
  module.module = rewritten->module;
  const int rounds = std::max(1, std::atoi(argv[3]));
  const std::vector<std::string> args(argv + 3, argv + argc);
  const auto slices = [](uint64_t) { return uint64_t(2'000'000); };
  auto plain = Engine::create(slices);
  auto metered = Engine::create(slices);
  if (!plain.ok() || !metered.ok() || !(*metered)->load(module).ok()) return 1;
  std::vector<uint64_t> plain_ns, metered_ns;
  uint64_t fuel = 0;
  for (int i = 0; i < rounds; ++i) {
    uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    const Status done = (*plain)->run_unmetered(original, args);
    plain_ns.push_back(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start);
    if (!done.ok()) std::fprintf(stderr, "%s\n", done.error().message.c_str());
    TaskFrame task;
    task.args = args;
    task.fuel_limit = UINT64_MAX / 2;
    task.memory_pages_max = 65536;
    task.output_bytes_max = 1 << 20;
    start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    const ResultFrame result = (*metered)->run(std::move(task));
    metered_ns.push_back(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start);
    if (result.end != uint8_t(DomainEnd::kExited)) std::fprintf(stderr, "%s\n", result.message.c_str());
    fuel = result.fuel;
  }
  std::sort(plain_ns.begin(), plain_ns.end());
  std::sort(metered_ns.begin(), metered_ns.end());
  std::printf("%.3f %.3f %llu\n", double(plain_ns[plain_ns.size() / 2]) / 1e6,
              double(metered_ns[metered_ns.size() / 2]) / 1e6, static_cast<unsigned long long>(fuel));
  return 0;
}

}  // namespace
}  // namespace selvedge::host::domain

#if defined(__SANITIZE_ADDRESS__) || defined(__has_feature)
// In sanitizer builds: the engine handles faults itself, they are how guests trap, and it frees nothing at exit.
extern "C" const char* __asan_default_options() { return "handle_segv=0:handle_sigbus=0:detect_leaks=0"; }
#endif

int main(int argc, char** argv) {
  using namespace selvedge::host::domain;
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "--bench" && argc >= 5) return bench(argc, argv);
  if (mode == "--self-test") {
    if (dup2(STDOUT_FILENO, kRunnerSocket) < 0) return 2;
    return run_domain(true, 0);
  }
  if (mode == "--pool" && argc == 3) return run_domain(false, uint32_t(std::strtoul(argv[2], nullptr, 10)));
  std::fprintf(stderr, "selvedge-domain runs guest programs for selvedge and is started by it. Try --self-test.\n");
  return 2;
}
