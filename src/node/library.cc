#include "node/library.h"

#include <algorithm>

#include "codec/dag.h"

namespace selvedge::node {

std::optional<Blob> Library::find(const codec::Cid& cid) const {
  const Bytes* bytes = core_.find_record(Record::kBlob, cid.digest);
  if (bytes == nullptr) return std::nullopt;
  Result<Blob> blob = codec::decode<Blob>(*bytes);
  if (!blob.ok() || !(blob->ref.cid == cid)) return std::nullopt;
  return std::move(blob).value();
}

std::vector<BlobInfo> Library::list() const {
  std::vector<BlobInfo> out;
  for (const store::RecordRef& record : core_.records(Record::kBlob)) {
    const Result<Blob> blob = codec::decode<Blob>(*record.value);
    if (!blob.ok()) continue;
    BlobInfo info{blob->name, blob->ref.cid, blob->ref.size, uint32_t(blob->ref.groups.size()), 0};
    for (const object::BlockGroup& group : blob->ref.groups) info.holders = std::max(info.holders, uint32_t(holders_of(object::unsigned_id(group)).size()));
    out.push_back(std::move(info));
  }
  return out;
}

Library::Totals Library::totals() const {
  Totals totals;
  for (const store::RecordRef& record : core_.records(Record::kBlob)) {
    const Result<Blob> blob = codec::decode<Blob>(*record.value);
    if (!blob.ok()) continue;
    ++totals.blobs;
    totals.bytes += blob->ref.size;
  }
  return totals;
}

Result<object::ObjectKey> Library::key_of(const object::BlockGroup& group) const {
  return core_.zone_keys->object_key(kZoneEpoch, object::unsigned_id(group), group.object_bytes, group.symbol_bytes);
}

std::optional<mesh::Placement> Library::placement(const object::ObjectId& object) const {
  const Bytes* bytes = core_.find_record(Record::kPlacement, object);
  if (bytes == nullptr) return std::nullopt;
  Result<mesh::Placement> placement = codec::decode<mesh::Placement>(*bytes);
  if (!placement.ok()) return std::nullopt;
  return std::move(placement).value();
}

std::vector<NodeKey> Library::holders_of(const object::ObjectId& object) const {
  std::vector<NodeKey> out;
  const std::optional<mesh::Placement> at = placement(object);
  if (at) {
    for (const mesh::Share& share : at->shares) out.push_back(share.holder);
  }
  return out;
}

// ---- get

void Library::get(Turn& turn, const codec::Cid& cid, OnPiece piece, Core::OnStatus then) {
  std::optional<Blob> blob = find(cid);
  if (!blob) return then(turn, fail(Errc::kNotFound, "this owner stored nothing named " + cid.text() + "; selvedge blob list shows what there is"));
  if (gets_.size() >= kTransfersMax) return then(turn, fail(Errc::kLimit, "too many transfers at once; wait for one to end"));
  const uint64_t id = next_id_++;
  Get& get = gets_[id];
  get.blob = std::move(*blob);
  get.piece = std::move(piece);
  get.then = std::move(then);
  if (get.blob.ref.groups.empty()) {
    get.piece(turn, 0, {}, true);
    return end_get(turn, id, ok());
  }
  pump_get(turn, id);
}

void Library::pump_get(Turn& turn, uint64_t id) {
  while (gets_.count(id)) {
    Get& get = gets_.at(id);
    if (get.next_group >= get.blob.ref.groups.size() || get.in_flight + get.ready.size() >= kGetGroupsInFlightMax) return;
    const size_t index = get.next_group++;
    ++get.in_flight;
    const object::BlockGroup group = get.blob.ref.groups[index];
    const object::ObjectId object = object::unsigned_id(group);
    Result<object::ObjectKey> key = key_of(group);
    if (!key.ok()) return end_get(turn, id, key.error());
    mesh::FetchRequest request{object, group, std::move(key).value(), holders_of(object), {}};
    core_.fetch(turn, std::move(request), [this, id, index](Turn& t, Result<Bytes> bytes) { get_group(t, id, index, std::move(bytes)); });
  }
}

void Library::get_group(Turn& turn, uint64_t id, size_t group, Result<Bytes> bytes) {
  if (!gets_.count(id)) return;
  if (!bytes.ok()) return end_get(turn, id, bytes.error());
  auto content = std::make_shared<Bytes>(std::move(bytes).value());
  core_.compute(turn, DescribeJob{content, core_.zone_keys, kZoneEpoch}, [this, id, group, content](Turn& t, ComputeResult result) {
    get_checked(t, id, group, content, std::get<Described>(std::move(result)));
  });
}

void Library::get_checked(Turn& turn, uint64_t id, size_t group, std::shared_ptr<Bytes> bytes, Described described) {
  if (!gets_.count(id)) return;
  Get& get = gets_.at(id);
  if (!described.group.ok() || object::unsigned_id(*described.group) != object::unsigned_id(get.blob.ref.groups[group])) {
    return end_get(turn, id, fail(Errc::kIntegrity, "what came back is not what was stored; nothing of it was used"));
  }
  --get.in_flight;
  get.ready[group] = std::move(bytes);
  // Pieces leave in order, and chunk names are collected in order with them.
  if (get.chunks.size() < (group + 1) * (mesh::kGroupBytesMax / codec::kChunkSize)) get.chunks.resize((group + 1) * (mesh::kGroupBytesMax / codec::kChunkSize));
  for (size_t i = 0; i < described.chunks.size(); ++i) get.chunks[group * (mesh::kGroupBytesMax / codec::kChunkSize) + i] = described.chunks[i];
  while (gets_.count(id) && gets_.at(id).ready.count(gets_.at(id).next_piece)) {
    Get& g = gets_.at(id);
    Bytes piece = std::move(*g.ready.at(g.next_piece));
    g.ready.erase(g.next_piece);
    const bool last = ++g.next_piece == g.blob.ref.groups.size();
    if (last) {
      g.chunks.resize(size_t((g.blob.ref.size + codec::kChunkSize - 1) / codec::kChunkSize));
      const Result<codec::Cid> cid = cid_of_chunks(g.chunks);
      if (!cid.ok() || !(*cid == g.blob.ref.cid)) return end_get(turn, id, fail(Errc::kIntegrity, "the whole is not what its name says"));
    }
    const uint64_t offset = g.offset;
    g.offset += piece.size();
    const OnPiece hand_out = g.piece;
    hand_out(turn, offset, std::move(piece), last);
    if (last) return end_get(turn, id, ok());
  }
  pump_get(turn, id);
}

void Library::end_get(Turn& turn, uint64_t id, const Status& status) {
  const Core::OnStatus then = std::move(gets_.at(id).then);
  gets_.erase(id);
  then(turn, status);
}

// ---- repair

bool Library::host_lost(Instant now, const NodeKey& host) const { return core_.authority.granted_by(now, host, object::kStorage) == nullptr; }

void Library::repair(Turn& turn) {
  for (const store::RecordRef& record : core_.records(Record::kBlob)) {
    const Result<Blob> blob = codec::decode<Blob>(*record.value);
    if (!blob.ok()) continue;
    for (const object::BlockGroup& group : blob->ref.groups) {
      const object::ObjectId object = object::unsigned_id(group);
      const std::optional<mesh::Placement> at = placement(object);
      if (!at || repairing_.count(object)) continue;
      const bool lost = std::any_of(at->shares.begin(), at->shares.end(), [&](const mesh::Share& s) { return host_lost(turn.now, s.holder); });
      if (lost) repairs_.emplace(object, group);
    }
  }
  repair_next(turn);
}

void Library::repair_next(Turn& turn) {
  while (!repairs_.empty() && repairing_.size() < kRepairsInFlightMax) {
    const auto [object, group] = *repairs_.begin();
    repairs_.erase(repairs_.begin());
    std::optional<mesh::Placement> at = placement(object);
    Result<object::ObjectKey> key = key_of(group);
    if (!at || !key.ok()) continue;
    repairing_.insert(object);
    std::vector<NodeKey> holders;
    for (const mesh::Share& share : at->shares) {
      if (!host_lost(turn.now, share.holder)) holders.push_back(share.holder);
    }
    mesh::FetchRequest request{object, group, std::move(key).value(), std::move(holders), {}};
    const object::ObjectId id = object;
    const object::BlockGroup of = group;
    core_.fetch(turn, std::move(request), [this, id, of](Turn& t, Result<Bytes> bytes) { repair_fetched(t, id, of, std::move(bytes)); });
  }
}

void Library::repair_fetched(Turn& turn, const object::ObjectId& object, object::BlockGroup group, Result<Bytes> bytes) {
  if (!bytes.ok()) return repair_ended(turn, object, bytes.error());
  std::optional<mesh::Placement> at = placement(object);
  if (!at) return repair_ended(turn, object, ok());
  std::vector<NodeKey> lost;
  for (const mesh::Share& share : at->shares) {
    if (host_lost(turn.now, share.holder)) lost.push_back(share.holder);
  }
  std::erase_if(at->shares, [&](const mesh::Share& s) { return std::find(lost.begin(), lost.end(), s.holder) != lost.end(); });
  std::vector<mesh::Share> shares =
      mesh::plan_shares(*at, mesh::block_sizes(group), group.whole, storage_hosts(turn.now), load_u64(object.bytes.data()));
  auto content = std::make_shared<const Bytes>(std::move(bytes).value());
  auto job = std::make_shared<const mesh::EncodeJob>(encode_job(turn, content, group, std::move(shares)));
  const object::ObjectId id = object;
  const mesh::Placement plan = *at;
  core_.compute(turn, job, [this, id, plan, group, lost](Turn& t, ComputeResult result) {
    core_.spread(t, std::move(std::get<mesh::EncodeResult>(result).shares), [this, id, plan, group, lost](Turn& t2, const mesh::Spread& spread) {
      repair_spread(t2, id, plan, group, lost, spread);
    });
  });
}

void Library::repair_spread(Turn& turn, const object::ObjectId& object, mesh::Placement plan, object::BlockGroup group,
                            std::vector<NodeKey> lost, const mesh::Spread& spread) {
  if (!spread.failed.empty()) {
    // What did arrive is written down at the next try, which plans from what is known to be placed.
    return repair_ended(turn, object, spread.failed.front().second);
  }
  (void)group;
  core_.put_record(turn, Record::kPlacement, object, codec::encode(plan), [this, object, lost](Turn& t, const Status& kept) {
    // Only now, with the others holding it on disk and that written down here, may the lost host forget it.
    for (const NodeKey& host : lost) {
      if (kept.ok()) core_.send(t, host, mesh::MeshMessages::encode(mesh::Drop{1, {object}}));
    }
    repair_ended(t, object, kept);
  });
}

void Library::repair_ended(Turn& turn, const object::ObjectId& object, const Status& status) {
  repairing_.erase(object);
  if (!status.ok()) core_.trace(turn, "object " + object.brief() + " could not be re-placed yet: " + status.error().message);
  if (!status.ok()) failed_repairs_at_ = turn.now + kRepairRetry;
  repair_next(turn);
}

Instant Library::next_deadline() const {
  Instant soonest = failed_repairs_at_;
  for (const auto& [id, put] : puts_) {
    if (!put.started) soonest = std::min(soonest, put.start_by);
  }
  return soonest;
}

void Library::on_deadline(Turn& turn) {
  on_hosts_changed(turn);
  if (failed_repairs_at_ > turn.now) return;
  failed_repairs_at_ = Instant::never();
  repair(turn);
}

}  // namespace selvedge::node
