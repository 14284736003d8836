#include "host/quic/endpoint.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "crypto/drbg.h"
#include "crypto/hash.h"

namespace selvedge::host {

// One turn serves this much, then the loop gets to run other things.
/// The socket is read until it is empty, but no longer than this: what stays in it makes every peer wait, and what does not fit is lost.
static constexpr Duration kReceiveTurn = milliseconds(2);
static constexpr size_t kBurstsMax = 8;  // a connection
static constexpr size_t kSettleRoundsMax = 8;
static constexpr size_t kMessagesTurnMax = 4096;  // a connection and round
static constexpr size_t kGhostsMax = 4096;
static constexpr size_t kCircuitBurstsMax = 1024;  // waiting, each way; more are lost, as in a full socket
// While the socket is full, timers are looked at no more often than this.
static constexpr Duration kBlockedWait = milliseconds(1);

size_t QuicEndpoint::Impl::IdHash::operator()(const ngtcp2_cid& id) const {
  // Salted, because a client chooses the first id its packets carry.
  uint64_t h = salt ^ id.datalen;
  for (size_t at = 0; at < id.datalen; at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, id.data + at, std::min<size_t>(8, id.datalen - at));
    h = (h ^ word) * 0x9E3779B97F4A7C15;
    h ^= h >> 32;
  }
  return size_t(h);
}

static uint64_t random_word() {
  uint64_t out = 0;
  CHECK(gnutls_rnd(GNUTLS_RND_NONCE, &out, sizeof out) == 0);
  return out;
}

QuicEndpoint::Impl::Impl(Loop& loop, QuicConfig config, Events events, UdpSocket socket,
                         std::unique_ptr<TlsIdentity> identity, int timer_fd)
    : loop_(loop),
      config_(std::move(config)),
      events_(std::move(events)),
      socket_(std::move(socket)),
      identity_(std::move(identity)),
      timer_fd_(timer_fd),
      // From the seed, so that a restarted node can still tell old peers that it forgot them (RFC 9000 10.3.2).
      reset_secret_(crypto::hkdf_sha256_key(config_.node_seed.view(), {}, view("selvedge quic stateless reset"))),
      token_secret_(crypto::hkdf_sha256_key(config_.node_seed.view(), {}, view("selvedge quic retry token"))),
      shared_{config_, *identity_, *this},
      routes_(0, IdHash{random_word()}),
      write_buffer_(UdpSocket::kBurstBytesMax),
      alive_(std::make_shared<Impl*>(this)) {
  arrived_.reserve(UdpSocket::kReceiveRuns * UdpSocket::kSegmentsMax);
  socket_watch_ = std::make_unique<Loop::Watch>(loop_, socket_.fd(), [this](int ready) { on_socket(ready); });
  timer_watch_ = std::make_unique<Loop::Watch>(loop_, timer_fd_, [this](int) { on_timer(); });
  socket_watch_->set(Loop::Watch::kReadable);
  timer_watch_->set(Loop::Watch::kReadable);
}

QuicEndpoint::Impl::~Impl() {
  CHECK_MSG(!telling_, "an endpoint is destroyed from inside one of its events; post() it instead");
  alive_.reset();
  socket_watch_.reset();
  timer_watch_.reset();
  peers_.clear();
  ::close(timer_fd_);
}

// ---- The table.

void QuicEndpoint::Impl::add_route(const ngtcp2_cid& id, uint64_t number) { routes_.insert_or_assign(id, number); }
void QuicEndpoint::Impl::remove_route(const ngtcp2_cid& id) { routes_.erase(id); }
void QuicEndpoint::Impl::add_reset_token(const ResetToken& token, uint64_t number) {
  reset_tokens_.insert_or_assign(token, number);
}
void QuicEndpoint::Impl::remove_reset_token(const ResetToken& token) { reset_tokens_.erase(token); }

QuicEndpoint::Impl::Peer* QuicEndpoint::Impl::find(uint64_t number) {
  const auto it = peers_.find(number);
  return it == peers_.end() ? nullptr : &it->second;
}

void QuicEndpoint::Impl::touch(uint64_t number, Peer& peer) {
  if (!peer.dirty) {
    peer.dirty = true;
    dirty_.push_back(number);
  }
  schedule();
}

void QuicEndpoint::Impl::schedule() {
  if (scheduled_ || settling_) return;
  scheduled_ = true;
  std::weak_ptr<Impl*> alive = alive_;
  loop_.post([alive] {
    if (const auto self = alive.lock()) {
      (*self)->scheduled_ = false;
      (*self)->settle();
    }
  });
}

void QuicEndpoint::Impl::add_peer(uint64_t number, std::unique_ptr<Connection> connection, std::unique_ptr<Mask> mask) {
  if (!connection->dialled()) ++handshakes_pending_;
  Peer peer;
  peer.mask = std::move(mask);
  peer.connection = std::move(connection);
  touch(number, peers_.emplace(number, std::move(peer)).first->second);
}

// ---- Packets in.

void QuicEndpoint::Impl::on_socket(int ready) {
  if (ready & Loop::Watch::kWritable) flush_blocked();
  if (ready & Loop::Watch::kReadable) {
    const Instant until = loop_.now() + kReceiveTurn;
    for (Instant now = loop_.now(); now < until; now = loop_.now()) {
      arrived_.clear();
      const bool more = socket_.receive(arrived_);
      for (const UdpSocket::Datagram& datagram : arrived_) {
        if (!datagram.from.circuit()) on_datagram(datagram, now);  // no network carries such an address: it is a lie
      }
      if (!more) break;
    }
  }
  settle();
}

void QuicEndpoint::Impl::on_datagram(const UdpSocket::Datagram& datagram, Instant now) {
  stats_.packets_received += 1;
  stats_.bytes_received += datagram.data.size();
  ngtcp2_version_cid ids;
  const int code = ngtcp2_pkt_decode_version_cid(&ids, datagram.data.data(), datagram.data.size(), kConnectionIdBytes);
  if (code == NGTCP2_ERR_VERSION_NEGOTIATION) return reply_version(datagram, ids, now);
  if (code != 0 || ids.dcidlen > NGTCP2_MAX_CIDLEN) {
    stats_.packets_ignored += 1;
    return;
  }
  ngtcp2_cid destination;
  ngtcp2_cid_init(&destination, ids.dcid, ids.dcidlen);
  const auto route = routes_.find(destination);
  if (route == routes_.end()) return on_unknown(datagram, ids, now);
  const uint64_t number = route->second;
  if (Peer* peer = find(number)) {
    peer->connection->read(datagram.to, datagram.from, datagram.data, now);
    touch(number, *peer);
    return;
  }
  if (const auto ghost = ghosts_.find(number); ghost != ghosts_.end()) on_ghost_packet(ghost->second, datagram);
}

void QuicEndpoint::Impl::on_ghost_packet(Ghost& ghost, const UdpSocket::Datagram& datagram) {
  // The first, second, fourth, eighth packet is answered: enough for a peer that missed the first close.
  const uint64_t seen = ++ghost.packets_seen;
  const bool answer = (seen & (seen - 1)) == 0;
  if (answer && !ghost.close_packet.empty() && datagram.from == ghost.remote) reply(datagram, ghost.close_packet);
}

void QuicEndpoint::Impl::on_unknown(const UdpSocket::Datagram& datagram, const ngtcp2_version_cid& ids, Instant now) {
  if (ids.version != 0) return accept(datagram, now);
  // A stateless reset carries a made-up id; its last bytes say whose it is.
  ResetToken token;
  if (datagram.data.size() >= token.size()) {
    std::copy_n(datagram.data.end() - ptrdiff_t(token.size()), token.size(), token.begin());
    if (const auto owner = reset_tokens_.find(token); owner != reset_tokens_.end()) {
      if (Peer* peer = find(owner->second)) {
        peer->connection->read(datagram.to, datagram.from, datagram.data, now);
        return touch(owner->second, *peer);
      }
    }
  }
  reply_reset(datagram, ids, now);
}

QuicEndpoint::Impl::Token QuicEndpoint::Impl::check_token(const UdpSocket::Datagram& datagram,
                                                          const ngtcp2_pkt_hd& header, ngtcp2_cid& original,
                                                          Instant now) const {
  static constexpr ngtcp2_duration kRetryTokenLife = 10 * NGTCP2_SECONDS;
  if (header.tokenlen == 0 || header.token[0] != NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2) return Token::kNone;
  const ByteView secret = token_secret_.view();
  const int code = ngtcp2_crypto_verify_retry_token2(
      &original, header.token, header.tokenlen, secret.data(), secret.size(), header.version, &datagram.from.any,
      datagram.from.size(), &header.dcid, kRetryTokenLife, ngtcp2_tstamp(now.ns));
  return code == 0 ? Token::kGood : Token::kBad;
}

void QuicEndpoint::Impl::accept(const UdpSocket::Datagram& datagram, Instant now) {
  Connection::Incoming incoming;
  if (ngtcp2_accept(&incoming.header, datagram.data.data(), datagram.data.size()) != 0) {
    stats_.packets_ignored += 1;
    return;
  }
  if (peers_.size() >= config_.connections_max) {
    return reply_refusal(datagram, incoming.header, NGTCP2_CONNECTION_REFUSED, now);
  }
  ngtcp2_cid original{};
  switch (check_token(datagram, incoming.header, original, now)) {
    case Token::kBad: return reply_refusal(datagram, incoming.header, NGTCP2_INVALID_TOKEN, now);
    case Token::kGood: incoming.original_destination = original; break;
    case Token::kNone:
      // A handshake costs a signature. Under load only who can receive at its address gets one (RFC 9000 8.1.2).
      if (handshakes_pending_ >= config_.handshakes_pending_max / 2) return reply_retry(datagram, incoming.header, now);
  }
  if (handshakes_pending_ >= config_.handshakes_pending_max) {
    return reply_refusal(datagram, incoming.header, NGTCP2_CONNECTION_REFUSED, now);
  }
  const uint64_t number = next_number_++;
  auto made = Connection::accept(shared_, number, incoming, datagram.to, datagram.from, now);
  if (!made.ok()) {
    stats_.packets_ignored += 1;
    return;
  }
  std::unique_ptr<Connection> connection = std::move(made).value();
  connection->read(datagram.to, datagram.from, datagram.data, now);
  add_peer(number, std::move(connection));
}

// ---- Answers to packets that belong to no connection.

bool QuicEndpoint::Impl::ReplyBudget::take(Instant now) {
  static constexpr uint64_t kRepliesMax = 2000;
  if (now - filled >= seconds(1)) {
    filled = now;
    left = kRepliesMax;
  }
  if (left == 0) return false;
  --left;
  return true;
}

void QuicEndpoint::Impl::reply(const UdpSocket::Datagram& to, ByteView packet) {
  size_t taken = 0;
  (void)send_packets(to.to, to.from, packet, packet.size(), taken);  // a full socket loses it; the peer will ask again
  stats_.packets_sent += 1;
  stats_.bytes_sent += packet.size();
}

void QuicEndpoint::Impl::reply_version(const UdpSocket::Datagram& datagram, const ngtcp2_version_cid& ids,
                                       Instant now) {
  // RFC 9000 6.1: only to datagrams that could have been a first packet, so that the answer is never longer.
  if (datagram.data.size() < NGTCP2_MAX_UDP_PAYLOAD_SIZE || !replies_.take(now)) {
    stats_.packets_ignored += 1;
    return;
  }
  static constexpr uint32_t kVersions[] = {NGTCP2_PROTO_VER_V1};
  uint8_t packet[NGTCP2_MAX_UDP_PAYLOAD_SIZE];
  const ngtcp2_ssize size = ngtcp2_pkt_write_version_negotiation(
      packet, sizeof packet, uint8_t(random_word()), ids.scid, ids.scidlen, ids.dcid, ids.dcidlen, kVersions, 1);
  if (size > 0) reply(datagram, ByteView(packet, size_t(size)));
}

void QuicEndpoint::Impl::reply_retry(const UdpSocket::Datagram& datagram, const ngtcp2_pkt_hd& header, Instant now) {
  if (!replies_.take(now)) return;
  ngtcp2_cid source{};
  source.datalen = kConnectionIdBytes;
  if (gnutls_rnd(GNUTLS_RND_NONCE, source.data, source.datalen) != 0) return;
  uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
  const ByteView secret = token_secret_.view();
  const ngtcp2_ssize token_size =
      ngtcp2_crypto_generate_retry_token2(token, secret.data(), secret.size(), header.version, &datagram.from.any,
                                          datagram.from.size(), &source, &header.dcid, ngtcp2_tstamp(now.ns));
  if (token_size < 0) return;
  uint8_t packet[NGTCP2_MAX_UDP_PAYLOAD_SIZE];
  const ngtcp2_ssize size = ngtcp2_crypto_write_retry(packet, sizeof packet, header.version, &header.scid, &source,
                                                      &header.dcid, token, size_t(token_size));
  if (size <= 0) return;
  stats_.retries_sent += 1;
  reply(datagram, ByteView(packet, size_t(size)));
}

void QuicEndpoint::Impl::reply_refusal(const UdpSocket::Datagram& datagram, const ngtcp2_pkt_hd& header, uint64_t code,
                                       Instant now) {
  stats_.refused += 1;
  if (!replies_.take(now)) return;
  uint8_t packet[NGTCP2_MAX_UDP_PAYLOAD_SIZE];
  const ngtcp2_ssize size = ngtcp2_crypto_write_connection_close(packet, sizeof packet, header.version, &header.scid,
                                                                 &header.dcid, code, nullptr, 0);
  if (size > 0) reply(datagram, ByteView(packet, size_t(size)));
}

void QuicEndpoint::Impl::reply_reset(const UdpSocket::Datagram& datagram, const ngtcp2_version_cid& ids, Instant now) {
  // RFC 9000 10.3.3: always shorter than what it answers, or two nodes could answer each other for ever.
  static constexpr size_t kResetBytes = 41;
  static constexpr size_t kRandomBytes = kResetBytes - NGTCP2_STATELESS_RESET_TOKENLEN;
  stats_.packets_ignored += 1;
  if (datagram.data.size() <= kResetBytes || ids.dcidlen != kConnectionIdBytes || !replies_.take(now)) return;
  ngtcp2_cid id;
  ngtcp2_cid_init(&id, ids.dcid, ids.dcidlen);
  uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN], random[kRandomBytes], packet[kResetBytes];
  const ByteView secret = reset_secret_.view();
  if (ngtcp2_crypto_generate_stateless_reset_token(token, secret.data(), secret.size(), &id) != 0) return;
  if (gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof random) != 0) return;
  const ngtcp2_ssize size = ngtcp2_pkt_write_stateless_reset(packet, sizeof packet, token, random, sizeof random);
  if (size <= 0) return;
  stats_.resets_sent += 1;
  reply(datagram, ByteView(packet, size_t(size)));
}

// ---- Calls from above.

Status QuicEndpoint::Impl::start_dial(uint64_t number, const PeerKey& expected, const std::string& address, DialAs as) {
  if (peers_.size() >= config_.connections_max) {
    return fail(Errc::kLimit,
                "this node has its " + std::to_string(config_.connections_max) + " connections: close some first");
  }
  std::unique_ptr<Mask> mask;
  if (as == DialAs::kNobody) {
    std::unique_ptr<TlsIdentity> identity = TRY(TlsIdentity::create(crypto::Drbg::from_os().seed(), config_.protocol, KeyUse::kPresent));
    const TlsIdentity& key = *identity;
    mask.reset(new Mask{std::move(identity), {config_, key, *this}});
  }
  const Connection::Shared& shared = mask ? mask->shared : shared_;
  if (address.starts_with(kCircuitScheme)) {
    uint64_t circuit = 0;
    const char* end = address.data() + address.size();
    const auto read = std::from_chars(address.data() + std::strlen(kCircuitScheme), end, circuit);
    if (read.ec != std::errc() || read.ptr != end) return fail(Errc::kInvalid, address + " is no circuit");
    auto made = TRY(Connection::dial(shared, number, expected, SocketAddress::of_circuit(0), SocketAddress::of_circuit(circuit), loop_.now()));
    add_peer(number, std::move(made), std::move(mask));
    return ok();
  }
  SocketAddress remote = TRY(SocketAddress::parse(address));
  if (remote.circuit()) return fail(Errc::kInvalid, address + " is an address that no network carries");
  const SocketAddress& bound = socket_.local();
  if (bound.family() == AF_INET6 && bound.is_wildcard()) remote = remote.mapped_to_v6();
  if (remote.family() != bound.family()) {
    return fail(Errc::kInvalid,
                "cannot reach " + address + " from " + bound.text() + ": listen on [::]:port for both families");
  }
  if (remote.port() == 0) return fail(Errc::kInvalid, address + " names no port");
  const SocketAddress local = TRY(socket_.local_towards(remote));
  auto made = TRY(Connection::dial(shared, number, expected, local, remote, loop_.now()));
  add_peer(number, std::move(made), std::move(mask));
  return ok();
}

uint64_t QuicEndpoint::Impl::dial(const PeerKey& expected, const std::string& address, DialAs as) {
  const uint64_t number = next_number_++;
  if (Status started = start_dial(number, expected, address, as); !started.ok()) {
    failed_dials_.push_back({number, std::move(started).error()});
    schedule();
  }
  return number;
}

Status QuicEndpoint::Impl::send(uint64_t number, Channel channel, Bytes message) {
  Peer* peer = find(number);
  if (peer == nullptr || !peer->told_open || peer->connection->ended()) {
    return fail(Errc::kNotFound, "connection " + std::to_string(number) + " is not open");
  }
  if (size_t(channel) >= kChannels) return fail(Errc::kInvalid, "there is no such channel");
  TRY(peer->connection->send(channel, std::move(message)));
  touch(number, *peer);
  return ok();
}

void QuicEndpoint::Impl::set_paused(uint64_t number, Channel channel, bool paused) {
  Peer* peer = find(number);
  if (peer == nullptr || size_t(channel) >= kChannels) return;
  peer->connection->set_paused(channel, paused, loop_.now());
  touch(number, *peer);
}

void QuicEndpoint::Impl::close(uint64_t number, const std::string& reason) {
  Peer* peer = find(number);
  if (peer == nullptr) return;
  peer->connection->close(reason, loop_.now());
  touch(number, *peer);
}

void QuicEndpoint::Impl::close_all(const std::string& reason) {
  const Instant now = loop_.now();
  for (auto& [number, peer] : peers_) {
    if (peer.connection->ended()) continue;
    peer.connection->close(reason, now);
    // At once: the process may be about to end.
    const Bytes& packet = peer.connection->close_packet();
    size_t taken = 0;
    if (!packet.empty()) (void)send_packets(socket_.local(), peer.connection->remote(), packet, packet.size(), taken);
    touch(number, peer);
  }
}

QuicStats QuicEndpoint::Impl::stats() const {
  QuicStats out = stats_;
  out.connections = peers_.size();
  out.handshakes_pending = handshakes_pending_;
  return out;
}

Result<QuicConnectionStats> QuicEndpoint::Impl::connection_stats(uint64_t number) const {
  const auto it = peers_.find(number);
  if (it == peers_.end()) return fail(Errc::kNotFound, "there is no connection " + std::to_string(number));
  return it->second.connection->stats();
}

// ---- Settling: events out, packets out.

void QuicEndpoint::Impl::settle() {
  if (settling_) return;
  settling_ = true;
  std::vector<uint64_t> later;  // have more to do than one turn allows
  for (size_t round = 0; round < kSettleRoundsMax && (!dirty_.empty() || !failed_dials_.empty()); ++round) {
    for (auto& [number, why] : std::exchange(failed_dials_, {})) {
      telling_ = true;
      if (events_.closed) events_.closed(number, std::move(why));
      telling_ = false;
    }
    const std::vector<uint64_t> turn = std::exchange(dirty_, {});
    for (const uint64_t number : turn) {
      Peer* peer = find(number);
      if (peer == nullptr) continue;
      peer->dirty = false;
      const bool told_all = tell(number, *peer);
      const Instant now = loop_.now();
      const Written written = write(*peer, now);
      tell_sender(number, *peer, now);
      if (peer->connection->ended() && told_all) {
        bury(number, *peer, now);
        continue;
      }
      set_expiry(number, peer->expiry, peer->connection->expiry());
      if ((written == Written::kMore || !told_all) && !peer->dirty) {
        peer->dirty = true;
        later.push_back(number);
      }
    }
  }
  dirty_.insert(dirty_.end(), later.begin(), later.end());
  settling_ = false;
  // A socket without room wakes us when it has some; anything else goes on in the next turn.
  if (!failed_dials_.empty() || !dirty_.empty()) schedule();
  arm_timer(loop_.now());
}

// What whoever sends wants to know. It may send more, which leaves in the next round.
void QuicEndpoint::Impl::tell_sender(uint64_t number, Peer& peer, Instant now) {
  Connection& connection = *peer.connection;
  if (!peer.told_open || connection.ended()) return;
  telling_ = true;
  for (const Channel channel : {Channel::kControl, Channel::kBulk}) {
    const std::optional<uint64_t> delivered = connection.take_delivered(channel);
    if (delivered && events_.delivered) events_.delivered(number, channel, *delivered, connection.window_bytes());
  }
  if (connection.take_stalled(now) && events_.stalled) events_.stalled(number);
  if (connection.take_writable() && events_.writable) events_.writable(number);
  telling_ = false;
}

bool QuicEndpoint::Impl::tell(uint64_t number, Peer& peer) {
  Connection& connection = *peer.connection;
  // What this side closed says nothing more; what the peer closed still delivers what came before.
  if (!connection.open() || connection.closed_here()) return true;
  if (!peer.told_open) {
    peer.told_open = true;
    if (!connection.dialled()) --handshakes_pending_;
    telling_ = true;
    if (events_.opened) events_.opened(number, connection.peer(), connection.dialled(), connection.remote().circuit() ? "circuit" : connection.remote().text());
    telling_ = false;
  }
  size_t told = 0;
  for (size_t channel = 0; channel < kChannels; ++channel) {
    for (; told < kMessagesTurnMax && !connection.closed_here(); ++told) {
      std::optional<Bytes> message = connection.take_message(Channel(channel));
      if (!message) break;
      telling_ = true;
      if (events_.message) events_.message(number, Channel(channel), std::move(*message));
      telling_ = false;
    }
  }
  const bool all = told < kMessagesTurnMax;
  // The windows follow what was handed out, or a peer of many tiny messages would fill our memory.
  if (all) connection.return_credit();
  return all;
}

QuicEndpoint::Impl::Written QuicEndpoint::Impl::write(Peer& peer, Instant now) {
  for (size_t bursts = 0; bursts < kBurstsMax; ++bursts) {
    if (!blocked_.empty()) return Written::kBlocked;
    const Connection::Burst burst = peer.connection->write(write_buffer_, now);
    if (burst.size == 0) return Written::kAll;
    const ByteView data = ByteView(write_buffer_).first(burst.size);
    if (!transmit(burst.from, burst.to, data, burst.segment)) return Written::kBlocked;
    if (!burst.more) return Written::kAll;
  }
  return Written::kMore;
}

UdpSocket::Sent QuicEndpoint::Impl::send_packets(const SocketAddress& from, const SocketAddress& to, ByteView data, size_t segment, size_t& taken) {
  const std::optional<uint64_t> circuit = to.circuit();
  if (!circuit) return socket_.send(from, to, data, segment, taken);
  taken = data.size();
  if (circuits_out_.size() < kCircuitBurstsMax) circuits_out_.push_back({*circuit, segment, to_bytes(data)});
  post_circuits();
  return UdpSocket::Sent::kYes;
}

void QuicEndpoint::Impl::inject(uint64_t circuit, size_t segment, Bytes packets) {
  if (segment == 0 || packets.empty() || circuits_in_.size() >= kCircuitBurstsMax) return;
  circuits_in_.push_back({circuit, segment, std::move(packets)});
  post_circuits();
}

void QuicEndpoint::Impl::post_circuits() {
  if (std::exchange(circuits_posted_, true)) return;
  loop_.post([weak = std::weak_ptr(alive_)] {
    if (const auto alive = weak.lock()) (*alive)->run_circuits();
  });
}

void QuicEndpoint::Impl::run_circuits() {
  circuits_posted_ = false;
  const Instant now = loop_.now();
  for (const CircuitPackets& each : std::exchange(circuits_in_, {})) {
    UdpSocket::Datagram datagram;
    datagram.from = SocketAddress::of_circuit(each.circuit);
    datagram.to = SocketAddress::of_circuit(0);
    for (size_t at = 0; at < each.packets.size(); at += each.segment) {
      datagram.data = ByteView(each.packets).subspan(at, std::min(each.segment, each.packets.size() - at));
      on_datagram(datagram, now);
    }
  }
  settle();
  telling_ = true;
  for (CircuitPackets& each : std::exchange(circuits_out_, {})) {
    if (events_.circuit) events_.circuit(each.circuit, each.segment, std::move(each.packets));
  }
  telling_ = false;
}

bool QuicEndpoint::Impl::transmit(const SocketAddress& from, const SocketAddress& to, ByteView data, size_t segment) {
  size_t taken = 0;
  const UdpSocket::Sent sent = send_packets(from, to, data, segment, taken);
  stats_.bytes_sent += data.size();
  stats_.packets_sent += (data.size() + segment - 1) / segment;
  if (sent == UdpSocket::Sent::kYes) return true;
  blocked_ = to_bytes(data.subspan(taken));
  blocked_from_ = from;
  blocked_to_ = to;
  blocked_segment_ = segment;
  socket_watch_->set(Loop::Watch::kReadable | Loop::Watch::kWritable);
  return false;
}

void QuicEndpoint::Impl::flush_blocked() {
  if (!blocked_.empty()) {
    size_t taken = 0;
    const UdpSocket::Sent sent = send_packets(blocked_from_, blocked_to_, blocked_, blocked_segment_, taken);
    blocked_.erase(blocked_.begin(), blocked_.begin() + ptrdiff_t(taken));
    if (sent == UdpSocket::Sent::kBlocked) return;
    blocked_.clear();
  }
  socket_watch_->set(Loop::Watch::kReadable);
  // Whoever found the socket full goes on; which ones did is not worth keeping.
  for (auto& [number, peer] : peers_) touch(number, peer);
}

// ---- The end of a connection.

void QuicEndpoint::Impl::bury(uint64_t number, Peer& peer, Instant now) {
  Connection& connection = *peer.connection;
  if (!connection.dialled() && !peer.told_open) --handshakes_pending_;
  Error why = *connection.ended();
  const bool owed = connection.dialled() || peer.told_open;
  const std::optional<PeerKey> other = connection.other_answered() ? std::optional(connection.peer()) : std::nullopt;
  set_expiry(number, peer.expiry, Instant::never());
  Ghost ghost{connection.routes(), connection.close_packet(), connection.remote(), 0, now + connection.linger()};
  if (!ghost.close_packet.empty() && blocked_.empty()) {
    transmit(socket_.local(), ghost.remote, ghost.close_packet, ghost.close_packet.size());
  }
  peers_.erase(number);
  if (ghosts_.size() >= kGhostsMax) forget_ghost(ghost_order_.front());
  ghost_order_.push_back(number);
  timers_.insert({ghost.until, number});
  ghosts_.emplace(number, std::move(ghost));
  telling_ = true;
  if (owed && other && events_.other_answered) events_.other_answered(number, *other);
  if (owed && events_.closed) events_.closed(number, std::move(why));
  telling_ = false;
}

void QuicEndpoint::Impl::forget_ghost(uint64_t number) {
  const auto it = ghosts_.find(number);
  if (it == ghosts_.end()) return;
  for (const ngtcp2_cid& id : it->second.routes) {
    const auto route = routes_.find(id);
    if (route != routes_.end() && route->second == number) routes_.erase(route);
  }
  timers_.erase({it->second.until, number});
  ghosts_.erase(it);
  std::erase(ghost_order_, number);
}

// ---- Time.

void QuicEndpoint::Impl::set_expiry(uint64_t number, Instant& listed, Instant at) {
  if (listed == at) return;
  if (listed != Instant::never()) timers_.erase({listed, number});
  listed = at;
  if (at != Instant::never()) timers_.insert({at, number});
}

void QuicEndpoint::Impl::arm_timer(Instant now) {
  Instant at = timers_.empty() ? Instant::never() : timers_.begin()->first;
  if (!blocked_.empty()) at = std::max(at, now + kBlockedWait);
  if (at == timer_armed_) return;
  timer_armed_ = at;
  itimerspec when{};
  if (at != Instant::never()) {
    const int64_t wait_ns = std::max<int64_t>((at - now).ns, 1);
    when.it_value = {time_t(wait_ns / 1'000'000'000), long(wait_ns % 1'000'000'000)};
  }
  CHECK(timerfd_settime(timer_fd_, 0, &when, nullptr) == 0);
}

void QuicEndpoint::Impl::on_timer() {
  uint64_t fired = 0;
  (void)!::read(timer_fd_, &fired, sizeof fired);
  timer_armed_ = Instant::never();
  const Instant now = loop_.now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const uint64_t number = timers_.begin()->second;
    if (Peer* peer = find(number)) {
      set_expiry(number, peer->expiry, Instant::never());
      peer->connection->on_expiry(now);
      touch(number, *peer);
    } else {
      forget_ghost(number);
    }
  }
  settle();
}

}  // namespace selvedge::host
