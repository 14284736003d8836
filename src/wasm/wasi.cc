#include "wasm/wasi.h"

namespace selvedge::wasm {
namespace {

struct Row {
  std::string_view name;
  const char* types;
};

constexpr Row kRows[] = {
    {"args_get", "ii>i"},          {"args_sizes_get", "ii>i"},   {"environ_get", "ii>i"},
    {"environ_sizes_get", "ii>i"}, {"clock_res_get", "ii>i"},    {"clock_time_get", "ili>i"},
    {"fd_close", "i>i"},           {"fd_fdstat_get", "ii>i"},    {"fd_prestat_dir_name", "iii>i"},
    {"fd_prestat_get", "ii>i"},    {"fd_read", "iiii>i"},        {"fd_seek", "ilii>i"},
    {"fd_write", "iiii>i"},        {"proc_exit", "i>"},          {"random_get", "ii>i"},
    {"sched_yield", ">i"},
};

}  // namespace

const char* wasi_signature(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.types;
  }
  return nullptr;
}

const char* import_signature(std::string_view module, std::string_view name) {
  if (module == kWasiModule) return wasi_signature(name);
  return module == kHostModule && name == kCheckpointName ? "ii>" : nullptr;
}

}  // namespace selvedge::wasm
