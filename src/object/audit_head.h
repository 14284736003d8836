// AuditHead: what a node's audit log is at one moment, with the signatures of those who watch it.
//
// The log's checkpoint is a C2SP signed note (tlog.h): the node signs it, and each witness that found it to go on from what it saw before
// adds a cosignature. The note is what other tools read; AuditHead is the object around it that says whose log it is and under which policy
// the quorum was counted. Names in the note are "selvedge/<key>", so that the key a name stands for needs no directory; that such a
// key belongs to somebody who counts is for check_audit_head() and its list of members.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "object/envelope.h"
#include "object/tlog.h"

namespace selvedge::object {

inline constexpr size_t kAuditNoteSizeMax = 64u << 10;
inline constexpr uint32_t kAuditQuorumMax = uint32_t(codec::kNoteSignaturesMax) - 1;

/// "selvedge/<the node's key in z-base-32>": the name of its log, and of the node as a witness.
std::string audit_name(const PublicKey& node);
/// The key in such a name.
std::optional<PublicKey> audit_name_key(std::string_view name);
codec::NoteKey audit_log_key(const PublicKey& node);
codec::NoteKey audit_witness_key(const PublicKey& node);

struct AuditHead {
  static constexpr std::string_view kName = "AuditHead";
  static constexpr uint16_t kVersion = 1;
  PublicKey owner;
  PublicKey node;              // whose log it is
  ZoneId zone;                 // whose policy says how many cosigners it takes
  uint64_t policy_serial = 0;  // of that policy; the policy itself is an entry of the log
  uint32_t quorum = 0;
  uint64_t size = 0;
  Digest root;
  std::string note;            // the checkpoint with its signatures
  uint64_t issued = 0;

  template <class V>
  void visit(V& v) {
    v("owner", owner);
    v("node", node);
    v("zone", zone);
    v("policy_serial", policy_serial);
    v("quorum", quorum);
    v("size", size);
    v("root", root);
    v("note", note);
    v("issued", issued);
  }
  const PublicKey& author() const { return node; }
  Status validate() const;
};

struct AuditCosigner {
  PublicKey node;
  uint64_t time = 0;  // Unix seconds, by the witness's clock
  bool operator==(const AuditCosigner&) const = default;
};

/// Who cosigned `note`, the checkpoint of the log of `node`: distinct keys in order, whoever they belong to, without the log's own.
/// Errors: kInvalid, kNonCanonical, kIntegrity (a signature does not hold), kUnauthorized (the log itself did not sign).
Result<std::vector<AuditCosigner>> audit_cosigners(std::string_view note, const PublicKey& node, const crypto::Verifier& verifier);

/// Whether at least `head.quorum` of `members` (sorted node keys), and at least `quorum_min`, cosigned; who they are.
/// Errors: as audit_cosigners, and kUnavailable (too few).
Result<std::vector<AuditCosigner>> check_audit_head(const AuditHead& head, std::span<const PublicKey> members, uint32_t quorum_min,
                                                    const crypto::Verifier& verifier);

}  // namespace selvedge::object
