// The WASI preview 1 profile: the functions a program may import, and their types. Each answers the same on every
// machine: there are no files, no sockets, no environment, and time and random numbers follow from fuel and seed.
#pragma once

#include <string_view>

namespace selvedge::wasm {

constexpr std::string_view kWasiModule = "wasi_snapshot_preview1";

/// The type as in OpInfo::types ("iiii>i"), or nullptr when the profile does not provide the function.
const char* wasi_signature(std::string_view name);

}  // namespace selvedge::wasm
