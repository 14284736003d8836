// Armor: bytes as text that a person carries from one machine to another, with a word in front that says what it is.
//
//   word, version digit, base32( bytes, then the first 4 bytes of their SHA-256 )
//
// White space anywhere is ignored and capitals count as small letters, because mail programs wrap and QR codes shout.
// The checksum finds slips of the hand; it is no protection, and what it carries proves itself.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace selvedge::codec {

struct ArmorForm {
  std::string_view word;      // "selvedgerequest": small letters
  char version = '1';
  std::string_view what;      // "request", for messages: "this is not a request"
  size_t text_size_max = 64 * 1024;
};

std::string armor(const ArmorForm& form, ByteView bytes);
/// Errors: kLimit, kInvalid (another word), kUnsupported (a later version), kIntegrity (the checksum does not match).
Result<Bytes> open_armor(const ArmorForm& form, std::string_view text);

}  // namespace selvedge::codec
