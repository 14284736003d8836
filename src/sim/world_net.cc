#include <algorithm>

#include "sim/world.h"
#include "work/messages.h"

namespace selvedge::sim {

namespace {
constexpr Duration kDialTimeout = seconds(3);
/// A link whose path is dead for this long is given up by both ends, each on its own.
constexpr Duration kIdleTimeout = seconds(5);
constexpr int64_t kBytesPerMicrosecond = 100;  // 100 MB/s
/// What one end may have under way on one link: the host stops reading from the node above it.
constexpr size_t kHeldMax = 100'000;

Duration draw(Rng& rng, Duration low, Duration high) { return nanoseconds(int64_t(rng.between(uint64_t(low.ns), uint64_t(high.ns)))); }
}  // namespace

std::optional<NodeIndex> World::link_peer(NodeIndex n, node::LinkId id) const {
  auto it = nodes_[n]->links.find(id);
  if (it == nodes_[n]->links.end()) return std::nullopt;
  const Link& link = links_[it->second];
  return link.sides[link.sides[0].id == id ? 1 : 0].node;
}

void World::dial(NodeIndex from, const node::DialPeer& dial) {
  const node::NodeKey peer = dial.peer;
  auto at = by_address_.find(dial.address);
  const auto fail_later = [&](Duration delay, const char* why) {
    later(from, delay, [this, from, peer, why] {
      input(from, "dial failed", peer, [&](node::Node& node, Out& out) { node.on_dial_failed(now_, peer, fail(Errc::kTimeout, why), out); });
    });
  };
  if (at == by_address_.end()) return fail_later(milliseconds(1), "no such address");
  const NodeIndex to = at->second;
  if (key(to) != peer) return fail_later(milliseconds(20), "somebody else answered there");
  if (!up(to) || blocked(from, to) || blocked(to, from)) return fail_later(kDialTimeout, "no answer");
  const Duration round_trip = draw(net_rng_, weather.latency_min, weather.latency_max) * 2;
  later(from, round_trip, [this, from, to, peer] {
    if (up(to) && !blocked(from, to) && !blocked(to, from)) return open_link(from, to);
    input(from, "dial failed", peer, [&](node::Node& node, Out& out) { node.on_dial_failed(now_, peer, fail(Errc::kTimeout, "no answer"), out); });
  });
}

void World::open_link(NodeIndex from, NodeIndex to) {
  const size_t index = links_.size();
  Link link;
  link.sides[0] = {from, nodes_[from]->life, ++last_link_id_, true};
  link.sides[1] = {to, nodes_[to]->life, ++last_link_id_, true};
  const Side sides[2] = {link.sides[0], link.sides[1]};
  links_.push_back(std::move(link));
  for (const Side& side : sides) nodes_[side.node]->links[side.id] = index;
  for (int i = 0; i < 2; ++i) {
    const Side& side = sides[i];
    const node::NodeKey peer = key(sides[1 - i].node);
    if (!up(side.node) || nodes_[side.node]->life != side.life) continue;  // crashed on the other's first message
    input(side.node, "link", peer, [&](node::Node& node, Out& out) { node.on_link_opened(now_, side.id, peer, out); });
  }
}

void World::send(NodeIndex n, node::LinkId id, Channel channel, Bytes bytes) {
  auto it = nodes_[n]->links.find(id);
  if (it == nodes_[n]->links.end()) return;  // closed while the node was thinking
  const size_t index = it->second;
  const int side = links_[index].sides[0].id == id ? 0 : 1;
  if (net_rng_.chance(weather.link_break_permille, 1000)) {
    const NodeIndex other = links_[index].sides[1 - side].node;
    after(milliseconds(1), [this, n, other] { break_links(n, other); });
  }
  if (blocked(n, links_[index].sides[1 - side].node)) {
    std::vector<Held>& held = links_[index].held[side];
    if (held.size() < kHeldMax) held.push_back({channel, std::move(bytes)});
    else violate(name(n) + ": sends without end into a link that takes nothing");
    return;
  }
  transmit(index, side, channel, std::move(bytes));
}

void World::transmit(size_t index, int side, Channel channel, Bytes bytes) {
  Duration delay = draw(net_rng_, weather.latency_min, weather.latency_max) + microseconds(int64_t(bytes.size()) / kBytesPerMicrosecond);
  if (net_rng_.chance(weather.retransmit_permille, 1000)) delay = delay + draw(net_rng_, weather.retransmit_min, weather.retransmit_max);
  Instant arrival = now_ + delay;
  if (channel == Channel::kControl) {
    // Never before what was said earlier; frames come by several ways, in any order.
    Instant& last = links_[index].last_arrival[side];
    last = arrival = std::max(arrival, last);
  }
  auto shared = std::make_shared<const Bytes>(std::move(bytes));
  after(arrival - now_, [this, index, side, channel, shared] { arrive(index, 1 - side, channel, *shared); });
}

void World::arrive(size_t index, int side, Channel channel, const Bytes& bytes) {
  const Side to = links_[index].sides[side];
  const NodeIndex from = links_[index].sides[1 - side].node;
  if (!to.open || !up(to.node) || nodes_[to.node]->life != to.life) return;
  if (blocked(from, to.node)) {
    links_[index].held[1 - side].push_back({channel, bytes});
    return;
  }
  for (Observer* observer : observers_) observer->delivered(to.node, from, channel, bytes);
  input(to.node, channel == Channel::kBulk ? "frame" : "message", bytes, [&](node::Node& node, Out& out) {
    if (channel == Channel::kBulk) node.on_symbols(now_, to.id, bytes, out);
    else node.on_message(now_, to.id, bytes, out);
  });
}

void World::inject(NodeIndex to, NodeIndex as_from, Bytes message) {
  for (const auto& [id, index] : nodes_[to]->links) {
    const Link& link = links_[index];
    const int side = link.sides[0].id == id ? 0 : 1;
    if (link.sides[1 - side].node == as_from) return arrive(index, side, Channel::kControl, message);
  }
}

void World::close_side(size_t index, int side, const Error& why) {
  const Side to = links_[index].sides[side];
  if (!to.open) return;
  links_[index].sides[side].open = false;
  if (!up(to.node) || nodes_[to.node]->life != to.life) return;
  nodes_[to.node]->links.erase(to.id);
  input(to.node, "link closed", view(why.message), [&](node::Node& node, Out& out) { node.on_link_closed(now_, to.id, why, out); });
}

void World::close_link(NodeIndex n, node::LinkId id, const std::string& reason) {
  auto it = nodes_[n]->links.find(id);
  if (it == nodes_[n]->links.end()) return;
  const size_t index = it->second;
  const int side = links_[index].sides[0].id == id ? 0 : 1;
  later(n, {}, [this, index, side, reason] { close_side(index, side, fail(Errc::kCancelled, "closed: " + reason)); });
  const bool lost = blocked(n, links_[index].sides[1 - side].node);
  const Duration heard = lost ? kIdleTimeout : draw(net_rng_, weather.latency_min, weather.latency_max);
  after(heard, [this, index, side, reason] { close_side(index, 1 - side, fail(Errc::kUnavailable, "the peer closed: " + reason)); });
}

// The other ends hear it at once where the kernel answers for the dead process, else when the link has been idle too long.
void World::drop_links_of(NodeIndex n) {
  for (const auto& [id, index] : nodes_[n]->links) {
    const int side = links_[index].sides[0].id == id ? 0 : 1;
    links_[index].sides[side].open = false;
    const Duration heard = net_rng_.chance(1, 2) ? kIdleTimeout : milliseconds(int64_t(net_rng_.between(1, 300)));
    const size_t at = index;
    after(heard, [this, at, side] { close_side(at, 1 - side, fail(Errc::kTimeout, "the peer is gone")); });
  }
  nodes_[n]->links.clear();
}

void World::break_links(NodeIndex a, NodeIndex b) {
  for (size_t i = 0; i < links_.size(); ++i) {
    const Side* sides = links_[i].sides;
    const bool between = (sides[0].node == a && sides[1].node == b) || (sides[0].node == b && sides[1].node == a);
    if (!between || !(sides[0].open || sides[1].open)) continue;
    for (int side = 0; side < 2; ++side) {
      after(milliseconds(int64_t(net_rng_.below(200))), [this, i, side] { close_side(i, side, fail(Errc::kTimeout, "connection lost")); });
    }
  }
}

void World::block(const std::vector<NodeIndex>& from, const std::vector<NodeIndex>& to) {
  const uint64_t serial = ++block_serial_;
  for (NodeIndex a : from) {
    for (NodeIndex b : to) {
      if (a != b) blocks_.insert({{a, b}, serial});
    }
  }
  for (size_t i = 0; i < links_.size(); ++i) {
    const Side* sides = links_[i].sides;
    if (!sides[0].open && !sides[1].open) continue;
    if (!blocked(sides[0].node, sides[1].node) && !blocked(sides[1].node, sides[0].node)) continue;
    after(kIdleTimeout, [this, i, serial] { expire_if_still_blocked(i, serial); });
  }
}

void World::expire_if_still_blocked(size_t index, uint64_t serial) {
  const NodeIndex a = links_[index].sides[0].node, b = links_[index].sides[1].node;
  const auto since = [this](NodeIndex x, NodeIndex y) {
    auto it = blocks_.find({x, y});
    return it == blocks_.end() ? UINT64_MAX : it->second;
  };
  if (std::min(since(a, b), since(b, a)) > serial) return;  // healed meanwhile
  for (int side = 0; side < 2; ++side) close_side(index, side, fail(Errc::kTimeout, "connection lost: nothing was heard for too long"));
}

void World::heal() {
  blocks_.clear();
  for (size_t i = 0; i < links_.size(); ++i) {
    for (int side = 0; side < 2; ++side) {
      std::vector<Held> held = std::exchange(links_[i].held[side], {});
      if (!links_[i].sides[side].open) continue;
      for (Held& each : held) transmit(i, side, each.channel, std::move(each.bytes));
    }
  }
}

bool World::distort_effect(NodeIndex n, node::Effect& effect) {
  const Lie lie = nodes_[n]->lie;
  if (lie == Lie::kNone) return true;
  if (auto* symbols = std::get_if<node::SendSymbols>(&effect)) {
    const Result<mesh::FrameView> frame = mesh::parse_frame(symbols->frame);
    if (!frame.ok() || frame->header.kind != mesh::FrameKind::kDeliver) return true;
    if (lie == Lie::kTamperedSymbols) {
      symbols->frame[symbols->frame.size() - mesh::kFrameChecksumBytes - 1 - rng_.below(8)] ^= uint8_t(1u << rng_.below(8));
      mesh::close_frame(symbols->frame);
    }
    return lie != Lie::kSilentHolder;
  }
  auto* message = std::get_if<node::SendMessage>(&effect);
  if (message == nullptr || message->message.empty()) return true;
  if (mesh::packed_type(message->message) != 0) message->message = mesh::unpack_message(message->message).value();
  if (lie == Lie::kSilentHolder) return message->message[0] != mesh::SymbolEnd::kType;
  if (message->message[0] != work::RevealAnswer::kType) return true;
  if (lie == Lie::kNeverReveals) return false;
  if (lie != Lie::kBrokenCommitment) return true;
  // The liar signs with its own key, so that nothing but the commitment gives it away.
  const auto parsed = work::WorkMessages::decode(message->message);
  work::RevealAnswer answer = std::get<work::RevealAnswer>(*parsed);
  object::Reveal reveal = object::open_object<object::Reveal>(answer.reveal, *verifier_).value().body;
  object::Receipt receipt = object::open_object<object::Receipt>(answer.receipt, *verifier_).value().body;
  reveal.fuel += 1;
  receipt.fuel += 1;
  answer.reveal = object::sign_object(*nodes_[n]->signer, reveal).value().bytes;
  answer.receipt = object::sign_object(*nodes_[n]->signer, receipt).value().bytes;
  message->message = work::WorkMessages::encode(answer);
  return true;
}

}  // namespace selvedge::sim
