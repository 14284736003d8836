#include "node/node.h"

#include <algorithm>

namespace selvedge::node {

namespace {
// A message to oneself may cause another; past this something goes in circles.
constexpr size_t kLocalMessagesPerTurnMax = 100'000;
constexpr uint64_t kPolicyTtl = 30 * object::kDay;
constexpr uint64_t kPolicyRenewBefore = 10 * object::kDay;
}  // namespace

Node::Node(NodeConfig config)
    : core_(std::move(config)), auditor_(core_), keeper_(core_), workshop_(core_), consent_(core_, workshop_), library_(core_), contractor_(core_, library_), vault_(core_),
      secrets_(core_), registrar_(core_) {
  workshop_.on_lease_ended = [this](Turn& turn, const object::Signed<object::Grant>& grant) {
    registrar_.on_lease_ended(turn, grant.id);
    keeper_.on_origin_revoked(turn, grant.body.origin);
  };
  secrets_.on_deny = [this](Turn& turn, const object::ObjectId& capability, Core::OnStatus then) {
    object::Revocation body;
    body.target_kind = object::RevocationTarget::kCapability;
    body.target = convert<object::RevokedId>(capability);
    body.reason = object::RevocationReason::kUserRequest;
    revoke(turn, std::move(body), [then](Turn& t, Result<RevokeRequest::Done> done) { then(t, done.ok() ? Status() : Status(done.error())); });
  };
}

// ---- start

Status Node::start(Instant now, Out& out) {
  Turn turn{now, out};
  started_ = now;
  Outbox<store::Effect> disk;
  const store::RecoveryReport report = core_.store.recovered(disk);
  core_.route_disk(turn, disk);
  core_.trace(turn, "recovered " + std::to_string(report.records) + " records, " + std::to_string(report.segments) + " segments of " +
                        std::to_string(report.objects) + " objects; " + std::to_string(report.corrupt) + " unreadable entries");
  TRY(auditor_.start(turn));
  TRY(restore_records(turn));
  renew_policy(turn);
  library_.repair(turn);
  finish(turn);
  return ok();
}

Status Node::restore_records(Turn& turn) {
  const crypto::Verifier& verifier = core_.authority.verifier();
  for (const store::RecordRef& record : core_.records(Record::kNodeRecord)) {
    const auto known = object::open_object<object::NodeRecord>(*record.value, verifier);
    if (known.ok() && known->body.node == core_.self() && known->body.owner != core_.owner()) {
      return fail(Errc::kIntegrity, "the store belongs to another owner's node; use another --home");
    }
  }
  core_.put_record(turn, Record::kNodeRecord, core_.self(), core_.record.bytes, [](Turn&, const Status&) {});
  // Revocations first: what they end must not come back to life for a moment.
  for (const store::RecordRef& record : core_.records(Record::kRevocation)) {
    const auto revocation = object::open_object<object::Revocation>(*record.value, verifier);
    if (revocation.ok() && !core_.authority.add_revocation(*revocation).ok()) core_.trace(turn, "ALERT: a revocation found no room");
  }
  for (const store::RecordRef& record : core_.records(Record::kPolicy)) {
    auto policy = object::open_object<object::ZonePolicy>(*record.value, verifier);
    if (policy.ok()) (void)core_.authority.add_policy(std::move(policy).value()).ok();
  }
  for (const store::RecordRef& record : core_.records(Record::kGrantReceived)) {
    auto grant = object::open_object<object::Grant>(*record.value, verifier);
    if (grant.ok()) (void)core_.authority.add_received(std::move(grant).value()).ok();
  }
  std::vector<object::Signed<object::Grant>> given;
  for (const store::RecordRef& record : core_.records(Record::kGrantGiven)) {
    auto grant = object::open_object<object::Grant>(*record.value, verifier);
    if (grant.ok()) given.push_back(std::move(grant).value());
  }
  for (object::Signed<object::Grant>& grant : given) workshop_.restore(turn, std::move(grant));
  std::vector<std::pair<NodeKey, PeerRecord>> peers;
  for (const store::RecordRef& record : core_.records(Record::kPeer)) {
    Result<PeerRecord> peer = codec::decode<PeerRecord>(*record.value);
    if (peer.ok()) peers.push_back({convert<NodeKey>(record.id), std::move(peer).value()});
  }
  for (const auto& [key, peer] : peers) core_.want_peer(turn, key, peer.addresses, Instant::never());
  consent_.restore(turn);
  vault_.restore(turn);
  secrets_.restore(turn);
  return ok();
}

// The owner's zone needs a policy in force: who may hold and run its data. This node is the owner's, so it signs one.
void Node::renew_policy(Turn& turn) {
  const object::Signed<object::ZonePolicy>* now_in_force = core_.authority.policy(core_.zone());
  const uint64_t now = turn.now.unix_seconds();
  if (now_in_force != nullptr && now_in_force->body.expires > now + kPolicyRenewBefore) return;
  object::ZonePolicy policy = now_in_force == nullptr ? *object::default_policy(core_.owner(), kZoneName) : now_in_force->body;
  CHECK(publish_policy(turn, std::move(policy), kPolicyTtl, [](Turn&, const Status&) {}).ok());
}

// ---- links and sessions

void Node::on_link_opened(Instant now, LinkId link, const NodeKey& peer, Out& out) {
  Turn turn{now, out};
  mesh::Sessions::Out effects;
  core_.sessions.on_link_opened(now, link, peer, effects);
  route(turn, effects);
  finish(turn);
}

void Node::on_link_closed(Instant now, LinkId link, const Error& why, Out& out) {
  Turn turn{now, out};
  mesh::Sessions::Out effects;
  core_.sessions.on_link_closed(now, link, why, effects);
  route(turn, effects);
  finish(turn);
}

void Node::on_dial_failed(Instant now, const NodeKey& peer, const Error& why, Out& out) {
  Turn turn{now, out};
  mesh::Sessions::Out effects;
  core_.sessions.on_dial_failed(now, peer, why, effects);
  route(turn, effects);
  finish(turn);
}

void Node::route(Turn& turn, mesh::Sessions::Out& effects) {
  for (mesh::SessionEffect& effect : effects.take()) {
    if (auto* dial = std::get_if<mesh::Dial>(&effect)) turn.out.push(DialPeer{dial->peer, dial->address});
    else if (auto* send = std::get_if<mesh::SendOnLink>(&effect)) turn.out.push(SendMessage{send->link, std::move(send->message)});
    else if (auto* close = std::get_if<mesh::CloseLink>(&effect)) turn.out.push(ClosePeer{close->link, close->reason});
    else if (auto* up = std::get_if<mesh::PeerUp>(&effect)) on_peer_up(turn, up->peer);
    else if (auto* down = std::get_if<mesh::PeerDown>(&effect)) on_peer_down(turn, down->peer, down->why);
  }
}

void Node::on_peer_up(Turn& turn, const NodeKey& key) {
  const mesh::Peer& peer = *core_.sessions.find(key);
  core_.trace(turn, "peer " + key.brief() + " is up");
  const mesh::Records records = records_for(turn.now, key, peer.record->body.owner);
  if (!records.objects.empty()) core_.send(turn, key, mesh::MeshMessages::encode(records));
  send_revocations(turn, key);
  consent_.on_peer_up(turn, key);
  mesh::Fetcher::Out fetches;
  core_.fetcher.on_peer_up(turn.now, key, fetches);
  core_.route(turn, fetches);
  auditor_.on_peer_up(turn, key);
  contractor_.refresh(turn);
  secrets_.on_peer_up(turn, key);
}

// What a peer needs to know, and no more: the zone's policy if its machine serves this owner, and the grants its owner has
// here. What was taken back follows (send_revocations).
mesh::Records Node::records_for(Instant now, const NodeKey& peer, const crypto::PublicKey& owner) const {
  mesh::Records records;
  const bool serves = core_.authority.granted_by(now, peer, object::kStorage) != nullptr || core_.authority.granted_by(now, peer, object::kCompute) != nullptr;
  const auto* policy = core_.authority.policy(core_.zone());
  if (serves && policy != nullptr) records.objects.push_back(policy->bytes);
  for (const auto& [id, grant] : core_.authority.all_given()) {
    if (grant.body.origin == owner && records.objects.size() < mesh::kRecordsPerMessageMax) records.objects.push_back(grant.bytes);
  }
  return records;
}

void Node::on_peer_down(Turn& turn, const NodeKey& key, const Error& why) {
  core_.trace(turn, "peer " + key.brief() + " is down: " + why.message);
  core_.serving.erase(key);
  auditor_.on_peer_down(turn, key);
  mesh::Fetcher::Out fetches;
  core_.fetcher.on_peer_down(turn.now, key, fetches);
  core_.route(turn, fetches);
  mesh::Spreader::Out spreads;
  core_.spreader.on_peer_down(key, why, spreads);
  core_.route(turn, spreads);
  contractor_.refresh(turn);
  secrets_.on_peer_down(turn, key);
}

// ---- messages

void Node::on_message(Instant now, LinkId link, ByteView message, Out& out) {
  Turn turn{now, out};
  const NodeKey* peer = core_.sessions.peer_of(link);
  dispatch(turn, peer == nullptr ? NodeKey{} : *peer, link, message);
  finish(turn);
}

void Node::on_symbols(Instant now, LinkId link, Bytes frame, Out& out) {
  Turn turn{now, out};
  // Symbols before the session is up come from nobody this node knows.
  if (const NodeKey* peer = core_.sessions.peer_of(link)) dispatch_symbols(turn, *peer, std::move(frame));
  finish(turn);
}

void Node::dispatch_symbols(Turn& turn, const NodeKey& from, Bytes bytes) {
  const Result<mesh::FrameView> frame = mesh::parse_frame(bytes);
  if (!frame.ok()) {
    core_.trace(turn, "a frame from " + from.brief() + " was thrown away: " + frame.error().message);
    return;
  }
  // Moving the buffer moves no byte of it: the view stays true.
  if (frame->header.kind == mesh::FrameKind::kStore) return keeper_.on_store_frame(turn, from, *frame, std::move(bytes));
  mesh::Fetcher::Out effects;
  core_.fetcher.on_frame(turn.now, from, *frame, std::move(bytes), effects);
  core_.route(turn, effects);
}

void Node::dispatch(Turn& turn, const NodeKey& from, LinkId link, ByteView message) {
  const uint8_t type = message.empty() ? uint8_t(0) : message[0];
  if (type != mesh::Hello::kType && from.is_zero()) return;  // nothing counts before hello
  if (mesh::MeshMessages::knows(type)) {
    Result<mesh::MeshMessages::Message> parsed = mesh::MeshMessages::decode(message);
    if (parsed.ok()) return on_mesh(turn, from, link, std::move(parsed).value());
    turn.out.push(ClosePeer{link, parsed.error().message});
  } else if (work::WorkMessages::knows(type)) {
    Result<work::WorkMessages::Message> parsed = work::WorkMessages::decode(message);
    if (!parsed.ok()) {
      turn.out.push(ClosePeer{link, parsed.error().message});
      return;
    }
    workshop_.on_message(turn, from, *parsed);
    contractor_.on_message(turn, from, *parsed);
  } else if (SecretMessages::knows(type)) {
    const Result<SecretMessages::Message> parsed = SecretMessages::decode(message);
    if (parsed.ok()) return on_secret_message(turn, from, *parsed);
  } else if (AuditMessages::knows(type)) {
    const Result<AuditMessages::Message> parsed = AuditMessages::decode(message);
    if (parsed.ok()) return auditor_.on_message(turn, from, *parsed);
    turn.out.push(ClosePeer{link, parsed.error().message});
  } else {
    turn.out.push(ClosePeer{link, "message type " + std::to_string(type) + " is not known to this node"});
  }
}

void Node::on_mesh(Turn& turn, const NodeKey& from, LinkId link, mesh::MeshMessages::Message message) {
  if (const auto* hello = std::get_if<mesh::Hello>(&message)) {
    mesh::Sessions::Out effects;
    core_.sessions.on_hello(turn.now, link, *hello, effects);
    route(turn, effects);
  } else if (const auto* records = std::get_if<mesh::Records>(&message)) {
    if (records->objects.size() > mesh::kRecordsPerMessageMax) return;
    for (const Bytes& bytes : records->objects) on_record(turn, from, bytes);
  } else if (const auto* ack = std::get_if<mesh::StoreAck>(&message)) {
    mesh::Spreader::Out effects;
    core_.spreader.on_ack(turn.now, from, *ack, effects);
    core_.route(turn, effects);
  } else if (const auto* request = std::get_if<mesh::SymbolRequest>(&message)) {
    keeper_.on_symbol_request(turn, from, *request);
  } else if (const auto* end = std::get_if<mesh::SymbolEnd>(&message)) {
    mesh::Fetcher::Out effects;
    core_.fetcher.on_end(turn.now, from, *end, effects);
    core_.route(turn, effects);
  } else if (const auto* drop = std::get_if<mesh::Drop>(&message)) {
    keeper_.on_drop(turn, from, *drop);
  }
}

// ---- signed objects from peers

void Node::on_record(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  const Result<object::SchemaId> schema = object::peek_schema(bytes);
  if (!schema.ok()) return;
  if (*schema == object::schema_id_of<object::Grant>()) on_grant_received(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::Revocation>()) on_revocation(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::RevocationHead>()) on_head(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::PermissionRequest>()) consent_.on_request(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::PermissionDecision>()) consent_.on_decision(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::ZonePolicy>()) on_policy(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::Lease>()) on_lease(turn, from, bytes);
}

void Node::on_grant_received(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  Result<object::Signed<object::Grant>> grant = object::open_object<object::Grant>(bytes, core_.authority.verifier());
  // A grant counts when the machine itself brings it and its session record shows the same owner: the two roots agree.
  const mesh::Peer* peer = core_.sessions.find(from);
  if (!grant.ok() || grant->body.node != from || peer == nullptr || !peer->record || peer->record->body.owner != grant->body.owner) return;
  const object::ObjectId id = grant->id;
  const bool known = core_.authority.received(id) != nullptr;
  const Status added = known ? ok() : core_.authority.add_received(std::move(grant).value());
  if (!added.ok()) {
    core_.trace(turn, "a grant from " + from.brief() + " was not taken: " + added.error().message);
    return;
  }
  if (!known) core_.put_record(turn, Record::kGrantReceived, id, bytes, [](Turn&, const Status&) {});
  // The machine cannot authorise anything of this owner's before it knows the zone's policy. A grant that is brought
  // again says that the machine began the session anew, so it may have lost the policy.
  if (const auto* policy = core_.authority.policy(core_.zone())) {
    core_.send(turn, from, mesh::MeshMessages::encode(mesh::Records{{policy->bytes}}));
  }
  contractor_.refresh(turn);
}

void Node::on_revocation(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  const auto revocation = object::open_object<object::Revocation>(bytes, core_.authority.verifier());
  if (!revocation.ok() || core_.find_record(Record::kRevocation, revocation->id) != nullptr) return;
  if (!concerns(revocation->signer, from)) return registrar_.on_token_revoked(turn, from, *revocation);  // any other would only take room
  const Status added = core_.authority.add_revocation(*revocation);
  if (!added.ok()) {
    core_.trace(turn, "ALERT: a revocation was not kept: " + added.error().message);
    return;
  }
  const AuditNote note{object::AuditKind::kRevocation, convert<crypto::Digest>(revocation->id), "received", AuditBytes::kWithin};
  if (revocation->signer == core_.owner()) core_.put_audited(turn, Record::kRevocation, revocation->id, bytes, note, [](Turn&, const Status&) {});
  else core_.put_record(turn, Record::kRevocation, revocation->id, bytes, [](Turn&, const Status&) {});
  after_revocation(turn, revocation->body);
}

void Node::on_policy(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  Result<object::Signed<object::ZonePolicy>> policy = object::open_object<object::ZonePolicy>(bytes, core_.authority.verifier());
  const mesh::Peer* peer = core_.sessions.find(from);
  if (!policy.ok() || peer == nullptr || !peer->record || policy->body.owner != peer->record->body.owner) return;
  const object::ZoneId zone = policy->body.zone;
  const crypto::PublicKey owner = policy->body.owner;
  if (owner != core_.owner() && !core_.authority.knows_origin(owner)) return;
  const object::Signed<object::ZonePolicy>* known = core_.authority.policy(zone);
  if (known == nullptr || known->bytes != bytes) {
    if (!core_.authority.add_policy(std::move(policy).value()).ok()) return;
    core_.put_record(turn, Record::kPolicy, zone, bytes, [](Turn&, const Status&) {});
  }
  workshop_.tell_leases(turn, from, owner);
}

void Node::on_lease(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  const auto lease = object::open_object<object::Lease>(bytes, core_.authority.verifier());
  if (!lease.ok() || lease->signer != from || lease->body.origin != core_.owner()) return;
  // A lease of a grant that nobody here knows is a stranger's: it would only take room.
  const object::Signed<object::Grant>* grant = core_.authority.received(lease->body.grant);
  if (grant == nullptr || grant->body.node != from) return;
  core_.put_record(turn, Record::kLease, lease->body.grant, bytes, [](Turn&, const Status&) {});
  const bool in_force = lease->body.state == object::LeaseState::kActive || lease->body.state == object::LeaseState::kExpiring;
  if (in_force) core_.serving.insert(from);
  else if (core_.authority.granted_by(turn.now, from, 0) == nullptr) core_.serving.erase(from);
  contractor_.refresh(turn);
  if (in_force) library_.on_host_serving(turn);
  else library_.repair(turn);
}

// ---- answers of disk, workers, files and domains

void Node::on_persisted(Instant now, uint64_t token, Out& out) {
  Turn turn{now, out};
  core_.on_done(turn, core_.store.on_persisted(token));
  finish(turn);
}

void Node::on_write_failed(Instant now, uint64_t token, const Error& error, Out& out) {
  Turn turn{now, out};
  core_.trace(turn, "a disk write failed: " + error.message);
  core_.on_done(turn, core_.store.on_write_failed(token, error));
  finish(turn);
}

void Node::on_loaded(Instant now, uint64_t token, std::vector<std::optional<Bytes>> values, Out& out) {
  Turn turn{now, out};
  Outbox<store::Effect> disk;
  store::Loaded loaded = core_.store.on_loaded(token, std::move(values), disk);
  core_.route_disk(turn, disk);
  core_.on_loaded(turn, std::move(loaded));
  finish(turn);
}

void Node::on_load_failed(Instant now, uint64_t token, const Error& error, Out& out) {
  Turn turn{now, out};
  core_.on_loaded(turn, core_.store.on_load_failed(token, error));
  finish(turn);
}

void Node::on_computed(Instant now, uint64_t token, ComputeResult result, Out& out) {
  Turn turn{now, out};
  core_.on_computed(turn, token, std::move(result));
  finish(turn);
}

void Node::on_attested(Instant now, uint64_t token, Result<object::Attestation> attestation, Out& out) {
  Turn turn{now, out};
  core_.on_attested(turn, token, std::move(attestation));
  finish(turn);
}

void Node::on_file_read(Instant now, uint64_t token, Result<Bytes> bytes, Out& out) {
  Turn turn{now, out};
  core_.on_file_read(turn, token, std::move(bytes));
  finish(turn);
}

void Node::on_file_written(Instant now, uint64_t token, const Status& status, Out& out) {
  Turn turn{now, out};
  core_.on_file_written(turn, token, status);
  finish(turn);
}

void Node::on_domain(Instant now, const work::TaskId& task, const object::Handle& lease_cap, work::DomainResult result, Out& out) {
  Turn turn{now, out};
  workshop_.on_domain(turn, task, lease_cap, std::move(result));
  finish(turn);
}

void Node::on_signals(Instant now, const work::Signals& signals, Out& out) {
  Turn turn{now, out};
  workshop_.on_signals(turn, signals);
  finish(turn);
}

void Node::on_violation(Instant now, uint64_t lease_number, work::Violation violation, Out& out) {
  Turn turn{now, out};
  workshop_.on_violation(turn, lease_number, violation);
  finish(turn);
}

void Node::on_tasks_stopped(Instant now, uint64_t token, Out& out) {
  Turn turn{now, out};
  core_.on_tasks_stopped(turn, token);
  finish(turn);
}

// ---- time

void Node::on_deadline(Instant now, Out& out) {
  Turn turn{now, out};
  mesh::Sessions::Out sessions;
  core_.sessions.on_deadline(now, sessions);
  route(turn, sessions);
  mesh::Fetcher::Out fetches;
  core_.fetcher.on_deadline(now, fetches);
  core_.route(turn, fetches);
  mesh::Spreader::Out spreads;
  core_.spreader.on_deadline(now, spreads);
  core_.route(turn, spreads);
  keeper_.on_deadline(turn);
  workshop_.on_deadline(turn);
  library_.on_deadline(turn);
  contractor_.on_deadline(turn);
  consent_.on_deadline(turn);
  vault_.on_deadline(turn);
  secrets_.on_deadline(turn);
  auditor_.on_deadline(turn);
  renew_policy(turn);
  renew_head(turn);
  finish(turn);
}

Instant Node::next_deadline() const {
  return std::min({consent_.next_deadline(), head_due(), core_.sessions.next_deadline(), core_.fetcher.next_deadline(), core_.spreader.next_deadline(), keeper_.next_deadline(),
                   workshop_.next_deadline(), library_.next_deadline(), contractor_.next_deadline(), vault_.next_deadline(),
                   secrets_.next_deadline(), auditor_.next_deadline()});
}

// Messages this node sent to itself are served before the turn ends.
void Node::finish(Turn& turn) {
  for (size_t served = 0; !core_.to_self.empty(); ++served) {
    CHECK(served < kLocalMessagesPerTurnMax);
    Core::Local local = std::move(core_.to_self.front());
    core_.to_self.pop_front();
    if (local.symbols) dispatch_symbols(turn, core_.self(), std::move(local.bytes));
    else dispatch(turn, core_.self(), 0, local.bytes);
  }
}

}  // namespace selvedge::node
