#include "host/quic/connection.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "host/quic/udp_socket.h"

namespace selvedge::host {

// Application error codes of CONNECTION_CLOSE.
static constexpr uint64_t kCloseNormal = 0;
static constexpr uint64_t kCloseProtocol = 1;
static constexpr size_t kReasonBytesMax = 200;
// Spare connection ids let a peer whose address changed go on without being linkable to the old one.
static constexpr uint64_t kActiveConnectionIds = 4;
// Path MTU discovery tries these: Ethernet, then jumbo frames. Loopback carries both.
static constexpr uint16_t kProbes[] = {1452, 8952};

static ngtcp2_addr address_of(const SocketAddress& address) {
  return {const_cast<sockaddr*>(&address.any), address.size()};
}
static ngtcp2_path path_of(const SocketAddress& local, const SocketAddress& remote) {
  return {address_of(local), address_of(remote), nullptr};
}
static SocketAddress address_from(const ngtcp2_addr& address) {
  SocketAddress out;
  std::memcpy(static_cast<void*>(&out), address.addr, std::min<size_t>(address.addrlen, sizeof out));
  return out;
}
static ngtcp2_tstamp stamp(Instant now) { return ngtcp2_tstamp(now.ns); }
static ngtcp2_duration span_of(Duration d) { return ngtcp2_duration(std::max<int64_t>(d.ns, 0)); }

// Text from a peer that goes into a message for a person.
static std::string printable(const uint8_t* text, size_t size) {
  std::string out(reinterpret_cast<const char*>(text), std::min(size, kReasonBytesMax));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return out;
}

static ngtcp2_callbacks crypto_callbacks() {
  ngtcp2_callbacks out{};
  out.client_initial = ngtcp2_crypto_client_initial_cb;
  out.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
  out.recv_retry = ngtcp2_crypto_recv_retry_cb;
  out.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
  out.encrypt = ngtcp2_crypto_encrypt_cb;
  out.decrypt = ngtcp2_crypto_decrypt_cb;
  out.hp_mask = ngtcp2_crypto_hp_mask_cb;
  out.update_key = ngtcp2_crypto_update_key_cb;
  out.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
  out.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
  out.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
  out.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
  return out;
}

// The C functions that ngtcp2 calls. Each hands over to the connection; non-zero stops the library call.
struct Connection::Callbacks {
  static Connection& self(void* user_data) { return *static_cast<Connection*>(user_data); }
  static int result(bool fine) { return fine ? 0 : NGTCP2_ERR_CALLBACK_FAILURE; }

  static ngtcp2_conn* get_conn(ngtcp2_crypto_conn_ref* ref) {
    return static_cast<Connection*>(static_cast<PeerJudge*>(ref->user_data))->conn_;
  }
  static void rand(uint8_t* out, size_t size, const ngtcp2_rand_ctx*) {
    CHECK(gnutls_rnd(GNUTLS_RND_NONCE, out, size) == 0);
  }

  static int new_connection_id(ngtcp2_conn*, ngtcp2_cid* id, uint8_t* token, size_t size, void* user) {
    Connection& c = self(user);
    id->datalen = size;
    if (gnutls_rnd(GNUTLS_RND_NONCE, id->data, size) != 0) return NGTCP2_ERR_CALLBACK_FAILURE;
    const ByteView secret = c.shared_.host.reset_secret().view();
    if (ngtcp2_crypto_generate_stateless_reset_token(token, secret.data(), secret.size(), id) != 0) {
      return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    c.routes_.push_back(*id);
    c.shared_.host.add_route(*id, c.number_);
    return 0;
  }
  static int remove_connection_id(ngtcp2_conn*, const ngtcp2_cid* id, void* user) {
    Connection& c = self(user);
    std::erase_if(c.routes_, [id](const ngtcp2_cid& known) { return ngtcp2_cid_eq(&known, id); });
    c.shared_.host.remove_route(*id);
    return 0;
  }
  static int peer_id_status(ngtcp2_conn*, ngtcp2_connection_id_status_type type, uint64_t, const ngtcp2_cid*,
                            const uint8_t* token, void* user) {
    if (token == nullptr) return 0;
    Connection& c = self(user);
    ResetToken known;
    std::copy_n(token, known.size(), known.begin());
    if (type == NGTCP2_CONNECTION_ID_STATUS_TYPE_ACTIVATE) {
      c.reset_tokens_.push_back(known);
      c.shared_.host.add_reset_token(known, c.number_);
    } else {
      std::erase(c.reset_tokens_, known);
      c.shared_.host.remove_reset_token(known);
    }
    return 0;
  }
  static int handshake_completed(ngtcp2_conn*, void* user) { return result(self(user).on_handshake_completed()); }
  static int handshake_confirmed(ngtcp2_conn*, void* user) {
    // Only now does a dialler know that the peer took its key: TLS lets a client finish before its key is judged.
    Connection& c = self(user);
    if (c.side_ == Side::kDialler) c.open_ = true;
    return 0;
  }
  static int stream_data(ngtcp2_conn*, uint32_t flags, int64_t stream, uint64_t, const uint8_t* data, size_t size,
                         void* user, void*) {
    return result(self(user).on_stream_data(stream, {data, size}, (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0));
  }
  static int acknowledged(ngtcp2_conn*, int64_t stream, uint64_t offset, uint64_t size, void* user, void*) {
    self(user).on_acknowledged(stream, offset + size);
    return 0;
  }
  static int stream_reset(ngtcp2_conn*, int64_t, uint64_t, uint64_t, void* user, void*) {
    return result(self(user).break_rule(Errc::kInvalid, "the peer abandoned a channel"));
  }
  static int stateless_reset(ngtcp2_conn*, const ngtcp2_pkt_stateless_reset*, void* user) {
    self(user).reset_seen_ = true;
    return 0;
  }

  static ngtcp2_callbacks all() {
    ngtcp2_callbacks out = crypto_callbacks();
    out.rand = rand;
    out.get_new_connection_id = new_connection_id;
    out.remove_connection_id = remove_connection_id;
    out.dcid_status = peer_id_status;
    out.handshake_completed = handshake_completed;
    out.handshake_confirmed = handshake_confirmed;
    out.recv_stream_data = stream_data;
    out.acked_stream_data_offset = acknowledged;
    out.stream_reset = stream_reset;
    out.recv_stateless_reset = stateless_reset;
    return out;
  }
};

Connection::Connection(const Shared& shared, uint64_t number, Side side)
    : shared_(shared), number_(number), side_(side) {
  ref_.get_conn = Callbacks::get_conn;
  ref_.user_data = static_cast<PeerJudge*>(this);
}

Connection::~Connection() {
  for (const ResetToken& token : reset_tokens_) shared_.host.remove_reset_token(token);
  if (conn_ != nullptr) ngtcp2_conn_del(conn_);
  if (session_ != nullptr) TlsIdentity::close_session(session_);
}

ngtcp2_settings Connection::settings(Instant now) const {
  const QuicConfig& config = shared_.config;
  ngtcp2_settings out;
  ngtcp2_settings_default(&out);
  out.initial_ts = stamp(now);
  out.handshake_timeout = span_of(config.handshake_timeout);
  out.cc_algo = NGTCP2_CC_ALGO_CUBIC;
  out.max_tx_udp_payload_size = config.udp_payload_bytes_max;
  out.pmtud_probes = kProbes;
  out.pmtud_probeslen = 0;
  while (out.pmtud_probeslen < std::size(kProbes) && kProbes[out.pmtud_probeslen] <= config.udp_payload_bytes_max) {
    ++out.pmtud_probeslen;
  }
  if (out.pmtud_probeslen == 0) out.no_pmtud = 1;
  // The connection's window is given back on arrival (a channel's own window bounds memory), so that a paused bulk
  // channel never takes the control channel's share.
  out.max_stream_window = config.receive_window_bytes_max;
  out.max_window = config.receive_window_bytes_max * kChannels;
  return out;
}

ngtcp2_transport_params Connection::parameters() const {
  const QuicConfig& config = shared_.config;
  ngtcp2_transport_params out;
  ngtcp2_transport_params_default(&out);
  out.initial_max_stream_data_uni = config.receive_window_bytes_initial;
  out.initial_max_data = config.receive_window_bytes_initial * kChannels;
  out.initial_max_streams_uni = kChannels;  // never raised: a third stream is an error of the peer
  out.initial_max_streams_bidi = 0;
  out.max_idle_timeout = span_of(config.idle_timeout);
  out.active_connection_id_limit = kActiveConnectionIds;
  return out;
}

static ngtcp2_cid random_id(size_t size) {
  ngtcp2_cid out{};
  out.datalen = size;
  CHECK(gnutls_rnd(GNUTLS_RND_NONCE, out.data, size) == 0);
  return out;
}

Status Connection::start(ngtcp2_conn* conn) {
  conn_ = conn;
  session_ = TRY(shared_.identity.open_session(side_, &ref_));
  ngtcp2_conn_set_tls_native_handle(conn_, session_);
  if (shared_.config.keep_alive.ns > 0) ngtcp2_conn_set_keep_alive_timeout(conn_, span_of(shared_.config.keep_alive));
  for (const ngtcp2_cid& id : routes_) shared_.host.add_route(id, number_);
  return ok();
}

Result<std::unique_ptr<Connection>> Connection::dial(const Shared& shared, uint64_t number, const PeerKey& expected,
                                                     const SocketAddress& local, const SocketAddress& remote,
                                                     Instant now) {
  std::unique_ptr<Connection> out(new Connection(shared, number, Side::kDialler));
  out->expected_ = expected;
  out->remote_ = remote;
  const ngtcp2_cid destination = random_id(NGTCP2_MAX_CIDLEN - 2), source = random_id(kConnectionIdBytes);
  const ngtcp2_path path = path_of(local, remote);
  const ngtcp2_settings conn_settings = out->settings(now);
  const ngtcp2_transport_params conn_parameters = out->parameters();
  const ngtcp2_callbacks callbacks = Callbacks::all();
  ngtcp2_conn* conn = nullptr;
  const int code = ngtcp2_conn_client_new(&conn, &destination, &source, &path, NGTCP2_PROTO_VER_V1, &callbacks,
                                          &conn_settings, &conn_parameters, nullptr, out.get());
  if (code != 0) return fail(Errc::kInternal, std::string("QUIC: cannot start a connection: ") + ngtcp2_strerror(code));
  out->routes_ = {source};
  TRY(out->start(conn));
  return out;
}

Result<std::unique_ptr<Connection>> Connection::accept(const Shared& shared, uint64_t number, const Incoming& incoming,
                                                       const SocketAddress& local, const SocketAddress& remote,
                                                       Instant now) {
  std::unique_ptr<Connection> out(new Connection(shared, number, Side::kAcceptor));
  out->remote_ = remote;
  const ngtcp2_cid source = random_id(kConnectionIdBytes);
  const ngtcp2_path path = path_of(local, remote);
  ngtcp2_settings conn_settings = out->settings(now);
  ngtcp2_transport_params conn_parameters = out->parameters();
  conn_parameters.original_dcid = incoming.header.dcid;
  conn_parameters.original_dcid_present = 1;
  if (incoming.original_destination) {
    conn_settings.token = incoming.header.token;
    conn_settings.tokenlen = incoming.header.tokenlen;
    conn_settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
    conn_parameters.original_dcid = *incoming.original_destination;
    conn_parameters.retry_scid = incoming.header.dcid;
    conn_parameters.retry_scid_present = 1;
  }
  const ByteView secret = shared.host.reset_secret().view();
  conn_parameters.stateless_reset_token_present =
      ngtcp2_crypto_generate_stateless_reset_token(conn_parameters.stateless_reset_token, secret.data(), secret.size(),
                                                   &source) == 0;
  const ngtcp2_callbacks callbacks = Callbacks::all();
  ngtcp2_conn* conn = nullptr;
  const int code = ngtcp2_conn_server_new(&conn, &incoming.header.scid, &source, &path, incoming.header.version,
                                          &callbacks, &conn_settings, &conn_parameters, nullptr, out.get());
  if (code != 0)
    return fail(Errc::kInternal, std::string("QUIC: cannot accept a connection: ") + ngtcp2_strerror(code));
  // Until the client has heard of our id it uses the one it made up.
  out->routes_ = {source, incoming.header.dcid};
  TRY(out->start(conn));
  return out;
}

// ---- What ngtcp2 and GnuTLS tell us.

bool Connection::accept(const PeerKey& key) {
  peer_ = key;
  peer_proved_ = true;
  peer_wrong_ = side_ == Side::kDialler && key != expected_;
  return !peer_wrong_;
}

bool Connection::break_rule(Errc code, std::string message) {
  if (!violation_) violation_ = fail(code, std::move(message));
  return false;
}

bool Connection::on_handshake_completed() {
  // Both conditions are GnuTLS's to enforce; a handshake that got here without them is refused all the same.
  if (!peer_proved_ || peer_wrong_) return break_rule(Errc::kUnauthorized, "the peer did not prove a key");
  if (!shared_.identity.protocol_agreed(session_)) {
    return break_rule(Errc::kUnsupported, "the peer does not speak " + shared_.config.protocol);
  }
  if (side_ == Side::kAcceptor) open_ = true;
  return true;
}

bool Connection::parse(FrameReader& reader, ByteView data) {
  std::vector<Bytes> messages;
  const Status parsed = reader.push(data, messages);
  if (!messages.empty()) {
    std::deque<Bytes>& ready = in_[*reader.channel()].ready;
    stats_.messages_received += messages.size();
    for (Bytes& message : messages) ready.push_back(std::move(message));
  }
  return parsed.ok() || break_rule(parsed.error().code, parsed.error().message);
}

bool Connection::on_stream_data(int64_t stream, ByteView data, bool last) {
  if (last) return break_rule(Errc::kInvalid, "the peer ended a channel; channels last as long as the connection");
  if (data.empty()) return true;
  ngtcp2_conn_extend_max_offset(conn_, data.size());
  auto [it, fresh] = readers_.try_emplace(stream, uint8_t(kChannels), shared_.config.message_bytes_max);
  if (fresh) {
    if (!parse(it->second, data.first(1))) return false;
    InChannel& channel = in_[*it->second.channel()];
    if (channel.id >= 0) return break_rule(Errc::kInvalid, "the peer opened a channel twice");
    channel.id = stream;
    channel.credit_owed += 1;
    data = data.subspan(1);
  }
  InChannel& channel = in_[*it->second.channel()];
  channel.credit_owed += data.size();
  if (channel.paused) {
    append(channel.raw, data);
    return true;
  }
  return parse(it->second, data);
}

void Connection::on_acknowledged(int64_t stream, uint64_t offset_end) {
  for (OutStream& out : out_) {
    if (out.id == stream) out.acknowledge(offset_end);
  }
}

// ---- Packets and time.

void Connection::read(const SocketAddress& local, const SocketAddress& remote, ByteView packet, Instant now) {
  if (ended_) return;
  stats_.bytes_received += packet.size();
  stats_.packets_received += 1;
  heard_at_ = now;
  stalled_told_ = false;
  const ngtcp2_path path = path_of(local, remote);
  const ngtcp2_pkt_info info{};
  const int code = ngtcp2_conn_read_pkt(conn_, &path, &info, packet.data(), packet.size(), stamp(now));
  remote_ = address_from(ngtcp2_conn_get_path(conn_)->remote);
  if (code != 0) fail_with(code, now);
}

OutStream* Connection::next_stream() {
  // Control before bulk in every packet: that is all of the priority scheme.
  for (OutStream& out : out_) {
    if (out.pending() && !out.blocked) return &out;
  }
  return nullptr;
}

bool Connection::open_streams() {
  for (OutStream& out : out_) {
    out.blocked = false;
    if (out.id >= 0 || !out.pending()) continue;
    if (ngtcp2_conn_open_uni_stream(conn_, &out.id, nullptr) != 0) {
      return break_rule(Errc::kInvalid, "the peer does not allow a channel to be opened");
    }
  }
  return true;
}

ngtcp2_ssize Connection::write_packet(ngtcp2_path* path, std::span<uint8_t> out, Instant now) {
  for (;;) {
    OutStream* stream = next_stream();
    ngtcp2_vec vectors[OutStream::kVectorsMax];
    const size_t count = stream != nullptr ? stream->gather(vectors, out.size()) : 0;
    ngtcp2_ssize taken = -1;
    const ngtcp2_ssize size =
        ngtcp2_conn_writev_stream(conn_, path, nullptr, out.data(), out.size(), &taken,
                                  stream != nullptr ? NGTCP2_WRITE_STREAM_FLAG_MORE : NGTCP2_WRITE_STREAM_FLAG_NONE,
                                  stream != nullptr ? stream->id : -1, vectors, count, stamp(now));
    if (stream == nullptr) return size;
    if (taken > 0) stream->advance(size_t(taken));
    if (size == NGTCP2_ERR_STREAM_DATA_BLOCKED || (size == NGTCP2_ERR_WRITE_MORE && taken <= 0)) {
      stream->blocked = true;
    } else if (size == NGTCP2_ERR_STREAM_SHUT_WR || size == NGTCP2_ERR_STREAM_NOT_FOUND) {
      break_rule(Errc::kInvalid, "the peer stopped reading a channel");
      return NGTCP2_ERR_CALLBACK_FAILURE;
    } else if (size != NGTCP2_ERR_WRITE_MORE) {
      return size;
    }
  }
}

static bool under_way(ngtcp2_conn* conn) {
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(conn, &info);
  return info.bytes_in_flight > 0;
}

Connection::Burst Connection::write(std::span<uint8_t> out, Instant now) {
  Burst burst;
  if (ended_) return burst;
  if (!spill_.empty()) {
    std::copy(spill_.begin(), spill_.end(), out.begin());
    burst = {spill_from_, spill_to_, spill_.size(), spill_.size(), true};
    spill_.clear();
    return burst;
  }
  if (!open_streams()) {
    fail_with(NGTCP2_ERR_CALLBACK_FAILURE, now);
    return burst;
  }
  if (!under_way(conn_)) heard_at_ = std::max(heard_at_, now);
  const size_t packet_max = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn_);
  const size_t quantum = std::max(std::min(ngtcp2_conn_get_send_quantum(conn_), out.size()), packet_max);
  for (size_t packets = 0; packets < UdpSocket::kSegmentsMax; ++packets) {
    ngtcp2_path_storage used;
    ngtcp2_path_storage_zero(&used);
    // A path MTU probe may be longer than the other packets; where it does not fit, ngtcp2 sends it another time.
    const size_t room = std::min(out.size() - burst.size, shared_.config.udp_payload_bytes_max);
    const ngtcp2_ssize written = write_packet(&used.path, out.subspan(burst.size, room), now);
    if (written < 0) fail_with(int(written), now);
    if (written <= 0) break;
    const size_t size = size_t(written);
    stats_.bytes_sent += size;
    stats_.packets_sent += 1;
    const SocketAddress from = address_from(used.path.local), to = address_from(used.path.remote);
    if (burst.size == 0) {
      burst.from = from, burst.to = to, burst.segment = size;
    } else if (size > burst.segment || !(from == burst.from) || !(to == burst.to)) {
      const uint8_t* packet = out.data() + burst.size;
      spill_.assign(packet, packet + size);
      spill_from_ = from, spill_to_ = to;
      burst.more = true;
      break;
    }
    burst.size += size;
    burst.more = true;
    if (size < burst.segment || burst.size + burst.segment > quantum) break;
    burst.more = packets + 1 == UdpSocket::kSegmentsMax;
  }
  if (burst.size > 0) ngtcp2_conn_update_pkt_tx_time(conn_, stamp(now));
  return burst;
}

Instant Connection::expiry() const {
  const ngtcp2_tstamp at = ngtcp2_conn_get_expiry(conn_);
  return at >= ngtcp2_tstamp(INT64_MAX) ? Instant::never() : Instant{int64_t(at)};
}

void Connection::on_expiry(Instant now) {
  if (ended_) return;
  if (const int code = ngtcp2_conn_handle_expiry(conn_, stamp(now)); code != 0) fail_with(code, now);
}

// ---- Messages.

Status Connection::send(Channel channel, Bytes message) {
  const QuicConfig& config = shared_.config;
  if (message.empty() || message.size() > config.message_bytes_max) {
    return fail(Errc::kInvalid, "a message has 1 to " + std::to_string(config.message_bytes_max) + " bytes, not " +
                                    std::to_string(message.size()) + ": split it");
  }
  if (queued() + message.size() + OutStream::kOverheadBytes > config.send_queue_bytes_max) {
    writable_owed_ = true;
    return fail(Errc::kLimit, "the send queue to " + remote_.text() + " is full: wait until it is writable");
  }
  out_[size_t(channel)].push(std::move(message));
  stats_.messages_sent += 1;
  return ok();
}

void Connection::set_paused(Channel channel, bool paused, Instant now) {
  InChannel& in = in_[size_t(channel)];
  in.paused = paused;
  if (paused || in.raw.empty() || ended_) return;
  const Bytes raw = std::exchange(in.raw, {});
  if (!parse(readers_.find(in.id)->second, raw)) fail_with(NGTCP2_ERR_CALLBACK_FAILURE, now);
}

std::optional<Bytes> Connection::take_message(Channel channel) {
  InChannel& in = in_[size_t(channel)];
  if (!open_ || in.paused || in.ready.empty()) return std::nullopt;
  Bytes out = std::move(in.ready.front());
  in.ready.pop_front();
  return out;
}

void Connection::return_credit() {
  if (!open_ || ended_) return;
  for (InChannel& in : in_) {
    if (in.paused || in.credit_owed == 0) continue;
    // Fails only for a stream that is gone, which ends the connection by itself.
    (void)ngtcp2_conn_extend_max_stream_offset(conn_, in.id, in.credit_owed);
    in.credit_owed = 0;
  }
}

std::optional<uint64_t> Connection::take_delivered(Channel channel) {
  const uint64_t delivered = out_[size_t(channel)].messages_acknowledged();
  uint64_t& told = delivered_told_[size_t(channel)];
  if (delivered == told) return std::nullopt;
  return told = delivered;
}

uint64_t Connection::window_bytes() const {
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(conn_, &info);
  return info.cwnd;
}

bool Connection::take_stalled(Instant now) {
  static constexpr Duration kSilenceMin = milliseconds(750);
  if (!open_ || ended_ || stalled_told_ || !under_way(conn_)) return false;
  const Duration patience = std::max(kSilenceMin, Duration{int64_t(ngtcp2_conn_get_pto(conn_)) * 3});
  if (now - heard_at_ < patience) return false;
  return stalled_told_ = true;
}

bool Connection::take_writable() {
  if (!writable_owed_ || queued() >= shared_.config.send_queue_bytes_max / 2) return false;
  writable_owed_ = false;
  return true;
}

QuicConnectionStats Connection::stats() const {
  QuicConnectionStats out = stats_;
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(conn_, &info);
  out.bytes_queued = queued();
  out.rtt_smoothed = {int64_t(info.smoothed_rtt)};
  out.rtt_min = info.min_rtt == UINT64_MAX ? Duration{} : Duration{int64_t(info.min_rtt)};
  out.congestion_window_bytes = info.cwnd;
  out.udp_payload_bytes = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn_);
  return out;
}

// ---- The end.

void Connection::end(Error why) {
  if (!ended_) ended_ = std::move(why);
}

Duration Connection::linger() const {
  static constexpr Duration kLingerMax = seconds(3);
  return std::min(Duration{int64_t(ngtcp2_conn_get_pto(conn_)) * 3}, kLingerMax);  // RFC 9000 10.2
}

void Connection::write_close(const ngtcp2_ccerr& error, Instant now) {
  close_packet_.resize(kClosePacketBytesMax);
  ngtcp2_path_storage used;
  ngtcp2_path_storage_zero(&used);
  const ngtcp2_ssize size = ngtcp2_conn_write_connection_close(conn_, &used.path, nullptr, close_packet_.data(),
                                                               close_packet_.size(), &error, stamp(now));
  close_packet_.resize(size > 0 ? size_t(size) : 0);
}

void Connection::close(const std::string& reason, Instant now) {
  if (ended_) return;
  const std::string brief = reason.substr(0, kReasonBytesMax);
  ngtcp2_ccerr error;
  ngtcp2_ccerr_set_application_error(&error, kCloseNormal, reinterpret_cast<const uint8_t*>(brief.data()),
                                     brief.size());
  write_close(error, now);
  closed_here_ = true;
  end(fail(Errc::kCancelled, "closed by this node: " + brief));
}

void Connection::fail_with(int library_error, Instant now) {
  if (ended_) return;
  ngtcp2_ccerr error;
  ngtcp2_ccerr_default(&error);
  switch (library_error) {
    case NGTCP2_ERR_DRAINING: return end(describe_peer_close());
    case NGTCP2_ERR_IDLE_CLOSE:
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
    case NGTCP2_ERR_DROP_CONN:
    case NGTCP2_ERR_RETRY:
    case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
      return end(describe_local(library_error));  // nobody is there, or nobody whom a packet would help
    case NGTCP2_ERR_CRYPTO: ngtcp2_ccerr_set_tls_alert(&error, ngtcp2_conn_get_tls_alert(conn_), nullptr, 0); break;
    default:
      if (violation_) {
        const std::string& reason = violation_->message;
        ngtcp2_ccerr_set_application_error(&error, kCloseProtocol, reinterpret_cast<const uint8_t*>(reason.data()),
                                           std::min(reason.size(), kReasonBytesMax));
      } else {
        ngtcp2_ccerr_set_liberr(&error, library_error, nullptr, 0);
      }
  }
  write_close(error, now);
  end(describe_local(library_error));
}

static Error describe_alert(uint8_t alert, const std::string& who) {
  switch (alert) {
    case GNUTLS_A_CERTIFICATE_REQUIRED: return fail(Errc::kUnauthorized, who + ": a node has to present its key");
    case GNUTLS_A_NO_APPLICATION_PROTOCOL:
      return fail(Errc::kUnsupported, who + ": the two sides have no protocol in common; update the older one");
    case GNUTLS_A_HANDSHAKE_FAILURE:
    case GNUTLS_A_PROTOCOL_VERSION:
    case GNUTLS_A_INSUFFICIENT_SECURITY:
    case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
      return fail(Errc::kUnsupported,
                  who + ": the two sides have no TLS parameters in common (alert " + std::to_string(alert) + ")");
    default:
      return fail(Errc::kUnauthorized, who + ": the key was not accepted (TLS alert " + std::to_string(alert) + ")");
  }
}

Error Connection::describe_local(int library_error) const {
  const std::string who = remote_.text();
  switch (library_error) {
    case NGTCP2_ERR_IDLE_CLOSE: return fail(Errc::kTimeout, "nothing was heard from " + who + " for too long");
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
      return fail(Errc::kTimeout, who + " did not complete the handshake: check the address and that UDP gets through");
    case NGTCP2_ERR_RECV_VERSION_NEGOTIATION: return fail(Errc::kUnsupported, who + " does not speak QUIC version 1");
    case NGTCP2_ERR_CRYPTO:
      if (peer_wrong_) {
        return fail(Errc::kUnauthorized, who + " holds the key " + peer_.hex() + ", but " + expected_.hex() +
                                             " was dialled: look the node up again or correct the key");
      }
      return describe_alert(ngtcp2_conn_get_tls_alert(conn_), "this node refused " + who);
    default:
      if (violation_) return fail(violation_->code, who + ": " + violation_->message);
      return fail(Errc::kInvalid, "QUIC with " + who + " failed: " + ngtcp2_strerror(library_error));
  }
}

Error Connection::describe_peer_close() const {
  const std::string who = remote_.text();
  if (reset_seen_)
    return fail(Errc::kUnavailable, who + " has restarted and does not know this connection: dial again");
  const ngtcp2_ccerr* error = ngtcp2_conn_get_ccerr(conn_);
  const std::string reason = printable(error->reason, error->reasonlen);
  if (error->type == NGTCP2_CCERR_TYPE_APPLICATION) {
    if (error->error_code == kCloseProtocol)
      return fail(Errc::kInvalid, who + " says this node broke a rule: " + reason);
    return fail(Errc::kCancelled, "closed by " + who + ": " + reason);
  }
  if (error->error_code >= NGTCP2_CRYPTO_ERROR && error->error_code < NGTCP2_CRYPTO_ERROR + 256) {
    return describe_alert(uint8_t(error->error_code - NGTCP2_CRYPTO_ERROR), who + " refused this node");
  }
  if (error->error_code == NGTCP2_CONNECTION_REFUSED) {
    return fail(Errc::kLimit, who + " has as many connections as it takes: try again later");
  }
  return fail(Errc::kUnavailable, who + " ended the connection with QUIC error " + std::to_string(error->error_code) +
                                      (reason.empty() ? "" : ": " + reason));
}

}  // namespace selvedge::host
