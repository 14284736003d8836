#include "mesh/paths.h"

#include <gtest/gtest.h>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

constexpr size_t kFrame = 64u << 10;

struct Rig {
  Paths paths;
  NodeKey peer = key_named("peer");
  Instant now = Instant::from_unix_seconds(1'790'000'000);
  Paths::Out out;
  std::map<LinkId, std::vector<Bytes>> sent;   // by link, all there ever was
  std::map<LinkId, uint64_t> delivered;
  size_t broadened = 0;

  void path(LinkId link, bool relayed = false) {
    paths.on_path(peer, link, relayed, out);
    take();
  }
  Status send(uint8_t name, size_t bytes = kFrame) {
    const Status status = paths.send(now, peer, Bytes(bytes, name), out);
    take();
    return status;
  }
  void deliver(LinkId link, uint64_t frames, uint64_t window = kPathWindowMin / 2) {
    delivered[link] += frames;
    paths.on_delivered(link, delivered[link], window, out);
    take();
  }
  void close(LinkId link) {
    paths.on_link_closed(link, out);
    take();
  }
  void take() {
    for (PathEffect& effect : out.take()) {
      if (auto* bulk = std::get_if<SendBulk>(&effect)) sent[bulk->link].push_back(std::move(bulk->frame));
      else ++broadened;
    }
  }
};

// req: C2
TEST(Paths, EachLinkTakesWhatItHasRoomFor) {
  Rig rig;
  EXPECT_EQ(rig.send(0).code(), Errc::kUnavailable);
  rig.path(1);
  rig.path(2);
  for (uint8_t i = 0; i < 20; ++i) ASSERT_TRUE(rig.send(i).ok());
  EXPECT_EQ(rig.sent[1].size(), kPathWindowMin / kFrame);
  EXPECT_EQ(rig.sent[2].size(), kPathWindowMin / kFrame);
  EXPECT_EQ(rig.paths.waiting_bytes(rig.peer), (20 - 2 * kPathWindowMin / kFrame) * kFrame);
  // The one that delivers gets more, in the order in which it came.
  rig.deliver(2, 3);
  ASSERT_EQ(rig.sent[2].size(), kPathWindowMin / kFrame + 3);
  EXPECT_EQ(rig.sent[2].back()[0], 10);
  EXPECT_EQ(rig.sent[1].size(), kPathWindowMin / kFrame);
  // A wider window takes more at once.
  rig.deliver(1, 1, kPathWindowMin);
  EXPECT_EQ(rig.sent[1].size(), 1 + 2 * kPathWindowMin / kFrame);
}

// req: C2
TEST(Paths, WhatLayOnALinkThatDiedGoesToTheOthers) {
  Rig rig;
  rig.path(1);
  ASSERT_TRUE(rig.send(100).ok());  // no other link was there: not kept
  rig.path(2);
  for (uint8_t i = 0; i < 12; ++i) ASSERT_TRUE(rig.send(i).ok());
  rig.deliver(1, 2);  // 100, and the first that it got beside link 2
  std::multiset<uint8_t> arrived{rig.sent[1][1][0]};
  rig.close(1);
  while (rig.delivered[2] < rig.sent[2].size()) {
    arrived.insert(rig.sent[2][rig.delivered[2]][0]);
    rig.deliver(2, 1);
  }
  std::multiset<uint8_t> all;
  for (uint8_t i = 0; i < 12; ++i) all.insert(i);
  EXPECT_EQ(arrived, all);
}

TEST(Paths, ASessionThatBeginsAnewSendsNothingOld) {
  Rig rig;
  rig.path(1);
  rig.path(2);
  for (uint8_t i = 0; i < 12; ++i) ASSERT_TRUE(rig.send(i).ok());
  rig.paths.on_session_over(rig.peer);
  EXPECT_EQ(rig.paths.waiting_bytes(rig.peer), 0u);
  const size_t before = rig.sent[2].size();
  rig.close(1);
  EXPECT_EQ(rig.sent[2].size(), before);
  // What is under way still fills the link.
  ASSERT_TRUE(rig.send(50).ok());
  EXPECT_EQ(rig.sent[2].size(), before);
  rig.deliver(2, 1);
  EXPECT_EQ(rig.sent[2].back()[0], 50);
}

TEST(Paths, NothingGoesThroughARelayWhileThereIsADirectWay) {
  Rig rig;
  rig.path(1, true);
  ASSERT_TRUE(rig.send(0).ok());
  EXPECT_EQ(rig.sent[1].size(), 1u);
  rig.path(2);
  for (uint8_t i = 0; i < 20; ++i) ASSERT_TRUE(rig.send(i).ok());
  EXPECT_EQ(rig.sent[1].size(), 1u);
  EXPECT_EQ(rig.sent[2].size(), kPathWindowMin / kFrame);
  rig.close(2);
  EXPECT_EQ(rig.sent[1].size(), kPathWindowMin / kFrame);
}

TEST(Paths, MoreThanThePeerTakesIsRefused) {
  Rig rig;
  rig.path(1);
  size_t accepted = 0;
  while (rig.send(1, 1u << 20).ok()) ++accepted;
  EXPECT_EQ(rig.send(1, 1u << 20).code(), Errc::kLimit);
  EXPECT_LE(accepted, (kPathQueueBytesMax + kPathWindowMin + (1u << 20)) >> 20);
  EXPECT_GE(accepted, kPathQueueBytesMax >> 20);
}

// req: C2
TEST(Paths, FurtherWaysAreTriedOnceMuchMoves) {
  Rig rig;
  rig.path(1);
  rig.paths.on_received(rig.now, rig.peer, kBroadenAfterBytes - 1, rig.out);
  rig.take();
  EXPECT_EQ(rig.broadened, 0u);
  rig.paths.on_received(rig.now, rig.peer, 1, rig.out);
  rig.paths.on_received(rig.now, rig.peer, kBroadenAfterBytes, rig.out);
  rig.take();
  EXPECT_EQ(rig.broadened, 1u);
  rig.now = rig.now + kBroadenEvery;
  rig.paths.on_received(rig.now, rig.peer, 1, rig.out);
  rig.take();
  EXPECT_EQ(rig.broadened, 2u);
  for (LinkId link = 2; link <= kLinksPerPeerMax; ++link) rig.path(link);
  rig.now = rig.now + kBroadenEvery;
  rig.paths.on_received(rig.now, rig.peer, kBroadenAfterBytes, rig.out);
  rig.take();
  EXPECT_EQ(rig.broadened, 2u) << "as many links as a peer may have";
}

}  // namespace
}  // namespace selvedge::mesh
