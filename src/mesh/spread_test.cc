#include "mesh/spread.h"

#include <gtest/gtest.h>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

const auto kAll = [](const NodeKey&) { return true; };

struct Rig {
  Spreader spreader;
  Spreader::Out out;
  Instant now = Instant::from_unix_seconds(1000);
  std::vector<SendFrame> sent;
  std::vector<Spread> done;

  void drain() {
    for (SpreadEffect& effect : out.take()) {
      if (auto* frame = std::get_if<SendFrame>(&effect)) sent.push_back(std::move(*frame));
      else done.push_back(std::get<Spread>(std::move(effect)));
    }
  }
  uint64_t start(const Placed& placed) {
    const Result<uint64_t> id = spreader.start(now, placed.encoded.shares, kAll, out);
    EXPECT_TRUE(id.ok());
    drain();
    return *id;
  }
  void ack(const NodeKey& from, uint64_t id, Errc error = Errc(0)) {
    spreader.on_ack(now, from, {id, uint8_t(error), error == Errc(0) ? "" : "no"}, out);
    drain();
  }
};

TEST(Spread, AShareCountsWhenEveryFrameIsAcknowledged) {
  const object::ZoneKeys zone = test_zone();
  const std::vector<NodeKey> on = holders(2);
  const Placed placed = place(zone, random_bytes(1, 150'000), on);
  Rig rig;
  const uint64_t id = rig.start(placed);
  std::map<NodeKey, size_t> frames;
  for (const SendFrame& each : rig.sent) {
    ++frames[each.to];
    EXPECT_EQ(parse_frame(each.frame)->header.transfer, id);
  }
  ASSERT_GT(frames[on[0]], 1u);
  for (size_t i = 0; i + 1 < frames[on[0]]; ++i) rig.ack(on[0], id);
  for (size_t i = 0; i < frames[on[1]]; ++i) rig.ack(on[1], id);
  EXPECT_TRUE(rig.done.empty());
  rig.ack(on[0], id);
  ASSERT_EQ(rig.done.size(), 1u);
  EXPECT_EQ(rig.done[0].placed.size(), 2u);
  EXPECT_TRUE(rig.done[0].failed.empty());
  EXPECT_EQ(rig.spreader.active(), 0u);
}

TEST(Spread, ARefusalASilenceAndALossFailTheirShares) {
  const object::ZoneKeys zone = test_zone();
  const std::vector<NodeKey> on = holders(4);
  const Placed placed = place(zone, random_bytes(2, 20'000), on);
  Rig rig;
  const uint64_t id = rig.start(placed);
  rig.ack(on[0], id);
  rig.ack(on[1], id, Errc::kQuota);
  rig.spreader.on_peer_down(on[2], fail(Errc::kUnavailable, "gone"), rig.out);
  rig.drain();
  EXPECT_TRUE(rig.done.empty());
  rig.now = rig.spreader.next_deadline();
  rig.spreader.on_deadline(rig.now, rig.out);
  rig.drain();
  ASSERT_EQ(rig.done.size(), 1u);
  EXPECT_EQ(rig.done[0].placed, std::vector<NodeKey>{on[0]});
  std::map<NodeKey, Errc> failed;
  for (const auto& [holder, error] : rig.done[0].failed) failed[holder] = error.code;
  EXPECT_EQ(failed[on[1]], Errc::kQuota);
  EXPECT_EQ(failed[on[2]], Errc::kUnavailable);
  EXPECT_EQ(failed[on[3]], Errc::kTimeout);
  EXPECT_EQ(rig.spreader.next_deadline(), Instant::never());
}

// On a slow line one object waits for another: who acknowledges is not silent.
TEST(Spread, AcknowledgementsOfAnotherObjectAreSignsOfLife) {
  const object::ZoneKeys zone = test_zone();
  const Placed placed = place(zone, random_bytes(6, 100), holders(1));
  Rig rig;
  const uint64_t first = rig.start(placed), second = rig.start(placed);
  rig.now = rig.now + kAckTimeout - seconds(1);
  rig.ack(holders(1)[0], first);
  rig.now = rig.now + seconds(2);
  rig.spreader.on_deadline(rig.now, rig.out);
  rig.drain();
  EXPECT_EQ(rig.done.size(), 1u);
  rig.ack(holders(1)[0], second);
  ASSERT_EQ(rig.done.size(), 2u);
  EXPECT_EQ(rig.done[1].placed.size(), 1u);
}

TEST(Spread, WhoIsNotConnectedIsNotAsked) {
  const object::ZoneKeys zone = test_zone();
  const Placed placed = place(zone, random_bytes(3, 100), holders(2));
  Rig rig;
  ASSERT_TRUE(rig.spreader.start(rig.now, placed.encoded.shares, [](const NodeKey&) { return false; }, rig.out).ok());
  rig.drain();
  EXPECT_TRUE(rig.sent.empty());
  ASSERT_EQ(rig.done.size(), 1u);
  EXPECT_EQ(rig.done[0].failed.size(), 2u);
}

TEST(Spread, AcknowledgementsOfOthersCountForNothing) {
  const object::ZoneKeys zone = test_zone();
  const Placed placed = place(zone, random_bytes(4, 100), holders(1));
  Rig rig;
  const uint64_t id = rig.start(placed);
  rig.ack(key_named("stranger"), id);
  rig.ack(holders(1)[0], id + 1);
  rig.ack(holders(1)[0], id, Errc(200));  // no error of ours: a refusal all the same
  ASSERT_EQ(rig.done.size(), 1u);
  EXPECT_TRUE(rig.done[0].placed.empty());
  EXPECT_EQ(rig.done[0].failed[0].second.code, Errc::kUnavailable);
}

TEST(Spread, HasItsLimit) {
  const object::ZoneKeys zone = test_zone();
  const Placed placed = place(zone, random_bytes(5, 10), holders(1));
  Rig rig;
  for (size_t i = 0; i < kSpreadsMax; ++i) ASSERT_TRUE(rig.spreader.start(rig.now, placed.encoded.shares, kAll, rig.out).ok());
  EXPECT_EQ(rig.spreader.start(rig.now, placed.encoded.shares, kAll, rig.out).code(), Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::mesh
