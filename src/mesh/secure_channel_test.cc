#include "mesh/secure_channel.h"

#include <gtest/gtest.h>

namespace selvedge::mesh {
namespace {

crypto::Seed seed_of(uint8_t fill) { return crypto::Seed::from(Bytes(32, fill)).value(); }

// Two ends, and the packets between them.
struct Pair {
  explicit Pair(std::optional<crypto::PublicKey> expected = {}, uint8_t drawn = 3)
      : dialler(ChannelSide::kDialler, left, expected, crypto::Drbg(seed_of(drawn))), acceptor(ChannelSide::kAcceptor, right, {}, crypto::Drbg(seed_of(uint8_t(drawn + 1)))) {}

  void open() {
    SecureChannel::Out out;
    acceptor.start(out);
    dialler.start(out);
    take(out, true);
    settle();
  }
  void take(SecureChannel::Out& out, bool from_dialler) {
    for (ChannelEffect& effect : out.take()) {
      if (auto* record = std::get_if<SendRecord>(&effect)) (from_dialler ? to_acceptor : to_dialler).push_back(std::move(record->record));
      else (from_dialler ? at_dialler : at_acceptor).push_back(std::move(effect));
    }
  }
  void deliver(bool to_the_acceptor, Bytes record) {
    SecureChannel::Out out;
    (to_the_acceptor ? acceptor : dialler).on_record(std::move(record), out);
    take(out, !to_the_acceptor);
  }
  void settle() {
    while (!to_acceptor.empty() || !to_dialler.empty()) {
      for (Bytes& record : std::exchange(to_acceptor, {})) deliver(true, std::move(record));
      for (Bytes& record : std::exchange(to_dialler, {})) deliver(false, std::move(record));
    }
  }
  void say(bool dialler_speaks, bool bulk, Bytes message) {
    SecureChannel::Out out;
    ASSERT_TRUE((dialler_speaks ? dialler : acceptor).send(bulk, message, out).ok());
    take(out, dialler_speaks);
  }
  template <class T>
  static std::vector<T> all(const std::vector<ChannelEffect>& effects) {
    std::vector<T> out;
    for (const ChannelEffect& effect : effects) {
      if (const T* one = std::get_if<T>(&effect)) out.push_back(*one);
    }
    return out;
  }

  crypto::Ed25519Signer left{seed_of(1)}, right{seed_of(2)};
  SecureChannel dialler, acceptor;
  std::vector<Bytes> to_acceptor, to_dialler;
  std::vector<ChannelEffect> at_dialler, at_acceptor;
};

Bytes bytes_of(size_t size, uint8_t first) {
  Bytes out(size);
  for (size_t i = 0; i < size; ++i) out[i] = uint8_t(first + i);
  return out;
}

// req: C1
TEST(SecureChannel, BothSidesKnowTheOthersKey) {
  Pair pair;
  pair.open();
  ASSERT_EQ(Pair::all<ChannelOpened>(pair.at_dialler).size(), 1u);
  EXPECT_EQ(Pair::all<ChannelOpened>(pair.at_dialler)[0].peer, pair.right.public_key());
  ASSERT_EQ(Pair::all<ChannelOpened>(pair.at_acceptor).size(), 1u);
  EXPECT_EQ(Pair::all<ChannelOpened>(pair.at_acceptor)[0].peer, pair.left.public_key());
}

TEST(SecureChannel, MessagesArriveWholeAndInOrderAndAreAcknowledged) {
  Pair pair;
  pair.open();
  pair.say(true, false, bytes_of(5, 1));
  pair.say(true, true, bytes_of(700'000, 2));
  pair.say(true, false, bytes_of(1, 3));
  pair.say(false, true, bytes_of(kChannelMessageBytesMax, 4));
  pair.settle();
  const auto got = Pair::all<ChannelReceived>(pair.at_acceptor);
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].message, bytes_of(5, 1));
  EXPECT_TRUE(got[1].bulk);
  EXPECT_EQ(got[1].message, bytes_of(700'000, 2));
  EXPECT_FALSE(got[2].bulk);
  EXPECT_EQ(Pair::all<ChannelReceived>(pair.at_dialler)[0].message, bytes_of(kChannelMessageBytesMax, 4));
  const auto delivered = Pair::all<ChannelDelivered>(pair.at_dialler);
  ASSERT_EQ(delivered.size(), 3u);
  EXPECT_EQ(delivered[2].messages, 2u);
  EXPECT_FALSE(delivered[2].bulk);
  SecureChannel::Out out;
  EXPECT_EQ(pair.dialler.send(false, Bytes(kChannelMessageBytesMax + 1), out).code(), Errc::kInvalid);
  EXPECT_EQ(pair.dialler.send(false, {}, out).code(), Errc::kInvalid);
}

TEST(SecureChannel, TheDialledKeyAndNoOther) {
  const crypto::Ed25519Signer other(seed_of(9));
  Pair pair(other.public_key());
  pair.open();
  EXPECT_TRUE(Pair::all<ChannelOpened>(pair.at_dialler).empty());
  ASSERT_EQ(Pair::all<ChannelFailed>(pair.at_dialler).size(), 1u);
  EXPECT_EQ(Pair::all<ChannelFailed>(pair.at_dialler)[0].why.code, Errc::kUnauthorized);
  EXPECT_TRUE(Pair::all<ChannelOpened>(pair.at_acceptor).empty()) << "the dialler's key is shown only to whom it dialled";
}

// What arrives may be answered while its effects are carried out, and the answer's packet has a later number than the acknowledgement's.
TEST(SecureChannel, PacketsComeBeforeWhatMayBeAnswered) {
  Pair pair;
  pair.open();
  pair.say(true, false, bytes_of(10, 1));
  SecureChannel::Out out;
  pair.acceptor.on_record(pair.to_acceptor[0], out);
  const std::vector<ChannelEffect> effects = out.take();
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<SendRecord>(effects[0]));
  EXPECT_TRUE(std::holds_alternative<ChannelReceived>(effects[1]));
}

// Whoever is in between can end the channel, and nothing else: each bit of each packet counts, and none counts twice.
TEST(SecureChannel, ChangedPacketsEndIt) {
  for (size_t packet = 0; packet < 5; ++packet) {
    for (size_t at : {size_t(0), size_t(31), size_t(32), size_t(100), SIZE_MAX}) {
      Pair pair;
      SecureChannel::Out out;
      pair.acceptor.start(out);
      pair.dialler.start(out);
      pair.take(out, true);
      size_t seen = 0;
      bool spoke = false, changed = false;
      for (int turn = 0; turn < 8; ++turn) {
        for (const bool there : {true, false}) {
          for (Bytes& record : std::exchange(there ? pair.to_acceptor : pair.to_dialler, {})) {
            if (seen++ == packet) record[at == SIZE_MAX ? record.size() - 1 : at % record.size()] ^= 1, changed = true;
            pair.deliver(there, std::move(record));
          }
        }
        if (pair.dialler.open() && !spoke) spoke = true, pair.say(true, false, bytes_of(40, 1)), pair.say(true, true, bytes_of(40, 2));
      }
      if (!changed) continue;
      EXPECT_EQ(Pair::all<ChannelFailed>(pair.at_dialler).size() + Pair::all<ChannelFailed>(pair.at_acceptor).size(), 1u) << "packet " << packet << " at " << at;
      for (const ChannelReceived& got : Pair::all<ChannelReceived>(pair.at_acceptor)) EXPECT_EQ(got.message, bytes_of(40, got.bulk ? 2 : 1));
    }
  }
}

TEST(SecureChannel, APacketAgainOrOutOfTurnEndsIt) {
  Pair pair;
  pair.open();
  pair.say(true, false, bytes_of(10, 1));
  const Bytes record = pair.to_acceptor[0];
  pair.settle();
  pair.deliver(true, record);
  ASSERT_EQ(Pair::all<ChannelFailed>(pair.at_acceptor).size(), 1u);
  EXPECT_EQ(Pair::all<ChannelReceived>(pair.at_acceptor).size(), 1u);
  pair.say(true, false, bytes_of(10, 2));
  pair.settle();
  EXPECT_EQ(Pair::all<ChannelReceived>(pair.at_acceptor).size(), 1u) << "nothing follows";
}

// A proof is of one exchange: played into another one it proves nothing.
TEST(SecureChannel, AnotherChannelsProofIsNone) {
  Pair first, second({}, 40);
  SecureChannel::Out out;
  for (Pair* pair : {&first, &second}) {
    pair->acceptor.start(out);
    pair->dialler.start(out);
    pair->take(out, true);
    for (Bytes& record : std::exchange(pair->to_acceptor, {})) pair->deliver(true, std::move(record));
    for (Bytes& record : std::exchange(pair->to_dialler, {})) pair->deliver(false, std::move(record));
  }
  ASSERT_EQ(first.to_acceptor.size(), 1u);
  second.deliver(true, first.to_acceptor[0]);
  EXPECT_TRUE(Pair::all<ChannelOpened>(second.at_acceptor).empty());
  EXPECT_EQ(Pair::all<ChannelFailed>(second.at_acceptor).size(), 1u);
}

TEST(SecureChannel, OverlongPacketsEndIt) {
  Pair pair;
  pair.open();
  pair.deliver(true, Bytes(kChannelRecordBytesMax + 1));
  ASSERT_EQ(Pair::all<ChannelFailed>(pair.at_acceptor).size(), 1u);
  EXPECT_EQ(Pair::all<ChannelFailed>(pair.at_acceptor)[0].why.code, Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::mesh
