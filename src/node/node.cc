#include "node/node.h"

#include "node/parts.h"

#include <algorithm>

namespace selvedge::node {

namespace {
// A message to oneself may cause another; past this something goes in circles.
constexpr size_t kLocalMessagesPerTurnMax = 100'000;
/// Hosts that a backup or an enrolment named are dialled for so long; by then the index has told where they are.
constexpr Duration kHintDialled = seconds(3600);
/// Whoever answered in place of a dialled peer has so long to show that it succeeds it.
constexpr Duration kIntroductionMax = seconds(20);
}  // namespace

Node::Node(NodeConfig config)
    : core_(std::move(config)),
      auditor_(core_),
      index_(core_),
      zones_(core_),
      keeper_(core_),
      workshop_(core_),
      consent_(core_, workshop_),
      library_(core_, index_, zones_),
      contractor_(core_, library_, zones_),
      oracles_(core_),
      devices_(core_, zones_, index_, library_),
      copy_(core_, index_, zones_, library_, devices_),
      vault_(core_),
      secrets_(core_),
      registrar_(core_),
      run_keys_(core_, secrets_, registrar_),
      meetings_(core_),
      discovery_(core_),
      services_(core_),
      states_(core_),
      keeper_of_states_(core_, states_),
      hosting_(core_, workshop_, services_, states_),
      deployer_(core_, library_, zones_, contractor_, keeper_of_states_),
      page_jobs_(core_, library_, contractor_),
      page_asks_(core_) {
  wire();
}

Node::~Node() = default;

void Node::wire() {
  workshop_.on_lease_ended = [this](Turn& turn, const object::Signed<object::Grant>& grant) {
    if constexpr (kWholeNode) {
      registrar_.on_lease_ended(turn, grant.id);
      hosting_.on_lease_ended(turn, grant.id);
      const auto in_force = [&](const auto& each) { return each.second.grant.id != grant.id && each.second.grant.body.origin == grant.body.origin && each.second.usable(); };
      const auto& leases = workshop_.leases().all();
      if (std::none_of(leases.begin(), leases.end(), in_force)) states_.drop_of(turn, grant.body.origin);
    }
    keeper_.on_origin_revoked(turn, grant.body.origin);
  };
  zones_.devices = [this]() -> const DeviceRecords& { return devices_.standing(); };
  zones_.on_changed = [this](Turn& turn) {
    refresh_work(turn);
    library_.on_host_serving(turn);
    if constexpr (kWholeNode) copy_.on_hosts_changed(turn);
  };
  if constexpr (kWholeNode) wire_services();
  if constexpr (kWholeNode) wire_devices();
}

void Node::wire_services() {
  workshop_.on_lease_stage = [this](Turn& turn, const object::ObjectId& grant) { hosting_.on_lease_stage(turn, grant); };
  workshop_.on_program = [this](Turn& turn, const work::TaskId& task, Result<work::Program> program) { hosting_.on_program(turn, task, std::move(program)); };
  contractor_.run_keys = &run_keys_;
  workshop_.open_keys = [this](Turn& turn, const object::KeyLeave& leave, const work::TaskId& task, auto then) { run_keys_.open(turn, leave, task, std::move(then)); };
  contractor_.on_room = [this](Turn& turn) { page_jobs_.tend(turn); };
  states_.welcome = [this](const crypto::PublicKey& service, const crypto::PublicKey& origin) { return hosting_.has_state(service, origin); };
  states_.on_lead_changed = [this](Turn& turn, const crypto::PublicKey& service) { hosting_.on_lead_changed(turn, service); };
  keeper_of_states_.able = [this](const crypto::PublicKey& service) { return deployer_.machines_with(service); };
  keeper_of_states_.on_changed = [this](Turn& turn) { deployer_.refresh(turn); };
  services_.deployed_at = [this](const crypto::PublicKey& service) { return deployer_.machines_of(service); };
  core_.on_dial = [this](Turn& turn, const mesh::Dial& dial) {
    if (is_relay_address(dial.address)) meetings_.dial(turn, dial.peer, dial.address);
    else turn.out.push(DialPeer{dial.peer, dial.address});
  };
  services_.resolve = [this](Turn& turn, const ResolveServiceRequest& request, auto then) { meetings_.resolve(turn, request, std::move(then)); };
  discovery_.relay_addresses = [this] { return meetings_.addresses(); };
  meetings_.on_dial_failed = [this](Turn& turn, const NodeKey& peer, const Error& why) {
    mesh::Sessions::Out effects;
    core_.sessions.on_dial_failed(turn.now, peer, why, effects);
    route(turn, effects);
  };
  meetings_.on_probe = [this](Turn& turn, const NodeKey& peer, const std::string& address) {
    mesh::Sessions::Out effects;
    core_.sessions.probe(peer, address, effects);
    route(turn, effects);
  };
}

void Node::wire_devices() {
  zones_.tell_devices = [this](Turn& turn, const Bytes& bytes) { devices_.tell(turn, bytes); };
  index_.on_changed = [this](Turn& turn) { copy_.on_changed(turn); };
  index_.devices = [this](Instant now) { return devices_.connected(now); };
  index_.on_applied = [this](Turn& turn, const IndexEntry& entry) { on_index_entry(turn, entry); };
  index_.on_caught_up = [this](Turn& turn) {
    index_found(turn);
    library_.on_host_serving(turn);
  };
  library_.leads = [this](Instant now) { return devices_.leads(now); };
  library_.on_repaired = [this](Turn& turn) { devices_.on_repaired(turn); };
  devices_.revoke = [this](Turn& turn, object::Revocation body, Core::OnStatus then) {
    revoke(turn, std::move(body), [then](Turn& t, Result<RevokeRequest::Done> done) { then(t, done.ok() ? Status() : Status(done.error())); });
  };
  contractor_.ask_oracles = [this](Turn& turn, const std::vector<std::string>& wishes, std::function<void(Turn&, Result<Bytes>)> then) {
    Result<std::vector<OracleWish>> parsed = oracles_.parse(wishes);
    if (parsed.ok()) oracles_.ask(turn, std::move(parsed).value(), std::move(then));
    else then(turn, parsed.error());
  };
  oracles_.height = [this] { return auditor_.height(); };
  secrets_.on_deny = [this](Turn& turn, const object::ObjectId& capability, Core::OnStatus then) {
    object::Revocation body;
    body.target_kind = object::RevocationTarget::kCapability;
    body.target = convert<object::RevokedId>(capability);
    body.reason = object::RevocationReason::kUserRequest;
    devices_.revoke(turn, std::move(body), std::move(then));
  };
  devices_.capabilities_of = [this](const NodeKey& device) { return secrets_.leaves_of(device); };
  devices_.on_records_changed = [this](Turn& turn) { copy_.on_changed(turn); };
  copy_.take_record = [this](Turn& turn, const Bytes& bytes) { take_own_record(turn, bytes); };
  copy_.on_found = [this](Turn& turn) { index_found(turn); };
  copy_.on_refused = [this](Turn& turn, const NodeKey& host) {
    if (core_.awaiting_index) zones_.begin_owner_zone(turn, host);
  };
  devices_.on_replaced = [this](Turn& turn, const NodeKey& old_key, const NodeKey& fresh) { workshop_.reissue(turn, Record::kDeviceGrant, old_key, fresh); };
}

void Node::on_index_entry(Turn& turn, const IndexEntry& entry) {
  if (entry.kind == IndexKind::kPeer) {
    const Result<PeerRecord> peer = codec::decode<PeerRecord>(entry.value);
    if (peer.ok()) devices_.on_peer_record(turn, convert<NodeKey>(entry.id), *peer);
  } else if (entry.kind == IndexKind::kBlob) {
    const Result<Blob> blob = codec::decode<Blob>(entry.value);
    if (blob.ok()) library_.note_blob(turn, *blob);
  }
}

// What the owner has is known again: from here on this device signs and stores as any other.
void Node::index_found(Turn& turn) {
  if (!core_.awaiting_index) return;
  core_.awaiting_index = false;
  core_.trace(turn, "the index was found again");
  zones_.tend(turn);
  devices_.started(turn);
  for (const auto& [host, peer] : core_.sessions.peers()) {
    if (core_.sessions.up(host) && core_.authority.granted_by(turn.now, host, 0) != nullptr) zones_.greet_host(turn, host);
  }
  library_.repair(turn);
}

// ---- start

Status Node::start(Instant now, Out& out) {
  Turn turn{now, out};
  started_ = now;
  Outbox<store::Effect> disk;
  const store::RecoveryReport report = core_.store.recovered(disk);
  core_.route_disk(turn, disk);
  core_.trace(turn, "recovered " + std::to_string(report.records) + " records, " + std::to_string(report.segments) + " segments of " +
                        std::to_string(report.objects) + " objects; " + std::to_string(report.corrupt) + " unreadable entries");
  TRY(auditor_.start(turn));
  TRY(restore_records(turn));
  if constexpr (!kWholeNode) {   // what it has is in memory, and this is its beginning
    zones_.restore(turn);
    return finish(turn), ok();
  }
  index_.restore(turn);
  devices_.restore(turn);
  core_.awaiting_index = core_.config.birth == Birth::kRestored && core_.holds_root() && core_.authority.policies().empty();
  zones_.restore(turn);
  devices_.started(turn);
  restore_peers(turn);
  meetings_.restore(turn);
  discovery_.restore(turn);
  services_.restore();
  states_.restore(turn);
  keeper_of_states_.restore();
  deployer_.restore();
  page_jobs_.restore();
  copy_.restore(turn);
  consent_.restore(turn);
  vault_.restore(turn);
  secrets_.restore(turn);
  library_.repair(turn);
  finish(turn);
  return ok();
}

Status Node::restore_records(Turn& turn) {
  const crypto::Verifier& verifier = core_.authority.verifier();
  for (const store::RecordRef& record : core_.records(Record::kNodeRecord)) {
    const auto known = object::open_object<object::NodeRecord>(*record.value, verifier);
    if (known.ok() && known->body.node == core_.self() && known->body.owner != core_.owner()) {
      return fail(Errc::kIntegrity, "the store belongs to another owner's node; use another --home");
    }
  }
  core_.put_record(turn, Record::kNodeRecord, core_.self(), core_.record.bytes, [](Turn&, const Status&) {});
  // Revocations first: what they end must not come back to life for a moment.
  for (const store::RecordRef& record : core_.records(Record::kRevocation)) {
    const auto revocation = object::open_object<object::Revocation>(*record.value, verifier);
    if (revocation.ok() && !core_.authority.add_revocation(*revocation).ok()) core_.trace(turn, "ALERT: a revocation found no room");
  }
  for (const store::RecordRef& record : core_.records(Record::kPolicy)) {
    auto policy = object::open_object<object::ZonePolicy>(*record.value, verifier);
    if (policy.ok()) (void)core_.authority.add_policy(std::move(policy).value()).ok();
  }
  for (const store::RecordRef& record : core_.records(Record::kGrantReceived)) {
    auto grant = object::open_object<object::Grant>(*record.value, verifier);
    if (grant.ok()) (void)core_.authority.add_received(std::move(grant).value()).ok();
  }
  if (core_.record.body.succeeds) workshop_.reissue(turn, Record::kGrantGiven, *core_.record.body.succeeds, core_.self());
  std::vector<object::Signed<object::Grant>> given;
  for (const store::RecordRef& record : core_.records(Record::kGrantGiven)) {
    auto grant = object::open_object<object::Grant>(*record.value, verifier);
    if (grant.ok()) given.push_back(std::move(grant).value());
  }
  for (object::Signed<object::Grant>& grant : given) workshop_.restore(turn, std::move(grant));
  return ok();
}

void Node::restore_peers(Turn& turn) {
  std::vector<std::pair<NodeKey, PeerRecord>> peers;
  for (const store::RecordRef& record : core_.records(Record::kPeer)) {
    Result<PeerRecord> peer = codec::decode<PeerRecord>(*record.value);
    if (peer.ok()) peers.push_back({convert<NodeKey>(record.id), std::move(peer).value()});
  }
  for (const auto& [key, peer] : peers) devices_.on_peer_record(turn, key, peer);
  for (const object::Holder& host : core_.config.hosts) core_.want_peer(turn, host.node, host.addresses, turn.now + kHintDialled);
}

// ---- links and sessions

void Node::on_link_opened(Instant now, LinkId link, const NodeKey& peer, Out& out) {
  Turn turn{now, out};
  mesh::Sessions::Out effects;
  core_.sessions.on_link_opened(now, link, peer, effects);
  route(turn, effects);
  finish(turn);
}

void Node::on_link_closed(Instant now, LinkId link, const Error& why, Out& out) {
  Turn turn{now, out};
  if constexpr (kWholeNode) meetings_.on_link_closed(turn, link, why);
  core_.link_ways.erase(link);
  mesh::Sessions::Out effects;
  core_.sessions.on_link_closed(now, link, why, effects);
  route(turn, effects);
  finish(turn);
}

void Node::on_link_busy(Instant now, LinkId link, Out& out) {
  Turn turn{now, out};
  const NodeKey* key = core_.sessions.peer_of(link);
  const auto ways = core_.link_ways.find(link);
  if (key == nullptr || ways == core_.link_ways.end() || ways->second.front() == kCircuitAddress) return;
  mesh::Sessions::Out effects;
  for (const std::string& address : core_.sessions.find(*key)->addresses) {
    const bool taken = std::find(ways->second.begin(), ways->second.end(), address) != ways->second.end();
    if (!taken && !is_relay_address(address)) core_.sessions.probe(*key, address, effects);
  }
  route(turn, effects);
}

void Node::on_dial_failed(Instant now, const NodeKey& peer, const Error& why, Out& out) {
  Turn turn{now, out};
  mesh::Sessions::Out effects;
  core_.sessions.on_dial_failed(now, peer, why, effects);
  route(turn, effects);
  const mesh::Peer* wanted = core_.sessions.find(peer);
  if (kWholeNode && wanted != nullptr && wanted->wanted_until > now && !core_.sessions.up(peer)) discovery_.on_unreachable(turn, peer);
  finish(turn);
}

void Node::on_other_answered(Instant now, const NodeKey& peer, const std::string& address, const NodeKey& shown, Out& out) {
  Turn turn{now, out};
  // Nothing is believed yet: whoever it is must prove that key, and show a record by the same owner that names the old one.
  const mesh::Peer* wanted = core_.sessions.find(peer);
  if (wanted != nullptr && wanted->wanted_until > now && !core_.sessions.up(shown)) core_.want_peer(turn, shown, {address}, now + kIntroductionMax);
  finish(turn);
}

void Node::route(Turn& turn, mesh::Sessions::Out& effects) {
  for (mesh::SessionEffect& effect : effects.take()) {
    if (auto* dial = std::get_if<mesh::Dial>(&effect)) core_.on_dial(turn, *dial);
    else if (auto* send = std::get_if<mesh::SendOnLink>(&effect)) turn.out.push(SendMessage{send->link, std::move(send->message)});
    else if (auto* close = std::get_if<mesh::CloseLink>(&effect)) turn.out.push(ClosePeer{close->link, close->reason});
    else if (auto* up = std::get_if<mesh::PeerUp>(&effect)) on_peer_up(turn, up->peer);
    else if (auto* down = std::get_if<mesh::PeerDown>(&effect)) on_peer_down(turn, down->peer, down->why);
  }
}

void Node::on_peer_up(Turn& turn, const NodeKey& key) {
  const object::Signed<object::NodeRecord> record = *core_.sessions.find(key)->record;
  if constexpr (kWholeNode) meetings_.on_peer_up(turn, key);
  core_.trace(turn, "peer " + key.brief() + " is up");
  if (record.body.succeeds) adopt_successor(turn, record);
  core_.send_records(turn, key, records_for(record.body.owner));
  send_revocations(turn, key);
  if constexpr (kWholeNode) {
    consent_.on_peer_up(turn, key);
    devices_.on_peer_up(turn, key);
  }
  // An origin that comes back to where its policies are known may go on at once, with nothing but its key restored.
  if (knows_policy_of(record.body.owner)) workshop_.tell_leases(turn, key, record.body.owner);
  mesh::Fetcher::Out fetches;
  core_.fetcher.on_peer_up(turn.now, key, fetches);
  core_.route(turn, fetches);
  auditor_.on_peer_up(turn, key);
  refresh_work(turn);
  if constexpr (kWholeNode) {
    secrets_.on_peer_up(turn, key);
    services_.on_peer_up(turn, key);
    hosting_.on_peer_up(turn, key);
    states_.on_peer_up(turn, key);
  }
}

bool Node::knows_policy_of(const crypto::PublicKey& owner) const {
  return std::any_of(core_.authority.policies().begin(), core_.authority.policies().end(), [&](const auto& each) { return each.second.body.owner == owner; });
}

void Node::on_peer_down(Turn& turn, const NodeKey& key, const Error& why) {
  core_.trace(turn, "peer " + key.brief() + " is down: " + why.message);
  core_.serving.erase(key);
  zones_.on_peer_down(key);
  if constexpr (kWholeNode) {
    devices_.on_peer_down(key);
    copy_.on_peer_down(turn, key);
    deployer_.on_peer_down(key);
    page_jobs_.on_peer_down(turn, key);
    keeper_of_states_.on_peer_down(key);
  }
  page_asks_.on_peer_down(turn, key);
  auditor_.on_peer_down(turn, key);
  mesh::Fetcher::Out fetches;
  core_.fetcher.on_peer_down(turn.now, key, fetches);
  core_.route(turn, fetches);
  mesh::Spreader::Out spreads;
  core_.spreader.on_peer_down(key, why, spreads);
  core_.route(turn, spreads);
  refresh_work(turn);
  if constexpr (kWholeNode) {
    secrets_.on_peer_down(turn, key);
    services_.on_peer_down(turn, key);
  }
}

// ---- messages

void Node::on_message(Instant now, LinkId link, ByteView message, Out& out) {
  Turn turn{now, out};
  if (kWholeNode && meetings_.knows(link)) {
    meetings_.on_message(turn, link, message);
    return finish(turn);
  }
  const NodeKey* peer = core_.sessions.peer_of(link);
  dispatch(turn, peer == nullptr ? NodeKey{} : *peer, link, message);
  finish(turn);
}

void Node::on_symbols(Instant now, LinkId link, Bytes frame, Out& out) {
  Turn turn{now, out};
  // Symbols before the session is up come from nobody this node knows.
  if (kWholeNode && meetings_.knows(link)) meetings_.on_frame(turn, link, frame);
  else if (const NodeKey* peer = core_.sessions.peer_of(link)) dispatch_symbols(turn, *peer, std::move(frame));
  finish(turn);
}

void Node::dispatch_symbols(Turn& turn, const NodeKey& from, Bytes bytes) {
  const Result<mesh::FrameView> frame = mesh::parse_frame(bytes);
  if (!frame.ok()) {
    core_.trace(turn, "a frame from " + from.brief() + " was thrown away: " + frame.error().message);
    return;
  }
  // Moving the buffer moves no byte of it: the view stays true.
  if (frame->header.kind == mesh::FrameKind::kStore) return keeper_.on_store_frame(turn, from, *frame, std::move(bytes));
  if (kWholeNode && copy_.on_frame(turn, from, *frame)) return;
  mesh::Fetcher::Out effects;
  core_.fetcher.on_frame(turn.now, from, *frame, std::move(bytes), effects);
  core_.route(turn, effects);
}

void Node::dispatch(Turn& turn, const NodeKey& from, LinkId link, ByteView message) {
  const uint8_t type = message.empty() ? uint8_t(0) : message[0];
  if (type != mesh::Hello::kType && from.is_zero()) return;  // nothing counts before hello
  if (type == mesh::Packed::kType) {
    const Result<Bytes> inside = mesh::unpack_message(message);
    if (inside.ok() && (*inside)[0] != mesh::Hello::kType) return dispatch(turn, from, link, *inside);
    turn.out.push(ClosePeer{link, inside.ok() ? "a packed hello" : inside.error().message});
    return;
  }
  if (mesh::MeshMessages::knows(type)) {
    Result<mesh::MeshMessages::Message> parsed = mesh::MeshMessages::decode(message);
    if (parsed.ok()) return on_mesh(turn, from, link, std::move(parsed).value());
    turn.out.push(ClosePeer{link, parsed.error().message});
  } else if (kWholeNode && mesh::StreamMessages::knows(type)) {
    Result<mesh::StreamMessages::Message> parsed = mesh::StreamMessages::decode(message);
    if (parsed.ok()) return services_.on_message(turn, from, std::move(parsed).value());
    turn.out.push(ClosePeer{link, parsed.error().message});
  } else if (kWholeNode && HostingMessages::knows(type)) {
    const Result<HostingMessages::Message> parsed = HostingMessages::decode(message);
    if (!parsed.ok()) {
      turn.out.push(ClosePeer{link, parsed.error().message});
      return;
    }
    hosting_.on_message(turn, from, *parsed);
    deployer_.on_message(turn, from, *parsed);
    services_.on_deployed(turn);
  } else if (kWholeNode && StateMessages::knows(type)) {
    const Result<StateMessages::Message> parsed = StateMessages::decode(message);
    if (!parsed.ok()) {
      turn.out.push(ClosePeer{link, parsed.error().message});
      return;
    }
    states_.on_message(turn, from, *parsed);
    keeper_of_states_.on_message(turn, from, *parsed);
  } else if (work::WorkMessages::knows(type)) {
    Result<work::WorkMessages::Message> parsed = work::WorkMessages::decode(message);
    if (!parsed.ok()) {
      turn.out.push(ClosePeer{link, parsed.error().message});
      return;
    }
    workshop_.on_message(turn, from, *parsed);
    contractor_.on_message(turn, from, *parsed);
  } else if (kWholeNode && IndexMessages::knows(type)) {
    Result<IndexMessages::Message> parsed = IndexMessages::decode(message);
    // Whoever is no device of this owner, or no longer one, has nothing to say about the owner's index, and is told nothing of it.
    if (!parsed.ok()) turn.out.push(ClosePeer{link, parsed.error().message});
    else if (devices_.is_device(from, turn.now)) index_.on_message(turn, from, std::move(parsed).value());
  } else if (kWholeNode && SecretMessages::knows(type)) {
    const Result<SecretMessages::Message> parsed = SecretMessages::decode(message);
    if (parsed.ok()) return on_secret_message(turn, from, *parsed);
  } else if (kWholeNode && OracleMessages::knows(type)) {
    const Result<OracleMessages::Message> parsed = OracleMessages::decode(message);
    if (parsed.ok()) return oracles_.on_message(turn, from, *parsed);
    turn.out.push(ClosePeer{link, parsed.error().message});
  } else if (kWholeNode && IdentityMessages::knows(type)) {
    const Result<IdentityMessages::Message> parsed = IdentityMessages::decode(message);
    if (parsed.ok()) return run_keys_.on_message(turn, from, *parsed);
    turn.out.push(ClosePeer{link, parsed.error().message});
  } else if (PageMessages::knows(type)) {
    Result<PageMessages::Message> parsed = PageMessages::decode(message);
    if (parsed.ok()) return on_page_message(turn, from, link, std::move(parsed).value());
    turn.out.push(ClosePeer{link, parsed.error().message});
  } else if (AuditMessages::knows(type)) {
    const Result<AuditMessages::Message> parsed = AuditMessages::decode(message);
    if (parsed.ok()) return auditor_.on_message(turn, from, *parsed);
    turn.out.push(ClosePeer{link, parsed.error().message});
  } else {
    turn.out.push(ClosePeer{link, "message type " + std::to_string(type) + " is not known to this node"});
  }
}

void Node::on_page_message(Turn& turn, const NodeKey& from, LinkId link, PageMessages::Message message) {
  if (auto* told = std::get_if<JobTold>(&message)) return page_asks_.on_told(turn, from, std::move(*told));
  if constexpr (kWholeNode) {
    if (auto* ask = std::get_if<JobAsk>(&message)) page_jobs_.on_ask(turn, from, core_.address_of(link), std::move(*ask));
    else if (const auto* drop = std::get_if<JobDrop>(&message)) page_jobs_.on_drop(turn, from, *drop);
  }
}

Status Node::on_job_asked(Instant now, const NodeKey& site, const JobAsk& ask, Out& out) {
  Turn turn{now, out};
  const Status asked = page_asks_.ask(turn, site, ask);
  finish(turn);
  return asked;
}

void Node::on_job_dropped(Instant now, const NodeKey& site, uint64_t request, Out& out) {
  Turn turn{now, out};
  page_asks_.drop(turn, site, request);
  finish(turn);
}

void Node::on_mesh(Turn& turn, const NodeKey& from, LinkId link, mesh::MeshMessages::Message message) {
  if (const auto* hello = std::get_if<mesh::Hello>(&message)) {
    mesh::Sessions::Out effects;
    core_.sessions.on_hello(turn.now, link, *hello, effects);
    route(turn, effects);
  } else if (const auto* records = std::get_if<mesh::Records>(&message)) {
    if (records->objects.size() > mesh::kRecordsPerMessageMax) return;
    for (const Bytes& bytes : records->objects) on_record(turn, from, bytes);
  } else if (const auto* ack = std::get_if<mesh::StoreAck>(&message)) {
    mesh::Spreader::Out effects;
    core_.spreader.on_ack(turn.now, from, *ack, effects);
    core_.route(turn, effects);
  } else if (const auto* request = std::get_if<mesh::SymbolRequest>(&message)) {
    keeper_.on_symbol_request(turn, from, *request);
  } else if (const auto* end = std::get_if<mesh::SymbolEnd>(&message)) {
    if (kWholeNode && copy_.on_end(turn, from, *end)) return;
    mesh::Fetcher::Out effects;
    core_.fetcher.on_end(turn.now, from, *end, effects);
    core_.route(turn, effects);
  } else if (const auto* drop = std::get_if<mesh::Drop>(&message)) {
    keeper_.on_drop(turn, from, *drop);
  } else if (const auto* dropped = std::get_if<mesh::DropAck>(&message)) {
    if constexpr (kWholeNode) (void)copy_.on_drop_ack(turn, from, *dropped);
  } else if (const auto* offer = std::get_if<mesh::PathOffer>(&message)) {
    if constexpr (kWholeNode) meetings_.on_path_offer(turn, from, *offer);
  } else if (const auto* known = std::get_if<mesh::Known>(&message)) {
    if (known->objects.size() <= mesh::kRecordsPerMessageMax) zones_.on_known(turn, from, known->objects);
  }
}

// ---- answers of disk, workers, files and domains

void Node::on_persisted(Instant now, uint64_t token, Out& out) {
  Turn turn{now, out};
  core_.on_done(turn, core_.store.on_persisted(token));
  finish(turn);
}

void Node::on_write_failed(Instant now, uint64_t token, const Error& error, Out& out) {
  Turn turn{now, out};
  core_.trace(turn, "a disk write failed: " + error.message);
  core_.on_done(turn, core_.store.on_write_failed(token, error));
  finish(turn);
}

void Node::on_loaded(Instant now, uint64_t token, std::vector<std::optional<Bytes>> values, Out& out) {
  Turn turn{now, out};
  Outbox<store::Effect> disk;
  store::Loaded loaded = core_.store.on_loaded(token, std::move(values), disk);
  core_.route_disk(turn, disk);
  core_.on_loaded(turn, std::move(loaded));
  finish(turn);
}

void Node::on_load_failed(Instant now, uint64_t token, const Error& error, Out& out) {
  Turn turn{now, out};
  core_.on_loaded(turn, core_.store.on_load_failed(token, error));
  finish(turn);
}

void Node::on_computed(Instant now, uint64_t token, ComputeResult result, Out& out) {
  Turn turn{now, out};
  core_.on_computed(turn, token, std::move(result));
  finish(turn);
}

void Node::on_attested(Instant now, uint64_t token, Result<object::Attestation> attestation, Out& out) {
  Turn turn{now, out};
  core_.on_attested(turn, token, std::move(attestation));
  finish(turn);
}

void Node::on_file_read(Instant now, uint64_t token, Result<Bytes> bytes, Out& out) {
  Turn turn{now, out};
  core_.on_file_read(turn, token, std::move(bytes));
  finish(turn);
}

void Node::on_file_written(Instant now, uint64_t token, const Status& status, Out& out) {
  Turn turn{now, out};
  core_.on_file_written(turn, token, status);
  finish(turn);
}

void Node::on_domain(Instant now, const work::TaskId& task, const object::Handle& lease_cap, work::DomainResult result, Out& out) {
  Turn turn{now, out};
  if (kWholeNode && hosting_.knows(task)) hosting_.on_domain(turn, task, lease_cap, result);
  else workshop_.on_domain(turn, task, lease_cap, std::move(result));
  finish(turn);
}

void Node::on_domain_state(Instant now, const work::TaskId& task, const object::Handle& lease_cap, uint64_t fuel, Bytes state, Out& out) {
  Turn turn{now, out};
  workshop_.on_state(turn, task, lease_cap, fuel, std::move(state));
  finish(turn);
}

void Node::on_http(Instant now, uint64_t id, const crypto::PublicKey& service, const work::HttpCall& call, Out& out) {
  Turn turn{now, out};
  hosting_.on_http(turn, id, service, call);
  finish(turn);
}

void Node::on_http_gone(Instant now, uint64_t id, Out& out) {
  Turn turn{now, out};
  hosting_.on_http_gone(turn, id);
  finish(turn);
}

void Node::refresh_work(Turn& turn) {
  contractor_.refresh(turn);
  if constexpr (kWholeNode) deployer_.refresh(turn);
}

void Node::on_signals(Instant now, const work::Signals& signals, Out& out) {
  Turn turn{now, out};
  workshop_.on_signals(turn, signals);
  finish(turn);
}

void Node::on_violation(Instant now, uint64_t lease_number, work::Violation violation, Out& out) {
  Turn turn{now, out};
  workshop_.on_violation(turn, lease_number, violation);
  finish(turn);
}

void Node::on_tasks_stopped(Instant now, uint64_t token, Out& out) {
  Turn turn{now, out};
  core_.on_tasks_stopped(turn, token);
  finish(turn);
}

// ---- time

void Node::on_deadline(Instant now, Out& out) {
  Turn turn{now, out};
  mesh::Sessions::Out sessions;
  core_.sessions.on_deadline(now, sessions);
  route(turn, sessions);
  mesh::Fetcher::Out fetches;
  core_.fetcher.on_deadline(now, fetches);
  core_.route(turn, fetches);
  mesh::Spreader::Out spreads;
  core_.spreader.on_deadline(now, spreads);
  core_.route(turn, spreads);
  keeper_.on_deadline(turn);
  workshop_.on_deadline(turn);
  library_.on_deadline(turn);
  contractor_.on_deadline(turn);
  zones_.on_deadline(turn);
  auditor_.on_deadline(turn);
  if constexpr (kWholeNode) {
    consent_.on_deadline(turn);
    vault_.on_deadline(turn);
    secrets_.on_deadline(turn);
    run_keys_.on_deadline(turn);
    devices_.on_deadline(turn);
    index_.on_deadline(turn);
    copy_.on_deadline(turn);
    oracles_.on_deadline(turn);
    meetings_.on_deadline(turn);
    discovery_.on_deadline(turn);
    services_.on_deadline(turn);
    deployer_.on_deadline(turn);
    page_jobs_.on_deadline(turn);
    states_.on_deadline(turn);
    keeper_of_states_.on_deadline(turn);
    hosting_.on_deadline(turn);
  }
  renew_head(turn);
  finish(turn);
}

Instant Node::next_deadline() const {
  const Instant small = std::min({core_.sessions.next_deadline(), core_.fetcher.next_deadline(), core_.spreader.next_deadline(), keeper_.next_deadline(), workshop_.next_deadline(),
                                  library_.next_deadline(), contractor_.next_deadline(), zones_.next_deadline(), auditor_.next_deadline(), head_due()});
  if constexpr (!kWholeNode) return small;
  return std::min({small, devices_.next_deadline(), index_.next_deadline(), copy_.next_deadline(), consent_.next_deadline(), vault_.next_deadline(), secrets_.next_deadline(), run_keys_.next_deadline(),
                   oracles_.next_deadline(), meetings_.next_deadline(), discovery_.next_deadline(), services_.next_deadline(), deployer_.next_deadline(), hosting_.next_deadline(),
                   states_.next_deadline(), keeper_of_states_.next_deadline(), page_jobs_.next_deadline()});
}

// Messages this node sent to itself are served before the turn ends.
void Node::finish(Turn& turn) {
  for (size_t served = 0; !core_.to_self.empty(); ++served) {
    CHECK(served < kLocalMessagesPerTurnMax);
    Core::Local local = std::move(core_.to_self.front());
    core_.to_self.pop_front();
    if (local.symbols) dispatch_symbols(turn, core_.self(), std::move(local.bytes));
    else dispatch(turn, core_.self(), 0, local.bytes);
  }
}

}  // namespace selvedge::node
