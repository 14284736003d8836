// Lock-down: what a runner gives up before it looks at a guest's first byte.
//
// Two steps, because the engine reads /proc while it starts and makes threads that must be confined from birth:
// before_engine() confines what threads inherit, after_engine() takes away the rest. Each wall is optional where
// the kernel does not offer it, except seccomp: without it the runner refuses to run. What stands is reported.
// The namespaces themselves are made by the pool when it clones the process. Runs in the runner, once.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace selvedge::host::domain {

/// The socket to the pool: the one descriptor that stays.
constexpr int kRunnerSocket = 3;

/// `layers`: bits of LayerBit that stand already. Returns the bits of those raised now.
/// Errors: kInternal when a wall that every kernel has cannot be raised.
Result<uint32_t> lockdown_before_engine(uint32_t layers);
/// The same; kLayerEmptyRoot in `layers` says that the empty root was prepared. Errors: kInternal, also without seccomp.
Result<uint32_t> lockdown_after_engine(uint32_t layers);

/// Tries, in a locked-down process, what must not work; prints a line for each. Returns the number that worked.
int lockdown_self_test();

}  // namespace selvedge::host::domain
