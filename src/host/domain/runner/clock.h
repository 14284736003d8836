// Time as the runner sees it: how long things took, never what time it is.
#pragma once

#include <time.h>

#include <cstdint>

namespace selvedge::host::domain {

inline uint64_t clock_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return uint64_t(t.tv_sec) * 1'000'000'000u + uint64_t(t.tv_nsec);
}

}  // namespace selvedge::host::domain
