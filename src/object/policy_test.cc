// Patterns of operations, the one reading of a policy, and quorums: what is allowed, and by which rule.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "object/bridge.h"
#include "object/permission.h"
#include "object/quorum.h"
#include "object/sequence.h"
#include "object/test_world.h"

namespace selvedge::object {
namespace {

using testing::kNow;
using testing::now;

// req: A10
TEST(OperationTest, WhatIsAnOperationAndWhatIsAPattern) {
  for (const char* good : {"a", "storage.read", "bundle.word-count.run_1", "1.2.3.4.5.6.7.8"}) EXPECT_TRUE(is_operation(good)) << good;
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "A", "a b", "*", "a.*", "1.2.3.4.5.6.7.8.9", "a/b"}) EXPECT_FALSE(is_operation(bad)) << bad;
  for (const char* good : {"**", "*", "a.*", "a.**", "*.b", "storage.read"}) EXPECT_TRUE(check_pattern(good).ok()) << good;
  for (const char* bad : {"", "a.**.b", "a*", "**.a", "a.", "a.***"}) EXPECT_EQ(check_pattern(bad).code(), Errc::kInvalid) << bad;
  EXPECT_FALSE(is_operation(std::string(kOperationSizeMax + 1, 'a')));
  EXPECT_EQ(check_patterns("a list", {"b", "a"}).code(), Errc::kNonCanonical);
  EXPECT_EQ(check_patterns("a list", {"a", "a"}).code(), Errc::kNonCanonical);
  EXPECT_EQ(check_patterns("a list", std::vector<std::string>(kPatternsMax + 1, "a")).code(), Errc::kLimit);
}

TEST(OperationTest, PatternsMatchWordByWord) {
  EXPECT_TRUE(matches("storage.*", "storage.read"));
  EXPECT_FALSE(matches("storage.*", "storage"));
  EXPECT_FALSE(matches("storage.*", "storage.read.fast"));
  EXPECT_TRUE(matches("storage.**", "storage.read.fast"));
  EXPECT_FALSE(matches("storage.**", "storage"));
  EXPECT_TRUE(matches("**", "anything.at.all"));
  EXPECT_FALSE(matches("storage", "storage2"));
  EXPECT_TRUE(matches("*.read", "storage.read"));
}

std::string random_text(Rng& rng, bool pattern) {
  std::string out;
  const size_t words = rng.between(1, 4);
  for (size_t i = 0; i < words; ++i) {
    const uint64_t draw = rng.below(pattern ? 5 : 2);
    if (i > 0) out += '.';
    if (draw < 2) out += char('a' + draw);
    else if (draw < 4) out += '*';
    else return out + "**";
  }
  return out;
}

// Containment is what attenuation rests on: it is compared with what it means, over every operation of up to five words of two letters.
// req: A9
TEST(OperationTest, ContainmentIsWhatItSays) {
  const std::vector<std::string> all = [] {
    std::vector<std::string> out{"a", "b", "c"};
    for (size_t i = 0; i < out.size(); ++i) {
      if (std::count(out[i].begin(), out[i].end(), '.') >= 4) continue;
      for (const char* next : {".a", ".b", ".c"}) out.push_back(out[i] + next);
    }
    return out;
  }();
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    Rng rng(seed);
    const std::string wide = random_text(rng, true);
    const std::string narrow = random_text(rng, true);
    bool expected = true;
    for (const std::string& operation : all) expected = expected && (!matches(narrow, operation) || matches(wide, operation));
    ASSERT_EQ(contains(wide, narrow), expected) << wide << " " << narrow;
  }
}

struct PolicyTest : ::testing::Test {
  PolicyVerdict ask(std::string_view operation, ClassSet classes, const PublicKey& principal, const PublicKey& machine_owner = {}) const {
    return judge_policy(policy, {operation, classes, principal, machine_owner}, now());
  }
  testing::World world;
  ZonePolicy policy = world.policy();
  PublicKey owner = world.origin.public_key();
  PublicKey friendly = world.reader.public_key();
  PublicKey other = world.stranger.public_key();
};

// req: A10
TEST_F(PolicyTest, TheFirstRuleThatSpeaksDecidesAndIsNamed) {
  policy.allow = {"compute.run", "storage.*"};
  policy.deny = {"storage.delete"};
  policy.principals = {{friendly, {"storage.*"}, {"storage.store"}}, {std::nullopt, {"storage.read"}, {}}};
  ASSERT_TRUE(policy.validate().ok()) << policy.validate().error().message;
  EXPECT_EQ(ask("storage.read", kStorage, owner).text(), "allowed by allow[1] \"storage.*\"");
  EXPECT_EQ(ask("storage.delete", kStorage, owner).text(), "denied by deny[0] \"storage.delete\"");
  EXPECT_EQ(ask("secret.release", 0, owner).text(), "nothing in the zone allows it (allow)");
  EXPECT_EQ(ask("storage.store", kStorage, friendly).text(), "denied by principals[0].deny \"storage.store\"");
  EXPECT_EQ(ask("storage.read", kStorage, friendly).text(), "allowed by principals[0].allow \"storage.*\"");
  EXPECT_EQ(ask("storage.read", kStorage, other).text(), "allowed by principals[1].allow \"storage.read\"");
  EXPECT_EQ(ask("storage.store", kStorage, other).text(), "nothing that this principal is allowed covers it (principals[1].allow)");
  EXPECT_TRUE(ask("storage.store", kStorage, owner).allowed) << "rules about principals do not bind the owner";
  EXPECT_FALSE(ask("compute.run", kCompute, friendly).allowed);
  policy.classes = kStorage;
  EXPECT_EQ(ask("compute.run", kCompute, owner).text(), "the zone does not allow this class of use (classes)");
  EXPECT_EQ(ask("storage.read", kStorage, owner, other).text(), "the zone's data does not go to machines of this owner (executors)");
  EXPECT_TRUE(ask("storage.read", kStorage, owner, world.host_owner.public_key()).allowed);
  EXPECT_TRUE(ask("storage.read", kStorage, owner, owner).allowed) << "one's own machines need no listing";
}

// req: A5 A10
TEST_F(PolicyTest, BeginsWithItsEpoch) {
  policy.epoch_seconds = 60;
  policy.effective_epoch = epoch_of(kNow, 60) + 1;
  EXPECT_EQ(ask("storage.read", kStorage, owner).text(), "the policy is not in force yet (effective_epoch)");
  policy.effective_epoch = epoch_of(kNow, 60);
  EXPECT_TRUE(ask("storage.read", kStorage, owner).allowed);
}

// req: A10
TEST_F(PolicyTest, RefusesWhatContradictsItself) {
  const auto refused = [this](auto bend) {
    ZonePolicy bent = policy;
    bend(bent);
    return !bent.validate().ok();
  };
  EXPECT_TRUE(refused([&](ZonePolicy& p) { p.principals = {{friendly, {}, {}}, {friendly, {}, {}}}; }));
  EXPECT_TRUE(refused([](ZonePolicy& p) { p.principals = {{std::nullopt, {}, {}}, {std::nullopt, {}, {}}}; }));
  EXPECT_TRUE(refused([&](ZonePolicy& p) { p.issuers = {{"none", {}, 1, {"**"}}}; }));
  EXPECT_TRUE(refused([](ZonePolicy& p) { p.epoch_seconds = 0; }));
  EXPECT_TRUE(refused([](ZonePolicy& p) { p.trust_level = 101; }));
  EXPECT_TRUE(refused([](ZonePolicy& p) { p.distribution = {1, 4, 3, 0}; }));
  EXPECT_TRUE(refused([](ZonePolicy& p) { p.diversity.node_share_permille_max = 0; }));
  EXPECT_TRUE(refused([](ZonePolicy& p) { p.capability_seconds_max = kCapabilityTtlMax + 1; }));
  EXPECT_TRUE(refused([](ZonePolicy& p) { p.allow = {"a*"}; }));
  EXPECT_FALSE(refused([](ZonePolicy&) {}));
}

// req: A6
TEST_F(PolicyTest, DefaultZonesAreValidAndOrderedByTrust) {
  uint8_t last = 101;
  for (const std::string& name : default_zone_names()) {
    ZonePolicy made = default_policy(owner, name).value();
    made.issued = kNow, made.expires = kNow + kDay;
    EXPECT_TRUE(made.validate().ok()) << name;
    EXPECT_LT(made.trust_level, last);
    last = made.trust_level;
  }
  EXPECT_FALSE(default_policy(owner, "elsewhere").has_value());
}

struct BridgeTest : PolicyTest {
  BridgeTest() {
    from.owner = to.owner = owner;
    from.name = "work", to.name = "community";
    from.zone = zone_id(owner, from.name), to.zone = zone_id(owner, to.name);
  }
  Result<Provenance> go(const Provenance* before = nullptr) const {
    return cross(content, before, sign_object(world.origin, from).value(), sign_object(world.origin, to).value(), world.origin_node.public_key(), now());
  }
  ZonePolicy from = policy, to = policy;
  Cid content = Cid::of(codec::Codec::kRaw, view("content"));
};

// req: A7
TEST_F(BridgeTest, NothingCrossesWithoutARuleOnBothSides) {
  EXPECT_NE(go().error().message.find("leave for community"), std::string::npos);
  from.flows = {{FlowDirection::kOut, to.zone, 0}};
  EXPECT_NE(go().error().message.find("enter from work"), std::string::npos);
  to.flows = {{FlowDirection::kOut, std::nullopt, 9}};
  EXPECT_FALSE(go().ok()) << "a rule of the other direction";
  to.flows = {{FlowDirection::kIn, std::nullopt, 0}};
  const Provenance crossed = go().value();
  EXPECT_EQ(crossed.taint, 1u);
  EXPECT_EQ(crossed.origin_zone, from.zone);
  EXPECT_TRUE(crossed.validate().ok());
  EXPECT_TRUE(sign_object(world.origin_node, crossed).ok());
}

// req: A7
TEST_F(BridgeTest, TaintGrowsAndKeepsThingsOut) {
  from.flows = {{FlowDirection::kOut, std::nullopt, 5}, {FlowDirection::kIn, std::nullopt, 5}};
  to.flows = {{FlowDirection::kOut, std::nullopt, 5}, {FlowDirection::kIn, std::nullopt, 1}};
  Provenance at = go().value();
  std::swap(from, to);
  at = go(&at).value();
  EXPECT_EQ(at.taint, 2u);
  EXPECT_EQ(at.origin_zone, at.zone) << "home again, and it shows that it was away";
  std::swap(from, to);
  const Result<Provenance> refused = go(&at);
  EXPECT_EQ(refused.code(), Errc::kUnauthorized);
  EXPECT_NE(refused.error().message.find("taint 2"), std::string::npos);
  Provenance forged = at;
  forged.taint = 0;
  EXPECT_FALSE(forged.validate().ok());
  forged = at, forged.crossings.pop_back(), forged.taint = 1;
  EXPECT_FALSE(forged.validate().ok()) << "it ends elsewhere";
  EXPECT_EQ(cross(Cid{}, &at, sign_object(world.origin, from).value(), sign_object(world.origin, to).value(), owner, now()).code(), Errc::kInvalid);
}

// Exhaustively, n = 4 to 31: two quorums share more members than may lie, and the honest alone can make one (R6).
// req: A13 R6
TEST(QuorumTest, TwoQuorumsShareAnHonestMember) {
  for (uint32_t n = 4; n <= 31; ++n) {
    for (uint32_t f = 0; f <= faults_max(n); ++f) {
      const uint32_t normal = quorum(OperationClass::kNormalWrite, n, f).value();
      const uint32_t critical = quorum(OperationClass::kCriticalWrite, n, f).value();
      EXPECT_GE(2 * normal, n + f + 1) << n << " " << f;
      EXPECT_LE(normal, n - f) << n << " " << f;
      EXPECT_GE(critical, normal) << n << " " << f;
      EXPECT_EQ(quorum(OperationClass::kUnanimous, n, f).value(), n);
      EXPECT_EQ(quorum(OperationClass::kReadOnly, n, f).value(), 1u);
    }
    EXPECT_EQ(quorum(OperationClass::kNormalWrite, n, faults_max(n) + 1).code(), Errc::kInvalid);
  }
  EXPECT_EQ(quorum(OperationClass::kNormalWrite, 5, 1).value(), 4u) << "the seed's formula gives 3, which is not enough";
  EXPECT_EQ(quorum_class(Consistency::kLinearizable), OperationClass::kNormalWrite);
  EXPECT_EQ(quorum_class(Consistency::kEventual), OperationClass::kReadOnly);
}

// req: A13 R13
TEST(QuorumTest, CountsDistinctMembersAndNothingElse) {
  const auto key = [](uint8_t n) { PublicKey out; out.bytes[0] = n; return out; };
  const std::vector<PublicKey> members{key(1), key(2), key(3), key(4)};
  EXPECT_TRUE(check_quorum(std::vector{key(1), key(2), key(4)}, members, 3).ok());
  EXPECT_EQ(check_quorum(std::vector{key(1), key(1), key(1)}, members, 3).code(), Errc::kNonCanonical) << "one signer three times is one signer";
  EXPECT_EQ(check_quorum(std::vector{key(2), key(1)}, members, 2).code(), Errc::kNonCanonical);
  EXPECT_EQ(check_quorum(std::vector{key(1), key(9)}, members, 2).code(), Errc::kUnauthorized);
  EXPECT_EQ(check_quorum(std::vector{key(1)}, members, 2).code(), Errc::kUnavailable);
  EXPECT_EQ(check_quorum({}, members, 0).code(), Errc::kInvalid);
}

// req: A5
TEST(SequenceTest, OrderIsBetweenEpochsOnly) {
  EXPECT_EQ(order_of(epoch_of(100, 10), epoch_of(109, 10)), EpochOrder::kUnordered);
  EXPECT_EQ(order_of(epoch_of(109, 10), epoch_of(110, 10)), EpochOrder::kBefore);
  EXPECT_EQ(order_of(epoch_of(110, 10), epoch_of(109, 10)), EpochOrder::kAfter);
}

// req: A5
TEST(SequenceTest, GapsBrokenChainsAndEquivocationAreToldApart) {
  const testing::World w;
  SequenceId id;
  id.bytes[0] = 7;
  const auto link = [&](uint64_t number, std::optional<ObjectId> previous, uint8_t what) {
    ObjectId operation;
    operation.bytes[0] = what;
    return sign_object(w.origin, SequenceLink{w.zone, id, w.origin.public_key(), number, previous, operation, kNow}).value();
  };
  SequenceCursor cursor(w.zone, id, w.origin.public_key());
  const auto first = link(0, std::nullopt, 1);
  const auto second = link(1, first.id, 2);
  const auto third = link(2, second.id, 3);
  EXPECT_EQ(cursor.take(second).code(), Errc::kUnavailable) << "a gap";
  ASSERT_TRUE(cursor.take(first).ok());
  EXPECT_EQ(cursor.take(third).code(), Errc::kUnavailable);
  EXPECT_EQ(cursor.take(link(1, third.id, 2)).code(), Errc::kIntegrity) << "a broken chain";
  ASSERT_TRUE(cursor.take(second).ok());
  EXPECT_EQ(cursor.take(link(1, first.id, 9)).code(), Errc::kExists) << "the place is taken";
  ASSERT_TRUE(cursor.take(third).ok());
  EXPECT_EQ(cursor.next_number(), 3u);
  SequenceCursor other(ZoneId{}, id, w.origin.public_key());
  EXPECT_EQ(other.take(first).code(), Errc::kUnauthorized);
  EXPECT_FALSE(sign_object(w.origin, SequenceLink{w.zone, id, w.origin.public_key(), 1, std::nullopt, ObjectId{}, kNow}).ok());
}

// req: A20
TEST(PermissionTest, ADecisionIsAboutOneClass) {
  const testing::World w;
  PermissionDecision decision{w.host_owner.public_key(), w.machine.public_key(), w.origin.public_key(), std::nullopt, kCompute, true, kNow, kNow + kDay};
  EXPECT_TRUE(decision.validate().ok());
  decision.permission = kCompute | kStorage;
  EXPECT_EQ(decision.validate().code(), Errc::kInvalid);
  EXPECT_EQ(class_names(kCompute | kIngress), "compute,ingress");
  EXPECT_EQ(parse_class_names("storage,attested").value(), kStorage | kAttested);
  EXPECT_EQ(parse_class_names("everything").code(), Errc::kInvalid);
}

// req: A19 A21
TEST(BundleTest, AManifestHangsTogetherAndGrantsNothing) {
  const testing::World w;
  const auto refused = [&](auto bend) {
    Manifest bent = w.manifest();
    bend(bent);
    return !bent.validate().ok();
  };
  EXPECT_FALSE(refused([](Manifest&) {}));
  EXPECT_TRUE(refused([](Manifest& m) { m.modules[0].path = "../main.wasm"; }));
  EXPECT_TRUE(refused([](Manifest& m) { m.modules[0].path = "/main.wasm"; }));
  EXPECT_TRUE(refused([](Manifest& m) { m.entries[0].module = "other.wasm"; }));
  EXPECT_TRUE(refused([](Manifest& m) { m.entries.push_back(m.entries[0]); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.ports = {{"web", "http", 10, 10}}; })) << "ports without asking for ingress";
  EXPECT_TRUE(refused([](Manifest& m) { m.modules.clear(); }));
  OperationSpec operation = w.manifest().entries[0].operation;
  EXPECT_TRUE(may_call(operation, Confirmation::kNone).ok());
  operation.safety = SafetyTier::kDangerous;
  EXPECT_EQ(may_call(operation, Confirmation::kNone).code(), Errc::kUnavailable);
  EXPECT_TRUE(may_call(operation, Confirmation::kGiven).ok());
  operation.safety = SafetyTier::kForbidden;
  EXPECT_EQ(may_call(operation, Confirmation::kGiven).code(), Errc::kUnauthorized);
  EXPECT_TRUE(may_retry(Idempotency::kStrict));
  EXPECT_FALSE(may_retry(Idempotency::kNone));
}

}  // namespace
}  // namespace selvedge::object
