// hog: takes memory in steps of 64 KiB until there is no more and prints how many it got. With the argument
// "keep" it writes to each, so that the host has to provide the pages.
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  const int touch = argc > 1 && strcmp(argv[1], "keep") == 0;
  unsigned pages = 0;
  for (;;) {
    const size_t at = __builtin_wasm_memory_grow(0, 1);
    if (at == (size_t)-1) break;
    if (touch) memset((void*)(at * 65536), 0xA5, 65536);
    ++pages;
  }
  printf("got %u pages, have %zu\n", pages, (size_t)__builtin_wasm_memory_size(0));
  return 0;
}
