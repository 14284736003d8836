// Writing the rewritten module: the program's own parts plus metering, depth, canonical NaNs and the helpers.
//
// Runs after validation, so nothing in here can fail because of the program but its size. Internal to this room.
#pragma once

#include <map>

#include "wasm/call_graph.h"

namespace selvedge::wasm {

/// The block type of a block without results.
inline constexpr uint8_t kEmptyBlock = 0x40;

/// The call depth limit, in slots: an abstract stack of eight bytes each, 512 KiB. The smallest native stack among
/// the engines (a browser worker's, 1 MiB) holds every frame that this allows, and the chains that are not counted.
constexpr int32_t kDepthSlotsMax = 65'536;

/// The types of locals, numbered.
constexpr size_t kSavedTypes = 5;
inline size_t saved_type(ValType type) { return size_t(uint8_t(ValType::kI32) - uint8_t(type)); }

struct EmitInput {
  const Module& module;
  const std::vector<FunctionPlan>& plans;
  const RewriteLimits& limits;
};

/// Where the rewriter's own things lie in the index spaces of the output.
struct Layout {
  uint32_t yield_function = 0;  // the last import
  uint32_t slow_function = 0, bulk_function = 0, elements_function = 0, grow_function = 0, begin_function = 0, get_function = 0,
           set_function = 0, slot_get_function = 0, slot_set_function = 0;
  uint32_t fuel_global = 0, depth_global = 0, pages_global = 0;
  uint32_t saved_globals[kSavedTypes] = {};  // for each type the first of those that carry locals over a question
  uint32_t type_ii_i = 0, type_i_i = 0, type_l_l = 0, type_i = 0, type_to_l = 0, type_l = 0, type_i_l = 0, type_il = 0;
};

/// Errors: kLimit when a function or the module becomes too large; kInternal when plan and body do not fit, which would
/// be a bug of ours.
Result<Bytes> emit_module(const EmitInput& input);

/// The function types of the output: the program's, in its order, and what is added.
class TypePool {
 public:
  explicit TypePool(std::vector<FunctionType> types) : types_(std::move(types)) {
    for (uint32_t i = 0; i < types_.size(); ++i) places_.try_emplace({types_[i].params, types_[i].results}, i);
  }
  uint32_t index_of(const FunctionType& type) {
    const auto [place, is_new] = places_.try_emplace({type.params, type.results}, uint32_t(types_.size()));
    if (is_new) types_.push_back(type);
    return place->second;
  }
  const std::vector<FunctionType>& all() const { return types_; }

 private:
  std::vector<FunctionType> types_;
  std::map<std::pair<std::vector<ValType>, std::vector<ValType>>, uint32_t> places_;
};

/// The body of a defined function, without its length, in place of what `out` held.
Status emit_function(const Module& module, uint32_t defined_index, const FunctionPlan& plan, const Layout& layout, TypePool& types,
                     CodeWriter& out);

/// Bodies of the helper functions, in the order in which Layout numbers them from slow_function on.
std::vector<Bytes> emit_helpers(const Module& module, const Layout& layout);

}  // namespace selvedge::wasm
