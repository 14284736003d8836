// PKARR packets: a small set of DNS records signed by the key that they are about, as BEP 44 mutable items of the Mainline DHT carry it. Whoever hands
// one on can keep it back or show an old one, and nothing else.
//
//   payload (relays, DNS) = signature (64) || time (8, big-endian, microseconds) || DNS reply (at most 1000)
//
// The signature is over "3:seqi" TIME "e1:v" LENGTH ":" DNS (BEP 44 without salt).
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "crypto/sign.h"
#include "codec/dns_message.h"

namespace selvedge::codec {

/// BEP 44 counts the bencoded value; a prefix of 5 bytes stays out of the thousand.
inline constexpr size_t kPkarrDnsMax = 995;
inline constexpr size_t kPkarrPayloadMax = 64 + 8 + 1000;

struct PkarrPacket {
  crypto::PublicKey key;
  uint64_t micros = 0;             // when it was made; of two, the later counts
  Bytes dns;
  crypto::Signature signature;
  Bytes payload() const;
};

/// What a signature is over.
Bytes pkarr_signed_bytes(uint64_t micros, ByteView dns);
/// Errors: kLimit (more than kPkarrDnsMax bytes).
Result<PkarrPacket> sign_pkarr(const crypto::Signer& signer, uint64_t micros, Bytes dns);
/// Errors: kInvalid (no payload), kIntegrity (not signed by `key`).
Result<PkarrPacket> open_pkarr(const crypto::PublicKey& key, ByteView payload, const crypto::Verifier& verifier);

// ---- where a node is, in such a packet

/// Strings of the TXT record `_selvedge.<key>`: "v=1", "e=<unix seconds>", and "a=<address>" for each address. spec: docs/spec/discovery.md
struct NodeHints {
  uint64_t expires = 0;            // unix seconds
  std::vector<std::string> addresses;
  bool operator==(const NodeHints&) const = default;
};
inline constexpr size_t kHintAddressesMax = 8;

/// Errors: kInvalid (an address that no TXT string holds), kLimit (they do not fit into one packet).
Result<PkarrPacket> sign_node_hints(const crypto::Signer& node, uint64_t micros, const NodeHints& hints, uint32_t ttl_seconds);
/// Errors: kNotFound (the packet says nothing of a node), kInvalid, kUnsupported (another version).
Result<NodeHints> node_hints(const PkarrPacket& packet);

/// The same packet for a zone file: strings of the TXT record `_selvedge.<key>.<suffix>`, "p=" and the payload in base64, cut into 255 bytes.
std::vector<std::string> pkarr_texts(ByteView payload);
/// Errors: kInvalid.
Result<Bytes> payload_of_texts(const std::vector<std::string>& strings);
std::string hints_name(const crypto::PublicKey& key);   // "_selvedge.<key>"

}  // namespace selvedge::codec
