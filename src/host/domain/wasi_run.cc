#include "host/domain/wasi_run.h"

#include <algorithm>

#include "crypto/hash.h"

namespace selvedge::host::domain {
namespace {

// errno values of wasi_snapshot_preview1.
constexpr uint32_t kSuccess = 0, kBadFd = 8, kFault = 21, kInval = 28, kSpipe = 70;

constexpr uint64_t kIovecsMax = 1024;
constexpr uint64_t kRandomBytesMax = 65'536;  // of one call; wasi-libc asks for at most 256
// 2020-01-01T00:00:00Z: the instant at which every run begins. One unit of fuel is one nanosecond.
constexpr uint64_t kEpochNs = 1'577'836'800ull * 1'000'000'000ull;
constexpr uint64_t kClockRealtime = 0, kClockLast = 3;
constexpr uint64_t kFdstatBytes = 24;
constexpr uint64_t kRightFdRead = 2, kRightFdWrite = 64;

using Memory = std::span<uint8_t>;

bool inside(Memory memory, uint64_t at, uint64_t size) { return at <= memory.size() && size <= memory.size() - at; }

uint32_t get_u32(Memory memory, uint64_t at) {
  return uint32_t(memory[at]) | uint32_t(memory[at + 1]) << 8 | uint32_t(memory[at + 2]) << 16 |
         uint32_t(memory[at + 3]) << 24;
}
void put(Memory memory, uint64_t at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) memory[at + uint64_t(i)] = uint8_t(value >> (8 * i));
}

WasiAnswer error(uint32_t number) { return {number, WasiAnswer::Ends::kNo}; }

WasiAnswer two_u32(Memory memory, uint64_t a_at, uint32_t a, uint64_t b_at, uint32_t b) {
  if (!inside(memory, a_at, 4) || !inside(memory, b_at, 4)) return error(kFault);
  put(memory, a_at, a, 4);
  put(memory, b_at, b, 4);
  return error(kSuccess);
}

WasiAnswer fdstat(Memory memory, uint64_t fd, uint64_t at) {
  if (fd > 2) return error(kBadFd);
  if (!inside(memory, at, kFdstatBytes)) return error(kFault);
  std::fill_n(memory.begin() + ptrdiff_t(at), kFdstatBytes, uint8_t(0));
  put(memory, at + 8, fd == 0 ? kRightFdRead : kRightFdWrite, 8);
  return error(kSuccess);
}

struct FunctionName {
  std::string_view name;
  WasiFunction function;
};
constexpr FunctionName kNames[] = {
    {"args_get", WasiFunction::kArgsGet},
    {"args_sizes_get", WasiFunction::kArgsSizesGet},
    {"environ_get", WasiFunction::kEnvironGet},
    {"environ_sizes_get", WasiFunction::kEnvironSizesGet},
    {"clock_res_get", WasiFunction::kClockResGet},
    {"clock_time_get", WasiFunction::kClockTimeGet},
    {"fd_close", WasiFunction::kFdClose},
    {"fd_fdstat_get", WasiFunction::kFdFdstatGet},
    {"fd_prestat_dir_name", WasiFunction::kFdPrestatDirName},
    {"fd_prestat_get", WasiFunction::kFdPrestatGet},
    {"fd_read", WasiFunction::kFdRead},
    {"fd_seek", WasiFunction::kFdSeek},
    {"fd_write", WasiFunction::kFdWrite},
    {"proc_exit", WasiFunction::kProcExit},
    {"random_get", WasiFunction::kRandomGet},
    {"sched_yield", WasiFunction::kSchedYield},
};
static_assert(std::size(kNames) == size_t(WasiFunction::kCount));

}  // namespace

std::optional<WasiFunction> wasi_function(std::string_view name) {
  for (const FunctionName& row : kNames) {
    if (row.name == name) return row.function;
  }
  return std::nullopt;
}

WasiAnswer WasiRun::call(WasiFunction function, std::span<const uint64_t> args, Memory memory,
                         const std::function<uint64_t()>& fuel_used) {
  uint64_t a[4] = {0, 0, 0, 0};
  std::copy_n(args.begin(), std::min<size_t>(args.size(), 4), a);
  switch (function) {
    case WasiFunction::kArgsSizesGet: {
      size_t bytes = 0;
      for (const std::string& arg : in_.args) bytes += arg.size() + 1;
      return two_u32(memory, a[0], uint32_t(in_.args.size()), a[1], uint32_t(bytes));
    }
    case WasiFunction::kArgsGet: return strings(memory, a[0], a[1]);
    case WasiFunction::kEnvironSizesGet: return two_u32(memory, a[0], 0, a[1], 0);
    case WasiFunction::kEnvironGet: return error(kSuccess);
    case WasiFunction::kClockResGet:
      if (a[0] > kClockLast) return error(kInval);
      if (!inside(memory, a[1], 8)) return error(kFault);
      put(memory, a[1], 1, 8);
      return error(kSuccess);
    case WasiFunction::kClockTimeGet:
      if (a[0] > kClockLast) return error(kInval);
      if (!inside(memory, a[2], 8)) return error(kFault);
      put(memory, a[2], (a[0] == kClockRealtime ? kEpochNs : 0) + fuel_used(), 8);
      return error(kSuccess);
    case WasiFunction::kFdClose: return error(a[0] <= 2 ? kSuccess : kBadFd);
    case WasiFunction::kFdFdstatGet: return fdstat(memory, a[0], a[1]);
    case WasiFunction::kFdSeek: return error(a[0] <= 2 ? kSpipe : kBadFd);
    // No directory is open, ever: this is where wasi-libc stops looking.
    case WasiFunction::kFdPrestatGet:
    case WasiFunction::kFdPrestatDirName: return error(kBadFd);
    case WasiFunction::kFdRead: return read(a, memory);
    case WasiFunction::kFdWrite: return write(a, memory);
    case WasiFunction::kProcExit: exit_code_ = int32_t(uint32_t(a[0])); return {kSuccess, WasiAnswer::Ends::kExit};
    case WasiFunction::kRandomGet: return random(memory, a[0], a[1]);
    case WasiFunction::kSchedYield: return error(kSuccess);
    case WasiFunction::kCount: break;
  }
  return error(kInval);
}

Bytes WasiRun::save() const {
  Bytes out;
  append_u64(out, read_at_);
  append_u64(out, random_blocks_);
  append_u32(out, uint32_t(errors_.size()));
  append(out, view(errors_));
  append(out, output_);
  return out;
}

Status WasiRun::restore(ByteView saved) {
  constexpr size_t kFixed = 20;
  if (saved.size() < kFixed) return fail(Errc::kInvalid, "a checkpoint lacks the state of the program's files");
  const uint64_t read_at = load_u64(saved.data());
  const uint32_t errors = load_u32(saved.data() + 16);
  if (read_at > in_.input.size() || errors > in_.errors_bytes_max || errors > saved.size() - kFixed) {
    return fail(Errc::kInvalid, "a checkpoint's files cannot be");
  }
  const ByteView output = saved.subspan(kFixed + errors);
  if (output.size() > in_.output_bytes_max) return fail(Errc::kLimit, "a checkpoint has more output than the task allows");
  read_at_ = size_t(read_at);
  random_blocks_ = load_u64(saved.data() + 8);
  errors_ = to_string(saved.subspan(kFixed, errors));
  output_ = to_bytes(output);
  return ok();
}

WasiAnswer WasiRun::strings(Memory memory, uint64_t pointers, uint64_t text) {
  for (const std::string& arg : in_.args) {
    if (!inside(memory, pointers, 4) || !inside(memory, text, arg.size() + 1)) return error(kFault);
    put(memory, pointers, text, 4);
    std::copy(arg.begin(), arg.end(), memory.begin() + ptrdiff_t(text));
    memory[text + arg.size()] = 0;
    pointers += 4;
    text += arg.size() + 1;
  }
  return error(kSuccess);
}

WasiAnswer WasiRun::read(std::span<const uint64_t> args, Memory memory) {
  if (args[0] != 0) return error(kBadFd);
  if (args[2] > kIovecsMax) return error(kInval);
  if (!inside(memory, args[1], args[2] * 8) || !inside(memory, args[3], 4)) return error(kFault);
  uint32_t total = 0;
  for (uint64_t i = 0; i < args[2]; ++i) {
    const uint64_t at = get_u32(memory, args[1] + i * 8), size = get_u32(memory, args[1] + i * 8 + 4);
    if (!inside(memory, at, size)) return error(kFault);
    const size_t n = std::min<size_t>(size, in_.input.size() - read_at_);
    std::copy_n(in_.input.begin() + ptrdiff_t(read_at_), n, memory.begin() + ptrdiff_t(at));
    read_at_ += n;
    total += uint32_t(n);
  }
  put(memory, args[3], total, 4);
  return error(kSuccess);
}

WasiAnswer WasiRun::write(std::span<const uint64_t> args, Memory memory) {
  if (args[0] != 1 && args[0] != 2) return error(kBadFd);
  if (args[2] > kIovecsMax) return error(kInval);
  if (!inside(memory, args[1], args[2] * 8) || !inside(memory, args[3], 4)) return error(kFault);
  uint64_t total = 0;
  for (uint64_t i = 0; i < args[2]; ++i) {
    const uint64_t at = get_u32(memory, args[1] + i * 8), size = get_u32(memory, args[1] + i * 8 + 4);
    if (!inside(memory, at, size)) return error(kFault);
    total += size;
    if (total > INT32_MAX) return error(kInval);
    const auto piece = memory.subspan(at, size);
    if (args[0] == 1) {
      if (size > in_.output_bytes_max - output_.size()) return {kSuccess, WasiAnswer::Ends::kOutputTooLarge};
      output_.insert(output_.end(), piece.begin(), piece.end());
    } else {
      // Errors are for a person: the first ones count, the rest is swallowed.
      const size_t room = in_.errors_bytes_max - errors_.size();
      errors_.append(piece.begin(), piece.begin() + ptrdiff_t(std::min<size_t>(size, room)));
    }
  }
  put(memory, args[3], total, 4);
  return error(kSuccess);
}

WasiAnswer WasiRun::random(Memory memory, uint64_t at, uint64_t size) {
  if (size > kRandomBytesMax) return error(kInval);
  if (!inside(memory, at, size)) return error(kFault);
  // spec: docs/spec/metering.md, "Random numbers": whole blocks are drawn, so that a call's bytes depend on its
  // place in the sequence of calls and nothing else.
  while (size > 0) {
    uint8_t counter[16];
    store_u64(counter, in_.seed);
    store_u64(counter + 8, random_blocks_++);
    const crypto::Digest block = crypto::Sha256().update(view("selvedge.wasm.random")).update(counter).finish();
    const size_t n = std::min<size_t>(size, block.bytes.size());
    std::copy_n(block.bytes.begin(), n, memory.begin() + ptrdiff_t(at));
    at += n;
    size -= n;
  }
  return error(kSuccess);
}

}  // namespace selvedge::host::domain
