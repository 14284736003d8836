// The Merkle tree of an append-only log (RFC 6962 2.1, RFC 9162 2.1), and what is proved with it.
//
// A log of n entries has one root. An inclusion proof shows that an entry is in the tree of a root, a consistency proof that a later
// tree begins with all of an earlier one. Both are short lists of hashes, checked here without knowing anything else of the log.
//
// Hashes of a large log are kept as tiles (c2sp.org/tlog-tiles): 256 neighbouring hashes of one height, every eighth height of the
// tree. Making a proof happens in two steps, because a pure machine cannot read in the middle: plan_* names the complete subtrees
// whose roots make up each hash of the proof, tiles_for() the tiles these lie in; once those are loaded, make_proof() folds them.
//
// Invariants: nothing allocates by a size that was received, and no tree is larger than kTreeSizeMax, so shifts stay in 64 bits.
#pragma once

#include <compare>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "crypto/types.h"

namespace selvedge::object {

using crypto::Digest;

inline constexpr uint64_t kTreeSizeMax = uint64_t(1) << 62;
/// A proof has one hash for each height of the tree, and a consistency proof one more (tlog-witness takes 63 lines).
inline constexpr size_t kProofHashesMax = 63;
inline constexpr int kTileHeight = 8;
inline constexpr size_t kTileWidth = 256;
inline constexpr int kTileLevelsMax = 8;

/// SHA-256(0x00, entry).
Digest merkle_leaf(ByteView entry);
/// SHA-256(0x01, left, right).
Digest merkle_node(const Digest& left, const Digest& right);
/// The root of a tree without entries: SHA-256 of nothing.
Digest merkle_empty();

/// A complete subtree: the 2^height leaves from index * 2^height on.
struct MerkleNode {
  uint8_t height = 0;
  uint64_t index = 0;
  auto operator<=>(const MerkleNode&) const = default;
};

// ---- growing

/// The roots of the complete subtrees that make up a tree, from the largest to the smallest: all that is needed to append to it.
class Frontier {
 public:
  Frontier() = default;
  /// Errors: kInvalid when `hashes` are not as many as a tree of `size` has (one for each bit set), kLimit past kTreeSizeMax.
  static Result<Frontier> from(uint64_t size, std::vector<Digest> hashes);

  /// The tree is smaller than kTreeSizeMax (CHECK).
  void append(const Digest& leaf);
  uint64_t size() const { return size_; }
  Digest root() const;
  const std::vector<Digest>& hashes() const { return hashes_; }
  bool operator==(const Frontier&) const = default;

 private:
  uint64_t size_ = 0;
  std::vector<Digest> hashes_;
};

// ---- checking proofs

/// RFC 9162 2.1.3.2. Errors: kInvalid (no such entry, or a proof of another length), kIntegrity (it leads to another root).
Status check_inclusion(const Digest& leaf, uint64_t index, uint64_t size, std::span<const Digest> proof, const Digest& root);
/// RFC 9162 2.1.4.2, and for sizes where no proof is needed (0, or twice the same) that it is empty and the roots fit.
/// Errors: kInvalid (sizes, or a proof of another length), kIntegrity (the trees are not one the beginning of the other).
Status check_consistency(uint64_t old_size, uint64_t new_size, std::span<const Digest> proof, const Digest& old_root, const Digest& new_root);

// ---- making proofs

/// For each hash, in order, the complete subtrees it is made of, from the left: h(a, h(b, h(c, ...))).
using ProofPlan = std::vector<std::vector<MerkleNode>>;
/// Errors: kInvalid when there is no such entry, kLimit past kTreeSizeMax.
Result<ProofPlan> plan_inclusion(uint64_t index, uint64_t size);
/// Errors: kInvalid when the old tree is larger, kLimit past kTreeSizeMax.
Result<ProofPlan> plan_consistency(uint64_t old_size, uint64_t new_size);
/// The root of a tree that is not empty, as a plan with one hash. Errors: kInvalid for size 0, kLimit past kTreeSizeMax.
Result<ProofPlan> plan_root(uint64_t size);

struct TileId {
  uint8_t level = 0;
  uint64_t index = 0;
  auto operator<=>(const TileId&) const = default;
};

/// How many hashes the tile has in a tree of `size`: 0 when there is none, kTileWidth when it is full.
size_t tile_width(const TileId& tile, uint64_t size);
/// Every tile of a tree of `size` at one level, the last of which may be partial: their number.
uint64_t tile_count(uint8_t level, uint64_t size);
/// The tiles a plan reads. A plan for a tree of `size` reads no hash beyond tile_width(tile, size).
std::set<TileId> tiles_for(const ProofPlan& plan);

/// Loaded tiles, from which the hashes of a plan are folded.
class TileSet {
 public:
  /// `hashes` are at most kTileWidth (CHECK).
  void put(const TileId& tile, std::vector<Digest> hashes);
  bool contains(const TileId& tile) const { return tiles_.count(tile) != 0; }
  /// Errors: kNotFound when the tile is not loaded, or not that far.
  Result<Digest> node(const MerkleNode& node) const;

 private:
  std::map<TileId, std::vector<Digest>> tiles_;
};

/// Errors: as TileSet::node.
Result<std::vector<Digest>> make_proof(const ProofPlan& plan, const TileSet& tiles);

}  // namespace selvedge::object
