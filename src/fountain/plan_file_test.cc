// Encode plans to bytes and back, and what damaged or hostile bytes do.
#include <gtest/gtest.h>

#include <algorithm>

#include "fountain/fountain.h"
#include "fountain/plan_cache.h"
#include "fountain/test_support.h"

namespace selvedge::fountain {
namespace {

using test::make_object;

constexpr uint32_t kSymbolBytes = 8;

std::vector<uint8_t> repair_of(uint32_t k, const std::shared_ptr<PlanCache>& cache) {
  const std::vector<uint8_t> object = make_object(k, size_t{k} * kSymbolBytes);
  const auto encoder = BlockEncoder::create(object, kSymbolBytes, cache);
  const std::vector<uint32_t> esis{k, k + 1, k + 77, kEsiMax};
  std::vector<uint8_t> out(esis.size() * kSymbolBytes);
  EXPECT_TRUE(encoder->symbols(esis, out.data(), kSymbolBytes));
  return out;
}

uint64_t fnv1a(std::span<const uint8_t> bytes) {
  uint64_t sum = 0xCBF29CE484222325u;
  for (const uint8_t byte : bytes) sum = (sum ^ byte) * 0x100000001B3u;
  return sum;
}

// Makes the sum right again, as whoever forges a file would.
void seal(std::vector<uint8_t>& bytes) {
  const uint64_t sum = fnv1a(std::span(bytes).first(bytes.size() - 8));
  for (size_t i = 0; i < 8; ++i) bytes[bytes.size() - 8 + i] = static_cast<uint8_t>(sum >> (8 * i));
}

TEST(FountainPlanFile, SavedPlansComeBackAndEncodeTheSame) {
  const auto cache = PlanCache::create();
  std::vector<std::vector<uint8_t>> expected;
  for (const uint32_t k : {5000u, 1u, 300u}) expected.push_back(repair_of(k, cache));
  const std::vector<uint8_t> saved = cache->save();
  const auto loaded = PlanCache::create();
  ASSERT_TRUE(loaded->load(saved));
  EXPECT_EQ(loaded->bytes(), cache->bytes());
  size_t i = 0;
  for (const uint32_t k : {5000u, 1u, 300u}) EXPECT_EQ(repair_of(k, loaded), expected[i++]) << k;
  EXPECT_EQ(loaded->bytes(), cache->bytes()) << "a loaded plan was made again";
  EXPECT_EQ(loaded->save(), saved);
  EXPECT_TRUE(PlanCache::create()->load(PlanCache::create()->save()));
}

TEST(FountainPlanFile, DamageIsFound) {
  const auto cache = PlanCache::create();
  repair_of(50, cache);
  const std::vector<uint8_t> saved = cache->save();
  EXPECT_FALSE(PlanCache::create()->load({}));
  for (size_t bytes = 0; bytes < saved.size(); ++bytes) {
    EXPECT_FALSE(PlanCache::create()->load(std::span(saved).first(bytes)));
  }
  for (size_t at = 0; at < saved.size(); ++at) {
    std::vector<uint8_t> damaged = saved;
    damaged[at] ^= 0x40;
    EXPECT_FALSE(PlanCache::create()->load(damaged)) << at;
  }
}

// A forged order is refused, or solves the same system: never other symbols.
TEST(FountainPlanFile, ForgeriesCannotChangeSymbols) {
  const auto cache = PlanCache::create();
  const std::vector<uint8_t> expected = repair_of(40, cache);
  const std::vector<uint8_t> saved = cache->save();
  size_t accepted = 0;
  for (size_t at = 8; at + 8 < saved.size(); ++at) {
    for (const uint8_t flip : {0x01, 0x02, 0x10, 0x80}) {
      std::vector<uint8_t> forged = saved;
      forged[at] ^= flip;
      seal(forged);
      const auto loaded = PlanCache::create();
      if (loaded->load(forged)) {
        ++accepted;
        EXPECT_EQ(repair_of(40, loaded), expected);
      }
    }
  }
  // Two inactive columns in the other order are as good an order: that one must be accepted.
  std::vector<uint8_t> other = saved;
  std::swap_ranges(other.end() - 12, other.end() - 10, other.end() - 10);
  seal(other);
  const auto loaded = PlanCache::create();
  ASSERT_TRUE(loaded->load(other));
  EXPECT_EQ(repair_of(40, loaded), expected);
  EXPECT_LT(accepted, saved.size());
  // The same plan twice, and a plan for a number of symbols that the table does not have.
  std::vector<uint8_t> twice(saved.begin(), saved.end() - 8);
  twice.insert(twice.end(), saved.begin() + 8, saved.end());
  seal(twice);
  EXPECT_FALSE(PlanCache::create()->load(twice));
}

// The bound on inactive columns in a file lets every honest plan through.
TEST(FountainPlanFile, TheBoundFitsEveryTableRow) {
  for (const uint32_t k : {10u, 101u, 1002u, 5000u, 12000u, 30000u, 56403u}) {
    const auto cache = PlanCache::create();
    const auto plan = cache->impl().encode_plan(*CodeParams::for_source_symbols(k), *kernels_for(std::nullopt));
    EXPECT_LT(plan->plan.layout.inactive, plan->plan.params.p + 400) << k;
    EXPECT_TRUE(PlanCache::create()->load(cache->save())) << k;
  }
}

}  // namespace
}  // namespace selvedge::fountain
