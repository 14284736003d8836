#include "host/tpm/session.h"

#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace selvedge::host {
namespace {

/// Memory that the library allocated.
struct EsysFree {
  void operator()(void* memory) const { Esys_Free(memory); }
};
template <class T>
using EsysPtr = std::unique_ptr<T, EsysFree>;

Error tpm_error(const char* what, TSS2_RC code) {
  std::string message = std::string("the TPM did not ") + what + ": " + Tss2_RC_Decode(code) + ".";
  // Part 2, 6.6: format-one codes carry the handle's or parameter's number beside the reason.
  const bool password = (code & TPM2_RC_FMT1) != 0 && ((code & 0x3f) == (TPM2_RC_BAD_AUTH & 0x3f) || (code & 0x3f) == (TPM2_RC_AUTH_FAIL & 0x3f));
  if (password) message += " Its owner hierarchy has a password; Selvedge needs one without (tpm2_changeauth -c owner sets it)";
  else message += " Try again; if it stays so, restart the TPM's resource manager or the machine";
  return fail(Errc::kUnavailable, message);
}

template <size_t N>
Result<crypto::P256Signature> signature_of(const TPMT_SIGNATURE& signature, const char (&what)[N]) {
  const TPM2B_ECC_PARAMETER& r = signature.signature.ecdsa.signatureR;
  const TPM2B_ECC_PARAMETER& s = signature.signature.ecdsa.signatureS;
  crypto::P256Signature out;
  if (signature.sigAlg != TPM2_ALG_ECDSA || r.size > 32 || s.size > 32) {
    return fail(Errc::kUnavailable, std::string("the TPM did not ") + what + " as it was asked to: it signs in another way");
  }
  // Some chips leave out leading zeros.
  std::copy(r.buffer, r.buffer + r.size, out.bytes.begin() + (32 - r.size));
  std::copy(s.buffer, s.buffer + s.size, out.bytes.begin() + (64 - s.size));
  return out;
}

TPM2B_PUBLIC key_template(ByteView key_id) {
  TPM2B_PUBLIC out{};
  TPMT_PUBLIC& area = out.publicArea;
  area.type = TPM2_ALG_ECC;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                          TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT;
  TPMS_ECC_PARMS& ecc = area.parameters.eccDetail;
  ecc.symmetric.algorithm = TPM2_ALG_NULL;
  ecc.scheme.scheme = TPM2_ALG_ECDSA;
  ecc.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
  ecc.curveID = TPM2_ECC_NIST_P256;
  ecc.kdf.scheme = TPM2_ALG_NULL;
  // The template goes into the derivation of a primary key: another id, an unrelated key. The id itself does not show in the result.
  area.unique.ecc.x.size = uint16_t(std::min<size_t>(key_id.size(), sizeof(area.unique.ecc.x.buffer)));
  std::copy_n(key_id.begin(), area.unique.ecc.x.size, area.unique.ecc.x.buffer);
  return out;
}

}  // namespace

Result<TpmSession> TpmSession::open(const std::string& tcti) {
  TpmSession session;
  TSS2_RC code = Tss2_TctiLdr_Initialize(tcti.c_str(), &session.tcti_);
  if (code == TSS2_RC_SUCCESS) code = Esys_Initialize(&session.esys_, session.tcti_, nullptr);
  if (code != TSS2_RC_SUCCESS) {
    return fail(Errc::kUnavailable, "no TPM 2.0 can be reached at '" + tcti + "': " + Tss2_RC_Decode(code) +
                                        ". Check that the machine has one, that the firmware has it switched on, and that this user may open it (group tss)");
  }
  return session;
}

TpmSession::TpmSession(TpmSession&& other) noexcept
    : tcti_(std::exchange(other.tcti_, nullptr)), esys_(std::exchange(other.esys_, nullptr)), key_(std::exchange(other.key_, ESYS_TR_NONE)) {}

TpmSession::~TpmSession() {
  if (key_ != ESYS_TR_NONE) (void)Esys_FlushContext(esys_, key_);
  if (esys_ != nullptr) Esys_Finalize(&esys_);
  if (tcti_ != nullptr) Tss2_TctiLdr_Finalize(&tcti_);
}

Result<Bytes> TpmSession::load_key(ByteView key_id) {
  const TPM2B_PUBLIC wanted = key_template(key_id);
  const TPM2B_SENSITIVE_CREATE no_password{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION no_registers{};
  TPM2B_PUBLIC* made = nullptr;
  const TSS2_RC code = Esys_CreatePrimary(esys_, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &no_password, &wanted, &outside,
                                          &no_registers, &key_, &made, nullptr, nullptr, nullptr);
  if (code != TSS2_RC_SUCCESS) return tpm_error("make an attestation key", code);
  const EsysPtr<TPM2B_PUBLIC> owned(made);
  Bytes out(sizeof(TPMT_PUBLIC));
  size_t size = 0;
  const TSS2_RC written = Tss2_MU_TPMT_PUBLIC_Marshal(&made->publicArea, out.data(), out.size(), &size);
  if (written != TSS2_RC_SUCCESS) return tpm_error("describe its attestation key", written);
  out.resize(size);
  return out;
}

Result<crypto::P256Signature> TpmSession::sign(ByteView data) {
  CHECK(key_ != ESYS_TR_NONE && data.size() <= TPM2_MAX_DIGEST_BUFFER);
  TPM2B_MAX_BUFFER buffer{};
  buffer.size = uint16_t(data.size());
  std::copy(data.begin(), data.end(), buffer.buffer);
  TPM2B_DIGEST* digest = nullptr;
  TPMT_TK_HASHCHECK* ticket = nullptr;
  const TSS2_RC hashed = Esys_Hash(esys_, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &buffer, TPM2_ALG_SHA256, ESYS_TR_RH_OWNER, &digest, &ticket);
  if (hashed != TSS2_RC_SUCCESS) return tpm_error("hash the statement", hashed);
  const EsysPtr<TPM2B_DIGEST> owned_digest(digest);
  const EsysPtr<TPMT_TK_HASHCHECK> owned_ticket(ticket);
  const TPMT_SIG_SCHEME of_the_key{.scheme = TPM2_ALG_NULL, .details = {}};
  TPMT_SIGNATURE* signature = nullptr;
  const TSS2_RC code = Esys_Sign(esys_, key_, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, digest, &of_the_key, ticket, &signature);
  if (code != TSS2_RC_SUCCESS) return tpm_error("sign the statement", code);
  const EsysPtr<TPMT_SIGNATURE> owned_signature(signature);
  return signature_of(*signature, "sign the statement");
}

Result<TpmSession::Quoted> TpmSession::quote(ByteView qualifying_data, uint32_t registers) {
  TPM2B_DATA data{};
  CHECK(key_ != ESYS_TR_NONE && qualifying_data.size() <= sizeof(data.buffer));
  data.size = uint16_t(qualifying_data.size());
  std::copy(qualifying_data.begin(), qualifying_data.end(), data.buffer);
  TPML_PCR_SELECTION selection{};
  selection.count = 1;
  TPMS_PCR_SELECTION& bank = selection.pcrSelections[0];
  bank.hash = TPM2_ALG_SHA256;
  bank.sizeofSelect = 3;  // the size that every PC's chip takes: 24 registers
  for (size_t i = 0; i < 3; ++i) bank.pcrSelect[i] = uint8_t(registers >> (8 * i));
  const TPMT_SIG_SCHEME of_the_key{.scheme = TPM2_ALG_NULL, .details = {}};
  TPM2B_ATTEST* attest = nullptr;
  TPMT_SIGNATURE* signature = nullptr;
  const TSS2_RC code = Esys_Quote(esys_, key_, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data, &of_the_key, &selection, &attest, &signature);
  if (code != TSS2_RC_SUCCESS) return tpm_error("quote its measurements", code);
  const EsysPtr<TPM2B_ATTEST> owned_attest(attest);
  const EsysPtr<TPMT_SIGNATURE> owned_signature(signature);
  Quoted out;
  out.attest.assign(attest->attestationData, attest->attestationData + attest->size);
  out.signature = TRY(signature_of(*signature, "quote its measurements"));
  return out;
}

}  // namespace selvedge::host
