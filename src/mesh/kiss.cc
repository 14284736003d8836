#include "mesh/kiss.h"

#include <algorithm>

#include "base/byte_reader.h"
#include "base/checksum.h"

namespace selvedge::mesh {

namespace {

constexpr uint8_t kFend = 0xC0, kFesc = 0xDB, kTfend = 0xDC, kTfesc = 0xDD;
constexpr uint8_t kKissData = 0;  // port 0, data

void append_escaped(Bytes& out, ByteView bytes) {
  for (const uint8_t byte : bytes) {
    if (byte == kFend || byte == kFesc) {
      out.push_back(kFesc);
      out.push_back(byte == kFend ? kTfend : kTfesc);
    } else {
      out.push_back(byte);
    }
  }
}

}  // namespace

Result<std::vector<Bytes>> kiss_frames(const ParcelId& id, ByteView sealed) {
  const size_t count = (sealed.size() + kKissPieceBytes - 1) / kKissPieceBytes;
  if (count == 0 || count > kKissPiecesMax) return fail(Errc::kLimit, "a parcel of more than 4 MiB does not go over a serial line; use a stick");
  std::vector<Bytes> out;
  for (size_t n = 0; n < count; ++n) {
    Bytes plain{kKissData};
    append(plain, id.view().first(8));
    uint8_t numbers[4];
    store_u16(numbers, uint16_t(n));
    store_u16(numbers + 2, uint16_t(count));
    append(plain, numbers);
    append(plain, sealed.subspan(n * kKissPieceBytes, std::min(kKissPieceBytes, sealed.size() - n * kKissPieceBytes)));
    append_u64(plain, checksum64(plain));
    Bytes& frame = out.emplace_back(Bytes{kFend});
    append_escaped(frame, plain);
    frame.push_back(kFend);
  }
  return out;
}

void KissReader::on_bytes(ByteView bytes, std::vector<Bytes>& parcels) {
  for (uint8_t byte : bytes) {
    if (byte == kFend) {
      if (spoilt_ || escaped_) damaged_ += !frame_.empty();
      else if (!frame_.empty()) on_frame(parcels);
      frame_.clear();
      escaped_ = spoilt_ = false;
      continue;
    }
    if (spoilt_) continue;
    if (escaped_) {
      escaped_ = false;
      if (byte != kTfend && byte != kTfesc) spoilt_ = true;
      else byte = byte == kTfend ? kFend : kFesc;
    } else if (byte == kFesc) {
      escaped_ = true;
      continue;
    }
    if (frame_.size() >= kKissFrameBytesMax) spoilt_ = true;
    else frame_.push_back(byte);
  }
}

void KissReader::on_frame(std::vector<Bytes>& parcels) {
  if (frame_.size() <= 1 + kKissHeaderBytes + kKissSumBytes || frame_[0] != kKissData) {
    ++damaged_;
    return;
  }
  const ByteView all = frame_;
  const ByteView summed = all.first(all.size() - kKissSumBytes);
  if (load_u64(summed.data() + summed.size()) != checksum64(summed)) {
    ++damaged_;
    return;
  }
  const uint8_t* header = summed.data() + 1;
  const uint16_t index = load_u16(header + 8), count = load_u16(header + 10);
  const ByteView piece = summed.subspan(1 + kKissHeaderBytes);
  // All pieces but the last are whole: so what a parcel of `count` pieces takes is known from the first.
  if (count == 0 || count > kKissPiecesMax || index >= count || (index + 1 < count && piece.size() != kKissPieceBytes)) {
    ++damaged_;
    return;
  }
  if (auto whole = on_piece(load_u64(header), index, count, piece)) parcels.push_back(std::move(*whole));
}

std::optional<Bytes> KissReader::on_piece(uint64_t id, uint16_t index, uint16_t count, ByteView piece) {
  const auto known = partials_.find(id);
  if (known != partials_.end() && known->second.count != count) drop(known);
  make_room(piece.size(), id);
  Partial& partial = partials_[id];
  partial.count = count;
  partial.used = ++clock_;
  if (partial.pieces.emplace(index, to_bytes(piece)).second) held_ += piece.size();
  if (partial.pieces.size() < count) return {};
  Bytes whole;
  for (const auto& [n, bytes] : partial.pieces) append(whole, bytes);
  drop(partials_.find(id));
  // Pieces of two parcels under one number, which a stranger on the line can cause: neither is passed on, and both are said again.
  if (load_u64(parcel_id(whole).bytes.data()) != id) {
    ++damaged_;
    return {};
  }
  return whole;
}

// The parcel that was heard of longest ago makes room; its sender says it again.
void KissReader::make_room(size_t bytes, uint64_t but) {
  while (held_ + bytes > kKissBytesMax || (partials_.size() >= kKissParcelsMax && !partials_.count(but))) {
    auto oldest = partials_.end();
    for (auto it = partials_.begin(); it != partials_.end(); ++it) {
      if (it->first != but && (oldest == partials_.end() || it->second.used < oldest->second.used)) oldest = it;
    }
    if (oldest == partials_.end()) return;
    drop(oldest);
  }
}

void KissReader::drop(std::map<uint64_t, Partial>::iterator it) {
  for (const auto& [n, bytes] : it->second.pieces) held_ -= bytes.size();
  partials_.erase(it);
}

}  // namespace selvedge::mesh
