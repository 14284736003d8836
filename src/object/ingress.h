// IngressSet: where a service can be reached now, as the service itself says it, without a single address.
//
// An endpoint is a handle: 32 bytes that mean something to one relay and nothing to anybody else. Who wants to speak to the service
// hands the handle to that relay and gets a channel on which the endpoint must prove its key. So whoever resolves a service learns keys,
// terms and an end of validity, and no participant's address (R22). The set is signed by the service's key, whose text is the service's address
// fabric://KEY; whoever passes it on can only keep it back or show an older one. spec: WF 9.1 to 9.3, 9.8
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "object/envelope.h"
#include "object/kinds.h"

namespace selvedge::object {

struct EndpointHandleTag;
/// Drawn at random for one epoch.
using EndpointHandle = FixedBytes<EndpointHandleTag, 32>;

inline constexpr size_t kIngressEndpointsMax = 32;
inline constexpr size_t kServiceNameSizeMax = 64;
/// An epoch is short: nothing that was resolved is used for longer. spec: WF 9.8
inline constexpr uint64_t kIngressEpochSecondsMax = 3600;

/// What can be spoken to an endpoint, as bits.
inline constexpr uint8_t kProtocolHttp = 1, kProtocolGrpc = 2, kProtocolDatagram = 4, kProtocolCustom = 8, kProtocolsAll = 15;

struct IngressEndpoint {
  EndpointHandle handle;
  PublicKey relay;         // to whom the handle means something
  PublicKey key;           // what the endpoint proves on the channel: made for this epoch, delegated by being named here
  uint8_t protocols = kProtocolHttp;

  template <class V>
  void visit(V& v) {
    v("handle", handle);
    v("relay", relay);
    v("key", key);
    v("protocols", protocols);
  }
};

enum class IngressAuth : uint8_t { kPublic = 0, kToken = 1, kMutual = 2, kLast = kMutual };
const char* enum_name(IngressAuth auth);

/// What a client accepts by connecting. 0: no limit of its own.
struct IngressPolicy {
  IngressAuth auth = IngressAuth::kPublic;
  uint32_t connections_max = 0;
  uint32_t requests_per_second_max = 0;
  uint32_t connection_seconds_max = 0;

  template <class V>
  void visit(V& v) {
    v("auth", auth);
    v("connections_max", connections_max);
    v("requests_per_second_max", requests_per_second_max);
    v("connection_seconds_max", connection_seconds_max);
  }
};

struct IngressSet {
  static constexpr std::string_view kName = "IngressSet";
  static constexpr uint16_t kVersion = 1;
  PublicKey service;
  PublicKey origin;        // the owner who answers for it
  std::string name;        // what the origin calls it
  std::vector<IngressEndpoint> endpoints;  // ascending by handle; none: it cannot be reached in this epoch
  IngressPolicy policy;
  uint64_t epoch = 0;      // goes up with each set
  uint64_t issued = 0;
  uint64_t expires = 0;

  template <class V>
  void visit(V& v) {
    v("service", service);
    v("origin", origin);
    v("name", name);
    v("endpoints", endpoints);
    v("policy", policy);
    v("epoch", epoch);
    v("issued", issued);
    v("expires", expires);
  }
  const PublicKey& author() const { return service; }
  Status validate() const;
};

/// fabric://KEY or fabric://KEY/path. Errors: kInvalid, saying what an address looks like.
struct ServiceAddress {
  PublicKey service;
  std::string path;        // from the '/' on, or "/"
};
Result<ServiceAddress> parse_service_address(std::string_view text);
std::string service_address(const PublicKey& service);

/// The seed of a service's key: its owner can make it again on any device that holds the root.
crypto::Seed service_key_seed(const crypto::Seed& zone_root, std::string_view name);

}  // namespace selvedge::object
