// ByteReader: takes fixed-width, big-endian numbers off the front of bytes that anybody may have written.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge {

/// Every take is checked; what it could not take is an error that says `what` was being read. Borrows the bytes.
class ByteReader {
 public:
  ByteReader(ByteView bytes, std::string_view what) : left_(bytes), what_(what) {}

  Result<ByteView> raw(size_t size) {
    if (size > left_.size()) return fail(Errc::kInvalid, std::string(what_) + " is cut off");
    const ByteView out = left_.first(size);
    left_ = left_.subspan(size);
    return out;
  }
  Result<uint8_t> u8() { return TRY(raw(1))[0]; }
  Result<uint16_t> u16() { return load_u16(TRY(raw(2)).data()); }
  Result<uint32_t> u32() { return load_u32(TRY(raw(4)).data()); }
  Result<uint64_t> u64() { return load_u64(TRY(raw(8)).data()); }
  Result<bool> flag() {
    const uint8_t v = TRY(u8());
    if (v > 1) return fail(Errc::kInvalid, "a flag in " + std::string(what_) + " is neither 0 nor 1");
    return v == 1;
  }
  template <class Fixed>
  Result<Fixed> fixed() { return Fixed::from(TRY(raw(Fixed::kSize))); }
  ByteView rest() { return std::exchange(left_, {}); }
  Status end() const {
    if (!left_.empty()) return fail(Errc::kInvalid, std::string(what_) + " has bytes left over");
    return ok();
  }

 private:
  ByteView left_;
  std::string_view what_;
};

}  // namespace selvedge
