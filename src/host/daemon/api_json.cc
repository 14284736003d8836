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

// What may be asked again and again: it only looks. A method that is not here is no method to `watch`.
bool only_looks(const std::string& method) {
  static const std::set<std::string_view> kLooking{"status", "peer.list", "grant.list", "lease.list", "domain.list", "task.list", "blob.list", "receipts", "policy.list",
                                                   "grant.requests", "revoke.list", "relay.list", "identity.list", "service.list", "announce.show", "audit.head",
                                                   "audit.list", "device.list", "zone.list", "secret.list"};
  return kLooking.count(method) != 0;
}

struct Reader {
  const std::set<std::string_view>* allowed;
  Result<node::ApiRequest> call(const std::string& method, const json& params) const {
    if (allowed != nullptr && allowed->count(method) == 0) return fail(Errc::kUnauthorized, "\"" + method + "\" cannot be asked from here; the selvedge command can");
    return read_method(method, params);
  }
  Status watch(const json& params, ApiCall& out) const;
};

// {"calls": [{"method": "status"}, ...], "period_ms": 1000}
Status Reader::watch(const json& params, ApiCall& out) const {
  for (auto it = params.begin(); it != params.end(); ++it) {
    if (it.key() != "calls" && it.key() != "period_ms") return fail(Errc::kInvalid, "there is no parameter \"" + it.key() + "\" here");
  }
  const json period = params.value("period_ms", json(1000u));
  if (!period.is_number_unsigned() || period.get<uint64_t>() < uint64_t(kApiWatchPeriodMin.ms()) || period.get<uint64_t>() > uint64_t(kApiWatchPeriodMax.ms())) {
    return wrong_type("period_ms", "a whole number from 200 to 60000");
  }
  out.watched = milliseconds(int64_t(period.get<uint64_t>()));
  const auto calls = params.find("calls");
  if (calls == params.end() || !calls->is_array() || calls->empty() || calls->size() > kApiWatchCallsMax) return wrong_type("calls", "a list of 1 to 32 calls");
  for (const json& each : *calls) {
    const std::string method = each.is_object() && each.contains("method") && each["method"].is_string() ? each["method"].get<std::string>() : "";
    if (!only_looks(method)) return fail(Errc::kInvalid, "\"" + method + "\" cannot be watched: only what looks and changes nothing can");
    const auto inner = each.find("params");
    out.requests.push_back(TRY(call(method, inner == each.end() ? json::object() : *inner)));
  }
  return ok();
}

}  // namespace

Result<ApiCall> parse_call(const std::string& line, const std::set<std::string_view>* allowed, ApiFault& fault) {
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
  const json& given = params == call.end() ? kNone : *params;
  const Reader reader{allowed};
  ApiCall out{fault.id, {}, std::nullopt};
  Status read;
  if (*method == "watch" && given.is_object()) {
    read = reader.watch(given, out);
  } else if (Result<node::ApiRequest> request = reader.call(method->get<std::string>(), given); request.ok()) {
    out.requests.push_back(std::move(request).value());
  } else {
    read = request.error();
  }
  if (read.ok()) return out;
  fault.error = read.error();
  return fault.error;
}

std::string result_line(const std::string& id, const std::string& result) { return R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + result + "}"; }

std::string progress_line(const std::string& id, const std::string& progress) {
  return R"({"jsonrpc":"2.0","method":"progress","params":{"id":)" + id + R"(,"progress":)" + progress + "}}";
}

std::string error_json(const Error& error) {
  constexpr int kApplicationError = -32000;  // JSON-RPC 2.0 5.1: the range left to implementations
  const json body{{"code", kApplicationError}, {"message", error.message}, {"data", {{"errc", errc_name(error.code)}}}};
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string error_line(const std::string& id, const Error& error) { return R"({"jsonrpc":"2.0","id":)" + id + R"(,"error":)" + error_json(error) + "}"; }

}  // namespace selvedge::host
