#include "wasm/call_graph.h"

#include <algorithm>
#include <map>

namespace selvedge::wasm {
namespace {

/// Nodes: the defined functions, then for each type what an indirect call of that type may reach.
class CallGraph {
 public:
  CallGraph(const Module& module, const std::vector<FunctionPlan>& plans)
      : functions_(uint32_t(plans.size())), callees_(plans.size() + module.types.size()), state_(callees_.size()) {
    number_types(module);
    for (uint32_t f = 0; f < functions_; ++f) {
      for (const CallSite& site : plans[f].call_sites) callees_[f].push_back(node_of(site));
    }
    for (const uint32_t function : module.table_functions) {
      if (function < module.imports.size()) continue;  // a host function calls nothing
      const uint32_t defined = function - uint32_t(module.imports.size());
      callees_[node_of({module.functions[defined], true})].push_back(defined);
    }
    for (std::vector<uint32_t>& callees : callees_) {
      std::sort(callees.begin(), callees.end());
      callees.erase(std::unique(callees.begin(), callees.end()), callees.end());
    }
    for (uint32_t node = 0; node < callees_.size(); ++node) {
      if (state_[node].order == 0) visit(node);
    }
  }

  size_t node_count() const { return callees_.size(); }
  bool is_function(uint32_t node) const { return node < functions_; }
  /// Whether a call of it can lead to another call of it.
  bool in_cycle(uint32_t node) const { return state_[node].in_cycle; }
  const std::vector<uint32_t>& callees(uint32_t node) const { return callees_[node]; }
  /// Where a call leads. Types that are equal are one node.
  uint32_t node_of(const CallSite& site) const { return site.indirect ? functions_ + same_type_[site.callee] : site.callee; }
  /// Strongly connected components, callees before callers.
  const std::vector<std::vector<uint32_t>>& components() const { return components_; }

 private:
  struct State {
    uint32_t order = 0, low = 0;
    bool is_open = false, in_cycle = false;
  };

  void number_types(const Module& module) {
    std::map<std::pair<std::vector<ValType>, std::vector<ValType>>, uint32_t> first;
    for (uint32_t i = 0; i < module.types.size(); ++i) {
      same_type_.push_back(first.try_emplace({module.types[i].params, module.types[i].results}, i).first->second);
    }
  }

  /// Tarjan's algorithm with a stack of its own, because a stranger's module decides how deep it goes.
  void visit(uint32_t root) {
    struct Step {
      uint32_t node;
      size_t next;
    };
    std::vector<Step> path;
    const auto enter = [&](uint32_t node) {
      state_[node] = {++order_, order_, true, false};
      open_.push_back(node);
      path.push_back({node, 0});
    };
    for (enter(root); !path.empty();) {
      const uint32_t node = path.back().node;
      if (path.back().next < callees_[node].size()) {
        const uint32_t callee = callees_[node][path.back().next++];
        if (state_[callee].order == 0) enter(callee);
        else if (state_[callee].is_open) state_[node].low = std::min(state_[node].low, state_[callee].order);
        continue;
      }
      path.pop_back();
      if (!path.empty()) state_[path.back().node].low = std::min(state_[path.back().node].low, state_[node].low);
      if (state_[node].low == state_[node].order) close(node);
    }
  }
  void close(uint32_t root) {
    std::vector<uint32_t>& members = components_.emplace_back();
    do {
      members.push_back(open_.back());
      state_[open_.back()].is_open = false;
      open_.pop_back();
    } while (members.back() != root);
    const bool calls_itself = std::binary_search(callees_[root].begin(), callees_[root].end(), root);
    for (const uint32_t member : members) state_[member].in_cycle = members.size() > 1 || calls_itself;
  }

  const uint32_t functions_;
  std::vector<uint32_t> same_type_;  // of each type the first that equals it
  std::vector<std::vector<uint32_t>> callees_, components_;
  std::vector<State> state_;
  std::vector<uint32_t> open_;
  uint32_t order_ = 0;
};

uint64_t frame_slots(const FunctionPlan& plan) { return uint64_t(kDepthFrameSlots) + plan.locals.size() + plan.height_max; }

/// The largest sum of weights along a chain of calls, where members of a cycle weigh as much as the heaviest, once.
template <class Weight>
uint64_t heaviest_chain(const CallGraph& graph, Weight weight) {
  std::vector<uint64_t> from(graph.node_count(), 0);
  uint64_t heaviest = 0;
  for (const std::vector<uint32_t>& members : graph.components()) {
    uint64_t below = 0, own = 0;
    for (const uint32_t node : members) {
      for (const uint32_t callee : graph.callees(node)) below = std::max(below, from[callee]);
      if (graph.is_function(node)) own = std::max(own, weight(node));
    }
    for (const uint32_t node : members) from[node] = below + own;
    heaviest = std::max(heaviest, below + own);
  }
  return heaviest;
}

void plan_depth(const CallGraph& graph, std::vector<FunctionPlan>& plans) {
  // Frames outside cycles stand on the stack at most once.
  const uint64_t slots = heaviest_chain(graph, [&](uint32_t f) { return graph.in_cycle(f) ? 0 : frame_slots(plans[f]); });
  const bool chains_fit = slots <= kUncountedChainMax;
  for (uint32_t f = 0; f < plans.size(); ++f) {
    const bool is_large = plans[f].locals.size() + plans[f].height_max > kUncountedSlotsMax;
    plans[f].counts_depth = chains_fit ? graph.in_cycle(f) : plans[f].calls || is_large;
  }
}

/// What a function may cost with all it calls that compares nothing itself. `unchecked` says that of each node.
uint64_t reach_of(const CallGraph& graph, const FunctionPlan& plan, const std::vector<uint64_t>& unchecked) {
  uint64_t reach = plan.cost_total;
  for (const CallSite& site : plan.call_sites) reach += unchecked[graph.node_of(site)];
  return reach;
}

Status plan_checks(const CallGraph& graph, std::vector<FunctionPlan>& plans) {
  std::vector<uint64_t> unchecked(graph.node_count(), 0), reach(plans.size(), 0);
  for (const std::vector<uint32_t>& members : graph.components()) {
    const uint32_t node = members.front();
    if (graph.in_cycle(node)) continue;  // compares at its entries
    if (!graph.is_function(node)) {
      for (const uint32_t callee : graph.callees(node)) unchecked[node] = std::max(unchecked[node], unchecked[callee]);
      continue;
    }
    reach[node] = reach_of(graph, plans[node], unchecked);
    plans[node].checks_entry = reach[node] > kUncheckedCostMax;
    unchecked[node] = plans[node].checks_entry ? 0 : reach[node];
  }
  for (uint32_t f = 0; f < plans.size(); ++f) {
    if (graph.in_cycle(f)) {
      reach[f] = reach_of(graph, plans[f], unchecked);  // now that all others are known
      plans[f].checks_entry = plans[f].checks_after_calls = true;
    }
    plans[f].checks_blocks = reach[f] > kReachMax;
  }
  const auto unseen = [&](uint32_t f) { return std::min(reach[f], plans[f].cost_total + kUncheckedCostMax); };
  const auto weight = [&](uint32_t f) { return plans[f].checks_blocks ? unseen(f) : reach[f]; };
  if (heaviest_chain(graph, weight) > kOverdraftMax) {
    return fail(Errc::kLimit, "a chain of calls in this module could use too much fuel before anyone looks; split its largest functions");
  }
  return ok();
}

}  // namespace

Status plan_entries(const Module& module, std::vector<FunctionPlan>& plans) {
  const CallGraph graph(module, plans);
  plan_depth(graph, plans);
  return plan_checks(graph, plans);
}

}  // namespace selvedge::wasm
