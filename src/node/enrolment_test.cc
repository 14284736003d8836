#include "node/enrolment.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "crypto/seal.h"

namespace selvedge::node {
namespace {

constexpr uint64_t kNow = 1'790'000'000;
crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

struct Parties {
  crypto::Ed25519Signer owner{seed_of("owner")};
  crypto::Ed25519Signer node{seed_of("node")};
  crypto::Ed25519Signer old_node{seed_of("old")};
  crypto::Ed25519Verifier verifier;
  Instant now = Instant::from_unix_seconds(kNow);

  EnrolRequest request() const {
    EnrolRequest out;
    out.owner = owner.public_key();
    out.node = node.public_key();
    out.seal_key = crypto::SealKeyPair(seed_of("seal")).public_key();
    out.label = "laptop";
    out.issued = kNow;
    out.expires = kNow + kEnrolRequestTtl;
    return out;
  }
  object::Signed<object::NodeRecord> record(const crypto::Signer& by) const {
    object::NodeRecord out;
    out.owner = by.public_key();
    out.node = node.public_key();
    out.seal_key = crypto::SealKeyPair(seed_of("seal")).public_key();
    out.issued = kNow;
    out.expires = kNow + object::kDay;
    out.serial = 1;
    return object::sign_object(by, out).value();
  }
};

// req: A1
TEST(EnrolmentTest, ARequestIsOpenedByWhoeverItIsCarriedTo) {
  Parties p;
  const std::string text = request_text(object::sign_object(p.node, p.request()).value(), nullptr);
  const auto opened = open_request_text("  " + text.substr(0, 70) + "\n" + text.substr(70), p.verifier, p.now);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->body.label, "laptop");
  EXPECT_EQ(open_request_text(text, p.verifier, p.now + seconds(7 * 86'400)).code(), Errc::kExpired);
  EXPECT_EQ(open_request_text(text, p.verifier, p.now - seconds(3600)).code(), Errc::kInvalid);
  EXPECT_EQ(open_request_text(text.substr(0, text.size() - 1), p.verifier, p.now).code(), Errc::kIntegrity);
}

TEST(EnrolmentTest, NobodyEnrolsAKeyTheyDoNotHold) {
  Parties p;
  EXPECT_EQ(object::sign_object(p.old_node, p.request()).code(), Errc::kUnauthorized);
  EnrolRequest shouted = p.request();
  shouted.label = "a\nb";
  EXPECT_EQ(object::sign_object(p.node, shouted).code(), Errc::kInvalid);
}

// req: A1
TEST(EnrolmentTest, ASuccessionNeedsTheOldKeysWord) {
  Parties p;
  EnrolRequest request = p.request();
  request.succeeds = p.old_node.public_key();
  const auto made = object::sign_object(p.node, request).value();
  EXPECT_FALSE(open_request_text(request_text(made, nullptr), p.verifier, p.now).ok()) << "nobody said so";
  const auto word = object::sign_object(p.old_node, Succession{p.old_node.public_key(), p.node.public_key(), kNow}).value();
  EXPECT_TRUE(open_request_text(request_text(made, &word), p.verifier, p.now).ok());
  const auto other = object::sign_object(p.old_node, Succession{p.old_node.public_key(), p.owner.public_key(), kNow}).value();
  EXPECT_EQ(open_request_text(request_text(made, &other), p.verifier, p.now).code(), Errc::kUnauthorized) << "that was about another key";
}

TEST(EnrolmentTest, AnAnswerIsForOneDeviceByItsOwner) {
  Parties p;
  const std::string text = answer_text({p.record(p.owner).bytes, {{p.owner.public_key(), {"192.0.2.1:7443"}}}});
  const auto opened = open_answer_text(text, p.owner.public_key(), p.node.public_key(), p.verifier);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->hosts.size(), 1u);
  EXPECT_EQ(open_answer_text(text, p.owner.public_key(), p.old_node.public_key(), p.verifier).code(), Errc::kUnauthorized);
  const std::string foreign = answer_text({p.record(p.old_node).bytes, {}});
  EXPECT_EQ(open_answer_text(foreign, p.owner.public_key(), p.node.public_key(), p.verifier).code(), Errc::kUnauthorized);
  EXPECT_EQ(open_answer_text("selvedgerequest1abc", p.owner.public_key(), p.node.public_key(), p.verifier).code(), Errc::kInvalid);
}

}  // namespace
}  // namespace selvedge::node
