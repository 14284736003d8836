// SSSE3 kernels: four 128-bit registers a lane, octet products by pshufb on nibbles.
#include "kernels.h"

#if defined(__x86_64__) && defined(__SSSE3__)
#include <immintrin.h>

#include "gf256_tables.h"

namespace selvedge::fountain {
namespace {

constexpr const char* kKernelsName = "ssse3";
constexpr size_t kPassLanes = 2;

using Octets = __m128i;

inline Octets octets_load(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline void octets_store(uint8_t* p, Octets a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a); }
inline Octets octets_zero() { return _mm_setzero_si128(); }
inline Octets octets_xor(Octets a, Octets b) { return _mm_xor_si128(a, b); }
inline Octets octets_alpha(Octets a) {
  const __m128i carry = _mm_cmpgt_epi8(_mm_setzero_si128(), a);
  return _mm_xor_si128(_mm_add_epi8(a, a), _mm_and_si128(carry, _mm_set1_epi8(0x1D)));
}
inline Octets octets_low_nibbles(Octets a) { return _mm_and_si128(a, _mm_set1_epi8(0x0F)); }
inline Octets octets_high_nibbles(Octets a) { return _mm_and_si128(_mm_srli_epi64(a, 4), _mm_set1_epi8(0x0F)); }
inline Octets octets_lookup(Octets table, Octets index) { return _mm_shuffle_epi8(table, index); }

inline void factor_tables(uint8_t coefficient, Octets& low, Octets& high) {
  low = octets_load(kGfNibbles.products[coefficient]);
  high = octets_load(kGfNibbles.products[coefficient] + 16);
}

#include "kernels_by16.inc"
#include "kernels_impl.inc"

}  // namespace

const Kernels* kernels_ssse3_built() { return &kKernelTable; }

}  // namespace selvedge::fountain

#else

namespace selvedge::fountain {
const Kernels* kernels_ssse3_built() { return nullptr; }
}  // namespace selvedge::fountain

#endif
