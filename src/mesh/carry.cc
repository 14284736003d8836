#include "mesh/carry.h"

#include <algorithm>

#include "base/byte_reader.h"

namespace selvedge::mesh {

Status Carry::add_peer(const ParcelAddress& peer) {
  if (!peers_.count(peer.node) && peers_.size() >= kCarryPeersMax) return fail(Errc::kLimit, "parcels go to at most " + std::to_string(kCarryPeersMax) + " nodes");
  peers_[peer.node] = peer.seal;
  return ok();
}

void Carry::restore(const ParcelId& id, KeptParcel kept) {
  if (out_.count(id) || kept.priority > uint8_t(ParcelPriority::kLast)) return;
  out_bytes_ += kept.sealed.size();
  out_[id] = Waiting{kept.to, kept.ends, ParcelPriority(kept.priority), ++last_order_, std::make_shared<const Bytes>(std::move(kept.sealed))};
}

void Carry::restore_seen(const ParcelId& id, const SeenParcel& seen) {
  if (seen_.emplace(id, Seen{seen.from, seen.ends, true}).second) ++seen_of_[seen.from];
}

Result<ParcelId> Carry::send(Instant now, const crypto::PublicKey& to, ParcelPriority priority, Duration lifetime, Bytes payload, Out& out) {
  const auto peer = peers_.find(to);
  if (peer == peers_.end()) return fail(Errc::kNotFound, "no key is known to seal a parcel for that node");
  if (lifetime < seconds(1) || lifetime > kParcelLifetimeMax) return fail(Errc::kInvalid, "a parcel lives between a second and 90 days");
  if (out_.size() >= kCarryOutMax || out_bytes_ + payload.size() + kParcelHeaderBytes + kParcelInnerBytes + crypto::AeadTag::kSize > kCarryOutBytesMax) {
    return fail(Errc::kLimit, "as much waits to be carried as this node keeps; bring back what acknowledges it, or wait until it expires");
  }
  const Parcel parcel{self_.public_key(), to, now.unix_seconds(), uint32_t(lifetime.ns / 1'000'000'000), priority, ParcelKind::kCargo, std::move(payload)};
  Bytes sealed = TRY(seal_parcel(self_, peer->second, parcel, drbg_));
  const ParcelId id = parcel_id(sealed);
  out_bytes_ += sealed.size();
  const auto shared = std::make_shared<const Bytes>(std::move(sealed));
  out_[id] = Waiting{to, parcel.ends(), priority, ++last_order_, shared};
  out.push(CarryKeep{id, {to, parcel.ends(), uint8_t(priority), *shared}});
  return id;
}

std::vector<std::map<ParcelId, Carry::Waiting>::iterator> Carry::by_rank() {
  std::vector<std::map<ParcelId, Waiting>::iterator> ranked;
  for (auto it = out_.begin(); it != out_.end(); ++it) ranked.push_back(it);
  std::ranges::sort(ranked, [](const auto& a, const auto& b) {
    if (a->second.priority != b->second.priority) return a->second.priority > b->second.priority;
    return a->second.order < b->second.order;
  });
  return ranked;
}

// Acknowledgements first: they are small, and each frees room at the other end.
void Carry::hand_over_custody(Instant now, uint64_t& room, Out& out) {
  for (auto it = owed_.begin(); it != owed_.end();) {
    const auto peer = peers_.find(it->first);
    if (peer == peers_.end()) {
      it = owed_.erase(it);
      continue;
    }
    Parcel parcel{self_.public_key(), it->first, now.unix_seconds(), uint32_t(kCustodyLifetime.ns / 1'000'000'000), ParcelPriority::kUrgent, ParcelKind::kCustody, {}};
    std::vector<ParcelId> said;
    for (const ParcelId& id : it->second) {
      if (said.size() == kCustodyIdsMax) break;
      append(parcel.payload, id);
      said.push_back(id);
    }
    Result<Bytes> sealed = seal_parcel(self_, peer->second, parcel, drbg_);
    if (!sealed.ok() || sealed.value().size() > room) {
      ++it;
      continue;
    }
    room -= sealed.value().size();
    const ParcelId id = parcel_id(sealed.value());
    out.push(CarryHandOver{id, std::make_shared<const Bytes>(std::move(sealed).value())});
    for (const ParcelId& done : said) it->second.erase(done);
    it = it->second.empty() ? owed_.erase(it) : std::next(it);
  }
}

CarryLeft Carry::load(Instant now, const std::set<ParcelId>& present, uint64_t room, Out& out) {
  on_deadline(now, out);
  hand_over_custody(now, room, out);
  CarryLeft left;
  for (const auto& it : by_rank()) {
    if (present.count(it->first)) continue;
    const uint64_t size = it->second.sealed->size();
    if (size > room) {
      ++left.parcels;
      left.bytes += size;
      continue;
    }
    room -= size;
    out.push(CarryHandOver{it->first, it->second.sealed});
  }
  return left;
}

void Carry::load_due(Instant now, uint64_t room, Out& out) {
  on_deadline(now, out);
  hand_over_custody(now, room, out);
  for (const auto& it : by_rank()) {
    Waiting& waiting = it->second;
    if (waiting.due > now || waiting.sealed->size() > room) continue;
    room -= waiting.sealed->size();
    out.push(CarryHandOver{it->first, waiting.sealed});
    // With jitter: two ends of a half-duplex line that began together would talk over each other for ever.
    waiting.due = now + waiting.retry + nanoseconds(int64_t(rng_.below(uint64_t(waiting.retry.ns / 2))));
    waiting.retry = std::min(waiting.retry * 2, kCarryRetryMax);
  }
}

Status Carry::on_parcel(Instant now, Bytes sealed, Out& out) {
  const ParcelId id = parcel_id(sealed);
  if (const auto known = seen_.find(id); known != seen_.end()) {
    if (known->second.accepted) owed_[known->second.from].insert(id);
    return ok();
  }
  Parcel parcel = TRY(open_parcel(keys_, self_.public_key(), verifier_, std::move(sealed)));
  if (!peers_.count(parcel.from)) return fail(Errc::kUnauthorized, "a parcel is from a node that this one does not know");
  if (parcel.created > (now + kParcelAheadMax).unix_seconds()) return fail(Errc::kInvalid, "a parcel is from the future; check the clocks of both machines");
  if (parcel.ends() <= now.unix_seconds()) return fail(Errc::kExpired, "a parcel arrived after it had expired");
  if (parcel.kind == ParcelKind::kCargo) return on_cargo(id, std::move(parcel), out);
  on_custody(parcel, out);
  return ok();
}

Status Carry::on_cargo(const ParcelId& id, Parcel parcel, Out& out) {
  size_t& count = seen_of_[parcel.from];
  if (count >= kCarrySeenPerPeerMax) return fail(Errc::kLimit, "too many parcels of one sender are remembered; it keeps this one until older ones expire");
  ++count;
  seen_[id] = Seen{parcel.from, parcel.ends(), false};
  const SeenParcel seen{parcel.from, parcel.ends()};
  out.push(CarryDeliver{id, seen, std::move(parcel)});
  return ok();
}

// Only the recipient's own word ends custody. Ids that mean nothing here are of parcels that expired, or that were acknowledged before.
void Carry::on_custody(const Parcel& parcel, Out& out) {
  ByteReader in(parcel.payload, "an acknowledgement");
  for (size_t n = 0; n < kCustodyIdsMax; ++n) {
    const Result<ParcelId> id = in.fixed<ParcelId>();
    if (!id.ok()) return;
    const auto it = out_.find(id.value());
    if (it == out_.end() || !(it->second.to == parcel.from)) continue;
    out.push(CarryCustody{it->first, parcel.from});
    forget(it, out);
  }
}

void Carry::on_accepted(Instant now, const ParcelId& id) {
  const auto it = seen_.find(id);
  if (it == seen_.end() || it->second.ends <= now.unix_seconds()) return;
  it->second.accepted = true;
  owed_[it->second.from].insert(id);
}

void Carry::forget(std::map<ParcelId, Waiting>::iterator it, Out& out) {
  out_bytes_ -= it->second.sealed->size();
  out.push(CarryForget{it->first});
  out_.erase(it);
}

void Carry::on_deadline(Instant now, Out& out) {
  for (auto it = out_.begin(); it != out_.end();) {
    const auto at = it++;
    if (at->second.ends > now.unix_seconds()) continue;
    out.push(CarryExpired{at->first, at->second.to});
    forget(at, out);
  }
  for (auto it = seen_.begin(); it != seen_.end();) {
    if (it->second.ends > now.unix_seconds()) {
      ++it;
      continue;
    }
    const auto count = seen_of_.find(it->second.from);
    if (count != seen_of_.end() && --count->second == 0) seen_of_.erase(count);
    if (const auto owed = owed_.find(it->second.from); owed != owed_.end()) {
      owed->second.erase(it->first);
      if (owed->second.empty()) owed_.erase(owed);
    }
    out.push(CarryForgetSeen{it->first});
    it = seen_.erase(it);
  }
}

Instant Carry::next_deadline() const {
  uint64_t first = UINT64_MAX;
  for (const auto& [id, waiting] : out_) first = std::min(first, waiting.ends);
  for (const auto& [id, seen] : seen_) first = std::min(first, seen.ends);
  return first == UINT64_MAX ? Instant::never() : Instant::from_unix_seconds(first);
}

}  // namespace selvedge::mesh
