// The vault alone: what it writes into the audit log and when, what it takes in and what it refuses, its bounds, and time.
#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "node/vault.h"

namespace selvedge::node {
namespace {

crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

class VaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    NodeConfig config;
    config.owner = &host_owner_;
    config.node = &host_;
    config.seal = &host_seal_;
    config.verifier = &verifier_;
    config.started = now_;
    config.zone_root = seed_of("zone");
    config.random = seed_of("random");
    core_.emplace(std::move(config));
    vault_.emplace(*core_);
    core_->on_audit = [this](Turn& turn, object::AuditEntry entry) {
      EXPECT_EQ(entry.kind, object::AuditKind::kSecret);
      verdicts_.push_back(object::open_object<object::SecretVerdict>(entry.bytes.value(), verifier_).value().body);
      sent_before_audit_ = answers_in(turn.out);
    };
    Outbox<store::Effect> disk;
    (void)core_->store.recovered(disk);
    meet(1, origin_owner_, origin_, origin_seal_);
    meet(2, stranger_owner_, stranger_, origin_seal_);
    ASSERT_TRUE(core_->authority.add_given(object::sign_object(host_owner_, grant()).value()).ok());
    object::ZonePolicy policy = object::default_policy(origin_owner_.public_key(), kZoneName).value();
    policy.issued = seconds_now();
    policy.expires = policy.issued + object::kDay;
    policy.serial = 1;
    ASSERT_TRUE(core_->authority.add_policy(object::sign_object(origin_owner_, policy).value()).ok());
  }

  uint64_t seconds_now() const { return now_.unix_seconds(); }
  object::Grant grant() const {
    object::Grant out;
    out.owner = host_owner_.public_key();
    out.node = host_.public_key();
    out.origin = origin_owner_.public_key();
    out.classes = object::kStorage;
    out.storage_bytes = 1 << 20;
    out.issued = seconds_now();
    out.expires = out.issued + object::kDay;
    return out;
  }
  void meet(mesh::LinkId link, const crypto::Signer& owner, const crypto::Signer& node, const crypto::SealKeyPair& seal) {
    object::NodeRecord record{owner.public_key(), node.public_key(), seal.public_key(), seconds_now(), seconds_now() + object::kDay, 1, {}};
    const auto made = object::sign_object(owner, record).value();
    mesh::Sessions::Out out;
    core_->sessions.on_link_opened(now_, link, node.public_key(), out);
    core_->sessions.on_hello(now_, link, mesh::Hello{{mesh::kProtocolVersion}, 65536, made.bytes}, out);
    ASSERT_TRUE(core_->sessions.up(node.public_key()));
  }
  static size_t answers_in(const Outbox<Effect>& out) {
    size_t count = 0;
    for (const Effect& effect : out) {
      const auto* sent = std::get_if<SendMessage>(&effect);
      count += sent != nullptr && sent->message[0] == ShareGiven::kType ? 1 : 0;
    }
    return count;
  }
  /// Lets the disk answer, and returns the last message that went to `link`.
  std::optional<SecretMessages::Message> carry_out(Outbox<Effect>& out, mesh::LinkId link = 1) {
    std::optional<SecretMessages::Message> last;
    for (;;) {
      std::vector<Effect> effects = out.take();
      if (effects.empty()) return last;
      for (Effect& effect : effects) {
        if (auto* use = std::get_if<UseDisk>(&effect)) {
          Turn turn{now_, out};
          core_->on_done(turn, core_->store.on_persisted(std::get<store::DiskWrite>(use->effect).token));
        } else if (auto* sent = std::get_if<SendMessage>(&effect); sent != nullptr && sent->link == link) {
          last = SecretMessages::decode(sent->message).value();
        }
      }
    }
  }

  /// A secret of the origin's, 2 of this host and two others.
  struct Split {
    object::SecretManifest body;
    std::vector<object::SharePlain> shares;
    crypto::VssDealing dealing;
  };
  Split split(uint64_t days = 1) {
    Split out;
    object::SecretManifest& body = out.body;
    body.zone = object::zone_id(origin_owner_.public_key(), kZoneName);
    body.owner = origin_owner_.public_key();
    body.secret = drbg_.draw<object::SecretId>();
    body.name = "deploy key";
    body.scheme = object::SecretScheme::kFeldman;
    body.threshold = 2;
    body.generation = 1;
    for (const crypto::Signer* node : {static_cast<const crypto::Signer*>(&host_), static_cast<const crypto::Signer*>(&origin_),
                                       static_cast<const crypto::Signer*>(&stranger_)}) {
      body.holders.push_back({node->public_key(), host_owner_.public_key(), {}});
    }
    const auto scalar = crypto::vss_random_scalar(drbg_);
    out.dealing = crypto::vss_deal(crypto::VssScheme::kFeldman, scalar, 2, 3, drbg_).value();
    for (const auto& point : out.dealing.commitments.points) body.commitments.push_back({point.bytes});
    for (const auto& share : out.dealing.shares) out.shares.push_back(object::SharePlain::of(share));
    body.sealed = object::seal_secret(body.scheme, scalar, body.zone, body.owner, body.secret, view("plain"));
    body.sealed_digest = crypto::sha256(body.sealed);
    body.issued = seconds_now();
    body.expires = body.issued + days * object::kDay;
    return out;
  }
  using Delivery = decltype(object::SecretShare::delivery);
  Delivery dealt(const Split& made, size_t index = 0) {
    const object::ShareSeal seal{object::ShareSeal::Use::kHeld, made.body.secret, made.body.generation, 0, {}};
    return object::DealtShare{object::seal_share(made.shares[index], seal, host_seal_.public_key(), drbg_).value()};
  }
  ShareStored bring(const object::SecretManifest& body, Delivery delivery) {
    const auto manifest = object::sign_object(origin_owner_, body).value();
    object::SecretShare share{body.zone, body.owner, manifest.id, body.secret, body.generation, 1, host_.public_key(), std::move(delivery), body.issued,
                              body.expires};
    const auto signed_share = object::sign_object(origin_owner_, share).value();
    Outbox<Effect> out;
    Turn turn{now_, out};
    vault_->on_store(turn, origin_.public_key(), ShareStore{7, manifest.bytes, signed_share.bytes});
    return std::get<ShareStored>(carry_out(out).value());
  }
  ShareStored settle(const object::SecretManifest& body, SettleAction action) {
    Outbox<Effect> out;
    Turn turn{now_, out};
    vault_->on_settle(turn, origin_.public_key(), ShareSettle{8, body.secret, body.generation, action});
    return std::get<ShareStored>(carry_out(out).value());
  }
  ShareGiven ask(const object::SecretManifest& body, const crypto::Signer& asker, mesh::LinkId link) {
    object::SecretRelease release{body.zone, body.owner, body.secret, body.generation, asker.public_key(), origin_seal_.public_key(), "deploy", "combine",
                                  seconds_now(), seconds_now() + 60, drbg_.draw<object::Unique>()};
    last_nonce_ = release.nonce;
    Outbox<Effect> out;
    Turn turn{now_, out};
    vault_->on_ask(turn, asker.public_key(), ShareAsk{9, object::sign_object(asker, release).value().bytes, {}});
    return std::get<ShareGiven>(carry_out(out, link).value());
  }

  Instant now_ = Instant::from_unix_seconds(1'790'000'000);
  crypto::Ed25519Signer host_owner_{seed_of("host owner")}, host_{seed_of("host")}, origin_owner_{seed_of("origin owner")}, origin_{seed_of("origin")},
      stranger_owner_{seed_of("stranger owner")}, stranger_{seed_of("stranger")};
  crypto::SealKeyPair host_seal_{seed_of("host seal")}, origin_seal_{seed_of("origin seal")};
  crypto::Ed25519Verifier verifier_;
  crypto::Drbg drbg_{seed_of("test")};
  std::optional<Core> core_;
  std::optional<Vault> vault_;
  std::vector<object::SecretVerdict> verdicts_;
  size_t sent_before_audit_ = 0;
  object::Unique last_nonce_;
};

// req: A14, A15
TEST_F(VaultTest, EveryReleaseAndRefusalIsHandedToTheAuditLogBeforeItsAnswerLeaves) {
  const Split made = split();
  ASSERT_EQ(bring(made.body, dealt(made)).error, 0);
  const ShareGiven given = ask(made.body, origin_, 1);
  ASSERT_EQ(given.error, 0) << given.message;
  ASSERT_EQ(verdicts_.size(), 1u);
  EXPECT_EQ(sent_before_audit_, 0u);
  EXPECT_EQ(verdicts_[0].error, 0);
  EXPECT_EQ(verdicts_[0].asker, origin_.public_key());
  EXPECT_EQ(verdicts_[0].holder, host_.public_key());
  EXPECT_EQ(verdicts_[0].purpose, "deploy");
  EXPECT_EQ(verdicts_[0].nonce, last_nonce_);
  const object::ShareSeal seal{object::ShareSeal::Use::kRelease, made.body.secret, 1, 0, last_nonce_};
  EXPECT_TRUE(object::open_share(given.sealed, seal, 1, origin_seal_).value().value.equals(made.shares[0].value));
  EXPECT_EQ(ask(made.body, stranger_, 2).error, uint8_t(Errc::kUnauthorized));
  ASSERT_EQ(verdicts_.size(), 2u);
  EXPECT_EQ(verdicts_[1].error, uint8_t(Errc::kUnauthorized));
  EXPECT_EQ(verdicts_[1].asker, stranger_.public_key());
  // Of a secret that is not here nothing is said and nothing written.
  EXPECT_EQ(ask(split().body, stranger_, 2).error, uint8_t(Errc::kUnauthorized));
  EXPECT_EQ(verdicts_.size(), 2u);
}

TEST_F(VaultTest, AStrangerCannotFillTheAuditLog) {
  const Split made = split();
  ASSERT_EQ(bring(made.body, dealt(made)).error, 0);
  for (uint32_t i = 0; i < kRefusalBurst + 50; ++i) EXPECT_NE(ask(made.body, stranger_, 2).error, 0);
  EXPECT_EQ(verdicts_.size(), kRefusalBurst);
  EXPECT_EQ(ask(made.body, origin_, 1).error, 0);
  EXPECT_EQ(verdicts_.size(), kRefusalBurst + 1) << "releases are always written down";
}

// req: A14
TEST_F(VaultTest, AShareThatDoesNotFitIsNotTakenIn) {
  const Split made = split();
  EXPECT_EQ(bring(made.body, dealt(made, 1)).error, uint8_t(Errc::kIntegrity)) << "another holder's share";
  Split changed = split();
  changed.shares[0].value.mutable_view()[0] ^= 1;
  EXPECT_EQ(bring(changed.body, dealt(changed)).error, uint8_t(Errc::kIntegrity));
  Split later = split();
  later.body.generation = 2;
  EXPECT_EQ(bring(later.body, dealt(later)).error, uint8_t(Errc::kInvalid)) << "later generations are never just dealt";
  const Split other = split();
  EXPECT_EQ(bring(made.body, dealt(other)).error, uint8_t(Errc::kIntegrity)) << "sealed for another secret";
  EXPECT_EQ(vault_->held(), 0u);
}

// req: A14
TEST_F(VaultTest, ARefreshThatWouldChangeTheSecretIsRefused) {
  const Split made = split();
  ASSERT_EQ(bring(made.body, dealt(made)).error, 0);
  ASSERT_EQ(settle(made.body, SettleAction::kKeep).error, 0);
  const auto refresh = [&](const crypto::VssDealing& addition, const std::vector<object::CommitmentBytes>& commitments) {
    object::SecretManifest next = made.body;
    next.generation = 2;
    next.commitments = commitments;
    object::RefreshShare share;
    for (const auto& point : addition.commitments.points) share.commitments.push_back({point.bytes});
    const object::ShareSeal seal{object::ShareSeal::Use::kAddition, next.secret, 2, 0, {}};
    share.sealed = object::seal_share(object::SharePlain::of(addition.shares[0]), seal, host_seal_.public_key(), drbg_).value();
    return bring(next, std::move(share));
  };
  const auto sum = [&](const crypto::VssDealing& addition) {
    std::vector<object::CommitmentBytes> out;
    const std::vector<crypto::VssCommitments> refreshes = {addition.commitments};
    const crypto::VssCommitments next = crypto::vss_refreshed_commitments(made.dealing.commitments, refreshes).value();
    for (const auto& point : next.points) out.push_back({point.bytes});
    return out;
  };
  const auto poison = crypto::vss_deal(crypto::VssScheme::kFeldman, crypto::vss_random_scalar(drbg_), 2, 3, drbg_).value();
  EXPECT_EQ(refresh(poison, made.body.commitments).error, uint8_t(Errc::kIntegrity));
  const auto zero = crypto::vss_deal_refresh(crypto::VssScheme::kFeldman, 2, 3, drbg_).value();
  EXPECT_EQ(refresh(zero, made.body.commitments).error, uint8_t(Errc::kIntegrity)) << "commitments that do not follow";
  EXPECT_EQ(refresh(zero, sum(zero)).error, 0);
  EXPECT_EQ(vault_->held(), 2u);
  object::SecretManifest next = made.body;
  next.generation = 2;
  EXPECT_EQ(settle(next, SettleAction::kKeep).error, 0);
  EXPECT_EQ(vault_->held(), 1u);
  EXPECT_EQ(ask(made.body, origin_, 1).error, uint8_t(Errc::kNotFound)) << "the old share is gone";
  EXPECT_EQ(bring(made.body, dealt(made)).error, uint8_t(Errc::kExists)) << "and does not come back";
}

TEST_F(VaultTest, OnlyWhatIsNotInForceIsDropped) {
  const Split made = split();
  ASSERT_EQ(bring(made.body, dealt(made)).error, 0);
  ASSERT_EQ(bring(made.body, dealt(made)).error, 0) << "the same again, before it is settled";
  ASSERT_EQ(settle(made.body, SettleAction::kKeep).error, 0);
  EXPECT_EQ(settle(made.body, SettleAction::kDrop).error, 0);
  EXPECT_EQ(vault_->held(), 1u);
  EXPECT_EQ(settle(made.body, SettleAction::kForget).error, 0);
  EXPECT_EQ(vault_->held(), 0u);
  EXPECT_EQ(settle(made.body, SettleAction::kKeep).error, uint8_t(Errc::kNotFound));
}

TEST_F(VaultTest, AStrangerCannotSettleOrStoreAnothersShares) {
  const Split made = split();
  ASSERT_EQ(bring(made.body, dealt(made)).error, 0);
  Outbox<Effect> out;
  Turn turn{now_, out};
  vault_->on_settle(turn, stranger_.public_key(), ShareSettle{8, made.body.secret, 1, SettleAction::kForget});
  (void)carry_out(out, 2);
  EXPECT_EQ(vault_->held(), 1u);
  const auto manifest = object::sign_object(origin_owner_, made.body).value();
  vault_->on_store(turn, stranger_.public_key(), ShareStore{7, manifest.bytes, manifest.bytes});
  EXPECT_NE(std::get<ShareStored>(carry_out(out, 2).value()).error, 0);
}

TEST_F(VaultTest, OneOwnerTakesBoundedRoomAndTheGrantsMeasureCounts) {
  for (size_t i = 0; i < kSharesPerOriginMax; ++i) {
    const Split made = split();
    ASSERT_EQ(bring(made.body, dealt(made)).error, 0) << i;
  }
  const Split one_more = split();
  EXPECT_EQ(bring(one_more.body, dealt(one_more)).error, uint8_t(Errc::kLimit));
}

TEST_F(VaultTest, SharesEndWithTheirTime) {
  const Split made = split(2);
  ASSERT_EQ(bring(made.body, dealt(made)).error, 0);
  EXPECT_EQ(vault_->next_deadline(), Instant::from_unix_seconds(made.body.expires));
  now_ = Instant::from_unix_seconds(made.body.expires);
  Outbox<Effect> out;
  Turn turn{now_, out};
  vault_->on_deadline(turn);
  EXPECT_EQ(vault_->held(), 0u);
  EXPECT_EQ(vault_->next_deadline(), Instant::never());
}

TEST_F(VaultTest, WhatIsOnDiskComesBack) {
  const Split made = split();
  ASSERT_EQ(bring(made.body, dealt(made)).error, 0);
  ASSERT_EQ(settle(made.body, SettleAction::kKeep).error, 0);
  Vault again(*core_);
  Outbox<Effect> out;
  Turn turn{now_, out};
  again.restore(turn);
  EXPECT_EQ(again.held(), 1u);
}

}  // namespace
}  // namespace selvedge::node
