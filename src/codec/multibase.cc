#include "codec/multibase.h"

namespace selvedge::codec {
namespace {

constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";   // RFC 4648 6, lower case
constexpr std::string_view kZBase32 = "ybndrfg8ejkmcpqxot1uwisza345h769";  // z-base-32, as PKARR uses it

std::string encode(std::string_view alphabet, ByteView bytes) {
  std::string out;
  out.reserve((bytes.size() * 8 + 4) / 5);
  uint32_t window = 0;
  int bits = 0;
  for (const uint8_t byte : bytes) {
    window = window << 8 | byte;
    for (bits += 8; bits >= 5; bits -= 5) out += alphabet[window >> (bits - 5) & 31];
  }
  if (bits > 0) out += alphabet[window << (5 - bits) & 31];
  return out;
}

Result<Bytes> decode(std::string_view alphabet, std::string_view text) {
  Bytes out;
  out.reserve(text.size() * 5 / 8);
  uint32_t window = 0;
  int bits = 0;
  for (const char c : text) {
    const size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) return fail(Errc::kInvalid, std::string("the character '") + c + "' does not belong there");
    window = window << 5 | uint32_t(digit);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(uint8_t(window >> bits));
    }
  }
  if (bits >= 5) return fail(Errc::kInvalid, "the text has a length that no data gives: a character is missing or too many");
  if (window & ((1u << bits) - 1)) return fail(Errc::kNonCanonical, "the last character carries bits that belong to nothing");
  return out;
}

}  // namespace

std::string base32_encode(ByteView bytes) { return encode(kBase32, bytes); }
Result<Bytes> base32_decode(std::string_view text) { return decode(kBase32, text); }
std::string zbase32_encode(ByteView bytes) { return encode(kZBase32, bytes); }
Result<Bytes> zbase32_decode(std::string_view text) { return decode(kZBase32, text); }

std::string key_text(const crypto::PublicKey& key) { return zbase32_encode(key); }

Result<crypto::PublicKey> parse_key(std::string_view text) {
  constexpr size_t kKeyTextSize = 52;
  if (text.size() == kKeyTextSize) {
    const Result<Bytes> bytes = zbase32_decode(text);
    if (bytes.ok()) return crypto::PublicKey::from(*bytes);
  }
  return fail(Errc::kInvalid, "this is not a key: a key is 52 characters of ybndrfg8ejkmcpqxot1uwisza345h769, as `selvedge status` prints it");
}

}  // namespace selvedge::codec
