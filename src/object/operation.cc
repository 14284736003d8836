#include "object/operation.h"

#include <algorithm>

namespace selvedge::object {
namespace {

bool is_word(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

/// Takes the first word off `rest`. The last word leaves it empty.
std::string_view take_word(std::string_view& rest) {
  const size_t dot = rest.find('.');
  const std::string_view word = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  return word;
}

enum class Form { kOperation, kPattern };

bool well_formed(std::string_view text, Form form) {
  if (text.empty() || text.size() > kOperationSizeMax || text.back() == '.') return false;
  size_t words = 0;
  for (std::string_view rest = text; !rest.empty();) {
    if (++words > kOperationWordsMax) return false;
    const std::string_view word = take_word(rest);
    if (is_word(word)) continue;
    if (form == Form::kOperation) return false;
    if (word != "*" && !(word == "**" && rest.empty())) return false;
  }
  return true;
}

}  // namespace

bool is_operation(std::string_view text) { return well_formed(text, Form::kOperation); }

Status check_pattern(std::string_view pattern) {
  if (well_formed(pattern, Form::kPattern)) return ok();
  return fail(Errc::kInvalid, "\"" + std::string(pattern.substr(0, kOperationSizeMax)) +
                                  "\" is not a pattern of operations: words of a-z, 0-9, _ and - joined by dots, * for any one word, ** "
                                  "at the end for all that follow");
}

Status check_patterns(const char* what, const std::vector<std::string>& patterns) {
  if (patterns.size() > kPatternsMax) return fail(Errc::kLimit, std::string(what) + " has more than " + std::to_string(kPatternsMax) + " patterns");
  for (size_t i = 0; i < patterns.size(); ++i) {
    TRY(check_pattern(patterns[i]));
    if (i > 0 && !(patterns[i - 1] < patterns[i])) {
      return fail(Errc::kNonCanonical, std::string(what) + " has patterns that are not sorted or repeat themselves");
    }
  }
  return ok();
}

bool matches(std::string_view pattern, std::string_view operation) {
  while (!pattern.empty() && !operation.empty()) {
    const std::string_view want = take_word(pattern);
    if (want == "**") return true;
    const std::string_view have = take_word(operation);
    if (want != "*" && want != have) return false;
  }
  return pattern.empty() && operation.empty();
}

const std::string* first_match(const std::vector<std::string>& patterns, std::string_view operation) {
  for (const std::string& pattern : patterns) {
    if (matches(pattern, operation)) return &pattern;
  }
  return nullptr;
}

bool contains(std::string_view wide, std::string_view narrow) {
  while (!wide.empty() && !narrow.empty()) {
    const std::string_view outer = take_word(wide);
    if (outer == "**") return true;
    const std::string_view inner = take_word(narrow);
    if (inner == "**") return false;  // covers operations of more words than `wide` has
    if (outer != "*" && outer != inner) return false;
  }
  return wide.empty() && narrow.empty();
}

bool contains_all(const std::vector<std::string>& wide, const std::vector<std::string>& narrow) {
  return std::all_of(narrow.begin(), narrow.end(), [&wide](const std::string& inner) {
    return std::any_of(wide.begin(), wide.end(), [&inner](const std::string& outer) { return contains(outer, inner); });
  });
}

}  // namespace selvedge::object
