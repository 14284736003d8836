#include "mesh/streams.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/rng.h"
#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

// Two sides; what one says reaches the other at once, or later where the test holds it.
struct Rig {
  struct Side {
    Streams streams;
    std::vector<StreamAsked> asked;
    std::map<StreamId, Bytes> got;
    std::map<StreamId, size_t> waiting;
    std::vector<StreamId> accepted, finished;
    std::map<StreamId, Error> over;
    std::deque<Bytes> mail;
  };
  Side sides[2];
  NodeKey keys[2] = {key_named("a"), key_named("b")};
  Instant now = Instant::from_unix_seconds(1'790'000'000);
  bool reads = true;

  void at(int n, const std::function<void(Streams&, Streams::Out&)>& what) {
    Streams::Out out;
    what(sides[n].streams, out);
    for (StreamEffect& effect : out.take()) {
      Side& side = sides[n];
      if (auto* send = std::get_if<SendToPeer>(&effect)) sides[1 - n].mail.push_back(std::move(send->message));
      else if (auto* asked = std::get_if<StreamAsked>(&effect)) side.asked.push_back(*asked);
      else if (auto* accepted = std::get_if<StreamAccepted>(&effect)) side.accepted.push_back(accepted->stream);
      else if (auto* finished = std::get_if<StreamFinished>(&effect)) side.finished.push_back(finished->stream);
      else if (auto* room = std::get_if<StreamRoom>(&effect)) side.waiting[room->stream] = room->waiting;
      else if (auto* over = std::get_if<StreamOver>(&effect)) side.over.emplace(over->stream, over->why);
      else if (auto* bytes = std::get_if<StreamBytes>(&effect)) {
        append(side.got[bytes->stream], bytes->bytes);
        if (reads) at(n, [&](Streams& s, Streams::Out& o) { s.consumed(bytes->stream, bytes->bytes.size(), o); });
      }
    }
  }
  void deliver(int n, Bytes message) {
    auto parsed = StreamMessages::decode(message);
    ASSERT_TRUE(parsed.ok());
    at(n, [&](Streams& s, Streams::Out& o) { s.on_message(now, keys[1 - n], std::move(parsed).value(), o); });
  }
  void settle() {
    while (!sides[0].mail.empty() || !sides[1].mail.empty()) {
      for (int n : {0, 1}) {
        if (sides[n].mail.empty()) continue;
        Bytes message = std::move(sides[n].mail.front());
        sides[n].mail.pop_front();
        deliver(n, std::move(message));
      }
    }
  }
  /// An open stream, by the ids that its two ends have.
  std::pair<StreamId, StreamId> open() {
    StreamId mine = 0;
    at(0, [&](Streams& s, Streams::Out& o) { mine = s.open(now, keys[1], key_named("service"), o).value(); });
    settle();
    const StreamId theirs = sides[1].asked.back().stream;
    at(1, [&](Streams& s, Streams::Out& o) { s.accept(theirs, to_bytes(view("proof")), o); });
    settle();
    return {mine, theirs};
  }
  void write(int n, StreamId id, Bytes bytes) { at(n, [&](Streams& s, Streams::Out& o) { s.write(id, std::move(bytes), o); }); }
  void finish(int n, StreamId id) { at(n, [&](Streams& s, Streams::Out& o) { s.finish(id, o); }); }
};

// req: F4
TEST(Streams, BytesGoBothWaysUntilBothHaveEnded) {
  Rig rig;
  const auto [mine, theirs] = rig.open();
  EXPECT_EQ(rig.sides[1].asked.back().service, key_named("service"));
  EXPECT_EQ(rig.sides[0].accepted, std::vector<StreamId>{mine});
  const Bytes there = random_bytes(1, 300'000), back = random_bytes(2, 700'000);
  rig.write(0, mine, there);
  rig.write(1, theirs, back);
  rig.finish(0, mine);
  rig.settle();
  EXPECT_EQ(rig.sides[1].got[theirs], there);
  EXPECT_EQ(rig.sides[0].got[mine], back);
  EXPECT_EQ(rig.sides[1].finished, std::vector<StreamId>{theirs});
  EXPECT_TRUE(rig.sides[0].over.empty());
  rig.finish(1, theirs);
  rig.settle();
  EXPECT_EQ(rig.sides[0].over.at(mine).code, Errc::kCancelled);
  EXPECT_EQ(rig.sides[1].over.at(theirs).code, Errc::kCancelled);
  EXPECT_EQ(rig.sides[0].streams.count() + rig.sides[1].streams.count(), 0u);
}

// req: C15
TEST(Streams, WhoDoesNotReadHoldsOneWindowAndNoMore) {
  Rig rig;
  const auto [mine, theirs] = rig.open();
  rig.reads = false;
  rig.write(0, mine, Bytes(kStreamWindow + 100'000, 1));
  rig.settle();
  EXPECT_EQ(rig.sides[1].got[theirs].size(), kStreamWindow);
  EXPECT_EQ(rig.sides[0].waiting[mine], 100'000u);
  rig.at(1, [&, theirs = theirs](Streams& s, Streams::Out& o) { s.consumed(theirs, kStreamWindow / 2, o); });
  rig.settle();
  EXPECT_EQ(rig.sides[1].got[theirs].size(), kStreamWindow + 100'000);
  EXPECT_EQ(rig.sides[0].waiting[mine], 0u);
  rig.write(0, mine, Bytes(kStreamQueueMax, 1));
  rig.write(0, mine, Bytes(kStreamQueueMax, 1));
  rig.settle();
  EXPECT_EQ(rig.sides[0].over.at(mine).code, Errc::kLimit);
  EXPECT_EQ(rig.sides[1].over.at(theirs).code, Errc::kLimit);
}

TEST(Streams, ARefusalALossAndASilenceEndThem) {
  Rig rig;
  StreamId mine = 0;
  const auto open = [&] { rig.at(0, [&](Streams& s, Streams::Out& o) { mine = s.open(rig.now, rig.keys[1], key_named("x"), o).value(); }); };
  open();
  rig.settle();
  rig.at(1, [&](Streams& s, Streams::Out& o) { s.refuse(rig.sides[1].asked.back().stream, fail(Errc::kUnauthorized, "not for you"), o); });
  rig.settle();
  EXPECT_EQ(rig.sides[0].over.at(mine).code, Errc::kUnauthorized);
  open();
  rig.sides[1].mail.clear();
  EXPECT_EQ(rig.sides[0].streams.next_deadline(), rig.now + kStreamOpenTimeout);
  rig.at(0, [&](Streams& s, Streams::Out& o) { s.on_deadline(rig.now + kStreamOpenTimeout, o); });
  EXPECT_EQ(rig.sides[0].over.at(mine).code, Errc::kTimeout);
  rig.sides[1].mail.clear();
  const auto [third, theirs] = rig.open();
  for (int n : {0, 1}) rig.at(n, [&](Streams& s, Streams::Out& o) { s.on_peer_down(rig.keys[1 - n], o); });
  EXPECT_EQ(rig.sides[0].over.at(third).code, Errc::kUnavailable);
  EXPECT_EQ(rig.sides[1].over.at(theirs).code, Errc::kUnavailable);
}

// req: C15
TEST(Streams, WhatBreaksTheRulesBreaksTheStreamAndNothingElse) {
  Rig rig;
  const auto [mine, theirs] = rig.open();
  const auto [other, other_theirs] = rig.open();
  rig.deliver(1, StreamMessages::encode(StreamData{mine, true, Bytes(kStreamWindow + 1, 1)}));
  EXPECT_EQ(rig.sides[1].over.at(theirs).code, Errc::kInvalid);
  rig.settle();
  EXPECT_TRUE(rig.sides[0].over.contains(mine));
  rig.deliver(1, StreamMessages::encode(StreamEnd{other, true, 0, ""}));
  rig.deliver(1, StreamMessages::encode(StreamData{other, true, Bytes(1, 1)}));
  EXPECT_EQ(rig.sides[1].over.at(other_theirs).code, Errc::kInvalid);
  rig.deliver(1, StreamMessages::encode(StreamData{777, true, Bytes(1, 1)}));
  rig.deliver(1, StreamMessages::encode(StreamAccept{777, {}}));
  const size_t asked = rig.sides[1].asked.size();
  for (uint64_t n = 0; n < kStreamsPerPeerMax + 10; ++n) rig.deliver(1, StreamMessages::encode(StreamOpen{1000 + n, key_named("x")}));
  EXPECT_EQ(rig.sides[1].asked.size() - asked, kStreamsPerPeerMax);
}

}  // namespace
}  // namespace selvedge::mesh
