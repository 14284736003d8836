// Ticket: how one person tells another where a node is, as text that survives a chat window or a QR code.
//
//   "selvedge1" base32( canonical CBOR of Ticket, then the first 4 bytes of its SHA-256 )
//
// It is the first source of discovery. It carries keys and hints, never authority: what answers at an address must
// still prove that it holds the node key. Text is lower case; upper case is accepted, since QR codes prefer it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codec/schema.h"

namespace selvedge::codec {

inline constexpr size_t kTicketAddressesMax = 16;
inline constexpr size_t kTicketAddressSizeMax = 255;
inline constexpr size_t kTicketTextSizeMax = 8192;

struct Ticket {
  static constexpr std::string_view kName = "Ticket";
  static constexpr uint16_t kVersion = 1;
  crypto::PublicKey node;
  crypto::PublicKey owner;
  std::vector<std::string> addresses;  // "192.0.2.1:7443", "[2001:db8::1]:7443" or "host.example:7443"
  std::optional<uint64_t> expires;     // unix seconds

  template <class V>
  void visit(V& v) {
    v("node", node);
    v("owner", owner);
    v("addresses", addresses);
    v("expires", expires);
  }
  Status validate() const;
  bool operator==(const Ticket&) const = default;
};

/// Errors: what Ticket::validate returns.
Result<std::string> ticket_text(const Ticket& ticket);

/// Surrounding white space is ignored. Errors: kInvalid (not a ticket), kUnsupported (another version), kIntegrity (the checksum
/// does not match: part of it is missing or mistyped), or what Ticket::validate returns. Expiry is the caller's to check.
Result<Ticket> parse_ticket(std::string_view text);

}  // namespace selvedge::codec
