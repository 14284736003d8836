#include "crypto/aead.h"

#include "crypto/sodium_ready.h"

namespace selvedge::crypto {

AeadTag aead_seal(const AeadKey& key, const Nonce& nonce, ByteView aad, std::span<uint8_t> data) {
  sodium_ready();
  AeadTag tag;
  crypto_aead_chacha20poly1305_ietf_encrypt_detached(data.data(), tag.bytes.data(), nullptr, data.data(), data.size(),
                                                     aad.data(), aad.size(), nullptr, nonce.bytes.data(),
                                                     key.view().data());
  return tag;
}

Status aead_open(const AeadKey& key, const Nonce& nonce, ByteView aad, std::span<uint8_t> data, const AeadTag& tag) {
  sodium_ready();
  // libsodium checks the tag before it decrypts, but clears the output when the tag is wrong; checking apart from
  // decrypting (a null output) leaves the caller's bytes alone and costs nothing more than the second call.
  const auto open = [&](uint8_t* out) {
    return crypto_aead_chacha20poly1305_ietf_decrypt_detached(out, nullptr, data.data(), data.size(), tag.bytes.data(),
                                                              aad.data(), aad.size(), nonce.bytes.data(),
                                                              key.view().data());
  };
  if (open(nullptr) != 0) return fail(Errc::kIntegrity, "the authentication tag does not match: the data was changed or the key is another");
  if (!data.empty()) {
    crypto_stream_chacha20_ietf_xor_ic(data.data(), data.data(), data.size(), nonce.bytes.data(), 1, key.view().data());
  }
  return ok();
}

}  // namespace selvedge::crypto
