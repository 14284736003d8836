#include "wasm/opcodes.h"

#include "wasm/opcodes_simd.h"

namespace selvedge::wasm {
namespace {

using Table = std::array<OpInfo, kOpCount>;

struct Entry {
  uint16_t op;
  OpInfo info;
};

constexpr Entry kControl[] = {
    {kUnreachable, {"unreachable", Immediate::kNone, nullptr, 1}},
    {kNop, {"nop", Immediate::kNone, ">", 0}},
    {kBlock, {"block", Immediate::kBlock, nullptr, 0}},
    {kLoop, {"loop", Immediate::kBlock, nullptr, 1}},
    {kIf, {"if", Immediate::kBlock, nullptr, 1}},
    {kElse, {"else", Immediate::kNone, nullptr, 0}},
    {kEnd, {"end", Immediate::kNone, nullptr, 0}},
    {kBr, {"br", Immediate::kLabel, nullptr, 1}},
    {kBrIf, {"br_if", Immediate::kLabel, nullptr, 1}},
    {kBrTable, {"br_table", Immediate::kLabels, nullptr, 3}},
    {kReturn, {"return", Immediate::kNone, nullptr, 1}},
    {kCall, {"call", Immediate::kFunction, nullptr, 4}},
    {kCallIndirect, {"call_indirect", Immediate::kCallIndirect, nullptr, 8}},
    {kDrop, {"drop", Immediate::kNone, nullptr, 0}},
    {kSelect, {"select", Immediate::kNone, nullptr, 1}},
    {kLocalGet, {"local.get", Immediate::kLocal, nullptr, 1}},
    {kLocalSet, {"local.set", Immediate::kLocal, nullptr, 1}},
    {kLocalTee, {"local.tee", Immediate::kLocal, nullptr, 1}},
    {kGlobalGet, {"global.get", Immediate::kGlobal, nullptr, 1}},
    {kGlobalSet, {"global.set", Immediate::kGlobal, nullptr, 1}},
    {kMemorySize, {"memory.size", Immediate::kMemory, ">i", 1}},
    {kMemoryGrow, {"memory.grow", Immediate::kMemory, "i>i", 300}},
    {kI32Const, {"i32.const", Immediate::kI32, ">i", 1}},
    {kI64Const, {"i64.const", Immediate::kI64, ">l", 1}},
    {kF32Const, {"f32.const", Immediate::kF32, ">f", 1}},
    {kF64Const, {"f64.const", Immediate::kF64, ">d", 1}},
    {kMemoryCopy, {"memory.copy", Immediate::kMemoryTwo, "iii>", 20}},
    {kMemoryFill, {"memory.fill", Immediate::kMemory, "iii>", 20}},
    {kMemoryInit, {"memory.init", Immediate::kDataMemory, "iii>", 20}},
    {kDataDrop, {"data.drop", Immediate::kData, ">", 1}},
    {kTableInit, {"table.init", Immediate::kElementTable, "iii>", 20}},
    {kElemDrop, {"elem.drop", Immediate::kElement, ">", 1}},
    {kTableCopy, {"table.copy", Immediate::kTableTwo, "iii>", 20}},
    {kSelectTyped, {"select", Immediate::kSelectTypes, nullptr, 1}},
};

struct MemoryRow {
  const char* name;
  const char* types;
  uint8_t align;
};

// 0x28 to 0x3E in order.
constexpr MemoryRow kMemoryRows[] = {
    {"i32.load", "i>i", 2},     {"i64.load", "i>l", 3},     {"f32.load", "i>f", 2},     {"f64.load", "i>d", 3},
    {"i32.load8_s", "i>i", 0},  {"i32.load8_u", "i>i", 0},  {"i32.load16_s", "i>i", 1}, {"i32.load16_u", "i>i", 1},
    {"i64.load8_s", "i>l", 0},  {"i64.load8_u", "i>l", 0},  {"i64.load16_s", "i>l", 1}, {"i64.load16_u", "i>l", 1},
    {"i64.load32_s", "i>l", 2}, {"i64.load32_u", "i>l", 2}, {"i32.store", "ii>", 2},    {"i64.store", "il>", 3},
    {"f32.store", "if>", 2},    {"f64.store", "id>", 3},    {"i32.store8", "ii>", 0},   {"i32.store16", "ii>", 1},
    {"i64.store8", "il>", 0},   {"i64.store16", "il>", 1},  {"i64.store32", "il>", 2},
};

struct SimpleRow {
  const char* name;
  const char* types;
  uint8_t cost;
  Nan nan;
};

constexpr Nan kF = Nan::kMakesF32, kD = Nan::kMakesF64, kIg = Nan::kIgnores, kNu = Nan::kNumber, kNo = Nan::kNone;

// 0x45 to 0xC4 in order.
constexpr SimpleRow kSimpleRows[] = {
    {"i32.eqz", "i>i", 1, kNo},   {"i32.eq", "ii>i", 1, kNo},   {"i32.ne", "ii>i", 1, kNo},
    {"i32.lt_s", "ii>i", 1, kNo}, {"i32.lt_u", "ii>i", 1, kNo}, {"i32.gt_s", "ii>i", 1, kNo},
    {"i32.gt_u", "ii>i", 1, kNo}, {"i32.le_s", "ii>i", 1, kNo}, {"i32.le_u", "ii>i", 1, kNo},
    {"i32.ge_s", "ii>i", 1, kNo}, {"i32.ge_u", "ii>i", 1, kNo}, {"i64.eqz", "l>i", 1, kNo},
    {"i64.eq", "ll>i", 1, kNo},   {"i64.ne", "ll>i", 1, kNo},   {"i64.lt_s", "ll>i", 1, kNo},
    {"i64.lt_u", "ll>i", 1, kNo}, {"i64.gt_s", "ll>i", 1, kNo}, {"i64.gt_u", "ll>i", 1, kNo},
    {"i64.le_s", "ll>i", 1, kNo}, {"i64.le_u", "ll>i", 1, kNo}, {"i64.ge_s", "ll>i", 1, kNo},
    {"i64.ge_u", "ll>i", 1, kNo}, {"f32.eq", "ff>i", 1, kIg},   {"f32.ne", "ff>i", 1, kIg},
    {"f32.lt", "ff>i", 1, kIg},   {"f32.gt", "ff>i", 1, kIg},   {"f32.le", "ff>i", 1, kIg},
    {"f32.ge", "ff>i", 1, kIg},   {"f64.eq", "dd>i", 1, kIg},   {"f64.ne", "dd>i", 1, kIg},
    {"f64.lt", "dd>i", 1, kIg},   {"f64.gt", "dd>i", 1, kIg},   {"f64.le", "dd>i", 1, kIg},
    {"f64.ge", "dd>i", 1, kIg},   {"i32.clz", "i>i", 1, kNo},   {"i32.ctz", "i>i", 1, kNo},
    {"i32.popcnt", "i>i", 1, kNo}, {"i32.add", "ii>i", 1, kNo}, {"i32.sub", "ii>i", 1, kNo},
    {"i32.mul", "ii>i", 1, kNo},  {"i32.div_s", "ii>i", 8, kNo}, {"i32.div_u", "ii>i", 8, kNo},
    {"i32.rem_s", "ii>i", 8, kNo}, {"i32.rem_u", "ii>i", 8, kNo}, {"i32.and", "ii>i", 1, kNo},
    {"i32.or", "ii>i", 1, kNo},   {"i32.xor", "ii>i", 1, kNo},  {"i32.shl", "ii>i", 1, kNo},
    {"i32.shr_s", "ii>i", 1, kNo}, {"i32.shr_u", "ii>i", 1, kNo}, {"i32.rotl", "ii>i", 1, kNo},
    {"i32.rotr", "ii>i", 1, kNo}, {"i64.clz", "l>l", 1, kNo},   {"i64.ctz", "l>l", 1, kNo},
    {"i64.popcnt", "l>l", 1, kNo}, {"i64.add", "ll>l", 1, kNo}, {"i64.sub", "ll>l", 1, kNo},
    {"i64.mul", "ll>l", 1, kNo},  {"i64.div_s", "ll>l", 12, kNo}, {"i64.div_u", "ll>l", 12, kNo},
    {"i64.rem_s", "ll>l", 12, kNo}, {"i64.rem_u", "ll>l", 12, kNo}, {"i64.and", "ll>l", 1, kNo},
    {"i64.or", "ll>l", 1, kNo},   {"i64.xor", "ll>l", 1, kNo},  {"i64.shl", "ll>l", 1, kNo},
    {"i64.shr_s", "ll>l", 1, kNo}, {"i64.shr_u", "ll>l", 1, kNo}, {"i64.rotl", "ll>l", 1, kNo},
    {"i64.rotr", "ll>l", 1, kNo}, {"f32.abs", "f>f", 1, kNo},   {"f32.neg", "f>f", 1, kNo},
    {"f32.ceil", "f>f", 2, kF},   {"f32.floor", "f>f", 2, kF},  {"f32.trunc", "f>f", 2, kF},
    {"f32.nearest", "f>f", 2, kF}, {"f32.sqrt", "f>f", 8, kF},  {"f32.add", "ff>f", 1, kF},
    {"f32.sub", "ff>f", 1, kF},   {"f32.mul", "ff>f", 1, kF},   {"f32.div", "ff>f", 5, kF},
    {"f32.min", "ff>f", 3, kF},   {"f32.max", "ff>f", 3, kF},   {"f32.copysign", "ff>f", 1, kNo},
    {"f64.abs", "d>d", 1, kNo},   {"f64.neg", "d>d", 1, kNo},   {"f64.ceil", "d>d", 2, kD},
    {"f64.floor", "d>d", 2, kD},  {"f64.trunc", "d>d", 2, kD},  {"f64.nearest", "d>d", 2, kD},
    {"f64.sqrt", "d>d", 8, kD},   {"f64.add", "dd>d", 1, kD},   {"f64.sub", "dd>d", 1, kD},
    {"f64.mul", "dd>d", 1, kD},   {"f64.div", "dd>d", 5, kD},   {"f64.min", "dd>d", 3, kD},
    {"f64.max", "dd>d", 3, kD},   {"f64.copysign", "dd>d", 1, kNo}, {"i32.wrap_i64", "l>i", 1, kNo},
    {"i32.trunc_f32_s", "f>i", 3, kIg}, {"i32.trunc_f32_u", "f>i", 3, kIg}, {"i32.trunc_f64_s", "d>i", 3, kIg},
    {"i32.trunc_f64_u", "d>i", 3, kIg}, {"i64.extend_i32_s", "i>l", 1, kNo}, {"i64.extend_i32_u", "i>l", 1, kNo},
    {"i64.trunc_f32_s", "f>l", 3, kIg}, {"i64.trunc_f32_u", "f>l", 3, kIg}, {"i64.trunc_f64_s", "d>l", 3, kIg},
    {"i64.trunc_f64_u", "d>l", 3, kIg}, {"f32.convert_i32_s", "i>f", 1, kNu}, {"f32.convert_i32_u", "i>f", 1, kNu},
    {"f32.convert_i64_s", "l>f", 1, kNu}, {"f32.convert_i64_u", "l>f", 2, kNu}, {"f32.demote_f64", "d>f", 1, kF},
    {"f64.convert_i32_s", "i>d", 1, kNu}, {"f64.convert_i32_u", "i>d", 1, kNu}, {"f64.convert_i64_s", "l>d", 1, kNu},
    {"f64.convert_i64_u", "l>d", 2, kNu}, {"f64.promote_f32", "f>d", 1, kD}, {"i32.reinterpret_f32", "f>i", 1, kNo},
    {"i64.reinterpret_f64", "d>l", 1, kNo}, {"f32.reinterpret_i32", "i>f", 1, kNo},
    {"f64.reinterpret_i64", "l>d", 1, kNo}, {"i32.extend8_s", "i>i", 1, kNo}, {"i32.extend16_s", "i>i", 1, kNo},
    {"i64.extend8_s", "l>l", 1, kNo}, {"i64.extend16_s", "l>l", 1, kNo}, {"i64.extend32_s", "l>l", 1, kNo},
};
static_assert(std::size(kMemoryRows) == 0x3E - 0x28 + 1);
static_assert(std::size(kSimpleRows) == 0xC4 - 0x45 + 1);

// 0xFC 0 to 7 in order.
constexpr SimpleRow kSaturatingRows[] = {
    {"i32.trunc_sat_f32_s", "f>i", 3, kIg}, {"i32.trunc_sat_f32_u", "f>i", 3, kIg},
    {"i32.trunc_sat_f64_s", "d>i", 3, kIg}, {"i32.trunc_sat_f64_u", "d>i", 3, kIg},
    {"i64.trunc_sat_f32_s", "f>l", 3, kIg}, {"i64.trunc_sat_f32_u", "f>l", 3, kIg},
    {"i64.trunc_sat_f64_s", "d>l", 3, kIg}, {"i64.trunc_sat_f64_u", "d>l", 3, kIg},
};

constexpr uint8_t kMemoryAccessCost = 2;

constexpr ValType letter_type(char letter) {
  switch (letter) {
    case 'i': return ValType::kI32;
    case 'l': return ValType::kI64;
    case 'f': return ValType::kF32;
    case 'v': return ValType::kV128;
    default: return ValType::kF64;
  }
}

constexpr void spell_out(OpInfo& info) {
  const char* arrow = info.types;
  if (arrow == nullptr) return;
  while (*arrow != '>') ++arrow;
  for (const char* p = arrow; p != info.types; --p) info.takes[info.takes_count++] = letter_type(p[-1]);
  if (arrow[1] != '\0') info.gives = letter_type(arrow[1]);
}

/// What ends a metered block or synchronises fuel.
constexpr bool is_mark(uint16_t op) {
  return (op >= kBlock && op <= kCallIndirect) || op == kUnreachable || op == kMemoryGrow || is_bulk(op);
}

constexpr Table make_table() {
  Table table{};
  for (const Entry& entry : kControl) table[entry.op] = entry.info;
  uint16_t op = 0x28;
  for (const MemoryRow& row : kMemoryRows) {
    table[op++] = {row.name, Immediate::kMemArg, row.types, kMemoryAccessCost, row.align, Nan::kNone, 0};
  }
  op = 0x45;
  for (const SimpleRow& row : kSimpleRows) table[op++] = {row.name, Immediate::kNone, row.types, row.cost, 0, row.nan, 0};
  op = kPrefixFc;
  for (const SimpleRow& row : kSaturatingRows) {
    table[op++] = {row.name, Immediate::kNone, row.types, row.cost, 0, row.nan, 0};
  }
  for (const SimdRow& row : kSimdRows) {
    table[kPrefixFd + row.op] = {row.name, row.immediate, row.types, row.cost, row.align, row.nan, row.lanes};
  }
  for (op = 0; op < kOpCount; ++op) {
    spell_out(table[op]);
    table[op].is_mark = is_mark(op);
  }
  return table;
}


}  // namespace

constinit const Table kOpTable = make_table();

namespace {

/// Names the family of a refused opcode, so that its author knows which compiler flag to drop.
std::string refused_name(uint8_t first, uint32_t second) {
  switch (first) {
    case 0x06: case 0x07: case 0x08: case 0x09: case 0x0A: case 0x18: case 0x19: case 0x1F:
      return "exception handling";
    case 0x12: case 0x13: return "a tail call";
    case 0x14: case 0x15: return "typed function references";
    case 0x25: case 0x26: return "table.get or table.set";
    case 0xD0: case 0xD1: case 0xD2: case 0xD3: case 0xD4: case 0xD5: case 0xD6: return "a reference instruction";
    case 0xFB: return "garbage collection";
    case 0xFC: return second >= 15 && second <= 17 ? "table.grow, table.size or table.fill" : "an unknown instruction";
    case 0xFD: return second >= 256 ? "relaxed SIMD" : "an unknown instruction";
    case 0xFE: return "threads";
    default: return "an unknown instruction";
  }
}

Result<uint16_t> read_opcode(Reader& in) {
  const size_t start = in.offset();
  const uint8_t first = TRY(in.byte());
  uint32_t second = 0;
  uint32_t op = first;
  if (first == 0xFC || first == 0xFD || first == 0xFE || first == 0xFB) {
    second = TRY(in.u32());
    op = kOpCount;
    if (first == 0xFC && second < kPrefixFd - kPrefixFc) op = kPrefixFc + second;
    if (first == 0xFD && second < kOpCount - kPrefixFd) op = kPrefixFd + second;
  }
  if (op < kOpCount && kOpTable[op].immediate != Immediate::kRefused) return uint16_t(op);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string code = {'0', 'x', kDigits[first >> 4], kDigits[first & 15]};
  if (first >= 0xFB && first <= 0xFE) code += " " + std::to_string(second);
  return Reader::error_at(start, Errc::kUnsupported,
                          "opcode " + code + " (" + refused_name(first, second) +
                              ") is not in the profile; docs/spec/metering.md says what is");
}

Status read_labels(Reader& in, Instruction& out, uint32_t labels_max) {
  out.index = TRY(in.count(labels_max, "br_table targets"));
  out.labels_at = uint32_t(in.offset());
  for (uint32_t i = 0; i <= out.index; ++i) TRY(in.u32());
  return ok();
}

/// The index of the one memory or table.
Status not_zero(size_t at, const char* what) {
  return Reader::error_at(at, Errc::kUnsupported, std::string("a second ") + what + " is not in the profile");
}
/// Longer spellings of zero are not accepted by all engines.
Status read_memory(Reader& in) {
  const size_t start = in.offset();
  return TRY(in.byte()) == 0 ? ok() : not_zero(start, "memory");
}
/// Here they are: linkers leave room for a number.
Status read_table(Reader& in) {
  const size_t start = in.offset();
  return TRY(in.u32()) == 0 ? ok() : not_zero(start, "table");
}

Status read_mem_arg(Reader& in, Instruction& out) {
  const size_t start = in.offset();
  out.align = TRY(in.u32());
  // Bit 6 announces a memory index (multi-memory).
  if (out.align >= 32) return Reader::error_at(start, Errc::kUnsupported, "a second memory is not in the profile");
  TRY(in.u32());
  return ok();
}

Status read_lanes(Reader& in, Instruction& out, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    const size_t start = in.offset();
    out.index = TRY(in.byte());
    if (out.index >= kOpTable[out.op].lanes) return Reader::error_at(start, Errc::kInvalid, "there is no such lane");
  }
  return ok();
}

Status read_block_type(Reader& in, Instruction& out) {
  const size_t start = in.offset();
  out.block_type = TRY(in.s33());
  const bool known = out.block_type >= 0 || out.block_type == -64 || (out.block_type >= -5 && out.block_type <= -1);
  if (!known) return Reader::error_at(start, Errc::kUnsupported, "a block type outside the profile");
  return ok();
}

Status read_select_types(Reader& in, Instruction& out) {
  const size_t start = in.offset();
  if (TRY(in.u32()) != 1) return Reader::error_at(start, Errc::kInvalid, "select gives one value");
  out.index = TRY(in.byte());
  if (!is_val_type(uint8_t(out.index))) {
    return Reader::error_at(start, Errc::kUnsupported, "select of references is not in the profile");
  }
  return ok();
}

Status read_any(Reader& in, uint32_t labels_max, Instruction& out) {
  out.op = TRY(read_opcode(in));
  switch (kOpTable[out.op].immediate) {
    case Immediate::kRefused: return in.error(Errc::kInternal, "a refused opcode was decoded");
    case Immediate::kNone: break;
    case Immediate::kBlock: TRY(read_block_type(in, out)); break;
    case Immediate::kLabels: TRY(read_labels(in, out, labels_max)); break;
    case Immediate::kLabel:
    case Immediate::kFunction:
    case Immediate::kLocal:
    case Immediate::kData:
    case Immediate::kElement:
    case Immediate::kGlobal: out.index = TRY(in.u32()); break;
    case Immediate::kCallIndirect: out.index = TRY(in.u32()); TRY(read_table(in)); break;
    case Immediate::kMemArg: TRY(read_mem_arg(in, out)); break;
    case Immediate::kMemLane: TRY(read_mem_arg(in, out)); TRY(read_lanes(in, out, 1)); break;
    case Immediate::kLane: TRY(read_lanes(in, out, 1)); break;
    case Immediate::kShuffle: TRY(read_lanes(in, out, 16)); break;
    case Immediate::kV128: TRY(in.bytes(16)); break;
    case Immediate::kSelectTypes: TRY(read_select_types(in, out)); break;
    case Immediate::kDataMemory: out.index = TRY(in.u32()); TRY(read_memory(in)); break;
    case Immediate::kElementTable: out.index = TRY(in.u32()); TRY(read_table(in)); break;
    case Immediate::kTableTwo: TRY(read_table(in)); TRY(read_table(in)); break;
    case Immediate::kMemoryTwo: TRY(read_memory(in)); [[fallthrough]];
    case Immediate::kMemory: TRY(read_memory(in)); break;
    case Immediate::kI32: TRY(in.s32()); break;
    case Immediate::kI64: TRY(in.s64()); break;
    case Immediate::kF32: TRY(in.bytes(4)); break;
    case Immediate::kF64: TRY(in.bytes(8)); break;
  }
  out.end = uint32_t(in.offset());
  return ok();
}

/// How many bytes a number has that is so short that none of its bits can be too much; 0 when it is longer.
template <size_t kMax>
size_t short_number(const uint8_t* p) {
  for (size_t i = 0; i < kMax; ++i) {
    if (p[i] < 0x80) return i + 1;
  }
  return 0;
}
size_t short_index(const uint8_t* p, uint32_t& out) {
  if (p[0] < 0x80) {
    out = p[0];
    return 1;
  }
  const size_t size = short_number<4>(p);
  out = 0;
  for (size_t i = 0; i < size; ++i) out |= uint32_t(p[i] & 0x7F) << (7 * i);
  return size;
}

/// The size of the immediates at p when they are spelled in the usual way, else 0. Looks at no more than kLongestUsual bytes.
constexpr size_t kLongestUsual = 20;
size_t usual_immediates(const uint8_t* p, Immediate immediate, Instruction& out) {
  switch (immediate) {
    case Immediate::kLabel: case Immediate::kFunction: case Immediate::kLocal: case Immediate::kGlobal: return short_index(p, out.index);
    case Immediate::kCallIndirect: {
      const size_t type = short_index(p, out.index);
      return type > 0 && p[type] == 0 ? type + 1 : 0;
    }
    case Immediate::kMemArg: {
      out.align = p[0];
      const size_t offset = short_number<4>(p + 1);
      return out.align < 32 && offset > 0 ? 1 + offset : 0;
    }
    case Immediate::kI32: return short_number<4>(p);
    case Immediate::kI64: return short_number<9>(p);
    case Immediate::kF32: return 4;
    case Immediate::kF64: return 8;
    case Immediate::kV128: return 16;
    case Immediate::kBlock:
      out.block_type = int64_t(p[0]) - 0x80;
      return p[0] == 0x40 || is_val_type(p[0]) ? 1 : 0;
    default: return 0;
  }
}

/// The number of a vector instruction, and in `size` how long it is; kOpCount when that has to be looked at closely.
uint16_t usual_vector(const uint8_t* p, size_t& size) {
  size = p[1] < 0x80 ? 2 : 3;
  const uint32_t number = size == 2 ? p[1] : (p[1] & 0x7Fu) | uint32_t(p[2]) << 7;
  return number < kOpCount - kPrefixFd ? uint16_t(kPrefixFd + number) : kOpCount;
}

}  // namespace

bool read_usual(Reader& in, Instruction& out) {
  const ByteView ahead = in.ahead();
  if (ahead.size() < 3 + kLongestUsual) return false;
  const uint8_t* const p = ahead.data();
  size_t size = 1;
  const uint16_t op = p[0] == 0xFD ? usual_vector(p, size) : p[0];
  if (op == kOpCount) return false;
  const Immediate immediate = kOpTable[op].immediate;
  if (immediate != Immediate::kNone) {
    const size_t more = usual_immediates(p + size, immediate, out);
    if (more == 0) return false;
    size += more;
  }
  if (size > in.left()) return false;
  out.op = op;
  out.start = uint32_t(in.offset());
  out.end = uint32_t(in.offset() + size);
  in.skip(size);
  return true;
}

Status read_instruction(Reader& in, uint32_t labels_max, Instruction& out) {
  out = Instruction();
  out.start = uint32_t(in.offset());
  return read_usual(in, out) ? ok() : read_any(in, labels_max, out);
}

}  // namespace selvedge::wasm
