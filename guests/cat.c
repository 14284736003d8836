// cat: copies standard input to standard output; says on standard error how much it copied.
#include <stdio.h>

int main(void) {
  static char block[16384];
  size_t n, total = 0;
  while ((n = fread(block, 1, sizeof block, stdin)) > 0) {
    total += n;
    if (fwrite(block, 1, n, stdout) != n) return 1;
  }
  fprintf(stderr, "copied %zu bytes\n", total);
  return 0;
}
