// StateKeeper: the part of an origin's node that decides, term by term, which machines hold the state of a service of its owner's, and which one writes.
// docs/spec/hosting.md, "State"; docs/decisions/0043
//
// A term has one writer and a set of holders, of which this node is one. To begin another, enough holders of the last one promise to follow it no more that one of
// them knows everything that was kept; the newest copy among them is brought here and given to the machines that are to hold it; it is written down who they are;
// and then they are told. Whatever changes (a machine lost, another wanted, a holder that missed something) is done by a new term, so there is one way to do it, and
// it can stop anywhere.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "node/api.h"
#include "node/states.h"

namespace selvedge::node {

/// Whoever promises or takes the copy has so long; then it is done without, or begun anew.
constexpr Duration kStateAnswerMax = seconds(3), kStateCopyMax = seconds(20);
/// A writer that cannot be reached may come back within this; a holder that is new or gone is waited for so long, in case there are more.
constexpr Duration kStateWriterGone = milliseconds(500), kStateHoldersChange = milliseconds(200);
constexpr uint64_t kStateTombSeconds = 60 * 24 * 3600;

/// Of a service with state, as it lies on disk; by its key.
struct StateTerm {
  std::string name;
  uint64_t last = 0;                     // the newest term that was begun
  uint64_t active = 0;                   // the one that holds; 0: none yet
  crypto::PublicKey writer;
  std::vector<crypto::PublicKey> holders;
  std::vector<crypto::PublicKey> told;   // every machine that may have something of it
  uint64_t removed = 0;                  // Unix seconds; 0: it is wanted
  template <class V> void visit(V& v) { v("name", name); v("last", last); v("active", active); v("writer", writer); v("holders", holders); v("told", told); v("removed", removed); }
};

class StateKeeper {
 public:
  StateKeeper(Core& core, States& states) : core_(core), states_(states) {}

  void restore();
  bool has(const crypto::PublicKey& service) const;
  /// It is to have a state from now on: an empty one, unless it has one. `then` when that is on disk.
  void want(Turn& turn, const crypto::PublicKey& service, const std::string& name, Core::OnStatus then);
  /// Its state is deleted here, and on each machine as soon as it can be told.
  void remove(Turn& turn, const crypto::PublicKey& service);
  /// Machines that run its program, best first; Deployer plugs it in.
  std::function<std::vector<NodeKey>(const crypto::PublicKey&)> able = [](const auto&) { return std::vector<NodeKey>(); };
  /// A term has begun.
  std::function<void(Turn&)> on_changed = [](Turn&) {};
  /// Whatever of `able` or of sessions may have changed.
  void tend(Turn& turn);
  void on_message(Turn& turn, const NodeKey& from, const StateMessages::Message& message);
  void on_peer_down(const NodeKey& peer);
  void on_deadline(Turn& turn) { tend(turn); }
  Instant next_deadline() const;

  /// Why its state is not where it should be; empty: it is.
  std::string why(const crypto::PublicKey& service) const;
  /// Errors: kNotFound.
  Result<ServiceStateAnswer> info(const crypto::PublicKey& service) const;

 private:
  enum class Phase : uint8_t { kWriting, kPreparing, kPulling, kGiving, kResting, kBeginning };
  struct Change {
    uint64_t term = 0;
    Phase phase = Phase::kWriting;
    std::set<NodeKey> asked, given;
    std::map<NodeKey, StateReady> ready;   // who promised, and what it has
    Instant until;                         // of the phase
    Instant promised_at = Instant::never();  // when enough had
    uint64_t from_term = 0, from_seq = 0;
    NodeKey source;
  };
  struct Kept {
    StateTerm term;
    std::optional<Change> change;
    Instant due = Instant::never();        // when to begin one
    Instant began{0};                      // when the active one did
    uint64_t promised = 0;                 // the highest that anybody did
    std::set<NodeKey> dropping;            // told to forget, in this session
  };
  using Service = std::pair<const crypto::PublicKey, Kept>;

  void tend(Turn& turn, Service& each);
  std::optional<Duration> change_due(Turn& turn, const Service& each, const std::vector<NodeKey>& hosts) const;
  void begin(Turn& turn, Service& each, const std::vector<NodeKey>& hosts);
  void go_on(Turn& turn, Service& each, const std::vector<NodeKey>& hosts);
  void prepare(Turn& turn, Service& each, const std::vector<NodeKey>& hosts);
  void choose(Turn& turn, Service& each);
  void give(Turn& turn, Service& each, const std::vector<NodeKey>& hosts);
  void activate(Turn& turn, Service& each, const std::vector<NodeKey>& holders);
  void tell_lead(Turn& turn, const crypto::PublicKey& service, const StateTerm& term, uint64_t from_term, uint64_t from_seq);
  void drop_others(Turn& turn, Service& each, const std::vector<NodeKey>& hosts);
  void keep(Turn& turn, const crypto::PublicKey& service, const StateTerm& term, Core::OnStatus then);
  std::vector<NodeKey> reachable(const Service& each, const std::vector<NodeKey>& hosts) const;
  Service* find(const crypto::PublicKey& service);

  Core& core_;
  States& states_;
  std::map<crypto::PublicKey, Kept> kept_;
  std::map<std::pair<crypto::PublicKey, NodeKey>, StateReady> seen_;   // what connected holders said last
};

}  // namespace selvedge::node
