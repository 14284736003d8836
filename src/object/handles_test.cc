// Handles: worth something to whom they were made for, as long as what they stand for stands, and to nobody else.
#include "object/handles.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "object/test_world.h"

namespace selvedge::object {
namespace {

using testing::kNow;
using testing::now;
using testing::seed_of;

struct HandleWorld : testing::World {
  RevocationSet revocations{host_owner.public_key()};
  HandleTable table{crypto::Drbg(seed_of("handles"))};

  static ObjectId lease_of(std::string_view name) { return object_id({}, {}, view(name)); }
  HandleScope scope(std::string_view lease = "lease", uint64_t domain = 1) const { return {origin.public_key(), lease_of(lease), domain}; }
  Authorization authorization(std::string_view lease = "lease", uint64_t expires = kNow + 600) const {
    Authorization out;
    out.grant = lease_of(lease);
    out.chain = {out.grant};
    out.expires = expires;
    out.generation = revocations.generation();
    return out;
  }
};

// req: D2
TEST(Handles, StandForTheirAuthorizationWithinTheirScope) {
  HandleWorld w;
  const Handle handle = w.table.issue(w.scope(), w.authorization(), now()).value();
  EXPECT_EQ(w.table.resolve(handle, w.scope(), w.revocations, now())->grant, HandleWorld::lease_of("lease"));
  HandleScope other = w.scope();
  other.origin = w.stranger.public_key();
  EXPECT_EQ(w.table.resolve(handle, other, w.revocations, now()).code(), Errc::kUnauthorized) << "another origin";
  EXPECT_EQ(w.table.resolve(handle, w.scope("other lease"), w.revocations, now()).code(), Errc::kUnauthorized) << "another lease";
  EXPECT_EQ(w.table.resolve(handle, w.scope("lease", 2), w.revocations, now()).code(), Errc::kUnauthorized) << "another domain";
  HandleTable elsewhere(crypto::Drbg(seed_of("another node")));
  EXPECT_EQ(elsewhere.resolve(handle, w.scope(), w.revocations, now()).code(), Errc::kUnauthorized) << "another node";
}

// req: D2
TEST(Handles, GuessedAndAlteredOnesStandForNothing) {
  HandleWorld w;
  const Handle handle = w.table.issue(w.scope(), w.authorization(), now()).value();
  EXPECT_EQ(w.table.resolve(Handle{}, w.scope(), w.revocations, now()).code(), Errc::kUnauthorized);
  for (size_t bit = 0; bit < 128; ++bit) {
    Handle bad = handle;
    bad.bytes[bit / 8] ^= uint8_t(1u << (bit % 8));
    EXPECT_EQ(w.table.resolve(bad, w.scope(), w.revocations, now()).code(), Errc::kUnauthorized) << bit;
    EXPECT_FALSE(w.table.drop(bad));
    EXPECT_EQ(w.table.renew(bad, w.scope(), w.authorization()).code(), Errc::kUnauthorized);
  }
  crypto::Drbg guesses(seed_of("guesses"));
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(w.table.resolve(guesses.draw<Handle>(), w.scope(), w.revocations, now()).ok());
  EXPECT_TRUE(w.table.resolve(handle, w.scope(), w.revocations, now()).ok());
}

TEST(Handles, NoAnswerTellsWhetherAHandleExists) {
  HandleWorld w;
  const Handle handle = w.table.issue(w.scope(), w.authorization("lease", kNow + 1), now()).value();
  const auto message = [&](const Handle& h, const HandleScope& s, Instant at) { return w.table.resolve(h, s, w.revocations, at).error().message; };
  EXPECT_EQ(message(handle, w.scope("other lease"), now()), message(Handle{}, w.scope(), now()));
  EXPECT_EQ(message(handle, w.scope("other lease"), now() + seconds(10)), message(Handle{}, w.scope(), now())) << "not even that it has expired";
}

// req: D2, A11
TEST(Handles, EndWithTimeRevocationLeaseAndDomain) {
  HandleWorld w;
  const Handle handle = w.table.issue(w.scope(), w.authorization(), now()).value();
  EXPECT_EQ(w.table.resolve(handle, w.scope(), w.revocations, now() + seconds(600)).code(), Errc::kExpired);
  EXPECT_EQ(w.table.issue(w.scope(), w.authorization("lease", kNow), now()).code(), Errc::kExpired);

  ASSERT_TRUE(w.revocations.add(sign_object(w.host_owner, w.revocation(w.host_owner, RevocationTarget::kCapability, HandleWorld::lease_of("lease"))).value()).ok());
  EXPECT_EQ(w.table.resolve(handle, w.scope(), w.revocations, now()).code(), Errc::kRevoked) << "decided before the revocation";
  EXPECT_TRUE(w.table.renew(handle, w.scope(), w.authorization()).ok());
  EXPECT_TRUE(w.table.resolve(handle, w.scope(), w.revocations, now()).ok()) << "decided again after it";

  const Handle second = w.table.issue(w.scope("lease", 2), w.authorization(), now()).value();
  const Handle third = w.table.issue(w.scope("third", 3), w.authorization("third"), now()).value();
  EXPECT_EQ(w.table.drop_domain(2), 1u);
  EXPECT_FALSE(w.table.resolve(second, w.scope("lease", 2), w.revocations, now()).ok());
  EXPECT_EQ(w.table.drop_lease(HandleWorld::lease_of("lease")), 1u);
  EXPECT_FALSE(w.table.resolve(handle, w.scope(), w.revocations, now()).ok());
  EXPECT_TRUE(w.table.resolve(third, w.scope("third", 3), w.revocations, now()).ok());
  EXPECT_TRUE(w.table.drop(third));
  EXPECT_FALSE(w.table.drop(third));
  EXPECT_EQ(w.table.size(), 0u);
}

TEST(Handles, AreBoundedInAllAndPerOrigin) {
  HandleWorld w;
  size_t issued = 0;
  while (w.table.issue(w.scope(), w.authorization(), now()).ok()) ++issued;
  EXPECT_EQ(issued, kHandlesPerOriginMax);
  for (uint8_t origin = 1; w.table.size() < kHandlesMax; ++origin) {
    HandleScope scope = w.scope();
    scope.origin.bytes.fill(origin);
    for (size_t i = 0; i < kHandlesPerOriginMax; ++i) ASSERT_TRUE(w.table.issue(scope, w.authorization(), now()).ok());
  }
  HandleScope one_more = w.scope();
  one_more.origin.bytes.fill(0xee);
  EXPECT_EQ(w.table.issue(one_more, w.authorization(), now()).code(), Errc::kLimit);
  EXPECT_TRUE(w.table.issue(one_more, w.authorization("lease", kNow + 9999), now() + seconds(600)).ok()) << "expired ones make room";
  EXPECT_EQ(w.table.size(), 1u);
}

/// The table against a plain list of what was issued, under any sequence of steps.
RC_GTEST_PROP(Handles, AgreeWithAPlainList, (std::vector<std::tuple<uint8_t, uint8_t, uint8_t>> steps)) {
  HandleWorld w;
  struct Known {
    Handle handle;
    HandleScope scope;
    uint64_t expires;
  };
  std::vector<Known> known;
  std::set<Handle> ever;
  uint64_t at = kNow;
  for (const auto& [step, a, b] : steps) {
    const HandleScope scope = w.scope(a % 2 ? "one" : "two", b % 3);
    const Instant here = Instant::from_unix_seconds(at);
    if (step % 5 == 0) {
      const Handle handle = w.table.issue(scope, w.authorization("x", at + 1 + a), here).value();
      RC_ASSERT(ever.insert(handle).second);
      known.push_back({handle, scope, at + 1 + a});
    } else if (step % 5 == 1) {
      w.table.drop_lease(scope.lease);
      std::erase_if(known, [&](const Known& k) { return k.scope.lease == scope.lease; });
    } else if (step % 5 == 2) {
      w.table.drop_domain(scope.domain);
      std::erase_if(known, [&](const Known& k) { return k.scope.domain == scope.domain; });
    } else if (step % 5 == 3) {
      at += a;
    }
    for (const Handle& handle : ever) {
      bool stands = false;
      for (const Known& k : known) stands = stands || (k.handle == handle && k.scope == scope && k.expires > at);
      RC_ASSERT(w.table.resolve(handle, scope, w.revocations, Instant::from_unix_seconds(at)).ok() == stands);
    }
  }
}

}  // namespace
}  // namespace selvedge::object
