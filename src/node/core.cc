#include "node/core.h"

#include "codec/multibase.h"

namespace selvedge::node {

namespace {

object::Signed<object::NodeRecord> own_record(const NodeConfig& config) {
  if (config.owner == nullptr) return object::open_object<object::NodeRecord>(config.record, *config.verifier).value();  // Core::check() looked
  object::NodeRecord record;
  record.owner = config.owner->public_key();
  record.node = config.node->public_key();
  record.seal_key = config.seal->public_key();
  record.issued = config.started.unix_seconds();
  record.expires = record.issued + object::kDelegationTtlMax;
  record.serial = record.issued;
  record.succeeds = config.succeeds;
  Result<object::Signed<object::NodeRecord>> made = object::sign_object(*config.owner, record);
  CHECK(made.ok());
  return std::move(made).value();
}

template <class Map>
typename Map::mapped_type take(Map& map, uint64_t token) {
  auto it = map.find(token);
  if (it == map.end()) return {};
  auto then = std::move(it->second);
  map.erase(it);
  return then;
}

}  // namespace

Status Core::check(const NodeConfig& config) {
  if (config.owner != nullptr) return ok();
  if (config.record.empty()) {
    return fail(Errc::kUnauthorized, "this device is not enrolled yet: carry its request (selvedge device request) to the device that holds the owner's key, "
                                     "there: selvedge device enroll REQUEST, and back here: selvedge device accept ANSWER");
  }
  const auto record = TRY(object::open_object<object::NodeRecord>(config.record, *config.verifier));
  if (record.body.node != config.node->public_key()) return fail(Errc::kUnauthorized, "the owner's record in this home is for another node: enrol this one anew (selvedge device request)");
  return ok();
}

Core::Core(NodeConfig config_in)
    : config(std::move(config_in)),
      drbg(config.random.clone()),
      rng(load_u64(drbg.seed().view().data())),
      record(own_record(config)),
      store(config.limits),
      sessions(config.node->public_key(), record.bytes, *config.verifier, rng.next()),
      fetcher(config.plans),
      authority(record.body.owner, config.node->public_key(), *config.verifier) {
  authority.set_record(record);
}

Status Core::need_root(const std::string& command) const {
  if (holds_root()) return ok();
  return fail(Errc::kUnauthorized, "this device does not hold the owner's key: do it on the one that does (" + command + ")");
}

void Core::set_record(object::Signed<object::NodeRecord> fresh) {
  record = std::move(fresh);
  sessions.set_record(record.bytes);
  authority.set_record(record);
}

bool Core::revoked_device(const NodeKey& node, const crypto::PublicKey& by, Instant now) const {
  const object::RevocationSet& known = authority.revocations();
  return known.mentions(node) && (known.revoked_by(by, object::RevocationTarget::kDevice, node, now) || known.revoked_by(by, object::RevocationTarget::kKey, node, now));
}

const OwnZone* Core::find_zone(const object::ZoneId& id) const {
  const auto it = zones.find(id);
  return it == zones.end() ? nullptr : &it->second;
}

Result<object::ZoneId> Core::zone_named(const std::string& name) const {
  const object::ZoneId id = object::zone_id(owner(), name);
  if (zones.count(id)) return id;
  std::string there;
  for (const auto& [zone, each] : zones) there += (there.empty() ? "" : ", ") + each.name;
  return fail(Errc::kNotFound, "there is no zone \"" + name + "\"; there are: " + there + ". A new one: selvedge zone create NAME");
}

std::string Core::zone_name(const object::ZoneId& id) const {
  const OwnZone* own = find_zone(id);
  return own == nullptr ? "zone " + id.brief() : own->name;
}

// ---- store

uint64_t Core::expect_stored(OnStatus then) {
  const uint64_t cookie = next_token();
  stored_.emplace(cookie, std::move(then));
  return cookie;
}

uint64_t Core::expect_loaded(OnLoaded then) {
  const uint64_t cookie = next_token();
  loaded_.emplace(cookie, std::move(then));
  return cookie;
}

void Core::settle_now(Turn& turn, uint64_t cookie, const Status& status) {
  const OnStatus then = take(stored_, cookie);
  if (then) then(turn, status);
}

void Core::put_record(Turn& turn, Record kind, ByteView id, Bytes value, OnStatus then) {
  const uint64_t cookie = expect_stored(std::move(then));
  Outbox<store::Effect> disk;
  const Result<store::Accepted> put =
      store.put_record(store::RecordKind(kind), *store::RecordId::from(id), std::move(value), cookie, disk);
  route_disk(turn, disk);
  if (!put.ok()) settle_now(turn, cookie, put.error());
  else if (*put == store::Accepted::kDurable) settle_now(turn, cookie, ok());
}

void Core::erase_record(Turn& turn, Record kind, ByteView id, OnStatus then) {
  const uint64_t cookie = expect_stored(std::move(then));
  Outbox<store::Effect> disk;
  const Result<store::Accepted> erased = store.erase_record(store::RecordKind(kind), *store::RecordId::from(id), cookie, disk);
  route_disk(turn, disk);
  if (!erased.ok()) settle_now(turn, cookie, erased.error());
  else if (*erased == store::Accepted::kDurable) settle_now(turn, cookie, ok());
}

const Bytes* Core::find_record(Record kind, ByteView id) const {
  return store.find_record(store::RecordKind(kind), *store::RecordId::from(id));
}

std::vector<store::RecordRef> Core::records(Record kind) const {
  constexpr size_t kAll = SIZE_MAX;  // the store bounds its records
  return store.records(store::RecordKind(kind), nullptr, kAll);
}

void Core::on_done(Turn& turn, std::vector<store::Done> done) {
  for (const store::Done& each : done) settle_now(turn, each.cookie, each.status);
}

void Core::on_loaded(Turn& turn, store::Loaded loaded) {
  const OnLoaded then = take(loaded_, loaded.cookie);
  if (then) then(turn, std::move(loaded));
}

void Core::route_disk(Turn& turn, Outbox<store::Effect>& effects) {
  for (store::Effect& effect : effects.take()) turn.out.push(UseDisk{std::move(effect)});
}

// ---- workers, files, domains

void Core::compute(Turn& turn, ComputeJob job, OnComputed then) {
  const uint64_t token = next_token();
  computed_.emplace(token, std::move(then));
  turn.out.push(Compute{token, std::move(job)});
}

void Core::on_computed(Turn& turn, uint64_t token, ComputeResult result) {
  const OnComputed then = take(computed_, token);
  if (then) then(turn, std::move(result));
}

void Core::attest(Turn& turn, object::AttestationRequest request, OnAttested then) {
  const uint64_t token = next_token();
  attestations_.emplace(token, std::move(then));
  turn.out.push(Attest{token, std::move(request)});
}

void Core::on_attested(Turn& turn, uint64_t token, Result<object::Attestation> attestation) {
  const OnAttested then = take(attestations_, token);
  if (then) then(turn, std::move(attestation));
}

void Core::read_file(Turn& turn, const std::string& path, uint64_t offset, uint64_t bytes_max, OnBytes then) {
  const uint64_t token = next_token();
  file_reads_.emplace(token, std::move(then));
  turn.out.push(ReadFile{token, path, offset, bytes_max});
}

void Core::on_file_read(Turn& turn, uint64_t token, Result<Bytes> bytes) {
  const OnBytes then = take(file_reads_, token);
  if (then) then(turn, std::move(bytes));
}

void Core::write_file(Turn& turn, const std::string& path, uint64_t offset, Bytes bytes, bool last, OnStatus then) {
  const uint64_t token = next_token();
  file_writes_.emplace(token, std::move(then));
  turn.out.push(WriteFile{token, path, offset, std::move(bytes), last});
}

void Core::on_file_written(Turn& turn, uint64_t token, const Status& status) {
  const OnStatus then = take(file_writes_, token);
  if (then) then(turn, status);
}

void Core::stop_tasks(Turn& turn, uint64_t lease_number, OnStopped then) {
  const uint64_t token = next_token();
  stops_.emplace(token, std::move(then));
  turn.out.push(StopTasks{token, lease_number});
}

void Core::on_tasks_stopped(Turn& turn, uint64_t token) {
  const OnStopped then = take(stops_, token);
  if (then) then(turn);
}

// ---- symbols

void Core::fetch(Turn& turn, mesh::FetchRequest request, OnBytes then) {
  if (const auto* policy = authority.policy(request.group.zone)) request.diversity = policy->body.diversity;
  // No symbol is accepted from a source that was revoked (spec: FM 12.1).
  std::erase_if(request.holders, [&](const NodeKey& holder) { return authority.revoked_node(holder, turn.now); });
  for (const NodeKey& holder : request.holders) {
    const mesh::Peer* peer = sessions.find(holder);
    request.owners.push_back(peer != nullptr && peer->record ? peer->record->body.owner : holder);
  }
  mesh::Fetcher::Out effects;
  const auto ready = [this](const NodeKey& peer) { return reachable(peer); };
  const Result<uint64_t> id = fetcher.start(turn.now, std::move(request), ready, effects);
  if (!id.ok()) return then(turn, id.error());
  fetches_.emplace(*id, std::move(then));
  route(turn, effects);
}

void Core::spread(Turn& turn, std::vector<mesh::EncodedShare> shares, OnSpread then) {
  mesh::Spreader::Out effects;
  const auto ready = [this](const NodeKey& peer) { return reachable(peer); };
  std::vector<NodeKey> holders;
  for (mesh::EncodedShare& share : shares) {
    holders.push_back(share.holder);
    std::vector<Bytes> frames;
    for (Bytes& frame : share.frames) {
      for (Bytes& part : mesh::split_frame(std::move(frame), frame_bytes_max(share.holder))) frames.push_back(std::move(part));
    }
    share.frames = std::move(frames);
  }
  const Result<uint64_t> id = spreader.start(turn.now, std::move(shares), ready, effects);
  if (!id.ok()) {
    mesh::Spread failed{0, {}, {}};
    for (const NodeKey& holder : holders) failed.failed.push_back({holder, id.error()});
    return then(turn, failed);
  }
  spreads_.emplace(*id, std::move(then));
  route(turn, effects);
}

void Core::route(Turn& turn, mesh::Fetcher::Out& effects) {
  for (mesh::FetchEffect& effect : effects.take()) {
    if (auto* ask = std::get_if<mesh::AskSymbols>(&effect)) {
      if (send(turn, ask->to, mesh::MeshMessages::encode(ask->request))) continue;
      mesh::Fetcher::Out more;
      fetcher.on_peer_down(turn.now, ask->to, more);
      route(turn, more);
    } else if (auto* want = std::get_if<mesh::WantPeer>(&effect)) {
      want_peer(turn, want->peer, {}, turn.now + mesh::kFetchTimeout);
    } else if (auto* decode = std::get_if<mesh::StartDecode>(&effect)) {
      compute(turn, std::move(decode->job), [this, id = decode->fetch](Turn& t, ComputeResult result) {
        mesh::Fetcher::Out more;
        fetcher.on_decoded(t.now, id, std::get<mesh::DecodeResult>(std::move(result)), more);
        route(t, more);
      });
    } else if (auto* fetched = std::get_if<mesh::Fetched>(&effect)) {
      const OnBytes then = take(fetches_, fetched->fetch);
      if (then) then(turn, std::move(fetched->plaintext));
    } else if (auto* lied = std::get_if<mesh::HolderLied>(&effect)) {
      trace(turn, "holder " + lied->holder.brief() + " sent symbols of " + lied->object.brief() + " that do not authenticate");
    }
  }
}

void Core::route(Turn& turn, mesh::Spreader::Out& effects) {
  for (mesh::SpreadEffect& effect : effects.take()) {
    if (auto* frame = std::get_if<mesh::SendFrame>(&effect)) {
      if (send_symbols(turn, frame->to, std::move(frame->frame))) continue;
      mesh::Spreader::Out more;
      spreader.on_peer_down(frame->to, fail(Errc::kUnavailable, "not connected"), more);
      route(turn, more);
    } else if (auto* spread = std::get_if<mesh::Spread>(&effect)) {
      const OnSpread then = take(spreads_, spread->spread);
      if (then) then(turn, *spread);
    }
  }
}

// ---- peers

bool Core::send(Turn& turn, const NodeKey& peer, Bytes message) {
  if (peer == self()) {
    to_self.push_back({std::move(message), false});
    return true;
  }
  const std::optional<LinkId> link = sessions.link_of(peer);
  if (!link) return false;
  // Streams carry what their programs made of it; requests are looked at unread when there is too much.
  const bool as_it_is = mesh::StreamMessages::knows(message[0]) || message[0] == mesh::SymbolRequest::kType;
  turn.out.push(SendMessage{*link, as_it_is ? std::move(message) : mesh::pack_message(std::move(message), sessions.find(peer)->compressions)});
  return true;
}

void Core::send_records(Turn& turn, const NodeKey& peer, const std::vector<Bytes>& objects) {
  constexpr size_t kBytesMax = 1u << 20;
  mesh::Records records;
  size_t bytes = 0;
  for (const Bytes& each : objects) {
    if (!records.objects.empty() && (records.objects.size() >= mesh::kRecordsPerMessageMax || bytes + each.size() > kBytesMax)) {
      send(turn, peer, mesh::MeshMessages::encode(records));
      records.objects.clear();
      bytes = 0;
    }
    records.objects.push_back(each);
    bytes += each.size();
  }
  if (!records.objects.empty()) send(turn, peer, mesh::MeshMessages::encode(records));
}

size_t Core::frame_bytes_max(const NodeKey& key) const {
  const mesh::Peer* peer = sessions.find(key);
  return peer == nullptr || peer->frame_bytes_max == 0 ? mesh::kFrameBytesMax : peer->frame_bytes_max;
}

bool Core::send_symbols(Turn& turn, const NodeKey& peer, Bytes frame) {
  if (peer == self()) {
    to_self.push_back({std::move(frame), true});
    return true;
  }
  const std::optional<LinkId> link = sessions.link_of(peer);
  if (!link) return false;
  turn.out.push(SendSymbols{*link, std::move(frame)});
  return true;
}

void Core::want_peer(Turn& turn, const NodeKey& peer, const std::vector<std::string>& addresses, Instant until) {
  if (peer == self()) return;
  mesh::Sessions::Out effects;
  const Status wanted = sessions.want(turn.now, peer, addresses, until, effects);
  if (!wanted.ok()) trace(turn, "cannot keep peer " + peer.brief() + ": " + wanted.error().message);
  // A want can only ask to dial; sessions that come up are reported by the links.
  for (mesh::SessionEffect& effect : effects.take()) {
    if (auto* dial = std::get_if<mesh::Dial>(&effect)) on_dial(turn, *dial);
  }
}

Result<NodeKey> Core::find_node(const std::string& text) const {
  const Result<crypto::PublicKey> whole = codec::parse_key(text);
  if (whole.ok()) return *whole;
  if (text.size() < kNodePrefixMin) return fail(Errc::kInvalid, "\"" + text + "\" is too short to name a node; selvedge peer list shows their keys");
  std::optional<NodeKey> found;
  const auto look_at = [&](const NodeKey& key) {
    if (!codec::key_text(key).starts_with(text)) return true;
    if (found) return false;
    found = key;
    return true;
  };
  bool single = look_at(self());
  for (const auto& [key, peer] : sessions.peers()) single = look_at(key) && single;
  if (!single) return fail(Errc::kInvalid, "\"" + text + "\" is the beginning of more than one node's key: write more of it");
  if (!found) return fail(Errc::kNotFound, "no node is known whose key begins with \"" + text + "\": selvedge peer add its ticket");
  return *found;
}

}  // namespace selvedge::node
