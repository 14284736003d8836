// The process that the crash tests start and kill: selvedge_disk_child MODE DIR. It reports on descriptor 3, one
// 32-bit number at a time.
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#include "host/disk/disk_testing.h"

namespace selvedge::host {
namespace {

using store::Column;
using store::DiskWrite;

void tell(uint32_t n) { CHECK(::write(3, &n, sizeof n) == ssize_t(sizeof n)); }

/// Writes batches for ever, some in flight at a time, and reports each acknowledged number.
void write_until_killed(const std::string& dir) {
  Driver d(dir);
  CHECK(d.disk);
  uint32_t next = 0;
  CHECK(d.disk->scan(Column::kRecords, [&](ByteView, ByteView v) { next = load_u32(v.data()); }).ok());
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

/// Opens the store, says whether that worked and keeps it.
void hold_the_lock(const std::string& dir) {
  Driver d(dir);
  tell(d.disk ? 1 : 0);
  for (;;) pause();
}

/// Fills a small file system, sees the error, makes room, goes on. Reports its findings one by one.
void fill_a_tiny_disk(const std::string& dir) {
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", dir.c_str(), "tmpfs", 0, "size=88m") != 0) {
    tell(0);
    return;
  }
  tell(1);
  std::ofstream(dir + "/ballast", std::ios::binary) << std::string(40 << 20, 'b');
  Driver d(dir + "/store");
  CHECK(d.disk);
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
  // Small writes fill the last blocks too, until the database itself can write no more.
  for (uint32_t i = 0; i < 10'000 && d.failed < 12; ++i) {
    d.write(7000 + i, {{Column::kReceipts, key_of(7000 + i), value_of(i, 3000)}});
    d.settle();
  }
  tell(d.failed >= 12);
  whole = whole && d.read(Column::kReceipts, {key_of(7000)})[0] == value_of(0, 3000);
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

}  // namespace
}  // namespace selvedge::host

int main(int argc, char** argv) {
  const std::string_view mode = argc == 3 ? argv[1] : "";
  if (mode == "write") {
    selvedge::host::write_until_killed(argv[2]);
  } else if (mode == "hold") {
    selvedge::host::hold_the_lock(argv[2]);
  } else if (mode == "fill") {
    selvedge::host::fill_a_tiny_disk(argv[2]);
  } else {
    std::fprintf(stderr, "usage: selvedge_disk_child write|hold|fill DIR\n");
    return 2;
  }
  return 0;
}
