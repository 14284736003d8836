// outside: calls a function that WASI preview 1 does not have. It is refused before it runs, by the name of its import.
#include <stdio.h>

__attribute__((import_module("env"), import_name("system"))) int run_outside(const char* command);

int main(void) {
  printf("%d\n", run_outside("id"));
  return 0;
}
