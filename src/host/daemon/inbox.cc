#include "host/daemon/inbox.h"

#include "node/priority.h"

namespace selvedge::host {

Inbox::Inbox(Loop& loop, Events events)
    : loop_(loop), events_(std::move(events)), timer_(loop, [this] { go_on(); }), alive_(std::make_shared<Inbox*>(this)) {}

void Inbox::opened(uint64_t link, const PeerKey& peer) {
  links_.emplace(link, peer);
  if (!paused_.contains(peer)) return;
  events_.pause(link, Channel::kControl);
  events_.pause(link, Channel::kBulk);
}

void Inbox::closed(uint64_t link) {
  mesh::Intake::Out out;
  while (std::optional<mesh::Arrival> arrival = intake_.next_of(link, out)) events_.deliver(std::move(*arrival));
  links_.erase(link);
  carry_out(out);
}

void Inbox::message(uint64_t link, Channel channel, Bytes message) {
  const auto peer = links_.find(link);
  if (peer == links_.end()) return;
  mesh::Arrival arrival;
  arrival.link = link;
  arrival.from = peer->second;
  arrival.bulk = channel == Channel::kBulk;
  arrival.priority = arrival.bulk ? node::frame_priority(message) : node::message_priority(message);
  if (arrival.bulk) arrival.zone = node::frame_zone(message);
  arrival.bytes = std::move(message);
  mesh::Intake::Out out;
  intake_.offer(std::move(arrival), out);
  carry_out(out);
  drain();
}

void Inbox::drain() {
  if (draining_) return;  // what the node does about one message may bring the next
  draining_ = true;
  if (!slice_open_) {
    slice_open_ = true;
    slice_ends_ = loop_.now() + kInboxSlice;
    loop_.post([weak = std::weak_ptr(alive_)] {
      if (const auto self = weak.lock()) (*self)->go_on();
    });
  }
  mesh::Intake::Out out;
  for (Instant now = loop_.now(); now < slice_ends_; now = loop_.now()) {
    std::optional<mesh::Arrival> arrival = intake_.next(now, out);
    if (!arrival) break;
    events_.deliver(std::move(*arrival));
  }
  carry_out(out);
  draining_ = false;
  timer_.set(intake_.next_deadline());
}

void Inbox::go_on() {
  slice_open_ = false;
  if (!intake_.empty()) drain();
}

void Inbox::carry_out(mesh::Intake::Out& out) {
  for (mesh::IntakeEffect& effect : out.take()) {
    if (auto* shed = std::get_if<mesh::Shed>(&effect)) {
      if (shed->policy == mesh::DropPolicy::kTellSender) events_.refuse(std::move(shed->arrival));
      continue;
    }
    const auto* pause = std::get_if<mesh::PauseSource>(&effect);
    const PeerKey from = pause != nullptr ? pause->from : std::get<mesh::ResumeSource>(effect).from;
    if (pause != nullptr) paused_.insert(from);
    else paused_.erase(from);
    for (const auto& [link, peer] : links_) {
      if (peer != from) continue;
      for (const Channel channel : {Channel::kControl, Channel::kBulk}) (pause != nullptr ? events_.pause : events_.resume)(link, channel);
    }
  }
}

}  // namespace selvedge::host
