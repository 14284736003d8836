#include "host/disk/symbol_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/checksum.h"

namespace selvedge::host {
namespace {

/// A file is closed when it has reached this: small enough to be soon dead as a whole, large enough to be few.
constexpr uint64_t kFileBytes = uint64_t(64) << 20;
constexpr size_t kIovecsMax = 512;
/// Holes can be made of whole blocks of the file system only.
constexpr uint64_t kBlockBytes = 4096;
/// Dead space in a file that a start takes the trouble to sweep.
constexpr uint64_t kDeadBytesTolerated = 1 << 20;
constexpr size_t kLocationBytes = 28;
constexpr const char* kSuffix = ".symbols";

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

Error io_error(const std::string& what, const std::string& dir, int error) {
  if (error == ENOSPC || error == EDQUOT) {
    return fail(Errc::kIo, "the disk of " + dir + " is full: free some space or drop objects; what is held stays readable");
  }
  return fail(Errc::kIo, what + " in " + dir + ": " + std::strerror(error) + "; check its permissions and the disk");
}

}  // namespace

Bytes SymbolLog::encode(const Location& location) {
  Bytes out;
  out.reserve(kLocationBytes);
  append_u64(out, location.file);
  append_u64(out, location.offset);
  append_u32(out, location.bytes);
  append_u64(out, location.checksum);
  return out;
}

Result<SymbolLog::Location> SymbolLog::decode(ByteView bytes) {
  if (bytes.size() != kLocationBytes) return fail(Errc::kInvalid, "unreadable location of a segment");
  return Location{load_u64(bytes.data()), load_u64(bytes.data() + 8), load_u32(bytes.data() + 16), load_u64(bytes.data() + 20)};
}

SymbolLog::~SymbolLog() { close_active(); }

std::string SymbolLog::path_of(uint64_t file) const {
  char name[32];
  std::snprintf(name, sizeof name, "/%012llu", static_cast<unsigned long long>(file));
  return dir_ + name + kSuffix;
}

// --- Start.

Status SymbolLog::start(const ForEach& for_each) {
  close_active();
  files_.clear();
  std::error_code error;
  std::filesystem::create_directories(dir_, error);
  if (error) return io_error("cannot make the directory of symbols", dir_, error.value());
  for (std::filesystem::directory_iterator it(dir_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    uint64_t number = 0;
    const auto [rest, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (failed != std::errc() || std::string_view(rest) != kSuffix) continue;
    files_[number];
    last_file_ = std::max(last_file_, number);
  }
  if (error) return io_error("cannot list the symbols", dir_, error.value());
  TRY(for_each([this](const Location& location) {
    const auto it = files_.find(location.file);
    if (it == files_.end()) return;
    it->second.live_bytes += location.bytes;
    ++it->second.live_values;
  }));
  return sweep(for_each);
}

Status SymbolLog::sweep(const ForEach& for_each) {
  std::map<uint64_t, uint64_t> sizes;  // of the files with more dead space than is tolerated
  for (auto it = files_.begin(); it != files_.end();) {
    const auto here = it++;
    struct stat info {};
    const std::string path = path_of(here->first);
    if (here->second.live_values == 0) {
      unlink(path.c_str());
      files_.erase(here);
    } else if (stat(path.c_str(), &info) == 0 &&
               uint64_t(info.st_blocks) * 512 > here->second.live_bytes + kDeadBytesTolerated) {
      sizes[here->first] = uint64_t(info.st_size);
    }
  }
  if (sizes.empty()) return ok();
  std::vector<Extent> live;
  TRY(for_each([&](const Location& l) {
    if (sizes.count(l.file) != 0) live.push_back({l.file, l.offset, l.offset + l.bytes});
  }));
  for (const auto& [file, size] : sizes) live.push_back({file, size, size});
  std::sort(live.begin(), live.end());
  std::vector<Extent> dead;
  uint64_t file = 0, at = 0;
  for (const Extent& extent : live) {
    if (extent.file != file) at = 0;
    file = extent.file;
    if (extent.begin > at) dead.push_back({file, at, extent.begin});
    at = std::max(at, extent.end);
  }
  punch(std::move(dead));
  return ok();
}

// --- Writing.

Status SymbolLog::open_active() {
  const uint64_t number = last_file_ + 1;
  const int fd = open(path_of(number).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return io_error("cannot create a file of symbols", dir_, errno);
  // The file's name must be as durable as its bytes.
  const Fd dir(open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  last_file_ = number;
  if (!dir.ok() || fsync(dir.get()) != 0) {
    const int error = errno;
    close(fd);
    return io_error("cannot sync the directory of symbols", dir_, error);
  }
  files_[number];
  active_ = fd;
  active_bytes_ = 0;
  return ok();
}

void SymbolLog::close_active() {
  if (active_ < 0) return;
  close(active_);
  active_ = -1;
  const auto it = files_.find(last_file_);
  if (it == files_.end() || it->second.live_values != 0) return;
  unlink(path_of(last_file_).c_str());
  files_.erase(it);
}

Status SymbolLog::write_all(std::span<const Bytes* const> values) {
  uint64_t at = active_bytes_;
  size_t next = 0;    // value being written
  size_t offset = 0;  // in it
  while (next < values.size()) {
    std::vector<iovec> parts;
    for (size_t i = next; i < values.size() && parts.size() < kIovecsMax; ++i) {
      const size_t skip = i == next ? offset : 0;
      parts.push_back({const_cast<uint8_t*>(values[i]->data()) + skip, values[i]->size() - skip});
    }
    const ssize_t written = pwritev(active_, parts.data(), int(parts.size()), off_t(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error("cannot write symbols", dir_, errno);
    at += uint64_t(written);
    size_t left = size_t(written);
    while (next < values.size() && left >= values[next]->size() - offset) {
      left -= values[next]->size() - offset;
      offset = 0;
      ++next;
    }
    offset += left;
  }
  if (fdatasync(active_) != 0) return io_error("cannot sync symbols", dir_, errno);
  return ok();
}

Result<std::vector<SymbolLog::Location>> SymbolLog::append(std::span<const Bytes* const> values) {
  if (active_ >= 0 && active_bytes_ >= kFileBytes) close_active();
  if (active_ < 0) TRY(open_active());
  const Status written = write_all(values);
  if (!written.ok()) {
    // After a failed sync the kernel may have dropped the bytes: this file is never appended to again.
    (void)!ftruncate(active_, off_t(active_bytes_));
    close_active();
    return written.error();
  }
  std::vector<Location> locations;
  locations.reserve(values.size());
  for (const Bytes* value : values) {
    locations.push_back({last_file_, active_bytes_, uint32_t(value->size()), checksum64(*value)});
    active_bytes_ += value->size();
    files_[last_file_].live_bytes += value->size();
    ++files_[last_file_].live_values;
  }
  return locations;
}

// --- Removing.

void SymbolLog::release(std::vector<Location> dead) {
  std::vector<Extent> extents;
  for (const Location& location : dead) {
    const auto it = files_.find(location.file);
    if (it == files_.end()) continue;
    it->second.live_bytes -= std::min<uint64_t>(it->second.live_bytes, location.bytes);
    if (it->second.live_values > 0) --it->second.live_values;
    if (it->second.live_values == 0 && !(active_ >= 0 && location.file == last_file_)) {
      unlink(path_of(location.file).c_str());
      files_.erase(it);
      continue;
    }
    extents.push_back({location.file, location.offset, location.offset + location.bytes});
  }
  punch(std::move(extents));
}

void SymbolLog::punch(std::vector<Extent> extents) {
  // Neighbours are joined first, because the blocks that two of them share are whole only together.
  std::sort(extents.begin(), extents.end());
  for (size_t i = 0; i < extents.size();) {
    Extent hole = extents[i++];
    while (i < extents.size() && extents[i].file == hole.file && extents[i].begin <= hole.end) {
      hole.end = std::max(hole.end, extents[i++].end);
    }
    const uint64_t begin = (hole.begin + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    const uint64_t end = hole.end / kBlockBytes * kBlockBytes;
    if (begin >= end || files_.count(hole.file) == 0) continue;
    const Fd fd(open(path_of(hole.file).c_str(), O_WRONLY | O_CLOEXEC));
    // A file system without holes gives the space back when the whole file is dead.
    if (fd.ok()) (void)!fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off_t(begin), off_t(end - begin));
  }
}

// --- Reading.

std::optional<Bytes> SymbolLog::read(const Location& location) const {
  const Fd fd(open(path_of(location.file).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return std::nullopt;
  struct stat info {};
  // The length comes from the disk: it must not make us allocate more than the file has.
  if (fstat(fd.get(), &info) != 0 || location.offset > uint64_t(info.st_size) ||
      location.bytes > uint64_t(info.st_size) - location.offset) {
    return std::nullopt;
  }
  Bytes bytes(location.bytes);
  for (size_t got = 0; got < bytes.size();) {
    const ssize_t n = pread(fd.get(), bytes.data() + got, bytes.size() - got, off_t(location.offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    got += size_t(n);
  }
  if (checksum64(bytes) != location.checksum) return std::nullopt;
  return bytes;
}

}  // namespace selvedge::host
