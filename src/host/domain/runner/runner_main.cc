// selvedge-domain: the process in which one lease's guests run. Started by DomainPool, never by a person, except
//
//   selvedge-domain --self-test                       locks itself down and shows what it cannot do any more
//   selvedge-domain --bench MODULE ROUNDS ARGS...     times it as it is and rewritten, not locked down (bench/metering_bench)
//   selvedge-domain --batch < LIST                    runs modules, a line "PATH FUEL" each, not locked down (engine tests)
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
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
#include "host/domain/runner/clock.h"
#include "host/domain/runner/engine.h"
#include "host/domain/runner/lockdown.h"
#include "wasm/rewrite.h"

namespace selvedge::host::domain {
namespace {

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

/// A question to the pool, which answers at once; between the two it may say how fast.
std::optional<Bytes> ask_state(Pacer& pacer, const StateAskFrame& ask) {
  if (!write_all(encode(ask))) return std::nullopt;
  for (;;) {
    const auto frame = read_frame();
    if (!frame.ok()) return std::nullopt;   // the pool is gone: the next slice ends the run
    if (frame->type == uint8_t(FrameType::kPace)) {
      if (const auto pace = decode_pace(frame->body); pace.ok()) pacer.set(*pace);
      continue;
    }
    auto answer = frame->type == uint8_t(FrameType::kStateAnswer) ? decode_state_answer(frame->body) : fail(Errc::kInvalid, "not now");
    if (!answer.ok() || !answer->found) return std::nullopt;
    return std::move(answer->bytes);
  }
}

/// Under what name the process table shows this process: whether a lease has it is for everybody to see.
constexpr const char* kNameBefore = "selvedge-spare";
constexpr const char* kNameInUse = "selvedge-domain";

/// Frame after frame until the pool closes the socket or sends what makes no sense.
/// A piece at a time, with the rests between them that the pace asks for. A pool that is gone is noticed by the run.
void write_checkpoint(Pacer& pacer, const DomainHandle& handle, uint64_t fuel, ByteView checkpoint) {
  constexpr size_t kPiece = 1u << 20;
  bool there = write_all(encode_checkpoint_head(handle, fuel, checkpoint.size()));
  for (size_t at = 0; there && at < checkpoint.size(); at += kPiece) {
    there = pacer.rest() && write_all(checkpoint.subspan(at, std::min(kPiece, checkpoint.size() - at)));
  }
}

int serve(Engine& engine, Pacer& pacer) {
  std::string load_error;
  (void)prctl(PR_SET_NAME, kNameBefore);
  for (;;) {
    auto frame = read_frame();
    if (!frame.ok()) return frame.code() == Errc::kCancelled ? 0 : 1;
    if (frame->type == uint8_t(FrameType::kModule)) {
      const auto module = decode_module(frame->body);
      if (!module.ok()) return 1;
      (void)prctl(PR_SET_NAME, kNameInUse);
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
    frame->body = Bytes();  // the task is a copy, and inputs are large
    ResultFrame result;
    const DomainHandle handle = task->handle;
    if (load_error.empty()) {
      if (!pacer.rest()) return 0;
      OnCheckpoint on_checkpoint;
      if (task->checkpoint_ms > 0) {
        on_checkpoint = [&handle, &pacer](uint64_t fuel, const Bytes& checkpoint) { write_checkpoint(pacer, handle, fuel, checkpoint); };
      }
      result = engine.run(std::move(task).value(), on_checkpoint, [&pacer](const StateAskFrame& ask) { return ask_state(pacer, ask); });
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
  Pacer pacer;
  auto engine = Engine::create([&pacer](uint64_t ended) { return pacer.next_slice(ended); });
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
  pacer.start();
  return serve(**engine, pacer);
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

/// Runs modules one after the other in one engine and prints a line of JSON for each.
int batch() {
  auto engine = Engine::create([](uint64_t) { return uint64_t(2'000'000); });
  if (!engine.ok()) return 4;
  char path[4096];
  unsigned long long fuel = 0;
  while (std::scanf("%4095s %llu", path, &fuel) == 2) {
    const auto rewritten = wasm::rewrite(read_file(path));
    if (!rewritten.ok()) {
      std::printf("{\"refused\":\"%s\"}\n", errc_name(rewritten.code()));
      continue;
    }
    const ModuleFrame module{rewritten->identity, rewritten->has_start, rewritten->needs_fresh_instance, rewritten->resumable, rewritten->serves, rewritten->memory_pages_min,
                             rewritten->module};
    (*engine)->forget();
    if (!(*engine)->load(module).ok()) {
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
  const ModuleFrame module{rewritten->identity, rewritten->has_start, rewritten->needs_fresh_instance, rewritten->resumable, rewritten->serves, rewritten->memory_pages_min,
                           rewritten->module};
  const int rounds = std::max(1, std::atoi(argv[3]));
  std::vector<std::string> args = {"program"};
  args.insert(args.end(), argv + 4, argv + argc);
  const auto slices = [](uint64_t) { return uint64_t(2'000'000); };
  auto plain = Engine::create(slices);
  auto metered = Engine::create(slices);
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
    return run_domain(true, 0, 0, 0);
  }
  const auto number = [&](int i) { return argc > i ? uint32_t(std::strtoul(argv[i], nullptr, 10)) : 0; };
  if (mode == "--pool" && argc >= 3) return run_domain(false, number(2), number(3), std::min(int(number(4)), 4));
  std::fprintf(stderr, "selvedge-domain runs guest programs for selvedge and is started by it. Try --self-test.\n");
  return 2;
}
