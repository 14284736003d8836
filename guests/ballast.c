/* ballast MIB TURNS: carries so much memory that is nowhere zero through turns of work, each long enough for a checkpoint. For benchmarks. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "selvedge.h"

int main(int argc, char **argv) {
  const size_t words = (size_t)(argc > 1 ? atoi(argv[1]) : 1) << 17;
  const int turns = argc > 2 ? atoi(argv[2]) : 4;
  uint64_t *all = malloc(words * sizeof *all), x = 1;
  if (all == NULL) return 1;
  for (size_t i = 0; i < words; ++i) all[i] = x = x * 6364136223846793005u + 1442695040888963407u;
  for (int turn = 0; turn < turns; ++turn) {
    for (uint32_t i = 0; i < 48000000; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
    all[(x >> 33) % words] ^= x;
    selvedge_checkpoint();
  }
  printf("%llu\n", (unsigned long long)x);
  return 0;
}
