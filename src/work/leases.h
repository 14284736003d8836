// Leases: grants in force on this machine, with their state and their meters.
//
// A lease comes into being when this machine's owner signs a grant for it, and ends by expiry or revocation. While it is
// active, work of its origin may run and its symbols may be held here; paused, nothing new starts. Meters only grow.
#pragma once

#include <map>
#include <string>
#include <variant>

#include "base/bounded.h"
#include "base/outbox.h"
#include "base/time.h"
#include "object/envelope.h"
#include "object/handles.h"
#include "object/kinds.h"

namespace selvedge::work {

constexpr size_t kLeasesMax = 256;
/// Before its end a lease counts as expiring, so that its origin can ask for renewal or move on. spec: WF 6.4
constexpr Duration kExpiringWindow = seconds(60);

enum class LeaseStage : uint8_t { kActive, kPaused, kExpiring, kRevoked, kExpired, kLast = kExpired };
const char* lease_stage_name(LeaseStage stage);

struct LeaseMeters {
  uint64_t tasks = 0;
  uint64_t fuel = 0;
  uint64_t cpu_ns = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t wakeups = 0;
  uint64_t frozen_ms = 0;
  uint64_t violations = 0;
};

struct LeaseEntry {
  object::Signed<object::Grant> grant;
  uint64_t number;            // names the lease's domain process on this machine
  LeaseStage stage = LeaseStage::kActive;
  LeaseMeters meters;
  object::Handle cap{};       // what a domain of the lease holds in place of authority; set by who keeps the handles
  bool usable() const { return stage == LeaseStage::kActive || stage == LeaseStage::kExpiring; }
};

struct LeaseChanged { object::ObjectId lease; LeaseStage stage; };
/// Kill whatever the lease runs, now.
struct StopLease { object::ObjectId lease; uint64_t number; };
using LeaseEffect = std::variant<LeaseChanged, StopLease>;

class Leases {
 public:
  using Out = Outbox<LeaseEffect>;

  /// The lease's id is its grant's. A newer grant for the same origin replaces the older as the one that new work uses.
  /// Errors: kLimit.
  Status add(Instant now, object::Signed<object::Grant> grant, Out& out);
  /// Errors: kNotFound, kInvalid (the lease has ended).
  Status pause(const object::ObjectId& lease, Out& out);
  Status resume(Instant now, const object::ObjectId& lease, Out& out);
  /// Ends it for good. Revoking twice is no error. Errors: kNotFound.
  Status revoke(const object::ObjectId& lease, Out& out);

  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

  LeaseEntry* find_number(uint64_t number);
  LeaseEntry* find(const object::ObjectId& lease);
  const LeaseEntry* find(const object::ObjectId& lease) const { return const_cast<Leases*>(this)->find(lease); }
  /// The usable lease of an origin that ends last, or nullptr.
  LeaseEntry* of_origin(const crypto::PublicKey& origin);
  /// The lease whose id begins with `prefix` in hexadecimal. Errors: kNotFound, kInvalid (several do).
  Result<object::ObjectId> by_prefix(const std::string& prefix) const;
  const std::map<object::ObjectId, LeaseEntry>& all() const { return leases_; }

 private:
  static LeaseStage stage_at(Instant now, const object::Grant& grant);
  uint64_t next_number_ = 1;
  std::map<object::ObjectId, LeaseEntry> leases_;
};

}  // namespace selvedge::work
