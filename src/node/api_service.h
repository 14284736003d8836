// The local API about services: giving an existing one an identity, and reaching one by its key. Part of api.h, which includes it.
#pragma once

#include <string>
#include <vector>

#include "crypto/types.h"

namespace selvedge::node {

struct ServiceInfo {
  std::string name;
  std::string address;             // fabric://KEY
  std::string target;              // what stands behind it, on this machine's side
  std::string access;              // public, owner, keys
  std::vector<crypto::PublicKey> owners;  // of "keys": whose machines may connect
  uint32_t connections_max = 0;
  uint32_t connections = 0;        // open now
  uint64_t connections_ever = 0, refused = 0, bytes_in = 0, bytes_out = 0;  // since the node started
  template <class V> void visit(V& v) {
    v("name", name); v("address", address); v("target", target); v("access", access); v("owners", owners); v("connections_max", connections_max);
    v("connections", connections); v("connections_ever", connections_ever); v("refused", refused); v("bytes_in", bytes_in); v("bytes_out", bytes_out);
  }
};
/// Gives what listens at `target` a key of its own. From now on, also after a restart, whoever may connects to it through this node.
struct ExposeRequest {
  static constexpr const char* kMethod = "service.expose";
  using Answer = ServiceInfo;
  std::string name;
  std::string target;              // "127.0.0.1:3000"
  std::string access = "owner";
  std::vector<std::string> owners; // keys
  uint32_t connections_max = 256;
  template <class V> void visit(V& v) { v("name", name); v("target", target); v("access", access); v("owners", owners); v("connections_max", connections_max); }
};
/// Open connections end at once.
struct UnexposeRequest {
  static constexpr const char* kMethod = "service.unexpose";
  using Answer = ServiceInfo;
  std::string name;
  template <class V> void visit(V& v) { v("name", name); }
};
struct ServiceListAnswer {
  std::vector<ServiceInfo> services;
  template <class V> void visit(V& v) { v("services", services); }
};
struct ServiceListRequest {
  static constexpr const char* kMethod = "service.list";
  using Answer = ServiceListAnswer;
  template <class V> void visit(V&) {}
};

struct ProxyAnswer {
  std::string listening;           // where
  std::string problem;             // why a connection just ended before its time
  template <class V> void visit(V& v) { v("listening", listening); v("problem", problem); }
};
/// Listens on this machine for ordinary clients and connects each to a service, for as long as the request stands. Progress: where it listens, and
/// each time when a connection failed.
struct ProxyRequest {
  static constexpr const char* kMethod = "service.proxy";
  using Answer = ProxyAnswer;
  std::string address;             // fabric://KEY
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> at;     // nodes that have it: tickets, or the beginnings of known peers' keys
  std::vector<std::string> via;    // rendezvous that know who has it: tickets
  template <class V> void visit(V& v) { v("address", address); v("listen", listen); v("at", at); v("via", via); }
};

}  // namespace selvedge::node
