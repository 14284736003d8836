#include "mesh/session.h"

#include <gtest/gtest.h>

#include "crypto/seal.h"
#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

constexpr uint64_t kNow = 1'790'000'000;

crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

struct Party {
  explicit Party(const std::string& name) : owner(seed_of("owner " + name)), node(seed_of("node " + name)) {}
  crypto::Ed25519Signer owner;
  crypto::Ed25519Signer node;
  Bytes record(uint64_t expires = kNow + object::kDay) const {
    object::NodeRecord record;
    record.owner = owner.public_key();
    record.node = node.public_key();
    record.seal_key = crypto::SealKeyPair(seed_of("seal")).public_key();
    record.issued = kNow - 100;
    record.expires = expires;
    record.serial = 1;
    return object::sign_object(owner, record).value().bytes;
  }
  Hello hello() const { return {{kProtocolVersion}, uint32_t(kFrameBytesMax), record()}; }
};

struct Rig {
  Party me{"me"};
  Party peer{"peer"};
  crypto::Ed25519Verifier verifier;
  Sessions sessions{me.node.public_key(), me.record(), verifier, 42};
  Instant now = Instant::from_unix_seconds(kNow);
  Sessions::Out out;

  const NodeKey& key() const { return peer.node.public_key(); }
  std::vector<SessionEffect> take() { return out.take(); }
  template <class E>
  size_t count() {
    size_t n = 0;
    for (const SessionEffect& effect : out) n += std::holds_alternative<E>(effect) ? 1 : 0;
    return n;
  }
  void up(LinkId link) {
    sessions.on_link_opened(now, link, key(), out);
    sessions.on_hello(now, link, peer.hello(), out);
  }
};

TEST(Session, ASessionNeedsBothHellos) {
  Rig rig;
  rig.sessions.on_link_opened(rig.now, 1, rig.key(), rig.out);
  EXPECT_EQ(rig.count<SendOnLink>(), 1u);
  EXPECT_EQ(rig.sessions.peer_of(1), nullptr);
  EXPECT_FALSE(rig.sessions.up(rig.key()));
  rig.sessions.on_hello(rig.now, 1, rig.peer.hello(), rig.out);
  EXPECT_EQ(rig.count<PeerUp>(), 1u);
  ASSERT_NE(rig.sessions.peer_of(1), nullptr);
  EXPECT_EQ(*rig.sessions.peer_of(1), rig.key());
  EXPECT_EQ(rig.sessions.find(rig.key())->record->body.owner, rig.peer.owner.public_key());
}

// req: C3, C13
TEST(Session, AVisitorHasNoSessionAndIsNotRemembered) {
  Rig rig;
  rig.sessions.on_link_opened(rig.now, 1, rig.key(), rig.out);
  rig.sessions.on_hello(rig.now, 1, {{kProtocolVersion}, uint32_t(kFrameBytesMax), {}}, rig.out);
  EXPECT_EQ(rig.count<PeerUp>(), 0u);
  EXPECT_EQ(rig.sessions.peer_of(1), nullptr);
  ASSERT_NE(rig.sessions.visitor_of(1), nullptr);
  EXPECT_EQ(*rig.sessions.visitor_of(1), rig.key());
  EXPECT_EQ(rig.sessions.find(rig.key()), nullptr);
  // Who came without a name does not get one later on the same link.
  rig.sessions.on_hello(rig.now, 1, rig.peer.hello(), rig.out);
  EXPECT_EQ(rig.count<CloseLink>(), 1u);
  EXPECT_EQ(rig.count<PeerUp>(), 0u);
  rig.sessions.on_link_closed(rig.now, 1, Error{Errc::kCancelled, "closed"}, rig.out);
  EXPECT_EQ(rig.sessions.visitor_of(1), nullptr);
  EXPECT_EQ(rig.sessions.next_deadline(), Instant::never()) << "nobody is dialled back";
  // Nor does a session become a visit.
  rig.up(2);
  rig.sessions.on_hello(rig.now, 2, {{kProtocolVersion}, uint32_t(kFrameBytesMax), {}}, rig.out);
  EXPECT_EQ(rig.count<CloseLink>(), 2u);
  EXPECT_EQ(rig.sessions.visitor_of(2), nullptr);
}

// req: A9 C15
TEST(Session, AHelloThatDoesNotFitClosesTheLink) {
  Rig rig;
  const Party other("other");
  struct Case { const char* what; Hello hello; };
  std::vector<Case> cases;
  cases.push_back({"another node's record", {{kProtocolVersion}, uint32_t(kFrameBytesMax), other.record()}});
  cases.push_back({"no common version", {{kProtocolVersion + 1}, uint32_t(kFrameBytesMax), rig.peer.record()}});
  cases.push_back({"no version", {{}, uint32_t(kFrameBytesMax), rig.peer.record()}});
  cases.push_back({"tiny frames", {{kProtocolVersion}, kFrameBytesMin - 1, rig.peer.record()}});
  Hello other_symbols = rig.peer.hello();
  other_symbols.symbol_modes = uint8_t(~kSymbolsRaptorQ);
  cases.push_back({"no common kind of symbols", other_symbols});
  cases.push_back({"expired record", {{kProtocolVersion}, uint32_t(kFrameBytesMax), rig.peer.record(kNow)}});
  cases.push_back({"no record", {{kProtocolVersion}, uint32_t(kFrameBytesMax), {1}}});
  Bytes forged = rig.peer.record();
  forged.back() ^= 1;
  cases.push_back({"forged record", {{kProtocolVersion}, uint32_t(kFrameBytesMax), forged}});
  LinkId link = 10;
  for (const Case& each : cases) {
    (void)rig.take();
    rig.sessions.on_link_opened(rig.now, ++link, rig.key(), rig.out);
    rig.sessions.on_hello(rig.now, link, each.hello, rig.out);
    EXPECT_EQ(rig.count<CloseLink>(), 1u) << each.what;
    EXPECT_EQ(rig.count<PeerUp>(), 0u) << each.what;
    EXPECT_FALSE(rig.sessions.up(rig.key())) << each.what;
    EXPECT_FALSE(rig.sessions.find(rig.key())->last_error.empty()) << each.what;
  }
}

// req: A9
TEST(Session, ANodeKeyStaysWithItsOwner) {
  Rig rig;
  rig.up(1);
  rig.sessions.on_link_closed(rig.now, 1, fail(Errc::kTimeout, "lost"), rig.out);
  (void)rig.take();
  crypto::Ed25519Signer thief(seed_of("thief"));
  object::NodeRecord stolen;
  stolen.owner = thief.public_key();
  stolen.node = rig.key();
  stolen.seal_key = crypto::SealKeyPair(seed_of("seal")).public_key();
  stolen.issued = kNow - 100;
  stolen.expires = kNow + object::kDay;
  stolen.serial = 2;
  rig.sessions.on_link_opened(rig.now, 2, rig.key(), rig.out);
  rig.sessions.on_hello(rig.now, 2, {{kProtocolVersion}, uint32_t(kFrameBytesMax), object::sign_object(thief, stolen).value().bytes}, rig.out);
  EXPECT_EQ(rig.count<CloseLink>(), 1u);
  EXPECT_EQ(rig.count<PeerUp>(), 0u);
}

// req: C10
TEST(Session, BothSidesUseWhatBothKnow) {
  Rig rig;
  Hello hello = rig.peer.hello();
  hello.frame_bytes_max = 20'000;
  hello.compressions = 0xFE | kCompressionZstd;
  hello.symbol_modes = 0xFF;
  rig.sessions.on_link_opened(rig.now, 1, rig.key(), rig.out);
  rig.sessions.on_hello(rig.now, 1, hello, rig.out);
  ASSERT_TRUE(rig.sessions.up(rig.key()));
  EXPECT_EQ(rig.sessions.find(rig.key())->frame_bytes_max, 20'000u);
  EXPECT_EQ(rig.sessions.find(rig.key())->compressions, kCompressionZstd);
}

TEST(Session, ASecondHelloOnOneLinkIsABreach) {
  Rig rig;
  rig.up(1);
  (void)rig.take();
  rig.sessions.on_hello(rig.now, 1, rig.peer.hello(), rig.out);
  EXPECT_EQ(rig.count<CloseLink>(), 1u);
}

TEST(Session, SilenceAfterConnectingClosesTheLink) {
  Rig rig;
  rig.sessions.on_link_opened(rig.now, 1, rig.key(), rig.out);
  (void)rig.take();
  EXPECT_EQ(rig.sessions.next_deadline(), rig.now + kHelloTimeout);
  rig.sessions.on_deadline(rig.now + kHelloTimeout, rig.out);
  EXPECT_EQ(rig.count<CloseLink>(), 1u);
  EXPECT_EQ(rig.sessions.next_deadline(), Instant::never());
}

TEST(Session, RedialsWithGrowingPausesAndNextAddresses) {
  Rig rig;
  ASSERT_TRUE(rig.sessions.want(rig.now, rig.key(), {"a:1", "b:2"}, Instant::never(), rig.out).ok());
  std::vector<std::string> dialled;
  std::vector<Duration> pauses;
  for (int i = 0; i < 12; ++i) {
    for (SessionEffect& effect : rig.take()) {
      if (auto* dial = std::get_if<Dial>(&effect)) dialled.push_back(dial->address);
    }
    rig.sessions.on_dial_failed(rig.now, rig.key(), fail(Errc::kTimeout, "no answer"), rig.out);
    const Instant next = rig.sessions.next_deadline();
    pauses.push_back(next - rig.now);
    rig.now = next;
    rig.sessions.on_deadline(rig.now, rig.out);
  }
  EXPECT_EQ(dialled.size(), 12u);
  EXPECT_NE(dialled[0], dialled[1]);
  EXPECT_EQ(dialled[0], dialled[2]);
  EXPECT_LT(pauses[0], kRedialMin * 2);
  EXPECT_GE(pauses.back(), kRedialMax);
  EXPECT_LE(pauses.back(), kRedialMax + kRedialMax / 4);
  // A session resets the pause.
  rig.up(1);
  rig.sessions.on_link_closed(rig.now, 1, fail(Errc::kTimeout, "lost"), rig.out);
  EXPECT_LT(rig.sessions.next_deadline() - rig.now, kRedialMin * 2);
}

TEST(Session, WantedForAWhileOnly) {
  Rig rig;
  ASSERT_TRUE(rig.sessions.want(rig.now, rig.key(), {"a:1"}, rig.now + seconds(1), rig.out).ok());
  rig.now = rig.now + seconds(2);
  rig.sessions.on_dial_failed(rig.now, rig.key(), fail(Errc::kTimeout, "no answer"), rig.out);
  EXPECT_EQ(rig.sessions.next_deadline(), Instant::never());
}

TEST(Session, OneselfIsNoPeer) {
  Rig rig;
  EXPECT_EQ(rig.sessions.want(rig.now, rig.me.node.public_key(), {"a:1"}, Instant::never(), rig.out).code(), Errc::kInvalid);
}

// A peer that started anew opens a link before the old one is missed.
TEST(Session, TheNewestLinkIsUsedAndBeginsTheSessionAnew) {
  Rig rig;
  rig.up(1);
  EXPECT_EQ(rig.sessions.link_of(rig.key()), LinkId(1));
  (void)rig.take();
  rig.up(2);
  EXPECT_EQ(rig.count<PeerDown>(), 1u);
  EXPECT_EQ(rig.count<PeerUp>(), 1u);
  EXPECT_EQ(rig.sessions.link_of(rig.key()), LinkId(2));
  EXPECT_NE(rig.sessions.peer_of(1), nullptr);  // what still comes on the old one counts
  (void)rig.take();
  rig.sessions.on_link_closed(rig.now, 2, fail(Errc::kTimeout, "lost"), rig.out);
  EXPECT_EQ(rig.count<PeerDown>(), 1u);
  EXPECT_EQ(rig.count<PeerUp>(), 1u);
  EXPECT_EQ(rig.sessions.link_of(rig.key()), LinkId(1));
  (void)rig.take();
  rig.sessions.on_link_closed(rig.now, 1, fail(Errc::kTimeout, "lost"), rig.out);
  EXPECT_EQ(rig.count<PeerDown>(), 1u);
  EXPECT_EQ(rig.count<PeerUp>(), 0u);
  EXPECT_FALSE(rig.sessions.up(rig.key()));
}

TEST(Session, TooManyLinksOfOnePeerCloseTheOldest) {
  Rig rig;
  for (LinkId link = 1; link <= kLinksPerPeerMax; ++link) rig.up(link);
  EXPECT_EQ(rig.count<CloseLink>(), 0u);
  rig.up(kLinksPerPeerMax + 1);
  ASSERT_EQ(rig.count<CloseLink>(), 1u);
  for (const SessionEffect& effect : rig.out) {
    const auto* close = std::get_if<CloseLink>(&effect);
    if (close != nullptr) {
      EXPECT_EQ(close->link, LinkId(1));
    }
  }
}

// req: C15
TEST(Session, StrangersDoNotTakeThePlaceOfWantedPeers) {
  Rig rig;
  for (size_t i = 0; i < kPeersMax + 10; ++i) {
    const NodeKey stranger = key_named("stranger " + std::to_string(i));
    rig.sessions.on_link_opened(rig.now, 1000 + i, stranger, rig.out);
    rig.sessions.on_link_closed(rig.now, 1000 + i, fail(Errc::kTimeout, "gone"), rig.out);
  }
  EXPECT_LE(rig.sessions.peers().size(), kPeersMax);
  EXPECT_TRUE(rig.sessions.want(rig.now, rig.key(), {"a:1"}, Instant::never(), rig.out).ok());
}

// req: A1
TEST(Session, ARenewedRecordIsShownToWhoComesNext) {
  Rig rig;
  const Bytes renewed = rig.me.record(kNow + 2 * object::kDay);
  rig.sessions.set_record(renewed);
  rig.sessions.on_link_opened(rig.now, 1, rig.key(), rig.out);
  const std::vector<SessionEffect> effects = rig.take();
  ASSERT_EQ(effects.size(), 1u);
  const auto hello = MeshMessages::decode(std::get<SendOnLink>(effects[0]).message);
  EXPECT_EQ(std::get<Hello>(*hello).record, renewed);
}

TEST(Session, WhoIsNoLongerWantedIsNotDialledAgain) {
  Rig rig;
  ASSERT_TRUE(rig.sessions.want(rig.now, rig.key(), {"somewhere:1"}, Instant::never(), rig.out).ok());
  rig.sessions.on_dial_failed(rig.now, rig.key(), fail(Errc::kTimeout, "silence"), rig.out);
  EXPECT_LT(rig.sessions.next_deadline(), Instant::never());
  rig.sessions.unwant(rig.key());
  EXPECT_EQ(rig.sessions.next_deadline(), Instant::never());
  (void)rig.take();
  rig.sessions.on_deadline(rig.now + seconds(3600), rig.out);
  EXPECT_EQ(rig.count<Dial>(), 0u);
}

}  // namespace
}  // namespace selvedge::mesh
