// RevocationSet: every verified revocation this node knows, asked before each use.
//
// It answers one question: has `issuer` taken back `target`, as of now? Whose word counts is the caller's: authorize() asks for
// the two roots of a use (machine owner, data owner), for whoever signed the object, and for a key about itself. So a stranger's
// revocation lies here without effect. The set is bounded per issuer and in all, and what the node's own owner revokes always
// has room, so that strangers cannot crowd it out.
#pragma once

#include <map>
#include <set>

#include "base/time.h"
#include "object/envelope.h"
#include "object/kinds.h"

namespace selvedge::object {

inline constexpr size_t kRevocationsMax = 65'536;
inline constexpr size_t kRevocationsPerIssuerMax = 4096;
inline constexpr size_t kRevocationsOfOwnerMax = 65'536;

/// How old a head may be at most, whatever a policy says.
inline constexpr uint64_t kRevocationHeadAgeMax = 30 * kDay;

/// The state of one owner's revocations at one time: whoever shows it can prove that something was *not* revoked by then, to a checker who
/// holds the same revocations. Signed by the owner or one of the owner's nodes, again and again: its age is what a policy bounds.
struct RevocationHead {
  static constexpr std::string_view kName = "RevocationHead";
  static constexpr uint16_t kVersion = 1;
  PublicKey owner;
  PublicKey issuer;
  uint64_t count = 0;  // revocations that are in force and not out of date by `as_of`
  Digest root;         // RevocationSet::root_of(owner, as_of)
  uint64_t as_of = 0;  // Unix seconds

  template <class V>
  void visit(V& v) {
    v("owner", owner);
    v("issuer", issuer);
    v("count", count);
    v("root", root);
    v("as_of", as_of);
  }
  const PublicKey& author() const { return issuer; }
  Status validate() const;
};

class RevocationSet {
 public:
  /// `owner` is the owner of this node (for a checker that is no node: any key it trusts most).
  explicit RevocationSet(const PublicKey& owner) : owner_(owner) {}

  /// Adding one twice is no error; of two for one target the earlier cutoff counts.
  /// Errors: kLimit when there is no more room: the caller raises an alert, because an ignored revocation is dangerous.
  Status add(const Signed<Revocation>& revocation);

  /// True when `issuer` revoked `target` with a cutoff that `now` has reached.
  bool revoked_by(const PublicKey& issuer, RevocationTarget kind, ByteView target, Instant now) const;
  /// Whether anybody at all revoked something of this name: the quick no of nearly every question.
  bool mentions(ByteView target) const;
  /// Counts additions: an Authorization that was cached under another generation is asked for again.
  uint64_t generation() const { return generation_; }
  size_t size() const { return entries_.size(); }
  /// Drops revocations of capabilities that are so old that what they name has expired by itself, and returns how many.
  /// Keys, principals, devices and objects (whose bytes may lie somewhere for ever) stay revoked.
  size_t prune(Instant now);

  struct Root {
    uint64_t count = 0;
    Digest root;
  };
  /// The Merkle root (RFC 6962 2.1) over one owner's revocations, sorted by target and kind, without capabilities' that are out of date by
  /// `as_of`: pruning does not change it.
  Root root_of(const PublicKey& owner, uint64_t as_of) const;

 private:
  struct Key {
    RevokedId target;  // first, so that mentions() is one search
    RevocationTarget kind;
    PublicKey issuer;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    uint64_t cutoff;
    uint64_t issued;
  };
  static bool out_of_date(const Key& key, const Entry& entry, uint64_t now);

  PublicKey owner_;
  uint64_t generation_ = 0;
  std::map<Key, Entry> entries_;
  std::map<PublicKey, std::set<Key>> by_issuer_;
};

}  // namespace selvedge::object
