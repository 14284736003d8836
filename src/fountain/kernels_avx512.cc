// AVX-512 kernels for processors without GFNI: one register a lane, three-input xor, octet products by
// pshufb on nibbles.
#include "kernels.h"

#if defined(__x86_64__) && defined(__AVX512BW__)
#include <immintrin.h>

#include "gf256_tables.h"

namespace selvedge::fountain {
namespace {

constexpr const char* kKernelsName = "avx512";
constexpr size_t kPassLanes = 8;

struct Lane {
  __m512i octets;
};

struct Factor {
  __m512i low_nibble;
  __m512i high_nibble;
};

inline Lane lane_load(const uint8_t* p) { return Lane{_mm512_loadu_si512(p)}; }
inline void lane_store(uint8_t* p, const Lane& lane) { _mm512_storeu_si512(p, lane.octets); }
inline Lane lane_zero() { return Lane{_mm512_setzero_si512()}; }
inline Lane lane_xor(const Lane& a, const Lane& b) { return Lane{_mm512_xor_si512(a.octets, b.octets)}; }
inline Lane lane_xor3(const Lane& a, const Lane& b, const Lane& c) {
  return Lane{_mm512_ternarylogic_epi64(a.octets, b.octets, c.octets, 0x96)};
}
inline Factor factor_make(uint8_t coefficient) {
  const uint8_t* table = kGfNibbles.products[coefficient];
  return Factor{_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))),
                _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16)))};
}
inline Lane lane_mul(const Lane& a, const Factor& factor) {
  const __m512i mask = _mm512_set1_epi8(0x0F);
  const __m512i low = _mm512_shuffle_epi8(factor.low_nibble, _mm512_and_si512(a.octets, mask));
  const __m512i high =
      _mm512_shuffle_epi8(factor.high_nibble, _mm512_and_si512(_mm512_srli_epi64(a.octets, 4), mask));
  return Lane{_mm512_xor_si512(low, high)};
}
inline Lane lane_alpha(const Lane& a) {
  const __mmask64 carry = _mm512_movepi8_mask(a.octets);
  const __m512i reduction = _mm512_maskz_mov_epi8(carry, _mm512_set1_epi8(0x1D));
  return Lane{_mm512_xor_si512(_mm512_add_epi8(a.octets, a.octets), reduction)};
}

#include "kernels_impl.inc"

}  // namespace

const Kernels* kernels_avx512_built() { return &kKernelTable; }

}  // namespace selvedge::fountain

#else

namespace selvedge::fountain {
const Kernels* kernels_avx512_built() { return nullptr; }
}  // namespace selvedge::fountain

#endif
