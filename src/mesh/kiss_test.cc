#include "mesh/kiss.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

// The example of docs/spec/carry.md.
constexpr const char* kExampleFrame = "c000dc2a40576dc90ca500000001dbdcdbdd010300fe4f11724e45c0";

std::vector<Bytes> heard(KissReader& reader, ByteView line) {
  std::vector<Bytes> out;
  reader.on_bytes(line, out);
  return out;
}
Bytes line_of(const Bytes& parcel) {
  Bytes out;
  const std::vector<Bytes> frames = kiss_frames(parcel_id(parcel), parcel).value();
  for (const Bytes& frame : frames) append(out, frame);
  return out;
}

TEST(Kiss, EscapesAreThoseOfTheStandard) {
  const Bytes parcel{0xC0, 0xDB, 0x01};
  const Bytes line = line_of(parcel);
  EXPECT_EQ(to_hex(line), kExampleFrame);
  EXPECT_EQ(line.front(), 0xC0);
  EXPECT_EQ(line.back(), 0xC0);
  EXPECT_EQ(std::count(line.begin(), line.end(), 0xC0), 2);
  const Bytes written{0xDB, 0xDC, 0xDB, 0xDD, 0x01};
  EXPECT_FALSE(std::search(line.begin(), line.end(), written.begin(), written.end()) == line.end());
  KissReader reader;
  EXPECT_EQ(heard(reader, line), std::vector<Bytes>{parcel});
}

TEST(Kiss, BytesOneByOneAndNoiseBeforeAreNoMatter) {
  const Bytes parcel = random_bytes(1, 5000);
  KissReader reader;
  EXPECT_TRUE(heard(reader, random_bytes(2, 3000)).empty());
  std::vector<Bytes> out;
  for (const uint8_t byte : line_of(parcel)) reader.on_bytes(ByteView(&byte, 1), out);
  EXPECT_EQ(out, std::vector<Bytes>{parcel});
  EXPECT_EQ(reader.incomplete(), 0u);
  EXPECT_EQ(reader.bytes_held(), 0u);
}

TEST(Kiss, ALineThatLosesBytesBringsAllWithinAFewRepetitions) {
  const Bytes parcel = random_bytes(3, 40'000);
  const Bytes line = line_of(parcel);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    KissReader reader;
    size_t repetitions = 0;
    std::vector<Bytes> out;
    while (out.empty() && ++repetitions < 100) {
      Bytes noisy;
      for (const uint8_t byte : line) {
        if (rng.chance(1, 2000)) continue;                 // lost
        noisy.push_back(rng.chance(1, 2000) ? uint8_t(rng.next()) : byte);
      }
      reader.on_bytes(noisy, out);
    }
    ASSERT_EQ(out.size(), 1u) << "seed " << seed;
    EXPECT_EQ(out[0], parcel);
    EXPECT_LT(repetitions, 30u) << "seed " << seed;
    EXPECT_GT(reader.damaged(), 0u);
  }
}

TEST(Kiss, WhatIsIncompleteIsBounded) {
  KissReader reader;
  for (uint64_t n = 0; n < 100; ++n) {
    const Bytes parcel = random_bytes(100 + n, 200'000);
    auto frames = kiss_frames(parcel_id(parcel), parcel).value();
    frames.pop_back();
    for (const Bytes& frame : frames) EXPECT_TRUE(heard(reader, frame).empty());
    EXPECT_LE(reader.incomplete(), kKissParcelsMax);
    EXPECT_LE(reader.bytes_held(), kKissBytesMax);
  }
  EXPECT_EQ(kiss_frames({}, Bytes(kKissPieceBytes * kKissPiecesMax + 1)).error().code, Errc::kLimit);
}

TEST(Kiss, PiecesOfAnotherParcelUnderTheSameNumberDoNoMoreThanDelay) {
  const Bytes parcel = random_bytes(4, 3000), other = random_bytes(5, 3000);
  KissReader reader;
  EXPECT_TRUE(heard(reader, kiss_frames(parcel_id(parcel), other).value()[0]).empty());
  EXPECT_TRUE(heard(reader, line_of(parcel)).empty());
  EXPECT_EQ(heard(reader, line_of(parcel)), std::vector<Bytes>{parcel});
}

}  // namespace
}  // namespace selvedge::mesh
