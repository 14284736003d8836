// What TPMs sign, from recordings of one and from a forger who has none: parsed exactly, checked, and believed as far as it goes.
#include "object/tpm_quote.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "crypto/hash.h"
#include "crypto/p256_testing.h"
#include "object/identity.h"
#include "object/test_world.h"

namespace selvedge::object {
namespace {

using testing::now;
using testing::seed_of;

struct Recorded {
  IdentityTier tier;
  bool endorsed;
  Bytes token;
};

std::vector<Recorded> recordings() {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/tests/vectors/identity/tpm.txt");
  std::vector<Recorded> out;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string tier, endorsed, token;
    words >> tier >> endorsed >> token;
    out.push_back({identity_tier_from_name(tier).value(), endorsed == "endorsed", from_hex(token).value()});
  }
  return out;
}

struct TpmWorld : testing::World {
  crypto::Ed25519Signer endorser{seed_of("endorser")};
  RevocationSet none{origin.public_key()};
  HardwareTrust trust;
  TokenCheck check(IdentityTier least) const {
    TokenCheck out;
    out.origin = origin.public_key();
    out.tier_min = least;
    out.revocations = &none;
    out.trust = &trust;
    return out;
  }
  TpmEvidence evidence(const Recorded& recorded) const {
    return codec::decode<TpmEvidence>(open_object<IdentityToken>(recorded.token, verifier)->body.attestation.data).value();
  }
  Digest statement(const Recorded& recorded) const { return attested_statement(open_object<IdentityToken>(recorded.token, verifier)->body); }
};

// req: A2, A18
TEST(TpmQuoteTest, WhatATpmSignedIsBelievedWhenAnEndorserStandsForIt) {
  TpmWorld w;
  w.trust.endorsers = {w.endorser.public_key()};
  const std::vector<Recorded> all = recordings();
  ASSERT_EQ(all.size(), 4u);
  for (const Recorded& each : all) {
    const Signed<IdentityToken> token = open_object<IdentityToken>(each.token, w.verifier).value();
    const Result<TokenBearer> bearer = verify_token(token, w.check(each.tier), w.verifier, now());
    EXPECT_EQ(bearer.ok(), each.endorsed);
    EXPECT_EQ(bearer.ok() ? bearer->tier : IdentityTier::kSoftware, each.endorsed ? each.tier : IdentityTier::kSoftware);
  }
}

TEST(TpmQuoteTest, EveryChangedByteOfTheEvidenceIsRefused) {
  const TpmWorld w;
  for (const Recorded& each : recordings()) {
    const TpmEvidence good = w.evidence(each);
    const Digest statement = w.statement(each);
    const auto holds = [&](const TpmEvidence& evidence) {
      return each.tier == IdentityTier::kHardwareBasic ? check_tpm_key(evidence, statement).ok() : check_tpm_quote(evidence, statement).ok();
    };
    ASSERT_TRUE(holds(good));
    const auto flip_all = [&](auto part) {
      TpmEvidence bad = good;
      auto& bytes = part(bad);
      for (size_t at = 0; at < bytes.size(); ++at) {
        for (const uint8_t flip : {0x01, 0x80, 0xff}) {
          bytes[at] ^= flip;
          EXPECT_FALSE(holds(bad)) << at;
          bytes[at] ^= flip;
        }
      }
    };
    flip_all([](TpmEvidence& e) -> Bytes& { return e.key; });
    flip_all([](TpmEvidence& e) -> Bytes& { return e.quote; });
    flip_all([](TpmEvidence& e) -> auto& { return e.signature.bytes; });
  }
}

TEST(TpmQuoteTest, TheParsersTakeWholeStatementsOnly) {
  const TpmWorld w;
  const std::vector<Recorded> all = recordings();
  const TpmEvidence evidence = w.evidence(all[2]);
  ASSERT_FALSE(evidence.quote.empty());
  for (size_t size = 0; size < evidence.key.size(); ++size) EXPECT_FALSE(parse_tpm_key(ByteView(evidence.key).first(size)).ok()) << size;
  for (size_t size = 0; size < evidence.quote.size(); ++size) EXPECT_FALSE(parse_tpm_quote(ByteView(evidence.quote).first(size)).ok()) << size;
  Bytes longer = evidence.key;
  longer.push_back(0);
  EXPECT_EQ(parse_tpm_key(longer).code(), Errc::kInvalid);
  longer = evidence.quote;
  longer.push_back(0);
  EXPECT_EQ(parse_tpm_quote(longer).code(), Errc::kInvalid);
  EXPECT_EQ(parse_tpm_key(Bytes(kTpmKeySizeMax + 1)).code(), Errc::kLimit);
  EXPECT_EQ(parse_tpm_quote(Bytes(kTpmQuoteSizeMax + 1)).code(), Errc::kLimit);
  EXPECT_EQ(make_tpm_quote(parse_tpm_quote(evidence.quote).value()), evidence.quote);
  EXPECT_EQ(make_tpm_key(parse_tpm_key(evidence.key)->point), evidence.key);
}

TEST(TpmQuoteTest, AKeyOfAnotherKindIsRefused) {
  const TpmWorld w;
  const Bytes good = w.evidence(recordings()[0]).key;
  // Everything before the point is the template: type, name algorithm, attributes, policy, schemes, curve.
  for (size_t at = 0; at < 20; ++at) {
    Bytes bad = good;
    bad[at] ^= 1;
    EXPECT_FALSE(parse_tpm_key(bad).ok()) << at;
  }
}

TEST(TpmQuoteTest, ACoordinateMayComeWithoutItsLeadingZeros) {
  crypto::P256Point point;
  for (size_t i = 2; i < point.bytes.size(); ++i) point.bytes[i] = uint8_t(i);
  const Bytes padded = make_tpm_key(point);
  Bytes cut = padded;
  cut.erase(cut.begin() + 22, cut.begin() + 24);
  cut[21] = 30;
  EXPECT_EQ(parse_tpm_key(cut)->point, point);
  Bytes none = padded;
  none.erase(none.begin() + 22, none.begin() + 54);
  none[21] = 0;
  EXPECT_EQ(parse_tpm_key(none).code(), Errc::kInvalid);
}

/// Someone without a TPM who makes everything a TPM would make.
struct Forger {
  crypto::testing::P256TestSigner key{"forger"};

  TpmQuote quote(const Digest& statement) const {
    TpmQuote out;
    out.qualified_signer = tpm_qualified_name(parse_tpm_key(make_tpm_key(key.point())).value());
    out.extra_data = to_bytes(statement);
    out.selections = {{0x000b, {0xff, 0, 0}}};
    out.pcr_digest = Bytes(32, 1);
    return out;
  }
  TpmEvidence signed_quote(const TpmQuote& quote) {
    TpmEvidence out;
    out.key = make_tpm_key(key.point());
    out.quote = make_tpm_quote(quote);
    out.signature = key.sign(crypto::sha256(out.quote));
    return out;
  }
};

struct BadQuote {
  const char* why;
  void (*change)(TpmQuote&);
  Errc code;
};

TEST(TpmQuoteTest, AQuoteThatSaysSomethingElseIsRefused) {
  Forger forger;
  const Digest statement = crypto::sha256(view("statement"));
  ASSERT_TRUE(check_tpm_quote(forger.signed_quote(forger.quote(statement)), statement).ok());
  const BadQuote bad[] = {
      {"another statement", [](TpmQuote& q) { q.extra_data[0] ^= 1; }, Errc::kIntegrity},
      {"no statement", [](TpmQuote& q) { q.extra_data.clear(); }, Errc::kIntegrity},
      {"another key", [](TpmQuote& q) { q.qualified_signer[9] ^= 1; }, Errc::kIntegrity},
      {"no registers", [](TpmQuote& q) { q.selections.clear(); }, Errc::kInvalid},
      {"a selection of nothing", [](TpmQuote& q) { q.selections[0].registers = {0, 0, 0}; }, Errc::kInvalid},
      {"only the SHA-1 bank", [](TpmQuote& q) { q.selections[0].hash = 0x0004; }, Errc::kInvalid},
      {"too many banks", [](TpmQuote& q) { q.selections.resize(kTpmSelectionsMax + 1); }, Errc::kLimit},
      {"too many registers", [](TpmQuote& q) { q.selections[0].registers.resize(kTpmPcrBytesMax + 1); }, Errc::kLimit},
      {"a digest of another size", [](TpmQuote& q) { q.pcr_digest.resize(20); }, Errc::kInvalid},
      {"a yes-or-no that is neither", [](TpmQuote& q) { q.safe = 2; }, Errc::kInvalid},
  };
  for (const BadQuote& each : bad) {
    TpmQuote quote = forger.quote(statement);
    each.change(quote);
    const auto checked = check_tpm_quote(forger.signed_quote(quote), statement);
    ASSERT_FALSE(checked.ok()) << each.why;
    EXPECT_EQ(checked.code(), each.code) << each.why << ": " << checked.error().message;
  }
  TpmEvidence other_type = forger.signed_quote(forger.quote(statement));
  other_type.quote[5] = 0x17;  // TPM_ST_ATTEST_CERTIFY
  other_type.signature = forger.key.sign(crypto::sha256(other_type.quote));
  EXPECT_EQ(check_tpm_quote(other_type, statement).code(), Errc::kInvalid);
}

// What docs/decisions/0017 admits: the form alone can be forged by anyone, so that without an endorser it counts for nothing.
// req: A2
TEST(TpmQuoteTest, WithoutAnEndorserAForgedChipIsWorthASoftwareKey) {
  TpmWorld w;
  w.trust.endorsers = {w.endorser.public_key()};
  Forger forger;
  IdentityToken body;
  body.origin = w.origin.public_key();
  body.node_id = w.stranger.public_key();
  body.tier = IdentityTier::kHardwareStrong;
  body.purpose = "join";
  body.issued = token_times(now(), 300)->issued;
  body.expires = token_times(now(), 300)->expires;
  const TpmEvidence evidence = forger.signed_quote(forger.quote(attested_statement(body)));
  body.attestation = {std::string(kFormatTpmQuote), codec::encode(evidence)};
  const Signed<IdentityToken> token = sign_object(w.stranger, body).value();
  EXPECT_EQ(verify_token(token, w.check(IdentityTier::kSoftware), w.verifier, now())->tier, IdentityTier::kSoftware);
  const auto refused = verify_token(token, w.check(IdentityTier::kHardwareBasic), w.verifier, now());
  ASSERT_EQ(refused.code(), Errc::kUnauthorized);
  EXPECT_NE(refused.error().message.find("no endorser"), std::string::npos) << refused.error().message;
  w.trust.unendorsed = Unendorsed::kIsBelieved;
  EXPECT_EQ(verify_token(token, w.check(IdentityTier::kHardwareStrong), w.verifier, now())->tier, IdentityTier::kHardwareStrong)
      << "who believes the form is deceived, and has to say that they want to";
}

TEST(TpmQuoteTest, EndorsementsAreOfWholeDaysAndShort) {
  const TpmWorld w;
  const KeyEndorsement good{w.endorser.public_key(), crypto::sha256(view("key")), 20'000 * kDay, 20'001 * kDay};
  EXPECT_TRUE(sign_object(w.endorser, good).ok());
  const auto refused = [&](void (*change)(KeyEndorsement&)) {
    KeyEndorsement bad = good;
    change(bad);
    return !sign_object(w.endorser, bad).ok();
  };
  EXPECT_TRUE(refused([](KeyEndorsement& e) { e.issued += 1; }));
  EXPECT_TRUE(refused([](KeyEndorsement& e) { e.expires += 1; }));
  EXPECT_TRUE(refused([](KeyEndorsement& e) { e.expires = e.issued; }));
  EXPECT_TRUE(refused([](KeyEndorsement& e) { e.expires = e.issued + 3 * kDay; }));
  EXPECT_TRUE(refused([](KeyEndorsement& e) { e.key_name = {}; }));
}

}  // namespace
}  // namespace selvedge::object
