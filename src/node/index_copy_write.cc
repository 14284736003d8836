// Writing the copy of the index: what is new, then the head that names it, then away with what nothing names any more.
#include <algorithm>

#include "crypto/hash.h"
#include "node/index_copy.h"

namespace selvedge::node {

namespace {

constexpr uint64_t kCopyTtl = object::kSymbolTtlDefault - object::kDay;

std::vector<WriterSeen> list_of(const IndexSeen& seen) {
  std::vector<WriterSeen> out;
  for (const auto& [writer, seq] : seen) out.push_back({writer, seq});
  return out;
}

IndexSeen seen_in(const std::vector<WriterSeen>& list) {
  IndexSeen seen;
  for (const WriterSeen& each : list) seen[each.writer] = std::max(seen[each.writer], each.seq);
  return seen;
}

template <class Visit>
void for_each_piece(const CopyState& state, Visit visit) {
  for (const CopyPiece& piece : state.records) visit(piece);
  for (const CopyBatch& batch : state.batches) {
    for (const CopyPiece& piece : batch.pieces) visit(piece);
  }
}

// Which host has symbols of which piece, until the set is full: what is left out expires by itself.
void note_places(const CopyState& state, std::set<std::pair<object::ObjectId, NodeKey>>& places) {
  for_each_piece(state, [&](const CopyPiece& piece) {
    for (const mesh::Share& share : piece.placement.shares) {
      if (places.size() < kCopyPlacesMax) places.emplace(piece.placement.object, share.holder);
    }
  });
}

}  // namespace

IndexSeen IndexCopy::saved_upto() const { return state_.batches.empty() ? IndexSeen{} : seen_in(state_.batches.back().upto); }

uint64_t IndexCopy::pending() const {
  if (!core_.holds_root()) return 0;
  const uint64_t entries = index_.entries_after(saved_upto(), index_.seen());
  return entries == 0 && changed_at_ != Instant::never() ? 1 : entries;
}

void IndexCopy::on_changed(Turn& turn) {
  if (core_.holds_root()) write_soon(turn.now);
}

void IndexCopy::rename_host(Turn& turn, const NodeKey& old_host, const NodeKey& fresh) {
  const auto rename = [&](CopyPiece& piece) {
    if (mesh::Share* share = piece.placement.find(old_host)) {
      share->holder = fresh;
      head_stale_ = true;
    }
  };
  for (CopyPiece& piece : state_.records) rename(piece);
  for (CopyBatch& batch : state_.batches) {
    for (CopyPiece& piece : batch.pieces) rename(piece);
  }
  for (object::Holder& host : state_.hosts) {
    if (host.node == old_host) host.node = fresh;
  }
  if (head_stale_) on_changed(turn);
}

void IndexCopy::on_hosts_changed(Turn& turn) {
  if (core_.holds_root() && write_at_ == Instant::never() && (pending() > 0 || !well_placed(turn.now) || !heads_stand(turn.now))) write_soon(turn.now);
}

void IndexCopy::write_soon(Instant now) {
  if (changed_at_ == Instant::never()) changed_at_ = now;
  write_at_ = std::max(now, std::min(now + kCopyPause, changed_at_ + kCopyPauseMax));
}

void IndexCopy::on_deadline(Turn& turn) {
  std::erase_if(checks_, [&](const auto& check) { return check.second.give_up <= turn.now; });
  if (ask_again_at_ <= turn.now) {
    ask_again_at_ = Instant::never();
    for (const auto& [host, peer] : core_.sessions.peers()) {
      if (core_.sessions.up(host) && core_.authority.granted_by(turn.now, host, object::kStorage) != nullptr) on_host(turn, host);
    }
  }
  if (search_until_ <= turn.now) {
    search_until_ = Instant::never();
    if (core_.awaiting_index && !reading_) {
      core_.trace(turn, "no host that was reached has a copy of the index: this owner begins anew");
      if (on_found) on_found(turn);
    }
  }
  if (writing_ && writing_->give_up <= turn.now) {
    writing_->give_up = Instant::never();
    const auto silent = std::exchange(writing_->drops, {});
    for (const auto& [request, host] : silent) head_written(turn, host, false);
  }
  if (write_at_ <= turn.now) write(turn);
}

Instant IndexCopy::next_deadline() const {
  Instant soonest = std::min({write_at_, search_until_, ask_again_at_});
  if (writing_) soonest = std::min(soonest, writing_->give_up);
  for (const auto& [host, check] : checks_) soonest = std::min(soonest, check.give_up);
  return soonest;
}

// ---- where to

bool IndexCopy::may_write(Instant now) const {
  return core_.holds_root() && !core_.awaiting_index && !reading_ && !writing_ && checks_.empty() && devices_.leads(now);
}

std::vector<NodeKey> IndexCopy::hosts(Instant now) const {
  std::vector<NodeKey> out = library_.storage_hosts(now, zone());
  std::erase_if(out, [this](const NodeKey& host) { return !checked_.count(host); });
  std::stable_partition(out.begin(), out.end(), [this](const NodeKey& host) {
    return std::any_of(state_.hosts.begin(), state_.hosts.end(), [&](const object::Holder& each) { return each.node == host; });
  });
  if (out.size() > kCopyHostsMax) out.resize(kCopyHostsMax);
  return out;
}

bool IndexCopy::well_placed(Instant now) const {
  if (state_.generation == 0) return true;  // nothing was saved
  if (state_.saved + kCopyRenewSeconds <= now.unix_seconds()) return false;
  bool well = true;
  for_each_piece(state_, [&](const CopyPiece& piece) {
    size_t standing = 0;
    for (const mesh::Share& share : piece.placement.shares) standing += core_.authority.granted_by(now, share.holder, object::kStorage) != nullptr ? 1 : 0;
    well = well && standing == piece.placement.shares.size() && standing > 0;
  });
  // On one host it is safe from nothing: with a second one it is placed again.
  return well && (state_.hosts.size() >= 2 || hosts(now).size() <= state_.hosts.size());
}

bool IndexCopy::heads_stand(Instant now) const {
  return std::all_of(state_.hosts.begin(), state_.hosts.end(), [&](const object::Holder& host) { return core_.authority.granted_by(now, host.node, object::kStorage) != nullptr; });
}

// ---- what

void IndexCopy::write(Turn& turn) {
  write_at_ = Instant::never();
  if (!may_write(turn.now)) {
    if (core_.holds_root() && !core_.awaiting_index) write_at_ = turn.now + kCopyRetry;
    return;
  }
  zones_.tell_hosts(turn, zone());
  const OwnZone* own = core_.find_zone(zone());
  const std::vector<NodeKey> to = hosts(turn.now);
  if (to.empty() || own == nullptr || own->epoch == 0) return;  // a host that comes asks for it
  writing_.emplace(Writing{});
  writing_->hosts = to;
  writing_->anew = !well_placed(turn.now);
  CopyState& state = writing_->state;
  if (!writing_->anew) state = state_;
  state.generation = state_.generation + 1;
  state.writer = index_.writer();
  state.saved = turn.now.unix_seconds();
  crypto::Digest digest;
  std::vector<std::shared_ptr<const Bytes>> records = cut_records(digest);
  const bool same_records = !writing_->anew && digest == state_.records_digest;
  if (!same_records) {
    state.records.clear();
    state.records_digest = digest;
    writing_->records = records.size();
    writing_->contents = std::move(records);
  }
  const IndexSeen upto = index_.seen();
  plan_batch(*writing_, upto);
  changed_at_ = Instant::never();
  if (!writing_->contents.empty() || head_stale_ || !heads_stand(turn.now)) return place_next(turn);
  writing_.reset();  // nothing that is not saved
}

// Merges the last batches into the new one until each is at least twice as large as the next.
void IndexCopy::plan_batch(Writing& writing, const IndexSeen& upto) const {
  std::vector<CopyBatch>& batches = writing.state.batches;
  IndexSeen from = batches.empty() ? IndexSeen{} : seen_in(batches.back().upto);
  uint64_t count = index_.entries_after(from, upto);
  if (count == 0) return;
  while (!batches.empty() && (batches.back().entries < 2 * count || batches.size() >= kCopyBatchesMax)) {
    from = seen_in(batches.back().from);
    batches.pop_back();
    count = index_.entries_after(from, upto);
  }
  const std::vector<IndexEntry> entries = index_.collect(from, upto);
  batches.push_back({list_of(from), list_of(upto), entries.size(), {}});
  for (std::shared_ptr<const Bytes>& piece : cut_entries(entries)) writing.contents.push_back(std::move(piece));
}

std::vector<std::shared_ptr<const Bytes>> IndexCopy::cut_entries(const std::vector<IndexEntry>& entries) {
  std::vector<std::shared_ptr<const Bytes>> out;
  std::vector<IndexEntry> piece;
  size_t bytes = 0;
  const auto close = [&] {
    if (!piece.empty()) out.push_back(std::make_shared<const Bytes>(codec::encode(piece)));
    piece.clear();
    bytes = 0;
  };
  for (const IndexEntry& entry : entries) {
    if (piece.size() >= kCopyPieceEntriesMax || bytes + entry.value.size() > kCopyPieceBytesMax) close();
    bytes += entry.value.size() + 64;
    piece.push_back(entry);
  }
  close();
  return out;
}

std::vector<std::shared_ptr<const Bytes>> IndexCopy::cut_records(crypto::Digest& digest) const {
  std::vector<std::shared_ptr<const Bytes>> out;
  crypto::Sha256 hash;
  std::vector<Bytes> piece;
  size_t bytes = 0;
  const auto close = [&] {
    if (!piece.empty()) out.push_back(std::make_shared<const Bytes>(codec::encode(piece)));
    piece.clear();
    bytes = 0;
  };
  for (Bytes& record : devices_.own_records()) {
    if (piece.size() >= kCopyPieceEntriesMax || bytes + record.size() > kCopyPieceBytesMax) close();
    hash.update(record);
    bytes += record.size() + 8;
    piece.push_back(std::move(record));
  }
  close();
  digest = hash.finish();
  return out;
}

// ---- placing it

void IndexCopy::place_next(Turn& turn) {
  if (writing_->next >= writing_->contents.size()) return write_heads(turn);
  const OwnZone* own = core_.find_zone(zone());
  if (own == nullptr || own->epoch == 0) return give_up(turn, "the keys of the owner's zone are gone");
  core_.compute(turn, DescribeJob{writing_->contents[writing_->next], own->keys, own->epoch}, [this](Turn& t, ComputeResult result) {
    if (!writing_) return;
    const Described described = std::get<Described>(std::move(result));
    if (!described.group.ok()) return give_up(t, described.group.error().message);
    place_piece(t, *described.group);
  });
}

void IndexCopy::place_piece(Turn& turn, const object::BlockGroup& group) {
  mesh::Placement placement;
  placement.object = object::unsigned_id(group);
  std::vector<mesh::Share> shares = mesh::plan_shares(placement, mesh::block_sizes(group), group.whole, writing_->hosts, load_u64(placement.object.bytes.data()));
  Result<object::ObjectKey> key = key_of(group);
  if (!key.ok() || shares.empty()) return give_up(turn, "there is no host to place it on");
  auto job = std::make_shared<const mesh::EncodeJob>(mesh::EncodeJob{writing_->contents[writing_->next], group, placement.object, std::move(key).value(), std::move(shares),
                                                                     turn.now.unix_seconds() + kCopyTtl, core_.config.plans});
  core_.compute(turn, job, [this, group, placement](Turn& t, ComputeResult result) {
    if (!writing_) return;
    core_.spread(t, std::move(std::get<mesh::EncodeResult>(result).shares), [this, group, placement](Turn& t2, const mesh::Spread& spread) {
      if (writing_) piece_placed(t2, group, placement, spread);
    });
  });
}

void IndexCopy::piece_placed(Turn& turn, const object::BlockGroup& group, mesh::Placement placement, const mesh::Spread& spread) {
  if (!keep_placed(placement, group, spread.placed)) {
    for (const NodeKey& holder : spread.placed) {
      if (strays_.size() < kCopyPlacesMax) strays_.emplace(placement.object, holder);
    }
    return give_up(turn, spread.failed.empty() ? "too few hosts took it" : spread.failed.front().second.message);
  }
  keep_piece({group, std::move(placement)});
  ++writing_->next;
  place_next(turn);
}

void IndexCopy::keep_piece(CopyPiece piece) {
  std::vector<CopyPiece>& into = writing_->next < writing_->records ? writing_->state.records : writing_->state.batches.back().pieces;
  into.push_back(std::move(piece));
}

// ---- the head

void IndexCopy::write_heads(Turn& turn) {
  CopyState& state = writing_->state;
  state.hosts.clear();
  for (const NodeKey& host : writing_->hosts) {
    const mesh::Peer* peer = core_.sessions.find(host);
    object::Holder holder{host, {}};
    if (peer != nullptr && !peer->addresses.empty()) holder.addresses.push_back(peer->addresses.back());
    state.hosts.push_back(std::move(holder));
  }
  const object::ObjectId slot = index_slot(*core_.config.zone_root, core_.owner(), uint32_t(state.generation % kIndexSlots));
  const std::vector<NodeKey> to = writing_->hosts;
  writing_->heads_left = to.size();
  writing_->give_up = turn.now + kCopyAnswerMax;
  // A host keeps one frame of a name, so the old one goes first; the other slot still holds the last head.
  for (const NodeKey& host : to) writing_->drops[++last_request_] = host;
  const auto drops = writing_->drops;
  for (const auto& [request, host] : drops) {
    if (core_.send(turn, host, mesh::MeshMessages::encode(mesh::Drop{request, {slot}})) || !writing_) continue;
    writing_->drops.erase(request);
    head_written(turn, host, false);
  }
}

bool IndexCopy::on_drop_ack(Turn& turn, const NodeKey& from, const mesh::DropAck& ack) {
  if (ack.request < kRequestsFrom) return false;
  if (!writing_) return true;
  const auto drop = writing_->drops.find(ack.request);
  if (drop == writing_->drops.end() || drop->second != from) return true;
  writing_->drops.erase(drop);
  write_head(turn, from);
  return true;
}

void IndexCopy::write_head(Turn& turn, const NodeKey& host) {
  const CopyState& state = writing_->state;
  const object::ObjectId slot = index_slot(*core_.config.zone_root, core_.owner(), uint32_t(state.generation % kIndexSlots));
  Result<Bytes> frame = seal_index_head(state, *core_.config.zone_root, slot, zone(), turn.now.unix_seconds() + kCopyTtl, core_.drbg);
  if (!frame.ok()) return head_written(turn, host, false);
  std::vector<mesh::EncodedShare> share(1);
  share[0].holder = host;
  share[0].frames.push_back(std::move(frame).value());
  core_.spread(turn, std::move(share), [this, host](Turn& t, const mesh::Spread& spread) {
    if (writing_) head_written(t, host, !spread.placed.empty());
  });
}

void IndexCopy::head_written(Turn& turn, const NodeKey& host, bool placed) {
  if (placed) writing_->heads.push_back(host);
  if (--writing_->heads_left > 0) return;
  if (writing_->heads.empty()) return give_up(turn, "no host took its head");
  written(turn);
}

void IndexCopy::written(Turn& turn) {
  std::set<std::pair<object::ObjectId, NodeKey>> old = std::move(strays_);
  strays_.clear();
  note_places(state_, old);
  // A host that no longer stores for this owner keeps no head either.
  for (const object::Holder& host : state_.hosts) {
    if (core_.authority.granted_by(turn.now, host.node, object::kStorage) != nullptr) continue;
    for (uint32_t slot = 0; slot < kIndexSlots; ++slot) old.emplace(index_slot(*core_.config.zone_root, core_.owner(), slot), host.node);
  }
  CopyState state = std::move(writing_->state);
  std::erase_if(state.hosts, [this](const object::Holder& host) { return std::find(writing_->heads.begin(), writing_->heads.end(), host.node) == writing_->heads.end(); });
  writing_.reset();
  state_ = std::move(state);
  head_stale_ = false;
  for_each_piece(state_, [&](const CopyPiece& piece) {
    for (const mesh::Share& share : piece.placement.shares) old.erase({piece.placement.object, share.holder});
  });
  core_.trace(turn, "the index is saved: generation " + std::to_string(state_.generation) + ", " + std::to_string(state_.batches.size()) + " batches, on " +
                        std::to_string(state_.hosts.size()) + " hosts");
  core_.put_record(turn, Record::kIndexCopy, store::RecordId{}, codec::encode(state_), [this, old](Turn& t, const Status& kept) {
    // What the head before names is needed until this one is written down: a crash goes back to it.
    if (!kept.ok()) return;
    for (const auto& [object, holder] : old) core_.send(t, holder, mesh::MeshMessages::encode(mesh::Drop{1, {object}}));
  });
  if (pending() > 0 || !heads_stand(turn.now)) write_soon(turn.now);
}

void IndexCopy::give_up(Turn& turn, const std::string& why) {
  core_.trace(turn, "the index could not be saved yet: " + why);
  if (writing_) note_places(writing_->state, strays_);
  writing_.reset();
  if (changed_at_ == Instant::never()) changed_at_ = turn.now;
  write_at_ = turn.now + kCopyRetry;
}

}  // namespace selvedge::node
