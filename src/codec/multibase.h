// Bytes as text: base32 (RFC 4648, lower case, no padding) for CIDs and tickets, z-base-32 for keys.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "crypto/types.h"

namespace selvedge::codec {

std::string base32_encode(ByteView bytes);
/// Lower case only. Errors: kInvalid for a foreign character or an impossible length, kNonCanonical when unused bits are set.
Result<Bytes> base32_decode(std::string_view text);

std::string zbase32_encode(ByteView bytes);
/// Errors: as base32_decode.
Result<Bytes> zbase32_decode(std::string_view text);

/// How a key is shown and typed everywhere: 52 characters of z-base-32, as PKARR does.
std::string key_text(const crypto::PublicKey& key);
/// Errors: kInvalid, with a message that says what a key looks like.
Result<crypto::PublicKey> parse_key(std::string_view text);

}  // namespace selvedge::codec
