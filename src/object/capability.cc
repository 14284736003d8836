#include "object/capability.h"

#include <algorithm>

#include "object/validate.h"

namespace selvedge::object {
namespace {

Error wider(const char* how) { return fail(Errc::kUnauthorized, std::string("a capability was passed on wider than it was: ") + how); }

}  // namespace

Status Capability::validate() const {
  TRY(check_keys("a capability", {&origin, &issuer, &audience}));
  if (operations.empty()) return invalid("a capability allows nothing");
  TRY(check_patterns("a capability", operations));
  TRY(check_sorted("a capability", objects, kAccessObjectsMax));
  if (whole_zone == !objects.empty()) return invalid("a capability lists its objects, or says that it is for the whole zone: one of the two");
  if (delegations_left > kDelegationsMax) return fail(Errc::kLimit, "a capability is passed on at most " + std::to_string(kDelegationsMax) + " times");
  return check_lifetime("a capability", issued, expires, kCapabilityTtlMax);
}

Status Endorsement::validate() const {
  TRY(check_keys("an endorsement", {&endorser}));
  if (object.is_zero()) return invalid("an endorsement does not say what it stands under");
  return check_lifetime("an endorsement", issued, expires, kCapabilityTtlMax);
}

Status check_attenuation(const Signed<Capability>& child, const Signed<Capability>& parent) {
  const Capability& inner = child.body;
  const Capability& outer = parent.body;
  if (!inner.parent || !(*inner.parent == parent.id)) return fail(Errc::kUnauthorized, "a capability rests on another one than was shown");
  if (!(inner.issuer == outer.audience)) return fail(Errc::kUnauthorized, "a capability was passed on by somebody it was not given to");
  if (!(inner.zone == outer.zone) || !(inner.origin == outer.origin)) return wider("for another zone or origin");
  if (inner.delegations_left >= outer.delegations_left) return wider("it may not be passed on that often");
  if (inner.issued < outer.issued || inner.expires > outer.expires) return wider("for a longer time");
  if (!contains_all(outer.operations, inner.operations)) return wider("for more operations");
  if (outer.whole_zone) return ok();
  if (inner.whole_zone || !std::includes(outer.objects.begin(), outer.objects.end(), inner.objects.begin(), inner.objects.end())) {
    return wider("for more objects");
  }
  return ok();
}

bool covers(const Capability& capability, std::string_view operation, const ObjectId* object) {
  if (first_match(capability.operations, operation) == nullptr) return false;
  if (capability.whole_zone || object == nullptr) return true;
  return std::binary_search(capability.objects.begin(), capability.objects.end(), *object);
}

}  // namespace selvedge::object
