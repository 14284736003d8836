// Reading and writing the WebAssembly binary format: bytes, LEB128 numbers, names.
//
// The reader never reads past its view and turns every defect into an Error with the offset, because the bytes come
// from strangers. Offsets count from the start of the module, also inside a section.
// source: WebAssembly Core 1.0 and 2.0, section 5.2 (integers at most ceil(N/7) bytes long, unused bits proper).
#pragma once

#include <cstring>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge::wasm {

class Reader {
 public:
  /// Reads [begin, end) of `module`.
  Reader(ByteView module, size_t begin, size_t end) : module_(module), at_(begin), end_(end) {}

  size_t offset() const { return at_; }
  size_t end() const { return end_; }
  size_t left() const { return end_ - at_; }
  bool done() const { return at_ == end_; }
  /// The bytes from here to the end of the module, which may lie further than the reader's: for a look ahead.
  ByteView ahead() const { return module_.subspan(at_); }
  void skip(size_t n) { at_ += n; }
  Error error(Errc code, const std::string& what) const { return error_at(at_, code, what); }
  static Error error_at(size_t offset, Errc code, const std::string& what) {
    return fail(code, what + " (at byte " + std::to_string(offset) + " of the module)");
  }

  Result<uint8_t> byte() {
    if (done()) return error(Errc::kInvalid, "the module ends in the middle of something");
    return module_[at_++];
  }
  Result<ByteView> bytes(size_t n) {
    if (n > left()) return error(Errc::kInvalid, "a length reaches past the end of its section");
    const ByteView out = module_.subspan(at_, n);
    at_ += n;
    return out;
  }
  Result<uint32_t> u32() {
    if (is_short()) return module_[at_++];
    return uint32_t(TRY(unsigned_leb(32)));
  }
  Result<int32_t> s32() {
    if (is_short()) return int32_t(short_signed());
    return int32_t(TRY(signed_leb(32)));
  }
  Result<int64_t> s64() { return is_short() ? Result<int64_t>(short_signed()) : signed_leb(64); }
  /// The signed 33-bit number of a block type.
  Result<int64_t> s33() { return is_short() ? Result<int64_t>(short_signed()) : signed_leb(33); }
  /// A vector's length; what names it in the error. Refuses more than `max` before anything is done for it.
  Result<uint32_t> count(uint32_t max, const char* what) {
    const size_t start = at_;
    const uint32_t n = TRY(u32());
    if (n > max) {
      return error_at(start, Errc::kLimit,
                      std::string(what) + ": " + std::to_string(n) + ", at most " + std::to_string(max) + " are accepted");
    }
    // Each element takes at least one byte, so that a huge count in a short module is refused here.
    if (n > left()) return error_at(start, Errc::kInvalid, std::string(what) + ": more than the section can hold");
    return n;
  }
  Result<std::string> name() {
    const size_t start = at_;
    const ByteView raw = TRY(bytes(TRY(u32())));
    if (!is_utf8(raw)) return error_at(start, Errc::kInvalid, "a name is not UTF-8");
    return to_string(raw);
  }

  static bool is_utf8(ByteView text);

 private:
  // Most numbers of a module are one byte.
  bool is_short() const { return at_ < end_ && module_[at_] < 0x80; }
  int64_t short_signed() { return int8_t(uint8_t(module_[at_++] << 1)) >> 1; }
  Result<uint64_t> unsigned_leb(unsigned bits) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const uint8_t b = TRY(byte());
      if (shift + 7 >= bits) {
        if ((b >> (bits - shift)) != 0) return error(Errc::kInvalid, "a number is too large or too long");
      }
      value |= uint64_t(b & 0x7F) << shift;
      if ((b & 0x80) == 0) return value;
    }
  }
  Result<int64_t> signed_leb(unsigned bits) {
    int64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const uint8_t b = TRY(byte());
      if (shift + 7 >= bits) {
        // The last byte: no continuation, and its unused bits repeat the sign.
        const unsigned used = bits - shift;
        const int sign_extended = int8_t(uint8_t(b << 1)) >> 1;
        if ((b & 0x80) != 0 || (sign_extended >> (used - 1) != 0 && sign_extended >> (used - 1) != -1)) {
          return error(Errc::kInvalid, "a number is too large or too long");
        }
      }
      value |= int64_t(uint64_t(b & 0x7F) << shift);
      if ((b & 0x80) == 0) {
        const unsigned read = shift + 7;
        return read < 64 ? int64_t(uint64_t(value) << (64 - read)) >> (64 - read) : value;
      }
    }
  }

  ByteView module_;
  size_t at_, end_;
};

inline bool Reader::is_utf8(ByteView text) {
  for (size_t i = 0; i < text.size();) {
    const uint8_t lead = text[i];
    const size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    uint32_t point = length == 1 ? lead : lead & (0x7F >> length);
    for (size_t k = 1; k < length; ++k) {
      if (text[i + k] >> 6 != 2) return false;
      point = point << 6 | (text[i + k] & 0x3F);
    }
    static constexpr uint32_t kLeast[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kLeast[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    i += length;
  }
  return true;
}

/// Numbers in their shortest form, written at p; returns the end, at most five and ten bytes further.
inline uint8_t* put_u32(uint8_t* p, uint32_t v) {
  for (; v >= 0x80; v >>= 7) *p++ = uint8_t(v | 0x80);
  *p++ = uint8_t(v);
  return p;
}
inline uint8_t* put_s64(uint8_t* p, int64_t v) {
  for (;;) {
    const uint8_t low = v & 0x7F;
    v >>= 7;
    const bool is_last = (v == 0 && (low & 0x40) == 0) || (v == -1 && (low & 0x40) != 0);
    *p++ = is_last ? low : uint8_t(low | 0x80);
    if (is_last) return p;
  }
}

/// Appends numbers and sections.
class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}
  Writer& byte(uint8_t b) {
    out_.push_back(b);
    return *this;
  }
  Writer& raw(ByteView bytes) {
    append(out_, bytes);
    return *this;
  }
  Writer& u32(uint32_t v) {
    uint8_t number[5];
    return raw({number, put_u32(number, v)});
  }
  Writer& s64(int64_t v) {
    uint8_t number[10];
    return raw({number, put_s64(number, v)});
  }
  Writer& name(std::string_view text) { return u32(uint32_t(text.size())).raw(view(text)); }
  /// A length-prefixed body: sections and function bodies.
  Writer& sized(ByteView body) { return u32(uint32_t(body.size())).raw(body); }

 private:
  Bytes& out_;
};

/// The same for code, whose pieces are a byte or two: into memory of its own, which is kept from one function to the next.
class CodeWriter {
 public:
  CodeWriter& byte(uint8_t b) {
    *room(1) = b;
    ++size_;
    return *this;
  }
  CodeWriter& raw(ByteView bytes) {
    if (!bytes.empty()) std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
    return *this;
  }
  CodeWriter& u32(uint32_t v) { return took(put_u32(room(5), v)); }
  CodeWriter& s64(int64_t v) { return took(put_s64(room(10), v)); }
  void clear() { size_ = 0; }
  ByteView view() const { return {memory_.get(), size_}; }

 private:
  uint8_t* room(size_t n) {
    if (size_ + n > room_) [[unlikely]] grow(n);
    return memory_.get() + size_;
  }
  void grow(size_t n) {
    room_ = 2 * (size_ + n) + 1024;
    auto larger = std::make_unique_for_overwrite<uint8_t[]>(room_);
    if (size_ > 0) std::memcpy(larger.get(), memory_.get(), size_);
    memory_ = std::move(larger);
  }
  CodeWriter& took(const uint8_t* end) {
    size_ = size_t(end - memory_.get());
    return *this;
  }

  std::unique_ptr<uint8_t[]> memory_;
  size_t size_ = 0, room_ = 0;
};

}  // namespace selvedge::wasm
