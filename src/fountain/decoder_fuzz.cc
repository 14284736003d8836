// Fuzz target: one decoder driven by an operation sequence, next to a plain model of what it holds.
//
// Input: byte 0 and 1: K - 1 (up to 300), byte 2: symbol bytes - 1, byte 3: bit 0 = with a cache, bit 1 =
// the object ends inside the last symbol, bit 2 = payloads are the true ones. Then operations of five
// bytes: kind, ESI (24 bits), length. With true payloads a successful decode must give the object.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <vector>

#include "fountain/fountain.h"

namespace {

using selvedge::fountain::BlockDecoder;
using selvedge::fountain::BlockEncoder;
using selvedge::fountain::ObjectParams;
using selvedge::fountain::PlanCache;

void require(bool ok) {
  if (!ok) std::abort();
}

void fuzz_oti(const uint8_t* data, size_t size) {
  const auto params = ObjectParams::parse_oti({data, std::min(size, selvedge::fountain::kOtiBytes)});
  if (!params) return;
  const auto block = params->block(params->source_blocks - 1);
  require(block.offset_bytes + block.bytes == params->object_bytes);
  require(ObjectParams::parse_oti(params->oti()) == params);
}

struct Setup {
  uint32_t k;
  uint32_t symbol_bytes;
  bool true_payloads;
  std::vector<uint8_t> object;
};

void drive(const Setup& setup, BlockDecoder& decoder, const BlockEncoder& encoder, const uint8_t* data, size_t size) {
  constexpr size_t kOperationBytes = 5;
  constexpr int kAttemptsMax = 20;
  std::set<uint32_t> held;
  std::vector<uint8_t> out(setup.object.size());
  int attempts = 0;
  bool done = false;
  for (; size >= kOperationBytes; data += kOperationBytes, size -= kOperationBytes) {
    const uint32_t raw = static_cast<uint32_t>(data[1]) << 16 | static_cast<uint32_t>(data[2]) << 8 | data[3];
    const uint32_t esi = (data[0] & 1) ? raw : raw % (2 * setup.k);
    uint32_t repeat = (data[0] & 2) ? data[4] : 1;  // runs of ESIs, so that short inputs reach a decode
    const size_t length = (data[0] & 6) == 4 ? data[4] : setup.symbol_bytes;
    for (uint32_t i = 0; i < repeat; ++i) {
      std::vector<uint8_t> payload(setup.symbol_bytes);
      if (setup.true_payloads) (void)encoder.symbol((esi + i) & 0xFFFFFF, payload);
      payload.resize(length, 0x77);
      const auto result = decoder.add(esi + i, payload);
      if (length != setup.symbol_bytes && esi + i != setup.k - 1) require(result == BlockDecoder::Add::kRejected);
      if (held.contains(esi + i)) require(result != BlockDecoder::Add::kAccepted);
      if (result == BlockDecoder::Add::kAccepted) held.insert(esi + i);
    }
    if ((data[0] & 8) == 0 || done || attempts++ >= kAttemptsMax) continue;
    const bool enough = held.size() >= setup.k;
    done = decoder.decode(out);
    require(!done || enough);
    require(done || decoder.needed() > 0);
    if (done && setup.true_payloads) require(out == setup.object);
    if (done) {
      for (uint32_t s = 0; s < setup.k; ++s) {
        require(decoder.source(s).has_value());
        held.insert(s);
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHeaderBytes = 4;
  constexpr uint32_t kSymbolsMax = 300;
  constexpr uint32_t kSymbolBytesMax = 80;
  constexpr size_t kInputMax = 2000;
  fuzz_oti(data, size);
  if (size < kHeaderBytes || size > kInputMax) return 0;
  Setup setup{};
  setup.k = 1 + (static_cast<uint32_t>(data[0]) << 8 | data[1]) % kSymbolsMax;
  setup.symbol_bytes = 1 + data[2] % kSymbolBytesMax;
  setup.true_payloads = (data[3] & 4) != 0;
  size_t bytes = size_t{setup.k} * setup.symbol_bytes;
  if ((data[3] & 2) != 0) bytes -= setup.symbol_bytes / 2;
  setup.object.resize(bytes);
  for (size_t i = 0; i < bytes; ++i) setup.object[i] = static_cast<uint8_t>(i * 2654435761u >> 7);
  const auto cache = (data[3] & 1) != 0 ? PlanCache::create(size_t{1} << 20) : nullptr;
  const auto encoder = BlockEncoder::create(setup.object, setup.symbol_bytes, cache);
  auto decoder = BlockDecoder::create(bytes, setup.symbol_bytes, cache);
  require(encoder && decoder);
  drive(setup, *decoder, *encoder, data + kHeaderBytes, size - kHeaderBytes);
  return 0;
}
