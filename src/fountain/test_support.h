// Helpers of the fountain tests: the splitmix64 stream of the vectors, SHA-256, hex.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace selvedge::fountain::test {

class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(next() % limit); }

 private:
  uint64_t state_;
};

// The object of tests/vectors/fountain/README.md.
inline std::vector<uint8_t> make_object(uint64_t seed, size_t bytes) {
  std::vector<uint8_t> out(bytes);
  SplitMix64 random(seed);
  for (size_t i = 0; i < bytes; i += 8) {
    const uint64_t value = random.next();
    for (size_t b = 0; b < 8 && i + b < bytes; ++b) out[i + b] = static_cast<uint8_t>(value >> (8 * b));
  }
  return out;
}

// `count` distinct values below `limit`, in random order.
inline std::vector<uint32_t> random_subset(SplitMix64& random, uint32_t limit, uint32_t count) {
  std::vector<uint32_t> all(limit);
  for (uint32_t i = 0; i < limit; ++i) all[i] = i;
  for (uint32_t i = 0; i < count; ++i) std::swap(all[i], all[i + random.below(limit - i)]);
  all.resize(count);
  return all;
}

// FIPS 180-4, plain and slow: for tests only.
std::string sha256_hex(std::span<const uint8_t> data);
std::string to_hex(std::span<const uint8_t> data);

}  // namespace selvedge::fountain::test
