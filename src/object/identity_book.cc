#include "object/identity_book.h"

namespace selvedge::object {
namespace {

bool token_lives(const IssuedToken& token, Instant now) { return now.unix_seconds() < token.expires; }

}  // namespace

Status TokenBook::add(const Signed<IdentityToken>& token, const std::optional<ObjectId>& lease, uint64_t period, Instant now) {
  const IdentityToken& body = token.body;
  std::optional<Digest> bound;
  if (lease) bound = lease_binding(*lease, body.node_id, body.nonce);
  if (body.lease != bound) return fail(Errc::kInvalid, "the identity token is bound to another lease than it is booked under");
  if (tokens_.full()) sweep(now);
  IssuedToken entry{token.id, body.origin, body.node_id, body.tier, body.purpose, lease, period, body.issued, body.expires, false};
  if (tokens_.insert(token.id, std::move(entry)) == nullptr) {
    return fail(Errc::kLimit, "this node has " + std::to_string(kTokensOutMax) + " identity tokens out: wait until some have expired");
  }
  return ok();
}

std::vector<IssuedToken> TokenBook::invalidate(const ObjectId& lease, Instant now) {
  std::vector<IssuedToken> fallen;
  for (auto& [id, token] : tokens_) {
    if (token.lease != lease || token.invalidated) continue;
    token.invalidated = true;
    if (token_lives(token, now)) fallen.push_back(token);
  }
  return fallen;
}

Result<IssuedToken> TokenBook::withdraw(const ObjectId& token, Instant now) {
  if (!stands(token, now)) return fail(Errc::kNotFound, "there is no such identity token in force: selvedge identity list shows them");
  IssuedToken& found = *tokens_.find(token);
  found.invalidated = true;
  return found;
}

bool TokenBook::stands(const ObjectId& token, Instant now) const {
  const IssuedToken* found = tokens_.find(token);
  return found != nullptr && !found->invalidated && token_lives(*found, now);
}

std::vector<IssuedToken> TokenBook::list(Instant now) const {
  std::vector<IssuedToken> out;
  for (const auto& [id, token] : tokens_) {
    if (token_lives(token, now)) out.push_back(token);
  }
  return out;
}

void TokenBook::sweep(Instant now) {
  for (auto it = tokens_.begin(); it != tokens_.end();) {
    if (token_lives(it->second, now)) ++it;
    else it = tokens_.erase(it);
  }
}

}  // namespace selvedge::object
