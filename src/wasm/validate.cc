#include "wasm/validate.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace selvedge::wasm {
namespace {

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
  NanFlow::Node from = NanFlow::kNowhere;
  ValType type = ValType::kUnknown;
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
  Validator(const Module& module, const RewriteLimits& limits) : module_(module), limits_(limits) {}

  Result<FunctionPlan> run(uint32_t defined) {
    function_ = uint32_t(module_.imports.size()) + defined;
    type_ = &module_.types[module_.functions[defined]];
    in_ = Reader(module_.bytes, module_.bodies[defined].begin, module_.bodies[defined].end);
    Status status = begin();
    if (!status.ok()) return named(std::move(status).error());
    while (!frames_.empty()) {
      if (!read_usual(in_, at_)) {
        status = read_instruction(in_, limits_.br_table_targets_max, at_);
        if (!status.ok()) return named(std::move(status).error());
      }
      if (!step()) return named(std::move(refusal_));
    }
    if (!in_.done()) return named(in_.error(Errc::kInvalid, "code after the function's end"));
    plan_.marks = marks_;
    plan_.charges = meter_.take();
    plan_.canonical = flow_.finish();
    return std::move(plan_);
  }

 private:
  Error named(Error error) const {
    error.message = "function " + std::to_string(function_) + ": " + error.message;
    return error;
  }
  /// False, as all that refuses below is: a Result for each operand would be most of the work.
  bool refuse(const std::string& what, Errc code = Errc::kInvalid) {
    refusal_ = Reader::error_at(at_.start, code, std::string(op_info(at_.op).name) + ": " + what);
    return false;
  }

  Status begin() {
    plan_ = FunctionPlan();
    marks_.clear();
    stack_.clear();
    loops_ = 0;
    TRY(read_locals());
    used_in_.assign(locals_.size(), LoopPlan::kNoLoop);
    plan_.code_at = uint32_t(in_.offset());
    plan_.cost_total = kCostEntry + (locals_.size() >> kCostLocalsShift);
    flow_.begin(uint32_t(type_->params.size()), uint32_t(locals_.size()));
    meter_.begin(plan_.code_at, plan_.cost_total);
    frames_.assign(1, {kEnd, false, true, 0, -64});
    return ok();
  }

  Status read_locals() {
    locals_ = type_->params;
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
    if (&frame == &frames_.front()) return type_->results;
    if (frame.block_type >= 0) return module_.types[size_t(frame.block_type)].results;
    static constexpr ValType kSingle[] = {ValType::kI32, ValType::kI64, ValType::kF32, ValType::kF64, ValType::kV128};
    if (frame.block_type == -64) return {};
    return Types(&kSingle[-1 - frame.block_type], 1);
  }
  Types label_types(const Frame& frame) const { return frame.op == kLoop ? params_of(frame) : results_of(frame); }

  // --- operands --------------------------------------------------------------------------------------------------

  void push(ValType type, NanFlow::Node from = NanFlow::kNowhere, bool is_constant = false) {
    stack_.push_back({from, type, is_constant});
    if (stack_.size() > plan_.height_max) plan_.height_max = uint32_t(stack_.size());
  }
  void push_all(Types types, bool are_constant = false) {
    for (const ValType type : types) push(type, NanFlow::kNowhere, are_constant);
  }
  bool take_any(Operand& out) {
    const Frame& frame = frames_.back();
    if (stack_.size() == frame.height) {
      out = Operand();
      return frame.unreachable || refuse("an operand is missing");
    }
    out = stack_.back();
    stack_.pop_back();
    return true;
  }
  bool take(ValType expected, Operand& out) {
    if (!take_any(out)) return false;
    if (out.type == ValType::kUnknown) out.type = expected;
    if (out.type == expected || expected == ValType::kUnknown) return true;
    return refuse(std::string("expected ") + type_name(expected) + ", found " + type_name(out.type));
  }
  /// Takes an operand for something that could tell one NaN from another: the default for whatever is not known not to.
  bool pop(ValType expected, ValType* type = nullptr) {
    Operand operand;
    if (!take(expected, operand)) return false;
    flow_.see(operand.from);
    if (type != nullptr) *type = operand.type;
    return true;
  }
  bool pop_all(Types types) {
    for (size_t i = types.size(); i > 0; --i) {
      if (!pop(types[i - 1])) return false;
    }
    return true;
  }
  LoopPlan* innermost_loop() {
    const uint32_t loop = frames_.back().loop;
    return loop == LoopPlan::kNoLoop ? nullptr : &plan_.loops[loop];
  }
  void use(uint32_t loop, LoopPlan::Use use) {
    if (used_in_[use.local] == loop) return;
    used_in_[use.local] = loop;
    std::vector<LoopPlan::Use>& uses = plan_.loops[loop].uses;
    const auto same = [&](const LoopPlan::Use& known) { return known.local == use.local; };
    if (uses.size() < kLoopUsesMax && std::none_of(uses.begin(), uses.end(), same)) uses.push_back(use);
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

  bool step() {
    const OpInfo& info = op_info(at_.op);
    if (!info.is_mark) {
      run_cost_ += info.cost;
      ++run_length_;
      return plain(info);
    }
    end_run();
    plan_.cost_total += info.cost;
    marks_.push_back(at_.start);
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
    switch (at_.op) {
      case kUnreachable: return stop({});
      case kReturn: return stop(type_->results);
      case kBr: case kBrIf: case kBrTable: return branch();
      case kCall: case kCallIndirect: return call();
      default:
        note_call();
        return simple(info);
    }
  }

  /// Between two marks all is reached, or nothing, and equally often.
  void end_run() {
    plan_.cost_total += run_cost_;
    if (live()) {
      meter_.add(run_cost_);
      if (LoopPlan* loop = innermost_loop()) loop->instructions += run_length_;
    }
    run_cost_ = run_length_ = 0;
  }

  bool plain(const OpInfo& info) {
    if (info.immediate == Immediate::kLocal) return local();
    if (info.types != nullptr) return simple(info);
    if (info.immediate == Immediate::kGlobal) return global();
    switch (at_.op) {
      case kDrop: return drop();
      case kSelect: return select(ValType::kUnknown);
      case kSelectTyped: return select(ValType(at_.index));
      default: return refuse("not understood");
    }
  }

  bool simple(const OpInfo& info) {
    if (at_.op >= kPrefixFc && at_.op < kPrefixFd && !segments()) return false;
    const bool is_aligned = info.immediate == Immediate::kMemArg || info.immediate == Immediate::kMemLane;
    if (is_aligned && at_.align > info.align_max) return refuse("aligned more than its size");
    bool constants[3] = {true, true, true};  // from the last operand on
    for (size_t i = 0; i < info.takes_count; ++i) {
      Operand operand;
      if (!take(info.takes[i], operand)) return false;
      constants[i] = operand.is_constant;
      if (info.nan == Nan::kNone || info.nan == Nan::kNumber) flow_.see(operand.from);
      else if (const auto shape = ignores(info.nan)) flow_.take(operand.from, *shape);
    }
    const bool all = constants[0] && constants[1] && constants[2];
    if (constants[0] && live() && (copies_sign(at_.op) || (all && is_misread(at_.op)))) plan_.opaque.push_back({at_.start, info.takes[0]});
    if (info.gives != ValType::kUnknown) push(info.gives, gives_float(info) && live() ? origin(info) : NanFlow::kNowhere, all);
    return true;
  }
  static bool gives_float(const OpInfo& info) { return info.gives <= ValType::kF32; }

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
  bool segments() {
    const Immediate what = op_info(at_.op).immediate;
    const bool data = what == Immediate::kData || what == Immediate::kDataMemory;
    const bool element = what == Immediate::kElement || what == Immediate::kElementTable;
    if (data && (!module_.has_data_count || at_.index >= module_.data_count)) return refuse("there is no such data segment");
    if (element && at_.index >= module_.elements.size()) return refuse("there is no such element segment");
    if ((what == Immediate::kElementTable || what == Immediate::kTableTwo) && !module_.has_table) return refuse("there is no table");
    plan_.changes_instance |= live() && (at_.op == kDataDrop || element || at_.op == kTableCopy);
    return true;
  }

  /// Where the result of a simple instruction comes from, as far as NaNs are concerned.
  NanFlow::Node origin(const OpInfo& info) {
    switch (info.nan) {
      case Nan::kMakesF32: return flow_.result(at_.end, NanShape::kF32, loops_);
      case Nan::kMakesF64: return flow_.result(at_.end, NanShape::kF64, loops_);
      case Nan::kMakesF32x4:
      case Nan::kDemotesF64x2: return flow_.result(at_.end, NanShape::kF32x4, loops_);
      case Nan::kMakesF64x2:
      case Nan::kPromotesF32x4: return flow_.result(at_.end, NanShape::kF64x2, loops_);
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

  bool open() {
    if (frames_.size() > limits_.nesting_max) {
      return refuse("blocks nested deeper than " + std::to_string(limits_.nesting_max), Errc::kLimit);
    }
    if (at_.block_type >= int64_t(module_.types.size())) return refuse("there is no such type");
    const bool was_live = live();
    if (was_live) {
      const uint64_t cost = op_info(at_.op).cost;
      if (at_.op == kIf) meter_.add(cost), meter_.open_if(at_.end);
      if (at_.op == kBlock) meter_.add(cost), meter_.open_block();
      if (at_.op == kLoop) meter_.open_loop(at_.end, cost);
    }
    if (at_.op == kIf) if (!pop(ValType::kI32)) return false;
    Frame frame{at_.op, false, was_live, 0, at_.block_type, frames_.back().loop};
    const Types params = at_.block_type >= 0 ? Types(module_.types[size_t(at_.block_type)].params) : Types();
    if (!pop_all(params)) return false;
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
    return true;
  }

  /// What both `else` and `end` ask of the arm they end.
  bool arm_ends() {
    const Frame& frame = frames_.back();
    if (!pop_all(results_of(frame))) return false;
    if (stack_.size() != frame.height) return refuse("operands are left over");
    return true;
  }

  bool else_arm() {
    if (frames_.back().op != kIf) return refuse("without an if");
    if (!arm_ends()) return false;
    Frame& frame = frames_.back();
    if (frame.live) meter_.else_arm(at_.end);
    frame.op = kElse;
    frame.unreachable = false;
    push_all(params_of(frame));
    return true;
  }

  bool close() {
    if (!arm_ends()) return false;
    const Frame frame = frames_.back();
    const bool outermost = frames_.size() == 1;
    const Types results = results_of(frames_.back());
    if (frame.op == kIf) {
      const Types params = params_of(frames_.back());
      if (!std::equal(params.begin(), params.end(), results.begin(), results.end())) {
        return refuse("an if without else must give what it takes");
      }
    }
    if (frame.live) meter_.close(at_.end);
    frames_.pop_back();
    if (frame.op == kLoop && frame.live) close_loop(frame);
    if (!outermost) push_all(results);
    return true;
  }

  /// What is in the inner loop is in the outer one.
  void close_loop(const Frame& frame) {
    plan_.loops[frame.loop].end = at_.start;
    --loops_;
    LoopPlan* outer = innermost_loop();
    if (outer == nullptr) return;
    outer->calls |= plan_.loops[frame.loop].calls;
    outer->instructions += plan_.loops[frame.loop].instructions;
    for (const LoopPlan::Use& inner : plan_.loops[frame.loop].uses) use(frames_.back().loop, inner);
  }

  bool branch_to(uint32_t depth) {
    if (depth >= frames_.size()) return refuse("there is no such label");
    if (!live()) return true;
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
    return true;
  }

  bool branch() {
    if (at_.op == kBrTable) return branch_table();
    if (!branch_to(at_.index)) return false;
    const bool was_live = live();
    if (at_.op == kBrIf) if (!pop(ValType::kI32)) return false;
    const Types types = label_types(frames_[frames_.size() - 1 - at_.index]);
    if (!pop_all(types)) return false;
    if (was_live) meter_.branched(at_.end);
    if (at_.op == kBrIf) push_all(types, true);
    else set_unreachable();
    return true;
  }

  bool branch_table() {
    const bool was_live = live();
    if (!pop(ValType::kI32)) return false;
    Reader labels(module_.bytes, at_.labels_at, at_.end);
    size_t arity = 0;
    std::vector<ValType> popped;
    for (uint32_t i = 0; i <= at_.index; ++i) {
      const uint32_t depth = labels.u32().value_or(UINT32_MAX);
      if (!branch_to(depth)) return false;
      const Types types = label_types(frames_[frames_.size() - 1 - depth]);
      if (i == 0) arity = types.size();
      if (types.size() != arity) return refuse("labels that take different numbers of operands");
      popped.clear();
      for (size_t k = types.size(); k > 0; --k) {
        popped.emplace_back();
        if (!pop(types[k - 1], &popped.back())) return false;
      }
      for (size_t k = popped.size(); k > 0; --k) push(popped[k - 1]);
    }
    if (was_live) meter_.branched(at_.end);
    set_unreachable();
    return true;
  }

  /// unreachable and return: nothing after them runs.
  bool stop(Types types) {
    if (at_.op == kReturn && live()) meter_.branch(0);
    const bool was_live = live();
    if (!pop_all(types)) return false;
    if (was_live) meter_.branched(at_.end);
    set_unreachable();
    return true;
  }

  bool call() {
    const FunctionType* type = nullptr;
    note_call();
    if (at_.op == kCall) {
      if (at_.index >= module_.function_count()) return refuse("there is no such function");
      type = &module_.type_of(at_.index);
      if (at_.index < module_.imports.size()) {
        if (live()) meter_.add(kCostImport);
        plan_.cost_total += kCostImport;
      } else if (live()) {
        plan_.calls = true;
        plan_.call_sites.push_back({at_.index - uint32_t(module_.imports.size()), false});
      }
    } else {
      if (!module_.has_table) return refuse("there is no table");
      if (at_.index >= module_.types.size()) return refuse("there is no such type");
      type = &module_.types[at_.index];
      if (live()) {
        plan_.calls = true;
        plan_.call_sites.push_back({at_.index, true});
      }
      if (!pop(ValType::kI32)) return false;
    }
    if (!pop_all(type->params)) return false;
    push_all(type->results);
    return true;
  }

  bool local() {
    if (at_.index >= locals_.size()) return refuse("there is no such local");
    const ValType type = locals_[at_.index];
    if (const uint32_t loop = frames_.back().loop; loop != LoopPlan::kNoLoop && live()) use(loop, {at_.index, at_.op == kLocalGet});
    const bool is_float = type == ValType::kF32 || type == ValType::kF64 || type == ValType::kV128;
    if (at_.op == kLocalGet) {
      push(type, is_float && live() ? flow_.read(at_.end, at_.index, loops_) : NanFlow::kNowhere);
      return true;
    }
    Operand operand;
    if (!take(type, operand)) return false;
    if (is_float && live()) flow_.store(operand.from, at_.index);
    if (at_.op == kLocalTee) push(type, operand.from, operand.is_constant);
    return true;
  }

  bool global() {
    if (at_.index >= module_.globals.size()) return refuse("there is no such global");
    const Global& global = module_.globals[at_.index];
    if (at_.op == kGlobalGet) {
      push(global.type);
      return true;
    }
    if (!global.is_mutable) return refuse("the global is constant");
    if (!pop(global.type)) return false;
    return true;
  }

  bool drop() {
    Operand operand;
    return take_any(operand);
  }

  bool select(ValType type) {
    ValType first = type, second = type;
    if (!pop(ValType::kI32) || !pop(type, &second) || !pop(second, &first)) return false;
    push(first == ValType::kUnknown ? second : first, NanFlow::kNowhere, true);
    return true;
  }

  const Module& module_;
  const RewriteLimits& limits_;
  uint32_t function_ = 0;
  const FunctionType* type_ = nullptr;
  Reader in_{{}, 0, 0};
  Instruction at_;
  Meter meter_;
  NanFlow flow_;
  std::vector<ValType> locals_;
  std::vector<Operand> stack_;
  std::vector<Frame> frames_;
  uint32_t loops_ = 0;  // open ones
  uint64_t run_cost_ = 0;  // of the instructions since the last mark, and
  uint32_t run_length_ = 0;  // how many they are
  std::vector<uint32_t> marks_;
  std::vector<uint32_t> used_in_;  // of each local: one of the loops that have it among their uses
  Error refusal_;
  FunctionPlan plan_;
};

}  // namespace

Result<std::vector<FunctionPlan>> validate_functions(const Module& module, const RewriteLimits& limits) {
  Validator validator(module, limits);
  std::vector<FunctionPlan> out;
  out.reserve(module.bodies.size());
  size_t locals = 0;
  for (uint32_t i = 0; i < module.bodies.size(); ++i) {
    out.push_back(TRY(validator.run(i)));
    locals += out.back().locals.size();
    if (locals > limits.locals_total_max) {
      return fail(Errc::kLimit, "more than " + std::to_string(limits.locals_total_max) + " locals in all functions");
    }
  }
  return out;
}

}  // namespace selvedge::wasm
