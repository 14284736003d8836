#include "wasm/emit.h"

#include <algorithm>

namespace selvedge::wasm {
namespace {

class FunctionEmitter {
 public:
  FunctionEmitter(const Module& module, uint32_t defined, const FunctionPlan& plan, const Layout& layout, TypePool& types, CodeWriter& out)
      : module_(module),
        plan_(plan),
        layout_(layout),
        types_(types),
        type_(module.types[module.functions[defined]]),
        begin_(module.bodies[defined].begin),
        end_(module.bodies[defined].end),
        w_(out) {}

  Status emit() {
    TRY(locals());
    if (plan_.counts_depth) enter_depth();
    labels_.push_back({open_, !type_.results.empty()});
    at_ = plan_.code_at;
    while (!finished_ && next_mark_ < plan_.marks.size()) TRY(mark());
    const bool done = finished_ && next_mark_ == plan_.marks.size() && next_charge_ == plan_.charges.size() && next_canonical_ == plan_.canonical.size() &&
                      next_opaque_ == plan_.opaque.size() && next_loop_ == plan_.loops.size();
    if (!done) return fail(Errc::kInternal, "the rewriter lost its place; report this module");
    return ok();
  }

 private:
  // Where the current amount of fuel is. At every label it is (at least) in the local, at the function's own label
  // in the global: so only calls and ends write the global, and only what needs it reads it back.
  enum class Fuel { kGlobalOnly, kLocalOnly, kBoth };

  enum class Form : uint8_t { kPlain, kAsksInside, kAsksOutside };
  /// A label of the program, open here.
  struct Label {
    uint32_t open = 0;            // labels open in the output with this one
    bool takes_operands = false;  // branches to it bring some
    // Of a loop that may begin again. The label is a block around its body, so that each turn ends behind it.
    Form form = Form::kPlain;
    const LoopPlan* loop = nullptr;
    uint64_t cost = 0;
    uint32_t exit = 0;  // labels open with the block around it all
  };

  Status locals() {
    Reader in(module_.bytes, begin_, plan_.code_at);
    const uint32_t groups = TRY(in.u32());
    bool needs[4] = {false, false, false, false};
    bool hides[kSavedTypes] = {};
    for (const Opaque& opaque : plan_.opaque) hides[saved_type(opaque.type)] = true;
    for (const Canonical& canonical : plan_.canonical) needs[size_t(canonical.shape)] |= canonical.local == Canonical::kNoLocal;
    const bool needs_vector = needs[size_t(NanShape::kF32x4)] || needs[size_t(NanShape::kF64x2)];
    w_.u32(groups + 1 + uint32_t(plan_.counts_depth) + uint32_t(std::count(hides, hides + kSavedTypes, true)) + uint32_t(needs[0]) + uint32_t(needs[1]) + uint32_t(needs_vector));
    for (uint32_t i = 0; i < groups; ++i) {
      w_.u32(TRY(in.u32()));
      w_.byte(TRY(in.byte()));
    }
    uint32_t next = uint32_t(plan_.locals.size());
    const auto add = [&](ValType type) {
      w_.u32(1).byte(uint8_t(type));
      return next++;
    };
    fuel_ = add(ValType::kI64);
    if (plan_.counts_depth) depth_ = add(ValType::kI32);
    for (size_t i = 0; i < kSavedTypes; ++i) {
      if (hides[i]) hidden_[i] = add(ValType(uint8_t(ValType::kI32) - i));
    }
    if (needs[0]) nan_[0] = add(ValType::kF32);
    if (needs[1]) nan_[1] = add(ValType::kF64);
    if (needs_vector) nan_[2] = nan_[3] = add(ValType::kV128);
    return ok();
  }

  // --- call depth ------------------------------------------------------------------------------------------------

  uint32_t frame_slots() const {
    const uint64_t slots = uint64_t(kDepthFrameSlots) + plan_.locals.size() + plan_.height_max;
    return uint32_t(std::min<uint64_t>(slots, uint64_t(kDepthSlotsMax) + 1));
  }

  /// Takes the frame's slots and opens the block whose end is the function's only exit.
  void enter_depth() {
    w_.byte(kGlobalGet).u32(layout_.depth_global).byte(kI32Const).s64(frame_slots()).byte(kI32Sub);
    w_.byte(kLocalTee).u32(depth_).byte(kGlobalSet).u32(layout_.depth_global);
    w_.byte(kLocalGet).u32(depth_).byte(kI32Const).s64(0).byte(kI32LtS).byte(kIf).byte(kEmptyBlock);
    w_.byte(kI32Const).s64(int64_t(YieldReason::kDepth)).byte(kI32Const).s64(0).byte(kCall).u32(layout_.yield_function);
    w_.byte(kDrop).byte(kUnreachable).byte(kEnd);
    w_.byte(kBlock);
    if (type_.results.empty()) w_.byte(kEmptyBlock);
    else if (type_.results.size() == 1) w_.byte(uint8_t(type_.results[0]));
    else w_.s64(types_.index_of({{}, type_.results}));
    ++open_;
  }

  void leave_depth() {
    close_label();
    w_.byte(kLocalGet).u32(depth_).byte(kI32Const).s64(frame_slots()).byte(kI32Add);
    w_.byte(kGlobalSet).u32(layout_.depth_global);
  }

  // --- instructions ----------------------------------------------------------------------------------------------

  /// The code up to the next mark, and what becomes of the instruction there.
  Status mark() {
    const uint32_t start = plan_.marks[next_mark_++];
    copy_to(start);
    Reader in(module_.bytes, start, end_);
    Instruction at;
    if (!read_usual(in, at)) TRY(read_instruction(in, UINT32_MAX, at));
    at_ = at.end;
    return instruction(at);
  }

  /// Most code stays as it is, but for what is charged, hidden and made canonical in it.
  void copy_to(uint32_t to) {
    while (!dead_) {
      const uint32_t canonical = next_canonical_ < plan_.canonical.size() ? plan_.canonical[next_canonical_].after : UINT32_MAX;
      const uint32_t charged = next_charge_ < plan_.charges.size() ? plan_.charges[next_charge_].at : UINT32_MAX;
      const uint32_t opaque = next_opaque_ < plan_.opaque.size() ? plan_.opaque[next_opaque_].offset : UINT32_MAX;
      const uint32_t stop = std::min({canonical, charged, opaque, to});
      w_.raw(module_.bytes.subspan(at_, stop - at_));
      at_ = stop;
      if (canonical == stop) make_canonical(plan_.canonical[next_canonical_++]);
      else if (stop == to) break;
      else if (charged == stop) charge_next();
      else hide_constant(plan_.opaque[next_opaque_++]);
    }
    at_ = to;
  }

  Status instruction(const Instruction& at) {
    if (dead_) {
      skip_dead(at);
      if (dead_) return ok();
    }
    if (next_charge_ < plan_.charges.size() && plan_.charges[next_charge_].at == at.start) charge_next();
    switch (at.op) {
      case kLoop: return loop(at);
      case kBlock: case kIf:
        need_local();
        copy(at);
        ++open_;
        labels_.push_back({open_, takes_operands(at)});
        fuel_at_ = Fuel::kLocalOnly;
        return ok();
      case kElse:
        if (!arm_was_dead_) need_local();
        copy(at);
        fuel_at_ = Fuel::kLocalOnly;
        break;
      case kEnd: end(); break;
      case kBr: case kBrIf: case kBrTable: case kReturn: branch(at); return ok();
      case kUnreachable:
        copy(at);
        die();
        return ok();
      case kCall: case kCallIndirect: call(at); return ok();
      case kMemoryGrow:
        need_global();
        w_.byte(kCall).u32(layout_.grow_function);
        fuel_at_ = Fuel::kGlobalOnly;
        return ok();
      case kMemoryCopy: case kMemoryFill: case kMemoryInit: case kTableCopy: case kTableInit:
        need_global();
        w_.byte(kCall).u32(at.op == kTableCopy || at.op == kTableInit ? layout_.elements_function : layout_.bulk_function);
        copy(at);
        fuel_at_ = Fuel::kGlobalOnly;
        return ok();
      default: return fail(Errc::kInternal, "the rewriter marked what it does not know");
    }
    arm_was_dead_ = false;
    return ok();
  }

  /// Code that cannot be reached is dropped: it costs nothing and means nothing.
  void skip_dead(const Instruction& at) {
    if (at.op == kBlock || at.op == kLoop || at.op == kIf) ++dead_nesting_;
    if (at.op != kEnd && at.op != kElse) return;
    if (dead_nesting_ > 0) {
      if (at.op == kEnd) --dead_nesting_;
      return;
    }
    dead_ = false;
    arm_was_dead_ = true;
  }
  void die() {
    dead_ = true;
    dead_nesting_ = 0;
  }

  void end() {
    const Label label = labels_.back();
    labels_.pop_back();
    if (!labels_.empty()) {
      if (!arm_was_dead_) need_local();
      if (label.form == Form::kPlain) close_label();
      else close_loop(label);
      fuel_at_ = Fuel::kLocalOnly;
      return;
    }
    if (!arm_was_dead_) need_global();
    if (plan_.counts_depth) leave_depth();
    w_.byte(kEnd);
    finished_ = true;
  }

  // --- labels and branches ---------------------------------------------------------------------------------------

  void open_label(uint16_t op, ByteView type) {
    w_.byte(uint8_t(op)).raw(type);
    ++open_;
  }
  void close_label() {
    w_.byte(kEnd);
    --open_;
  }
  ByteView block_type(const Instruction& at) const { return module_.bytes.subspan(at.start + 1, at.end - at.start - 1); }
  bool takes_operands(const Instruction& at) const {
    if (at.block_type < 0) return at.block_type != -64 && at.op != kLoop;
    const FunctionType& type = module_.types[size_t(at.block_type)];
    return !(at.op == kLoop ? type.params : type.results).empty();
  }
  const Label& label(uint32_t index) const { return labels_[labels_.size() - 1 - index]; }
  bool leaves_function(uint32_t index) const { return index + 1 == labels_.size(); }
  bool leaves_copy(uint32_t index) const { return copy_label_ > 0 && labels_.size() - 1 - index < copy_label_; }

  void branch(const Instruction& at) {
    if (at.op == kBrIf) return branch_if(at.index);
    bool leaves = at.op == kReturn, stays = false;
    const auto look_at = [&](uint32_t index) { (leaves_function(index) ? leaves : stays) = true; };
    if (at.op == kBr) look_at(at.index);
    if (at.op == kBrTable) each_label(at, look_at);
    if (at.op == kReturn || (at.op == kBr && leaves_copy(at.index))) refund();
    if (leaves) need_global();
    if (stays) need_local();
    if (at.op == kBrTable) {
      w_.byte(kBrTable).u32(at.index);
      each_label(at, [&](uint32_t index) { w_.u32(open_ - label(index).open); });
    } else if (at.op == kReturn && !plan_.counts_depth) {
      w_.byte(kReturn);
    } else {
      w_.byte(kBr).u32(open_ - labels_[at.op == kReturn ? 0 : labels_.size() - 1 - at.index].open);
    }
    die();
  }

  template <class Do>
  void each_label(const Instruction& at, Do what) const {
    Reader labels(module_.bytes, at.labels_at, at.end);
    for (uint32_t i = 0; i <= at.index; ++i) what(labels.u32().value_or(0));
  }

  /// What only the branch needs is done on its way, where that is possible: most are not taken.
  void branch_if(uint32_t index) {
    const bool leaves = leaves_function(index);
    const bool pays_back = copy_.refund > 0 && leaves_copy(index);
    if ((pays_back || (leaves && fuel_at_ == Fuel::kLocalOnly)) && !label(index).takes_operands) {
      const Fuel before = fuel_at_;
      open_label(kIf, kEmpty);
      if (pays_back) refund();
      if (leaves) need_global();
      w_.byte(kBr).u32(open_ - label(index).open);
      close_label();
      fuel_at_ = before;
      return;
    }
    if (leaves) need_global();
    else need_local();
    w_.byte(kBrIf).u32(open_ - label(index).open);
  }

  // --- loops -----------------------------------------------------------------------------------------------------

  Status loop(const Instruction& at) {
    const LoopPlan& plan = plan_.loops[next_loop_++];
    const uint64_t cost = plan_.charges[next_charge_].cost;
    if (plan.begin != at.end || plan_.charges[next_charge_].at != at.end) return fail(Errc::kInternal, "the rewriter lost a loop");
    ++next_charge_;
    need_local();
    fuel_at_ = Fuel::kLocalOnly;
    if (!plan.begins_again) {
      open_label(kBlock, block_type(at));
      labels_.push_back({open_, false});
      return ok();
    }
    if (plan.copies > 1) return copied_loop(at, plan, cost);
    const Form form = plan.calls || plan.has_params ? Form::kAsksInside : Form::kAsksOutside;
    open_label(kBlock, block_type(at));
    const uint32_t exit = open_;
    if (form == Form::kAsksOutside) {
      begin_asking();
    } else {
      open_label(kLoop, block_type(at));
      w_.byte(kLocalGet).u32(fuel_);
      ask_if_negative();
    }
    if (plan.has_params) {
      const std::vector<ValType>& params = module_.types[size_t(at.block_type)].params;
      Bytes type;
      Writer(type).s64(types_.index_of({params, params}));
      open_label(kBlock, type);
    } else {
      open_label(kBlock, kEmpty);
    }
    labels_.push_back({open_, takes_operands(at), form, &plan, cost, exit});
    return ok();
  }

  /// block: loop { fuel below zero: ask; block { body; leave }; pay for the next turn; again }
  void close_loop(const Label& label) {
    w_.byte(kBr).u32(open_ - label.exit);
    close_label();
    subtract(int64_t(label.cost));
    w_.byte(kLocalSet).u32(fuel_).byte(kBr).u32(0);
    close_label();
    if (label.form == Form::kAsksOutside) end_asking(*label.loop);
    w_.byte(kUnreachable);
    close_label();
  }

  /// loop: block: loop { fuel below zero: leave the block; ... } end; ask; again. A loop without calls asks outside itself,
  /// because engines save a loop's registers around a call in it on every turn.
  void begin_asking() {
    open_label(kLoop, kEmpty);
    open_label(kBlock, kEmpty);
    open_label(kLoop, kEmpty);
    w_.byte(kLocalGet).u32(fuel_).byte(kI64Const).s64(0).byte(kI64LtS).byte(kBrIf).u32(1);
    ++loops_without_calls_;
  }
  /// Behind the inner of the two loops.
  void end_asking(const LoopPlan& loop) {
    close_label();
    ask_outside(loop);
    w_.byte(kBr).u32(0);
    close_label();
    --loops_without_calls_;
  }

  /// Asks for fuel where the loop's numbers are carried over in globals, so that none of them lives across the call:
  /// engines that keep such a value in memory would do so in the whole loop.
  void ask_outside(const LoopPlan& loop) {
    carry_locals(loop, kGlobalSet);
    w_.byte(kLocalGet).u32(fuel_).byte(kCall).u32(layout_.slow_function).byte(kLocalSet).u32(fuel_);
    carry_locals(loop, kGlobalGet);
  }
  void carry_locals(const LoopPlan& loop, uint16_t how) {
    uint32_t used[kSavedTypes] = {};
    for (const uint32_t local : loop.saved) {
      const size_t type = saved_type(plan_.locals[local]);
      const uint32_t global = layout_.saved_globals[type] + used[type]++;
      if (how == kGlobalSet) w_.byte(kLocalGet).u32(local).byte(kGlobalSet).u32(global);
      else w_.byte(kGlobalGet).u32(global).byte(kLocalSet).u32(local);
    }
  }

  /// block: loop { fuel below zero: ask
  ///               block { body; leave }                                      one turn that is paid alone
  ///               block: loop { pay for all copies, or leave; copy; copy; ...; again }
  ///               take that back but for one turn; again }
  Status copied_loop(const Instruction& at, const LoopPlan& plan, uint64_t cost) {
    const size_t charges = next_charge_, canonical = next_canonical_, opaque = next_opaque_, marks = next_mark_;
    uint64_t inner = 0;  // what one turn may cost besides
    for (size_t i = charges; i < plan_.charges.size() && plan_.charges[i].at < plan.end; ++i) inner += plan_.charges[i].cost;
    const uint64_t turn = plan.refundable ? cost + common_cost(plan) : 0;  // paid ahead for each copy
    const uint64_t ahead = plan.copies * turn, floor = plan.copies * (inner + cost) - ahead;
    open_label(kBlock, block_type(at));
    Copy copy;
    copy.exit = open_;
    begin_asking();
    TRY(copy_body(plan, copy));
    open_label(kBlock, kEmpty);
    open_label(kLoop, kEmpty);
    if (ahead > 0) subtract(int64_t(ahead)), w_.byte(kLocalTee).u32(fuel_);
    else w_.byte(kLocalGet).u32(fuel_);
    w_.byte(kI64Const).s64(int64_t(floor)).byte(kI64LtS).byte(kBrIf).u32(1);
    for (uint32_t left = plan.copies; left > 0; --left) {
      next_charge_ = charges;
      next_canonical_ = canonical;
      next_opaque_ = opaque;
      next_mark_ = marks;
      copy.cost = plan.refundable ? 0 : cost;
      copy.common = plan.refundable ? turn - cost : 0;
      copy.refund = plan.refundable ? left * turn - cost : 0;
      TRY(copy_body(plan, copy));
    }
    w_.byte(kBr).u32(0);
    close_label();
    close_label();
    w_.byte(kLocalGet).u32(fuel_).byte(kI64Const).s64(int64_t(ahead) - int64_t(cost)).byte(kI64Add).byte(kLocalSet).u32(fuel_);
    w_.byte(kBr).u32(0);
    close_label();
    end_asking(plan);
    w_.byte(kUnreachable);
    close_label();
    ++next_mark_;  // its end
    at_ = plan.end + 1;
    fuel_at_ = Fuel::kLocalOnly;
    return ok();
  }

  /// What most of the blocks cost in which a turn ends. It is paid ahead too, so that these need not charge at all.
  /// A turn that ends in the block it began with has no charge left from which it could be taken off, so then nothing is.
  uint64_t common_cost(const LoopPlan& plan) const {
    if (!plan.turns_by_br || plan_.charges[next_charge_ - 1].goes_back) return 0;
    std::map<uint64_t, int> blocks;
    for (size_t i = next_charge_; i < plan_.charges.size() && plan_.charges[i].at < plan.end; ++i) {
      if (plan_.charges[i].goes_back) ++blocks[plan_.charges[i].cost];
    }
    const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
    const auto most = std::max_element(blocks.begin(), blocks.end(), fewer);
    return most == blocks.end() ? 0 : most->first;
  }

  /// One turn of a loop's body, standing alone.
  struct Copy {
    uint32_t exit = 0;    // the label behind the loop, as labels open with it
    uint64_t cost = 0;    // of the turn, when it was not paid ahead
    uint64_t common = 0;  // paid ahead for the block in which the turn ends
    uint64_t refund = 0;  // paid ahead and not used when the loop is left in this turn
  };
  /// A branch to the loop leads behind the copy.
  Status copy_body(const LoopPlan& plan, const Copy& copy) {
    open_label(kBlock, kEmpty);
    labels_.push_back({open_, false});
    copy_label_ = labels_.size() - 1;
    copy_ = copy;
    fuel_at_ = Fuel::kLocalOnly;
    if (copy.cost > 0) subtract(int64_t(copy.cost)), w_.byte(kLocalSet).u32(fuel_);
    at_ = plan.begin;
    while (next_mark_ < plan_.marks.size() && plan_.marks[next_mark_] < plan.end) TRY(mark());
    copy_to(plan.end);
    if (!dead_) {
      refund();
      need_local();
      w_.byte(kBr).u32(open_ - copy.exit);
    }
    dead_ = arm_was_dead_ = false;
    copy_label_ = 0;
    copy_ = Copy();
    labels_.pop_back();
    close_label();
    fuel_at_ = Fuel::kLocalOnly;
    return ok();
  }

  // --- fuel ------------------------------------------------------------------------------------------------------

  void call(const Instruction& at) {
    if (plan_.checks_blocks) {
      need_local();
      w_.byte(kLocalGet).u32(fuel_);
      ask_if_negative();
      fuel_at_ = Fuel::kLocalOnly;
    }
    need_global();
    if (at.op == kCallIndirect) {
      w_.byte(kCallIndirect).u32(at.index).byte(0);
    } else {
      const bool imported = at.index < module_.imports.size();
      w_.byte(kCall).u32(imported ? at.index : at.index + 1);  // the yield import stands between imports and functions
      called_ |= !imported;
    }
    called_ |= at.op == kCallIndirect;
    fuel_at_ = Fuel::kGlobalOnly;
  }

  /// Leaves what remains on the stack.
  void subtract(int64_t cost) {
    if (fuel_at_ == Fuel::kGlobalOnly) w_.byte(kGlobalGet).u32(layout_.fuel_global);
    else w_.byte(kLocalGet).u32(fuel_);
    w_.byte(kI64Const).s64(cost).byte(kI64Sub);
  }

  /// Fuel is on the stack and in the local.
  void ask_if_negative() {
    w_.byte(kI64Const).s64(0).byte(kI64LtS).byte(kIf).byte(kEmptyBlock);
    w_.byte(kLocalGet).u32(fuel_).byte(kCall).u32(layout_.slow_function).byte(kLocalSet).u32(fuel_).byte(kEnd);
  }

  void charge_next() {
    const Charge& charge = plan_.charges[next_charge_++];
    const bool at_entry = charge.at == plan_.code_at;
    const int64_t cost = int64_t(charge.cost) - int64_t(charge.goes_back ? copy_.common : 0);
    if (cost == 0) return;
    subtract(cost);
    const bool after_call = plan_.checks_after_calls && called_ && loops_without_calls_ == 0;
    if ((at_entry && plan_.checks_entry) || after_call || plan_.checks_blocks) {
      w_.byte(kLocalTee).u32(fuel_);
      ask_if_negative();
    } else {
      w_.byte(kLocalSet).u32(fuel_);
    }
    fuel_at_ = Fuel::kLocalOnly;
  }

  void refund() {
    if (copy_.refund == 0) return;
    w_.byte(kLocalGet).u32(fuel_).byte(kI64Const).s64(int64_t(copy_.refund)).byte(kI64Add).byte(kLocalSet).u32(fuel_);
    fuel_at_ = Fuel::kLocalOnly;
  }

  void need_local() {
    if (fuel_at_ != Fuel::kGlobalOnly) return;
    w_.byte(kGlobalGet).u32(layout_.fuel_global).byte(kLocalSet).u32(fuel_);
    fuel_at_ = Fuel::kBoth;
  }
  void need_global() {
    if (fuel_at_ != Fuel::kLocalOnly) return;
    w_.byte(kLocalGet).u32(fuel_).byte(kGlobalSet).u32(layout_.fuel_global);
    fuel_at_ = Fuel::kBoth;
  }

  // --- constants and NaN -----------------------------------------------------------------------------------------

  /// Carries the last operand through a local, so that no engine takes it for a constant.
  void hide_constant(const Opaque& what) {
    const uint32_t local = hidden_[saved_type(what.type)];
    w_.byte(kLocalSet).u32(local).byte(kLocalGet).u32(local);
  }

  /// Gives a NaN its one representation where someone can see it.
  void make_canonical(const Canonical& what) {
    const bool is_read = what.local != Canonical::kNoLocal;
    const uint32_t local = is_read ? what.local : nan_[size_t(what.shape)];
    if (!is_read) w_.byte(kLocalTee).u32(local);
    const bool single = what.shape == NanShape::kF32 || what.shape == NanShape::kF32x4;
    const ByteView nan = single ? ByteView(kNanF32) : ByteView(kNanF64);
    const bool is_vector = what.shape == NanShape::kF32x4 || what.shape == NanShape::kF64x2;
    if (is_vector) op(kV128Const);
    else op(single ? kF32Const : kF64Const);
    for (size_t i = is_vector ? 16 / nan.size() : 1; i > 0; --i) w_.raw(nan);
    w_.byte(kLocalGet).u32(local).byte(kLocalGet).u32(local);
    if (is_vector) op(single ? kF32x4Eq : kF64x2Eq), op(kBitselect);
    else op(single ? kF32Eq : kF64Eq), op(kSelect);
  }

  void op(uint16_t code) {
    if (code >= kPrefixFd) w_.byte(0xFD).u32(code - kPrefixFd);
    else w_.byte(uint8_t(code));
  }
  void copy(const Instruction& at) { w_.raw(module_.bytes.subspan(at.start, at.end - at.start)); }

  static constexpr uint8_t kEmpty[] = {kEmptyBlock};
  static constexpr uint8_t kNanF32[] = {0, 0, 0xC0, 0x7F};
  static constexpr uint8_t kNanF64[] = {0, 0, 0, 0, 0, 0, 0xF8, 0x7F};

  const Module& module_;
  const FunctionPlan& plan_;
  const Layout& layout_;
  TypePool& types_;
  const FunctionType& type_;
  const uint32_t begin_, end_;  // of the body in the module
  uint32_t at_ = 0;             // up to where it is done
  CodeWriter& w_;
  uint32_t fuel_ = 0, depth_ = 0, nan_[4] = {}, hidden_[kSavedTypes] = {};  // locals
  Fuel fuel_at_ = Fuel::kGlobalOnly;
  uint32_t open_ = 0;  // labels open in the output
  std::vector<Label> labels_;
  size_t next_charge_ = 0, next_canonical_ = 0, next_opaque_ = 0, next_loop_ = 0, next_mark_ = 0;
  size_t copy_label_ = 0;  // where the label of the body that is being copied stands in labels_
  Copy copy_;
  uint32_t loops_without_calls_ = 0;
  bool called_ = false;    // some defined function, in the code so far
  bool dead_ = false, arm_was_dead_ = false, finished_ = false;
  uint32_t dead_nesting_ = 0;
};

}  // namespace

Status emit_function(const Module& module, uint32_t defined_index, const FunctionPlan& plan, const Layout& layout, TypePool& types,
                     CodeWriter& out) {
  out.clear();
  return FunctionEmitter(module, defined_index, plan, layout, types, out).emit();
}

}  // namespace selvedge::wasm
