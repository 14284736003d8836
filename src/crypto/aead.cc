#include "crypto/aead.h"

#include "crypto/sodium_ready.h"

namespace selvedge::crypto {

namespace {

/// libsodium declares some pointers as never null, which those of empty spans are.
uint8_t* pointer(std::span<uint8_t> data, uint8_t& unused) { return data.empty() ? &unused : data.data(); }

}  // namespace

AeadTag aead_seal(const AeadKey& key, const Nonce& nonce, ByteView aad, std::span<uint8_t> data) {
  sodium_ready();
  AeadTag tag;
  uint8_t unused = 0;
  uint8_t* const text = pointer(data, unused);
  crypto_aead_chacha20poly1305_ietf_encrypt_detached(text, tag.bytes.data(), nullptr, text, data.size(), aad.data(), aad.size(),
                                                     nullptr, nonce.bytes.data(), key.view().data());
  return tag;
}

Status aead_open(const AeadKey& key, const Nonce& nonce, ByteView aad, std::span<uint8_t> data, const AeadTag& tag) {
  sodium_ready();
  // Given somewhere to write, libsodium clears it when the tag is wrong. Asked to check only, it leaves the caller's bytes alone, and
  // decrypting afterwards is the one pass that was still to be made.
  uint8_t unused = 0;
  const int outcome = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
      nullptr, nullptr, pointer(data, unused), data.size(), tag.bytes.data(), aad.data(), aad.size(), nonce.bytes.data(),
      key.view().data());
  if (outcome != 0) return fail(Errc::kIntegrity, "the authentication tag does not match: the data was changed or the key is another");
  if (!data.empty()) {
    crypto_stream_chacha20_ietf_xor_ic(data.data(), data.data(), data.size(), nonce.bytes.data(), 1, key.view().data());
  }
  return ok();
}

}  // namespace selvedge::crypto
