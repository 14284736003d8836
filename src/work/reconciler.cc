#include "work/reconciler.h"

#include <algorithm>
#include <map>

#include "crypto/hash.h"

namespace selvedge::work {

const char* enum_name(InstanceStage stage) {
  switch (stage) {
    case InstanceStage::kAsked: return "asked";
    case InstanceStage::kGathering: return "gathering";
    case InstanceStage::kServing: return "serving";
    case InstanceStage::kRefused: return "refused";
    case InstanceStage::kEnded: return "ended";
    case InstanceStage::kStandby: return "standby";
  }
  return "refused";
}

namespace {

// Rendezvous hashing: the lower, the sooner.
crypto::Digest rank_of(const crypto::PublicKey& service, const NodeKey& node) {
  Bytes both(service.bytes.begin(), service.bytes.end());
  append(both, node.bytes);
  return crypto::sha256(both);
}

std::vector<const HostMachine*> ranked(const crypto::PublicKey& service, const std::vector<HostMachine>& machines) {
  std::vector<std::pair<crypto::Digest, const HostMachine*>> order;
  for (const HostMachine& each : machines) order.emplace_back(rank_of(service, each.node), &each);
  std::sort(order.begin(), order.end());
  std::vector<const HostMachine*> out;
  for (const auto& [rank, machine] : order) out.push_back(machine);
  return out;
}

}  // namespace

std::vector<ReconcileStep> reconcile(const std::vector<WantedService>& wanted, const std::vector<HostMachine>& machines, const std::vector<SeenInstance>& seen) {
  std::vector<ReconcileStep> steps;
  std::set<NodeKey> present;
  std::map<NodeKey, crypto::PublicKey> owner_of;
  for (const HostMachine& each : machines) present.insert(each.node), owner_of[each.node] = each.owner;
  std::map<crypto::PublicKey, std::map<NodeKey, const SeenInstance*>> by_service;
  for (const SeenInstance& each : seen) by_service[each.service][each.node] = &each;

  std::set<crypto::PublicKey> known;
  for (const WantedService& want : wanted) {
    known.insert(want.service);
    const auto& instances = by_service[want.service];
    const std::vector<const HostMachine*> order = ranked(want.service, machines);
    // Instances that count, best first: those that serve, those that could, then those on their way; among them by rank.
    std::vector<NodeKey> kept;
    for (const int place : {0, 1, 2}) {
      for (const HostMachine* machine : order) {
        const auto it = instances.find(machine->node);
        if (it == instances.end() || it->second->stage == InstanceStage::kRefused) continue;
        if ((it->second->stage == InstanceStage::kServing ? 0 : it->second->stage == InstanceStage::kStandby ? 1 : 2) != place) continue;
        if (kept.size() < want.replicas) kept.push_back(machine->node);
        else steps.push_back(EndInstance{want.service, machine->node});
      }
    }
    // A newer version goes where the older one is: it takes its place there once it is ready.
    std::set<crypto::PublicKey> owners;
    for (const NodeKey& node : kept) {
      owners.insert(owner_of.at(node));
      if (instances.at(node)->serial < want.serial) steps.push_back(PlaceInstance{want.service, node});
    }
    for (const bool new_owners_only : {true, false}) {
      for (const HostMachine* machine : order) {
        if (kept.size() >= want.replicas) break;
        if (instances.contains(machine->node) || std::find(kept.begin(), kept.end(), machine->node) != kept.end()) continue;
        if (new_owners_only && owners.contains(machine->owner)) continue;
        owners.insert(machine->owner);
        kept.push_back(machine->node);
        steps.push_back(PlaceInstance{want.service, machine->node});
      }
    }
  }
  for (const SeenInstance& each : seen) {
    if (!known.contains(each.service) && present.contains(each.node)) steps.push_back(EndInstance{each.service, each.node});
  }
  return steps;
}

}  // namespace selvedge::work
