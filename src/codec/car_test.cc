#include "codec/car.h"

#include <gtest/gtest.h>

namespace selvedge::codec {
namespace {

Bytes archive_of(const std::vector<Bytes>& blocks) {
  std::vector<Cid> cids;
  for (const Bytes& block : blocks) cids.push_back(Cid::of(Codec::kRaw, block));
  Bytes out = car_header({cids.front()});
  for (size_t i = 0; i < blocks.size(); ++i) append_car_block(out, cids[i], blocks[i]);
  return out;
}

TEST(CarTest, TheHeaderIsWhatOthersWrite) {
  const Bytes header = car_header({Cid::of(Codec::kRaw, view("hello\n"))});
  ASSERT_EQ(header.size(), 59u) << "58 bytes and their length, for one root";
  EXPECT_EQ(to_hex(ByteView(header).first(17)), "3aa265726f6f747381d82a58250001" "5512");
  EXPECT_EQ(to_hex(ByteView(header).last(9)), "6776657273696f6e01");
}

TEST(CarTest, ReadsBackInOrderAndChecksEachBlock) {
  const std::vector<Bytes> blocks{Bytes(1, 7), Bytes{}, Bytes(5000, 9)};
  const Bytes archive = archive_of(blocks);
  CarReader reader = CarReader::open(archive).value();
  ASSERT_EQ(reader.roots().size(), 1u);
  for (const Bytes& block : blocks) EXPECT_EQ(to_bytes((*reader.next().value()).bytes), block);
  EXPECT_FALSE(reader.next().value().has_value());
}

TEST(CarTest, EveryChangedByteAndEveryCutIsNoticed) {
  const Bytes archive = archive_of({Bytes(3, 1), Bytes(3, 2)});
  const auto intact = [](ByteView bytes) {
    Result<CarReader> reader = CarReader::open(bytes);
    if (!reader.ok()) return false;
    const Cid root = Cid::of(Codec::kRaw, Bytes(3, 1));
    if (reader->roots() != std::vector<Cid>{root}) return false;
    size_t count = 0;
    for (;; ++count) {
      const auto block = reader->next();
      if (!block.ok()) return false;
      if (!block->has_value()) return count == 2;
    }
  };
  ASSERT_TRUE(intact(archive));
  for (size_t i = 0; i < archive.size(); ++i) {
    Bytes changed = archive;
    changed[i] ^= 1;
    EXPECT_FALSE(intact(changed)) << "byte " << i;
    EXPECT_FALSE(intact(ByteView(archive).first(i))) << "cut at " << i;
  }
}

}  // namespace
}  // namespace selvedge::codec
