// WebSocket: packets over one HTTP connection that was upgraded (RFC 6455, the server's side; frames by wslay, decision 0039).
//
// Binary messages only, each bounded. It asks whether the other end is still there (browsers answer by themselves, also for pages that sleep), and closes
// when nothing came for a while. Whoever does not read what is sent is cut off. Lives on the loop thread; its events never come from inside a call.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "host/loop/loop.h"
#include "host/net/http_server.h"

struct wslay_event_context;

namespace selvedge::host {

inline constexpr Duration kWebSocketAsk = seconds(10);        // after so much silence
inline constexpr Duration kWebSocketSilence = seconds(30);    // and then it is over
inline constexpr size_t kWebSocketUnsentMax = 72u << 20;

/// The headers of the answer to a request that asks for a WebSocket. Errors: kInvalid (it is no such request), kUnsupported (another version).
Result<std::vector<std::pair<std::string, std::string>>> web_socket_answer(const HttpRequest& request);

class WebSocket {
 public:
  struct Events {
    std::function<void(Bytes packet)> packet;
    std::function<void(Error why)> closed;    // once, and nothing follows
  };
  WebSocket(Loop& loop, UpgradedConnection connection, size_t packet_bytes_max, Events events);
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  void send(ByteView packet);
  /// Whether packets are handed out; while they are not, little is read.
  void set_paused(bool paused);
  /// Says goodbye, and is destroyed by its owner soon.
  void close(const std::string& reason);

 private:
  struct Callbacks;
  void turn(int events);
  void watch();
  void fail_later(Error why);
  void on_timer();

  Loop& loop_;
  UpgradedConnection connection_;
  const Events events_;
  wslay_event_context* context_ = nullptr;
  size_t early_read_ = 0;
  bool paused_ = false, over_ = false;
  Instant heard_;
  std::vector<Bytes> packets_;            // of the read in progress
  std::unique_ptr<Loop::Watch> watch_;
  Loop::Timer timer_;
  std::shared_ptr<WebSocket*> alive_;     // posted callbacks hold it weakly
};

}  // namespace selvedge::host
