// What the disk promises to one process; disk_crash_test.cc has what outlives one.
#include "host/disk/disk.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "host/disk/disk_testing.h"

namespace selvedge::host {
namespace {

using store::Column;
using store::DiskRead;

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

TEST(Disk, ReplacedAndDeletedSymbolsGiveTheirSpaceBackWhileOthersStay) {
  TempDir dir;
  Driver d(dir.path());
  ASSERT_TRUE(d.disk);
  const auto space = [&dir] {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path() + "/symbols")) {
      struct stat info {};
      if (stat(entry.path().c_str(), &info) == 0) bytes += uint64_t(info.st_blocks) * 512;
    }
    return bytes;
  };
  for (uint32_t i = 0; i < 100; ++i) d.write(i, {{Column::kSymbols, key_of(i), value_of(i, 66'560)}});
  d.settle();
  const uint64_t full = space();
  // Within one write too the last word counts.
  d.write(200, {{Column::kSymbols, key_of(0), value_of(500, 1000)},
                {Column::kSymbols, key_of(0), std::nullopt},
                {Column::kSymbols, key_of(0), value_of(501, 1000)}});
  for (uint32_t i = 1; i < 90; ++i) d.write(200 + i, {{Column::kSymbols, key_of(i), std::nullopt}});
  d.settle();
  EXPECT_EQ(d.failed, 0);
  EXPECT_LT(space(), full / 4);
  EXPECT_EQ(d.read(Column::kSymbols, {key_of(0)})[0], value_of(501, 1000));
  EXPECT_EQ(d.read(Column::kSymbols, {key_of(1)})[0], std::nullopt);
  for (uint32_t i = 90; i < 100; ++i) EXPECT_EQ(d.read(Column::kSymbols, {key_of(i)})[0], value_of(i, 66'560));
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

}  // namespace
}  // namespace selvedge::host
