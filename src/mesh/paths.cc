#include "mesh/paths.h"

#include <algorithm>

namespace selvedge::mesh {

void Paths::on_path(const NodeKey& key, LinkId link, bool relayed, Out& out) {
  Peer& peer = peers_[key];
  links_[link] = Link{key, relayed, kPathWindowMin, 0, 0, {}};
  peer.links.push_back(link);
  pump(peer, out);
}

void Paths::on_link_closed(LinkId id, Out& out) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  Link gone = std::move(it->second);
  links_.erase(it);
  const auto found = peers_.find(gone.peer);
  Peer& peer = found->second;
  std::erase(peer.links, id);
  if (peer.links.empty()) {
    peers_.erase(found);
    return;
  }
  // In the order in which they were sent, before what waits.
  for (auto sent = gone.sent.rbegin(); sent != gone.sent.rend(); ++sent) {
    if (sent->copy.empty()) continue;
    peer.queued += sent->bytes;
    peer.queue.push_front(std::move(sent->copy));
  }
  pump(peer, out);
}

void Paths::on_session_over(const NodeKey& key) {
  const auto it = peers_.find(key);
  if (it == peers_.end()) return;
  Peer& peer = it->second;
  peer.queue.clear();
  peer.queued = peer.moved = 0;
  for (const LinkId link : peer.links) {
    for (Sent& sent : links_.at(link).sent) sent.copy.clear();
  }
}

void Paths::moved(Instant now, const NodeKey& key, Peer& peer, size_t bytes, Out& out) {
  peer.moved += bytes;
  if (peer.moved < kBroadenAfterBytes || now - peer.broadened < kBroadenEvery || peer.links.size() >= kLinksPerPeerMax) return;
  peer.broadened = now;
  out.push(Broaden{key});
}

Status Paths::send(Instant now, const NodeKey& key, Bytes frame, Out& out) {
  const auto it = peers_.find(key);
  if (it == peers_.end()) return fail(Errc::kUnavailable, "not connected");
  Peer& peer = it->second;
  if (peer.queued + frame.size() > kPathQueueBytesMax) return fail(Errc::kLimit, "the peer does not keep up");
  const size_t bytes = frame.size();
  peer.queued += bytes;
  peer.queue.push_back(std::move(frame));
  pump(peer, out);
  moved(now, key, peer, bytes, out);
  return ok();
}

void Paths::on_received(Instant now, const NodeKey& key, size_t bytes, Out& out) {
  const auto it = peers_.find(key);
  if (it != peers_.end()) moved(now, key, it->second, bytes, out);
}

void Paths::on_delivered(LinkId id, uint64_t frames, uint64_t window, Out& out) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  Link& link = it->second;
  link.window = std::clamp(2 * std::min(window, kPathWindowMax), kPathWindowMin, kPathWindowMax);
  for (; link.arrived < frames && !link.sent.empty(); ++link.arrived) {
    link.under_way -= link.sent.front().bytes;
    link.sent.pop_front();
  }
  pump(peers_.at(link.peer), out);
}

Paths::Link* Paths::roomiest(const Peer& peer, LinkId& id) {
  Link* best = nullptr;
  for (const LinkId each : peer.links) {
    Link& link = links_.at(each);
    if (link.under_way >= link.window) continue;
    const auto fuller = [](const Link& a, const Link& b) { return a.under_way * b.window > b.under_way * a.window; };
    if (best == nullptr || (best->relayed && !link.relayed) || (best->relayed == link.relayed && fuller(*best, link))) {
      best = &link;
      id = each;
    }
  }
  const bool direct = std::any_of(peer.links.begin(), peer.links.end(), [&](LinkId each) { return !links_.at(each).relayed; });
  return best != nullptr && best->relayed && direct ? nullptr : best;
}

void Paths::pump(Peer& peer, Out& out) {
  LinkId id = 0;
  while (!peer.queue.empty()) {
    Link* link = roomiest(peer, id);
    if (link == nullptr) return;
    Bytes frame = std::move(peer.queue.front());
    peer.queue.pop_front();
    peer.queued -= frame.size();
    link->under_way += frame.size();
    link->sent.push_back({frame.size(), peer.links.size() > 1 ? frame : Bytes{}});
    out.push(SendBulk{id, std::move(frame)});
  }
}

uint64_t Paths::waiting_bytes(const NodeKey& key) const {
  const auto it = peers_.find(key);
  return it == peers_.end() ? 0 : it->second.queued;
}

}  // namespace selvedge::mesh
