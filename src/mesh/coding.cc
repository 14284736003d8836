#include "mesh/coding.h"

#include <algorithm>

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
  close_frame(frame);
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
        close_frame(frame);
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

// The frame, when it is one of this object's and cut as the object is.
std::optional<FrameView> frame_of(const DecodeJob& job, const Bytes& bytes, size_t blocks) {
  Result<FrameView> frame = parse_frame(bytes);
  if (!frame.ok() || frame->header.object != job.object || frame->header.whole != job.group.whole ||
      frame->header.object_bytes != job.group.object_bytes || frame->header.source_block >= blocks ||
      (!job.group.whole && frame->header.symbol_bytes != job.group.symbol_bytes)) {
    return std::nullopt;
  }
  return std::move(frame).value();
}

// Opens symbol `i` of a frame into `scratch`. Errors: kIntegrity.
Status open_into(const DecodeJob& job, const FrameView& frame, size_t i, Bytes& scratch) {
  const ByteView sealed = frame.sealed(i);
  const ByteView payload = sealed.first(sealed.size() - kTagBytes);
  scratch.assign(payload.begin(), payload.end());
  const crypto::AeadTag tag = *crypto::AeadTag::from(sealed.last(kTagBytes));
  return object::open_symbol(job.key, job.key.place(frame.header.source_block, frame.esis[i]), scratch, tag);
}

// Hands every genuine symbol to `take(block, esi, payload)`; names who sent one that is not. Nothing of a liar's is kept.
template <class Take>
std::vector<size_t> open_frames(const DecodeJob& job, size_t blocks, std::vector<NodeKey>& liars, Take take) {
  std::vector<size_t> genuine;
  Bytes scratch;
  for (size_t f = 0; f < job.frames.size(); ++f) {
    const DecodeJob::From& from = job.frames[f];
    if (std::find(liars.begin(), liars.end(), from.holder) != liars.end()) continue;
    const std::optional<FrameView> frame = frame_of(job, from.frame, blocks);
    bool good = frame.has_value();
    for (size_t i = 0; good && i < frame->esis.size(); ++i) {
      good = open_into(job, *frame, i, scratch).ok();
      if (good) take(frame->header.source_block, frame->esis[i], scratch);
    }
    if (good) genuine.push_back(f);
    else liars.push_back(from.holder);
  }
  return genuine;
}

}  // namespace

Result<object::BlockGroup> describe_group(const object::ZoneKeys& zone, uint64_t epoch, uint64_t bytes, const crypto::Digest& content) {
  if (bytes > kGroupBytesMax) return fail(Errc::kLimit, "one object holds at most " + std::to_string(kGroupBytesMax) + " bytes");
  object::BlockGroup group;
  group.zone = zone.zone();
  group.epoch = epoch;
  group.object_bytes = bytes;
  group.whole = bytes <= kWholeBytesMax;
  if (!group.whole) {
    group.symbol_bytes = kSymbolBytes;
    const uint64_t symbols = (bytes + kSymbolBytes - 1) / kSymbolBytes;
    group.source_blocks = uint32_t((symbols + kBlockSymbolsMax - 1) / kBlockSymbolsMax);
  }
  group.content_tag = TRY(zone.content_tag(epoch, content, bytes));
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
  if (job.group.whole) {
    open_frames(job, 1, result.liars, [&](uint8_t, uint32_t, const Bytes& payload) { result.plaintext = payload; });
    if (!result.plaintext) result.more_needed = {1};
    return result;
  }
  const std::vector<uint32_t> sizes = block_sizes(job.group);
  const std::vector<uint64_t> offsets = block_offsets(job.group, sizes);
  Bytes out(job.group.object_bytes);
  std::vector<fountain::BlockDecoder> decoders;
  for (size_t b = 0; b < sizes.size(); ++b) {
    const std::span<uint8_t> slot = std::span<uint8_t>(out).subspan(offsets[b], offsets[b + 1] - offsets[b]);
    auto decoder = fountain::BlockDecoder::create_in_place(slot, job.group.symbol_bytes, job.plans);
    if (!decoder) {
      result.more_needed = sizes;  // a group that cannot be: its validate() refuses it before it comes here
      return result;
    }
    decoders.push_back(std::move(*decoder));
  }
  const std::vector<size_t> genuine = open_frames(
      job, sizes.size(), result.liars, [&](uint8_t block, uint32_t esi, const Bytes& payload) { decoders[block].add(esi, payload); });
  bool complete = true;
  for (fountain::BlockDecoder& decoder : decoders) {
    const bool done = decoder.needed() == 0 && decoder.decode();
    result.more_needed.push_back(done ? 0 : std::max(1u, decoder.needed()));
    complete = complete && done;
  }
  if (complete) {
    result.plaintext = std::move(out);
    result.more_needed.clear();
  } else {
    for (size_t f : genuine) result.kept.push_back(job.frames[f]);
  }
  return result;
}

}  // namespace selvedge::mesh
