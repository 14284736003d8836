// Validation of function bodies by type, and what the emitter has to know about each.
//
// The algorithm is the one of the specification's appendix (operand stack, control stack, polymorphic stack after
// an unconditional branch). It runs before anything is emitted, so an engine never meets a body we did not
// understand. Internal to this room.
#pragma once

#include "wasm/meter.h"
#include "wasm/module.h"

namespace selvedge::wasm {

/// The parts of the cost table that belong to no single instruction.
constexpr uint64_t kCostEntry = 2;            // of a call, on the side of the function called
constexpr uint64_t kCostLocalsShift = 2;      // and 2^-this for each of its locals, which start as zero
constexpr uint64_t kCostImport = 40;          // of calling a host function, besides `call`
constexpr uint64_t kCostBulkShift = 3;        // memory.copy and fill: 2^-this for each byte
constexpr uint64_t kCostGrowPage = 8192;      // memory.grow: each page is cleared

/// A function whose whole body costs at most this, and that calls none, is not checked at its entry.
constexpr uint64_t kUncheckedCostMax = 256;

struct FunctionPlan {
  std::vector<Charge> charges;  // in the order of their offsets
  uint32_t code_at = 0;         // offset of the first instruction
  uint32_t locals = 0;          // parameters included
  uint32_t height_max = 0;      // of the operand stack
  bool calls = false;           // defined functions, directly or through the table
  // Offsets of the instructions whose NaN results can be seen and so are made canonical, in order.
  std::vector<uint32_t> canonical;
  bool makes_nan_f32 = false, makes_nan_f64 = false;  // of those in `canonical`
  uint64_t cost_total = 0;      // of all instructions, once each
};

/// Errors: kInvalid, kUnsupported, kLimit, each with function and offset.
Result<FunctionPlan> validate_function(const Module& module, uint32_t defined_index, const RewriteLimits& limits);

}  // namespace selvedge::wasm
