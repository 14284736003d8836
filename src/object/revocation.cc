#include "object/revocation.h"

#include <algorithm>

namespace selvedge::object {

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
  const size_t of_owner = counts_.count(owner_) ? counts_[owner_] : 0;
  const auto count = counts_.find(body.issuer);
  const size_t of_issuer = count == counts_.end() ? 0 : count->second;
  const bool full = body.issuer == owner_ ? of_owner >= kRevocationsOfOwnerMax
                                          : of_issuer >= kRevocationsPerIssuerMax || entries_.size() - of_owner >= kRevocationsMax;
  if (full) {
    return fail(Errc::kLimit, "there is no room for this revocation: what it names stays usable here until old ones are pruned");
  }
  entries_.emplace(key, Entry{body.cutoff, body.issued});
  ++counts_[body.issuer];
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

size_t RevocationSet::prune(Instant now) {
  constexpr uint64_t kKeep = kCapabilityTtlMax + kDay;  // no capability lives longer
  size_t dropped = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const bool capability = it->first.kind == RevocationTarget::kCapability;
    // A revocation that has yet to take effect counts from its cutoff.
    const uint64_t since = std::max(it->second.issued, it->second.cutoff);
    if (!capability || since + kKeep < since || since + kKeep > now.unix_seconds()) {
      ++it;
      continue;
    }
    const auto count = counts_.find(it->first.issuer);
    if (--count->second == 0) counts_.erase(count);
    it = entries_.erase(it);
    ++dropped;
  }
  return dropped;
}

}  // namespace selvedge::object
