// Checks that the kinds share. Private to object/.
#pragma once

#include <initializer_list>

#include "object/kinds.h"

namespace selvedge::object {

inline Error invalid(std::string message) { return fail(Errc::kInvalid, std::move(message)); }

/// Errors: kInvalid when it ends before it begins, or lives longer than `ttl_max` seconds.
Status check_lifetime(const char* kind, uint64_t issued, uint64_t expires, uint64_t ttl_max);
/// Errors: kInvalid when one of the keys is all zero.
Status check_keys(const char* kind, std::initializer_list<const PublicKey*> keys);
/// Errors: kInvalid when no bit is set, kUnsupported when one outside `all` is.
Status check_bits(const char* kind, uint32_t bits, uint32_t all);
/// Errors: kLimit, kInvalid (not UTF-8).
Status check_text(const char* what, const std::string& text, size_t limit);

/// Errors: kLimit, kNonCanonical (not sorted, or something is there twice).
template <class Id>
Status check_sorted(const char* kind, const std::vector<Id>& ids, size_t limit) {
  if (ids.size() > limit) return fail(Errc::kLimit, std::string(kind) + " lists more than " + std::to_string(limit) + " entries");
  for (size_t i = 1; i < ids.size(); ++i) {
    if (!(ids[i - 1] < ids[i])) return fail(Errc::kNonCanonical, std::string(kind) + " has a list that is not sorted or repeats itself");
  }
  return ok();
}

}  // namespace selvedge::object
