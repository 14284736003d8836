// authorize(): the one place where Selvedge decides whether a use is allowed.
//
// Authority has two roots that cannot widen each other (ruling R24): the machine owner, whose Grant says what an origin may use of
// a machine, and the data owner (the origin), whose ZonePolicy says what may be done with its data and where. A use passes only if
// both say yes, by objects that are genuine (Signed<T>), unexpired, unrevoked, made for this machine, this origin and this actor,
// and that cover the amounts asked for. On an owner's own machine the two roots are one key, and no grant is needed. Having reconstructed
// data is no authority, nor is having been told by discovery. Callers: leases and tasks (work/), symbol admission and delivery (store/, mesh/),
// secrets, ingress. Nobody decides for himself.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "object/bundle.h"
#include "object/capability.h"
#include "object/envelope.h"
#include "object/kinds.h"
#include "object/policy.h"
#include "object/revocation.h"

namespace selvedge::object {

/// How far another machine's clock may run ahead of ours before its objects count as not yet valid.
inline constexpr uint64_t kClockSkewSecondsMax = 300;
/// Objects named in one use.
inline constexpr size_t kUseObjectsMax = 4096;
/// Operations named in one use besides those of its classes.
inline constexpr size_t kUseOperationsMax = 16;

/// What a use takes from the machine in all, what is already in use under the same grant included.
struct Amounts {
  uint32_t cpu_permille = 0;
  uint64_t memory_bytes = 0;
  uint64_t storage_bytes = 0;
};

/// The machine's power state, for the grant's conditions.
struct PowerState {
  uint8_t battery_percent = 100;
  bool charging = true;
};

/// What someone wants to do on this machine. The first two fields come from local configuration and never from a peer.
struct Use {
  PublicKey machine_owner;
  PublicKey machine;      // this machine's node key
  ClassSet classes = 0;   // every permission class the use needs: kCompute, or kCompute | kAttested
  VerbSet verbs = 0;      // for kStorage: what is done to the objects
  std::vector<std::string_view> operations;  // named operations besides those that follow from classes and verbs: "secret.release"
  PublicKey origin;       // whose data, on whose behalf
  PublicKey actor;        // the node key of the authenticated session peer that asks
  ZoneId zone;
  std::vector<ObjectId> objects;  // for kStorage: which objects
  std::optional<TaskId> task;     // for kCompute: which task
  Amounts amounts;
  PowerState power;
};

/// What is put forward for it; nullptr or empty: not there. Everything pointed to outlives the call.
struct Evidence {
  const Signed<NodeRecord>* machine_record = nullptr;  // by the machine owner, for this machine
  const Signed<Grant>* grant = nullptr;                // not needed where the machine owner is the origin
  const Signed<ZonePolicy>* policy = nullptr;
  /// By the origin, for its node: the actor's, or that of the issuer of a capability, offer or head. Not needed where the origin's own key acts.
  const Signed<NodeRecord>* origin_record = nullptr;
  /// By the actor's owner, for the actor: for capabilities made out to an owner, and for rules about principals.
  const Signed<NodeRecord>* actor_record = nullptr;
  std::span<const Signed<Capability>* const> capabilities;  // when the actor is not one of the origin's nodes; the one it holds first, the root last
  std::span<const Signed<Endorsement>* const> endorsements; // of the root capability, where an issuer set asks for several signers
  const Signed<TaskOffer>* offer = nullptr;                 // kCompute
  const Signed<Manifest>* manifest = nullptr;               // of the offer's bundle
  const RevocationSet* revocations = nullptr; // always needed; an empty set is a statement, its absence is not
  const Signed<RevocationHead>* revocation_head = nullptr;  // where the policy asks how old that knowledge may be
  uint64_t policy_serial_min = 0;             // the highest policy serial seen for the zone
};

struct Authorization {
  ObjectId grant;               // zero on an owner's own machine
  std::vector<ObjectId> chain;  // every object that the decision rests on, for the receipt
  uint64_t expires = 0;         // unix seconds: the first of them to expire
  uint64_t generation = 0;      // RevocationSet::generation() it was decided under
  /// For callers that cache: whether the decision still stands. A revocation, of whatever, changes the generation and so ends it.
  bool holds(Instant now, const RevocationSet& revocations) const {
    return now.unix_seconds() < expires && revocations.generation() == generation;
  }
};

/// Errors: kInvalid (an incomplete question), kUnauthorized, kExpired, kRevoked, kQuota, kUnavailable (the grant's power conditions; a statement about
/// revocations that is missing or too old), kUnsupported (a bundle that asks for proofs). Each refusal has its own message, which says what was
/// missing and who can give it.
Result<Authorization> authorize(const Use& use, const Evidence& evidence, Instant now);

/// One step of a decision, for a person.
struct DecisionStep {
  std::string what;
  bool passed = false;
  std::string text;
};
/// The same decision with its steps up to the first that said no.
std::vector<DecisionStep> explain(const Use& use, const Evidence& evidence, Instant now);

}  // namespace selvedge::object
