// What a run is committed to: two honest executors of one task produce equal values on any engine.
//
// The commitment of a run that ended is one hash. Underneath lies a chain: at fuel boundaries, which depend on the program alone,
// the state is hashed together with the hash before. So two executors who differ can find the first boundary at which they
// do, and anyone can tell who was right by running until there. spec: docs/spec/trace.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/types.h"

namespace selvedge::wasm {

/// A task, as far as a trace goes.
struct TraceTask {
  crypto::Digest identity;  // Rewritten::identity
  crypto::Digest args;      // digest_args
  crypto::Digest input;     // SHA-256 of standard input
  uint64_t seed = 0;
};

/// The state of a run at a boundary.
struct SegmentState {
  uint64_t fuel = 0;           // used
  crypto::Digest globals;      // digest_words of the state's words
  crypto::Digest memory;       // SHA-256 of the linear memory
  crypto::Digest output;       // SHA-256 of what was written since the boundary before
  uint64_t input_bytes = 0;    // read so far
  uint64_t random_blocks = 0;  // drawn so far
};

/// One link of the chain, as a runner reports it.
struct Segment {
  uint64_t fuel = 0;
  crypto::Digest digest;
  bool operator==(const Segment&) const = default;
};

/// A run of any length has fewer.
constexpr size_t kSegmentsMax = 32'768;

struct TraceEnd {
  uint8_t end = 0;  // how the run ended, and with what code
  int32_t exit_code = 0;
  uint64_t fuel = 0;
  crypto::Digest output;  // SHA-256 of standard output
  crypto::Digest memory;  // SHA-256 of the linear memory at the end
};

/// The chain's beginning.
crypto::Digest segment_start(const TraceTask& task);
crypto::Digest segment_next(const crypto::Digest& before, const SegmentState& state);
/// The next boundary, a multiple of kFuelMark, after one at which so much fuel was used (0 at the beginning) and so large a memory
/// hashed: far enough for hashing to take about a hundredth of the time.
uint64_t segment_boundary(uint64_t fuel, uint64_t memory_bytes);
/// `last`: the chain's last digest.
crypto::Digest trace_commitment(const crypto::Digest& last, const TraceEnd& end);

/// Length-prefixed, so that ("ab","c") and ("a","bc") differ.
crypto::Digest digest_args(const std::vector<std::string>& args);
crypto::Digest digest_words(const std::vector<uint64_t>& words);

}  // namespace selvedge::wasm
