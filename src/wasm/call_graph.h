// The call graph: which functions count their frames, and which compare fuel and where, besides at loop heads.
//
// Counting and comparing cost most in small functions, and most small functions cannot call themselves by any way. A
// function outside all cycles of calls stands on the stack at most once at a time, so its frame and what it costs
// without a comparison are bounded by the module's text. All functions that a table may hold are callees of every
// indirect call of their type. The rules and why they are enough: docs/spec/metering.md, "Where fuel is compared",
// "Call depth". Internal to this room.
#pragma once

#include "wasm/validate.h"

namespace selvedge::wasm {

/// Frames outside cycles may take so many slots together, uncounted; otherwise every function that calls is counted.
constexpr uint64_t kUncountedChainMax = 16'384;
/// Where chains are longer: a function that calls none is not counted when its locals and operands are at most this many.
constexpr uint32_t kUncountedSlotsMax = 256;
/// What a frame takes besides its locals and operands.
constexpr uint32_t kDepthFrameSlots = 12;
/// A function outside cycles that, with all that it calls, costs at most this is not compared at its entry.
constexpr uint64_t kUncheckedCostMax = 4096;
/// A function that may cost more than this between two comparisons compares at each metered block and before each call.
constexpr uint64_t kReachMax = 1u << 20;

/// More may never be used than was granted when a comparison comes: it has to fit the host's number with a bulk instruction.
constexpr uint64_t kOverdraftMax = 1u << 30;

/// Fills in counts_depth and checks_* of the plans.
/// Errors: kLimit when a chain of calls could use more than kOverdraftMax between two comparisons.
Status plan_entries(const Module& module, std::vector<FunctionPlan>& plans);

}  // namespace selvedge::wasm
