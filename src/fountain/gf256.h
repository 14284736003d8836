// Arithmetic of GF(256) as RFC 6330 5.7 defines it: polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D),
// alpha = 2. All tables are computed at compile time, so there is nothing to mistype; OCT_EXP and
// OCT_LOG of the RFC are gf_exp and gf_log.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace selvedge::fountain {

inline constexpr uint32_t kGfPolynomial = 0x11D;

struct GfTables {
  std::array<uint8_t, 510> exp{};
  std::array<uint8_t, 256> log{};
};

constexpr GfTables make_gf_tables() {
  GfTables tables;
  uint32_t value = 1;
  for (uint32_t i = 0; i < 255; ++i) {
    tables.exp[i] = static_cast<uint8_t>(value);
    tables.exp[i + 255] = static_cast<uint8_t>(value);
    tables.log[value] = static_cast<uint8_t>(i);
    value <<= 1;
    if (value & 0x100) value ^= kGfPolynomial;
  }
  return tables;
}

inline constexpr GfTables kGf = make_gf_tables();

constexpr uint8_t gf_mul(uint8_t a, uint8_t b) {
  if (a == 0 || b == 0) return 0;
  return kGf.exp[static_cast<size_t>(kGf.log[a]) + kGf.log[b]];
}

// The multiplicative inverse; `a` is not zero.
constexpr uint8_t gf_inv(uint8_t a) { return kGf.exp[static_cast<size_t>(255 - kGf.log[a])]; }

// alpha to the power i, i < 510.
constexpr uint8_t gf_alpha(uint32_t i) { return kGf.exp[i]; }

}  // namespace selvedge::fountain
