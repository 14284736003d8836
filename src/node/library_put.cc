#include <algorithm>

#include "codec/dag.h"
#include "node/library.h"

namespace selvedge::node {

namespace {
constexpr Duration kProgressInterval = milliseconds(100);
}

bool keep_placed(mesh::Placement& placement, const object::BlockGroup& group, const std::vector<NodeKey>& kept) {
  const auto alive = [&](const NodeKey& holder) { return std::find(kept.begin(), kept.end(), holder) != kept.end(); };
  std::erase_if(placement.shares, [&](const mesh::Share& share) { return !alive(share.holder); });
  const std::vector<uint32_t> blocks = mesh::block_sizes(group);
  for (size_t b = 0; b < blocks.size(); ++b) {
    const uint32_t wanted = group.whole ? 1 : blocks[b] + mesh::kDecodeMargin;
    if (mesh::symbols_on(placement, uint8_t(b), [](const NodeKey&) { return true; }) < wanted) return false;
  }
  return true;
}

void Library::on_hosts_changed(Turn& turn) {
  std::vector<uint64_t> waiting;
  for (const auto& [id, put] : puts_) {
    if (!put.started) waiting.push_back(id);
  }
  for (uint64_t id : waiting) start_put(turn, id);
  repair_next(turn);
}

void Library::start_put(Turn& turn, uint64_t id) {
  auto it = puts_.find(id);
  if (it == puts_.end() || it->second.started) return;
  const object::ZoneId zone = it->second.zone;
  zones_.tell_hosts(turn, zone);
  if (!hosts_settled(turn.now, zone) && it->second.start_by > turn.now) return;
  it->second.started = true;
  if (storage_hosts(turn.now, zone).empty()) {
    return fail_put(turn, id, fail(Errc::kUnavailable, "no connected host has granted storage to this owner; add a host's ticket (selvedge peer add) "
                                                       "and ask its owner for a grant (selvedge grant give KEY --storage 1G)"));
  }
  pump(turn, id);
}

uint64_t Library::put(Turn& turn, const object::ZoneId& zone, std::vector<PutItem> items, OnTransferProgress progress, OnPut then) {
  const uint64_t id = next_id_++;
  begin_put(turn, id, zone, std::move(items), std::move(progress), std::move(then));
  return id;
}

Status Library::check_zone(const object::ZoneId& zone) const {
  if (core_.awaiting_index) {
    return fail(Errc::kUnavailable, "this home was restored and is looking for its index: connect it to a host that has your data (selvedge peer add TICKET), and put again");
  }
  const OwnZone* own = core_.find_zone(zone);
  if (own == nullptr) return fail(Errc::kNotFound, "there is no such zone here; selvedge zone list shows them");
  if (own->epoch == 0) return fail(Errc::kUnauthorized, "this device has not the newest keys of zone " + own->name + ": connect it to the device that holds the owner's key");
  return ok();
}

void Library::begin_put(Turn& turn, uint64_t id, const object::ZoneId& zone, std::vector<PutItem> items, OnTransferProgress progress, OnPut then) {
  Put& put = puts_[id];
  put.zone = zone;
  put.on_progress = std::move(progress);
  put.then = std::move(then);
  put.progress.files_total = items.size();
  put.files_left = items.size();
  for (PutItem& item : items) {
    FilePut file;
    file.size = item.content ? item.content->size() : item.source ? item.source->ref.size : item.file.size;
    file.groups_left = size_t((file.size + mesh::kGroupBytesMax - 1) / mesh::kGroupBytesMax);
    file.chunks.resize(file.groups_left);
    file.groups.resize(file.groups_left);
    file.item = std::move(item);
    put.progress.bytes_total += file.size;
    put.files.push_back(std::move(file));
    put.outcome.files.emplace_back();
  }
  const Status usable = check_zone(zone);
  if (!usable.ok()) return fail_put(turn, id, usable.error());
  if (puts_.size() > kTransfersMax) return fail_put(turn, id, fail(Errc::kLimit, "too many transfers at once; wait for one to end"));
  if (put.files.empty()) return finish_put(turn, id);
  // With nobody to wait for there is nothing to wait for.
  put.start_by = core_.sessions.peers().empty() ? turn.now : turn.now + kHostsSettleMax;
  start_put(turn, id);
}

void Library::pump(Turn& turn, uint64_t id) {
  if (!puts_.count(id) || puts_.at(id).pumping) return;
  puts_.at(id).pumping = true;  // starting a group may finish another one, which pumps again
  while (puts_.count(id)) {
    Put& put = puts_.at(id);
    if (put.next_file >= put.files.size() || put.bytes_in_flight >= kPutBytesInFlightMax || put.groups_in_flight >= kPutGroupsInFlightMax) break;
    const size_t index = put.next_file;
    FilePut& file = put.files[index];
    if (file.size == 0) {
      ++put.next_file;
      finish_file(turn, id, index);
      continue;
    }
    const size_t group = size_t(file.next_offset / mesh::kGroupBytesMax);
    const uint64_t bytes = std::min<uint64_t>(mesh::kGroupBytesMax, file.size - file.next_offset);
    file.next_offset += bytes;
    if (file.next_offset >= file.size) ++put.next_file;
    start_group(turn, id, index, group, bytes);
  }
  if (puts_.count(id)) puts_.at(id).pumping = false;
}

void Library::start_group(Turn& turn, uint64_t id, size_t file, size_t group, uint64_t bytes) {
  Put& put = puts_.at(id);
  put.bytes_in_flight += bytes;
  ++put.groups_in_flight;
  const PutItem& item = put.files[file].item;
  const uint64_t offset = uint64_t(group) * mesh::kGroupBytesMax;
  if (item.content) {
    const ByteView part = ByteView(*item.content).subspan(offset, bytes);
    return group_read(turn, id, file, group, bytes, to_bytes(part));
  }
  if (item.source) return fetch_source(turn, id, file, group, bytes);
  core_.read_file(turn, item.file.path, offset, bytes, [this, id, file, group, bytes](Turn& t, Result<Bytes> content) {
    group_read(t, id, file, group, bytes, std::move(content));
  });
}

// What crosses from another zone is fetched group by group: its plaintext is here and nowhere on the way.
void Library::fetch_source(Turn& turn, uint64_t id, size_t file, size_t group, uint64_t bytes) {
  const std::shared_ptr<const Blob> source = puts_.at(id).files[file].item.source;
  const object::BlockGroup from = source->ref.groups[group];
  const object::ObjectId object = object::unsigned_id(from);
  Result<object::ObjectKey> key = key_of(from);
  if (!key.ok()) return fail_put(turn, id, key.error());
  mesh::FetchRequest request{object, from, std::move(key).value(), holders_of(object), {}};
  core_.fetch(turn, std::move(request), [this, id, file, group, bytes](Turn& t, Result<Bytes> content) { group_read(t, id, file, group, bytes, std::move(content)); });
}

void Library::group_read(Turn& turn, uint64_t id, size_t file, size_t group, uint64_t expected, Result<Bytes> bytes) {
  if (!puts_.count(id)) return;
  const std::string name = puts_.at(id).files[file].item.file.name;
  if (!bytes.ok()) return fail_put(turn, id, fail(bytes.code(), name + ": " + bytes.error().message));
  if (bytes->size() != expected) return fail_put(turn, id, fail(Errc::kIo, name + " changed while it was read; put it again"));
  auto content = std::make_shared<const Bytes>(std::move(bytes).value());
  const OwnZone* own = core_.find_zone(puts_.at(id).zone);
  if (own == nullptr || own->epoch == 0) return fail_put(turn, id, fail(Errc::kUnauthorized, "this device lost the keys of the zone while it was putting"));
  core_.compute(turn, DescribeJob{content, own->keys, own->epoch}, [this, id, file, group, content](Turn& t, ComputeResult result) {
    group_named(t, id, file, group, content, std::get<Described>(std::move(result)));
  });
}

mesh::EncodeJob Library::encode_job(Turn& turn, std::shared_ptr<const Bytes> bytes, const object::BlockGroup& group,
                                    std::vector<mesh::Share> shares) const {
  const object::ObjectId object = object::unsigned_id(group);
  return mesh::EncodeJob{std::move(bytes), group, object, key_of(group).value(), std::move(shares),
                         turn.now.unix_seconds() + object::kSymbolTtlDefault - object::kDay, core_.config.plans};
}

void Library::group_named(Turn& turn, uint64_t id, size_t file, size_t group, std::shared_ptr<const Bytes> bytes, Described described) {
  if (!puts_.count(id)) return;
  if (!described.group.ok()) return fail_put(turn, id, described.group.error());
  Put& put = puts_.at(id);
  put.files[file].chunks[group] = std::move(described.chunks);
  put.files[file].groups[group] = *described.group;
  const object::BlockGroup named = *described.group;
  const object::ObjectId object = object::unsigned_id(named);
  if (const std::optional<mesh::Placement> have = placement(object)) {
    // The same content was placed before: its symbols are there already.
    for (const mesh::Share& share : have->shares) put.holders.insert(share.holder);
    return group_done(turn, id, file, bytes->size(), ok());
  }
  mesh::Placement plan;
  plan.object = object;
  std::vector<mesh::Share> shares =
      mesh::plan_shares(plan, mesh::block_sizes(named), named.whole, hosts_for(turn.now, named, plan), load_u64(object.bytes.data()));
  if (shares.empty()) return fail_put(turn, id, fail(Errc::kUnavailable, "every host with a storage grant went away; wait for one to come back and put again"));
  auto job = std::make_shared<const mesh::EncodeJob>(encode_job(turn, bytes, named, std::move(shares)));
  core_.compute(turn, job, [this, id, file, group, plan, named](Turn& t, ComputeResult result) {
    if (!puts_.count(id)) return;
    auto& encoded = std::get<mesh::EncodeResult>(result);
    uint64_t sealed = 0;
    for (const mesh::EncodedShare& share : encoded.shares) {
      for (const Bytes& frame : share.frames) sealed += frame.size();
    }
    puts_.at(id).outcome.bytes_sealed += sealed;
    core_.spread(t, std::move(encoded.shares), [this, id, file, group, plan, named](Turn& t2, const mesh::Spread& spread) {
      group_spread(t2, id, file, group, plan, named, spread);
    });
  });
}

void Library::group_spread(Turn& turn, uint64_t id, size_t file, size_t, mesh::Placement plan, object::BlockGroup group, const mesh::Spread& spread) {
  if (!puts_.count(id)) return;
  Put& put = puts_.at(id);
  const uint64_t bytes = group.object_bytes;
  if (!keep_placed(plan, group, spread.placed)) {
    std::string why = "too few hosts took the symbols of " + put.files[file].item.file.name;
    for (const auto& [holder, error] : spread.failed) why += "; " + holder.brief() + ": " + error.message;
    return fail_put(turn, id, fail(spread.failed.empty() ? Errc::kUnavailable : spread.failed.front().second.code, why));
  }
  for (const mesh::Share& share : plan.shares) put.holders.insert(share.holder);
  index_.put(turn, IndexKind::kPlacement, plan.object, Placed{{}, plan}, [this, id, file, bytes, plan, group](Turn& t, const Status& kept) {
    if (kept.ok()) note_coverage(t, plan, group);
    group_done(t, id, file, bytes, kept);
  });
}

void Library::group_done(Turn& turn, uint64_t id, size_t file, uint64_t bytes, const Status& status) {
  if (!puts_.count(id)) return;
  if (!status.ok()) return fail_put(turn, id, status.error());
  Put& put = puts_.at(id);
  put.bytes_in_flight -= bytes;
  --put.groups_in_flight;
  put.progress.bytes_done += bytes;
  if (turn.now - put.last_progress >= kProgressInterval) {
    put.last_progress = turn.now;
    put.on_progress(turn, put.progress);
  }
  if (--put.files[file].groups_left == 0) finish_file(turn, id, file);
  pump(turn, id);
}

void Library::finish_file(Turn& turn, uint64_t id, size_t index) {
  FilePut& file = puts_.at(id).files[index];
  std::vector<codec::ChunkRef> chunks;
  for (const auto& part : file.chunks) chunks.insert(chunks.end(), part.begin(), part.end());
  const Result<codec::Cid> cid = cid_of_chunks(chunks);
  if (!cid.ok()) return fail_put(turn, id, cid.error());
  if (file.item.source && !(file.item.source->ref.cid == *cid)) return fail_put(turn, id, fail(Errc::kIntegrity, "what came back is not what was stored; nothing of it crossed"));
  const object::ZoneId zone = puts_.at(id).zone;
  Blob blob{{}, zone, file.item.file.name, {*cid, file.size, file.groups}, turn.now.unix_seconds(), file.item.provenance};
  file.chunks.clear();
  BlobInfo info{blob.name, *cid, file.size, uint32_t(file.groups.size()), 0, core_.zone_name(zone)};
  for (const object::BlockGroup& group : file.groups) info.holders = std::max(info.holders, uint32_t(holders_of(object::unsigned_id(group)).size()));
  puts_.at(id).outcome.files[index] = std::move(info);
  index_.put(turn, IndexKind::kBlob, blob_id(zone, *cid), blob, [this, id](Turn& t, const Status& kept) {
    if (!puts_.count(id)) return;
    if (!kept.ok()) return fail_put(t, id, kept.error());
    Put& put = puts_.at(id);
    ++put.progress.files_done;
    if (--put.files_left == 0) finish_put(t, id);
  });
}

void Library::finish_put(Turn& turn, uint64_t id) {
  Put put = std::move(puts_.at(id));
  puts_.erase(id);
  put.on_progress(turn, put.progress);
  put.outcome.bytes = put.progress.bytes_total;
  put.outcome.holders.assign(put.holders.begin(), put.holders.end());
  put.then(turn, std::move(put.outcome));
}

void Library::fail_put(Turn& turn, uint64_t id, const Error& error) {
  Put put = std::move(puts_.at(id));
  puts_.erase(id);
  put.outcome.status = error;
  put.then(turn, std::move(put.outcome));
}

}  // namespace selvedge::node
