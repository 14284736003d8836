// Connection: one QUIC connection, its TLS session and its two channels, over ngtcp2.
//
// It sees packets, time and messages, and knows no socket: the endpoint feeds it, asks it for packets and timers,
// and takes out what it has to tell. Callbacks of ngtcp2 only take notes (messages that are ready, a state that was
// reached, a rule that was broken); nothing of ours is called from inside ngtcp2.
//
// Memory: outgoing is bounded by send_queue_bytes_max. Incoming is bounded by one partial message and one flow control
// window a channel: a window is only given back when its messages were handed out.
//
// Owned by QuicEndpoint::Impl, one loop thread.
#pragma once

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "host/loop/address.h"
#include "host/quic/frame.h"
#include "host/quic/out_stream.h"
#include "host/quic/quic.h"
#include "host/quic/tls.h"

namespace selvedge::host {

/// Every connection id we give out has this size, so that a short header can be read (RFC 9000 17.3).
inline constexpr size_t kConnectionIdBytes = 8;
/// Room for a packet that closes a connection.
inline constexpr size_t kClosePacketBytesMax = 1200;

using ResetToken = std::array<uint8_t, NGTCP2_STATELESS_RESET_TOKENLEN>;

/// What a connection needs of its endpoint.
class ConnectionHost {
 public:
  /// Packets for `id` belong to the connection numbered `connection`.
  virtual void add_route(const ngtcp2_cid& id, uint64_t connection) = 0;
  virtual void remove_route(const ngtcp2_cid& id) = 0;
  /// A packet that ends in `token` says that the peer has forgotten this connection (RFC 9000 10.3).
  virtual void add_reset_token(const ResetToken& token, uint64_t connection) = 0;
  virtual void remove_reset_token(const ResetToken& token) = 0;
  virtual const crypto::Secret<32>& reset_secret() const = 0;

 protected:
  ~ConnectionHost() = default;
};

class Connection final : private PeerJudge {
 public:
  struct Shared {  // the endpoint's, outliving every connection
    const QuicConfig& config;
    const TlsIdentity& identity;
    ConnectionHost& host;
  };
  /// What the endpoint found out about a first packet before it made a connection for it.
  struct Incoming {
    ngtcp2_pkt_hd header;
    std::optional<ngtcp2_cid> original_destination;  // set when the client came back with a Retry token
  };
  /// Packets of equal size to one address, as write() makes them.
  struct Burst {
    SocketAddress from, to;
    size_t size = 0;     // bytes
    size_t segment = 0;  // bytes of each packet but the last
    bool more = false;   // another burst may follow at once
  };

  static Result<std::unique_ptr<Connection>> dial(const Shared& shared, uint64_t number, const PeerKey& expected,
                                                  const SocketAddress& local, const SocketAddress& remote, Instant now);
  static Result<std::unique_ptr<Connection>> accept(const Shared& shared, uint64_t number, const Incoming& incoming,
                                                    const SocketAddress& local, const SocketAddress& remote,
                                                    Instant now);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void read(const SocketAddress& local, const SocketAddress& remote, ByteView packet, Instant now);
  /// Fills `out` with the next packets. An empty burst: nothing to send for now.
  Burst write(std::span<uint8_t> out, Instant now);
  Instant expiry() const;
  void on_expiry(Instant now);

  /// Errors: kInvalid, kLimit.
  Status send(Channel channel, Bytes message);
  void set_paused(Channel channel, bool paused, Instant now);
  /// The next message to hand out, if there is one and its channel is not paused.
  std::optional<Bytes> take_message(Channel channel);
  /// Gives back the flow control windows of what was handed out.
  void return_credit();
  /// How many of the first messages given to a channel are acknowledged; nothing when none were since it was asked last.
  std::optional<uint64_t> take_delivered(Channel channel);
  uint64_t window_bytes() const;
  /// True once when something has been under way for long and nothing at all was heard since.
  bool take_stalled(Instant now);
  /// True once after send() answered kLimit and the queue has fallen below half.
  bool take_writable();

  /// Ends the connection from our side.
  void close(const std::string& reason, Instant now);

  bool dialled() const { return side_ == Side::kDialler; }
  /// Authenticated both ways, and accepted by the peer as far as that can be known (RFC 9001 4.1.2).
  bool open() const { return open_; }
  const PeerKey& peer() const { return peer_; }
  /// Whoever answered a dial held peer(), and not the key that was dialled.
  bool other_answered() const { return peer_wrong_; }
  const SocketAddress& remote() const { return remote_; }
  /// Set when it is over; the connection then only waits to be buried.
  const std::optional<Error>& ended() const { return ended_; }
  bool closed_here() const { return closed_here_; }
  /// What to answer to further packets (RFC 9000 10.2.1); empty when silence is the answer.
  const Bytes& close_packet() const { return close_packet_; }
  Duration linger() const;
  const std::vector<ngtcp2_cid>& routes() const { return routes_; }
  QuicConnectionStats stats() const;

 private:
  struct InChannel {
    int64_t id = -1;  // QUIC stream id
    std::deque<Bytes> ready;
    Bytes raw;               // arrived while paused, not yet parsed
    size_t credit_owed = 0;  // stream bytes whose window was not given back
    bool paused = false;
  };
  struct Callbacks;
  friend struct Callbacks;
  friend struct ConnectionPeek;  // a test plays the peer that breaks rules

  Connection(const Shared& shared, uint64_t number, Side side);
  Status start(ngtcp2_conn* conn);
  ngtcp2_settings settings(Instant now) const;
  ngtcp2_transport_params parameters() const;
  bool accept(const PeerKey& key) override;

  // Notes of the callbacks; false is a broken rule, which is then in violation_.
  bool on_handshake_completed();
  bool on_stream_data(int64_t stream, ByteView data, bool last);
  bool parse(FrameReader& reader, ByteView data);
  bool break_rule(Errc code, std::string message);
  void on_acknowledged(int64_t stream, uint64_t offset_end);

  OutStream* next_stream();
  bool open_streams();
  ngtcp2_ssize write_packet(ngtcp2_path* path, std::span<uint8_t> out, Instant now);
  void fail_with(int library_error, Instant now);
  Error describe_local(int library_error) const;
  Error describe_peer_close() const;
  void write_close(const ngtcp2_ccerr& error, Instant now);
  void end(Error why);
  size_t queued() const { return out_[0].queued() + out_[1].queued(); }

  const Shared& shared_;
  const uint64_t number_;
  const Side side_;
  ngtcp2_crypto_conn_ref ref_{};
  ngtcp2_conn* conn_ = nullptr;
  gnutls_session_int* session_ = nullptr;
  std::vector<ngtcp2_cid> routes_;
  std::vector<ResetToken> reset_tokens_;
  SocketAddress remote_;

  PeerKey expected_;  // dialler
  PeerKey peer_;
  bool peer_proved_ = false;
  bool peer_wrong_ = false;
  bool open_ = false;
  bool reset_seen_ = false;
  bool closed_here_ = false;
  std::optional<Error> violation_;
  std::optional<Error> ended_;
  Bytes close_packet_;

  std::array<OutStream, kChannels> out_{OutStream(0), OutStream(1)};
  std::array<InChannel, kChannels> in_;
  std::map<int64_t, FrameReader> readers_;  // by QUIC stream id; at most kChannels, as the peer's stream limit says
  bool writable_owed_ = false;
  std::array<uint64_t, kChannels> delivered_told_{};
  bool stalled_told_ = false;
  Instant heard_at_{0};         // or when the first of what is under way was sent, if that was later
  Bytes spill_;  // a packet that did not fit the burst before it: a probe, or one for another path
  SocketAddress spill_from_, spill_to_;
  QuicConnectionStats stats_;
};

}  // namespace selvedge::host
