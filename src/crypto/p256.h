// P-256 (NIST, secp256r1): checking ECDSA signatures, and nothing else.
//
// Selvedge signs with Ed25519. Security chips do not: a TPM 2.0 signs with ECDSA over P-256, so whoever checks what a chip attests
// needs this one function. There is no signing here, so nothing here is secret and nothing need be constant in time.
#pragma once

#include "crypto/types.h"

namespace selvedge::crypto {

struct P256PointTag;
struct P256SignatureTag;
/// x and y of a point, 32 bytes each, big-endian.
using P256Point = FixedBytes<P256PointTag, 64>;
/// r and s, 32 bytes each, big-endian.
using P256Signature = FixedBytes<P256SignatureTag, 64>;

/// FIPS 186-4 6.4. False for a point that is not on the curve, for r or s outside [1, n-1], and for a signature that does not match.
bool p256_verify(const P256Point& key, const Digest& digest, const P256Signature& signature);

}  // namespace selvedge::crypto
