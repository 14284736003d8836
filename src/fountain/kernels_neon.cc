// NEON kernels (AArch64, where every processor has it): four 128-bit registers a lane, octet products by
// table lookup on nibbles.
#include "kernels.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>

#include "gf256_tables.h"

namespace selvedge::fountain {
namespace {

constexpr const char* kKernelsName = "neon";
constexpr size_t kPassLanes = 4;  // 16 of 32 registers

using Octets = uint8x16_t;

inline Octets octets_load(const uint8_t* p) { return vld1q_u8(p); }
inline void octets_store(uint8_t* p, Octets a) { vst1q_u8(p, a); }
inline Octets octets_zero() { return vdupq_n_u8(0); }
inline Octets octets_xor(Octets a, Octets b) { return veorq_u8(a, b); }
inline Octets octets_alpha(Octets a) {
  // Shifting the sign bit over the whole octet gives all ones where the product needs reducing.
  const uint8x16_t carry = vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(a), 7));
  return veorq_u8(vshlq_n_u8(a, 1), vandq_u8(carry, vdupq_n_u8(0x1D)));
}
inline Octets octets_low_nibbles(Octets a) { return vandq_u8(a, vdupq_n_u8(0x0F)); }
inline Octets octets_high_nibbles(Octets a) { return vshrq_n_u8(a, 4); }
inline Octets octets_lookup(Octets table, Octets index) { return vqtbl1q_u8(table, index); }

inline void factor_tables(uint8_t coefficient, Octets& low, Octets& high) {
  low = octets_load(kGfNibbles.products[coefficient]);
  high = octets_load(kGfNibbles.products[coefficient] + 16);
}

#include "kernels_by16.inc"
#include "kernels_impl.inc"

}  // namespace

const Kernels* kernels_neon_built() { return &kKernelTable; }

}  // namespace selvedge::fountain

#else

namespace selvedge::fountain {
const Kernels* kernels_neon_built() { return nullptr; }
}  // namespace selvedge::fountain

#endif
