// Reading the TOML files that people write, table by table. For the files of cli/ that read one; everything is inline because toml++ is.
//
// A Section ticks off every key it is asked for, and finish() refuses the others: a typing error is noticed instead of ignored. Every error
// begins with "line N:".
#pragma once

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>  // style: allow heavy_header because only the readers of TOML files see this header

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "cli/units.h"
#include "codec/multibase.h"
#include "object/operation.h"

namespace selvedge::cli {

inline uint32_t line_of(const toml::node& node) { return node.source().begin.line; }

inline Error at_line(uint32_t line, const std::string& message) { return fail(Errc::kInvalid, "line " + std::to_string(line) + ": " + message); }

/// One table of the file. Every key that is asked for is ticked off; finish() refuses the others, so that a typing error is noticed.
class Section {
 public:
  Section(const toml::table& table, std::string name) : table_(table), name_(std::move(name)) {}

  const toml::node* find(const char* key) {
    known_.push_back(key);
    return table_.get(key);
  }
  Error wrong(const toml::node& node, const char* key, const char* wanted) const { return at_line(line_of(node), name_ + key + " must be " + wanted); }

  Status read(const char* key, std::string& out) {
    const toml::node* node = find(key);
    if (node == nullptr) return ok();
    const auto value = node->value_exact<std::string>();
    if (!value) return wrong(*node, key, "a text in quotes");
    out = *value;
    return ok();
  }
  Status read(const char* key, uint32_t& out, uint32_t max) {
    const toml::node* node = find(key);
    if (node == nullptr) return ok();
    const auto value = node->value_exact<int64_t>();
    if (!value || *value < 0 || *value > int64_t(max)) return wrong(*node, key, ("a whole number from 0 to " + std::to_string(max)).c_str());
    out = uint32_t(*value);
    return ok();
  }
  Status read(const char* key, std::vector<std::string>& out) {
    const toml::node* node = find(key);
    if (node == nullptr) return ok();
    const toml::array* list = node->as_array();
    if (list == nullptr) return wrong(*node, key, "a list of texts");
    out.clear();
    for (const toml::node& item : *list) {
      const auto value = item.value_exact<std::string>();
      if (!value) return wrong(item, key, "a list of texts");
      out.push_back(*value);
    }
    return ok();
  }
  /// Patterns of operations, sorted as the object wants them.
  Status read_patterns(const char* key, std::vector<std::string>& out) {
    TRY(read(key, out));
    for (const std::string& pattern : out) {
      const Status checked = object::check_pattern(pattern);
      if (!checked.ok()) return at_line(line_of(*table_.get(key)), checked.error().message);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return ok();
  }
  Status read_keys(const char* key, std::vector<crypto::PublicKey>& out) {
    std::vector<std::string> texts;
    TRY(read(key, texts));
    for (const std::string& text : texts) {
      const Result<crypto::PublicKey> parsed = codec::parse_key(text);
      if (!parsed.ok()) return at_line(line_of(*table_.get(key)), std::string(key) + ": " + parsed.error().message);
      out.push_back(*parsed);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return ok();
  }
  /// "90d" and the like.
  Status read_seconds(const char* key, uint64_t& out) {
    std::string text;
    TRY(read(key, text));
    if (text.empty()) return ok();
    const Result<uint64_t> parsed = parse_seconds(text);
    if (!parsed.ok()) return at_line(line_of(*table_.get(key)), std::string(key) + ": " + parsed.error().message);
    out = *parsed;
    return ok();
  }
  /// "5%" to thousandths, at most `max`.
  Status read_permille(const char* key, uint32_t& out, uint32_t max) {
    std::string text;
    TRY(read(key, text));
    if (text.empty()) return ok();
    const Result<uint32_t> parsed = parse_cpu_permille(text);
    if (!parsed.ok() || *parsed > max) return at_line(line_of(*table_.get(key)), std::string(key) + " must be a share such as \"5%\"");
    out = *parsed;
    return ok();
  }
  Result<std::optional<Section>> child(const char* key) {
    const toml::node* node = find(key);
    if (node == nullptr) return std::optional<Section>();
    if (node->as_table() == nullptr) return wrong(*node, key, "a table");
    return std::optional<Section>(Section(*node->as_table(), name_ + key + "."));
  }
  Result<std::vector<Section>> children(const char* key) {
    std::vector<Section> out;
    const toml::node* node = find(key);
    if (node == nullptr) return out;
    if (node->as_array() == nullptr) return wrong(*node, key, "a list of tables, each begun with [[...]]");
    for (const toml::node& item : *node->as_array()) {
      if (item.as_table() == nullptr) return wrong(item, key, "a list of tables, each begun with [[...]]");
      out.push_back(Section(*item.as_table(), name_ + key + "."));
    }
    return out;
  }
  Status finish() const {
    for (const auto& [key, node] : table_) {
      const std::string word(key.str());
      if (std::find(known_.begin(), known_.end(), word) == known_.end()) return at_line(key.source().begin.line, "there is no setting \"" + name_ + word + "\"");
    }
    return ok();
  }
  /// "256M" and the like.
  Status read_bytes(const char* key, uint64_t& out) {
    std::string text;
    TRY(read(key, text));
    if (text.empty()) return ok();
    const Result<uint64_t> parsed = parse_bytes(text);
    if (!parsed.ok()) return at_line(line_of(*table_.get(key)), std::string(key) + ": " + parsed.error().message);
    out = *parsed;
    return ok();
  }
  /// One of the names that enum_name() gives to the values up to kLast.
  template <class E>
  Status read_name(const char* key, E& out) {
    std::string text;
    TRY(read(key, text));
    if (text.empty()) return ok();
    std::string names;
    for (uint64_t i = 0; i <= uint64_t(E::kLast); ++i) {
      const std::string name = enum_name(E(i));
      if (name == text) {
        out = E(i);
        return ok();
      }
      names += (names.empty() ? "" : ", ") + name;
    }
    return at_line(line_of(*table_.get(key)), std::string(key) + " is one of " + names);
  }
  uint32_t line() const { return table_.source().begin.line; }

 private:
  const toml::table& table_;
  std::string name_;
  std::vector<std::string> known_;
};

inline Result<toml::table> parse_toml(std::string_view text) {
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) return at_line(parsed.error().source().begin.line, std::string(parsed.error().description()));
  return std::move(parsed).table();
}

}  // namespace selvedge::cli
