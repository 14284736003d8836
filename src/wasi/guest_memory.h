// GuestMemory: a guest's linear memory, wherever it is.
//
// In a runner's process it is here. In a browser it belongs to another WebAssembly instance, which only the page reaches: so what a guest can call copies
// into it and out of it, and points nowhere.
#pragma once

#include <algorithm>
#include <span>

#include "base/bytes.h"

namespace selvedge::wasi {

class GuestMemory {
 public:
  virtual ~GuestMemory() = default;
  virtual uint64_t size() const = 0;
  /// Both lie inside, which the caller made sure of.
  virtual void read(uint64_t at, std::span<uint8_t> to) const = 0;
  virtual void write(uint64_t at, ByteView from) = 0;
};

/// A memory in this process; the bytes outlive it.
class NearMemory final : public GuestMemory {
 public:
  explicit NearMemory(std::span<uint8_t> bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t at, std::span<uint8_t> to) const override { std::copy_n(bytes_.begin() + ptrdiff_t(at), to.size(), to.begin()); }
  void write(uint64_t at, ByteView from) override { std::copy(from.begin(), from.end(), bytes_.begin() + ptrdiff_t(at)); }

 private:
  std::span<uint8_t> bytes_;
};

}  // namespace selvedge::wasi
