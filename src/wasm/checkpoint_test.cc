#include "wasm/checkpoint.h"

#include <gtest/gtest.h>

#include "wasm/rewrite.h"

namespace selvedge::wasm {
namespace {

const Bytes& example_memory() {
  static const Bytes memory = [] {
    Bytes out(2 * kPageBytes);
    out[5] = out[kCheckpointBlock] = out[9 * kCheckpointBlock + 17] = 1;
    return out;
  }();
  return memory;
}

Checkpoint example() {
  Checkpoint out;
  out.task.bytes.fill(2);
  out.fuel = 3 * kFuelMark + 7;
  out.mark = 2 * kFuelMark;
  out.boundary = 4 * kFuelMark;
  out.output_hashed = 2;
  out.segments = {{kFuelMark + 3, out.task}, {2 * kFuelMark + 1, out.task}};
  out.area = 4096;
  out.slots = {1, UINT64_MAX, 0x7FF8000000000001};
  out.pages = 2;
  out.memory = memory_runs(example_memory());
  out.host = {1, 2, 3};
  return out;
}

// req: D6
TEST(Checkpoint, ComesBackAsItWas) {
  const Checkpoint made = example();
  ASSERT_EQ(made.memory.size(), 2u) << "blocks side by side are one run";
  EXPECT_EQ(made.memory[0].bytes.size(), 2 * kCheckpointBlock);
  EXPECT_EQ(made.memory[1].offset, 9 * kCheckpointBlock);
  const Bytes encoded = encode(made);
  const auto back = decode_checkpoint(encoded, 2);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(encode(*back), encoded);
  EXPECT_EQ(back->slots, made.slots);
  EXPECT_EQ(back->host, made.host);
  EXPECT_EQ(decode_checkpoint(encode(made), 1).code(), Errc::kLimit);
}

TEST(Checkpoint, OneStateHasOneEncoding) {
  Checkpoint zeros = example();
  const Bytes block(kCheckpointBlock);
  zeros.memory.push_back({20 * kCheckpointBlock, block});
  EXPECT_EQ(decode_checkpoint(encode(zeros), 2).code(), Errc::kNonCanonical);
  Checkpoint split = example();
  split.memory.insert(split.memory.begin() + 1, {kCheckpointBlock, split.memory[0].bytes.subspan(kCheckpointBlock)});
  split.memory[0].bytes = split.memory[0].bytes.first(kCheckpointBlock);
  EXPECT_EQ(decode_checkpoint(encode(split), 2).code(), Errc::kNonCanonical);
  Checkpoint swapped = example();
  std::swap(swapped.memory[0], swapped.memory[1]);
  EXPECT_EQ(decode_checkpoint(encode(swapped), 2).code(), Errc::kNonCanonical);
  Checkpoint beyond = example();
  beyond.memory[1].offset = 2 * kPageBytes;
  EXPECT_EQ(decode_checkpoint(encode(beyond), 2).code(), Errc::kInvalid);
  Checkpoint odd = example();
  odd.mark = 5;
  EXPECT_EQ(decode_checkpoint(encode(odd), 2).code(), Errc::kInvalid);
}

TEST(Checkpoint, ManyBytesAreTakenInSteps) {
  const Bytes memory(32 * kPageBytes, 1);
  int pauses = 0;
  Checkpoint large = example();
  large.memory = memory_runs(memory, [&] { ++pauses; });
  EXPECT_EQ(pauses, 2);
  (void)encode(large, [&] { ++pauses; });
  EXPECT_EQ(pauses, 4);
}

TEST(Checkpoint, EveryTruncationIsRefused) {
  const Bytes whole = encode(example());
  const size_t fixed = whole.size() - example().host.size();
  for (size_t size = 0; size < fixed; ++size) EXPECT_FALSE(decode_checkpoint(ByteView(whole).first(size), 2).ok()) << size;
}

}  // namespace
}  // namespace selvedge::wasm
