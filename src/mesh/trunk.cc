#include "mesh/trunk.h"

#include <algorithm>

#include "base/bytes.h"

namespace selvedge::mesh {

// ---- joining

void Trunks::on_opened(Instant now, ConnectionId id, const NodeKey& peer, bool as_nobody, const std::string& address, Out& out) {
  const Key key{peer, as_nobody ? id : 0};
  Peering& peering = peerings_[key];
  // By the clock, so that also a node that forgot everything says a later number than before.
  if (peering.connections.empty()) peering.ours = last_incarnation_ = std::max(uint64_t(now.ns), last_incarnation_ + 1);
  peering.connections.insert(id);
  Connection& connection = connections_[id];
  connection.key = key;
  connection.address = address;
  connection.relayed = address == "circuit";
  connection.join_by = now + kJoinTimeout;
  give(id, false, TrunkMessages::encode(Join{peering.ours}), out);
}

void Trunks::on_join(ConnectionId id, Connection& connection, const Join& join, Out& out) {
  Peering& peering = peerings_.at(connection.key);
  if (connection.link != 0) return close_connection(id, "a second join on one connection", out);
  if (peering.link != 0 && join.incarnation < peering.theirs) return close_connection(id, "the connection belongs to a link that is over", out);
  if (peering.link != 0 && join.incarnation > peering.theirs) end(peering.link, fail(Errc::kUnavailable, "the peer began anew"), Others::kKeep, out);
  const bool fresh = peering.link == 0;
  if (fresh) {
    peering.theirs = join.incarnation;
    peering.link = ++last_link_;
    trunks_[peering.link].key = connection.key;
  }
  const LinkId link = peering.link;
  Trunk& trunk = trunks_.at(link);
  if (trunk.connections.size() >= kConnectionsPerLinkMax) return close_connection(id, "there are ways enough", out);
  connection.link = link;
  trunk.connections.push_back(id);
  out.push(Joined{id, link});
  if (fresh) {
    trunk.lead = id;
    connection.led_from = connection.given;
    out.push(LinkOpened{link, connection.key.peer, connection.key.alone != 0});
  } else if (connections_.at(trunk.lead).relayed && !connection.relayed) {
    lead_by(link, trunk, id, out);
  }
  tell_ways(link, trunk, out);
  pump(trunk, out);
}

void Trunks::tell_ways(LinkId link, const Trunk& trunk, Out& out) {
  LinkWays ways{link, {connections_.at(trunk.lead).address}};
  for (const ConnectionId each : trunk.connections) {
    if (each != trunk.lead) ways.addresses.push_back(connections_.at(each).address);
  }
  out.push(std::move(ways));
}

// ---- messages

void Trunks::give(ConnectionId id, bool bulk, Bytes message, Out& out) {
  if (!bulk) ++connections_.at(id).given;
  out.push(SendOnConnection{id, bulk, std::move(message)});
}

void Trunks::lead_by(LinkId link, Trunk& trunk, ConnectionId id, Out& out) {
  Connection& connection = connections_.at(id);
  trunk.lead = id;
  give(id, false, TrunkMessages::encode(Lead{trunk.oldest}), out);
  connection.led_from = connection.given;
  connection.led_first = trunk.oldest;
  for (const Bytes& message : trunk.kept) give(id, false, message, out);
  tell_ways(link, trunk, out);
}

void Trunks::on_message(Instant now, ConnectionId id, bool bulk, Bytes message, Out& out) {
  const auto it = connections_.find(id);
  if (it == connections_.end() || message.empty()) return;
  Connection& connection = it->second;
  if (!bulk && TrunkMessages::knows(message[0])) {
    const Result<TrunkMessages::Message> parsed = TrunkMessages::decode(message);
    if (!parsed.ok()) return close_connection(id, parsed.error().message, out);
    if (const auto* join = std::get_if<Join>(&*parsed)) return on_join(id, connection, *join, out);
    return on_lead(id, connection, std::get<Lead>(*parsed), out);
  }
  if (connection.link == 0) return close_connection(id, "the peer spoke before it joined", out);
  if (bulk) on_frame(now, connection, std::move(message), out);
  else on_numbered(connection, std::move(message), out);
}

void Trunks::on_lead(ConnectionId id, Connection& connection, const Lead& lead, Out& out) {
  if (connection.link == 0) return close_connection(id, "the peer spoke before it joined", out);
  connection.next = lead.first;
}

void Trunks::on_numbered(Connection& connection, Bytes message, Out& out) {
  Trunk& trunk = trunks_.at(connection.link);
  const uint64_t number = connection.next++;
  if (number < trunk.received) return;
  if (number > trunk.received) return end(connection.link, fail(Errc::kUnavailable, "messages of the peer were lost"), Others::kClose, out);
  ++trunk.received;
  out.push(LinkReceived{connection.link, false, std::move(message)});
}

// ---- frames

void Trunks::on_frame(Instant now, Connection& connection, Bytes frame, Out& out) {
  if (frame.size() <= kFrameNumberBytes) return;
  const LinkId link = connection.link;
  Trunk& trunk = trunks_.at(link);
  const size_t size = frame.size() - kFrameNumberBytes;
  const uint64_t number = load_u64(frame.data() + size);
  if (number < trunk.frames_below || !trunk.frames_ahead.insert(number).second) return;
  if (trunk.frames_ahead.size() > kFramesAheadMax) trunk.frames_below = *trunk.frames_ahead.begin();
  while (!trunk.frames_ahead.empty() && *trunk.frames_ahead.begin() == trunk.frames_below) {
    trunk.frames_ahead.erase(trunk.frames_ahead.begin());
    ++trunk.frames_below;
  }
  frame.resize(size);
  out.push(LinkReceived{link, true, std::move(frame)});
  moved(now, link, trunk, size, out);
}

void Trunks::moved(Instant now, LinkId link, Trunk& trunk, size_t bytes, Out& out) {
  trunk.moved += bytes;
  if (trunk.moved < kBusyBytes || now - trunk.told_busy < kBusyEvery || trunk.connections.size() >= kConnectionsPerLinkMax) return;
  trunk.told_busy = now;
  out.push(LinkBusy{link});
}

ConnectionId Trunks::roomiest(const Trunk& trunk) const {
  const bool direct = std::any_of(trunk.connections.begin(), trunk.connections.end(), [&](ConnectionId id) { return !connections_.at(id).relayed; });
  ConnectionId best = 0;
  for (const ConnectionId id : trunk.connections) {
    const Connection& each = connections_.at(id);
    if (each.under_way >= each.window || (direct && each.relayed)) continue;
    const Connection* than = best == 0 ? nullptr : &connections_.at(best);
    if (than == nullptr || each.under_way * than->window < than->under_way * each.window) best = id;
  }
  return best;
}

void Trunks::pump(Trunk& trunk, Out& out) {
  while (!trunk.queue.empty()) {
    const ConnectionId id = roomiest(trunk);
    if (id == 0) return;
    Connection& connection = connections_.at(id);
    Bytes frame = std::move(trunk.queue.front());
    trunk.queue.pop_front();
    trunk.queued -= frame.size();
    connection.under_way += frame.size();
    connection.frames.push_back({frame.size(), trunk.connections.size() > 1 ? frame : Bytes{}});
    give(id, true, std::move(frame), out);
  }
}

// ---- from the node

Status Trunks::send(Instant now, LinkId link, bool bulk, Bytes message, Out& out) {
  const auto it = trunks_.find(link);
  if (it == trunks_.end()) return fail(Errc::kNotFound, "the link is gone");
  Trunk& trunk = it->second;
  if ((bulk ? trunk.queued : trunk.kept_bytes) + message.size() > kTrunkQueueBytesMax) return fail(Errc::kLimit, "the peer does not keep up");
  if (!bulk) {
    trunk.kept_bytes += message.size();
    trunk.kept.push_back(message);
    give(trunk.lead, false, std::move(message), out);
    return ok();
  }
  const size_t bytes = message.size();
  message.resize(bytes + kFrameNumberBytes);
  store_u64(message.data() + bytes, trunk.frames_sent++);
  trunk.queued += message.size();
  trunk.queue.push_back(std::move(message));
  pump(trunk, out);
  moved(now, link, trunk, bytes, out);
  return ok();
}

void Trunks::close(LinkId link, const std::string& reason, Out& out) {
  if (trunks_.contains(link)) end(link, fail(Errc::kCancelled, "closed by this node: " + reason), Others::kClose, out);
}

void Trunks::on_delivered(ConnectionId id, bool bulk, uint64_t messages, uint64_t window, Out& out) {
  const auto it = connections_.find(id);
  if (it == connections_.end() || it->second.link == 0) return;
  Connection& connection = it->second;
  Trunk& trunk = trunks_.at(connection.link);
  if (!bulk) {
    if (messages <= connection.led_from) return;
    const uint64_t arrived = connection.led_first + (messages - connection.led_from);
    for (; trunk.oldest < arrived && !trunk.kept.empty(); ++trunk.oldest) {
      trunk.kept_bytes -= trunk.kept.front().size();
      trunk.kept.pop_front();
    }
    return;
  }
  connection.window = std::clamp(2 * std::min(window, kTrunkWindowMax), kTrunkWindowMin, kTrunkWindowMax);
  for (; connection.frames_arrived < messages && !connection.frames.empty(); ++connection.frames_arrived) {
    connection.under_way -= connection.frames.front().bytes;
    connection.frames.pop_front();
  }
  pump(trunk, out);
}

// ---- the end of connections and links

void Trunks::on_stalled(ConnectionId id, Out& out) {
  const auto it = connections_.find(id);
  if (it == connections_.end() || it->second.link == 0 || trunks_.at(it->second.link).connections.size() < 2) return;
  out.push(CloseConnection{id, "nothing is heard over it"});
  drop(id, fail(Errc::kTimeout, "nothing was heard over it"), out);
}

void Trunks::on_closed(ConnectionId id, const Error& why, Out& out) {
  if (connections_.contains(id)) drop(id, why, out);
}

void Trunks::close_connection(ConnectionId id, const std::string& reason, Out& out) {
  out.push(CloseConnection{id, reason});
  drop(id, fail(Errc::kInvalid, reason), out);
}

void Trunks::forget(ConnectionId id) {
  const auto it = connections_.find(id);
  const auto peering = peerings_.find(it->second.key);
  peering->second.connections.erase(id);
  if (peering->second.connections.empty()) peerings_.erase(peering);
  connections_.erase(it);
}

void Trunks::drop(ConnectionId id, const Error& why, Out& out) {
  Connection gone = connections_.at(id);
  if (gone.link == 0) return forget(id);
  Trunk& trunk = trunks_.at(gone.link);
  const bool lost = std::any_of(gone.frames.begin(), gone.frames.end(), [](const Frame& each) { return each.copy.empty(); });
  if (trunk.connections.size() == 1 || lost) return end(gone.link, why, Others::kClose, out);
  std::erase(trunk.connections, id);
  forget(id);
  // In the order in which they were sent, before what waits.
  for (auto frame = gone.frames.rbegin(); frame != gone.frames.rend(); ++frame) {
    trunk.queued += frame->bytes;
    trunk.queue.push_front(std::move(frame->copy));
  }
  if (trunk.lead == id) {
    const auto direct = std::find_if(trunk.connections.begin(), trunk.connections.end(), [&](ConnectionId each) { return !connections_.at(each).relayed; });
    lead_by(gone.link, trunk, direct == trunk.connections.end() ? trunk.connections.front() : *direct, out);
  } else {
    tell_ways(gone.link, trunk, out);
  }
  pump(trunk, out);
}

void Trunks::end(LinkId link, const Error& why, Others others, Out& out) {
  Trunk trunk = std::move(trunks_.at(link));
  trunks_.erase(link);
  Peering& peering = peerings_.at(trunk.key);
  peering.link = 0;
  std::vector<ConnectionId> closing = trunk.connections;
  // The peer may have taken them for more of the link that is over.
  if (others == Others::kClose) closing.assign(peering.connections.begin(), peering.connections.end());
  for (const ConnectionId id : closing) {
    out.push(CloseConnection{id, why.message});
    forget(id);
  }
  out.push(LinkClosed{link, why});
}

void Trunks::on_deadline(Instant now, Out& out) {
  std::vector<ConnectionId> late;
  for (const auto& [id, connection] : connections_) {
    if (connection.link == 0 && connection.join_by <= now) late.push_back(id);
  }
  for (const ConnectionId id : late) close_connection(id, "it did not join in time", out);
}

Instant Trunks::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, connection] : connections_) {
    if (connection.link == 0) soonest = std::min(soonest, connection.join_by);
  }
  return soonest;
}

}  // namespace selvedge::mesh
