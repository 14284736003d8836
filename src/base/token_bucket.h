// TokenBucket: so many at once, then one more each so often.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace selvedge {

/// Exact and without a clock of its own: all it keeps is a time at which it is full again.
class TokenBucket {
 public:
  TokenBucket(uint32_t burst, Duration every) : burst_(burst), every_(every) {}
  /// Takes `cost` tokens if there is one at least: what costs more than is left is allowed and waited for afterwards, so that nothing is too large.
  bool take(Instant now, uint32_t cost = 1) {
    if (full_at_ < now) full_at_ = now;
    if (full_at_ - now > every_ * int64_t(burst_ - 1)) return false;
    full_at_ = full_at_ + every_ * int64_t(cost);
    return true;
  }
  bool full(Instant now) const { return full_at_ <= now; }
  /// How long until the next one.
  Duration wait(Instant now) const {
    const Duration over = (full_at_ - now) - every_ * int64_t(burst_ - 1);
    return over > Duration{} ? over : Duration{};
  }

 private:
  uint32_t burst_;
  Duration every_;
  Instant full_at_{0};
};

}  // namespace selvedge
