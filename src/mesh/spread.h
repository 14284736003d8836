// Spreader: gives each holder its share and waits until its disk has it.
//
// A share counts as placed only when every frame of it was acknowledged, which a holder does after its sync. A
// holder that refuses, falls silent or goes away fails its share; what to do about it is the caller's decision.
#pragma once

#include <map>
#include <variant>

#include "base/outbox.h"
#include "base/time.h"
#include "mesh/coding.h"
#include "mesh/messages.h"

namespace selvedge::mesh {

constexpr size_t kSpreadsMax = 1024;
constexpr Duration kAckTimeout = seconds(15);

struct SendFrame { NodeKey to; Bytes frame; };
struct Spread {
  uint64_t spread;
  std::vector<NodeKey> placed;
  std::vector<std::pair<NodeKey, Error>> failed;
};
using SpreadEffect = std::variant<SendFrame, Spread>;

class Spreader {
 public:
  using Out = Outbox<SpreadEffect>;
  /// Errors: kLimit.
  template <class Ready>
  Result<uint64_t> start(Instant now, std::vector<EncodedShare> shares, Ready ready, Out& out) {
    if (spreads_.size() >= kSpreadsMax) return fail(Errc::kLimit, "too many objects are being placed at once; try again shortly");
    const uint64_t id = next_id_++;
    Job& job = spreads_[id];
    job.give_up = now + kAckTimeout;
    for (EncodedShare& share : shares) {
      if (ready(share.holder)) send(now, id, job, std::move(share), out);
      else job.failed.push_back({share.holder, fail(Errc::kUnavailable, "not connected")});
    }
    settle(id, out);
    return id;
  }
  void on_ack(Instant now, const NodeKey& from, const StoreAck& ack, Out& out);
  void on_peer_down(const NodeKey& peer, const Error& why, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;
  size_t active() const { return spreads_.size(); }

 private:
  struct Job {
    std::map<NodeKey, uint32_t> awaiting;  // frames not yet acknowledged
    std::vector<NodeKey> placed;
    std::vector<std::pair<NodeKey, Error>> failed;
    Instant give_up;
  };
  void send(Instant now, uint64_t id, Job& job, EncodedShare share, Out& out);
  void settle(uint64_t id, Out& out);
  uint64_t next_id_ = 1;
  std::map<uint64_t, Job> spreads_;
};

}  // namespace selvedge::mesh
