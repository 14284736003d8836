// Internal invariant check of the fountain room.
//
// The room stands alone (standard library only), so it carries its own three-line check instead of
// borrowing one. It fires only for a bug of ours: nothing a peer sends may reach it, and the fuzz
// target in this folder exists to prove that.
#pragma once

#if defined(__wasm__)

// A trap is all that the engine outside can see, and printing would double the size of the module.
#define FOUNTAIN_CHECK(condition)          \
  do {                                     \
    if (!(condition)) __builtin_trap();    \
  } while (false)

#else

#include <cstdio>
#include <cstdlib>

#define FOUNTAIN_CHECK(condition)                                                                 \
  do {                                                                                            \
    if (!(condition)) {                                                                           \
      std::fprintf(stderr, "%s:%d: fountain check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                               \
    }                                                                                             \
  } while (false)

#endif
