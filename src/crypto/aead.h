// ChaCha20-Poly1305 in place, with the tag apart (RFC 8439 2.8).
#pragma once

#include "crypto/types.h"

namespace selvedge::crypto {

/// Encrypts `data` in place. The caller guarantees that (key, nonce) seals one plaintext only.
AeadTag aead_seal(const AeadKey& key, const Nonce& nonce, ByteView aad, std::span<uint8_t> data);

/// Decrypts `data` in place after the tag was checked; on failure `data` is left as it was.
/// Errors: kIntegrity.
Status aead_open(const AeadKey& key, const Nonce& nonce, ByteView aad, std::span<uint8_t> data, const AeadTag& tag);

}  // namespace selvedge::crypto
