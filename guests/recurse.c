// recurse N: recurses N levels deep and prints a number that depends on each level. Without a bound it must trap at
// the same level everywhere.
#include <stdio.h>
#include <stdlib.h>

static volatile unsigned deepest;

__attribute__((noinline)) static unsigned down(unsigned level) {
  deepest = level;
  if (level == 0) return 1;
  return down(level - 1) * 31 + level;
}

int main(int argc, char** argv) {
  const unsigned levels = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0xFFFFFFFFu;
  printf("%u\n", down(levels));
  return 0;
}
