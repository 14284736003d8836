#include "host/disk/disk.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "base/check.h"
#include "host/disk/symbol_log.h"
#include "host/loop/loop.h"

namespace selvedge::host {
namespace {

using store::Column;
using store::DiskRead;
using store::DiskWrite;
using store::kColumnCount;

/// One group: what a single sync makes durable.
constexpr size_t kGroupWritesMax = 1024;
constexpr size_t kGroupBytesMax = 4 << 20;
/// Writes waiting for the writer thread; the store keeps fewer in flight.
constexpr size_t kQueuedWritesMax = 16'384;
/// After a failed write, bringing the database back is not tried more often than this.
constexpr std::chrono::milliseconds kBringBackInterval{250};
/// Free space that a full disk must have again before writing goes on: a flush and a new log fit.
constexpr uint64_t kRoomToGoOnBytes = 24 << 20;
/// Sizes for a node that shares its machine: all of it together stays under 60 MB resident when idle.
constexpr size_t kWriteBufferBytes = 2 << 20;
constexpr size_t kBlockCacheBytes = 4 << 20;
constexpr uint64_t kWalBytesMax = 16 << 20;
constexpr int kOpenFilesMax = 256;

constexpr std::array<const char*, kColumnCount> kColumnNames{"meta", "records", "symbols", "receipts"};

rocksdb::Slice slice(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
ByteView bytes_of(const rocksdb::Slice& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }

Error to_error(const rocksdb::Status& status, const std::string& dir) {
  if (status.IsNoSpace()) {
    return fail(Errc::kIo, "the disk of " + dir + " is full: free some space; what is held stays readable (" +
                               status.ToString() + ")");
  }
  if (status.IsCorruption()) {
    return fail(Errc::kIntegrity, "the store in " + dir + " is damaged: put back a backup of it, or move it away and "
                                  "start empty, then what others hold comes back from them (" + status.ToString() + ")");
  }
  if (status.IsNotSupported() || status.IsInvalidArgument()) {
    return fail(Errc::kUnsupported, "the store in " + dir + " was written by another version: use that version (" +
                                        status.ToString() + ")");
  }
  return fail(Errc::kIo, "cannot use the store in " + dir + ": check its permissions and the disk (" +
                             status.ToString() + ")");
}

/// Runs `call`, which returns a rocksdb::Status; what it throws becomes a Status too.
template <class Call>
rocksdb::Status guarded(Call call) {
  try {
    return call();
  } catch (const std::exception& e) {
    return rocksdb::Status::IOError("exception", e.what());
  }
}

/// RocksDB would poll a full disk by itself and then touch the log that failed; see Impl::bring_back().
class NoPolling : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

rocksdb::DBOptions db_options() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = kOpenFilesMax;
  options.max_total_wal_size = kWalBytesMax;
  options.bytes_per_sync = 1 << 20;
  // The log has everything: a start or stop on a full disk must not need room for a flush.
  options.avoid_flush_during_recovery = true;
  options.avoid_flush_during_shutdown = true;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  // An idle node does not wake up for statistics.
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_bgerror_resume_count = 0;
  options.listeners.push_back(std::make_shared<NoPolling>());
  return options;
}

rocksdb::ColumnFamilyOptions column_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kNoCompression;  // almost everything is ciphertext
  options.write_buffer_size = kWriteBufferBytes;
  options.table_properties_collector_factories.push_back(rocksdb::NewCompactOnDeletionCollectorFactory(1024, 512));
  return options;
}

/// An exclusive lock on a file, for as long as it lives.
class LockFile {
 public:
  LockFile() = default;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile() {
    if (fd_ >= 0) close(fd_);
  }
  Status take(const std::string& dir) {
    const std::string path = dir + "/lock";
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) {
      return fail(Errc::kIo, "cannot write to " + dir + ": " + std::strerror(errno) + "; check its owner and permissions");
    }
    if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return ok();
    if (errno != EWOULDBLOCK) return fail(Errc::kIo, "cannot lock " + path + ": " + std::strerror(errno));
    return fail(Errc::kBusy, "another selvedge node is using " + dir + "; stop it or use another --home");
  }

 private:
  int fd_ = -1;
};

Status make_private_dir(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(dir).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error || (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)) {
    const std::string why = error ? error.message() : std::strerror(errno);
    return fail(Errc::kIo, "cannot create " + dir + ": " + why + "; check the permissions above it or use another --home");
  }
  struct stat info {};
  if (stat(dir.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return fail(Errc::kIo, dir + " is not a directory; move it away or use another --home");
  }
  // Grants and peers are nobody else's business, whatever the umask was when the directory was made.
  if ((info.st_mode & 077) != 0 && chmod(dir.c_str(), 0700) != 0) {
    return fail(Errc::kIo, "others can read " + dir + " and it belongs to another user; change its owner or use another --home");
  }
  return ok();
}

}  // namespace

struct Disk::Impl : std::enable_shared_from_this<Disk::Impl> {
  Impl(Loop& l, std::string d) : loop(l), dir(std::move(d)) {}

  Loop& loop;
  const std::string dir;
  LockFile lock_file;
  std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(kBlockCacheBytes);

  // Reads hold it shared; opening and closing hold it alone.
  std::shared_mutex db_mutex;
  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kColumnCount> columns{};

  // Loop thread only.
  Answers answers;
  Statistics statistics;
  bool closed = false;

  // Between the loop thread and the writer.
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<DiskWrite> queue;
  bool stopping = false;

  // Writer thread only.
  std::thread writer;
  rocksdb::Status broken;
  std::chrono::steady_clock::time_point bring_back_not_before{};
  SymbolLog symbols{dir + "/symbols"};  // read() from the workers too

  enum class Mode { kReadWrite, kReadOnly };
  rocksdb::Status open_db(Mode mode);
  void close_db();
  Status scan(Column column, const std::function<void(ByteView key, ByteView value)>& visit);
  Status bring_back();
  Status start_symbols();
  Status commit(const std::vector<DiskWrite>& group);
  struct Changes {
    std::vector<SymbolLog::Location> replaced;  // not held any more once the batch is durable
    std::vector<SymbolLog::Location> added;
  };
  rocksdb::Status add_to_batch(const std::vector<DiskWrite>& group, rocksdb::WriteBatch& batch, Changes& changes);
  std::vector<DiskWrite> next_group();
  void write_loop();
  Result<std::vector<std::optional<Bytes>>> read(const DiskRead& effect);
  std::optional<Bytes> symbols_at(ByteView location) const;
  void answer_writes(const std::vector<uint64_t>& tokens, uint64_t bytes, const Status& status);
};

// --- Opening and closing.

rocksdb::Status Disk::Impl::open_db(Mode mode) {
  return guarded([this, mode] {
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (size_t i = 0; i < kColumnCount; ++i) {
      descriptors.emplace_back(kColumnNames[i], column_options(cache));
    }
    // RocksDB insists on its default column family; nothing is in it.
    rocksdb::ColumnFamilyOptions unused;
    unused.write_buffer_size = 64 << 10;
    descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, unused);
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    const std::string path = dir + "/db";
    const rocksdb::Status status =
        mode == Mode::kReadWrite ? rocksdb::DB::Open(db_options(), path, descriptors, &handles, &opened)
                                 : rocksdb::DB::OpenForReadOnly(db_options(), path, descriptors, &handles, &opened);
    if (!status.ok()) return status;
    const std::unique_lock<std::shared_mutex> alone(db_mutex);
    db.reset(opened);
    std::copy_n(handles.begin(), kColumnCount, columns.begin());
    return opened->DestroyColumnFamilyHandle(handles.back());
  });
}

void Disk::Impl::close_db() {
  const std::unique_lock<std::shared_mutex> alone(db_mutex);
  if (!db) return;
  (void)guarded([this] {
    for (rocksdb::ColumnFamilyHandle*& column : columns) {
      if (column) db->DestroyColumnFamilyHandle(column).PermitUncheckedError();
      column = nullptr;
    }
    const rocksdb::Status status = db->Close();
    db.reset();
    return status;
  });
}

Result<std::unique_ptr<Disk>> Disk::open(Loop& loop, const std::string& dir) {
  TRY(make_private_dir(dir));
  auto impl = std::make_shared<Impl>(loop, dir);
  TRY(impl->lock_file.take(dir));
  const rocksdb::Status status = impl->open_db(Impl::Mode::kReadWrite);
  if (!status.ok()) return to_error(status, dir);
  TRY(impl->start_symbols());
  Impl* raw = impl.get();
  impl->writer = std::thread([raw] { raw->write_loop(); });
  return std::unique_ptr<Disk>(new Disk(std::move(impl)));
}

Disk::Disk(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Disk::~Disk() {
  impl_->closed = true;
  impl_->answers = {};
  {
    const std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  impl_->writer.join();
  impl_->close_db();
}

Status Disk::Impl::scan(Column column, const std::function<void(ByteView key, ByteView value)>& visit) {
  const rocksdb::Status status = guarded([this, column, &visit] {
    const std::shared_lock<std::shared_mutex> shared(db_mutex);
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.readahead_size = 1 << 20;
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(options, columns[size_t(column)]));
    for (it->SeekToFirst(); it->Valid(); it->Next()) visit(bytes_of(it->key()), bytes_of(it->value()));
    return it->status();
  });
  if (!status.ok()) return to_error(status, dir);
  return ok();
}

Status Disk::Impl::start_symbols() {
  return symbols.start([this](const SymbolLog::Visit& visit) {
    return scan(Column::kSymbols, [&visit](ByteView, ByteView value) {
      const Result<SymbolLog::Location> location = SymbolLog::decode(value);
      if (location.ok()) visit(*location);
    });
  });
}

Status Disk::scan(Column column, const std::function<void(ByteView key, ByteView value)>& visit) {
  if (column != Column::kSymbols) return impl_->scan(column, visit);
  return impl_->scan(column, [this, &visit](ByteView key, ByteView location) {
    const std::optional<Bytes> value = impl_->symbols_at(location);
    visit(key, value ? ByteView(*value) : ByteView());
  });
}

void Disk::set_answers(Answers answers) { impl_->answers = std::move(answers); }
Disk::Statistics Disk::statistics() const { return impl_->statistics; }

// --- Writing.

void Disk::execute(store::Effect effect) {
  CHECK_MSG(impl_->answers.persisted && impl_->answers.write_failed && impl_->answers.loaded && impl_->answers.load_failed,
            "set_answers() comes before execute()");
  if (auto* read = std::get_if<DiskRead>(&effect)) {
    auto asked = std::make_shared<DiskRead>(std::move(*read));
    auto values = std::make_shared<std::optional<Result<std::vector<std::optional<Bytes>>>>>();
    auto job = [impl = impl_, asked, values] { *values = impl->read(*asked); };
    auto done = [impl = impl_, asked, values] {
      if (impl->closed) return;
      Result<std::vector<std::optional<Bytes>>>& result = **values;
      if (result.ok()) impl->answers.loaded(asked->token, std::move(result).value());
      else impl->answers.load_failed(asked->token, result.error());
    };
    impl_->loop.work(std::move(job), std::move(done));
    return;
  }
  DiskWrite& write = std::get<DiskWrite>(effect);
  const uint64_t token = write.token;
  {
    const std::lock_guard<std::mutex> lock(impl_->mutex);
    if (impl_->queue.size() < kQueuedWritesMax) {
      impl_->queue.push_back(std::move(write));
      impl_->wake.notify_one();
      return;
    }
  }
  impl_->loop.post([impl = impl_, token] {
    impl->answer_writes({token}, 0, fail(Errc::kLimit, "the disk is behind; try again later"));
  });
}

void Disk::Impl::answer_writes(const std::vector<uint64_t>& tokens, uint64_t bytes, const Status& status) {
  if (closed) return;
  if (status.ok()) {
    statistics.writes += tokens.size();
    statistics.bytes += bytes;
    ++statistics.batches;
  } else {
    statistics.failures += tokens.size();
  }
  for (const uint64_t token : tokens) {
    if (status.ok()) answers.persisted(token);
    else answers.write_failed(token, status.error());
  }
}

std::vector<DiskWrite> Disk::Impl::next_group() {
  std::vector<DiskWrite> group;
  std::unique_lock<std::mutex> lock(mutex);
  wake.wait(lock, [this] { return stopping || !queue.empty(); });
  size_t bytes = 0;
  while (!queue.empty() && group.size() < kGroupWritesMax && bytes < kGroupBytesMax) {
    for (const store::Write& write : queue.front().writes) bytes += write.key.size() + (write.value ? write.value->size() : 0);
    group.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  return group;
}

void Disk::Impl::write_loop() {
  for (;;) {
    const std::vector<DiskWrite> group = next_group();
    if (group.empty()) return;
    Status status = commit(group);
    std::vector<uint64_t> tokens;
    uint64_t bytes = 0;
    for (const DiskWrite& write : group) {
      tokens.push_back(write.token);
      for (const store::Write& w : write.writes) bytes += w.key.size() + (w.value ? w.value->size() : 0);
    }
    loop.post([impl = shared_from_this(), tokens = std::move(tokens), bytes, status = std::move(status)] {
      impl->answer_writes(tokens, bytes, status);
    });
  }
}

Status Disk::Impl::commit(const std::vector<DiskWrite>& group) {
  if (!broken.ok()) TRY(bring_back());
  // The payloads first: their locations are committed only when they are on disk.
  std::vector<const Bytes*> payloads;
  for (const DiskWrite& write : group) {
    for (const store::Write& w : write.writes) {
      if (w.column == Column::kSymbols && w.value) payloads.push_back(&*w.value);
    }
  }
  Changes changes;
  if (!payloads.empty()) changes.added = TRY(symbols.append(payloads));
  const rocksdb::Status status = guarded([this, &group, &changes] {
    rocksdb::WriteBatch batch;
    const rocksdb::Status added = add_to_batch(group, batch, changes);
    if (!added.ok()) return added;
    rocksdb::WriteOptions options;
    options.sync = true;
    return db->Write(options, &batch);
  });
  if (!status.ok()) {
    // What was appended may or may not be held after the next opening, which finds out.
    broken = status;
    return to_error(status, dir);
  }
  symbols.release(std::move(changes.replaced));
  return ok();
}

rocksdb::Status Disk::Impl::add_to_batch(const std::vector<DiskWrite>& group, rocksdb::WriteBatch& batch, Changes& changes) {
  std::map<Bytes, std::optional<SymbolLog::Location>> held;  // as of the writes of this group seen so far
  size_t next = 0;
  for (const DiskWrite& write : group) {
    for (const store::Write& w : write.writes) {
      rocksdb::ColumnFamilyHandle* column = columns[size_t(w.column)];
      rocksdb::Status status;
      if (w.column != Column::kSymbols) {
        status = w.value ? batch.Put(column, slice(w.key), slice(*w.value)) : batch.Delete(column, slice(w.key));
        if (!status.ok()) return status;
        continue;
      }
      auto [it, fresh] = held.try_emplace(w.key);
      if (fresh) {
        rocksdb::PinnableSlice value;
        status = db->Get(rocksdb::ReadOptions(), column, slice(w.key), &value);
        if (!status.ok() && !status.IsNotFound()) return status;
        const Result<SymbolLog::Location> location = SymbolLog::decode(bytes_of(value));
        if (status.ok() && location.ok()) it->second = *location;
      }
      if (it->second) changes.replaced.push_back(*it->second);
      it->second = std::nullopt;
      if (w.value) it->second = changes.added[next++];
      status = it->second ? batch.Put(column, slice(w.key), slice(SymbolLog::encode(*it->second))) : batch.Delete(column, slice(w.key));
      if (!status.ok()) return status;
    }
  }
  return rocksdb::Status::OK();
}

Status Disk::Impl::bring_back() {
  const auto now = std::chrono::steady_clock::now();
  if (now < bring_back_not_before) return to_error(broken, dir);
  bring_back_not_before = now + kBringBackInterval;
  // Without room a new start cannot work, and the database as it is serves reads.
  std::error_code error;
  if (broken.IsNoSpace() && std::filesystem::space(dir, error).available < kRoomToGoOnBytes && !error) {
    return to_error(broken, dir);
  }
  // RocksDB refuses all writes after one has failed. Its Resume() is no way on: it touches the log that failed, and
  // Debian's build asserts on that. A new start finds everything that was acknowledged in the log.
  close_db();
  broken = open_db(Mode::kReadWrite);
  if (!broken.ok()) {
    (void)open_db(Mode::kReadOnly);
    return to_error(broken, dir);
  }
  return start_symbols();
}

// --- Reading.

std::optional<Bytes> Disk::Impl::symbols_at(ByteView location) const {
  const Result<SymbolLog::Location> at = SymbolLog::decode(location);
  return at.ok() ? symbols.read(*at) : std::nullopt;
}

Result<std::vector<std::optional<Bytes>>> Disk::Impl::read(const DiskRead& effect) {
  const bool symbols_wanted = effect.column == Column::kSymbols;
  std::vector<std::optional<Bytes>> out(effect.keys.size());
  const rocksdb::Status status = guarded([this, symbols_wanted, &effect, &out] {
    const std::shared_lock<std::shared_mutex> shared(db_mutex);
    if (!db) return rocksdb::Status::IOError("the store is closed");
    std::vector<rocksdb::Slice> keys;
    for (const Bytes& key : effect.keys) keys.push_back(slice(key));
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db->MultiGet(rocksdb::ReadOptions(), columns[size_t(effect.column)], keys.size(), keys.data(), values.data(),
                 statuses.data());
    for (size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].ok()) {
        // A damaged segment is as good as a lost one, which the fountain makes up for.
        out[i] = symbols_wanted ? symbols_at(bytes_of(values[i])) : to_bytes(bytes_of(values[i]));
      } else if (!statuses[i].IsNotFound()) {
        return statuses[i];
      }
    }
    return rocksdb::Status::OK();
  });
  if (!status.ok()) return to_error(status, dir);
  return out;
}

}  // namespace selvedge::host
