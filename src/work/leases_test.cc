#include "work/leases.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "crypto/sign.h"

namespace selvedge::work {
namespace {

constexpr uint64_t kNow = 1'800'000'000;

crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

class LeasesTest : public testing::Test {
 protected:
  object::Signed<object::Grant> grant(uint8_t origin, uint64_t seconds) {
    object::Grant out;
    out.owner = owner_.public_key();
    out.node.bytes.fill(5);
    out.origin.bytes.fill(origin);
    out.classes = object::kCompute;
    out.cpu_permille = 500;
    out.memory_bytes = 1 << 20;
    out.issued = kNow;
    out.expires = kNow + seconds;
    out.nonce.bytes.fill(++nonce_);
    return object::sign_object(owner_, out).value();
  }
  object::ObjectId add(uint8_t origin, uint64_t seconds) {
    auto signed_grant = grant(origin, seconds);
    const object::ObjectId id = signed_grant.id;
    EXPECT_TRUE(leases_.add(now_, std::move(signed_grant), out_).ok());
    return id;
  }
  std::vector<LeaseStage> changes() {
    std::vector<LeaseStage> stages;
    stops_ = 0;
    for (const LeaseEffect& effect : out_.take()) {
      if (const auto* changed = std::get_if<LeaseChanged>(&effect)) stages.push_back(changed->stage);
      else ++stops_;
    }
    return stages;
  }
  LeaseStage stage(const object::ObjectId& id) { return leases_.find(id)->stage; }

  crypto::Ed25519Signer owner_{seed_of("owner")};
  Instant now_ = Instant::from_unix_seconds(kNow);
  Leases leases_;
  Leases::Out out_;
  uint8_t nonce_ = 0;
  size_t stops_ = 0;
};

// req: D1
TEST_F(LeasesTest, GoesThroughItsStagesAtTheRightTimes) {
  const object::ObjectId id = add(1, 3600);
  EXPECT_EQ(changes(), std::vector<LeaseStage>{LeaseStage::kActive});
  EXPECT_EQ(leases_.next_deadline(), now_ + seconds(3600) - kExpiringWindow);
  leases_.on_deadline(leases_.next_deadline() - nanoseconds(1), out_);
  EXPECT_TRUE(changes().empty());
  leases_.on_deadline(leases_.next_deadline(), out_);
  EXPECT_EQ(changes(), std::vector<LeaseStage>{LeaseStage::kExpiring});
  EXPECT_TRUE(leases_.find(id)->usable());
  EXPECT_EQ(leases_.next_deadline(), now_ + seconds(3600));
  leases_.on_deadline(leases_.next_deadline(), out_);
  EXPECT_EQ(changes(), std::vector<LeaseStage>{LeaseStage::kExpired});
  EXPECT_EQ(stops_, 1u);
  EXPECT_FALSE(leases_.find(id)->usable());
  EXPECT_EQ(leases_.next_deadline(), Instant::never());
}

// req: D2
TEST_F(LeasesTest, PauseStopsAndResumeTakesUpAgain) {
  const object::ObjectId id = add(1, 3600);
  (void)changes();
  ASSERT_TRUE(leases_.pause(id, out_).ok());
  EXPECT_EQ(changes(), std::vector<LeaseStage>{LeaseStage::kPaused});
  EXPECT_EQ(stops_, 1u);
  EXPECT_EQ(leases_.of_origin(leases_.find(id)->grant.body.origin), nullptr);
  ASSERT_TRUE(leases_.pause(id, out_).ok());
  EXPECT_TRUE(changes().empty());
  ASSERT_TRUE(leases_.resume(now_, id, out_).ok());
  EXPECT_EQ(stage(id), LeaseStage::kActive);
}

TEST_F(LeasesTest, APausedLeaseExpiresAndDoesNotComeBack) {
  const object::ObjectId id = add(1, 3600);
  ASSERT_TRUE(leases_.pause(id, out_).ok());
  leases_.on_deadline(now_ + seconds(3590), out_);
  EXPECT_EQ(stage(id), LeaseStage::kPaused) << "expiring is nothing to tell of a paused lease";
  leases_.on_deadline(now_ + seconds(3600), out_);
  EXPECT_EQ(stage(id), LeaseStage::kExpired);
  EXPECT_EQ(leases_.resume(now_ + seconds(3601), id, out_).code(), Errc::kInvalid);
}

// req: D2
TEST_F(LeasesTest, RevocationIsForGood) {
  const object::ObjectId id = add(1, 3600);
  (void)changes();
  ASSERT_TRUE(leases_.revoke(id, out_).ok());
  EXPECT_EQ(changes(), std::vector<LeaseStage>{LeaseStage::kRevoked});
  EXPECT_EQ(stops_, 1u);
  EXPECT_EQ(leases_.pause(id, out_).code(), Errc::kInvalid);
  EXPECT_EQ(leases_.resume(now_, id, out_).code(), Errc::kInvalid);
  leases_.on_deadline(now_ + seconds(4000), out_);
  EXPECT_EQ(stage(id), LeaseStage::kRevoked);
  (void)changes();
  ASSERT_TRUE(leases_.revoke(id, out_).ok());
  EXPECT_TRUE(changes().empty());
  EXPECT_EQ(stops_, 1u) << "asking again stops again";
}

TEST_F(LeasesTest, TheLeaseThatEndsLastIsUsed) {
  (void)add(1, 1000);
  const object::ObjectId late = add(1, 5000);
  (void)add(2, 9000);
  crypto::PublicKey origin;
  origin.bytes.fill(1);
  EXPECT_EQ(leases_.of_origin(origin)->grant.id, late);
}

TEST_F(LeasesTest, AShortNameMustNameOne) {
  const object::ObjectId id = add(1, 1000);
  EXPECT_EQ(leases_.by_prefix(id.hex()).value(), id);
  EXPECT_EQ(leases_.by_prefix(id.hex().substr(0, 8)).value(), id);
  EXPECT_EQ(leases_.by_prefix("").code(), Errc::kNotFound);
  EXPECT_EQ(leases_.by_prefix(id.hex().substr(0, 3)).code(), Errc::kNotFound);
  EXPECT_EQ(leases_.by_prefix("zzzzzz").code(), Errc::kNotFound);
  object::ObjectId nobody;
  EXPECT_EQ(leases_.revoke(nobody, out_).code(), Errc::kNotFound);
  EXPECT_EQ(leases_.pause(nobody, out_).code(), Errc::kNotFound);
  EXPECT_EQ(leases_.resume(now_, nobody, out_).code(), Errc::kNotFound);
}

TEST_F(LeasesTest, EndedLeasesMakeRoomAndLiveOnesDoNot) {
  std::vector<object::ObjectId> all;
  for (size_t i = 0; i < kLeasesMax; ++i) {
    nonce_ = uint8_t(i);
    all.push_back(add(uint8_t(1 + i % 250), 1000 + i));
  }
  auto more = grant(1, 99'999);
  EXPECT_EQ(leases_.add(now_, more, out_).code(), Errc::kLimit);
  ASSERT_TRUE(leases_.pause(all[0], out_).ok());
  EXPECT_EQ(leases_.add(now_, more, out_).code(), Errc::kLimit);
  ASSERT_TRUE(leases_.revoke(all[1], out_).ok());
  EXPECT_TRUE(leases_.add(now_, more, out_).ok());
  EXPECT_EQ(leases_.find(all[1]), nullptr);
  EXPECT_NE(leases_.find(all[0]), nullptr);
}

TEST_F(LeasesTest, EachLeaseHasADomainOfItsOwn) {
  const object::ObjectId a = add(1, 1000), b = add(1, 2000);
  EXPECT_NE(leases_.find(a)->number, leases_.find(b)->number);
}

}  // namespace
}  // namespace selvedge::work
