#include "codec/pkarr.h"

#include <charconv>

#include "codec/base64.h"
#include "codec/multibase.h"

namespace selvedge::codec {

namespace {
constexpr size_t kSignatureBytes = 64;
constexpr size_t kHeadBytes = kSignatureBytes + 8;
constexpr std::string_view kLabel = "_selvedge.";
constexpr std::string_view kVersionText = "v=1";
}  // namespace

Bytes PkarrPacket::payload() const {
  Bytes out = to_bytes(signature);
  append_u64(out, micros);
  append(out, dns);
  return out;
}

Bytes pkarr_signed_bytes(uint64_t micros, ByteView dns) {
  Bytes out = to_bytes(view("3:seqi" + std::to_string(micros) + "e1:v" + std::to_string(dns.size()) + ":"));
  append(out, dns);
  return out;
}

Result<PkarrPacket> sign_pkarr(const crypto::Signer& signer, uint64_t micros, Bytes dns) {
  if (dns.size() > kPkarrDnsMax) return fail(Errc::kLimit, "a PKARR packet holds at most 995 bytes of DNS records, and this has " + std::to_string(dns.size()));
  PkarrPacket packet{signer.public_key(), micros, std::move(dns), {}};
  packet.signature = signer.sign(pkarr_signed_bytes(micros, packet.dns));
  return packet;
}

Result<PkarrPacket> open_pkarr(const crypto::PublicKey& key, ByteView payload, const crypto::Verifier& verifier) {
  if (payload.size() <= kHeadBytes || payload.size() > kPkarrPayloadMax) return fail(Errc::kInvalid, "a PKARR payload has 73 to 1072 bytes");
  PkarrPacket packet;
  packet.key = key;
  packet.signature = crypto::Signature::from(payload.first(kSignatureBytes)).value();
  packet.micros = load_u64(payload.data() + kSignatureBytes);
  packet.dns = to_bytes(payload.subspan(kHeadBytes));
  if (packet.micros > INT64_MAX) return fail(Errc::kInvalid, "the time of a PKARR packet is out of range");
  if (!verifier.verify(key, pkarr_signed_bytes(packet.micros, packet.dns), packet.signature)) return fail(Errc::kIntegrity, "it is not signed by the key it is about");
  return packet;
}

std::string hints_name(const crypto::PublicKey& key) { return std::string(kLabel) + key_text(key); }

Result<PkarrPacket> sign_node_hints(const crypto::Signer& node, uint64_t micros, const NodeHints& hints, uint32_t ttl_seconds) {
  DnsText text{hints_name(node.public_key()), ttl_seconds, {std::string(kVersionText), "e=" + std::to_string(hints.expires)}};
  for (const std::string& address : hints.addresses) text.strings.push_back("a=" + address);
  return sign_pkarr(node, micros, TRY(dns_reply({text})));
}

Result<NodeHints> node_hints(const PkarrPacket& packet) {
  const std::string name = hints_name(packet.key);
  for (const DnsText& record : TRY(parse_dns_reply(packet.dns))) {
    if (record.name != name) continue;
    if (record.strings.empty() || record.strings.front() != kVersionText) return fail(Errc::kUnsupported, "it is written in a version that this node does not know");
    NodeHints hints;
    for (size_t i = 1; i < record.strings.size(); ++i) {
      const std::string& each = record.strings[i];
      if (each.starts_with("e=")) {
        const auto [end, error] = std::from_chars(each.data() + 2, each.data() + each.size(), hints.expires);
        if (error != std::errc{} || end != each.data() + each.size()) return fail(Errc::kInvalid, "its expiry is no number");
      } else if (each.starts_with("a=") && each.size() > 2 && hints.addresses.size() < kHintAddressesMax) {
        hints.addresses.push_back(each.substr(2));
      }  // anything else is for a later version
    }
    return hints;
  }
  return fail(Errc::kNotFound, "it says nothing of where a node is");
}

std::vector<std::string> pkarr_texts(ByteView payload) {
  const std::string text = "p=" + base64_encode(payload);
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size(); at += kDnsTextMax) out.push_back(text.substr(at, kDnsTextMax));
  return out;
}

Result<Bytes> payload_of_texts(const std::vector<std::string>& strings) {
  std::string text;
  for (const std::string& each : strings) text += each;
  if (!text.starts_with("p=")) return fail(Errc::kInvalid, "the TXT record does not begin with p=");
  return base64_decode(std::string_view(text).substr(2));
}

}  // namespace selvedge::codec
