#include "wasm/meter.h"

#include <algorithm>

namespace selvedge::wasm {

std::vector<Charge> Meter::take() {
  std::sort(charges_.begin(), charges_.end(), [](const Charge& a, const Charge& b) { return a.at < b.at; });
  std::vector<Charge> out;
  for (const Charge& charge : charges_) {
    if (out.empty() || out.back().at != charge.at) {
      out.push_back(charge);
      continue;
    }
    out.back().cost += charge.cost;
    out.back().goes_back |= charge.goes_back;
  }
  std::sort(loop_heads_.begin(), loop_heads_.end());
  for (Charge& charge : out) {
    charge.is_loop_head = std::binary_search(loop_heads_.begin(), loop_heads_.end(), charge.at);
  }
  charges_.clear();
  return out;
}

}  // namespace selvedge::wasm
