// Fuzz target: sequences of calls of the C interface, with handles that may not exist. Operations of six bytes:
// kind, handle, and a 32-bit value.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fountain/fountain_c.h"

namespace {

constexpr size_t kHandles = 3;
constexpr size_t kSourceBytes = 600;
constexpr size_t kOperationBytes = 6;
constexpr size_t kOperationsMax = 200;

void require(bool ok) {
  if (!ok) std::abort();
}

class Session {
 public:
  Session() : source_(kSourceBytes), buffer_(2 * kSourceBytes) {
    for (size_t i = 0; i < kSourceBytes; ++i) source_[i] = static_cast<uint8_t>(i * 167 + 3);
    require(fountain_cache_create(1 << 16, &cache_) == FOUNTAIN_OK);
  }
  ~Session() {
    for (size_t h = 0; h < kHandles; ++h) {
      fountain_encoder_free(encoders_[h]);
      fountain_decoder_free(decoders_[h]);
    }
    fountain_cache_free(cache_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  void operate(uint32_t kind, size_t handle, uint32_t value);

 private:
  void make(size_t handle, uint32_t value);
  void code(size_t handle, uint32_t esi);
  void object(uint32_t value);

  std::vector<uint8_t> source_;
  std::vector<uint8_t> buffer_;
  fountain_cache* cache_ = nullptr;
  fountain_encoder* encoders_[kHandles] = {};
  fountain_decoder* decoders_[kHandles] = {};
  uint32_t symbol_bytes_[kHandles] = {};
};

void Session::make(size_t handle, uint32_t value) {
  fountain_encoder_free(encoders_[handle]);
  fountain_decoder_free(decoders_[handle]);
  encoders_[handle] = nullptr;
  decoders_[handle] = nullptr;
  symbol_bytes_[handle] = value % 70;
  fountain_cache* cache = (value & 0x80) != 0 ? cache_ : nullptr;
  const auto made = fountain_encoder_create(source_.data(), kSourceBytes, symbol_bytes_[handle], cache, &encoders_[handle]);
  require((made == FOUNTAIN_OK) == (symbol_bytes_[handle] != 0));
  require(fountain_decoder_create(kSourceBytes, symbol_bytes_[handle], cache, &decoders_[handle]) == made);
}

// One symbol from the encoder to the decoder, and what the decoder has to say then.
void Session::code(size_t handle, uint32_t esi) {
  const size_t bytes = symbol_bytes_[handle];
  const auto made = fountain_encoder_symbols(encoders_[handle], &esi, 1, buffer_.data(), bytes);
  if (encoders_[handle] == nullptr || esi >= 1u << 24) {
    require(made == FOUNTAIN_INVALID);
  }
  const auto added = fountain_decoder_add(decoders_[handle], esi, buffer_.data(), bytes);
  require(made == FOUNTAIN_OK || added < 0);
  const uint8_t* symbol = nullptr;
  size_t symbol_bytes = 0;
  if (fountain_decoder_source(decoders_[handle], esi, &symbol, &symbol_bytes) == FOUNTAIN_OK) {
    require(std::memcmp(symbol, source_.data() + esi * bytes, symbol_bytes) == 0);
  }
  if (fountain_decoder_needed(decoders_[handle]) != 0) return;
  if (fountain_decoder_decode(decoders_[handle]) != FOUNTAIN_OK) return;
  require(fountain_decoder_block(decoders_[handle], buffer_.data(), kSourceBytes - 1) == FOUNTAIN_INVALID);
  require(fountain_decoder_block(decoders_[handle], buffer_.data(), kSourceBytes) == FOUNTAIN_OK);
  require(std::memcmp(buffer_.data(), source_.data(), kSourceBytes) == 0);
}

void Session::object(uint32_t value) {
  fountain_object object{};
  if (fountain_object_partition(uint64_t{value} << (value % 13), value % 3000, &object) != FOUNTAIN_OK) return;
  uint8_t oti[FOUNTAIN_OTI_BYTES];
  fountain_block block{};
  require(fountain_object_to_oti(&object, oti) == FOUNTAIN_OK);
  require(fountain_object_block(&object, object.source_blocks - 1, &block) == FOUNTAIN_OK);
  require(block.offset_bytes + block.bytes == object.object_bytes);
  oti[value % FOUNTAIN_OTI_BYTES] ^= static_cast<uint8_t>(value >> 8);
  (void)fountain_object_from_oti(oti, sizeof oti, &object);
}

void Session::operate(uint32_t kind, size_t handle, uint32_t value) {
  constexpr uint32_t kRunMax = 64;
  switch (kind % 5) {
    case 0: make(handle, value); break;
    case 1: code(handle, value); break;
    case 2:
      for (uint32_t i = 0; i < value % kRunMax; ++i) code(handle, (value >> 8) % 1000 + i);
      break;
    case 3: object(value); break;
    default:
      require(fountain_decoder_add(decoders_[handle], value, buffer_.data(), value % 100) != FOUNTAIN_OK ||
              value % 100 == symbol_bytes_[handle] || value % 100 == kSourceBytes % symbol_bytes_[handle]);
      make(handle, value);  // what was added is not a symbol of the source
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Session session;
  for (size_t i = 0; i < kOperationsMax && size >= kOperationBytes; ++i, data += kOperationBytes, size -= kOperationBytes) {
    uint32_t value = 0;
    std::memcpy(&value, data + 2, sizeof value);
    session.operate(data[0], data[1] % kHandles, value);
  }
  return 0;
}
