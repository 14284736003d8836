// What a TPM 2.0 signs, taken apart and checked without a TPM.
//
// A node's chip makes one attestation key for each origin and period (host/tpm): restricted, so that it signs nothing that merely looks
// like a statement of the chip, and in the owner's hierarchy, where the chip blinds its reset counters per key. At hardware-basic that key
// signs the token's statement and no more. At hardware-strong it signs a quote: a TPMS_ATTEST with the statement as qualifying data and
// a digest of measured boot state. A quote also holds the chip's clock, which runs on from when it was last cleared and is the same
// towards every origin; that is why hardware-basic does without.
// Every byte comes from a stranger: the parsers take exactly one spelling, allocate nothing by a length they read, and are fuzzed.
// Source of the layouts: TPM 2.0 Library Specification, Part 2, sections 10.12 (TPMS_ATTEST) and 12.2 (TPMT_PUBLIC).
#pragma once

#include <vector>

#include "crypto/p256.h"
#include "object/ids.h"

namespace selvedge::object {

inline constexpr size_t kTpmKeySizeMax = 128;
inline constexpr size_t kTpmQuoteSizeMax = 1024;
inline constexpr size_t kTpmSelectionsMax = 16;  // PCR banks in one quote; chips have up to 16 algorithms
inline constexpr size_t kTpmPcrBytesMax = 4;     // 32 registers
inline constexpr size_t kTpmEndorsementSizeMax = 1024;

/// The data of an Attestation of format "tpm2-key" (no quote) or "tpm2-quote".
struct TpmEvidence {
  Bytes key;    // TPMT_PUBLIC
  Bytes quote;  // TPMS_ATTEST, or empty
  crypto::P256Signature signature;
  Bytes endorsement;  // a signed KeyEndorsement, or empty

  template <class V>
  void visit(V& v) {
    v("key", key);
    v("quote", quote);
    v("signature", signature);
    v("endorsement", endorsement);
  }
  Status validate() const;
};

/// The public half of an attestation key.
struct TpmKey {
  crypto::P256Point point;
  Digest name;  // SHA-256 of the public area: what the chip and an endorser call it
};
/// Takes exactly what host/tpm asks a chip to make: ECC P-256, ECDSA with SHA-256, restricted signing, made in and bound to the chip, no
/// policy. A template with liberties would tell one maker's chips from another's. Errors: kInvalid, kUnsupported.
Result<TpmKey> parse_tpm_key(ByteView public_area);
/// The public area of that template for a point; parse_tpm_key() of it gives the point back.
Bytes make_tpm_key(const crypto::P256Point& point);

struct PcrSelection {
  uint16_t hash = 0;  // TPM_ALG_ID of the bank
  Bytes registers;    // bit n of byte m: register 8m + n
  bool operator==(const PcrSelection&) const = default;
};
struct TpmQuote {
  Bytes qualified_signer;
  Bytes extra_data;
  uint64_t clock_ms = 0;
  uint32_t reset_count = 0;
  uint32_t restart_count = 0;
  uint8_t safe = 0;
  uint64_t firmware = 0;
  std::vector<PcrSelection> selections;
  Bytes pcr_digest;
};
/// Errors: kInvalid (not a quote, or malformed), kLimit.
Result<TpmQuote> parse_tpm_quote(ByteView attest);
/// The inverse of parse_tpm_quote().
Bytes make_tpm_quote(const TpmQuote& quote);

/// The qualified name of a primary key in the owner's hierarchy: algorithm and hash over the hierarchy's handle and the key's name.
Bytes tpm_qualified_name(const TpmKey& key);

/// hardware-basic: `evidence` shows that its key signed `statement`. Errors: kInvalid, kUnsupported, kIntegrity.
Result<TpmKey> check_tpm_key(const TpmEvidence& evidence, const Digest& statement);

struct CheckedQuote {
  TpmKey key;
  Digest measured;  // hash over the quoted PCRs
};
/// hardware-strong: its key, in the owner's hierarchy, signed a quote of at least one PCR of the SHA-256 bank over `statement`.
/// Errors: kInvalid, kUnsupported, kIntegrity.
Result<CheckedQuote> check_tpm_quote(const TpmEvidence& evidence, const Digest& statement);

}  // namespace selvedge::object
