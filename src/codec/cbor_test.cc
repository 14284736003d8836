// The CBOR reader and writer against the RFC's own examples, and what a strict reader must refuse.
#include <gtest/gtest.h>

#include <fstream>

#include "base/rng.h"
#include "codec/cbor.h"
#include "codec/value.h"

namespace selvedge::codec {
namespace {

struct VectorLine {
  Bytes bytes;
  std::string verdict;
  std::string note;
};

/// Lines of "<hex> <verdict> [note]"; '#' begins a comment line. Empty hexadecimal is an empty input.
std::vector<VectorLine> read_vectors(const std::string& file) {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/tests/vectors/cbor/" + file);
  std::vector<VectorLine> out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) continue;
    const size_t first = line.find(' ');
    const size_t second = line.find(' ', first + 1);
    VectorLine item;
    item.bytes = from_hex(line.substr(0, first)).value();
    item.verdict = line.substr(first + 1, second == std::string::npos ? second : second - first - 1);
    if (second != std::string::npos) item.note = line.substr(second + 1);
    out.push_back(item);
  }
  return out;
}

// req: A3
TEST(CborTest, TakesTheCanonicalExamplesOfRfc8949AndRefusesTheRest) {
  const std::vector<VectorLine> vectors = read_vectors("rfc8949_appendix_a.txt");
  ASSERT_EQ(vectors.size(), 81u);
  size_t accepted = 0;
  for (const VectorLine& item : vectors) {
    const Result<Value> value = decode_value(item.bytes);
    if (item.verdict == "ok") {
      ASSERT_TRUE(value.ok()) << to_hex(item.bytes) << ": " << value.error().message;
      EXPECT_EQ(encode_value(*value), item.bytes);
      EXPECT_EQ(diagnostic(*value), item.note);
      ++accepted;
    } else {
      ASSERT_FALSE(value.ok()) << to_hex(item.bytes);
      EXPECT_EQ(value.code(), Errc::kInvalid) << to_hex(item.bytes);
    }
  }
  EXPECT_EQ(accepted, 44u);
}

// req: A3
TEST(CborTest, TellsInvalidFromNonCanonical) {
  const std::vector<VectorLine> vectors = read_vectors("refused.txt");
  ASSERT_GT(vectors.size(), 50u);
  for (const VectorLine& item : vectors) {
    const Status status = check_canonical(item.bytes);
    ASSERT_FALSE(status.ok()) << to_hex(item.bytes) << " " << item.note;
    EXPECT_EQ(status.code(), item.verdict == "noncanonical" ? Errc::kNonCanonical : Errc::kInvalid)
        << to_hex(item.bytes) << " " << item.note << ": " << status.error().message;
  }
}

TEST(CborTest, BoundsTheDepth) {
  Bytes deep(size_t(kDepthMax) - 1, 0x81);
  deep.push_back(0x00);
  EXPECT_TRUE(check_canonical(deep).ok());
  deep.insert(deep.begin(), 0x81);
  EXPECT_EQ(check_canonical(deep).code(), Errc::kLimit);
  const Bytes tags(1'000'000, 0xc6);
  EXPECT_EQ(check_canonical(tags).code(), Errc::kLimit) << "no stack is spent on a million nested tags";
}

TEST(CborTest, SignedIntegersCoverInt64) {
  for (const int64_t value : {int64_t(0), int64_t(-1), int64_t(-24), int64_t(-25), INT64_MAX, INT64_MIN}) {
    Writer out;
    out.put_signed(value);
    Reader in(out.bytes());
    EXPECT_EQ(in.read_signed().value(), value);
  }
  const Bytes too_low = from_hex("3b8000000000000000").value();
  EXPECT_EQ(Reader(too_low).read_signed().code(), Errc::kInvalid);
  const Bytes too_high = from_hex("1b8000000000000000").value();
  EXPECT_EQ(Reader(too_high).read_signed().code(), Errc::kInvalid);
}

TEST(CborTest, ReadersSayWhatTheyFoundInstead) {
  const Bytes text = from_hex("6161").value();
  EXPECT_EQ(Reader(text).read_unsigned().error().message, "an unsigned integer was expected, a text is there");
  EXPECT_EQ(Reader(text).read_bool().error().message, "true or false was expected, a text is there");
}

/// A random tree of bounded size; map keys are drawn sorted.
Value random_value(Rng& rng, int depth) {
  Value value;
  value.type = Type(rng.below(depth == 0 ? 4 : 9));
  switch (value.type) {
    case Type::kUnsigned:
    case Type::kNegative:
    case Type::kTag: value.number = rng.next() >> rng.below(64); break;
    case Type::kBytes: value.bytes.resize(rng.below(40)); break;
    case Type::kText: value.text = std::string(rng.below(40), 'x'); break;
    case Type::kBool: value.number = rng.below(2); break;
    default: break;
  }
  if (value.type == Type::kTag) value.items.push_back(random_value(rng, depth - 1));
  const uint64_t count = rng.below(6);
  for (uint64_t i = 0; i < count; ++i) {
    if (value.type == Type::kMap) {
      Value key;
      key.type = Type::kUnsigned;
      key.number = i * 20;
      value.items.push_back(key);
    }
    if (value.type == Type::kMap || value.type == Type::kArray) value.items.push_back(random_value(rng, depth - 1));
  }
  return value;
}

// req: A3
TEST(CborTest, RandomTreesRoundTripAndEveryTruncationIsRefused) {
  Rng rng(7);
  for (int i = 0; i < 300; ++i) {
    const Value value = random_value(rng, 4);
    const Bytes bytes = encode_value(value);
    const Result<Value> back = decode_value(bytes);
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(*back, value);
    for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(check_canonical(ByteView(bytes).first(size)).ok());
  }
}

TEST(Utf8Test, KnowsTheEdges) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
  for (const char* bad : {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
                          "\xc2", "\xe1\x80", "\xf1\x80\x80", "\xff"}) {
    EXPECT_FALSE(is_utf8(bad)) << to_hex(view(bad));
  }
}

}  // namespace
}  // namespace selvedge::codec
