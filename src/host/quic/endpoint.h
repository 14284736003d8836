// QuicEndpoint::Impl: the socket, the timer, the table of connections, and the one place where events are called.
//
// A turn: packets or timers come in and only change connections; then settle() hands out events, which may call back
// into the endpoint, lets the connections write, and buries those that ended, until nothing is left to do or the turn
// has had its share. What the API changes outside of a turn is settled in one that post() starts.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "host/quic/connection.h"
#include "host/quic/quic.h"
#include "host/quic/udp_socket.h"

namespace selvedge::host {

class QuicEndpoint::Impl final : private ConnectionHost {
 public:
  Impl(Loop& loop, QuicConfig config, Events events, UdpSocket socket, std::unique_ptr<TlsIdentity> identity,
       int timer_fd);
  ~Impl();

  const SocketAddress& address() const { return socket_.local(); }
  const PeerKey& key() const { return identity_->key(); }
  uint64_t dial(const PeerKey& expected, const std::string& address, DialAs as);
  void inject(uint64_t circuit, size_t segment, Bytes packets);
  Status send(uint64_t number, Channel channel, Bytes message);
  void set_paused(uint64_t number, Channel channel, bool paused);
  void close(uint64_t number, const std::string& reason);
  void close_all(const std::string& reason);
  QuicStats stats() const;
  Result<QuicConnectionStats> connection_stats(uint64_t number) const;

 private:
  /// Of a connection that is nobody's: its own key.
  struct Mask {
    std::unique_ptr<TlsIdentity> identity;
    Connection::Shared shared;
  };
  struct Peer {
    std::unique_ptr<Mask> mask;
    std::unique_ptr<Connection> connection;
    bool told_open = false;
    bool dirty = false;                 // listed in dirty_
    Instant expiry = Instant::never();  // as listed in timers_
  };
  // What remains of a connection in its closing or draining period (RFC 9000 10.2).
  struct Ghost {
    std::vector<ngtcp2_cid> routes;
    Bytes close_packet;
    SocketAddress remote;
    uint64_t packets_seen = 0;
    Instant until;
  };
  struct IdHash {
    uint64_t salt = 0;
    size_t operator()(const ngtcp2_cid& id) const;
  };
  struct IdEqual {
    bool operator()(const ngtcp2_cid& a, const ngtcp2_cid& b) const { return ngtcp2_cid_eq(&a, &b) != 0; }
  };
  // So many answers a second to packets that belong to no connection.
  struct ReplyBudget {
    uint64_t left = 0;
    Instant filled;
    bool take(Instant now);
  };

  void add_route(const ngtcp2_cid& id, uint64_t number) override;
  void remove_route(const ngtcp2_cid& id) override;
  void add_reset_token(const ResetToken& token, uint64_t number) override;
  void remove_reset_token(const ResetToken& token) override;
  const crypto::Secret<32>& reset_secret() const override { return reset_secret_; }

  void on_socket(int events);
  void on_timer();
  void on_datagram(const UdpSocket::Datagram& datagram, Instant now);
  void on_ghost_packet(Ghost& ghost, const UdpSocket::Datagram& datagram);
  void on_unknown(const UdpSocket::Datagram& datagram, const ngtcp2_version_cid& ids, Instant now);
  void accept(const UdpSocket::Datagram& datagram, Instant now);
  enum class Token : uint8_t { kNone, kGood, kBad };
  Token check_token(const UdpSocket::Datagram& datagram, const ngtcp2_pkt_hd& header, ngtcp2_cid& original,
                    Instant now) const;

  void reply_version(const UdpSocket::Datagram& datagram, const ngtcp2_version_cid& ids, Instant now);
  void reply_retry(const UdpSocket::Datagram& datagram, const ngtcp2_pkt_hd& header, Instant now);
  void reply_refusal(const UdpSocket::Datagram& datagram, const ngtcp2_pkt_hd& header, uint64_t code, Instant now);
  void reply_reset(const UdpSocket::Datagram& datagram, const ngtcp2_version_cid& ids, Instant now);
  void reply(const UdpSocket::Datagram& to, ByteView packet);

  Peer* find(uint64_t number);
  Status start_dial(uint64_t number, const PeerKey& expected, const std::string& address, DialAs as);
  void add_peer(uint64_t number, std::unique_ptr<Connection> connection, std::unique_ptr<Mask> mask = nullptr);
  /// Packets of circuits go between turns, so that no event comes from inside a call.
  UdpSocket::Sent send_packets(const SocketAddress& from, const SocketAddress& to, ByteView data, size_t segment, size_t& taken);
  void post_circuits();
  void run_circuits();
  void touch(uint64_t number, Peer& peer);
  void schedule();
  void settle();
  /// Calls the events that are due. Returns whether all of them were.
  bool tell(uint64_t number, Peer& peer);
  void tell_sender(uint64_t number, Peer& peer, Instant now);
  enum class Written : uint8_t { kAll, kMore, kBlocked };
  Written write(Peer& peer, Instant now);
  bool transmit(const SocketAddress& from, const SocketAddress& to, ByteView data, size_t segment);
  void flush_blocked();
  void bury(uint64_t number, Peer& peer, Instant now);
  void forget_ghost(uint64_t number);
  void set_expiry(uint64_t number, Instant& listed, Instant at);
  void arm_timer(Instant now);

  Loop& loop_;
  const QuicConfig config_;
  const Events events_;
  UdpSocket socket_;
  const std::unique_ptr<TlsIdentity> identity_;
  const int timer_fd_;
  crypto::Secret<32> reset_secret_, token_secret_;
  Connection::Shared shared_;

  uint64_t next_number_ = 1;
  std::unordered_map<uint64_t, Peer> peers_;
  std::unordered_map<uint64_t, Ghost> ghosts_;
  std::deque<uint64_t> ghost_order_;
  std::unordered_map<ngtcp2_cid, uint64_t, IdHash, IdEqual> routes_;
  std::map<ResetToken, uint64_t> reset_tokens_;
  std::set<std::pair<Instant, uint64_t>> timers_;
  std::vector<std::pair<uint64_t, Error>> failed_dials_;
  size_t handshakes_pending_ = 0;

  std::vector<uint64_t> dirty_;
  std::vector<UdpSocket::Datagram> arrived_;
  std::vector<uint8_t> write_buffer_;
  // The rest of a burst for which the socket had no room; nothing else is sent before it.
  Bytes blocked_;
  SocketAddress blocked_from_, blocked_to_;
  size_t blocked_segment_ = 0;

  struct CircuitPackets {
    uint64_t circuit;
    size_t segment;
    Bytes packets;
  };
  std::deque<CircuitPackets> circuits_out_, circuits_in_;
  bool circuits_posted_ = false;

  ReplyBudget replies_;
  QuicStats stats_;
  bool scheduled_ = false;
  bool settling_ = false;
  bool telling_ = false;
  Instant timer_armed_ = Instant::never();
  std::shared_ptr<Impl*> alive_;  // posted callbacks hold it weakly
  std::unique_ptr<Loop::Watch> socket_watch_, timer_watch_;
};

}  // namespace selvedge::host
