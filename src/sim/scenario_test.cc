// The scenarios with a fixed set of seeds, and more of them on request: SELVEDGE_SIM_SEEDS=N runs seeds 1 to N.
#include <gtest/gtest.h>

#include <cstdlib>

#include "sim/scenario.h"

namespace selvedge::sim {
namespace {

uint64_t seeds_or(uint64_t usual) {
  const char* text = std::getenv("SELVEDGE_SIM_SEEDS");
  return text == nullptr ? usual : std::max<uint64_t>(1, std::strtoull(text, nullptr, 10));
}

void expect_well(const ScenarioResult& result, const char* scenario, uint64_t seed) {
  for (const std::string& violation : result.violations) {
    ADD_FAILURE() << scenario << ", seed " << seed << " (selvedge-sim --scenario " << scenario << " --seed " << seed << " --log): " << violation
                  << "\n  " << result.summary;
  }
}

// req: A9 B4 C15 D1 D12 R24
TEST(Scenarios, FiftyNodesGetAJobDoneThroughFaultsAndLies) {
  for (uint64_t seed = 1; seed <= seeds_or(3); ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    expect_well(run_job(options), "job", seed);
  }
}

// req: B4 B5 B11 D2 D12
TEST(Scenarios, SwarmsOfFaultsLoseNothing) {
  for (uint64_t seed = 1; seed <= seeds_or(12); ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    expect_well(run_swarm(options), "swarm", seed);
  }
}

TEST(Scenarios, OneSeedIsOneRun) {
  for (const NamedScenario& scenario : scenarios()) {
    ScenarioOptions options;
    options.seed = 77;
    const ScenarioResult once = scenario.run(options);
    const ScenarioResult twice = scenario.run(options);
    options.seed = 78;
    const ScenarioResult other = scenario.run(options);
    EXPECT_EQ(once.trace, twice.trace) << scenario.name;
    EXPECT_EQ(once.events, twice.events) << scenario.name;
    EXPECT_NE(once.trace, other.trace) << scenario.name;
  }
}

}  // namespace
}  // namespace selvedge::sim
