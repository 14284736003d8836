// Any bytes as a program's calls: each byte pair picks a function and its arguments, over a memory that holds paths, pieces and data. Nothing
// may be written outside the memory, no limit may be passed, and what is left is an archive that reads back.
#include <cstdlib>

#include "codec/tar.h"
#include "wasi/state_calls.h"
#include "wasi/wasi_run.h"

namespace {

using namespace selvedge;
using namespace selvedge::wasi;

constexpr size_t kMemoryBytes = 4096;
constexpr uint64_t kOutputMax = 1u << 20;
constexpr const char* kPaths[] = {"out/a", "out/b", "out", "tmp/x", "in", "in/a", "..", "out/d/../../in/b", "out/d", "out/d/e", "/etc", ".", "", "new", "a", "out/a/"};

/// Numbers drawn from the input, zeros behind its end.
struct Source {
  const uint8_t* at;
  size_t left;
  uint8_t byte() {
    if (left == 0) return 0;
    --left;
    return *at++;
  }
  /// Mostly small, sometimes anything.
  uint64_t number(char type) {
    const uint8_t b = byte();
    if (b < 250) return b;
    uint64_t out = 0;
    for (int i = 0; i < (type == 'l' ? 8 : 4); ++i) out = out << 8 | byte();
    return out;
  }
};

// The same bytes as a service's requests, one after the other: what each leaves is what a program can make, and keeps to the limits.
void state_calls(Source in) {
  StateMap kept;
  Bytes memory(kMemoryBytes + 128, 0xA5);
  const std::span<uint8_t> reach(memory.data() + 64, kMemoryBytes);
  NearMemory guest(reach);
  while (in.left > 0) {
    StateCalls calls(kept);
    for (int n = in.byte() % 16; n > 0; --n) {
      const auto function = wasm::StateFunction(in.byte() % wasm::kStateFunctions);
      for (size_t i = 0; i < 4; ++i) reach[i] = in.byte() % 4, reach[32 + i] = in.byte() % 4;
      uint64_t args[wasm::kWasiArgsMax] = {};
      const char* types = wasm::state_types(function);
      for (size_t i = 0; types[i] != '>'; ++i) args[i] = in.number(types[i]);
      if (in.byte() % 8 != 0) args[0] = 0, args[1] %= 5;
      if (function == wasm::StateFunction::kNext && in.byte() % 8 != 0) args[2] = 32, args[3] %= 5;
      const WasiAnswer answer = calls.call(function, args, guest);
      CHECK(answer.ends == WasiAnswer::Ends::kNo && answer.fuel >= kStateCallFuel);
    }
    const std::vector<StateWrite> writes = calls.take_writes();
    CHECK(kept.check(writes).ok());
    if (in.byte() % 4 != 0) kept.apply(writes);
    CHECK(kept.use().fits());
  }
  for (size_t i = 0; i < 64; ++i) CHECK(memory[i] == 0xA5 && memory[memory.size() - 1 - i] == 0xA5);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)FileTree::create(std::vector<InputFile>{{"/", Bytes(data, data + size)}});
  Source in{data, size};
  state_calls(in);
  WasiInput input;
  input.args = {"program", "argument"};
  input.environment = {"NAME=value"};
  input.input = to_bytes(view("standard input"));
  input.files = {{"in/a", to_bytes(view("first"))}, {"in/b", to_bytes(view("second"))}, {"new", {}}};
  input.output_bytes_max = kOutputMax;
  input.errors_bytes_max = 64;
  auto run = WasiRun::create(std::move(input));
  CHECK(run.ok());
  // A red zone on both sides of what the guest can reach.
  Bytes memory(kMemoryBytes + 128, 0xA5);
  const std::span<uint8_t> reach(memory.data() + 64, kMemoryBytes);
  NearMemory guest(reach);
  uint64_t fuel = 0;
  while (in.left > 0) {
    const auto function = wasm::WasiFunction(in.byte() % wasm::kWasiFunctions);
    // The paths lie at 0, 32, ...; pieces at 1024; the rest is for answers and data.
    std::string_view path = kPaths[in.byte() % std::size(kPaths)], other = kPaths[in.byte() % std::size(kPaths)];
    std::copy(path.begin(), path.end(), reach.begin());
    std::copy(other.begin(), other.end(), reach.begin() + 32);
    uint64_t args[wasm::kWasiArgsMax] = {};
    const char* types = wasm::wasi_types(function);
    for (size_t i = 0; types[i] != '>'; ++i) args[i] = in.number(types[i]);
    using enum wasm::WasiFunction;
    const bool flags_first = function == kPathOpen || function == kPathFilestatGet || function == kPathFilestatSetTimes;
    const std::string_view name = wasm::wasi_name(function);
    if (name.starts_with("path_")) {
      args[0] = args[0] < 8 ? 3 : args[0];
      args[flags_first ? 2 : 1] = 0;
      args[flags_first ? 3 : 2] = path.size();
      if (function == kPathRename) args[3] = args[3] < 8 ? 3 : args[3], args[4] = 32, args[5] = other.size();
    }
    if (function == kFdRead || function == kFdWrite || function == kFdPread || function == kFdPwrite) {
      args[1] = 1024;
      args[2] %= 4;
      for (size_t i = 0; i < args[2] * 8; ++i) reach[1024 + i] = i % 4 == 1 ? in.byte() % 16 : i % 4 == 0 ? in.byte() : 0;
    }
    const WasiAnswer answer = (*run)->call(function, args, guest, [&fuel] { return fuel; });
    fuel += answer.fuel + 44;
    if (answer.ends != WasiAnswer::Ends::kNo) break;
    const FileTree::Usage usage = (*run)->files().usage();
    CHECK(usage.bytes <= kScratchBytesMax && usage.files <= kScratchFilesMax);
  }
  for (size_t i = 0; i < 64; ++i) CHECK(memory[i] == 0xA5 && memory[memory.size() - 1 - i] == 0xA5);
  const bool archive = (*run)->files().has_output();
  const Result<Bytes> output = (*run)->take_output();
  if (!output.ok()) return 0;
  CHECK(output->size() <= kOutputMax);
  if (archive) CHECK(codec::read_tar(*output).ok());
  return 0;
}
