#include "mesh/visits.h"

#include <gtest/gtest.h>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

const NodeKey kRelay = key_named("relay");

struct Rig {
  Visits visits;
  Visits::Out out;
  Instant now = Instant::from_unix_seconds(1'800'000'000);
  template <class E>
  std::vector<E> take() {
    std::vector<E> found;
    for (VisitEffect& effect : out.take()) {
      if (auto* one = std::get_if<E>(&effect)) found.push_back(std::move(*one));
    }
    return found;
  }
};

// req: C3
TEST(VisitsTest, WhatIsToBeSaidWaitsUntilTheVisitIsThere) {
  Rig rig;
  EXPECT_EQ(rig.visits.send(kRelay, {1}, rig.out).code(), Errc::kNotFound);
  EXPECT_EQ(rig.visits.want(rig.now, kRelay, {}, Instant::never(), rig.out).code(), Errc::kInvalid);
  ASSERT_TRUE(rig.visits.want(rig.now, kRelay, {"a", "b"}, Instant::never(), rig.out).ok());
  EXPECT_EQ(rig.take<DialVisit>().at(0).address, "a");
  ASSERT_TRUE(rig.visits.send(kRelay, {1}, rig.out).ok());
  EXPECT_TRUE(rig.out.empty());
  rig.visits.on_opened(kRelay, 7, rig.out);
  const auto sent = rig.take<SendOnLink>();
  ASSERT_EQ(sent.size(), 2u);
  const auto hello = MeshMessages::decode(sent[0].message).value();
  EXPECT_TRUE(std::get<Hello>(hello).record.empty()) << "it says nothing of who it is";
  EXPECT_EQ(sent[1].message, Bytes{1});
  EXPECT_EQ(rig.visits.provider_of(7), kRelay);
  for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(rig.visits.want(rig.now, kRelay, {"a"}, Instant::never(), rig.out).ok());
  EXPECT_TRUE(rig.out.empty()) << "one visit is enough";
}

TEST(VisitsTest, ALostVisitComesBackAtTheNextAddressAndWhoAskedIsTold) {
  Rig rig;
  ASSERT_TRUE(rig.visits.want(rig.now, kRelay, {"a", "b"}, Instant::never(), rig.out).ok());
  rig.visits.on_failed(rig.now, kRelay, "nobody there", rig.out);
  EXPECT_EQ(rig.take<VisitDown>().at(0).why, "nobody there");
  EXPECT_EQ(rig.visits.next_deadline(), rig.now + kVisitRetryMin);
  rig.now = rig.visits.next_deadline();
  rig.visits.on_deadline(rig.now, rig.out);
  EXPECT_EQ(rig.take<DialVisit>().at(0).address, "b");
  rig.visits.on_opened(kRelay, 7, rig.out);
  EXPECT_EQ(rig.take<VisitUp>().size(), 1u);
  rig.visits.on_closed(rig.now, 7, "gone", rig.out);
  EXPECT_EQ(rig.take<VisitDown>().size(), 1u);
  EXPECT_FALSE(rig.visits.provider_of(7).has_value());
  EXPECT_LT(rig.visits.next_deadline(), Instant::never());
}

TEST(VisitsTest, OneThatIsNotWantedAnyMoreEnds) {
  Rig rig;
  ASSERT_TRUE(rig.visits.want(rig.now, kRelay, {"a"}, rig.now + seconds(60), rig.out).ok());
  rig.visits.on_opened(kRelay, 7, rig.out);
  (void)rig.out.take();
  EXPECT_EQ(rig.visits.next_deadline(), rig.now + seconds(60));
  rig.visits.unwant(rig.now, kRelay);
  rig.visits.on_deadline(rig.now, rig.out);
  EXPECT_EQ(rig.take<CloseLink>().at(0).link, 7u);
  rig.visits.on_closed(rig.now, 7, "closed", rig.out);
  EXPECT_TRUE(rig.out.empty());
  EXPECT_EQ(rig.visits.next_deadline(), Instant::never());
}

TEST(VisitsTest, AreBounded) {
  Rig rig;
  for (size_t i = 0; i < kVisitsMax; ++i) ASSERT_TRUE(rig.visits.want(rig.now, key_named("r" + std::to_string(i)), {"a"}, Instant::never(), rig.out).ok());
  EXPECT_EQ(rig.visits.want(rig.now, kRelay, {"a"}, Instant::never(), rig.out).code(), Errc::kLimit);
  const NodeKey one = key_named("r0");
  for (size_t i = 0; i < kVisitWaitingMax; ++i) ASSERT_TRUE(rig.visits.send(one, {1}, rig.out).ok());
  EXPECT_EQ(rig.visits.send(one, {1}, rig.out).code(), Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::mesh
