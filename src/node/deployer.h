// Deployer: the part of a node that keeps its owner's services running on machines of others. spec: SP flow B; docs/spec/hosting.md
//
// What is wanted is written down; what is seen is what machines say, and is forgotten with the session. Whenever either changes, work/reconciler.h says what
// to do, and it is done: a program offered as for a task, with what the service signs for that machine for an hour; renewed while it is wanted.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "node/contractor.h"
#include "node/hosting_messages.h"
#include "node/services.h"
#include "node/state_keeper.h"
#include "object/ingress.h"
#include "work/reconciler.h"

namespace selvedge::node {

constexpr size_t kIntentsMax = 256;
/// What is kept here of what its machines' programs wrote, for each service.
constexpr size_t kServiceLogLinesMax = 2000;
constexpr uint64_t kRequestFuelDefault = 2'000'000'000;
/// A machine that has not answered, or has not got the program, by then counts as having refused.
constexpr Duration kPlaceAnswerMax = seconds(15), kPlaceGatherMax = seconds(120);
/// What was taken off is remembered for so long: machines that were away are told, and what the service signed for them is over by then.
constexpr uint64_t kRemovedKeptSeconds = 2 * object::kIngressEpochSecondsMax;
/// One that refused is asked again after this.
constexpr Duration kPlaceRest = seconds(20);

/// A service that is wanted, as it lies on disk; by its key.
struct Intent {
  std::string name;
  uint64_t serial = 0;
  object::ZoneId zone;
  object::TaskSpec spec;
  Bytes manifest;
  std::vector<object::BlobRef> blobs;
  uint32_t replicas = 1;
  bool suspended = false;
  uint64_t removed = 0;          // Unix seconds when it was taken off; 0: it is wanted
  Access access = Access::kOwner;
  std::vector<crypto::PublicKey> owners;
  uint32_t connections_max = 0;
  template <class V> void visit(V& v) {
    v("name", name); v("serial", serial); v("zone", zone); v("spec", spec); v("manifest", manifest); v("blobs", blobs); v("replicas", replicas); v("suspended", suspended); v("removed", removed);
    v("access", access); v("owners", owners); v("connections_max", connections_max);
  }
};

class Deployer {
 public:
  Deployer(Core& core, Library& library, Zones& zones, Contractor& contractor, StateKeeper& keeper)
      : core_(core), library_(library), zones_(zones), contractor_(contractor), keeper_(keeper) {}

  void restore();
  /// Answers when it has come true; stands until then, or until it is withdrawn.
  void deploy(Turn& turn, RequestId id, const DeployRequest& request);
  void withdrawn(RequestId id) { waiting_.erase(id); }
  /// Errors: kNotFound, kInvalid.
  Result<DeploymentInfo> scale(Turn& turn, const ScaleRequest& request);
  Result<DeploymentInfo> suspend(Turn& turn, const SuspendRequest& request);
  Result<DeploymentInfo> remove(Turn& turn, const RemoveServiceRequest& request);
  /// Errors: kNotFound.
  Result<ServiceLogsAnswer> logs(const ServiceLogsRequest& request) const;
  Result<ServiceStateAnswer> state(const ServiceStateRequest& request) const;
  std::vector<DeploymentInfo> list(Instant now) const;
  /// Which machines run it now, in whatever version.
  std::vector<NodeKey> machines_of(const crypto::PublicKey& service) const;
  /// Which have its program, and could hold its state and serve; those that do first.
  std::vector<NodeKey> machines_with(const crypto::PublicKey& service) const;

  void on_message(Turn& turn, const NodeKey& from, const HostingMessages::Message& message);
  void on_peer_down(const NodeKey& peer);
  /// Sessions, grants or revocations changed.
  void refresh(Turn& turn);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;

 private:
  struct Placement {
    uint64_t serial = 0;
    work::InstanceStage stage = work::InstanceStage::kAsked;
    bool runs = false;                      // some version: the older one until the newer is there
    bool has = false;                       // the same, or stands by
    std::string message;
    uint64_t requests = 0, failed = 0;
    Instant due = Instant::never();         // by when it must have answered; or until when it rests
    uint64_t proof_expires = 0;             // Unix seconds; 0: nothing was signed in this life of the process
  };
  using Name = std::pair<crypto::PublicKey, NodeKey>;
  struct Log {
    uint64_t next = 1;
    std::deque<ServiceLogsAnswer::Line> lines;
  };
  void on_log(const NodeKey& from, const ServiceLog& log);

  Result<Intent> intent_of(const DeployRequest& request) const;
  void stored(Turn& turn, RequestId id, Intent intent, const DeployRequest& request, PutOutcome put);
  Result<DeploymentInfo> changed(Turn& turn, const crypto::PublicKey& service, const std::string& what);
  Result<crypto::PublicKey> named(const std::string& name) const;
  std::vector<work::HostMachine> machines(Instant now, const object::ZoneId& zone) const;
  void place(Turn& turn, const crypto::PublicKey& service, const NodeKey& node);
  Result<Bytes> host_message(Turn& turn, const crypto::PublicKey& service, const Intent& intent, const NodeKey& node);
  Result<Bytes> prove(Turn& turn, const Intent& intent, const NodeKey& node) const;
  void carry_out(Turn& turn, const std::vector<work::ReconcileStep>& steps);
  void report(Turn& turn);
  void forget_removed(Turn& turn);
  DeploymentInfo info(Instant now, const crypto::PublicKey& service, const Intent& intent) const;
  void keep(Turn& turn, const crypto::PublicKey& service, const Intent& intent);
  void want(Turn& turn, RequestId id, const crypto::PublicKey& service, Intent intent);

  Core& core_;
  Library& library_;
  Zones& zones_;
  Contractor& contractor_;
  StateKeeper& keeper_;
  std::map<crypto::PublicKey, Intent> intents_;
  std::map<Name, Placement> placements_;
  std::map<crypto::PublicKey, Log> logs_;
  std::map<RequestId, crypto::PublicKey> waiting_;
  std::map<crypto::PublicKey, std::string> reported_;   // what was told last
};

}  // namespace selvedge::node
