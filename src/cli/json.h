// Json: what a node answered, and records to print, without the JSON library in any header.
//
// Json is a view into a parsed document that it keeps alive; reading what is not there gives an empty value, because a
// node of a later version may leave things out. Record builds one line of output, fields in the order they are added.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace selvedge::cli {

class Json {
 public:
  Json() = default;
  /// Errors: kInvalid.
  static Result<Json> parse(std::string_view text);

  bool is_null() const;
  /// The member of an object; null when there is none.
  Json at(const char* name) const;
  /// Elements of a list; 0 for anything else.
  size_t size() const;
  Json item(size_t index) const;
  std::string text() const;
  uint64_t number() const;
  bool flag() const;
  std::string dump() const;

 private:
  struct Document;
  std::shared_ptr<const Document> document_;
  const void* value_ = nullptr;
};

class Record {
 public:
  Record& text(const char* name, std::string_view value);
  Record& number(const char* name, uint64_t value);
  Record& decimal(const char* name, double value);
  Record& flag(const char* name, bool value);
  /// `json` is a complete JSON value.
  Record& raw(const char* name, std::string_view json);
  std::string json() const { return "{" + body_ + "}"; }

 private:
  Record& name(const char* name);
  std::string body_;
};

}  // namespace selvedge::cli
