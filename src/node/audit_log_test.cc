// The log on a disk that loses, reorders and fails what was not synced: what a head covered stays, what was written is not lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "crypto/hash.h"
#include "node/audit_log.h"
#include "object/tlog.h"
#include "store/store_testing.h"

namespace selvedge::node {
namespace {

using object::Digest;
using object::TileId;

crypto::Seed log_seed(uint8_t byte) { return crypto::Seed::from(Bytes(32, byte)).value(); }

object::AuditEntry entry_numbered(uint64_t number) {
  object::AuditEntry entry;
  entry.kind = object::AuditKind::kGrant;
  entry.detail = "entry " + std::to_string(number);
  entry.digest = crypto::sha256(view(entry.detail));
  entry.subject = entry.digest;
  return entry;
}

class LogBench {
 public:
  LogBench() { start(); }
  void start() {
    NodeConfig config;
    config.owner = &owner_;
    config.node = &node_;
    config.seal = &seal_;
    config.verifier = &verifier_;
    config.started = now;
    config.zone_root = log_seed(4);
    config.random = log_seed(5);
    core = std::make_unique<Core>(std::move(config));
    log = std::make_unique<AuditLog>(*core);
    Outbox<store::Effect> effects;
    (void)disk.load(core->store, effects);
    disk.take(effects);
    act([&](Turn& turn) { ASSERT_TRUE(log->restore(turn).ok()); });
  }
  template <class What>
  void act(What what) {
    Outbox<Effect> out;
    Turn turn{now, out};
    what(turn);
    take(out);
  }
  void append(uint64_t number) {
    act([&](Turn& turn) { log->append(turn, entry_numbered(number)); });
  }
  void answer(uint64_t token, store::FakeDisk::Fate fate) {
    disk.decide(token, fate);
    act([&](Turn& turn) {
      core->on_done(turn, fate == store::FakeDisk::Fate::kPersisted ? core->store.on_persisted(token)
                                                                    : core->store.on_write_failed(token, fail(Errc::kIo, "no space left on device")));
    });
  }
  void sync() {
    for (std::vector<uint64_t> tokens = disk.in_flight(); !tokens.empty(); tokens = disk.in_flight()) {
      for (const uint64_t token : tokens) answer(token, store::FakeDisk::Fate::kPersisted);
    }
  }
  /// Until everything is on disk, on a disk that works again.
  void settle() {
    for (int i = 0; i < 10 && (log->open() > 0 || !disk.in_flight().empty() || log->next_deadline() != Instant::never()); ++i) {
      sync();
      now = now + kAuditRetryPause;
      act([&](Turn& turn) { log->on_deadline(turn); });
    }
    sync();
  }
  void crash(Rng& rng) {
    disk.crash(rng);
    start();
  }
  std::vector<std::string> details() {
    std::vector<std::string> out;
    for (uint64_t bundle = 0; bundle * object::kTileWidth < log->size(); ++bundle) {
      act([&](Turn& turn) {
        log->entries(turn, bundle, [&](Turn&, Result<std::vector<Bytes>> entries) {
          EXPECT_TRUE(entries.ok());
          for (const Bytes& bytes : entries.value()) out.push_back(object::open_unsigned<object::AuditEntry>(bytes).value().detail);
        });
      });
      serve();
    }
    return out;
  }
  Result<std::vector<Digest>> prove(object::ProofPlan plan) {
    Result<std::vector<Digest>> out = fail(Errc::kInternal, "no answer");
    act([&](Turn& turn) { log->prove(turn, std::move(plan), [&](Turn&, Result<std::vector<Digest>> proof) { out = std::move(proof); }); });
    serve();
    return out;
  }
  Result<Bytes> tile(const TileId& id, size_t width) {
    Result<Bytes> out = fail(Errc::kInternal, "no answer");
    act([&](Turn& turn) { log->tile(turn, id, width, [&](Turn&, Result<Bytes> bytes) { out = std::move(bytes); }); });
    serve();
    return out;
  }
  Digest root_at(uint64_t size) { return size == 0 ? object::merkle_empty() : prove(object::plan_root(size).value()).value()[0]; }

  Instant now = Instant::from_unix_seconds(1'790'000'000);
  store::FakeDisk disk;
  std::unique_ptr<Core> core;
  std::unique_ptr<AuditLog> log;
  bool instant = false;

 private:
  void take(Outbox<Effect>& out) {
    Outbox<store::Effect> effects;
    for (Effect& effect : out.take()) {
      auto* use = std::get_if<UseDisk>(&effect);
      if (use == nullptr) continue;
      if (instant) perform(use->effect);
      else effects.push(std::move(use->effect));
    }
    disk.take(effects);
  }
  // A disk that works at once, for many entries.
  void perform(store::Effect& effect) {
    if (const auto* write = std::get_if<store::DiskWrite>(&effect)) {
      for (const store::Write& w : write->writes) {
        if (w.value) disk.base()[{w.column, w.key}] = *w.value;
        else disk.base().erase({w.column, w.key});
      }
      act([&](Turn& turn) { core->on_done(turn, core->store.on_persisted(write->token)); });
      return;
    }
    const auto& read = std::get<store::DiskRead>(effect);
    std::vector<std::optional<Bytes>> values;
    for (const Bytes& key : read.keys) {
      const auto it = disk.base().find({read.column, key});
      values.push_back(it == disk.base().end() ? std::nullopt : std::optional<Bytes>(it->second));
    }
    act([&](Turn& turn) {
      Outbox<store::Effect> effects;
      core->on_loaded(turn, core->store.on_loaded(read.token, std::move(values), effects));
      core->route_disk(turn, effects);
    });
  }
  void serve() {
    while (const auto read = disk.next_read()) {
      act([&](Turn& turn) {
        Outbox<store::Effect> effects;
        core->on_loaded(turn, core->store.on_loaded(read->token, disk.answer(*read), effects));
        core->route_disk(turn, effects);
      });
    }
  }
  crypto::Ed25519Signer owner_{log_seed(1)};
  crypto::Ed25519Signer node_{log_seed(2)};
  crypto::SealKeyPair seal_{log_seed(3)};
  crypto::Ed25519Verifier verifier_;
};

std::vector<std::string> counted(uint64_t count) {
  std::vector<std::string> out;
  for (uint64_t i = 0; i < count; ++i) out.push_back("entry " + std::to_string(i));
  return out;
}

Digest root_of(const std::vector<Digest>& leaves, uint64_t size) {
  object::Frontier tree;
  for (uint64_t i = 0; i < size; ++i) tree.append(leaves[i]);
  return tree.root();
}

// req: A15
TEST(AuditLog, CoversOnlyWhatIsOnDiskWithoutAHole) {
  LogBench b;
  for (uint64_t i = 0; i < 4; ++i) b.append(i);
  EXPECT_EQ(b.log->size(), 0u);
  const std::vector<uint64_t> tokens = b.disk.in_flight();
  ASSERT_EQ(tokens.size(), 4u);
  b.answer(tokens[2], store::FakeDisk::Fate::kPersisted);
  EXPECT_EQ(b.log->size(), 0u);
  b.answer(tokens[0], store::FakeDisk::Fate::kPersisted);
  EXPECT_EQ(b.log->size(), 1u);
  b.answer(tokens[1], store::FakeDisk::Fate::kFailed);
  b.answer(tokens[3], store::FakeDisk::Fate::kPersisted);
  EXPECT_EQ(b.log->size(), 1u) << "entry 1 is written again first";
  b.settle();
  EXPECT_EQ(b.details(), counted(4));
}

// req: A15
TEST(AuditLog, ThousandsOfEntriesAreSealedAndAStartReadsFew) {
  LogBench b;
  b.instant = true;
  constexpr uint64_t kCount = 66'000;
  std::vector<Digest> leaves;
  for (uint64_t i = 0; i < kCount; ++i) {
    object::AuditEntry entry = entry_numbered(i);
    entry.time_ms = b.now.unix_ms();
    leaves.push_back(object::merkle_leaf(object::unsigned_bytes(entry)));
    b.append(i);
  }
  b.settle();
  ASSERT_EQ(b.log->size(), kCount);
  EXPECT_EQ(b.log->root(), root_of(leaves, kCount));
  EXPECT_EQ(b.core->records(Record::kAuditEntry).size(), kCount % object::kTileWidth) << "what is not sealed";
  Rng rng(1);
  b.crash(rng);
  ASSERT_EQ(b.log->size(), kCount);
  EXPECT_EQ(b.log->root(), root_of(leaves, kCount));
  EXPECT_EQ(b.details(), counted(kCount));
  for (const uint64_t index : {uint64_t(0), uint64_t(255), uint64_t(256), uint64_t(65'535), uint64_t(65'536), kCount - 1}) {
    for (const uint64_t size : {kCount, kCount - 5, uint64_t(65'792)}) {
      if (index >= size) continue;
      const auto proof = b.prove(object::plan_inclusion(index, size).value());
      ASSERT_TRUE(proof.ok()) << proof.error().message;
      EXPECT_TRUE(object::check_inclusion(leaves[index], index, size, *proof, root_of(leaves, size)).ok());
    }
  }
  for (const uint64_t old : {uint64_t(1), uint64_t(300), uint64_t(65'536), uint64_t(65'999)}) {
    const auto proof = b.prove(object::plan_consistency(old, kCount).value());
    EXPECT_TRUE(object::check_consistency(old, kCount, proof.value(), root_of(leaves, old), root_of(leaves, kCount)).ok());
  }
}

// req: A15
TEST(AuditLog, TilesAreThoseOfTheTree) {
  LogBench b;
  std::vector<Digest> leaves;
  for (uint64_t i = 0; i < 600; ++i) {
    object::AuditEntry entry = entry_numbered(i);
    entry.time_ms = b.now.unix_ms();
    leaves.push_back(object::merkle_leaf(object::unsigned_bytes(entry)));
    b.append(i);
  }
  b.settle();
  const auto span = [&](size_t first, size_t count) { return object::tile_bytes(std::span(leaves).subspan(first, count)); };
  EXPECT_EQ(b.tile({0, 0}, 256).value(), span(0, 256));
  EXPECT_EQ(b.tile({0, 1}, 100).value(), span(256, 100)) << "as it was when the tree was smaller";
  EXPECT_EQ(b.tile({0, 2}, 88).value(), span(512, 88));
  EXPECT_EQ(b.tile({0, 2}, 89).code(), Errc::kNotFound);
  EXPECT_EQ(b.tile({0, 3}, 1).code(), Errc::kNotFound);
  EXPECT_EQ(b.tile({1, 0}, 2)->size(), 64u);
  EXPECT_EQ(b.tile({1, 0}, 3).code(), Errc::kNotFound);
  EXPECT_EQ(b.tile({2, 0}, 1).code(), Errc::kNotFound);
}

/// What must be true whatever the disk did, checked against what was seen before.
class AuditLife {
 public:
  explicit AuditLife(uint64_t seed) : rng_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) step();
    bench_.settle();
    check();
    // On a disk that works everything that a head covered is there, once.
    std::multiset<std::string> there;
    for (const std::string& detail : bench_.details()) there.insert(detail);
    for (const std::string& detail : acknowledged_) EXPECT_EQ(there.count(detail), 1u) << detail;
  }

 private:
  void step() {
    const uint64_t what = rng_.below(100);
    if (what < 60) {
      for (uint64_t i = 0, n = rng_.chance(1, 10) ? rng_.below(200) : 1; i < n; ++i) bench_.append(next_++);
    } else if (what < 90) {
      const std::vector<uint64_t> tokens = bench_.disk.in_flight();
      if (tokens.empty()) return;
      bench_.answer(tokens[rng_.below(tokens.size())], rng_.chance(1, 8) ? store::FakeDisk::Fate::kFailed : store::FakeDisk::Fate::kPersisted);
    } else if (what < 94) {
      bench_.sync();
    } else if (what < 97) {
      bench_.now = bench_.now + kAuditRetryPause;
      bench_.act([&](Turn& turn) { bench_.log->on_deadline(turn); });
    } else {
      note_head();
      note_entries();
      bench_.crash(rng_);
      check();
    }
    note_head();
  }
  // As a signed checkpoint would.
  void note_head() {
    const uint64_t size = bench_.log->size();
    EXPECT_GE(size, head_size_) << "what a head covered is gone";
    if (size == head_size_) return;
    head_size_ = size;
    heads_[size] = bench_.log->root();
  }
  void note_entries() {
    const std::vector<std::string> all = bench_.details();
    acknowledged_.clear();
    std::copy_if(all.begin(), all.end(), std::inserter(acknowledged_, acknowledged_.end()), [](const std::string& d) { return d.starts_with("entry "); });
  }
  void check() {
    EXPECT_GE(bench_.log->size(), head_size_);
    for (const auto& [size, root] : heads_) EXPECT_EQ(bench_.root_at(size), root) << "at size " << size;
  }

  LogBench bench_;
  Rng rng_;
  uint64_t next_ = 0;
  uint64_t head_size_ = 0;
  std::map<uint64_t, Digest> heads_;
  std::set<std::string> acknowledged_;
};

// req: A15
TEST(AuditLog, NoCrashAndNoFailureContradictsAHead) {
  for (uint64_t seed = 1; seed <= 10 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    AuditLife(seed).run(400);
  }
}

TEST(AuditLog, ADiskThatTakesNothingIsBounded) {
  LogBench b;
  for (uint64_t i = 0; i < kAuditOpenMax + 10; ++i) {
    b.append(i);
    for (const uint64_t token : b.disk.in_flight()) b.answer(token, store::FakeDisk::Fate::kFailed);
  }
  EXPECT_EQ(b.log->open(), kAuditOpenMax);
  b.settle();
  b.append(kAuditOpenMax + 10);
  b.settle();
  const std::vector<std::string> all = b.details();
  ASSERT_EQ(all.size(), kAuditOpenMax + 2);
  EXPECT_EQ(all[kAuditOpenMax], "10 entries are missing here: the disk did not take them");
}

TEST(AuditLog, AMissingPageIsAnErrorAndNotAWrongProof) {
  LogBench b;
  for (uint64_t i = 0; i < 300; ++i) b.append(i);
  b.settle();
  for (auto it = b.disk.base().begin(); it != b.disk.base().end(); ++it) EXPECT_NE(it->first.first, store::Column::kSymbols);
  Rng rng(1);
  b.crash(rng);
  std::erase_if(b.disk.base(), [](const auto& item) { return item.first.first == store::Column::kReceipts; });
  EXPECT_EQ(b.prove(object::plan_inclusion(3, 300).value()).code(), Errc::kIntegrity);
  EXPECT_EQ(b.tile({0, 0}, 256).code(), Errc::kIntegrity);
  EXPECT_TRUE(b.prove(object::plan_inclusion(299, 300).value()).ok()) << "needs only the edge";
}

}  // namespace
}  // namespace selvedge::node
