// Store: decides what this node holds, and says so only once the disk has it.
//
// Four kinds of things are held: *records* (grants, leases, revocations, peers: small, in memory and on disk),
// *receipts* (one append-only log per origin, on disk only), *pages* (numbered pieces of what is large and never changes,
// on disk only and in no index) and *symbols* (fountain symbols in segments, one frame's
// symbols of one object and source block each; only the index is in memory). The machine is pure: it answers inputs
// and appends disk effects (effects.h); host/ and sim/ carry them out.
//
// Invariants:
//  - A Done with success for a cookie means that the thing is on disk after a sync: an acknowledgement may leave.
//  - A failed write leaves the index as if the call had not been made; calls work again when the disk does. What a
//    failed write may have left on disk is never taken as a ground for an acknowledgement.
//  - What is held for an origin, a zone and in total never grows past its limit by a call that succeeds.
//  - After a crash every segment is whole: its bytes and its index entry are one atomic write.
//  - Recovery accepts any disk content: what cannot be read is counted, and erased where it could never serve.
//
// Owned by node/. One instance per disk. Not thread-safe, because the node lives on one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "store/cell.h"
#include "store/effects.h"
#include "store/esi.h"

namespace selvedge::store {

struct SegmentKey;  // layout.h

using ObjectId = FixedBytes<struct ObjectIdTag, 32>;
using OriginId = FixedBytes<struct OriginIdTag, 32>;
using ZoneId = FixedBytes<struct ZoneIdTag, 32>;
using RecordId = FixedBytes<struct RecordIdTag, 32>;
/// A series of pages.
using BookId = FixedBytes<struct BookIdTag, 32>;
/// The node numbers its kinds of records; the store only keeps them apart and in order.
using RecordKind = uint8_t;

inline constexpr size_t kSymbolsPerSegmentMax = 64;
inline constexpr size_t kSegmentPayloadBytesMax = 1 << 20;
/// What a segment costs beside its payload (keys and index entry), so that tiny segments are not free of charge.
inline constexpr uint64_t kSegmentOverheadBytes = 160;
/// Drops of many objects are cut, between objects, into atomic writes of about this many keys.
inline constexpr size_t kWritesPerBatchMax = 8192;
inline constexpr size_t kReceiptsPerReadMax = 256;
inline constexpr size_t kPagesPerReadMax = 64;
inline constexpr size_t kPageBytesMax = 4 << 20;
inline constexpr size_t kSegmentsPerReadMax = 1024;
inline constexpr size_t kExcludedRangesMax = 4096;
inline constexpr size_t kObjectsPerExpireMax = 1024;
inline constexpr size_t kCleanupWritesMax = 1 << 18;
/// After a write has failed, the next expiry waits this long, so that a full disk is not hammered.
inline constexpr Duration kExpireRetryDelay = seconds(10);

struct Limits {
  uint64_t bytes_max = uint64_t(64) << 30;  // charged bytes of all symbols
  size_t objects_max = 1'000'000;
  size_t segments_max = 4'000'000;
  size_t segments_per_object_max = 65'536;
  size_t origins_max = 100'000;  // origins and zones with a quota, each
  size_t records_max = 100'000;
  size_t record_bytes_max = 1 << 20;
  uint64_t records_bytes_max = uint64_t(64) << 20;
  uint64_t receipts_max = 10'000'000;
  size_t receipt_bytes_max = 64 << 10;
  size_t in_flight_max = 4096;                          // DiskWrites not yet answered
  uint64_t in_flight_bytes_max = uint64_t(64) << 20;    // and their bytes
  size_t waiters_max = 16'384;                          // cookies not yet answered
  size_t reads_in_flight_max = 256;
  uint64_t read_bytes_max = uint64_t(8) << 20;          // payload of one read
};

/// Why an object is held: decides what goes first when room is needed. spec: FM 12.3, WF 8.5
enum class Hold : uint8_t {
  kCache = 0,    // nobody asked for it to stay; reclaimed first
  kReplica = 1,  // placed here by an origin under its quota
  kPinned = 2,   // never reclaimed, only dropped or expired
};

struct HoldMeta {
  ObjectId object;
  OriginId origin;
  ZoneId zone;
  uint64_t expires_s = 0;       // Unix seconds; expired when now has reached it
  Hold hold = Hold::kReplica;
  uint64_t retain_until_s = 0;  // reclaim() leaves it alone before this
  bool operator==(const HoldMeta&) const = default;
};

/// Whether a Done will follow.
enum class Accepted : uint8_t {
  kPending,  // a Done with the cookie follows
  kDurable,  // it is on disk already: no Done follows, acknowledge now
};

struct Done {
  uint64_t cookie;
  Status status;
};

struct LoadedSegment {
  uint8_t block;
  uint32_t position;  // of its first symbol among those stored for the block
  std::vector<uint32_t> esis;
  Bytes payload;
};
struct LoadedReceipt {
  uint64_t sequence;
  Bytes bytes;
};
struct PageKey {
  BookId book;
  uint64_t number = 0;
  auto operator<=>(const PageKey&) const = default;
};
/// The answer to one read: segments, receipts or pages, whichever was asked for.
struct Loaded {
  uint64_t cookie = 0;
  ObjectId object;
  OriginId origin;
  std::vector<LoadedSegment> segments;
  std::vector<LoadedReceipt> receipts;
  std::vector<std::optional<Bytes>> pages;  // one for each key that was asked for
  size_t missing = 0;  // asked for and no longer on disk
  Status status;
};

/// ESIs of one source block that the asker has already: first to last, both included.
struct Excluded {
  uint8_t block = 0;
  uint32_t first = 0;
  uint32_t last = 0;
  auto operator<=>(const Excluded&) const = default;
};

struct SegmentRead {
  ObjectId object;
  std::optional<uint8_t> block;   // nullopt: all blocks
  std::vector<Excluded> exclude;  // segments all of whose ESIs are named here are skipped
  uint64_t bytes_max = 0;         // of payload; at least one segment is returned if any fits the limits
};

struct BlockCoverage {
  uint8_t block;
  uint32_t segments;           // on disk
  uint32_t symbols;            // different ESIs on disk
  uint32_t symbols_in_flight;  // accepted and not yet synced, not counted above
};

struct Usage {
  uint64_t bytes = 0;  // charged: payload + kSegmentOverheadBytes per segment; includes what is in flight
  uint64_t bytes_max = 0;
  uint64_t objects = 0;
  uint64_t segments = 0;
};

struct RecordRef {
  RecordId id;
  const Bytes* value;  // valid until the next call that changes the store
};

struct Dropped {
  Accepted accepted = Accepted::kDurable;
  uint64_t bytes = 0;  // charged bytes given back
  size_t objects = 0;
};

enum class ReclaimOrder : uint8_t {
  kSoonestExpiry,
  kLeastRecentlyRead,  // since start; what was never read goes first
};

struct RecoveryReport {
  size_t objects = 0;
  size_t segments = 0;
  size_t records = 0;
  size_t receipt_logs = 0;
  size_t corrupt = 0;     // entries that could not be read
  size_t orphans = 0;     // segments whose object entry is gone
  size_t over_limit = 0;  // entries beyond Limits: left on disk, not in the index
};

class Store {
 public:
  explicit Store(const Limits& limits);

  // --- Start. The host hands over every entry of kMeta and kRecords, in any order, then calls recovered().
  /// Errors: kInvalid (unreadable entry), kLimit; both are counted and the entry is skipped.
  Status recover(Column column, ByteView key, ByteView value);
  /// Ends recovery; `out` receives the writes that clear away what can never serve. Everything below needs this first.
  RecoveryReport recovered(Outbox<Effect>& out);

  // --- Records.
  /// Errors: kLimit (too large, too many, or the disk is behind).
  Result<Accepted> put_record(RecordKind kind, const RecordId& id, Bytes value, uint64_t cookie, Outbox<Effect>& out);
  /// Erasing what is not there is kDurable.
  Result<Accepted> erase_record(RecordKind kind, const RecordId& id, uint64_t cookie, Outbox<Effect>& out);
  /// The newest accepted version, durable or not; nullptr when there is none.
  const Bytes* find_record(RecordKind kind, const RecordId& id) const;
  /// Up to `count_max` records of one kind in id order, after `after` when given.
  std::vector<RecordRef> records(RecordKind kind, const RecordId* after, size_t count_max) const;

  // --- Receipts.
  /// The value is the sequence number that the receipt gets. Errors: kLimit.
  Result<uint64_t> append_receipt(const OriginId& origin, Bytes receipt, uint64_t cookie, Outbox<Effect>& out);
  /// The value is how many are asked of the disk; with 0 no Loaded follows. Errors: kLimit.
  Result<size_t> read_receipts(const OriginId& origin, uint64_t from, size_t count_max, uint64_t cookie,
                               Outbox<Effect>& out);
  /// Forgets receipts before `before`, oldest first, at most kWritesPerBatchMax a call; the value is the new first one.
  Result<uint64_t> trim_receipts(const OriginId& origin, uint64_t before, uint64_t cookie, Outbox<Effect>& out);
  struct ReceiptRange {
    uint64_t first = 0;
    uint64_t next = 0;
  };
  ReceiptRange receipts(const OriginId& origin) const;
  /// Up to `count_max` origins that have receipts, in id order, after `after` when given.
  std::vector<OriginId> receipt_origins(const OriginId* after, size_t count_max) const;

  // --- Pages. Whoever writes them remembers which there are, and bounds their number.
  /// Errors: kLimit.
  Result<Accepted> put_page(const PageKey& key, Bytes page, uint64_t cookie, Outbox<Effect>& out);
  /// A Loaded follows. Errors: kLimit (more than kPagesPerReadMax, none, or the disk is behind).
  Status read_pages(std::span<const PageKey> keys, uint64_t cookie, Outbox<Effect>& out);

  // --- One write of several.
  /// What is done to records, receipts and pages between the two is one DiskWrite: after a crash all of it is there, or none. Each
  /// receipt log is appended to once at most; symbols and dropping stay outside (CHECK).
  void begin_batch();
  void end_batch(Outbox<Effect>& out);

  // --- Symbols.
  /// Bytes that may be held for an origin; without a quota it is 0. A lower quota drops nothing by itself.
  Status set_quota(const OriginId& origin, uint64_t bytes_max);
  /// Without a limit a zone is bounded by its origins' quotas and the total only.
  Status set_zone_limit(const ZoneId& zone, uint64_t bytes_max);
  /// `esis` names the symbols of `payload` in order; 1 to kSymbolsPerSegmentMax, all different. When every one of
  /// them is held already nothing is written, and the cookie is answered when they are durable. A later expiry or
  /// a stronger hold than before extends the object's. Errors: kInvalid, kQuota, kLimit, kExists (the object is held
  /// for another origin or zone).
  Result<Accepted> put_segment(const HoldMeta& meta, uint8_t block, std::span<const uint32_t> esis, Bytes payload,
                               uint64_t cookie, Outbox<Effect>& out);
  /// Replaces expiry, hold and retention of an object. Errors: kNotFound, kLimit.
  Result<Accepted> renew_object(const ObjectId& object, uint64_t expires_s, Hold hold, uint64_t retain_until_s,
                                uint64_t cookie, Outbox<Effect>& out);
  /// The value is how many segments are asked of the disk; with 0 no Loaded follows. Segments that are not durable
  /// yet are not offered. Errors: kNotFound, kLimit.
  Result<size_t> read_segments(const SegmentRead& read, uint64_t cookie, Outbox<Effect>& out);
  /// Dropping what is not held is kDurable with 0 bytes.
  Result<Dropped> drop_object(const ObjectId& object, uint64_t cookie, Outbox<Effect>& out);
  Result<Dropped> drop_origin(const OriginId& origin, uint64_t cookie, Outbox<Effect>& out);
  /// Drops at least `bytes_wanted` if the objects that may go allow it: caches first, pinned ones and those still in
  /// their retention never. No Done follows.
  Result<Dropped> reclaim(Instant now, uint64_t bytes_wanted, ReclaimOrder order, Outbox<Effect>& out);
  /// Drops what has expired and what failed writes may have left. Call at next_deadline(). No Done follows; what
  /// fails is tried again later.
  Dropped expire(Instant now, Outbox<Effect>& out);
  Instant next_deadline() const;

  const HoldMeta* find_object(const ObjectId& object) const;
  std::vector<BlockCoverage> coverage(const ObjectId& object) const;
  /// Up to `count_max` held objects in id order, after `after` when given.
  std::vector<ObjectId> objects(const ObjectId* after, size_t count_max) const;
  Usage usage(const OriginId& origin) const;
  Usage zone_usage(const ZoneId& zone) const;
  Usage total_usage() const;

  // --- Answers of the disk.
  std::vector<Done> on_persisted(uint64_t token);
  std::vector<Done> on_write_failed(uint64_t token, const Error& error);
  /// `out` receives the removal of index entries whose bytes turned out to be gone.
  Loaded on_loaded(uint64_t token, std::vector<std::optional<Bytes>> values, Outbox<Effect>& out);
  Loaded on_load_failed(uint64_t token, const Error& error);
  size_t writes_in_flight() const { return pending_.size(); }
  size_t reads_in_flight() const { return reads_.size(); }
  /// Segments whose index entry was there and whose bytes were not, since start.
  uint64_t segments_lost() const { return segments_lost_; }

 private:
  struct RecordKey {
    RecordKind kind;
    RecordId id;
    auto operator<=>(const RecordKey&) const = default;
  };
  struct Segment {
    uint32_t position = 0;
    uint32_t bytes = 0;
    uint64_t put_token = 0;   // in flight to the disk while not 0
    uint64_t drop_token = 0;  // the first removal in flight; not live while not 0
    uint32_t drop_count = 0;  // removals in flight: the segment is back when all of them have failed
    bool doubtful = false;    // its removal failed and may show after a restart: no ground for an acknowledgement
    std::vector<EsiRun> runs;
    bool live() const { return drop_token == 0; }
    bool readable() const { return put_token == 0 && drop_token == 0; }
    uint64_t charge() const { return bytes + kSegmentOverheadBytes; }
  };
  struct Block {
    std::vector<Segment> segments;  // by position
    uint64_t next_position = 0;
  };
  struct Object {
    Cell<HoldMeta> meta;
    std::map<uint8_t, Block> blocks;
    size_t segment_count = 0;  // all states
    uint64_t last_read = 0;  // on read_clock_
    uint64_t live_bytes = 0;  // charges of the live segments
    uint64_t live_segments = 0;
    // What the usage figures were told, so that they are always taken back exactly.
    bool counted = false;
    HoldMeta counted_meta;
    uint64_t counted_bytes = 0;
    uint64_t counted_segments = 0;
  };
  using Objects = std::map<ObjectId, Object>;
  struct ReceiptLog {
    uint64_t first = 0;
    uint64_t next = 0;
  };
  // What a DiskWrite changes in the index, so that its answer settles exactly that.
  struct RecordChange { RecordKey key; };
  struct MetaChange { ObjectId object; };
  struct SegmentPut { ObjectId object; uint8_t block; uint32_t position; };
  enum class DropScope : uint8_t { kObject, kListed };
  /// kObject: every segment that was there, also those whose removal was under way, because that one may fail.
  /// kListed: those whose drop_token is this write's.
  struct SegmentDrop { ObjectId object; DropScope scope; };
  struct ReceiptAppend { OriginId origin; uint64_t sequence; };
  struct ReceiptTrim { OriginId origin; uint64_t first_before; };
  using Change = std::variant<RecordChange, MetaChange, SegmentPut, SegmentDrop, ReceiptAppend, ReceiptTrim>;
  struct Pending {
    uint64_t bytes = 0;
    std::vector<Change> changes;
    std::vector<uint64_t> waiters;
  };
  struct Waiter {
    uint64_t cookie = 0;
    size_t outstanding = 0;
    Status status;
  };
  enum class ReadKind : uint8_t { kSegments, kReceipts, kPages };
  struct SegmentPart {
    uint8_t block;
    uint32_t position;
  };
  struct PendingRead {
    ReadKind kind = ReadKind::kSegments;
    uint64_t cookie = 0;
    ObjectId object;
    std::vector<SegmentPart> parts;
    OriginId origin;
    uint64_t first_sequence = 0;
    size_t count = 0;
  };

  Status room_for(size_t batches, uint64_t bytes) const;
  uint64_t submit(std::vector<Write> writes, std::vector<Change> changes, Outbox<Effect>& out);
  uint64_t add_to_batch(std::vector<Write> writes, std::vector<Change> changes);
  /// kDurable when there is nothing to wait for. room_for() was asked before.
  Accepted wait_for(const std::set<uint64_t>& tokens, uint64_t cookie);
  enum class Outcome : uint8_t { kPersisted, kFailed };
  std::vector<Done> settle(uint64_t token, Outcome outcome, const Status& status);
  void settle_change(uint64_t token, Outcome outcome, const Change& change);
  void settle_segment_put(uint64_t token, Outcome outcome, const SegmentPut& put);
  void settle_segment_drop(uint64_t token, Outcome outcome, const SegmentDrop& drop);

  Status recover_object(ByteView key, ByteView value);
  Status recover_segment(ByteView key, ByteView value);
  Status recover_receipts(ByteView key, ByteView value);
  Status recover_record(ByteView key, ByteView value);
  void clean_up(const SegmentKey& at);

  Status check_put(const HoldMeta& meta, std::span<const uint32_t> esis, const Bytes& payload) const;
  Status check_quota(const HoldMeta& meta, uint64_t charge, size_t objects_new) const;
  /// Tokens that must become durable for all `esis` to be; nullopt when at least one is not held.
  static std::optional<std::set<uint64_t>> holders(const Object& object, uint8_t block, std::span<const uint32_t> esis);
  std::vector<SegmentPart> select(const Object& object, const SegmentRead& read) const;
  void forget_lost(const ObjectId& object, const std::vector<SegmentPart>& lost, Outbox<Effect>& out);
  /// Brings usage and expiry order in line with the object, and forgets it when nothing is left of it.
  void account(Objects::iterator it);
  Result<Dropped> drop_all(const std::vector<ObjectId>& ids, std::optional<uint64_t> cookie, Outbox<Effect>& out);
  /// Stages the removal of one object under `token`.
  void stage_drop(Objects::iterator it, uint64_t token, std::vector<Write>& writes, std::vector<Change>& changes);
  Segment* find_segment(const ObjectId& object, uint8_t block, uint32_t position);
  static bool alive(const Object& object) { return object.meta.current() != nullptr; }
  static void count_usage(Usage& usage, const Object& object);
  static void uncount_usage(Usage& usage, const Object& object);

  Limits limits_;
  bool running_ = false;
  uint64_t last_token_ = 0;
  uint64_t last_waiter_ = 0;
  uint64_t read_clock_ = 0;
  uint64_t in_flight_bytes_ = 0;
  uint64_t segments_lost_ = 0;
  RecoveryReport report_;
  std::vector<Write> cleanup_;  // collected by recover(), issued by recovered()

  std::map<RecordKey, Cell<Bytes>> records_;
  uint64_t records_bytes_ = 0;  // of the current versions
  std::map<OriginId, ReceiptLog> receipts_;
  uint64_t receipt_count_ = 0;
  Objects objects_;
  size_t segment_count_ = 0;
  std::set<std::pair<uint64_t, ObjectId>> by_expiry_;
  std::map<OriginId, Usage> origins_;
  std::map<ZoneId, Usage> zones_;
  Usage total_;
  Instant expire_not_before_{INT64_MIN};
  bool write_failed_ = false;  // since the last expire()
  // Objects of which nothing is held but whose entry a failed write may have left on disk; expire() makes sure.
  std::set<ObjectId> in_doubt_;

  uint64_t batch_token_ = 0;  // not 0: writes are being gathered
  std::vector<Write> batch_;
  std::map<uint64_t, Pending> pending_;
  std::map<uint64_t, Waiter> waiters_;
  std::map<uint64_t, PendingRead> reads_;
};

}  // namespace selvedge::store
