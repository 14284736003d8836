// Byte buffers and fixed-size identifiers.
//
// Bytes owns, ByteView borrows. FixedBytes gives each kind of key, hash and identifier its own type, so that an
// object id cannot be passed where a public key is meant.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace selvedge {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

inline ByteView view(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline Bytes to_bytes(ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); }
inline std::string to_string(ByteView bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}
inline void append(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

/// Lower-case hexadecimal, two characters a byte.
std::string to_hex(ByteView bytes);
/// Errors: kInvalid for an odd length or a character that is not hexadecimal.
Result<Bytes> from_hex(std::string_view text);

inline void store_u16(uint8_t* out, uint16_t v) { out[0] = uint8_t(v >> 8); out[1] = uint8_t(v); }
inline void store_u32(uint8_t* out, uint32_t v) { store_u16(out, uint16_t(v >> 16)); store_u16(out + 2, uint16_t(v)); }
inline void store_u64(uint8_t* out, uint64_t v) { store_u32(out, uint32_t(v >> 32)); store_u32(out + 4, uint32_t(v)); }
inline uint16_t load_u16(const uint8_t* in) { return uint16_t(in[0] << 8 | in[1]); }
inline uint32_t load_u32(const uint8_t* in) { return uint32_t(load_u16(in)) << 16 | load_u16(in + 2); }
inline uint64_t load_u64(const uint8_t* in) { return uint64_t(load_u32(in)) << 32 | load_u32(in + 4); }
// Little-endian, for formats that others defined so.
template <class T>
inline void store_le(uint8_t* out, T v) { for (size_t i = 0; i < sizeof v; ++i) out[i] = uint8_t(v >> 8 * i); }
template <class T>
inline T load_le(const uint8_t* in) {
  T v = 0;
  for (size_t i = 0; i < sizeof v; ++i) v = T(v | T(in[i]) << 8 * i);
  return v;
}
inline void append_u32(Bytes& out, uint32_t v) { uint8_t b[4]; store_u32(b, v); append(out, b); }
inline void append_u64(Bytes& out, uint64_t v) { uint8_t b[8]; store_u64(b, v); append(out, b); }

/// A byte string of N bytes with its own type. Ordered bytewise; zero by default.
template <class Tag, size_t N>
struct FixedBytes {
  static constexpr size_t kSize = N;
  std::array<uint8_t, N> bytes{};

  // Not defaulted: libc++ 16, with which the browser's build is made, has no order of arrays.
  friend std::strong_ordering operator<=>(const FixedBytes& a, const FixedBytes& b) { return std::memcmp(a.bytes.data(), b.bytes.data(), N) <=> 0; }
  bool operator==(const FixedBytes&) const = default;
  ByteView view() const { return bytes; }
  operator ByteView() const { return bytes; }
  bool is_zero() const { return *this == FixedBytes{}; }
  std::string hex() const { return to_hex(bytes); }
  /// The first eight hexadecimal digits: for a person to tell two apart, never for a program.
  std::string brief() const { return to_hex(ByteView(bytes).first(N < 4 ? N : 4)); }

  /// Errors: kInvalid when `in` is not exactly N bytes.
  static Result<FixedBytes> from(ByteView in) {
    if (in.size() != N) return fail(Errc::kInvalid, "expected " + std::to_string(N) + " bytes, got " + std::to_string(in.size()));
    FixedBytes out;
    std::memcpy(out.bytes.data(), in.data(), N);
    return out;
  }
};

}  // namespace selvedge
