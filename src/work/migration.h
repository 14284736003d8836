// Hysteresis: when a task should leave the machine it runs on for a better one.
//
// Moving costs what the task has done since its last state, so it pays only if the other machine is much better and stays so. Pure. spec: FM 9
#pragma once

#include "base/time.h"

namespace selvedge::work {

/// The other machine scores at least so many halves of what this one does: 1.5 times.
constexpr uint32_t kMigrateHalves = 3;
/// For so long without a break.
constexpr Duration kMigratePatience = seconds(10);
/// And the task has been here so long.
constexpr Duration kMigrateDwell = seconds(30);

class Hysteresis {
 public:
  /// True when the time to leave has come.
  bool observe(Instant now, Instant here_since, uint32_t score_here, uint32_t score_best) {
    const bool much_better = uint64_t(score_best) * 2 >= uint64_t(score_here) * kMigrateHalves && score_best > score_here;
    if (!much_better) since_ = Instant::never();
    else if (since_ == Instant::never()) since_ = now;
    return much_better && now >= due(here_since);
  }
  /// When to look again at the latest; never while nothing better is in sight.
  Instant due(Instant here_since) const {
    return since_ == Instant::never() ? Instant::never() : std::max(since_ + kMigratePatience, here_since + kMigrateDwell);
  }

 private:
  Instant since_ = Instant::never();  // from when on it was better all the time
};

}  // namespace selvedge::work
