// That a lease's pace holds, with the runner and against it.
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "host/domain/domain_testing.h"

namespace selvedge::host {
namespace {

/// Processor time of a process, and how long its first thread stood ready and was not let run, in seconds.
struct Ran {
  double cpu = 0, waited = 0;
};
Ran ran_of(int pid) {
  Ran out;
  clockid_t clock;
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0) out.cpu = double(used.tv_sec) + double(used.tv_nsec) / 1e9;
  double ran = 0;
  std::ifstream("/proc/" + std::to_string(pid) + "/schedstat") >> ran >> out.waited;
  out.waited /= 1e9;
  return out;
}

/// Runs the loop for a time while something runs in it.
void pass(Loop& loop, Duration time) {
  Loop::Timer timer(loop, [&loop] { loop.stop(); });
  timer.set(loop.now() + time);
  loop.run();
}

// req: D1
TEST_F(Domain, ALeaseOfAFifthUsesAFifth) {
  DomainTask task = task_of(guest("spin"));
  task.fuel_limit = INT64_MAX;
  pool_.pace(1, {.permille = 200});
  pool_.run(1, task, [](DomainOutcome) {});
  const int pid = pool_.process_of(1);
  pass(loop_, milliseconds(500));  // the engine starts and compiles, which is paid back
  const Ran before = ran_of(pid);
  const Instant began = loop_.now();
  pass(loop_, milliseconds(2500));
  const Ran after = ran_of(pid);
  const double wall = (loop_.now() - began).seconds(), cpu = after.cpu - before.cpu, waited = after.waited - before.waited;
  std::printf("share of the processor: %.1f %%, in %.2f s, of which it waited %.2f s for others\n", 100 * cpu / wall, wall, waited);
  EXPECT_LE(cpu, 0.25 * wall);
  EXPECT_GE(cpu, 0.15 * (wall - waited));
}

// req: D7
TEST(Runner, IsInTheBackgroundUnlessATestWantsItElsewhere) {
  Loop loop(1);
  DomainPool pool(loop, runner_path());
  std::optional<int> nice;
  pool.run(1, task_of(guest("hello")), [&](DomainOutcome out) {
    EXPECT_EQ(out.end, DomainEnd::kExited) << out.message;
    nice = getpriority(PRIO_PROCESS, id_t(pool.process_of(1)));
    EXPECT_EQ(getsid(pool.process_of(1)), pool.process_of(1)) << "a session of its own";
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(nice, 19);
}

// req: D1
TEST_F(Domain, ManyShortTasksGetNoMoreThanOneLongOne) {
  pool_.pace(1, {.permille = 200});
  const std::shared_ptr<const wasm::Rewritten> cat = guest("kernels");
  size_t done = 0;
  std::function<void(DomainOutcome)> again;
  const auto send = [&] {
    DomainTask task = task_of(cat, {"mix", "1"});
    pool_.run(1, std::move(task), again);
  };
  again = [&](DomainOutcome out) {
    EXPECT_EQ(out.end, DomainEnd::kExited) << out.message;
    ++done;
    send();
  };
  for (int i = 0; i < 4; ++i) send();
  const int pid = pool_.process_of(1);
  pass(loop_, milliseconds(500));
  const Ran before = ran_of(pid);
  const Instant began = loop_.now();
  pass(loop_, milliseconds(1500));
  EXPECT_LE(ran_of(pid).cpu - before.cpu, 0.25 * (loop_.now() - began).seconds());
  EXPECT_GT(done, 4u);
}

// req: D7
TEST_F(Domain, APaceChangesNothingButTime) {
  DomainTask task = task_of(guest("spin"));
  task.fuel_limit = 4'000'000'000;
  const DomainOutcome full = run(1, task);
  std::optional<DomainOutcome> slow;
  pool_.run(1, task, [&](DomainOutcome out) {
    slow = std::move(out);
    loop_.stop();
  });
  pass(loop_, milliseconds(20));
  pool_.pace(1, {.permille = 0});
  pass(loop_, milliseconds(20));
  const int pid = pool_.process_of(1);
  const double frozen_at = ran_of(pid).cpu;
  pass(loop_, milliseconds(200));
  // A thread that stood ready when it was stopped comes up once more, to stop.
  EXPECT_LT(ran_of(pid).cpu, frozen_at + 0.002) << "frozen is frozen";
  EXPECT_FALSE(slow.has_value());
  pool_.pace(1, {.permille = 300, .burst = milliseconds(3), .slice = microseconds(500)});
  while (!slow.has_value()) loop_.run();
  EXPECT_EQ(slow->end, DomainEnd::kOutOfFuel);
  EXPECT_EQ(slow->trace, full.trace);
  EXPECT_EQ(slow->fuel, full.fuel);
  EXPECT_GE(slow->frozen_ns, 200'000'000u);
}

TEST_F(Domain, IdleProcessesGoWhenMemoryIsShort) {
  (void)run(1, task_of(guest("hello")));
  ASSERT_NE(pool_.process_of(1), 0);
  pool_.drop_idle();
  EXPECT_EQ(pool_.process_of(1), 0);
  EXPECT_EQ(run(1, task_of(guest("hello"))).end, DomainEnd::kExited);
}

/// A runner that breaks its pace; what the pool saw of it.
struct Broken {
  std::vector<DomainViolation> violations;
  std::optional<DomainOutcome> outcome;
  double cpu = 0, wall = 0;
};
Broken break_pace(const std::string& how, const DomainPace& pace) {
  Loop loop(1);
  DomainPool pool(loop, std::string(SELVEDGE_BIN_DIR) + "/selvedge-domain-false", DomainClass::kOrdinary);
  Broken out;
  pool.watch_violations([&](uint64_t lease, DomainViolation what) {
    EXPECT_EQ(lease, 1u);
    out.violations.push_back(what);
    loop.stop();
  });
  pool.pace(1, pace);
  DomainTask task = task_of(guest("hello"));
  task.args = {how};
  const Instant began = loop.now();
  pool.run(1, std::move(task), [&](DomainOutcome end) {
    out.outcome = std::move(end);
    loop.stop();
  });
  const int pid = pool.process_of(1);
  pass(loop, seconds(30));   // until it is caught
  pass(loop, seconds(4));    // until it ends, or how it is held from then on
  if (!out.outcome) out.cpu = ran_of(pid).cpu;
  out.wall = (loop.now() - began).seconds();
  return out;
}

// req: D7
TEST(Runner, ThatDoesNotYieldIsKilled) {
  const Broken broken = break_pace("deaf", {});
  ASSERT_TRUE(broken.outcome.has_value());
  EXPECT_EQ(broken.outcome->end, DomainEnd::kKilled);
  EXPECT_TRUE(broken.outcome->trace.is_zero());
  EXPECT_EQ(broken.violations, std::vector<DomainViolation>{DomainViolation::kYield});
}

// req: D1, D9
TEST(Runner, ThatTakesMoreThanItsShareIsHeldFromOutside) {
  const Broken broken = break_pace("greedy", {.permille = 200});
  EXPECT_FALSE(broken.outcome.has_value());
  ASSERT_FALSE(broken.violations.empty());
  EXPECT_EQ(broken.violations[0], DomainViolation::kShare);
  std::printf("a runner that ignores its pace of 20 %%: %.1f %% over %.1f s\n", 100 * broken.cpu / broken.wall, broken.wall);
  EXPECT_LE(broken.cpu, 0.5 * broken.wall);
}

// req: D1
TEST(Runner, ThatWakesUpTooOftenIsReported) {
  const Broken broken = break_pace("restless", {.wakeups_per_second_max = 30});
  ASSERT_FALSE(broken.violations.empty());
  EXPECT_EQ(broken.violations[0], DomainViolation::kWakeups);
}

}  // namespace
}  // namespace selvedge::host
