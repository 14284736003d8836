#include "work/state_quorum.h"

#include <gtest/gtest.h>

namespace selvedge::work {
namespace {

NodeKey key(uint8_t n) {
  NodeKey out;
  out.bytes.fill(n);
  return out;
}

const Instant kNow = Instant::from_unix_seconds(1000);

// req: F3
TEST(StateQuorum, AWriteIsKeptWhenAMajorityWithTheWriterHasIt) {
  StateQuorum three({key(1), key(2), key(3)}, key(1), 5);
  EXPECT_EQ(three.needed(), 2u);
  EXPECT_EQ(three.kept(), 5u);
  three.stored(key(1), 8, kNow);
  EXPECT_EQ(three.kept(), 5u);   // the writer alone may be lost
  three.stored(key(2), 6, kNow);
  EXPECT_EQ(three.kept(), 6u);
  three.stored(key(3), 9, kNow);
  EXPECT_EQ(three.kept(), 8u);   // others cannot have what the writer has not: one that says so does not make it so
  three.stored(key(4), 9, kNow);
  three.stored(key(2), 1, kNow);
  EXPECT_EQ(three.kept(), 8u);
  EXPECT_EQ(three.slowest(), 6u);

  StateQuorum two({key(1), key(2)}, key(1), 0);
  EXPECT_EQ(two.needed(), 2u);
  two.stored(key(1), 4, kNow);
  EXPECT_EQ(two.kept(), 0u);
  two.stored(key(2), 3, kNow);
  EXPECT_EQ(two.kept(), 3u);

  StateQuorum four({key(1), key(2), key(3), key(4)}, key(1), 0);
  for (uint8_t n = 1; n <= 2; ++n) four.stored(key(n), 7, kNow);
  EXPECT_EQ(four.kept(), 0u);
  four.stored(key(4), 7, kNow);
  EXPECT_EQ(four.kept(), 7u);
}

// Whatever majority a write went to, and whatever majority is asked later, one of them is in both.
// req: F3
TEST(StateQuorum, WhatIsKeptIsKnownToAnyMajority) {
  for (uint8_t n = 2; n <= 6; ++n) {
    const size_t needed = size_t(n) / 2 + 1, asked = n - needed + 1;
    EXPECT_GT(needed + asked, n);
    std::vector<NodeKey> holders;
    for (uint8_t i = 1; i <= n; ++i) holders.push_back(key(i));
    EXPECT_EQ(StateQuorum(holders, key(1), 0).needed(), needed);
  }
}

// req: F3
TEST(StateQuorum, TheWriterAnswersOnlyWhileAMajorityFollowsIt) {
  StateQuorum quorum({key(1), key(2), key(3)}, key(1), 0);
  EXPECT_LT(quorum.lease(), kNow);
  quorum.stored(key(2), 0, kNow);
  EXPECT_EQ(quorum.lease(), kNow + kStateLease);
  quorum.stored(key(3), 0, kNow + seconds(1));
  EXPECT_EQ(quorum.lease(), kNow + seconds(1) + kStateLease);
  quorum.stored(key(1), 0, kNow + seconds(9));   // itself says nothing about the others
  EXPECT_EQ(quorum.lease(), kNow + seconds(1) + kStateLease);
  EXPECT_GT(kStateLeaseOver, kStateLease);
  EXPECT_LT(kStateBeat + kStateBeat, kStateLease);
}

}  // namespace
}  // namespace selvedge::work
