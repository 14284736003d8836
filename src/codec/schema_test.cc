// The one mechanism for structs: encoding, decoding, description and JSON from one visit().
#include <gtest/gtest.h>

#include "codec/multibase.h"
#include "codec/schema.h"

namespace selvedge::codec {
namespace {

enum class Colour : uint8_t { kRed, kGreen, kBlue, kLast = kBlue };
const char* enum_name(Colour colour) {
  return colour == Colour::kRed ? "red" : colour == Colour::kGreen ? "green" : "blue";
}
enum class Rank : uint8_t { kFirst = 3, kLast = 5 };

struct Point {
  int64_t x = 0;
  uint8_t y = 0;
  template <class V>
  void visit(V& v) {
    v("x", x);
    v("y", y);
  }
  Status validate() const { return x > 1000 ? fail(Errc::kInvalid, "x is at most 1000") : Status(); }
  bool operator==(const Point&) const = default;
};

struct Everything {
  bool flag = false;
  uint16_t small = 0;
  uint64_t large = 0;
  Colour colour = Colour::kRed;
  Rank rank = Rank::kFirst;
  std::string text;
  Bytes data;
  crypto::PublicKey key;
  crypto::Digest digest;
  Cid cid;
  Point point;
  std::vector<Point> points;
  std::optional<Point> maybe;
  std::variant<Point, std::string> either;
  template <class V>
  void visit(V& v) {
    v("flag", flag);
    v("small", small);
    v("large", large);
    v("colour", colour);
    v("rank", rank);
    v("text", text);
    v("data", data);
    v("key", key);
    v("digest", digest);
    v("cid", cid);
    v("point", point);
    v("points", points);
    v("maybe", maybe);
    v("either", either);
  }
  bool operator==(const Everything&) const = default;
};

Everything sample() {
  Everything value;
  value.flag = true;
  value.small = 65535;
  value.large = UINT64_MAX;
  value.colour = Colour::kBlue;
  value.rank = Rank(4);
  value.text = "ü \"quoted\"\n";
  value.data = {1, 2, 255};
  value.key.bytes[0] = 7;
  value.cid = Cid::of(Codec::kDagCbor, view("x"));
  value.point = {-5, 200};
  value.points = {{1, 2}, {3, 4}};
  value.maybe = Point{INT64_MIN, 0};
  value.either = std::string("other");
  return value;
}

// req: A3
TEST(SchemaTest, RoundTripsEveryMemberType) {
  const Everything value = sample();
  const Bytes bytes = encode(value);
  EXPECT_TRUE(check_canonical(bytes).ok());
  const Result<Everything> back = decode<Everything>(bytes);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(*back, value);
  Everything plain;
  EXPECT_EQ(decode<Everything>(encode(plain)).value(), plain);
}

TEST(SchemaTest, AStructIsTheArrayOfItsFields) {
  const Point point{-1, 2};
  EXPECT_EQ(to_hex(encode(point)), "822002");
}

// req: A4
TEST(SchemaTest, DescribesFieldsInOrder) {
  EXPECT_EQ(describe<Point>(), "{x:i64,y:u8}");
  EXPECT_EQ(describe<Everything>(),
            "{flag:bool,small:u16,large:u64,colour:enum0..2,rank:enum3..5,text:text,data:bytes,key:bytes32,digest:bytes32,"
            "cid:cid,point:{x:i64,y:u8},points:[{x:i64,y:u8}],maybe:?{x:i64,y:u8},either:(|{x:i64,y:u8}|text)}");
}

TEST(SchemaTest, PrintsJson) {
  Everything value = sample();
  value.digest = {};
  const std::string json = to_json_text(value);
  EXPECT_NE(json.find("\"colour\":\"blue\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"text\":\"ü \\\"quoted\\\"\\n\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"key\":\"" + key_text(value.key) + "\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"points\":[{\"x\":1,\"y\":2},{\"x\":3,\"y\":4}]"), std::string::npos) << json;
  EXPECT_NE(json.find("\"large\":18446744073709551615"), std::string::npos) << json;
}

template <class T>
Errc decode_code(std::string_view hex) {
  const Result<T> result = decode<T>(from_hex(hex).value());
  EXPECT_FALSE(result.ok()) << hex;
  return result.ok() ? Errc::kInternal : result.code();
}

struct OneColour {
  Colour colour{};
  Rank rank{};
  template <class V>
  void visit(V& v) {
    v("colour", colour);
    v("rank", rank);
  }
};

// req: A3
TEST(SchemaTest, RefusesWhatItWouldNotWrite) {
  EXPECT_TRUE(decode<Point>(from_hex("822002").value()).ok());
  EXPECT_EQ(decode_code<Point>("8120"), Errc::kInvalid) << "a field too few";
  EXPECT_EQ(decode_code<Point>("83200202"), Errc::kInvalid) << "a field too many";
  EXPECT_EQ(decode_code<Point>("82200200"), Errc::kInvalid) << "bytes after the end";
  EXPECT_EQ(decode_code<Point>("82380002"), Errc::kNonCanonical) << "-1 in two bytes";
  EXPECT_EQ(decode_code<Point>("9802" "2002"), Errc::kNonCanonical) << "a length in two bytes";
  EXPECT_EQ(decode_code<Point>("8220190100"), Errc::kInvalid) << "256 in a u8";
  EXPECT_EQ(decode_code<Point>("821903e902"), Errc::kInvalid) << "validate() has the last word";
  EXPECT_EQ(decode_code<OneColour>("820303"), Errc::kInvalid) << "an enumerator above the last";
  EXPECT_EQ(decode_code<OneColour>("820002"), Errc::kInvalid) << "an enumerator below the first";
  EXPECT_TRUE(decode<OneColour>(from_hex("820203").value()).ok());
  EXPECT_EQ(decode_code<crypto::PublicKey>("43010203"), Errc::kInvalid) << "a key of three bytes";
  using Either = std::variant<Point, std::string>;
  EXPECT_EQ(decode_code<Either>("820260"), Errc::kUnsupported) << "an alternative from the future";
}

TEST(SchemaTest, ErrorsNameTheField) {
  const Result<Point> result = decode<Point>(from_hex("8220190100").value());
  EXPECT_EQ(result.error().message, "y: the integer has a value outside its range");
}

// req: B11
TEST(SchemaTest, AnAttackersCountAllocatesNothing) {
  using Points = std::vector<Point>;
  EXPECT_EQ(decode_code<Points>("9b00000fffffffffff"), Errc::kInvalid);
  EXPECT_EQ(decode_code<Points>("9a00ffffff"), Errc::kInvalid);
  EXPECT_EQ(decode<std::vector<uint16_t>>(encode(std::vector<uint16_t>(kVectorItemsMax + 1))).code(), Errc::kLimit);
  EXPECT_TRUE(decode<std::vector<uint16_t>>(encode(std::vector<uint16_t>(kVectorItemsMax))).ok());
}

}  // namespace
}  // namespace selvedge::codec
