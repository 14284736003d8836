#include "host/loop/address.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>

#include <cstring>

namespace selvedge::host {

void SocketAddress::set_port(uint16_t port) {
  if (family() == AF_INET6) v6.sin6_port = htons(port);
  else v4.sin_port = htons(port);
}

bool SocketAddress::is_wildcard() const {
  if (family() == AF_INET6) return IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
  return v4.sin_addr.s_addr == INADDR_ANY;
}

bool SocketAddress::operator==(const SocketAddress& other) const {
  if (family() != other.family() || port() != other.port()) return false;
  if (family() == AF_INET6) {
    return std::memcmp(&v6.sin6_addr, &other.v6.sin6_addr, sizeof(in6_addr)) == 0 &&
           v6.sin6_scope_id == other.v6.sin6_scope_id;
  }
  return v4.sin_addr.s_addr == other.v4.sin_addr.s_addr;
}

std::string SocketAddress::text() const {
  char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1] = {};
  const std::string port_text = ":" + std::to_string(port());
  if (family() != AF_INET6) {
    inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    return host + port_text;
  }
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, host, sizeof host);
    return host + port_text;
  }
  inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
  std::string out = std::string("[") + host;
  if (v6.sin6_scope_id != 0) out += "%" + std::to_string(v6.sin6_scope_id);
  return out + "]" + port_text;
}

Result<SocketAddress> SocketAddress::parse(const std::string& text) {
  const auto bad = [&text] {
    return fail(Errc::kInvalid, "\"" + text + "\" is not an address: write 192.0.2.1:4433 or [2001:db8::1]:4433");
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return bad();
  std::string host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed != (host.find(':') != std::string::npos)) return bad();
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos) return bad();
  if (std::stoul(port) > 65535) return bad();

  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_family = bracketed ? AF_INET6 : AF_INET;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) return bad();
  SocketAddress out;
  std::memcpy(static_cast<void*>(&out), found->ai_addr, std::min<size_t>(found->ai_addrlen, sizeof out));
  freeaddrinfo(found);
  return out;
}

SocketAddress SocketAddress::mapped_to_v6() const {
  if (family() == AF_INET6) return *this;
  SocketAddress out;
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = v4.sin_port;
  out.v6.sin6_addr.s6_addr[10] = out.v6.sin6_addr.s6_addr[11] = 0xFF;
  std::memcpy(out.v6.sin6_addr.s6_addr + 12, &v4.sin_addr, 4);
  return out;
}

SocketAddress SocketAddress::of_circuit(uint64_t circuit) {
  SocketAddress out;
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_addr.s6_addr[0] = 0x01;
  store_u64(out.v6.sin6_addr.s6_addr + 8, circuit);
  out.set_port(1);
  return out;
}

std::optional<uint64_t> SocketAddress::circuit() const {
  if (family() != AF_INET6) return std::nullopt;
  const uint8_t* bytes = v6.sin6_addr.s6_addr;
  if (load_u64(bytes) != uint64_t(0x01) << 56) return std::nullopt;
  return load_u64(bytes + 8);
}

}  // namespace selvedge::host
