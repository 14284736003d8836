// SHA-256 and what is built on it: HMAC and HKDF.
//
// SHA-256 names everything in Selvedge (CIDs, ObjectIds, Merkle trees), so it is nettle's, which uses the SHA
// instructions of the CPU where there are any; libsodium's is portable C and takes nearly four times as long there.
#pragma once

#include "crypto/types.h"

namespace selvedge::crypto {

/// FIPS 180-4.
Digest sha256(ByteView data);

/// SHA-256 over pieces: update() as often as needed, then finish() once.
class Sha256 {
 public:
  Sha256();
  Sha256& update(ByteView data);
  /// The digest of everything so far; the object starts anew.
  Digest finish();

 private:
  // Large enough for nettle's struct sha256_ctx, whose header stays out of ours; hash.cc asserts it.
  alignas(8) std::array<uint8_t, 128> state_;
};

/// RFC 2104 with SHA-256.
Digest hmac_sha256(ByteView key, ByteView data);

/// RFC 5869 extract and expand. `out` is at most 255 * 32 bytes.
void hkdf_sha256(ByteView input_key, ByteView salt, ByteView info, std::span<uint8_t> out);
/// The same into a 32-byte secret.
Secret<32> hkdf_sha256_key(ByteView input_key, ByteView salt, ByteView info);

}  // namespace selvedge::crypto
