// selvedge-rewrite IN.wasm OUT.wasm: rewrites a module and prints what it became, as JSON. For tests and for people
// who want to see what will run.
#include <cstdio>
#include <fstream>
#include <iterator>

#include "wasm/rewrite.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: selvedge-rewrite IN.wasm OUT.wasm\n");
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "selvedge-rewrite: cannot read %s\n", argv[1]);
    return 1;
  }
  const selvedge::Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto rewritten = selvedge::wasm::rewrite(bytes);
  if (!rewritten.ok()) {
    std::fprintf(stderr, "selvedge-rewrite: %s: %s\n", argv[1], rewritten.error().message.c_str());
    return 1;
  }
  std::ofstream out(argv[2], std::ios::binary);
  out.write(reinterpret_cast<const char*>(rewritten->module.data()), std::streamsize(rewritten->module.size()));
  if (!out.flush()) {
    std::fprintf(stderr, "selvedge-rewrite: cannot write %s\n", argv[2]);
    return 1;
  }
  std::printf("{\"original\":\"%s\",\"identity\":\"%s\",\"bytes_in\":%zu,\"bytes_out\":%zu,\"pages_min\":%u,\"pages_max\":%u}\n",
              rewritten->original.hex().c_str(), rewritten->identity.hex().c_str(), bytes.size(),
              rewritten->module.size(), rewritten->memory_pages_min, rewritten->memory_pages_max);
  return 0;
}
