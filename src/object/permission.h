// Asking for permission, and what a person answered.
//
// An origin's node asks a machine's owner for some of the four classes (row A20); each is answered by itself. A yes becomes a Grant; yes and no
// are remembered as Decisions until they expire, so that the person is not asked again for the same, and can be listed and withdrawn.
#pragma once

#include "object/kinds.h"

namespace selvedge::object {

inline constexpr uint64_t kRequestTtlMax = 30 * kDay;
inline constexpr uint64_t kDecisionTtlMax = kCapabilityTtlMax;
inline constexpr size_t kPurposeSizeMax = 1024;

struct PermissionRequest {
  static constexpr std::string_view kName = "PermissionRequest";
  static constexpr uint16_t kVersion = 1;
  PublicKey origin;
  PublicKey issuer;   // the origin's node that asks
  PublicKey node;     // the machine that is asked for
  ClassSet classes = 0;
  uint32_t cpu_permille = 0;
  uint64_t memory_bytes = 0;
  uint64_t storage_bytes = 0;
  uint64_t seconds = 0;  // for how long
  std::string purpose;   // for the person who answers
  uint64_t issued = 0;
  uint64_t expires = 0;
  Unique nonce;

  template <class V>
  void visit(V& v) {
    v("origin", origin);
    v("issuer", issuer);
    v("node", node);
    v("classes", classes);
    v("cpu_permille", cpu_permille);
    v("memory_bytes", memory_bytes);
    v("storage_bytes", storage_bytes);
    v("seconds", seconds);
    v("purpose", purpose);
    v("issued", issued);
    v("expires", expires);
    v("nonce", nonce);
  }
  const PublicKey& author() const { return issuer; }
  Status validate() const;
};

/// One answer about one class for one origin. `request` is absent where the owner decided unasked.
struct PermissionDecision {
  static constexpr std::string_view kName = "PermissionDecision";
  static constexpr uint16_t kVersion = 1;
  PublicKey owner;
  PublicKey node;
  PublicKey origin;
  std::optional<ObjectId> request;
  ClassSet permission = 0;  // exactly one class
  bool allowed = false;
  uint64_t issued = 0;
  uint64_t expires = 0;     // until then it is remembered

  template <class V>
  void visit(V& v) {
    v("owner", owner);
    v("node", node);
    v("origin", origin);
    v("request", request);
    v("permission", permission);
    v("allowed", allowed);
    v("issued", issued);
    v("expires", expires);
  }
  const PublicKey& author() const { return owner; }
  Status validate() const;
};

/// Something an owner's other devices must hear of at once.
enum class AlertKind : uint8_t { kDeviceLost, kEquivocation, kRevocationsFull, kAuditRollback, kLast = kAuditRollback };
const char* enum_name(AlertKind kind);

struct Alert {
  static constexpr std::string_view kName = "Alert";
  static constexpr uint16_t kVersion = 1;
  PublicKey owner;
  PublicKey issuer;    // the owner's own key, or one of the owner's nodes
  AlertKind kind = AlertKind::kDeviceLost;
  RevokedId subject;   // whom or what it is about
  std::string text;
  uint64_t issued = 0;

  template <class V>
  void visit(V& v) {
    v("owner", owner);
    v("issuer", issuer);
    v("kind", kind);
    v("subject", subject);
    v("text", text);
    v("issued", issued);
  }
  const PublicKey& author() const { return issuer; }
  Status validate() const;
};

/// "compute", "storage", "ingress", "attested": the names of the classes in a set, joined by commas.
std::string class_names(ClassSet classes);
/// Errors: kInvalid for a name that is none of the four.
Result<ClassSet> parse_class_names(std::string_view text);

}  // namespace selvedge::object
