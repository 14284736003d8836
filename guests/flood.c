// flood N: writes N times 64 KiB to standard output.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  static char block[65536];
  memset(block, 'f', sizeof block);
  for (unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1; n > 0; --n)
    if (write(1, block, sizeof block) != (ssize_t)sizeof block) return 1;
  return 0;
}
