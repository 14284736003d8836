#include "host/domain/domain_pool.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/bounded.h"
#include "host/domain/microvm.h"
#include "host/domain/names.h"
#include "host/domain/process.h"
#include "host/loop/loop.h"

namespace selvedge::host {

using domain::FrameType;
using domain::RunnerProcess;

namespace {

constexpr Duration kWatchPeriod = milliseconds(100);  // how often a running task is looked at
constexpr Duration kIdleMax = seconds(60);            // a process without work is kept this long
constexpr Duration kIdleWatch = seconds(1);           // and looked at so often
constexpr int64_t kCheckpointMsMax = 3'600'000;
constexpr Duration kProbeMax = seconds(10);
// What the engine itself may take besides the guest's linear memory: code, heap, module.
constexpr uint64_t kRunnerOverheadBytes = 256u << 20;
// Share and wake-ups are judged over this long. The engine compiles on threads of its own, in bursts that the runner pays back by
// rests, so that much more is no violation within one of them.
constexpr Duration kShareWindow = seconds(1);
constexpr Duration kShareSlack = milliseconds(200);
constexpr uint64_t kWakeupsSlack = 100;
constexpr Duration kMeteredTaskMin = milliseconds(20);  // shorter ones are not worth reading /proc for

DomainOutcome outcome(DomainEnd end, std::string message) {
  DomainOutcome out;
  out.end = end;
  out.message = std::move(message);
  return out;
}

/// Why a task cannot be sent to a process, empty when it can.
std::string refusal(const DomainTask& task) {
  if (task.module == nullptr) return "the task has no module";
  if (!task.module->has_entry && !(task.service != 0 && task.module->serves)) return "the module exports no function _start: () -> (), so it cannot be run as a task";
  if (task.args.size() > kDomainArgsMax) return "more than " + std::to_string(kDomainArgsMax) + " arguments";
  for (const std::string& arg : task.args) {
    if (arg.size() > kDomainArgBytesMax || arg.find('\0') != std::string::npos) return "an argument is too long or holds a zero byte";
  }
  if (task.environment.size() > kDomainArgsMax) return "more than " + std::to_string(kDomainArgsMax) + " environment variables";
  for (const std::string& variable : task.environment) {
    const size_t name = variable.find('=');
    if (variable.size() > kDomainArgBytesMax || name == 0 || name == std::string::npos || variable.find('\0') != std::string::npos) {
      return "an environment variable is too long or not NAME=value";
    }
  }
  if (task.files.size() > kDomainFilesMax) return "more than " + std::to_string(kDomainFilesMax) + " files; put them into an archive";
  uint64_t bytes = task.input.size();
  for (const DomainFile& file : task.files) {
    if (file.path.size() > wasi::kPathBytesMax) return "a file's path is too long";
    bytes += file.content.size();
  }
  if (bytes > kDomainInputMax) return "more than " + std::to_string(kDomainInputMax) + " bytes of input";
  if (task.output_bytes_max > kDomainOutputMax) return "an output limit above " + std::to_string(kDomainOutputMax) + " bytes";
  if (task.fuel_limit == 0 || task.fuel_limit > INT64_MAX) return "a fuel limit that is not between 1 and 2^63 - 1";
  if (task.resume.size() > kDomainCheckpointMax) return "a checkpoint of more than " + std::to_string(kDomainCheckpointMax) + " bytes";
  if (!task.resume.empty() && !task.module->resumable) return "a checkpoint for a module that cannot be taken up again";
  if (task.wall_max <= Duration{}) return "no wall time";
  return "";
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) return std::string("signal ") + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  switch (WEXITSTATUS(status)) {
    case 3: return "it could not confine itself before starting the engine";
    case 4: return "the engine did not start";
    case 5: return "seccomp is not available, and without it no guest is run";
    case 124: return "the runner could not be executed";
    default: return "exit code " + std::to_string(WEXITSTATUS(status));
  }
}

}  // namespace

struct DomainPool::Impl {
  struct Pending {
    uint64_t number = 0;
    DomainTask task;
    Done done;
  };

  // What the watch saw of a process.
  struct Watched {
    bool frozen = false;
    Instant frozen_at;
    Duration frozen_in_all;                // within the running task
    Instant held_until;                    // frozen because it went beyond its share
    std::optional<uint64_t> pinged_at_cpu;  // when something was sent that a yield would read
    RunnerProcess::Usage last;
    uint64_t wakeups = 0, resident_peak = 0;  // within the running task
    Instant window_began;
    RunnerProcess::Usage window;
    Duration window_frozen;                // of frozen_in_all, when the window began
  };
  // A process and what it is doing.
  struct Runner {
    explicit Runner(Loop& loop, std::function<void()> on_timer) : timer(loop, std::move(on_timer)) {}
    std::unique_ptr<RunnerProcess> process;
    uint64_t lease = 0;
    crypto::Digest module;
    uint64_t memory_bytes = 0;     // largest task that it has room for
    uint64_t task_memory_max = 0;  // largest that it had
    bool greeted = false;
    std::optional<Pending> running;
    Instant started, deadline, idle_until;
    uint64_t started_cpu_ns = 0;
    Watched watched;
    bool gone = false, retired = false;
    std::optional<DomainOutcome> verdict;  // what its death means, when we are the cause
    std::function<void(Result<DomainLayers>)> probe;
    // After stop(): whom to answer once it is gone.
    std::vector<Pending> stopped_tasks;
    std::function<void(Duration)> stopped;
    Instant stopped_at;
    Loop::Timer timer;
  };
  struct Lease {
    BoundedQueue<Pending> queue{kDomainQueueMax};
    std::unique_ptr<Runner> runner;
    DomainPace pace;
  };

  Impl(Loop& l, std::string path, DomainClass c, std::shared_ptr<const MicroVm> vm)
      : loop(l), runner_path(std::move(path)), domain_class(c), machine(std::move(vm)) {}

  Loop& loop;
  std::string runner_path;
  DomainClass domain_class;
  std::shared_ptr<const MicroVm> machine;
  std::function<void(uint64_t, DomainViolation)> violated = [](uint64_t, DomainViolation) {};
  BoundedMap<uint64_t, Lease> leases{kDomainLeasesMax};
  std::vector<std::unique_ptr<Runner>> dying;  // killed, not reaped yet; and probes
  std::vector<std::unique_ptr<Runner>> spares;  // oldest first
  size_t spares_wanted = 0;
  uint64_t last_number = 0;
  std::vector<std::unique_ptr<Runner>> buried;  // reaped; destroyed outside of their own callbacks
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  Loop::Timer refill_timer{loop, [this] { refill(); }};

  void later(std::function<void()> what) {
    std::weak_ptr<bool> guard = alive;
    auto guarded = [guard, what = std::move(what)] {
      if (!guard.expired()) what();
    };
    loop.post(std::move(guarded));
  }
  void answer(Pending pending, DomainOutcome result) {
    result.handle = pending.task.handle;
    auto call = [done = std::move(pending.done), result = std::move(result)]() mutable { done(std::move(result)); };
    later(std::move(call));
  }
  void bury(std::unique_ptr<Runner> runner) {
    buried.push_back(std::move(runner));
    later([this] { buried.clear(); });
  }
  /// Kills a process nobody needs any more.
  void retire(std::unique_ptr<Runner> runner) {
    if (runner->gone) {
      bury(std::move(runner));
      return;
    }
    runner->timer.cancel();
    runner->process->kill();
    dying.push_back(std::move(runner));
  }

  /// What the process may take besides the memory of its guest.
  uint64_t overhead_bytes() const { return machine != nullptr ? MicroVm::kOverheadBytes : kRunnerOverheadBytes; }

  Result<std::unique_ptr<Runner>> start(uint64_t lease, uint64_t memory_bytes) {
    auto slot = std::make_shared<Runner*>(nullptr);
    auto runner = std::make_unique<Runner>(loop, [this, slot] { on_timer(**slot); });
    Runner* raw = runner.get();
    *slot = raw;
    runner->lease = lease;
    runner->started = loop.now();
    RunnerProcess::Callbacks callbacks;
    callbacks.frame = [this, raw](FrameType type, ByteView body) { on_frame(*raw, type, body); };
    callbacks.nonsense = [this, raw](std::string why) { on_nonsense(*raw, why); };
    callbacks.quiet = [this, raw] { on_quiet(*raw); };
    callbacks.gone = [this, raw](int status) { on_gone(*raw, status); };
    const domain::Launch launch = machine != nullptr ? machine->launch(memory_bytes) : domain::Launch{runner_path, {}, {}, false};
    runner->memory_bytes = machine != nullptr ? memory_bytes : UINT64_MAX;
    runner->process = TRY(RunnerProcess::start(loop, launch, domain_class, std::move(callbacks)));
    return runner;
  }

  // --- spares: processes that wait for their lease ---

  void refill() {
    while (machine == nullptr && spares.size() < spares_wanted) {
      auto spare = start(0, 0);
      if (!spare.ok()) return refill_timer.set(loop.now() + kDomainSpareRest);
      spares.push_back(std::move(spare).value());
    }
  }
  /// The spare that has waited longest, or a process that starts now.
  Result<std::unique_ptr<Runner>> take(uint64_t lease, uint64_t memory_bytes) {
    if (spares.empty()) return start(lease, memory_bytes);
    std::unique_ptr<Runner> spare = std::move(spares.front());
    spares.erase(spares.begin());
    spare->lease = lease;
    refill_timer.set(loop.now() + kDomainSpareRefill);
    return spare;
  }
  void drop_spares() {
    for (std::unique_ptr<Runner>& spare : spares) retire(std::move(spare));
    spares.clear();
    refill_timer.set(loop.now() + kDomainSpareRest);
  }

  void forget_if_unused(uint64_t id) {
    Lease* lease = leases.find(id);
    if (lease != nullptr && lease->queue.empty() && lease->runner == nullptr && lease->pace == DomainPace()) leases.erase(id);
  }

  /// Gives the lease's process its next task, starting or replacing the process as needed.
  void pump(uint64_t id) {
    Lease* lease = leases.find(id);
    if (lease == nullptr) return;
    while (!lease->queue.empty()) {
      if (lease->runner != nullptr) {
        if (lease->runner->running.has_value()) return;
        const bool fits = !lease->runner->gone && !lease->runner->retired &&
                          lease->runner->module == lease->queue.front().task.module->identity &&
                          lease->runner->memory_bytes >= lease->queue.front().task.memory_bytes;
        if (!fits) retire(std::move(lease->runner));
      }
      Pending next = lease->queue.pop();
      if (lease->runner == nullptr) {
        auto started = take(id, next.task.memory_bytes);
        if (!started.ok()) {
          answer(std::move(next), outcome(DomainEnd::kCrashed, started.error().message));
          continue;
        }
        lease->runner = std::move(started).value();
        apply_pace(*lease);
        const wasm::Rewritten& module = *next.task.module;
        lease->runner->module = module.identity;
        lease->runner->process->send(domain::encode(
            domain::ModuleFrame{module.identity, module.has_start, module.needs_fresh_instance, module.resumable, module.serves, module.memory_pages_min, module.module}));
      }
      begin(*lease->runner, std::move(next));
      return;
    }
    if (lease->runner != nullptr && !lease->runner->running.has_value()) rest(*lease->runner);
    forget_if_unused(id);
  }

  void rest(Runner& runner) {
    runner.idle_until = loop.now() + kIdleMax;
    runner.timer.set(loop.now() + kIdleWatch);
  }

  void begin(Runner& runner, Pending next) {
    domain::TaskFrame frame;
    frame.handle = next.task.handle;
    frame.args = std::move(next.task.args);
    frame.environment = std::move(next.task.environment);
    frame.input = std::move(next.task.input);
    frame.files = std::move(next.task.files);
    frame.seed = next.task.seed;
    frame.fuel_limit = next.task.fuel_limit;
    frame.memory_pages_max = next.task.memory_bytes / wasm::kPageBytes;
    frame.output_bytes_max = next.task.output_bytes_max;
    frame.service = next.task.service;
    if (next.task.state != nullptr) frame.has_state = true, frame.state_use = next.task.state->use();
    frame.resume = std::move(next.task.resume);
    if (next.task.on_checkpoint) frame.checkpoint_ms = uint32_t(std::clamp<int64_t>(next.task.checkpoint_every.ms(), 1, kCheckpointMsMax));
    runner.started = loop.now();
    runner.deadline = runner.started + next.task.wall_max;
    runner.task_memory_max = std::max(runner.task_memory_max, next.task.memory_bytes);
    if (auto* group = runner.process->group()) group->limit_memory(next.task.memory_bytes + overhead_bytes());
    runner.running = std::move(next);
    runner.started_cpu_ns = runner.process->cpu_ns();
    Watched& watched = runner.watched;
    watched.frozen_at = runner.started;
    watched.frozen_in_all = watched.window_frozen = {};
    watched.wakeups = watched.resident_peak = 0;
    watched.pinged_at_cpu.reset();
    watched.window_began = Instant{};
    runner.process->send(domain::encode(frame));
    runner.timer.set(std::min(runner.deadline, runner.started + kWatchPeriod));
  }

  void on_timer(Runner& runner) {
    if (runner.gone) return;
    if (runner.probe) {
      runner.verdict = outcome(DomainEnd::kKilled, "it was silent for " + std::to_string((loop.now() - runner.started).ms()) + " ms");
      runner.process->kill();
      return;
    }
    if (!runner.running.has_value()) {
      Lease* lease = leases.find(runner.lease);
      if (lease == nullptr || lease->runner.get() != &runner) return;
      if (loop.now() < runner.idle_until && runner.process->usage().resident_bytes <= runner.task_memory_max + overhead_bytes()) {
        runner.timer.set(loop.now() + kIdleWatch);
        return;
      }
      const uint64_t id = runner.lease;
      retire(std::move(lease->runner));
      forget_if_unused(id);
      return;
    }
    const Instant now = loop.now();
    if (now >= runner.deadline) {
      runner.verdict = outcome(DomainEnd::kKilled, "stopped after " + std::to_string((now - runner.started).ms()) +
                                                       " ms of wall time; this says nothing about the result");
    } else if (domain::thread_count(runner.process->pid()) > domain::kThreadsMax) {
      runner.verdict = outcome(DomainEnd::kForbidden, "the domain process made more threads than any engine has");
    } else {
      watch(runner);
    }
    if (runner.verdict.has_value()) runner.process->kill();
    else runner.timer.set(std::min(runner.deadline, now + kWatchPeriod));
  }

  // --- the watch: what a lease allows, held from outside of the process ---

  /// Brings the process to the lease's pace, or to a standstill.
  void apply_pace(Lease& lease) {
    Runner& runner = *lease.runner;
    Watched& watched = runner.watched;
    const Instant now = loop.now();
    const bool freeze = lease.pace.permille == 0 || watched.held_until > now;
    if (freeze != watched.frozen) {
      if (freeze) {
        runner.process->freeze();
        watched.frozen_at = now;
      } else {
        runner.process->thaw();
        watched.frozen_in_all = watched.frozen_in_all + (now - watched.frozen_at);
      }
      watched.frozen = freeze;
    }
    if (freeze) return;
    const auto us = [](Duration d) { return uint32_t(std::clamp<int64_t>(d.ns / 1000, 1, 10'000'000)); };
    runner.process->send(domain::encode(domain::PaceFrame{std::min(lease.pace.permille, 1000u), us(lease.pace.burst), us(lease.pace.slice)}));
  }

  void break_off(Runner& runner, DomainEnd end, DomainViolation violation, const std::string& message) {
    runner.verdict = outcome(end, message);
    report(runner, violation);
  }
  void report(Runner& runner, DomainViolation violation) {
    later([this, lease = runner.lease, violation] { violated(lease, violation); });
  }

  /// Takes a reading of what the process used, for the running task.
  void meter(Runner& runner) {
    Watched& watched = runner.watched;
    const RunnerProcess::Usage now = runner.process->usage();
    // A thread that ended takes its count with it.
    watched.wakeups += now.wakeups - std::min(now.wakeups, watched.last.wakeups);
    watched.resident_peak = std::max(watched.resident_peak, now.resident_bytes);
    watched.last = now;
  }

  void watch(Runner& runner) {
    Lease* lease = leases.find(runner.lease);
    if (lease == nullptr || lease->runner.get() != &runner) return;
    Watched& watched = runner.watched;
    meter(runner);
    const uint64_t memory_max = runner.running->task.memory_bytes + kRunnerOverheadBytes;
    if (watched.last.resident_bytes + watched.last.swapped_bytes > memory_max) {
      return break_off(runner, DomainEnd::kOutOfMemory, DomainViolation::kMemory,
                       "the domain process took more than " + std::to_string(memory_max >> 20) + " MiB");
    }
    if (watched.frozen) return apply_pace(*lease);
    const uint64_t cpu_ns = watched.last.cpu_ns;
    if (!runner.process->caught_up()) {
      const bool late = watched.pinged_at_cpu && cpu_ns - *watched.pinged_at_cpu > uint64_t(kDomainYieldMax.ns);
      if (late) break_off(runner, DomainEnd::kKilled, DomainViolation::kYield, "stopped: it did not yield; this says nothing about the result");
      return;  // loading the module, or late and not yet too late
    }
    watched.pinged_at_cpu = cpu_ns;
    judge_window(*lease, runner);
    apply_pace(*lease);  // which is also what the next look finds read, or not
  }

  /// Share and wake-ups over the last kShareWindow. A window begins when the task is under way.
  void judge_window(const Lease& lease, Runner& runner) {
    Watched& watched = runner.watched;
    const Instant now = loop.now();
    const Duration wall = now - watched.window_began;
    if (watched.window_began != Instant{} && wall < kShareWindow) return;
    if (watched.window_began != Instant{}) {
      const Duration open = wall - (watched.frozen_in_all - watched.window_frozen);
      const Duration allowed = open / 1000 * lease.pace.permille + lease.pace.burst + kShareSlack;
      const Duration used = nanoseconds(int64_t(watched.last.cpu_ns - watched.window.cpu_ns));
      if (lease.pace.permille > 0 && lease.pace.permille < 1000 && used > allowed) {
        watched.held_until = now + (used - open / 1000 * lease.pace.permille) * 1000 / lease.pace.permille;
        report(runner, DomainViolation::kShare);
      }
      const uint64_t woken = watched.last.wakeups - std::min(watched.last.wakeups, watched.window.wakeups);
      if (woken > lease.pace.wakeups_per_second_max * uint64_t(wall.ms()) / 1000 + kWakeupsSlack) report(runner, DomainViolation::kWakeups);
    }
    watched.window_began = now;
    watched.window = watched.last;
    watched.window_frozen = watched.frozen_in_all;
  }

  /// What a task used, from outside.
  void fill_meters(Runner& runner, DomainOutcome& out) {
    const Watched& watched = runner.watched;
    out.wall_ns = uint64_t((loop.now() - runner.started).ns);
    const Duration frozen_now = watched.frozen ? loop.now() - std::max(watched.frozen_at, runner.started) : Duration{};
    out.frozen_ns = uint64_t((watched.frozen_in_all + frozen_now).ns);
    out.cpu_ns = std::max({runner.process->cpu_ns(), watched.last.cpu_ns, runner.started_cpu_ns}) - runner.started_cpu_ns;
    out.wakeups = watched.wakeups;
    out.resident_peak_bytes = watched.resident_peak;
  }

  void on_nonsense(Runner& runner, const std::string& why) {
    if (!runner.verdict.has_value()) runner.verdict = outcome(DomainEnd::kForbidden, "the domain process broke the protocol: " + why);
    runner.retired = true;
    runner.process->kill();
  }

  void on_frame(Runner& runner, FrameType type, ByteView body) {
    if (runner.verdict.has_value() || runner.stopped) return;
    if (type == FrameType::kHello) {
      const auto hello = domain::decode_hello(body);
      if (!hello.ok()) return on_nonsense(runner, hello.error().message);
      if (std::exchange(runner.greeted, true)) return on_nonsense(runner, "a second hello");
      if (!runner.probe) return;
      DomainLayers layers = domain::layers_of(hello->layers);
      if (machine != nullptr) layers.machine = machine->text();
      auto call = [probe = std::exchange(runner.probe, nullptr), layers = std::move(layers)] { probe(layers); };
      later(std::move(call));
      runner.process->kill();
      return;
    }
    if (!runner.greeted) return on_nonsense(runner, "an unexpected frame");
    if (type == FrameType::kCheckpoint) return on_checkpoint(runner, body);
    if (type == FrameType::kStateAsk) return on_state_ask(runner, body);
    if (type != FrameType::kResult || !runner.running.has_value()) return on_nonsense(runner, "an unexpected frame");
    auto result = domain::decode_result(body);
    if (!result.ok()) return on_nonsense(runner, result.error().message);
    const DomainTask& task = runner.running->task;
    if (!crypto::constant_time_equal(result->handle, task.handle)) return on_nonsense(runner, "a result without the handle of its task");
    if (result->output.size() > task.output_bytes_max || result->fuel > task.fuel_limit) {
      return on_nonsense(runner, "a result beyond the limits of its task");
    }
    DomainOutcome out;
    out.end = DomainEnd(result->end);
    out.exit_code = result->exit_code;
    out.output = std::move(result->output);
    out.errors = std::move(result->errors);
    out.message = std::move(result->message);
    out.fuel = result->fuel;
    out.memory_peak_bytes = result->memory_bytes;
    if (task.state == nullptr && !result->writes.empty()) return on_nonsense(runner, "writes to a state that the task does not have");
    if (out.end == DomainEnd::kExited) out.writes = std::move(result->writes);
    if (result->comparable) {
      out.trace = result->trace;
      out.segments = std::move(result->segments);
    }
    if (loop.now() - runner.started >= kMeteredTaskMin) meter(runner);
    fill_meters(runner, out);
    runner.retired |= !result->reusable;
    // The watch of the task that ended must not go off before pump() runs: it would take the process for an idle one.
    rest(runner);
    answer(std::move(*std::exchange(runner.running, std::nullopt)), std::move(out));
    later([this, id = runner.lease] { pump(id); });
  }

  // An honest runner waits for one answer before it asks again, so there is never more than one under way to it.
  void on_state_ask(Runner& runner, ByteView body) {
    if (!runner.running.has_value() || runner.running->task.state == nullptr) return on_nonsense(runner, "a question about a state that the task does not have");
    const auto ask = domain::decode_state_ask(body);
    if (!ask.ok()) return on_nonsense(runner, ask.error().message);
    const DomainTask& task = runner.running->task;
    if (!crypto::constant_time_equal(ask->handle, task.handle)) return on_nonsense(runner, "a question without the handle of its task");
    if (!runner.process->written()) return on_nonsense(runner, "a question before the last answer was read");
    domain::StateAnswerFrame answer;
    if (ask->next) {
      const std::optional<std::string> key = task.state->next(ask->key, ask->after);
      if (key) answer = {true, to_bytes(view(*key))};
    } else if (std::optional<Bytes> value = task.state->get(ask->key)) {
      answer = {true, std::move(*value)};
    }
    runner.process->send(domain::encode(answer));
  }

  void on_checkpoint(Runner& runner, ByteView body) {
    if (!runner.running.has_value() || !runner.running->task.on_checkpoint) return on_nonsense(runner, "a checkpoint that nobody asked for");
    auto frame = domain::decode_checkpoint_frame(body);
    if (!frame.ok()) return on_nonsense(runner, frame.error().message);
    if (!crypto::constant_time_equal(frame->handle, runner.running->task.handle)) return on_nonsense(runner, "a checkpoint without the handle of its task");
    auto call = [to = runner.running->task.on_checkpoint, fuel = frame->fuel, bytes = std::move(frame->checkpoint)]() mutable { to(fuel, std::move(bytes)); };
    later(std::move(call));
  }

  /// After stop(): nothing of the lease runs any more.
  void on_quiet(Runner& runner) {
    if (!runner.stopped) return;
    if (runner.running.has_value()) {
      DomainOutcome out = outcome(DomainEnd::kKilled, "stopped");
      fill_meters(runner, out);
      answer(std::move(*std::exchange(runner.running, std::nullopt)), std::move(out));
    }
    for (Pending& pending : runner.stopped_tasks) {
      answer(std::move(pending), outcome(DomainEnd::kKilled, "stopped before it ran"));
    }
    runner.stopped_tasks.clear();
    auto call = [stopped = std::exchange(runner.stopped, nullptr), took = loop.now() - runner.stopped_at] { stopped(took); };
    later(std::move(call));
  }

  void on_gone(Runner& runner, int status) {
    runner.gone = true;
    runner.timer.cancel();
    if (runner.probe) {
      auto call = [probe = std::exchange(runner.probe, nullptr), why = runner.verdict ? runner.verdict->message : describe_status(status)] {
        probe(fail(Errc::kIo, "the domain process did not come up: " + why));
      };
      later(std::move(call));
    }
    if (runner.stopped) on_quiet(runner);
    if (runner.running.has_value()) {
      DomainOutcome out = runner.verdict.value_or(DomainOutcome());
      if (!runner.verdict.has_value()) {
        const bool forbidden = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
        const bool out_of_memory = runner.process->group() != nullptr && runner.process->group()->ran_out_of_memory();
        out = outcome(forbidden ? DomainEnd::kForbidden : out_of_memory ? DomainEnd::kOutOfMemory : DomainEnd::kCrashed,
                      "the domain process ended: " + describe_status(status) + (out_of_memory ? ", it took more memory than its task may" : ""));
      }
      fill_meters(runner, out);
      answer(std::move(*std::exchange(runner.running, std::nullopt)), std::move(out));
    }
    Lease* lease = leases.find(runner.lease);
    if (lease != nullptr && lease->runner.get() == &runner) {
      const uint64_t id = runner.lease;
      bury(std::move(lease->runner));
      later([this, id] { pump(id); });
      return;
    }
    if (take_out(dying, runner)) return;
    // What ends a spare would end the next one too: its start may be what fails.
    if (take_out(spares, runner)) refill_timer.set(loop.now() + kDomainSpareRest);
  }
  bool take_out(std::vector<std::unique_ptr<Runner>>& from, const Runner& runner) {
    const auto it = std::find_if(from.begin(), from.end(), [&](const auto& each) { return each.get() == &runner; });
    if (it == from.end()) return false;
    bury(std::move(*it));
    from.erase(it);
    return true;
  }
};

DomainPool::DomainPool(Loop& loop, std::string runner_path, DomainClass domain_class, std::shared_ptr<const MicroVm> machine)
    : impl_(std::make_unique<Impl>(loop, std::move(runner_path), domain_class, std::move(machine))) {}

DomainPool::~DomainPool() = default;

uint64_t DomainPool::run(uint64_t lease, DomainTask task, Done done) {
  const uint64_t number = ++impl_->last_number;
  Impl::Pending pending{number, std::move(task), std::move(done)};
  const std::string why = refusal(pending.task);
  if (!why.empty()) {
    impl_->answer(std::move(pending), outcome(DomainEnd::kRefused, "the task was refused: " + why));
    return number;
  }
  Impl::Lease* slot = impl_->leases.find(lease);
  if (slot == nullptr) slot = impl_->leases.insert(lease, Impl::Lease());
  if (slot == nullptr || slot->queue.full()) {
    const char* what = slot == nullptr ? "too many leases run domains at once" : "too many tasks wait for this lease";
    impl_->answer(std::move(pending), outcome(DomainEnd::kRefused, what));
    return number;
  }
  CHECK(slot->queue.push(std::move(pending)));
  impl_->pump(lease);
  return number;
}

void DomainPool::cancel(uint64_t lease, uint64_t task) {
  Impl::Lease* slot = impl_->leases.find(lease);
  if (slot == nullptr) return;
  for (size_t n = slot->queue.size(); n > 0; --n) {
    Impl::Pending pending = slot->queue.pop();
    if (pending.number == task) impl_->answer(std::move(pending), outcome(DomainEnd::kKilled, "cancelled before it ran"));
    else CHECK(slot->queue.push(std::move(pending)));
  }
  Impl::Runner* runner = slot->runner.get();
  if (runner == nullptr || runner->gone || !runner->running || runner->running->number != task) return impl_->forget_if_unused(lease);
  if (!runner->verdict) runner->verdict = outcome(DomainEnd::kKilled, "cancelled");
  impl_->meter(*runner);  // once it is gone nobody can say what it used
  runner->process->kill();
}

void DomainPool::stop(uint64_t lease, std::function<void(Duration)> stopped) {
  Impl::Lease* slot = impl_->leases.find(lease);
  std::vector<Impl::Pending> waiting;
  while (slot != nullptr && !slot->queue.empty()) waiting.push_back(slot->queue.pop());
  std::unique_ptr<Impl::Runner> runner = slot != nullptr ? std::move(slot->runner) : nullptr;
  impl_->forget_if_unused(lease);
  if (runner == nullptr || runner->gone) {
    for (Impl::Pending& pending : waiting) {
      impl_->answer(std::move(pending), outcome(DomainEnd::kKilled, "stopped before it ran"));
    }
    auto call = [stopped = std::move(stopped)] { stopped(Duration{}); };
    impl_->later(std::move(call));
    if (runner != nullptr) impl_->bury(std::move(runner));
    return;
  }
  runner->stopped_at = impl_->loop.now();
  runner->stopped = std::move(stopped);
  runner->stopped_tasks = std::move(waiting);
  if (runner->process->halt()) impl_->on_quiet(*runner);
  impl_->retire(std::move(runner));
}

void DomainPool::pace(uint64_t lease, const DomainPace& pace) {
  Impl::Lease* slot = impl_->leases.find(lease);
  if (slot == nullptr) slot = impl_->leases.insert(lease, Impl::Lease());
  if (slot == nullptr) return;  // more leases than the node has
  if (slot->pace == pace) return;
  slot->pace = pace;
  if (slot->runner != nullptr && !slot->runner->gone && !slot->runner->retired) impl_->apply_pace(*slot);
  impl_->forget_if_unused(lease);
}

void DomainPool::watch_violations(std::function<void(uint64_t, DomainViolation)> violated) { impl_->violated = std::move(violated); }

void DomainPool::drop_idle() {
  std::vector<uint64_t> emptied;
  for (auto& [id, lease] : impl_->leases) {
    if (lease.runner == nullptr || lease.runner->running.has_value() || !lease.queue.empty()) continue;
    impl_->retire(std::move(lease.runner));
    emptied.push_back(id);
  }
  for (uint64_t id : emptied) impl_->forget_if_unused(id);
  if (!impl_->spares.empty()) impl_->drop_spares();
}

void DomainPool::keep_spares(size_t count) {
  if (count == impl_->spares_wanted) return;
  impl_->spares_wanted = std::min(count, kDomainSparesMax);
  while (impl_->spares.size() > impl_->spares_wanted) {
    impl_->retire(std::move(impl_->spares.back()));
    impl_->spares.pop_back();
  }
  impl_->refill_timer.set(impl_->loop.now());
}

size_t DomainPool::spares_ready() const {
  return size_t(std::count_if(impl_->spares.begin(), impl_->spares.end(), [](const auto& spare) { return spare->greeted; }));
}

std::vector<DomainPool::Use> DomainPool::uses() const {
  std::vector<Use> out;
  for (const auto& [id, lease] : impl_->leases) {
    if (lease.runner == nullptr || lease.runner->gone || !lease.runner->running) continue;
    const Impl::Watched& watched = lease.runner->watched;
    out.push_back({id, std::max(watched.last.cpu_ns, lease.runner->started_cpu_ns) - lease.runner->started_cpu_ns, watched.last.resident_bytes, watched.wakeups});
  }
  return out;
}

size_t DomainPool::processes() const {
  size_t n = impl_->dying.size();
  for (const auto& [id, lease] : impl_->leases) n += lease.runner != nullptr && !lease.runner->gone;
  return n;
}

int DomainPool::process_of(uint64_t lease) const {
  const Impl::Lease* slot = impl_->leases.find(lease);
  return slot != nullptr && slot->runner != nullptr && !slot->runner->gone ? slot->runner->process->pid() : 0;
}

void DomainPool::probe(std::function<void(Result<DomainLayers>)> done) {
  auto runner = impl_->start(0, MicroVm::kProbeMemoryBytes);
  if (!runner.ok()) {
    auto call = [done = std::move(done), error = runner.error()] { done(error); };
    return impl_->later(std::move(call));
  }
  (*runner)->probe = std::move(done);
  (*runner)->timer.set(impl_->loop.now() + (impl_->machine != nullptr ? impl_->machine->boot_max() : kProbeMax));
  impl_->dying.push_back(std::move(runner).value());
}

}  // namespace selvedge::host
