/* longrun ROUNDS: a search that takes long, with state in the stack, on the heap and in floating point, and may be checkpointed anywhere.
 * Counts the placements of eight to eleven queens, over and over, and keeps a table of what it found. */
#include <stdio.h>
#include <stdlib.h>

#include "selvedge.h"

struct table {
  double mean;
  unsigned long entries;
  unsigned long *found;
};

static unsigned long place(struct table *t, int n, int row, unsigned columns, unsigned left, unsigned right) {
  if (row == n) return 1;
  unsigned long count = 0;
  double before = t->mean;
  for (unsigned free = ~(columns | left | right) & ((1u << n) - 1); free != 0; free &= free - 1) {
    const unsigned bit = free & -free;
    if (row == 2) selvedge_checkpoint();
    count += place(t, n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  t->mean = before + ((double)count - before) / (double)(row + 1);
  return count;
}

int main(int argc, char **argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 1;
  struct table t = {0, 0, NULL};
  printf("queens\n");
  for (int i = 0; i < rounds; ++i) {
    const int n = 8 + i % 4;
    if (i < 24) {
      t.found = realloc(t.found, (t.entries + 4096) * sizeof *t.found);
      for (int k = 0; k < 4096; ++k) t.found[t.entries++] = (unsigned long)(i * k);
    }
    t.found[t.entries - 1] = place(&t, n, 0, 0, 0, 0);
    if (i < 24) printf("%d %lu %.9f\n", n, t.found[t.entries - 1], t.mean);
  }
  unsigned long sum = 0;
  for (unsigned long k = 0; k < t.entries; ++k) sum = sum * 31 + t.found[k];
  printf("%lu\n", sum);
  return 0;
}
