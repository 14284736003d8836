// Loops: how often the body of a loop is copied into its fast path, and which locals are carried over a question for fuel.
//
// A tight loop spends more on asking whether there is fuel than on its work. So the body of a loop without calls and
// inner loops is repeated, and fuel for all its copies is asked for at once; when there is not that much, one turn runs by a
// copy that asks alone. What is charged and where a run ends does not depend on the number of copies.
//
// Before such a loop asks, its locals go to globals, and come back afterwards: an engine keeps a value that lives across a call in
// memory, and does so in the whole loop. Which locals are carried over changes nothing but speed.
// Internal to this room.
#pragma once

#include "wasm/validate.h"

namespace selvedge::wasm {

/// Copies may add this many bytes to a module, and as much again as its code has.
constexpr size_t kCopiedBytesFree = 1u << 16;

/// A loop with more locals to carry keeps them wherever the engine likes.
constexpr size_t kSavedLocalsMax = 24;

/// Fills in LoopPlan::copies and LoopPlan::saved.
void plan_loops(const Module& module, std::vector<FunctionPlan>& plans);

}  // namespace selvedge::wasm
