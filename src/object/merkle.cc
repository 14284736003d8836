#include "object/merkle.h"

#include <bit>

#include "crypto/hash.h"

namespace selvedge::object {
namespace {

constexpr uint8_t kLeafPrefix = 0;
constexpr uint8_t kNodePrefix = 1;

// The largest power of two below n. RFC 6962 2.1. n is at least 2.
uint64_t split_of(uint64_t n) { return std::bit_floor(n - 1); }

struct Range {
  uint64_t first;
  uint64_t end;
};

// The subtree over a range that a proof names begins at a multiple of its own size, so it is complete subtrees of falling size.
std::vector<MerkleNode> complete_subtrees(const Range& range) {
  std::vector<MerkleNode> nodes;
  for (uint64_t at = range.first; at < range.end;) {
    const uint64_t part = std::bit_floor(range.end - at);
    const uint8_t height = uint8_t(std::countr_zero(part));
    nodes.push_back({height, at >> height});
    at += part;
  }
  return nodes;
}

ProofPlan plan_of(std::vector<Range> from_the_root_down) {
  ProofPlan plan;
  for (auto range = from_the_root_down.rbegin(); range != from_the_root_down.rend(); ++range) plan.push_back(complete_subtrees(*range));
  return plan;
}

Digest fold(std::span<const Digest> parts) {
  Digest hash = parts.back();
  for (size_t i = parts.size() - 1; i-- > 0;) hash = merkle_node(parts[i], hash);
  return hash;
}

Status check_size(uint64_t size) {
  if (size > kTreeSizeMax) return fail(Errc::kLimit, "a log of " + std::to_string(size) + " entries is larger than any log can be");
  return ok();
}

Error wrong_length() { return fail(Errc::kInvalid, "the proof has not the number of hashes that these sizes need"); }

}  // namespace

Digest merkle_leaf(ByteView entry) { return crypto::Sha256().update({&kLeafPrefix, 1}).update(entry).finish(); }

Digest merkle_node(const Digest& left, const Digest& right) {
  uint8_t input[1 + 2 * Digest::kSize];
  input[0] = kNodePrefix;
  std::memcpy(input + 1, left.bytes.data(), Digest::kSize);
  std::memcpy(input + 1 + Digest::kSize, right.bytes.data(), Digest::kSize);
  return crypto::sha256(input);
}

Digest merkle_empty() { return crypto::sha256({}); }

// ---- growing

Result<Frontier> Frontier::from(uint64_t size, std::vector<Digest> hashes) {
  TRY(check_size(size));
  if (hashes.size() != size_t(std::popcount(size))) {
    return fail(Errc::kInvalid, "a tree of " + std::to_string(size) + " entries has " + std::to_string(std::popcount(size)) + " complete subtrees");
  }
  Frontier out;
  out.size_ = size;
  out.hashes_ = std::move(hashes);
  return out;
}

void Frontier::append(const Digest& leaf) {
  CHECK(size_ < kTreeSizeMax);
  Digest hash = leaf;
  for (uint64_t carry = size_; carry & 1; carry >>= 1) {
    hash = merkle_node(hashes_.back(), hash);
    hashes_.pop_back();
  }
  hashes_.push_back(hash);
  ++size_;
}

Digest Frontier::root() const { return hashes_.empty() ? merkle_empty() : fold(hashes_); }

// ---- checking proofs

Status check_inclusion(const Digest& leaf, uint64_t index, uint64_t size, std::span<const Digest> proof, const Digest& root) {
  TRY(check_size(size));
  if (index >= size) return fail(Errc::kInvalid, "a log of " + std::to_string(size) + " entries has no entry " + std::to_string(index));
  uint64_t fn = index;
  uint64_t sn = size - 1;
  Digest hash = leaf;
  for (const Digest& step : proof) {
    if (sn == 0) return wrong_length();
    if ((fn & 1) || fn == sn) {
      hash = merkle_node(step, hash);
      while (!(fn & 1) && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      hash = merkle_node(hash, step);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0) return wrong_length();
  if (hash != root) return fail(Errc::kIntegrity, "the entry is not in the log with this root");
  return ok();
}

Status check_consistency(uint64_t old_size, uint64_t new_size, std::span<const Digest> proof, const Digest& old_root, const Digest& new_root) {
  TRY(check_size(new_size));
  if (old_size > new_size) return fail(Errc::kInvalid, "a log does not shrink: the old size is larger than the new one");
  const Error broken = fail(Errc::kIntegrity, "the new log does not begin with all of the old one");
  if (old_size == 0 || old_size == new_size) {
    if (!proof.empty()) return wrong_length();
    if (old_size == 0 && old_root != merkle_empty()) return broken;
    if (old_size == new_size && old_root != new_root) return broken;
    return ok();
  }
  if (proof.empty() && !std::has_single_bit(old_size)) return wrong_length();
  uint64_t fn = old_size - 1;
  uint64_t sn = new_size - 1;
  while (fn & 1) {
    fn >>= 1;
    sn >>= 1;
  }
  // An old tree that is complete is itself the first hash.
  size_t at = std::has_single_bit(old_size) ? 0 : 1;
  Digest from_old = at == 0 ? old_root : proof[0];
  Digest from_new = from_old;
  for (; at < proof.size(); ++at) {
    const Digest& step = proof[at];
    if (sn == 0) return wrong_length();
    if ((fn & 1) || fn == sn) {
      from_old = merkle_node(step, from_old);
      from_new = merkle_node(step, from_new);
      while (!(fn & 1) && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      from_new = merkle_node(from_new, step);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0) return wrong_length();
  if (from_old != old_root || from_new != new_root) return broken;
  return ok();
}

// ---- making proofs

Result<ProofPlan> plan_inclusion(uint64_t index, uint64_t size) {
  TRY(check_size(size));
  if (index >= size) return fail(Errc::kInvalid, "a log of " + std::to_string(size) + " entries has no entry " + std::to_string(index));
  std::vector<Range> ranges;
  for (Range tree{0, size}; tree.end - tree.first > 1;) {
    const uint64_t middle = tree.first + split_of(tree.end - tree.first);
    if (index < middle) {
      ranges.push_back({middle, tree.end});
      tree.end = middle;
    } else {
      ranges.push_back({tree.first, middle});
      tree.first = middle;
    }
  }
  return plan_of(std::move(ranges));
}

Result<ProofPlan> plan_consistency(uint64_t old_size, uint64_t new_size) {
  TRY(check_size(new_size));
  if (old_size > new_size) return fail(Errc::kInvalid, "a log does not shrink: the old size is larger than the new one");
  if (old_size == 0 || old_size == new_size) return ProofPlan{};
  std::vector<Range> ranges;
  Range tree{0, new_size};
  while (tree.end != old_size) {
    const uint64_t middle = tree.first + split_of(tree.end - tree.first);
    if (old_size <= middle) {
      ranges.push_back({middle, tree.end});
      tree.end = middle;
    } else {
      ranges.push_back({tree.first, middle});
      tree.first = middle;
    }
  }
  // Whoever checks has the old root already, which is this subtree when it begins at the first entry.
  if (tree.first != 0) ranges.push_back(tree);
  return plan_of(std::move(ranges));
}

Result<ProofPlan> plan_root(uint64_t size) {
  TRY(check_size(size));
  if (size == 0) return fail(Errc::kInvalid, "an empty log has no hashes to compute its root from");
  return plan_of({{0, size}});
}

size_t tile_width(const TileId& tile, uint64_t size) {
  if (tile.level >= kTileLevelsMax) return 0;
  const uint64_t hashes = size >> (kTileHeight * tile.level);
  if (tile.index > hashes / kTileWidth) return 0;
  return size_t(std::min<uint64_t>(hashes - tile.index * kTileWidth, kTileWidth));
}

uint64_t tile_count(uint8_t level, uint64_t size) {
  if (level >= kTileLevelsMax) return 0;
  const uint64_t hashes = size >> (kTileHeight * level);
  return hashes / kTileWidth + (hashes % kTileWidth != 0 ? 1 : 0);
}

namespace {

// Where the leaves of a subtree's tile begin: a node of height 11 is eight neighbouring hashes of a tile of level 1.
struct TileSpan {
  TileId tile;
  size_t first;
  size_t count;
};

TileSpan span_of(const MerkleNode& node) {
  const int within = node.height % kTileHeight;
  const uint64_t first = node.index << within;
  return {{uint8_t(node.height / kTileHeight), first / kTileWidth}, size_t(first % kTileWidth), size_t(1) << within};
}

}  // namespace

std::set<TileId> tiles_for(const ProofPlan& plan) {
  std::set<TileId> tiles;
  for (const std::vector<MerkleNode>& nodes : plan) {
    for (const MerkleNode& node : nodes) tiles.insert(span_of(node).tile);
  }
  return tiles;
}

void TileSet::put(const TileId& tile, std::vector<Digest> hashes) {
  CHECK(hashes.size() <= kTileWidth);
  tiles_.insert_or_assign(tile, std::move(hashes));
}

Result<Digest> TileSet::node(const MerkleNode& node) const {
  const TileSpan span = span_of(node);
  const auto it = tiles_.find(span.tile);
  if (it == tiles_.end() || it->second.size() < span.first + span.count) {
    return fail(Errc::kNotFound, "tile " + std::to_string(span.tile.index) + " of level " + std::to_string(span.tile.level) +
                                     " of the log is missing or too short");
  }
  std::vector<Digest> row(it->second.begin() + ptrdiff_t(span.first), it->second.begin() + ptrdiff_t(span.first + span.count));
  for (; row.size() > 1; row.resize(row.size() / 2)) {
    for (size_t i = 0; i < row.size() / 2; ++i) row[i] = merkle_node(row[2 * i], row[2 * i + 1]);
  }
  return row[0];
}

Result<std::vector<Digest>> make_proof(const ProofPlan& plan, const TileSet& tiles) {
  std::vector<Digest> proof;
  for (const std::vector<MerkleNode>& nodes : plan) {
    std::vector<Digest> parts;
    for (const MerkleNode& node : nodes) parts.push_back(TRY(tiles.node(node)));
    proof.push_back(fold(parts));
  }
  return proof;
}

}  // namespace selvedge::object
