// CHECK: a bug of ours stops the process, in release builds too.
//
// A CHECK states what must be true if our own code is right. It is never reached by anything a peer, a disk, a
// user or a guest can send: those paths return Result (result.h), and the fuzzers prove it.
#pragma once

namespace selvedge {
[[noreturn]] void check_failed(const char* condition, const char* message, const char* file, int line);
}  // namespace selvedge

#define CHECK(condition) \
  (__builtin_expect(!!(condition), 1) ? (void)0 : ::selvedge::check_failed(#condition, "", __FILE__, __LINE__))
#define CHECK_MSG(condition, message) \
  (__builtin_expect(!!(condition), 1) ? (void)0 : ::selvedge::check_failed(#condition, message, __FILE__, __LINE__))
