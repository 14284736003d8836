#include "store/store.h"

#include <algorithm>

#include "store/layout.h"

namespace selvedge::store {
namespace {

uint64_t size_of(const std::vector<Write>& writes) {
  uint64_t bytes = 0;
  for (const Write& write : writes) bytes += write.key.size() + (write.value ? write.value->size() : 0);
  return bytes;
}

}  // namespace

Store::Store(const Limits& limits) : limits_(limits) { total_.bytes_max = limits.bytes_max; }

// --- Writes in flight.

Status Store::room_for(size_t batches, uint64_t bytes) const {
  CHECK_MSG(running_, "recovered() comes first");
  if (pending_.size() + batches > limits_.in_flight_max || waiters_.size() >= limits_.waiters_max ||
      (in_flight_bytes_ != 0 && in_flight_bytes_ + bytes > limits_.in_flight_bytes_max)) {
    return fail(Errc::kLimit, "the disk is behind with " + std::to_string(pending_.size()) + " writes of " +
                                  std::to_string(in_flight_bytes_ >> 10) + " KiB; try again when they are done");
  }
  return ok();
}

uint64_t Store::submit(std::vector<Write> writes, std::vector<Change> changes, Outbox<Effect>& out) {
  if (batch_token_ != 0) return add_to_batch(std::move(writes), std::move(changes));
  const uint64_t token = ++last_token_;
  Pending pending;
  pending.bytes = size_of(writes);
  pending.changes = std::move(changes);
  in_flight_bytes_ += pending.bytes;
  pending_.emplace(token, std::move(pending));
  out.push(DiskWrite{token, std::move(writes)});
  return token;
}

Accepted Store::wait_for(const std::set<uint64_t>& tokens, uint64_t cookie) {
  if (tokens.empty()) return Accepted::kDurable;
  const uint64_t id = ++last_waiter_;
  waiters_.emplace(id, Waiter{cookie, tokens.size(), ok()});
  for (const uint64_t token : tokens) {
    const auto it = pending_.find(token);
    CHECK(it != pending_.end());
    it->second.waiters.push_back(id);
  }
  return Accepted::kPending;
}

std::vector<Done> Store::on_persisted(uint64_t token) { return settle(token, Outcome::kPersisted, ok()); }

std::vector<Done> Store::on_write_failed(uint64_t token, const Error& error) {
  return settle(token, Outcome::kFailed, error);
}

std::vector<Done> Store::settle(uint64_t token, Outcome outcome, const Status& status) {
  auto node = pending_.extract(token);
  CHECK_MSG(!node.empty(), "the disk answers each write once");
  const Pending& pending = node.mapped();
  in_flight_bytes_ -= pending.bytes;
  write_failed_ = write_failed_ || outcome == Outcome::kFailed;
  for (const Change& change : pending.changes) settle_change(token, outcome, change);
  std::vector<Done> done;
  for (const uint64_t id : pending.waiters) {
    const auto it = waiters_.find(id);
    if (!status.ok()) it->second.status = status;
    if (--it->second.outstanding > 0) continue;
    done.push_back({it->second.cookie, it->second.status});
    waiters_.erase(it);
  }
  return done;
}

void Store::settle_change(uint64_t token, Outcome outcome, const Change& change) {
  const bool persisted = outcome == Outcome::kPersisted;
  if (const auto* record = std::get_if<RecordChange>(&change)) {
    const auto it = records_.find(record->key);
    if (it == records_.end()) return;  // overtaken by the answer to a later erasure
    const Bytes* before = it->second.current();
    records_bytes_ -= before ? before->size() : 0;
    persisted ? it->second.commit(token) : it->second.abort(token);
    const Bytes* after = it->second.current();
    records_bytes_ += after ? after->size() : 0;
    if (it->second.dead()) records_.erase(it);
  } else if (const auto* meta = std::get_if<MetaChange>(&change)) {
    const auto it = objects_.find(meta->object);
    if (it == objects_.end()) return;  // overtaken by the answer to a later drop
    persisted ? it->second.meta.commit(token) : it->second.meta.abort(token);
    account(it);
  } else if (const auto* put = std::get_if<SegmentPut>(&change)) {
    settle_segment_put(token, outcome, *put);
  } else if (const auto* drop = std::get_if<SegmentDrop>(&change)) {
    settle_segment_drop(token, outcome, *drop);
  } else if (const auto* receipt = std::get_if<ReceiptAppend>(&change)) {
    // A failed receipt in the middle leaves a hole, because those behind it have their numbers already.
    ReceiptLog& log = receipts_[receipt->origin];
    if (!persisted && log.next == receipt->sequence + 1) {
      --log.next;
      --receipt_count_;
      if (log.first == log.next && log.next == 0) receipts_.erase(receipt->origin);
    }
  } else if (const auto* trim = std::get_if<ReceiptTrim>(&change); trim && !persisted) {
    ReceiptLog& log = receipts_[trim->origin];
    if (trim->first_before < log.first) {
      receipt_count_ += log.first - trim->first_before;
      log.first = trim->first_before;
    }
  }
}

// --- Records.

Result<Accepted> Store::put_record(RecordKind kind, const RecordId& id, Bytes value, uint64_t cookie,
                                   Outbox<Effect>& out) {
  const RecordKey key{kind, id};
  if (value.size() > limits_.record_bytes_max) {
    return fail(Errc::kLimit, "a record of " + std::to_string(value.size()) + " bytes is over the limit of " +
                                  std::to_string(limits_.record_bytes_max));
  }
  auto it = records_.find(key);
  const Bytes* current = it == records_.end() ? nullptr : it->second.current();
  const uint64_t size_before = current ? current->size() : 0;
  if (it == records_.end() && records_.size() >= limits_.records_max) {
    return fail(Errc::kLimit, "this node holds " + std::to_string(records_.size()) + " records, as many as it may");
  }
  if (records_bytes_ - size_before + value.size() > limits_.records_bytes_max) {
    return fail(Errc::kLimit, "records on this node take " + std::to_string(records_bytes_ >> 10) +
                                  " KiB, as much as they may; erase some first");
  }
  std::vector<Write> writes{{Column::kRecords, record_key(kind, id), value}};
  TRY(room_for(1, size_of(writes)));
  if (current && *current == value) {
    if (it->second.certain()) return Accepted::kDurable;
    if (it->second.will_be_certain()) return wait_for({it->second.newest_token()}, cookie);
  }
  records_bytes_ = records_bytes_ - size_before + value.size();
  const uint64_t token = submit(std::move(writes), {RecordChange{key}}, out);
  records_[key].stage(token, std::move(value));
  return wait_for({token}, cookie);
}

Result<Accepted> Store::erase_record(RecordKind kind, const RecordId& id, uint64_t cookie, Outbox<Effect>& out) {
  const RecordKey key{kind, id};
  const auto it = records_.find(key);
  if (it == records_.end()) return Accepted::kDurable;
  std::vector<Write> writes{{Column::kRecords, record_key(kind, id), std::nullopt}};
  TRY(room_for(1, size_of(writes)));
  const Bytes* current = it->second.current();
  if (!current && it->second.will_be_certain()) return wait_for({it->second.newest_token()}, cookie);
  // With nothing current, a write that failed may still have reached the disk: the erasure makes sure.
  records_bytes_ -= current ? current->size() : 0;
  const uint64_t token = submit(std::move(writes), {RecordChange{key}}, out);
  it->second.stage(token, std::nullopt);
  return wait_for({token}, cookie);
}

const Bytes* Store::find_record(RecordKind kind, const RecordId& id) const {
  const auto it = records_.find({kind, id});
  return it == records_.end() ? nullptr : it->second.current();
}

std::vector<RecordRef> Store::records(RecordKind kind, const RecordId* after, size_t count_max) const {
  std::vector<RecordRef> found;
  auto it = after ? records_.upper_bound({kind, *after}) : records_.lower_bound({kind, RecordId{}});
  for (; it != records_.end() && it->first.kind == kind && found.size() < count_max; ++it) {
    if (const Bytes* value = it->second.current()) found.push_back({it->first.id, value});
  }
  return found;
}

// --- Receipts.

Result<uint64_t> Store::append_receipt(const OriginId& origin, Bytes receipt, uint64_t cookie, Outbox<Effect>& out) {
  if (receipt.size() > limits_.receipt_bytes_max) {
    return fail(Errc::kLimit, "a receipt of " + std::to_string(receipt.size()) + " bytes is over the limit of " +
                                  std::to_string(limits_.receipt_bytes_max));
  }
  const auto it = receipts_.find(origin);
  const ReceiptLog log = it == receipts_.end() ? ReceiptLog{} : it->second;
  if (receipt_count_ >= limits_.receipts_max || log.next == UINT64_MAX ||
      (it == receipts_.end() && receipts_.size() >= limits_.origins_max)) {
    return fail(Errc::kLimit, "this node keeps as many receipts as it may; archive and trim some first");
  }
  std::vector<Write> writes;
  writes.push_back({Column::kReceipts, receipt_key(origin, log.next), std::move(receipt)});
  writes.push_back({Column::kMeta, receipt_head_key(origin), build_receipt_head({log.first, log.next + 1})});
  TRY(room_for(1, size_of(writes)));
  receipts_[origin] = {log.first, log.next + 1};
  ++receipt_count_;
  const uint64_t token = submit(std::move(writes), {ReceiptAppend{origin, log.next}}, out);
  wait_for({token}, cookie);
  return log.next;
}

Result<size_t> Store::read_receipts(const OriginId& origin, uint64_t from, size_t count_max, uint64_t cookie,
                                    Outbox<Effect>& out) {
  const ReceiptRange range = receipts(origin);
  from = std::max(from, range.first);
  if (from >= range.next || count_max == 0) return size_t(0);
  if (reads_.size() >= limits_.reads_in_flight_max) return fail(Errc::kLimit, "the disk is behind with reads; try again");
  const size_t count = size_t(std::min<uint64_t>({range.next - from, count_max, kReceiptsPerReadMax}));
  const uint64_t token = ++last_token_;
  DiskRead read{token, Column::kReceipts, {}};
  for (size_t i = 0; i < count; ++i) read.keys.push_back(receipt_key(origin, from + i));
  PendingRead pending;
  pending.cookie = cookie;
  pending.origin = origin;
  pending.first_sequence = from;
  pending.count = count;
  pending.kind = ReadKind::kReceipts;
  reads_.emplace(token, std::move(pending));
  out.push(std::move(read));
  return count;
}

Result<uint64_t> Store::trim_receipts(const OriginId& origin, uint64_t before, uint64_t cookie, Outbox<Effect>& out) {
  const auto it = receipts_.find(origin);
  if (it == receipts_.end()) return fail(Errc::kNotFound, "no receipts are kept for origin " + origin.brief());
  ReceiptLog& log = it->second;
  before = std::min(before, log.next);
  if (before > log.first) before = log.first + std::min<uint64_t>(before - log.first, kWritesPerBatchMax);
  if (before <= log.first) return fail(Errc::kNotFound, "the receipts before " + std::to_string(before) + " are gone already");
  std::vector<Write> writes;
  for (uint64_t sequence = log.first; sequence < before; ++sequence) {
    writes.push_back({Column::kReceipts, receipt_key(origin, sequence), std::nullopt});
  }
  writes.push_back({Column::kMeta, receipt_head_key(origin), build_receipt_head({before, log.next})});
  TRY(room_for(1, size_of(writes)));
  const uint64_t token = submit(std::move(writes), {ReceiptTrim{origin, log.first}}, out);
  receipt_count_ -= before - log.first;
  log.first = before;
  wait_for({token}, cookie);
  return before;
}

Store::ReceiptRange Store::receipts(const OriginId& origin) const {
  const auto it = receipts_.find(origin);
  return it == receipts_.end() ? ReceiptRange{} : ReceiptRange{it->second.first, it->second.next};
}

std::vector<OriginId> Store::receipt_origins(const OriginId* after, size_t count_max) const {
  std::vector<OriginId> found;
  for (auto it = after ? receipts_.upper_bound(*after) : receipts_.begin(); it != receipts_.end(); ++it) {
    if (found.size() >= count_max) break;
    found.push_back(it->first);
  }
  return found;
}

}  // namespace selvedge::store
