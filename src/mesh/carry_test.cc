#include "mesh/carry.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

crypto::Seed seed_named(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

// One node with its disk: what was kept survives a crash, what was not does not.
struct CarryNode {
  explicit CarryNode(const std::string& name_in) : name(name_in), signer(seed_named(name_in)), keys(seed_named(name_in + " seal")) { start(); }
  std::string name;
  crypto::Ed25519Signer signer;
  crypto::SealKeyPair keys;
  crypto::Ed25519Verifier verifier;
  std::unique_ptr<Carry> carry;
  std::vector<ParcelAddress> peers;
  std::map<ParcelId, KeptParcel> kept;
  std::map<ParcelId, SeenParcel> seen;
  std::vector<Bytes> got;          // on disk, with `seen`
  std::vector<ParcelId> custody, expired;
  int starts = 0;

  ParcelAddress address() const { return {signer.public_key(), keys.public_key()}; }
  void start() {
    ++starts;
    carry = std::make_unique<Carry>(signer, keys, verifier, crypto::Drbg(seed_named(name + std::to_string(starts))), uint64_t(starts));
    for (const ParcelAddress& peer : peers) ASSERT_TRUE(carry->add_peer(peer).ok());
    for (const auto& [id, parcel] : kept) carry->restore(id, parcel);
    for (const auto& [id, parcel] : seen) carry->restore_seen(id, parcel);
  }
  void meet(const CarryNode& other) {
    peers.push_back(other.address());
    ASSERT_TRUE(carry->add_peer(other.address()).ok());
  }
  /// What is to be handed over. With `crash`, the node dies before it has synced anything of what came.
  std::vector<std::pair<ParcelId, Bytes>> settle(Instant now, Carry::Out& out, bool crash = false) {
    std::vector<std::pair<ParcelId, Bytes>> over;
    for (CarryEffect& effect : out.take()) {
      if (auto* keep = std::get_if<CarryKeep>(&effect)) kept[keep->id] = keep->parcel;
      else if (auto* forget = std::get_if<CarryForget>(&effect)) kept.erase(forget->id);
      else if (auto* old = std::get_if<CarryForgetSeen>(&effect)) seen.erase(old->id);
      else if (auto* hand = std::get_if<CarryHandOver>(&effect)) over.emplace_back(hand->id, *hand->sealed);
      else if (auto* done = std::get_if<CarryCustody>(&effect)) custody.push_back(done->id);
      else if (auto* late = std::get_if<CarryExpired>(&effect)) expired.push_back(late->id);
      else if (auto* deliver = std::get_if<CarryDeliver>(&effect); deliver && !crash) {
        got.push_back(deliver->parcel.payload);
        seen[deliver->id] = deliver->seen;
        carry->on_accepted(now, deliver->id);
      }
    }
    if (crash) start();
    return over;
  }
  ParcelId send(Instant now, const CarryNode& to, std::string_view text, ParcelPriority priority = ParcelPriority::kNormal, Duration lifetime = seconds(86'400)) {
    Carry::Out out;
    const ParcelId id = carry->send(now, to.signer.public_key(), priority, lifetime, to_bytes(view(text)), out).value();
    settle(now, out);
    return id;
  }
  std::vector<std::pair<ParcelId, Bytes>> load(Instant now, uint64_t room = UINT64_MAX, const std::set<ParcelId>& present = {}) {
    Carry::Out out;
    carry->load(now, present, room, out);
    return settle(now, out);
  }
  Status take(Instant now, Bytes parcel, bool crash = false) {
    Carry::Out out;
    const Status status = carry->on_parcel(now, std::move(parcel), out);
    settle(now, out, crash);
    return status;
  }
};

struct CarryTest : ::testing::Test {
  CarryNode a{"a"}, b{"b"}, eve{"eve"};
  Instant now = Instant::from_unix_seconds(1'790'000'000);
  CarryTest() { a.meet(b), b.meet(a); }
};

TEST_F(CarryTest, CustodyEndsWithTheRecipientsWordAndNotBefore) {
  const ParcelId id = a.send(now, b, "a job");
  auto stick = a.load(now);
  ASSERT_EQ(stick.size(), 1u);
  EXPECT_EQ(a.carry->in_custody(), 1u);
  ASSERT_TRUE(b.take(now, stick[0].second).ok());
  ASSERT_EQ(b.got.size(), 1u);
  EXPECT_EQ(a.carry->in_custody(), 1u);  // the stick may still be lost
  const auto back = b.load(now);
  ASSERT_EQ(back.size(), 1u);
  ASSERT_TRUE(a.take(now, back[0].second).ok());
  EXPECT_EQ(a.custody, std::vector{id});
  EXPECT_EQ(a.carry->in_custody(), 0u);
  EXPECT_EQ(a.carry->bytes_in_custody(), 0u);
  EXPECT_TRUE(a.kept.empty());
  EXPECT_TRUE(b.load(now).empty());  // an acknowledgement is said once, and again only when asked for by a duplicate
}

TEST_F(CarryTest, WhatComesAgainIsAcknowledgedAgainAndHandedUpOnce) {
  a.send(now, b, "a job");
  const auto stick = a.load(now);
  ASSERT_TRUE(b.take(now, stick[0].second).ok());
  (void)b.load(now);  // lost
  b.start();          // and what is known of it is on the disk
  ASSERT_TRUE(b.take(now, stick[0].second).ok());
  EXPECT_EQ(b.got.size(), 1u);
  EXPECT_EQ(b.load(now).size(), 1u);
}

TEST_F(CarryTest, WhatWasNotSyncedIsNotAcknowledged) {
  a.send(now, b, "a job");
  const auto stick = a.load(now);
  ASSERT_TRUE(b.take(now, stick[0].second, true).ok());
  EXPECT_TRUE(b.load(now).empty());
  ASSERT_TRUE(b.take(now, stick[0].second).ok());
  EXPECT_EQ(b.got.size(), 1u);
  EXPECT_EQ(b.load(now).size(), 1u);
}

TEST_F(CarryTest, ADuplicateDuringTheSyncIsNotAcknowledged) {
  a.send(now, b, "a job");
  const auto stick = a.load(now);
  Carry::Out out;
  ASSERT_TRUE(b.carry->on_parcel(now, stick[0].second, out).ok());
  ASSERT_TRUE(b.take(now, stick[0].second).ok());
  EXPECT_TRUE(b.load(now).empty());
  b.settle(now, out);
  EXPECT_EQ(b.load(now).size(), 1u);
}

TEST_F(CarryTest, NobodyElseEndsCustody) {
  a.meet(eve), eve.meet(a);
  const ParcelId id = a.send(now, b, "a job");
  const Parcel claim{eve.signer.public_key(), a.signer.public_key(), now.unix_seconds(), 60, ParcelPriority::kUrgent, ParcelKind::kCustody, to_bytes(id)};
  crypto::Drbg drbg(seed_named("eve draws"));
  ASSERT_TRUE(a.take(now, seal_parcel(eve.signer, a.keys.public_key(), claim, drbg).value()).ok());
  EXPECT_EQ(a.carry->in_custody(), 1u);
  EXPECT_TRUE(a.custody.empty());
}

TEST_F(CarryTest, WhatExpiresIsGivenUpAndNotTaken) {
  const ParcelId id = a.send(now, b, "a job", ParcelPriority::kNormal, seconds(60));
  const auto stick = a.load(now);
  EXPECT_EQ(a.carry->next_deadline(), now + seconds(60));
  now = now + seconds(60);
  EXPECT_TRUE(a.load(now).empty());
  EXPECT_EQ(a.expired, std::vector{id});
  EXPECT_EQ(b.take(now, stick[0].second).error().code, Errc::kExpired);
  EXPECT_TRUE(b.got.empty());
}

TEST_F(CarryTest, TheUrgentGoFirstAndOnlyWhatFits) {
  a.send(now, b, "bulk", ParcelPriority::kBulk);
  const ParcelId old = a.send(now, b, "old");
  const ParcelId young = a.send(now, b, "new");
  const ParcelId urgent = a.send(now, b, "urgent", ParcelPriority::kUrgent);
  const auto all = a.load(now);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].first, urgent);
  EXPECT_EQ(all[1].first, old);
  EXPECT_EQ(all[2].first, young);
  EXPECT_EQ(a.load(now, all[0].second.size()).size(), 1u);
  EXPECT_EQ(a.load(now, UINT64_MAX, {urgent, old}).size(), 2u);
}

TEST_F(CarryTest, ALinkThatIsAlwaysThereIsNotFlooded) {
  a.send(now, b, "a job");
  Carry::Out out;
  a.carry->load_due(now, UINT64_MAX, out);
  EXPECT_EQ(a.settle(now, out).size(), 1u);
  a.carry->load_due(now + kCarryRetryMin - seconds(1), UINT64_MAX, out);
  EXPECT_EQ(a.settle(now, out).size(), 0u);
  a.carry->load_due(now + kCarryRetryMin * 2, UINT64_MAX, out);
  EXPECT_EQ(a.settle(now, out).size(), 1u);
}

TEST_F(CarryTest, StrangersAndOthersParcelsAreRefused) {
  eve.meet(b);
  const auto id = eve.send(now, b, "spam");
  EXPECT_EQ(b.take(now, eve.kept[id].sealed).error().code, Errc::kUnauthorized);
  const auto job = a.send(now, b, "a job");
  EXPECT_EQ(eve.take(now, a.kept[job].sealed).error().code, Errc::kUnauthorized);
  EXPECT_TRUE(b.got.empty());
}

TEST_F(CarryTest, TheOutboxIsBounded) {
  Carry::Out out;
  Status status;
  size_t sent = 0;
  while (sent <= kCarryOutMax && status.ok()) {
    const auto id = a.carry->send(now, b.signer.public_key(), ParcelPriority::kNormal, seconds(60), {}, out);
    if (!id.ok()) status = id.error();
    else ++sent;
  }
  EXPECT_EQ(sent, kCarryOutMax);
  EXPECT_EQ(status.error().code, Errc::kLimit);
}

TEST(ParcelTest, EveryDamagedByteIsNoticedAndNothingIsInTheClear) {
  const CarryNode a("a"), b("b"), c("c");
  crypto::Drbg drbg(seed_named("draws"));
  const Parcel parcel{a.signer.public_key(), b.signer.public_key(), 1'790'000'000, 60, ParcelPriority::kBulk, ParcelKind::kCargo, to_bytes(view("the payload"))};
  const Bytes sealed = seal_parcel(a.signer, b.keys.public_key(), parcel, drbg).value();
  const auto open = [&](Bytes bytes) { return open_parcel(b.keys, b.signer.public_key(), b.verifier, std::move(bytes)); };
  EXPECT_EQ(open(sealed).value().payload, parcel.payload);
  EXPECT_TRUE(is_parcel_for(b.keys, sealed).value());
  EXPECT_FALSE(is_parcel_for(c.keys, sealed).value());
  for (size_t i = 0; i < sealed.size(); ++i) {
    Bytes bad = sealed;
    bad[i] ^= 1;
    EXPECT_FALSE(open(bad).ok()) << i;
    EXPECT_FALSE(open(Bytes(sealed.begin(), sealed.begin() + ptrdiff_t(i))).ok()) << i;
  }
  const Bytes again = seal_parcel(a.signer, b.keys.public_key(), parcel, drbg).value();
  const auto has = [](const Bytes& in, ByteView what) { return !std::ranges::search(in, what).empty(); };
  EXPECT_FALSE(has(sealed, a.signer.public_key()) || has(sealed, b.signer.public_key()) || has(sealed, b.keys.public_key()) || has(sealed, view("payload")));
  EXPECT_NE(Bytes(sealed.begin() + 5, sealed.begin() + kParcelHeaderBytes), Bytes(again.begin() + 5, again.begin() + kParcelHeaderBytes));
}

TEST(ParcelTest, WhoGotAParcelCannotPassItOnAsMeantForAnother) {
  const CarryNode a("a"), b("b"), c("c");
  crypto::Drbg drbg(seed_named("draws"));
  const Parcel parcel{a.signer.public_key(), b.signer.public_key(), 1'790'000'000, 60, ParcelPriority::kBulk, ParcelKind::kCargo, {}};
  const Bytes sealed_to_c = seal_parcel(a.signer, c.keys.public_key(), parcel, drbg).value();
  EXPECT_EQ(open_parcel(c.keys, c.signer.public_key(), c.verifier, sealed_to_c).error().code, Errc::kUnauthorized);
}

// Sticks that are lost, copied, kept for days and brought in any order, and nodes that crash before a sync: everything arrives once, and
// nobody gives up custody of what has not arrived.
void carry_world(uint64_t seed) {
  Rng rng(seed);
  CarryNode nodes[2] = {CarryNode("a"), CarryNode("b")};
  nodes[0].meet(nodes[1]), nodes[1].meet(nodes[0]);
  Instant now = Instant::from_unix_seconds(1'790'000'000);
  std::vector<Bytes> sent[2], way[2];
  const auto step = [&](bool faults) {
    const size_t n = rng.below(2);
    now = now + seconds(int64_t(rng.below(600)));
    if (faults && rng.chance(1, 3)) {
      const std::string text = std::to_string(n) + " says " + std::to_string(sent[n].size());
      nodes[n].send(now, nodes[1 - n], text, ParcelPriority(rng.below(3)), seconds(60 * 86'400));
      sent[n].push_back(to_bytes(view(text)));
    }
    for (auto& [id, bytes] : nodes[n].load(now, faults ? rng.below(4096) : UINT64_MAX)) way[1 - n].push_back(std::move(bytes));
    rng.shuffle(std::span(way[n]));
    const size_t count = faults ? rng.below(way[n].size() + 1) : way[n].size();
    for (size_t i = 0; i < count; ++i) {
      Bytes bytes = way[n].back();
      if (!faults || !rng.chance(1, 4)) way[n].pop_back();  // or it stays, and comes again
      if (faults && rng.chance(1, 4)) continue;
      if (faults && rng.chance(1, 8)) bytes[rng.below(bytes.size())] ^= uint8_t(1 + rng.below(255));
      (void)nodes[n].take(now, std::move(bytes), faults && rng.chance(1, 8));
    }
    for (const int k : {0, 1}) {
      for (const ParcelId& id : nodes[k].custody) ASSERT_TRUE(nodes[1 - k].seen.count(id)) << "custody was given up of what did not arrive";
    }
    if (way[n].size() > 64) way[n].resize(64);
  };
  for (int i = 0; i < 60; ++i) step(true);
  for (int i = 0; i < 30; ++i) step(false);
  for (const int k : {0, 1}) {
    std::ranges::sort(sent[k]);
    std::ranges::sort(nodes[1 - k].got);
    ASSERT_EQ(nodes[1 - k].got, sent[k]);
    ASSERT_EQ(nodes[k].carry->in_custody(), 0u);
    ASSERT_TRUE(nodes[k].kept.empty() && nodes[k].expired.empty());
  }
}

TEST(CarryProperty, WhateverHappensOnTheWayEverythingArrivesOnce) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    carry_world(seed);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace selvedge::mesh
