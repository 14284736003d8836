#include "object/audit_entry.h"

#include <algorithm>

#include "codec/cbor.h"
#include "crypto/hash.h"

namespace selvedge::object {

const char* enum_name(AuditKind kind) {
  switch (kind) {
    case AuditKind::kNode: return "node";
    case AuditKind::kGrant: return "grant";
    case AuditKind::kCapability: return "capability";
    case AuditKind::kRevocation: return "revocation";
    case AuditKind::kLease: return "lease";
    case AuditKind::kReceipt: return "receipt";
    case AuditKind::kPolicy: return "policy";
    case AuditKind::kPermission: return "permission";
    case AuditKind::kZoneEpoch: return "zone-epoch";
    case AuditKind::kSecret: return "secret";
    case AuditKind::kDevice: return "device";
    case AuditKind::kKey: return "key";
    case AuditKind::kBundle: return "bundle";
    case AuditKind::kWitness: return "witness";
    case AuditKind::kGap: return "gap";
  }
  return "unknown";
}

Status AuditEntry::validate() const {
  if (detail.size() > kAuditDetailSizeMax || !codec::is_utf8(detail) ||
      std::any_of(detail.begin(), detail.end(), [](char c) { return uint8_t(c) < 0x20; })) {
    return fail(Errc::kInvalid, "the detail of an audit entry is one line of at most " + std::to_string(kAuditDetailSizeMax) + " bytes");
  }
  if (bytes && bytes->size() > kAuditBytesMax) return fail(Errc::kLimit, "an audit entry holds at most " + std::to_string(kAuditBytesMax) + " bytes of an object");
  if (bytes && crypto::sha256(*bytes) != digest) return fail(Errc::kIntegrity, "the bytes in the audit entry are not those it names");
  return ok();
}

}  // namespace selvedge::object
