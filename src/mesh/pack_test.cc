#include "mesh/pack.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

Bytes compressible(uint8_t type, size_t bytes) {
  Bytes out(bytes, 7);
  out[0] = type;
  return out;
}

// req: C10
TEST(Pack, WhatShrinksIsPackedAndComesBack) {
  for (const uint8_t type : {2, 38, 200}) {
    const Bytes message = compressible(type, 100'000);
    const Bytes packed = pack_message(message, kCompressions);
    EXPECT_LT(packed.size(), 1000u);
    EXPECT_EQ(packed_type(packed), type);
    EXPECT_EQ(unpack_message(packed).value(), message);
  }
}

// req: C10
TEST(Pack, WhatDoesNotShrinkOrMayNotTravelsAsItIs) {
  const Bytes noise = random_bytes(1, 100'000), small = compressible(2, kPackBytesMin - 1), large = compressible(2, 100'000);
  EXPECT_EQ(pack_message(noise, kCompressions), noise);
  EXPECT_EQ(pack_message(small, kCompressions), small);
  EXPECT_EQ(pack_message(large, 0), large) << "the peer reads nothing packed";
  EXPECT_EQ(packed_type(large), 0);
}

// req: C10, C15
TEST(Pack, NothingUnpacksToMoreThanItSays) {
  const Bytes message = compressible(2, 100'000);
  Packed packed{2, kCompressionZstd, uint32_t(message.size()), Bytes(ZSTD_compressBound(message.size()))};
  packed.bytes.resize(ZSTD_compress(packed.bytes.data(), packed.bytes.size(), message.data(), message.size(), 1));
  const auto code = [](const Packed& each) { return unpack_message(PackMessages::encode(each)).code(); };
  EXPECT_TRUE(unpack_message(PackMessages::encode(packed)).ok());
  for (const uint32_t size : {uint32_t(99'999), uint32_t(100'001), uint32_t(1)}) {
    Packed lie = packed;
    lie.size = size;
    EXPECT_EQ(code(lie), Errc::kInvalid);
  }
  Packed bomb = packed;
  const Bytes zeros(64u << 20, 0);
  bomb.bytes.assign(ZSTD_compressBound(zeros.size()), 0);
  bomb.bytes.resize(ZSTD_compress(bomb.bytes.data(), bomb.bytes.size(), zeros.data(), zeros.size(), 1));
  bomb.size = uint32_t(zeros.size());
  EXPECT_EQ(code(bomb), Errc::kLimit);
  bomb.size = kUnpackedBytesMax;
  EXPECT_EQ(code(bomb), Errc::kInvalid);
  Packed other = packed;
  other.method = 2;
  EXPECT_EQ(code(other), Errc::kUnsupported);
  other = packed;
  other.type = 3;
  EXPECT_EQ(code(other), Errc::kInvalid);
  other = packed;
  other.bytes.resize(other.bytes.size() / 2);
  EXPECT_EQ(code(other), Errc::kInvalid);
  const Bytes twice = pack_message(compressible(Packed::kType, 100'000), kCompressions);
  EXPECT_EQ(unpack_message(twice).code(), Errc::kInvalid);
}

}  // namespace
}  // namespace selvedge::mesh
