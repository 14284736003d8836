#include "mesh/streams.h"

#include <algorithm>

namespace selvedge::mesh {

size_t Streams::of_peer(const NodeKey& peer) const {
  return size_t(std::distance(by_name_.lower_bound({peer, false, 0}), by_name_.upper_bound({peer, true, UINT64_MAX})));
}

Result<StreamId> Streams::open(Instant now, const NodeKey& peer, const crypto::PublicKey& service, Out& out) {
  if (streams_.size() >= kStreamsMax || of_peer(peer) >= kStreamsPerPeerMax) return fail(Errc::kLimit, "too many connections to services are open");
  const StreamId id = ++last_id_;
  Stream& stream = streams_[id];
  stream.name = {peer, true, id};
  stream.open_by = now + kStreamOpenTimeout;
  by_name_[stream.name] = id;
  say(stream, StreamOpen{id, service}, out);
  return id;
}

void Streams::on_open(const NodeKey& peer, const StreamOpen& open, Out& out) {
  const Name name{peer, false, open.stream};
  const auto refused = [&](Errc code, const char* why) { out.push(SendToPeer{peer, StreamMessages::encode(StreamEnd{open.stream, false, uint8_t(code), why})}); };
  if (by_name_.contains(name)) return refused(Errc::kExists, "a stream of that number is open");
  if (streams_.size() >= kStreamsMax || of_peer(peer) >= kStreamsPerPeerMax) return refused(Errc::kLimit, "too many streams are open");
  const StreamId id = ++last_id_;
  streams_[id].name = name;
  by_name_[name] = id;
  out.push(StreamAsked{id, peer, open.service});
}

void Streams::accept(StreamId id, Bytes proof, Out& out) {
  const auto it = streams_.find(id);
  if (it == streams_.end() || it->second.open || it->second.name.mine) return;
  it->second.open = true;
  say(it->second, StreamAccept{it->second.name.number, std::move(proof)}, out);
  pump(id, out);
}

void Streams::over(StreamId id, Error why, Out& out) {
  const auto it = streams_.find(id);
  by_name_.erase(it->second.name);
  streams_.erase(it);
  out.push(StreamOver{id, std::move(why)});
}

void Streams::refuse(StreamId id, const Error& why, Out& out) {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return;
  say(it->second, StreamEnd{it->second.name.number, it->second.name.mine, uint8_t(why.code), why.message.substr(0, 300)}, out);
  by_name_.erase(it->second.name);
  streams_.erase(it);
}

void Streams::break_off(StreamId id, Error why, Out& out) {
  const Stream& stream = streams_.at(id);
  say(stream, StreamEnd{stream.name.number, stream.name.mine, uint8_t(why.code), why.message}, out);
  over(id, std::move(why), out);
}

void Streams::write(StreamId id, Bytes bytes, Out& out) {
  const auto it = streams_.find(id);
  if (it == streams_.end() || it->second.finishing || bytes.empty()) return;
  Stream& stream = it->second;
  if (stream.queued + bytes.size() > kStreamQueueMax) return break_off(id, fail(Errc::kLimit, "more was written than the other side reads"), out);
  stream.queued += bytes.size();
  stream.queue.push_back(std::move(bytes));
  pump(id, out);
  if (stream.queued > 0) out.push(StreamRoom{id, stream.queued});
}

void Streams::finish(StreamId id, Out& out) {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return;
  it->second.finishing = true;
  pump(id, out);
}

// What the window allows, and the end after it.
void Streams::pump(StreamId id, Out& out) {
  Stream& stream = streams_.at(id);
  if (!stream.open) return;
  const size_t before = stream.queued;
  while (!stream.queue.empty() && stream.credit > 0) {
    Bytes& front = stream.queue.front();
    const size_t size = size_t(std::min<uint64_t>({front.size(), stream.credit, kStreamPieceMax}));
    say(stream, StreamData{stream.name.number, stream.name.mine, Bytes(front.begin(), front.begin() + ptrdiff_t(size))}, out);
    stream.credit -= size;
    stream.queued -= size;
    if (size == front.size()) stream.queue.pop_front();
    else front.erase(front.begin(), front.begin() + ptrdiff_t(size));
  }
  if (stream.queued != before) out.push(StreamRoom{id, stream.queued});
  if (!stream.finishing || stream.finished || !stream.queue.empty()) return;
  stream.finished = true;
  say(stream, StreamEnd{stream.name.number, stream.name.mine, 0, ""}, out);
  if (stream.peer_finished) over(id, fail(Errc::kCancelled, "both sides have ended"), out);
}

void Streams::consumed(StreamId id, size_t bytes, Out& out) {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return;
  Stream& stream = it->second;
  stream.owed += bytes;
  if (stream.owed < kStreamWindow / 4 || stream.peer_finished) return;
  stream.granted += stream.owed;
  say(stream, StreamCredit{stream.name.number, stream.name.mine, uint32_t(std::exchange(stream.owed, 0))}, out);
}

void Streams::on_data(StreamId id, Stream& stream, StreamData data, Out& out) {
  if (!stream.open || stream.peer_finished || data.bytes.empty() || data.bytes.size() > stream.granted) {
    return break_off(id, fail(Errc::kInvalid, "the other side sent more than it may"), out);
  }
  stream.granted -= data.bytes.size();
  out.push(StreamBytes{id, std::move(data.bytes)});
}

void Streams::on_end(StreamId id, Stream& stream, const StreamEnd& end, Out& out) {
  if (end.error != 0) {
    const bool known = end.error >= uint8_t(Errc::kInvalid) && end.error <= uint8_t(Errc::kInternal);
    return over(id, fail(known ? Errc(end.error) : Errc::kUnavailable, end.message.substr(0, 300)), out);
  }
  if (!stream.open || stream.peer_finished) return break_off(id, fail(Errc::kInvalid, "the other side ended twice"), out);
  stream.peer_finished = true;
  out.push(StreamFinished{id});
  if (stream.finished) over(id, fail(Errc::kCancelled, "both sides have ended"), out);
}

void Streams::on_message(Instant, const NodeKey& peer, StreamMessages::Message message, Out& out) {
  if (const auto* open = std::get_if<StreamOpen>(&message)) return on_open(peer, *open, out);
  const auto [number, mine] = std::visit([](const auto& each) -> std::pair<uint64_t, bool> {
    if constexpr (requires { each.mine; }) return {each.stream, !each.mine};
    else return {each.stream, true};
  }, message);
  const auto it = by_name_.find({peer, mine, number});
  if (it == by_name_.end()) return;  // over already, and what was under way still comes
  const StreamId id = it->second;
  Stream& stream = streams_.at(id);
  if (auto* accepted = std::get_if<StreamAccept>(&message)) {
    if (stream.open) return break_off(id, fail(Errc::kInvalid, "the other side accepted twice"), out);
    stream.open = true;
    stream.open_by = Instant::never();
    out.push(StreamAccepted{id, std::move(accepted->proof)});
    pump(id, out);
  } else if (auto* data = std::get_if<StreamData>(&message)) {
    on_data(id, stream, std::move(*data), out);
  } else if (const auto* credit = std::get_if<StreamCredit>(&message)) {
    stream.credit = std::min<uint64_t>(stream.credit + credit->bytes, kStreamWindow);  // no more is ever owed
    if (stream.open) pump(id, out);
  } else {
    on_end(id, stream, std::get<StreamEnd>(message), out);
  }
}

void Streams::on_peer_down(const NodeKey& peer, Out& out) {
  std::vector<StreamId> gone;
  for (auto it = by_name_.lower_bound({peer, false, 0}); it != by_name_.end() && it->first.peer == peer; ++it) gone.push_back(it->second);
  for (const StreamId id : gone) over(id, fail(Errc::kUnavailable, "the connection to " + peer.brief() + " was lost"), out);
}

void Streams::on_deadline(Instant now, Out& out) {
  std::vector<StreamId> late;
  for (const auto& [id, stream] : streams_) {
    if (stream.open_by <= now) late.push_back(id);
  }
  for (const StreamId id : late) break_off(id, fail(Errc::kTimeout, "the service did not answer in time"), out);
}

Instant Streams::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, stream] : streams_) soonest = std::min(soonest, stream.open_by);
  return soonest;
}

}  // namespace selvedge::mesh
