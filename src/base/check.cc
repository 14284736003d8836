#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace selvedge {

void check_failed(const char* condition, const char* message, const char* file, int line) {
  std::fprintf(stderr, "selvedge: bug: CHECK(%s) failed at %s:%d %s\n", condition, file, line, message);
  std::fflush(stderr);
  std::abort();
}

}  // namespace selvedge
