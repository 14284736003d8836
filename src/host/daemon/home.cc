#include "host/daemon/home.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/multibase.h"
#include "crypto/drbg.h"
#include "host/daemon/key_files.h"

namespace selvedge::host {

namespace {

Status make_dir(const std::string& dir) {
  for (size_t at = dir.find('/', 1); at != std::string::npos; at = dir.find('/', at + 1)) {
    if (mkdir(dir.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) return home_error("cannot make", dir.substr(0, at));
  }
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return home_error("cannot make", dir);
  return ok();
}

bool is_there(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

Result<std::optional<OwnerRoot>> read_root(const std::string& path) {
  OwnerFile file;
  const Result<size_t> size = read_private_file(path, file.mutable_view());
  if (!size.ok() && size.code() == Errc::kNotFound) return std::optional<OwnerRoot>();
  return std::optional<OwnerRoot>(TRY(decode_owner_file(file.view().first(TRY(size)), path)));
}

Result<NodeKeys> read_node(const std::string& path) {
  NodeFile file;
  const Result<size_t> size = read_private_file(path, file.mutable_view());
  if (!size.ok() && size.code() == Errc::kNotFound) return fail(Errc::kNotFound, "there is no node in this home yet; make one with: selvedge init");
  return decode_node_file(file.view().first(TRY(size)), path);
}

Result<Bytes> read_if_there(const std::string& path) {
  Bytes bytes(kHomeFileBytesMax);
  const Result<size_t> size = read_private_file(path, bytes);
  if (!size.ok() && size.code() == Errc::kNotFound) return Bytes();
  bytes.resize(TRY(size));
  return bytes;
}

NodeKeys new_node_keys(const crypto::PublicKey& owner) {
  crypto::Drbg drbg = crypto::Drbg::from_os();
  return {owner, drbg.seed(), drbg.seed(), {}};
}

OwnerRoot new_root() {
  crypto::Drbg drbg = crypto::Drbg::from_os();
  return {drbg.seed(), drbg.seed()};
}

Status refuse_existing(const Home& home) {
  if (!is_there(home.node_key_path())) return ok();
  return fail(Errc::kExists, "this home has a node already (" + home.node_key_path() + "); use it, or choose another with --home");
}

Home home_at(const std::string& dir) {
  Home home;
  home.dir = dir;
  return home;
}

}  // namespace

Result<Home> Home::create(const std::string& dir) {
  const Home home = home_at(dir);
  TRY(make_dir(dir));
  TRY(refuse_existing(home));
  // A root without a node is what an init that was killed leaves, or an owner who put only that here.
  std::optional<OwnerRoot> root = TRY(read_root(home.owner_key_path()));
  if (!root) {
    root = new_root();
    TRY(write_private_file(home.owner_key_path(), encode_owner_file(*root).view(), IfThere::kRefuse));
  }
  TRY(write_private_file(home.node_key_path(), encode_node_file(new_node_keys(root->public_key())).view(), IfThere::kRefuse));
  return open(dir);
}

Result<Home> Home::create_device(const std::string& dir, const crypto::PublicKey& owner) {
  const Home home = home_at(dir);
  TRY(make_dir(dir));
  TRY(refuse_existing(home));
  if (is_there(home.owner_key_path())) {
    return fail(Errc::kExists, "the owner's key lies in this home (" + home.owner_key_path() + "): selvedge init without --owner makes its node");
  }
  TRY(write_private_file(home.node_key_path(), encode_node_file(new_node_keys(owner)).view(), IfThere::kRefuse));
  return open(dir);
}

Result<Home> Home::restore(const std::string& dir, const std::optional<OwnerRoot>& root, const std::optional<NodeKeys>& node) {
  const Home home = home_at(dir);
  TRY(make_dir(dir));
  const std::optional<OwnerRoot> root_here = TRY(read_root(home.owner_key_path()));
  if (root && root_here && !(root->owner.equals(root_here->owner) && root->zones.equals(root_here->zones))) {
    return fail(Errc::kExists, "another owner's key lies in this home (" + home.owner_key_path() + "); choose another with --home");
  }
  const Result<NodeKeys> node_here = read_node(home.node_key_path());
  if (!node_here.ok() && node_here.code() != Errc::kNotFound) return node_here.error();
  if (node_here.ok()) {
    if (node && !node->node.equals(node_here->node)) return fail(Errc::kExists, "this home has another node already (" + home.node_key_path() + "); choose another with --home");
    if (root && root->public_key() != node_here->owner) return fail(Errc::kExists, "this home is a device of another owner; choose another with --home");
  }
  if (!root && !node) return fail(Errc::kInvalid, "there are no keys to restore");
  if (root && node && root->public_key() != node->owner) return fail(Errc::kInvalid, "the owner's key and the node's keys are not of one owner");
  if (root && !root_here) TRY(write_private_file(home.owner_key_path(), encode_owner_file(*root).view(), IfThere::kRefuse));
  if (!node_here.ok()) {
    const NodeKeys keys = node ? node->clone() : new_node_keys(root->public_key());
    TRY(write_private_file(home.node_key_path(), encode_node_file(keys).view(), IfThere::kRefuse));
  }
  return open(dir);
}

Result<Home> Home::open(const std::string& dir) {
  Home home = home_at(dir);
  const HomeKeys keys = TRY(home.load_keys());
  home.owner_key = codec::key_text(keys.node.owner);
  home.node_key = codec::key_text(keys.node.public_key());
  home.holds_root = keys.root.has_value();
  return home;
}

Result<HomeKeys> Home::load_keys() const {
  HomeKeys keys{TRY(read_node(node_key_path())), TRY(read_root(owner_key_path()))};
  if (keys.root && keys.root->public_key() != keys.node.owner) {
    return fail(Errc::kInvalid, owner_key_path() + " is the key of another owner than this node's; put the right one back, or none");
  }
  return keys;
}

Status Home::replace_node_keys(const NodeKeys& fresh) const {
  TRY(write_private_file(node_key_path(), encode_node_file(fresh).view(), IfThere::kReplace));
  unlink(record_path().c_str());
  return ok();
}

Result<std::optional<NodeKeys>> Home::load_next_keys() const {
  NodeFile file;
  const Result<size_t> size = read_private_file(next_key_path(), file.mutable_view());
  if (!size.ok() && size.code() == Errc::kNotFound) return std::optional<NodeKeys>();
  return std::optional<NodeKeys>(TRY(decode_node_file(file.view().first(TRY(size)), next_key_path())));
}

Status Home::save_next_keys(const NodeKeys& next) const {
  return write_private_file(next_key_path(), encode_node_file(next).view(), IfThere::kReplace);
}

void Home::drop_next_keys() const { unlink(next_key_path().c_str()); }

std::string Home::load_label() const {
  const Result<Bytes> label = read_if_there(label_path());
  return label.ok() ? to_string(*label) : "";
}

Status Home::save_label(const std::string& label) const { return write_private_file(label_path(), view(label), IfThere::kReplace); }

Result<Bytes> Home::load_record() const { return read_if_there(record_path()); }

Status Home::save_record(ByteView record) const { return write_private_file(record_path(), record, IfThere::kReplace); }

Result<Bytes> Home::load_hints() const { return read_if_there(hints_path()); }

Status Home::save_hints(ByteView hints) const { return write_private_file(hints_path(), hints, IfThere::kReplace); }

void Home::drop_hints() const { unlink(hints_path().c_str()); }

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
