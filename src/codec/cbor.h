// Deterministic CBOR (RFC 8949 4.2.1): a writer, and a reader that accepts nothing else.
//
// Everything signed or content-addressed in Selvedge is in this subset: integers, byte strings, text (valid UTF-8),
// arrays, maps, tags, booleans and null. Integers and lengths take the shortest form, lengths are definite, map keys
// are unique and sorted by their encoded bytes, nothing follows the item, and there are no floats: so one value has
// exactly one encoding, and equal bytes mean equal values. The reader tells kInvalid (not CBOR, or not of our subset)
// from kNonCanonical (a longer way to say the same), never recurses deeper than kDepthMax and never
// allocates by a count it was sent. Structs are coded by schema.h; this is what it stands on.
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace selvedge::codec {

/// Nesting of arrays, maps and tags in one item.
inline constexpr int kDepthMax = 32;
/// The largest input the reader accepts.
inline constexpr size_t kInputSizeMax = 64u << 20;

/// True for well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);

enum class Type : uint8_t { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag, kBool, kNull };
const char* type_name(Type type);

/// Appends items to a buffer. Map keys are written in canonical order by the caller; a reader refuses them otherwise.
class Writer {
 public:
  void put_unsigned(uint64_t value) { head(0, value); }
  void put_signed(int64_t value);
  /// The negative integer -1 - n (RFC 8949 major type 1).
  void put_negative(uint64_t n) { head(1, n); }
  void put_bytes(ByteView bytes);
  /// `text` is valid UTF-8: what a peer or user supplied was checked where it came in (a CHECK holds here).
  void put_text(std::string_view text);
  void put_array(size_t count) { head(4, count); }
  void put_map(size_t pairs) { head(5, pairs); }
  void put_tag(uint64_t tag) { head(6, tag); }
  void put_bool(bool value) { out_.push_back(value ? 0xf5 : 0xf4); }
  void put_null() { out_.push_back(0xf6); }
  /// An item that is already encoded.
  void put_encoded(ByteView item) { append(out_, item); }

  const Bytes& bytes() const { return out_; }
  Bytes take() { return std::move(out_); }

 private:
  void head(uint8_t major, uint64_t value);
  Bytes out_;
};

/// Remembers the previous key of one map, for Reader::read_text_key.
struct MapCursor {
  ByteView previous;
};

/// Reads items one after the other. Views point into the input. After an error the reader is not used further.
class Reader {
 public:
  explicit Reader(ByteView in) : in_(in) {}

  /// The type of the next item. Errors: kInvalid at the end, for floats, undefined, other simple values and breaks.
  Result<Type> peek() const;
  Result<uint64_t> read_unsigned();
  /// Errors: kInvalid outside int64.
  Result<int64_t> read_signed();
  /// n of a negative integer -1 - n.
  Result<uint64_t> read_negative() { return expect(1, "a negative integer"); }
  Result<ByteView> read_bytes();
  Result<std::string_view> read_text();
  /// The number of items that follow; never more than the bytes left.
  Result<size_t> read_array();
  /// The number of pairs that follow; never more than half the bytes left.
  Result<size_t> read_map();
  Result<uint64_t> read_tag();
  Result<bool> read_bool();
  Status read_null();
  /// A text key of a map, checked against the key before it. Errors: kNonCanonical when out of order or repeated.
  Result<std::string_view> read_text_key(MapCursor& cursor);
  /// Steps over one whole item, checking all of it, and returns its bytes.
  Result<ByteView> read_item();
  /// Errors: kInvalid when bytes are left.
  Status finish() const;
  size_t remaining() const { return in_.size() - at_; }

 private:
  struct Head {
    uint8_t major;
    uint64_t value;
  };
  Result<Head> head();
  Result<uint64_t> expect(uint8_t major, const char* what);
  Status skip(int depth);
  Status skip_map(uint64_t pairs, int depth);
  ByteView in_;
  size_t at_ = 0;
};

/// Errors: kInvalid or kNonCanonical when `in` is not exactly one item of the subset.
Status check_canonical(ByteView in);

}  // namespace selvedge::codec
