// Packed: a control message made smaller for a peer that can read it (C10). Lists of records, states of programs and their results shrink; what is
// sealed or already packed does not, and travels as it is.
#pragma once

#include "codec/message_set.h"

namespace selvedge::mesh {

/// Bits of Hello::compressions.
inline constexpr uint8_t kCompressionZstd = 1;      // RFC 8878
#if defined(__wasm__)
inline constexpr uint8_t kCompressions = 0;           // a page would have to fetch the library first
#else
inline constexpr uint8_t kCompressions = kCompressionZstd;
#endif
/// Smaller messages are not worth it.
inline constexpr size_t kPackBytesMin = 1024;
/// Nothing unpacks to more than a message may have.
inline constexpr size_t kUnpackedBytesMax = 4u << 20;

struct Packed {
  static constexpr uint8_t kType = 12;
  uint8_t type = 0;                // of the message inside
  uint8_t method = 0;              // one bit of kCompressions
  uint32_t size = 0;               // of the message inside, with its type
  Bytes bytes;
  template <class V> void visit(V& v) { v("type", type); v("method", method); v("size", size); v("bytes", bytes); }
};
using PackMessages = codec::MessageSet<Packed>;

/// The message itself, or it packed, where that saves an eighth. `compressions`: what the peer reads.
Bytes pack_message(Bytes message, uint8_t compressions);
/// The type of the message inside a packed one, without unpacking it; 0 when it is none.
uint8_t packed_type(ByteView message);
/// Errors: kInvalid (not what it says it is, or packed twice), kUnsupported (a method this node does not know), kLimit.
Result<Bytes> unpack_message(ByteView message);

}  // namespace selvedge::mesh
