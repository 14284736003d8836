#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace selvedge::cli {

namespace fs = std::filesystem;

namespace {

constexpr size_t kReadBytes = 256 * 1024;

Error file_error(const std::string& what, const std::string& path, int code) {
  return fail(code == ENOENT ? Errc::kNotFound : Errc::kIo, what + " " + path + ": " + strerror(code));
}

/// A descriptor that is closed when it goes.
struct OpenFile {
  int fd;
  ~OpenFile() {
    if (fd >= 0) close(fd);
  }
};

class Walk {
 public:
  Status add_named(const std::string& path) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) return file_error("cannot read", path, errno);
    const std::string absolute = TRY(absolute_path(path));
    if (S_ISDIR(info.st_mode)) return add_dir(path, absolute, 0);
    if (!S_ISREG(info.st_mode)) return fail(Errc::kInvalid, path + " is neither a file nor a directory");
    return add_file(path, absolute, uint64_t(info.st_size));
  }
  Walked take() { return std::move(out_); }

 private:
  Status add_file(const std::string& name, const std::string& absolute, uint64_t size) {
    if (access(absolute.c_str(), R_OK) != 0) {
      out_.skipped.push_back(name + ": " + strerror(errno));
      return ok();
    }
    if (out_.files.size() >= node::kFilesPerRequestMax) {
      return fail(Errc::kLimit, "more than " + std::to_string(node::kFilesPerRequestMax) + " files; name fewer at a time");
    }
    out_.files.push_back({absolute, name, size});
    out_.bytes += size;
    return ok();
  }

  Status add_dir(const std::string& name, const std::string& absolute, size_t depth) {
    if (depth > kWalkDepthMax) {
      out_.skipped.push_back(name + ": more than " + std::to_string(kWalkDepthMax) + " folders deep");
      return ok();
    }
    std::error_code code;
    std::vector<std::string> entries;
    for (fs::directory_iterator it(absolute, code), end; !code && it != end; it.increment(code)) entries.push_back(it->path().filename().string());
    if (code) {
      out_.skipped.push_back(name + ": " + code.message());
      return ok();
    }
    std::sort(entries.begin(), entries.end());
    const std::string prefix = name.ends_with('/') ? name : name + "/";
    for (const std::string& entry : entries) {
      const std::string path = absolute + "/" + entry;
      struct stat info {};
      if (lstat(path.c_str(), &info) != 0) {
        out_.skipped.push_back(prefix + entry + ": " + strerror(errno));
      } else if (S_ISDIR(info.st_mode)) {
        TRY(add_dir(prefix + entry, path, depth + 1));
      } else if (S_ISREG(info.st_mode)) {
        TRY(add_file(prefix + entry, path, uint64_t(info.st_size)));
      }
    }
    return ok();
  }

  Walked out_;
};

}  // namespace

Result<Walked> walk_paths(const std::vector<std::string>& paths) {
  Walk walk;
  for (const std::string& path : paths) TRY(walk.add_named(path));
  return walk.take();
}

Result<std::string> absolute_path(const std::string& path) {
  std::error_code code;
  const fs::path absolute = fs::absolute(path, code);
  if (code) return fail(Errc::kIo, path + ": " + code.message());
  return absolute.lexically_normal().string();
}

void make_output_names_unique(std::vector<node::FileName>& files) {
  std::set<std::string> taken;
  for (node::FileName& file : files) {
    std::string name = file.name;
    std::replace(name.begin(), name.end(), '/', '_');
    for (size_t n = 2; !taken.insert(name).second; ++n) {
      file.name += "~" + std::to_string(n);
      name = file.name;
      std::replace(name.begin(), name.end(), '/', '_');
    }
  }
}

Status read_pieces(const std::string& path, const std::function<Status(ByteView)>& piece) {
  const OpenFile file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return file_error("cannot read", path, errno);
  Bytes buffer(kReadBytes);
  for (;;) {
    const ssize_t got = read(file.fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("cannot read", path, errno);
    if (got == 0) return ok();
    TRY(piece(ByteView(buffer).first(size_t(got))));
  }
}

Result<Bytes> read_whole(const std::string& path, uint64_t bytes_max) {
  Bytes out;
  TRY(read_pieces(path, [&](ByteView piece) -> Status {
    if (out.size() + piece.size() > bytes_max) return fail(Errc::kLimit, path + " is larger than " + std::to_string(bytes_max) + " bytes");
    append(out, piece);
    return ok();
  }));
  return out;
}

namespace {
Status write_all(int fd, ByteView bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("cannot write", path, errno);
    bytes = bytes.subspan(size_t(n));
  }
  return ok();
}

int create_private(const std::string& path) { return open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600); }
}  // namespace

Status write_private(const std::string& path, ByteView content) {
  const OpenFile file{create_private(path)};
  if (file.fd < 0) return file_error("cannot write", path, errno);
  return write_all(file.fd, content, path);
}

Status write_whole(const std::string& path, ByteView content) {
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());
  TRY(write_private(fresh, content));
  if (chmod(fresh.c_str(), 0644) == 0 && rename(fresh.c_str(), path.c_str()) == 0) return ok();
  const Error failed = file_error("cannot write", path, errno);
  unlink(fresh.c_str());
  return failed;
}

Result<uint64_t> copy_input(const std::string& path, uint64_t bytes_max) {
  const OpenFile file{create_private(path)};
  if (file.fd < 0) return file_error("cannot write", path, errno);
  uint64_t total = 0;
  Bytes buffer(kReadBytes);
  for (;;) {
    const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("cannot read", "standard input", errno);
    if (got == 0) return total;
    total += uint64_t(got);
    if (total > bytes_max) return fail(Errc::kLimit, "standard input is larger than one task's input may be (" + std::to_string(bytes_max >> 20) + " MiB); split it");
    TRY(write_all(file.fd, ByteView(buffer).first(size_t(got)), path));
  }
}

Result<bool> same_content(const std::string& a, const std::string& b) {
  struct stat info_a {}, info_b {};
  if (stat(a.c_str(), &info_a) != 0) return file_error("cannot read", a, errno);
  if (stat(b.c_str(), &info_b) != 0) return file_error("cannot read", b, errno);
  if (info_a.st_size != info_b.st_size) return false;
  const OpenFile other{open(b.c_str(), O_RDONLY | O_CLOEXEC)};
  if (other.fd < 0) return file_error("cannot read", b, errno);
  bool same = true;
  uint64_t at = 0;
  Bytes buffer(kReadBytes);
  TRY(read_pieces(a, [&](ByteView piece) -> Status {
    const ssize_t got = pread(other.fd, buffer.data(), piece.size(), off_t(at));
    at += piece.size();
    same = same && got == ssize_t(piece.size()) && std::equal(piece.begin(), piece.end(), buffer.begin());
    return ok();
  }));
  return same && at == uint64_t(info_a.st_size);
}

Result<ScratchDir> ScratchDir::make(const std::string& parent, const std::string& prefix) {
  std::string path = parent + "/" + prefix + "XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return fail(Errc::kIo, "cannot make a folder in " + parent + ": " + strerror(errno));
  return ScratchDir(path);
}

ScratchDir::~ScratchDir() {
  std::error_code code;
  if (!path_.empty()) fs::remove_all(path_, code);
}

Result<std::string> executable_path() {
  std::error_code code;
  const fs::path path = fs::read_symlink("/proc/self/exe", code);
  if (code) return fail(Errc::kIo, "cannot find out where this program lies: " + code.message());
  return path.string();
}

Result<std::string> executable_dir() { return fs::path(TRY(executable_path())).parent_path().string(); }

namespace {
Result<std::string> first_of(const std::vector<std::string>& places, const std::string& what) {
  std::string all;
  for (const std::string& place : places) {
    if (access(place.c_str(), R_OK) == 0) return fs::path(place).lexically_normal().string();
    all += (all.empty() ? "" : ", ") + place;
  }
  return fail(Errc::kNotFound, what + " is missing; looked for " + all + ". Build or install all of selvedge (./run builds it)");
}
}  // namespace

Result<std::string> find_runner() {
  const std::string dir = TRY(executable_dir());
  return first_of({dir + "/selvedge-domain", dir + "/../libexec/selvedge/selvedge-domain"}, "the program that runs guests (selvedge-domain)");
}

Result<std::string> find_guest(const std::string& name) {
  const std::string dir = TRY(executable_dir());
  return first_of({dir + "/../guests/" + name + ".wasm", dir + "/../share/selvedge/guests/" + name + ".wasm"}, "the guest program " + name);
}

}  // namespace selvedge::cli
