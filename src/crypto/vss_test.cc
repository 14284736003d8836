// Verifiable sharing: verify, combine, refresh, reshare, and each way a dealer or holder can lie.
#include <gtest/gtest.h>

#include "crypto/vss.h"

namespace selvedge::crypto {
namespace {

constexpr VssScheme kSchemes[] = {VssScheme::kFeldman, VssScheme::kPedersen};

Drbg drbg_of(uint8_t byte) { return Drbg(Seed::from(Bytes(32, byte)).value()); }

std::vector<VssShare> pick(std::span<const VssShare> from, std::initializer_list<size_t> indices) {
  std::vector<VssShare> out;
  for (const size_t index : indices) out.push_back(from[index].clone());
  return out;
}

/// The same scalar plus the group's order: a second spelling.
void add_order(GroupScalar& scalar) {
  const Bytes order = from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").value();
  unsigned carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    carry += unsigned(scalar.view()[i]) + order[i];
    scalar.mutable_view()[i] = uint8_t(carry);
    carry >>= 8;
  }
}

// req: A14
TEST(VssTest, EveryKSharesGiveTheSecretAndEachIsVerifiable) {
  Drbg drbg = drbg_of(1);
  for (const VssScheme scheme : kSchemes) {
    const GroupScalar secret = vss_random_scalar(drbg);
    const VssDealing dealing = vss_deal(scheme, secret, 3, 5, drbg).value();
    for (const VssShare& share : dealing.shares) EXPECT_TRUE(vss_verify(dealing.commitments, share).ok());
    for (const auto& chosen : {pick(dealing.shares, {0, 1, 2}), pick(dealing.shares, {4, 2, 0}), pick(dealing.shares, {1, 3, 4})}) {
      EXPECT_TRUE(vss_combine(dealing.commitments, chosen).value().equals(secret));
    }
    EXPECT_EQ(vss_combine(dealing.commitments, pick(dealing.shares, {0, 1})).code(), Errc::kUnavailable);
    EXPECT_EQ(vss_combine(dealing.commitments, pick(dealing.shares, {0, 1, 2, 3})).code(), Errc::kInvalid);
    EXPECT_EQ(vss_combine(dealing.commitments, pick(dealing.shares, {0, 1, 1})).code(), Errc::kInvalid);
  }
}

// req: A14
TEST(VssTest, AChangedShareIsNamed) {
  Drbg drbg = drbg_of(2);
  for (const VssScheme scheme : kSchemes) {
    const VssDealing dealing = vss_deal(scheme, vss_random_scalar(drbg), 2, 3, drbg).value();
    for (size_t i = 0; i < 32; ++i) {
      std::vector<VssShare> shares = pick(dealing.shares, {0, 2});
      shares[1].value.mutable_view()[i] ^= 1;
      const Result<GroupScalar> got = vss_combine(dealing.commitments, shares);
      ASSERT_EQ(got.code(), Errc::kIntegrity);
      EXPECT_NE(got.error().message.find("share 3 "), std::string::npos) << got.error().message;
      VssShare blinded = dealing.shares[0].clone();
      blinded.blind.mutable_view()[i] ^= 1;
      EXPECT_EQ(vss_verify(dealing.commitments, blinded).code(), Errc::kIntegrity);
    }
    VssShare spelled = dealing.shares[0].clone();
    add_order(spelled.value);
    EXPECT_EQ(vss_verify(dealing.commitments, spelled).code(), Errc::kIntegrity) << "one spelling";
    VssShare moved = dealing.shares[0].clone();
    moved.number = 2;
    EXPECT_EQ(vss_verify(dealing.commitments, moved).code(), Errc::kIntegrity);
    moved.number = 0;
    EXPECT_EQ(vss_verify(dealing.commitments, moved).code(), Errc::kInvalid);
  }
}

TEST(VssTest, RefusesCommitmentsThatAreNone) {
  Drbg drbg = drbg_of(3);
  const VssDealing dealing = vss_deal(VssScheme::kFeldman, vss_random_scalar(drbg), 2, 3, drbg).value();
  VssCommitments bad = dealing.commitments;
  bad.points[1].bytes.fill(0xff);
  EXPECT_EQ(vss_verify(bad, dealing.shares[0]).code(), Errc::kInvalid);
  bad = dealing.commitments;
  bad.points[1] = GroupElement{};
  EXPECT_EQ(vss_verify(bad, dealing.shares[0]).code(), Errc::kInvalid) << "a constant polynomial: one share would be enough";
  bad = dealing.commitments;
  bad.points[0] = GroupElement{};
  EXPECT_EQ(vss_verify(bad, dealing.shares[0]).code(), Errc::kInvalid) << "a secret of zero";
  bad = dealing.commitments;
  bad.points.pop_back();
  EXPECT_EQ(vss_verify(bad, dealing.shares[0]).code(), Errc::kInvalid);
  bad = dealing.commitments;
  bad.points.resize(256, bad.points[1]);
  EXPECT_EQ(vss_verify(bad, dealing.shares[0]).code(), Errc::kInvalid);
  bad = dealing.commitments;
  bad.scheme = VssScheme(3);
  EXPECT_EQ(vss_verify(bad, dealing.shares[0]).code(), Errc::kUnsupported);
  bad.scheme = VssScheme::kPedersen;
  VssShare blinded = dealing.shares[0].clone();
  blinded.blind = vss_random_scalar(drbg);
  EXPECT_FALSE(vss_verify(bad, blinded).ok());
  EXPECT_EQ(vss_deal(VssScheme::kFeldman, GroupScalar(), 2, 3, drbg).code(), Errc::kInvalid) << "zero";
  GroupScalar large = vss_random_scalar(drbg);
  add_order(large);
  EXPECT_EQ(vss_deal(VssScheme::kFeldman, large, 2, 3, drbg).code(), Errc::kInvalid);
  EXPECT_EQ(vss_deal(VssScheme::kFeldman, vss_random_scalar(drbg), 1, 3, drbg).code(), Errc::kInvalid);
  EXPECT_EQ(vss_deal(VssScheme::kFeldman, vss_random_scalar(drbg), 2, 256, drbg).code(), Errc::kInvalid);
}

// req: A14
TEST(VssTest, RefreshKeepsTheSecretAndBreaksWithOldShares) {
  Drbg drbg = drbg_of(4);
  for (const VssScheme scheme : kSchemes) {
    const GroupScalar secret = vss_random_scalar(drbg);
    const VssDealing old = vss_deal(scheme, secret, 2, 3, drbg).value();
    std::vector<VssDealing> dealings;  // each live holder deals one
    for (int i = 0; i < 3; ++i) dealings.push_back(vss_deal_refresh(scheme, 2, 3, drbg).value());
    std::vector<VssCommitments> refreshes;
    for (const VssDealing& dealing : dealings) refreshes.push_back(dealing.commitments);
    const VssCommitments fresh = vss_refreshed_commitments(old.commitments, refreshes).value();
    std::vector<VssShare> shares;
    for (size_t holder = 0; holder < 3; ++holder) {
      std::vector<VssShare> additions;
      for (const VssDealing& dealing : dealings) additions.push_back(dealing.shares[holder].clone());
      shares.push_back(vss_refreshed_share(old.shares[holder], refreshes, additions).value());
      EXPECT_TRUE(vss_verify(fresh, shares.back()).ok());
      EXPECT_EQ(vss_verify(fresh, old.shares[holder]).code(), Errc::kIntegrity) << "a stolen old share is useless now";
    }
    EXPECT_TRUE(vss_combine(fresh, pick(shares, {0, 2})).value().equals(secret));
    EXPECT_EQ(fresh.points[0], old.commitments.points[0]);
    std::vector<VssShare> mixed = pick(shares, {0});
    mixed.push_back(old.shares[1].clone());
    EXPECT_EQ(vss_combine(fresh, mixed).code(), Errc::kIntegrity);
    EXPECT_EQ(vss_combine(old.commitments, mixed).code(), Errc::kIntegrity);
  }
}

TEST(VssTest, ARefreshThatWouldChangeTheSecretIsRefused) {
  Drbg drbg = drbg_of(5);
  const VssDealing old = vss_deal(VssScheme::kFeldman, vss_random_scalar(drbg), 2, 3, drbg).value();
  const VssDealing poison = vss_deal(VssScheme::kFeldman, vss_random_scalar(drbg), 2, 3, drbg).value();
  EXPECT_EQ(vss_check_refresh(old.commitments, poison.commitments).code(), Errc::kIntegrity);
  const std::vector<VssCommitments> refreshes = {poison.commitments};
  EXPECT_EQ(vss_refreshed_commitments(old.commitments, refreshes).code(), Errc::kIntegrity);
  EXPECT_EQ(vss_refreshed_share(old.shares[0], refreshes, pick(poison.shares, {0})).code(), Errc::kIntegrity);
  const VssDealing wrong_k = vss_deal_refresh(VssScheme::kFeldman, 3, 3, drbg).value();
  EXPECT_EQ(vss_check_refresh(old.commitments, wrong_k.commitments).code(), Errc::kInvalid);
  const VssDealing wrong_scheme = vss_deal_refresh(VssScheme::kPedersen, 2, 3, drbg).value();
  EXPECT_EQ(vss_check_refresh(old.commitments, wrong_scheme.commitments).code(), Errc::kInvalid);
  EXPECT_EQ(vss_refreshed_commitments(old.commitments, {}).code(), Errc::kInvalid);
  const VssDealing good = vss_deal_refresh(VssScheme::kFeldman, 2, 3, drbg).value();
  const std::vector<VssCommitments> one = {good.commitments};
  EXPECT_EQ(vss_refreshed_share(old.shares[0], one, pick(good.shares, {1})).code(), Errc::kInvalid) << "another holder's addition";
  std::vector<VssShare> changed = pick(good.shares, {0});
  changed[0].value.mutable_view()[0] ^= 1;
  EXPECT_EQ(vss_refreshed_share(old.shares[0], one, changed).code(), Errc::kIntegrity);
  EXPECT_EQ(vss_refreshed_share(old.shares[0], one, {}).code(), Errc::kInvalid);
}

struct Moved {
  std::vector<VssReshare> reshares;
  std::vector<VssDealing> dealings;

  std::vector<VssShare> pieces_for(size_t holder) const {
    std::vector<VssShare> out;
    for (const VssDealing& dealing : dealings) out.push_back(dealing.shares[holder].clone());
    return out;
  }
};

Moved reshare(const VssDealing& old, std::initializer_list<size_t> dealers, size_t k, size_t n, Drbg& drbg) {
  Moved out;
  for (const size_t index : dealers) {
    out.dealings.push_back(vss_deal_reshare(old.commitments.scheme, old.shares[index], k, n, drbg).value());
    out.reshares.push_back({old.shares[index].number, out.dealings.back().commitments});
  }
  return out;
}

// req: A14
TEST(VssTest, ResharingMovesTheSecretToAnotherThresholdAndOtherHolders) {
  Drbg drbg = drbg_of(6);
  for (const VssScheme scheme : kSchemes) {
    const GroupScalar secret = vss_random_scalar(drbg);
    const VssDealing old = vss_deal(scheme, secret, 2, 3, drbg).value();
    const Moved moved = reshare(old, {2, 0}, 3, 5, drbg);
    const VssCommitments fresh = vss_reshared_commitments(old.commitments, moved.reshares).value();
    EXPECT_EQ(fresh.threshold(), 3u);
    EXPECT_EQ(fresh.points[0], old.commitments.points[0]);
    std::vector<VssShare> shares;
    for (size_t holder = 0; holder < 5; ++holder) {
      shares.push_back(vss_reshared_share(old.commitments, moved.reshares, moved.pieces_for(holder)).value());
      EXPECT_TRUE(vss_verify(fresh, shares.back()).ok());
    }
    EXPECT_TRUE(vss_combine(fresh, pick(shares, {4, 1, 3})).value().equals(secret));
    EXPECT_EQ(vss_combine(fresh, pick(shares, {4, 1})).code(), Errc::kUnavailable);
    EXPECT_EQ(vss_verify(fresh, old.shares[0]).code(), Errc::kIntegrity);
  }
}

TEST(VssTest, ALiarAtResharingIsNamed) {
  Drbg drbg = drbg_of(7);
  const VssDealing old = vss_deal(VssScheme::kFeldman, vss_random_scalar(drbg), 2, 3, drbg).value();
  const Moved moved = reshare(old, {0, 1}, 2, 2, drbg);
  Moved liar = reshare(old, {0, 1}, 2, 2, drbg);
  liar.dealings[1] = vss_deal(VssScheme::kFeldman, vss_random_scalar(drbg), 2, 2, drbg).value();
  liar.reshares[1].commitments = liar.dealings[1].commitments;
  const Result<VssCommitments> refused = vss_reshared_commitments(old.commitments, liar.reshares);
  ASSERT_EQ(refused.code(), Errc::kIntegrity);
  EXPECT_NE(refused.error().message.find("dealer 2 "), std::string::npos) << refused.error().message;
  // A dealer whose commitments are right and whose piece is not.
  std::vector<VssShare> pieces = moved.pieces_for(0);
  pieces[1].value.mutable_view()[3] ^= 1;
  const Result<VssShare> piece = vss_reshared_share(old.commitments, moved.reshares, pieces);
  ASSERT_EQ(piece.code(), Errc::kIntegrity);
  EXPECT_NE(piece.error().message.find("dealer 2"), std::string::npos) << piece.error().message;
  // Too few, twice, different thresholds, pieces of different holders.
  EXPECT_EQ(vss_reshared_commitments(old.commitments, std::span(moved.reshares).first(1)).code(), Errc::kUnavailable);
  const std::vector<VssReshare> twice = {moved.reshares[0], moved.reshares[0]};
  EXPECT_EQ(vss_reshared_commitments(old.commitments, twice).code(), Errc::kInvalid);
  Moved wider = reshare(old, {1}, 3, 3, drbg);
  const std::vector<VssReshare> uneven = {moved.reshares[0], wider.reshares[0]};
  EXPECT_EQ(vss_reshared_commitments(old.commitments, uneven).code(), Errc::kInvalid);
  std::vector<VssShare> crossed = moved.pieces_for(0);
  crossed[1] = moved.dealings[1].shares[1].clone();
  EXPECT_EQ(vss_reshared_share(old.commitments, moved.reshares, crossed).code(), Errc::kInvalid);
  EXPECT_EQ(vss_reshared_share(old.commitments, moved.reshares, std::span(pieces).first(1)).code(), Errc::kInvalid);
}

TEST(VssTest, TheSealingKeyIsBoundToItsPurpose) {
  Drbg drbg = drbg_of(8);
  const GroupScalar secret = vss_random_scalar(drbg);
  Digest one, two;
  two.bytes[0] = 1;
  EXPECT_TRUE(vss_key(secret, one).equals(vss_key(secret, one)));
  EXPECT_FALSE(vss_key(secret, one).equals(vss_key(secret, two)));
  EXPECT_FALSE(vss_key(secret, one).equals(secret));
}

}  // namespace
}  // namespace selvedge::crypto
