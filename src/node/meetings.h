// Meetings: being reached through relays, finding services through rendezvous, and giving both to others.
//
// As a client: visits providers under keys that are nobody's (mesh/visits.h), registers handles there, opens circuits to the handles of others, and asks
// and tells rendezvous. As a provider, where the role is on: runs mesh/relay.h and mesh/rendezvous.h for visitors. What goes through a circuit are
// packets of the transport; they pass through here as they are.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "mesh/relay.h"
#include "mesh/rendezvous.h"
#include "mesh/resolver.h"
#include "mesh/visits.h"
#include "node/api.h"
#include "node/core.h"

namespace selvedge::node {

/// A registration is renewed long before it ends.
constexpr uint64_t kHandleSeconds = 3600;
constexpr Duration kHandleRenewed = seconds(1200);
constexpr Duration kProviderAnswerMax = seconds(5);
constexpr size_t kHandlesMax = 16;
constexpr size_t kOpenCircuitsMax = 1024;
/// A better way to a peer is looked for no more often than this.
constexpr Duration kPathOfferEvery = seconds(30);
/// A session that goes through a relay is tried directly again after this, then after twice as long each time, up to the most: routers change.
constexpr Duration kPathAgainFirst = seconds(60);
constexpr Duration kPathAgainMost = seconds(900);

/// relay:KEY@HOST:PORT/HANDLE
struct RelayAddress {
  NodeKey relay;
  std::string at;                // empty: wherever the relay is known to be
  object::EndpointHandle handle;
};
bool is_relay_address(const std::string& address);
/// Errors: kInvalid.
Result<RelayAddress> parse_relay_address(const std::string& address);
std::string relay_address_text(const RelayAddress& address);

/// At which relay this node can be reached, as it lies on disk; by handle.
struct RelayUsed {
  NodeKey relay;
  std::vector<std::string> addresses;
  template <class V> void visit(V& v) { v("relay", relay); v("addresses", addresses); }
};

class Meetings {
 public:
  explicit Meetings(Core& core);

  void restore(Turn& turn);
  /// A session wants `peer` dialled at a relay's address: DialPeer over a circuit follows, or `on_dial_failed`.
  void dial(Turn& turn, const NodeKey& peer, const std::string& address);
  std::function<void(Turn&, const NodeKey& peer, const Error& why)> on_dial_failed;
  /// Ways to this node through relays, for its tickets.
  std::vector<std::string> addresses() const;

  // ---- leaving a relay for a better way
  void on_peer_up(Turn& turn, const NodeKey& peer);
  /// This node is to be found elsewhere too from now on.
  void on_addresses(Turn& turn);
  void on_path_offer(Turn& turn, const NodeKey& from, const mesh::PathOffer& offer);
  /// Tries another way to a peer. Node plugs the sessions in.
  std::function<void(Turn&, const NodeKey& peer, const std::string& address)> on_probe;

  // ---- of the transport
  void on_visit_opened(Turn& turn, const NodeKey& provider, LinkId link);
  void on_visit_failed(Turn& turn, const NodeKey& provider, const Error& why);
  void on_link_closed(Turn& turn, LinkId link, const Error& why);
  void on_circuit(Turn& turn, uint64_t circuit, size_t segment, Bytes packets);
  /// Whether the link is a visit of this node's, or a visitor's; then its messages are for here.
  bool knows(LinkId link) const { return visits_.provider_of(link).has_value() || core_.sessions.visitor_of(link) != nullptr; }
  void on_message(Turn& turn, LinkId link, ByteView message);
  void on_frame(Turn& turn, LinkId link, ByteView frame);

  // ---- of the local API
  using OnUsed = std::function<void(Turn&, Result<RelayUseAnswer>)>;
  void use(Turn& turn, const RelayUseRequest& request, OnUsed then);
  RelayListAnswer list() const;
  void publish(Turn& turn, const PublishRequest& request, std::function<void(Turn&, Result<PublishAnswer>)> then);
  void resolve(Turn& turn, const ResolveServiceRequest& request, std::function<void(Turn&, Result<ResolveAnswer>)> then);

  void on_deadline(Turn& turn);
  Instant next_deadline() const;
  /// The node stops: what passes through its relay is told and accounted for.
  void drain(Turn& turn);

 private:
  struct Provider {
    NodeKey key;
    std::vector<std::string> addresses;
  };
  struct Registered {
    RelayUsed used;
    Instant renew_at = Instant::never();
  };
  struct Circuit {
    NodeKey relay;
    uint64_t number = 0;         // on the link to it
  };
  bool reached_by_relay(const NodeKey& peer) const;
  void offer_paths(Turn& turn, const NodeKey& peer, bool reply);
  void offer_paths_again(Turn& turn);

  /// A question to a provider, and what to do with its answer.
  struct Asked {
    NodeKey provider;
    Instant until;
    std::function<void(Turn&, const Status&)> then;
  };

  Result<Provider> provider_of(const std::string& text) const;
  Status visit(Turn& turn, const Provider& provider, Instant until);
  uint64_t expect(Turn& turn, const NodeKey& provider, std::function<void(Turn&, const Status&)> then);
  void answered(Turn& turn, uint64_t request, const NodeKey& from, const Status& status);
  void say(Turn& turn, const NodeKey& provider, Bytes message);
  void register_at(Turn& turn, const object::EndpointHandle& handle, std::function<void(Turn&, const Status&)> then);
  Result<object::EndpointHandle> handle_at(Turn& turn, const Provider& relay);
  void serve(Turn& turn, LinkId link, const NodeKey& visitor, ByteView message);
  void on_provider_message(Turn& turn, const NodeKey& provider, ByteView message);
  void route(Turn& turn, mesh::Visits::Out& effects);
  void route(Turn& turn, mesh::Relay::Out& effects);
  void route(Turn& turn, mesh::Resolver::Out& effects);

  Core& core_;
  mesh::Visits visits_;
  mesh::Resolver resolver_;
  std::optional<mesh::Relay> relay_;
  std::optional<mesh::Rendezvous> rendezvous_;
  std::map<object::EndpointHandle, Registered> registered_;
  std::map<uint64_t, Circuit> circuits_;
  std::map<std::pair<NodeKey, uint64_t>, uint64_t> circuits_by_relay_;
  std::map<uint64_t, Asked> asked_;
  std::map<uint64_t, std::function<void(Turn&, mesh::Resolved)>> resolving_;
  std::string observed_;                  // where this node's packets come from, as a relay saw it last
  struct Better {
    Instant offered, tried;
    Instant again = Instant::never();
    Duration wait = kPathAgainFirst;
  };
  std::map<NodeKey, Better> better_;      // when a better way to a peer was last offered, and tried
  uint64_t last_request_ = 0;
  uint64_t last_circuit_ = 0;
};

}  // namespace selvedge::node
