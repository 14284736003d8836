// Object transmission information and partitioning: RFC 6330 3.3, 4.3 and 4.4.1.2.
#include <algorithm>
#include <cstring>

#include "check.h"
#include "fountain.h"

namespace selvedge::fountain {

Partition partition_evenly(uint32_t total, uint32_t parts) {
  FOUNTAIN_CHECK(parts != 0);
  const uint32_t small_size = total / parts;
  const uint32_t large_count = total - small_size * parts;
  return Partition{small_size + (large_count != 0 ? 1u : 0u), small_size, large_count, parts - large_count};
}

bool ObjectParams::valid() const {
  if (object_bytes == 0 || object_bytes > kObjectBytesMax) return false;
  if (symbol_bytes == 0 || symbol_bytes > kSymbolBytesMax) return false;
  if (source_blocks == 0 || source_blocks > kSourceBlocksMax) return false;
  if (alignment == 0 || alignment > 255 || symbol_bytes % alignment != 0) return false;
  if (sub_blocks == 0 || sub_blocks > symbol_bytes / alignment) return false;
  const uint64_t total = (object_bytes + symbol_bytes - 1) / symbol_bytes;
  return total >= source_blocks && (total + source_blocks - 1) / source_blocks <= kBlockSymbolsMax;
}

uint32_t ObjectParams::symbols_total() const {
  return static_cast<uint32_t>((object_bytes + symbol_bytes - 1) / symbol_bytes);
}

BlockLayout ObjectParams::block(uint32_t block_number) const {
  FOUNTAIN_CHECK(block_number < source_blocks);
  const Partition parts = partition_evenly(symbols_total(), source_blocks);
  const bool large = block_number < parts.large_count;
  const uint64_t first = large ? uint64_t{block_number} * parts.large_size
                               : uint64_t{parts.large_count} * parts.large_size +
                                     uint64_t{block_number - parts.large_count} * parts.small_size;
  const uint32_t k = large ? parts.large_size : parts.small_size;
  const uint64_t offset = first * symbol_bytes;
  return BlockLayout{k, offset, std::min(uint64_t{k} * symbol_bytes, object_bytes - offset)};
}

Partition ObjectParams::sub_symbols() const {
  Partition parts = partition_evenly(symbol_bytes / alignment, sub_blocks);
  parts.large_size *= alignment;
  parts.small_size *= alignment;
  return parts;
}

std::array<uint8_t, kOtiBytes> ObjectParams::oti() const {
  std::array<uint8_t, kOtiBytes> out{};
  for (size_t i = 0; i < 5; ++i) out[i] = static_cast<uint8_t>(object_bytes >> (8 * (4 - i)));
  out[6] = static_cast<uint8_t>(symbol_bytes >> 8);
  out[7] = static_cast<uint8_t>(symbol_bytes);
  out[8] = static_cast<uint8_t>(source_blocks);
  out[9] = static_cast<uint8_t>(sub_blocks >> 8);
  out[10] = static_cast<uint8_t>(sub_blocks);
  out[11] = static_cast<uint8_t>(alignment);
  return out;
}

std::optional<ObjectParams> ObjectParams::parse_oti(std::span<const uint8_t> bytes) {
  if (bytes.size() != kOtiBytes) return std::nullopt;
  ObjectParams params;
  for (size_t i = 0; i < 5; ++i) params.object_bytes = params.object_bytes << 8 | bytes[i];
  params.symbol_bytes = static_cast<uint32_t>(bytes[6]) << 8 | bytes[7];
  params.source_blocks = bytes[8];
  params.sub_blocks = static_cast<uint32_t>(bytes[9]) << 8 | bytes[10];
  params.alignment = bytes[11];
  if (!params.valid()) return std::nullopt;
  return params;
}

std::optional<ObjectParams> partition(uint64_t object_bytes, uint32_t symbol_bytes) {
  if (object_bytes == 0 || object_bytes > kObjectBytesMax || symbol_bytes == 0) return std::nullopt;
  const uint64_t total = (object_bytes + symbol_bytes - 1) / symbol_bytes;
  const uint64_t wanted = (total + kBlockSymbolsTarget - 1) / kBlockSymbolsTarget;
  ObjectParams params;
  params.object_bytes = object_bytes;
  params.symbol_bytes = symbol_bytes;
  params.source_blocks = static_cast<uint32_t>(std::min<uint64_t>(wanted, kSourceBlocksMax));
  params.alignment = symbol_bytes % 8 == 0 ? 8 : symbol_bytes % 4 == 0 ? 4 : 1;
  if (!params.valid()) return std::nullopt;
  return params;
}

namespace {

// Calls copy(offset in block order, offset in symbol order, bytes) for every sub-symbol.
template <typename Copy>
void for_each_sub_symbol(const ObjectParams& params, uint32_t k, Copy copy) {
  const Partition parts = params.sub_symbols();
  size_t block_at = 0;
  size_t in_symbol = 0;
  for (uint32_t n = 0; n < params.sub_blocks; ++n) {
    const size_t bytes = n < parts.large_count ? parts.large_size : parts.small_size;
    for (uint32_t i = 0; i < k; ++i) {
      copy(block_at, size_t{i} * params.symbol_bytes + in_symbol, bytes);
      block_at += bytes;
    }
    in_symbol += bytes;
  }
}

}  // namespace

void sub_blocks_to_symbols(const ObjectParams& params, uint32_t k, std::span<const uint8_t> block,
                           std::span<uint8_t> symbols) {
  FOUNTAIN_CHECK(block.size() == size_t{k} * params.symbol_bytes && symbols.size() == block.size());
  for_each_sub_symbol(params, k, [&](size_t in_block, size_t in_symbols, size_t bytes) {
    std::memcpy(symbols.data() + in_symbols, block.data() + in_block, bytes);
  });
}

void symbols_to_sub_blocks(const ObjectParams& params, uint32_t k, std::span<const uint8_t> symbols,
                           std::span<uint8_t> block) {
  FOUNTAIN_CHECK(block.size() == size_t{k} * params.symbol_bytes && symbols.size() == block.size());
  for_each_sub_symbol(params, k, [&](size_t in_block, size_t in_symbols, size_t bytes) {
    std::memcpy(block.data() + in_block, symbols.data() + in_symbols, bytes);
  });
}

}  // namespace selvedge::fountain
