// Validation of function bodies by type, and what the emitter has to know about each.
//
// The algorithm is the one of the specification's appendix (operand stack, control stack, polymorphic stack after
// an unconditional branch). It runs before anything is emitted, so an engine never meets a body we did not
// understand. Internal to this room.
#pragma once

#include "wasm/meter.h"
#include "wasm/module.h"
#include "wasm/nan_flow.h"

namespace selvedge::wasm {

/// The parts of the cost table that belong to no single instruction.
constexpr uint64_t kCostEntry = 2;            // of a call, on the side of the function called
constexpr uint64_t kCostLocalsShift = 2;      // and 2^-this for each of its locals, which start as zero
constexpr uint64_t kCostImport = 40;          // of calling a host function, besides `call`
constexpr uint64_t kCostBulkShift = 3;        // memory.copy and fill: 2^-this for each byte
constexpr uint64_t kCostGrowPage = 8192;      // memory.grow: each page is cleared

/// A loop, and what the emitter has to know to choose its form. Offsets are in the module.
struct LoopPlan {
  uint32_t begin = 0, end = 0;  // its body, without the loop instruction and without its end
  uint32_t instructions = 0;    // reachable ones in the body
  bool innermost = true;
  bool calls = false;           // anything that synchronises fuel: calls, memory.grow and bulk memory
  bool has_params = false;
  bool begins_again = false;    // something branches to it
  bool turns_by_br = true;      // and nothing but `br`
  bool refundable = true;       // before each branch out of it there is a place for a refund
  uint32_t parent = kNoLoop;    // the loop around it, as its place in the plan
  struct Use {
    uint32_t local = 0;
    bool is_read_first = false;
  };
  std::vector<Use> uses;        // of locals, in order; not all when there are more than kLoopUsesMax
  uint32_t copies = 1;          // how often the body stands in its fast path; and
  std::vector<uint32_t> saved;  // the locals that are carried over a question for fuel: plan_loops()
  static constexpr uint32_t kNoLoop = UINT32_MAX;
};
constexpr size_t kLoopUsesMax = 64;

struct CallSite {
  uint32_t callee = 0;  // a defined function, or for an indirect call the type
  bool indirect = false;
};

/// The last operand of the instruction at this offset, which an engine must not take for a constant.
struct Opaque {
  uint32_t offset = 0;
  ValType type = ValType::kI32;
};

struct FunctionPlan {
  std::vector<Charge> charges;  // in the order of their offsets
  std::vector<LoopPlan> loops;  // in the order of their beginnings, unreachable ones left out
  std::vector<CallSite> call_sites;  // reachable ones; host functions left out
  uint32_t code_at = 0;         // offset of the first instruction
  std::vector<uint32_t> marks;  // offsets of the instructions that the emitter looks at; the others it copies
  std::vector<ValType> locals;  // parameters included
  uint32_t height_max = 0;      // of the operand stack
  bool changes_instance = false;  // drops segments or writes to the table
  bool calls = false;           // defined functions, directly or through the table
  std::vector<Canonical> canonical;  // in the order of their offsets
  std::vector<Opaque> opaque;        // the same
  uint64_t cost_total = 0;      // of all instructions, once each
  // What the call graph says.
  bool counts_depth = false;    // its frames are counted
  bool checks_entry = false;        // fuel is compared at its entry,
  bool checks_after_calls = false;  // at each metered block behind its first call that is in no loop without calls,
  bool checks_blocks = false;       // at each metered block and before each call
};

/// Of every defined function. Errors: kInvalid, kUnsupported, kLimit, each with function and offset.
Result<std::vector<FunctionPlan>> validate_functions(const Module& module, const RewriteLimits& limits);

}  // namespace selvedge::wasm
