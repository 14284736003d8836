#include "object/oracle.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "object/test_world.h"

namespace selvedge::object {
namespace {

using namespace testing;

OracleAnswer time_answer(const World& w) {
  OracleAnswer out;
  out.node = w.stranger.public_key();
  out.origin = w.origin.public_key();
  out.name = "time";
  out.nonce.bytes.fill(7);
  out.issued = kNow;
  out.value = std::to_string(kNow);
  return out;
}

// req: D5
TEST(OracleTest, ABeaconHasOneValueForOneQuestion) {
  const World w;
  const crypto::VrfKeyPair key(seed_of("a node"));
  OracleAnswer answer = time_answer(w);
  answer.name = "beacon";
  ASSERT_TRUE(prove_beacon(key, answer).ok());
  const auto made = sign_object(w.stranger, answer);
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_TRUE(open_object<OracleAnswer>(made->bytes, w.verifier).ok());
  OracleAnswer again = answer;
  ASSERT_TRUE(prove_beacon(key, again).ok());
  EXPECT_EQ(again.value, answer.value) << "a node cannot try until it likes what comes out";
  again.nonce.bytes[0] ^= 1;
  EXPECT_EQ(again.validate().code(), Errc::kIntegrity) << "an answer to another question";
  OracleAnswer chosen = answer;
  chosen.value[0] = chosen.value[0] == '0' ? '1' : '0';
  EXPECT_EQ(chosen.validate().code(), Errc::kIntegrity);
  for (size_t i = 0; i < answer.proof.size(); ++i) {
    OracleAnswer bent = answer;
    bent.proof[i] ^= 1;
    EXPECT_FALSE(bent.validate().ok()) << i;
  }
}

TEST(OracleTest, SaysOneLineAboutOneThing) {
  const World w;
  EXPECT_TRUE(time_answer(w).validate().ok());
  const auto refused = [&](auto bend) {
    OracleAnswer answer = time_answer(w);
    bend(answer);
    EXPECT_FALSE(answer.validate().ok());
  };
  refused([](OracleAnswer& a) { a.value = "yesterday"; });
  refused([](OracleAnswer& a) { a.name = "../time"; });
  refused([](OracleAnswer& a) { a.name.clear(); });
  refused([](OracleAnswer& a) { a.name = "height"; a.value = "two\nlines"; });
  refused([](OracleAnswer& a) { a.name = "height"; a.value.assign(1025, 'x'); });
  refused([](OracleAnswer& a) { a.proof = {1}; });
  refused([](OracleAnswer& a) { a.nonce = {}; });
}

// req: A8
TEST(OracleSpec, TheTableOfKindsIsTheCodes) {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/docs/spec/oracles.md");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::string begin = "<!-- begin kinds -->\n", end = "<!-- end kinds -->";
  const size_t from = text.find(begin) + begin.size();
  EXPECT_EQ(text.substr(from, text.find(end) - from),
            "| kind | version | schema id | fields |\n|---|---|---|---|\n| OracleAnswer | 1 | `" + schema_id_of<OracleAnswer>().hex() + "` | `" + codec::describe<OracleAnswer>() + "` |\n");
}

}  // namespace
}  // namespace selvedge::object
