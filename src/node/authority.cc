#include "node/authority.h"

#include <algorithm>
#include <tuple>

namespace selvedge::node {

Status Authority::add_given(object::Signed<object::Grant> grant) {
  if (grant.body.owner != owner_ || grant.body.node != node_) {
    return fail(Errc::kUnauthorized, "the grant is not one by this machine's owner for this machine");
  }
  if (!given_.count(grant.id) && given_.size() >= kGrantsMax) return fail(Errc::kLimit, "too many grants; revoke some first");
  given_.emplace(grant.id, std::move(grant));
  return ok();
}

Status Authority::add_received(object::Signed<object::Grant> grant) {
  if (grant.body.origin != owner_) return fail(Errc::kUnauthorized, "the grant is for another origin");
  const auto of_owner = std::count_if(received_.begin(), received_.end(), [&](const auto& known) { return known.second.body.owner == grant.body.owner; });
  if (!received_.count(grant.id) && (received_.size() >= kGrantsMax || size_t(of_owner) >= kGrantsPerOwnerMax)) {
    return fail(Errc::kLimit, "too many grants are known");
  }
  received_.emplace(grant.id, std::move(grant));
  return ok();
}

bool Authority::long_over(const object::Grant& grant, Instant now) {
  return grant.classes == object::kCompute && grant.expires + kEndedGrantKeptSeconds <= now.unix_seconds();
}

std::vector<object::Signed<object::Grant>> Authority::drop_ended(Instant now) {
  std::vector<object::Signed<object::Grant>> out;
  std::erase_if(received_, [&](const auto& each) {
    if (!long_over(each.second.body, now)) return false;
    out.push_back(each.second);
    return true;
  });
  return out;
}

Status Authority::add_policy(object::Signed<object::ZonePolicy> policy) {
  auto it = policies_.find(policy.body.zone);
  if (it == policies_.end() && policies_.size() >= kPoliciesMax) return fail(Errc::kLimit, "too many zones are known");
  // Two devices that hold the owner's key may sign at the same time: everywhere the same one of the two counts.
  if (it != policies_.end() && std::tie(policy.body.serial, policy.id) < std::tie(it->second.body.serial, it->second.id)) {
    return fail(Errc::kExists, "a newer policy of the zone is known");
  }
  policies_.insert_or_assign(policy.body.zone, std::move(policy));
  return ok();
}

bool Authority::knows_grant_of(const crypto::PublicKey& node) const {
  return std::any_of(received_.begin(), received_.end(), [&](const auto& each) { return each.second.body.node == node; });
}

// A machine's owner takes a grant back, or the machine itself does: it may always refuse.
bool Authority::taken_back(const object::Signed<object::Grant>& grant, Instant now) const {
  using object::RevocationTarget;
  for (const crypto::PublicKey& by : {grant.body.owner, grant.body.node}) {
    if (revocations_.revoked_by(by, RevocationTarget::kCapability, grant.id, now) || revocations_.revoked_by(by, RevocationTarget::kObject, grant.id, now)) return true;
  }
  return false;
}

bool Authority::revoked(const object::Signed<object::Grant>& grant, Instant now) const {
  using object::RevocationTarget;
  // The machine's owner and the machine itself may take it back, and the origin may want no more of it.
  for (const crypto::PublicKey& by : {grant.body.owner, grant.body.node, grant.body.origin}) {
    if (revocations_.revoked_by(by, RevocationTarget::kCapability, grant.id, now) || revocations_.revoked_by(by, RevocationTarget::kObject, grant.id, now)) return true;
    for (const crypto::PublicKey& key : {grant.body.owner, grant.body.node, grant.body.origin}) {
      for (const RevocationTarget kind : {RevocationTarget::kKey, RevocationTarget::kPrincipal, RevocationTarget::kDevice}) {
        if (revocations_.revoked_by(by, kind, key, now)) return true;
      }
    }
  }
  return false;
}

bool Authority::revoked_node(const crypto::PublicKey& node, Instant now) const {
  using object::RevocationTarget;
  for (const RevocationTarget kind : {RevocationTarget::kKey, RevocationTarget::kDevice}) {
    if (revocations_.revoked_by(owner_, kind, node, now) || revocations_.revoked_by(node, kind, node, now)) return true;
  }
  return false;
}

Status Authority::add_head(object::Signed<object::RevocationHead> head) {
  const auto it = heads_.find(head.body.owner);
  if (it == heads_.end() && heads_.size() >= kHeadsMax) return fail(Errc::kLimit, "statements about revocations of too many owners are known");
  if (it != heads_.end() && it->second.body.as_of > head.body.as_of) return fail(Errc::kExists, "a newer statement about revocations is known");
  heads_.insert_or_assign(head.body.owner, std::move(head));
  return ok();
}

const object::Signed<object::RevocationHead>* Authority::head(const crypto::PublicKey& owner) const {
  const auto it = heads_.find(owner);
  return it == heads_.end() ? nullptr : &it->second;
}

bool Authority::knows_origin(const crypto::PublicKey& origin) const {
  return std::any_of(given_.begin(), given_.end(), [&](const auto& given) { return given.second.body.origin == origin; });
}

bool Authority::knows_owner(const crypto::PublicKey& owner) const {
  return std::any_of(received_.begin(), received_.end(), [&](const auto& received) { return received.second.body.owner == owner; });
}

const object::Signed<object::Grant>* Authority::given_to(Instant now, const crypto::PublicKey& origin, object::ClassSet classes) const {
  const object::Signed<object::Grant>* best = nullptr;
  const object::Signed<object::Grant>* ended = nullptr;
  for (const auto& [id, grant] : given_) {
    if (grant.body.origin != origin || (grant.body.classes & classes) != classes) continue;
    if (grant.body.expires <= now.unix_seconds() || revoked(grant, now)) ended = &grant;
    else if (best == nullptr || grant.body.expires > best->body.expires) best = &grant;
  }
  // An ended grant still goes to authorize(): its refusal says whether it expired or was revoked.
  return best != nullptr ? best : ended;
}

const object::Signed<object::Grant>* Authority::lease_of(Instant now, const crypto::PublicKey& origin, object::ClassSet classes) const {
  const object::Signed<object::Grant>* grant = given_to(now, origin, classes);
  return grant != nullptr && grant->body.expires > now.unix_seconds() && !revoked(*grant, now) ? grant : nullptr;
}

bool Authority::serves(Instant now, const crypto::PublicKey& origin, object::ClassSet classes) const { return lease_of(now, origin, classes) != nullptr; }

const object::Signed<object::Grant>* Authority::granted_by(Instant now, const crypto::PublicKey& node, object::ClassSet classes) const {
  const object::Signed<object::Grant>* best = nullptr;
  for (const auto& [id, grant] : received_) {
    if (grant.body.node != node || (grant.body.classes & classes) != classes) continue;
    if (grant.body.expires <= now.unix_seconds() || revoked(grant, now)) continue;
    if (best == nullptr || grant.body.expires > best->body.expires) best = &grant;
  }
  return best;
}

const object::Signed<object::Grant>* Authority::given(const object::ObjectId& id) const {
  auto it = given_.find(id);
  return it == given_.end() ? nullptr : &it->second;
}

const object::Signed<object::Grant>* Authority::received(const object::ObjectId& id) const {
  auto it = received_.find(id);
  return it == received_.end() ? nullptr : &it->second;
}

const object::Signed<object::ZonePolicy>* Authority::policy(const object::ZoneId& zone) const {
  auto it = policies_.find(zone);
  return it == policies_.end() ? nullptr : &it->second;
}

Result<object::Authorization> Authority::may_use_storage(Instant now, const object::Signed<object::NodeRecord>& actor,
                                                         const crypto::PublicKey& origin, const object::ZoneId& zone,
                                                         object::VerbSet verbs, const std::vector<object::ObjectId>& objects,
                                                         uint64_t bytes_in_all, const std::vector<object::Signed<object::Capability>>& capabilities,
                                                         const object::Signed<object::NodeRecord>* origin_record,
                                                         std::vector<std::string_view> operations) {
  object::Use use;
  use.machine_owner = owner_;
  use.machine = node_;
  use.classes = object::kStorage;
  use.verbs = verbs;
  use.origin = origin;
  use.actor = actor.body.node;
  use.zone = zone;
  use.objects = objects;
  use.amounts.storage_bytes = bytes_in_all;
  use.operations = std::move(operations);
  object::Evidence evidence;
  evidence.machine_record = record_ ? &*record_ : nullptr;
  evidence.grant = given_to(now, origin, object::kStorage);
  evidence.policy = policy(zone);
  evidence.origin_record = actor.body.owner == origin ? &actor : origin_record;
  evidence.revocations = &revocations_;
  evidence.revocation_head = head(use.origin);
  if (evidence.policy != nullptr) evidence.policy_serial_min = evidence.policy->body.serial;
  evidence.actor_record = &actor;
  std::vector<const object::Signed<object::Capability>*> chain;
  for (const object::Signed<object::Capability>& capability : capabilities) chain.push_back(&capability);
  evidence.capabilities = chain;
  return object::authorize(use, evidence, now);
}

Result<object::Authorization> Authority::may_run(Instant now, const object::Signed<object::NodeRecord>& actor,
                                                 const object::Signed<object::TaskOffer>& offer) {
  object::Use use;
  use.machine_owner = owner_;
  use.machine = node_;
  use.classes = object::kCompute;
  use.origin = offer.body.spec.origin;
  use.actor = actor.body.node;
  use.zone = offer.body.zone;
  use.task = offer.body.task;
  use.amounts.memory_bytes = offer.body.spec.memory_bytes;
  use.power = power_;
  object::Evidence evidence;
  evidence.machine_record = record_ ? &*record_ : nullptr;
  evidence.grant = given(offer.body.grant);
  evidence.policy = policy(offer.body.zone);
  evidence.origin_record = &actor;
  evidence.actor_record = &actor;
  evidence.offer = &offer;
  std::optional<object::Signed<object::Manifest>> manifest;
  if (!offer.body.manifest.empty()) {
    manifest.emplace(TRY(object::open_object<object::Manifest>(offer.body.manifest, verifier_)));
    evidence.manifest = &*manifest;
  }
  evidence.revocations = &revocations_;
  evidence.revocation_head = head(use.origin);
  if (evidence.policy != nullptr) evidence.policy_serial_min = evidence.policy->body.serial;
  return object::authorize(use, evidence, now);
}

}  // namespace selvedge::node
