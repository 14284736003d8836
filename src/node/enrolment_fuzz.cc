// Requests and answers of devices are texts from anywhere: opened whole or refused. Signatures are taken as good, so that what lies
// behind them is reached.
#include "node/enrolment.h"

using namespace selvedge;

namespace {
struct Credulous final : crypto::Verifier {
  bool verify(const crypto::PublicKey&, ByteView, const crypto::Signature&) const override { return true; }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Credulous verifier;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto request = node::open_request_text(text, verifier, Instant::from_unix_seconds(1'790'000'000));
  if (request.ok()) CHECK(request->body.validate().ok());
  // Behind the armor, too: its checksum keeps a fuzzer out.
  const auto inner = object::open_object<node::EnrolRequest>({data, size}, verifier);
  if (inner.ok()) CHECK(node::open_request_text(node::request_text(*inner, nullptr), verifier, Instant::from_unix_seconds(inner->body.issued)).ok() || inner->body.succeeds);
  const auto answer = codec::decode<node::EnrolAnswer>({data, size});
  if (answer.ok()) CHECK(codec::encode(*answer) == Bytes(data, data + size));
  return 0;
}
