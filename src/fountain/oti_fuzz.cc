// Fuzz target: object transmission information. What parses must describe blocks that tile the object, and a
// decoder is made only within the bound that the OTI itself states.
#include <cstdint>
#include <cstdlib>

#include "fountain/fountain.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using selvedge::fountain::ObjectParams;
  const auto require = [](bool ok) {
    if (!ok) std::abort();
  };
  const auto params = ObjectParams::parse_oti({data, size});
  if (!params) return 0;
  require(size == selvedge::fountain::kOtiBytes);
  require(params->valid() && ObjectParams::parse_oti(params->oti()) == params);
  uint64_t offset = 0;
  uint64_t symbols = 0;
  for (uint32_t z = 0; z < params->source_blocks; ++z) {
    const auto block = params->block(z);
    require(block.offset_bytes == offset && block.k >= 1 && block.k <= selvedge::fountain::kBlockSymbolsMax);
    require((block.bytes + params->symbol_bytes - 1) / params->symbol_bytes == block.k);
    offset += block.bytes;
    symbols += block.k;
  }
  require(offset == params->object_bytes && symbols == params->symbols_total());
  const auto parts = params->sub_symbols();
  require(uint64_t{parts.large_size} * parts.large_count + uint64_t{parts.small_size} * parts.small_count == params->symbol_bytes);
  constexpr uint64_t kDecoderBytesMax = 1 << 20;
  const auto first = params->block(0);
  if (first.bytes <= kDecoderBytesMax) {
    const auto decoder = selvedge::fountain::BlockDecoder::create(first.bytes, params->symbol_bytes);
    require(decoder.has_value() && decoder->k() == first.k);
  }
  return 0;
}
