// selvedge-rewrite IN.wasm OUT.wasm: rewrites a module and prints what it became, as JSON. For tests and for people
// who want to see what will run. With --batch it does so for each line "IN OUT" of its input;
// --bench MODULE ROUNDS prints the module's bytes and how many millions a second it rewrites.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "wasm/rewrite.h"

namespace {

/// The JSON of one module, or why there is none.
selvedge::Result<std::string> rewrite_file(const std::string& from, const std::string& to) {
  using selvedge::Errc;
  using selvedge::fail;
  std::ifstream in(from, std::ios::binary);
  if (!in) return fail(Errc::kNotFound, "cannot read " + from);
  const selvedge::Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto rewritten = TRY(selvedge::wasm::rewrite(bytes));
  std::ofstream out(to, std::ios::binary);
  out.write(reinterpret_cast<const char*>(rewritten.module.data()), std::streamsize(rewritten.module.size()));
  if (!out.flush()) return fail(Errc::kIo, "cannot write " + to);
  return "{\"original\":\"" + rewritten.original.hex() + "\",\"identity\":\"" + rewritten.identity.hex() +
         "\",\"bytes_in\":" + std::to_string(bytes.size()) + ",\"bytes_out\":" + std::to_string(rewritten.module.size()) +
         ",\"pages_min\":" + std::to_string(rewritten.memory_pages_min) +
         ",\"pages_max\":" + std::to_string(rewritten.memory_pages_max) + "}";
}

/// Millions of bytes a second, the median of so many rounds.
int bench(const char* path, int rounds) {
  std::ifstream in(path, std::ios::binary);
  const selvedge::Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::vector<double> speeds;
  for (int i = 0; i < rounds; ++i) {
    timespec start{}, end{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    const bool is_ok = selvedge::wasm::rewrite(bytes).ok();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    if (!is_ok) return 1;
    speeds.push_back(double(bytes.size()) * 1e3 / (double(end.tv_sec - start.tv_sec) * 1e9 + double(end.tv_nsec - start.tv_nsec)));
  }
  std::sort(speeds.begin(), speeds.end());
  std::printf("%zu %.1f\n", bytes.size(), speeds[speeds.size() / 2]);
  return 0;
}

int batch() {
  char from[4096], to[4096];
  while (std::scanf("%4095s %4095s", from, to) == 2) {
    const auto json = rewrite_file(from, to);
    if (json.ok()) std::printf("%s\n", json->c_str());
    else std::printf("{\"refused\":\"%s\"}\n", selvedge::errc_name(json.code()));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--batch") return batch();
  if (argc == 4 && std::string(argv[1]) == "--bench") return bench(argv[2], std::max(1, std::atoi(argv[3])));
  if (argc != 3) {
    std::fprintf(stderr, "usage: selvedge-rewrite IN.wasm OUT.wasm\n");
    return 2;
  }
  const auto json = rewrite_file(argv[1], argv[2]);
  if (!json.ok()) {
    std::fprintf(stderr, "selvedge-rewrite: %s: %s\n", argv[1], json.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", json->c_str());
  return 0;
}
