// The local API about relays and rendezvous: being reached without being found, and finding services by their key.
//
// Part of api.h, which includes it. A provider (a relay, a rendezvous) is named by its ticket, or as a known peer by the beginning of its key.
#pragma once

#include <string>
#include <vector>

#include "object/ingress.h"

namespace selvedge::node {

struct RelayUseAnswer {
  crypto::PublicKey relay;
  std::string address;             // by which others dial this node, through the relay
  template <class V> void visit(V& v) { v("relay", relay); v("address", address); }
};
struct RelayListAnswer {
  bool serving = false;            // this node is a relay
  uint64_t circuits = 0;
  uint64_t bytes_carried = 0;
  struct Used {
    crypto::PublicKey relay;
    std::string address;
    bool connected = false;
    template <class V> void visit(V& v) { v("relay", relay); v("address", address); v("connected", connected); }
  };
  std::vector<Used> used;
  template <class V> void visit(V& v) { v("serving", serving); v("circuits", circuits); v("bytes_carried", bytes_carried); v("used", used); }
};
struct ProviderAnswer {
  crypto::PublicKey provider;
  std::string said;
  template <class V> void visit(V& v) { v("provider", provider); v("said", said); }
};
struct PublishAnswer {
  std::string address;             // fabric://KEY
  uint64_t epoch = 0;
  uint64_t expires = 0;
  std::vector<ProviderAnswer> at;
  template <class V> void visit(V& v) { v("address", address); v("epoch", epoch); v("expires", expires); v("at", at); }
};
struct ResolveAnswer {
  crypto::PublicKey service;
  crypto::PublicKey origin;
  std::string name;
  std::vector<object::IngressEndpoint> endpoints;
  object::IngressPolicy policy;
  uint64_t epoch = 0;
  uint64_t expires = 0;
  std::vector<ProviderAnswer> asked;  // none: it was known from before
  template <class V> void visit(V& v) {
    v("service", service); v("origin", origin); v("name", name); v("endpoints", endpoints); v("policy", policy); v("epoch", epoch); v("expires", expires);
    v("asked", asked);
  }
};

/// Registers this node at a relay, under a key that is nobody's. From then on its tickets name that way.
struct RelayUseRequest {
  static constexpr const char* kMethod = "relay.use";
  using Answer = RelayUseAnswer;
  std::string relay;
  template <class V> void visit(V& v) { v("relay", relay); }
};
struct RelayListRequest {
  static constexpr const char* kMethod = "relay.list";
  using Answer = RelayListAnswer;
  template <class V> void visit(V&) {}
};
/// Signs where a service of this owner can be reached (here, through a relay) and tells rendezvous.
struct PublishRequest {
  static constexpr const char* kMethod = "rendezvous.publish";
  using Answer = PublishAnswer;
  std::string name;
  std::string relay;
  std::vector<std::string> at;
  uint32_t protocols = object::kProtocolHttp;
  uint64_t seconds = 3600;
  template <class V> void visit(V& v) { v("name", name); v("relay", relay); v("at", at); v("protocols", protocols); v("seconds", seconds); }
};
struct ResolveServiceRequest {
  static constexpr const char* kMethod = "rendezvous.resolve";
  using Answer = ResolveAnswer;
  std::string address;             // fabric://KEY
  std::vector<std::string> via;
  uint32_t quorum = 1;
  template <class V> void visit(V& v) { v("address", address); v("via", via); v("quorum", quorum); }
};

}  // namespace selvedge::node
