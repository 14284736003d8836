// Visits: connections to relays and rendezvous under keys that are nobody's.
//
// Who gives a service to everybody need not know who asks. A visit is one connection to a provider, dialled under a throw-away key and with a
// Hello without a record; it lives while it is wanted and comes back when it is lost, under another key. What is to be said waits until it is there.
//
// Pure; owned by the node. The other end is mesh/session's visitor.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "mesh/session.h"

namespace selvedge::mesh {

constexpr size_t kVisitsMax = 64;
constexpr size_t kVisitWaitingMax = 64;
constexpr Duration kVisitRetryMin = milliseconds(200), kVisitRetryMax = seconds(10);

struct DialVisit { NodeKey provider; std::string address; };   // answered by on_opened or on_failed
struct VisitUp { NodeKey provider; };
/// Whatever was asked there and not answered is not answered any more.
struct VisitDown { NodeKey provider; std::string why; };
using VisitEffect = std::variant<DialVisit, SendOnLink, CloseLink, VisitUp, VisitDown>;

class Visits {
 public:
  using Out = Outbox<VisitEffect>;

  /// Keeps a connection to `provider` until `until`. Errors: kLimit, kInvalid (no address is known).
  Status want(Instant now, const NodeKey& provider, const std::vector<std::string>& addresses, Instant until, Out& out);
  /// Not wanted any more from now on: it ends at the next deadline.
  void unwant(Instant now, const NodeKey& provider);
  /// Sends, or keeps it until the visit is there. Errors: kNotFound (not wanted), kLimit.
  Status send(const NodeKey& provider, Bytes message, Out& out);

  void on_opened(const NodeKey& provider, LinkId link, Out& out);
  void on_failed(Instant now, const NodeKey& provider, const std::string& why, Out& out);
  void on_closed(Instant now, LinkId link, const std::string& why, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

  std::optional<NodeKey> provider_of(LinkId link) const;
  std::optional<LinkId> link_of(const NodeKey& provider) const;

 private:
  struct Visit {
    std::vector<std::string> addresses;
    size_t next_address = 0;
    std::optional<LinkId> link;
    bool dialling = false;
    Instant until;
    Instant retry_at = Instant::never();
    Duration pause = kVisitRetryMin;
    std::deque<Bytes> waiting;
  };
  void dial(const NodeKey& provider, Visit& visit, Out& out);
  void lost(Instant now, const NodeKey& provider, Visit& visit, const std::string& why, Out& out);

  std::map<NodeKey, Visit> visits_;
  std::map<LinkId, NodeKey> links_;
};

}  // namespace selvedge::mesh
