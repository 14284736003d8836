// Secrets of runs: the node makes them, and opens those of others' runs whose tasks it was given.
#include "codec/multibase.h"
#include "node/secrets.h"

namespace selvedge::node {

void Secrets::keep(Turn& turn, const std::string& name, ByteView plain, uint32_t threshold, const std::vector<NodeKey>& holders, uint64_t seconds, OnInfo then) {
  SecretPrepareRequest wish{name, {}, threshold, false};
  for (const NodeKey& node : holders) wish.holders.push_back(codec::key_text(node));
  const Result<SecretPrepareAnswer> prepared = prepare(turn.now, wish);
  if (!prepared.ok()) return then(turn, prepared.error());
  std::vector<crypto::SealPublicKey> keys;
  for (const SecretHolderInfo& holder : prepared->holders) keys.push_back(holder.seal_key);
  const Result<object::SplitSecret> split = object::split_secret(object::SecretScheme::kShamir, plain, threshold, prepared->zone, prepared->owner, keys, core_.drbg);
  if (!split.ok()) return then(turn, split.error());
  SecretStoreRequest request{name, split->secret.hex(), object::enum_name(object::SecretScheme::kShamir), threshold, wish.holders, {}, to_hex(split->sealed), {}, seconds, false};
  for (const object::CommitmentBytes& each : split->commitments) request.commitments.push_back(each.hex());
  for (const Bytes& share : split->shares) request.shares.push_back(to_hex(share));
  store(turn, request, std::move(then));
}

Result<object::KeyLeave> Secrets::leave_for(Instant now, const std::string& name, const NodeKey& node) {
  const Owned* own = find_own(name);
  if (own == nullptr) return fail(Errc::kNotFound, "this owner has no secret named \"" + name + "\"");
  object::Capability capability;
  capability.zone = own->manifest.body.zone;
  capability.origin = core_.owner();
  capability.issuer = core_.owner();
  capability.audience = node;
  capability.operations = {std::string(object::kSecretRelease), "storage.read"};
  capability.objects = {object::secret_object(own->manifest.body.zone, own->manifest.body.secret)};
  capability.issued = now.unix_seconds();
  capability.expires = own->manifest.body.expires;
  capability.nonce = core_.drbg.draw<object::Unique>();
  return object::KeyLeave{own->manifest.bytes, TRY(object::sign_object(*core_.config.owner, capability)).bytes, {}};
}

void Secrets::open(Turn& turn, const object::KeyLeave& leave, const std::string& purpose, std::function<void(Turn&, Result<crypto::LockedBytes>)> then) {
  Result<Manifest> manifest = object::open_object<object::SecretManifest>(leave.manifest, core_.authority.verifier());
  if (!manifest.ok()) return then(turn, manifest.error());
  // Made for this one answer: what was recorded on the way is worth nothing later.
  const auto reply = std::make_shared<crypto::SealKeyPair>(core_.drbg.seed());
  SecretReleaseRequest request;
  request.purpose = purpose;
  request.scope = "its inputs";
  request.reply_key = to_hex(reply->public_key());
  const object::SecretManifest body = manifest->body;
  ask_release(turn, request, *manifest, {leave.capability}, [body, reply, then](Turn& t, Result<SecretReleaseAnswer> released) {
    if (!released.ok()) return then(t, released.error());
    const auto combine = [&]() -> Result<crypto::LockedBytes> {
      const object::ShareSeal seal{object::ShareSeal::Use::kRelease, body.secret, body.generation, 0, released->nonce};
      std::vector<object::SharePlain> shares;
      for (const ReleasedShare& share : released->shares) {
        const Bytes sealed = TRY(from_hex(share.sealed));
        shares.push_back(TRY(object::open_share(sealed, seal, uint8_t(share.number), *reply)));
        TRY(object::check_share(body, shares.back()));
      }
      return object::combine_secret(body, shares);
    };
    then(t, combine());
  });
}

}  // namespace selvedge::node
