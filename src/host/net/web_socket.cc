#include "host/net/web_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nettle/sha1.h>
#include <string.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#include <algorithm>

#include "codec/base64.h"

namespace selvedge::host {

namespace {

constexpr const char* kAcceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";   // RFC 6455 1.3
constexpr size_t kKeyBytes = 16;
constexpr size_t kCloseReasonBytesMax = 123;                                   // RFC 6455 5.5

bool has_token(const std::string& list, std::string_view token) {
  std::string lower = list;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? char(c + 32) : c;
  for (size_t at = 0; at <= lower.size();) {
    const size_t end = std::min(lower.find(',', at), lower.size());
    std::string_view part = std::string_view(lower).substr(at, end - at);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (part == token) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> web_socket_answer(const HttpRequest& request) {
  if (request.method != "GET" || !has_token(request.header("upgrade"), "websocket") || !has_token(request.header("connection"), "upgrade")) {
    return fail(Errc::kInvalid, "a WebSocket is asked for here, and nothing else");
  }
  if (request.header("sec-websocket-version") != "13") return fail(Errc::kUnsupported, "WebSocket version 13 is spoken here");
  const std::string key = request.header("sec-websocket-key");
  const Result<Bytes> nonce = codec::base64_decode(key);
  if (!nonce.ok() || nonce->size() != kKeyBytes) return fail(Errc::kInvalid, "the Sec-WebSocket-Key is not 16 bytes in base64");
  const std::string text = key + kAcceptSuffix;
  sha1_ctx context;
  sha1_init(&context);
  sha1_update(&context, text.size(), reinterpret_cast<const uint8_t*>(text.data()));
  uint8_t digest[SHA1_DIGEST_SIZE];
  sha1_digest(&context, sizeof digest, digest);
  return std::vector<std::pair<std::string, std::string>>{{"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", codec::base64_encode(ByteView(digest, sizeof digest))}};
}

struct WebSocket::Callbacks {
  static ssize_t receive(wslay_event_context_ptr context, uint8_t* to, size_t room, int, void* self) {
    WebSocket& socket = *static_cast<WebSocket*>(self);
    if (socket.paused_ || socket.packets_.size() >= 64) {   // what wslay has read already is all that is handed out
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    const std::string& early = socket.connection_.early;
    if (socket.early_read_ < early.size()) {
      const size_t size = std::min(room, early.size() - socket.early_read_);
      memcpy(to, early.data() + socket.early_read_, size);
      socket.early_read_ += size;
      return ssize_t(size);
    }
    ssize_t size = 0;
    do size = recv(socket.connection_.fd, to, room, 0);
    while (size < 0 && errno == EINTR);
    if (size > 0) {
      socket.heard_ = socket.loop_.now();
      return size;
    }
    wslay_event_set_error(context, size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
  }

  static ssize_t send(wslay_event_context_ptr context, const uint8_t* from, size_t size, int, void* self) {
    WebSocket& socket = *static_cast<WebSocket*>(self);
    ssize_t sent = 0;
    do sent = ::send(socket.connection_.fd, from, size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) wslay_event_set_error(context, errno == EAGAIN || errno == EWOULDBLOCK ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return sent;
  }

  static void message(wslay_event_context_ptr context, const wslay_event_on_msg_recv_arg* message, void* self) {
    WebSocket& socket = *static_cast<WebSocket*>(self);
    if (message->opcode == WSLAY_BINARY_FRAME) socket.packets_.emplace_back(message->msg, message->msg + message->msg_length);
    else if (message->opcode == WSLAY_TEXT_FRAME) wslay_event_queue_close(context, WSLAY_CODE_UNSUPPORTED_DATA, nullptr, 0);
  }
};

WebSocket::WebSocket(Loop& loop, UpgradedConnection connection, size_t packet_bytes_max, Events events)
    : loop_(loop), connection_(std::move(connection)), events_(std::move(events)), heard_(loop.now()), timer_(loop, [this] { on_timer(); }),
      alive_(std::make_shared<WebSocket*>(this)) {
  const int on = 1;   // packets are small and each is waited for
  setsockopt(connection_.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const wslay_event_callbacks callbacks{&Callbacks::receive, &Callbacks::send, nullptr, nullptr, nullptr, nullptr, &Callbacks::message};
  CHECK(wslay_event_context_server_init(&context_, &callbacks, this) == 0);
  wslay_event_config_set_max_recv_msg_length(context_, packet_bytes_max);
  watch_ = std::make_unique<Loop::Watch>(loop_, connection_.fd, [this](int events_seen) { turn(events_seen); });
  timer_.set(heard_ + kWebSocketAsk);
  watch();
  if (!connection_.early.empty()) {
    loop_.post([weak = std::weak_ptr(alive_)] {
      if (const auto self = weak.lock()) (*self)->turn(Loop::Watch::kReadable);
    });
  }
}

WebSocket::~WebSocket() {
  watch_.reset();
  wslay_event_context_free(context_);
  connection_.release();
}

void WebSocket::watch() {
  if (over_) return watch_->set(0);
  const bool reads = !paused_ && wslay_event_want_read(context_), writes = wslay_event_want_write(context_);
  watch_->set((reads ? Loop::Watch::kReadable : 0) | (writes ? Loop::Watch::kWritable : 0));
}

void WebSocket::fail_later(Error why) {
  if (over_) return;
  over_ = true;
  watch_->set(0);
  timer_.cancel();
  loop_.post([weak = std::weak_ptr(alive_), why = std::move(why)] {
    if (const auto self = weak.lock()) (*self)->events_.closed(why);
  });
}

void WebSocket::turn(int events) {
  if (over_) return;
  const bool broken = ((events & Loop::Watch::kReadable) && wslay_event_recv(context_) != 0) || wslay_event_send(context_) != 0;
  const auto alive = std::weak_ptr(alive_);
  for (Bytes& packet : std::exchange(packets_, {})) {
    events_.packet(std::move(packet));
    if (alive.expired()) return;   // an event may be its end
  }
  if (broken) return fail_later({Errc::kUnavailable, "the connection broke"});
  if (!wslay_event_want_read(context_) && !wslay_event_want_write(context_)) return fail_later({Errc::kCancelled, "the other end closed"});
  watch();
}

void WebSocket::send(ByteView packet) {
  if (over_) return;
  const wslay_event_msg message{WSLAY_BINARY_FRAME, packet.data(), packet.size()};
  if (wslay_event_get_queued_msg_length(context_) + packet.size() > kWebSocketUnsentMax) return fail_later({Errc::kLimit, "the other end does not read"});
  if (wslay_event_queue_msg(context_, &message) != 0) return;   // it is closing
  if (wslay_event_send(context_) != 0) return fail_later({Errc::kUnavailable, "the connection broke"});
  watch();
}

void WebSocket::set_paused(bool paused) {
  if (paused_ == paused || over_) return;
  paused_ = paused;
  watch();
  if (paused_ || early_read_ == connection_.early.size()) return;
  loop_.post([weak = std::weak_ptr(alive_)] {
    if (const auto self = weak.lock()) (*self)->turn(Loop::Watch::kReadable);
  });
}

void WebSocket::close(const std::string& reason) {
  if (over_) return;
  const std::string text = reason.substr(0, kCloseReasonBytesMax);
  wslay_event_queue_close(context_, WSLAY_CODE_NORMAL_CLOSURE, reinterpret_cast<const uint8_t*>(text.data()), text.size());
  (void)wslay_event_send(context_);   // it goes, or the connection does
  fail_later({Errc::kCancelled, reason});
}

void WebSocket::on_timer() {
  const Instant now = loop_.now();
  if (!paused_ && now - heard_ >= kWebSocketSilence) return fail_later({Errc::kTimeout, "nothing was heard"});
  if (now - heard_ >= kWebSocketAsk) {
    const wslay_event_msg ping{WSLAY_PING, nullptr, 0};
    (void)wslay_event_queue_msg(context_, &ping);
    if (wslay_event_send(context_) != 0) return fail_later({Errc::kUnavailable, "the connection broke"});
    watch();
  }
  timer_.set(now + kWebSocketAsk);
}

}  // namespace selvedge::host
