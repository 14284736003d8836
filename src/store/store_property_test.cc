// The store against a model, through random calls, answers out of order, failures and crashes.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "store/store.h"
#include "store/store_testing.h"

namespace selvedge::store {
namespace {

/// What the caller was told, kept apart from the store: decides what must and must not be there after a crash.
class Model {
 public:
  enum class State { kOpen, kDone, kFailed };
  enum class Verb { kPut, kDrop };
  using Symbol = std::tuple<ObjectId, uint8_t, uint32_t>;

  uint64_t open(Verb verb, std::vector<Symbol> symbols) {
    events_.push_back({verb, State::kOpen, std::move(symbols)});
    return events_.size() - 1;
  }
  uint64_t open_drop(const ObjectId& object) {
    std::vector<Symbol> all;
    for (uint8_t block = 0; block < 2; ++block) {
      for (uint32_t esi = 0; esi < 40; ++esi) all.push_back({object, block, esi});
    }
    return open(Verb::kDrop, std::move(all));
  }
  void close(uint64_t cookie, State state) { events_[cookie].state = state; }

  /// kPut: must be there. kDrop: must not. nullopt: either is right.
  std::map<Symbol, std::optional<Verb>> expected_after_crash() const {
    std::map<Symbol, std::optional<Verb>> expected;
    std::set<Symbol> failed;
    for (const Event& event : events_) {
      for (const Symbol& symbol : event.symbols) {
        if (event.verb == Verb::kPut && event.state == State::kFailed) failed.insert(symbol);
        auto [it, fresh] = expected.try_emplace(symbol, Verb::kDrop);
        // What was acknowledged is certain; what was tried after that makes it uncertain unless it agrees.
        if (event.state == State::kDone) it->second = event.verb;
        else if (it->second != event.verb) it->second = std::nullopt;
      }
    }
    // A put that failed may come back whole when its object is held again; it stays away while the object does.
    for (const Symbol& symbol : failed) {
      const bool held = std::any_of(expected.begin(), expected.end(), [&symbol](const auto& other) {
        return std::get<0>(other.first) == std::get<0>(symbol) && other.second != Verb::kDrop;
      });
      if (held && expected[symbol] == Verb::kDrop) expected[symbol] = std::nullopt;
    }
    return expected;
  }
  /// With every write answered: the last one that did not fail decides.
  std::map<Symbol, Verb> expected_now() const {
    std::map<Symbol, Verb> expected = certain_;
    for (const Event& event : events_) {
      for (const Symbol& symbol : event.symbols) {
        if (event.state != State::kFailed) expected[symbol] = event.verb;
      }
    }
    return expected;
  }
  void restart(const std::vector<Symbol>& there) {
    // A new life: what was found is the start of the story.
    events_.clear();
    certain_.clear();
    for (const Symbol& symbol : there) certain_[symbol] = Verb::kPut;
    if (!there.empty()) close(open(Verb::kPut, there), State::kDone);
  }
  size_t size() const { return events_.size(); }

 private:
  struct Event {
    Verb verb;
    State state;
    std::vector<Symbol> symbols;
  };
  std::vector<Event> events_;
  std::map<Symbol, Verb> certain_;
};

/// One random life of a store: calls, answers out of order, failures, crashes; the model is asked at each rest.
class Life {
 public:
  explicit Life(uint64_t seed) : rng_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) step();
    settle_all();
    check_now();
  }

 private:
  ObjectId object() { return make_id<ObjectId>(uint8_t(1 + rng_.below(4))); }

  void step() {
    switch (rng_.below(12)) {
      case 0: case 1: case 2: case 3: put(); break;
      case 4: drop(); break;
      case 5: expire(); break;
      case 6: case 7: case 8: answer_one(); break;
      case 9: if (rng_.chance(1, 3)) { settle_all(); check_now(); } break;
      case 10: if (rng_.chance(1, 4)) crash(); break;
      default: record(); break;
    }
  }
  void put() {
    const ObjectId id = object();
    const uint8_t origin = uint8_t(1 + id.bytes[0] % 2);
    const uint8_t block = uint8_t(rng_.below(2));
    std::vector<uint32_t> esis;
    std::vector<Model::Symbol> symbols;
    const uint32_t first = uint32_t(rng_.below(34));
    for (uint32_t i = 0, n = uint32_t(rng_.between(1, 6)); i < n; ++i) {
      esis.push_back(first + i);
      symbols.push_back({id, block, first + i});
    }
    const uint64_t cookie = model_.open(Model::Verb::kPut, symbols);
    const auto result = bench_.put(meta_of(id.bytes[0], origin, 1000 + rng_.below(100)), block, esis, cookie);
    if (!result.ok()) model_.close(cookie, Model::State::kFailed);
    else if (*result == Accepted::kDurable) model_.close(cookie, Model::State::kDone);
    const Usage usage = bench_.store->usage(make_id<OriginId>(origin));
    if (result.ok()) {
      EXPECT_LE(usage.bytes, usage.bytes_max);
    }
  }
  void drop() {
    const ObjectId id = object();
    const uint64_t cookie = model_.open_drop(id);
    const auto result = bench_.store->drop_object(id, cookie, bench_.out);
    bench_.disk.take(bench_.out);
    ASSERT_TRUE(result.ok());
    if (result->accepted == Accepted::kDurable) model_.close(cookie, Model::State::kDone);
  }
  void expire() {
    // No cookie: the model learns the fate from the tokens that the call issued.
    const Instant now = Instant::from_unix_seconds(900 + rng_.below(160));
    std::vector<ObjectId> before = bench_.store->objects(nullptr, SIZE_MAX);
    const auto tokens_before = bench_.disk.in_flight();
    bench_.store->expire(now, bench_.out);
    bench_.disk.take(bench_.out);
    const auto tokens = bench_.disk.in_flight();
    for (const ObjectId& id : before) {
      if (bench_.store->find_object(id)) continue;
      ASSERT_EQ(tokens.size(), tokens_before.size() + 1);
      silent_drops_[tokens.back()].push_back(model_.open_drop(id));
    }
  }
  void record() {
    const RecordId id = make_id<RecordId>(uint8_t(rng_.below(3)));
    const uint8_t value = uint8_t(rng_.below(4));
    const auto result = value == 0 ? bench_.store->erase_record(1, id, kRecordCookie, bench_.out)
                                   : bench_.store->put_record(1, id, {value}, kRecordCookie, bench_.out);
    ASSERT_TRUE(result.ok());
    bench_.disk.take(bench_.out);
  }
  void answer(uint64_t token, FakeDisk::Fate fate) {
    const bool persisted = fate == FakeDisk::Fate::kPersisted;
    for (const uint64_t event : silent_drops_[token]) {
      model_.close(event, persisted ? Model::State::kDone : Model::State::kFailed);
    }
    for (const Done& done : bench_.answer(token, fate)) {
      if (done.cookie == kRecordCookie) continue;
      model_.close(done.cookie, done.status.ok() ? Model::State::kDone : Model::State::kFailed);
    }
  }
  void answer_one() {
    const auto tokens = bench_.disk.in_flight();
    if (tokens.empty()) return;
    const size_t pick = rng_.chance(1, 4) ? rng_.below(tokens.size()) : 0;
    answer(tokens[pick], rng_.chance(1, 5) ? FakeDisk::Fate::kFailed : FakeDisk::Fate::kPersisted);
  }
  void settle_all() {
    for (const uint64_t token : bench_.disk.in_flight()) {
      answer(token, rng_.chance(1, 5) ? FakeDisk::Fate::kFailed : FakeDisk::Fate::kPersisted);
    }
    EXPECT_EQ(bench_.store->writes_in_flight(), 0u);
  }
  std::vector<Model::Symbol> symbols_there() {
    std::vector<Model::Symbol> there;
    for (const ObjectId& id : bench_.store->objects(nullptr, SIZE_MAX)) {
      for (const LoadedSegment& segment : bench_.read_all(id)) {
        EXPECT_EQ(segment.payload, payload_of(id, segment.block, segment.esis));
        for (const uint32_t esi : segment.esis) there.push_back({id, segment.block, esi});
      }
    }
    std::sort(there.begin(), there.end());
    there.erase(std::unique(there.begin(), there.end()), there.end());
    return there;
  }
  void check_now() {
    bench_.expect_index_matches_disk();
    std::vector<Model::Symbol> expected;
    for (const auto& [symbol, verb] : model_.expected_now()) {
      if (verb == Model::Verb::kPut) expected.push_back(symbol);
    }
    EXPECT_EQ(symbols_there().size(), expected.size());
    EXPECT_TRUE(symbols_there() == expected);
    for (const auto& [at, value] : bench_.disk.content()) {
      if (at.first == Column::kRecords) {
        const Bytes* held = bench_.store->find_record(1, *RecordId::from(ByteView(at.second).subspan(1)));
        ASSERT_NE(held, nullptr);
        EXPECT_EQ(*held, value);
      }
    }
  }
  void crash() {
    const auto expected = model_.expected_after_crash();
    bench_.crash(rng_.next());
    bench_.sync();
    silent_drops_.clear();
    bench_.expect_index_matches_disk();
    const auto there = symbols_there();
    for (const auto& [symbol, verb] : expected) {
      if (!verb) continue;
      const bool found = std::binary_search(there.begin(), there.end(), symbol);
      EXPECT_EQ(found, *verb == Model::Verb::kPut) << "object " << int(std::get<0>(symbol).bytes[0]) << " esi "
                                                  << std::get<2>(symbol);
    }
    model_.restart(there);
  }

  static constexpr uint64_t kRecordCookie = UINT64_MAX;
  Rng rng_;
  Bench bench_;
  Model model_;
  std::map<uint64_t, std::vector<uint64_t>> silent_drops_;
};

// req: B6
TEST(StoreProperty, WhatWasAcknowledgedSurvivesAnyCrashAndNothingIsHalfThere) {
  for (uint64_t seed = 0; seed < 150 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Life(seed).run(250);
  }
}

// req: A11
TEST(StoreProperty, AcknowledgedRecordsSurviveAnyCrashAndErasedOnesStayAway) {
  for (uint64_t seed = 0; seed < 150 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Bench b;
    // Values (0: erased) that a restart may find: the last acknowledged one first, then what was tried after it.
    std::vector<uint8_t> possible{0};
    std::map<uint64_t, uint8_t> value_of;
    std::vector<uint64_t> order;  // cookies in the order of the calls, from the last acknowledged one on
    const RecordId id = make_id<RecordId>(1);
    const auto acknowledge = [&](uint64_t cookie) {
      const auto at = std::find(order.begin(), order.end(), cookie);
      if (at == order.end()) return;  // a later call was acknowledged before
      order.erase(order.begin(), at);
      possible.clear();
      for (const uint64_t c : order) possible.push_back(value_of[c]);
    };
    for (uint64_t cookie = 1; cookie <= 80; ++cookie) {
      const uint8_t value = uint8_t(rng.below(4));
      value_of[cookie] = value;
      order.push_back(cookie);
      possible.push_back(value);
      const auto result = value == 0 ? b.store->erase_record(1, id, cookie, b.out)
                                     : b.store->put_record(1, id, {value}, cookie, b.out);
      ASSERT_TRUE(result.ok());
      if (*result == Accepted::kDurable) acknowledge(cookie);
      b.disk.take(b.out);
      const auto tokens = b.disk.in_flight();
      if (!tokens.empty() && rng.chance(2, 3)) {
        const auto fate = rng.chance(1, 3) ? FakeDisk::Fate::kFailed : FakeDisk::Fate::kPersisted;
        for (const Done& done : b.answer(tokens[rng.below(tokens.size())], fate)) {
          if (done.status.ok()) acknowledge(done.cookie);
        }
      }
      if (!rng.chance(1, 10)) continue;
      b.crash(rng.next());
      const Bytes* found = b.store->find_record(1, id);
      const uint8_t now = found ? (*found)[0] : 0;
      EXPECT_NE(std::find(possible.begin(), possible.end(), now), possible.end()) << "found " << int(now);
      possible = {now};
      order.clear();
    }
  }
}

TEST(StoreProperty, AcknowledgedReceiptsSurviveAnyCrash) {
  for (uint64_t seed = 0; seed < 60 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Bench b;
    const OriginId origin = make_id<OriginId>(1);
    std::map<uint64_t, Bytes> acknowledged, issued;  // issued: by cookie
    std::map<uint64_t, uint64_t> sequence_of;
    uint64_t cookie = 0;
    for (int i = 0; i < 60; ++i) {
      const Bytes receipt{uint8_t(rng.next()), uint8_t(rng.next())};
      ++cookie;
      sequence_of[cookie] = *b.store->append_receipt(origin, receipt, cookie, b.out);
      issued[cookie] = receipt;
      b.disk.take(b.out);
      const auto tokens = b.disk.in_flight();
      for (const Done& done : b.answer(tokens[rng.below(tokens.size())], rng.chance(1, 6) ? FakeDisk::Fate::kFailed
                                                                                        : FakeDisk::Fate::kPersisted)) {
        if (done.status.ok()) {
          EXPECT_TRUE(acknowledged.emplace(sequence_of[done.cookie], issued[done.cookie]).second);
        }
      }
      if (rng.chance(1, 12)) b.crash(rng.next());
      ASSERT_LE(*b.store->read_receipts(origin, 0, 200, 1, b.out), 200u);
      std::map<uint64_t, Bytes> found;
      for (Loaded& loaded : b.serve_reads()) {
        for (LoadedReceipt& r : loaded.receipts) found[r.sequence] = r.bytes;
      }
      for (const auto& [sequence, bytes] : acknowledged) EXPECT_EQ(found[sequence], bytes);
    }
  }
}

TEST(StoreProperty, ARottenDiskIsSurvivedAndNeverServesWrongSymbols) {
  for (uint64_t seed = 0; seed < 60 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Bench b;
    for (uint32_t i = 0; i < 30; ++i) ASSERT_TRUE(b.put(meta_of(uint8_t(1 + i % 3)), 0, {i, i + 100}, i).ok());
    b.sync();
    b.crash(seed);
    for (int i = 0; i < 12; ++i) {
      auto it = b.disk.base().begin();
      std::advance(it, ptrdiff_t(rng.below(b.disk.base().size())));
      // Flipped payload bits are for RocksDB's checksums and the symbols' tags to find: here only the index rots.
      if (rng.chance(1, 3)) b.disk.base().erase(it);
      else if (rng.chance(1, 2)) it->second.resize(rng.below(it->second.size() + 1));
      else if (it->first.first == Column::kMeta) it->second[0] ^= uint8_t(1 + rng.below(255));
    }
    b.start();
    b.sync();
    for (const ObjectId& id : b.store->objects(nullptr, SIZE_MAX)) {
      for (const LoadedSegment& segment : b.read_all(id)) EXPECT_EQ(segment.payload, payload_of(id, segment.block, segment.esis));
    }
    b.sync();
    const uint64_t lost = b.store->segments_lost();
    for (const ObjectId& id : b.store->objects(nullptr, SIZE_MAX)) b.read_all(id);
    EXPECT_EQ(b.store->segments_lost(), lost);  // each loss is found once
  }
}

}  // namespace
}  // namespace selvedge::store
