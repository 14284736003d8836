// For the tests of this folder: a disk that loses, reorders and fails whatever was not synced, and a store on it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "store/layout.h"
#include "store/store.h"

namespace selvedge::store {

template <class Id>
Id make_id(uint8_t n) {
  Id id;
  id.bytes.fill(n);
  return id;
}

inline constexpr uint64_t kFarS = 4'000'000'000;
inline constexpr size_t kSymbolBytes = 16;

/// The payload that belongs to these symbols: what comes back must be exactly this.
inline Bytes payload_of(const ObjectId& object, uint8_t block, std::span<const uint32_t> esis) {
  Bytes out;
  for (const uint32_t esi : esis) {
    Rng rng(object.bytes[0] * 1'000'003u + block * 7919u + esi);
    for (size_t i = 0; i < kSymbolBytes; ++i) out.push_back(uint8_t(rng.next()));
  }
  return out;
}

inline HoldMeta meta_of(uint8_t object, uint8_t origin = 1, uint64_t expires_s = kFarS) {
  return {make_id<ObjectId>(object), make_id<OriginId>(origin), make_id<ZoneId>(9), expires_s, Hold::kReplica, 0};
}

/// Keeps every write with its fate, so that a crash can pick any subset of what was not acknowledged.
class FakeDisk {
 public:
  using Content = std::map<std::pair<Column, Bytes>, Bytes>;
  enum class Fate { kInFlight, kPersisted, kFailed };

  void take(Outbox<Effect>& out) {
    for (Effect& effect : out.take()) {
      if (auto* write = std::get_if<DiskWrite>(&effect)) log_.push_back({std::move(*write), Fate::kInFlight});
      else reads_.push_back(std::get<DiskRead>(std::move(effect)));
    }
  }
  std::vector<uint64_t> in_flight() const {
    std::vector<uint64_t> tokens;
    for (const Entry& entry : log_) {
      if (entry.fate == Fate::kInFlight) tokens.push_back(entry.write.token);
    }
    return tokens;
  }
  void decide(uint64_t token, Fate fate) {
    for (Entry& entry : log_) {
      if (entry.write.token == token) entry.fate = fate;
    }
  }
  /// What reads see: everything but the failed writes.
  Content content() const {
    Content now = base_;
    for (const Entry& entry : log_) {
      if (entry.fate != Fate::kFailed) apply(now, entry.write);
    }
    return now;
  }
  std::optional<DiskRead> next_read() {
    if (reads_.empty()) return std::nullopt;
    DiskRead read = std::move(reads_.front());
    reads_.pop_front();
    return read;
  }
  std::vector<std::optional<Bytes>> answer(const DiskRead& read) const {
    const Content now = content();
    std::vector<std::optional<Bytes>> values;
    for (const Bytes& key : read.keys) {
      const auto it = now.find({read.column, key});
      values.push_back(it == now.end() ? std::nullopt : std::optional<Bytes>(it->second));
    }
    return values;
  }
  /// Acknowledged writes survive; each other one survives or not by itself, whole (the disk's log discards torn ones).
  void crash(Rng& rng) {
    for (const Entry& entry : log_) {
      const bool survives = entry.fate == Fate::kPersisted || rng.chance(1, entry.fate == Fate::kFailed ? 4 : 2);
      if (survives) apply(base_, entry.write);
    }
    log_.clear();
    reads_.clear();
  }
  Content& base() { return base_; }
  RecoveryReport load(Store& store, Outbox<Effect>& out) const {
    for (const auto& [at, value] : base_) {
      if (at.first == Column::kMeta || at.first == Column::kRecords) (void)store.recover(at.first, at.second, value);
    }
    return store.recovered(out);
  }

 private:
  struct Entry {
    DiskWrite write;
    Fate fate;
  };
  static void apply(Content& content, const DiskWrite& write) {
    for (const Write& w : write.writes) {
      if (w.value) content[{w.column, w.key}] = *w.value;
      else content.erase({w.column, w.key});
    }
  }
  Content base_;
  std::deque<Entry> log_;
  std::deque<DiskRead> reads_;
};

/// A store with its disk, driven by hand.
struct Bench {
  explicit Bench(const Limits& given = {}) : limits(given) { start(); }
  void start() {
    store = std::make_unique<Store>(limits);
    report = disk.load(*store, out);
    disk.take(out);
    for (uint8_t origin = 1; origin <= 3; ++origin) EXPECT_TRUE(store->set_quota(make_id<OriginId>(origin), 1 << 20).ok());
  }
  Result<Accepted> put(const HoldMeta& meta, uint8_t block, std::vector<uint32_t> esis, uint64_t cookie) {
    auto result = store->put_segment(meta, block, esis, payload_of(meta.object, block, esis), cookie, out);
    disk.take(out);
    return result;
  }
  std::vector<Done> answer(uint64_t token, FakeDisk::Fate fate) {
    disk.decide(token, fate);
    if (fate == FakeDisk::Fate::kPersisted) return store->on_persisted(token);
    return store->on_write_failed(token, fail(Errc::kIo, "no space left on device"));
  }
  std::vector<Done> answer_all(FakeDisk::Fate fate) {
    std::vector<Done> done;
    for (const uint64_t token : disk.in_flight()) {
      for (Done& d : answer(token, fate)) done.push_back(std::move(d));
    }
    return done;
  }
  std::vector<Done> sync() { return answer_all(FakeDisk::Fate::kPersisted); }
  std::vector<Done> refuse() { return answer_all(FakeDisk::Fate::kFailed); }
  std::vector<Loaded> serve_reads() {
    disk.take(out);
    std::vector<Loaded> loaded;
    while (const auto read = disk.next_read()) loaded.push_back(store->on_loaded(read->token, disk.answer(*read), out));
    disk.take(out);
    return loaded;
  }
  void crash(uint64_t seed) {
    Rng rng(seed);
    disk.crash(rng);
    start();
  }
  std::vector<LoadedSegment> read_all(const ObjectId& object) {
    std::vector<LoadedSegment> segments;
    SegmentRead read{object, std::nullopt, {}, 1 << 20};
    const auto asked = store->read_segments(read, 1, out);
    if (!asked.ok()) return segments;
    for (Loaded& loaded : serve_reads()) {
      for (LoadedSegment& segment : loaded.segments) segments.push_back(std::move(segment));
    }
    return segments;
  }
  /// The index says exactly what the disk holds: call when nothing is in flight.
  void expect_index_matches_disk() {
    uint64_t bytes = 0, segments = 0, objects = 0;
    for (const auto& [at, value] : disk.content()) {
      if (at.first == Column::kSymbols) {
        bytes += value.size() + kSegmentOverheadBytes;
        ++segments;
      }
      if (at.first == Column::kMeta && at.second[0] == uint8_t(MetaTag::kObject)) ++objects;
    }
    EXPECT_EQ(store->total_usage().bytes, bytes);
    EXPECT_EQ(store->total_usage().segments, segments);
    EXPECT_EQ(store->total_usage().objects, objects);
    uint64_t by_origin = 0;
    for (uint8_t origin = 1; origin <= 3; ++origin) by_origin += store->usage(make_id<OriginId>(origin)).bytes;
    EXPECT_EQ(by_origin, bytes);
    for (const ObjectId& id : store->objects(nullptr, SIZE_MAX)) {
      std::map<uint8_t, std::vector<EsiRun>> runs;
      for (const LoadedSegment& segment : read_all(id)) {
        EXPECT_EQ(segment.payload, payload_of(id, segment.block, segment.esis));
        for (const EsiRun& run : to_runs(segment.esis)) runs[segment.block].push_back(run);
      }
      for (const BlockCoverage& block : store->coverage(id)) EXPECT_EQ(block.symbols, distinct_count(runs[block.block]));
    }
    EXPECT_EQ(store->segments_lost(), 0u);
  }

  Limits limits;
  Outbox<Effect> out;
  FakeDisk disk;
  std::unique_ptr<Store> store;
  RecoveryReport report;
};

}  // namespace selvedge::store
