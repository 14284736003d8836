// DNS messages as far as discovery needs them (RFC 1035): TXT records, written without compression and read with it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge::codec {

inline constexpr size_t kDnsNameMax = 253;
inline constexpr size_t kDnsTextMax = 255;        // of one string of a TXT record
inline constexpr size_t kDnsRecordsMax = 128;
inline constexpr uint16_t kDnsTypeTxt = 16;

struct DnsText {
  std::string name;                 // absolute, lower case, without the dot at its end
  uint32_t ttl = 0;                 // seconds
  std::vector<std::string> strings;
  bool operator==(const DnsText&) const = default;
};

/// A reply with id 0 whose answers these are. Errors: kInvalid (a name that is none, a string that is too long), kLimit.
Result<Bytes> dns_reply(const std::vector<DnsText>& records);

/// A question for the TXT record of a name, as it was asked.
struct DnsQuestion {
  uint16_t id = 0;
  std::string name;                 // lower case
};
/// A question with id 0. Errors: kInvalid (no name).
Result<Bytes> dns_txt_query(const std::string& name);
/// Errors: kInvalid (no question for one TXT record).
Result<DnsQuestion> parse_dns_txt_query(ByteView message);
/// The reply to a question, which it repeats. Errors: as dns_reply.
Result<Bytes> dns_answer(const DnsQuestion& question, const std::vector<DnsText>& records);

/// The TXT records among the answers of a reply; records of other types are passed over. Names come back in lower case.
/// Errors: kInvalid (truncated, a compression loop, no reply), kLimit.
Result<std::vector<DnsText>> parse_dns_reply(ByteView message);

}  // namespace selvedge::codec
