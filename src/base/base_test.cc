#include <gtest/gtest.h>

#include <memory>

#include "base/bounded.h"
#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"

namespace selvedge {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Errc::kInvalid, "odd");
  return n / 2;
}
Result<int> quarter(int n) { return half(TRY(half(n))); }
Status even(int n) {
  TRY(half(n));
  return ok();
}

TEST(Result, TryPassesValuesAndErrors) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_TRUE(even(2).ok());
  EXPECT_EQ(even(3).code(), Errc::kInvalid);
}

TEST(Result, HoldsMoveOnlyAndAssigns) {
  Result<std::unique_ptr<int>> a = std::make_unique<int>(5);
  Result<std::unique_ptr<int>> b = fail(Errc::kIo, "disk");
  b = std::move(a);
  EXPECT_EQ(**b, 5);
}

TEST(Result, NamesRoundTrip) {
  for (int i = int(Errc::kInvalid); i <= int(Errc::kInternal); ++i) {
    EXPECT_EQ(int(errc_from_name(errc_name(Errc(i)))), i);
  }
}

TEST(Bytes, HexRoundTripsAndRefuses) {
  EXPECT_EQ(to_hex(*from_hex("00ffA5")), "00ffa5");
  EXPECT_FALSE(from_hex("0").ok());
  EXPECT_FALSE(from_hex("zz").ok());
}

TEST(Rng, IsTheSameEverywhere) {
  // Reference values of xoshiro256** seeded with splitmix64(42): a change here breaks every recorded seed.
  Rng rng(42);
  EXPECT_EQ(rng.next(), 1546998764402558742u);
  Rng again(42);
  again.next();
  EXPECT_EQ(rng.next(), again.next());
}

TEST(Rng, BelowIsInRange) {
  Rng rng(1);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(rng.below(7), 7u);
}

TEST(Bounded, RefusesWhenFull) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.pop(), 1);
  BoundedMap<int, int> map(1);
  EXPECT_NE(map.insert(1, 1), nullptr);
  EXPECT_EQ(map.insert(2, 1), nullptr);
  EXPECT_NE(map.insert(1, 5), nullptr);
  EXPECT_EQ(*map.find(1), 5);
}

}  // namespace
}  // namespace selvedge
