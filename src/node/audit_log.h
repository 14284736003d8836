// AuditLog: the entries of this node's audit log and the tree over them, on disk and provable.
//
// An entry is first a record of its own, written together with what it is about (Core::put_audited), so that after a crash both are
// there or neither. Once 256 entries are on disk they are sealed, in one write: their bundle and every tile they complete become pages,
// the rows of the higher levels become the *edge* record, and the 256 records go. So a start reads the edge and a few hundred records
// whatever the length of the log, and the pages are the very files of c2sp.org/tlog-tiles.
//
// Invariants:
//  - size() and root() cover only what is on disk without a hole; the index of an entry that they cover never changes.
//  - An entry that the disk refused is written again, at its index and with the same bytes, until it is there.
//  - After a crash, an entry stands for each that is missing before others; no head has covered them, and none that was written is lost.
//
// Owned by Auditor. Reads answer by continuations, in this turn when nothing has to be loaded.
#pragma once

#include <deque>
#include <functional>
#include <span>

#include "node/core.h"
#include "object/audit_entry.h"
#include "object/merkle.h"

namespace selvedge::node {

/// Entries that are not on disk yet. With more, what happens is counted instead of written, and one entry says how many.
inline constexpr size_t kAuditOpenMax = 4096;
inline constexpr size_t kAuditWaitersMax = 4096;
inline constexpr uint64_t kAuditEntriesMax = uint64_t(1) << 32;
inline constexpr Duration kAuditRetryPause = seconds(1);

class AuditLog {
 public:
  explicit AuditLog(Core& core) : core_(core) {}

  /// At start, from the records. Errors: kIntegrity when they cannot be those of a log.
  Status restore(Turn& turn);
  /// Writes an entry, within the store's open batch if there is one.
  void append(Turn& turn, object::AuditEntry entry);
  /// Calls `then` when all that was appended is on disk; at once when it is. Errors: kLimit when some of it was not taken, or too many wait.
  void when_durable(Turn& turn, Core::OnStatus then);
  /// Called when size() has grown.
  std::function<void(Turn&)> on_grown;

  uint64_t size() const { return tree_.size(); }
  object::Digest root() const { return tree_.root(); }
  /// Entries that wait for the disk.
  size_t open() const { return open_.size(); }

  using OnHashes = std::function<void(Turn&, Result<std::vector<object::Digest>>)>;
  /// Folds a plan for a tree of at most size() entries.
  void prove(Turn& turn, object::ProofPlan plan, OnHashes then);
  using OnEntries = std::function<void(Turn&, Result<std::vector<Bytes>>)>;
  /// The entries `bundle` * 256 and on, at most 256 and none at or after size().
  void entries(Turn& turn, uint64_t bundle, OnEntries then);
  using OnTile = std::function<void(Turn&, Result<Bytes>)>;
  /// The first `width` hashes of a tile, as bytes; at most what size() has.
  void tile(Turn& turn, const object::TileId& id, size_t width, OnTile then);

  void on_deadline(Turn& turn);
  Instant next_deadline() const { return retry_at_; }

 private:
  struct Open {
    Bytes bytes;
    object::Digest leaf;
    bool in_flight = false;
    bool written = false;
    std::vector<Core::OnStatus> waiters;
  };
  /// 256 entries on their way into pages.
  struct Seal {
    uint64_t bundle = 0;
    std::map<store::PageKey, Bytes> pages;
    std::vector<std::vector<object::Digest>> rows;  // of the levels above 0, after it
  };

  void write(Turn& turn, uint64_t index);
  void on_written(Turn& turn, uint64_t index, const Status& status);
  void advance(Turn& turn);
  void grow(const object::Digest& leaf);
  void close_tiles();
  void write_seal(Turn& turn);
  void on_sealed(Turn& turn, const Status& status);
  void retry_later(Turn& turn) { retry_at_ = std::min(retry_at_, turn.now + kAuditRetryPause); }
  Status restore_edge();
  Status restore_entries(Turn& turn);
  const Bytes* page_in_memory(const store::PageKey& key) const;
  void read_pages(Turn& turn, std::vector<store::PageKey> keys, std::function<void(Turn&, Result<std::vector<Bytes>>)> then);

  Core& core_;
  object::Frontier tree_;                         // of what is on disk without a hole
  std::vector<std::vector<object::Digest>> rows_; // the last, partial tile of each level of that tree
  std::deque<Open> open_;                         // from index size() on
  std::deque<Seal> seals_;                        // oldest first; only the first may be in flight
  bool sealing_ = false;
  size_t waiters_ = 0;
  uint64_t missed_ = 0;                           // entries there was no room for
  Instant retry_at_ = Instant::never();
};

}  // namespace selvedge::node
