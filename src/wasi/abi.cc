// A browser's runner as a WebAssembly module: what programs call, and what a run is committed to, for web/sdk/run.ts, which has the engine.
//
// One run at a time: run_begin, any number of run_call and run_segment, run_end. Numbers that do not fit a result are in the board, which the page reads.
// The counterpart on a machine is host/domain/runner/engine.cc; where the two divide the work differently, it is because calls cost more here.
#if defined(__wasm__)
#include "codec/dag.h"
#include "codec/schema.h"
#include "crypto/hash.h"
#include "wasi/wasi_run.h"
#include "wasm/trace.h"

namespace selvedge::wasi {

namespace {

constexpr size_t kErrorsMax = 4096;   // kDomainErrorsMax: nothing here is compared
constexpr size_t kHashStep = 256u << 10;

extern "C" {
__attribute__((import_module("env"), import_name("guest_size"))) double guest_size();
__attribute__((import_module("env"), import_name("guest_read"))) void guest_read(double at, uint8_t* to, size_t size);
__attribute__((import_module("env"), import_name("guest_write"))) void guest_write(double at, const uint8_t* from, size_t size);
__attribute__((import_module("env"), import_name("fuel_used"))) uint64_t fuel_used();
}

class FarMemory final : public GuestMemory {
 public:
  uint64_t size() const override { return uint64_t(guest_size()); }
  void read(uint64_t at, std::span<uint8_t> to) const override { if (!to.empty()) guest_read(double(at), to.data(), to.size()); }
  void write(uint64_t at, ByteView from) override { if (!from.empty()) guest_write(double(at), from.data(), from.size()); }
};

struct Start {
  crypto::Digest identity;
  std::vector<std::string> args, environment;
  Bytes input;
  struct File {
    std::string path;
    Bytes content;
    template <class V> void visit(V& v) { v("path", path); v("content", content); }
  };
  std::vector<File> files;
  uint64_t seed = 0, output_bytes_max = 0;
  template <class V> void visit(V& v) {
    v("identity", identity); v("args", args); v("environment", environment); v("input", input); v("files", files); v("seed", seed);
    v("output_bytes_max", output_bytes_max);
  }
};

struct Run {
  std::unique_ptr<WasiRun> calls;
  crypto::Digest chain;
  size_t output_hashed = 0;
  Bytes output;         // at the end
  std::string message;
};

crypto::Digest memory_digest() {
  crypto::Sha256 hash;
  const FarMemory memory;
  Bytes step(kHashStep);
  for (uint64_t at = 0, size = memory.size(); at < size;) {
    const size_t n = size_t(std::min<uint64_t>(kHashStep, size - at));
    memory.read(at, std::span(step).first(n));
    hash.update(ByteView(step).first(n));
    at += n;
  }
  return hash.finish();
}

}  // namespace

// The module has one run: its memory is the run's.
static Run the_run;              // style: allow mutable_global because a WebAssembly instance is the object, and this its member
static uint64_t board[16];       // style: allow mutable_global because it is where that object shows numbers

extern "C" {

__attribute__((export_name("run_alloc"))) uint8_t* run_alloc(size_t size) { return static_cast<uint8_t*>(malloc(size)); }
__attribute__((export_name("run_free"))) void run_free(uint8_t* memory) { free(memory); }
__attribute__((export_name("run_board"))) uint64_t* run_board() { return board; }
__attribute__((export_name("run_text"))) const char* run_text() { return the_run.message.c_str(); }

/// The functions of WASI by number: names, and types as wasm/wasi.h has them.
__attribute__((export_name("run_functions"))) size_t run_functions() { return wasm::kWasiFunctions; }
__attribute__((export_name("run_name"))) const char* run_name(size_t i) { return wasm::wasi_name(wasm::WasiFunction(i)); }
__attribute__((export_name("run_types"))) const char* run_types(size_t i) { return wasm::wasi_types(wasm::WasiFunction(i)); }

/// Board: 0 the first boundary, 1 the size of the message. Returns whether the task can run; otherwise run_text says why not.
__attribute__((export_name("run_begin"))) bool run_begin(const uint8_t* start, size_t size) {
  the_run = Run();
  Result<Start> in = codec::decode<Start>(ByteView(start, size));
  CHECK(in.ok());   // the node made it
  WasiInput input{std::move(in->args), std::move(in->environment), std::move(in->input), {}, in->seed, in->output_bytes_max, kErrorsMax};
  for (Start::File& file : in->files) input.files.push_back({std::move(file.path), std::move(file.content)});
  Result<std::unique_ptr<WasiRun>> calls = WasiRun::create(std::move(input));
  if (!calls.ok()) {
    the_run.message = "the task's files: " + calls.error().message;
    board[1] = the_run.message.size();
    return false;
  }
  the_run.calls = std::move(calls).value();
  the_run.chain = wasm::segment_start({in->identity, the_run.calls->world(), crypto::sha256(the_run.calls->input().input), in->seed});
  board[0] = wasm::segment_boundary(0, FarMemory().size());
  return true;
}

/// A function of WASI, numbered as in wasm/wasi.h; its arguments are on the board. Returns the errno, or 65536 plus how the run ends. Board: 0 fuel to be charged.
__attribute__((export_name("run_call"))) uint32_t run_call(uint32_t function) {
  FarMemory memory;
  uint64_t args[std::size(board)];
  std::copy(std::begin(board), std::end(board), args);
  const WasiAnswer answer = the_run.calls->call(wasm::WasiFunction(function), args, memory, [] { return fuel_used(); });
  board[0] = answer.fuel;
  return answer.ends == WasiAnswer::Ends::kNo ? uint32_t(answer.error) : 65536 + uint32_t(answer.ends);
}

/// At the first check beyond a boundary: `words` are the program's globals. Board: 0 the next boundary; 1 to 4 the digest.
__attribute__((export_name("run_segment"))) void run_segment(uint64_t used, const uint64_t* words, size_t count) {
  wasm::SegmentState now;
  now.fuel = used;
  now.globals = wasm::digest_words(std::vector<uint64_t>(words, words + count));
  now.memory = memory_digest();
  now.output = crypto::sha256(ByteView(the_run.calls->output()).subspan(the_run.output_hashed));
  now.input_bytes = the_run.calls->input_bytes_read();
  now.random_blocks = the_run.calls->random_blocks_drawn();
  the_run.output_hashed = the_run.calls->output().size();
  the_run.chain = wasm::segment_next(the_run.chain, now);
  board[0] = wasm::segment_boundary(used, FarMemory().size());
  std::memcpy(board + 1, the_run.chain.bytes.data(), the_run.chain.bytes.size());
}

/// Takes what the program left. Board: 0 whether it is too much, 1 its size, 2 the exit code. Returns where it is.
__attribute__((export_name("run_output"))) const uint8_t* run_output() {
  Result<Bytes> output = the_run.calls->take_output();
  board[0] = !output.ok();
  if (output.ok()) the_run.output = std::move(output).value();
  board[1] = the_run.output.size();
  board[2] = uint32_t(the_run.calls->exit_code());
  return the_run.output.data();
}

/// The content id of these bytes, as a file; run_text shows it.
__attribute__((export_name("run_content_id"))) void run_content_id(const uint8_t* bytes, size_t size) {
  const auto file = codec::chunk_file(ByteView(bytes, size), [](const codec::Cid&, ByteView) { return ok(); });
  CHECK(file.ok());   // a page's memory ends long before the largest file
  the_run.message = file->root.text();
}

/// The commitment. Board: 0 to 3.
__attribute__((export_name("run_end"))) void run_end(uint32_t end, int32_t exit_code, uint64_t fuel) {
  const crypto::Digest trace = wasm::trace_commitment(the_run.chain, {uint8_t(end), exit_code, fuel, crypto::sha256(the_run.output), memory_digest()});
  std::memcpy(board, trace.bytes.data(), trace.bytes.size());
  the_run = Run();
}

}  // extern "C"

}  // namespace selvedge::wasi
#endif
