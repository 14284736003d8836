// Executor: runs offered tasks on this machine, one lease at a time each in its own domain.
//
// The node has already authorised an offer when it arrives here. The executor gathers the module and the inputs
// (verified against their names), has the module rewritten (cached by its name), runs it in the lease's domain, and
// binds itself to the result with a signed commitment. The result is shown only when the origin asks for it, together
// with a signed receipt that is on disk first. A lease that stops takes its tasks with it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/time.h"
#include "crypto/drbg.h"
#include "object/envelope.h"
#include "object/handles.h"
#include "object/zone_keys.h"
#include "wasi/state_calls.h"
#include "wasm/rewrite.h"
#include "work/messages.h"
#include "work/state_parts.h"

namespace selvedge::work {

constexpr size_t kExecutionsMax = 512;            // offered to this machine and not yet shown, all leases
constexpr size_t kModulesCachedMax = 16;
constexpr uint64_t kTaskInputBytesMax = 64u << 20;   // of all inputs together
constexpr uint64_t kTaskOutputBytesMax = 4u << 20;   // an output travels in one message
constexpr uint64_t kModuleBytesMax = 16u << 20;
constexpr Duration kTaskWallMax = seconds(90);
/// A domain that was stopped says within this what it used, or never.
constexpr Duration kEndingMax = seconds(30);
/// A result that nobody asked for is forgotten after this.
constexpr Duration kResultKeptMax = seconds(300);

/// See object::TaskInput::path.
struct TaskFile { std::string path; Bytes content; };

struct RunDomain {
  TaskId task;
  uint64_t lease_number;
  object::Handle lease_cap;   // comes back with the result, or the result does not count
  std::shared_ptr<const wasm::Rewritten> module;
  std::vector<std::string> args;
  std::vector<std::string> environment;
  Bytes input;
  std::vector<TaskFile> files;
  uint64_t seed;
  uint64_t fuel_limit;
  uint64_t memory_bytes;
  uint64_t output_bytes_max;
  Duration wall_max;
  Bytes resume{};             // the checkpoint to go on from, or empty
  /// Of a service's request, whose result nobody compares; 0: a task. Where the module serves, the instance of this number stays for the next one.
  uint64_t service = 0;
  std::shared_ptr<const wasi::StateView> state{};   // of the service, which the request may change; asked on the node's thread while it runs
};
/// What a domain answered.
struct DomainResult {
  object::Outcome outcome = object::Outcome::kInconclusive;
  Bytes output;
  std::string message;
  std::string errors;                // standard error, its first bytes
  uint64_t fuel = 0;
  uint64_t cpu_ns = 0;
  uint64_t wall_ns = 0;              // while it ran, waiting for its turn not counted
  uint64_t memory_peak_bytes = 0;
  uint64_t resident_peak_bytes = 0;
  uint64_t wakeups = 0;
  uint64_t frozen_ns = 0;
  uint32_t degraded = 0;             // of Degraded (dtaps.h): why it went slower than its grant allows
  uint32_t violations = 0;           // of the lease, while it ran
  crypto::Digest trace;
  std::vector<wasi::StateWrite> writes{};   // to the state that it was given, when it ended well
};

/// What a lease's running task has used so far.
struct TaskUse { uint64_t lease_number = 0, cpu_ns = 0, resident_bytes = 0, wakeups = 0; };

/// Bring the content of a blob here. Answered by on_blob.
struct NeedBlob { TaskId task; codec::Cid cid; };
/// What a service runs for each request.
struct Program {
  std::shared_ptr<const wasm::Rewritten> module;
  std::vector<TaskFile> files;
};
/// The program of an offer that was accepted to be served is here, or cannot be had; the executor is done with it.
struct ProgramHere { TaskId task; Result<Program> program; };
/// Rewrite a module. Answered by on_rewritten.
struct NeedRewrite { codec::Cid module; std::shared_ptr<const Bytes> bytes; };
/// `lease_number`: whose share of the network it takes; 0: too small to count.
struct ExecutorSend { NodeKey to; Bytes message; uint64_t lease_number = 0; };
/// Write the receipt down. Answered by on_receipt_kept.
struct KeepReceipt { TaskId task; object::Signed<object::Receipt> receipt; };
/// Stop the domain of a task that nobody wants any more. Its answer comes as always.
struct CancelDomain { TaskId task; };
using ExecutorEffect = std::variant<RunDomain, ProgramHere, CancelDomain, NeedBlob, NeedRewrite, ExecutorSend, KeepReceipt>;

/// States of one task are sent no faster, on the average: a large one is worth its way only now and then.
constexpr uint64_t kStateBytesPerSecond = 4u << 20;

/// One authorised offer.
struct AcceptedOffer {
  object::Signed<object::TaskOffer> offer;
  NodeKey from;               // the session to answer on
  crypto::PublicKey owner;    // of this machine
  uint64_t lease_number = 0;
  std::vector<object::ObjectId> authority{};  // what authorize() rested on
  object::Handle lease_cap{};               // of the lease that it runs under
  Bytes state{};                            // to go on from, or empty
  bool serve = false;                       // its program is wanted and is not run here: ProgramHere
};

class Executor {
 public:
  using Out = Outbox<ExecutorEffect>;
  Executor(const crypto::Signer& node_signer, crypto::Drbg drbg) : signer_(node_signer), drbg_(std::move(drbg)) {}

  /// The same offer again, from the same node, is answered with where its task is: a session that broke is taken up again.
  /// Errors: kLimit (the machine has enough to do), kExists (another node's task).
  Status accept(Instant now, AcceptedOffer offer, Out& out);
  void on_blob(Instant now, const TaskId& task, const codec::Cid& cid, Result<Bytes> content, Out& out);
  void on_rewritten(Instant now, const codec::Cid& module, Result<wasm::Rewritten> rewritten, Out& out);
  void on_domain(Instant now, const TaskId& task, DomainResult result, Out& out);
  /// The domain wrote down where the task is: its origin keeps that.
  void on_state(Instant now, const TaskId& task, uint64_t fuel, const Bytes& state, Out& out);
  void on_reveal_ask(Instant now, const NodeKey& from, const TaskId& task, Out& out);
  void on_receipt_kept(Instant now, const TaskId& task, const Status& kept, Out& out);
  /// What runs is stopped, and what it used goes into a receipt, which nobody is shown unasked.
  void on_cancel(Instant now, const NodeKey& from, const TaskId& task, Out& out);
  /// The lease stopped, and with it its domain: whatever it has here is over, and its origin is told. What ran leaves a receipt.
  void on_lease_stopped(Instant now, uint64_t lease_number, const Error& why, Out& out);
  /// Memory is short: modules that nobody waits for are rewritten anew when they are needed again.
  void drop_modules();
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

  size_t active() const { return tasks_.size(); }
  struct Execution {
    TaskId task;
    const AcceptedOffer* accepted;   // valid until the next input
    const char* stage;               // gathering, running, stopping, done, closing
  };
  std::vector<Execution> list() const;
  bool knows(const TaskId& task) const { return tasks_.count(task) != 0; }
  /// Whether the task still waits for something to be fetched.
  bool gathering(const TaskId& task) const {
    auto it = tasks_.find(task);
    return it != tasks_.end() && it->second.stage == Task::kGathering;
  }
  /// Whether the task's domain was stopped and has not answered yet.
  bool ending(const TaskId& task) const {
    auto it = tasks_.find(task);
    return it != tasks_.end() && it->second.stage == Task::kEnding;
  }
  /// The offer of a task whose domain runs, or nullptr.
  const AcceptedOffer* running(const TaskId& task) const {
    auto it = tasks_.find(task);
    const bool runs = it != tasks_.end() && (it->second.stage == Task::kRunning || it->second.stage == Task::kEnding);
    return runs ? &it->second.accepted : nullptr;
  }
  /// What a task used, for the lease's meters; valid until the task is forgotten.
  const DomainResult* result(const TaskId& task) const;

 private:
  struct Task {
    explicit Task(AcceptedOffer offer_in) : accepted(std::move(offer_in)) {}
    AcceptedOffer accepted;
    enum Stage : uint8_t {
      kGathering,
      kRunning,
      kEnding,     // stopped: the domain is about to say what it used
      kCommitted,
      kKeeping,    // the receipt is being written, and then shown
      kClosing,    // the receipt is being written, and nobody waits for it
    } stage = kGathering;
    std::map<codec::Cid, std::optional<Bytes>> inputs;  // nullopt: not here yet
    bool module_ready = false;
    uint64_t bytes_in = 0;
    uint64_t fuel_before = 0;           // used by others, before it went on here
    Instant next_state{0};              // no state is sent before
    uint64_t fuel_seen = 0;             // as its newest state said
    Instant forget_at = Instant::never();
    DomainResult result;
    object::Reveal reveal;
    Bytes commitment;
    std::optional<object::Signed<object::Receipt>> receipt;
    bool receipt_kept = false;
    bool offered_again = false;         // while the receipt was being written: it is to be asked for anew
    const object::TaskOffer& offer() const { return accepted.offer.body; }
  };
  struct Module {
    std::shared_ptr<const wasm::Rewritten> rewritten;   // null while being rewritten or when refused
    Error refusal;
    std::vector<TaskId> waiting;
    uint64_t used = 0;
    bool pending = true;
  };

  Status accept_again(Task& task, const NodeKey& from, Out& out);
  void show(std::map<TaskId, Task>::iterator it, Out& out);
  void gather(Instant now, Task& task, Out& out);
  void start_if_ready(Instant now, const TaskId& id, Out& out);
  void hand_over(std::map<TaskId, Task>::iterator it, const Module& module, Out& out);
  void want_module(const TaskId& id, Task& task, Out& out);
  void conclude(Instant now, const TaskId& id, DomainResult result, Out& out);
  /// What a task used, as a signed receipt.
  object::Signed<object::Receipt> account(Instant now, const Task& task) const;
  /// The end of a task that was stopped.
  void close(Instant now, const TaskId& id, DomainResult result, Out& out);
  void trim_modules();

  const crypto::Signer& signer_;
  crypto::Drbg drbg_;
  std::map<TaskId, Task> tasks_;
  std::map<codec::Cid, Module> modules_;
  uint64_t clock_ = 0;
};

/// The content name of a task's output: its Cid as a file.
codec::Cid output_cid(ByteView output);

}  // namespace selvedge::work
