#include "mesh/intake.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"
#include "mesh/mesh_testing.h"

namespace selvedge::mesh {
namespace {

using namespace testing;

constexpr Instant kStart = Instant::from_unix_seconds(1'800'000'000);

struct Rig {
  explicit Rig(IntakeRates rates = {}) : intake(rates) {}

  void offer(const std::string& from, Priority priority, const std::string& text, size_t bytes = 0) {
    Arrival arrival;
    arrival.link = uint64_t(from[0]);
    arrival.from = key_named(from);
    arrival.priority = priority;
    arrival.bytes = to_bytes(view(text));
    arrival.bytes.resize(std::max(bytes, arrival.bytes.size()));
    intake.offer(std::move(arrival), out);
  }
  /// The next message's text, or "" when there is none.
  std::string next() {
    const std::optional<Arrival> arrival = intake.next(now, out);
    return arrival ? std::string(arrival->bytes.begin(), arrival->bytes.end()) : "";
  }
  std::string all() {
    std::string text;
    for (std::string one = next(); !one.empty(); one = next()) text += (text.empty() ? "" : " ") + one;
    return text;
  }
  template <class E>
  size_t count() const {
    size_t n = 0;
    for (const IntakeEffect& effect : out) n += std::holds_alternative<E>(effect);
    return n;
  }

  Intake intake;
  Intake::Out out;
  Instant now = kStart;
};

// req: C11
TEST(Intake, TheMostImportantComesFirstAndEachKeepsItsOrder) {
  Rig rig;
  rig.offer("a", Priority::kEvent, "event");
  rig.offer("a", Priority::kRequest, "request1");
  rig.offer("b", Priority::kResponse, "response");
  rig.offer("a", Priority::kRequest, "request2");
  rig.offer("b", Priority::kCapability, "capability");
  rig.offer("a", Priority::kAudit, "audit");
  rig.offer("b", Priority::kControl, "control");
  EXPECT_EQ(rig.all(), "control audit capability response request1 request2 event");
  EXPECT_TRUE(rig.intake.empty());
  EXPECT_EQ(rig.intake.next_deadline(), Instant::never());
}

TEST(Intake, PeersOfOnePriorityTakeTurns) {
  Rig rig;
  for (int i = 0; i < 3; ++i) {
    for (const char* from : {"a", "b", "c"}) rig.offer(from, Priority::kRequest, from + std::to_string(i));
  }
  const std::string all = rig.all();
  for (int round = 0; round < 3; ++round) {
    for (int turn = 0; turn < 3; ++turn) EXPECT_EQ(all[size_t((round * 3 + turn) * 3 + 1)], char('0' + round)) << all;
  }
}

// req: C11, R25
TEST(Intake, WhoSendsTooMuchIsNotReadFromUntilItsTurnsAreThrough) {
  Rig rig;
  for (size_t i = 0; i < kIntakeSourceMessagesMax; ++i) rig.offer("a", Priority::kControl, "x");
  EXPECT_EQ(rig.count<PauseSource>(), 1u);
  rig.offer("b", Priority::kControl, "y");
  EXPECT_EQ(rig.count<PauseSource>(), 1u) << "others are read from";
  for (size_t i = 0; i < kIntakeSourceMessagesMax / 2; ++i) EXPECT_NE(rig.next(), "");
  EXPECT_EQ(rig.count<ResumeSource>(), 0u);
  rig.next();
  rig.next();
  EXPECT_EQ(rig.count<ResumeSource>(), 1u);
  EXPECT_EQ(rig.count<Shed>(), 0u) << "control is never thrown away";
  rig.offer("c", Priority::kControl, "z", kIntakeSourceBytesMax);
  EXPECT_EQ(rig.count<PauseSource>(), 2u);
}

// req: C11
TEST(Intake, RatesHoldByPeerZoneKindAndInAll) {
  const auto admitted = [](IntakeRates rates, auto fill) {
    Rig rig(rates);
    for (int i = 0; i < 100; ++i) fill(rig, i);
    size_t at_once = 0;
    while (!rig.next().empty()) ++at_once;
    EXPECT_FALSE(rig.intake.empty());
    EXPECT_GT(rig.intake.next_deadline(), rig.now);
    rig.now = rig.now + seconds(1);
    size_t after = 0;
    while (!rig.next().empty()) ++after;
    return std::pair(at_once, after);
  };
  const auto from_a = [](Rig& rig, int) { rig.offer("a", Priority::kRequest, "x"); };
  const auto from_many = [](Rig& rig, int i) { rig.offer("p" + std::to_string(i), Priority::kRequest, "x"); };
  IntakeRates rates;
  rates.source = {10, 20};
  EXPECT_EQ(admitted(rates, from_a), (std::pair<size_t, size_t>(10, 10)));
  rates = {};
  rates.kind[size_t(Priority::kRequest)] = {10, 5};
  EXPECT_EQ(admitted(rates, from_many), (std::pair<size_t, size_t>(10, 5)));
  rates = {};
  rates.global = {10, 4};
  EXPECT_EQ(admitted(rates, from_many), (std::pair<size_t, size_t>(10, 4)));
  rates = {};
  rates.zone = {10, 3};
  EXPECT_EQ(admitted(rates, [](Rig& rig, int i) {
              Arrival arrival;
              arrival.from = key_named("p" + std::to_string(i));
              arrival.priority = Priority::kRequest;
              arrival.zone.emplace();
              arrival.bytes = {1};
              rig.intake.offer(std::move(arrival), rig.out);
            }), (std::pair<size_t, size_t>(10, 3)));
}

// req: C11
TEST(Intake, AnEmptyRateOfAKindHoldsUpThatKindAlone) {
  IntakeRates rates;
  rates.kind[size_t(Priority::kRequest)] = {1, 10};
  Rig rig(rates);
  for (const char* from : {"a", "b", "c"}) rig.offer(from, Priority::kRequest, from);
  std::set<std::string> admitted = {rig.next()};
  rig.offer("b", Priority::kEvent, "event");
  EXPECT_EQ(rig.next(), "event");
  EXPECT_EQ(rig.next(), "");
  for (int n = 0; n < 2; ++n) {
    EXPECT_EQ(rig.intake.next_deadline(), rig.now + milliseconds(100));
    rig.now = rig.intake.next_deadline();
    admitted.insert(rig.next());
    EXPECT_EQ(rig.next(), "");
  }
  EXPECT_EQ(admitted, (std::set<std::string>{"a", "b", "c"}));
  EXPECT_EQ(rig.intake.next_deadline(), Instant::never());
}

TEST(Intake, AMessageLargerThanItsBurstIsAllowedAndWaitedForAfterwards) {
  IntakeRates rates;
  rates.source = {2, 1};
  Rig rig(rates);
  rig.offer("a", Priority::kRequest, "large", 10 * kIntakeTokenBytes);
  rig.offer("a", Priority::kRequest, "small");
  EXPECT_NE(rig.next(), "");
  EXPECT_EQ(rig.next(), "");
  rig.now = rig.intake.next_deadline();
  EXPECT_EQ(rig.next(), "small");
  EXPECT_GE(rig.now - kStart, seconds(9));
}

// req: C11
TEST(Intake, WhenAllIsTooMuchTheLeastImportantOfTheLoudestGoes) {
  Rig rig;
  const size_t peers = kIntakeMessagesMax / 128;
  for (size_t i = 0; i < kIntakeMessagesMax - 200; ++i) rig.offer("p" + std::to_string(i % peers), Priority::kControl, "c");
  for (size_t i = 0; i < 150; ++i) rig.offer("loud", Priority::kRequest, "r");
  for (size_t i = 0; i < 50; ++i) rig.offer("quiet", Priority::kEvent, "e");
  EXPECT_EQ(rig.count<Shed>(), 0u);
  for (size_t i = 0; i < 60; ++i) rig.offer("new", Priority::kControl, "c");
  ASSERT_EQ(rig.count<Shed>(), 60u);
  size_t events = 0;
  for (const IntakeEffect& effect : rig.out) {
    const Shed* shed = std::get_if<Shed>(&effect);
    if (shed == nullptr) continue;
    if (shed->arrival.priority == Priority::kEvent) {
      EXPECT_EQ(shed->policy, DropPolicy::kSilent);
      ++events;
    } else {
      EXPECT_EQ(shed->arrival.from, key_named("loud"));
      EXPECT_EQ(shed->policy, DropPolicy::kTellSender);
    }
  }
  EXPECT_EQ(events, 50u);
  EXPECT_EQ(rig.intake.stats().shed[size_t(Priority::kRequest)], 10u);
}

TEST(Intake, WhatALinkSaidBeforeItClosedCanBeTakenOut) {
  Rig rig;
  rig.offer("a", Priority::kRequest, "a1");
  rig.offer("b", Priority::kControl, "b1");
  rig.offer("a", Priority::kControl, "a2");
  std::string of_a;
  while (std::optional<Arrival> arrival = rig.intake.next_of('a', rig.out)) of_a += std::string(arrival->bytes.begin(), arrival->bytes.end()) + " ";
  EXPECT_EQ(of_a, "a2 a1 ");
  EXPECT_EQ(rig.all(), "b1");
}

// A node that needs 100 us a message, a hundred peers that each send ten times what it can do, and one that says something that matters.
// req: C11
TEST(Intake, ControlStaysQuickInAFlood) {
  Rig rig;
  Rng rng(7);
  std::map<std::string, bool> paused;
  Duration worst{};
  Instant asked_at = Instant::never(), ask_at = kStart + milliseconds(20);
  size_t answered = 0;
  while (rig.now < kStart + seconds(2)) {
    for (int i = 0; i < 100; ++i) {
      const std::string from = "flood" + std::to_string(i);
      if (paused[from]) continue;
      for (int n = 0; n < 10; ++n) rig.offer(from, rng.chance(1, 10) ? Priority::kCapability : Priority::kRequest, "x");
    }
    if (rig.now >= ask_at && asked_at == Instant::never()) {
      rig.offer("owner", Priority::kControl, "!");
      asked_at = rig.now;
    }
    for (const IntakeEffect& effect : rig.out.take()) {
      for (int i = 0; i < 100; ++i) {
        const std::string from = "flood" + std::to_string(i);
        if (const auto* pause = std::get_if<PauseSource>(&effect)) paused[from] = paused[from] || pause->from == key_named(from);
        if (const auto* resume = std::get_if<ResumeSource>(&effect)) paused[from] = paused[from] && resume->from != key_named(from);
      }
    }
    // Two milliseconds of work, then the sockets are looked at again.
    for (int n = 0; n < 20; ++n) {
      const std::string text = rig.next();
      rig.now = rig.now + microseconds(100);
      if (text != "!") continue;
      worst = std::max(worst, rig.now - asked_at);
      asked_at = Instant::never();
      ask_at = rig.now + milliseconds(20);
      ++answered;
    }
  }
  EXPECT_GT(answered, 50u);
  EXPECT_LT(worst, milliseconds(50));
  EXPECT_LE(rig.intake.stats().waiting, kIntakeMessagesMax);
  EXPECT_GT(rig.intake.stats().pauses, 0u);
}

}  // namespace
}  // namespace selvedge::mesh
