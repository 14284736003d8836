#include "mesh/finder.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

constexpr uint64_t kNow = 1'790'000'000;
crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

struct Rig {
  explicit Rig(std::vector<std::string> texts) : finder(verifier, parse(texts)) {}
  static std::vector<HintSource> parse(const std::vector<std::string>& texts) {
    std::vector<HintSource> out;
    for (const std::string& text : texts) out.push_back(parse_hint_source(text).value());
    return out;
  }
  Bytes packet(const std::string& address, int64_t age_s = 60, uint64_t expires = kNow + 3600) const {
    return codec::sign_node_hints(node, uint64_t(int64_t(kNow) - age_s) * 1'000'000, {expires, {address}}, 300).value().payload();
  }
  void start() {
    id = finder.start(now, node.public_key(), out).value();
    take();
  }
  void answer(size_t source, const Result<Bytes>& payload) {
    finder.on_answer(now, id, source, payload, out);
    take();
  }
  void pass(Duration time) {
    now = now + time;
    finder.on_deadline(now, out);
    take();
  }
  void take() {
    for (FinderEffect& effect : out.take()) {
      if (const auto* ask = std::get_if<AskHints>(&effect)) asked.push_back(ask->source);
      else found = std::move(std::get<Found>(effect));
    }
  }
  std::string address() const { return found && found->hints.ok() ? found->hints->addresses.at(0) : found ? "failed" : "none yet"; }

  crypto::Ed25519Signer node{seed_of("node")};
  crypto::Ed25519Verifier verifier;
  Finder finder;
  Instant now = Instant::from_unix_seconds(kNow);
  Finder::Out out;
  uint64_t id = 0;
  std::vector<size_t> asked;
  std::optional<Found> found;
};

// req: C5
TEST(Finder, RelaysAreAskedFirstAndNamesWhenNoneKnows) {
  Rig rig({"dns:example.org", "lan", "pkarr:https://two.example/path/"});
  rig.start();
  EXPECT_EQ(rig.asked, (std::vector<size_t>{1, 2}));
  rig.answer(1, fail(Errc::kNotFound, "404"));
  rig.answer(2, fail(Errc::kUnavailable, "connection refused"));
  EXPECT_EQ(rig.asked, (std::vector<size_t>{1, 2, 0}));
  rig.answer(0, rig.packet("named:1"));
  EXPECT_EQ(rig.address(), "named:1");
  ASSERT_EQ(rig.found->asked.size(), 3u);
  EXPECT_EQ(rig.found->asked[0].source, "dns:example.org");
  EXPECT_EQ(rig.found->asked[2].said, "connection refused");
}

// req: C5
TEST(Finder, TheDhtIsGivenMoreTimeThanARelay) {
  Rig rig({"dht", "dns:example.org"});
  rig.start();
  rig.pass(kSourcePatience);
  EXPECT_EQ(rig.asked, (std::vector<size_t>{0}));
  rig.pass(kDhtPatience - kSourcePatience);
  EXPECT_EQ(rig.asked, (std::vector<size_t>{0, 1}));
}

// req: C5
TEST(Finder, AClearFailureNamesWhatWasTried) {
  Rig rig({"dns:example.org@127.0.0.1:5353", "pkarr:http://127.0.0.1:1"});
  rig.start();
  rig.pass(kSourcePatience);
  rig.answer(0, fail(Errc::kNotFound, "no such name"));
  ASSERT_TRUE(rig.found && !rig.found->hints.ok());
  const std::string& why = rig.found->hints.error().message;
  for (const char* part : {"pkarr:http://127.0.0.1:1: no answer", "dns:example.org@127.0.0.1:5353: no such name", "ticket"}) EXPECT_NE(why.find(part), std::string::npos) << why;
  EXPECT_EQ(rig.finder.next_deadline(), Instant::never());
  Rig none({});
  EXPECT_EQ(none.finder.start(none.now, none.node.public_key(), none.out).code(), Errc::kUnavailable);
}

// req: C5 C15
TEST(Finder, OfSeveralAnswersTheNewestCountsAndFalseOnesDoNot) {
  Rig rig({"pkarr:https://stale", "pkarr:https://liar", "pkarr:https://fresh", "pkarr:https://future", "pkarr:https://dead"});
  rig.start();
  rig.answer(0, rig.packet("old:1", 7200));
  Bytes forged = rig.packet("evil:1", 10);
  forged.back() ^= 1;
  rig.answer(1, forged);
  rig.answer(3, rig.packet("later:1", -7200));
  EXPECT_FALSE(rig.found);
  rig.answer(2, rig.packet("new:1", 60));
  rig.pass(kNewerAnswerWait);
  EXPECT_EQ(rig.address(), "new:1");
  // A replay does not bring the old one back, not even when nobody else answers.
  rig.found.reset();
  rig.start();
  rig.answer(0, rig.packet("old:1", 7200));
  rig.pass(kSourcePatience);
  EXPECT_EQ(rig.address(), "new:1");
  // What was known ends when it says.
  rig.found.reset();
  rig.now = Instant::from_unix_seconds(kNow + 3600);
  rig.start();
  rig.answer(0, rig.packet("new:1", 60));
  rig.pass(kSourcePatience);
  EXPECT_EQ(rig.address(), "failed");
}

// Whatever sources do, the outcome is either true or a failure; and it is true whenever an honest source answers in time.
// req: C5 C15
TEST(Finder, SourcesCostTimeAndNothingElse) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    Rng rng(seed);
    Rig rig({"pkarr:https://a", "pkarr:https://b", "dns:c", "dns:d"});
    const crypto::Ed25519Signer thief(seed_of("thief"));
    rig.start();
    const Instant begun = rig.now;
    std::vector<size_t> todo = rig.asked;
    bool honest_pkarr = false, honest = false;
    size_t heard = 0;
    while (!rig.found) {
      ASSERT_LE((rig.now - begun).ns, (kSourcePatience * 2 + seconds(1)).ns);
      if (heard < rig.asked.size() && rng.chance(2, 3)) {
        const size_t source = rig.asked[heard++];
        switch (rng.below(6)) {
          case 0: rig.answer(source, rig.packet("true:1")); honest = true; honest_pkarr = honest_pkarr || source < 2; break;
          case 1: rig.answer(source, codec::sign_node_hints(thief, kNow * 1'000'000, {kNow + 9999, {"evil:1"}}, 1).value().payload()); break;
          case 2: rig.answer(source, rig.packet("expired:1", 60, kNow - 1)); break;
          case 3: rig.answer(source, random_bytes(seed, 1 + rng.below(300))); break;
          case 4: rig.answer(source, fail(Errc::kTimeout, "dead")); break;
          default: break;  // silence
        }
      } else {
        rig.pass(milliseconds(int64_t(rng.below(600))));
      }
    }
    EXPECT_EQ(rig.address(), honest ? "true:1" : "failed") << seed;
  }
}

TEST(Finder, SourcesAreWrittenOneWay) {
  EXPECT_EQ(parse_hint_source("pkarr:https://x.example/pkarr/").value().at, "https://x.example/pkarr");
  EXPECT_EQ(parse_hint_source("lan").value().text(), "lan");
  EXPECT_EQ(parse_hint_source("dht").value().at, "");
  EXPECT_EQ(parse_hint_source("dht:127.0.0.1:6881").value().text(), "dht:127.0.0.1:6881");
  EXPECT_EQ(parse_hint_source("dns:example.org.@[::1]:53").value().server, "[::1]:53");
  for (const char* wrong : {"", "pkarr:", "pkarr:ftp://x", "dns:", "dns:@x", "dns:x@", "https://x", "dns:a b", "dht:", "dht:x", "dht::1", "dht:x:", "dhtx"}) EXPECT_EQ(parse_hint_source(wrong).code(), Errc::kInvalid) << wrong;
}

}  // namespace
}  // namespace selvedge::mesh
