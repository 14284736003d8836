#include "object/authorize.h"

#include <algorithm>

#include "object/quorum.h"

namespace selvedge::object {
namespace {

Error unauthorized(std::string message) { return fail(Errc::kUnauthorized, std::move(message)); }

/// Calls `each` with every operation that the classes and verbs of a use stand for, until it fails.
template <class Each>
Status for_each_operation(const Use& use, Each each) {
  if (use.classes & kCompute) TRY(each("compute.run", kCompute));
  if (use.classes & kAttested) TRY(each("compute.attested", kAttested));
  if (use.classes & kIngress) TRY(each("ingress.serve", kIngress));
  if (use.classes & kStorage) {
    if (use.verbs & kRead) TRY(each("storage.read", kStorage));
    if (use.verbs & kStore) TRY(each("storage.store", kStorage));
    if (use.verbs & kDelete) TRY(each("storage.delete", kStorage));
  }
  for (const std::string_view operation : use.operations) TRY(each(operation, ClassSet(0)));
  return ok();
}

/// One decision in the making. Each step returns the first reason against it; allow() collects what spoke for it.
class Judge {
 public:
  Judge(const Use& use, const Evidence& evidence, Instant now)
      : use_(use), evidence_(evidence), revocations_(*evidence.revocations), now_(now) {}

  /// Every step in order; `steps`, when given, hears of each.
  Result<Authorization> decide(std::vector<DecisionStep>* steps);

 private:
  Status check_question();
  Status check_machine();
  Status check_grant();
  Status check_actor();
  Status check_policy();
  Status check_freshness();
  Status check_leave();
  Status check_offer();
  Status check_bundle();
  Status check_revoked_objects();
  Status check_amounts();
  Status check_power();

  /// `object` is in force: begun, unexpired, neither it nor its signer revoked. Then it becomes part of the chain.
  template <class T>
  Status allow(const Signed<T>& object, const char* what);
  Status fresh(const char* what, uint64_t issued, uint64_t expires) const;
  void rest_on(const ObjectId& id, uint64_t expires);
  /// Whether either root of this use, the machine itself, or `also`, took `target` back.
  bool revoked(RevocationTarget kind, ByteView target, const PublicKey& also) const;
  Status key_stands(const PublicKey& key, const char* what) const;
  /// `key` is the origin's own, or the origin's record says that the node is its own.
  Status speaks_for_origin(const PublicKey& key, const char* what);
  bool is_origin_node(const PublicKey& key) const;
  bool own_machine() const { return use_.machine_owner == use_.origin; }
  bool computes() const { return use_.classes & (kCompute | kAttested); }
  Status check_capabilities();
  Status check_root_issuer(const Signed<Capability>& root);
  Status check_issuer_set(const IssuerSet& set, const Signed<Capability>& root);

  const Use& use_;
  const Evidence& evidence_;
  const RevocationSet& revocations_;
  Instant now_;
  PublicKey principal_;  // the owner behind the actor, as far as it was shown
  Authorization result_{{}, {}, UINT64_MAX, 0};
};

bool Judge::revoked(RevocationTarget kind, ByteView target, const PublicKey& also) const {
  return revocations_.revoked_by(use_.machine_owner, kind, target, now_) ||
         revocations_.revoked_by(use_.origin, kind, target, now_) || revocations_.revoked_by(use_.machine, kind, target, now_) ||
         revocations_.revoked_by(also, kind, target, now_);
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
  rest_on(object.id, object.body.expires);
  return ok();
}

void Judge::rest_on(const ObjectId& id, uint64_t expires) {
  if (std::find(result_.chain.begin(), result_.chain.end(), id) == result_.chain.end()) result_.chain.push_back(id);
  result_.expires = std::min(result_.expires, expires);
}

Status Judge::check_question() {
  if (use_.classes == 0 || (use_.classes & ~kClassesAll)) return fail(Errc::kInvalid, "the use does not say which permissions it needs");
  if (use_.machine_owner.is_zero() || use_.machine.is_zero() || use_.origin.is_zero() || use_.actor.is_zero()) {
    return fail(Errc::kInvalid, "the use does not name its machine, its origin and who asks");
  }
  if (use_.objects.size() > kUseObjectsMax) return fail(Errc::kLimit, "a use names at most " + std::to_string(kUseObjectsMax) + " objects");
  if (use_.operations.size() > kUseOperationsMax) return fail(Errc::kLimit, "a use names too many operations");
  for (const std::string_view operation : use_.operations) {
    if (!is_operation(operation)) return fail(Errc::kInvalid, "the use names an operation that is none");
  }
  if (use_.classes & kStorage) {
    if (use_.verbs == 0 || (use_.verbs & ~kVerbsAll)) return fail(Errc::kInvalid, "a use of storage says whether it reads, stores or deletes");
    if (use_.objects.empty()) return fail(Errc::kInvalid, "a use of storage names its objects");
  }
  if (computes() && !use_.task) return fail(Errc::kInvalid, "a use of computing names its task");
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
  if (grant == nullptr && own_machine()) return key_stands(use_.origin, "the origin");
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

Status Judge::check_amounts() {
  if (evidence_.grant == nullptr) return ok();
  const Grant& grant = evidence_.grant->body;
  if (use_.amounts.cpu_permille > grant.cpu_permille) return fail(Errc::kQuota, "the grant covers less processor time than this needs");
  if (use_.amounts.memory_bytes > grant.memory_bytes) return fail(Errc::kQuota, "the grant covers less memory than this needs");
  if (use_.amounts.storage_bytes > grant.storage_bytes) return fail(Errc::kQuota, "the grant covers less storage than this needs");
  return ok();
}

Status Judge::check_power() {
  if (evidence_.grant == nullptr || !computes() || use_.power.charging) return ok();
  const Conditions& conditions = evidence_.grant->body.conditions;
  if (conditions.only_while_charging) return fail(Errc::kUnavailable, "the owner lets this machine be used only while it charges");
  if (use_.power.battery_percent < conditions.battery_percent_min) {
    return fail(Errc::kUnavailable, "the machine's battery is below what its owner keeps for himself");
  }
  return ok();
}

bool Judge::is_origin_node(const PublicKey& key) const {
  if (key == use_.origin) return true;
  const auto* record = evidence_.origin_record;
  return record != nullptr && record->body.owner == use_.origin && record->body.node == key;
}

/// Who stands behind the node that asks. A record that was not shown makes a principal of the node's own key, which no rule names.
Status Judge::check_actor() {
  TRY(key_stands(use_.actor, "the node that asks"));
  principal_ = use_.actor;
  if (is_origin_node(use_.actor)) {
    principal_ = use_.origin;
    return ok();
  }
  const auto* record = evidence_.actor_record;
  if (record == nullptr) return ok();
  if (!(record->body.node == use_.actor)) return unauthorized("the record that was shown is not that of the node that asks");
  TRY(allow(*record, "the record of the node that asks"));
  principal_ = record->body.owner;
  return key_stands(principal_, "the owner of the node that asks");
}

Status Judge::check_policy() {
  const auto* policy = evidence_.policy;
  if (policy == nullptr) return unauthorized("the zone has no policy from the data's owner here: send it along");
  if (!(policy->body.zone == use_.zone)) return unauthorized("the policy is for another zone");
  if (!(policy->body.owner == use_.origin)) return unauthorized("the zone belongs to another owner than the origin that asks");
  if (policy->body.serial < evidence_.policy_serial_min) return unauthorized("the policy was replaced by a newer one: send that");
  const auto judge = [this, policy](std::string_view operation, ClassSet classes) -> Status {
    const PolicyVerdict verdict = judge_policy(policy->body, {operation, classes, principal_, use_.machine_owner}, now_);
    if (verdict.allowed) return ok();
    return unauthorized("the data's owner does not allow " + std::string(operation) + " in this zone: " + verdict.text());
  };
  TRY(for_each_operation(use_, judge));
  return allow(*policy, "the zone's policy");
}

/// Where the policy asks for it: somebody the origin trusts has said lately what is revoked, and it is what is known here.
Status Judge::check_freshness() {
  const uint64_t age_max = evidence_.policy->body.revocation_age_seconds_max;
  if (age_max == 0) return ok();
  const auto* head = evidence_.revocation_head;
  const std::string wanted = "the zone's policy asks for a statement about revocations of the last " + std::to_string(age_max) + " s";
  if (head == nullptr) return fail(Errc::kUnavailable, wanted + ", and there is none: connect to a device of the data's owner");
  if (!(head->body.owner == use_.origin)) return unauthorized("the statement about revocations is about another owner's");
  TRY(speaks_for_origin(head->body.issuer, "the issuer of the statement about revocations"));
  const uint64_t now = now_.unix_seconds();
  if (head->body.as_of > now + kClockSkewSecondsMax) return unauthorized("the statement about revocations is from the future: compare the clocks");
  if (head->body.as_of + age_max <= now) {
    return fail(Errc::kUnavailable, wanted + ", and the newest is " + std::to_string(now - head->body.as_of) + " s old: connect to a device of the data's owner");
  }
  const RevocationSet::Root known = revocations_.root_of(use_.origin, head->body.as_of);
  if (known.count != head->body.count || !(known.root == head->body.root)) {
    return fail(Errc::kUnavailable, "revocations of the data's owner are missing here: connect to one of their devices");
  }
  rest_on(head->id, head->body.as_of + age_max);
  return ok();
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

Status Judge::check_issuer_set(const IssuerSet& set, const Signed<Capability>& root) {
  if (!contains_all(set.operations, root.body.operations)) return unauthorized("the issuers \"" + set.name + "\" may not give this");
  std::vector<PublicKey> signers{root.signer};
  for (const Signed<Endorsement>* endorsement : evidence_.endorsements) {
    if (!(endorsement->body.object == root.id)) continue;
    if (!std::binary_search(set.issuers.begin(), set.issuers.end(), endorsement->signer)) continue;
    TRY(allow(*endorsement, "an endorsement"));
    signers.push_back(endorsement->signer);
  }
  std::sort(signers.begin(), signers.end());
  signers.erase(std::unique(signers.begin(), signers.end()), signers.end());
  return check_quorum(signers, set.issuers, set.threshold);
}

Status Judge::check_root_issuer(const Signed<Capability>& root) {
  const auto& sets = evidence_.policy->body.issuers;
  if (sets.empty() || root.signer == use_.origin) return speaks_for_origin(root.signer, "the issuer of the capability");
  Status refused = unauthorized("the issuer of the capability is in no issuer set of the zone's policy");
  for (const IssuerSet& set : sets) {
    if (!std::binary_search(set.issuers.begin(), set.issuers.end(), root.signer)) continue;
    const Status allowed = check_issuer_set(set, root);
    if (allowed.ok()) return ok();
    refused = allowed;
  }
  return refused;
}

Status Judge::check_capabilities() {
  const auto& chain = evidence_.capabilities;
  if (chain.empty()) return unauthorized("the node that asks is not the origin's and has no capability from it");
  if (chain.size() > kChainMax) return fail(Errc::kLimit, "a capability was passed on more than " + std::to_string(kDelegationsMax) + " times");
  const Capability& held = chain.front()->body;
  if (!(held.origin == use_.origin)) return unauthorized("the capability is from another origin");
  if (!(held.zone == use_.zone)) return unauthorized("the capability is for another zone");
  if (!(held.audience == use_.actor) && !(held.audience == principal_)) return unauthorized("the capability was given to another node");
  TRY(for_each_operation(use_, [&](std::string_view operation, ClassSet) -> Status {
    if (!covers(held, operation, nullptr)) return unauthorized("the capability does not cover " + std::string(operation));
    for (const ObjectId& object : use_.objects) {
      if (!covers(held, operation, &object)) return unauthorized("the capability does not cover object " + object.brief());
    }
    return ok();
  }));
  const uint64_t ttl_max = evidence_.policy->body.capability_seconds_max;
  for (size_t i = 0; i < chain.size(); ++i) {
    if (i + 1 < chain.size()) TRY(check_attenuation(*chain[i], *chain[i + 1]));
    else if (chain[i]->body.parent) return unauthorized("the capability was passed on, and what it was passed on from is not shown");
    if (chain[i]->body.expires - chain[i]->body.issued > ttl_max) return unauthorized("the capability lives longer than the zone's policy allows");
    TRY(allow(*chain[i], "the capability"));
  }
  return check_root_issuer(*chain.back());
}

/// The actor is the origin's own node, or holds a capability for what it wants to do.
Status Judge::check_leave() {
  if (use_.classes & kIngress) return speaks_for_origin(use_.actor, "the node that asks");
  if (!(use_.classes & kStorage)) return ok();
  if (is_origin_node(use_.actor)) return speaks_for_origin(use_.actor, "the node that asks");
  return check_capabilities();
}

Status Judge::check_offer() {
  if (!computes()) return ok();
  const auto* offer = evidence_.offer;
  if (offer == nullptr) return unauthorized("there is no offer for this task");
  if (!(offer->body.task == *use_.task)) return unauthorized("the offer is for another task");
  if (!(offer->body.executor == use_.machine)) return unauthorized("the offer was made to another machine");
  if (!(offer->body.grant == result_.grant)) return unauthorized("the offer rests on another grant");
  if (!(offer->body.spec.origin == use_.origin)) return unauthorized("the task is for another origin");
  if (!(offer->body.zone == use_.zone)) return unauthorized("the offer is for another zone");
  if (!(offer->body.issuer == use_.actor)) return unauthorized("the offer is from another node than the one that presents it");
  for (const BlobRef& blob : offer->body.blobs) {
    for (const BlockGroup& group : blob.groups) {
      if (!(group.zone == use_.zone)) return unauthorized("the offer names data of another zone");
    }
  }
  if (evidence_.grant != nullptr && offer->body.spec.memory_bytes > evidence_.grant->body.memory_bytes) {
    return fail(Errc::kQuota, "the task may use more memory than the grant covers");
  }
  TRY(speaks_for_origin(offer->body.issuer, "the issuer of the offer"));
  return allow(*offer, "the offer");
}

/// What runs is what a publisher the data's owner trusts has pinned, and what it asks for is within grant and policy (row A19).
Status Judge::check_bundle() {
  if (!computes() || !evidence_.offer->body.spec.bundle) return ok();
  const TaskSpec& spec = evidence_.offer->body.spec;
  const auto* manifest = evidence_.manifest;
  if (manifest == nullptr) return unauthorized("the task names a bundle whose manifest was not shown");
  if (!(manifest->id == *spec.bundle)) return unauthorized("the manifest that was shown is that of another bundle");
  const Manifest& body = manifest->body;
  const ZonePolicy& policy = evidence_.policy->body;
  if (!(body.origin == use_.origin)) return unauthorized("the bundle was published for another origin");
  const bool trusted = body.publisher == use_.origin || std::binary_search(policy.publishers.begin(), policy.publishers.end(), body.publisher);
  if (!trusted) return unauthorized("the bundle's publisher is not the origin and not on the policy's list of publishers");
  const BundleEntry* entry = body.find_entry(spec.entry);
  if (entry == nullptr) return unauthorized("the bundle has no entry \"" + spec.entry + "\"");
  if (entry->domain != DomainClass::kDeterministic) return unauthorized("the entry is a service: it is deployed and not run as a task");
  if (entry->operation.safety == SafetyTier::kForbidden) return unauthorized("the entry is not to be called from outside its bundle");
  if (!(body.find_module(entry->module)->cid == spec.module)) return fail(Errc::kIntegrity, "the module is not the one that the bundle pins");
  if (body.verifiability == Verifiability::kProofRequired) return fail(Errc::kUnsupported, "the bundle asks for proofs, which no machine here can give");
  const BundleNeeds& needs = body.needs;
  if (needs.classes & ~policy.classes) return unauthorized("the bundle asks for permissions that the zone's policy does not allow");
  if (spec.memory_bytes > needs.memory_bytes) return fail(Errc::kQuota, "the task may use more memory than its bundle asks for");
  if (evidence_.grant != nullptr) {
    const Grant& grant = evidence_.grant->body;
    if (needs.classes & ~grant.classes) return unauthorized("the bundle asks for permissions that the grant does not cover");
    if (needs.memory_bytes > grant.memory_bytes || needs.cpu_permille > grant.cpu_permille || needs.storage_bytes > grant.storage_bytes) {
      return fail(Errc::kQuota, "the bundle asks for more than the grant covers");
    }
  }
  const std::string operation = "bundle." + body.name + "." + spec.entry;
  const PolicyVerdict verdict = judge_policy(policy, {operation, 0, principal_, use_.machine_owner}, now_);
  if (!verdict.allowed) return unauthorized("the data's owner does not allow " + operation + " in this zone: " + verdict.text());
  return allow(*manifest, "the bundle's manifest");
}

Status Judge::check_revoked_objects() {
  if (use_.classes == kStorage && use_.verbs == kDelete) return ok();  // what is revoked may always be removed
  const auto stands = [this](const ObjectId& object) -> Status {
    if (!revocations_.mentions(object) || !revoked(RevocationTarget::kObject, object, use_.origin)) return ok();
    return fail(Errc::kRevoked, "object " + object.brief() + " was revoked and is no longer read or stored");
  };
  for (const ObjectId& object : use_.objects) TRY(stands(object));
  if (!computes()) return ok();
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

Result<Authorization> Judge::decide(std::vector<DecisionStep>* steps) {
  struct Step {
    const char* what;
    Status (Judge::*check)();
  };
  static constexpr Step kSteps[] = {
      {"the question is complete", &Judge::check_question},
      {"the machine is its owner's", &Judge::check_machine},
      {"the machine's owner granted it", &Judge::check_grant},
      {"the node that asks is in good standing", &Judge::check_actor},
      {"the zone's policy allows it", &Judge::check_policy},
      {"what is known of revocations is fresh enough", &Judge::check_freshness},
      {"there is an offer for the task", &Judge::check_offer},
      {"the bundle is what was pinned and asks for no more than it may", &Judge::check_bundle},
      {"the node that asks acts for the origin, or by its leave", &Judge::check_leave},
      {"nothing it names was revoked", &Judge::check_revoked_objects},
      {"the grant covers the amounts", &Judge::check_amounts},
      {"the machine's power allows it", &Judge::check_power},
  };
  for (const Step& step : kSteps) {
    const Status passed = (this->*step.check)();
    if (steps != nullptr) steps->push_back({step.what, passed.ok(), passed.ok() ? "" : passed.error().message});
    if (!passed.ok()) return passed.error();
  }
  result_.generation = revocations_.generation();
  return std::move(result_);
}

}  // namespace

Result<Authorization> authorize(const Use& use, const Evidence& evidence, Instant now) {
  if (evidence.revocations == nullptr) return fail(Errc::kInvalid, "a use is not decided without the revocations known here");
  return Judge(use, evidence, now).decide(nullptr);
}

std::vector<DecisionStep> explain(const Use& use, const Evidence& evidence, Instant now) {
  std::vector<DecisionStep> steps;
  if (evidence.revocations == nullptr) return {{"the revocations known here are looked at", false, "there is no set of them"}};
  (void)Judge(use, evidence, now).decide(&steps).ok();
  return steps;
}

}  // namespace selvedge::object
