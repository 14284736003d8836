// Whatever opens as some kind of object is written back as the same payload; nothing crashes. Signatures count as good here, so that the
// fuzzer reaches what lies behind them.
#include "object/audit_entry.h"
#include "object/audit_head.h"
#include "object/authorize.h"
#include "object/bridge.h"
#include "object/permission.h"
#include "object/sealed.h"
#include "object/sequence.h"
#include "object/zone_keys.h"

namespace {

using namespace selvedge;
using namespace selvedge::object;

class TrustingVerifier final : public crypto::Verifier {
 public:
  bool verify(const PublicKey&, ByteView, const crypto::Signature&) const override { return true; }
};

template <class T>
void try_signed(ByteView input) {
  const TrustingVerifier trusting;
  const Result<Signed<T>> opened = open_object<T>(input, trusting);
  if (!opened.ok()) return;
  CHECK(codec::check_canonical(input).ok());
  CHECK(peek_schema(input).value() == schema_id_of<T>());
  const Bytes payload = make_payload(schema_id_of<T>(), codec::encode(opened->body));
  const OpenedEnvelope envelope = open_envelope(input, trusting).value();
  CHECK(to_bytes(envelope.payload) == payload);
  CHECK(opened->body.validate().ok());
  CHECK(!codec::to_json_text(opened->body).empty());
}

template <class T>
void try_unsigned(ByteView input) {
  const Result<T> opened = open_unsigned<T>(input);
  if (opened.ok()) CHECK(unsigned_bytes(*opened) == to_bytes(input));
}

template <class... T>
void try_all_signed(ByteView input) {
  (try_signed<T>(input), ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView input(data, size);
  try_all_signed<NodeRecord, Grant, Lease, ZonePolicy, Capability, Endorsement, TaskOffer, Commitment, Reveal, Receipt, Revocation, RevocationHead,
                 ZoneKeyEpoch, SequenceLink, Provenance, Manifest, PermissionRequest, PermissionDecision, Alert, AuditHead>(input);
  try_unsigned<AuditEntry>(input);
  try_unsigned<BlockGroup>(input);
  try_unsigned<BlobRef>(input);
  try_unsigned<TaskSpec>(input);
  try_unsigned<IssuerSet>(input);
  static const crypto::SealKeyPair device(crypto::Seed::from(Bytes(32, 1)).value());
  (void)open_sealed(device, input, view("fuzz")).ok();
  return 0;
}
