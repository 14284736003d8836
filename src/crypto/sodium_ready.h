// Makes sure that libsodium has chosen its implementations for this CPU before it is used. Private to crypto/.
#pragma once

#include <sodium.h>

#include "base/check.h"

namespace selvedge::crypto {

inline void sodium_ready() {
  static const int outcome = sodium_init();  // thread-safe, once; later calls cost a load
  CHECK_MSG(outcome >= 0, "libsodium could not initialise");
}

}  // namespace selvedge::crypto
