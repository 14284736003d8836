#include "work/cgi.h"

#include <algorithm>
#include <string_view>

namespace selvedge::work {

namespace {

// Headers that say how bytes go over one connection: the connection's owner sets them.
bool is_hop_by_hop(std::string_view name) {
  for (const char* each : {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "date"}) {
    if (name == each) return true;
  }
  return false;
}

bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
  });
}

bool is_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (uint8_t(c) >= 0x20 && c != 0x7F); });
}

std::string variable_name(const std::string& header) {
  std::string out = "HTTP_";
  for (const char c : header) out += c == '-' ? '_' : c >= 'a' && c <= 'z' ? char(c - 32) : c;
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? char(c + 32) : c;
  return out;
}

Status take_header(std::string_view line, HttpReply& reply) {
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon), value = colon == std::string_view::npos ? std::string_view{} : trim(line.substr(colon + 1));
  if (colon == std::string_view::npos || !is_token(name) || !is_value(value)) return fail(Errc::kInvalid, "a header line of the program's is none");
  const std::string known = lower(name);
  if (known == "status") {
    const std::string_view digits = value.substr(0, 3);
    if (digits.size() != 3 || !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }) || digits < "200" || (value.size() > 3 && value[3] != ' ')) {
      return fail(Errc::kInvalid, "the program's status is none: \"Status: 404 Not Found\"");
    }
    reply.status = unsigned(std::stoul(std::string(digits)));
    return ok();
  }
  if (known == "location" && reply.status == 200) reply.status = 302;   // RFC 3875 6.2.3
  if (is_hop_by_hop(known)) return ok();
  if (reply.headers.size() >= kCgiHeadersMax) return fail(Errc::kLimit, "the program wrote too many headers");
  reply.headers.emplace_back(name, value);
  return ok();
}

}  // namespace

Result<std::vector<std::string>> cgi_environment(const HttpCall& call, const std::string& server, Instant now) {
  const auto header = [&](const char* name) {
    const auto it = call.headers.find(name);
    return it == call.headers.end() ? std::string() : it->second;
  };
  std::vector<std::string> out{"CONTENT_LENGTH=" + (call.body.empty() ? "" : std::to_string(call.body.size())), "CONTENT_TYPE=" + header("content-type"),
                               "GATEWAY_INTERFACE=CGI/1.1", "PATH_INFO=" + call.path, "QUERY_STRING=" + call.query, "REQUEST_METHOD=" + call.method,
                               "REQUEST_TIME_MS=" + std::to_string(now.unix_ms()), "REQUEST_URI=" + call.path + (call.query.empty() ? "" : "?" + call.query), "SCRIPT_NAME=",
                               "SERVER_NAME=" + server, "SERVER_PROTOCOL=HTTP/1.1", "SERVER_SOFTWARE=selvedge"};
  for (const auto& [name, value] : call.headers) {
    if (name == "proxy" || name == "content-length" || name == "content-type" || !is_token(name)) continue;
    out.push_back(variable_name(name) + "=" + value);
  }
  if (out.size() > kCgiVariablesMax) return fail(Errc::kLimit, "the request has more headers than a program is given");
  for (const std::string& each : out) {
    if (each.size() > kCgiVariableBytesMax || each.find('\0') != std::string::npos) return fail(Errc::kLimit, "a header or the path is longer than a program is given");
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<HttpReply> parse_cgi_response(ByteView output) {
  HttpReply reply;
  const std::string_view text(reinterpret_cast<const char*>(output.data()), output.size());
  size_t at = 0;
  for (bool first = true;; first = false) {
    const size_t end = text.find('\n', at);
    if (end == std::string_view::npos || end > kCgiHeaderBytesMax) {
      return fail(Errc::kInvalid, "the program wrote no response: header lines like \"Content-Type: text/plain\", an empty line, and the body");
    }
    const std::string_view line = trim(text.substr(at, end - at));
    at = end + 1;
    if (line.empty() && first) return fail(Errc::kInvalid, "the program's response has no header line");
    if (line.empty()) break;
    TRY(take_header(line, reply));
  }
  reply.body.assign(output.begin() + int64_t(at), output.end());
  return reply;
}

}  // namespace selvedge::work
