// Verifiable secret sharing over ristretto255: shares that can be checked by their receivers, renewed, and moved to other holders.
//
// GF(256) sharing (shamir.h) is enough where one dealer is trusted and shares are only ever combined. This one is for secrets that
// outlive their holders: a secret scalar s is f(0) of a polynomial over the group's order, share j is f(j), and the published commitments
// to the coefficients let everybody check a share without learning it (Feldman: a_i*B; Pedersen: a_i*B + b_i*H, which hides even
// a scalar that could be guessed). Refresh adds dealings of zero, so that shares of an earlier generation no longer fit; resharing
// (Desmedt-Jajodia) moves k of n to k' of n' without the secret ever existing anywhere. What seals data is vss_key() of the scalar.
//
// Invariants: scalars are canonical and wiped; every group element is checked before use; ristretto255 has prime order, so there is no
// cofactor to forget. H = from_hash(SHA-512("fabric-pedersen-H")): nobody knows its logarithm. Share numbers are 1 to 255, and public.
#pragma once

#include <vector>

#include "crypto/drbg.h"
#include "crypto/types.h"

namespace selvedge::crypto {

struct GroupElementTag;
/// A canonical ristretto255 encoding. All zeros is the identity.
using GroupElement = FixedBytes<GroupElementTag, 32>;
/// An integer below the group's order, least significant byte first.
using GroupScalar = Secret<32>;

inline constexpr size_t kVssSharesMax = 255;
inline constexpr size_t kVssThresholdMin = 2;

enum class VssScheme : uint8_t { kFeldman = 1, kPedersen = 2 };

struct VssShare {
  uint8_t number = 0;
  GroupScalar value;
  /// g(number) of Pedersen's second polynomial; zero with Feldman.
  GroupScalar blind;

  VssShare clone() const;
};

/// The dealer's commitments to its polynomial, constant first. Their number is the threshold.
struct VssCommitments {
  VssScheme scheme = VssScheme::kFeldman;
  std::vector<GroupElement> points;

  size_t threshold() const { return points.size(); }
  bool operator==(const VssCommitments&) const = default;
};

struct VssDealing {
  VssCommitments commitments;
  std::vector<VssShare> shares;
};

GroupScalar vss_random_scalar(Drbg& drbg);
/// The key that seals data: HKDF of the scalar, bound to what it is for.
Secret<32> vss_key(const GroupScalar& scalar, const Digest& context);

/// Errors: kInvalid unless 2 <= k <= n <= 255 and `secret` is canonical and not zero.
Result<VssDealing> vss_deal(VssScheme scheme, const GroupScalar& secret, size_t k, size_t n, Drbg& drbg);
/// Does the share lie on the committed polynomial? Errors: kIntegrity naming the share, kInvalid for commitments that are none.
Status vss_verify(const VssCommitments& commitments, const VssShare& share);
/// The scalar, from exactly threshold distinct shares, each verified first.
/// Errors: as vss_verify; kUnavailable for too few shares, kInvalid for too many or one given twice.
Result<GroupScalar> vss_combine(const VssCommitments& commitments, std::span<const VssShare> shares);

/// A dealing of zero. Whoever adds its share to their own keeps the secret and breaks with all earlier shares.
Result<VssDealing> vss_deal_refresh(VssScheme scheme, size_t k, size_t n, Drbg& drbg);
/// Is `refresh` a dealing of zero that fits `current`? Errors: kIntegrity when it would change the secret, kInvalid when it does not fit.
Status vss_check_refresh(const VssCommitments& current, const VssCommitments& refresh);
/// The commitments of the next generation. Errors: as vss_check_refresh; kInvalid for no refresh at all.
Result<VssCommitments> vss_refreshed_commitments(const VssCommitments& current, std::span<const VssCommitments> refreshes);
/// The share of the next generation: additions[i] is this holder's share of the dealing refreshes[i], each verified.
Result<VssShare> vss_refreshed_share(const VssShare& share, std::span<const VssCommitments> refreshes, std::span<const VssShare> additions);

/// One holder's part in moving the secret: its share dealt again, k of n.
Result<VssDealing> vss_deal_reshare(VssScheme scheme, const VssShare& share, size_t k, size_t n, Drbg& drbg);
/// What dealer number `dealer` of the old sharing published for the new one.
struct VssReshare {
  uint8_t dealer = 0;
  VssCommitments commitments;
};
/// Did this dealer deal the very share it holds? Errors: kIntegrity naming the dealer.
Status vss_check_reshare(const VssCommitments& old, const VssReshare& reshare);
/// The commitments of the new sharing, from exactly old.threshold() distinct dealers, each checked.
Result<VssCommitments> vss_reshared_commitments(const VssCommitments& old, std::span<const VssReshare> reshares);
/// The new share: pieces[i] is what dealer reshares[i] dealt to this holder, each verified.
Result<VssShare> vss_reshared_share(const VssCommitments& old, std::span<const VssReshare> reshares, std::span<const VssShare> pieces);

}  // namespace selvedge::crypto
