#include "crypto/types.h"

#include <sodium.h>

namespace selvedge::crypto {

void wipe(std::span<uint8_t> memory) { sodium_memzero(memory.data(), memory.size()); }

bool constant_time_equal(ByteView a, ByteView b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace selvedge::crypto
