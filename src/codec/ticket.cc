#include "codec/ticket.h"

#include <algorithm>

#include "codec/multibase.h"
#include "crypto/hash.h"

namespace selvedge::codec {
namespace {

constexpr std::string_view kWord = "selvedge";
constexpr char kVersion = '1';
constexpr size_t kChecksumSize = 4;

Bytes checksum(ByteView bytes) { return to_bytes(crypto::sha256(bytes).view().first(kChecksumSize)); }

std::string trimmed_lower(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  }
  return out;
}

Error damaged() {
  return fail(Errc::kIntegrity, "the ticket is damaged: check that the whole ticket was copied");
}

}  // namespace

Status Ticket::validate() const {
  if (node.is_zero() || owner.is_zero()) return fail(Errc::kInvalid, "a ticket names a node and its owner");
  if (addresses.size() > kTicketAddressesMax) return fail(Errc::kLimit, "a ticket holds at most 16 addresses");
  for (const std::string& address : addresses) {
    const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
    if (address.empty() || address.size() > kTicketAddressSizeMax || !std::all_of(address.begin(), address.end(), printable)) {
      return fail(Errc::kInvalid, "an address in a ticket is empty, longer than 255 characters, or not plain ASCII");
    }
  }
  return ok();
}

Result<std::string> ticket_text(const Ticket& ticket) {
  TRY(ticket.validate());
  Bytes bytes = encode(ticket);
  append(bytes, checksum(bytes));
  return std::string(kWord) + kVersion + base32_encode(bytes);
}

Result<Ticket> parse_ticket(std::string_view text) {
  if (text.size() > kTicketTextSizeMax) return fail(Errc::kLimit, "this is too long to be a ticket");
  const std::string lower = trimmed_lower(text);
  std::string_view rest = lower;
  if (!rest.starts_with(kWord)) return fail(Errc::kInvalid, "this is not a ticket: a ticket begins with 'selvedge1'");
  rest.remove_prefix(kWord.size());
  if (rest.empty()) return damaged();
  if (rest[0] != kVersion) return fail(Errc::kUnsupported, "the ticket is of a version this build does not know: update selvedge");
  const Result<Bytes> decoded = base32_decode(rest.substr(1));
  if (!decoded.ok() || decoded->size() < kChecksumSize) return damaged();
  const ByteView all = *decoded;
  const ByteView body = all.first(all.size() - kChecksumSize);
  if (!crypto::constant_time_equal(checksum(body), all.last(kChecksumSize))) return damaged();
  return decode<Ticket>(body);
}

}  // namespace selvedge::codec
