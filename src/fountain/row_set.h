// The binary constraint rows of one linear system, in compressed sparse row form.
//
// Rows 0..S-1 are the LDPC rows (RFC 6330 5.3.3.3), whose right hand side is zero. Row S + i is the LT
// row whose right hand side is input symbol i of the executor. The H HDPC rows are never stored: the
// plan handles them by Horner's rule.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "code_params.h"

namespace selvedge::fountain {

struct RowSet {
  std::vector<uint32_t> offsets{0};
  std::vector<uint16_t> columns;    // LT columns (< W) first in each row
  std::vector<uint16_t> lt_counts;  // columns below W, a row

  uint32_t count() const { return static_cast<uint32_t>(lt_counts.size()); }
  std::span<const uint16_t> row(uint32_t r) const {
    return {columns.data() + offsets[r], columns.data() + offsets[r + 1]};
  }
  std::span<const uint16_t> lt_part(uint32_t r) const { return {columns.data() + offsets[r], lt_counts[r]}; }

  void reserve(const CodeParams& params, uint32_t lt_rows);
  void append_ldpc(const CodeParams& params);
  void append_lt(const CodeParams& params, uint32_t isi);
  void append_encode_rows(const CodeParams& params);  // LDPC rows, then ISI 0..K'-1
};

}  // namespace selvedge::fountain
