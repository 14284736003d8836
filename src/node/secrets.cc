// Names, asking holders, releases, and leave for others. How a generation comes into force is in secrets_change.cc.
#include "node/secrets.h"

#include <algorithm>

#include "codec/multibase.h"

namespace selvedge::node {

namespace {


/// What a peer's answer says: its error, with a code that this build knows.
Status said(uint8_t error, const std::string& message) {
  if (error == 0) return ok();
  const bool known = error <= uint8_t(Errc::kInternal);
  return fail(known ? Errc(error) : Errc::kInternal, message.substr(0, 300));
}

struct SaidStatus {
  Status operator()(const ShareStored& reply) const { return said(reply.error, reply.message); }
  Status operator()(const ShareGiven& reply) const { return said(reply.error, reply.message); }
  Status operator()(const ReshareDealt& reply) const { return said(reply.error, reply.message); }
};

}  // namespace

// ---- start and list

void Secrets::restore(Turn& turn) {
  const crypto::Verifier& verifier = core_.authority.verifier();
  for (const store::RecordRef& record : core_.records(Record::kSecret)) {
    Result<OwnedSecret> own = codec::decode<OwnedSecret>(*record.value);
    if (!own.ok()) continue;
    Result<Manifest> manifest = object::open_object<object::SecretManifest>(own->manifest, verifier);
    if (!manifest.ok()) {
      core_.trace(turn, "a secret's manifest cannot be read: " + manifest.error().message);
      continue;
    }
    const object::SecretId id = manifest->body.secret;
    owned_.insert_or_assign(id, Owned{std::move(manifest).value(), own->removed, std::move(own->unsettled)});
  }
  for (const store::RecordRef& record : core_.records(Record::kSecretOffered)) {
    const Result<OfferedSecret> offered = codec::decode<OfferedSecret>(*record.value);
    if (!offered.ok()) continue;
    Result<Manifest> manifest = object::open_object<object::SecretManifest>(offered->manifest, verifier);
    auto capability = object::open_object<object::Capability>(offered->capability, verifier);
    if (!manifest.ok() || !capability.ok()) continue;
    const object::SecretId id = manifest->body.secret;
    offered_.insert_or_assign(id, Offered{std::move(manifest).value(), std::move(capability).value()});
  }
  for (const store::RecordRef& record : core_.records(Record::kSecretLeave)) {
    Result<SecretLeave> leave = codec::decode<SecretLeave>(*record.value);
    if (!leave.ok()) continue;
    auto capability = object::open_object<object::Capability>(leave->capability, verifier);
    if (!capability.ok()) continue;
    const object::ObjectId id = capability->id;
    leaves_.insert_or_assign(id, Leave{leave->secret, std::move(capability).value(), leave->denied});
  }
}

SecretInfo Secrets::info_of(const object::SecretManifest& manifest) const {
  SecretInfo info;
  info.name = manifest.name;
  info.id = manifest.secret;
  info.owner = manifest.owner;
  info.own = manifest.owner == core_.owner();
  info.scheme = object::enum_name(manifest.scheme);
  info.threshold = manifest.threshold;
  info.generation = manifest.generation;
  info.bytes = manifest.sealed.size() - object::kSecretSealOverhead;
  info.issued = manifest.issued;
  info.expires = manifest.expires;
  for (size_t i = 0; i < manifest.holders.size(); ++i) {
    const object::SecretHolder& holder = manifest.holders[i];
    info.holders.push_back({uint32_t(i + 1), holder.node, holder.owner, {}, core_.reachable(holder.node)});
  }
  return info;
}

SecretInfo Secrets::info_of(const Owned& owned) const {
  SecretInfo info = info_of(owned.manifest.body);
  info.unsettled = uint32_t(owned.unsettled.size());
  for (const auto& [id, leave] : leaves_) {
    if (leave.secret == info.id && !leave.denied) info.allowed.push_back(leave.capability.body.audience);
  }
  return info;
}

std::vector<SecretInfo> Secrets::list() const {
  std::vector<SecretInfo> out;
  for (const auto& [id, owned] : owned_) {
    if (!owned.removed) out.push_back(info_of(owned));
  }
  for (const auto& [id, offered] : offered_) {
    out.push_back(info_of(offered.manifest.body));
    out.back().name = codec::key_text(offered.manifest.body.owner).substr(0, 12) + "/" + offered.manifest.body.name;
    out.back().expires = std::min(out.back().expires, offered.capability.body.expires);
  }
  std::sort(out.begin(), out.end(), [](const SecretInfo& a, const SecretInfo& b) { return std::tie(a.name, a.id) < std::tie(b.name, b.id); });
  return out;
}

// ---- names

Secrets::Owned* Secrets::find_own(const std::string& name) {
  for (auto& [id, owned] : owned_) {
    if (!owned.removed && owned.manifest.body.name == name) return &owned;
  }
  return nullptr;
}

Result<Secrets::Owned*> Secrets::idle_own(const std::string& name) {
  Owned* owned = find_own(name);
  if (owned == nullptr) return fail(Errc::kNotFound, "this owner has no secret named \"" + name + "\"; selvedge secret list shows them");
  if (owned->busy) return fail(Errc::kBusy, "this secret is being changed already: wait until that has ended");
  return owned;
}

Result<Secrets::Offered*> Secrets::find_offered(const std::string& name) {
  const size_t slash = name.find('/');
  Offered* found = nullptr;
  for (auto& [id, offered] : offered_) {
    if (slash == std::string::npos || slash < kNodePrefixMin || offered.manifest.body.name != name.substr(slash + 1)) continue;
    if (!codec::key_text(offered.manifest.body.owner).starts_with(name.substr(0, slash))) continue;
    if (found != nullptr) return fail(Errc::kInvalid, "more than one owner or secret goes by \"" + name + "\": write more of the owner's key");
    found = &offered;
  }
  if (found == nullptr) {
    return fail(Errc::kNotFound, "there is no secret \"" + name + "\" here; selvedge secret list shows them (another owner's is named OWNER/NAME)");
  }
  return found;
}

const object::Signed<object::NodeRecord>* Secrets::record_of(const NodeKey& node) const {
  if (node == core_.self()) return &core_.record;
  const mesh::Peer* peer = core_.sessions.find(node);
  return peer == nullptr || !peer->record || !core_.sessions.up(node) ? nullptr : &*peer->record;
}

Result<Secrets::Candidate> Secrets::candidate(Instant now, const std::string& text) const {
  const NodeKey node = TRY(core_.find_node(text));
  const object::Signed<object::NodeRecord>* record = record_of(node);
  const std::string name = "node " + codec::key_text(node).substr(0, 12);
  if (record == nullptr) return fail(Errc::kUnavailable, name + " is not connected: selvedge peer list says why");
  const bool granted = record->body.owner == core_.owner() || core_.authority.granted_by(now, node, object::kStorage) != nullptr;
  if (!granted) return fail(Errc::kUnauthorized, name + " has granted no storage: its owner runs selvedge grant give " + codec::key_text(core_.owner()) + " --storage 1M");
  const mesh::Peer* peer = core_.sessions.find(node);
  return Candidate{node, record->body.owner, record->body.seal_key, peer == nullptr ? core_.config.addresses : peer->addresses};
}

Result<std::vector<Secrets::Candidate>> Secrets::candidates(Instant now, const std::vector<std::string>& holders, size_t threshold, bool one_owner) const {
  if (holders.size() > object::kSecretHoldersMax) return fail(Errc::kLimit, "a secret has at most " + std::to_string(object::kSecretHoldersMax) + " holders");
  if (threshold < 2 || threshold > holders.size()) {
    return fail(Errc::kInvalid, "with " + std::to_string(holders.size()) + " holders, it takes between 2 and " + std::to_string(holders.size()) +
                                    " shares (-k): a share that is enough alone would be the secret itself");
  }
  std::vector<Candidate> out;
  std::map<crypto::PublicKey, size_t> of_owner;
  for (const std::string& text : holders) {
    out.push_back(TRY(candidate(now, text)));
    for (size_t i = 0; i + 1 < out.size(); ++i) {
      if (out[i].node == out.back().node) return fail(Errc::kInvalid, "one node cannot hold two shares: name each holder once");
    }
    // One's own machines may hold what they like: their owner can have the secret anyway.
    if (out.back().owner != core_.owner() && ++of_owner[out.back().owner] >= threshold && !one_owner) {
      return fail(Errc::kInvalid, "the machines of one other owner would hold as many shares as it takes, so that owner alone could have the secret: "
                                  "name holders of more owners, raise -k, or say --one-owner");
    }
  }
  return out;
}

Result<SecretPrepareAnswer> Secrets::prepare(Instant now, const SecretPrepareRequest& request) const {
  for (const auto& [id, owned] : owned_) {
    if (!owned.removed && owned.manifest.body.name == request.name) {
      return fail(Errc::kExists, "there is a secret named \"" + request.name + "\" already: selvedge secret remove it first, or take another name");
    }
  }
  const std::vector<Candidate> found = TRY(candidates(now, request.holders, request.threshold, request.one_owner));
  SecretPrepareAnswer answer;
  answer.owner = core_.owner();
  answer.zone = core_.zone();
  for (size_t i = 0; i < found.size(); ++i) answer.holders.push_back({uint32_t(i + 1), found[i].node, found[i].owner, found[i].seal_key, true});
  return answer;
}

// ---- asking

template <class Message>
void Secrets::ask(Turn& turn, const NodeKey& to, Message message, OnReply then) {
  if (asks_.size() >= kSecretAsksMax) return then(turn, fail(Errc::kLimit, "too much is being asked about secrets at once: try again"));
  message.request = ++last_ask_;
  asks_.emplace(message.request, Ask{to, turn.now + kSecretAskTimeout, std::move(then)});
  if (core_.send(turn, to, SecretMessages::encode(message))) return;
  auto unsent = asks_.extract(message.request);
  unsent.mapped().then(turn, fail(Errc::kUnavailable, "it is not connected"));
}
template void Secrets::ask(Turn&, const NodeKey&, ShareStore, OnReply);
template void Secrets::ask(Turn&, const NodeKey&, ShareSettle, OnReply);

void Secrets::answered(Turn& turn, const NodeKey& from, uint64_t request, Reply reply) {
  const auto it = asks_.find(request);
  if (it == asks_.end() || it->second.to != from) return;  // too late, or nobody asked
  const OnReply then = std::move(it->second.then);
  asks_.erase(it);
  const Status status = std::visit(SaidStatus{}, reply);
  const auto* given = std::get_if<ShareGiven>(&reply);
  // A refusal that carries a later manifest is worth more than its words.
  if (!status.ok() && (given == nullptr || given->manifest.empty())) return then(turn, status.error());
  then(turn, std::move(reply));
}

void Secrets::on_message(Turn& turn, const NodeKey& from, const SecretMessages::Message& message) {
  if (const auto* stored = std::get_if<ShareStored>(&message)) answered(turn, from, stored->request, *stored);
  else if (const auto* given = std::get_if<ShareGiven>(&message)) answered(turn, from, given->request, *given);
  else if (const auto* dealt = std::get_if<ReshareDealt>(&message)) answered(turn, from, dealt->request, *dealt);
  else if (const auto* offer = std::get_if<SecretOffer>(&message)) on_offer(turn, from, *offer);
}

void Secrets::gather(Turn& turn, Gathering gathering) {
  if (gatherings_.size() >= kGatheringsMax) {
    return gathering.then(turn, {}, {{core_.self(), fail(Errc::kLimit, "too many secrets are being asked for at once: try again")}});
  }
  // Those that are here first; the others are dialled at once, in case they are needed.
  std::stable_partition(gathering.left.begin(), gathering.left.end(), [this](const NodeKey& node) { return core_.reachable(node); });
  gathering.until = turn.now + kGatherTimeout;
  for (const object::SecretHolder& holder : gathering.manifest.holders) {
    if (!core_.reachable(holder.node)) core_.want_peer(turn, holder.node, holder.addresses, gathering.until);
  }
  const uint64_t id = ++last_gathering_;
  gatherings_.emplace(id, std::move(gathering));
  pump(turn, id);
}

void Secrets::pump(Turn& turn, uint64_t id) {
  const auto found = gatherings_.find(id);
  if (found == gatherings_.end()) return;
  const size_t need = found->second.manifest.threshold;
  for (;;) {
    Gathering& gathering = found->second;
    if (gathering.got.size() + gathering.asking >= need) break;
    const auto next = std::find_if(gathering.left.begin(), gathering.left.end(), [this](const NodeKey& node) { return core_.reachable(node); });
    if (next == gathering.left.end()) break;
    const NodeKey node = *next;
    gathering.left.erase(next);
    ++gathering.asking;
    const auto then = [this, id, node](Turn& t, Result<Reply> reply) {
      const auto it = gatherings_.find(id);
      if (it == gatherings_.end()) return;
      Gathering& asking = it->second;
      --asking.asking;
      const Status good = reply.ok() ? asking.check(t, node, *reply) : Status(reply.error());
      if (good.ok()) asking.got.push_back({node, std::move(reply).value()});
      else asking.refused.push_back({node, good.error()});
      pump(t, id);
    };
    std::visit([&](auto question) { ask(turn, node, std::move(question), then); }, gathering.question);
    if (!gatherings_.count(id)) return;  // it was refused at once, and that ended it
  }
  const Gathering& gathering = found->second;
  const bool enough = gathering.got.size() >= need;
  const bool hopeless = gathering.got.size() + gathering.asking + gathering.left.size() < need;
  if (enough || (gathering.asking == 0 && (hopeless || turn.now >= gathering.until))) end_gathering(turn, id);
}

void Secrets::end_gathering(Turn& turn, uint64_t id) {
  auto node = gatherings_.extract(id);
  Gathering& gathering = node.mapped();
  for (const NodeKey& left : gathering.left) gathering.refused.push_back({left, fail(Errc::kUnavailable, "it is not connected")});
  gathering.then(turn, std::move(gathering.got), std::move(gathering.refused));
}

// ---- releases

void Secrets::release(Turn& turn, const SecretReleaseRequest& request, OnReleased then) {
  if (const Owned* own = find_own(request.name)) return ask_release(turn, request, own->manifest, {}, std::move(then));
  const Result<Offered*> offered = find_offered(request.name);
  if (!offered.ok()) return then(turn, offered.error());
  ask_release(turn, request, (*offered)->manifest, {(*offered)->capability.bytes}, std::move(then));
}

void Secrets::ask_release(Turn& turn, const SecretReleaseRequest& request, const Manifest& manifest, const std::vector<Bytes>& capabilities,
                          OnReleased then) {
  const Result<Bytes> reply_key = from_hex(request.reply_key);
  const Result<crypto::SealPublicKey> key = reply_key.ok() ? crypto::SealPublicKey::from(*reply_key) : Result<crypto::SealPublicKey>(reply_key.error());
  if (!key.ok()) return then(turn, fail(Errc::kInvalid, "the key to reply to is 32 bytes in hexadecimal"));
  object::SecretRelease body;
  body.zone = manifest.body.zone;
  body.origin = manifest.body.owner;
  body.secret = manifest.body.secret;
  body.generation = manifest.body.generation;
  body.asker = core_.self();
  body.reply_key = *key;
  body.purpose = request.purpose;
  body.scope = request.scope;
  body.issued = turn.now.unix_seconds();
  body.expires = body.issued + object::kReleaseTtlMax;
  body.nonce = core_.drbg.draw<object::Unique>();
  const Result<object::Signed<object::SecretRelease>> signed_request = object::sign_object(*core_.config.node, body);
  if (!signed_request.ok()) return then(turn, signed_request.error());
  Gathering gathering;
  gathering.manifest = manifest.body;
  gathering.question = ShareAsk{0, signed_request->bytes, capabilities};
  for (const object::SecretHolder& holder : manifest.body.holders) {
    const bool left_out = std::find(request.without.begin(), request.without.end(), codec::key_text(holder.node)) != request.without.end();
    if (!left_out) gathering.left.push_back(holder.node);
  }
  gathering.check = [this, manifest](Turn& t, const NodeKey& node, const Reply& reply) -> Status {
    const auto* given = std::get_if<ShareGiven>(&reply);
    if (given == nullptr) return fail(Errc::kInvalid, "it answered something else");
    if (given->error != 0) {
      learn_generation(t, *given);
      return said(given->error, given->message);
    }
    if (given->number != manifest.body.number_of(node)) return fail(Errc::kInvalid, "it answered with a share of another number");
    return ok();
  };
  gathering.then = [this, request, manifest, nonce = body.nonce, then](Turn& t, std::vector<Got> got, std::vector<Refused> refused) {
    released(t, request, manifest, nonce, std::move(got), std::move(refused), then);
  };
  gather(turn, std::move(gathering));
}

void Secrets::released(Turn& turn, const SecretReleaseRequest& request, const Manifest& manifest, const object::Unique& nonce, std::vector<Got> got,
                       std::vector<Refused> refused, OnReleased then) {
  SecretReleaseAnswer answer;
  for (const Refused& each : refused) answer.refused.push_back({each.node, each.why.message});
  if (got.size() < manifest.body.threshold) {
    // A later generation that a holder told of is asked for in its place, which ends because generations only rise.
    const auto offered = offered_.find(manifest.body.secret);
    if (offered != offered_.end() && offered->second.manifest.body.generation > manifest.body.generation) return release(turn, request, std::move(then));
    std::string text = "it takes " + std::to_string(manifest.body.threshold) + " shares, and " + std::to_string(got.size()) + " came";
    Errc code = Errc::kUnavailable;
    for (const Refused& each : refused) {
      text += "; " + codec::key_text(each.node).substr(0, 12) + ": " + each.why.message;
      if (code == Errc::kUnavailable) code = each.why.code;
    }
    return then(turn, fail(code, text));
  }
  answer.manifest = to_hex(manifest.bytes);
  answer.nonce = nonce;
  for (const Got& each : got) {
    const ShareGiven& given = std::get<ShareGiven>(each.reply);
    answer.shares.push_back({given.number, each.node, to_hex(given.sealed)});
  }
  then(turn, std::move(answer));
}

void Secrets::learn_generation(Turn& turn, const ShareGiven& given) {
  Result<Manifest> fresh = object::open_object<object::SecretManifest>(given.manifest, core_.authority.verifier());
  if (!fresh.ok()) return;
  const auto offered = offered_.find(fresh->body.secret);
  if (offered == offered_.end()) return;
  const object::SecretManifest& have = offered->second.manifest.body;
  if (fresh->body.owner != have.owner || fresh->body.zone != have.zone || fresh->body.generation <= have.generation) return;
  offered->second.manifest = std::move(fresh).value();
  const OfferedSecret record{offered->second.manifest.bytes, offered->second.capability.bytes};
  core_.put_record(turn, Record::kSecretOffered, offered->first, codec::encode(record), [](Turn&, const Status&) {});
}

// ---- leave for others

void Secrets::allow(Turn& turn, const SecretAllowRequest& request, OnLeave then) {
  const Owned* own = find_own(request.name);
  if (own == nullptr) return then(turn, fail(Errc::kNotFound, "this owner has no secret named \"" + request.name + "\""));
  const Result<NodeKey> node = core_.find_node(request.node);
  if (!node.ok()) return then(turn, node.error());
  if (!core_.sessions.up(*node)) return then(turn, fail(Errc::kUnavailable, "that node is not connected: it must hear of it now"));
  for (auto it = leaves_.begin(); leaves_.size() >= kSecretLeavesMax && it != leaves_.end();) {
    const bool over = it->second.capability.body.expires <= turn.now.unix_seconds();
    if (over) core_.erase_record(turn, Record::kSecretLeave, it->first, [](Turn&, const Status&) {});
    it = over ? leaves_.erase(it) : std::next(it);
  }
  if (leaves_.size() >= kSecretLeavesMax) return then(turn, fail(Errc::kLimit, "leave was given to too many nodes: take some back first"));
  object::Capability capability;
  capability.zone = core_.zone();
  capability.origin = core_.owner();
  capability.issuer = core_.owner();
  capability.audience = *node;
  capability.operations = {std::string(object::kSecretRelease), "storage.read"};
  capability.objects = {object::secret_object(core_.zone(), own->manifest.body.secret)};
  capability.issued = turn.now.unix_seconds();
  capability.expires = capability.issued + request.seconds;
  capability.nonce = core_.drbg.draw<object::Unique>();
  Result<object::Signed<object::Capability>> made = object::sign_object(*core_.config.owner, capability);
  if (!made.ok()) return then(turn, made.error());
  const object::ObjectId id = made->id;
  const SecretOffer offer{own->manifest.bytes, made->bytes};
  const SecretLeave record{own->manifest.body.secret, made->bytes, false};
  leaves_.insert_or_assign(id, Leave{own->manifest.body.secret, std::move(made).value(), false});
  const AuditNote note{object::AuditKind::kCapability, convert<crypto::Digest>(id), "secret " + own->manifest.body.name + " for " + codec::key_text(*node), AuditBytes::kElsewhere};
  core_.put_audited(turn, Record::kSecretLeave, id, codec::encode(record), note,
                   [this, offer, id, to = *node, expires = capability.expires, then](Turn& t, const Status& written) {
                     if (!written.ok()) return then(t, written.error());
                     core_.send(t, to, SecretMessages::encode(offer));
                     then(t, SecretLeaveAnswer{convert<crypto::Digest>(id), to, expires});
                   });
}

std::vector<object::ObjectId> Secrets::leaves_of(const NodeKey& node) const {
  std::vector<object::ObjectId> out;
  for (const auto& [id, leave] : leaves_) {
    if (leave.capability.body.audience == node && !leave.denied) out.push_back(id);
  }
  return out;
}

void Secrets::deny(Turn& turn, const SecretDenyRequest& request, OnLeave then) {
  const Owned* own = find_own(request.name);
  if (own == nullptr) return then(turn, fail(Errc::kNotFound, "this owner has no secret named \"" + request.name + "\""));
  const Result<NodeKey> node = core_.find_node(request.node);
  if (!node.ok()) return then(turn, node.error());
  std::vector<object::ObjectId> found;
  for (const auto& [id, leave] : leaves_) {
    if (leave.secret == own->manifest.body.secret && leave.capability.body.audience == *node && !leave.denied) found.push_back(id);
  }
  if (found.empty()) return then(turn, fail(Errc::kNotFound, "that node has no leave to ask for this secret"));
  const auto left = std::make_shared<size_t>(found.size());
  const auto status = std::make_shared<Status>();
  for (const object::ObjectId& id : found) {
    on_deny(turn, id, [this, id, left, status, to = *node, then](Turn& t, const Status& revoked) {
      Leave& leave = leaves_.at(id);
      if (revoked.ok()) {
        leave.denied = true;
        core_.put_record(t, Record::kSecretLeave, id, codec::encode(SecretLeave{leave.secret, leave.capability.bytes, true}), [](Turn&, const Status&) {});
      } else {
        *status = revoked;
      }
      if (--*left > 0) return;
      if (status->ok()) then(t, SecretLeaveAnswer{convert<crypto::Digest>(id), to, 0});
      else then(t, status->error());
    });
  }
}

void Secrets::on_offer(Turn& turn, const NodeKey& from, const SecretOffer& offer) {
  const crypto::Verifier& verifier = core_.authority.verifier();
  Result<Manifest> manifest = object::open_object<object::SecretManifest>(offer.manifest, verifier);
  auto capability = object::open_object<object::Capability>(offer.capability, verifier);
  const object::Signed<object::NodeRecord>* record = record_of(from);
  if (!manifest.ok() || !capability.ok() || record == nullptr || record->body.owner != manifest->body.owner) return;
  const object::SecretId id = manifest->body.secret;
  if (capability->body.audience != core_.self() || capability->body.origin != manifest->body.owner) return;
  // Anybody may offer something. It takes bounded room, and it is only ever found under its owner's key.
  if (!offered_.count(id) && offered_.size() >= kSecretsOfferedMax) {
    std::erase_if(offered_, [&](const auto& each) { return each.second.capability.body.expires <= turn.now.unix_seconds(); });
  }
  if (!offered_.count(id) && offered_.size() >= kSecretsOfferedMax) {
    core_.trace(turn, "a secret that was offered found no room");
    return;
  }
  core_.trace(turn, "node " + from.brief() + " offers a secret");
  core_.put_record(turn, Record::kSecretOffered, id, codec::encode(OfferedSecret{offer.manifest, offer.capability}), [](Turn&, const Status&) {});
  offered_.insert_or_assign(id, Offered{std::move(manifest).value(), std::move(capability).value()});
}

// ---- peers and time

void Secrets::on_peer_up(Turn& turn, const NodeKey& peer) {
  std::vector<object::SecretId> unsettled;
  for (const auto& [id, owned] : owned_) {
    if (std::any_of(owned.unsettled.begin(), owned.unsettled.end(), [&](const Unsettled& each) { return each.node == peer; })) unsettled.push_back(id);
  }
  for (const object::SecretId& id : unsettled) settle(turn, id);
  std::vector<uint64_t> waiting;
  for (const auto& [id, gathering] : gatherings_) waiting.push_back(id);
  for (const uint64_t id : waiting) pump(turn, id);
}

void Secrets::on_peer_down(Turn& turn, const NodeKey& peer) {
  std::vector<OnReply> gone;
  for (auto it = asks_.begin(); it != asks_.end();) {
    if (it->second.to != peer) {
      ++it;
      continue;
    }
    gone.push_back(std::move(it->second.then));
    it = asks_.erase(it);
  }
  for (const OnReply& then : gone) then(turn, fail(Errc::kUnavailable, "the connection to it was lost"));
}

void Secrets::on_deadline(Turn& turn) {
  std::vector<OnReply> late;
  for (auto it = asks_.begin(); it != asks_.end();) {
    if (it->second.until > turn.now) {
      ++it;
      continue;
    }
    late.push_back(std::move(it->second.then));
    it = asks_.erase(it);
  }
  for (const OnReply& then : late) then(turn, fail(Errc::kTimeout, "it did not answer in time"));
  std::vector<uint64_t> waiting;
  for (const auto& [id, gathering] : gatherings_) {
    if (gathering.until <= turn.now) waiting.push_back(id);
  }
  for (const uint64_t id : waiting) pump(turn, id);
}

Instant Secrets::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, each] : asks_) soonest = std::min(soonest, each.until);
  // One whose time is over waits for answers, which have deadlines of their own.
  for (const auto& [id, gathering] : gatherings_) {
    if (gathering.asking == 0) soonest = std::min(soonest, gathering.until);
  }
  return soonest;
}

}  // namespace selvedge::node
