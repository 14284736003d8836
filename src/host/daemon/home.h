// Home: the directory that makes a node: its keys, its store, its socket, its log.
//
// Everything in it is its owner's alone (directory 0700, keys 0600). One process uses a home at a time: a lock file
// says so, and whoever finds it locked is told by whom. Losing the keys is losing the identity; there is no other copy.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "crypto/seal.h"
#include "crypto/sign.h"

namespace selvedge::host {

/// The secrets of a home. Wiped when they go.
struct HomeKeys {
  crypto::Seed owner;
  crypto::Seed node;
  crypto::Seed seal;
  crypto::Seed zone;
};

struct Home {
  std::string dir;
  std::string owner_key;   // z-base-32
  std::string node_key;

  /// Makes the directory and its keys. Errors: kExists (there are keys already), kIo.
  static Result<Home> create(const std::string& dir);
  /// Errors: kNotFound (no keys: selvedge init makes them), kInvalid (unreadable keys or open permissions), kIo.
  static Result<Home> open(const std::string& dir);

  Result<HomeKeys> load_keys() const;
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
