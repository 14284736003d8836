// AuditEntry: one line of a node's audit log, which says that something was decided or done here.
//
// An entry is small: what kind of thing, when, which object, and the object's own bytes where they fit; of larger ones it holds the
// hash, so that whoever has them can show that they are meant. Entries are the leaves of the node's Merkle tree (merkle.h), so an entry is
// what makes a grant or a revocation provable to others. Nobody signs one by itself: the log's checkpoint covers all of them.
#pragma once

#include <optional>
#include <string>

#include "object/envelope.h"

namespace selvedge::object {

/// Objects up to this size are in their entry whole.
inline constexpr size_t kAuditBytesMax = 4096;
inline constexpr size_t kAuditDetailSizeMax = 255;

/// What an entry is about. The numbers are in every log: never reuse one.
enum class AuditKind : uint8_t {
  kNode = 0,        // this log begins, or its node started with another version
  kGrant = 1,       // a grant was given
  kCapability = 2,  // a capability was issued or delegated
  kRevocation = 3,  // a revocation was made, or one of this owner's came from another node
  kLease = 4,       // a lease is active, paused, resumed, revoked, expired
  kReceipt = 5,     // a task was run here
  kPolicy = 6,      // a zone has a new policy
  kPermission = 7,  // a question was answered, an answer withdrawn
  kZoneEpoch = 8,   // a zone has a new key
  kSecret = 9,      // a share was released, refreshed or used
  kDevice = 10,     // a device of this owner came, was lost or was replaced
  kKey = 11,        // a node's key took the place of another
  kBundle = 12,     // the first task of a bundle under a lease was taken
  kWitness = 13,    // another log contradicted itself, or a witness contradicts this one
  kGap = 14,        // entries that this log could not take
  kLast = kGap,
};
const char* enum_name(AuditKind kind);

struct AuditEntry {
  static constexpr std::string_view kName = "AuditEntry";
  static constexpr uint16_t kVersion = 1;
  AuditKind kind = AuditKind::kNode;
  uint64_t time_ms = 0;         // Unix time at this node
  Digest subject;               // the id of the object it is about; of what is no object, the SHA-256
  std::string detail;           // one line for a person: "revoked", "2 of 3 shares"
  Digest digest;                // SHA-256 of the bytes, whether they are here or not
  std::optional<Bytes> bytes;   // absent when larger than kAuditBytesMax, or kept elsewhere on this node

  template <class V>
  void visit(V& v) {
    v("kind", kind);
    v("time_ms", time_ms);
    v("subject", subject);
    v("detail", detail);
    v("digest", digest);
    v("bytes", bytes);
  }
  Status validate() const;
};

}  // namespace selvedge::object
