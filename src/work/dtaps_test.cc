#include "work/dtaps.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <set>

namespace selvedge::work {
namespace {

constexpr Instant kStart = Instant::from_unix_seconds(1'800'000'000);

/// A machine, and what a host that keeps its paces would do.
struct Bench {
  explicit Bench(uint32_t processors_in = 2) : processors(processors_in), dtaps(processors_in) {}

  void feed(const std::function<void(Dtaps::Out&)>& input) {
    Dtaps::Out out;
    input(out);
    for (DtapsEffect& effect : out.take()) {
      if (const auto* pace = std::get_if<SetPace>(&effect)) paces[pace->lease] = *pace;
      else if (const auto* end = std::get_if<EndTasks>(&effect)) ended.push_back(end->lease), working.erase(end->lease);
      else if (const auto* revoke = std::get_if<RevokeForViolations>(&effect)) revoked.push_back(revoke->lease), forget(revoke->lease);
      else ++reclaims;
    }
  }
  void forget(uint64_t id) {
    envelopes.erase(id);
    working.erase(id);
    paces.erase(id);
  }
  void signals(const Signals& s) { feed([&](auto& out) { dtaps.on_signals(now, s, out); }); }
  void lease(uint64_t id, Envelope envelope = {}, uint32_t utility = 1) {
    envelopes[id] = envelope;
    feed([&](auto& out) { dtaps.on_lease(now, id, envelope, utility, out); });
  }
  void work(uint64_t id, Instant since) {
    working.insert(id);
    feed([&](auto& out) { dtaps.on_work(now, id, since, out); });
  }
  void violate(uint64_t id, Violation what = Violation::kShare) { feed([&](auto& out) { dtaps.on_violation(now, id, what, out); }); }
  void pass(Duration time) {
    const Instant until = now + time;
    while (dtaps.next_deadline() <= until) {
      now = std::max(now, dtaps.next_deadline());
      feed([&](auto& out) { dtaps.on_deadline(now, out); });
    }
    now = until;
  }
  /// Thousandths of one processor, all leases that work together.
  uint64_t in_all() const {
    uint64_t sum = 0;
    for (uint64_t id : working) sum += paces.at(id).permille;
    return sum;
  }

  uint32_t processors;
  Dtaps dtaps;
  Instant now = kStart;
  std::map<uint64_t, SetPace> paces;
  std::map<uint64_t, Envelope> envelopes;
  std::set<uint64_t> working;
  std::vector<uint64_t> ended, revoked;
  int reclaims = 0;
};

Envelope share(uint32_t permille) {
  Envelope out;
  out.cpu_permille = permille;
  return out;
}

// req: G3
TEST(Dtaps, ItsOwnerHoldsALeaseToLessAndItSaysSo) {
  Bench bench;
  Envelope envelope = share(600);
  envelope.owner_permille = 100;
  bench.lease(1, envelope);
  bench.work(1, bench.now);
  EXPECT_EQ(bench.paces.at(1).permille, 100u);
  EXPECT_EQ(bench.dtaps.permille(1), 100u);
  EXPECT_EQ(degraded_text(bench.dtaps.degraded(1)), "owner");
  envelope.owner_permille = 900;   // more than the grant is no more than the grant
  bench.lease(1, envelope);
  EXPECT_EQ(bench.dtaps.permille(1), 600u);
  EXPECT_EQ(bench.dtaps.degraded(1), 0u);
}

TEST(Dtaps, WithoutTroubleALeaseHasWhatItsGrantSays) {
  Bench bench;
  bench.lease(1, share(200));
  bench.work(1, kStart);
  EXPECT_EQ(bench.paces[1].permille, 200u);
  EXPECT_EQ(bench.paces[1].degraded, 0u);
  EXPECT_EQ(bench.dtaps.next_deadline(), Instant::never()) << "nothing to do wakes nobody up";
}

// req: D7
TEST(Dtaps, ThrottlesInTheSameInputInWhichInteractionBecomesLikely) {
  Bench bench;
  for (uint64_t id : {1, 2}) {
    bench.lease(id, share(1000));
    bench.work(id, kStart);
  }
  ASSERT_EQ(bench.in_all(), 2000u);
  bench.signals({.interaction = Level::kHigh});
  EXPECT_LE(bench.in_all(), 200u);
  EXPECT_EQ(bench.paces[1].slice, kSliceMin);
  EXPECT_EQ(bench.paces[1].degraded, kForInteraction);
  EXPECT_EQ(degraded_text(bench.paces[1].degraded), "interaction");
  bench.signals({});
  EXPECT_LE(bench.in_all(), 200u) << "up only in steps";
  bench.pass(seconds(1));
  EXPECT_LE(bench.in_all(), 400u);
  bench.pass(seconds(10));
  EXPECT_EQ(bench.in_all(), 2000u);
  EXPECT_EQ(bench.paces[1].degraded, 0u);
  EXPECT_EQ(bench.dtaps.next_deadline(), Instant::never());
}

// req: D7
TEST(Dtaps, FramesThatSufferHalveUntilTheyDoNot) {
  Bench bench;
  bench.lease(1, share(1000));
  bench.work(1, kStart);
  bench.lease(2, share(1000));
  bench.work(2, kStart);
  uint64_t before = bench.in_all();
  for (int i = 0; i < 2; ++i) {
    bench.signals({.frames = Level::kHigh});
    EXPECT_LE(bench.in_all(), before / 2 + 2);
    before = bench.in_all();
  }
  for (int i = 0; i < 9; ++i) bench.signals({.frames = Level::kHigh});
  EXPECT_EQ(bench.in_all(), 400u) << "a fifth of the machine, as ordinary threads go first anyway";
  bench.signals({.frames = Level::kCritical});
  EXPECT_EQ(bench.in_all(), 0u);
  bench.pass(seconds(5));
  EXPECT_EQ(bench.in_all(), 0u) << "as long as they suffer";
  bench.signals({});
  bench.pass(seconds(25));
  EXPECT_EQ(bench.in_all(), 2000u);
}

// req: D7
TEST(Dtaps, ShedsTheLeastUtilityPerCostOfStoppingFirst) {
  Bench bench(1);
  bench.now = kStart + seconds(100);
  for (uint64_t id = 1; id <= 3; ++id) bench.lease(id, share(1000), id == 3 ? 1000 : 1);
  bench.work(1, kStart);                 // a hundred seconds of work would be lost
  bench.work(2, kStart + seconds(99));   // one
  bench.work(3, kStart);                 // a hundred, and worth a thousand times as much
  bench.signals({.interaction = Level::kCritical});  // 50 permille: too little for three
  EXPECT_EQ(bench.paces[1].permille, 0u);
  EXPECT_TRUE(bench.paces[1].degraded & kShed);
  EXPECT_GE(bench.paces[2].permille, kRunningPermilleMin);
  EXPECT_GE(bench.paces[3].permille, kRunningPermilleMin);
}

// req: D9
TEST(Dtaps, MemoryPressureFreezesThenEndsOneAtATime) {
  Bench bench;
  for (uint64_t id = 1; id <= 3; ++id) {
    bench.lease(id);
    bench.work(id, kStart - seconds(int64_t(id)));
  }
  bench.signals({.memory = Level::kRaised});
  EXPECT_NEAR(double(bench.in_all()), 1000, 3);
  EXPECT_EQ(bench.reclaims, 0);
  bench.signals({.memory = Level::kHigh});
  EXPECT_EQ(bench.in_all(), 0u);
  EXPECT_EQ(bench.reclaims, 1);
  EXPECT_TRUE(bench.ended.empty());
  bench.pass(kFrozenForMemoryMax);
  EXPECT_EQ(bench.ended, std::vector<uint64_t>{3}) << "which began first has most to lose, so least utility for its cost";
  bench.signals({.memory = Level::kCritical});
  EXPECT_EQ(bench.ended, (std::vector<uint64_t>{3, 2}));
  bench.signals({});
  bench.pass(seconds(30));
  EXPECT_EQ(bench.ended.size(), 2u);
  EXPECT_EQ(bench.paces[1].permille, 1000u);
}

// req: D1
TEST(Dtaps, PowerAndHeatConditionsOfALeaseStopItAlone) {
  Bench bench;
  Envelope careful;
  careful.battery_percent_min = 50;
  Envelope plugged;
  plugged.only_while_charging = true;
  Envelope cool;
  cool.heat_max = Level::kCalm;
  bench.lease(1);
  bench.lease(2, careful);
  bench.lease(3, plugged);
  bench.lease(4, cool);
  for (uint64_t id = 1; id <= 4; ++id) bench.work(id, kStart);
  bench.signals({.charging = false, .battery_percent = 40});
  EXPECT_GT(bench.paces[1].permille, 0u);
  EXPECT_EQ(bench.paces[2].permille, 0u);
  EXPECT_EQ(bench.paces[3].permille, 0u);
  EXPECT_GT(bench.paces[4].permille, 0u);
  EXPECT_FALSE(bench.dtaps.permits(2));
  EXPECT_EQ(bench.paces[2].degraded, kForPower);
  bench.signals({.heat = Level::kRaised, .charging = false, .battery_percent = 60});
  EXPECT_GT(bench.paces[2].permille, 0u);
  EXPECT_EQ(bench.paces[4].permille, 0u);
  EXPECT_TRUE(bench.paces[4].degraded & kForHeat);
}

// req: D9
TEST(Dtaps, ViolationsSlowThenEndThenRevokeAndAreForgottenInTime) {
  Bench bench;
  bench.lease(1, share(800));
  bench.work(1, kStart);
  bench.violate(1);
  EXPECT_EQ(bench.paces[1].permille, 400u);
  EXPECT_EQ(bench.paces[1].degraded, kForViolations);
  bench.violate(1);
  EXPECT_TRUE(bench.ended.empty());
  bench.violate(1, Violation::kYield);
  EXPECT_EQ(bench.ended.size(), 1u);
  EXPECT_TRUE(bench.revoked.empty());
  bench.pass(kStrikeLife);
  EXPECT_EQ(bench.paces[1].permille, 800u);
  for (uint32_t i = 0; i < kStrikesToRevoke; ++i) bench.violate(1, Violation::kWakeups);
  EXPECT_EQ(bench.revoked, std::vector<uint64_t>{1});
}

TEST(Dtaps, WakeUpsAndBurstsBoundTheShare) {
  Bench bench;
  Envelope envelope;
  envelope.cpu_permille = 900;
  envelope.burst = milliseconds(5);
  envelope.wakeups_per_second_max = 20;
  bench.lease(1, envelope);
  bench.work(1, kStart);
  EXPECT_EQ(bench.paces[1].permille, 100u) << "twenty bursts of 5 ms a second";
}

Signals any_signals() {
  const auto level = [] { return Level(*rc::gen::inRange<int>(0, 4)); };
  Signals out;
  out.interaction = level();
  out.frames = level();
  out.memory = level();
  out.heat = level();
  out.drain = level();
  out.charging = *rc::gen::arbitrary<bool>();
  out.battery_percent = uint8_t(*rc::gen::inRange<int>(0, 11) * 10);
  return out;
}

// req: D1, D7
RC_GTEST_PROP(DtapsProperty, WhateverHappensNoLeaseAndNotAllTogetherExceedWhatTheyMayHave, ()) {
  Bench bench(uint32_t(*rc::gen::inRange<int>(1, 9)));
  Signals current;
  const int steps = *rc::gen::inRange<int>(1, 60);
  for (int i = 0; i < steps; ++i) {
    const uint64_t id = uint64_t(*rc::gen::inRange<int>(1, 12));
    switch (*rc::gen::inRange<int>(0, 6)) {
      case 0: {
        Envelope envelope = share(uint32_t(*rc::gen::inRange<int>(1, 1001)));
        envelope.burst = milliseconds(*rc::gen::inRange<int>(1, 20));
        envelope.wakeups_per_second_max = uint32_t(*rc::gen::inRange<int>(1, 200));
        bench.lease(id, envelope, uint32_t(*rc::gen::inRange<int>(1, 100)));
        break;
      }
      case 1:
        if (bench.envelopes.count(id)) bench.work(id, bench.now - seconds(*rc::gen::inRange<int>(0, 100)));
        break;
      case 2: bench.signals(current = any_signals()); break;
      case 3: bench.pass(milliseconds(*rc::gen::inRange<int>(1, 3000))); break;
      case 4:
        if (bench.envelopes.count(id)) bench.violate(id);
        break;
      default:
        bench.forget(id);
        bench.feed([&](auto& out) { bench.dtaps.on_lease_ended(bench.now, id, out); });
    }
    for (const auto& [each, pace] : bench.paces) {
      const Envelope& envelope = bench.envelopes.at(each);
      RC_ASSERT(pace.permille <= envelope.cpu_permille);
      RC_ASSERT(pace.burst <= envelope.burst);
      RC_ASSERT(pace.slice >= kSliceMin && pace.slice <= kSliceMax);
      // The rests that the share needs are no more wake-ups than the lease may have.
      if (pace.permille < 1000) RC_ASSERT(uint64_t(pace.permille) * 1000 <= uint64_t(pace.burst.ns / 1000) * envelope.wakeups_per_second_max + 1000);
    }
    const uint64_t most = current.memory >= Level::kHigh || current.heat == Level::kCritical || current.frames == Level::kCritical ? 0
                          : current.interaction == Level::kCritical                                                              ? 50
                          : current.interaction == Level::kHigh                                                                  ? 100
                                                                                                                                 : 1000;
    RC_ASSERT(bench.in_all() <= most * bench.processors);
    if (most == 0) RC_ASSERT(bench.in_all() == 0u);
  }
}

// req: D7
RC_GTEST_PROP(DtapsProperty, WhoStandsStillIsNeverWorthMorePerCostThanWhoRuns, ()) {
  const uint32_t processors = uint32_t(*rc::gen::inRange<int>(1, 5));
  Bench bench(processors);
  struct Known { uint64_t utility, cost_ms; };
  std::map<uint64_t, Known> known;
  const int leases = *rc::gen::inRange<int>(2, 30);
  bench.now = kStart + seconds(1000);
  for (uint64_t id = 1; id <= uint64_t(leases); ++id) {
    const uint32_t utility = uint32_t(*rc::gen::inRange<int>(1, 1000));
    const int64_t cost = *rc::gen::inRange<int64_t>(0, 100'000);
    known[id] = {utility, uint64_t(cost)};
    bench.lease(id, share(1000), utility);
    bench.work(id, bench.now - milliseconds(cost));
  }
  bench.signals({.interaction = *rc::gen::element(Level::kHigh, Level::kCritical)});
  RC_ASSERT(bench.in_all() > 0u);
  const auto value = [&](uint64_t id) { return known[id].utility * 1'000'000 / (known[id].cost_ms + 1); };
  for (const auto& [running, pace] : bench.paces) {
    if (pace.permille == 0) continue;
    for (const auto& [still, other] : bench.paces) {
      if (other.permille == 0) RC_ASSERT(value(still) <= value(running));
    }
  }
}

}  // namespace
}  // namespace selvedge::work
