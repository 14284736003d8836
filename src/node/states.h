// States: the copies of services' states that this node holds, its owner's and others', and what it does as the writer of one. docs/spec/hosting.md, "State"
//
// A copy is records: a head (whose it is, how far it is, whom it follows) and sealed values. It changes by batches of the term's writer, in their order, each one
// write of the disk; or as a whole, when the origin's node sends another in its place. What is promised, stored or shown as kept is on disk before it is said.
//
// As a writer this node has the state's key and the values in memory. A request's changes are applied here, put on disk and sent to the other holders; the
// response waits until a majority has them (work/state_quorum.h). Without the majority it is the writer of nothing: requests are refused.
//
// Invariants: a holder follows one writer of the newest term that it promised; a copy that missed something takes no more until it is replaced; nothing of a copy
// outlives the lease or the word of its origin under which it is here, for longer than kStateKept.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "node/core.h"
#include "node/state_messages.h"
#include "node/state_seal.h"
#include "wasi/state_calls.h"
#include "work/state_quorum.h"

namespace selvedge::node {

constexpr size_t kStateCopiesMax = 256;
/// Of all copies, as they lie there: a part of what a node's records may take (store::Limits).
constexpr uint64_t kStateCopyBytesMax = 32u << 20;
constexpr size_t kStateCopySlotsMax = 50'000;
/// A response waits so long for the other holders; then the client is told to try again.
constexpr Duration kStateKeepMax = seconds(5);
/// What a writer keeps to send it again: to a holder that is further behind it sends nothing more in this term.
constexpr uint64_t kStateWindowBytes = 4u << 20;
constexpr size_t kStateWindowWrites = 4096;
/// A copy whose origin says nothing for so long is deleted.
constexpr Duration kStateKept = seconds(30 * 24 * 3600);

/// Of a copy, as it lies on disk; by service.
struct StateHead {
  crypto::PublicKey origin;
  uint64_t promised = 0;
  uint64_t term = 0, seq = 0;             // its last write
  uint64_t follows = 0;                   // the term whose writer it follows; 0: none
  crypto::PublicKey writer;
  uint64_t seen = 0;                      // Unix seconds: when its origin spoke of it, to the day
  template <class V> void visit(V& v) { v("origin", origin); v("promised", promised); v("term", term); v("seq", seq); v("follows", follows); v("writer", writer); v("seen", seen); }
};
/// A value of a copy, as it lies on disk; by service and slot.
struct StateValue {
  crypto::PublicKey service;
  StateEntry entry;
  template <class V> void visit(V& v) { v("service", service); v("entry", entry); }
};

class States {
 public:
  explicit States(Core& core) : core_(core) {}

  void restore(Turn& turn);
  void on_message(Turn& turn, const NodeKey& from, const StateMessages::Message& message);
  void on_peer_up(Turn& turn, const NodeKey& peer);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;
  /// Whether this machine takes a copy of that service for that origin; Hosting plugs it in.
  std::function<bool(const crypto::PublicKey& service, const crypto::PublicKey& origin)> welcome = [](const auto&, const auto&) { return false; };
  /// This node is the writer now, or is it no longer.
  std::function<void(Turn&, const crypto::PublicKey& service)> on_lead_changed = [](Turn&, const auto&) {};

  // ---- as the writer
  /// The term of which this node is the writer; 0: none.
  uint64_t leads(const crypto::PublicKey& service) const;
  /// Whether it may answer a request now.
  bool serves(Instant now, const crypto::PublicKey& service) const;
  /// What a request reads; does not change while one runs, because the next begins when its changes were taken.
  std::shared_ptr<const wasi::StateView> view(const crypto::PublicKey& service) const;
  /// Takes a request's changes. `then` when they, and what the request may have read, cannot be lost any more. Errors: kUnavailable (nobody knows whether they will
  /// be), kInvalid and kLimit (no request makes such changes, and none was taken).
  void commit(Turn& turn, const crypto::PublicKey& service, const std::vector<wasi::StateWrite>& writes, Core::OnStatus then);
  /// The program does not run here any more: whoever is to be the writer is to be told anew.
  void resign(Turn& turn, const crypto::PublicKey& service);

  // ---- for the origin's node (state_keeper.h)
  /// An empty copy, in place of what there is.
  void make_empty(Turn& turn, const crypto::PublicKey& service, uint64_t term, Core::OnStatus then);
  /// The copy that this holder sends under this term takes the place of the own one.
  void expect(const crypto::PublicKey& service, const NodeKey& from);
  /// The copy, in parts, under this term.
  void send_copy(Turn& turn, const crypto::PublicKey& service, const NodeKey& to, uint64_t promised);
  std::optional<StateReady> ready(const crypto::PublicKey& service) const;
  /// Deletes the copy. `then` when the disk has.
  void drop(Turn& turn, const crypto::PublicKey& service, Core::OnStatus then);
  void drop_of(Turn& turn, const crypto::PublicKey& origin);

 private:
  struct Coming {                          // parts of a copy
    uint64_t term = 0, seq = 0, next = 0, bytes = 0;
    std::vector<StateEntry> entries;
  };
  struct Sent { uint64_t seq; Bytes message; };
  struct Waiting { uint64_t seq; Instant until; Core::OnStatus then; };
  struct Lead {
    Lead(uint64_t term_in, StateSeal seal_in, work::StateQuorum quorum_in) : term(term_in), seal(std::move(seal_in)), quorum(std::move(quorum_in)) {}
    uint64_t term;
    StateSeal seal;
    work::StateQuorum quorum;
    std::shared_ptr<wasi::StateMap> values = std::make_shared<wasi::StateMap>();
    std::vector<object::Holder> holders;
    std::deque<Sent> window;
    uint64_t window_bytes = 0;
    std::deque<Waiting> waiting;           // in the order of their numbers
    Instant beat_at, dial_at;
  };
  struct Copy {
    StateHead head;                        // as it was given to the disk last
    uint64_t durable = 0;                  // up to here it is on disk
    bool behind = false;
    std::map<StateSlot, uint32_t> slots;   // with the bytes of their values
    uint64_t bytes = 0;
    std::optional<Coming> coming;
    std::optional<NodeKey> expected;       // who else than the origin may send a copy
    std::unique_ptr<Lead> lead;
  };
  using Copies = std::map<crypto::PublicKey, Copy>;

  void on_prepare(Turn& turn, const NodeKey& from, const StatePrepare& prepare);
  void on_part(Turn& turn, const NodeKey& from, const StatePart& part);
  void install(Turn& turn, const crypto::PublicKey& service, const NodeKey& tell);
  void on_lead(Turn& turn, const NodeKey& from, const StateLead& lead);
  void begin_lead(Turn& turn, const StateLead& asked);
  void on_batch(Turn& turn, const NodeKey& from, const StateBatch& batch);
  void on_stored(Turn& turn, const NodeKey& from, const StateStored& stored);
  void settle(Turn& turn, const crypto::PublicKey& service);
  void beat(Turn& turn, const crypto::PublicKey& service, Copy& copy);
  void resend(Turn& turn, Copy& copy, const NodeKey& to, uint64_t after);
  void end_lead(Turn& turn, const crypto::PublicKey& service, const char* why);
  /// One write of the disk: these values, and the head as it is. False: there is no room, and the copy is given up.
  bool write(Turn& turn, const crypto::PublicKey& service, const std::vector<StateEntry>& entries, Core::OnStatus then);
  void give_up(Turn& turn, const crypto::PublicKey& service, const std::string& why);
  bool room_for(const Copy& copy, const std::vector<StateEntry>& entries) const;
  void tell(Turn& turn, const crypto::PublicKey& service, const NodeKey& to);
  void tell_origin(Turn& turn, const crypto::PublicKey& service);
  bool of_origin(const NodeKey& node, const crypto::PublicKey& origin) const;
  std::optional<crypto::PublicKey> owner_of(const NodeKey& node) const;
  static store::RecordId value_id(const crypto::PublicKey& service, const StateSlot& slot);

  Core& core_;
  Copies copies_;
};

}  // namespace selvedge::node
