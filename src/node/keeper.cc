#include "node/keeper.h"

#include <algorithm>

namespace selvedge::node {

namespace {

// One answer carries at most this; the asker asks again for more.
constexpr uint64_t kServeBytesMax = 4u << 20;

bool covered(const std::vector<mesh::EsiRange>& have, uint8_t block, uint32_t esi) {
  return std::any_of(have.begin(), have.end(), [&](const mesh::EsiRange& r) { return r.block == block && esi >= r.first && esi - r.first < r.count; });
}

}  // namespace

const object::Signed<object::NodeRecord>* Keeper::record_of(const NodeKey& peer) const {
  if (peer == core_.self()) return &core_.record;
  const mesh::Peer* known = core_.sessions.find(peer);
  return known == nullptr || !known->record ? nullptr : &*known->record;
}

Status Keeper::admit(Turn& turn, const object::Signed<object::NodeRecord>& actor, const mesh::FrameView& frame) {
  const crypto::PublicKey& origin = actor.body.owner;
  const uint64_t held = core_.store.usage(convert<store::OriginId>(origin)).bytes;
  const uint64_t in_all = held + frame.symbols.size();
  TRY(core_.authority.may_use_storage(turn.now, actor, origin, frame.header.zone, object::kStore, {frame.header.object}, in_all, {}, nullptr));
  if (frame.header.expires <= turn.now.unix_seconds()) return fail(Errc::kExpired, "the symbols have expired already");
  if (frame.header.expires > turn.now.unix_seconds() + object::kSymbolTtlDefault) {
    return fail(Errc::kInvalid, "symbols live at most " + std::to_string(object::kSymbolTtlDefault / object::kDay) + " days; renew them instead");
  }
  return ok();
}

void Keeper::on_store_frame(Turn& turn, const NodeKey& from, const mesh::FrameView& frame, Bytes bytes) {
  const uint64_t transfer = frame.header.transfer;
  const auto acknowledge = [this, from, transfer](Turn& t, const Status& status) {
    mesh::StoreAck ack{transfer, status.ok() ? uint8_t(0) : uint8_t(status.code()), status.ok() ? "" : status.error().message};
    core_.send(t, from, mesh::MeshMessages::encode(ack));
  };
  const object::Signed<object::NodeRecord>* actor = record_of(from);
  if (actor == nullptr) return;
  const Status admitted = admit(turn, *actor, frame);
  if (!admitted.ok()) return acknowledge(turn, admitted);
  store::HoldMeta meta;
  meta.object = convert<store::ObjectId>(frame.header.object);
  meta.origin = convert<store::OriginId>(actor->body.owner);
  meta.zone = convert<store::ZoneId>(frame.header.zone);
  meta.expires_s = frame.header.expires;
  const uint8_t block = frame.header.source_block;
  const std::vector<uint32_t> esis = frame.esis;
  const uint64_t cookie = core_.expect_stored(acknowledge);
  Outbox<store::Effect> disk;
  const Result<store::Accepted> put = core_.store.put_segment(meta, block, esis, std::move(bytes), cookie, disk);
  core_.route_disk(turn, disk);
  if (!put.ok()) core_.settle_now(turn, cookie, put.error());
  else if (*put == store::Accepted::kDurable) core_.settle_now(turn, cookie, ok());
}

void Keeper::end(Turn& turn, const NodeKey& to, uint64_t request, uint32_t symbols, const Status& status) {
  mesh::SymbolEnd end{request, symbols, status.ok() ? uint8_t(0) : uint8_t(status.code()), status.ok() ? "" : status.error().message};
  core_.send(turn, to, mesh::MeshMessages::encode(end));
}

Result<std::vector<object::Signed<object::Capability>>> Keeper::open_chain(const std::vector<Bytes>& capabilities) const {
  if (capabilities.size() > object::kChainMax) return fail(Errc::kLimit, "too many capabilities were shown");
  std::vector<object::Signed<object::Capability>> chain;
  for (const Bytes& bytes : capabilities) chain.push_back(TRY(object::open_object<object::Capability>(bytes, core_.authority.verifier())));
  return chain;
}

void Keeper::on_symbol_request(Turn& turn, const NodeKey& from, const mesh::SymbolRequest& request) {
  const object::Signed<object::NodeRecord>* actor = record_of(from);
  if (actor == nullptr) return;
  const store::HoldMeta* meta = core_.store.find_object(convert<store::ObjectId>(request.object));
  if (meta == nullptr) return end(turn, from, request.request, 0, fail(Errc::kNotFound, "holds none of it"));
  const crypto::PublicKey origin = convert<crypto::PublicKey>(meta->origin);
  const Result<std::vector<object::Signed<object::Capability>>> chain = open_chain(request.capabilities);
  if (!chain.ok()) return end(turn, from, request.request, 0, chain.error());
  const object::Signed<object::NodeRecord>* origin_record = chain->empty() ? nullptr : record_of(chain->back().body.issuer);
  const Result<object::Authorization> allowed = core_.authority.may_use_storage(
      turn.now, *actor, origin, convert<object::ZoneId>(meta->zone), object::kRead, {request.object}, 0, *chain, origin_record);
  if (!allowed.ok()) return end(turn, from, request.request, 0, allowed.error());

  store::SegmentRead read;
  read.object = meta->object;
  read.bytes_max = kServeBytesMax;
  for (const mesh::EsiRange& range : request.have) {
    if (range.count > 0) read.exclude.push_back({range.block, range.first, range.first + range.count - 1});
  }
  const Instant late = request.within_ms == 0 ? Instant::never() : turn.now + milliseconds(request.within_ms);
  const uint64_t cookie = core_.expect_loaded([this, from, request, late](Turn& t, store::Loaded loaded) {
    if (t.now >= late) return end(t, from, request.request, 0, fail(Errc::kTimeout, "it was asked for within a time that is over"));
    serve(t, from, request, std::move(loaded));
  });
  Outbox<store::Effect> disk;
  const Result<size_t> asked = core_.store.read_segments(read, cookie, disk);
  core_.route_disk(turn, disk);
  if (asked.ok() && *asked > 0) return;
  core_.forget_loaded(cookie);
  end(turn, from, request.request, 0, asked.ok() ? Status() : Status(asked.error()));
}

void Keeper::serve(Turn& turn, const NodeKey& to, const mesh::SymbolRequest& request, store::Loaded loaded) {
  uint32_t sent = 0;
  std::vector<uint32_t> left = request.limits;
  for (store::LoadedSegment& segment : loaded.segments) {
    const Result<mesh::FrameView> frame = mesh::parse_frame(segment.payload);
    if (!frame.ok()) continue;  // damaged on disk: what cannot be parsed is not given out
    const uint8_t block = frame->header.source_block;
    if (block >= left.size() || left[block] == 0) continue;
    std::vector<size_t> keep;
    for (size_t i = 0; i < frame->esis.size() && keep.size() < left[block]; ++i) {
      if (!covered(request.have, block, frame->esis[i])) keep.push_back(i);
    }
    if (keep.empty()) continue;
    left[block] -= uint32_t(keep.size());
    sent += uint32_t(keep.size());
    Bytes answer = keep.size() == frame->esis.size() ? std::move(segment.payload) : mesh::subset_frame(*frame, keep);
    mesh::retarget_frame(answer, mesh::FrameKind::kDeliver, request.request, turn.now);
    for (Bytes& each : mesh::split_frame(std::move(answer), core_.frame_bytes_max(to))) core_.send_symbols(turn, to, std::move(each));
  }
  end(turn, to, request.request, sent, loaded.status);
}

void Keeper::on_drop(Turn& turn, const NodeKey& from, const mesh::Drop& drop) {
  const object::Signed<object::NodeRecord>* actor = record_of(from);
  if (actor == nullptr || drop.objects.size() > mesh::kObjectsPerMessageMax) return;
  uint64_t freed = 0;
  Outbox<store::Effect> disk;
  for (const object::ObjectId& object : drop.objects) {
    const store::HoldMeta* meta = core_.store.find_object(convert<store::ObjectId>(object));
    if (meta == nullptr || convert<crypto::PublicKey>(meta->origin) != actor->body.owner) continue;
    const uint64_t cookie = core_.expect_stored([](Turn&, const Status&) {});
    const Result<store::Dropped> dropped = core_.store.drop_object(convert<store::ObjectId>(object), cookie, disk);
    if (dropped.ok()) freed += dropped->bytes;
    if (!dropped.ok() || dropped->accepted == store::Accepted::kDurable) core_.settle_now(turn, cookie, ok());
  }
  core_.route_disk(turn, disk);
  core_.send(turn, from, mesh::MeshMessages::encode(mesh::DropAck{drop.request, freed}));
}

void Keeper::on_origin_revoked(Turn& turn, const crypto::PublicKey& origin) { delete_at_[origin] = turn.now + kRevokedDataKept; }

void Keeper::on_object_revoked(Turn& turn, const crypto::PublicKey& issuer, const object::ObjectId& object) {
  const store::HoldMeta* meta = core_.store.find_object(convert<store::ObjectId>(object));
  if (meta == nullptr || (issuer != core_.owner() && convert<crypto::PublicKey>(meta->origin) != issuer)) return;
  Outbox<store::Effect> disk;
  const uint64_t cookie = core_.expect_stored([](Turn&, const Status&) {});
  const Result<store::Dropped> dropped = core_.store.drop_object(convert<store::ObjectId>(object), cookie, disk);
  if (!dropped.ok() || dropped->accepted == store::Accepted::kDurable) core_.settle_now(turn, cookie, ok());
  core_.route_disk(turn, disk);
}

void Keeper::on_deadline(Turn& turn) {
  Outbox<store::Effect> disk;
  for (auto it = delete_at_.begin(); it != delete_at_.end();) {
    if (it->second > turn.now) {
      ++it;
      continue;
    }
    if (core_.authority.serves(turn.now, it->first, object::kStorage)) {
      // It was given a new grant meanwhile, and its data may stay.
      it = delete_at_.erase(it);
      continue;
    }
    const uint64_t cookie = core_.expect_stored([](Turn&, const Status&) {});
    const Result<store::Dropped> dropped = core_.store.drop_origin(convert<store::OriginId>(it->first), cookie, disk);
    if (!dropped.ok() || dropped->accepted == store::Accepted::kDurable) core_.settle_now(turn, cookie, ok());
    core_.trace(turn, "deleted what a revoked origin had here");
    it = delete_at_.erase(it);
  }
  core_.store.expire(turn.now, disk);
  core_.route_disk(turn, disk);
}

Instant Keeper::next_deadline() const {
  Instant soonest = core_.store.next_deadline();
  for (const auto& [origin, when] : delete_at_) soonest = std::min(soonest, when);
  return soonest;
}

}  // namespace selvedge::node
