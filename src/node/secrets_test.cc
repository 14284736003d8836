// Secrets among nodes: split, release, refresh, reshare; who is refused, what a crash leaves, and what no message may contain.
#include <gtest/gtest.h>

#include "node/node_testing.h"

namespace selvedge::node {
namespace {

using namespace testing;

constexpr std::string_view kPlain = "correct horse battery staple";

class SecretsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (size_t n : {origin_, a_, b_, c_, d_, friend_}) ASSERT_TRUE(group_.start(n).ok());
    for (size_t n : {a_, b_, c_, d_, friend_}) group_.link(origin_, n);
    for (size_t n : {a_, b_, c_}) group_.link(friend_, n);
    for (size_t n : {a_, b_, c_, d_}) ASSERT_EQ(group_.grant(n, origin_).size(), 64u);
  }
  std::string key(size_t n) { return codec::key_text(group_.at(n).key()); }
  std::vector<std::string> keys(std::initializer_list<size_t> nodes) {
    std::vector<std::string> out;
    for (size_t n : nodes) out.push_back(key(n));
    return out;
  }
  /// What the command does: asks who the holders are, splits, hands over what is sealed.
  std::string split(const std::string& name, uint32_t threshold, std::initializer_list<size_t> holders,
                    object::SecretScheme scheme = object::SecretScheme::kFeldman) {
    std::vector<crypto::SealPublicKey> seal_keys;
    for (size_t n : holders) seal_keys.push_back(group_.at(n).seal.public_key());
    const auto made = object::split_secret(scheme, view(kPlain), threshold, object::zone_id(group_.at(origin_).owner.public_key(), kZoneName),
                                           group_.at(origin_).owner.public_key(), seal_keys, drbg_).value();
    SecretStoreRequest request;
    request.name = name;
    request.secret = made.secret.hex();
    request.scheme = object::enum_name(scheme);
    request.threshold = threshold;
    request.holders = keys(holders);
    for (const auto& each : made.commitments) request.commitments.push_back(each.hex());
    request.sealed = to_hex(made.sealed);
    for (const Bytes& each : made.shares) request.shares.push_back(to_hex(each));
    return group_.answer(origin_, request);
  }
  struct Released {
    std::string answer;
    std::string plain;  // empty: there was none
  };
  Released combine(size_t asker, const std::string& name, std::vector<std::string> without = {}) {
    const crypto::SealKeyPair reply(drbg_.seed());
    SecretReleaseRequest request{name, "a test", "combine", reply.public_key().hex(), std::move(without)};
    Released out;
    out.answer = group_.answer(asker, request);
    const std::string manifest_hex = Group::field(out.answer, "manifest");
    if (manifest_hex.empty()) return out;
    const auto manifest = object::open_object<object::SecretManifest>(from_hex(manifest_hex).value(), verifier_).value();
    const auto nonce = object::Unique::from(from_hex(Group::field(out.answer, "nonce")).value()).value();
    std::vector<object::SharePlain> shares;
    for (size_t at = out.answer.find("\"number\":"); at != std::string::npos; at = out.answer.find("\"number\":", at + 1)) {
      const auto number = uint8_t(std::stoi(out.answer.substr(at + 9)));
      const Bytes sealed = from_hex(Group::field(out.answer.substr(at), "sealed")).value();
      const object::ShareSeal seal{object::ShareSeal::Use::kRelease, manifest.body.secret, manifest.body.generation, 0, nonce};
      shares.push_back(object::open_share(sealed, seal, number, reply).value());
    }
    out.plain = to_string(object::combine_secret(manifest.body, shares).value().view());
    return out;
  }
  size_t shares_on_disk(size_t n) {
    size_t count = 0;
    for (const auto& [id, value] : group_.at(n).disk) {
      count += id.first == store::Column::kRecords && !id.second.empty() && id.second[0] == uint8_t(Record::kShare) ? 1 : 0;
    }
    return count;
  }

  Group group_;
  crypto::Drbg drbg_{seed_of("secrets test")};
  crypto::Ed25519Verifier verifier_;
  size_t origin_ = group_.add("origin");
  size_t a_ = group_.add("holder a");
  size_t b_ = group_.add("holder b");
  size_t c_ = group_.add("holder c");
  size_t d_ = group_.add("holder d");
  size_t friend_ = group_.add("friend");
};

// req: A14, R5
TEST_F(SecretsTest, TwoOfThreeHoldersGiveTheSecret) {
  const std::string made = split("deploy key", 2, {a_, b_, c_});
  EXPECT_NE(made.find("\"generation\":1"), std::string::npos) << made;
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain);
  for (size_t n : {a_, b_, c_}) EXPECT_EQ(shares_on_disk(n), 1u);
  group_.stop(a_);
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain) << "one holder less";
  group_.stop(b_);
  group_.ask(origin_, SecretReleaseRequest{"deploy key", "p", "combine", crypto::SealKeyPair(seed_of("r")).public_key().hex(), {}});
  group_.pass(seconds(30));
  EXPECT_EQ(group_.at(origin_).refusals.rbegin()->second.code, Errc::kUnavailable);
}

// req: A14
TEST_F(SecretsTest, NoMessageAndNoDiskHoldsTheSecretOrAShareInTheClear) {
  split("deploy key", 2, {a_, b_, c_}, object::SecretScheme::kShamir);
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain);
  for (size_t n : {origin_, a_, b_, c_}) {
    for (const Bytes& message : group_.at(n).received) EXPECT_EQ(to_string(message).find(kPlain), std::string::npos);
    for (const auto& [id, value] : group_.at(n).disk) EXPECT_EQ(to_string(value).find(kPlain), std::string::npos);
  }
}

TEST_F(SecretsTest, SharesAndManifestsSurviveARestart) {
  split("deploy key", 2, {a_, b_, c_});
  for (size_t n : {origin_, a_, b_, c_}) group_.stop(n);
  for (size_t n : {origin_, a_, b_, c_}) ASSERT_TRUE(group_.start(n).ok());
  for (size_t n : {a_, b_, c_}) group_.link(origin_, n);
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain);
}

TEST_F(SecretsTest, SplittingFailsAsAWholeAndSaysWho) {
  group_.stop(c_);
  const std::string refused = split("deploy key", 2, {a_, b_, c_});
  EXPECT_EQ(refused, "refused: unavailable");
  // A share that fits another secret's commitments: the holder sees it, and nothing is left behind.
  std::vector<crypto::SealPublicKey> seal_keys;
  for (size_t n : {a_, b_}) seal_keys.push_back(group_.at(n).seal.public_key());
  const auto zone = object::zone_id(group_.at(origin_).owner.public_key(), kZoneName);
  const auto one = object::split_secret(object::SecretScheme::kFeldman, view(kPlain), 2, zone, group_.at(origin_).owner.public_key(), seal_keys, drbg_).value();
  SecretStoreRequest request;
  request.name = "bad";
  request.secret = one.secret.hex();
  request.scheme = "feldman";
  request.threshold = 2;
  request.holders = keys({a_, b_});
  for (const auto& each : one.commitments) request.commitments.push_back(each.hex());
  request.sealed = to_hex(one.sealed);
  request.shares = {to_hex(one.shares[0]), to_hex(one.shares[0])};
  EXPECT_EQ(group_.answer(origin_, request).substr(0, 8), "refused:");
  for (size_t n : {a_, b_}) EXPECT_EQ(shares_on_disk(n), 0u);
  EXPECT_EQ(group_.answer(origin_, SecretListRequest{}), "{\"secrets\":[]}");
}

TEST_F(SecretsTest, OneOtherOwnerMustNotHoldAsManySharesAsItTakes) {
  const size_t twin = group_.add("holder a's other machine", "holder a");
  ASSERT_TRUE(group_.start(twin).ok());
  group_.link(origin_, twin);
  ASSERT_EQ(group_.grant(twin, origin_).size(), 64u);
  EXPECT_EQ(group_.answer(origin_, SecretPrepareRequest{"s", keys({a_, twin, b_}), 2, false}), "refused: invalid");
  EXPECT_NE(group_.answer(origin_, SecretPrepareRequest{"s", keys({a_, twin, b_}), 2, true}).find("seal_key"), std::string::npos);
  EXPECT_NE(group_.answer(origin_, SecretPrepareRequest{"s", keys({a_, twin, b_}), 3, false}).find("seal_key"), std::string::npos);
  EXPECT_EQ(group_.answer(origin_, SecretPrepareRequest{"s", keys({a_, a_, b_}), 2, false}), "refused: invalid");
  EXPECT_EQ(group_.answer(origin_, SecretPrepareRequest{"s", keys({a_, b_}), 1, false}), "refused: invalid");
  EXPECT_EQ(group_.answer(origin_, SecretPrepareRequest{"s", keys({a_, friend_}), 2, false}), "refused: unauthorized") << "no grant";
}

// ---- who is refused

// req: A14
TEST_F(SecretsTest, AStrangerAndWhoeverLostTheirLeaveAreRefused) {
  split("deploy key", 2, {a_, b_, c_});
  EXPECT_EQ(combine(friend_, "deploy key").answer, "refused: not_found") << "nobody told it";
  const std::string leave = group_.answer(origin_, SecretAllowRequest{"deploy key", key(friend_), 3600});
  ASSERT_NE(leave.find("capability"), std::string::npos) << leave;
  const std::string owner = codec::key_text(group_.at(origin_).owner.public_key());
  EXPECT_EQ(combine(friend_, owner.substr(0, 12) + "/deploy key").plain, kPlain);
  EXPECT_EQ(combine(friend_, "deploy key").answer, "refused: not_found") << "another owner's secret is found under its owner only";
  EXPECT_NE(group_.answer(origin_, SecretDenyRequest{"deploy key", key(friend_)}).find("capability"), std::string::npos);
  EXPECT_EQ(combine(friend_, owner + "/deploy key").answer, "refused: revoked");
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain) << "the owner is not concerned";
}

TEST_F(SecretsTest, AHolderThatWasAwayHearsOfARevocationBeforeItIsAskedAgain) {
  split("deploy key", 3, {a_, b_, c_});
  group_.answer(origin_, SecretAllowRequest{"deploy key", key(friend_), 3600});
  group_.stop(a_);
  group_.answer(origin_, SecretDenyRequest{"deploy key", key(friend_)});
  ASSERT_TRUE(group_.start(a_).ok());
  group_.link(origin_, a_);
  group_.link(friend_, a_);
  const std::string owner = codec::key_text(group_.at(origin_).owner.public_key());
  EXPECT_EQ(combine(friend_, owner + "/deploy key").answer, "refused: revoked");
}

TEST_F(SecretsTest, ALeaveEndsWithItsTime) {
  split("deploy key", 2, {a_, b_, c_});
  group_.answer(origin_, SecretAllowRequest{"deploy key", key(friend_), 60});
  const std::string name = codec::key_text(group_.at(origin_).owner.public_key()) + "/deploy key";
  EXPECT_EQ(combine(friend_, name).plain, kPlain);
  group_.pass(seconds(61));
  EXPECT_EQ(combine(friend_, name).answer, "refused: expired");
}

TEST_F(SecretsTest, WithoutAGrantTheHolderGivesNothing) {
  const std::string lease = group_.grant(a_, origin_);
  split("deploy key", 2, {a_, b_});
  for (const auto& [id, grant] : std::map<int, std::string>{{0, lease}}) {
    (void)id;
    group_.answer(a_, LeaseChangeRequest{grant, LeaseAction::kRevoke});
  }
  const std::string list = group_.answer(a_, LeaseListRequest{});
  for (size_t at = list.find("\"id\":\""); at != std::string::npos; at = list.find("\"id\":\"", at + 1)) {
    group_.answer(a_, LeaseChangeRequest{list.substr(at + 6, 64), LeaseAction::kRevoke});
  }
  EXPECT_EQ(combine(origin_, "deploy key").answer, "refused: revoked") << "the machine's owner took the consent back";
}

// req: A14
TEST_F(SecretsTest, AskingTooOftenIsRefusedForAWhile) {
  split("deploy key", 2, {a_, b_});
  for (uint32_t i = 0; i < kReleaseBurst; ++i) ASSERT_EQ(combine(origin_, "deploy key").plain, kPlain) << i;
  EXPECT_EQ(combine(origin_, "deploy key").answer, "refused: limit");
  split("other", 2, {a_, b_});
  EXPECT_EQ(combine(origin_, "other").plain, kPlain) << "each secret has its own measure";
  group_.pass(kReleaseEvery);
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain);
  EXPECT_EQ(combine(origin_, "deploy key").answer, "refused: limit");
}

TEST_F(SecretsTest, ARequestIsAnsweredOnceAndOnlyToItsAuthor) {
  split("deploy key", 2, {a_, b_});
  ASSERT_EQ(combine(origin_, "deploy key").plain, kPlain);
  std::optional<ShareAsk> seen;
  for (const Bytes& message : group_.at(a_).received) {
    if (message.empty() || message[0] != ShareAsk::kType) continue;
    seen = std::get<ShareAsk>(SecretMessages::decode(message).value());
  }
  ASSERT_TRUE(seen);
  const auto answers_at = [&](size_t n) {
    size_t shares = 0;
    for (const Bytes& message : group_.at(n).received) {
      if (message.empty() || message[0] != ShareGiven::kType) continue;
      shares += std::get<ShareGiven>(SecretMessages::decode(message).value()).error == 0 ? 1 : 0;
    }
    return shares;
  };
  const size_t before = answers_at(origin_);
  group_.inject(origin_, a_, SecretMessages::encode(*seen));
  EXPECT_EQ(answers_at(origin_), before) << "a replay";
  group_.inject(friend_, a_, SecretMessages::encode(*seen));
  EXPECT_EQ(answers_at(friend_), 0u) << "another node brings it";
}

// ---- generations

// req: A14
TEST_F(SecretsTest, ARefreshMakesOldSharesUseless) {
  for (const auto scheme : {object::SecretScheme::kFeldman, object::SecretScheme::kPedersen}) {
    const std::string name = object::enum_name(scheme);
    split(name, 2, {a_, b_, c_}, scheme);
    const auto stolen = group_.at(a_).disk;  // with generation 1
    EXPECT_NE(group_.answer(origin_, SecretRefreshRequest{name}).find("\"generation\":2"), std::string::npos);
    EXPECT_EQ(combine(origin_, name).plain, kPlain);
    // The thief of a's disk brings back generation 1: nobody asks for it, and it does not fit generation 2.
    group_.stop(a_);
    group_.at(a_).disk = stolen;
    ASSERT_TRUE(group_.start(a_).ok());
    group_.link(origin_, a_);
    EXPECT_EQ(combine(origin_, name).plain, kPlain) << "b and c are enough";
    group_.stop(b_);
    EXPECT_EQ(combine(origin_, name).plain, "");
    ASSERT_TRUE(group_.start(b_).ok());
    group_.link(origin_, b_);
    group_.answer(origin_, SecretRemoveRequest{name});
  }
}

TEST_F(SecretsTest, ARefreshThatNotAllTakePartInChangesNothing) {
  split("deploy key", 2, {a_, b_, c_});
  group_.stop(c_);
  EXPECT_EQ(group_.answer(origin_, SecretRefreshRequest{"deploy key"}), "refused: unavailable");
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain);
  EXPECT_EQ(split("plain", 2, {a_, b_}, object::SecretScheme::kShamir).substr(0, 1), "{");
  EXPECT_EQ(group_.answer(origin_, SecretRefreshRequest{"plain"}), "refused: unsupported");
  EXPECT_EQ(group_.answer(origin_, SecretRefreshRequest{"nothing"}), "refused: not_found");
}

TEST_F(SecretsTest, AHolderThatMissedTheSettlingHearsOfItWhenItIsBack) {
  split("deploy key", 2, {a_, b_, c_});
  // c's disk hangs from the settling on: it has the new share, and the old one still.
  group_.at(c_).hold_disk = true;
  const RequestId id = group_.ask(origin_, SecretRefreshRequest{"deploy key"});
  EXPECT_EQ(group_.at(origin_).answers.count(id), 0u) << "not every holder has it on disk";
  group_.release_disk(c_);
  ASSERT_EQ(group_.at(origin_).answers.count(id), 1u);
  EXPECT_EQ(shares_on_disk(c_), 1u);
  group_.stop(origin_);
  ASSERT_TRUE(group_.start(origin_).ok());
  for (size_t n : {a_, b_, c_}) group_.link(origin_, n);
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain);
  const std::string list = group_.answer(origin_, SecretListRequest{});
  EXPECT_NE(list.find("\"generation\":2"), std::string::npos) << list;
  EXPECT_NE(list.find("\"unsettled\":0"), std::string::npos) << list;
}

TEST_F(SecretsTest, ACrashOfTheOwnerBeforeItWroteTheNewGenerationLeavesTheOldOne) {
  split("deploy key", 2, {a_, b_, c_});
  group_.at(origin_).hold_disk = true;
  const RequestId id = group_.ask(origin_, SecretRefreshRequest{"deploy key"});
  EXPECT_EQ(group_.at(origin_).answers.count(id), 0u);
  group_.stop(origin_);  // what was not synced is lost
  group_.at(origin_).hold_disk = false;
  ASSERT_TRUE(group_.start(origin_).ok());
  for (size_t n : {a_, b_, c_}) group_.link(origin_, n);
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain);
  EXPECT_NE(group_.answer(origin_, SecretRefreshRequest{"deploy key"}).find("\"generation\":2"), std::string::npos) << "and it can be done again";
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain);
  for (size_t n : {a_, b_, c_}) EXPECT_EQ(shares_on_disk(n), 1u);
}

// req: A14
TEST_F(SecretsTest, ResharingMovesTheSecretWithoutAnybodyHavingIt) {
  for (const auto scheme : {object::SecretScheme::kFeldman, object::SecretScheme::kPedersen}) {
    const std::string name = object::enum_name(scheme);
    split(name, 2, {a_, b_, c_}, scheme);
    group_.stop(a_);
    const std::string moved = group_.answer(origin_, SecretReshareRequest{name, 3, keys({b_, c_, d_}), false});
    EXPECT_NE(moved.find("\"threshold\":3"), std::string::npos) << moved;
    EXPECT_EQ(combine(origin_, name).plain, kPlain);
    EXPECT_EQ(shares_on_disk(d_), 1u);
    EXPECT_EQ(shares_on_disk(a_), 1u) << "it was away";
    ASSERT_TRUE(group_.start(a_).ok());
    group_.link(origin_, a_);
    EXPECT_EQ(shares_on_disk(a_), 0u) << "and erases when it is back";
    EXPECT_NE(group_.answer(origin_, SecretReshareRequest{name, 2, keys({a_, b_}), false}).find("\"generation\":3"), std::string::npos);
    EXPECT_EQ(combine(origin_, name).plain, kPlain);
    group_.answer(origin_, SecretRemoveRequest{name});
    for (size_t n : {a_, b_, c_, d_}) EXPECT_EQ(shares_on_disk(n), 0u);
  }
}

TEST_F(SecretsTest, SomebodyWithLeaveLearnsOfANewGeneration) {
  split("deploy key", 2, {a_, b_, c_});
  group_.answer(origin_, SecretAllowRequest{"deploy key", key(friend_), 3600});
  const std::string name = codec::key_text(group_.at(origin_).owner.public_key()) + "/deploy key";
  EXPECT_EQ(combine(friend_, name).plain, kPlain);
  group_.answer(origin_, SecretRefreshRequest{"deploy key"});
  EXPECT_EQ(combine(friend_, name).plain, kPlain);
  const std::string list = group_.answer(friend_, SecretListRequest{});
  EXPECT_NE(list.find("\"generation\":2"), std::string::npos) << list;
}

TEST_F(SecretsTest, ANameIsTakenOnce) {
  split("deploy key", 2, {a_, b_});
  EXPECT_EQ(split("deploy key", 2, {a_, b_}), "refused: exists");
  group_.answer(origin_, SecretRemoveRequest{"deploy key"});
  EXPECT_EQ(combine(origin_, "deploy key").answer, "refused: not_found");
  EXPECT_EQ(split("deploy key", 2, {a_, b_}).substr(0, 1), "{");
}

TEST_F(SecretsTest, OnesOwnMachineMayHoldAShare) {
  EXPECT_EQ(split("deploy key", 2, {origin_, a_, b_}).substr(0, 1), "{");
  EXPECT_EQ(shares_on_disk(origin_), 1u);
  group_.stop(a_);
  EXPECT_EQ(combine(origin_, "deploy key").plain, kPlain);
}

TEST(TokenBucketTest, GivesABurstAndThenOneEach) {
  TokenBucket bucket(3, seconds(10));
  Instant now = Instant::from_unix_seconds(1000);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now));
  EXPECT_EQ(bucket.wait(now), seconds(10));
  EXPECT_FALSE(bucket.take(now + seconds(9)));
  EXPECT_TRUE(bucket.take(now + seconds(10)));
  EXPECT_FALSE(bucket.take(now + seconds(10)));
  EXPECT_FALSE(bucket.full(now + seconds(10)));
  EXPECT_TRUE(bucket.full(now + seconds(40)));
  now = now + seconds(1000);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now)) << "it does not save up";
}

}  // namespace
}  // namespace selvedge::node
