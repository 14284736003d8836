// Audit entries and heads: what they refuse, and that a quorum counts distinct members.
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/hash.h"
#include "object/audit_entry.h"
#include "object/audit_head.h"

namespace selvedge::object {
namespace {

crypto::Ed25519Signer audit_signer(uint8_t byte) { return crypto::Ed25519Signer(crypto::Seed::from(Bytes(32, byte)).value()); }

AuditEntry entry_about(Bytes bytes) {
  AuditEntry entry;
  entry.kind = AuditKind::kGrant;
  entry.time_ms = 1'790'000'000'000;
  entry.subject.bytes.fill(7);
  entry.detail = "given";
  entry.digest = crypto::sha256(bytes);
  entry.bytes = std::move(bytes);
  return entry;
}

// req: A15
TEST(AuditEntryTest, HoldsSmallObjectsAndNamesLargeOnes) {
  AuditEntry entry = entry_about(Bytes(kAuditBytesMax, 1));
  EXPECT_TRUE(entry.validate().ok());
  const Bytes bytes = unsigned_bytes(entry);
  EXPECT_LE(bytes.size(), kLogEntrySizeMax);
  EXPECT_EQ(unsigned_bytes(open_unsigned<AuditEntry>(bytes).value()), bytes);
  entry.bytes->push_back(1);
  EXPECT_EQ(entry.validate().code(), Errc::kLimit);
  entry.bytes.reset();
  EXPECT_TRUE(entry.validate().ok());
  entry = entry_about({1, 2, 3});
  entry.bytes->front() = 9;
  EXPECT_EQ(entry.validate().code(), Errc::kIntegrity);
  entry = entry_about({});
  entry.detail = "two\nlines";
  EXPECT_EQ(entry.validate().code(), Errc::kInvalid);
  entry.detail = std::string(kAuditDetailSizeMax + 1, 'a');
  EXPECT_EQ(entry.validate().code(), Errc::kInvalid);
  entry.detail = "\xff";
  EXPECT_EQ(entry.validate().code(), Errc::kInvalid);
}

TEST(AuditEntryTest, KindsHaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (uint8_t kind = 0; kind <= uint8_t(AuditKind::kLast); ++kind) EXPECT_TRUE(names.insert(enum_name(AuditKind(kind))).second);
  EXPECT_FALSE(names.count("unknown"));
}

struct HeadWorld {
  crypto::Ed25519Signer owner = audit_signer(1);
  crypto::Ed25519Signer node = audit_signer(2);
  std::vector<crypto::Ed25519Signer> witnesses;
  std::vector<PublicKey> members;
  crypto::Ed25519Verifier verifier;
  std::string text;

  HeadWorld() {
    for (uint8_t i = 0; i < 4; ++i) witnesses.push_back(audit_signer(uint8_t(10 + i)));
    for (const crypto::Ed25519Signer& each : witnesses) members.push_back(each.public_key());
    std::sort(members.begin(), members.end());
    text = checkpoint_text({audit_name(node.public_key()), 1, merkle_leaf(view("a")), {}});
  }
  codec::NoteSignature cosignature(const crypto::Signer& signer, uint64_t time = 5) const {
    return codec::cosign_note(signer, audit_name(signer.public_key()), time, text);
  }
  AuditHead head(std::vector<codec::NoteSignature> cosignatures, uint32_t quorum = 2) const {
    AuditHead out;
    out.owner = owner.public_key();
    out.node = node.public_key();
    out.quorum = quorum;
    out.size = 1;
    out.root = merkle_leaf(view("a"));
    cosignatures.insert(cosignatures.begin(), codec::sign_note(node, audit_name(node.public_key()), text));
    out.note = codec::note_text({text, cosignatures});
    return out;
  }
};

// req: A8 A15
TEST(AuditHeadTest, ASignedHeadOpensAndNothingElseDoes) {
  const HeadWorld world;
  const AuditHead head = world.head({world.cosignature(world.witnesses[0])});
  const Bytes bytes = sign_object(world.node, head).value().bytes;
  EXPECT_TRUE(open_object<AuditHead>(bytes, world.verifier).ok());
  EXPECT_EQ(sign_object(world.owner, head).code(), Errc::kUnauthorized);
  for (size_t at = 0; at < bytes.size(); ++at) {
    Bytes changed = bytes;
    changed[at] ^= 1;
    EXPECT_FALSE(open_object<AuditHead>(changed, world.verifier).ok()) << at;
  }
  AuditHead other = head;
  other.size = 2;
  EXPECT_EQ(other.validate().code(), Errc::kInvalid);
  other = head;
  other.root.bytes[0] ^= 1;
  EXPECT_EQ(other.validate().code(), Errc::kInvalid);
  other = head;
  other.node = world.owner.public_key();
  EXPECT_EQ(other.validate().code(), Errc::kInvalid);
  other = head;
  other.quorum = kAuditQuorumMax + 1;
  EXPECT_EQ(other.validate().code(), Errc::kLimit);
}

// req: A13 A15
TEST(AuditHeadTest, DistinctMembersMakeAQuorum) {
  const HeadWorld world;
  const auto& w = world.witnesses;
  const auto check = [&](const AuditHead& head, uint32_t quorum_min = 0) { return check_audit_head(head, world.members, quorum_min, world.verifier); };
  EXPECT_EQ(check(world.head({world.cosignature(w[0]), world.cosignature(w[1])}))->size(), 2u);
  EXPECT_EQ(check(world.head({world.cosignature(w[0])})).code(), Errc::kUnavailable);
  EXPECT_EQ(check(world.head({world.cosignature(w[0]), world.cosignature(w[0], 6)})).code(), Errc::kUnavailable) << "one witness twice";
  EXPECT_EQ(check(world.head({world.cosignature(w[0]), world.cosignature(audit_signer(99))})).code(), Errc::kUnavailable) << "a stranger";
  EXPECT_EQ(check(world.head({world.cosignature(w[0]), world.cosignature(world.node)})).code(), Errc::kUnavailable) << "the log itself";
  EXPECT_EQ(check(world.head({world.cosignature(w[0]), world.cosignature(w[1])}), 3).code(), Errc::kUnavailable) << "who checks may ask for more";
  EXPECT_TRUE(check(world.head({}, 0)).ok());
  codec::NoteSignature forged = world.cosignature(w[1]);
  forged.signature.back() ^= 1;
  EXPECT_EQ(check(world.head({world.cosignature(w[0]), world.cosignature(w[2]), forged})).code(), Errc::kIntegrity) << "a bad signature refuses the note";
  const auto cosigners = audit_cosigners(world.head({world.cosignature(w[0], 6), world.cosignature(w[0], 9)}).note, world.node.public_key(), world.verifier);
  EXPECT_EQ(cosigners.value(), (std::vector<AuditCosigner>{{w[0].public_key(), 9}}));
}

TEST(AuditHeadTest, TheLogItselfMustHaveSigned) {
  const HeadWorld world;
  const std::string note = codec::note_text({world.text, {world.cosignature(world.witnesses[0])}});
  EXPECT_EQ(audit_cosigners(note, world.node.public_key(), world.verifier).code(), Errc::kUnauthorized);
  EXPECT_EQ(audit_name_key(audit_name(world.node.public_key())), world.node.public_key());
  EXPECT_FALSE(audit_name_key("selvedge/x"));
  EXPECT_FALSE(audit_name_key("example.com/log"));
}

}  // namespace
}  // namespace selvedge::object
