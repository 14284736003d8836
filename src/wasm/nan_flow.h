// NanFlow: which floating point results have to be made canonical.
//
// The bits of a NaN that arithmetic makes differ between engines, and even between the tiers of one. It matters only
// where they can be seen: in memory, in an integer, in a global, in another function. So values are followed from
// the instruction that makes them through locals to what consumes them; arithmetic, comparisons and truncations give
// the same whatever NaN they get, everything else counts as seeing it. A local is one node for the whole
// function, in whatever order it is written and read, which keeps this right for loops. spec: docs/spec/metering.md.
//
// Fed by the validator with live code only; one NanFlow per function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace selvedge::wasm {

class NanFlow {
 public:
  /// What an operand came from. kNowhere: something whose bits are defined, or that is not a float.
  using Node = uint32_t;
  static constexpr Node kNowhere = UINT32_MAX;

  explicit NanFlow(uint32_t locals) : seen_(locals, false), sources_(locals) {}

  Node local(uint32_t index) const { return index; }
  /// The result of the instruction at `offset`.
  Node result(uint32_t offset, bool is_f32) {
    makers_.push_back({offset, is_f32});
    seen_.push_back(false);
    return Node(seen_.size() - 1);
  }
  /// Something that can tell NaNs apart takes the operand.
  void see(Node from) {
    if (from != kNowhere) seen_[from] = true;
  }
  /// The operand is written to a local.
  void store(Node from, uint32_t local) {
    if (from != kNowhere && from != local) sources_[local].push_back(from);
  }

  struct Maker {
    uint32_t offset = 0;
    bool is_f32 = false;
  };
  /// The makers whose results can be seen, by offset.
  std::vector<Maker> finish();

 private:
  // Nodes: the locals, then the makers in the order of the code.
  std::vector<bool> seen_;
  std::vector<std::vector<Node>> sources_;  // of each local: what is written to it
  std::vector<Maker> makers_;
};

}  // namespace selvedge::wasm
