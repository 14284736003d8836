// What a TPM signed, and the tokens that carry it, come from strangers. Whatever is taken is written back as the same bytes, nothing
// crashes, and a token whose attestation does not fit proves nothing. Signatures of tokens count as good here, so that the fuzzer
// reaches what lies behind them; signatures of chips are checked for real. The first byte says what the rest is.
#include "object/identity.h"
#include "object/tpm_quote.h"

namespace {

using namespace selvedge;
using namespace selvedge::object;

class BlindVerifier final : public crypto::Verifier {
 public:
  bool verify(const PublicKey&, ByteView, const crypto::Signature&) const override { return true; }
};

void try_key(ByteView input) {
  const Result<TpmKey> key = parse_tpm_key(input);
  if (!key.ok()) return;
  // Chips may leave out leading zeros, so only the padded form comes back as it was.
  const Bytes padded = make_tpm_key(key->point);
  CHECK(parse_tpm_key(padded)->point == key->point);
  CHECK(input.size() <= padded.size());
  CHECK(input.size() < padded.size() || to_bytes(input) == padded);
}

void try_quote(ByteView input) {
  const Result<TpmQuote> quote = parse_tpm_quote(input);
  if (quote.ok()) CHECK(make_tpm_quote(*quote) == to_bytes(input));
}

void try_evidence(ByteView input) {
  const Result<TpmEvidence> evidence = codec::decode<TpmEvidence>(input);
  if (!evidence.ok()) return;
  CHECK(codec::encode(*evidence) == to_bytes(input));
  const Digest statement{};
  (void)check_tpm_key(*evidence, statement).ok();
  (void)check_tpm_quote(*evidence, statement).ok();
}

void try_token(ByteView input) {
  const BlindVerifier blind;
  const Result<Signed<IdentityToken>> token = open_object<IdentityToken>(input, blind);
  if (!token.ok()) return;
  CHECK(token->body.validate().ok());
  const OpenedEnvelope envelope = open_envelope(input, blind).value();
  CHECK(to_bytes(envelope.payload) == make_payload(schema_id_of<IdentityToken>(), codec::encode(token->body)));
  const RevocationSet none(token->body.origin);
  HardwareTrust trust;
  trust.unendorsed = Unendorsed::kIsBelieved;
  TokenCheck check;
  check.origin = token->body.origin;
  check.revocations = &none;
  check.trust = &trust;
  const Result<TokenBearer> bearer = verify_token(*token, check, blind, Instant::from_unix_seconds(token->body.issued));
  if (bearer.ok()) CHECK(bearer->tier <= token->body.tier && !bearer->endorsed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  switch (data[0]) {
    case 'K': try_key(input); break;
    case 'Q': try_quote(input); break;
    case 'E': try_evidence(input); break;
    case 'T': try_token(input); break;
    default: break;
  }
  return 0;
}
