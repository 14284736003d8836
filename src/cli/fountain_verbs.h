// selvedge fountain: the codec on plain files, for people who want to see it work or to use it alone.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace selvedge::cli {

struct FountainOptions {
  std::string input;              // symbols, encode
  std::vector<std::string> dirs;  // decode
  std::string out;
  std::string object;
  std::string repair = "5%";
  std::string esis;
  std::string kernel;             // empty: the fastest
  std::vector<uint32_t> ks;       // bench
  uint32_t symbol_bytes = 0;      // 0: by the size of the file
  uint32_t blocks = 0;            // 0: of about 2000 symbols
  uint32_t sub_blocks = 1;
  uint32_t files = 0;
  uint64_t trials = 100'000;      // failures
  uint64_t seed = 1;
  bool quick = false;
};

CommandResult run_fountain_symbols(World& world, const FountainOptions& options);
CommandResult run_fountain_encode(World& world, const FountainOptions& options);
CommandResult run_fountain_decode(World& world, const FountainOptions& options);
CommandResult run_fountain_bench(World& world, const FountainOptions& options);
CommandResult run_fountain_failures(World& world, const FountainOptions& options);

}  // namespace selvedge::cli
