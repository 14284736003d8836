// PrivacyBudget: how often a node lets itself be asked who it is.
//
// Each answer tells an origin something: that the node is there, that it is of a tier, that it asked just now. So requests are counted,
// refused ones and failed ones too where they told something: one bucket for each origin, and one for all of them together, so that many
// made-up origins get no further than one. Every request says what it is for, and an origin that keeps inventing purposes is refused.
// A pure machine: it knows only the time it is handed. Buckets are refilled evenly, so that no moment is worth waiting for.
// Who calls: whatever issues tokens (node/), before anything else is done for the request. spec: WF 4.1.2
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/bounded.h"
#include "base/time.h"
#include "object/ids.h"

namespace selvedge::object {

inline constexpr size_t kBudgetOriginsMax = 256;
inline constexpr size_t kPurposesPerOriginMax = 8;

/// `burst` at once, then one each `refill`.
struct BudgetRate {
  uint32_t burst;
  Duration refill;
};
/// Renewing a token of default life takes 12 an hour.
inline constexpr BudgetRate kBudgetPerOrigin{12, seconds(150)};
inline constexpr BudgetRate kBudgetInAll{48, seconds(30)};

/// A token bucket that is one instant: when it will be full again.
class Bucket {
 public:
  explicit Bucket(BudgetRate rate) : rate_(rate) {}
  uint32_t left(Instant now) const;
  /// When one is left again; `now` or earlier when one is.
  Instant next(Instant now) const;
  bool full(Instant now) const { return full_at_ <= now; }
  /// One must be left.
  void take(Instant now);

 private:
  BudgetRate rate_;
  Instant full_at_;
};

struct OriginBudget {
  PublicKey origin;
  uint32_t left = 0;
  uint64_t asked = 0;
  uint64_t refused = 0;
  std::vector<std::string> purposes;
};

class PrivacyBudget {
 public:
  PrivacyBudget(BudgetRate per_origin, BudgetRate in_all) : per_origin_(per_origin), all_(in_all), origins_(kBudgetOriginsMax) {}
  PrivacyBudget() : PrivacyBudget(kBudgetPerOrigin, kBudgetInAll) {}

  /// Pays for one request. Errors: kInvalid (a bad purpose), kQuota (this origin's share or everyone's is spent: when the next is to be had;
  /// or too many purposes), kLimit (too many origins ask).
  Status spend(Instant now, const PublicKey& origin, std::string_view purpose);

  uint32_t left(Instant now, const PublicKey& origin) const;
  uint32_t left_in_all(Instant now) const { return all_.left(now); }
  /// What each origin has asked lately, by key.
  std::vector<OriginBudget> list(Instant now) const;

 private:
  struct Origin {
    Bucket bucket;
    Instant last;
    uint64_t asked = 0;
    uint64_t refused = 0;
    std::set<std::string> purposes;
  };
  Result<Origin*> origin_entry(Instant now, const PublicKey& origin);
  BudgetRate per_origin_;
  Bucket all_;
  BoundedMap<PublicKey, Origin> origins_;
};

}  // namespace selvedge::object
