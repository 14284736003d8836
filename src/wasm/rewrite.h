// The rewriter: makes a WebAssembly module that a stranger wrote deterministic, metered, bounded and stoppable.
//
// Why it exists: two machines can only check each other if the same module, input and seed give the same output,
// the same fuel and the same memory on each of them. Engines differ in NaN bits, stack depth, failing memory.grow
// and in when they can be interrupted, so the module itself is rewritten until none of these can be observed.
// The rewritten module needs nothing from an engine but plain WebAssembly, hence runs in the domain process and in
// every browser alike. What is charged, and where, is docs/spec/metering.md.
//
// Invariants: (1) a module is validated completely, by an allow list, before a byte of output is written, so an
// engine never sees what was not understood here; (2) the output is a function of the module, the limits' page
// maximum and kRewriterVersion alone, and `identity` names exactly that; (3) all work is bounded by RewriteLimits.
// Called by host/domain before a module is sent to a domain process, and by the browser worker (compiled to wasm).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/types.h"

namespace selvedge::wasm {

/// Changes whenever the output for any module changes: it is part of every identity.
constexpr uint32_t kRewriterVersion = 2;

constexpr uint32_t kPageBytes = 65536;

/// No grant goes beyond a multiple of this unless more is missing already: so each engine learns at the same instruction that a run
/// has passed one. After a trap at least the last multiple passed counts as used. spec: docs/spec/metering.md, "Marks".
constexpr uint64_t kFuelMark = 1ull << 26;

/// Names with this prefix belong to the rewriter; a module that imports or exports one is refused.
constexpr const char* kReservedPrefix = "__sv_";
/// What the rewritten module exports for its runner, besides what the program exports.
/// () -> (): fuel to zero, depth to its limit, globals to their initial values; (i32 pages) sets the page limit.
constexpr const char* kExportBegin = "__sv_begin";
/// () -> i64: fuel left of what was granted; negative when overdrawn. Exact whenever a host function runs.
constexpr const char* kExportFuelGet = "__sv_fuel_get";
/// (i64) -> (): replaces the fuel left (checkpoints).
constexpr const char* kExportFuelSet = "__sv_fuel_set";
/// (i32 slot) -> i64, (i32 slot, i64) -> (): the program's mutable globals in order, as bits, a vector as two slots. Reading a slot that
/// there is not gives their number. spec: docs/spec/checkpoints.md
constexpr const char* kExportSlotGet = "__sv_slot_get";
constexpr const char* kExportSlotSet = "__sv_slot_set";
/// () -> (): the program's start function, if it has one. Called after kExportBegin, metered like the rest.
constexpr const char* kExportStart = "__sv_start";
constexpr const char* kExportMemory = "__sv_memory";
/// () -> (): what a service's program exports to answer the request that its environment and standard input are (guests/service.h). Such a program may
/// have kExportInitialize in place of _start.
constexpr const char* kExportServe = "selvedge_serve";
constexpr const char* kExportInitialize = "_initialize";
/// The one import that the rewriter adds: (i32 reason, i32 missing) -> i32 fuel granted. May throw to end the run.
constexpr const char* kYieldModule = "__sv_host";
constexpr const char* kYieldName = "yield";

/// Why kYieldName is called. For all but kFuel the host must not return.
enum class YieldReason : uint32_t {
  kFuel = 0,   // so much more was used than was granted: grant at least that, or end the run
  kDepth = 1,  // the call depth limit: a trap of the program, the same everywhere
  kGrow = 2,   // the engine could not grow the memory although the limit allows it: says nothing about the program
};

struct RewriteLimits {
  uint32_t module_bytes_max = 16u << 20;
  uint32_t types_max = 4096;
  uint32_t imports_max = 64;
  uint32_t functions_max = 50'000;
  uint32_t function_bytes_max = 1u << 20;
  uint32_t locals_max = 4096;          // parameters included
  uint32_t locals_total_max = 1u << 21;  // of all functions: a few bytes of a module declare thousands
  uint32_t params_max = 128;           // of one function type; results alike
  uint32_t globals_max = 4096;
  uint32_t exports_max = 4096;
  uint32_t segments_max = 65'536;      // element and data segments, each
  uint32_t table_elements_max = 1u << 20;
  uint32_t br_table_targets_max = 16'384;
  uint32_t nesting_max = 1024;
  uint32_t rewritten_bytes_max = 64u << 20;          // of what comes out: what an engine has to compile
  uint32_t rewritten_function_bytes_max = 4u << 20;  // engines refuse functions of some 7 MB, and not all the same
  uint32_t memory_pages_max = 16'384;  // 1 GiB; part of the identity through the memory maximum that results
};

/// A function the program imports, of WASI preview 1, of kHostModule or of kStateModule; the runner provides exactly these.
struct WasiImport {
  std::string name;
  bool operator==(const WasiImport&) const = default;
};

struct Rewritten {
  Bytes module;                     // valid WebAssembly: what an engine compiles
  crypto::Digest original;          // SHA-256 of the module as it was given
  crypto::Digest identity;          // names the rewritten module: original, version, cost table, page maximum
  std::vector<WasiImport> imports;  // in the order the program lists them
  uint32_t memory_pages_min = 0;
  uint32_t memory_pages_max = 0;    // declared maximum or the limit, whichever is less
  bool has_start = false;           // kExportStart is there
  bool needs_fresh_instance = false;  // drops segments or writes to its table: no instance runs twice
  bool has_entry = false;           // exports _start: () -> (), so it can be run as a command
  bool serves = false;              // exports kExportServe: an instance can answer one request after the other
  bool resumable = false;           // Asyncify was applied: its stack can be unwound and wound up again
};

/// Validates and rewrites. The error names what was refused, with its offset in the module.
/// Errors: kInvalid (malformed or ill-typed), kUnsupported (a feature, opcode, section or import outside the
/// profile), kLimit (a limit of `limits`), kUnauthorized (a name that belongs to the rewriter).
Result<Rewritten> rewrite(ByteView module, const RewriteLimits& limits = {});

/// SHA-256 over the version's cost table; part of every identity.
crypto::Digest cost_table_digest();

}  // namespace selvedge::wasm
