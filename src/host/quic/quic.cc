#include "host/quic/quic.h"

#include <sys/timerfd.h>

#include <cerrno>
#include <cstring>

#include "host/quic/endpoint.h"

namespace selvedge::host {

static Status check_config(const QuicConfig& config) {
  static constexpr size_t kPayloadBytesMin = 1200;  // RFC 9000 14.1
  static constexpr size_t kMessageBytesMax = 1u << 30;
  if (config.message_bytes_max == 0 || config.message_bytes_max > kMessageBytesMax) {
    return fail(Errc::kInvalid, "message_bytes_max has to be 1 to 2^30");
  }
  if (config.send_queue_bytes_max < config.message_bytes_max + OutStream::kOverheadBytes) {
    return fail(Errc::kInvalid, "send_queue_bytes_max has to hold at least one message of message_bytes_max");
  }
  if (config.udp_payload_bytes_max < kPayloadBytesMin || config.udp_payload_bytes_max > UdpSocket::kBurstBytesMax) {
    return fail(Errc::kInvalid, "udp_payload_bytes_max has to be 1200 to 65000");
  }
  if (config.receive_window_bytes_initial == 0 ||
      config.receive_window_bytes_max < config.receive_window_bytes_initial) {
    return fail(Errc::kInvalid,
                "receive_window_bytes_max has to be at least receive_window_bytes_initial, and both positive");
  }
  if (config.connections_max == 0 || config.handshakes_pending_max < 2) {
    return fail(Errc::kInvalid, "connections_max has to be positive and handshakes_pending_max at least 2");
  }
  if (config.handshake_timeout.ns <= 0 || config.idle_timeout.ns < milliseconds(1).ns || config.keep_alive.ns < 0) {
    return fail(Errc::kInvalid, "timeouts have to be positive");
  }
  if (config.protocol.empty() || config.protocol.size() > 255)
    return fail(Errc::kInvalid, "the protocol has 1 to 255 bytes");
  return ok();
}

Result<std::unique_ptr<QuicEndpoint>> QuicEndpoint::create(Loop& loop, QuicConfig config, Events events) {
  TRY(check_config(config));
  const SocketAddress address = TRY(SocketAddress::parse(config.listen));
  std::unique_ptr<TlsIdentity> identity = TRY(TlsIdentity::create(config.node_seed, config.protocol, config.key_use));
  UdpSocket socket = TRY(UdpSocket::bind(address));
  // The loop's own timers count milliseconds; pacing on a fast path needs microseconds.
  const int timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer_fd < 0) return fail(Errc::kIo, std::string("cannot make a timer: ") + strerror(errno));
  auto impl = std::make_unique<Impl>(loop, std::move(config), std::move(events), std::move(socket), std::move(identity),
                                     timer_fd);
  return std::unique_ptr<QuicEndpoint>(new QuicEndpoint(std::move(impl)));
}

QuicEndpoint::QuicEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
QuicEndpoint::~QuicEndpoint() = default;
std::string QuicEndpoint::address() const { return impl_->address().text(); }
const PeerKey& QuicEndpoint::key() const { return impl_->key(); }
uint64_t QuicEndpoint::dial(const PeerKey& expected, const std::string& address, DialAs as) {
  return impl_->dial(expected, address, as);
}
void QuicEndpoint::inject(uint64_t circuit, size_t segment, Bytes packets) { impl_->inject(circuit, segment, std::move(packets)); }
Status QuicEndpoint::send(uint64_t connection, Channel channel, Bytes message) {
  return impl_->send(connection, channel, std::move(message));
}
void QuicEndpoint::pause(uint64_t connection, Channel channel) { impl_->set_paused(connection, channel, true); }
void QuicEndpoint::resume(uint64_t connection, Channel channel) { impl_->set_paused(connection, channel, false); }
void QuicEndpoint::close(uint64_t connection, const std::string& reason) { impl_->close(connection, reason); }
void QuicEndpoint::close_all(const std::string& reason) { impl_->close_all(reason); }
QuicStats QuicEndpoint::stats() const { return impl_->stats(); }
Result<QuicConnectionStats> QuicEndpoint::connection_stats(uint64_t connection) const {
  return impl_->connection_stats(connection);
}

}  // namespace selvedge::host
