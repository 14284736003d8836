#include "codec/cbor.h"

#include <algorithm>

namespace selvedge::codec {
namespace {

constexpr uint8_t kMajorUnsigned = 0;
constexpr uint8_t kMajorNegative = 1;
constexpr uint8_t kMajorBytes = 2;
constexpr uint8_t kMajorText = 3;
constexpr uint8_t kMajorArray = 4;
constexpr uint8_t kMajorMap = 5;
constexpr uint8_t kMajorTag = 6;
constexpr uint8_t kFalse = 0xf4;
constexpr uint8_t kTrue = 0xf5;
constexpr uint8_t kNull = 0xf6;

Error truncated() { return fail(Errc::kInvalid, "the record ends in the middle of an item: part of it is missing"); }

Error foreign(uint8_t initial) {
  const uint8_t info = initial & 0x1f;
  if (info >= 25 && info <= 27) return fail(Errc::kInvalid, "floating-point numbers are not used in records");
  if (info == 31) return fail(Errc::kInvalid, "a break stands where an item is expected");
  return fail(Errc::kInvalid, "of the simple values only false, true and null are used in records");
}

Error key_order(ByteView previous, ByteView key) {
  return std::ranges::equal(previous, key) ? fail(Errc::kNonCanonical, "a map has the same key twice")
                                           : fail(Errc::kNonCanonical, "the keys of a map are not in order");
}

bool in_order(ByteView previous, ByteView key) {
  return previous.empty() ||
         std::lexicographical_compare(previous.begin(), previous.end(), key.begin(), key.end());
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* const end = at + text.size();
  const auto continuation = [end](const uint8_t* p) { return p < end && (*p & 0xc0) == 0x80; };
  while (at < end) {
    if (*at < 0x80) {
      ++at;
    } else if (*at >= 0xc2 && *at <= 0xdf) {
      if (!continuation(at + 1)) return false;
      at += 2;
    } else if ((*at & 0xf0) == 0xe0) {
      if (!continuation(at + 1) || !continuation(at + 2)) return false;
      if (*at == 0xe0 && at[1] < 0xa0) return false;   // overlong
      if (*at == 0xed && at[1] >= 0xa0) return false;  // surrogates
      at += 3;
    } else if (*at >= 0xf0 && *at <= 0xf4) {
      if (!continuation(at + 1) || !continuation(at + 2) || !continuation(at + 3)) return false;
      if (*at == 0xf0 && at[1] < 0x90) return false;   // overlong
      if (*at == 0xf4 && at[1] >= 0x90) return false;  // above U+10FFFF
      at += 4;
    } else {
      return false;
    }
  }
  return true;
}

const char* type_name(Type type) {
  switch (type) {
    case Type::kUnsigned: return "an unsigned integer";
    case Type::kNegative: return "a negative integer";
    case Type::kBytes: return "a byte string";
    case Type::kText: return "a text";
    case Type::kArray: return "a list";
    case Type::kMap: return "a map";
    case Type::kTag: return "a tag";
    case Type::kBool: return "true or false";
    case Type::kNull: return "null";
  }
  return "an item";
}

// ---- Writer

void Writer::head(uint8_t major, uint64_t value) {
  const uint8_t top = uint8_t(major << 5);
  if (value < 24) {
    out_.push_back(uint8_t(top | value));
    return;
  }
  const int size = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
  out_.push_back(uint8_t(top | (size == 1 ? 24 : size == 2 ? 25 : size == 4 ? 26 : 27)));
  for (int shift = (size - 1) * 8; shift >= 0; shift -= 8) out_.push_back(uint8_t(value >> shift));
}

void Writer::put_signed(int64_t value) {
  if (value >= 0) head(kMajorUnsigned, uint64_t(value));
  else head(kMajorNegative, ~uint64_t(value));  // -1 - n in two's complement
}

void Writer::put_bytes(ByteView bytes) {
  head(kMajorBytes, bytes.size());
  append(out_, bytes);
}

void Writer::put_text(std::string_view text) {
  CHECK_MSG(is_utf8(text), "text that is not UTF-8 reached an encoder: check it where it enters the process");
  head(kMajorText, text.size());
  append(out_, view(text));
}

// ---- Reader

Result<Type> Reader::peek() const {
  if (at_ >= in_.size()) return truncated();
  const uint8_t initial = in_[at_];
  if (initial >> 5 <= kMajorTag) return Type(initial >> 5);
  if (initial == kFalse || initial == kTrue) return Type::kBool;
  if (initial == kNull) return Type::kNull;
  return foreign(initial);
}

Result<Reader::Head> Reader::head() {
  if (at_ >= in_.size()) return truncated();
  const uint8_t initial = in_[at_];
  const uint8_t major = initial >> 5;
  const uint8_t info = initial & 0x1f;
  if (major > kMajorTag) return foreign(initial);
  if (info < 24) {
    ++at_;
    return Head{major, info};
  }
  if (info > 27) {
    return info == 31 ? fail(Errc::kInvalid, "items of indefinite length are not used in records")
                      : fail(Errc::kInvalid, "a reserved length form stands in the record");
  }
  const size_t size = size_t(1) << (info - 24);
  if (remaining() < 1 + size) return truncated();
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | in_[at_ + 1 + i];
  const uint64_t least = size == 1 ? 24 : uint64_t(1) << (size * 4);
  if (value < least) return fail(Errc::kNonCanonical, "a number is written longer than it needs to be");
  at_ += 1 + size;
  return Head{major, value};
}

Result<uint64_t> Reader::expect(uint8_t major, const char* what) {
  const Type type = TRY(peek());
  if (uint8_t(type) != major) return fail(Errc::kInvalid, std::string(what) + " was expected, " + type_name(type) + " is there");
  return TRY(head()).value;
}

Result<uint64_t> Reader::read_unsigned() { return expect(kMajorUnsigned, "an unsigned integer"); }

Result<int64_t> Reader::read_signed() {
  const Type type = TRY(peek());
  if (type != Type::kUnsigned && type != Type::kNegative) {
    return fail(Errc::kInvalid, std::string("an integer was expected, ") + type_name(type) + " is there");
  }
  const Head item = TRY(head());
  if (item.value > uint64_t(INT64_MAX)) return fail(Errc::kInvalid, "an integer does not fit 64 bits with sign");
  return item.major == kMajorUnsigned ? int64_t(item.value) : -1 - int64_t(item.value);
}

Result<ByteView> Reader::read_bytes() {
  const uint64_t size = TRY(expect(kMajorBytes, "a byte string"));
  if (size > remaining()) return truncated();
  const ByteView out = in_.subspan(at_, size_t(size));
  at_ += size_t(size);
  return out;
}

Result<std::string_view> Reader::read_text() {
  const uint64_t size = TRY(expect(kMajorText, "a text"));
  if (size > remaining()) return truncated();
  const std::string_view out(reinterpret_cast<const char*>(in_.data()) + at_, size_t(size));
  if (!is_utf8(out)) return fail(Errc::kInvalid, "a text is not valid UTF-8");
  at_ += size_t(size);
  return out;
}

Result<size_t> Reader::read_array() {
  const uint64_t count = TRY(expect(kMajorArray, "a list"));
  if (count > remaining()) return truncated();  // an item takes at least one byte
  return size_t(count);
}

Result<size_t> Reader::read_map() {
  const uint64_t pairs = TRY(expect(kMajorMap, "a map"));
  if (pairs > remaining() / 2) return truncated();
  return size_t(pairs);
}

Result<uint64_t> Reader::read_tag() { return expect(kMajorTag, "a tag"); }

Result<bool> Reader::read_bool() {
  const Type type = TRY(peek());
  if (type != Type::kBool) return fail(Errc::kInvalid, std::string("true or false was expected, ") + type_name(type) + " is there");
  return in_[at_++] == kTrue;
}

Status Reader::read_null() {
  const Type type = TRY(peek());
  if (type != Type::kNull) return fail(Errc::kInvalid, std::string("null was expected, ") + type_name(type) + " is there");
  ++at_;
  return ok();
}

Result<std::string_view> Reader::read_text_key(MapCursor& cursor) {
  const size_t start = at_;
  const std::string_view key = TRY(read_text());
  const ByteView encoded = in_.subspan(start, at_ - start);
  if (!in_order(cursor.previous, encoded)) return key_order(cursor.previous, encoded);
  cursor.previous = encoded;
  return key;
}

Result<ByteView> Reader::read_item() {
  const size_t start = at_;
  TRY(skip(kDepthMax));
  return in_.subspan(start, at_ - start);
}

Status Reader::skip_map(uint64_t pairs, int depth) {
  ByteView previous;
  for (uint64_t i = 0; i < pairs; ++i) {
    const size_t start = at_;
    TRY(skip(depth - 1));
    const ByteView key = in_.subspan(start, at_ - start);
    if (!in_order(previous, key)) return key_order(previous, key);
    previous = key;
    TRY(skip(depth - 1));
  }
  return ok();
}

Status Reader::skip(int depth) {
  if (depth == 0) return fail(Errc::kLimit, "a record is nested deeper than " + std::to_string(kDepthMax) + " levels");
  switch (TRY(peek())) {
    case Type::kUnsigned:
    case Type::kNegative: TRY(head()); return ok();
    case Type::kBytes: TRY(read_bytes()); return ok();
    case Type::kText: TRY(read_text()); return ok();
    case Type::kArray: {
      const size_t count = TRY(read_array());
      for (size_t i = 0; i < count; ++i) TRY(skip(depth - 1));
      return ok();
    }
    case Type::kMap: return skip_map(TRY(read_map()), depth);
    case Type::kTag: TRY(read_tag()); return skip(depth - 1);
    case Type::kBool:
    case Type::kNull: ++at_; return ok();
  }
  return fail(Errc::kInternal, "an item has no type");
}

Status Reader::finish() const {
  if (remaining() == 0) return ok();
  return fail(Errc::kInvalid, std::to_string(remaining()) + " bytes follow the end of the record");
}

Status check_canonical(ByteView in) {
  if (in.size() > kInputSizeMax) return fail(Errc::kLimit, "the input is larger than " + std::to_string(kInputSizeMax) + " bytes");
  Reader reader(in);
  TRY(reader.read_item());
  return reader.finish();
}

}  // namespace selvedge::codec
