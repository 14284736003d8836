// selvedge-domain: the process in which one lease's guests run. Started by DomainPool, never by a person, except
//
//   selvedge-domain --self-test                       locks itself down and shows what it cannot do any more
//   selvedge-domain --bench MODULE ROUNDS ARGS...     times it as it is and rewritten, not locked down (bench/metering_bench)
//   selvedge-domain --batch < LIST                    runs modules, a line "PATH FUEL" each, not locked down (engine tests)
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

/// Keeps a run to its share of a processor: sleeps after each slice for as long as the share asks.
class Throttle {
 public:
  void start(uint32_t permille) {
    permille_ = std::clamp<uint32_t>(permille, 1, 1000);
    cpu_ns_ = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    wall_ns_ = clock_ns(CLOCK_MONOTONIC);
  }
  /// Returns false when the pool is gone: nobody waits for this run any more.
  bool between_slices() {
    pollfd socket{kRunnerSocket, POLLRDHUP, 0};
    if (poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) return false;
    if (permille_ >= 1000) return true;
    const uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns_;  // the engine's own threads count too
    const uint64_t due = cpu * 1000 / permille_;
    const uint64_t wall = clock_ns(CLOCK_MONOTONIC) - wall_ns_;
    if (due < wall + kShortestSleepNs) return true;
    const uint64_t rest = std::min(due - wall, kLongestSleepNs);
    const timespec pause{time_t(rest / 1'000'000'000u), long(rest % 1'000'000'000u)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
    return true;
  }

 private:
  static constexpr uint64_t kShortestSleepNs = 200'000, kLongestSleepNs = 500'000'000;
  uint32_t permille_ = 1000;
  uint64_t cpu_ns_ = 0, wall_ns_ = 0;
};

/// Frame after frame until the pool closes the socket or sends what makes no sense.
int serve(Engine& engine, Throttle& throttle) {
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
    if (frame->type != uint8_t(FrameType::kTask)) return 1;
    auto task = decode_task(frame->body);
    if (!task.ok()) return 1;
    frame->body = Bytes();  // the task is a copy, and inputs are large
    ResultFrame result;
    const DomainHandle handle = task->handle;
    if (load_error.empty()) {
      throttle.start(task->cpu_permille);
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
  Throttle throttle;
  auto engine = Engine::create([&throttle] { return throttle.between_slices(); });
  if (!engine.ok()) return 4;
  auto after = lockdown_after_engine(layers);
  if (!after.ok()) return 5;
  layers |= *after;
  if (self_test) {
    const int worked = lockdown_self_test();
    _exit(worked == 0 ? 0 : 6);
  }
  if (!write_all(encode(HelloFrame{layers}))) return 0;
  return serve(**engine, throttle);
}

Bytes read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

TaskFrame task_of(std::vector<std::string> args, uint64_t fuel_limit) {
  TaskFrame task;
  task.args = std::move(args);
  task.fuel_limit = fuel_limit;
  task.memory_pages_max = 1024;
  task.output_bytes_max = 1 << 24;
  return task;
}

/// Runs modules one after the other, each in an engine of its own, and prints a line of JSON for each.
int batch() {
  char path[4096];
  unsigned long long fuel = 0;
  while (std::scanf("%4095s %llu", path, &fuel) == 2) {
    const auto rewritten = wasm::rewrite(read_file(path));
    if (!rewritten.ok()) {
      std::printf("{\"refused\":\"%s\"}\n", errc_name(rewritten.code()));
      continue;
    }
    auto engine = Engine::create([] { return true; });
    const ModuleFrame module{rewritten->identity, rewritten->has_start, rewritten->needs_fresh_instance, rewritten->memory_pages_min,
                             rewritten->module};
    if (!engine.ok() || !(*engine)->load(module).ok()) {
      std::printf("{\"refused\":\"engine\"}\n");
      continue;
    }
    const ResultFrame out = (*engine)->run(task_of({"program"}, fuel));
    std::printf("{\"end\":%u,\"exit_code\":%d,\"fuel\":%llu,\"memory_bytes\":%llu,\"output_sha256\":\"%s\",\"trace\":\"%s\",\"message\":\"%s\"}\n",
                out.end, out.exit_code, static_cast<unsigned long long>(out.fuel), static_cast<unsigned long long>(out.memory_bytes),
                crypto::sha256(out.output).hex().c_str(), out.trace.hex().c_str(), out.message.c_str());
  }
  return 0;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Processor time of one call on this thread, in milliseconds.
template <class Work>
double timed_ms(Work work) {
  const uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  work();
  return double(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / 1e6;
}

/// Prints the median milliseconds of the original and of the rewritten module, the median of the ratios of
/// neighbouring runs, and the fuel.
int bench(int argc, char** argv) {
  constexpr int kWarmUp = 3;  // runs in which the optimising compiler takes over
  const Bytes original = read_file(argv[2]);
  const auto rewritten = wasm::rewrite(original);
  if (!rewritten.ok()) {
    std::fprintf(stderr, "%s\n", rewritten.error().message.c_str());
    return 1;
  }
  const ModuleFrame module{rewritten->identity, rewritten->has_start, rewritten->needs_fresh_instance, rewritten->memory_pages_min,
                           rewritten->module};
  const int rounds = std::max(1, std::atoi(argv[3]));
  std::vector<std::string> args = {"program"};
  args.insert(args.end(), argv + 4, argv + argc);
  auto plain = Engine::create([] { return true; });
  auto metered = Engine::create([] { return true; });
  if (!plain.ok() || !metered.ok() || !(*metered)->load(module).ok()) return 1;
  std::vector<double> plain_ms, metered_ms, ratios;
  uint64_t fuel = 0;
  bool failed = false;
  for (int i = -kWarmUp; i < rounds; ++i) {
    double ms[2];
    // Who goes first changes, so that neither profits from the other's caches.
    for (const int which : {i & 1, 1 - (i & 1)}) {
      Status done = ok();
      ResultFrame result;
      ms[which] = timed_ms([&] {
        if (which == 0) done = (*plain)->run_unmetered(original, args);
        else result = (*metered)->run(task_of(args, UINT64_MAX / 2));
      });
      if (which == 1) fuel = result.fuel;
      failed |= !done.ok() || (which == 1 && result.end != uint8_t(DomainEnd::kExited));
    }
    if (i < 0) continue;
    plain_ms.push_back(ms[0]);
    metered_ms.push_back(ms[1]);
    ratios.push_back(ms[1] / ms[0]);
  }
  std::printf("%.3f %.3f %.4f %llu\n", median(plain_ms), median(metered_ms), median(ratios), static_cast<unsigned long long>(fuel));
  return failed ? 1 : 0;
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
  if (mode == "--batch") return batch();
  if (mode == "--self-test") {
    if (dup2(STDOUT_FILENO, kRunnerSocket) < 0) return 2;
    return run_domain(true, 0);
  }
  if (mode == "--pool" && argc == 3) return run_domain(false, uint32_t(std::strtoul(argv[2], nullptr, 10)));
  std::fprintf(stderr, "selvedge-domain runs guest programs for selvedge and is started by it. Try --self-test.\n");
  return 2;
}
