#include "work/shaper.h"

#include <gtest/gtest.h>

namespace selvedge::work {
namespace {

constexpr Instant kStart = Instant::from_unix_seconds(1'800'000'000);

// req: D9
TEST(Shaper, KeepsTheRateOverTime) {
  Shaper shaper;
  shaper.bound(1, 800);  // 100 KB a second
  Instant now = kStart;
  uint64_t bytes = 0;
  while (now < kStart + seconds(100)) {
    now = std::max(now, shaper.reserve(now, 1, 5'000));
    bytes += 5'000;
  }
  EXPECT_NEAR(double(bytes), 100.0 * 100'000, 100'000);
  EXPECT_EQ(shaper.reserve(now, 2, 1u << 30), now) << "a lease without a bound does not wait";
}

TEST(Shaper, LetsSmallThingsThroughAtOnceAndLargeOnesBehindThemWait) {
  Shaper shaper;
  shaper.bound(1, 800);
  EXPECT_EQ(shaper.reserve(kStart, 1, 20'000), kStart);
  EXPECT_EQ(shaper.reserve(kStart, 1, 1'000'000), kStart) << "what fits into the burst has gone, this begins behind it";
  EXPECT_EQ(shaper.reserve(kStart, 1, 1), kStart + milliseconds(200 + 10'000 - 250));
  EXPECT_EQ(shaper.reserve(kStart + seconds(60), 1, 1), kStart + seconds(60)) << "nothing is saved up, nothing owed for ever";
  shaper.bound(1, 0);
  EXPECT_EQ(shaper.reserve(kStart, 1, UINT64_MAX), kStart);
  shaper.bound(1, 1);
  EXPECT_EQ(shaper.reserve(kStart, 1, UINT64_MAX), kStart);
  EXPECT_LT(shaper.reserve(kStart, 1, 1), Instant::never());
  shaper.forget(1);
  EXPECT_EQ(shaper.reserve(kStart, 1, 1u << 30), kStart);
}

}  // namespace
}  // namespace selvedge::work
