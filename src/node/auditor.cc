#include "node/auditor.h"

#include <algorithm>

#include "codec/multibase.h"

namespace selvedge::node {

namespace {

using object::AuditKind;
using object::WitnessStatus;

constexpr std::string_view kCosign = "audit.cosign";  // what an issuer set must cover for its members to be witnesses

Bytes head_id() { return Bytes(store::RecordId::kSize); }
Bytes complete_id() {
  Bytes id(store::RecordId::kSize);
  id.back() = 1;
  return id;
}

}  // namespace

Auditor::Auditor(Core& core) : core_(core), log_(core) {
  core_.on_audit = [this](Turn& turn, object::AuditEntry entry) { log_.append(turn, std::move(entry)); };
  core_.on_after_audit = [this](Turn& turn, Core::OnStatus then) { log_.when_durable(turn, std::move(then)); };
  log_.on_grown = [this](Turn& turn) { make_head(turn); };
}

// ---- start

Status Auditor::start(Turn& turn) {
  TRY(log_.restore(turn));
  TRY(restore_head(turn));
  if (log_.size() == 0 && log_.open() == 0 && stopped_.empty()) {
    core_.audit(turn, {AuditKind::kNode, {}, "the log of this node begins", AuditBytes::kWithin}, core_.record.bytes);
  }
  return ok();
}

Status Auditor::restore_head(Turn& turn) {
  if (const Bytes* bytes = core_.find_record(Record::kAuditHead, complete_id())) {
    const auto complete = object::open_object<object::AuditHead>(*bytes, core_.authority.verifier());
    if (complete.ok() && complete->body.node == core_.self()) complete_size_ = complete->body.size;
  }
  const Bytes* bytes = core_.find_record(Record::kAuditHead, head_id());
  if (bytes == nullptr) return ok();
  const Error damaged = fail(Errc::kIntegrity, "the checkpoint of the audit log on this disk is damaged");
  Result<codec::SignedNote> note = codec::parse_note(to_string(*bytes));
  if (!note.ok()) return damaged;
  Result<object::Checkpoint> checkpoint = object::parse_checkpoint(note->text);
  const std::optional<NodeKey> signer = checkpoint.ok() ? object::audit_name_key(checkpoint->origin) : std::nullopt;
  if (!signer) return damaged;
  const auto cosigners = object::audit_cosigners(to_string(*bytes), *signer, core_.authority.verifier());
  if (!cosigners.ok()) return damaged;
  head_ = Head{std::move(checkpoint).value(), std::move(note).value(), {}, turn.now};
  for (const object::AuditCosigner& each : *cosigners) head_->cosigners[each.node] = each.time;
  check_restored_head(turn);
  if (*signer != core_.self()) go_on_under_new_key(turn, *signer, *bytes);
  return ok();
}

// A log is named by its node's key, so with another key it is another log, for witnesses too; its tree begins with all of the old one, and the
// last checkpoint under the old key lies in it.
void Auditor::go_on_under_new_key(Turn& turn, const NodeKey& old_key, const Bytes& last_note) {
  head_.reset();
  complete_size_ = 0;
  core_.audit(turn, {AuditKind::kKey, convert<crypto::Digest>(core_.self()), "the log of " + codec::key_text(old_key) + " goes on under this node's new key", AuditBytes::kWithin},
              last_note);
}

// What this node signed must be what is on its disk. If it is not, the disk lost something, and a new checkpoint would contradict the old one.
void Auditor::check_restored_head(Turn& turn) {
  const uint64_t size = head_->checkpoint.size;
  const std::string lost = "the audit log on this disk is not the one that this node signed at size " + std::to_string(size);
  if (size > log_.size()) return stop_log(turn, lost + ": " + std::to_string(size - log_.size()) + " entries are gone");
  const Result<object::ProofPlan> plan = object::plan_root(size);
  if (!plan.ok()) return;  // an empty log
  log_.prove(turn, *plan, [this, lost, root = head_->checkpoint.root](Turn& t, Result<std::vector<object::Digest>> hashes) {
    if (!hashes.ok()) stop_log(t, lost + ": " + hashes.error().message);
    else if (hashes->front() != root) stop_log(t, lost);
  });
}

void Auditor::stop_log(Turn& turn, std::string why) {
  if (!stopped_.empty()) return;
  stopped_ = std::move(why);
  core_.trace(turn, "ALERT: " + stopped_ + "; it signs no more checkpoints");
  core_.audit(turn, {AuditKind::kWitness, {}, stopped_, AuditBytes::kWithin}, view(stopped_));
}

// ---- checkpoints

void Auditor::make_head(Turn& turn) {
  if (turn.now < head_not_before_) return;
  // The witnesses of the last one are given time, so that heads are completed and not overtaken.
  if (!asking()) head_now(turn);
}

bool Auditor::head_now(Turn& turn) {
  if (!stopped_.empty()) return false;
  if (log_.size() == 0 || (head_ && head_->checkpoint.size == log_.size())) return true;
  const std::string name = object::audit_name(core_.self());
  Head head;
  head.checkpoint = {name, log_.size(), log_.root(), {}};
  head.note.text = object::checkpoint_text(head.checkpoint);
  head.note.signatures.push_back(codec::sign_note(*core_.config.node, name, head.note.text));
  head.made = turn.now;
  head_ = std::move(head);
  head_not_before_ = turn.now + kAuditHeadPause;
  for (auto& [key, witness] : witnesses_) witness.asks = 0;
  keep_head(turn);
  complete_head(turn);
  ask_all(turn);
  return true;
}

void Auditor::keep_head(Turn& turn) {
  core_.put_record(turn, Record::kAuditHead, head_id(), to_bytes(view(codec::note_text(head_->note))), [](Turn&, const Status&) {});
}

void Auditor::complete_head(Turn& turn) {
  const uint32_t needed = quorum();
  const size_t counted = size_t(std::count_if(head_->cosigners.begin(), head_->cosigners.end(), [this](const auto& c) { return counts_as_witness(c.first); }));
  if (counted < needed) return;
  object::AuditHead body;
  body.owner = core_.owner();
  body.node = core_.self();
  body.zone = core_.zone();
  body.policy_serial = policy() == nullptr ? 0 : policy()->body.serial;
  body.quorum = needed;
  body.size = head_->checkpoint.size;
  body.root = head_->checkpoint.root;
  body.note = codec::note_text(head_->note);
  body.issued = turn.now.unix_seconds();
  const Result<object::Signed<object::AuditHead>> made = object::sign_object(*core_.config.node, body);
  if (!made.ok()) return core_.trace(turn, "an audit head was not made: " + made.error().message);
  complete_size_ = body.size;
  core_.put_record(turn, Record::kAuditHead, complete_id(), made->bytes, [](Turn&, const Status&) {});
}

// ---- asking witnesses

// Whether `zone_owner`'s policy names this node, or its owner, as somebody who watches audit logs.
bool Auditor::names_in_policy(const crypto::PublicKey& zone_owner, const NodeKey& node, const crypto::PublicKey& owner) const {
  const object::Signed<object::ZonePolicy>* found = core_.authority.policy(object::zone_id(zone_owner, kZoneName));
  if (found == nullptr) return false;
  for (const object::IssuerSet& set : found->body.issuers) {
    if (object::first_match(set.operations, kCosign) == nullptr) continue;
    const auto& keys = set.issuers;
    if (std::binary_search(keys.begin(), keys.end(), node) || std::binary_search(keys.begin(), keys.end(), owner)) return true;
  }
  return false;
}

bool Auditor::counts_as_witness(const NodeKey& node) const {
  const mesh::Peer* peer = core_.sessions.find(node);
  if (node == core_.self() || peer == nullptr || !peer->record) return false;
  return peer->record->body.owner == core_.owner() || names_in_policy(core_.owner(), node, peer->record->body.owner);
}

void Auditor::on_peer_up(Turn& turn, const NodeKey& peer) {
  if (!counts_as_witness(peer)) return;
  // Asked also when it has cosigned already: this store may be an older copy. What a witness has seen is at most what was signed before, all of which is on disk: so the checkpoint it is asked about covers that.
  head_now(turn);
  witnesses_[peer] = {};
  if (head_ && stopped_.empty()) ask(turn, peer);
}

void Auditor::on_peer_down(Turn& turn, const NodeKey& peer) {
  if (witnesses_.erase(peer) == 0) return;
  make_head(turn);
  settle_heads(turn);
}

void Auditor::ask_all(Turn& turn) {
  std::vector<NodeKey> peers;
  for (const auto& [key, witness] : witnesses_) peers.push_back(key);
  for (const NodeKey& peer : peers) ask(turn, peer);
}

void Auditor::ask(Turn& turn, const NodeKey& peer) {
  Witness& witness = witnesses_.at(peer);
  const object::Checkpoint& checkpoint = head_->checkpoint;
  if (witness.refused || witness.asks >= kAuditAsksMax) return;
  const Result<object::ProofPlan> plan = object::plan_consistency(witness.last_size, checkpoint.size);
  if (!plan.ok()) return;
  ++witness.asks;
  witness.request = ++last_request_;
  witness.asked_size = checkpoint.size;
  witness.asked_until = turn.now + kAuditWitnessPatience;
  const std::string note = codec::note_text({head_->note.text, {head_->note.signatures.front()}});
  log_.prove(turn, *plan, [this, peer, note, request = witness.request, old_size = witness.last_size](Turn& t, Result<std::vector<object::Digest>> proof) {
    if (!proof.ok()) return core_.trace(t, "audit log: no consistency proof: " + proof.error().message);
    core_.send(t, peer, AuditMessages::encode(AddCheckpointAsk{request, object::add_checkpoint_text({old_size, std::move(proof).value(), note})}));
  });
}

void Auditor::on_answer(Turn& turn, const NodeKey& from, const AddCheckpointAnswer& answer) {
  const auto it = witnesses_.find(from);
  if (it == witnesses_.end() || !head_ || it->second.asked_until == Instant::never() || it->second.request != answer.request) return;
  Witness& witness = it->second;
  witness.asked_until = Instant::never();
  const WitnessStatus status = WitnessStatus(answer.status);
  if (status == WitnessStatus::kOk) {
    witness.last_size = witness.asked_size;
    if (witness.asked_size == head_->checkpoint.size) on_cosigned(turn, from, answer.body);
  } else if (status == WitnessStatus::kConflict) {
    const Result<uint64_t> last = object::parse_size_line(answer.body);
    if (!last.ok()) witness.refused = true;
    else if (*last > witness.asked_size) stop_log(turn, "witness " + from.brief() + " has seen this log with " + std::to_string(*last) + " entries, and it had " +
                                                     std::to_string(witness.asked_size) + ": this store was rolled back");
    else if (*last == witness.last_size) stop_log(turn, "witness " + from.brief() + " has seen another log of this node at size " + std::to_string(*last));
    else witness.last_size = *last;
    if (stopped_.empty()) ask(turn, from);
  } else if (status == WitnessStatus::kUnprocessable) {
    stop_log(turn, "witness " + from.brief() + " finds that this log does not go on from size " + std::to_string(witness.last_size));
  } else {
    witness.refused = true;
    core_.trace(turn, "node " + from.brief() + " does not cosign this log: status " + std::to_string(answer.status));
  }
  settle_heads(turn);
  make_head(turn);
}

void Auditor::on_cosigned(Turn& turn, const NodeKey& from, const std::string& lines) {
  const Result<std::vector<codec::NoteSignature>> signatures = codec::parse_signature_lines(lines);
  const codec::NoteKey key = object::audit_witness_key(from);
  const auto valid = !signatures.ok() ? Result<std::vector<codec::NoteSigner>>(signatures.error())
                                      : codec::verify_note({head_->note.text, *signatures}, {&key, 1}, core_.authority.verifier());
  if (!valid.ok()) {
    core_.trace(turn, "the cosignature of " + from.brief() + " was not taken: " + valid.error().message);
    return;
  }
  const auto own = std::find_if(signatures->begin(), signatures->end(), [&](const codec::NoteSignature& s) { return s.name == key.name && s.key_id == key.id(); });
  std::vector<codec::NoteSignature>& all = head_->note.signatures;
  std::erase_if(all, [&](const codec::NoteSignature& s) { return s.name == key.name && s.key_id == key.id(); });
  if (all.size() >= codec::kNoteSignaturesMax) return;
  all.push_back(*own);
  head_->cosigners[from] = valid->front().time;
  keep_head(turn);
  if (complete_size_ < head_->checkpoint.size) complete_head(turn);
}

Result<std::string> Auditor::height() const {
  if (!stopped_.empty()) return fail(Errc::kUnavailable, stopped_);
  return std::to_string(log_.size()) + " " + log_.root().hex();
}

// ---- messages and time

void Auditor::on_message(Turn& turn, const NodeKey& from, const AuditMessages::Message& message) {
  if (const auto* asked = std::get_if<AddCheckpointAsk>(&message)) on_ask(turn, from, *asked);
  else if (const auto* answer = std::get_if<AddCheckpointAnswer>(&message)) on_answer(turn, from, *answer);
}

void Auditor::on_deadline(Turn& turn) {
  log_.on_deadline(turn);
  for (auto& [key, witness] : witnesses_) {
    if (witness.asked_until > turn.now || witness.asked_until == Instant::never()) continue;
    witness.asked_until = Instant::never();
    core_.trace(turn, "witness " + key.brief() + " did not answer");
  }
  settle_heads(turn);
  make_head(turn);
}

Instant Auditor::next_deadline() const {
  Instant soonest = log_.next_deadline();
  if (!head_waiters_.empty()) soonest = std::min(soonest, head_waiters_.front().until);
  for (const auto& [key, witness] : witnesses_) soonest = std::min(soonest, witness.asked_until);
  const bool due = stopped_.empty() && log_.size() > 0 && (!head_ || head_->checkpoint.size != log_.size());
  return due && !asking() ? std::min(soonest, head_not_before_) : soonest;
}

}  // namespace selvedge::node
