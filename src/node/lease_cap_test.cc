// The handle of a lease: each domain of it is started with it, and a result counts only when it comes back while the lease is in force.
#include "node/node_testing.h"

namespace selvedge::node {
namespace {

using testing::Group;

/// One machine that two origins use, each with a task that runs on it.
class LeaseCapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    host_ = group_.add("host");
    ASSERT_TRUE(group_.start(host_).ok());
    for (size_t* origin : {&ada_, &bob_}) {
      *origin = group_.add(origin == &ada_ ? "ada" : "bob");
      ASSERT_TRUE(group_.start(*origin).ok());
      group_.link(*origin, host_);
    }
    group_.at(host_).hold_tasks = true;
    ada_lease_ = group_.grant(host_, ada_);
    bob_lease_ = group_.grant(host_, bob_);
    for (const size_t origin : {ada_, bob_}) {
      group_.put_file(origin, "/program.wasm", testing::tiny_module());
      group_.put_file(origin, "/input", to_bytes(view("some input")));
      RunRequest run;
      run.module = group_.file(origin, "/program.wasm");
      run.inputs = {group_.file(origin, "/input")};
      run.verify = 1;
      asked_.push_back(group_.ask(origin, run));
    }
    tasks_ = group_.at(host_).tasks;
    ASSERT_EQ(tasks_.size(), 2u);
  }
  bool answered(size_t which) { return group_.at(which == 0 ? ada_ : bob_).answers.count(asked_[which]) != 0; }

  Group group_;
  size_t host_ = 0, ada_ = 0, bob_ = 0;
  std::string ada_lease_, bob_lease_;
  std::vector<RequestId> asked_;
  std::vector<work::RunDomain> tasks_;  // ada's, bob's
};

// req: D2
TEST_F(LeaseCapTest, AResultCountsWithTheHandleOfItsLease) {
  EXPECT_FALSE(tasks_[0].lease_cap.is_zero());
  EXPECT_NE(tasks_[0].lease_cap, tasks_[1].lease_cap);
  group_.finish_task_with(host_, tasks_[0], tasks_[0].lease_cap);
  EXPECT_TRUE(answered(0));
  group_.finish_task_with(host_, tasks_[1], tasks_[1].lease_cap);
  EXPECT_TRUE(answered(1));
}

// req: D2
TEST_F(LeaseCapTest, AnotherLeasesHandleAGuessedOneAndNoneCountForNothing) {
  object::Handle guessed;
  guessed.bytes.fill(0x5a);
  object::Handle flipped = tasks_[0].lease_cap;
  flipped.bytes[7] ^= 1;
  for (const object::Handle& handle : {tasks_[1].lease_cap, guessed, flipped, object::Handle{}}) {
    group_.finish_task_with(host_, tasks_[0], handle);
    EXPECT_FALSE(answered(0));
  }
  group_.finish_task_with(host_, tasks_[0], tasks_[0].lease_cap);
  EXPECT_TRUE(answered(0)) << "the true result still counts";
}

// req: D2
TEST_F(LeaseCapTest, AHandleEndsWithItsLeaseAndNotWithAnothers) {
  group_.answer(host_, LeaseChangeRequest{bob_lease_, LeaseAction::kRevoke});
  group_.finish_task_with(host_, tasks_[1], tasks_[1].lease_cap);
  EXPECT_FALSE(answered(1));
  group_.finish_task_with(host_, tasks_[0], tasks_[0].lease_cap);
  EXPECT_TRUE(answered(0)) << "what was revoked was not its grant";
}

TEST_F(LeaseCapTest, AHandleOfTheLifeBeforeIsWorthNothing) {
  const object::Handle old = tasks_[0].lease_cap;
  group_.stop(host_);
  ASSERT_TRUE(group_.start(host_).ok());
  group_.link(ada_, host_);
  group_.at(host_).hold_tasks = true;
  group_.pass(seconds(60));
  ASSERT_FALSE(group_.at(host_).tasks.empty());
  const work::RunDomain again = group_.at(host_).tasks.front();
  EXPECT_NE(again.lease_cap, old);
  group_.finish_task_with(host_, again, old);
  EXPECT_FALSE(answered(0));
  group_.finish_task_with(host_, again, again.lease_cap);
  EXPECT_TRUE(answered(0));
}

}  // namespace
}  // namespace selvedge::node
