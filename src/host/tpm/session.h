// One connection to a TPM, and what is loaded over it. Private to host/tpm.
//
// Wraps the parts of the Enhanced System API that Selvedge uses: everything is released in the right order when it goes, and every
// answer of the chip is a Result whose message says what to do. Not for two threads.
#pragma once

#include <tss2/tss2_esys.h>

#include <string>

#include "base/bytes.h"
#include "crypto/p256.h"

namespace selvedge::host {

class TpmSession {
 public:
  /// Errors: kUnavailable.
  static Result<TpmSession> open(const std::string& tcti);
  TpmSession(TpmSession&& other) noexcept;
  TpmSession& operator=(TpmSession&&) = delete;
  ~TpmSession();

  /// A primary key of the owner's hierarchy from `key_id`; the same again for the same chip and id. Returns its public area (TPMT_PUBLIC).
  /// It stays loaded for the calls below. Errors: kUnavailable.
  Result<Bytes> load_key(ByteView key_id);
  /// The loaded key's signature over SHA-256(data), hashed by the chip. `data` is at most 1024 bytes.
  Result<crypto::P256Signature> sign(ByteView data);
  struct Quoted {
    Bytes attest;  // TPMS_ATTEST
    crypto::P256Signature signature;
  };
  /// The loaded key's quote over `registers` of the SHA-256 bank.
  Result<Quoted> quote(ByteView qualifying_data, uint32_t registers);

 private:
  TpmSession() = default;
  TSS2_TCTI_CONTEXT* tcti_ = nullptr;
  ESYS_CONTEXT* esys_ = nullptr;
  ESYS_TR key_ = ESYS_TR_NONE;
};

}  // namespace selvedge::host
