#include "host/net/http_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/loop/address.h"

namespace selvedge::host {
namespace {

// A client that says exactly what the test wants said.
class RawClient {
 public:
  explicit RawClient(const std::string& address) {
    const SocketAddress at = SocketAddress::parse(address).value();
    fd_ = socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd_, &at.any, at.size()), 0);
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~RawClient() { close(fd_); }
  void say(const std::string& text) { EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size())); }
  void hang_up() { shutdown(fd_, SHUT_RDWR); }
  /// What has come by now.
  const std::string& heard() {
    char buffer[65536];
    for (ssize_t got; (got = recv(fd_, buffer, sizeof buffer, 0)) >= 0;) {
      if (got == 0) {
        ended = true;
        break;
      }
      heard_.append(buffer, size_t(got));
    }
    return heard_;
  }
  bool ended = false;

 private:
  int fd_;
  std::string heard_;
};

struct HttpRig : ::testing::Test {
  void open(HttpServer::Options options = {}) {
    HttpServer::Events events;
    events.request = [this](HttpRequest request) {
      requests.push_back(request);
      if (on_request) on_request(request);
    };
    events.gone = [this](uint64_t id) { gone.push_back(id); };
    server = HttpServer::listen(loop, options, std::move(events)).value();
  }
  template <class Done>
  bool until(Done done) {
    const Instant limit = loop.now() + seconds(10);
    while (!done()) {
      if (loop.now() > limit) return false;
      loop.run_once();
      poll(nullptr, 0, 1);
    }
    return true;
  }
  bool hears(RawClient& client, const std::string& text) {
    return until([&] { return client.heard().find(text) != std::string::npos; });
  }
  Loop loop{1};
  std::unique_ptr<HttpServer> server;
  std::function<void(const HttpRequest&)> on_request;
  std::vector<HttpRequest> requests;
  std::vector<uint64_t> gone;
};

TEST_F(HttpRig, AnswersAtOnceAndLaterOnOneConnection) {
  open();
  on_request = [this](const HttpRequest& request) {
    if (request.path == "/now") server->answer(request.id, {200, {{"Content-Type", "text/plain"}}, "at once"});
  };
  RawClient client(server->address());
  client.say("GET /now?x=%2e%2e HTTP/1.1\r\nHost: here\r\nX-Thing: One\r\nX-Thing: Two\r\n\r\n");
  ASSERT_TRUE(hears(client, "at once"));
  EXPECT_EQ(requests[0].query, "x=%2e%2e");
  EXPECT_EQ(requests[0].from, "127.0.0.1");
  EXPECT_EQ(requests[0].header("x-thing"), "One, Two");
  client.say("POST /%2e%2e/later HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nbo");
  client.say("dy");
  ASSERT_TRUE(until([&] { return requests.size() == 2; }));
  EXPECT_EQ(requests[1].path, "/%2e%2e/later");
  EXPECT_EQ(requests[1].body, "body");
  server->answer(requests[1].id, {404, {}, "much later"});
  ASSERT_TRUE(hears(client, "much later"));
  EXPECT_NE(client.heard().find("HTTP/1.1 404"), std::string::npos);
  EXPECT_TRUE(gone.empty());
}

TEST_F(HttpRig, StreamsGoOnUntilTheyEndAndTellWhenTheClientLeft) {
  open();
  on_request = [this](const HttpRequest& request) { server->begin(request.id, {200, {}, ""}); };
  RawClient client(server->address()), other(server->address());
  client.say("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  ASSERT_TRUE(hears(client, "HTTP/1.1 200"));
  const uint64_t id = requests[0].id;
  server->write(id, "first;");
  ASSERT_TRUE(hears(client, "first;"));
  server->write(id, std::string(300'000, 'x'));
  server->write(id, "last;");
  server->end(id);
  ASSERT_TRUE(hears(client, "\r\n0\r\n"));
  EXPECT_NE(client.heard().find("last;"), std::string::npos);
  EXPECT_TRUE(gone.empty());

  other.say("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  ASSERT_TRUE(hears(other, "HTTP/1.1 200"));
  other.hang_up();
  EXPECT_TRUE(until([&] {
    server->write(requests[1].id, "more");   // it is only then that one is noticed who left
    return gone.size() == 1;
  }));
  EXPECT_EQ(gone[0], requests[1].id);
  server->write(requests[1].id, "to nobody");
  server->end(requests[1].id);
}

TEST_F(HttpRig, WhatIsTooLargeOrNoRequestIsRefused) {
  HttpServer::Options options;
  options.body_bytes_max = 100;
  open(options);
  const auto answer_to = [&](const std::string& text) {
    RawClient client(server->address());
    client.say(text);
    EXPECT_TRUE(until([&] { return client.heard(), client.ended; })) << text.substr(0, 60);
    return client.heard().substr(0, 12);
  };
  EXPECT_EQ(answer_to("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n"), "HTTP/1.1 413");
  EXPECT_EQ(answer_to("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + std::string(255, 'x') + "\r\n0\r\n\r\n"), "");
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(answer_to("no request at all\r\n\r\n").substr(0, 8), "HTTP/1.1");
  EXPECT_EQ(answer_to("GET /" + std::string(kHttpHeaderBytesMax, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 414");
  EXPECT_TRUE(requests.empty());
}

TEST_F(HttpRig, EndsWithStreamsAndRequestsOpen) {
  open();
  RawClient waiting(server->address()), streaming(server->address());
  on_request = [this](const HttpRequest& request) {
    if (request.path == "/stream") server->begin(request.id, {200, {}, ""});
  };
  waiting.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  streaming.say("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(until([&] { return requests.size() == 2; }));
  server.reset();
  EXPECT_TRUE(until([&] { return waiting.heard(), streaming.heard(), waiting.ended && streaming.ended; }));
}

TEST(HttpServer, SaysWhenThePortIsTaken) {
  Loop loop(1);
  const auto server = HttpServer::listen(loop, {}, {[](HttpRequest) {}, [](uint64_t) {}}).value();
  HttpServer::Options same;
  same.address = server->address();
  EXPECT_EQ(HttpServer::listen(loop, same, {}).code(), Errc::kBusy);
  same.address = "nowhere";
  EXPECT_EQ(HttpServer::listen(loop, same, {}).code(), Errc::kInvalid);
}

}  // namespace
}  // namespace selvedge::host
