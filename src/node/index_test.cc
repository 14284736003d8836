// The index: the same on all devices of an owner, and found again by who has nothing but the owner's root.
#include "node/index.h"

#include <gtest/gtest.h>

#include "node/index_head.h"
#include "node/node_testing.h"

namespace selvedge::node {
namespace {

using namespace testing;

uint64_t number(const std::string& json, const std::string& name) {
  const size_t at = json.find("\"" + name + "\":");
  return at == std::string::npos ? 0 : std::stoull(json.substr(at + name.size() + 3));
}

// ---- among devices

// Whatever devices write, and whenever they meet, they end with the same.
TEST(IndexTest, DevicesThatMeetEndWithTheSame) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    Rng rng(seed);
    Group group;
    const std::vector<size_t> devices{group.add("one", "anna"), group.add("two", "anna"), group.add("three", "anna")};
    for (size_t n : devices) ASSERT_TRUE(group.start(n).ok());
    for (int step = 0; step < 60; ++step) {
      const size_t n = devices[rng.below(devices.size())], m = devices[rng.below(devices.size())];
      switch (rng.below(6)) {
        case 0:
          if (n != m && group.at(n).links.empty()) group.link(n, m);
          break;
        case 1:
          if (!group.at(n).links.empty()) group.close(n, group.at(n).links.begin()->first);
          break;
        case 2:
          group.pass(milliseconds(int64_t(rng.below(2000))));
          break;
        case 3:
          if (rng.chance(1, 4)) {
            group.stop(n);
            ASSERT_TRUE(group.start(n).ok());
          }
          break;
        default: {
          // The same few nodes again and again, with another address each time: versions that must be told apart.
          codec::Ticket ticket;
          ticket.node = crypto::Ed25519Signer(seed_of("friend " + std::to_string(rng.below(5)))).public_key();
          ticket.owner = ticket.node;
          ticket.addresses = {"192.0.2." + std::to_string(rng.below(200)) + ":" + std::to_string(step + 1)};
          group.answer(n, PeerAddRequest{codec::ticket_text(ticket).value()});
        }
      }
    }
    for (size_t n : devices) {
      while (!group.at(n).links.empty()) group.close(n, group.at(n).links.begin()->first);
    }
    group.link(devices[0], devices[1]);
    group.link(devices[1], devices[2]);
    group.pass(seconds(5));
    const auto entries = [&](size_t n) {
      std::map<Bytes, Bytes> out;
      for (const auto& [key, value] : group.at(n).disk) {
        const Result<PeerRecord> peer = codec::decode<PeerRecord>(value);
        if (key.first == store::Column::kRecords && peer.ok()) out[key.second] = value;
      }
      return out;
    };
    EXPECT_GE(entries(devices[0]).size(), 3u) << seed;
    EXPECT_EQ(entries(devices[0]), entries(devices[1])) << seed;
    EXPECT_EQ(entries(devices[1]), entries(devices[2])) << seed << ": what the first wrote came by the second";
  }
}

TEST(IndexTest, AnEntryFromTheFutureOrUnderAnotherNameIsNotTaken) {
  Group group;
  const size_t one = group.add("one", "anna"), two = group.add("two", "anna");
  for (size_t n : {one, two}) ASSERT_TRUE(group.start(n).ok());
  group.link(one, two);
  group.pass(seconds(2));
  group.at(two).deaf = true;
  const uint64_t clock = group.now.unix_seconds() * 1000;
  const auto offer = [&](IndexEntry entry, uint64_t seq) {
    group.inject(two, one, IndexMessages::encode(IndexHead{{{77, seq}}}));
    group.inject(two, one, IndexMessages::encode(IndexEntries{{std::move(entry)}, {{77, seq}}, false}));
    group.pass(seconds(2));
    return group.answer(one, BlobListRequest{});
  };
  const object::ZoneId zone = object::zone_id(group.at(one).owner.public_key(), "work");
  const codec::Cid cid = codec::Cid::of(codec::Codec::kRaw, view("x"));
  const auto blob = [&](uint64_t seq, const std::string& name) { return codec::encode(Blob{{seq, 77}, zone, name, {cid, 0, {}}, 1, {}}); };
  const auto id = convert<IndexEntryId>(blob_id(zone, cid));
  EXPECT_EQ(offer({IndexKind::kBlob, id, blob(clock + 2 * kStampAheadMaxMs, "future")}, clock + 2 * kStampAheadMaxMs).find("future"), std::string::npos);
  EXPECT_EQ(offer({IndexKind::kBlob, IndexEntryId{}, blob(clock + 1, "misplaced")}, clock + 1).find("misplaced"), std::string::npos);
  EXPECT_EQ(offer({IndexKind::kBlob, id, Bytes{1, 2, 3}}, clock + 2).find("cid"), std::string::npos);
  EXPECT_NE(offer({IndexKind::kBlob, id, blob(clock + 3, "genuine")}, clock + 3).find("genuine"), std::string::npos) << "and the rest is still taken";
  EXPECT_NE(offer({IndexKind::kBlob, id, blob(clock + 2, "older")}, clock + 4).find("genuine"), std::string::npos) << "an older version changes nothing";
}

TEST(IndexTest, AStrangerIsToldNothingAndBelievedNothing) {
  Group group;
  const size_t anna = group.add("anna's"), boris = group.add("boris's");
  for (size_t n : {anna, boris}) ASSERT_TRUE(group.start(n).ok());
  group.link(anna, boris);
  group.at(boris).received.clear();
  group.inject(boris, anna, IndexMessages::encode(IndexWant{{}}));
  group.inject(boris, anna, IndexMessages::encode(IndexHead{{{1, 1'000'000}}}));
  group.pass(seconds(2));
  for (const Bytes& message : group.at(boris).received) EXPECT_FALSE(IndexMessages::knows(message[0]));
}

// ---- heads

TEST(IndexHeadTest, OpensUnderItsRootAndInItsSlotOnly) {
  crypto::Drbg drbg(seed_of("drbg"));
  const crypto::Seed root = seed_of("root");
  const crypto::PublicKey owner = crypto::Ed25519Signer(seed_of("owner")).public_key();
  CopyState state;
  state.generation = 7;
  state.writer = 3;
  const object::ObjectId slot = index_slot(root, owner, 1);
  const Bytes frame = seal_index_head(state, root, slot, object::zone_id(owner, "owner"), 1000, drbg).value();
  const Result<CopyState> opened = open_index_head(mesh::parse_frame(frame).value(), root);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->generation, 7u);
  EXPECT_FALSE(open_index_head(mesh::parse_frame(frame).value(), seed_of("another root")).ok());
  EXPECT_NE(index_slot(root, owner, 0), slot);
  EXPECT_NE(index_slot(seed_of("another root"), owner, 1), slot);
  // Every byte of what is sealed counts, and so does the slot's name.
  for (size_t at : {size_t(16), frame.size() - mesh::kFrameChecksumBytes - 1, frame.size() - mesh::kFrameChecksumBytes - 20, size_t(mesh::kFrameHeaderBytes + 4), size_t(mesh::kFrameHeaderBytes + 4 + 40)}) {
    Bytes changed = frame;
    changed[at] ^= 1;
    mesh::close_frame(changed);
    const Result<mesh::FrameView> view = mesh::parse_frame(changed);
    EXPECT_FALSE(view.ok() && open_index_head(*view, root).ok()) << at;
  }
}

// req: R12
TEST(IndexHeadTest, NoKeySealsTwoHeads) {
  crypto::Drbg drbg(seed_of("drbg"));
  const crypto::Seed root = seed_of("root");
  const crypto::PublicKey owner = crypto::Ed25519Signer(seed_of("owner")).public_key();
  const object::ObjectId slot = index_slot(root, owner, 0);
  std::set<Bytes> salts;
  for (uint64_t generation = 0; generation < 200; ++generation) {
    CopyState state;
    state.generation = generation;
    const Bytes frame = seal_index_head(state, root, slot, object::zone_id(owner, "owner"), 1000, drbg).value();
    const mesh::FrameView view = mesh::parse_frame(frame).value();
    EXPECT_TRUE(salts.insert(to_bytes(view.sealed(0).first(32))).second);
  }
}

// ---- the copy on hosts

class IndexCopyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (size_t n : {laptop_, host_, second_}) ASSERT_TRUE(group_.start(n).ok());
    for (size_t n : {host_, second_}) {
      group_.link(laptop_, n);
      GrantGiveRequest shape;
      shape.seconds = 60 * object::kDay;
      group_.grant(n, laptop_, shape);
    }
  }
  std::string put(size_t n, const std::string& path, Bytes content, const std::string& zone = "private") {
    group_.put_file(n, path, std::move(content));
    const std::string answer = group_.answer(n, PutRequest{{group_.file(n, path)}, zone});
    const std::string cid = Group::field(answer, "cid");
    return cid.empty() ? answer : cid;
  }
  std::string get(size_t n, const std::string& cid) {
    group_.at(n).files.erase("/out");
    const std::string answer = group_.answer(n, GetRequest{cid, "/out"});
    return answer[0] == '{' ? to_string(group_.at(n).files["/out"]) : answer;
  }
  void save() {
    group_.pass(seconds(5));
    ASSERT_EQ(number(group_.answer(laptop_, StatusRequest{}), "index_pending"), 0u);
    ASSERT_NE(number(group_.answer(laptop_, StatusRequest{}), "index_saved"), 0u);
  }
  /// The laptop is gone with all it had; what there is, is the owner's root on a new machine.
  size_t restore(const std::vector<size_t>& hosts) {
    if (group_.at(laptop_).node) group_.stop(laptop_);
    const size_t n = group_.add("restored " + std::to_string(++restored_), "anna");
    group_.at(n).birth = Birth::kRestored;
    EXPECT_TRUE(group_.start(n).ok());
    for (size_t host : hosts) group_.link(n, host);
    group_.pass(seconds(3));
    return n;
  }

  Group group_;
  size_t laptop_ = group_.add("laptop", "anna");
  size_t host_ = group_.add("host");
  size_t second_ = group_.add("second host");
  int restored_ = 0;
};

// req: A6
TEST_F(IndexCopyTest, TheRootAloneFindsEverythingAgain) {
  std::map<std::string, std::string> stored;
  for (int i = 0; i < 20; ++i) {
    const std::string content = "content " + std::to_string(i);
    stored[put(laptop_, "/f" + std::to_string(i), to_bytes(view(content)), i % 2 ? "work" : "private")] = content;
  }
  const Bytes large(500'000, 3);
  stored[put(laptop_, "/large", large)] = to_string(large);
  group_.answer(laptop_, ZoneRotateRequest{"work", "before the loss"});
  stored[put(laptop_, "/late", to_bytes(view("in epoch 2")), "work")] = "in epoch 2";
  save();
  const size_t fresh = restore({host_, second_});
  EXPECT_EQ(group_.answer(fresh, StatusRequest{}).find("\"awaiting_index\":true"), std::string::npos);
  for (const auto& [cid, content] : stored) EXPECT_EQ(get(fresh, cid), content) << cid;
  EXPECT_EQ(number(group_.answer(fresh, ZoneShowRequest{"work"}), "epoch"), 2u);
  // And it goes on from there.
  const std::string more = put(fresh, "/more", to_bytes(view("afterwards")), "work");
  EXPECT_EQ(get(fresh, more), "afterwards");
}

TEST_F(IndexCopyTest, OneHostIsEnough) {
  const std::string cid = put(laptop_, "/a", to_bytes(view("here")));
  save();
  EXPECT_EQ(get(restore({second_}), cid), "here");
}

TEST_F(IndexCopyTest, WhatWasSavedLaterCounts) {
  const std::string first = put(laptop_, "/a", to_bytes(view("first")));
  save();
  while (!group_.at(second_).links.empty()) group_.close(second_, group_.at(second_).links.begin()->first);
  const std::string later = put(laptop_, "/b", to_bytes(view("later")));
  save();
  const size_t fresh = restore({second_});
  EXPECT_EQ(get(fresh, first), "first") << "the host that was away knows an older state";
  EXPECT_EQ(get(fresh, later), "refused: not_found");
  group_.link(fresh, host_);
  group_.pass(seconds(3));
  EXPECT_EQ(get(fresh, later), "later");
}

TEST_F(IndexCopyTest, ManySmallChangesMakeFewBatches) {
  size_t batches_max = 0;
  for (int i = 0; i < 64; ++i) {
    put(laptop_, "/f" + std::to_string(i), to_bytes(view("content " + std::to_string(i))));
    group_.pass(seconds(4));
    for (const std::string& text : group_.at(laptop_).traces) {
      const size_t at = text.find(" batches");
      if (text.starts_with("the index is saved") && at != std::string::npos) batches_max = std::max(batches_max, size_t(std::stoul(text.substr(text.rfind(' ', at - 1)))));
    }
  }
  save();
  EXPECT_GT(batches_max, 1u);
  EXPECT_LE(batches_max, 9u) << "each holds at least twice what the next one holds";
  // What no head names any more is gone from the hosts: they hold the files, two heads, and the batches with the records.
  EXPECT_LE(number(group_.answer(host_, StatusRequest{}), "objects_held"), 64u + kIndexSlots + 9u + 2u);
  const std::string list = group_.answer(restore({host_}), BlobListRequest{});
  EXPECT_NE(list.find("f0\""), std::string::npos);
  EXPECT_NE(list.find("f63\""), std::string::npos);
}

TEST_F(IndexCopyTest, NothingIsSignedOrStoredBeforeTheIndexIsFound) {
  object::ZonePolicy strict = *object::default_policy(group_.at(laptop_).owner.public_key(), "work");
  strict.executors = {group_.at(host_).owner.public_key()};
  strict.issued = group_.now.unix_seconds();
  strict.expires = strict.issued + object::kDay;
  ASSERT_EQ(group_.answer(laptop_, PolicySetRequest{to_hex(codec::encode(strict)), 0}).substr(0, 1), "{");
  const std::string cid = put(laptop_, "/a", to_bytes(view("for one host only")), "work");
  save();
  const size_t fresh = restore({});
  EXPECT_EQ(put(fresh, "/x", Bytes(10, 1)), "refused: unavailable");
  EXPECT_NE(group_.answer(fresh, StatusRequest{}).find("\"awaiting_index\":true"), std::string::npos);
  group_.link(fresh, second_);
  group_.pass(seconds(3));
  EXPECT_EQ(group_.answer(fresh, StatusRequest{}).find("\"awaiting_index\":true"), std::string::npos);
  // The owner's own policy is back, and not the default in its place.
  EXPECT_NE(group_.answer(fresh, ZoneShowRequest{"work"}).find("\"executors\":[\"" + codec::key_text(strict.executors[0])), std::string::npos);
  group_.link(fresh, host_);
  group_.pass(seconds(3));
  EXPECT_EQ(get(fresh, cid), "for one host only");
}

TEST_F(IndexCopyTest, WithoutACopyAnywhereItBeginsAnew) {
  const size_t fresh = restore({host_, second_});
  EXPECT_NE(group_.answer(fresh, StatusRequest{}).find("\"awaiting_index\":true"), std::string::npos) << "another host may have it";
  group_.pass(seconds(30));
  EXPECT_EQ(group_.answer(fresh, StatusRequest{}).find("\"awaiting_index\":true"), std::string::npos);
  const std::string cid = put(fresh, "/a", to_bytes(view("new")));
  EXPECT_EQ(get(fresh, cid), "new");
}

// req: A17
TEST_F(IndexCopyTest, WhatWasRevokedStaysRevoked) {
  const size_t phone = group_.add_device("phone", "anna");
  group_.enroll(laptop_, phone, "phone");
  ASSERT_TRUE(group_.start(phone).ok());
  group_.link(phone, laptop_);
  ASSERT_EQ(group_.answer(laptop_, DeviceLostRequest{"phone"}).substr(0, 1), "{");
  put(laptop_, "/a", to_bytes(view("x")));
  save();
  const size_t fresh = restore({host_});
  const std::string list = group_.answer(fresh, DeviceListRequest{});
  const size_t at = list.find(codec::key_text(group_.at(phone).key()));
  ASSERT_NE(at, std::string::npos) << list;
  EXPECT_EQ(Group::field(list.substr(at), "state"), "lost");
  EXPECT_EQ(number(group_.answer(fresh, ZoneShowRequest{"private"}), "epoch"), 2u);
}

TEST_F(IndexCopyTest, HostsReadNothingOfIt) {
  put(laptop_, "/the-name-of-a-file", to_bytes(view("x")));
  save();
  const std::string name = "the-name-of-a-file";
  for (size_t host : {host_, second_}) {
    for (const auto& [key, value] : group_.at(host).disk) EXPECT_EQ(std::search(value.begin(), value.end(), name.begin(), name.end()), value.end());
  }
}

TEST_F(IndexCopyTest, ItIsWrittenAgainBeforeItExpires) {
  const std::string cid = put(laptop_, "/a", to_bytes(view("x")));
  save();
  const uint64_t saved = number(group_.answer(laptop_, StatusRequest{}), "index_saved");
  for (int day = 0; day < 12; ++day) {
    group_.pass(seconds(86'400));
    put(laptop_, "/b" + std::to_string(day), to_bytes(view("y" + std::to_string(day))));
  }
  save();
  EXPECT_GT(number(group_.answer(laptop_, StatusRequest{}), "index_saved"), saved + 10 * 86'400);
  EXPECT_EQ(get(restore({host_}), cid), "x");
}

}  // namespace
}  // namespace selvedge::node
