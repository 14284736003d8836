#include "work/cgi.h"

#include <gtest/gtest.h>

namespace selvedge::work {
namespace {

std::string body_of(const HttpReply& reply) { return std::string(reply.body.begin(), reply.body.end()); }

// req: F2
TEST(Cgi, ARequestIsAnEnvironmentAndAnInput) {
  HttpCall call{"POST", "/a/%2e%2e/b", "x=1&y", {{"content-type", "text/plain"}, {"x-thing", "one, two"}, {"proxy", "evil"}, {"host", "h"}}, {'h', 'i'}};
  const std::vector<std::string> environment = cgi_environment(call, "somekey", Instant::from_unix_seconds(7)).value();
  const auto has = [&](const std::string& text) { return std::find(environment.begin(), environment.end(), text) != environment.end(); };
  for (const char* each : {"CONTENT_LENGTH=2", "CONTENT_TYPE=text/plain", "GATEWAY_INTERFACE=CGI/1.1", "PATH_INFO=/a/%2e%2e/b", "QUERY_STRING=x=1&y", "REQUEST_METHOD=POST",
                           "REQUEST_TIME_MS=7000", "REQUEST_URI=/a/%2e%2e/b?x=1&y", "SERVER_NAME=somekey", "HTTP_X_THING=one, two", "HTTP_HOST=h"}) {
    EXPECT_TRUE(has(each)) << each;
  }
  EXPECT_FALSE(has("HTTP_PROXY=evil"));
  EXPECT_TRUE(std::is_sorted(environment.begin(), environment.end()));
  call.headers["x-long"] = std::string(5000, 'x');
  EXPECT_EQ(cgi_environment(call, "k", Instant{}).code(), Errc::kLimit);
  call.headers.erase("x-long");
  for (int i = 0; i < 60; ++i) call.headers["h" + std::to_string(i)] = "v";
  EXPECT_EQ(cgi_environment(call, "k", Instant{}).code(), Errc::kLimit);
}

// req: F2
TEST(Cgi, WhatAProgramWritesIsAResponse) {
  const HttpReply plain = parse_cgi_response(view("Content-Type: text/plain\r\nX-A: b\n\nhello\n\nyou")).value();
  EXPECT_EQ(plain.status, 200u);
  EXPECT_EQ(plain.headers, (std::vector<std::pair<std::string, std::string>>{{"Content-Type", "text/plain"}, {"X-A", "b"}}));
  EXPECT_EQ(body_of(plain), "hello\n\nyou");
  EXPECT_EQ(parse_cgi_response(view("Status: 404 Not Found\nContent-Type: a\n\n"))->status, 404u);
  EXPECT_EQ(parse_cgi_response(view("Location: /x\n\n"))->status, 302u);
  EXPECT_EQ(parse_cgi_response(view("Status: 301\nLocation: /x\n\n"))->status, 301u);
  // How bytes go over the connection is not the program's to say.
  EXPECT_TRUE(parse_cgi_response(view("Content-Length: 5\nTransfer-Encoding: chunked\nConnection: close\n\n"))->headers.empty());
}

// req: F2
TEST(Cgi, NonsenseIsRefusedAndNothingIsSmuggled) {
  for (const char* text : {"", "hello", "hello\n\n", "\nbody", "A: b", "A b: c\n\n", ": c\n\n", "A: b\x01\n\n", "Status: 99\n\n", "Status: 2000\n\n", "Status: x\n\n", "Status: 100\n\n", "A: b\rX: y\n\n"}) {
    EXPECT_FALSE(parse_cgi_response(view(text)).ok()) << text;
  }
  std::string many;
  for (size_t i = 0; i <= kCgiHeadersMax; ++i) many += "A: b\n";
  EXPECT_EQ(parse_cgi_response(view(many + "\n")).code(), Errc::kLimit);
  EXPECT_FALSE(parse_cgi_response(view("A: " + std::string(kCgiHeaderBytesMax, 'x') + "\n\n")).ok());
}

}  // namespace
}  // namespace selvedge::work
