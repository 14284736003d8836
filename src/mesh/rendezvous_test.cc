#include "mesh/rendezvous.h"

#include <gtest/gtest.h>

#include "mesh/mesh_testing.h"
#include "mesh/resolver.h"
#include "object/sealed.h"

namespace selvedge::mesh {
namespace {

using namespace testing;
using crypto::Ed25519Signer;
using object::EndpointHandle;

constexpr Instant kStart = Instant::from_unix_seconds(1'800'000'000);

crypto::Seed seed_named(const std::string& name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }
Ed25519Signer signer_named(const std::string& name) { return Ed25519Signer(seed_named(name)); }

object::IngressSet set_of(const std::string& service, uint64_t epoch, uint64_t seconds = 600, Instant now = kStart) {
  object::IngressSet set;
  set.service = signer_named(service).public_key();
  set.origin = key_named("origin");
  set.name = "shop";
  object::IngressEndpoint endpoint;
  endpoint.handle = EndpointHandle::from(crypto::sha256(view("handle " + std::to_string(epoch)))).value();
  endpoint.relay = key_named("relay");
  endpoint.key = key_named("instance");
  set.endpoints = {endpoint};
  set.epoch = epoch;
  set.issued = now.unix_seconds();
  set.expires = set.issued + seconds;
  return set;
}
Bytes signed_set(const std::string& service, uint64_t epoch, uint64_t seconds = 600, Instant now = kStart) {
  return object::sign_object(signer_named(service), set_of(service, epoch, seconds, now)).value().bytes;
}

/// Providers that may lie, and a client.
struct Rig {
  Rig() : resolver(verifier, crypto::Drbg(seed_named("resolver"))) {
    for (int i = 0; i < 4; ++i) {
      const NodeKey key = key_named("provider " + std::to_string(i));
      providers.push_back(key);
      meetings.emplace(key, Rendezvous(key, verifier, uint64_t(i)));
    }
  }
  uint8_t publish(size_t provider, const Bytes& set, const std::string& from = "host") {
    return meetings.at(providers[provider]).on_publish(now, key_named(from), {1, set}).error;
  }
  void publish_everywhere(const Bytes& set) {
    for (size_t i = 0; i < providers.size(); ++i) EXPECT_EQ(publish(i, set), 0);
  }
  ResolveRequest request(const std::string& service = "service", uint32_t quorum = 1) const {
    return {signer_named(service).public_key(), providers, quorum, object::kProtocolsAll, 0};
  }
  void resolve(const ResolveRequest& wanted) {
    Resolver::Out out;
    result.reset();
    const auto id = resolver.start(now, wanted, out);
    ASSERT_TRUE(id.ok()) << id.error().message;
    carry_out(out);
    if (!result) {
      now = now + kProviderPatience;
      resolver.on_deadline(now, out);
      carry_out(out);
    }
    ASSERT_TRUE(result.has_value());
  }
  void carry_out(Resolver::Out& out) {
    for (ResolverEffect& effect : out.take()) {
      if (auto* resolved = std::get_if<Resolved>(&effect)) {
        result = std::move(*resolved);
        continue;
      }
      const AskProvider& ask = std::get<AskProvider>(effect);
      asked.push_back(ask);
      RendezvousAnswer answer = meetings.at(ask.provider).on_ask(now, key_named("client"), ask.ask, drbg);
      const auto bend = bends.find(ask.provider);
      if (bend != bends.end() && !bend->second(ask.ask, answer)) continue;
      wire.push_back(RendezvousMessages::encode(ask.ask));
      wire.push_back(RendezvousMessages::encode(answer));
      Resolver::Out more;
      resolver.on_answer(now, ask.provider, answer, more);
      carry_out(more);
    }
  }
  uint64_t epoch() const { return result->set.ok() ? result->set->body.epoch : 0; }

  crypto::Ed25519Verifier verifier;
  crypto::Drbg drbg{seed_named("drbg")};
  Instant now = kStart;
  std::vector<NodeKey> providers;
  std::map<NodeKey, Rendezvous> meetings;
  std::map<NodeKey, std::function<bool(const RendezvousAsk&, RendezvousAnswer&)>> bends;  // false: no answer
  Resolver resolver;
  std::optional<Resolved> result;
  std::vector<AskProvider> asked;
  std::vector<Bytes> wire;
};

// req: C6
TEST(RendezvousTest, WhatAServiceSaysOfItselfIsFoundAndVerified) {
  Rig rig;
  rig.publish_everywhere(signed_set("service", 3));
  rig.resolve(rig.request());
  ASSERT_TRUE(rig.result->set.ok()) << rig.result->set.error().message;
  EXPECT_EQ(rig.result->set->body.endpoints.at(0).relay, key_named("relay"));
  EXPECT_EQ(rig.epoch(), 3u);
  rig.resolve(rig.request("another service"));
  EXPECT_EQ(rig.result->set.code(), Errc::kUnavailable);
  EXPECT_EQ(rig.result->asked.size(), 4u);
  EXPECT_NE(rig.result->set.error().message.find("does not know it"), std::string::npos);
}

// req: C5, C6, C15
TEST(RendezvousTest, OneHonestProviderAmongLiarsIsEnough) {
  const std::vector<std::function<bool(const RendezvousAsk&, RendezvousAnswer&)>> lies = {
      [](const RendezvousAsk&, RendezvousAnswer&) { return false; },  // silence
      [](const RendezvousAsk&, RendezvousAnswer& a) { a.sealed.back() ^= 1; return true; },
      [](const RendezvousAsk&, RendezvousAnswer& a) { a.error = uint8_t(Errc::kNotFound); a.sealed.clear(); return true; },
      [](const RendezvousAsk&, RendezvousAnswer& a) { a.sealed = {1, 2, 3}; return true; },
      [](const RendezvousAsk& ask, RendezvousAnswer& a) {  // another service's, in its place
        crypto::Drbg drbg(seed_named("liar"));
        a.sealed = object::seal_to(ask.client, signed_set("another service", 9), answer_context(ask.service), drbg).value();
        return true;
      },
      [](const RendezvousAsk& ask, RendezvousAnswer& a) {  // the service's own, of an epoch that is over
        crypto::Drbg drbg(seed_named("liar"));
        a.sealed = object::seal_to(ask.client, signed_set("service", 1, 60, kStart + seconds(-600)), answer_context(ask.service), drbg).value();
        return true;
      }};
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    Rig rig;
    rig.publish_everywhere(signed_set("service", 3));
    const size_t honest = size_t(rng.below(4));
    for (size_t i = 0; i < 4; ++i) {
      if (i != honest) rig.bends[rig.providers[i]] = lies[size_t(rng.below(lies.size()))];
    }
    rig.resolve(rig.request());
    ASSERT_TRUE(rig.result->set.ok()) << round << rig.result->set.error().message;
    EXPECT_EQ(rig.epoch(), 3u);
  }
}

TEST(RendezvousTest, AQuorumWaitsForAgreement) {
  Rig rig;
  EXPECT_EQ(rig.publish(0, signed_set("service", 5)), 0);
  EXPECT_EQ(rig.publish(1, signed_set("service", 4)), 0);
  EXPECT_EQ(rig.publish(2, signed_set("service", 4)), 0);
  rig.resolve(rig.request("service", 2));
  EXPECT_EQ(rig.epoch(), 4u) << "two show it; the newer one only one";
  Rig other;
  EXPECT_EQ(other.publish(0, signed_set("service", 5)), 0);
  other.resolve(other.request("service", 2));
  EXPECT_EQ(other.result->set.code(), Errc::kUnavailable);
}

// spec: WF 9.8  req: C6
TEST(RendezvousTest, WhatWasFoundIsKeptUntilItsEpochEndsAndNotBeyond) {
  Rig rig;
  rig.publish_everywhere(signed_set("service", 3, 600));
  rig.resolve(rig.request());
  for (const NodeKey& provider : rig.providers) rig.bends[provider] = [](const RendezvousAsk&, RendezvousAnswer&) { return false; };
  rig.asked.clear();
  rig.now = kStart + seconds(599);
  rig.resolve(rig.request());
  EXPECT_EQ(rig.epoch(), 3u);
  EXPECT_TRUE(rig.asked.empty()) << "nobody was asked, and nobody need be there";
  rig.now = kStart + seconds(600);
  rig.resolve(rig.request());
  EXPECT_FALSE(rig.result->set.ok());
}

TEST(RendezvousTest, AnOlderEpochThanWasSeenIsNotBelieved) {
  Rig rig;
  rig.publish_everywhere(signed_set("service", 7));
  rig.resolve(rig.request());
  rig.resolver.forget(signer_named("service").public_key());
  for (const NodeKey& provider : rig.providers) {
    rig.bends[provider] = [](const RendezvousAsk& ask, RendezvousAnswer& a) {
      crypto::Drbg drbg(seed_named("liar"));
      a.sealed = object::seal_to(ask.client, signed_set("service", 6), answer_context(ask.service), drbg).value();
      return true;
    };
  }
  rig.resolve(rig.request());
  ASSERT_FALSE(rig.result->set.ok());
  EXPECT_NE(rig.result->set.error().message.find("older epoch"), std::string::npos);
}

TEST(RendezvousTest, AProviderKeepsTheNewestAndNothingThatIsNotTheServicesWord) {
  Rig rig;
  EXPECT_EQ(rig.publish(0, signed_set("service", 3)), 0);
  EXPECT_EQ(rig.publish(0, signed_set("service", 3)), 0) << "the same again";
  EXPECT_EQ(rig.publish(0, signed_set("service", 2)), uint8_t(Errc::kExpired));
  EXPECT_EQ(rig.publish(0, signed_set("service", 3, 300)), uint8_t(Errc::kExists));
  Bytes forged = signed_set("service", 4);
  forged.back() ^= 1;
  EXPECT_EQ(rig.publish(0, forged), uint8_t(Errc::kIntegrity));
  EXPECT_EQ(rig.publish(0, signed_set("late", 1, 60, kStart + seconds(-61))), uint8_t(Errc::kExpired));
  EXPECT_EQ(rig.publish(0, signed_set("early", 1, 600, kStart + seconds(86400))), uint8_t(Errc::kInvalid));
  EXPECT_FALSE(object::sign_object(signer_named("long"), set_of("long", 1, object::kIngressEpochSecondsMax + 1)).ok());
  rig.now = kStart + seconds(601);
  rig.meetings.at(rig.providers[0]).on_deadline(rig.now);
  EXPECT_EQ(rig.meetings.at(rig.providers[0]).sets(), 0u);
}

TEST(RendezvousTest, OneSourceFillsNoProviderAndAsksOnlySoOften) {
  Rig rig;
  size_t kept = 0;
  for (size_t i = 0; i < kRendezvousSetsPerSourceMax + 10; ++i) {
    rig.now = rig.now + kRendezvousEvery;
    kept += rig.publish(0, signed_set("service " + std::to_string(i), 1, 3000)) == 0;
  }
  EXPECT_EQ(kept, kRendezvousSetsPerSourceMax);
  EXPECT_EQ(rig.publish(0, signed_set("of another", 1), "another host"), 0);
  size_t served = 0;
  for (size_t i = 0; i < 200; ++i) {
    RendezvousAsk ask{1, signer_named("of another").public_key(), crypto::SealKeyPair(seed_named("c")).public_key(), object::kProtocolsAll, 0};
    served += rig.meetings.at(rig.providers[0]).on_ask(rig.now, key_named("eager"), ask, rig.drbg).error == 0;
  }
  EXPECT_EQ(served, kRendezvousBurst);
}

// req: C13
TEST(RendezvousTest, ARegionIsShownToAProviderOnlySoOften) {
  Rig rig;
  rig.publish_everywhere(signed_set("service", 1, 3600));
  size_t shown = 0;
  for (int i = 0; i < 10; ++i) {
    rig.resolver.forget(signer_named("service").public_key());
    ResolveRequest request = rig.request();
    request.region = 3;
    rig.asked.clear();
    rig.resolve(request);
    for (const AskProvider& ask : rig.asked) shown += ask.provider == rig.providers[0] && ask.ask.region == 3;
  }
  EXPECT_EQ(shown, kRegionHintsPerDay);
  ResolveRequest fine = rig.request();
  fine.region = kRegionsMax + 1;
  rig.resolver.forget(fine.service);
  rig.asked.clear();
  rig.resolve(fine);
  EXPECT_EQ(rig.asked.at(0).ask.region, 0) << "what is finer than a region is not said at all";
}

// req: C6, C13
TEST(RendezvousTest, AnAnswerIsReadableByWhoAskedAndNamesNobodyInTheClear) {
  Rig rig;
  rig.publish_everywhere(signed_set("service", 3));
  rig.resolve(rig.request());
  ASSERT_FALSE(rig.wire.empty());
  for (const Bytes& message : rig.wire) {
    const std::string text(message.begin(), message.end());
    for (const NodeKey& key : {key_named("relay"), key_named("instance"), key_named("origin"), key_named("client")}) {
      EXPECT_EQ(text.find(std::string(key.bytes.begin(), key.bytes.end())), std::string::npos);
    }
    EXPECT_EQ(text.find("shop"), std::string::npos);
  }
  // Each question has a key of its own, so two of them do not look like one client.
  EXPECT_NE(rig.asked.at(0).ask.client, crypto::SealPublicKey{});
  rig.resolver.forget(signer_named("service").public_key());
  const auto before = rig.asked.at(0).ask.client;
  rig.asked.clear();
  rig.resolve(rig.request());
  EXPECT_NE(rig.asked.at(0).ask.client, before);
}

// ---- clusters

struct JoinRig {
  RendezvousJoin join(const std::string& who, std::string purpose = std::string(kJoinPurpose)) {
    const Ed25519Signer key = signer_named(who);
    object::IdentityToken token;
    token.origin = key_named("origin");
    token.node_id = key.public_key();
    token.purpose = std::move(purpose);
    const auto times = object::token_times(kStart, 600).value();
    token.issued = times.issued;
    token.expires = times.expires;
    token.nonce.bytes.fill(7);
    RendezvousJoin ask;
    ask.token = object::sign_object(key, token).value().bytes;
    ask.handle = EndpointHandle::from(crypto::sha256(view("handle of " + who))).value();
    ask.relay = key_named("relay");
    const auto opened = object::open_object<object::IdentityToken>(ask.token, verifier).value();
    ask.proof = object::prove_possession(key, opened.id, join_channel(key_named("rendezvous"), ask.handle, ask.relay));
    return ask;
  }
  RendezvousMembers send(const RendezvousJoin& ask, const std::string& from) { return meeting.on_join(kStart, key_named(from), ask); }

  crypto::Ed25519Verifier verifier;
  Rendezvous meeting{key_named("rendezvous"), verifier, 3};
};

// req: C7
TEST(RendezvousTest, AClusterIsJoinedWithAnIdentityTokenAndItsKey) {
  JoinRig rig;
  EXPECT_TRUE(rig.send(rig.join("a"), "session a").members.empty());
  const RendezvousMembers told = rig.send(rig.join("b"), "session b");
  EXPECT_EQ(told.error, 0) << told.message;
  ASSERT_EQ(told.members.size(), 1u);
  EXPECT_EQ(told.members[0].node_id, signer_named("a").public_key());
  EXPECT_EQ(rig.send(rig.join("c", "something else"), "session c").error, uint8_t(Errc::kUnauthorized));
  RendezvousJoin stolen = rig.join("a");
  stolen.handle = EndpointHandle::from(crypto::sha256(view("the thief's"))).value();
  EXPECT_EQ(rig.send(stolen, "thief").error, uint8_t(Errc::kUnauthorized)) << "a token that was seen brings nobody else in";
  RendezvousJoin forged = rig.join("d");
  forged.token.back() ^= 1;
  EXPECT_EQ(rig.send(forged, "session d").error, uint8_t(Errc::kIntegrity));
}

// req: C7, C8
TEST(RendezvousTest, KeysThatCostNothingDoNotFillAClusterAlone) {
  JoinRig rig;
  size_t joined = 0;
  RendezvousMembers told;
  for (size_t i = 0; i < kRendezvousSoftwareMembersMax + 50; ++i) {
    told = rig.send(rig.join("sybil " + std::to_string(i)), "session " + std::to_string(i));
    joined += told.error == 0;
    EXPECT_LE(told.members.size(), kRendezvousMembersTold);
  }
  EXPECT_EQ(joined, kRendezvousSoftwareMembersMax);
  EXPECT_EQ(told.error, uint8_t(Errc::kLimit));
}

}  // namespace
}  // namespace selvedge::mesh
