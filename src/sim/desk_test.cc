#include "sim/desk.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace selvedge::sim {
namespace {

uint64_t seeds() {
  const char* count = std::getenv("SELVEDGE_SIM_SEEDS");
  return count != nullptr ? std::strtoull(count, nullptr, 10) : 12;
}

// req: D7
TEST(Desk, NoFrameIsMissedForTheFabricsSakeOnceInteractionIsSeenComing) {
  uint64_t frames = 0, alone = 0, missed = 0, unscheduled = 0;
  for (uint64_t seed = 1; seed <= seeds(); ++seed) {
    DeskOptions options;
    options.seed = seed;
    const DeskResult with = run_desk(options);
    options.scheduled = false;
    const DeskResult without = run_desk(options);
    ASSERT_EQ(with.frames, without.frames) << "seed " << seed;
    EXPECT_EQ(with.missed_announced, 0u) << "seed " << seed;
    // What nobody saw coming costs frames for at most a second, the period of the bridge.
    EXPECT_LE(with.missed - with.missed_alone, without.missed - without.missed_alone) << "seed " << seed;
    EXPECT_GT(with.guests_cpu_s, 0) << "seed " << seed;
    frames += with.frames, alone += with.missed_alone, missed += with.missed, unscheduled += without.missed;
  }
  std::printf("%llu frames: %llu missed without guests, %llu with guests and the scheduler, %llu with guests alone\n", static_cast<unsigned long long>(frames),
              static_cast<unsigned long long>(alone), static_cast<unsigned long long>(missed), static_cast<unsigned long long>(unscheduled));
  EXPECT_LT(missed - alone, (unscheduled - alone) / 20);
}

// req: D7
TEST(Desk, HeatIsShedBeforeTheKernelHasToSlowTheMachine) {
  int too_hot = 0;
  for (uint64_t seed = 1; seed <= seeds(); ++seed) {
    DeskOptions options;
    options.seed = seed;
    EXPECT_LT(run_desk(options).hottest, 95) << "seed " << seed;
    options.scheduled = false;
    too_hot += run_desk(options).hottest >= 95;
  }
  EXPECT_GT(too_hot, 0) << "the machine of this test would get too hot otherwise";
}

// req: D1
TEST(Desk, ALeaseWhosePowerConditionsDoNotHoldUsesNothing) {
  double otherwise = 0;
  for (uint64_t seed = 1; seed <= seeds(); ++seed) {
    DeskOptions options;
    options.seed = seed;
    const DeskResult with = run_desk(options);
    EXPECT_EQ(with.guests_cpu_forbidden_s, 0) << "seed " << seed;
    options.scheduled = false;
    const DeskResult without = run_desk(options);
    otherwise += without.guests_cpu_forbidden_s;
    EXPECT_GE(with.battery_low, without.battery_low) << "seed " << seed;
  }
  EXPECT_GT(otherwise, 0);
}

TEST(Desk, OneSeedIsOneRun) {
  const DeskResult a = run_desk({.seed = 7}), b = run_desk({.seed = 7});
  EXPECT_EQ(a.missed, b.missed);
  EXPECT_EQ(a.guests_cpu_s, b.guests_cpu_s);
}

}  // namespace
}  // namespace selvedge::sim
