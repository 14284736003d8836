// Signed objects that peers bring, and those they are brought: who is told what, and what is taken from whom.
#include <algorithm>

#include "node/node.h"
#include "node/parts.h"

namespace selvedge::node {

// What a peer needs to know, and no more: the grants its owner has here. What was taken back follows (send_revocations), and the zones'
// policies when its machine brings a grant of its own.
std::vector<Bytes> Node::records_for(const crypto::PublicKey& owner) const {
  std::vector<Bytes> records;
  for (const auto& [id, grant] : core_.authority.all_given()) {
    if (grant.body.origin == owner && records.size() < kRecordsToldMax) records.push_back(grant.bytes);
  }
  return records;
}

void Node::on_record(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  const Result<object::SchemaId> schema = object::peek_schema(bytes);
  if (!schema.ok()) return;
  const bool device = devices_.is_device(from, turn.now);
  if (*schema == object::schema_id_of<object::Grant>()) on_grant(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::Revocation>()) on_revocation(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::RevocationHead>()) on_head(turn, from, bytes);
  else if (kWholeNode && *schema == object::schema_id_of<object::PermissionRequest>()) consent_.on_request(turn, from, bytes);
  else if (kWholeNode && *schema == object::schema_id_of<object::PermissionDecision>()) consent_.on_decision(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::ZonePolicy>()) on_policy(turn, from, bytes);
  else if (*schema == object::schema_id_of<object::Lease>()) on_lease(turn, from, bytes);
  else if (!device) return;  // the rest is between devices of one owner
  else if (*schema == object::schema_id_of<object::ZoneKeyEpoch>()) zones_.on_zone_key(turn, bytes);
  else if (kWholeNode && *schema == object::schema_id_of<object::Alert>()) devices_.on_alert(turn, bytes);
  else if (*schema == object::schema_id_of<object::NodeRecord>()) {
    auto record = object::open_object<object::NodeRecord>(bytes, core_.authority.verifier());
    if (kWholeNode && record.ok()) devices_.on_record(turn, std::move(record).value());
  }
}

void Node::take_own_record(Turn& turn, const Bytes& bytes) {
  const Result<object::SchemaId> schema = object::peek_schema(bytes);
  if (!schema.ok()) return;
  const crypto::Verifier& verifier = core_.authority.verifier();
  if (*schema == object::schema_id_of<object::Revocation>()) return on_revocation(turn, core_.self(), bytes);
  if (*schema == object::schema_id_of<object::ZoneKeyEpoch>()) return zones_.on_zone_key(turn, bytes);
  if (*schema == object::schema_id_of<object::NodeRecord>()) {
    auto record = object::open_object<object::NodeRecord>(bytes, verifier);
    if (kWholeNode && record.ok()) devices_.on_record(turn, std::move(record).value());
    return;
  }
  auto policy = object::open_object<object::ZonePolicy>(bytes, verifier);
  if (!policy.ok() || policy->body.owner != core_.owner()) return;
  const object::ZoneId zone = policy->body.zone;
  if (!core_.authority.add_policy(std::move(policy).value()).ok()) return;
  core_.put_record(turn, Record::kPolicy, zone, bytes, [](Turn&, const Status&) {});
  zones_.on_own_policy(*core_.authority.policy(zone));
}

void Node::on_owner_record(Instant now, const Bytes& bytes, Out& out) {
  Turn turn{now, out};
  const Result<object::SchemaId> schema = object::peek_schema(bytes);
  if (schema.ok() && *schema == object::schema_id_of<object::Grant>()) {
    auto grant = object::open_object<object::Grant>(bytes, core_.authority.verifier());
    if (grant.ok()) workshop_.adopt(turn, std::move(grant).value());
  } else {
    take_own_record(turn, bytes);
  }
  if (schema.ok() && *schema == object::schema_id_of<object::Revocation>()) {   // nobody else brings it to those whom it concerns
    for (const auto& [key, peer] : core_.sessions.peers()) {
      if (core_.sessions.up(key)) core_.send_records(turn, key, {bytes});
    }
  }
  finish(turn);
}

std::vector<object::ObjectId> Node::grants_given_to(const crypto::PublicKey& origin) const {
  std::vector<object::ObjectId> out;
  for (const auto& [id, grant] : core_.authority.all_given()) {
    if (grant.body.origin == origin && !core_.authority.revoked(grant, Instant{0})) out.push_back(id);
  }
  return out;
}

void Node::on_grant(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  Result<object::Signed<object::Grant>> grant = object::open_object<object::Grant>(bytes, core_.authority.verifier());
  const mesh::Peer* peer = core_.sessions.find(from);
  if (!grant.ok() || peer == nullptr || !peer->record) return;
  const bool device = devices_.is_device(from, turn.now);
  if (grant->body.node == core_.self()) {
    if (device) workshop_.adopt(turn, std::move(grant).value());
    return;
  }
  // A grant counts when the machine itself brings it and its session record shows the same owner: the two roots agree. Or
  // when another device of this owner brings it, to whom that happened.
  const bool from_machine = grant->body.node == from && peer->record->body.owner == grant->body.owner;
  if (from_machine || device) on_grant_received(turn, from, std::move(grant).value());
}

void Node::forget_ended_grants(Turn& turn) {
  for (const object::Signed<object::Grant>& grant : core_.authority.drop_ended(turn.now)) {
    core_.erase_record(turn, Record::kGrantReceived, grant.id, [](Turn&, const Status&) {});
    if (!core_.authority.knows_grant_of(grant.body.node)) core_.erase_record(turn, Record::kHostZones, grant.body.node, [](Turn&, const Status&) {});
  }
}

void Node::on_grant_received(Turn& turn, const NodeKey& from, object::Signed<object::Grant> grant) {
  const object::ObjectId id = grant.id;
  const bool from_machine = grant.body.node == from;
  const Bytes bytes = grant.bytes;
  const bool known = core_.authority.received(id) != nullptr;
  if (!known && Authority::long_over(grant.body, turn.now)) return;   // machines tell all that they ever gave
  if (!known) forget_ended_grants(turn);
  const Status added = known ? ok() : core_.authority.add_received(std::move(grant));
  if (!added.ok()) {
    core_.trace(turn, "a grant from " + from.brief() + " was not taken: " + added.error().message);
    return;
  }
  if (!known) {
    core_.put_record(turn, Record::kGrantReceived, id, bytes, [](Turn&, const Status&) {});
    if constexpr (kWholeNode) devices_.tell(turn, bytes);
  }
  if (!from_machine) return;
  // The machine cannot authorise anything of this owner's before it knows the zone's policy.
  zones_.greet_host(turn, from);
  if constexpr (kWholeNode) copy_.on_host(turn, from);
  refresh_work(turn);
}

void Node::on_revocation(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  const auto revocation = object::open_object<object::Revocation>(bytes, core_.authority.verifier());
  if (!revocation.ok() || core_.find_record(Record::kRevocation, revocation->id) != nullptr) return;
  if (!concerns(revocation->signer, from, turn.now)) {
    if constexpr (kWholeNode) registrar_.on_token_revoked(turn, from, *revocation);
    return;
  }  // any other would only take room
  const Status added = core_.authority.add_revocation(*revocation);
  if (!added.ok()) {
    core_.trace(turn, "ALERT: a revocation was not kept: " + added.error().message);
    return;
  }
  const AuditNote note{object::AuditKind::kRevocation, convert<crypto::Digest>(revocation->id), "received", AuditBytes::kWithin};
  if (revocation->signer == core_.owner()) core_.put_audited(turn, Record::kRevocation, revocation->id, bytes, note, [](Turn&, const Status&) {});
  else core_.put_record(turn, Record::kRevocation, revocation->id, bytes, [](Turn&, const Status&) {});
  after_revocation(turn, *revocation);
  if (!kWholeNode || !devices_.speaks_for_owner(revocation->signer)) return;
  devices_.pass_on(turn, *revocation);
  zones_.tend(turn);
}

void Node::on_policy(Turn& turn, const NodeKey& from, const Bytes& bytes) {
  Result<object::Signed<object::ZonePolicy>> policy = object::open_object<object::ZonePolicy>(bytes, core_.authority.verifier());
  const mesh::Peer* peer = core_.sessions.find(from);
  if (!policy.ok() || peer == nullptr || !peer->record || policy->body.owner != peer->record->body.owner) return;
  const bool own = policy->body.owner == core_.owner();
  if (own ? !devices_.is_device(from, turn.now) : !core_.authority.knows_origin(policy->body.owner)) return;
  const object::ZoneId zone = policy->body.zone;
  const object::ObjectId id = policy->id;
  const crypto::PublicKey owner = policy->body.owner;
  const object::Signed<object::ZonePolicy>* known = core_.authority.policy(zone);
  if (known == nullptr || known->bytes != bytes) {
    if (!core_.authority.add_policy(std::move(policy).value()).ok()) return;
    core_.put_record(turn, Record::kPolicy, zone, bytes, [](Turn&, const Status&) {});
    if (own) {
      zones_.on_own_policy(*core_.authority.policy(zone));
      if constexpr (kWholeNode) devices_.tell(turn, bytes);
    }
  }
  core_.send(turn, from, mesh::MeshMessages::encode(mesh::Known{{id}}));
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
  refresh_work(turn);
  if (in_force) library_.on_host_serving(turn);
  else library_.repair(turn);
  if constexpr (kWholeNode) copy_.on_hosts_changed(turn);
}

// ---- a peer's new key

void Node::adopt_successor(Turn& turn, const object::Signed<object::NodeRecord>& record) {
  const NodeKey old_key = *record.body.succeeds;
  const NodeKey fresh = record.body.node;
  // Only who spoke for the old key speaks for its successor: the owner by whose word the old key counted here.
  if (adopted_.count(fresh) || owner_of(old_key) != record.body.owner) return;
  adopted_.insert(fresh);
  core_.trace(turn, "node " + old_key.brief() + " goes on with the key " + fresh.brief());
  if (const Bytes* bytes = core_.find_record(Record::kBanned, old_key)) core_.put_record(turn, Record::kBanned, fresh, *bytes, [](Turn&, const Status&) {});
  const Bytes* known = core_.find_record(Record::kPeer, old_key);
  Result<PeerRecord> peer = known == nullptr ? Result<PeerRecord>(PeerRecord{}) : codec::decode<PeerRecord>(*known);
  if (peer.ok() && !peer->addresses.empty()) {
    peer->owner = record.body.owner;
    core_.want_peer(turn, fresh, peer->addresses, Instant::never());
    // The old entry stays, empty, so that the other devices forget its addresses, too.
    index_.put(turn, IndexKind::kPeer, fresh, *peer, [](Turn&, const Status&) {});
    index_.put(turn, IndexKind::kPeer, old_key, PeerRecord{{}, {}, record.body.owner, {}, false}, [](Turn&, const Status&) {});
  }
  core_.sessions.unwant(old_key);
  library_.rename_holder(turn, old_key, fresh);
  zones_.rename_host(turn, old_key, fresh);
  copy_.rename_host(turn, old_key, fresh);
}

crypto::PublicKey Node::owner_of(const NodeKey& node) const {
  for (const auto& [id, grant] : core_.authority.all_received()) {
    if (grant.body.node == node) return grant.body.owner;
  }
  const mesh::Peer* peer = core_.sessions.find(node);
  if (peer != nullptr && peer->record) return peer->record->body.owner;
  const Bytes* bytes = core_.find_record(Record::kPeer, node);
  const Result<PeerRecord> known = bytes == nullptr ? Result<PeerRecord>(PeerRecord{}) : codec::decode<PeerRecord>(*bytes);
  return known.ok() ? known->owner : crypto::PublicKey{};
}

}  // namespace selvedge::node
