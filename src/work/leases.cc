#include "work/leases.h"

#include <algorithm>

namespace selvedge::work {

const char* lease_stage_name(LeaseStage stage) {
  switch (stage) {
    case LeaseStage::kActive: return "active";
    case LeaseStage::kPaused: return "paused";
    case LeaseStage::kExpiring: return "expiring";
    case LeaseStage::kRevoked: return "revoked";
    case LeaseStage::kExpired: return "expired";
  }
  return "expired";
}

LeaseStage Leases::stage_at(Instant now, const object::Grant& grant) {
  const Instant end = Instant::from_unix_seconds(grant.expires);
  if (end <= now) return LeaseStage::kExpired;
  return end - kExpiringWindow <= now ? LeaseStage::kExpiring : LeaseStage::kActive;
}

Status Leases::add(Instant now, object::Signed<object::Grant> grant, Out& out) {
  const object::ObjectId id = grant.id;
  if (leases_.count(id)) return ok();
  if (leases_.size() >= kLeasesMax) {
    // Ended leases make room; live ones never do.
    const auto ended = std::find_if(leases_.begin(), leases_.end(), [](const auto& l) { return !l.second.usable() && l.second.stage != LeaseStage::kPaused; });
    if (ended == leases_.end()) return fail(Errc::kLimit, "this machine has " + std::to_string(kLeasesMax) + " leases; revoke one first");
    leases_.erase(ended);
  }
  const LeaseStage stage = stage_at(now, grant.body);
  leases_.emplace(id, LeaseEntry{std::move(grant), next_number_++, stage, {}});
  out.push(LeaseChanged{id, stage});
  return ok();
}

Status Leases::pause(const object::ObjectId& id, Out& out) {
  LeaseEntry* lease = find(id);
  if (lease == nullptr) return fail(Errc::kNotFound, "no such lease; selvedge lease list shows them");
  if (lease->stage == LeaseStage::kPaused) return ok();
  if (!lease->usable()) return fail(Errc::kInvalid, std::string("the lease is ") + lease_stage_name(lease->stage) + " and cannot be paused");
  lease->stage = LeaseStage::kPaused;
  out.push(StopLease{id, lease->number});
  out.push(LeaseChanged{id, lease->stage});
  return ok();
}

Status Leases::resume(Instant now, const object::ObjectId& id, Out& out) {
  LeaseEntry* lease = find(id);
  if (lease == nullptr) return fail(Errc::kNotFound, "no such lease; selvedge lease list shows them");
  if (lease->usable()) return ok();
  if (lease->stage != LeaseStage::kPaused) return fail(Errc::kInvalid, std::string("the lease is ") + lease_stage_name(lease->stage) + "; give a new grant instead");
  lease->stage = stage_at(now, lease->grant.body);
  out.push(LeaseChanged{id, lease->stage});
  return ok();
}

Status Leases::revoke(const object::ObjectId& id, Out& out) {
  LeaseEntry* lease = find(id);
  if (lease == nullptr) return fail(Errc::kNotFound, "no such lease; selvedge lease list shows them");
  // Stopping again is harmless and answers the caller in the same way.
  out.push(StopLease{id, lease->number});
  if (lease->stage == LeaseStage::kRevoked) return ok();
  lease->stage = LeaseStage::kRevoked;
  out.push(LeaseChanged{id, lease->stage});
  return ok();
}

void Leases::on_deadline(Instant now, Out& out) {
  for (auto& [id, lease] : leases_) {
    if (lease.stage == LeaseStage::kRevoked || lease.stage == LeaseStage::kExpired) continue;
    const LeaseStage stage = stage_at(now, lease.grant.body);
    const bool ends = stage == LeaseStage::kExpired;
    if (!ends && (lease.stage == LeaseStage::kPaused || stage == lease.stage)) continue;
    lease.stage = stage;
    if (ends) out.push(StopLease{id, lease.number});
    out.push(LeaseChanged{id, stage});
  }
}

Instant Leases::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, lease] : leases_) {
    const Instant end = Instant::from_unix_seconds(lease.grant.body.expires);
    if (lease.stage == LeaseStage::kActive) soonest = std::min(soonest, end - kExpiringWindow);
    if (lease.stage == LeaseStage::kExpiring || lease.stage == LeaseStage::kPaused) soonest = std::min(soonest, end);
  }
  return soonest;
}

LeaseEntry* Leases::find_number(uint64_t number) {
  auto it = std::find_if(leases_.begin(), leases_.end(), [&](const auto& l) { return l.second.number == number; });
  return it == leases_.end() ? nullptr : &it->second;
}

LeaseEntry* Leases::find(const object::ObjectId& id) {
  auto it = leases_.find(id);
  return it == leases_.end() ? nullptr : &it->second;
}

LeaseEntry* Leases::of_origin(const crypto::PublicKey& origin) {
  LeaseEntry* best = nullptr;
  for (auto& [id, lease] : leases_) {
    if (lease.grant.body.origin != origin || !lease.usable()) continue;
    if (best == nullptr || lease.grant.body.expires > best->grant.body.expires) best = &lease;
  }
  return best;
}

Result<object::ObjectId> Leases::by_prefix(const std::string& prefix) const {
  const object::ObjectId* found = nullptr;
  for (const auto& [id, lease] : leases_) {
    if (prefix.size() < 4 || id.hex().rfind(prefix, 0) != 0) continue;
    if (found != nullptr) return fail(Errc::kInvalid, "several leases begin with " + prefix + "; give more of the id");
    found = &id;
  }
  if (found == nullptr) return fail(Errc::kNotFound, "no lease begins with " + prefix + "; selvedge lease list shows them");
  return *found;
}

}  // namespace selvedge::work
