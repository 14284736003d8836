#include "work/dispute.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/rng.h"
#include "crypto/hash.h"
#include "wasm/trace.h"

namespace selvedge::work {
namespace {

crypto::Digest digest(std::string_view what, uint64_t index) {
  return crypto::sha256(view(std::string(what) + std::to_string(index)));
}

/// A run: what stands at each boundary, and the trace behind the last one.
struct History {
  std::vector<crypto::Digest> chain;  // from index 1 on
  crypto::Digest trace;
  crypto::Digest at(uint64_t index) const { return index <= chain.size() ? chain[index - 1] : trace; }
  TraceClaim claim() const { return {trace, chain.size()}; }
};

History honest(uint64_t segments) {
  History out{{}, digest("end", segments)};
  for (uint64_t i = 1; i <= segments; ++i) out.chain.push_back(digest("true", i));
  return out;
}

/// An executor that answers from a run of its own making, or in its own way.
struct Party {
  History run;
  std::function<std::optional<crypto::Digest>(uint64_t index)> answer;
  std::optional<crypto::Digest> say(uint64_t index) const { return answer ? answer(index) : run.at(index); }
};

struct Outcome {
  Settled settled;
  size_t questions = 0;  // to one side
  uint64_t replayed = 0;
};

/// The judge, with the truth at hand. Sides answer in an order that the seed gives.
Outcome judge(const History& truth, const Party& first, const Party& second, uint64_t seed = 1) {
  Rng rng(seed);
  Instant now = Instant::from_unix_seconds(1'800'000'000);
  Dispute::Out out;
  auto dispute = Dispute::open(now, {first.run.claim(), second.run.claim()}, out);
  EXPECT_TRUE(dispute.ok());
  Outcome result;
  for (int turn = 0; turn < 1000; ++turn) {
    std::vector<DisputeEffect> effects = out.take();
    if (effects.size() == 2 && rng.below(2) == 0) std::swap(effects[0], effects[1]);
    if (effects.empty()) {  // somebody is silent
      now = dispute->next_deadline();
      dispute->on_deadline(now - nanoseconds(1), out);
      EXPECT_TRUE(out.empty());
      dispute->on_deadline(now, out);
      continue;
    }
    for (const DisputeEffect& effect : effects) {
      if (const auto* settled = std::get_if<Settled>(&effect)) {
        result.settled = *settled;
        EXPECT_TRUE(dispute->settled());
        EXPECT_EQ(dispute->next_deadline(), Instant::never());
        return result;
      }
      if (const auto* replay = std::get_if<Replay>(&effect)) {
        result.replayed = replay->index;
        dispute->on_replayed(truth.at(replay->index), out);
      } else {
        const auto& ask = std::get<AskClaim>(effect);
        result.questions += ask.side == Side::kFirst;
        const auto answer = (ask.side == Side::kFirst ? first : second).say(ask.index);
        if (answer.has_value()) dispute->on_claim(now, ask.side, ask.index, *answer, out);
      }
    }
  }
  ADD_FAILURE() << "the dispute does not end";
  return result;
}

/// Another run from boundary `from` on; from == chain.size() + 1 means that only the end is another.
History wrong_from(History run, uint64_t from) {
  for (uint64_t i = from; i <= run.chain.size(); ++i) run.chain[i - 1] = digest("false", i);
  run.trace = digest("false end", 0);
  return run;
}

// req: D11
TEST(Dispute, FindsTheFirstBoundaryAtWhichTheyDiffer) {
  const History truth = honest(1000);
  for (const uint64_t from : {1u, 2u, 499u, 500u, 501u, 1000u, 1001u}) {
    const Outcome out = judge(truth, {wrong_from(truth, from), {}}, {truth, {}});
    EXPECT_EQ(out.settled.wrong, (std::array<bool, 2>{true, false})) << from;
    EXPECT_EQ(out.settled.index, from);
    EXPECT_EQ(out.replayed, from);  // and no further
    EXPECT_LE(out.questions, 10u);
    EXPECT_EQ(out.settled.found, Found::kByReplay);
  }
}

TEST(Dispute, ARunWithoutBoundariesIsReplayedAtOnce) {
  const History truth = honest(0);
  const Outcome out = judge(truth, {truth, {}}, {wrong_from(truth, 1), {}});
  EXPECT_EQ(out.settled.wrong, (std::array<bool, 2>{false, true}));
  EXPECT_EQ(out.questions, 0u);
}

TEST(Dispute, EndingEarlierOrLaterIsADifferenceToo) {
  const History truth = honest(10);
  History shorter = wrong_from(honest(4), 5), longer = wrong_from(honest(12), 13);
  EXPECT_EQ(judge(truth, {truth, {}}, {shorter, {}}).settled.wrong, (std::array<bool, 2>{false, true}));
  EXPECT_EQ(judge(truth, {truth, {}}, {shorter, {}}).settled.index, 5u);
  EXPECT_EQ(judge(truth, {longer, {}}, {truth, {}}).settled.wrong, (std::array<bool, 2>{true, false}));
  EXPECT_EQ(judge(truth, {longer, {}}, {truth, {}}).settled.index, 11u);
}

TEST(Dispute, SilenceIsWrong) {
  const History truth = honest(8), other = wrong_from(truth, 3);
  const Party silent{other, [](uint64_t) { return std::nullopt; }};
  EXPECT_EQ(judge(truth, {truth, {}}, silent).settled.wrong, (std::array<bool, 2>{false, true}));
  EXPECT_EQ(judge(truth, {truth, {}}, silent).settled.found, Found::kSilent);
  Party another = silent;
  another.run.trace = digest("another end", 0);
  EXPECT_EQ(judge(truth, silent, another).settled.wrong, (std::array<bool, 2>{true, true}));
}

TEST(Dispute, BothMayBeWrong) {
  const History truth = honest(8);
  History first = wrong_from(truth, 3), second = wrong_from(truth, 3);
  for (crypto::Digest& one : second.chain) one.bytes[0] ^= one == truth.chain[0] || one == truth.chain[1] ? 0 : 1;
  second.trace.bytes[0] ^= 1;
  EXPECT_EQ(judge(truth, {first, {}}, {second, {}}).settled.wrong, (std::array<bool, 2>{true, true}));
}

TEST(Dispute, TwoAnswersToOneQuestionAreWrong) {
  const History truth = honest(4), other = wrong_from(truth, 2);
  Dispute::Out out;
  const Instant now = Instant::from_unix_seconds(1);
  auto dispute = Dispute::open(now, {truth.claim(), other.claim()}, out);
  const uint64_t index = std::get<AskClaim>(out.take()[0]).index;
  dispute->on_claim(now, Side::kSecond, index, digest("a", 1), out);
  dispute->on_claim(now, Side::kSecond, index, digest("a", 1), out);  // said again, the same
  EXPECT_TRUE(out.empty());
  dispute->on_claim(now, Side::kSecond, index + 1, digest("b", 1), out);  // nobody asked
  EXPECT_TRUE(out.empty());
  dispute->on_claim(now, Side::kSecond, index, digest("b", 1), out);
  ASSERT_TRUE(dispute->settled());
  const Settled settled = std::get<Settled>(out.take()[0]);
  EXPECT_EQ(settled.found, Found::kTwoAnswers);
  EXPECT_EQ(settled.wrong, (std::array<bool, 2>{false, true}));
  dispute->on_claim(now, Side::kFirst, index, digest("c", 1), out);
  dispute->on_replayed(digest("c", 1), out);
  dispute->on_deadline(now + seconds(1000), out);
  EXPECT_TRUE(out.empty()) << "it is settled";
}

TEST(Dispute, NobodyIsWrongWhenTheJudgeCannotTell) {
  const History truth = honest(0);
  Dispute::Out out;
  auto dispute = Dispute::open(Instant::from_unix_seconds(1), {truth.claim(), wrong_from(truth, 1).claim()}, out);
  out.take();
  dispute->on_replayed(fail(Errc::kInconclusive, "the host ran out of memory"), out);
  const Settled settled = std::get<Settled>(out.take()[0]);
  EXPECT_EQ(settled.found, Found::kInconclusive);
  EXPECT_EQ(settled.wrong, (std::array<bool, 2>{false, false}));
}

TEST(Dispute, ImpossibleAndEmptyClaims) {
  Dispute::Out out;
  const History truth = honest(3);
  EXPECT_EQ(Dispute::open({}, {truth.claim(), truth.claim()}, out).code(), Errc::kInvalid);
  const auto dispute = Dispute::open({}, {truth.claim(), TraceClaim{digest("x", 1), wasm::kSegmentsMax}}, out);
  EXPECT_TRUE(dispute->settled());
  EXPECT_EQ(std::get<Settled>(out.take()[0]).wrong, (std::array<bool, 2>{false, true}));
}

/// Liars that answer by chance: the truth, a lie that they stick to, a new lie, or nothing.
// req: D11
TEST(Dispute, AnHonestSideIsNeverWrongAndALiarAlwaysIs) {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    Rng rng(seed);
    const History truth = honest(rng.below(70));
    const History lie = wrong_from(honest(rng.below(70)), 1 + rng.below(80));
    const uint64_t kind = rng.below(4);
    const Party liar{lie, [&](uint64_t index) -> std::optional<crypto::Digest> {
                          const uint64_t choice = kind == 3 ? rng.below(4) : kind;
                          if (choice == 0) return truth.at(index);
                          if (choice == 1) return lie.at(index);
                          if (choice == 2) return digest("new", rng.below(1'000'000));
                          return rng.below(4) == 0 ? std::optional<crypto::Digest>() : lie.at(index);
                        }};
    const bool first = rng.below(2) == 0;
    const Outcome out = first ? judge(truth, liar, {truth, {}}, seed) : judge(truth, {truth, {}}, liar, seed);
    EXPECT_TRUE(out.settled.wrong[first ? 0 : 1]) << seed;
    EXPECT_FALSE(out.settled.wrong[first ? 1 : 0]) << seed;
    EXPECT_LE(out.questions, 7u) << seed;
  }
}

}  // namespace
}  // namespace selvedge::work
