#include "host/quic/frame.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace selvedge::host {
namespace {

Bytes framed(uint8_t channel, const std::vector<Bytes>& messages) {
  Bytes wire{channel};
  for (const Bytes& message : messages) {
    append_u32(wire, uint32_t(message.size()));
    append(wire, message);
  }
  return wire;
}

TEST(Frame, AnySplitGivesTheSameMessages) {
  Rng rng(7);
  std::vector<Bytes> messages;
  for (size_t size : {1u, 3u, 4u, 5u, 255u, 4096u, 1u, 70000u}) {
    Bytes message(size);
    for (uint8_t& b : message) b = uint8_t(rng.next());
    messages.push_back(message);
  }
  const Bytes wire = framed(1, messages);
  for (int round = 0; round < 50; ++round) {
    FrameReader reader(2, 100'000);
    std::vector<Bytes> out;
    const uint64_t piece_max = rng.between(1, round < 10 ? 7 : 9000);
    for (size_t at = 0; at < wire.size();) {
      const size_t take = std::min<size_t>(wire.size() - at, rng.between(1, piece_max));
      ASSERT_TRUE(reader.push(ByteView(wire).subspan(at, take), out).ok());
      at += take;
    }
    EXPECT_EQ(out, messages);
    EXPECT_EQ(reader.channel(), uint8_t(1));
    EXPECT_EQ(reader.held(), 0u);
  }
}

TEST(Frame, HeaderIsWhatTheReaderReads) {
  std::array<uint8_t, 5> header;
  Bytes wire;
  append(wire, ByteView(header).first(write_frame_header(header, uint8_t(0), 2)));
  append(wire, Bytes{9, 8});
  append(wire, ByteView(header).first(write_frame_header(header, std::nullopt, 1)));
  append(wire, Bytes{7});
  FrameReader reader(2, 16);
  std::vector<Bytes> out;
  ASSERT_TRUE(reader.push(wire, out).ok());
  EXPECT_EQ(out, (std::vector<Bytes>{{9, 8}, {7}}));
}

TEST(Frame, RefusesUnknownChannelEmptyAndOversize) {
  std::vector<Bytes> out;
  FrameReader channel(2, 100);
  EXPECT_EQ(channel.push(Bytes{2}, out).code(), Errc::kInvalid);
  FrameReader empty(2, 100);
  EXPECT_EQ(empty.push(framed(0, {{}}), out).code(), Errc::kInvalid);
  FrameReader oversize(2, 100);
  EXPECT_EQ(oversize.push(framed(0, {Bytes(101)}), out).code(), Errc::kInvalid);
  EXPECT_EQ(oversize.push(framed(0, {Bytes(5)}), out).code(), Errc::kInvalid) << "a broken stream stays broken";
  FrameReader largest(2, 100);
  EXPECT_TRUE(largest.push(framed(0, {Bytes(100)}), out).ok());
  EXPECT_EQ(out.size(), 1u);
}

TEST(Frame, AClaimedLengthReservesLittle) {
  FrameReader reader(2, 0xFFFFFFFF);
  std::vector<Bytes> out;
  ASSERT_TRUE(reader.push(Bytes{0, 0xFF, 0xFF, 0xFF, 0xFF, 1}, out).ok());
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(reader.held(), 5u);
}

}  // namespace
}  // namespace selvedge::host
