#include "bit_rows.h"

#include <bit>

namespace selvedge::fountain {

void bits_multiply(const BitRows& selectors, size_t selector_count, const BitRows& operands, size_t operand_count,
                   BitRows& out) {
  constexpr uint32_t kWindow = 8;
  constexpr size_t kTablePays = 96;  // selector rows from which filling 256 sums is cheaper than adding
  const size_t words = operands.words();
  if (selector_count < kTablePays) {
    for (size_t o = 0; o < selector_count; ++o) {
      const uint64_t* selector = selectors.row(o);
      for (size_t w = 0; w < selectors.words(); ++w) {
        for (uint64_t rest = selector[w]; rest != 0; rest &= rest - 1) {
          bits_xor(out.row(o), operands.row(w * 64 + static_cast<size_t>(std::countr_zero(rest))), words);
        }
      }
    }
    return;
  }
  BitRows table(size_t{1} << kWindow, words * 64);
  for (size_t first = 0; first < operand_count; first += kWindow) {
    for (uint32_t bit = 0; bit < kWindow; ++bit) {
      const size_t half = size_t{1} << bit;
      for (size_t m = 0; m < half; ++m) {
        for (size_t w = 0; w < words; ++w) {
          const uint64_t operand = first + bit < operand_count ? operands.row(first + bit)[w] : 0;
          table.row(half + m)[w] = table.row(m)[w] ^ operand;
        }
      }
    }
    for (size_t o = 0; o < selector_count; ++o) {
      const uint32_t index = bits_window(selectors.row(o), selectors.words(), first, kWindow);
      bits_xor(out.row(o), table.row(index), words);
    }
  }
}

}  // namespace selvedge::fountain
