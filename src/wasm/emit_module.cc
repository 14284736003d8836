#include "wasm/emit.h"
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

/// (fuel) -> fuel: asks for more until it is not negative any more. What is granted is added to the global and to
/// what the caller has in its local, and nothing is copied between them: so after a trap the global says how much was
/// used up to the last point where the two were made equal, and never anything about where slices ended.
Bytes slow_body(const Layout& at) {
  Code c(ValType::kI64);
  const uint32_t fuel = 0, granted = 1;
  c.block(kLoop).i32(int32_t(YieldReason::kFuel)).op(kCall, at.yield_function).op(kI64ExtendI32U).op(kLocalTee, granted);
  c.op(kGlobalGet, at.fuel_global).op(kI64Add).op(kGlobalSet, at.fuel_global);
  c.op(kLocalGet, fuel).op(kLocalGet, granted).op(kI64Add).op(kLocalTee, fuel).i64(0).op(kI64LtS).op(kBrIf, 0).op(kEnd);
  return c.op(kLocalGet, fuel).done();
}

/// Takes the amount on the stack from the fuel, and asks for more if that was too much.
void spend(Code& c, const Layout& at) {
  c.op(kI64Sub).op(kGlobalSet, at.fuel_global).op(kGlobalGet, at.fuel_global).i64(0).op(kI64LtS).block(kIf);
  c.op(kGlobalGet, at.fuel_global).op(kCall, at.slow_function).op(kDrop).op(kEnd);
}

/// (bytes) -> bytes: pays for memory.copy or memory.fill before it runs.
Bytes bulk_body(const Layout& at) {
  Code c;
  c.op(kGlobalGet, at.fuel_global).op(kLocalGet, 0).op(kI64ExtendI32U).i64(kCostBulkShift).op(kI64ShrU);
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
  c.i32(int32_t(YieldReason::kGrow)).op(kCall, at.yield_function).op(kDrop).op(kUnreachable).op(kEnd);
  return c.op(kLocalGet, old).done();
}

/// (page limit) -> (): everything but the memory as it was when the module was instantiated.
Bytes begin_body(const Module& module, const Layout& at) {
  Code c;
  c.i64(0).op(kGlobalSet, at.fuel_global).i32(kDepthSlotsMax).op(kGlobalSet, at.depth_global);
  c.op(kLocalGet, 0).op(kGlobalSet, at.pages_global);
  for (uint32_t i = 0; i < module.globals.size(); ++i) {
    if (module.globals[i].is_mutable) c.raw(module.globals[i].init).op(kGlobalSet, i);
  }
  return c.done();
}

class Assembler {
 public:
  explicit Assembler(const EmitInput& input) : module_(input.module), plans_(input.plans), types_(input.module.types) {}

  Result<Bytes> assemble() {
    lay_out();
    code_ = TRY(code());  // first, because bodies may add types
    append(out_, Bytes{0, 'a', 's', 'm', 1, 0, 0, 0});
    types();
    imports();
    functions();
    table_and_memory();
    globals();
    exports();
    elements();
    section(10, code_);
    data();
    return std::move(out_);
  }

 private:
  uint32_t add_type(FunctionType type) {
    types_.push_back(std::move(type));
    return uint32_t(types_.size() - 1);
  }

  void lay_out() {
    at_.type_i_i = add_type({{ValType::kI32}, {ValType::kI32}});
    at_.type_l_l = add_type({{ValType::kI64}, {ValType::kI64}});
    at_.type_i = add_type({{ValType::kI32}, {}});
    at_.type_to_l = add_type({{}, {ValType::kI64}});
    at_.type_l = add_type({{ValType::kI64}, {}});
    at_.yield_function = uint32_t(module_.imports.size());
    const uint32_t helpers = module_.function_count() + 1;
    at_.slow_function = helpers;
    at_.bulk_function = helpers + 1;
    at_.grow_function = helpers + 2;
    at_.begin_function = helpers + 3;
    at_.get_function = helpers + 4;
    at_.set_function = helpers + 5;
    at_.fuel_global = uint32_t(module_.globals.size());
    at_.depth_global = at_.fuel_global + 1;
    at_.pages_global = at_.fuel_global + 2;
  }

  uint32_t moved(uint32_t function) const { return function < module_.imports.size() ? function : function + 1; }

  /// The index of () -> results, for the block around a body with several results.
  uint32_t results_type(uint32_t defined) {
    const std::vector<ValType> results = module_.types[module_.functions[defined]].results;
    if (results.size() < 2) return 0;
    const FunctionType wanted{{}, results};
    for (uint32_t i = 0; i < types_.size(); ++i) {
      if (types_[i] == wanted) return i;
    }
    return add_type(wanted);
  }

  Result<Bytes> code() {
    Bytes body;
    Writer w(body);
    const std::vector<Bytes> helpers = emit_helpers(module_, at_);
    w.u32(uint32_t(module_.bodies.size() + helpers.size()));
    for (uint32_t i = 0; i < module_.bodies.size(); ++i) {
      w.sized(TRY(emit_function(module_, i, plans_[i], at_, results_type(i))));
    }
    for (const Bytes& helper : helpers) w.sized(helper);
    return body;
  }

  void section(uint8_t id, const Bytes& body) { Writer(out_).byte(id).sized(body); }

  void types() {
    Bytes body;
    Writer w(body);
    w.u32(uint32_t(types_.size()));
    for (const FunctionType& type : types_) {
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
    for (const Import& import : module_.imports) w.name(kWasiModule).name(import.name).byte(0).u32(import.type);
    w.name(kYieldModule).name(kYieldName).byte(0).u32(at_.type_i_i);
    section(2, body);
  }

  void functions() {
    Bytes body;
    Writer w(body);
    const uint32_t helper_types[] = {at_.type_l_l, at_.type_i_i, at_.type_i_i, at_.type_i, at_.type_to_l, at_.type_l};
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
    w.u32(uint32_t(module_.globals.size() + 3));
    for (const Global& global : module_.globals) {
      w.byte(uint8_t(global.type)).byte(global.is_mutable).raw(global.init).byte(kEnd);
    }
    w.byte(uint8_t(ValType::kI64)).byte(1).byte(kI64Const).s64(0).byte(kEnd);
    w.byte(uint8_t(ValType::kI32)).byte(1).byte(kI32Const).s64(kDepthSlotsMax).byte(kEnd);
    w.byte(uint8_t(ValType::kI32)).byte(1).byte(kI32Const).s64(module_.memory_max).byte(kEnd);
    section(6, body);
  }

  void exports() {
    Bytes body;
    Writer w(body);
    w.u32(uint32_t(module_.exports.size() + 4 + module_.has_start));
    for (const Export& item : module_.exports) {
      const bool function = item.kind == ExternKind::kFunction;
      w.name(item.name).byte(uint8_t(item.kind)).u32(function ? moved(item.index) : item.index);
    }
    w.name(kExportMemory).byte(uint8_t(ExternKind::kMemory)).u32(0);
    w.name(kExportBegin).byte(0).u32(at_.begin_function);
    w.name(kExportFuelGet).byte(0).u32(at_.get_function);
    w.name(kExportFuelSet).byte(0).u32(at_.set_function);
    if (module_.has_start) w.name(kExportStart).byte(0).u32(moved(module_.start));
    section(7, body);
  }

  void elements() {
    if (module_.elements.empty()) return;
    Bytes body;
    Writer w(body);
    w.u32(uint32_t(module_.elements.size()));
    for (const ElementSegment& segment : module_.elements) {
      w.u32(0).raw(segment.offset).byte(kEnd).u32(uint32_t(segment.functions.size()));
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
      w.u32(0).raw(segment.offset).byte(kEnd).u32(uint32_t(segment.bytes.size())).raw(segment.bytes);
    }
    section(11, body);
  }

  const Module& module_;
  const std::vector<FunctionPlan>& plans_;
  std::vector<FunctionType> types_;
  Layout at_;
  Bytes code_, out_;
};

}  // namespace

std::vector<Bytes> emit_helpers(const Module& module, const Layout& layout) {
  return {slow_body(layout),
          bulk_body(layout),
          grow_body(layout),
          begin_body(module, layout),
          Code().op(kGlobalGet, layout.fuel_global).done(),
          Code().op(kLocalGet, 0).op(kGlobalSet, layout.fuel_global).done()};
}

Result<Bytes> emit_module(const EmitInput& input) { return Assembler(input).assemble(); }

}  // namespace selvedge::wasm
