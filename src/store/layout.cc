#include "store/layout.h"

namespace selvedge::store {
namespace {

constexpr size_t kIdBytes = 32;
constexpr size_t kRunBytes = 10;

Bytes tagged(MetaTag tag, ByteView id) {
  Bytes key;
  key.reserve(1 + kIdBytes + 5);
  key.push_back(uint8_t(tag));
  append(key, id);
  return key;
}

void append_segment(Bytes& out, const SegmentKey& key) {
  append(out, key.object);
  out.push_back(key.block);
  append_u32(out, key.position);
}

Error damaged(const char* what) { return fail(Errc::kInvalid, std::string("unreadable ") + what + " on disk"); }

template <class Id>
Result<Id> parse_tagged(ByteView key, MetaTag tag, const char* what) {
  if (key.size() != 1 + kIdBytes || key[0] != uint8_t(tag)) return damaged(what);
  return Id::from(key.subspan(1));
}

}  // namespace

Bytes object_meta_key(const ObjectId& object) { return tagged(MetaTag::kObject, object); }
Bytes receipt_head_key(const OriginId& origin) { return tagged(MetaTag::kReceipts, origin); }

Bytes segment_head_key(const SegmentKey& key) {
  Bytes out = tagged(MetaTag::kSegment, key.object);
  out.push_back(key.block);
  append_u32(out, key.position);
  return out;
}

Bytes record_key(RecordKind kind, const RecordId& id) {
  Bytes key{kind};
  append(key, id);
  return key;
}

Bytes symbols_key(const SegmentKey& key) {
  Bytes out;
  out.reserve(kIdBytes + 5);
  append_segment(out, key);
  return out;
}

Bytes receipt_key(const OriginId& origin, uint64_t sequence) {
  Bytes key = to_bytes(origin);
  append_u64(key, sequence);
  return key;
}

Bytes page_key(const PageKey& key) {
  Bytes out = to_bytes(key.book);
  append_u64(out, key.number);
  return out;
}

Bytes build_meta(const HoldMeta& meta) {
  Bytes out{kValueVersion};
  append(out, meta.origin);
  append(out, meta.zone);
  append_u64(out, meta.expires_s);
  out.push_back(uint8_t(meta.hold));
  append_u64(out, meta.retain_until_s);
  return out;
}

Bytes build_head(const SegmentHead& head) {
  Bytes out{kValueVersion};
  append_u32(out, head.payload_bytes);
  out.push_back(uint8_t(head.runs.size()));
  for (const EsiRun& run : head.runs) {
    append_u32(out, run.first);
    uint8_t count[2];
    store_u16(count, uint16_t(run.count));
    append(out, count);
    append_u32(out, run.stride);
  }
  return out;
}

Bytes build_receipt_head(const ReceiptHead& head) {
  Bytes out{kValueVersion};
  append_u64(out, head.first);
  append_u64(out, head.next);
  return out;
}

Result<ObjectId> parse_object_meta_key(ByteView key) {
  return parse_tagged<ObjectId>(key, MetaTag::kObject, "object key");
}
Result<OriginId> parse_receipt_head_key(ByteView key) {
  return parse_tagged<OriginId>(key, MetaTag::kReceipts, "receipt log key");
}

Result<SegmentKey> parse_segment_head_key(ByteView key) {
  if (key.size() != 1 + kIdBytes + 5 || key[0] != uint8_t(MetaTag::kSegment)) return damaged("segment key");
  SegmentKey out;
  out.object = TRY(ObjectId::from(key.subspan(1, kIdBytes)));
  out.block = key[1 + kIdBytes];
  out.position = load_u32(key.data() + 2 + kIdBytes);
  return out;
}

Result<HoldMeta> parse_meta(const ObjectId& object, ByteView value) {
  constexpr size_t kSize = 1 + 2 * kIdBytes + 8 + 1 + 8;
  if (value.size() != kSize || value[0] != kValueVersion) return damaged("object entry");
  HoldMeta meta;
  meta.object = object;
  meta.origin = TRY(OriginId::from(value.subspan(1, kIdBytes)));
  meta.zone = TRY(ZoneId::from(value.subspan(1 + kIdBytes, kIdBytes)));
  const uint8_t* rest = value.data() + 1 + 2 * kIdBytes;
  meta.expires_s = load_u64(rest);
  if (rest[8] > uint8_t(Hold::kPinned)) return damaged("object entry");
  meta.hold = Hold(rest[8]);
  meta.retain_until_s = load_u64(rest + 9);
  return meta;
}

Result<SegmentHead> parse_head(ByteView value) {
  if (value.size() < 6 || value[0] != kValueVersion) return damaged("segment entry");
  SegmentHead head;
  head.payload_bytes = load_u32(value.data() + 1);
  const size_t runs = value[5];
  if (head.payload_bytes == 0 || head.payload_bytes > kSegmentPayloadBytesMax) return damaged("segment entry");
  if (runs == 0 || runs > kSymbolsPerSegmentMax || value.size() != 6 + runs * kRunBytes) return damaged("segment entry");
  size_t symbols = 0;
  for (size_t i = 0; i < runs; ++i) {
    const uint8_t* at = value.data() + 6 + i * kRunBytes;
    const EsiRun run{load_u32(at), load_u16(at + 4), load_u32(at + 6)};
    const uint64_t last = run.first + uint64_t(run.count - 1) * run.stride;
    if (run.count == 0 || run.stride == 0 || last > UINT32_MAX) return damaged("segment entry");
    symbols += run.count;
    head.runs.push_back(run);
  }
  if (symbols > kSymbolsPerSegmentMax) return damaged("segment entry");
  return head;
}

Result<ReceiptHead> parse_receipt_head(ByteView value) {
  if (value.size() != 17 || value[0] != kValueVersion) return damaged("receipt log entry");
  const ReceiptHead head{load_u64(value.data() + 1), load_u64(value.data() + 9)};
  if (head.first > head.next) return damaged("receipt log entry");
  return head;
}

}  // namespace selvedge::store
