// Consent: permissions that are asked for and answered by a person (row A20).
//
// An origin's node asks a machine for some of the four classes; the machine's owner answers each by itself. A yes becomes a
// grant for that class alone, so that it can be taken back alone. What was decided is remembered until it expires: the same question is
// then answered without the person, a larger one is not. Both sides keep their half in the store, and what one missed while it was
// away is sent when the two meet again.
#pragma once

#include <map>

#include "node/api_trust.h"
#include "node/workshop.h"
#include "object/permission.h"

namespace selvedge::node {

constexpr size_t kPermissionRequestsMax = 1024;
constexpr size_t kPermissionRequestsPerOriginMax = 16;
constexpr size_t kDecisionsMax = 4096;

/// A question and what was answered so far; kept in the store by the question's id.
struct AskedPermission {
  Bytes request;               // signed PermissionRequest
  object::ClassSet allowed = 0;
  object::ClassSet refused = 0;
  template <class V> void visit(V& v) { v("request", request); v("allowed", allowed); v("refused", refused); }
};
/// A decision and how much of the machine it was about; kept by origin and class.
struct RememberedDecision {
  Bytes decision;              // signed PermissionDecision
  uint32_t cpu_permille = 0;
  uint64_t memory_bytes = 0;
  uint64_t storage_bytes = 0;
  template <class V> void visit(V& v) {
    v("decision", decision); v("cpu_permille", cpu_permille); v("memory_bytes", memory_bytes); v("storage_bytes", storage_bytes);
  }
};

class Consent {
 public:
  Consent(Core& core, Workshop& workshop) : core_(core), workshop_(workshop) {}

  void restore(Turn& turn);
  using OnRequest = std::function<void(Turn&, Result<RequestInfo>)>;
  /// Asks a machine. It is sent now if the machine is connected, and else when it is.
  void ask(Turn& turn, const GrantAskRequest& request, OnRequest then);
  /// The owner's answer to a question asked of this machine.
  void answer(Turn& turn, const GrantAnswerRequest& request, OnRequest then);
  using OnWithdrawn = std::function<void(Turn&, Result<uint64_t> leases_ended)>;
  void withdraw(Turn& turn, const GrantWithdrawRequest& request, OnWithdrawn then);
  GrantRequestsAnswer list(Instant now) const;

  /// A question or a decision that a peer sent.
  void on_request(Turn& turn, const NodeKey& from, const Bytes& bytes);
  void on_decision(Turn& turn, const NodeKey& from, const Bytes& bytes);
  void on_peer_up(Turn& turn, const NodeKey& peer);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;

 private:
  struct Open {
    object::Signed<object::PermissionRequest> request;
    object::ClassSet allowed = 0;
    object::ClassSet refused = 0;
    object::ClassSet left() const { return request.body.classes & ~(allowed | refused); }
  };
  struct Remembered {
    object::Signed<object::PermissionDecision> decision;
    uint32_t cpu_permille = 0;
    uint64_t memory_bytes = 0;
    uint64_t storage_bytes = 0;
  };
  using DecisionKey = std::pair<crypto::PublicKey, object::ClassSet>;

  bool asked_here(const Open& open) const { return open.request.body.node != core_.self(); }
  RequestInfo info(const Open& open) const;
  Result<object::ObjectId> by_prefix(const std::string& prefix) const;
  void keep(Turn& turn, const Open& open, Core::OnStatus then);
  /// Signs, remembers and tells decisions about `classes` of a question; what is allowed is granted.
  void decide(Turn& turn, const object::ObjectId& id, object::ClassSet classes, bool allowed, uint64_t seconds, Core::OnStatus then);
  void grant(Turn& turn, const object::PermissionRequest& request, object::ClassSet permission, uint64_t seconds, Core::OnStatus then);
  /// Answers what was decided before, as far as it covers the question.
  void apply_remembered(Turn& turn, const object::ObjectId& id);
  void forget(Turn& turn, const DecisionKey& key);
  void tell(Turn& turn, const crypto::PublicKey& owner, const Bytes& bytes);

  Core& core_;
  Workshop& workshop_;
  std::map<object::ObjectId, Open> open_;
  std::map<DecisionKey, Remembered> remembered_;
};

}  // namespace selvedge::node
