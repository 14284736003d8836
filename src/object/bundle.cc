#include "object/bundle.h"

#include <algorithm>

#include "object/operation.h"
#include "object/validate.h"

namespace selvedge::object {
namespace {

/// A path that stays inside the bundle wherever it is unpacked.
bool is_inner_path(std::string_view path) {
  if (path.empty() || path.size() > kNameSizeMax || path.front() == '/' || path.back() == '/' || path.find('\\') != path.npos) return false;
  if (path.find('\0') != path.npos) return false;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    path = slash == path.npos ? std::string_view{} : path.substr(slash + 1);
  }
  return true;
}

Status check_files(const char* what, const std::vector<BundleFile>& files, size_t limit) {
  if (files.size() > limit) return fail(Errc::kLimit, std::string("a bundle has too many ") + what);
  for (size_t i = 0; i < files.size(); ++i) {
    TRY(check_text("a path in a bundle", files[i].path, kNameSizeMax));
    if (!is_inner_path(files[i].path)) return invalid("the path \"" + files[i].path + "\" leads out of the bundle, or is none");
    if (i > 0 && !(files[i - 1].path < files[i].path)) return fail(Errc::kNonCanonical, "the files of a bundle are not sorted, or one is there twice");
  }
  return ok();
}

}  // namespace

const char* enum_name(RiskLevel level) {
  static constexpr const char* kNames[] = {"low", "medium", "high", "critical"};
  return kNames[size_t(level)];
}

const char* enum_name(SafetyTier tier) {
  static constexpr const char* kNames[] = {"safe", "risky", "dangerous", "forbidden"};
  return kNames[size_t(tier)];
}

const char* enum_name(Idempotency idempotency) {
  static constexpr const char* kNames[] = {"strict", "best_effort", "none"};
  return kNames[size_t(idempotency)];
}

const char* enum_name(DomainClass domain) { return domain == DomainClass::kDeterministic ? "deterministic" : "service"; }

const char* enum_name(AuditMode mode) {
  static constexpr const char* kNames[] = {"summary", "per_task", "full"};
  return kNames[size_t(mode)];
}

const char* enum_name(Verifiability level) {
  static constexpr const char* kNames[] = {"none", "redundant", "audited", "proof_required"};
  return kNames[size_t(level)];
}

const BundleEntry* Manifest::find_entry(std::string_view operation) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const BundleEntry& e) { return e.operation.name == operation; });
  return found == entries.end() ? nullptr : &*found;
}

const BundleFile* Manifest::find_module(std::string_view path) const {
  const auto found = std::find_if(modules.begin(), modules.end(), [&](const BundleFile& f) { return f.path == path; });
  return found == modules.end() ? nullptr : &*found;
}

Status Manifest::validate() const {
  TRY(check_keys("a manifest", {&origin, &publisher}));
  TRY(check_text("the name of a bundle", name, kNameSizeMax));
  TRY(check_text("the version of a bundle", version, kNameSizeMax));
  if (!is_operation(name)) return invalid("the name of a bundle is words of a-z, 0-9, _ and - joined by dots");
  TRY(check_files("modules", modules, kModulesMax));
  TRY(check_files("assets", assets, kAssetsMax));
  if (modules.empty()) return invalid("a bundle without a module runs nothing");
  if (entries.empty() || entries.size() > kEntriesMax || ports.size() > kPortsMax) return invalid("a bundle has entries, and not too many of them");
  for (const BundleEntry& entry : entries) {
    if (!is_operation(entry.operation.name)) return invalid("\"" + entry.operation.name + "\" is no name of an operation");
    if (find_entry(entry.operation.name) != &entry) return invalid("two entries of the bundle are called " + entry.operation.name);
    if (find_module(entry.module) == nullptr) return invalid("the entry " + entry.operation.name + " names a module that is not in the bundle");
    if (entry.args.size() > kArgsMax) return fail(Errc::kLimit, "an entry has too many arguments");
    for (const std::string& arg : entry.args) TRY(check_text("an argument of an entry", arg, kArgSizeMax));
  }
  for (const BundlePort& port : ports) {
    TRY(check_text("the name of a port", port.name, kNameSizeMax));
    TRY(check_text("the protocol of a port", port.protocol, kNameSizeMax));
  }
  TRY(check_bits("a manifest", needs.classes, kClassesAll));
  if (!ports.empty() && !(needs.classes & kIngress)) return invalid("a bundle with ports asks for the class ingress");
  if (redundancy == 0 || redundancy > 31) return invalid("a bundle's results are checked by 1 to 31 machines");
  if (attestation && (attestation->format.size() > kNameSizeMax || attestation->statement.size() > kSealedKeysSizeMax)) {
    return fail(Errc::kLimit, "the attestation in a manifest is too large");
  }
  return check_lifetime("a manifest", issued, expires, kBundleTtlMax);
}

Status may_call(const OperationSpec& operation, Confirmation confirmation) {
  if (operation.safety == SafetyTier::kForbidden) return fail(Errc::kUnauthorized, operation.name + " is not to be called from outside its bundle");
  if (operation.safety == SafetyTier::kDangerous && confirmation != Confirmation::kGiven) {
    return fail(Errc::kUnavailable, operation.name + " is dangerous by its publisher's own word (risk " + enum_name(operation.risk) +
                                        "): say that you mean it with --yes-dangerous");
  }
  return ok();
}

}  // namespace selvedge::object
