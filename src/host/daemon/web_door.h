// WebDoor: where browsers come in, by HTTP at one TCP address.
//
// /selvedge is a WebSocket, inside which both sides prove their keys (mesh/secure_channel.h): to the wires it is one more way to a peer, and who comes
// by it may do what the owner's grants say, as everywhere. /sdk/ is what a page needs to be a node, / is such a
// page, and /node says whom it meets here. There is
// nothing else, and none of it is secret. Lives on the loop thread; owned by the wires.
#pragma once

#include <map>
#include <memory>

#include "host/net/http_server.h"
#include "host/net/web_socket.h"
#include "host/quic/quic.h"
#include "mesh/secure_channel.h"

namespace selvedge::host {

/// Connections of the door have this bit in their numbers, those of QUIC never.
inline constexpr uint64_t kWebConnectionBit = uint64_t(1) << 63;
inline constexpr Duration kWebHandshakeTimeout = seconds(10);
inline constexpr size_t kWebConnectionsMax = 1024;
inline constexpr size_t kWebConnectionsPerClientMax = 64;
/// What may be under way to a browser (mesh/trunk.h).
inline constexpr uint64_t kWebWindowBytes = 1u << 20;

struct WebDoorOptions {
  std::string address;                       // "127.0.0.1:8200"; port 0 lets the system choose
  const crypto::Signer* signer = nullptr;    // this node's, outlives the door
  std::string about;                         // JSON, for /node
};

class WebDoor {
 public:
  /// As those of QuicEndpoint::Events.
  struct Events {
    std::function<void(uint64_t connection, const PeerKey& peer, std::string address)> opened;
    std::function<void(uint64_t connection, Channel channel, Bytes message)> message;
    std::function<void(uint64_t connection, Channel channel, uint64_t messages, uint64_t window)> delivered;
    std::function<void(uint64_t connection, Error why)> closed;   // of those that were opened
  };
  /// Errors: as HttpServer::listen.
  static Result<std::unique_ptr<WebDoor>> listen(Loop& loop, WebDoorOptions options, Events events);
  ~WebDoor();

  const std::string& address() const { return server_->address(); }
  /// As QuicEndpoint's.
  Status send(uint64_t connection, Channel channel, Bytes message);
  void pause(uint64_t connection, Channel channel) { set_paused(connection, channel, true); }
  void resume(uint64_t connection, Channel channel) { set_paused(connection, channel, false); }
  void close(uint64_t connection, const std::string& reason);
  void close_all(const std::string& reason);

 private:
  struct Visitor;
  WebDoor(Loop& loop, WebDoorOptions options, Events events);
  void on_request(const HttpRequest& request);
  void take(UpgradedConnection connection, const std::string& from);
  void carry_out(uint64_t id, mesh::SecureChannel::Out& out);
  void end(uint64_t id, Error why);
  void set_paused(uint64_t connection, Channel channel, bool paused);
  void sweep();

  Loop& loop_;
  const WebDoorOptions options_;
  const Events events_;
  crypto::Drbg drbg_;
  std::unique_ptr<HttpServer> server_;
  std::map<uint64_t, std::unique_ptr<Visitor>> visitors_;   // they go before the server
  std::vector<std::unique_ptr<Visitor>> gone_;              // until nothing of theirs is being called
  uint64_t last_ = kWebConnectionBit;
  Loop::Timer sweep_timer_;
};

}  // namespace selvedge::host
