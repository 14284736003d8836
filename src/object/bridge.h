// Bridging: how data gets from one zone into another, and what it carries with it.
//
// A crossing needs a flow rule of the zone it leaves and one of the zone it enters. The content gets a new name and new keys (both bind the
// zone); what stays is its Provenance: where it came from, each crossing, and its taint, which only grows. A rule says how tainted something
// may be to pass, so that what came from far does not end up among the most trusted (spec: FM 5.3).
#pragma once

#include "object/envelope.h"
#include "object/policy.h"

namespace selvedge::object {

inline constexpr size_t kCrossingsMax = 64;

struct Crossing {
  ZoneId from;
  ZoneId to;
  uint64_t at = 0;       // unix seconds
  ObjectId policy_from;  // the policies whose rules let it pass
  ObjectId policy_to;

  template <class V>
  void visit(V& v) {
    v("from", from);
    v("to", to);
    v("at", at);
    v("policy_from", policy_from);
    v("policy_to", policy_to);
  }
};

/// Signed by whoever carried it over last.
struct Provenance {
  static constexpr std::string_view kName = "Provenance";
  static constexpr uint16_t kVersion = 1;
  ZoneId zone;                      // where it is now
  PublicKey bridge;
  Cid content;
  ZoneId origin_zone;
  std::vector<Crossing> crossings;  // in order; the last one leads to `zone`
  uint8_t taint = 0;                // the number of crossings, at most kTaintMax

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("bridge", bridge);
    v("content", content);
    v("origin_zone", origin_zone);
    v("crossings", crossings);
    v("taint", taint);
  }
  const PublicKey& author() const { return bridge; }
  Status validate() const;
};

/// The provenance of `content` after it crosses from the zone of `from` to that of `to`; `before` is what it had, if it crossed earlier.
/// Errors: kUnauthorized (no flow rule lets it leave, or enter: which, and what to write into the policy), kLimit, kInvalid.
Result<Provenance> cross(const Cid& content, const Provenance* before, const Signed<ZonePolicy>& from, const Signed<ZonePolicy>& to,
                         const PublicKey& bridge, Instant now);

}  // namespace selvedge::object
