// The bytes of keys and values on disk. Versioned per value; big-endian, so that keys sort as their numbers do.
//
//   column    key                                             value
//   kMeta     'o' object(32)                                  1 origin(32) zone(32) expires(8) hold(1) retain(8)
//   kMeta     's' object(32) block(1) position(4)             1 payload_bytes(4) runs(1) { first(4) count(2) stride(4) }
//   kMeta     'r' origin(32)                                  1 first(8) next(8)
//   kRecords  kind(1) id(32)                                  opaque
//   kSymbols  object(32) block(1) position(4)                 opaque
//   kReceipts origin(32) sequence(8)                          opaque
//   kReceipts book(32) number(8)                              opaque: a page; books have hashes for names, origins keys
//
// Parsing accepts exactly what building makes: anything else on disk is damage and an Error (kInvalid).
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "store/store.h"

namespace selvedge::store {

inline constexpr uint8_t kValueVersion = 1;
enum class MetaTag : uint8_t { kObject = 'o', kSegment = 's', kReceipts = 'r' };

struct SegmentKey {
  ObjectId object;
  uint8_t block = 0;
  uint32_t position = 0;
};
struct SegmentHead {
  uint32_t payload_bytes = 0;
  std::vector<EsiRun> runs;
};
struct ReceiptHead {
  uint64_t first = 0;
  uint64_t next = 0;
};

Bytes object_meta_key(const ObjectId& object);
Bytes segment_head_key(const SegmentKey& key);
Bytes receipt_head_key(const OriginId& origin);
Bytes record_key(RecordKind kind, const RecordId& id);
Bytes symbols_key(const SegmentKey& key);
Bytes receipt_key(const OriginId& origin, uint64_t sequence);
Bytes page_key(const PageKey& key);

Bytes build_meta(const HoldMeta& meta);
Bytes build_head(const SegmentHead& head);
Bytes build_receipt_head(const ReceiptHead& head);

/// `key` is a whole kMeta key.
Result<ObjectId> parse_object_meta_key(ByteView key);
Result<SegmentKey> parse_segment_head_key(ByteView key);
Result<OriginId> parse_receipt_head_key(ByteView key);
Result<HoldMeta> parse_meta(const ObjectId& object, ByteView value);
Result<SegmentHead> parse_head(ByteView value);
Result<ReceiptHead> parse_receipt_head(ByteView value);

}  // namespace selvedge::store
