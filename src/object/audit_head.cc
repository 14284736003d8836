#include "object/audit_head.h"

#include <algorithm>

#include "codec/multibase.h"

namespace selvedge::object {
namespace {

constexpr std::string_view kAuditPrefix = "selvedge/";

}  // namespace

std::string audit_name(const PublicKey& node) { return std::string(kAuditPrefix) + codec::key_text(node); }

std::optional<PublicKey> audit_name_key(std::string_view name) {
  if (!name.starts_with(kAuditPrefix)) return std::nullopt;
  const Result<PublicKey> key = codec::parse_key(name.substr(kAuditPrefix.size()));
  return key.ok() ? std::optional<PublicKey>(*key) : std::nullopt;
}

codec::NoteKey audit_log_key(const PublicKey& node) { return {audit_name(node), codec::NoteKeyType::kEd25519, node}; }
codec::NoteKey audit_witness_key(const PublicKey& node) { return {audit_name(node), codec::NoteKeyType::kCosignature, node}; }

Status AuditHead::validate() const {
  if (owner.is_zero() || node.is_zero()) return fail(Errc::kInvalid, "an audit head names a node and its owner");
  if (quorum > kAuditQuorumMax) return fail(Errc::kLimit, "an audit head asks for at most " + std::to_string(kAuditQuorumMax) + " cosigners");
  if (note.size() > kAuditNoteSizeMax) return fail(Errc::kLimit, "the note of an audit head is too large");
  const Checkpoint checkpoint = TRY(parse_checkpoint(TRY(codec::parse_note(note)).text));
  if (checkpoint.origin != audit_name(node) || checkpoint.size != size || checkpoint.root != root) {
    return fail(Errc::kInvalid, "an audit head says something else than its checkpoint");
  }
  return ok();
}

Result<std::vector<AuditCosigner>> audit_cosigners(std::string_view note_bytes, const PublicKey& node, const crypto::Verifier& verifier) {
  const codec::SignedNote note = TRY(codec::parse_note(note_bytes));
  const codec::NoteKey log = audit_log_key(node);
  TRY(codec::verify_note(note, {&log, 1}, verifier));
  std::vector<codec::NoteKey> keys;
  for (const codec::NoteSignature& each : note.signatures) {
    const std::optional<PublicKey> key = audit_name_key(each.name);
    if (!key || *key == node) continue;
    const codec::NoteKey witness = audit_witness_key(*key);
    if (each.key_id == witness.id()) keys.push_back(witness);
  }
  std::sort(keys.begin(), keys.end(), [](const codec::NoteKey& a, const codec::NoteKey& b) { return a.key < b.key; });
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::vector<AuditCosigner> cosigners;
  if (keys.empty()) return cosigners;
  for (const codec::NoteSigner& signer : TRY(codec::verify_note(note, keys, verifier))) cosigners.push_back({keys[signer.key].key, signer.time});
  return cosigners;
}

Result<std::vector<AuditCosigner>> check_audit_head(const AuditHead& head, std::span<const PublicKey> members, uint32_t quorum_min,
                                                    const crypto::Verifier& verifier) {
  std::vector<AuditCosigner> cosigners = TRY(audit_cosigners(head.note, head.node, verifier));
  std::erase_if(cosigners, [&](const AuditCosigner& each) { return !std::binary_search(members.begin(), members.end(), each.node); });
  const uint32_t needed = std::max(head.quorum, quorum_min);
  if (cosigners.size() < needed) {
    return fail(Errc::kUnavailable, "only " + std::to_string(cosigners.size()) + " of the " + std::to_string(needed) + " witnesses that are needed cosigned");
  }
  return cosigners;
}

}  // namespace selvedge::object
