// One mechanism for every record and message: a struct lists its fields once, and visitors do the rest.
//
//   struct Hello {
//     static constexpr std::string_view kName = "Hello";   // needed for kinds that get a SchemaId
//     static constexpr uint16_t kVersion = 1;
//     crypto::PublicKey node;
//     std::optional<uint64_t> expires;
//     template <class V> void visit(V& v) { v("node", node); v("expires", expires); }
//     Status validate() const;                              // optional: decode() calls it
//   };
//   Bytes bytes = codec::encode(hello);      Result<Hello> back = codec::decode<Hello>(bytes);
//
// A struct is a CBOR array of its fields in order; field names live in describe(), from which schema ids are
// computed. A member is one of: bool, uint8..64, int32, int64, enum class with an enumerator kLast (and kFirst when it
// does not start at 0), std::string, Bytes, FixedBytes, Cid (tag 42), a visited struct, and std::vector, std::optional
// (null when absent) or std::variant ([index, value]) of those. encode(decode(x)) == x for every x that is accepted.
// visit() only shows its members: encode, describe and to_json read through it and change nothing.
#pragma once

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "codec/cbor.h"
#include "codec/cid.h"
#include "crypto/types.h"

namespace selvedge::codec {

/// Elements in one decoded vector. A kind that wants fewer says so in validate().
inline constexpr size_t kVectorItemsMax = 65'536;

namespace detail {

struct Probe {
  template <class M>
  void operator()(const char*, M&) {}
};

template <class T>
concept Visited = requires(T& t, Probe& probe) { t.visit(probe); };

template <class T>
concept Validated = requires(const T& t) {
  { t.validate() } -> std::same_as<Status>;
};

template <class T>
inline constexpr bool kIsFixedBytes = false;
template <class Tag, size_t N>
inline constexpr bool kIsFixedBytes<FixedBytes<Tag, N>> = true;
template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsVariant = false;
template <class... T>
inline constexpr bool kIsVariant<std::variant<T...>> = true;
template <class T>
inline constexpr bool kUnknown = false;

template <class E>
constexpr uint64_t enum_first() {
  if constexpr (requires { E::kFirst; }) return uint64_t(E::kFirst);
  else return 0;
}

struct FieldCounter {
  size_t count = 0;
  template <class M>
  void operator()(const char*, M&) { ++count; }
};

template <class T>
size_t field_count(T& value) {
  FieldCounter counter;
  value.visit(counter);
  return counter.count;
}

/// The same error with the field's name before its message: "holders: node: 32 bytes were expected".
Error in_field(const char* name, Error error);
Error out_of_range(const char* what);

// ---- encoding

template <class T>
void write_value(Writer& out, const T& value);

struct EncodeVisitor {
  Writer& out;
  template <class M>
  void operator()(const char*, M& member) { write_value(out, std::as_const(member)); }
};

template <class T>
void write_value(Writer& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out.put_bool(value);
  } else if constexpr (std::is_enum_v<T>) {
    out.put_unsigned(uint64_t(value));
  } else if constexpr (std::is_unsigned_v<T>) {
    out.put_unsigned(value);
  } else if constexpr (std::is_integral_v<T>) {
    out.put_signed(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    out.put_text(value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    out.put_bytes(value);
  } else if constexpr (std::is_same_v<T, Cid>) {
    write_cid(out, value);
  } else if constexpr (kIsFixedBytes<T>) {
    out.put_bytes(value);
  } else if constexpr (kIsOptional<T>) {
    static_assert(!kIsOptional<typename T::value_type>, "an absent and a present null would look alike");
    if (value) write_value(out, *value);
    else out.put_null();
  } else if constexpr (kIsVector<T>) {
    static_assert(!std::is_same_v<T, std::vector<bool>>, "use Bytes or a bit set");
    out.put_array(value.size());
    for (const auto& item : value) write_value(out, item);
  } else if constexpr (kIsVariant<T>) {
    out.put_array(2);
    out.put_unsigned(value.index());
    std::visit([&out](const auto& item) { write_value(out, item); }, value);
  } else if constexpr (Visited<T>) {
    T& fields = const_cast<T&>(value);  // visit() is one function for readers and writers; this visitor only reads
    out.put_array(field_count(fields));
    EncodeVisitor visitor{out};
    fields.visit(visitor);
  } else {
    static_assert(kUnknown<T>, "this type cannot be a member of a schema struct");
  }
}

// ---- decoding

template <class T>
Status read_value(Reader& in, T& value);

struct DecodeVisitor {
  Reader& in;
  Status status;
  template <class M>
  void operator()(const char* name, M& member) {
    if (!status.ok()) return;
    status = read_value(in, member);
    if (!status.ok()) status = in_field(name, std::move(status).error());
  }
};

template <class T>
Status read_integer(Reader& in, T& value) {
  if constexpr (std::is_unsigned_v<T>) {
    const uint64_t number = TRY(in.read_unsigned());
    if (number > std::numeric_limits<T>::max()) return out_of_range("integer");
    value = T(number);
  } else {
    const int64_t number = TRY(in.read_signed());
    if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max()) return out_of_range("integer");
    value = T(number);
  }
  return ok();
}

template <class T>
Status read_enum(Reader& in, T& value) {
  static_assert(requires { T::kLast; }, "an enum in a schema struct ends with kLast = <its last value>");
  const uint64_t number = TRY(in.read_unsigned());
  if (number < enum_first<T>() || number > uint64_t(T::kLast)) return out_of_range("enumeration");
  value = T(number);
  return ok();
}

template <class T>
Status read_vector(Reader& in, T& value) {
  const size_t count = TRY(in.read_array());
  if (count > kVectorItemsMax) return fail(Errc::kLimit, "a list has more than " + std::to_string(kVectorItemsMax) + " items");
  value.clear();
  for (size_t i = 0; i < count; ++i) {
    value.emplace_back();
    Status status = read_value(in, value.back());
    if (!status.ok()) return status;
  }
  return ok();
}

template <class T, size_t I = 0>
Status read_alternative(Reader& in, uint64_t index, T& value) {
  if constexpr (I == std::variant_size_v<T>) {
    return fail(Errc::kUnsupported, "unknown alternative " + std::to_string(index));
  } else {
    if (index == I) return read_value(in, value.template emplace<I>());
    return read_alternative<T, I + 1>(in, index, value);
  }
}

Status expect_count(Reader& in, size_t count);

template <class T>
Status read_value(Reader& in, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    value = TRY(in.read_bool());
  } else if constexpr (std::is_enum_v<T>) {
    return read_enum(in, value);
  } else if constexpr (std::is_integral_v<T>) {
    return read_integer(in, value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = std::string(TRY(in.read_text()));
  } else if constexpr (std::is_same_v<T, Bytes>) {
    value = to_bytes(TRY(in.read_bytes()));
  } else if constexpr (std::is_same_v<T, Cid>) {
    value = TRY(read_cid(in));
  } else if constexpr (kIsFixedBytes<T>) {
    value = TRY(T::from(TRY(in.read_bytes())));
  } else if constexpr (kIsOptional<T>) {
    if (TRY(in.peek()) == Type::kNull) {
      value.reset();
      return in.read_null();
    }
    return read_value(in, value.emplace());
  } else if constexpr (kIsVector<T>) {
    return read_vector(in, value);
  } else if constexpr (kIsVariant<T>) {
    TRY(expect_count(in, 2));
    return read_alternative(in, TRY(in.read_unsigned()), value);
  } else if constexpr (Visited<T>) {
    TRY(expect_count(in, field_count(value)));
    DecodeVisitor visitor{in, {}};
    value.visit(visitor);
    TRY(visitor.status);
    if constexpr (Validated<T>) return value.validate();
  } else {
    static_assert(kUnknown<T>, "this type cannot be a member of a schema struct");
  }
  return ok();
}

// ---- describing

template <class T>
void describe_value(std::string& out);

struct DescribeVisitor {
  std::string& out;
  bool first = true;
  template <class M>
  void operator()(const char* name, M&) {
    if (!first) out += ',';
    first = false;
    out += name;
    out += ':';
    describe_value<M>(out);
  }
};

template <class T>
struct DescribeVariant;
template <class... T>
struct DescribeVariant<std::variant<T...>> {
  static void append(std::string& out) { ((out += '|', describe_value<T>(out)), ...); }
};

template <class T>
void describe_value(std::string& out) {
  if constexpr (std::is_same_v<T, bool>) out += "bool";
  else if constexpr (std::is_enum_v<T>) out += "enum" + std::to_string(enum_first<T>()) + ".." + std::to_string(uint64_t(T::kLast));
  else if constexpr (std::is_unsigned_v<T>) out += "u" + std::to_string(sizeof(T) * 8);
  else if constexpr (std::is_integral_v<T>) out += "i" + std::to_string(sizeof(T) * 8);
  else if constexpr (std::is_same_v<T, std::string>) out += "text";
  else if constexpr (std::is_same_v<T, Bytes>) out += "bytes";
  else if constexpr (std::is_same_v<T, Cid>) out += "cid";
  else if constexpr (kIsFixedBytes<T>) out += "bytes" + std::to_string(T::kSize);
  else if constexpr (kIsOptional<T>) out += '?', describe_value<typename T::value_type>(out);
  else if constexpr (kIsVector<T>) out += '[', describe_value<typename T::value_type>(out), out += ']';
  else if constexpr (kIsVariant<T>) out += '(', DescribeVariant<T>::append(out), out += ')';
  else {
    T value{};
    DescribeVisitor visitor{out};
    out += '{';
    value.visit(visitor);
    out += '}';
  }
}

// ---- JSON text

void json_text(std::string& out, std::string_view text);
void json_hex(std::string& out, ByteView bytes);
void json_key(std::string& out, const crypto::PublicKey& key);

template <class T>
void json_value(std::string& out, const T& value);

struct JsonVisitor {
  std::string& out;
  bool first = true;
  template <class M>
  void operator()(const char* name, M& member) {
    if (!first) out += ',';
    first = false;
    json_text(out, name);
    out += ':';
    json_value(out, std::as_const(member));
  }
};

template <class T>
void json_list(std::string& out, const std::vector<T>& items) {
  out += '[';
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ',';
    json_value(out, items[i]);
  }
  out += ']';
}

template <class T>
void json_value(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) out += value ? "true" : "false";
  else if constexpr (std::is_enum_v<T>) {
    if constexpr (requires { enum_name(value); }) json_text(out, enum_name(value));
    else out += std::to_string(uint64_t(value));
  } else if constexpr (std::is_integral_v<T>) out += std::to_string(value);
  else if constexpr (std::is_same_v<T, std::string>) json_text(out, value);
  else if constexpr (std::is_same_v<T, Bytes>) json_hex(out, value);
  else if constexpr (std::is_same_v<T, Cid>) json_text(out, value.text());
  else if constexpr (std::is_same_v<T, crypto::PublicKey>) json_key(out, value);
  else if constexpr (kIsFixedBytes<T>) json_hex(out, value);
  else if constexpr (kIsOptional<T>) {
    if (value) json_value(out, *value);
    else out += "null";
  } else if constexpr (kIsVector<T>) json_list(out, value);
  else if constexpr (kIsVariant<T>) std::visit([&out](const auto& item) { json_value(out, item); }, value);
  else {
    JsonVisitor visitor{out};
    out += '{';
    const_cast<T&>(value).visit(visitor);  // this visitor only reads
    out += '}';
  }
}

}  // namespace detail

/// The canonical bytes of a struct (or of any member type).
template <class T>
Bytes encode(const T& value) {
  Writer out;
  detail::write_value(out, value);
  return out.take();
}

/// Errors: kInvalid, kNonCanonical, kLimit, kUnsupported (unknown alternative), or what T::validate() returned.
template <class T>
Result<T> decode(ByteView in) {
  if (in.size() > kInputSizeMax) return fail(Errc::kLimit, "the input is larger than " + std::to_string(kInputSizeMax) + " bytes");
  Reader reader(in);
  T value{};
  TRY(detail::read_value(reader, value));
  TRY(reader.finish());
  return value;
}

/// Decodes one item that stands in the middle of a reader's input, for containers that are written by hand.
template <class T>
Result<T> decode_from(Reader& reader) {
  T value{};
  TRY(detail::read_value(reader, value));
  return value;
}

/// The fields and types of T in one line: "{node:bytes32,expires:?u64}". Schema ids are computed from it.
template <class T>
std::string describe() {
  std::string out;
  detail::describe_value<T>(out);
  return out;
}

/// JSON text with field names, for people and --json. Keys are z-base-32, CIDs their text, other bytes hexadecimal.
/// An enum prints its name when a function enum_name(E) is found beside it. There is no way back.
template <class T>
std::string to_json_text(const T& value) {
  std::string out;
  detail::json_value(out, value);
  return out;
}

}  // namespace selvedge::codec
