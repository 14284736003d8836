// Inactivation decoding, symbolic half: which row solves which column, and in which order.
//
// An Ordering pairs pivot rows with pivot columns so that pivot row i contains its own column, columns
// of earlier pivots and inactive columns only. The sparse part of the system is then solved by plain
// substitution, and only the inactive columns need elimination. This is what RFC 6330 5.4.2.2 achieves
// row by row; here no matrix is touched, only degrees.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "code_params.h"
#include "row_set.h"

namespace selvedge::fountain {

// More inactive columns than this are refused (missing_rank 1): honest symbol sets stay far below, and
// the bound keeps a hostile choice of ESIs from costing cubic time.
inline constexpr uint32_t kInactiveColumnsMax = 6000;

struct Ordering {
  std::vector<uint32_t> pivot_rows;
  std::vector<uint16_t> pivot_columns;
  std::vector<uint16_t> inactive_columns;  // the PI columns first
  std::vector<uint32_t> leftover_rows;     // rows for the dense system of the inactive columns
};

// Orders any row set by peeling, inactivating columns when peeling is stuck.
Ordering order_by_peeling(const CodeParams& params, const RowSet& rows);

// Orders a system that differs little from one already ordered: `removed_rows` of the base are gone and
// rows [base_row_count, rows.count()) are new. The pivot columns of removed rows become inactive, new
// rows go to the dense system; nothing is searched.
Ordering order_by_patching(const Ordering& base, uint32_t base_row_count, const RowSet& rows,
                           std::span<const uint32_t> removed_rows);

}  // namespace selvedge::fountain
