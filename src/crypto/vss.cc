#include "crypto/vss.h"

#include "crypto/hash.h"
#include "crypto/sodium_ready.h"

namespace selvedge::crypto {
namespace {

/// Scalars of public numbers: share numbers and interpolation factors.
using PublicScalar = std::array<uint8_t, 32>;

PublicScalar small_scalar(uint8_t value) { return {value}; }

/// scalar * point. libsodium reports a failure exactly when the result is the identity, for every point here has been checked.
GroupElement group_multiply(const GroupElement& point, ByteView scalar) {
  GroupElement out;
  if (crypto_scalarmult_ristretto255(out.bytes.data(), scalar.data(), point.bytes.data()) != 0) return GroupElement{};
  return out;
}

GroupElement group_multiply_base(ByteView scalar) {
  GroupElement out;
  if (crypto_scalarmult_ristretto255_base(out.bytes.data(), scalar.data()) != 0) return GroupElement{};
  return out;
}

GroupElement group_add(const GroupElement& a, const GroupElement& b) {
  GroupElement out;
  CHECK_MSG(crypto_core_ristretto255_add(out.bytes.data(), a.bytes.data(), b.bytes.data()) == 0, "an unchecked group element");
  return out;
}

/// The second generator of Pedersen's commitments.
const GroupElement& pedersen_generator() {
  static const GroupElement generator = [] {
    const ByteView label = view("fabric-pedersen-H");
    std::array<uint8_t, 64> hash;
    crypto_hash_sha512(hash.data(), label.data(), label.size());
    GroupElement out;
    crypto_core_ristretto255_from_hash(out.bytes.data(), hash.data());
    return out;
  }();
  return generator;
}

GroupElement commit(VssScheme scheme, const GroupScalar& value, const GroupScalar& blind) {
  const GroupElement point = group_multiply_base(value.view());
  if (scheme == VssScheme::kFeldman) return point;
  return group_add(point, group_multiply(pedersen_generator(), blind.view()));
}

/// Below the group's order, so that a scalar has one spelling.
bool canonical_scalar(const GroupScalar& scalar) {
  static constexpr PublicScalar kZero{};
  GroupScalar reduced;
  crypto_core_ristretto255_scalar_add(reduced.mutable_view().data(), scalar.view().data(), kZero.data());
  return reduced.equals(scalar);
}

bool zero_scalar(const GroupScalar& scalar) { return sodium_is_zero(scalar.view().data(), GroupScalar::kSize) == 1; }

/// sum += a * b.
void scalar_multiply_add(GroupScalar& sum, ByteView a, ByteView b) {
  GroupScalar product;
  crypto_core_ristretto255_scalar_mul(product.mutable_view().data(), a.data(), b.data());
  crypto_core_ristretto255_scalar_add(sum.mutable_view().data(), sum.view().data(), product.view().data());
}

/// A polynomial with secret coefficients, constant first.
using Polynomial = std::vector<GroupScalar>;

Polynomial random_polynomial(const GroupScalar& constant, size_t k, Drbg& drbg) {
  Polynomial out;
  out.reserve(k);
  out.push_back(constant.clone());
  for (size_t i = 1; i < k; ++i) out.push_back(vss_random_scalar(drbg));
  return out;
}

GroupScalar evaluate(const Polynomial& polynomial, uint8_t at) {
  GroupScalar sum;
  for (size_t i = polynomial.size(); i-- > 0;) {
    GroupScalar next = polynomial[i].clone();
    scalar_multiply_add(next, sum.view(), small_scalar(at));
    sum = std::move(next);
  }
  return sum;
}

/// sum of at^i * points[i]: the commitment to f(at), which everybody can compute.
GroupElement evaluate_commitments(const VssCommitments& commitments, uint8_t at) {
  GroupElement sum;
  for (size_t i = commitments.points.size(); i-- > 0;) {
    sum = group_add(group_multiply(sum, small_scalar(at)), commitments.points[i]);
  }
  return sum;
}

Result<VssDealing> deal(VssScheme scheme, const GroupScalar& value, const GroupScalar& blind, size_t k, size_t n, Drbg& drbg) {
  sodium_ready();
  if (k < kVssThresholdMin || k > n || n > kVssSharesMax) {
    return fail(Errc::kInvalid, "a secret is shared k of n with 2 <= k <= n <= 255, not " + std::to_string(k) + " of " + std::to_string(n));
  }
  const bool pedersen = scheme == VssScheme::kPedersen;
  const Polynomial values = random_polynomial(value, k, drbg);
  const Polynomial blinds = pedersen ? random_polynomial(blind, k, drbg) : Polynomial(k);
  VssDealing dealing;
  dealing.commitments.scheme = scheme;
  for (size_t i = 0; i < k; ++i) dealing.commitments.points.push_back(commit(scheme, values[i], blinds[i]));
  for (size_t number = 1; number <= n; ++number) {
    VssShare share;
    share.number = uint8_t(number);
    share.value = evaluate(values, share.number);
    if (pedersen) share.blind = evaluate(blinds, share.number);
    dealing.shares.push_back(std::move(share));
  }
  return dealing;
}

/// Group elements all, and none but perhaps the constant the identity: a dealing of lower degree would need fewer shares than it says.
Status check_elements(const VssCommitments& commitments) {
  sodium_ready();
  if (commitments.scheme != VssScheme::kFeldman && commitments.scheme != VssScheme::kPedersen) {
    return fail(Errc::kUnsupported, "this sharing scheme is not known here: both sides need the same version");
  }
  if (commitments.points.size() < kVssThresholdMin || commitments.points.size() > kVssSharesMax) {
    return fail(Errc::kInvalid, "a sharing has between 2 and 255 commitments");
  }
  for (size_t i = 0; i < commitments.points.size(); ++i) {
    const GroupElement& point = commitments.points[i];
    if (crypto_core_ristretto255_is_valid_point(point.bytes.data()) == 0) return fail(Errc::kInvalid, "a commitment is no element of ristretto255");
    if (i > 0 && point.is_zero()) return fail(Errc::kInvalid, "the sharing takes fewer shares than it says: a commitment is the identity");
  }
  return ok();
}

Status check_secret_elements(const VssCommitments& commitments) {
  TRY(check_elements(commitments));
  if (commitments.points[0].is_zero()) return fail(Errc::kInvalid, "this sharing is of zero, which is no secret");
  return ok();
}

Status verify_point(const VssCommitments& commitments, const VssShare& share) {
  const std::string name = "share " + std::to_string(share.number);
  if (share.number == 0) return fail(Errc::kInvalid, "share number 0 would be the secret itself");
  if (!canonical_scalar(share.value) || !canonical_scalar(share.blind)) return fail(Errc::kIntegrity, name + " is malformed");
  if (commitments.scheme == VssScheme::kFeldman && !zero_scalar(share.blind)) return fail(Errc::kIntegrity, name + " belongs to another scheme");
  if (commit(commitments.scheme, share.value, share.blind) != evaluate_commitments(commitments, share.number)) {
    return fail(Errc::kIntegrity, name + " does not fit the commitments: it was changed, or belongs to another secret or generation");
  }
  return ok();
}

/// The factors of f(0) = sum of factor_i * f(number_i). Numbers are distinct and not zero.
std::vector<PublicScalar> interpolation_factors(std::span<const uint8_t> numbers) {
  std::vector<PublicScalar> out;
  for (size_t i = 0; i < numbers.size(); ++i) {
    PublicScalar numerator = small_scalar(1);
    PublicScalar denominator = small_scalar(1);
    for (size_t j = 0; j < numbers.size(); ++j) {
      if (j == i) continue;
      PublicScalar difference;
      crypto_core_ristretto255_scalar_sub(difference.data(), small_scalar(numbers[j]).data(), small_scalar(numbers[i]).data());
      crypto_core_ristretto255_scalar_mul(numerator.data(), numerator.data(), small_scalar(numbers[j]).data());
      crypto_core_ristretto255_scalar_mul(denominator.data(), denominator.data(), difference.data());
    }
    PublicScalar inverse;
    CHECK(crypto_core_ristretto255_scalar_invert(inverse.data(), denominator.data()) == 0);
    crypto_core_ristretto255_scalar_mul(numerator.data(), numerator.data(), inverse.data());
    out.push_back(numerator);
  }
  return out;
}

/// Exactly `threshold` distinct numbers.
Status check_numbers(std::span<const uint8_t> numbers, size_t threshold) {
  if (numbers.size() < threshold) {
    return fail(Errc::kUnavailable, "it takes " + std::to_string(threshold) + " shares, and here are " + std::to_string(numbers.size()));
  }
  if (numbers.size() > threshold) return fail(Errc::kInvalid, "it takes exactly " + std::to_string(threshold) + " shares: give no more of them");
  std::array<bool, 256> seen{};
  for (const uint8_t number : numbers) {
    if (seen[number]) return fail(Errc::kInvalid, "share " + std::to_string(number) + " was given twice");
    seen[number] = true;
  }
  return ok();
}

std::vector<uint8_t> dealers_of(std::span<const VssReshare> reshares) {
  std::vector<uint8_t> out;
  for (const VssReshare& reshare : reshares) out.push_back(reshare.dealer);
  return out;
}

}  // namespace

VssShare VssShare::clone() const {
  VssShare out;
  out.number = number;
  out.value = value.clone();
  out.blind = blind.clone();
  return out;
}

GroupScalar vss_random_scalar(Drbg& drbg) {
  sodium_ready();
  Secret<64> wide;
  drbg.fill(wide.mutable_view());
  GroupScalar out;
  crypto_core_ristretto255_scalar_reduce(out.mutable_view().data(), wide.view().data());
  return out;
}

Secret<32> vss_key(const GroupScalar& scalar, const Digest& context) {
  return hkdf_sha256_key(scalar.view(), view("selvedge vss key v1"), context);
}

Result<VssDealing> vss_deal(VssScheme scheme, const GroupScalar& secret, size_t k, size_t n, Drbg& drbg) {
  sodium_ready();
  if (!canonical_scalar(secret) || zero_scalar(secret)) return fail(Errc::kInvalid, "the secret is not a scalar between 1 and the group's order");
  return deal(scheme, secret, vss_random_scalar(drbg), k, n, drbg);
}

Status vss_verify(const VssCommitments& commitments, const VssShare& share) {
  TRY(check_secret_elements(commitments));
  return verify_point(commitments, share);
}

Result<GroupScalar> vss_combine(const VssCommitments& commitments, std::span<const VssShare> shares) {
  TRY(check_secret_elements(commitments));
  std::vector<uint8_t> numbers;
  for (const VssShare& share : shares) {
    TRY(verify_point(commitments, share));
    numbers.push_back(share.number);
  }
  TRY(check_numbers(numbers, commitments.threshold()));
  const std::vector<PublicScalar> factors = interpolation_factors(numbers);
  GroupScalar secret;
  for (size_t i = 0; i < shares.size(); ++i) scalar_multiply_add(secret, shares[i].value.view(), factors[i]);
  return secret;
}

Result<VssDealing> vss_deal_refresh(VssScheme scheme, size_t k, size_t n, Drbg& drbg) {
  return deal(scheme, GroupScalar(), GroupScalar(), k, n, drbg);
}

Status vss_check_refresh(const VssCommitments& current, const VssCommitments& refresh) {
  TRY(check_secret_elements(current));
  TRY(check_elements(refresh));
  if (refresh.scheme != current.scheme || refresh.threshold() != current.threshold()) {
    return fail(Errc::kInvalid, "a refresh has the scheme and threshold of what it refreshes; to change them, reshare");
  }
  if (!refresh.points[0].is_zero()) return fail(Errc::kIntegrity, "this refresh would change the secret: its constant is not zero");
  return ok();
}

Result<VssCommitments> vss_refreshed_commitments(const VssCommitments& current, std::span<const VssCommitments> refreshes) {
  if (refreshes.empty()) return fail(Errc::kInvalid, "a refresh needs at least one dealing");
  VssCommitments out = current;
  for (const VssCommitments& refresh : refreshes) {
    TRY(vss_check_refresh(current, refresh));
    for (size_t i = 0; i < out.points.size(); ++i) out.points[i] = group_add(out.points[i], refresh.points[i]);
  }
  TRY(check_secret_elements(out));
  return out;
}

Result<VssShare> vss_refreshed_share(const VssShare& share, std::span<const VssCommitments> refreshes, std::span<const VssShare> additions) {
  if (refreshes.empty() || refreshes.size() != additions.size()) return fail(Errc::kInvalid, "a refresh needs one share of each dealing");
  static constexpr PublicScalar kOne = {1};
  VssShare out = share.clone();
  for (size_t i = 0; i < additions.size(); ++i) {
    TRY(check_elements(refreshes[i]));
    TRY(verify_point(refreshes[i], additions[i]));
    if (!refreshes[i].points[0].is_zero()) return fail(Errc::kIntegrity, "this refresh would change the secret: its constant is not zero");
    if (additions[i].number != share.number) return fail(Errc::kInvalid, "this refresh share is for another holder");
    scalar_multiply_add(out.value, additions[i].value.view(), kOne);
    scalar_multiply_add(out.blind, additions[i].blind.view(), kOne);
  }
  return out;
}

Result<VssDealing> vss_deal_reshare(VssScheme scheme, const VssShare& share, size_t k, size_t n, Drbg& drbg) {
  return deal(scheme, share.value, share.blind, k, n, drbg);
}

Status vss_check_reshare(const VssCommitments& old, const VssReshare& reshare) {
  TRY(check_secret_elements(old));
  TRY(check_elements(reshare.commitments));
  const std::string name = "dealer " + std::to_string(reshare.dealer);
  if (reshare.dealer == 0) return fail(Errc::kInvalid, "dealer number 0 would be the secret itself");
  if (reshare.commitments.scheme != old.scheme) return fail(Errc::kInvalid, name + " used another scheme");
  if (reshare.commitments.points[0] != evaluate_commitments(old, reshare.dealer)) {
    return fail(Errc::kIntegrity, name + " did not deal the share it holds");
  }
  return ok();
}

Result<VssCommitments> vss_reshared_commitments(const VssCommitments& old, std::span<const VssReshare> reshares) {
  for (const VssReshare& reshare : reshares) {
    TRY(vss_check_reshare(old, reshare));
    if (reshare.commitments.threshold() != reshares[0].commitments.threshold()) {
      return fail(Errc::kInvalid, "the dealers do not agree on the new threshold");
    }
  }
  const std::vector<uint8_t> dealers = dealers_of(reshares);
  TRY(check_numbers(dealers, old.threshold()));
  const std::vector<PublicScalar> factors = interpolation_factors(dealers);
  VssCommitments out;
  out.scheme = old.scheme;
  out.points.resize(reshares[0].commitments.threshold());
  for (size_t d = 0; d < reshares.size(); ++d) {
    for (size_t i = 0; i < out.points.size(); ++i) {
      out.points[i] = group_add(out.points[i], group_multiply(reshares[d].commitments.points[i], factors[d]));
    }
  }
  TRY(check_secret_elements(out));
  if (out.points[0] != old.points[0]) return fail(Errc::kIntegrity, "the new sharing is of another secret");
  return out;
}

Result<VssShare> vss_reshared_share(const VssCommitments& old, std::span<const VssReshare> reshares, std::span<const VssShare> pieces) {
  const VssCommitments fresh = TRY(vss_reshared_commitments(old, reshares));
  if (pieces.size() != reshares.size()) return fail(Errc::kInvalid, "a new share needs one piece of each dealer");
  const std::vector<PublicScalar> factors = interpolation_factors(dealers_of(reshares));
  VssShare out;
  out.number = pieces[0].number;
  for (size_t d = 0; d < pieces.size(); ++d) {
    if (pieces[d].number != out.number) return fail(Errc::kInvalid, "these pieces are for different holders");
    const Status fits = verify_point(reshares[d].commitments, pieces[d]);
    if (!fits.ok()) return fail(fits.code(), "dealer " + std::to_string(reshares[d].dealer) + ": " + fits.error().message);
    scalar_multiply_add(out.value, pieces[d].value.view(), factors[d]);
    scalar_multiply_add(out.blind, pieces[d].blind.view(), factors[d]);
  }
  TRY(verify_point(fresh, out));
  return out;
}

}  // namespace selvedge::crypto
