// Base64 (RFC 4648 4): the standard alphabet with padding, as signed notes and checkpoints write it.
//
// Decoding is strict, so that one value has one text: no line breaks, no missing padding, no other alphabet, and the bits that belong
// to nothing are zero (RFC 4648 3.5). What decodes encodes to the same text again.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace selvedge::codec {

std::string base64_encode(ByteView bytes);
/// Errors: kInvalid for a foreign character, a length that is no multiple of four or misplaced padding; kNonCanonical when unused
/// bits are set.
Result<Bytes> base64_decode(std::string_view text);

}  // namespace selvedge::codec
