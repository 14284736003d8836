#include "codec/signed_note.h"

#include <algorithm>
#include <optional>

#include "codec/base64.h"
#include "codec/cbor.h"
#include "crypto/hash.h"

namespace selvedge::codec {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a space begin a signature line
constexpr size_t kKeyIdSize = 4;
constexpr size_t kTimeSize = 8;

// Characters with the Unicode property White_Space, as UTF-8.
constexpr std::string_view kSpaces[] = {" ",            "\t",           "\n",           "\v",           "\f",           "\r",           "\xc2\x85",
                                        "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
                                        "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
                                        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return uint8_t(c) < 0x20 && c != '\n'; });
}

std::string cosigned_message(uint64_t time, std::string_view text) {
  return "cosignature/v1\ntime " + std::to_string(time) + "\n" + std::string(text);
}

Bytes type_and_key(const NoteKey& key) {
  Bytes out{uint8_t(key.type)};
  append(out, key.key);
  return out;
}

Result<NoteSignature> parse_signature_line(std::string_view line) {
  if (!line.starts_with(kDash)) return fail(Errc::kInvalid, "a signature line of a note begins with a long dash and a space");
  line.remove_prefix(kDash.size());
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return fail(Errc::kInvalid, "a signature line of a note has a key name and a signature");
  NoteSignature out;
  out.name = std::string(line.substr(0, space));
  TRY(check_key_name(out.name));
  const Bytes blob = TRY(base64_decode(line.substr(space + 1)));
  if (blob.size() <= kKeyIdSize) return fail(Errc::kInvalid, "a signature in a note is too short to hold a key id and a signature");
  out.key_id = load_u32(blob.data());
  out.signature = to_bytes(ByteView(blob).subspan(kKeyIdSize));
  return out;
}

// The time a valid signature of `key` carries (0 where it carries none), or nothing when it is not valid.
std::optional<uint64_t> signed_at(const NoteKey& key, const NoteSignature& signature, std::string_view text, const crypto::Verifier& verifier) {
  ByteView blob = signature.signature;
  std::string message(text);
  uint64_t time = 0;
  if (key.type == NoteKeyType::kCosignature) {
    if (blob.size() != kTimeSize + crypto::Signature::kSize) return std::nullopt;
    time = load_u64(blob.data());
    if (time > kCosignatureTimeMax) return std::nullopt;
    message = cosigned_message(time, text);
    blob = blob.subspan(kTimeSize);
  }
  const Result<crypto::Signature> plain = crypto::Signature::from(blob);
  if (!plain.ok() || !verifier.verify(key.key, view(message), *plain)) return std::nullopt;
  return time;
}

}  // namespace

uint32_t NoteKey::id() const {
  Bytes input = to_bytes(view(name));
  input.push_back('\n');
  append(input, type_and_key(*this));
  return load_u32(crypto::sha256(input).bytes.data());
}

Status check_key_name(std::string_view name) {
  if (name.empty() || name.size() > kNoteKeyNameSizeMax) return fail(Errc::kInvalid, "a key name in a note has 1 to 255 bytes");
  if (!is_utf8(name) || has_control(name) || name.find('+') != std::string_view::npos) {
    return fail(Errc::kInvalid, "a key name in a note is text without '+' and control characters");
  }
  for (const std::string_view space : kSpaces) {
    if (name.find(space) != std::string_view::npos) return fail(Errc::kInvalid, "a key name in a note has no spaces");
  }
  return ok();
}

Result<NoteKey> parse_vkey(std::string_view text) {
  const size_t first = text.find('+');
  const size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) return fail(Errc::kInvalid, "a verifier key looks like NAME+KEYID+BASE64");
  NoteKey out;
  out.name = std::string(text.substr(0, first));
  TRY(check_key_name(out.name));
  const std::string_view id = text.substr(first + 1, second - first - 1);
  const Bytes blob = TRY(base64_decode(text.substr(second + 1)));
  if (blob.empty()) return fail(Errc::kInvalid, "the verifier key " + out.name + " holds no key");
  if (blob[0] != uint8_t(NoteKeyType::kEd25519) && blob[0] != uint8_t(NoteKeyType::kCosignature)) {
    return fail(Errc::kUnsupported, "the verifier key " + out.name + " is of type " + std::to_string(blob[0]) +
                                        "; this build knows type 1 (Ed25519) and type 4 (Ed25519 cosignature)");
  }
  out.type = NoteKeyType(blob[0]);
  out.key = TRY(crypto::PublicKey::from(ByteView(blob).subspan(1)));
  uint8_t expected[kKeyIdSize];
  store_u32(expected, out.id());
  if (id != to_hex(expected)) return fail(Errc::kIntegrity, "the verifier key " + out.name + " is damaged: its key id does not fit its key");
  return out;
}

std::string vkey_text(const NoteKey& key) {
  uint8_t id[kKeyIdSize];
  store_u32(id, key.id());
  return key.name + "+" + to_hex(id) + "+" + base64_encode(type_and_key(key));
}

Result<std::vector<NoteSignature>> parse_signature_lines(std::string_view bytes) {
  if (bytes.size() > kNoteSizeMax) return fail(Errc::kLimit, "the signatures are larger than a note may be");
  std::vector<NoteSignature> out;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return fail(Errc::kInvalid, "the last line of a note is cut off");
    if (out.size() == kNoteSignaturesMax) return fail(Errc::kLimit, "a note has more than " + std::to_string(kNoteSignaturesMax) + " signatures");
    out.push_back(TRY(parse_signature_line(bytes.substr(0, end))));
    bytes.remove_prefix(end + 1);
  }
  if (out.empty()) return fail(Errc::kInvalid, "there is no signature");
  return out;
}

std::string signature_lines(const std::vector<NoteSignature>& signatures) {
  std::string out;
  for (const NoteSignature& each : signatures) {
    Bytes blob;
    append_u32(blob, each.key_id);
    append(blob, each.signature);
    out.append(kDash).append(each.name).append(" ").append(base64_encode(blob)).append("\n");
  }
  return out;
}

Result<SignedNote> parse_note(std::string_view bytes) {
  if (bytes.size() > kNoteSizeMax) return fail(Errc::kLimit, "a note is at most " + std::to_string(kNoteSizeMax >> 10) + " KiB");
  if (!is_utf8(bytes) || has_control(bytes)) return fail(Errc::kInvalid, "a signed note is UTF-8 text without control characters");
  // The last empty line parts the text from its signatures; the text may have empty lines of its own.
  const size_t gap = bytes.rfind("\n\n");
  if (gap == std::string_view::npos) return fail(Errc::kInvalid, "this is no signed note: there is no empty line before signatures");
  SignedNote out;
  out.text = std::string(bytes.substr(0, gap + 1));
  out.signatures = TRY(parse_signature_lines(bytes.substr(gap + 2)));
  return out;
}

std::string note_text(const SignedNote& note) { return note.text + "\n" + signature_lines(note.signatures); }

NoteSignature sign_note(const crypto::Signer& signer, std::string_view name, std::string_view text) {
  CHECK(check_key_name(name).ok() && text.ends_with('\n'));
  const NoteKey key{std::string(name), NoteKeyType::kEd25519, signer.public_key()};
  return {key.name, key.id(), to_bytes(signer.sign(view(text)))};
}

NoteSignature cosign_note(const crypto::Signer& signer, std::string_view name, uint64_t time, std::string_view text) {
  CHECK(check_key_name(name).ok() && text.ends_with('\n') && time <= kCosignatureTimeMax);
  const NoteKey key{std::string(name), NoteKeyType::kCosignature, signer.public_key()};
  Bytes blob;
  append_u64(blob, time);
  append(blob, signer.sign(view(cosigned_message(time, text))));
  return {key.name, key.id(), std::move(blob)};
}

Result<std::vector<NoteSigner>> verify_note(const SignedNote& note, std::span<const NoteKey> keys, const crypto::Verifier& verifier) {
  std::vector<NoteSigner> signers;
  for (size_t i = 0; i < keys.size(); ++i) {
    const uint32_t id = keys[i].id();
    std::optional<uint64_t> newest;
    for (const NoteSignature& signature : note.signatures) {
      if (signature.key_id != id || signature.name != keys[i].name) continue;
      const std::optional<uint64_t> time = signed_at(keys[i], signature, note.text, verifier);
      if (!time) return fail(Errc::kIntegrity, "the signature of " + keys[i].name + " does not hold: the note was changed, or the signature was");
      newest = std::max(newest, time);
    }
    if (newest) signers.push_back({i, *newest});
  }
  if (signers.empty()) return fail(Errc::kUnauthorized, "none of the keys that are trusted here signed this note");
  return signers;
}

}  // namespace selvedge::codec
