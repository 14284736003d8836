// What happens here and its line in the audit log, as one write.
#include <algorithm>

#include "codec/cbor.h"
#include "crypto/hash.h"
#include "node/core.h"

namespace selvedge::node {

namespace {

// A detail may quote what a person or a peer wrote; in the log it is one line of plain UTF-8.
std::string one_line(std::string text) {
  if (text.size() > object::kAuditDetailSizeMax) text.resize(object::kAuditDetailSizeMax);
  while (!text.empty() && !codec::is_utf8(text)) text.pop_back();
  std::replace_if(text.begin(), text.end(), [](char c) { return uint8_t(c) < 0x20; }, ' ');
  return text;
}

}  // namespace

void Core::audit(Turn& turn, AuditNote note, ByteView bytes) {
  if (!on_audit) return;
  object::AuditEntry entry;
  entry.kind = note.kind;
  entry.detail = one_line(std::move(note.detail));
  entry.digest = crypto::sha256(bytes);
  entry.subject = note.subject.is_zero() ? entry.digest : note.subject;
  if (note.bytes == AuditBytes::kWithin && bytes.size() <= object::kAuditBytesMax) entry.bytes = to_bytes(bytes);
  on_audit(turn, std::move(entry));
}

void Core::after_audit(Turn& turn, OnStatus then) {
  if (on_after_audit) on_after_audit(turn, std::move(then));
  else then(turn, ok());
}

void Core::put_audited(Turn& turn, Record kind, ByteView id, Bytes value, AuditNote note, OnStatus then) {
  const uint64_t cookie = expect_stored(std::move(then));
  const Bytes bytes = value;
  Outbox<store::Effect> disk;
  store.begin_batch();
  const Result<store::Accepted> put =
      store.put_record(store::RecordKind(kind), *store::RecordId::from(id), std::move(value), cookie, disk);
  if (put.ok() && *put == store::Accepted::kPending) audit(turn, std::move(note), bytes);
  store.end_batch(disk);
  route_disk(turn, disk);
  if (!put.ok()) settle_now(turn, cookie, put.error());
  else if (*put == store::Accepted::kDurable) settle_now(turn, cookie, ok());
}

void Core::erase_audited(Turn& turn, Record kind, ByteView id, AuditNote note, OnStatus then) {
  const uint64_t cookie = expect_stored(std::move(then));
  Outbox<store::Effect> disk;
  store.begin_batch();
  const Result<store::Accepted> erased = store.erase_record(store::RecordKind(kind), *store::RecordId::from(id), cookie, disk);
  if (erased.ok() && *erased == store::Accepted::kPending) audit(turn, std::move(note), {});
  store.end_batch(disk);
  route_disk(turn, disk);
  if (!erased.ok()) settle_now(turn, cookie, erased.error());
  else if (*erased == store::Accepted::kDurable) settle_now(turn, cookie, ok());
}

void Core::keep_receipt(Turn& turn, const crypto::PublicKey& origin, Bytes receipt, AuditNote note, OnStatus then) {
  const uint64_t cookie = expect_stored(std::move(then));
  const Bytes bytes = receipt;
  Outbox<store::Effect> disk;
  store.begin_batch();
  const Result<uint64_t> sequence = store.append_receipt(convert<store::OriginId>(origin), std::move(receipt), cookie, disk);
  if (sequence.ok()) audit(turn, std::move(note), bytes);
  store.end_batch(disk);
  route_disk(turn, disk);
  if (!sequence.ok()) settle_now(turn, cookie, sequence.error());
}

}  // namespace selvedge::node
