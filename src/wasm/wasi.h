// The WASI preview 1 profile: the functions a program may import, and their types. All of preview 1 can be imported, so that programs link
// as they are. What would reach outside (sockets, links, signals) answers ENOSYS; what is there answers the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace selvedge::wasm {

constexpr std::string_view kWasiModule = "wasi_snapshot_preview1";

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

/// The type of a function, or nullptr when preview 1 has no such function.
const char* wasi_signature(std::string_view name);

}  // namespace selvedge::wasm
