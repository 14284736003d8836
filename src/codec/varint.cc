#include "codec/varint.h"

namespace selvedge::codec {

void append_varint(Bytes& out, uint64_t value) {
  CHECK(value >> 63 == 0);
  while (value >= 0x80) {
    out.push_back(uint8_t(value | 0x80));
    value >>= 7;
  }
  out.push_back(uint8_t(value));
}

Result<uint64_t> take_varint(ByteView& in) {
  uint64_t value = 0;
  for (size_t i = 0; i < kVarintSizeMax; ++i) {
    if (i >= in.size()) return fail(Errc::kInvalid, "a variable-length number is cut off");
    const uint8_t byte = in[i];
    value |= uint64_t(byte & 0x7f) << (7 * i);
    if (byte & 0x80) continue;
    if (byte == 0 && i > 0) return fail(Errc::kNonCanonical, "a variable-length number is written longer than it needs to be");
    in = in.subspan(i + 1);
    return value;
  }
  return fail(Errc::kInvalid, "a variable-length number is longer than 9 bytes");
}

}  // namespace selvedge::codec
