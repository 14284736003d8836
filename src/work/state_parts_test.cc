// States in parts: whole again in order, never from two, never more than is allowed.
#include "work/state_parts.h"

#include <gtest/gtest.h>

namespace selvedge::work {
namespace {

NodeKey node(uint8_t n) {
  NodeKey out;
  out.bytes[0] = n;
  return out;
}
TaskId task(uint8_t n) {
  TaskId out;
  out.bytes[0] = n;
  return out;
}
Bytes state_of(size_t size, uint8_t seed) {
  Bytes out(size);
  for (size_t i = 0; i < size; ++i) out[i] = uint8_t(i * 31 + seed);
  return out;
}
std::vector<TaskState> parts_of(uint8_t of, uint64_t fuel, const Bytes& state) {
  std::vector<TaskState> out;
  send_state(task(of), fuel, state, false, [&](Bytes message) { out.push_back(std::get<TaskState>(WorkMessages::decode(message).value())); });
  return out;
}
constexpr Instant kNow{1'000'000'000};

// req: D6
TEST(StateParts, AreWholeAgainAlsoWhenTwoComeAtOnce) {
  StateParts parts;
  const Bytes a = state_of(3 * kTaskStatePartBytes + 5, 1), b = state_of(2 * kTaskStatePartBytes, 2);
  const std::vector<TaskState> of_a = parts_of(1, 7, a), of_b = parts_of(2, 8, b);
  ASSERT_EQ(of_a.size(), 4u);
  ASSERT_EQ(of_b.size(), 2u);
  EXPECT_FALSE(parts.take(kNow, node(1), of_a[0]));
  EXPECT_FALSE(parts.take(kNow, node(1), of_b[0]));
  EXPECT_FALSE(parts.take(kNow, node(1), of_a[1]));
  EXPECT_FALSE(parts.take(kNow, node(1), of_a[2]));
  EXPECT_EQ(parts.take(kNow, node(1), of_b[1]), b);
  EXPECT_FALSE(parts.take(kNow, node(2), of_a[3])) << "from somebody else";
  EXPECT_EQ(parts.take(kNow, node(1), of_a[3]), a);
}

TEST(StateParts, WhatDoesNotFitEndsIt) {
  const std::vector<TaskState> good = parts_of(1, 7, state_of(3 * kTaskStatePartBytes, 1));
  for (const auto& spoil : {+[](TaskState& p) { p.at += 1; }, +[](TaskState& p) { p.fuel += 1; }, +[](TaskState& p) { p.size += 1; }, +[](TaskState& p) { p.part.clear(); },
                            +[](TaskState& p) { p.part.resize(p.size); }}) {
    StateParts parts;
    EXPECT_FALSE(parts.take(kNow, node(1), good[0]));
    TaskState bad = good[1];
    spoil(bad);
    EXPECT_FALSE(parts.take(kNow, node(1), bad));
    EXPECT_FALSE(parts.take(kNow, node(1), good[1]));
    EXPECT_FALSE(parts.take(kNow, node(1), good[2])) << "what came before is gone";
  }
}

TEST(StateParts, NobodyMakesTheNodeHoldMoreThanItWill) {
  StateParts parts;
  TaskState first{task(1), 1, uint32_t(kTaskStateBytesMax), 0, Bytes(1), false};
  for (uint8_t i = 1; i <= 4; ++i) EXPECT_FALSE(parts.take(kNow, node(i), first));
  const Bytes small = state_of(10, 1);
  EXPECT_FALSE(parts.take(kNow, node(9), parts_of(1, 1, small)[0])) << "so much is promised already";
  EXPECT_EQ(parts.take(kNow + StateParts::kPause + seconds(1), node(9), parts_of(1, 1, small)[0]), small) << "until it is given up";
  first.size += 1;
  EXPECT_FALSE(parts.take(kNow, node(1), first));
}

}  // namespace
}  // namespace selvedge::work
