// Symbols: what is held for whom, and what goes.
#include <algorithm>
#include <tuple>

#include "store/layout.h"
#include "store/store.h"

namespace selvedge::store {
namespace {

std::string kib(uint64_t bytes) { return std::to_string(bytes >> 10) + " KiB"; }

}  // namespace

// --- Figures.

void Store::count_usage(Usage& usage, const Object& object) {
  usage.bytes += object.counted_bytes;
  usage.segments += object.counted_segments;
  ++usage.objects;
}

void Store::uncount_usage(Usage& usage, const Object& object) {
  usage.bytes -= object.counted_bytes;
  usage.segments -= object.counted_segments;
  --usage.objects;
}

void Store::account(Objects::iterator it) {
  Object& object = it->second;
  if (object.counted) {
    const HoldMeta& meta = object.counted_meta;
    uncount_usage(total_, object);
    const auto origin = origins_.find(meta.origin);
    uncount_usage(origin->second, object);
    if (origin->second.objects == 0 && origin->second.bytes_max == 0) origins_.erase(origin);
    const auto zone = zones_.find(meta.zone);
    uncount_usage(zone->second, object);
    if (zone->second.objects == 0 && zone->second.bytes_max == UINT64_MAX) zones_.erase(zone);
    by_expiry_.erase({meta.expires_s, it->first});
    object.counted = false;
  }
  if (const HoldMeta* meta = object.meta.current()) {
    object.counted = true;
    object.counted_meta = *meta;
    object.counted_bytes = object.live_bytes;
    object.counted_segments = object.live_segments;
    count_usage(total_, object);
    count_usage(origins_[meta->origin], object);
    count_usage(zones_.try_emplace(meta->zone, Usage{0, UINT64_MAX, 0, 0}).first->second, object);
    by_expiry_.emplace(meta->expires_s, it->first);
  }
  if (!object.counted && object.meta.settled() && !object.meta.certain()) {
    in_doubt_.insert(it->first);
  } else {
    in_doubt_.erase(it->first);
  }
  if (object.meta.dead() && object.segment_count == 0) {
    objects_.erase(it);
  }
}

Status Store::set_quota(const OriginId& origin, uint64_t bytes_max) {
  auto it = origins_.find(origin);
  if (it == origins_.end()) {
    if (bytes_max == 0) return ok();
    if (origins_.size() >= limits_.origins_max) return fail(Errc::kLimit, "this node serves as many origins as it may");
    it = origins_.emplace(origin, Usage{}).first;
  }
  it->second.bytes_max = bytes_max;
  if (bytes_max == 0 && it->second.objects == 0) origins_.erase(it);
  return ok();
}

Status Store::set_zone_limit(const ZoneId& zone, uint64_t bytes_max) {
  auto it = zones_.find(zone);
  if (it == zones_.end()) {
    if (zones_.size() >= limits_.origins_max) return fail(Errc::kLimit, "this node serves as many zones as it may");
    it = zones_.emplace(zone, Usage{}).first;
  }
  it->second.bytes_max = bytes_max;
  return ok();
}

Usage Store::usage(const OriginId& origin) const {
  const auto it = origins_.find(origin);
  return it == origins_.end() ? Usage{} : it->second;
}

Usage Store::zone_usage(const ZoneId& zone) const {
  const auto it = zones_.find(zone);
  return it == zones_.end() ? Usage{0, UINT64_MAX, 0, 0} : it->second;
}

Usage Store::total_usage() const { return total_; }

const HoldMeta* Store::find_object(const ObjectId& object) const {
  const auto it = objects_.find(object);
  return it == objects_.end() ? nullptr : it->second.meta.current();
}

std::vector<ObjectId> Store::objects(const ObjectId* after, size_t count_max) const {
  std::vector<ObjectId> found;
  for (auto it = after ? objects_.upper_bound(*after) : objects_.begin(); it != objects_.end(); ++it) {
    if (found.size() >= count_max) break;
    if (alive(it->second)) found.push_back(it->first);
  }
  return found;
}

std::vector<BlockCoverage> Store::coverage(const ObjectId& object) const {
  std::vector<BlockCoverage> found;
  const auto it = objects_.find(object);
  if (it == objects_.end()) return found;
  for (const auto& [number, block] : it->second.blocks) {
    BlockCoverage coverage{number, 0, 0, 0};
    std::vector<EsiRun> runs;
    for (const Segment& segment : block.segments) {
      if (!segment.live()) continue;
      if (segment.put_token != 0) {
        coverage.symbols_in_flight += uint32_t(esi_count(segment.runs));
        continue;
      }
      ++coverage.segments;
      runs.insert(runs.end(), segment.runs.begin(), segment.runs.end());
    }
    coverage.symbols = uint32_t(distinct_count(runs));
    if (coverage.segments != 0 || coverage.symbols_in_flight != 0) found.push_back(coverage);
  }
  return found;
}

// --- Putting.

Status Store::check_put(const HoldMeta& meta, std::span<const uint32_t> esis, const Bytes& payload) const {
  if (esis.empty() || esis.size() > kSymbolsPerSegmentMax) {
    return fail(Errc::kInvalid, "a segment has 1 to " + std::to_string(kSymbolsPerSegmentMax) + " symbols, not " +
                                    std::to_string(esis.size()));
  }
  if (payload.empty() || payload.size() > kSegmentPayloadBytesMax) {
    return fail(Errc::kInvalid, "a segment has 1 to " + std::to_string(kSegmentPayloadBytesMax) + " bytes, not " +
                                    std::to_string(payload.size()));
  }
  std::vector<uint32_t> sorted(esis.begin(), esis.end());
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return fail(Errc::kInvalid, "a segment names the same symbol twice");
  }
  const auto it = objects_.find(meta.object);
  if (it == objects_.end()) return ok();
  // A version whose removal is in flight counts too, because the removal may fail.
  const bool foreign = it->second.meta.any_version(
      [&meta](const HoldMeta& held) { return held.origin != meta.origin || held.zone != meta.zone; });
  if (foreign) return fail(Errc::kExists, "object " + meta.object.brief() + " is held here for another origin or zone");
  return ok();
}

Status Store::check_quota(const HoldMeta& meta, uint64_t charge, size_t objects_new) const {
  const auto over = [charge](const Usage& usage) { return usage.bytes_max < charge || usage.bytes > usage.bytes_max - charge; };
  const auto figures = [charge](const Usage& usage) {
    return " holds " + kib(usage.bytes) + " of " + kib(usage.bytes_max) + " here; " + kib(charge + 1023) + " more do not fit: ";
  };
  const Usage by_origin = usage(meta.origin);
  if (over(by_origin)) {
    return fail(Errc::kQuota, "origin " + meta.origin.brief() + figures(by_origin) + "grant it more storage or drop objects");
  }
  const Usage by_zone = zone_usage(meta.zone);
  if (over(by_zone)) {
    return fail(Errc::kQuota, "zone " + meta.zone.brief() + figures(by_zone) + "raise the zone's limit or drop objects");
  }
  if (over(total_)) return fail(Errc::kQuota, "this node" + figures(total_) + "give it more storage or drop objects");
  if (segment_count_ >= limits_.segments_max || objects_.size() + objects_new > limits_.objects_max) {
    return fail(Errc::kLimit, "this node holds " + std::to_string(objects_.size()) + " objects in " +
                                  std::to_string(segment_count_) + " segments, as many as it may; drop some");
  }
  return ok();
}

std::optional<std::set<uint64_t>> Store::holders(const Object& object, uint8_t block, std::span<const uint32_t> esis) {
  const auto it = object.blocks.find(block);
  if (it == object.blocks.end()) return std::nullopt;
  struct Wanted {
    uint32_t esi;
    uint64_t token;  // UINT64_MAX: not held; 0: durable
  };
  std::vector<Wanted> wanted;
  for (const uint32_t esi : esis) wanted.push_back({esi, UINT64_MAX});
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.esi < b.esi; });
  for (const Segment& segment : it->second.segments) {
    if (!segment.live() || segment.doubtful) continue;
    for (const EsiRun& run : segment.runs) {
      auto at = std::lower_bound(wanted.begin(), wanted.end(), run.first,
                                 [](const Wanted& w, uint32_t esi) { return w.esi < esi; });
      for (; at != wanted.end() && at->esi <= run.last(); ++at) {
        if (run.contains(at->esi)) at->token = std::min(at->token, segment.put_token);
      }
    }
  }
  std::set<uint64_t> tokens;
  for (const Wanted& w : wanted) {
    if (w.token == UINT64_MAX) return std::nullopt;
    if (w.token != 0) tokens.insert(w.token);
  }
  return tokens;
}

Result<Accepted> Store::put_segment(const HoldMeta& meta, uint8_t block, std::span<const uint32_t> esis, Bytes payload,
                                    uint64_t cookie, Outbox<Effect>& out) {
  TRY(check_put(meta, esis, payload));
  const uint64_t charge = payload.size() + kSegmentOverheadBytes;
  auto it = objects_.find(meta.object);
  const HoldMeta* current = it == objects_.end() ? nullptr : it->second.meta.current();
  HoldMeta merged = meta;
  if (current) {
    merged.expires_s = std::max(merged.expires_s, current->expires_s);
    merged.hold = std::max(merged.hold, current->hold);
    merged.retain_until_s = std::max(merged.retain_until_s, current->retain_until_s);
  }
  const bool extends = !current || merged != *current;
  std::optional<std::set<uint64_t>> held;
  if (current) held = holders(it->second, block, esis);
  const bool fresh = !held;
  if (fresh) TRY(check_quota(meta, charge, it == objects_.end() ? 1 : 0));
  if (fresh && it != objects_.end() &&
      (it->second.segment_count >= limits_.segments_per_object_max ||
       it->second.blocks[block].next_position > UINT32_MAX - kSymbolsPerSegmentMax)) {
    return fail(Errc::kLimit, "object " + meta.object.brief() + " has as many segments here as one object may");
  }
  TRY(room_for(1, payload.size() + 512));
  std::set<uint64_t> tokens = held ? std::move(*held) : std::set<uint64_t>{};
  // The object's entry travels with every segment until it is known to be on disk, because the write that carried
  // it first may fail or be lost while this one survives.
  const bool with_meta = extends || !it->second.meta.certain();
  if (!fresh && !extends && it->second.meta.certain()) return wait_for(tokens, cookie);
  if (!fresh && !extends && it->second.meta.will_be_certain()) {
    tokens.insert(it->second.meta.newest_token());
    return wait_for(tokens, cookie);
  }

  if (it == objects_.end()) it = objects_.emplace(meta.object, Object{}).first;
  Object& object = it->second;
  std::vector<Write> writes;
  std::vector<Change> changes;
  if (with_meta) {
    writes.push_back({Column::kMeta, object_meta_key(meta.object), build_meta(merged)});
    changes.push_back(MetaChange{meta.object});
  }
  if (fresh) {
    Block& at = object.blocks[block];
    Segment segment;
    segment.position = uint32_t(at.next_position);
    segment.bytes = uint32_t(payload.size());
    segment.put_token = last_token_ + 1;
    segment.runs = to_runs(esis);
    segment.runs.shrink_to_fit();
    const SegmentKey key{meta.object, block, segment.position};
    writes.push_back({Column::kMeta, segment_head_key(key), build_head({segment.bytes, segment.runs})});
    writes.push_back({Column::kSymbols, symbols_key(key), std::move(payload)});
    changes.push_back(SegmentPut{meta.object, block, segment.position});
    at.next_position += esis.size();
    object.live_bytes += segment.charge();
    ++object.live_segments;
    ++object.segment_count;
    ++segment_count_;
    at.segments.push_back(std::move(segment));
  }
  const uint64_t token = submit(std::move(writes), std::move(changes), out);
  if (with_meta) object.meta.stage(token, merged);
  account(it);
  tokens.insert(token);
  return wait_for(tokens, cookie);
}

Result<Accepted> Store::renew_object(const ObjectId& id, uint64_t expires_s, Hold hold, uint64_t retain_until_s,
                                     uint64_t cookie, Outbox<Effect>& out) {
  const auto it = objects_.find(id);
  if (it == objects_.end() || !alive(it->second)) return fail(Errc::kNotFound, "object " + id.brief() + " is not held here");
  HoldMeta meta = *it->second.meta.current();
  meta.expires_s = expires_s;
  meta.hold = hold;
  meta.retain_until_s = retain_until_s;
  std::vector<Write> writes{{Column::kMeta, object_meta_key(id), build_meta(meta)}};
  TRY(room_for(1, 512));
  const uint64_t token = submit(std::move(writes), {MetaChange{id}}, out);
  it->second.meta.stage(token, meta);
  account(it);
  return wait_for({token}, cookie);
}

// --- Reading.

std::vector<Store::SegmentPart> Store::select(const Object& object, const SegmentRead& read) const {
  std::vector<Excluded> exclude = read.exclude;
  std::sort(exclude.begin(), exclude.end());
  // Ranges that overlap are joined, so that one binary search decides.
  std::vector<Excluded> joined;
  for (const Excluded& range : exclude) {
    if (range.last < range.first) continue;
    if (!joined.empty() && joined.back().block == range.block && range.first <= joined.back().last) {
      joined.back().last = std::max(joined.back().last, range.last);
    } else {
      joined.push_back(range);
    }
  }
  const auto excluded = [&joined](uint8_t block, uint32_t esi) {
    auto at = std::upper_bound(joined.begin(), joined.end(), Excluded{block, esi, UINT32_MAX});
    return at != joined.begin() && (--at)->block == block && esi <= at->last;
  };
  const uint64_t bytes_max = std::min(read.bytes_max, limits_.read_bytes_max);
  uint64_t bytes = 0;
  std::vector<SegmentPart> parts;
  for (const auto& [number, block] : object.blocks) {
    if (read.block && *read.block != number) continue;
    for (const Segment& segment : block.segments) {
      if (!segment.readable()) continue;
      const std::vector<uint32_t> esis = to_esis(segment.runs);
      const bool useful = std::any_of(esis.begin(), esis.end(), [&](uint32_t esi) { return !excluded(number, esi); });
      if (!useful) continue;
      if (parts.size() >= kSegmentsPerReadMax || (!parts.empty() && bytes + segment.bytes > bytes_max)) return parts;
      bytes += segment.bytes;
      parts.push_back({number, segment.position});
    }
  }
  return parts;
}

Result<size_t> Store::read_segments(const SegmentRead& read, uint64_t cookie, Outbox<Effect>& out) {
  const auto it = objects_.find(read.object);
  if (it == objects_.end() || !alive(it->second)) {
    return fail(Errc::kNotFound, "object " + read.object.brief() + " is not held here");
  }
  if (read.exclude.size() > kExcludedRangesMax) {
    return fail(Errc::kLimit, "a request excludes at most " + std::to_string(kExcludedRangesMax) + " ranges");
  }
  if (reads_.size() >= limits_.reads_in_flight_max) return fail(Errc::kLimit, "the disk is behind with reads; try again");
  PendingRead pending;
  pending.cookie = cookie;
  pending.object = read.object;
  pending.parts = select(it->second, read);
  it->second.last_read = ++read_clock_;
  if (pending.parts.empty()) return size_t(0);
  const uint64_t token = ++last_token_;
  DiskRead effect{token, Column::kSymbols, {}};
  for (const SegmentPart& part : pending.parts) {
    effect.keys.push_back(symbols_key({read.object, part.block, part.position}));
  }
  const size_t count = pending.parts.size();
  reads_.emplace(token, std::move(pending));
  out.push(std::move(effect));
  return count;
}

Loaded Store::on_loaded(uint64_t token, std::vector<std::optional<Bytes>> values, Outbox<Effect>& out) {
  auto node = reads_.extract(token);
  CHECK_MSG(!node.empty(), "the disk answers each read once");
  const PendingRead& read = node.mapped();
  Loaded loaded;
  loaded.cookie = read.cookie;
  loaded.object = read.object;
  loaded.origin = read.origin;
  if (read.kind == ReadKind::kReceipts) {
    CHECK(values.size() == read.count);
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i]) loaded.receipts.push_back({read.first_sequence + i, std::move(*values[i])});
      else ++loaded.missing;
    }
    return loaded;
  }
  if (read.kind == ReadKind::kPages) {
    CHECK(values.size() == read.count);
    for (const std::optional<Bytes>& page : values) loaded.missing += page ? 0 : 1;
    loaded.pages = std::move(values);
    return loaded;
  }
  CHECK(values.size() == read.parts.size());
  std::vector<SegmentPart> lost;
  for (size_t i = 0; i < values.size(); ++i) {
    const SegmentPart& part = read.parts[i];
    const Segment* segment = find_segment(read.object, part.block, part.position);
    const bool held = segment && segment->readable();
    if (held && values[i] && values[i]->size() == segment->bytes) {
      loaded.segments.push_back({part.block, part.position, to_esis(segment->runs), std::move(*values[i])});
      continue;
    }
    // Dropped while the read was under way is no loss.
    ++loaded.missing;
    if (held) lost.push_back(part);
  }
  if (!lost.empty()) forget_lost(read.object, lost, out);
  return loaded;
}

Loaded Store::on_load_failed(uint64_t token, const Error& error) {
  auto node = reads_.extract(token);
  CHECK_MSG(!node.empty(), "the disk answers each read once");
  Loaded loaded;
  loaded.cookie = node.mapped().cookie;
  loaded.object = node.mapped().object;
  loaded.origin = node.mapped().origin;
  loaded.status = error;
  return loaded;
}

void Store::forget_lost(const ObjectId& id, const std::vector<SegmentPart>& lost, Outbox<Effect>& out) {
  segments_lost_ += lost.size();
  // With no room now, the next read finds the same loss and tries again.
  if (!room_for(1, lost.size() * 128).ok()) return;
  const auto it = objects_.find(id);
  std::vector<Write> writes;
  for (const SegmentPart& part : lost) {
    Segment* segment = find_segment(id, part.block, part.position);
    segment->drop_token = last_token_ + 1;
    segment->drop_count = 1;
    it->second.live_bytes -= segment->charge();
    --it->second.live_segments;
    const SegmentKey key{id, part.block, part.position};
    writes.push_back({Column::kMeta, segment_head_key(key), std::nullopt});
    writes.push_back({Column::kSymbols, symbols_key(key), std::nullopt});
  }
  submit(std::move(writes), {SegmentDrop{id, DropScope::kListed}}, out);
  account(it);
}

Store::Segment* Store::find_segment(const ObjectId& object, uint8_t block, uint32_t position) {
  const auto it = objects_.find(object);
  if (it == objects_.end()) return nullptr;
  const auto at = it->second.blocks.find(block);
  if (at == it->second.blocks.end()) return nullptr;
  std::vector<Segment>& segments = at->second.segments;
  const auto found = std::lower_bound(segments.begin(), segments.end(), position,
                                      [](const Segment& s, uint32_t p) { return s.position < p; });
  return found != segments.end() && found->position == position ? &*found : nullptr;
}

// --- Dropping.

void Store::stage_drop(Objects::iterator it, uint64_t token, std::vector<Write>& writes, std::vector<Change>& changes) {
  Object& object = it->second;
  writes.push_back({Column::kMeta, object_meta_key(it->first), std::nullopt});
  for (auto& [number, block] : object.blocks) {
    for (Segment& segment : block.segments) {
      const SegmentKey key{it->first, number, segment.position};
      writes.push_back({Column::kMeta, segment_head_key(key), std::nullopt});
      writes.push_back({Column::kSymbols, symbols_key(key), std::nullopt});
      if (segment.live()) segment.drop_token = token;
      ++segment.drop_count;
    }
  }
  object.live_bytes = 0;
  object.live_segments = 0;
  object.meta.stage(token, std::nullopt);
  // In this order: the object may be forgotten once both are settled, and the last one does it.
  changes.push_back(SegmentDrop{it->first, DropScope::kObject});
  changes.push_back(MetaChange{it->first});
}

Result<Dropped> Store::drop_all(const std::vector<ObjectId>& ids, std::optional<uint64_t> cookie, Outbox<Effect>& out) {
  size_t keys = 0;
  for (const ObjectId& id : ids) keys += 1 + 2 * objects_.find(id)->second.segment_count;
  TRY(room_for(keys / kWritesPerBatchMax + 1, keys * 48));
  Dropped dropped;
  std::set<uint64_t> tokens;
  std::vector<Write> writes;
  std::vector<Change> changes;
  for (const ObjectId& id : ids) {
    const auto it = objects_.find(id);
    dropped.bytes += it->second.live_bytes;
    ++dropped.objects;
    stage_drop(it, last_token_ + 1, writes, changes);
    account(it);
    if (writes.size() >= kWritesPerBatchMax) {
      tokens.insert(submit(std::exchange(writes, {}), std::exchange(changes, {}), out));
    }
  }
  if (!writes.empty()) tokens.insert(submit(std::move(writes), std::move(changes), out));
  dropped.accepted = cookie ? wait_for(tokens, *cookie) : Accepted::kPending;
  return dropped;
}

Result<Dropped> Store::drop_object(const ObjectId& id, uint64_t cookie, Outbox<Effect>& out) {
  const auto it = objects_.find(id);
  if (it == objects_.end()) return Dropped{};
  if (alive(it->second)) return drop_all({id}, cookie, out);
  if (it->second.meta.certain()) return Dropped{};
  if (!it->second.meta.will_be_certain()) return drop_all({id}, cookie, out);
  // It is on its way out already: done when that is done.
  TRY(room_for(0, 0));
  Dropped dropped;
  dropped.accepted = wait_for({it->second.meta.newest_token()}, cookie);
  return dropped;
}

Result<Dropped> Store::drop_origin(const OriginId& origin, uint64_t cookie, Outbox<Effect>& out) {
  // An object in doubt may be any origin's.
  std::vector<ObjectId> ids(in_doubt_.begin(), in_doubt_.end());
  for (const auto& [id, object] : objects_) {
    if (alive(object) && object.meta.current()->origin == origin) ids.push_back(id);
  }
  if (ids.empty()) return Dropped{};
  return drop_all(ids, cookie, out);
}

Result<Dropped> Store::reclaim(Instant now, uint64_t bytes_wanted, ReclaimOrder order, Outbox<Effect>& out) {
  struct Candidate {
    Hold hold;
    uint64_t rank;
    ObjectId id;
    uint64_t bytes;
  };
  std::vector<Candidate> candidates;
  for (const auto& [id, object] : objects_) {
    const HoldMeta* meta = object.meta.current();
    if (!meta || meta->hold == Hold::kPinned || meta->retain_until_s > now.unix_seconds()) continue;
    const uint64_t rank = order == ReclaimOrder::kSoonestExpiry ? meta->expires_s : object.last_read;
    candidates.push_back({meta->hold, rank, id, object.live_bytes});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.hold, a.rank, a.id) < std::tie(b.hold, b.rank, b.id);
  });
  std::vector<ObjectId> ids;
  uint64_t bytes = 0;
  for (const Candidate& candidate : candidates) {
    if (bytes >= bytes_wanted) break;
    bytes += candidate.bytes;
    ids.push_back(candidate.id);
  }
  if (ids.empty()) return Dropped{};
  return drop_all(ids, std::nullopt, out);
}

Dropped Store::expire(Instant now, Outbox<Effect>& out) {
  if (std::exchange(write_failed_, false)) {
    expire_not_before_ = now + kExpireRetryDelay;
    return {};
  }
  if (now < expire_not_before_) return {};
  std::vector<ObjectId> ids;
  for (const ObjectId& id : in_doubt_) {
    if (ids.size() >= kObjectsPerExpireMax) break;
    ids.push_back(id);
  }
  for (const auto& [expires_s, id] : by_expiry_) {
    if (expires_s > now.unix_seconds() || ids.size() >= kObjectsPerExpireMax) break;
    ids.push_back(id);
  }
  if (ids.empty()) return {};
  const Result<Dropped> dropped = drop_all(ids, std::nullopt, out);
  if (!dropped.ok()) expire_not_before_ = now + kExpireRetryDelay;
  return dropped.value_or(Dropped{});
}

Instant Store::next_deadline() const {
  constexpr uint64_t kNeverS = uint64_t(INT64_MAX / 1'000'000'000);
  if (!in_doubt_.empty()) return expire_not_before_;
  if (by_expiry_.empty() || by_expiry_.begin()->first >= kNeverS) return Instant::never();
  return std::max(Instant::from_unix_seconds(by_expiry_.begin()->first), expire_not_before_);
}

// --- Answers.

void Store::settle_segment_put(uint64_t token, Outcome outcome, const SegmentPut& put) {
  Segment* segment = find_segment(put.object, put.block, put.position);
  if (!segment || segment->put_token != token) return;  // dropped meanwhile
  if (outcome == Outcome::kPersisted) {
    segment->put_token = 0;
    return;
  }
  const auto it = objects_.find(put.object);
  if (segment->live()) {
    it->second.live_bytes -= segment->charge();
    --it->second.live_segments;
  }
  std::vector<Segment>& segments = it->second.blocks[put.block].segments;
  segments.erase(segments.begin() + (segment - segments.data()));
  --it->second.segment_count;
  --segment_count_;
  account(it);
}

void Store::settle_segment_drop(uint64_t token, Outcome outcome, const SegmentDrop& drop) {
  const auto it = objects_.find(drop.object);
  if (it == objects_.end()) return;
  Object& object = it->second;
  const auto covered = [token, &drop](const Segment& s) {
    return drop.scope == DropScope::kListed ? s.drop_token == token : s.drop_token != 0 && s.drop_token <= token;
  };
  for (auto& [number, block] : object.blocks) {
    if (outcome == Outcome::kPersisted) {
      const size_t gone = std::erase_if(block.segments, covered);
      object.segment_count -= gone;
      segment_count_ -= gone;
      continue;
    }
    for (Segment& segment : block.segments) {
      if (!covered(segment) || --segment.drop_count > 0) continue;
      segment.drop_token = 0;
      segment.doubtful = true;
      object.live_bytes += segment.charge();
      ++object.live_segments;
    }
  }
  account(it);
}

}  // namespace selvedge::store
