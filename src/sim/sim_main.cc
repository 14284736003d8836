// selvedge-sim: runs one scenario with one seed, or a range of seeds, and says what was wrong.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sim/scenario.h"

namespace {

using namespace selvedge;

struct Arguments {
  std::string scenario = "swarm";
  uint64_t seed = 1;
  uint64_t seeds = 1;
  uint32_t nodes = 0;
  bool log = false;
};

int usage() {
  std::fprintf(stderr, "usage: selvedge-sim [--scenario NAME] [--seed N] [--seeds COUNT] [--nodes N] [--log]\nscenarios:\n");
  for (const sim::NamedScenario& each : sim::scenarios()) std::fprintf(stderr, "  %-8s %s\n", each.name, each.what);
  return 2;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--log") {
      arguments.log = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    const char* value = argv[++i];
    if (option == "--scenario") arguments.scenario = value;
    else if (option == "--seed") arguments.seed = std::strtoull(value, nullptr, 10);
    else if (option == "--seeds") arguments.seeds = std::strtoull(value, nullptr, 10);
    else if (option == "--nodes") arguments.nodes = uint32_t(std::strtoul(value, nullptr, 10));
    else return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return usage();
  for (const sim::NamedScenario& each : sim::scenarios()) {
    if (arguments.scenario != each.name) continue;
    int failed = 0;
    for (uint64_t seed = arguments.seed; seed < arguments.seed + arguments.seeds; ++seed) {
      sim::ScenarioOptions options;
      options.seed = seed;
      options.nodes = arguments.nodes;
      if (arguments.log) options.log = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
      const sim::ScenarioResult result = each.run(options);
      std::printf("%s seed %llu: %s; %llu events in %.1f s of its own time; trace %s; %s\n", each.name, static_cast<unsigned long long>(seed),
                  result.violations.empty() ? "well" : "WRONG", static_cast<unsigned long long>(result.events), result.virtual_time.seconds(),
                  result.trace.brief().c_str(), result.summary.c_str());
      for (const std::string& violation : result.violations) std::printf("  %s\n", violation.c_str());
      std::fflush(stdout);
      failed += result.violations.empty() ? 0 : 1;
    }
    return failed == 0 ? 0 : 1;
  }
  return usage();
}
