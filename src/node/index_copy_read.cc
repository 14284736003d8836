// Finding the copy of the index on hosts, and taking it in.
#include <algorithm>

#include "node/index_copy.h"

namespace selvedge::node {

namespace {

constexpr Duration kHolderDialled = seconds(300);

IndexSeen seen_upto(const std::vector<WriterSeen>& list) {
  IndexSeen seen;
  for (const WriterSeen& each : list) seen[each.writer] = std::max(seen[each.writer], each.seq);
  return seen;
}

}  // namespace

void IndexCopy::restore(Turn& turn) {
  const Bytes* bytes = core_.find_record(Record::kIndexCopy, store::RecordId{});
  if (bytes != nullptr) {
    Result<CopyState> state = codec::decode<CopyState>(*bytes);
    if (state.ok()) state_ = std::move(state).value();
  }
  if (core_.holds_root() && pending() > 0) write_soon(turn.now);
}

size_t IndexCopy::Reading::pieces() const {
  size_t count = state.records.size();
  for (const CopyBatch& batch : state.batches) count += batch.pieces.size();
  return count;
}

const CopyPiece& IndexCopy::Reading::piece(size_t index) const {
  if (index < state.records.size()) return state.records[index];
  index -= state.records.size();
  for (const CopyBatch& batch : state.batches) {
    if (index < batch.pieces.size()) return batch.pieces[index];
    index -= batch.pieces.size();
  }
  CHECK_MSG(false, "a piece that the state does not have was asked for");
  return state.records.front();
}

// The root alone opens every epoch of the owner's zone: there may be nothing else here yet.
Result<object::ObjectKey> IndexCopy::key_of(const object::BlockGroup& group) const {
  object::ZoneKeys keys(group.zone);
  TRY(keys.add_epoch(group.epoch, object::zone_epoch_secret(*core_.config.zone_root, group.zone, group.epoch)));
  return keys.object_key(group.epoch, object::unsigned_id(group), group.object_bytes, group.symbol_bytes);
}

void IndexCopy::on_host(Turn& turn, const NodeKey& host) {
  if (!core_.holds_root() || host == core_.self() || checked_.count(host) || checks_.count(host)) return;
  ask(turn, host);
}

void IndexCopy::on_peer_down(Turn& turn, const NodeKey& host) {
  checks_.erase(host);
  checked_.erase(host);
  if (!writing_) return;
  std::vector<NodeKey> gone;
  std::erase_if(writing_->drops, [&](const auto& drop) {
    if (drop.second == host) gone.push_back(host);
    return drop.second == host;
  });
  for (const NodeKey& each : gone) head_written(turn, each, false);
}

void IndexCopy::ask(Turn& turn, const NodeKey& host) {
  Check& check = checks_[host];
  check.give_up = turn.now + kCopyAnswerMax;
  for (uint32_t slot = 0; slot < kIndexSlots; ++slot) {
    mesh::SymbolRequest request;
    request.request = ++last_request_;
    request.object = index_slot(*core_.config.zone_root, core_.owner(), slot);
    request.limits = {1};
    check.waiting.insert(request.request);
    if (core_.send(turn, host, mesh::MeshMessages::encode(request))) continue;
    checks_.erase(host);
    return;
  }
}

bool IndexCopy::on_frame(Turn& turn, const NodeKey& from, const mesh::FrameView& frame) {
  if (frame.header.transfer < kRequestsFrom) return false;
  const auto it = checks_.find(from);
  if (it == checks_.end() || !it->second.waiting.count(frame.header.transfer)) return true;
  Result<CopyState> state = open_index_head(frame, *core_.config.zone_root);
  // What a host made up does not open, and an old head loses to a newer one.
  if (!state.ok()) core_.trace(turn, "host " + from.brief() + " showed a head of the index that does not open");
  else if (!it->second.best || it->second.best->generation < state->generation) it->second.best = std::move(state).value();
  answered(turn, from, frame.header.transfer);
  return true;
}

bool IndexCopy::on_end(Turn& turn, const NodeKey& from, const mesh::SymbolEnd& end) {
  if (end.request < kRequestsFrom) return false;
  const auto it = checks_.find(from);
  if (it != checks_.end() && it->second.waiting.count(end.request) && end.error != 0 && end.error != uint8_t(Errc::kNotFound)) {
    // It holds something and does not give it out: no answer to the question. With a policy of today it may.
    checks_.erase(it);
    core_.trace(turn, "host " + from.brief() + " does not show its head of the index: " + end.message);
    if (on_refused) on_refused(turn, from);
    ask_again_at_ = std::min(ask_again_at_, turn.now + kCopyRetry);
    return true;
  }
  // With symbols promised their frame decides: it comes by another channel, before or after this.
  if (end.symbols == 0) answered(turn, from, end.request);
  return true;
}

void IndexCopy::answered(Turn& turn, const NodeKey& host, uint64_t request) {
  const auto it = checks_.find(host);
  if (it == checks_.end() || it->second.waiting.erase(request) == 0 || !it->second.waiting.empty()) return;
  const std::optional<CopyState> best = std::move(it->second.best);
  checks_.erase(it);
  checked(turn, host, best);
}

void IndexCopy::checked(Turn& turn, const NodeKey& host, const std::optional<CopyState>& best) {
  checked_.insert(host);
  const bool news = best && (best->generation > state_.generation || (best->generation == state_.generation && best->writer != index_.writer() && state_.writer == index_.writer()));
  if (news) return read(turn, *best);
  if (core_.awaiting_index && !best && search_until_ == Instant::never()) search_until_ = turn.now + kCopySearchMax;
  if (may_write(turn.now) && (pending() > 0 || !well_placed(turn.now))) write_soon(turn.now);
}

void IndexCopy::read(Turn& turn, CopyState state) {
  // A newer one that is shown meanwhile is read when its host is asked again.
  if (reading_) {
    ask_again_at_ = std::min(ask_again_at_, turn.now + kCopyRetry);
    return;
  }
  core_.trace(turn, "a copy of the index was found: generation " + std::to_string(state.generation));
  reading_.emplace(Reading{});
  reading_->state = std::move(state);
  for (const object::Holder& host : reading_->state.hosts) core_.want_peer(turn, host.node, host.addresses, turn.now + kHolderDialled);
  read_next(turn);
}

void IndexCopy::read_next(Turn& turn) {
  if (reading_->next >= reading_->pieces()) return read_ended(turn, ok());
  const CopyPiece piece = reading_->piece(reading_->next);
  Result<object::ObjectKey> key = key_of(piece.group);
  if (!key.ok()) return read_ended(turn, key.error());
  mesh::FetchRequest request{object::unsigned_id(piece.group), piece.group, std::move(key).value(), {}, {}};
  for (const mesh::Share& share : piece.placement.shares) request.holders.push_back(share.holder);
  core_.fetch(turn, std::move(request), [this](Turn& t, Result<Bytes> bytes) { piece_read(t, std::move(bytes)); });
}

void IndexCopy::piece_read(Turn& turn, Result<Bytes> bytes) {
  if (!reading_) return;
  if (!bytes.ok()) return read_ended(turn, bytes.error());
  if (reading_->next < reading_->state.records.size()) {
    const Result<std::vector<Bytes>> records = codec::decode<std::vector<Bytes>>(*bytes);
    if (!records.ok()) return read_ended(turn, records.error());
    for (const Bytes& record : *records) take_record(turn, record);
    ++reading_->next;
    return read_next(turn);
  }
  Result<std::vector<IndexEntry>> entries = codec::decode<std::vector<IndexEntry>>(*bytes);
  if (!entries.ok()) return read_ended(turn, entries.error());
  auto left = std::make_shared<size_t>(entries->size() + 1);
  auto failed = std::make_shared<Status>();
  const auto settle = [this, left, failed](Turn& t, const Status& status) {
    if (!status.ok() && status.code() != Errc::kInvalid && failed->ok()) *failed = status;
    if (--*left > 0 || !reading_) return;
    if (!failed->ok()) return read_ended(t, *failed);
    ++reading_->next;
    read_next(t);
  };
  for (IndexEntry& entry : *entries) index_.apply(turn, std::move(entry), settle);
  settle(turn, ok());
}

void IndexCopy::read_ended(Turn& turn, const Status& status) {
  if (!status.ok()) {
    core_.trace(turn, "the copy of the index could not be read yet: " + status.error().message);
    reading_.reset();
    checked_.clear();
    ask_again_at_ = turn.now + kCopyRetry;
    return;
  }
  CopyState state = std::move(reading_->state);
  reading_.reset();
  IndexSeen upto;
  for (const CopyBatch& batch : state.batches) {
    for (const auto& [writer, seq] : seen_upto(batch.upto)) upto[writer] = std::max(upto[writer], seq);
  }
  index_.note_seen(turn, upto, [this, state](Turn& t, const Status& kept) {
    if (!kept.ok()) return;
    state_ = state;
    core_.put_record(t, Record::kIndexCopy, store::RecordId{}, codec::encode(state_), [](Turn&, const Status&) {});
    search_until_ = Instant::never();
    if (on_found) on_found(t);
    write_soon(t.now);
  });
}

}  // namespace selvedge::node
