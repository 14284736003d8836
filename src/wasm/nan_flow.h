// NanFlow: where floating point results have to be made canonical.
//
// The bits of a NaN that arithmetic makes differ between engines, and even between the tiers of one. It matters only
// where they can be seen: in memory, in an integer, in a global, in another function. So values are followed from
// the instruction that makes them through locals to what consumes them; arithmetic, comparisons and truncations give
// the same whatever NaN they get, everything else counts as seeing it. A local is one node for the whole
// function, in whatever order it is written and read, which keeps this right for loops. Where only made values and constants reach a
// local, it may instead be cleaned where it is read: a sum that a loop adds up is then cleaned once, behind the loop.
// Lanes are the same with one more rule: bits that one shape does not tell apart are plain to see in the other.
// The argument that this is enough is in docs/spec/metering.md, "NaN".
//
// Fed by the validator with live code only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace selvedge::wasm {

/// What a NaN stands in: a number, or the lanes of a vector.
enum class NanShape : uint8_t { kF32, kF64, kF32x4, kF64x2 };

/// The value on top of the stack is to be made canonical.
struct Canonical {
  static constexpr uint32_t kNoLocal = UINT32_MAX;
  uint32_t after = 0;  // where the instruction ends that made it
  NanShape shape = NanShape::kF32;
  uint32_t local = kNoLocal;  // from which it was read just now
};

class NanFlow {
 public:
  /// What an operand came from. kNowhere: something whose bits are defined, so that they must stay as they are, or no float.
  /// kNumber: the same, and it is certainly no NaN but the canonical one.
  using Node = uint32_t;
  static constexpr Node kNowhere = UINT32_MAX, kNumber = UINT32_MAX - 1;

  /// Begins a function with so many locals, the first `params` of which hold what callers pass.
  void begin(uint32_t params, uint32_t locals) {
    nodes_.clear();
    locals_.clear();
    params_ = params;
    local_count_ = locals;
  }

  /// The result of the instruction that ends at `after`, which makes a NaN of that shape, under so many loops.
  Node result(uint32_t after, NanShape shape, uint32_t loops) { return add({after, kNoLocal, weight(loops), shape, 0, false}); }
  /// A local of a type that can hold floats is read by the instruction that ends at `after`.
  Node read(uint32_t after, uint32_t local, uint32_t loops) { return add({after, local, weight(loops), NanShape::kF32, 0, false}); }
  /// Something that can tell NaNs apart takes the operand.
  void see(Node from) {
    if (from < kNumber) nodes_[from].seen = true;
  }
  /// Something takes the operand that tells no NaNs of that shape apart.
  void take(Node from, NanShape shape) {
    if (from < kNumber) nodes_[from].taken_as |= bit(shape);
  }
  /// The operand is written to a local.
  void store(Node from, uint32_t local) {
    if (from == kNowhere) local_at(local).has_defined_bits = true;
    else if (from != kNumber) local_at(local).sources.push_back(from);
  }

  /// The places to make canonical, by offset.
  std::vector<Canonical> finish();

 private:
  static constexpr uint32_t kNoLocal = Canonical::kNoLocal;
  struct Value {  // made by an instruction, or read from a local
    uint32_t after;
    uint32_t local;  // kNoLocal: made
    uint32_t weight;
    NanShape shape;  // of what is made
    uint8_t taken_as;
    bool seen;
  };
  struct Local {
    std::vector<Node> sources;
    uint8_t shapes = 0;             // of what may be in it
    bool has_defined_bits = false;  // something else than made values and numbers reaches it
    bool seen = false;
    bool lazy = false;              // cleaned where it is read
    NanShape shape = NanShape::kF32;
  };
  static uint8_t bit(NanShape shape) { return uint8_t(1u << uint8_t(shape)); }
  Node add(Value value) {
    nodes_.push_back(value);
    return Node(nodes_.size() - 1);
  }
  /// How often it runs, guessed from the loops around it.
  static uint32_t weight(uint32_t loops) { return 1u << (3 * (loops < 6 ? loops : 6)); }
  uint8_t shapes_of(const Value& value) const { return value.local == kNoLocal ? bit(value.shape) : locals_[value.local].shapes; }
  void find_shapes();
  void spread();
  bool may_be_lazy(Local& local) const;
  void choose_lazy();

  /// Most functions have nothing to do with floats.
  void make_locals();
  Local& local_at(uint32_t local) {
    if (locals_.empty()) make_locals();
    return locals_[local];
  }

  uint32_t params_ = 0, local_count_ = 0;
  std::vector<Local> locals_;
  std::vector<Value> nodes_;
};

}  // namespace selvedge::wasm
