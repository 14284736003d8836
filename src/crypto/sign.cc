#include "crypto/sign.h"

#include "crypto/hash.h"
#include "crypto/sodium_ready.h"

namespace selvedge::crypto {

Ed25519Signer::Ed25519Signer(const Seed& seed) {
  sodium_ready();
  const int outcome =
      crypto_sign_seed_keypair(public_key_.bytes.data(), secret_key_.mutable_view().data(), seed.view().data());
  CHECK(outcome == 0);
}

Signature Ed25519Signer::sign(ByteView message) const {
  Signature out;
  crypto_sign_detached(out.bytes.data(), nullptr, message.data(), message.size(), secret_key_.view().data());
  return out;
}

bool Ed25519Verifier::verify(const PublicKey& key, ByteView message, const Signature& signature) const {
  sodium_ready();
  return crypto_sign_verify_detached(signature.bytes.data(), message.data(), message.size(), key.bytes.data()) == 0;
}

namespace {

/// Keyed BLAKE2b: one hash where Ed25519 takes a scalar multiplication.
Signature sim_signature(const Secret<32>& secret, ByteView message) {
  Signature out;
  crypto_generichash(out.bytes.data(), out.bytes.size(), message.data(), message.size(), secret.view().data(), 32);
  return out;
}

}  // namespace

SimSigner::SimSigner(const Seed& seed, SimKeyring& keyring)
    : secret_(hkdf_sha256_key(seed.view(), {}, view("selvedge simulated signing key"))) {
  sodium_ready();
  public_key_.bytes = sha256(secret_.view()).bytes;
  keyring.secrets_.insert_or_assign(public_key_, secret_.clone());
}

Signature SimSigner::sign(ByteView message) const { return sim_signature(secret_, message); }

bool SimVerifier::verify(const PublicKey& key, ByteView message, const Signature& signature) const {
  const auto it = keyring_.secrets_.find(key);
  if (it == keyring_.secrets_.end()) return false;
  return constant_time_equal(sim_signature(it->second, message), signature);
}

}  // namespace selvedge::crypto
