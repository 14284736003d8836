// A Plan is the solved system: what to do with symbols, with no symbol in sight. It depends on K' and on
// the set of symbol ids only, never on data or symbol size, so it can be cached and shared.
//
// The method, for C = intermediate symbols, D = input symbols:
//   1. Substitute through the pivot rows as if all inactive columns were zero: y_i = D_i + sum of
//      earlier y. In truth C_i = y_i + U_i * x, x = the inactive columns; U is kept as bits.
//   2. The leftover rows, substituted the same way, give "slots" r; the HDPC rows, by Horner, give w.
//   3. Few columns of x stay free of the binary rows: x_free = octet matrix * [w; r].
//   4. Every wanted symbol is a sum of some y plus bits * [r; x_free]: one table-driven product.
// Full passes (all C) instead solve x and substitute again with the inactive columns in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bit_rows.h"
#include "code_params.h"
#include "kernels.h"
#include "ordering.h"
#include "row_set.h"

namespace selvedge::fountain {

// Where the rows of a strip's scratch memory lie.
struct ScratchLayout {
  uint32_t pivots = 0;  // y rows [0, pivots); x rows [pivots, l)
  uint32_t l = 0;
  uint32_t h = 0;
  uint32_t inactive = 0;

  uint32_t x_row(uint32_t inactive_index) const { return pivots + inactive_index; }
  uint32_t hdpc_row() const { return l; }
  uint32_t slot_row() const { return l + h; }
  uint32_t zero_row() const { return l + h + inactive; }
  uint32_t rows() const { return zero_row() + 1; }
};

struct Plan {
  CodeParams params;
  ScratchLayout layout;
  uint32_t slots = 0;              // binary rank; inactive - slots columns come from the HDPC rows
  std::vector<uint16_t> position;  // scratch row of each column
  std::vector<GatherOp> ops;       // y rows, then slots
  std::vector<uint16_t> sources;
  std::vector<uint16_t> horner_columns;  // empty when slots == inactive
  std::vector<uint8_t> horner_pairs;
  std::vector<uint8_t> octets;  // step 3, laid out as OctetArgs wants it
  BitRows u;                    // pivots x inactive
  BitRows solution;             // inactive x [slots; x_free]

  size_t bytes() const;
};

// Either a plan, or how many more symbols are needed at least.
struct PlanResult {
  std::optional<Plan> plan;
  uint32_t missing_rank = 0;
};

PlanResult make_plan(const CodeParams& params, const RowSet& rows, const Ordering& ordering, const Kernels& kernels);

// Indices for BitsArgs, for rows of operand bits.
struct BitProgram {
  uint32_t window = 1;
  std::vector<uint8_t> indices;
};
BitProgram make_bit_program(const BitRows& rows, size_t first, size_t count, size_t operands);

// A group of wanted symbols that share one pass over the tables.
struct OutputBatch {
  std::vector<GatherOp> ops;
  std::vector<uint16_t> sources;
  BitProgram bits;  // unused when full
};

// The program for a list of wanted internal symbol ids.
struct Outputs {
  bool full = false;  // compute all of C first
  BitProgram x_bits;  // full: x from [slots; x_free]
  std::vector<OutputBatch> batches;
  uint32_t batch_outputs_max = 0;
  uint32_t window_max = 1;
};

Outputs make_outputs(const Plan& plan, std::span<const uint32_t> isis);

// Wants every intermediate symbol, in column order.
Outputs make_all_intermediate(const Plan& plan);

}  // namespace selvedge::fountain
