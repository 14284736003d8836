// The kinds of audit logs, for docs/spec/vectors/objects.json. Trees, proofs and notes have their own example in docs/spec/audit.md.
#include "object/audit_entry.h"
#include "object/audit_head.h"
#include "object/vectors/cast.h"

namespace selvedge::object::vectors {

void add_audit(Cast& c) {
  using testing::kNow;
  const Bytes what = to_bytes(view("the object it is about"));
  AuditEntry entry{AuditKind::kRevocation, kNow * 1000 + 7, crypto::sha256(view("its id")), "made: device", crypto::sha256(what), what};
  c.add_unsigned(entry);
  entry.bytes.reset();
  c.add_unsigned(entry);

  const crypto::Signer& node = c.w.stranger;
  const std::string name = audit_name(node.public_key());
  AuditHead head;
  head.owner = c.w.origin.public_key();
  head.node = node.public_key();
  head.zone = zone_id(head.owner, "private");
  head.policy_serial = 3;
  head.quorum = 1;
  head.size = 1;
  head.root = merkle_leaf(unsigned_bytes(entry));
  head.issued = kNow;
  const std::string text = checkpoint_text({name, head.size, head.root, {}});
  const crypto::Signer& witness = c.w.host_owner;
  head.note = codec::note_text({text, {codec::sign_note(node, name, text), codec::cosign_note(witness, audit_name(witness.public_key()), kNow, text)}});
  c.add(node, "stranger", head);
  const auto bad = [&](const char* why, void (*bend)(AuditHead&)) { c.refuse<AuditHead>(node, head, why, bend); };
  bad("another size than its checkpoint", [](AuditHead& h) { ++h.size; });
  bad("another root than its checkpoint", [](AuditHead& h) { h.root.bytes[0] ^= 1; });
  bad("asks for more cosigners than a note holds", [](AuditHead& h) { h.quorum = kAuditQuorumMax + 1; });
  bad("a checkpoint of another log", [](AuditHead& h) { h.note[h.note.find('/') + 1] = h.note[h.note.find('/') + 1] == 'y' ? 'b' : 'y'; });
}

}  // namespace selvedge::object::vectors
