// Reconciler: what to do so that what is wanted of services comes true, from what is seen of them. spec: SP flow B; docs/spec/hosting.md
//
// A function of its arguments and nothing else: whoever runs it, however often, after whatever crash, comes to the same steps, and two who run it at
// once agree. What was asked for and not answered yet is part of what is seen, so nothing is asked twice.
//
// Machines are ranked for each service by a hash of both, so that one that comes or goes moves the services that it must; owners are not
// repeated while there are others.
#pragma once

#include <set>
#include <variant>
#include <vector>

#include "work/messages.h"

namespace selvedge::work {

inline constexpr uint32_t kReplicasMax = 32;

enum class InstanceStage : uint8_t {
  kAsked,      // it was told, and has not answered
  kGathering,  // it fetches the program
  kServing,
  kRefused,    // or it failed: it rests before it is asked again
  kEnded,      // it was told to, and has; what it said before is over
  kStandby,    // it has program and state, and would serve if another machine did not
  kLast = kStandby,
};
const char* enum_name(InstanceStage stage);

struct WantedService {
  crypto::PublicKey service;
  uint64_t serial = 0;       // of the newest version
  uint32_t replicas = 0;     // 0: suspended
};
struct HostMachine {
  NodeKey node;
  crypto::PublicKey owner;
};
struct SeenInstance {
  crypto::PublicKey service;
  NodeKey node;
  uint64_t serial = 0;       // that it has, or was asked to have
  InstanceStage stage = InstanceStage::kAsked;
};

struct PlaceInstance { crypto::PublicKey service; NodeKey node; bool operator==(const PlaceInstance&) const = default; };
struct EndInstance { crypto::PublicKey service; NodeKey node; bool operator==(const EndInstance&) const = default; };
using ReconcileStep = std::variant<PlaceInstance, EndInstance>;

/// `machines`: that may be given services now, each once. `seen`: at most one a service and machine; an instance on a machine that is not among
/// `machines` does not count, and is not ended (nobody can be told).
std::vector<ReconcileStep> reconcile(const std::vector<WantedService>& wanted, const std::vector<HostMachine>& machines, const std::vector<SeenInstance>& seen);

}  // namespace selvedge::work
