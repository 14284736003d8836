#include "host/disk/symbol_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/rng.h"

namespace selvedge::host {
namespace {

class SymbolLogTest : public ::testing::Test {
 protected:
  SymbolLogTest() {
    char name[] = "/tmp/selvedge-symbols-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    dir_ = name;
    restart();
  }
  ~SymbolLogTest() override {
    std::error_code error;
    std::filesystem::remove_all(dir_, error);
  }
  void restart() {
    log_ = std::make_unique<SymbolLog>(dir_);
    const Status started = log_->start([this](const SymbolLog::Visit& visit) {
      for (const auto& location : held_) visit(location);
      return ok();
    });
    ASSERT_TRUE(started.ok()) << started.error().message;
  }
  std::vector<SymbolLog::Location> append(size_t count, size_t size) {
    std::vector<Bytes> values;
    for (size_t i = 0; i < count; ++i) values.push_back(value(size));
    std::vector<const Bytes*> pointers;
    for (const Bytes& v : values) pointers.push_back(&v);
    auto locations = log_->append(pointers);
    EXPECT_TRUE(locations.ok());
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(log_->read((*locations)[i]), values[i]);
    held_.insert(held_.end(), locations->begin(), locations->end());
    return *locations;
  }
  Bytes value(size_t size) {
    Bytes out(size);
    for (uint8_t& b : out) b = uint8_t(rng_.next());
    return out;
  }
  uint64_t space_bytes() const {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      struct stat info {};
      if (stat(entry.path().c_str(), &info) == 0) bytes += uint64_t(info.st_blocks) * 512;
    }
    return bytes;
  }
  size_t file_count() const {
    return size_t(std::distance(std::filesystem::directory_iterator(dir_), std::filesystem::directory_iterator()));
  }

  Rng rng_{7};
  std::string dir_;
  std::vector<SymbolLog::Location> held_;
  std::unique_ptr<SymbolLog> log_;
};

TEST_F(SymbolLogTest, ManyValuesOfAnySizeComeBackFromOneAppend) {
  append(1300, 100);  // more than one vector of the system call
  append(1, 1 << 20);
  append(1, 0);
  append(3, 66'560);
}

TEST_F(SymbolLogTest, SpaceComesBackAtOnceAndTheRestStaysWhole) {
  const auto locations = append(200, 66'560);
  const uint64_t full = space_bytes();
  std::vector<SymbolLog::Location> dead(locations.begin() + 20, locations.begin() + 180);
  log_->release(dead);
  EXPECT_LT(space_bytes(), full / 4);
  for (size_t i = 0; i < locations.size(); ++i) EXPECT_EQ(log_->read(locations[i]).has_value(), i < 20 || i >= 180) << i;
}

TEST_F(SymbolLogTest, AFileInWhichNothingLivesIsRemoved) {
  const auto first = append(2, 66'560);
  restart();  // the first file is not active any more
  const auto second = append(2, 66'560);
  EXPECT_EQ(file_count(), 2u);
  log_->release(first);
  EXPECT_EQ(file_count(), 1u);
  EXPECT_TRUE(log_->read(second[1]).has_value());
}

TEST_F(SymbolLogTest, AStartSweepsWhatTheDatabaseNeverHeld) {
  const auto kept = append(10, 66'560);
  append(100, 66'560);
  const auto tail = append(1, 66'560);
  // A crash between the append and the commit: the database knows the first ones and the last one only.
  held_.assign(kept.begin(), kept.end());
  held_.push_back(tail[0]);
  restart();
  EXPECT_LT(space_bytes(), uint64_t(16) * 66'560);
  for (const auto& location : held_) EXPECT_TRUE(log_->read(location).has_value());
  held_.clear();
  restart();
  EXPECT_EQ(file_count(), 0u);
}

TEST_F(SymbolLogTest, ADamagedOrMissingValueIsNeverReturned) {
  const auto locations = append(3, 1000);
  const auto entry = *std::filesystem::directory_iterator(dir_);
  std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(1500);
  file.put(char(0x55));
  file.seekp(1501);
  file.put(char(0xaa));
  file.close();
  EXPECT_TRUE(log_->read(locations[0]).has_value());
  EXPECT_FALSE(log_->read(locations[1]).has_value());
  SymbolLog::Location outside = locations[2];
  outside.bytes = UINT32_MAX;
  EXPECT_FALSE(log_->read(outside).has_value());
  outside.offset = UINT64_MAX;
  EXPECT_FALSE(log_->read(outside).has_value());
  outside.file = 99;
  EXPECT_FALSE(log_->read(outside).has_value());
  EXPECT_EQ(SymbolLog::decode(Bytes(27)).code(), Errc::kInvalid);
}

}  // namespace
}  // namespace selvedge::host
