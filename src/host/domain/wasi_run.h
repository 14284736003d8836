// WasiRun: the WASI preview 1 functions of one run, without an engine.
//
// Everything a guest can learn or do besides computing goes through here: arguments, standard input, output and
// errors, a clock that is its own fuel, random numbers that are its seed. So what is deterministic and bounded here is
// deterministic and bounded on every engine; the runner only carries arguments over. One object per task.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge::host::domain {

enum class WasiFunction : uint8_t {
  kArgsGet, kArgsSizesGet, kEnvironGet, kEnvironSizesGet, kClockResGet, kClockTimeGet, kFdClose, kFdFdstatGet,
  kFdPrestatDirName, kFdPrestatGet, kFdRead, kFdSeek, kFdWrite, kProcExit, kRandomGet, kSchedYield,
  kCount,
};
/// nullopt for a name outside the profile (wasm::wasi_signature knows the same names).
std::optional<WasiFunction> wasi_function(std::string_view name);

struct WasiInput {
  std::vector<std::string> args;
  Bytes input;
  uint64_t seed = 0;
  uint64_t output_bytes_max = 0;
  size_t errors_bytes_max = 0;
};

/// The result of one call: the errno for the guest, or the end of the run.
struct WasiAnswer {
  enum class Ends : uint8_t { kNo, kExit, kOutputTooLarge };
  uint32_t error = 0;
  Ends ends = Ends::kNo;
};

class WasiRun {
 public:
  explicit WasiRun(WasiInput input) : in_(std::move(input)) {}

  /// `args`: the guest's arguments as numbers, 64-bit ones included. `memory`: all of the guest's memory, valid during
  /// the call. `fuel_used`: called when the guest asks for the time.
  WasiAnswer call(WasiFunction function, std::span<const uint64_t> args, std::span<uint8_t> memory,
                  const std::function<uint64_t()>& fuel_used);

  /// What has happened so far, for a checkpoint, and the way back. Errors: kInvalid, kLimit.
  Bytes save() const;
  Status restore(ByteView saved);

  int32_t exit_code() const { return exit_code_; }
  const WasiInput& input() const { return in_; }
  const Bytes& output() const { return output_; }
  Bytes take_output() { return std::move(output_); }
  const std::string& errors() const { return errors_; }
  uint64_t input_bytes_read() const { return read_at_; }
  uint64_t random_blocks_drawn() const { return random_blocks_; }

 private:
  using Memory = std::span<uint8_t>;
  WasiAnswer read(std::span<const uint64_t> args, Memory memory);
  WasiAnswer write(std::span<const uint64_t> args, Memory memory);
  WasiAnswer strings(Memory memory, uint64_t pointers, uint64_t text);
  WasiAnswer random(Memory memory, uint64_t at, uint64_t size);

  WasiInput in_;
  Bytes output_;
  std::string errors_;
  size_t read_at_ = 0;
  uint64_t random_blocks_ = 0;
  int32_t exit_code_ = 0;
};

}  // namespace selvedge::host::domain
