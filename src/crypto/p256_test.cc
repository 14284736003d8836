// ECDSA over P-256 against the vectors of RFC 6979, and everything that must be refused.
#include "crypto/p256.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace selvedge::crypto {
namespace {

template <class T>
T fixed(std::string_view hex) { return T::from(from_hex(hex).value()).value(); }

// RFC 6979 A.2.5
const char* const kKey = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                         "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const char* const kSample = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
const char* const kTest = "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
                          "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";
const char* const kOrder = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const char* const kPrime = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";

TEST(P256Test, MatchesRfc6979) {
  const P256Point key = fixed<P256Point>(kKey);
  EXPECT_TRUE(p256_verify(key, sha256(view("sample")), fixed<P256Signature>(kSample)));
  EXPECT_TRUE(p256_verify(key, sha256(view("test")), fixed<P256Signature>(kTest)));
  EXPECT_FALSE(p256_verify(key, sha256(view("test")), fixed<P256Signature>(kSample)));
}

TEST(P256Test, EveryFlippedBitOfASignatureIsRefused) {
  const P256Point key = fixed<P256Point>(kKey);
  const Digest digest = sha256(view("sample"));
  for (size_t bit = 0; bit < 512; ++bit) {
    P256Signature signature = fixed<P256Signature>(kSample);
    signature.bytes[bit / 8] ^= uint8_t(1u << (bit % 8));
    EXPECT_FALSE(p256_verify(key, digest, signature)) << bit;
  }
}

TEST(P256Test, EveryFlippedBitOfAKeyIsRefused) {
  const Digest digest = sha256(view("sample"));
  for (size_t bit = 0; bit < 512; ++bit) {
    P256Point key = fixed<P256Point>(kKey);
    key.bytes[bit / 8] ^= uint8_t(1u << (bit % 8));
    EXPECT_FALSE(p256_verify(key, digest, fixed<P256Signature>(kSample))) << bit;
  }
}

TEST(P256Test, ValuesOutsideTheirRangeAreRefused) {
  const P256Point key = fixed<P256Point>(kKey);
  const Digest digest = sha256(view("sample"));
  const std::string zero(64, '0'), ones(64, 'f'), one = std::string(63, '0') + "1", order = kOrder;
  const std::string sample = kSample, r = sample.substr(0, 64), s = sample.substr(64);
  for (const std::string& bad : {zero + s, r + zero, zero + zero, order + s, r + order, ones + s, r + ones, one + one}) {
    EXPECT_FALSE(p256_verify(key, digest, fixed<P256Signature>(bad))) << bad;
  }
  // The point at infinity, a coordinate that is the prime or above it, a point off the curve.
  const std::string prime = kPrime;
  for (const std::string& bad : {zero + zero, prime + prime, ones + ones, one + one, std::string(kKey).substr(0, 64) + zero}) {
    EXPECT_FALSE(p256_verify(fixed<P256Point>(bad), digest, fixed<P256Signature>(kSample))) << bad;
  }
}

}  // namespace
}  // namespace selvedge::crypto
