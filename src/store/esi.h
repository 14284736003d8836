// Lists of encoding symbol ids (ESIs), kept as runs.
//
// A node that holds 100 GB of 1024-byte symbols knows a hundred million ESIs. Frames carry them in regular patterns
// (consecutive, or every n-th), so a run of (first, count, stride) keeps the index at a few bytes per segment.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace selvedge::store {

/// The ESIs first, first + stride, ... (count of them). stride is at least 1 and count at least 1.
struct EsiRun {
  uint32_t first = 0;
  uint32_t count = 1;
  uint32_t stride = 1;
  bool operator==(const EsiRun&) const = default;
  uint32_t last() const { return first + (count - 1) * stride; }
  bool contains(uint32_t esi) const {
    return esi >= first && esi <= last() && (esi - first) % stride == 0;
  }
};

/// Keeps the order of `esis`, because it is the order of the symbols in the segment's payload.
std::vector<EsiRun> to_runs(std::span<const uint32_t> esis);
std::vector<uint32_t> to_esis(std::span<const EsiRun> runs);
size_t esi_count(std::span<const EsiRun> runs);
/// How many different ESIs the runs name together.
size_t distinct_count(std::span<const EsiRun> runs);

}  // namespace selvedge::store
