#include "wasm/nan_flow.h"

namespace selvedge::wasm {

void NanFlow::make_locals() {
  locals_.resize(local_count_);
  for (uint32_t i = 0; i < params_; ++i) locals_[i].has_defined_bits = true;
}

/// What is taken as another shape than it was made in is seen. Shapes spread from local to local, and there are four, so each
/// copy is looked at a few times at most: a stranger's module decides how long the chains are.
void NanFlow::find_shapes() {
  std::vector<std::vector<uint32_t>> copied_to(locals_.size());
  std::vector<uint32_t> open;
  const auto add_shapes = [&](uint32_t local, uint8_t shapes) {
    if ((locals_[local].shapes | shapes) == locals_[local].shapes) return;
    locals_[local].shapes |= shapes;
    open.push_back(local);
  };
  for (uint32_t local = 0; local < locals_.size(); ++local) {
    for (const Node source : locals_[local].sources) {
      const Value& value = nodes_[source];
      if (value.local == kNoLocal) add_shapes(local, bit(value.shape));
      else copied_to[value.local].push_back(local);
    }
  }
  while (!open.empty()) {
    const uint32_t local = open.back();
    open.pop_back();
    for (const uint32_t to : copied_to[local]) add_shapes(to, locals_[local].shapes);
  }
  for (Value& value : nodes_) {
    const uint8_t shapes = shapes_of(value);
    const bool one = (shapes & (shapes - 1)) == 0;
    value.seen |= value.taken_as != 0 && shapes != 0 && !(one && value.taken_as == shapes);
  }
}

/// A local is seen when one of its reads is, or goes to a local that is.
void NanFlow::spread() {
  std::vector<uint32_t> open;
  const auto see_local = [&](uint32_t local) {
    if (local == kNoLocal || locals_[local].seen) return;
    locals_[local].seen = true;
    open.push_back(local);
  };
  for (const Value& value : nodes_) {
    if (value.seen) see_local(value.local);
  }
  while (!open.empty()) {
    const uint32_t local = open.back();
    open.pop_back();
    for (const Node source : locals_[local].sources) see_local(nodes_[source].local);
  }
}

/// Cleaning at the reads changes no defined bits when everything in the local was made by arithmetic of one shape.
bool NanFlow::may_be_lazy(Local& local) const {
  if (!local.seen || local.has_defined_bits || local.sources.empty()) return false;
  local.shape = nodes_[local.sources.front()].shape;
  for (const Node source : local.sources) {
    if (nodes_[source].local != kNoLocal || nodes_[source].shape != local.shape) return false;
  }
  return true;
}

void NanFlow::choose_lazy() {
  std::vector<uint64_t> at_reads(locals_.size(), 0);
  std::vector<bool> read_is_seen(nodes_.size(), false);
  for (Node node = 0; node < nodes_.size(); ++node) read_is_seen[node] = nodes_[node].seen;
  for (const Local& local : locals_) {
    if (!local.seen) continue;
    for (const Node source : local.sources) read_is_seen[source] = true;
  }
  for (Node node = 0; node < nodes_.size(); ++node) {
    if (nodes_[node].local != kNoLocal && read_is_seen[node]) at_reads[nodes_[node].local] += nodes_[node].weight;
  }
  for (size_t i = 0; i < locals_.size(); ++i) {
    if (!may_be_lazy(locals_[i])) continue;
    uint64_t at_makers = 0;
    for (const Node source : locals_[i].sources) at_makers += nodes_[source].seen ? 0 : nodes_[source].weight;
    locals_[i].lazy = at_reads[i] < at_makers;
  }
}

std::vector<Canonical> NanFlow::finish() {
  if (nodes_.empty()) return {};
  if (locals_.empty()) make_locals();
  find_shapes();
  spread();
  choose_lazy();
  for (const Local& local : locals_) {
    if (!local.seen || local.lazy) continue;
    for (const Node source : local.sources) nodes_[source].seen = true;
  }
  std::vector<Canonical> out;
  for (const Value& value : nodes_) {
    if (!value.seen) continue;
    if (value.local == kNoLocal) out.push_back({value.after, value.shape});
    else if (locals_[value.local].lazy) out.push_back({value.after, locals_[value.local].shape, value.local});
  }
  return out;
}

}  // namespace selvedge::wasm
