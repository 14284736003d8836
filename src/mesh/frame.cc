#include "mesh/frame.h"

#include <algorithm>

namespace selvedge::mesh {

namespace {
constexpr uint8_t kMagic[4] = {'S', 'V', 'F', '1'};
constexpr uint8_t kFlagWhole = 1;
constexpr size_t kKindAt = 4, kFlagsAt = 5, kCountAt = 6, kTransferAt = 8, kObjectAt = 16, kZoneAt = 48, kObjectBytesAt = 80,
                 kSymbolBytesAt = 88, kBlockAt = 90, kReservedAt = 91, kKAt = 92, kExpiresAt = 96;
constexpr uint32_t kEsiMax = 0xFFFFFF;  // RFC 6330 3.2: the encoding symbol id is 24 bits
constexpr uint32_t kKMax = 56403;       // RFC 6330 5.1.2
}  // namespace

Result<FrameView> parse_frame(ByteView bytes) {
  if (bytes.size() < kFrameHeaderBytes || bytes.size() > kFrameBytesMax) return fail(Errc::kInvalid, "symbol frame has a wrong length");
  const uint8_t* in = bytes.data();
  if (!std::equal(kMagic, kMagic + 4, in)) return fail(Errc::kUnsupported, "not a symbol frame of a version this node knows");
  if (in[kKindAt] > 1 || (in[kFlagsAt] & ~kFlagWhole) != 0 || in[kReservedAt] != 0) {
    return fail(Errc::kInvalid, "symbol frame with unknown kind or flags");
  }
  FrameView frame;
  FrameHeader& h = frame.header;
  h.kind = FrameKind(in[kKindAt]);
  h.whole = (in[kFlagsAt] & kFlagWhole) != 0;
  h.transfer = load_u64(in + kTransferAt);
  std::copy_n(in + kObjectAt, 32, h.object.bytes.begin());
  std::copy_n(in + kZoneAt, 32, h.zone.bytes.begin());
  h.object_bytes = load_u64(in + kObjectBytesAt);
  h.symbol_bytes = load_u16(in + kSymbolBytesAt);
  h.source_block = in[kBlockAt];
  h.k = load_u32(in + kKAt);
  h.expires = load_u64(in + kExpiresAt);

  const size_t count = load_u16(in + kCountAt);
  if (count == 0 || count > kFrameSymbolsMax) return fail(Errc::kInvalid, "symbol frame with a wrong symbol count");
  if (h.whole) {
    if (count != 1 || h.symbol_bytes != 0 || h.source_block != 0 || h.k != 1 || h.object_bytes > kFrameBytesMax) {
      return fail(Errc::kInvalid, "a whole-object frame has exactly one symbol");
    }
  } else if (h.symbol_bytes == 0 || h.k == 0 || h.k > kKMax || h.object_bytes == 0) {
    return fail(Errc::kInvalid, "symbol frame with impossible coding parameters");
  }
  if (bytes.size() != kFrameHeaderBytes + count * 4 + count * frame.sealed_bytes()) {
    return fail(Errc::kInvalid, "symbol frame is truncated or has trailing bytes");
  }
  frame.esis.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t esi = load_u32(in + kFrameHeaderBytes + i * 4);
    if (esi > kEsiMax) return fail(Errc::kInvalid, "encoding symbol id over 24 bits");
    if (i > 0 && esi <= frame.esis.back()) return fail(Errc::kNonCanonical, "encoding symbol ids are not ascending");
    frame.esis.push_back(esi);
  }
  frame.symbols = bytes.subspan(kFrameHeaderBytes + count * 4);
  return frame;
}

Bytes make_frame(const FrameHeader& h, const std::vector<uint32_t>& esis) {
  CHECK(!esis.empty() && esis.size() <= kFrameSymbolsMax);
  const size_t sealed = (h.whole ? size_t(h.object_bytes) : h.symbol_bytes) + kTagBytes;
  Bytes out(kFrameHeaderBytes + esis.size() * (4 + sealed));
  uint8_t* p = out.data();
  std::copy_n(kMagic, 4, p);
  p[kKindAt] = uint8_t(h.kind);
  p[kFlagsAt] = h.whole ? kFlagWhole : 0;
  store_u16(p + kCountAt, uint16_t(esis.size()));
  store_u64(p + kTransferAt, h.transfer);
  std::copy_n(h.object.bytes.begin(), 32, p + kObjectAt);
  std::copy_n(h.zone.bytes.begin(), 32, p + kZoneAt);
  store_u64(p + kObjectBytesAt, h.object_bytes);
  store_u16(p + kSymbolBytesAt, h.whole ? 0 : h.symbol_bytes);
  p[kBlockAt] = h.source_block;
  store_u32(p + kKAt, h.k);
  store_u64(p + kExpiresAt, h.expires);
  for (size_t i = 0; i < esis.size(); ++i) store_u32(p + kFrameHeaderBytes + i * 4, esis[i]);
  return out;
}

std::span<uint8_t> frame_symbol(Bytes& frame, size_t count, size_t i, size_t sealed_bytes) {
  return std::span<uint8_t>(frame).subspan(kFrameHeaderBytes + count * 4 + i * sealed_bytes, sealed_bytes);
}

void retarget_frame(Bytes& frame, FrameKind kind, uint64_t transfer) {
  CHECK(frame.size() >= kFrameHeaderBytes);
  frame[kKindAt] = uint8_t(kind);
  store_u64(frame.data() + kTransferAt, transfer);
}

Bytes subset_frame(const FrameView& frame, const std::vector<size_t>& keep) {
  std::vector<uint32_t> esis;
  for (size_t i : keep) esis.push_back(frame.esis[i]);
  Bytes out = make_frame(frame.header, esis);
  for (size_t i = 0; i < keep.size(); ++i) {
    const ByteView from = frame.sealed(keep[i]);
    std::copy(from.begin(), from.end(), frame_symbol(out, keep.size(), i, frame.sealed_bytes()).begin());
  }
  return out;
}

}  // namespace selvedge::mesh
