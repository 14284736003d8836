// How a generation of a secret comes into force: shares to all holders, then the manifest on disk here, then the earlier ones erased.
#include <algorithm>

#include "codec/multibase.h"
#include "crypto/hash.h"
#include "node/secrets.h"

namespace selvedge::node {

namespace {

template <class Fixed>
Result<Fixed> fixed_from_hex(const std::string& what, const std::string& text) {
  const Result<Bytes> bytes = from_hex(text);
  if (!bytes.ok() || bytes->size() != Fixed::kSize) return fail(Errc::kInvalid, what + " is " + std::to_string(Fixed::kSize) + " bytes in hexadecimal");
  return Fixed::from(*bytes);
}

Result<object::SecretScheme> scheme_from(const std::string& text) {
  for (const object::SecretScheme scheme : {object::SecretScheme::kShamir, object::SecretScheme::kFeldman, object::SecretScheme::kPedersen}) {
    if (text == object::enum_name(scheme)) return scheme;
  }
  return fail(Errc::kInvalid, "the scheme is shamir, feldman or pedersen");
}

std::vector<object::CommitmentBytes> bytes_of(const crypto::VssCommitments& commitments) {
  std::vector<object::CommitmentBytes> out;
  for (const crypto::GroupElement& point : commitments.points) out.push_back({point.bytes});
  return out;
}

}  // namespace

void Secrets::store(Turn& turn, const SecretStoreRequest& request, OnInfo then) {
  const auto make = [&]() -> Result<std::pair<Manifest, Deliveries>> {
    if (find_own(request.name) != nullptr) return fail(Errc::kExists, "there is a secret named \"" + request.name + "\" already");
    if (owned_.size() >= kSecretsMax) return fail(Errc::kLimit, "this owner has too many secrets: remove some first");
    const std::vector<Candidate> holders = TRY(candidates(turn.now, request.holders, request.threshold, request.one_owner));
    if (request.shares.size() != holders.size()) return fail(Errc::kInvalid, "there is one share for each holder");
    object::SecretManifest body;
    body.zone = core_.zone();
    body.owner = core_.owner();
    body.secret = TRY(fixed_from_hex<object::SecretId>("a secret's id", request.secret));
    if (owned_.count(body.secret)) return fail(Errc::kExists, "this id was used already: an id is drawn at random");
    body.name = request.name;
    body.scheme = TRY(scheme_from(request.scheme));
    body.threshold = uint8_t(request.threshold);
    body.generation = 1;
    for (const Candidate& holder : holders) body.holders.push_back({holder.node, holder.owner, holder.addresses});
    if (request.commitments.size() > object::kSecretHoldersMax) return fail(Errc::kLimit, "too many commitments");
    for (const std::string& each : request.commitments) body.commitments.push_back(TRY(fixed_from_hex<object::CommitmentBytes>("a commitment", each)));
    body.sealed = TRY(from_hex(request.sealed));
    body.sealed_digest = crypto::sha256(body.sealed);
    body.issued = turn.now.unix_seconds();
    body.expires = body.issued + request.seconds;
    Manifest manifest = TRY(object::sign_object(*core_.config.owner, std::move(body)));
    Deliveries deliveries;
    for (size_t i = 0; i < holders.size(); ++i) deliveries.push_back({holders[i].node, object::DealtShare{TRY(from_hex(request.shares[i]))}});
    return std::pair{std::move(manifest), std::move(deliveries)};
  };
  Result<std::pair<Manifest, Deliveries>> made = make();
  if (!made.ok()) return then(turn, made.error());
  bring(turn, std::move(made->first), std::move(made->second), {}, std::move(then));
}

void Secrets::bring(Turn& turn, Manifest manifest, Deliveries deliveries, std::vector<NodeKey> leaving, OnInfo then) {
  const auto owned = owned_.find(manifest.body.secret);
  if (owned != owned_.end()) owned->second.busy = true;
  struct Bringing {
    size_t left;
    std::vector<Refused> refused;
  };
  const auto state = std::make_shared<Bringing>(Bringing{deliveries.size(), {}});
  const auto kept = std::make_shared<Manifest>(std::move(manifest));
  const auto ended = [this, state, kept, leaving, then](Turn& t) {
    if (state->refused.empty()) return put_in_force(t, *kept, leaving, then);
    take_back(t, *kept, state->refused, then);
  };
  for (auto& [node, delivery] : deliveries) {
    object::SecretShare share;
    share.zone = kept->body.zone;
    share.owner = kept->body.owner;
    share.manifest = kept->id;
    share.secret = kept->body.secret;
    share.generation = kept->body.generation;
    share.number = kept->body.number_of(node);
    share.holder = node;
    share.delivery = std::move(delivery);
    share.issued = kept->body.issued;
    share.expires = kept->body.expires;
    const auto replied = [state, ended, node = node](Turn& t, Result<Reply> reply) {
      if (!reply.ok()) state->refused.push_back({node, reply.error()});
      if (--state->left == 0) ended(t);
    };
    const Result<object::Signed<object::SecretShare>> made = object::sign_object(*core_.config.owner, std::move(share));
    if (made.ok()) ask(turn, node, ShareStore{0, kept->bytes, made->bytes}, replied);
    else replied(turn, made.error());
  }
}

void Secrets::take_back(Turn& turn, const Manifest& manifest, const std::vector<Refused>& refused, OnInfo then) {
  const auto owned = owned_.find(manifest.body.secret);
  if (owned != owned_.end()) owned->second.busy = false;
  for (const object::SecretHolder& holder : manifest.body.holders) {
    ask(turn, holder.node, ShareSettle{0, manifest.body.secret, manifest.body.generation, SettleAction::kDrop}, [](Turn&, Result<Reply>) {});
  }
  std::string text = "nothing was changed, because not every holder took its share";
  for (const Refused& each : refused) text += "; " + codec::key_text(each.node).substr(0, 12) + ": " + each.why.message;
  then(turn, fail(refused.front().why.code, text));
}

void Secrets::write(Turn& turn, const Owned& owned, Core::OnStatus then) {
  const OwnedSecret record{owned.manifest.bytes, owned.removed, owned.unsettled};
  core_.put_record(turn, Record::kSecret, owned.manifest.body.secret, codec::encode(record), std::move(then));
}

void Secrets::put_in_force(Turn& turn, Manifest manifest, std::vector<NodeKey> leaving, OnInfo then) {
  const object::SecretId id = manifest.body.secret;
  Owned next{std::move(manifest), false, {}};
  const auto known = owned_.find(id);
  if (known == owned_.end() && find_own(next.manifest.body.name) != nullptr) {
    const Refused taken{core_.self(), fail(Errc::kExists, "another secret took this name meanwhile")};
    return take_back(turn, next.manifest, {taken}, std::move(then));
  }
  // What an earlier change has left to say is said by this one: it erases every earlier generation.
  if (known != owned_.end()) {
    for (const Unsettled& each : known->second.unsettled) {
      if (next.manifest.body.number_of(each.node) == 0) next.unsettled.push_back(each);
    }
  }
  for (const object::SecretHolder& holder : next.manifest.body.holders) {
    next.unsettled.push_back({holder.node, next.manifest.body.generation, SettleAction::kKeep});
  }
  for (const NodeKey& node : leaving) next.unsettled.push_back({node, next.manifest.body.generation, SettleAction::kForget});
  const auto kept = std::make_shared<Owned>(std::move(next));
  write(turn, *kept, [this, id, kept, then](Turn& t, const Status& written) {
    const auto before = owned_.find(id);
    if (!written.ok()) {
      if (before != owned_.end()) before->second.busy = false;
      return then(t, written.error());
    }
    owned_.insert_or_assign(id, std::move(*kept));
    settle(t, id);
    then(t, info_of(owned_.at(id)));
  });
}

// ---- telling holders what is in force

void Secrets::settle(Turn& turn, const object::SecretId& secret) {
  const auto owned = owned_.find(secret);
  if (owned == owned_.end()) return;
  const std::vector<Unsettled> all = owned->second.unsettled;
  for (const Unsettled& each : all) {
    if (!core_.reachable(each.node)) continue;
    ask(turn, each.node, ShareSettle{0, secret, each.generation, each.action},
        [this, secret, each](Turn& t, Result<Reply> reply) { settled(t, secret, each, reply); });
  }
}

void Secrets::settled(Turn& turn, const object::SecretId& secret, const Unsettled& what, const Result<Reply>& reply) {
  const auto owned = owned_.find(secret);
  if (owned == owned_.end()) return;
  if (!reply.ok() && reply.code() != Errc::kNotFound) return;  // it is told again when it is back
  if (!reply.ok()) core_.trace(turn, "holder " + what.node.brief() + " has lost its share of secret " + secret.brief());
  auto& left = owned->second.unsettled;
  const auto same = [&](const Unsettled& each) { return each.node == what.node && each.generation == what.generation && each.action == what.action; };
  if (std::erase_if(left, same) == 0) return;
  if (owned->second.removed && left.empty()) {
    owned_.erase(owned);
    return core_.erase_record(turn, Record::kSecret, secret, [](Turn&, const Status&) {});
  }
  write(turn, owned->second, [](Turn&, const Status&) {});
}

// ---- refresh

void Secrets::refresh(Turn& turn, const std::string& name, OnInfo then) {
  const Result<Owned*> own = idle_own(name);
  if (!own.ok()) return then(turn, own.error());
  deal_zero(turn, (*own)->manifest, std::move(then));
}

void Secrets::deal_zero(Turn& turn, const Manifest& old, OnInfo then) {
  const auto make = [&]() -> Result<std::pair<Manifest, Deliveries>> {
    const object::SecretManifest& before = old.body;
    if (before.scheme == object::SecretScheme::kShamir) {
      return fail(Errc::kUnsupported, "this secret was split with the plain scheme, whose shares cannot be renewed: combine it, remove it, and split it again");
    }
    for (const object::SecretHolder& holder : before.holders) {
      if (record_of(holder.node) != nullptr) continue;
      return fail(Errc::kUnavailable, "holder " + codec::key_text(holder.node).substr(0, 12) +
                                          " is not connected, and a refresh takes all holders: wait for it, or reshare to others (selvedge secret reshare)");
    }
    const crypto::VssCommitments current = before.vss();
    const crypto::VssDealing zero = TRY(crypto::vss_deal_refresh(current.scheme, before.threshold, before.holders.size(), core_.drbg));
    const std::vector<crypto::VssCommitments> refreshes = {zero.commitments};
    object::SecretManifest body = before;
    body.generation = before.generation + 1;
    body.commitments = bytes_of(TRY(crypto::vss_refreshed_commitments(current, refreshes)));
    body.issued = turn.now.unix_seconds();
    body.expires = body.issued + (before.expires - before.issued);
    Manifest manifest = TRY(object::sign_object(*core_.config.owner, std::move(body)));
    Deliveries deliveries;
    for (size_t i = 0; i < before.holders.size(); ++i) {
      const NodeKey& node = before.holders[i].node;
      const object::ShareSeal seal{object::ShareSeal::Use::kAddition, before.secret, manifest.body.generation, 0, {}};
      Bytes sealed = TRY(object::seal_share(object::SharePlain::of(zero.shares[i]), seal, record_of(node)->body.seal_key, core_.drbg));
      deliveries.push_back({node, object::RefreshShare{bytes_of(zero.commitments), std::move(sealed)}});
    }
    return std::pair{std::move(manifest), std::move(deliveries)};
  };
  Result<std::pair<Manifest, Deliveries>> made = make();
  if (!made.ok()) return then(turn, made.error());
  bring(turn, std::move(made->first), std::move(made->second), {}, std::move(then));
}

// ---- reshare

void Secrets::reshare(Turn& turn, const SecretReshareRequest& request, OnInfo then) {
  const Result<Owned*> own = idle_own(request.name);
  if (!own.ok()) return then(turn, own.error());
  const Manifest old = (*own)->manifest;
  if (old.body.scheme == object::SecretScheme::kShamir) {
    return then(turn, fail(Errc::kUnsupported, "this secret was split with the plain scheme, which cannot be moved: combine it, remove it, and split it again"));
  }
  const Result<std::vector<Candidate>> holders = candidates(turn.now, request.holders, request.threshold, request.one_owner);
  if (!holders.ok()) return then(turn, holders.error());
  object::SecretReshare order;
  order.zone = core_.zone();
  order.owner = core_.owner();
  order.secret = old.body.secret;
  order.generation = old.body.generation;
  order.threshold = uint8_t(request.threshold);
  for (const Candidate& holder : *holders) order.receivers.push_back({holder.node, holder.seal_key});
  order.issued = turn.now.unix_seconds();
  order.expires = order.issued + object::kReshareTtlMax;
  order.nonce = core_.drbg.draw<object::Unique>();
  const Result<object::Signed<object::SecretReshare>> made = object::sign_object(*core_.config.owner, order);
  if (!made.ok()) return then(turn, made.error());

  object::SecretManifest fresh = old.body;
  fresh.generation = old.body.generation + 1;
  fresh.threshold = order.threshold;
  fresh.holders.clear();
  for (const Candidate& holder : *holders) fresh.holders.push_back({holder.node, holder.owner, holder.addresses});
  fresh.issued = order.issued;
  fresh.expires = fresh.issued + (old.body.expires - old.body.issued);

  (*own)->busy = true;
  Gathering gathering;
  gathering.manifest = old.body;
  gathering.question = ReshareAsk{0, made->bytes};
  for (const object::SecretHolder& holder : old.body.holders) gathering.left.push_back(holder.node);
  gathering.check = [old, order](Turn&, const NodeKey& node, const Reply& reply) -> Status {
    const auto* dealt = std::get_if<ReshareDealt>(&reply);
    if (dealt == nullptr || dealt->dealer != old.body.number_of(node)) return fail(Errc::kInvalid, "it answered something else");
    if (dealt->pieces.size() != order.receivers.size() || dealt->commitments.size() != order.threshold) {
      return fail(Errc::kInvalid, "it did not deal to every new holder");
    }
    crypto::VssReshare reshare{dealt->dealer, {old.body.vss().scheme, {}}};
    for (const object::CommitmentBytes& each : dealt->commitments) reshare.commitments.points.push_back({each.bytes});
    return crypto::vss_check_reshare(old.body.vss(), reshare);
  };
  gathering.then = [this, old, fresh, then](Turn& t, std::vector<Got> got, std::vector<Refused> refused) {
    const auto owned = owned_.find(old.body.secret);
    if (owned != owned_.end()) owned->second.busy = false;
    if (got.size() >= old.body.threshold) return reshared(t, old, fresh, std::move(got), then);
    std::string text = "it takes " + std::to_string(old.body.threshold) + " holders to move a secret, and " + std::to_string(got.size()) + " did their part";
    Errc code = Errc::kUnavailable;
    for (const Refused& each : refused) {
      text += "; " + codec::key_text(each.node).substr(0, 12) + ": " + each.why.message;
      if (code == Errc::kUnavailable) code = each.why.code;
    }
    then(t, fail(code, text));
  };
  gather(turn, std::move(gathering));
}

void Secrets::reshared(Turn& turn, const Manifest& old, object::SecretManifest fresh, std::vector<Got> got, OnInfo then) {
  const auto make = [&]() -> Result<std::pair<Manifest, Deliveries>> {
    std::vector<crypto::VssReshare> reshares;
    for (const Got& each : got) {
      const ReshareDealt& dealt = std::get<ReshareDealt>(each.reply);
      reshares.push_back({dealt.dealer, {old.body.vss().scheme, {}}});
      for (const object::CommitmentBytes& commitment : dealt.commitments) reshares.back().commitments.points.push_back({commitment.bytes});
    }
    fresh.commitments = bytes_of(TRY(crypto::vss_reshared_commitments(old.body.vss(), reshares)));
    Manifest manifest = TRY(object::sign_object(*core_.config.owner, fresh));
    Deliveries deliveries;
    for (size_t i = 0; i < fresh.holders.size(); ++i) {
      object::ReshareShare share;
      share.old_manifest = old.bytes;
      for (const Got& each : got) {
        const ReshareDealt& dealt = std::get<ReshareDealt>(each.reply);
        share.pieces.push_back({dealt.dealer, dealt.commitments, dealt.pieces[i]});
      }
      deliveries.push_back({fresh.holders[i].node, std::move(share)});
    }
    return std::pair{std::move(manifest), std::move(deliveries)};
  };
  Result<std::pair<Manifest, Deliveries>> made = make();
  if (!made.ok()) return then(turn, made.error());
  std::vector<NodeKey> leaving;
  for (const object::SecretHolder& holder : old.body.holders) {
    if (made->first.body.number_of(holder.node) == 0) leaving.push_back(holder.node);
  }
  bring(turn, std::move(made->first), std::move(made->second), std::move(leaving), std::move(then));
}

// ---- remove

void Secrets::remove(Turn& turn, const std::string& name, OnInfo then) {
  const Result<Owned*> own = idle_own(name);
  if (!own.ok()) return then(turn, own.error());
  Owned& owned = **own;
  owned.removed = true;
  const object::SecretId id = owned.manifest.body.secret;
  for (const object::SecretHolder& holder : owned.manifest.body.holders) {
    std::erase_if(owned.unsettled, [&](const Unsettled& each) { return each.node == holder.node; });
    owned.unsettled.push_back({holder.node, owned.manifest.body.generation, SettleAction::kForget});
  }
  write(turn, owned, [this, id, then](Turn& t, const Status& written) {
    const auto found = owned_.find(id);
    if (!written.ok()) {
      if (found != owned_.end()) found->second.removed = false;
      return then(t, written.error());
    }
    const SecretInfo info = info_of(found->second);
    settle(t, id);
    then(t, info);
  });
}

}  // namespace selvedge::node
