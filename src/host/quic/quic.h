// QuicEndpoint: one UDP port on which this node talks QUIC to other nodes, dialled and known by key.
//
// A node is its Ed25519 key. Both sides of every connection prove theirs inside the TLS 1.3 handshake (RFC 7250 raw
// public keys), so the layers above see (connection, key, message) and never a certificate. Each connection carries
// two ordered channels of whole messages: kControl, which is always written first, and kBulk.
//
// Invariants
// - Everything runs on the loop's thread; an event is never called from inside a call into the endpoint.
// - `opened` comes at most once a connection, after both keys are verified; `closed` comes exactly once for each
//   dial() and for each `opened`, and nothing about that connection comes after it.
// - A peer that breaks a rule loses its own connection and nothing else. All memory is bounded by QuicConfig.
// - Destroying the endpoint sends nothing: peers find out by their idle timeout, or at once when a restarted node
//   answers on the same port. Call close_all() first for a polite end. Do not destroy it from inside an event.
//
// Owned by the daemon; called by the adapter that turns mesh effects into messages.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/types.h"
#include "host/loop/loop.h"

namespace selvedge::host {

/// The Ed25519 key a peer has proved to hold.
using PeerKey = crypto::PublicKey;

/// The application protocol of node-to-node connections; a peer that speaks another one is refused.
inline constexpr char kQuicProtocol[] = "selvedge/1";

/// What a channel's messages are. Each is one unidirectional stream a side; order holds within a channel only.
enum class Channel : uint8_t { kControl = 0, kBulk = 1 };
inline constexpr size_t kChannels = 2;

/// How a dialler behaves about its own key. kWithhold exists for tests: a node refuses such a peer.
enum class KeyUse : uint8_t { kPresent, kWithhold };

/// Under which key a connection is dialled. kNobody: one made for this connection, so that who answers cannot tell whose it is, nor
/// that two are from the same node.
enum class DialAs : uint8_t { kNode, kNobody };

/// dial() takes this and a number for a way to a peer that is not UDP: packets of it go out by `circuit` and come in by inject().
inline constexpr char kCircuitScheme[] = "circuit:";

struct QuicConfig {
  std::string listen;      // "127.0.0.1:0", "[::1]:4433", "[::]:4433" (both families); port 0 lets the system choose
  crypto::Seed node_seed;  // Ed25519, RFC 8032 5.1.5
  size_t connections_max = 1024;        // open or being opened, dialled and accepted together
  size_t handshakes_pending_max = 256;  // accepted but not authenticated; from half of it on, a Retry is asked first
  Duration handshake_timeout = seconds(10);
  Duration idle_timeout = seconds(30);
  Duration keep_alive = seconds(10);               // a quiet connection sends this often; 0 is never
  size_t send_queue_bytes_max = 64u << 20;         // a connection: unsent and unacknowledged
  size_t message_bytes_max = 4u << 20;             // longest message, both ways
  size_t receive_window_bytes_initial = 1u << 20;  // a channel; grows with the speed up to the next
  size_t receive_window_bytes_max = 8u << 20;      // a channel: most that a paused receiver holds
  size_t udp_payload_bytes_max = 8952;             // path MTU discovery stops here (9000-byte jumbo frames)
  std::string protocol = kQuicProtocol;
  KeyUse key_use = KeyUse::kPresent;
};

struct QuicStats {
  uint64_t bytes_sent = 0, bytes_received = 0;      // UDP payload
  uint64_t packets_sent = 0, packets_received = 0;  // UDP datagrams
  uint64_t packets_ignored = 0;                     // not QUIC, unknown connection, undecodable
  uint64_t retries_sent = 0, resets_sent = 0, refused = 0;
  size_t connections = 0, handshakes_pending = 0;
};

struct QuicConnectionStats {
  uint64_t bytes_sent = 0, bytes_received = 0;  // UDP payload
  uint64_t packets_sent = 0, packets_received = 0;
  uint64_t messages_sent = 0, messages_received = 0;
  size_t bytes_queued = 0;  // counted against send_queue_bytes_max
  Duration rtt_smoothed, rtt_min;
  uint64_t congestion_window_bytes = 0;
  size_t udp_payload_bytes = 0;  // largest that the path is known to carry
};

class QuicEndpoint {
 public:
  struct Events {
    /// Both sides have proved their keys and, for the dialler, the peer has accepted ours. `address`: where the peer is, or "circuit".
    std::function<void(uint64_t connection, const PeerKey& peer, bool dialled, std::string address)> opened;
    std::function<void(uint64_t connection, Channel channel, Bytes message)> message;
    /// kUnauthorized: a key was wrong, missing or refused. kUnsupported: protocol or version. kTimeout: silence.
    /// kLimit: the peer is full. kInvalid: the peer broke the framing. kCancelled: either side closed. kUnavailable:
    /// the peer restarted and forgot us.
    std::function<void(uint64_t connection, Error why)> closed;
    /// Just before `closed` with kUnauthorized: whoever is at the dialled address showed this key instead. It is a hint where that
    /// key may be dialled, and no proof of it.
    std::function<void(uint64_t connection, const PeerKey& shown)> other_answered;
    /// The peer's transport has all of the first `messages` messages that were ever given to the channel. `window`: bytes that this side's may
    /// have under way for now.
    std::function<void(uint64_t connection, Channel channel, uint64_t messages, uint64_t window)> delivered;
    /// Something has been under way for three probe timeouts, and 750 ms at least, in which nothing was heard. Told once until something is.
    std::function<void(uint64_t connection)> stalled;
    /// The queue fell below half after send() had answered kLimit.
    std::function<void(uint64_t connection)> writable;
    /// Packets for a circuit: `packets` are of `segment` bytes each, but for the last. What the other end does not get is lost, as in UDP.
    std::function<void(uint64_t circuit, size_t segment, Bytes packets)> circuit;
  };

  /// Binds and starts. Errors: kInvalid (address), kBusy (port in use), kIo.
  static Result<std::unique_ptr<QuicEndpoint>> create(Loop& loop, QuicConfig config, Events events);
  ~QuicEndpoint();
  QuicEndpoint(const QuicEndpoint&) = delete;
  QuicEndpoint& operator=(const QuicEndpoint&) = delete;

  /// The bound address with the actual port, as dial() takes it.
  std::string address() const;
  const PeerKey& key() const;

  /// Starts a connection to whoever holds `expected` at `address` (a numeric IP and a port). The outcome is an event
  /// for the returned id: opened, or closed with kUnauthorized when someone else answers.
  uint64_t dial(const PeerKey& expected, const std::string& address, DialAs as = DialAs::kNode);
  /// Packets that came by a circuit, as `Events::circuit` gave them at its other end. A peer may dial this node by them.
  void inject(uint64_t circuit, size_t segment, Bytes packets);

  /// Queues one message of 1 to message_bytes_max bytes. Errors: kNotFound (no such open connection), kInvalid
  /// (size), kLimit (queue full; `writable` follows). On an error the message is dropped.
  Status send(uint64_t connection, Channel channel, Bytes message);

  /// Stops handing out messages of one channel; the peer is slowed down once receive_window_bytes_max is held.
  /// Nothing happens for an unknown connection.
  void pause(uint64_t connection, Channel channel);
  void resume(uint64_t connection, Channel channel);

  /// Tells the peer (reason: first 200 bytes) and drops what was queued. `closed` follows with kCancelled.
  void close(uint64_t connection, const std::string& reason);
  void close_all(const std::string& reason);

  QuicStats stats() const;
  /// Errors: kNotFound.
  Result<QuicConnectionStats> connection_stats(uint64_t connection) const;

 private:
  class Impl;
  explicit QuicEndpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace selvedge::host
