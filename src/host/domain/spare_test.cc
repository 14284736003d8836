// Processes that are started ahead, and tasks that are stopped alone.
#include <signal.h>

#include "host/domain/domain_testing.h"

namespace selvedge::host {
namespace {

class Spares : public Domain {
 protected:
  void SetUp() override {
    if (in_machines()) GTEST_SKIP() << "machines have no spares";
  }
  /// Until so many spares could be taken.
  void wait_for(size_t count) {
    Loop::Timer look(loop_, [&] {
      if (pool_.spares_ready() == count) loop_.stop();
      else look_again_->set(loop_.now() + milliseconds(1));
    });
    look_again_ = &look;
    look.set(loop_.now());
    loop_.run();
  }
  Loop::Timer* look_again_ = nullptr;
};

// req: D2
TEST_F(Spares, TheFirstTaskTakesOneAndAnotherComes) {
  pool_.keep_spares(1);
  wait_for(1);
  EXPECT_EQ(pool_.processes(), 0u) << "a spare is nobody's";
  const DomainOutcome first = run(1, task_of(guest("hello")));
  EXPECT_EQ(first.end, DomainEnd::kExited) << first.message;
  EXPECT_EQ(pool_.spares_ready(), 0u);
  const int process = pool_.process_of(1);
  wait_for(1);
  EXPECT_EQ(pool_.process_of(1), process) << "the lease keeps what it has";
  // The next lease gets the other one, and the same answer as from a process of its own making.
  const DomainOutcome second = run(2, task_of(guest("hello")));
  EXPECT_NE(pool_.process_of(2), process);
  EXPECT_EQ(second.trace, first.trace);
  pool_.keep_spares(0);
  const DomainOutcome plain = run(3, task_of(guest("hello")));
  EXPECT_EQ(plain.trace, first.trace);
}

TEST_F(Spares, OneThatDiesIsNotTakenAndNotReplacedAtOnce) {
  pool_.keep_spares(1);
  wait_for(1);
  // The pool knows no process id of a spare: it is this process's youngest child.
  std::ifstream children("/proc/self/task/" + std::to_string(getpid()) + "/children");
  int child = 0, last = 0;
  while (children >> child) last = child;
  ASSERT_GT(last, 0);
  ASSERT_EQ(kill(last, SIGKILL), 0);
  wait_for(0);
  EXPECT_EQ(run(1, task_of(guest("hello"))).end, DomainEnd::kExited);
  EXPECT_EQ(pool_.spares_ready(), 0u);
}

TEST_F(Spares, GoWhenMemoryIsShort) {
  pool_.keep_spares(2);
  wait_for(2);
  pool_.drop_idle();
  EXPECT_EQ(pool_.spares_ready(), 0u);
  EXPECT_EQ(run(1, task_of(guest("hello"))).end, DomainEnd::kExited);
}

// req: D9
TEST_F(Domain, OneTaskIsCancelledAndTheOthersGoOn) {
  std::vector<DomainOutcome> answers(4);
  int left = 4;
  const auto into = [&](size_t i) {
    return [&, i](DomainOutcome out) {
      answers[i] = std::move(out);
      if (--left == 0) loop_.stop();
    };
  };
  DomainTask spin = task_of(guest("spin"));
  spin.fuel_limit = INT64_MAX;
  const uint64_t running = pool_.run(1, spin, into(0));
  pool_.run(1, task_of(guest("hello")), into(1));
  const uint64_t waiting = pool_.run(1, task_of(guest("hello")), into(2));
  pool_.run(1, task_of(guest("hello")), into(3));
  Loop::Timer later(loop_, [&] {
    pool_.cancel(1, waiting);
    pool_.cancel(1, running);
    pool_.cancel(1, 12345);
    pool_.cancel(2, running);
  });
  later.set(loop_.now() + milliseconds(50));
  const Instant began = loop_.now();
  loop_.run();
  EXPECT_LT(loop_.now() - began, seconds(20)) << "the spinning task would have gone on for its wall time";
  EXPECT_EQ(answers[0].end, DomainEnd::kKilled);
  EXPECT_EQ(answers[0].message, "cancelled");
  EXPECT_GT(answers[0].cpu_ns, 0u) << "what it used is known";
  EXPECT_EQ(answers[2].end, DomainEnd::kKilled);
  EXPECT_EQ(answers[2].cpu_ns, 0u);
  EXPECT_EQ(answers[1].end, DomainEnd::kExited) << answers[1].message;
  EXPECT_EQ(answers[3].end, DomainEnd::kExited) << answers[3].message;
}

}  // namespace
}  // namespace selvedge::host
