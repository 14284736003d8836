// The FCPS frame: how fountain symbols travel and rest. spec: FM 5.4; the layout is in docs/spec/wire.md
//
// A frame carries up to 64 sealed symbols of one source block of one object, or one small object whole (R27). The
// writer makes it once; holders store the bytes as they came and send the same bytes to readers, so a symbol is
// never re-encoded on its way. The layout is fixed-width binary, not CBOR: a reader maps it without copying. What the
// symbols of a frame have in common is said once for all of them.
//
// Who may send one is decided by the session and by authorize(); whether a symbol is genuine is decided by the
// reader with the object's key, symbol by symbol, before it reaches the decoder (B2, B11, R18). The checksum at the end
// finds damage before it costs a decryption; it proves nothing about who made the frame (R10).
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "object/kinds.h"

namespace selvedge::mesh {

constexpr size_t kFrameHeaderBytes = 112;
constexpr size_t kFrameSymbolsMax = 64;
constexpr size_t kFrameChecksumBytes = 8;
constexpr size_t kTagBytes = 16;
constexpr size_t kFrameBytesMax = 256 * 1024;

/// A store asks for an acknowledgement, a delivery answers a request.
enum class FrameKind : uint8_t { kStore = 0, kDeliver = 1 };

struct FrameHeader {
  FrameKind kind = FrameKind::kStore;
  bool whole = false;            // one symbol that is the whole object
  bool again = false;            // sent before, and perhaps lost
  uint64_t sent_ms = 0;          // Unix milliseconds when it was last sent; 0 in one that was not yet
  uint64_t transfer = 0;         // store: echoed in the acknowledgement; deliver: the request that asked
  object::ObjectId object;
  object::ZoneId zone;
  uint64_t object_bytes = 0;
  uint16_t symbol_bytes = 0;     // 0 when whole
  uint8_t source_block = 0;
  uint32_t k = 0;                // source symbols of this block; 1 when whole
  uint64_t expires = 0;          // Unix seconds
};

/// A parsed frame: borrows the symbol bytes from the buffer it was parsed from.
struct FrameView {
  FrameHeader header;
  std::vector<uint32_t> esis;
  ByteView symbols;              // esis.size() times sealed_bytes()
  size_t sealed_bytes() const { return (header.whole ? size_t(header.object_bytes) : header.symbol_bytes) + kTagBytes; }
  ByteView sealed(size_t i) const { return symbols.subspan(i * sealed_bytes(), sealed_bytes()); }
};

/// Errors: kInvalid for anything but one whole frame. Checks sizes, counts, reserved bits; not authenticity.
Result<FrameView> parse_frame(ByteView bytes);

/// What the first bytes of a frame claim, before anything is checked: for deciding when to look at it.
struct FramePeek {
  FrameKind kind = FrameKind::kDeliver;
  std::optional<object::ZoneId> zone;
};
FramePeek peek_frame(ByteView bytes);

/// Starts a frame of `esis.size()` symbols with zeroed symbol space; fill it through frame_symbol(), then close_frame().
Bytes make_frame(const FrameHeader& header, const std::vector<uint32_t>& esis);
/// Writes the checksum of a frame that is filled.
void close_frame(Bytes& frame);
/// Where sealed symbol `i` lies in a frame of `count` symbols that make_frame made.
std::span<uint8_t> frame_symbol(Bytes& frame, size_t count, size_t i, size_t sealed_bytes);

/// The same symbols under another kind and transfer number, sent now.
void retarget_frame(Bytes& frame, FrameKind kind, uint64_t transfer, Instant now);
/// The frame with only the symbols whose index is in `keep` (ascending).
Bytes subset_frame(const FrameView& frame, const std::vector<size_t>& keep);
/// The same symbols in frames of at most `bytes_max` each, where more than one symbol is in a frame.
std::vector<Bytes> split_frame(Bytes frame, size_t bytes_max);

}  // namespace selvedge::mesh
