#include "wasm/module.h"

#include <set>

#include "wasm/wasi.h"

namespace selvedge::wasm {
namespace {

enum class Section : uint8_t {
  kCustom = 0, kType, kImport, kFunction, kTable, kMemory, kGlobal, kExport, kStart, kElement, kCode, kData, kDataCount
};

const char* section_name(uint8_t id) {
  static constexpr const char* kNames[] = {"custom", "type",  "import",  "function", "table", "memory",    "global",
                                           "export", "start", "element", "code",     "data",  "data count"};
  return id < std::size(kNames) ? kNames[id] : "unknown";
}

/// Sections come in the order of their numbers, except that the data count comes before the code.
int section_rank(uint8_t id) {
  if (id == uint8_t(Section::kDataCount)) return int(Section::kElement) * 2 + 1;
  return id * 2;
}

ValType type_of_letter(char letter) {
  switch (letter) {
    case 'i': return ValType::kI32;
    case 'l': return ValType::kI64;
    case 'f': return ValType::kF32;
    default: return ValType::kF64;
  }
}

FunctionType signature_type(const char* text) {
  FunctionType out;
  bool results = false;
  for (; *text != '\0'; ++text) {
    if (*text == '>') results = true;
    else (results ? out.results : out.params).push_back(type_of_letter(*text));
  }
  return out;
}

class Parser {
 public:
  Parser(ByteView bytes, const RewriteLimits& limits, Names names)
      : limits_(limits), names_(names), in_(bytes, 0, bytes.size()) {
    out_.bytes = bytes;
  }

  Result<Module> parse() {
    if (in_.left() > limits_.module_bytes_max) {
      return in_.error(Errc::kLimit, "the module has " + std::to_string(in_.left()) + " bytes; at most " +
                                         std::to_string(limits_.module_bytes_max) + " are accepted");
    }
    TRY(header());
    int last_rank = 0;
    while (!in_.done()) {
      const size_t start = in_.offset();
      const uint8_t id = TRY(in_.byte());
      const uint32_t size = TRY(in_.u32());
      if (size > in_.left()) return Reader::error_at(start, Errc::kInvalid, section("reaches past the end of the module", id));
      Reader body(out_.bytes, in_.offset(), in_.offset() + size);
      TRY(in_.bytes(size));
      if (id == uint8_t(Section::kCustom)) {
        TRY(body.name());
        continue;
      }
      if (id > uint8_t(Section::kDataCount)) {
        return Reader::error_at(start, Errc::kUnsupported, "section " + std::to_string(id) + " is not in the profile");
      }
      if (section_rank(id) <= last_rank) return Reader::error_at(start, Errc::kInvalid, section("is out of order", id));
      last_rank = section_rank(id);
      TRY(read_section(id, body));
      if (!body.done()) return body.error(Errc::kInvalid, section("has bytes left over", id));
    }
    TRY(check_whole());
    return std::move(out_);
  }

 private:
  bool is_reserved(const std::string& name) const {
    return names_ == Names::kProgram && name.starts_with(kReservedPrefix);
  }
  static std::string section(const char* what, uint8_t id) {
    return std::string("the ") + section_name(id) + " section " + what;
  }

  Status header() {
    static constexpr uint8_t kMagic[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    if (in_.left() < sizeof kMagic || std::memcmp(out_.bytes.data(), kMagic, sizeof kMagic) != 0) {
      return in_.error(Errc::kInvalid, "this is not a WebAssembly 1.0 module");
    }
    TRY(in_.bytes(sizeof kMagic));
    return ok();
  }

  Status read_section(uint8_t id, Reader& in) {
    switch (Section(id)) {
      case Section::kCustom: return ok();
      case Section::kType: return read_types(in);
      case Section::kImport: return read_imports(in);
      case Section::kFunction: return read_functions(in);
      case Section::kTable: return read_table(in);
      case Section::kMemory: return read_memory(in);
      case Section::kGlobal: return read_globals(in);
      case Section::kExport: return read_exports(in);
      case Section::kStart: return read_start(in);
      case Section::kElement: return read_elements(in);
      case Section::kCode: return read_bodies(in);
      case Section::kData: return read_data(in);
      case Section::kDataCount:
        out_.has_data_count = true;
        out_.data_count = TRY(in.u32());
        return ok();
    }
    return ok();
  }

  Result<ValType> val_type(Reader& in) {
    const size_t start = in.offset();
    const uint8_t b = TRY(in.byte());
    if (!is_val_type(b)) {
      return Reader::error_at(start, Errc::kUnsupported, "a value type outside the profile (only i32, i64, f32, f64, v128)");
    }
    return ValType(b);
  }

  Status read_types(Reader& in) {
    const uint32_t n = TRY(in.count(limits_.types_max, "types"));
    for (uint32_t i = 0; i < n; ++i) {
      if (TRY(in.byte()) != 0x60) return in.error(Errc::kUnsupported, "a type that is not a function type");
      FunctionType type;
      const uint32_t params = TRY(in.count(limits_.params_max, "parameters"));
      for (uint32_t k = 0; k < params; ++k) type.params.push_back(TRY(val_type(in)));
      const uint32_t results = TRY(in.count(limits_.params_max, "results"));
      for (uint32_t k = 0; k < results; ++k) type.results.push_back(TRY(val_type(in)));
      out_.types.push_back(std::move(type));
    }
    return ok();
  }

  Result<uint32_t> type_index(Reader& in) {
    const size_t start = in.offset();
    const uint32_t index = TRY(in.u32());
    if (index >= out_.types.size()) return Reader::error_at(start, Errc::kInvalid, "there is no such type");
    return index;
  }

  Status read_imports(Reader& in) {
    const uint32_t n = TRY(in.count(limits_.imports_max, "imports"));
    for (uint32_t i = 0; i < n; ++i) {
      const size_t start = in.offset();
      const std::string module = TRY(in.name());
      Import import;
      import.name = TRY(in.name());
      if (is_reserved(module) || is_reserved(import.name)) {
        return Reader::error_at(start, Errc::kUnauthorized, "import " + module + "." + import.name +
                                                                ": names beginning with __sv_ belong to the rewriter");
      }
      if (TRY(in.byte()) != uint8_t(ExternKind::kFunction)) {
        return Reader::error_at(start, Errc::kUnsupported, "import " + module + "." + import.name + " is not a function");
      }
      import.type = TRY(type_index(in));
      import.module = module;
      const char* signature = import_signature(module, import.name);
      if (names_ == Names::kRewritten && module == kYieldModule && import.name == kYieldName) signature = "ii>i";
      if (signature == nullptr) {
        return Reader::error_at(start, Errc::kUnsupported,
                                "import " + module + "." + import.name + " is not provided to tasks");
      }
      if (signature_type(signature) != out_.types[import.type]) {
        return Reader::error_at(start, Errc::kInvalid, "import " + import.name + " has the wrong type");
      }
      out_.imports.push_back(std::move(import));
    }
    return ok();
  }

  Status read_functions(Reader& in) {
    const uint32_t n = TRY(in.count(limits_.functions_max, "functions"));
    for (uint32_t i = 0; i < n; ++i) out_.functions.push_back(TRY(type_index(in)));
    return ok();
  }

  Status read_table(Reader& in) {
    const uint32_t n = TRY(in.count(1, "tables"));
    if (n == 0) return ok();
    if (TRY(in.byte()) != 0x70) return in.error(Errc::kUnsupported, "a table of anything but funcref");
    const uint8_t flags = TRY(in.byte());
    if (flags > 1) return in.error(Errc::kUnsupported, "table flags outside the profile");
    out_.has_table = true;
    out_.has_table_max = flags == 1;
    out_.table_min = TRY(in.u32());
    out_.table_max = flags == 1 ? TRY(in.u32()) : out_.table_min;
    if (out_.table_min > limits_.table_elements_max) {
      return in.error(Errc::kLimit, "the table has " + std::to_string(out_.table_min) + " elements; at most " +
                                        std::to_string(limits_.table_elements_max) + " are accepted");
    }
    if (out_.table_max < out_.table_min) return in.error(Errc::kInvalid, "the table's maximum is below its minimum");
    // Nothing in the profile grows a table, so a larger maximum means nothing.
    out_.table_max = out_.table_min;
    return ok();
  }

  Status read_memory(Reader& in) {
    const uint32_t n = TRY(in.count(1, "memories"));
    if (n == 0) return ok();
    const uint8_t flags = TRY(in.byte());
    if (flags > 1) return in.error(Errc::kUnsupported, "shared or 64-bit memory is not in the profile");
    out_.has_memory = true;
    out_.memory_min = TRY(in.u32());
    out_.memory_max = flags == 1 ? TRY(in.u32()) : kPageBytes;
    if (out_.memory_min > kPageBytes || out_.memory_max > kPageBytes || out_.memory_max < out_.memory_min) {
      return in.error(Errc::kInvalid, "the memory's limits make no sense");
    }
    if (out_.memory_min > limits_.memory_pages_max) {
      return in.error(Errc::kLimit, "the memory starts with " + std::to_string(out_.memory_min) + " pages; at most " +
                                        std::to_string(limits_.memory_pages_max) + " are accepted");
    }
    out_.memory_max = std::min(out_.memory_max, limits_.memory_pages_max);
    return ok();
  }

  /// A constant of `type` and its end. Anything else a constant expression may hold is outside the profile.
  Result<ByteView> constant(Reader& in, ValType type) {
    const size_t start = in.offset();
    Instruction instruction;
    TRY(read_instruction(in, 0, instruction));
    const bool fits = (instruction.op == kI32Const && type == ValType::kI32) ||
                      (instruction.op == kI64Const && type == ValType::kI64) ||
                      (instruction.op == kF32Const && type == ValType::kF32) ||
                      (instruction.op == kF64Const && type == ValType::kF64) ||
                      (instruction.op == kV128Const && type == ValType::kV128);
    if (!fits) return Reader::error_at(start, Errc::kUnsupported, "an initial value must be one constant of its type");
    const ByteView out = out_.bytes.subspan(start, in.offset() - start);
    if (TRY(in.byte()) != kEnd) return in.error(Errc::kUnsupported, "an initial value must be one constant");
    return out;
  }

  Status read_globals(Reader& in) {
    const uint32_t n = TRY(in.count(limits_.globals_max, "globals"));
    for (uint32_t i = 0; i < n; ++i) {
      Global global;
      global.type = TRY(val_type(in));
      const uint8_t mutability = TRY(in.byte());
      if (mutability > 1) return in.error(Errc::kInvalid, "a global is neither constant nor mutable");
      global.is_mutable = mutability == 1;
      global.init = TRY(constant(in, global.type));
      out_.globals.push_back(global);
    }
    return ok();
  }

  Status read_exports(Reader& in) {
    const uint32_t n = TRY(in.count(limits_.exports_max, "exports"));
    std::set<std::string> names;
    for (uint32_t i = 0; i < n; ++i) {
      const size_t start = in.offset();
      Export item;
      item.name = TRY(in.name());
      if (is_reserved(item.name)) {
        return Reader::error_at(start, Errc::kUnauthorized,
                                "export " + item.name + ": names beginning with __sv_ belong to the rewriter");
      }
      if (!names.insert(item.name).second) {
        return Reader::error_at(start, Errc::kInvalid, "two exports are called " + item.name);
      }
      const uint8_t kind = TRY(in.byte());
      if (kind > uint8_t(ExternKind::kGlobal)) return in.error(Errc::kUnsupported, "an export of an unknown kind");
      item.kind = ExternKind(kind);
      item.index = TRY(in.u32());
      const uint32_t counts[] = {out_.function_count(), uint32_t(out_.has_table), uint32_t(out_.has_memory),
                                 uint32_t(out_.globals.size())};
      if (item.index >= counts[kind]) return Reader::error_at(start, Errc::kInvalid, "export " + item.name + " names nothing");
      out_.exports.push_back(std::move(item));
    }
    return ok();
  }

  Status read_start(Reader& in) {
    out_.start = TRY(in.u32());
    out_.has_start = true;
    if (out_.start >= out_.function_count()) return in.error(Errc::kInvalid, "the start function does not exist");
    const FunctionType& type = out_.type_of(out_.start);
    if (!type.params.empty() || !type.results.empty()) {
      return in.error(Errc::kInvalid, "the start function takes or returns something");
    }
    return ok();
  }

  Status read_elements(Reader& in) {
    const uint32_t n = TRY(in.count(limits_.segments_max, "element segments"));
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; ++i) {
      const size_t start = in.offset();
      const uint32_t flags = TRY(in.u32());
      if (flags > 7) return Reader::error_at(start, Errc::kInvalid, "element segment flags that do not exist");
      if (flags > 3) return Reader::error_at(start, Errc::kUnsupported, "element expressions are not in the profile");
      ElementSegment segment;
      segment.mode = flags == 1 ? SegmentMode::kPassive : flags == 3 ? SegmentMode::kDeclarative : SegmentMode::kActive;
      if (flags == 2 && TRY(in.u32()) != 0) return Reader::error_at(start, Errc::kUnsupported, "a second table");
      if (segment.mode == SegmentMode::kActive) {
        if (!out_.has_table) return Reader::error_at(start, Errc::kInvalid, "an element segment without a table");
        segment.offset = TRY(constant(in, ValType::kI32));
      }
      if (flags != 0 && TRY(in.byte()) != 0) return Reader::error_at(start, Errc::kUnsupported, "elements that are not functions");
      const uint32_t count = TRY(in.count(limits_.table_elements_max, "elements"));
      total += count;
      if (total > 4ull * limits_.table_elements_max) return in.error(Errc::kLimit, "too many elements in all segments");
      for (uint32_t k = 0; k < count; ++k) {
        const uint32_t function = TRY(in.u32());
        if (function >= out_.function_count()) return in.error(Errc::kInvalid, "an element names no function");
        segment.functions.push_back(function);
        out_.table_functions.push_back(function);
      }
      out_.elements.push_back(std::move(segment));
    }
    return ok();
  }

  Status read_bodies(Reader& in) {
    const uint32_t n = TRY(in.count(limits_.functions_max, "function bodies"));
    if (n != out_.functions.size()) return in.error(Errc::kInvalid, "functions and bodies do not match");
    for (uint32_t i = 0; i < n; ++i) {
      const size_t start = in.offset();
      const uint32_t size = TRY(in.u32());
      if (size > limits_.function_bytes_max) {
        return Reader::error_at(start, Errc::kLimit, "function " + std::to_string(out_.imports.size() + i) + " has " +
                                                         std::to_string(size) + " bytes; at most " +
                                                         std::to_string(limits_.function_bytes_max) + " are accepted");
      }
      const uint32_t begin = uint32_t(in.offset());
      TRY(in.bytes(size));
      out_.bodies.push_back({begin, uint32_t(in.offset())});
    }
    return ok();
  }

  Status read_data(Reader& in) {
    const uint32_t n = TRY(in.count(limits_.segments_max, "data segments"));
    for (uint32_t i = 0; i < n; ++i) {
      const size_t start = in.offset();
      const uint32_t flags = TRY(in.u32());
      if (flags > 2) return Reader::error_at(start, Errc::kInvalid, "data segment flags that do not exist");
      if (flags == 2 && TRY(in.u32()) != 0) return Reader::error_at(start, Errc::kUnsupported, "a second memory");
      if (!out_.has_memory) return Reader::error_at(start, Errc::kInvalid, "a data segment without a memory");
      DataSegment segment;
      if (flags == 1) segment.mode = SegmentMode::kPassive;
      else segment.offset = TRY(constant(in, ValType::kI32));
      segment.bytes = TRY(in.bytes(TRY(in.u32())));
      out_.data.push_back(segment);
    }
    return ok();
  }

  Status check_whole() {
    if (out_.bodies.size() != out_.functions.size()) return in_.error(Errc::kInvalid, "functions without bodies");
    if (out_.has_data_count && out_.data_count != out_.data.size()) {
      return in_.error(Errc::kInvalid, "the data count does not match the data section");
    }
    if (!out_.has_memory) return in_.error(Errc::kUnsupported, "the module has no memory of its own; a program needs one");
    return ok();
  }

  const RewriteLimits& limits_;
  const Names names_;
  Reader in_;
  Module out_;
};

}  // namespace

Result<Module> parse_module(ByteView bytes, const RewriteLimits& limits, Names names) {
  return Parser(bytes, limits, names).parse();
}

}  // namespace selvedge::wasm
