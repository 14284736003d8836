// The local API's part about authority: policies, permissions asked and answered, revocations, capabilities.
#pragma once

#include <string>
#include <vector>

#include "codec/schema.h"
#include "object/permission.h"
#include "object/policy.h"

namespace selvedge::node {

// ---- policies

struct PolicyInfo {
  std::string zone_name;
  object::ZoneId zone;
  crypto::PublicKey owner;
  bool own = false;              // of this node's owner; else of one whose data is held or run here
  object::ZonePolicy policy;
  crypto::Digest id;
  template <class V> void visit(V& v) {
    v("zone_name", zone_name); v("zone", zone); v("owner", owner); v("own", own); v("policy", policy); v("id", id);
  }
};
struct PolicyListAnswer {
  std::vector<PolicyInfo> policies;
  template <class V> void visit(V& v) { v("policies", policies); }
};
struct PolicyListRequest {
  static constexpr const char* kMethod = "policy.list";
  using Answer = PolicyListAnswer;
  template <class V> void visit(V&) {}
};
/// Signs and publishes a policy for a zone of this node's owner. Serial, issue and expiry are the node's to set.
struct PolicySetRequest {
  static constexpr const char* kMethod = "policy.set";
  using Answer = PolicyInfo;
  std::string policy;            // hexadecimal: the canonical CBOR of a ZonePolicy
  uint64_t seconds = 0;          // how long it is valid; 0: 30 days
  template <class V> void visit(V& v) { v("policy", policy); v("seconds", seconds); }
};
struct PolicyExplainAnswer {
  std::string zone_name;
  bool allowed = false;
  std::string rule;              // which rule decided, for a person
  std::string list;              // and for a program: "deny", "principals.allow", ...
  uint64_t index = 0;
  uint64_t serial = 0;
  template <class V> void visit(V& v) {
    v("zone_name", zone_name); v("allowed", allowed); v("rule", rule); v("list", list); v("index", index); v("serial", serial);
  }
};
struct PolicyExplainRequest {
  static constexpr const char* kMethod = "policy.explain";
  using Answer = PolicyExplainAnswer;
  std::string operation;
  std::string zone;              // name of a zone of this owner's, or the hexadecimal id of any known one
  std::string principal;         // key text; empty: this node's owner
  std::string machine_owner;     // key text; empty: no machine
  template <class V> void visit(V& v) {
    v("operation", operation); v("zone", zone); v("principal", principal); v("machine_owner", machine_owner);
  }
};

// ---- permissions (A20)

struct RequestInfo {
  crypto::Digest id;
  bool asked = false;            // by this node; else somebody asks this machine
  crypto::PublicKey node;        // the machine
  crypto::PublicKey origin;
  std::string wanted;            // classes, as "compute,storage"
  std::string allowed;           // answered so far
  std::string refused;
  uint32_t cpu_permille = 0;
  uint64_t memory_bytes = 0;
  uint64_t storage_bytes = 0;
  uint64_t seconds = 0;
  std::string purpose;
  uint64_t issued = 0;
  uint64_t expires = 0;
  template <class V> void visit(V& v) {
    v("id", id); v("asked", asked); v("node", node); v("origin", origin); v("wanted", wanted); v("allowed", allowed); v("refused", refused);
    v("cpu_permille", cpu_permille); v("memory_bytes", memory_bytes); v("storage_bytes", storage_bytes); v("seconds", seconds);
    v("purpose", purpose); v("issued", issued); v("expires", expires);
  }
};
struct DecisionInfo {
  crypto::PublicKey origin;
  std::string permission;
  bool allowed = false;
  uint64_t expires = 0;
  template <class V> void visit(V& v) { v("origin", origin); v("permission", permission); v("allowed", allowed); v("expires", expires); }
};
struct GrantRequestsAnswer {
  std::vector<RequestInfo> requests;
  std::vector<DecisionInfo> decisions;   // remembered by this machine
  template <class V> void visit(V& v) { v("requests", requests); v("decisions", decisions); }
};
struct GrantRequestsRequest {
  static constexpr const char* kMethod = "grant.requests";
  using Answer = GrantRequestsAnswer;
  template <class V> void visit(V&) {}
};
struct GrantAskRequest {
  static constexpr const char* kMethod = "grant.ask";
  using Answer = RequestInfo;
  std::string node;              // key text of the machine, or its beginning
  std::string classes;           // "compute,storage"
  uint32_t cpu_permille = 500;
  uint64_t memory_bytes = 256u << 20;
  uint64_t storage_bytes = 1u << 30;
  uint64_t seconds = 7 * 86'400;
  std::string purpose;
  template <class V> void visit(V& v) {
    v("node", node); v("classes", classes); v("cpu_permille", cpu_permille); v("memory_bytes", memory_bytes);
    v("storage_bytes", storage_bytes); v("seconds", seconds); v("purpose", purpose);
  }
};
struct GrantAnswerRequest {
  static constexpr const char* kMethod = "grant.answer";
  using Answer = RequestInfo;
  std::string request;           // its id, or the beginning
  std::string allow;             // classes; what is in neither list stays open
  std::string refuse;
  uint64_t remember_seconds = 0; // 0: as long as was asked for
  template <class V> void visit(V& v) { v("request", request); v("allow", allow); v("refuse", refuse); v("remember_seconds", remember_seconds); }
};
/// Forgets what was decided about one class for an origin, and takes back what was granted by it.
struct GrantWithdrawRequest {
  static constexpr const char* kMethod = "grant.withdraw";
  struct Done {
    uint64_t revoked = 0;        // leases ended
    template <class V> void visit(V& v) { v("revoked", revoked); }
  };
  using Answer = Done;
  std::string origin;
  std::string classes;
  template <class V> void visit(V& v) { v("origin", origin); v("classes", classes); }
};

// ---- revocations (A11)

struct RevokeRequest {
  static constexpr const char* kMethod = "revoke";
  struct Done {
    crypto::Digest id;           // of the Revocation
    std::string kind;
    crypto::Digest target;
    uint64_t cutoff = 0;
    uint64_t told = 0;           // connected nodes it was sent to
    template <class V> void visit(V& v) { v("id", id); v("kind", kind); v("target", target); v("cutoff", cutoff); v("told", told); }
  };
  using Answer = Done;
  std::string kind;              // "object", "capability", "key", "principal", "device"
  std::string target;            // key text, or hexadecimal id
  std::string reason = "unspecified";
  uint64_t cutoff = 0;           // Unix seconds; 0: now
  template <class V> void visit(V& v) { v("kind", kind); v("target", target); v("reason", reason); v("cutoff", cutoff); }
};
struct RevocationInfo {
  crypto::Digest id;
  crypto::PublicKey issuer;
  std::string kind;
  crypto::Digest target;
  std::string reason;
  uint64_t cutoff = 0;
  template <class V> void visit(V& v) {
    v("id", id); v("issuer", issuer); v("kind", kind); v("target", target); v("reason", reason); v("cutoff", cutoff);
  }
};
struct RevocationsAnswer {
  std::vector<RevocationInfo> revocations;
  template <class V> void visit(V& v) { v("revocations", revocations); }
};
struct RevocationsRequest {
  static constexpr const char* kMethod = "revoke.list";
  using Answer = RevocationsAnswer;
  template <class V> void visit(V&) {}
};

}  // namespace selvedge::node
