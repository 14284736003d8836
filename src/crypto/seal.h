// Sealing to a public key: only the holder of the X25519 secret opens it.
//
// An ephemeral X25519 key, HKDF-SHA-256 over the shared secret with both public keys bound in, ChaCha20-Poly1305.
// The shape of HPKE base mode without its negotiation. The sender is not authenticated: what needs an author is signed.
#pragma once

#include "crypto/drbg.h"
#include "crypto/types.h"

namespace selvedge::crypto {

/// Bytes that seal_to adds to a plaintext: ephemeral key and tag.
inline constexpr size_t kSealOverhead = 32 + 16;

class SealKeyPair {
 public:
  /// The seed is the X25519 private key (RFC 7748 5, clamped when used).
  explicit SealKeyPair(Seed seed);
  const SealPublicKey& public_key() const { return public_key_; }
  /// Errors: kIntegrity when `sealed` was not made for this key and this `aad`, kInvalid when it is too short.
  Result<Bytes> open(ByteView sealed, ByteView aad) const;

 private:
  Seed secret_;
  SealPublicKey public_key_;
};

/// Errors: kInvalid when `recipient` is a low-order point.
Result<Bytes> seal_to(const SealPublicKey& recipient, ByteView plaintext, ByteView aad, Drbg& drbg);
inline Result<Bytes> open_sealed(const SealKeyPair& keys, ByteView sealed, ByteView aad) { return keys.open(sealed, aad); }

/// RFC 7748 X25519. Errors: kInvalid when the result is all zero (a low-order point).
Result<Secret<32>> x25519(const Seed& secret, const SealPublicKey& peer);

}  // namespace selvedge::crypto
