// Parcel: something for one node that travels without a session, over whatever goes its way.
//
// A stick or a radio allows no round trip, so nothing is agreed first: the payload is sealed to the recipient's X25519 key, and inside the seal is
// who it is from, signed. Who finds a parcel learns its size and nothing else: no name, no origin, no key that it could know again. The recipient
// knows its own by a tag that only the two can compute, from the first kParcelHeaderBytes, at the cost of one exchange.
// (In the terms of delay-tolerant networks this is a bundle; that word is taken here by what a publisher signs.)
//
//   "SVPC", version, ephemeral key (32), tag (16), sealed: signature (64), from, to, created, lifetime, priority, kind, payload; AEAD tag (16)
//
// The ParcelId is the hash of all of it, so that anybody can tell a torn file, and it names the file. Specified in docs/spec/carry.md.
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "crypto/seal.h"
#include "crypto/sign.h"

namespace selvedge::mesh {

struct ParcelIdTag;
using ParcelId = FixedBytes<ParcelIdTag, 32>;

constexpr size_t kParcelHeaderBytes = 4 + 1 + 32 + 16;
constexpr size_t kParcelInnerBytes = 64 + 32 + 32 + 8 + 4 + 1 + 1;      // before the payload, inside the seal
constexpr size_t kParcelPayloadBytesMax = 16u << 20;
constexpr size_t kParcelBytesMax = kParcelHeaderBytes + kParcelInnerBytes + kParcelPayloadBytesMax + 16;
constexpr Duration kParcelLifetimeMax = seconds(90 * 86'400);
/// A sender's clock may be ahead by so much: machines that are never online set theirs by hand.
constexpr Duration kParcelAheadMax = seconds(3'600);

enum class ParcelPriority : uint8_t { kBulk = 0, kNormal = 1, kUrgent = 2, kLast = kUrgent };
enum class ParcelKind : uint8_t { kCargo = 0, kCustody = 1, kLast = kCustody };

/// Where a node can be written to: who it is, and to what one seals.
struct ParcelAddress {
  crypto::PublicKey node;
  crypto::SealPublicKey seal;
};

struct Parcel {
  crypto::PublicKey from;
  crypto::PublicKey to;
  uint64_t created = 0;      // Unix seconds
  uint32_t lifetime = 0;     // seconds
  ParcelPriority priority = ParcelPriority::kNormal;
  ParcelKind kind = ParcelKind::kCargo;
  Bytes payload;
  uint64_t ends() const { return created + lifetime; }
};

ParcelId parcel_id(ByteView sealed);
/// Signs as `signer`, who is `parcel.from`. Errors: kInvalid (a low-order key, a lifetime of nothing), kLimit.
Result<Bytes> seal_parcel(const crypto::Signer& signer, const crypto::SealPublicKey& to, const Parcel& parcel, crypto::Drbg& drbg);
/// Whether what begins with `header` (at least kParcelHeaderBytes) is sealed to these keys. Errors: kInvalid (no parcel), kUnsupported (a later version).
Result<bool> is_parcel_for(const crypto::SealKeyPair& keys, ByteView header);
/// Errors: kInvalid, kUnsupported, kLimit, kUnauthorized (to another key, or not signed by who it says, or not meant for `self`), kIntegrity.
Result<Parcel> open_parcel(const crypto::SealKeyPair& keys, const crypto::PublicKey& self, const crypto::Verifier& verifier, Bytes sealed);

}  // namespace selvedge::mesh
