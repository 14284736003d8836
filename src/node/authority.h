// Authority: what this node knows about who may do what, and the questions its parts ask.
//
// It keeps verified grants, policies, records and revocations and puts them in front of object::authorize(), which
// alone decides. No part of a node decides for itself.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "object/authorize.h"

namespace selvedge::node {

constexpr size_t kGrantsMax = 4096;
constexpr size_t kGrantsPerOwnerMax = 64;
/// A received grant is known for so long after its end, so that what still asks is told why not.
constexpr uint64_t kEndedGrantKeptSeconds = 3600;
constexpr size_t kPoliciesMax = 4096;
constexpr size_t kHeadsMax = 4096;

class Authority {
 public:
  Authority(const crypto::PublicKey& owner, const crypto::PublicKey& node, const crypto::Verifier& verifier)
      : owner_(owner), node_(node), verifier_(verifier), revocations_(owner) {}

  const crypto::Verifier& verifier() const { return verifier_; }

  /// This node's own record. Must be set before anything is authorised.
  void set_record(object::Signed<object::NodeRecord> record) { record_.emplace(std::move(record)); }
  /// What grants' conditions are judged by.
  void set_power(const object::PowerState& power) { power_ = power; }
  /// A grant by this machine's owner for this machine. Errors: kUnauthorized, kLimit.
  Status add_given(object::Signed<object::Grant> grant);
  /// A grant that another machine's owner gave to this node's owner. Errors: kUnauthorized, kLimit.
  Status add_received(object::Signed<object::Grant> grant);
  /// Of a grant to compute whether it ended a while ago, so that nothing asks for it any more.
  static bool long_over(const object::Grant& grant, Instant now);
  /// Forgets those, and names them: machines that come and go leave many.
  std::vector<object::Signed<object::Grant>> drop_ended(Instant now);
  /// Keeps the policy with the highest serial of each zone. Errors: kUnauthorized, kLimit, kExists (an older one).
  Status add_policy(object::Signed<object::ZonePolicy> policy);
  /// Keeps the newest statement of each owner. The caller has seen that its issuer speaks for that owner. Errors: kLimit, kExists.
  Status add_head(object::Signed<object::RevocationHead> head);
  const object::Signed<object::RevocationHead>* head(const crypto::PublicKey& owner) const;
  /// Whether this machine's owner ever granted `origin` something, or `owner` granted this node's owner something.
  bool knows_origin(const crypto::PublicKey& origin) const;
  bool knows_owner(const crypto::PublicKey& owner) const;
  Status add_revocation(const object::Signed<object::Revocation>& revocation) { return revocations_.add(revocation); }

  /// May `actor`, a session peer with this record, act on `objects` of `zone` held here? The grant of the record's owner
  /// and the zone's policy must both cover it; for another origin's data a chain of capabilities that ends with the actor is needed.
  /// `operations`: what it amounts to besides, such as "secret.release".
  Result<object::Authorization> may_use_storage(Instant now, const object::Signed<object::NodeRecord>& actor,
                                                const crypto::PublicKey& origin, const object::ZoneId& zone, object::VerbSet verbs,
                                                const std::vector<object::ObjectId>& objects, uint64_t bytes_in_all,
                                                const std::vector<object::Signed<object::Capability>>& capabilities,
                                                const object::Signed<object::NodeRecord>* origin_record,
                                                std::vector<std::string_view> operations = {});
  /// May this offer, brought by `actor`, be run here?
  Result<object::Authorization> may_run(Instant now, const object::Signed<object::NodeRecord>& actor,
                                        const object::Signed<object::TaskOffer>& offer);

  const object::Signed<object::Grant>* given(const object::ObjectId& id) const;
  const object::Signed<object::Grant>* received(const object::ObjectId& id) const;
  const std::map<object::ObjectId, object::Signed<object::Grant>>& all_given() const { return given_; }
  const std::map<object::ObjectId, object::Signed<object::Grant>>& all_received() const { return received_; }
  /// The grant in force by which `node` serves this owner with `classes`, or nullptr.
  const object::Signed<object::Grant>* granted_by(Instant now, const crypto::PublicKey& node, object::ClassSet classes) const;
  /// Whether `node` ever granted this owner anything, as far as is known here.
  bool knows_grant_of(const crypto::PublicKey& node) const;
  bool revoked(const object::Signed<object::Grant>& grant, Instant now) const;
  /// Whether this very grant was taken back, by its owner or its machine.
  bool taken_back(const object::Signed<object::Grant>& grant, Instant now) const;
  /// Whether this node's owner took trust in a node back: nothing is asked of it and nothing taken from it.
  bool revoked_node(const crypto::PublicKey& node, Instant now) const;
  /// Whether a grant in force lets `origin` use this machine with `classes`.
  bool serves(Instant now, const crypto::PublicKey& origin, object::ClassSet classes) const;
  /// The grant in force that gives `origin` something here with `classes`; of several the one that ends last. nullptr: none.
  const object::Signed<object::Grant>* lease_of(Instant now, const crypto::PublicKey& origin, object::ClassSet classes) const;
  const object::Signed<object::ZonePolicy>* policy(const object::ZoneId& zone) const;
  const std::map<object::ZoneId, object::Signed<object::ZonePolicy>>& policies() const { return policies_; }
  const object::RevocationSet& revocations() const { return revocations_; }

 private:
  /// The grant in force for `origin` on this machine with `classes`; the one that ends last. nullptr: none.
  const object::Signed<object::Grant>* given_to(Instant now, const crypto::PublicKey& origin, object::ClassSet classes) const;

  crypto::PublicKey owner_;
  crypto::PublicKey node_;
  const crypto::Verifier& verifier_;
  std::optional<object::Signed<object::NodeRecord>> record_;
  object::PowerState power_;
  std::map<object::ObjectId, object::Signed<object::Grant>> given_;
  std::map<object::ObjectId, object::Signed<object::Grant>> received_;
  std::map<object::ZoneId, object::Signed<object::ZonePolicy>> policies_;
  std::map<crypto::PublicKey, object::Signed<object::RevocationHead>> heads_;
  object::RevocationSet revocations_;
};

}  // namespace selvedge::node
