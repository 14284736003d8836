#include "host/quic/frame.h"

#include <algorithm>

namespace selvedge::host {

// A message's memory is reserved at once up to here; beyond, it grows as bytes arrive.
static constexpr size_t kReserveBytesMax = 256 * 1024;

Status FrameReader::begin_message() {
  message_size_ = load_u32(length_.data());
  if (message_size_ == 0) return fail(Errc::kInvalid, "the peer sent an empty message, which the framing forbids");
  if (message_size_ > message_bytes_max_) {
    return fail(Errc::kInvalid, "the peer announced a message of " + std::to_string(message_size_) +
                                    " bytes; at most " + std::to_string(message_bytes_max_) + " are accepted");
  }
  message_.reserve(std::min(message_size_, kReserveBytesMax));
  return ok();
}

Status FrameReader::push(ByteView piece, std::vector<Bytes>& out) {
  if (failed_) return fail(Errc::kInvalid, "the stream has already broken the framing");
  while (!piece.empty()) {
    if (!channel_) {
      if (piece[0] >= channels_) {
        failed_ = true;
        return fail(Errc::kInvalid, "the peer opened a stream for the unknown channel " + std::to_string(piece[0]));
      }
      channel_ = piece[0];
      piece = piece.subspan(1);
      continue;
    }
    if (length_have_ < kFrameLengthBytes) {
      const size_t take = std::min(piece.size(), kFrameLengthBytes - length_have_);
      std::copy_n(piece.begin(), take, length_.begin() + ptrdiff_t(length_have_));
      length_have_ += take;
      piece = piece.subspan(take);
      if (length_have_ < kFrameLengthBytes) break;
      if (Status begun = begin_message(); !begun.ok()) {
        failed_ = true;
        return begun;
      }
      continue;
    }
    const size_t take = std::min(piece.size(), message_size_ - message_.size());
    append(message_, piece.first(take));
    piece = piece.subspan(take);
    if (message_.size() < message_size_) break;
    out.push_back(std::move(message_));
    message_ = Bytes();
    length_have_ = 0;
  }
  return ok();
}

size_t write_frame_header(std::array<uint8_t, 1 + kFrameLengthBytes>& out, std::optional<uint8_t> channel,
                          uint32_t size) {
  size_t at = 0;
  if (channel) out[at++] = *channel;
  store_u32(out.data() + at, size);
  return at + kFrameLengthBytes;
}

}  // namespace selvedge::host
