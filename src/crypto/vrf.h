// ECVRF-EDWARDS25519-SHA512-TAI: a hash that only the holder of a key can compute and that everybody can check.
//
// RFC 9381, suite 0x03. A group orders its leaders by the outputs of its members over a seed that nobody chose (requirement E1):
// each input has exactly one output under a key, so a member cannot try again until it likes the result, and before the member
// shows its proof nobody else knows the output. The suite is built from libsodium's public calls alone. Invariants: the key is made
// for this purpose and never signs (a signature oracle must not be a VRF oracle); a proof has one accepted encoding; Y and Gamma must
// lie in the group of prime order, which is stricter than the RFC asks and which every honest prover's do. The input is public:
// finding its point takes a number of tries that depends on it.
#pragma once

#include "crypto/types.h"

namespace selvedge::crypto {

struct VrfPublicKeyTag;
struct VrfProofTag;
struct VrfOutputTag;

/// A verification key: a compressed point of edwards25519, and never a PublicKey.
using VrfPublicKey = FixedBytes<VrfPublicKeyTag, 32>;
/// Gamma, c and s (RFC 9381 5.5).
using VrfProof = FixedBytes<VrfProofTag, 80>;
/// beta_string: SHA-512 of the point.
using VrfOutput = FixedBytes<VrfOutputTag, 64>;

class VrfKeyPair {
 public:
  /// The seed is SK of the RFC, expanded as in RFC 8032 5.1.5.
  explicit VrfKeyPair(const Seed& seed);
  /// The VRF key that belongs to a node: HKDF of the node's seed under a label of its own.
  static VrfKeyPair derive(const Seed& node_seed);
  const VrfPublicKey& public_key() const { return public_key_; }
  /// RFC 9381 5.1, with the nonce of 5.4.2.2. Errors: kInternal when 256 tries found no point (chance 2^-256).
  Result<VrfProof> prove(ByteView input) const;

 private:
  Secret<32> scalar_;
  Secret<32> nonce_prefix_;
  VrfPublicKey public_key_;
};

/// RFC 9381 5.3 with validate_key: the output that `proof` proves for `input` under `key`.
/// Errors: kInvalid for a key or proof that is no key or proof, kIntegrity when the proof is of another key, input or output.
Result<VrfOutput> vrf_verify(const VrfPublicKey& key, ByteView input, const VrfProof& proof);

/// RFC 9381 5.2. It says nothing about whether the proof is valid: verify first.
/// Errors: kInvalid when Gamma is no point of the group.
Result<VrfOutput> vrf_proof_to_hash(const VrfProof& proof);

}  // namespace selvedge::crypto
