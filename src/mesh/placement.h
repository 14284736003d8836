// Placement: which holder keeps which symbols, so that any one holder may vanish.
//
// Pure functions over plain values. A block of K source symbols needs about K+2 distinct symbols to decode. Spread
// over n holders, each gets ceil((K+2)/(n-1)): whichever holder is lost, the others still hold enough. Holders get
// distinct encoding symbol ids, so any of them adds to any other. Small objects travel whole to two holders.
#pragma once

#include <vector>

#include "object/kinds.h"

namespace selvedge::mesh {

using NodeKey = crypto::PublicKey;

/// Symbols beyond K that make decoding fail less than once in a million (RFC 6330 promise, measured in fountain/).
constexpr uint32_t kDecodeMargin = 2;
constexpr size_t kHoldersMax = 64;
constexpr size_t kBlocksMax = 256;

struct EsiRange {
  uint8_t block = 0;
  uint32_t first = 0;
  uint32_t count = 0;
  template <class V> void visit(V& v) { v("block", block); v("first", first); v("count", count); }
  bool operator==(const EsiRange&) const = default;
};

struct Share {
  NodeKey holder;
  std::vector<EsiRange> ranges;
  template <class V> void visit(V& v) { v("holder", holder); v("ranges", ranges); }
};

/// Where the symbols of one object are, as its owner knows it. Kept in the owner's store.
struct Placement {
  object::ObjectId object;
  std::vector<uint32_t> next_esi;  // per block: the first id never handed out
  std::vector<Share> shares;
  template <class V> void visit(V& v) { v("object", object); v("next_esi", next_esi); v("shares", shares); }

  Share* find(const NodeKey& holder);
  const Share* find(const NodeKey& holder) const;
  void add(const Share& more);
};

/// Source symbols of each block: RFC 6330 4.4.1.2 partition of the object into its source blocks. {1} when whole.
std::vector<uint32_t> block_sizes(const object::BlockGroup& group);

/// Adds shares for every holder in `holders` so that any one of them may vanish; ids already placed on a holder in
/// `holders` count. Returns only what is new; `placement` is updated to hold it. `turn` rotates who gets the source
/// symbols (or the copies), so that load spreads over objects.
std::vector<Share> plan_shares(Placement& placement, const std::vector<uint32_t>& blocks, bool whole,
                               const std::vector<NodeKey>& holders, uint64_t turn);

/// Symbols placed for `block` on the holders for which `alive` says true.
template <class Alive>
uint32_t symbols_on(const Placement& placement, uint8_t block, Alive alive) {
  uint32_t sum = 0;
  for (const Share& share : placement.shares) {
    if (!alive(share.holder)) continue;
    for (const EsiRange& range : share.ranges) sum += range.block == block ? range.count : 0;
  }
  return sum;
}

}  // namespace selvedge::mesh
