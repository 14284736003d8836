// Meter: decides where in a function fuel is charged, and how much.
//
// Instructions are gathered into metered blocks: all that run exactly as often as each other are paid for together
// when the first of them runs. Control flow ends a block, except that code after a `block` or `if` goes on with the
// block before it when no branch can have left further out, since it then runs equally often. So fuel is exact for
// the path taken, and straight code costs one charge. spec: docs/spec/metering.md, "Metered blocks".
//
// The first block of a loop's body runs once whenever the loop is entered, so that turn is paid with the block in which the loop stands;
// each further turn is paid for when the loop is begun again.
//
// Fed by the validator with live code only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace selvedge::wasm {

struct Charge {
  uint32_t at = 0;  // before the instruction at this offset
  uint64_t cost = 0;
  bool is_loop_head = false;  // to be paid when the loop is begun again
  bool goes_back = false;     // it ends in a branch that begins the innermost loop around it again
};

class Meter {
 public:
  /// Begins a function. `at`: offset of its first instruction; `entry_cost`: of being called.
  void begin(uint32_t at, uint64_t entry_cost) {
    charges_.clear();
    loop_heads_.clear();
    frames_.assign(1, {0, {at, entry_cost, false}, false, 0, 0});
  }

  void add(uint64_t cost) { frames_.back().active.cost += cost; }
  /// A block goes on with the metered block it stands in, until something branches.
  void open_block() { frames_.push_back({uint32_t(frames_.size()), {frames_.back().active.at, 0, false}, false, 0, 0}); }
  /// `next`: offset of the instruction after the opening one.
  void open_if(uint32_t next) { frames_.push_back({uint32_t(frames_.size()), {next, 0, false}, false, 0, 0}); }
  void open_loop(uint32_t next, uint64_t cost) {
    loop_heads_.push_back(next);
    frames_.push_back({uint32_t(frames_.size()), {next, cost, false}, true, next, 0});
  }
  void else_arm(uint32_t next) { finish_active(next); }
  /// A branch to the frame `target` (0 is the function). Call branched() after the last of an instruction.
  void branch(uint32_t target) {
    Frame& top = frames_.back();
    if (target < top.lowest_branch) top.lowest_branch = target;
  }
  void branched(uint32_t next) { finish_active(next); }
  /// The branch that comes begins the innermost loop again, whatever happens.
  void going_back() { frames_.back().active.goes_back = true; }
  void close(uint32_t next) {
    finish_active(next);
    const Frame closing = frames_.back();
    frames_.pop_back();
    if (frames_.empty()) return;
    Frame& outer = frames_.back();
    outer.active.cost += closing.first_turn_cost;
    if (closing.lowest_branch < outer.lowest_branch) outer.lowest_branch = closing.lowest_branch;
    // Something inside may have jumped past the end of this block, or back to a loop around it: what follows does not always run.
    if (closing.lowest_branch < frames_.size()) finish_active(next);
  }
  size_t depth() const { return frames_.size(); }

  /// The charges in the order of their offsets, none of them zero.
  std::vector<Charge> take();

 private:
  struct Active {
    uint32_t at;
    uint64_t cost;
    bool goes_back;
  };
  struct Frame {
    uint32_t lowest_branch;  // the outermost frame that something in this one branches to
    Active active;
    bool is_loop;
    uint32_t begin;            // of a loop: offset of its body
    uint64_t first_turn_cost;  // of its first block, once that is complete
  };
  void finish_active(uint32_t next) {
    const Active closing = frames_.back().active;
    frames_.back().active = {next, 0, false};
    if (frames_.size() > 1) {
      Active& outer = frames_[frames_.size() - 2].active;
      if (outer.at == closing.at) {
        outer.cost += closing.cost;
        outer.goes_back |= closing.goes_back;
        return;
      }
    }
    if (frames_.back().is_loop && frames_.back().begin == closing.at) frames_.back().first_turn_cost = closing.cost;
    if (closing.cost > 0) charges_.push_back({closing.at, closing.cost, false, closing.goes_back});
  }

  std::vector<Frame> frames_;
  std::vector<Charge> charges_;
  std::vector<uint32_t> loop_heads_;
};

}  // namespace selvedge::wasm
