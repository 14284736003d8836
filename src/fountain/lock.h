// The mutex of the room. WebAssembly without threads has none in its library and needs none.
#pragma once

#if defined(__wasm__) && !defined(_REENTRANT)

namespace selvedge::fountain {

struct Mutex {};
struct Lock {
  explicit Lock(Mutex&) {}
  ~Lock() {}  // not trivial, so that a lock is no unused variable
};

}  // namespace selvedge::fountain

#else

#include <mutex>

namespace selvedge::fountain {

using Mutex = std::mutex;
using Lock = std::lock_guard<std::mutex>;

}  // namespace selvedge::fountain

#endif
