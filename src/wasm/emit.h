// Writing the rewritten module: the program's own parts plus metering, depth, canonical NaNs and the helpers.
//
// Runs after validation, so nothing in here can fail because of the program. Internal to this room.
#pragma once

#include "wasm/validate.h"

namespace selvedge::wasm {

/// The block type of a block without results.
inline constexpr uint8_t kEmptyBlock = 0x40;

/// The call depth limit, in slots: an abstract stack of eight bytes each, 512 KiB. The smallest native stack among
/// the engines (a browser worker's, 1 MiB) holds every frame that this allows.
constexpr int32_t kDepthSlotsMax = 65'536;
/// What a frame takes besides its locals and operands.
constexpr uint32_t kDepthFrameSlots = 12;
/// A function that calls none is not counted when it has at most this many locals and operands.
constexpr uint32_t kUncountedSlotsMax = 256;

struct EmitInput {
  const Module& module;
  const std::vector<FunctionPlan>& plans;
};

/// Where the rewriter's own things lie in the index spaces of the output.
struct Layout {
  uint32_t yield_function = 0;  // the last import
  uint32_t slow_function = 0, bulk_function = 0, grow_function = 0, begin_function = 0, get_function = 0,
           set_function = 0;
  uint32_t fuel_global = 0, depth_global = 0, pages_global = 0;
  uint32_t type_i_i = 0, type_l_l = 0, type_i = 0, type_to_l = 0, type_l = 0;
};

/// Errors: kInternal when plan and body do not fit, which would be a bug of ours.
Result<Bytes> emit_module(const EmitInput& input);

/// The body of a defined function, without its length. `block_type_of` gives the index of () -> results.
Result<Bytes> emit_function(const Module& module, uint32_t defined_index, const FunctionPlan& plan,
                            const Layout& layout, uint32_t results_block_type);

/// Bodies of the helper functions, in the order in which Layout numbers them from slow_function on.
std::vector<Bytes> emit_helpers(const Module& module, const Layout& layout);

/// Whether the function's frames are counted against kDepthSlotsMax.
inline bool counts_depth(const FunctionPlan& plan) {
  return plan.calls || plan.locals + plan.height_max > kUncountedSlotsMax;
}

}  // namespace selvedge::wasm
