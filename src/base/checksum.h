// A checksum against damage: fast, and no protection against anyone who means harm (that is crypto/).
#pragma once

#include "base/bytes.h"

namespace selvedge {

/// XXH3, 64 bits, seed 0.
uint64_t checksum64(ByteView bytes);

}  // namespace selvedge
