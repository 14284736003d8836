// The local API for secrets (docs/api.md, docs/spec/secrets.md).
//
// The node never sees a secret or a share in the clear: the command splits and combines, and what passes here is sealed to the
// holders on the way out and to a key of the command on the way back. Bytes are hexadecimal.
#pragma once

#include <string>
#include <vector>

#include "object/secret.h"

namespace selvedge::node {

/// Who could hold a share: asked before splitting. `holders` are node keys, or as much of their beginning as names one.
struct SecretPrepareRequest {
  static constexpr const char* kMethod = "secret.prepare";
  std::string name;
  std::vector<std::string> holders;
  uint32_t threshold = 0;
  bool one_owner = false;  // let one other owner's machines hold as many shares as it takes
  template <class V> void visit(V& v) { v("name", name); v("holders", holders); v("threshold", threshold); v("one_owner", one_owner); }
};
/// Takes over what was split: signs it, gives each holder its share, and answers when all of them have it on disk.
struct SecretStoreRequest {
  static constexpr const char* kMethod = "secret.store";
  std::string name;
  std::string secret;                    // its id
  std::string scheme;                    // shamir, feldman or pedersen
  uint32_t threshold = 0;
  std::vector<std::string> holders;
  std::vector<std::string> commitments;
  std::string sealed;
  std::vector<std::string> shares;       // sealed to each holder
  uint64_t seconds = 365 * object::kDay;
  bool one_owner = false;
  template <class V> void visit(V& v) {
    v("name", name); v("secret", secret); v("scheme", scheme); v("threshold", threshold); v("holders", holders); v("commitments", commitments);
    v("sealed", sealed); v("shares", shares); v("seconds", seconds); v("one_owner", one_owner);
  }
};
/// Asks as many holders for their shares as it takes.
struct SecretReleaseRequest {
  static constexpr const char* kMethod = "secret.release";
  std::string name;
  std::string purpose;
  std::string scope;
  std::string reply_key;                 // what the shares are sealed to
  std::vector<std::string> without;      // node keys of holders whose share was no good
  template <class V> void visit(V& v) { v("name", name); v("purpose", purpose); v("scope", scope); v("reply_key", reply_key); v("without", without); }
};
struct SecretListRequest { static constexpr const char* kMethod = "secret.list"; template <class V> void visit(V&) {} };
struct SecretRefreshRequest {
  static constexpr const char* kMethod = "secret.refresh";
  std::string name;
  template <class V> void visit(V& v) { v("name", name); }
};
struct SecretReshareRequest {
  static constexpr const char* kMethod = "secret.reshare";
  std::string name;
  uint32_t threshold = 0;
  std::vector<std::string> holders;
  bool one_owner = false;
  template <class V> void visit(V& v) { v("name", name); v("threshold", threshold); v("holders", holders); v("one_owner", one_owner); }
};
struct SecretRemoveRequest {
  static constexpr const char* kMethod = "secret.remove";
  std::string name;
  template <class V> void visit(V& v) { v("name", name); }
};
/// Lets another node ask for the secret, until then; and takes that back.
struct SecretAllowRequest {
  static constexpr const char* kMethod = "secret.allow";
  std::string name;
  std::string node;
  uint64_t seconds = 3600;
  template <class V> void visit(V& v) { v("name", name); v("node", node); v("seconds", seconds); }
};
struct SecretDenyRequest {
  static constexpr const char* kMethod = "secret.deny";
  std::string name;
  std::string node;
  template <class V> void visit(V& v) { v("name", name); v("node", node); }
};

// ---- answers

struct SecretHolderInfo {
  uint32_t number = 0;
  crypto::PublicKey node;
  crypto::PublicKey owner;
  crypto::SealPublicKey seal_key;        // only from secret.prepare
  bool connected = false;
  template <class V> void visit(V& v) { v("number", number); v("node", node); v("owner", owner); v("seal_key", seal_key); v("connected", connected); }
};
struct SecretPrepareAnswer {
  crypto::PublicKey owner;
  object::ZoneId zone;
  std::vector<SecretHolderInfo> holders;
  template <class V> void visit(V& v) { v("owner", owner); v("zone", zone); v("holders", holders); }
};
struct SecretInfo {
  std::string name;
  object::SecretId id;
  crypto::PublicKey owner;
  bool own = false;
  std::string scheme;
  uint32_t threshold = 0;
  uint64_t generation = 0;
  uint64_t bytes = 0;
  uint64_t issued = 0;
  uint64_t expires = 0;
  uint32_t unsettled = 0;                // holders that have not yet erased what they should
  std::vector<SecretHolderInfo> holders;
  std::vector<crypto::PublicKey> allowed;  // other nodes that may ask for it
  template <class V> void visit(V& v) {
    v("name", name); v("id", id); v("owner", owner); v("own", own); v("scheme", scheme); v("threshold", threshold); v("generation", generation);
    v("bytes", bytes); v("issued", issued); v("expires", expires); v("unsettled", unsettled); v("holders", holders); v("allowed", allowed);
  }
};
struct SecretListAnswer {
  std::vector<SecretInfo> secrets;
  template <class V> void visit(V& v) { v("secrets", secrets); }
};
struct ReleasedShare {
  uint32_t number = 0;
  crypto::PublicKey node;
  std::string sealed;
  template <class V> void visit(V& v) { v("number", number); v("node", node); v("sealed", sealed); }
};
struct SecretRefusal {
  crypto::PublicKey node;
  std::string why;
  template <class V> void visit(V& v) { v("node", node); v("why", why); }
};
struct SecretReleaseAnswer {
  std::string manifest;                  // the signed object
  object::Unique nonce;                  // of the request that the holders answered
  std::vector<ReleasedShare> shares;
  std::vector<SecretRefusal> refused;
  template <class V> void visit(V& v) { v("manifest", manifest); v("nonce", nonce); v("shares", shares); v("refused", refused); }
};
struct SecretLeaveAnswer {
  crypto::Digest capability;
  crypto::PublicKey node;
  uint64_t expires = 0;
  template <class V> void visit(V& v) { v("capability", capability); v("node", node); v("expires", expires); }
};

}  // namespace selvedge::node
