#include "codec/car.h"

#include "codec/varint.h"

namespace selvedge::codec {

Bytes car_header(const std::vector<Cid>& roots) {
  Writer header;
  header.put_map(2);
  header.put_text("roots");
  header.put_array(roots.size());
  for (const Cid& root : roots) write_cid(header, root);
  header.put_text("version");
  header.put_unsigned(1);
  Bytes out;
  append_varint(out, header.bytes().size());
  append(out, header.bytes());
  return out;
}

void append_car_block(Bytes& out, const Cid& cid, ByteView block) {
  append_varint(out, Cid::kSize + block.size());
  append(out, cid.bytes());
  append(out, block);
}

Result<ByteView> CarReader::take(size_t limit) {
  const uint64_t size = TRY(take_varint(rest_));
  if (size > limit) return fail(Errc::kLimit, "a part of the archive is larger than " + std::to_string(limit) + " bytes");
  if (size > rest_.size()) return fail(Errc::kInvalid, "the archive is cut short");
  const ByteView out = rest_.first(size_t(size));
  rest_ = rest_.subspan(size_t(size));
  return out;
}

Result<CarReader> CarReader::open(ByteView archive) {
  CarReader out;
  out.rest_ = archive;
  Reader header(TRY(out.take(kCarRootsMax * 64 + 64)));
  MapCursor keys;
  if (TRY(header.read_map()) != 2 || TRY(header.read_text_key(keys)) != "roots") return fail(Errc::kInvalid, "this is no CARv1 archive");
  const size_t roots = TRY(header.read_array());
  if (roots > kCarRootsMax) return fail(Errc::kLimit, "the archive has too many roots");
  for (size_t i = 0; i < roots; ++i) out.roots_.push_back(TRY(read_cid(header)));
  if (TRY(header.read_text_key(keys)) != "version") return fail(Errc::kInvalid, "this is no CARv1 archive");
  if (TRY(header.read_unsigned()) != 1) return fail(Errc::kUnsupported, "the archive is of another version of CAR than 1");
  TRY(header.finish());
  return out;
}

Result<std::optional<CarBlock>> CarReader::next() {
  if (rest_.empty()) return std::optional<CarBlock>();
  if (++blocks_ > kCarBlocksMax) return fail(Errc::kLimit, "the archive has too many blocks");
  const ByteView part = TRY(take(Cid::kSize + kBlockSizeMax));
  if (part.size() < Cid::kSize) return fail(Errc::kInvalid, "a block of the archive has no content id");
  const CarBlock block{TRY(Cid::from_bytes(part.first(Cid::kSize))), part.subspan(Cid::kSize)};
  TRY(block.cid.verify(block.bytes));
  return std::optional<CarBlock>(block);
}

}  // namespace selvedge::codec
