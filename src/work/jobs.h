// Jobs: gets tasks done on machines that nobody here controls, and believes a result only when owners agree.
//
// Each task is offered to as many executors of distinct owners as must agree. Every executor commits to its result before
// anyone reveals; then results are compared by outcome, output, trace and fuel. Agreement accepts; a mismatch asks one
// more owner at a time until enough agree. Whoever revealed something else, or a reveal that does not fit its
// commitment, is named and gets no more work. A lost executor costs a retry and nothing else.
//
// Pure. The node builds and signs offers, and says who can be asked.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "object/bundle.h"
#include "object/envelope.h"
#include "work/messages.h"
#include "work/migration.h"

namespace selvedge::work {

constexpr size_t kJobsMax = 64;
constexpr size_t kTasksPerJobMax = 100'000;
constexpr uint32_t kAgreeMax = 7;
/// Executions of one task, lost ones included, before it counts as impossible.
constexpr uint32_t kAttemptsMax = 32;
/// Tasks one executor may have at once from this origin: enough to hide the round trip, few enough to lose.
constexpr uint32_t kOutstandingPerExecutorMax = 16;
constexpr Duration kAttemptTimeout = seconds(120);
/// A task that was lost more often than this waits before it is offered again, twice as long each time: what ails it
/// may pass, and its attempts should not be used up before it does.
constexpr uint32_t kFreeRetries = 2;
constexpr Duration kRetryPauseMin = milliseconds(100);
constexpr Duration kRetryPauseMax = seconds(20);
/// An executor that let a task run out of time is asked last, and not before this, twice as long each time.
constexpr Duration kLateRest = seconds(5);
constexpr uint32_t kStrikesMax = 5;
/// Waiting tasks looked at in one round: a bound on work, not on the job.
constexpr size_t kScheduleScanMax = 256;
/// After this long without any executor that could take a waiting task, the job gives up and says so.
constexpr Duration kStarvedTimeout = seconds(60);

/// States that are kept for tasks, of all jobs together.
constexpr size_t kStatesBytesMax = 256u << 20;
/// A state with which nobody got further so often is thrown away.
constexpr uint32_t kStateFailuresMax = 2;

/// Someone whose machine may be asked now: connected, granted, not caught lying. `score`: how well it would do, on a scale where 1000 is usual; a
/// task that can be taken up again leaves a machine for one that scores kMigrateTimes as much (migration.h).
struct ExecutorInfo {
  NodeKey node;
  crypto::PublicKey owner;
  uint32_t score = 1000;
};

/// A state of a task, and the owners of all machines it went through: none of them can be a second opinion on what follows from it.
struct KeptState {
  uint64_t fuel = 0;
  std::shared_ptr<const Bytes> bytes;
  std::vector<crypto::PublicKey> owners;
  uint32_t failures = 0;   // executions that began with it and got no further
};

struct TaskUnit {
  object::TaskSpec spec;
  std::vector<NodeKey> near;  // who holds its inputs: asked first
  object::Idempotency idempotency = object::Idempotency::kStrict;
};

struct TaskResult {
  object::Reveal reveal;            // of one of those who agree
  Bytes output;
  std::vector<crypto::PublicKey> owners;  // who agree
  std::vector<Bytes> receipts;      // theirs, signed
};

struct MakeOffer { uint64_t job; uint32_t index; TaskId task; NodeKey executor; std::shared_ptr<const Bytes> state{}; };
struct SendWork { NodeKey to; Bytes message; };
struct TaskDone { uint64_t job; uint32_t index; TaskResult result; };
/// `node` revealed a wrong result for the task, or broke its commitment.
struct TaskRejected {
  uint64_t job;
  uint32_t index;
  NodeKey node;
  crypto::PublicKey owner;
  std::string why;
  Bytes receipt;   // what it signed: the evidence; empty when it showed none
};
/// One execution that is under way, for a person.
struct RunningTask {
  TaskId task;
  uint64_t job = 0;
  uint32_t index = 0;
  NodeKey node;
  bool committed = false;
  Instant since;
  uint64_t fuel = 0;         // at the newest state that is kept
  uint64_t state_bytes = 0;  // 0: none is kept, a loss costs all of it
  uint32_t moves = 0;        // states that it was taken up from
};

struct JobCounts {
  uint64_t tasks = 0;
  uint64_t done = 0;
  uint64_t executions = 0;  // offers made
  uint64_t retries = 0;     // executions lost
};
struct JobEnded { uint64_t job; Status status; JobCounts counts; };
using JobEffect = std::variant<MakeOffer, SendWork, TaskDone, TaskRejected, JobEnded>;

class Jobs {
 public:
  using Out = Outbox<JobEffect>;
  explicit Jobs(uint64_t seed) : rng_(seed) {}

  /// `agree`: owners whose machines must give the same result. Errors: kInvalid, kLimit.
  Result<uint64_t> start(Instant now, std::vector<TaskUnit> tasks, uint32_t agree, Out& out);
  void cancel(uint64_t job, Out& out);
  /// Everyone who may be asked from now on. Executions on others are lost.
  void set_executors(Instant now, const std::vector<ExecutorInfo>& executors, Out& out);

  void on_offer_answer(Instant now, const NodeKey& from, const OfferAnswer& answer, Out& out);
  void on_commitment(Instant now, const NodeKey& from, const object::Commitment& commitment, Out& out);
  void on_reveal(Instant now, const NodeKey& from, const object::Reveal& reveal, const object::Signed<object::Receipt>& receipt,
                 Bytes output, Out& out);
  void on_state(Instant now, const NodeKey& from, const TaskId& task, uint64_t fuel, Bytes state);
  /// Whether that machine runs the task, so that a state of it is of use.
  bool runs(const TaskId& task, const NodeKey& executor) const;
  /// Takes an execution of the task that begins so in hexadecimal to another machine, where it goes on from its newest state.
  /// Errors: kNotFound (the task or the machine), kInvalid (several tasks begin so; an owner would check himself), kUnavailable (it is done already).
  Status move(Instant now, const std::string& task_prefix, const NodeKey& to, Out& out);
  std::vector<RunningTask> list() const;

  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

  const object::TaskSpec* spec(uint64_t job, uint32_t index) const;
  JobCounts counts(uint64_t job) const;
  size_t running() const { return jobs_.size(); }

 private:
  struct Attempt {
    NodeKey node;
    crypto::PublicKey owner;
    enum Stage : uint8_t { kOffered, kCommitted, kAsked, kRevealed } stage = kOffered;
    Instant deadline;
    crypto::Digest commitment;
    object::Reveal reveal;
    Bytes receipt;
    Bytes output;
    Instant since;
    std::optional<KeptState> begun;   // what it went on from
    std::optional<KeptState> newest;  // what it has got to
    Hysteresis leave;
    /// All who had a hand in it.
    bool involves(const crypto::PublicKey& owner_key) const;
    bool alone() const;
  };
  struct Task {
    TaskUnit unit;
    TaskId id;
    uint32_t wanted = 0;              // attempts that should be alive
    uint32_t lost = 0;
    uint32_t moves = 0;               // states that were handed on
    bool undecided = false;           // an execution was lost that must not be repeated
    std::vector<Attempt> attempts;    // alive
    std::vector<NodeKey> failed_on;   // executors that lost it: asked again only when nobody else is left
    std::vector<KeptState> states;    // of executions that were lost, to be taken up by the next ones
    std::optional<NodeKey> prefer;    // where a person wants it
    std::string last_error;
    Attempt* find(const NodeKey& node);
  };
  struct Job {
    std::map<uint32_t, Task> tasks;   // unfinished
    std::set<uint32_t> waiting;       // fewer attempts than wanted
    std::set<std::pair<Instant, uint32_t>> cooling;  // lost too often to be offered before then
    std::set<NodeKey> unsupported;    // executors that cannot do what it asks for, whenever they are asked
    std::set<uint32_t> active;        // at least one attempt: bounded by what executors may have outstanding
    uint32_t agree = 2;
    JobCounts counts;
    Instant starved_since = Instant::never();
  };
  struct Executor {
    crypto::PublicKey owner;
    uint32_t outstanding = 0;
    Instant rest_until{0};            // said it is full, or was late
    uint32_t strikes = 0;             // tasks it let run out of time, one after the other
    uint32_t score = 1000;
  };
  struct Where { uint64_t job; uint32_t index; };

  void schedule(Instant now, Out& out);
  bool offer_one(Instant now, uint64_t id, Job& job, uint32_t index, Out& out);
  const NodeKey* pick(Instant now, const Task& task, const KeptState* state) const;
  /// The state furthest on that no other execution of the task rests on; taken out of the task's.
  static std::optional<KeptState> take_state(Task& task);
  /// Leaves for the next execution what this one got to. Returns whether that is further than it began.
  static bool hand_back(Task& task, Attempt& attempt);
  size_t states_bytes() const;
  void distrust(const Attempt& attempt);
  void migrate(Instant now, Job& job, Out& out);
  enum class Blame : uint8_t { kAttempt, kRefused, kNobody };
  void lose(Instant now, Job& job, uint32_t index, const NodeKey& node, std::string why, Blame blame = Blame::kAttempt);
  void wake_cooled(Instant now, Job& job);
  void remove_attempt(Job& job, uint32_t index, const NodeKey& node);
  bool any_room(Instant now) const;
  bool give_up_if_hopeless(uint64_t id, Job& job, uint32_t index, Out& out);
  void ask_reveals(Task& task, Out& out);
  void compare(Instant now, uint64_t id, Job& job, uint32_t index, Out& out);
  void accept(Instant now, uint64_t id, Job& job, uint32_t index, const Attempt& model, Out& out);
  void reject(Instant now, uint64_t id, uint32_t index, const NodeKey& node, const crypto::PublicKey& owner, const std::string& why, const Bytes& receipt, Out& out);
  void end(uint64_t id, Status status, Out& out);
  Task* locate(const TaskId& task, uint64_t& job_id, Job*& job, uint32_t& index);

  Rng rng_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Job> jobs_;
  std::map<TaskId, Where> where_;
  std::map<NodeKey, Executor> executors_;
};

/// Two executions of one task agree when all of this is equal.
bool same_result(const object::Reveal& a, const object::Reveal& b);

}  // namespace selvedge::work
