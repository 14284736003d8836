#include "crypto/shamir.h"

#include "crypto/hash.h"

namespace selvedge::crypto {
namespace {

/// All ones when the lowest bit of `bit` is set, all zeros otherwise: a branch without a branch.
uint8_t mask_of(uint8_t bit) { return uint8_t(-(bit & 1)); }

/// a times x, reduced by 0x11b.
uint8_t times_x(uint8_t a) { return uint8_t(uint8_t(a << 1) ^ (mask_of(uint8_t(a >> 7)) & 0x1b)); }

/// sum += factor * block, for every byte: eight rounds whatever the bytes are.
void multiply_add(std::span<uint8_t, 32> sum, std::span<const uint8_t, 32> block, uint8_t factor) {
  Secret<32> power = Secret<32>::from(block).value();
  const auto bytes = power.mutable_view();
  for (int bit = 0; bit < 8; ++bit) {
    const uint8_t mask = mask_of(uint8_t(factor >> bit));
    for (size_t i = 0; i < 32; ++i) sum[i] ^= uint8_t(bytes[i] & mask);
    for (size_t i = 0; i < 32; ++i) bytes[i] = times_x(bytes[i]);
  }
}

std::span<const uint8_t, 32> fixed(const Secret<32>& secret) { return secret.view().first<32>(); }

Digest commitment_of(const Digest& context, const ShamirShare& share) {
  Bytes buffer;
  buffer.reserve(128);  // growing would leave a copy of the share behind
  append(buffer, view("selvedge share commitment v1"));
  append(buffer, context);
  buffer.push_back(share.number);
  append(buffer, share.salt.view());
  append(buffer, share.value.view());
  const Digest out = sha256(buffer);
  wipe(buffer);
  return out;
}

/// The factor of share i in the sum that gives f(0): the product over the others of x_j / (x_j - x_i). Share numbers are public.
uint8_t lagrange_factor(std::span<const ShamirShare> shares, size_t i) {
  uint8_t numerator = 1;
  uint8_t denominator = 1;
  for (size_t j = 0; j < shares.size(); ++j) {
    if (j == i) continue;
    numerator = gf256_multiply(numerator, shares[j].number);
    denominator = gf256_multiply(denominator, uint8_t(shares[j].number ^ shares[i].number));
  }
  return gf256_multiply(numerator, gf256_invert(denominator));
}

}  // namespace

uint8_t gf256_multiply(uint8_t a, uint8_t b) {
  uint8_t sum = 0;
  for (int bit = 0; bit < 8; ++bit) {
    sum ^= uint8_t(a & mask_of(uint8_t(b >> bit)));
    a = times_x(a);
  }
  return sum;
}

uint8_t gf256_invert(uint8_t a) {
  // 254 = 2 + 4 + 8 + 16 + 32 + 64 + 128.
  uint8_t square = a;
  uint8_t out = 1;
  for (int i = 0; i < 7; ++i) {
    square = gf256_multiply(square, square);
    out = gf256_multiply(out, square);
  }
  return out;
}

ShamirShare ShamirShare::clone() const {
  ShamirShare out;
  out.number = number;
  out.value = value.clone();
  out.salt = salt.clone();
  return out;
}

Result<ShamirDealing> shamir_split(const Secret<32>& key, size_t k, size_t n, const Digest& context, Drbg& drbg) {
  if (k < kShamirThresholdMin || k > n || n > kShamirSharesMax) {
    return fail(Errc::kInvalid, "a secret is shared k of n with 2 <= k <= n <= 255, not " + std::to_string(k) + " of " + std::to_string(n));
  }
  std::vector<Secret<32>> coefficients;  // of x^1 to x^(k-1); that of x^0 is the key
  coefficients.reserve(k - 1);
  for (size_t i = 1; i < k; ++i) coefficients.push_back(drbg.seed());
  ShamirDealing dealing;
  dealing.terms.threshold = uint8_t(k);
  dealing.terms.context = context;
  for (size_t number = 1; number <= n; ++number) {
    ShamirShare share;
    share.number = uint8_t(number);
    // Horner, from the highest coefficient down to the key.
    Secret<32> sum;
    for (size_t i = coefficients.size() + 1; i-- > 0;) {
      Secret<32> next = i == 0 ? key.clone() : coefficients[i - 1].clone();
      multiply_add(next.mutable_view(), fixed(sum), share.number);
      sum = std::move(next);
    }
    share.value = std::move(sum);
    drbg.fill(share.salt.mutable_view());
    dealing.terms.commitments.push_back(commitment_of(context, share));
    dealing.shares.push_back(std::move(share));
  }
  return dealing;
}

Status shamir_check(const ShamirTerms& terms, const ShamirShare& share) {
  if (share.number == 0 || share.number > terms.commitments.size()) {
    return fail(Errc::kInvalid, "there is no share number " + std::to_string(share.number) + ": " + std::to_string(terms.commitments.size()) +
                                    " were dealt");
  }
  if (!constant_time_equal(commitment_of(terms.context, share), terms.commitments[share.number - 1])) {
    return fail(Errc::kIntegrity, "share " + std::to_string(share.number) +
                                      " is not the one that was dealt: it was changed, or belongs to another secret or generation");
  }
  return ok();
}

Result<Secret<32>> shamir_combine(const ShamirTerms& terms, std::span<const ShamirShare> shares) {
  if (terms.threshold < kShamirThresholdMin || terms.threshold > terms.commitments.size()) {
    return fail(Errc::kInvalid, "these terms share nothing: the threshold is not between 2 and the number of shares");
  }
  if (shares.size() < terms.threshold) {
    return fail(Errc::kUnavailable, "it takes " + std::to_string(terms.threshold) + " shares, and here are " + std::to_string(shares.size()));
  }
  if (shares.size() > terms.threshold) {
    return fail(Errc::kInvalid, "it takes exactly " + std::to_string(terms.threshold) + " shares: give no more of them");
  }
  std::array<bool, 256> seen{};
  for (const ShamirShare& share : shares) {
    TRY(shamir_check(terms, share));
    if (seen[share.number]) return fail(Errc::kInvalid, "share " + std::to_string(share.number) + " was given twice");
    seen[share.number] = true;
  }
  Secret<32> key;
  for (size_t i = 0; i < shares.size(); ++i) multiply_add(key.mutable_view(), fixed(shares[i].value), lagrange_factor(shares, i));
  return key;
}

}  // namespace selvedge::crypto
