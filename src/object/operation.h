// Names of operations and the patterns that policies and capabilities are written in.
//
// An operation is what somebody wants to do, as words joined by dots: "storage.read", "compute.run", "secret.release",
// "app.resize". A pattern is the same with "*" for any one word, and "**" as the last word for one or more words; "**" alone
// is everything. The language is this small on purpose: whether one pattern lies within another can be decided exactly, and
// attenuation of a capability rests on that.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace selvedge::object {

inline constexpr size_t kOperationSizeMax = 128;
inline constexpr size_t kOperationWordsMax = 8;
/// Patterns in one list.
inline constexpr size_t kPatternsMax = 64;

/// Words of a-z, 0-9, "_" and "-", joined by dots.
bool is_operation(std::string_view text);
/// Errors: kInvalid, naming the pattern and what a pattern looks like.
Status check_pattern(std::string_view pattern);
/// A list as signed objects carry it: valid patterns, sorted, none twice. Errors: kInvalid, kLimit, kNonCanonical.
Status check_patterns(const char* what, const std::vector<std::string>& patterns);

/// Whether `pattern` covers `operation`.
bool matches(std::string_view pattern, std::string_view operation);
/// The first pattern of the list that covers `operation`, or nullptr.
const std::string* first_match(const std::vector<std::string>& patterns, std::string_view operation);
/// Whether every operation that `narrow` covers is covered by `wide`.
bool contains(std::string_view wide, std::string_view narrow);
/// Whether each pattern of `narrow` lies within one pattern of `wide`. (Stricter than need be: a pattern that only several wide
/// ones cover together is refused.)
bool contains_all(const std::vector<std::string>& wide, const std::vector<std::string>& narrow);

}  // namespace selvedge::object
