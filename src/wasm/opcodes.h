// The instructions of the profile: their immediates, types, and cost. What is not in this table is refused.
//
// The cost column is version kRewriterVersion's cost table; docs/spec/metering.md prints it. The profile is WebAssembly 1.0
// with sign extension, saturating conversions, multi-value, bulk memory, fixed-width vectors, and of reference types
// what changes no value: the encodings that compilers use for tables, and select with a type.
#pragma once

#include <array>
#include <cstdint>

#include "wasm/wire.h"

namespace selvedge::wasm {

enum class ValType : uint8_t { kUnknown = 0, kV128 = 0x7B, kF64 = 0x7C, kF32 = 0x7D, kI64 = 0x7E, kI32 = 0x7F };

/// The value types of the profile by their byte.
inline bool is_val_type(uint8_t b) { return b >= 0x7B && b <= 0x7F; }

enum class Immediate : uint8_t {
  kRefused,  // not in the profile
  kNone,
  kBlock,
  kLabel,
  kLabels,
  kFunction,
  kCallIndirect,
  kLocal,
  kGlobal,
  kMemArg,
  kMemory,     // one zero byte
  kMemoryTwo,  // two of them
  kI32,
  kI64,
  kF32,
  kF64,
  kV128,         // 16 bytes
  kShuffle,      // 16 numbers of lanes
  kLane,
  kMemLane,      // kMemArg and a lane
  kSelectTypes,  // one value type
  kData,         // a data segment
  kDataMemory,   // and the memory
  kElement,      // an element segment
  kElementTable,  // and the table
  kTableTwo,
};

enum class Nan : uint8_t {
  kNone,
  kMakesF32,  // a NaN result has bits the standard leaves open
  kMakesF64,
  kMakesF32x4,  // and takes the same
  kMakesF64x2,
  kDemotesF64x2,
  kPromotesF32x4,
  kNumber,        // gives a float that is no NaN
  kIgnores,       // takes floats and gives the same for every NaN (comparisons, truncations)
  kIgnoresF32x4,  // the same in lanes
  kIgnoresF64x2,
};

struct OpInfo {
  const char* name = "";
  Immediate immediate = Immediate::kRefused;
  const char* types = nullptr;  // "ii>i" with i I32, l I64, f F32, d F64, v V128; nullptr where the validator knows more
  uint16_t cost = 1;
  uint8_t align_max = 0;        // log2, for kMemArg
  Nan nan = Nan::kNone;
  uint8_t lanes = 0;            // how many a kLane, kMemLane or kShuffle may choose from
  // What `types` says: the operands, the last first, and the result, kUnknown when there is none.
  uint8_t takes_count = 0;
  ValType takes[3] = {}, gives = ValType::kUnknown;
  bool is_mark = false;         // the emitter does more than copy it
};

/// Opcodes behind the prefixes 0xFC and 0xFD are numbered from here.
constexpr uint16_t kPrefixFc = 0x100, kPrefixFd = 0x120;
constexpr uint16_t kOpCount = kPrefixFd + 256;

enum Op : uint16_t {
  kUnreachable = 0x00, kNop = 0x01, kBlock = 0x02, kLoop = 0x03, kIf = 0x04, kElse = 0x05, kEnd = 0x0B, kBr = 0x0C,
  kBrIf = 0x0D, kBrTable = 0x0E, kReturn = 0x0F, kCall = 0x10, kCallIndirect = 0x11, kDrop = 0x1A, kSelect = 0x1B,
  kLocalGet = 0x20, kLocalSet = 0x21, kLocalTee = 0x22, kGlobalGet = 0x23, kGlobalSet = 0x24, kMemorySize = 0x3F,
  kMemoryGrow = 0x40, kI32Const = 0x41, kI64Const = 0x42, kF32Const = 0x43, kF64Const = 0x44, kI32Eq = 0x46,
  kI32LtS = 0x48, kI32LtU = 0x49, kI32GtU = 0x4B, kI64LtS = 0x53, kI64GeS = 0x59, kF32Eq = 0x5B, kF64Eq = 0x61,
  kI32Add = 0x6A, kI32Sub = 0x6B, kI32DivU = 0x6E, kI32RemU = 0x70, kI32ShrU = 0x76, kI64Add = 0x7C, kI64Sub = 0x7D,
  kI64Mul = 0x7E, kI64DivU = 0x80, kI64RemU = 0x82, kI64ShrU = 0x88, kF32Min = 0x96, kF32Max = 0x97, kF32Copysign = 0x98,
  kF64Min = 0xA4, kF64Max = 0xA5, kF64Copysign = 0xA6, kI32WrapI64 = 0xA7, kI64ExtendI32U = 0xAD,
  kI32ReinterpretF32 = 0xBC, kI64ReinterpretF64 = 0xBD, kF32ReinterpretI32 = 0xBE, kF64ReinterpretI64 = 0xBF,
  kMemoryInit = kPrefixFc + 8, kDataDrop = kPrefixFc + 9, kMemoryCopy = kPrefixFc + 10, kMemoryFill = kPrefixFc + 11,
  kTableInit = kPrefixFc + 12, kElemDrop = kPrefixFc + 13, kTableCopy = kPrefixFc + 14, kSelectTyped = 0x1C,
  kV128Const = kPrefixFd + 0x0C, kF32x4Eq = kPrefixFd + 0x41, kF64x2Eq = kPrefixFd + 0x47, kBitselect = kPrefixFd + 0x52,
};
/// Instructions that move an amount the program chooses, which is on top of the stack.
constexpr bool is_bulk(uint16_t op) {
  return op == kMemoryInit || op == kMemoryCopy || op == kMemoryFill || op == kTableInit || op == kTableCopy;
}

extern const std::array<OpInfo, kOpCount> kOpTable;
inline const OpInfo& op_info(uint16_t op) {
  CHECK(op < kOpCount);
  return kOpTable[op];
}

/// One instruction, decoded. Everything between start and end is its bytes.
struct Instruction {
  uint16_t op = 0;
  uint32_t start = 0, end = 0;  // offsets in the module
  uint32_t index = 0;           // label, function, type, local, global, segment, lane; number of labels of br_table
                                // without default
  uint32_t align = 0;
  uint32_t labels_at = 0;       // br_table: offset of the first label
  int64_t block_type = 0;       // s33: -64 empty, other negatives a value type, else a type index
};

/// Decodes the next instruction and checks the form of its immediates, not their meaning.
/// Errors: kUnsupported for an opcode outside the profile, kInvalid, kLimit for a br_table over `labels_max`.
Status read_instruction(Reader& in, uint32_t labels_max, Instruction& out);

/// The same for what is spelled in the usual way, which is nearly everything; false, and nothing read, when read_instruction() has to look. Of `out` it
/// sets what the instruction has, and leaves the rest.
bool read_usual(Reader& in, Instruction& out);

}  // namespace selvedge::wasm
