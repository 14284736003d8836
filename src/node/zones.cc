#include "node/zones.h"

#include <algorithm>
#include <tuple>

#include "crypto/hash.h"

namespace selvedge::node {

/// Several things that are written down, and what follows when all of them are.
struct Waiting {
  size_t left = 1;
  Status status;
  Core::OnStatus then;
  void settle(Turn& turn, const Status& each) {
    if (!each.ok() && status.ok()) status = each;
    if (--left == 0 && then) then(turn, status);
  }
};

namespace {

store::RecordId epoch_record(const object::ZoneId& zone, uint64_t epoch) {
  Bytes name = to_bytes(zone);
  append_u64(name, epoch);
  return convert<store::RecordId>(crypto::sha256(name));
}

Status check_zone_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; });
  if (name.empty() || name.size() > 64 || !plain) return fail(Errc::kInvalid, "a zone's name is 1 to 64 of a-z, 0-9, '-', '_' and '.'");
  return ok();
}

/// How long before its end a policy is signed anew: with a third of its time left, and ten days at most.
uint64_t before_end(const object::ZonePolicy& policy) { return std::min((policy.expires - policy.issued) / 3, kPolicyRenewBefore); }

bool lists(const object::ZoneKeyEpoch& epoch, const NodeKey& node) {
  return std::any_of(epoch.devices.begin(), epoch.devices.end(), [&](const object::SealedEpoch& each) { return each.node == node; });
}

}  // namespace

// ---- start

void Zones::restore(Turn& turn) {
  const crypto::Verifier& verifier = core_.authority.verifier();
  for (const store::RecordRef& record : core_.records(Record::kZoneKey)) {
    auto epoch = object::open_object<object::ZoneKeyEpoch>(*record.value, verifier);
    if (!epoch.ok() || epoch->body.owner != core_.owner()) continue;
    const EpochName name{epoch->body.zone, epoch->body.epoch};
    epochs_.insert_or_assign(name, std::move(epoch).value());
  }
  for (const auto& [id, policy] : core_.authority.policies()) on_own_policy(policy);
  for (const auto& [zone, own] : core_.zones) {
    if (const auto* last = latest(zone)) {
      for (const object::SealedEpoch& each : last->body.devices) listed_[zone].insert(each.node);
    }
  }
  for (const store::RecordRef& record : core_.records(Record::kHostZones)) {
    const Result<HostZones> told = codec::decode<HostZones>(*record.value);
    if (told.ok()) told_[convert<NodeKey>(record.id)].insert(told->zones.begin(), told->zones.end());
  }
  tend(turn);
}

void Zones::on_own_policy(const object::Signed<object::ZonePolicy>& policy) {
  if (policy.body.owner != core_.owner() || (!core_.zones.count(policy.body.zone) && core_.zones.size() >= kOwnZonesMax)) return;
  core_.zones[policy.body.zone].name = policy.body.name;
  rebuild(policy.body.zone);
}

// Which secrets are here follows from the signed epochs alone. Whoever computes with the old keys meanwhile keeps them alive.
void Zones::rebuild(const object::ZoneId& zone) {
  const auto own = core_.zones.find(zone);
  if (own == core_.zones.end()) return;
  auto keys = std::make_shared<object::ZoneKeys>(zone);
  own->second.epoch = 0;
  for (auto it = epochs_.lower_bound({zone, 0}); it != epochs_.end() && it->first.first == zone; ++it) {
    const object::ZoneKeyEpoch& epoch = it->second.body;
    Status opened = fail(Errc::kUnauthorized, "not sealed to this device");
    if (core_.config.zone_root) opened = keys->add_epoch(epoch.epoch, object::zone_epoch_secret(*core_.config.zone_root, zone, epoch.epoch));
    for (const object::SealedEpoch& each : epoch.devices) {
      if (!opened.ok() && each.node == core_.self()) opened = keys->open_epoch(epoch.epoch, each.sealed, *core_.config.seal);
    }
    // Only the latest epoch seals what is new: a device that was left out of it stores nothing in this zone any more.
    own->second.epoch = opened.ok() ? epoch.epoch : 0;
  }
  own->second.keys = std::move(keys);
}

const object::Signed<object::ZoneKeyEpoch>* Zones::latest(const object::ZoneId& zone) const {
  const auto after = epochs_.upper_bound({zone, UINT64_MAX});
  if (after == epochs_.begin()) return nullptr;
  const auto last = std::prev(after);
  return last->first.first == zone ? &last->second : nullptr;
}

std::vector<const object::Signed<object::ZoneKeyEpoch>*> Zones::epochs(const object::ZoneId& zone) const {
  std::vector<const object::Signed<object::ZoneKeyEpoch>*> out;
  for (auto it = epochs_.lower_bound({zone, 0}); it != epochs_.end() && it->first.first == zone; ++it) out.push_back(&it->second);
  return out;
}

std::vector<object::ZoneId> Zones::zones_of(const NodeKey& device) const {
  std::vector<object::ZoneId> out;
  for (const auto& [zone, own] : core_.zones) {
    const auto* last = latest(zone);
    if (last != nullptr && lists(last->body, device)) out.push_back(zone);
  }
  return out;
}

// ---- with the owner's key

std::set<NodeKey> Zones::members(const object::ZoneId& zone, Instant now) const {
  std::set<NodeKey> out;
  const auto listed = listed_.find(zone);
  if (listed == listed_.end()) return out;
  for (const auto& [node, record] : devices()) {
    // A successor takes the place of who is on the list, be the old key revoked or not.
    const bool heir = record.body.succeeds && listed->second.count(*record.body.succeeds);
    if ((heir || listed->second.count(node)) && !core_.revoked_device(node, core_.owner(), now)) out.insert(node);
  }
  return out;
}

object::Signed<object::ZoneKeyEpoch> Zones::make_epoch(const object::ZoneId& zone, uint64_t epoch, const std::set<NodeKey>& nodes, const std::string& reason,
                                                       Instant now) {
  object::ZoneKeys keys(zone);
  CHECK(keys.add_epoch(epoch, object::zone_epoch_secret(*core_.config.zone_root, zone, epoch)).ok());
  object::ZoneKeyEpoch made;
  made.zone = zone;
  made.owner = core_.owner();
  made.epoch = epoch;
  made.reason = reason;
  made.issued = now.unix_seconds();
  const auto before = epochs_.find({zone, epoch});
  if (before != epochs_.end()) made.issued = std::max(made.issued, before->second.body.issued + 1);
  for (const NodeKey& node : nodes) {
    Result<Bytes> sealed = keys.seal_epoch(epoch, devices().at(node).body.seal_key, core_.drbg);
    if (sealed.ok()) made.devices.push_back({node, std::move(sealed).value()});  // not to a key that is none
  }
  Result<object::Signed<object::ZoneKeyEpoch>> signed_epoch = object::sign_object(*core_.config.owner, made);
  CHECK(signed_epoch.ok());
  return std::move(signed_epoch).value();
}

void Zones::keep(Turn& turn, object::Signed<object::ZoneKeyEpoch> epoch, Core::OnStatus then) {
  const object::ZoneId zone = epoch.body.zone;
  const uint64_t number = epoch.body.epoch;
  const Bytes bytes = epoch.bytes;
  const AuditNote note{object::AuditKind::kZoneEpoch, convert<crypto::Digest>(epoch.id), core_.zone_name(zone) + ", epoch " + std::to_string(number) + " for " +
                       std::to_string(epoch.body.devices.size()) + " devices: " + epoch.body.reason, AuditBytes::kWithin};
  epochs_.insert_or_assign({zone, number}, std::move(epoch));
  if (const auto* last = latest(zone); last->body.epoch == number) {
    for (const object::SealedEpoch& each : last->body.devices) listed_[zone].insert(each.node);
  }
  rebuild(zone);
  core_.put_audited(turn, Record::kZoneKey, epoch_record(zone, number), bytes, note, [this, bytes, then](Turn& t, const Status& kept) {
    if (kept.ok() && tell_devices) tell_devices(t, bytes);
    if (kept.ok() && on_changed) on_changed(t);
    then(t, kept);
  });
}

void Zones::tend(Turn& turn, Core::OnStatus then) {
  auto waiting = std::make_shared<Waiting>();
  waiting->then = std::move(then);
  if (!core_.holds_root() || core_.awaiting_index) return waiting->settle(turn, ok());
  make_defaults(turn);
  renew_policies(turn);
  std::vector<object::ZoneId> own;
  for (const auto& [zone, each] : core_.zones) own.push_back(zone);
  for (const object::ZoneId& zone : own) mend_zone(turn, zone, waiting);
  waiting->settle(turn, ok());
}

void Zones::make_defaults(Turn& turn) {
  for (const std::string& name : object::default_zone_names()) {
    if (core_.authority.policy(object::zone_id(core_.owner(), name)) == nullptr) sign_policy(turn, *object::default_policy(core_.owner(), name), kPolicyTtl, [](Turn&, const Status&) {});
  }
}

void Zones::renew_policies(Turn& turn) {
  const uint64_t now = turn.now.unix_seconds();
  std::vector<object::ZonePolicy> ending;
  uint64_t soonest = UINT64_MAX;
  for (const auto& [zone, policy] : core_.authority.policies()) {
    if (policy.body.owner != core_.owner()) continue;
    const uint64_t renew = policy.body.expires - before_end(policy.body);
    if (renew <= now) ending.push_back(policy.body);
    else soonest = std::min(soonest, renew);
  }
  for (object::ZonePolicy& policy : ending) {
    const uint64_t seconds = policy.expires - policy.issued;
    soonest = std::min(soonest, now + seconds - before_end(policy));
    sign_policy(turn, std::move(policy), seconds, [](Turn&, const Status&) {});
  }
  renew_at_ = soonest == UINT64_MAX ? Instant::never() : Instant::from_unix_seconds(int64_t(soonest));
}

// Serials follow the clock, so that a home that was restored without its store does not sign what hosts take for old.
void Zones::sign_policy(Turn& turn, object::ZonePolicy policy, uint64_t seconds, Core::OnStatus then) {
  const object::Signed<object::ZonePolicy>* before = core_.authority.policy(policy.zone);
  policy.issued = turn.now.unix_seconds();
  policy.expires = policy.issued + seconds;
  policy.serial = std::max(policy.issued, before == nullptr ? uint64_t(0) : before->body.serial + 1);
  Result<object::Signed<object::ZonePolicy>> made = object::sign_object(*core_.config.owner, std::move(policy));
  if (!made.ok()) return then(turn, made.error());
  const object::ZoneId zone = made->body.zone;
  const Bytes bytes = made->bytes;
  const Status added = core_.authority.add_policy(*made);
  if (!added.ok()) return then(turn, added);
  on_own_policy(*made);
  const AuditNote note{object::AuditKind::kPolicy, convert<crypto::Digest>(made->id), "zone " + made->body.name + ", policy number " + std::to_string(made->body.serial), AuditBytes::kWithin};
  core_.put_audited(turn, Record::kPolicy, zone, bytes, note, [this, zone, bytes, then](Turn& t, const Status& kept) {
    if (kept.ok() && tell_devices) tell_devices(t, bytes);
    // Hosts that hold data of the zone go by the new policy from now on.
    std::vector<NodeKey> hosts;
    for (const auto& [host, zones] : told_) {
      if (zones.count(zone)) hosts.push_back(host);
    }
    for (const NodeKey& host : hosts) tell_host(t, host, zone);
    then(t, kept);
  });
}

void Zones::mend_zone(Turn& turn, const object::ZoneId& zone, const std::shared_ptr<Waiting>& waiting) {
  const auto settle = [waiting](Turn& t, const Status& status) { waiting->settle(t, status); };
  const auto* last = latest(zone);
  if (last == nullptr) {
    // A new zone is for every device there is.
    for (const auto& [node, record] : devices()) listed_[zone].insert(node);
    ++waiting->left;
    return keep(turn, make_epoch(zone, 1, members(zone, turn.now), "a new zone", turn.now), settle);
  }
  const std::set<NodeKey> wanted = members(zone, turn.now);
  const bool revoked = std::any_of(last->body.devices.begin(), last->body.devices.end(),
                                   [&](const object::SealedEpoch& each) { return core_.revoked_device(each.node, core_.owner(), turn.now); });
  if (revoked) {
    ++waiting->left;
    next_epoch(turn, zone, "a device was revoked", [waiting](Turn& t, Result<uint64_t> epoch) { waiting->settle(t, epoch.ok() ? ok() : Status(epoch.error())); });
  }
  std::vector<std::pair<uint64_t, std::string>> short_of;
  for (const auto* epoch : epochs(zone)) {
    const bool lacks = std::any_of(wanted.begin(), wanted.end(), [&](const NodeKey& node) { return !lists(epoch->body, node); });
    if (lacks) short_of.push_back({epoch->body.epoch, epoch->body.reason});
  }
  waiting->left += short_of.size();
  for (const auto& [number, reason] : short_of) keep(turn, make_epoch(zone, number, wanted, reason, turn.now), settle);
}

void Zones::next_epoch(Turn& turn, const object::ZoneId& zone, const std::string& reason, OnRotated then) {
  const auto* last = latest(zone);
  const uint64_t number = last == nullptr ? 1 : last->body.epoch + 1;
  if (number == 0 || epochs(zone).size() >= object::kZoneEpochsMax) return then(turn, fail(Errc::kLimit, "the zone has had all the epochs there can be"));
  keep(turn, make_epoch(zone, number, members(zone, turn.now), reason, turn.now), [number, then](Turn& t, const Status& kept) {
    if (kept.ok()) then(t, number);
    else then(t, kept.error());
  });
}

void Zones::rotate(Turn& turn, const object::ZoneId& zone, const std::string& reason, OnRotated then) {
  const Status root = core_.need_root("selvedge zone rotate");
  if (!root.ok()) return then(turn, root.error());
  if (core_.find_zone(zone) == nullptr) return then(turn, fail(Errc::kNotFound, "there is no such zone; selvedge zone list shows them"));
  if (reason.size() > object::kNameSizeMax) return then(turn, fail(Errc::kInvalid, "the reason is longer than 255 bytes"));
  next_epoch(turn, zone, reason, std::move(then));
}

void Zones::create(Turn& turn, const std::string& name, OnZone then) {
  const Status root = core_.need_root("selvedge zone create");
  if (!root.ok()) return then(turn, root.error());
  const Status sound = check_zone_name(name);
  if (!sound.ok()) return then(turn, sound.error());
  const object::ZoneId zone = object::zone_id(core_.owner(), name);
  if (core_.find_zone(zone) != nullptr) return then(turn, fail(Errc::kExists, "there is a zone of that name already"));
  if (core_.zones.size() >= kOwnZonesMax) return then(turn, fail(Errc::kLimit, "an owner has at most " + std::to_string(kOwnZonesMax) + " zones"));
  object::ZonePolicy policy = *object::default_policy(core_.owner(), "work");
  policy.name = name;
  policy.zone = zone;
  publish(turn, std::move(policy), kPolicyTtl, std::move(then));
}

void Zones::publish(Turn& turn, object::ZonePolicy policy, uint64_t seconds, OnZone then) {
  const Status root = core_.need_root("selvedge policy set");
  if (!root.ok()) return then(turn, root.error());
  if (policy.owner != core_.owner()) return then(turn, fail(Errc::kUnauthorized, "the policy speaks for another owner's zone"));
  const object::ZoneId zone = policy.zone;
  auto waiting = std::make_shared<Waiting>();
  waiting->then = [zone, then](Turn& t, const Status& status) {
    if (status.ok()) then(t, zone);
    else then(t, status.error());
  };
  ++waiting->left;
  sign_policy(turn, std::move(policy), seconds, [waiting](Turn& t, const Status& status) { waiting->settle(t, status); });
  if (core_.find_zone(zone) != nullptr) mend_zone(turn, zone, waiting);
  waiting->settle(turn, ok());
}

void Zones::admit(Turn& turn, const NodeKey& device, const std::vector<object::ZoneId>& zones, Core::OnStatus then) {
  auto waiting = std::make_shared<Waiting>();
  waiting->then = std::move(then);
  for (const object::ZoneId& zone : zones) {
    listed_[zone].insert(device);
    mend_zone(turn, zone, waiting);
  }
  waiting->settle(turn, ok());
}

// ---- from other devices

void Zones::on_zone_key(Turn& turn, const Bytes& bytes) {
  auto epoch = object::open_object<object::ZoneKeyEpoch>(bytes, core_.authority.verifier());
  if (!epoch.ok() || epoch->body.owner != core_.owner()) return;
  const object::ZoneId zone = epoch->body.zone;
  const auto here = epochs_.find({zone, epoch->body.epoch});
  if (here == epochs_.end() && epochs(zone).size() >= object::kZoneEpochsMax) return core_.trace(turn, "a zone key was not taken: the zone has too many epochs");
  if (here != epochs_.end() && here->second.bytes == bytes) return;
  // Two devices that hold the owner's key may have sealed one epoch, each to those it knew: who is on either list is a member.
  const auto* last = latest(zone);
  if (last == nullptr || last->body.epoch <= epoch->body.epoch) {
    for (const object::SealedEpoch& each : epoch->body.devices) listed_[zone].insert(each.node);
  }
  const bool newer = here == epochs_.end() || std::tie(here->second.body.issued, here->second.id) < std::tie(epoch->body.issued, epoch->id);
  if (newer) keep(turn, std::move(epoch).value(), [](Turn&, const Status&) {});
  tend(turn);
}

std::vector<Bytes> Zones::records_for_device() const {
  std::vector<Bytes> out;
  for (const auto& [zone, policy] : core_.authority.policies()) {
    if (policy.body.owner == core_.owner()) out.push_back(policy.bytes);
  }
  for (const auto& [name, epoch] : epochs_) out.push_back(epoch.bytes);
  return out;
}

// ---- hosts

bool Zones::ready(const NodeKey& host, const object::ZoneId& zone) const {
  const auto it = ready_.find(host);
  return host == core_.self() || (it != ready_.end() && it->second.count(zone) > 0);
}

void Zones::tell_host(Turn& turn, const NodeKey& host, const object::ZoneId& zone) {
  const object::Signed<object::ZonePolicy>* policy = core_.authority.policy(zone);
  if (policy == nullptr || !core_.sessions.up(host) || host == core_.self()) return;
  if (!asked_[host].insert(policy->id).second) return;
  core_.send_records(turn, host, {policy->bytes});
  remember_told(turn, host, zone);
}

void Zones::remember_told(Turn& turn, const NodeKey& host, const object::ZoneId& zone) {
  std::set<object::ZoneId>& told = told_[host];
  if (!told.insert(zone).second) return;
  core_.put_record(turn, Record::kHostZones, host, codec::encode(HostZones{{told.begin(), told.end()}}), [](Turn&, const Status&) {});
}

void Zones::tell_hosts(Turn& turn, const object::ZoneId& zone) {
  std::vector<NodeKey> hosts;
  for (const auto& [host, peer] : core_.sessions.peers()) {
    if (core_.sessions.up(host) && core_.authority.granted_by(turn.now, host, 0) != nullptr && !ready(host, zone)) hosts.push_back(host);
  }
  for (const NodeKey& host : hosts) tell_host(turn, host, zone);
}

void Zones::greet_host(Turn& turn, const NodeKey& host) {
  // A grant that is brought again says that the machine began the session anew, so it may have lost the policies.
  asked_.erase(host);
  tell_host(turn, host, core_.zone());
  const std::set<object::ZoneId> told = told_[host];
  for (const object::ZoneId& zone : told) tell_host(turn, host, zone);
}

void Zones::begin_owner_zone(Turn& turn, const NodeKey& host) {
  const std::string& name = object::default_zone_names().front();
  const object::ZoneId zone = object::zone_id(core_.owner(), name);
  if (!core_.holds_root()) return;
  if (core_.authority.policy(zone) == nullptr) sign_policy(turn, *object::default_policy(core_.owner(), name), kPolicyTtl, [](Turn&, const Status&) {});
  tell_host(turn, host, zone);
}

void Zones::on_known(Turn& turn, const NodeKey& host, const std::vector<object::ObjectId>& objects) {
  const auto asked = asked_.find(host);
  if (asked == asked_.end()) return;
  bool changed = false;
  for (const auto& [zone, policy] : core_.authority.policies()) {
    const bool named = std::find(objects.begin(), objects.end(), policy.id) != objects.end();
    if (named && asked->second.count(policy.id)) changed |= ready_[host].insert(zone).second;
  }
  if (changed && on_changed) on_changed(turn);
}

void Zones::on_peer_down(const NodeKey& host) {
  asked_.erase(host);
  ready_.erase(host);
}

void Zones::rename_host(Turn& turn, const NodeKey& old_host, const NodeKey& fresh) {
  const std::set<object::ZoneId> told = told_[old_host];
  told_.erase(old_host);
  core_.erase_record(turn, Record::kHostZones, old_host, [](Turn&, const Status&) {});
  for (const object::ZoneId& zone : told) remember_told(turn, fresh, zone);
}

}  // namespace selvedge::node
