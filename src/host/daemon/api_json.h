// The JSON side of the local API: from a request line to an ApiRequest.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "node/api.h"

namespace selvedge::host {

inline constexpr size_t kApiWatchCallsMax = 32;
inline constexpr Duration kApiWatchPeriodMin = milliseconds(200), kApiWatchPeriodMax = seconds(60);

struct ApiCall {
  std::string id;                          // JSON text of the client's id
  std::vector<node::ApiRequest> requests;  // one; those that are watched where `watched` says how often
  std::optional<Duration> watched;
};

/// What went wrong with a line, and the id to answer with ("null" when it could not be read).
struct ApiFault {
  std::string id = "null";
  Error error;
};

/// Parses one line. Unknown methods and unknown fields are faults, and methods that are not among `allowed` where that is not null; missing fields take
/// their defaults.
Result<ApiCall> parse_call(const std::string& line, const std::set<std::string_view>* allowed, ApiFault& fault);

/// One line each, without the newline.
std::string result_line(const std::string& id, const std::string& result_json);
std::string progress_line(const std::string& id, const std::string& progress_json);
std::string error_json(const Error& error);
std::string error_line(const std::string& id, const Error& error);

}  // namespace selvedge::host
