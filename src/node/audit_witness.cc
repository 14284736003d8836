// The auditor as a witness: which checkpoints of others' logs it cosigns, and what it keeps of those that lie.
#include "crypto/hash.h"
#include "node/audit_evidence.h"
#include "node/auditor.h"

namespace selvedge::node {

using object::WitnessStatus;

void Auditor::answer_ask(Turn& turn, const NodeKey& to, uint64_t request, WitnessStatus status, std::string body) {
  core_.send(turn, to, AuditMessages::encode(AddCheckpointAnswer{request, uint16_t(status), std::move(body)}));
}

// Only a log's own node brings its checkpoints, so a smaller or another tree is the log's doing and not that of somebody who replays.
void Auditor::on_ask(Turn& turn, const NodeKey& from, const AddCheckpointAsk& ask) {
  const Result<object::AddCheckpoint> request = object::parse_add_checkpoint(ask.body);
  if (!request.ok()) return answer_ask(turn, from, ask.request, WitnessStatus::kBadRequest, "");
  const mesh::Peer* peer = core_.sessions.find(from);
  const bool willing = peer != nullptr && peer->record &&
                       (peer->record->body.owner == core_.owner() || names_in_policy(peer->record->body.owner, core_.self(), core_.owner()));
  WitnessedRecord last;
  if (const Bytes* bytes = core_.find_record(Record::kAuditWitnessed, from)) {
    Result<WitnessedRecord> known = codec::decode<WitnessedRecord>(*bytes);
    // A witness that cannot read what it cosigned must not begin anew: it would cosign what it has contradicted.
    if (!known.ok()) return answer_ask(turn, from, ask.request, WitnessStatus::kUnknownOrigin, "");
    last = std::move(known).value();
  } else if (core_.records(Record::kAuditWitnessed).size() >= kAuditWitnessedMax) {
    return answer_ask(turn, from, ask.request, WitnessStatus::kUnknownOrigin, "");
  }
  const codec::NoteKey key = object::audit_log_key(from);
  const std::span<const codec::NoteKey> keys = willing ? std::span(&key, 1) : std::span<const codec::NoteKey>();
  const object::WitnessVerdict verdict = object::judge_checkpoint(*request, keys, {last.size, last.root}, core_.authority.verifier());
  const object::Checkpoint& head = verdict.checkpoint;
  if (!head.origin.empty() && head.origin != key.name) return answer_ask(turn, from, ask.request, WitnessStatus::kUnknownOrigin, "");
  if (verdict.status == WitnessStatus::kOk) return cosign(turn, from, ask.request, verdict, request->checkpoint);
  const bool signed_by_log = verdict.status == WitnessStatus::kConflict || verdict.status == WitnessStatus::kUnprocessable;
  if (signed_by_log && last.size > 0) {
    std::string why;
    if (verdict.equivocation) why = "two different logs of " + std::to_string(head.size) + " entries";
    else if (head.size < last.size) why = "it had " + std::to_string(last.size) + " entries and now has " + std::to_string(head.size);
    else if (verdict.status == WitnessStatus::kUnprocessable) why = "its " + std::to_string(head.size) + " entries do not begin with the " + std::to_string(last.size) + " it had";
    if (!why.empty()) keep_evidence(turn, from, std::move(why), last.note, ask.body);
  }
  answer_ask(turn, from, ask.request, verdict.status, verdict.status == WitnessStatus::kConflict ? object::size_line(last.size) : "");
}

// Written down first: a crash between the two leaves a tree that is known here and not cosigned, never the reverse. The store shows the new
// record at once, so that the next request is judged against it.
void Auditor::cosign(Turn& turn, const NodeKey& log, uint64_t request, const object::WitnessVerdict& verdict, const std::string& note) {
  const WitnessedRecord witnessed{verdict.checkpoint.size, verdict.checkpoint.root, note};
  core_.put_record(turn, Record::kAuditWitnessed, log, codec::encode(witnessed),
                   [this, log, request, text = verdict.text](Turn& t, const Status& kept) {
                     if (!kept.ok()) return core_.trace(t, "nothing was cosigned for " + log.brief() + ": " + kept.error().message);
                     const std::string name = object::audit_name(core_.self());
                     answer_ask(t, log, request, WitnessStatus::kOk,
                                codec::signature_lines({codec::cosign_note(*core_.config.node, name, t.now.unix_seconds(), text)}));
                   });
}

void Auditor::keep_evidence(Turn& turn, const NodeKey& log, std::string why, const std::string& first, const std::string& second) {
  const crypto::Digest id = crypto::Sha256().update(log).update(view(first)).update(view(second)).finish();
  if (core_.find_record(Record::kAuditEvidence, id) != nullptr) return;
  core_.trace(turn, "ALERT: the audit log of node " + log.brief() + " contradicts itself: " + why);
  // The first contradictions are proof enough; a log that goes on lying must not fill the disk of those who watch it.
  if (core_.records(Record::kAuditEvidence).size() >= kAuditEvidenceMax) return;
  const AuditNote note{object::AuditKind::kWitness, id, "the audit log of node " + log.brief() + ": " + why, AuditBytes::kElsewhere};
  core_.put_audited(turn, Record::kAuditEvidence, id, codec::encode(EvidenceRecord{log, turn.now.unix_seconds(), std::move(why), first, second}), note,
                    [](Turn&, const Status&) {});
}

}  // namespace selvedge::node
