// HandleTable: what is handed across a border instead of authority itself.
//
// A domain, a session or a program in a browser never holds a grant or a key; it holds sixteen random bytes that mean something to the node
// that made them, and only together with whom they were made for: one origin, one lease, one domain. Whoever guesses, copies, keeps or alters
// a handle gets the same answer as someone who never had one. A handle ends with its lease, with its domain, with the time its
// authorization ends, and it asks to be decided anew as soon as any revocation has come in: revocation bites at once.
// The table keeps a keyed digest of each handle, never the handle: finding one compares digests that nobody outside can choose, so that the time
// it takes tells nothing about the handles there are. It moves and never copies. spec: WF 4.3.3
#pragma once

#include "base/bounded.h"
#include "base/time.h"
#include "crypto/drbg.h"
#include "object/authorize.h"

namespace selvedge::object {

struct HandleTag;
/// Opaque, unguessable, and worthless outside its scope. Not for logs.
using Handle = FixedBytes<HandleTag, 16>;

inline constexpr size_t kHandlesMax = 16'384;
inline constexpr size_t kHandlesPerOriginMax = 4096;

/// Whom a handle is for. All three must match.
struct HandleScope {
  PublicKey origin;
  ObjectId lease;       // the grant; zero on an owner's own machine
  uint64_t domain = 0;  // the node's number for the domain or session

  bool operator==(const HandleScope&) const = default;
};

class HandleTable {
 public:
  explicit HandleTable(crypto::Drbg drbg) : drbg_(std::move(drbg)), key_(drbg_.seed()), entries_(kHandlesMax) {}
  HandleTable(HandleTable&&) noexcept = default;
  HandleTable& operator=(HandleTable&&) noexcept = default;

  /// Errors: kExpired (the authorization has ended already), kLimit (of all, or of this origin).
  Result<Handle> issue(const HandleScope& scope, Authorization authorization, Instant now);
  /// What the handle stands for. Errors: kUnauthorized (no such handle for this scope, whatever the reason), kExpired, kRevoked (a
  /// revocation came in since it was decided: authorize again and renew(), or drop it).
  Result<Authorization> resolve(const Handle& handle, const HandleScope& scope, const RevocationSet& revocations, Instant now) const;
  /// Puts a new decision behind a handle. Errors: kUnauthorized, as in resolve().
  Status renew(const Handle& handle, const HandleScope& scope, Authorization authorization);

  /// False when there was none.
  bool drop(const Handle& handle);
  /// How many went.
  size_t drop_lease(const ObjectId& lease);
  size_t drop_domain(uint64_t domain);
  size_t sweep(Instant now);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    HandleScope scope;
    Authorization authorization;
  };
  Digest digest_of(const Handle& handle) const;
  const Entry* find(const Handle& handle, const HandleScope& scope) const;
  template <class Which>
  size_t drop_if(Which which);

  crypto::Drbg drbg_;
  crypto::Secret<32> key_;
  BoundedMap<Digest, Entry> entries_;
  std::map<PublicKey, size_t> per_origin_;
};

}  // namespace selvedge::object
