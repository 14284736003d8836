// Two connections handed each other's packets in memory, under a clock of the test's own; one of them may misbehave
// below the level at which an endpoint can.
#include "host/quic/connection.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "host/quic/udp_socket.h"

namespace selvedge::host {

struct ConnectionPeek {
  static ngtcp2_conn* conn(Connection& c) { return c.conn_; }
};

namespace {

struct Host final : ConnectionHost {
  Host() : secret(crypto::Secret<32>()) {}
  void add_route(const ngtcp2_cid&, uint64_t) override { ++routes; }
  void remove_route(const ngtcp2_cid&) override { --routes; }
  void add_reset_token(const ResetToken&, uint64_t) override { ++tokens; }
  void remove_reset_token(const ResetToken&) override { --tokens; }
  const crypto::Secret<32>& reset_secret() const override { return secret; }
  crypto::Secret<32> secret;
  int routes = 0, tokens = 0;
};

struct Party {
  explicit Party(uint8_t node, const std::string& at) : address(SocketAddress::parse(at).value()) {
    config.node_seed.mutable_view()[0] = node;
    identity = TlsIdentity::create(config.node_seed, config.protocol, config.key_use).value();
    shared = std::make_unique<Connection::Shared>(Connection::Shared{config, *identity, host});
  }
  QuicConfig config;
  Host host;
  std::unique_ptr<TlsIdentity> identity;
  std::unique_ptr<Connection::Shared> shared;
  SocketAddress address;
  SocketAddress seen_as = address;  // to the other side; a NAT may change it
  std::unique_ptr<Connection> connection;
};

class Pair : public ::testing::Test {
 protected:
  Pair() : a_("192.0.2.1:1000", 1), b_("192.0.2.2:2000", 2) {}

  struct At : Party {
    At(const char* at, uint8_t node) : Party(node, at) {}
  };

  // Carries packets both ways until neither side has any; `drop` of 100 are lost.
  void carry(uint64_t drop = 0) {
    for (int round = 0; round < 200; ++round) {
      now_ = now_ + microseconds(50);
      const bool there = one_way(a_, b_, drop), back = one_way(b_, a_, drop);
      if (!there && !back) return;
    }
  }
  bool one_way(Party& from, Party& to, uint64_t drop) {
    if (!from.connection) return false;
    bool any = false;
    std::vector<uint8_t> buffer(UdpSocket::kBurstBytesMax);
    for (;;) {
      const Connection::Burst burst = from.connection->write(buffer, now_);
      if (burst.size == 0) return any;
      any = true;
      for (size_t at = 0; at < burst.size; at += burst.segment) {
        const ByteView packet = ByteView(buffer).subspan(at, std::min(burst.segment, burst.size - at));
        if (drop > 0 && rng_.below(100) < drop) continue;
        deliver(packet, from, to);
      }
    }
  }
  void deliver(ByteView packet, Party& from, Party& to) {
    if (!to.connection) {
      Connection::Incoming incoming;
      if (ngtcp2_accept(&incoming.header, packet.data(), packet.size()) != 0) return;
      to.connection = Connection::accept(*to.shared, 2, incoming, to.address, from.seen_as, now_).value();
    }
    to.connection->read(to.address, from.seen_as, packet, now_);
    if (to.connection->ended() && !to.connection->close_packet().empty()) {
      from.connection->read(from.address, to.address, to.connection->close_packet(), now_);
    }
  }
  // Lets time pass to the next timer of either side.
  void wait() {
    now_ =
        std::max(now_, std::min(a_.connection->expiry(), b_.connection ? b_.connection->expiry() : Instant::never()));
    a_.connection->on_expiry(now_);
    if (b_.connection) b_.connection->on_expiry(now_);
  }
  void open(uint64_t drop = 0) {
    a_.connection = Connection::dial(*a_.shared, 1, b_.identity->key(), a_.address, b_.address, now_).value();
    for (int tries = 0; tries < 200; ++tries) {
      carry(drop);
      if (b_.connection && a_.connection->open() && b_.connection->open()) return;
      wait();
    }
    FAIL() << "the handshake did not finish";
  }
  ngtcp2_conn* raw() { return ConnectionPeek::conn(*a_.connection); }
  int64_t raw_stream() {
    int64_t id = -1;
    EXPECT_EQ(ngtcp2_conn_open_uni_stream(raw(), &id, nullptr), 0);
    return id;
  }
  void raw_write(int64_t stream, Bytes bytes, uint32_t flags = 0) {
    held_.push_back(std::move(bytes));
    uint8_t packet[1500];
    ngtcp2_ssize taken = 0;
    ngtcp2_path_storage used;
    ngtcp2_path_storage_zero(&used);
    const ngtcp2_ssize size =
        ngtcp2_conn_write_stream(raw(), &used.path, nullptr, packet, sizeof packet, &taken, flags, stream,
                                 held_.back().data(), held_.back().size(), ngtcp2_tstamp(now_.ns));
    ASSERT_GT(size, 0);
    deliver(ByteView(packet, size_t(size)), a_, b_);
  }
  void expect_refused(const char* part) {
    ASSERT_TRUE(b_.connection->ended().has_value());
    EXPECT_EQ(b_.connection->ended()->code, Errc::kInvalid);
    EXPECT_NE(b_.connection->ended()->message.find(part), std::string::npos) << b_.connection->ended()->message;
    EXPECT_FALSE(b_.connection->close_packet().empty());
    ASSERT_TRUE(a_.connection->ended().has_value()) << "the peer is told";
    EXPECT_EQ(a_.connection->ended()->code, Errc::kInvalid);
  }

  Instant now_ = Instant::from_unix_seconds(1'700'000'000);
  Rng rng_{5};
  At a_, b_;
  std::deque<Bytes> held_;
};

TEST_F(Pair, ChannelOpenedTwiceIsRefused) {
  open();
  raw_write(raw_stream(), {0, 0, 0, 0, 1, 42});
  ASSERT_FALSE(b_.connection->ended().has_value());
  EXPECT_EQ(b_.connection->take_message(Channel::kControl), Bytes{42});
  raw_write(raw_stream(), {0, 0, 0, 0, 1, 43});
  expect_refused("twice");
}

TEST_F(Pair, UnknownChannelIsRefused) {
  open();
  raw_write(raw_stream(), {2, 0, 0, 0, 1, 42});
  expect_refused("unknown channel");
}

TEST_F(Pair, EndedChannelIsRefused) {
  open();
  raw_write(raw_stream(), {1, 0, 0, 0, 1, 42}, NGTCP2_WRITE_STREAM_FLAG_FIN);
  expect_refused("ended a channel");
}

TEST_F(Pair, AbandonedChannelIsRefused) {
  open();
  const int64_t stream = raw_stream();
  raw_write(stream, {1, 0, 0, 0, 9, 42});
  ASSERT_EQ(ngtcp2_conn_shutdown_stream_write(raw(), 0, stream, 7), 0);
  carry();
  expect_refused("abandoned");
}

TEST_F(Pair, ChannelThatIsNoLongerReadIsRefused) {
  open();
  ASSERT_TRUE(b_.connection->send(Channel::kBulk, Bytes{1}).ok());
  carry();
  ASSERT_EQ(ngtcp2_conn_shutdown_stream_read(raw(), 0, 3, 7), 0);
  carry();
  ASSERT_TRUE(b_.connection->send(Channel::kBulk, Bytes{2}).ok());
  carry();
  ASSERT_TRUE(b_.connection->ended().has_value());
  EXPECT_EQ(b_.connection->ended()->code, Errc::kInvalid);
}

TEST_F(Pair, ThirdStreamAndBidirectionalStreamAreNotAllowed) {
  open();
  raw_stream();
  raw_stream();
  int64_t id = -1;
  EXPECT_EQ(ngtcp2_conn_open_uni_stream(raw(), &id, nullptr), NGTCP2_ERR_STREAM_ID_BLOCKED);
  EXPECT_EQ(ngtcp2_conn_open_bidi_stream(raw(), &id, nullptr), NGTCP2_ERR_STREAM_ID_BLOCKED);
}

TEST_F(Pair, FlippedBitsOnTheWireChangeNothing) {
  open();
  std::vector<uint8_t> buffer(UdpSocket::kBurstBytesMax);
  ASSERT_TRUE(a_.connection->send(Channel::kControl, Bytes(500, 7)).ok());
  const Connection::Burst burst = a_.connection->write(buffer, now_);
  ASSERT_GT(burst.size, 500u);
  for (int i = 0; i < 500; ++i) {
    Bytes packet(buffer.begin(), buffer.begin() + ptrdiff_t(burst.segment));
    packet[rng_.below(packet.size())] ^= uint8_t(1 + rng_.below(255));
    b_.connection->read(b_.address, a_.address, packet, now_);
    ASSERT_FALSE(b_.connection->ended().has_value());
    EXPECT_FALSE(b_.connection->take_message(Channel::kControl).has_value());
  }
  for (int i = 0; i < 3; ++i) b_.connection->read(b_.address, a_.address, ByteView(buffer).first(burst.size), now_);
  EXPECT_EQ(b_.connection->take_message(Channel::kControl), Bytes(500, 7));
  EXPECT_FALSE(b_.connection->take_message(Channel::kControl).has_value()) << "a replayed packet delivers nothing";
}

TEST_F(Pair, EverythingArrivesOnceThroughHeavyLoss) {
  open(20);
  std::vector<Bytes> sent, got;
  for (size_t i = 0; i < 60; ++i) {
    sent.push_back(Bytes(1 + rng_.below(20'000), uint8_t(i)));
    ASSERT_TRUE(a_.connection->send(Channel::kBulk, sent.back()).ok());
  }
  for (int tries = 0; tries < 3000 && got.size() < sent.size(); ++tries) {
    carry(20);
    while (auto message = b_.connection->take_message(Channel::kBulk)) got.push_back(std::move(*message));
    b_.connection->return_credit();
    ASSERT_FALSE(a_.connection->ended().has_value()) << a_.connection->ended()->message;
    if (got.size() < sent.size()) wait();
  }
  EXPECT_EQ(got, sent);
  for (int tries = 0; tries < 100 && a_.connection->stats().bytes_queued > 0; ++tries) {
    wait();
    carry();
  }
  EXPECT_EQ(a_.connection->stats().bytes_queued, 0u) << "what is acknowledged is forgotten";
}

TEST_F(Pair, ControlGoesFirstInEveryPacket) {
  open();
  ASSERT_TRUE(a_.connection->send(Channel::kBulk, Bytes(200'000, 1)).ok());
  ASSERT_TRUE(a_.connection->send(Channel::kControl, Bytes(3000, 2)).ok());
  std::vector<uint8_t> buffer(UdpSocket::kBurstBytesMax);
  const Connection::Burst burst = a_.connection->write(buffer, now_);
  ASSERT_LT(burst.size, 100'000u) << "the congestion window is still small";
  for (size_t at = 0; at < burst.size; at += burst.segment) {
    deliver(ByteView(buffer).subspan(at, std::min(burst.segment, burst.size - at)), a_, b_);
  }
  EXPECT_EQ(b_.connection->take_message(Channel::kControl), Bytes(3000, 2));
}

// req: C1
TEST_F(Pair, PeerWhoseAddressChangesIsFollowed) {
  open();
  carry();
  a_.seen_as = SocketAddress::parse("192.0.2.99:7777").value();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(a_.connection->send(Channel::kControl, Bytes{uint8_t(i)}).ok());
    carry();
    wait();
    carry();
  }
  EXPECT_EQ(b_.connection->remote().text(), "192.0.2.99:7777");
  for (uint8_t i = 0; i < 3; ++i) EXPECT_EQ(b_.connection->take_message(Channel::kControl), Bytes{i});
  ASSERT_TRUE(b_.connection->send(Channel::kControl, Bytes{9}).ok());
  carry();
  EXPECT_EQ(a_.connection->take_message(Channel::kControl), Bytes{9});
}

TEST_F(Pair, SilenceEndsTheConnection) {
  a_.config.keep_alive = {};
  b_.config.keep_alive = {};
  open();
  const Instant start = now_;
  for (int tries = 0; tries < 1000 && !a_.connection->ended(); ++tries) {
    now_ = std::max(now_, a_.connection->expiry());
    a_.connection->on_expiry(now_);
    std::vector<uint8_t> buffer(UdpSocket::kBurstBytesMax);
    while (a_.connection->write(buffer, now_).size > 0) {
    }
  }
  ASSERT_TRUE(a_.connection->ended().has_value());
  EXPECT_EQ(a_.connection->ended()->code, Errc::kTimeout);
  EXPECT_TRUE(a_.connection->close_packet().empty()) << "nobody is there to be told";
  EXPECT_GT((now_ - start).ns, (a_.config.idle_timeout - milliseconds(1)).ns)
      << "since the last packet, just before start";
}

TEST_F(Pair, ResetTokensAreGivenBack) {
  open();
  EXPECT_GT(a_.host.tokens, 0);
  a_.connection.reset();
  EXPECT_EQ(a_.host.tokens, 0);
}

TEST(OutStreamTest, BytesComeOutInOrderAndAreForgottenWhenAcknowledged) {
  Rng rng(9);
  for (int round = 0; round < 200; ++round) {
    OutStream out(1);
    Bytes expected{1}, seen;
    uint64_t acknowledged = 0;
    for (int step = 0; step < 60; ++step) {
      if (rng.chance(1, 2)) {
        Bytes message(rng.chance(1, 4) ? rng.between(900, 5000) : rng.between(1, 40), uint8_t(step));
        append_u32(expected, uint32_t(message.size()));
        append(expected, message);
        out.push(std::move(message));
      } else if (out.pending()) {
        ngtcp2_vec vectors[OutStream::kVectorsMax];
        const size_t want = rng.between(1, 3000);
        const size_t count = out.gather(vectors, want);
        size_t available = 0;
        for (size_t i = 0; i < count; ++i) available += vectors[i].len;
        const size_t take = rng.between(1, std::min(available, want));
        size_t left = take;
        for (size_t i = 0; i < count && left > 0; ++i) {
          const size_t n = std::min(left, vectors[i].len);
          append(seen, ByteView(vectors[i].base, n));
          left -= n;
        }
        out.advance(take);
      }
      if (rng.chance(1, 3)) {
        acknowledged = rng.between(acknowledged, seen.size());
        out.acknowledge(acknowledged);
      }
    }
    while (out.pending()) {
      ngtcp2_vec vectors[OutStream::kVectorsMax];
      ASSERT_GT(out.gather(vectors, 1), 0u);
      append(seen, ByteView(vectors[0].base, vectors[0].len));
      out.advance(vectors[0].len);
    }
    if (expected.size() == 1) continue;  // nothing was ever pushed
    ASSERT_EQ(seen, expected);
    out.acknowledge(seen.size());
    EXPECT_EQ(out.queued(), 0u);
  }
}

}  // namespace
}  // namespace selvedge::host
