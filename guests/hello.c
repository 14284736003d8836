// hello: prints its arguments and, from the environment, nothing: there is none.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  printf("hello");
  for (int i = 1; i < argc; ++i) printf(" %s", argv[i]);
  printf("\n");
  if (getenv("PATH") != NULL || getenv("HOME") != NULL) return 3;
  return 0;
}
