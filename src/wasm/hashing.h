// How the hashes of this room are fed: tags behind their length, numbers as eight bytes, big-endian. Internal to this room.
#pragma once

#include "crypto/hash.h"

namespace selvedge::wasm {

inline void tag(crypto::Sha256& hash, std::string_view name) {
  const uint8_t length = uint8_t(name.size());
  hash.update(ByteView(&length, 1)).update(view(name));
}

inline void number(crypto::Sha256& hash, uint64_t value) {
  uint8_t bytes[8];
  store_u64(bytes, value);
  hash.update(bytes);
}

}  // namespace selvedge::wasm
