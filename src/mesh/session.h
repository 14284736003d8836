// Sessions: which peers this node talks to, and on what terms.
//
// A link is one authenticated transport connection: the transport has proved the peer's node key. A session exists
// once both sides have sent Hello and agreed on a version; only then do other messages count. Wanted peers are dialled
// by key at each known address in turn, and again with growing pauses when a link is lost.
//
// Two nodes may have several links for a while, when one started anew before the other noticed that it had gone (several connections are one link,
// trunk.h). What
// is under way on a link when it closes is lost, so each change of links ends the session (PeerDown) and, while one is
// left, begins it anew (PeerUp): whoever waits for an answer asks again.
//
// A Hello without a record makes a visitor of its link: somebody under a key of the moment, to whom this node may give what it gives to
// everybody (a rendezvous, a relay), and nothing else. A visitor is no peer and has no session.
//
// Pure: driven by the node; the transport reports links, the node carries out the effects.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>

#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "mesh/frame.h"
#include "mesh/messages.h"
#include "object/envelope.h"

namespace selvedge::mesh {

using LinkId = uint64_t;

constexpr size_t kPeersMax = 4096;
constexpr size_t kLinksPerPeerMax = 4;
constexpr size_t kLinksMax = 2 * kPeersMax;
constexpr size_t kAddressesPerPeerMax = 8;
constexpr size_t kVisitorsMax = 2048;
constexpr uint32_t kFrameBytesMin = 16384;       // holds what travels whole, and a symbol of any size
constexpr Duration kHelloTimeout = seconds(10);
constexpr Duration kRedialMin = milliseconds(100);
constexpr Duration kRedialMax = seconds(2);

struct Dial { NodeKey peer; std::string address; };
struct SendOnLink { LinkId link; Bytes message; };
struct CloseLink { LinkId link; std::string reason; };
struct PeerUp { NodeKey peer; };
struct PeerDown { NodeKey peer; Error why; };
using SessionEffect = std::variant<Dial, SendOnLink, CloseLink, PeerUp, PeerDown>;

struct Peer {
  std::optional<object::Signed<object::NodeRecord>> record;  // verified; present while or after a session was up
  std::vector<std::string> addresses;
  std::vector<LinkId> links;      // with a session, oldest first; the newest is used
  uint32_t frame_bytes_max = 0;   // what both sides take
  uint8_t compressions = 0;       // that both sides know
  Instant wanted_until{0};
  Instant redial_at = Instant::never();
  Duration redial_pause = kRedialMin;
  size_t next_address = 0;
  bool dialling = false;
  size_t links_opening = 0;       // without a session yet
  std::string last_error;
};

class Sessions {
 public:
  using Out = Outbox<SessionEffect>;
  /// `record`: this node's signed NodeRecord, sent in every Hello. `verifier` outlives the machine.
  Sessions(NodeKey self, Bytes record, const crypto::Verifier& verifier, uint64_t seed);

  /// This node's record from now on, for sessions to come: its owner renewed it.
  void set_record(Bytes record);
  /// No longer wanted; what is open stays open.
  void unwant(const NodeKey& peer);

  /// Keeps trying to have a session with `peer` until `until`. Errors: kLimit when too many peers are known.
  Status want(Instant now, const NodeKey& peer, const std::vector<std::string>& addresses, Instant until, Out& out);

  /// Tries another way to a peer that is up: if the peer answers there, its link has one more way.
  void probe(const NodeKey& peer, const std::string& address, Out& out);

  void on_link_opened(Instant now, LinkId link, const NodeKey& peer, Out& out);
  void on_link_closed(Instant now, LinkId link, const Error& why, Out& out);
  void on_dial_failed(Instant now, const NodeKey& peer, const Error& why, Out& out);
  void on_hello(Instant now, LinkId link, const Hello& hello, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

  /// The key of the moment of a visitor, or nullptr when the link is none.
  const NodeKey* visitor_of(LinkId link) const;
  /// The peer of a link whose session is up, or nullptr.
  const NodeKey* peer_of(LinkId link) const;
  bool up(const NodeKey& peer) const;
  std::optional<LinkId> link_of(const NodeKey& peer) const;
  const Peer* find(const NodeKey& peer) const;
  const std::map<NodeKey, Peer>& peers() const { return peers_; }

 private:
  struct Link {
    NodeKey peer;
    bool established = false;
    Instant hello_by;
    bool visitor = false;
  };
  void welcome_visitor(LinkId id, Link& link, const Hello& hello, Out& out);
  /// A place for one more peer, that of somebody nobody wants and who is not here if need be.
  bool make_room(Instant now);
  Status accept_hello(Instant now, const Link& link, const Hello& hello, Peer& peer);
  void try_dial(Instant now, const NodeKey& key, Peer& peer, Out& out);
  void schedule_redial(Instant now, Peer& peer);

  NodeKey self_;
  Bytes hello_;
  const crypto::Verifier& verifier_;
  Rng rng_;
  std::map<NodeKey, Peer> peers_;
  std::map<LinkId, Link> links_;
  size_t visitors_ = 0;
};

}  // namespace selvedge::mesh
