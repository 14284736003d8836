// docs/spec/vectors/cbor.json: what the deterministic reader takes, and what it refuses and why.
#include "codec/value.h"
#include "object/vectors/json.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

/// RFC 8949 Appendix A, as far as it is of our subset, and the edges of each length.
constexpr const char* kAccepted[] = {
    "00", "01", "0a", "17", "1818", "1819", "1864", "18ff", "190100", "1903e8", "19ffff", "1a00010000", "1a000f4240", "1affffffff",
    "1b0000000100000000", "1b000000e8d4a51000", "1b7fffffffffffffff", "1b8000000000000000", "1bffffffffffffffff",
    "20", "29", "37", "3818", "3863", "3903e7", "3b7fffffffffffffff", "3bffffffffffffffff",
    "c249010000000000000000", "c349010000000000000000", "f4", "f5", "f6",
    "c074323031332d30332d32315432303a30343a30305a", "c11a514b67b0", "d74401020304", "d818456449455446",
    "40", "4401020304", "60", "6161", "6449455446", "62225c", "62c3bc", "63e6b0b4", "64f0908591", "64f48fbfbf", "63ed9fbf",
    "80", "83010203", "8301820203820405", "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
    "a0", "a201020304", "a26161016162820203", "826161a161626163", "a56161614161626142616361436164614461656145",
    "a2000120f6", "a34161016161026162f5", "a401020a03181804190100f5",
};

struct RefusedCbor {
  const char* hex;
  const char* why;
};
constexpr RefusedCbor kRefused[] = {
    {"", "nothing"},
    {"1800", "0 in two bytes"},
    {"1817", "23 in two bytes"},
    {"1900ff", "255 in three bytes"},
    {"1a0000ffff", "65535 in five bytes"},
    {"1b00000000ffffffff", "2^32-1 in nine bytes"},
    {"3800", "-1 in two bytes"},
    {"580101", "a length of 1 in two bytes"},
    {"78016f", "a length of text in two bytes"},
    {"980101", "a count of items in two bytes"},
    {"b8010203", "a count of pairs in two bytes"},
    {"d80101", "a tag below 24 in two bytes"},
    {"a201020102", "the same key twice"},
    {"a203040102", "keys out of order"},
    {"a2616201616102", "text keys out of order"},
    {"a262616101616202", "the longer key first"},
    {"a220010002", "a negative key before an unsigned one"},
    {"8201a203000102", "keys out of order inside a list"},
    {"a26161016162", "a value is missing"},
    {"18", "a head is cut off"},
    {"1901", "a head is cut off"},
    {"1b01020304050607", "a head is cut off"},
    {"41", "a byte string is cut off"},
    {"61", "a text is cut off"},
    {"5affffffff00", "a length far beyond the input"},
    {"5bffffffffffffffff010203", "a length far beyond memory"},
    {"9affffffff00", "a count far beyond the input"},
    {"9bffffffffffffffff", "a count far beyond memory"},
    {"bbffffffffffffffff", "a count of pairs far beyond memory"},
    {"81", "an item is missing"},
    {"a100", "a value is missing"},
    {"c0", "the tagged item is missing"},
    {"0000", "bytes follow"},
    {"8000", "bytes follow"},
    {"1c", "a reserved length form"},
    {"5c", "a reserved length form"},
    {"df00", "a tag of indefinite length"},
    {"1f", "an integer of indefinite length"},
    {"5f42010243030405ff", "a byte string of indefinite length"},
    {"7f657374726561646d696e67ff", "a text of indefinite length"},
    {"9fff", "a list of indefinite length"},
    {"bf6346756ef5ff", "a map of indefinite length"},
    {"ff", "a break alone"},
    {"f90000", "a floating-point number of 16 bits"},
    {"fa47c35000", "a floating-point number of 32 bits"},
    {"fb3ff199999999999a", "a floating-point number of 64 bits"},
    {"f7", "undefined"},
    {"f0", "a simple value that is not ours"},
    {"e0", "a simple value that is not ours"},
    {"f8ff", "a simple value in two bytes"},
    {"f814", "false in two bytes"},
    {"fc", "a reserved simple value"},
    {"61ff", "text that is not UTF-8"},
    {"62c328", "text with half a character"},
    {"62c080", "text with an overlong form"},
    {"63e08080", "text with an overlong form"},
    {"64f0808080", "text with an overlong form"},
    {"63eda080", "text with a surrogate"},
    {"64f4908080", "text above U+10FFFF"},
};

/// `count` lists inside each other, the innermost empty.
std::string nested(size_t count) {
  std::string out;
  for (size_t i = 1; i < count; ++i) out += "81";
  return out + "80";
}

Json accepted_case(const std::string& hex) {
  const codec::Value value = codec::decode_value(from_hex(hex).value()).value();
  CHECK(codec::encode_value(value) == from_hex(hex).value());
  return record({{"hex", hex}, {"diagnostic", codec::diagnostic(value)}});
}

Json refused_case(const std::string& hex, const char* why) {
  const Status status = codec::check_canonical(from_hex(hex).value());
  CHECK(!status.ok());
  return record({{"hex", hex}, {"expect", expectation(status)}, {"why", why}});
}

}  // namespace

std::string cbor_file() {
  std::vector<Json> accepted, refused;
  for (const char* hex : kAccepted) accepted.push_back(accepted_case(hex));
  accepted.push_back(accepted_case(nested(codec::kDepthMax)));
  for (const RefusedCbor& item : kRefused) refused.push_back(refused_case(item.hex, item.why));
  refused.push_back(refused_case(nested(codec::kDepthMax + 1), "nested deeper than 32"));
  return document("Deterministic CBOR: what is accepted, with its diagnostic notation, and what is refused.",
                  {{"accepted", list(accepted)}, {"refused", list(refused)}});
}

}  // namespace selvedge::object::vectors
