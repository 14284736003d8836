#include "node/services.h"

#include <algorithm>

#include "codec/multibase.h"
#include "codec/ticket.h"
#include "crypto/hash.h"

namespace selvedge::node {

const char* enum_name(Access access) {
  switch (access) {
    case Access::kPublic: return "public";
    case Access::kOwner: return "owner";
    case Access::kKeys: return "keys";
  }
  return "unknown";
}

void Services::restore() {
  for (const store::RecordRef& record : core_.records(Record::kExposed)) {
    Result<Exposed> exposed = codec::decode<Exposed>(*record.value);
    if (exposed.ok() && exposed_.size() < kExposedMax) exposed_[convert<crypto::PublicKey>(record.id)].exposed = std::move(exposed).value();
  }
}

// ---- exposing

Result<ServiceInfo> Services::expose(Turn& turn, const ExposeRequest& request) {
  if (!core_.config.zone_root) return core_.need_root("selvedge service expose").error();
  Exposed exposed{request.name, request.target, Access::kOwner, {}, request.connections_max};
  if (request.access == "public") exposed.access = Access::kPublic;
  else if (request.access == "keys") exposed.access = Access::kKeys;
  else if (request.access != "owner") return fail(Errc::kInvalid, "\"" + request.access.substr(0, 40) + "\" is nobody: public, owner or keys");
  for (const std::string& text : request.owners) exposed.owners.push_back(TRY(codec::parse_key(text)));
  if (exposed.access == Access::kKeys && exposed.owners.empty()) return fail(Errc::kInvalid, "name the owners whose machines may connect");
  if (exposed.owners.size() > 256 || request.target.size() > 255 || request.target.rfind(':') == std::string::npos || request.target.starts_with(kHostedScheme)) {
    return fail(Errc::kInvalid, "a target is an address and a port, like 127.0.0.1:3000, and at most 256 owners may connect");
  }
  const std::unique_ptr<crypto::Signer> signer = core_.config.make_signer(object::service_key_seed(*core_.config.zone_root, request.name));
  const crypto::PublicKey service = signer->public_key();
  if (exposed_.contains(service) && exposed_.at(service).origin) return fail(Errc::kExists, "this machine runs that service already: it was deployed to it (selvedge service list)");
  if (exposed_.size() >= kExposedMax && !exposed_.contains(service)) return fail(Errc::kLimit, "this node exposes as many services as it can (64)");
  Counted& counted = exposed_[service];
  const std::optional<Exposed> before = counted.exposed.name.empty() ? std::nullopt : std::optional(counted.exposed);
  counted.exposed = exposed;
  counted.proof.clear();
  if (const Result<Bytes> proof = proof_of(turn, service, counted); !proof.ok()) {
    if (before) counted.exposed = *before;
    else exposed_.erase(service);
    return proof.error();
  }
  core_.put_record(turn, Record::kExposed, service, codec::encode(exposed), [](Turn&, const Status&) {});
  const std::string what = "exposes " + request.name + " to " + enum_name(exposed.access);
  core_.audit(turn, {object::AuditKind::kNode, crypto::sha256(service), what, AuditBytes::kWithin}, view(what));
  return info(service, counted);
}

Result<ServiceInfo> Services::unexpose(Turn& turn, const std::string& name) {
  const auto it = std::find_if(exposed_.begin(), exposed_.end(), [&](const auto& each) { return each.second.exposed.name == name && !each.second.origin; });
  if (it == exposed_.end()) return fail(Errc::kNotFound, "this node exposes no service \"" + name.substr(0, 80) + "\" (selvedge service list)");
  const crypto::PublicKey service = it->first;
  end_streams(turn, service, fail(Errc::kRevoked, "the service is no longer exposed"));
  const ServiceInfo was = info(service, it->second);
  exposed_.erase(it);
  core_.erase_record(turn, Record::kExposed, service, [](Turn&, const Status&) {});
  const std::string what = "exposes " + name + " no longer";
  core_.audit(turn, {object::AuditKind::kNode, crypto::sha256(service), what, AuditBytes::kWithin}, view(what));
  return was;
}

void Services::end_streams(Turn& turn, const crypto::PublicKey& service, const Error& why) {
  std::vector<SocketId> open;
  for (const auto& [id, socket] : sockets_) {
    if (socket.proxy == 0 && socket.service == service) open.push_back(id);
  }
  mesh::Streams::Out effects;
  for (const SocketId id : open) {
    streams_.refuse(sockets_.at(id).stream, why, effects);
    close(turn, id);
  }
  route(turn, effects);
}

// ---- what runs here for others

std::string hosted_target(const crypto::PublicKey& service) { return kHostedScheme + codec::key_text(service); }

void Services::host(Turn& turn, const crypto::PublicKey& service, Exposed terms, const crypto::PublicKey& origin, Bytes proof, uint64_t proof_expires) {
  const auto before = exposed_.find(service);
  // Whoever may not come under the new terms is not left in under the old ones.
  const bool narrower = before != exposed_.end() && (before->second.exposed.access != terms.access || before->second.exposed.owners != terms.owners);
  if (narrower) end_streams(turn, service, fail(Errc::kRevoked, "who may connect has changed"));
  Counted& counted = exposed_[service];
  counted.exposed = std::move(terms);
  counted.origin = origin;
  counted.proof = std::move(proof);
  counted.proof_expires = proof_expires;
}

void Services::renew_hosted(const crypto::PublicKey& service, Bytes proof, uint64_t proof_expires) {
  const auto it = exposed_.find(service);
  if (it == exposed_.end() || !it->second.origin || proof_expires < it->second.proof_expires) return;
  it->second.proof = std::move(proof);
  it->second.proof_expires = proof_expires;
}

void Services::end_hosted(Turn& turn, const crypto::PublicKey& service) {
  const auto it = exposed_.find(service);
  if (it == exposed_.end() || !it->second.origin) return;
  end_streams(turn, service, fail(Errc::kUnavailable, "this machine does not run the service any more"));
  exposed_.erase(service);
}

ServiceInfo Services::info(const crypto::PublicKey& service, const Counted& counted) const {
  const Exposed& e = counted.exposed;
  return {e.name, object::service_address(service), e.target, enum_name(e.access), e.owners, e.connections_max, counted.connections, counted.ever, counted.refused, counted.in, counted.out};
}

ServiceListAnswer Services::list() const {
  ServiceListAnswer out;
  for (const auto& [service, counted] : exposed_) {
    if (!counted.origin) out.services.push_back(info(service, counted));
  }
  return out;
}

Result<Bytes> Services::proof_of(Turn& turn, const crypto::PublicKey& service, Counted& counted) {
  const uint64_t now = turn.now.unix_seconds();
  if (counted.origin) {
    if (counted.proof_expires > now) return counted.proof;
    return fail(Errc::kExpired, "the service's owner has not renewed what this machine may show");
  }
  // Renewed at half its time, so that what a client is shown holds for a while.
  if (!counted.proof.empty() && counted.proof_expires > now + object::kIngressEpochSecondsMax / 2) return counted.proof;
  if (!core_.config.zone_root) return core_.need_root("selvedge service expose").error();
  const std::unique_ptr<crypto::Signer> signer = core_.config.make_signer(object::service_key_seed(*core_.config.zone_root, counted.exposed.name));
  object::IngressSet set;
  set.service = service;
  set.origin = core_.owner();
  set.name = counted.exposed.name;
  set.endpoints.push_back({core_.drbg.draw<object::EndpointHandle>(), core_.self(), core_.self(), object::kProtocolsAll});
  set.policy.auth = counted.exposed.access == Access::kPublic ? object::IngressAuth::kPublic : object::IngressAuth::kMutual;
  set.policy.connections_max = counted.exposed.connections_max;
  set.issued = now;
  set.expires = now + object::kIngressEpochSecondsMax;
  set.epoch = turn.now.unix_ms();
  counted.proof = TRY(object::sign_object(*signer, set)).bytes;
  counted.proof_expires = set.expires;
  return counted.proof;
}

Status Services::may_connect(const Counted& counted, const NodeKey& peer) const {
  if (counted.exposed.connections_max > 0 && counted.connections >= counted.exposed.connections_max) return fail(Errc::kLimit, "the service has as many connections as it takes");
  if (counted.exposed.access == Access::kPublic) return ok();
  const mesh::Peer* known = core_.sessions.find(peer);
  const crypto::PublicKey owner = peer == core_.self() ? core_.owner() : known != nullptr && known->record ? known->record->body.owner : crypto::PublicKey{};
  if (owner == counted.origin.value_or(core_.owner())) return ok();
  const std::vector<crypto::PublicKey>& owners = counted.exposed.owners;
  if (counted.exposed.access == Access::kKeys && std::find(owners.begin(), owners.end(), owner) != owners.end()) return ok();
  return fail(Errc::kUnauthorized, "the service is not for this owner's machines");
}

void Services::on_asked(Turn& turn, const mesh::StreamAsked& asked) {
  const auto it = exposed_.find(asked.service);
  Status allowed = it == exposed_.end() ? Status(fail(Errc::kNotFound, "this node has no such service")) : may_connect(it->second, asked.peer);
  const crypto::PublicKey answers_for = it != exposed_.end() ? it->second.origin.value_or(core_.owner()) : core_.owner();
  if (allowed.ok() && asked.peer != core_.self() && core_.revoked_device(asked.peer, answers_for, turn.now)) allowed = fail(Errc::kRevoked, "this machine was taken back by its owner");
  if (!allowed.ok()) {
    if (it != exposed_.end()) ++it->second.refused;
    mesh::Streams::Out effects;
    streams_.refuse(asked.stream, allowed.error(), effects);
    return route(turn, effects);
  }
  ++it->second.connections;
  ++it->second.ever;
  const SocketId id = asked.stream * 2;  // the host's own are odd
  sockets_[id] = {asked.stream, asked.service, 0, asked.peer, Instant::never(), false, false, {}};
  socket_of_[asked.stream] = id;
  turn.out.push(ConnectSocket{id, it->second.exposed.target});
}

// ---- proxying

Result<NodeKey> Services::want_provider(Turn& turn, const std::string& text) {
  if (const Result<codec::Ticket> ticket = codec::parse_ticket(text); ticket.ok()) {
    core_.want_peer(turn, ticket->node, ticket->addresses, Instant::never());
    return ticket->node;
  }
  return core_.find_node(text);
}

void Services::proxy(Turn& turn, RequestId id, const ProxyRequest& request) {
  const auto refuse = [&](const Error& why) { turn.out.push(Refuse{id, why}); };
  const Result<object::ServiceAddress> address = object::parse_service_address(request.address);
  if (!address.ok()) return refuse(address.error());
  if (proxies_.size() >= kProxiesMax) return refuse(fail(Errc::kLimit, "this node listens for as many services as it can (64)"));
  Proxy proxy{request, address->service, {}, Instant::never(), ""};
  const bool deployed = !deployed_at(address->service).empty();
  if (request.at.empty() && request.via.empty() && !deployed && !exposed_.contains(address->service)) {
    return refuse(fail(Errc::kInvalid, "name a node that has the service (--at TICKET), or a rendezvous that knows one (--via TICKET)"));
  }
  if (exposed_.contains(address->service)) proxy.nodes.insert(core_.self());
  for (const std::string& text : request.at) {
    const Result<NodeKey> node = want_provider(turn, text);
    if (!node.ok()) return refuse(node.error());
    proxy.nodes.insert(*node);
  }
  proxies_[id] = std::move(proxy);
  turn.out.push(ListenLocal{id, request.listen});
  if (!request.via.empty()) resolve_providers(turn, id);
}

void Services::resolve_providers(Turn& turn, RequestId id) {
  Proxy& proxy = proxies_.at(id);
  proxy.resolve_at = turn.now + kProviderWait;
  resolve(turn, ResolveServiceRequest{proxy.request.address, proxy.request.via, 1}, [this, id](Turn& t, Result<ResolveAnswer> found) {
    const auto it = proxies_.find(id);
    if (it == proxies_.end()) return;
    if (!found.ok()) return core_.trace(t, "a service was not resolved: " + found.error().message);
    it->second.resolve_at = std::max(Instant::from_unix_seconds(found->expires), t.now + kProviderWait);
    for (const object::IngressEndpoint& endpoint : found->endpoints) {
      it->second.nodes.insert(endpoint.key);
      if (core_.sessions.up(endpoint.key) || endpoint.key == core_.self()) continue;
      const mesh::Peer* relay = core_.sessions.find(endpoint.relay);
      std::string at = relay != nullptr && !relay->addresses.empty() ? relay->addresses.front() : "";
      for (const std::string& text : it->second.request.via) {
        const Result<codec::Ticket> ticket = codec::parse_ticket(text);
        if (ticket.ok() && ticket->node == endpoint.relay && !ticket->addresses.empty()) at = ticket->addresses.front();
      }
      const std::string way = "relay:" + codec::key_text(endpoint.relay) + "@" + at + "/" + endpoint.handle.hex();
      core_.want_peer(t, endpoint.key, {way}, it->second.resolve_at);
    }
    begin_waiting(t, id);
  });
}

// Of those that can be reached the one that has the fewest connections from here: with some of them alike that spreads over all.
std::optional<NodeKey> Services::node_for(const Proxy& proxy, const std::set<NodeKey>& tried) const {
  std::set<NodeKey> nodes = proxy.nodes;
  for (const NodeKey& node : deployed_at(proxy.service)) nodes.insert(node);
  std::map<NodeKey, size_t> load;
  for (const auto& [id, socket] : sockets_) load[socket.peer] += socket.proxy != 0;
  std::optional<NodeKey> best;
  for (const NodeKey& node : nodes) {
    if (!core_.reachable(node) || tried.contains(node)) continue;
    if (!best || load[node] < load[*best]) best = node;
  }
  return best;
}

void Services::on_listening(Turn& turn, RequestId id, const Result<std::string>& address) {
  const auto it = proxies_.find(id);
  if (it == proxies_.end()) return;
  if (!address.ok()) {
    proxies_.erase(it);
    return turn.out.push(Refuse{id, address.error()});
  }
  it->second.listening = *address;
  turn.out.push(Progress{id, codec::to_json_text(ProxyAnswer{*address, ""})});
}

void Services::on_local_connection(Turn& turn, RequestId id, SocketId socket_id) {
  const auto it = proxies_.find(id);
  if (it == proxies_.end()) return turn.out.push(CloseSocket{socket_id, true});
  Socket& socket = sockets_[socket_id];
  socket = {0, it->second.service, id, {}, turn.now + kProviderWait, false, false, {}};
  if (const std::optional<NodeKey> node = node_for(it->second, {})) begin(turn, socket_id, socket, *node);
}

void Services::begin(Turn& turn, SocketId id, Socket& socket, const NodeKey& node) {
  mesh::Streams::Out effects;
  const Result<mesh::StreamId> stream = streams_.open(turn.now, node, socket.service, effects);
  if (!stream.ok()) {
    tell_problem(turn, socket, stream.error().message);
    return close(turn, id);
  }
  socket.stream = *stream;
  socket.peer = node;
  socket.wait_until = Instant::never();
  socket_of_[*stream] = id;
  route(turn, effects);
}

void Services::begin_waiting(Turn& turn, RequestId proxy) {
  if (!node_for(proxies_.at(proxy), {})) return;
  std::vector<SocketId> waiting;
  for (const auto& [id, socket] : sockets_) {
    if (socket.proxy == proxy && socket.stream == 0) waiting.push_back(id);
  }
  for (const SocketId id : waiting) {
    if (!sockets_.contains(id)) continue;
    if (const std::optional<NodeKey> node = node_for(proxies_.at(proxy), {})) begin(turn, id, sockets_.at(id), *node);
  }
}

Status Services::proven(Turn& turn, const Socket& socket, ByteView proof) const {
  const auto set = TRY(object::open_object<object::IngressSet>(proof, core_.authority.verifier()));
  if (set.signer != socket.service || set.body.service != socket.service) return fail(Errc::kUnauthorized, "it shows another service's signature");
  if (set.body.expires <= turn.now.unix_seconds()) return fail(Errc::kExpired, "what the service signed for it has expired");
  const bool named = std::any_of(set.body.endpoints.begin(), set.body.endpoints.end(), [&](const object::IngressEndpoint& each) { return each.key == socket.peer; });
  return named ? ok() : Status(fail(Errc::kUnauthorized, "the service did not name this node"));
}

void Services::on_accepted(Turn& turn, const mesh::StreamAccepted& accepted) {
  const auto it = socket_of_.find(accepted.stream);
  if (it == socket_of_.end()) return;
  const SocketId id = it->second;
  Socket& socket = sockets_.at(id);
  const Status shown = proven(turn, socket, accepted.proof);
  if (!shown.ok()) {
    tell_problem(turn, socket, "node " + socket.peer.brief() + " is not what it was taken for: " + shown.error().message);
    if (const auto proxy = proxies_.find(socket.proxy); proxy != proxies_.end()) proxy->second.nodes.erase(socket.peer);
    mesh::Streams::Out effects;
    streams_.refuse(accepted.stream, fail(Errc::kUnauthorized, shown.error().message), effects);
    close(turn, id);
    return route(turn, effects);
  }
  socket.open = true;
  turn.out.push(PauseSocket{id, false});  // from now on the client is read from
}

void Services::withdrawn(Turn& turn, RequestId id) {
  if (proxies_.erase(id) == 0) return;
  turn.out.push(CloseLocal{id});
  std::vector<SocketId> open;
  for (const auto& [socket_id, socket] : sockets_) {
    if (socket.proxy == id) open.push_back(socket_id);
  }
  mesh::Streams::Out effects;
  for (const SocketId each : open) {
    streams_.refuse(sockets_.at(each).stream, fail(Errc::kCancelled, "the client went away"), effects);
    close(turn, each);
  }
  route(turn, effects);
}

// ---- between sockets and streams

void Services::on_socket_connected(Turn& turn, SocketId id, const Status& status) {
  const auto it = sockets_.find(id);
  if (it == sockets_.end()) return;
  Socket& socket = it->second;
  const auto counted = exposed_.find(socket.service);
  mesh::Streams::Out effects;
  Status ready = counted == exposed_.end() ? Status(fail(Errc::kNotFound, "this node has no such service")) : status;
  Result<Bytes> proof = ready.ok() ? proof_of(turn, socket.service, counted->second) : Result<Bytes>(ready.error());
  if (proof.ok()) {
    socket.open = true;
    streams_.accept(socket.stream, std::move(proof).value(), effects);
    turn.out.push(PauseSocket{id, false});
  } else {
    const mesh::StreamId stream = socket.stream;
    core_.trace(turn, "a service could not be connected: " + proof.error().message);
    streams_.refuse(stream, fail(Errc::kUnavailable, "what stands behind the service does not answer"), effects);
    close(turn, id);
  }
  route(turn, effects);
}

void Services::on_socket_read(Turn& turn, SocketId id, Bytes bytes) {
  const auto it = sockets_.find(id);
  if (it == sockets_.end() || it->second.stream == 0) return;
  if (const auto counted = exposed_.find(it->second.service); it->second.proxy == 0 && counted != exposed_.end()) counted->second.out += bytes.size();
  mesh::Streams::Out effects;
  streams_.write(it->second.stream, std::move(bytes), effects);
  route(turn, effects);
}

void Services::on_socket_end(Turn& turn, SocketId id) {
  const auto it = sockets_.find(id);
  if (it == sockets_.end() || it->second.stream == 0) return;
  mesh::Streams::Out effects;
  streams_.finish(it->second.stream, effects);
  route(turn, effects);
}

void Services::on_socket_written(Turn& turn, SocketId id, size_t bytes) {
  const auto it = sockets_.find(id);
  if (it == sockets_.end() || it->second.stream == 0) return;
  mesh::Streams::Out effects;
  streams_.consumed(it->second.stream, bytes, effects);
  route(turn, effects);
}

void Services::on_socket_closed(Turn& turn, SocketId id) {
  const auto it = sockets_.find(id);
  if (it == sockets_.end()) return;
  mesh::Streams::Out effects;
  if (it->second.stream != 0) streams_.refuse(it->second.stream, fail(Errc::kCancelled, "the connection behind it was closed"), effects);
  close(turn, id);
  route(turn, effects);
}

void Services::tell_problem(Turn& turn, const Socket& socket, const std::string& why) {
  core_.trace(turn, "a connection to a service ended: " + why);
  const auto proxy = proxies_.find(socket.proxy);
  if (proxy != proxies_.end()) turn.out.push(Progress{socket.proxy, codec::to_json_text(ProxyAnswer{proxy->second.listening, why})});
}

void Services::pace(Turn& turn, SocketId id, Socket& socket, size_t waiting) {
  const bool pause = waiting > kSocketAhead;
  if (pause == socket.paused) return;
  socket.paused = pause;
  turn.out.push(PauseSocket{id, pause});
}

void Services::close(Turn& turn, SocketId id, How how) {
  const auto it = sockets_.find(id);
  if (it == sockets_.end()) return;
  const auto counted = exposed_.find(it->second.service);
  if (it->second.proxy == 0 && counted != exposed_.end() && counted->second.connections > 0) --counted->second.connections;
  socket_of_.erase(it->second.stream);
  sockets_.erase(it);
  turn.out.push(CloseSocket{id, how == How::kReset});
}

void Services::route(Turn& turn, mesh::Streams::Out& effects) {
  for (mesh::StreamEffect& effect : effects.take()) {
    if (auto* send = std::get_if<mesh::SendToPeer>(&effect)) {
      core_.send(turn, send->peer, std::move(send->message));
      continue;
    }
    if (const auto* asked = std::get_if<mesh::StreamAsked>(&effect)) {
      on_asked(turn, *asked);
      continue;
    }
    if (const auto* accepted = std::get_if<mesh::StreamAccepted>(&effect)) {
      on_accepted(turn, *accepted);
      continue;
    }
    const mesh::StreamId stream = std::visit([](const auto& each) -> mesh::StreamId {
      if constexpr (requires { each.stream; }) return each.stream;
      else return 0;
    }, effect);
    const auto it = socket_of_.find(stream);
    if (it == socket_of_.end()) continue;
    const SocketId id = it->second;
    if (auto* bytes = std::get_if<mesh::StreamBytes>(&effect)) {
      const Socket& socket = sockets_.at(id);
      if (const auto counted = exposed_.find(socket.service); socket.proxy == 0 && counted != exposed_.end()) counted->second.in += bytes->bytes.size();
      turn.out.push(WriteSocket{id, std::move(bytes->bytes)});
    } else if (std::holds_alternative<mesh::StreamFinished>(effect)) {
      turn.out.push(EndSocket{id});
    } else if (const auto* room = std::get_if<mesh::StreamRoom>(&effect)) {
      pace(turn, id, sockets_.at(id), room->waiting);
    } else if (const auto* over = std::get_if<mesh::StreamOver>(&effect)) {
      if (try_another(turn, id)) continue;
      const bool ended = over->why.code == Errc::kCancelled;
      if (!ended) tell_problem(turn, sockets_.at(id), over->why.message);
      close(turn, id, ended ? How::kFlush : How::kReset);  // whoever reads must be able to tell a whole answer from half of one
    }
  }
}

// A node that refused, or went away before it was spoken to, was not sent a byte: another may be.
bool Services::try_another(Turn& turn, SocketId id) {
  Socket& socket = sockets_.at(id);
  const auto proxy = proxies_.find(socket.proxy);
  if (proxy == proxies_.end() || socket.open) return false;
  socket.tried.insert(socket.peer);
  const std::optional<NodeKey> node = node_for(proxy->second, socket.tried);
  if (!node) return false;
  socket_of_.erase(socket.stream);
  socket.stream = 0;
  begin(turn, id, socket, *node);
  return true;
}

void Services::on_message(Turn& turn, const NodeKey& from, mesh::StreamMessages::Message message) {
  mesh::Streams::Out effects;
  streams_.on_message(turn.now, from, std::move(message), effects);
  route(turn, effects);
}

void Services::on_peer_up(Turn& turn, const NodeKey& peer) {
  std::vector<RequestId> ready;
  for (const auto& [id, proxy] : proxies_) {
    if (proxy.nodes.contains(peer)) ready.push_back(id);
  }
  for (const RequestId id : ready) begin_waiting(turn, id);
}

void Services::on_deployed(Turn& turn) {
  std::set<RequestId> waiting;
  for (const auto& [id, socket] : sockets_) {
    if (socket.proxy != 0 && socket.stream == 0) waiting.insert(socket.proxy);
  }
  for (const RequestId id : waiting) {
    if (proxies_.contains(id)) begin_waiting(turn, id);
  }
}

void Services::on_peer_down(Turn& turn, const NodeKey& peer) {
  mesh::Streams::Out effects;
  streams_.on_peer_down(peer, effects);
  route(turn, effects);
}

void Services::on_deadline(Turn& turn) {
  mesh::Streams::Out effects;
  streams_.on_deadline(turn.now, effects);
  route(turn, effects);
  std::vector<SocketId> late;
  for (const auto& [id, socket] : sockets_) {
    if (socket.wait_until <= turn.now) late.push_back(id);
  }
  for (const SocketId id : late) {
    tell_problem(turn, sockets_.at(id), "no node that has the service could be reached (selvedge peer list says why)");
    close(turn, id);
  }
  std::vector<RequestId> stale;
  for (const auto& [id, proxy] : proxies_) {
    if (proxy.resolve_at <= turn.now) stale.push_back(id);
  }
  for (const RequestId id : stale) resolve_providers(turn, id);
}

Instant Services::next_deadline() const {
  Instant soonest = streams_.next_deadline();
  for (const auto& [id, socket] : sockets_) soonest = std::min(soonest, socket.wait_until);
  for (const auto& [id, proxy] : proxies_) soonest = std::min(soonest, proxy.resolve_at);
  return soonest;
}

}  // namespace selvedge::node
