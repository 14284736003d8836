#include <algorithm>

#include "node/library.h"

namespace selvedge::node {

void Library::note_coverage(Turn& turn, const mesh::Placement& placement, const object::BlockGroup& group) {
  if (covered(turn.now, placement, group) && !any_lost(turn.now, placement)) {
    thin_.erase(placement.object);
    resting_.erase(placement.object);
  } else if (thin_.emplace(placement.object, group).second && !repairing_.count(placement.object)) {
    rest(turn, placement.object);
  }
}

void Library::rest(Turn& turn, const object::ObjectId& object) {
  resting_.insert(object);
  if (retry_at_ != Instant::never()) return;
  retry_at_ = turn.now + retry_pause_;
  retry_pause_ = std::min(retry_pause_ * 2, kRepairRetryMax);
}

void Library::repair(Turn& turn) {
  for (const store::RecordRef& record : core_.records(Record::kBlob)) {
    const Result<Blob> blob = codec::decode<Blob>(*record.value);
    if (!blob.ok()) continue;
    for (const object::BlockGroup& group : blob->ref.groups) {
      const object::ObjectId object = object::unsigned_id(group);
      const std::optional<mesh::Placement> at = placement(object);
      if (at && (any_lost(turn.now, *at) || !covered(turn.now, *at, group))) thin_.emplace(object, group);
    }
  }
  on_host_serving(turn);
}

// Something changed: whatever failed before may work now.
void Library::on_host_serving(Turn& turn) {
  resting_.clear();
  retry_pause_ = kRepairRetry;
  on_hosts_changed(turn);
}

void Library::repair_next(Turn& turn) {
  if (choosing_ || (leads && !leads(turn.now))) return;
  choosing_ = true;  // a repair that ends at once comes back here
  std::map<object::ZoneId, size_t> hosts;
  std::vector<std::pair<object::ObjectId, object::BlockGroup>> next;
  for (const auto& [object, group] : thin_) {
    if (repairing_.size() + next.size() >= kRepairsInFlightMax) break;
    if (repairing_.count(object) || resting_.count(object)) continue;
    if (!hosts.count(group.zone)) {
      zones_.tell_hosts(turn, group.zone);
      hosts[group.zone] = storage_hosts(turn.now, group.zone).size();
    }
    // One host alone can take over from a lost one, but cannot add to itself.
    const std::optional<mesh::Placement> at = placement(object);
    const size_t there = hosts[group.zone];
    if (at && (there >= 2 || (there == 1 && any_lost(turn.now, *at)))) next.push_back({object, group});
  }
  for (const auto& [object, group] : next) {
    if (thin_.count(object) && !repairing_.count(object)) start_repair(turn, object, group);
  }
  choosing_ = false;
}

void Library::start_repair(Turn& turn, const object::ObjectId& object, const object::BlockGroup& group) {
  const std::optional<mesh::Placement> at = placement(object);
  Result<object::ObjectKey> key = key_of(group);
  if (!at || !key.ok()) return rest(turn, object);
  repairing_.insert(object);
  std::vector<NodeKey> holders;
  for (const mesh::Share& share : at->shares) {
    if (!host_lost(turn.now, share.holder)) holders.push_back(share.holder);
  }
  mesh::FetchRequest request{object, group, std::move(key).value(), std::move(holders), {}};
  core_.fetch(turn, std::move(request), [this, object, group](Turn& t, Result<Bytes> bytes) { repair_fetched(t, object, group, std::move(bytes)); });
}

void Library::repair_fetched(Turn& turn, const object::ObjectId& object, object::BlockGroup group, Result<Bytes> bytes) {
  if (!bytes.ok()) return repair_ended(turn, object, bytes.error());
  std::optional<mesh::Placement> at = placement(object);
  const std::vector<NodeKey> hosts = at ? hosts_for(turn.now, group, *at) : std::vector<NodeKey>();
  if (hosts.empty()) return repair_ended(turn, object, fail(Errc::kUnavailable, "no connected host can take its symbols"));
  Repair repair;
  repair.group = group;
  for (const mesh::Share& share : at->shares) {
    if (host_lost(turn.now, share.holder)) repair.lost.push_back(share.holder);
  }
  std::erase_if(at->shares, [&](const mesh::Share& s) { return std::find(repair.lost.begin(), repair.lost.end(), s.holder) != repair.lost.end(); });
  repair.plan = *at;
  repair.added = mesh::plan_shares(*at, mesh::block_sizes(group), group.whole, hosts, load_u64(object.bytes.data()));
  repair.plan.next_esi = at->next_esi;
  auto content = std::make_shared<const Bytes>(std::move(bytes).value());
  auto job = std::make_shared<const mesh::EncodeJob>(encode_job(turn, content, group, repair.added));
  core_.compute(turn, job, [this, object, repair](Turn& t, ComputeResult result) {
    core_.spread(t, std::move(std::get<mesh::EncodeResult>(result).shares), [this, object, repair](Turn& t2, const mesh::Spread& spread) {
      repair_spread(t2, object, repair, spread);
    });
  });
}

void Library::repair_spread(Turn& turn, const object::ObjectId& object, Repair repair, const mesh::Spread& spread) {
  for (const mesh::Share& share : repair.added) {
    if (std::find(spread.placed.begin(), spread.placed.end(), share.holder) != spread.placed.end()) repair.plan.add(share);
  }
  std::vector<NodeKey> held;
  for (const mesh::Share& share : repair.plan.shares) held.push_back(share.holder);
  mesh::Placement plan = repair.plan;
  if (!keep_placed(plan, repair.group, held)) {
    // Without the lost holders it would not decode: they stay written down until others have what it takes.
    const bool told = !spread.failed.empty();
    return repair_ended(turn, object, told ? spread.failed.front().second : fail(Errc::kUnavailable, "too few hosts are connected"));
  }
  const Status rest_of_it = spread.failed.empty() ? ok() : Status(spread.failed.front().second);
  index_.put(turn, IndexKind::kPlacement, object, Placed{{}, plan}, [this, object, plan, repair, rest_of_it](Turn& t, const Status& kept) {
    // Only now, with the others holding it on disk and that written down here, may the lost host forget it.
    for (const NodeKey& host : repair.lost) {
      if (kept.ok()) core_.send(t, host, mesh::MeshMessages::encode(mesh::Drop{1, {object}}));
    }
    if (kept.ok()) note_coverage(t, plan, repair.group);
    repair_ended(t, object, kept.ok() ? rest_of_it : kept);
  });
}

void Library::repair_ended(Turn& turn, const object::ObjectId& object, const Status& status) {
  repairing_.erase(object);
  if (status.ok()) retry_pause_ = kRepairRetry;
  else core_.trace(turn, "object " + object.brief() + " could not be placed anew yet: " + status.error().message);
  const auto thin = thin_.find(object);
  if (thin != thin_.end() && (!status.ok() || storage_hosts(turn.now, thin->second.zone).size() >= 2)) rest(turn, object);
  if (on_repaired) on_repaired(turn);
  repair_next(turn);
}

}  // namespace selvedge::node
