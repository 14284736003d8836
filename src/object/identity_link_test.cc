// Tries to link: many tokens of many nodes towards two origins that work together. The first test holds that nothing links them; the
// others leak on purpose, one thing each, and hold that this adversary would have noticed.
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/hash.h"
#include "object/identity.h"
#include "object/identity_linker.h"
#include "object/test_world.h"

namespace selvedge::object {
namespace {

using testing::Link;
using testing::Linker;
using testing::LinkSample;

constexpr size_t kNodes = 48;
constexpr size_t kTokensEach = 2;

/// When a token is made, and when its origin sees it. Two origins that see a node at the same moment need no token to think it the same;
/// what is tested is what tokens add. So either moments of making are independent, or those of showing.
enum class Moments : uint8_t { kMadeTogetherShownApart, kMadeApartShownAtOnce };

/// How a token comes about; each test replaces one step by a careless one.
struct Maker {
  Moments moments = Moments::kMadeTogetherShownApart;
  Digest (*seed)(const crypto::Seed& secret, const PublicKey& origin, uint64_t period) = [](const crypto::Seed& secret, const PublicKey& origin, uint64_t period) {
    return Digest::from(key_for_origin(secret, origin, period).view()).value();
  };
  void (*times)(IdentityToken&, Instant) = [](IdentityToken& token, Instant at) {
    const TokenTimes cut = token_times(at, kTokenTtlDefault).value();
    token.issued = cut.issued;
    token.expires = cut.expires;
  };
  void (*more)(IdentityToken&, size_t node, Instant at) = [](IdentityToken&, size_t, Instant) {};
};

/// All nodes make their tokens within one minute, and again in the next period.
std::vector<Link> links_of(const Maker& maker, crypto::Drbg& drbg) {
  std::vector<LinkSample> samples[2];
  const PublicKey origins[2] = {crypto::Ed25519Signer(testing::seed_of("one origin")).public_key(), crypto::Ed25519Signer(testing::seed_of("the other")).public_key()};
  const auto within = [&drbg](uint64_t ms) { return milliseconds(int64_t(load_u64(drbg.draw<FixedBytes<TokenNonceTag, 8>>().bytes.data()) % ms)); };
  for (size_t node = 0; node < kNodes; ++node) {
    const crypto::Seed secret = identity_secret(drbg.seed());
    const ObjectId grant = drbg.draw<ObjectId>();
    for (size_t round = 0; round < kTokensEach; ++round) {
      const Instant minute = Instant::from_unix_seconds(1'790'000'040 + round * kIdentityPeriodSeconds);
      const Instant together = minute + within(59'000);
      for (const size_t side : {0, 1}) {
        const bool apart = maker.moments == Moments::kMadeApartShownAtOnce;
        const Instant made = apart ? minute + within(60'000) : together + milliseconds(int64_t(side) * 300);
        const Instant shown = apart ? made : minute + seconds(60) + within(60'000);
        const crypto::Ed25519Signer key(crypto::Seed::from(maker.seed(secret, origins[side], identity_period(made))).value());
        IdentityToken token;
        token.origin = origins[side];
        token.node_id = key.public_key();
        token.purpose = "join";
        token.nonce = drbg.draw<TokenNonce>();
        token.lease = lease_binding(grant, token.node_id, token.nonce);
        maker.times(token, made);
        maker.more(token, node, made);
        // The careless ones would not pass validate(), which is part of the defence; the adversary gets their bytes all the same.
        samples[side].push_back({node, make_envelope(key, make_payload(schema_id_of<IdentityToken>(), codec::encode(token))).bytes, shown.unix_ms()});
      }
    }
  }
  return Linker(kNodes, samples[0], samples[1]).links();
}

crypto::Drbg drbg_of(std::string_view name) { return crypto::Drbg(testing::seed_of(name)); }

// req: A2, R2, R21, C7
TEST(IdentityLinking, TokensOfOneNodeTowardsTwoOriginsCannotBeLinked) {
  for (const Moments moments : {Moments::kMadeTogetherShownApart, Moments::kMadeApartShownAtOnce}) {
    crypto::Drbg drbg = drbg_of("careful");
    Maker maker;
    maker.moments = moments;
    const std::vector<Link> links = links_of(maker, drbg);
    EXPECT_TRUE(links.empty()) << testing::link_text(links);
  }
}

// Towards one origin, too, a node is somebody new with every period; within a period it is meant to be the same.
TEST(IdentityLinking, PeriodsOfOneOriginCannotBeLinkedEither) {
  crypto::Drbg drbg = drbg_of("periods");
  const PublicKey origin = crypto::Ed25519Signer(testing::seed_of("one origin")).public_key();
  std::vector<LinkSample> samples[2], within[2];
  for (size_t node = 0; node < kNodes; ++node) {
    const crypto::Seed secret = identity_secret(drbg.seed());
    for (uint64_t round = 0; round < 4; ++round) {
      const crypto::Ed25519Signer key(key_for_origin(secret, origin, 20'000 + round / 2));
      samples[round / 2].push_back({node, to_bytes(key.public_key()), 0});
      within[round % 2].push_back({node, to_bytes(key.public_key()), 0});
    }
  }
  EXPECT_TRUE(Linker(kNodes, samples[0], samples[1]).links().empty());
  EXPECT_FALSE(Linker(kNodes, within[0], within[1]).links().empty());
}

void expect_linked(const Maker& maker, const std::string& by) {
  crypto::Drbg drbg = drbg_of("leak");
  const std::vector<Link> links = links_of(maker, drbg);
  ASSERT_FALSE(links.empty()) << "the adversary did not notice " << by;
  EXPECT_TRUE(std::any_of(links.begin(), links.end(), [&](const Link& link) { return link.feature.find(by) != std::string::npos; }))
      << "by something else than " << by << ":\n" << testing::link_text(links);
}

TEST(IdentityLinking, TheAdversaryWouldNoticeOneKeyForAllOrigins) {
  Maker maker;
  maker.seed = [](const crypto::Seed& secret, const PublicKey&, uint64_t period) { return Digest::from(key_for_origin(secret, PublicKey{}, period).view()).value(); };
  expect_linked(maker, "six bytes in a row");
}

TEST(IdentityLinking, TheAdversaryWouldNoticeSeconds) {
  Maker maker;
  maker.times = [](IdentityToken& token, Instant at) {
    token.issued = at.unix_seconds();
    token.expires = token.issued + kTokenTtlDefault;
  };
  expect_linked(maker, "order of number");
}

TEST(IdentityLinking, TheAdversaryWouldNoticeASerialNumber) {
  Maker maker;
  maker.more = [](IdentityToken& token, size_t node, Instant) {
    token.attestation.data = to_bytes(crypto::sha256(view("chip " + std::to_string(node))).view().first(8));
  };
  expect_linked(maker, "six bytes in a row");
}

TEST(IdentityLinking, TheAdversaryWouldNoticeAChipsClock) {
  Maker maker;
  maker.moments = Moments::kMadeApartShownAtOnce;
  maker.more = [](IdentityToken& token, size_t node, Instant at) {
    token.attestation.data.resize(8);
    store_u64(token.attestation.data.data(), at.unix_ms() - 1'700'000'000'000 + node * 7'777'777);
  };
  expect_linked(maker, "clock in ms");
}

TEST(IdentityLinking, TheAdversaryWouldNoticeASize) {
  Maker maker;
  maker.more = [](IdentityToken& token, size_t node, Instant) { token.attestation.data.resize(node % 16); };
  expect_linked(maker, "size");
}

TEST(IdentityLinking, TheAdversaryWouldNoticeOneBit) {
  Maker maker;
  maker.more = [](IdentityToken& token, size_t node, Instant) { token.nonce.bytes[3] = uint8_t((token.nonce.bytes[3] & 0xfe) | (node & 1)); };
  expect_linked(maker, "bit 0");
}

}  // namespace
}  // namespace selvedge::object
