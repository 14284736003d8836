// What the disk promises across processes: kill -9, the lock, a full disk. The other process is disk_child_main.cc.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/rng.h"
#include "host/disk/disk_testing.h"

extern char** environ;

namespace selvedge::host {
namespace {

using store::Column;

struct Child {
  pid_t pid = 0;
  int out = -1;  // what it reports
  ~Child() {
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    if (out >= 0) close(out);
  }
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void start(const char* mode, const std::string& dir) {
    int fds[2];
    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 3);
    const char* argv[] = {"selvedge_disk_child", mode, dir.c_str(), nullptr};
    CHECK(posix_spawn(&pid, SELVEDGE_BIN_DIR "/selvedge_disk_child", &actions, nullptr, const_cast<char**>(argv), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    out = fds[0];
  }
  /// Reads one report; nullopt when the child is gone.
  std::optional<uint32_t> report() {
    uint32_t n = 0;
    size_t got = 0;
    while (got < sizeof n) {
      const ssize_t r = ::read(out, reinterpret_cast<char*>(&n) + got, sizeof n - got);
      if (r <= 0) return std::nullopt;
      got += size_t(r);
    }
    return n;
  }
  int wait() {
    int status = 0;
    waitpid(pid, &status, 0);
    pid = 0;
    return status;
  }
};

/// Counts the keys of each batch on disk and checks every value.
std::map<uint32_t, uint32_t> survivors(const std::string& dir) {
  std::map<uint32_t, uint32_t> found;
  Driver d(dir);
  EXPECT_TRUE(d.disk) << d.error.message;
  if (!d.disk) return found;
  for (const Column column : {Column::kSymbols, Column::kMeta, Column::kReceipts}) {
    const Status scanned = d.disk->scan(column, [&](ByteView key, ByteView value) {
      const uint32_t n = load_u32(key.data());
      EXPECT_EQ(to_bytes(value), value_of(n, value.size()));
      ++found[n / kBatchKeys];
    });
    EXPECT_TRUE(scanned.ok());
  }
  return found;
}

// req: B6
TEST(DiskCrash, KilledAtAnyMomentEveryAcknowledgedBatchIsWholeAndNoneIsPartial) {
  const char* rounds_text = std::getenv("SELVEDGE_DISK_KILLS");
  const int rounds = rounds_text ? std::atoi(rounds_text) : 20;
  Rng rng(20);
  TempDir dir;
  std::set<uint32_t> acknowledged;
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    Child child;
    child.start("write", dir.path());
    const size_t until = acknowledged.size() + rng.between(1, 60);
    while (acknowledged.size() < until) {
      const auto n = child.report();
      ASSERT_TRUE(n) << "the writer ended by itself";
      acknowledged.insert(*n);
    }
    // The moment of the kill falls anywhere in the next group: spin by a drawn amount instead of sleeping.
    volatile uint64_t spin = rng.below(300'000);
    while (spin > 0) spin = spin - 1;
    kill(child.pid, SIGKILL);
    child.wait();
    while (const auto n = child.report()) acknowledged.insert(*n);
    const auto found = survivors(dir.path());
    for (const auto& [n, keys] : found) EXPECT_EQ(keys, kBatchKeys) << "batch " << n << " is partial";
    for (const uint32_t n : acknowledged) EXPECT_EQ(found.count(n), 1u) << "batch " << n << " was acknowledged and is gone";
  }
  EXPECT_GT(acknowledged.size(), size_t(rounds));
}

TEST(DiskCrash, OneProcessPerDirectoryAndTheLockDiesWithIt) {
  TempDir dir;
  {
    Child child;
    child.start("hold", dir.path());
    ASSERT_EQ(child.report(), 1u);
    Driver second(dir.path());
    EXPECT_EQ(second.error.code, Errc::kBusy);
    EXPECT_NE(second.error.message.find("another selvedge node is using " + dir.path()), std::string::npos);
  }
  Driver after(dir.path());
  EXPECT_TRUE(after.disk) << after.error.message;
}

TEST(DiskCrash, AFullDiskIsAnErrorAndRoomMakesItGoOn) {
  TempDir dir;
  Child child;
  child.start("fill", dir.path());
  const auto mounted = child.report();
  ASSERT_TRUE(mounted);
  if (*mounted == 0) {
    std::printf("SKIP mounting a small tmpfs in a private namespace needs root\n");
    GTEST_SKIP() << "mounting a small tmpfs in a private namespace needs root";
  }
  for (const char* what : {"the disk filled up and one write failed", "the error says that the disk is full",
                           "all acknowledged values are readable while it is full", "more writes fail too", "at last the database cannot write either",
                           "writes work again when there is room", "and are read back", "nothing acknowledged is lost"}) {
    EXPECT_EQ(child.report(), 1u) << what;
  }
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace selvedge::host
