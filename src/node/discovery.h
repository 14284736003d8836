// Discovery: finding other nodes by key, and being found where the owner wants that. spec: docs/spec/discovery.md
//
// What is told is signed by the node's key and names ways through relays; this machine's own addresses only where the owner said so. A wanted peer whose
// addresses lead nowhere is looked for anew, now and then.
#pragma once

#include <functional>
#include <map>

#include "mesh/finder.h"
#include "node/api_discovery.h"
#include "node/core.h"

namespace selvedge::node {

constexpr Duration kAnnounceEvery = seconds(1800);
constexpr uint64_t kAnnounceHoldsSeconds = 7200;
constexpr uint32_t kAnnounceTtlSeconds = 300;
constexpr Duration kAnnounceRetry = seconds(60);
/// A wanted peer that cannot be reached is looked for no more often.
constexpr Duration kLookAgain = seconds(30);

/// Whom this node tells where it is, as it lies on disk.
struct Announced {
  std::vector<std::string> to;
  bool own_addresses = false;
  template <class V> void visit(V& v) { v("to", to); v("own_addresses", own_addresses); }
};

class Discovery {
 public:
  explicit Discovery(Core& core);

  void restore(Turn& turn);
  /// Node plugs in the ways through relays.
  std::function<std::vector<std::string>()> relay_addresses;

  using OnFound = std::function<void(Turn&, Result<FindAnswer>)>;
  void find(Turn& turn, const NodeKey& node, OnFound then);
  /// No address of a wanted peer answered: perhaps it is elsewhere by now.
  void on_unreachable(Turn& turn, const NodeKey& peer);

  void announce(Turn& turn, const AnnounceRequest& request, std::function<void(Turn&, Result<AnnounceAnswer>)> then);
  AnnounceAnswer show() const;
  AnnounceAnswer off(Turn& turn);

  // ---- of the host
  void on_addresses(Turn& turn);
  void on_hints(Turn& turn, uint64_t token, const Result<Bytes>& payload);
  void on_told(Turn& turn, uint64_t token, const Status& status);

  void on_deadline(Turn& turn);
  Instant next_deadline() const;

 private:
  struct Told {
    mesh::HintSource relay;
    std::string said;
  };
  std::vector<std::string> addresses(bool own) const;
  void stop_lan(Turn& turn);
  Status tell(Turn& turn);
  void settle(Turn& turn);
  void route(Turn& turn, mesh::Finder::Out& effects);

  Core& core_;
  mesh::Finder finder_;
  std::map<uint64_t, OnFound> finds_;
  struct Asked { uint64_t find; size_t source; };
  std::map<uint64_t, Asked> asked_;           // by token
  std::map<NodeKey, Instant> looked_;         // for a wanted peer
  std::optional<Announced> announced_;
  std::vector<Told> told_;
  std::map<uint64_t, size_t> telling_;        // by token: of told_
  std::vector<std::function<void(Turn&, Result<AnnounceAnswer>)>> waiting_;   // for the end of the round
  std::optional<codec::PkarrPacket> packet_;  // as it was signed last
  std::vector<std::string> packet_addresses_;
  uint64_t packet_expires_ = 0;
  Instant tell_at_ = Instant::never();
  uint64_t last_token_ = 0;
};

}  // namespace selvedge::node
