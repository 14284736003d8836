// Exit codes of the command: the one place where an error becomes a number that a script can branch on.
//
// The table is public: docs/api.md and `selvedge --help` show it, a test compares them, and changing a number is a
// change of version. Several codes of Errc share a number where a script would do the same about them.
#pragma once

#include <string>

#include "base/result.h"

namespace selvedge::cli {

/// What a verb returns: its exit code when it did its work, or the error that ended it.
using CommandResult = Result<int>;

constexpr int kExitOk = 0;
constexpr int kExitUsage = 1;         // the command line makes no sense
constexpr int kExitCheckFailed = 15;  // doctor or demo did its work, and found something wrong

/// The exit code for an error. Never 0 or 1.
int exit_code(Errc code);

/// The table for people, a line each: number, names of the errors, what it means.
std::string exit_code_table();

}  // namespace selvedge::cli
