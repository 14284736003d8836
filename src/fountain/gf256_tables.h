// Product tables in the forms the vector kernels want, computed at compile time. Plain arrays: the
// kernel units must not instantiate standard templates (see kernels.h).
#pragma once

#include <cstdint>

namespace selvedge::fountain {

constexpr uint8_t gf_times_alpha(uint8_t a) { return static_cast<uint8_t>((a << 1) ^ ((a & 0x80) != 0 ? 0x1D : 0)); }

// products[c][i] = c * i and products[c][16 + i] = c * (i << 4), for pshufb.
struct GfNibbles {
  uint8_t products[256][32];
};

constexpr GfNibbles make_gf_nibbles() {
  GfNibbles tables{};
  for (unsigned c = 0; c < 256; ++c) {
    // Multiplication is linear: entry i is the xor of the entries of its lowest bit and of the rest.
    uint8_t power = static_cast<uint8_t>(c);
    for (unsigned bit = 0; bit < 8; ++bit) {
      uint8_t* table = tables.products[c] + (bit < 4 ? 0 : 16);
      const unsigned half = 1u << (bit & 3);
      for (unsigned i = 0; i < half; ++i) table[half + i] = static_cast<uint8_t>(table[i] ^ power);
      power = gf_times_alpha(power);
    }
  }
  return tables;
}

// rows[c]: the 8x8 bit matrix of "times c" as vgf2p8affineqb reads it: byte 7 - i makes output bit i.
struct GfMatrices {
  uint64_t rows[256];
};

constexpr GfMatrices make_gf_matrices() {
  GfMatrices tables{};
  for (unsigned c = 0; c < 256; ++c) {
    uint64_t matrix = 0;
    uint8_t column = static_cast<uint8_t>(c);
    for (unsigned j = 0; j < 8; ++j) {
      for (unsigned i = 0; i < 8; ++i) {
        if ((column >> i) & 1) matrix |= uint64_t{1} << ((7 - i) * 8 + j);
      }
      column = gf_times_alpha(column);
    }
    tables.rows[c] = matrix;
  }
  return tables;
}

inline constexpr GfNibbles kGfNibbles = make_gf_nibbles();
inline constexpr GfMatrices kGfMatrices = make_gf_matrices();

}  // namespace selvedge::fountain
