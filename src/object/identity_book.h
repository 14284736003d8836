// TokenBook: which identity tokens a node has out, and which of them still stand.
//
// A token ends by time, or earlier with the lease it is bound to: whoever revokes the lease calls invalidate(), and gets back the tokens
// that stood until then, to tell their origin. A node asks stands() before it acts on a token of its own. Tokens live minutes, so the book
// is small; it is not written down, because a node that starts again shows new tokens. spec: WF 4.1.3
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bounded.h"
#include "base/time.h"
#include "object/identity.h"

namespace selvedge::object {

inline constexpr size_t kTokensOutMax = 1024;

struct IssuedToken {
  ObjectId id;
  PublicKey origin;
  PublicKey node_id;
  IdentityTier tier = IdentityTier::kSoftware;
  std::string purpose;
  std::optional<ObjectId> lease;  // the grant, in clear: this is the node's own book
  uint64_t period = 0;
  uint64_t issued = 0;
  uint64_t expires = 0;
  bool invalidated = false;
};

class TokenBook {
 public:
  TokenBook() : tokens_(kTokensOutMax) {}

  /// Errors: kInvalid (the token is bound to another lease than `lease`), kLimit (too many out: wait until some expire).
  Status add(const Signed<IdentityToken>& token, const std::optional<ObjectId>& lease, uint64_t period, Instant now);
  /// Every token bound to `lease` falls. Returns those that stood until now.
  std::vector<IssuedToken> invalidate(const ObjectId& lease, Instant now);
  /// One token, by its owner's wish. Errors: kNotFound (none of this node's that stands).
  Result<IssuedToken> withdraw(const ObjectId& token, Instant now);
  bool stands(const ObjectId& token, Instant now) const;
  /// Those not yet expired, invalidated ones among them, by id.
  std::vector<IssuedToken> list(Instant now) const;
  /// Forgets what has expired.
  void sweep(Instant now);

 private:
  BoundedMap<ObjectId, IssuedToken> tokens_;
};

}  // namespace selvedge::object
