#include "dense_solver.h"

#include <algorithm>
#include <bit>

#include "check.h"
#include "gf256.h"

namespace selvedge::fountain {

BinaryEliminator::BinaryEliminator(uint32_t columns)
    : columns_(columns),
      words_((columns + 63) / 64),
      pivot_slot_(columns, kNoPivot),
      rows_(columns, words_ * 128),
      scratch_(words_ * 2) {}

bool BinaryEliminator::add(const uint64_t* row) {
  if (complete()) return false;
  std::copy(row, row + words_, scratch_.begin());
  std::fill(scratch_.begin() + static_cast<ptrdiff_t>(words_), scratch_.end(), uint64_t{0});
  // Below the lowest bit left, a pivot row is zero: xoring it touches only words from there on.
  for (size_t w = 0; w < words_; ++w) {
    while (scratch_[w] != 0) {
      const size_t column = w * 64 + static_cast<size_t>(std::countr_zero(scratch_[w]));
      const uint32_t slot = pivot_slot_[column];
      if (slot == kNoPivot) {
        bits_flip(scratch_.data() + words_, rank_);
        std::copy(scratch_.begin(), scratch_.end(), rows_.row(rank_));
        pivot_slot_[column] = rank_++;
        return true;
      }
      const size_t used = (rank_ + 63) / 64;  // slots that can be named so far
      bits_xor(scratch_.data() + w, rows_.row(slot) + w, words_ - w);
      bits_xor(scratch_.data() + words_, rows_.row(slot) + words_, used);
    }
  }
  return false;
}

std::vector<uint32_t> BinaryEliminator::free_columns() const {
  std::vector<uint32_t> out;
  for (uint32_t c = 0; c < columns_; ++c) {
    if (pivot_slot_[c] == kNoPivot) out.push_back(c);
  }
  return out;
}

BitRows BinaryEliminator::solution() {
  const std::vector<uint32_t> free = free_columns();
  BitRows out(columns_, columns_);
  for (uint32_t c = columns_; c-- > 0;) {
    const uint32_t slot = pivot_slot_[c];
    if (slot == kNoPivot) continue;
    // Rows of higher pivots are fully reduced already: they hold their pivot and free columns only.
    uint64_t* row = rows_.row(slot);
    for (size_t w = c / 64; w < words_; ++w) {
      uint64_t rest = row[w];
      if (w == c / 64) rest &= ~(uint64_t{1} << (c & 63));
      for (; rest != 0; rest &= rest - 1) {
        const uint32_t other = pivot_slot_[w * 64 + static_cast<size_t>(std::countr_zero(rest))];
        if (other == kNoPivot) continue;
        bits_xor(row + w, rows_.row(other) + w, words_ - w);
        bits_xor(row + words_, rows_.row(other) + words_, words_);
      }
    }
    std::copy(row + words_, row + 2 * words_, out.row(c));
  }
  for (size_t f = 0; f < free.size(); ++f) {
    const size_t operand = rank_ + f;
    bits_flip(out.row(free[f]), operand);
    for (uint32_t c = 0; c < free[f]; ++c) {
      if (pivot_slot_[c] != kNoPivot && bits_test(rows_.row(pivot_slot_[c]), free[f])) bits_flip(out.row(c), operand);
    }
  }
  return out;
}

uint32_t left_inverse(const OctetMatrix& matrix, OctetMatrix& inverse) {
  const size_t n = matrix.columns;
  const size_t width = n + matrix.rows;
  OctetMatrix work(matrix.rows, width);
  for (size_t r = 0; r < matrix.rows; ++r) {
    std::copy(matrix.row(r), matrix.row(r) + n, work.row(r));
    work.row(r)[n + r] = 1;
  }
  uint32_t rank = 0;
  for (size_t c = 0; c < n; ++c) {
    size_t pivot = rank;
    while (pivot < work.rows && work.row(pivot)[c] == 0) ++pivot;
    if (pivot == work.rows) continue;
    std::swap_ranges(work.row(pivot), work.row(pivot) + width, work.row(rank));
    uint8_t* pivot_row = work.row(rank);
    const uint8_t scale = gf_inv(pivot_row[c]);
    for (size_t i = 0; i < width; ++i) pivot_row[i] = gf_mul(pivot_row[i], scale);
    for (size_t r = 0; r < work.rows; ++r) {
      const uint8_t factor = work.row(r)[c];
      if (r == rank || factor == 0) continue;
      for (size_t i = 0; i < width; ++i) work.row(r)[i] ^= gf_mul(pivot_row[i], factor);
    }
    ++rank;
  }
  if (rank != n) return rank;
  inverse = OctetMatrix(n, matrix.rows);
  for (size_t r = 0; r < n; ++r) std::copy(work.row(r) + n, work.row(r) + width, inverse.row(r));
  return rank;
}

}  // namespace selvedge::fountain
