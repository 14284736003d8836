#include "node/library.h"

#include <algorithm>

#include "codec/dag.h"

namespace selvedge::node {

std::optional<Blob> Library::find(const object::ZoneId& zone, const codec::Cid& cid) const {
  const Bytes* bytes = core_.find_record(Record::kBlob, blob_id(zone, cid));
  if (bytes == nullptr) return std::nullopt;
  Result<Blob> blob = codec::decode<Blob>(*bytes);
  if (!blob.ok() || !(blob->ref.cid == cid)) return std::nullopt;
  return std::move(blob).value();
}

Result<Blob> Library::find(const codec::Cid& cid) const {
  std::string closed;
  for (const auto& [zone, own] : core_.zones) {
    std::optional<Blob> blob = find(zone, cid);
    if (!blob) continue;
    const bool readable = std::all_of(blob->ref.groups.begin(), blob->ref.groups.end(), [&](const object::BlockGroup& g) { return own.keys->has_epoch(g.epoch); });
    if (readable) return std::move(*blob);
    closed = own.name;
  }
  if (closed.empty()) return fail(Errc::kNotFound, "this owner stored nothing named " + cid.text() + "; selvedge blob list shows what there is");
  return fail(Errc::kUnauthorized, cid.text() + " is in zone " + closed + ", of whose keys this device has not the one that it was sealed with");
}

std::vector<BlobInfo> Library::list() const {
  std::vector<BlobInfo> out;
  for (const store::RecordRef& record : core_.records(Record::kBlob)) {
    const Result<Blob> blob = codec::decode<Blob>(*record.value);
    if (!blob.ok()) continue;
    BlobInfo info{blob->name, blob->ref.cid, blob->ref.size, uint32_t(blob->ref.groups.size()), 0, core_.zone_name(blob->zone)};
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

Library::Totals Library::totals(const object::ZoneId& zone) const {
  Totals totals;
  for (const store::RecordRef& record : core_.records(Record::kBlob)) {
    const Result<Blob> blob = codec::decode<Blob>(*record.value);
    if (!blob.ok() || blob->zone != zone) continue;
    ++totals.blobs;
    totals.bytes += blob->ref.size;
  }
  return totals;
}

Result<object::ObjectKey> Library::key_of(const object::BlockGroup& group) const {
  const OwnZone* own = core_.find_zone(group.zone);
  if (own == nullptr || !own->keys) return fail(Errc::kNotFound, "this device has no keys of " + core_.zone_name(group.zone));
  return own->keys->object_key(group.epoch, object::unsigned_id(group), group.object_bytes, group.symbol_bytes);
}

std::optional<mesh::Placement> Library::placement(const object::ObjectId& object) const {
  const Bytes* bytes = core_.find_record(Record::kPlacement, object);
  if (bytes == nullptr) return std::nullopt;
  Result<Placed> placed = codec::decode<Placed>(*bytes);
  if (!placed.ok()) return std::nullopt;
  return std::move(placed->placement);
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

uint64_t Library::get(Turn& turn, Blob blob, OnPiece piece, Core::OnStatus then) {
  const uint64_t id = next_id_++;
  begin_get(turn, id, std::move(blob), std::move(piece), std::move(then));
  return id;
}

void Library::withdraw(Turn& turn, uint64_t transfer) {
  const Error why = fail(Errc::kCancelled, "the request was withdrawn");
  if (puts_.count(transfer)) fail_put(turn, transfer, why);
  else if (gets_.count(transfer)) end_get(turn, transfer, why);
}

void Library::begin_get(Turn& turn, uint64_t id, Blob blob, OnPiece piece, Core::OnStatus then) {
  if (gets_.size() >= kTransfersMax) return then(turn, fail(Errc::kLimit, "too many transfers at once; wait for one to end"));
  Get& get = gets_[id];
  get.blob = std::move(blob);
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
    request.urgent = true;
    // A holder that lost the zone's policy, or has an old one, gives nothing out.
    for (const NodeKey& holder : request.holders) zones_.tell_host(turn, holder, group.zone);
    core_.fetch(turn, std::move(request), [this, id, index](Turn& t, Result<Bytes> bytes) { get_group(t, id, index, std::move(bytes)); });
  }
}

void Library::get_group(Turn& turn, uint64_t id, size_t group, Result<Bytes> bytes) {
  if (!gets_.count(id)) return;
  if (!bytes.ok()) return end_get(turn, id, bytes.error());
  auto content = std::make_shared<Bytes>(std::move(bytes).value());
  const object::BlockGroup& wanted = gets_.at(id).blob.ref.groups[group];
  core_.compute(turn, DescribeJob{content, core_.zones.at(wanted.zone).keys, wanted.epoch}, [this, id, group, content](Turn& t, ComputeResult result) {
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

Instant Library::next_deadline() const {
  Instant soonest = retry_at_;
  for (const auto& [id, put] : puts_) {
    if (!put.started) soonest = std::min(soonest, put.start_by);
  }
  return soonest;
}

// ---- for the owner's devices

Library::Held Library::held_by(Instant now, const NodeKey& holder) const {
  Held held;
  for (const store::RecordRef& record : core_.records(Record::kBlob)) {
    const Result<Blob> blob = codec::decode<Blob>(*record.value);
    if (!blob.ok()) continue;
    for (const object::BlockGroup& group : blob->ref.groups) {
      const object::ObjectId object = object::unsigned_id(group);
      const std::optional<mesh::Placement> at = placement(object);
      if (!at || at->find(holder) == nullptr) continue;
      ++held.objects;
      if (!covered(now, *at, group, &holder)) held.thin.insert(object);
    }
  }
  return held;
}

size_t Library::still_thin(const std::set<object::ObjectId>& objects) const {
  return size_t(std::count_if(objects.begin(), objects.end(), [this](const object::ObjectId& object) { return thin_.count(object) > 0; }));
}

void Library::note_blob(Turn& turn, const Blob& blob) {
  for (const object::BlockGroup& group : blob.ref.groups) {
    if (const std::optional<mesh::Placement> at = placement(object::unsigned_id(group))) note_coverage(turn, *at, group);
  }
}

void Library::rename_holder(Turn& turn, const NodeKey& old_holder, const NodeKey& fresh) {
  std::vector<Placed> moved;
  for (const store::RecordRef& record : core_.records(Record::kPlacement)) {
    Result<Placed> placed = codec::decode<Placed>(*record.value);
    if (!placed.ok()) continue;
    mesh::Share* share = placed->placement.find(old_holder);
    if (share == nullptr) continue;
    share->holder = fresh;
    moved.push_back(std::move(placed).value());
  }
  for (const Placed& placed : moved) index_.put(turn, IndexKind::kPlacement, placed.placement.object, placed, [](Turn&, const Status&) {});
}

void Library::on_deadline(Turn& turn) {
  on_hosts_changed(turn);
  if (retry_at_ > turn.now) return;
  retry_at_ = Instant::never();
  resting_.clear();
  repair_next(turn);
}

}  // namespace selvedge::node
