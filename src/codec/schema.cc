#include "codec/schema.h"

#include "codec/multibase.h"

namespace selvedge::codec::detail {

Error in_field(const char* name, Error error) {
  error.message = std::string(name) + ": " + error.message;
  return error;
}

Error out_of_range(const char* what) { return fail(Errc::kInvalid, std::string("the ") + what + " has a value outside its range"); }

Status expect_count(Reader& in, size_t count) {
  const size_t found = TRY(in.read_array());
  if (found == count) return ok();
  return fail(Errc::kInvalid, "a record of " + std::to_string(count) + " fields was expected, it has " + std::to_string(found));
}

void json_text(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = uint8_t(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void json_hex(std::string& out, ByteView bytes) {
  out += '"';
  out += to_hex(bytes);
  out += '"';
}

void json_key(std::string& out, const crypto::PublicKey& key) {
  out += '"';
  out += key_text(key);
  out += '"';
}

}  // namespace selvedge::codec::detail
