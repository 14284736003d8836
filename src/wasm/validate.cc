#include "wasm/validate.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace selvedge::wasm {
namespace {

ValType letter_type(char letter) {
  switch (letter) {
    case 'i': return ValType::kI32;
    case 'l': return ValType::kI64;
    case 'f': return ValType::kF32;
    case 'v': return ValType::kV128;
    default: return ValType::kF64;
  }
}

const char* type_name(ValType type) {
  switch (type) {
    case ValType::kI32: return "i32";
    case ValType::kI64: return "i64";
    case ValType::kF32: return "f32";
    case ValType::kF64: return "f64";
    case ValType::kV128: return "v128";
    case ValType::kUnknown: break;
  }
  return "anything";
}

using Types = std::span<const ValType>;

struct Operand {
  ValType type = ValType::kUnknown;
  NanFlow::Node from = NanFlow::kNowhere;
  bool is_constant = false;  // an engine may know its value
};

struct Frame {
  uint16_t op = kBlock;
  bool unreachable = false;
  bool live = true;  // the code before it could be reached, so the meter knows this frame
  size_t height = 0;
  int64_t block_type = -64;
  uint32_t loop = LoopPlan::kNoLoop;  // the innermost loop around the code in here: its place in the plan
};

class Validator {
 public:
  Validator(const Module& module, uint32_t defined, const RewriteLimits& limits)
      : module_(module),
        limits_(limits),
        function_(uint32_t(module.imports.size()) + defined),
        type_(module.types[module.functions[defined]]),
        in_(module.bytes, module.bodies[defined].begin, module.bodies[defined].end),
        meter_(0, 0),
        flow_(0, 0) {}

  Result<FunctionPlan> run() {
    Status status = read_locals();
    if (!status.ok()) return named(std::move(status).error());
    plan_.code_at = uint32_t(in_.offset());
    flow_ = NanFlow(uint32_t(type_.params.size()), uint32_t(locals_.size()));
    meter_ = Meter(plan_.code_at, kCostEntry + (locals_.size() >> kCostLocalsShift));
    plan_.cost_total = kCostEntry + (locals_.size() >> kCostLocalsShift);
    frames_.push_back({kEnd, false, true, 0, 0});
    while (!frames_.empty()) {
      auto instruction = read_instruction(in_, limits_.br_table_targets_max);
      if (!instruction.ok()) return named(std::move(instruction).error());
      at_ = *instruction;
      status = step();
      if (!status.ok()) return named(std::move(status).error());
    }
    if (!in_.done()) return named(in_.error(Errc::kInvalid, "code after the function's end"));
    plan_.charges = meter_.take();
    plan_.canonical = flow_.finish();
    return std::move(plan_);
  }

 private:
  Error named(Error error) const {
    error.message = "function " + std::to_string(function_) + ": " + error.message;
    return error;
  }
  Error error(const std::string& what) const {
    return Reader::error_at(at_.start, Errc::kInvalid, std::string(op_info(at_.op).name) + ": " + what);
  }

  Status read_locals() {
    locals_ = type_.params;
    const uint32_t groups = TRY(in_.count(limits_.locals_max, "groups of locals"));
    for (uint32_t i = 0; i < groups; ++i) {
      const uint32_t n = TRY(in_.u32());
      const uint8_t type = TRY(in_.byte());
      if (!is_val_type(type)) return in_.error(Errc::kUnsupported, "a local of a type outside the profile");
      if (n > limits_.locals_max || locals_.size() + n > limits_.locals_max) {
        return in_.error(Errc::kLimit, "more than " + std::to_string(limits_.locals_max) + " locals");
      }
      locals_.insert(locals_.end(), n, ValType(type));
    }
    plan_.locals = locals_;
    return ok();
  }

  // --- types of labels -------------------------------------------------------------------------------------------

  Types params_of(const Frame& frame) const {
    if (&frame == &frames_.front() || frame.block_type < 0) return {};
    return module_.types[size_t(frame.block_type)].params;
  }
  Types results_of(const Frame& frame) const {
    if (&frame == &frames_.front()) return type_.results;
    if (frame.block_type >= 0) return module_.types[size_t(frame.block_type)].results;
    static constexpr ValType kSingle[] = {ValType::kI32, ValType::kI64, ValType::kF32, ValType::kF64, ValType::kV128};
    if (frame.block_type == -64) return {};
    return Types(&kSingle[-1 - frame.block_type], 1);
  }
  Types label_types(const Frame& frame) const { return frame.op == kLoop ? params_of(frame) : results_of(frame); }

  // --- operands --------------------------------------------------------------------------------------------------

  void push(ValType type, NanFlow::Node from = NanFlow::kNowhere, bool is_constant = false) {
    stack_.push_back({type, from, is_constant});
    if (stack_.size() > plan_.height_max) plan_.height_max = uint32_t(stack_.size());
  }
  void push_all(Types types, bool are_constant = false) {
    for (const ValType type : types) push(type, NanFlow::kNowhere, are_constant);
  }
  Result<Operand> take_any() {
    const Frame& frame = frames_.back();
    if (stack_.size() == frame.height) {
      if (frame.unreachable) return Operand();
      return error("an operand is missing");
    }
    const Operand operand = stack_.back();
    stack_.pop_back();
    return operand;
  }
  Result<Operand> take(ValType expected) {
    Operand operand = TRY(take_any());
    if (operand.type == ValType::kUnknown) operand.type = expected;
    if (operand.type != expected && expected != ValType::kUnknown) {
      return error(std::string("expected ") + type_name(expected) + ", found " + type_name(operand.type));
    }
    return operand;
  }
  /// Takes an operand for something that could tell one NaN from another: the default for whatever is not known not to.
  Result<ValType> pop(ValType expected) {
    const Operand operand = TRY(take(expected));
    flow_.see(operand.from);
    return operand.type;
  }
  Status pop_all(Types types) {
    for (size_t i = types.size(); i > 0; --i) TRY(pop(types[i - 1]));
    return ok();
  }
  LoopPlan* innermost_loop() {
    const uint32_t loop = frames_.back().loop;
    return loop == LoopPlan::kNoLoop ? nullptr : &plan_.loops[loop];
  }
  static void use(LoopPlan& loop, LoopPlan::Use use) {
    const auto same = [&](const LoopPlan::Use& known) { return known.local == use.local; };
    if (loop.uses.size() < kLoopUsesMax && std::none_of(loop.uses.begin(), loop.uses.end(), same)) loop.uses.push_back(use);
  }
  /// Something that synchronises fuel runs here.
  void note_call() {
    LoopPlan* loop = innermost_loop();
    if (live() && loop != nullptr) loop->calls = true;
  }
  bool live() const { return frames_.back().live && !frames_.back().unreachable; }
  void set_unreachable() {
    stack_.resize(frames_.back().height);
    frames_.back().unreachable = true;
  }

  // --- instructions ----------------------------------------------------------------------------------------------

  Status step() {
    const OpInfo& info = op_info(at_.op);
    plan_.cost_total += info.cost;
    switch (at_.op) {
      case kBlock: case kLoop: case kIf: return open();
      case kElse: return else_arm();
      case kEnd: return close();
      default: break;
    }
    if (live()) {
      meter_.add(info.cost);
      if (LoopPlan* loop = innermost_loop()) ++loop->instructions;
    }
    if (info.types != nullptr) return simple(info);
    switch (info.immediate) {
      case Immediate::kLabel: case Immediate::kLabels: return branch();
      case Immediate::kFunction: case Immediate::kCallIndirect: return call();
      case Immediate::kLocal: return local();
      case Immediate::kGlobal: return global();
      default: break;
    }
    switch (at_.op) {
      case kUnreachable: return stop({});
      case kReturn: return stop(type_.results);
      case kDrop: TRY(take_any()); return ok();
      case kSelect: return select(ValType::kUnknown);
      case kSelectTyped: return select(ValType(at_.index));
      default: return error("not understood");
    }
  }

  Status simple(const OpInfo& info) {
    if (at_.op == kMemoryGrow || is_bulk(at_.op)) note_call();
    TRY(segments());
    if (info.immediate == Immediate::kMemArg && at_.align > info.align_max) return error("aligned more than its size");
    const char* arrow = info.types;
    while (*arrow != '>') ++arrow;
    bool constants[3] = {true, true, true};  // from the last operand on
    for (const char* p = arrow; p != info.types; --p) {
      const Operand operand = TRY(take(letter_type(p[-1])));
      constants[arrow - p] = operand.is_constant;
      if (const auto shape = ignores(info.nan)) flow_.take(operand.from, *shape);
      else if (info.nan == Nan::kNone || info.nan == Nan::kNumber) flow_.see(operand.from);
    }
    const bool all = constants[0] && constants[1] && constants[2];
    if (live() && (copies_sign(at_.op) ? constants[0] : all && is_misread(at_.op))) plan_.opaque.push_back({at_.start, letter_type(arrow[-1])});
    if (arrow[1] == '\0') return ok();
    push(letter_type(arrow[1]), live() ? origin(info) : NanFlow::kNowhere, all);
    return ok();
  }

  /// What JavaScriptCore's first compiler gets wrong when it knows the operands. spec: docs/spec/metering.md, "Mistakes of engines".
  static bool is_misread(uint16_t op) {
    const bool divides = (op >= kI32DivU && op <= kI32RemU) || (op >= kI64DivU && op <= kI64RemU);
    return divides || op == kI32ShrU || op == kF32Min || op == kF32Max || op == kF64Min || op == kF64Max;
  }
  static bool copies_sign(uint16_t op) { return op == kF32Copysign || op == kF64Copysign; }

  /// In which lanes an instruction takes its operands without telling NaNs apart. Scalars have but one shape for each type.
  static std::optional<NanShape> ignores(Nan nan) {
    switch (nan) {
      case Nan::kMakesF32x4:
      case Nan::kPromotesF32x4:
      case Nan::kIgnoresF32x4: return NanShape::kF32x4;
      case Nan::kMakesF64x2:
      case Nan::kDemotesF64x2:
      case Nan::kIgnoresF64x2: return NanShape::kF64x2;
      default: return std::nullopt;
    }
  }

  /// Segments that an instruction names exist.
  Status segments() {
    const Immediate what = op_info(at_.op).immediate;
    const bool data = what == Immediate::kData || what == Immediate::kDataMemory;
    const bool element = what == Immediate::kElement || what == Immediate::kElementTable;
    if (data && (!module_.has_data_count || at_.index >= module_.data_count)) return error("there is no such data segment");
    if (element && at_.index >= module_.elements.size()) return error("there is no such element segment");
    if ((what == Immediate::kElementTable || what == Immediate::kTableTwo) && !module_.has_table) return error("there is no table");
    plan_.changes_instance |= live() && (at_.op == kDataDrop || element || at_.op == kTableCopy);
    return ok();
  }

  /// Where the result of a simple instruction comes from, as far as NaNs are concerned.
  NanFlow::Node origin(const OpInfo& info) {
    switch (info.nan) {
      case Nan::kMakesF32: return flow_.result(at_.start, NanShape::kF32, loops_);
      case Nan::kMakesF64: return flow_.result(at_.start, NanShape::kF64, loops_);
      case Nan::kMakesF32x4:
      case Nan::kDemotesF64x2: return flow_.result(at_.start, NanShape::kF32x4, loops_);
      case Nan::kMakesF64x2:
      case Nan::kPromotesF32x4: return flow_.result(at_.start, NanShape::kF64x2, loops_);
      case Nan::kNumber: return NanFlow::kNumber;
      default: break;
    }
    if (at_.op == kV128Const) {
      const ByteView value = module_.bytes.subspan(at_.end - 16, 16);
      const bool is_zero = std::all_of(value.begin(), value.end(), [](uint8_t byte) { return byte == 0; });
      return is_zero ? NanFlow::kNumber : NanFlow::kNowhere;
    }
    const uint8_t* const bytes = module_.bytes.data() + at_.start + 1;
    float f32 = 0;
    double f64 = 0;
    if (at_.op == kF32Const) std::memcpy(&f32, bytes, sizeof f32);
    if (at_.op == kF64Const) std::memcpy(&f64, bytes, sizeof f64);
    const bool is_constant = at_.op == kF32Const || at_.op == kF64Const;
    return is_constant && f32 == f32 && f64 == f64 ? NanFlow::kNumber : NanFlow::kNowhere;
  }

  Status open() {
    if (frames_.size() > limits_.nesting_max) {
      return Reader::error_at(at_.start, Errc::kLimit, "blocks nested deeper than " + std::to_string(limits_.nesting_max));
    }
    if (at_.block_type >= int64_t(module_.types.size())) return error("there is no such type");
    const bool was_live = live();
    if (was_live) {
      const uint64_t cost = op_info(at_.op).cost;
      if (at_.op == kIf) meter_.add(cost), meter_.open_if(at_.end);
      if (at_.op == kBlock) meter_.add(cost), meter_.open_block();
      if (at_.op == kLoop) meter_.open_loop(at_.end, cost);
    }
    if (at_.op == kIf) TRY(pop(ValType::kI32));
    Frame frame{at_.op, false, was_live, 0, at_.block_type, frames_.back().loop};
    const Types params = at_.block_type >= 0 ? Types(module_.types[size_t(at_.block_type)].params) : Types();
    TRY(pop_all(params));
    frame.height = stack_.size();
    if (at_.op == kLoop && was_live) {
      if (LoopPlan* outer = innermost_loop()) outer->innermost = false;
      const uint32_t parent = frame.loop;
      frame.loop = uint32_t(plan_.loops.size());
      plan_.loops.emplace_back();
      plan_.loops.back().parent = parent;
      plan_.loops.back().begin = at_.end;
      plan_.loops.back().has_params = !params.empty();
      ++loops_;
    }
    frames_.push_back(frame);
    push_all(params);
    return ok();
  }

  /// What both `else` and `end` ask of the arm they end.
  Status arm_ends() {
    const Frame& frame = frames_.back();
    TRY(pop_all(results_of(frame)));
    if (stack_.size() != frame.height) return error("operands are left over");
    return ok();
  }

  Status else_arm() {
    if (frames_.back().op != kIf) return error("without an if");
    TRY(arm_ends());
    Frame& frame = frames_.back();
    if (frame.live) meter_.else_arm(at_.end);
    frame.op = kElse;
    frame.unreachable = false;
    push_all(params_of(frame));
    return ok();
  }

  Status close() {
    TRY(arm_ends());
    const Frame frame = frames_.back();
    const bool outermost = frames_.size() == 1;
    const Types results = results_of(frames_.back());
    if (frame.op == kIf) {
      const Types params = params_of(frames_.back());
      if (!std::equal(params.begin(), params.end(), results.begin(), results.end())) {
        return error("an if without else must give what it takes");
      }
    }
    if (frame.live) meter_.close(at_.end);
    frames_.pop_back();
    if (frame.op == kLoop && frame.live) close_loop(frame);
    if (!outermost) push_all(results);
    return ok();
  }

  /// What is in the inner loop is in the outer one.
  void close_loop(const Frame& frame) {
    plan_.loops[frame.loop].end = at_.start;
    --loops_;
    LoopPlan* outer = innermost_loop();
    if (outer == nullptr) return;
    outer->calls |= plan_.loops[frame.loop].calls;
    outer->instructions += plan_.loops[frame.loop].instructions;
    for (const LoopPlan::Use& inner : plan_.loops[frame.loop].uses) use(*outer, inner);
  }

  Status branch_to(uint32_t depth) {
    if (depth >= frames_.size()) return error("there is no such label");
    if (!live()) return ok();
    const size_t target = frames_.size() - 1 - depth;
    meter_.branch(uint32_t(target));
    // A conditional branch that takes operands along leaves no place for a refund, nor does a table of them.
    LoopPlan* loop = innermost_loop();
    if (frames_[target].op == kLoop) plan_.loops[frames_[target].loop].begins_again = true;
    const bool stays = loop == nullptr || frames_[target].loop == frames_.back().loop;
    if (loop != nullptr && stays && frames_[target].op == kLoop) {
      if (at_.op == kBr) meter_.going_back();
      else loop->turns_by_br = false;
    }
    if (!stays && (at_.op == kBrTable || (at_.op == kBrIf && !label_types(frames_[target]).empty()))) loop->refundable = false;
    return ok();
  }

  Status branch() {
    if (at_.op == kBrTable) return branch_table();
    TRY(branch_to(at_.index));
    const bool was_live = live();
    if (at_.op == kBrIf) TRY(pop(ValType::kI32));
    const Types types = label_types(frames_[frames_.size() - 1 - at_.index]);
    TRY(pop_all(types));
    if (was_live) meter_.branched(at_.end);
    if (at_.op == kBrIf) push_all(types, true);
    else set_unreachable();
    return ok();
  }

  Status branch_table() {
    const bool was_live = live();
    TRY(pop(ValType::kI32));
    Reader labels(module_.bytes, at_.labels_at, at_.end);
    size_t arity = 0;
    std::vector<ValType> popped;
    for (uint32_t i = 0; i <= at_.index; ++i) {
      const uint32_t depth = TRY(labels.u32());
      TRY(branch_to(depth));
      const Types types = label_types(frames_[frames_.size() - 1 - depth]);
      if (i == 0) arity = types.size();
      if (types.size() != arity) return error("labels that take different numbers of operands");
      popped.clear();
      for (size_t k = types.size(); k > 0; --k) popped.push_back(TRY(pop(types[k - 1])));
      for (size_t k = popped.size(); k > 0; --k) push(popped[k - 1]);
    }
    if (was_live) meter_.branched(at_.end);
    set_unreachable();
    return ok();
  }

  /// unreachable and return: nothing after them runs.
  Status stop(Types types) {
    if (at_.op == kReturn && live()) meter_.branch(0);
    const bool was_live = live();
    TRY(pop_all(types));
    if (was_live) meter_.branched(at_.end);
    set_unreachable();
    return ok();
  }

  Status call() {
    const FunctionType* type = nullptr;
    note_call();
    if (at_.op == kCall) {
      if (at_.index >= module_.function_count()) return error("there is no such function");
      type = &module_.type_of(at_.index);
      if (at_.index < module_.imports.size()) {
        if (live()) meter_.add(kCostImport);
        plan_.cost_total += kCostImport;
      } else if (live()) {
        plan_.calls = true;
        plan_.call_sites.push_back({at_.index - uint32_t(module_.imports.size()), false});
      }
    } else {
      if (!module_.has_table) return error("there is no table");
      if (at_.index >= module_.types.size()) return error("there is no such type");
      type = &module_.types[at_.index];
      if (live()) {
        plan_.calls = true;
        plan_.call_sites.push_back({at_.index, true});
      }
      TRY(pop(ValType::kI32));
    }
    TRY(pop_all(type->params));
    push_all(type->results);
    return ok();
  }

  Status local() {
    if (at_.index >= locals_.size()) return error("there is no such local");
    const ValType type = locals_[at_.index];
    if (LoopPlan* loop = innermost_loop(); loop != nullptr && live()) use(*loop, {at_.index, at_.op == kLocalGet});
    const bool is_float = type == ValType::kF32 || type == ValType::kF64 || type == ValType::kV128;
    if (at_.op == kLocalGet) {
      push(type, is_float && live() ? flow_.read(at_.start, at_.index, loops_) : NanFlow::kNowhere);
      return ok();
    }
    const Operand operand = TRY(take(type));
    if (is_float && live()) flow_.store(operand.from, at_.index);
    if (at_.op == kLocalTee) push(type, operand.from, operand.is_constant);
    return ok();
  }

  Status global() {
    if (at_.index >= module_.globals.size()) return error("there is no such global");
    const Global& global = module_.globals[at_.index];
    if (at_.op == kGlobalGet) {
      push(global.type);
      return ok();
    }
    if (!global.is_mutable) return error("the global is constant");
    TRY(pop(global.type));
    return ok();
  }

  Status select(ValType type) {
    TRY(pop(ValType::kI32));
    const ValType second = TRY(pop(type));
    const ValType first = TRY(pop(second));
    push(first == ValType::kUnknown ? second : first, NanFlow::kNowhere, true);
    return ok();
  }

  const Module& module_;
  const RewriteLimits& limits_;
  const uint32_t function_;
  const FunctionType& type_;
  Reader in_;
  Instruction at_;
  Meter meter_;
  NanFlow flow_;
  std::vector<ValType> locals_;
  std::vector<Operand> stack_;
  std::vector<Frame> frames_;
  uint32_t loops_ = 0;  // open ones
  FunctionPlan plan_;
};

}  // namespace

Result<FunctionPlan> validate_function(const Module& module, uint32_t defined_index, const RewriteLimits& limits) {
  return Validator(module, defined_index, limits).run();
}

}  // namespace selvedge::wasm
