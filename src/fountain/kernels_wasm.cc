// WebAssembly SIMD kernels: four 128-bit registers a lane, octet products by swizzle on nibbles.
#include "kernels.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>  // style: allow layer because it is the compiler's own header for wasm, as immintrin.h is for x86

#include "gf256_tables.h"

namespace selvedge::fountain {
namespace {

constexpr const char* kKernelsName = "wasm-simd128";
constexpr size_t kPassLanes = 2;

using Octets = v128_t;

inline Octets octets_load(const uint8_t* p) { return wasm_v128_load(p); }
inline void octets_store(uint8_t* p, Octets a) { wasm_v128_store(p, a); }
inline Octets octets_zero() { return wasm_i8x16_splat(0); }
inline Octets octets_xor(Octets a, Octets b) { return wasm_v128_xor(a, b); }
inline Octets octets_alpha(Octets a) {
  const v128_t carry = wasm_i8x16_shr(a, 7);
  return wasm_v128_xor(wasm_i8x16_shl(a, 1), wasm_v128_and(carry, wasm_i8x16_splat(0x1D)));
}
inline Octets octets_low_nibbles(Octets a) { return wasm_v128_and(a, wasm_i8x16_splat(0x0F)); }
inline Octets octets_high_nibbles(Octets a) { return wasm_u8x16_shr(a, 4); }
inline Octets octets_lookup(Octets table, Octets index) { return wasm_i8x16_swizzle(table, index); }

#include "kernels_by16.inc"
#include "kernels_impl.inc"

}  // namespace

const Kernels* kernels_wasm_built() { return &kKernels; }

}  // namespace selvedge::fountain

#else

namespace selvedge::fountain {
const Kernels* kernels_wasm_built() { return nullptr; }
}  // namespace selvedge::fountain

#endif
