#include "object/identity_budget.h"

#include <algorithm>

#include "object/identity.h"

namespace selvedge::object {
namespace {

std::string wait_text(Instant now, Instant until) {
  return std::to_string(std::max<int64_t>(1, (until - now).ms() / 1000 + 1)) + " s";
}

}  // namespace

uint32_t Bucket::left(Instant now) const {
  if (full_at_ <= now) return rate_.burst;
  const int64_t missing = (full_at_ - now).ns;
  const int64_t taken = (missing + rate_.refill.ns - 1) / rate_.refill.ns;
  return taken >= int64_t(rate_.burst) ? 0 : rate_.burst - uint32_t(taken);
}

Instant Bucket::next(Instant now) const {
  const Duration deepest = rate_.refill * int64_t(rate_.burst - 1);
  return std::max(full_at_, now) - deepest;
}

void Bucket::take(Instant now) {
  CHECK(left(now) > 0);
  full_at_ = std::max(full_at_, now) + rate_.refill;
}

Result<PrivacyBudget::Origin*> PrivacyBudget::origin_entry(Instant now, const PublicKey& origin) {
  if (Origin* found = origins_.find(origin)) return found;
  if (origins_.full()) {
    // Whoever has nothing spent loses nothing by being forgotten: the one that was quiet the longest goes.
    auto oldest = origins_.end();
    for (auto it = origins_.begin(); it != origins_.end(); ++it) {
      if (it->second.bucket.full(now) && (oldest == origins_.end() || it->second.last < oldest->second.last)) oldest = it;
    }
    if (oldest == origins_.end()) {
      return fail(Errc::kLimit, "too many origins ask this node for its identity: wait until some have been quiet for a while");
    }
    origins_.erase(oldest);
  }
  Origin* made = origins_.insert(origin, Origin{Bucket(per_origin_), now, 0, 0, {}});
  CHECK(made != nullptr);
  return made;
}

Status PrivacyBudget::spend(Instant now, const PublicKey& origin, std::string_view purpose) {
  TRY(check_purpose(purpose));
  // Everyone's share first: when it is spent, new origins do not even get a place in the list.
  if (all_.left(now) == 0) {
    return fail(Errc::kQuota, "this node has said who it is often enough for now, to all origins together: the next time in " + wait_text(now, all_.next(now)));
  }
  Origin& entry = *TRY(origin_entry(now, origin));
  const bool known = entry.purposes.count(std::string(purpose)) != 0;
  if (!known && entry.purposes.size() >= kPurposesPerOriginMax) {
    ++entry.refused;
    return fail(Errc::kQuota, "this origin has already asked for " + std::to_string(kPurposesPerOriginMax) + " different purposes: use one of those");
  }
  if (entry.bucket.left(now) == 0) {
    ++entry.refused;
    return fail(Errc::kQuota, "this origin has used up its share of identity requests: the next one in " + wait_text(now, entry.bucket.next(now)));
  }
  entry.bucket.take(now);
  all_.take(now);
  entry.purposes.insert(std::string(purpose));
  entry.last = now;
  ++entry.asked;
  return ok();
}

uint32_t PrivacyBudget::left(Instant now, const PublicKey& origin) const {
  const Origin* found = origins_.find(origin);
  return std::min(all_.left(now), found != nullptr ? found->bucket.left(now) : per_origin_.burst);
}

std::vector<OriginBudget> PrivacyBudget::list(Instant now) const {
  std::vector<OriginBudget> out;
  for (const auto& [key, entry] : origins_) {
    out.push_back({key, entry.bucket.left(now), entry.asked, entry.refused, {entry.purposes.begin(), entry.purposes.end()}});
  }
  return out;
}

}  // namespace selvedge::object
