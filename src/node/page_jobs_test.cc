// What pages ask of a site's node, and what its owner lets them.
#include "node/node_testing.h"

namespace selvedge::node {
namespace {

using testing::Group;

class PageJobsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    site_ = group_.add("site");
    visitor_ = group_.add("visitor");
    ASSERT_TRUE(group_.start(site_).ok());
    ASSERT_TRUE(group_.start(visitor_).ok());
    for (const char* name : {"host", "second"}) {
      hosts_.push_back(group_.add(name));
      ASSERT_TRUE(group_.start(hosts_.back()).ok());
      group_.link(site_, hosts_.back());
      (void)group_.grant(hosts_.back(), site_);
    }
    group_.link(visitor_, site_);
  }
  void publish(PageLimits limits = {}) {
    group_.put_file(site_, "/program.wasm", testing::tiny_module());
    const FileName file = group_.file(site_, "/program.wasm");
    const std::string answer = group_.answer(site_, PagePublishRequest{"stats", file.path, file.size, "private", limits});
    ASSERT_NE(answer.find("\"name\":\"stats\""), std::string::npos) << answer;
  }
  JobAsk ask_for(uint64_t request) {
    JobAsk ask;
    ask.request = request;
    ask.program = "stats";
    return ask;
  }
  void ask(JobAsk what) {
    group_.feed(visitor_, [&](Node& node, Node::Out& out) { EXPECT_TRUE(node.on_job_asked(group_.now, group_.at(site_).key(), what, out).ok()); });
  }
  const std::vector<JobTold>& heard() { return group_.at(visitor_).heard; }
  std::vector<JobStage> stages(uint64_t request) {
    std::vector<JobStage> out;
    for (const JobTold& told : heard()) {
      if (told.request == request && (out.empty() || out.back() != told.stage)) out.push_back(told.stage);
    }
    return out;
  }
  void hold(bool held) {
    for (const size_t host : hosts_) group_.at(host).hold_tasks = held;
    if (!held) for (const size_t host : hosts_) group_.finish_tasks(host);
  }

  Group group_;
  size_t site_ = 0, visitor_ = 0;
  std::vector<size_t> hosts_;
};

// req: G2
TEST_F(PageJobsTest, APublishedProgramIsRunForAPageAndTheProofComesAlong) {
  PageLimits limits;
  limits.input_bytes_max = 100;
  publish(limits);
  JobAsk what = ask_for(1);
  what.input = to_bytes(view("some words"));
  ask(what);
  EXPECT_EQ(stages(1), (std::vector<JobStage>{JobStage::kWaiting, JobStage::kRunning, JobStage::kDone}));
  const JobTold& done = heard().back();
  EXPECT_EQ(to_string(done.output), "result of " + crypto::sha256(what.input).hex());
  ASSERT_EQ(done.receipts.size(), 2u);
  std::set<crypto::PublicKey> owners;
  for (const Bytes& bytes : done.receipts) {
    const auto receipt = object::open_object<object::Receipt>(bytes, crypto::Ed25519Verifier());
    ASSERT_TRUE(receipt.ok());
    EXPECT_EQ(receipt->body.origin, group_.at(site_).owner.public_key()) << "under the site's own authority";
    EXPECT_EQ(receipt->body.module, *done.module);
    owners.insert(receipt->body.owner);
  }
  EXPECT_EQ(owners.size(), 2u);
  EXPECT_NE(group_.answer(site_, PageListRequest{}).find("\"asked\":1,\"done\":1,\"refused\":0"), std::string::npos);
}

TEST_F(PageJobsTest, NothingIsDoneThatItsOwnerDidNotPublish) {
  ask(ask_for(1));
  ASSERT_EQ(heard().size(), 1u);
  EXPECT_EQ(heard()[0].stage, JobStage::kRefused);
  EXPECT_EQ(heard()[0].error, uint8_t(Errc::kNotFound));
  publish();
  JobAsk what = ask_for(2);
  what.input = {1};
  ask(what);
  EXPECT_EQ(heard().back().error, uint8_t(Errc::kLimit)) << "arguments only, unless the owner says otherwise";
  what = ask_for(3);
  what.verify = 4;
  ask(what);
  EXPECT_EQ(heard().back().error, uint8_t(Errc::kLimit));
  what = ask_for(4);
  what.args = {std::string(kPageArgsBytesMax, 'x')};
  ask(what);
  EXPECT_EQ(heard().back().error, uint8_t(Errc::kLimit));
  ask(ask_for(5));
  EXPECT_EQ(heard().back().stage, JobStage::kDone);
  EXPECT_EQ(group_.answer(site_, PageWithdrawRequest{"other"}), "refused: not_found");
  EXPECT_NE(group_.answer(site_, PageWithdrawRequest{"stats"}).find("\"name\":\"stats\""), std::string::npos);
  ask(ask_for(6));
  EXPECT_EQ(heard().back().error, uint8_t(Errc::kNotFound));
}

TEST_F(PageJobsTest, AVisitorHasSoManyAMinuteAndAllTogetherSoMany) {
  PageLimits limits;
  limits.visitor_per_minute = 2;
  limits.per_minute = 3;
  publish(limits);
  for (uint64_t i = 1; i <= 3; ++i) ask(ask_for(i));
  EXPECT_EQ(stages(2).back(), JobStage::kDone);
  EXPECT_EQ(heard().back().error, uint8_t(Errc::kLimit));
  const size_t other = group_.add("other");
  ASSERT_TRUE(group_.start(other).ok());
  group_.link(other, site_);
  for (uint64_t i = 1; i <= 2; ++i) {
    group_.feed(other, [&](Node& node, Node::Out& out) { EXPECT_TRUE(node.on_job_asked(group_.now, group_.at(site_).key(), ask_for(i), out).ok()); });
  }
  EXPECT_EQ(group_.at(other).heard.back().error, uint8_t(Errc::kLimit)) << "the third of all was the last";
  group_.pass(seconds(60));
  ask(ask_for(9));
  EXPECT_EQ(heard().back().stage, JobStage::kDone);
}

TEST_F(PageJobsTest, VisitorsTakeTurnsAndOnesOwnUrgentJobGoesFirst) {
  PageLimits limits;
  limits.visitor_per_minute = 100;
  publish(limits);
  hold(true);
  for (uint64_t i = 1; i <= kPageRunsMax + 2; ++i) ask(ask_for(i));
  JobAsk urgent = ask_for(100);
  urgent.priority = JobPriority::kHigh;
  ask(urgent);
  EXPECT_EQ(heard().back().ahead, 2u);
  const size_t other = group_.add("other");
  ASSERT_TRUE(group_.start(other).ok());
  group_.link(other, site_);
  group_.feed(other, [&](Node& node, Node::Out& out) { EXPECT_TRUE(node.on_job_asked(group_.now, group_.at(site_).key(), ask_for(1), out).ok()); });
  EXPECT_EQ(group_.at(other).heard.back().stage, JobStage::kWaiting);
  group_.feed(visitor_, [&](Node& node, Node::Out& out) { node.on_job_dropped(group_.now, group_.at(site_).key(), 1, out); });
  EXPECT_EQ(stages(1).back(), JobStage::kRefused);
  EXPECT_EQ(group_.at(other).heard.back().stage, JobStage::kRunning) << "who has nothing under way comes first";
  group_.feed(visitor_, [&](Node& node, Node::Out& out) { node.on_job_dropped(group_.now, group_.at(site_).key(), 2, out); });
  EXPECT_EQ(stages(100).back(), JobStage::kRunning);
  EXPECT_EQ(stages(kPageRunsMax + 1).back(), JobStage::kWaiting);
  hold(false);
  group_.pass(seconds(1));
  EXPECT_EQ(stages(kPageRunsMax + 2).back(), JobStage::kDone);
  EXPECT_NE(group_.answer(site_, PageListRequest{}).find("\"waiting\":0,\"running\":0"), std::string::npos);
}

TEST_F(PageJobsTest, WhatIsLateOrWantedNoLongerEnds) {
  publish();
  hold(true);
  JobAsk brief = ask_for(1);
  brief.timeout_ms = 1000;
  ask(brief);
  group_.pass(seconds(2));
  EXPECT_EQ(heard().back().error, uint8_t(Errc::kTimeout));
  ask(ask_for(2));
  const LinkId link = group_.at(visitor_).links.begin()->first;
  group_.close(visitor_, link);
  EXPECT_EQ(heard().back().error, uint8_t(Errc::kUnavailable)) << "a page is told, whatever happens";
  EXPECT_NE(group_.answer(site_, PageListRequest{}).find("\"waiting\":0,\"running\":0"), std::string::npos);
  EXPECT_NE(group_.answer(site_, StatusRequest{}).find("\"jobs_running\":0"), std::string::npos);
}

TEST_F(PageJobsTest, AMachineTakesTheProgramsThatItsOwnerNames) {
  publish();
  for (const size_t host : hosts_) group_.at(host).node->set_programs_taken({"embeddings"});
  ask(ask_for(1));
  group_.pass(seconds(90));
  EXPECT_EQ(heard().back().stage, JobStage::kRefused);
  for (const size_t host : hosts_) group_.at(host).node->set_programs_taken({"stats"});
  ask(ask_for(2));
  EXPECT_EQ(heard().back().stage, JobStage::kDone);
}

TEST_F(PageJobsTest, WhatIsPublishedOutlivesTheProcess) {
  publish();
  group_.stop(site_);
  ASSERT_TRUE(group_.start(site_).ok());
  EXPECT_NE(group_.answer(site_, PageListRequest{}).find("\"name\":\"stats\""), std::string::npos);
}

}  // namespace
}  // namespace selvedge::node
