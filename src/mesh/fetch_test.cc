#include "mesh/fetch.h"

#include <gtest/gtest.h>

#include <set>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

// A fetcher with the holders it talks to, each of which has its share and answers as told.
struct Rig {
  explicit Rig(Placed placed_in) : placed(std::move(placed_in)) {
    for (const EncodedShare& share : placed.encoded.shares) {
      for (const Bytes& frame : share.frames) shelf[share.holder].push_back(frame);
    }
  }

  Placed placed;
  std::map<NodeKey, std::vector<Bytes>> shelf;
  std::set<NodeKey> away;
  std::set<NodeKey> silent;
  std::set<NodeKey> liars;
  Fetcher fetcher{nullptr};
  Instant now = Instant::from_unix_seconds(5000);
  std::vector<AskSymbols> asked;
  std::vector<NodeKey> wanted;
  std::vector<NodeKey> named;
  std::optional<Result<Bytes>> result;
  object::Diversity diversity;
  std::vector<crypto::PublicKey> owners;

  void start(const std::vector<NodeKey>& from) {
    Fetcher::Out out;
    FetchRequest request{placed.object, placed.group, placed.key.clone(), from, {}, owners, diversity};
    ASSERT_TRUE(fetcher.start(now, std::move(request), [this](const NodeKey& k) { return away.count(k) == 0; }, out).ok());
    handle(out);
  }
  void handle(Fetcher::Out& out) {
    std::vector<AskSymbols> to_answer;
    for (FetchEffect& effect : out.take()) {
      if (auto* ask = std::get_if<AskSymbols>(&effect)) {
        asked.push_back(*ask);
        to_answer.push_back(*ask);
      } else if (auto* want = std::get_if<WantPeer>(&effect)) {
        wanted.push_back(want->peer);
      } else if (auto* lied = std::get_if<HolderLied>(&effect)) {
        named.push_back(lied->holder);
      } else if (auto* job = std::get_if<StartDecode>(&effect)) {
        Fetcher::Out more;
        fetcher.on_decoded(now, job->fetch, decode(*job->job), more);
        handle(more);
      } else if (auto* done = std::get_if<Fetched>(&effect)) {
        result = std::move(done->plaintext);
      }
    }
    for (const AskSymbols& ask : to_answer) {
      if (!silent.count(ask.to)) answer(ask);
    }
  }
  // As a keeper does: nothing the asker has, no more than it wants of each block.
  void answer(const AskSymbols& ask) {
    std::vector<uint32_t> left = ask.request.limits;
    uint32_t sent = 0;
    for (const Bytes& stored : shelf[ask.to]) {
      const FrameView frame = parse_frame(stored).value();
      std::vector<size_t> keep;
      for (size_t i = 0; i < frame.esis.size() && keep.size() < left[frame.header.source_block]; ++i) {
        bool have = false;
        for (const EsiRange& r : ask.request.have) have = have || (r.block == frame.header.source_block && frame.esis[i] >= r.first && frame.esis[i] - r.first < r.count);
        if (!have) keep.push_back(i);
      }
      if (keep.empty()) continue;
      left[frame.header.source_block] -= uint32_t(keep.size());
      sent += uint32_t(keep.size());
      Bytes out_frame = subset_frame(frame, keep);
      if (liars.count(ask.to)) out_frame[out_frame.size() - kFrameChecksumBytes - 1] ^= 0x40;
      retarget_frame(out_frame, FrameKind::kDeliver, ask.request.request, now);
      Fetcher::Out out;
      fetcher.on_frame(now, ask.to, parse_frame(out_frame).value(), out_frame, out);
      handle(out);
    }
    Fetcher::Out out;
    fetcher.on_end(now, ask.to, {ask.request.request, sent, 0, ""}, out);
    handle(out);
  }
  void pass(Duration time) {
    const Instant end = now + time;
    while (!result && fetcher.next_deadline() <= end) {
      now = std::max(now, fetcher.next_deadline());
      Fetcher::Out out;
      fetcher.on_deadline(now, out);
      handle(out);
    }
    now = end;
  }
};

Rig rig_of(size_t size, size_t n) { return Rig(place(test_zone(), random_bytes(size, size), holders(n))); }

// req: B4
TEST(Fetch, SharesWhatItAsksForOverAllHolders) {
  Rig rig = rig_of(500'000, 4);
  rig.start(holders(4));
  ASSERT_TRUE(rig.result.has_value());
  ASSERT_TRUE(rig.result->ok()) << rig.result->error().message;
  EXPECT_EQ(rig.result->value(), rig.placed.content);
  std::set<NodeKey> who;
  uint32_t total = 0;
  for (const AskSymbols& ask : rig.asked) {
    who.insert(ask.to);
    total += ask.request.limits[0];
  }
  EXPECT_EQ(who.size(), 4u);
  const uint32_t k = block_sizes(rig.placed.group)[0];
  EXPECT_LE(total, k + kDecodeMargin + 8) << "asked for more than it needs";
}

// req: A13
TEST(Fetch, NothingIsPutTogetherFromTooFewSources) {
  Rig alone = rig_of(100'000, 4);
  alone.diversity.nodes_min = 2;
  for (auto& [holder, frames] : alone.shelf) {
    if (holder != holders(4)[0]) frames.clear();
  }
  // One holder has everything: what the others should have given is on its shelf.
  Rig rich = rig_of(100'000, 4);
  for (const NodeKey& other : holders(4)) alone.shelf[holders(4)[0]].insert(alone.shelf[holders(4)[0]].end(), rich.shelf[other].begin(), rich.shelf[other].end());
  alone.start(holders(4));
  alone.pass(seconds(60));
  ASSERT_TRUE(alone.result.has_value());
  EXPECT_EQ(alone.result->code(), Errc::kUnavailable);
  EXPECT_NE(alone.result->error().message.find("at least 2 nodes"), std::string::npos) << alone.result->error().message;

  Rig owners = rig_of(100'000, 4);
  owners.diversity.owners_min = 2;
  owners.owners.assign(4, key_named("one owner"));
  owners.start(holders(4));
  owners.pass(seconds(60));
  EXPECT_NE(owners.result->error().message.find("at least 2 owners"), std::string::npos) << owners.result->error().message;
  owners = rig_of(100'000, 4);
  owners.diversity.owners_min = 2;
  owners.owners = {key_named("a"), key_named("a"), key_named("a"), key_named("b")};
  owners.start(holders(4));
  ASSERT_TRUE(owners.result && owners.result->ok()) << owners.result->error().message;
}

// req: A13
TEST(Fetch, NoNodeGivesMoreThanItsShare) {
  Rig rig = rig_of(300'000, 4);
  rig.diversity.node_share_permille_max = 400;
  rig.start(holders(4));
  ASSERT_TRUE(rig.result && rig.result->ok()) << rig.result->error().message;
  Rig two = rig_of(300'000, 4);
  two.diversity.node_share_permille_max = 400;
  two.away = {holders(4)[2], holders(4)[3]};
  two.start(holders(4));
  two.pass(seconds(60));
  ASSERT_TRUE(two.result.has_value());
  EXPECT_EQ(two.result->code(), Errc::kUnavailable) << "two of four cannot give forty per cent each and make a whole";
}

// req: A13
TEST(Fetch, AWholeObjectIsVouchedForByAsManyAsThePolicySays) {
  Rig rig = rig_of(300, 2);
  rig.diversity.nodes_min = 2;
  rig.start(holders(2));
  ASSERT_TRUE(rig.result && rig.result->ok()) << rig.result->error().message;
  EXPECT_EQ(rig.asked.size(), 2u);
  rig = rig_of(300, 2);
  rig.diversity.nodes_min = 2;
  rig.away = {holders(2)[1]};
  rig.start(holders(2));
  rig.pass(seconds(60));
  EXPECT_EQ(rig.result->code(), Errc::kUnavailable);
}

TEST(Fetch, AWholeObjectIsAskedOfOneHolderAtATime) {
  Rig rig = rig_of(300, 2);
  rig.start(holders(2));
  ASSERT_TRUE(rig.result && rig.result->ok());
  EXPECT_EQ(rig.asked.size(), 1u);
}

TEST(Fetch, ASilentHolderIsDoneWithout) {
  Rig rig = rig_of(200'000, 4);
  rig.silent = {holders(4)[1]};
  rig.start(holders(4));
  EXPECT_FALSE(rig.result.has_value());
  rig.pass(kHolderSilenceMax + seconds(1));
  ASSERT_TRUE(rig.result.has_value());
  ASSERT_TRUE(rig.result->ok()) << rig.result->error().message;
  EXPECT_EQ(rig.result->value(), rig.placed.content);
}

// On a slow line one object waits for another: the holder is not silent.
TEST(Fetch, AHolderThatAnswersForAnotherObjectIsWaitedFor) {
  Rig rig = rig_of(200'000, 1);
  rig.silent = {holders(1)[0]};
  rig.start(holders(1));
  rig.start(holders(1));
  ASSERT_EQ(rig.asked.size(), 2u);
  std::vector<Bytes> frames = rig.shelf[holders(1)[0]];
  ASSERT_GT(frames.size(), 1u);
  for (Bytes& frame : frames) {  // all but the last go to the first fetch, slowly
    rig.pass(kHolderSilenceMax - seconds(1));
    if (&frame == &frames.back()) break;
    retarget_frame(frame, FrameKind::kDeliver, rig.asked[0].request.request, rig.now);
    Fetcher::Out out;
    rig.fetcher.on_frame(rig.now, holders(1)[0], parse_frame(frame).value(), frame, out);
    rig.handle(out);
  }
  EXPECT_FALSE(rig.result.has_value());
  EXPECT_EQ(rig.fetcher.active(), 2u);
  rig.pass(kHolderSilenceMax);
  ASSERT_TRUE(rig.result.has_value());
  EXPECT_EQ(rig.result->code(), Errc::kUnavailable);
}

// req: B11 C15
TEST(Fetch, ALyingHolderIsNamedAndDoneWithout) {
  for (size_t size : {size_t(3000), size_t(200'000)}) {
    Rig rig = rig_of(size, 4);
    rig.liars = {rig.placed.encoded.shares.front().holder};
    std::vector<NodeKey> from;
    for (const EncodedShare& share : rig.placed.encoded.shares) from.push_back(share.holder);
    rig.start(from);
    ASSERT_TRUE(rig.result.has_value());
    ASSERT_TRUE(rig.result->ok()) << rig.result->error().message;
    EXPECT_EQ(rig.result->value(), rig.placed.content);
    EXPECT_EQ(rig.named, std::vector<NodeKey>{*rig.liars.begin()});
  }
}

TEST(Fetch, SaysHowManySymbolsAreMissingAndWhoWasAsked) {
  Rig rig = rig_of(200'000, 4);
  const std::vector<NodeKey> two{holders(4)[0], holders(4)[1]};
  rig.start(two);
  ASSERT_TRUE(rig.result.has_value());
  ASSERT_FALSE(rig.result->ok());
  EXPECT_EQ(rig.result->code(), Errc::kUnavailable);
  uint32_t here = 0;
  for (const NodeKey& holder : two) {
    for (const Bytes& frame : rig.shelf[holder]) here += uint32_t(parse_frame(frame)->esis.size());
  }
  const uint32_t k = block_sizes(rig.placed.group)[0];
  EXPECT_NE(rig.result->error().message.find(std::to_string(k - here) + " of " + std::to_string(k)), std::string::npos) << rig.result->error().message;
  EXPECT_NE(rig.result->error().message.find("2 holders"), std::string::npos);
}

TEST(Fetch, WaitsForAHolderThatComesBack) {
  Rig rig = rig_of(100'000, 2);
  rig.away = {holders(2)[0], holders(2)[1]};
  rig.start(holders(2));
  EXPECT_EQ(rig.wanted.size(), 2u);
  rig.pass(seconds(3));
  EXPECT_FALSE(rig.result.has_value());
  Fetcher::Out out;
  rig.fetcher.on_peer_up(rig.now, holders(2)[1], out);
  rig.handle(out);
  ASSERT_TRUE(rig.result && rig.result->ok());
}

TEST(Fetch, ALostConnectionIsNotTheEndOfTheHolder) {
  Rig rig = rig_of(100'000, 2);
  rig.silent = {holders(2)[0], holders(2)[1]};
  rig.start(holders(2));
  for (const NodeKey& holder : holders(2)) {
    Fetcher::Out out;
    rig.fetcher.on_peer_down(rig.now, holder, out);
    rig.handle(out);
  }
  EXPECT_FALSE(rig.result.has_value());
  rig.silent.clear();
  for (const NodeKey& holder : holders(2)) {
    Fetcher::Out out;
    rig.fetcher.on_peer_up(rig.now, holder, out);
    rig.handle(out);
  }
  ASSERT_TRUE(rig.result && rig.result->ok());
}

TEST(Fetch, GivesUpWhenNobodyComes) {
  Rig rig = rig_of(100'000, 3);
  rig.away = {holders(3)[0], holders(3)[1], holders(3)[2]};
  rig.start(holders(3));
  rig.pass(kFetchTimeout + seconds(1));
  ASSERT_TRUE(rig.result.has_value());
  EXPECT_EQ(rig.result->code(), Errc::kUnavailable);
  EXPECT_EQ(rig.fetcher.active(), 0u);
}

TEST(Fetch, FramesThatNobodyAskedForCountForNothing) {
  Rig rig = rig_of(100'000, 2);
  rig.silent = {holders(2)[0], holders(2)[1]};
  rig.start(holders(2));
  ASSERT_FALSE(rig.asked.empty());
  Bytes frame = rig.shelf[holders(2)[0]].front();
  retarget_frame(frame, FrameKind::kDeliver, rig.asked[0].request.request, rig.now);
  Fetcher::Out out;
  rig.fetcher.on_frame(rig.now, key_named("stranger"), parse_frame(frame).value(), frame, out);
  retarget_frame(frame, FrameKind::kDeliver, 0xFFFF00, rig.now);
  rig.fetcher.on_frame(rig.now, holders(2)[0], parse_frame(frame).value(), frame, out);
  EXPECT_TRUE(out.empty());
  EXPECT_FALSE(rig.result.has_value());
}

TEST(Fetch, HasItsLimit) {
  Rig rig = rig_of(1000, 1);
  rig.away = {holders(1)[0]};
  for (size_t i = 0; i < kFetchesMax; ++i) rig.start(holders(1));
  Fetcher::Out out;
  FetchRequest request{rig.placed.object, rig.placed.group, rig.placed.key.clone(), holders(1), {}};
  EXPECT_EQ(rig.fetcher.start(rig.now, std::move(request), [](const NodeKey&) { return true; }, out).code(), Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::mesh
