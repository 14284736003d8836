// Sha256 by nettle. Alone in its file: a browser's build has it of libsodium (tab/wasm_absent.cc).
#include <nettle/sha2.h>

#include "crypto/hash.h"

namespace selvedge::crypto {

static_assert(sizeof(sha256_ctx) <= 128 && alignof(sha256_ctx) <= 8, "Sha256::state_ holds nettle's context");

static sha256_ctx* context(std::array<uint8_t, 128>& state) { return reinterpret_cast<sha256_ctx*>(state.data()); }

Sha256::Sha256() { sha256_init(context(state_)); }

Sha256& Sha256::update(ByteView data) {
  if (!data.empty()) sha256_update(context(state_), data.size(), data.data());
  return *this;
}

Digest Sha256::finish() {
  Digest out;
  sha256_digest(context(state_), out.bytes.size(), out.bytes.data());
  return out;
}

}  // namespace selvedge::crypto
