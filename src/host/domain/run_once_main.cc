// selvedge-domain-once [--checkpoint FILE MS] [--resume FILE] RUNNER MODULE.wasm FUEL [OPTIONS] [ARGS...] < input: one task through a real pool,
// its outcome as JSON. With --checkpoint the file holds the newest state of the run. For tests that compare engines and for trying out a guest.
// Options:
//   --file NAME=PATH   the guest finds the content of PATH at /NAME; with NAME/ it is a ustar archive, unpacked there
//   --env NAME=VALUE, --memory BYTES
//   --output PATH      where the output goes
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "crypto/hash.h"
#include "host/domain/domain_pool.h"
#include "host/loop/loop.h"

namespace {

using namespace selvedge;

Bytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

/// Whole or not at all: a reader may come at any time.
void write_file(const std::string& path, ByteView bytes) {
  {
    std::ofstream out(path + ".new", std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  }
  std::rename((path + ".new").c_str(), path.c_str());
}

Bytes read_input() {
  Bytes out;
  uint8_t block[65536];
  ssize_t n;
  while ((n = read(STDIN_FILENO, block, sizeof block)) > 0) append(out, ByteView(block, size_t(n)));
  return out;
}

void print(const host::DomainOutcome& out) {
  std::printf("{\"end\":\"%s\",\"exit_code\":%d,\"fuel\":%llu,\"memory_bytes\":%llu,\"output_sha256\":\"%s\",\"trace\":\"%s\"}\n",
              host::domain_end_name(out.end), out.exit_code, static_cast<unsigned long long>(out.fuel),
              static_cast<unsigned long long>(out.memory_peak_bytes), crypto::sha256(out.output).hex().c_str(),
              out.trace.hex().c_str());
  // Not part of the outcome: segments are for a person who compares two machines, and processor time differs from run to run.
  for (const wasm::Segment& segment : out.segments) {
    std::fprintf(stderr, "segment %llu %s\n", static_cast<unsigned long long>(segment.fuel), segment.digest.hex().c_str());
  }
  std::fprintf(stderr, "%s%s\ncpu_ns %llu\n", out.errors.c_str(), out.message.c_str(), static_cast<unsigned long long>(out.cpu_ns));
}

/// Takes the options from the front of the arguments; returns where the guest's arguments begin, or 0.
int read_options(int argc, char** argv, int at, host::DomainTask& task, std::string& output_path) {
  for (; at + 1 < argc; at += 2) {
    const std::string option = argv[at], value = argv[at + 1];
    if (option == "--file") {
      const size_t cut = value.find('=');
      if (cut == std::string::npos) return 0;
      task.files.push_back({value.substr(0, cut), read_file(value.substr(cut + 1))});
    } else if (option == "--env") {
      task.environment.push_back(value);
    } else if (option == "--memory") {
      task.memory_bytes = std::strtoull(value.c_str(), nullptr, 10);
    } else if (option == "--output") {
      output_path = value;
    } else {
      break;
    }
  }
  return at;
}

}  // namespace

int main(int argc, char** argv) {
  host::DomainTask task;
  for (; argc > 3 && argv[1][0] == '-'; argv += 2, argc -= 2) {
    if (std::string_view(argv[1]) == "--resume") {
      task.resume = read_file(argv[2]);
    } else {
      task.checkpoint_every = milliseconds(std::atoi(argv[3]));
      task.on_checkpoint = [path = std::string(argv[2])](uint64_t, Bytes state) { write_file(path, state); };
      ++argv, --argc;
    }
  }
  if (argc < 4) {
    std::fprintf(stderr, "usage: selvedge-domain-once [--checkpoint FILE MS] [--resume FILE] RUNNER MODULE.wasm FUEL [--file NAME=PATH] [--env NAME=VALUE] [--memory BYTES] [--output PATH] [ARGS...] < input\n");
    return 2;
  }
  auto rewritten = wasm::rewrite(read_file(argv[2]));
  if (!rewritten.ok()) {
    std::fprintf(stderr, "%s: %s\n", argv[2], rewritten.error().message.c_str());
    return 1;
  }
  task.module = std::make_shared<const wasm::Rewritten>(std::move(rewritten).value());
  task.args = {"program"};
  task.memory_bytes = 64u << 20;
  std::string output_path;
  const int args_at = read_options(argc, argv, 4, task, output_path);
  if (args_at == 0) return 2;
  task.args.insert(task.args.end(), argv + args_at, argv + argc);
  task.input = read_input();
  task.fuel_limit = std::strtoull(argv[3], nullptr, 10);
  task.output_bytes_max = 16u << 20;
  host::Loop loop(1);
  host::DomainPool pool(loop, argv[1], host::DomainClass::kOrdinary);
  pool.run(1, std::move(task), [&loop, &output_path](host::DomainOutcome out) {
    print(out);
    if (!output_path.empty()) std::ofstream(output_path, std::ios::binary).write(reinterpret_cast<const char*>(out.output.data()), std::streamsize(out.output.size()));
    loop.stop();
  });
  loop.run();
  return 0;
}
