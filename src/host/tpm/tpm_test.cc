// The TPM attestor against TPMs in software, each a process of its own: the chips are emulated, everything between them and a verified
// token is what runs with a real one.
#include "host/tpm/tpm.h"

#include <gtest/gtest.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>

#include <thread>

#include "crypto/drbg.h"
#include "crypto/hash.h"
#include "host/tpm/swtpm_testing.h"
#include "object/identity_linker.h"

namespace selvedge::host {
namespace {

using namespace object;

constexpr uint64_t kNow = 1'790'000'000;

crypto::Ed25519Signer signer_of(std::string_view name) { return crypto::Ed25519Signer(crypto::Seed::from(crypto::sha256(view(name))).value()); }

/// A node as far as identity goes: a secret and a chip.
struct TestNode {
  crypto::Seed secret;
  std::unique_ptr<Swtpm> chip;
  std::unique_ptr<Tpm> tpm;

  IdentityToken body(const PublicKey& origin, IdentityTier tier, Instant at, crypto::Drbg& drbg) const {
    IdentityToken out;
    out.origin = origin;
    out.node_id = key(origin, at).public_key();
    out.tier = tier;
    out.purpose = "join";
    out.issued = token_times(at, kTokenTtlDefault)->issued;
    out.expires = token_times(at, kTokenTtlDefault)->expires;
    out.nonce = drbg.draw<TokenNonce>();
    return out;
  }
  crypto::Ed25519Signer key(const PublicKey& origin, Instant at) const { return crypto::Ed25519Signer(key_for_origin(secret, origin, identity_period(at))); }
  Result<Signed<IdentityToken>> token(const PublicKey& origin, IdentityTier tier, Instant at, crypto::Drbg& drbg, Bytes endorsement = {}) const {
    IdentityToken out = body(origin, tier, at, drbg);
    AttestationRequest request{tier, attested_statement(out), attestation_key_id(secret, origin, identity_period(at)), std::move(endorsement)};
    out.attestation = TRY(tpm->attest(request));
    return sign_object(key(origin, at), std::move(out));
  }
};

class TpmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<TestNode> made = node();
    if (!made.ok() && made.code() == Errc::kNotFound) GTEST_SKIP() << made.error().message;
    ASSERT_TRUE(made.ok()) << made.error().message;
    node_ = std::move(made).value();
  }
  Result<TestNode> node() {
    TestNode out;
    out.secret = drbg_.seed();
    out.chip = TRY(Swtpm::start());
    out.tpm = TRY(Tpm::open({out.chip->tcti()}));
    return out;
  }
  TokenCheck check(IdentityTier least) {
    TokenCheck out;
    out.origin = origin_.public_key();
    out.tier_min = least;
    out.revocations = &none_;
    out.trust = &trust_;
    return out;
  }
  static Instant now() { return Instant::from_unix_seconds(kNow); }

  crypto::Drbg drbg_ = crypto::Drbg::from_os();
  crypto::Ed25519Signer origin_ = signer_of("origin");
  crypto::Ed25519Signer other_ = signer_of("other origin");
  crypto::Ed25519Signer endorser_ = signer_of("endorser");
  crypto::Ed25519Verifier verifier_;
  RevocationSet none_{origin_.public_key()};
  HardwareTrust trust_{{endorser_.public_key()}, {}, Unendorsed::kCountsAsSoftware};
  TestNode node_;
};

// req: A2
TEST_F(TpmTest, VouchesForAKeyAndAMeasuredState) {
  for (const IdentityTier tier : {IdentityTier::kHardwareBasic, IdentityTier::kHardwareStrong}) {
    const Signed<IdentityToken> made = node_.token(origin_.public_key(), tier, now(), drbg_).value();
    const Signed<IdentityToken> token = open_object<IdentityToken>(made.bytes, verifier_).value();
    EXPECT_EQ(verify_token(token, check(tier), verifier_, now()).code(), Errc::kUnauthorized) << "nobody has endorsed the key yet";
    EXPECT_EQ(verify_token(token, check(IdentityTier::kSoftware), verifier_, now())->tier, IdentityTier::kSoftware);
    trust_.unendorsed = Unendorsed::kIsBelieved;
    EXPECT_EQ(verify_token(token, check(tier), verifier_, now())->tier, tier);
    trust_.unendorsed = Unendorsed::kCountsAsSoftware;
  }
}

KeyEndorsement endorsement_of(const crypto::Signer& endorser, const Signed<IdentityToken>& token) {
  const TpmEvidence evidence = codec::decode<TpmEvidence>(token.body.attestation.data).value();
  return {endorser.public_key(), parse_tpm_key(evidence.key)->name, kNow - kNow % kDay, kNow - kNow % kDay + kDay};
}

// req: A2
TEST_F(TpmTest, AnEndorsedKeyProvesItsTier) {
  const PublicKey origin = origin_.public_key();
  const IdentityTier tier = IdentityTier::kHardwareBasic;
  const Signed<IdentityToken> first = node_.token(origin, tier, now(), drbg_).value();
  const Signed<KeyEndorsement> good = sign_object(endorser_, endorsement_of(endorser_, first)).value();
  // The chip makes the same key again for the same origin and period, so that the endorsement holds for the next token.
  const Signed<IdentityToken> token = node_.token(origin, tier, now(), drbg_, good.bytes).value();
  const TokenBearer bearer = verify_token(token, check(tier), verifier_, now()).value();
  EXPECT_TRUE(bearer.endorsed);
  EXPECT_EQ(bearer.tier, tier);
  EXPECT_EQ(verify_token(token, check(IdentityTier::kHardwareStrong), verifier_, now()).code(), Errc::kUnauthorized);

  const Signed<KeyEndorsement> stranger = sign_object(other_, endorsement_of(other_, first)).value();
  const Signed<IdentityToken> by_stranger = node_.token(origin, tier, now(), drbg_, stranger.bytes).value();
  EXPECT_EQ(verify_token(by_stranger, check(tier), verifier_, now()).code(), Errc::kUnauthorized);

  const Signed<IdentityToken> elsewhere = node_.token(other_.public_key(), tier, now(), drbg_, good.bytes).value();
  TokenCheck other = check(tier);
  other.origin = other_.public_key();
  EXPECT_EQ(verify_token(elsewhere, other, verifier_, now()).code(), Errc::kIntegrity) << "an endorsement is for one key, so for one origin";

  KeyEndorsement old_body = good.body;
  old_body.issued -= 2 * kDay;
  old_body.expires -= 2 * kDay;
  const Signed<KeyEndorsement> old = sign_object(endorser_, old_body).value();
  const Signed<IdentityToken> late = node_.token(origin, tier, now(), drbg_, old.bytes).value();
  EXPECT_EQ(verify_token(late, check(tier), verifier_, now()).code(), Errc::kUnauthorized);

  RevocationSet revoked(origin);
  Revocation revocation{endorser_.public_key(), RevocationTarget::kObject, RevokedId::from(good.id).value(), kNow - 1, RevocationReason::kKeyCompromise, kNow - 1};
  ASSERT_TRUE(revoked.add(sign_object(endorser_, revocation).value()).ok());
  TokenCheck after = check(tier);
  after.revocations = &revoked;
  EXPECT_EQ(verify_token(token, after, verifier_, now()).code(), Errc::kUnauthorized);
}

// req: A2
TEST_F(TpmTest, AMeasuredStateThatIsNotAcceptedProvesLess) {
  trust_.unendorsed = Unendorsed::kIsBelieved;
  const Signed<IdentityToken> token = node_.token(origin_.public_key(), IdentityTier::kHardwareStrong, now(), drbg_).value();
  const TpmQuote quote = parse_tpm_quote(codec::decode<TpmEvidence>(token.body.attestation.data)->quote).value();
  trust_.measured_states = {Digest::from(quote.pcr_digest).value()};
  EXPECT_EQ(verify_token(token, check(IdentityTier::kHardwareStrong), verifier_, now())->tier, IdentityTier::kHardwareStrong);
  trust_.measured_states = {crypto::sha256(view("another state"))};
  EXPECT_EQ(verify_token(token, check(IdentityTier::kHardwareStrong), verifier_, now()).code(), Errc::kUnauthorized);
  EXPECT_EQ(verify_token(token, check(IdentityTier::kHardwareBasic), verifier_, now())->tier, IdentityTier::kHardwareBasic);
}

TEST_F(TpmTest, AnAttestationServesOneTokenOnly) {
  trust_.unendorsed = Unendorsed::kIsBelieved;
  for (const IdentityTier tier : {IdentityTier::kHardwareBasic, IdentityTier::kHardwareStrong}) {
    const IdentityToken good = node_.token(origin_.public_key(), tier, now(), drbg_)->body;
    for (const auto& change : {+[](IdentityToken& t) { t.nonce.bytes[0] ^= 1; }, +[](IdentityToken& t) { t.expires += 60; }, +[](IdentityToken& t) { t.issued -= 60; }}) {
      IdentityToken body = good;
      change(body);
      const Signed<IdentityToken> token = sign_object(node_.key(origin_.public_key(), now()), body).value();
      EXPECT_EQ(verify_token(token, check(IdentityTier::kSoftware), verifier_, now()).code(), Errc::kIntegrity);
    }
    // Someone else's key over the attestation that was seen.
    IdentityToken stolen = good;
    stolen.node_id = other_.public_key();
    EXPECT_EQ(verify_token(sign_object(other_, stolen).value(), check(IdentityTier::kSoftware), verifier_, now()).code(), Errc::kIntegrity);
  }
}

TEST_F(TpmTest, AnAbsentTpmIsAnErrorThatSaysSo) {
  for (const char* tcti : {"device:/dev/no-such-tpm", "swtpm:path=/nowhere/chip", "no-such-way:at all"}) {
    const auto opened = Tpm::open({tcti});
    ASSERT_EQ(opened.code(), Errc::kUnavailable);
    EXPECT_NE(opened.error().message.find(tcti), std::string::npos) << opened.error().message;
  }
  EXPECT_EQ(Tpm::open({""}).code(), Errc::kInvalid);
  EXPECT_EQ(Tpm::open({node_.chip->tcti(), 0}).code(), Errc::kInvalid);
  node_.chip->stop();
  EXPECT_EQ(node_.token(origin_.public_key(), IdentityTier::kHardwareBasic, now(), drbg_).code(), Errc::kUnavailable) << "it went away while in use";
}

TEST_F(TpmTest, ManyThreadsTakeTurns) {
  std::vector<std::thread> threads;
  std::vector<Result<Attestation>> results(8, fail(Errc::kInternal, "not run"));
  for (size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([this, i, &results] { results[i] = node_.tpm->attest({IdentityTier::kHardwareBasic, crypto::sha256(view(std::to_string(i))), Digest{}, {}}); });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i].ok()) << results[i].error().message;
    EXPECT_TRUE(check_tpm_key(codec::decode<TpmEvidence>(results[i]->data).value(), crypto::sha256(view(std::to_string(i)))).ok());
  }
}

// ---- linking, with chips

constexpr size_t kChips = 12;

/// Chips of real machines have run for different times; these have all just begun.
void set_clock(const std::string& tcti, uint64_t ms) {
  TSS2_TCTI_CONTEXT* way = nullptr;
  ESYS_CONTEXT* chip = nullptr;
  ASSERT_EQ(Tss2_TctiLdr_Initialize(tcti.c_str(), &way), TSS2_RC_SUCCESS);
  ASSERT_EQ(Esys_Initialize(&chip, way, nullptr), TSS2_RC_SUCCESS);
  EXPECT_EQ(Esys_ClockSet(chip, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, ms), TSS2_RC_SUCCESS);
  Esys_Finalize(&chip);
  Tss2_TctiLdr_Finalize(&way);
}

class TpmLinkTest : public TpmTest {
 protected:
  std::vector<object::testing::Link> links_at(IdentityTier tier) {
    std::vector<TestNode> nodes;
    for (size_t i = 0; i < kChips; ++i) {
      nodes.push_back(node().value());
      set_clock(nodes[i].chip->tcti(), (i + 1) * 600'000);
    }
    std::vector<object::testing::LinkSample> samples[2];
    const PublicKey origins[2] = {origin_.public_key(), other_.public_key()};
    for (size_t round = 0; round < 4; ++round) {
      for (size_t i = 0; i < kChips; ++i) {
        for (const size_t side : {0, 1}) {
          const Signed<IdentityToken> token = nodes[i].token(origins[side], tier, now(), drbg_).value();
          timespec clock{};
          clock_gettime(CLOCK_MONOTONIC, &clock);
          samples[side].push_back({i, token.bytes, uint64_t(clock.tv_sec) * 1000 + uint64_t(clock.tv_nsec) / 1'000'000});
        }
      }
    }
    return object::testing::Linker(kChips, samples[0], samples[1]).links();
  }
};

// req: A2, R2, R21
TEST_F(TpmLinkTest, HardwareBasicShowsNothingThatLinks) {
  const std::vector<object::testing::Link> links = links_at(IdentityTier::kHardwareBasic);
  EXPECT_TRUE(links.empty()) << object::testing::link_text(links);
}

// What docs/decisions/0017 says of hardware-strong is true: a quote holds the chip's clock, and that is enough to recognise it.
TEST_F(TpmLinkTest, HardwareStrongLinksByTheChipsClock) {
  const std::vector<object::testing::Link> links = links_at(IdentityTier::kHardwareStrong);
  ASSERT_FALSE(links.empty());
  EXPECT_NE(object::testing::link_text(links).find("clock in ms"), std::string::npos) << object::testing::link_text(links);
}

}  // namespace
}  // namespace selvedge::host
