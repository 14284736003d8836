#include "mesh/spread.h"

namespace selvedge::mesh {

void Spreader::send(Instant now, uint64_t id, Job& job, EncodedShare share, Out& out) {
  job.awaiting[share.holder] += uint32_t(share.frames.size());
  for (Bytes& frame : share.frames) {
    retarget_frame(frame, FrameKind::kStore, id, now);
    out.push(SendFrame{share.holder, std::move(frame)});
  }
}

void Spreader::on_ack(Instant now, const NodeKey& from, const StoreAck& ack, Out& out) {
  auto it = spreads_.find(ack.transfer);
  if (it == spreads_.end()) return;
  Job& job = it->second;
  auto waiting = job.awaiting.find(from);
  if (waiting == job.awaiting.end()) return;
  // On a slow line the objects wait for each other.
  for (auto& [id, each] : spreads_) {
    if (each.awaiting.contains(from)) each.give_up = now + kAckTimeout;
  }
  if (ack.error != 0) {
    const bool known = ack.error >= uint8_t(Errc::kInvalid) && ack.error <= uint8_t(Errc::kInternal);
    job.failed.push_back({from, fail(known ? Errc(ack.error) : Errc::kUnavailable, ack.message)});
    job.awaiting.erase(waiting);
  } else if (--waiting->second == 0) {
    job.placed.push_back(from);
    job.awaiting.erase(waiting);
  }
  settle(ack.transfer, out);
}

void Spreader::on_peer_down(const NodeKey& peer, const Error& why, Out& out) {
  std::vector<uint64_t> touched;
  for (auto& [id, job] : spreads_) {
    if (job.awaiting.erase(peer) == 0) continue;
    job.failed.push_back({peer, why});
    touched.push_back(id);
  }
  for (uint64_t id : touched) settle(id, out);
}

void Spreader::on_deadline(Instant now, Out& out) {
  std::vector<uint64_t> late;
  for (auto& [id, job] : spreads_) {
    if (job.give_up > now) continue;
    for (const auto& [holder, frames] : job.awaiting) {
      job.failed.push_back({holder, fail(Errc::kTimeout, "did not acknowledge in time")});
    }
    job.awaiting.clear();
    late.push_back(id);
  }
  for (uint64_t id : late) settle(id, out);
}

Instant Spreader::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, job] : spreads_) soonest = std::min(soonest, job.give_up);
  return soonest;
}

void Spreader::settle(uint64_t id, Out& out) {
  auto it = spreads_.find(id);
  if (it == spreads_.end() || !it->second.awaiting.empty()) return;
  Job job = std::move(it->second);
  spreads_.erase(it);
  out.push(Spread{id, std::move(job.placed), std::move(job.failed)});
}

}  // namespace selvedge::mesh
