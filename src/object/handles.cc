#include "object/handles.h"

#include "crypto/hash.h"

namespace selvedge::object {
namespace {

/// One message for every reason, so that an answer does not tell whether a handle exists.
Error no_such_handle() { return fail(Errc::kUnauthorized, "this handle stands for nothing here"); }

}  // namespace

Digest HandleTable::digest_of(const Handle& handle) const { return crypto::hmac_sha256(key_.view(), handle); }

Result<Handle> HandleTable::issue(const HandleScope& scope, Authorization authorization, Instant now) {
  if (now.unix_seconds() >= authorization.expires) return fail(Errc::kExpired, "what the handle is to stand for has expired");
  if (entries_.full()) sweep(now);
  const auto of_origin = per_origin_.find(scope.origin);
  if (entries_.full() || (of_origin != per_origin_.end() && of_origin->second >= kHandlesPerOriginMax)) {
    return fail(Errc::kLimit, "too many handles are out: end some domains or sessions first");
  }
  const Handle handle = drbg_.draw<Handle>();
  CHECK(entries_.insert(digest_of(handle), Entry{scope, std::move(authorization)}) != nullptr);
  ++per_origin_[scope.origin];
  return handle;
}

const HandleTable::Entry* HandleTable::find(const Handle& handle, const HandleScope& scope) const {
  const Entry* entry = entries_.find(digest_of(handle));
  return entry != nullptr && entry->scope == scope ? entry : nullptr;
}

Result<Authorization> HandleTable::resolve(const Handle& handle, const HandleScope& scope, const RevocationSet& revocations, Instant now) const {
  const Entry* entry = find(handle, scope);
  if (entry == nullptr) return no_such_handle();
  if (now.unix_seconds() >= entry->authorization.expires) return fail(Errc::kExpired, "what this handle stood for has expired");
  if (!entry->authorization.holds(now, revocations)) return fail(Errc::kRevoked, "something was revoked since this handle was issued: it has to be decided again");
  return entry->authorization;
}

Status HandleTable::renew(const Handle& handle, const HandleScope& scope, Authorization authorization) {
  if (find(handle, scope) == nullptr) return no_such_handle();
  entries_.find(digest_of(handle))->authorization = std::move(authorization);
  return ok();
}

template <class Which>
size_t HandleTable::drop_if(Which which) {
  size_t dropped = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (!which(it->second)) {
      ++it;
      continue;
    }
    const auto of_origin = per_origin_.find(it->second.scope.origin);
    if (--of_origin->second == 0) per_origin_.erase(of_origin);
    it = entries_.erase(it);
    ++dropped;
  }
  return dropped;
}

bool HandleTable::drop(const Handle& handle) {
  const Entry* found = entries_.find(digest_of(handle));
  return found != nullptr && drop_if([found](const Entry& entry) { return &entry == found; }) == 1;
}

size_t HandleTable::drop_lease(const ObjectId& lease) {
  return drop_if([&lease](const Entry& entry) { return entry.scope.lease == lease; });
}

size_t HandleTable::drop_domain(uint64_t domain) {
  return drop_if([domain](const Entry& entry) { return entry.scope.domain == domain; });
}

size_t HandleTable::sweep(Instant now) {
  return drop_if([now](const Entry& entry) { return now.unix_seconds() >= entry.authorization.expires; });
}

}  // namespace selvedge::object
