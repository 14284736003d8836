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
#include "wasm/rewrite.h"

namespace selvedge::host {

class Loop;
class MicroVm;

struct DomainHandleTag;
/// What the node hands a domain in place of authority; opaque here. A result counts only with the handle of its task.
using DomainHandle = FixedBytes<DomainHandleTag, 16>;

struct DomainTask {
  std::shared_ptr<const wasm::Rewritten> module;
  std::vector<std::string> args;           // args[0] is the program name
  Bytes input;                             // standard input
  uint64_t seed = 0;                       // of the guest's random numbers
  uint64_t fuel_limit = 0;
  uint64_t memory_bytes = 0;               // limit of the linear memory; memory.grow beyond it fails in the guest
  uint64_t output_bytes_max = 1u << 20;
  Duration wall_max = seconds(60);
  uint32_t cpu_permille = 1000;            // share of one processor, 1..1000
  DomainHandle handle;
};

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
  Bytes output;                    // standard output
  std::string errors;              // standard error, its first kDomainErrorsMax bytes
  std::string message;             // for a person: what happened
  uint64_t fuel = 0;               // used, exact
  uint64_t cpu_ns = 0;             // of the process during the task
  uint64_t wall_ns = 0;
  uint64_t memory_peak_bytes = 0;  // linear memory at the end (it never shrinks)
  DomainHandle handle;             // of the task
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
constexpr uint64_t kDomainInputMax = 64u << 20;
constexpr uint64_t kDomainOutputMax = 64u << 20;
constexpr size_t kDomainArgsMax = 64;
constexpr size_t kDomainArgBytesMax = 4096;
constexpr size_t kDomainErrorsMax = 4096;

class DomainPool {
 public:
  /// `runner_path`: the selvedge-domain executable. With `machine` each runner is in a virtual machine of its own (microvm.h).
  DomainPool(Loop& loop, std::string runner_path, std::shared_ptr<const MicroVm> machine = nullptr);
  ~DomainPool();
  DomainPool(const DomainPool&) = delete;
  DomainPool& operator=(const DomainPool&) = delete;

  using Done = std::function<void(DomainOutcome)>;
  /// Queues a task of `lease`; `done` is called on the loop thread, never from within run().
  void run(uint64_t lease, DomainTask task, Done done);

  /// Kills the lease's process now. Its running and queued tasks answer kKilled, then `stopped` gets the time from
  /// this call until the process was gone (zero when there was none). The lease may be used again afterwards.
  void stop(uint64_t lease, std::function<void(Duration)> stopped);

  /// Live runner processes.
  size_t processes() const;
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
