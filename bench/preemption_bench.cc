// preemption_bench [--quick]: what a person notices of the fabric's work: how fast it stops, and whether frames are missed.
//
// Both cores are full of guests throughout. Stopping is measured from the owner's word to the moment from which nothing of the guest
// runs. Frames: a thread draws sixty times a second as any program would, at ordinary priority, and each frame has to be done before
// the next begins; it does so alone, beside guests in the background class in which they run, beside guests at the pace that is set when
// interaction is likely, and, for comparison, beside the same guests as ordinary processes.
#include <dirent.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "host/domain/domain_pool.h"
#include "host/loop/loop.h"

namespace {

using namespace selvedge;

struct Plan {
  int stops = 100;
  int frames = 300;
};

constexpr int64_t kFrameNs = 16'666'667;
constexpr int64_t kDrawNs = 4'000'000;
constexpr uint64_t kVictim = 1000;

std::shared_ptr<const wasm::Rewritten> guest(const std::string& name) {
  std::ifstream in(std::string(SELVEDGE_BIN_DIR) + "/../guests/" + name + ".wasm", std::ios::binary);
  const Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  auto out = wasm::rewrite(bytes);
  if (!out.ok()) std::exit(1);
  return std::make_shared<const wasm::Rewritten>(std::move(out).value());
}

int64_t clock_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return int64_t(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, size_t(q * double(values.size())))];
}

/// Guests that never end, one a lease.
class Crowd {
 public:
  Crowd(host::Loop& loop, host::DomainPool& pool) : loop_(loop), pool_(pool), spin_(guest("spin")) {}

  /// Returns when the guest certainly runs: its process has used more time than starting takes.
  void start(uint64_t lease) {
    host::DomainTask task;
    task.module = spin_;
    task.args = {"spin"};
    task.fuel_limit = INT64_MAX;
    task.memory_bytes = 64u << 20;
    task.wall_max = seconds(3600);
    pool_.run(lease, std::move(task), [](host::DomainOutcome) {});
    const int pid = pool_.process_of(lease);
    // The class is its own until it has become the runner.
    const std::string exe = "/proc/" + std::to_string(pid) + "/exe";
    char link[256] = {};
    while (readlink(exe.c_str(), link, sizeof link - 1) < 0 || std::strstr(link, "selvedge-domain") == nullptr) sched_yield();
    set_class(lease, "0", 0);  // on a busy machine, starting in the background would take the time of the whole benchmark
    clockid_t clock;
    timespec used{};
    while (used.tv_sec == 0 && used.tv_nsec < 40'000'000) {
      wait();
      if (clock_getcpuclockid(pid, &clock) == 0) clock_gettime(clock, &used);
    }
    set_class(lease, "10", 19);  // as host/domain starts it
  }

  /// Serves the loop for a millisecond.
  void wait() {
    host::Loop::Timer timer(loop_, [this] { loop_.stop(); });
    timer.set(loop_.now() + milliseconds(1));
    loop_.run();
  }

  void pace(uint64_t lease, uint32_t permille) {
    host::DomainPace pace;
    pace.permille = permille;
    pace.burst = milliseconds(2);
    pool_.pace(lease, pace);
  }

  /// The same guest as an ordinary process of its own session, as any program that a person starts.
  void make_ordinary(uint64_t lease) { set_class(lease, "0", 0); }

 private:
  /// Needs root.
  void set_class(uint64_t lease, const char* session_nice, int nice) {
    const std::string home = "/proc/" + std::to_string(pool_.process_of(lease));
    std::ofstream(home + "/autogroup") << session_nice;
    DIR* dir = opendir((home + "/task").c_str());
    if (dir == nullptr) return;
    while (const dirent* entry = readdir(dir)) {
      if (const int thread = std::atoi(entry->d_name); thread > 0) setpriority(PRIO_PROCESS, id_t(thread), nice);
    }
    closedir(dir);
  }

  host::Loop& loop_;
  host::DomainPool& pool_;
  std::shared_ptr<const wasm::Rewritten> spin_;
};

void histogram(const std::vector<double>& values_us) {
  const double edges[] = {100, 250, 500, 1000, 2000, 5000, 10'000, 1e18};
  const char* const names[] = {"<= 0.1 ms", "<= 0.25", "<= 0.5", "<= 1", "<= 2", "<= 5", "<= 10", "> 10"};
  double low = 0;
  for (size_t i = 0; i < std::size(edges); ++i) {
    const auto n = std::count_if(values_us.begin(), values_us.end(), [&](double v) { return v > low && v <= edges[i]; });
    std::printf("    %-10s %5ld\n", names[i], long(n));
    low = edges[i];
  }
}

void stops(const Plan& plan, unsigned cores) {
  host::Loop loop(1);
  host::DomainPool pool(loop, std::string(SELVEDGE_BIN_DIR) + "/selvedge-domain");
  Crowd crowd(loop, pool);
  for (uint64_t lease = 1; lease <= cores; ++lease) crowd.start(lease);
  std::vector<double> stopped_us, gone_us;
  for (int i = 0; i < plan.stops; ++i) {
    crowd.start(kVictim);
    const size_t before = pool.processes();
    const Instant asked = loop.now();
    pool.stop(kVictim, [&](Duration took) {
      stopped_us.push_back(double(took.ns) / 1000);
      loop.stop();
    });
    // Waiting as the node waits: looking again and again would keep a core from the very process that is to end.
    loop.run();
    while (pool.processes() == before) crowd.wait();
    gone_us.push_back(double((loop.now() - asked).ns) / 1000);
  }
  const double p99 = quantile(stopped_us, 0.99);
  std::printf("stop a guest, %u others on %u cores, until nothing of it runs: median %.2f ms   p99 %.2f ms   max %.2f ms   bar 5 ms   ratio %.2f\n",
              cores, cores, quantile(stopped_us, 0.5) / 1000, p99 / 1000, quantile(stopped_us, 1) / 1000, p99 / 5000);
  histogram(stopped_us);
  std::printf("  until the kernel has tidied up: median %.2f ms   p99 %.2f ms\n", quantile(gone_us, 0.5) / 1000, quantile(gone_us, 0.99) / 1000);
}

/// One thread that draws for kDrawNs of its processor time every kFrameNs.
struct Drawn {
  int missed = 0;
  std::vector<double> late_us;   // from the time it wanted to wake to when it ran
};

Drawn draw(int frames) {
  Drawn out;
  int64_t due = clock_ns(CLOCK_MONOTONIC) + kFrameNs;
  for (int i = 0; i < frames; ++i) {
    const timespec when{time_t(due / 1'000'000'000), long(due % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
    out.late_us.push_back(double(clock_ns(CLOCK_MONOTONIC) - due) / 1000);
    const int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start < kDrawNs) {
    }
    const int64_t done = clock_ns(CLOCK_MONOTONIC);
    out.missed += done > due + kFrameNs;
    for (due += kFrameNs; due < done; due += kFrameNs) {
    }
  }
  return out;
}

void frames(const char* what, int count, host::Loop& loop, const Drawn* baseline, Drawn& drawn) {
  std::atomic<bool> done{false};
  std::thread foreground([&] {
    drawn = draw(count);
    done = true;
    loop.post([&loop] { loop.stop(); });
  });
  loop.run();
  foreground.join();
  std::printf("  %-44s %4d of %d missed   late: median %7.0f us   p99 %7.0f us   max %7.0f us", what, drawn.missed, count, quantile(drawn.late_us, 0.5),
              quantile(drawn.late_us, 0.99), quantile(drawn.late_us, 1));
  if (baseline != nullptr) std::printf("   %+d frames", drawn.missed - baseline->missed);
  std::printf("\n");
}

void frame_safety(const Plan& plan, unsigned cores) {
  host::Loop loop(1);
  host::DomainPool pool(loop, std::string(SELVEDGE_BIN_DIR) + "/selvedge-domain");
  std::printf("sixty frames a second of 4 ms each, %u guests on %u cores\n", 2 * cores, cores);
  Drawn alone, beside, paced, ordinary;
  frames("alone", plan.frames, loop, nullptr, alone);
  Crowd crowd(loop, pool);
  for (uint64_t lease = 1; lease <= 2 * cores; ++lease) crowd.start(lease);
  frames("beside guests in the background class", plan.frames, loop, &alone, beside);
  for (uint64_t lease = 1; lease <= 2 * cores; ++lease) crowd.pace(lease, 100);
  frames("beside guests paced for interaction (10 %)", plan.frames, loop, &alone, paced);
  for (uint64_t lease = 1; lease <= 2 * cores; ++lease) {
    crowd.pace(lease, 1000);
    crowd.make_ordinary(lease);
  }
  frames("beside the same guests as ordinary processes", plan.frames, loop, &alone, ordinary);
}

}  // namespace

int main(int argc, char** argv) {
  Plan plan;
  if (argc > 1 && std::strcmp(argv[1], "--quick") == 0) plan = {3, 30};
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  stops(plan, cores);
  frame_safety(plan, cores);
  return 0;
}
