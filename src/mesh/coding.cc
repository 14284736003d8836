#include "mesh/coding.h"

#include <algorithm>

#include "crypto/hash.h"
#include "fountain/fountain.h"

namespace selvedge::mesh {

namespace {

using object::SymbolPlace;

// Seals what lies in `slot` (payload then room for the tag).
void seal_slot(const object::ObjectKey& key, const SymbolPlace& place, std::span<uint8_t> slot) {
  const std::span<uint8_t> payload = slot.first(slot.size() - kTagBytes);
  const crypto::AeadTag tag = object::seal_symbol(key, place, payload);
  std::copy(tag.bytes.begin(), tag.bytes.end(), slot.end() - long(kTagBytes));
}

FrameHeader header_for(const EncodeJob& job, uint8_t block, uint32_t k) {
  FrameHeader h;
  h.whole = job.group.whole;
  h.object = job.object;
  h.zone = job.group.zone;
  h.object_bytes = job.group.object_bytes;
  h.symbol_bytes = uint16_t(job.group.symbol_bytes);
  h.source_block = block;
  h.k = k;
  h.expires = job.expires;
  return h;
}

Bytes whole_frame(const EncodeJob& job) {
  Bytes frame = make_frame(header_for(job, 0, 1), {0});
  std::span<uint8_t> slot = frame_symbol(frame, 1, 0, job.plaintext->size() + kTagBytes);
  std::copy(job.plaintext->begin(), job.plaintext->end(), slot.begin());
  seal_slot(job.key, job.key.place(0, 0), slot);
  return frame;
}

// One block's symbols for every share: the encoder makes all of them in one pass over the source, then each is copied
// to its place in a frame and sealed there.
void encode_block(const EncodeJob& job, const fountain::BlockEncoder& encoder, uint8_t block, std::vector<EncodedShare>& out) {
  const size_t bytes = job.group.symbol_bytes;
  std::vector<uint32_t> esis;
  for (const Share& share : job.shares) {
    for (const EsiRange& range : share.ranges) {
      for (uint32_t i = 0; range.block == block && i < range.count; ++i) esis.push_back(range.first + i);
    }
  }
  Bytes symbols(esis.size() * bytes);
  CHECK(encoder.symbols(esis, symbols.data(), bytes));
  const uint8_t* next = symbols.data();
  for (size_t s = 0; s < job.shares.size(); ++s) {
    for (const EsiRange& range : job.shares[s].ranges) {
      for (uint32_t done = 0; range.block == block && done < range.count;) {
        const uint32_t count = std::min<uint32_t>(kFrameSymbolsMax, range.count - done);
        std::vector<uint32_t> ids(count);
        for (uint32_t i = 0; i < count; ++i) ids[i] = range.first + done + i;
        Bytes frame = make_frame(header_for(job, block, encoder.k()), ids);
        for (uint32_t i = 0; i < count; ++i, next += bytes) {
          const std::span<uint8_t> slot = frame_symbol(frame, count, i, bytes + kTagBytes);
          std::copy_n(next, bytes, slot.begin());
          seal_slot(job.key, job.key.place(block, ids[i]), slot);
        }
        out[s].frames.push_back(std::move(frame));
        done += count;
      }
    }
  }
}

// Where each source block begins in the object.
std::vector<uint64_t> block_offsets(const object::BlockGroup& group, const std::vector<uint32_t>& sizes) {
  std::vector<uint64_t> offsets{0};
  for (uint32_t k : sizes) offsets.push_back(std::min<uint64_t>(group.object_bytes, offsets.back() + uint64_t(k) * group.symbol_bytes));
  return offsets;
}

// Opens every symbol of a frame in place. False when one does not authenticate or the frame is for something else.
bool open_frame(const DecodeJob& job, Bytes& bytes, const std::vector<uint32_t>& sizes) {
  const Result<FrameView> parsed = parse_frame(bytes);
  if (!parsed.ok()) return false;
  const FrameView& frame = *parsed;
  if (frame.header.object != job.object || frame.header.whole != job.group.whole || frame.header.object_bytes != job.group.object_bytes ||
      frame.header.source_block >= sizes.size() || (!job.group.whole && frame.header.symbol_bytes != job.group.symbol_bytes)) {
    return false;
  }
  const size_t sealed = frame.sealed_bytes();
  for (size_t i = 0; i < frame.esis.size(); ++i) {
    const std::span<uint8_t> slot = frame_symbol(bytes, frame.esis.size(), i, sealed);
    const crypto::AeadTag tag = *crypto::AeadTag::from(slot.last(kTagBytes));
    const Status opened = object::open_symbol(job.key, job.key.place(frame.header.source_block, frame.esis[i]),
                                              slot.first(sealed - kTagBytes), tag);
    if (!opened.ok()) return false;
  }
  return true;
}

struct Opened {
  Bytes bytes;     // plaintext symbols in a frame's layout
  size_t source;   // index of the sealed frame in the job
};

std::optional<Bytes> decode_whole(const std::vector<Opened>& opened) {
  if (opened.empty()) return std::nullopt;
  const FrameView frame = parse_frame(opened.front().bytes).value();
  return to_bytes(frame.sealed(0).first(frame.sealed_bytes() - kTagBytes));
}

// Decodes block `b` into `out`; returns how many more symbols it would take, 0 when done.
uint32_t decode_block(const DecodeJob& job, const std::vector<Opened>& opened, uint8_t b, uint32_t k, std::span<uint8_t> out) {
  auto decoder = fountain::BlockDecoder::create_in_place(out, job.group.symbol_bytes, job.plans);
  if (!decoder || decoder->k() != k) return k;
  for (const Opened& each : opened) {
    const FrameView frame = parse_frame(each.bytes).value();
    if (frame.header.source_block != b) continue;
    for (size_t i = 0; i < frame.esis.size(); ++i) decoder->add(frame.esis[i], frame.sealed(i).first(job.group.symbol_bytes));
  }
  if (decoder->needed() == 0 && decoder->decode()) return 0;
  return std::max(1u, decoder->needed());
}

}  // namespace

Result<object::BlockGroup> describe_group(const object::ZoneKeys& zone, uint64_t epoch, ByteView plaintext) {
  if (plaintext.size() > kGroupBytesMax) return fail(Errc::kLimit, "one object holds at most " + std::to_string(kGroupBytesMax) + " bytes");
  object::BlockGroup group;
  group.zone = zone.zone();
  group.object_bytes = plaintext.size();
  group.whole = plaintext.size() <= kWholeBytesMax;
  if (!group.whole) {
    group.symbol_bytes = kSymbolBytes;
    const uint64_t symbols = (plaintext.size() + kSymbolBytes - 1) / kSymbolBytes;
    group.source_blocks = uint32_t((symbols + kBlockSymbolsMax - 1) / kBlockSymbolsMax);
  }
  group.content_tag = TRY(zone.content_tag(epoch, crypto::sha256(plaintext), plaintext.size()));
  return group;
}

EncodeResult encode(const EncodeJob& job) {
  EncodeResult result;
  for (const Share& share : job.shares) result.shares.push_back({share.holder, {}});
  if (job.group.whole) {
    for (EncodedShare& share : result.shares) share.frames.push_back(whole_frame(job));
    return result;
  }
  const std::vector<uint32_t> sizes = block_sizes(job.group);
  const std::vector<uint64_t> offsets = block_offsets(job.group, sizes);
  for (size_t b = 0; b < sizes.size(); ++b) {
    const ByteView source = ByteView(*job.plaintext).subspan(offsets[b], offsets[b + 1] - offsets[b]);
    const auto encoder = fountain::BlockEncoder::create(source, job.group.symbol_bytes, job.plans);
    CHECK(encoder.has_value());
    encode_block(job, *encoder, uint8_t(b), result.shares);
  }
  return result;
}

DecodeResult decode(const DecodeJob& job) {
  DecodeResult result;
  const std::vector<uint32_t> sizes = block_sizes(job.group);
  std::vector<Opened> opened;
  for (size_t i = 0; i < job.frames.size(); ++i) {
    const DecodeJob::From& from = job.frames[i];
    if (std::find(result.liars.begin(), result.liars.end(), from.holder) != result.liars.end()) continue;
    Bytes plain = from.frame;
    if (open_frame(job, plain, sizes)) opened.push_back({std::move(plain), i});
    else result.liars.push_back(from.holder);
  }
  if (job.group.whole) {
    result.plaintext = decode_whole(opened);
    if (!result.plaintext) result.more_needed = {1};
    return result;
  }
  const std::vector<uint64_t> offsets = block_offsets(job.group, sizes);
  Bytes out(job.group.object_bytes);
  result.more_needed.assign(sizes.size(), 0);
  bool complete = true;
  for (size_t b = 0; b < sizes.size(); ++b) {
    const std::span<uint8_t> slot = std::span<uint8_t>(out).subspan(offsets[b], offsets[b + 1] - offsets[b]);
    result.more_needed[b] = decode_block(job, opened, uint8_t(b), sizes[b], slot);
    complete = complete && result.more_needed[b] == 0;
  }
  if (complete) {
    result.plaintext = std::move(out);
    result.more_needed.clear();
  } else {
    for (const Opened& each : opened) result.kept.push_back(job.frames[each.source]);
  }
  return result;
}

}  // namespace selvedge::mesh
