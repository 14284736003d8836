// What a node gives to everybody who asks, as bits; its owner switches each on.
#pragma once

#include <cstdint>

namespace selvedge::node {

using Roles = uint8_t;
inline constexpr Roles kRoleRelay = 1, kRoleRendezvous = 2;

}  // namespace selvedge::node
