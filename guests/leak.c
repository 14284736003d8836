// leak SECRET: leaves SECRET wherever a program can (static data, the heap, the stack, memory it grew) and
// prints how many bytes that should be zero are not. A second task must find nothing.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { KEEP_BYTES = 4096, GROW_PAGES = 3 };

static char kept[KEEP_BYTES];
static int runs;

static unsigned count_not_zero(const volatile char* at, size_t size) {
  unsigned n = 0;
  for (size_t i = 0; i < size; ++i) n += at[i] != 0;
  return n;
}

__attribute__((noinline)) static unsigned stack_residue(const char* secret) {
  volatile char frame[KEEP_BYTES];
  const unsigned found = count_not_zero(frame, sizeof frame);
  for (size_t i = 0; i < sizeof frame; ++i) frame[i] = secret[i % strlen(secret)];
  return found;
}

int main(int argc, char** argv) {
  const char* secret = argc > 1 ? argv[1] : "x";
  const unsigned in_stack = stack_residue(secret);
  const unsigned in_static = count_not_zero(kept, sizeof kept);
  for (size_t i = 0; i < sizeof kept; ++i) kept[i] = secret[i % strlen(secret)];
  const size_t pages = __builtin_wasm_memory_size(0);
  unsigned in_grown = 0;
  const size_t at = __builtin_wasm_memory_grow(0, GROW_PAGES);
  if (at != (size_t)-1) {
    char* grown = (char*)(at * 65536);
    in_grown = count_not_zero(grown, GROW_PAGES * 65536);
    memset(grown, 0x5A, GROW_PAGES * 65536);
  }
  printf("run %d pages %zu static %u stack %u grown %u\n", ++runs, pages, in_static, in_stack, in_grown);
  return 0;
}
