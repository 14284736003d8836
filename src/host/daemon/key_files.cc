#include "host/daemon/key_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"

namespace selvedge::host {

namespace {

constexpr std::string_view kOwnerMagic = "SELVOWNR";
constexpr std::string_view kNodeMagic = "SELVNODE";
constexpr size_t kHeadBytes = 8 + 2;
constexpr size_t kCheckBytes = 8;

template <size_t N>
void put_frame(crypto::Secret<N>& file, std::string_view magic) {
  uint8_t* const out = file.mutable_view().data();
  memcpy(out, magic.data(), magic.size());
  store_u16(out + magic.size(), kKeyFileVersion);
  const crypto::Digest check = crypto::sha256(file.view().first(N - kCheckBytes));
  memcpy(out + N - kCheckBytes, check.bytes.data(), kCheckBytes);
}

template <size_t N>
void put_piece(crypto::Secret<N>& file, size_t index, ByteView piece) {
  memcpy(file.mutable_view().data() + kHeadBytes + index * 32, piece.data(), 32);
}

ByteView piece(ByteView file, size_t index) { return file.subspan(kHeadBytes + index * 32, 32); }

Status check_frame(ByteView file, std::string_view magic, size_t size, const std::string& path) {
  const Error damaged = fail(Errc::kInvalid, path + " is damaged; restore it from a backup (selvedge key import)");
  if (file.size() < kHeadBytes || memcmp(file.data(), magic.data(), magic.size()) != 0) return damaged;
  if (load_u16(file.data() + magic.size()) != kKeyFileVersion) return fail(Errc::kUnsupported, path + " was written by a later version: update selvedge");
  if (file.size() != size) return damaged;
  const crypto::Digest check = crypto::sha256(file.first(size - kCheckBytes));
  return crypto::constant_time_equal(check.view().first(kCheckBytes), file.last(kCheckBytes)) ? ok() : Status(damaged);
}

}  // namespace

Error home_error(const std::string& what, const std::string& path) {
  const int code = errno;
  std::string advice;
  if (code == EACCES || code == EPERM) advice = "; choose a directory you may write with --home";
  if (code == ENOSPC) advice = "; free some space";
  return fail(Errc::kIo, what + " " + path + ": " + strerror(code) + advice);
}

OwnerFile encode_owner_file(const OwnerRoot& root) {
  OwnerFile file;
  put_piece(file, 0, root.owner.view());
  put_piece(file, 1, root.zones.view());
  put_frame(file, kOwnerMagic);
  return file;
}

NodeFile encode_node_file(const NodeKeys& keys) {
  NodeFile file;
  put_piece(file, 0, keys.owner);
  put_piece(file, 1, keys.node.view());
  put_piece(file, 2, keys.seal.view());
  put_piece(file, 3, keys.succeeds);
  put_frame(file, kNodeMagic);
  return file;
}

Result<OwnerRoot> decode_owner_file(ByteView bytes, const std::string& path) {
  TRY(check_frame(bytes, kOwnerMagic, kOwnerFileBytes, path));
  return OwnerRoot{TRY(crypto::Seed::from(piece(bytes, 0))), TRY(crypto::Seed::from(piece(bytes, 1)))};
}

Result<NodeKeys> decode_node_file(ByteView bytes, const std::string& path) {
  TRY(check_frame(bytes, kNodeMagic, kNodeFileBytes, path));
  return NodeKeys{TRY(crypto::PublicKey::from(piece(bytes, 0))), TRY(crypto::Seed::from(piece(bytes, 1))), TRY(crypto::Seed::from(piece(bytes, 2))),
                  TRY(crypto::PublicKey::from(piece(bytes, 3)))};
}

Status write_private_file(const std::string& path, ByteView content, IfThere if_there) {
  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return home_error("cannot write", fresh);
  const bool written = write(fd, content.data(), content.size()) == ssize_t(content.size()) && fsync(fd) == 0;
  Status status = written ? ok() : Status(home_error("cannot write", fresh));
  close(fd);
  // link() refuses to replace what is there, so that two inits cannot overwrite each other's identity.
  if (written && if_there == IfThere::kRefuse && link(fresh.c_str(), path.c_str()) != 0) {
    status = errno == EEXIST ? Status(fail(Errc::kExists, path + " is there already")) : Status(home_error("cannot write", path));
  }
  if (written && if_there == IfThere::kReplace && rename(fresh.c_str(), path.c_str()) != 0) status = home_error("cannot write", path);
  unlink(fresh.c_str());
  return status;
}

Result<size_t> read_private_file(const std::string& path, std::span<uint8_t> out) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return fail(Errc::kNotFound, "there is no " + path);
  if (fd < 0) return home_error("cannot read", path);
  struct stat info {};
  const bool known = fstat(fd, &info) == 0;
  const ssize_t got = known ? read(fd, out.data(), out.size()) : -1;
  const Error failed = home_error("cannot read", path);
  close(fd);
  if (got < 0) return failed;
  if ((info.st_mode & 077) != 0) return fail(Errc::kInvalid, path + " can be read by others; make it private: chmod 600 " + path);
  if (info.st_size != off_t(got)) return fail(Errc::kInvalid, path + " is damaged; restore it from a backup (selvedge key import)");
  return size_t(got);
}

}  // namespace selvedge::host
