#include "store/esi.h"

#include <algorithm>

namespace selvedge::store {

std::vector<EsiRun> to_runs(std::span<const uint32_t> esis) {
  std::vector<EsiRun> runs;
  for (const uint32_t esi : esis) {
    if (!runs.empty()) {
      EsiRun& run = runs.back();
      const bool up = esi > run.last();
      if (up && run.count == 1) {
        run.stride = esi - run.first;
        run.count = 2;
        continue;
      }
      if (up && esi - run.last() == run.stride) {
        ++run.count;
        continue;
      }
    }
    runs.push_back({esi, 1, 1});
  }
  return runs;
}

std::vector<uint32_t> to_esis(std::span<const EsiRun> runs) {
  std::vector<uint32_t> esis;
  esis.reserve(esi_count(runs));
  for (const EsiRun& run : runs) {
    for (uint32_t i = 0; i < run.count; ++i) esis.push_back(run.first + i * run.stride);
  }
  return esis;
}

size_t esi_count(std::span<const EsiRun> runs) {
  size_t count = 0;
  for (const EsiRun& run : runs) count += run.count;
  return count;
}

size_t distinct_count(std::span<const EsiRun> runs) {
  std::vector<uint32_t> esis = to_esis(runs);
  std::sort(esis.begin(), esis.end());
  return size_t(std::unique(esis.begin(), esis.end()) - esis.begin());
}

}  // namespace selvedge::store
