#include "object/authorize.h"

#include <algorithm>

namespace selvedge::object {
namespace {

Error unauthorized(std::string message) { return fail(Errc::kUnauthorized, std::move(message)); }

/// One decision in the making. Each step returns the first reason against it; allow() collects what spoke for it.
class Judge {
 public:
  Judge(const Use& use, const Evidence& evidence, Instant now)
      : use_(use), evidence_(evidence), revocations_(*evidence.revocations), now_(now) {}

  Status check_question() const;
  Status check_machine();
  Status check_grant();
  Status check_amounts() const;
  Status check_power() const;
  Status check_policy();
  Status check_actor_for_storage();
  Status check_actor_for_compute();
  Status check_actor_for_ingress();
  Status check_revoked_objects() const;
  Result<Authorization> decide();

 private:
  /// `object` is in force: begun, unexpired, neither it nor its signer revoked. Then it becomes part of the chain.
  template <class T>
  Status allow(const Signed<T>& object, const char* what);
  Status fresh(const char* what, uint64_t issued, uint64_t expires) const;
  /// Whether either root of this use, or `also`, took `target` back.
  bool revoked(RevocationTarget kind, ByteView target, const PublicKey& also) const;
  Status key_stands(const PublicKey& key, const char* what) const;
  /// `key` is the origin's own, or the origin's record says that the node is its own.
  Status speaks_for_origin(const PublicKey& key, const char* what);
  bool is_origin_node(const PublicKey& key) const;
  Status check_access();

  const Use& use_;
  const Evidence& evidence_;
  const RevocationSet& revocations_;
  Instant now_;
  Authorization result_{{}, {}, UINT64_MAX, 0};
};

bool Judge::revoked(RevocationTarget kind, ByteView target, const PublicKey& also) const {
  return revocations_.revoked_by(use_.machine_owner, kind, target, now_) ||
         revocations_.revoked_by(use_.origin, kind, target, now_) || revocations_.revoked_by(also, kind, target, now_);
}

Status Judge::key_stands(const PublicKey& key, const char* what) const {
  if (!revocations_.mentions(key)) return ok();
  for (const RevocationTarget kind : {RevocationTarget::kKey, RevocationTarget::kPrincipal, RevocationTarget::kDevice}) {
    if (!revoked(kind, key, key)) continue;
    return fail(Errc::kRevoked, std::string(what) + " was revoked (" + enum_name(kind) + " " + key.brief() + "): it needs a new key");
  }
  return ok();
}

Status Judge::fresh(const char* what, uint64_t issued, uint64_t expires) const {
  const uint64_t now = now_.unix_seconds();
  if (issued > now + kClockSkewSecondsMax) {
    return unauthorized(std::string(what) + " is not valid yet: compare the clocks of the two machines");
  }
  if (now >= expires) return fail(Errc::kExpired, std::string(what) + " has expired: ask whoever signed it to renew it");
  return ok();
}

template <class T>
Status Judge::allow(const Signed<T>& object, const char* what) {
  TRY(fresh(what, object.body.issued, object.body.expires));
  for (const RevocationTarget kind : {RevocationTarget::kCapability, RevocationTarget::kObject}) {
    if (!revocations_.mentions(object.id) || !revoked(kind, object.id, object.signer)) continue;
    return fail(Errc::kRevoked, std::string(what) + " was revoked (" + enum_name(kind) + " " + object.id.brief() + ")");
  }
  TRY(key_stands(object.signer, what));
  if (std::find(result_.chain.begin(), result_.chain.end(), object.id) == result_.chain.end()) result_.chain.push_back(object.id);
  result_.expires = std::min(result_.expires, object.body.expires);
  return ok();
}

Status Judge::check_question() const {
  if (use_.classes == 0 || (use_.classes & ~kClassesAll)) return fail(Errc::kInvalid, "the use does not say which permissions it needs");
  if (use_.machine_owner.is_zero() || use_.machine.is_zero() || use_.origin.is_zero() || use_.actor.is_zero()) {
    return fail(Errc::kInvalid, "the use does not name its machine, its origin and who asks");
  }
  if (use_.objects.size() > kUseObjectsMax) return fail(Errc::kLimit, "a use names at most " + std::to_string(kUseObjectsMax) + " objects");
  if (use_.classes & kStorage) {
    if (use_.verbs == 0 || (use_.verbs & ~kVerbsAll)) return fail(Errc::kInvalid, "a use of storage says whether it reads, stores or deletes");
    if (use_.objects.empty()) return fail(Errc::kInvalid, "a use of storage names its objects");
  }
  if ((use_.classes & (kCompute | kAttested)) && !use_.task) return fail(Errc::kInvalid, "a use of computing names its task");
  return ok();
}

Status Judge::check_machine() {
  const auto* record = evidence_.machine_record;
  if (record == nullptr) return unauthorized("this machine has no record from its owner: run `selvedge init` on it");
  if (!(record->body.owner == use_.machine_owner)) return unauthorized("the machine's record is not from the owner it was set up with");
  if (!(record->body.node == use_.machine)) return unauthorized("the machine's record is for another node");
  TRY(key_stands(use_.machine, "the machine"));
  return allow(*record, "the machine's record");
}

Status Judge::check_grant() {
  const auto* grant = evidence_.grant;
  if (grant == nullptr) return unauthorized("the machine's owner has granted this origin nothing: ask for a grant");
  if (!(grant->body.owner == use_.machine_owner)) return unauthorized("the grant is not from this machine's owner");
  if (!(grant->body.node == use_.machine)) return unauthorized("the grant is for another machine");
  if (!(grant->body.origin == use_.origin)) return unauthorized("the grant is for another origin");
  if (use_.classes & ~grant->body.classes) {
    return unauthorized("the grant does not cover this sort of use (compute, storage, ingress and attested are granted one by one)");
  }
  TRY(allow(*grant, "the grant"));
  result_.grant = grant->id;
  return ok();
}

Status Judge::check_amounts() const {
  const Grant& grant = evidence_.grant->body;
  if (use_.amounts.cpu_permille > grant.cpu_permille) return fail(Errc::kQuota, "the grant covers less processor time than this needs");
  if (use_.amounts.memory_bytes > grant.memory_bytes) return fail(Errc::kQuota, "the grant covers less memory than this needs");
  if (use_.amounts.storage_bytes > grant.storage_bytes) return fail(Errc::kQuota, "the grant covers less storage than this needs");
  return ok();
}

Status Judge::check_power() const {
  if (!(use_.classes & (kCompute | kAttested)) || use_.power.charging) return ok();
  const Conditions& conditions = evidence_.grant->body.conditions;
  if (conditions.only_while_charging) return fail(Errc::kUnavailable, "the owner lets this machine be used only while it charges");
  if (use_.power.battery_percent < conditions.battery_percent_min) {
    return fail(Errc::kUnavailable, "the machine's battery is below what its owner keeps for himself");
  }
  return ok();
}

Status Judge::check_policy() {
  const auto* policy = evidence_.policy;
  if (policy == nullptr) return unauthorized("the zone has no policy from the data's owner here: send it along");
  if (!(policy->body.zone == use_.zone)) return unauthorized("the policy is for another zone");
  if (!(policy->body.owner == use_.origin)) return unauthorized("the zone belongs to another owner than the origin that asks");
  if (policy->body.epoch < evidence_.policy_epoch_min) return unauthorized("the policy was replaced by a newer one: send that");
  if (use_.classes & ~policy->body.classes) return unauthorized("the data's owner does not allow this sort of use in the zone");
  const auto& executors = policy->body.executors;
  if (!executors.empty() && !std::binary_search(executors.begin(), executors.end(), use_.machine_owner)) {
    return unauthorized("the data's owner does not want the zone's data on machines of this owner");
  }
  return allow(*policy, "the zone's policy");
}

bool Judge::is_origin_node(const PublicKey& key) const {
  if (key == use_.origin) return true;
  const auto* record = evidence_.origin_record;
  return record != nullptr && record->body.owner == use_.origin && record->body.node == key;
}

Status Judge::speaks_for_origin(const PublicKey& key, const char* what) {
  TRY(key_stands(key, what));
  if (key == use_.origin) return ok();
  if (evidence_.origin_record == nullptr) {
    return unauthorized(std::string(what) + " has shown no record from the origin: it is not known to be one of its nodes");
  }
  if (!is_origin_node(key)) return unauthorized(std::string(what) + " is not the node that the origin's record names");
  return allow(*evidence_.origin_record, "the origin's record of its node");
}

Status Judge::check_access() {
  const auto* access = evidence_.access;
  if (access == nullptr) return unauthorized("the node that asks is not the origin's and has no access from it");
  if (!(access->body.origin == use_.origin)) return unauthorized("the access is from another origin");
  if (!(access->body.zone == use_.zone)) return unauthorized("the access is for another zone");
  if (!(access->body.audience == use_.actor)) return unauthorized("the access was given to another node");
  if (use_.verbs & ~access->body.verbs) return unauthorized("the access does not cover what is to be done (read, store, delete)");
  if (!access->body.whole_zone) {
    for (const ObjectId& object : use_.objects) {
      if (std::binary_search(access->body.objects.begin(), access->body.objects.end(), object)) continue;
      return unauthorized("the access does not cover object " + object.brief());
    }
  }
  TRY(speaks_for_origin(access->body.issuer, "the issuer of the access"));
  return allow(*access, "the access");
}

Status Judge::check_actor_for_storage() {
  TRY(key_stands(use_.actor, "the node that asks"));
  if (is_origin_node(use_.actor)) return speaks_for_origin(use_.actor, "the node that asks");
  return check_access();
}

Status Judge::check_actor_for_compute() {
  const auto* offer = evidence_.offer;
  if (offer == nullptr) return unauthorized("there is no offer for this task");
  if (!(offer->body.task == *use_.task)) return unauthorized("the offer is for another task");
  if (!(offer->body.executor == use_.machine)) return unauthorized("the offer was made to another machine");
  if (!(offer->body.grant == evidence_.grant->id)) return unauthorized("the offer rests on another grant");
  if (!(offer->body.spec.origin == use_.origin)) return unauthorized("the task is for another origin");
  if (!(offer->body.zone == use_.zone)) return unauthorized("the offer is for another zone");
  if (!(offer->body.issuer == use_.actor)) return unauthorized("the offer is from another node than the one that presents it");
  for (const BlobRef& blob : offer->body.blobs) {
    for (const BlockGroup& group : blob.groups) {
      if (!(group.zone == use_.zone)) return unauthorized("the offer names data of another zone");
    }
  }
  if (offer->body.spec.memory_bytes > evidence_.grant->body.memory_bytes) {
    return fail(Errc::kQuota, "the task may use more memory than the grant covers");
  }
  TRY(speaks_for_origin(offer->body.issuer, "the issuer of the offer"));
  return allow(*offer, "the offer");
}

Status Judge::check_actor_for_ingress() { return speaks_for_origin(use_.actor, "the node that asks"); }

Status Judge::check_revoked_objects() const {
  if (use_.classes == kStorage && use_.verbs == kDelete) return ok();  // what is revoked may always be removed
  const auto stands = [this](const ObjectId& object) -> Status {
    if (!revocations_.mentions(object) || !revoked(RevocationTarget::kObject, object, use_.origin)) return ok();
    return fail(Errc::kRevoked, "object " + object.brief() + " was revoked and is no longer read or stored");
  };
  for (const ObjectId& object : use_.objects) TRY(stands(object));
  if (!(use_.classes & (kCompute | kAttested))) return ok();
  const TaskSpec& spec = evidence_.offer->body.spec;
  if (spec.module_object) TRY(stands(*spec.module_object));
  for (const TaskInput& input : spec.inputs) {
    if (input.object) TRY(stands(*input.object));
  }
  if (revocations_.size() == 0) return ok();  // nothing to compare the pieces' names with
  for (const BlobRef& blob : evidence_.offer->body.blobs) {
    for (const BlockGroup& group : blob.groups) TRY(stands(unsigned_id(group)));
  }
  return ok();
}

Result<Authorization> Judge::decide() {
  TRY(check_question());
  TRY(check_machine());
  TRY(check_grant());
  TRY(check_policy());
  if (use_.classes & (kCompute | kAttested)) TRY(check_actor_for_compute());
  if (use_.classes & kStorage) TRY(check_actor_for_storage());
  if (use_.classes & kIngress) TRY(check_actor_for_ingress());
  TRY(check_revoked_objects());
  TRY(check_amounts());
  TRY(check_power());
  result_.generation = revocations_.generation();
  return std::move(result_);
}

}  // namespace

Result<Authorization> authorize(const Use& use, const Evidence& evidence, Instant now) {
  if (evidence.revocations == nullptr) return fail(Errc::kInvalid, "a use is not decided without the revocations known here");
  return Judge(use, evidence, now).decide();
}

}  // namespace selvedge::object
