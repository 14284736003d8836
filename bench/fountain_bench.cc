// Throughput of the RaptorQ codec, next to what the memory of this machine gives in the same run. The measuring is that of
// `selvedge fountain bench` (cli/fountain_measure.h says what each figure is); this program needs nothing but the codec.
// --quick: tiny sizes, so that the benchmark runs as a test and never rots. --kernel NAME: other inner loops.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "cli/fountain_measure.h"

int main(int argc, char** argv) {
  using namespace selvedge;
  cli::FountainBench bench;
  std::vector<uint32_t> sizes;
  bool quick = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--quick") {
      quick = true;
    } else if (word == "--kernel" && i + 1 < argc) {
      bench.kernel = fountain::kernel_from_name(argv[++i]);
      if (!bench.kernel) return 1;
    } else {
      sizes.push_back(static_cast<uint32_t>(std::strtoul(argv[i], nullptr, 10)));
    }
  }
  if (quick) bench.effort = cli::kFountainEffortQuick;
  if (sizes.empty()) sizes = quick ? std::vector<uint32_t>{10, 100} : std::vector<uint32_t>{100, 1000, 2000, 10000, 50000};
  std::vector<cli::FountainFigures> figures;
  for (const uint32_t k : sizes) {
    std::string wrong;
    const auto measured = cli::measure_fountain(bench, k, wrong);
    if (!measured) {
      std::fprintf(stderr, "fountain_bench: K=%u: %s\n", k, wrong.c_str());
      return 1;
    }
    figures.push_back(*measured);
  }
  std::printf("kernels %s, T=%u, one thread; in brackets the bar of the reference machine\n%s",
              fountain::kernel_name(bench.kernel.value_or(fountain::fastest_kernel())), bench.symbol_bytes, cli::fountain_table_text(figures).c_str());
  return 0;
}
