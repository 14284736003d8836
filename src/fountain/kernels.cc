#include "kernels.h"

namespace selvedge::fountain {

const Kernels& kernels_for_this_cpu() {
#if defined(__x86_64__)
  if (kernels_avx512() != nullptr && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("gfni")) {
    return *kernels_avx512();
  }
  if (kernels_avx2() != nullptr && __builtin_cpu_supports("avx2")) return *kernels_avx2();
#endif
  return kernels_scalar();
}

}  // namespace selvedge::fountain
