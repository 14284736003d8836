#include "host/daemon/home.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/multibase.h"
#include "crypto/drbg.h"

namespace selvedge::host {

namespace {

constexpr const char* kKeysFile = "keys";
constexpr size_t kKeysSize = 4 * 32;

Error home_error(const std::string& what, const std::string& path) {
  const int code = errno;
  std::string advice;
  if (code == EACCES || code == EPERM) advice = "; choose a directory you may write with --home";
  if (code == ENOSPC) advice = "; free some space";
  return fail(Errc::kIo, what + " " + path + ": " + strerror(code) + advice);
}

Status make_dir(const std::string& dir) {
  for (size_t at = dir.find('/', 1); at != std::string::npos; at = dir.find('/', at + 1)) {
    if (mkdir(dir.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) return home_error("cannot make", dir.substr(0, at));
  }
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return home_error("cannot make", dir);
  return ok();
}

// The keys reach the disk whole or not at all: a file beside, synced, then renamed.
Status write_keys(const std::string& path, ByteView keys) {
  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return home_error("cannot write", fresh);
  const bool written = write(fd, keys.data(), keys.size()) == ssize_t(keys.size()) && fsync(fd) == 0;
  const Status failed = written ? ok() : Status(home_error("cannot write", fresh));
  close(fd);
  if (!written) {
    unlink(fresh.c_str());
    return failed;
  }
  // link() refuses to replace what is there, so that two inits cannot overwrite each other's identity.
  const bool linked = link(fresh.c_str(), path.c_str()) == 0;
  const Status link_failed = linked ? ok() : errno == EEXIST ? Status(fail(Errc::kExists, path + " is there already")) : Status(home_error("cannot write", path));
  unlink(fresh.c_str());
  return link_failed;
}

Result<crypto::Secret<kKeysSize>> read_keys(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    if (errno == ENOENT) return fail(Errc::kNotFound, "there is no node in this home yet; make one with: selvedge init");
    return home_error("cannot read", path);
  }
  struct stat info {};
  crypto::Secret<kKeysSize> keys;
  const bool read_all = fstat(fd, &info) == 0 && read(fd, keys.mutable_view().data(), kKeysSize) == ssize_t(kKeysSize);
  close(fd);
  if ((info.st_mode & 077) != 0) return fail(Errc::kInvalid, path + " can be read by others; make it private: chmod 600 " + path);
  if (!read_all || info.st_size != off_t(kKeysSize)) return fail(Errc::kInvalid, path + " is damaged; restore it from a backup");
  return keys;
}

Result<crypto::Seed> piece(const crypto::Secret<kKeysSize>& keys, size_t index) { return crypto::Seed::from(keys.view().subspan(index * 32, 32)); }

}  // namespace

Result<Home> Home::create(const std::string& dir) {
  TRY(make_dir(dir));
  const std::string path = dir + "/" + kKeysFile;
  if (access(path.c_str(), F_OK) == 0) {
    return fail(Errc::kExists, "this home has a node already (" + path + "); use it, or choose another with --home");
  }
  crypto::Secret<kKeysSize> keys;
  crypto::Drbg::from_os().fill(keys.mutable_view());
  TRY(write_keys(path, keys.view()));
  return open(dir);
}

Result<Home> Home::open(const std::string& dir) {
  Home home;
  home.dir = dir;
  const HomeKeys keys = TRY(home.load_keys());
  home.owner_key = codec::key_text(crypto::Ed25519Signer(keys.owner).public_key());
  home.node_key = codec::key_text(crypto::Ed25519Signer(keys.node).public_key());
  return home;
}

Result<HomeKeys> Home::load_keys() const {
  const crypto::Secret<kKeysSize> keys = TRY(read_keys(dir + "/" + kKeysFile));
  return HomeKeys{TRY(piece(keys, 0)), TRY(piece(keys, 1)), TRY(piece(keys, 2)), TRY(piece(keys, 3))};
}

Result<HomeLock> HomeLock::take(const Home& home) {
  const std::string path = home.dir + "/lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return home_error("cannot open", path);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char text[32] = {};
    const ssize_t got = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    std::string who = got > 0 ? " (process " + std::string(text, size_t(got)) + ")" : "";
    return fail(Errc::kBusy, "another selvedge node is using " + home.dir + who + "; stop it (selvedge stop) or use another --home");
  }
  const std::string self = std::to_string(getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, self.data(), self.size(), 0) < 0) {
    // The number is a courtesy; the lock is what counts.
  }
  return HomeLock(fd);
}

HomeLock::~HomeLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace selvedge::host
