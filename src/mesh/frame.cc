#include "mesh/frame.h"

#include <algorithm>

#include "base/checksum.h"

namespace selvedge::mesh {

namespace {
constexpr uint8_t kMagic[4] = {'F', 'C', 'P', 'S'};
// spec: FM 5.4. What is compressed, holds control objects or seals an epoch does not travel in frames of symbols.
constexpr uint16_t kFlagFountain = 1, kFlagAck = 8, kFlagAgain = 16;
constexpr size_t kFlagsAt = 4, kCountAt = 6, kSentAt = 8, kObjectAt = 16, kZoneAt = 48, kTransferAt = 80, kObjectBytesAt = 88, kExpiresAt = 96, kKAt = 104,
                 kSymbolBytesAt = 108, kReservedAt = 110;
constexpr uint32_t kEsiMax = 0xFFFFFF;  // RFC 6330 3.2: the encoding symbol id is 24 bits, the source block number before it 8
constexpr uint32_t kKMax = 56403;       // RFC 6330 5.1.2

uint16_t flags_of(const FrameHeader& h) {
  return uint16_t((h.whole ? 0 : kFlagFountain) | (h.kind == FrameKind::kStore ? kFlagAck : 0) | (h.again ? kFlagAgain : 0));
}

Result<FrameHeader> parse_header(const uint8_t* in) {
  const uint16_t flags = load_le<uint16_t>(in + kFlagsAt);
  if ((flags & ~(kFlagFountain | kFlagAck | kFlagAgain)) != 0) return fail(Errc::kUnsupported, "symbol frame with flags this node does not know");
  if (load_le<uint16_t>(in + kReservedAt) != 0) return fail(Errc::kInvalid, "symbol frame with reserved bits set");
  FrameHeader h;
  h.kind = (flags & kFlagAck) != 0 ? FrameKind::kStore : FrameKind::kDeliver;
  h.whole = (flags & kFlagFountain) == 0;
  h.again = (flags & kFlagAgain) != 0;
  h.sent_ms = load_le<uint64_t>(in + kSentAt);
  h.transfer = load_le<uint64_t>(in + kTransferAt);
  std::copy_n(in + kObjectAt, 32, h.object.bytes.begin());
  std::copy_n(in + kZoneAt, 32, h.zone.bytes.begin());
  h.object_bytes = load_le<uint64_t>(in + kObjectBytesAt);
  h.symbol_bytes = load_le<uint16_t>(in + kSymbolBytesAt);
  h.k = load_le<uint32_t>(in + kKAt);
  h.expires = load_le<uint64_t>(in + kExpiresAt);
  return h;
}
}  // namespace

Result<FrameView> parse_frame(ByteView bytes) {
  if (bytes.size() < kFrameHeaderBytes + kFrameChecksumBytes || bytes.size() > kFrameBytesMax) return fail(Errc::kInvalid, "symbol frame has a wrong length");
  const uint8_t* in = bytes.data();
  if (!std::equal(kMagic, kMagic + 4, in)) return fail(Errc::kUnsupported, "not a symbol frame of a version this node knows");
  FrameView frame;
  frame.header = TRY(parse_header(in));
  FrameHeader& h = frame.header;
  const size_t count = load_le<uint16_t>(in + kCountAt);
  if (count == 0 || count > kFrameSymbolsMax) return fail(Errc::kInvalid, "symbol frame with a wrong symbol count");
  if (h.whole) {
    if (count != 1 || h.symbol_bytes != 0 || h.k != 1 || h.object_bytes > kFrameBytesMax) {
      return fail(Errc::kInvalid, "a whole-object frame has exactly one symbol");
    }
  } else if (h.symbol_bytes == 0 || h.k == 0 || h.k > kKMax || h.object_bytes == 0) {
    return fail(Errc::kInvalid, "symbol frame with impossible coding parameters");
  }
  if (bytes.size() != kFrameHeaderBytes + count * 4 + count * frame.sealed_bytes() + kFrameChecksumBytes) {
    return fail(Errc::kInvalid, "symbol frame is truncated or has trailing bytes");
  }
  const ByteView checked = bytes.first(bytes.size() - kFrameChecksumBytes);
  if (load_le<uint64_t>(in + checked.size()) != checksum64(checked)) return fail(Errc::kInvalid, "symbol frame was damaged on its way: its checksum is wrong");
  h.source_block = uint8_t(load_le<uint32_t>(in + kFrameHeaderBytes) >> 24);
  frame.esis.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t id = load_le<uint32_t>(in + kFrameHeaderBytes + i * 4);
    if (id >> 24 != h.source_block) return fail(Errc::kInvalid, "symbol frame with symbols of two source blocks");
    const uint32_t esi = id & kEsiMax;
    if (i > 0 && esi <= frame.esis.back()) return fail(Errc::kNonCanonical, "encoding symbol ids are not ascending");
    frame.esis.push_back(esi);
  }
  if (h.whole && (h.source_block != 0 || frame.esis[0] != 0)) return fail(Errc::kInvalid, "a whole object is symbol 0 of block 0");
  frame.symbols = checked.subspan(kFrameHeaderBytes + count * 4);
  return frame;
}

FramePeek peek_frame(ByteView bytes) {
  if (bytes.size() < kFrameHeaderBytes) return {};
  FramePeek peek{(load_le<uint16_t>(bytes.data() + kFlagsAt) & kFlagAck) != 0 ? FrameKind::kStore : FrameKind::kDeliver, object::ZoneId{}};
  std::copy_n(bytes.data() + kZoneAt, 32, peek.zone->bytes.begin());
  return peek;
}

Bytes make_frame(const FrameHeader& h, const std::vector<uint32_t>& esis) {
  CHECK(!esis.empty() && esis.size() <= kFrameSymbolsMax);
  const size_t sealed = (h.whole ? size_t(h.object_bytes) : h.symbol_bytes) + kTagBytes;
  Bytes out(kFrameHeaderBytes + esis.size() * (4 + sealed) + kFrameChecksumBytes);
  uint8_t* p = out.data();
  std::copy_n(kMagic, 4, p);
  store_le(p + kFlagsAt, flags_of(h));
  store_le(p + kCountAt, uint16_t(esis.size()));
  store_le(p + kSentAt, h.sent_ms);
  std::copy_n(h.object.bytes.begin(), 32, p + kObjectAt);
  std::copy_n(h.zone.bytes.begin(), 32, p + kZoneAt);
  store_le(p + kTransferAt, h.transfer);
  store_le(p + kObjectBytesAt, h.object_bytes);
  store_le(p + kExpiresAt, h.expires);
  store_le(p + kKAt, h.k);
  store_le(p + kSymbolBytesAt, uint16_t(h.whole ? 0 : h.symbol_bytes));
  for (size_t i = 0; i < esis.size(); ++i) store_le(p + kFrameHeaderBytes + i * 4, uint32_t(h.source_block) << 24 | esis[i]);
  return out;
}

void close_frame(Bytes& frame) {
  CHECK(frame.size() >= kFrameHeaderBytes + kFrameChecksumBytes);
  const size_t end = frame.size() - kFrameChecksumBytes;
  store_le(frame.data() + end, checksum64(ByteView(frame).first(end)));
}

std::span<uint8_t> frame_symbol(Bytes& frame, size_t count, size_t i, size_t sealed_bytes) {
  return std::span<uint8_t>(frame).subspan(kFrameHeaderBytes + count * 4 + i * sealed_bytes, sealed_bytes);
}

void retarget_frame(Bytes& frame, FrameKind kind, uint64_t transfer, Instant now) {
  CHECK(frame.size() >= kFrameHeaderBytes + kFrameChecksumBytes);
  const uint16_t flags = load_le<uint16_t>(frame.data() + kFlagsAt);
  store_le(frame.data() + kFlagsAt, uint16_t(kind == FrameKind::kStore ? flags | kFlagAck : flags & ~kFlagAck));
  store_le(frame.data() + kSentAt, now.unix_ms());
  store_le(frame.data() + kTransferAt, transfer);
  close_frame(frame);
}

Bytes subset_frame(const FrameView& frame, const std::vector<size_t>& keep) {
  std::vector<uint32_t> esis;
  for (size_t i : keep) esis.push_back(frame.esis[i]);
  Bytes out = make_frame(frame.header, esis);
  for (size_t i = 0; i < keep.size(); ++i) {
    const ByteView from = frame.sealed(keep[i]);
    std::copy(from.begin(), from.end(), frame_symbol(out, keep.size(), i, frame.sealed_bytes()).begin());
  }
  close_frame(out);
  return out;
}

std::vector<Bytes> split_frame(Bytes bytes, size_t bytes_max) {
  std::vector<Bytes> out;
  const Result<FrameView> frame = parse_frame(bytes);
  if (bytes.size() > bytes_max && frame.ok() && frame->esis.size() > 1) {
    const size_t fixed = kFrameHeaderBytes + kFrameChecksumBytes, each = (bytes.size() - fixed) / frame->esis.size();
    const size_t fit = std::max<size_t>(1, bytes_max > fixed ? (bytes_max - fixed) / each : 1);
    for (size_t at = 0; at < frame->esis.size(); at += fit) {
      std::vector<size_t> keep;
      for (size_t i = at; i < std::min(at + fit, frame->esis.size()); ++i) keep.push_back(i);
      out.push_back(subset_frame(*frame, keep));
    }
    return out;
  }
  out.push_back(std::move(bytes));
  return out;
}

}  // namespace selvedge::mesh
