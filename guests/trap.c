// trap KIND: ends in one of the ways a program can go wrong.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*nullary)(void);

int main(int argc, char** argv) {
  const char* kind = argc > 1 ? argv[1] : "unreachable";
  volatile int zero = 0;
  volatile unsigned sum = 0, rounds = 3000000;
  printf("before\n");
  fflush(stdout);
  if (strcmp(kind, "divide") == 0) return argc * 7 / zero;  // 1 / zero would be folded to something that cannot trap
  if (strcmp(kind, "load") == 0) return *(volatile int*)0xFFFFFFF0u;
  if (strcmp(kind, "call") == 0) return ((nullary)(unsigned long)(zero + 7777))();
  if (strcmp(kind, "loop") == 0)
    for (unsigned i = 0;; ++i) sum += 100 / (rounds - i);  // after millions of turns, in the middle of a slice of fuel
  if (strcmp(kind, "abort") == 0) abort();
  if (strcmp(kind, "exit") == 0) exit(42);
  __builtin_trap();
}
