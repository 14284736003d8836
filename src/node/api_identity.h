// The local API about identity: who this node is to an origin, what it has said so far, and whether others are who they say.
//
// Part of api.h, which includes it. Tiers are named as in the specification (software, hardware-basic, hardware-strong), and what a
// program gets for a token has the names that browsers use (WF 6.3): nodeId, tier, attestation, expiresAt.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "object/identity.h"

namespace selvedge::node {

struct IdentityAnswer {
  crypto::Digest id;
  crypto::PublicKey node_id;       // this node's key towards the origin, in this period
  crypto::PublicKey origin;
  object::IdentityTier tier = object::IdentityTier::kSoftware;
  object::Attestation attestation;
  std::string purpose;
  std::optional<crypto::Digest> lease;  // the grant it ends with
  uint64_t expires = 0;
  std::string degraded;            // why the tier is below what was asked for; empty: it is not
  Bytes token;                     // what is shown to the origin
  uint32_t left = 0;               // requests that the origin has left
  template <class V> void visit(V& v) {
    v("id", id); v("nodeId", node_id); v("origin", origin); v("tier", tier); v("attestation", attestation); v("purpose", purpose);
    v("lease", lease); v("expiresAt", expires); v("degraded", degraded); v("token", token); v("left", left);
  }
};
struct IdentityTokenInfo {
  crypto::Digest id;
  crypto::PublicKey node_id;
  crypto::PublicKey origin;
  object::IdentityTier tier = object::IdentityTier::kSoftware;
  std::string purpose;
  std::optional<crypto::Digest> lease;
  uint64_t issued = 0;
  uint64_t expires = 0;
  std::string state;               // in force, invalidated
  template <class V> void visit(V& v) {
    v("id", id); v("nodeId", node_id); v("origin", origin); v("tier", tier); v("purpose", purpose); v("lease", lease); v("issued", issued);
    v("expiresAt", expires); v("state", state);
  }
};
struct IdentityOriginInfo {
  crypto::PublicKey origin;
  uint32_t left = 0;
  uint64_t asked = 0;
  uint64_t refused = 0;
  std::vector<std::string> purposes;
  template <class V> void visit(V& v) {
    v("origin", origin); v("left", left); v("asked", asked); v("refused", refused); v("purposes", purposes);
  }
};
struct IdentityListAnswer {
  object::IdentityTier tier_available = object::IdentityTier::kSoftware;
  std::string tier_missing;        // what higher tiers lack here; empty: nothing
  uint32_t left_in_all = 0;        // requests left to all origins together
  std::vector<IdentityOriginInfo> origins;
  std::vector<IdentityTokenInfo> tokens;
  template <class V> void visit(V& v) {
    v("tier_available", tier_available); v("tier_missing", tier_missing); v("left_in_all", left_in_all); v("origins", origins); v("tokens", tokens);
  }
};
struct IdentityWithdrawAnswer {
  crypto::Digest id;
  crypto::PublicKey origin;
  uint32_t told = 0;               // nodes of the origin that are connected and were told
  template <class V> void visit(V& v) { v("id", id); v("origin", origin); v("told", told); }
};
struct IdentityCheckAnswer {
  crypto::Digest id;
  crypto::PublicKey node_id;
  object::IdentityTier tier = object::IdentityTier::kSoftware;  // proven
  object::IdentityTier tier_claimed = object::IdentityTier::kSoftware;
  bool endorsed = false;
  std::string purpose;
  std::optional<crypto::Digest> lease;
  uint64_t expires = 0;
  template <class V> void visit(V& v) {
    v("id", id); v("nodeId", node_id); v("tier", tier); v("tier_claimed", tier_claimed); v("endorsed", endorsed); v("purpose", purpose);
    v("lease", lease); v("expiresAt", expires);
  }
};

/// Who is this node to `origin`? Counted against the privacy budget, whatever comes of it.
struct IdentityRequest {
  static constexpr const char* kMethod = "identity.request";
  using Answer = IdentityAnswer;
  std::string origin;              // key text
  std::string purpose;             // shown to the owner
  std::string tier;                // what is asked for; empty: what tier_min says
  std::string tier_min = "software";  // the least that will do: between the two it degrades
  uint64_t seconds = object::kTokenTtlDefault;
  template <class V> void visit(V& v) {
    v("origin", origin); v("purpose", purpose); v("tier", tier); v("tier_min", tier_min); v("seconds", seconds);
  }
};
struct IdentityListRequest {
  static constexpr const char* kMethod = "identity.list";
  using Answer = IdentityListAnswer;
  template <class V> void visit(V&) {}
};
/// Takes a token back before its time; its origin is told.
struct IdentityWithdrawRequest {
  static constexpr const char* kMethod = "identity.withdraw";
  using Answer = IdentityWithdrawAnswer;
  std::string token;               // its id, or as much of its beginning as names one
  template <class V> void visit(V& v) { v("token", token); }
};
/// Is this a good token for this node's owner as origin?
struct IdentityCheckRequest {
  static constexpr const char* kMethod = "identity.check";
  using Answer = IdentityCheckAnswer;
  std::string token;               // hexadecimal, as identity.request gave it
  std::string tier_min = "software";
  std::vector<std::string> endorsers;  // key texts: whose word that a key lies in a chip counts
  bool believe_unendorsed = false;     // take a chip's word for itself, which any program can forge
  template <class V> void visit(V& v) {
    v("token", token); v("tier_min", tier_min); v("endorsers", endorsers); v("believe_unendorsed", believe_unendorsed);
  }
};

}  // namespace selvedge::node
