#include "host/disk/disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "base/rng.h"
#include "host/loop/loop.h"

extern char** environ;

namespace selvedge::host {
namespace {

using store::Column;
using store::DiskRead;
using store::DiskWrite;

class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/selvedge-disk-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~TempDir() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Bytes key_of(uint32_t n) {
  Bytes key;
  append_u32(key, n);
  return key;
}

Bytes value_of(uint32_t n, size_t size) {
  Rng rng(n);
  Bytes value(size);
  for (uint8_t& b : value) b = uint8_t(rng.next());
  return value;
}

/// A disk with a loop that runs until what was given is answered.
struct Driver {
  explicit Driver(const std::string& dir) {
    auto opened = Disk::open(loop, dir);
    if (!opened.ok()) {
      error = opened.error();
      return;
    }
    disk = std::move(opened).value();
    Disk::Answers answers;
    answers.persisted = [this](uint64_t token) { persisted.push_back(token); answered(); };
    answers.write_failed = [this](uint64_t, const Error& e) { error = e; ++failed; answered(); };
    answers.loaded = [this](uint64_t, std::vector<std::optional<Bytes>> v) { values = std::move(v); answered(); };
    answers.load_failed = [this](uint64_t, const Error& e) { error = e; ++failed; answered(); };
    disk->set_answers(std::move(answers));
  }
  void answered() {
    if (--open == 0) loop.stop();
  }
  void give(store::Effect effect) {
    ++open;
    disk->execute(std::move(effect));
  }
  void settle() {
    if (open > 0) loop.run();
  }
  void write(uint64_t token, std::vector<store::Write> writes) { give(DiskWrite{token, std::move(writes)}); }
  std::vector<std::optional<Bytes>> read(Column column, std::vector<Bytes> keys) {
    give(DiskRead{1, column, std::move(keys)});
    settle();
    return std::move(values);
  }

  Loop loop{2};
  std::unique_ptr<Disk> disk;
  int open = 0;
  int failed = 0;
  Error error;
  std::vector<uint64_t> persisted;
  std::vector<std::optional<Bytes>> values;
};

TEST(Disk, WhatWasWrittenIsReadBackAndScannedAfterReopening) {
  TempDir dir;
  {
    Driver d(dir.path() + "/deep/store");
    ASSERT_TRUE(d.disk) << d.error.message;
    for (uint32_t i = 0; i < 40; ++i) {
      d.write(i, {{Column::kSymbols, key_of(i), value_of(i, 66'000)}, {Column::kMeta, key_of(i), Bytes{1}}});
    }
    d.write(40, {{Column::kMeta, key_of(3), std::nullopt}, {Column::kSymbols, key_of(3), std::nullopt}});
    d.settle();
    EXPECT_EQ(d.failed, 0);
    const auto values = d.read(Column::kSymbols, {key_of(7), key_of(3), key_of(99)});
    ASSERT_EQ(values.size(), 3u);
    EXPECT_EQ(values[0], value_of(7, 66'000));
    EXPECT_EQ(values[1], std::nullopt);
    EXPECT_EQ(values[2], std::nullopt);
  }
  Driver d(dir.path() + "/deep/store");
  ASSERT_TRUE(d.disk) << d.error.message;
  std::vector<uint32_t> seen;
  ASSERT_TRUE(d.disk->scan(Column::kMeta, [&](ByteView key, ByteView value) {
    seen.push_back(load_u32(key.data()));
    EXPECT_EQ(value.size(), 1u);
  }).ok());
  EXPECT_EQ(seen.size(), 39u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(d.read(Column::kSymbols, {key_of(39)})[0], value_of(39, 66'000));
}

TEST(Disk, AnswersComeInOrderAndManyWritesShareOneSync) {
  TempDir dir;
  Driver d(dir.path());
  ASSERT_TRUE(d.disk);
  constexpr uint32_t kWrites = 2000;
  for (uint32_t i = 0; i < kWrites; ++i) d.write(i, {{Column::kRecords, key_of(i % 100), key_of(i)}});
  d.settle();
  ASSERT_EQ(d.persisted.size(), kWrites);
  EXPECT_TRUE(std::is_sorted(d.persisted.begin(), d.persisted.end()));
  const Disk::Statistics statistics = d.disk->statistics();
  EXPECT_EQ(statistics.writes, kWrites);
  EXPECT_LT(statistics.batches, kWrites / 10);
  EXPECT_GE(statistics.batches, 1u);
  EXPECT_EQ(d.read(Column::kRecords, {key_of(99)})[0], key_of(kWrites - 1));
}

TEST(Disk, TheDirectoryIsForItsOwnerOnly) {
  TempDir dir;
  const std::string path = dir.path() + "/store";
  ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  chmod(path.c_str(), 0755);
  Driver d(path);
  ASSERT_TRUE(d.disk);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST(Disk, OpenErrorsSayWhatToDo) {
  TempDir dir;
  std::ofstream(dir.path() + "/file") << "x";
  Driver file(dir.path() + "/file");
  EXPECT_EQ(file.error.code, Errc::kIo);
  EXPECT_NE(file.error.message.find("--home"), std::string::npos);
  Driver below(dir.path() + "/file/store");
  EXPECT_EQ(below.error.code, Errc::kIo);
  {
    Driver d(dir.path() + "/store");
    d.write(1, {{Column::kMeta, key_of(1), Bytes{1}}});
    d.settle();
  }
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() + "/store/db")) {
    const std::string name = entry.path().filename();
    if (name.rfind("MANIFEST", 0) == 0) std::ofstream(entry.path(), std::ios::in | std::ios::out).write("damaged!damaged!", 16);
  }
  Driver damaged(dir.path() + "/store");
  EXPECT_EQ(damaged.error.code, Errc::kIntegrity) << damaged.error.message;
  EXPECT_NE(damaged.error.message.find("backup"), std::string::npos);
}

TEST(Disk, ADestroyedDiskAnswersNothingMore) {
  TempDir dir;
  Driver d(dir.path());
  for (uint32_t i = 0; i < 50; ++i) d.write(i, {{Column::kMeta, key_of(i), Bytes{1}}});
  d.give(DiskRead{99, Column::kMeta, {key_of(1)}});
  d.disk.reset();
  d.loop.post([&d] { d.loop.stop(); });
  d.loop.run();
  EXPECT_TRUE(d.persisted.empty());
  Driver again(dir.path());  // everything that was given is there: the lock is free and the writes were finished
  ASSERT_TRUE(again.disk) << again.error.message;
  EXPECT_NE(again.read(Column::kMeta, {key_of(49)})[0], std::nullopt);
}

// --- With a second process: this binary again, running one of the tests below that do nothing without SELVEDGE_DISK_CHILD.

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

  void start(const char* test, const std::string& dir) {
    int fds[2];
    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 3);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    const std::string filter = std::string("--gtest_filter=DiskChild.") + test;
    std::vector<std::string> environment{"SELVEDGE_DISK_CHILD=" + dir};
    for (char** e = environ; *e; ++e) environment.emplace_back(*e);
    std::vector<char*> env;
    for (std::string& e : environment) env.push_back(e.data());
    env.push_back(nullptr);
    const char* argv[] = {"disk_child", filter.c_str(), nullptr};
    CHECK(posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, const_cast<char**>(argv), env.data()) == 0);
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

const char* child_dir() { return std::getenv("SELVEDGE_DISK_CHILD"); }
void tell(uint32_t n) { CHECK(::write(3, &n, sizeof n) == ssize_t(sizeof n)); }

constexpr uint32_t kBatchKeys = 6;

/// Batch n writes these keys in three columns, all or none of which may survive.
std::vector<store::Write> batch(uint32_t n) {
  std::vector<store::Write> writes;
  for (uint32_t i = 0; i < kBatchKeys; ++i) {
    const Column column = i % 3 == 0 ? Column::kSymbols : i % 3 == 1 ? Column::kMeta : Column::kReceipts;
    writes.push_back({column, key_of(n * kBatchKeys + i), value_of(n * kBatchKeys + i, i % 3 == 0 ? 20'000 : 40)});
  }
  return writes;
}

/// Writes batches for ever, some in flight at a time, and reports each acknowledged number.
TEST(DiskChild, WritesUntilKilled) {
  if (!child_dir()) GTEST_SKIP() << "runs only as a child of DiskCrash";
  Driver d(child_dir());
  ASSERT_TRUE(d.disk);
  uint32_t next = 0;
  ASSERT_TRUE(d.disk->scan(Column::kRecords, [&](ByteView, ByteView v) { next = load_u32(v.data()); }).ok());
  Disk::Answers answers;
  const auto give = [&] {
    std::vector<store::Write> writes = batch(next);
    writes.push_back({Column::kRecords, Bytes{0}, key_of(next + 1)});
    d.disk->execute(DiskWrite{next, std::move(writes)});
    ++next;
  };
  answers.persisted = [&](uint64_t token) {
    tell(uint32_t(token));
    give();
  };
  answers.write_failed = [](uint64_t, const Error&) { std::abort(); };
  answers.loaded = [](uint64_t, std::vector<std::optional<Bytes>>) {};
  answers.load_failed = [](uint64_t, const Error&) {};
  d.disk->set_answers(std::move(answers));
  for (int i = 0; i < 8; ++i) give();
  d.loop.run();
}

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
    child.start("WritesUntilKilled", dir.path());
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

TEST(DiskChild, HoldsTheLock) {
  if (!child_dir()) GTEST_SKIP() << "runs only as a child of Disk";
  Driver d(child_dir());
  tell(d.disk ? 1 : 0);
  for (;;) pause();
}

TEST(DiskCrash, OneProcessPerDirectoryAndTheLockDiesWithIt) {
  TempDir dir;
  {
    Child child;
    child.start("HoldsTheLock", dir.path());
    ASSERT_EQ(child.report(), 1u);
    Driver second(dir.path());
    EXPECT_EQ(second.error.code, Errc::kBusy);
    EXPECT_NE(second.error.message.find("another selvedge node is using " + dir.path()), std::string::npos);
  }
  Driver after(dir.path());
  EXPECT_TRUE(after.disk) << after.error.message;
}

/// Fills a small file system, sees the error, makes room, goes on. Reports its findings one by one.
TEST(DiskChild, FillsATinyDisk) {
  if (!child_dir()) GTEST_SKIP() << "runs only as a child of Disk";
  const std::string dir = child_dir();
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", dir.c_str(), "tmpfs", 0, "size=88m") != 0) {
    tell(0);
    return;
  }
  tell(1);
  std::ofstream(dir + "/ballast", std::ios::binary) << std::string(40 << 20, 'b');
  Driver d(dir + "/store");
  ASSERT_TRUE(d.disk) << d.error.message;
  uint32_t n = 0;
  while (d.failed == 0 && n < 1000) {
    d.write(n, {{Column::kSymbols, key_of(n), value_of(n, 66'000)}});
    d.settle();
    ++n;
  }
  tell(d.failed == 1 && n > 100);
  tell(d.error.code == Errc::kIo && d.error.message.find("is full") != std::string::npos);
  // What was acknowledged is readable while the disk is full.
  bool whole = true;
  for (uint32_t i = 0; i + 1 < n; ++i) whole = whole && d.read(Column::kSymbols, {key_of(i)})[0] == value_of(i, 66'000);
  tell(whole);
  // Still full: still errors, and neither a hang nor an end.
  for (uint32_t i = 0; i < 9; ++i) {
    d.write(5000, {{Column::kSymbols, key_of(5000), value_of(5000, 66'000)}});
    d.settle();
  }
  tell(d.failed == 10);
  std::filesystem::remove(dir + "/ballast");
  // Bringing the database back is tried now and then only: keep asking, as a node does.
  const Instant give_up = d.loop.now() + seconds(20);
  const size_t before = d.persisted.size();
  while (d.persisted.size() == before && d.loop.now() < give_up) {
    d.write(6000, {{Column::kRecords, key_of(6000), Bytes{1}}});
    d.settle();
    std::this_thread::yield();
  }
  tell(d.persisted.size() > before);
  tell(d.read(Column::kRecords, {key_of(6000)})[0] == Bytes{1});
  for (uint32_t i = 0; i + 1 < n; ++i) whole = whole && d.read(Column::kSymbols, {key_of(i)})[0] == value_of(i, 66'000);
  tell(whole);
}

TEST(DiskCrash, AFullDiskIsAnErrorAndRoomMakesItGoOn) {
  TempDir dir;
  Child child;
  child.start("FillsATinyDisk", dir.path());
  const auto mounted = child.report();
  ASSERT_TRUE(mounted);
  if (*mounted == 0) {
    std::printf("SKIP mounting a small tmpfs in a private namespace needs root\n");
    GTEST_SKIP() << "mounting a small tmpfs in a private namespace needs root";
  }
  for (const char* what : {"the disk filled up and one write failed", "the error says that the disk is full",
                           "all acknowledged values are readable while it is full", "more writes fail too",
                           "writes work again when there is room", "and are read back", "nothing acknowledged is lost"}) {
    EXPECT_EQ(child.report(), 1u) << what;
  }
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace selvedge::host
