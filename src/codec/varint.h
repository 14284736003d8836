// Unsigned LEB128 as multiformats uses it: seven bits a byte, low bits first, the shortest form only, at most 9 bytes.
#pragma once

#include "base/bytes.h"

namespace selvedge::codec {

inline constexpr size_t kVarintSizeMax = 9;

/// `value` is below 2^63.
void append_varint(Bytes& out, uint64_t value);

/// Takes a varint off the front of `in`.
/// Errors: kInvalid when truncated or above 9 bytes, kNonCanonical for a longer form than needed.
Result<uint64_t> take_varint(ByteView& in);

}  // namespace selvedge::codec
