// Scenarios: a world, what people do in it, and what goes wrong meanwhile, all drawn from one seed.
//
// Each runs in two phases. First there is trouble: what fails must fail cleanly, and no checker may object. Then the
// trouble stops, and within a bounded time everything must have been done: that is the only claim about progress.
#pragma once

#include "sim/checkers.h"
#include "sim/driver.h"

namespace selvedge::sim {

struct ScenarioOptions {
  uint64_t seed = 1;
  uint32_t nodes = 0;   // 0: what the scenario usually has
  std::function<void(const std::string&)> log;
};

struct ScenarioResult {
  std::vector<std::string> violations;   // empty: all is well
  crypto::Digest trace;
  uint64_t events = 0;
  Duration virtual_time;
  std::string summary;                   // a line for a person
};

/// Trouble of every kind, until stop(). Never touches nodes not in `victims`, except that links to anybody may break.
class Chaos {
 public:
  struct Kinds {
    bool partitions = false;
    bool one_way_partitions = false;
    bool crashes = false;
    bool crashes_in_turn = false;
    bool link_breaks = false;
    Duration interval = milliseconds(800);
    size_t down_at_once_max = 2;
  };
  Chaos(World& world, std::vector<NodeIndex> victims, Kinds kinds);
  void start();
  /// Heals everything and starts every victim again.
  void stop();
  uint64_t troubles() const { return troubles_; }

 private:
  void next();
  void trouble();
  World& world_;
  std::vector<NodeIndex> victims_;
  Kinds kinds_;
  Rng rng_;
  std::shared_ptr<bool> going_;
  uint64_t troubles_ = 0;
};

using Scenario = ScenarioResult (*)(const ScenarioOptions&);
struct NamedScenario {
  const char* name;
  const char* what;
  Scenario run;
};
const std::vector<NamedScenario>& scenarios();

/// 50 nodes and more, a job of 200 tasks, a tenth of the executors lie.
ScenarioResult run_job(const ScenarioOptions& options);
/// A handful of owners who put, get, run, pause, resume and revoke, with faults drawn from the seed.
ScenarioResult run_swarm(const ScenarioOptions& options);

}  // namespace selvedge::sim
