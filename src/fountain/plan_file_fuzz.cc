// Fuzz target: a file of encode plans. Bytes 0..7 of the input are the sum, which is made right, so that the
// fuzzer gets behind it; a plan that is accepted must encode as a plan that was made here does.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fountain/fountain.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using selvedge::fountain::BlockEncoder;
  using selvedge::fountain::PlanCache;
  constexpr size_t kInputMax = 4096;
  if (size > kInputMax) return 0;
  std::vector<uint8_t> bytes(data, data + size);
  uint64_t sum = 0xCBF29CE484222325u;
  for (const uint8_t byte : bytes) sum = (sum ^ byte) * 0x100000001B3u;
  for (size_t i = 0; i < 8; ++i) bytes.push_back(static_cast<uint8_t>(sum >> (8 * i)));
  const auto cache = PlanCache::create();
  if (!cache->load(bytes) || cache->bytes() == 0) return 0;
  const auto again = PlanCache::create();
  if (!again->load(cache->save()) || again->bytes() != cache->bytes()) std::abort();
  for (const uint32_t k : {10u, 20u, 42u, 101u}) {
    const std::vector<uint8_t> source(k, 0xA7);
    const std::vector<uint32_t> esis{k, k + 5, 1000000};
    std::vector<uint8_t> here(esis.size());
    std::vector<uint8_t> loaded(esis.size());
    if (!BlockEncoder::create(source, 1)->symbols(esis, here.data(), 1)) std::abort();
    if (!BlockEncoder::create(source, 1, cache)->symbols(esis, loaded.data(), 1)) std::abort();
    if (here != loaded) std::abort();
  }
  return 0;
}
