// Intake: which of all that peers send is looked at next, and which not at all. spec: FM 13
//
// A message costs the node more than it costs its sender: signatures are checked, disks asked. So what arrives waits here,
// the most important first and each peer in its turn, until the node has time for it. A peer that sends faster than
// it may is not read from until its turn comes: its own connection slows it down, and nobody else notices. Only when
// all of them together are too many is something thrown away, the least important of whoever has most waiting.
//
// Messages of one peer and one priority keep their order; those of a higher priority may overtake. So what must not
// be overtaken by its consequence (an offer by its cancelling) has the same priority.
//
// Pure. Owned by the daemon, between the transport and the node; bounded by the constants below.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/token_bucket.h"
#include "mesh/placement.h"

namespace selvedge::mesh {

/// Highest first. spec: FM 13.2
enum class Priority : uint8_t { kControl, kAudit, kCapability, kResponse, kRequest, kEvent };
constexpr size_t kPriorities = 6;
const char* priority_name(Priority priority);

/// What becomes of a message for which there is no room. What is never dropped makes its sender wait (R25).
enum class DropPolicy : uint8_t { kNever, kTellSender, kSilent };
constexpr DropPolicy drop_policy(Priority priority) {
  return priority == Priority::kRequest ? DropPolicy::kTellSender : priority == Priority::kEvent ? DropPolicy::kSilent : DropPolicy::kNever;
}

struct Arrival {
  uint64_t link = 0;
  NodeKey from;                          // as the transport proved it
  bool bulk = false;                     // a symbol frame, else a control message
  Priority priority = Priority::kEvent;
  std::optional<object::ZoneId> zone;    // of a symbol frame
  Bytes bytes;
};

constexpr size_t kIntakeSourceMessagesMax = 256;    // waiting of one peer; from then on it is not read from
constexpr size_t kIntakeSourceBytesMax = 4u << 20;
constexpr size_t kIntakeMessagesMax = 16384;        // of all; from then on the least important are thrown away
constexpr size_t kIntakeBytesMax = 256u << 20;
constexpr size_t kIntakeBucketsMax = 8192;          // peers and zones whose rates are remembered
/// A message costs one token, and one more for each of these.
constexpr size_t kIntakeTokenBytes = 64 * 1024;

/// Tokens a second, and at once. Far above what honest work needs, far below what would keep a processor busy.
struct IntakeRates {
  struct Rate { uint32_t burst; uint32_t per_second; };
  Rate source{4096, 8192};
  Rate zone{16384, 32768};
  std::array<Rate, kPriorities> kind{{{16384, 32768}, {1024, 2048}, {4096, 8192}, {32768, 65536}, {16384, 32768}, {1024, 2048}}};
  Rate global{65536, 131072};
};

struct PauseSource { NodeKey from; };   // read nothing more of it
struct ResumeSource { NodeKey from; };
struct Shed { Arrival arrival; DropPolicy policy; };
using IntakeEffect = std::variant<PauseSource, ResumeSource, Shed>;

struct IntakeStats {
  std::array<uint64_t, kPriorities> admitted{}, shed{};
  uint64_t pauses = 0;
  size_t waiting = 0, waiting_bytes = 0;
};

class Intake {
 public:
  using Out = Outbox<IntakeEffect>;
  explicit Intake(IntakeRates rates = {});

  /// Takes what arrived. Effects: PauseSource when its sender has enough waiting, Shed when all have too much.
  void offer(Arrival arrival, Out& out);
  /// What to look at now, or nothing: then nothing waits, or all that does has to wait until next_deadline().
  std::optional<Arrival> next(Instant now, Out& out);
  /// What still waits of a link that closed, the most important first: it was said before the link was gone.
  std::optional<Arrival> next_of(uint64_t link, Out& out);
  /// Of what waited when next() last gave nothing.
  Instant next_deadline() const { return std::min(shared_until_, sleeping_.empty() ? Instant::never() : sleeping_.begin()->until); }
  bool empty() const { return stats_.waiting == 0; }
  const IntakeStats& stats() const { return stats_; }

 private:
  struct Source {
    std::array<std::deque<Arrival>, kPriorities> queues;
    size_t waiting = 0, bytes = 0;
    bool paused = false;
  };
  struct Sleeper {
    Instant until;
    size_t priority;
    NodeKey source;
    auto operator<=>(const Sleeper&) const = default;
  };

  void wake(Instant now);
  /// Takes one message out of a queue of `source`, whose owner is read from again once enough is gone.
  Arrival take(const NodeKey& source, size_t priority, std::deque<Arrival>::iterator at, Out& out);
  /// How long its sender's and its zone's rates keep this one waiting.
  Duration wait_for(Instant now, const Arrival& arrival);
  void pay(Instant now, const Arrival& arrival);
  void shed(Out& out);

  IntakeRates rates_;
  std::map<NodeKey, Source> sources_;                  // that have something waiting
  std::array<std::set<NodeKey>, kPriorities> ready_;   // of them, whose turn may come
  std::array<NodeKey, kPriorities> last_{};            // whose turn was last
  std::set<Sleeper> sleeping_;                         // who has to wait for a rate of its own
  Instant shared_until_ = Instant::never();            // when a rate that all share lets the next one through
  std::map<NodeKey, TokenBucket> source_buckets_;
  std::map<object::ZoneId, TokenBucket> zone_buckets_;
  std::vector<TokenBucket> kind_buckets_;
  TokenBucket global_;
  IntakeStats stats_;
};

}  // namespace selvedge::mesh
