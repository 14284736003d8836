// What this node's owner says with their key: policies, revocations and how fresh they are; and the local API for it.
#include <algorithm>

#include "codec/multibase.h"
#include "node/node.h"
#include "node/parts.h"

namespace selvedge::node {

namespace {

constexpr uint64_t kHeadsPerAge = 3;  // so that one that gets lost does no harm

Result<object::RevocationTarget> parse_target_kind(const std::string& text) {
  using object::RevocationTarget;
  for (const RevocationTarget kind : {RevocationTarget::kObject, RevocationTarget::kCapability, RevocationTarget::kKey, RevocationTarget::kPrincipal, RevocationTarget::kDevice}) {
    if (text == object::enum_name(kind)) return kind;
  }
  return fail(Errc::kInvalid, "\"" + text + "\" cannot be revoked: object, capability, key, principal or device");
}

Result<object::RevocationReason> parse_reason(const std::string& text) {
  for (uint8_t i = 0; i <= uint8_t(object::RevocationReason::kLast); ++i) {
    const auto reason = object::RevocationReason(i);
    if (text == object::enum_name(reason)) return reason;
  }
  return fail(Errc::kInvalid, "\"" + text + "\" is no reason: unspecified, user_request, superseded, key_compromise, device_loss or violation");
}

/// A key as people write it, or 64 hexadecimal digits.
Result<object::RevokedId> parse_target(const std::string& text) {
  const Result<crypto::PublicKey> key = codec::parse_key(text);
  if (key.ok()) return object::RevokedId::from(*key);
  const Result<Bytes> bytes = from_hex(text);
  if (bytes.ok() && bytes->size() == object::RevokedId::kSize) return object::RevokedId::from(*bytes);
  return fail(Errc::kInvalid, "\"" + text + "\" is neither a key (52 letters and digits) nor an id (64 hexadecimal digits)");
}

}  // namespace

// ---- policies

const object::Signed<object::ZonePolicy>* Node::find_policy(const std::string& zone) const {
  for (const auto& [id, policy] : core_.authority.policies()) {
    if ((policy.body.owner == core_.owner() && policy.body.name == zone) || (zone.size() >= 8 && id.hex().compare(0, zone.size(), zone) == 0)) return &policy;
  }
  return nullptr;
}

PolicyInfo Node::policy_info(const object::Signed<object::ZonePolicy>& policy) const {
  return {policy.body.name, policy.body.zone, policy.body.owner, policy.body.owner == core_.owner(), policy.body, convert<crypto::Digest>(policy.id)};
}

void Node::answer_to(Turn& turn, RequestId id, const PolicyListRequest&) {
  PolicyListAnswer list;
  for (const auto& [zone, policy] : core_.authority.policies()) list.policies.push_back(policy_info(policy));
  answer(turn, id, list);
}

void Node::answer_to(Turn& turn, RequestId id, const PolicySetRequest& request) {
  const Result<Bytes> bytes = from_hex(request.policy);
  Result<object::ZonePolicy> policy = bytes.ok() ? codec::decode<object::ZonePolicy>(*bytes) : Result<object::ZonePolicy>(bytes.error());
  if (policy.ok() && policy->owner != core_.owner()) policy = fail(Errc::kUnauthorized, "the policy is for another owner's zone: only its owner can set it");
  if (!policy.ok()) {
    turn.out.push(Refuse{id, policy.error()});
    return;
  }
  zones_.publish(turn, std::move(policy).value(), request.seconds == 0 ? kPolicyTtl : request.seconds, [this, id](Turn& t, Result<object::ZoneId> zone) {
    if (!zone.ok()) t.out.push(Refuse{id, zone.error()});
    else answer(t, id, policy_info(*core_.authority.policy(*zone)));
  });
  renew_head(turn);
}

void Node::answer_to(Turn& turn, RequestId id, const PolicyExplainRequest& request) {
  const auto key_or = [](const std::string& text, const crypto::PublicKey& otherwise) { return text.empty() ? Result<crypto::PublicKey>(otherwise) : codec::parse_key(text); };
  const object::Signed<object::ZonePolicy>* policy = find_policy(request.zone);
  const Result<crypto::PublicKey> principal = key_or(request.principal, core_.owner());
  const Result<crypto::PublicKey> machine_owner = key_or(request.machine_owner, crypto::PublicKey{});
  Status wrong;
  if (policy == nullptr) wrong = fail(Errc::kNotFound, "no zone \"" + request.zone + "\" is known here: selvedge policy show lists them");
  else if (!object::is_operation(request.operation)) wrong = fail(Errc::kInvalid, "\"" + request.operation + "\" is no operation, such as storage.read or compute.run");
  else if (!principal.ok()) wrong = principal.error();
  else if (!machine_owner.ok()) wrong = machine_owner.error();
  if (!wrong.ok()) {
    turn.out.push(Refuse{id, wrong.error()});
    return;
  }
  const object::PolicyQuestion question{request.operation, object::classes_of(request.operation), *principal, *machine_owner};
  const object::PolicyVerdict verdict = object::judge_policy(policy->body, question, turn.now);
  answer(turn, id, PolicyExplainAnswer{policy->body.name, verdict.allowed, verdict.text(), verdict.list, verdict.index, policy->body.serial});
}

// ---- permissions

void Node::answer_to(Turn& turn, RequestId id, const GrantAskRequest& request) {
  consent_.ask(turn, request, [this, id](Turn& t, Result<RequestInfo> info) { answer_or_refuse(t, id, info); });
}

void Node::answer_to(Turn& turn, RequestId id, const GrantAnswerRequest& request) {
  consent_.answer(turn, request, [this, id](Turn& t, Result<RequestInfo> info) { answer_or_refuse(t, id, info); });
}

void Node::answer_to(Turn& turn, RequestId id, const GrantRequestsRequest&) { answer(turn, id, consent_.list(turn.now)); }

void Node::answer_to(Turn& turn, RequestId id, const GrantWithdrawRequest& request) {
  consent_.withdraw(turn, request, [this, id](Turn& t, Result<uint64_t> ended) {
    if (ended.ok()) answer(t, id, GrantWithdrawRequest::Done{*ended});
    else t.out.push(Refuse{id, ended.error()});
  });
}

// ---- revocations

void Node::answer_to(Turn& turn, RequestId id, const RevokeRequest& request) {
  const auto read = [&]() -> Result<object::Revocation> {
    object::Revocation body;
    body.target_kind = TRY(parse_target_kind(request.kind));
    body.target = TRY(parse_target(request.target));
    body.reason = TRY(parse_reason(request.reason));
    body.cutoff = request.cutoff;
    return body;
  };
  Result<object::Revocation> body = read();
  if (!body.ok()) {
    turn.out.push(Refuse{id, body.error()});
    return;
  }
  revoke(turn, std::move(body).value(), [this, id](Turn& t, Result<RevokeRequest::Done> done) { answer_or_refuse(t, id, done); });
}

void Node::revoke(Turn& turn, object::Revocation body, std::function<void(Turn&, Result<RevokeRequest::Done>)> then) {
  const Status root = core_.need_root("selvedge revoke");
  if (!root.ok()) return then(turn, root.error());
  body.issuer = core_.owner();
  body.issued = turn.now.unix_seconds();
  if (body.cutoff == 0) body.cutoff = body.issued;
  const auto made = object::sign_object(*core_.config.owner, std::move(body));
  const Status added = made.ok() ? core_.authority.add_revocation(*made) : Status(made.error());
  if (!added.ok()) return then(turn, added.error());
  // What runs under it stops first; writing it down can wait for the disk.
  after_revocation(turn, *made);
  const AuditNote note{object::AuditKind::kRevocation, convert<crypto::Digest>(made->id), std::string("made: ") + object::enum_name(made->body.target_kind) + " " + made->body.target.hex(), AuditBytes::kWithin};
  core_.put_audited(turn, Record::kRevocation, made->id, made->bytes, note, [this, made = *made, then](Turn& t, const Status& kept) {
    uint64_t told = 0;
    for (const auto& [key, peer] : core_.sessions.peers()) {
      if (core_.sessions.up(key) && core_.send(t, key, mesh::MeshMessages::encode(mesh::Records{{made.bytes}}))) ++told;
    }
    copy_.on_changed(t);
    head_issued_ = Instant{0};  // what was said before does not hold any more
    renew_head(t);
    const object::Revocation& said = made.body;
    if (!kept.ok()) return then(t, fail(kept.code(), "it is revoked now, but that could not be written down and a restart would forget it: " + kept.error().message));
    const RevokeRequest::Done done{convert<crypto::Digest>(made.id), object::enum_name(said.target_kind), convert<crypto::Digest>(said.target), said.cutoff, told};
    // A zone that named a revoked device has new keys before anybody is told that it is done.
    zones_.tend(t, [then, done](Turn& t2, const Status& tended) {
      if (tended.ok()) then(t2, done);
      else then(t2, tended.error());
    });
  });
}

void Node::answer_to(Turn& turn, RequestId id, const RevocationsRequest&) {
  RevocationsAnswer list;
  for (const store::RecordRef& record : core_.records(Record::kRevocation)) {
    const auto known = object::open_object<object::Revocation>(*record.value, core_.authority.verifier());
    if (!known.ok()) continue;
    const object::Revocation& body = known->body;
    list.revocations.push_back({convert<crypto::Digest>(known->id), body.issuer, object::enum_name(body.target_kind), convert<crypto::Digest>(body.target),
                                object::enum_name(body.reason), body.cutoff});
  }
  answer(turn, id, list);
}

void Node::after_revocation(Turn& turn, const object::Signed<object::Revocation>& revocation) {
  const object::Revocation& body = revocation.body;
  if (body.target_kind == object::RevocationTarget::kObject && body.cutoff <= turn.now.unix_seconds()) {
    keeper_.on_object_revoked(turn, body.issuer, convert<object::ObjectId>(body.target));
  }
  if (kWholeNode && devices_.speaks_for_owner(revocation.signer)) devices_.take_effect(turn, revocation);
  workshop_.enforce_revocations(turn);
  refresh_work(turn);
  library_.repair(turn);
  if constexpr (kWholeNode) copy_.on_hosts_changed(turn);
}

bool Node::concerns(const crypto::PublicKey& issuer, const NodeKey& from, Instant now) const {
  if (issuer == core_.owner() || issuer == from) return true;
  if (devices_.is_device(from, now) && devices_.speaks_for_owner(issuer)) return true;
  const mesh::Peer* peer = core_.sessions.find(from);
  if (peer != nullptr && peer->record && peer->record->body.owner == issuer) return core_.authority.knows_origin(issuer) || core_.authority.knows_owner(issuer);
  return false;
}

// All that this owner took back, to whoever must go by it: machines that serve the owner, and origins that are served here.
void Node::send_revocations(Turn& turn, const NodeKey& peer) {
  mesh::Records records;
  const auto flush = [&] {
    if (!records.objects.empty()) core_.send(turn, peer, mesh::MeshMessages::encode(records));
    records.objects.clear();
  };
  for (const store::RecordRef& record : core_.records(Record::kRevocation)) {
    const auto known = object::open_object<object::Revocation>(*record.value, core_.authority.verifier());
    if (!known.ok() || (known->signer != core_.owner() && known->signer != core_.self())) continue;
    records.objects.push_back(*record.value);
    if (records.objects.size() >= mesh::kRecordsPerMessageMax) flush();
  }
  if (const auto* head = core_.authority.head(core_.owner())) records.objects.push_back(head->bytes);
  flush();
}

// ---- freshness

Instant Node::head_due() const {
  uint64_t age = UINT64_MAX;
  for (const auto& [zone, policy] : core_.authority.policies()) {
    const uint64_t asked = policy.body.revocation_age_seconds_max;
    if (policy.body.owner == core_.owner() && asked != 0) age = std::min(age, asked);
  }
  return age == UINT64_MAX ? Instant::never() : head_issued_ + milliseconds(int64_t(age * 1000 / kHeadsPerAge));
}

void Node::renew_head(Turn& turn) {
  if (turn.now < head_due()) return;
  const uint64_t as_of = turn.now.unix_seconds();
  const object::RevocationSet::Root root = core_.authority.revocations().root_of(core_.owner(), as_of);
  auto made = object::sign_object(*core_.config.node, object::RevocationHead{core_.owner(), core_.self(), root.count, root.root, as_of});
  CHECK(made.ok());
  head_issued_ = turn.now;
  const Bytes bytes = made->bytes;
  if (!core_.authority.add_head(std::move(made).value()).ok()) return;  // said already in this second
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (core_.sessions.up(key) && core_.authority.granted_by(turn.now, key, 0) != nullptr) core_.send(turn, key, mesh::MeshMessages::encode(mesh::Records{{bytes}}));
  }
}

void Node::on_head(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  auto head = object::open_object<object::RevocationHead>(bytes, core_.authority.verifier());
  const mesh::Peer* peer = core_.sessions.find(from);
  if (!head.ok() || peer == nullptr || !peer->record) return;
  const crypto::PublicKey& owner = head->body.owner;
  // From the owner's own node, about the owner's own revocations: nobody else's word counts.
  if (peer->record->body.owner != owner || (head->signer != from && head->signer != owner)) return;
  if (owner != core_.owner() && !core_.authority.knows_origin(owner)) return;
  const Status added = core_.authority.add_head(std::move(head).value());
  if (!added.ok() && added.code() == Errc::kLimit) core_.trace(turn, added.error().message);
}

}  // namespace selvedge::node
