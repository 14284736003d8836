// AVX2 kernels: two 256-bit registers a lane, octet products by pshufb on nibbles.
#include "kernels.h"

#if defined(__x86_64__) && defined(__AVX2__)
#include <immintrin.h>

#include "gf256_tables.h"

namespace selvedge::fountain {
namespace {

constexpr const char* kKernelsName = "avx2";
constexpr size_t kPassLanes = 4;

struct Lane {
  __m256i low;
  __m256i high;
};

struct Factor {
  __m256i low_nibble;
  __m256i high_nibble;
};

inline Lane lane_load(const uint8_t* p) {
  return Lane{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
              _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
inline void lane_store(uint8_t* p, const Lane& lane) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), lane.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), lane.high);
}
inline Lane lane_zero() { return Lane{_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline Lane lane_xor(const Lane& a, const Lane& b) {
  return Lane{_mm256_xor_si256(a.low, b.low), _mm256_xor_si256(a.high, b.high)};
}
inline Lane lane_xor3(const Lane& a, const Lane& b, const Lane& c) { return lane_xor(lane_xor(a, b), c); }
inline __m256i octets_alpha(__m256i a) {
  const __m256i carry = _mm256_cmpgt_epi8(_mm256_setzero_si256(), a);
  return _mm256_xor_si256(_mm256_add_epi8(a, a), _mm256_and_si256(carry, _mm256_set1_epi8(0x1D)));
}
inline Lane lane_alpha(const Lane& a) { return Lane{octets_alpha(a.low), octets_alpha(a.high)}; }
inline Factor factor_make(uint8_t coefficient) {
  const uint8_t* table = kGfNibbles.products[coefficient];
  return Factor{_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))),
                _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16)))};
}
inline __m256i octets_mul(__m256i a, const Factor& factor) {
  const __m256i mask = _mm256_set1_epi8(0x0F);
  const __m256i low = _mm256_shuffle_epi8(factor.low_nibble, _mm256_and_si256(a, mask));
  const __m256i high = _mm256_shuffle_epi8(factor.high_nibble, _mm256_and_si256(_mm256_srli_epi64(a, 4), mask));
  return _mm256_xor_si256(low, high);
}
inline Lane lane_mul(const Lane& a, const Factor& factor) {
  return Lane{octets_mul(a.low, factor), octets_mul(a.high, factor)};
}

#include "kernels_impl.inc"

}  // namespace

const Kernels* kernels_avx2_built() { return &kKernelTable; }

}  // namespace selvedge::fountain

#else

namespace selvedge::fountain {
const Kernels* kernels_avx2_built() { return nullptr; }
}  // namespace selvedge::fountain

#endif
