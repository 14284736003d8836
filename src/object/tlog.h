// The files and messages of a transparency log, as other tools read them (C2SP tlog-checkpoint, tlog-tiles, tlog-proof, tlog-witness).
//
//   checkpoint   a signed note whose text is origin, size and root: what a log says it is
//   tiles        `tile/<L>/<N>[.p/<W>]`, the hashes; `tile/entries/<N>[.p/<W>]`, the entries, each behind a u16 length
//   proof file   one entry's place in a checkpointed tree, to be checked without the log
//   add-checkpoint   what a log asks a witness, and what the witness answers
//
// Everything here turns text and bytes into values and back, and refuses every second spelling: what parses prints as it was.
// Signatures are checked by codec/signed_note.h and trees by merkle.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/signed_note.h"
#include "object/merkle.h"

namespace selvedge::object {

inline constexpr size_t kOriginSizeMax = 1024;
inline constexpr size_t kExtensionLinesMax = 64;
/// The length before an entry has 16 bits.
inline constexpr size_t kLogEntrySizeMax = 65'535;
inline constexpr size_t kProofExtraSizeMax = 128u << 10;
/// A proof file: extra data, 63 hashes and a note.
inline constexpr size_t kProofFileSizeMax = 1u << 20;

// ---- checkpoints

struct Checkpoint {
  std::string origin;
  uint64_t size = 0;
  Digest root;
  std::vector<std::string> extensions;  // not recommended; kept so that others' checkpoints verify
  bool operator==(const Checkpoint&) const = default;
};

/// The text of a note. Errors: kInvalid, kNonCanonical (base64), kLimit.
Result<Checkpoint> parse_checkpoint(std::string_view text);
std::string checkpoint_text(const Checkpoint& checkpoint);

// ---- tiles

/// "tile/1/x001/x234/067.p/17"; no suffix when the width is kTileWidth.
std::string tile_path(const TileId& tile, size_t width);
/// "tile/entries/x001/x234/067.p/17".
std::string entries_path(uint64_t index, size_t width);

struct TilePath {
  bool entries = false;  // a bundle of entries; then the level is 0
  TileId tile;
  size_t width = kTileWidth;
  bool operator==(const TilePath&) const = default;
};
/// Errors: kInvalid.
Result<TilePath> parse_tile_path(std::string_view path);

Bytes tile_bytes(std::span<const Digest> hashes);
/// Errors: kInvalid when the bytes are not exactly `width` hashes.
Result<std::vector<Digest>> parse_tile(ByteView bytes, size_t width);
/// Each entry is at most kLogEntrySizeMax (CHECK).
Bytes bundle_bytes(std::span<const Bytes> entries);
/// Errors: kInvalid when the bytes are not exactly `width` entries. The views point into `bytes`.
Result<std::vector<ByteView>> parse_bundle(ByteView bytes, size_t width);

// ---- proof files

struct ProofFile {
  std::optional<Bytes> extra;  // not authenticated by the format; ours is the entry, which the proof then authenticates
  uint64_t index = 0;
  std::vector<Digest> hashes;
  std::string checkpoint;  // the signed note, as it is
  bool operator==(const ProofFile&) const = default;
};

/// Errors: kInvalid, kNonCanonical, kLimit, kUnsupported (another version).
Result<ProofFile> parse_proof_file(std::string_view bytes);
std::string proof_file_text(const ProofFile& proof);

// ---- witnesses

struct AddCheckpoint {
  uint64_t old_size = 0;
  std::vector<Digest> proof;
  std::string checkpoint;  // the signed note, as it is
  bool operator==(const AddCheckpoint&) const = default;
};

/// Errors: kInvalid, kNonCanonical, kLimit.
Result<AddCheckpoint> parse_add_checkpoint(std::string_view bytes);
std::string add_checkpoint_text(const AddCheckpoint& request);

/// The statuses of tlog-witness, which are those of HTTP.
enum class WitnessStatus : uint16_t {
  kOk = 200,             // the body is signature lines
  kBadRequest = 400,     // malformed, or an old size above the new one
  kForbidden = 403,      // no signature by a key trusted for the origin
  kUnknownOrigin = 404,
  kConflict = 409,       // another size was cosigned last: the body is that size; or the same size with another root
  kUnprocessable = 422,  // the proof does not hold
};

/// What a witness decides about a request, before it writes anything down.
struct WitnessVerdict {
  WitnessStatus status = WitnessStatus::kBadRequest;
  Checkpoint checkpoint;  // for every status but kBadRequest and kForbidden
  bool equivocation = false;  // a key trusted for the origin signed two trees of which neither begins with the other
  std::string text;       // the note's text, to be cosigned
};

/// The last tree a witness cosigned for an origin.
struct WitnessedTree {
  uint64_t size = 0;
  Digest root;
  bool operator==(const WitnessedTree&) const = default;
};

/// Judges `request` of a log whose keys are `keys` (empty: the origin is unknown) against the last tree cosigned for it.
WitnessVerdict judge_checkpoint(const AddCheckpoint& request, std::span<const codec::NoteKey> keys, const WitnessedTree& last,
                                const crypto::Verifier& verifier);

/// "1234\n", the body of a conflict. Errors: kInvalid.
Result<uint64_t> parse_size_line(std::string_view body);
std::string size_line(uint64_t size);

}  // namespace selvedge::object
