#include "work/dispute.h"

#include <algorithm>

#include "wasm/trace.h"

namespace selvedge::work {

Result<Dispute> Dispute::open(Instant now, const std::array<TraceClaim, 2>& sides, Out& out) {
  if (sides[0].trace == sides[1].trace) return fail(Errc::kInvalid, "both sides show the same trace");
  Dispute dispute(sides);
  const auto impossible = [](const TraceClaim& claim) { return claim.segments >= wasm::kSegmentsMax; };
  if (impossible(sides[0]) || impossible(sides[1])) {
    dispute.settle({impossible(sides[0]), impossible(sides[1])}, Found::kImpossible, out);
    return dispute;
  }
  dispute.differ_ = std::max(sides[0].segments, sides[1].segments) + 1;  // where both runs have ended
  dispute.at_differ_ = {sides[0].trace, sides[1].trace};
  dispute.next(now, out);
  return dispute;
}

void Dispute::next(Instant now, Out& out) {
  if (differ_ - same_ == 1) {
    stage_ = Stage::kReplaying;
    deadline_ = Instant::never();
    out.push(Replay{differ_});
    return;
  }
  asked_ = same_ + (differ_ - same_) / 2;
  deadline_ = now + kClaimTimeout;
  for (const Side side : {Side::kFirst, Side::kSecond}) {
    const TraceClaim& claim = sides_[size_t(side)];
    std::optional<crypto::Digest>& answer = answers_[size_t(side)];
    answer.reset();
    if (asked_ > claim.segments) answer = claim.trace;
    else out.push(AskClaim{side, asked_});
  }
}

void Dispute::on_claim(Instant now, Side side, uint64_t index, const crypto::Digest& digest, Out& out) {
  if (stage_ != Stage::kAsking || index != asked_ || index > sides_[size_t(side)].segments) return;
  std::optional<crypto::Digest>& answer = answers_[size_t(side)];
  if (answer.has_value() && *answer != digest) return settle({side == Side::kFirst, side == Side::kSecond}, Found::kTwoAnswers, out);
  answer = digest;
  if (answers_[0].has_value() && answers_[1].has_value()) compare(now, out);
}

void Dispute::compare(Instant now, Out& out) {
  if (*answers_[0] == *answers_[1]) {
    same_ = asked_;
  } else {
    differ_ = asked_;
    at_differ_ = {*answers_[0], *answers_[1]};
  }
  next(now, out);
}

void Dispute::on_replayed(const Result<crypto::Digest>& truth, Out& out) {
  if (stage_ != Stage::kReplaying) return;
  if (!truth.ok()) return settle({false, false}, Found::kInconclusive, out);
  settle({at_differ_[0] != *truth, at_differ_[1] != *truth}, Found::kByReplay, out);
}

void Dispute::on_deadline(Instant now, Out& out) {
  if (stage_ != Stage::kAsking || now < deadline_) return;
  settle({!answers_[0].has_value(), !answers_[1].has_value()}, Found::kSilent, out);
}

void Dispute::settle(std::array<bool, 2> wrong, Found found, Out& out) {
  stage_ = Stage::kSettled;
  deadline_ = Instant::never();
  out.push(Settled{wrong, found, differ_, at_differ_});
}

}  // namespace selvedge::work
