// KISS: parcels over a line that carries bytes and loses some, as a serial cable or a radio modem does.
//
// A frame is between two 0xC0; inside, 0xC0 is written DB DC and 0xDB is written DB DD (Chepponis and Karn, "The KISS TNC", 1987). Its first byte is
// the port and the command, 0 here. A parcel is cut into pieces of at most a kilobyte, each with which parcel it is of and a checksum, so that a
// lost byte costs one piece. Pieces are kept over repetitions: a parcel that is sent again completes what came of it before.
//
// Pure. The reader takes whatever bytes come, and its memory is bounded. Specified in docs/spec/carry.md.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "mesh/parcel.h"

namespace selvedge::mesh {

constexpr size_t kKissPieceBytes = 1024;
constexpr size_t kKissHeaderBytes = 8 + 2 + 2;       // the beginning of the ParcelId, which piece, of how many
constexpr size_t kKissSumBytes = 8;
constexpr size_t kKissFrameBytesMax = 1 + kKissHeaderBytes + kKissPieceBytes + kKissSumBytes;
constexpr size_t kKissPiecesMax = 4096;              // of one parcel: 4 MiB, which takes an hour at 9,600 bit/s
constexpr size_t kKissParcelsMax = 16;               // that are incomplete
constexpr size_t kKissBytesMax = 8u << 20;           // of them together

/// Errors: kLimit (more pieces than a parcel may have on such a line).
Result<std::vector<Bytes>> kiss_frames(const ParcelId& id, ByteView sealed);

class KissReader {
 public:
  /// Appends each parcel that these bytes complete. What is damaged is counted and passed over: the sender says it again.
  void on_bytes(ByteView bytes, std::vector<Bytes>& parcels);
  uint64_t damaged() const { return damaged_; }
  size_t incomplete() const { return partials_.size(); }
  size_t bytes_held() const { return held_; }

 private:
  struct Partial {
    std::map<uint16_t, Bytes> pieces;
    uint16_t count = 0;
    uint64_t used = 0;       // when a piece came last, counted in pieces
  };
  void on_frame(std::vector<Bytes>& parcels);
  std::optional<Bytes> on_piece(uint64_t id, uint16_t index, uint16_t count, ByteView piece);
  void make_room(size_t bytes, uint64_t but);
  void drop(std::map<uint64_t, Partial>::iterator it);

  Bytes frame_;
  bool escaped_ = false;
  bool spoilt_ = true;       // until the first 0xC0 nothing is known to be a frame
  std::map<uint64_t, Partial> partials_;
  size_t held_ = 0;
  uint64_t clock_ = 0;
  uint64_t damaged_ = 0;
};

}  // namespace selvedge::mesh
