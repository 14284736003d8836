// ZoneKeys: from a zone's secret of an epoch to the key and nonce of each symbol (ruling R12).
//
//   object key = HKDF(zone epoch key; object id, object size, symbol size)       nonce = source block and symbol number
//
// A nonce repeats only for the same symbol of the same object cut the same way under the same epoch, and such a symbol always
// has the same bytes: the ObjectId covers the content's tag. So no (key, nonce) ever seals two plaintexts. Epoch secrets follow from
// the owner's zone root, which stays with the owner's key; other devices get single epochs, sealed to them (ZoneKeyEpoch), so
// that what a lost device knew does not tell it the next one. (The node uses one epoch of one zone so far.) Executors and readers of single objects get ObjectKeys, never ZoneKeys.
#pragma once

#include <map>
#include <variant>
#include <vector>

#include "crypto/aead.h"
#include "crypto/seal.h"
#include "object/kinds.h"

namespace selvedge::object {

inline constexpr size_t kZoneEpochsMax = 4096;
inline constexpr uint32_t kEsiMax = (1u << 24) - 1;
inline constexpr size_t kZoneDevicesMax = 1024;
inline constexpr size_t kSealedEpochSizeMax = 512;
/// Objects whose keys are sealed in one task offer.
inline constexpr size_t kSealedKeysMax = 4096;

/// Which symbol of an object (R23: one 32-bit field carries SBN in 8 bits and ESI in 24). A whole object (R27) is
/// sbn 0, esi 0 with symbol_bytes 0.
struct SymbolPlace {
  uint8_t sbn = 0;
  uint32_t esi = 0;
  uint64_t object_bytes = 0;
  uint32_t symbol_bytes = 0;
  bool operator==(const SymbolPlace&) const = default;
};

/// The key of one object cut in one way under one epoch.
class ObjectKey {
 public:
  ObjectKey(const ObjectId& object, uint64_t object_bytes, uint32_t symbol_bytes, crypto::AeadKey key)
      : object_(object), object_bytes_(object_bytes), symbol_bytes_(symbol_bytes), key_(std::move(key)) {}
  const ObjectId& object() const { return object_; }
  uint64_t object_bytes() const { return object_bytes_; }
  uint32_t symbol_bytes() const { return symbol_bytes_; }
  const crypto::AeadKey& key() const { return key_; }
  ObjectKey clone() const { return {object_, object_bytes_, symbol_bytes_, key_.clone()}; }
  SymbolPlace place(uint8_t sbn, uint32_t esi) const { return {sbn, esi, object_bytes_, symbol_bytes_}; }

 private:
  ObjectId object_;
  uint64_t object_bytes_;
  uint32_t symbol_bytes_;
  crypto::AeadKey key_;
};

/// The secret of one epoch of a zone. Only who holds the root can go on to the next.
crypto::Seed zone_epoch_secret(const crypto::Seed& zone_root, const ZoneId& zone, uint64_t epoch);

/// One epoch's secret for each device that may have it, sealed with ZoneKeys::seal_epoch (spec: FM 10.2.3).
struct SealedEpoch {
  PublicKey node;
  Bytes sealed;

  template <class V>
  void visit(V& v) {
    v("node", node);
    v("sealed", sealed);
  }
};

struct ZoneKeyEpoch {
  static constexpr std::string_view kName = "ZoneKeyEpoch";
  static constexpr uint16_t kVersion = 1;
  ZoneId zone;
  PublicKey owner;
  uint64_t epoch = 0;                // from 1; the highest one seals what is new
  std::vector<SealedEpoch> devices;  // sorted by node
  std::string reason;                // why there is a new one
  uint64_t issued = 0;

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("owner", owner);
    v("epoch", epoch);
    v("devices", devices);
    v("reason", reason);
    v("issued", issued);
  }
  const PublicKey& author() const { return owner; }
  Status validate() const;
};

class ZoneKeys {
 public:
  explicit ZoneKeys(const ZoneId& zone) : zone_(zone) {}
  const ZoneId& zone() const { return zone_; }
  /// Errors: kExists when the epoch has another secret, kLimit above kZoneEpochsMax.
  Status add_epoch(uint64_t epoch, crypto::Seed secret);
  bool has_epoch(uint64_t epoch) const { return epochs_.count(epoch) != 0; }
  /// Errors: kNotFound while there is none.
  Result<uint64_t> latest_epoch() const;

  /// Errors: kNotFound for an epoch whose secret is not here.
  Result<ObjectKey> object_key(uint64_t epoch, const ObjectId& object, uint64_t object_bytes, uint32_t symbol_bytes) const;
  /// The keyed tag that BlockGroup carries: HMAC over the SHA-256 and the size of the content.
  Result<Digest> content_tag(uint64_t epoch, const Digest& content_sha256, uint64_t content_bytes) const;
  /// The epoch's secret for a device that the zone's owner authorised, sealed to it. Errors: kNotFound, kInvalid.
  Result<Bytes> seal_epoch(uint64_t epoch, const SealPublicKey& device, crypto::Drbg& drbg) const;
  /// Takes in what seal_epoch made. Errors: kUnauthorized (sealed to another device), kIntegrity, kInvalid, kExists, kLimit.
  Status open_epoch(uint64_t epoch, ByteView sealed, const crypto::SealKeyPair& device);

 private:
  ZoneId zone_;
  std::map<uint64_t, crypto::Seed> epochs_;
};

/// Encrypts a symbol in place. `place` is the key's own (ObjectKey::place), esi at most kEsiMax.
crypto::AeadTag seal_symbol(const ObjectKey& key, const SymbolPlace& place, std::span<uint8_t> symbol);
/// Errors: kInvalid when the place is not the key's, kIntegrity.
Status open_symbol(const ObjectKey& key, const SymbolPlace& place, std::span<uint8_t> symbol, const crypto::AeadTag& tag);

/// The object keys an executor needs for one task, sealed to its node (R24). `task` is bound in.
/// Errors: kLimit, kInvalid (a bad recipient key).
Result<Bytes> seal_object_keys(const std::vector<ObjectKey>& keys, const TaskId& task, const SealPublicKey& executor,
                               crypto::Drbg& drbg);
/// Errors: kUnauthorized (sealed to another node), kIntegrity, kInvalid, kLimit.
Result<std::vector<ObjectKey>> open_object_keys(ByteView sealed, const TaskId& task, const crypto::SealKeyPair& executor);

/// What an executor gets in their place when it takes several machines to let it have the keys: a secret's manifest, leave to ask its holders, and the
/// keys sealed under that secret. docs/spec/confidential.md
struct KeyLeave {
  Bytes manifest;    // a signed SecretManifest
  Bytes capability;  // a signed Capability for the executor
  Bytes locked;      // lock_object_keys()

  template <class V>
  void visit(V& v) {
    v("manifest", manifest);
    v("capability", capability);
    v("locked", locked);
  }
};
using OfferedKeys = std::variant<std::vector<ObjectKey>, KeyLeave>;
/// Errors as seal_object_keys.
Result<Bytes> seal_key_leave(const KeyLeave& leave, const TaskId& task, const SealPublicKey& executor, crypto::Drbg& drbg);
/// What either of the two made. Errors as open_object_keys.
Result<OfferedKeys> open_offered_keys(ByteView sealed, const TaskId& task, const crypto::SealKeyPair& executor);
/// The keys of a task's objects under the secret of its run, for this executor. Errors: kLimit.
Result<Bytes> lock_object_keys(const std::vector<ObjectKey>& keys, const crypto::Secret<32>& run, const TaskId& task, const PublicKey& executor, crypto::Drbg& drbg);
/// Errors: kIntegrity (another secret, task or executor), kInvalid, kLimit.
Result<std::vector<ObjectKey>> unlock_object_keys(ByteView locked, const crypto::Secret<32>& run, const TaskId& task, const PublicKey& executor);

}  // namespace selvedge::object
