// What wasi-libc declares and does not have.
#include <stdio.h>

FILE* tmpfile(void) {
  static int made;
  char path[32];
  snprintf(path, sizeof path, "/tmp/file-%d", made++);
  return fopen(path, "w+b");
}
