// Sealed things: COSE_Encrypt0 (RFC 9052 5.2) to one device's X25519 key.
//
//   16([ protected {1: 24 (ChaCha20/Poly1305), 4: recipient's key, -65537: ephemeral key}, {}, ciphertext and tag ])
//
// Key and nonce come from the exchange of the two keys (crypto/seal.h), so that neither is written down and each seals one plaintext.
// `context` says what the plaintext is for and is bound in as external data: what was sealed for one use opens for no other.
#pragma once

#include "crypto/seal.h"
#include "object/ids.h"

namespace selvedge::object {

/// The largest sealed thing.
inline constexpr size_t kSealedSizeMax = 1u << 20;
/// The largest plaintext that fits into it.
inline constexpr size_t kSealedPlainMax = kSealedSizeMax - 256;

/// Errors: kInvalid (the recipient's key is a low-order point), kLimit.
Result<Bytes> seal_to(const SealPublicKey& recipient, ByteView plaintext, ByteView context, crypto::Drbg& drbg);

/// The plaintext, which the caller wipes when it is secret. Errors: kUnauthorized (sealed to another key), kIntegrity (changed, or sealed for
/// another context), kInvalid, kNonCanonical, kUnsupported (another algorithm), kLimit.
Result<Bytes> open_sealed(const crypto::SealKeyPair& keys, ByteView sealed, ByteView context);

}  // namespace selvedge::object
