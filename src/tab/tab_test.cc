#include "tab/tab.h"

#include <gtest/gtest.h>

namespace selvedge::tab {
namespace {

crypto::Seed seed_of(uint8_t fill) { return crypto::Seed::from(Bytes(32, fill)).value(); }
constexpr Instant kNow = Instant::from_unix_seconds(1'800'000'000);

// A browser around a tab: it signs what the visitor agreed to, unless a test says otherwise, and keeps what it was told.
struct Browser {
  explicit Browser(bool signs_in = true) : signs(signs_in) {
    Tab::Out out;
    tab = std::make_unique<Tab>(kNow, seed_of(7), visitor.public_key(), "test", out);
    take(out);
  }
  void take(Tab::Out& out) {
    for (TabEffect& effect : out.take()) {
      const auto* sign = std::get_if<SignThis>(&effect);
      if (sign != nullptr && signs) {
        Tab::Out more;
        EXPECT_TRUE(tab->on_signed(kNow, sign->number, visitor.sign(sign->message), more).ok());
        take(more);
      } else {
        told.push_back(std::move(effect));
      }
    }
  }
  template <class T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const TabEffect& effect : told) {
      if (const T* one = std::get_if<T>(&effect)) out.push_back(*one);
    }
    return out;
  }
  std::string leases() {
    Tab::Out out;
    tab->on_request(kNow, ++last_request, node::LeaseListRequest{}, out);
    take(out);
    return all<Reply>().back().json;
  }
  Status lend(const crypto::PublicKey& origin) {
    Tab::Out out;
    const Status lent = tab->lend(kNow, {origin, 300, 64u << 20, 3600, 800, {}}, out);
    take(out);
    return lent;
  }

  crypto::Ed25519Signer visitor{seed_of(1)};
  bool signs;
  std::unique_ptr<Tab> tab;
  std::vector<TabEffect> told;
  uint64_t last_request = 0;
};

TEST(Tab, NothingStartsWithoutTheVisitorsSignature) {
  Browser browser(false);
  EXPECT_FALSE(browser.tab->started());
  ASSERT_EQ(browser.all<SignThis>().size(), 1u);
  const SignThis asked = browser.all<SignThis>()[0];
  Tab::Out out;
  EXPECT_EQ(browser.tab->on_open(kNow, 1, browser.tab->key(), out).code(), Errc::kUnavailable);
  EXPECT_EQ(browser.tab->lend(kNow, {}, out).code(), Errc::kUnavailable);
  const crypto::Ed25519Signer another(seed_of(2));
  EXPECT_EQ(browser.tab->on_signed(kNow, asked.number, another.sign(asked.message), out).code(), Errc::kUnauthorized);
  EXPECT_EQ(browser.tab->on_signed(kNow, asked.number, browser.visitor.sign(asked.message), out).code(), Errc::kNotFound) << "it was asked for once";
  EXPECT_FALSE(browser.tab->started());
  Browser honest;
  EXPECT_TRUE(honest.tab->started());
}

// req: G2
TEST(Tab, LendsWhatItsVisitorSignedAndNoMore) {
  Browser browser;
  const crypto::Ed25519Signer site(seed_of(3));
  EXPECT_EQ(browser.leases().find("\"state\""), std::string::npos) << browser.leases();
  ASSERT_TRUE(browser.lend(site.public_key()).ok());
  EXPECT_NE(browser.leases().find("active"), std::string::npos) << browser.leases();
  EXPECT_NE(browser.leases().find("\"network_kbps\":800"), std::string::npos) << browser.leases();

  Tab::Out out;
  EXPECT_EQ(browser.tab->take_back(kNow, crypto::Ed25519Signer(seed_of(4)).public_key(), out).code(), Errc::kNotFound);
  ASSERT_TRUE(browser.tab->take_back(kNow, site.public_key(), out).ok());
  browser.take(out);
  EXPECT_EQ(browser.leases().find("active"), std::string::npos) << browser.leases();
  ASSERT_EQ(browser.all<StopPrograms>().size(), 1u) << "whatever ran under it is stopped";
}

TEST(Tab, WhatIsLentCanRest) {
  Browser browser;
  const crypto::Ed25519Signer site(seed_of(3));
  Tab::Out out;
  EXPECT_EQ(browser.tab->hold(kNow, site.public_key(), true, out).code(), Errc::kNotFound);
  ASSERT_TRUE(browser.lend(site.public_key()).ok());
  ASSERT_TRUE(browser.tab->hold(kNow, site.public_key(), true, out).ok());
  browser.take(out);
  EXPECT_NE(browser.leases().find("paused"), std::string::npos) << browser.leases();
  ASSERT_TRUE(browser.tab->hold(kNow, site.public_key(), false, out).ok());
  browser.take(out);
  EXPECT_NE(browser.leases().find("active"), std::string::npos) << browser.leases();
}

TEST(Tab, AConnectionHasToProveTheKeyThatWasMeant) {
  Browser browser;
  const crypto::Ed25519Signer meant(seed_of(5)), other(seed_of(6));
  Tab::Out out;
  ASSERT_TRUE(browser.tab->on_open(kNow, 1, meant.public_key(), out).ok());
  browser.take(out);
  ASSERT_EQ(browser.all<SendPacket>().size(), 1u);
  mesh::SecureChannel impostor(mesh::ChannelSide::kAcceptor, other, {}, crypto::Drbg(seed_of(9)));
  mesh::SecureChannel::Out packets;
  impostor.start(packets);
  impostor.on_record(browser.all<SendPacket>()[0].packet, packets);
  for (mesh::ChannelEffect& effect : packets.take()) {
    if (auto* record = std::get_if<mesh::SendRecord>(&effect)) browser.tab->on_packet(kNow, 1, std::move(record->record), out);
  }
  browser.take(out);
  ASSERT_EQ(browser.all<ClosePage>().size(), 1u);
  EXPECT_EQ(browser.all<SendPacket>().size(), 1u) << "the tab's own key is not shown to who is not meant";
}

TEST(Tab, WhoAsksASiteThatIsNotThereHearsOfItAtOnce) {
  Browser browser;
  Tab::Out out;
  node::JobAsk ask;
  ask.request = 7;
  ask.program = "stats";
  browser.tab->ask_job(kNow, crypto::Ed25519Signer(seed_of(5)).public_key(), ask, out);
  browser.take(out);
  ASSERT_EQ(browser.all<JobHeard>().size(), 1u);
  EXPECT_EQ(browser.all<JobHeard>()[0].request, 7u);
  EXPECT_TRUE(browser.all<JobHeard>()[0].told.empty());
  browser.tab->drop_job(kNow, crypto::Ed25519Signer(seed_of(5)).public_key(), 7, out);   // nothing is there to be dropped
  EXPECT_EQ(browser.all<JobHeard>().size(), 1u);
}

TEST(Tab, DoesNotPretendToDoWhatABrowserCannot) {
  Browser browser;
  Tab::Out out;
  browser.tab->on_request(kNow, 9, node::DashOpenRequest{}, out);
  browser.take(out);
  ASSERT_FALSE(browser.all<Reply>().empty());
  EXPECT_FALSE(browser.all<Reply>().back().ok);
  EXPECT_NE(browser.all<Reply>().back().json.find("selvedge up"), std::string::npos);
}

}  // namespace
}  // namespace selvedge::tab
