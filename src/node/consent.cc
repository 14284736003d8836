#include "node/consent.h"

#include <algorithm>

#include "codec/multibase.h"
#include "crypto/hash.h"

namespace selvedge::node {

namespace {

constexpr object::ClassSet kEachClass[] = {object::kCompute, object::kStorage, object::kIngress, object::kAttested};
constexpr uint64_t kQuestionSeconds = 7 * object::kDay;

crypto::Digest decision_id(const crypto::PublicKey& origin, object::ClassSet permission) {
  const uint8_t bit = uint8_t(permission);
  return crypto::Sha256().update(origin).update({&bit, 1}).finish();
}

/// Calls `then` once, when `parts` parts have reported: with the first error, or success.
Core::OnStatus join(size_t parts, Core::OnStatus then) {
  struct Joined {
    size_t left;
    Status status;
  };
  auto joined = std::make_shared<Joined>(Joined{parts, ok()});
  return [joined, then](Turn& turn, const Status& status) {
    if (!status.ok() && joined->status.ok()) joined->status = status;
    if (--joined->left == 0) then(turn, joined->status);
  };
}

}  // namespace

void Consent::restore(Turn& turn) {
  const crypto::Verifier& verifier = core_.authority.verifier();
  for (const store::RecordRef& record : core_.records(Record::kPermission)) {
    const Result<AskedPermission> kept = codec::decode<AskedPermission>(*record.value);
    if (!kept.ok()) continue;
    auto request = object::open_object<object::PermissionRequest>(kept->request, verifier);
    if (!request.ok() || request->body.expires <= turn.now.unix_seconds()) continue;
    const object::ObjectId id = request->id;
    open_.emplace(id, Open{std::move(request).value(), kept->allowed, kept->refused});
  }
  for (const store::RecordRef& record : core_.records(Record::kDecision)) {
    const Result<RememberedDecision> kept = codec::decode<RememberedDecision>(*record.value);
    if (!kept.ok()) continue;
    auto decision = object::open_object<object::PermissionDecision>(kept->decision, verifier);
    if (!decision.ok() || decision->body.expires <= turn.now.unix_seconds()) continue;
    const DecisionKey key{decision->body.origin, decision->body.permission};
    remembered_.emplace(key, Remembered{std::move(decision).value(), kept->cpu_permille, kept->memory_bytes, kept->storage_bytes});
  }
}

RequestInfo Consent::info(const Open& open) const {
  const object::PermissionRequest& body = open.request.body;
  RequestInfo out;
  out.id = convert<crypto::Digest>(open.request.id);
  out.asked = asked_here(open);
  out.node = body.node;
  out.origin = body.origin;
  out.wanted = object::class_names(body.classes);
  out.allowed = object::class_names(open.allowed);
  out.refused = object::class_names(open.refused);
  out.cpu_permille = body.cpu_permille;
  out.memory_bytes = body.memory_bytes;
  out.storage_bytes = body.storage_bytes;
  out.seconds = body.seconds;
  out.purpose = body.purpose;
  out.issued = body.issued;
  out.expires = body.expires;
  return out;
}

GrantRequestsAnswer Consent::list(Instant now) const {
  GrantRequestsAnswer out;
  for (const auto& [id, open] : open_) {
    if (open.request.body.expires > now.unix_seconds()) out.requests.push_back(info(open));
  }
  for (const auto& [key, kept] : remembered_) {
    const object::PermissionDecision& body = kept.decision.body;
    if (body.expires > now.unix_seconds()) out.decisions.push_back({body.origin, object::class_names(body.permission), body.allowed, body.expires});
  }
  return out;
}

Result<object::ObjectId> Consent::by_prefix(const std::string& prefix) const {
  std::optional<object::ObjectId> found;
  for (const auto& [id, open] : open_) {
    if (asked_here(open) || prefix.empty() || id.hex().compare(0, prefix.size(), prefix) != 0) continue;
    if (found) return fail(Errc::kInvalid, "several questions begin with " + prefix + ": say more of it");
    found = id;
  }
  if (!found) return fail(Errc::kNotFound, "nobody asks this machine anything by that id: selvedge grant requests lists what is asked");
  return *found;
}

void Consent::keep(Turn& turn, const Open& open, Core::OnStatus then) {
  core_.put_record(turn, Record::kPermission, open.request.id, codec::encode(AskedPermission{open.request.bytes, open.allowed, open.refused}), std::move(then));
}

void Consent::tell(Turn& turn, const crypto::PublicKey& owner, const Bytes& bytes) {
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (core_.sessions.up(key) && peer.record && peer.record->body.owner == owner) core_.send(turn, key, mesh::MeshMessages::encode(mesh::Records{{bytes}}));
  }
}

// ---- the side that asks

void Consent::ask(Turn& turn, const GrantAskRequest& request, OnRequest then) {
  std::vector<NodeKey> found;
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (!request.node.empty() && codec::key_text(key).compare(0, request.node.size(), request.node) == 0) found.push_back(key);
  }
  if (found.size() != 1) {
    return then(turn, fail(Errc::kNotFound, found.empty() ? "no known node's key begins with that: selvedge peer list shows them, selvedge peer add TICKET adds one"
                                                          : "several nodes' keys begin with that: say more of it"));
  }
  const Result<object::ClassSet> classes = object::parse_class_names(request.classes);
  if (!classes.ok()) return then(turn, classes.error());
  if (open_.size() >= kPermissionRequestsMax) return then(turn, fail(Errc::kLimit, "too many questions are open already"));
  object::PermissionRequest body;
  body.origin = core_.owner();
  body.issuer = core_.self();
  body.node = found.front();
  body.classes = *classes;
  if (*classes & (object::kCompute | object::kAttested)) body.cpu_permille = request.cpu_permille, body.memory_bytes = request.memory_bytes;
  if (*classes & object::kStorage) body.storage_bytes = request.storage_bytes;
  body.seconds = request.seconds;
  body.purpose = request.purpose;
  body.issued = turn.now.unix_seconds();
  body.expires = body.issued + kQuestionSeconds;
  body.nonce = core_.drbg.draw<object::Unique>();
  auto made = object::sign_object(*core_.config.node, std::move(body));
  if (!made.ok()) return then(turn, made.error());
  const Open& open = open_.emplace(made->id, Open{*made}).first->second;
  keep(turn, open, [this, id = made->id, then](Turn& t, const Status& kept) {
    const auto it = open_.find(id);
    if (!kept.ok() || it == open_.end()) return then(t, kept.ok() ? fail(Errc::kCancelled, "the question was withdrawn") : kept.error());
    core_.send(t, it->second.request.body.node, mesh::MeshMessages::encode(mesh::Records{{it->second.request.bytes}}));
    then(t, info(it->second));
  });
}

void Consent::on_decision(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  const auto decision = object::open_object<object::PermissionDecision>(bytes, core_.authority.verifier());
  const mesh::Peer* peer = core_.sessions.find(from);
  if (!decision.ok() || peer == nullptr || !peer->record || !decision->body.request) return;
  const object::PermissionDecision& body = decision->body;
  if (body.origin != core_.owner() || body.node != from || body.owner != peer->record->body.owner) return;
  const auto it = open_.find(*body.request);
  if (it == open_.end() || !asked_here(it->second) || it->second.request.body.node != from) return;
  (body.allowed ? it->second.allowed : it->second.refused) |= body.permission;
  (body.allowed ? it->second.refused : it->second.allowed) &= ~body.permission;
  keep(turn, it->second, [](Turn&, const Status&) {});
}

// ---- the side that is asked

void Consent::on_request(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  auto request = object::open_object<object::PermissionRequest>(bytes, core_.authority.verifier());
  const mesh::Peer* peer = core_.sessions.find(from);
  if (!request.ok() || peer == nullptr || !peer->record) return;
  const object::PermissionRequest& body = request->body;
  if (body.node != core_.self() || body.issuer != from || body.origin != peer->record->body.owner) return;
  if (body.expires <= turn.now.unix_seconds() || open_.count(request->id)) return;
  const auto of_origin = std::count_if(open_.begin(), open_.end(), [&](const auto& o) { return o.second.request.body.origin == body.origin; });
  if (size_t(of_origin) >= kPermissionRequestsPerOriginMax || open_.size() >= kPermissionRequestsMax) {
    core_.trace(turn, "a permission request of " + body.origin.brief() + " was not taken: too many are open");
    return;
  }
  const object::ObjectId id = request->id;
  const Open& open = open_.emplace(id, Open{std::move(request).value()}).first->second;
  keep(turn, open, [](Turn&, const Status&) {});
  apply_remembered(turn, id);
}

void Consent::apply_remembered(Turn& turn, const object::ObjectId& id) {
  const object::PermissionRequest body = open_.at(id).request.body;
  for (const object::ClassSet permission : kEachClass) {
    const auto kept = remembered_.find({body.origin, permission});
    if (!(body.classes & permission) || kept == remembered_.end()) continue;
    const Remembered& before = kept->second;
    const uint64_t now = turn.now.unix_seconds();
    if (before.decision.body.expires <= now) continue;
    const bool covered = body.cpu_permille <= before.cpu_permille && body.memory_bytes <= before.memory_bytes && body.storage_bytes <= before.storage_bytes;
    if (before.decision.body.allowed && !covered) continue;  // more than was decided about: the person is asked
    decide(turn, id, permission, before.decision.body.allowed, before.decision.body.expires - now, [](Turn&, const Status&) {});
  }
}

void Consent::grant(Turn& turn, const object::PermissionRequest& request, object::ClassSet permission, uint64_t seconds, Core::OnStatus then) {
  object::Grant body;
  body.origin = request.origin;
  body.classes = permission;
  if (permission == object::kAttested) body.classes |= object::kCompute;  // it is computing, attested
  if (body.classes & object::kCompute) body.cpu_permille = request.cpu_permille, body.memory_bytes = request.memory_bytes;
  if (permission == object::kStorage) body.storage_bytes = request.storage_bytes;
  body.issued = turn.now.unix_seconds();
  body.expires = body.issued + std::min(seconds, request.seconds);
  workshop_.give(turn, std::move(body), core_.self(), [then](Turn& t, Result<object::Signed<object::Grant>> given) { then(t, given.ok() ? ok() : Status(given.error())); });
}

void Consent::decide(Turn& turn, const object::ObjectId& id, object::ClassSet classes, bool allowed, uint64_t seconds, Core::OnStatus then) {
  Open& open = open_.at(id);
  const object::PermissionRequest asked = open.request.body;
  const auto parts = size_t(std::count_if(std::begin(kEachClass), std::end(kEachClass), [&](object::ClassSet c) { return (classes & c) != 0; }));
  if (parts == 0) return then(turn, ok());
  // The owner answers, with the owner's key: a device without it only shows the question.
  const Status root = core_.need_root("selvedge grant give KEY --device " + codec::key_text(core_.self()));
  if (!root.ok()) return then(turn, root);
  const Core::OnStatus part_done = join(parts * (allowed ? 2 : 1) + 1, std::move(then));
  for (const object::ClassSet permission : kEachClass) {
    if (!(classes & permission)) continue;
    object::PermissionDecision body{core_.owner(), core_.self(), asked.origin, id, permission, allowed, turn.now.unix_seconds(), 0};
    body.expires = body.issued + seconds;
    auto made = object::sign_object(*core_.config.owner, body);
    CHECK(made.ok());  // the request was validated, and so was how long it is remembered
    const RememberedDecision kept{made->bytes, asked.cpu_permille, asked.memory_bytes, asked.storage_bytes};
    remembered_.insert_or_assign({asked.origin, permission}, Remembered{*made, asked.cpu_permille, asked.memory_bytes, asked.storage_bytes});
    const std::string detail = object::class_names(permission) + (allowed ? ": allowed" : ": refused");
    core_.put_audited(turn, Record::kDecision, decision_id(asked.origin, permission), codec::encode(kept), {object::AuditKind::kPermission, convert<crypto::Digest>(made->id), detail, AuditBytes::kWithin},
                     [this, owner = asked.origin, bytes = made->bytes, part_done](Turn& t, const Status& status) {
                       if (status.ok()) tell(t, owner, bytes);
                       part_done(t, status);
                     });
    if (allowed) grant(turn, asked, permission, seconds, part_done);
  }
  (allowed ? open.allowed : open.refused) |= classes;
  (allowed ? open.refused : open.allowed) &= ~classes;
  keep(turn, open, part_done);
}

void Consent::answer(Turn& turn, const GrantAnswerRequest& request, OnRequest then) {
  const Result<object::ObjectId> id = by_prefix(request.request);
  if (!id.ok()) return then(turn, id.error());
  const Open& open = open_.at(*id);
  const Result<object::ClassSet> allow = object::parse_class_names(request.allow);
  const Result<object::ClassSet> refuse = object::parse_class_names(request.refuse);
  if (!allow.ok() || !refuse.ok()) return then(turn, allow.ok() ? refuse.error() : allow.error());
  if ((*allow | *refuse) == 0) return then(turn, fail(Errc::kInvalid, "say which permissions you allow or refuse: " + object::class_names(open.request.body.classes)));
  if (*allow & *refuse) return then(turn, fail(Errc::kInvalid, object::class_names(*allow & *refuse) + " is both allowed and refused"));
  if ((*allow | *refuse) & ~open.left()) {
    return then(turn, fail(Errc::kInvalid, object::class_names((*allow | *refuse) & ~open.left()) + " was not asked for, or is answered already"));
  }
  const uint64_t seconds = request.remember_seconds == 0 ? open.request.body.seconds : request.remember_seconds;
  if (seconds > object::kDecisionTtlMax) return then(turn, fail(Errc::kInvalid, "a decision is remembered for at most 90 days"));
  if (remembered_.size() + 4 > kDecisionsMax) return then(turn, fail(Errc::kLimit, "too many decisions are remembered: withdraw some"));
  const Core::OnStatus done = join(2, [this, id = *id, then](Turn& t, const Status& status) {
    const auto it = open_.find(id);
    if (!status.ok()) return then(t, status.error());
    if (it == open_.end()) return then(t, fail(Errc::kExpired, "the question expired meanwhile"));
    then(t, info(it->second));
  });
  decide(turn, *id, *refuse, false, seconds, done);
  decide(turn, *id, *allow, true, seconds, done);
}

void Consent::withdraw(Turn& turn, const GrantWithdrawRequest& request, OnWithdrawn then) {
  const Result<crypto::PublicKey> origin = codec::parse_key(request.origin);
  if (!origin.ok()) return then(turn, fail(Errc::kInvalid, "the origin is not a key: " + origin.error().message));
  const Result<object::ClassSet> classes = object::parse_class_names(request.classes);
  if (!classes.ok()) return then(turn, classes.error());
  if (*classes == 0) return then(turn, fail(Errc::kInvalid, "say which permissions are withdrawn: compute, storage, ingress, attested"));
  std::vector<object::ObjectId> ending;
  for (const auto& [id, lease] : workshop_.leases().all()) {
    const bool over = lease.stage == work::LeaseStage::kRevoked || lease.stage == work::LeaseStage::kExpired;
    const object::ClassSet covers = lease.grant.body.classes;
    if (over || lease.grant.body.origin != *origin || !(covers & *classes)) continue;
    const object::ClassSet more = covers & ~*classes & ~(covers & object::kAttested ? object::kCompute : 0);
    if (more) {
      return then(turn, fail(Errc::kInvalid, "lease " + id.brief() + " covers " + object::class_names(more) + " as well: selvedge lease revoke " + id.brief() +
                                                 " ends all of it"));
    }
    ending.push_back(id);
  }
  for (const object::ClassSet permission : kEachClass) {
    if (*classes & permission) forget(turn, {*origin, permission});
  }
  if (ending.empty()) return then(turn, uint64_t(0));
  const Core::OnStatus ended = join(ending.size(), [then, count = ending.size()](Turn& t, const Status& status) {
    if (status.ok()) then(t, uint64_t(count));
    else then(t, status.error());
  });
  for (const object::ObjectId& id : ending) {
    workshop_.change(turn, {id.hex(), LeaseAction::kRevoke},
                     [ended](Turn& t, Result<LeaseChangeAnswer> changed) { ended(t, changed.ok() ? ok() : Status(changed.error())); });
  }
}

void Consent::forget(Turn& turn, const DecisionKey& key) {
  if (remembered_.erase(key) == 0) return;
  core_.erase_audited(turn, Record::kDecision, decision_id(key.first, key.second), {object::AuditKind::kPermission, {}, object::class_names(key.second) + ": withdrawn from " + codec::key_text(key.first), AuditBytes::kWithin},
                      [](Turn&, const Status&) {});
}

// ---- meeting again, and time

void Consent::on_peer_up(Turn& turn, const NodeKey& peer) {
  const mesh::Peer* known = core_.sessions.find(peer);
  if (known == nullptr || !known->record) return;
  mesh::Records records;
  for (const auto& [id, open] : open_) {
    if (records.objects.size() >= mesh::kRecordsPerMessageMax) break;
    if (asked_here(open) && open.request.body.node == peer && open.left()) records.objects.push_back(open.request.bytes);
  }
  for (const object::ClassSet permission : kEachClass) {
    const auto kept = remembered_.find({known->record->body.owner, permission});
    if (kept != remembered_.end() && records.objects.size() < mesh::kRecordsPerMessageMax) records.objects.push_back(kept->second.decision.bytes);
  }
  if (!records.objects.empty()) core_.send(turn, peer, mesh::MeshMessages::encode(records));
}

void Consent::on_deadline(Turn& turn) {
  const uint64_t now = turn.now.unix_seconds();
  for (auto it = open_.begin(); it != open_.end();) {
    if (it->second.request.body.expires > now) {
      ++it;
      continue;
    }
    core_.erase_record(turn, Record::kPermission, it->first, [](Turn&, const Status&) {});
    it = open_.erase(it);
  }
  std::vector<DecisionKey> over;
  for (const auto& [key, kept] : remembered_) {
    if (kept.decision.body.expires <= now) over.push_back(key);
  }
  for (const DecisionKey& key : over) forget(turn, key);
}

Instant Consent::next_deadline() const {
  uint64_t soonest = UINT64_MAX;
  for (const auto& [id, open] : open_) soonest = std::min(soonest, open.request.body.expires);
  for (const auto& [key, kept] : remembered_) soonest = std::min(soonest, kept.decision.body.expires);
  return soonest == UINT64_MAX ? Instant::never() : Instant::from_unix_seconds(soonest);
}

}  // namespace selvedge::node
