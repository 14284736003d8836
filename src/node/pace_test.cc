// What the machine's kernel shows, and what its domains do, as far as leases feel it.
#include "node/node_testing.h"

namespace selvedge::node {
namespace {

using testing::Group;
using work::Level;

class PaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    host_ = group_.add("host");
    ASSERT_TRUE(group_.start(host_).ok());
    ada_ = group_.add("ada");
    ASSERT_TRUE(group_.start(ada_).ok());
    group_.link(ada_, host_);
    group_.at(host_).hold_tasks = true;
  }
  void give(uint32_t cpu_permille, uint32_t battery_percent_min = 0) {
    GrantGiveRequest shape;
    shape.cpu_permille = cpu_permille;
    shape.battery_percent_min = battery_percent_min;
    lease_ = group_.grant(host_, ada_, shape);
  }
  RequestId run() {
    group_.put_file(ada_, "/program.wasm", testing::tiny_module());
    group_.put_file(ada_, "/input", to_bytes(view("some input")));
    RunRequest request;
    request.module = group_.file(ada_, "/program.wasm");
    request.inputs = {group_.file(ada_, "/input")};
    request.verify = 1;
    return group_.ask(ada_, request);
  }
  void signals(const work::Signals& signals) {
    group_.feed(host_, [&](Node& node, Node::Out& out) { node.on_signals(group_.now, signals, out); });
  }
  void violate(work::Violation what) {
    group_.feed(host_, [&, lease = number()](Node& node, Node::Out& out) { node.on_violation(group_.now, lease, what, out); });
  }
  uint64_t number() { return group_.at(host_).paces.begin()->first; }
  const work::SetPace& pace() { return group_.at(host_).paces.begin()->second; }
  void finish() {
    const std::vector<work::RunDomain> tasks = std::exchange(group_.at(host_).tasks, {});
    for (const work::RunDomain& task : tasks) group_.finish_task_with(host_, task, task.lease_cap);
  }

  Group group_;
  size_t host_ = 0, ada_ = 0;
  std::string lease_;
};

// req: D1
TEST_F(PaceTest, ALeasesShareIsTheGrants) {
  give(200);
  ASSERT_EQ(group_.at(host_).paces.size(), 1u);
  EXPECT_EQ(pace().permille, 200u);
  group_.answer(host_, LeaseChangeRequest{lease_, LeaseAction::kRevoke});
  EXPECT_TRUE(group_.at(host_).paces.empty()) << "a lease that is no more has no pace";
}

// req: D1
TEST_F(PaceTest, AGrantsMannersBindItsLease) {
  GrantGiveRequest shape;
  shape.manners = {2'000, 7, 0, uint8_t(Level::kCalm), 5};
  lease_ = group_.grant(host_, ada_, shape);
  EXPECT_EQ(pace().burst, milliseconds(2));
  EXPECT_EQ(pace().wakeups_per_second_max, 7u);
  signals({.heat = Level::kRaised});
  EXPECT_EQ(pace().permille, 0u) << "warmer than its grant allows";
  GrantGiveRequest rude = shape;
  rude.origin = codec::key_text(group_.at(ada_).owner.public_key());
  rude.manners.wakeups_per_second = 0;
  group_.ask(host_, rude);
  EXPECT_NE(group_.at(host_).refusals.rbegin()->second.message.find("wake-ups"), std::string::npos);
}

// req: D9
TEST_F(PaceTest, WhatALeaseMovesKeepsItsShareOfTheNetwork) {
  GrantGiveRequest shape;
  shape.manners.network_kbps = 800;
  lease_ = group_.grant(host_, ada_, shape);
  group_.put_file(ada_, "/program.wasm", testing::tiny_module());
  group_.put_file(ada_, "/input", Bytes(400'000, 'x'));
  RunRequest request;
  request.module = group_.file(ada_, "/program.wasm");
  request.inputs = {group_.file(ada_, "/input")};
  request.verify = 1;
  group_.ask(ada_, request);
  EXPECT_TRUE(group_.at(host_).tasks.empty()) << "its input takes four seconds, and the program comes behind it";
  group_.pass(seconds(3));
  EXPECT_TRUE(group_.at(host_).tasks.empty());
  group_.pass(seconds(1));
  EXPECT_EQ(group_.at(host_).tasks.size(), 1u);
}

// req: D7, D15
TEST_F(PaceTest, WhatRunsSlowsAtOnceAndTheReceiptSaysSo) {
  give(1000);
  const RequestId asked = run();
  ASSERT_EQ(group_.at(host_).tasks.size(), 1u);
  signals({.interaction = Level::kCritical});
  EXPECT_LE(pace().permille, 50u);
  EXPECT_NE(group_.answer(host_, LeaseListRequest{}).find("\"slowed\":\"interaction\""), std::string::npos);
  finish();
  EXPECT_TRUE(group_.at(ada_).answers.count(asked));
  const std::string receipts = group_.answer(ada_, ReceiptsRequest{});
  EXPECT_NE(receipts.find("\"degraded\":" + std::to_string(work::kForInteraction)), std::string::npos) << receipts;
}

// req: D9
TEST_F(PaceTest, CriticalMemoryEndsWhatRunsAndItIsDoneAgainElsewhereOrLater) {
  give(500);
  const RequestId asked = run();
  ASSERT_EQ(group_.at(host_).tasks.size(), 1u);
  group_.at(host_).tasks.clear();  // the host kills it, and nothing comes back
  signals({.memory = Level::kCritical});
  EXPECT_EQ(group_.at(host_).reclaims, 1);
  EXPECT_EQ(pace().permille, 0u);
  signals({});
  group_.pass(seconds(120));
  ASSERT_FALSE(group_.at(host_).tasks.empty()) << "the origin asks again";
  EXPECT_GT(pace().permille, 0u);
  finish();
  EXPECT_TRUE(group_.at(ada_).answers.count(asked));
}

// req: D1
TEST_F(PaceTest, PowerConditionsOfTheGrantHoldForWhatRunsAndForWhatIsOffered) {
  give(500, 50);
  const RequestId asked = run();
  ASSERT_EQ(group_.at(host_).tasks.size(), 1u);
  signals({.charging = false, .battery_percent = 40});
  EXPECT_EQ(pace().permille, 0u);
  finish();
  EXPECT_TRUE(group_.at(ada_).answers.count(asked)) << "what was done before counts";
  run();
  EXPECT_TRUE(group_.at(host_).tasks.empty()) << "and nothing new begins";
  signals({.charging = true, .battery_percent = 40});
  group_.pass(seconds(120));
  EXPECT_FALSE(group_.at(host_).tasks.empty());
}

// req: D9
TEST_F(PaceTest, ViolationsAreInTheReceiptAndRepeatedOnesRevokeTheLease) {
  give(800);
  run();
  violate(work::Violation::kShare);
  EXPECT_EQ(pace().permille, 400u);
  finish();
  const std::string receipts = group_.answer(ada_, ReceiptsRequest{});
  EXPECT_NE(receipts.find("\"violations\":1"), std::string::npos) << receipts;
  EXPECT_NE(receipts.find("\"degraded\":" + std::to_string(work::kForViolations)), std::string::npos) << receipts;
  while (Group::field(group_.answer(host_, LeaseListRequest{}), "state") == "active") violate(work::Violation::kYield);
  EXPECT_EQ(Group::field(group_.answer(host_, LeaseListRequest{}), "state"), "revoked");
  const std::string leases = group_.answer(host_, LeaseListRequest{});
  EXPECT_NE(leases.find("\"violations\":" + std::to_string(work::kStrikesToRevoke)), std::string::npos) << leases;
  group_.stop(host_);
  ASSERT_TRUE(group_.start(host_).ok());
  EXPECT_EQ(group_.answer(host_, LeaseListRequest{}).find("\"state\":\"active\""), std::string::npos) << "and it stays revoked";
}

}  // namespace
}  // namespace selvedge::node
