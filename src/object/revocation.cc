#include "object/revocation.h"

#include <algorithm>

#include "crypto/hash.h"
#include "object/validate.h"

namespace selvedge::object {
namespace {

/// RFC 6962 2.1.
Digest leaf_hash(const RevokedId& target, RevocationTarget kind, uint64_t cutoff) {
  codec::Writer leaf;
  leaf.put_array(3);
  leaf.put_bytes(target);
  leaf.put_unsigned(uint64_t(kind));
  leaf.put_unsigned(cutoff);
  const uint8_t prefix = 0;
  return crypto::Sha256().update({&prefix, 1}).update(leaf.bytes()).finish();
}

Digest tree_root(std::span<const Digest> leaves) {
  if (leaves.empty()) return crypto::sha256({});
  if (leaves.size() == 1) return leaves[0];
  size_t split = 1;
  while (split * 2 < leaves.size()) split *= 2;
  const uint8_t prefix = 1;
  return crypto::Sha256().update({&prefix, 1}).update(tree_root(leaves.first(split))).update(tree_root(leaves.subspan(split))).finish();
}

}  // namespace

Status RevocationSet::add(const Signed<Revocation>& revocation) {
  const Revocation& body = revocation.body;
  const Key key{body.target, body.target_kind, body.issuer};
  const auto it = entries_.find(key);
  if (it != entries_.end()) {
    if (body.cutoff < it->second.cutoff) {
      it->second.cutoff = body.cutoff;
      ++generation_;
    }
    it->second.issued = std::max(it->second.issued, body.issued);
    return ok();
  }
  const auto count = [this](const PublicKey& issuer) {
    const auto of = by_issuer_.find(issuer);
    return of == by_issuer_.end() ? size_t(0) : of->second.size();
  };
  const size_t of_owner = count(owner_);
  const size_t of_issuer = count(body.issuer);
  const bool full = body.issuer == owner_ ? of_owner >= kRevocationsOfOwnerMax
                                          : of_issuer >= kRevocationsPerIssuerMax || entries_.size() - of_owner >= kRevocationsMax;
  if (full) {
    return fail(Errc::kLimit, "there is no room for this revocation: what it names stays usable here until old ones are pruned");
  }
  entries_.emplace(key, Entry{body.cutoff, body.issued});
  by_issuer_[body.issuer].insert(key);
  ++generation_;
  return ok();
}

bool RevocationSet::revoked_by(const PublicKey& issuer, RevocationTarget kind, ByteView target, Instant now) const {
  if (target.size() != RevokedId::kSize) return false;
  Key key{{}, kind, issuer};
  std::memcpy(key.target.bytes.data(), target.data(), RevokedId::kSize);
  const auto it = entries_.find(key);
  return it != entries_.end() && it->second.cutoff <= now.unix_seconds();
}

bool RevocationSet::mentions(ByteView target) const {
  if (entries_.empty() || target.size() != RevokedId::kSize) return false;
  Key first{{}, RevocationTarget::kFirst, {}};
  std::memcpy(first.target.bytes.data(), target.data(), RevokedId::kSize);
  const auto it = entries_.lower_bound(first);
  return it != entries_.end() && it->first.target == first.target;
}

bool RevocationSet::out_of_date(const Key& key, const Entry& entry, uint64_t now) {
  constexpr uint64_t kKeep = kCapabilityTtlMax + kDay;  // no capability lives longer
  if (key.kind != RevocationTarget::kCapability) return false;
  // A revocation that has yet to take effect counts from its cutoff.
  const uint64_t since = std::max(entry.issued, entry.cutoff);
  return since + kKeep >= since && since + kKeep <= now;
}

size_t RevocationSet::prune(Instant now) {
  size_t dropped = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (!out_of_date(it->first, it->second, now.unix_seconds())) {
      ++it;
      continue;
    }
    const auto of = by_issuer_.find(it->first.issuer);
    of->second.erase(it->first);
    if (of->second.empty()) by_issuer_.erase(of);
    it = entries_.erase(it);
    ++dropped;
  }
  return dropped;
}

RevocationSet::Root RevocationSet::root_of(const PublicKey& owner, uint64_t as_of) const {
  std::vector<Digest> leaves;
  const auto of = by_issuer_.find(owner);
  if (of != by_issuer_.end()) {
    for (const Key& key : of->second) {
      const Entry& entry = entries_.at(key);
      if (entry.issued > as_of || out_of_date(key, entry, as_of)) continue;
      leaves.push_back(leaf_hash(key.target, key.kind, entry.cutoff));
    }
  }
  return {leaves.size(), tree_root(leaves)};
}

Status RevocationHead::validate() const {
  TRY(check_keys("a revocation head", {&owner, &issuer}));
  if (as_of == 0) return invalid("a revocation head says as of when it is");
  return ok();
}

}  // namespace selvedge::object
