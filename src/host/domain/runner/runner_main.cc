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

int run_domain(bool self_test, uint32_t made_by_pool, uint32_t group_layers, int groups) {
  // Only the pool's environment variables could reach the engine's options; it passes none.
  uint32_t layers = made_by_pool;
  const int tripped = self_test ? lockdown_tripwire_test() : 0;
  auto before = lockdown_before_engine(layers, groups);
  if (!before.ok()) return 3;
  GroupEntry group(groups);
  layers |= *before;
  Throttle throttle;
  auto engine = Engine::create([&throttle] { return throttle.between_slices(); });
  if (group.done()) layers |= group_layers;
  if (!engine.ok()) return 4;
  auto after = lockdown_after_engine(layers);
  if (!after.ok()) return 5;
  layers |= *after;
  if (self_test) {
    const int worked = lockdown_self_test();
    _exit(worked + tripped == 0 ? 0 : 6);
  }
  if (!write_all(encode(HelloFrame{layers}))) return 0;
  return serve(**engine, throttle);
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
  auto plain = Engine::create([] { return true; });
  auto metered = Engine::create([] { return true; });
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
    return run_domain(true, 0, 0, 0);
  }
  const auto number = [&](int i) { return argc > i ? uint32_t(std::strtoul(argv[i], nullptr, 10)) : 0; };
  if (mode == "--pool" && argc >= 3) return run_domain(false, number(2), number(3), std::min(int(number(4)), 4));
  std::fprintf(stderr, "selvedge-domain runs guest programs for selvedge and is started by it. Try --self-test.\n");
  return 2;
}
