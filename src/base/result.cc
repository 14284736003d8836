#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace selvedge {

namespace {
struct ErrcName {
  Errc code;
  const char* name;
};
constexpr ErrcName kErrcNames[] = {
    {Errc::kInvalid, "invalid"},           {Errc::kNonCanonical, "non_canonical"},
    {Errc::kUnsupported, "unsupported"},   {Errc::kUnauthorized, "unauthorized"},
    {Errc::kExpired, "expired"},           {Errc::kRevoked, "revoked"},
    {Errc::kIntegrity, "integrity"},       {Errc::kNotFound, "not_found"},
    {Errc::kExists, "exists"},             {Errc::kLimit, "limit"},
    {Errc::kQuota, "quota"},               {Errc::kUnavailable, "unavailable"},
    {Errc::kTimeout, "timeout"},           {Errc::kBusy, "busy"},
    {Errc::kIo, "io"},                     {Errc::kCancelled, "cancelled"},
    {Errc::kGuest, "guest"},               {Errc::kInconclusive, "inconclusive"},
    {Errc::kDisagreement, "disagreement"}, {Errc::kInternal, "internal"},
};
}  // namespace

const char* errc_name(Errc code) {
  for (const ErrcName& entry : kErrcNames) {
    if (entry.code == code) return entry.name;
  }
  return "internal";
}

Errc errc_from_name(const std::string& name) {
  for (const ErrcName& entry : kErrcNames) {
    if (name == entry.name) return entry.code;
  }
  return Errc::kInternal;
}

}  // namespace selvedge
