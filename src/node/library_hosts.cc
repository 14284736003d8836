// Which hosts a zone's symbols may go to, and whether they lie well enough where they are.
#include <algorithm>

#include "node/library.h"

namespace selvedge::node {

namespace {

uint32_t symbols_of(const mesh::Share& share, uint8_t block) {
  uint32_t sum = 0;
  for (const mesh::EsiRange& range : share.ranges) sum += range.block == block ? range.count : 0;
  return sum;
}

}  // namespace

// A host of whose grant nothing is known is not lost: another device of this owner placed something there, and has the grant.
bool Library::host_lost(Instant now, const NodeKey& host) const {
  if (core_.authority.granted_by(now, host, object::kStorage) != nullptr) return false;
  return core_.authority.knows_grant_of(host) || core_.revoked_device(host, core_.owner(), now);
}

bool Library::any_lost(Instant now, const mesh::Placement& placement) const {
  return std::any_of(placement.shares.begin(), placement.shares.end(), [&](const mesh::Share& s) { return host_lost(now, s.holder); });
}

bool Library::may_place(const object::ZonePolicy& policy, Instant now, const NodeKey& host) const {
  const object::Signed<object::Grant>* grant = core_.authority.granted_by(now, host, object::kStorage);
  if (grant == nullptr) return false;
  const crypto::PublicKey& owner = grant->body.owner;
  return policy.executors.empty() || owner == policy.owner || std::binary_search(policy.executors.begin(), policy.executors.end(), owner);
}

std::vector<NodeKey> Library::storage_hosts(Instant now, const object::ZoneId& zone) const {
  std::vector<NodeKey> hosts;
  const object::Signed<object::ZonePolicy>* policy = core_.authority.policy(zone);
  if (policy == nullptr) return hosts;
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (core_.serving.count(key) && core_.sessions.up(key) && zones_.ready(key, zone) && may_place(policy->body, now, key)) hosts.push_back(key);
  }
  return hosts;
}

bool Library::hosts_settled(Instant now, const object::ZoneId& zone) const {
  const object::Signed<object::ZonePolicy>* policy = core_.authority.policy(zone);
  if (policy == nullptr) return true;  // nothing that one waits for makes it so
  bool any = false;
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (!core_.sessions.up(key) || !may_place(policy->body, now, key)) continue;
    if (!core_.serving.count(key) || !zones_.ready(key, zone)) return false;
    any = true;
  }
  return any;
}

crypto::PublicKey Library::owner_of(Instant now, const NodeKey& host) const {
  const object::Signed<object::Grant>* grant = core_.authority.granted_by(now, host, object::kStorage);
  return grant == nullptr ? crypto::PublicKey{} : grant->body.owner;
}

// The hosts in an order that differs from object to object, one of each owner before a second of any, and no more of them than the zone's
// policy allows. What has its symbols there already comes first: it stays.
std::vector<NodeKey> Library::hosts_for(Instant now, const object::BlockGroup& group, const mesh::Placement& placement) const {
  std::vector<NodeKey> hosts = storage_hosts(now, group.zone);
  if (hosts.empty()) return hosts;
  const object::Distribution& wanted = core_.authority.policy(group.zone)->body.distribution;
  std::rotate(hosts.begin(), hosts.begin() + ptrdiff_t(load_u64(placement.object.bytes.data()) % hosts.size()), hosts.end());
  std::stable_partition(hosts.begin(), hosts.end(), [&](const NodeKey& host) { return placement.find(host) != nullptr; });
  std::vector<NodeKey> first, second;
  std::set<crypto::PublicKey> owners;
  for (const NodeKey& host : hosts) (owners.insert(owner_of(now, host)).second ? first : second).push_back(host);
  // A small object has two copies: with owners enough, a second one at the same owner's is none.
  const bool spread = group.whole && wanted.owners_min >= 2 && first.size() >= 2;
  if (!spread) first.insert(first.end(), second.begin(), second.end());
  if (wanted.devices_max > 0 && first.size() > wanted.devices_max) first.resize(wanted.devices_max);
  std::sort(first.begin(), first.end());
  return first;
}

// Whether any one holder may vanish and the rest still decodes, and whether the policy's least number of devices and owners is
// reached as far as connected hosts allow. `without`: as if that holder were gone.
bool Library::covered(Instant now, const mesh::Placement& placement, const object::BlockGroup& group, const NodeKey* without) const {
  const auto gone = [&](const NodeKey& holder) { return (without != nullptr && holder == *without) || host_lost(now, holder); };
  const std::vector<uint32_t> blocks = mesh::block_sizes(group);
  for (size_t b = 0; b < blocks.size(); ++b) {
    uint32_t sum = 0, largest = 0;
    for (const mesh::Share& share : placement.shares) {
      if (gone(share.holder)) continue;
      const uint32_t here = symbols_of(share, uint8_t(b));
      sum += here;
      largest = std::max(largest, here);
    }
    if (sum - largest < (group.whole ? 1 : blocks[b] + mesh::kDecodeMargin)) return false;
  }
  const object::Signed<object::ZonePolicy>* policy = core_.authority.policy(group.zone);
  if (policy == nullptr) return true;
  std::set<crypto::PublicKey> owners;
  for (const mesh::Share& share : placement.shares) {
    if (!gone(share.holder)) owners.insert(owner_of(now, share.holder));
  }
  if (owners.size() >= policy->body.distribution.owners_min) return true;
  const std::vector<NodeKey> hosts = storage_hosts(now, group.zone);
  return std::none_of(hosts.begin(), hosts.end(), [&](const NodeKey& host) { return !gone(host) && owners.count(owner_of(now, host)) == 0; });
}

}  // namespace selvedge::node
