#include "mesh/placement.h"

#include <algorithm>

#include "fountain/fountain.h"

namespace selvedge::mesh {

Share* Placement::find(const NodeKey& holder) {
  auto it = std::find_if(shares.begin(), shares.end(), [&](const Share& s) { return s.holder == holder; });
  return it == shares.end() ? nullptr : &*it;
}

const Share* Placement::find(const NodeKey& holder) const { return const_cast<Placement*>(this)->find(holder); }

void Placement::add(const Share& more) {
  if (Share* have = find(more.holder)) {
    have->ranges.insert(have->ranges.end(), more.ranges.begin(), more.ranges.end());
  } else {
    shares.push_back(more);
  }
}

namespace {

uint32_t held(const Share* share, uint8_t block) {
  uint32_t sum = 0;
  if (share == nullptr) return 0;
  for (const EsiRange& range : share->ranges) sum += range.block == block ? range.count : 0;
  return sum;
}

// A whole object has one symbol, id 0; two copies let either holder vanish.
std::vector<Share> plan_copies(Placement& placement, const std::vector<NodeKey>& order) {
  constexpr size_t kCopies = 2;
  size_t copies = 0;
  for (const NodeKey& holder : order) copies += placement.find(holder) != nullptr ? 1 : 0;
  std::vector<Share> added;
  for (const NodeKey& holder : order) {
    if (copies >= kCopies) break;
    if (placement.find(holder) != nullptr) continue;
    added.push_back({holder, {{0, 0, 1}}});
    ++copies;
  }
  for (const Share& share : added) placement.add(share);
  return added;
}

}  // namespace

std::vector<uint32_t> block_sizes(const object::BlockGroup& group) {
  if (group.whole) return {1};
  // RFC 6330 4.4.1.2: KL, KS, ZL, ZS = Partition[Kt, Z].
  const uint64_t total = (group.object_bytes + group.symbol_bytes - 1) / group.symbol_bytes;
  const uint64_t z = group.source_blocks;
  const uint32_t large = uint32_t((total + z - 1) / z);
  const uint32_t small = uint32_t(total / z);
  const uint64_t large_count = total - uint64_t(small) * z;
  std::vector<uint32_t> sizes;
  for (uint64_t i = 0; i < z; ++i) sizes.push_back(i < large_count ? large : small);
  return sizes;
}

std::vector<Share> plan_shares(Placement& placement, const std::vector<uint32_t>& blocks, bool whole,
                               const std::vector<NodeKey>& holders, uint64_t turn) {
  CHECK(!blocks.empty() && blocks.size() <= kBlocksMax);
  if (holders.empty()) return {};
  std::vector<NodeKey> order(holders);
  std::rotate(order.begin(), order.begin() + long(turn % order.size()), order.end());
  if (whole) return plan_copies(placement, order);
  if (placement.next_esi.size() != blocks.size()) placement.next_esi.assign(blocks.size(), 0);

  const uint32_t sharers = order.size() > 1 ? uint32_t(order.size() - 1) : 1;
  std::vector<Share> added;
  for (const NodeKey& holder : order) {
    Share share{holder, {}};
    for (size_t b = 0; b < blocks.size(); ++b) {
      const uint32_t wanted = (blocks[b] + kDecodeMargin + sharers - 1) / sharers;
      const uint32_t have = held(placement.find(holder), uint8_t(b));
      if (have >= wanted) continue;
      share.ranges.push_back({uint8_t(b), placement.next_esi[b], wanted - have});
      placement.next_esi[b] += wanted - have;
    }
    if (!share.ranges.empty()) added.push_back(share);
  }
  for (const Share& share : added) placement.add(share);
  return added;
}

}  // namespace selvedge::mesh
