// Throughput of the RaptorQ codec, next to what the memory of this machine gives in the same run.
//
// All figures are GB/s (1e9) of source data, by thread CPU time, median of several runs. "repair" makes
// 5 % repair symbols (source symbols go out from the caller's buffer), "+copy" also copies the source
// symbols out, "fresh" makes the plan as well. Decode figures include feeding every symbol. "warm" is a
// decode whose plan is in the cache, as when the same devices are missing for block after block.
// --quick: tiny sizes, so that the benchmark runs as a test and never rots.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

#include "fountain/fountain.h"
#include "fountain/executor.h"

namespace {

using selvedge::fountain::BlockDecoder;
using selvedge::fountain::BlockEncoder;
using selvedge::fountain::GatherArgs;
using selvedge::fountain::GatherOp;
using selvedge::fountain::Kernels;
using selvedge::fountain::PlanCache;

constexpr uint32_t kSymbolBytes = 1024;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Effort {
  double seconds_per_round;
  int rounds;
};

// Median seconds of one call of `work`. `prepare` runs before each call, outside the clock.
template <typename Prepare, typename Work>
double median_seconds(const Effort& effort, Prepare prepare, Work work) {
  std::vector<double> times;
  double spent = 0;
  prepare();
  work();  // warm up
  while (times.size() < static_cast<size_t>(effort.rounds) ||
         (spent < effort.seconds_per_round && times.size() < 400)) {
    prepare();
    const double start = cpu_seconds();
    work();
    times.push_back(cpu_seconds() - start);
    spent += times.back();
  }
  std::nth_element(times.begin(), times.begin() + static_cast<ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

void require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "fountain_bench: %s failed\n", what);
  std::exit(1);
}

double memcpy_rate(const Effort& effort, size_t bytes) {
  std::vector<uint8_t> from(bytes, 1);
  std::vector<uint8_t> to(bytes, 2);
  const size_t repeats = std::max<size_t>(1, (size_t{8} << 20) / bytes);
  const double seconds = median_seconds(
      effort, [] {},
      [&] {
        for (size_t i = 0; i < repeats; ++i) {
          std::memcpy(to.data(), from.data(), bytes);
          __asm__ volatile("" : : "r"(to.data()) : "memory");
        }
      });
  return static_cast<double>(bytes * repeats) / seconds * 1e-9;
}

// GB/s of operand bytes for sums of eight random rows within `bytes` of rows 256 bytes wide.
double gather_rate(const Effort& effort, const Kernels& kernels, size_t bytes) {
  constexpr uint32_t kOperands = 8;
  constexpr size_t kWidth = 256;
  const uint32_t rows = static_cast<uint32_t>(std::min<size_t>(bytes / kWidth, 65535));
  std::vector<uint8_t> memory(rows * kWidth + 64, 3);
  uint8_t* base = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
  std::mt19937 random(1);
  std::vector<GatherOp> ops;
  std::vector<uint16_t> sources;
  for (uint32_t i = 0; i < 4096; ++i) {
    ops.push_back(GatherOp{static_cast<uint32_t>(random() % rows), selvedge::fountain::kNoInput, kOperands, 0});
    for (uint32_t k = 0; k < kOperands; ++k) sources.push_back(static_cast<uint16_t>(random() % rows));
  }
  const GatherArgs args{base, base, nullptr, 0, ops.data(), ops.size(), sources.data(), 0};
  const double seconds = median_seconds(
      effort, [] {}, [&] { kernels.gather[2](args); });
  return static_cast<double>(sources.size() * kWidth) / seconds * 1e-9;
}

struct Block {
  uint32_t k;
  std::vector<uint8_t> source;
  std::vector<uint32_t> repair_esis;
  std::vector<uint8_t> repair;
  double gigabytes() const { return static_cast<double>(source.size()) * 1e-9; }
};

Block make_block(uint32_t k) {
  Block block{k, std::vector<uint8_t>(size_t{k} * kSymbolBytes), {}, {}};
  std::mt19937_64 random(k);
  for (size_t i = 0; i < block.source.size(); i += 8) {
    const uint64_t value = random();
    std::memcpy(block.source.data() + i, &value, 8);
  }
  block.repair_esis.resize((k * 105 + 99) / 100 - k);
  std::iota(block.repair_esis.begin(), block.repair_esis.end(), k);
  block.repair.resize(block.repair_esis.size() * kSymbolBytes);
  return block;
}

// Returns the rate with a cached plan.
double bench_encode(const Effort& effort, Block& block) {
  const auto cache = PlanCache::create();
  std::vector<uint8_t> out(block.source.size());
  const auto encode = [&](const std::shared_ptr<PlanCache>& use) {
    const auto encoder = BlockEncoder::create(block.source, kSymbolBytes, use);
    require(encoder && encoder->symbols(block.repair_esis, block.repair.data(), kSymbolBytes), "encode");
  };
  const double cached = median_seconds(
      effort, [] {}, [&] { encode(cache); });
  const double copied = median_seconds(
      effort, [] {},
      [&] {
        encode(cache);
        std::memcpy(out.data(), block.source.data(), out.size());
      });
  const double fresh = median_seconds(
      effort, [] {}, [&] { encode(nullptr); });
  std::printf(" %7.3f %7.3f %7.3f", block.gigabytes() / cached, block.gigabytes() / copied, block.gigabytes() / fresh);
  return block.gigabytes() / cached;
}

void bench_decode(const Effort& effort, const Block& block, uint32_t loss_percent, bool warm) {
  const auto cache = PlanCache::create();
  const uint32_t lost = block.k * loss_percent / 100;
  const auto encoder = BlockEncoder::create(block.source, kSymbolBytes, cache);
  std::vector<uint32_t> esis(lost == 0 ? 0 : lost + 2);
  std::iota(esis.begin(), esis.end(), block.k);
  std::vector<uint8_t> repair(esis.size() * kSymbolBytes);
  require(encoder && encoder->symbols(esis, repair.data(), kSymbolBytes), "encode");
  std::mt19937 random(block.k);
  std::vector<uint32_t> source(block.k);
  std::iota(source.begin(), source.end(), 0u);
  const auto draw = [&] {
    std::shuffle(source.begin(), source.end(), random);
    std::sort(source.begin(), source.end() - lost);
  };
  draw();
  std::vector<uint8_t> out(block.source.size());
  const double seconds = median_seconds(
      effort,
      [&] {
        if (!warm) draw();
      },
      [&] {
        auto decoder = BlockDecoder::create_in_place(out, kSymbolBytes, cache);
        for (uint32_t i = 0; i < block.k - lost; ++i) {
          decoder->add(source[i], {block.source.data() + size_t{source[i]} * kSymbolBytes, kSymbolBytes});
        }
        for (size_t i = 0; i < esis.size(); ++i) {
          decoder->add(esis[i], {repair.data() + i * kSymbolBytes, kSymbolBytes});
        }
        require(decoder->decode(), "decode");
      });
  require(out == block.source, "comparison");
  std::printf(" %7.3f", block.gigabytes() / seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string_view(argv[1]) == "--quick";
  const Effort effort = quick ? Effort{0.0, 1} : Effort{0.4, 7};
  const Kernels& kernels = *selvedge::fountain::kernels_for(std::nullopt);
  std::printf("kernels %s, T=%u, GB/s of source data, median thread CPU time\n", kernels.name, kSymbolBytes);
  std::printf("%6s %7s %7s %7s %7s %7s %7s %7s %7s | %7s %7s %9s\n", "K", "repair", "+copy", "fresh", "dec 0%",
              "dec 5%", "warm", "dec 10%", "warm", "memcpy", "gather8", "enc/copy");
  const std::vector<uint32_t> sizes =
      quick ? std::vector<uint32_t>{10, 100} : std::vector<uint32_t>{100, 1000, 2000, 10000, 50000};
  for (const uint32_t k : sizes) {
    Block block = make_block(k);
    std::printf("%6u", k);
    const double encode_rate = bench_encode(effort, block);
    bench_decode(effort, block, 0, true);
    bench_decode(effort, block, 5, false);
    bench_decode(effort, block, 5, true);
    bench_decode(effort, block, 10, false);
    bench_decode(effort, block, 10, true);
    const double copy = memcpy_rate(effort, block.source.size());
    const double gather = gather_rate(effort, kernels, std::min<size_t>(block.source.size(), size_t{256} * 1024));
    std::printf(" | %7.2f %7.2f", copy, gather);
    std::printf(" %9.2f\n", encode_rate / copy);
    std::fflush(stdout);
  }
  return 0;
}
