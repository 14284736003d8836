// Fabric: the node processes of the demonstration, each with a home of its own.
//
// A node is this same executable run as `selvedge up`, and all that is asked of it goes through its API socket: the
// demonstration can do nothing that a person with the command could not. The processes end with the Fabric, and the
// kernel ends them when the demonstration itself is killed.
#pragma once

#include <sys/types.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cli/client.h"

namespace selvedge::cli {

struct DemoNode {
  std::string name;
  std::string home;
  std::string owner;            // key texts
  std::string key;
  std::string address;          // where it listens, from its ready line
  std::string misbehave;
  std::string web;              // where browsers are to come in, and once it runs, its URL; empty: nowhere
  pid_t pid = -1;
  int out = -1;                 // its standard output
  std::unique_ptr<Client> client;

  crypto::PublicKey owner_key() const { return codec::parse_key(owner).value_or({}); }
  crypto::PublicKey node_key() const { return codec::parse_key(key).value_or({}); }
};

class Fabric {
 public:
  Fabric(std::string dir, const Interrupt& interrupt) : dir_(std::move(dir)), interrupt_(interrupt) {}
  ~Fabric();
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;

  /// Makes a home with new keys. Errors: as host::Home::create.
  Status make(const std::string& name, const std::string& misbehave);
  /// Starts the node and waits for its ready line; again at the same address when it ran before. Errors: kIo, kTimeout, kCancelled.
  Status start(DemoNode& node);
  /// kill -9.
  void kill_hard(DemoNode& node);
  /// Asks the node to stop and waits for it. Returns its exit status. Errors: kTimeout, kCancelled, or what it answered.
  Result<int> stop(DemoNode& node);

  DemoNode& at(const std::string& name);
  std::vector<std::unique_ptr<DemoNode>>& nodes() { return nodes_; }
  const std::string& dir() const { return dir_; }
  const Interrupt& interrupt() const { return interrupt_; }
  std::string log_of(const DemoNode& node) const { return dir_ + "/" + node.name + ".stderr"; }

 private:
  Result<std::string> ready_line(DemoNode& node);
  void reap(DemoNode& node);

  std::string dir_;
  const Interrupt& interrupt_;
  std::vector<std::unique_ptr<DemoNode>> nodes_;
};

/// The processes with this name that descend from `ancestor`, as /proc shows them.
std::set<pid_t> descendants(pid_t ancestor, const std::string& name);

}  // namespace selvedge::cli
