#include "host/quic/out_stream.h"

#include <ngtcp2/ngtcp2.h>

#include <utility>

#include "base/check.h"
#include "host/quic/frame.h"

namespace selvedge::host {

// Messages up to this size are gathered; a copy is cheaper than a vector entry and an allocation each.
static constexpr size_t kSmallBytes = 1024;
static constexpr size_t kSmallChunkBytes = 4096;

void OutStream::append_small(ByteView bytes, size_t reserve) {
  // Appending within the capacity does not move what ngtcp2 may already point to.
  if (chunks_.empty() || chunks_.back().bytes.capacity() - chunks_.back().bytes.size() < bytes.size()) {
    chunks_.emplace_back();
    chunks_.back().bytes.reserve(std::max(reserve, bytes.size()));
  } else if (next_chunk_ == chunks_.size()) {
    // The last chunk was sent in full, and now it has an unsent tail.
    --next_chunk_;
    next_offset_ = chunks_.back().bytes.size();
  }
  append(chunks_.back().bytes, bytes);
}

void OutStream::push(Bytes message) {
  std::array<uint8_t, 1 + kFrameLengthBytes> header;
  const std::optional<uint8_t> channel = channel_announced_ ? std::nullopt : std::optional<uint8_t>(channel_);
  const size_t header_size = write_frame_header(header, channel, uint32_t(message.size()));
  channel_announced_ = true;
  const size_t charge = message.size() + kOverheadBytes;
  if (message.size() <= kSmallBytes) {
    uint8_t framed[sizeof header + kSmallBytes];
    std::memcpy(framed, header.data(), header_size);
    std::memcpy(framed + header_size, message.data(), message.size());
    append_small(ByteView(framed, header_size + message.size()), kSmallChunkBytes);
  } else {
    append_small(ByteView(header).first(header_size), header_size);
    // The queue's limit counts sizes, so spare capacity must not hide behind them.
    if (message.capacity() > 2 * message.size()) message.shrink_to_fit();
    chunks_.push_back({std::move(message), 0, 0});
  }
  chunks_.back().charge += charge;
  chunks_.back().messages += 1;
  queued_ += charge;
}

size_t OutStream::gather(ngtcp2_vec* out, size_t bytes) const {
  size_t count = 0, total = 0;
  size_t offset = next_offset_;
  for (size_t i = next_chunk_; i < chunks_.size() && count < kVectorsMax && total < bytes; ++i) {
    const Bytes& chunk = chunks_[i].bytes;
    out[count++] = {const_cast<uint8_t*>(chunk.data()) + offset, chunk.size() - offset};
    total += chunk.size() - offset;
    offset = 0;
  }
  return count;
}

void OutStream::advance(size_t n) {
  while (n > 0) {
    CHECK(next_chunk_ < chunks_.size());
    const size_t left = chunks_[next_chunk_].bytes.size() - next_offset_;
    if (n < left) {
      next_offset_ += n;
      return;
    }
    n -= left;
    ++next_chunk_;
    next_offset_ = 0;
  }
}

void OutStream::acknowledge(uint64_t offset_end) {
  while (next_chunk_ > 0 && front_offset_ + chunks_.front().bytes.size() <= offset_end) {
    front_offset_ += chunks_.front().bytes.size();
    queued_ -= chunks_.front().charge;
    messages_acknowledged_ += chunks_.front().messages;
    chunks_.pop_front();
    --next_chunk_;
  }
}

}  // namespace selvedge::host
