#include "codec/base64.h"

namespace selvedge::codec {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kForeign = 0xff;

uint8_t base64_digit(char c) {
  const size_t digit = kBase64.find(c);
  return digit == std::string_view::npos ? kForeign : uint8_t(digit);
}

}  // namespace

std::string base64_encode(ByteView bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t count = bytes.size() - at < 3 ? bytes.size() - at : 3;
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? bytes[at + i] : 0);
    for (size_t i = 0; i < 4; ++i) out += i <= count ? kBase64[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

Result<Bytes> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return fail(Errc::kInvalid, "base64 comes in groups of four characters: some are missing or too many");
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  for (size_t at = 0; at < text.size(); at += 4) {
    const bool last = at + 4 == text.size();
    const size_t padding = !last ? 0 : text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    uint32_t group = 0;
    for (size_t i = 0; i < 4 - padding; ++i) {
      const uint8_t digit = base64_digit(text[at + i]);
      if (digit == kForeign) return fail(Errc::kInvalid, std::string("the character '") + text[at + i] + "' does not belong in base64");
      group |= uint32_t(digit) << (18 - 6 * i);
    }
    if (padding > 0 && (group & ((1u << 8 * padding) - 1)) != 0) {
      return fail(Errc::kNonCanonical, "the last character of the base64 carries bits that belong to nothing");
    }
    for (size_t i = 0; i < 3 - padding; ++i) out.push_back(uint8_t(group >> (16 - 8 * i)));
  }
  return out;
}

}  // namespace selvedge::codec
