// Signed notes (c2sp.org/signed-note): a text with signatures below it, as people and other tools can read and check it.
//
//   text, ending in a newline
//   (an empty line)
//   — <key name> base64( key id (4) || signature )        one line for each signature
//
// The audit log speaks in such notes: its checkpoints are notes, and a witness adds a line. Two kinds of keys are known here:
// kEd25519 signs the text itself, kCosignature signs "cosignature/v1\ntime <seconds>\n" before the text and so says when
// (c2sp.org/tlog-cosignature). Others are passed over, as the format asks: a note may carry signatures of kinds not known yet.
//
// Invariants: note_text(parse_note(x)) == x for every x that parses; a note is believed only through verify_note(), which refuses the
// whole note as soon as one signature of a key it was given does not hold.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "crypto/sign.h"

namespace selvedge::codec {

/// The format asks for at least 16; a post-quantum signature takes up to 5 kB.
inline constexpr size_t kNoteSignaturesMax = 64;
inline constexpr size_t kNoteSizeMax = 512u << 10;
inline constexpr size_t kNoteKeyNameSizeMax = 255;
/// Cosignatures hold their time in 63 bits (c2sp.org/tlog-cosignature).
inline constexpr uint64_t kCosignatureTimeMax = uint64_t(INT64_MAX);

/// The signature types of c2sp.org/signed-note that are known here; the byte is part of the key id.
enum class NoteKeyType : uint8_t { kEd25519 = 0x01, kCosignature = 0x04 };

/// A key that is known. Name and key id together say which of a note's signatures is its own.
struct NoteKey {
  std::string name;
  NoteKeyType type = NoteKeyType::kEd25519;
  crypto::PublicKey key;

  /// SHA-256(name, newline, type, key), its first four bytes.
  uint32_t id() const;
  bool operator==(const NoteKey&) const = default;
};

/// "<name>+<key id in hexadecimal>+base64(type, key)". Errors: kInvalid, kIntegrity (the key id is not that of the key), kUnsupported
/// (a type that is not known here).
Result<NoteKey> parse_vkey(std::string_view text);
std::string vkey_text(const NoteKey& key);

/// A name has no spaces of any kind, no '+' and no control characters, and is not empty.
Status check_key_name(std::string_view name);

struct NoteSignature {
  std::string name;
  uint32_t key_id = 0;
  Bytes signature;  // for kCosignature: time (8) and the Ed25519 signature
  bool operator==(const NoteSignature&) const = default;
};

struct SignedNote {
  std::string text;  // with its last newline
  std::vector<NoteSignature> signatures;
  bool operator==(const SignedNote&) const = default;
};

/// Errors: kInvalid, kNonCanonical (base64), kLimit.
Result<SignedNote> parse_note(std::string_view bytes);
std::string note_text(const SignedNote& note);
/// Signature lines alone, each with its newline: what a witness answers.
Result<std::vector<NoteSignature>> parse_signature_lines(std::string_view bytes);
std::string signature_lines(const std::vector<NoteSignature>& signatures);

/// Signs `text` as key `name`. The name is valid and the text ends in a newline (CHECK).
NoteSignature sign_note(const crypto::Signer& signer, std::string_view name, std::string_view text);
/// A cosignature of `text`, made at `time` (Unix seconds).
NoteSignature cosign_note(const crypto::Signer& signer, std::string_view name, uint64_t time, std::string_view text);

/// One of the keys asked about signed.
struct NoteSigner {
  size_t key = 0;     // its place among the keys asked about
  uint64_t time = 0;  // of a cosignature, the newest if it signed more than once; 0 otherwise
  bool operator==(const NoteSigner&) const = default;
};

/// Which of `keys` signed the note, each at most once, in the order of `keys`. Errors: kIntegrity when a signature with the name and
/// id of one of them does not hold, kUnauthorized when none of them signed.
Result<std::vector<NoteSigner>> verify_note(const SignedNote& note, std::span<const NoteKey> keys, const crypto::Verifier& verifier);

}  // namespace selvedge::codec
