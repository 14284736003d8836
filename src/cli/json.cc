#include "cli/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "codec/schema.h"

namespace selvedge::cli {

using OrderedJson = nlohmann::ordered_json;

struct Json::Document {
  OrderedJson root;
};

namespace {
const OrderedJson& json_of(const void* value) {
  static const OrderedJson kNull;
  return value == nullptr ? kNull : *static_cast<const OrderedJson*>(value);
}
}  // namespace

Result<Json> Json::parse(std::string_view text) {
  auto document = std::make_shared<Document>();
  document->root = OrderedJson::parse(text, nullptr, false);
  if (document->root.is_discarded()) return fail(Errc::kInvalid, "this is not JSON: " + std::string(text.substr(0, 80)));
  Json out;
  out.value_ = &document->root;
  out.document_ = std::move(document);
  return out;
}

bool Json::is_null() const { return json_of(value_).is_null(); }

Json Json::at(const char* name) const {
  Json out;
  const OrderedJson& self = json_of(value_);
  if (!self.is_object()) return out;
  const auto found = self.find(name);
  if (found == self.end()) return out;
  out.document_ = document_;
  out.value_ = &*found;
  return out;
}

size_t Json::size() const {
  const OrderedJson& self = json_of(value_);
  return self.is_array() ? self.size() : 0;
}

Json Json::item(size_t index) const {
  Json out;
  if (index >= size()) return out;
  out.document_ = document_;
  out.value_ = &json_of(value_)[index];
  return out;
}

std::string Json::text() const {
  const OrderedJson& self = json_of(value_);
  return self.is_string() ? self.get<std::string>() : std::string();
}

uint64_t Json::number() const {
  const OrderedJson& self = json_of(value_);
  return self.is_number_unsigned() ? self.get<uint64_t>() : 0;
}

bool Json::flag() const {
  const OrderedJson& self = json_of(value_);
  return self.is_boolean() && self.get<bool>();
}

std::string Json::dump() const { return json_of(value_).dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

Record& Record::name(const char* name) {
  if (!body_.empty()) body_ += ',';
  body_ += codec::to_json_text(std::string(name));
  body_ += ':';
  return *this;
}

Record& Record::text(const char* field, std::string_view value) {
  name(field);
  body_ += codec::to_json_text(std::string(value));
  return *this;
}

Record& Record::number(const char* field, uint64_t value) { return raw(field, std::to_string(value)); }

Record& Record::decimal(const char* field, double value) { return raw(field, fmt::format("{:.3f}", value)); }

Record& Record::flag(const char* field, bool value) { return raw(field, value ? "true" : "false"); }

Record& Record::raw(const char* field, std::string_view json) {
  name(field);
  body_ += json;
  return *this;
}

}  // namespace selvedge::cli
