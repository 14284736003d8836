#include "object/bridge.h"

#include "object/validate.h"

namespace selvedge::object {

Status Provenance::validate() const {
  TRY(check_keys("a provenance", {&bridge}));
  if (crossings.empty() || crossings.size() > kCrossingsMax) return invalid("a provenance tells of 1 to " + std::to_string(kCrossingsMax) + " crossings");
  if (taint != crossings.size()) return invalid("a provenance counts other crossings than it tells of");
  ZoneId at = origin_zone;
  for (const Crossing& crossing : crossings) {
    if (!(crossing.from == at) || crossing.to == crossing.from) return fail(Errc::kIntegrity, "the crossings of a provenance do not join");
    at = crossing.to;
  }
  if (!(at == zone)) return fail(Errc::kIntegrity, "a provenance ends in another zone than it is shown in");
  return ok();
}

Result<Provenance> cross(const Cid& content, const Provenance* before, const Signed<ZonePolicy>& from, const Signed<ZonePolicy>& to,
                         const PublicKey& bridge, Instant now) {
  if (from.body.zone == to.body.zone) return fail(Errc::kInvalid, "it is in that zone already");
  if (before != nullptr && (!(before->content == content) || !(before->zone == from.body.zone))) {
    return fail(Errc::kInvalid, "the provenance that was shown belongs to other content or another zone");
  }
  const uint8_t taint = before == nullptr ? uint8_t(0) : before->taint;
  if (taint >= kCrossingsMax) return fail(Errc::kLimit, "it has crossed too many zones already");
  for (const Signed<ZonePolicy>* policy : {&from, &to}) {
    if (policy->body.expires <= now.unix_seconds()) return fail(Errc::kExpired, "the policy of zone " + policy->body.name + " has expired");
  }
  const auto refused = [&](const ZonePolicy& zone, const char* verb, const std::string& other) {
    return fail(Errc::kUnauthorized, "no flow rule of zone " + zone.name + " lets this " + verb + " " + other + " (taint " + std::to_string(taint) +
                                         "): its owner can add one to the policy's [[flow]] list");
  };
  if (find_flow(from.body, FlowDirection::kOut, to.body.zone, taint) == nullptr) return refused(from.body, "leave for", to.body.name);
  if (find_flow(to.body, FlowDirection::kIn, from.body.zone, taint) == nullptr) return refused(to.body, "enter from", from.body.name);
  Provenance out;
  if (before != nullptr) out = *before;
  else out.origin_zone = from.body.zone;
  out.zone = to.body.zone;
  out.bridge = bridge;
  out.content = content;
  out.crossings.push_back({from.body.zone, to.body.zone, now.unix_seconds(), from.id, to.id});
  out.taint = uint8_t(taint + 1);
  return out;
}

}  // namespace selvedge::object
