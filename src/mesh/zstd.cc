#include "mesh/zstd.h"

#include <zstd.h>

namespace selvedge::mesh {

static constexpr int kLevel = 1;

Bytes zstd_pack(ByteView bytes) {
  Bytes out(ZSTD_compressBound(bytes.size()));
  const size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  out.resize(ZSTD_isError(size) ? 0 : size);
  return out;
}

Result<Bytes> zstd_unpack(ByteView packed, size_t size) {
  if (ZSTD_getFrameContentSize(packed.data(), packed.size()) != size) return fail(Errc::kInvalid, "the packed message has another size than it says");
  Bytes out(size);
  const size_t unpacked = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  if (ZSTD_isError(unpacked) || unpacked != size) return fail(Errc::kInvalid, "the packed message is not what it says it is");
  return out;
}

}  // namespace selvedge::mesh
