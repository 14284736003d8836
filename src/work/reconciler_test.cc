#include "work/reconciler.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

namespace selvedge::work {
namespace {

crypto::PublicKey key(uint8_t kind, uint8_t number) {
  crypto::PublicKey out;
  out.bytes[0] = kind;
  out.bytes[1] = number;
  return out;
}
crypto::PublicKey service(uint8_t n) { return key(1, n); }
NodeKey machine(uint8_t n) { return key(2, n); }
crypto::PublicKey owner(uint8_t n) { return key(3, n); }

// Machines that do what they are told, sooner or later.
struct Fabric {
  std::vector<WantedService> wanted;
  std::map<NodeKey, crypto::PublicKey> machines;
  std::map<std::pair<crypto::PublicKey, NodeKey>, SeenInstance> instances;
  size_t steps_made = 0;

  std::vector<ReconcileStep> plan() const {
    std::vector<HostMachine> list;
    for (const auto& [node, of] : machines) list.push_back({node, of});
    std::vector<SeenInstance> seen;
    for (const auto& [name, each] : instances) seen.push_back(each);
    return reconcile(wanted, list, seen);
  }
  void carry_out(const std::vector<ReconcileStep>& steps) {
    for (const ReconcileStep& step : steps) {
      ++steps_made;
      if (const auto* place = std::get_if<PlaceInstance>(&step)) {
        const auto want = std::find_if(wanted.begin(), wanted.end(), [&](const auto& w) { return w.service == place->service; });
        instances[{place->service, place->node}] = {place->service, place->node, want->serial, InstanceStage::kAsked};
      } else {
        const auto& end = std::get<EndInstance>(step);
        instances.erase({end.service, end.node});
      }
    }
  }
  void answer() {
    for (auto& [name, each] : instances) {
      if (machines.contains(each.node) && each.stage != InstanceStage::kRefused) each.stage = InstanceStage::kServing;
    }
  }
  size_t serving(const crypto::PublicKey& s, uint64_t serial) const {
    return size_t(std::count_if(instances.begin(), instances.end(), [&](const auto& each) {
      return each.second.service == s && each.second.serial == serial && each.second.stage == InstanceStage::kServing && machines.contains(each.second.node);
    }));
  }
};

// req: F2
TEST(Reconciler, PlacesWhatIsWantedOnOwnersThatDiffer) {
  Fabric fabric;
  fabric.machines = {{machine(1), owner(1)}, {machine(2), owner(1)}, {machine(3), owner(1)}, {machine(4), owner(2)}};
  fabric.wanted = {{service(1), 1, 2}};
  fabric.carry_out(fabric.plan());
  std::set<crypto::PublicKey> owners;
  for (const auto& [name, each] : fabric.instances) owners.insert(fabric.machines.at(each.node));
  EXPECT_EQ(owners.size(), 2u);
  EXPECT_TRUE(fabric.plan().empty());   // what was asked is not asked again
  fabric.answer();
  EXPECT_TRUE(fabric.plan().empty());
  fabric.wanted[0].replicas = 9;        // more than there are machines: as many as there are
  fabric.carry_out(fabric.plan());
  EXPECT_EQ(fabric.instances.size(), 4u);
}

// req: F2
TEST(Reconciler, ReplacesLostMachinesUpdatesInPlaceAndEndsWhatNobodyWants) {
  Fabric fabric;
  for (uint8_t i = 1; i <= 5; ++i) fabric.machines[machine(i)] = owner(i);
  fabric.wanted = {{service(1), 1, 2}};
  fabric.carry_out(fabric.plan());
  fabric.answer();
  const NodeKey lost = fabric.instances.begin()->first.second;
  const crypto::PublicKey its_owner = fabric.machines.at(lost);
  fabric.machines.erase(lost);
  EXPECT_EQ(fabric.plan().size(), 1u);
  fabric.carry_out(fabric.plan());
  fabric.answer();
  EXPECT_EQ(fabric.serving(service(1), 1), 2u);
  fabric.machines[lost] = its_owner;     // it comes back, and still has it: one is too many
  const auto too_many = fabric.plan();
  ASSERT_EQ(too_many.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<EndInstance>(too_many[0]));
  fabric.carry_out(too_many);
  fabric.wanted[0].serial = 2;
  const auto update = fabric.plan();
  ASSERT_EQ(update.size(), 2u);
  for (const auto& step : update) EXPECT_TRUE(fabric.instances.contains({service(1), std::get<PlaceInstance>(step).node}));
  fabric.wanted[0].replicas = 0;
  fabric.carry_out(fabric.plan());
  EXPECT_TRUE(fabric.instances.empty());
  fabric.instances[{service(9), machine(1)}] = {service(9), machine(1), 1, InstanceStage::kServing};
  fabric.carry_out(fabric.plan());
  EXPECT_TRUE(fabric.instances.empty());
}

// req: F2
TEST(Reconciler, AMachineThatRefusesIsPassedOverUntilItHasRested) {
  Fabric fabric;
  for (uint8_t i = 1; i <= 3; ++i) fabric.machines[machine(i)] = owner(i);
  fabric.wanted = {{service(1), 1, 2}};
  fabric.carry_out(fabric.plan());
  auto& first = fabric.instances.begin()->second;
  first.stage = InstanceStage::kRefused;
  const auto again = fabric.plan();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_FALSE(std::get<PlaceInstance>(again[0]).node == first.node);
}

// Whatever happens in between and wherever the planner is interrupted: once things stand still it comes true within a few rounds, and then nothing is done any more.
// req: F2
RC_GTEST_PROP(Reconciler, ComesTrueAfterAnyChurn, ()) {
  Fabric fabric;
  const auto events = *rc::gen::container<std::vector<std::tuple<uint8_t, uint8_t, uint8_t>>>(rc::gen::arbitrary<std::tuple<uint8_t, uint8_t, uint8_t>>());
  uint64_t serial = 1;   // goes up whatever was removed in between, as a node's clock does
  for (uint8_t i = 0; i < 4; ++i) fabric.machines[machine(i)] = owner(i / 2);
  for (const auto& [what, a, b] : events) {
    const NodeKey node = machine(a % 8);
    const crypto::PublicKey of = service(a % 4);
    const auto want = std::find_if(fabric.wanted.begin(), fabric.wanted.end(), [&](const auto& w) { return w.service == of; });
    switch (what % 7) {
      case 0: fabric.machines.erase(node); break;
      case 1: fabric.machines[node] = owner(b % 3); break;
      case 2:
        if (want == fabric.wanted.end()) fabric.wanted.push_back({of, ++serial, uint32_t(b % 5)});
        else want->replicas = b % 5, want->serial = b % 2 ? ++serial : want->serial;
        break;
      case 3: if (want != fabric.wanted.end()) fabric.wanted.erase(want); break;
      case 4: {   // interrupted after some of the steps
        auto steps = fabric.plan();
        steps.resize(std::min<size_t>(steps.size(), b % 4));
        fabric.carry_out(steps);
        break;
      }
      case 5: fabric.answer(); break;
      case 6: {   // another instance of the owner plans from the same view: both carry it out
        const auto steps = fabric.plan();
        fabric.carry_out(steps);
        fabric.carry_out(steps);
        break;
      }
    }
  }
  for (int round = 0; round < 4; ++round) {
    fabric.carry_out(fabric.plan());
    fabric.answer();
  }
  RC_ASSERT(fabric.plan().empty());
  for (const WantedService& want : fabric.wanted) {
    RC_ASSERT(fabric.serving(want.service, want.serial) == std::min<size_t>(want.replicas, fabric.machines.size()));
  }
}

// req: F2
TEST(Reconciler, OneMachineMoreOrLessMovesWhatItMust) {
  Fabric fabric;
  for (uint8_t i = 1; i <= 20; ++i) fabric.machines[machine(i)] = owner(i);
  for (uint8_t i = 1; i <= 100; ++i) fabric.wanted.push_back({service(i), 1, 2});
  fabric.carry_out(fabric.plan());
  fabric.answer();
  size_t there = 0;
  for (const auto& [name, each] : fabric.instances) there += each.node == machine(7);
  EXPECT_GT(there, 0u);
  fabric.machines.erase(machine(7));
  EXPECT_EQ(fabric.plan().size(), there);
  fabric.machines[machine(7)] = owner(7);
  EXPECT_TRUE(fabric.plan().empty());
}

}  // namespace
}  // namespace selvedge::work
