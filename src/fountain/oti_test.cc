#include <gtest/gtest.h>

#include <vector>

#include "fountain/fountain.h"
#include "fountain/test_support.h"

namespace selvedge::fountain {
namespace {

TEST(FountainOti, PartitionEvenly) {
  const Partition p = partition_evenly(10, 3);
  EXPECT_EQ(p.large_size, 4u);
  EXPECT_EQ(p.small_size, 3u);
  EXPECT_EQ(p.large_count, 1u);
  EXPECT_EQ(p.small_count, 2u);
  const Partition even = partition_evenly(12, 3);
  EXPECT_EQ(even.large_count, 0u);
  EXPECT_EQ(even.small_size, 4u);
  EXPECT_EQ(even.large_size, 4u);
}

TEST(FountainOti, BlocksTileTheObject) {
  test::SplitMix64 random(1);
  for (int i = 0; i < 300; ++i) {
    ObjectParams params;
    params.symbol_bytes = 1 + random.below(2000);
    params.object_bytes = 1 + random.below(3'000'000);
    params.source_blocks = 1 + random.below(30);
    if (!params.valid()) continue;
    uint64_t at = 0;
    uint32_t symbols = 0;
    for (uint32_t z = 0; z < params.source_blocks; ++z) {
      const BlockLayout block = params.block(z);
      EXPECT_EQ(block.offset_bytes, at);
      EXPECT_GT(block.bytes, 0u);
      EXPECT_EQ((block.bytes + params.symbol_bytes - 1) / params.symbol_bytes, block.k);
      at += block.bytes;
      symbols += block.k;
    }
    EXPECT_EQ(at, params.object_bytes);
    EXPECT_EQ(symbols, params.symbols_total());
    EXPECT_EQ(ObjectParams::parse_oti(params.oti()), params);
  }
}

TEST(FountainOti, DefaultPartition) {
  EXPECT_FALSE(partition(0, 1024));
  EXPECT_FALSE(partition(1000, 0));
  EXPECT_FALSE(partition(1000, 65536));
  EXPECT_FALSE(partition(kObjectBytesMax + 1, 65535));
  EXPECT_FALSE(partition(uint64_t{kBlockSymbolsMax} * kSourceBlocksMax + 1, 1));
  EXPECT_TRUE(partition(uint64_t{kBlockSymbolsMax} * kSourceBlocksMax, 1));
  const auto one = partition(1, 1024);
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->source_blocks, 1u);
  EXPECT_EQ(one->alignment, 8u);
  const auto large = partition(uint64_t{2048} * 1024 + 1, 1024);
  EXPECT_EQ(large->source_blocks, 2u);
  EXPECT_EQ(large->block(0).k, 1025u);
  EXPECT_EQ(large->block(1).k, 1024u);
  EXPECT_EQ(partition(1000, 12)->alignment, 4u);
  EXPECT_EQ(partition(1000, 6)->alignment, 1u);  // as other codecs choose it, so that equal objects get equal OTIs
  EXPECT_EQ(partition(1000, 7)->alignment, 1u);
}

TEST(FountainOti, HostileBytes) {
  const std::vector<uint8_t> good = [] {
    const auto oti = partition(123456, 1280)->oti();
    return std::vector<uint8_t>(oti.begin(), oti.end());
  }();
  ASSERT_TRUE(ObjectParams::parse_oti(good).has_value());
  EXPECT_FALSE(ObjectParams::parse_oti(std::span(good).first(11)).has_value());
  EXPECT_FALSE(ObjectParams::parse_oti({}).has_value());
  // T = 0, Z = 0, N = 0, Al = 0, Al not a divisor, F = 0, F too large.
  const std::vector<std::pair<std::vector<size_t>, uint8_t>> bad = {
      {{6, 7}, 0}, {{8}, 0}, {{9, 10}, 0}, {{11}, 0}, {{11}, 7}, {{0, 1, 2, 3, 4}, 0}, {{0, 1}, 0xFF}, {{9}, 0xFF}};
  for (const auto& [positions, value] : bad) {
    std::vector<uint8_t> oti = good;
    for (const size_t at : positions) oti[at] = value;
    EXPECT_FALSE(ObjectParams::parse_oti(oti).has_value()) << positions[0];
  }
  test::SplitMix64 random(9);
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> oti(kOtiBytes);
    for (uint8_t& byte : oti) byte = static_cast<uint8_t>(random.below(4) == 0 ? random.below(256) : random.below(3));
    const auto params = ObjectParams::parse_oti(oti);
    if (!params) continue;
    EXPECT_LE(params->block(0).k, kBlockSymbolsMax);
    const BlockLayout last = params->block(params->source_blocks - 1);
    EXPECT_EQ(last.offset_bytes + last.bytes, params->object_bytes);
  }
}

// RFC 6330 4.4.1.2: with N sub-blocks a symbol is the concatenation of its sub-symbols.
TEST(FountainOti, SubBlocks) {
  ObjectParams params;
  params.symbol_bytes = 20;
  params.alignment = 4;
  params.sub_blocks = 3;  // T / Al = 5 units: sub-symbols of 8, 8 and 4 bytes
  params.object_bytes = 60;
  ASSERT_TRUE(params.valid());
  const Partition parts = params.sub_symbols();
  EXPECT_EQ(parts.large_size, 8u);
  EXPECT_EQ(parts.small_size, 4u);
  EXPECT_EQ(parts.large_count, 2u);
  EXPECT_EQ(parts.small_count, 1u);
  const std::vector<uint8_t> block = test::make_object(2, 60);
  std::vector<uint8_t> symbols(60);
  sub_blocks_to_symbols(params, 3, block, symbols);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(std::equal(symbols.begin() + static_cast<ptrdiff_t>(i * 20),
                           symbols.begin() + static_cast<ptrdiff_t>(i * 20 + 8),
                           block.begin() + static_cast<ptrdiff_t>(i * 8)));
    EXPECT_TRUE(std::equal(symbols.begin() + static_cast<ptrdiff_t>(i * 20 + 8),
                           symbols.begin() + static_cast<ptrdiff_t>(i * 20 + 16),
                           block.begin() + static_cast<ptrdiff_t>(24 + i * 8)));
    EXPECT_TRUE(std::equal(symbols.begin() + static_cast<ptrdiff_t>(i * 20 + 16),
                           symbols.begin() + static_cast<ptrdiff_t>(i * 20 + 20),
                           block.begin() + static_cast<ptrdiff_t>(48 + i * 4)));
  }
  std::vector<uint8_t> back(60);
  symbols_to_sub_blocks(params, 3, symbols, back);
  EXPECT_EQ(back, block);
}

}  // namespace
}  // namespace selvedge::fountain
