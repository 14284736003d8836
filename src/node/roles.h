// What a node gives to everybody who asks, as bits; its owner switches each on.
#pragma once

#include <cstdint>

namespace selvedge::node {

using Roles = uint8_t;
inline constexpr Roles kRoleRelay = 1, kRoleRendezvous = 2, kRolePkarrRelay = 4;

/// Which ways to a peer a node takes. spec: WF 9.7, R22
enum class PathPolicy : uint8_t {
  kDirectOnly,    // never through a relay
  kPreferDirect,  // where a relay led to a peer, both show each other their addresses and try without
  kRelayOk,       // whatever the peer's ticket says; no address is shown to anybody
};

}  // namespace selvedge::node
