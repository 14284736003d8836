// HttpServer: HTTP/1.1 on one TCP address (libmicrohttpd, decision 0036). It parses and bounds; what a request means is its owner's business.
//
// A request is handed over whole, once its body is here. It is answered at once or later, whole or as a stream that goes on until end(). A connection
// that has not brought a whole request so long after it began, or after its last answer, is closed: whoever sends a byte now and then holds nothing.
// Paths and queries are left as they were sent: what compares them compares the bytes. Lives on the loop thread, and calls back on it only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "host/loop/loop.h"

struct MHD_Connection;
struct MHD_Daemon;

namespace selvedge::host {

inline constexpr Duration kHttpRequestDeadline = seconds(20);
inline constexpr size_t kHttpHeaderBytesMax = 32u << 10;         // of a request: line, headers, and what is read at once
inline constexpr size_t kHttpStreamBacklogMax = 64u << 20;       // unsent bytes of a stream; who does not read is cut off here

struct HttpRequest {
  uint64_t id = 0;
  std::string method;
  std::string path;                                // "/a/b", without the query
  std::string query;                               // behind the "?"
  std::string from;                                // numeric address of the client, without its port
  std::string tag;                                 // of adopt()
  std::map<std::string, std::string> headers;      // names in lower case; repeated ones are joined by ", "
  std::string body;
  std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

struct HttpResponse {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// A connection that speaks another protocol from now on (RFC 9110 7.8).
struct UpgradedConnection {
  int fd;                           // non-blocking; the server's to close
  std::string early;                // bytes that came already
  std::function<void()> release;    // once, when it is done with, and before the server goes
};

class HttpServer {
 public:
  struct Options {
    std::string address = "127.0.0.1:0";           // empty: it listens nowhere, and takes connections by adopt()
    size_t body_bytes_max = 1u << 20;
    unsigned connections_max = 256;
    unsigned connections_per_client_max = 0;       // by address; 0: no limit of its own
  };
  struct Events {
    std::function<void(HttpRequest)> request;
    std::function<void(uint64_t id)> gone;         // the client left before it had all of the answer; nothing follows
  };
  /// Errors: kInvalid (no address and port), kBusy (the port is taken), kIo.
  static Result<std::unique_ptr<HttpServer>> listen(Loop& loop, const Options& options, Events events);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::string& address() const { return address_; }
  /// Serves one more connection, whose requests carry `tag`. The descriptor is this server's from now on. Errors: kLimit (it has as many as it takes).
  Status adopt(int fd, std::string tag);
  /// Each request is answered once: by answer(), or by begin() and then any number of write() and one end(). Ids that are gone are passed over.
  void answer(uint64_t id, HttpResponse response);
  void begin(uint64_t id, HttpResponse head);
  void write(uint64_t id, const std::string& bytes);
  void end(uint64_t id);
  /// The answer is 101 with these headers, and then the connection is its taker's, who calls nothing of the server
  /// while it takes. A client that is gone is passed over.
  void upgrade(uint64_t id, std::vector<std::pair<std::string, std::string>> headers, std::function<void(UpgradedConnection)> taker);

 private:
  struct Exchange;
  struct Callbacks;
  HttpServer(Loop& loop, const Options& options, Events events);
  Status start(int fd);
  void turn();
  void sweep();
  void respond(uint64_t id, HttpResponse response, std::function<void(Exchange&)> mark);
  void wake(Exchange& exchange);
  Exchange* find(uint64_t id);

  Loop& loop_;
  const Options options_;
  const Events events_;
  std::string address_;
  MHD_Daemon* daemon_ = nullptr;
  uint64_t next_id_ = 1;
  std::map<uint64_t, std::unique_ptr<Exchange>> exchanges_;
  struct Waiting {
    int fd;
    Instant since;          // began, or had its last answer
    bool whole = false;     // its request is here
    std::string tag;
  };
  std::map<MHD_Connection*, Waiting> connections_;
  std::string adopting_;    // the tag of a connection that is just being adopted
  bool stopping_ = false;
  bool resumed_ = false;   // in this turn
  std::unique_ptr<Loop::Watch> watch_;
  Loop::Timer turn_timer_;
  Loop::Timer sweep_timer_;
};

}  // namespace selvedge::host
