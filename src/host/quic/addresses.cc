#include "host/quic/addresses.h"

#include <ifaddrs.h>
#include <net/if.h>

#include "host/loop/address.h"

namespace selvedge::host {

static constexpr size_t kAddressesMax = 8;

std::vector<std::string> reachable_at(const std::string& listen) {
  const Result<SocketAddress> bound = SocketAddress::parse(listen);
  if (!bound.ok() || !bound->is_wildcard()) return {listen};
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return {listen};
  std::vector<std::string> out;
  for (const ifaddrs* each = all; each != nullptr && out.size() < kAddressesMax; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || !(each->ifa_flags & IFF_UP) || (each->ifa_flags & IFF_LOOPBACK)) continue;
    SocketAddress address;
    if (each->ifa_addr->sa_family == AF_INET) {
      address.v4 = *reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
    } else if (each->ifa_addr->sa_family == AF_INET6 && bound->family() == AF_INET6) {
      address.v6 = *reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&address.v6.sin6_addr)) continue;
    } else {
      continue;
    }
    address.set_port(bound->port());
    out.push_back(address.text());
  }
  freeifaddrs(all);
  return out.empty() ? std::vector<std::string>{listen} : out;
}

}  // namespace selvedge::host
