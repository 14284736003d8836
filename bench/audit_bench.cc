// The audit log: what an entry costs, and what a proof costs in a log of a million entries.
//
// The machine alone, on a disk that is a map in memory and answers at once: CPU of the log and the store, without the disk's own.
// Beside each figure stands the floor: SHA-256 over the bytes that have to be hashed for it, measured in the same run.
// --quick: a small log, so that the benchmark runs as a test and never rots.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "crypto/hash.h"
#include "node/audit_log.h"

using namespace selvedge;

namespace {

double cpu_us() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) * 1e6 + double(t.tv_nsec) / 1e3;
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "audit_bench: %s\n", what);
  std::exit(1);
}

crypto::Seed bench_seed(uint8_t byte) { return crypto::Seed::from(Bytes(32, byte)).value(); }

class Bench {
 public:
  Bench() { start(); }
  /// A process that finds what the one before left on disk.
  void start() {
    node::NodeConfig config;
    config.owner = &owner_;
    config.node = &node_;
    config.seal = &seal_;
    config.verifier = &verifier_;
    config.started = now_;
    config.zone_root = bench_seed(4);
    config.random = bench_seed(5);
    core_ = std::make_unique<node::Core>(std::move(config));
    log_ = std::make_unique<node::AuditLog>(*core_);
    for (const auto& [key, value] : disk_) {
      if (key.first == store::Column::kMeta || key.first == store::Column::kRecords) (void)core_->store.recover(key.first, key.second, value);
    }
    Outbox<store::Effect> disk;
    (void)core_->store.recovered(disk);
    act([&](node::Turn& turn) { require(log_->restore(turn).ok(), "the log was not restored"); });
  }
  void append(uint64_t number, ByteView object) {
    object::AuditEntry entry;
    entry.kind = object::AuditKind::kGrant;
    entry.detail = "entry " + std::to_string(number);
    entry.bytes = to_bytes(object);
    entry.digest = crypto::sha256(object);
    entry.subject = entry.digest;
    act([&](node::Turn& turn) { log_->append(turn, std::move(entry)); });
  }
  std::vector<object::Digest> prove(object::ProofPlan plan) {
    std::vector<object::Digest> out;
    act([&](node::Turn& turn) {
      log_->prove(turn, std::move(plan), [&](node::Turn&, Result<std::vector<object::Digest>> proof) { out = std::move(proof).value(); });
    });
    return out;
  }
  node::AuditLog& log() { return *log_; }
  object::Digest leaf(uint64_t index) {
    object::Digest out;
    act([&](node::Turn& turn) {
      log_->entries(turn, index / object::kTileWidth, [&](node::Turn&, Result<std::vector<Bytes>> entries) {
        out = object::merkle_leaf(entries.value()[size_t(index % object::kTileWidth)]);
      });
    });
    return out;
  }
  double disk_bytes() const {
    double bytes = 0;
    for (const auto& [key, value] : disk_) bytes += double(key.second.size() + value.size());
    return bytes;
  }

 private:
  template <class What>
  void act(What what) {
    Outbox<node::Effect> out;
    node::Turn turn{now_, out};
    what(turn);
    for (node::Effect& effect : out.take()) {
      if (auto* use = std::get_if<node::UseDisk>(&effect)) perform(use->effect);
    }
  }
  void perform(store::Effect& effect) {
    if (auto* write = std::get_if<store::DiskWrite>(&effect)) {
      for (store::Write& w : write->writes) {
        if (w.value) disk_[{w.column, std::move(w.key)}] = std::move(*w.value);
        else disk_.erase({w.column, w.key});
      }
      act([&](node::Turn& turn) { core_->on_done(turn, core_->store.on_persisted(write->token)); });
      return;
    }
    const auto& read = std::get<store::DiskRead>(effect);
    std::vector<std::optional<Bytes>> values;
    for (const Bytes& key : read.keys) {
      const auto it = disk_.find({read.column, key});
      values.push_back(it == disk_.end() ? std::nullopt : std::optional<Bytes>(it->second));
    }
    act([&](node::Turn& turn) {
      Outbox<store::Effect> more;
      core_->on_loaded(turn, core_->store.on_loaded(read.token, std::move(values), more));
    });
  }
  Instant now_ = Instant::from_unix_seconds(1'790'000'000);
  crypto::Ed25519Signer owner_{bench_seed(1)};
  crypto::Ed25519Signer node_{bench_seed(2)};
  crypto::SealKeyPair seal_{bench_seed(3)};
  crypto::Ed25519Verifier verifier_;
  std::map<std::pair<store::Column, Bytes>, Bytes> disk_;
  std::unique_ptr<node::Core> core_;
  std::unique_ptr<node::AuditLog> log_;
};

double hash_us(size_t bytes) {
  const Bytes data(bytes, 7);
  constexpr int kRounds = 2000;
  const double before = cpu_us();
  uint8_t sum = 0;
  for (int i = 0; i < kRounds; ++i) sum ^= crypto::sha256(data).bytes[0];
  const double each = (cpu_us() - before) / kRounds;
  require(sum == 0, "an even number of equal hashes leaves something");
  return each;
}

void row(const char* what, double us, double floor_us) {
  if (floor_us > 0) std::printf("%-44s %10.2f us   %8.2f us   %6.1fx\n", what, us, floor_us, us / floor_us);
  else std::printf("%-44s %10.2f us\n", what, us);
}

void measure_proofs(Bench& bench, uint64_t count, int rounds) {
  Rng rng(1);
  const object::Digest root = bench.log().root();
  double make = 0, check = 0;
  for (int i = 0; i < rounds; ++i) {
    const uint64_t index = rng.below(count);
    const object::Digest leaf = bench.leaf(index);
    double before = cpu_us();
    const auto proof = bench.prove(object::plan_inclusion(index, count).value());
    make += cpu_us() - before;
    before = cpu_us();
    require(object::check_inclusion(leaf, index, count, proof, root).ok(), "a proof does not hold");
    check += cpu_us() - before;
  }
  // The lowest tile has 255 pairs to hash, those above fewer.
  row("inclusion proof, made", make / rounds, 255 * hash_us(65));
  row("inclusion proof, checked", check / rounds, 20 * hash_us(65));
  double consistency = 0;
  for (int i = 0; i < rounds; ++i) {
    const uint64_t old = 1 + rng.below(count);
    const double before = cpu_us();
    (void)bench.prove(object::plan_consistency(old, count).value());
    consistency += cpu_us() - before;
  }
  row("consistency proof from any size, made", consistency / rounds, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  const uint64_t count = quick ? 2'000 : 1'000'000;
  const int rounds = quick ? 20 : 2000;
  const Bytes object(400, 7);  // about a signed grant
  Bench bench;
  const double before = cpu_us();
  for (uint64_t i = 0; i < count; ++i) bench.append(i, object);
  const double append = (cpu_us() - before) / double(count);
  require(bench.log().size() == count, "entries are missing");
  std::printf("%llu entries about objects of %zu bytes\n%-44s %13s   %11s   %s\n", static_cast<unsigned long long>(count), object.size(), "", "measured", "hashing", "ratio");
  // Its object, its leaf and, spread over all, one inner node.
  row("append, until it is sealed", append, hash_us(400) + hash_us(530) + hash_us(65));
  measure_proofs(bench, count, rounds);
  const double restart = cpu_us();
  bench.start();
  row("start", cpu_us() - restart, 0);
  require(bench.log().size() == count, "entries are missing after a start");
  std::printf("%-44s %10.1f bytes an entry\n", "on disk, before compression", bench.disk_bytes() / double(count));
  return 0;
}
