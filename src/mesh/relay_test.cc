#include "mesh/relay.h"

#include <gtest/gtest.h>

#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;
using object::EndpointHandle;

constexpr Instant kStart = Instant::from_unix_seconds(1'800'000'000);
constexpr LinkId kOwner = 1, kClient = 2, kOther = 3;

EndpointHandle handle_named(const std::string& name) { return EndpointHandle::from(crypto::sha256(view(name))).value(); }

struct Rig {
  explicit Rig(RelayRates rates = {}) : relay(rates) {}
  uint8_t do_register(LinkId link, const std::string& name, uint64_t for_seconds = 600) {
    relay.on_register(now, link, "192.0.2.1:7", {++request, handle_named(name), for_seconds}, out);
    return last_error();
  }
  uint8_t open(LinkId link, const std::string& name, uint64_t circuit) {
    relay.on_open(now, link, "192.0.2.1:7", {++request, handle_named(name), circuit}, out);
    return last_error();
  }
  uint8_t last_error() {
    uint8_t error = 255;
    for (RelayEffect& effect : out.take()) {
      if (auto* sent = std::get_if<RelaySend>(&effect)) {
        const auto message = RelayMessages::decode(sent->message).value();
        if (const auto* ack = std::get_if<RelayAck>(&message)) {
          error = ack->error;
          EXPECT_EQ(ack->observed, "192.0.2.1:7") << "what a router made of its address";
        } else if (const auto* incoming = std::get_if<RelayIncoming>(&message)) arrived = {sent->link, incoming->circuit};
        else if (const auto* closed_one = std::get_if<RelayClose>(&message)) closed.push_back({sent->link, closed_one->circuit});
      } else if (auto* carried = std::get_if<RelayCarried>(&effect)) {
        accounts.push_back(*carried);
      }
    }
    return error;
  }
  /// What comes out at the other side: link, circuit, bytes; or nothing.
  std::optional<std::tuple<LinkId, uint64_t, size_t>> send(LinkId from, uint64_t circuit, size_t bytes) {
    const Bytes frame = make_relay_frame(circuit, 1200, Bytes(bytes, 7));
    relay.on_frame(now, from, parse_relay_frame(frame).value(), out);
    std::optional<std::tuple<LinkId, uint64_t, size_t>> result;
    for (RelayEffect& effect : out.take()) {
      const auto& forward = std::get<RelayForward>(effect);
      const RelayFrame parsed = parse_relay_frame(forward.frame).value();
      EXPECT_EQ(parsed.segment, 1200);
      result = {forward.link, parsed.circuit, parsed.packets.size()};
    }
    return result;
  }

  Relay relay;
  Relay::Out out;
  Instant now = kStart;
  uint64_t request = 0;
  std::pair<LinkId, uint64_t> arrived{0, 0};
  std::vector<std::pair<LinkId, uint64_t>> closed;
  std::vector<RelayCarried> accounts;
};

// req: C3
TEST(RelayTest, PassesPacketsBothWaysAndAccountsForThem) {
  Rig rig;
  EXPECT_EQ(rig.open(kClient, "home", 5), uint8_t(Errc::kNotFound));
  EXPECT_EQ(rig.do_register(kOwner, "home"), 0);
  EXPECT_EQ(rig.open(kClient, "home", 5), 0);
  ASSERT_EQ(rig.arrived.first, kOwner);
  const uint64_t there = rig.arrived.second;
  EXPECT_EQ(rig.send(kClient, 5, 3000), std::tuple(kOwner, there, size_t(3000)));
  EXPECT_EQ(rig.send(kOwner, there, 1000), std::tuple(kClient, uint64_t(5), size_t(1000)));
  EXPECT_FALSE(rig.send(kOther, 5, 10).has_value()) << "nobody else speaks on a circuit";
  EXPECT_FALSE(rig.send(kClient, 6, 10).has_value());
  rig.now = rig.now + seconds(3);
  rig.relay.on_close(rig.now, kClient, {5}, rig.out);
  rig.last_error();
  ASSERT_EQ(rig.accounts.size(), 1u);
  EXPECT_EQ(rig.accounts[0].bytes_to, 3000u);
  EXPECT_EQ(rig.accounts[0].bytes_from, 1000u);
  EXPECT_EQ(rig.accounts[0].lasted, seconds(3));
  EXPECT_EQ(rig.closed, (std::vector<std::pair<LinkId, uint64_t>>{{kOwner, there}}));
  EXPECT_FALSE(rig.send(kOwner, there, 10).has_value());
}

// req: C3, C11
TEST(RelayTest, EachCircuitAndAllTogetherKeepTheirRate) {
  RelayRates rates;
  rates.circuit_kbps = 8192;  // 1 MiB a second
  rates.all_kbps = 8192 * 3;
  Rig rig(rates);
  rig.do_register(kOwner, "home");
  for (uint64_t c = 1; c <= 4; ++c) EXPECT_EQ(rig.open(kClient, "home", c), 0);
  std::map<uint64_t, uint64_t> through;
  for (int ms = 0; ms < 4000; ++ms) {
    rig.now = rig.now + milliseconds(1);
    for (uint64_t c = 1; c <= 4; ++c) {
      if (c > 1 && ms < 2000) continue;  // first one alone, then four
      for (int n = 0; n < 4; ++n) through[ms < 2000 ? 0 : c] += rig.send(kClient, c, 1024).has_value() ? 1024 : 0;
    }
  }
  EXPECT_NEAR(double(through[0]), 2.0 * (1 << 20), 0.15 * (1 << 20));
  const double all = double(through[1] + through[2] + through[3] + through[4]);
  EXPECT_NEAR(all, 6.0 * (1 << 20), 0.6 * (1 << 20));
  rig.relay.on_link_closed(rig.now, kClient, rig.out);
  rig.last_error();
  EXPECT_GT(rig.accounts.at(0).bytes_dropped, 0u);
}

TEST(RelayTest, AHandleIsItsOwnersAndEndsWithTheLink) {
  Rig rig;
  EXPECT_EQ(rig.do_register(kOwner, "home", 60), 0);
  EXPECT_EQ(rig.do_register(kOther, "home"), uint8_t(Errc::kExists));
  EXPECT_EQ(rig.do_register(kOwner, "home", 60), 0) << "again, to keep it";
  EXPECT_EQ(rig.do_register(kOwner, "home", kRelayHandleSecondsMax + 1), uint8_t(Errc::kInvalid));
  rig.now = rig.now + seconds(61);
  EXPECT_EQ(rig.open(kClient, "home", 1), uint8_t(Errc::kNotFound));
  EXPECT_EQ(rig.do_register(kOther, "home"), 0) << "it had expired";
  EXPECT_EQ(rig.open(kClient, "home", 1), 0);
  EXPECT_EQ(rig.open(kClient, "home", 1), uint8_t(Errc::kExists));
  rig.relay.on_link_closed(rig.now, kOther, rig.out);
  rig.last_error();
  EXPECT_EQ(rig.closed, (std::vector<std::pair<LinkId, uint64_t>>{{kClient, 1}}));
  EXPECT_EQ(rig.open(kClient, "home", 2), uint8_t(Errc::kNotFound));
}

TEST(RelayTest, NobodyTakesMoreThanAShareOfItAndTheIdleGo) {
  Rig rig;
  size_t handles = 0;
  for (size_t i = 0; i < kRelayHandlesPerLinkMax + 5; ++i) handles += rig.do_register(kOwner, "h" + std::to_string(i)) == 0;
  EXPECT_EQ(handles, kRelayHandlesPerLinkMax);
  EXPECT_EQ(rig.do_register(kOther, "other"), 0);
  size_t circuits = 0;
  for (size_t i = 0; i < kRelayCircuitsPerLinkMax + 5; ++i) circuits += rig.open(kClient, "h0", i + 1) == 0;
  EXPECT_EQ(circuits, kRelayCircuitsPerLinkMax);
  rig.now = rig.now + kRelayIdleMax - seconds(1);
  rig.send(kClient, 1, 100);
  rig.now = rig.now + seconds(20);
  rig.relay.on_deadline(rig.now, rig.out);
  rig.last_error();
  EXPECT_EQ(rig.relay.circuits(), 1u);
}

// req: C3
TEST(RelayTest, IsDrainedWhenItStops) {
  Rig rig;
  rig.do_register(kOwner, "home");
  rig.open(kClient, "home", 5);
  rig.send(kClient, 5, 500);
  rig.relay.drain(rig.now, rig.out);
  rig.last_error();
  EXPECT_EQ(rig.accounts.size(), 1u);
  EXPECT_EQ(rig.closed.size(), 2u);
  EXPECT_EQ(rig.do_register(kOwner, "home"), uint8_t(Errc::kUnavailable));
}

TEST(RelayTest, FramesThatMakeNoSenseAreRefused) {
  const Bytes good = make_relay_frame(3, 1200, Bytes(10, 1));
  EXPECT_TRUE(parse_relay_frame(good).ok());
  for (size_t cut = 0; cut <= kRelayFrameHeaderBytes; ++cut) EXPECT_FALSE(parse_relay_frame(ByteView(good).first(cut)).ok());
  EXPECT_FALSE(parse_relay_frame(make_relay_frame(3, 0, Bytes(10, 1))).ok());
  EXPECT_FALSE(parse_relay_frame(make_relay_frame(3, 1200, Bytes(kRelayPacketsMax + 1, 1))).ok());
}

}  // namespace
}  // namespace selvedge::mesh
