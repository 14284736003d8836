#include "executor.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "check.h"

#if defined(__linux__)
// style: allow layer because advice about huge pages changes speed and nothing else
#include <sys/mman.h>  // style: allow environment because only madvise is used, whose answer is ignored
#endif

namespace selvedge::fountain {
namespace {

// Measured (fountain_bench, Zen 5, 1 MiB L2): 128 bytes beat 64 (cost per op) everywhere, and beat 256 and 512
// (cache footprint) everywhere from K = 100 on, even where the wider strip still fits L2.
constexpr size_t kStripBytes = 128;
static_assert(kStripBytes == kLaneBytes << (kWidthVariants - 1));

#if defined(__linux__)
constexpr size_t kHugePageBytes = size_t{2} << 20;
size_t scratch_alignment(size_t bytes) { return bytes >= kHugePageBytes ? kHugePageBytes : kLaneBytes; }
#else
size_t scratch_alignment(size_t) { return kLaneBytes; }
#endif

uint32_t variant_of(size_t width) { return width == kLaneBytes ? 0 : 1; }

class Executor {
 public:
  Executor(const Plan& plan, const Outputs& program, std::span<const uint8_t* const> inputs,
           std::span<uint8_t* const> outputs, uint32_t symbol_bytes, const Kernels& kernels);
  size_t scratch_bytes() const { return scratch_rows_ * width_max_; }
  // How many pieces of work there are. They touch different bytes of the symbols.
  uint32_t unit_count() const { return static_cast<uint32_t>(std::max<size_t>(1, symbol_bytes_ / width_max_)); }
  void use_scratch(uint8_t* scratch) { rows_ = scratch; }
  void run_unit(uint32_t unit);

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

void Executor::run_unit(uint32_t unit) {
  if (symbol_bytes_ < kLaneBytes) {
    run_short_symbols();
    return;
  }
  run_strip(inputs_.data(), unit * width_max_, width_max_, width_max_);
  const size_t rest = symbol_bytes_ % width_max_;
  if (unit + 1 != unit_count() || rest == 0) return;
  // The last strip of an odd size overlaps the one before: the same bytes are made twice.
  const size_t width = rest <= kLaneBytes ? kLaneBytes : width_max_;
  run_strip(inputs_.data(), symbol_bytes_ - width, width, width);
}

// Scratch memory for as long as it is needed, from the pool if there is one.
class BorrowedScratch {
 public:
  BorrowedScratch(ScratchPool* pool, size_t bytes)
      : pool_(pool), scratch_(pool != nullptr ? pool->take(bytes) : std::make_unique<Scratch>(bytes)) {}
  ~BorrowedScratch() {
    if (pool_ != nullptr) pool_->give(std::move(scratch_));
  }
  BorrowedScratch(const BorrowedScratch&) = delete;
  BorrowedScratch& operator=(const BorrowedScratch&) = delete;
  uint8_t* data() { return scratch_->data(); }

 private:
  ScratchPool* pool_;
  std::unique_ptr<Scratch> scratch_;
};

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
    const Lock lock(mutex_);
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
  const Lock lock(mutex_);
  if (kept_.size() == kKeptMax) kept_.erase(kept_.begin());
  kept_.push_back(std::move(scratch));
}

void execute(const Plan& plan, const Outputs& program, std::span<const uint8_t* const> inputs,
             std::span<uint8_t* const> outputs, uint32_t symbol_bytes, const Machine& machine) {
  const Executor executor(plan, program, inputs, outputs, symbol_bytes, machine.kernels);
  const uint32_t units = executor.unit_count();
  // Tasks take the next strip that nobody has: a thread that is held up does not hold up the others.
  std::atomic<uint32_t> next{0};
  const auto work = [&](uint32_t) {
    BorrowedScratch scratch(machine.pool, executor.scratch_bytes());
    Executor mine = executor;
    mine.use_scratch(scratch.data());
    for (uint32_t unit = next.fetch_add(1); unit < units; unit = next.fetch_add(1)) mine.run_unit(unit);
  };
  const ParallelFor* parallel = machine.parallel;
  if (parallel == nullptr || !parallel->run || parallel->threads <= 1 || units == 1) {
    work(0);
  } else {
    parallel->run(std::min(parallel->threads, units), work);
  }
}

}  // namespace selvedge::fountain
