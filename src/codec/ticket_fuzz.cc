// A ticket that parses prints as the same ticket; the record inside is tried without its checksum too.
#include "codec/ticket.h"
#include "codec/cid.h"
#include "codec/multibase.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  const ByteView input(data, size);
  const std::string text = to_string(input);
  const Result<codec::Ticket> ticket = codec::parse_ticket(text);
  if (ticket.ok()) CHECK(codec::parse_ticket(codec::ticket_text(*ticket).value()).value() == *ticket);
  const Result<codec::Ticket> record = codec::decode<codec::Ticket>(input);
  if (record.ok()) {
    CHECK(codec::encode(*record) == to_bytes(input));
    CHECK(codec::parse_ticket(codec::ticket_text(*record).value()).value() == *record);
  }
  const Result<codec::Cid> cid = codec::Cid::parse(text);
  if (cid.ok()) CHECK(cid->text() == text);
  const Result<crypto::PublicKey> key = codec::parse_key(text);
  if (key.ok()) CHECK(codec::key_text(*key) == text);
  return 0;
}
