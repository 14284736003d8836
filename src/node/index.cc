#include "node/index.h"

#include <algorithm>

#include "node/index_records.h"

namespace selvedge::node {

namespace {

constexpr IndexKind kIndexKinds[] = {IndexKind::kBlob, IndexKind::kPlacement, IndexKind::kPeer};

store::RecordId writer_record(uint64_t writer) {
  store::RecordId id;
  store_u64(id.bytes.data() + 24, writer);
  return id;
}

IndexSeen seen_of(const std::vector<WriterSeen>& list) {
  IndexSeen seen;
  for (const WriterSeen& each : list) seen[each.writer] = std::max(seen[each.writer], each.seq);
  return seen;
}

uint64_t seq_of(const IndexSeen& seen, uint64_t writer) {
  const auto it = seen.find(writer);
  return it == seen.end() ? 0 : it->second;
}

/// What lies under a name must be what the name says. Errors: kInvalid, or what decoding said.
Status check_entry(const IndexEntry& entry) {
  const Error misplaced = fail(Errc::kInvalid, "an entry of the index lies under another name than its own");
  switch (entry.kind) {
    case IndexKind::kBlob: {
      const Result<Blob> blob = codec::decode<Blob>(entry.value);
      if (!blob.ok()) return fail(Errc::kInvalid, blob.error().message);
      return entry.id == convert<IndexEntryId>(blob_id(blob->zone, blob->ref.cid)) ? ok() : Status(misplaced);
    }
    case IndexKind::kPlacement: {
      const Result<Placed> placed = codec::decode<Placed>(entry.value);
      if (!placed.ok()) return fail(Errc::kInvalid, placed.error().message);
      return entry.id == convert<IndexEntryId>(placed->placement.object) ? ok() : Status(misplaced);
    }
    case IndexKind::kPeer: return codec::decode<PeerRecord>(entry.value).ok() ? ok() : Status(misplaced);
  }
  return misplaced;
}

}  // namespace

Record record_of(IndexKind kind) {
  switch (kind) {
    case IndexKind::kBlob: return Record::kBlob;
    case IndexKind::kPlacement: return Record::kPlacement;
    case IndexKind::kPeer: return Record::kPeer;
  }
  return Record::kBlob;
}

Result<Stamp> peek_stamp(ByteView value) {
  codec::Reader reader(value);
  TRY(reader.read_array());
  return codec::decode_from<Stamp>(reader);
}

// ---- start

void Index::restore(Turn& turn) {
  const store::RecordId none;
  for (const store::RecordRef& record : core_.records(Record::kIndexSeen)) {
    const Result<uint64_t> value = codec::decode<uint64_t>(*record.value);
    if (!value.ok()) continue;
    if (record.id == none) writer_ = *value;
    else if (seen_.size() < kIndexWritersMax) seen_[load_u64(record.id.bytes.data() + 24)] = *value;
  }
  if (writer_ == 0) {
    // Not the node's key: whoever restores a node into an empty store begins to count anew, and must not be taken for what was.
    uint8_t drawn[8];
    core_.drbg.fill(drawn);
    writer_ = load_u64(drawn) | 1;
    core_.put_record(turn, Record::kIndexSeen, none, codec::encode(writer_), [](Turn&, const Status&) {});
  }
  for (IndexKind kind : kIndexKinds) {
    for (const store::RecordRef& record : core_.records(record_of(kind))) {
      const Result<Stamp> stamp = peek_stamp(*record.value);
      if (!stamp.ok()) continue;
      by_stamp_[{stamp->writer, stamp->seq}] = {kind, convert<IndexEntryId>(record.id)};
      last_seq_ = std::max(last_seq_, stamp->seq);
    }
  }
  for (const auto& [writer, seq] : seen_) last_seq_ = std::max(last_seq_, seq);
}

// ---- writing

Stamp Index::next_stamp(Instant now) {
  last_seq_ = std::max(last_seq_ + 1, uint64_t(std::max<int64_t>(now.ns / 1'000'000, 0)));
  return {last_seq_, writer_};
}

std::optional<Stamp> Index::stamp_here(const Name& name) const {
  const Bytes* value = core_.find_record(record_of(name.kind), name.id);
  if (value == nullptr) return std::nullopt;
  const Result<Stamp> stamp = peek_stamp(*value);
  return stamp.ok() ? std::optional(*stamp) : std::nullopt;
}

void Index::replace(const Name& name, const Stamp& stamp) {
  if (const std::optional<Stamp> before = stamp_here(name)) by_stamp_.erase({before->writer, before->seq});
  by_stamp_[{stamp.writer, stamp.seq}] = name;
}

void Index::write(Turn& turn, IndexKind kind, const IndexEntryId& id, Bytes value, const Stamp& stamp, Core::OnStatus then) {
  replace({kind, id}, stamp);
  pending_.insert(stamp.seq);
  core_.put_record(turn, record_of(kind), id, std::move(value), [this, stamp, then](Turn& t, const Status& kept) {
    pending_.erase(stamp.seq);
    if (!kept.ok()) by_stamp_.erase({stamp.writer, stamp.seq});
    tell_soon(t.now);
    if (kept.ok() && on_changed) on_changed(t);
    then(t, kept);
  });
}

void Index::apply(Turn& turn, IndexEntry entry, Core::OnStatus then) {
  const Result<Stamp> stamp = peek_stamp(entry.value);
  const uint64_t clock = uint64_t(std::max<int64_t>(turn.now.ns / 1'000'000, 0));
  if (!stamp.ok()) return then(turn, fail(Errc::kInvalid, "an entry of the index has no stamp"));
  if (stamp->seq > clock + kStampAheadMaxMs) return then(turn, fail(Errc::kUnavailable, "an entry of the index is from the future: compare the clocks of the two devices"));
  const Status sound = check_entry(entry);
  if (!sound.ok()) return then(turn, sound);
  const Name name{entry.kind, entry.id};
  const std::optional<Stamp> here = stamp_here(name);
  if (here && *here >= *stamp) return then(turn, ok());
  last_seq_ = std::max(last_seq_, stamp->seq);
  replace(name, *stamp);
  Bytes value = entry.value;
  core_.put_record(turn, record_of(entry.kind), entry.id, std::move(value), [this, entry = std::move(entry), stamp = *stamp, then](Turn& t, const Status& kept) {
    if (!kept.ok()) by_stamp_.erase({stamp.writer, stamp.seq});
    else if (on_applied) on_applied(t, entry);
    then(t, kept);
  });
}

// ---- telling

IndexSeen Index::seen() const {
  IndexSeen all = seen_;
  // Own entries leave when they are on disk: up to the first that is not.
  all[writer_] = pending_.empty() ? last_seq_ : *pending_.begin() - 1;
  return all;
}

IndexHead Index::head() const {
  IndexHead out;
  for (const auto& [writer, seq] : seen()) out.seen.push_back({writer, seq});
  return out;
}

void Index::tell_soon(Instant now) {
  if (tell_at_ == Instant::never()) tell_at_ = std::max(now, told_at_ + kIndexTellPause);
}

void Index::on_deadline(Turn& turn) {
  if (tell_at_ > turn.now) return;
  tell_at_ = Instant::never();
  told_at_ = turn.now;
  const Bytes message = IndexMessages::encode(head());
  for (const NodeKey& device : devices(turn.now)) core_.send(turn, device, message);
}

void Index::on_device_up(Turn& turn, const NodeKey& device) {
  asked_.erase(device);
  core_.send(turn, device, IndexMessages::encode(head()));
}

void Index::want(Turn& turn, const NodeKey& device) {
  if (!asked_.insert(device).second) return;
  if (!core_.send(turn, device, IndexMessages::encode(IndexWant{head().seen}))) asked_.erase(device);
}

void Index::on_message(Turn& turn, const NodeKey& from, IndexMessages::Message message) {
  if (const auto* other = std::get_if<IndexHead>(&message)) {
    if (other->seen.size() > kIndexWritersMax) return;
    const IndexSeen mine = seen();
    const bool behind = std::any_of(other->seen.begin(), other->seen.end(), [&](const WriterSeen& w) { return w.seq > seq_of(mine, w.writer); });
    if (behind) want(turn, from);
  } else if (const auto* asked = std::get_if<IndexWant>(&message)) {
    if (asked->seen.size() <= kIndexWritersMax) serve(turn, from, seen_of(asked->seen));
  } else if (auto* entries = std::get_if<IndexEntries>(&message)) {
    // Only what was asked for counts: so what is taken in at once is bounded by one message of each device.
    if (asked_.count(from)) take(turn, from, std::move(*entries));
  }
}

void Index::serve(Turn& turn, const NodeKey& device, const IndexSeen& theirs) {
  IndexEntries answer;
  size_t bytes = 0;
  for (const auto& [writer, seq] : seen()) {
    const uint64_t from = seq_of(theirs, writer);
    if (from >= seq || answer.more) continue;
    uint64_t reached = seq;
    for (auto it = by_stamp_.upper_bound({writer, from}); it != by_stamp_.end() && it->first.first == writer && it->first.second <= seq; ++it) {
      const Bytes* value = core_.find_record(record_of(it->second.kind), it->second.id);
      if (value == nullptr) continue;
      if (answer.entries.size() >= kIndexEntriesPerMessageMax || (bytes > 0 && bytes + value->size() > kIndexMessageBytesMax)) {
        answer.more = true;
        reached = std::max(from, it->first.second - 1);
        break;
      }
      answer.entries.push_back({it->second.kind, it->second.id, *value});
      bytes += value->size();
    }
    answer.upto.push_back({writer, reached});
  }
  core_.send(turn, device, IndexMessages::encode(answer));
}

void Index::take(Turn& turn, const NodeKey& from, IndexEntries message) {
  if (message.entries.size() > kIndexEntriesPerMessageMax || message.upto.size() > kIndexWritersMax) {
    asked_.erase(from);
    return;
  }
  struct Batch {
    size_t left = 1;
    Status status;
  };
  auto batch = std::make_shared<Batch>();
  const auto settle = [this, from, batch, upto = seen_of(message.upto), more = message.more](Turn& t, const Status& status) {
    // What cannot be read never will be, and nothing is gained by asking for it for ever.
    if (!status.ok() && status.code() == Errc::kInvalid) core_.trace(t, "an entry of the index from " + from.brief() + " was thrown away: " + status.error().message);
    else if (!status.ok() && batch->status.ok()) batch->status = status;
    if (--batch->left == 0) taken(t, from, upto, more, batch->status);
  };
  batch->left += message.entries.size();
  for (IndexEntry& entry : message.entries) apply(turn, std::move(entry), settle);
  settle(turn, ok());
}

void Index::taken(Turn& turn, const NodeKey& from, const IndexSeen& upto, bool more, const Status& status) {
  if (!status.ok()) {
    // What is not written down is not counted as seen. It is asked for again when that device has more to tell.
    asked_.erase(from);
    return core_.trace(turn, "entries of the index from " + from.brief() + " were not taken: " + status.error().message);
  }
  note_seen(turn, upto, [this, from, more](Turn& t, const Status& kept) {
    asked_.erase(from);
    if (!kept.ok()) return;
    if (more) return want(t, from);
    tell_soon(t.now);  // the others may lack it, too
    if (on_changed) on_changed(t);
    if (on_caught_up) on_caught_up(t);
  });
}

void Index::note_seen(Turn& turn, const IndexSeen& upto, Core::OnStatus then) {
  auto left = std::make_shared<size_t>(1);
  auto failed = std::make_shared<Status>();
  const auto settle = [left, failed, then](Turn& t, const Status& status) {
    if (!status.ok() && failed->ok()) *failed = status;
    if (--*left == 0) then(t, *failed);
  };
  for (const auto& [writer, seq] : upto) {
    if (writer == writer_) last_seq_ = std::max(last_seq_, seq);
    if (writer == writer_ || seq <= seq_of(seen_, writer)) continue;
    if (!seen_.count(writer) && seen_.size() >= kIndexWritersMax - 1) continue;
    seen_[writer] = seq;
    ++*left;
    core_.put_record(turn, Record::kIndexSeen, writer_record(writer), codec::encode(seq), settle);
  }
  settle(turn, ok());
}

// ---- copies

size_t Index::entries_after(const IndexSeen& from, const IndexSeen& upto) const {
  size_t count = 0;
  for (const auto& [writer, seq] : upto) {
    const auto first = by_stamp_.upper_bound({writer, seq_of(from, writer)});
    const auto last = by_stamp_.upper_bound({writer, seq});
    if (seq > seq_of(from, writer)) count += size_t(std::distance(first, last));
  }
  return count;
}

std::vector<IndexEntry> Index::collect(const IndexSeen& from, const IndexSeen& upto) const {
  std::vector<IndexEntry> out;
  for (const auto& [writer, seq] : upto) {
    for (auto it = by_stamp_.upper_bound({writer, seq_of(from, writer)}); it != by_stamp_.end() && it->first.first == writer && it->first.second <= seq; ++it) {
      const Bytes* value = core_.find_record(record_of(it->second.kind), it->second.id);
      if (value != nullptr) out.push_back({it->second.kind, it->second.id, *value});
    }
  }
  return out;
}

}  // namespace selvedge::node
