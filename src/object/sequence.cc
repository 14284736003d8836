#include "object/sequence.h"

namespace selvedge::object {

uint64_t epoch_of(uint64_t unix_seconds, uint32_t epoch_seconds) {
  CHECK(epoch_seconds >= 1 && epoch_seconds <= kEpochSecondsMax);
  return unix_seconds / epoch_seconds;
}

Status SequenceLink::validate() const {
  if (issuer.is_zero() || sequence.is_zero()) return fail(Errc::kInvalid, "a sequence link names its sequence and its author");
  if ((number == 0) == previous.has_value()) return fail(Errc::kInvalid, "every sequence link but the first names the one before it");
  return ok();
}

Status SequenceCursor::take(const Signed<SequenceLink>& link) {
  const SequenceLink& body = link.body;
  if (!(body.zone == zone_) || !(body.sequence == sequence_)) return fail(Errc::kUnauthorized, "the link belongs to another sequence");
  if (!(body.issuer == issuer_)) return fail(Errc::kUnauthorized, "the link is by another author than the sequence's");
  if (body.number < next_) return fail(Errc::kExists, "place " + std::to_string(body.number) + " of the sequence is taken");
  if (body.number > next_) {
    return fail(Errc::kUnavailable, "links " + std::to_string(next_) + " to " + std::to_string(body.number - 1) + " of the sequence are missing");
  }
  if (body.previous != last_) return fail(Errc::kIntegrity, "the chain is broken: the link follows another one than the last");
  last_ = link.id;
  ++next_;
  return ok();
}

}  // namespace selvedge::object
