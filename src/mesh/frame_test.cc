#include "mesh/frame.h"

#include <gtest/gtest.h>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

FrameHeader some_header() {
  FrameHeader h;
  h.kind = FrameKind::kStore;
  h.transfer = 0x0102030405060708;
  h.object.bytes.fill(7);
  h.zone.bytes.fill(9);
  h.object_bytes = 5000;
  h.symbol_bytes = 16;
  h.source_block = 3;
  h.k = 313;
  h.expires = 1'800'000'000;
  return h;
}

Bytes some_frame(const std::vector<uint32_t>& esis) {
  Bytes frame = make_frame(some_header(), esis);
  for (size_t i = 0; i < esis.size(); ++i) {
    const std::span<uint8_t> slot = frame_symbol(frame, esis.size(), i, 16 + kTagBytes);
    std::fill(slot.begin(), slot.end(), uint8_t(esis[i]));
  }
  close_frame(frame);
  return frame;
}

TEST(Frame, WhatIsMadeIsParsed) {
  const Bytes bytes = some_frame({0, 5, 6, kFrameSymbolsMax});
  const Result<FrameView> frame = parse_frame(bytes);
  ASSERT_TRUE(frame.ok()) << frame.error().message;
  const FrameHeader& h = frame->header;
  EXPECT_EQ(h.kind, FrameKind::kStore);
  EXPECT_EQ(h.transfer, 0x0102030405060708u);
  EXPECT_EQ(h.object, some_header().object);
  EXPECT_EQ(h.zone, some_header().zone);
  EXPECT_EQ(h.object_bytes, 5000u);
  EXPECT_EQ(h.symbol_bytes, 16);
  EXPECT_EQ(h.source_block, 3);
  EXPECT_EQ(h.k, 313u);
  EXPECT_EQ(h.expires, 1'800'000'000u);
  EXPECT_EQ(frame->esis, (std::vector<uint32_t>{0, 5, 6, kFrameSymbolsMax}));
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(frame->sealed(i)[0], uint8_t(frame->esis[i]));
}

// A reader of another make finds these bytes where the specification says. req: B3
TEST(Frame, TheLayoutIsTheSpecifications) {
  const Bytes frame = some_frame({5});
  EXPECT_EQ(to_hex(ByteView(frame).first(16)), "46435053" "0900" "0100" "0000000000000000");  // fountain, acknowledge; one symbol; not sent yet
  EXPECT_EQ(to_hex(ByteView(frame).subspan(80, 32)), "0807060504030201" "8813000000000000" "00d2496b00000000" "39010000" "1000" "0000");
  EXPECT_EQ(to_hex(ByteView(frame).subspan(112, 4)), "05000003");  // block 3, symbol 5
  EXPECT_EQ(frame.size(), 112u + 4 + 16 + 16 + 8);
}

// req: B3, B11
TEST(Frame, EveryDamagedHeaderIsRefused) {
  const Bytes good = some_frame({1, 2, 3});
  for (size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(parse_frame(ByteView(good).first(cut)).ok()) << cut;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(parse_frame(longer).ok());
  // With a checksum that is right, as from one who means it.
  const auto with = [&](size_t at, uint8_t value) {
    Bytes bad = good;
    bad[at] = value;
    close_frame(bad);
    return parse_frame(bad).ok();
  };
  EXPECT_FALSE(with(0, 'X'));    // magic
  EXPECT_FALSE(with(4, 9 | 2));  // compressed
  EXPECT_FALSE(with(4, 9 | 4));  // control objects
  EXPECT_FALSE(with(4, 9 | 32)); // the seal of an epoch
  EXPECT_FALSE(with(5, 1));      // a flag of no meaning
  EXPECT_FALSE(with(6, 0));      // no symbols
  EXPECT_FALSE(with(7, 1));      // more symbols than a frame may have
  EXPECT_FALSE(with(107, 0xFF)); // k beyond RFC 6330
  EXPECT_FALSE(with(110, 1));    // reserved
  EXPECT_FALSE(with(112, 2));    // not ascending
  EXPECT_FALSE(with(115, 4));    // symbols of two blocks
  EXPECT_TRUE(with(4, 9 | 16));  // sent again
  EXPECT_TRUE(parse_frame(good).ok());
}

// req: B3
TEST(Frame, AnyOneBitChangedOnItsWayIsSeen) {
  const Bytes good = some_frame({1, 2});
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = good;
      changed[at] ^= uint8_t(1 << bit);
      EXPECT_FALSE(parse_frame(changed).ok()) << at;
    }
  }
}

TEST(Frame, RetargetChangesKindTransferAndTimeOnly) {
  Bytes frame = some_frame({4, 8});
  const Bytes before = frame;
  retarget_frame(frame, FrameKind::kDeliver, 42, Instant::from_unix_seconds(1'700'000'000));
  const Result<FrameView> parsed = parse_frame(frame);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->header.kind, FrameKind::kDeliver);
  EXPECT_EQ(parsed->header.transfer, 42u);
  EXPECT_EQ(parsed->header.sent_ms, 1'700'000'000'000u);
  retarget_frame(frame, FrameKind::kStore, some_header().transfer, Instant{});
  EXPECT_EQ(frame, before);
}

TEST(Frame, SubsetKeepsTheChosenSymbols) {
  const Bytes bytes = some_frame({1, 2, 3, 9});
  const Bytes subset = subset_frame(parse_frame(bytes).value(), {1, 3});
  const Result<FrameView> frame = parse_frame(subset);
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->esis, (std::vector<uint32_t>{2, 9}));
  EXPECT_EQ(frame->sealed(0)[0], 2);
  EXPECT_EQ(frame->sealed(1)[0], 9);
}

// req: B3, C10
TEST(Frame, ALongFrameIsCutToWhatThePeerTakes) {
  const std::vector<uint32_t> esis{1, 2, 3, 9, 20};
  const Bytes whole = some_frame(esis);
  EXPECT_EQ(split_frame(whole, whole.size()), std::vector<Bytes>{whole});
  for (size_t max = whole.size() - 1; max > 0; --max) {
    std::vector<uint32_t> found;
    for (const Bytes& part : split_frame(whole, max)) {
      const Result<FrameView> frame = parse_frame(part);
      ASSERT_TRUE(frame.ok());
      EXPECT_TRUE(part.size() <= max || frame->esis.size() == 1);
      for (size_t i = 0; i < frame->esis.size(); ++i) {
        found.push_back(frame->esis[i]);
        EXPECT_EQ(frame->sealed(i)[0], uint8_t(frame->esis[i]));
      }
    }
    EXPECT_EQ(found, esis) << max;
  }
}

}  // namespace
}  // namespace selvedge::mesh
