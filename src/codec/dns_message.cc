#include "codec/dns_message.h"

#include <algorithm>

#include "base/byte_reader.h"

namespace selvedge::codec {

namespace {

constexpr size_t kLabelMax = 63;
constexpr uint16_t kClassIn = 1;
constexpr uint16_t kFlagsReply = 0x8000;   // RFC 1035 4.1.1, QR
constexpr uint8_t kPointer = 0xC0;         // RFC 1035 4.1.4

void append_u16(Bytes& out, uint16_t v) {
  out.push_back(uint8_t(v >> 8));
  out.push_back(uint8_t(v));
}

Status append_name(Bytes& out, std::string_view name) {
  if (name.empty() || name.size() > kDnsNameMax) return fail(Errc::kInvalid, "a DNS name has 1 to 253 characters");
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    if (label.empty() || label.size() > kLabelMax) return fail(Errc::kInvalid, "a label of a DNS name has 1 to 63 characters");
    out.push_back(uint8_t(label.size()));
    append(out, view(label));
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  out.push_back(0);
  return ok();
}

/// Reads numbers and names of one message; every read is checked against its end.
class DnsReader {
 public:
  explicit DnsReader(ByteView message) : message_(message) {}
  Result<uint16_t> u16() {
    const ByteView b = TRY(raw(2));
    return uint16_t(b[0] << 8 | b[1]);
  }
  Result<uint32_t> u32() { return load_u32(TRY(raw(4)).data()); }
  Result<ByteView> raw(size_t n) {
    if (n > message_.size() - at_) return fail(Errc::kInvalid, "the DNS message is cut off");
    const ByteView out = message_.subspan(at_, n);
    at_ += n;
    return out;
  }
  Result<std::string> name() {
    std::string out;
    size_t at = at_;
    bool jumped = false;
    for (;;) {
      if (at >= message_.size()) return fail(Errc::kInvalid, "a DNS name is cut off");
      const uint8_t length = message_[at];
      if ((length & kPointer) == kPointer) {
        if (at + 1 >= message_.size()) return fail(Errc::kInvalid, "a DNS name is cut off");
        const size_t to = size_t(length & 0x3F) << 8 | message_[at + 1];
        if (!jumped) at_ = at + 2;
        jumped = true;
        if (to >= at) return fail(Errc::kInvalid, "a DNS name points forwards");  // so every jump goes back, and there is an end
        at = to;
        continue;
      }
      if (length > kLabelMax) return fail(Errc::kInvalid, "a DNS label has an unknown form");
      if (at + 1 + length > message_.size()) return fail(Errc::kInvalid, "a DNS name is cut off");
      if (length == 0) {
        if (!jumped) at_ = at + 1;
        return out;
      }
      if (!out.empty()) out += '.';
      for (const uint8_t c : message_.subspan(at + 1, length)) out += char(c >= 'A' && c <= 'Z' ? c + 32 : c);
      if (out.size() > kDnsNameMax) return fail(Errc::kInvalid, "a DNS name is too long");
      at += 1 + length;
    }
  }

 private:
  ByteView message_;
  size_t at_ = 0;
};

}  // namespace

static void append_header(Bytes& out, uint16_t id, uint16_t flags, size_t questions, size_t answers) {
  for (const uint16_t field : {id, flags, uint16_t(questions), uint16_t(answers), uint16_t(0), uint16_t(0)}) append_u16(out, field);
}

static Status append_question(Bytes& out, const std::string& name) {
  TRY(append_name(out, name));
  append_u16(out, kDnsTypeTxt);
  append_u16(out, kClassIn);
  return ok();
}

static Status append_records(Bytes& out, const std::vector<DnsText>& records) {
  for (const DnsText& record : records) {
    TRY(append_name(out, record.name));
    append_u16(out, kDnsTypeTxt);
    append_u16(out, kClassIn);
    append_u32(out, record.ttl);
    Bytes data;
    for (const std::string& text : record.strings) {
      if (text.size() > kDnsTextMax) return fail(Errc::kInvalid, "a string of a TXT record has at most 255 bytes");
      data.push_back(uint8_t(text.size()));
      append(data, view(text));
    }
    if (data.empty() || data.size() > UINT16_MAX) return fail(Errc::kInvalid, "a TXT record holds at least one string");
    append_u16(out, uint16_t(data.size()));
    append(out, data);
  }
  return ok();
}

Result<Bytes> dns_reply(const std::vector<DnsText>& records) {
  if (records.size() > kDnsRecordsMax) return fail(Errc::kLimit, "a DNS message holds at most 128 records here");
  Bytes out;
  append_header(out, 0, kFlagsReply, 0, records.size());
  TRY(append_records(out, records));
  return out;
}

Result<Bytes> dns_txt_query(const std::string& name) {
  Bytes out;
  append_header(out, 0, 0, 1, 0);
  TRY(append_question(out, name));
  return out;
}

Result<DnsQuestion> parse_dns_txt_query(ByteView message) {
  DnsReader in(message);
  DnsQuestion out;
  out.id = TRY(in.u16());
  const uint16_t flags = TRY(in.u16()), questions = TRY(in.u16());
  TRY(in.raw(6));
  if ((flags & kFlagsReply) || questions != 1) return fail(Errc::kInvalid, "the DNS message is no single question");
  out.name = TRY(in.name());
  const uint16_t type = TRY(in.u16());
  if (type != kDnsTypeTxt) return fail(Errc::kInvalid, "the question is not for a TXT record");
  TRY(in.u16());
  return out;
}

Result<Bytes> dns_answer(const DnsQuestion& question, const std::vector<DnsText>& records) {
  if (records.size() > kDnsRecordsMax) return fail(Errc::kLimit, "a DNS message holds at most 128 records here");
  Bytes out;
  append_header(out, question.id, kFlagsReply, 1, records.size());
  TRY(append_question(out, question.name));
  TRY(append_records(out, records));
  return out;
}

Result<std::vector<DnsText>> parse_dns_reply(ByteView message) {
  DnsReader in(message);
  TRY(in.u16());
  const uint16_t flags = TRY(in.u16());
  const uint16_t questions = TRY(in.u16()), answers = TRY(in.u16());
  TRY(in.raw(4));
  if (!(flags & kFlagsReply)) return fail(Errc::kInvalid, "the DNS message is no reply");
  if (questions > 16 || answers > kDnsRecordsMax) return fail(Errc::kLimit, "the DNS message holds too many records");
  for (uint16_t i = 0; i < questions; ++i) {
    TRY(in.name());
    TRY(in.raw(4));
  }
  std::vector<DnsText> out;
  for (uint16_t i = 0; i < answers; ++i) {
    DnsText record;
    record.name = TRY(in.name());
    const uint16_t type = TRY(in.u16()), cls = TRY(in.u16());
    record.ttl = TRY(in.u32());
    ByteView data = TRY(in.raw(TRY(in.u16())));
    if (type != kDnsTypeTxt || cls != kClassIn) continue;
    while (!data.empty()) {
      const size_t length = data[0];
      if (length + 1 > data.size()) return fail(Errc::kInvalid, "a string of a TXT record is cut off");
      record.strings.emplace_back(reinterpret_cast<const char*>(data.data()) + 1, length);
      data = data.subspan(length + 1);
    }
    out.push_back(std::move(record));
  }
  return out;
}

}  // namespace selvedge::codec
