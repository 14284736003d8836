// Identity tokens: scoped keys, tiers, checking, and what must be refused.
#include "object/identity.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "crypto/hash.h"
#include "object/identity_book.h"
#include "object/test_world.h"

namespace selvedge::object {
namespace {

using testing::kNow;
using testing::now;
using testing::seed_of;

struct IdentityWorld : testing::World {
  crypto::Seed secret = identity_secret(seed_of("machine"));
  RevocationSet revocations{origin.public_key()};

  crypto::Ed25519Signer scoped(const crypto::Signer& towards, Instant at = now()) const {
    return crypto::Ed25519Signer(key_for_origin(secret, towards.public_key(), identity_period(at)));
  }
  IdentityToken body(const crypto::Signer& key) const {
    IdentityToken out;
    out.origin = origin.public_key();
    out.node_id = key.public_key();
    out.purpose = "join";
    const TokenTimes times = token_times(now(), kTokenTtlDefault).value();
    out.issued = times.issued;
    out.expires = times.expires;
    out.nonce.bytes.fill(7);
    return out;
  }
  Signed<IdentityToken> token() const {
    const crypto::Ed25519Signer key = scoped(origin);
    return sign_object(key, body(key)).value();
  }
  TokenCheck check() const {
    TokenCheck out;
    out.origin = origin.public_key();
    out.revocations = &revocations;
    return out;
  }
};

// req: A2, R21
TEST(IdentityKeys, FollowFromSecretOriginAndPeriodAlone) {
  const IdentityWorld w;
  const crypto::Seed first = key_for_origin(w.secret, w.origin.public_key(), 5);
  EXPECT_TRUE(first.equals(key_for_origin(w.secret, w.origin.public_key(), 5)));
  EXPECT_FALSE(first.equals(key_for_origin(w.secret, w.origin.public_key(), 6)));
  EXPECT_FALSE(first.equals(key_for_origin(w.secret, w.stranger.public_key(), 5)));
  EXPECT_FALSE(first.equals(key_for_origin(identity_secret(seed_of("another machine")), w.origin.public_key(), 5)));
  EXPECT_FALSE(w.secret.equals(seed_of("machine"))) << "the secret is not the node's own seed";
}

std::vector<std::string> vector_lines() {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/tests/vectors/identity/derivation.txt");
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] != '#') out.push_back(line);
  }
  return out;
}

// req: A2, A18
TEST(IdentityKeys, MatchThePublishedVectors) {
  size_t lines = 0;
  for (const std::string& line : vector_lines()) {
    std::istringstream words(line);
    std::string node_seed, origin, period, secret, scoped, node_id, key_id;
    words >> node_seed >> origin >> period >> secret >> scoped >> node_id >> key_id;
    const crypto::Seed derived = identity_secret(crypto::Seed::from(from_hex(node_seed).value()).value());
    const PublicKey towards = PublicKey::from(from_hex(origin).value()).value();
    const crypto::Seed seed = key_for_origin(derived, towards, std::stoull(period));
    EXPECT_EQ(to_hex(derived.view()), secret);
    EXPECT_EQ(to_hex(seed.view()), scoped);
    EXPECT_EQ(crypto::Ed25519Signer(seed).public_key().hex(), node_id);
    EXPECT_EQ(attestation_key_id(derived, towards, std::stoull(period)).hex(), key_id);
    ++lines;
  }
  EXPECT_EQ(lines, 8u);
}

RC_GTEST_PROP(IdentityKeys, NoTwoScopesShareAKey, (std::vector<std::pair<uint8_t, uint8_t>> scopes)) {
  const IdentityWorld w;
  std::set<std::pair<uint8_t, uint8_t>> distinct(scopes.begin(), scopes.end());
  std::set<PublicKey> keys;
  for (const auto& [origin, period] : distinct) {
    PublicKey towards;
    towards.bytes.fill(origin);
    keys.insert(crypto::Ed25519Signer(key_for_origin(w.secret, towards, period)).public_key());
  }
  RC_ASSERT(keys.size() == distinct.size());
}

TEST(IdentityTokenTest, SaysWhoUntilWhenAndForWhat) {
  const IdentityWorld w;
  const Signed<IdentityToken> token = w.token();
  const Signed<IdentityToken> opened = open_object<IdentityToken>(token.bytes, w.verifier).value();
  const TokenBearer bearer = verify_token(opened, w.check(), w.verifier, now()).value();
  EXPECT_EQ(bearer.node_id, w.scoped(w.origin).public_key());
  EXPECT_EQ(bearer.tier, IdentityTier::kSoftware);
  EXPECT_EQ(bearer.expires, token.body.expires);
  EXPECT_LE(token.body.expires - kNow, kTokenTtlDefault);
}

// req: A2
TEST(IdentityTokenTest, ServesOneOriginOnly) {
  const IdentityWorld w;
  TokenCheck check = w.check();
  check.origin = w.stranger.public_key();
  EXPECT_EQ(verify_token(w.token(), check, w.verifier, now()).code(), Errc::kUnauthorized);
}

TEST(IdentityTokenTest, LivesItsTimeAndNoLonger) {
  const IdentityWorld w;
  const Signed<IdentityToken> token = w.token();
  const auto at = [&](uint64_t seconds_at) { return verify_token(token, w.check(), w.verifier, Instant::from_unix_seconds(seconds_at)); };
  EXPECT_TRUE(at(token.body.expires - 1).ok());
  EXPECT_EQ(at(token.body.expires).code(), Errc::kExpired);
  EXPECT_TRUE(at(token.body.issued - kClockSkewSecondsMax).ok());
  EXPECT_EQ(at(token.body.issued - kClockSkewSecondsMax - 1).code(), Errc::kExpired);
}

TEST(IdentityTokenTest, TimesAreCutToTheGrain) {
  for (const uint64_t at : {kNow, kNow + 1, kNow + 59, kNow + 60}) {
    const TokenTimes times = token_times(Instant::from_unix_seconds(at), 299).value();
    EXPECT_EQ(times.issued % kTokenTimeGrainSeconds, 0u);
    EXPECT_EQ(times.expires % kTokenTimeGrainSeconds, 0u);
    EXPECT_LE(times.issued, at);
    EXPECT_GT(times.expires, at);
    EXPECT_LE(times.expires, at + 299);
  }
  EXPECT_EQ(token_times(now(), kTokenTtlMin - 1).code(), Errc::kInvalid);
  EXPECT_EQ(token_times(now(), kTokenTtlMax + 1).code(), Errc::kInvalid);
}

struct BadToken {
  const char* why;
  void (*change)(IdentityToken&);
  Errc code;
};

TEST(IdentityTokenTest, RefusesWhatIsNotOne) {
  const IdentityWorld w;
  const BadToken bad[] = {
      {"no origin", [](IdentityToken& t) { t.origin = {}; }, Errc::kInvalid},
      {"no purpose", [](IdentityToken& t) { t.purpose.clear(); }, Errc::kInvalid},
      {"a long purpose", [](IdentityToken& t) { t.purpose.assign(kTokenPurposeSizeMax + 1, 'x'); }, Errc::kLimit},
      {"a purpose that moves the cursor", [](IdentityToken& t) { t.purpose = "a\x1b[2Jb"; }, Errc::kInvalid},
      {"a purpose that is not UTF-8", [](IdentityToken& t) { t.purpose = "\xff"; }, Errc::kInvalid},
      {"seconds in issued", [](IdentityToken& t) { t.issued += 1; }, Errc::kInvalid},
      {"seconds in expires", [](IdentityToken& t) { t.expires += 1; }, Errc::kInvalid},
      {"ends before it begins", [](IdentityToken& t) { t.expires = t.issued; }, Errc::kInvalid},
      {"too long a life", [](IdentityToken& t) { t.expires = t.issued + kTokenTtlMax + 60; }, Errc::kInvalid},
      {"software with data", [](IdentityToken& t) { t.attestation.data = {1}; }, Errc::kInvalid},
      {"hardware without data", [](IdentityToken& t) { t.tier = IdentityTier::kHardwareBasic, t.attestation.format = kFormatTpmKey; }, Errc::kInvalid},
      {"another tier's format", [](IdentityToken& t) { t.attestation.format = kFormatTpmKey; }, Errc::kUnsupported},
      {"an unknown format", [](IdentityToken& t) { t.attestation.format = "u2f"; }, Errc::kUnsupported},
      {"too much data", [](IdentityToken& t) { t.attestation.data.resize(kAttestationSizeMax + 1); }, Errc::kLimit},
  };
  const crypto::Ed25519Signer key = w.scoped(w.origin);
  for (const BadToken& each : bad) {
    IdentityToken body = w.body(key);
    each.change(body);
    const auto made = sign_object(key, body);
    ASSERT_FALSE(made.ok()) << each.why;
    EXPECT_EQ(made.code(), each.code) << each.why << ": " << made.error().message;
  }
  EXPECT_EQ(sign_object(w.machine, w.body(key)).code(), Errc::kUnauthorized) << "the node's own key does not sign for the scoped one";
}

TEST(IdentityTokenTest, EveryChangedByteIsRefused) {
  const IdentityWorld w;
  const Bytes good = w.token().bytes;
  for (size_t at = 0; at < good.size(); ++at) {
    for (const uint8_t flip : {0x01, 0x80, 0xff}) {
      Bytes bytes = good;
      bytes[at] ^= flip;
      EXPECT_FALSE(open_object<IdentityToken>(bytes, w.verifier).ok()) << at;
    }
  }
}

// req: A2
TEST(IdentityTokenTest, FallsWithWhatTheNodeOrTheOriginRevokes) {
  const IdentityWorld w;
  const Signed<IdentityToken> token = w.token();
  const crypto::Ed25519Signer key = w.scoped(w.origin);
  struct Case {
    const crypto::Signer* by;
    RevocationTarget kind;
    Bytes target;
    bool falls;
  };
  const Case cases[] = {
      {&key, RevocationTarget::kCapability, to_bytes(token.id), true},
      {&key, RevocationTarget::kKey, to_bytes(token.body.node_id), true},
      {&w.origin, RevocationTarget::kKey, to_bytes(token.body.node_id), true},
      {&w.origin, RevocationTarget::kDevice, to_bytes(token.body.node_id), true},
      {&w.stranger, RevocationTarget::kCapability, to_bytes(token.id), false},
      {&w.stranger, RevocationTarget::kKey, to_bytes(token.body.node_id), false},
      {&w.machine, RevocationTarget::kCapability, to_bytes(token.id), false},
  };
  for (const Case& each : cases) {
    RevocationSet set(w.origin.public_key());
    ASSERT_TRUE(set.add(sign_object(*each.by, w.revocation(*each.by, each.kind, each.target)).value()).ok());
    TokenCheck check = w.check();
    check.revocations = &set;
    const auto verdict = verify_token(token, check, w.verifier, now());
    EXPECT_EQ(verdict.ok(), !each.falls);
    if (each.falls) {
      EXPECT_EQ(verdict.code(), Errc::kRevoked);
    }
  }
}

// req: A2
TEST(IdentityTokenTest, FallsWithItsLease) {
  const IdentityWorld w;
  const Signed<Grant> grant = sign_object(w.host_owner, w.grant()).value();
  Grant other_body = w.grant();
  other_body.nonce.bytes.fill(1);
  const Signed<Grant> other = sign_object(w.host_owner, other_body).value();
  const crypto::Ed25519Signer key = w.scoped(w.origin);
  IdentityToken body = w.body(key);
  body.lease = lease_binding(grant.id, body.node_id, body.nonce);
  const Signed<IdentityToken> token = sign_object(key, body).value();

  RevocationSet set(w.origin.public_key());
  TokenCheck check = w.check();
  check.revocations = &set;
  EXPECT_TRUE(verify_token(token, check, w.verifier, now()).ok()) << "who has no grant can still check the rest";
  check.lease = &grant;
  EXPECT_TRUE(verify_token(token, check, w.verifier, now()).ok());
  EXPECT_EQ(verify_token(w.token(), check, w.verifier, now()).code(), Errc::kUnauthorized) << "a token that is bound to none";
  check.lease = &other;
  EXPECT_EQ(verify_token(token, check, w.verifier, now()).code(), Errc::kUnauthorized);
  check.lease = &grant;
  ASSERT_TRUE(set.add(sign_object(w.stranger, w.revocation(w.stranger, RevocationTarget::kCapability, grant.id)).value()).ok());
  EXPECT_TRUE(verify_token(token, check, w.verifier, now()).ok()) << "a stranger cannot revoke the grant";
  ASSERT_TRUE(set.add(sign_object(w.host_owner, w.revocation(w.host_owner, RevocationTarget::kCapability, grant.id)).value()).ok());
  EXPECT_EQ(verify_token(token, check, w.verifier, now()).code(), Errc::kRevoked);
}

TEST(IdentityTokenTest, ASeenTokenIsOfNoUseWithoutItsKey) {
  const IdentityWorld w;
  const Signed<IdentityToken> token = w.token();
  const crypto::Signature proof = prove_possession(w.scoped(w.origin), token.id, view("channel one"));
  EXPECT_TRUE(verify_possession(token, view("channel one"), proof, w.verifier));
  EXPECT_FALSE(verify_possession(token, view("channel two"), proof, w.verifier)) << "replayed on another channel";
  EXPECT_FALSE(verify_possession(token, view("channel one"), prove_possession(w.machine, token.id, view("channel one")), w.verifier));
  const crypto::Ed25519Signer key = w.scoped(w.origin);
  IdentityToken second = w.body(key);
  second.nonce.bytes.fill(8);
  EXPECT_FALSE(verify_possession(sign_object(key, second).value(), view("channel one"), proof, w.verifier)) << "replayed with another token";
}

TEST(IdentityTokenTest, AnIncompleteQuestionIsRefused) {
  const IdentityWorld w;
  TokenCheck check = w.check();
  check.revocations = nullptr;
  EXPECT_EQ(verify_token(w.token(), check, w.verifier, now()).code(), Errc::kInvalid);
  check = w.check();
  check.origin = {};
  EXPECT_EQ(verify_token(w.token(), check, w.verifier, now()).code(), Errc::kInvalid);
}

// req: A2
TEST(IdentityTiers, DegradeWhereAllowedAndFailWithWhatIsMissing) {
  using enum IdentityTier;
  const auto choose = [](IdentityTier wanted, IdentityTier least, IdentityTier available) {
    return choose_tier({wanted, least}, available, "this machine has no TPM: start selvedge with --tpm");
  };
  for (const IdentityTier wanted : {kSoftware, kHardwareBasic, kHardwareStrong}) {
    for (const IdentityTier least : {kSoftware, kHardwareBasic, kHardwareStrong}) {
      for (const IdentityTier available : {kSoftware, kHardwareBasic, kHardwareStrong}) {
        const Result<IdentityTier> chosen = choose(wanted, least, available);
        if (least > wanted) {
          EXPECT_EQ(chosen.code(), Errc::kInvalid);
        } else if (available < least) {
          ASSERT_EQ(chosen.code(), Errc::kUnavailable);
          EXPECT_NE(chosen.error().message.find("no TPM"), std::string::npos) << chosen.error().message;
          EXPECT_NE(chosen.error().message.find(enum_name(least)), std::string::npos);
        } else {
          EXPECT_EQ(chosen.value(), std::min(wanted, available)) << "never more than is asked for, never less than is acceptable";
        }
      }
    }
  }
}

TEST(IdentityTiers, HaveTheNamesOfTheSpecification) {
  for (const char* name : {"software", "hardware-basic", "hardware-strong"}) {
    EXPECT_STREQ(enum_name(identity_tier_from_name(name).value()), name);
  }
  EXPECT_EQ(identity_tier_from_name("hardware").code(), Errc::kInvalid);
}

TEST(IdentityTiers, ATokenThatProvesLessThanIsNeededIsRefused) {
  const IdentityWorld w;
  TokenCheck check = w.check();
  check.tier_min = IdentityTier::kHardwareBasic;
  EXPECT_EQ(verify_token(w.token(), check, w.verifier, now()).code(), Errc::kUnauthorized);
}

// ---- the book

// req: A2
TEST(TokenBookTest, ARevokedLeaseTakesItsTokensAlong) {
  const IdentityWorld w;
  const crypto::Ed25519Signer key = w.scoped(w.origin);
  const ObjectId lease = object_id({}, {}, view("lease")), other = object_id({}, {}, view("other lease"));
  TokenBook book;
  std::vector<ObjectId> ids;
  for (uint8_t i = 0; i < 3; ++i) {
    IdentityToken body = w.body(key);
    body.nonce.bytes.fill(i);
    const std::optional<ObjectId> bound = i == 0 ? std::nullopt : std::optional(i == 1 ? lease : other);
    if (bound) body.lease = lease_binding(*bound, body.node_id, body.nonce);
    const Signed<IdentityToken> token = sign_object(key, body).value();
    ASSERT_TRUE(book.add(token, bound, identity_period(now()), now()).ok());
    ids.push_back(token.id);
    EXPECT_TRUE(book.stands(token.id, now()));
  }
  const std::vector<IssuedToken> fallen = book.invalidate(lease, now());
  ASSERT_EQ(fallen.size(), 1u);
  EXPECT_EQ(fallen[0].id, ids[1]);
  EXPECT_TRUE(book.stands(ids[0], now()));
  EXPECT_FALSE(book.stands(ids[1], now()));
  EXPECT_TRUE(book.stands(ids[2], now()));
  EXPECT_TRUE(book.invalidate(lease, now()).empty()) << "they fall once";
  EXPECT_EQ(book.withdraw(ids[2], now()).value().id, ids[2]);
  EXPECT_EQ(book.withdraw(ids[2], now()).code(), Errc::kNotFound);
  const Instant later = now() + seconds(int64_t(kTokenTtlDefault));
  EXPECT_FALSE(book.stands(ids[0], later));
  EXPECT_EQ(book.list(now()).size(), 3u);
  book.sweep(later);
  EXPECT_TRUE(book.list(now()).empty());
}

TEST(TokenBookTest, IsBoundedAndTrueToTheToken) {
  const IdentityWorld w;
  const crypto::Ed25519Signer key = w.scoped(w.origin);
  TokenBook book;
  EXPECT_EQ(book.add(w.token(), object_id({}, {}, view("lease")), 1, now()).code(), Errc::kInvalid) << "bound to none, booked under one";
  IdentityToken body = w.body(key);
  for (size_t i = 0; i <= kTokensOutMax; ++i) {
    store_u16(body.nonce.bytes.data(), uint16_t(i));
    EXPECT_EQ(book.add(sign_object(key, body).value(), std::nullopt, 1, now()).ok(), i < kTokensOutMax);
  }
  body.issued += kTokenTtlDefault;
  body.expires += kTokenTtlDefault;
  EXPECT_TRUE(book.add(sign_object(key, body).value(), std::nullopt, 1, now() + seconds(int64_t(kTokenTtlDefault))).ok()) << "expired ones make room";
}

}  // namespace
}  // namespace selvedge::object
