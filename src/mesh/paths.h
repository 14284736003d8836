// Paths: symbols over every link that leads to a peer.
//
// Each link has a transport of its own below it, which says how much of what it was given has arrived and how much it can have under way. A frame
// goes to the link with the most room, in relation to what that link carries; when none has room it waits here, so that a slow link holds little
// and a fast one is never short. What lay on a link that died goes to the others; the receiver knows symbols that come twice. While any link is
// direct, none goes through a relay.
//
// Frames are kept for that only while a peer has several links. When the session begins anew, what waits is dropped: it will be asked for again.
//
// Pure: driven by the node, which tells it of links as the sessions have them.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "mesh/session.h"

namespace selvedge::mesh {

/// Bytes that wait for one peer; more is a peer that does not keep up.
constexpr uint64_t kPathQueueBytesMax = 64u << 20;
/// What a link may have under way: twice the window of its transport, within these bounds.
constexpr uint64_t kPathWindowMin = 256u << 10;
constexpr uint64_t kPathWindowMax = 16u << 20;
/// Further ways to a peer are tried once so much has moved in a session, either way, and then no more often than this while more moves.
constexpr uint64_t kBroadenAfterBytes = 4u << 20;
constexpr Duration kBroadenEvery = seconds(10);

struct SendBulk { LinkId link; Bytes frame; };
struct Broaden { NodeKey peer; };  // dial it where else it may be
using PathEffect = std::variant<SendBulk, Broaden>;

class Paths {
 public:
  using Out = Outbox<PathEffect>;

  void on_path(const NodeKey& peer, LinkId link, bool relayed, Out& out);
  void on_link_closed(LinkId link, Out& out);
  /// The session with `peer` is over, or begins anew.
  void on_session_over(const NodeKey& peer);

  /// Errors: kUnavailable (no link), kLimit (too much waits); the frame is dropped then.
  Status send(Instant now, const NodeKey& peer, Bytes frame, Out& out);
  void on_received(Instant now, const NodeKey& peer, size_t bytes, Out& out);
  /// Of all frames ever given to the link, the first `frames` have arrived; its transport has a window of `window` bytes.
  void on_delivered(LinkId link, uint64_t frames, uint64_t window, Out& out);

  uint64_t waiting_bytes(const NodeKey& peer) const;

 private:
  struct Sent {
    size_t bytes;
    Bytes copy;                  // empty: it was the only link, or the frame is wanted no more
  };
  struct Link {
    NodeKey peer;
    bool relayed = false;
    uint64_t window = kPathWindowMin;
    uint64_t arrived = 0;        // frames
    uint64_t under_way = 0;      // bytes
    std::deque<Sent> sent;
  };
  struct Peer {
    std::vector<LinkId> links;
    std::deque<Bytes> queue;
    uint64_t queued = 0;         // bytes
    uint64_t moved = 0;          // bytes, since the session began
    Instant broadened{0};
  };
  void pump(Peer& peer, Out& out);
  Link* roomiest(const Peer& peer, LinkId& id);
  void moved(Instant now, const NodeKey& key, Peer& peer, size_t bytes, Out& out);

  std::map<NodeKey, Peer> peers_;
  std::map<LinkId, Link> links_;
};

}  // namespace selvedge::mesh
