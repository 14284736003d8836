#include "test_support.h"

#include <bit>

namespace selvedge::fountain::test {
namespace {

constexpr bool is_prime(uint32_t n) {
  for (uint32_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return n > 1;
}

// The first 32 fractional bits of the square (cube) roots of the first primes, by integer bisection.
__extension__ using Wide = unsigned __int128;

uint32_t root_fraction(uint32_t prime, int degree) {
  uint64_t low = 0;
  uint64_t high = uint64_t{1} << 37;
  while (high - low > 1) {
    const uint64_t middle = (low + high) / 2;
    // Compare middle^degree with prime * 2^(32 * degree): at most 111 bits.
    const Wide square = static_cast<Wide>(middle) * middle;
    const bool above =
        degree == 2 ? square > (static_cast<Wide>(prime) << 64) : square * middle > (static_cast<Wide>(prime) << 96);
    (above ? high : low) = middle;
  }
  return static_cast<uint32_t>(low);
}

struct Constants {
  std::array<uint32_t, 64> k{};
  std::array<uint32_t, 8> start{};
};

Constants make_constants() {
  Constants out;
  size_t count = 0;
  for (uint32_t n = 2; count < 64; ++n) {
    if (!is_prime(n)) continue;
    if (count < 8) out.start[count] = root_fraction(n, 2);
    out.k[count++] = root_fraction(n, 3);
  }
  return out;
}

void compress(std::array<uint32_t, 8>& state, const uint8_t* block, const Constants& constants) {
  std::array<uint32_t, 64> w{};
  for (size_t i = 0; i < 16; ++i) {
    for (size_t b = 0; b < 4; ++b) w[i] = w[i] << 8 | block[4 * i + b];
  }
  for (size_t i = 16; i < 64; ++i) {
    const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  std::array<uint32_t, 8> v = state;
  for (size_t i = 0; i < 64; ++i) {
    const uint32_t s1 = std::rotr(v[4], 6) ^ std::rotr(v[4], 11) ^ std::rotr(v[4], 25);
    const uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
    const uint32_t t1 = v[7] + s1 + choice + constants.k[i] + w[i];
    const uint32_t s0 = std::rotr(v[0], 2) ^ std::rotr(v[0], 13) ^ std::rotr(v[0], 22);
    const uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    for (size_t j = 7; j > 0; --j) v[j] = v[j - 1];
    v[4] += t1;
    v[0] = t1 + s0 + majority;
  }
  for (size_t i = 0; i < 8; ++i) state[i] += v[i];
}

}  // namespace

std::string to_hex(std::span<const uint8_t> data) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : data) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::string sha256_hex(std::span<const uint8_t> data) {
  static const Constants kConstants = make_constants();
  std::array<uint32_t, 8> state = kConstants.start;
  std::vector<uint8_t> tail;
  const size_t whole = data.size() / 64 * 64;
  for (size_t at = 0; at < whole; at += 64) compress(state, data.data() + at, kConstants);
  tail.assign(data.begin() + static_cast<ptrdiff_t>(whole), data.end());
  tail.push_back(0x80);
  while (tail.size() % 64 != 56) tail.push_back(0);
  for (int shift = 56; shift >= 0; shift -= 8) tail.push_back(static_cast<uint8_t>(uint64_t{data.size()} * 8 >> shift));
  for (size_t at = 0; at < tail.size(); at += 64) compress(state, tail.data() + at, kConstants);
  std::vector<uint8_t> digest;
  for (const uint32_t word : state) {
    for (int shift = 24; shift >= 0; shift -= 8) digest.push_back(static_cast<uint8_t>(word >> shift));
  }
  return to_hex(digest);
}

}  // namespace selvedge::fountain::test
