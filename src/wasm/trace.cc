#include "wasm/trace.h"

#include <algorithm>

#include "wasm/hashing.h"
#include "wasm/rewrite.h"

namespace selvedge::wasm {
namespace {

constexpr uint64_t kSegmentFuelMin = 4 * kFuelMark;
/// SHA-256 takes about 0.6 ns a byte, a unit of fuel 0.06 to 0.2 ns.
constexpr uint64_t kSegmentFuelPerByte = 512;
/// A segment is at least this part of all before it, as a shift: so a run of any length has some thousands.
constexpr int kSegmentPartShift = 10;

}  // namespace

crypto::Digest segment_start(const TraceTask& task) {
  crypto::Sha256 hash;
  tag(hash, "selvedge.wasm.task");
  hash.update(task.identity.view()).update(task.args.view()).update(task.input.view());
  number(hash, task.seed);
  return hash.finish();
}

crypto::Digest segment_next(const crypto::Digest& before, const SegmentState& state) {
  crypto::Sha256 hash;
  tag(hash, "selvedge.wasm.segment");
  hash.update(before.view());
  number(hash, state.fuel);
  hash.update(state.globals.view()).update(state.memory.view()).update(state.output.view());
  number(hash, state.input_bytes);
  number(hash, state.random_blocks);
  return hash.finish();
}

uint64_t segment_boundary(uint64_t fuel, uint64_t memory_bytes) {
  const uint64_t length = std::max({kSegmentFuelMin, kSegmentFuelPerByte * memory_bytes, fuel >> kSegmentPartShift});
  if (fuel > UINT64_MAX - length - kFuelMark) return UINT64_MAX;
  return (fuel + length + kFuelMark - 1) / kFuelMark * kFuelMark;
}

crypto::Digest trace_commitment(const crypto::Digest& last, const TraceEnd& end) {
  crypto::Sha256 hash;
  tag(hash, "selvedge.wasm.trace");
  hash.update(last.view());
  number(hash, end.end);
  number(hash, uint32_t(end.exit_code));
  number(hash, end.fuel);
  hash.update(end.output.view()).update(end.memory.view());
  return hash.finish();
}

crypto::Digest digest_args(const std::vector<std::string>& args) {
  crypto::Sha256 hash;
  tag(hash, "selvedge.wasm.args");
  number(hash, args.size());
  for (const std::string& arg : args) {
    number(hash, arg.size());
    hash.update(view(arg));
  }
  return hash.finish();
}

crypto::Digest digest_words(const std::vector<uint64_t>& words) {
  crypto::Sha256 hash;
  tag(hash, "selvedge.wasm.words");
  for (const uint64_t word : words) number(hash, word);
  return hash.finish();
}

}  // namespace selvedge::wasm
