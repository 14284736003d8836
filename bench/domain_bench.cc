// domain_bench [--quick]: what an isolated, metered guest costs.
//
// Start, reset and stop of domain processes against the bars of docs/architecture.md. Medians; quick mode is the
// test that keeps it alive. What metering costs is metering_bench's business.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>

#include "host/domain/domain_pool.h"
#include "host/loop/loop.h"

namespace {

using namespace selvedge;

struct Plan {
  int cold = 41, warm = 401, stops = 41, queued = 4000;
};

std::string bin_dir() { return SELVEDGE_BIN_DIR; }

std::shared_ptr<const wasm::Rewritten> guest(const std::string& name) {
  std::ifstream in(bin_dir() + "/../guests/" + name + ".wasm", std::ios::binary);
  const Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  auto out = wasm::rewrite(bytes);
  if (!out.ok()) {
    std::fprintf(stderr, "domain_bench: %s: %s\n", name.c_str(), out.error().message.c_str());
    std::exit(1);
  }
  return std::make_shared<const wasm::Rewritten>(std::move(out).value());
}

host::DomainTask task_of(std::shared_ptr<const wasm::Rewritten> module) {
  host::DomainTask task;
  task.module = std::move(module);
  task.args = {"program"};
  task.fuel_limit = INT64_MAX;
  task.memory_bytes = 64u << 20;
  return task;
}

void expect(const host::DomainOutcome& out, host::DomainEnd end) {
  if (out.end == end) return;
  std::fprintf(stderr, "domain_bench: a run %s: %s\n", host::domain_end_name(out.end), out.message.c_str());
  std::exit(1);
}

double ms(Duration d) { return double(d.ns) / 1e6; }

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, size_t(q * double(values.size())))];
}

void print(const char* what, const std::vector<double>& values_ms, double bar_ms) {
  const double median = quantile(values_ms, 0.5);
  std::printf("%-46s median %8.3f ms   p99 %8.3f ms   bar %6.1f ms   ratio %.2f\n", what, median,
              quantile(values_ms, 0.99), bar_ms, median / bar_ms);
}

/// Runs one task and waits for it.
Duration once(host::Loop& loop, host::DomainPool& pool, uint64_t lease, host::DomainTask task) {
  const Instant start = loop.now();
  Duration took;
  pool.run(lease, std::move(task), [&](host::DomainOutcome out) {
    took = loop.now() - start;
    expect(out, host::DomainEnd::kExited);
    loop.stop();
  });
  loop.run();
  return took;
}

void stop_lease(host::Loop& loop, host::DomainPool& pool, uint64_t lease, std::function<void(Duration)> then) {
  pool.stop(lease, [&loop, then = std::move(then)](Duration took) {
    then(took);
    loop.stop();
  });
  loop.run();
}

void starts(const Plan& plan, const char* name) {
  host::Loop loop(1);
  host::DomainPool pool(loop, bin_dir() + "/selvedge-domain");
  const auto module = guest(name);
  std::vector<double> cold, warm;
  for (int i = 0; i < plan.cold; ++i) {
    cold.push_back(ms(once(loop, pool, 1, task_of(module))));
    if (i + 1 < plan.cold) stop_lease(loop, pool, 1, [](Duration) {});
  }
  for (int i = 0; i < plan.warm; ++i) warm.push_back(ms(once(loop, pool, 1, task_of(module))));
  char label[96];
  std::snprintf(label, sizeof label, "cold start, %s (%zu KB rewritten)", name, module->module.size() / 1024);
  print(label, cold, 20);
  std::snprintf(label, sizeof label, "warm start, %s (reset and run)", name);
  print(label, warm, 1);
}

void throughput(const Plan& plan) {
  host::Loop loop(1);
  host::DomainPool pool(loop, bin_dir() + "/selvedge-domain");
  const auto module = guest("hello");
  once(loop, pool, 1, task_of(module));
  const int total = plan.queued;
  int sent = 0, answered = 0;
  const Instant start = loop.now();
  std::function<void(host::DomainOutcome)> done;
  const auto send = [&] {
    ++sent;
    pool.run(1, task_of(module), done);
  };
  done = [&](host::DomainOutcome out) {
    expect(out, host::DomainEnd::kExited);
    if (++answered == total) loop.stop();
    else if (sent < total) send();
  };
  for (int i = 0; i < std::min(total, 64); ++i) send();
  loop.run();
  const double rate = double(total) / (loop.now() - start).seconds();
  std::printf("%-46s %8.0f tasks/s                     bar %6d      ratio %.2f\n", "tasks in one domain", rate, 2000, rate / 2000);
}

void stops(const Plan& plan) {
  host::Loop loop(1);
  host::DomainPool pool(loop, bin_dir() + "/selvedge-domain");
  const auto spin = guest("spin");
  std::vector<double> took;
  for (int i = 0; i < plan.stops; ++i) {
    pool.run(1, task_of(spin), [](host::DomainOutcome out) { expect(out, host::DomainEnd::kKilled); });
    const int pid = pool.process_of(1);
    // Until the guest certainly runs: its process has used more time than starting takes.
    for (;;) {
      loop.run_once();
      clockid_t clock;
      timespec used{};
      if (clock_getcpuclockid(pid, &clock) == 0) clock_gettime(clock, &used);
      if (used.tv_sec > 0 || used.tv_nsec > 60'000'000) break;
    }
    stop_lease(loop, pool, 1, [&](Duration d) { took.push_back(ms(d)); });
  }
  print("stop a spinning guest, until reaped", took, 5);
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  Plan plan;
  if (quick) plan = {2, 5, 2, 50};
  starts(plan, "hello");
  starts(plan, "textstats");
  throughput(plan);
  stops(plan);
  return 0;
}
