#include "crypto/vrf.h"

#include "crypto/hash.h"
#include "crypto/sodium_ready.h"

namespace selvedge::crypto {
namespace {

constexpr uint8_t kVrfSuite = 0x03;
constexpr uint8_t kVrfFrontEncode = 0x01;
constexpr uint8_t kVrfFrontChallenge = 0x02;
constexpr uint8_t kVrfFrontHash = 0x03;
constexpr uint8_t kVrfBack = 0x00;
constexpr size_t kVrfChallengeSize = 16;
constexpr unsigned kVrfTriesMax = 256;

using VrfPoint = std::array<uint8_t, 32>;
using VrfScalar = std::array<uint8_t, 32>;
using Sha512Digest = std::array<uint8_t, 64>;

/// The order of the group, L = 2^252 + 27742317777372353535851937790883648493, least significant byte first.
constexpr VrfScalar kEdwardsOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                     0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
/// The field's prime 2^255 - 19, in the same order.
constexpr VrfScalar kEdwardsPrime = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
constexpr VrfPoint kEdwardsIdentity = {1};

/// Little-endian a < b, for public values.
bool public_less(const VrfScalar& a, const VrfScalar& b) {
  for (size_t i = a.size(); i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i];
  }
  return false;
}

Sha512Digest sha512(std::initializer_list<ByteView> pieces) {
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  for (const ByteView piece : pieces) crypto_hash_sha512_update(&state, piece.data(), piece.size());
  Sha512Digest out;
  crypto_hash_sha512_final(&state, out.data());
  wipe({reinterpret_cast<uint8_t*>(&state), sizeof state});
  return out;
}

/// Eight times the point, by additions, because libsodium's multiplication refuses points outside the group of prime order.
/// False when `point` is not on the curve.
bool clear_cofactor(VrfPoint& point) {
  for (int i = 0; i < 3; ++i) {
    if (crypto_core_ed25519_add(point.data(), point.data(), point.data()) != 0) return false;
  }
  return true;
}

/// string_to_point (RFC 8032 5.1.3) asks for y below the prime; libsodium's addition would reduce it.
bool canonical_y(VrfPoint point) {
  point[31] &= 0x7f;
  return public_less(point, kEdwardsPrime);
}

/// ECVRF_encode_to_curve_try_and_increment (RFC 9381 5.4.1.1), salted with the public key.
Result<VrfPoint> encode_to_curve(const VrfPublicKey& key, ByteView input) {
  const std::array<uint8_t, 2> front = {kVrfSuite, kVrfFrontEncode};
  for (unsigned counter = 0; counter < kVrfTriesMax; ++counter) {
    const std::array<uint8_t, 2> back = {uint8_t(counter), kVrfBack};
    const Sha512Digest hash = sha512({front, key, input, back});
    VrfPoint point;
    std::memcpy(point.data(), hash.data(), point.size());
    if (canonical_y(point) && clear_cofactor(point) && point != kEdwardsIdentity) return point;
  }
  return fail(Errc::kInternal, "no point of the curve was found for this VRF input");
}

/// ECVRF_challenge_generation (RFC 9381 5.4.3), as a scalar of 32 bytes whose upper half is zero.
VrfScalar challenge(const VrfPublicKey& key, const VrfPoint& h, const VrfPoint& gamma, const VrfPoint& u, const VrfPoint& v) {
  const std::array<uint8_t, 2> front = {kVrfSuite, kVrfFrontChallenge};
  const std::array<uint8_t, 1> back = {kVrfBack};
  const Sha512Digest hash = sha512({front, key, h, gamma, u, v, back});
  VrfScalar out{};
  std::memcpy(out.data(), hash.data(), kVrfChallengeSize);
  return out;
}

/// scalar * point. False when the scalar is zero or the point is none of the group of prime order.
bool multiply_point(VrfPoint& out, ByteView scalar, const VrfPoint& point) {
  return crypto_scalarmult_ed25519_noclamp(out.data(), scalar.data(), point.data()) == 0;
}

struct VrfParts {
  VrfPoint gamma;
  VrfScalar c{};
  VrfScalar s;
};

/// ECVRF_decode_proof (RFC 9381 5.4.4).
Result<VrfParts> decode_proof(const VrfProof& proof) {
  VrfParts parts;
  std::memcpy(parts.gamma.data(), proof.bytes.data(), 32);
  std::memcpy(parts.c.data(), proof.bytes.data() + 32, kVrfChallengeSize);
  std::memcpy(parts.s.data(), proof.bytes.data() + 48, 32);
  if (!public_less(parts.s, kEdwardsOrder)) return fail(Errc::kInvalid, "this VRF proof is malformed: its scalar is not below the group's order");
  if (crypto_core_ed25519_is_valid_point(parts.gamma.data()) == 0) {
    return fail(Errc::kInvalid, "this VRF proof is malformed: its point is none of the group");
  }
  return parts;
}

VrfOutput output_of(VrfPoint gamma) {
  CHECK(clear_cofactor(gamma));  // gamma was checked to be a point
  const std::array<uint8_t, 2> front = {kVrfSuite, kVrfFrontHash};
  const std::array<uint8_t, 1> back = {kVrfBack};
  VrfOutput out;
  out.bytes = sha512({front, gamma, back});
  return out;
}

}  // namespace

VrfKeyPair::VrfKeyPair(const Seed& seed) {
  sodium_ready();
  Sha512Digest expanded = sha512({seed.view()});
  std::memcpy(scalar_.mutable_view().data(), expanded.data(), 32);
  std::memcpy(nonce_prefix_.mutable_view().data(), expanded.data() + 32, 32);
  wipe(expanded);
  scalar_.mutable_view()[0] &= 0xf8;  // RFC 8032 5.1.5
  scalar_.mutable_view()[31] &= 0x7f;
  scalar_.mutable_view()[31] |= 0x40;
  CHECK(crypto_scalarmult_ed25519_base_noclamp(public_key_.bytes.data(), scalar_.view().data()) == 0);
}

VrfKeyPair VrfKeyPair::derive(const Seed& node_seed) {
  return VrfKeyPair(hkdf_sha256_key(node_seed.view(), {}, view("selvedge vrf key v1")));
}

Result<VrfProof> VrfKeyPair::prove(ByteView input) const {
  const VrfPoint h = TRY(encode_to_curve(public_key_, input));
  VrfParts parts;
  CHECK(multiply_point(parts.gamma, scalar_.view(), h));
  // The nonce is a hash of a secret and of H, so the same input gives the same proof and no generator can spoil it.
  Sha512Digest wide = sha512({nonce_prefix_.view(), h});
  Secret<32> nonce;
  crypto_core_ed25519_scalar_reduce(nonce.mutable_view().data(), wide.data());
  wipe(wide);
  VrfPoint u;
  VrfPoint v;
  CHECK(crypto_scalarmult_ed25519_base_noclamp(u.data(), nonce.view().data()) == 0);
  CHECK(multiply_point(v, nonce.view(), h));
  parts.c = challenge(public_key_, h, parts.gamma, u, v);
  Secret<32> product;
  crypto_core_ed25519_scalar_mul(product.mutable_view().data(), parts.c.data(), scalar_.view().data());
  crypto_core_ed25519_scalar_add(parts.s.data(), nonce.view().data(), product.view().data());
  VrfProof proof;
  std::memcpy(proof.bytes.data(), parts.gamma.data(), 32);
  std::memcpy(proof.bytes.data() + 32, parts.c.data(), kVrfChallengeSize);
  std::memcpy(proof.bytes.data() + 48, parts.s.data(), 32);
  return proof;
}

Result<VrfOutput> vrf_verify(const VrfPublicKey& key, ByteView input, const VrfProof& proof) {
  sodium_ready();
  if (crypto_core_ed25519_is_valid_point(key.bytes.data()) == 0) {
    return fail(Errc::kInvalid, "this VRF key is none: it is no point of the group of prime order");
  }
  const VrfParts parts = TRY(decode_proof(proof));
  const VrfPoint h = TRY(encode_to_curve(key, input));
  const Error mismatch = fail(Errc::kIntegrity, "the VRF proof does not belong to this key and input");
  VrfPoint s_b, c_y, s_h, c_gamma, u, v;
  // A zero challenge or scalar makes these fail; an honest proof has one with a chance of 2^-128.
  if (crypto_scalarmult_ed25519_base_noclamp(s_b.data(), parts.s.data()) != 0) return mismatch;
  if (!multiply_point(c_y, parts.c, key.bytes) || !multiply_point(s_h, parts.s, h) || !multiply_point(c_gamma, parts.c, parts.gamma)) {
    return mismatch;
  }
  CHECK(crypto_core_ed25519_sub(u.data(), s_b.data(), c_y.data()) == 0);
  CHECK(crypto_core_ed25519_sub(v.data(), s_h.data(), c_gamma.data()) == 0);
  if (challenge(key, h, parts.gamma, u, v) != parts.c) return mismatch;
  return output_of(parts.gamma);
}

Result<VrfOutput> vrf_proof_to_hash(const VrfProof& proof) {
  sodium_ready();
  return output_of(TRY(decode_proof(proof)).gamma);
}

}  // namespace selvedge::crypto
