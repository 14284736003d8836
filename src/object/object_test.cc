// Envelopes and kinds: what opens, what is refused, and how things are named; revocations; zone keys.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/rng.h"
#include "codec/value.h"
#include "object/test_world.h"
#include "object/zone_keys.h"

namespace selvedge::object {
namespace {

using testing::kNow;
using testing::now;
using testing::seed_of;

/// Accepts every signature, to reach what lies behind it.
class TrustingVerifier final : public crypto::Verifier {
 public:
  bool verify(const PublicKey&, ByteView, const crypto::Signature&) const override { return true; }
};

/// A random secret under the next epoch, whose number it returns.
uint64_t add_next(ZoneKeys& keys, crypto::Drbg& drbg) {
  const uint64_t epoch = keys.latest_epoch().value_or(0) + 1;
  CHECK(keys.add_epoch(epoch, drbg.seed()).ok());
  return epoch;
}

template <class T>
void expect_round_trip(const crypto::Signer& signer, const crypto::Signer& other, const T& body) {
  const crypto::Ed25519Verifier verifier;
  const Signed<T> made = sign_object(signer, body).value();
  const Result<Signed<T>> opened = open_object<T>(made.bytes, verifier);
  ASSERT_TRUE(opened.ok()) << T::kName << ": " << opened.error().message;
  EXPECT_EQ(opened->id, made.id);
  EXPECT_EQ(opened->signer, signer.public_key());
  EXPECT_EQ(codec::encode(opened->body), codec::encode(body));
  EXPECT_EQ(peek_schema(made.bytes).value(), schema_id_of<T>());
  EXPECT_TRUE(codec::check_canonical(made.bytes).ok());
  EXPECT_EQ(sign_object(other, body).code(), Errc::kUnauthorized) << T::kName;
  // Someone else's signature over the same body, made without sign_object's help.
  const MadeEnvelope forged = make_envelope(other, make_payload(schema_id_of<T>(), codec::encode(body)));
  EXPECT_EQ(open_object<T>(forged.bytes, verifier).code(), Errc::kUnauthorized) << T::kName;
}

// req: A9
TEST(EnvelopeTest, EveryKindOpensAsItWasSignedAndOnlyByItsAuthor) {
  const testing::World w;
  const ObjectId grant = sign_object(w.host_owner, w.grant()).value().id;
  expect_round_trip(w.origin, w.stranger, w.node_record(w.origin, w.origin_node));
  expect_round_trip(w.host_owner, w.stranger, w.grant());
  expect_round_trip(w.machine, w.stranger, Lease{grant, w.machine.public_key(), w.origin.public_key(), kNow, kNow + kDay, LeaseState::kActive});
  expect_round_trip(w.origin, w.stranger, w.policy());
  expect_round_trip(w.origin_node, w.stranger, w.capability());
  expect_round_trip(w.origin, w.stranger, w.manifest());
  expect_round_trip(w.origin_node, w.stranger, w.offer(grant));
  expect_round_trip(w.machine, w.stranger, Commitment{w.task, w.machine.public_key(), commitment_digest(w.reveal())});
  expect_round_trip(w.machine, w.stranger, w.reveal());
  expect_round_trip(w.machine, w.stranger, w.receipt());
  expect_round_trip(w.origin, w.stranger, w.revocation(w.origin, RevocationTarget::kDevice, w.origin_node.public_key()));
}

// req: A9 C15
TEST(EnvelopeTest, NoByteCanBeChanged) {
  const testing::World w;
  const Signed<Grant> made = sign_object(w.host_owner, w.grant()).value();
  for (size_t i = 0; i < made.bytes.size(); ++i) {
    for (const uint8_t bit : {1, 0x20, 0x80}) {
      Bytes changed = made.bytes;
      changed[i] ^= bit;
      EXPECT_FALSE(open_object<Grant>(changed, w.verifier).ok()) << i;
    }
  }
  for (size_t size = 0; size < made.bytes.size(); ++size) {
    EXPECT_FALSE(open_object<Grant>(ByteView(made.bytes).first(size), w.verifier).ok()) << size;
  }
  Bytes longer = made.bytes;
  longer.push_back(0);
  EXPECT_FALSE(open_object<Grant>(longer, w.verifier).ok());
}

// req: A9
TEST(EnvelopeTest, SaysWhyItRefuses) {
  const testing::World w;
  const Signed<Grant> made = sign_object(w.host_owner, w.grant()).value();
  EXPECT_EQ(open_object<Lease>(made.bytes, w.verifier).code(), Errc::kUnsupported) << "another schema";
  Bytes signature = made.bytes;
  signature.back() ^= 1;
  EXPECT_EQ(open_object<Grant>(signature, w.verifier).code(), Errc::kIntegrity);
  Bytes amount = made.bytes;  // a changed body under the old signature
  amount[amount.size() - 70] ^= 1;
  EXPECT_EQ(open_object<Grant>(amount, w.verifier).code(), Errc::kIntegrity);
  EXPECT_EQ(open_object<Grant>(Bytes(kObjectSizeMax + 1), w.verifier).code(), Errc::kLimit);
  Bytes payload = make_payload(schema_id_of<Grant>(), codec::encode(w.grant()));
  payload[5] = 2;
  EXPECT_EQ(open_object<Grant>(make_envelope(w.host_owner, payload).bytes, w.verifier).code(), Errc::kUnsupported) << "another version";
  payload[0] = 'X';
  EXPECT_EQ(open_object<Grant>(make_envelope(w.host_owner, payload).bytes, w.verifier).code(), Errc::kInvalid) << "another magic";
}

// req: A3
TEST(EnvelopeTest, ANonCanonicalBodyIsRefusedEvenWhenItIsSigned) {
  const testing::World w;
  Bytes body = codec::encode(w.grant());
  ASSERT_EQ(body[0], 0x8c) << "a list of twelve fields";
  body[0] = 0x98;  // the same length in two bytes
  body.insert(body.begin() + 1, 11);
  const Bytes signed_bytes = make_envelope(w.host_owner, make_payload(schema_id_of<Grant>(), body)).bytes;
  EXPECT_EQ(open_object<Grant>(signed_bytes, w.verifier).code(), Errc::kNonCanonical);
}

// req: A9
TEST(EnvelopeTest, TakesNoHeaderButItsOwn) {
  const testing::World w;
  const Bytes payload = make_payload(schema_id_of<Grant>(), codec::encode(w.grant()));
  const TrustingVerifier trusting;
  const auto envelope = [&payload](const codec::Writer& header, const codec::Writer& unprotected) {
    codec::Writer out;
    out.put_tag(18);
    out.put_array(4);
    out.put_bytes(header.bytes());
    out.put_encoded(unprotected.bytes());
    out.put_bytes(payload);
    out.put_bytes(Bytes(64, 1));
    return out.take();
  };
  const auto header = [&w](int64_t algorithm) {
    codec::Writer out;
    out.put_map(2);
    out.put_unsigned(1);
    out.put_signed(algorithm);
    out.put_unsigned(4);
    out.put_bytes(w.host_owner.public_key());
    return out;
  };
  codec::Writer nothing;
  nothing.put_map(0);
  EXPECT_TRUE(open_object<Grant>(envelope(header(-8), nothing), trusting).ok()) << "the helper makes good envelopes";
  EXPECT_EQ(open_object<Grant>(envelope(header(-7), nothing), trusting).code(), Errc::kUnsupported) << "ES256";
  codec::Writer extra;
  extra.put_map(1);
  extra.put_unsigned(5);
  extra.put_null();
  EXPECT_EQ(open_object<Grant>(envelope(header(-8), extra), trusting).code(), Errc::kInvalid) << "something unsigned";
  codec::Writer no_key;
  no_key.put_map(1);
  no_key.put_unsigned(1);
  no_key.put_signed(-8);
  EXPECT_EQ(open_object<Grant>(envelope(no_key, nothing), trusting).code(), Errc::kUnsupported);
}

// req: A4
TEST(IdsTest, ObjectIdsBindZoneSchemaContentAndSigner) {
  const ZoneId zone = zone_id(PublicKey{}, "a");
  const SchemaId schema = schema_id("Kind", 1, "{}");
  const ObjectId id = object_id(zone, schema, view("content"));
  EXPECT_EQ(object_id(zone, schema, view("content")), id);
  EXPECT_NE(object_id(zone_id(PublicKey{}, "b"), schema, view("content")), id);
  EXPECT_NE(object_id(zone, schema_id("Kind", 2, "{}"), view("content")), id);
  EXPECT_NE(object_id(zone, schema, view("contenu")), id);
  const testing::World w;
  Commitment body{w.task, w.machine.public_key(), {}};
  const ObjectId mine = sign_object(w.machine, body).value().id;
  body.executor = w.reader.public_key();
  EXPECT_NE(sign_object(w.reader, body).value().id, mine);
}

// req: A4
TEST(IdsTest, LengthPrefixesKeepFieldsApart) {
  EXPECT_NE(schema_id("ab", 1, "c"), schema_id("a", 1, "bc"));
  EXPECT_NE(zone_id(PublicKey{}, ""), zone_id(PublicKey{}, std::string_view("\0", 1)));
  std::set<SchemaId> all = {schema_id_of<NodeRecord>(), schema_id_of<Grant>(),  schema_id_of<Lease>(),      schema_id_of<ZonePolicy>(),
                            schema_id_of<Capability>(),     schema_id_of<TaskSpec>(), schema_id_of<TaskOffer>(), schema_id_of<Commitment>(),
                            schema_id_of<Reveal>(),     schema_id_of<Receipt>(), schema_id_of<Revocation>(), schema_id_of<BlockGroup>()};
  EXPECT_EQ(all.size(), 12u);
}

// req: A12
TEST(KindsTest, NothingLivesLongerThanItsKindMay) {
  const testing::World w;
  const auto code = [](const crypto::Signer& signer, auto body, uint64_t ttl) {
    body.expires = body.issued + ttl;
    const auto made = sign_object(signer, body);
    return made.ok() ? std::optional<Errc>() : made.code();
  };
  EXPECT_EQ(code(w.host_owner, w.grant(), kCapabilityTtlMax), std::nullopt);
  EXPECT_EQ(code(w.host_owner, w.grant(), kCapabilityTtlMax + 1), Errc::kInvalid);
  EXPECT_EQ(code(w.host_owner, w.grant(), 0), Errc::kInvalid);
  EXPECT_EQ(code(w.origin_node, w.capability(), kCapabilityTtlMax + 1), Errc::kInvalid);
  EXPECT_EQ(code(w.origin, w.policy(), kDelegationTtlMax + 1), Errc::kInvalid);
  EXPECT_EQ(code(w.origin, w.node_record(w.origin, w.machine), kDelegationTtlMax + 1), Errc::kInvalid);
  EXPECT_EQ(code(w.origin_node, w.offer(ObjectId{}), kOfferTtlMax + 1), Errc::kInvalid);
  Grant long_lived = w.grant();  // signed by hand, past sign_object
  long_lived.expires = long_lived.issued + kCapabilityTtlMax + 1;
  const Bytes bytes = make_envelope(w.host_owner, make_payload(schema_id_of<Grant>(), codec::encode(long_lived))).bytes;
  EXPECT_EQ(open_object<Grant>(bytes, w.verifier).code(), Errc::kInvalid);
  EXPECT_EQ(kCapabilityTtlMax, 90 * 86'400u);
  EXPECT_EQ(kSymbolTtlDefault, 30 * 86'400u);
  EXPECT_EQ(kAuditTtlDefault, 7 * 365 * 86'400u);
}

TEST(KindsTest, RefuseWhatMakesNoSense) {
  const testing::World w;
  Grant grant = w.grant();
  grant.classes = 0;
  EXPECT_EQ(grant.validate().code(), Errc::kInvalid);
  grant.classes = 16;
  EXPECT_EQ(grant.validate().code(), Errc::kUnsupported);
  ZonePolicy policy = w.policy();
  policy.owner = w.stranger.public_key();
  EXPECT_EQ(policy.validate().code(), Errc::kUnauthorized) << "a zone belongs to the key it was made from";
  policy = w.policy();
  policy.executors = {w.host_owner.public_key(), w.host_owner.public_key()};
  EXPECT_EQ(policy.validate().code(), Errc::kNonCanonical);
  Capability access = w.capability();
  access.whole_zone = true;
  EXPECT_EQ(access.validate().code(), Errc::kInvalid);
  access.whole_zone = false;
  access.objects.clear();
  EXPECT_EQ(access.validate().code(), Errc::kInvalid) << "an empty list is never 'everything'";
  Reveal reveal = w.reveal();
  reveal.output.reset();
  EXPECT_EQ(reveal.validate().code(), Errc::kInvalid);
  TaskOffer offer = w.offer(ObjectId{});
  offer.spec.args = {"\xff"};
  EXPECT_EQ(sign_object(w.origin_node, offer).code(), Errc::kInvalid) << "bad text is an error, not a crash";
}

// req: D4
TEST(KindsTest, ATaskSaysWhatItsProgramFinds) {
  const testing::World w;
  const auto with_environment = [&](std::vector<std::string> environment) {
    TaskSpec spec = w.spec();
    spec.environment = std::move(environment);
    return spec.validate();
  };
  EXPECT_TRUE(with_environment({"A=", "B=x=y"}).ok());
  EXPECT_EQ(with_environment({"A"}).code(), Errc::kInvalid);
  EXPECT_EQ(with_environment({"=x"}).code(), Errc::kInvalid);
  EXPECT_EQ(with_environment({"B=x", "A=x"}).code(), Errc::kNonCanonical);
  EXPECT_EQ(with_environment({"A=x", "A=y"}).code(), Errc::kNonCanonical);
  EXPECT_EQ(with_environment(std::vector<std::string>(kEnvironmentMax + 1, "A=x")).code(), Errc::kLimit);
  const auto with_paths = [&](std::vector<std::string> paths) {
    TaskSpec spec = w.spec();
    spec.inputs.clear();
    for (std::string& path : paths) spec.inputs.push_back({Cid::of(codec::Codec::kRaw, view("x")), std::nullopt, std::move(path)});
    return spec.validate();
  };
  EXPECT_TRUE(with_paths({"", "", "a/b", "c/", "/"}).ok());
  EXPECT_EQ(with_paths({"a", "a/"}).code(), Errc::kInvalid);
  for (const char* path : {"/a", "../a", "a//b", "a/.", "//", "a\n"}) EXPECT_EQ(with_paths({path}).code(), Errc::kInvalid) << path;
  EXPECT_EQ(with_paths({std::string(156, 'a')}).code(), Errc::kLimit);
  std::vector<std::string> many;
  for (size_t i = 0; i <= kTaskFilesMax; ++i) many.push_back("f" + std::to_string(i));
  EXPECT_EQ(with_paths(many).code(), Errc::kLimit);
}

// req: D11
TEST(KindsTest, ACommitmentBindsEveryPartOfTheReveal) {
  const testing::World w;
  const Reveal reveal = w.reveal();
  const Digest digest = commitment_digest(reveal);
  std::set<Digest> others;
  Reveal other = reveal;
  other.executor = w.reader.public_key();
  others.insert(commitment_digest(other));
  other = reveal, other.task.bytes[0] ^= 1;
  others.insert(commitment_digest(other));
  other = reveal, other.nonce.bytes[0] ^= 1;
  others.insert(commitment_digest(other));
  other = reveal, other.output->digest.bytes[0] ^= 1;
  others.insert(commitment_digest(other));
  other = reveal, other.trace.bytes[0] ^= 1;
  others.insert(commitment_digest(other));
  other = reveal, other.fuel += 1;
  others.insert(commitment_digest(other));
  EXPECT_EQ(others.size(), 6u);
  EXPECT_EQ(others.count(digest), 0u);
}

// req: R23 R27 B1
TEST(KindsTest, ABlockGroupNamesItsSymbols) {
  BlockGroup group;
  group.zone = zone_id(PublicKey{}, "z");
  group.epoch = 1;
  group.object_bytes = 100'000;
  group.symbol_bytes = 1024;
  group.source_blocks = 1;
  ASSERT_TRUE(group.validate().ok());
  const Bytes bytes = unsigned_bytes(group);
  EXPECT_EQ(unsigned_id(open_unsigned<BlockGroup>(bytes).value()), unsigned_id(group));
  BlockGroup other = group;
  other.content_tag.bytes[0] ^= 1;
  EXPECT_NE(unsigned_id(other), unsigned_id(group));
  other = group, other.source_blocks = 257;
  EXPECT_EQ(open_unsigned<BlockGroup>(unsigned_bytes(other)).code(), Errc::kLimit);
  other = group, other.whole = true;
  EXPECT_EQ(open_unsigned<BlockGroup>(unsigned_bytes(other)).code(), Errc::kInvalid);
  EXPECT_EQ(open_unsigned<TaskSpec>(bytes).code(), Errc::kUnsupported);
}

TEST(KindsTest, ABlobIsAsLongAsItsPieces) {
  const testing::World w;
  BlobRef blob{Cid{}, 5, {w.group()}};
  EXPECT_TRUE(blob.validate().ok());
  blob.size = 6;
  EXPECT_EQ(blob.validate().code(), Errc::kInvalid);
  blob.groups.push_back(w.group());
  blob.groups[1].object_bytes = UINT64_MAX - 1;
  EXPECT_EQ(blob.validate().code(), Errc::kInvalid) << "a sum that wraps";
  blob.groups.assign(kBlobGroupsMax + 1, w.group());
  EXPECT_EQ(blob.validate().code(), Errc::kLimit);
}

class RevocationTest : public ::testing::Test {
 protected:
  Signed<Revocation> make(const crypto::Signer& issuer, uint64_t number, RevocationTarget kind = RevocationTarget::kCapability,
                          uint64_t cutoff = kNow) {
    Revocation body{issuer.public_key(), kind, {}, cutoff, RevocationReason::kUnspecified, kNow};
    store_u64(body.target.bytes.data(), number + 1);
    return sign_object(issuer, body).value();
  }
  crypto::SimKeyring keyring_;
  crypto::SimSigner owner_{seed_of("owner"), keyring_};
  crypto::SimSigner stranger_{seed_of("stranger"), keyring_};
  RevocationSet set_{owner_.public_key()};
};

// req: A11 B11
TEST_F(RevocationTest, OneIssuerCannotCrowdOutTheRest) {
  for (uint64_t i = 0; i < kRevocationsPerIssuerMax; ++i) ASSERT_TRUE(set_.add(make(stranger_, i)).ok());
  EXPECT_EQ(set_.add(make(stranger_, kRevocationsPerIssuerMax)).code(), Errc::kLimit);
  EXPECT_TRUE(set_.add(make(stranger_, 0)).ok()) << "one that is known takes no room";
  for (uint64_t i = 0; i <= kRevocationsPerIssuerMax; ++i) ASSERT_TRUE(set_.add(make(owner_, i)).ok());
}

// req: A11
TEST_F(RevocationTest, TheEarlierCutoffCounts) {
  const Signed<Revocation> late = make(owner_, 1, RevocationTarget::kKey, kNow + 100);
  const Signed<Revocation> soon = make(owner_, 1, RevocationTarget::kKey, kNow);
  const auto revoked = [&] { return set_.revoked_by(owner_.public_key(), RevocationTarget::kKey, late.body.target, now()); };
  ASSERT_TRUE(set_.add(late).ok());
  EXPECT_FALSE(revoked());
  const uint64_t before = set_.generation();
  ASSERT_TRUE(set_.add(soon).ok());
  EXPECT_TRUE(revoked());
  EXPECT_GT(set_.generation(), before);
  ASSERT_TRUE(set_.add(late).ok());
  EXPECT_TRUE(revoked()) << "a later one takes nothing back";
}

// req: A11 A12
TEST_F(RevocationTest, PruningForgetsExpiredCapabilitiesOnly) {
  ASSERT_TRUE(set_.add(make(owner_, 1, RevocationTarget::kCapability)).ok());
  ASSERT_TRUE(set_.add(make(owner_, 2, RevocationTarget::kKey)).ok());
  ASSERT_TRUE(set_.add(make(owner_, 3, RevocationTarget::kObject)).ok());
  ASSERT_TRUE(set_.add(make(owner_, 4, RevocationTarget::kCapability, UINT64_MAX)).ok());
  EXPECT_EQ(set_.prune(now() + seconds(int64_t(kCapabilityTtlMax))), 0u);
  EXPECT_EQ(set_.prune(now() + seconds(int64_t(kCapabilityTtlMax + kDay))), 1u);
  EXPECT_EQ(set_.size(), 3u);
}

// req: B2 R12
TEST(ZoneKeysTest, SymbolsOpenInTheirOwnPlaceOnly) {
  crypto::Drbg drbg(seed_of("drbg"));
  ZoneKeys keys(zone_id(PublicKey{}, "z"));
  EXPECT_EQ(keys.latest_epoch().code(), Errc::kNotFound);
  ASSERT_EQ(add_next(keys, drbg), 1u);
  ASSERT_EQ(add_next(keys, drbg), 2u);
  EXPECT_EQ(keys.latest_epoch().value(), 2u);
  const ObjectId object = object_id(keys.zone(), SchemaId{}, view("x"));
  const ObjectKey key = keys.object_key(1, object, 5000, 1024).value();
  const Bytes plain(1024, 0x5a);
  Bytes sealed = plain;
  const SymbolPlace place = key.place(3, 77);
  const crypto::AeadTag tag = seal_symbol(key, place, sealed);
  EXPECT_NE(sealed, plain);
  const auto open = [&](const ObjectKey& with, const SymbolPlace& at) {
    Bytes copy = sealed;
    const Status status = open_symbol(with, at, copy, tag);
    return status.ok() && copy == plain ? std::optional<Errc>() : std::optional<Errc>(status.ok() ? Errc::kInternal : status.code());
  };
  EXPECT_EQ(open(key, place), std::nullopt);
  EXPECT_EQ(open(key, key.place(3, 78)), Errc::kIntegrity);
  EXPECT_EQ(open(key, key.place(4, 77)), Errc::kIntegrity);
  EXPECT_EQ(open(key, key.place(3, kEsiMax + 1)), Errc::kInvalid);
  EXPECT_EQ(open(key, {3, 77, 5001, 1024}), Errc::kInvalid);
  EXPECT_EQ(open(keys.object_key(2, object, 5000, 1024).value(), place), Errc::kIntegrity) << "another epoch";
  EXPECT_EQ(open(keys.object_key(1, object_id(keys.zone(), SchemaId{}, view("y")), 5000, 1024).value(), place), Errc::kIntegrity);
  const ObjectKey recut = keys.object_key(1, object, 5000, 512).value();
  EXPECT_EQ(open(recut, recut.place(3, 77)), Errc::kIntegrity) << "cut another way";
  EXPECT_EQ(keys.object_key(3, object, 5000, 1024).code(), Errc::kNotFound);
  EXPECT_FALSE(recut.key().equals(key.key())) << "the key itself depends on how the object is cut (R12)";
  EXPECT_FALSE(keys.object_key(1, object, 5001, 1024).value().key().equals(key.key()));
}

// req: R12
TEST(ZoneKeysTest, NoKeyAndNonceEverSealTwoPlaintexts) {
  // Every way in which two symbols could come close: contents of equal size, the same content cut differently, several epochs,
  // re-encryption of the same object, whole objects, the edges of SBN and ESI. What a (key, nonce) sealed is remembered.
  crypto::Drbg drbg(seed_of("hunt"));
  Rng rng(12);
  ZoneKeys keys(zone_id(PublicKey{}, "z"));
  for (int i = 0; i < 3; ++i) add_next(keys, drbg);
  std::map<Bytes, Digest> sealed;
  size_t repeats = 0;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t epoch = rng.between(1, 3);
    const uint64_t size = rng.chance(1, 2) ? 2000 : rng.between(1, 3000);
    const Digest content = crypto::sha256(ByteView(Bytes(size, uint8_t(rng.below(3)))));
    BlockGroup group;
    group.zone = keys.zone();
    group.epoch = epoch;
    group.object_bytes = size;
    group.whole = rng.chance(1, 8);
    group.symbol_bytes = group.whole ? 0 : uint32_t(rng.chance(1, 2) ? 16 : 32);
    group.source_blocks = group.whole ? 0 : 1;
    group.content_tag = keys.content_tag(epoch, content, size).value();
    ASSERT_TRUE(group.validate().ok());
    const ObjectKey key = keys.object_key(epoch, unsigned_id(group), group.object_bytes, group.symbol_bytes).value();
    const SymbolPlace place = group.whole ? key.place(0, 0) : key.place(uint8_t(rng.chance(1, 2) ? 0 : 255), rng.chance(1, 2) ? uint32_t(rng.below(3)) : kEsiMax);
    // A symbol is a function of the content, how it is cut, and its place.
    const Digest plaintext = crypto::Sha256().update(content).update(Bytes{place.sbn, uint8_t(place.esi), uint8_t(place.esi >> 16),
                                                                            uint8_t(place.symbol_bytes), uint8_t(size), uint8_t(size >> 8)}).finish();
    // The keystream of (key, nonce), which is what must not repeat: that of a constant text.
    Bytes stream(32, 0);
    seal_symbol(key, place, stream);
    const auto [it, fresh] = sealed.emplace(stream, plaintext);
    if (!fresh) ++repeats;
    ASSERT_EQ(it->second, plaintext) << "a key and nonce sealed two plaintexts";
  }
  EXPECT_GT(repeats, 100u) << "the same symbol was sealed again: the hunt met what it is about";
}

// req: R24
TEST(ZoneKeysTest, ExecutorsGetObjectKeysForOneTask) {
  crypto::Drbg drbg(seed_of("drbg"));
  const crypto::SealKeyPair executor(seed_of("executor"));
  const crypto::SealKeyPair other(seed_of("other"));
  ZoneKeys keys(zone_id(PublicKey{}, "z"));
  add_next(keys, drbg);
  std::vector<ObjectKey> wanted;
  for (const char* name : {"a", "b"}) {
    wanted.push_back(keys.object_key(1, object_id(keys.zone(), SchemaId{}, view(name)), 100, 0).value());
  }
  TaskId task;
  task.bytes[0] = 1;
  const Bytes sealed = seal_object_keys(wanted, task, executor.public_key(), drbg).value();
  const std::vector<ObjectKey> opened = open_object_keys(sealed, task, executor).value();
  ASSERT_EQ(opened.size(), 2u);
  EXPECT_EQ(opened[1].object(), wanted[1].object());
  EXPECT_TRUE(opened[1].key().equals(wanted[1].key()));
  EXPECT_EQ(open_object_keys(sealed, task, other).code(), Errc::kUnauthorized);
  EXPECT_EQ(open_object_keys(sealed, TaskId{}, executor).code(), Errc::kIntegrity) << "another task";
  EXPECT_EQ(std::get<std::vector<ObjectKey>>(open_offered_keys(sealed, task, executor).value()).size(), 2u);
}

// req: D12
TEST(ZoneKeysTest, LockedKeysOpenWithTheSecretOfTheirRunForTheirTaskAndExecutor) {
  crypto::Drbg drbg(seed_of("drbg"));
  const crypto::SealKeyPair executor(seed_of("executor"));
  const crypto::Secret<32> run = drbg.seed(), another = drbg.seed();
  ZoneKeys keys(zone_id(PublicKey{}, "z"));
  add_next(keys, drbg);
  std::vector<ObjectKey> wanted;
  wanted.push_back(keys.object_key(1, object_id(keys.zone(), SchemaId{}, view("a")), 100, 0).value());
  TaskId task, other_task;
  task.bytes[0] = 1;
  PublicKey machine, other_machine;
  machine.bytes[0] = 2;
  const Bytes locked = lock_object_keys(wanted, run, task, machine, drbg).value();
  EXPECT_NE(locked, lock_object_keys(wanted, run, task, machine, drbg).value()) << "each under a key of its own";
  const std::vector<ObjectKey> opened = unlock_object_keys(locked, run, task, machine).value();
  ASSERT_EQ(opened.size(), 1u);
  EXPECT_TRUE(opened[0].key().equals(wanted[0].key()));
  EXPECT_EQ(unlock_object_keys(locked, another, task, machine).code(), Errc::kIntegrity);
  EXPECT_EQ(unlock_object_keys(locked, run, other_task, machine).code(), Errc::kIntegrity);
  EXPECT_EQ(unlock_object_keys(locked, run, task, other_machine).code(), Errc::kIntegrity);
  EXPECT_EQ(unlock_object_keys(ByteView(locked).first(40), run, task, machine).code(), Errc::kInvalid);

  const KeyLeave leave{to_bytes(view("manifest")), to_bytes(view("capability")), locked};
  const Bytes sealed = seal_key_leave(leave, task, executor.public_key(), drbg).value();
  EXPECT_EQ(std::get<KeyLeave>(open_offered_keys(sealed, task, executor).value()).locked, locked);
  EXPECT_FALSE(open_object_keys(sealed, task, executor).ok()) << "leave is no key";
  EXPECT_FALSE(open_offered_keys(sealed, other_task, executor).ok());
}

// req: A6
TEST(ZoneKeysTest, EpochKeysTravelSealedToOneDevice) {
  crypto::Drbg drbg(seed_of("drbg"));
  const crypto::SealKeyPair device(seed_of("device"));
  ZoneKeys owner(zone_id(PublicKey{}, "z"));
  add_next(owner, drbg);
  const Bytes sealed = owner.seal_epoch(1, device.public_key(), drbg).value();
  ZoneKeys mine(owner.zone());
  EXPECT_EQ(mine.open_epoch(2, sealed, device).code(), Errc::kIntegrity) << "the epoch is bound in";
  ASSERT_TRUE(mine.open_epoch(1, sealed, device).ok());
  const ObjectId object = object_id(owner.zone(), SchemaId{}, view("x"));
  EXPECT_TRUE(mine.object_key(1, object, 1, 0).value().key().equals(owner.object_key(1, object, 1, 0).value().key()));
  EXPECT_EQ(mine.add_epoch(1, seed_of("another")).code(), Errc::kExists);
  ZoneKeys elsewhere(zone_id(PublicKey{}, "y"));
  EXPECT_EQ(elsewhere.open_epoch(1, sealed, device).code(), Errc::kIntegrity) << "the zone is bound in";
}

// req: A6
TEST(ZoneKeysTest, AHolderCannotConfirmAGuess) {
  crypto::Drbg drbg(seed_of("drbg"));
  const Digest content = crypto::sha256(view("a known file"));
  ZoneKeys mine(zone_id(PublicKey{}, "z"));
  ZoneKeys theirs(zone_id(PublicKey{}, "z"));
  add_next(mine, drbg);
  add_next(theirs, drbg);
  EXPECT_EQ(mine.content_tag(1, content, 12).value(), mine.content_tag(1, content, 12).value());
  EXPECT_NE(mine.content_tag(1, content, 12).value(), theirs.content_tag(1, content, 12).value());
  EXPECT_NE(mine.content_tag(1, content, 12).value(), mine.content_tag(1, content, 13).value());
}

}  // namespace
}  // namespace selvedge::object
