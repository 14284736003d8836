#include "mesh/trunk.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"
#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

constexpr size_t kFrame = 64u << 10;
const Error kLost = Error{Errc::kTimeout, "lost"};

// One side, whose other side the test plays.
struct Rig {
  Trunks trunks;
  NodeKey peer = key_named("peer");
  Instant now = Instant::from_unix_seconds(1'790'000'000);
  Trunks::Out out;
  std::map<ConnectionId, std::vector<Bytes>> messages, frames;   // given to a connection, all there ever were
  std::map<ConnectionId, uint64_t> delivered;
  std::vector<LinkId> opened;
  std::vector<LinkId> closed;
  std::vector<ConnectionId> shut;
  std::vector<Bytes> received;
  std::vector<std::string> ways;
  size_t busy = 0;

  void take() {
    for (TrunkEffect& effect : out.take()) {
      if (auto* send = std::get_if<SendOnConnection>(&effect)) (send->bulk ? frames : messages)[send->connection].push_back(std::move(send->message));
      else if (const auto* open = std::get_if<LinkOpened>(&effect)) opened.push_back(open->link);
      else if (const auto* close = std::get_if<LinkClosed>(&effect)) closed.push_back(close->link);
      else if (const auto* end = std::get_if<CloseConnection>(&effect)) shut.push_back(end->connection);
      else if (auto* got = std::get_if<LinkReceived>(&effect)) received.push_back(std::move(got->message));
      else if (auto* way = std::get_if<LinkWays>(&effect)) ways = way->addresses;
      else if (std::holds_alternative<LinkBusy>(effect)) ++busy;
    }
  }
  void open(ConnectionId id, const std::string& address = "") {
    trunks.on_opened(now, id, peer, false, address.empty() ? "at" + std::to_string(id) : address, out);
    take();
  }
  void hear(ConnectionId id, Bytes message, bool bulk = false) {
    trunks.on_message(now, id, bulk, std::move(message), out);
    take();
  }
  void join(ConnectionId id, uint64_t incarnation = 7, const std::string& address = "") {
    open(id, address);
    hear(id, TrunkMessages::encode(Join{incarnation}));
  }
  uint64_t said(ConnectionId id) { return std::get<Join>(*TrunkMessages::decode(messages.at(id).front())).incarnation; }
  Status say(uint8_t name) {
    const Status status = trunks.send(now, opened.back(), false, Bytes{100, name}, out);
    take();
    return status;
  }
  Status send(uint8_t name, size_t bytes = kFrame) {
    const Status status = trunks.send(now, opened.back(), true, Bytes(bytes, name), out);
    take();
    return status;
  }
  void deliver(ConnectionId id, uint64_t count, uint64_t window = kTrunkWindowMin / 2) {
    delivered[id] += count;
    trunks.on_delivered(id, true, delivered[id], window, out);
    take();
  }
  void lose(ConnectionId id) {
    trunks.on_closed(id, kLost, out);
    take();
  }
};

TEST(Trunk, ALinkBeginsWithTheFirstJoinAndEndsWithTheLastConnection) {
  Rig rig;
  rig.open(1);
  EXPECT_TRUE(rig.opened.empty());
  rig.hear(1, TrunkMessages::encode(Join{7}));
  ASSERT_EQ(rig.opened.size(), 1u);
  rig.join(2);
  EXPECT_EQ(rig.opened.size(), 1u) << "one link, by two ways";
  EXPECT_EQ(rig.ways, (std::vector<std::string>{"at1", "at2"}));
  EXPECT_EQ(rig.said(1), rig.said(2));
  rig.lose(1);
  EXPECT_TRUE(rig.closed.empty());
  EXPECT_EQ(rig.ways, (std::vector<std::string>{"at2"}));
  rig.lose(2);
  EXPECT_EQ(rig.closed, rig.opened);
  rig.join(3);
  EXPECT_EQ(rig.opened.size(), 2u);
  EXPECT_GT(rig.said(3), rig.said(1));
  EXPECT_EQ(rig.trunks.next_deadline(), Instant::never());
}

TEST(Trunk, APeerThatBeganAnewHasANewLink) {
  Rig rig;
  rig.join(1, 7);
  rig.join(2, 7);
  rig.join(3, 8);
  EXPECT_EQ(rig.opened.size(), 2u);
  EXPECT_EQ(rig.closed, std::vector<LinkId>{rig.opened[0]});
  EXPECT_EQ(rig.shut, (std::vector<ConnectionId>{1, 2}));
  // What was said under the old number, and came late, changes nothing.
  rig.join(4, 7);
  EXPECT_EQ(rig.opened.size(), 2u);
  EXPECT_EQ(rig.shut.back(), 4u);
  EXPECT_TRUE(rig.say(1).ok());
}

TEST(Trunk, ConnectionsUnderAKeyOfTheMomentStandAlone) {
  Rig rig;
  rig.join(1);
  rig.trunks.on_opened(rig.now, 2, rig.peer, true, "at2", rig.out);
  rig.take();
  rig.hear(2, TrunkMessages::encode(Join{7}));
  EXPECT_EQ(rig.opened.size(), 2u);
  EXPECT_NE(rig.said(1), rig.said(2));
}

// req: C15
TEST(Trunk, WhoDoesNotJoinOrJoinsTwiceLosesTheConnection) {
  Rig rig;
  rig.open(1);
  EXPECT_EQ(rig.trunks.next_deadline(), rig.now + kJoinTimeout);
  rig.trunks.on_deadline(rig.now + kJoinTimeout, rig.out);
  rig.take();
  EXPECT_EQ(rig.shut, std::vector<ConnectionId>{1});
  rig.open(2);
  rig.hear(2, Bytes{100, 1});
  rig.open(3);
  rig.hear(3, Bytes(100, 1), true);
  rig.open(4);
  rig.hear(4, TrunkMessages::encode(Lead{0}));
  rig.join(5);
  rig.hear(5, TrunkMessages::encode(Join{7}));
  rig.open(6);
  rig.hear(6, Bytes{Join::kType, 1});
  EXPECT_EQ(std::set<ConnectionId>(rig.shut.begin(), rig.shut.end()), (std::set<ConnectionId>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(rig.received.empty());
  for (ConnectionId id = 10; id < 10 + kConnectionsPerLinkMax; ++id) rig.join(id);
  rig.join(20);
  EXPECT_EQ(rig.shut.back(), 20u) << "there are ways enough";
  EXPECT_EQ(rig.closed.size(), 1u);
}

// req: C2
TEST(Trunk, WhatWasNotDeliveredIsSaidAgainOverTheNextLead) {
  Rig rig;
  rig.join(1);
  rig.join(2);
  for (uint8_t i = 0; i < 4; ++i) ASSERT_TRUE(rig.say(i).ok());
  EXPECT_EQ(rig.messages[2].size(), 1u) << "messages keep to one connection";
  rig.trunks.on_delivered(1, false, 1 + 2, 0, rig.out);  // the join, and two of them
  rig.lose(1);
  ASSERT_EQ(rig.messages[2].size(), 4u);
  EXPECT_EQ(std::get<Lead>(*TrunkMessages::decode(rig.messages[2][1])).first, 2u);
  EXPECT_EQ(rig.messages[2][2][1], 2);
  EXPECT_EQ(rig.messages[2][3][1], 3);
}

// req: C2
TEST(Trunk, WhatComesTwiceCountsOnceAndWhatIsMissingEndsTheLink) {
  Rig rig;
  rig.join(1);
  rig.join(2);
  for (uint8_t i = 0; i < 3; ++i) rig.hear(1, Bytes{100, i});
  rig.hear(2, TrunkMessages::encode(Lead{1}));
  for (uint8_t i = 1; i < 5; ++i) rig.hear(2, Bytes{100, i});
  rig.hear(1, Bytes{100, 3});  // was long under way
  ASSERT_EQ(rig.received.size(), 5u);
  for (uint8_t i = 0; i < 5; ++i) EXPECT_EQ(rig.received[i][1], i);
  rig.hear(1, TrunkMessages::encode(Lead{9}));
  EXPECT_TRUE(rig.closed.empty());
  rig.hear(1, Bytes{100, 9});
  EXPECT_EQ(rig.closed.size(), 1u);
  EXPECT_EQ(rig.received.size(), 5u);
}

// req: C2
TEST(Trunk, EachConnectionTakesWhatItHasRoomFor) {
  Rig rig;
  rig.join(1);
  rig.join(2);
  constexpr size_t kBytes = kFrame + kFrameNumberBytes;
  constexpr size_t kFills = (kTrunkWindowMin + kBytes - 1) / kBytes;
  for (uint8_t i = 0; i < 20; ++i) ASSERT_TRUE(rig.send(i).ok());
  EXPECT_EQ(rig.frames[1].size(), kFills);
  EXPECT_EQ(rig.frames[2].size(), kFills);
  // The one that delivers gets more, in the order in which it came.
  rig.deliver(2, 3);
  EXPECT_EQ(rig.frames[1].size(), kFills);
  EXPECT_GE(rig.frames[2].size(), kFills + 2);
  EXPECT_EQ(rig.frames[2][kFills][0], 2 * kFills);
  // A wider window takes more at once.
  const size_t before = rig.frames[1].size();
  rig.deliver(1, 1, kTrunkWindowMin);
  EXPECT_GT(rig.frames[1].size(), before + 3);
}

// req: C2
TEST(Trunk, FramesOnAConnectionThatDiedGoToTheOthers) {
  Rig rig;
  rig.join(1);
  rig.join(2);
  std::multiset<uint8_t> all, arrived;
  for (uint8_t i = 0; i < 12; ++i) {
    ASSERT_TRUE(rig.send(i).ok());
    all.insert(i);
  }
  arrived.insert(rig.frames[1][0][0]);
  rig.deliver(1, 1);
  rig.lose(1);
  EXPECT_TRUE(rig.closed.empty());
  while (rig.delivered[2] < rig.frames[2].size()) {
    arrived.insert(rig.frames[2][rig.delivered[2]][0]);
    rig.deliver(2, 1);
  }
  EXPECT_EQ(arrived, all);
}

TEST(Trunk, ALinkEndsWithFramesThatNobodyKept) {
  Rig rig;
  rig.join(1);
  ASSERT_TRUE(rig.send(1).ok());
  rig.join(2);
  rig.lose(1);
  EXPECT_EQ(rig.closed.size(), 1u);
  EXPECT_EQ(rig.shut, std::vector<ConnectionId>({1, 2}));
}

TEST(Trunk, FramesThatComeTwiceCountOnce) {
  Rig rig, other;
  rig.join(1);
  rig.join(2);
  other.join(1);
  for (uint8_t i = 0; i < 3; ++i) ASSERT_TRUE(other.send(i, 1000).ok());
  for (const size_t which : {2, 0, 2, 0, 1, 1}) rig.hear(1 + which % 2, other.frames[1][which], true);
  ASSERT_EQ(rig.received.size(), 3u);
  EXPECT_EQ(rig.received[0], Bytes(1000, 2));
  rig.hear(1, Bytes(kFrameNumberBytes, 0), true);
  EXPECT_EQ(rig.received.size(), 3u) << "a number and no frame";
}

// req: C3
TEST(Trunk, NothingGoesThroughARelayWhileThereIsADirectWay) {
  Rig rig;
  rig.join(1, 7, "circuit");
  ASSERT_TRUE(rig.say(1).ok());
  rig.join(2);
  EXPECT_EQ(rig.ways.front(), "at2");
  EXPECT_EQ(rig.messages[2].size(), 3u) << "a join, a lead, and what the relay may not have delivered";
  for (uint8_t i = 0; i < 20; ++i) ASSERT_TRUE(rig.send(i).ok());
  EXPECT_TRUE(rig.frames[1].empty());
  rig.lose(2);
  EXPECT_EQ(rig.ways.front(), "circuit");
  EXPECT_FALSE(rig.frames[1].empty());
}

TEST(Trunk, ASilentConnectionIsGivenUpWhereAnotherIsLeft) {
  Rig rig;
  rig.join(1);
  rig.trunks.on_stalled(1, rig.out);
  rig.take();
  EXPECT_TRUE(rig.shut.empty()) << "the transport decides when the only one is dead";
  rig.join(2);
  rig.trunks.on_stalled(1, rig.out);
  rig.take();
  EXPECT_EQ(rig.shut, std::vector<ConnectionId>{1});
  EXPECT_TRUE(rig.closed.empty());
}

// req: C15
TEST(Trunk, MoreThanThePeerTakesIsRefused) {
  Rig rig;
  rig.join(1);
  size_t accepted = 0;
  while (rig.send(1, 1u << 20).ok()) ++accepted;
  EXPECT_LE(accepted, (kTrunkQueueBytesMax + kTrunkWindowMin + (1u << 20)) >> 20);
  EXPECT_GE(accepted, (kTrunkQueueBytesMax >> 20) - 1);
  while (rig.trunks.send(rig.now, rig.opened.back(), false, Bytes(1u << 20, 1), rig.out).ok()) rig.take();
  EXPECT_EQ(rig.trunks.send(rig.now, rig.opened.back(), false, Bytes(1u << 20, 1), rig.out).code(), Errc::kLimit);
  EXPECT_EQ(rig.trunks.send(rig.now, 99, false, Bytes(1), rig.out).code(), Errc::kNotFound);
}

// req: C2
TEST(Trunk, FurtherWaysAreAskedForOnceMuchMoves) {
  Rig rig;
  rig.join(1);
  Bytes frame(kBusyBytes + kFrameNumberBytes, 1);
  store_u64(frame.data() + kBusyBytes, 0);
  rig.hear(1, frame, true);
  store_u64(frame.data() + kBusyBytes, 1);
  rig.hear(1, frame, true);
  EXPECT_EQ(rig.busy, 1u);
  rig.now = rig.now + kBusyEvery;
  ASSERT_TRUE(rig.send(1).ok());
  EXPECT_EQ(rig.busy, 2u);
}

// Two sides and connections between them that are cut at any moment: what is said arrives once and in order, what is sent arrives once, for as
// long as the links live; and each side's link is the other's.
class World {
 public:
  explicit World(uint64_t seed) : rng_(seed) {}

  void run() {
    for (int step = 0; step < 3000 && !::testing::Test::HasFatalFailure(); ++step) {
      now_ = now_ + milliseconds(1);
      switch (rng_.below(12)) {
        case 0: if (wires_.size() < 6) connect(); break;
        case 1: if (rng_.chance(1, 4) && !wires_.empty()) cut(pick()); break;
        case 2: case 3: say(rng_.below(2)); break;
        case 4: case 5: send(rng_.below(2)); break;
        default: if (!wires_.empty()) carry(pick()); break;
      }
    }
    while (!wires_.empty() && carry_any()) {
    }
    if (wires_.empty()) return;
    EXPECT_EQ(sides_[0].link != 0, sides_[1].link != 0);
    for (int to : {0, 1}) {
      if (sides_[to].link == 0 || sides_[1 - to].link == 0) continue;
      EXPECT_EQ(sides_[to].heard, sides_[1 - to].said);
      EXPECT_EQ(sides_[to].got.size(), sides_[1 - to].sent);
    }
  }
  size_t links() const { return sides_[0].links; }
  size_t resent() const { return resent_; }

 private:
  struct Side {
    Trunks trunks;
    LinkId link = 0;
    size_t links = 0;
    uint64_t said = 0, heard = 0, sent = 0;   // of this link
    std::set<uint64_t> got;
  };
  struct Way { std::deque<std::pair<bool, Bytes>> travelling; uint64_t arrived[2] = {0, 0}, told[2] = {0, 0}; };
  struct Wire { Way way[2]; bool open[2] = {true, true}; };   // by sender
  using Wires = std::map<ConnectionId, Wire>;

  Wires::iterator pick() { return std::next(wires_.begin(), ptrdiff_t(rng_.below(wires_.size()))); }
  void connect() {
    const ConnectionId id = ++last_;
    wires_[id];
    for (int side : {0, 1}) feed(side, [&](Trunks& trunks, Trunks::Out& out) { trunks.on_opened(now_, id, key_named("x"), false, rng_.chance(1, 3) ? "circuit" : "direct", out); });
  }
  // Each side learns of it on its own, and what was under way is lost.
  void cut(Wires::iterator at) {
    const ConnectionId id = at->first;
    const bool both = rng_.chance(1, 2);
    const int first = int(rng_.below(2));
    for (Way& way : at->second.way) way.travelling.clear();
    shut(id, first);
    if (both) shut(id, 1 - first);
  }
  void shut(ConnectionId id, int side) {
    const auto it = wires_.find(id);
    if (it == wires_.end() || !it->second.open[side]) return;
    it->second.open[side] = false;
    const bool over = !it->second.open[1 - side];
    if (over) wires_.erase(it);
    feed(side, [&](Trunks& trunks, Trunks::Out& out) { trunks.on_closed(id, kLost, out); });
  }
  bool carry_any() {
    for (auto it = wires_.begin(); it != wires_.end(); ++it) {
      // Somebody notices, at last.
      if (it->second.open[0] != it->second.open[1]) return shut(it->first, it->second.open[0] ? 0 : 1), true;
      for (int side : {0, 1}) {
        if (!it->second.way[side].travelling.empty()) return carry(it), true;
        for (const bool bulk : {false, true}) {
          if (it->second.way[side].told[bulk] < it->second.way[side].arrived[bulk]) return tell(it->first, side, bulk), true;
        }
      }
    }
    return false;
  }
  void carry(Wires::iterator at) {
    const ConnectionId id = at->first;
    const int from = at->second.way[0].travelling.empty() || (!at->second.way[1].travelling.empty() && rng_.chance(1, 2)) ? 1 : 0;
    if (!at->second.open[0] || !at->second.open[1]) return;
    Way& way = at->second.way[from];
    if (way.travelling.empty()) return;
    auto [bulk, bytes] = std::move(way.travelling.front());
    way.travelling.pop_front();
    ++way.arrived[bulk];
    feed(1 - from, [&, bulk = bulk, &bytes = bytes](Trunks& trunks, Trunks::Out& out) { trunks.on_message(now_, id, bulk, bytes, out); });
    if (rng_.chance(2, 3)) tell(id, from, bulk);
  }
  void tell(ConnectionId id, int side, bool bulk) {
    const auto it = wires_.find(id);
    if (it == wires_.end() || !it->second.open[side]) return;
    Way& way = it->second.way[side];
    way.told[bulk] = way.arrived[bulk];
    feed(side, [&, arrived = way.arrived[bulk]](Trunks& trunks, Trunks::Out& out) { trunks.on_delivered(id, bulk, arrived, kTrunkWindowMin, out); });
  }
  void say(uint64_t n) {
    Side& side = sides_[n];
    if (side.link == 0) return;
    Bytes message(9, 100);
    store_u64(message.data() + 1, side.said++);
    feed(int(n), [&](Trunks& trunks, Trunks::Out& out) { EXPECT_TRUE(trunks.send(now_, side.link, false, message, out).ok()); });
  }
  void send(uint64_t n) {
    Side& side = sides_[n];
    if (side.link == 0) return;
    Bytes frame(1 + rng_.below(2 * kFrame) + 8, 1);
    store_u64(frame.data(), side.sent++);
    feed(int(n), [&](Trunks& trunks, Trunks::Out& out) { EXPECT_TRUE(trunks.send(now_, side.link, true, frame, out).ok()); });
  }
  template <class Input>
  void feed(int n, Input input) {
    Trunks::Out out;
    input(sides_[n].trunks, out);
    for (TrunkEffect& effect : out.take()) act(n, effect);
  }
  void act(int n, TrunkEffect& effect) {
    Side& side = sides_[n];
    if (auto* give = std::get_if<SendOnConnection>(&effect)) {
      resent_ += !give->bulk && give->message[0] == Lead::kType ? 1 : 0;
      const auto it = wires_.find(give->connection);
      if (it != wires_.end() && it->second.open[0] && it->second.open[1]) it->second.way[n].travelling.push_back({give->bulk, std::move(give->message)});
    } else if (auto* close = std::get_if<CloseConnection>(&effect)) {
      const ConnectionId id = close->connection;
      const auto it = wires_.find(id);
      if (it == wires_.end() || !it->second.open[n]) return;
      it->second.open[n] = false;
      for (Way& way : it->second.way) way.travelling.clear();
      if (!it->second.open[1 - n]) wires_.erase(it);
      else if (rng_.chance(1, 2)) shut(id, 1 - n);
    } else if (auto* opened = std::get_if<LinkOpened>(&effect)) {
      EXPECT_EQ(side.link, 0u);
      side.link = opened->link;
      ++side.links;
      side.said = side.heard = side.sent = 0;
      side.got.clear();
    } else if (auto* closed = std::get_if<LinkClosed>(&effect)) {
      EXPECT_EQ(closed->link, side.link);
      side.link = 0;
    } else if (auto* received = std::get_if<LinkReceived>(&effect)) {
      ASSERT_EQ(received->link, side.link);
      if (received->bulk) ASSERT_TRUE(side.got.insert(load_u64(received->message.data())).second) << "a frame came twice";
      else ASSERT_EQ(load_u64(received->message.data() + 1), side.heard++) << "a message was lost, or came twice";
    }
  }

  Rng rng_;
  Instant now_ = Instant::from_unix_seconds(1'790'000'000);
  ConnectionId last_ = 0;
  Wires wires_;
  Side sides_[2];
  size_t resent_ = 0;
};

// req: C2
TEST(Trunk, WhateverIsCutAllThatIsSaidArrivesOnceAndInOrder) {
  size_t links = 0, resent = 0;
  for (uint64_t seed = 1; seed <= 300 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    world.run();
    links += world.links();
    resent += world.resent();
  }
  EXPECT_GT(links, 300u);
  EXPECT_GT(resent, 300u) << "nothing was ever cut in a way that matters";
}

}  // namespace
}  // namespace selvedge::mesh
