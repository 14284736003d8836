// The constant tables of RFC 6330: random number tables V0..V3 (5.5), the degree distribution (5.3.5.2,
// Table 1) and the systematic indices (5.6, Table 2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace selvedge::fountain {

struct SystematicRow {
  uint16_t k_prime;
  uint16_t j;
  uint16_t s;
  uint16_t h;
  uint16_t w;
};

inline constexpr size_t kSystematicRowCount = 477;

extern const std::array<uint32_t, 31> kDegreeLimits;
extern const std::array<uint32_t, 256> kV0;
extern const std::array<uint32_t, 256> kV1;
extern const std::array<uint32_t, 256> kV2;
extern const std::array<uint32_t, 256> kV3;
extern const std::array<SystematicRow, kSystematicRowCount> kSystematicRows;

}  // namespace selvedge::fountain
