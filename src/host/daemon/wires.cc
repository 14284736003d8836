#include "host/daemon/wires.h"

namespace selvedge::host {

Wires::Wires(Loop& loop, Events events)
    : loop_(loop), events_(std::move(events)), timer_(loop, [this] {
        mesh::Trunks::Out out;
        trunks_.on_deadline(loop_.now(), out);
        carry_out(out);
        tell();
      }),
      alive_(std::make_shared<Wires*>(this)) {}

Result<std::unique_ptr<Wires>> Wires::create(Loop& loop, QuicConfig config, Events events) {
  std::unique_ptr<Wires> wires(new Wires(loop, std::move(events)));
  wires->quic_ = TRY(QuicEndpoint::create(loop, std::move(config), wires->quic_events()));
  return wires;
}

Status Wires::open_door(WebDoorOptions options) {
  WebDoor::Events events;
  events.opened = [this](uint64_t id, const PeerKey& peer, std::string address) {
    feed([&](mesh::Trunks::Out& out) { trunks_.on_opened(loop_.now(), id, peer, false, address, out); });
  };
  events.message = [this](uint64_t id, Channel channel, Bytes message) {
    feed([&](mesh::Trunks::Out& out) { trunks_.on_message(loop_.now(), id, channel == Channel::kBulk, std::move(message), out); });
  };
  events.delivered = [this](uint64_t id, Channel channel, uint64_t messages, uint64_t window) {
    feed([&](mesh::Trunks::Out& out) { trunks_.on_delivered(id, channel == Channel::kBulk, messages, window, out); });
  };
  events.closed = [this](uint64_t id, Error why) { on_connection_closed(id, why); };
  door_ = TRY(WebDoor::listen(loop_, std::move(options), std::move(events)));
  return ok();
}

void Wires::on_connection_closed(uint64_t id, const Error& why) {
  if (const auto link = link_of_.find(id); link != link_of_.end()) {
    if (const auto at = links_.find(link->second); at != links_.end()) at->second.connections.erase(id);
    link_of_.erase(link);
  }
  feed([&](mesh::Trunks::Out& out) { trunks_.on_closed(id, why, out); });
}

QuicEndpoint::Events Wires::quic_events() {
  QuicEndpoint::Events events;
  events.opened = [this](uint64_t id, const PeerKey& peer, bool, std::string address) {
    const auto dialled = dialled_.find(id);
    const bool nobody = dialled != dialled_.end() && dialled->second.as == DialAs::kNobody;
    feed([&](mesh::Trunks::Out& out) { trunks_.on_opened(loop_.now(), id, peer, nobody, address, out); });
  };
  events.message = [this](uint64_t id, Channel channel, Bytes message) {
    feed([&](mesh::Trunks::Out& out) { trunks_.on_message(loop_.now(), id, channel == Channel::kBulk, std::move(message), out); });
  };
  events.delivered = [this](uint64_t id, Channel channel, uint64_t messages, uint64_t window) {
    feed([&](mesh::Trunks::Out& out) { trunks_.on_delivered(id, channel == Channel::kBulk, messages, window, out); });
  };
  events.stalled = [this](uint64_t id) { feed([&](mesh::Trunks::Out& out) { trunks_.on_stalled(id, out); }); };
  events.closed = [this](uint64_t id, Error why) {
    on_connection_closed(id, why);
    const auto dialled = dialled_.find(id);
    if (dialled == dialled_.end()) return;
    const Dialled to = std::move(dialled->second);
    dialled_.erase(dialled);
    events_.dial_failed(to.peer, to.as, std::move(why));
  };
  events.other_answered = [this](uint64_t id, const PeerKey& shown) {
    const auto dialled = dialled_.find(id);
    if (dialled == dialled_.end() || dialled->second.as == DialAs::kNobody) return;
    const Dialled to = dialled->second;
    events_.other_answered(to.peer, to.address, shown);
  };
  events.circuit = [this](uint64_t circuit, size_t segment, Bytes packets) { events_.circuit(circuit, segment, std::move(packets)); };
  return events;
}

void Wires::dial(const PeerKey& peer, const std::string& address, DialAs as) {
  const uint64_t id = quic_->dial(peer, address, as);
  dialled_.emplace(id, Dialled{peer, address, as});
}

void Wires::send(uint64_t link, Channel channel, Bytes message) {
  mesh::Trunks::Out out;
  const Status sent = trunks_.send(loop_.now(), link, channel == Channel::kBulk, std::move(message), out);
  // A link that is gone is reported by `closed`.
  if (!sent.ok() && sent.code() == Errc::kLimit) {
    events_.trace("closing a link that cannot take more: " + sent.error().message);
    trunks_.close(link, sent.error().message, out);
  }
  carry_out(out);
  tell_later();
}

void Wires::close(uint64_t link, const std::string& reason) {
  mesh::Trunks::Out out;
  trunks_.close(link, reason, out);
  carry_out(out);
  tell_later();
}

void Wires::pause(uint64_t link, Channel channel) {
  const auto it = links_.find(link);
  if (it == links_.end()) return;
  it->second.paused[size_t(channel)] = true;
  for (const uint64_t id : it->second.connections) set_paused(id, channel, true);
}

void Wires::resume(uint64_t link, Channel channel) {
  const auto it = links_.find(link);
  if (it == links_.end()) return;
  it->second.paused[size_t(channel)] = false;
  for (const uint64_t id : it->second.connections) set_paused(id, channel, false);
}

void Wires::set_paused(uint64_t connection, Channel channel, bool paused) {
  at(connection, [&](auto& transport) { paused ? transport.pause(connection, channel) : transport.resume(connection, channel); });
}

void Wires::close_all(const std::string& reason) {
  quic_->close_all(reason);
  if (door_) door_->close_all(reason);
}

void Wires::perform(mesh::SendOnConnection& effect) {
  const Status sent = at(effect.connection, [&](auto& transport) {
    return transport.send(effect.connection, effect.bulk ? Channel::kBulk : Channel::kControl, std::move(effect.message));
  });
  if (sent.ok() || sent.code() == Errc::kNotFound) return;  // a connection that is gone is reported by `closed`
  events_.trace("closing a connection that cannot take more: " + sent.error().message);
  at(effect.connection, [&](auto& transport) { transport.close(effect.connection, "the peer does not keep up"); });
}

void Wires::carry_out(mesh::Trunks::Out& out) {
  for (mesh::TrunkEffect& effect : out.take()) {
    if (auto* send = std::get_if<mesh::SendOnConnection>(&effect)) {
      perform(*send);
    } else if (const auto* close = std::get_if<mesh::CloseConnection>(&effect)) {
      at(close->connection, [&](auto& transport) { transport.close(close->connection, close->reason); });
    } else if (const auto* joined = std::get_if<mesh::Joined>(&effect)) {
      dialled_.erase(joined->connection);
      link_of_[joined->connection] = joined->link;
      Link& link = links_[joined->link];
      link.connections.insert(joined->connection);
      for (size_t channel = 0; channel < kChannels; ++channel) {
        if (link.paused[channel]) set_paused(joined->connection, Channel(channel), true);
      }
    } else {
      untold_.push_back(std::move(effect));
    }
  }
  set_timer();
}

void Wires::tell() {
  if (telling_) return;
  telling_ = true;
  while (!untold_.empty()) {
    mesh::TrunkEffect effect = std::move(untold_.front());
    untold_.pop_front();
    tell_one(effect);
  }
  telling_ = false;
}

void Wires::tell_one(mesh::TrunkEffect& effect) {
  if (auto* received = std::get_if<mesh::LinkReceived>(&effect)) {
    events_.message(received->link, received->bulk ? Channel::kBulk : Channel::kControl, std::move(received->message));
  } else if (const auto* opened = std::get_if<mesh::LinkOpened>(&effect)) {
    events_.opened(opened->link, opened->peer, opened->as_nobody);
  } else if (auto* ways = std::get_if<mesh::LinkWays>(&effect)) {
    events_.ways(ways->link, std::move(ways->addresses));
  } else if (const auto* busy = std::get_if<mesh::LinkBusy>(&effect)) {
    events_.busy(busy->link);
  } else if (auto* closed = std::get_if<mesh::LinkClosed>(&effect)) {
    links_.erase(closed->link);
    events_.closed(closed->link, std::move(closed->why));
  }
}

void Wires::tell_later() {
  if (untold_.empty() || posted_) return;
  posted_ = true;
  loop_.post([weak = std::weak_ptr(alive_)] {
    const auto self = weak.lock();
    if (!self) return;
    (*self)->posted_ = false;
    (*self)->tell();
  });
}

}  // namespace selvedge::host
