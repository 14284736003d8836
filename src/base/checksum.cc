#include "base/checksum.h"

#include <xxhash.h>

namespace selvedge {

uint64_t checksum64(ByteView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace selvedge
