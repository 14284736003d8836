// domain_bench [--quick | --isolation | --microvm]: what an isolated, metered guest costs.
//
// Start, reset and stop of domain processes against the bars of docs/architecture.md. Medians; quick mode is the test that keeps it
// alive, --isolation measures starts and memory only, --microvm boots virtual machines (seconds each without KVM). Beside them stand figures
// that others publish. What metering costs is metering_bench's business.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>

#include "host/domain/domain_pool.h"
#include "host/domain/microvm.h"
#include "host/loop/loop.h"
#include "wasm/test_module.h"

namespace {

using namespace selvedge;

struct Plan {
  int cold = 41, warm = 401, stops = 41, queued = 4000, sized = 101, together = 40, boots = 3;
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
  host::DomainPool pool(loop, bin_dir() + "/selvedge-domain", host::DomainClass::kOrdinary);
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

/// A module of about so many bytes as published: functions that call one another, of which the first returns at once.
std::shared_ptr<const wasm::Rewritten> module_of_bytes(size_t bytes) {
  wasm::testing::TestModule module;
  module.function(0, {0x0B});
  module.exports = {wasm::testing::TestModule::export_of("_start", 0, 0)};
  size_t size = 0;
  while (size < bytes) {
    Bytes code;
    const uint8_t salt = uint8_t(module.functions.size() % 60);
    for (int i = 0; i < 30; ++i) append(code, Bytes{0x20, 0, 0x41, uint8_t(salt + i % 4), 0x6A, 0x21, 0});
    append(code, Bytes{0x20, 0, 0x04, 0x40, 0x10, 0, 0x0B, 0x0B});
    size += code.size() + 6;
    module.function(0, std::move(code), {1, 1, wasm::testing::kI});
  }
  auto out = wasm::rewrite(module.build());
  if (!out.ok()) {
    std::fprintf(stderr, "domain_bench: %s\n", out.error().message.c_str());
    std::exit(1);
  }
  return std::make_shared<const wasm::Rewritten>(std::move(out).value());
}

void wait_for_spare(host::Loop& loop, host::DomainPool& pool) {
  host::Loop::Timer* again = nullptr;
  host::Loop::Timer look(loop, [&] {
    if (pool.spares_ready() > 0) loop.stop();
    else again->set(loop.now() + milliseconds(1));
  });
  again = &look;
  look.set(loop.now());
  loop.run();
}

/// From nothing, or from a spare, to the answer of a program that returns at once, so to its first instruction and a little more.
void starts_by_size(const Plan& plan, size_t spares) {
  host::Loop loop(1);
  host::DomainPool pool(loop, bin_dir() + "/selvedge-domain", host::DomainClass::kOrdinary);
  pool.keep_spares(spares);
  const size_t sizes[] = {100, 10'000, 100'000, 400'000, 1'000'000};
  std::vector<std::shared_ptr<const wasm::Rewritten>> modules;
  for (const size_t size : sizes) modules.push_back(module_of_bytes(size));
  std::vector<std::vector<double>> took(modules.size());
  for (int i = 0; i < plan.sized; ++i) {  // interleaved: other work on the machine meets all alike
    for (size_t m = 0; m < modules.size(); ++m) {
      if (spares > 0) wait_for_spare(loop, pool);
      took[m].push_back(ms(once(loop, pool, 1, task_of(modules[m]))));
      stop_lease(loop, pool, 1, [](Duration) {});
    }
  }
  for (size_t m = 0; m < modules.size(); ++m) {
    char label[96];
    std::snprintf(label, sizeof label, "%s, module of %zu KB (%zu rewritten)", spares > 0 ? "first task, from a spare" : "cold start", sizes[m] / 1000, modules[m]->module.size() / 1000);
    print(label, took[m], 20);
  }
}

/// New processes for many leases at once, and what they take when they have nothing to do.
void many(const Plan& plan) {
  host::Loop loop(1);
  host::DomainPool pool(loop, bin_dir() + "/selvedge-domain", host::DomainClass::kOrdinary);
  const auto module = guest("hello");
  int open = plan.together;
  const Instant start = loop.now();
  for (int i = 0; i < plan.together; ++i) {
    const auto done = [&](host::DomainOutcome out) {
      expect(out, host::DomainEnd::kExited);
      if (--open == 0) loop.stop();
    };
    pool.run(uint64_t(i), task_of(module), done);
  }
  loop.run();
  std::printf("%-46s %8.0f a second (%d at once)\n", "new domains, each with a task", plan.together / (loop.now() - start).seconds(), plan.together);
  double resident = 0, own = 0;
  for (int i = 0; i < plan.together; ++i) {
    std::ifstream in("/proc/" + std::to_string(pool.process_of(uint64_t(i))) + "/smaps_rollup");
    for (std::string line; std::getline(in, line);) {
      double kb = 0;
      if (std::sscanf(line.c_str(), "Rss: %lf", &kb) == 1) resident += kb;
      if (std::sscanf(line.c_str(), "Pss: %lf", &kb) == 1) own += kb;
    }
  }
  std::printf("%-46s %8.1f MB resident, %.1f MB its share of what all use\n", "an idle domain", resident / 1000 / plan.together, own / 1000 / plan.together);
}

void boots(const Plan& plan) {
  const host::MicroVmChoice choice = host::choose_microvm(bin_dir() + "/selvedge-domain", true);
  std::printf("microVM with KVM: %s\nmicroVM without: %s\n", choice.kvm.c_str(), choice.tcg.c_str());
  if (choice.machine == nullptr) return;
  host::Loop loop(1);
  host::DomainPool pool(loop, bin_dir() + "/selvedge-domain", host::DomainClass::kOrdinary, choice.machine);
  const auto module = guest("hello");
  std::vector<double> cold, warm;
  double resident = 0;
  for (int i = 0; i < plan.boots; ++i) {
    host::DomainTask task = task_of(module);
    task.wall_max = seconds(120);
    cold.push_back(ms(once(loop, pool, 1, std::move(task))));
    for (int w = 0; w < 20; ++w) warm.push_back(ms(once(loop, pool, 1, task_of(module))));
    std::ifstream in("/proc/" + std::to_string(pool.process_of(1)) + "/statm");
    double pages = 0;
    in >> pages >> pages;
    resident = std::max(resident, pages * 4096 / 1e6);
    stop_lease(loop, pool, 1, [](Duration) {});
  }
  print((choice.machine->text() + ": boot, load, run").c_str(), cold, 125);
  print((choice.machine->text() + ": warm start").c_str(), warm, 1);
  std::printf("%-46s %8.0f MB resident\n", "QEMU and its guest", resident);
}

/// What others publish for the start of an isolated guest, on machines of theirs.
void print_published() {
  std::printf("published: Firecracker 125 ms to the guest's init (their bar), Workers 5 ms (an isolate), Hyperlight-Wasm 1 to 2 ms (a VM without a kernel)\n\n");
}

void throughput(const Plan& plan) {
  host::Loop loop(1);
  host::DomainPool pool(loop, bin_dir() + "/selvedge-domain", host::DomainClass::kOrdinary);
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
  host::DomainPool pool(loop, bin_dir() + "/selvedge-domain", host::DomainClass::kOrdinary);
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
  if (quick) plan = {2, 5, 2, 50, 1, 4, 1};
  const bool isolation = argc > 1 && std::strcmp(argv[1], "--isolation") == 0;
  print_published();
  if (argc > 1 && std::strcmp(argv[1], "--microvm") == 0) {
    boots(plan);
    return 0;
  }
  starts_by_size(plan, 0);
  starts_by_size(plan, 1);
  many(plan);
  if (isolation) {
    starts(plan, "hello");
    return 0;
  }
  starts(plan, "hello");
  starts(plan, "textstats");
  throughput(plan);
  stops(plan);
  return 0;
}
