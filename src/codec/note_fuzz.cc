// A note or verifier key that parses prints as the same text; signatures that were not made do not count; base64 has one spelling.
#include "codec/base64.h"
#include "codec/signed_note.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  const std::string text = to_string(ByteView(data, size));
  const Result<Bytes> bytes = codec::base64_decode(text);
  if (bytes.ok()) CHECK(codec::base64_encode(*bytes) == text);
  const Result<codec::NoteKey> key = codec::parse_vkey(text);
  if (key.ok()) CHECK(codec::vkey_text(*key) == text);
  const auto lines = codec::parse_signature_lines(text);
  if (lines.ok()) CHECK(codec::signature_lines(*lines) == text);
  const Result<codec::SignedNote> note = codec::parse_note(text);
  if (!note.ok()) return 0;
  CHECK(codec::note_text(*note) == text);
  // Keys of everyone the note names, so that the fuzzer reaches the signatures; a zero key is nobody's.
  std::vector<codec::NoteKey> keys;
  for (const codec::NoteSignature& each : note->signatures) {
    keys.push_back({each.name, codec::NoteKeyType::kEd25519, {}});
    keys.push_back({each.name, codec::NoteKeyType::kCosignature, {}});
  }
  const crypto::Ed25519Verifier verifier;
  CHECK(!codec::verify_note(*note, keys, verifier).ok());
  return 0;
}
