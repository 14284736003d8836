#include "node/vault.h"

#include <algorithm>

#include "crypto/hash.h"

namespace selvedge::node {

namespace {

using Use = object::ShareSeal::Use;

constexpr std::string_view kOperationStore = "secret.store";
constexpr std::string_view kOperationReshare = "secret.reshare";

object::ShareSeal held_seal(const object::SecretManifest& manifest) { return {Use::kHeld, manifest.secret, manifest.generation, 0, {}}; }

crypto::VssCommitments vss_of(const object::SecretManifest& manifest, const std::vector<object::CommitmentBytes>& commitments) {
  crypto::VssCommitments out;
  out.scheme = manifest.scheme == object::SecretScheme::kPedersen ? crypto::VssScheme::kPedersen : crypto::VssScheme::kFeldman;
  for (const object::CommitmentBytes& each : commitments) out.points.push_back({each.bytes});
  return out;
}

/// The same secret one generation on: nothing but its shares may change.
Status check_successor(const object::SecretManifest& old, const object::SecretManifest& fresh) {
  if (fresh.owner != old.owner || fresh.secret != old.secret || fresh.zone != old.zone || fresh.scheme != old.scheme ||
      fresh.sealed_digest != old.sealed_digest) {
    return fail(Errc::kIntegrity, "the new generation is of another secret");
  }
  if (fresh.generation != old.generation + 1) return fail(Errc::kInvalid, "generations follow one another without a gap");
  return ok();
}

}  // namespace

// ---- holding

crypto::Digest Vault::record_id(const Key& key) {
  Bytes name = to_bytes(view("selvedge held share v1"));
  append(name, key.owner);
  append(name, key.secret);
  append_u64(name, key.generation);
  return crypto::sha256(name);
}

void Vault::restore(Turn& turn) {
  for (const store::RecordRef& record : core_.records(Record::kShare)) {
    Result<HeldShare> held = codec::decode<HeldShare>(*record.value);
    if (!held.ok()) continue;
    Result<Manifest> manifest = object::open_object<object::SecretManifest>(held->manifest, core_.authority.verifier());
    if (!manifest.ok()) {
      core_.trace(turn, "a held share cannot be read: " + manifest.error().message);
      continue;
    }
    const Key key{manifest->body.owner, manifest->body.secret, manifest->body.generation};
    Entry entry{std::move(manifest).value(), std::move(held->sealed), held->settled};
    bytes_ += entry.bytes();
    shares_.insert_or_assign(key, std::move(entry));
  }
}

const object::Signed<object::NodeRecord>* Vault::record_of(const NodeKey& peer) const {
  if (peer == core_.self()) return &core_.record;
  const mesh::Peer* known = core_.sessions.find(peer);
  return known == nullptr || !known->record ? nullptr : &*known->record;
}

Status Vault::may(Turn& turn, const object::Signed<object::NodeRecord>& actor, const object::SecretManifest& manifest, std::string_view operation,
                  uint64_t bytes_more, const std::vector<Bytes>& capabilities) const {
  if (capabilities.size() > object::kChainMax) return fail(Errc::kLimit, "too many capabilities were shown");
  std::vector<object::Signed<object::Capability>> chain;
  for (const Bytes& bytes : capabilities) chain.push_back(TRY(object::open_object<object::Capability>(bytes, core_.authority.verifier())));
  const bool stores = operation == kOperationStore;
  uint64_t bytes = 0;
  if (stores) {
    bytes = core_.store.usage(convert<store::OriginId>(manifest.owner)).bytes + bytes_more;
    for (const auto& [key, entry] : shares_) bytes += key.owner == manifest.owner ? entry.bytes() : 0;
  }
  // Whoever issues the first capability of a chain is the owner: secrets are shared by owners and not by their nodes.
  TRY(core_.authority.may_use_storage(turn.now, actor, manifest.owner, manifest.zone, stores ? object::kStore : object::kRead,
                                      {object::secret_object(manifest.zone, manifest.secret)}, bytes, chain, nullptr, {operation}));
  return ok();
}

Status Vault::room_for(const Manifest& manifest, size_t bytes) const {
  size_t of_origin = 0;
  for (const auto& [key, entry] : shares_) of_origin += key.owner == manifest.body.owner ? 1 : 0;
  if (of_origin >= kSharesPerOriginMax) return fail(Errc::kLimit, "this machine holds as many shares for one owner as it will: remove a secret first");
  if (shares_.size() >= kSharesHeldMax || bytes_ + bytes > kShareBytesHeldMax) return fail(Errc::kLimit, "this machine has no more room for shares");
  return ok();
}

void Vault::on_store(Turn& turn, const NodeKey& from, const ShareStore& message) {
  const object::Signed<object::NodeRecord>* actor = record_of(from);
  if (actor == nullptr) return;
  const auto acknowledge = [this, from, request = message.request](Turn& t, const Status& status) {
    core_.send(t, from, SecretMessages::encode(ShareStored{request, status.ok() ? uint8_t(0) : uint8_t(status.code()),
                                                           status.ok() ? "" : status.error().message}));
  };
  Result<Entry> entry = take_in(turn, *actor, message);
  if (!entry.ok()) return acknowledge(turn, entry.error());
  const object::SecretManifest& body = entry->manifest.body;
  const Key key{body.owner, body.secret, body.generation};
  const auto known = shares_.find(key);
  if (known != shares_.end() && known->second.settled) {
    // A settled share is never replaced; the same one again was an acknowledgement that got lost.
    const bool same = known->second.manifest == entry->manifest;
    return acknowledge(turn, same ? ok() : Status(fail(Errc::kExists, "this generation is in force here already, with other shares")));
  }
  keep(turn, key, std::move(entry).value(), acknowledge);
}

Result<Vault::Entry> Vault::take_in(Turn& turn, const object::Signed<object::NodeRecord>& actor, const ShareStore& message) {
  const crypto::Verifier& verifier = core_.authority.verifier();
  Manifest manifest = TRY(object::open_object<object::SecretManifest>(message.manifest, verifier));
  const auto share = TRY(object::open_object<object::SecretShare>(message.share, verifier));
  const object::SecretManifest& body = manifest.body;
  if (actor.body.owner != body.owner) return fail(Errc::kUnauthorized, "only its owner's nodes bring a secret's shares");
  if (share.body.owner != body.owner || share.body.manifest != manifest.id || share.body.secret != body.secret || share.body.generation != body.generation ||
      share.body.zone != body.zone) {
    return fail(Errc::kInvalid, "the share and the manifest are not of one secret and generation");
  }
  if (share.body.holder != core_.self() || body.number_of(core_.self()) != share.body.number) {
    return fail(Errc::kInvalid, "the share is for another holder");
  }
  const uint64_t now = turn.now.unix_seconds();
  if (body.issued > now + object::kClockSkewSecondsMax || share.body.issued > now + object::kClockSkewSecondsMax) {
    return fail(Errc::kInvalid, "the share is not valid yet: compare the clocks of the two machines");
  }
  if (body.expires <= now || share.body.expires <= now) return fail(Errc::kExpired, "the secret has expired");
  const Entry* latest = newest(body.owner, body.secret);
  if (latest != nullptr && latest->settled && latest->manifest.body.generation > body.generation) {
    return fail(Errc::kExists, "a later generation of the secret is in force here");
  }
  TRY(may(turn, actor, body, kOperationStore, manifest.bytes.size(), {}));
  if (find(body.owner, body.secret, body.generation) == nullptr) TRY(room_for(manifest, message.manifest.size()));
  const object::SharePlain plain =
      TRY(std::visit([&](const auto& each) { return receive(manifest, share.body, each); }, share.body.delivery));
  TRY(object::check_share(body, plain));
  Bytes sealed = TRY(object::seal_share(plain, held_seal(body), core_.config.seal->public_key(), core_.drbg));
  return Entry{std::move(manifest), std::move(sealed), false};
}

Result<object::SharePlain> Vault::receive(const Manifest& manifest, const object::SecretShare& share, const object::DealtShare& dealt) const {
  // A dealt share of a later generation would let a thief of the owner's session replace a secret under its name.
  if (manifest.body.generation != 1) return fail(Errc::kInvalid, "only the first generation of a secret is dealt; later ones are refreshed or reshared");
  return object::open_share(dealt.sealed, held_seal(manifest.body), share.number, *core_.config.seal);
}

Result<object::SharePlain> Vault::receive(const Manifest& manifest, const object::SecretShare& share, const object::RefreshShare& refresh) const {
  const object::SecretManifest& fresh = manifest.body;
  const Entry* old = find(fresh.owner, fresh.secret, fresh.generation - 1);
  if (old == nullptr || !old->settled) return fail(Errc::kNotFound, "the generation to refresh is not held here");
  TRY(check_successor(old->manifest.body, fresh));
  if (old->manifest.body.number_of(core_.self()) != share.number) return fail(Errc::kInvalid, "a refresh leaves the numbers of the shares as they are");
  if (fresh.scheme == object::SecretScheme::kShamir) return fail(Errc::kUnsupported, "a secret shared with the plain scheme cannot be refreshed");
  const std::vector<crypto::VssCommitments> refreshes = {vss_of(fresh, refresh.commitments)};
  if (TRY(crypto::vss_refreshed_commitments(old->manifest.body.vss(), refreshes)) != fresh.vss()) {
    return fail(Errc::kIntegrity, "the new commitments do not follow from the old ones and the refresh");
  }
  const object::ShareSeal seal{Use::kAddition, fresh.secret, fresh.generation, 0, {}};
  std::vector<crypto::VssShare> additions;
  additions.push_back(TRY(object::open_share(refresh.sealed, seal, share.number, *core_.config.seal)).vss());
  const object::SharePlain held = TRY(open_held(*old));
  return object::SharePlain::of(TRY(crypto::vss_refreshed_share(held.vss(), refreshes, additions)));
}

Result<object::SharePlain> Vault::receive(const Manifest& manifest, const object::SecretShare& share, const object::ReshareShare& reshare) const {
  const object::SecretManifest& fresh = manifest.body;
  const Manifest old = TRY(object::open_object<object::SecretManifest>(reshare.old_manifest, core_.authority.verifier()));
  TRY(check_successor(old.body, fresh));
  if (fresh.scheme == object::SecretScheme::kShamir) return fail(Errc::kUnsupported, "a secret shared with the plain scheme cannot be reshared");
  std::vector<crypto::VssReshare> dealings;
  std::vector<crypto::VssShare> pieces;
  for (const object::ResharePiece& piece : reshare.pieces) {
    dealings.push_back({piece.dealer, vss_of(fresh, piece.commitments)});
    const object::ShareSeal seal{Use::kPiece, fresh.secret, fresh.generation, piece.dealer, {}};
    Result<object::SharePlain> opened = object::open_share(piece.sealed, seal, share.number, *core_.config.seal);
    if (!opened.ok()) return fail(opened.code(), "dealer " + std::to_string(piece.dealer) + " sealed its piece to another key, or it was changed");
    pieces.push_back(opened->vss());
  }
  if (TRY(crypto::vss_reshared_commitments(old.body.vss(), dealings)) != fresh.vss()) {
    return fail(Errc::kIntegrity, "the new commitments do not follow from the old ones and the dealings");
  }
  return object::SharePlain::of(TRY(crypto::vss_reshared_share(old.body.vss(), dealings, pieces)));
}

Result<object::SharePlain> Vault::open_held(const Entry& entry) const {
  return object::open_share(entry.sealed, held_seal(entry.manifest.body), entry.manifest.body.number_of(core_.self()), *core_.config.seal);
}

const Vault::Entry* Vault::find(const crypto::PublicKey& owner, const object::SecretId& secret, uint64_t generation) const {
  const auto it = shares_.find({owner, secret, generation});
  return it == shares_.end() ? nullptr : &it->second;
}

const Vault::Entry* Vault::newest(const crypto::PublicKey& owner, const object::SecretId& secret) const {
  const Entry* settled = nullptr;
  const Entry* any = nullptr;
  for (auto it = shares_.lower_bound({owner, secret, 0}); it != shares_.end() && it->first.owner == owner && it->first.secret == secret; ++it) {
    any = &it->second;
    if (it->second.settled) settled = &it->second;
  }
  return settled != nullptr ? settled : any;
}

void Vault::keep(Turn& turn, const Key& key, Entry entry, Core::OnStatus then) {
  const auto known = shares_.find(key);
  if (known != shares_.end()) bytes_ -= known->second.bytes();
  bytes_ += entry.bytes();
  const HeldShare record{entry.manifest.bytes, entry.sealed, entry.settled};
  shares_.insert_or_assign(key, std::move(entry));
  core_.put_record(turn, Record::kShare, record_id(key), codec::encode(record), std::move(then));
}

void Vault::erase(Turn& turn, const Key& key, Core::OnStatus then) {
  const auto it = shares_.find(key);
  if (it == shares_.end()) return then(turn, ok());
  bytes_ -= it->second.bytes();
  shares_.erase(it);
  core_.erase_record(turn, Record::kShare, record_id(key), std::move(then));
}

void Vault::erase_all(Turn& turn, std::vector<Key> keys, Core::OnStatus then) {
  if (keys.empty()) return then(turn, ok());
  auto left = std::make_shared<size_t>(keys.size());
  auto status = std::make_shared<Status>();
  for (const Key& key : keys) {
    erase(turn, key, [left, status, then](Turn& t, const Status& erased) {
      if (!erased.ok()) *status = erased;
      if (--*left == 0) then(t, *status);
    });
  }
}

void Vault::on_settle(Turn& turn, const NodeKey& from, const ShareSettle& message) {
  const object::Signed<object::NodeRecord>* actor = record_of(from);
  if (actor == nullptr) return;
  const auto acknowledge = [this, from, request = message.request](Turn& t, const Status& status) {
    core_.send(t, from, SecretMessages::encode(ShareStored{request, status.ok() ? uint8_t(0) : uint8_t(status.code()),
                                                           status.ok() ? "" : status.error().message}));
  };
  // Only the owner's own: what is settled is found under the owner of the session, and taking one's data away needs no grant.
  const crypto::PublicKey owner = actor->body.owner;
  std::vector<Key> gone;
  for (auto it = shares_.lower_bound({owner, message.secret, 0}); it != shares_.end() && it->first.owner == owner && it->first.secret == message.secret; ++it) {
    const uint64_t generation = it->first.generation;
    const bool earlier = generation < message.generation;
    const bool same = generation == message.generation;
    if (message.action == SettleAction::kKeep ? earlier : message.action == SettleAction::kDrop ? same && !it->second.settled : earlier || same) {
      gone.push_back(it->first);
    }
  }
  if (message.action != SettleAction::kKeep) return erase_all(turn, std::move(gone), acknowledge);
  const Key key{owner, message.secret, message.generation};
  const auto kept = shares_.find(key);
  if (kept == shares_.end()) return acknowledge(turn, fail(Errc::kNotFound, "this generation of the secret is not held here"));
  Entry entry = kept->second;
  entry.settled = true;
  // The new one first, and the old ones only when the disk has it: no crash leaves none.
  keep(turn, key, std::move(entry), [this, gone, acknowledge](Turn& t, const Status& written) {
    if (!written.ok()) return acknowledge(t, written);
    erase_all(t, gone, acknowledge);
  });
}

// ---- giving out

void Vault::on_ask(Turn& turn, const NodeKey& from, const ShareAsk& message) {
  const object::Signed<object::NodeRecord>* actor = record_of(from);
  if (actor == nullptr) return;
  ShareGiven given;
  given.request = message.request;
  const auto release = object::open_object<object::SecretRelease>(message.release, core_.authority.verifier());
  Result<Bytes> sealed = release.ok() ? answer(turn, *actor, release->body, message.capabilities) : Result<Bytes>(release.error());
  if (sealed.ok()) {
    const Entry* entry = find(release->body.origin, release->body.secret, release->body.generation);
    given.number = entry->manifest.body.number_of(core_.self());
    given.sealed = std::move(sealed).value();
  } else {
    given.error = uint8_t(sealed.code());
    given.message = sealed.error().message;
    // Who may have the share may also know that it goes by another generation now.
    if (release.ok() && sealed.code() == Errc::kNotFound) {
      const Entry* now_in_force = newest(release->body.origin, release->body.secret);
      if (now_in_force != nullptr) given.manifest = now_in_force->manifest.bytes;
    }
  }
  send_audited(turn, from, std::move(given));
}

// What is given out leaves only when it is on disk that it was.
template <class Message>
void Vault::send_audited(Turn& turn, const NodeKey& to, Message message) {
  core_.after_audit(turn, [this, to, message = std::move(message)](Turn& t, const Status& written) {
    if (written.ok()) return (void)core_.send(t, to, SecretMessages::encode(message));
    Message refusal;
    refusal.request = message.request;
    refusal.error = uint8_t(written.code());
    refusal.message = written.error().message;
    core_.send(t, to, SecretMessages::encode(refusal));
  });
}

Result<Bytes> Vault::answer(Turn& turn, const object::Signed<object::NodeRecord>& actor, const object::SecretRelease& release,
                            const std::vector<Bytes>& capabilities) {
  const Entry* known = newest(release.origin, release.secret);
  // Nothing is said, and nothing is written down, about a secret that is not here.
  if (known == nullptr || known->manifest.body.zone != release.zone) return fail(Errc::kUnauthorized, "no share of that secret is to be had here");
  object::SecretVerdict verdict;
  verdict.zone = release.zone;
  verdict.origin = release.origin;
  verdict.secret = release.secret;
  verdict.generation = release.generation;
  verdict.holder = core_.self();
  verdict.asker = actor.body.node;
  verdict.purpose = release.purpose;
  verdict.scope = release.scope;
  verdict.nonce = release.nonce;
  verdict.at = turn.now.unix_seconds();
  const auto decide = [&]() -> Result<Bytes> {
    if (release.asker != actor.body.node) return fail(Errc::kUnauthorized, "the request was signed by another node than the one that brings it");
    if (release.issued > verdict.at + object::kClockSkewSecondsMax) return fail(Errc::kUnauthorized, "the request is not valid yet: compare the clocks");
    if (release.expires <= verdict.at) return fail(Errc::kExpired, "the request has expired: ask again");
    if (known->manifest.body.expires <= verdict.at) return fail(Errc::kExpired, "the secret has expired");
    TRY(may(turn, actor, known->manifest.body, object::kSecretRelease, 0, capabilities));
    const Entry* entry = find(release.origin, release.secret, release.generation);
    if (entry == nullptr) return fail(Errc::kNotFound, "generation " + std::to_string(release.generation) + " of the secret is not in force");
    TRY(not_replayed(turn.now, release.nonce, release.expires));
    TRY(not_too_often(turn.now, actor.body.node, release.secret));
    const object::SharePlain share = TRY(open_held(*entry));
    return object::seal_share(share, {Use::kRelease, release.secret, release.generation, 0, release.nonce}, release.reply_key, core_.drbg);
  };
  Result<Bytes> sealed = decide();
  verdict.error = sealed.ok() ? 0 : uint8_t(sealed.code());
  audit(turn, verdict);
  return sealed;
}

Status Vault::not_too_often(Instant now, const NodeKey& asker, const object::SecretId& secret) {
  const BucketKey key{asker, secret};
  auto it = buckets_.find(key);
  if (it == buckets_.end()) {
    if (buckets_.size() >= kReleaseBucketsMax) std::erase_if(buckets_, [now](const auto& each) { return each.second.full(now); });
    if (buckets_.size() >= kReleaseBucketsMax) return fail(Errc::kLimit, "too many are asking for secrets here: try again later");
    it = buckets_.emplace(key, TokenBucket(kReleaseBurst, kReleaseEvery)).first;
  }
  if (it->second.take(now)) return ok();
  return fail(Errc::kLimit, "this node has asked for this secret too often: again in " + std::to_string(it->second.wait(now).ms() / 1000 + 1) + " seconds");
}

Status Vault::not_replayed(Instant now, const object::Unique& nonce, uint64_t expires) {
  if (nonces_.size() >= kReleaseNoncesMax) std::erase_if(nonces_, [now](const auto& each) { return each.second <= now.unix_seconds(); });
  if (nonces_.size() >= kReleaseNoncesMax) return fail(Errc::kLimit, "too many are asking for secrets here: try again later");
  if (!nonces_.emplace(nonce, expires).second) return fail(Errc::kUnauthorized, "this request was answered before: make a new one");
  return ok();
}

void Vault::audit(Turn& turn, const object::SecretVerdict& verdict) {
  const bool refused = verdict.error != 0;
  core_.trace(turn, "secret " + verdict.secret.brief() + (refused ? std::string(" refused (") + errc_name(Errc(verdict.error)) + ") to " : " released to ") +
                        verdict.asker.brief());
  if (refused && !refusals_.take(turn.now)) return;
  const auto made = object::sign_object(*core_.config.node, verdict);
  CHECK(made.ok());  // every field was checked when the request was opened
  const std::string detail = refused ? std::string("refused (") + errc_name(Errc(verdict.error)) + ")" : "released: " + verdict.purpose;
  core_.audit(turn, {object::AuditKind::kSecret, convert<crypto::Digest>(made->id), detail, AuditBytes::kWithin}, made->bytes);
}

void Vault::on_reshare(Turn& turn, const NodeKey& from, const ReshareAsk& message) {
  const object::Signed<object::NodeRecord>* actor = record_of(from);
  if (actor == nullptr) return;
  const auto order = object::open_object<object::SecretReshare>(message.order, core_.authority.verifier());
  Result<ReshareDealt> dealt = order.ok() ? deal(turn, *actor, order->body) : Result<ReshareDealt>(order.error());
  ReshareDealt out;
  if (dealt.ok()) {
    out = std::move(dealt).value();
  } else {
    out.error = uint8_t(dealt.code());
    out.message = dealt.error().message;
  }
  out.request = message.request;
  send_audited(turn, from, std::move(out));
}

// Whoever names the receivers could name himself: dealing a share again is a release, with the same checks, limit and audit.
Result<ReshareDealt> Vault::deal(Turn& turn, const object::Signed<object::NodeRecord>& actor, const object::SecretReshare& order) {
  const Entry* entry = find(order.owner, order.secret, order.generation);
  if (entry == nullptr || !entry->settled || entry->manifest.body.zone != order.zone) return fail(Errc::kUnauthorized, "no share of that secret is to be had here");
  const object::SecretManifest& manifest = entry->manifest.body;
  object::SecretVerdict verdict{order.zone, order.owner, order.secret, order.generation, core_.self(), actor.body.node, "reshare", "reshare",
                                order.nonce, 0, turn.now.unix_seconds()};
  const auto decide = [&]() -> Result<ReshareDealt> {
    if (actor.body.owner != order.owner) return fail(Errc::kUnauthorized, "only its owner's nodes bring the order to reshare a secret");
    if (order.issued > verdict.at + object::kClockSkewSecondsMax) return fail(Errc::kUnauthorized, "the order is not valid yet: compare the clocks");
    if (order.expires <= verdict.at) return fail(Errc::kExpired, "the order has expired");
    if (manifest.scheme == object::SecretScheme::kShamir) return fail(Errc::kUnsupported, "a secret shared with the plain scheme cannot be reshared");
    TRY(may(turn, actor, manifest, kOperationReshare, 0, {}));
    TRY(not_replayed(turn.now, order.nonce, order.expires));
    TRY(not_too_often(turn.now, actor.body.node, order.secret));
    const crypto::VssShare share = TRY(open_held(*entry)).vss();
    const crypto::VssScheme scheme = manifest.vss().scheme;
    const crypto::VssDealing dealing = TRY(crypto::vss_deal_reshare(scheme, share, order.threshold, order.receivers.size(), core_.drbg));
    ReshareDealt out;
    out.dealer = share.number;
    for (const crypto::GroupElement& point : dealing.commitments.points) out.commitments.push_back({point.bytes});
    for (size_t i = 0; i < order.receivers.size(); ++i) {
      const object::ShareSeal seal{Use::kPiece, order.secret, order.generation + 1, share.number, {}};
      out.pieces.push_back(TRY(object::seal_share(object::SharePlain::of(dealing.shares[i]), seal, order.receivers[i].seal_key, core_.drbg)));
    }
    return out;
  };
  Result<ReshareDealt> dealt = decide();
  verdict.error = dealt.ok() ? 0 : uint8_t(dealt.code());
  audit(turn, verdict);
  return dealt;
}

// ---- time

void Vault::on_deadline(Turn& turn) {
  std::vector<Key> gone;
  for (const auto& [key, entry] : shares_) {
    if (entry.manifest.body.expires <= turn.now.unix_seconds()) gone.push_back(key);
  }
  for (const Key& key : gone) core_.trace(turn, "a share of secret " + key.secret.brief() + " has expired");
  erase_all(turn, std::move(gone), [](Turn&, const Status&) {});
}

Instant Vault::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [key, entry] : shares_) soonest = std::min(soonest, Instant::from_unix_seconds(entry.manifest.body.expires));
  return soonest;
}

}  // namespace selvedge::node
