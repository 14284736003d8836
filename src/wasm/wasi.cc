#include "wasm/wasi.h"

#include <iterator>

namespace selvedge::wasm {
namespace {

struct Row {
  const char* name;
  const char* types;
};

constexpr Row kRows[] = {
    {"args_get", "ii>i"},
    {"args_sizes_get", "ii>i"},
    {"clock_res_get", "ii>i"},
    {"clock_time_get", "ili>i"},
    {"environ_get", "ii>i"},
    {"environ_sizes_get", "ii>i"},
    {"fd_advise", "illi>i"},
    {"fd_allocate", "ill>i"},
    {"fd_close", "i>i"},
    {"fd_datasync", "i>i"},
    {"fd_fdstat_get", "ii>i"},
    {"fd_fdstat_set_flags", "ii>i"},
    {"fd_fdstat_set_rights", "ill>i"},
    {"fd_filestat_get", "ii>i"},
    {"fd_filestat_set_size", "il>i"},
    {"fd_filestat_set_times", "illi>i"},
    {"fd_pread", "iiili>i"},
    {"fd_prestat_dir_name", "iii>i"},
    {"fd_prestat_get", "ii>i"},
    {"fd_pwrite", "iiili>i"},
    {"fd_read", "iiii>i"},
    {"fd_readdir", "iiili>i"},
    {"fd_renumber", "ii>i"},
    {"fd_seek", "ilii>i"},
    {"fd_sync", "i>i"},
    {"fd_tell", "ii>i"},
    {"fd_write", "iiii>i"},
    {"path_create_directory", "iii>i"},
    {"path_filestat_get", "iiiii>i"},
    {"path_filestat_set_times", "iiiilli>i"},
    {"path_link", "iiiiiii>i"},
    {"path_open", "iiiiillii>i"},
    {"path_readlink", "iiiiii>i"},
    {"path_remove_directory", "iii>i"},
    {"path_rename", "iiiiii>i"},
    {"path_symlink", "iiiii>i"},
    {"path_unlink_file", "iii>i"},
    {"poll_oneoff", "iiii>i"},
    {"proc_exit", "i>"},
    {"proc_raise", "i>i"},
    {"random_get", "ii>i"},
    {"sched_yield", ">i"},
    {"sock_accept", "iii>i"},
    {"sock_recv", "iiiiii>i"},
    {"sock_send", "iiiii>i"},
    {"sock_shutdown", "ii>i"},
};
static_assert(std::size(kRows) == kWasiFunctions);

constexpr Row kStateRows[] = {
    {"get", "iiiii>i"},       // key, its size, to, room, where the value's size goes
    {"put", "iiii>i"},        // key, its size, value, its size
    {"delete", "ii>i"},       // key, its size
    {"next", "iiiiiii>i"},    // prefix, its size, key to go on after, its size, to, room, where the key's size goes
};
static_assert(std::size(kStateRows) == kStateFunctions);

}  // namespace

const char* wasi_name(WasiFunction function) { return kRows[size_t(function)].name; }
const char* wasi_types(WasiFunction function) { return kRows[size_t(function)].types; }

const char* state_name(StateFunction function) { return kStateRows[size_t(function)].name; }
const char* state_types(StateFunction function) { return kStateRows[size_t(function)].types; }

const char* wasi_signature(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.types;
  }
  return nullptr;
}

const char* import_signature(std::string_view module, std::string_view name) {
  if (module == kWasiModule) return wasi_signature(name);
  if (module == kStateModule) {
    for (const Row& row : kStateRows) {
      if (row.name == name) return row.types;
    }
    return nullptr;
  }
  return module == kHostModule && name == kCheckpointName ? "ii>" : nullptr;
}

}  // namespace selvedge::wasm
