// Registrar: the part of a node that says who it is, to each origin apart.
//
// A request pays from the privacy budget before anything else happens. Then a tier is chosen: what was asked for, if the machine reaches it and
// the owner allows it, else less, down to the least that will do, else nothing. Hardware is asked by an effect and answers by an input; the token
// is signed with the key for that origin and period, bound to the lease in force for the origin where there is one, and booked. When
// the lease ends, its tokens fall with it and the origin is told. hardware-strong shows what can be recognised elsewhere (decision
// 0017), so it takes a grant with the class attested, unless the origin is this machine's own owner.
#pragma once

#include "node/api_identity.h"
#include "node/core.h"
#include "object/identity_book.h"
#include "object/identity_budget.h"

namespace selvedge::node {

/// Requests that wait for the machine's hardware.
constexpr size_t kAttestationsWaitingMax = 16;
/// Tokens that other nodes took back, remembered for as long as a token lives; in all, and as told by one node.
constexpr size_t kTokensTakenBackMax = 4096;
constexpr size_t kTokensTakenBackPerNodeMax = 64;

class Registrar {
 public:
  explicit Registrar(Core& core) : core_(core) {}

  using OnIdentity = std::function<void(Turn&, Result<IdentityAnswer>)>;
  void request(Turn& turn, const IdentityRequest& request, OnIdentity then);
  IdentityListAnswer list(Instant now) const;
  Result<IdentityWithdrawAnswer> withdraw(Turn& turn, const std::string& id_prefix);
  /// For the owner of this node as an origin.
  Result<IdentityCheckAnswer> check(Instant now, const IdentityCheckRequest& request) const;

  void on_lease_ended(Turn& turn, const object::ObjectId& lease);
  /// A peer brought a revocation by a key that means nothing else here: perhaps of a token, seen already or yet to be seen. It is not
  /// written down: a token lives an hour at most, and one that is bound to a lease falls with that, which is.
  void on_token_revoked(Turn& turn, const NodeKey& from, const object::Signed<object::Revocation>& revocation);
  /// Whether a token of this node's is still good.
  bool stands(const object::ObjectId& token, Instant now) const { return book_.stands(token, now); }

 private:
  /// What is known of a token before its attestation.
  struct Draft {
    object::IdentityToken body;
    object::TierRule rule;
    std::optional<object::ObjectId> lease;
    uint64_t period = 0;
    std::string degraded;
  };
  Result<Draft> draft(Turn& turn, const IdentityRequest& request);
  Result<object::IdentityTier> tier_for(Instant now, const crypto::PublicKey& origin, const object::TierRule& rule, std::string& degraded) const;
  Result<IdentityAnswer> issue(Instant now, Draft draft);
  void attested(Turn& turn, Draft draft, Result<object::Attestation> attestation, const OnIdentity& then);
  std::unique_ptr<crypto::Signer> scoped_signer(const crypto::PublicKey& origin, uint64_t period) const;
  /// Tells the connected nodes of the token's origin; returns how many.
  uint32_t tell_fallen(Turn& turn, const object::IssuedToken& token);

  Core& core_;
  object::PrivacyBudget budget_;
  object::TokenBook book_;
  struct TakenBack {
    NodeKey told_by;
    Instant forget_at;
  };
  /// By token and by the key that took it back: what anyone else says of the same token lies beside it without effect.
  using TakenBackKey = std::pair<object::ObjectId, crypto::PublicKey>;
  BoundedMap<TakenBackKey, TakenBack> taken_back_{kTokensTakenBackMax};
  size_t waiting_ = 0;
};

}  // namespace selvedge::node
