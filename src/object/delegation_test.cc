// Chains of capabilities, issuer sets, freshness, bundles: the parts of a decision that several objects make together.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/rng.h"
#include "object/sealed.h"
#include "object/test_world.h"

namespace selvedge::object {
namespace {

using testing::kNow;
using testing::now;

/// A read by a node that is not the origin's, resting on a chain of capabilities that a test bends.
struct DelegationTest : ::testing::Test {
  DelegationTest() : revocations(world.host_owner.public_key()) {
    use.machine_owner = world.host_owner.public_key();
    use.machine = world.machine.public_key();
    use.classes = kStorage;
    use.verbs = kRead;
    use.origin = world.origin.public_key();
    use.zone = world.zone;
    use.objects = {world.stored};
    use.actor = world.reader.public_key();
    root = world.capability();
    root.audience = world.stranger.public_key();
    root.operations = {"storage.*"};
    root.delegations_left = 2;
    leaf = world.capability();
    leaf.issuer = world.stranger.public_key();
  }
  Result<Authorization> ask() {
    const auto machine_record = sign_object(world.host_owner, world.node_record(world.host_owner, world.machine)).value();
    const auto origin_record = sign_object(world.origin, world.node_record(world.origin, world.origin_node)).value();
    const auto grant = sign_object(world.host_owner, world.grant()).value();
    const auto signed_policy = sign_object(world.origin, policy).value();
    const Signed<Capability> signed_root = sign_object(*root_signer, root).value();
    root_id = signed_root.id;
    if (joined) leaf.parent = signed_root.id;
    const Signed<Capability> signed_leaf = sign_object(*leaf_signer, leaf).value();
    const Signed<Capability>* const both[] = {&signed_leaf, &signed_root};
    std::vector<const Signed<Endorsement>*> under;
    std::deque<Signed<Endorsement>> kept;
    for (const crypto::Signer* endorser : endorsers) {
      kept.push_back(sign_object(*endorser, Endorsement{signed_root.id, endorser->public_key(), kNow - 1, kNow + kDay}).value());
      under.push_back(&kept.back());
    }
    Evidence evidence;
    evidence.machine_record = &machine_record;
    evidence.origin_record = &origin_record;
    evidence.grant = &grant;
    evidence.policy = &signed_policy;
    evidence.capabilities = root_only ? std::span(both).subspan(1) : std::span(both);
    evidence.endorsements = under;
    evidence.revocations = &revocations;
    evidence.revocation_head = head ? &*head : nullptr;
    if (actor_record) evidence.actor_record = &*actor_record;
    steps = explain(use, evidence, at);
    return authorize(use, evidence, at);
  }
  void expect_refused(Errc code, const char* words) {
    const Result<Authorization> result = ask();
    ASSERT_FALSE(result.ok()) << words;
    EXPECT_EQ(result.code(), code) << result.error().message;
    EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
    ASSERT_FALSE(steps.empty());
    EXPECT_FALSE(steps.back().passed);
    EXPECT_EQ(steps.back().text, result.error().message) << "explain() tells what authorize() decided";
  }

  testing::World world;
  Use use;
  ZonePolicy policy = world.policy();
  RevocationSet revocations;
  Capability root, leaf;
  const crypto::Signer* root_signer = &world.origin_node;
  const crypto::Signer* leaf_signer = &world.stranger;
  std::vector<const crypto::Signer*> endorsers;
  std::optional<Signed<RevocationHead>> head;
  std::optional<Signed<NodeRecord>> actor_record;
  bool root_only = false;
  bool joined = true;  // the leaf names the root as its parent
  ObjectId root_id;
  Instant at = now();
  std::vector<DecisionStep> steps;
};

// req: A9
TEST_F(DelegationTest, AChainIsShownFromHolderToRoot) {
  const Result<Authorization> allowed = ask();
  ASSERT_TRUE(allowed.ok()) << allowed.error().message;
  EXPECT_EQ(allowed->chain.size(), 6u) << "machine record, grant, policy, two capabilities, origin record";
  EXPECT_EQ(steps.size(), 12u);
  for (const DecisionStep& step : steps) EXPECT_TRUE(step.passed) << step.what;
}

// req: A9 A12
TEST_F(DelegationTest, EachLinkOnlyNarrows) {
  const DelegationTest& fresh = *this;
  const Capability good_root = fresh.root, good_leaf = fresh.leaf;
  const auto bent = [&](auto bend, const char* words) {
    root = good_root, leaf = good_leaf;
    bend();
    expect_refused(Errc::kUnauthorized, words);
  };
  bent([&] { leaf.operations = {"**"}; }, "for more operations");
  bent([&] { leaf.whole_zone = true, leaf.objects.clear(); }, "for more objects");
  bent([&] { leaf.objects = {world.stored, ObjectId{}}, std::sort(leaf.objects.begin(), leaf.objects.end()); }, "for more objects");
  bent([&] { leaf.expires = root.expires + 1; }, "for a longer time");
  bent([&] { leaf.issued = root.issued - 1; }, "for a longer time");
  bent([&] { leaf.delegations_left = 2; }, "may not be passed on that often");
  bent([&] { root.delegations_left = 0; }, "may not be passed on that often");
  bent([&] { root.audience = world.machine.public_key(); }, "passed on by somebody it was not given to");
  bent([&] { root.zone.bytes[0] ^= 1; }, "for another zone");
  bent([&] { policy.capability_seconds_max = 3600; }, "lives longer than the zone's policy allows");
  root = good_root, leaf = good_leaf, policy = world.policy();
  joined = false;
  leaf.parent = ObjectId{};
  expect_refused(Errc::kUnauthorized, "rests on another one");
}

// req: A9
TEST_F(DelegationTest, ALeafAloneIsNothing) {
  root_only = true;
  expect_refused(Errc::kUnauthorized, "given to another node");
  root.audience = world.reader.public_key();
  ASSERT_TRUE(ask().ok());
  root.parent = ObjectId{};
  expect_refused(Errc::kUnauthorized, "what it was passed on from is not shown");
}

// req: A9
TEST_F(DelegationTest, MayBeMadeOutToTheOwnerOfTheNodeThatAsks) {
  leaf.audience = world.host_owner.public_key();
  expect_refused(Errc::kUnauthorized, "given to another node");
  actor_record.emplace(sign_object(world.host_owner, world.node_record(world.host_owner, world.reader)).value());
  EXPECT_TRUE(ask().ok());
  actor_record.emplace(sign_object(world.stranger, world.node_record(world.stranger, world.reader)).value());
  expect_refused(Errc::kUnauthorized, "given to another node");
}

// req: A8 A9 R13
TEST_F(DelegationTest, AnIssuerSetAsksForDistinctSigners) {
  std::vector<PublicKey> issuers{world.origin_node.public_key(), world.machine.public_key(), world.host_owner.public_key()};
  std::sort(issuers.begin(), issuers.end());
  policy.issuers = {{"admins", issuers, 2, {"storage.**"}}};
  expect_refused(Errc::kUnavailable, "1 of the 2 signers");
  endorsers = {&world.origin_node, &world.origin_node};
  expect_refused(Errc::kUnavailable, "1 of the 2 signers");
  endorsers = {&world.reader};
  expect_refused(Errc::kUnavailable, "1 of the 2 signers");
  endorsers = {&world.machine};
  EXPECT_TRUE(ask().ok());
  policy.issuers[0].operations = {"storage.read"};
  expect_refused(Errc::kUnauthorized, "may not give this");
  policy.issuers[0].operations = {"storage.**"};
  root.issuer = world.reader.public_key(), root_signer = &world.reader;
  expect_refused(Errc::kUnauthorized, "in no issuer set");
  root.issuer = world.origin.public_key(), root_signer = &world.origin, endorsers.clear();
  EXPECT_TRUE(ask().ok()) << "the owner needs no set";
}

// req: A11
TEST_F(DelegationTest, RevokingAnyLinkEndsTheChain) {
  ASSERT_TRUE(ask().ok());
  revocations.add(sign_object(world.origin, world.revocation(world.origin, RevocationTarget::kCapability, root_id)).value()).value();
  expect_refused(Errc::kRevoked, "the capability was revoked");
}

// req: A11
TEST_F(DelegationTest, APolicyMayAskHowOldTheKnowledgeOfRevocationsIs) {
  policy.revocation_age_seconds_max = 60;
  expect_refused(Errc::kUnavailable, "there is none");
  const auto say = [&](uint64_t as_of) { head.emplace(sign_object(world.origin_node, world.head(world.origin_node, revocations, as_of)).value()); };
  say(kNow - 59);
  const Result<Authorization> allowed = ask();
  ASSERT_TRUE(allowed.ok()) << allowed.error().message;
  EXPECT_EQ(allowed->expires, kNow + 1) << "the decision stands as long as the statement does";
  say(kNow - 60);
  expect_refused(Errc::kUnavailable, "60 s old");
  say(kNow + kClockSkewSecondsMax + 1);
  expect_refused(Errc::kUnauthorized, "from the future");
  // Somebody keeps a revocation from this machine: the statement counts one more than is known here.
  RevocationSet elsewhere(world.host_owner.public_key());
  elsewhere.add(sign_object(world.origin, world.revocation(world.origin, RevocationTarget::kObject, ObjectId{root_id})).value()).value();
  head.emplace(sign_object(world.origin_node, world.head(world.origin_node, elsewhere, kNow)).value());
  expect_refused(Errc::kUnavailable, "are missing here");
  head.emplace(sign_object(world.reader, world.head(world.reader, revocations, kNow)).value());
  expect_refused(Errc::kUnauthorized, "not the node that the origin's record names");
}

// req: A11
TEST(RevocationHeadTest, TheRootDependsOnWhatIsRevokedAndNotOnOrderOrPruning) {
  const testing::World w;
  std::vector<Signed<Revocation>> all;
  for (uint8_t i = 0; i < 9; ++i) {
    RevokedId target;
    target.bytes[0] = uint8_t(i + 1);
    Revocation body = w.revocation(w.origin, i % 2 ? RevocationTarget::kCapability : RevocationTarget::kKey, target);
    if (i == 1) body.issued = body.cutoff = kNow - kCapabilityTtlMax - 2 * kDay;
    all.push_back(sign_object(w.origin, body).value());
  }
  RevocationSet forward(w.origin.public_key()), backward(w.origin.public_key());
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_TRUE(forward.add(all[i]).ok());
    ASSERT_TRUE(backward.add(all[all.size() - 1 - i]).ok());
  }
  const RevocationSet::Root root = forward.root_of(w.origin.public_key(), kNow);
  EXPECT_EQ(root.count, 8u);
  EXPECT_EQ(backward.root_of(w.origin.public_key(), kNow).root, root.root);
  EXPECT_EQ(backward.prune(now()), 1u);
  EXPECT_EQ(backward.root_of(w.origin.public_key(), kNow).root, root.root);
  RevokedId more;
  more.bytes[0] = 99;
  ASSERT_TRUE(backward.add(sign_object(w.origin, w.revocation(w.origin, RevocationTarget::kKey, more)).value()).ok());
  EXPECT_NE(backward.root_of(w.origin.public_key(), kNow).root, root.root);
  EXPECT_EQ(forward.root_of(w.stranger.public_key(), kNow).count, 0u);
}

struct BundleUse {
  BundleUse() : revocations(world.host_owner.public_key()) {
    use.machine_owner = world.host_owner.public_key();
    use.machine = world.machine.public_key();
    use.classes = kCompute;
    use.origin = world.origin.public_key();
    use.zone = world.zone;
    use.actor = world.origin_node.public_key();
    use.task = world.task;
  }
  Result<Authorization> ask() {
    const auto machine_record = sign_object(world.host_owner, world.node_record(world.host_owner, world.machine)).value();
    const auto origin_record = sign_object(world.origin, world.node_record(world.origin, world.origin_node)).value();
    const auto signed_grant = sign_object(world.host_owner, grant).value();
    const auto signed_policy = sign_object(world.origin, policy).value();
    const auto signed_manifest = sign_object(*publisher, manifest).value();
    TaskOffer body = world.offer(signed_grant.id);
    body.spec.bundle = other_bundle ? ObjectId{} : signed_manifest.id;
    body.spec.entry = entry;
    body.spec.module = module;
    body.spec.memory_bytes = memory;
    body.manifest = signed_manifest.bytes;
    const auto offer = sign_object(world.origin_node, body).value();
    Evidence evidence;
    evidence.machine_record = &machine_record;
    evidence.origin_record = &origin_record;
    evidence.grant = &signed_grant;
    evidence.policy = &signed_policy;
    evidence.offer = &offer;
    evidence.manifest = &signed_manifest;
    evidence.revocations = &revocations;
    return authorize(use, evidence, now());
  }
  testing::World world;
  Use use;
  Grant grant = world.grant();
  ZonePolicy policy = world.policy();
  Manifest manifest = world.manifest();
  RevocationSet revocations;
  const crypto::Signer* publisher = &world.origin;
  std::string entry = "count";
  Cid module = world.spec().module;
  uint64_t memory = 64u << 20;
  bool other_bundle = false;
};

// req: A16 A19
TEST(BundleUseTest, WhatRunsIsWhatWasPinnedAndNoMoreThanItMay) {
  const Result<Authorization> allowed = BundleUse().ask();
  ASSERT_TRUE(allowed.ok()) << allowed.error().message;
  const auto refused = [](auto bend, Errc code, const char* words) {
    BundleUse other;
    bend(other);
    const Result<Authorization> result = other.ask();
    ASSERT_FALSE(result.ok()) << words;
    EXPECT_EQ(result.code(), code) << result.error().message;
    EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
  };
  refused([](BundleUse& b) { b.module = Cid::of(codec::Codec::kRaw, view("another")); }, Errc::kIntegrity, "not the one that the bundle pins");
  refused([](BundleUse& b) { b.entry = "other"; }, Errc::kUnauthorized, "has no entry");
  refused([](BundleUse& b) { b.other_bundle = true; }, Errc::kUnauthorized, "that of another bundle");
  refused([](BundleUse& b) { b.manifest.publisher = b.world.stranger.public_key(), b.publisher = &b.world.stranger; }, Errc::kUnauthorized, "publisher is not the origin");
  refused([](BundleUse& b) { b.manifest.origin = b.world.stranger.public_key(); }, Errc::kUnauthorized, "published for another origin");
  refused([](BundleUse& b) { b.manifest.needs.classes = kCompute | kAttested; }, Errc::kUnauthorized, "policy does not allow");
  refused([](BundleUse& b) { b.manifest.needs.memory_bytes = 2ull << 30; }, Errc::kQuota, "more than the grant covers");
  refused([](BundleUse& b) { b.memory = 256u << 20; }, Errc::kQuota, "more memory than its bundle asks for");
  refused([](BundleUse& b) { b.manifest.entries[0].domain = DomainClass::kService; }, Errc::kUnauthorized, "is a service");
  refused([](BundleUse& b) { b.manifest.entries[0].operation.safety = SafetyTier::kForbidden; }, Errc::kUnauthorized, "not to be called from outside");
  refused([](BundleUse& b) { b.manifest.verifiability = Verifiability::kProofRequired; }, Errc::kUnsupported, "asks for proofs");
  refused([](BundleUse& b) { b.policy.deny = {"bundle.wordcount.*"}; }, Errc::kUnauthorized, "denied by deny[0]");
  refused([](BundleUse& b) { b.manifest.issued = kNow - 10, b.manifest.expires = kNow; }, Errc::kExpired, "manifest has expired");
  BundleUse trusted;
  trusted.manifest.publisher = trusted.world.stranger.public_key(), trusted.publisher = &trusted.world.stranger;
  trusted.policy.publishers = {trusted.world.stranger.public_key()};
  EXPECT_TRUE(trusted.ask().ok());
}

// Whatever was decided, one more revocation never turns a no into a yes.
// req: A11
TEST_F(DelegationTest, MoreRevocationsNeverAllowMore) {
  size_t ended = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    revocations = RevocationSet(world.host_owner.public_key());
    const crypto::Signer* const signers[] = {&world.host_owner,  &world.machine, &world.origin,
                                             &world.origin_node, &world.reader,  &world.stranger};
    bool allowed = ask().ok();
    for (int i = 0; i < 6; ++i) {
      const crypto::Signer& issuer = *signers[rng.below(6)];
      RevokedId target;
      if (rng.chance(1, 3)) target.bytes = root_id.bytes;
      else target.bytes = signers[rng.below(6)]->public_key().bytes;
      Revocation body{issuer.public_key(),       RevocationTarget(rng.between(1, 5)), target,
                      kNow - 10 + rng.below(20), RevocationReason::kUnspecified,      kNow - 20};
      ASSERT_TRUE(revocations.add(sign_object(issuer, body).value()).ok());
      const bool after = ask().ok();
      ASSERT_TRUE(allowed || !after) << "seed " << seed;
      allowed = after;
    }
    ended += allowed ? 0 : 1;
  }
  EXPECT_GT(ended, 10u) << "the revocations that were drawn meet what they are about";
}

// Attenuating any capability any number of times never covers an operation on an object that the root does not.
// req: A9
TEST_F(DelegationTest, AttenuationNeverWidens) {
  size_t narrowed = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed);
    const auto draw = [&](Capability body) {
      static const std::vector<std::string> patterns{"*.read",        "storage.*", "storage.read",
                                                     "storage.store", "**",        "compute.run"};
      body.operations.clear();
      for (const std::string& pattern : patterns) {
        if (rng.chance(1, 3)) body.operations.push_back(pattern);
      }
      std::sort(body.operations.begin(), body.operations.end());
      if (body.operations.empty()) body.operations = {"storage.read"};
      body.whole_zone = rng.chance(1, 4);
      body.objects.clear();
      for (uint8_t i = 1; i < 5 && !body.whole_zone; ++i) {
        if (!rng.chance(2, 3)) continue;
        body.objects.emplace_back();
        body.objects.back().bytes[0] = i;
      }
      if (!body.whole_zone && body.objects.empty()) body.objects = {world.stored};
      return body;
    };
    const Capability wide = draw(root);
    const Signed<Capability> parent = sign_object(world.origin_node, wide).value();
    Capability narrow = draw(leaf);
    narrow.parent = parent.id;
    const Signed<Capability> child = sign_object(world.stranger, narrow).value();
    if (!check_attenuation(child, parent).ok()) continue;
    ++narrowed;
    for (const char* operation :
         {"storage.read", "storage.store", "storage.delete", "compute.run", "a.read", "a.b.c"}) {
      for (uint8_t i = 0; i < 6; ++i) {
        ObjectId object;
        object.bytes[0] = i;
        ASSERT_TRUE(!covers(narrow, operation, &object) || covers(wide, operation, &object)) << "seed " << seed;
      }
    }
  }
  EXPECT_GT(narrowed, 50u);
}

// req: A9
TEST(SealedTest, OpensForTheRecipientAndTheContextOnly) {
  crypto::Drbg drbg(testing::seed_of("drbg"));
  const crypto::SealKeyPair device(testing::seed_of("device")), other(testing::seed_of("other"));
  const Bytes sealed = seal_to(device.public_key(), view("secret"), view("context"), drbg).value();
  EXPECT_EQ(to_string(open_sealed(device, sealed, view("context")).value()), "secret");
  EXPECT_EQ(open_sealed(other, sealed, view("context")).code(), Errc::kUnauthorized);
  EXPECT_EQ(open_sealed(device, sealed, view("contexT")).code(), Errc::kIntegrity);
  for (size_t i = 0; i < sealed.size(); ++i) {
    for (const uint8_t bit : {1, 128}) {
      Bytes changed = sealed;
      changed[i] ^= bit;
      EXPECT_FALSE(open_sealed(device, changed, view("context")).ok()) << "byte " << i;
    }
    EXPECT_FALSE(open_sealed(device, ByteView(sealed).first(i), view("context")).ok()) << "cut at " << i;
  }
  EXPECT_NE(sealed, seal_to(device.public_key(), view("secret"), view("context"), drbg).value())
      << "a fresh ephemeral key each time";
  EXPECT_EQ(seal_to(SealPublicKey{}, view("secret"), {}, drbg).code(), Errc::kInvalid);
  EXPECT_EQ(seal_to(device.public_key(), Bytes(kSealedPlainMax + 1), {}, drbg).code(), Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::object
