// Shaper: when the next bytes of a lease may travel, so that its grant's share of the network is kept.
//
// One number a lease: until when what was reserved fills its rate. A quarter of a second may go at once, so that small things do not wait.
// Pure; owned by whoever moves the bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

#include "base/time.h"

namespace selvedge::work {

constexpr Duration kShaperBurst = milliseconds(250);

class Shaper {
 public:
  /// From now on `kbps` thousand bits a second; 0: no bound.
  void bound(uint64_t lease, uint32_t kbps) {
    if (kbps == 0) leases_.erase(lease);
    else leases_[lease].kbps = kbps;
  }
  void forget(uint64_t lease) { leases_.erase(lease); }
  /// Sets so many bytes aside for the lease and returns when they may travel: now, or later.
  Instant reserve(Instant now, uint64_t lease, uint64_t bytes) {
    const auto found = leases_.find(lease);
    if (found == leases_.end()) return now;
    Rate& rate = found->second;
    const Instant begins = std::max(now, rate.full_until - kShaperBurst);
    // Longer than a week is as good as never, and does not overflow.
    const uint64_t us = std::min<uint64_t>(bytes / rate.kbps * 8000 + bytes % rate.kbps * 8000 / rate.kbps, 604'800'000'000);
    rate.full_until = std::max(now, rate.full_until) + microseconds(int64_t(us));
    return begins;
  }

 private:
  struct Rate {
    uint32_t kbps = 0;
    Instant full_until{0};
  };
  std::map<uint64_t, Rate> leases_;
};

}  // namespace selvedge::work
