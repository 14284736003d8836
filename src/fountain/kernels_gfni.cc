// AVX-512 + GFNI kernels: one register a lane, three-input xor, octet products by an affine transform.
// (gf2p8mulb is of no use: its polynomial is 0x11B, RFC 6330 5.7 wants 0x11D.)
#include "kernels.h"

#if defined(__x86_64__) && defined(__AVX512BW__) && defined(__GFNI__)
#include <immintrin.h>

#include "gf256_tables.h"

namespace selvedge::fountain {
namespace {

constexpr const char* kKernelsName = "avx512-gfni";
constexpr size_t kPassLanes = 8;

struct Lane {
  __m512i octets;
};

struct Factor {
  __m512i matrix;
};

inline Lane lane_load(const uint8_t* p) { return Lane{_mm512_loadu_si512(p)}; }
inline void lane_store(uint8_t* p, const Lane& lane) { _mm512_storeu_si512(p, lane.octets); }
inline Lane lane_zero() { return Lane{_mm512_setzero_si512()}; }
inline Lane lane_xor(const Lane& a, const Lane& b) { return Lane{_mm512_xor_si512(a.octets, b.octets)}; }
inline Lane lane_xor3(const Lane& a, const Lane& b, const Lane& c) {
  return Lane{_mm512_ternarylogic_epi64(a.octets, b.octets, c.octets, 0x96)};
}
inline Factor factor_make(uint8_t coefficient) {
  return Factor{_mm512_set1_epi64(static_cast<long long>(kGfMatrices.rows[coefficient]))};
}
inline Lane lane_mul(const Lane& a, const Factor& factor) {
  return Lane{_mm512_gf2p8affine_epi64_epi8(a.octets, factor.matrix, 0)};
}
inline Lane lane_alpha(const Lane& a) { return lane_mul(a, factor_make(2)); }

#include "kernels_impl.inc"

}  // namespace

const Kernels* kernels_avx512_gfni_built() { return &kKernelTable; }

}  // namespace selvedge::fountain

#else

namespace selvedge::fountain {
const Kernels* kernels_avx512_gfni_built() { return nullptr; }
}  // namespace selvedge::fountain

#endif
