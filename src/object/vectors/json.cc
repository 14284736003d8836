#include "object/vectors/json.h"

namespace selvedge::object::vectors {
namespace {

std::string joined(const std::vector<Json>& items, const char* separator) {
  std::string out;
  for (const Json& item : items) out += (out.empty() ? "" : separator) + item.text();
  return out;
}

}  // namespace

std::string Json::number_text(uint64_t number) {
  const std::string digits = std::to_string(number);
  return number < uint64_t(1) << 53 ? digits : "\"" + digits + "\"";
}

Json record(std::initializer_list<JsonField> fields) {
  std::string out;
  for (const auto& [name, value] : fields) out += (out.empty() ? "{" : ",") + Json(name).text() + ":" + value.text();
  return Json::raw(out + "}");
}

Json row(const std::vector<Json>& items) { return Json::raw("[" + joined(items, ",") + "]"); }

Json list(const std::vector<Json>& items) {
  if (items.empty()) return Json::raw("[]");
  return Json::raw("[\n    " + joined(items, ",\n    ") + "\n  ]");
}

std::string document(std::string_view about, std::initializer_list<JsonField> fields) {
  std::string out = "{\n  \"about\": " + Json(about).text();
  for (const auto& [name, value] : fields) out += ",\n  " + Json(name).text() + ": " + value.text();
  return out + "\n}\n";
}

}  // namespace selvedge::object::vectors
