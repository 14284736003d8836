// Round trips: many K, symbol sizes and loss patterns, with and without a cache, and hostile input.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>
#include <vector>

#include "fountain/code_params.h"
#include "fountain/fountain.h"
#include "fountain/test_support.h"

namespace selvedge::fountain {
namespace {

using test::make_object;
using test::random_subset;
using test::SplitMix64;

std::vector<uint32_t> iota_from(uint32_t first, uint32_t count) {
  std::vector<uint32_t> out(count);
  std::iota(out.begin(), out.end(), first);
  return out;
}

// Encodes `esis` of a fresh random object of `bytes`, feeds them and expects the object back. Brings more
// repair symbols when the decoder asks for them, at most a few.
void expect_round_trip(size_t bytes, uint32_t symbol_bytes, std::vector<uint32_t> esis,
                       const std::shared_ptr<PlanCache>& cache) {
  const std::vector<uint8_t> object = make_object(bytes + symbol_bytes, bytes);
  const auto encoder = BlockEncoder::create(object, symbol_bytes, cache);
  ASSERT_TRUE(encoder.has_value());
  auto decoder = BlockDecoder::create(bytes, symbol_bytes, cache);
  ASSERT_TRUE(decoder.has_value());
  ASSERT_EQ(decoder->k(), encoder->k());
  std::vector<uint8_t> out(bytes, 0xEE);
  uint32_t next_esi = 1u << 20;
  size_t fed = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<uint8_t> payloads((esis.size() - fed) * symbol_bytes);
    ASSERT_TRUE(encoder->symbols(std::span(esis).subspan(fed), payloads.data(), symbol_bytes));
    for (size_t i = 0; fed < esis.size(); ++i, ++fed) {
      const std::span<const uint8_t> payload(payloads.data() + i * symbol_bytes, symbol_bytes);
      ASSERT_EQ(decoder->add(esis[fed], payload), BlockDecoder::Add::kAccepted);
    }
    if (decoder->decode(out)) {
      EXPECT_EQ(decoder->needed(), 0u);
      EXPECT_TRUE(std::equal(out.begin(), out.end(), object.begin()));
      return;
    }
    ASSERT_GT(decoder->needed(), 0u);
    const std::vector<uint32_t> more = iota_from(next_esi, decoder->needed());
    esis.insert(esis.end(), more.begin(), more.end());
    next_esi += decoder->needed();
  }
  FAIL() << "no decode after four rounds of extra symbols";
}

struct Shape {
  uint32_t k;
  uint32_t symbol_bytes;
};

class RoundTrip : public testing::TestWithParam<Shape> {};

// req: B1
TEST_P(RoundTrip, LossPatterns) {
  const auto [k, symbol_bytes] = GetParam();
  SplitMix64 random(k * 977 + symbol_bytes);
  const auto cache = PlanCache::create();
  // The object ends inside the last symbol when symbols are larger than one byte.
  const size_t bytes = size_t{k} * symbol_bytes - symbol_bytes / 2;
  for (const double loss : {0.0, 0.01, 0.05, 0.2, 0.5, 1.0}) {
    const uint32_t lost = std::min(k, static_cast<uint32_t>(k * loss) + (loss > 0 ? 1u : 0u));
    std::vector<uint32_t> esis = random_subset(random, k, k - lost);
    const std::vector<uint32_t> repair = iota_from(k + random.below(1000), lost);
    esis.insert(esis.end(), repair.begin(), repair.end());
    SCOPED_TRACE(testing::Message() << "K " << k << " T " << symbol_bytes << " lost " << lost);
    expect_round_trip(bytes, symbol_bytes, esis, nullptr);
    expect_round_trip(bytes, symbol_bytes, esis, cache);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RoundTrip,
                         testing::Values(Shape{1, 1}, Shape{1, 1024}, Shape{2, 16}, Shape{5, 1}, Shape{9, 64},
                                         Shape{10, 100}, Shape{11, 63}, Shape{26, 65}, Shape{100, 1024},
                                         Shape{101, 1280}, Shape{250, 500}, Shape{777, 129}, Shape{1000, 64},
                                         Shape{2000, 32}, Shape{5000, 16}));

TEST(FountainCodec, RandomShapes) {
  SplitMix64 random(42);
  const auto cache = PlanCache::create(size_t{1} << 20);
  for (int i = 0; i < 150; ++i) {
    const uint32_t k = 1 + random.below(i < 100 ? 120 : 1200);
    const uint32_t symbol_bytes = 1 + random.below(700);
    const uint32_t kept = random.below(k + 1);
    std::vector<uint32_t> esis = random_subset(random, k, kept);
    std::vector<uint32_t> repair = random_subset(random, 5000, k - kept + random.below(4));
    for (uint32_t& esi : repair) esi = (esi * 3331 % 0x1000000) < k ? k + esi : esi * 3331 % 0x1000000;
    std::sort(repair.begin(), repair.end());
    repair.erase(std::unique(repair.begin(), repair.end()), repair.end());
    esis.insert(esis.end(), repair.begin(), repair.end());
    SCOPED_TRACE(testing::Message() << "K " << k << " T " << symbol_bytes << " kept " << kept);
    expect_round_trip(size_t{k} * symbol_bytes - random.below(symbol_bytes), symbol_bytes, esis, cache);
    if (HasFatalFailure()) return;
  }
}

// req: B1
TEST(FountainCodec, LargestBlock) {
  SplitMix64 random(7);
  std::vector<uint32_t> esis = random_subset(random, kBlockSymbolsMax, kBlockSymbolsMax - 3000);
  const std::vector<uint32_t> repair = iota_from(kBlockSymbolsMax, 3001);
  esis.insert(esis.end(), repair.begin(), repair.end());
  expect_round_trip(size_t{kBlockSymbolsMax} * 16, 16, esis, nullptr);
  expect_round_trip(size_t{kBlockSymbolsMax} * 8, 8, iota_from(100000, kBlockSymbolsMax), nullptr);
}

// RFC 6330 5.8: with K', K' + 1, K' + 2 symbols decoding fails at most about once in 10^2, 10^4, 10^6.
// K = K' here, so padding does not help. The limits allow for chance (binomial, p < 1e-4).
TEST(FountainCodec, FailureRateAtExactlyK) {
  struct Case {
    uint32_t k;
    uint32_t spare;
    int trials;
    int failures_max;
  };
  for (const Case& c : {Case{10, 0, 4000, 66}, Case{26, 0, 2000, 38}, Case{101, 0, 600, 17}, Case{10, 1, 4000, 5},
                        Case{26, 1, 2000, 4}, Case{10, 2, 4000, 1}}) {
    SplitMix64 random(c.k + c.spare);
    const std::vector<uint8_t> object = make_object(c.k, c.k);
    const auto encoder = BlockEncoder::create(object, 1);
    ASSERT_TRUE(encoder.has_value());
    int failures = 0;
    for (int trial = 0; trial < c.trials; ++trial) {
      auto decoder = BlockDecoder::create(c.k, 1);
      std::vector<uint8_t> payload(1);
      while (decoder->needed() + c.spare > 0) {
        if (decoder->needed() == 0) {
          bool enough = true;
          for (uint32_t s = 0; s < c.spare; ++s) {
            const uint32_t esi = c.k + random.below(0xFFFF00 - c.k);
            ASSERT_TRUE(encoder->symbol(esi, payload));
            enough = enough && decoder->add(esi, payload) == BlockDecoder::Add::kAccepted;
          }
          EXPECT_TRUE(enough);
          break;
        }
        const uint32_t esi = c.k + random.below(0xFFFF00 - c.k);
        ASSERT_TRUE(encoder->symbol(esi, payload));
        decoder->add(esi, payload);
      }
      std::vector<uint8_t> out(c.k);
      if (decoder->decode(out)) {
        ASSERT_EQ(out, object);
      } else {
        ++failures;
        EXPECT_GT(decoder->needed(), 0u);
      }
    }
    EXPECT_LE(failures, c.failures_max) << "K " << c.k << " spare " << c.spare;
  }
}

TEST(FountainCodec, SixtyFourMegabytesInBlocks) {
  constexpr uint32_t kSymbolBytes = 1024;
  const std::vector<uint8_t> object = make_object(64, 64'000'000);
  const auto params = partition(object.size(), kSymbolBytes);
  ASSERT_TRUE(params.has_value());
  EXPECT_EQ(params->source_blocks, 31u);
  const auto cache = PlanCache::create();
  SplitMix64 random(64);
  std::vector<uint8_t> out(object.size());
  for (uint32_t z = 0; z < params->source_blocks; ++z) {
    const BlockLayout block = params->block(z);
    const auto encoder =
        BlockEncoder::create(std::span(object).subspan(block.offset_bytes, block.bytes), kSymbolBytes, cache);
    auto decoder =
        BlockDecoder::create_in_place(std::span(out).subspan(block.offset_bytes, block.bytes), kSymbolBytes, cache);
    ASSERT_TRUE(encoder && decoder);
    const uint32_t lost = block.k / 20;
    std::vector<uint8_t> repair(size_t{lost + 2} * kSymbolBytes);
    ASSERT_TRUE(encoder->symbols(iota_from(block.k, lost + 2), repair.data(), kSymbolBytes));
    std::vector<uint8_t> payload(kSymbolBytes);
    for (const uint32_t esi : random_subset(random, block.k, block.k - lost)) {
      ASSERT_TRUE(encoder->symbol(esi, payload));
      ASSERT_EQ(decoder->add(esi, payload), BlockDecoder::Add::kAccepted);
    }
    for (uint32_t i = 0; i < lost + 2; ++i) {
      decoder->add(block.k + i, std::span(repair).subspan(size_t{i} * kSymbolBytes, kSymbolBytes));
    }
    ASSERT_TRUE(decoder->decode());
  }
  EXPECT_TRUE(out == object);
}

TEST(FountainDecoder, RejectsWhatIsWrong) {
  EXPECT_FALSE(BlockDecoder::create(0, 16));
  EXPECT_FALSE(BlockDecoder::create(16, 0));
  EXPECT_FALSE(BlockDecoder::create(16, 65536));
  EXPECT_FALSE(BlockDecoder::create(uint64_t{kBlockSymbolsMax} * 16 + 1, 16));
  EXPECT_FALSE(BlockDecoder::create(UINT64_MAX, 65535));
  EXPECT_FALSE(BlockEncoder::create({}, 16));
  auto decoder = BlockDecoder::create(100, 16);
  ASSERT_TRUE(decoder.has_value());
  EXPECT_EQ(decoder->k(), 7u);
  const std::vector<uint8_t> payload(17, 1);
  const auto cut = [&](size_t n) { return std::span(payload).first(n); };
  EXPECT_EQ(decoder->add(0, cut(15)), BlockDecoder::Add::kRejected);
  EXPECT_EQ(decoder->add(0, cut(17)), BlockDecoder::Add::kRejected);
  EXPECT_EQ(decoder->add(0, cut(0)), BlockDecoder::Add::kRejected);
  EXPECT_EQ(decoder->add(7, cut(4)), BlockDecoder::Add::kRejected);
  EXPECT_EQ(decoder->add(0x1000000, cut(16)), BlockDecoder::Add::kRejected);
  EXPECT_EQ(decoder->add(UINT32_MAX, cut(16)), BlockDecoder::Add::kRejected);
  EXPECT_EQ(decoder->add(0, cut(16)), BlockDecoder::Add::kAccepted);
  EXPECT_EQ(decoder->add(0, cut(16)), BlockDecoder::Add::kDuplicate);
  EXPECT_EQ(decoder->add(0xFFFFFF, cut(16)), BlockDecoder::Add::kAccepted);
  EXPECT_EQ(decoder->add(0xFFFFFF, cut(16)), BlockDecoder::Add::kDuplicate);
  EXPECT_EQ(decoder->add(6, cut(4)), BlockDecoder::Add::kAccepted);  // unpadded last symbol
  EXPECT_EQ(decoder->needed(), 4u);
  EXPECT_FALSE(decoder->decode());
}

TEST(FountainDecoder, SourceSymbolsAreReadableAtOnce) {
  const std::vector<uint8_t> object = make_object(3, 100);
  auto decoder = BlockDecoder::create(object.size(), 16);
  std::vector<uint8_t> last(16, 0xAA);
  std::copy(object.begin() + 96, object.end(), last.begin());  // padding that is not zero
  EXPECT_FALSE(decoder->source(6).has_value());
  EXPECT_EQ(decoder->add(6, last), BlockDecoder::Add::kAccepted);
  ASSERT_TRUE(decoder->source(6).has_value());
  EXPECT_TRUE(std::ranges::equal(*decoder->source(6), std::span(object).subspan(96)));
  EXPECT_FALSE(decoder->source(7).has_value());
  for (uint32_t esi = 0; esi < 6; ++esi) decoder->add(esi, std::span(object).subspan(esi * 16, 16));
  EXPECT_TRUE(decoder->complete());
  std::vector<uint8_t> out(100);
  EXPECT_FALSE(decoder->decode(std::span(out).first(99)));
  EXPECT_TRUE(decoder->decode(out));
  EXPECT_EQ(out, object);
}

// ESIs picked for their high degree make peeling useless. The decoder must stay right and quick, or refuse.
TEST(FountainDecoder, HostileChoiceOfEsis) {
  for (const uint32_t k : {200u, 1002u, 12000u}) {
    const CodeParams params = *CodeParams::for_source_symbols(k);
    const std::vector<uint8_t> object = make_object(k, k);
    std::vector<uint32_t> esis;
    LtRow row;
    for (uint32_t esi = k; esi <= kEsiMax && esis.size() < k + 5; ++esi) {
      lt_row(params, esi + params.k_prime - k, row);
      if (row.lt_count >= 22) esis.push_back(esi);
    }
    ASSERT_EQ(esis.size(), k + 5);
    const auto encoder = BlockEncoder::create(object, 1);
    auto decoder = BlockDecoder::create(k, 1);
    std::vector<uint8_t> payloads(esis.size());
    ASSERT_TRUE(encoder->symbols(esis, payloads.data(), 1));
    for (size_t i = 0; i < esis.size(); ++i) decoder->add(esis[i], std::span(payloads).subspan(i, 1));
    std::vector<uint8_t> out(k);
    if (decoder->decode(out)) {
      EXPECT_EQ(out, object);
    } else {
      EXPECT_GT(decoder->needed(), 0u);
      EXPECT_GT(k, 10000u) << "only the bound on inactive columns may refuse this";
    }
  }
}

// req: B11
TEST(FountainDecoder, HoldsABoundedNumberOfSymbols) {
  auto decoder = BlockDecoder::create(10, 1);
  const std::vector<uint8_t> payload(1, 9);
  uint32_t accepted = 0;
  for (uint32_t esi = 10; esi < 2000; ++esi) {
    if (decoder->add(esi, payload) == BlockDecoder::Add::kAccepted) ++accepted;
  }
  EXPECT_EQ(accepted, 10 + BlockDecoder::kSpareSymbolsMax);
  // Forged payloads still decode to something, as RaptorQ cannot tell; and source symbols still fit.
  EXPECT_EQ(decoder->add(3, payload), BlockDecoder::Add::kAccepted);
  EXPECT_TRUE(decoder->decode());
}

TEST(FountainEncoder, RejectsWhatIsWrong) {
  const std::vector<uint8_t> object = make_object(1, 100);
  const auto encoder = BlockEncoder::create(object, 16);
  ASSERT_TRUE(encoder.has_value());
  std::vector<uint8_t> out(64);
  EXPECT_FALSE(encoder->symbol(0x1000000, out));
  EXPECT_FALSE(encoder->symbol(0, std::span(out).first(15)));
  const std::vector<uint32_t> esis{0, 0x1000000};
  EXPECT_FALSE(encoder->symbols(esis, out.data(), 16));
  EXPECT_FALSE(encoder->symbols(std::span(esis).first(1), out.data(), 15));
  EXPECT_TRUE(encoder->symbols({}, nullptr, 16));
}

TEST(FountainEncoder, ManySymbolsEqualSingleOnes) {
  // Enough repair symbols for the full pass over all intermediate symbols, and several batches.
  const std::vector<uint8_t> object = make_object(5, 300 * 72);
  const auto encoder = BlockEncoder::create(object, 72);
  const std::vector<uint32_t> esis = iota_from(250, 2500);
  std::vector<uint8_t> batch(esis.size() * 80);
  ASSERT_TRUE(encoder->symbols(esis, batch.data(), 80));
  std::vector<uint8_t> single(72);
  for (size_t i = 0; i < esis.size(); ++i) {
    ASSERT_TRUE(encoder->symbol(esis[i], single));
    ASSERT_TRUE(std::equal(single.begin(), single.end(), batch.begin() + static_cast<ptrdiff_t>(i * 80))) << esis[i];
  }
}

// All kernels give the same bytes, on their own path through planning, encoding and decoding.
// req: B1
TEST(FountainKernel, EveryOneEncodesAndDecodesAlike) {
  const std::vector<uint8_t> object = make_object(77, 500 * 200 - 3);
  const std::vector<uint32_t> esis = iota_from(500, 60);
  std::vector<uint8_t> expected;
  size_t available = 0;
  for (const Kernel kernel : kKernels) {
    EXPECT_EQ(kernel_from_name(kernel_name(kernel)), kernel);
    CodecOptions options;
    options.kernel = kernel;
    auto encoder = BlockEncoder::create(object, 200, options);
    auto decoder = BlockDecoder::create(object.size(), 200, options);
    ASSERT_EQ(encoder.has_value(), kernel_available(kernel));
    ASSERT_EQ(decoder.has_value(), kernel_available(kernel));
    if (!encoder) continue;
    ++available;
    std::vector<uint8_t> repair(esis.size() * 200);
    ASSERT_TRUE(encoder->symbols(esis, repair.data(), 200));
    if (expected.empty()) expected = repair;
    EXPECT_EQ(repair, expected) << kernel_name(kernel);
    for (uint32_t esi = 58; esi < 499; ++esi) decoder->add(esi, std::span(object).subspan(size_t{esi} * 200, 200));
    for (size_t i = 0; i < esis.size(); ++i) decoder->add(esis[i], std::span(repair).subspan(i * 200, 200));
    std::vector<uint8_t> out(object.size());
    ASSERT_TRUE(decoder->decode(out)) << kernel_name(kernel);
    EXPECT_EQ(out, object) << kernel_name(kernel);
  }
  EXPECT_GE(available, 1u);
  EXPECT_TRUE(kernel_available(fastest_kernel()));
  EXPECT_FALSE(kernel_from_name("mmx").has_value());
}

// Strips spread over the caller's threads, for sizes that end in whole, short and overlapping strips.
TEST(FountainParallel, ThreadsOfTheCallerGiveTheSameBytes) {
  for (const uint32_t symbol_bytes : {1u, 63u, 64u, 127u, 128u, 130u, 200u, 1000u, 1024u, 1025u}) {
    const std::vector<uint8_t> object = make_object(symbol_bytes, size_t{300} * symbol_bytes);
    const std::vector<uint32_t> esis = iota_from(300, 40);
    CodecOptions options(PlanCache::create());
    uint32_t tasks = 0;
    options.parallel.threads = 3;
    options.parallel.run = [&tasks](uint32_t count, const std::function<void(uint32_t)>& task) {
      tasks += count;
      std::vector<std::thread> threads;
      for (uint32_t i = 0; i < count; ++i) threads.emplace_back(task, i);
      for (std::thread& thread : threads) thread.join();
    };
    const auto alone = BlockEncoder::create(object, symbol_bytes);
    const auto together = BlockEncoder::create(object, symbol_bytes, options);
    std::vector<uint8_t> expected(esis.size() * symbol_bytes);
    std::vector<uint8_t> repair(expected.size());
    ASSERT_TRUE(alone->symbols(esis, expected.data(), symbol_bytes));
    ASSERT_TRUE(together->symbols(esis, repair.data(), symbol_bytes));
    EXPECT_EQ(repair, expected) << symbol_bytes;
    auto decoder = BlockDecoder::create(object.size(), symbol_bytes, options);
    for (size_t i = 0; i < esis.size(); ++i) decoder->add(esis[i], std::span(repair).subspan(i * symbol_bytes, symbol_bytes));
    for (uint32_t esi = 38; esi < 300; ++esi) {
      decoder->add(esi, std::span(object).subspan(size_t{esi} * symbol_bytes, symbol_bytes));
    }
    std::vector<uint8_t> out(object.size());
    ASSERT_TRUE(decoder->decode(out));
    EXPECT_EQ(out, object);
    EXPECT_EQ(tasks, symbol_bytes < 256 ? 0u : 6u) << symbol_bytes;
  }
}

TEST(FountainCache, IsBoundedAndShared) {
  constexpr size_t kLimit = 200'000;
  const auto cache = PlanCache::create(kLimit);
  const auto work = [&cache] {
    SplitMix64 random(5);
    for (int i = 0; i < 20; ++i) {
      const uint32_t k = 10 + random.below(400);
      std::vector<uint32_t> esis = random_subset(random, k, k - 3);
      for (const uint32_t esi : {k, k + 1, k + 2, k + 3}) esis.push_back(esi);
      expect_round_trip(size_t{k} * 8, 8, esis, cache);
    }
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_LE(cache->bytes(), kLimit);
  EXPECT_GT(cache->bytes(), 0u);
}

}  // namespace
}  // namespace selvedge::fountain
