#include "mesh/relay.h"

#include <algorithm>

namespace selvedge::mesh {

namespace {
constexpr uint8_t kRelayMagic[4] = {'S', 'V', 'R', 'L'};
/// Tokens are kilobytes, so that a rate of gigabits fits into nanoseconds.
constexpr size_t kTokenBytes = 1024;
constexpr Duration kBurst = milliseconds(100);
}  // namespace

bool is_relay_frame(ByteView bytes) { return bytes.size() >= 4 && std::equal(kRelayMagic, kRelayMagic + 4, bytes.begin()); }

Result<RelayFrame> parse_relay_frame(ByteView bytes) {
  if (!is_relay_frame(bytes) || bytes.size() <= kRelayFrameHeaderBytes) return fail(Errc::kInvalid, "no packets of a circuit");
  RelayFrame frame{load_u64(bytes.data() + 4), load_u16(bytes.data() + 12), bytes.subspan(kRelayFrameHeaderBytes)};
  if (frame.segment == 0 || frame.packets.size() > kRelayPacketsMax) return fail(Errc::kInvalid, "packets of a circuit with an impossible size");
  return frame;
}

Bytes make_relay_frame(uint64_t circuit, uint16_t segment, ByteView packets) {
  Bytes out(kRelayFrameHeaderBytes);
  std::copy_n(kRelayMagic, 4, out.begin());
  store_u64(out.data() + 4, circuit);
  store_u16(out.data() + 12, segment);
  append(out, packets);
  return out;
}

TokenBucket Relay::bucket(uint32_t kbps) {
  const int64_t ns_per_token = int64_t(kTokenBytes) * 8 * 1'000'000 / std::max(kbps, 1u);
  return TokenBucket(uint32_t(std::max<int64_t>(kBurst.ns / std::max<int64_t>(ns_per_token, 1), 64)), nanoseconds(std::max<int64_t>(ns_per_token, 1)));
}

Status Relay::add_handle(Instant now, LinkId from, const RelayRegister& message) {
  if (draining_) return fail(Errc::kUnavailable, "this relay is about to stop; use another one");
  if (message.handle.is_zero() || message.seconds == 0 || message.seconds > kRelayHandleSecondsMax) return fail(Errc::kInvalid, "a handle is registered for up to a day");
  const auto known = handles_.find(message.handle);
  if (known != handles_.end() && known->second.link != from && known->second.until > now) return fail(Errc::kExists, "this handle is somebody else's");
  if (known == handles_.end()) {
    const size_t mine = size_t(std::count_if(handles_.begin(), handles_.end(), [&](const auto& each) { return each.second.link == from; }));
    if (handles_.size() >= kRelayHandlesMax || mine >= kRelayHandlesPerLinkMax) return fail(Errc::kLimit, "this relay has enough handles; use another one");
  }
  handles_[message.handle] = {from, now + seconds(int64_t(message.seconds))};
  return ok();
}

void Relay::on_register(Instant now, LinkId from, const std::string& observed, const RelayRegister& message, Out& out) {
  const Status added = add_handle(now, from, message);
  out.push(RelaySend{from, RelayMessages::encode(RelayAck{message.request, added.ok() ? uint8_t(0) : uint8_t(added.code()), added.ok() ? "" : added.error().message, observed})});
}

size_t Relay::count_of(LinkId link) const {
  return size_t(std::distance(ends_.lower_bound({link, 0}), ends_.lower_bound({link + 1, 0})));
}

Result<LinkId> Relay::owner_of(Instant now, LinkId from, const RelayOpen& message) const {
  if (draining_) return fail(Errc::kUnavailable, "this relay is about to stop; use another one");
  const auto handle = handles_.find(message.handle);
  if (handle == handles_.end() || handle->second.until <= now) return fail(Errc::kNotFound, "nobody is registered here under this handle");
  if (ends_.contains({from, message.circuit})) return fail(Errc::kExists, "this circuit is open already");
  const bool full = circuits_.size() >= kRelayCircuitsMax || count_of(from) >= kRelayCircuitsPerLinkMax || count_of(handle->second.link) >= kRelayCircuitsPerLinkMax;
  if (full) return fail(Errc::kLimit, "this relay has enough circuits; try again later, or another one");
  return handle->second.link;
}

void Relay::on_open(Instant now, LinkId from, const std::string& observed, const RelayOpen& message, Out& out) {
  const Result<LinkId> owner = owner_of(now, from, message);
  if (owner.ok()) {
    const uint64_t id = ++last_circuit_;
    // The owner's numbers are this relay's own; they may not be those that an opener on the same link chose.
    const End opener{from, message.circuit}, end{*owner, id | uint64_t(1) << 63};
    circuits_.emplace(id, Circuit{opener, end, message.handle, bucket(rates_.circuit_kbps), now, now});
    ends_[opener] = id;
    ends_[end] = id;
    out.push(RelaySend{*owner, RelayMessages::encode(RelayIncoming{message.handle, end.second})});
  }
  out.push(RelaySend{from, RelayMessages::encode(RelayAck{message.request, owner.ok() ? uint8_t(0) : uint8_t(owner.error().code), owner.ok() ? "" : owner.error().message, observed})});
}

void Relay::on_frame(Instant now, LinkId from, const RelayFrame& frame, Out& out) {
  const auto end = ends_.find({from, frame.circuit});
  if (end == ends_.end()) return;
  Circuit& circuit = circuits_.at(end->second);
  circuit.used = now;
  const uint32_t cost = uint32_t((frame.packets.size() + kTokenBytes - 1) / kTokenBytes);
  if (circuit.rate.wait(now) > Duration{} || !all_.take(now, cost)) {
    circuit.bytes_dropped += frame.packets.size();
    return;
  }
  CHECK(circuit.rate.take(now, cost));
  const bool to_owner = circuit.opener == end->first;
  (to_owner ? circuit.bytes_to : circuit.bytes_from) += frame.packets.size();
  bytes_carried_ += frame.packets.size();
  const End& other = to_owner ? circuit.owner : circuit.opener;
  out.push(RelayForward{other.first, make_relay_frame(other.second, frame.segment, frame.packets)});
}

void Relay::close(Instant now, uint64_t id, LinkId told_by, Out& out) {
  const auto it = circuits_.find(id);
  if (it == circuits_.end()) return;
  const Circuit& circuit = it->second;
  for (const End& end : {circuit.opener, circuit.owner}) {
    if (end.first != told_by) out.push(RelaySend{end.first, RelayMessages::encode(RelayClose{end.second})});
    ends_.erase(end);
  }
  out.push(RelayCarried{circuit.handle, circuit.bytes_to, circuit.bytes_from, circuit.bytes_dropped, now - circuit.opened});
  circuits_.erase(it);
}

void Relay::on_close(Instant now, LinkId from, const RelayClose& message, Out& out) {
  const auto end = ends_.find({from, message.circuit});
  if (end != ends_.end()) close(now, end->second, from, out);
}

void Relay::on_link_closed(Instant now, LinkId link, Out& out) {
  std::erase_if(handles_, [&](const auto& each) { return each.second.link == link; });
  std::vector<uint64_t> over;
  for (auto it = ends_.lower_bound({link, 0}); it != ends_.end() && it->first.first == link; ++it) over.push_back(it->second);
  for (const uint64_t id : over) close(now, id, link, out);
}

void Relay::on_deadline(Instant now, Out& out) {
  if (now < next_deadline()) return;
  swept_at_ = now;
  std::erase_if(handles_, [&](const auto& each) { return each.second.until <= now; });
  std::vector<uint64_t> idle;
  for (const auto& [id, circuit] : circuits_) {
    if (now - circuit.used >= kRelayIdleMax) idle.push_back(id);
  }
  for (const uint64_t id : idle) close(now, id, 0, out);
}

void Relay::drain(Instant now, Out& out) {
  draining_ = true;
  handles_.clear();
  while (!circuits_.empty()) close(now, circuits_.begin()->first, 0, out);
}

}  // namespace selvedge::mesh
