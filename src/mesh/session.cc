#include "mesh/session.h"

#include <algorithm>

namespace selvedge::mesh {

Sessions::Sessions(NodeKey self, Bytes record, const crypto::Verifier& verifier, uint64_t seed)
    : self_(self), verifier_(verifier), rng_(seed) {
  set_record(std::move(record));
}

void Sessions::set_record(Bytes record) {
  hello_ = MeshMessages::encode(Hello{{kProtocolVersion}, uint32_t(kFrameBytesMax), std::move(record), kSymbolsRaptorQ, kCompressions});
}

void Sessions::unwant(const NodeKey& key) {
  auto it = peers_.find(key);
  if (it == peers_.end()) return;
  it->second.wanted_until = Instant{0};
  it->second.redial_at = Instant::never();
}

bool Sessions::make_room(Instant now) {
  if (peers_.size() < kPeersMax) return true;
  const auto idle = std::find_if(peers_.begin(), peers_.end(), [&](const auto& each) {
    const Peer& peer = each.second;
    return peer.links.empty() && peer.links_opening == 0 && !peer.dialling && peer.wanted_until <= now;
  });
  if (idle == peers_.end()) return false;
  peers_.erase(idle);
  return true;
}

Status Sessions::want(Instant now, const NodeKey& key, const std::vector<std::string>& addresses, Instant until, Out& out) {
  if (key == self_) return fail(Errc::kInvalid, "this ticket is this node's own: give it to another node");
  if (!peers_.count(key) && !make_room(now)) return fail(Errc::kLimit, "too many peers are known (" + std::to_string(kPeersMax) + ")");
  Peer& peer = peers_[key];
  for (const std::string& address : addresses) {
    const bool known = std::find(peer.addresses.begin(), peer.addresses.end(), address) != peer.addresses.end();
    if (known) continue;
    if (peer.addresses.size() >= kAddressesPerPeerMax) peer.addresses.erase(peer.addresses.begin());
    peer.addresses.push_back(address);
    peer.next_address = peer.addresses.size() - 1;  // the newest hint is the likeliest to be true
  }
  peer.wanted_until = std::max(peer.wanted_until, until);
  if (peer.links.empty() && !peer.dialling) try_dial(now, key, peer, out);
  return ok();
}

void Sessions::try_dial(Instant, const NodeKey& key, Peer& peer, Out& out) {
  if (peer.addresses.empty()) return;
  peer.dialling = true;
  peer.redial_at = Instant::never();
  const std::string& address = peer.addresses[peer.next_address % peer.addresses.size()];
  out.push(Dial{key, address});
}

void Sessions::schedule_redial(Instant now, Peer& peer) {
  peer.dialling = false;
  if (peer.wanted_until <= now || peer.addresses.empty()) return;
  // Jitter keeps two nodes that lost each other from dialling in step for ever.
  const Duration pause = peer.redial_pause + nanoseconds(int64_t(rng_.below(uint64_t(peer.redial_pause.ns / 4))));
  peer.redial_at = now + pause;
  peer.redial_pause = std::min(peer.redial_pause * 2, kRedialMax);
  ++peer.next_address;
}

void Sessions::probe(const NodeKey& key, const std::string& address, Out& out) {
  const auto it = peers_.find(key);
  if (it != peers_.end() && !it->second.links.empty() && it->second.links.size() < kLinksPerPeerMax) out.push(Dial{key, address});
}

void Sessions::on_link_opened(Instant now, LinkId id, const NodeKey& key, Out& out) {
  if (links_.size() >= kLinksMax || (!peers_.count(key) && !make_room(now))) {
    out.push(CloseLink{id, "too many peers"});
    return;
  }
  peers_[key].dialling = false;
  ++peers_[key].links_opening;
  links_[id] = Link{key, false, now + kHelloTimeout};
  out.push(SendOnLink{id, hello_});
}

void Sessions::on_link_closed(Instant now, LinkId id, const Error& why, Out& out) {
  auto it = links_.find(id);
  if (it == links_.end()) return;
  const NodeKey key = it->second.peer;
  if (it->second.visitor) {
    --visitors_;
    links_.erase(it);
    return;
  }
  Peer& peer = peers_[key];
  if (!it->second.established) --peer.links_opening;
  links_.erase(it);
  const bool was_up = std::erase(peer.links, id) > 0;
  if (!peer.links.empty()) {
    // What was under way on this link is lost, and nothing else tells; so the session begins anew on what is left.
    if (was_up) {
      out.push(PeerDown{key, why});
      out.push(PeerUp{key});
    }
    return;
  }
  peer.last_error = why.message;
  if (was_up) out.push(PeerDown{key, why});
  if (!peer.dialling) schedule_redial(now, peer);
}

void Sessions::on_dial_failed(Instant now, const NodeKey& key, const Error& why, Out&) {
  auto it = peers_.find(key);
  if (it == peers_.end()) return;
  it->second.last_error = why.message;
  it->second.dialling = false;
  if (it->second.links.empty()) schedule_redial(now, it->second);
}

Status Sessions::accept_hello(Instant now, const Link& link, const Hello& hello, Peer& peer) {
  if (link.established) return fail(Errc::kInvalid, "a second hello on one link");
  if (std::find(hello.versions.begin(), hello.versions.end(), kProtocolVersion) == hello.versions.end()) {
    return fail(Errc::kUnsupported, "the peer speaks no protocol version this node speaks (" + std::to_string(kProtocolVersion) + ")");
  }
  if (hello.frame_bytes_max < kFrameBytesMin) return fail(Errc::kUnsupported, "the peer's largest frame is too small");
  if (!(hello.symbol_modes & kSymbolsRaptorQ)) return fail(Errc::kUnsupported, "the peer reads no symbols of the kind that this node makes (RFC 6330)");
  auto record = TRY(object::open_object<object::NodeRecord>(hello.record, verifier_));
  if (record.body.node != link.peer) return fail(Errc::kUnauthorized, "the peer's node record names another node key");
  if (record.signer != record.body.owner) return fail(Errc::kUnauthorized, "the peer's node record is not signed by its owner");
  if (record.body.expires <= now.unix_seconds()) return fail(Errc::kExpired, "the peer's node record has expired");
  if (peer.record && peer.record->body.owner != record.body.owner) {
    return fail(Errc::kUnauthorized, "the peer's node key was bound to another owner before");
  }
  peer.record = std::move(record);
  peer.frame_bytes_max = std::min(hello.frame_bytes_max, uint32_t(kFrameBytesMax));
  peer.compressions = hello.compressions & kCompressions;
  return ok();
}

void Sessions::on_hello(Instant now, LinkId id, const Hello& hello, Out& out) {
  auto it = links_.find(id);
  if (it == links_.end()) return;
  if (hello.record.empty()) return welcome_visitor(id, it->second, hello, out);
  if (it->second.visitor) return out.push(CloseLink{id, "a second hello on one link"});
  Peer& peer = peers_[it->second.peer];
  const Status accepted = accept_hello(now, it->second, hello, peer);
  if (!accepted.ok()) {
    peer.last_error = accepted.error().message;
    out.push(CloseLink{id, accepted.error().message});
    return;
  }
  const NodeKey key = it->second.peer;
  it->second.established = true;
  --peer.links_opening;
  if (peer.links.size() >= kLinksPerPeerMax) out.push(CloseLink{peer.links.front(), "a newer link takes its place"});
  peer.links.push_back(id);
  peer.redial_pause = kRedialMin;
  peer.redial_at = Instant::never();
  peer.last_error.clear();
  // A second link mostly means that the peer started anew and the first is dead without knowing it: begin anew as well.
  if (peer.links.size() > 1) out.push(PeerDown{key, fail(Errc::kUnavailable, "the peer opened a new connection")});
  out.push(PeerUp{key});
}

void Sessions::welcome_visitor(LinkId id, Link& link, const Hello& hello, Out& out) {
  const bool speaks = std::find(hello.versions.begin(), hello.versions.end(), kProtocolVersion) != hello.versions.end();
  if (link.established || !speaks) return out.push(CloseLink{id, link.established ? "a second hello on one link" : "the visitor speaks no protocol version this node speaks"});
  if (visitors_ >= kVisitorsMax) return out.push(CloseLink{id, "too many visitors"});
  link.established = link.visitor = true;
  ++visitors_;
  const auto peer = peers_.find(link.peer);
  --peer->second.links_opening;
  // A key of the moment is not remembered.
  const bool nobody = peer->second.links.empty() && peer->second.links_opening == 0 && !peer->second.record && peer->second.addresses.empty();
  if (nobody) peers_.erase(peer);
}

void Sessions::on_deadline(Instant now, Out& out) {
  for (auto& [id, link] : links_) {
    if (!link.established && link.hello_by <= now) {
      link.hello_by = Instant::never();
      out.push(CloseLink{id, "no hello in time"});
    }
  }
  for (auto& [key, peer] : peers_) {
    if (peer.redial_at > now) continue;
    peer.redial_at = Instant::never();
    if (peer.wanted_until > now && peer.links.empty()) try_dial(now, key, peer, out);
  }
}

Instant Sessions::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, link] : links_) {
    if (!link.established) soonest = std::min(soonest, link.hello_by);
  }
  for (const auto& [key, peer] : peers_) soonest = std::min(soonest, peer.redial_at);
  return soonest;
}

const NodeKey* Sessions::peer_of(LinkId id) const {
  auto it = links_.find(id);
  return it == links_.end() || !it->second.established || it->second.visitor ? nullptr : &it->second.peer;
}

const NodeKey* Sessions::visitor_of(LinkId id) const {
  auto it = links_.find(id);
  return it == links_.end() || !it->second.visitor ? nullptr : &it->second.peer;
}

bool Sessions::up(const NodeKey& key) const {
  const Peer* peer = find(key);
  return peer != nullptr && !peer->links.empty();
}

std::optional<LinkId> Sessions::link_of(const NodeKey& key) const {
  const Peer* peer = find(key);
  if (peer == nullptr || peer->links.empty()) return std::nullopt;
  return peer->links.back();
}

const Peer* Sessions::find(const NodeKey& key) const {
  auto it = peers_.find(key);
  return it == peers_.end() ? nullptr : &it->second;
}

}  // namespace selvedge::mesh
