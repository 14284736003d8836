// SocketAddress: a numeric IP address with a port, as text and as the system wants it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string>

#include "base/result.h"

namespace selvedge::host {

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;

  SocketAddress() : v6{} {}
  int family() const { return any.sa_family; }
  socklen_t size() const { return family() == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in); }
  uint16_t port() const { return ntohs(family() == AF_INET6 ? v6.sin6_port : v4.sin_port); }
  void set_port(uint16_t port);
  bool is_wildcard() const;
  bool operator==(const SocketAddress& other) const;

  /// "1.2.3.4:5" or "[::1]:5"; an IPv4 address mapped into IPv6 is shown as IPv4.
  std::string text() const;
  /// The inverse of text(); a zone as in "[fe80::1%eth0]:5" is accepted. Errors: kInvalid (names are not resolved).
  static Result<SocketAddress> parse(const std::string& text);
  /// The same address as an IPv6 socket names it. IPv6 stays as it is.
  SocketAddress mapped_to_v6() const;

  /// A name for a way that is not UDP, in a block of addresses that no network carries (RFC 6666).
  static SocketAddress of_circuit(uint64_t circuit);
  std::optional<uint64_t> circuit() const;
};

}  // namespace selvedge::host
