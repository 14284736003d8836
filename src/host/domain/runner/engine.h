// Engine: one JavaScriptCore virtual machine running one rewritten module.
//
// The only place that touches the wasm engine. It compiles a module, keeps one instance, puts memory and globals
// back to what they were after instantiation before each run, and carries calls between guest and WasiRun. It
// trusts the module to be the rewriter's output and nothing else. Lives in the runner process, on its one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "host/domain/frames.h"
#include "wasi/wasi_run.h"

namespace selvedge::host::domain {

/// What happens between two slices. It is told the fuel of the slice that ended (0 at the start of a run and in between other
/// work) and returns that of the next, or 0 to end the run (the pool is gone).
using BetweenSlices = std::function<uint64_t(uint64_t ended)>;

/// Asks the pool for something of a service's state; nothing: it is not there, or the pool is gone.
using AskState = std::function<std::optional<Bytes>(const StateAskFrame& ask)>;

/// The run's state at a checkpoint; called only as often as the task asks.
using OnCheckpoint = std::function<void(uint64_t fuel, const Bytes& checkpoint)>;

class Engine {
 public:
  /// Creates the virtual machine and warms it up with a small module, so that what it opens and maps for itself
  /// happens before lock-down. Errors: kInternal.
  static Result<std::unique_ptr<Engine>> create(BetweenSlices between);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Compiles and instantiates. Once per process. Errors: kGuest (the engine refuses it), kLimit (memory).
  Status load(const ModuleFrame& module);
  /// Makes room for another module. For tests of many: a domain process has one.
  void forget();
  /// Runs _start. `reusable` of the answer: whether run() may be called again.
  ResultFrame run(TaskFrame task, const OnCheckpoint& on_checkpoint = nullptr, const AskState& ask_state = nullptr);
  /// Resets after a run, in the time nobody waits for: the next run() then starts at once.
  void prepare();

  /// Calls _start of a module that was not rewritten, with WASI and no metering: the base line of the benchmark.
  /// Never reached by the protocol. Errors: kGuest.
  Status run_unmetered(const Bytes& module, const std::vector<std::string>& args);

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace selvedge::host::domain
