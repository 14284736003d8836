#include "node/audit_log.h"

#include <algorithm>
#include <iterator>

#include "crypto/hash.h"
#include "object/tlog.h"

namespace selvedge::node {

namespace {

using object::Digest;
using object::kTileWidth;
using object::TileId;

/// The rows of the levels above 0 once `size` entries, a multiple of 256, are sealed.
struct EdgeRecord {
  uint64_t size = 0;
  std::vector<Bytes> rows;
  template <class V> void visit(V& v) { v("size", size); v("rows", rows); }
};

constexpr uint64_t kNoCookie = 0;  // of changes that share a write with one that is waited for

Bytes entry_id(uint64_t index) {
  Bytes id(store::RecordId::kSize - sizeof index);
  append_u64(id, index);
  return id;
}

uint64_t entry_index(const store::RecordId& id) { return load_u64(id.bytes.data() + store::RecordId::kSize - sizeof(uint64_t)); }

Bytes edge_id() { return Bytes(store::RecordId::kSize); }

// Books of pages are named by hashes, which no origin's key is.
store::BookId book_of(const std::string& name) { return convert<store::BookId>(crypto::sha256(view("selvedge audit v1 " + name))); }
store::PageKey bundle_key(uint64_t bundle) { return {book_of("entries"), bundle}; }
store::PageKey tile_key(const TileId& tile) { return {book_of("tile " + std::to_string(tile.level)), tile.index}; }

Digest tile_root(const std::vector<Digest>& hashes) {
  object::Frontier tree;
  for (const Digest& hash : hashes) tree.append(hash);
  return tree.root();
}

object::AuditEntry gap_entry(std::string detail) {
  object::AuditEntry gap;
  gap.kind = object::AuditKind::kGap;
  gap.detail = std::move(detail);
  gap.digest = crypto::sha256({});
  return gap;
}

Error lost_page() { return fail(Errc::kIntegrity, "a page of the audit log is missing or damaged on this disk"); }

}  // namespace

// ---- start

Status AuditLog::restore(Turn& turn) {
  TRY(restore_edge());
  TRY(restore_entries(turn));
  write_seal(turn);
  return ok();
}

Status AuditLog::restore_edge() {
  rows_.assign(1, {});
  const Bytes* bytes = core_.find_record(Record::kAuditEdge, edge_id());
  if (bytes == nullptr) return ok();
  const EdgeRecord edge = TRY(codec::decode<EdgeRecord>(*bytes));
  if (edge.size % kTileWidth != 0 || edge.size > kAuditEntriesMax) return fail(Errc::kIntegrity, "the edge of the audit log on this disk is damaged");
  object::TileSet tiles;
  for (uint8_t level = 1; level <= edge.rows.size(); ++level) {
    const uint64_t full = (edge.size >> (object::kTileHeight * level)) / kTileWidth;
    const size_t width = object::tile_width({level, full}, edge.size);
    Result<std::vector<Digest>> row = object::parse_tile(edge.rows[level - 1], width);
    if (!row.ok()) return fail(Errc::kIntegrity, "the edge of the audit log on this disk is damaged: " + row.error().message);
    tiles.put({level, full}, *row);
    rows_.push_back(std::move(row).value());
  }
  if (edge.size == 0) return ok();
  const object::ProofPlan plan = TRY(object::plan_root(edge.size));
  std::vector<Digest> hashes;
  for (const object::MerkleNode& node : plan[0]) hashes.push_back(TRY(tiles.node(node)));
  tree_ = TRY(object::Frontier::from(edge.size, std::move(hashes)));
  return ok();
}

// A crash may keep a write and lose the one before it. The entry that is missing went with the action it was about, so nothing is hidden
// when another takes its place; those behind it stay where they are.
Status AuditLog::restore_entries(Turn& turn) {
  std::vector<uint64_t> sealed;
  std::vector<std::pair<uint64_t, Bytes>> behind;
  for (const store::RecordRef& record : core_.records(Record::kAuditEntry)) {
    const uint64_t index = entry_index(record.id);
    if (index == tree_.size() && behind.empty()) grow(object::merkle_leaf(*record.value));
    else if (index < tree_.size()) sealed.push_back(index);
    else behind.push_back({index, *record.value});
  }
  for (const uint64_t index : sealed) core_.erase_record(turn, Record::kAuditEntry, entry_id(index), [](Turn&, const Status&) {});
  if (behind.empty()) return ok();
  if (behind.back().first - tree_.size() >= kAuditOpenMax) return fail(Errc::kIntegrity, "entries of the audit log on this disk are gone");
  for (auto& [index, bytes] : behind) {
    while (tree_.size() + open_.size() < index) append(turn, gap_entry("an entry that the disk did not have when this node stopped; what it was about was not done"));
    const Digest leaf = object::merkle_leaf(bytes);
    open_.push_back({std::move(bytes), leaf, false, true, {}});
  }
  return ok();
}

// ---- appending

void AuditLog::append(Turn& turn, object::AuditEntry entry) {
  entry.time_ms = turn.now.unix_ms();
  if (entry.bytes && entry.bytes->size() > object::kAuditBytesMax) entry.bytes.reset();
  CHECK(entry.validate().ok());
  if (missed_ > 0 && open_.size() < kAuditOpenMax / 2) {
    append(turn, gap_entry(std::to_string(std::exchange(missed_, 0)) + " entries are missing here: the disk did not take them"));
  }
  if (open_.size() >= kAuditOpenMax || size() + open_.size() >= kAuditEntriesMax) {
    if (missed_++ == 0) core_.trace(turn, "ALERT: the audit log cannot take more entries; what happens now is counted, not written");
    return;
  }
  Bytes bytes = object::unsigned_bytes(entry);
  const Digest leaf = object::merkle_leaf(bytes);
  open_.push_back({std::move(bytes), leaf, false, false, {}});
  write(turn, tree_.size() + open_.size() - 1);
}

void AuditLog::when_durable(Turn& turn, Core::OnStatus then) {
  if (missed_ > 0 || waiters_ >= kAuditWaitersMax) return then(turn, fail(Errc::kLimit, "the audit log of this node cannot take more entries now; try again later"));
  if (open_.empty()) return then(turn, ok());
  open_.back().waiters.push_back(std::move(then));
  ++waiters_;
}

void AuditLog::write(Turn& turn, uint64_t index) {
  Open& open = open_[size_t(index - tree_.size())];
  const uint64_t cookie = core_.expect_stored([this, index](Turn& t, const Status& status) { on_written(t, index, status); });
  Outbox<store::Effect> disk;
  const Result<store::Accepted> put =
      core_.store.put_record(store::RecordKind(Record::kAuditEntry), *store::RecordId::from(entry_id(index)), open.bytes, cookie, disk);
  core_.route_disk(turn, disk);
  open.in_flight = put.ok() && *put == store::Accepted::kPending;
  if (open.in_flight) return;
  // Nothing follows. The batch that may be open here leaves no room for more than taking note.
  core_.forget_stored(cookie);
  open.written = put.ok();
  retry_later(turn);
}

void AuditLog::on_written(Turn& turn, uint64_t index, const Status& status) {
  if (index < tree_.size()) return;
  Open& open = open_[size_t(index - tree_.size())];
  open.in_flight = false;
  open.written = status.ok();
  if (!status.ok()) retry_later(turn);
  advance(turn);
}

void AuditLog::advance(Turn& turn) {
  const uint64_t before = tree_.size();
  std::vector<Core::OnStatus> waiters;
  while (!open_.empty() && open_.front().written) {
    const Digest leaf = open_.front().leaf;
    std::move(open_.front().waiters.begin(), open_.front().waiters.end(), std::back_inserter(waiters));
    open_.pop_front();
    grow(leaf);
  }
  if (tree_.size() == before) return;
  waiters_ -= waiters.size();
  write_seal(turn);
  for (const Core::OnStatus& then : waiters) then(turn, ok());
  if (on_grown) on_grown(turn);
}

void AuditLog::grow(const Digest& leaf) {
  tree_.append(leaf);
  rows_[0].push_back(leaf);
  if (rows_[0].size() == kTileWidth) close_tiles();
}

// ---- sealing

void AuditLog::close_tiles() {
  Seal seal;
  seal.bundle = tree_.size() / kTileWidth - 1;
  std::vector<Bytes> entries;
  for (uint64_t index = seal.bundle * kTileWidth; index < tree_.size(); ++index) {
    const Bytes* bytes = core_.find_record(Record::kAuditEntry, entry_id(index));
    CHECK_MSG(bytes != nullptr, "an entry that is not sealed is a record");
    entries.push_back(*bytes);
  }
  seal.pages.emplace(bundle_key(seal.bundle), object::bundle_bytes(entries));
  for (size_t level = 0; level < rows_.size() && rows_[level].size() == kTileWidth; ++level) {
    const uint64_t index = (tree_.size() >> (object::kTileHeight * level)) / kTileWidth - 1;
    seal.pages.emplace(tile_key({uint8_t(level), index}), object::tile_bytes(rows_[level]));
    const Digest above = tile_root(rows_[level]);
    rows_[level].clear();
    if (level + 1 == rows_.size()) rows_.emplace_back();
    rows_[level + 1].push_back(above);
  }
  seal.rows.assign(rows_.begin() + 1, rows_.end());
  seals_.push_back(std::move(seal));
}

void AuditLog::write_seal(Turn& turn) {
  if (sealing_ || seals_.empty()) return;
  const Seal& seal = seals_.front();
  Outbox<store::Effect> disk;
  core_.store.begin_batch();
  Status taken;
  for (const auto& [key, page] : seal.pages) {
    const Result<store::Accepted> put = core_.store.put_page(key, page, kNoCookie, disk);
    if (!put.ok()) taken = put.error();
  }
  EdgeRecord edge{(seal.bundle + 1) * kTileWidth, {}};
  for (const std::vector<Digest>& row : seal.rows) edge.rows.push_back(object::tile_bytes(row));
  const uint64_t cookie = core_.expect_stored([this](Turn& t, const Status& status) { on_sealed(t, status); });
  if (taken.ok()) {
    const Result<store::Accepted> put =
        core_.store.put_record(store::RecordKind(Record::kAuditEdge), *store::RecordId::from(edge_id()), codec::encode(edge), cookie, disk);
    if (!put.ok()) taken = put.error();
  }
  // Only with the edge may the records go; those that stay are erased at the next start.
  for (uint64_t index = seal.bundle * kTileWidth; taken.ok() && index < edge.size; ++index) {
    (void)core_.store.erase_record(store::RecordKind(Record::kAuditEntry), *store::RecordId::from(entry_id(index)), kNoCookie, disk).ok();
  }
  core_.store.end_batch(disk);
  core_.route_disk(turn, disk);
  sealing_ = taken.ok();
  if (sealing_) return;
  core_.forget_stored(cookie);
  retry_later(turn);
}

void AuditLog::on_sealed(Turn& turn, const Status& status) {
  sealing_ = false;
  if (!status.ok()) return retry_later(turn);
  seals_.pop_front();
  write_seal(turn);
}

void AuditLog::on_deadline(Turn& turn) {
  if (turn.now < retry_at_) return;
  retry_at_ = Instant::never();
  for (size_t i = 0; i < open_.size(); ++i) {
    if (!open_[i].in_flight && !open_[i].written) write(turn, tree_.size() + i);
  }
  advance(turn);
  write_seal(turn);
}

// ---- reading

const Bytes* AuditLog::page_in_memory(const store::PageKey& key) const {
  for (const Seal& seal : seals_) {
    const auto page = seal.pages.find(key);
    if (page != seal.pages.end()) return &page->second;
  }
  return nullptr;
}

void AuditLog::read_pages(Turn& turn, std::vector<store::PageKey> keys, std::function<void(Turn&, Result<std::vector<Bytes>>)> then) {
  if (keys.empty()) return then(turn, std::vector<Bytes>{});
  const uint64_t cookie = core_.expect_loaded([then](Turn& t, store::Loaded loaded) {
    if (!loaded.status.ok()) return then(t, loaded.status.error());
    std::vector<Bytes> pages;
    for (std::optional<Bytes>& page : loaded.pages) {
      if (!page) return then(t, lost_page());
      pages.push_back(std::move(*page));
    }
    then(t, std::move(pages));
  });
  Outbox<store::Effect> disk;
  const Status asked = core_.store.read_pages(keys, cookie, disk);
  core_.route_disk(turn, disk);
  if (asked.ok()) return;
  core_.forget_loaded(cookie);
  then(turn, asked.error());
}

void AuditLog::prove(Turn& turn, object::ProofPlan plan, OnHashes then) {
  auto tiles = std::make_shared<object::TileSet>();
  std::vector<TileId> wanted;
  std::vector<store::PageKey> keys;
  for (const TileId& id : object::tiles_for(plan)) {
    if (object::tile_width(id, size()) < kTileWidth) {
      tiles->put(id, rows_[id.level]);
    } else if (const Bytes* page = page_in_memory(tile_key(id))) {
      tiles->put(id, object::parse_tile(*page, kTileWidth).value());
    } else {
      wanted.push_back(id);
      keys.push_back(tile_key(id));
    }
  }
  read_pages(turn, std::move(keys), [plan = std::move(plan), tiles, wanted, then](Turn& t, Result<std::vector<Bytes>> pages) {
    if (!pages.ok()) return then(t, pages.error());
    for (size_t i = 0; i < wanted.size(); ++i) {
      Result<std::vector<Digest>> hashes = object::parse_tile((*pages)[i], kTileWidth);
      if (!hashes.ok()) return then(t, lost_page());
      tiles->put(wanted[i], std::move(hashes).value());
    }
    then(t, object::make_proof(plan, *tiles));
  });
}

void AuditLog::entries(Turn& turn, uint64_t bundle, OnEntries then) {
  const uint64_t first = bundle * kTileWidth;
  if (bundle > kAuditEntriesMax / kTileWidth || first >= size()) return then(turn, std::vector<Bytes>{});
  const auto split = [](ByteView page) -> Result<std::vector<Bytes>> {
    const Result<std::vector<ByteView>> views = object::parse_bundle(page, kTileWidth);
    if (!views.ok()) return lost_page();
    std::vector<Bytes> out;
    for (const ByteView entry : *views) out.push_back(to_bytes(entry));
    return out;
  };
  if (first + kTileWidth > size()) {
    std::vector<Bytes> out;
    for (uint64_t index = first; index < size(); ++index) out.push_back(*core_.find_record(Record::kAuditEntry, entry_id(index)));
    return then(turn, std::move(out));
  }
  if (const Bytes* page = page_in_memory(bundle_key(bundle))) return then(turn, split(*page));
  read_pages(turn, {bundle_key(bundle)}, [split, then](Turn& t, Result<std::vector<Bytes>> pages) {
    if (!pages.ok()) return then(t, pages.error());
    then(t, split((*pages)[0]));
  });
}

void AuditLog::tile(Turn& turn, const TileId& id, size_t width, OnTile then) {
  const size_t known = object::tile_width(id, size());
  if (width == 0 || width > known) return then(turn, fail(Errc::kNotFound, "the audit log has no such tile"));
  const size_t bytes = width * Digest::kSize;
  if (known < kTileWidth) return then(turn, object::tile_bytes(std::span(rows_[id.level]).first(width)));
  if (const Bytes* page = page_in_memory(tile_key(id))) return then(turn, Bytes(page->begin(), page->begin() + ptrdiff_t(bytes)));
  read_pages(turn, {tile_key(id)}, [bytes, then](Turn& t, Result<std::vector<Bytes>> pages) {
    if (!pages.ok()) return then(t, pages.error());
    Bytes page = std::move((*pages)[0]);
    if (page.size() != kTileWidth * Digest::kSize) return then(t, lost_page());
    page.resize(bytes);
    then(t, std::move(page));
  });
}

}  // namespace selvedge::node
