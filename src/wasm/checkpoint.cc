#include "wasm/checkpoint.h"

#include <algorithm>
#include <cstring>

#include "base/byte_reader.h"
#include "wasm/rewrite.h"

namespace selvedge::wasm {
namespace {

constexpr size_t kStep = 1u << 20;
constexpr std::string_view kCheckpointMagic = "selvedge checkpoint 1\n";

// All are zero when the first is, and each is what the one before it is; the library compares faster than a loop here would.
bool is_zero(ByteView block) { return block[0] == 0 && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0; }

Result<MemoryRun> decode_run(ByteReader& in, uint64_t after, uint64_t memory_bytes) {
  MemoryRun run;
  run.offset = TRY(in.u32());
  const uint32_t size = TRY(in.u32());
  if (run.offset % kCheckpointBlock != 0 || size % kCheckpointBlock != 0 || size == 0) return fail(Errc::kInvalid, "a checkpoint's memory is not in whole blocks");
  if (uint64_t(run.offset) + size > memory_bytes) return fail(Errc::kInvalid, "a checkpoint has more memory than it says");
  if (run.offset < after) return fail(Errc::kNonCanonical, "a checkpoint's memory is not in order");
  run.bytes = TRY(in.raw(size));
  for (size_t at = 0; at < size; at += kCheckpointBlock) {
    if (is_zero(run.bytes.subspan(at, kCheckpointBlock))) return fail(Errc::kNonCanonical, "a checkpoint spells out zeros");
  }
  return run;
}

}  // namespace

std::vector<MemoryRun> memory_runs(ByteView memory, const Between& between) {
  std::vector<MemoryRun> out;
  size_t begin = 0;
  bool in_run = false;
  const auto end_run = [&](size_t end) {
    if (in_run) out.push_back({uint32_t(begin), memory.subspan(begin, end - begin)});
    in_run = false;
  };
  size_t at = 0;
  for (; at + kCheckpointBlock <= memory.size(); at += kCheckpointBlock) {
    if (at % kStep == 0) between();
    if (is_zero(memory.subspan(at, kCheckpointBlock))) {
      end_run(at);
    } else if (!in_run) {
      begin = at;
      in_run = true;
    }
  }
  end_run(at);
  return out;
}

Bytes encode(const Checkpoint& checkpoint, const Between& between) {
  Bytes out;
  size_t size = 4096 + 40 * checkpoint.segments.size() + 8 * checkpoint.slots.size() + checkpoint.host.size();
  for (const MemoryRun& run : checkpoint.memory) size += 8 + run.bytes.size();
  out.reserve(size);
  append(out, view(kCheckpointMagic));
  append(out, checkpoint.task);
  append_u64(out, checkpoint.fuel);
  append_u64(out, checkpoint.mark);
  append_u64(out, checkpoint.boundary);
  append_u64(out, checkpoint.output_hashed);
  append_u32(out, uint32_t(checkpoint.segments.size()));
  for (const Segment& segment : checkpoint.segments) {
    append_u64(out, segment.fuel);
    append(out, segment.digest);
  }
  append_u32(out, checkpoint.area);
  append_u32(out, checkpoint.pages);
  append_u32(out, uint32_t(checkpoint.slots.size()));
  for (const uint64_t slot : checkpoint.slots) append_u64(out, slot);
  append_u32(out, uint32_t(checkpoint.memory.size()));
  for (const MemoryRun& run : checkpoint.memory) {
    append_u32(out, run.offset);
    append_u32(out, uint32_t(run.bytes.size()));
    for (size_t at = 0; at < run.bytes.size(); at += kStep) {
      append(out, run.bytes.subspan(at, std::min(kStep, run.bytes.size() - at)));
      between();
    }
  }
  append(out, checkpoint.host);
  return out;
}

Result<Checkpoint> decode_checkpoint(ByteView bytes, uint32_t pages_max) {
  ByteReader in(bytes, "a checkpoint");
  const ByteView magic = TRY(in.raw(kCheckpointMagic.size()));
  if (!std::equal(magic.begin(), magic.end(), kCheckpointMagic.begin())) return fail(Errc::kInvalid, "this is no checkpoint");
  Checkpoint out;
  out.task = TRY(in.fixed<crypto::Digest>());
  out.fuel = TRY(in.u64());
  out.mark = TRY(in.u64());
  out.boundary = TRY(in.u64());
  out.output_hashed = TRY(in.u64());
  const uint32_t segments = TRY(in.u32());
  if (segments > kSegmentsMax) return fail(Errc::kLimit, "a checkpoint has too many segments");
  for (uint32_t i = 0; i < segments; ++i) {
    const uint64_t fuel = TRY(in.u64());
    out.segments.push_back({fuel, TRY(in.fixed<crypto::Digest>())});
  }
  out.area = TRY(in.u32());
  out.pages = TRY(in.u32());
  if (out.pages > pages_max) return fail(Errc::kLimit, "a checkpoint takes more memory than the task allows");
  if (out.fuel > INT64_MAX || out.mark > out.fuel || out.mark % kFuelMark != 0) return fail(Errc::kInvalid, "a checkpoint's fuel cannot be");
  const uint32_t slots = TRY(in.u32());
  if (slots > kCheckpointSlotsMax) return fail(Errc::kLimit, "a checkpoint has too many globals");
  for (uint32_t i = 0; i < slots; ++i) out.slots.push_back(TRY(in.u64()));
  const uint32_t runs = TRY(in.u32());
  const uint64_t memory_bytes = uint64_t(out.pages) * kPageBytes;
  if (runs > memory_bytes / kCheckpointBlock) return fail(Errc::kLimit, "a checkpoint's memory is in too many pieces");
  uint64_t after = 0;  // runs that touch would be one
  for (uint32_t i = 0; i < runs; ++i) {
    out.memory.push_back(TRY(decode_run(in, after, memory_bytes)));
    after = uint64_t(out.memory.back().offset) + out.memory.back().bytes.size() + kCheckpointBlock;
  }
  out.host = to_bytes(in.rest());
  return out;
}

uint64_t checkpoint_fuel(ByteView bytes) {
  const size_t at = kCheckpointMagic.size() + crypto::Digest::kSize;
  return bytes.size() < at + 8 ? 0 : load_u64(bytes.data() + at);
}

}  // namespace selvedge::wasm
