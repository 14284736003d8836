#include "host/daemon/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <memory>

namespace selvedge::host {

namespace {

constexpr const char* kPartSuffix = ".selvedge-part";

Error file_error(const std::string& what, const std::string& path) {
  const int code = errno;
  const std::string advice = code == ENOSPC ? "; free some space and try again" : code == EACCES ? "; check its permissions" : "";
  return fail(code == ENOENT ? Errc::kNotFound : Errc::kIo, what + " " + path + ": " + strerror(code) + advice);
}

Result<Bytes> read_part(const std::string& path, uint64_t offset, uint64_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return file_error("cannot read", path);
  Bytes out(bytes_max);
  size_t have = 0;
  while (have < out.size()) {
    const ssize_t got = pread(fd, out.data() + have, out.size() - have, off_t(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const Error error = file_error("cannot read", path);
      close(fd);
      return error;
    }
    if (got == 0) break;
    have += size_t(got);
  }
  close(fd);
  out.resize(have);
  return out;
}

Status write_part(const std::string& path, uint64_t offset, const Bytes& bytes, bool last) {
  const std::string part = path + kPartSuffix;
  const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (offset == 0 ? O_TRUNC : 0), 0644);
  if (fd < 0) return file_error("cannot write", path);
  size_t done = 0;
  bool good = true;
  while (good && done < bytes.size()) {
    const ssize_t put = pwrite(fd, bytes.data() + done, bytes.size() - done, off_t(offset + done));
    if (put < 0 && errno == EINTR) continue;
    good = put > 0;
    if (good) done += size_t(put);
  }
  good = good && (!last || fsync(fd) == 0);
  Status status = good ? ok() : Status(file_error("cannot write", path));
  close(fd);
  if (good && last && rename(part.c_str(), path.c_str()) != 0) status = file_error("cannot write", path);
  if (!status.ok()) unlink(part.c_str());
  return status;
}

}  // namespace

void Files::read(const std::string& path, uint64_t offset, uint64_t bytes_max, std::function<void(Result<Bytes>)> done) {
  auto result = std::make_shared<Result<Bytes>>(Bytes{});
  loop_.work([result, path, offset, bytes_max] { *result = read_part(path, offset, bytes_max); },
             [result, done = std::move(done)] { done(std::move(*result)); });
}

void Files::write(const std::string& path, uint64_t offset, Bytes bytes, bool last, std::function<void(Status)> done) {
  targets_[path].writes.push_back({offset, std::move(bytes), last, std::move(done)});
  next(path);
}

void Files::discard(const std::string& path) {
  loop_.work([path] { unlink((path + kPartSuffix).c_str()); }, [] {});
}

void Files::next(const std::string& path) {
  auto it = targets_.find(path);
  if (it == targets_.end() || it->second.busy) return;
  Target& target = it->second;
  if (target.writes.empty()) {
    if (!target.broken) targets_.erase(it);
    return;
  }
  auto write = std::make_shared<Write>(std::move(target.writes.front()));
  target.writes.pop_front();
  if (write->offset == 0) target.broken = false;
  target.busy = true;
  auto status = std::make_shared<Status>();
  const bool broken = target.broken;
  const auto job = [status, write, path, broken] {
    *status = broken ? Status(fail(Errc::kIo, "an earlier piece of " + path + " could not be written")) : write_part(path, write->offset, write->bytes, write->last);
  };
  loop_.work(job, [this, status, write, path] {
    Target& finished = targets_[path];
    finished.busy = false;
    if (!status->ok()) finished.broken = true;
    if (write->last) finished.broken = false;
    write->done(*status);
    next(path);
  });
}

}  // namespace selvedge::host
