// Programs for wanted symbols: the last step of a plan (see plan.h).
#include <algorithm>

#include "plan.h"

namespace selvedge::fountain {
namespace {

// Wanted symbols that share one set of tables; bounds the accumulator rows of a strip.
constexpr size_t kBatchOutputs = 1024;
constexpr uint32_t kWindowMax = 7;  // 4 * 2^7 table rows of 256 bytes are 128 KiB: still inside L2

// Filling a table entry loads and stores a row; using one loads it and a quarter of an accumulator.
uint64_t bit_program_cost(size_t outputs, size_t operands, uint32_t window) {
  const uint64_t groups = (operands + window - 1) / window;
  return groups * ((uint64_t{2} << window) + outputs * 5 / 4 + 1);
}

uint32_t best_window(size_t outputs, size_t operands) {
  uint32_t best = 1;
  for (uint32_t w = 2; w <= kWindowMax; ++w) {
    if (bit_program_cost(outputs, operands, w) < bit_program_cost(outputs, operands, best)) best = w;
  }
  return best;
}

bool full_pass_is_cheaper(const Plan& plan, size_t outputs) {
  const size_t n = plan.layout.inactive;
  const uint64_t batches = (outputs + kBatchOutputs - 1) / kBatchOutputs;
  const size_t in_batch = std::min(outputs, kBatchOutputs);
  const uint64_t direct = batches * bit_program_cost(in_batch, n, best_window(in_batch, n));
  const uint64_t full = plan.sources.size() + 2 * plan.ops.size() + bit_program_cost(n, n, best_window(n, n));
  return full < direct;
}

void finish(Outputs& outputs) {
  outputs.window_max = outputs.full ? outputs.x_bits.window : 1;
  for (const OutputBatch& batch : outputs.batches) {
    outputs.window_max = std::max(outputs.window_max, batch.bits.window);
    outputs.batch_outputs_max = std::max(outputs.batch_outputs_max, static_cast<uint32_t>(batch.ops.size()));
  }
}

void begin_full(const Plan& plan, Outputs& outputs) {
  outputs.full = true;
  outputs.x_bits = make_bit_program(plan.solution, 0, plan.layout.inactive, plan.layout.inactive);
}

}  // namespace

BitProgram make_bit_program(const BitRows& rows, size_t first, size_t count, size_t operands) {
  BitProgram program;
  program.window = best_window(count, operands);
  const size_t stride = size_t{kBitGroupsPerBatch} * program.window;
  for (size_t bit = 0; bit < operands; bit += stride) {
    for (size_t o = 0; o < count; ++o) {
      for (uint32_t g = 0; g < kBitGroupsPerBatch; ++g) {
        const uint32_t index = bits_window(rows.row(first + o), rows.words(), bit + g * program.window, program.window);
        program.indices.push_back(static_cast<uint8_t>(index));
      }
    }
  }
  return program;
}

Outputs make_outputs(const Plan& plan, std::span<const uint32_t> isis) {
  Outputs outputs;
  const uint32_t pivots = plan.layout.pivots;
  const bool full = full_pass_is_cheaper(plan, isis.size());
  if (full) begin_full(plan, outputs);
  BitRows over_x(full ? 0 : isis.size(), plan.layout.inactive);
  LtRow row;
  for (size_t begin = 0; begin < isis.size(); begin += kBatchOutputs) {
    OutputBatch& batch = outputs.batches.emplace_back();
    const size_t count = std::min(kBatchOutputs, isis.size() - begin);
    for (size_t o = 0; o < count; ++o) {
      lt_row(plan.params, isis[begin + o], row);
      uint8_t sources = 0;
      for (uint32_t i = 0; i < row.total_count; ++i) {
        const uint16_t at = plan.position[row.columns[i]];
        if (full || at < pivots) {
          batch.sources.push_back(at);
          ++sources;
        }
        if (full) continue;
        uint64_t* bits = over_x.row(begin + o);
        if (at < pivots) {
          bits_xor(bits, plan.u.row(at), plan.u.words());
        } else {
          bits_flip(bits, at - pivots);
        }
      }
      batch.ops.push_back(GatherOp{static_cast<uint32_t>(o), kNoInput, sources, 0});
    }
  }
  if (!full) {
    BitRows over_operands(isis.size(), plan.layout.inactive);
    bits_multiply(over_x, isis.size(), plan.solution, plan.layout.inactive, over_operands);
    for (size_t b = 0; b < outputs.batches.size(); ++b) {
      OutputBatch& batch = outputs.batches[b];
      batch.bits = make_bit_program(over_operands, b * kBatchOutputs, batch.ops.size(), plan.layout.inactive);
    }
  }
  finish(outputs);
  return outputs;
}

Outputs make_all_intermediate(const Plan& plan) {
  Outputs outputs;
  begin_full(plan, outputs);
  for (uint32_t begin = 0; begin < plan.params.l; begin += kBatchOutputs) {
    OutputBatch& batch = outputs.batches.emplace_back();
    const uint32_t end = std::min<uint32_t>(plan.params.l, begin + static_cast<uint32_t>(kBatchOutputs));
    for (uint32_t c = begin; c < end; ++c) {
      batch.sources.push_back(plan.position[c]);
      batch.ops.push_back(GatherOp{c - begin, kNoInput, 1, 0});
    }
  }
  finish(outputs);
  return outputs;
}

}  // namespace selvedge::fountain
