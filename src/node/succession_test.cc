// A node's new key in place of its old one, as seen by those who knew the old one.
#include <gtest/gtest.h>

#include "node/node_testing.h"

namespace selvedge::node {
namespace {

using namespace testing;

class SuccessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (size_t n : {origin_, host_, second_}) ASSERT_TRUE(group_.start(n).ok());
    for (size_t n : {host_, second_}) {
      group_.link(origin_, n);
      group_.grant(n, origin_);
    }
    cid_ = put("/a", content_);
  }
  std::string put(const std::string& path, Bytes content) {
    group_.put_file(origin_, path, std::move(content));
    return Group::field(group_.answer(origin_, PutRequest{{group_.file(origin_, path)}}), "cid");
  }
  std::string get(const std::string& cid) {
    group_.at(origin_).files.erase("/out");
    const RequestId id = group_.ask(origin_, GetRequest{cid, "/out"});
    group_.pass(seconds(40));  // a holder that is away is waited for
    const auto refused = group_.at(origin_).refusals.find(id);
    return refused == group_.at(origin_).refusals.end() ? to_string(group_.at(origin_).files["/out"]) : std::string("refused: ") + errc_name(refused->second.code);
  }
  /// The host with its disk, its owner and another key, as selvedge key rotate leaves it.
  size_t rotated(size_t old_host, const std::string& name) {
    group_.stop(old_host);
    const size_t fresh = group_.add(name, group_.at(old_host).owner_named);
    group_.at(fresh).disk = group_.at(old_host).disk;
    group_.at(fresh).succeeds = group_.at(old_host).key();
    EXPECT_TRUE(group_.start(fresh).ok());
    return fresh;
  }
  void away(size_t n) {
    while (!group_.at(n).links.empty()) group_.close(n, group_.at(n).links.begin()->first);
  }
  std::string grant_states() {
    std::string out;
    const std::string list = group_.answer(origin_, GrantListRequest{});
    for (size_t at = list.find("\"state\":\""); at != std::string::npos; at = list.find("\"state\":\"", at + 1)) out += Group::field(list.substr(at), "state") + " ";
    return out;
  }

  Group group_;
  size_t origin_ = group_.add("origin");
  size_t host_ = group_.add("host");
  size_t second_ = group_.add("second host");
  const Bytes content_ = Bytes(400'000, 5);
  std::string cid_;
};

// req: A1
TEST_F(SuccessionTest, GrantsAndPlacementsGoOnUnderTheNewKey) {
  const size_t fresh = rotated(host_, "host with a new key");
  group_.link(origin_, fresh);
  group_.pass(seconds(2));
  EXPECT_NE(group_.answer(fresh, LeaseListRequest{}).find("\"state\":\"active\""), std::string::npos) << "its grants are signed anew";
  const std::string list = group_.answer(origin_, GrantListRequest{});
  const size_t at = list.find(codec::key_text(group_.at(fresh).key()));
  ASSERT_NE(at, std::string::npos) << list;
  EXPECT_EQ(Group::field(list.substr(at), "state"), "active");
  // What lies there is found there, by its new name alone.
  away(second_);
  EXPECT_EQ(get(cid_), to_string(content_));
  EXPECT_NE(put("/b", Bytes(20'000, 6)), "");
  EXPECT_EQ(group_.answer(origin_, StatusRequest{}).find("\"repairs_pending\":0"), std::string::npos) << "on one host alone it is thin";
  group_.link(origin_, second_);
  group_.pass(seconds(60));
  EXPECT_NE(group_.answer(origin_, StatusRequest{}).find("\"repairs_pending\":0"), std::string::npos);
}

TEST_F(SuccessionTest, NothingIsPlacedAnewForAChangeOfName) {
  group_.pass(seconds(10));
  const auto frames = [&] {
    size_t count = 0;
    for (const Bytes& bytes : group_.at(second_).frames) {
      const object::ObjectId object = mesh::parse_frame(bytes)->header.object;
      bool head = false;  // of the index: it names the new key
      for (uint32_t slot = 0; slot < kIndexSlots; ++slot) head = head || object == index_slot(seed_of("zones origin"), group_.at(origin_).owner.public_key(), slot);
      count += head ? 0 : 1;
    }
    return count;
  };
  const size_t before = frames();
  const size_t fresh = rotated(host_, "host with a new key");
  group_.link(origin_, fresh);
  group_.pass(seconds(30));
  // The index has new entries that say where things are, and these go out as one more batch; no content does.
  EXPECT_LE(frames(), before + 2);
  const std::string traces = [&] {
    std::string all;
    for (const std::string& text : group_.at(origin_).traces) all += text + "\n";
    return all;
  }();
  EXPECT_EQ(traces.find("placed anew"), std::string::npos) << traces;
}

// req: A1
TEST_F(SuccessionTest, TheOldKeyIsRevoked) {
  const size_t fresh = rotated(host_, "host with a new key");
  group_.link(origin_, fresh);
  group_.pass(seconds(2));
  away(second_);
  group_.close(fresh, group_.at(fresh).links.begin()->first);
  // Whoever has the old key and the old disk is nobody any more.
  ASSERT_TRUE(group_.start(host_).ok());
  group_.link(origin_, host_);
  group_.pass(seconds(2));
  EXPECT_EQ(get(cid_), "refused: unavailable");
  EXPECT_EQ(put("/c", Bytes(100, 1)), "");
  EXPECT_EQ(grant_states().find("active"), std::string::npos) << grant_states();
}

// req: A1
TEST_F(SuccessionTest, OnlyTheOwnerOfTheOldKeySaysWhoSucceedsIt) {
  const size_t thief = group_.add("thief");
  group_.at(thief).succeeds = group_.at(host_).key();
  ASSERT_TRUE(group_.start(thief).ok());
  away(host_);
  group_.link(origin_, thief);
  group_.grant(thief, origin_);
  group_.pass(seconds(2));
  away(second_);
  EXPECT_EQ(get(cid_), "refused: unavailable") << "nothing is looked for at the thief's";
  group_.link(origin_, host_);
  EXPECT_EQ(get(cid_), to_string(content_)) << "and the host is still the host";
}

// req: A1
TEST_F(SuccessionTest, WhoAnswersInPlaceOfAPeerIsAskedWhoItIs) {
  const size_t fresh = rotated(host_, "host with a new key");
  codec::Ticket ticket{group_.at(host_).key(), group_.at(host_).owner.public_key(), {"host:1"}, std::nullopt};
  group_.answer(origin_, PeerAddRequest{codec::ticket_text(ticket).value()});
  group_.at(origin_).dials.clear();
  group_.other_answered(origin_, group_.at(host_).key(), "host:1", group_.at(fresh).key());
  ASSERT_EQ(group_.at(origin_).dials.size(), 1u);
  EXPECT_EQ(group_.at(origin_).dials[0].peer, group_.at(fresh).key());
  EXPECT_EQ(group_.at(origin_).dials[0].address, "host:1");
  group_.link(origin_, fresh);
  group_.pass(seconds(2));
  const std::string peers = group_.answer(origin_, PeerListRequest{});
  const size_t at = peers.find(codec::key_text(group_.at(fresh).key()));
  ASSERT_NE(at, std::string::npos);
  EXPECT_NE(peers.substr(at, 200).find("host:1"), std::string::npos) << "it is dialled there from now on: " << peers;
}

// A device of an owner whose key is elsewhere gets its new key by enrolment; the device with the owner's key signs its grants anew.
// req: A1
TEST_F(SuccessionTest, ADevicesNewKeyTakesItsPlaceAmongTheOwnersDevices) {
  const size_t phone = group_.add_device("phone", "origin");
  group_.enroll(origin_, phone, "phone");
  ASSERT_TRUE(group_.start(phone).ok());
  group_.link(phone, origin_);
  group_.pass(seconds(2));
  GrantGiveRequest grant;
  grant.origin = codec::key_text(group_.at(host_).owner.public_key());
  grant.device = "phone";
  ASSERT_EQ(group_.answer(origin_, grant).substr(0, 1), "{");
  group_.stop(phone);

  const size_t fresh = group_.add_device("phone with a new key", "origin");
  group_.at(fresh).disk = group_.at(phone).disk;
  group_.at(fresh).succeeds = group_.at(phone).key();
  group_.enroll(origin_, fresh, "phone", {}, &group_.at(phone).signer);
  ASSERT_TRUE(group_.start(fresh).ok());
  group_.link(fresh, origin_);
  group_.link(fresh, host_);
  group_.pass(seconds(2));
  const std::string devices = group_.answer(origin_, DeviceListRequest{});
  const auto state = [&](size_t n) { return Group::field(devices.substr(devices.find(codec::key_text(group_.at(n).key()))), "state"); };
  EXPECT_EQ(state(phone), "replaced");
  EXPECT_EQ(state(fresh), "connected");
  EXPECT_NE(group_.answer(fresh, LeaseListRequest{}).find("\"state\":\"active\""), std::string::npos);
  const std::string cid = put("/after", to_bytes(view("after the change")));
  group_.pass(seconds(2));
  EXPECT_EQ(group_.answer(fresh, GetRequest{cid, "/out"}).substr(0, 1), "{");
  EXPECT_EQ(to_string(group_.at(fresh).files["/out"]), "after the change");
}

}  // namespace
}  // namespace selvedge::node
