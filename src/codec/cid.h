// Cid: the name of content. CIDv1 with SHA-256 over raw bytes or dag-cbor, which other IPLD tools read.
//
// Two codecs and one hash are all Selvedge makes and follows; others parse to kUnsupported. A blob is named by its Cid;
// a signed record is named by its ObjectId (object/ids.h), and the two are never mixed (ruling R9).
#pragma once

#include <string>

#include "codec/cbor.h"
#include "crypto/types.h"

namespace selvedge::codec {

enum class Codec : uint8_t { kRaw = 0x55, kDagCbor = 0x71 };

struct Cid {
  static constexpr size_t kSize = 36;
  Codec codec = Codec::kRaw;
  crypto::Digest digest;

  auto operator<=>(const Cid&) const = default;
  bool operator==(const Cid&) const = default;

  /// The Cid of these bytes.
  static Cid of(Codec codec, ByteView content);
  /// Binary form: version, codec, multihash. Errors: kInvalid, kUnsupported.
  static Result<Cid> from_bytes(ByteView bytes);
  /// Text form "b..." (multibase base32). Errors: kInvalid, kUnsupported.
  static Result<Cid> parse(std::string_view text);

  Bytes bytes() const;
  std::string text() const;
  bool is_zero() const { return digest.is_zero(); }
  /// Errors: kIntegrity when `content` is not what this Cid names.
  Status verify(ByteView content) const;
};

/// A dag-cbor link: tag 42 over a byte string of 0x00 and the binary Cid.
void write_cid(Writer& out, const Cid& cid);
Result<Cid> read_cid(Reader& in);

}  // namespace selvedge::codec
