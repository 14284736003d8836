#include "wasm/meter.h"

#include <algorithm>

namespace selvedge::wasm {

std::vector<Charge> Meter::take() {
  const auto earlier = [](const Charge& a, const Charge& b) { return a.at < b.at; };
  std::sort(charges_.begin(), charges_.end(), earlier);
  size_t kept = 0;
  for (const Charge& charge : charges_) {
    if (kept == 0 || charges_[kept - 1].at != charge.at) {
      charges_[kept++] = charge;
      continue;
    }
    charges_[kept - 1].cost += charge.cost;
    charges_[kept - 1].goes_back |= charge.goes_back;
  }
  charges_.resize(kept);
  for (const uint32_t head : loop_heads_) {
    const auto found = std::lower_bound(charges_.begin(), charges_.end(), Charge{head}, earlier);
    if (found != charges_.end() && found->at == head) found->is_loop_head = true;
  }
  return charges_;
}

}  // namespace selvedge::wasm
