// What this machine lends: leases with their state, their pace and their handles. The tasks that run under them are in workshop.cc.
#include "node/workshop.h"

#include <algorithm>

#include "codec/multibase.h"

namespace selvedge::node {

namespace {
object::HandleScope cap_scope(const work::LeaseEntry& lease) { return {lease.grant.body.origin, lease.grant.id, lease.number}; }

object::Authorization cap_authorization(const work::LeaseEntry& lease, const object::RevocationSet& revocations) {
  return {lease.grant.id, {lease.grant.id}, lease.grant.body.expires, revocations.generation()};
}

/// What the grant says, and what every machine keeps besides.
work::Envelope envelope_of(const object::Grant& grant) {
  work::Envelope out;
  out.cpu_permille = std::min(grant.cpu_permille, 1000u);  // one domain is one processor's
  out.battery_percent_min = grant.conditions.battery_percent_min;
  out.only_while_charging = grant.conditions.only_while_charging;
  out.burst = microseconds(grant.manners.burst_us);
  out.wakeups_per_second_max = grant.manners.wakeups_per_second;
  out.heat_max = work::Level(grant.manners.heat_max);
  return out;
}

AuditNote lease_note(const object::ObjectId& grant, std::string state) {
  return {object::AuditKind::kLease, convert<crypto::Digest>(grant), std::move(state), AuditBytes::kWithin};
}
}  // namespace

void Workshop::give(Turn& turn, const GrantGiveRequest& request, const NodeKey& machine, OnGrant then) {
  const Result<crypto::PublicKey> origin = codec::parse_key(request.origin);
  if (!origin.ok()) return then(turn, fail(Errc::kInvalid, "the origin is not a key: " + origin.error().message + ". selvedge status on their machine shows it as owner"));
  if (request.battery_percent_min > 100) return then(turn, fail(Errc::kInvalid, "a battery has at most 100 percent"));
  object::Grant grant;
  grant.origin = *origin;
  grant.classes = (request.cpu_permille > 0 ? object::kCompute : 0) | (request.storage_bytes > 0 ? object::kStorage : 0);
  grant.cpu_permille = request.cpu_permille;
  grant.memory_bytes = request.cpu_permille > 0 ? request.memory_bytes : 0;
  grant.storage_bytes = request.storage_bytes;
  grant.conditions = {uint8_t(request.battery_percent_min), request.only_while_charging};
  grant.manners = request.manners;
  grant.issued = turn.now.unix_seconds();
  grant.expires = grant.issued + request.seconds;
  give(turn, std::move(grant), machine, std::move(then));
}

void Workshop::give(Turn& turn, object::Grant grant, const NodeKey& machine, OnGrant then) {
  const Status root = core_.need_root("selvedge grant give KEY --device " + codec::key_text(machine));
  if (!root.ok()) return then(turn, root.error());
  const bool here = machine == core_.self();
  if (grant.origin == core_.owner() && here) return then(turn, fail(Errc::kInvalid, "that is this machine's own owner, who needs no grant"));
  grant.owner = core_.owner();
  grant.node = machine;
  grant.nonce = core_.drbg.draw<object::Unique>();
  Result<object::Signed<object::Grant>> made = object::sign_object(*core_.config.owner, grant);
  if (!made.ok()) return then(turn, made.error());
  const object::Signed<object::Grant> given = *made;
  const AuditNote note{object::AuditKind::kGrant, convert<crypto::Digest>(given.id), "given to " + codec::key_text(given.body.origin), AuditBytes::kWithin};
  core_.put_audited(turn, here ? Record::kGrantGiven : Record::kDeviceGrant, given.id, given.bytes, note, [this, given, here, then](Turn& t, const Status& kept) {
    if (!kept.ok()) return then(t, kept.error());
    if (here) open_given(t, given);
    else core_.send_records(t, given.body.node, {given.bytes});
    then(t, given);
  });
}

void Workshop::open_given(Turn& turn, const object::Signed<object::Grant>& given) {
  restore(turn, given);
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (core_.sessions.up(key) && peer.record && peer.record->body.owner == given.body.origin) core_.send_records(turn, key, {given.bytes});
  }
}

void Workshop::adopt(Turn& turn, object::Signed<object::Grant> grant) {
  if (grant.body.node != core_.self() || grant.body.owner != core_.owner() || core_.authority.given(grant.id) != nullptr) return;
  if (core_.authority.all_given().size() >= kGrantsMax) return core_.trace(turn, "a grant for this machine was not taken: there are too many");
  const object::Signed<object::Grant> given = std::move(grant);
  core_.put_record(turn, Record::kGrantGiven, given.id, given.bytes, [this, given](Turn& t, const Status& kept) {
    if (kept.ok()) open_given(t, given);
  });
}

void Workshop::reissue(Turn& turn, Record kind, const NodeKey& old_key, const NodeKey& fresh) {
  if (!core_.holds_root()) return;
  std::vector<object::Signed<object::Grant>> old_grants;
  for (const store::RecordRef& record : core_.records(kind)) {
    auto grant = object::open_object<object::Grant>(*record.value, core_.authority.verifier());
    if (grant.ok() && grant->body.node == old_key) old_grants.push_back(std::move(grant).value());
  }
  for (const object::Signed<object::Grant>& old_grant : old_grants) {
    const object::ObjectId old_id = old_grant.id;
    // One that had ended is not brought to life. One that was taken back while it named the old key stays taken back.
    object::Grant body = old_grant.body;
    body.node = fresh;
    body.issued = turn.now.unix_seconds();
    Result<object::Signed<object::Grant>> made = object::sign_object(*core_.config.owner, body);
    if (!made.ok() || core_.authority.taken_back(old_grant, turn.now)) {
      core_.erase_record(turn, kind, old_id, [](Turn&, const Status&) {});
      continue;
    }
    const object::Signed<object::Grant> given = std::move(made).value();
    for (const Record kept : {Record::kPaused, Record::kThrottled}) {
      if (const Bytes* value = core_.find_record(kept, old_id)) core_.put_record(turn, kept, given.id, Bytes(*value), [](Turn&, const Status&) {});
    }
    core_.put_record(turn, kind, given.id, given.bytes, [this, kind, old_id, given](Turn& t, const Status& kept) {
      if (!kept.ok()) return;
      core_.erase_record(t, kind, old_id, [](Turn&, const Status&) {});
      if (kind == Record::kDeviceGrant) core_.send_records(t, given.body.node, {given.bytes});
    });
  }
}

void Workshop::restore(Turn& turn, object::Signed<object::Grant> grant) {
  if (!core_.authority.add_given(grant).ok()) return;
  const crypto::PublicKey origin = grant.body.origin;
  if (core_.authority.revoked(grant, turn.now)) {
    // What its origin still has here goes when its time to move is over, counted from this start at the latest.
    if (on_lease_ended) on_lease_ended(turn, grant);
    return;
  }
  work::Leases::Out effects;
  const object::ObjectId id = grant.id;
  const Status added = leases_.add(turn.now, std::move(grant), effects);
  if (!added.ok()) core_.trace(turn, "a grant is not in force: " + added.error().message);
  else open_cap(turn, *leases_.find(id));
  if (const work::LeaseEntry* lease = leases_.find(id); lease != nullptr && (lease->grant.body.classes & object::kCompute)) {
    set_pace(turn, *lease, throttle_of(id));
    shaper_.bound(lease->number, lease->grant.body.manners.network_kbps);
  }
  // What its owner paused stays paused until they resume it, whatever happened to the process meanwhile.
  if (added.ok() && core_.find_record(Record::kPaused, id) != nullptr) (void)leases_.pause(id, effects).ok();
  route(turn, effects);
  // A paused lease starts nothing new, but what it holds stays held.
  uint64_t bytes_max = 0;
  for (const auto& [lease_id, lease] : leases_.all()) {
    const bool ended = lease.stage == work::LeaseStage::kRevoked || lease.stage == work::LeaseStage::kExpired;
    if (lease.grant.body.origin == origin && !ended) bytes_max = std::max(bytes_max, lease.grant.body.storage_bytes);
  }
  const Status quota = core_.store.set_quota(convert<store::OriginId>(origin), bytes_max);
  if (!quota.ok()) core_.trace(turn, "no storage quota: " + quota.error().message);
}

void Workshop::change(Turn& turn, const LeaseChangeRequest& request, OnLease then) {
  const Result<object::ObjectId> id = leases_.by_prefix(request.lease);
  if (!id.ok()) return then(turn, id.error());
  work::Leases::Out effects;
  Status changed;
  if (request.action == LeaseAction::kPause) changed = leases_.pause(*id, effects);
  else if (request.action == LeaseAction::kResume) changed = leases_.resume(turn.now, *id, effects);
  else changed = leases_.revoke(*id, effects);
  if (!changed.ok()) return then(turn, changed.error());
  const work::LeaseEntry& lease = *leases_.find(*id);
  // The answer comes when nothing runs any more and the disk has it: a crash brings nothing back that was confirmed.
  struct Change {
    LeaseChangeAnswer answer;
    Instant asked;
    size_t left = 2;
    Status kept;
  };
  auto change = std::make_shared<Change>();
  change->answer = {convert<crypto::Digest>(*id), work::lease_stage_name(lease.stage), 0};
  change->asked = turn.now;
  const auto settle = [then, change](Turn& t) {
    if (--change->left > 0) return;
    if (change->kept.ok()) return then(t, change->answer);
    then(t, fail(change->kept.code(), "the lease is " + change->answer.state + " now, but that could not be written down and a restart would forget it: " +
                                          change->kept.error().message));
  };
  const auto stopped = [change, settle](Turn& t) {
    change->answer.stopped_us = uint64_t((t.now - change->asked).ns / 1000);
    settle(t);
  };
  const auto kept = [change, settle](Turn& t, const Status& status) {
    change->kept = status;
    settle(t);
  };
  // The domain is killed first: writing it down can wait for the disk, running code cannot.
  if (request.action == LeaseAction::kResume) --change->left;
  else core_.stop_tasks(turn, lease.number, stopped);
  if (request.action == LeaseAction::kRevoke) revoke(turn, lease, object::RevocationReason::kUserRequest, kept);
  else if (request.action == LeaseAction::kPause) core_.put_audited(turn, Record::kPaused, *id, {}, lease_note(*id, "paused"), kept);
  else core_.erase_audited(turn, Record::kPaused, *id, lease_note(*id, "resumed"), kept);
  route(turn, effects);
  if (request.action != LeaseAction::kResume) return;
  // Whoever connected while the lease was paused was not told of it.
  const crypto::PublicKey origin = lease.grant.body.origin;
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (core_.sessions.up(key) && peer.record && peer.record->body.owner == origin) tell_leases(turn, key, origin);
  }
}

uint32_t Workshop::throttle_of(const object::ObjectId& grant) const {
  const Bytes* value = core_.find_record(Record::kThrottled, grant);
  return value != nullptr && value->size() == sizeof(uint32_t) ? load_u32(value->data()) : 0;
}

void Workshop::set_pace(Turn& turn, const work::LeaseEntry& lease, uint32_t throttle_permille) {
  work::Envelope envelope = envelope_of(lease.grant.body);
  if (throttle_permille > 0) envelope.owner_permille = throttle_permille;
  work::Dtaps::Out paces;
  dtaps_.on_lease(turn.now, lease.number, envelope, lease.grant.body.manners.utility, paces);
  route(turn, paces);
}

void Workshop::throttle(Turn& turn, const LeaseThrottleRequest& request, OnThrottle then) {
  const Result<object::ObjectId> id = leases_.by_prefix(request.lease);
  if (!id.ok()) return then(turn, id.error());
  const work::LeaseEntry& lease = *leases_.find(*id);
  const bool over = lease.stage == work::LeaseStage::kRevoked || lease.stage == work::LeaseStage::kExpired;
  if (over) return then(turn, fail(Errc::kInvalid, std::string("the lease is ") + work::lease_stage_name(lease.stage) + ": nothing of it runs"));
  if ((lease.grant.body.classes & object::kCompute) == 0) return then(turn, fail(Errc::kInvalid, "nothing runs under this lease: it is for storage only"));
  const bool free = request.cpu_permille == 0 || request.cpu_permille >= lease.grant.body.cpu_permille;
  set_pace(turn, lease, free ? 0 : request.cpu_permille);
  const LeaseThrottleAnswer answer{convert<crypto::Digest>(*id), free ? lease.grant.body.cpu_permille : request.cpu_permille};
  const auto kept = [answer, then](Turn& t, const Status& status) {
    if (status.ok()) return then(t, answer);
    then(t, fail(status.code(), "the lease is held to that now, but it could not be written down and a restart would forget it: " + status.error().message));
  };
  Bytes value;
  append_u32(value, request.cpu_permille);
  if (free) core_.erase_audited(turn, Record::kThrottled, *id, lease_note(*id, "let go"), kept);
  else core_.put_audited(turn, Record::kThrottled, *id, std::move(value), lease_note(*id, "throttled to " + std::to_string(request.cpu_permille) + " permille"), kept);
}

void Workshop::revoke(Turn& turn, const work::LeaseEntry& lease, object::RevocationReason reason, Core::OnStatus then) {
  // A machine may always refuse to go on, with its own key where its owner's is elsewhere.
  const crypto::Signer& signer = core_.holds_root() ? *core_.config.owner : *core_.config.node;
  object::Revocation revocation;
  revocation.issuer = signer.public_key();
  revocation.target_kind = object::RevocationTarget::kCapability;
  revocation.target.bytes = lease.grant.id.bytes;
  revocation.cutoff = turn.now.unix_seconds();
  revocation.reason = reason;
  revocation.issued = turn.now.unix_seconds();
  Result<object::Signed<object::Revocation>> made = object::sign_object(signer, revocation);
  CHECK(made.ok());
  const Status added = core_.authority.add_revocation(*made);
  if (!added.ok()) core_.trace(turn, "ALERT: a revocation was not kept: " + added.error().message);
  const crypto::PublicKey origin = lease.grant.body.origin;
  const Bytes bytes = made->bytes;
  const AuditNote note{object::AuditKind::kRevocation, convert<crypto::Digest>(made->id), "made: lease " + lease.grant.id.hex(), AuditBytes::kWithin};
  core_.put_audited(turn, Record::kRevocation, made->id, bytes, note, [this, origin, bytes, then](Turn& t, const Status& kept) {
    if (!kept.ok()) core_.trace(t, "ALERT: a revocation is not on disk: " + kept.error().message);
    for (const auto& [key, peer] : core_.sessions.peers()) {
      if (core_.sessions.up(key) && peer.record && peer.record->body.owner == origin) {
        core_.send(t, key, mesh::MeshMessages::encode(mesh::Records{{bytes}}));
      }
    }
    then(t, kept);
  });
}

void Workshop::route(Turn& turn, work::Leases::Out& effects) {
  for (work::LeaseEffect& effect : effects.take()) {
    if (auto* stop = std::get_if<work::StopLease>(&effect)) {
      const work::LeaseEntry* lease = leases_.find(stop->lease);
      const Errc why = lease->stage == work::LeaseStage::kRevoked ? Errc::kRevoked
                       : lease->stage == work::LeaseStage::kExpired ? Errc::kExpired
                                                                     : Errc::kUnavailable;
      end_tasks(turn, stop->number, Error{why, "the machine's owner stopped the lease"});
    } else if (auto* changed = std::get_if<work::LeaseChanged>(&effect)) {
      const work::LeaseEntry* lease = leases_.find(changed->lease);
      tell_lease(turn, *lease);
      const bool over = changed->stage == work::LeaseStage::kRevoked || changed->stage == work::LeaseStage::kExpired;
      if (over) {
        handles_.drop_lease(changed->lease);
        work::Dtaps::Out paces;
        dtaps_.on_lease_ended(turn.now, lease->number, paces);
        route(turn, paces);
        shaper_.forget(lease->number);
        // The pace of a lease that is no more need not be remembered.
        turn.out.push(PaceTasks{lease->number, std::nullopt});
      }
      if (over && on_lease_ended) on_lease_ended(turn, lease->grant);
      else if (on_lease_stage) on_lease_stage(turn, changed->lease);
    }
  }
}

void Workshop::end_tasks(Turn& turn, uint64_t lease_number, const Error& why) {
  core_.stop_tasks(turn, lease_number, [](Turn&) {});
  busy_.erase(lease_number);
  std::erase_if(with_domains_, [&](const auto& t) { return t.second == lease_number; });
  work::Dtaps::Out paces;
  dtaps_.on_work(turn.now, lease_number, std::nullopt, paces);
  route(turn, paces);
  work::Executor::Out ended;
  executor_.on_lease_stopped(turn.now, lease_number, why, ended);
  route(turn, ended);
}

void Workshop::route(Turn& turn, work::Dtaps::Out& effects) {
  for (work::DtapsEffect& effect : effects.take()) {
    if (const auto* pace = std::get_if<work::SetPace>(&effect)) {
      if (auto busy = busy_.find(pace->lease); busy != busy_.end()) busy->second.degraded |= pace->degraded;
      turn.out.push(PaceTasks{pace->lease, *pace});
    } else if (const auto* end = std::get_if<work::EndTasks>(&effect)) {
      end_tasks(turn, end->lease, Error{Errc::kUnavailable, "the machine needs for itself what the task takes: " + work::degraded_text(end->why)});
    } else if (const auto* broken = std::get_if<work::RevokeForViolations>(&effect)) {
      work::LeaseEntry* lease = leases_.find_number(broken->lease);
      if (lease == nullptr || lease->stage == work::LeaseStage::kRevoked) continue;
      core_.trace(turn, "ALERT: the lease " + lease->grant.id.hex() + " is revoked: its domain " + work::violation_name(broken->last));
      work::Leases::Out ended;
      const Status stopped = leases_.revoke(lease->grant.id, ended);
      CHECK(stopped.ok());
      revoke(turn, *lease, object::RevocationReason::kViolation, [](Turn&, const Status&) {});
      route(turn, ended);
    } else {
      executor_.drop_modules();
      turn.out.push(ReclaimMemory{});
    }
  }
}

void Workshop::enforce_revocations(Turn& turn) {
  std::vector<object::ObjectId> ending;
  for (const auto& [id, lease] : leases_.all()) {
    const bool over = lease.stage == work::LeaseStage::kRevoked || lease.stage == work::LeaseStage::kExpired;
    if (!over && core_.authority.revoked(lease.grant, turn.now)) ending.push_back(id);
  }
  work::Leases::Out effects;
  for (const object::ObjectId& id : ending) {
    (void)leases_.revoke(id, effects).ok();
  }
  route(turn, effects);
}

void Workshop::open_cap(Turn& turn, work::LeaseEntry& lease) {
  const Result<object::Handle> cap = handles_.issue(cap_scope(lease), cap_authorization(lease, core_.authority.revocations()), turn.now);
  // Without one nothing of the lease starts: a lease that has expired meanwhile, or more leases than handles.
  if (cap.ok()) lease.cap = *cap;
  else core_.trace(turn, "a lease has no handle: " + cap.error().message);
}

Status Workshop::check_cap(Instant now, const object::Handle& cap, const work::LeaseEntry& lease) {
  const object::RevocationSet& revocations = core_.authority.revocations();
  const Result<object::Authorization> stands = handles_.resolve(cap, cap_scope(lease), revocations, now);
  if (stands.ok()) return ok();
  // Something was revoked since the handle was issued; whether it was this grant is decided anew.
  if (stands.code() == Errc::kRevoked && !core_.authority.revoked(lease.grant, now)) return handles_.renew(cap, cap_scope(lease), cap_authorization(lease, revocations));
  return stands.error();
}

// The lease as a signed object. A paused one has none: a pause is between the owner and this machine, and offers are refused.
std::optional<Bytes> Workshop::lease_object(const work::LeaseEntry& lease) const {
  object::Lease body;
  body.grant = lease.grant.id;
  body.node = core_.self();
  body.origin = lease.grant.body.origin;
  body.started = lease.grant.body.issued;
  body.expires = lease.grant.body.expires;
  switch (lease.stage) {
    case work::LeaseStage::kActive: body.state = object::LeaseState::kActive; break;
    case work::LeaseStage::kExpiring: body.state = object::LeaseState::kExpiring; break;
    case work::LeaseStage::kRevoked: body.state = object::LeaseState::kRevoked; break;
    case work::LeaseStage::kExpired: body.state = object::LeaseState::kExpired; break;
    case work::LeaseStage::kPaused: return std::nullopt;
  }
  Result<object::Signed<object::Lease>> made = object::sign_object(*core_.config.node, body);
  if (!made.ok()) return std::nullopt;
  return std::move(made->bytes);
}

void Workshop::tell_leases(Turn& turn, const NodeKey& peer, const crypto::PublicKey& origin) {
  mesh::Records records;
  for (const auto& [id, lease] : leases_.all()) {
    if (lease.grant.body.origin != origin || !lease.usable() || records.objects.size() >= mesh::kRecordsPerMessageMax) continue;
    std::optional<Bytes> bytes = lease_object(lease);
    if (bytes) records.objects.push_back(std::move(*bytes));
  }
  if (!records.objects.empty()) core_.send(turn, peer, mesh::MeshMessages::encode(records));
}

void Workshop::tell_lease(Turn& turn, const work::LeaseEntry& lease) {
  const std::optional<Bytes> bytes = lease_object(lease);
  if (!bytes) return;
  core_.put_audited(turn, Record::kLease, lease.grant.id, *bytes, lease_note(lease.grant.id, work::lease_stage_name(lease.stage)), [](Turn&, const Status&) {});
  for (const auto& [key, peer] : core_.sessions.peers()) {
    // An end is told at once. That a lease is in force is told when the policy is here: see tell_leases().
    if (!lease.usable() && core_.sessions.up(key) && peer.record && peer.record->body.owner == lease.grant.body.origin) {
      core_.send(turn, key, mesh::MeshMessages::encode(mesh::Records{{*bytes}}));
    }
  }
}

std::vector<LeaseInfo> Workshop::list() const {
  std::vector<LeaseInfo> out;
  for (const auto& [id, lease] : leases_.all()) {
    LeaseInfo info;
    info.id = convert<crypto::Digest>(id);
    info.origin = lease.grant.body.origin;
    info.state = work::lease_stage_name(lease.stage);
    info.started = lease.grant.body.issued;
    info.expires = lease.grant.body.expires;
    const object::Grant& grant = lease.grant.body;
    info.cpu_permille = (grant.classes & object::kCompute) ? grant.cpu_permille : 0;
    info.memory_bytes = grant.memory_bytes;
    info.storage_bytes = grant.storage_bytes;
    info.network_kbps = grant.manners.network_kbps;
    info.throttle_permille = throttle_of(id);
    info.pace_permille = lease.usable() ? dtaps_.permille(lease.number) : 0;
    info.tasks = lease.meters.tasks;
    info.fuel = lease.meters.fuel;
    info.cpu_ns = lease.meters.cpu_ns;
    info.stored_bytes = core_.store.usage(convert<store::OriginId>(info.origin)).bytes;
    info.bytes_in = lease.meters.bytes_in;
    info.bytes_out = lease.meters.bytes_out;
    info.wakeups = lease.meters.wakeups;
    info.frozen_ms = lease.meters.frozen_ms;
    info.violations = lease.meters.violations;
    if (const auto busy = busy_.find(lease.number); busy != busy_.end()) {
      info.cpu_ns += busy->second.used.cpu_ns;
      info.wakeups += busy->second.used.wakeups;
      info.resident_bytes = busy->second.used.resident_bytes;
    }
    info.slowed = work::degraded_text(dtaps_.degraded(lease.number));
    out.push_back(std::move(info));
  }
  return out;
}

DomainListAnswer Workshop::domains() const {
  DomainListAnswer out;
  for (const work::Executor::Execution& each : executor_.list()) {
    const object::TaskOffer& offer = each.accepted->offer.body;
    DomainInfo info{convert<crypto::Digest>(each.task), convert<crypto::Digest>(offer.grant), offer.spec.origin, offer.spec.module, "", offer.spec.entry, each.stage, offer.issued};
    if (!offer.manifest.empty()) {
      const auto manifest = object::open_object<object::Manifest>(offer.manifest, core_.authority.verifier());
      if (manifest.ok()) info.bundle = manifest->body.name + " " + manifest->body.version;
    }
    out.domains.push_back(std::move(info));
  }
  return out;
}

bool Workshop::lends_processor() const {
  return std::any_of(leases_.all().begin(), leases_.all().end(), [](const auto& each) { return each.second.usable() && (each.second.grant.body.classes & object::kCompute) != 0; });
}

}  // namespace selvedge::node
