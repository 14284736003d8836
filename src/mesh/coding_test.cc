#include "mesh/coding.h"

#include <gtest/gtest.h>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

// req: B5 R27
TEST(Coding, ComesBackWithoutAnyOneHolder) {
  const object::ZoneKeys zone = test_zone();
  const std::vector<NodeKey> on = holders(4);
  for (size_t size : {size_t(1), size_t(100), size_t(kWholeBytesMax), size_t(kWholeBytesMax + 1), size_t(100'000), size_t(3'000'001)}) {
    const Placed placed = place(zone, random_bytes(size, size), on, size);
    EXPECT_EQ(placed.group.whole, size <= kWholeBytesMax);
    for (const NodeKey& lost : on) {
      std::vector<NodeKey> left = on;
      std::erase(left, lost);
      const DecodeResult result = decode(placed.decode_job(placed.frames_of(left)));
      ASSERT_TRUE(result.plaintext.has_value()) << size;
      EXPECT_EQ(*result.plaintext, placed.content);
      EXPECT_TRUE(result.liars.empty());
    }
  }
}

TEST(Coding, FramesFitTheirBounds) {
  const object::ZoneKeys zone = test_zone();
  for (size_t size : {size_t(kWholeBytesMax), size_t(500'000)}) {
    const Placed placed = place(zone, random_bytes(1, size), holders(3));
    for (const EncodedShare& share : placed.encoded.shares) {
      for (const Bytes& frame : share.frames) {
        EXPECT_LE(frame.size(), kFrameBytesMax);
        const Result<FrameView> parsed = parse_frame(frame);
        ASSERT_TRUE(parsed.ok());
        EXPECT_EQ(parsed->header.kind, FrameKind::kStore);
        EXPECT_EQ(parsed->header.object, placed.object);
        EXPECT_EQ(parsed->header.expires, 4'000'000'000u);
      }
    }
  }
}

TEST(Coding, NoPlaintextIsInAFrame) {
  const object::ZoneKeys zone = test_zone();
  const Bytes word = to_bytes(view("in the clear, in the clear, in the clear"));
  for (size_t size : {size_t(4000), size_t(60'000)}) {
    Bytes content;
    while (content.size() < size) append(content, word);
    const Placed placed = place(zone, content, holders(3));
    for (const EncodedShare& share : placed.encoded.shares) {
      for (const Bytes& frame : share.frames) {
        EXPECT_EQ(std::search(frame.begin(), frame.end(), word.begin(), word.begin() + 12), frame.end());
      }
    }
  }
}

// req: B11 C15
TEST(Coding, ATamperedSymbolNamesItsHolderAndIsNotDecoded) {
  const object::ZoneKeys zone = test_zone();
  const std::vector<NodeKey> on = holders(4);
  for (size_t size : {size_t(2000), size_t(200'000)}) {
    const Placed placed = place(zone, random_bytes(5, size), on);
    const NodeKey liar = placed.encoded.shares.front().holder;
    std::vector<DecodeJob::From> frames = placed.frames_of(on);
    for (DecodeJob::From& from : frames) {
      if (from.holder != liar) continue;
      from.frame[from.frame.size() - 30] ^= 1;
      close_frame(from.frame);
    }
    const DecodeResult result = decode(placed.decode_job(frames));
    EXPECT_EQ(result.liars, std::vector<NodeKey>{liar});
    ASSERT_TRUE(result.plaintext.has_value());  // any one holder may lie as well as vanish
    EXPECT_EQ(*result.plaintext, placed.content);
  }
}

TEST(Coding, ASymbolUnderAnotherNumberDoesNotOpen) {
  const object::ZoneKeys zone = test_zone();
  const std::vector<NodeKey> on = holders(2);
  const Placed placed = place(zone, random_bytes(6, 50'000), on);
  std::vector<DecodeJob::From> frames = placed.frames_of({on[0]});
  Bytes moved = frames[0].frame;
  const size_t count = parse_frame(moved)->esis.size();
  store_le<uint32_t>(moved.data() + kFrameHeaderBytes + 4 * (count - 1), 7'000'000);
  close_frame(moved);
  ASSERT_TRUE(parse_frame(moved).ok());
  EXPECT_EQ(decode(placed.decode_job({{on[0], moved}})).liars.size(), 1u);
  // Frames of another object under this one's request are a lie, too.
  const Placed other = place(zone, random_bytes(7, 50'000), on);
  EXPECT_EQ(decode(placed.decode_job(other.frames_of({on[1]}))).liars, std::vector<NodeKey>{on[1]});
}

TEST(Coding, SaysHowManySymbolsAreMissing) {
  const object::ZoneKeys zone = test_zone();
  const std::vector<NodeKey> on = holders(5);
  const Placed placed = place(zone, random_bytes(8, 100'000), on);
  const std::vector<NodeKey> two{on[0], on[1]};
  const std::vector<DecodeJob::From> frames = placed.frames_of(two);
  const DecodeResult result = decode(placed.decode_job(frames));
  EXPECT_FALSE(result.plaintext.has_value());
  ASSERT_EQ(result.more_needed.size(), 1u);
  uint32_t here = 0;
  for (const DecodeJob::From& from : frames) here += uint32_t(parse_frame(from.frame)->esis.size());
  const uint32_t k = block_sizes(placed.group)[0];
  EXPECT_GE(result.more_needed[0], k - here);
  EXPECT_LE(result.more_needed[0], k - here + kDecodeMargin);
  EXPECT_EQ(result.kept.size(), frames.size());
}

TEST(Coding, ExactlyKSourceSymbolsSuffice) {
  const object::ZoneKeys zone = test_zone();
  const Bytes content = random_bytes(9, 20 * kSymbolBytes);
  Placed placed = place(zone, content, {});
  ASSERT_EQ(block_sizes(placed.group), std::vector<uint32_t>{20});
  const NodeKey holder = key_named("one");
  placed.encoded = encode({std::make_shared<const Bytes>(content), placed.group, placed.object, placed.key.clone(), {{holder, {{0, 0, 20}}}}, 1, nullptr});
  const DecodeResult result = decode(placed.decode_job(placed.frames_of({holder})));
  ASSERT_TRUE(result.plaintext.has_value());
  EXPECT_EQ(*result.plaintext, content);
}

TEST(Coding, AnObjectHasItsLimit) {
  const object::ZoneKeys zone = test_zone();
  EXPECT_EQ(describe_group(zone, 1, kGroupBytesMax + 1, {}).code(), Errc::kLimit);
  EXPECT_TRUE(describe_group(zone, 1, kGroupBytesMax, {}).ok());
  EXPECT_EQ(describe_group(zone, 2, 10, {}).code(), Errc::kNotFound);
}

TEST(Coding, EqualContentInOneZoneIsOneObject) {
  const object::ZoneKeys zone = test_zone();
  const Bytes content = random_bytes(10, 1000);
  const auto id = [&](const object::ZoneKeys& of, const Bytes& bytes) {
    return object::unsigned_id(describe_group(of, 1, bytes.size(), crypto::sha256(bytes)).value());
  };
  EXPECT_EQ(id(zone, content), id(zone, content));
  EXPECT_NE(id(zone, content), id(zone, random_bytes(11, 1000)));
  object::ZoneKeys other(object::zone_id(key_named("another owner"), "test"));
  ASSERT_TRUE(other.add_epoch(1, crypto::Seed::from(crypto::sha256(view("another secret"))).value()).ok());
  EXPECT_NE(id(zone, content), id(other, content));
}

}  // namespace
}  // namespace selvedge::mesh
