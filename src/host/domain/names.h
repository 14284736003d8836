// What the parts of host/domain call things towards people: walls, ends, violations.
#pragma once

#include "host/domain/domain_pool.h"

namespace selvedge::host::domain {

/// From the bits of a runner's hello.
DomainLayers layers_of(uint32_t bits);

}  // namespace selvedge::host::domain
