// Capability: the data owner's leave for another party to do something with a zone's data, passed on by attenuation only.
//
// The first of a chain is issued by the origin, by one of its nodes, or by an issuer set of the zone's policy; each further one is issued by
// the audience of the one before it and can only be narrower: fewer operations, fewer objects, a shorter life, fewer delegations. A
// capability names who may use it, and a session proves that key, so that a copy is worth nothing to anybody else. It gives no
// machine: that is the Grant's business (R24).
#pragma once

#include <optional>

#include "object/envelope.h"
#include "object/policy.h"

namespace selvedge::object {

inline constexpr uint8_t kDelegationsMax = 8;
inline constexpr size_t kChainMax = kDelegationsMax + 1;
inline constexpr size_t kEndorsementsMax = 64;

struct Capability {
  static constexpr std::string_view kName = "Capability";
  static constexpr uint16_t kVersion = 1;
  ZoneId zone;
  PublicKey origin;                     // who owns the zone
  PublicKey issuer;
  PublicKey audience;                   // the node key, or the owner key of the nodes, that may use it; nobody else can
  std::optional<ObjectId> parent;       // the capability that this one narrows
  uint8_t delegations_left = 0;         // how often it may be passed on
  std::vector<std::string> operations;  // patterns, sorted
  bool whole_zone = false;              // true: every object of the zone, and `objects` is empty
  std::vector<ObjectId> objects;        // sorted
  uint64_t issued = 0;
  uint64_t expires = 0;
  Unique nonce;

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("origin", origin);
    v("issuer", issuer);
    v("audience", audience);
    v("parent", parent);
    v("delegations_left", delegations_left);
    v("operations", operations);
    v("whole_zone", whole_zone);
    v("objects", objects);
    v("issued", issued);
    v("expires", expires);
    v("nonce", nonce);
  }
  const PublicKey& author() const { return issuer; }
  Status validate() const;
};

/// One more signer under an object, for what needs several (issuer sets with a threshold, policies that ask for it).
struct Endorsement {
  static constexpr std::string_view kName = "Endorsement";
  static constexpr uint16_t kVersion = 1;
  ObjectId object;
  PublicKey endorser;
  uint64_t issued = 0;
  uint64_t expires = 0;

  template <class V>
  void visit(V& v) {
    v("object", object);
    v("endorser", endorser);
    v("issued", issued);
    v("expires", expires);
  }
  const PublicKey& author() const { return endorser; }
  Status validate() const;
};

/// Whether `child` is a narrowing of `parent` by its audience. Errors: kUnauthorized, saying in which respect it is not.
Status check_attenuation(const Signed<Capability>& child, const Signed<Capability>& parent);
/// Whether it covers an operation on an object (nullptr: on no object in particular).
bool covers(const Capability& capability, std::string_view operation, const ObjectId* object);

}  // namespace selvedge::object
