// Relay: passes packets between two that cannot reach each other, and learns nothing of either. spec: WF 9.2, 9.7
//
// Who wants to be reached registers a handle, 32 random bytes, over a connection under a throw-away key; who knows the handle opens a circuit to it.
// What goes through a circuit are the packets of a connection between the two ends, sealed and proved between them. The relay sees two keys that
// were made for it, the handle, and how much. It gives each circuit and all of them together so much a second, and
// drops what is beyond, as a full network would; the ends' congestion control does the rest. What it carried it accounts for when a circuit closes.
//
// Pure. A link is what the transport calls a connection; the node owns the machine while the role is on. Bounded by the constants below.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>

#include "base/outbox.h"
#include "base/token_bucket.h"
#include "codec/message_set.h"
#include "mesh/session.h"
#include "object/ingress.h"

namespace selvedge::mesh {

constexpr size_t kRelayHandlesMax = 16384;
constexpr size_t kRelayHandlesPerLinkMax = 64;
constexpr size_t kRelayCircuitsMax = 8192;
constexpr size_t kRelayCircuitsPerLinkMax = 256;
constexpr uint64_t kRelayHandleSecondsMax = 86400;
/// A circuit through which nothing went for this long is closed.
constexpr Duration kRelayIdleMax = seconds(120);
constexpr size_t kRelayFrameHeaderBytes = 14;
constexpr size_t kRelayPacketsMax = 65'535;

/// "I can be reached by this handle through you."
struct RelayRegister {
  static constexpr uint8_t kType = 118;
  uint64_t request = 0;
  object::EndpointHandle handle;
  uint64_t seconds = 0;
  template <class V> void visit(V& v) { v("request", request); v("handle", handle); v("seconds", seconds); }
};
/// "Connect me to that handle; I call the circuit so."
struct RelayOpen {
  static constexpr uint8_t kType = 119;
  uint64_t request = 0;
  object::EndpointHandle handle;
  uint64_t circuit = 0;
  template <class V> void visit(V& v) { v("request", request); v("handle", handle); v("circuit", circuit); }
};
struct RelayAck {
  static constexpr uint8_t kType = 120;
  uint64_t request = 0;
  uint8_t error = 0;
  std::string message;
  std::string observed;      // where the asker's packets come from, as the relay sees it: what a router made of its address
  template <class V> void visit(V& v) { v("request", request); v("error", error); v("message", message); v("observed", observed); }
};
/// To who registered: somebody opened a circuit to the handle; towards you it is called so.
struct RelayIncoming {
  static constexpr uint8_t kType = 121;
  object::EndpointHandle handle;
  uint64_t circuit = 0;
  template <class V> void visit(V& v) { v("handle", handle); v("circuit", circuit); }
};
struct RelayClose {
  static constexpr uint8_t kType = 122;
  uint64_t circuit = 0;
  template <class V> void visit(V& v) { v("circuit", circuit); }
};
using RelayMessages = codec::MessageSet<RelayRegister, RelayOpen, RelayAck, RelayIncoming, RelayClose>;

/// On the bulk channel: "SVRL", circuit u64, segment u16, packets, big-endian.
struct RelayFrame {
  uint64_t circuit = 0;
  uint16_t segment = 0;  // bytes of each packet but the last
  ByteView packets;
};
/// Whether bulk bytes are a relay's and not symbols.
bool is_relay_frame(ByteView bytes);
/// Errors: kInvalid.
Result<RelayFrame> parse_relay_frame(ByteView bytes);
Bytes make_relay_frame(uint64_t circuit, uint16_t segment, ByteView packets);

struct RelayRates {
  uint32_t circuit_kbps = 100'000;
  uint32_t all_kbps = 500'000;
};

/// Both by link, not by peer: those who use a relay have no names.
struct RelaySend { LinkId link; Bytes message; };
struct RelayForward { LinkId link; Bytes frame; };
/// A circuit is over; what it carried is to be accounted for.
struct RelayCarried { object::EndpointHandle handle; uint64_t bytes_to = 0, bytes_from = 0, bytes_dropped = 0; Duration lasted; };
using RelayEffect = std::variant<RelaySend, RelayForward, RelayCarried>;

class Relay {
 public:
  using Out = Outbox<RelayEffect>;
  explicit Relay(RelayRates rates = {}) : rates_(rates), all_(bucket(rates.all_kbps)) {}

  /// `observed`: where `from` comes from.
  void on_register(Instant now, LinkId from, const std::string& observed, const RelayRegister& message, Out& out);
  void on_open(Instant now, LinkId from, const std::string& observed, const RelayOpen& message, Out& out);
  void on_close(Instant now, LinkId from, const RelayClose& message, Out& out);
  void on_frame(Instant now, LinkId from, const RelayFrame& frame, Out& out);
  void on_link_closed(Instant now, LinkId link, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const { return swept_at_ + kRelaySweep; }
  /// The role ends: nothing new, and every circuit is closed and accounted for. spec: drained on shutdown
  void drain(Instant now, Out& out);

  size_t circuits() const { return circuits_.size(); }
  uint64_t bytes_carried() const { return bytes_carried_; }

 private:
  static constexpr Duration kRelaySweep = seconds(10);
  struct Handle {
    LinkId link = 0;
    Instant until;
  };
  /// One end of a circuit, by link and the number it has there.
  using End = std::pair<LinkId, uint64_t>;
  struct Circuit {
    End opener, owner;
    object::EndpointHandle handle;
    TokenBucket rate;
    Instant opened, used;
    uint64_t bytes_to = 0, bytes_from = 0, bytes_dropped = 0;
  };

  static TokenBucket bucket(uint32_t kbps);
  Status add_handle(Instant now, LinkId from, const RelayRegister& message);
  Result<LinkId> owner_of(Instant now, LinkId from, const RelayOpen& message) const;
  size_t count_of(LinkId link) const;
  void close(Instant now, uint64_t id, LinkId told_by, Out& out);

  RelayRates rates_;
  TokenBucket all_;
  bool draining_ = false;
  uint64_t last_circuit_ = 0;
  std::map<object::EndpointHandle, Handle> handles_;
  std::map<uint64_t, Circuit> circuits_;
  std::map<End, uint64_t> ends_;
  uint64_t bytes_carried_ = 0;
  Instant swept_at_{0};
};

}  // namespace selvedge::mesh
