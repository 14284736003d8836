// A module taken apart: every section checked, function bodies still as bytes.
//
// Own parser rather than a library, because what is accepted here is what an engine will see: the profile is an
// allow list, and the limits apply before memory is spent. Internal to this room.
#pragma once

#include <vector>

#include "wasm/opcodes.h"
#include "wasm/rewrite.h"

namespace selvedge::wasm {

struct FunctionType {
  std::vector<ValType> params, results;
  bool operator==(const FunctionType&) const = default;
};

struct Import {
  std::string module, name;
  uint32_t type = 0;
};

struct Global {
  ValType type = ValType::kI32;
  bool is_mutable = false;
  ByteView init;  // the constant instruction, without its end
};

enum class ExternKind : uint8_t { kFunction = 0, kTable = 1, kMemory = 2, kGlobal = 3 };

struct Export {
  std::string name;
  ExternKind kind = ExternKind::kFunction;
  uint32_t index = 0;
};

enum class SegmentMode : uint8_t { kActive, kPassive, kDeclarative };

struct ElementSegment {
  SegmentMode mode = SegmentMode::kActive;
  ByteView offset;  // if active: the constant instruction, without its end
  std::vector<uint32_t> functions;
};

struct DataSegment {
  SegmentMode mode = SegmentMode::kActive;
  ByteView offset;
  ByteView bytes;
};

struct FunctionBody {
  uint32_t begin = 0, end = 0;  // offsets of locals and code in the module
};

struct Module {
  ByteView bytes;
  std::vector<FunctionType> types;
  std::vector<Import> imports;           // functions, all of them
  std::vector<uint32_t> functions;       // types of the defined functions
  std::vector<Global> globals;
  std::vector<Export> exports;
  std::vector<ElementSegment> elements;
  std::vector<uint32_t> table_functions;  // whatever a table may ever hold, with repetitions
  std::vector<DataSegment> data;
  std::vector<FunctionBody> bodies;
  bool has_table = false, has_memory = false, has_start = false, has_table_max = false;
  uint32_t table_min = 0, table_max = 0;
  uint32_t memory_min = 0, memory_max = 0;
  uint32_t start = 0;
  bool has_data_count = false;
  uint32_t data_count = 0;

  uint32_t function_count() const { return uint32_t(imports.size() + functions.size()); }
  /// The type of a function by its index in the module (imports first). The index was checked.
  const FunctionType& type_of(uint32_t function) const {
    const uint32_t type = function < imports.size() ? imports[function].type : functions[function - imports.size()];
    return types[type];
  }
};

/// Whose names a module may use. kRewritten accepts the rewriter's own: tests and fuzzers check with it that what we
/// wrote passes the same validation as what we read.
enum class Names : uint8_t { kProgram, kRewritten };

/// Parses and checks everything but the code inside function bodies.
/// Errors as rewrite().
Result<Module> parse_module(ByteView bytes, const RewriteLimits& limits, Names names = Names::kProgram);

}  // namespace selvedge::wasm
