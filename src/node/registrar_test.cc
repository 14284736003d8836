// Who a node is to an origin, as its owner, its origins and its leases see it.
#include "node/registrar.h"

#include "crypto/p256_testing.h"
#include "node/node_testing.h"
#include "object/tpm_quote.h"

namespace selvedge::node {
namespace {

using object::IdentityTier;
using testing::Group;

/// Vouches as a TPM does, with a key in software: to the node there is no difference.
class TestChip final : public object::Attestor {
 public:
  explicit TestChip(IdentityTier tier) : tier_(tier) {}
  IdentityTier tier() const override { return tier_; }
  Result<object::Attestation> attest(const object::AttestationRequest& request) override {
    if (broken) return fail(Errc::kUnavailable, "the chip is gone");
    asked.push_back(request);
    object::TpmEvidence evidence;
    evidence.key = object::make_tpm_key(key_.point());
    evidence.endorsement = request.endorsement;
    if (request.tier == IdentityTier::kHardwareBasic) {
      evidence.signature = key_.sign(crypto::sha256(request.statement));
      return object::Attestation{std::string(object::kFormatTpmKey), codec::encode(evidence)};
    }
    object::TpmQuote quote;
    quote.qualified_signer = object::tpm_qualified_name(object::parse_tpm_key(evidence.key).value());
    quote.extra_data = to_bytes(request.statement);
    quote.selections = {{0x000b, {0xff, 0, 0}}};
    quote.pcr_digest = Bytes(32, 1);
    evidence.quote = object::make_tpm_quote(quote);
    evidence.signature = key_.sign(crypto::sha256(evidence.quote));
    return object::Attestation{std::string(object::kFormatTpmQuote), codec::encode(evidence)};
  }
  bool broken = false;
  std::vector<object::AttestationRequest> asked;

 private:
  IdentityTier tier_;
  crypto::testing::P256TestSigner key_{"chip"};
};

/// A machine of chen's, and an origin: ada.
class RegistrarTest : public ::testing::Test {
 protected:
  void start(object::Attestor* chip = nullptr) {
    host_ = group_.add("chen");
    ada_ = group_.add("ada");
    group_.at(host_).chip = chip;
    ASSERT_TRUE(group_.start(host_).ok());
    ASSERT_TRUE(group_.start(ada_).ok());
    group_.link(host_, ada_);
  }
  IdentityRequest request(const std::string& tier_min = "software", const std::string& tier = "") {
    IdentityRequest out;
    out.origin = codec::key_text(group_.at(ada_).owner.public_key());
    out.purpose = "join";
    out.tier = tier;
    out.tier_min = tier_min;
    return out;
  }
  std::string ask(IdentityRequest wanted) { return group_.answer(host_, std::move(wanted)); }
  std::string check(const std::string& token, const std::string& tier_min = "software") {
    IdentityCheckRequest out;
    out.token = token;
    out.tier_min = tier_min;
    out.believe_unendorsed = true;
    return group_.answer(ada_, out);
  }
  static std::string field(const std::string& json, const std::string& name) { return Group::field(json, name); }
  std::string refusal(size_t n) { return group_.at(n).refusals.rbegin()->second.message; }

  Group group_;
  size_t host_ = 0;
  size_t ada_ = 0;
};

// req: A2, R21
TEST_F(RegistrarTest, AnOriginGetsAKeyOfItsOwn) {
  start();
  const std::string first = ask(request());
  ASSERT_EQ(field(first, "tier"), "software") << first;
  EXPECT_NE(field(first, "nodeId"), codec::key_text(group_.at(host_).key()));
  EXPECT_EQ(field(check(field(first, "token")), "nodeId"), field(first, "nodeId"));
  EXPECT_EQ(field(ask(request()), "nodeId"), field(first, "nodeId")) << "the same within origin and period";
  IdentityRequest other = request();
  other.origin = codec::key_text(group_.at(host_).owner.public_key());
  EXPECT_NE(field(ask(other), "nodeId"), field(first, "nodeId"));
  group_.pass(seconds(int64_t(object::kIdentityPeriodSeconds)));
  EXPECT_NE(field(ask(request()), "nodeId"), field(first, "nodeId")) << "another key with the next period";
  EXPECT_EQ(check(field(first, "token")), "refused: expired");
}

// req: A2
TEST_F(RegistrarTest, ARevokedLeaseInvalidatesItsTokens) {
  start();
  const std::string before = ask(request());
  const std::string lease = group_.grant(host_, ada_);
  const std::string bound = ask(request());
  ASSERT_EQ(field(bound, "lease"), lease) << bound;
  EXPECT_EQ(field(check(field(bound, "token")), "lease"), lease);
  group_.answer(host_, LeaseChangeRequest{lease, LeaseAction::kRevoke});
  EXPECT_EQ(check(field(bound, "token")), "refused: revoked");
  EXPECT_EQ(field(check(field(before, "token")), "nodeId"), field(before, "nodeId")) << "a token that is bound to no lease stays";
  const std::string list = group_.answer(host_, IdentityListRequest{});
  EXPECT_NE(list.find("invalidated"), std::string::npos) << list;
  EXPECT_NE(list.find("in force"), std::string::npos) << list;
}

// A stranger to the grant, who cannot see the lease, learns it from the token's own revocation.
TEST_F(RegistrarTest, TheOriginIsTold) {
  start();
  const std::string lease = group_.grant(host_, ada_);
  const std::string bound = ask(request());
  group_.at(ada_).received.clear();
  group_.answer(host_, LeaseChangeRequest{lease, LeaseAction::kRevoke});
  bool told = false;
  for (const Bytes& message : group_.at(ada_).received) told = told || to_hex(message).find(field(bound, "id")) != std::string::npos;
  EXPECT_TRUE(told);
}

TEST_F(RegistrarTest, TokensTakenBackByOthersTakeLittleRoom) {
  start();
  const std::string token = ask(request());
  const crypto::Ed25519Signer stranger(testing::seed_of("stranger"));
  object::Revocation body;
  body.issuer = stranger.public_key();
  body.target_kind = object::RevocationTarget::kCapability;
  body.cutoff = body.issued = group_.now.unix_seconds();
  body.target.bytes = crypto::Digest::from(from_hex(field(token, "id")).value())->bytes;
  group_.inject(host_, ada_, mesh::MeshMessages::encode(mesh::Records{{object::sign_object(stranger, body)->bytes}}));
  EXPECT_EQ(field(check(field(token, "token")), "tier"), "software") << "by another key than the token's";
  for (size_t i = 0; i < 2 * kTokensTakenBackPerNodeMax; ++i) {
    store_u64(body.target.bytes.data(), i + 1);
    group_.inject(host_, ada_, mesh::MeshMessages::encode(mesh::Records{{object::sign_object(stranger, body)->bytes}}));
  }
  const size_t on_disk = group_.at(ada_).disk.size();
  group_.inject(host_, ada_, mesh::MeshMessages::encode(mesh::Records{{object::sign_object(stranger, body)->bytes}}));
  EXPECT_EQ(group_.at(ada_).disk.size(), on_disk) << "none of it is written down";
}

TEST_F(RegistrarTest, ATokenCanBeWithdrawn) {
  start();
  const std::string token = ask(request());
  EXPECT_EQ(group_.answer(host_, IdentityWithdrawRequest{"zz"}), "refused: not_found");
  EXPECT_EQ(group_.answer(host_, IdentityWithdrawRequest{""}), "refused: not_found");
  const std::string withdrawn = group_.answer(host_, IdentityWithdrawRequest{field(token, "id").substr(0, 12)});
  EXPECT_NE(withdrawn.find("\"told\":1"), std::string::npos) << withdrawn;
  EXPECT_EQ(check(field(token, "token")), "refused: revoked");
  EXPECT_EQ(group_.answer(host_, IdentityWithdrawRequest{field(token, "id")}), "refused: not_found");
}

// req: A2
TEST_F(RegistrarTest, TheBudgetIsSpentByFailuresToo) {
  start();
  for (uint32_t i = 0; i < object::kBudgetPerOrigin.burst; ++i) EXPECT_EQ(ask(request("hardware-basic")), "refused: unavailable");
  EXPECT_EQ(ask(request("hardware-basic")), "refused: quota");
  EXPECT_EQ(ask(request()), "refused: quota") << "the tier makes no difference";
  group_.pass(object::kBudgetPerOrigin.refill);
  EXPECT_EQ(field(ask(request()), "tier"), "software");
  IdentityRequest bad = request();
  bad.purpose = "";
  EXPECT_EQ(ask(bad), "refused: invalid");
}

TEST_F(RegistrarTest, MistakesCostNothing) {
  start();
  IdentityRequest bad = request();
  bad.seconds = 1;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ask(bad), "refused: invalid");
  EXPECT_EQ(ask(request("hardware")), "refused: invalid");
  bad = request();
  bad.origin = "nobody";
  EXPECT_EQ(ask(bad), "refused: invalid");
  EXPECT_EQ(field(ask(request()), "tier"), "software");
}

// req: A2
TEST_F(RegistrarTest, WithoutHardwareItDegradesOrFails) {
  start();
  const std::string degraded = ask(request("software", "hardware-basic"));
  EXPECT_EQ(field(degraded, "tier"), "software") << degraded;
  EXPECT_NE(field(degraded, "degraded").find("without a TPM"), std::string::npos) << degraded;
  EXPECT_EQ(ask(request("hardware-basic")), "refused: unavailable");
  EXPECT_NE(refusal(host_).find("--tpm"), std::string::npos) << "what is missing, and what to do: " << refusal(host_);
}

// req: A2
TEST_F(RegistrarTest, HardwareVouchesForWhatWasAskedAndNoMore) {
  TestChip chip(IdentityTier::kHardwareStrong);
  start(&chip);
  EXPECT_EQ(field(ask(request()), "tier"), "software");
  EXPECT_TRUE(chip.asked.empty()) << "the chip is not asked without need";
  const std::string basic = ask(request("hardware-basic"));
  EXPECT_EQ(field(basic, "tier"), "hardware-basic") << basic;
  EXPECT_EQ(field(basic, "degraded"), "");
  EXPECT_EQ(field(check(field(basic, "token"), "hardware-basic"), "tier"), "hardware-basic");
  ASSERT_EQ(chip.asked.size(), 1u);
  IdentityRequest other = request("hardware-basic");
  other.origin = codec::key_text(group_.at(host_).owner.public_key());
  ask(other);
  ASSERT_EQ(chip.asked.size(), 2u);
  EXPECT_NE(chip.asked[0].key_id, chip.asked[1].key_id) << "another attestation key for another origin";
}

// req: A2, A20
TEST_F(RegistrarTest, HardwareStrongTakesThePermissionForAttestedExecution) {
  TestChip chip(IdentityTier::kHardwareStrong);
  start(&chip);
  group_.grant(host_, ada_);
  EXPECT_EQ(ask(request("hardware-strong")), "refused: unavailable");
  EXPECT_NE(refusal(host_).find("attested execution"), std::string::npos) << refusal(host_);
  EXPECT_EQ(field(ask(request("software", "hardware-strong")), "tier"), "hardware-basic");
  IdentityRequest own = request("hardware-strong");
  own.origin = codec::key_text(group_.at(host_).owner.public_key());
  EXPECT_EQ(field(ask(own), "tier"), "hardware-strong") << "to its own owner";
  GrantAskRequest wanted;
  wanted.node = codec::key_text(group_.at(host_).key());
  wanted.classes = "attested";
  wanted.seconds = 1800;
  wanted.purpose = "to see what it booted";
  const std::string asked = group_.answer(ada_, wanted);
  GrantAnswerRequest yes;
  yes.request = field(asked, "id");
  yes.allow = "attested";
  group_.answer(host_, yes);
  const std::string strong = ask(request("hardware-strong"));
  EXPECT_EQ(field(strong, "tier"), "hardware-strong") << strong;
  const std::string basic = ask(request("hardware-basic"));
  EXPECT_NE(field(strong, "lease"), field(basic, "lease")) << "bound to the grant that permits it, though another lasts longer";
  group_.answer(host_, GrantWithdrawRequest{codec::key_text(group_.at(ada_).owner.public_key()), "attested"});
  EXPECT_EQ(check(field(strong, "token")), "refused: revoked");
  EXPECT_EQ(field(check(field(basic, "token")), "tier"), "hardware-basic");
  EXPECT_EQ(ask(request("hardware-strong")), "refused: unavailable");
}

TEST_F(RegistrarTest, AChipThatFailsDegradesOrFails) {
  TestChip chip(IdentityTier::kHardwareBasic);
  start(&chip);
  chip.broken = true;
  const std::string degraded = ask(request("software", "hardware-basic"));
  EXPECT_EQ(field(degraded, "tier"), "software");
  EXPECT_EQ(field(degraded, "degraded"), "the chip is gone");
  EXPECT_EQ(ask(request("hardware-basic")), "refused: unavailable");
  EXPECT_NE(refusal(host_).find("the chip is gone"), std::string::npos);
}

TEST_F(RegistrarTest, ALeaseThatEndsWhileTheChipWorksYieldsNoToken) {
  TestChip chip(IdentityTier::kHardwareBasic);
  start(&chip);
  const std::string lease = group_.grant(host_, ada_);
  group_.at(host_).hold_attestations = true;
  const RequestId asked = group_.ask(host_, request("hardware-basic"));
  group_.answer(host_, LeaseChangeRequest{lease, LeaseAction::kRevoke});
  EXPECT_FALSE(group_.at(host_).answers.count(asked));
  group_.release_attestations(host_);
  ASSERT_TRUE(group_.at(host_).refusals.count(asked));
  EXPECT_EQ(group_.at(host_).refusals.at(asked).code, Errc::kRevoked);
}

TEST_F(RegistrarTest, AChipThatDoesNotAnswerHoldsUpFew) {
  TestChip chip(IdentityTier::kHardwareBasic);
  start(&chip);
  group_.at(host_).hold_attestations = true;
  size_t refused = 0;
  for (size_t i = 0; i < kAttestationsWaitingMax + 4; ++i) {
    IdentityRequest wanted = request("hardware-basic");
    wanted.origin = codec::key_text(crypto::Ed25519Signer(testing::seed_of("origin " + std::to_string(i))).public_key());
    const RequestId asked = group_.ask(host_, wanted);
    refused += group_.at(host_).refusals.count(asked);
  }
  EXPECT_EQ(refused, 4u);
  group_.release_attestations(host_);
  EXPECT_EQ(field(ask(request("hardware-basic")), "tier"), "hardware-basic");
}

TEST_F(RegistrarTest, TokensForOthersAndForgedOnesAreRefused) {
  start();
  IdentityRequest other = request();
  other.origin = codec::key_text(group_.at(host_).owner.public_key());
  EXPECT_EQ(check(field(ask(other), "token")), "refused: unauthorized");
  EXPECT_EQ(check("zz"), "refused: invalid");
  std::string token = field(ask(request()), "token");
  token[token.size() - 1] = token.back() == '0' ? '1' : '0';
  EXPECT_EQ(check(token), "refused: integrity");
}

}  // namespace
}  // namespace selvedge::node
