// Base64 and signed notes: the examples of their specifications, and that every change is refused.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "codec/base64.h"
#include "codec/signed_note.h"

namespace selvedge::codec {
namespace {

crypto::Seed seed_of(uint8_t byte) { return crypto::Seed::from(Bytes(32, byte)).value(); }

TEST(Base64Test, MatchesRfc4648) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},           {"f", "Zg=="},       {"fo", "Zm8="},         {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : cases) {
    EXPECT_EQ(base64_encode(view(plain)), text);
    EXPECT_EQ(to_string(base64_decode(text).value()), plain);
  }
  EXPECT_EQ(base64_encode(Bytes{0xfb, 0xff, 0xfe}), "+//+");
}

TEST(Base64Test, TakesOneSpellingOnly) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm9-", "Zm9_", "Z=g=", "=g==", "Zm=v"}) {
    EXPECT_EQ(base64_decode(text).code(), Errc::kInvalid) << text;
  }
  EXPECT_EQ(base64_decode("Zh==").code(), Errc::kNonCanonical);
  EXPECT_EQ(base64_decode("Zm9=").code(), Errc::kNonCanonical);
  Rng rng(64);
  for (size_t size = 0; size < 200; ++size) {
    Bytes bytes(size);
    for (uint8_t& byte : bytes) byte = uint8_t(rng.next());
    EXPECT_EQ(base64_decode(base64_encode(bytes)).value(), bytes);
  }
}

// ---- vkeys

// The example key of c2sp.org/signed-note.
constexpr const char* kExampleVkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

// req: A15
TEST(NoteKeyTest, ReadsTheExampleOfTheSpecification) {
  const NoteKey key = parse_vkey(kExampleVkey).value();
  EXPECT_EQ(key.name, "example.com/foo");
  EXPECT_EQ(key.type, NoteKeyType::kEd25519);
  EXPECT_EQ(key.id(), 0x530d903au);
  EXPECT_EQ(vkey_text(key), kExampleVkey);
}

TEST(NoteKeyTest, RefusesWhatIsNoKey) {
  const std::string example = kExampleVkey;
  for (size_t i = 0; i < example.size(); ++i) {
    std::string changed = example;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(parse_vkey(changed).ok()) << changed;
  }
  EXPECT_EQ(parse_vkey("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").code(), Errc::kIntegrity);
  EXPECT_EQ(parse_vkey("").code(), Errc::kInvalid);
  EXPECT_EQ(parse_vkey("name").code(), Errc::kInvalid);
  EXPECT_EQ(parse_vkey("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").code(), Errc::kInvalid);
  EXPECT_EQ(parse_vkey("name+00000000+").code(), Errc::kInvalid);
  EXPECT_EQ(parse_vkey("name+00000000+AQEB").code(), Errc::kInvalid) << "a key of two bytes";
  EXPECT_EQ(parse_vkey("name+00000000+Ag==").code(), Errc::kUnsupported) << "ECDSA";
  EXPECT_EQ(parse_vkey("name+00000000+Bg==").code(), Errc::kUnsupported) << "ML-DSA-44";
}

TEST(NoteKeyTest, NamesHaveNoSpacesOfAnyKind) {
  for (const char* name : {"", "a b", "a+b", "a\nb", "a\tb", "a\x01", "a\xc2\xa0" "b", "a\xe2\x80\x83" "b", "a\xe3\x80\x80", "\xff"}) {
    EXPECT_FALSE(check_key_name(name).ok()) << name;
  }
  for (const char* name : {"a", "example.com/foo", "wörter", "—"}) EXPECT_TRUE(check_key_name(name).ok()) << name;
  EXPECT_FALSE(check_key_name(std::string(256, 'a')).ok());
}

// ---- notes

struct NoteWorld {
  crypto::Ed25519Signer log{seed_of(1)};
  crypto::Ed25519Signer witness{seed_of(2)};
  crypto::Ed25519Signer stranger{seed_of(3)};
  crypto::Ed25519Verifier verifier;
  NoteKey log_key{"log.example/a", NoteKeyType::kEd25519, log.public_key()};
  NoteKey witness_key{"witness.example/w1", NoteKeyType::kCosignature, witness.public_key()};
  std::string text = "log.example/a\n3\nsome text\n\nwith an empty line\n";

  SignedNote note() const {
    return {text, {sign_note(log, log_key.name, text), cosign_note(witness, witness_key.name, 1'790'000'000, text)}};
  }
};

// req: A15
TEST(SignedNoteTest, ReadsAndPrintsTheExampleOfTheSpecification) {
  const std::string example =
      "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
      "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
  const SignedNote note = parse_note(example).value();
  EXPECT_EQ(note.text, "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n");
  ASSERT_EQ(note.signatures.size(), 1u);
  EXPECT_EQ(note.signatures[0].name, "quasimodo.example/salvatore");
  EXPECT_EQ(note.signatures[0].key_id, 0x367ba04bu);
  EXPECT_EQ(note.signatures[0].signature.size(), 64u);
  EXPECT_EQ(note_text(note), example);
}

// req: A15
TEST(SignedNoteTest, TellsWhoSignedAndWhen) {
  const NoteWorld world;
  const SignedNote note = parse_note(note_text(world.note())).value();
  EXPECT_EQ(note, world.note());
  const NoteKey both[] = {world.witness_key, world.log_key};
  EXPECT_EQ(verify_note(note, both, world.verifier).value(), (std::vector<NoteSigner>{{0, 1'790'000'000}, {1, 0}}));
  EXPECT_EQ(verify_note(note, {&world.log_key, 1}, world.verifier).value(), (std::vector<NoteSigner>{{0, 0}}));
  EXPECT_EQ(verify_note(note, {}, world.verifier).code(), Errc::kUnauthorized);
  const NoteKey other{world.log_key.name, NoteKeyType::kEd25519, world.stranger.public_key()};
  EXPECT_EQ(verify_note(note, {&other, 1}, world.verifier).code(), Errc::kUnauthorized) << "another key of the same name";
}

TEST(SignedNoteTest, ACosignatureCountsOnceWithItsNewestTime) {
  const NoteWorld world;
  SignedNote note = world.note();
  note.signatures.push_back(cosign_note(world.witness, world.witness_key.name, 1'790'000'060, world.text));
  note.signatures.push_back(cosign_note(world.witness, world.witness_key.name, 1'790'000'030, world.text));
  EXPECT_EQ(verify_note(note, {&world.witness_key, 1}, world.verifier).value(), (std::vector<NoteSigner>{{0, 1'790'000'060}}));
}

// req: A15
TEST(SignedNoteTest, AFailingSignatureOfAKnownKeyRefusesTheNoteAndAStrangersIsPassedOver) {
  const NoteWorld world;
  const NoteKey both[] = {world.log_key, world.witness_key};
  SignedNote note = world.note();
  note.signatures.push_back({"stranger.example", 7, Bytes(64, 0)});
  note.signatures.push_back({world.log_key.name, 7, Bytes(64, 0)});             // the name of a known key, another id
  note.signatures.push_back({"stranger.example", world.log_key.id(), Bytes(9)});  // the id of a known key, another name
  EXPECT_TRUE(verify_note(note, both, world.verifier).ok());
  note.signatures.push_back({world.log_key.name, world.log_key.id(), Bytes(64, 0)});
  EXPECT_EQ(verify_note(note, both, world.verifier).code(), Errc::kIntegrity) << "although another one of that key holds";
  EXPECT_TRUE(verify_note(note, {&world.witness_key, 1}, world.verifier).ok()) << "to someone who does not know that key";
}

TEST(SignedNoteTest, KindsOfSignaturesDoNotStandInForEachOther) {
  const NoteWorld world;
  NoteSignature as_witness = sign_note(world.witness, world.witness_key.name, world.text);
  as_witness.key_id = world.witness_key.id();
  EXPECT_EQ(verify_note({world.text, {as_witness}}, {&world.witness_key, 1}, world.verifier).code(), Errc::kIntegrity);
  as_witness.signature.insert(as_witness.signature.begin(), 8, 0);
  EXPECT_EQ(verify_note({world.text, {as_witness}}, {&world.witness_key, 1}, world.verifier).code(), Errc::kIntegrity);
  NoteSignature late = cosign_note(world.witness, world.witness_key.name, 5, world.text);
  late.signature[7] = 6;
  EXPECT_EQ(verify_note({world.text, {late}}, {&world.witness_key, 1}, world.verifier).code(), Errc::kIntegrity) << "the time is signed";
  late.signature[0] = 0x80;
  EXPECT_EQ(verify_note({world.text, {late}}, {&world.witness_key, 1}, world.verifier).code(), Errc::kIntegrity) << "past 63 bits";
}

// req: A15
TEST(SignedNoteTest, NoByteOfASignedNoteCanChange) {
  const NoteWorld world;
  const NoteKey both[] = {world.log_key, world.witness_key};
  const std::string genuine = note_text(world.note());
  for (size_t at = 0; at < genuine.size(); ++at) {
    for (const uint8_t flip : {1, 2, 4, 8, 16, 32, 64, 128}) {
      std::string changed = genuine;
      changed[at] = char(uint8_t(changed[at]) ^ flip);
      const Result<SignedNote> note = parse_note(changed);
      if (!note.ok()) continue;
      EXPECT_EQ(note_text(*note), changed);
      const auto signers = verify_note(*note, both, world.verifier);
      // A changed name or key id makes a signature one of a stranger: the note then counts for less, never for more.
      EXPECT_TRUE(!signers.ok() || (note->text == world.text && signers->size() == 1)) << at << " " << int(flip);
    }
  }
}

TEST(SignedNoteTest, RefusesWhatIsNoNote) {
  const NoteWorld world;
  const std::string line = signature_lines({sign_note(world.log, "a", "text\n")});
  const auto code = [](const std::string& text) { return parse_note(text).code(); };
  EXPECT_TRUE(parse_note("text\n\n" + line).ok());
  EXPECT_TRUE(parse_note("\n\n" + line).ok());
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("text\n\n"), "text\n" + line, "text" + line, "text\n\n" + line.substr(0, line.size() - 1),
        "text\n\n" + line + "\n", "te\txt\n\n" + line, "te\rxt\n\n" + line, "te\xffxt\n\n" + line, std::string("text\n\n\xe2\x80\x94 a\n"),
        std::string("text\n\n\xe2\x80\x94 a AAAAAA==\n"), "text\n\n\xe2\x80\x94 " + line.substr(3), "text\n\n" + line + "more\n",
        std::string("text\n\n- a AAAAAAAA\n"), std::string("text\n\n\xe2\x80\x94 a+b AAAAAAAA\n")}) {
    EXPECT_EQ(code(text), Errc::kInvalid) << text;
  }
  EXPECT_EQ(code("text\n\n\xe2\x80\x94 a AAAAAAB=\n"), Errc::kNonCanonical);
}

// req: A15
TEST(SignedNoteTest, TakesManySignaturesAndABoundedNumber) {
  const NoteWorld world;
  SignedNote note{world.text, {}};
  std::vector<NoteKey> keys;
  for (size_t i = 0; i < kNoteSignaturesMax; ++i) {
    const crypto::Ed25519Signer signer(seed_of(uint8_t(100 + i)));
    keys.push_back({"witness" + std::to_string(i), NoteKeyType::kCosignature, signer.public_key()});
    note.signatures.push_back(cosign_note(signer, keys.back().name, 9, note.text));
    EXPECT_EQ(verify_note(parse_note(note_text(note)).value(), keys, world.verifier)->size(), i + 1);
  }
  EXPECT_EQ(verify_note(parse_note(note_text(note)).value(), keys, world.verifier)->size(), kNoteSignaturesMax);
  note.signatures.push_back(sign_note(world.log, "a", note.text));
  EXPECT_EQ(parse_note(note_text(note)).code(), Errc::kLimit);
  EXPECT_EQ(parse_note(std::string(kNoteSizeMax, 'a') + "\n\n" + signature_lines(note.signatures)).code(), Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::codec
