#include "work/jobs.h"

#include <gtest/gtest.h>

#include "codec/dag.h"
#include "crypto/sign.h"
#include "wasm/checkpoint.h"
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

// req: D11
TEST_F(JobsTest, AMismatchAsksAThirdOwnerWhoDecidesAndTheWrongOneIsNamed) {
  allow({1, 2, 3});
  machine(2).says = "wrong";
  start(1, 2);
  settle();
  const TaskId task = task_of(0);
  std::vector<uint8_t> order;
  for (const MakeOffer& offer : offers_) order.push_back(offer.executor == machine(1).key() ? 1 : offer.executor == machine(2).key() ? 2 : 3);
  if (std::find(order.begin(), order.end(), 2) == order.end()) machine(order[1]).says = "wrong";  // whoever was drawn, one of them lies
  const uint8_t third = uint8_t(6 - order[0] - order[1]);
  for (uint8_t n : order) commit(machine(n), task);
  for (uint8_t n : order) reveal(machine(n), task);
  settle();
  EXPECT_TRUE(done_.empty());
  EXPECT_TRUE(rejected_.empty()) << "two against each other name nobody";
  ASSERT_EQ(offers_.size(), 3u);
  EXPECT_EQ(offers_[2].executor, machine(third).key());
  machine(third).says = "right";
  commit(machine(third), task);
  reveal(machine(third), task);
  settle();
  EXPECT_EQ(done_.size(), 1u);
  ASSERT_EQ(rejected_.size(), 1u);
  for (auto& [n, m] : machines_) {
    if (m.key() == rejected_[0]) {
      EXPECT_EQ(m.says, "wrong");
    }
  }
  EXPECT_EQ(ended_.size(), 1u);
}

// req: C15 D11
TEST_F(JobsTest, ARevealThatDoesNotFitItsCommitmentIsNamedAndReplaced) {
  allow({1, 2, 3});
  start(1, 2);
  settle();
  const TaskId task = task_of(0);
  std::vector<Machine*> asked;
  for (auto& [n, m] : machines_) {
    for (const MakeOffer& offer : offers_) {
      if (offer.executor == m.key()) asked.push_back(&m);
    }
  }
  ASSERT_EQ(asked.size(), 2u);
  for (Machine* m : asked) commit(*m, task);
  asked[0]->says = "something else now";
  reveal(*asked[0], task);
  settle();
  EXPECT_EQ(rejected_, std::vector<NodeKey>{asked[0]->key()});
  ASSERT_EQ(offers_.size(), 3u);
  EXPECT_NE(offers_[2].executor, asked[0]->key());
}

TEST_F(JobsTest, AnOutputThatIsNotTheRevealedOneIsALie) {
  allow({1});
  start(1, 1);
  settle();
  commit(machine(1), task_of(0));
  const object::Reveal shown = reveal_of(machine(1), task_of(0));
  object::Receipt receipt;
  receipt.executor = machine(1).key();
  receipt.owner = machine(1).owner;
  receipt.origin.bytes.fill(99);
  receipt.grant.bytes.fill(1);
  receipt.task = shown.task;
  receipt.output = shown.output;
  receipt.fuel = shown.fuel;
  jobs_.on_reveal(now_, machine(1).key(), shown, object::sign_object(*machine(1).node, receipt).value(), to_bytes(view("other bytes")), out_);
  settle();
  EXPECT_EQ(rejected_, std::vector<NodeKey>{machine(1).key()});
  EXPECT_TRUE(done_.empty());
}

TEST_F(JobsTest, TwoMachinesOfOneOwnerAreOneWitness) {
  machine(2).owner = machine(1).owner;
  allow({1, 2});
  start(1, 2);
  settle();
  EXPECT_EQ(offers_.size(), 1u);
  allow({1, 2, 3});
  settle();
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_EQ(offers_[1].executor, machine(3).key());
}

TEST_F(JobsTest, ARefusalGoesToSomebodyElseAndAFullMachineIsAskedAgain) {
  allow({1, 2});
  start(1, 1);
  settle();
  const NodeKey first = offers_[0].executor;
  jobs_.on_offer_answer(now_, first, OfferAnswer{task_of(0), uint8_t(Errc::kLimit), "full"}, out_);
  settle();
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_NE(offers_[1].executor, first);
  jobs_.on_offer_answer(now_, offers_[1].executor, OfferAnswer{task_of(0), uint8_t(Errc::kLimit), "full"}, out_);
  settle();
  EXPECT_EQ(offers_.size(), 2u);
  now_ = jobs_.next_deadline();
  EXPECT_LE(now_, Instant::from_unix_seconds(1'800'000'001));
  jobs_.on_deadline(now_, out_);
  settle();
  EXPECT_EQ(offers_.size(), 3u);
}

TEST_F(JobsTest, AJobThatNoMachineCanRunEndsAtOnce) {
  allow({1, 2});
  start(1, 1);
  settle();
  jobs_.on_offer_answer(now_, offers_[0].executor, OfferAnswer{task_of(0), uint8_t(Errc::kUnsupported), "no machines here"}, out_);
  settle();
  ASSERT_EQ(offers_.size(), 2u) << "the other is asked";
  EXPECT_TRUE(ended_.empty());
  jobs_.on_offer_answer(now_, offers_[1].executor, OfferAnswer{task_of(0), uint8_t(Errc::kUnsupported), "no machines here"}, out_);
  settle();
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status.code(), Errc::kUnsupported);
}

TEST_F(JobsTest, ALostExecutorCostsARetryAndNothingElse) {
  allow({1, 2, 3});
  start(1, 2);
  settle();
  const NodeKey stays = offers_[0].executor, goes = offers_[1].executor;
  std::vector<uint8_t> left;
  for (uint8_t n : {uint8_t(1), uint8_t(2), uint8_t(3)}) {
    if (machine(n).key() != goes) left.push_back(n);
  }
  allow(left);
  settle();
  ASSERT_EQ(offers_.size(), 3u);
  EXPECT_NE(offers_[2].executor, stays);
  EXPECT_NE(offers_[2].executor, goes);
  EXPECT_EQ(jobs_.counts(1).retries, 1u);
  for (uint8_t n : left) commit(machine(n), task_of(0));
  for (uint8_t n : left) reveal(machine(n), task_of(0));
  settle();
  EXPECT_EQ(done_.size(), 1u);
  EXPECT_TRUE(rejected_.empty());
}

TEST_F(JobsTest, WhoRunsOutOfTimeIsAskedLast) {
  allow({1, 2});
  start(1, 1);
  settle();
  const NodeKey late = offers_[0].executor;
  now_ = now_ + kAttemptTimeout;
  jobs_.on_deadline(now_, out_);
  settle();
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_NE(offers_[1].executor, late);
}

TEST_F(JobsTest, StarvationEndsTheJobAndSaysWhatIsNeeded) {
  allow({1});
  start(1, 2);
  settle();
  commit(machine(1), task_of(0));
  settle();
  for (int i = 0; i < 20 && ended_.empty(); ++i) {
    now_ = std::max(now_, jobs_.next_deadline());
    ASSERT_NE(now_, Instant::never()) << "it would wait for ever";
    jobs_.on_deadline(now_, out_);
    settle();
  }
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status.code(), Errc::kUnavailable);
  EXPECT_NE(ended_[0].status.error().message.find("1 can be asked, 2 distinct owners are needed"), std::string::npos) << ended_[0].status.error().message;
  EXPECT_NE(ended_[0].status.error().message.find("grant"), std::string::npos);
}

TEST_F(JobsTest, ATaskThatLosesEveryExecutorIsGivenUp) {
  allow({1, 2, 3});
  start(1, 1);
  settle();
  const Instant began = now_;
  for (uint32_t i = 0; i < 10 * kAttemptsMax && ended_.empty(); ++i) {
    if (offers_.size() > i) {
      for (auto& [n, m] : machines_) {
        if (m.key() != offers_.back().executor) continue;
        m.says = "inconclusive";
        jobs_.on_offer_answer(now_, m.key(), OfferAnswer{task_of(0), uint8_t(Errc::kInconclusive), "the program kills its domain"}, out_);
      }
    }
    settle();
    if (!ended_.empty()) break;
    now_ = std::max(now_, jobs_.next_deadline());
    jobs_.on_deadline(now_, out_);
    settle();
  }
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status.code(), Errc::kUnavailable);
  EXPECT_EQ(offers_.size(), kAttemptsMax);
  EXPECT_GE(now_ - began, kRetryPauseMax * 10) << "what ails it had no time to pass";
}

TEST_F(JobsTest, NoMajorityIsADisagreement) {
  std::vector<uint8_t> all;
  for (uint8_t n = 1; n <= kAgreeMax; ++n) {
    machine(n).says = "opinion " + std::to_string(n);
    all.push_back(n);
  }
  allow(all);
  start(1, 2);
  settle();
  for (size_t i = 0; i < offers_.size(); ++i) {
    for (auto& [n, m] : machines_) {
      if (m.key() == offers_[i].executor) commit(m, task_of(0));
    }
    settle();
    for (auto& [n, m] : machines_) {
      if (asked(m, task_of(0))) reveal(m, task_of(0));
    }
    settle();
  }
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status.code(), Errc::kDisagreement);
  EXPECT_TRUE(done_.empty());
}

TEST_F(JobsTest, FuelAndTraceMustAgreeToo) {
  object::Reveal a, b;
  EXPECT_TRUE(same_result(a, b));
  b.fuel = 1;
  EXPECT_FALSE(same_result(a, b));
  b = a;
  b.trace.bytes.fill(1);
  EXPECT_FALSE(same_result(a, b));
  b = a;
  b.outcome = object::Outcome::kTrap;
  EXPECT_FALSE(same_result(a, b));
  b = a;
  b.output = output_cid(view("x"));
  EXPECT_FALSE(same_result(a, b));
  b = a;
  b.nonce.bytes.fill(3);  // what hides a result until it is shown is no part of it
  EXPECT_TRUE(same_result(a, b));
}

TEST_F(JobsTest, NobodyGetsMoreThanItsShareAndEverybodyGetsSome) {
  allow({1, 2, 3, 4});
  start(200, 2);
  settle();
  std::map<NodeKey, size_t> count;
  for (const MakeOffer& offer : offers_) ++count[offer.executor];
  EXPECT_EQ(count.size(), 4u);
  for (const auto& [node, n] : count) EXPECT_EQ(n, kOutstandingPerExecutorMax);
}

TEST_F(JobsTest, MachinesThatHoldTheInputComeFirst) {
  allow({1, 2, 3});
  TaskUnit unit;
  unit.spec.origin.bytes.fill(99);
  unit.near = {machine(3).key()};
  (void)jobs_.start(now_, {unit}, 1, out_).value();
  settle();
  EXPECT_EQ(offers_[0].executor, machine(3).key());
}

TEST_F(JobsTest, ACancelledJobTellsItsExecutors) {
  allow({1, 2});
  const uint64_t id = start(1, 2);
  settle();
  jobs_.cancel(id, out_);
  size_t cancels = 0;
  for (const JobEffect& effect : out_) {
    if (const auto* send = std::get_if<SendWork>(&effect)) cancels += send->message[0] == Cancel::kType ? 1 : 0;
  }
  EXPECT_EQ(cancels, 2u);
  settle();
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status.code(), Errc::kCancelled);
  EXPECT_EQ(jobs_.next_deadline(), Instant::never());
}

TEST_F(JobsTest, LimitsAreErrors) {
  EXPECT_EQ(jobs_.start(now_, {}, 2, out_).code(), Errc::kInvalid);
  EXPECT_EQ(jobs_.start(now_, std::vector<TaskUnit>(1), 0, out_).code(), Errc::kInvalid);
  EXPECT_EQ(jobs_.start(now_, std::vector<TaskUnit>(1), kAgreeMax + 1, out_).code(), Errc::kInvalid);
  EXPECT_EQ(jobs_.start(now_, std::vector<TaskUnit>(kTasksPerJobMax + 1), 2, out_).code(), Errc::kLimit);
  for (size_t i = 0; i < kJobsMax; ++i) EXPECT_TRUE(jobs_.start(now_, std::vector<TaskUnit>(1), 2, out_).ok());
  EXPECT_EQ(jobs_.start(now_, std::vector<TaskUnit>(1), 2, out_).code(), Errc::kLimit);
}

TEST_F(JobsTest, WhatStrangersSayChangesNothing) {
  allow({1, 2});
  start(1, 2);
  settle();
  const Machine& stranger = machine(9);
  commit(stranger, task_of(0));
  reveal(stranger, task_of(0));
  jobs_.on_offer_answer(now_, stranger.key(), OfferAnswer{task_of(0), uint8_t(Errc::kRevoked), "no"}, out_);
  settle();
  EXPECT_TRUE(done_.empty());
  EXPECT_TRUE(rejected_.empty());
  EXPECT_TRUE(asked_.empty());
  // A reveal nobody asked for is not looked at: its executor might have seen another's.
  reveal(machine(1), task_of(0));
  settle();
  EXPECT_TRUE(done_.empty());
}

// Two who have committed wait for a third whom nobody can be: the job says so after kStarvedTimeout, and does not offer the
// task to the two again and again.
TEST_F(JobsTest, FewerOwnersThanMustAgreeEndTheJob) {
  allow({1, 2});
  start(1, 3);
  settle();
  commit(machine(1), task_of(0));
  commit(machine(2), task_of(0));
  settle();
  const Instant begun = now_;
  for (int i = 0; i < 10 && ended_.empty(); ++i) {
    ASSERT_LT(jobs_.next_deadline(), Instant::never());
    now_ = std::max(now_, jobs_.next_deadline());
    jobs_.on_deadline(now_, out_);
    settle();
  }
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status.error().code, Errc::kUnavailable);
  EXPECT_EQ(now_ - begun, kStarvedTimeout);
  EXPECT_EQ(offers_.size(), 2u);
}

// ---- tasks that can be taken up again

class JobStatesTest : public JobsTest {
 protected:
  /// A state after so many turns of kCheckpointFuel.
  void state(const Machine& m, const TaskId& task, uint64_t turns, const char* what = "state") {
    jobs_.on_state(now_, m.key(), task, turns * wasm::kCheckpointFuel, to_bytes(view(what)));
  }
  Machine& by_key(const NodeKey& key) {
    for (auto& [n, m] : machines_) {
      if (m.key() == key) return m;
    }
    ADD_FAILURE() << "no such machine";
    return machines_.begin()->second;
  }
  std::string begun_from(const MakeOffer& offer) { return offer.state ? to_string(*offer.state) : ""; }
  void start_long(uint32_t agree) {
    std::vector<TaskUnit> units(1);
    units[0].spec.origin.bytes.fill(99);
    units[0].spec.fuel_limit = 1'000'000'000'000;
    jobs_.start(now_, std::move(units), agree, out_).value();
    settle();
  }
};

// req: D6
TEST_F(JobStatesTest, ALostMachineCostsNoMoreThanSinceItsLastState) {
  allow({1, 2});
  start_long(1);
  const TaskId task = task_of(0);
  state(by_key(offers_[0].executor), task, 3, "older");
  state(by_key(offers_[0].executor), task, 5, "newer");
  const uint8_t left = offers_[0].executor == machine(1).key() ? 2 : 1;
  allow({left});
  settle();
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_EQ(offers_[1].executor, machine(left).key());
  EXPECT_EQ(begun_from(offers_[1]), "newer");
  ASSERT_EQ(jobs_.list().size(), 1u);
  EXPECT_EQ(jobs_.list()[0].fuel, 5 * wasm::kCheckpointFuel);
  commit(machine(left), task);
  reveal(machine(left), task);
  settle();
  EXPECT_EQ(done_.size(), 1u);
}

// req: D6 D11
TEST_F(JobStatesTest, WhoseStateItWasIsNoSecondOpinion) {
  allow({1, 2});
  start_long(2);
  ASSERT_EQ(offers_.size(), 2u);
  const TaskId task = task_of(0);
  Machine& gone = by_key(offers_[0].executor);
  Machine& stays = by_key(offers_[1].executor);
  state(gone, task, 4);
  allow({uint8_t(&stays == &machine(1) ? 1 : 2), 3});
  settle();
  ASSERT_EQ(offers_.size(), 3u);
  EXPECT_EQ(offers_[2].executor, machine(3).key()) << "and not the one that runs it already";
  EXPECT_EQ(begun_from(offers_[2]), "state");
  // Whoever made the state does not judge what followed from it: with the other execution lost there is nobody to ask.
  allow({3, uint8_t(&gone == &machine(1) ? 1 : 2)});
  settle();
  EXPECT_EQ(offers_.size(), 3u);
  allow({3, 4});
  settle();
  ASSERT_EQ(offers_.size(), 4u);
  EXPECT_EQ(offers_[3].executor, machine(4).key());
  EXPECT_EQ(begun_from(offers_[3]), "");
}

// req: D6
TEST_F(JobStatesTest, NobodyIsNamedForWhatFollowedFromAnothersState) {
  allow({1, 2});
  start_long(2);
  const TaskId task = task_of(0);
  Machine& liar = by_key(offers_[0].executor);
  Machine& honest = by_key(offers_[1].executor);
  state(liar, task, 4, "made up");
  allow({uint8_t(&honest == &machine(1) ? 1 : 2), 3, 4});
  settle();
  ASSERT_EQ(offers_.size(), 3u);
  Machine& went_on = by_key(offers_[2].executor);
  went_on.says = "what follows from the lie";
  for (Machine* m : {&honest, &went_on}) commit(*m, task);
  for (Machine* m : {&honest, &went_on}) reveal(*m, task);
  settle();
  ASSERT_EQ(offers_.size(), 4u);
  commit(by_key(offers_[3].executor), task);
  reveal(by_key(offers_[3].executor), task);
  settle();
  EXPECT_EQ(done_.size(), 1u);
  EXPECT_TRUE(rejected_.empty());
}

// req: D6
TEST_F(JobStatesTest, AStateThatLeadsNowhereIsThrownAway) {
  allow({1});
  start_long(1);
  const TaskId task = task_of(0);
  state(machine(1), task, 2, "bad");
  for (int i = 0; i < 4; ++i) {
    jobs_.on_offer_answer(now_, machine(1).key(), OfferAnswer{task, uint8_t(Errc::kInternal), "it broke"}, out_);
    settle();
    now_ = now_ + seconds(30);
    jobs_.on_deadline(now_, out_);
    settle();
  }
  ASSERT_GE(offers_.size(), 4u);
  EXPECT_EQ(begun_from(offers_[1]), "bad");
  EXPECT_EQ(begun_from(offers_[2]), "bad");
  EXPECT_EQ(begun_from(offers_[3]), "") << "from the start";
}

// A machine that sends ever new states and never comes to an end.
TEST_F(JobStatesTest, StatesThatBringNothingAreNotCounted) {
  allow({1});
  start_long(1);
  const TaskId task = task_of(0);
  state(machine(1), task, 2, "first");
  jobs_.on_state(now_, machine(1).key(), task, 2 * wasm::kCheckpointFuel + 5, to_bytes(view("hardly further")));
  jobs_.on_state(now_, machine(1).key(), task, wasm::kCheckpointFuel, to_bytes(view("back")));
  jobs_.on_state(now_, machine(1).key(), task, UINT64_MAX, to_bytes(view("beyond the limit")));
  jobs_.on_state(now_, machine(1).key(), task, 9 * wasm::kCheckpointFuel, Bytes(kTaskStateBytesMax + 1));
  EXPECT_EQ(jobs_.list()[0].fuel, 2 * wasm::kCheckpointFuel);
}

// req: D6
TEST_F(JobStatesTest, APersonMovesATask) {
  allow({1, 2, 3});
  start_long(1);
  const TaskId task = task_of(0);
  const NodeKey from = offers_[0].executor;
  const NodeKey to = from == machine(3).key() ? machine(2).key() : machine(3).key();
  state(by_key(from), task, 6);
  EXPECT_EQ(jobs_.move(now_, "nothing", to, out_).code(), Errc::kNotFound);
  EXPECT_EQ(jobs_.move(now_, task.hex(), from, out_).code(), Errc::kInvalid);
  ASSERT_TRUE(jobs_.move(now_, task.hex().substr(0, 8), to, out_).ok());
  settle();
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_EQ(offers_[1].executor, to);
  EXPECT_EQ(begun_from(offers_[1]), "state");
  EXPECT_EQ(jobs_.list()[0].moves, 1u);
}

// req: A21
TEST_F(JobStatesTest, WhatMustNotBeCalledTwiceIsNotMoved) {
  allow({1, 2});
  std::vector<TaskUnit> units(1);
  units[0].spec.origin.bytes.fill(99);
  units[0].idempotency = object::Idempotency::kNone;
  jobs_.start(now_, std::move(units), 1, out_).value();
  settle();
  const NodeKey to = offers_[0].executor == machine(1).key() ? machine(2).key() : machine(1).key();
  EXPECT_EQ(jobs_.move(now_, task_of(0).hex(), to, out_).code(), Errc::kInvalid);
  settle();
  EXPECT_EQ(offers_.size(), 1u);
}

// req: D6
TEST_F(JobStatesTest, ATaskLeavesAMachineOnlyForAMuchBetterOneThatStaysSo) {
  const auto scores = [this](uint32_t first, uint32_t second) {
    jobs_.set_executors(now_, {{machine(1).key(), machine(1).owner, first}, {machine(2).key(), machine(2).owner, second}}, out_);
    settle();
  };
  const auto wait = [this](Duration time) {
    now_ = now_ + time;
    jobs_.on_deadline(now_, out_);
    settle();
  };
  scores(1000, 1000);
  start_long(1);
  const TaskId task = task_of(0);
  const bool on_first = offers_[0].executor == machine(1).key();
  state(by_key(offers_[0].executor), task, 2);
  wait(kMigrateDwell);
  const auto other_is = [&](uint32_t score) { on_first ? scores(1000, score) : scores(score, 1000); };
  other_is(1499);
  wait(seconds(60));
  EXPECT_EQ(offers_.size(), 1u) << "not much better";
  other_is(1500);
  wait(kMigratePatience - seconds(1));
  other_is(1000);
  wait(seconds(2));
  other_is(1500);
  wait(kMigratePatience - seconds(1));
  EXPECT_EQ(offers_.size(), 1u) << "not for long enough";
  EXPECT_LE(jobs_.next_deadline(), now_ + seconds(1));
  wait(seconds(1));
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_EQ(begun_from(offers_[1]), "state");
  wait(seconds(60));
  EXPECT_EQ(offers_.size(), 2u) << "and there it stays";
}

}  // namespace selvedge::work
