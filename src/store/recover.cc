// Start: from whatever lies on the disk to a consistent index.
#include <algorithm>
#include <iterator>

#include "store/layout.h"
#include "store/store.h"

namespace selvedge::store {

Status Store::recover(Column column, ByteView key, ByteView value) {
  CHECK_MSG(!running_, "recover() belongs before recovered()");
  Status status = fail(Errc::kInvalid, "an entry of a kind this version does not know");
  if (column == Column::kRecords) {
    status = recover_record(key, value);
  } else if (column == Column::kMeta && !key.empty()) {
    switch (MetaTag(key[0])) {
      case MetaTag::kObject: status = recover_object(key, value); break;
      case MetaTag::kSegment: status = recover_segment(key, value); break;
      case MetaTag::kReceipts: status = recover_receipts(key, value); break;
      default: break;
    }
  }
  if (!status.ok()) ++(status.code() == Errc::kLimit ? report_.over_limit : report_.corrupt);
  return status;
}

Status Store::recover_record(ByteView key, ByteView value) {
  if (key.size() != 1 + RecordId::kSize) return fail(Errc::kInvalid, "unreadable record key on disk");
  const RecordKey at{key[0], TRY(RecordId::from(key.subspan(1)))};
  if (records_.count(at) != 0) return fail(Errc::kInvalid, "the same record twice");
  if (value.size() > limits_.record_bytes_max) return fail(Errc::kLimit, "a record on disk is too large");
  if (records_.size() >= limits_.records_max || records_bytes_ + value.size() > limits_.records_bytes_max) {
    return fail(Errc::kLimit, "more records on disk than this node may hold");
  }
  records_.emplace(at, Cell<Bytes>(to_bytes(value)));
  records_bytes_ += value.size();
  ++report_.records;
  return ok();
}

Status Store::recover_object(ByteView key, ByteView value) {
  const ObjectId id = TRY(parse_object_meta_key(key));
  const HoldMeta meta = TRY(parse_meta(id, value));
  const auto it = objects_.find(id);
  if (it != objects_.end() && alive(it->second)) return fail(Errc::kInvalid, "the same object twice");
  if (it == objects_.end() && objects_.size() >= limits_.objects_max) {
    return fail(Errc::kLimit, "more objects on disk than this node may hold");
  }
  objects_[id].meta = Cell<HoldMeta>(meta);
  return ok();
}

Status Store::recover_segment(ByteView key, ByteView value) {
  const SegmentKey at = TRY(parse_segment_head_key(key));
  Result<SegmentHead> head = parse_head(value);
  if (!head.ok()) {
    clean_up(at);  // the key says which symbols nobody will be able to use again
    return std::move(head).error();
  }
  const auto it = objects_.find(at.object);
  if (it == objects_.end() && objects_.size() >= limits_.objects_max) {
    return fail(Errc::kLimit, "more objects on disk than this node may hold");
  }
  if (segment_count_ >= limits_.segments_max ||
      (it != objects_.end() && it->second.segment_count >= limits_.segments_per_object_max)) {
    return fail(Errc::kLimit, "more segments on disk than this node may hold");
  }
  Object& object = objects_[at.object];
  Block& block = object.blocks[at.block];
  const auto place = std::lower_bound(block.segments.begin(), block.segments.end(), at.position,
                                      [](const Segment& s, uint32_t position) { return s.position < position; });
  if (place != block.segments.end() && place->position == at.position) return fail(Errc::kInvalid, "the same segment twice");
  Segment segment;
  segment.position = at.position;
  segment.bytes = head->payload_bytes;
  segment.runs = std::move(head->runs);
  segment.runs.shrink_to_fit();
  block.next_position = std::max(block.next_position, uint64_t(at.position) + esi_count(segment.runs));
  object.live_bytes += segment.charge();
  ++object.live_segments;
  ++object.segment_count;
  ++segment_count_;
  block.segments.insert(place, std::move(segment));
  return ok();
}

void Store::clean_up(const SegmentKey& at) {
  if (cleanup_.size() >= kCleanupWritesMax) return;  // the rest is found again at the next start
  cleanup_.push_back({Column::kMeta, segment_head_key(at), std::nullopt});
  cleanup_.push_back({Column::kSymbols, symbols_key(at), std::nullopt});
}

Status Store::recover_receipts(ByteView key, ByteView value) {
  const OriginId origin = TRY(parse_receipt_head_key(key));
  const ReceiptHead head = TRY(parse_receipt_head(value));
  if (receipts_.count(origin) != 0) return fail(Errc::kInvalid, "the same receipt log twice");
  const uint64_t count = head.next - head.first;
  if (receipts_.size() >= limits_.origins_max || count > limits_.receipts_max - receipt_count_) {
    return fail(Errc::kLimit, "more receipts on disk than this node may hold");
  }
  receipts_[origin] = {head.first, head.next};
  receipt_count_ += count;
  ++report_.receipt_logs;
  return ok();
}

RecoveryReport Store::recovered(Outbox<Effect>& out) {
  CHECK_MSG(!running_, "recovered() is called once");
  running_ = true;
  for (auto it = objects_.begin(); it != objects_.end();) {
    const auto here = it++;
    if (alive(here->second)) {
      ++report_.objects;
      report_.segments += here->second.live_segments;
      account(here);
      continue;
    }
    // Without its object entry nobody knows whose the bytes are: they cannot be charged, so they cannot stay.
    for (const auto& [number, block] : here->second.blocks) {
      for (const Segment& segment : block.segments) {
        clean_up({here->first, number, segment.position});
        ++report_.orphans;
      }
    }
    segment_count_ -= here->second.segment_count;
    objects_.erase(here);
  }
  for (size_t i = 0; i < cleanup_.size(); i += kWritesPerBatchMax) {
    const auto first = cleanup_.begin() + ptrdiff_t(i);
    const auto last = cleanup_.begin() + ptrdiff_t(std::min(cleanup_.size(), i + kWritesPerBatchMax));
    submit(std::vector<Write>(std::make_move_iterator(first), std::make_move_iterator(last)), {}, out);
  }
  cleanup_ = {};
  return report_;
}

}  // namespace selvedge::store
