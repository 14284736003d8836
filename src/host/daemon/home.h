// Home: the directory that makes a node: its keys, its store, its socket, its log.
//
// Two files hold keys, because they are two things. `owner.key` is the owner's root: it signs for the owner on every machine
// and opens every zone. `node.key` is this machine: losing it costs a machine. A device needs only the second; the first lies on
// the one device where its owner administers, and in a backup (key_backup.h). Everything in a home is its owner's alone
// (directory 0700, keys 0600). One process uses a home at a time: a lock file says so, and whoever finds it
// locked is told by whom.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "crypto/seal.h"
#include "crypto/sign.h"

namespace selvedge::host {

/// The owner's root. Wiped when it goes.
struct OwnerRoot {
  crypto::Seed owner;   // Ed25519: signs as the owner
  crypto::Seed zones;   // every zone's epoch secrets follow from it (object/zone_keys.h)
  OwnerRoot clone() const { return {owner.clone(), zones.clone()}; }
  crypto::PublicKey public_key() const { return crypto::Ed25519Signer(owner).public_key(); }
};

/// A machine's own keys, and whose machine it is. Wiped when they go.
struct NodeKeys {
  crypto::PublicKey owner;
  crypto::Seed node;            // Ed25519: the node's name
  crypto::Seed seal;            // X25519: what is sealed to it
  crypto::PublicKey succeeds;   // the node key that this one took the place of; zero: none
  NodeKeys clone() const { return {owner, node.clone(), seal.clone(), succeeds}; }
  crypto::PublicKey public_key() const { return crypto::Ed25519Signer(node).public_key(); }
};

struct HomeKeys {
  NodeKeys node;
  std::optional<OwnerRoot> root;   // on the device where the owner administers
};

struct Home {
  std::string dir;
  std::string owner_key;   // z-base-32
  std::string node_key;
  bool holds_root = false;

  /// Makes the directory with a new owner and a new node; with an owner's root that lies there already, a node of that owner.
  /// Errors: kExists (there is a node already), kInvalid, kIo.
  static Result<Home> create(const std::string& dir);
  /// A further device of an owner whose root stays elsewhere: node keys only. Errors: as create().
  static Result<Home> create_device(const std::string& dir, const crypto::PublicKey& owner);
  /// Puts restored keys into a home. `node` absent: makes node keys when there are none. What lies there already stays, and
  /// must be the same. Errors: kExists (other keys are there), kInvalid, kIo.
  static Result<Home> restore(const std::string& dir, const std::optional<OwnerRoot>& root, const std::optional<NodeKeys>& node);
  /// Errors: kNotFound (no keys: selvedge init makes them), kInvalid (unreadable keys or open permissions), kIo.
  static Result<Home> open(const std::string& dir);

  Result<HomeKeys> load_keys() const;
  /// New node keys in place of the old, which they name as what they succeed. The old record goes with them. Errors: kIo.
  Status replace_node_keys(const NodeKeys& fresh) const;
  /// Node keys that wait for their record, on a device that cannot sign one itself: the old ones serve until then. nullopt: none wait.
  Result<std::optional<NodeKeys>> load_next_keys() const;
  Status save_next_keys(const NodeKeys& next) const;
  void drop_next_keys() const;

  /// The owner's signed record of this node, where it came by hand (selvedge device accept). Empty: none came.
  Result<Bytes> load_record() const;
  Status save_record(ByteView record) const;

  /// Where hosts may be, from a backup (key_backup.h): read once, by the next start. Empty: there is none.
  Result<Bytes> load_hints() const;
  Status save_hints(ByteView hints) const;
  void drop_hints() const;

  /// What the owner calls this device; empty: nothing in particular.
  std::string load_label() const;
  Status save_label(const std::string& label) const;

  std::string owner_key_path() const { return dir + "/owner.key"; }
  std::string node_key_path() const { return dir + "/node.key"; }
  std::string record_path() const { return dir + "/node.record"; }
  std::string next_key_path() const { return dir + "/node.key.next"; }
  std::string label_path() const { return dir + "/label"; }
  std::string hints_path() const { return dir + "/hosts"; }
  std::string socket_path() const { return dir + "/node.sock"; }
  std::string store_path() const { return dir + "/store"; }
  std::string log_path() const { return dir + "/node.log"; }
  std::string scratch_path() const { return dir + "/tmp"; }
};

/// Holds a home for this process until it goes.
class HomeLock {
 public:
  /// Errors: kBusy (another process has it, with its number), kIo.
  static Result<HomeLock> take(const Home& home);
  HomeLock(HomeLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  HomeLock& operator=(HomeLock&&) = delete;
  ~HomeLock();

 private:
  explicit HomeLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace selvedge::host
