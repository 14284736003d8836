// Pages, and several writes as one.
#include "store/layout.h"
#include "store/store.h"

namespace selvedge::store {

// --- Pages.

Result<Accepted> Store::put_page(const PageKey& key, Bytes page, uint64_t cookie, Outbox<Effect>& out) {
  if (page.size() > kPageBytesMax) {
    return fail(Errc::kLimit, "a page of " + std::to_string(page.size()) + " bytes is over the limit of " + std::to_string(kPageBytesMax));
  }
  TRY(room_for(1, page.size()));
  std::vector<Write> writes;
  writes.push_back({Column::kReceipts, page_key(key), std::move(page)});
  return wait_for({submit(std::move(writes), {}, out)}, cookie);
}

Status Store::read_pages(std::span<const PageKey> keys, uint64_t cookie, Outbox<Effect>& out) {
  if (keys.empty() || keys.size() > kPagesPerReadMax) return fail(Errc::kLimit, "one read takes 1 to " + std::to_string(kPagesPerReadMax) + " pages");
  if (reads_.size() >= limits_.reads_in_flight_max) return fail(Errc::kLimit, "the disk is behind with reads; try again");
  const uint64_t token = ++last_token_;
  DiskRead read{token, Column::kReceipts, {}};
  for (const PageKey& key : keys) read.keys.push_back(page_key(key));
  PendingRead pending;
  pending.kind = ReadKind::kPages;
  pending.cookie = cookie;
  pending.count = keys.size();
  reads_.emplace(token, std::move(pending));
  out.push(std::move(read));
  return ok();
}

// --- One write of several.

void Store::begin_batch() {
  CHECK_MSG(batch_token_ == 0, "a batch is open already");
  CHECK_MSG(running_, "recovered() comes first");
  batch_token_ = ++last_token_;
  pending_.emplace(batch_token_, Pending{});
}

void Store::end_batch(Outbox<Effect>& out) {
  CHECK_MSG(batch_token_ != 0, "no batch is open");
  const uint64_t token = std::exchange(batch_token_, 0);
  if (batch_.empty()) pending_.erase(token);
  else out.push(DiskWrite{token, std::exchange(batch_, {})});
}

uint64_t Store::add_to_batch(std::vector<Write> writes, std::vector<Change> changes) {
  Pending& pending = pending_.at(batch_token_);
  for (Change& change : changes) {
    // What is dropped or held is settled change by change, which counts on one change of an object in a write.
    CHECK(std::holds_alternative<RecordChange>(change) || std::holds_alternative<ReceiptAppend>(change) || std::holds_alternative<ReceiptTrim>(change));
    pending.changes.push_back(std::move(change));
  }
  for (Write& write : writes) {
    const uint64_t bytes = write.key.size() + (write.value ? write.value->size() : 0);
    pending.bytes += bytes;
    in_flight_bytes_ += bytes;
    batch_.push_back(std::move(write));
  }
  return batch_token_;
}

}  // namespace selvedge::store
