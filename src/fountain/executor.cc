#include "executor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "check.h"

#if defined(__linux__)
// style: allow layer because advice about huge pages changes speed and nothing else
#include <sys/mman.h>  // style: allow environment because only madvise is used, whose answer is ignored
#endif

namespace selvedge::fountain {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;
// Measured (fountain_bench, Zen 5, 1 MiB L2): 128 bytes beat 64 (cost per op) everywhere, and beat 256 and 512
// (cache footprint) everywhere from K = 100 on, even where the wider strip still fits L2.
constexpr size_t kStripBytes = 128;

size_t scratch_alignment(size_t bytes) { return bytes >= kHugePageBytes ? kHugePageBytes : kLaneBytes; }

uint32_t variant_of(size_t width) { return width == 64 ? 0 : width == 128 ? 1 : width == 256 ? 2 : 3; }

class Executor {
 public:
  Executor(const Plan& plan, const Outputs& program, std::span<const uint8_t* const> inputs,
           std::span<uint8_t* const> outputs, uint32_t symbol_bytes, const Kernels& kernels);
  size_t scratch_bytes() const { return scratch_rows_ * width_max_; }
  void run(uint8_t* scratch);

 private:
  void run_strip(const uint8_t* const* inputs, size_t offset, size_t width, size_t valid_bytes);
  void run_outputs(size_t offset, size_t width, size_t valid_bytes);
  void multiply_bits(const BitProgram& program, uint8_t* destinations, size_t count, size_t width);
  void run_short_symbols();

  const Plan& plan_;
  const Outputs& program_;
  std::span<const uint8_t* const> inputs_;
  std::span<uint8_t* const> outputs_;
  size_t symbol_bytes_;
  const Kernels& kernels_;
  size_t scratch_rows_ = 0;
  size_t width_max_ = kLaneBytes;
  uint8_t* rows_ = nullptr;
};

Executor::Executor(const Plan& plan, const Outputs& program, std::span<const uint8_t* const> inputs,
                   std::span<uint8_t* const> outputs, uint32_t symbol_bytes, const Kernels& kernels)
    : plan_(plan),
      program_(program),
      inputs_(inputs),
      outputs_(outputs),
      symbol_bytes_(symbol_bytes),
      kernels_(kernels) {
  scratch_rows_ =
      size_t{plan.layout.rows()} + program.batch_outputs_max + (size_t{kBitGroupsPerBatch} << program.window_max);
  if (symbol_bytes >= kStripBytes) width_max_ = kStripBytes;
}

void Executor::multiply_bits(const BitProgram& program, uint8_t* destinations, size_t count, size_t width) {
  BitsArgs args{};
  args.rows = rows_ + plan_.layout.slot_row() * width;
  args.row_count = plan_.layout.inactive;
  args.indices = program.indices.data();
  args.window = program.window;
  args.table = rows_ + (size_t{plan_.layout.rows()} + program_.batch_outputs_max) * width;
  args.destinations = destinations;
  args.output_count = count;
  kernels_.bits[variant_of(width)](args);
}

void Executor::run_outputs(size_t offset, size_t width, size_t valid_bytes) {
  uint8_t* accumulators = rows_ + size_t{plan_.layout.rows()} * width;
  size_t done = 0;
  for (const OutputBatch& batch : program_.batches) {
    const size_t count = batch.ops.size();
    GatherArgs args{};
    args.rows = rows_;
    args.destinations = accumulators;
    args.ops = batch.ops.data();
    args.op_count = count;
    args.sources = batch.sources.data();
    kernels_.gather[variant_of(width)](args);
    if (!program_.full) multiply_bits(batch.bits, accumulators, count, width);
    for (size_t o = 0; o < count; ++o) {
      std::memcpy(outputs_[done + o] + offset, accumulators + o * width, valid_bytes);
    }
    done += count;
  }
}

void Executor::run_strip(const uint8_t* const* inputs, size_t offset, size_t width, size_t valid_bytes) {
  const ScratchLayout& layout = plan_.layout;
  const uint32_t variant = variant_of(width);
  std::memset(rows_ + size_t{layout.zero_row()} * width, 0, width);
  GatherArgs gather{};
  gather.rows = rows_;
  gather.destinations = rows_;
  gather.inputs = inputs;
  gather.input_offset = valid_bytes == width ? offset : 0;
  gather.ops = plan_.ops.data();
  gather.op_count = plan_.ops.size();
  gather.sources = plan_.sources.data();
  kernels_.gather[variant](gather);
  const uint32_t free_count = layout.inactive - plan_.slots;
  if (free_count != 0) {
    HornerArgs horner{};
    horner.rows = rows_;
    horner.columns = plan_.horner_columns.data();
    horner.pairs = plan_.horner_pairs.data();
    horner.column_count = plan_.horner_columns.size();
    horner.destinations = rows_ + size_t{layout.hdpc_row()} * width;
    horner.h = layout.h;
    kernels_.horner[variant](horner);
    OctetArgs octet{};
    octet.rows = horner.destinations;
    octet.row_count = size_t{layout.h} + plan_.slots;
    octet.coefficients = plan_.octets.data();
    octet.destinations = rows_ + (size_t{layout.slot_row()} + plan_.slots) * width;
    octet.output_count = free_count;
    kernels_.octet[variant](octet);
  }
  if (program_.full) {
    uint8_t* x = rows_ + size_t{layout.pivots} * width;
    std::memset(x, 0, layout.inactive * width);
    multiply_bits(program_.x_bits, x, layout.inactive, width);
    gather.op_count = layout.pivots;
    gather.use_extra = 1;
    kernels_.gather[variant](gather);
  }
  run_outputs(offset, width, valid_bytes);
}

// Symbols below one lane are widened with zeros first: kernels read whole lanes.
void Executor::run_short_symbols() {
  std::vector<uint8_t> wide(inputs_.size() * kLaneBytes, 0);
  std::vector<const uint8_t*> pointers(inputs_.size(), nullptr);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i] == nullptr) continue;
    std::memcpy(wide.data() + i * kLaneBytes, inputs_[i], symbol_bytes_);
    pointers[i] = wide.data() + i * kLaneBytes;
  }
  run_strip(pointers.data(), 0, kLaneBytes, symbol_bytes_);
}

void Executor::run(uint8_t* scratch) {
  rows_ = scratch;
  if (symbol_bytes_ < kLaneBytes) {
    run_short_symbols();
    return;
  }
  size_t offset = 0;
  while (offset < symbol_bytes_) {
    const size_t width = symbol_bytes_ - offset <= kLaneBytes ? kLaneBytes : width_max_;
    // The last strip of an odd size overlaps the one before: the same bytes are made twice.
    if (width > symbol_bytes_ - offset) offset = symbol_bytes_ - width;
    run_strip(inputs_.data(), offset, width, width);
    offset += width;
  }
}

}  // namespace

Scratch::Scratch(size_t bytes)
    : data_(static_cast<uint8_t*>(::operator new (bytes, std::align_val_t{scratch_alignment(bytes)}))), bytes_(bytes) {
#if defined(__linux__)
  // Beyond L2, 4 KiB pages cost a factor of two to three in TLB misses. Only advice: failure is fine.
  if (bytes >= kHugePageBytes) (void)::madvise(data_, bytes, MADV_HUGEPAGE);
#endif
}

Scratch::~Scratch() { ::operator delete (data_, std::align_val_t{scratch_alignment(bytes_)}); }

std::unique_ptr<Scratch> ScratchPool::take(size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& kept : kept_) {
      if (kept->size() < bytes) continue;
      std::swap(kept, kept_.back());
      std::unique_ptr<Scratch> out = std::move(kept_.back());
      kept_.pop_back();
      return out;
    }
  }
  return std::make_unique<Scratch>(bytes);
}

void ScratchPool::give(std::unique_ptr<Scratch> scratch) {
  if (scratch->size() > kKeptBytesMax) return;
  const std::lock_guard lock(mutex_);
  if (kept_.size() == kKeptMax) kept_.erase(kept_.begin());
  kept_.push_back(std::move(scratch));
}

void execute(const Plan& plan, const Outputs& program, std::span<const uint8_t* const> inputs,
             std::span<uint8_t* const> outputs, uint32_t symbol_bytes, const Kernels& kernels, ScratchPool* pool) {
  Executor executor(plan, program, inputs, outputs, symbol_bytes, kernels);
  const size_t bytes = executor.scratch_bytes();
  std::unique_ptr<Scratch> scratch = pool != nullptr ? pool->take(bytes) : std::make_unique<Scratch>(bytes);
  executor.run(scratch->data());
  if (pool != nullptr) pool->give(std::move(scratch));
}

}  // namespace selvedge::fountain
