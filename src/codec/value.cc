#include "codec/value.h"

namespace selvedge::codec {
namespace {

/// `in` was checked as a whole (canonical, depth, lengths), so this only takes apart.
Result<Value> take(Reader& in) {
  Value out;
  out.type = TRY(in.peek());
  switch (out.type) {
    case Type::kUnsigned: out.number = TRY(in.read_unsigned()); break;
    case Type::kNegative: out.number = TRY(in.read_negative()); break;
    case Type::kBytes: out.bytes = to_bytes(TRY(in.read_bytes())); break;
    case Type::kText: out.text = std::string(TRY(in.read_text())); break;
    case Type::kArray: {
      const size_t count = TRY(in.read_array());
      for (size_t i = 0; i < count; ++i) out.items.push_back(TRY(take(in)));
      break;
    }
    case Type::kMap: {
      const size_t pairs = TRY(in.read_map());
      for (size_t i = 0; i < 2 * pairs; ++i) out.items.push_back(TRY(take(in)));
      break;
    }
    case Type::kTag:
      out.number = TRY(in.read_tag());
      out.items.push_back(TRY(take(in)));
      break;
    case Type::kBool: out.number = TRY(in.read_bool()) ? 1 : 0; break;
    case Type::kNull: TRY(in.read_null()); break;
  }
  return out;
}

void put(Writer& out, const Value& value) {
  switch (value.type) {
    case Type::kUnsigned: out.put_unsigned(value.number); break;
    case Type::kNegative: out.put_negative(value.number); break;
    case Type::kBytes: out.put_bytes(value.bytes); break;
    case Type::kText: out.put_text(value.text); break;
    case Type::kArray: out.put_array(value.items.size()); break;
    case Type::kMap: out.put_map(value.items.size() / 2); break;
    case Type::kTag: out.put_tag(value.number); break;
    case Type::kBool: out.put_bool(value.number != 0); break;
    case Type::kNull: out.put_null(); break;
  }
  for (const Value& item : value.items) put(out, item);
}

/// -1 - n as decimal digits, for n up to 2^64 - 1.
std::string negative_text(uint64_t n) {
  return n == UINT64_MAX ? "-18446744073709551616" : "-" + std::to_string(n + 1);
}

void quote(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void print(std::string& out, const Value& value) {
  switch (value.type) {
    case Type::kUnsigned: out += std::to_string(value.number); return;
    case Type::kNegative: out += negative_text(value.number); return;
    case Type::kBytes: out += "h'" + to_hex(value.bytes) + "'"; return;
    case Type::kText: quote(out, value.text); return;
    case Type::kBool: out += value.number ? "true" : "false"; return;
    case Type::kNull: out += "null"; return;
    case Type::kArray: out += '['; break;
    case Type::kMap: out += '{'; break;
    case Type::kTag: out += std::to_string(value.number) + "("; break;
  }
  for (size_t i = 0; i < value.items.size(); ++i) {
    if (i > 0) out += value.type == Type::kMap && i % 2 == 1 ? ": " : ", ";
    print(out, value.items[i]);
  }
  out += value.type == Type::kArray ? ']' : value.type == Type::kMap ? '}' : ')';
}

}  // namespace

Result<Value> decode_value(ByteView in) {
  TRY(check_canonical(in));
  Reader reader(in);
  return take(reader);
}

Bytes encode_value(const Value& value) {
  Writer out;
  put(out, value);
  return out.take();
}

std::string diagnostic(const Value& value) {
  std::string out;
  print(out, value);
  return out;
}

}  // namespace selvedge::codec
