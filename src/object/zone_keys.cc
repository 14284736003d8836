#include "object/zone_keys.h"

#include "codec/schema.h"
#include "crypto/hash.h"
#include "object/sealed.h"
#include "object/validate.h"

namespace selvedge::object {
namespace {

Error no_epoch(uint64_t epoch) {
  return fail(Errc::kNotFound, "the zone key of epoch " + std::to_string(epoch) + " is not on this device: ask the zone's owner for it");
}

/// Separates the uses of an epoch secret from each other.
Bytes info_of(std::string_view use, ByteView fields) {
  Bytes info = to_bytes(view(use));
  append(info, fields);
  return info;
}

uint32_t packed(const SymbolPlace& place) { return uint32_t(place.sbn) << 24 | place.esi; }

crypto::Nonce nonce_of(const SymbolPlace& place) {
  crypto::Nonce nonce;
  store_u32(nonce.bytes.data() + 8, packed(place));
  return nonce;
}

/// spec: FM 5.2 with R12 and R23: object id, SBN and ESI, object size, symbol size.
std::array<uint8_t, 48> symbol_aad(const ObjectId& object, const SymbolPlace& place) {
  std::array<uint8_t, 48> aad;
  std::memcpy(aad.data(), object.bytes.data(), 32);
  store_u32(aad.data() + 32, packed(place));
  store_u64(aad.data() + 36, place.object_bytes);
  store_u32(aad.data() + 44, place.symbol_bytes);
  return aad;
}

bool belongs(const ObjectKey& key, const SymbolPlace& place) {
  return place.object_bytes == key.object_bytes() && place.symbol_bytes == key.symbol_bytes() && place.esi <= kEsiMax;
}

Bytes epoch_aad(const ZoneId& zone, uint64_t epoch) {
  Bytes aad = to_bytes(view("selvedge zone epoch v1"));
  append(aad, zone);
  append_u64(aad, epoch);
  return aad;
}

Bytes task_aad(const TaskId& task) { return info_of("selvedge task keys v1", task); }
Bytes leave_aad(const TaskId& task) { return info_of("selvedge task key leave v1", task); }

constexpr size_t kSealedKeySize = 32 + 8 + 4 + 32;  // object, object size, symbol size, key

}  // namespace

Status ZoneKeys::add_epoch(uint64_t epoch, crypto::Seed secret) {
  const auto it = epochs_.find(epoch);
  if (it != epochs_.end()) {
    if (it->second.equals(secret)) return ok();
    return fail(Errc::kExists, "epoch " + std::to_string(epoch) + " of this zone has another key already");
  }
  if (epochs_.size() >= kZoneEpochsMax) return fail(Errc::kLimit, "a zone keeps at most " + std::to_string(kZoneEpochsMax) + " epoch keys");
  epochs_.emplace(epoch, std::move(secret));
  return ok();
}

crypto::Seed zone_epoch_secret(const crypto::Seed& zone_root, const ZoneId& zone, uint64_t epoch) {
  Bytes number;
  append_u64(number, epoch);
  return crypto::hkdf_sha256_key(zone_root.view(), zone, info_of("selvedge zone epoch v1", number));
}

Status ZoneKeyEpoch::validate() const {
  TRY(check_keys("a zone key epoch", {&owner}));
  if (epoch == 0) return invalid("zone key epochs are counted from 1");
  if (devices.size() > kZoneDevicesMax) return fail(Errc::kLimit, "a zone key goes to at most " + std::to_string(kZoneDevicesMax) + " devices");
  for (size_t i = 0; i < devices.size(); ++i) {
    if (i > 0 && !(devices[i - 1].node < devices[i].node)) return fail(Errc::kNonCanonical, "the devices of a zone key are not sorted, or one is there twice");
    if (devices[i].sealed.size() > kSealedEpochSizeMax) return fail(Errc::kLimit, "a sealed zone key is too large");
  }
  return check_text("the reason of a rotation", reason, kNameSizeMax);
}

Result<uint64_t> ZoneKeys::latest_epoch() const {
  if (epochs_.empty()) return fail(Errc::kNotFound, "this device has no key of the zone: ask the zone's owner for one");
  return epochs_.rbegin()->first;
}

Result<ObjectKey> ZoneKeys::object_key(uint64_t epoch, const ObjectId& object, uint64_t object_bytes, uint32_t symbol_bytes) const {
  const auto it = epochs_.find(epoch);
  if (it == epochs_.end()) return no_epoch(epoch);
  Bytes fields = to_bytes(object);
  append_u64(fields, object_bytes);
  append_u32(fields, symbol_bytes);
  crypto::AeadKey key = crypto::hkdf_sha256_key(it->second.view(), zone_, info_of("selvedge object key v1", fields));
  return ObjectKey(object, object_bytes, symbol_bytes, std::move(key));
}

Result<Digest> ZoneKeys::content_tag(uint64_t epoch, const Digest& content_sha256, uint64_t content_bytes) const {
  const auto it = epochs_.find(epoch);
  if (it == epochs_.end()) return no_epoch(epoch);
  const crypto::Secret<32> key = crypto::hkdf_sha256_key(it->second.view(), zone_, view("selvedge content tag v1"));
  Bytes fields = to_bytes(content_sha256);
  append_u64(fields, content_bytes);
  return crypto::hmac_sha256(key.view(), fields);
}

Result<Bytes> ZoneKeys::seal_epoch(uint64_t epoch, const SealPublicKey& device, crypto::Drbg& drbg) const {
  const auto it = epochs_.find(epoch);
  if (it == epochs_.end()) return no_epoch(epoch);
  return seal_to(device, it->second.view(), epoch_aad(zone_, epoch), drbg);
}

Status ZoneKeys::open_epoch(uint64_t epoch, ByteView sealed, const crypto::SealKeyPair& device) {
  Bytes opened = TRY(open_sealed(device, sealed, epoch_aad(zone_, epoch)));
  Result<crypto::Seed> secret = crypto::Seed::from(opened);
  crypto::wipe(opened);
  return add_epoch(epoch, TRY(std::move(secret)));
}

crypto::AeadTag seal_symbol(const ObjectKey& key, const SymbolPlace& place, std::span<uint8_t> symbol) {
  CHECK_MSG(belongs(key, place), "a symbol is sealed under the key of its own object, size and symbol size");
  return crypto::aead_seal(key.key(), nonce_of(place), symbol_aad(key.object(), place), symbol);
}

Status open_symbol(const ObjectKey& key, const SymbolPlace& place, std::span<uint8_t> symbol, const crypto::AeadTag& tag) {
  if (!belongs(key, place)) return fail(Errc::kInvalid, "the symbol belongs to another object, or to the same one cut another way");
  return crypto::aead_open(key.key(), nonce_of(place), symbol_aad(key.object(), place), symbol, tag);
}

namespace {

Result<Bytes> write_keys(const std::vector<ObjectKey>& keys) {
  if (keys.size() > kSealedKeysMax) return fail(Errc::kLimit, "a task needs the keys of more than " + std::to_string(kSealedKeysMax) + " objects");
  Bytes plain;
  plain.reserve(keys.size() * kSealedKeySize);
  for (const ObjectKey& key : keys) {
    append(plain, key.object());
    append_u64(plain, key.object_bytes());
    append_u32(plain, key.symbol_bytes());
    append(plain, key.key().view());
  }
  return plain;
}

/// Wipes what it reads.
Result<std::vector<ObjectKey>> read_keys(Bytes plain) {
  std::vector<ObjectKey> keys;
  const bool whole = plain.size() % kSealedKeySize == 0;
  for (size_t at = 0; whole && at < plain.size(); at += kSealedKeySize) {
    const ByteView entry = ByteView(plain).subspan(at, kSealedKeySize);
    keys.emplace_back(ObjectId::from(entry.first(32)).value(), load_u64(entry.data() + 32), load_u32(entry.data() + 40),
                      crypto::AeadKey::from(entry.last(32)).value());
  }
  crypto::wipe(plain);
  if (!whole) return fail(Errc::kInvalid, "the sealed keys have a length that no list of keys has");
  return keys;
}

/// Each list is under a key of its own: nobody who has the run's secret can open what was locked for another task or machine without having got it.
crypto::AeadKey lock_key(const crypto::Secret<32>& run, ByteView salt, const TaskId& task, const PublicKey& executor) {
  Bytes info = info_of("selvedge task key lock v1", task);
  append(info, executor);
  return crypto::hkdf_sha256_key(run.view(), salt, info);
}

constexpr size_t kLockSaltSize = 32, kLockTagSize = 16;

}  // namespace

Result<Bytes> seal_object_keys(const std::vector<ObjectKey>& keys, const TaskId& task, const SealPublicKey& executor,
                               crypto::Drbg& drbg) {
  Bytes plain = TRY(write_keys(keys));
  Result<Bytes> sealed = seal_to(executor, plain, task_aad(task), drbg);
  crypto::wipe(plain);
  return sealed;
}

Result<std::vector<ObjectKey>> open_object_keys(ByteView sealed, const TaskId& task, const crypto::SealKeyPair& executor) {
  if (sealed.size() > kSealedKeysMax * kSealedKeySize + 256) return fail(Errc::kLimit, "the sealed keys are too many");
  return read_keys(TRY(open_sealed(executor, sealed, task_aad(task))));
}

Result<Bytes> seal_key_leave(const KeyLeave& leave, const TaskId& task, const SealPublicKey& executor, crypto::Drbg& drbg) {
  return seal_to(executor, codec::encode(leave), leave_aad(task), drbg);
}

Result<OfferedKeys> open_offered_keys(ByteView sealed, const TaskId& task, const crypto::SealKeyPair& executor) {
  Result<std::vector<ObjectKey>> keys = open_object_keys(sealed, task, executor);
  if (keys.ok()) return OfferedKeys(std::move(keys).value());
  const Result<Bytes> leave = open_sealed(executor, sealed, leave_aad(task));
  if (!leave.ok()) return keys.error();
  return OfferedKeys(TRY(codec::decode<KeyLeave>(*leave)));
}

Result<Bytes> lock_object_keys(const std::vector<ObjectKey>& keys, const crypto::Secret<32>& run, const TaskId& task, const PublicKey& executor, crypto::Drbg& drbg) {
  Bytes plain = TRY(write_keys(keys));
  Bytes out(kLockSaltSize);
  drbg.fill(out);
  const crypto::AeadTag tag = crypto::aead_seal(lock_key(run, out, task, executor), crypto::Nonce{}, {}, plain);
  append(out, plain);
  append(out, tag);
  return out;
}

Result<std::vector<ObjectKey>> unlock_object_keys(ByteView locked, const crypto::Secret<32>& run, const TaskId& task, const PublicKey& executor) {
  if (locked.size() < kLockSaltSize + kLockTagSize) return fail(Errc::kInvalid, "the locked keys are too short");
  if (locked.size() > kSealedKeysMax * kSealedKeySize + 256) return fail(Errc::kLimit, "the locked keys are too many");
  const ByteView salt = locked.first(kLockSaltSize);
  Bytes plain = to_bytes(locked.subspan(kLockSaltSize, locked.size() - kLockSaltSize - kLockTagSize));
  const crypto::AeadTag tag = TRY(crypto::AeadTag::from(locked.last(kLockTagSize)));
  TRY(crypto::aead_open(lock_key(run, salt, task, executor), crypto::Nonce{}, {}, plain, tag));
  return read_keys(std::move(plain));
}

}  // namespace selvedge::object
