#include "cli/exit_code.h"

#include <fmt/format.h>

namespace selvedge::cli {

namespace {
struct ExitRow {
  int code;
  const char* names;
  const char* meaning;
};
constexpr ExitRow kExitRows[] = {
    {0, "", "done"},
    {1, "", "the command line makes no sense"},
    {2, "invalid, non_canonical, unsupported", "the input is malformed, or of a kind this version does not know"},
    {3, "unauthorized, expired, revoked", "nobody with the authority says yes (any more)"},
    {4, "not_found", "there is no such thing"},
    {5, "integrity", "something is not what its name, signature or checksum says"},
    {6, "exists, busy", "it is there already, or someone else is using it"},
    {7, "limit, quota", "a bound or a grant does not cover this much"},
    {8, "unavailable", "no node answers, or too few hosts, peers or symbols right now"},
    {9, "timeout", "a deadline passed"},
    {10, "io", "a disk, socket or process failed"},
    {11, "cancelled", "stopped on request"},
    {12, "guest", "the program that was run misbehaved: trap, fuel, memory, output"},
    {13, "inconclusive", "stopped for reasons that say nothing about the result"},
    {14, "disagreement", "machines gave different results and no majority was found"},
    {15, "", "doctor or demo found something wrong"},
    {70, "internal", "a bug of selvedge; please report it"},
};
}  // namespace

int exit_code(Errc code) {
  switch (code) {
    case Errc::kInvalid:
    case Errc::kNonCanonical:
    case Errc::kUnsupported: return 2;
    case Errc::kUnauthorized:
    case Errc::kExpired:
    case Errc::kRevoked: return 3;
    case Errc::kNotFound: return 4;
    case Errc::kIntegrity: return 5;
    case Errc::kExists:
    case Errc::kBusy: return 6;
    case Errc::kLimit:
    case Errc::kQuota: return 7;
    case Errc::kUnavailable: return 8;
    case Errc::kTimeout: return 9;
    case Errc::kIo: return 10;
    case Errc::kCancelled: return 11;
    case Errc::kGuest: return 12;
    case Errc::kInconclusive: return 13;
    case Errc::kDisagreement: return 14;
    case Errc::kInternal: return 70;
  }
  return 70;
}

std::string exit_code_table() {
  std::string out;
  for (const ExitRow& row : kExitRows) out += fmt::format("  {:>2}  {:<36} {}\n", row.code, row.names, row.meaning);
  return out;
}

}  // namespace selvedge::cli
