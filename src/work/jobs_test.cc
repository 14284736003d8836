#include "work/jobs.h"

#include <gtest/gtest.h>

#include "codec/dag.h"
#include "crypto/sign.h"
#include "work/executor.h"

namespace selvedge::work {

/// An origin's Jobs, and executors that answer what it asks as they are told to.
class JobsTest : public testing::Test {
 protected:
  struct Machine {
    std::unique_ptr<crypto::Ed25519Signer> node;
    crypto::PublicKey owner;
    std::string says = "right";
    const NodeKey& key() const { return node->public_key(); }
  };

  Machine& machine(uint8_t n) {
    Machine& m = machines_[n];
    if (m.node) return m;
    Bytes seed(32, n);
    m.node = std::make_unique<crypto::Ed25519Signer>(crypto::Seed::from(seed).value());
    m.owner.bytes.fill(n);
    return m;
  }
  void allow(std::vector<uint8_t> numbers) {
    std::vector<ExecutorInfo> infos;
    for (uint8_t n : numbers) infos.push_back({machine(n).key(), machine(n).owner});
    jobs_.set_executors(now_, infos, out_);
  }
  uint64_t start(size_t tasks, uint32_t agree) {
    std::vector<TaskUnit> units(tasks);
    for (TaskUnit& unit : units) unit.spec.origin.bytes.fill(99);
    return jobs_.start(now_, std::move(units), agree, out_).value();
  }
  object::Reveal reveal_of(const Machine& m, const TaskId& task) {
    object::Reveal reveal;
    reveal.task = task;
    reveal.executor = m.key();
    reveal.output = output_cid(view(m.says));
    reveal.fuel = 7;
    return reveal;
  }
  void commit(const Machine& m, const TaskId& task) {
    jobs_.on_commitment(now_, m.key(), object::Commitment{task, m.key(), object::commitment_digest(reveal_of(m, task))}, out_);
  }
  void reveal(const Machine& m, const TaskId& task) {
    const object::Reveal shown = reveal_of(m, task);
    object::Receipt receipt;
    receipt.executor = m.key();
    receipt.owner = m.owner;
    receipt.origin.bytes.fill(99);
    receipt.grant.bytes.fill(1);
    receipt.task = task;
    receipt.output = shown.output;
    receipt.fuel = shown.fuel;
    jobs_.on_reveal(now_, m.key(), shown, object::sign_object(*m.node, receipt).value(), to_bytes(view(m.says)), out_);
  }
  /// Takes the effects and keeps what the tests look at.
  void settle() {
    for (JobEffect& effect : out_.take()) {
      if (auto* offer = std::get_if<MakeOffer>(&effect)) offers_.push_back(*offer);
      else if (auto* send = std::get_if<SendWork>(&effect)) note(*send);
      else if (auto* rejected = std::get_if<TaskRejected>(&effect)) rejected_.push_back(rejected->node);
      else if (auto* ended = std::get_if<JobEnded>(&effect)) ended_.push_back(*ended);
      else done_.push_back(std::get<TaskDone>(effect).index);
    }
  }
  void note(const SendWork& send) {
    const auto message = WorkMessages::decode(send.message);
    ASSERT_TRUE(message.ok());
    if (const auto* ask = std::get_if<RevealAsk>(&*message)) asked_.insert({send.to, ask->task});
  }
  bool asked(const Machine& m, const TaskId& task) const { return asked_.count({m.key(), task}) > 0; }
  TaskId task_of(uint32_t index) const {
    for (const MakeOffer& offer : offers_) {
      if (offer.index == index) return offer.task;
    }
    return {};
  }

  Instant now_ = Instant::from_unix_seconds(1'800'000'000);
  Jobs jobs_{1};
  Jobs::Out out_;
  std::map<uint8_t, Machine> machines_;
  std::vector<MakeOffer> offers_;
  std::set<std::pair<NodeKey, TaskId>> asked_;
  std::vector<NodeKey> rejected_;
  std::vector<uint32_t> done_;
  std::vector<JobEnded> ended_;
};

TEST_F(JobsTest, NobodyRevealsBeforeAllHaveCommitted) {
  allow({1, 2});
  start(1, 2);
  settle();
  ASSERT_EQ(offers_.size(), 2u);
  commit(machine(1), task_of(0));
  settle();
  EXPECT_TRUE(asked_.empty());
  commit(machine(2), task_of(0));
  settle();
  EXPECT_EQ(asked_.size(), 2u);
  reveal(machine(1), task_of(0));
  reveal(machine(2), task_of(0));
  settle();
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_TRUE(ended_[0].status.ok());
}

// Two tasks meet the liar; the third owner settles the first. The second then needs no third owner any more, which
// matters when there is none: the liar's word had asked for it.
TEST_F(JobsTest, ALiarFoundElsewhereIsOutvotedByTheOthersAlone) {
  const Machine &honest = machine(1), &third = machine(3);
  machine(2).says = "wrong";
  const Machine& liar = machine(2);
  allow({1, 2});
  start(2, 2);
  settle();
  for (uint32_t index : {0u, 1u}) {
    for (const Machine* m : {&honest, &liar}) commit(*m, task_of(index));
    for (const Machine* m : {&honest, &liar}) reveal(*m, task_of(index));
  }
  allow({1, 2, 3});
  settle();
  commit(third, task_of(0));
  reveal(third, task_of(0));
  settle();
  EXPECT_EQ(rejected_, std::vector<NodeKey>{liar.key()});
  EXPECT_EQ(done_, std::vector<uint32_t>{0});
  EXPECT_TRUE(ended_.empty());
  commit(third, task_of(1));
  settle();
  EXPECT_TRUE(asked(third, task_of(1)));
  reveal(third, task_of(1));
  settle();
  EXPECT_EQ(done_, (std::vector<uint32_t>{0, 1}));
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_TRUE(ended_[0].status.ok());
}

// The same, where the third owner had committed to the second task before the liar was found.
TEST_F(JobsTest, WhoHasCommittedIsAskedWhenTheLiarIsGone) {
  const Machine &honest = machine(1), &third = machine(3);
  machine(2).says = "wrong";
  const Machine& liar = machine(2);
  allow({1, 2});
  start(2, 2);
  settle();
  for (const Machine* m : {&honest, &liar}) commit(*m, task_of(0));
  for (const Machine* m : {&honest, &liar}) reveal(*m, task_of(0));
  allow({1, 2, 3});
  for (const Machine* m : {&honest, &liar}) commit(*m, task_of(1));
  for (const Machine* m : {&honest, &liar}) reveal(*m, task_of(1));
  settle();
  commit(third, task_of(1));
  commit(third, task_of(0));
  reveal(third, task_of(1));
  settle();
  EXPECT_EQ(rejected_, std::vector<NodeKey>{liar.key()});
  reveal(third, task_of(0));
  settle();
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_TRUE(ended_[0].status.ok());
}

}  // namespace selvedge::work
