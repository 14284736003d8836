// Checkpoint: all there is of a run between two of its instructions, as bytes that any engine can go on from.
//
// A program that calls selvedge.checkpoint and went through Asyncify unwinds its stack into its own memory at every kCheckpointFuel of
// fuel, on every machine alike, whether or not anybody keeps what can be seen then: so a run that was interrupted and taken up elsewhere
// takes the same steps as one that never was, and ends with the same fuel and the same trace. spec: docs/spec/checkpoints.md
//
// The bytes are canonical: one state has one encoding, so two machines can compare checkpoints by their hash.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wasm/trace.h"

namespace selvedge::wasm {

/// The stack is unwound at the first call of selvedge.checkpoint after each multiple of this.
constexpr uint64_t kCheckpointFuel = uint64_t(1) << 26;
/// Memory is kept in blocks of this size; blocks of zeros are left out.
constexpr uint32_t kCheckpointBlock = 4096;
constexpr size_t kCheckpointSlotsMax = 8192;
/// Of the area that the program offers for its stack: two pointers and some frames.
constexpr uint32_t kCheckpointAreaMin = 64;

/// Of a memory, or of a checkpoint that was decoded: whoever has the run keeps that.
struct MemoryRun {
  uint32_t offset = 0;  // in bytes, a multiple of kCheckpointBlock
  ByteView bytes;
};
/// Called after about each MiB of work, because there may be much of it: whoever has promised to yield does it there.
using Between = std::function<void()>;

struct Checkpoint {
  crypto::Digest task;       // segment_start(): the program, and what it was asked to do
  uint64_t fuel = 0;         // used so far
  uint64_t mark = 0;         // the last multiple of kFuelMark that a check found passed
  uint64_t boundary = 0;     // where the segment of the trace ends that it is in
  uint64_t output_hashed = 0;  // how much of the output went into segments that ended
  std::vector<Segment> segments;
  uint32_t area = 0;         // where in the memory the stack lies
  std::vector<uint64_t> slots;
  uint32_t pages = 0;
  std::vector<MemoryRun> memory;
  Bytes host;                // of what the host keeps for the program: WasiRun::save
};

/// The blocks of `memory` that are not all zeros, neighbours joined.
std::vector<MemoryRun> memory_runs(ByteView memory, const Between& between = [] {});

Bytes encode(const Checkpoint& checkpoint, const Between& between = [] {});
/// Errors: kInvalid (cut off, or bytes left over), kNonCanonical (a longer way to say the same), kLimit (more than `pages_max` of memory).
Result<Checkpoint> decode_checkpoint(ByteView bytes, uint32_t pages_max);
/// The fuel that bytes which may be a checkpoint say was used before them; 0 for anything too short to be one.
uint64_t checkpoint_fuel(ByteView bytes);

}  // namespace selvedge::wasm
