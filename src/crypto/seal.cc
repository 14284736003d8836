#include "crypto/seal.h"

#include "crypto/hash.h"
#include "crypto/sodium_ready.h"

namespace selvedge::crypto {
namespace {

/// Both public keys are in the KDF's info, so that a sealed text is bound to exactly one exchange.
SealKeys derive(const Secret<32>& shared, const SealPublicKey& ephemeral, const SealPublicKey& recipient) {
  Bytes info;
  append(info, ephemeral);
  append(info, recipient);
  Secret<44> material;
  hkdf_sha256(shared.view(), view("selvedge seal v1"), info, material.mutable_view());
  SealKeys keys;
  std::memcpy(keys.key.mutable_view().data(), material.view().data(), 32);
  std::memcpy(keys.nonce.bytes.data(), material.view().data() + 32, 12);
  return keys;
}

}  // namespace

Result<Secret<32>> x25519(const Seed& secret, const SealPublicKey& peer) {
  sodium_ready();
  Secret<32> shared;
  if (crypto_scalarmult(shared.mutable_view().data(), secret.view().data(), peer.bytes.data()) != 0) {
    return fail(Errc::kInvalid, "this sealing key is a low-order point: nobody can have made it honestly");
  }
  return shared;
}

SealKeyPair::SealKeyPair(Seed seed) : secret_(std::move(seed)) {
  sodium_ready();
  crypto_scalarmult_base(public_key_.bytes.data(), secret_.view().data());
}

Result<SealKeys> SealKeyPair::keys_for(const SealPublicKey& ephemeral) const {
  const Secret<32> shared = TRY(x25519(secret_, ephemeral));
  return derive(shared, ephemeral, public_key_);
}

Result<StartedSeal> start_seal(const SealPublicKey& recipient, Drbg& drbg) {
  const Seed secret = drbg.seed();
  const SealKeyPair ephemeral(secret.clone());
  const Secret<32> shared = TRY(x25519(secret, recipient));
  return StartedSeal{ephemeral.public_key(), derive(shared, ephemeral.public_key(), recipient)};
}

}  // namespace selvedge::crypto
