#include "wasm/nan_flow.h"

namespace selvedge::wasm {

std::vector<NanFlow::Maker> NanFlow::finish() {
  std::vector<Node> open;
  for (Node node = 0; node < seen_.size(); ++node) {
    if (seen_[node]) open.push_back(node);
  }
  while (!open.empty()) {
    const Node node = open.back();
    open.pop_back();
    if (node >= sources_.size()) continue;
    for (const Node source : sources_[node]) {
      if (seen_[source]) continue;
      seen_[source] = true;
      open.push_back(source);
    }
  }
  std::vector<Maker> out;
  const size_t locals = sources_.size();
  for (size_t i = 0; i < makers_.size(); ++i) {
    if (seen_[locals + i]) out.push_back(makers_[i]);
  }
  return out;
}

}  // namespace selvedge::wasm
