// Secrets: the signed kinds, shares sealed for one use, combining under each scheme, and share files.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "object/share_file.h"
#include "object/test_world.h"

namespace selvedge::object {
namespace {

using testing::kNow;
using testing::World;
using testing::seed_of;

constexpr SecretScheme kSchemes[] = {SecretScheme::kShamir, SecretScheme::kFeldman, SecretScheme::kPedersen};
constexpr std::string_view kPlain = "correct horse battery staple";

struct Dealt {
  SecretManifest manifest;
  std::vector<SharePlain> shares;
};

/// 2 of 3, held by the world's machine, reader and stranger.
Dealt deal(const World& world, SecretScheme scheme, crypto::Drbg& drbg) {
  Dealt out;
  SecretManifest& manifest = out.manifest;
  manifest.zone = world.zone;
  manifest.owner = world.origin.public_key();
  manifest.secret = drbg.draw<SecretId>();
  manifest.name = "deploy key";
  manifest.scheme = scheme;
  manifest.threshold = 2;
  manifest.generation = 1;
  manifest.issued = kNow;
  manifest.expires = kNow + kDay;
  for (const crypto::Ed25519Signer* node : {&world.machine, &world.reader, &world.stranger}) {
    manifest.holders.push_back({node->public_key(), world.host_owner.public_key(), {"192.0.2.1:7443"}});
  }
  crypto::Secret<32> shared = crypto::vss_random_scalar(drbg);
  if (scheme == SecretScheme::kShamir) {
    const auto dealing = crypto::shamir_split(shared, 2, 3, shamir_context(manifest.secret, 1), drbg).value();
    for (const Digest& each : dealing.terms.commitments) manifest.commitments.push_back({each.bytes});
    for (const auto& share : dealing.shares) out.shares.push_back(SharePlain::of(share));
  } else {
    const auto vss = scheme == SecretScheme::kFeldman ? crypto::VssScheme::kFeldman : crypto::VssScheme::kPedersen;
    const auto dealing = crypto::vss_deal(vss, shared, 2, 3, drbg).value();
    for (const auto& each : dealing.commitments.points) manifest.commitments.push_back({each.bytes});
    for (const auto& share : dealing.shares) out.shares.push_back(SharePlain::of(share));
  }
  manifest.sealed = seal_secret(scheme, shared, manifest.zone, manifest.owner, manifest.secret, view(kPlain));
  manifest.sealed_digest = crypto::sha256(manifest.sealed);
  return out;
}

class SecretKinds : public ::testing::Test {
 protected:
  SecretShare share() const {
    SecretShare out;
    out.zone = world_.zone;
    out.owner = world_.origin.public_key();
    out.manifest = object_id(world_.zone, SchemaId{}, view("a manifest"));
    out.secret.bytes.fill(7);
    out.generation = 1;
    out.number = 1;
    out.holder = world_.machine.public_key();
    out.delivery = DealtShare{Bytes(113, 1)};
    out.issued = kNow;
    out.expires = kNow + kDay;
    return out;
  }
  SecretRelease release() const {
    SecretRelease out;
    out.zone = world_.zone;
    out.origin = world_.origin.public_key();
    out.secret.bytes.fill(7);
    out.generation = 1;
    out.asker = world_.origin_node.public_key();
    out.reply_key = world_.machine_seal.public_key();
    out.purpose = "deploy";
    out.scope = "combine";
    out.issued = kNow;
    out.expires = kNow + kReleaseTtlMax;
    return out;
  }
  SecretReshare order() const {
    SecretReshare out;
    out.zone = world_.zone;
    out.owner = world_.origin.public_key();
    out.secret.bytes.fill(7);
    out.generation = 1;
    out.threshold = 2;
    out.receivers = {{world_.machine.public_key(), world_.machine_seal.public_key()}, {world_.reader.public_key(), world_.machine_seal.public_key()}};
    out.issued = kNow;
    out.expires = kNow + kReshareTtlMax;
    return out;
  }

  World world_;
  crypto::Drbg drbg_{seed_of("secret test")};
};

// req: A14
TEST_F(SecretKinds, EachIsSignedByItsAuthorAndOpensAgain) {
  const Dealt dealt = deal(world_, SecretScheme::kFeldman, drbg_);
  const auto manifest = sign_object(world_.origin, dealt.manifest).value();
  EXPECT_EQ(open_object<SecretManifest>(manifest.bytes, world_.verifier).value(), manifest);
  EXPECT_EQ(sign_object(world_.stranger, dealt.manifest).code(), Errc::kUnauthorized);
  const auto shared = sign_object(world_.origin, share()).value();
  EXPECT_EQ(open_object<SecretShare>(shared.bytes, world_.verifier).value(), shared);
  EXPECT_EQ(sign_object(world_.machine, share()).code(), Errc::kUnauthorized) << "a holder cannot deal in the owner's name";
  const auto asked = sign_object(world_.origin_node, release()).value();
  EXPECT_EQ(open_object<SecretRelease>(asked.bytes, world_.verifier).value(), asked);
  EXPECT_EQ(sign_object(world_.stranger, release()).code(), Errc::kUnauthorized);
  EXPECT_TRUE(sign_object(world_.origin, order()).ok());
  EXPECT_EQ(sign_object(world_.machine, order()).code(), Errc::kUnauthorized);
}

TEST_F(SecretKinds, AnyChangedByteOfASignedManifestIsRefused) {
  const auto manifest = sign_object(world_.origin, deal(world_, SecretScheme::kFeldman, drbg_).manifest).value();
  for (size_t i = 0; i < manifest.bytes.size(); ++i) {
    Bytes changed = manifest.bytes;
    changed[i] ^= 1;
    EXPECT_FALSE(open_object<SecretManifest>(changed, world_.verifier).ok()) << i;
  }
}

TEST_F(SecretKinds, AManifestThatCannotWorkIsRefused) {
  const SecretManifest good = deal(world_, SecretScheme::kFeldman, drbg_).manifest;
  const auto refuses = [&](auto change) {
    SecretManifest bad = good;
    change(bad);
    return !bad.validate().ok();
  };
  ASSERT_TRUE(good.validate().ok());
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.threshold = 1; }));
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.threshold = 4; }));
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.generation = 0; }));
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.holders[1] = m.holders[0]; }));
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.commitments.pop_back(); }));
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.sealed[3] ^= 1; }));
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.name = "two\nlines"; }));
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.name.clear(); }));
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.expires = m.issued + kSecretTtlMax + 1; }));
  EXPECT_TRUE(refuses([](SecretManifest& m) {
    m.sealed.resize(kSecretSizeMax + kSecretSealOverhead + 1);
    m.sealed_digest = crypto::sha256(m.sealed);
  }));
  EXPECT_TRUE(refuses([](SecretManifest& m) { m.secret = SecretId{}; }));
  EXPECT_EQ(good.number_of(world_.reader.public_key()), 2);
  EXPECT_EQ(good.number_of(world_.origin.public_key()), 0);
}

TEST_F(SecretKinds, RequestsAndSharesThatMakeNoSenseAreRefused) {
  SecretRelease eternal = release();
  eternal.expires = eternal.issued + kReleaseTtlMax + 1;
  EXPECT_FALSE(eternal.validate().ok());
  SecretRelease forged = release();
  forged.purpose = "x\n2026-11-21 allowed";
  EXPECT_FALSE(forged.validate().ok()) << "a purpose cannot forge a line of a log";
  SecretRelease idle = release();
  idle.purpose.clear();
  EXPECT_FALSE(idle.validate().ok());
  SecretShare odd = share();
  odd.delivery = DealtShare{Bytes(64, 1)};
  EXPECT_FALSE(odd.validate().ok());
  SecretShare thin = share();
  thin.delivery = ReshareShare{Bytes(10), {ResharePiece{1, std::vector<CommitmentBytes>(2), Bytes(113)}}};
  EXPECT_FALSE(thin.validate().ok());
  SecretReshare twice = order();
  twice.receivers[1] = twice.receivers[0];
  EXPECT_FALSE(twice.validate().ok());
  twice = order();
  twice.threshold = 3;
  EXPECT_FALSE(twice.validate().ok());
}

// req: A14, R5
TEST_F(SecretKinds, KSharesGiveTheSecretUnderEachScheme) {
  for (const SecretScheme scheme : kSchemes) {
    const Dealt dealt = deal(world_, scheme, drbg_);
    ASSERT_TRUE(dealt.manifest.validate().ok());
    for (const SharePlain& share : dealt.shares) EXPECT_TRUE(check_share(dealt.manifest, share).ok());
    const auto secret = combine_secret(dealt.manifest, std::span(dealt.shares).subspan(1)).value();
    EXPECT_EQ(to_string(secret.view()), kPlain);
    EXPECT_EQ(combine_secret(dealt.manifest, std::span(dealt.shares).first(1)).code(), Errc::kUnavailable);
    const Dealt other = deal(world_, scheme, drbg_);
    EXPECT_EQ(check_share(dealt.manifest, other.shares[0]).code(), Errc::kIntegrity) << enum_name(scheme);
    SecretManifest moved = dealt.manifest;
    moved.owner = world_.stranger.public_key();
    EXPECT_EQ(combine_secret(moved, std::span(dealt.shares).first(2)).code(), Errc::kIntegrity) << "the owner is bound in";
  }
}

// req: A14
TEST_F(SecretKinds, ASealedShareOpensForItsUseOnly) {
  const Dealt dealt = deal(world_, SecretScheme::kFeldman, drbg_);
  const ShareSeal seal{ShareSeal::Use::kRelease, dealt.manifest.secret, 1, 0, drbg_.draw<Unique>()};
  const Bytes sealed = seal_share(dealt.shares[0], seal, world_.machine_seal.public_key(), drbg_).value();
  const SharePlain opened = open_share(sealed, seal, 1, world_.machine_seal).value();
  EXPECT_TRUE(opened.value.equals(dealt.shares[0].value));
  const auto fails = [&](const ShareSeal& other, uint8_t number) { return open_share(sealed, other, number, world_.machine_seal).code() == Errc::kIntegrity; };
  ShareSeal other = seal;
  other.use = ShareSeal::Use::kHeld;
  EXPECT_TRUE(fails(other, 1));
  other = seal;
  other.generation = 2;
  EXPECT_TRUE(fails(other, 1));
  other = seal;
  other.nonce.bytes[0] ^= 1;
  EXPECT_TRUE(fails(other, 1));
  other = seal;
  other.secret.bytes[0] ^= 1;
  EXPECT_TRUE(fails(other, 1));
  other = seal;
  other.dealer = 1;
  EXPECT_TRUE(fails(other, 1));
  EXPECT_TRUE(fails(seal, 2));
  EXPECT_EQ(open_share(sealed, seal, 1, crypto::SealKeyPair(seed_of("another"))).code(), Errc::kUnauthorized);
}

// ---- the specification

template <class T>
std::string kind_row() {
  return "| " + std::string(T::kName) + " | " + std::to_string(T::kVersion) + " | `" + schema_id_of<T>().hex() + "` | `" + codec::describe<T>() + "` |\n";
}

// req: A4, A14
TEST(SecretSpec, TheTableOfKindsIsTheCodes) {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/docs/spec/secrets.md");
  std::ostringstream text;
  text << in.rdbuf();
  const std::string expected = "<!-- begin secret kinds -->\n| kind | version | schema id | fields |\n|---|---|---|---|\n" + kind_row<SecretManifest>() +
                               kind_row<SecretShare>() + kind_row<SecretRelease>() + kind_row<SecretReshare>() + kind_row<SecretVerdict>() +
                               "<!-- end secret kinds -->\n";
  EXPECT_NE(text.str().find(expected), std::string::npos) << expected;
}

// req: A14
TEST(SecretSpec, TheWorkedExampleIsWhatTheCodeComputes) {
  // The share of 2 of 3 whose id is 32 bytes 0x11 and whose key is 32 bytes 0x22, with the coefficient that the generator of seed 0x33.. draws.
  SecretId id;
  id.bytes.fill(0x11);
  crypto::Drbg drbg(crypto::Seed::from(Bytes(32, 0x33)).value());
  const auto key = crypto::Secret<32>::from(Bytes(32, 0x22)).value();
  const auto dealing = crypto::shamir_split(key, 2, 3, shamir_context(id, 1), drbg).value();
  PublicKey owner;
  owner.bytes.fill(0x55);
  ZoneId zone;
  zone.bytes.fill(0x44);
  const Bytes sealed = seal_secret(SecretScheme::kShamir, key, zone, owner, id, view("secret"));
  std::string out = "```\n";
  const auto add = [&](const std::string& name, ByteView bytes) { out += name + "  " + to_hex(bytes) + "\n"; };
  add("context      ", shamir_context(id, 1));
  add("share 1 value", dealing.shares[0].value.view());
  add("share 1 salt ", dealing.shares[0].salt.view());
  add("commitment 1 ", dealing.terms.commitments[0]);
  add("sealed       ", sealed);
  add("object name  ", secret_object(zone, id));
  out += "```\n";
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/docs/spec/secrets.md");
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_NE(text.str().find(out), std::string::npos) << out;
}

// ---- share files

std::vector<ShareFile> parse_all(const std::vector<std::string>& texts, std::initializer_list<size_t> which) {
  std::vector<ShareFile> out;
  for (const size_t i : which) out.push_back(parse_share_file(texts[i]).value());
  return out;
}

// req: A14, R5
TEST_F(SecretKinds, AnyKShareFilesGiveTheSecret) {
  const std::vector<std::string> texts = make_share_files("the vault", view(kPlain), 3, 5, drbg_).value();
  ASSERT_EQ(texts.size(), 5u);
  for (const auto& which : {std::initializer_list<size_t>{0, 1, 2}, {4, 2, 0}, {1, 3, 4}, {0, 1, 2, 3, 4}, {0, 0, 1, 2}}) {
    EXPECT_EQ(to_string(combine_share_files(parse_all(texts, which)).value().view()), kPlain);
  }
  EXPECT_EQ(combine_share_files(parse_all(texts, {0, 1})).code(), Errc::kUnavailable);
  EXPECT_EQ(combine_share_files(parse_all(texts, {0, 0, 0})).code(), Errc::kUnavailable) << "one file three times is one share";
  EXPECT_EQ(combine_share_files({}).code(), Errc::kUnavailable);
  const std::vector<std::string> other = make_share_files("the vault", view(kPlain), 3, 5, drbg_).value();
  std::vector<ShareFile> mixed = parse_all(texts, {0, 1});
  mixed.push_back(parse_share_file(other[2]).value());
  EXPECT_EQ(combine_share_files(mixed).code(), Errc::kInvalid);
  for (const std::string& text : texts) EXPECT_EQ(text.find(kPlain), std::string::npos);
}

TEST_F(SecretKinds, AShareFileSurvivesEditorsAndNotChanges) {
  const std::string text = make_share_files("n", view("x"), 2, 2, drbg_).value()[0];
  std::string windows;
  for (const char c : text) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  windows.replace(windows.find("\r\n"), 2, "\n");
  EXPECT_TRUE(parse_share_file(windows).ok());
  EXPECT_TRUE(parse_share_file(text + "\n\n# a remark\n").ok());
  const ShareFile good = parse_share_file(text).value();
  size_t refused = 0, digits = 0;
  for (size_t i = text.find('\n', text.rfind('#')) + 1; i < text.size(); ++i) {
    if (text[i] == '\n') continue;
    std::string changed = text;
    changed[i] = changed[i] == 'a' ? 'b' : 'a';
    ++digits;
    const Result<ShareFile> parsed = parse_share_file(changed);
    // What is not part of the share itself (sealed secret, commitments of others) shows when it is combined with another file.
    refused += !parsed.ok() || parsed->secret != good.secret || parsed->terms != good.terms || parsed->sealed != good.sealed || parsed->name != "n";
  }
  EXPECT_GT(digits, 200u);
  EXPECT_EQ(refused, digits);
  EXPECT_EQ(parse_share_file("").code(), Errc::kInvalid);
  EXPECT_EQ(parse_share_file("selvedge share file 2\n").code(), Errc::kUnsupported);
  EXPECT_EQ(parse_share_file(std::string(kShareFileSizeMax + 1, 'a')).code(), Errc::kLimit);
}

TEST_F(SecretKinds, ShareFilesHaveBounds) {
  EXPECT_EQ(make_share_files("n", Bytes(kSecretSizeMax + 1), 2, 3, drbg_).code(), Errc::kLimit);
  EXPECT_EQ(make_share_files("two\nlines", view("x"), 2, 3, drbg_).code(), Errc::kInvalid);
  EXPECT_EQ(make_share_files("n", view("x"), 1, 3, drbg_).code(), Errc::kInvalid);
  const std::vector<std::string> largest = make_share_files("n", Bytes(kSecretSizeMax, 7), 2, 255, drbg_).value();
  EXPECT_LE(largest[254].size(), kShareFileSizeMax);
  EXPECT_EQ(combine_share_files(parse_all(largest, {0, 254})).value().size(), kSecretSizeMax);
  EXPECT_EQ(combine_share_files(parse_all(make_share_files("empty", {}, 2, 2, drbg_).value(), {0, 1})).value().size(), 0u);
}

}  // namespace
}  // namespace selvedge::object
