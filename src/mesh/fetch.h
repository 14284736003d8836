// Fetcher: brings objects back from whoever holds their symbols.
//
// Any symbols will do, as long as they are not the same ones: each ready holder is asked for its part of what is
// still missing, naming what is already here. Symbols are collected, authenticated and decoded by a worker job; a
// holder whose symbols do not authenticate is not asked again. When every holder has given what it has and it is not
// enough, the error says how many symbols are missing.
#pragma once

#include <map>
#include <optional>
#include <variant>

#include "base/outbox.h"
#include "base/time.h"
#include "mesh/coding.h"
#include "mesh/messages.h"
#include "object/policy.h"

namespace selvedge::mesh {

constexpr size_t kFetchesMax = 1024;
constexpr Duration kFetchTimeout = seconds(30);      // spec: FM App. B, decode timeout
/// Without a frame of any fetch, for on a slow line one object waits for another; then the others are asked for its part. Where there are others, they
/// are asked too once a holder has given nothing of this object for kFetchTimeout.
constexpr Duration kHolderSilenceMax = seconds(4);
constexpr Duration kConnectWaitMax = seconds(5);     // for a holder without a session: it may be restarting
constexpr uint64_t kFetchBytesMax = 2 * kGroupBytesMax + (1u << 20);  // collected for one object

struct FetchRequest {
  object::ObjectId object;
  object::BlockGroup group;
  object::ObjectKey key;
  std::vector<NodeKey> holders;  // in the order to prefer when one suffices
  std::vector<Bytes> capabilities = {};  // signed, for another origin's object: the one held first, the root last
  std::vector<crypto::PublicKey> owners = {};  // of the holders, in their order; a node without one counts as its own
  object::Diversity diversity = {};      // what the zone's policy asks of the sources, before they are put together
  bool urgent = false;                   // somebody waits for it
};

struct AskSymbols { NodeKey to; SymbolRequest request; };
struct WantPeer { NodeKey peer; };
struct StartDecode { uint64_t fetch; std::shared_ptr<const DecodeJob> job; };
struct Fetched { uint64_t fetch; Result<Bytes> plaintext; };
struct HolderLied { NodeKey holder; object::ObjectId object; };
using FetchEffect = std::variant<AskSymbols, WantPeer, StartDecode, Fetched, HolderLied>;

class Fetcher {
 public:
  using Out = Outbox<FetchEffect>;
  /// `plans` is shared with whoever else codes; it may be null.
  explicit Fetcher(std::shared_ptr<fountain::PlanCache> plans) : plans_(std::move(plans)) {}

  /// `ready(peer)` says whether a request can be sent now. Errors: kLimit, kInvalid.
  template <class Ready>
  Result<uint64_t> start(Instant now, FetchRequest request, Ready ready, Out& out) {
    const uint64_t id = TRY(add(now, std::move(request)));
    Fetch& fetch = fetches_.at(id);
    for (auto& [key, holder] : fetch.holders) {
      if (ready(key)) holder.state = Holder::kReady;
      else out.push(WantPeer{key});
    }
    step(now, id, out);
    return id;
  }
  void cancel(uint64_t fetch) { fetches_.erase(fetch); }

  void on_peer_up(Instant now, const NodeKey& peer, Out& out);
  void on_peer_down(Instant now, const NodeKey& peer, Out& out);
  void on_frame(Instant now, const NodeKey& from, const FrameView& frame, Bytes bytes, Out& out);
  void on_end(Instant now, const NodeKey& from, const SymbolEnd& end, Out& out);
  void on_decoded(Instant now, uint64_t fetch, DecodeResult result, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;
  size_t active() const { return fetches_.size(); }

 private:
  struct Holder {
    enum State : uint8_t { kWaiting, kReady, kAsked, kExhausted } state = kWaiting;
    std::vector<uint32_t> asked;          // per block: asked for and not yet here
    uint32_t received = 0;                // symbols of the running request
    uint64_t given = 0;                   // symbols in all
    std::optional<uint32_t> promised;     // what the end of the answer said it holds; frames may still be on their way
    Instant silent_since;
    std::string error;
  };
  struct Block {
    uint32_t k = 0;
    uint32_t target = 0;        // distinct symbols wanted before decoding is tried
    uint32_t have = 0;
    std::vector<bool> seen;     // by encoding symbol id
  };
  struct Fetch {
    FetchRequest request;
    std::vector<std::pair<NodeKey, Holder>> holders;
    std::vector<Block> blocks;
    std::vector<DecodeJob::From> frames;
    uint64_t bytes = 0;
    Instant give_up;
    bool decoding = false;
  };

  Result<uint64_t> add(Instant now, FetchRequest request);
  void step(Instant now, uint64_t id, Out& out);
  void ask(Instant now, Fetch& fetch, uint64_t id, Out& out);
  /// Ends a holder's answer once the frames it promised are here: they come by another channel than the end.
  static void settle(Holder& holder);
  void finish(uint64_t id, Result<Bytes> result, Out& out);
  Instant heard(const NodeKey& peer) const;
  /// When an asked holder counts as silent, and when the fetch is given up.
  Instant silent_at(const Fetch& fetch, const NodeKey& key, const Holder& holder) const;
  Instant given_up_at(const Fetch& fetch) const;
  Error missing(const Fetch& fetch) const;
  /// What the zone's policy asks of the sources of what is here.
  static Status diverse(const Fetch& fetch);
  void count(Fetch& fetch, uint8_t block, const std::vector<uint32_t>& esis);

  std::shared_ptr<fountain::PlanCache> plans_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Fetch> fetches_;
  std::map<NodeKey, Instant> heard_;   // when a frame that was asked for came from a peer
};

}  // namespace selvedge::mesh
