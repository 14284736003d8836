// The privacy budget: how often a node lets itself be asked, checked against a plain model.
#include "object/identity_budget.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "object/identity.h"

namespace selvedge::object {
namespace {

constexpr Instant kStart = Instant::from_unix_seconds(1'790'000'000);
constexpr BudgetRate kFew{3, seconds(100)};
constexpr BudgetRate kPlenty{1'000'000, seconds(1)};

PublicKey origin_of(uint32_t n) {
  PublicKey out;
  store_u32(out.bytes.data(), n + 1);
  return out;
}

// req: A2
TEST(PrivacyBudgetTest, AnOriginGetsItsShareAndThenOneAtATime) {
  PrivacyBudget budget(kFew, kPlenty);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.spend(kStart, origin_of(0), "join").ok());
  const Status refused = budget.spend(kStart, origin_of(0), "join");
  ASSERT_EQ(refused.code(), Errc::kQuota);
  EXPECT_NE(refused.error().message.find("next one in 101 s"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(budget.spend(kStart, origin_of(1), "join").ok()) << "another origin has its own share";
  EXPECT_EQ(budget.spend(kStart + seconds(99), origin_of(0), "join").code(), Errc::kQuota);
  EXPECT_TRUE(budget.spend(kStart + seconds(100), origin_of(0), "join").ok());
  EXPECT_EQ(budget.spend(kStart + seconds(101), origin_of(0), "join").code(), Errc::kQuota);
  EXPECT_EQ(budget.left(kStart + seconds(10'000), origin_of(0)), 3u) << "never more than the burst";
}

// req: A2
TEST(PrivacyBudgetTest, ManyOriginsGetNoFurtherThanTheShareOfAll) {
  PrivacyBudget budget(kFew, {10, seconds(30)});
  size_t granted = 0;
  for (uint32_t i = 0; i < 1000; ++i) granted += budget.spend(kStart, origin_of(i), "probe").ok() ? 1 : 0;
  EXPECT_EQ(granted, 10u);
  EXPECT_EQ(budget.list(kStart).size(), 10u) << "those refused for everyone's sake are not even remembered";
  EXPECT_EQ(budget.spend(kStart, origin_of(5000), "probe").code(), Errc::kQuota);
  EXPECT_TRUE(budget.spend(kStart + seconds(30), origin_of(5000), "probe").ok());
}

TEST(PrivacyBudgetTest, PurposesAreDeclaredAndFew) {
  PrivacyBudget budget({100, seconds(1)}, kPlenty);
  EXPECT_EQ(budget.spend(kStart, origin_of(0), "").code(), Errc::kInvalid);
  for (size_t i = 0; i < kPurposesPerOriginMax; ++i) EXPECT_TRUE(budget.spend(kStart, origin_of(0), "purpose " + std::to_string(i)).ok());
  EXPECT_EQ(budget.spend(kStart, origin_of(0), "one more").code(), Errc::kQuota);
  EXPECT_TRUE(budget.spend(kStart, origin_of(0), "purpose 3").ok());
  const std::vector<OriginBudget> list = budget.list(kStart);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].purposes.size(), kPurposesPerOriginMax);
  EXPECT_EQ(list[0].asked, kPurposesPerOriginMax + 1);
  EXPECT_EQ(list[0].refused, 1u);
}

TEST(PrivacyBudgetTest, RemembersABoundedNumberOfOrigins) {
  PrivacyBudget budget(kFew, kPlenty);
  for (uint32_t i = 0; i < kBudgetOriginsMax; ++i) EXPECT_TRUE(budget.spend(kStart, origin_of(i), "join").ok());
  EXPECT_EQ(budget.spend(kStart, origin_of(9999), "join").code(), Errc::kLimit) << "forgetting anyone now would give them their share back";
  EXPECT_TRUE(budget.spend(kStart, origin_of(3), "join").ok()) << "who is known goes on";
  const Instant later = kStart + seconds(100);
  EXPECT_TRUE(budget.spend(later, origin_of(9999), "join").ok());
  EXPECT_EQ(budget.list(later).size(), kBudgetOriginsMax);
}

// In no stretch of time does an origin get more than its burst and one for each refill within it.
RC_GTEST_PROP(PrivacyBudgetTest, NoStretchOfTimeGivesMoreThanItsShare, (std::vector<std::pair<uint8_t, uint8_t>> asks)) {
  PrivacyBudget budget(kFew, {5, seconds(40)});
  std::vector<std::pair<int64_t, uint32_t>> granted;
  int64_t at = 0;
  for (const auto& [wait, origin] : asks) {
    at += wait;
    const uint32_t who = origin % 3;
    const uint32_t left = budget.left(kStart + seconds(at), origin_of(who));
    const bool ok = budget.spend(kStart + seconds(at), origin_of(who), "join").ok();
    RC_ASSERT(ok == (left > 0));
    if (ok) granted.push_back({at, who});
  }
  for (size_t i = 0; i < granted.size(); ++i) {
    int64_t in_all = 0, of_origin = 0;
    for (size_t j = i; j < granted.size(); ++j) {
      const int64_t stretch = granted[j].first - granted[i].first;
      in_all += 1;
      of_origin += granted[j].second == granted[i].second ? 1 : 0;
      RC_ASSERT(in_all <= 5 + stretch / 40);
      RC_ASSERT(of_origin <= 3 + stretch / 100);
    }
  }
}

}  // namespace
}  // namespace selvedge::object
