// WasiRun: the WASI preview 1 functions of one run, without an engine.
//
// Everything a guest can learn or do besides computing goes through here: arguments, environment, standard input, output and
// errors, files, a clock that is its own fuel and the time it slept, random numbers that are its seed. So what is deterministic and bounded
// here is deterministic and bounded on every engine; the runner only carries arguments over. One object per task.
#pragma once

#include <functional>
#include <map>

#include "base/result.h"
#include "crypto/types.h"
#include "wasi/file_tree.h"
#include "wasi/guest_memory.h"
#include "wasm/wasi.h"

namespace selvedge::wasi {

constexpr size_t kDescriptorsMax = 128;

struct WasiInput {
  std::vector<std::string> args;
  std::vector<std::string> environment;   // "NAME=value"
  Bytes input;
  std::vector<InputFile> files;
  uint64_t seed = 0;
  uint64_t output_bytes_max = 0;
  size_t errors_bytes_max = 0;
};

/// The result of one call: the errno for the guest, or the end of the run.
struct WasiAnswer {
  enum class Ends : uint8_t { kNo, kExit, kOutputTooLarge };
  Errno error = Errno::kSuccess;
  Ends ends = Ends::kNo;
  uint64_t fuel = 0;   // to pay for files: a unit for each 8 bytes moved, and for each byte of a path
};

class WasiRun {
 public:
  /// Errors: kInvalid, kLimit, kUnsupported for files that cannot be laid out.
  static Result<std::unique_ptr<WasiRun>> create(WasiInput input);

  /// `args`: the guest's arguments as numbers, kWasiArgsMax of them. `memory`: all of the guest's. `fuel_used`: called when the guest asks for the time.
  WasiAnswer call(wasm::WasiFunction function, std::span<const uint64_t> args, GuestMemory& memory,
                  const std::function<uint64_t()>& fuel_used);

  /// Until the program has had to do with files other than the standard ones: their state goes into no checkpoint.
  bool can_be_saved() const { return !used_files_; }
  /// What has happened so far, for a checkpoint, and the way back. Errors: kInvalid, kLimit.
  Bytes save() const;
  Status restore(ByteView saved);

  int32_t exit_code() const { return exit_code_; }
  const WasiInput& input() const { return in_; }
  /// What the task gave besides standard input and seed, for the trace.
  crypto::Digest world() const;
  /// Standard output; or, when the run left something in /out, an archive of both. Call once, at the end.
  /// Errors: kLimit for more than the task allows.
  Result<Bytes> take_output();
  const std::string& errors() const { return errors_; }
  const FileTree& files() const { return *tree_; }
  /// Standard output so far.
  const Bytes& output() const { return output_; }
  uint64_t input_bytes_read() const { return read_at_; }
  uint64_t random_blocks_drawn() const { return random_blocks_; }

 private:
  using Memory = GuestMemory&;
  using Args = std::span<const uint64_t>;
  using NodePtr = FileTree::NodePtr;
  struct Descriptor {
    enum class Kind : uint8_t { kInput, kOutput, kErrors, kFile, kDirectory } kind;
    NodePtr node{};
    uint64_t position = 0;
    bool reads = false, writes = false, appends = false;
    bool preopened = false;
    std::vector<std::pair<std::string, NodePtr>> listing{};   // of a directory, as it was when reading it began
  };
  /// The pieces of guest memory of one read or write, checked.
  struct Pieces {
    struct Part { uint64_t at, size; };
    std::vector<Part> parts;
    uint64_t bytes = 0;
  };

  explicit WasiRun(WasiInput input);

  Errno other(wasm::WasiFunction function, Args a, Memory memory, const std::function<uint64_t()>& fuel_used);
  Errno descriptor_call(wasm::WasiFunction function, Args a, Memory memory);
  Errno path_call(wasm::WasiFunction function, Args a, Memory memory);

  WasiAnswer write(Args a, Memory memory, bool at_position);
  Errno read(Args a, Memory memory, bool at_position);
  Errno write_file(Descriptor& file, Memory memory, const Pieces& from, uint64_t at);
  Errno grow(FileTree::Node& node, uint64_t size);
  Errno seek(Args a, Memory memory);
  Errno read_directory(Args a, Memory memory);
  Errno open(Args a, Memory memory);
  Errno close(uint64_t fd);
  Errno renumber(uint64_t from, uint64_t to);
  Errno fdstat(const Descriptor& descriptor, Memory memory, uint64_t at) const;
  Errno filestat(const Descriptor& descriptor, Memory memory, uint64_t at) const;
  Errno poll(Args a, Memory memory, const std::function<uint64_t()>& fuel_used);
  Errno strings(const std::vector<std::string>& texts, Memory memory, uint64_t pointers, uint64_t text) const;
  Errno random(Memory memory, uint64_t at, uint64_t size);
  Errno path_of(Memory memory, uint64_t at, uint64_t size, std::string& out);
  static Errno pieces(Memory memory, uint64_t at, uint64_t count, Pieces& out);
  Descriptor* descriptor(uint64_t fd);
  Descriptor* directory(uint64_t fd);
  uint64_t time_ns(const std::function<uint64_t()>& fuel_used) const { return fuel_used() + slept_ns_; }

  WasiInput in_;
  std::unique_ptr<FileTree> tree_;
  std::map<uint32_t, Descriptor> descriptors_;
  Bytes output_;
  std::string errors_;
  size_t read_at_ = 0;
  uint64_t slept_ns_ = 0;
  bool used_files_ = false;
  uint64_t random_blocks_ = 0;
  uint64_t owed_ = 0;   // fuel of the call in progress
  int32_t exit_code_ = 0;
};

}  // namespace selvedge::wasi
