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

// The 8 KiB of tables that other kernels load would be a sixth of the module, and octet products are few.
inline void factor_tables(uint8_t coefficient, Octets& low, Octets& high) {
  const v128_t index = wasm_i8x16_const(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  uint8_t power = coefficient;
  Octets* const tables[] = {&low, &high};
  for (Octets* table : tables) {
    *table = octets_zero();
    for (int bit = 1; bit <= 8; bit <<= 1) {
      const v128_t chosen = wasm_i8x16_ne(wasm_v128_and(index, wasm_i8x16_splat(static_cast<int8_t>(bit))), octets_zero());
      *table = wasm_v128_xor(*table, wasm_v128_and(chosen, wasm_i8x16_splat(static_cast<int8_t>(power))));
      power = gf_times_alpha(power);
    }
  }
}

#include "kernels_by16.inc"
#include "kernels_impl.inc"

}  // namespace

const Kernels* kernels_wasm_built() { return &kKernelTable; }

}  // namespace selvedge::fountain

#else

namespace selvedge::fountain {
const Kernels* kernels_wasm_built() { return nullptr; }
}  // namespace selvedge::fountain

#endif
