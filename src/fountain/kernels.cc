#include "kernels.h"

#include "fountain.h"

namespace selvedge::fountain {
namespace {

// Built into this library or not; null where it is not.
const Kernels* kernels_built(Kernel kernel) {
  switch (kernel) {
    case Kernel::kScalar: return kernels_scalar_built();
    case Kernel::kSsse3: return kernels_ssse3_built();
    case Kernel::kAvx2: return kernels_avx2_built();
    case Kernel::kAvx512: return kernels_avx512_built();
    case Kernel::kAvx512Gfni: return kernels_avx512_gfni_built();
    case Kernel::kNeon: return kernels_neon_built();
    case Kernel::kWasmSimd: return kernels_wasm_built();
  }
  return nullptr;
}

bool processor_runs(Kernel kernel) {
#if defined(__x86_64__)
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  switch (kernel) {
    case Kernel::kSsse3: return __builtin_cpu_supports("ssse3");
    case Kernel::kAvx2: return __builtin_cpu_supports("avx2");
    case Kernel::kAvx512: return avx512;
    case Kernel::kAvx512Gfni: return avx512 && __builtin_cpu_supports("gfni");
    default: return true;
  }
#else
  return kernel != Kernel::kSsse3;  // what is built at all runs: NEON and wasm SIMD are part of their targets
#endif
}

constexpr Kernel kFastestFirst[] = {Kernel::kAvx512Gfni, Kernel::kAvx512, Kernel::kAvx2,  Kernel::kSsse3,
                                    Kernel::kNeon,       Kernel::kWasmSimd, Kernel::kScalar};

}  // namespace

const Kernels* kernels_of(Kernel kernel) { return processor_runs(kernel) ? kernels_built(kernel) : nullptr; }

const Kernels* kernels_for(std::optional<Kernel> wanted) { return kernels_of(wanted.value_or(fastest_kernel())); }

Kernel fastest_kernel() {
  for (const Kernel kernel : kFastestFirst) {
    if (kernels_of(kernel) != nullptr) return kernel;
  }
  return Kernel::kScalar;
}

bool kernel_available(Kernel kernel) { return kernels_of(kernel) != nullptr; }

const char* kernel_name(Kernel kernel) {
  switch (kernel) {
    case Kernel::kScalar: return "scalar";
    case Kernel::kSsse3: return "ssse3";
    case Kernel::kAvx2: return "avx2";
    case Kernel::kAvx512: return "avx512";
    case Kernel::kAvx512Gfni: return "avx512-gfni";
    case Kernel::kNeon: return "neon";
    case Kernel::kWasmSimd: return "wasm-simd128";
  }
  return "";
}

std::optional<Kernel> kernel_from_name(std::string_view name) {
  for (const Kernel kernel : kKernels) {
    if (name == kernel_name(kernel)) return kernel;
  }
  return std::nullopt;
}

}  // namespace selvedge::fountain
