#include "object/secret.h"

#include <algorithm>
#include <set>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "object/sealed.h"
#include "object/validate.h"

namespace selvedge::object {
namespace {

constexpr size_t kSharePlainSize = 1 + 32 + 32;
/// A sealed share, with some room for how COSE writes it down.
constexpr size_t kShareSealedMax = 256;

Status check_span(const char* kind, uint64_t issued, uint64_t expires, uint64_t ttl_max) {
  if (expires <= issued) return invalid(std::string(kind) + " expires before it begins");
  if (expires - issued > ttl_max) return invalid(std::string(kind) + " would live longer than it may");
  return ok();
}

/// A word or line that people read: UTF-8 without control characters, so that it cannot forge a line of a log.
Status check_words(const char* what, const std::string& text, size_t limit) {
  if (text.size() > limit) return fail(Errc::kLimit, std::string(what) + " is longer than " + std::to_string(limit) + " bytes");
  if (!codec::is_utf8(text)) return invalid(std::string(what) + " is not valid UTF-8");
  if (std::any_of(text.begin(), text.end(), [](char c) { return uint8_t(c) < 0x20 || c == 0x7f; })) {
    return invalid(std::string(what) + " holds control characters");
  }
  return ok();
}

Status check_threshold(size_t threshold, size_t holders) {
  if (holders > kSecretHoldersMax) return fail(Errc::kLimit, "a secret has at most " + std::to_string(kSecretHoldersMax) + " holders");
  if (threshold < 2 || threshold > holders) {
    return invalid("it takes between 2 and all of the " + std::to_string(holders) + " shares, not " + std::to_string(threshold));
  }
  return ok();
}

Status check_sealed_share(const Bytes& sealed) {
  if (sealed.size() < kSharePlainSize || sealed.size() > kShareSealedMax) return invalid("a sealed share has no possible size");
  return ok();
}

Status check_coefficients(const std::vector<CommitmentBytes>& commitments) {
  if (commitments.size() < 2 || commitments.size() > kSecretHoldersMax) return invalid("a dealing has as many commitments as its threshold");
  return ok();
}

Status check_delivery(const DealtShare& share) { return check_sealed_share(share.sealed); }
Status check_delivery(const RefreshShare& share) {
  TRY(check_coefficients(share.commitments));
  return check_sealed_share(share.sealed);
}
Status check_delivery(const ReshareShare& share) {
  if (share.old_manifest.size() > kObjectSizeMax / 2) return fail(Errc::kLimit, "the old manifest is too large");
  if (share.pieces.size() < 2 || share.pieces.size() > kSecretHoldersMax) return invalid("a reshared share has a piece of each dealer");
  for (const ResharePiece& piece : share.pieces) {
    TRY(check_coefficients(piece.commitments));
    TRY(check_sealed_share(piece.sealed));
  }
  return ok();
}

Bytes share_context(const ShareSeal& seal, uint8_t number) {
  Bytes out = to_bytes(view("selvedge share v1"));
  out.push_back(uint8_t(seal.use));
  append(out, seal.secret);
  append_u64(out, seal.generation);
  out.push_back(number);
  out.push_back(seal.dealer);
  append(out, seal.nonce);
  return out;
}

Bytes secret_aad(const ZoneId& zone, const PublicKey& owner, const SecretId& secret) {
  Bytes out = to_bytes(view("selvedge secret v1"));
  append(out, zone);
  append(out, owner);
  append(out, secret);
  return out;
}

crypto::AeadKey secret_key(SecretScheme scheme, const crypto::Secret<32>& shared, const SecretId& secret) {
  Digest context;
  context.bytes = secret.bytes;
  if (scheme == SecretScheme::kShamir) return crypto::hkdf_sha256_key(shared.view(), view("selvedge shamir key v1"), context);
  return crypto::vss_key(shared, context);
}

Result<crypto::Secret<32>> combine_shares(const SecretManifest& manifest, std::span<const SharePlain> shares) {
  if (manifest.scheme == SecretScheme::kShamir) {
    std::vector<crypto::ShamirShare> all;
    for (const SharePlain& share : shares) all.push_back(share.shamir());
    return crypto::shamir_combine(manifest.shamir(), all);
  }
  std::vector<crypto::VssShare> all;
  for (const SharePlain& share : shares) all.push_back(share.vss());
  return crypto::vss_combine(manifest.vss(), all);
}

}  // namespace

const char* enum_name(SecretScheme scheme) {
  switch (scheme) {
    case SecretScheme::kShamir: return "shamir";
    case SecretScheme::kFeldman: return "feldman";
    case SecretScheme::kPedersen: return "pedersen";
  }
  return "unknown";
}

Status SecretManifest::validate() const {
  if (owner.is_zero() || secret.is_zero()) return invalid("a secret names its owner and its id");
  if (name.empty()) return invalid("a secret has a name");
  TRY(check_words("the name of a secret", name, kNameSizeMax));
  TRY(check_threshold(threshold, holders.size()));
  if (generation == 0) return invalid("generations are counted from 1");
  std::set<PublicKey> nodes;
  for (const SecretHolder& holder : holders) {
    if (holder.node.is_zero() || holder.owner.is_zero()) return invalid("a holder leaves out its key or its owner's");
    if (!nodes.insert(holder.node).second) return invalid("one node cannot hold two shares");
    if (holder.addresses.size() > kAddressesMax) return fail(Errc::kLimit, "a holder has too many addresses");
    for (const std::string& address : holder.addresses) TRY(check_words("an address", address, kAddressSizeMax));
  }
  const size_t expected = scheme == SecretScheme::kShamir ? holders.size() : threshold;
  if (commitments.size() != expected) return invalid("a secret has " + std::to_string(expected) + " commitments");
  if (sealed.size() < kSecretSealOverhead || sealed.size() > kSecretSizeMax + kSecretSealOverhead) {
    return fail(Errc::kLimit, "a secret is at most 64 KiB: keep what is larger as a file, and its key as the secret");
  }
  if (!(crypto::sha256(sealed) == sealed_digest)) return fail(Errc::kIntegrity, "the sealed secret is not the one the manifest names");
  return check_span("a secret", issued, expires, kSecretTtlMax);
}

uint8_t SecretManifest::number_of(const PublicKey& node) const {
  for (size_t i = 0; i < holders.size(); ++i) {
    if (holders[i].node == node) return uint8_t(i + 1);
  }
  return 0;
}

crypto::VssCommitments SecretManifest::vss() const {
  crypto::VssCommitments out;
  out.scheme = scheme == SecretScheme::kPedersen ? crypto::VssScheme::kPedersen : crypto::VssScheme::kFeldman;
  for (const CommitmentBytes& commitment : commitments) out.points.push_back({commitment.bytes});
  return out;
}

crypto::ShamirTerms SecretManifest::shamir() const {
  crypto::ShamirTerms out;
  out.threshold = threshold;
  out.context = shamir_context(secret, generation);
  for (const CommitmentBytes& commitment : commitments) out.commitments.push_back({commitment.bytes});
  return out;
}

Status SecretShare::validate() const {
  if (owner.is_zero() || holder.is_zero() || secret.is_zero() || manifest.is_zero()) return invalid("a share names its secret, owner and holder");
  if (generation == 0 || number == 0 || number > kSecretHoldersMax) return invalid("generations and shares are counted from 1");
  TRY(std::visit([](const auto& each) { return check_delivery(each); }, delivery));
  return check_span("a share", issued, expires, kSecretTtlMax);
}

Status SecretRelease::validate() const {
  if (origin.is_zero() || asker.is_zero() || secret.is_zero() || reply_key.is_zero()) return invalid("a request for a share leaves out who or what");
  TRY(check_words("the purpose", purpose, kSecretPurposeSizeMax));
  TRY(check_words("the scope", scope, kSecretPurposeSizeMax));
  if (purpose.empty() || scope.empty()) return invalid("a request for a share says what for");
  return check_span("a request for a share", issued, expires, kReleaseTtlMax);
}

Status SecretReshare::validate() const {
  if (owner.is_zero() || secret.is_zero()) return invalid("a reshare order names its secret and owner");
  TRY(check_threshold(threshold, receivers.size()));
  std::set<PublicKey> nodes;
  for (const ShareReceiver& receiver : receivers) {
    if (receiver.node.is_zero() || receiver.seal_key.is_zero()) return invalid("a receiver leaves out a key");
    if (!nodes.insert(receiver.node).second) return invalid("one node cannot receive two shares");
  }
  return check_span("a reshare order", issued, expires, kReshareTtlMax);
}

Status SecretVerdict::validate() const {
  if (holder.is_zero() || asker.is_zero()) return invalid("a verdict names who asked and who answered");
  TRY(check_words("the purpose", purpose, kSecretPurposeSizeMax));
  return check_words("the scope", scope, kSecretPurposeSizeMax);
}

ObjectId secret_object(const ZoneId& zone, const SecretId& secret) {
  Bytes content = to_bytes(view("selvedge secret object v1"));
  append(content, secret);
  return object_id(zone, schema_id_of<SecretManifest>(), content);
}

Digest shamir_context(const SecretId& secret, uint64_t generation) {
  Bytes content = to_bytes(view("selvedge shamir context v1"));
  append(content, secret);
  append_u64(content, generation);
  return crypto::sha256(content);
}

SharePlain SharePlain::of(const crypto::VssShare& share) {
  SharePlain out;
  out.number = share.number;
  out.value = share.value.clone();
  out.extra = share.blind.clone();
  return out;
}

SharePlain SharePlain::of(const crypto::ShamirShare& share) {
  SharePlain out;
  out.number = share.number;
  out.value = share.value.clone();
  std::memcpy(out.extra.mutable_view().data(), share.salt.view().data(), share.salt.view().size());
  return out;
}

crypto::VssShare SharePlain::vss() const {
  crypto::VssShare out;
  out.number = number;
  out.value = value.clone();
  out.blind = extra.clone();
  return out;
}

crypto::ShamirShare SharePlain::shamir() const {
  crypto::ShamirShare out;
  out.number = number;
  out.value = value.clone();
  std::memcpy(out.salt.mutable_view().data(), extra.view().data(), out.salt.view().size());
  return out;
}

Result<Bytes> seal_share(const SharePlain& share, const ShareSeal& seal, const SealPublicKey& to, crypto::Drbg& drbg) {
  crypto::Secret<kSharePlainSize> plain;
  const auto bytes = plain.mutable_view();
  bytes[0] = share.number;
  std::memcpy(bytes.data() + 1, share.value.view().data(), 32);
  std::memcpy(bytes.data() + 33, share.extra.view().data(), 32);
  return seal_to(to, plain.view(), share_context(seal, share.number), drbg);
}

Result<SharePlain> open_share(ByteView sealed, const ShareSeal& seal, uint8_t number, const crypto::SealKeyPair& keys) {
  Bytes plain = TRY(open_sealed(keys, sealed, share_context(seal, number)));
  SharePlain out;
  if (plain.size() == kSharePlainSize && plain[0] == number) {
    out.number = number;
    std::memcpy(out.value.mutable_view().data(), plain.data() + 1, 32);
    std::memcpy(out.extra.mutable_view().data(), plain.data() + 33, 32);
  }
  crypto::wipe(plain);
  if (out.number == 0) return invalid("what was sealed is no share");
  return out;
}

Status check_share(const SecretManifest& manifest, const SharePlain& share) {
  if (share.number == 0 || share.number > manifest.holders.size()) return invalid("there is no share number " + std::to_string(share.number));
  if (manifest.scheme == SecretScheme::kShamir) return crypto::shamir_check(manifest.shamir(), share.shamir());
  return crypto::vss_verify(manifest.vss(), share.vss());
}

Bytes seal_secret(SecretScheme scheme, const crypto::Secret<32>& shared, const ZoneId& zone, const PublicKey& owner, const SecretId& secret,
                  ByteView plain) {
  Bytes out;
  out.reserve(plain.size() + kSecretSealOverhead);
  append(out, plain);
  const crypto::AeadTag tag = crypto::aead_seal(secret_key(scheme, shared, secret), crypto::Nonce{}, secret_aad(zone, owner, secret), out);
  append(out, tag);
  return out;
}

Result<SplitSecret> split_secret(SecretScheme scheme, ByteView plain, size_t threshold, const ZoneId& zone, const PublicKey& owner,
                                 std::span<const SealPublicKey> holders, crypto::Drbg& drbg) {
  if (plain.size() > kSecretSizeMax) return fail(Errc::kLimit, "a secret is at most 64 KiB: keep what is larger as a file, and its key as the secret");
  TRY(check_threshold(threshold, holders.size()));
  SplitSecret out;
  out.secret = drbg.draw<SecretId>();
  const crypto::Secret<32> shared = crypto::vss_random_scalar(drbg);
  std::vector<SharePlain> shares;
  if (scheme == SecretScheme::kShamir) {
    const auto dealing = TRY(crypto::shamir_split(shared, threshold, holders.size(), shamir_context(out.secret, 1), drbg));
    for (const Digest& each : dealing.terms.commitments) out.commitments.push_back({each.bytes});
    for (const crypto::ShamirShare& share : dealing.shares) shares.push_back(SharePlain::of(share));
  } else {
    const auto vss = scheme == SecretScheme::kPedersen ? crypto::VssScheme::kPedersen : crypto::VssScheme::kFeldman;
    const auto dealing = TRY(crypto::vss_deal(vss, shared, threshold, holders.size(), drbg));
    for (const crypto::GroupElement& each : dealing.commitments.points) out.commitments.push_back({each.bytes});
    for (const crypto::VssShare& share : dealing.shares) shares.push_back(SharePlain::of(share));
  }
  out.sealed = seal_secret(scheme, shared, zone, owner, out.secret, plain);
  for (size_t i = 0; i < holders.size(); ++i) {
    out.shares.push_back(TRY(seal_share(shares[i], {ShareSeal::Use::kHeld, out.secret, 1, 0, {}}, holders[i], drbg)));
  }
  return out;
}

Result<crypto::LockedBytes> combine_secret(const SecretManifest& manifest, std::span<const SharePlain> shares) {
  const crypto::Secret<32> shared = TRY(combine_shares(manifest, shares));
  const ByteView sealed = manifest.sealed;
  if (sealed.size() < kSecretSealOverhead) return invalid("the sealed secret is too short");
  crypto::LockedBytes out = TRY(crypto::LockedBytes::copy(sealed.first(sealed.size() - kSecretSealOverhead), crypto::LockNeed::kWanted));
  const crypto::AeadTag tag = TRY(crypto::AeadTag::from(sealed.last(kSecretSealOverhead)));
  TRY(crypto::aead_open(secret_key(manifest.scheme, shared, manifest.secret), crypto::Nonce{}, secret_aad(manifest.zone, manifest.owner, manifest.secret),
                        out.mutable_view(), tag));
  return out;
}

}  // namespace selvedge::object
