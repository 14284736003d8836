// A set of repair ESIs, so that duplicates are found without arrays sized by ESI (24 bits wide).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace selvedge::fountain {

class EsiSet {
 public:
  bool contains(uint32_t esi) const {
    if (slots_.empty()) return false;
    return slots_[find(esi)] == esi;
  }
  // `esi` is not in the set.
  void insert(uint32_t esi) {
    if ((count_ + 1) * 2 > slots_.size()) grow();
    slots_[find(esi)] = esi;
    ++count_;
  }

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  static constexpr size_t kFirstSize = 64;

  // Multiplicative hashing keeps runs of consecutive ESIs apart. A hostile choice of ESIs can make probes
  // long, but the decoder bounds how many there are.
  size_t find(uint32_t esi) const {
    const size_t mask = slots_.size() - 1;
    size_t at = static_cast<size_t>((esi * uint64_t{0x9E3779B97F4A7C15}) >> 32) & mask;
    while (slots_[at] != kEmpty && slots_[at] != esi) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::vector<uint32_t> old(slots_.empty() ? kFirstSize : slots_.size() * 2, kEmpty);
    old.swap(slots_);
    for (const uint32_t esi : old) {
      if (esi != kEmpty) slots_[find(esi)] = esi;
    }
  }

  std::vector<uint32_t> slots_;
  size_t count_ = 0;
};

}  // namespace selvedge::fountain
