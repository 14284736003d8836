#include "wasm/emit.h"

#include <algorithm>

#include "wasm/wasi.h"

namespace selvedge::wasm {
namespace {

/// One helper's body under construction; every instruction is one call.
class Code {
 public:
  Code() : w_(out_) { w_.u32(0); }
  /// With one local of this type, behind the parameters.
  explicit Code(ValType local) : w_(out_) { w_.u32(1).u32(1).byte(uint8_t(local)); }
  Code& op(uint16_t o) { w_.byte(uint8_t(o)); return *this; }
  Code& op(uint16_t o, uint32_t index) { w_.byte(uint8_t(o)).u32(index); return *this; }
  Code& block(uint16_t o) { w_.byte(uint8_t(o)).byte(kEmptyBlock); return *this; }
  Code& i32(int32_t v) { w_.byte(kI32Const).s64(v); return *this; }
  Code& i64(int64_t v) { w_.byte(kI64Const).s64(v); return *this; }
  Code& raw(ByteView bytes) { w_.raw(bytes); return *this; }
  Bytes done() { w_.byte(kEnd); return std::move(out_); }

 private:
  Bytes out_;
  Writer w_;
};

/// (fuel below zero) -> fuel: asks for more. What is granted is added to the global and to what the caller has in its
/// local, and nothing is copied between them: so after a trap the global says how much was used up to the last point
/// where the two were made equal, and never anything about where slices ended.
Bytes slow_body(const Layout& at) {
  Code c(ValType::kI64);
  const uint32_t fuel = 0, granted = 1;
  c.i32(int32_t(YieldReason::kFuel)).i64(0).op(kLocalGet, fuel).op(kI64Sub).op(kI32WrapI64).op(kCall, at.yield_function);
  c.op(kI64ExtendI32U).op(kLocalTee, granted).op(kGlobalGet, at.fuel_global).op(kI64Add).op(kGlobalSet, at.fuel_global);
  return c.op(kLocalGet, fuel).op(kLocalGet, granted).op(kI64Add).done();
}

/// Takes the amount on the stack from the fuel, and asks for more if that was too much.
void spend(Code& c, const Layout& at) {
  c.op(kI64Sub).op(kGlobalSet, at.fuel_global).op(kGlobalGet, at.fuel_global).i64(0).op(kI64LtS).block(kIf);
  c.op(kGlobalGet, at.fuel_global).op(kCall, at.slow_function).op(kDrop).op(kEnd);
}

/// (amount) -> amount: pays for a bulk instruction before it runs, a unit for each 2^shift of the amount.
Bytes bulk_body(const Layout& at, uint64_t shift) {
  Code c;
  c.op(kGlobalGet, at.fuel_global).op(kLocalGet, 0).op(kI64ExtendI32U).i64(int64_t(shift)).op(kI64ShrU);
  spend(c, at);
  return c.op(kLocalGet, 0).done();
}

/// (pages) -> previous size or -1: memory.grow that fails by the task's limit only, or ends the run.
Bytes grow_body(const Layout& at) {
  Code c(ValType::kI32);
  const uint32_t pages = 0, old = 1;
  c.op(kMemorySize, 0).op(kLocalSet, old);
  c.op(kLocalGet, pages).op(kGlobalGet, at.pages_global).op(kLocalGet, old).op(kI32Sub).op(kI32GtU).block(kIf);
  c.i32(-1).op(kReturn).op(kEnd);
  c.op(kGlobalGet, at.fuel_global).op(kLocalGet, pages).op(kI64ExtendI32U).i64(kCostGrowPage).op(kI64Mul);
  spend(c, at);
  c.op(kLocalGet, pages).op(kMemoryGrow, 0).i32(-1).op(kI32Eq).block(kIf);
  c.i32(int32_t(YieldReason::kGrow)).i32(0).op(kCall, at.yield_function).op(kDrop).op(kUnreachable).op(kEnd);
  return c.op(kLocalGet, old).done();
}

/// (page limit) -> (): everything but the memory as it was when the module was instantiated.
Bytes begin_body(const Module& module, const Layout& at) {
  Code c;
  c.i64(0).op(kGlobalSet, at.fuel_global).i32(kDepthSlotsMax).op(kGlobalSet, at.depth_global);
  // The task's limit or the module's own, whichever is less: beyond either, growing fails and the engine is not asked.
  c.op(kLocalGet, 0).i32(int32_t(module.memory_max)).op(kLocalGet, 0).i32(int32_t(module.memory_max)).op(kI32LtU);
  c.op(kSelect).op(kGlobalSet, at.pages_global);
  for (uint32_t i = 0; i < module.globals.size(); ++i) {
    if (module.globals[i].is_mutable) c.raw(module.globals[i].init).op(kGlobalSet, i);
  }
  return c.done();
}

/// Every mutable global of the program as 64-bit slots, a vector as two: what a checkpoint holds beside the memory.
template <class Each>
void for_each_slot(const Module& module, Each each) {
  int32_t slot = 0;
  for (uint32_t i = 0; i < module.globals.size(); ++i) {
    if (!module.globals[i].is_mutable) continue;
    each(slot++, i, uint8_t(0));
    if (module.globals[i].type == ValType::kV128) each(slot++, i, uint8_t(1));
  }
}

/// (slot) -> its bits; for a slot that there is not, how many there are.
Bytes slot_get_body(const Module& module) {
  Code c;
  int64_t slots = 0;
  for_each_slot(module, [&](int32_t slot, uint32_t global, uint8_t lane) {
    ++slots;
    c.op(kLocalGet, 0).i32(slot).op(kI32Eq).block(kIf).op(kGlobalGet, global);
    switch (module.globals[global].type) {
      case ValType::kI32: c.op(kI64ExtendI32U); break;
      case ValType::kF32: c.op(kI32ReinterpretF32).op(kI64ExtendI32U); break;
      case ValType::kF64: c.op(kI64ReinterpretF64); break;
      case ValType::kV128: c.raw(Bytes{0xFD, 0x1D, lane}); break;  // i64x2.extract_lane
      default: break;
    }
    c.op(kReturn).op(kEnd);
  });
  return c.i64(slots).done();
}

/// (slot, bits) -> ().
Bytes slot_set_body(const Module& module) {
  Code c;
  for_each_slot(module, [&](int32_t slot, uint32_t global, uint8_t lane) {
    c.op(kLocalGet, 0).i32(slot).op(kI32Eq).block(kIf);
    if (module.globals[global].type == ValType::kV128) c.op(kGlobalGet, global);
    c.op(kLocalGet, 1);
    switch (module.globals[global].type) {
      case ValType::kI32: c.op(kI32WrapI64); break;
      case ValType::kF32: c.op(kI32WrapI64).op(kF32ReinterpretI32); break;
      case ValType::kF64: c.op(kF64ReinterpretI64); break;
      case ValType::kV128: c.raw(Bytes{0xFD, 0x1E, lane}); break;  // i64x2.replace_lane
      default: break;
    }
    c.op(kGlobalSet, global).op(kEnd);
  });
  return c.done();
}

class Assembler {
 public:
  explicit Assembler(const EmitInput& input) : module_(input.module), plans_(input.plans), limits_(input.limits), types_(input.module.types) {}

  Result<Bytes> assemble() {
    lay_out();
    code_ = TRY(code());  // first, because bodies may add types
    out_.reserve(code_.size() + module_.bytes.size());
    append(out_, Bytes{0, 'a', 's', 'm', 1, 0, 0, 0});
    types();
    imports();
    functions();
    table_and_memory();
    globals();
    exports();
    elements();
    if (module_.has_data_count) {
      Bytes count;
      Writer(count).u32(module_.data_count);
      section(12, count);
    }
    section(10, code_);
    data();
    return std::move(out_);
  }

 private:
  void lay_out() {
    at_.type_i_i = types_.index_of({{ValType::kI32}, {ValType::kI32}});
    at_.type_ii_i = types_.index_of({{ValType::kI32, ValType::kI32}, {ValType::kI32}});
    at_.type_l_l = types_.index_of({{ValType::kI64}, {ValType::kI64}});
    at_.type_i = types_.index_of({{ValType::kI32}, {}});
    at_.type_to_l = types_.index_of({{}, {ValType::kI64}});
    at_.type_l = types_.index_of({{ValType::kI64}, {}});
    at_.type_i_l = types_.index_of({{ValType::kI32}, {ValType::kI64}});
    at_.type_il = types_.index_of({{ValType::kI32, ValType::kI64}, {}});
    at_.yield_function = uint32_t(module_.imports.size());
    const uint32_t helpers = module_.function_count() + 1;
    at_.slow_function = helpers;
    at_.bulk_function = helpers + 1;
    at_.elements_function = helpers + 2;
    at_.grow_function = helpers + 3;
    at_.begin_function = helpers + 4;
    at_.get_function = helpers + 5;
    at_.set_function = helpers + 6;
    at_.slot_get_function = helpers + 7;
    at_.slot_set_function = helpers + 8;
    at_.fuel_global = uint32_t(module_.globals.size());
    at_.depth_global = at_.fuel_global + 1;
    at_.pages_global = at_.fuel_global + 2;
    uint32_t next = at_.fuel_global + 3;
    for (size_t type = 0; type < kSavedTypes; ++type) {
      for (const FunctionPlan& plan : plans_) {
        for (const LoopPlan& loop : plan.loops) saved_[type] = std::max(saved_[type], saved_by(plan, loop, type));
      }
      at_.saved_globals[type] = next;
      next += saved_[type];
    }
    globals_ = next;
  }

  /// How many globals of a type a loop's question needs.
  static uint32_t saved_by(const FunctionPlan& plan, const LoopPlan& loop, size_t type) {
    return uint32_t(std::count_if(loop.saved.begin(), loop.saved.end(),
                                  [&](uint32_t local) { return saved_type(plan.locals[local]) == type; }));
  }

  uint32_t moved(uint32_t function) const { return function < module_.imports.size() ? function : function + 1; }

  Result<Bytes> code() {
    Bytes body;
    Writer w(body);
    const std::vector<Bytes> helpers = emit_helpers(module_, at_);
    w.u32(uint32_t(module_.bodies.size() + helpers.size()));
    body.reserve(3 * module_.bytes.size());
    CodeWriter function;
    for (uint32_t i = 0; i < module_.bodies.size(); ++i) {
      TRY(emit_function(module_, i, plans_[i], at_, types_, function));
      if (function.view().size() > limits_.rewritten_function_bytes_max || body.size() > limits_.rewritten_bytes_max) {
        return fail(Errc::kLimit, "function " + std::to_string(module_.imports.size() + i) + " is too large once it is metered");
      }
      w.sized(function.view());
    }
    for (const Bytes& helper : helpers) w.sized(helper);
    return body;
  }

  void section(uint8_t id, const Bytes& body) { Writer(out_).byte(id).sized(body); }

  void types() {
    Bytes body;
    Writer w(body);
    w.u32(uint32_t(types_.all().size()));
    for (const FunctionType& type : types_.all()) {
      w.byte(0x60).u32(uint32_t(type.params.size()));
      for (const ValType t : type.params) w.byte(uint8_t(t));
      w.u32(uint32_t(type.results.size()));
      for (const ValType t : type.results) w.byte(uint8_t(t));
    }
    section(1, body);
  }

  void imports() {
    Bytes body;
    Writer w(body);
    w.u32(uint32_t(module_.imports.size() + 1));
    for (const Import& import : module_.imports) w.name(import.module).name(import.name).byte(0).u32(import.type);
    w.name(kYieldModule).name(kYieldName).byte(0).u32(at_.type_ii_i);
    section(2, body);
  }

  void functions() {
    Bytes body;
    Writer w(body);
    const uint32_t helper_types[] = {at_.type_l_l, at_.type_i_i, at_.type_i_i, at_.type_i_i, at_.type_i, at_.type_to_l, at_.type_l,
                                     at_.type_i_l, at_.type_il};
    w.u32(uint32_t(module_.functions.size() + std::size(helper_types)));
    for (const uint32_t type : module_.functions) w.u32(type);
    for (const uint32_t type : helper_types) w.u32(type);
    section(3, body);
  }

  void table_and_memory() {
    if (module_.has_table) {
      Bytes body;
      Writer(body).u32(1).byte(0x70).byte(1).u32(module_.table_min).u32(module_.table_max);
      section(4, body);
    }
    Bytes body;
    Writer(body).u32(1).byte(1).u32(module_.memory_min).u32(module_.memory_max);
    section(5, body);
  }

  void globals() {
    Bytes body;
    Writer w(body);
    w.u32(globals_);
    for (const Global& global : module_.globals) {
      w.byte(uint8_t(global.type)).byte(global.is_mutable).raw(global.init).byte(kEnd);
    }
    w.byte(uint8_t(ValType::kI64)).byte(1).byte(kI64Const).s64(0).byte(kEnd);
    w.byte(uint8_t(ValType::kI32)).byte(1).byte(kI32Const).s64(kDepthSlotsMax).byte(kEnd);
    w.byte(uint8_t(ValType::kI32)).byte(1).byte(kI32Const).s64(module_.memory_max).byte(kEnd);
    static constexpr uint8_t kZeros[kSavedTypes][20] = {{1, kI32Const}, {1, kI64Const}, {4, kF32Const}, {8, kF64Const}, {17, 0xFD, 0x0C}};
    for (size_t type = 0; type < kSavedTypes; ++type) {
      for (uint32_t i = 0; i < saved_[type]; ++i) {
        w.byte(uint8_t(uint8_t(ValType::kI32) - type)).byte(1).raw(ByteView(kZeros[type] + 1, kZeros[type][0] + 1u)).byte(kEnd);
      }
    }
    section(6, body);
  }

  void exports() {
    Bytes body;
    Writer w(body);
    w.u32(uint32_t(module_.exports.size() + 6 + module_.has_start));
    for (const Export& item : module_.exports) {
      const bool function = item.kind == ExternKind::kFunction;
      w.name(item.name).byte(uint8_t(item.kind)).u32(function ? moved(item.index) : item.index);
    }
    w.name(kExportMemory).byte(uint8_t(ExternKind::kMemory)).u32(0);
    w.name(kExportBegin).byte(0).u32(at_.begin_function);
    w.name(kExportFuelGet).byte(0).u32(at_.get_function);
    w.name(kExportFuelSet).byte(0).u32(at_.set_function);
    w.name(kExportSlotGet).byte(0).u32(at_.slot_get_function);
    w.name(kExportSlotSet).byte(0).u32(at_.slot_set_function);
    if (module_.has_start) w.name(kExportStart).byte(0).u32(moved(module_.start));
    section(7, body);
  }

  void elements() {
    if (module_.elements.empty()) return;
    Bytes body;
    Writer w(body);
    w.u32(uint32_t(module_.elements.size()));
    for (const ElementSegment& segment : module_.elements) {
      if (segment.mode == SegmentMode::kActive) w.u32(0).raw(segment.offset).byte(kEnd);
      else w.u32(segment.mode == SegmentMode::kPassive ? 1 : 3).byte(0);
      w.u32(uint32_t(segment.functions.size()));
      for (const uint32_t function : segment.functions) w.u32(moved(function));
    }
    section(9, body);
  }

  void data() {
    if (module_.data.empty()) return;
    Bytes body;
    Writer w(body);
    w.u32(uint32_t(module_.data.size()));
    for (const DataSegment& segment : module_.data) {
      if (segment.mode == SegmentMode::kActive) w.u32(0).raw(segment.offset).byte(kEnd);
      else w.u32(1);
      w.u32(uint32_t(segment.bytes.size())).raw(segment.bytes);
    }
    section(11, body);
  }

  const Module& module_;
  const std::vector<FunctionPlan>& plans_;
  const RewriteLimits& limits_;
  TypePool types_;
  Layout at_;
  uint32_t saved_[kSavedTypes] = {}, globals_ = 0;
  Bytes code_, out_;
};

}  // namespace

std::vector<Bytes> emit_helpers(const Module& module, const Layout& layout) {
  return {slow_body(layout),
          bulk_body(layout, kCostBulkShift),
          bulk_body(layout, 0),
          grow_body(layout),
          begin_body(module, layout),
          Code().op(kGlobalGet, layout.fuel_global).done(),
          Code().op(kLocalGet, 0).op(kGlobalSet, layout.fuel_global).done(),
          slot_get_body(module),
          slot_set_body(module)};
}

Result<Bytes> emit_module(const EmitInput& input) { return Assembler(input).assemble(); }

}  // namespace selvedge::wasm
