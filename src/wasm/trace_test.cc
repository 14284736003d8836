#include "wasm/trace.h"

#include <gtest/gtest.h>

#include "wasm/rewrite.h"

namespace selvedge::wasm {
namespace {

template <class Part, class Hash>
void every_part_counts(Hash hash, std::vector<void (*)(Part&)> changes) {
  for (const auto change : changes) {
    Part other;
    change(other);
    EXPECT_NE(hash(other), hash(Part()));
  }
}

TEST(Trace, EveryPartCounts) {
  every_part_counts<TraceTask>(segment_start, {[](TraceTask& p) { p.identity.bytes[31] = 1; },
                                               [](TraceTask& p) { p.args.bytes[0] = 1; },
                                               [](TraceTask& p) { p.input.bytes[0] = 1; }, [](TraceTask& p) { p.seed = 1; }});
  const auto next = [](const SegmentState& state) { return segment_next(crypto::Digest(), state); };
  every_part_counts<SegmentState>(
      next, {[](SegmentState& p) { p.fuel = 1; }, [](SegmentState& p) { p.globals.bytes[0] = 1; },
             [](SegmentState& p) { p.memory.bytes[0] = 1; }, [](SegmentState& p) { p.output.bytes[0] = 1; },
             [](SegmentState& p) { p.input_bytes = 1; }, [](SegmentState& p) { p.random_blocks = 1; }});
  const auto commitment = [](const TraceEnd& end) { return trace_commitment(crypto::Digest(), end); };
  every_part_counts<TraceEnd>(commitment, {[](TraceEnd& p) { p.end = 1; }, [](TraceEnd& p) { p.exit_code = -1; },
                                           [](TraceEnd& p) { p.fuel = 1; }, [](TraceEnd& p) { p.output.bytes[0] = 1; },
                                           [](TraceEnd& p) { p.memory.bytes[0] = 1; }});
  crypto::Digest before;
  before.bytes[0] = 1;
  EXPECT_NE(segment_next(before, {}), segment_next({}, {}));
  EXPECT_NE(trace_commitment(before, {}), trace_commitment({}, {}));
  EXPECT_NE(digest_args({"ab", "c"}), digest_args({"a", "bc"}));
  EXPECT_NE(digest_args({}), digest_args({""}));
  EXPECT_NE(digest_words({}), digest_words({0}));
}

TEST(Trace, BoundariesGrowWithMemoryAndWithTheRun) {
  EXPECT_EQ(segment_boundary(0, 0), 1ull << 28);
  EXPECT_EQ(segment_boundary((1ull << 28) + 5, 65536), (1ull << 29) + kFuelMark);  // up to the next mark
  EXPECT_EQ(segment_boundary(0, 64u << 20), 1ull << 35);
  EXPECT_EQ(segment_boundary(1ull << 48, 0), (1ull << 48) + (1ull << 38));
  EXPECT_EQ(segment_boundary(UINT64_MAX - 7, 0), UINT64_MAX);
}

TEST(Trace, NoRunHasMoreSegmentsThanAFrameCarries) {
  size_t segments = 0;
  for (uint64_t fuel = 0; fuel != UINT64_MAX; fuel = segment_boundary(fuel, 0)) ++segments;
  EXPECT_LT(segments, kSegmentsMax);
}

}  // namespace
}  // namespace selvedge::wasm
