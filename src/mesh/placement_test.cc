#include "mesh/placement.h"

#include <gtest/gtest.h>

#include <set>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

// Whatever holder goes, the others hold enough distinct symbols of each block.
void expect_any_one_may_vanish(const Placement& placement, const std::vector<uint32_t>& blocks, const std::vector<NodeKey>& on) {
  for (const NodeKey& lost : on) {
    for (size_t b = 0; b < blocks.size(); ++b) {
      std::set<uint32_t> left;
      for (const Share& share : placement.shares) {
        if (share.holder == lost) continue;
        for (const EsiRange& range : share.ranges) {
          for (uint32_t i = 0; range.block == b && i < range.count; ++i) left.insert(range.first + i);
        }
      }
      EXPECT_GE(left.size(), blocks[b] + kDecodeMargin) << on.size() << " holders, K " << blocks[b];
    }
  }
}

// req: B5
TEST(Placement, AnyOneHolderMayVanish) {
  for (size_t n : {2, 3, 4, 5, 7, 10, 33, 64}) {
    for (const std::vector<uint32_t>& blocks : {std::vector<uint32_t>{9}, {10}, {1000}, {2048, 2048, 2047}, {9, 2048}}) {
      for (uint64_t turn : {0, 1, 12345}) {
        Placement placement;
        const std::vector<NodeKey> on = holders(n);
        const std::vector<Share> shares = plan_shares(placement, blocks, false, on, turn);
        EXPECT_EQ(shares.size(), n);
        expect_any_one_may_vanish(placement, blocks, on);
      }
    }
  }
}

TEST(Placement, NoSymbolIsOnTwoHolders) {
  Placement placement;
  const std::vector<uint32_t> blocks{777};
  (void)plan_shares(placement, blocks, false, holders(5), 3);
  std::set<uint32_t> seen;
  for (const Share& share : placement.shares) {
    for (const EsiRange& range : share.ranges) {
      for (uint32_t i = 0; i < range.count; ++i) EXPECT_TRUE(seen.insert(range.first + i).second);
    }
  }
  EXPECT_EQ(placement.next_esi[0], seen.size());
}

TEST(Placement, StoresNoMoreThanTheCodeNeeds) {
  Placement placement;
  (void)plan_shares(placement, {1000}, false, holders(6), 0);
  EXPECT_LE(placement.next_esi[0], 6u * ((1002 + 4) / 5));
}

TEST(Placement, OneHolderGetsAllThatDecodes) {
  Placement placement;
  const std::vector<Share> shares = plan_shares(placement, {100}, false, holders(1), 0);
  ASSERT_EQ(shares.size(), 1u);
  EXPECT_EQ(symbols_on(placement, 0, [](const NodeKey&) { return true; }), 102u);
}

TEST(Placement, WithoutHoldersNothingIsPlanned) {
  Placement placement;
  EXPECT_TRUE(plan_shares(placement, {100}, false, {}, 0).empty());
  EXPECT_TRUE(plan_shares(placement, {1}, true, {}, 0).empty());
}

// req: R27
TEST(Placement, AWholeObjectLiesOnTwoHolders) {
  for (size_t n : {1, 2, 3, 10}) {
    Placement placement;
    const std::vector<Share> shares = plan_shares(placement, {1}, true, holders(n), 5);
    EXPECT_EQ(shares.size(), std::min<size_t>(n, 2));
    EXPECT_TRUE(plan_shares(placement, {1}, true, holders(n), 6).empty());
  }
}

TEST(Placement, TurnSpreadsTheSourceSymbols) {
  const std::vector<NodeKey> on = holders(4);
  std::set<NodeKey> first;
  for (uint64_t turn = 0; turn < 4; ++turn) {
    Placement placement;
    first.insert(plan_shares(placement, {50}, false, on, turn).front().holder);
  }
  EXPECT_EQ(first.size(), 4u);
}

// req: B5 A17
TEST(Placement, ARepairAddsOnlyWhatIsMissing) {
  for (size_t n : {3, 4, 6, 20}) {
    const std::vector<uint32_t> blocks{500, 501};
    Placement placement;
    std::vector<NodeKey> on = holders(n);
    (void)plan_shares(placement, blocks, false, on, 0);
    const std::vector<uint32_t> before = placement.next_esi;
    const NodeKey lost = on.back();
    on.pop_back();
    std::erase_if(placement.shares, [&](const Share& s) { return s.holder == lost; });
    const std::vector<Share> added = plan_shares(placement, blocks, false, on, 0);
    expect_any_one_may_vanish(placement, blocks, on);
    for (const Share& share : added) {
      EXPECT_NE(share.holder, lost);
      // New ids only: what the lost holder keeps is never placed a second time under the same number.
      for (const EsiRange& range : share.ranges) EXPECT_GE(range.first, before[range.block]);
    }
    EXPECT_TRUE(plan_shares(placement, blocks, false, on, 0).empty());
  }
}

TEST(Placement, BlocksFollowThePartitionOfRfc6330) {
  object::BlockGroup group;
  group.symbol_bytes = 1024;
  group.source_blocks = 3;
  group.object_bytes = 10 * 1024 - 5;  // 10 symbols in 3 blocks: 4, 3, 3
  EXPECT_EQ(block_sizes(group), (std::vector<uint32_t>{4, 3, 3}));
  group.whole = true;
  EXPECT_EQ(block_sizes(group), (std::vector<uint32_t>{1}));
}

TEST(Placement, SurvivesTheStore) {
  Placement placement;
  placement.object.bytes.fill(3);
  (void)plan_shares(placement, {20, 21}, false, holders(3), 1);
  const Result<Placement> back = codec::decode<Placement>(codec::encode(placement));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(codec::encode(*back), codec::encode(placement));
}

}  // namespace
}  // namespace selvedge::mesh
