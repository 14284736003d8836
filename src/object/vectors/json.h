// JSON text for the published vectors: small, and the same bytes on every machine.
//
// Bytes are lower-case hexadecimal. An integer of 2^53 or more is a decimal string, because many readers of JSON hold numbers in
// doubles. A list has one entry a line, so that a change of one case is a change of one line.
#pragma once

#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codec/schema.h"

namespace selvedge::object::vectors {

/// One finished JSON value.
class Json {
 public:
  Json(const char* text) : Json(std::string(text)) {}
  Json(std::string_view text) : Json(std::string(text)) {}
  Json(const std::string& text) { codec::detail::json_text(text_, text); }
  Json(ByteView bytes) { codec::detail::json_hex(text_, bytes); }
  Json(const Bytes& bytes) : Json(ByteView(bytes)) {}
  template <class Tag, size_t N>
  Json(const FixedBytes<Tag, N>& bytes) : Json(bytes.view()) {}
  Json(std::same_as<bool> auto value) : text_(value ? "true" : "false") {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Json(T number) : text_(number_text(uint64_t(number))) {}
  template <class T>
  Json(const std::optional<T>& value) : text_(value ? Json(*value).text_ : "null") {}
  Json(std::nullptr_t) : text_("null") {}

  static Json raw(std::string text) {
    Json out(nullptr);
    out.text_ = std::move(text);
    return out;
  }
  const std::string& text() const { return text_; }

 private:
  static std::string number_text(uint64_t number);
  std::string text_;
};

using JsonField = std::pair<const char*, Json>;

/// {"a":1,"b":2} on one line.
Json record(std::initializer_list<JsonField> fields);
/// [1,2] on one line.
Json row(const std::vector<Json>& items);
/// One item a line.
Json list(const std::vector<Json>& items);
/// A whole file: "about" first, then the fields, each on a line of its own.
std::string document(std::string_view about, std::initializer_list<JsonField> fields);

/// "ok", or the name of the error's code (base/result.h).
inline Json expectation(const Status& status) { return status.ok() ? "ok" : errc_name(status.code()); }
template <class T>
Json expectation(const Result<T>& result) { return result.ok() ? "ok" : errc_name(result.code()); }

/// A record's fields by name: bytes as hexadecimal, enumerations as numbers, CIDs as text, an alternative as {"which", "value"}.
template <class T>
Json fields_of(const T& value);

namespace detail {

struct FieldsVisitor {
  std::string& out;
  template <class M>
  void operator()(const char* name, M& member) {
    if (out.size() > 1) out += ',';
    out += Json(name).text() + ":" + fields_of(std::as_const(member)).text();
  }
};

}  // namespace detail

template <class T>
Json fields_of(const T& value) {
  if constexpr (std::is_enum_v<T>) return Json(uint64_t(value));
  else if constexpr (std::is_same_v<T, codec::Cid>) return Json(value.text());
  else if constexpr (codec::detail::kIsOptional<T>) return value ? fields_of(*value) : Json(nullptr);
  else if constexpr (std::is_same_v<T, Bytes> || std::is_constructible_v<Json, const T&>) return Json(value);
  else if constexpr (codec::detail::kIsVector<T>) {
    std::vector<Json> items;
    for (const auto& item : value) items.push_back(fields_of(item));
    return row(items);
  } else if constexpr (codec::detail::kIsVariant<T>) {
    return record({{"which", uint64_t(value.index())}, {"value", std::visit([](const auto& item) { return fields_of(item); }, value)}});
  } else {
    std::string out = "{";
    detail::FieldsVisitor visitor{out};
    const_cast<T&>(value).visit(visitor);  // this visitor only reads
    return Json::raw(out + "}");
  }
}

}  // namespace selvedge::object::vectors
