// Trunks: one link to a peer, over as many connections as lead there.
//
// The node above sees a link: messages arrive on it once and in order, symbol frames once in any order, and it closes when the peer is gone or began
// anew. Below are the transport's connections, each by a way of its own (an address, an interface, a relay), which come and go unnoticed.
//
// - A connection begins with Join: a number that the sender draws when it has no other connection to the peer. Connections for which both
//   sides said the same numbers make one link. A peer that says a later number forgot the link there was: that one closes.
// - Messages go over one connection, the lead, and are kept until its transport has delivered them. When the lead dies, or a direct connection comes
//   where the lead is a relay's, another one takes its place: Lead{n} on it says that message n of the link comes next, and all that is kept
//   follows. Both sides count from 0, so what came twice is known. Each side has its own lead.
// - A frame goes to the connection with the most room, in relation to what that one carries, and waits here when none has: a slow connection holds little,
//   a fast one is never short. A number at its end tells the receiver which it has. What lay on a connection that died goes to the others.
//   While one is direct, nothing goes through a relay.
//
// Frames are kept only while there are several connections; where one dies with frames that were not, the link closes, and who waits asks again.
//
// Pure. Owned by the host, between the transport and the intake; specified in docs/spec/wire.md.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <variant>

#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "codec/message_set.h"
#include "mesh/placement.h"
#include "mesh/session.h"

namespace selvedge::mesh {

using ConnectionId = uint64_t;

constexpr size_t kConnectionsPerLinkMax = 4;
constexpr Duration kJoinTimeout = seconds(10);
/// Bytes that wait for one peer, messages and frames apart; more is a peer that does not keep up.
constexpr uint64_t kTrunkQueueBytesMax = 64u << 20;
/// What a connection may have under way: twice the window of its transport, within these bounds.
constexpr uint64_t kTrunkWindowMin = 256u << 10;
constexpr uint64_t kTrunkWindowMax = 16u << 20;
/// Once so much has moved over a link, either way, further ways are worth trying; and again after a while, if more moves.
constexpr uint64_t kBusyBytes = 4u << 20;
constexpr Duration kBusyEvery = seconds(10);
/// Frames that came before an earlier one did. Beyond it the earlier one is not waited for.
constexpr size_t kFramesAheadMax = 8192;
/// What is added to each frame.
constexpr size_t kFrameNumberBytes = 8;

/// The first message of a connection each way.
struct Join {
  static constexpr uint8_t kType = 10;
  uint64_t incarnation = 0;
  template <class V> void visit(V& v) { v("incarnation", incarnation); }
};
/// Messages of the link follow on this connection, beginning with this number.
struct Lead {
  static constexpr uint8_t kType = 11;
  uint64_t first = 0;
  template <class V> void visit(V& v) { v("first", first); }
};
using TrunkMessages = codec::MessageSet<Join, Lead>;

struct SendOnConnection { ConnectionId connection; bool bulk; Bytes message; };
struct CloseConnection { ConnectionId connection; std::string reason; };  // nothing is said of it any more
struct Joined { ConnectionId connection; LinkId link; };
struct LinkOpened { LinkId link; NodeKey peer; bool as_nobody; };
struct LinkWays { LinkId link; std::vector<std::string> addresses; };     // of its connections, the lead's first
struct LinkReceived { LinkId link; bool bulk; Bytes message; };
struct LinkBusy { LinkId link; };
struct LinkClosed { LinkId link; Error why; };
using TrunkEffect = std::variant<SendOnConnection, CloseConnection, Joined, LinkOpened, LinkWays, LinkReceived, LinkBusy, LinkClosed>;

class Trunks {
 public:
  using Out = Outbox<TrunkEffect>;

  // ---- from the transport
  /// `as_nobody`: it was dialled under a key of the moment, and makes a link of its own. `address`: where the peer is; "circuit" is a relay's.
  void on_opened(Instant now, ConnectionId connection, const NodeKey& peer, bool as_nobody, const std::string& address, Out& out);
  void on_message(Instant now, ConnectionId connection, bool bulk, Bytes message, Out& out);
  /// The first `messages` of all messages, or frames, that were ever given to the connection have arrived; its transport has a window of
  /// `window` bytes.
  void on_delivered(ConnectionId connection, bool bulk, uint64_t messages, uint64_t window, Out& out);
  /// Something is under way, and nothing is heard.
  void on_stalled(ConnectionId connection, Out& out);
  void on_closed(ConnectionId connection, const Error& why, Out& out);

  // ---- from the node
  /// Errors: kNotFound (the link is gone), kLimit (too much waits; the message is dropped).
  Status send(Instant now, LinkId link, bool bulk, Bytes message, Out& out);
  /// LinkClosed follows.
  void close(LinkId link, const std::string& reason, Out& out);

  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

 private:
  struct Key {
    NodeKey peer;
    ConnectionId alone = 0;        // of one that was dialled under a key of the moment
    auto operator<=>(const Key&) const = default;
  };
  struct Frame {
    size_t bytes;
    Bytes copy;                    // empty: it was the only connection
  };
  struct Connection {
    Key key;
    std::string address;
    bool relayed = false;
    LinkId link = 0;               // 0: it has not joined
    Instant join_by;
    uint64_t next = 0;             // number of the message that comes next over it
    // What goes over it. `led_from` messages were given to the transport before message `led_first` of the link.
    uint64_t given = 0, led_from = 0, led_first = 0;
    uint64_t window = kTrunkWindowMin;
    uint64_t frames_arrived = 0;
    uint64_t under_way = 0;        // bytes
    std::deque<Frame> frames;
  };
  struct Peering {
    uint64_t ours = 0, theirs = 0;
    std::set<ConnectionId> connections;
    LinkId link = 0;
  };
  struct Trunk {
    Key key;
    std::vector<ConnectionId> connections;
    ConnectionId lead = 0;
    uint64_t oldest = 0;           // number of kept.front()
    std::deque<Bytes> kept;
    uint64_t kept_bytes = 0;
    uint64_t received = 0;
    std::deque<Bytes> queue;       // frames
    uint64_t queued = 0;
    uint64_t frames_sent = 0;
    uint64_t frames_below = 0;     // all frames before this one came
    std::set<uint64_t> frames_ahead;
    uint64_t moved = 0;
    Instant told_busy{0};
  };

  void on_join(ConnectionId id, Connection& connection, const Join& join, Out& out);
  void on_lead(ConnectionId id, Connection& connection, const Lead& lead, Out& out);
  void on_numbered(Connection& connection, Bytes message, Out& out);
  void on_frame(Instant now, Connection& connection, Bytes frame, Out& out);
  void give(ConnectionId id, bool bulk, Bytes message, Out& out);
  void lead_by(LinkId link, Trunk& trunk, ConnectionId id, Out& out);
  void pump(Trunk& trunk, Out& out);
  ConnectionId roomiest(const Trunk& trunk) const;
  void moved(Instant now, LinkId link, Trunk& trunk, size_t bytes, Out& out);
  void tell_ways(LinkId link, const Trunk& trunk, Out& out);
  /// The connection is gone; what lay on it goes to others.
  void drop(ConnectionId id, const Error& why, Out& out);
  void close_connection(ConnectionId id, const std::string& reason, Out& out);
  enum class Others : uint8_t { kClose, kKeep };
  /// `others`: whether connections that have not joined yet go too.
  void end(LinkId link, const Error& why, Others others, Out& out);
  void forget(ConnectionId id);

  std::map<Key, Peering> peerings_;
  std::map<ConnectionId, Connection> connections_;
  std::map<LinkId, Trunk> trunks_;
  LinkId last_link_ = 0;
  uint64_t last_incarnation_ = 0;
};

}  // namespace selvedge::mesh
