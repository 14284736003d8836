#include "fountain_c.h"

#include <cstring>
#include <new>

#include "fountain.h"

namespace fountain = selvedge::fountain;

struct fountain_cache {
  std::shared_ptr<fountain::PlanCache> plans;
};
struct fountain_encoder {
  fountain::BlockEncoder encoder;
};
struct fountain_decoder {
  fountain::BlockDecoder decoder;
  uint64_t block_bytes;
};

namespace {

// C knows no exceptions. The only one that the library can meet is std::bad_alloc; where exceptions are
// switched off (WebAssembly), memory that runs out ends the program instead.
template <typename Work>
fountain_status guarded(Work work) {
#if defined(__cpp_exceptions)
  try {
    return work();
  } catch (...) {  // style: allow catch because no exception may cross into C
    return FOUNTAIN_MEMORY;
  }
#else
  return work();
#endif
}

fountain::ObjectParams params_of(const fountain_object& object) {
  fountain::ObjectParams params;
  params.object_bytes = object.object_bytes;
  params.symbol_bytes = object.symbol_bytes;
  params.source_blocks = object.source_blocks;
  params.sub_blocks = object.sub_blocks;
  params.alignment = object.alignment;
  return params;
}

void assign(fountain_object* object, const fountain::ObjectParams& params) {
  object->object_bytes = params.object_bytes;
  object->symbol_bytes = params.symbol_bytes;
  object->source_blocks = params.source_blocks;
  object->sub_blocks = params.sub_blocks;
  object->alignment = params.alignment;
}

std::shared_ptr<fountain::PlanCache> plans_of(const fountain_cache* cache) {
  return cache == nullptr ? nullptr : cache->plans;
}

}  // namespace

const char* fountain_status_text(fountain_status status) {
  switch (status) {
    case FOUNTAIN_OK: return "done";
    case FOUNTAIN_DUPLICATE: return "the symbol is here already";
    case FOUNTAIN_MORE: return "more symbols are needed";
    case FOUNTAIN_INVALID: return "a value is out of range";
    case FOUNTAIN_FULL: return "the decoder holds as many spare symbols as it may";
    case FOUNTAIN_MEMORY: return "out of memory";
  }
  return "unknown status";
}

fountain_status fountain_object_partition(uint64_t object_bytes, uint32_t symbol_bytes, fountain_object* object) {
  const auto params = fountain::partition(object_bytes, symbol_bytes);
  if (!params || object == nullptr) return FOUNTAIN_INVALID;
  assign(object, *params);
  return FOUNTAIN_OK;
}

fountain_status fountain_object_to_oti(const fountain_object* object, uint8_t oti[FOUNTAIN_OTI_BYTES]) {
  if (object == nullptr || oti == nullptr || !params_of(*object).valid()) return FOUNTAIN_INVALID;
  const auto bytes = params_of(*object).oti();
  std::memcpy(oti, bytes.data(), bytes.size());
  return FOUNTAIN_OK;
}

fountain_status fountain_object_from_oti(const uint8_t* oti, size_t oti_bytes, fountain_object* object) {
  if (oti == nullptr || object == nullptr) return FOUNTAIN_INVALID;
  const auto params = fountain::ObjectParams::parse_oti({oti, oti_bytes});
  if (!params) return FOUNTAIN_INVALID;
  assign(object, *params);
  return FOUNTAIN_OK;
}

fountain_status fountain_object_block(const fountain_object* object, uint32_t number, fountain_block* block) {
  if (object == nullptr || block == nullptr) return FOUNTAIN_INVALID;
  const fountain::ObjectParams params = params_of(*object);
  if (!params.valid() || number >= params.source_blocks) return FOUNTAIN_INVALID;
  const fountain::BlockLayout layout = params.block(number);
  *block = fountain_block{layout.k, layout.offset_bytes, layout.bytes};
  return FOUNTAIN_OK;
}

fountain_status fountain_cache_create(size_t bytes_max, fountain_cache** cache) {
  if (cache == nullptr) return FOUNTAIN_INVALID;
  return guarded([&] {
    const size_t limit = bytes_max == 0 ? fountain::PlanCache::kBytesMaxDefault : bytes_max;
    *cache = new fountain_cache{fountain::PlanCache::create(limit)};
    return FOUNTAIN_OK;
  });
}

void fountain_cache_free(fountain_cache* cache) { delete cache; }

fountain_status fountain_encoder_create(const uint8_t* source, size_t source_bytes, uint32_t symbol_bytes,
                                        fountain_cache* cache, fountain_encoder** encoder) {
  if (source == nullptr || encoder == nullptr) return FOUNTAIN_INVALID;
  return guarded([&] {
    auto made = fountain::BlockEncoder::create({source, source_bytes}, symbol_bytes, plans_of(cache));
    if (!made) return FOUNTAIN_INVALID;
    *encoder = new fountain_encoder{std::move(*made)};
    return FOUNTAIN_OK;
  });
}

void fountain_encoder_free(fountain_encoder* encoder) { delete encoder; }

uint32_t fountain_encoder_k(const fountain_encoder* encoder) { return encoder == nullptr ? 0 : encoder->encoder.k(); }

fountain_status fountain_encoder_symbols(const fountain_encoder* encoder, const uint32_t* esis, size_t count,
                                         uint8_t* out, size_t out_bytes) {
  if (encoder == nullptr) return FOUNTAIN_INVALID;
  if (count == 0) return FOUNTAIN_OK;
  const size_t stride = encoder->encoder.symbol_bytes();
  if (esis == nullptr || out == nullptr || out_bytes / stride < count) return FOUNTAIN_INVALID;
  return guarded([&] { return encoder->encoder.symbols({esis, count}, out, stride) ? FOUNTAIN_OK : FOUNTAIN_INVALID; });
}

fountain_status fountain_decoder_create(uint64_t block_bytes, uint32_t symbol_bytes, fountain_cache* cache,
                                        fountain_decoder** decoder) {
  if (decoder == nullptr) return FOUNTAIN_INVALID;
  return guarded([&] {
    // Out of range, or no memory for the block: the two that create() does not tell apart.
    const bool in_range = block_bytes != 0 && symbol_bytes != 0 && symbol_bytes <= fountain::kSymbolBytesMax &&
                          (block_bytes - 1) / symbol_bytes < fountain::kBlockSymbolsMax;
    if (!in_range) return FOUNTAIN_INVALID;
    auto made = fountain::BlockDecoder::create(block_bytes, symbol_bytes, plans_of(cache));
    if (!made) return FOUNTAIN_MEMORY;
    *decoder = new fountain_decoder{std::move(*made), block_bytes};
    return FOUNTAIN_OK;
  });
}

void fountain_decoder_free(fountain_decoder* decoder) { delete decoder; }

uint32_t fountain_decoder_k(const fountain_decoder* decoder) { return decoder == nullptr ? 0 : decoder->decoder.k(); }

fountain_status fountain_decoder_add(fountain_decoder* decoder, uint32_t esi, const uint8_t* payload,
                                     size_t payload_bytes) {
  if (decoder == nullptr || payload == nullptr) return FOUNTAIN_INVALID;
  return guarded([&] {
    switch (decoder->decoder.add(esi, {payload, payload_bytes})) {
      case fountain::BlockDecoder::Add::kAccepted: return FOUNTAIN_OK;
      case fountain::BlockDecoder::Add::kDuplicate: return FOUNTAIN_DUPLICATE;
      case fountain::BlockDecoder::Add::kRejected: break;
    }
    const bool is_symbol = esi <= fountain::kEsiMax && payload_bytes == decoder->decoder.symbol_bytes();
    return is_symbol ? FOUNTAIN_FULL : FOUNTAIN_INVALID;
  });
}

uint32_t fountain_decoder_needed(const fountain_decoder* decoder) {
  return decoder == nullptr ? 0 : decoder->decoder.needed();
}

fountain_status fountain_decoder_decode(fountain_decoder* decoder) {
  if (decoder == nullptr) return FOUNTAIN_INVALID;
  return guarded([&] { return decoder->decoder.decode() ? FOUNTAIN_OK : FOUNTAIN_MORE; });
}

fountain_status fountain_decoder_block(const fountain_decoder* decoder, uint8_t* out, size_t out_bytes) {
  if (decoder == nullptr || out == nullptr || out_bytes < decoder->block_bytes) return FOUNTAIN_INVALID;
  if (!decoder->decoder.complete()) return FOUNTAIN_MORE;
  size_t at = 0;
  for (uint32_t esi = 0; esi < decoder->decoder.k(); ++esi) {
    const auto symbol = decoder->decoder.source(esi);
    std::memcpy(out + at, symbol->data(), symbol->size());
    at += symbol->size();
  }
  return FOUNTAIN_OK;
}

fountain_status fountain_decoder_source(const fountain_decoder* decoder, uint32_t esi, const uint8_t** symbol,
                                        size_t* symbol_bytes) {
  if (decoder == nullptr || symbol == nullptr || symbol_bytes == nullptr || esi >= decoder->decoder.k()) {
    return FOUNTAIN_INVALID;
  }
  const auto found = decoder->decoder.source(esi);
  if (!found) return FOUNTAIN_MORE;
  *symbol = found->data();
  *symbol_bytes = found->size();
  return FOUNTAIN_OK;
}
