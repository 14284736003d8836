// Rows of bits packed in 64-bit words, all of one width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace selvedge::fountain {

class BitRows {
 public:
  BitRows() = default;
  BitRows(size_t rows, size_t bits) : words_((bits + 63) / 64), data_(rows * words_, 0) {}

  size_t words() const { return words_; }
  uint64_t* row(size_t r) { return data_.data() + r * words_; }
  const uint64_t* row(size_t r) const { return data_.data() + r * words_; }
  size_t bytes() const { return data_.size() * sizeof(uint64_t); }

 private:
  size_t words_ = 0;
  std::vector<uint64_t> data_;
};

inline void bits_flip(uint64_t* row, size_t bit) { row[bit >> 6] ^= uint64_t{1} << (bit & 63); }
inline bool bits_test(const uint64_t* row, size_t bit) { return ((row[bit >> 6] >> (bit & 63)) & 1) != 0; }
inline void bits_xor(uint64_t* into, const uint64_t* from, size_t words) {
  for (size_t i = 0; i < words; ++i) into[i] ^= from[i];
}

// out row o = sum over the set bits k of selector row o of operand row k ("method of the four Russians").
// `operand_count` is the number of operand rows; out is overwritten.
void bits_multiply(const BitRows& selectors, size_t selector_count, const BitRows& operands, size_t operand_count,
                   BitRows& out);

// `width` bits (1..8) of a row starting at `bit`; bits past the end of the row read as zero.
inline uint32_t bits_window(const uint64_t* row, size_t words, size_t bit, uint32_t width) {
  const size_t word = bit >> 6;
  const uint32_t shift = bit & 63;
  if (word >= words) return 0;
  uint64_t value = row[word] >> shift;
  if (shift + width > 64 && word + 1 < words) value |= row[word + 1] << (64 - shift);
  return static_cast<uint32_t>(value & ((1u << width) - 1));
}

// 64 bits to 64 octets of value 0 or 1.
inline void bits_widen(uint64_t bits, uint8_t* octets) {
  for (size_t i = 0; i < 8; ++i) {
    // Copy the byte to all eight octets, keep bit i in octet i, and turn "not zero" into one.
    const uint64_t spread = ((bits >> (8 * i)) & 0xFF) * 0x0101010101010101u & 0x8040201008040201u;
    const uint64_t ones = ((spread + 0x7F7F7F7F7F7F7F7Fu) >> 7) & 0x0101010101010101u;
    __builtin_memcpy(octets + 8 * i, &ones, sizeof ones);
  }
}

}  // namespace selvedge::fountain
