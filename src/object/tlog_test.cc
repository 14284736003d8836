// Checkpoints, tiles, proof files and the witness's judgement: the specifications' examples, second spellings, and every refusal.
#include <gtest/gtest.h>

#include "codec/base64.h"
#include "object/tlog.h"

namespace selvedge::object {
namespace {

using codec::NoteKey;
using codec::NoteKeyType;

crypto::Seed tlog_seed(uint8_t byte) { return crypto::Seed::from(Bytes(32, byte)).value(); }

// ---- checkpoints

constexpr const char* kExampleText = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
constexpr const char* kExampleNote =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

// req: A15
TEST(CheckpointTest, ReadsAndPrintsTheExampleOfTheSpecification) {
  const codec::SignedNote note = codec::parse_note(kExampleNote).value();
  EXPECT_EQ(codec::note_text(note), kExampleNote);
  EXPECT_EQ(note.text, kExampleText);
  ASSERT_EQ(note.signatures.size(), 2u);
  EXPECT_EQ(load_u64(note.signatures[1].signature.data()), 1679315147u) << "the time of the example's cosignature";
  const Checkpoint checkpoint = parse_checkpoint(note.text).value();
  EXPECT_EQ(checkpoint.origin, "example.com/behind-the-sofa");
  EXPECT_EQ(checkpoint.size, 20852163u);
  EXPECT_TRUE(checkpoint.extensions.empty());
  EXPECT_EQ(checkpoint_text(checkpoint), kExampleText);
  const std::string extended = std::string(kExampleText) + "an extension\nand another\n";
  EXPECT_EQ(parse_checkpoint(extended)->extensions.size(), 2u);
  EXPECT_EQ(checkpoint_text(parse_checkpoint(extended).value()), extended);
}

TEST(CheckpointTest, RefusesSecondSpellings) {
  const std::string root = codec::base64_encode(merkle_empty());
  EXPECT_TRUE(parse_checkpoint("a\n0\n" + root + "\n").ok());
  for (const std::string& text : {std::string(), std::string("a\n"), "\n0\n" + root + "\n", "a\n00\n" + root + "\n", "a\n01\n" + root + "\n", "a\n+1\n" + root + "\n",
                                  "a\n-1\n" + root + "\n", "a\n\n" + root + "\n", "a\n1 \n" + root + "\n", "a\n18446744073709551616\n" + root + "\n",
                                  "a\n99999999999999999999999\n" + root + "\n", std::string("a\n1\nAAAA\n"), "a\n1\n" + root, "a\n1\n" + root + "\n\n",
                                  "a\n1\n" + root + "\nx\n\n", "a\n1\n" + root + "\nx"}) {
    EXPECT_EQ(parse_checkpoint(text).code(), Errc::kInvalid) << text;
  }
  EXPECT_EQ(parse_checkpoint("a\n4611686018427387905\n" + root + "\n").code(), Errc::kLimit);
  std::string many = "a\n1\n" + root + "\n";
  for (size_t i = 0; i <= kExtensionLinesMax; ++i) many += "x\n";
  EXPECT_EQ(parse_checkpoint(many).code(), Errc::kLimit);
}

// ---- tiles

// req: A15
TEST(TilePathTest, PathsAreThoseOfTheSpecification) {
  EXPECT_EQ(tile_path({0, 1234067}, 256), "tile/0/x001/x234/067");
  EXPECT_EQ(tile_path({0, 273}, 112), "tile/0/273.p/112");
  EXPECT_EQ(tile_path({1, 1}, 17), "tile/1/001.p/17");
  EXPECT_EQ(tile_path({2, 0}, 1), "tile/2/000.p/1");
  EXPECT_EQ(tile_path({0, 1000}, 256), "tile/0/x001/000");
  EXPECT_EQ(entries_path(1234067, 256), "tile/entries/x001/x234/067");
  EXPECT_EQ(entries_path(0, 3), "tile/entries/000.p/3");
  for (const uint64_t index : {uint64_t(0), uint64_t(7), uint64_t(999), uint64_t(1000), uint64_t(999'999), uint64_t(1'000'000), UINT64_MAX}) {
    for (const size_t width : {size_t(1), size_t(255), kTileWidth}) {
      EXPECT_EQ(parse_tile_path(tile_path({3, index}, width)).value(), (TilePath{false, {3, index}, width}));
      EXPECT_EQ(parse_tile_path(entries_path(index, width)).value(), (TilePath{true, {0, index}, width}));
    }
  }
}

TEST(TilePathTest, RefusesSecondSpellings) {
  for (const char* path : {"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/1234", "tile/00/000", "tile/8/000",
                           "tile/x/000", "tile/-1/000", "tile/0/x000/000", "tile/0/x00/000", "tile/0/001/002", "tile/0/x001", "tile/0/000.p/0",
                           "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p", "tile/0/000/", "/tile/0/000", "tile//000",
                           "tile/entries/0", "tile/entries/../000", "tile/0/x018/x446/x744/x073/x709/x551/616", "tile/0/0 0", "tile/0/000.p/1/"}) {
    EXPECT_FALSE(parse_tile_path(path).ok()) << path;
  }
}

TEST(TileBytesTest, BytesAreHashesAndBundlesAreEntries) {
  const std::vector<Digest> hashes = {merkle_leaf(view("a")), merkle_leaf(view("b"))};
  EXPECT_EQ(tile_bytes(hashes).size(), 64u);
  EXPECT_EQ(parse_tile(tile_bytes(hashes), 2).value(), hashes);
  EXPECT_EQ(parse_tile(tile_bytes(hashes), 1).code(), Errc::kInvalid);
  EXPECT_EQ(parse_tile(tile_bytes(hashes), 3).code(), Errc::kInvalid);
  EXPECT_EQ(parse_tile({}, 257).code(), Errc::kInvalid);
  const std::vector<Bytes> entries = {to_bytes(view("one")), {}, Bytes(kLogEntrySizeMax, 7)};
  const Bytes bundle = bundle_bytes(entries);
  EXPECT_EQ(to_hex(ByteView(bundle).first(7)), "00036f6e650000");
  const std::vector<ByteView> back = parse_bundle(bundle, 3).value();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(to_bytes(back[i]), entries[i]);
  EXPECT_EQ(parse_bundle(bundle, 2).code(), Errc::kInvalid);
  EXPECT_EQ(parse_bundle(bundle, 4).code(), Errc::kInvalid);
  for (size_t cut = 0; cut < 7; ++cut) EXPECT_FALSE(parse_bundle(ByteView(bundle).first(cut), 3).ok());
  EXPECT_TRUE(parse_bundle({}, 0).ok());
}

// ---- proof files

// req: A15
TEST(ProofFileTest, ReadsAndPrintsTheFormOfTheSpecification) {
  const std::string hash = codec::base64_encode(merkle_leaf(view("a")));
  const std::string plain = "c2sp.org/tlog-proof@v1\nindex 73894\n" + hash + "\n" + hash + "\n\n" + kExampleNote;
  const ProofFile proof = parse_proof_file(plain).value();
  EXPECT_EQ(proof.index, 73894u);
  EXPECT_EQ(proof.hashes.size(), 2u);
  EXPECT_FALSE(proof.extra);
  EXPECT_EQ(proof.checkpoint, kExampleNote);
  EXPECT_EQ(proof_file_text(proof), plain);
  const std::string extra = "c2sp.org/tlog-proof@v1\nextra Zm9vYg==\nindex 0\n\n" + std::string(kExampleNote);
  EXPECT_EQ(to_string(*parse_proof_file(extra)->extra), "foob");
  EXPECT_TRUE(parse_proof_file(extra)->hashes.empty());
  EXPECT_EQ(proof_file_text(parse_proof_file(extra).value()), extra);
}

TEST(ProofFileTest, RefusesSecondSpellings) {
  const std::string note = kExampleNote;
  for (const std::string& text :
       {std::string(), std::string("c2sp.org/tlog-proof@v1\n"), "c2sp.org/tlog-proof@v1\nindex 00\n\n" + note, "c2sp.org/tlog-proof@v1\nindex 1\n" + note,
        "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n" + note, std::string("c2sp.org/tlog-proof@v1\nindex 1\n\nno note\n"), "c2sp.org/tlog-proof@v1\nextra !\nindex 1\n\n" + note,
        "c2sp.org/tlog-proof@v1\nextra\nindex 1\n\n" + note, "c2sp.org/tlog-proof@v1\n\nindex 1\n\n" + note, "something else\nindex 1\n\n" + note}) {
    EXPECT_EQ(parse_proof_file(text).code(), Errc::kInvalid) << text;
  }
  EXPECT_EQ(parse_proof_file("c2sp.org/tlog-proof@v2\nindex 1\n\n" + note).code(), Errc::kUnsupported);
  std::string many = "c2sp.org/tlog-proof@v1\nindex 1\n";
  for (size_t i = 0; i <= kProofHashesMax; ++i) many += codec::base64_encode(Digest{}) + "\n";
  EXPECT_EQ(parse_proof_file(many + "\n" + note).code(), Errc::kLimit);
  EXPECT_EQ(parse_proof_file(std::string(kProofFileSizeMax + 1, 'a')).code(), Errc::kLimit);
}

// ---- witnesses

// A log that can be asked to checkpoint any of its sizes.
struct LogWorld {
  crypto::Ed25519Signer log{tlog_seed(1)};
  crypto::Ed25519Signer stranger{tlog_seed(2)};
  crypto::Ed25519Verifier verifier;
  NoteKey key{"log.example", NoteKeyType::kEd25519, log.public_key()};

  static Digest leaf(uint64_t index, const char* history) { return merkle_leaf(view(history + std::to_string(index))); }
  Digest root(uint64_t size, const char* history = "a") const {
    Frontier tree;
    for (uint64_t i = 0; i < size; ++i) tree.append(leaf(i, history));
    return tree.root();
  }
  WitnessedTree at(uint64_t size) const { return {size, size == 0 ? Digest{} : root(size)}; }
  std::string note(uint64_t size, const Digest& root_hash, const crypto::Signer& signer) const {
    const std::string text = checkpoint_text({"log.example", size, root_hash, {}});
    return codec::note_text({text, {codec::sign_note(signer, "log.example", text)}});
  }
  AddCheckpoint request(uint64_t old_size, uint64_t size, const char* history = "a") const {
    TileSet tiles;
    std::vector<Digest> leaves;
    for (uint64_t i = 0; i < size; ++i) leaves.push_back(leaf(i, history));
    tiles.put({0, 0}, leaves);
    std::vector<Digest> proof;
    if (old_size <= size) proof = make_proof(plan_consistency(old_size, size).value(), tiles).value();
    return {old_size, std::move(proof), note(size, root(size, history), log)};
  }
  WitnessVerdict judge(const AddCheckpoint& asked, const WitnessedTree& last) const { return judge_checkpoint(asked, {&key, 1}, last, verifier); }
};

// req: A15
TEST(WitnessTest, CosignsWhatGoesOnFromTheLastTree) {
  const LogWorld world;
  for (uint64_t old = 0; old <= 12; ++old) {
    for (uint64_t size = old; size <= 12; ++size) {
      const WitnessVerdict verdict = world.judge(world.request(old, size), world.at(old));
      EXPECT_EQ(verdict.status, WitnessStatus::kOk) << old << " to " << size;
      EXPECT_EQ(verdict.checkpoint.size, size);
      EXPECT_FALSE(verdict.equivocation);
    }
  }
}

// req: A15
TEST(WitnessTest, RefusesEverythingElse) {
  const LogWorld world;
  const AddCheckpoint good = world.request(5, 9);
  EXPECT_EQ(judge_checkpoint(good, {}, world.at(5), world.verifier).status, WitnessStatus::kUnknownOrigin);
  EXPECT_EQ(world.judge({5, good.proof, world.note(9, world.root(9), world.stranger)}, world.at(5)).status, WitnessStatus::kForbidden);
  EXPECT_EQ(world.judge({5, good.proof, "no note"}, world.at(5)).status, WitnessStatus::kBadRequest);
  EXPECT_EQ(world.judge(world.request(9, 5), world.at(9)).status, WitnessStatus::kBadRequest) << "an old size above the new one";
  EXPECT_EQ(world.judge(good, world.at(4)).status, WitnessStatus::kConflict);
  EXPECT_EQ(world.judge(good, world.at(9)).status, WitnessStatus::kConflict);
  EXPECT_EQ(world.judge({0, {}, good.checkpoint}, world.at(5)).status, WitnessStatus::kConflict) << "how a log asks for the last size";
  EXPECT_EQ(world.judge({5, {}, good.checkpoint}, world.at(5)).status, WitnessStatus::kUnprocessable);
  EXPECT_EQ(world.judge({0, good.proof, good.checkpoint}, world.at(0)).status, WitnessStatus::kUnprocessable);
  EXPECT_EQ(world.judge({0, {}, world.note(0, world.root(3), world.log)}, world.at(0)).status, WitnessStatus::kUnprocessable) << "nothing has one root";
}

// req: A15
TEST(WitnessTest, NoticesTwoHistories) {
  const LogWorld world;
  const WitnessVerdict same_size = world.judge(world.request(9, 9, "b"), world.at(9));
  EXPECT_EQ(same_size.status, WitnessStatus::kConflict);
  EXPECT_TRUE(same_size.equivocation);
  const WitnessVerdict longer = world.judge(world.request(9, 12, "b"), world.at(9));
  EXPECT_EQ(longer.status, WitnessStatus::kUnprocessable);
  EXPECT_FALSE(world.judge(world.request(9, 9), world.at(9)).equivocation);
}

// req: A15
TEST(WitnessTest, NoByteOfARequestCanChange) {
  const LogWorld world;
  const std::string genuine = add_checkpoint_text(world.request(5, 9));
  EXPECT_EQ(add_checkpoint_text(parse_add_checkpoint(genuine).value()), genuine);
  for (size_t at = 0; at < genuine.size(); ++at) {
    for (const uint8_t flip : {1, 2, 4, 8, 16, 32, 64, 128}) {
      std::string changed = genuine;
      changed[at] = char(uint8_t(changed[at]) ^ flip);
      const Result<AddCheckpoint> parsed = parse_add_checkpoint(changed);
      if (!parsed.ok()) continue;
      EXPECT_EQ(add_checkpoint_text(*parsed), changed);
      EXPECT_NE(world.judge(*parsed, world.at(5)).status, WitnessStatus::kOk) << at << " " << int(flip);
    }
  }
}

TEST(WitnessTest, ReadsTheExampleOfTheSpecification) {
  const std::string example =
      "old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
      "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\n" +
      std::string(kExampleNote);
  const AddCheckpoint request = parse_add_checkpoint(example).value();
  EXPECT_EQ(request.old_size, 20852014u);
  EXPECT_EQ(request.proof.size(), 4u);
  EXPECT_EQ(add_checkpoint_text(request), example);
  EXPECT_EQ(parse_add_checkpoint("old 01\n\n" + std::string(kExampleNote)).code(), Errc::kInvalid);
  EXPECT_EQ(parse_add_checkpoint("new 1\n\n" + std::string(kExampleNote)).code(), Errc::kInvalid);
  const std::string answer =
      "— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==\n"
      "— witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+UfzuOBMh9ChdMkP1vi/lCAsmlw==\n";
  EXPECT_EQ(codec::signature_lines(codec::parse_signature_lines(answer).value()), answer);
  EXPECT_EQ(parse_size_line("1234\n").value(), 1234u);
  EXPECT_EQ(size_line(1234), "1234\n");
  for (const char* body : {"", "1234", "1234\n\n", "01\n", "x\n"}) EXPECT_FALSE(parse_size_line(body).ok()) << body;
}

}  // namespace
}  // namespace selvedge::object
