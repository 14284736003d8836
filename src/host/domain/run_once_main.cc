// selvedge-domain-once RUNNER MODULE.wasm FUEL [ARGS...] < input: one task through a real pool, its outcome as JSON.
// For tests that compare engines and for trying out a guest.
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
  // Segments go to the errors, where a person who compares two machines looks.
  for (const wasm::Segment& segment : out.segments) {
    std::fprintf(stderr, "segment %llu %s\n", static_cast<unsigned long long>(segment.fuel), segment.digest.hex().c_str());
  }
  std::fprintf(stderr, "%s%s\n", out.errors.c_str(), out.message.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: selvedge-domain-once RUNNER MODULE.wasm FUEL [ARGS...] < input\n");
    return 2;
  }
  std::ifstream in(argv[2], std::ios::binary);
  const Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  auto rewritten = wasm::rewrite(bytes);
  if (!rewritten.ok()) {
    std::fprintf(stderr, "%s: %s\n", argv[2], rewritten.error().message.c_str());
    return 1;
  }
  host::DomainTask task;
  task.module = std::make_shared<const wasm::Rewritten>(std::move(rewritten).value());
  task.args = {"program"};
  task.args.insert(task.args.end(), argv + 4, argv + argc);
  task.input = read_input();
  task.fuel_limit = std::strtoull(argv[3], nullptr, 10);
  task.memory_bytes = 64u << 20;
  task.output_bytes_max = 16u << 20;
  host::Loop loop(1);
  host::DomainPool pool(loop, argv[1]);
  pool.run(1, std::move(task), [&loop](host::DomainOutcome out) {
    print(out);
    loop.stop();
  });
  loop.run();
  return 0;
}
