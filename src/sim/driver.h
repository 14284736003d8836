// Driver: what people do with their nodes, as calls that run the world until there is an answer.
#pragma once

#include "sim/world.h"

namespace selvedge::sim {

/// What a run answered, as far as scenarios look at it.
struct RunSummary {
  std::vector<std::string> outputs;           // content ids, in input order
  std::vector<std::string> rejected;          // node keys as text
  uint64_t executions = 0;
  uint64_t retries = 0;
  std::string text;
};

class Driver {
 public:
  explicit Driver(World& world) : world_(world) {}

  /// How long an answer may take before it counts as never coming.
  Duration patience = seconds(300);

  Result<std::string> ask(NodeIndex n, node::ApiRequest request);
  /// peer.add with the other's ticket, then waits until both have a session.
  Status connect(NodeIndex from, NodeIndex to);
  /// The lease's id. Waits until the origin's node knows the grant, when it is connected.
  Result<std::string> grant(NodeIndex host, NodeIndex origin, node::GrantGiveRequest shape = {});
  Status change(NodeIndex host, const std::string& lease, node::LeaseAction action);
  /// The content ids of what was put, in order.
  Result<std::vector<std::string>> put(NodeIndex n, const std::vector<std::string>& paths);
  Status get(NodeIndex n, const std::string& cid, const std::string& path);
  Result<RunSummary> run(NodeIndex n, node::RunRequest request);
  static Result<RunSummary> summarize(const std::string& json);

  /// A number in the answer to `status`.
  uint64_t status(NodeIndex n, const char* field);
  /// Grants in state "active" or "expiring" that `n` received.
  size_t grants_received(NodeIndex n);
  size_t peers_connected(NodeIndex n) { return size_t(status(n, "peers_connected")); }

 private:
  World& world_;
};

/// A string member of a JSON object; empty when there is none.
std::string json_string(const std::string& json, const char* field);

}  // namespace selvedge::sim
