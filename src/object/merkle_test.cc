// The Merkle tree against Certificate Transparency's vectors, against an independent reader's, and against itself over all small sizes.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/rng.h"
#include "object/merkle.h"

namespace selvedge::object {
namespace {

Digest hash_of(std::string_view hex) { return Digest::from(from_hex(hex).value()).value(); }

// The leaves and roots that Certificate Transparency's implementations share as test data for RFC 6962.
const std::vector<const char*> kCtLeaves = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
const std::vector<const char*> kCtRoots = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

std::vector<Digest> ct_leaves() {
  std::vector<Digest> leaves;
  for (const char* hex : kCtLeaves) leaves.push_back(merkle_leaf(from_hex(hex).value()));
  return leaves;
}

std::vector<Digest> counted_leaves(size_t count) {
  std::vector<Digest> leaves;
  for (size_t i = 0; i < count; ++i) leaves.push_back(merkle_leaf(view("entry " + std::to_string(i))));
  return leaves;
}

Frontier grown(const std::vector<Digest>& leaves, uint64_t size) {
  Frontier tree;
  for (uint64_t i = 0; i < size; ++i) tree.append(leaves[i]);
  return tree;
}

// All tiles of a tree, as an exporter would write them; the higher levels from Frontiers over the full tiles below.
TileSet tiles_of(const std::vector<Digest>& leaves, uint64_t size) {
  TileSet tiles;
  std::vector<Digest> row(leaves.begin(), leaves.begin() + ptrdiff_t(size));
  for (uint8_t level = 0; !row.empty(); ++level) {
    std::vector<Digest> above;
    for (uint64_t index = 0; index < tile_count(level, size); ++index) {
      const size_t width = tile_width({level, index}, size);
      const auto first = row.begin() + ptrdiff_t(index * kTileWidth);
      std::vector<Digest> tile(first, first + ptrdiff_t(width));
      if (width == kTileWidth) above.push_back(grown(tile, width).root());
      tiles.put({level, index}, std::move(tile));
    }
    row = std::move(above);
  }
  return tiles;
}

std::vector<Digest> proof_of(const Result<ProofPlan>& plan, const TileSet& tiles) { return make_proof(plan.value(), tiles).value(); }

// ---- vectors

// req: A15
TEST(MerkleTest, RootsAreThoseOfCertificateTransparency) {
  Frontier tree;
  EXPECT_EQ(tree.root(), hash_of(kCtRoots[0]));
  for (size_t i = 0; i < kCtLeaves.size(); ++i) {
    tree.append(ct_leaves()[i]);
    EXPECT_EQ(tree.root(), hash_of(kCtRoots[i + 1])) << i + 1;
  }
}

// req: A15
TEST(MerkleTest, ProofsAreThoseOfCertificateTransparency) {
  const TileSet tiles = tiles_of(ct_leaves(), 8);
  const auto hashes = [](std::vector<const char*> hex) {
    std::vector<Digest> out;
    for (const char* each : hex) out.push_back(hash_of(each));
    return out;
  };
  EXPECT_EQ(proof_of(plan_inclusion(0, 1), tiles), hashes({}));
  EXPECT_EQ(proof_of(plan_inclusion(0, 8), tiles), hashes({"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                                                           "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                                           "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}));
  EXPECT_EQ(proof_of(plan_inclusion(5, 8), tiles), hashes({"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                                                           "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                                                           "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}));
  EXPECT_EQ(proof_of(plan_consistency(2, 8), tiles), hashes({"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                                             "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}));
  EXPECT_EQ(proof_of(plan_consistency(6, 8), tiles), hashes({"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                                                             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                                                             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}));
  EXPECT_EQ(proof_of(plan_consistency(2, 5), tiles), hashes({"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                                             "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}));
}

// tests/tlog/reader.py made these vectors; it shares no code with ours.
// req: A15
TEST(MerkleTest, AgreesWithAnIndependentReader) {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/tests/vectors/tlog/merkle.txt");
  const std::vector<Digest> leaves = counted_leaves(70'000);
  std::map<uint64_t, TileSet> trees;
  const auto tiles = [&](uint64_t size) -> const TileSet& {
    if (!trees.count(size)) trees.emplace(size, tiles_of(leaves, size));
    return trees.at(size);
  };
  std::map<uint64_t, Digest> roots;
  size_t lines = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) continue;
    ++lines;
    std::istringstream words(line);
    std::string what, word;
    uint64_t first = 0, second = 0;
    words >> what >> first;
    if (what != "root") words >> second;
    std::vector<Digest> hashes;
    while (words >> word) hashes.push_back(hash_of(word));
    if (what == "root") {
      roots[first] = hashes.at(0);
      EXPECT_EQ(grown(leaves, first).root(), hashes.at(0)) << line;
      if (first == 0) continue;
      EXPECT_EQ(proof_of(plan_root(first), tiles(first)), hashes) << line;
    } else if (what == "inclusion") {
      EXPECT_EQ(proof_of(plan_inclusion(first, second), tiles(second)), hashes) << line;
      EXPECT_TRUE(check_inclusion(leaves[first], first, second, hashes, roots.at(second)).ok()) << line;
    } else {
      ASSERT_EQ(what, "consistency");
      EXPECT_EQ(proof_of(plan_consistency(first, second), tiles(second)), hashes) << line;
      EXPECT_TRUE(check_consistency(first, second, hashes, roots.at(first), roots.at(second)).ok()) << line;
    }
  }
  EXPECT_GT(lines, 300u);
}

// ---- all small sizes

constexpr uint64_t kSizes = 130;

// req: A15
TEST(MerkleTest, EveryEntryOfEverySmallTreeIsProvedAndNoOtherIs) {
  const std::vector<Digest> leaves = counted_leaves(2 * kSizes);
  std::vector<Digest> roots;
  for (uint64_t size = 0; size <= 2 * kSizes; ++size) roots.push_back(grown(leaves, size).root());
  for (uint64_t size = 1; size <= kSizes; ++size) {
    const TileSet tiles = tiles_of(leaves, size);
    const Digest root = roots[size];
    for (uint64_t index = 0; index < size; ++index) {
      const std::vector<Digest> proof = proof_of(plan_inclusion(index, size), tiles);
      ASSERT_TRUE(check_inclusion(leaves[index], index, size, proof, root).ok()) << index << " of " << size;
      EXPECT_FALSE(check_inclusion(leaves[index + 1], index, size, proof, root).ok());
      for (const uint64_t other : {index - 1, index + 1, index ^ 2, index + size}) {
        if (other == index) continue;
        EXPECT_FALSE(check_inclusion(leaves[index], other, size, proof, root).ok()) << index << " of " << size << " as " << other;
      }
      for (const uint64_t other : {size - 1, size + 1, 2 * size}) {
        // Of a proof by hashes alone a tree of another size can have the same shape above an entry, but never the same root there.
        if (other == 0) continue;
        EXPECT_FALSE(check_inclusion(leaves[index], index, other, proof, roots[other]).ok());
      }
    }
  }
}

// req: A15
TEST(MerkleTest, EverySmallTreeIsConsistentWithEveryEarlierOneAndWithNothingElse) {
  const std::vector<Digest> leaves = counted_leaves(kSizes);
  std::vector<Digest> roots;
  for (uint64_t size = 0; size <= kSizes; ++size) roots.push_back(grown(leaves, size).root());
  for (uint64_t size = 0; size <= kSizes; ++size) {
    const TileSet tiles = tiles_of(leaves, size);
    for (uint64_t old = 0; old <= size; ++old) {
      const std::vector<Digest> proof = proof_of(plan_consistency(old, size), tiles);
      ASSERT_LE(proof.size(), kProofHashesMax);
      ASSERT_TRUE(check_consistency(old, size, proof, roots[old], roots[size]).ok()) << old << " to " << size;
      Digest wrong = roots[old];
      wrong.bytes[31] ^= 1;
      EXPECT_FALSE(check_consistency(old, size, proof, wrong, roots[size]).ok());
      wrong = roots[size];
      wrong.bytes[0] ^= 1;
      if (old == 0) continue;  // everything goes on from nothing
      EXPECT_FALSE(check_consistency(old, size, proof, roots[old], wrong).ok());
      EXPECT_FALSE(check_consistency(old - 1, size, proof, roots[old], roots[size]).ok());
      EXPECT_FALSE(check_consistency(old + 1, size, proof, roots[old], roots[size]).ok());
    }
  }
}

// req: A15
TEST(MerkleTest, NoByteOfAProofCanChange) {
  const std::vector<Digest> leaves = counted_leaves(70);
  const auto refuse_all = [](const std::vector<Digest>& proof, auto holds) {
    ASSERT_TRUE(holds(proof));
    for (size_t i = 0; i < proof.size(); ++i) {
      for (size_t byte = 0; byte < Digest::kSize; ++byte) {
        for (const uint8_t flip : {1, 128}) {
          std::vector<Digest> changed = proof;
          changed[i].bytes[byte] ^= flip;
          EXPECT_FALSE(holds(changed));
        }
      }
      std::vector<Digest> shorter = proof;
      shorter.erase(shorter.begin() + ptrdiff_t(i));
      EXPECT_FALSE(holds(shorter));
      std::vector<Digest> longer = proof;
      longer.insert(longer.begin() + ptrdiff_t(i), proof[i]);
      EXPECT_FALSE(holds(longer));
      for (size_t j = 0; j < i; ++j) {
        std::vector<Digest> swapped = proof;
        std::swap(swapped[i], swapped[j]);
        EXPECT_FALSE(holds(swapped));
      }
    }
    std::vector<Digest> longer = proof;
    longer.push_back(Digest{});
    EXPECT_FALSE(holds(longer));
  };
  for (const uint64_t size : {1, 2, 3, 7, 8, 11, 64, 70}) {
    const TileSet tiles = tiles_of(leaves, size);
    const Digest root = grown(leaves, size).root();
    for (uint64_t index = 0; index < size; index += 3) {
      refuse_all(proof_of(plan_inclusion(index, size), tiles),
                 [&](const std::vector<Digest>& proof) { return check_inclusion(leaves[index], index, size, proof, root).ok(); });
    }
    for (uint64_t old = 0; old <= size; old += 5) {
      refuse_all(proof_of(plan_consistency(old, size), tiles),
                 [&](const std::vector<Digest>& proof) { return check_consistency(old, size, proof, grown(leaves, old).root(), root).ok(); });
    }
  }
}

// ---- tiles and limits

// The example of c2sp.org/tlog-tiles.
// req: A15
TEST(TileTest, ATreeOf70000HasTheTilesOfTheSpecification) {
  EXPECT_EQ(tile_count(0, 70'000), 274u);
  EXPECT_EQ(tile_width({0, 272}, 70'000), 256u);
  EXPECT_EQ(tile_width({0, 273}, 70'000), 112u);
  EXPECT_EQ(tile_width({0, 274}, 70'000), 0u);
  EXPECT_EQ(tile_count(1, 70'000), 2u);
  EXPECT_EQ(tile_width({1, 0}, 70'000), 256u);
  EXPECT_EQ(tile_width({1, 1}, 70'000), 17u);
  EXPECT_EQ(tile_count(2, 70'000), 1u);
  EXPECT_EQ(tile_width({2, 0}, 70'000), 1u);
  EXPECT_EQ(tile_count(3, 70'000), 0u);
  EXPECT_EQ(tile_width({0, 0}, 256), 256u);
  EXPECT_EQ(tile_width({1, 0}, 256), 1u) << "a full tile is hashed into the level above at once";
  EXPECT_EQ(tile_width({0, UINT64_MAX}, kTreeSizeMax), 0u);
  EXPECT_EQ(tile_width({kTileLevelsMax, 0}, kTreeSizeMax), 0u);
}

TEST(TileTest, APlanReadsOnlyTilesThatItsTreeHas) {
  Rng rng(7);
  for (int round = 0; round < 500; ++round) {
    const uint64_t size = 1 + (rng.next() >> (2 + rng.below(60)));
    const uint64_t index = rng.below(size);
    for (const ProofPlan& plan : {plan_inclusion(index, size).value(), plan_consistency(index, size).value(), plan_root(size).value()}) {
      EXPECT_LE(plan.size(), kProofHashesMax);
      for (const std::vector<MerkleNode>& nodes : plan) {
        ASSERT_FALSE(nodes.empty());
        for (const MerkleNode& node : nodes) {
          EXPECT_LE((node.index + 1) << node.height, size) << "a subtree that is complete";
          const uint64_t end = ((node.index + 1) << (node.height % kTileHeight)) - 1;
          const TileId tile{uint8_t(node.height / kTileHeight), end / kTileWidth};
          EXPECT_LT(end % kTileWidth, tile_width(tile, size));
          EXPECT_TRUE(tiles_for(plan).count(tile));
        }
      }
    }
  }
}

TEST(TileTest, MissingHashesAreAnError) {
  const std::vector<Digest> leaves = counted_leaves(20);
  TileSet tiles;
  EXPECT_EQ(make_proof(plan_inclusion(3, 20).value(), tiles).code(), Errc::kNotFound);
  tiles.put({0, 0}, {leaves.begin(), leaves.begin() + 19});
  EXPECT_EQ(make_proof(plan_inclusion(3, 20).value(), tiles).code(), Errc::kNotFound);
  EXPECT_TRUE(make_proof(plan_inclusion(3, 19).value(), tiles).ok());
}

TEST(MerkleTest, SizesAreBounded) {
  EXPECT_EQ(plan_inclusion(0, kTreeSizeMax + 1).code(), Errc::kLimit);
  EXPECT_EQ(plan_consistency(1, UINT64_MAX).code(), Errc::kLimit);
  EXPECT_EQ(plan_root(UINT64_MAX).code(), Errc::kLimit);
  EXPECT_EQ(plan_root(0).code(), Errc::kInvalid);
  EXPECT_EQ(plan_inclusion(3, 3).code(), Errc::kInvalid);
  EXPECT_EQ(plan_consistency(4, 3).code(), Errc::kInvalid);
  EXPECT_EQ(check_inclusion({}, 0, UINT64_MAX, {}, {}).code(), Errc::kLimit);
  EXPECT_EQ(check_consistency(0, UINT64_MAX, {}, {}, {}).code(), Errc::kLimit);
  EXPECT_TRUE(plan_inclusion(kTreeSizeMax - 1, kTreeSizeMax).ok());
}

TEST(MerkleTest, AFrontierIsKeptAndTakenUpAgain) {
  const std::vector<Digest> leaves = counted_leaves(100);
  for (uint64_t size = 0; size < 100; ++size) {
    Frontier tree = grown(leaves, size);
    Frontier again = Frontier::from(size, tree.hashes()).value();
    EXPECT_EQ(again, tree);
    again.append(leaves[size]);
    EXPECT_EQ(again.root(), grown(leaves, size + 1).root());
    std::vector<Digest> more = tree.hashes();
    more.push_back({});
    EXPECT_EQ(Frontier::from(size, more).code(), Errc::kInvalid);
  }
  EXPECT_EQ(Frontier::from(kTreeSizeMax + 1, {}).code(), Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::object
