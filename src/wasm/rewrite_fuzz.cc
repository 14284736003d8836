// Any bytes: the rewriter refuses or rewrites them, and what it wrote passes the validation it applies to others.
#include <cstdlib>

#include "wasm/validate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  const ByteView bytes(data, size);
  wasm::RewriteLimits limits;
  limits.module_bytes_max = 1u << 20;
  const auto out = wasm::rewrite(bytes, limits);
  if (!out.ok()) {
    // A refusal is always the module's doing.
    if (out.code() == Errc::kInternal || out.error().message.empty()) std::abort();
    return 0;
  }
  // Metering makes modules and bodies larger, and adds types, locals and nesting of its own.
  wasm::RewriteLimits wide;
  wide.module_bytes_max = wide.function_bytes_max = 256u << 20;
  wide.types_max = wide.functions_max = wide.exports_max = wide.globals_max = 1u << 20;
  wide.locals_max += 16;
  wide.locals_total_max *= 16;
  wide.nesting_max *= 8;
  wide.imports_max += 8;
  const auto parsed = wasm::parse_module(out->module, wide, wasm::Names::kRewritten);
  if (!parsed.ok()) std::abort();
  if (!wasm::validate_functions(*parsed, wide).ok()) std::abort();
  return 0;
}
