// Dtaps: how fast the domains of this machine's leases may go, so that whoever sits before it notices nothing.
//
// The deadline- and thermal-aware preemptive scheduler of the specification (WF 8.3) as a pure machine. Coarse signals of the kernel and of
// frames come in, and which leases have work; the pace of each lease goes out, at once when it falls and step by step when it rises.
// The host keeps the paces (host/domain): in slices between yields, and from outside against a domain that does not yield.
//
// Invariants: the paces of all leases together never exceed what the signals leave them, nor one lease its grant; who is stopped first is whose
// utility per cost of stopping is least; a lease that breaks its pace again and again is slowed, then ended, then revoked.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/time.h"

namespace selvedge::work {

/// How strong a signal is. Coarse on purpose: finer ones would tell machines apart. spec: WF 4.6.2
enum class Level : uint8_t { kCalm, kRaised, kHigh, kCritical, kLast = kCritical };
const char* level_name(Level level);

/// What the kernel and the person's programs show of themselves. Whatever is not known is calm. spec: WF 6.7
struct Signals {
  Level interaction = Level::kCalm;  // how likely somebody uses the machine now or very soon
  Level frames = Level::kCalm;       // how close ordinary threads are to missing their deadlines
  Level memory = Level::kCalm;
  Level heat = Level::kCalm;
  Level drain = Level::kCalm;        // of the battery
  bool charging = true;              // also without a battery
  uint8_t battery_percent = 100;     // in tens, rounded down
  bool operator==(const Signals&) const = default;
};

/// What a lease may have at most, and when. spec: WF 4.3.2
struct Envelope {
  uint32_t cpu_permille = 1000;
  uint32_t owner_permille = 1000;          // to which the machine's owner holds it now
  Duration burst = milliseconds(10);       // of processor time between two rests
  uint32_t wakeups_per_second_max = 100;
  uint8_t battery_percent_min = 0;         // while not charging
  bool only_while_charging = false;
  Level heat_max = Level::kHigh;           // at more than this nothing of the lease runs
};

/// Why a lease goes slower than its grant allows, as a bit set: the degraded modes of a receipt. spec: WF 8.1, 8.7
using Degraded = uint32_t;
inline constexpr Degraded kForInteraction = 1, kForFrames = 2, kForMemory = 4, kForHeat = 8, kForPower = 16, kForViolations = 32, kShed = 64, kForOwner = 128;
/// "interaction,heat": for a person.
std::string degraded_text(Degraded degraded);

enum class Violation : uint8_t { kYield, kShare, kWakeups, kMemory, kLast = kMemory };
const char* violation_name(Violation violation);

// ---- effects
/// permille 0: the lease's domain stands still, its memory kept.
struct SetPace {
  uint64_t lease;
  uint32_t permille;
  Duration burst;
  Duration slice;
  uint32_t wakeups_per_second_max;
  Degraded degraded;
  bool operator==(const SetPace&) const = default;
};
/// What runs ends, without a result; another machine does it again from its last checkpoint, which today is its beginning.
struct EndTasks { uint64_t lease; Degraded why; };
/// The lease broke its pace too often. spec: WF 8.7
struct RevokeForViolations { uint64_t lease; Violation last; };
/// What is kept only to be faster goes: idle processes, rewritten modules. spec: WF 8.5
struct ReclaimCaches {};
using DtapsEffect = std::variant<SetPace, EndTasks, RevokeForViolations, ReclaimCaches>;

constexpr Duration kSliceMin = microseconds(500), kSliceMax = milliseconds(2);  // spec: WF 8.3
constexpr Duration kDtapsTick = seconds(1);            // between two steps up, and between two leases that are ended
constexpr uint32_t kRunningPermilleMin = 20;           // less is a standstill, which costs fewer wake-ups
constexpr uint32_t kRampPermille = 100;                // of the whole machine, a step up
constexpr Duration kFrozenForMemoryMax = seconds(2);   // a frozen domain frees nothing
constexpr uint32_t kStrikesToEnd = 3, kStrikesToRevoke = 5;
constexpr Duration kStrikeLife = seconds(600);

class Dtaps {
 public:
  using Out = Outbox<DtapsEffect>;
  /// `processors` of this machine, at least 1.
  explicit Dtaps(uint32_t processors) : processors_(processors), allowed_permille_(1000), frames_permille_(1000) {}

  void on_signals(Instant now, const Signals& signals, Out& out);
  /// A lease is in force, or its envelope changed. `utility`: what its work is worth beside that of others.
  void on_lease(Instant now, uint64_t lease, const Envelope& envelope, uint32_t utility, Out& out);
  void on_lease_ended(Instant now, uint64_t lease, Out& out);
  /// Whether the lease has work, and since when the task that runs does: what it did since would be done again if it were stopped.
  void on_work(Instant now, uint64_t lease, std::optional<Instant> since, Out& out);
  void on_violation(Instant now, uint64_t lease, Violation violation, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const { return next_tick_; }

  const Signals& signals() const { return signals_; }
  /// Whether the lease's conditions let it run at all now.
  bool permits(uint64_t lease) const;
  /// What it may use now, of one processor.
  uint32_t permille(uint64_t lease) const;
  /// Why the lease is slower than its grant allows, now.
  Degraded degraded(uint64_t lease) const;

 private:
  struct Lease {
    Envelope envelope;
    uint32_t utility = 1;
    std::optional<Instant> since;   // the running task began
    std::vector<Instant> strikes;   // at most kStrikesToRevoke
    std::optional<SetPace> pace;    // as last told
  };
  struct Share { uint64_t lease; uint32_t permille; Degraded degraded; };

  bool fits(const Envelope& envelope) const;
  /// What the signals leave to all leases, in thousandths of the machine, and why it is not all.
  uint32_t target_permille(Degraded& why) const;
  bool rests_for_memory() const { return signals_.memory >= Level::kHigh; }
  void replan(Instant now, Out& out);
  std::vector<Share> shares(Instant now) const;
  void scale(std::vector<Share>& shares, uint32_t permille, Degraded why, Instant now) const;
  void tell(const Share& share, Out& out);
  uint64_t value(const Lease& lease, Instant now) const;
  void end_least(Instant now, Out& out);
  void forget_strikes(Instant now);

  uint32_t processors_;
  Signals signals_;
  uint32_t allowed_permille_;   // of the machine: at or on its way up to the target
  uint32_t frames_permille_;    // what frames leave: halved when they suffer
  Instant memory_since_ = Instant::never();
  Instant next_tick_ = Instant::never();
  std::map<uint64_t, Lease> leases_;
};

}  // namespace selvedge::work
