// Value: any item of the subset as a tree, for tools that look at records whose schema they do not know, and for tests.
#pragma once

#include <string>
#include <vector>

#include "codec/cbor.h"

namespace selvedge::codec {

struct Value {
  Type type = Type::kNull;
  uint64_t number = 0;       // kUnsigned; kNegative as -1 - number; kTag: the tag; kBool: 0 or 1
  Bytes bytes;               // kBytes
  std::string text;          // kText
  std::vector<Value> items;  // kArray; kMap as key, value, key, value; kTag: one

  bool operator==(const Value&) const = default;
};

/// Errors: kInvalid, kNonCanonical, kLimit.
Result<Value> decode_value(ByteView in);
Bytes encode_value(const Value& value);
/// RFC 8949 8 diagnostic notation.
std::string diagnostic(const Value& value);

}  // namespace selvedge::codec
