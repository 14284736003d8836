// The types of keys, signatures, digests and secrets.
//
// Public values are FixedBytes with a type each, so that an X25519 key cannot be passed where an Ed25519 key is meant.
// A Secret is different: it is wiped when it goes, it is copied only by clone(), it has no ordering and no text form,
// and it is compared in constant time. Everything from object/ upward names parties by these types.
#pragma once

#include <span>

#include "base/bytes.h"

namespace selvedge::crypto {

struct PublicKeyTag;
struct SignatureTag;
struct DigestTag;
struct SealPublicKeyTag;
struct NonceTag;
struct AeadTagTag;

/// An Ed25519 verification key: the name of a node, an owner, an origin or a service.
using PublicKey = FixedBytes<PublicKeyTag, 32>;
/// An Ed25519 signature.
using Signature = FixedBytes<SignatureTag, 64>;
/// A SHA-256 hash.
using Digest = FixedBytes<DigestTag, 32>;
/// An X25519 key to which things are sealed.
using SealPublicKey = FixedBytes<SealPublicKeyTag, 32>;
/// The nonce of ChaCha20-Poly1305 (RFC 8439 2.8). Never used twice with one key.
using Nonce = FixedBytes<NonceTag, 12>;
/// The Poly1305 tag of an AEAD.
using AeadTag = FixedBytes<AeadTagTag, 16>;

/// Overwrites memory in a way the compiler does not remove.
void wipe(std::span<uint8_t> memory);
/// Compares in a time that depends on the lengths only.
bool constant_time_equal(ByteView a, ByteView b);

/// N secret bytes, wiped on destruction and when moved from.
template <size_t N>
class Secret {
 public:
  static constexpr size_t kSize = N;
  Secret() = default;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  ~Secret() { wipe(bytes_); }

  /// Errors: kInvalid when `in` is not exactly N bytes.
  static Result<Secret> from(ByteView in) {
    if (in.size() != N) return fail(Errc::kInvalid, "a secret of " + std::to_string(N) + " bytes was expected");
    Secret out;
    std::memcpy(out.bytes_.data(), in.data(), N);
    return out;
  }
  /// The one way to have a secret twice, so that each copy is written out.
  Secret clone() const {
    Secret out;
    out.bytes_ = bytes_;
    return out;
  }
  ByteView view() const { return bytes_; }
  std::span<uint8_t, N> mutable_view() { return bytes_; }
  bool equals(const Secret& other) const { return constant_time_equal(bytes_, other.bytes_); }

 private:
  std::array<uint8_t, N> bytes_{};
};

using Seed = Secret<32>;
using AeadKey = Secret<32>;

}  // namespace selvedge::crypto
