// The VRF beyond its vectors: nothing changed verifies, nobody else's key proves, one input has one output.
#include <gtest/gtest.h>

#include "crypto/drbg.h"
#include "crypto/sign.h"
#include "crypto/vrf.h"

namespace selvedge::crypto {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }
Seed seed_of(uint8_t byte) { return Seed::from(Bytes(32, byte)).value(); }

// req: E1
TEST(VrfTest, EveryChangedByteIsRefused) {
  const VrfKeyPair keys(seed_of(1));
  const Bytes input = to_bytes(view("epoch 7 of group 3"));
  const VrfProof proof = keys.prove(input).value();
  ASSERT_TRUE(vrf_verify(keys.public_key(), input, proof).ok());
  for (size_t i = 0; i < VrfProof::kSize; ++i) {
    for (const uint8_t change : {0x01, 0x80, 0xff}) {
      VrfProof bad = proof;
      bad.bytes[i] ^= change;
      EXPECT_FALSE(vrf_verify(keys.public_key(), input, bad).ok()) << i;
    }
  }
  for (size_t i = 0; i < VrfPublicKey::kSize; ++i) {
    VrfPublicKey bad = keys.public_key();
    bad.bytes[i] ^= 1;
    EXPECT_FALSE(vrf_verify(bad, input, proof).ok()) << i;
  }
  for (size_t i = 0; i < input.size(); ++i) {
    Bytes bad = input;
    bad[i] ^= 1;
    EXPECT_EQ(vrf_verify(keys.public_key(), bad, proof).code(), Errc::kIntegrity) << i;
  }
  EXPECT_FALSE(vrf_verify(keys.public_key(), ByteView(input).first(input.size() - 1), proof).ok());
}

TEST(VrfTest, RefusesAnotherSpellingOfTheScalar) {
  const VrfKeyPair keys(seed_of(1));
  VrfProof proof = keys.prove(view("input")).value();
  const Bytes order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    carry += unsigned(proof.bytes[48 + i]) + order[i];
    proof.bytes[48 + i] = uint8_t(carry);
    carry >>= 8;
  }
  ASSERT_EQ(carry, 0u);
  EXPECT_EQ(vrf_verify(keys.public_key(), view("input"), proof).code(), Errc::kInvalid);
}

TEST(VrfTest, RefusesPointsOutsideTheGroup) {
  const VrfKeyPair keys(seed_of(1));
  const VrfProof proof = keys.prove(view("input")).value();
  // Points of order 1, 2, 4 and 8, y not below the prime, and a y without a point.
  for (const char* const point :
       {"0100000000000000000000000000000000000000000000000000000000000000", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "0200000000000000000000000000000000000000000000000000000000000000"}) {
    EXPECT_EQ(vrf_verify(VrfPublicKey::from(hex(point)).value(), view("input"), proof).code(), Errc::kInvalid) << point;
    VrfProof bad = proof;
    std::memcpy(bad.bytes.data(), hex(point).data(), 32);
    EXPECT_EQ(vrf_verify(keys.public_key(), view("input"), bad).code(), Errc::kInvalid) << point;
    EXPECT_EQ(vrf_proof_to_hash(bad).code(), Errc::kInvalid) << point;
  }
  VrfProof zero = proof;  // c = 0 and s = 0 satisfy the plain equations with any Gamma
  std::fill(zero.bytes.begin() + 32, zero.bytes.end(), uint8_t(0));
  EXPECT_EQ(vrf_verify(keys.public_key(), view("input"), zero).code(), Errc::kIntegrity);
}

// req: E1, R14
TEST(VrfTest, OneKeyAndInputHaveOneOutputAndOthersHaveOthers) {
  const VrfKeyPair alice(seed_of(1));
  const VrfKeyPair bob(seed_of(2));
  const VrfProof proof = alice.prove(view("seed of epoch 1")).value();
  EXPECT_EQ(proof, alice.prove(view("seed of epoch 1")).value());
  EXPECT_NE(vrf_proof_to_hash(proof).value(), vrf_proof_to_hash(bob.prove(view("seed of epoch 1")).value()).value());
  EXPECT_NE(vrf_proof_to_hash(proof).value(), vrf_proof_to_hash(alice.prove(view("seed of epoch 2")).value()).value());
  EXPECT_EQ(vrf_verify(bob.public_key(), view("seed of epoch 1"), proof).code(), Errc::kIntegrity);
}

TEST(VrfTest, ANodesVrfKeyIsNotItsSigningKey) {
  const Seed node = seed_of(9);
  const VrfKeyPair vrf = VrfKeyPair::derive(node);
  EXPECT_NE(vrf.public_key().hex(), Ed25519Signer(node).public_key().hex());
  EXPECT_NE(vrf.public_key(), VrfKeyPair(node).public_key());
  EXPECT_EQ(vrf.public_key(), VrfKeyPair::derive(node).public_key());
}

TEST(VrfTest, AnyInputHasAPoint) {
  const VrfKeyPair keys(seed_of(3));
  for (size_t size = 0; size < 200; ++size) {
    const Bytes input(size, uint8_t(size));
    EXPECT_TRUE(keys.prove(input).ok()) << size;
  }
}

}  // namespace
}  // namespace selvedge::crypto
