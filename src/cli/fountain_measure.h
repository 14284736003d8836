// How fast the fountain codec is on this machine, beside bounds measured in the same run.
//
// One mechanism for `selvedge fountain bench` and bench/fountain_bench.cc. Figures are GB/s (1e9) of source data, by
// thread CPU time, the median of several runs, on the calling thread; only `threads` is wall time. Encoding makes 5 %
// repair symbols (source symbols go out from the caller's buffer). Decode figures include feeding every symbol.
// Standard library and fountain only, so that it builds where the codec is used alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fountain/fountain.h"

namespace selvedge::cli {

struct FountainEffort {
  double seconds_per_figure = 0.4;
  int rounds_min = 7;
};
constexpr FountainEffort kFountainEffortQuick{0.0, 1};

struct FountainFigures {
  uint32_t k = 0;
  double encode = 0;          // plan cached
  double encode_copy = 0;     // and source symbols copied out
  double encode_fresh = 0;    // plan made too
  double plan_ms = 0;         // the plan alone
  double decode_whole = 0;    // nothing lost
  double decode_new = 0;      // 5 % lost, a new loss pattern each time
  double decode_seen = 0;     // 5 % lost, the pattern in the cache
  double decode_new_10 = 0;   // 10 %
  double decode_seen_10 = 0;
  double threads_ratio = 0;   // wall time of encoding on one thread over that on two, the best of each
  double memcpy_rate = 0;     // of as many bytes as the block has
  double gather_rate = 0;     // operand bytes a second, sums of eight random rows in 256 KiB
};

struct FountainBench {
  uint32_t symbol_bytes = 1024;
  FountainEffort effort;
  std::optional<fountain::Kernel> kernel;  // the fastest without it
};

/// Nothing when the codec gave a wrong answer (which `wrong` names) or the kernel is not available.
std::optional<FountainFigures> measure_fountain(const FountainBench& bench, uint32_t k, std::string& wrong);

/// The table for people and its rows for programs: names, a value for each block size, the bar where there is one.
struct FountainTableRow {
  std::string name;
  std::string unit;
  std::vector<double> values;
  std::array<double, 4> bars{};  // for K = 100, 1000, 10000, 50000 on the reference machine; 0: none
};
std::vector<FountainTableRow> fountain_table(const std::vector<FountainFigures>& figures);
/// Where a figure stands against its bar: the bar for this K, or 0.
double fountain_bar(const FountainTableRow& row, uint32_t k);

/// The figures as lines, for a program without a table of its own.
std::string fountain_table_text(const std::vector<FountainFigures>& figures);

/// Decodes of `trials` random symbol sets of K + spare symbols that lacked rank. K must be a K' of the RFC's table for
/// padding not to help. Symbols have one byte, ESIs are drawn from all 24 bits, `loss_percent` of the source is
/// replaced by them.
struct FountainFailures {
  uint64_t trials = 0;
  uint64_t failures = 0;
  uint64_t wrong = 0;  // decodes that succeeded with other bytes than the source: must be none
};
FountainFailures count_fountain_failures(uint32_t k, uint32_t spare, uint32_t loss_percent, uint64_t trials, uint64_t seed);

}  // namespace selvedge::cli
