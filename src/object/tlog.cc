#include "object/tlog.h"

#include <algorithm>

#include "codec/base64.h"
#include "codec/cbor.h"

namespace selvedge::object {
namespace {

constexpr std::string_view kProofHeader = "c2sp.org/tlog-proof@v1";
constexpr size_t kDecimalDigitsMax = 20;

// Takes one line, without its newline, off the front. Errors: kInvalid at the end, or when the newline is missing.
Result<std::string_view> take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return fail(Errc::kInvalid, text.empty() ? "a line is missing at the end" : "the last line is cut off");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// ASCII decimal without leading zeroes.
Result<uint64_t> parse_decimal(std::string_view digits) {
  const bool plain = !digits.empty() && digits.size() <= kDecimalDigitsMax && (digits == "0" || digits[0] != '0') &&
                     std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!plain) return fail(Errc::kInvalid, "a decimal number without leading zeroes was expected");
  uint64_t value = 0;
  for (const char c : digits) {
    if (__builtin_mul_overflow(value, uint64_t(10), &value) || __builtin_add_overflow(value, uint64_t(c - '0'), &value)) {
      return fail(Errc::kInvalid, "the number is too large");
    }
  }
  return value;
}

Result<uint64_t> parse_tree_size(std::string_view digits) {
  const uint64_t size = TRY(parse_decimal(digits));
  if (size > kTreeSizeMax) return fail(Errc::kLimit, "a log of " + std::string(digits) + " entries is larger than any log can be");
  return size;
}

Result<Digest> parse_hash(std::string_view text) { return Digest::from(TRY(codec::base64_decode(text))); }

// Lines of one hash each, up to an empty line, which is taken too.
Result<std::vector<Digest>> take_hashes(std::string_view& text) {
  std::vector<Digest> hashes;
  for (;;) {
    const std::string_view line = TRY(take_line(text));
    if (line.empty()) return hashes;
    if (hashes.size() == kProofHashesMax) return fail(Errc::kLimit, "a proof has at most " + std::to_string(kProofHashesMax) + " hashes");
    hashes.push_back(TRY(parse_hash(line)));
  }
}

void append_hashes(std::string& out, const std::vector<Digest>& hashes) {
  for (const Digest& hash : hashes) out += codec::base64_encode(hash) + "\n";
}

bool is_line(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return uint8_t(c) >= 0x20; });
}

// "x001/x234/067" and, for a partial one, ".p/17".
std::string index_path(uint64_t index, size_t width) {
  constexpr uint64_t kPerElement = 1000;
  std::string path;
  uint64_t rest = index;
  do {
    std::string digits = std::to_string(rest % kPerElement);
    digits.insert(0, 3 - digits.size(), '0');
    path = path.empty() ? digits : "x" + digits + "/" + path;
    rest /= kPerElement;
  } while (rest > 0);
  if (width != kTileWidth) path += ".p/" + std::to_string(width);
  return path;
}

}  // namespace

// ---- checkpoints

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  if (text.size() > codec::kNoteSizeMax) return fail(Errc::kLimit, "a checkpoint is at most as large as a note");
  Checkpoint out;
  out.origin = std::string(TRY(take_line(text)));
  if (!is_line(out.origin) || out.origin.size() > kOriginSizeMax || !codec::is_utf8(out.origin)) {
    return fail(Errc::kInvalid, "a checkpoint begins with the name of its log");
  }
  out.size = TRY(parse_tree_size(TRY(take_line(text))));
  out.root = TRY(parse_hash(TRY(take_line(text))));
  while (!text.empty()) {
    const std::string_view line = TRY(take_line(text));
    if (!is_line(line)) return fail(Errc::kInvalid, "a checkpoint has no empty lines");
    if (out.extensions.size() == kExtensionLinesMax) return fail(Errc::kLimit, "a checkpoint has too many extension lines");
    out.extensions.emplace_back(line);
  }
  return out;
}

std::string checkpoint_text(const Checkpoint& checkpoint) {
  std::string out = checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" + codec::base64_encode(checkpoint.root) + "\n";
  for (const std::string& line : checkpoint.extensions) out += line + "\n";
  return out;
}

// ---- tiles

std::string tile_path(const TileId& tile, size_t width) { return "tile/" + std::to_string(tile.level) + "/" + index_path(tile.index, width); }

std::string entries_path(uint64_t index, size_t width) { return "tile/entries/" + index_path(index, width); }

Result<TilePath> parse_tile_path(std::string_view path) {
  const Error no_tile = fail(Errc::kInvalid, "this is no path of a tile");
  constexpr size_t kPathSizeMax = 64;
  if (!path.starts_with("tile/") || path.size() > kPathSizeMax) return no_tile;
  std::string_view rest = path.substr(5);
  TilePath out;
  const size_t level_end = rest.find('/');
  if (level_end == std::string_view::npos) return no_tile;
  const std::string_view level = rest.substr(0, level_end);
  rest.remove_prefix(level_end + 1);
  out.entries = level == "entries";
  if (!out.entries) {
    const uint64_t number = TRY(parse_decimal(level));
    if (number >= kTileLevelsMax) return fail(Errc::kInvalid, "no tree is as high as this tile");
    out.tile.level = uint8_t(number);
  }
  const size_t partial = rest.find(".p/");
  if (partial != std::string_view::npos) {
    out.width = size_t(TRY(parse_decimal(rest.substr(partial + 3))));
    if (out.width == 0 || out.width >= kTileWidth) return no_tile;
    rest = rest.substr(0, partial);
  }
  for (const char c : rest) {
    if (c >= '0' && c <= '9' && (__builtin_mul_overflow(out.tile.index, uint64_t(10), &out.tile.index) ||
                                 __builtin_add_overflow(out.tile.index, uint64_t(c - '0'), &out.tile.index))) {
      return no_tile;
    }
  }
  // Only one spelling names a tile, so it is enough that this one comes out again.
  if (path != (out.entries ? entries_path(out.tile.index, out.width) : tile_path(out.tile, out.width))) return no_tile;
  return out;
}

Bytes tile_bytes(std::span<const Digest> hashes) {
  Bytes out;
  out.reserve(hashes.size() * Digest::kSize);
  for (const Digest& hash : hashes) append(out, hash);
  return out;
}

Result<std::vector<Digest>> parse_tile(ByteView bytes, size_t width) {
  if (width > kTileWidth || bytes.size() != width * Digest::kSize) {
    return fail(Errc::kInvalid, "a tile of width " + std::to_string(width) + " has " + std::to_string(width * Digest::kSize) + " bytes, not " +
                                    std::to_string(bytes.size()));
  }
  std::vector<Digest> hashes;
  for (size_t i = 0; i < width; ++i) hashes.push_back(*Digest::from(bytes.subspan(i * Digest::kSize, Digest::kSize)));
  return hashes;
}

Bytes bundle_bytes(std::span<const Bytes> entries) {
  Bytes out;
  for (const Bytes& entry : entries) {
    CHECK(entry.size() <= kLogEntrySizeMax);
    uint8_t length[2];
    store_u16(length, uint16_t(entry.size()));
    append(out, length);
    append(out, entry);
  }
  return out;
}

Result<std::vector<ByteView>> parse_bundle(ByteView bytes, size_t width) {
  std::vector<ByteView> entries;
  while (!bytes.empty()) {
    if (entries.size() == std::min(width, kTileWidth)) return fail(Errc::kInvalid, "the bundle has more entries than it should");
    if (bytes.size() < 2 || bytes.size() - 2 < load_u16(bytes.data())) return fail(Errc::kInvalid, "the last entry of the bundle is cut off");
    const size_t length = load_u16(bytes.data());
    entries.push_back(bytes.subspan(2, length));
    bytes = bytes.subspan(2 + length);
  }
  if (entries.size() != width) {
    return fail(Errc::kInvalid, "the bundle has " + std::to_string(entries.size()) + " entries instead of " + std::to_string(width));
  }
  return entries;
}

// ---- proof files

Result<ProofFile> parse_proof_file(std::string_view bytes) {
  if (bytes.size() > kProofFileSizeMax) return fail(Errc::kLimit, "a proof file is at most " + std::to_string(kProofFileSizeMax >> 10) + " KiB");
  const std::string_view header = TRY(take_line(bytes));
  if (header != kProofHeader) {
    if (header.starts_with("c2sp.org/tlog-proof@")) return fail(Errc::kUnsupported, "the proof is of a version this build does not know");
    return fail(Errc::kInvalid, "this is no proof file: it does not begin with " + std::string(kProofHeader));
  }
  ProofFile out;
  std::string_view line = TRY(take_line(bytes));
  constexpr std::string_view kExtra = "extra ";
  constexpr std::string_view kIndex = "index ";
  if (line.starts_with(kExtra)) {
    out.extra = TRY(codec::base64_decode(line.substr(kExtra.size())));
    if (out.extra->size() > kProofExtraSizeMax) return fail(Errc::kLimit, "the extra data of the proof is too large");
    line = TRY(take_line(bytes));
  }
  if (!line.starts_with(kIndex)) return fail(Errc::kInvalid, "the proof does not say which entry it is about");
  out.index = TRY(parse_decimal(line.substr(kIndex.size())));
  out.hashes = TRY(take_hashes(bytes));
  out.checkpoint = std::string(bytes);
  TRY(codec::parse_note(out.checkpoint));
  return out;
}

std::string proof_file_text(const ProofFile& proof) {
  std::string out = std::string(kProofHeader) + "\n";
  if (proof.extra) out += "extra " + codec::base64_encode(*proof.extra) + "\n";
  out += "index " + std::to_string(proof.index) + "\n";
  append_hashes(out, proof.hashes);
  return out + "\n" + proof.checkpoint;
}

// ---- witnesses

Result<AddCheckpoint> parse_add_checkpoint(std::string_view bytes) {
  constexpr std::string_view kOld = "old ";
  if (bytes.size() > kProofFileSizeMax) return fail(Errc::kLimit, "the request is larger than a checkpoint with a proof can be");
  const std::string_view line = TRY(take_line(bytes));
  if (!line.starts_with(kOld)) return fail(Errc::kInvalid, "the request does not begin with the old size");
  AddCheckpoint out;
  out.old_size = TRY(parse_tree_size(line.substr(kOld.size())));
  out.proof = TRY(take_hashes(bytes));
  out.checkpoint = std::string(bytes);
  TRY(codec::parse_note(out.checkpoint));
  return out;
}

std::string add_checkpoint_text(const AddCheckpoint& request) {
  std::string out = "old " + std::to_string(request.old_size) + "\n";
  append_hashes(out, request.proof);
  return out + "\n" + request.checkpoint;
}

WitnessVerdict judge_checkpoint(const AddCheckpoint& request, std::span<const codec::NoteKey> keys, const WitnessedTree& last,
                                const crypto::Verifier& verifier) {
  WitnessVerdict out;
  const Result<codec::SignedNote> note = codec::parse_note(request.checkpoint);
  if (!note.ok()) return out;
  Result<Checkpoint> checkpoint = parse_checkpoint(note->text);
  if (!checkpoint.ok()) return out;
  if (keys.empty()) {
    out.status = WitnessStatus::kUnknownOrigin;
    return out;
  }
  out.status = WitnessStatus::kForbidden;
  if (!codec::verify_note(*note, keys, verifier).ok()) return out;
  out.text = note->text;
  out.checkpoint = std::move(checkpoint).value();
  const Checkpoint& head = out.checkpoint;
  out.equivocation = last.size != 0 && head.size == last.size && head.root != last.root;
  out.status = WitnessStatus::kBadRequest;
  if (request.old_size > head.size) return out;
  out.status = WitnessStatus::kConflict;
  if (request.old_size != last.size || out.equivocation) return out;
  out.status = WitnessStatus::kUnprocessable;
  const Digest old_root = last.size == 0 ? merkle_empty() : last.root;
  const Status consistent = check_consistency(last.size, head.size, request.proof, old_root, head.root);
  if (!consistent.ok()) return out;
  out.status = WitnessStatus::kOk;
  return out;
}

Result<uint64_t> parse_size_line(std::string_view body) {
  const std::string_view line = TRY(take_line(body));
  if (!body.empty()) return fail(Errc::kInvalid, "a size and nothing else was expected");
  return parse_tree_size(line);
}

std::string size_line(uint64_t size) { return std::to_string(size) + "\n"; }

}  // namespace selvedge::object
