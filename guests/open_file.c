// open_file: tries to open a file, which no task may. It is refused before it runs, by the name of its import.
#include <stdio.h>

int main(void) {
  FILE* file = fopen("/etc/passwd", "r");
  printf("%s\n", file != NULL ? "opened" : "not opened");
  return 0;
}
