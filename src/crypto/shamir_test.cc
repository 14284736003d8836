// Shamir sharing: the field, every k of n, and that fewer than k or changed shares give nothing.
#include <gtest/gtest.h>

#include "crypto/shamir.h"

namespace selvedge::crypto {
namespace {

Drbg drbg_of(uint8_t byte) { return Drbg(Seed::from(Bytes(32, byte)).value()); }
Digest context_of(uint8_t byte) {
  Digest out;
  out.bytes.fill(byte);
  return out;
}

std::vector<ShamirShare> pick(const ShamirDealing& dealing, unsigned chosen) {
  std::vector<ShamirShare> out;
  for (size_t i = 0; i < dealing.shares.size(); ++i) {
    if (chosen >> i & 1) out.push_back(dealing.shares[i].clone());
  }
  return out;
}

TEST(Gf256Test, IsTheFieldOfFips197) {
  EXPECT_EQ(gf256_multiply(0x57, 0x83), 0xc1);  // FIPS 197 4.2
  EXPECT_EQ(gf256_multiply(0x57, 0x13), 0xfe);  // FIPS 197 4.2.1
  EXPECT_EQ(gf256_invert(0), 0);
  for (unsigned a = 0; a < 256; ++a) {
    EXPECT_EQ(gf256_multiply(uint8_t(a), 1), a);
    EXPECT_EQ(gf256_multiply(uint8_t(a), gf256_invert(uint8_t(a))), a == 0 ? 0 : 1) << a;
    for (unsigned b = 0; b < 256; ++b) {
      EXPECT_EQ(gf256_multiply(uint8_t(a), uint8_t(b)), gf256_multiply(uint8_t(b), uint8_t(a)));
      EXPECT_EQ(gf256_multiply(uint8_t(a), uint8_t(b ^ 0x35)), gf256_multiply(uint8_t(a), uint8_t(b)) ^ gf256_multiply(uint8_t(a), 0x35));
    }
  }
}

// req: A14, R5
TEST(ShamirTest, ExactlyTheSetsOfKSharesGiveTheKey) {
  Drbg drbg = drbg_of(1);
  const Secret<32> key = drbg.seed();
  for (size_t n = 2; n <= 6; ++n) {
    for (size_t k = 2; k <= n; ++k) {
      const ShamirDealing dealing = shamir_split(key, k, n, context_of(1), drbg).value();
      for (unsigned chosen = 0; chosen < 1u << n; ++chosen) {
        const auto size = size_t(__builtin_popcount(chosen));
        const Result<Secret<32>> got = shamir_combine(dealing.terms, pick(dealing, chosen));
        if (size == k) {
          ASSERT_TRUE(got.ok()) << got.error().message;
          EXPECT_TRUE(got->equals(key)) << k << " of " << n;
        } else {
          EXPECT_EQ(got.code(), size < k ? Errc::kUnavailable : Errc::kInvalid);
        }
      }
    }
  }
}

TEST(ShamirTest, TheLargestSharingWorks) {
  Drbg drbg = drbg_of(2);
  const Secret<32> key = drbg.seed();
  ShamirDealing dealing = shamir_split(key, 255, 255, context_of(1), drbg).value();
  EXPECT_TRUE(shamir_combine(dealing.terms, dealing.shares).value().equals(key));
}

TEST(ShamirTest, RefusesImpossibleThresholds) {
  Drbg drbg = drbg_of(3);
  const Secret<32> key = drbg.seed();
  for (const auto& [k, n] : {std::pair<size_t, size_t>{0, 3}, {1, 3}, {4, 3}, {2, 256}, {2, 0}}) {
    EXPECT_EQ(shamir_split(key, k, n, context_of(1), drbg).code(), Errc::kInvalid) << k << " of " << n;
  }
  ShamirDealing dealing = shamir_split(key, 2, 3, context_of(1), drbg).value();
  dealing.terms.threshold = 1;
  EXPECT_EQ(shamir_combine(dealing.terms, pick(dealing, 1)).code(), Errc::kInvalid) << "one share never is the key";
}

// req: A14
TEST(ShamirTest, ABadShareIsNamed) {
  Drbg drbg = drbg_of(4);
  const Secret<32> key = drbg.seed();
  const ShamirDealing dealing = shamir_split(key, 3, 5, context_of(1), drbg).value();
  for (size_t i = 0; i < 32; ++i) {
    std::vector<ShamirShare> shares = pick(dealing, 0b10110);
    shares[1].value.mutable_view()[i] ^= 0x10;
    const Result<Secret<32>> got = shamir_combine(dealing.terms, shares);
    ASSERT_EQ(got.code(), Errc::kIntegrity);
    EXPECT_NE(got.error().message.find("share 3 "), std::string::npos) << got.error().message;
  }
  for (size_t i = 0; i < 16; ++i) {
    ShamirShare share = dealing.shares[0].clone();
    share.salt.mutable_view()[i] ^= 1;
    EXPECT_EQ(shamir_check(dealing.terms, share).code(), Errc::kIntegrity);
  }
  ShamirShare other = dealing.shares[0].clone();
  other.number = 2;
  EXPECT_EQ(shamir_check(dealing.terms, other).code(), Errc::kIntegrity) << "a share under another number";
  other.number = 0;
  EXPECT_EQ(shamir_check(dealing.terms, other).code(), Errc::kInvalid);
  other.number = 6;
  EXPECT_EQ(shamir_check(dealing.terms, other).code(), Errc::kInvalid);
  std::vector<ShamirShare> twice = pick(dealing, 0b00011);
  twice.push_back(dealing.shares[1].clone());
  EXPECT_EQ(shamir_combine(dealing.terms, twice).code(), Errc::kInvalid);
}

TEST(ShamirTest, AShareOfAnotherSecretOrGenerationDoesNotPass) {
  Drbg drbg = drbg_of(5);
  const Secret<32> key = drbg.seed();
  const ShamirDealing first = shamir_split(key, 2, 3, context_of(1), drbg).value();
  const ShamirDealing second = shamir_split(key, 2, 3, context_of(2), drbg).value();
  EXPECT_EQ(shamir_check(second.terms, first.shares[0]).code(), Errc::kIntegrity);
  ShamirTerms moved = first.terms;
  moved.context = context_of(2);
  EXPECT_EQ(shamir_check(moved, first.shares[0]).code(), Errc::kIntegrity) << "the context is in the commitment";
}

// req: A14, R5
TEST(ShamirTest, FewerThanKSharesFitEveryKey) {
  // With k - 1 shares of one byte fixed, each of the 256 keys is left by exactly one value of the missing share: they say nothing.
  for (const uint8_t share_one : {0x00, 0x5a, 0xff}) {
    std::array<bool, 256> possible{};
    for (unsigned share_two = 0; share_two < 256; ++share_two) {
      // f(0) from f(1) and f(2): 2/(2-1) * f(1) + 1/(1-2) * f(2), where minus is xor.
      const uint8_t first = gf256_multiply(gf256_multiply(2, gf256_invert(3)), share_one);
      const uint8_t second = gf256_multiply(gf256_invert(3), uint8_t(share_two));
      possible[uint8_t(first ^ second)] = true;
    }
    for (const bool key : possible) EXPECT_TRUE(key);
  }
}

TEST(ShamirTest, CoefficientsComeFromTheGeneratorAndDifferEachTime) {
  Drbg drbg = drbg_of(6);
  const Secret<32> key = drbg.seed();
  const ShamirDealing first = shamir_split(key, 2, 3, context_of(1), drbg).value();
  const ShamirDealing second = shamir_split(key, 2, 3, context_of(1), drbg).value();
  EXPECT_FALSE(first.shares[0].value.equals(second.shares[0].value));
  for (const ShamirShare& share : first.shares) EXPECT_FALSE(share.value.equals(key));
  Drbg again = drbg_of(6);
  const Secret<32> same_key = again.seed();
  EXPECT_TRUE(shamir_split(same_key, 2, 3, context_of(1), again).value().shares[2].value.equals(first.shares[2].value));
}

}  // namespace
}  // namespace selvedge::crypto
