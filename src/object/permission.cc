#include "object/permission.h"

#include "object/validate.h"

namespace selvedge::object {
namespace {

constexpr std::pair<std::string_view, ClassSet> kClassNames[] = {
    {"compute", kCompute}, {"storage", kStorage}, {"ingress", kIngress}, {"attested", kAttested}};

}  // namespace

Status PermissionRequest::validate() const {
  TRY(check_keys("a permission request", {&origin, &issuer, &node}));
  TRY(check_bits("a permission request", classes, kClassesAll));
  TRY(check_text("the purpose of a permission request", purpose, kPurposeSizeMax));
  if (seconds == 0 || seconds > kCapabilityTtlMax) return invalid("a permission is asked for one second to 90 days");
  return check_lifetime("a permission request", issued, expires, kRequestTtlMax);
}

Status PermissionDecision::validate() const {
  TRY(check_keys("a permission decision", {&owner, &node, &origin}));
  TRY(check_bits("a permission decision", permission, kClassesAll));
  if ((permission & (permission - 1)) != 0) return invalid("a permission decision is about one class alone");
  return check_lifetime("a permission decision", issued, expires, kDecisionTtlMax);
}

const char* enum_name(AlertKind kind) {
  switch (kind) {
    case AlertKind::kDeviceLost: return "device_lost";
    case AlertKind::kEquivocation: return "equivocation";
    case AlertKind::kRevocationsFull: return "revocations_full";
    case AlertKind::kAuditRollback: return "audit_rollback";
  }
  return "unknown";
}

Status Alert::validate() const {
  TRY(check_keys("an alert", {&owner, &issuer}));
  if (subject.is_zero()) return invalid("an alert does not say whom it is about");
  return check_text("an alert", text, kPurposeSizeMax);
}

std::string class_names(ClassSet classes) {
  std::string out;
  for (const auto& [name, bit] : kClassNames) {
    if (classes & bit) out += (out.empty() ? "" : ",") + std::string(name);
  }
  return out;
}

Result<ClassSet> parse_class_names(std::string_view text) {
  ClassSet out = 0;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    text = comma == text.npos ? std::string_view{} : text.substr(comma + 1);
    ClassSet bit = 0;
    for (const auto& [name, value] : kClassNames) bit |= word == name ? value : 0;
    if (bit == 0) return fail(Errc::kInvalid, "\"" + std::string(word) + "\" is no permission: compute, storage, ingress or attested");
    out |= bit;
  }
  return out;
}

}  // namespace selvedge::object
