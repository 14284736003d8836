// A TPM 2.0 that vouches for a node's identity keys.
//
// One attestation key for each origin and period, made anew from the chip's own seed whenever it is needed (TPM2_CreatePrimary with the
// request's key_id in the template): nothing is stored, in the chip or out of it, and two keys have nothing in common that shows. No
// endorsement key, certificate, serial number or clock leaves the chip at hardware-basic; at hardware-strong its quote carries the clock.
// Blocking, and slow on real chips (a tenth of a second and more), so the daemon calls it on a worker; calls may come from any thread
// and take turns. Every call connects, works, and disconnects: a chip that goes away and comes back needs no care.
// The pure half, which checks what comes out of here, is object/tpm_quote.h. What it proves: docs/decisions/0017.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "object/identity.h"
#include "object/tpm_quote.h"

namespace selvedge::host {

struct TpmOptions {
  /// How to reach it, as tpm2-tss writes it: "device:/dev/tpmrm0", "swtpm:path=/run/swtpm/sock", "swtpm:host=127.0.0.1,port=2321".
  std::string tcti;
  /// Registers of the SHA-256 bank that a quote covers, bit n for register n. 0 to 7 are firmware and boot loader.
  uint32_t registers = 0xff;
};

class Tpm final : public object::Attestor {
 public:
  /// Makes sure that a TPM 2.0 answers and can make the keys. Errors: kUnavailable (none is there, or it refuses; with what to do),
  /// kInvalid (an empty tcti, no registers).
  static Result<std::unique_ptr<Tpm>> open(TpmOptions options);

  object::IdentityTier tier() const override { return object::IdentityTier::kHardwareStrong; }
  Result<object::Attestation> attest(const object::AttestationRequest& request) override;

 private:
  explicit Tpm(TpmOptions options) : options_(std::move(options)) {}
  Result<object::TpmEvidence> make_evidence(const object::AttestationRequest& request);
  TpmOptions options_;
  std::mutex turn_;
};

}  // namespace selvedge::host
