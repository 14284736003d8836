#include "node/meetings.h"

#include <algorithm>

#include "codec/multibase.h"
#include "codec/ticket.h"
#include "crypto/hash.h"

namespace selvedge::node {

namespace {
constexpr std::string_view kRelayScheme = "relay:";
constexpr Duration kVisitKept = seconds(600);
}  // namespace

bool is_relay_address(const std::string& address) { return address.starts_with(kRelayScheme); }

Result<RelayAddress> parse_relay_address(const std::string& address) {
  const auto wrong = [&] { return fail(Errc::kInvalid, "\"" + address.substr(0, 200) + "\" is no way through a relay: relay:KEY@HOST:PORT/HANDLE"); };
  if (!is_relay_address(address)) return wrong();
  const std::string_view rest = std::string_view(address).substr(kRelayScheme.size());
  const size_t at = rest.find('@'), slash = rest.rfind('/');
  if (slash == std::string_view::npos || at == std::string_view::npos || at > slash) return wrong();
  const Result<crypto::PublicKey> relay = codec::parse_key(rest.substr(0, at));
  const Result<Bytes> handle = from_hex(rest.substr(slash + 1));
  if (!relay.ok() || !handle.ok() || handle->size() != object::EndpointHandle::kSize) return wrong();
  return RelayAddress{*relay, std::string(rest.substr(at + 1, slash - at - 1)), object::EndpointHandle::from(*handle).value()};
}

std::string relay_address_text(const RelayAddress& address) {
  return std::string(kRelayScheme) + codec::key_text(address.relay) + "@" + address.at + "/" + address.handle.hex();
}

Meetings::Meetings(Core& core) : core_(core), resolver_(core.authority.verifier(), core.drbg.fork()) {
  if (core.config.roles & kRoleRelay) relay_.emplace();
  if (core.config.roles & kRoleRendezvous) rendezvous_.emplace(core.self(), core.authority.verifier(), load_u64(core.drbg.draw<object::Unique>().bytes.data()));
}

void Meetings::restore(Turn& turn) {
  for (const store::RecordRef& record : core_.records(Record::kRelayUsed)) {
    Result<RelayUsed> used = codec::decode<RelayUsed>(*record.value);
    if (!used.ok() || registered_.size() >= kHandlesMax) continue;
    const auto handle = convert<object::EndpointHandle>(record.id);
    registered_[handle] = {std::move(used).value(), Instant::never()};
    register_at(turn, handle, [](Turn&, const Status&) {});
  }
}

// ---- providers

Result<Meetings::Provider> Meetings::provider_of(const std::string& text) const {
  if (const Result<codec::Ticket> ticket = codec::parse_ticket(text); ticket.ok()) return Provider{ticket->node, ticket->addresses};
  const NodeKey key = TRY(core_.find_node(text));
  const mesh::Peer* peer = core_.sessions.find(key);
  if (peer == nullptr || peer->addresses.empty()) return fail(Errc::kNotFound, "no address of " + key.brief() + " is known; give its ticket instead of its key");
  return Provider{key, peer->addresses};
}

Status Meetings::visit(Turn& turn, const Provider& provider, Instant until) {
  mesh::Visits::Out effects;
  const Status wanted = visits_.want(turn.now, provider.key, provider.addresses, until, effects);
  route(turn, effects);
  return wanted;
}

uint64_t Meetings::expect(Turn& turn, const NodeKey& provider, std::function<void(Turn&, const Status&)> then) {
  const uint64_t request = ++last_request_;
  asked_.emplace(request, Asked{provider, turn.now + kProviderAnswerMax, std::move(then)});
  return request;
}

void Meetings::answered(Turn& turn, uint64_t request, const NodeKey& from, const Status& status) {
  const auto it = asked_.find(request);
  if (it == asked_.end() || it->second.provider != from) return;
  const auto then = std::move(it->second.then);
  asked_.erase(it);
  then(turn, status);
}

void Meetings::say(Turn& turn, const NodeKey& provider, Bytes message) {
  mesh::Visits::Out effects;
  const Status sent = visits_.send(provider, std::move(message), effects);
  if (!sent.ok()) core_.trace(turn, "nothing was said to " + provider.brief() + ": " + sent.error().message);
  route(turn, effects);
}

// ---- being reached

void Meetings::register_at(Turn& turn, const object::EndpointHandle& handle, std::function<void(Turn&, const Status&)> then) {
  Registered& registered = registered_.at(handle);
  const NodeKey relay = registered.used.relay;
  registered.renew_at = turn.now + kHandleRenewed;
  const Status wanted = visit(turn, {relay, registered.used.addresses}, Instant::never());
  if (!wanted.ok()) return then(turn, wanted);
  const uint64_t request = expect(turn, relay, std::move(then));
  say(turn, relay, mesh::RelayMessages::encode(mesh::RelayRegister{request, handle, kHandleSeconds}));
}

Result<object::EndpointHandle> Meetings::handle_at(Turn& turn, const Provider& relay) {
  for (const auto& [handle, registered] : registered_) {
    if (registered.used.relay == relay.key) return handle;
  }
  if (registered_.size() >= kHandlesMax) return fail(Errc::kLimit, "this node is registered at enough relays");
  const auto handle = core_.drbg.draw<object::EndpointHandle>();
  const RelayUsed used{relay.key, relay.addresses};
  registered_[handle] = {used, Instant::never()};
  core_.put_record(turn, Record::kRelayUsed, handle, codec::encode(used), [](Turn&, const Status&) {});
  return handle;
}

void Meetings::use(Turn& turn, const RelayUseRequest& request, OnUsed then) {
  const Result<Provider> relay = provider_of(request.relay);
  if (!relay.ok()) return then(turn, relay.error());
  if (relay->key == core_.self()) return then(turn, fail(Errc::kInvalid, "a node does not relay for itself"));
  const Result<object::EndpointHandle> handle = handle_at(turn, *relay);
  if (!handle.ok()) return then(turn, handle.error());
  const RelayAddress address{relay->key, relay->addresses.front(), *handle};
  register_at(turn, *handle, [this, address, then](Turn& t, const Status& status) {
    if (status.ok()) return then(t, RelayUseAnswer{address.relay, relay_address_text(address)});
    registered_.erase(address.handle);
    visits_.unwant(t.now, address.relay);
    core_.erase_record(t, Record::kRelayUsed, address.handle, [](Turn&, const Status&) {});
    then(t, fail(status.code(), "the relay did not take this node: " + status.error().message));
  });
}

std::vector<std::string> Meetings::addresses() const {
  std::vector<std::string> out;
  for (const auto& [handle, registered] : registered_) out.push_back(relay_address_text({registered.used.relay, registered.used.addresses.front(), handle}));
  return out;
}

RelayListAnswer Meetings::list() const {
  RelayListAnswer out;
  out.serving = relay_.has_value();
  if (relay_) out.circuits = relay_->circuits(), out.bytes_carried = relay_->bytes_carried();
  for (const auto& [handle, registered] : registered_) {
    const NodeKey& relay = registered.used.relay;
    out.used.push_back({relay, relay_address_text({relay, registered.used.addresses.front(), handle}), visits_.link_of(relay).has_value()});
  }
  return out;
}

// ---- leaving a relay

bool Meetings::reached_by_relay(const NodeKey& peer) const {
  const std::optional<LinkId> link = core_.sessions.link_of(peer);
  return link && core_.address_of(*link) == kCircuitAddress;
}

void Meetings::on_peer_up(Turn& turn, const NodeKey& peer) {
  if (core_.config.paths != PathPolicy::kPreferDirect) return;
  if (reached_by_relay(peer)) offer_paths(turn, peer, false);
  if (better_.size() >= mesh::kPeersMax && !better_.contains(peer)) return;
  Better& better = better_[peer];
  better.wait = kPathAgainFirst;
  better.again = turn.now + better.wait;
}

void Meetings::on_addresses(Turn& turn) {
  std::vector<NodeKey> relayed;
  for (auto& [peer, better] : better_) {
    if (!core_.sessions.up(peer) || !reached_by_relay(peer)) continue;
    better.offered = {};  // what was offered is not all there is any more
    relayed.push_back(peer);
  }
  for (const NodeKey& peer : relayed) offer_paths(turn, peer, false);
}

void Meetings::offer_paths_again(Turn& turn) {
  std::vector<NodeKey> relayed;
  for (auto& [peer, better] : better_) {
    if (better.again > turn.now) continue;
    const bool up = core_.sessions.up(peer), by_relay = up && reached_by_relay(peer);
    better.wait = by_relay ? std::min(better.wait * 2, kPathAgainMost) : kPathAgainFirst;
    better.again = up ? turn.now + better.wait : Instant::never();
    if (by_relay) relayed.push_back(peer);
  }
  for (const NodeKey& peer : relayed) offer_paths(turn, peer, false);
}

void Meetings::offer_paths(Turn& turn, const NodeKey& peer, bool reply) {
  const auto lately = [&](const Instant& at) { return at + kPathOfferEvery > turn.now; };
  if (better_.size() >= mesh::kPeersMax) std::erase_if(better_, [&](const auto& each) { return each.second.again == Instant::never() && !lately(each.second.offered) && !lately(each.second.tried); });
  if ((better_.size() >= mesh::kPeersMax && !better_.contains(peer)) || lately(better_[peer].offered)) return;
  better_[peer].offered = turn.now;
  mesh::PathOffer offer;
  offer.reply = reply;
  if (!observed_.empty()) offer.addresses.push_back(observed_);
  for (const std::string& address : core_.config.addresses) {
    const bool there = std::find(offer.addresses.begin(), offer.addresses.end(), address) != offer.addresses.end();
    const bool nowhere = address.starts_with("0.0.0.0:") || address.starts_with("[::]:");  // where it listens, not where it is
    if (!there && !nowhere && offer.addresses.size() < mesh::kPathOfferMax) offer.addresses.push_back(address);
  }
  if (!offer.addresses.empty()) core_.send(turn, peer, mesh::MeshMessages::encode(offer));
}

void Meetings::on_path_offer(Turn& turn, const NodeKey& from, const mesh::PathOffer& offer) {
  // Who does not want to be found says nothing, and dials nobody either: that would show where it is.
  if (core_.config.paths != PathPolicy::kPreferDirect || !reached_by_relay(from) || offer.addresses.size() > mesh::kPathOfferMax) return;
  // Both may have begun at once; then each offer is the answer to the other.
  if (!offer.reply) offer_paths(turn, from, true);
  const auto mine = better_.find(from);
  if (mine == better_.end() || mine->second.offered == Instant{} || mine->second.tried + kPathOfferEvery > turn.now) return;
  mine->second.tried = turn.now;
  for (const std::string& address : offer.addresses) {
    if (!is_relay_address(address)) on_probe(turn, from, address);
  }
}

void Meetings::dial(Turn& turn, const NodeKey& peer, const std::string& address) {
  if (core_.config.paths == PathPolicy::kDirectOnly) return on_dial_failed(turn, peer, fail(Errc::kUnauthorized, "this node goes through no relay (selvedge up --paths direct-only)"));
  const Result<RelayAddress> parsed = parse_relay_address(address);
  if (!parsed.ok()) return on_dial_failed(turn, peer, parsed.error());
  if (circuits_.size() >= kOpenCircuitsMax) return on_dial_failed(turn, peer, fail(Errc::kLimit, "too many circuits are open"));
  const Status wanted = visit(turn, {parsed->relay, {parsed->at}}, turn.now + kVisitKept);
  if (!wanted.ok()) return on_dial_failed(turn, peer, wanted.error());
  const uint64_t circuit = ++last_circuit_;
  const NodeKey relay = parsed->relay;
  const uint64_t request = expect(turn, relay, [this, peer, relay, circuit](Turn& t, const Status& status) {
    if (!status.ok()) return on_dial_failed(t, peer, Error{status.code(), "the relay: " + status.error().message});
    circuits_[circuit] = {relay, circuit};
    circuits_by_relay_[{relay, circuit}] = circuit;
    t.out.push(DialPeer{peer, "circuit:" + std::to_string(circuit)});
  });
  say(turn, relay, mesh::RelayMessages::encode(mesh::RelayOpen{request, parsed->handle, circuit}));
}

void Meetings::on_circuit(Turn& turn, uint64_t id, size_t segment, Bytes packets) {
  const auto circuit = circuits_.find(id);
  if (circuit == circuits_.end() || packets.size() > mesh::kRelayPacketsMax || segment > UINT16_MAX) return;
  const std::optional<LinkId> link = visits_.link_of(circuit->second.relay);
  if (link) turn.out.push(SendSymbols{*link, mesh::make_relay_frame(circuit->second.number, uint16_t(segment), packets)});
}

// ---- services

void Meetings::publish(Turn& turn, const PublishRequest& request, std::function<void(Turn&, Result<PublishAnswer>)> then) {
  if (!core_.config.zone_root) return then(turn, core_.need_root("selvedge rendezvous publish").error());
  const Result<Provider> relay = provider_of(request.relay);
  if (!relay.ok()) return then(turn, relay.error());
  std::vector<Provider> at;
  for (const std::string& text : request.at) {
    Result<Provider> one = provider_of(text);
    if (!one.ok()) return then(turn, one.error());
    at.push_back(std::move(one).value());
  }
  if (at.empty() || at.size() > mesh::kResolveProvidersMax) return then(turn, fail(Errc::kInvalid, "name 1 to 8 rendezvous to tell it to"));
  const Result<object::EndpointHandle> handle = handle_at(turn, *relay);
  if (!handle.ok()) return then(turn, handle.error());
  const std::unique_ptr<crypto::Signer> signer = core_.config.make_signer(object::service_key_seed(*core_.config.zone_root, request.name));
  object::IngressSet set;
  set.service = signer->public_key();
  set.origin = core_.owner();
  set.name = request.name;
  set.endpoints.push_back({*handle, relay->key, core_.self(), uint8_t(request.protocols)});
  set.issued = turn.now.unix_seconds();
  set.expires = set.issued + request.seconds;
  set.epoch = turn.now.unix_ms();
  const Result<object::Signed<object::IngressSet>> made = object::sign_object(*signer, set);
  if (!made.ok()) return then(turn, made.error());
  struct Round {
    PublishAnswer answer;
    size_t left;
    size_t kept = 0;
  };
  auto round = std::make_shared<Round>(Round{{object::service_address(set.service), set.epoch, set.expires, {}}, at.size()});
  const auto told = [round, then](Turn& t, const NodeKey& provider, const Status& status) {
    round->answer.at.push_back({provider, status.ok() ? "keeps it" : status.error().message});
    round->kept += status.ok() ? 1 : 0;
    if (--round->left > 0) return;
    if (round->kept > 0) return then(t, round->answer);
    then(t, fail(Errc::kUnavailable, "no rendezvous keeps it: " + round->answer.at.front().said));
  };
  register_at(turn, *handle, [this, at, told, bytes = made->bytes](Turn& t, const Status& status) {
    for (const Provider& provider : at) {
      const Status wanted = status.ok() ? visit(t, provider, t.now + kVisitKept) : status;
      if (!wanted.ok()) {
        told(t, provider.key, wanted);
        continue;
      }
      const uint64_t number = expect(t, provider.key, [told, key = provider.key](Turn& later, const Status& kept) { told(later, key, kept); });
      say(t, provider.key, mesh::RendezvousMessages::encode(mesh::RendezvousPublish{number, bytes}));
    }
  });
}

void Meetings::resolve(Turn& turn, const ResolveServiceRequest& request, std::function<void(Turn&, Result<ResolveAnswer>)> then) {
  const Result<object::ServiceAddress> address = object::parse_service_address(request.address);
  if (!address.ok()) return then(turn, address.error());
  mesh::ResolveRequest wanted{address->service, {}, request.quorum, object::kProtocolsAll, 0};
  for (const std::string& text : request.via) {
    const Result<Provider> provider = provider_of(text);
    const Status known = provider.ok() ? visit(turn, *provider, turn.now + kVisitKept) : Status(provider.error());
    if (!known.ok()) return then(turn, known.error());
    wanted.providers.push_back(provider->key);
  }
  mesh::Resolver::Out effects;
  const Result<uint64_t> id = resolver_.start(turn.now, wanted, effects);
  if (!id.ok()) return then(turn, id.error());
  resolving_[*id] = [then](Turn& t, mesh::Resolved resolved) {
    if (!resolved.set.ok()) return then(t, resolved.set.error());
    const object::IngressSet& set = resolved.set->body;
    ResolveAnswer answer{set.service, set.origin, set.name, set.endpoints, set.policy, set.epoch, set.expires, {}};
    for (const mesh::ProviderSaid& each : resolved.asked) answer.asked.push_back({each.provider, each.said});
    then(t, std::move(answer));
  };
  route(turn, effects);
}

// ---- what comes in

void Meetings::on_visit_opened(Turn& turn, const NodeKey& provider, LinkId link) {
  mesh::Visits::Out effects;
  visits_.on_opened(provider, link, effects);
  route(turn, effects);
}

void Meetings::on_visit_failed(Turn& turn, const NodeKey& provider, const Error& why) {
  mesh::Visits::Out effects;
  visits_.on_failed(turn.now, provider, why.message, effects);
  route(turn, effects);
}

void Meetings::on_link_closed(Turn& turn, LinkId link, const Error& why) {
  mesh::Visits::Out visits;
  visits_.on_closed(turn.now, link, why.message, visits);
  route(turn, visits);
  if (!relay_) return;
  mesh::Relay::Out effects;
  relay_->on_link_closed(turn.now, link, effects);
  route(turn, effects);
}

void Meetings::on_message(Turn& turn, LinkId link, ByteView message) {
  if (const NodeKey* visitor = core_.sessions.visitor_of(link)) return serve(turn, link, NodeKey(*visitor), message);
  if (const std::optional<NodeKey> provider = visits_.provider_of(link)) on_provider_message(turn, *provider, message);
}

void Meetings::serve(Turn& turn, LinkId link, const NodeKey& visitor, ByteView message) {
  const uint8_t type = message.empty() ? uint8_t(0) : message[0];
  const auto answer = [&](Bytes bytes) { turn.out.push(SendMessage{link, std::move(bytes)}); };
  if (relay_ && mesh::RelayMessages::knows(type)) {
    const Result<mesh::RelayMessages::Message> parsed = mesh::RelayMessages::decode(message);
    if (!parsed.ok()) return turn.out.push(ClosePeer{link, parsed.error().message});
    mesh::Relay::Out effects;
    if (const auto* ask = std::get_if<mesh::RelayRegister>(&*parsed)) relay_->on_register(turn.now, link, core_.address_of(link), *ask, effects);
    else if (const auto* open = std::get_if<mesh::RelayOpen>(&*parsed)) relay_->on_open(turn.now, link, core_.address_of(link), *open, effects);
    else if (const auto* over = std::get_if<mesh::RelayClose>(&*parsed)) relay_->on_close(turn.now, link, *over, effects);
    return route(turn, effects);
  }
  if (rendezvous_ && mesh::RendezvousMessages::knows(type)) {
    const Result<mesh::RendezvousMessages::Message> parsed = mesh::RendezvousMessages::decode(message);
    if (!parsed.ok()) return turn.out.push(ClosePeer{link, parsed.error().message});
    if (const auto* told = std::get_if<mesh::RendezvousPublish>(&*parsed)) answer(mesh::RendezvousMessages::encode(rendezvous_->on_publish(turn.now, visitor, *told)));
    else if (const auto* ask = std::get_if<mesh::RendezvousAsk>(&*parsed)) answer(mesh::RendezvousMessages::encode(rendezvous_->on_ask(turn.now, visitor, *ask, core_.drbg)));
    else if (const auto* join = std::get_if<mesh::RendezvousJoin>(&*parsed)) answer(mesh::RendezvousMessages::encode(rendezvous_->on_join(turn.now, visitor, *join)));
    return;
  }
  turn.out.push(ClosePeer{link, "this node gives visitors nothing of that kind (selvedge up --role relay, --role rendezvous)"});
}

void Meetings::on_provider_message(Turn& turn, const NodeKey& provider, ByteView message) {
  const uint8_t type = message.empty() ? uint8_t(0) : message[0];
  const auto status_of = [](uint8_t error, const std::string& text) {
    return error == 0 ? ok() : Status(fail(Errc(std::min(error, uint8_t(Errc::kInternal))), text.empty() ? errc_name(Errc(std::min(error, uint8_t(Errc::kInternal)))) : text.substr(0, 300)));
  };
  if (mesh::RelayMessages::knows(type)) {
    const Result<mesh::RelayMessages::Message> parsed = mesh::RelayMessages::decode(message);
    if (!parsed.ok()) return;
    if (const auto* ack = std::get_if<mesh::RelayAck>(&*parsed)) {
      if (!ack->observed.empty() && ack->observed.size() <= codec::kTicketAddressSizeMax) observed_ = ack->observed;
      return answered(turn, ack->request, provider, status_of(ack->error, ack->message));
    }
    if (const auto* incoming = std::get_if<mesh::RelayIncoming>(&*parsed)) {
      if (!registered_.contains(incoming->handle) || circuits_.size() >= kOpenCircuitsMax) return;
      const uint64_t id = ++last_circuit_;
      circuits_[id] = {provider, incoming->circuit};
      circuits_by_relay_[{provider, incoming->circuit}] = id;
    } else if (const auto* over = std::get_if<mesh::RelayClose>(&*parsed)) {
      const auto it = circuits_by_relay_.find({provider, over->circuit});
      if (it == circuits_by_relay_.end()) return;
      circuits_.erase(it->second);
      circuits_by_relay_.erase(it);
    }
    return;
  }
  const Result<mesh::RendezvousMessages::Message> parsed = mesh::RendezvousMessages::decode(message);
  if (!parsed.ok()) return;  // also its Hello, which says nothing that is needed here
  if (const auto* ack = std::get_if<mesh::RendezvousAck>(&*parsed)) return answered(turn, ack->request, provider, status_of(ack->error, ack->message));
  if (const auto* found = std::get_if<mesh::RendezvousAnswer>(&*parsed)) {
    mesh::Resolver::Out effects;
    resolver_.on_answer(turn.now, provider, *found, effects);
    route(turn, effects);
  }
}

void Meetings::on_frame(Turn& turn, LinkId link, ByteView bytes) {
  const Result<mesh::RelayFrame> frame = mesh::parse_relay_frame(bytes);
  if (!frame.ok()) return;
  if (relay_ && core_.sessions.visitor_of(link) != nullptr) {
    mesh::Relay::Out effects;
    relay_->on_frame(turn.now, link, *frame, effects);
    return route(turn, effects);
  }
  const std::optional<NodeKey> provider = visits_.provider_of(link);
  if (!provider) return;
  const auto circuit = circuits_by_relay_.find({*provider, frame->circuit});
  if (circuit != circuits_by_relay_.end()) turn.out.push(CircuitPackets{circuit->second, frame->segment, to_bytes(frame->packets)});
}

// ---- effects

void Meetings::route(Turn& turn, mesh::Visits::Out& effects) {
  for (mesh::VisitEffect& effect : effects.take()) {
    if (auto* dial = std::get_if<mesh::DialVisit>(&effect)) {
      turn.out.push(DialAsNobody{dial->provider, dial->address});
    } else if (auto* send = std::get_if<mesh::SendOnLink>(&effect)) {
      turn.out.push(SendMessage{send->link, std::move(send->message)});
    } else if (auto* close = std::get_if<mesh::CloseLink>(&effect)) {
      turn.out.push(ClosePeer{close->link, close->reason});
    } else if (const auto* up = std::get_if<mesh::VisitUp>(&effect)) {
      for (auto& [handle, registered] : registered_) {
        if (registered.used.relay == up->provider) registered.renew_at = turn.now;  // the relay knew the last visit's key, not this one's
      }
    } else if (const auto* down = std::get_if<mesh::VisitDown>(&effect)) {
      std::vector<uint64_t> unanswered;
      for (const auto& [request, asked] : asked_) {
        if (asked.provider == down->provider) unanswered.push_back(request);
      }
      for (const uint64_t request : unanswered) answered(turn, request, down->provider, fail(Errc::kUnavailable, down->provider.brief() + " cannot be reached: " + down->why));
      std::erase_if(circuits_, [&](const auto& each) { return each.second.relay == down->provider; });
      std::erase_if(circuits_by_relay_, [&](const auto& each) { return each.first.first == down->provider; });
      mesh::Resolver::Out resolved;
      resolver_.on_unreachable(turn.now, down->provider, "cannot be reached: " + down->why, resolved);
      route(turn, resolved);
    }
  }
}

void Meetings::route(Turn& turn, mesh::Relay::Out& effects) {
  for (mesh::RelayEffect& effect : effects.take()) {
    if (auto* send = std::get_if<mesh::RelaySend>(&effect)) turn.out.push(SendMessage{send->link, std::move(send->message)});
    else if (auto* forward = std::get_if<mesh::RelayForward>(&effect)) turn.out.push(SendSymbols{forward->link, std::move(forward->frame)});
    else if (const auto* carried = std::get_if<mesh::RelayCarried>(&effect)) {
      // The handle is hashed: the log of a relay names nobody, and no handle that could still be used.
      const std::string text = "relayed " + std::to_string(carried->bytes_to + carried->bytes_from) + " bytes in " + std::to_string(carried->lasted.ms()) + " ms, dropped " +
                               std::to_string(carried->bytes_dropped);
      core_.audit(turn, {object::AuditKind::kReceipt, crypto::sha256(carried->handle), text, AuditBytes::kWithin}, view(text));
    }
  }
}

void Meetings::route(Turn& turn, mesh::Resolver::Out& effects) {
  for (mesh::ResolverEffect& effect : effects.take()) {
    if (const auto* ask = std::get_if<mesh::AskProvider>(&effect)) {
      say(turn, ask->provider, mesh::RendezvousMessages::encode(ask->ask));
    } else {
      mesh::Resolved& resolved = std::get<mesh::Resolved>(effect);
      const auto it = resolving_.find(resolved.resolve);
      if (it == resolving_.end()) continue;
      const auto then = std::move(it->second);
      resolving_.erase(it);
      then(turn, std::move(resolved));
    }
  }
}

void Meetings::on_deadline(Turn& turn) {
  mesh::Visits::Out visits;
  visits_.on_deadline(turn.now, visits);
  route(turn, visits);
  mesh::Resolver::Out resolved;
  resolver_.on_deadline(turn.now, resolved);
  route(turn, resolved);
  if (relay_) {
    mesh::Relay::Out effects;
    relay_->on_deadline(turn.now, effects);
    route(turn, effects);
  }
  if (rendezvous_) rendezvous_->on_deadline(turn.now);
  offer_paths_again(turn);
  std::vector<uint64_t> late;
  for (const auto& [request, asked] : asked_) {
    if (asked.until <= turn.now) late.push_back(request);
  }
  for (const uint64_t request : late) answered(turn, request, NodeKey(asked_.at(request).provider), fail(Errc::kTimeout, "no answer within 5 s"));
  std::vector<object::EndpointHandle> due;
  for (const auto& [handle, registered] : registered_) {
    if (registered.renew_at <= turn.now) due.push_back(handle);
  }
  for (const object::EndpointHandle& handle : due) {
    register_at(turn, handle, [this](Turn& t, const Status& status) {
      if (!status.ok()) core_.trace(t, "a relay does not take this node: " + status.error().message);
    });
  }
}

Instant Meetings::next_deadline() const {
  Instant soonest = std::min(visits_.next_deadline(), resolver_.next_deadline());
  if (relay_ && relay_->circuits() > 0) soonest = std::min(soonest, relay_->next_deadline());
  if (rendezvous_ && rendezvous_->sets() > 0) soonest = std::min(soonest, rendezvous_->next_deadline());
  for (const auto& [peer, better] : better_) soonest = std::min(soonest, better.again);
  for (const auto& [request, asked] : asked_) soonest = std::min(soonest, asked.until);
  for (const auto& [handle, registered] : registered_) soonest = std::min(soonest, registered.renew_at);
  return soonest;
}

void Meetings::drain(Turn& turn) {
  if (!relay_) return;
  mesh::Relay::Out effects;
  relay_->drain(turn.now, effects);
  route(turn, effects);
}

}  // namespace selvedge::node
