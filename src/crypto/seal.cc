#include "crypto/seal.h"

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/sodium_ready.h"

namespace selvedge::crypto {
namespace {

struct SealKeys {
  AeadKey key;
  Nonce nonce;
};

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

Result<Bytes> SealKeyPair::open(ByteView sealed, ByteView aad) const {
  if (sealed.size() < kSealOverhead) return fail(Errc::kInvalid, "sealed data is at least 48 bytes long");
  const SealPublicKey ephemeral = TRY(SealPublicKey::from(sealed.first(32)));
  const AeadTag tag = TRY(AeadTag::from(sealed.last(16)));
  const Secret<32> shared = TRY(x25519(secret_, ephemeral));
  const SealKeys keys = derive(shared, ephemeral, public_key_);
  Bytes data = to_bytes(sealed.subspan(32, sealed.size() - kSealOverhead));
  TRY(aead_open(keys.key, keys.nonce, aad, data, tag));
  return data;
}

Result<Bytes> seal_to(const SealPublicKey& recipient, ByteView plaintext, ByteView aad, Drbg& drbg) {
  const Seed secret = drbg.seed();
  const SealKeyPair ephemeral(secret.clone());
  const Secret<32> shared = TRY(x25519(secret, recipient));
  const SealKeys keys = derive(shared, ephemeral.public_key(), recipient);
  Bytes out = to_bytes(ephemeral.public_key());
  append(out, plaintext);
  const AeadTag tag = aead_seal(keys.key, keys.nonce, aad, std::span<uint8_t>(out).subspan(32));
  append(out, tag);
  return out;
}

}  // namespace selvedge::crypto
