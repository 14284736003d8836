#include "work/dtaps.h"

#include <algorithm>
#include <iterator>

namespace selvedge::work {

namespace {
// Of the whole machine, in thousandths, by the level of a signal.
constexpr uint32_t kForInteractionPermille[] = {1000, 500, 100, 50};
constexpr uint32_t kForMemoryPermille[] = {1000, 500, 0, 0};
constexpr uint32_t kForHeatPermille[] = {1000, 500, 200, 0};
constexpr uint32_t kForDrainPermille[] = {1000, 700, 300, 0};
// Ordinary threads outrank the fabric's anyway (host/domain): with less there is little to win.
constexpr uint32_t kFramesPermilleMin = 200;
// A burst keeps others from the processor for at most a slice when somebody is there.
constexpr Duration kBurstBesidePerson = milliseconds(2);
}  // namespace

const char* level_name(Level level) {
  constexpr const char* kNames[] = {"calm", "raised", "high", "critical"};
  return kNames[size_t(level)];
}

const char* violation_name(Violation violation) {
  constexpr const char* kNames[] = {"did not yield", "went beyond its share of the processor", "woke up more often than it may", "took more memory than it may"};
  return kNames[size_t(violation)];
}

std::string degraded_text(Degraded degraded) {
  constexpr const char* kNames[] = {"interaction", "frames", "memory", "heat", "power", "violations", "shed", "owner"};
  std::string out;
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (degraded & (1u << i)) out += (out.empty() ? "" : ",") + std::string(kNames[i]);
  }
  return out;
}

// ---- inputs

void Dtaps::on_signals(Instant now, const Signals& signals, Out& out) {
  const bool worse_memory = signals.memory >= Level::kHigh && signals_.memory < Level::kHigh;
  if (signals.memory < Level::kHigh) memory_since_ = Instant::never();
  if (worse_memory) {
    memory_since_ = now;
    out.push(ReclaimCaches{});
  }
  // Each report of trouble halves, as nobody can say how much of it is the fabric's doing; the way back is in steps.
  if (signals.frames == Level::kHigh) frames_permille_ = std::max(frames_permille_ / 2, kFramesPermilleMin);
  if (signals.frames == Level::kCritical) frames_permille_ = 0;
  const bool critical_memory = signals.memory == Level::kCritical && signals_.memory != Level::kCritical;
  signals_ = signals;
  replan(now, out);
  if (critical_memory) end_least(now, out);
}

void Dtaps::on_lease(Instant now, uint64_t id, const Envelope& envelope, uint32_t utility, Out& out) {
  Lease& lease = leases_[id];
  lease.envelope = envelope;
  lease.utility = utility;
  replan(now, out);
}

void Dtaps::on_lease_ended(Instant now, uint64_t id, Out& out) {
  leases_.erase(id);
  replan(now, out);
}

void Dtaps::on_work(Instant now, uint64_t id, std::optional<Instant> since, Out& out) {
  auto it = leases_.find(id);
  if (it == leases_.end()) return;
  it->second.since = since;
  replan(now, out);
}

void Dtaps::on_violation(Instant now, uint64_t id, Violation violation, Out& out) {
  auto it = leases_.find(id);
  if (it == leases_.end()) return;
  forget_strikes(now);
  std::vector<Instant>& strikes = it->second.strikes;
  strikes.push_back(now);
  const size_t count = strikes.size();
  if (count >= kStrikesToEnd) it->second.since.reset();
  // What follows for the others is planned with that already so: the caller's answer to these changes nothing more.
  if (count >= kStrikesToRevoke) {
    leases_.erase(it);
    out.push(RevokeForViolations{id, violation});
  } else if (count >= kStrikesToEnd) {
    out.push(EndTasks{id, kForViolations});
  }
  replan(now, out);
}

void Dtaps::on_deadline(Instant now, Out& out) {
  if (now < next_tick_) return;
  next_tick_ = Instant::never();
  forget_strikes(now);
  if (signals_.frames == Level::kCalm) frames_permille_ = std::min(frames_permille_ + kRampPermille / 2, 1000u);
  Degraded why = 0;
  const uint32_t target = target_permille(why);
  if (allowed_permille_ < target) allowed_permille_ = std::min(allowed_permille_ + kRampPermille, target);
  const bool waited = memory_since_ != Instant::never() && now - memory_since_ >= kFrozenForMemoryMax;
  if (signals_.memory == Level::kCritical || (rests_for_memory() && waited)) end_least(now, out);
  replan(now, out);
}

void Dtaps::forget_strikes(Instant now) {
  for (auto& [id, lease] : leases_) {
    std::erase_if(lease.strikes, [&](Instant at) { return now - at >= kStrikeLife; });
  }
}

// ---- the plan

bool Dtaps::fits(const Envelope& envelope) const {
  if (signals_.heat > envelope.heat_max) return false;
  if (signals_.charging) return true;
  return !envelope.only_while_charging && signals_.battery_percent >= envelope.battery_percent_min;
}

bool Dtaps::permits(uint64_t id) const {
  auto it = leases_.find(id);
  return it != leases_.end() && fits(it->second.envelope);
}

uint32_t Dtaps::permille(uint64_t id) const {
  auto it = leases_.find(id);
  return it != leases_.end() && it->second.pace ? it->second.pace->permille : 0;
}

Degraded Dtaps::degraded(uint64_t id) const {
  auto it = leases_.find(id);
  return it != leases_.end() && it->second.pace ? it->second.pace->degraded : 0;
}

uint32_t Dtaps::target_permille(Degraded& why) const {
  const struct { uint32_t permille; Degraded reason; } limits[] = {
      {kForInteractionPermille[size_t(signals_.interaction)], kForInteraction},
      {frames_permille_, kForFrames},
      {kForMemoryPermille[size_t(signals_.memory)], kForMemory},
      {kForHeatPermille[size_t(signals_.heat)], kForHeat},
      {signals_.charging ? 1000 : kForDrainPermille[size_t(signals_.drain)], kForPower},
  };
  uint32_t least = 1000;
  for (const auto& limit : limits) {
    least = std::min(least, limit.permille);
    if (limit.permille < 1000) why |= limit.reason;
  }
  return least;
}

// What is lost when the lease's work stops now, the other way round: utility per cost of stopping. spec: WF 8.3
uint64_t Dtaps::value(const Lease& lease, Instant now) const {
  const uint64_t cost_ms = lease.since ? uint64_t(std::max<int64_t>((now - *lease.since).ms(), 0)) : 0;
  return uint64_t(lease.utility) * 1'000'000 / (cost_ms + 1);
}

std::vector<Dtaps::Share> Dtaps::shares(Instant now) const {
  Degraded why = 0;
  target_permille(why);
  std::vector<Share> out;
  for (const auto& [id, lease] : leases_) {
    const Envelope& envelope = lease.envelope;
    uint32_t permille = std::min(envelope.cpu_permille, 1000u);
    Degraded degraded = 0;
    if (envelope.owner_permille < permille) {
      permille = envelope.owner_permille;
      degraded |= kForOwner;
    }
    if (!lease.strikes.empty()) {
      permille >>= lease.strikes.size();
      degraded |= kForViolations;
    }
    if (!fits(envelope)) {
      permille = 0;
      degraded |= signals_.heat > envelope.heat_max ? kForHeat : kForPower;
    }
    out.push_back({id, permille, degraded});
  }
  scale(out, allowed_permille_, why, now);
  return out;
}

// Brings the shares of those that work down to `permille` of the machine together: all alike, until one would be too slow to be worth its
// wake-ups; then the one that is cheapest to do without stands still, and the others have more.
void Dtaps::scale(std::vector<Share>& all, uint32_t permille, Degraded why, Instant now) const {
  const uint64_t capacity = uint64_t(permille) * processors_;
  std::vector<Share*> working;
  for (Share& share : all) {
    if (permille < 1000) {
      share.degraded |= why;
      // Without work nothing is used; what starts meanwhile starts slowly, and the next plan counts it.
      if (!leases_.at(share.lease).since) share.permille = std::min(share.permille, std::max(permille, permille == 0 ? 0u : kRunningPermilleMin));
    }
    if (leases_.at(share.lease).since && share.permille > 0) working.push_back(&share);
  }
  std::sort(working.begin(), working.end(), [&](const Share* a, const Share* b) {
    const uint64_t left = value(leases_.at(a->lease), now), right = value(leases_.at(b->lease), now);
    return left != right ? left > right : a->lease < b->lease;
  });
  while (!working.empty()) {
    uint64_t wanted = 0, least = UINT64_MAX;
    for (const Share* share : working) wanted += share->permille;
    if (wanted <= capacity) return;
    for (const Share* share : working) least = std::min(least, share->permille * capacity / wanted);
    if (least >= kRunningPermilleMin || (working.size() == 1 && least > 0)) {
      for (Share* share : working) share->permille = uint32_t(share->permille * capacity / wanted);
      return;
    }
    working.back()->permille = 0;
    working.back()->degraded |= kShed;
    working.pop_back();
  }
}

void Dtaps::replan(Instant now, Out& out) {
  Degraded why = 0;
  const uint32_t target = target_permille(why);
  // Down at once, before anybody notices; up in steps, so that what comes and goes does not swing.
  allowed_permille_ = std::min(allowed_permille_, target);
  for (const Share& share : shares(now)) tell(share, out);
  const bool striking = std::any_of(leases_.begin(), leases_.end(), [](const auto& l) { return !l.second.strikes.empty(); });
  const bool under_way = allowed_permille_ < 1000 || frames_permille_ < 1000 || rests_for_memory() || striking;
  if (!under_way) next_tick_ = Instant::never();
  else if (next_tick_ == Instant::never()) next_tick_ = now + kDtapsTick;
}

void Dtaps::tell(const Share& share, Out& out) {
  Lease& lease = leases_.at(share.lease);
  const bool person = signals_.interaction >= Level::kHigh || signals_.frames >= Level::kHigh;
  const Duration slice = person ? kSliceMin : signals_.interaction == Level::kRaised ? milliseconds(1) : kSliceMax;
  // No longer than the grant says; short beside a person, unless that would be more wake-ups than it says.
  const Duration for_wakeups = microseconds(int64_t(share.permille) * 1000 / std::max(lease.envelope.wakeups_per_second_max, 1u));
  const Duration burst = person ? std::clamp(for_wakeups, std::min(kBurstBesidePerson, lease.envelope.burst), lease.envelope.burst) : lease.envelope.burst;
  // Less than a whole processor needs a rest after each burst, and a rest is a wake-up.
  const uint64_t by_wakeups = uint64_t(lease.envelope.burst.ns / 1000) * lease.envelope.wakeups_per_second_max / 1000;
  const uint32_t permille = share.permille >= 1000 ? 1000 : uint32_t(std::min<uint64_t>(share.permille, by_wakeups));
  const SetPace pace{share.lease, permille, burst, slice, lease.envelope.wakeups_per_second_max, share.degraded};
  if (lease.pace && *lease.pace == pace) return;
  lease.pace = pace;
  out.push(pace);
}

void Dtaps::end_least(Instant now, Out& out) {
  auto least = leases_.end();
  for (auto it = leases_.begin(); it != leases_.end(); ++it) {
    if (!it->second.since) continue;
    if (least == leases_.end() || value(it->second, now) < value(least->second, now)) least = it;
  }
  if (least == leases_.end()) return;
  least->second.since.reset();
  out.push(EndTasks{least->first, kForMemory});
}

}  // namespace selvedge::work
