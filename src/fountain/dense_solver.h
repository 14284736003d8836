// Elimination of the inactive columns: a dense binary system, completed by the HDPC rows over GF(256)
// only where the binary rows leave columns undetermined.
#pragma once

#include <cstdint>
#include <vector>

#include "bit_rows.h"

namespace selvedge::fountain {

// Gauss elimination over GF(2) that takes rows one at a time and remembers how each accepted row
// ("slot") was combined.
class BinaryEliminator {
 public:
  explicit BinaryEliminator(uint32_t columns);

  uint32_t rank() const { return rank_; }
  bool complete() const { return rank_ == columns_; }

  // Reduces `row` (columns() bits) against what is known; true when it raised the rank. It is slot
  // rank() - 1 then.
  bool add(const uint64_t* row);

  // Columns without a pivot, ascending.
  std::vector<uint32_t> free_columns() const;

  // The solution of every column as a sum of the operands [slots 0..rank) then the free columns in
  // order]: `columns` operand bits a row.
  BitRows solution();

 private:
  static constexpr uint32_t kNoPivot = UINT32_MAX;

  uint32_t columns_;
  uint32_t rank_ = 0;
  size_t words_;                      // of one half of a row
  std::vector<uint32_t> pivot_slot_;  // by column
  BitRows rows_;                      // [coefficients | slots combined], by slot
  std::vector<uint64_t> scratch_;
};

// Row-major matrix of octets.
struct OctetMatrix {
  size_t rows = 0;
  size_t columns = 0;
  std::vector<uint8_t> data;

  OctetMatrix() = default;
  OctetMatrix(size_t r, size_t c) : rows(r), columns(c), data(r * c, 0) {}
  uint8_t* row(size_t r) { return data.data() + r * columns; }
  const uint8_t* row(size_t r) const { return data.data() + r * columns; }
};

// Finds M with M * matrix = identity for a matrix of full column rank (rows >= columns). Returns the rank;
// `inverse` (columns x rows) is meaningful only when it equals matrix.columns.
uint32_t left_inverse(const OctetMatrix& matrix, OctetMatrix& inverse);

}  // namespace selvedge::fountain
