// What DNS servers and PKARR relays answer: what parses can be written again and reads the same, and hints keep their bounds.
#include <cstddef>
#include <cstdint>

#include "codec/pkarr.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  struct Anybody final : crypto::Verifier {
    bool verify(const crypto::PublicKey&, ByteView, const crypto::Signature&) const override { return true; }
  } verifier;
  const ByteView bytes(data, size);
  const auto records = codec::parse_dns_reply(bytes);
  if (records.ok()) {
    const Result<Bytes> again = codec::dns_reply(*records);
    if (again.ok()) CHECK(*codec::parse_dns_reply(*again) == *records);
  }
  const auto question = codec::parse_dns_txt_query(bytes);
  if (question.ok()) (void)codec::dns_answer(*question, {}).ok();
  const Result<codec::PkarrPacket> packet = codec::open_pkarr(crypto::PublicKey{}, bytes, verifier);
  if (!packet.ok()) return 0;
  CHECK(packet->payload() == to_bytes(bytes));
  CHECK(*codec::payload_of_texts(codec::pkarr_texts(bytes)) == to_bytes(bytes));
  const Result<codec::NodeHints> hints = codec::node_hints(*packet);
  if (hints.ok()) CHECK(hints->addresses.size() <= codec::kHintAddressesMax);
  return 0;
}
