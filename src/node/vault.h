// Vault: the part of a node that holds shares of others' secrets, and gives one out only when it should.
//
// A share is held for an origin that has a storage grant here. It leaves for a signed request of a session peer, if authorize() says so for
// this very secret, if the asker has not asked too often, and after the audit log has it on disk; refusals are written there too. What leaves
// is sealed to the key in the request. Invariants: a share lies on disk sealed to this device, and is in the clear only within one call;
// it is acknowledged after the sync; a generation is given out until a later one is settled, and then erased; a share that does
// not fit the owner's commitments is not taken in the first place.
#pragma once

#include <functional>

#include "base/token_bucket.h"
#include "node/core.h"
#include "node/secret_messages.h"

namespace selvedge::node {

constexpr size_t kSharesHeldMax = 4096;
constexpr size_t kSharesPerOriginMax = 256;
constexpr size_t kShareBytesHeldMax = 64u << 20;
/// One asker may ask this often for one secret: so many at once, then one more each time. k holders that answer without end would be an
/// oracle for whoever steals the asker's device.
constexpr uint32_t kReleaseBurst = 8;
constexpr Duration kReleaseEvery = seconds(30);
constexpr size_t kReleaseBucketsMax = 4096;
/// Refusals of whoever asks without right, written to the audit log at most so often: a stranger must not fill it.
constexpr uint32_t kRefusalBurst = 100;
constexpr Duration kRefusalEvery = seconds(36);
/// Requests answered and still valid: none is answered twice.
constexpr size_t kReleaseNoncesMax = 4096;

/// A share as it lies on disk.
struct HeldShare {
  Bytes manifest;  // signed
  Bytes sealed;    // to this device
  bool settled = false;
  template <class V> void visit(V& v) { v("manifest", manifest); v("sealed", sealed); v("settled", settled); }
};

class Vault {
 public:
  explicit Vault(Core& core) : core_(core) {}

  /// At start: what is on disk.
  void restore(Turn& turn);
  void on_store(Turn& turn, const NodeKey& from, const ShareStore& message);
  void on_settle(Turn& turn, const NodeKey& from, const ShareSettle& message);
  void on_ask(Turn& turn, const NodeKey& from, const ShareAsk& message);
  void on_reshare(Turn& turn, const NodeKey& from, const ReshareAsk& message);
  /// Erases what has expired.
  void on_deadline(Turn& turn);
  Instant next_deadline() const;
  size_t held() const { return shares_.size(); }

 private:
  using Manifest = object::Signed<object::SecretManifest>;
  struct Key {
    crypto::PublicKey owner;
    object::SecretId secret;
    uint64_t generation;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    Manifest manifest;
    Bytes sealed;
    bool settled;
    size_t bytes() const { return manifest.bytes.size() + sealed.size(); }
  };
  struct BucketKey {
    NodeKey asker;
    object::SecretId secret;
    auto operator<=>(const BucketKey&) const = default;
  };

  const object::Signed<object::NodeRecord>* record_of(const NodeKey& peer) const;
  /// The question put to authorize(): `operation` is "secret.store", "secret.release" or "secret.reshare".
  Status may(Turn& turn, const object::Signed<object::NodeRecord>& actor, const object::SecretManifest& manifest, std::string_view operation,
             uint64_t bytes_more, const std::vector<Bytes>& capabilities) const;
  Result<Entry> take_in(Turn& turn, const object::Signed<object::NodeRecord>& actor, const ShareStore& message);
  Status room_for(const Manifest& manifest, size_t bytes) const;
  Result<object::SharePlain> receive(const Manifest& manifest, const object::SecretShare& share, const object::DealtShare& dealt) const;
  Result<object::SharePlain> receive(const Manifest& manifest, const object::SecretShare& share, const object::RefreshShare& refresh) const;
  Result<object::SharePlain> receive(const Manifest& manifest, const object::SecretShare& share, const object::ReshareShare& reshare) const;
  Result<object::SharePlain> open_held(const Entry& entry) const;
  Result<Bytes> answer(Turn& turn, const object::Signed<object::NodeRecord>& actor, const object::SecretRelease& release,
                       const std::vector<Bytes>& capabilities);
  Result<ReshareDealt> deal(Turn& turn, const object::Signed<object::NodeRecord>& actor, const object::SecretReshare& order);
  Status not_too_often(Instant now, const NodeKey& asker, const object::SecretId& secret);
  Status not_replayed(Instant now, const object::Unique& nonce, uint64_t expires);
  void audit(Turn& turn, const object::SecretVerdict& verdict);
  template <class Message>
  void send_audited(Turn& turn, const NodeKey& to, Message message);
  /// The newest generation that may be given out; nullptr: none.
  const Entry* newest(const crypto::PublicKey& owner, const object::SecretId& secret) const;
  const Entry* find(const crypto::PublicKey& owner, const object::SecretId& secret, uint64_t generation) const;
  void keep(Turn& turn, const Key& key, Entry entry, Core::OnStatus then);
  void erase(Turn& turn, const Key& key, Core::OnStatus then);
  void erase_all(Turn& turn, std::vector<Key> keys, Core::OnStatus then);
  static crypto::Digest record_id(const Key& key);

  Core& core_;
  std::map<Key, Entry> shares_;
  size_t bytes_ = 0;
  std::map<BucketKey, TokenBucket> buckets_;
  std::map<object::Unique, uint64_t> nonces_;  // until when they count, in seconds
  TokenBucket refusals_{kRefusalBurst, kRefusalEvery};
};

}  // namespace selvedge::node
