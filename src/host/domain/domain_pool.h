// DomainPool: runs guest programs, each lease in its own locked-down process.
//
// A node never runs a guest in its own address space. The pool starts `selvedge-domain` (the runner: the only
// program that links a wasm engine), one process per lease, talks to it over one inherited socket and kills it to
// stop it. A process is kept warm for the next task of the same lease and module, whose memory and globals are
// reset to what they were after instantiation; a different module gets a new process.
//
// Invariants: one task at a time per lease; every task is answered exactly once, also when its process dies; a
// runner is trusted with nothing, so everything it says is bounded and parsed as hostile input. Lives on the loop
// thread and is owned by the daemon (or a test); destroying it kills and reaps all processes, answering nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/types.h"
#include "wasi/file_tree.h"
#include "wasi/state_calls.h"
#include "wasm/rewrite.h"
#include "wasm/trace.h"

namespace selvedge::host {

class Loop;
class MicroVm;

struct DomainHandleTag;
/// What the node hands a domain in place of authority; opaque here. A result counts only with the handle of its task.
using DomainHandle = FixedBytes<DomainHandleTag, 16>;

using DomainFile = wasi::InputFile;

struct DomainTask {
  std::shared_ptr<const wasm::Rewritten> module;
  std::vector<std::string> args;           // args[0] is the program name
  std::vector<std::string> environment;    // "NAME=value"
  Bytes input;                             // standard input
  std::vector<DomainFile> files;           // what the guest finds under "/"
  uint64_t seed = 0;                       // of the guest's random numbers
  uint64_t fuel_limit = 0;
  uint64_t memory_bytes = 0;               // limit of the linear memory; memory.grow beyond it fails in the guest
  uint64_t output_bytes_max = 1u << 20;
  Duration wall_max = seconds(60);
  DomainHandle handle;
  uint64_t service = 0;                    // 0: a task; else a request of this service (frames.h)
  std::shared_ptr<const wasi::StateView> state;  // of the service, for this request; asked on the loop thread while it runs
  /// Called on the loop thread with the run's state as it goes on, if the module is resumable; at least so much time apart, and what a
  /// checkpoint costs stays below a twentieth of the time between two.
  std::function<void(uint64_t fuel, Bytes checkpoint)> on_checkpoint;
  Duration checkpoint_every = seconds(1);
  Bytes resume;                            // a checkpoint of this very task to go on from, or empty
};

/// How a lease's domain may use the processor. Kept in the runner between slices of fuel, and watched from outside.
struct DomainPace {
  uint32_t permille = 1000;                // share of one processor, over any second; 0 freezes, at once
  Duration burst = milliseconds(10);       // of processor time between two rests
  Duration slice = milliseconds(1);        // between two points at which it hears of a new pace. spec: WF 8.3
  uint32_t wakeups_per_second_max = 1000;
  bool operator==(const DomainPace&) const = default;
};

/// What a domain did that an honest runner does not do. spec: WF 8.7
enum class DomainViolation : uint8_t {
  kYield,     // used kDomainYieldMax of processor time without a yield; it was killed
  kShare,     // went beyond its share; it was stopped until that was paid back
  kWakeups,
  kMemory,    // resident and swapped memory beyond its limit; it was killed
};
const char* domain_violation_name(DomainViolation violation);
/// Processor time without a yield after which a domain is killed: many slices, and much less than a person notices.
constexpr Duration kDomainYieldMax = milliseconds(50);

enum class DomainEnd : uint8_t {
  kExited = 0,      // returned or called proc_exit: see exit_code
  kTrapped,         // a wasm trap, the call depth limit included: the same on every engine
  kOutOfFuel,
  kOutOfMemory,     // the module needs more than memory_bytes to start (compared), or the host ran short (trace zero)
  kOutputTooLarge,
  kForbidden,       // a breach: the process did what no runner does (a tripwire, a broken protocol), so its guest had taken it over
  kKilled,          // stopped by us: revoked or wall clock
  kCrashed,         // the process died without an answer
  kRefused,         // the module or the task was not accepted
};
const char* domain_end_name(DomainEnd end);

struct DomainOutcome {
  DomainEnd end = DomainEnd::kCrashed;
  int32_t exit_code = 0;
  Bytes output;                    // standard output, or an archive of it and of what was left in /out
  std::string errors;              // standard error, its first kDomainErrorsMax bytes
  std::string message;             // for a person: what happened
  uint64_t fuel = 0;               // used, exact
  uint64_t cpu_ns = 0;             // of the process during the task, as the kernel counts
  uint64_t wall_ns = 0;
  uint64_t frozen_ns = 0;          // of wall_ns: stopped from outside
  uint64_t wakeups = 0;            // seen by the watch; none in a task of a few milliseconds
  uint64_t resident_peak_bytes = 0;  // of the process, seen by the watch
  uint64_t memory_peak_bytes = 0;  // linear memory at the end (it never shrinks)
  DomainHandle handle;             // of the task
  std::vector<wasi::StateWrite> writes;  // to the service's state, by a request that exited
  std::vector<wasm::Segment> segments;  // the chain that the trace ends; spec: docs/spec/trace.md
  crypto::Digest trace;            // zero when the end says nothing about the program: never compare then
};

/// Which walls stand around a runner, as it reported after lock-down.
struct DomainLayers {
  bool seccomp = false, landlock = false, no_new_privs = false, not_dumpable = false, unprivileged = false;
  bool user_namespace = false, pid_namespace = false, net_namespace = false, mount_namespace = false,
       ipc_namespace = false, uts_namespace = false, empty_root = false, memory_group = false, pids_group = false;
  std::string machine;  // "microvm (TCG)" when the runner is in a machine of its own; empty: a process
  /// "seccomp landlock …", in a fixed order.
  std::string text() const;
  /// The same of what does not stand; empty when all does.
  std::string missing() const;
};

constexpr size_t kDomainQueueMax = 1024;             // waiting tasks per lease
constexpr size_t kDomainLeasesMax = 256;             // leases with a process or a queue
constexpr uint64_t kDomainInputMax = 64u << 20;      // standard input and files together
constexpr size_t kDomainFilesMax = 256;              // an archive counts once
constexpr uint64_t kDomainOutputMax = 64u << 20;
constexpr uint64_t kDomainCheckpointMax = 48u << 20;  // larger states are not kept
constexpr size_t kDomainArgsMax = 64;                // and as many environment variables
constexpr size_t kDomainArgBytesMax = 4096;
constexpr size_t kDomainErrorsMax = 4096;

/// A spare that was taken is replaced after this, so that its start does not slow the task that took it.
constexpr Duration kDomainSpareRefill = milliseconds(100);
/// After memory was short, or a spare died, there is none for so long.
constexpr Duration kDomainSpareRest = seconds(60);
constexpr size_t kDomainSparesMax = 8;

/// How guests stand towards everything else on the machine. Ordinary is for tests, which would otherwise wait for other programs.
enum class DomainClass : uint8_t { kBackground, kOrdinary };

class DomainPool {
 public:
  /// `runner_path`: the selvedge-domain executable. With `machine` each runner is in a virtual machine of its own (microvm.h).
  DomainPool(Loop& loop, std::string runner_path, DomainClass domain_class = DomainClass::kBackground, std::shared_ptr<const MicroVm> machine = nullptr);
  ~DomainPool();
  DomainPool(const DomainPool&) = delete;
  DomainPool& operator=(const DomainPool&) = delete;

  using Done = std::function<void(DomainOutcome)>;
  /// Queues a task of `lease`; `done` is called on the loop thread, never from within run(). Returns the task's number, for cancel().
  uint64_t run(uint64_t lease, DomainTask task, Done done);

  /// Stops one task of the lease and lets the others go on: one that waits is taken out, the process of one that runs is killed. It answers
  /// kKilled, unless it has answered already.
  void cancel(uint64_t lease, uint64_t task);

  /// Kills the lease's process now. Its running and queued tasks answer kKilled, then `stopped` gets the time from
  /// this call until nothing of the process ran any more (zero when there was none). The lease may be used again afterwards.
  void stop(uint64_t lease, std::function<void(Duration)> stopped);

  /// Sets the pace of the lease's domain, now and for what it runs later. The default pace forgets the lease.
  void pace(uint64_t lease, const DomainPace& pace);
  /// Called on the loop thread when a domain breaks its pace or a limit.
  void watch_violations(std::function<void(uint64_t lease, DomainViolation)> violated);

  /// Keeps so many processes started ahead, with their engine up and their walls raised: the first task of a lease takes one instead of waiting
  /// for a start. Nothing of a guest has been in them, and none goes from one lease to another. In machines of their own there are none: a
  /// machine's memory is fixed when it starts, by the task that it is for.
  void keep_spares(size_t count);

  /// Ends processes that have nothing to do, spares too; those come back after kDomainSpareRest.
  void drop_idle();

  /// What the task that each lease runs has used so far, as the watch saw it last.
  struct Use { uint64_t lease, cpu_ns, resident_bytes, wakeups; };
  std::vector<Use> uses() const;
  /// Live runner processes, without spares.
  size_t processes() const;
  /// Spares that could be taken now without waiting.
  size_t spares_ready() const;
  /// The runner's process id for a lease, or 0 (doctor and tests).
  int process_of(uint64_t lease) const;

  /// Starts a runner, learns its layers and ends it (doctor).
  /// Errors: kIo when the runner cannot be started or does not come up.
  void probe(std::function<void(Result<DomainLayers>)> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace selvedge::host
