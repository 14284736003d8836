// The WASI preview 1 profile: the functions a program may import, and their types. Each answers the same on every
// machine: there are no files, no sockets, no environment, and time and random numbers follow from fuel and seed.
#pragma once

#include <string_view>

namespace selvedge::wasm {

constexpr std::string_view kWasiModule = "wasi_snapshot_preview1";

/// What tasks are provided with besides WASI.
constexpr std::string_view kHostModule = "selvedge";
/// (area, bytes) -> (): the program says that it may be checkpointed here. spec: docs/spec/checkpoints.md
constexpr std::string_view kCheckpointName = "checkpoint";

/// What Binaryen's Asyncify exports, so that such a place can be left and come back to.
constexpr const char* kAsyncifyStartUnwind = "asyncify_start_unwind";
constexpr const char* kAsyncifyStopUnwind = "asyncify_stop_unwind";
constexpr const char* kAsyncifyStartRewind = "asyncify_start_rewind";
constexpr const char* kAsyncifyStopRewind = "asyncify_stop_rewind";

/// The type as in OpInfo::types ("iiii>i"), or nullptr when the profile does not provide the function.
const char* wasi_signature(std::string_view name);
/// The same for an import of any module.
const char* import_signature(std::string_view module, std::string_view name);

}  // namespace selvedge::wasm
