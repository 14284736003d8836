#include "host/tpm/tpm.h"

#include <cstdlib>

#include "host/tpm/session.h"

namespace selvedge::host {
namespace {

constexpr uint32_t kRegistersAll = 0xffffff;

}  // namespace

Result<std::unique_ptr<Tpm>> Tpm::open(TpmOptions options) {
  if (options.tcti.empty()) return fail(Errc::kInvalid, "say how the TPM is reached, for example device:/dev/tpmrm0");
  if ((options.registers & kRegistersAll) == 0) return fail(Errc::kInvalid, "a quote covers at least one register of the TPM, of 0 to 23");
  // The library writes every failed attempt to standard error; ours are in the Result.
  (void)setenv("TSS2_LOG", "all+NONE", 0);
  std::unique_ptr<Tpm> tpm(new Tpm(std::move(options)));
  TpmSession session = TRY(TpmSession::open(tpm->options_.tcti));
  const Bytes probe = TRY(session.load_key(object::Digest{}));
  const Result<object::TpmKey> known = object::parse_tpm_key(probe);
  if (!known.ok()) return fail(Errc::kUnavailable, "the TPM makes other keys than it is asked to: " + known.error().message);
  return tpm;
}

Result<object::TpmEvidence> Tpm::make_evidence(const object::AttestationRequest& request) {
  object::TpmEvidence evidence;
  evidence.endorsement = request.endorsement;
  TpmSession session = TRY(TpmSession::open(options_.tcti));
  evidence.key = TRY(session.load_key(request.key_id));
  if (request.tier == object::IdentityTier::kHardwareBasic) {
    evidence.signature = TRY(session.sign(request.statement));
    TRY(object::check_tpm_key(evidence, request.statement));
  } else {
    TpmSession::Quoted quoted = TRY(session.quote(request.statement, options_.registers));
    evidence.quote = std::move(quoted.attest);
    evidence.signature = quoted.signature;
    TRY(object::check_tpm_quote(evidence, request.statement));
  }
  return evidence;
}

Result<object::Attestation> Tpm::attest(const object::AttestationRequest& request) {
  if (request.tier == object::IdentityTier::kSoftware) return object::Attestation{};
  const std::lock_guard<std::mutex> turn(turn_);
  const object::TpmEvidence evidence = TRY(make_evidence(request));
  const bool basic = request.tier == object::IdentityTier::kHardwareBasic;
  return object::Attestation{std::string(basic ? object::kFormatTpmKey : object::kFormatTpmQuote), codec::encode(evidence)};
}

}  // namespace selvedge::host
