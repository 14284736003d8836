// Portable kernels: eight 64-bit words a lane.
#include "kernels.h"

// A WebAssembly module with SIMD runs only where SIMD is: it needs no other kernels.
#if !defined(__wasm_simd128__)

namespace selvedge::fountain {
namespace {

constexpr const char* kKernelsName = "scalar";
constexpr size_t kPassLanes = 1;
constexpr size_t kLaneWords = 8;

struct Lane {
  uint64_t words[kLaneWords];
};

using Factor = uint8_t;

inline Lane lane_load(const uint8_t* p) {
  Lane lane;
  __builtin_memcpy(lane.words, p, kLaneBytes);
  return lane;
}
inline void lane_store(uint8_t* p, const Lane& lane) { __builtin_memcpy(p, lane.words, kLaneBytes); }
inline Lane lane_zero() { return Lane{}; }
inline Lane lane_xor(const Lane& a, const Lane& b) {
  Lane out;
  for (size_t i = 0; i < kLaneWords; ++i) out.words[i] = a.words[i] ^ b.words[i];
  return out;
}
inline Lane lane_xor3(const Lane& a, const Lane& b, const Lane& c) { return lane_xor(lane_xor(a, b), c); }

// Eight octets at once: shift each left and fold the carry back with 0x1D.
inline Lane lane_alpha(const Lane& a) {
  constexpr uint64_t kTop = 0x8080808080808080u;
  Lane out;
  for (size_t i = 0; i < kLaneWords; ++i) {
    const uint64_t carry = (a.words[i] & kTop) >> 7;
    out.words[i] = ((a.words[i] & ~kTop) << 1) ^ (carry * 0x1D);
  }
  return out;
}
inline Factor factor_make(uint8_t coefficient) { return coefficient; }
inline Lane lane_mul(Lane a, Factor factor) {
  Lane out = lane_zero();
  for (unsigned rest = factor; rest != 0; rest >>= 1) {
    if (rest & 1) out = lane_xor(out, a);
    a = lane_alpha(a);
  }
  return out;
}

#include "kernels_impl.inc"

}  // namespace

const Kernels* kernels_scalar_built() { return &kKernelTable; }

}  // namespace selvedge::fountain

#else

namespace selvedge::fountain {
const Kernels* kernels_scalar_built() { return nullptr; }
}  // namespace selvedge::fountain

#endif
