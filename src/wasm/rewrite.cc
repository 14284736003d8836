#include "wasm/rewrite.h"

#include <algorithm>

#include "wasm/emit.h"
#include "wasm/hashing.h"
#include "wasm/loops.h"
#include "wasm/wasi.h"

namespace selvedge::wasm {
namespace {

crypto::Digest identity_of(const crypto::Digest& original, uint32_t pages_max) {
  crypto::Sha256 hash;
  tag(hash, "selvedge.wasm.identity");
  hash.update(original.view());
  number(hash, kRewriterVersion);
  hash.update(cost_table_digest().view());
  number(hash, pages_max);
  return hash.finish();
}

bool exports_function(const Module& module, std::string_view name, const FunctionType& type) {
  return std::any_of(module.exports.begin(), module.exports.end(), [&](const Export& item) {
    return item.name == name && item.kind == ExternKind::kFunction && module.type_of(item.index) == type;
  });
}

/// The functions that Asyncify exports, and a place where it is used.
bool is_resumable(const Module& module) {
  const bool asks = std::any_of(module.imports.begin(), module.imports.end(),
                                [](const Import& import) { return import.module == kHostModule && import.name == kCheckpointName; });
  const FunctionType with_area{{ValType::kI32}, {}}, plain{{}, {}};
  return asks && exports_function(module, kAsyncifyStartUnwind, with_area) && exports_function(module, kAsyncifyStopUnwind, plain) &&
         exports_function(module, kAsyncifyStartRewind, with_area) && exports_function(module, kAsyncifyStopRewind, plain);
}

}  // namespace

crypto::Digest cost_table_digest() {
  crypto::Sha256 hash;
  tag(hash, "selvedge.wasm.costs");
  for (uint16_t op = 0; op < kOpCount; ++op) {
    const OpInfo& info = op_info(op);
    if (info.immediate == Immediate::kRefused) continue;
    number(hash, op);
    number(hash, info.cost);
  }
  for (const uint64_t constant : {kCostEntry, kCostLocalsShift, kCostImport, kCostBulkShift, kCostGrowPage,
                                  kUncheckedCostMax, kReachMax, uint64_t(kDepthSlotsMax), uint64_t(kDepthFrameSlots),
                                  uint64_t(kUncountedSlotsMax), kUncountedChainMax}) {
    number(hash, constant);
  }
  return hash.finish();
}

Result<Rewritten> rewrite(ByteView module, const RewriteLimits& limits) {
  const Module parsed = TRY(parse_module(module, limits));
  std::vector<FunctionPlan> plans = TRY(validate_functions(parsed, limits));
  TRY(plan_entries(parsed, plans));
  plan_loops(parsed, plans);
  Rewritten out;
  out.module = TRY(emit_module({parsed, plans, limits}));
  out.original = crypto::sha256(module);
  out.identity = identity_of(out.original, parsed.memory_max);
  for (const Import& import : parsed.imports) out.imports.push_back({import.name});
  out.memory_pages_min = parsed.memory_min;
  out.memory_pages_max = parsed.memory_max;
  out.has_start = parsed.has_start;
  for (const FunctionPlan& plan : plans) out.needs_fresh_instance |= plan.changes_instance;
  out.has_entry = exports_function(parsed, "_start", {{}, {}});
  out.serves = exports_function(parsed, kExportServe, {{}, {}});
  out.resumable = is_resumable(parsed);
  return out;
}

}  // namespace selvedge::wasm
