// DashServer: the dashboard, over HTTP on this machine's loopback. Its pages are web/dash, built into the binary. docs/dashboard.md
//
// The pages hold no secret and are anybody's; the API behind them is the owner's. Who shows a link of link() gets a session in two halves: a cookie, which
// scripts cannot read, and a key in the page's own storage, since a cookie goes to every port of the machine. Both are wanted of each call, and that
// it comes from a page of this server under a name of the loopback: another site can neither send one nor, by rebinding a name, become this one.
// What a session may ask is a part of the local API: no call that names a file, none about keys or secrets.
// Lives on the loop thread; owned by the daemon.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "crypto/drbg.h"
#include "host/daemon/api_desk.h"
#include "host/net/http_server.h"

namespace selvedge::host {

inline constexpr Duration kDashLinkLife = seconds(120);
inline constexpr Duration kDashSessionLife = seconds(12 * 3600);   // since it was last used
inline constexpr size_t kDashLinksMax = 8, kDashSessionsMax = 16;
/// Something is sent on each open stream so often, by which one is noticed that nobody reads.
inline constexpr Duration kDashHeartbeat = seconds(10);

class DashServer {
 public:
  /// Errors: kInvalid (not an address of the loopback), else as HttpServer::listen.
  static Result<std::unique_ptr<DashServer>> listen(Loop& loop, const std::string& address, ApiDesk& desk, crypto::Drbg drbg);
  ~DashServer();

  const std::string& address() const { return server_->address(); }
  /// An address that opens it once, soon.
  std::string link();

 private:
  struct Session {
    crypto::Digest key;        // hash of the half that the page keeps
    Instant used;
  };
  DashServer(Loop& loop, ApiDesk& desk, crypto::Drbg drbg);
  void on_request(const HttpRequest& request);
  void open(const HttpRequest& request);
  void call(const HttpRequest& request);
  void line(uint64_t id, const std::string& line, bool last);
  void close(const HttpRequest& request);
  void end_stream(uint64_t id);
  void on_heartbeat();
  std::map<crypto::Digest, Session>::iterator session_of(const HttpRequest& request);
  std::string cookie_name() const;
  std::string secret();
  void answer(uint64_t id, unsigned status, const std::string& type, std::string body, std::vector<std::pair<std::string, std::string>> headers = {});
  void refuse(uint64_t id, unsigned status, const std::string& why);

  Loop& loop_;
  ApiDesk& desk_;
  crypto::Drbg drbg_;
  std::map<crypto::Digest, Instant> links_;       // by the token's hash: until when
  std::map<crypto::Digest, Session> sessions_;    // by the cookie's hash
  struct Stream {
    ApiDesk::ClientId client;
    crypto::Digest session;    // by the cookie's hash
  };
  std::map<uint64_t, Stream> streams_;
  std::unique_ptr<HttpServer> server_;
  Loop::Timer heartbeat_;
};

}  // namespace selvedge::host
