// The WASI preview 1 profile: the functions a program may import, and their types. All of preview 1 can be imported, so that programs link
// as they are. What would reach outside (sockets, links, signals) answers ENOSYS; what is there answers the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace selvedge::wasm {

constexpr std::string_view kWasiModule = "wasi_snapshot_preview1";

/// What tasks are provided with besides WASI.
constexpr std::string_view kHostModule = "selvedge";
/// (area, bytes) -> (): the program says that it may be checkpointed here. spec: docs/spec/checkpoints.md
constexpr std::string_view kCheckpointName = "checkpoint";

/// What a service's program keeps beyond its instance (wasi/state_calls.h). Every program may import it; outside of a request of a service that has state each
/// call answers ENOSYS.
constexpr std::string_view kStateModule = "selvedge_state";
// In the order of the table in wasi.cc.
enum class StateFunction : uint8_t { kGet, kPut, kDelete, kNext, kCount };
constexpr size_t kStateFunctions = size_t(StateFunction::kCount);

/// What Binaryen's Asyncify exports, so that such a place can be left and come back to.
constexpr const char* kAsyncifyStartUnwind = "asyncify_start_unwind";
constexpr const char* kAsyncifyStopUnwind = "asyncify_stop_unwind";
constexpr const char* kAsyncifyStartRewind = "asyncify_start_rewind";
constexpr const char* kAsyncifyStopRewind = "asyncify_stop_rewind";

// In the order of the table in wasi.cc.
enum class WasiFunction : uint8_t {
  kArgsGet, kArgsSizesGet, kClockResGet, kClockTimeGet, kEnvironGet, kEnvironSizesGet, kFdAdvise, kFdAllocate, kFdClose, kFdDatasync,
  kFdFdstatGet, kFdFdstatSetFlags, kFdFdstatSetRights, kFdFilestatGet, kFdFilestatSetSize, kFdFilestatSetTimes, kFdPread, kFdPrestatDirName,
  kFdPrestatGet, kFdPwrite, kFdRead, kFdReaddir, kFdRenumber, kFdSeek, kFdSync, kFdTell, kFdWrite, kPathCreateDirectory, kPathFilestatGet,
  kPathFilestatSetTimes, kPathLink, kPathOpen, kPathReadlink, kPathRemoveDirectory, kPathRename, kPathSymlink, kPathUnlinkFile, kPollOneoff,
  kProcExit, kProcRaise, kRandomGet, kSchedYield, kSockAccept, kSockRecv, kSockSend, kSockShutdown,
  kCount,
};
constexpr size_t kWasiFunctions = size_t(WasiFunction::kCount);
constexpr size_t kWasiArgsMax = 9;

/// The name in the module kWasiModule, and the type as in OpInfo::types ("iiii>i").
const char* wasi_name(WasiFunction function);
const char* wasi_types(WasiFunction function);

const char* state_name(StateFunction function);
const char* state_types(StateFunction function);

/// The type of a function, or nullptr when preview 1 has no such function.
const char* wasi_signature(std::string_view name);
/// The same for an import of any module.
const char* import_signature(std::string_view module, std::string_view name);

}  // namespace selvedge::wasm
