#include "node/devices.h"

#include <algorithm>

#include "codec/multibase.h"

namespace selvedge::node {

// ---- start and standing

void Devices::restore(Turn& turn) {
  const crypto::Verifier& verifier = core_.authority.verifier();
  for (const store::RecordRef& record : core_.records(Record::kDevice)) {
    auto known = object::open_object<object::NodeRecord>(*record.value, verifier);
    if (known.ok() && known->body.owner == core_.owner() && devices_.size() < kDevicesMax) devices_.insert_or_assign(known->body.node, std::move(known).value());
  }
  const auto own = devices_.find(core_.self());
  // The record that came by hand may be older than one that came by session.
  if (own != devices_.end() && own->second.body.serial > core_.record.body.serial) core_.set_record(own->second);
  keep_record(turn, core_.record, [](Turn&, const Status&) {});
  for (const store::RecordRef& record : core_.records(Record::kAlert)) {
    auto alert = object::open_object<object::Alert>(*record.value, verifier);
    if (alert.ok() && alerts_.size() < kAlertsMax) alerts_.insert_or_assign(alert->id, std::move(alert).value());
  }
  judge_standing(turn.now);
}

void Devices::started(Turn& turn) {
  publish_self(turn);
  if (!core_.holds_root() || core_.awaiting_index) return;
  renew_records(turn);
  // This node has a new key: whoever would still show the old one is refused from now on.
  const std::optional<crypto::PublicKey>& old_key = core_.record.body.succeeds;
  if (old_key && !core_.revoked_device(*old_key, core_.owner(), turn.now)) {
    core_.audit(turn, {object::AuditKind::kKey, convert<crypto::Digest>(core_.self()), "this node's key took the place of " + codec::key_text(*old_key), AuditBytes::kWithin},
                core_.record.bytes);
    revoke_as(turn, object::RevocationTarget::kKey, *old_key, object::RevocationReason::kSuperseded, [](Turn&, const Status&) {});
  }
}

void Devices::judge_standing(Instant now) {
  standing_.clear();
  for (const auto& [node, record] : devices_) {
    if (!core_.revoked_device(node, core_.owner(), now)) standing_.emplace(node, record);
  }
}

bool Devices::is_device(const NodeKey& peer, Instant now) const {
  const mesh::Peer* known = core_.sessions.find(peer);
  return known != nullptr && known->record && known->record->body.owner == core_.owner() && peer != core_.self() &&
         !core_.revoked_device(peer, core_.owner(), now);
}

std::vector<NodeKey> Devices::connected(Instant now) const {
  std::vector<NodeKey> out;
  for (const auto& [node, record] : standing_) {
    if (core_.sessions.up(node) && is_device(node, now)) out.push_back(node);
  }
  return out;
}

bool Devices::leads(Instant now) const {
  const auto rank = [this](const NodeKey& node) {
    const std::optional<PeerRecord> peer = peer_record(node);
    // Whoever holds the owner's key has been there longest, as a rule, and knows of grants that the others never saw.
    return std::pair(node == core_.self() ? !core_.holds_root() : !peer || !peer->holds_root, node);
  };
  const auto own = rank(core_.self());
  const std::vector<NodeKey> others = connected(now);
  return std::all_of(others.begin(), others.end(), [&](const NodeKey& other) { return own < rank(other); });
}

std::optional<PeerRecord> Devices::peer_record(const NodeKey& node) const {
  const Bytes* bytes = core_.find_record(Record::kPeer, node);
  if (bytes == nullptr) return std::nullopt;
  Result<PeerRecord> peer = codec::decode<PeerRecord>(*bytes);
  return peer.ok() ? std::optional(std::move(peer).value()) : std::nullopt;
}

void Devices::keep_record(Turn& turn, object::Signed<object::NodeRecord> record, Core::OnStatus then) {
  const NodeKey node = record.body.node;
  const Bytes bytes = record.bytes;
  devices_.insert_or_assign(node, std::move(record));
  judge_standing(turn.now);
  core_.put_record(turn, Record::kDevice, node, bytes, [this, bytes, then](Turn& t, const Status& kept) {
    if (kept.ok()) tell(t, bytes);
    then(t, kept);
  });
}

void Devices::on_record(Turn& turn, object::Signed<object::NodeRecord> record) {
  if (record.body.owner != core_.owner()) return;
  const auto here = devices_.find(record.body.node);
  if (here != devices_.end() && here->second.body.serial >= record.body.serial) return;
  if (here == devices_.end() && devices_.size() >= kDevicesMax) return core_.trace(turn, "ALERT: a device was not taken in: there are too many");
  if (record.body.node == core_.self() && !core_.holds_root()) core_.set_record(record);
  keep_record(turn, std::move(record), [](Turn&, const Status&) {});
  zones_.tend(turn);
}

void Devices::renew_records(Turn& turn) {
  const uint64_t now = turn.now.unix_seconds();
  std::vector<object::NodeRecord> ending;
  uint64_t soonest = UINT64_MAX;
  for (const auto& [node, record] : standing_) {
    const uint64_t renew = record.body.expires - std::min(record.body.expires, kRecordRenewBefore);
    if (renew <= now) ending.push_back(record.body);
    else soonest = std::min(soonest, renew);
  }
  for (object::NodeRecord& body : ending) {
    body.issued = now;
    body.expires = now + object::kDelegationTtlMax;
    body.serial = std::max(body.serial + 1, now);
    auto made = object::sign_object(*core_.config.owner, body);
    CHECK(made.ok());
    if (body.node == core_.self()) core_.set_record(*made);
    keep_record(turn, std::move(made).value(), [](Turn&, const Status&) {});
    soonest = std::min(soonest, body.expires - kRecordRenewBefore);
  }
  renew_at_ = soonest == UINT64_MAX ? Instant::never() : Instant::from_unix_seconds(soonest);
}

// Where this device is, for the others. Written again only when it changed, so that starting changes nothing.
void Devices::publish_self(Turn& turn) {
  PeerRecord self{{}, core_.config.addresses, core_.owner(), core_.config.label, core_.holds_root()};
  if (self.addresses.size() > mesh::kAddressesPerPeerMax) self.addresses.resize(mesh::kAddressesPerPeerMax);
  if (const std::optional<PeerRecord> before = peer_record(core_.self())) {
    if (self.label.empty()) self.label = before->label;
    if (before->addresses == self.addresses && before->label == self.label && before->holds_root == self.holds_root) return;
  }
  index_.put(turn, IndexKind::kPeer, core_.self(), self, [](Turn&, const Status&) {});
}

// ---- among devices

std::vector<Bytes> Devices::own_records() const {
  std::vector<Bytes> out;
  for (const auto& [node, record] : devices_) out.push_back(record.bytes);
  for (const store::RecordRef& record : core_.records(Record::kRevocation)) {
    const auto revocation = object::open_object<object::Revocation>(*record.value, core_.authority.verifier());
    if (revocation.ok() && (revocation->signer == core_.owner() || devices_.count(revocation->signer))) out.push_back(*record.value);
  }
  for (Bytes& each : zones_.records_for_device()) out.push_back(std::move(each));
  return out;
}

std::vector<Bytes> Devices::records_for(const NodeKey& device, Instant now) const {
  std::vector<Bytes> out = own_records();
  for (const store::RecordRef& record : core_.records(Record::kDeviceGrant)) {
    const auto grant = object::open_object<object::Grant>(*record.value, core_.authority.verifier());
    if (grant.ok() && grant->body.node == device && grant->body.expires > now.unix_seconds()) out.push_back(*record.value);
  }
  // What hosts granted this owner: a device that has not met them knows by it that they are no strangers, and not lost.
  for (const auto& [id, grant] : core_.authority.all_received()) {
    if (grant.body.expires > now.unix_seconds()) out.push_back(grant.bytes);
  }
  for (const auto& [id, alert] : alerts_) out.push_back(alert.bytes);
  return out;
}

void Devices::on_peer_up(Turn& turn, const NodeKey& peer) {
  const mesh::Peer* known = core_.sessions.find(peer);
  if (known == nullptr || !known->record || known->record->body.owner != core_.owner()) return;
  if (!is_device(peer, turn.now)) return core_.trace(turn, "device " + peer.brief() + " was revoked and is told nothing");
  on_record(turn, *known->record);
  core_.send_records(turn, peer, records_for(peer, turn.now));
  index_.on_device_up(turn, peer);
}

void Devices::tell(Turn& turn, const Bytes& bytes) {
  if (on_records_changed) on_records_changed(turn);
  for (const NodeKey& device : connected(turn.now)) core_.send_records(turn, device, {bytes});
}

void Devices::on_peer_record(Turn& turn, const NodeKey& node, const PeerRecord& peer) {
  if (node == core_.self() || core_.revoked_device(node, core_.owner(), turn.now)) return;
  core_.want_peer(turn, node, peer.addresses, Instant::never());
}

void Devices::take_effect(Turn& turn, const object::Signed<object::Revocation>& revocation) {
  const object::RevocationTarget kind = revocation.body.target_kind;
  if (kind != object::RevocationTarget::kDevice && kind != object::RevocationTarget::kKey) return;
  const NodeKey node = convert<NodeKey>(revocation.body.target);
  if (node == core_.self() && revocation.signer == core_.owner()) core_.trace(turn, "ALERT: this device was revoked by its owner");
  core_.sessions.unwant(node);
  judge_standing(turn.now);
}

void Devices::pass_on(Turn& turn, const object::Signed<object::Revocation>& revocation) {
  tell(turn, revocation.bytes);
  if (revocation.signer != core_.owner()) return;
  std::vector<NodeKey> hosts;
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (core_.sessions.up(key) && core_.authority.granted_by(turn.now, key, 0) != nullptr && !is_device(key, turn.now)) hosts.push_back(key);
  }
  for (const NodeKey& host : hosts) core_.send_records(turn, host, {revocation.bytes});
}

void Devices::revoke_as(Turn& turn, object::RevocationTarget kind, ByteView target, object::RevocationReason reason, Core::OnStatus then) {
  object::Revocation body;
  body.target_kind = kind;
  body.target = *object::RevokedId::from(target);
  body.reason = reason;
  revoke(turn, std::move(body), std::move(then));
}

void Devices::on_alert(Turn& turn, const Bytes& bytes) {
  auto alert = object::open_object<object::Alert>(bytes, core_.authority.verifier());
  if (!alert.ok() || alert->body.owner != core_.owner() || alerts_.count(alert->id)) return;
  if (alert->signer != core_.owner() && !standing_.count(alert->signer)) return;
  if (alerts_.size() >= kAlertsMax) {
    const auto oldest = std::min_element(alerts_.begin(), alerts_.end(), [](const auto& a, const auto& b) { return a.second.body.issued < b.second.body.issued; });
    if (oldest->second.body.issued >= alert->body.issued) return;
    core_.erase_record(turn, Record::kAlert, oldest->first, [](Turn&, const Status&) {});
    alerts_.erase(oldest);
  }
  core_.trace(turn, "ALERT: " + alert->body.text);
  const object::ObjectId id = alert->id;
  alerts_.insert_or_assign(id, std::move(alert).value());
  core_.put_record(turn, Record::kAlert, id, bytes, [this, bytes](Turn& t, const Status& kept) {
    if (kept.ok()) tell(t, bytes);
  });
}

// ---- enrolment

Result<object::Signed<object::NodeRecord>> Devices::sign_record(const EnrolRequest& request, uint64_t now) const {
  object::NodeRecord record;
  record.owner = core_.owner();
  record.node = request.node;
  record.seal_key = request.seal_key;
  record.issued = now;
  record.expires = now + object::kDelegationTtlMax;
  record.serial = now;
  record.succeeds = request.succeeds;
  const auto before = devices_.find(request.node);
  if (before != devices_.end()) record.serial = std::max(record.serial, before->second.body.serial + 1);
  return object::sign_object(*core_.config.owner, record);
}

std::vector<object::Holder> Devices::hosts_for(Instant now) const {
  std::vector<object::Holder> out{{core_.self(), core_.config.addresses}};
  for (const auto& [key, peer] : core_.sessions.peers()) {
    const bool useful = is_device(key, now) || core_.authority.granted_by(now, key, 0) != nullptr;
    if (!useful || !core_.sessions.up(key) || peer.addresses.empty() || out.size() >= kEnrolHostsMax) continue;
    out.push_back({key, {peer.addresses.back()}});
  }
  return out;
}

void Devices::enroll(Turn& turn, const DeviceEnrollRequest& asked, OnEnrolled then) {
  const Status root = core_.need_root("selvedge device enroll REQUEST");
  if (!root.ok()) return then(turn, root.error());
  const auto request = open_request_text(asked.request, core_.authority.verifier(), turn.now);
  if (!request.ok()) return then(turn, request.error());
  const EnrolRequest& body = request->body;
  if (body.owner != core_.owner()) return then(turn, fail(Errc::kUnauthorized, "that device was made for another owner (selvedge init --owner KEY says for whom)"));
  if (core_.revoked_device(body.node, core_.owner(), turn.now)) return then(turn, fail(Errc::kRevoked, "that device was revoked: make new keys on it (selvedge init in a new home)"));
  if (body.succeeds && !devices_.count(*body.succeeds)) return then(turn, fail(Errc::kNotFound, "the key that it wants to replace is none of this owner's devices"));
  if (!devices_.count(body.node) && devices_.size() >= kDevicesMax) return then(turn, fail(Errc::kLimit, "an owner has at most " + std::to_string(kDevicesMax) + " devices"));
  std::vector<object::ZoneId> zones;
  for (const std::string& name : asked.zones) {
    const Result<object::ZoneId> zone = core_.zone_named(name);
    if (!zone.ok()) return then(turn, zone.error());
    zones.push_back(*zone);
  }
  if (body.succeeds) zones = zones_.zones_of(*body.succeeds);
  else if (asked.zones.empty()) for (const auto& [zone, own] : core_.zones) zones.push_back(zone);
  auto record = sign_record(body, turn.now.unix_seconds());
  if (!record.ok()) return then(turn, record.error());
  DeviceEnrollAnswer answer{answer_text({record->bytes, hosts_for(turn.now)}), body.node, body.label, {}};
  for (const object::ZoneId& zone : zones) answer.zones.push_back(core_.zone_name(zone));
  if (!body.label.empty()) index_.put(turn, IndexKind::kPeer, body.node, PeerRecord{{}, {}, core_.owner(), body.label, false}, [](Turn&, const Status&) {});
  const std::optional<NodeKey> old_key = body.succeeds;
  core_.audit(turn, {object::AuditKind::kDevice, convert<crypto::Digest>(body.node), (old_key ? "enrolled in place of another key: " : "enrolled: ") + body.label, AuditBytes::kWithin},
              record->bytes);
  keep_record(turn, std::move(record).value(), [this, then, answer, zones, old_key](Turn& t, const Status& kept) {
    if (!kept.ok()) return then(t, kept.error());
    const auto admitted = [then, answer](Turn& t2, const Status& status) {
      if (status.ok()) then(t2, answer);
      else then(t2, status.error());
    };
    zones_.admit(t, answer.node, zones, [this, old_key, answer, admitted](Turn& t2, const Status& status) {
      if (status.ok() && old_key && on_replaced) on_replaced(t2, *old_key, answer.node);
      if (!status.ok() || !old_key || core_.revoked_device(*old_key, core_.owner(), t2.now)) return admitted(t2, status);
      revoke_as(t2, object::RevocationTarget::kKey, *old_key, object::RevocationReason::kSuperseded, admitted);
    });
  });
}

// ---- what is shown

std::string Devices::label_of(const NodeKey& node) const {
  const std::optional<PeerRecord> peer = peer_record(node);
  return peer ? peer->label : "";
}

Result<NodeKey> Devices::find(const std::string& text) const {
  std::vector<NodeKey> found;
  for (const auto& [node, record] : devices_) {
    const bool named = label_of(node) == text || (text.size() >= 4 && codec::key_text(node).starts_with(text));
    if (named && !text.empty()) found.push_back(node);
  }
  // A name that a replaced or lost device had before counts for the one in use.
  if (found.size() > 1) std::erase_if(found, [this](const NodeKey& node) { return standing_.count(node) == 0; });
  if (found.size() == 1) return found.front();
  if (found.empty()) return fail(Errc::kNotFound, "no device of this owner is called \"" + text + "\"; selvedge device list shows them");
  return fail(Errc::kInvalid, "\"" + text + "\" could be several devices; name it by more of its key (selvedge device list)");
}

std::vector<DeviceInfo> Devices::list(Instant now) const {
  std::set<NodeKey> replaced;
  for (const auto& [node, record] : devices_) {
    if (record.body.succeeds) replaced.insert(*record.body.succeeds);
  }
  std::vector<DeviceInfo> out;
  for (const auto& [node, record] : devices_) {
    DeviceInfo info;
    info.node = node;
    info.label = label_of(node);
    info.expires = record.body.expires;
    for (const object::ZoneId& zone : zones_.zones_of(node)) info.zones.push_back(core_.zone_name(zone));
    if (!standing_.count(node)) info.state = replaced.count(node) ? "replaced" : "lost";
    else if (node == core_.self()) info.state = "here";
    else info.state = core_.sessions.up(node) && is_device(node, now) ? "connected" : "away";
    out.push_back(std::move(info));
  }
  return out;
}

std::vector<AlertInfo> Devices::alerts(Instant now) const {
  std::vector<AlertInfo> out;
  for (const auto& [id, alert] : alerts_) {
    if (alert.body.issued + kAlertShownSeconds < now.unix_seconds()) continue;
    out.push_back({object::enum_name(alert.body.kind), alert.body.text, alert.body.issued, alert.body.issuer});
  }
  std::sort(out.begin(), out.end(), [](const AlertInfo& a, const AlertInfo& b) { return a.issued > b.issued; });
  return out;
}

void Devices::on_deadline(Turn& turn) {
  if (renew_at_ <= turn.now && core_.holds_root() && !core_.awaiting_index) renew_records(turn);
  watch_loss(turn);
}

Instant Devices::next_deadline() const {
  Instant soonest = renew_at_;
  for (const auto& loss : losses_) soonest = std::min(soonest, loss->give_up);
  return soonest;
}

}  // namespace selvedge::node
