// Sealing to a public key: the keys for it. Only the holder of the X25519 secret arrives at them.
//
// An ephemeral X25519 key, then HKDF-SHA-256 over the shared secret with both public keys bound in. The shape of HPKE base mode without
// its negotiation. How a sealed thing is written down is object/sealed.h. The sender is not authenticated: what needs an author is signed.
#pragma once

#include "crypto/drbg.h"
#include "crypto/types.h"

namespace selvedge::crypto {

/// Key and nonce of one sealed thing. They seal one plaintext: the ephemeral key was made for it.
struct SealKeys {
  AeadKey key;
  Nonce nonce;
};

class SealKeyPair {
 public:
  /// The seed is the X25519 private key (RFC 7748 5, clamped when used).
  explicit SealKeyPair(Seed seed);
  const SealPublicKey& public_key() const { return public_key_; }
  /// The keys of what was sealed to this pair with `ephemeral`. Errors: kInvalid for a low-order point.
  Result<SealKeys> keys_for(const SealPublicKey& ephemeral) const;

 private:
  Seed secret_;
  SealPublicKey public_key_;
};

struct StartedSeal {
  SealPublicKey ephemeral;  // travels with the sealed thing
  SealKeys keys;
};
/// Errors: kInvalid when `recipient` is a low-order point.
Result<StartedSeal> start_seal(const SealPublicKey& recipient, Drbg& drbg);

/// RFC 7748 X25519. Errors: kInvalid when the result is all zero (a low-order point).
Result<Secret<32>> x25519(const Seed& secret, const SealPublicKey& peer);

}  // namespace selvedge::crypto
