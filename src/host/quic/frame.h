// FrameReader: whole messages out of the bytes of one incoming stream.
//
// On the wire a stream is: channel id (1 byte), then for each message its length (4 bytes, big endian) and that many
// bytes. The reader sees whatever pieces the network delivers. It reserves memory for what arrived, not for what a
// length claims, so a peer that announces much and sends little costs little.
//
// Owned by a connection, one for each incoming stream; fuzzed by quic_frame_fuzz.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace selvedge::host {

inline constexpr size_t kFrameLengthBytes = 4;

class FrameReader {
 public:
  /// `channels`: ids below this are known. `message_bytes_max`: longer messages are an error.
  FrameReader(uint8_t channels, size_t message_bytes_max)
      : channels_(channels), message_bytes_max_(message_bytes_max) {}

  /// Takes the next piece and appends the messages it completes to `out`. Errors: kInvalid for an unknown channel, an
  /// empty message or one over the limit; the stream is then useless, and every later push() fails as well.
  Status push(ByteView piece, std::vector<Bytes>& out);

  /// The channel id, once its byte has arrived.
  std::optional<uint8_t> channel() const { return channel_; }
  /// Bytes held for a message that is not complete.
  size_t held() const { return message_.size() + length_have_; }

 private:
  Status begin_message();

  uint8_t channels_;
  size_t message_bytes_max_;
  std::optional<uint8_t> channel_;
  std::array<uint8_t, kFrameLengthBytes> length_{};
  size_t length_have_ = 0;
  size_t message_size_ = 0;
  Bytes message_;
  bool failed_ = false;
};

/// The header that goes before a message: channel id too when it is the first of its stream. Returns its size.
size_t write_frame_header(std::array<uint8_t, 1 + kFrameLengthBytes>& out, std::optional<uint8_t> channel,
                          uint32_t size);

}  // namespace selvedge::host
