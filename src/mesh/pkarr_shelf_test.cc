#include "mesh/pkarr_shelf.h"

#include <gtest/gtest.h>

#include "codec/pkarr.h"
#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

constexpr uint64_t kNow = 1'790'000'000;

struct ShelfRig {
  static crypto::Ed25519Signer signer(const std::string& name) { return crypto::Ed25519Signer(crypto::Seed::from(crypto::sha256(view(name))).value()); }
  static Bytes packet(const crypto::Signer& by, uint64_t micros, const std::string& address = "192.0.2.1:1", uint32_t ttl = 900) {
    return codec::sign_node_hints(by, micros, {kNow + 3600, {address}}, ttl).value().payload();
  }
  crypto::Ed25519Verifier verifier;
  PkarrShelf shelf{verifier};
  Instant now = Instant::from_unix_seconds(kNow);
  crypto::Ed25519Signer ada = signer("ada"), ben = signer("ben");
};

// req: C5
TEST(PkarrShelf, KeepsTheLatestThatTheKeyItselfSigned) {
  ShelfRig rig;
  const crypto::PublicKey ada = rig.ada.public_key();
  const Bytes first = rig.packet(rig.ada, 10), second = rig.packet(rig.ada, 20, "192.0.2.2:2", 60), twin = rig.packet(rig.ada, 20, "192.0.2.9:9");
  EXPECT_EQ(rig.shelf.get(rig.now, ada), nullptr);
  EXPECT_TRUE(rig.shelf.put(rig.now, ada, first).ok());
  EXPECT_EQ(rig.shelf.get(rig.now, ada)->ttl, 900u);
  EXPECT_TRUE(rig.shelf.put(rig.now, ada, second).ok());
  EXPECT_TRUE(rig.shelf.put(rig.now, ada, second).ok());       // told again
  EXPECT_EQ(rig.shelf.put(rig.now, ada, first).code(), Errc::kExists);
  EXPECT_EQ(rig.shelf.put(rig.now, ada, twin).code(), Errc::kExists);
  EXPECT_EQ(rig.shelf.get(rig.now, ada)->payload, second);
  EXPECT_EQ(rig.shelf.get(rig.now, ada)->ttl, kShelfTtlMin);
  EXPECT_EQ(rig.shelf.put(rig.now, rig.ben.public_key(), second).code(), Errc::kIntegrity);
  EXPECT_EQ(rig.shelf.put(rig.now, ada, Bytes(20)).code(), Errc::kInvalid);
  EXPECT_EQ(rig.shelf.size(), 1u);
}

// req: C5
TEST(PkarrShelf, ForgetsWhatNobodyRenewsAndTheOldestWhereThereIsNoRoom) {
  ShelfRig rig;
  EXPECT_TRUE(rig.shelf.put(rig.now, rig.ada.public_key(), rig.packet(rig.ada, 1)).ok());
  rig.now = rig.now + kShelfKeeps / 2;
  EXPECT_TRUE(rig.shelf.put(rig.now, rig.ben.public_key(), rig.packet(rig.ben, 1)).ok());
  rig.now = rig.now + kShelfKeeps / 2 + seconds(1);
  EXPECT_EQ(rig.shelf.get(rig.now, rig.ada.public_key()), nullptr);
  EXPECT_NE(rig.shelf.get(rig.now, rig.ben.public_key()), nullptr);

  ShelfRig full;
  std::vector<crypto::PublicKey> keys;
  for (size_t i = 0; i < 3; ++i) {
    const auto by = ShelfRig::signer("k" + std::to_string(i));
    keys.push_back(by.public_key());
    EXPECT_TRUE(full.shelf.put(full.now, keys.back(), full.packet(by, 1)).ok());
    full.now = full.now + seconds(1);
  }
  const auto first = ShelfRig::signer("k0");
  EXPECT_TRUE(full.shelf.put(full.now, keys[0], full.packet(first, 2)).ok());   // renewed: now the second is the oldest
  for (size_t i = 3; i <= kShelfKeysMax; ++i) {
    const auto by = ShelfRig::signer("k" + std::to_string(i));
    ASSERT_TRUE(full.shelf.put(full.now + seconds(1), by.public_key(), full.packet(by, 1)).ok());
  }
  EXPECT_EQ(full.shelf.size(), kShelfKeysMax);
  EXPECT_NE(full.shelf.get(full.now, keys[0]), nullptr);
  EXPECT_EQ(full.shelf.get(full.now, keys[1]), nullptr);
}

// req: C11
TEST(PkarrShelf, WhoAsksTooOftenWaitsAndHoldsNobodyElseUp) {
  ShelfRig rig;
  for (uint32_t i = 0; i < kShelfPutBurst; ++i) EXPECT_TRUE(rig.shelf.admit(rig.now, "192.0.2.1", true).ok());
  EXPECT_EQ(rig.shelf.admit(rig.now, "192.0.2.1", true).code(), Errc::kBusy);
  EXPECT_TRUE(rig.shelf.admit(rig.now, "192.0.2.1", false).ok());
  EXPECT_TRUE(rig.shelf.admit(rig.now, "192.0.2.2", true).ok());
  rig.now = rig.now + kShelfPutEvery;
  EXPECT_TRUE(rig.shelf.admit(rig.now, "192.0.2.1", true).ok());
  for (size_t i = 0; i < kShelfClientsMax * 2; ++i) (void)rig.shelf.admit(rig.now, "c" + std::to_string(i), true);
  EXPECT_EQ(rig.shelf.admit(rig.now, "late", true).code(), Errc::kBusy);
  EXPECT_TRUE(rig.shelf.admit(rig.now + seconds(60), "late", true).ok());
}

}  // namespace
}  // namespace selvedge::mesh
