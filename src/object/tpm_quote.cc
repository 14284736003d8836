#include "object/tpm_quote.h"

#include <algorithm>

#include "base/byte_reader.h"
#include "crypto/hash.h"

namespace selvedge::object {
namespace {

// TPM 2.0 Library, Part 2: the constants that an attestation of ours may hold.
constexpr uint32_t kTpmGenerated = 0xff544347;      // 6.2 TPM_GENERATED_VALUE
constexpr uint16_t kTpmStAttestQuote = 0x8018;      // 6.9 TPM_ST
constexpr uint16_t kTpmAlgEcc = 0x0023;             // 6.3 TPM_ALG_ID
constexpr uint16_t kTpmAlgSha256 = 0x000b;
constexpr uint16_t kTpmAlgNull = 0x0010;
constexpr uint16_t kTpmAlgEcdsa = 0x0018;
constexpr uint16_t kTpmCurveP256 = 0x0003;          // 6.4 TPM_ECC_CURVE
constexpr uint32_t kTpmOwnerHierarchy = 0x40000001; // 7.4 TPM_RH_OWNER
// 8.3 TPMA_OBJECT: fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign.
constexpr uint32_t kTpmKeyAttributes = 1u << 1 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 10 | 1u << 16 | 1u << 18;

/// Reads big-endian fields; every length is checked against what is left.
class TpmReader : public ByteReader {
 public:
  explicit TpmReader(ByteView in) : ByteReader(in, "what the TPM signed") {}
  /// A TPM2B: two bytes of length, then as many.
  Result<ByteView> sized() { return raw(TRY(u16())); }
};

void put_u16(Bytes& out, uint16_t value) {
  uint8_t bytes[2];
  store_u16(bytes, value);
  append(out, bytes);
}

void put_sized(Bytes& out, ByteView bytes) {
  put_u16(out, uint16_t(bytes.size()));
  append(out, bytes);
}

/// Everything of the public area before the point.
Bytes tpm_key_head() {
  Bytes out;
  put_u16(out, kTpmAlgEcc);
  put_u16(out, kTpmAlgSha256);  // of the name
  append_u32(out, kTpmKeyAttributes);
  put_sized(out, {});           // no policy
  put_u16(out, kTpmAlgNull);    // symmetric: a signing key wraps nothing
  put_u16(out, kTpmAlgEcdsa);
  put_u16(out, kTpmAlgSha256);
  put_u16(out, kTpmCurveP256);
  put_u16(out, kTpmAlgNull);    // kdf
  return out;
}

/// A coordinate, which some chips write without its leading zeros.
Status read_coordinate(TpmReader& in, std::span<uint8_t> out) {
  const ByteView bytes = TRY(in.sized());
  if (bytes.empty() || bytes.size() > out.size()) return fail(Errc::kInvalid, "the key of the TPM has a coordinate of the wrong size");
  std::copy(bytes.begin(), bytes.end(), out.end() - ptrdiff_t(bytes.size()));
  return ok();
}

Result<std::vector<PcrSelection>> read_selections(TpmReader& in) {
  const uint32_t count = TRY(in.u32());
  if (count > kTpmSelectionsMax) return fail(Errc::kLimit, "the quote selects registers of more banks than a TPM has");
  std::vector<PcrSelection> out;
  for (uint32_t i = 0; i < count; ++i) {
    PcrSelection selection;
    selection.hash = TRY(in.u16());
    const uint8_t size = TRY(in.u8());
    if (size > kTpmPcrBytesMax) return fail(Errc::kLimit, "the quote selects registers beyond those a TPM has");
    selection.registers = to_bytes(TRY(in.raw(size)));
    out.push_back(std::move(selection));
  }
  return out;
}

bool selects_measured_state(const std::vector<PcrSelection>& selections) {
  return std::any_of(selections.begin(), selections.end(), [](const PcrSelection& selection) {
    return selection.hash == kTpmAlgSha256 &&
           std::any_of(selection.registers.begin(), selection.registers.end(), [](uint8_t byte) { return byte != 0; });
  });
}

}  // namespace

Status TpmEvidence::validate() const {
  if (key.size() > kTpmKeySizeMax || quote.size() > kTpmQuoteSizeMax || endorsement.size() > kTpmEndorsementSizeMax) {
    return fail(Errc::kLimit, "an attestation by a TPM is larger than any TPM makes it");
  }
  return ok();
}

Result<TpmKey> parse_tpm_key(ByteView public_area) {
  if (public_area.size() > kTpmKeySizeMax) return fail(Errc::kLimit, "the key of the TPM is larger than " + std::to_string(kTpmKeySizeMax) + " bytes");
  const Bytes head = tpm_key_head();
  TpmReader in(public_area);
  const ByteView found = TRY(in.raw(head.size()));
  if (!std::equal(found.begin(), found.end(), head.begin())) {
    return fail(Errc::kUnsupported, "the key of the TPM is not of the one kind that tokens use: P-256, ECDSA, restricted to signing, made in the chip");
  }
  TpmKey key;
  TRY(read_coordinate(in, std::span(key.point.bytes).first(32)));
  TRY(read_coordinate(in, std::span(key.point.bytes).last(32)));
  TRY(in.end());
  key.name = crypto::sha256(public_area);
  return key;
}

Bytes make_tpm_key(const crypto::P256Point& point) {
  Bytes out = tpm_key_head();
  put_sized(out, point.view().first(32));
  put_sized(out, point.view().last(32));
  return out;
}

Result<TpmQuote> parse_tpm_quote(ByteView attest) {
  if (attest.size() > kTpmQuoteSizeMax) return fail(Errc::kLimit, "the quote is larger than " + std::to_string(kTpmQuoteSizeMax) + " bytes");
  TpmReader in(attest);
  if (TRY(in.u32()) != kTpmGenerated) return fail(Errc::kInvalid, "this was not made inside a TPM: it does not begin with the mark of one");
  if (TRY(in.u16()) != kTpmStAttestQuote) return fail(Errc::kInvalid, "the TPM signed something else than a quote");
  TpmQuote quote;
  quote.qualified_signer = to_bytes(TRY(in.sized()));
  quote.extra_data = to_bytes(TRY(in.sized()));
  quote.clock_ms = TRY(in.u64());
  quote.reset_count = TRY(in.u32());
  quote.restart_count = TRY(in.u32());
  quote.safe = TRY(in.u8());
  if (quote.safe > 1) return fail(Errc::kInvalid, "the quote holds a yes-or-no that is neither");  // Part 2, 8.1 TPMI_YES_NO
  quote.firmware = TRY(in.u64());
  quote.selections = TRY(read_selections(in));
  quote.pcr_digest = to_bytes(TRY(in.sized()));
  TRY(in.end());
  return quote;
}

Bytes make_tpm_quote(const TpmQuote& quote) {
  Bytes out;
  append_u32(out, kTpmGenerated);
  put_u16(out, kTpmStAttestQuote);
  put_sized(out, quote.qualified_signer);
  put_sized(out, quote.extra_data);
  append_u64(out, quote.clock_ms);
  append_u32(out, quote.reset_count);
  append_u32(out, quote.restart_count);
  out.push_back(quote.safe);
  append_u64(out, quote.firmware);
  append_u32(out, uint32_t(quote.selections.size()));
  for (const PcrSelection& selection : quote.selections) {
    put_u16(out, selection.hash);
    out.push_back(uint8_t(selection.registers.size()));
    append(out, selection.registers);
  }
  put_sized(out, quote.pcr_digest);
  return out;
}

Bytes tpm_qualified_name(const TpmKey& key) {
  // Part 1, 16: QN = nameAlg || H(QN of the parent || name); of a primary key the parent's is the hierarchy's handle.
  Bytes inner;
  append_u32(inner, kTpmOwnerHierarchy);
  put_u16(inner, kTpmAlgSha256);
  append(inner, key.name);
  Bytes out;
  put_u16(out, kTpmAlgSha256);
  append(out, crypto::sha256(inner));
  return out;
}

Result<TpmKey> check_tpm_key(const TpmEvidence& evidence, const Digest& statement) {
  if (!evidence.quote.empty()) return fail(Errc::kInvalid, "an attestation without measurements holds a quote");
  const TpmKey key = TRY(parse_tpm_key(evidence.key));
  // The chip hashes the statement itself: a restricted key signs no digest that came from outside.
  if (!crypto::p256_verify(key.point, crypto::sha256(statement), evidence.signature)) {
    return fail(Errc::kIntegrity, "the TPM's signature is not over this token");
  }
  return key;
}

Result<CheckedQuote> check_tpm_quote(const TpmEvidence& evidence, const Digest& statement) {
  CheckedQuote checked;
  checked.key = TRY(parse_tpm_key(evidence.key));
  const TpmQuote quote = TRY(parse_tpm_quote(evidence.quote));
  if (!crypto::p256_verify(checked.key.point, crypto::sha256(evidence.quote), evidence.signature)) {
    return fail(Errc::kIntegrity, "the TPM's signature is not over this quote");
  }
  if (quote.extra_data != to_bytes(statement)) return fail(Errc::kIntegrity, "the quote was made for another token");
  if (quote.qualified_signer != tpm_qualified_name(checked.key)) {
    return fail(Errc::kIntegrity, "the quote is by another key, or by one outside the owner's hierarchy of the TPM");
  }
  if (!selects_measured_state(quote.selections)) return fail(Errc::kInvalid, "the quote covers no register of the SHA-256 bank");
  checked.measured = TRY(Digest::from(quote.pcr_digest));
  return checked;
}

}  // namespace selvedge::object
