// The kinds of objects about secrets: what opens is written back as the same payload. Signatures count as good here.
#include "object/secret.h"

namespace {

using namespace selvedge;
using namespace selvedge::object;

class AnySignature final : public crypto::Verifier {
 public:
  bool verify(const PublicKey&, ByteView, const crypto::Signature&) const override { return true; }
};

template <class T>
void try_kind(ByteView input) {
  const AnySignature any;
  const Result<Signed<T>> opened = open_object<T>(input, any);
  if (!opened.ok()) return;
  const Bytes payload = make_payload(schema_id_of<T>(), codec::encode(opened->body));
  CHECK(to_bytes(open_envelope(input, any).value().payload) == payload);
  CHECK(!codec::to_json_text(opened->body).empty());
  if constexpr (std::is_same_v<T, SecretManifest>) {
    SharePlain share;
    share.number = 1;
    CHECK(!check_share(opened->body, share).ok());  // a share of zero is nobody's
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView input(data, size);
  try_kind<SecretManifest>(input);
  try_kind<SecretShare>(input);
  try_kind<SecretRelease>(input);
  try_kind<SecretReshare>(input);
  try_kind<SecretVerdict>(input);
  return 0;
}
