// Shamir's secret sharing of a 32-byte key over GF(256): any k of n shares give the key, k - 1 of them say nothing about it.
//
// What is shared is always a fresh random key, and the secret itself lies sealed under that key elsewhere (ruling R5). So a share has one
// size, carries no text of the secret, and nothing is gained by guessing. A fountain code could not do this: its source symbols
// are slices of the plaintext.
//
// Invariants: the field's arithmetic takes the same steps whatever the bytes are (no tables, no branches); coefficients come from a
// Drbg; shares are wiped and only move. The dealer publishes one salted hash for each share, so a bad share is named, where a
// combination alone would only fail. Share numbers are 1 to n.
#pragma once

#include <vector>

#include "crypto/drbg.h"
#include "crypto/types.h"

namespace selvedge::crypto {

inline constexpr size_t kShamirSharesMax = 255;  // the field's elements but zero, which is the key's place
/// One share would be the key itself.
inline constexpr size_t kShamirThresholdMin = 2;

struct ShamirShare {
  uint8_t number = 0;
  Secret<32> value;
  /// Keeps the commitment from confirming a guess of the share, and is as secret as the share.
  Secret<16> salt;

  ShamirShare clone() const;
};

/// What the dealer publishes: how many shares it takes, and one commitment for each share, that of number i at i - 1.
struct ShamirTerms {
  uint8_t threshold = 0;
  /// What the shares are shares of: bound into each commitment, so that a share of another secret or generation does not pass.
  Digest context;
  std::vector<Digest> commitments;

  bool operator==(const ShamirTerms&) const = default;
};

struct ShamirDealing {
  ShamirTerms terms;
  std::vector<ShamirShare> shares;
};

/// Errors: kInvalid unless 2 <= k <= n <= 255.
Result<ShamirDealing> shamir_split(const Secret<32>& key, size_t k, size_t n, const Digest& context, Drbg& drbg);

/// Is this the share that was dealt? Errors: kIntegrity, naming the share's number; kInvalid for a number that was not dealt.
Status shamir_check(const ShamirTerms& terms, const ShamirShare& share);

/// The key, from exactly `threshold` distinct shares, each checked first.
/// Errors: as shamir_check, kInvalid for a share given twice or too many, kUnavailable for too few.
Result<Secret<32>> shamir_combine(const ShamirTerms& terms, std::span<const ShamirShare> shares);

/// GF(256) with the polynomial x^8 + x^4 + x^3 + x + 1 (FIPS 197 4.2), in constant time. Here for tests and measurements.
uint8_t gf256_multiply(uint8_t a, uint8_t b);
/// a^254: the inverse, and zero for zero.
uint8_t gf256_invert(uint8_t a);

}  // namespace selvedge::crypto
