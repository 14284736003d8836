#include "cli/fountain_measure.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <numeric>
#include <thread>

#include "fountain/executor.h"
#include "fountain/plan_cache.h"

namespace selvedge::cli {

namespace {

using fountain::BlockDecoder;
using fountain::BlockEncoder;
using fountain::CodecOptions;
using fountain::PlanCache;

constexpr double kBytesPerGigabyte = 1e9;

class MeasureRandom {
 public:
  explicit MeasureRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() {  // splitmix64
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>((next() >> 32) * limit >> 32); }

 private:
  uint64_t state_;
};

double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double wall_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// Seconds of single calls of `work`, sorted. `prepare` runs before each call, outside the clock.
std::vector<double> call_seconds(const FountainEffort& effort, double (*clock)(), const std::function<void()>& prepare, const std::function<void()>& work) {
  constexpr size_t kCallsMax = 400;
  std::vector<double> times;
  double spent = 0;
  prepare();
  work();  // warm up
  while (times.size() < static_cast<size_t>(effort.rounds_min) || (spent < effort.seconds_per_figure && times.size() < kCallsMax)) {
    prepare();
    const double start = clock();
    work();
    times.push_back(std::max(clock() - start, 1e-9));
    spent += times.back();
  }
  std::sort(times.begin(), times.end());
  return times;
}

double median_seconds(const FountainEffort& effort, const std::function<void()>& prepare, const std::function<void()>& work) {
  const std::vector<double> times = call_seconds(effort, thread_cpu_seconds, prepare, work);
  return times[times.size() / 2];
}

const std::function<void()> kNothing = [] {};

double measure_memcpy(const FountainEffort& effort, size_t bytes) {
  std::vector<uint8_t> from(bytes, 1);
  std::vector<uint8_t> to(bytes, 2);
  const size_t repeats = std::max<size_t>(1, (size_t{8} << 20) / bytes);
  const double seconds = median_seconds(effort, kNothing, [&] {
    for (size_t i = 0; i < repeats; ++i) {
      std::memcpy(to.data(), from.data(), bytes);
      __asm__ volatile("" : : "r"(to.data()) : "memory");
    }
  });
  return static_cast<double>(bytes * repeats) / seconds / kBytesPerGigabyte;
}

double measure_gather(const FountainEffort& effort, const fountain::Kernels& kernels) {
  constexpr uint32_t kOperands = 8;
  constexpr size_t kWidth = 128;  // of a strip, so that the loop is the codec's own
  constexpr uint32_t kRows = 2048;
  std::vector<uint8_t> memory(kRows * kWidth + 64, 3);
  uint8_t* base = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
  MeasureRandom random(1);
  std::vector<fountain::GatherOp> ops;
  std::vector<uint16_t> sources;
  for (uint32_t i = 0; i < 4096; ++i) {
    ops.push_back(fountain::GatherOp{random.below(kRows), fountain::kNoInput, kOperands, 0});
    for (uint32_t k = 0; k < kOperands; ++k) sources.push_back(static_cast<uint16_t>(random.below(kRows)));
  }
  const fountain::GatherArgs args{base, base, nullptr, 0, ops.data(), ops.size(), sources.data(), 0};
  const double seconds = median_seconds(effort, kNothing, [&] { kernels.gather[1](args); });
  return static_cast<double>(sources.size() * kWidth) / seconds / kBytesPerGigabyte;
}

// A second thread that waits for work by spinning, as a pool that is busy with other blocks would have one at hand.
class SecondThread {
 public:
  SecondThread() : thread_([this] { serve(); }) {}
  ~SecondThread() {
    stop_ = true;
    thread_.join();
  }
  void run(uint32_t count, const std::function<void(uint32_t)>& task) {
    task_ = &task;
    done_ = false;
    ready_.store(count > 1, std::memory_order_release);
    task(0);
    while (count > 1 && !done_.load(std::memory_order_acquire)) give_way();
    for (uint32_t i = 2; i < count; ++i) task(i);
  }

 private:
  static void give_way() { std::this_thread::yield(); }
  void serve() {
    while (!stop_) {
      if (!ready_.exchange(false, std::memory_order_acquire)) {
        give_way();
        continue;
      }
      (*task_)(1);
      done_.store(true, std::memory_order_release);
    }
  }
  std::atomic<bool> stop_{false};
  std::atomic<bool> ready_{false};
  std::atomic<bool> done_{false};
  const std::function<void(uint32_t)>* task_ = nullptr;
  std::thread thread_;
};

class BlockBench {
 public:
  BlockBench(const FountainBench& bench, uint32_t k) : bench_(bench), k_(k), source_(size_t{k} * bench.symbol_bytes) {
    MeasureRandom random(k);
    for (uint8_t& byte : source_) byte = static_cast<uint8_t>(random.next());
    repair_esis_.resize((uint64_t{k} * 105 + 99) / 100 - k);
    std::iota(repair_esis_.begin(), repair_esis_.end(), k);
    repair_.resize(repair_esis_.size() * bench.symbol_bytes);
  }
  void encode(FountainFigures& out);
  void threads(FountainFigures& out);
  double decode(uint32_t loss_percent, bool seen);
  const char* wrong() const { return wrong_; }

 private:
  CodecOptions options(std::shared_ptr<PlanCache> cache) const {
    CodecOptions out(std::move(cache));
    out.kernel = bench_.kernel;
    return out;
  }
  void encode_once(const CodecOptions& options) {
    const auto encoder = BlockEncoder::create(source_, bench_.symbol_bytes, options);
    if (!encoder || !encoder->symbols(repair_esis_, repair_.data(), bench_.symbol_bytes)) wrong_ = "encoding failed";
  }
  double rate(double seconds) const { return static_cast<double>(source_.size()) / seconds / kBytesPerGigabyte; }

  const FountainBench& bench_;
  const uint32_t k_;
  std::vector<uint8_t> source_;
  std::vector<uint32_t> repair_esis_;
  std::vector<uint8_t> repair_;
  const char* wrong_ = nullptr;
};

void BlockBench::encode(FountainFigures& out) {
  const CodecOptions cached = options(PlanCache::create());
  std::vector<uint8_t> copy(source_.size());
  out.encode = rate(median_seconds(bench_.effort, kNothing, [&] { encode_once(cached); }));
  out.encode_copy = rate(median_seconds(bench_.effort, kNothing, [&] {
    encode_once(cached);
    std::memcpy(copy.data(), source_.data(), copy.size());
  }));
  out.encode_fresh = rate(median_seconds(bench_.effort, kNothing, [&] { encode_once(options(nullptr)); }));
  const auto params = fountain::CodeParams::for_source_symbols(k_);
  const fountain::Kernels& kernels = *fountain::kernels_for(bench_.kernel);
  out.plan_ms = 1e3 * median_seconds(bench_.effort, kNothing, [&] { (void)fountain::make_encode_plan(*params, kernels); });
}

void BlockBench::threads(FountainFigures& out) {
  CodecOptions alone = options(PlanCache::create());
  CodecOptions two = alone;
  SecondThread second;
  two.parallel.threads = 2;
  two.parallel.run = [&second](uint32_t count, const std::function<void(uint32_t)>& task) { second.run(count, task); };
  // In turns, and the best of each: neighbours on the machine slow both, and never at the same moment.
  std::vector<double> best(2, 1e9);
  const CodecOptions* const how[] = {&alone, &two};
  encode_once(alone);
  double spent = 0;
  do {
    for (size_t i = 0; i < 2; ++i) {
      const double start = wall_seconds();
      encode_once(*how[i]);
      const double seconds = std::max(wall_seconds() - start, 1e-9);
      best[i] = std::min(best[i], seconds);
      spent += seconds;
    }
  } while (spent < 4 * bench_.effort.seconds_per_figure);
  out.threads_ratio = best[0] / best[1];
}

double BlockBench::decode(uint32_t loss_percent, bool seen) {
  const CodecOptions cached = options(PlanCache::create());
  const size_t symbol_bytes = bench_.symbol_bytes;
  const uint32_t lost = k_ * loss_percent / 100;
  const auto encoder = BlockEncoder::create(source_, bench_.symbol_bytes, cached);
  std::vector<uint32_t> esis(lost == 0 ? 0 : lost + 2);
  std::iota(esis.begin(), esis.end(), k_);
  std::vector<uint8_t> repair(esis.size() * symbol_bytes);
  if (!encoder || !encoder->symbols(esis, repair.data(), symbol_bytes)) wrong_ = "encoding failed";
  MeasureRandom random(k_);
  std::vector<uint32_t> order(k_);
  std::iota(order.begin(), order.end(), 0u);
  const auto draw = [&] {
    for (uint32_t i = 0; i < lost; ++i) std::swap(order[k_ - 1 - i], order[random.below(k_ - i)]);
    std::sort(order.begin(), order.end() - lost);
  };
  draw();
  std::vector<uint8_t> out(source_.size());
  const auto prepare = [&] {
    if (!seen) draw();
  };
  const double seconds = median_seconds(bench_.effort, prepare, [&] {
    auto decoder = BlockDecoder::create_in_place(out, bench_.symbol_bytes, cached);
    for (uint32_t i = 0; i < k_ - lost; ++i) decoder->add(order[i], {source_.data() + order[i] * symbol_bytes, symbol_bytes});
    for (size_t i = 0; i < esis.size(); ++i) decoder->add(esis[i], {repair.data() + i * symbol_bytes, symbol_bytes});
    if (!decoder->decode()) wrong_ = "decoding failed";
  });
  if (out != source_) wrong_ = "decoding gave other bytes";
  return rate(seconds);
}

constexpr std::array<uint32_t, 4> kBarSizes = {100, 1000, 10000, 50000};

}  // namespace

std::optional<FountainFigures> measure_fountain(const FountainBench& bench, uint32_t k, std::string& wrong) {
  const fountain::Kernels* kernels = fountain::kernels_for(bench.kernel);
  if (kernels == nullptr || k == 0 || k > fountain::kBlockSymbolsMax || bench.symbol_bytes == 0 || bench.symbol_bytes > fountain::kSymbolBytesMax) {
    wrong = "this processor does not run these kernels, or a size is out of range";
    return std::nullopt;
  }
  FountainFigures out;
  out.k = k;
  BlockBench block(bench, k);
  block.encode(out);
  out.decode_whole = block.decode(0, true);
  out.decode_new = block.decode(5, false);
  out.decode_seen = block.decode(5, true);
  out.decode_new_10 = block.decode(10, false);
  out.decode_seen_10 = block.decode(10, true);
  block.threads(out);
  out.memcpy_rate = measure_memcpy(bench.effort, size_t{k} * bench.symbol_bytes);
  out.gather_rate = measure_gather(bench.effort, *kernels);
  if (block.wrong() == nullptr) return out;
  wrong = block.wrong();
  return std::nullopt;
}

std::vector<FountainTableRow> fountain_table(const std::vector<FountainFigures>& figures) {
  std::vector<FountainTableRow> out;
  const auto add = [&](const char* name, const char* unit, std::array<double, 4> bars, const std::function<double(const FountainFigures&)>& value) {
    FountainTableRow& row = out.emplace_back(FountainTableRow{name, unit, {}, bars});
    for (const FountainFigures& f : figures) row.values.push_back(value(f));
  };
  using F = const FountainFigures&;
  add("encode, plan cached", "GB/s", {5, 3.5, 1.5, 0.5}, [](F f) { return f.encode; });
  add("  with source copied out", "GB/s", {}, [](F f) { return f.encode_copy; });
  add("  with planning", "GB/s", {}, [](F f) { return f.encode_fresh; });
  add("decode, 5 % lost, new pattern", "GB/s", {1.5, 1.6, 0.9, 0.35}, [](F f) { return f.decode_new; });
  add("decode, 5 % lost, seen pattern", "GB/s", {3, 2.5, 1.2, 0.5}, [](F f) { return f.decode_seen; });
  add("decode, 10 % lost, new pattern", "GB/s", {}, [](F f) { return f.decode_new_10; });
  add("decode, 10 % lost, seen pattern", "GB/s", {}, [](F f) { return f.decode_seen_10; });
  add("decode, nothing lost", "GB/s", {}, [](F f) { return f.decode_whole; });
  add("planning (elimination)", "ms", {0.05, 0.4, 4, 40}, [](F f) { return f.plan_ms; });
  add("two threads over one, encode", "x", {0, 0, 1.8, 0}, [](F f) { return f.threads_ratio; });
  add("bound: gather-XOR in L2", "GB/s", {}, [](F f) { return f.gather_rate; });
  add("bound: memcpy of the block", "GB/s", {}, [](F f) { return f.memcpy_rate; });
  add("encode / gather-XOR", "", {}, [](F f) { return f.encode / f.gather_rate; });
  add("encode / memcpy", "", {}, [](F f) { return f.encode / f.memcpy_rate; });
  add("decode, new / memcpy", "", {}, [](F f) { return f.decode_new / f.memcpy_rate; });
  add("decode, nothing lost / memcpy", "", {}, [](F f) { return f.decode_whole / f.memcpy_rate; });
  return out;
}

double fountain_bar(const FountainTableRow& row, uint32_t k) {
  const auto found = std::find(kBarSizes.begin(), kBarSizes.end(), k);
  return found == kBarSizes.end() ? 0 : row.bars[static_cast<size_t>(found - kBarSizes.begin())];
}

std::string fountain_table_text(const std::vector<FountainFigures>& figures) {
  char text[96];
  std::string out;
  const auto add = [&](const char* format, auto... values) {
    std::snprintf(text, sizeof text, format, values...);
    out += text;
  };
  add("%-32s %-5s", "", "");
  for (const FountainFigures& f : figures) add(" %17s", ("K=" + std::to_string(f.k)).c_str());
  out += "\n";
  for (const FountainTableRow& row : fountain_table(figures)) {
    add("%-32s %-5s", row.name.c_str(), row.unit.c_str());
    for (size_t i = 0; i < figures.size(); ++i) {
      const double bar = fountain_bar(row, figures[i].k);
      add(" %8.3g", row.values[i]);
      if (bar != 0) add(" (%6.2g)", bar);
      else add("%9s", "");
    }
    out += "\n";
  }
  return out;
}

FountainFailures count_fountain_failures(uint32_t k, uint32_t spare, uint32_t loss_percent, uint64_t trials, uint64_t seed) {
  FountainFailures out;
  MeasureRandom random(seed ^ (uint64_t{k} << 32 | spare << 8 | loss_percent));
  std::vector<uint8_t> source(k);
  for (uint8_t& byte : source) byte = static_cast<uint8_t>(random.next());
  const auto encoder = BlockEncoder::create(source, 1);
  const uint32_t kept = k - static_cast<uint32_t>(uint64_t{k} * loss_percent / 100);
  std::vector<uint32_t> order(k);
  std::iota(order.begin(), order.end(), 0u);
  uint8_t payload = 0;
  for (; out.trials < trials; ++out.trials) {
    auto decoder = BlockDecoder::create(k, 1);
    for (uint32_t i = 0; i < kept; ++i) {
      std::swap(order[i], order[i + random.below(k - i)]);
      decoder->add(order[i], {&source[order[i]], 1});
    }
    for (uint32_t held = kept; held < k + spare;) {
      const uint32_t esi = k + random.below(fountain::kEsiMax + 1 - k);
      (void)encoder->symbol(esi, {&payload, 1});
      if (decoder->add(esi, {&payload, 1}) == BlockDecoder::Add::kAccepted) ++held;
    }
    std::vector<uint8_t> decoded(k);
    if (!decoder->decode(decoded)) ++out.failures;
    else if (decoded != source) ++out.wrong;
  }
  return out;
}

}  // namespace selvedge::cli
