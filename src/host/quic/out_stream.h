// OutStream: the bytes of one outgoing stream, from send() until the peer has acknowledged them.
//
// ngtcp2 keeps pointers into what it was given until it is acknowledged, so bytes never move: a large message is kept
// as it was handed over, small ones are gathered into chunks whose memory is reserved beforehand.
#pragma once

#include <deque>
#include <optional>

#include "base/bytes.h"

struct ngtcp2_vec;

namespace selvedge::host {

class OutStream {
 public:
  static constexpr size_t kVectorsMax = 32;
  /// What a message costs beyond its own bytes: length field and bookkeeping.
  static constexpr size_t kOverheadBytes = 64;

  explicit OutStream(uint8_t channel) : channel_(channel) {}

  /// The stream's QUIC id; -1 until it is opened.
  int64_t id = -1;
  /// The peer's flow control said no; cleared when more may be tried.
  bool blocked = false;

  void push(Bytes message);
  bool pending() const { return next_chunk_ < chunks_.size(); }
  /// At least the next `bytes` unsent bytes, or all. Returns how many of kVectorsMax vectors were filled.
  size_t gather(ngtcp2_vec* out, size_t bytes) const;
  /// `n` bytes of what gather() showed were put into a packet.
  void advance(size_t n);
  /// Everything before this stream offset may be forgotten.
  void acknowledge(uint64_t offset_end);
  /// Of the messages ever pushed, so many first ones are acknowledged.
  uint64_t messages_acknowledged() const { return messages_acknowledged_; }
  /// Unsent and unacknowledged bytes, with overhead.
  size_t queued() const { return queued_; }

 private:
  struct Chunk {
    Bytes bytes;
    size_t charge = 0;
    uint32_t messages = 0;  // that end in it
  };
  void append_small(ByteView bytes, size_t reserve);

  uint8_t channel_;
  bool channel_announced_ = false;
  std::deque<Chunk> chunks_;
  size_t next_chunk_ = 0;      // first chunk with unsent bytes
  size_t next_offset_ = 0;     // unsent bytes of it start here
  uint64_t front_offset_ = 0;  // stream offset of chunks_[0]
  size_t queued_ = 0;
  uint64_t messages_acknowledged_ = 0;
};

}  // namespace selvedge::host
