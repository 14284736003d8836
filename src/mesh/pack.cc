#include "mesh/pack.h"

#include "mesh/zstd.h"

namespace selvedge::mesh {

Bytes pack_message(Bytes message, uint8_t compressions) {
  if (!(compressions & kCompressionZstd) || message.size() < kPackBytesMin || message.size() > kUnpackedBytesMax) return message;
  Packed packed{message[0], kCompressionZstd, uint32_t(message.size()), zstd_pack(message)};
  if (packed.bytes.empty() || packed.bytes.size() > message.size() - message.size() / 8) return message;
  return PackMessages::encode(packed);
}

uint8_t packed_type(ByteView message) {
  // The type, an array of four, and its first number: RFC 8949 3.
  if (message.size() < 4 || message[0] != Packed::kType || message[1] != 0x84) return 0;
  return message[2] < 24 ? message[2] : message[2] == 24 ? message[3] : 0;
}

Result<Bytes> unpack_message(ByteView message) {
  const auto packed = std::get<Packed>(TRY(PackMessages::decode(message)));
  if (packed.method != kCompressionZstd) return fail(Errc::kUnsupported, "the message is packed in a way this node does not know");
  if (packed.size == 0 || packed.size > kUnpackedBytesMax) return fail(Errc::kLimit, "the message unpacks to more than a message may have");
  Bytes out = TRY(zstd_unpack(packed.bytes, packed.size));
  if (out[0] != packed.type || packed.type == Packed::kType) return fail(Errc::kInvalid, "the packed message is not what it says it is");
  return out;
}

}  // namespace selvedge::mesh
