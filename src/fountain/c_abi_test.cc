// The C interface, called as C would.
#include <gtest/gtest.h>

#include <vector>

#include "fountain/fountain.h"
#include "fountain/fountain_c.h"
#include "fountain/test_support.h"

namespace selvedge::fountain {
namespace {

using test::make_object;

// req: B1
TEST(FountainC, RoundTripInBlocks) {
  const std::vector<uint8_t> data = make_object(4, 3000 * 40 + 7);
  fountain_object object{};
  ASSERT_EQ(fountain_object_partition(data.size(), 40, &object), FOUNTAIN_OK);
  EXPECT_EQ(object.source_blocks, 2u);
  uint8_t oti[FOUNTAIN_OTI_BYTES];
  ASSERT_EQ(fountain_object_to_oti(&object, oti), FOUNTAIN_OK);
  fountain_object read{};
  ASSERT_EQ(fountain_object_from_oti(oti, sizeof oti, &read), FOUNTAIN_OK);
  EXPECT_EQ(read.object_bytes, data.size());
  fountain_cache* cache = nullptr;
  ASSERT_EQ(fountain_cache_create(0, &cache), FOUNTAIN_OK);
  std::vector<uint8_t> out(data.size());
  for (uint32_t z = 0; z < read.source_blocks; ++z) {
    fountain_block block{};
    ASSERT_EQ(fountain_object_block(&read, z, &block), FOUNTAIN_OK);
    fountain_encoder* encoder = nullptr;
    ASSERT_EQ(fountain_encoder_create(data.data() + block.offset_bytes, block.bytes, 40, cache, &encoder), FOUNTAIN_OK);
    EXPECT_EQ(fountain_encoder_k(encoder), block.k);
    std::vector<uint32_t> esis;
    for (uint32_t i = 0; i < block.k; ++i) esis.push_back(i < 20 ? block.k + i : i);
    std::vector<uint8_t> symbols(esis.size() * 40);
    ASSERT_EQ(fountain_encoder_symbols(encoder, esis.data(), esis.size(), symbols.data(), symbols.size()), FOUNTAIN_OK);
    fountain_decoder* decoder = nullptr;
    ASSERT_EQ(fountain_decoder_create(block.bytes, 40, cache, &decoder), FOUNTAIN_OK);
    if (z == 1) {
      fountain_cache_free(cache);  // the handles keep what they need of it
      cache = nullptr;
    }
    EXPECT_EQ(fountain_decoder_needed(decoder), block.k);
    EXPECT_EQ(fountain_decoder_decode(decoder), FOUNTAIN_MORE);
    EXPECT_EQ(fountain_decoder_block(decoder, out.data(), out.size()), FOUNTAIN_MORE);
    for (size_t i = 0; i < esis.size(); ++i) {
      ASSERT_EQ(fountain_decoder_add(decoder, esis[i], symbols.data() + i * 40, 40), FOUNTAIN_OK);
      EXPECT_EQ(fountain_decoder_add(decoder, esis[i], symbols.data() + i * 40, 40), FOUNTAIN_DUPLICATE);
    }
    const uint8_t* symbol = nullptr;
    size_t bytes = 0;
    EXPECT_EQ(fountain_decoder_source(decoder, 3, &symbol, &bytes), FOUNTAIN_MORE);
    while (fountain_decoder_decode(decoder) == FOUNTAIN_MORE) {
      const uint32_t esi = block.k + 100;
      std::vector<uint8_t> one(40);
      ASSERT_EQ(fountain_encoder_symbols(encoder, &esi, 1, one.data(), one.size()), FOUNTAIN_OK);
      ASSERT_EQ(fountain_decoder_add(decoder, esi, one.data(), one.size()), FOUNTAIN_OK);
    }
    ASSERT_EQ(fountain_decoder_source(decoder, 3, &symbol, &bytes), FOUNTAIN_OK);
    EXPECT_TRUE(std::equal(symbol, symbol + bytes, data.data() + block.offset_bytes + 120));
    ASSERT_EQ(fountain_decoder_block(decoder, out.data() + block.offset_bytes, block.bytes), FOUNTAIN_OK);
    fountain_encoder_free(encoder);
    fountain_decoder_free(decoder);
  }
  EXPECT_EQ(out, data);
}

TEST(FountainC, WrongArgumentsAreErrors) {
  fountain_object object{};
  EXPECT_EQ(fountain_object_partition(0, 40, &object), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_object_partition(100, 40, nullptr), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_object_partition(UINT64_MAX, 40, &object), FOUNTAIN_INVALID);
  uint8_t oti[FOUNTAIN_OTI_BYTES] = {};
  EXPECT_EQ(fountain_object_to_oti(&object, oti), FOUNTAIN_INVALID);  // all zero
  EXPECT_EQ(fountain_object_from_oti(oti, sizeof oti, &object), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_object_from_oti(oti, 11, &object), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_object_from_oti(nullptr, 12, &object), FOUNTAIN_INVALID);
  fountain_block block{};
  object = fountain_object{1000, 10, 2, 1, 1};
  EXPECT_EQ(fountain_object_block(&object, 2, &block), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_object_block(nullptr, 0, &block), FOUNTAIN_INVALID);
  fountain_encoder* encoder = nullptr;
  const uint8_t source[100] = {};
  EXPECT_EQ(fountain_encoder_create(nullptr, 10, 10, nullptr, &encoder), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_encoder_create(source, 0, 10, nullptr, &encoder), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_encoder_create(source, 100, 0, nullptr, &encoder), FOUNTAIN_INVALID);
  ASSERT_EQ(fountain_encoder_create(source, 100, 10, nullptr, &encoder), FOUNTAIN_OK);
  uint32_t esis[2] = {10, 11};
  uint8_t out[20];
  EXPECT_EQ(fountain_encoder_symbols(encoder, esis, 2, out, 19), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_encoder_symbols(encoder, esis, SIZE_MAX, out, 20), FOUNTAIN_INVALID);
  esis[1] = 1u << 24;
  EXPECT_EQ(fountain_encoder_symbols(encoder, esis, 2, out, 20), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_encoder_symbols(nullptr, esis, 2, out, 20), FOUNTAIN_INVALID);
  fountain_encoder_free(encoder);
  fountain_encoder_free(nullptr);
  EXPECT_STRNE(fountain_status_text(FOUNTAIN_FULL), "");
  EXPECT_EQ(fountain_cache_create(0, nullptr), FOUNTAIN_INVALID);
}

// req: B11
TEST(FountainC, HostileDecoderArgumentsAreErrors) {
  fountain_decoder* decoder = nullptr;
  const uint8_t payload[10] = {};
  // An OTI that asks for 940 GB is valid by the RFC, but its blocks are not of this size.
  EXPECT_EQ(fountain_decoder_create(kObjectBytesMax, kSymbolBytesMax, nullptr, &decoder), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_decoder_create(UINT64_MAX, 1, nullptr, &decoder), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_decoder_create(0, 10, nullptr, &decoder), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_decoder_create(100, 0, nullptr, &decoder), FOUNTAIN_INVALID);
  ASSERT_EQ(fountain_decoder_create(100, 10, nullptr, &decoder), FOUNTAIN_OK);
  EXPECT_EQ(fountain_decoder_add(decoder, 1, payload, 9), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_decoder_add(decoder, 1u << 24, payload, 10), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_decoder_add(decoder, 1, nullptr, 10), FOUNTAIN_INVALID);
  EXPECT_EQ(fountain_decoder_add(nullptr, 1, payload, 10), FOUNTAIN_INVALID);
  fountain_status last = FOUNTAIN_OK;
  uint32_t held = 0;
  for (uint32_t esi = 10; esi < 400; ++esi) {
    last = fountain_decoder_add(decoder, esi, payload, 10);
    held += last == FOUNTAIN_OK ? 1 : 0;
  }
  EXPECT_EQ(last, FOUNTAIN_FULL);
  EXPECT_EQ(held, 10 + BlockDecoder::kSpareSymbolsMax);
  fountain_decoder_free(decoder);
  fountain_decoder_free(nullptr);
}

}  // namespace
}  // namespace selvedge::fountain
