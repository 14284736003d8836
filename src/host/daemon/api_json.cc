#include "host/daemon/api_json.h"

#include <nlohmann/json.hpp>

namespace selvedge::host {

namespace {

using nlohmann::json;

Error wrong_type(const std::string& name, const char* wanted) {
  return fail(Errc::kInvalid, "the parameter \"" + name + "\" must be " + wanted);
}

template <class T>
Status read_value(const json& in, const std::string& name, T& value);

// Fills a visited struct from a JSON object and counts what it took, so that a misspelt parameter is noticed.
struct FromJson {
  const json& in;
  size_t taken = 0;
  Status status;
  template <class M>
  void operator()(const char* name, M& member) {
    if (!status.ok()) return;
    auto it = in.find(name);
    if (it == in.end()) return;
    ++taken;
    status = read_value(*it, name, member);
  }
};

struct HasField {
  const std::string& wanted;
  bool found = false;
  template <class M>
  void operator()(const char* field, M&) { found = found || wanted == field; }
};

Status read_action(const json& in, const std::string& name, node::LeaseAction& value) {
  const std::string text = in.is_string() ? in.get<std::string>() : "";
  if (text == "pause") value = node::LeaseAction::kPause;
  else if (text == "resume") value = node::LeaseAction::kResume;
  else if (text == "revoke") value = node::LeaseAction::kRevoke;
  else return wrong_type(name, "\"pause\", \"resume\" or \"revoke\"");
  return ok();
}

template <class T>
Status read_struct(const json& in, const std::string& name, T& value) {
  if (!in.is_object()) return wrong_type(name, "an object");
  FromJson visitor{in, 0, {}};
  value.visit(visitor);
  TRY(visitor.status);
  if (visitor.taken == in.size()) return ok();
  for (auto it = in.begin(); it != in.end(); ++it) {
    HasField names{it.key()};
    value.visit(names);
    if (!names.found) return fail(Errc::kInvalid, "there is no parameter \"" + it.key() + "\" here");
  }
  return ok();
}

template <class T>
Status read_value(const json& in, const std::string& name, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!in.is_boolean()) return wrong_type(name, "true or false");
    value = in.get<bool>();
  } else if constexpr (std::is_same_v<T, node::LeaseAction>) {
    return read_action(in, name, value);
  } else if constexpr (std::is_unsigned_v<T>) {
    if (!in.is_number_unsigned() || in.get<uint64_t>() > std::numeric_limits<T>::max()) return wrong_type(name, "a whole number that is not negative");
    value = T(in.get<uint64_t>());
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!in.is_string()) return wrong_type(name, "a text");
    value = in.get<std::string>();
  } else if constexpr (codec::detail::kIsVector<T>) {
    if (!in.is_array()) return wrong_type(name, "a list");
    value.clear();
    for (const json& item : in) {
      value.emplace_back();
      TRY(read_value(item, name, value.back()));
    }
  } else {
    return read_struct(in, name, value);
  }
  return ok();
}

template <size_t I = 0>
Result<node::ApiRequest> read_method(const std::string& method, const json& params) {
  if constexpr (I == std::variant_size_v<node::ApiRequest>) {
    return fail(Errc::kUnsupported, "there is no method \"" + method + "\"; docs/api.md lists them");
  } else {
    using Request = std::variant_alternative_t<I, node::ApiRequest>;
    if (method != Request::kMethod) return read_method<I + 1>(method, params);
    Request request;
    TRY(read_struct(params, "params", request));
    return node::ApiRequest(std::move(request));
  }
}

}  // namespace

Result<ApiCall> parse_call(const std::string& line, ApiFault& fault) {
  const json call = json::parse(line, nullptr, false);
  if (call.is_discarded() || !call.is_object()) {
    fault.error = fail(Errc::kInvalid, "a request is one JSON object on one line");
    return fault.error;
  }
  const auto id = call.find("id");
  if (id != call.end() && (id->is_number_integer() || id->is_string())) fault.id = id->dump(-1, ' ', false, json::error_handler_t::replace);
  const auto method = call.find("method");
  if (fault.id == "null" || method == call.end() || !method->is_string()) {
    fault.error = fail(Errc::kInvalid, "a request has an id, a method and params");
    return fault.error;
  }
  const auto params = call.find("params");
  static const json kNone = json::object();
  Result<node::ApiRequest> request = read_method(method->get<std::string>(), params == call.end() ? kNone : *params);
  if (!request.ok()) {
    fault.error = request.error();
    return fault.error;
  }
  return ApiCall{fault.id, std::move(request).value()};
}

std::string result_line(const std::string& id, const std::string& result) { return R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + result + "}"; }

std::string progress_line(const std::string& id, const std::string& progress) {
  return R"({"jsonrpc":"2.0","method":"progress","params":{"id":)" + id + R"(,"progress":)" + progress + "}}";
}

std::string error_line(const std::string& id, const Error& error) {
  constexpr int kApplicationError = -32000;  // JSON-RPC 2.0 5.1: the range left to implementations
  const json body{{"code", kApplicationError}, {"message", error.message}, {"data", {{"errc", errc_name(error.code)}}}};
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"error":)" + body.dump(-1, ' ', false, json::error_handler_t::replace) + "}";
}

}  // namespace selvedge::host
