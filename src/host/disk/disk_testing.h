// For the tests of the disk and the child process that they kill: a temporary directory, a disk driven by hand, and
// batches whose survival can be checked.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "host/disk/disk.h"
#include "host/loop/loop.h"

namespace selvedge::host {

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

inline Bytes key_of(uint32_t n) {
  Bytes key;
  append_u32(key, n);
  return key;
}

inline Bytes value_of(uint32_t n, size_t size) {
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
  void write(uint64_t token, std::vector<store::Write> writes) { give(store::DiskWrite{token, std::move(writes)}); }
  std::vector<std::optional<Bytes>> read(store::Column column, std::vector<Bytes> keys) {
    give(store::DiskRead{1, column, std::move(keys)});
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

inline constexpr uint32_t kBatchKeys = 6;

/// Batch n writes these keys in three columns, all or none of which may survive.
inline std::vector<store::Write> batch(uint32_t n) {
  std::vector<store::Write> writes;
  for (uint32_t i = 0; i < kBatchKeys; ++i) {
    const store::Column column = i % 3 == 0   ? store::Column::kSymbols
                                 : i % 3 == 1 ? store::Column::kMeta
                                              : store::Column::kReceipts;
    writes.push_back({column, key_of(n * kBatchKeys + i), value_of(n * kBatchKeys + i, i % 3 == 0 ? 20'000 : 40)});
  }
  return writes;
}

}  // namespace selvedge::host
