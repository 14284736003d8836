// The JSON side of the local API: from a request line to an ApiRequest.
#pragma once

#include <string>

#include "base/result.h"
#include "node/api.h"

namespace selvedge::host {

struct ApiCall {
  std::string id;            // JSON text of the client's id
  node::ApiRequest request;
};

/// What went wrong with a line, and the id to answer with ("null" when it could not be read).
struct ApiFault {
  std::string id = "null";
  Error error;
};

/// Parses one line. Unknown methods and unknown fields are faults; missing fields take their defaults.
Result<ApiCall> parse_call(const std::string& line, ApiFault& fault);

/// One line each, without the newline.
std::string result_line(const std::string& id, const std::string& result_json);
std::string progress_line(const std::string& id, const std::string& progress_json);
std::string error_line(const std::string& id, const Error& error);

}  // namespace selvedge::host
