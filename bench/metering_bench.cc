// metering_bench [--quick] [KERNEL...]: what fuel, call depth and canonical NaNs cost, on both engines.
//
// Each kernel of guests/kernels.c runs as it is and rewritten, in turns, in one process of JavaScriptCore
// (selvedge-domain --bench) and one of V8 (node, bench/metering_v8.mjs), engine after engine. The ratio is the median over the rounds of
// one rewritten run's processor time to that of the plain run beside it, so that a neighbour on the machine slows both. Quick mode
// is the test that keeps it alive; there it compares outputs and fuel, and its times mean nothing.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct Kernel {
  const char* name;
  const char* rounds;
  bool is_loop;  // counts for the geometric mean
};
constexpr Kernel kKernels[] = {{"mix", "200", true},       {"sort", "10", true}, {"interpret", "300", true}, {"sieve", "20", true},
                               {"matmul", "40", true},     {"fib", "34", false}};

constexpr int kRounds = 21;

struct Timing {
  double plain_ms = 0, metered_ms = 0, ratio = 0;
  unsigned long long fuel = 0;
};

/// Runs a command that prints a Timing.
Timing run(const std::string& command) {
  Timing out;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) std::exit(1);
  const int n = std::fscanf(pipe, "%lf %lf %lf %llu", &out.plain_ms, &out.metered_ms, &out.ratio, &out.fuel);
  if (pclose(pipe) != 0 || n != 4) {
    std::fprintf(stderr, "metering_bench: failed: %s\n", command.c_str());
    std::exit(1);
  }
  return out;
}

struct Engine {
  const char* name;
  std::string command;  // MODULE ROUNDS KERNEL ROUNDS follow
  std::vector<double> ratios;
};

void print(const Engine& engine) {
  double sum = 0;
  for (const double ratio : engine.ratios) sum += std::log(ratio);
  if (engine.ratios.empty()) return;
  std::printf("%s: geometric mean of %zu loop kernels %+.1f %% (bar +10 %%), the worst %+.1f %% (bar +35 %%)\n", engine.name,
              engine.ratios.size(), 100 * (std::exp(sum / double(engine.ratios.size())) - 1),
              100 * (*std::max_element(engine.ratios.begin(), engine.ratios.end()) - 1));
}

/// How fast modules are rewritten: what everyone who is offered a task pays before it runs.
void rewriting(const std::string& bin, bool quick) {
  for (const char* guest : {"kernels", "textstats", "hello"}) {
    const std::string command = bin + "/selvedge-rewrite --bench " + bin + "/../guests/" + guest + ".wasm " + (quick ? "3" : "501");
    FILE* pipe = popen(command.c_str(), "r");
    size_t bytes = 0;
    double speed = 0;
    if (pipe == nullptr || std::fscanf(pipe, "%zu %lf", &bytes, &speed) != 2 || pclose(pipe) != 0) std::exit(1);
    std::printf("rewriting %-10s %7zu bytes %8.1f MB/s (bar 50)\n", guest, bytes, speed);
  }
}

bool wanted(int argc, char** argv, const char* name) {
  bool any = false;
  for (int i = 1; i < argc; ++i) {
    if (argv[i][0] == '-') continue;
    if (std::strcmp(argv[i], name) == 0) return true;
    any = true;
  }
  return !any;
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  const std::string bin = SELVEDGE_BIN_DIR, guest = bin + "/../guests/kernels.wasm";
  Engine engines[] = {{"JavaScriptCore", bin + "/selvedge-domain --bench ", {}},
                      {"V8", std::string(SELVEDGE_NODE) + " " + SELVEDGE_SOURCE_DIR + "/bench/metering_v8.mjs " + bin + "/selvedge-rewrite ", {}}};
  std::printf("%-10s %-15s %10s %12s %9s %9s\n", "kernel", "engine", "plain ms", "rewritten ms", "overhead", "fuel/ns");
  for (const Kernel& kernel : kKernels) {
    if (!wanted(argc, argv, kernel.name)) continue;
    unsigned long long fuel = 0;
    for (Engine& engine : engines) {
      const std::string rounds = quick ? "3" : kernel.rounds;
      const Timing t = run(engine.command + guest + " " + (quick ? "1" : std::to_string(kRounds)) + " " + kernel.name + " " + rounds);
      std::printf("%-10s %-15s %10.2f %12.2f %+8.1f%% %9.2f\n", kernel.name, engine.name, t.plain_ms, t.metered_ms,
                  100 * (t.ratio - 1), double(t.fuel) / (t.metered_ms * 1e6));
      if (kernel.is_loop) engine.ratios.push_back(t.ratio);
      if (fuel != 0 && t.fuel != fuel) {
        std::fprintf(stderr, "metering_bench: %s used %llu fuel on one engine and %llu on the other\n", kernel.name, fuel, t.fuel);
        return 1;
      }
      fuel = t.fuel;
    }
  }
  for (const Engine& engine : engines) print(engine);
  rewriting(bin, quick);
  return 0;
}
