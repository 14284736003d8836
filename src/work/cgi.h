// Cgi: an HTTP request as a program finds it, and what it writes as a response. RFC 3875
//
// A hosted service is any program for the command line: the body of the request is its standard input, the rest its environment, and its standard
// output is a few header lines, an empty line and the body. Pure. docs/spec/hosting.md
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace selvedge::work {

inline constexpr size_t kCgiVariablesMax = 60;           // a domain takes 64
inline constexpr size_t kCgiVariableBytesMax = 4000;
inline constexpr size_t kCgiHeaderBytesMax = 16u << 10;  // of a response
inline constexpr size_t kCgiHeadersMax = 64;

struct HttpCall {
  std::string method;
  std::string path;                                // as it was sent
  std::string query;
  std::map<std::string, std::string> headers;      // names in lower case
  Bytes body;
};

struct HttpReply {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  Bytes body;
};

/// "NAME=value", sorted. Clients' words come as HTTP_*, but for Proxy, which programs would take for their own (httpoxy).
/// `server`: the service's key text. Errors: kLimit (more or longer headers than a program is given).
Result<std::vector<std::string>> cgi_environment(const HttpCall& call, const std::string& server, Instant now);

/// Errors: kInvalid (no header lines, or what no HTTP response may carry), kLimit.
Result<HttpReply> parse_cgi_response(ByteView output);

}  // namespace selvedge::work
