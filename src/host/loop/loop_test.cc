#include "host/loop/loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace selvedge::host {
namespace {

TEST(Loop, WorkRunsElsewhereAndAnswersHere) {
  Loop loop(2);
  const auto here = std::this_thread::get_id();
  std::thread::id worked, answered;
  loop.work([&] { worked = std::this_thread::get_id(); },
            [&] {
              answered = std::this_thread::get_id();
              loop.stop();
            });
  loop.run();
  EXPECT_NE(worked, here);
  EXPECT_EQ(answered, here);
}

TEST(Loop, TimerFiresNotBeforeItsInstant) {
  Loop loop(1);
  const Instant due = loop.now() + milliseconds(5);
  Loop::Timer timer(loop, [&] { loop.stop(); });
  timer.set(due);
  loop.run();
  EXPECT_GE(loop.now(), due);
}

TEST(Loop, WhatWasDueEverSoLongAgoIsDueNow) {
  Loop loop(1);
  Loop::Timer timer(loop, [&] { loop.stop(); });
  Loop::Timer late(loop, [&] { ADD_FAILURE() << "it never fired"; loop.stop(); });
  timer.set(Instant{INT64_MIN});
  late.set(loop.now() + seconds(5));
  loop.run();
}

TEST(Loop, WatchSeesDataAndHangUp) {
  Loop loop(1);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  int calls = 0;
  Loop::Watch watch(loop, fds[0], [&](int) {
    char c;
    if (read(fds[0], &c, 1) == 0) loop.stop();
    else ++calls;
  });
  watch.set(Loop::Watch::kReadable);
  ASSERT_EQ(write(fds[1], "x", 1), 1);
  close(fds[1]);
  loop.run();
  EXPECT_EQ(calls, 1);
  close(fds[0]);
}

}  // namespace
}  // namespace selvedge::host
