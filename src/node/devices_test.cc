// An owner's devices, their zones, and what is done when one is lost.
#include "node/devices.h"

#include <gtest/gtest.h>

#include "node/node_testing.h"

namespace selvedge::node {
namespace {

using namespace testing;

class DeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (size_t n : {laptop_, host_, second_}) ASSERT_TRUE(group_.start(n).ok());
    group_.link(laptop_, host_);
    group_.link(laptop_, second_);
    for (size_t n : {host_, second_}) group_.grant(n, laptop_);
  }
  void enroll(std::vector<std::string> zones = {}) {
    group_.enroll(laptop_, phone_, "phone", std::move(zones));
    ASSERT_TRUE(group_.start(phone_).ok());
    group_.link(phone_, laptop_);
    group_.link(phone_, host_);
    group_.link(phone_, second_);
    settle();
  }
  void settle() { group_.pass(seconds(2)); }
  std::string put(size_t n, const std::string& path, Bytes content, const std::string& zone) {
    group_.put_file(n, path, std::move(content));
    const std::string answer = group_.answer(n, PutRequest{{group_.file(n, path)}, zone});
    const std::string cid = Group::field(answer, "cid");
    return cid.empty() ? answer : cid;
  }
  std::string get(size_t n, const std::string& cid, const std::string& zone = {}) {
    group_.at(n).files.erase("/out");
    const std::string answer = group_.answer(n, GetRequest{cid, "/out", zone});
    return answer[0] == '{' ? to_string(group_.at(n).files["/out"]) : answer;
  }
  static uint64_t number(const std::string& json, const std::string& name) {
    const size_t at = json.find("\"" + name + "\":");
    return at == std::string::npos ? 0 : std::stoull(json.substr(at + name.size() + 3));
  }
  uint64_t epoch(size_t n, const std::string& zone) { return number(group_.answer(n, ZoneShowRequest{zone}), "epoch"); }
  /// A policy of the laptop's owner, as if another device that holds the owner's key had signed and brought it.
  void publish(object::ZonePolicy policy) {
    policy.issued = group_.now.unix_seconds();
    policy.expires = policy.issued + object::kDay;
    policy.serial = policy.issued + ++serial_;
    group_.inject(phone_, laptop_, mesh::MeshMessages::encode(mesh::Records{{object::sign_object(group_.at(laptop_).owner, policy).value().bytes}}));
  }
  object::ZonePolicy default_policy(const std::string& name) { return *object::default_policy(group_.at(laptop_).owner.public_key(), name); }
  std::string state_of(size_t n, size_t device) {
    const std::string list = group_.answer(n, DeviceListRequest{});
    const size_t at = list.find(codec::key_text(group_.at(device).key()));
    return at == std::string::npos ? "unknown" : Group::field(list.substr(at), "state");
  }

  Group group_;
  size_t laptop_ = group_.add("laptop", "anna");
  size_t phone_ = group_.add_device("phone", "anna");
  size_t host_ = group_.add("host");
  size_t second_ = group_.add("second host");
  uint64_t serial_ = 0;
};

// ---- devices

// req: A1
TEST_F(DeviceTest, ADeviceStartsOnceItsOwnerSaidThatItIsTheirs) {
  EXPECT_EQ(group_.start(phone_).code(), Errc::kUnauthorized);
  enroll();
  EXPECT_EQ(state_of(laptop_, phone_), "connected");
  EXPECT_EQ(state_of(phone_, laptop_), "connected");
  EXPECT_EQ(state_of(phone_, phone_), "here");
  EXPECT_NE(group_.answer(laptop_, DeviceListRequest{}).find("\"label\":\"phone\""), std::string::npos);
  EXPECT_EQ(Group::field(group_.answer(phone_, StatusRequest{}), "owner"), codec::key_text(group_.at(laptop_).owner.public_key()));
}

// req: A6
TEST_F(DeviceTest, WhatOneDevicePutsTheOtherGets) {
  const std::string before = put(laptop_, "/before", to_bytes(view("put before there was a phone")), "work");
  enroll();
  EXPECT_EQ(get(phone_, before), "put before there was a phone");
  const Bytes large(600'000, 7);
  const std::string cid = put(laptop_, "/large", large, "work");
  settle();
  EXPECT_EQ(get(phone_, cid), to_string(large));
  const std::string back = put(phone_, "/back", to_bytes(view("from the phone")), "private");
  settle();
  EXPECT_EQ(get(laptop_, back), "from the phone");
  // Zones are apart: what is in work is not in private.
  EXPECT_EQ(get(phone_, cid, "private"), "refused: not_found");
  EXPECT_EQ(get(phone_, cid, "work"), to_string(large));
}

TEST_F(DeviceTest, WhatNeedsTheOwnersKeyIsRefusedWithoutIt) {
  enroll();
  GrantGiveRequest grant;
  grant.origin = codec::key_text(group_.at(host_).owner.public_key());
  EXPECT_EQ(group_.answer(phone_, grant), "refused: unauthorized");
  EXPECT_EQ(group_.answer(phone_, ZoneCreateRequest{"new"}), "refused: unauthorized");
  EXPECT_EQ(group_.answer(phone_, ZoneRotateRequest{"work", "because"}), "refused: unauthorized");
  EXPECT_EQ(group_.answer(phone_, DeviceEnrollRequest{group_.request_of(phone_, "x"), {}}), "refused: unauthorized");
  EXPECT_EQ(group_.answer(phone_, DeviceLostRequest{"laptop"}), "refused: unauthorized");
  EXPECT_NE(group_.at(phone_).refusals.rbegin()->second.message.find("do it on the one that does"), std::string::npos);
}

TEST_F(DeviceTest, ADeviceOfAnotherOwnerIsNotEnrolled) {
  const size_t other = group_.add_device("other", "boris");
  EXPECT_EQ(group_.answer(laptop_, DeviceEnrollRequest{group_.request_of(other, "x"), {}}), "refused: unauthorized");
  EXPECT_EQ(group_.answer(laptop_, DeviceEnrollRequest{"selvedgerequest1xyz", {}}).substr(0, 8), "refused:");
}

// req: A6
TEST_F(DeviceTest, ADeviceHasTheKeysOfTheZonesItWasEnrolledFor) {
  const std::string secret = put(laptop_, "/secret", to_bytes(view("for the laptop")), "private");
  enroll({"work"});
  const std::string shared = put(laptop_, "/shared", to_bytes(view("for both")), "work");
  settle();
  EXPECT_EQ(get(phone_, shared), "for both");
  EXPECT_EQ(get(phone_, secret), "refused: unauthorized") << "it knows of it and has no key";
  EXPECT_EQ(put(phone_, "/x", Bytes(10, 1), "private"), "refused: unauthorized");
  EXPECT_EQ(epoch(phone_, "private"), 0u);
  EXPECT_EQ(epoch(phone_, "work"), 1u);
}

// req: A6
TEST_F(DeviceTest, ARotationSealsWhatIsNewAndOldEpochsStayReadable) {
  enroll();
  const std::string old_cid = put(laptop_, "/old", to_bytes(view("old")), "work");
  EXPECT_EQ(group_.answer(laptop_, ZoneRotateRequest{"work", "it was time"}).substr(0, 1), "{");
  settle();
  EXPECT_EQ(epoch(phone_, "work"), 2u);
  const std::string new_cid = put(phone_, "/new", to_bytes(view("new")), "work");
  settle();
  for (size_t n : {laptop_, phone_}) {
    EXPECT_EQ(get(n, old_cid), "old");
    EXPECT_EQ(get(n, new_cid), "new");
  }
  const std::string show = group_.answer(laptop_, ZoneShowRequest{"work"});
  EXPECT_NE(show.find("\"reason\":\"it was time\""), std::string::npos) << show;
  // The same content again is another object: nothing of it can be told from its names.
  put(laptop_, "/old2", to_bytes(view("old")), "work");
  EXPECT_EQ(get(laptop_, old_cid), "old");
}

TEST_F(DeviceTest, AZoneIsMadeAndUsedByAllDevices) {
  enroll();
  EXPECT_EQ(Group::field(group_.answer(laptop_, ZoneCreateRequest{"photos"}), "zone"), "photos");
  EXPECT_EQ(group_.answer(laptop_, ZoneCreateRequest{"photos"}), "refused: exists");
  EXPECT_EQ(group_.answer(laptop_, ZoneCreateRequest{"No Such Name"}), "refused: invalid");
  settle();
  const std::string cid = put(phone_, "/p", to_bytes(view("a photo")), "photos");
  settle();
  EXPECT_EQ(get(laptop_, cid), "a photo");
  EXPECT_EQ(put(phone_, "/q", Bytes(10, 1), "nowhere"), "refused: not_found");
}

// req: A6
TEST_F(DeviceTest, AHostLearnsOfAZoneWhenItsDataComesAndNotBefore) {
  const auto knows = [&](size_t host, const std::string& zone) {
    const std::string name = "zone";
    const object::ZoneId id = object::zone_id(group_.at(laptop_).owner.public_key(), zone);
    for (const auto& [key, value] : group_.at(host).disk) {
      const auto found = std::search(value.begin(), value.end(), id.bytes.begin(), id.bytes.end());
      if (key.first == store::Column::kRecords && found != value.end()) return true;
    }
    return false;
  };
  EXPECT_FALSE(knows(host_, "work"));
  put(laptop_, "/a", Bytes(100, 1), "work");
  EXPECT_TRUE(knows(host_, "work"));
  EXPECT_FALSE(knows(host_, "community"));
}

// ---- two devices that both hold the owner's key

TEST_F(DeviceTest, TwoDevicesWithTheOwnersKeyAgree) {
  const size_t desk = group_.add("desk", "anna");
  enroll();
  ASSERT_TRUE(group_.start(desk).ok());
  EXPECT_EQ(group_.answer(laptop_, ZoneRotateRequest{"work", "one"}).substr(0, 1), "{");
  EXPECT_EQ(group_.answer(desk, ZoneRotateRequest{"work", "other"}).substr(0, 1), "{");
  group_.link(desk, laptop_);
  group_.link(desk, host_);
  group_.link(desk, second_);
  settle();
  for (size_t n : {laptop_, desk, phone_}) EXPECT_EQ(epoch(n, "work"), 2u) << n;
  const std::string cid = put(desk, "/a", to_bytes(view("from the desk")), "work");
  settle();
  EXPECT_EQ(get(phone_, cid), "from the desk") << "whichever list of the epoch came later, it names every device";
  EXPECT_EQ(get(laptop_, cid), "from the desk");
}

// ---- loss

// req: A17
TEST_F(DeviceTest, ALostDeviceGetsNothingMore) {
  enroll();
  const std::string old_cid = put(laptop_, "/old", to_bytes(view("known to the phone")), "work");
  settle();
  ASSERT_EQ(get(phone_, old_cid), "known to the phone");
  const std::string answer = group_.answer(laptop_, DeviceLostRequest{"phone"});
  ASSERT_EQ(answer.substr(0, 1), "{") << answer;
  EXPECT_EQ(number(answer, "hosts_told"), 2u);
  EXPECT_NE(answer.find("\"work\""), std::string::npos) << answer;
  EXPECT_EQ(state_of(laptop_, phone_), "lost");
  EXPECT_EQ(epoch(laptop_, "work"), 2u);
  const std::string new_cid = put(laptop_, "/new", to_bytes(view("not for the phone")), "work");
  settle();
  // It hears of nothing, though it is connected to everybody.
  EXPECT_EQ(get(phone_, new_cid), "refused: not_found");
  EXPECT_EQ(epoch(phone_, "work"), 1u) << "the new epoch was not even told";
  EXPECT_EQ(get(phone_, old_cid), "refused: unavailable") << "hosts refuse it what it could still open";
  EXPECT_NE(group_.answer(phone_, StatusRequest{}).find("\"revoked\":true"), std::string::npos);
  EXPECT_EQ(get(laptop_, old_cid), "known to the phone");
  EXPECT_EQ(get(laptop_, new_cid), "not for the phone");
  EXPECT_EQ(put(phone_, "/more", Bytes(100, 1), "work").substr(0, 8), "refused:");
}

// req: A17
TEST_F(DeviceTest, WhatALostDeviceHeldIsPlacedAnew) {
  enroll();
  GrantGiveRequest to_self;
  to_self.origin = codec::key_text(group_.at(laptop_).owner.public_key());
  to_self.device = "phone";
  ASSERT_EQ(group_.answer(laptop_, to_self).substr(0, 1), "{");
  settle();
  // With the second host away, the phone is one of the two that hold it.
  while (!group_.at(second_).links.empty()) group_.close(second_, group_.at(second_).links.begin()->first);
  const Bytes content(300'000, 9);
  const std::string cid = put(laptop_, "/a", content, "work");
  EXPECT_NE(group_.answer(laptop_, BlobListRequest{}).find("\"holders\":2"), std::string::npos);
  group_.link(laptop_, second_);
  while (!group_.at(phone_).links.empty()) group_.close(phone_, group_.at(phone_).links.begin()->first);
  const std::string answer = group_.answer(laptop_, DeviceLostRequest{"phone"});
  ASSERT_EQ(answer.substr(0, 1), "{") << answer;
  EXPECT_EQ(number(answer, "objects_held"), 1u);
  EXPECT_EQ(number(answer, "objects_thin"), 1u);
  EXPECT_EQ(number(answer, "objects_waiting"), 0u) << "it was placed anew before the answer";
  EXPECT_EQ(number(answer, "grants_withdrawn"), 1u);
  while (!group_.at(host_).links.empty()) group_.close(host_, group_.at(host_).links.begin()->first);
  EXPECT_EQ(get(laptop_, cid), to_string(content)) << "without the phone, one host may vanish";
}

// req: A17
TEST_F(DeviceTest, TheOtherDevicesAreAlerted) {
  const size_t tablet = group_.add_device("tablet", "anna");
  enroll();
  group_.enroll(laptop_, tablet, "tablet");
  ASSERT_TRUE(group_.start(tablet).ok());
  group_.link(tablet, laptop_);
  settle();
  ASSERT_EQ(group_.answer(laptop_, DeviceLostRequest{"phone"}).substr(0, 1), "{");
  settle();
  for (size_t n : {laptop_, tablet}) {
    const std::string status = group_.answer(n, StatusRequest{});
    EXPECT_NE(status.find("device phone was lost"), std::string::npos) << status;
    EXPECT_EQ(epoch(n, "private"), 2u);
  }
  EXPECT_EQ(state_of(tablet, phone_), "lost");
  // It is told to who comes later, too, and forgotten by nobody who restarts.
  group_.stop(tablet);
  ASSERT_TRUE(group_.start(tablet).ok());
  EXPECT_NE(group_.answer(tablet, StatusRequest{}).find("device phone was lost"), std::string::npos);
  group_.pass(seconds(8 * 86'400));
  EXPECT_EQ(group_.answer(tablet, StatusRequest{}).find("device phone was lost"), std::string::npos) << "old news is no alert";
}

TEST_F(DeviceTest, EachStepOfALossIsTold) {
  enroll();
  const size_t before = group_.at(laptop_).progress.size();
  group_.answer(laptop_, DeviceLostRequest{"phone"});
  std::vector<std::string> steps;
  for (size_t i = before; i < group_.at(laptop_).progress.size(); ++i) steps.push_back(Group::field(group_.at(laptop_).progress[i], "step"));
  const std::vector<std::string> expected{"revoked", "rotated", "rotated", "rotated", "rotated", "rotated", "withdrawn", "placed", "alerted"};
  EXPECT_EQ(steps, expected);
  EXPECT_EQ(group_.answer(laptop_, DeviceLostRequest{"nobody"}), "refused: not_found");
  EXPECT_EQ(group_.answer(laptop_, DeviceLostRequest{codec::key_text(group_.at(laptop_).key())}), "refused: invalid");
  EXPECT_EQ(group_.answer(laptop_, DeviceLostRequest{codec::key_text(group_.at(phone_).key())}).substr(0, 1), "{") << "again does no harm";
  EXPECT_EQ(epoch(laptop_, "work"), 2u);
}

TEST_F(DeviceTest, ALossOutlivesTheProcess) {
  enroll();
  group_.answer(laptop_, DeviceLostRequest{"phone"});
  group_.stop(laptop_);
  ASSERT_TRUE(group_.start(laptop_).ok());
  EXPECT_EQ(state_of(laptop_, phone_), "lost");
  EXPECT_EQ(epoch(laptop_, "work"), 2u) << "and no further epoch for what was done already";
}

// What a lost device may still say about the index counts for nothing.
TEST_F(DeviceTest, ALostDeviceChangesNothingAnyMore) {
  enroll();
  const std::string cid = put(laptop_, "/a", to_bytes(view("mine")), "work");
  settle();
  group_.answer(laptop_, DeviceLostRequest{"phone"});
  const codec::Cid name = codec::Cid::parse(cid).value();
  const object::ZoneId zone = object::zone_id(group_.at(laptop_).owner.public_key(), "work");
  const uint64_t clock = group_.now.unix_seconds() * 1000 + 1'000'000;
  const Blob fake{{clock, 77}, zone, "fake", {name, 0, {}}, 1, {}};
  const IndexEntries entries{{{IndexKind::kBlob, convert<IndexEntryId>(blob_id(zone, name)), codec::encode(fake)}}, {{77, clock}}, false};
  group_.inject(phone_, laptop_, IndexMessages::encode(IndexHead{{{77, clock}}}));
  group_.inject(phone_, laptop_, IndexMessages::encode(entries));
  settle();
  EXPECT_EQ(get(laptop_, cid), "mine");
}

// ---- grants

TEST_F(DeviceTest, AGrantForAnotherMachineOfTheOwnerOpensALeaseThere) {
  enroll();
  GrantGiveRequest grant;
  grant.origin = codec::key_text(group_.at(host_).owner.public_key());
  grant.device = "phone";
  const std::string given = group_.answer(laptop_, grant);
  ASSERT_EQ(given.substr(0, 1), "{") << given;
  EXPECT_NE(group_.answer(phone_, LeaseListRequest{}).find(Group::field(given, "id")), std::string::npos);
  EXPECT_EQ(group_.answer(laptop_, LeaseListRequest{}).find(Group::field(given, "id")), std::string::npos);
  grant.device = "nobody";
  EXPECT_EQ(group_.answer(laptop_, grant), "refused: not_found");
  // The machine takes it back with its own key, and its origin knows.
  const std::string id = Group::field(given, "id");
  EXPECT_EQ(Group::field(group_.answer(phone_, LeaseChangeRequest{id, LeaseAction::kRevoke}), "state"), "revoked");
  const std::string seen = group_.answer(host_, GrantListRequest{});
  const size_t at = seen.find(id);
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(Group::field(seen.substr(at), "state"), "revoked");
}

// ---- bridging

class BridgeTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    enroll();
  }
  void allow(const std::string& from, const std::string& to, uint8_t taint_max) {
    object::ZonePolicy out = default_policy(from);
    out.flows.push_back({object::FlowDirection::kOut, object::zone_id(out.owner, to), taint_max});
    publish(out);
    object::ZonePolicy in = default_policy(to);
    in.flows.push_back({object::FlowDirection::kIn, object::zone_id(in.owner, from), taint_max});
    publish(in);
  }
};

// req: A7
TEST_F(BridgeTest, NothingCrossesWithoutARuleOnBothSides) {
  const std::string cid = put(laptop_, "/a", to_bytes(view("a secret")), "private");
  EXPECT_EQ(group_.answer(laptop_, ZoneBridgeRequest{cid, "private", "work"}), "refused: unauthorized");
  EXPECT_NE(group_.at(laptop_).refusals.rbegin()->second.message.find("no flow rule of zone private lets this leave for work"), std::string::npos);
  object::ZonePolicy out = default_policy("private");
  out.flows = {{object::FlowDirection::kOut, std::nullopt, 0}};
  publish(out);
  EXPECT_EQ(group_.answer(laptop_, ZoneBridgeRequest{cid, "private", "work"}), "refused: unauthorized");
  EXPECT_NE(group_.at(laptop_).refusals.rbegin()->second.message.find("no flow rule of zone work lets this enter from private"), std::string::npos);
  EXPECT_EQ(get(laptop_, cid, "work"), "refused: not_found");
}

// req: A7
TEST_F(BridgeTest, WhatCrossesHasNewNamesNewKeysAndAPast) {
  allow("private", "work", 0);
  const Bytes content(700'000, 3);
  const std::string cid = put(laptop_, "/a", content, "private");
  const auto objects = [&] { return group_.at(host_).node != nullptr ? number(group_.answer(host_, StatusRequest{}), "objects_held") : 0; };
  const uint64_t before = objects();
  const std::string answer = group_.answer(laptop_, ZoneBridgeRequest{cid, "private", "work"});
  ASSERT_EQ(answer.substr(0, 1), "{") << answer;
  EXPECT_EQ(number(answer, "taint"), 1u);
  EXPECT_NE(answer.find("\"path\":[\"private\",\"work\"]"), std::string::npos) << answer;
  EXPECT_EQ(objects(), before + 1) << "sealed and placed anew, under another name";
  EXPECT_EQ(get(laptop_, cid, "work"), to_string(content));
  EXPECT_EQ(get(laptop_, cid, "private"), to_string(content)) << "and it stays where it was";
  settle();
  EXPECT_EQ(get(phone_, cid, "work"), to_string(content));
}

// req: A7
TEST_F(BridgeTest, TaintGrowsAndARuleMaySayHowMuchIsTooMuch) {
  allow("private", "work", 0);
  object::ZonePolicy out = default_policy("work");
  out.flows = {{object::FlowDirection::kIn, std::nullopt, 0}, {object::FlowDirection::kOut, std::nullopt, 0}};
  publish(out);
  const std::string cid = put(laptop_, "/a", to_bytes(view("travels")), "private");
  ASSERT_EQ(group_.answer(laptop_, ZoneBridgeRequest{cid, "private", "work"}).substr(0, 1), "{");
  EXPECT_EQ(group_.answer(laptop_, ZoneBridgeRequest{cid, "work", "community"}), "refused: unauthorized") << "it has crossed once already";
  out.flows[1].taint_max = 1;
  publish(out);
  const std::string answer = group_.answer(laptop_, ZoneBridgeRequest{cid, "work", "community"});
  EXPECT_EQ(number(answer, "taint"), 2u) << answer;
  EXPECT_NE(answer.find("\"path\":[\"private\",\"work\",\"community\"]"), std::string::npos) << answer;
  EXPECT_EQ(get(laptop_, cid, "community"), "travels");
}

}  // namespace
}  // namespace selvedge::node
