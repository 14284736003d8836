// Services: an existing service gets a key, and ordinary clients reach a service by its key. spec: SP flow C, WF 4.7; docs/spec/services.md
//
// Exposing: the owner's root makes the service's key; the node signs, for an hour at a time, that the service can be reached at it, and shows that to whoever opens a stream to the
// service and may. Then bytes go between the stream and a socket to the target. What the target learns is a connection from this machine.
//
// Proxying: a local listener whose every connection becomes a stream to a node that has the service, once that node has shown the service's signature. Not a
// byte goes to a node that did not.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "mesh/streams.h"
#include "node/api.h"
#include "node/core.h"
#include "object/ingress.h"

namespace selvedge::node {

constexpr size_t kExposedMax = 64;
constexpr size_t kProxiesMax = 64;
/// A client's connection waits so long for a node that has the service.
constexpr Duration kProviderWait = seconds(10);
/// A node does not have what stands behind a service itself: it reads no faster than the other side takes.
constexpr size_t kSocketAhead = 256u << 10;

enum class Access : uint8_t { kPublic = 0, kOwner = 1, kKeys = 2, kLast = kKeys };
const char* enum_name(Access access);

/// An exposed service, as it lies on disk; by its key.
struct Exposed {
  std::string name;
  std::string target;
  Access access = Access::kOwner;
  std::vector<crypto::PublicKey> owners;
  uint32_t connections_max = 0;
  template <class V> void visit(V& v) { v("name", name); v("target", target); v("access", access); v("owners", owners); v("connections_max", connections_max); }
};

/// The target of one that this machine runs: no address, but the host's own HTTP server under the service's name.
inline const std::string kHostedScheme = "service:";
std::string hosted_target(const crypto::PublicKey& service);

class Services {
 public:
  explicit Services(Core& core) : core_(core) {}

  void restore();
  Result<ServiceInfo> expose(Turn& turn, const ExposeRequest& request);
  Result<ServiceInfo> unexpose(Turn& turn, const std::string& name);
  ServiceListAnswer list() const;
  /// Refuses the request when it cannot be; else it stands until withdrawn().
  void proxy(Turn& turn, RequestId id, const ProxyRequest& request);
  void withdrawn(Turn& turn, RequestId id);
  /// Node plugs in who resolves services. Answers come later.
  std::function<void(Turn&, const ResolveServiceRequest&, std::function<void(Turn&, Result<ResolveAnswer>)>)> resolve;

  // ---- services that this machine runs for others (hosting.h)
  bool exposes(const crypto::PublicKey& service) const { return exposed_.contains(service); }
  /// From now on streams to it are taken, on the terms given, with the proof that its origin signed.
  void host(Turn& turn, const crypto::PublicKey& service, Exposed terms, const crypto::PublicKey& origin, Bytes proof, uint64_t proof_expires);
  void renew_hosted(const crypto::PublicKey& service, Bytes proof, uint64_t proof_expires);
  void end_hosted(Turn& turn, const crypto::PublicKey& service);
  /// Which nodes have a service of this owner's, where it was deployed from here.
  std::function<std::vector<NodeKey>(const crypto::PublicKey&)> deployed_at;
  /// That has changed: clients who wait for a machine may have one.
  void on_deployed(Turn& turn);

  void on_message(Turn& turn, const NodeKey& from, mesh::StreamMessages::Message message);
  void on_peer_up(Turn& turn, const NodeKey& peer);
  void on_peer_down(Turn& turn, const NodeKey& peer);

  // ---- of the host
  void on_listening(Turn& turn, RequestId id, const Result<std::string>& address);
  void on_local_connection(Turn& turn, RequestId id, SocketId socket);
  void on_socket_connected(Turn& turn, SocketId socket, const Status& status);
  void on_socket_read(Turn& turn, SocketId socket, Bytes bytes);
  void on_socket_end(Turn& turn, SocketId socket);
  void on_socket_written(Turn& turn, SocketId socket, size_t bytes);
  void on_socket_closed(Turn& turn, SocketId socket);

  void on_deadline(Turn& turn);
  Instant next_deadline() const;

 private:
  struct Counted {
    Exposed exposed;
    uint32_t connections = 0;
    uint64_t ever = 0, refused = 0, in = 0, out = 0;
    Bytes proof;                   // signed IngressSet
    uint64_t proof_expires = 0;
    std::optional<crypto::PublicKey> origin;   // whose it is, if it runs here for another; the proof is theirs then
  };
  void end_streams(Turn& turn, const crypto::PublicKey& service, const Error& why);
  struct Socket {
    mesh::StreamId stream = 0;     // 0: it waits for a node that has the service
    crypto::PublicKey service;
    RequestId proxy = 0;           // 0: it leads to the target of a service here
    NodeKey peer;
    Instant wait_until = Instant::never();
    bool open = false;             // connected, or the service shown
    bool paused = false;
    std::set<NodeKey> tried;       // and would not, or could not
  };
  struct Proxy {
    ProxyRequest request;
    crypto::PublicKey service;
    std::set<NodeKey> nodes;       // that are said to have it
    Instant resolve_at = Instant::never();
    std::string listening;
  };
  std::optional<NodeKey> node_for(const Proxy& proxy, const std::set<NodeKey>& tried) const;
  bool try_another(Turn& turn, SocketId id);
  Result<NodeKey> want_provider(Turn& turn, const std::string& text);
  void resolve_providers(Turn& turn, RequestId id);
  void begin(Turn& turn, SocketId id, Socket& socket, const NodeKey& node);
  void begin_waiting(Turn& turn, RequestId proxy);
  Status may_connect(const Counted& counted, const NodeKey& peer) const;
  void on_asked(Turn& turn, const mesh::StreamAsked& asked);
  void on_accepted(Turn& turn, const mesh::StreamAccepted& accepted);
  Status proven(Turn& turn, const Socket& socket, ByteView proof) const;
  Result<Bytes> proof_of(Turn& turn, const crypto::PublicKey& service, Counted& counted);
  void tell_problem(Turn& turn, const Socket& socket, const std::string& why);
  void pace(Turn& turn, SocketId id, Socket& socket, size_t waiting);
  /// Both ends of what the socket is part of are over.
  enum class How : uint8_t { kFlush, kReset };
  void close(Turn& turn, SocketId id, How how = How::kReset);
  void route(Turn& turn, mesh::Streams::Out& effects);
  ServiceInfo info(const crypto::PublicKey& service, const Counted& counted) const;

  Core& core_;
  mesh::Streams streams_;
  std::map<crypto::PublicKey, Counted> exposed_;
  std::map<RequestId, Proxy> proxies_;
  std::map<SocketId, Socket> sockets_;
  std::map<mesh::StreamId, SocketId> socket_of_;
};

}  // namespace selvedge::node
