// authorize(): what it lets through, and each single thing that makes it say no.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "object/test_world.h"

namespace selvedge::object {
namespace {

using testing::kNow;
using testing::now;

/// A use with its evidence, unsigned, so that a test bends one thing and then asks.
struct Case {
  explicit Case(const testing::World& world_in)
      : world(world_in),
        machine_record(world.node_record(world.host_owner, world.machine)),
        origin_record(world.node_record(world.origin, world.origin_node)),
        grant(world.grant()),
        policy(world.policy()),
        capability(world.capability()),
        revocations(world.host_owner.public_key()) {
    use.machine_owner = world.host_owner.public_key();
    use.machine = world.machine.public_key();
    use.origin = world.origin.public_key();
    use.zone = world.zone;
  }

  void revoke(const crypto::Signer& issuer, RevocationTarget kind, ByteView target, uint64_t cutoff = kNow - 1) {
    Revocation body = world.revocation(issuer, kind, target);
    body.cutoff = cutoff;
    ASSERT_TRUE(revocations.add(sign_object(issuer, body).value()).ok());
  }

  Result<Authorization> ask() {
    const auto signed_machine = sign_object(machine_signer ? *machine_signer : world.host_owner, machine_record).value();
    const auto signed_origin = sign_object(origin_signer ? *origin_signer : world.origin, origin_record).value();
    const auto signed_grant = sign_object(grant_signer ? *grant_signer : world.host_owner, grant).value();
    const auto signed_policy = sign_object(policy_signer ? *policy_signer : world.origin, policy).value();
    const auto signed_capability = sign_object(capability_signer ? *capability_signer : world.origin_node, capability).value();
    const Signed<Capability>* const chain[] = {&signed_capability};
    TaskOffer offer = world.offer(signed_grant.id);
    if (bend_offer) bend_offer(offer);
    const auto signed_offer = sign_object(offer_signer ? *offer_signer : world.origin_node, offer).value();
    grant_id = signed_grant.id;
    Evidence evidence;
    evidence.machine_record = without_machine_record ? nullptr : &signed_machine;
    evidence.origin_record = without_origin_record ? nullptr : &signed_origin;
    evidence.grant = without_grant ? nullptr : &signed_grant;
    evidence.policy = without_policy ? nullptr : &signed_policy;
    if (!without_capability) evidence.capabilities = chain;
    evidence.revocation_head = head ? &*head : nullptr;
    evidence.manifest = manifest ? &*manifest : nullptr;
    evidence.offer = without_offer ? nullptr : &signed_offer;
    evidence.revocations = without_revocations ? nullptr : &revocations;
    evidence.policy_serial_min = policy_serial_min;
    if (before_asking) before_asking(signed_grant, signed_policy, signed_capability, signed_offer);
    return authorize(use, evidence, at);
  }

  const testing::World& world;
  Use use;
  NodeRecord machine_record, origin_record;
  Grant grant;
  ZonePolicy policy;
  Capability capability;
  std::optional<Signed<RevocationHead>> head;
  std::optional<Signed<Manifest>> manifest;
  RevocationSet revocations;
  const crypto::Signer* machine_signer = nullptr;
  const crypto::Signer* origin_signer = nullptr;
  const crypto::Signer* grant_signer = nullptr;
  const crypto::Signer* policy_signer = nullptr;
  const crypto::Signer* capability_signer = nullptr;
  const crypto::Signer* offer_signer = nullptr;
  std::function<void(TaskOffer&)> bend_offer;
  std::function<void(const Signed<Grant>&, const Signed<ZonePolicy>&, const Signed<Capability>&, const Signed<TaskOffer>&)> before_asking;
  bool without_machine_record = false, without_origin_record = false, without_grant = false, without_policy = false;
  bool without_capability = false, without_offer = false, without_revocations = false;
  uint64_t policy_serial_min = 0;
  Instant at = now();
  ObjectId grant_id;
};

Case compute_case(const testing::World& world) {
  Case out(world);
  out.use.classes = kCompute;
  out.use.actor = world.origin_node.public_key();
  out.use.task = world.task;
  out.use.amounts = {1000, 64u << 20, 0};
  return out;
}

/// The origin's own node stores an object.
Case store_case(const testing::World& world) {
  Case out(world);
  out.use.classes = kStorage;
  out.use.verbs = kStore;
  out.use.actor = world.origin_node.public_key();
  out.use.objects = {world.stored};
  out.use.amounts.storage_bytes = 1u << 30;
  return out;
}

/// Another executor reads an input by the origin's leave.
Case read_case(const testing::World& world) {
  Case out = store_case(world);
  out.use.verbs = kRead;
  out.use.actor = world.reader.public_key();
  return out;
}

Case ingress_case(const testing::World& world) {
  Case out(world);
  out.use.classes = kIngress;
  out.use.actor = world.origin_node.public_key();
  return out;
}

// req: A9 R24
TEST(AuthorizeTest, AllowsWhatBothOwnersAllow) {
  const testing::World world;
  Case compute = compute_case(world);
  const Result<Authorization> allowed = compute.ask();
  ASSERT_TRUE(allowed.ok()) << allowed.error().message;
  EXPECT_EQ(allowed->grant, compute.grant_id);
  EXPECT_EQ(allowed->chain.size(), 5u) << "machine record, grant, policy, origin record, offer";
  EXPECT_EQ(allowed->expires, kNow + 600) << "the offer expires first";
  for (Case other : {store_case(world), read_case(world), ingress_case(world)}) {
    const Result<Authorization> result = other.ask();
    EXPECT_TRUE(result.ok()) << result.error().message;
  }
}

// req: A9
TEST(AuthorizeTest, TheOriginsOwnKeyNeedsNoRecord) {
  const testing::World world;
  Case store = store_case(world);
  store.use.actor = world.origin.public_key();
  store.without_origin_record = true;
  EXPECT_TRUE(store.ask().ok());
}

struct Refusal {
  const char* name;
  Errc code;
  const char* words;
  std::function<void(Case&)> bend;
};

/// Bends a fresh case by each refusal; expects that code and those words.
void expect_refusals(const std::vector<Refusal>& refusals, Case (*make)(const testing::World&)) {
  const testing::World world;
  for (const Refusal& refusal : refusals) {
    Case bent = make(world);
    refusal.bend(bent);
    const Result<Authorization> result = bent.ask();
    ASSERT_FALSE(result.ok()) << refusal.name;
    EXPECT_EQ(result.code(), refusal.code) << refusal.name << ": " << result.error().message;
    EXPECT_NE(result.error().message.find(refusal.words), std::string::npos) << refusal.name << ": " << result.error().message;
  }
}

// req: R24
TEST(AuthorizeTest, EitherSideMissingIsARefusal) {
  const std::vector<Refusal> refusals = {
      {"no machine record", Errc::kUnauthorized, "no record from its owner", [](Case& c) { c.without_machine_record = true; }},
      {"no grant", Errc::kUnauthorized, "has granted this origin nothing", [](Case& c) { c.without_grant = true; }},
      {"no policy", Errc::kUnauthorized, "no policy from the data's owner", [](Case& c) { c.without_policy = true; }},
      {"no origin record", Errc::kUnauthorized, "shown no record from the origin", [](Case& c) { c.without_origin_record = true; }},
      {"no offer", Errc::kUnauthorized, "no offer for this task", [](Case& c) { c.without_offer = true; }},
      {"no revocations", Errc::kInvalid, "without the revocations", [](Case& c) { c.without_revocations = true; }},
  };
  expect_refusals(refusals, compute_case);
  expect_refusals({{"no capability", Errc::kUnauthorized, "has no capability from it", [](Case& c) { c.without_capability = true; }}}, read_case);
}

// req: A9 R24
TEST(AuthorizeTest, NeitherRootWidensTheOther) {
  const std::vector<Refusal> refusals = {
      {"the grant lacks the class", Errc::kUnauthorized, "grant does not cover this sort", [](Case& c) { c.grant.classes = kStorage; }},
      {"the policy lacks the class", Errc::kUnauthorized, "zone does not allow this class of use", [](Case& c) { c.policy.classes = kStorage; }},
      {"attested was not granted", Errc::kUnauthorized, "grant does not cover this sort", [](Case& c) { c.use.classes = kCompute | kAttested; }},
      {"attested is not allowed", Errc::kUnauthorized, "zone does not allow this class of use",
       [](Case& c) { c.use.classes = kCompute | kAttested; c.grant.classes = kClassesAll; }},
      {"another owner's machines only", Errc::kUnauthorized, "does not go to machines of this owner",
       [](Case& c) { c.policy.executors = {c.world.stranger.public_key()}; }},
      {"too much processor", Errc::kQuota, "less processor time", [](Case& c) { c.use.amounts.cpu_permille = 2001; }},
      {"too much memory", Errc::kQuota, "less memory", [](Case& c) { c.use.amounts.memory_bytes = (1u << 30) + 1; }},
      {"too much storage", Errc::kQuota, "less storage", [](Case& c) { c.use.amounts.storage_bytes = (10ull << 30) + 1; }},
      {"a greedy task", Errc::kQuota, "task may use more memory", [](Case& c) { c.bend_offer = [](TaskOffer& o) { o.spec.memory_bytes = 2ull << 30; }; }},
      {"an old policy", Errc::kUnauthorized, "replaced by a newer one", [](Case& c) { c.policy_serial_min = 4; }},
      {"battery", Errc::kUnavailable, "battery is below", [](Case& c) { c.use.power = {29, false}; }},
      {"not charging", Errc::kUnavailable, "only while it charges",
       [](Case& c) { c.use.power = {99, false}; c.grant.conditions.only_while_charging = true; }},
  };
  expect_refusals(refusals, compute_case);
}

// req: A9
TEST(AuthorizeTest, ObjectsFromTheWrongHandsAreRefused) {
  const std::vector<Refusal> refusals = {
      {"a record by a stranger who claims the machine", Errc::kUnauthorized, "not from the owner it was set up with",
       [](Case& c) { c.machine_signer = &c.world.stranger; c.machine_record.owner = c.world.stranger.public_key(); }},
      {"a grant by a stranger", Errc::kUnauthorized, "not from this machine's owner",
       [](Case& c) { c.grant_signer = &c.world.stranger; c.grant.owner = c.world.stranger.public_key(); }},
      {"a policy by a stranger for his own zone", Errc::kUnauthorized, "policy is for another zone",
       [](Case& c) {
         c.policy_signer = &c.world.stranger;
         c.policy.owner = c.world.stranger.public_key();
         c.policy.zone = zone_id(c.policy.owner, c.policy.name);
       }},
      {"a stranger's zone altogether", Errc::kUnauthorized, "belongs to another owner",
       [](Case& c) {
         c.policy_signer = &c.world.stranger;
         c.policy.owner = c.world.stranger.public_key();
         c.policy.zone = c.use.zone = zone_id(c.policy.owner, c.policy.name);
       }},
      {"an offer by a stranger", Errc::kUnauthorized, "not the node that the origin's record names",
       [](Case& c) {
         c.offer_signer = &c.world.stranger;
         c.use.actor = c.world.stranger.public_key();
         c.bend_offer = [stranger = c.world.stranger.public_key()](TaskOffer& o) { o.issuer = stranger; };
       }},
      {"a node record a stranger made for himself", Errc::kUnauthorized, "not the node that the origin's record names",
       [](Case& c) {
         c.offer_signer = &c.world.stranger;
         c.use.actor = c.world.stranger.public_key();
         c.bend_offer = [stranger = c.world.stranger.public_key()](TaskOffer& o) { o.issuer = stranger; };
         c.origin_signer = &c.world.stranger;
         c.origin_record = c.world.node_record(c.world.stranger, c.world.stranger);
       }},
  };
  expect_refusals(refusals, compute_case);
}

// req: A9
TEST(AuthorizeTest, ReplaysElsewhereAreRefused) {
  const std::vector<Refusal> refusals = {
      {"the record of another machine", Errc::kUnauthorized, "record is for another node",
       [](Case& c) { c.machine_record.node = c.world.reader.public_key(); }},
      {"the grant of another machine", Errc::kUnauthorized, "grant is for another machine",
       [](Case& c) { c.grant.node = c.world.reader.public_key(); }},
      {"the grant of another origin", Errc::kUnauthorized, "grant is for another origin",
       [](Case& c) { c.grant.origin = c.world.stranger.public_key(); }},
      {"an offer to another machine", Errc::kUnauthorized, "made to another machine",
       [](Case& c) { c.bend_offer = [other = c.world.reader.public_key()](TaskOffer& o) { o.executor = other; }; }},
      {"an offer under another grant", Errc::kUnauthorized, "rests on another grant",
       [](Case& c) { c.bend_offer = [](TaskOffer& o) { o.grant.bytes[0] ^= 1; }; }},
      {"an offer of another task", Errc::kUnauthorized, "for another task", [](Case& c) { c.use.task->bytes[0] ^= 1; }},
      {"an offer in another zone", Errc::kUnauthorized, "offer is for another zone",
       [](Case& c) { c.bend_offer = [](TaskOffer& o) { o.zone.bytes[0] ^= 1; }; }},
      {"an offer with data of another zone", Errc::kUnauthorized, "names data of another zone",
       [](Case& c) { c.bend_offer = [](TaskOffer& o) { o.blobs[0].groups[0].zone.bytes[0] ^= 1; }; }},
      {"a task of another origin", Errc::kUnauthorized, "task is for another origin",
       [](Case& c) { c.bend_offer = [other = c.world.stranger.public_key()](TaskOffer& o) { o.spec.origin = other; }; }},
      {"an offer presented by someone else", Errc::kUnauthorized, "another node than the one that presents it",
       [](Case& c) { c.use.actor = c.world.stranger.public_key(); }},
  };
  expect_refusals(refusals, compute_case);
}

// req: A9
TEST(AuthorizeTest, ACapabilityCoversItsAudienceOperationsAndObjectsOnly) {
  const std::vector<Refusal> refusals = {
      {"given to another node", Errc::kUnauthorized, "given to another node", [](Case& c) { c.use.actor = c.world.stranger.public_key(); }},
      {"a wider verb", Errc::kUnauthorized, "does not cover storage.delete", [](Case& c) { c.use.verbs = kRead | kDelete; }},
      {"another object", Errc::kUnauthorized, "does not cover object", [](Case& c) { c.use.objects.push_back(ObjectId{}); }},
      {"another zone", Errc::kUnauthorized, "capability is for another zone", [](Case& c) { c.capability.zone.bytes[0] ^= 1; }},
      {"from another origin", Errc::kUnauthorized, "capability is from another origin",
       [](Case& c) { c.capability.origin = c.world.stranger.public_key(); }},
      {"by a stranger", Errc::kUnauthorized, "issuer of the capability is not the node that the origin's record names",
       [](Case& c) { c.capability_signer = &c.world.stranger; c.capability.issuer = c.world.stranger.public_key(); }},
  };
  expect_refusals(refusals, read_case);
  const testing::World world;
  Case whole = read_case(world);
  whole.capability.whole_zone = true;
  whole.capability.objects.clear();
  whole.use.objects.push_back(ObjectId{});
  EXPECT_TRUE(whole.ask().ok());
}

// req: A12
TEST(AuthorizeTest, EverythingExpiresAndNothingBeginsEarly) {
  const auto expire = [](auto& body) { body.issued = kNow - 100, body.expires = kNow; };
  const auto early = [](auto& body) { body.issued = kNow + kClockSkewSecondsMax + 1, body.expires = body.issued + 10; };
  const std::vector<Refusal> compute = {
      {"machine record", Errc::kExpired, "the machine's record has expired", [&](Case& c) { expire(c.machine_record); }},
      {"grant", Errc::kExpired, "the grant has expired", [&](Case& c) { expire(c.grant); }},
      {"policy", Errc::kExpired, "the zone's policy has expired", [&](Case& c) { expire(c.policy); }},
      {"origin record", Errc::kExpired, "record of its node has expired", [&](Case& c) { expire(c.origin_record); }},
      {"offer", Errc::kExpired, "the offer has expired", [&](Case& c) { c.bend_offer = expire; }},
      {"early grant", Errc::kUnauthorized, "the grant is not valid yet", [&](Case& c) { early(c.grant); }},
      {"early offer", Errc::kUnauthorized, "the offer is not valid yet", [&](Case& c) { c.bend_offer = early; }},
  };
  expect_refusals(compute, compute_case);
  expect_refusals({{"capability", Errc::kExpired, "the capability has expired", [&](Case& c) { expire(c.capability); }}}, read_case);
  const testing::World world;
  Case skewed = compute_case(world);
  skewed.grant.issued = kNow + kClockSkewSecondsMax;
  EXPECT_TRUE(skewed.ask().ok()) << "a clock a little ahead is forgiven";
}

// req: A11
TEST(AuthorizeTest, EachKindOfRevocationTakesEffect) {
  using T = RevocationTarget;
  const std::vector<Refusal> refusals = {
      {"principal: the owner bars the origin", Errc::kRevoked, "principal",
       [](Case& c) { c.revoke(c.world.host_owner, T::kPrincipal, c.use.origin); }},
      {"principal: the origin bars the owner", Errc::kRevoked, "principal",
       [](Case& c) { c.revoke(c.world.origin, T::kPrincipal, c.use.machine_owner); }},
      {"device: the owner lost the machine", Errc::kRevoked, "device", [](Case& c) { c.revoke(c.world.host_owner, T::kDevice, c.use.machine); }},
      {"device: the origin lost its node", Errc::kRevoked, "device", [](Case& c) { c.revoke(c.world.origin, T::kDevice, c.use.actor); }},
      {"key: a node revokes itself", Errc::kRevoked, "key", [](Case& c) { c.revoke(c.world.origin_node, T::kKey, c.use.actor); }},
      {"key: the machine owner's key revokes itself", Errc::kRevoked, "key",
       [](Case& c) { c.revoke(c.world.host_owner, T::kKey, c.use.machine_owner); }},
      {"object: an input of the task", Errc::kRevoked, "no longer read or stored",
       [](Case& c) { c.revoke(c.world.origin, T::kObject, c.world.stored); }},
      {"object: a piece of an input", Errc::kRevoked, "no longer read or stored",
       [](Case& c) { c.revoke(c.world.origin, T::kObject, unsigned_id(c.world.group())); }},
      {"capability: the grant", Errc::kRevoked, "the grant was revoked (capability",
       [](Case& c) {
         c.before_asking = [&c](const Signed<Grant>& g, const auto&, const auto&, const auto&) { c.revoke(c.world.host_owner, T::kCapability, g.id); };
       }},
      {"object: the policy", Errc::kRevoked, "the zone's policy was revoked (object",
       [](Case& c) {
         c.before_asking = [&c](const auto&, const Signed<ZonePolicy>& p, const auto&, const auto&) { c.revoke(c.world.origin, T::kObject, p.id); };
       }},
      {"capability: the offer, by the node that signed it", Errc::kRevoked, "the offer was revoked",
       [](Case& c) {
         c.before_asking = [&c](const auto&, const auto&, const auto&, const Signed<TaskOffer>& o) { c.revoke(c.world.origin_node, T::kCapability, o.id); };
       }},
  };
  expect_refusals(refusals, compute_case);
  const std::vector<Refusal> reads = {
      {"capability: the capability", Errc::kRevoked, "the capability was revoked",
       [](Case& c) {
         c.before_asking = [&c](const auto&, const auto&, const Signed<Capability>& a, const auto&) { c.revoke(c.world.origin, T::kCapability, a.id); };
       }},
      {"device: the reader", Errc::kRevoked, "device", [](Case& c) { c.revoke(c.world.origin, T::kDevice, c.use.actor); }},
      {"object: taken down by the machine's owner", Errc::kRevoked, "no longer read or stored",
       [](Case& c) { c.revoke(c.world.host_owner, T::kObject, c.world.stored); }},
  };
  expect_refusals(reads, read_case);
  expect_refusals({{"device: the node that opens a port", Errc::kRevoked, "the node that asks was revoked (device",
                    [](Case& c) { c.revoke(c.world.origin, T::kDevice, c.use.actor); }}},
                  ingress_case);
}

// req: A11
TEST(AuthorizeTest, AStrangersRevocationMeansNothing) {
  const testing::World world;
  Case compute = compute_case(world);
  for (const PublicKey& key : {compute.use.origin, compute.use.machine, compute.use.machine_owner, compute.use.actor}) {
    for (const auto kind : {RevocationTarget::kKey, RevocationTarget::kPrincipal, RevocationTarget::kDevice}) {
      compute.revoke(world.stranger, kind, key);
    }
  }
  compute.revoke(world.stranger, RevocationTarget::kObject, world.stored);
  compute.before_asking = [&compute, &world](const Signed<Grant>& g, const auto&, const auto&, const auto&) {
    compute.revoke(world.stranger, RevocationTarget::kCapability, g.id);
  };
  EXPECT_TRUE(compute.ask().ok());
}

// req: A11
TEST(AuthorizeTest, ARevocationCountsFromItsCutoff) {
  const testing::World world;
  Case compute = compute_case(world);
  compute.revoke(world.host_owner, RevocationTarget::kPrincipal, compute.use.origin, kNow + 60);
  EXPECT_TRUE(compute.ask().ok());
  compute.at = now() + seconds(60);
  EXPECT_EQ(compute.ask().code(), Errc::kRevoked);
}

// req: A11
TEST(AuthorizeTest, WhatIsRevokedMayStillBeDeleted) {
  const testing::World world;
  Case remove = store_case(world);
  remove.use.verbs = kDelete;
  remove.revoke(world.origin, RevocationTarget::kObject, world.stored);
  EXPECT_TRUE(remove.ask().ok());
}

// req: A11
TEST(AuthorizeTest, ACachedDecisionFallsWithTheNextRevocation) {
  const testing::World world;
  Case store = store_case(world);
  const Authorization allowed = store.ask().value();
  EXPECT_TRUE(allowed.holds(now(), store.revocations));
  EXPECT_FALSE(allowed.holds(Instant::from_unix_seconds(allowed.expires), store.revocations));
  store.revoke(world.stranger, RevocationTarget::kKey, world.reader.public_key());
  EXPECT_FALSE(allowed.holds(now(), store.revocations)) << "asked again, to be sure";
}

TEST(AuthorizeTest, IncompleteQuestionsAreInvalid) {
  const testing::World world;
  const std::function<void(Case&)> bends[] = {
      [](Case& c) { c.use.classes = 0; },       [](Case& c) { c.use.classes = 16; },     [](Case& c) { c.use.verbs = 0; },
      [](Case& c) { c.use.objects.clear(); },   [](Case& c) { c.use.actor = {}; },       [](Case& c) { c.use.origin = {}; },
      [](Case& c) { c.use.classes |= kCompute; }, [](Case& c) { c.use.machine_owner = {}; },
  };
  for (const auto& bend : bends) {
    Case store = store_case(world);
    bend(store);
    EXPECT_EQ(store.ask().code(), Errc::kInvalid);
  }
}

}  // namespace
}  // namespace selvedge::object
