#include "wasm/emit.h"

namespace selvedge::wasm {
namespace {


class FunctionEmitter {
 public:
  FunctionEmitter(const Module& module, uint32_t defined, const FunctionPlan& plan, const Layout& layout)
      : module_(module),
        plan_(plan),
        layout_(layout),
        type_(module.types[module.functions[defined]]),
        in_(module.bytes, module.bodies[defined].begin, module.bodies[defined].end),
        w_(out_) {}

  Result<Bytes> emit(uint32_t results_block_type) {
    TRY(locals());
    if (counts_depth(plan_)) enter_depth(results_block_type);
    while (!finished_) instruction(TRY(read_instruction(in_, UINT32_MAX)));
    if (next_charge_ != plan_.charges.size() || next_canonical_ != plan_.canonical.size()) {
      return fail(Errc::kInternal, "the rewriter lost its place; report this module");
    }
    return std::move(out_);
  }

 private:
  // Where the current amount of fuel is. At every label it is (at least) in the local, at the function's own label
  // in the global: so only calls and ends write the global, and only what needs it reads it back.
  enum class Fuel { kGlobalOnly, kLocalOnly, kBoth };

  Status locals() {
    const uint32_t groups = TRY(in_.u32());
    const uint32_t extra = 1 + uint32_t(counts_depth(plan_)) + uint32_t(plan_.makes_nan_f32) + uint32_t(plan_.makes_nan_f64);
    w_.u32(groups + extra);
    for (uint32_t i = 0; i < groups; ++i) {
      w_.u32(TRY(in_.u32()));
      w_.byte(TRY(in_.byte()));
    }
    uint32_t next = plan_.locals;
    const auto add = [&](ValType type) {
      w_.u32(1).byte(uint8_t(type));
      return next++;
    };
    fuel_ = add(ValType::kI64);
    if (counts_depth(plan_)) depth_ = add(ValType::kI32);
    if (plan_.makes_nan_f32) nan_f32_ = add(ValType::kF32);
    if (plan_.makes_nan_f64) nan_f64_ = add(ValType::kF64);
    return ok();
  }

  uint32_t frame_slots() const {
    const uint64_t slots = uint64_t(kDepthFrameSlots) + plan_.locals + plan_.height_max;
    return uint32_t(std::min<uint64_t>(slots, uint64_t(kDepthSlotsMax) + 1));
  }

  /// Takes the frame's slots and opens the block whose end is the function's only exit.
  void enter_depth(uint32_t results_block_type) {
    w_.byte(kGlobalGet).u32(layout_.depth_global).byte(kI32Const).s64(frame_slots()).byte(kI32Sub);
    w_.byte(kLocalTee).u32(depth_).byte(kGlobalSet).u32(layout_.depth_global);
    w_.byte(kLocalGet).u32(depth_).byte(kI32Const).s64(0).byte(kI32LtS).byte(kIf).byte(kEmptyBlock);
    w_.byte(kI32Const).s64(int64_t(YieldReason::kDepth)).byte(kCall).u32(layout_.yield_function);
    w_.byte(kDrop).byte(kUnreachable).byte(kEnd);
    w_.byte(kBlock);
    if (type_.results.empty()) w_.byte(kEmptyBlock);
    else if (type_.results.size() == 1) w_.byte(uint8_t(type_.results[0]));
    else w_.s64(results_block_type);
  }

  void leave_depth() {
    w_.byte(kEnd).byte(kLocalGet).u32(depth_).byte(kI32Const).s64(frame_slots()).byte(kI32Add);
    w_.byte(kGlobalSet).u32(layout_.depth_global);
  }

  void instruction(const Instruction& at) {
    if (dead_) {
      skip_dead(at);
      if (dead_) return;
    }
    if (next_charge_ < plan_.charges.size() && plan_.charges[next_charge_].at == at.start) {
      charge(plan_.charges[next_charge_++], at.start == plan_.code_at);
    }
    switch (at.op) {
      case kBlock: case kLoop: case kIf:
        need_local();
        copy(at);
        ++open_;
        fuel_at_ = Fuel::kLocalOnly;
        return;
      case kElse:
        if (!arm_was_dead_) need_local();
        copy(at);
        fuel_at_ = Fuel::kLocalOnly;
        break;
      case kEnd: end(); break;
      case kBr: case kBrIf: case kBrTable: case kReturn: branch(at); return;
      case kUnreachable:
        copy(at);
        die();
        return;
      case kCall: call(at); return;
      case kCallIndirect:
        need_global();
        w_.byte(kCallIndirect).u32(at.index).byte(0);
        fuel_at_ = Fuel::kGlobalOnly;
        return;
      case kMemoryGrow:
        need_global();
        w_.byte(kCall).u32(layout_.grow_function);
        fuel_at_ = Fuel::kGlobalOnly;
        return;
      case kMemoryCopy: case kMemoryFill:
        need_global();
        w_.byte(kCall).u32(layout_.bulk_function);
        copy(at);
        fuel_at_ = Fuel::kGlobalOnly;
        return;
      default:
        copy(at);
        canonical(at);
        return;
    }
    arm_was_dead_ = false;
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
    if (open_ > 0) {
      if (!arm_was_dead_) need_local();
      w_.byte(kEnd);
      --open_;
      fuel_at_ = Fuel::kLocalOnly;
      return;
    }
    if (!arm_was_dead_) need_global();
    if (counts_depth(plan_)) leave_depth();
    w_.byte(kEnd);
    finished_ = true;
  }

  void branch(const Instruction& at) {
    bool leaves = at.op == kReturn, stays = false;
    if (at.op == kBr || at.op == kBrIf) (at.index == open_ ? leaves : stays) = true;
    if (at.op == kBrTable) {
      Reader labels(module_.bytes, at.labels_at, at.end);
      for (uint32_t i = 0; i <= at.index; ++i) (labels.u32().value_or(0) == open_ ? leaves : stays) = true;
    }
    if (leaves) need_global();
    if (stays) need_local();
    if (at.op == kReturn && counts_depth(plan_)) w_.byte(kBr).u32(open_);
    else copy(at);
    if (at.op != kBrIf) die();
  }

  void call(const Instruction& at) {
    need_global();
    const bool imported = at.index < module_.imports.size();
    w_.byte(kCall).u32(imported ? at.index : at.index + 1);  // the yield import stands between imports and functions
    fuel_at_ = Fuel::kGlobalOnly;
  }

  void charge(const Charge& charge, bool at_entry) {
    const bool checked = charge.is_loop_head || (at_entry && (plan_.calls || plan_.cost_total > kUncheckedCostMax));
    if (fuel_at_ == Fuel::kGlobalOnly) w_.byte(kGlobalGet).u32(layout_.fuel_global);
    else w_.byte(kLocalGet).u32(fuel_);
    w_.byte(kI64Const).s64(int64_t(charge.cost)).byte(kI64Sub);
    if (checked) {
      w_.byte(kLocalTee).u32(fuel_).byte(kI64Const).s64(0).byte(kI64LtS).byte(kIf).byte(kEmptyBlock);
      w_.byte(kLocalGet).u32(fuel_).byte(kCall).u32(layout_.slow_function).byte(kLocalSet).u32(fuel_).byte(kEnd);
    } else {
      w_.byte(kLocalSet).u32(fuel_);
    }
    fuel_at_ = Fuel::kLocalOnly;
    // A store costs a loop next to nothing, and after a trap the fuel is exact up to the last turn.
    if (charge.is_loop_head) need_global();
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

  /// Gives a NaN result its one representation where someone can see it.
  void canonical(const Instruction& at) {
    if (next_canonical_ == plan_.canonical.size() || plan_.canonical[next_canonical_] != at.start) return;
    ++next_canonical_;
    const bool single = op_info(at.op).nan == Nan::kMakesF32;
    const uint32_t local = single ? nan_f32_ : nan_f64_;
    w_.byte(kLocalTee).u32(local);
    if (single) w_.byte(kF32Const).raw(kNanF32);
    else w_.byte(kF64Const).raw(kNanF64);
    w_.byte(kLocalGet).u32(local).byte(kLocalGet).u32(local).byte(single ? kF32Eq : kF64Eq).byte(kSelect);
  }

  void copy(const Instruction& at) { w_.raw(module_.bytes.subspan(at.start, at.end - at.start)); }

  static constexpr uint8_t kNanF32[] = {0, 0, 0xC0, 0x7F};
  static constexpr uint8_t kNanF64[] = {0, 0, 0, 0, 0, 0, 0xF8, 0x7F};

  const Module& module_;
  const FunctionPlan& plan_;
  const Layout& layout_;
  const FunctionType& type_;
  Reader in_;
  Bytes out_;
  Writer w_;
  uint32_t fuel_ = 0, depth_ = 0, nan_f32_ = 0, nan_f64_ = 0;  // locals
  Fuel fuel_at_ = Fuel::kGlobalOnly;
  uint32_t open_ = 0;  // blocks open inside the function: the label number of the function itself
  size_t next_charge_ = 0, next_canonical_ = 0;
  bool dead_ = false, arm_was_dead_ = false, finished_ = false;
  uint32_t dead_nesting_ = 0;
};

}  // namespace

Result<Bytes> emit_function(const Module& module, uint32_t defined_index, const FunctionPlan& plan,
                            const Layout& layout, uint32_t results_block_type) {
  return FunctionEmitter(module, defined_index, plan, layout).emit(results_block_type);
}

}  // namespace selvedge::wasm
