#include "wasm/loops.h"

#include <algorithm>

namespace selvedge::wasm {
namespace {

/// Enough that the question weighs little beside the work between two of them.
uint32_t wanted_copies(const LoopPlan& loop) {
  if (!loop.innermost || loop.calls || loop.has_params) return 1;
  if (loop.instructions <= 16) return 8;
  if (loop.instructions <= 100) return 6;
  return loop.instructions <= 200 ? 2 : 1;
}

void choose_copies(const Module& module, std::vector<FunctionPlan>& plans) {
  size_t left = kCopiedBytesFree;
  for (const FunctionBody& body : module.bodies) left += body.end - body.begin;
  for (FunctionPlan& plan : plans) {
    for (LoopPlan& loop : plan.loops) {
      const uint32_t copies = wanted_copies(loop);
      const size_t cost = copies > 1 ? size_t(copies) * (loop.end - loop.begin) : 0;
      if (cost > left) continue;
      loop.copies = copies;
      left -= cost;
    }
  }
}

/// What is read before it is written may hold something at the loop's head; and so it is with the loops around it.
std::vector<uint32_t> locals_to_save(const FunctionPlan& plan, const LoopPlan& loop) {
  std::vector<uint32_t> out;
  if (loop.calls || loop.has_params || !loop.begins_again) return out;
  const auto add = [&out](uint32_t local) {
    if (std::find(out.begin(), out.end(), local) == out.end()) out.push_back(local);
  };
  for (const LoopPlan::Use& use : loop.uses) {
    if (use.is_read_first) add(use.local);
  }
  if (loop.parent != LoopPlan::kNoLoop) {
    for (const uint32_t local : plan.loops[loop.parent].saved) add(local);
  }
  if (out.size() > kSavedLocalsMax) out.clear();
  return out;
}

}  // namespace

void plan_loops(const Module& module, std::vector<FunctionPlan>& plans) {
  choose_copies(module, plans);
  for (FunctionPlan& plan : plans) {
    for (LoopPlan& loop : plan.loops) loop.saved = locals_to_save(plan, loop);
  }
}

}  // namespace selvedge::wasm
