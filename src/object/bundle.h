// Manifest: what a bundle is made of and what it asks for. It grants nothing (row A19).
//
// A bundle is modules and assets named by content, and this one signed record that pins them. Its signer is the origin's publishing key: the
// origin's own, or one that the zone's policy lists as a publisher. What a manifest asks for must lie within the lease and the policy when
// it is used; authorize() compares them. An entry is one operation a caller may invoke, with what callers and retries must know of it (A21).
#pragma once

#include <optional>

#include "object/envelope.h"
#include "object/kinds.h"

namespace selvedge::object {

inline constexpr size_t kModulesMax = 256;
inline constexpr size_t kAssetsMax = 16'384;
inline constexpr size_t kEntriesMax = 256;
inline constexpr size_t kPortsMax = 64;
inline constexpr uint64_t kBundleTtlMax = 7 * 365 * kDay;

/// How much harm a wrong call can do.
enum class RiskLevel : uint8_t { kLow, kMedium, kHigh, kCritical, kLast = kCritical };
const char* enum_name(RiskLevel level);
/// What a caller does before calling (spec: FM 10.2.5).
enum class SafetyTier : uint8_t {
  kSafe,       // just call
  kRisky,      // log it
  kDangerous,  // ask a person, or a policy that says so
  kForbidden,  // is never called from outside the bundle
  kLast = kForbidden,
};
const char* enum_name(SafetyTier tier);
/// What may be done when it is not known whether a call took effect.
enum class Idempotency : uint8_t {
  kStrict,      // calling again changes nothing: retry freely
  kBestEffort,  // calling again is harmless within the caller's deadline
  kNone,        // never retried by itself: a person or the caller's program decides
  kLast = kNone,
};
const char* enum_name(Idempotency idempotency);
enum class DomainClass : uint8_t { kDeterministic, kService, kLast = kService };
const char* enum_name(DomainClass domain);
enum class AuditMode : uint8_t { kSummary, kPerTask, kFull, kLast = kFull };
const char* enum_name(AuditMode mode);
/// How a result is checked (spec: WF 11.3).
enum class Verifiability : uint8_t { kNone, kRedundant, kAudited, kProofRequired, kLast = kProofRequired };
const char* enum_name(Verifiability level);

struct OperationSpec {
  std::string name;                       // an operation, without the bundle's name before it
  RiskLevel risk = RiskLevel::kLow;
  SafetyTier safety = SafetyTier::kSafe;
  Idempotency idempotency = Idempotency::kStrict;
  std::optional<SchemaId> input_schema;   // absent: bytes
  std::optional<SchemaId> output_schema;

  template <class V>
  void visit(V& v) {
    v("name", name);
    v("risk", risk);
    v("safety", safety);
    v("idempotency", idempotency);
    v("input_schema", input_schema);
    v("output_schema", output_schema);
  }
};

struct BundleFile {
  std::string path;  // within the bundle: relative, "/" between parts, no "." or ".."
  Cid cid;
  uint64_t size = 0;

  template <class V>
  void visit(V& v) {
    v("path", path);
    v("cid", cid);
    v("size", size);
  }
};

struct BundleEntry {
  OperationSpec operation;
  std::string module;                     // the path of one of the modules
  DomainClass domain = DomainClass::kDeterministic;
  std::vector<std::string> args;

  template <class V>
  void visit(V& v) {
    v("operation", operation);
    v("module", module);
    v("domain", domain);
    v("args", args);
  }
};

struct BundlePort {
  std::string name;
  std::string protocol;  // "http", "datagram", ...
  uint32_t connections_max = 0;
  uint32_t requests_per_second_max = 0;

  template <class V>
  void visit(V& v) {
    v("name", name);
    v("protocol", protocol);
    v("connections_max", connections_max);
    v("requests_per_second_max", requests_per_second_max);
  }
};

/// What the bundle needs of a machine.
struct BundleNeeds {
  ClassSet classes = kCompute;
  uint32_t cpu_permille = 0;
  uint64_t memory_bytes = 0;
  uint64_t storage_bytes = 0;
  uint32_t replicas = 1;                   // of what it stores

  template <class V>
  void visit(V& v) {
    v("classes", classes);
    v("cpu_permille", cpu_permille);
    v("memory_bytes", memory_bytes);
    v("storage_bytes", storage_bytes);
    v("replicas", replicas);
  }
};

/// Somebody's word on how the modules came to be, shown and not believed by itself (row A16).
struct BuildAttestation {
  std::string format;     // "in-toto", "reproducible-build", ...
  Digest source;          // SHA-256 of the source it was built from
  Bytes statement;

  template <class V>
  void visit(V& v) {
    v("format", format);
    v("source", source);
    v("statement", statement);
  }
};

struct Manifest {
  static constexpr std::string_view kName = "Manifest";
  static constexpr uint16_t kVersion = 1;
  PublicKey origin;
  PublicKey publisher;
  std::string name;
  std::string version;
  std::vector<BundleFile> modules;   // sorted by path
  std::vector<BundleFile> assets;    // sorted by path
  std::vector<BundleEntry> entries;
  std::vector<BundlePort> ports;
  BundleNeeds needs;
  AuditMode audit = AuditMode::kPerTask;
  Verifiability verifiability = Verifiability::kRedundant;
  uint32_t redundancy = 2;
  std::optional<BuildAttestation> attestation;
  uint64_t issued = 0;
  uint64_t expires = 0;

  template <class V>
  void visit(V& v) {
    v("origin", origin);
    v("publisher", publisher);
    v("name", name);
    v("version", version);
    v("modules", modules);
    v("assets", assets);
    v("entries", entries);
    v("ports", ports);
    v("needs", needs);
    v("audit", audit);
    v("verifiability", verifiability);
    v("redundancy", redundancy);
    v("attestation", attestation);
    v("issued", issued);
    v("expires", expires);
  }
  const PublicKey& author() const { return publisher; }
  Status validate() const;
  const BundleEntry* find_entry(std::string_view operation) const;
  const BundleFile* find_module(std::string_view path) const;
};

/// Whether a caller may call the operation at all. Errors: kUnauthorized for kForbidden, kUnavailable (with what to do) for kDangerous
/// that nobody has confirmed.
enum class Confirmation : uint8_t { kNone, kGiven };
Status may_call(const OperationSpec& operation, Confirmation confirmation);
/// Whether a call whose outcome is unknown may be made again without asking.
constexpr bool may_retry(Idempotency idempotency) { return idempotency != Idempotency::kNone; }

}  // namespace selvedge::object
