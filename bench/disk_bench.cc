// How much the store on disk costs beside writing the same bytes to a plain file.
//
//   segments   66 KB symbol segments with their index entries, several in flight, one sync per group; the peer appends
//              the same bytes to one file with one fdatasync after as many bytes as a group had
//   read       the same segments in random order, from the page cache
//   records    200-byte records, each acknowledged after a sync; the peer is append + fdatasync of 200 bytes
//   store      the store machine alone: its own CPU per segment
//
// MB are 10^6 bytes, CPU is user + system time of the whole process, background compaction included.
// --quick: small sizes, so that the benchmark runs as a test and never rots. --dir DIR: where to write (/tmp).
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "host/disk/disk.h"
#include "host/loop/loop.h"
#include "store/store.h"

using namespace selvedge;
using namespace selvedge::host;

namespace {

constexpr size_t kSymbolBytes = 1024 + 16;
constexpr size_t kSegmentSymbols = 64;
constexpr size_t kSegmentBytes = kSymbolBytes * kSegmentSymbols;
constexpr size_t kInFlight = 128;
constexpr size_t kReadSegments = 32;

struct Times {
  double wall_s = 0;
  double cpu_s = 0;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto s = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
  return s(usage.ru_utime) + s(usage.ru_stime);
}

double wall_seconds() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + double(t.tv_nsec) / 1e9;
}

Times timed(const std::function<void()>& work) {
  const double wall = wall_seconds(), cpu = cpu_seconds();
  work();
  return {wall_seconds() - wall, cpu_seconds() - cpu};
}

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "disk_bench: %s\n", what.c_str());
  std::exit(1);
}

double resident_mb() {
  long pages = 0, resident = 0;
  FILE* f = std::fopen("/proc/self/statm", "r");
  if (!f || std::fscanf(f, "%ld %ld", &pages, &resident) != 2) die("cannot read /proc/self/statm");
  std::fclose(f);
  return double(resident) * double(sysconf(_SC_PAGESIZE)) / 1e6;
}

/// A store on a real disk, as a node runs it.
class Node {
 public:
  explicit Node(const std::string& dir) : store_(limits()) {
    auto opened = Disk::open(loop_, dir);
    if (!opened.ok()) die(opened.error().message);
    disk_ = std::move(opened).value();
    for (const store::Column column : {store::Column::kMeta, store::Column::kRecords}) {
      const Status scanned = disk_->scan(column, [&](ByteView k, ByteView v) { (void)store_.recover(column, k, v); });
      if (!scanned.ok()) die(scanned.error().message);
    }
    Disk::Answers answers;
    answers.persisted = [this](uint64_t token) {
      done_ += store_.on_persisted(token).size();
      next();
    };
    answers.write_failed = [](uint64_t, const Error& e) { die(e.message); };
    answers.loaded = [this](uint64_t token, std::vector<std::optional<Bytes>> values) {
      for (const auto& segment : store_.on_loaded(token, std::move(values), out_).segments) read_bytes_ += segment.payload.size();
      ++done_;
      next();
    };
    answers.load_failed = [](uint64_t, const Error& e) { die(e.message); };
    disk_->set_answers(std::move(answers));
    report_ = store_.recovered(out_);
    (void)store_.set_quota(origin_, UINT64_MAX / 2);
    drain();
  }

  /// Calls give(0) ... give(count - 1), with at most `in_flight` not yet answered, and returns when all are.
  void run(size_t count, size_t in_flight, std::function<void(size_t)> give) {
    give_ = std::move(give);
    count_ = count;
    in_flight_ = in_flight;
    given_ = done_ = 0;
    next();
    loop_.run();
  }
  void put_segment(size_t n, const Bytes& payload) {
    store::HoldMeta meta;
    store_u64(meta.object.bytes.data(), n / 256);
    meta.origin = origin_;
    meta.expires_s = 4'000'000'000;
    std::vector<uint32_t> esis;
    for (uint32_t i = 0; i < kSegmentSymbols; ++i) esis.push_back(uint32_t(n % 256 * kSegmentSymbols) + i);
    check(store_.put_segment(meta, 0, esis, payload, n, out_));
    drain();
  }
  void read_segments(uint64_t object, uint32_t first) {
    store::SegmentRead read;
    store_u64(read.object.bytes.data(), object);
    read.bytes_max = kReadSegments * kSegmentBytes;
    if (first > 0) read.exclude.push_back({0, 0, first * uint32_t(kSegmentSymbols) - 1});
    check(store_.read_segments(read, 0, out_));
    drain();
  }
  void put_record(size_t n, Bytes value) {
    store::RecordId id;
    store_u64(id.bytes.data(), n);
    check(store_.put_record(1, id, std::move(value), n, out_));
    drain();
  }
  Disk::Statistics statistics() const { return disk_->statistics(); }
  uint64_t read_bytes() const { return read_bytes_; }
  const store::RecoveryReport& report() const { return report_; }
  Loop& loop() { return loop_; }

 private:
  static store::Limits limits() {
    store::Limits limits;
    limits.records_max = 1'000'000;
    limits.bytes_max = UINT64_MAX / 2;
    return limits;
  }
  template <class T>
  static void check(const Result<T>& result) {
    if (!result.ok()) die(result.error().message);
  }
  void drain() {
    for (store::Effect& effect : out_.take()) disk_->execute(std::move(effect));
  }
  void next() {
    while (given_ < count_ && given_ - done_ < in_flight_) {
      const size_t n = given_++;
      give_(n);
    }
    if (done_ == count_) loop_.stop();
  }

  Loop loop_{2};
  store::Store store_;
  Outbox<store::Effect> out_;
  std::unique_ptr<Disk> disk_;
  store::OriginId origin_{{1}};
  store::RecoveryReport report_;
  std::function<void(size_t)> give_;
  size_t count_ = 0, in_flight_ = 0, given_ = 0, done_ = 0;
  uint64_t read_bytes_ = 0;
};

/// One file, appended to and synced by hand.
class PlainFile {
 public:
  enum class Mode { kCreate, kRead };
  explicit PlainFile(const std::string& path, Mode mode = Mode::kCreate)
      : fd_(open(path.c_str(), O_RDWR | O_CLOEXEC | (mode == Mode::kCreate ? O_CREAT | O_TRUNC : 0), 0600)) {
    if (fd_ < 0) die("cannot create " + path);
  }
  ~PlainFile() { close(fd_); }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;
  void append(ByteView bytes) {
    if (write(fd_, bytes.data(), bytes.size()) != ssize_t(bytes.size())) die("write failed");
  }
  void sync() {
    if (fdatasync(fd_) != 0) die("fdatasync failed");
  }
  void read_at(uint64_t offset, Bytes& into) {
    if (pread(fd_, into.data(), into.size(), off_t(offset)) != ssize_t(into.size())) die("read failed");
  }

 private:
  int fd_;
};

void add(Times& sum, Times more) {
  sum.wall_s += more.wall_s;
  sum.cpu_s += more.cpu_s;
}

/// As many segments a sync as the store has when its callers keep kInFlight open: one half waits while the other syncs.
void write_plain(const std::string& path, size_t count, const std::vector<Bytes>& payloads) {
  PlainFile file(path);
  for (size_t n = 0; n < count; ++n) {
    file.append(payloads[n % payloads.size()]);
    if ((n + 1) % (kInFlight / 2) == 0) file.sync();
  }
  file.sync();
}

void print_row(const char* what, double bytes, Times ours, Times peer) {
  std::printf("%-18s %9.1f MB/s %7.3f CPU-s/GB | plain file %9.1f MB/s %7.3f CPU-s/GB | ratio %5.2f speed %6.2f CPU\n", what,
              bytes / ours.wall_s / 1e6, ours.cpu_s / bytes * 1e9, bytes / peer.wall_s / 1e6, peer.cpu_s / bytes * 1e9,
              peer.wall_s / ours.wall_s, ours.cpu_s / std::max(peer.cpu_s, 1e-6));
}

void bench_records(Node& node, const std::string& dir, size_t count, size_t in_flight, size_t first) {
  const Disk::Statistics before = node.statistics();
  const Times ours = timed([&] { node.run(count, in_flight, [&](size_t n) { node.put_record(first + n, Bytes(200, uint8_t(n))); }); });
  const uint64_t syncs = node.statistics().batches - before.batches;
  PlainFile file(dir + "/records");
  const size_t peer_count = std::min<size_t>(count, 500);
  const Times peer = timed([&] {
    for (size_t n = 0; n < peer_count; ++n) {
      file.append(Bytes(200, uint8_t(n)));
      file.sync();
    }
  });
  std::printf("records, %4zu open %9.0f /s  %6.1f a sync     | plain file %9.0f /s, one a sync        | ratio %5.2f\n", in_flight,
              double(count) / ours.wall_s, double(count) / double(syncs), double(peer_count) / peer.wall_s,
              double(count) / ours.wall_s / (double(peer_count) / peer.wall_s));
}

void bench_store_alone(size_t segments) {
  store::Store store({});
  Outbox<store::Effect> out;
  store.recovered(out);
  store::HoldMeta meta;
  (void)store.set_quota(meta.origin, UINT64_MAX / 2);
  meta.expires_s = 4'000'000'000;
  std::vector<Bytes> payloads(segments, Bytes(64));
  const Times times = timed([&] {
    std::vector<uint32_t> esis(kSegmentSymbols);
    for (size_t n = 0; n < segments; ++n) {
      store_u64(meta.object.bytes.data(), n / 64);
      for (uint32_t i = 0; i < kSegmentSymbols; ++i) esis[i] = uint32_t(n % 64 * kSegmentSymbols) + i;
      if (!store.put_segment(meta, 0, esis, std::move(payloads[n]), n, out).ok()) die("put failed");
      for (const store::Effect& effect : out.take()) store.on_persisted(std::get<store::DiskWrite>(effect).token);
    }
  });
  std::printf("store alone        %9.0f segments/s, %.2f us each\n", double(segments) / times.wall_s,
              times.wall_s / double(segments) * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  std::string base = "/tmp";
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) quick = true;
    else if (std::strcmp(argv[i], "--dir") == 0 && i + 1 < argc) base = argv[++i];
    else die("usage: disk_bench [--quick] [--dir DIR]");
  }
  std::string dir = base + "/disk_bench-XXXXXX";
  if (!mkdtemp(dir.data())) die("cannot make a directory in " + base);
  const size_t segments = quick ? 256 : 8192;
  const double bytes = double(segments) * double(kSegmentBytes);
  std::vector<Bytes> payloads;
  Rng rng(1);
  for (int i = 0; i < 64; ++i) {
    Bytes payload(kSegmentBytes);
    for (uint8_t& b : payload) b = uint8_t(rng.next());
    payloads.push_back(std::move(payload));
  }
  std::printf("%zu segments of %zu bytes, %zu in flight, in %s\n", segments, kSegmentBytes, kInFlight, base.c_str());
  {
    // A virtual machine pays for memory that it touches for the first time: both sides shall find it touched.
    write_plain(dir + "/warm", 4 * segments, payloads);
    if (unlink((dir + "/warm").c_str()) != 0) die("cannot remove the warm-up file");
  }
  const double resident_before = resident_mb();
  {
    Node node(dir + "/store");
    // In turns, because whoever comes first touches memory that the machine has not used before.
    constexpr size_t kTurns = 4;
    Times put, plain_put;
    for (size_t turn = 0; turn < kTurns; ++turn) {
      const size_t first = segments / kTurns * turn;
      const size_t count = segments / kTurns;
      add(plain_put, timed([&] { write_plain(dir + "/plain" + std::to_string(turn), count, payloads); }));
      add(put, timed([&] {
        node.run(count, kInFlight, [&](size_t n) { node.put_segment(first + n, payloads[n % 64]); });
      }));
    }
    print_row("segments written", bytes, put, plain_put);
    std::printf("                   %.1f segments a sync, the plain file %zu\n",
                double(segments) / double(node.statistics().batches), kInFlight / 2);

    std::vector<size_t> order;
    for (size_t n = 0; n < segments; n += kReadSegments) order.push_back(n);
    rng.shuffle(std::span<size_t>(order));
    const Times get = timed([&] {
      node.run(order.size(), 4, [&](size_t n) { node.read_segments(order[n] / 256, uint32_t(order[n] % 256)); });
    });
    if (double(node.read_bytes()) != bytes) die("not everything was read back");
    std::vector<std::unique_ptr<PlainFile>> files;
    for (size_t turn = 0; turn < kTurns; ++turn) {
      files.push_back(std::make_unique<PlainFile>(dir + "/plain" + std::to_string(turn), PlainFile::Mode::kRead));
    }
    const Times plain_get = timed([&] {
      Bytes buffer(kSegmentBytes);
      for (const size_t first : order) {
        const size_t per_file = segments / kTurns;
        for (size_t n = first; n < first + kReadSegments; ++n) {
          files[n / per_file]->read_at(n % per_file * kSegmentBytes, buffer);
        }
      }
    });
    print_row("segments read", bytes, get, plain_get);
    bench_records(node, dir, quick ? 100 : 2000, 1, 0);
    bench_records(node, dir, quick ? 2000 : 100'000, 1000, 10'000);
    std::printf("resident           %9.1f MB more than before\n", resident_mb() - resident_before);
  }
  std::unique_ptr<Node> again;
  const Times start = timed([&] { again = std::make_unique<Node>(dir + "/store"); });
  std::printf("start              %9.1f ms for %zu segments and %zu records\n", start.wall_s * 1e3, again->report().segments,
              again->report().records);
  again.reset();
  bench_store_alone(quick ? 20'000 : 500'000);
  std::error_code error;
  std::filesystem::remove_all(dir, error);
  return 0;
}
