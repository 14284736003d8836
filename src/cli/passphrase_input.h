// Where a passphrase comes from: a file that was named, or a person at a terminal, whose typing is not shown.
//
// It is never taken from an argument or the environment, where other programs of the machine could read it.
#pragma once

#include <string>

#include "crypto/locked.h"

namespace selvedge::cli {

enum class Ask : uint8_t { kOnce, kTwice };

/// The first line of `file` when one is named, without its end; else what is typed at the terminal. With kTwice it is typed twice,
/// because what is sealed with a slip of the finger is lost. Errors: kNotFound, kIo, kInvalid (empty, too long, the two differ),
/// kUnavailable (no file is named and there is no terminal).
Result<crypto::LockedBytes> read_passphrase(const std::string& file, Ask ask);

}  // namespace selvedge::cli
