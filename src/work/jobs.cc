#include "work/jobs.h"

#include <algorithm>

#include "codec/dag.h"
#include "wasm/checkpoint.h"

namespace selvedge::work {

namespace {

/// A machine below this is on its way out (its lease ends, its owner is at it): new tasks go there last.
constexpr uint32_t kPoorScore = 500;

}  // namespace

bool same_result(const object::Reveal& a, const object::Reveal& b) {
  return a.outcome == b.outcome && a.output == b.output && a.trace == b.trace && a.fuel == b.fuel;
}

Jobs::Attempt* Jobs::Task::find(const NodeKey& node) {
  auto it = std::find_if(attempts.begin(), attempts.end(), [&](const Attempt& a) { return a.node == node; });
  return it == attempts.end() ? nullptr : &*it;
}

Result<uint64_t> Jobs::start(Instant now, std::vector<TaskUnit> tasks, uint32_t agree, Out& out) {
  if (tasks.empty()) return fail(Errc::kInvalid, "there is nothing to run");
  if (tasks.size() > kTasksPerJobMax) return fail(Errc::kLimit, "a job has at most " + std::to_string(kTasksPerJobMax) + " tasks; split it");
  if (agree == 0 || agree > kAgreeMax) return fail(Errc::kInvalid, "between 1 and " + std::to_string(kAgreeMax) + " owners can be asked to agree");
  if (jobs_.size() >= kJobsMax) return fail(Errc::kLimit, "this node runs " + std::to_string(kJobsMax) + " jobs already; wait for one to end");
  const uint64_t id = next_id_++;
  Job& job = jobs_[id];
  job.agree = agree;
  job.counts.tasks = tasks.size();
  for (uint32_t i = 0; i < tasks.size(); ++i) {
    Task task;
    task.unit = std::move(tasks[i]);
    for (size_t w = 0; w < 4; ++w) store_u64(task.id.bytes.data() + 8 * w, rng_.next());
    task.wanted = agree;
    where_[task.id] = {id, i};
    job.tasks.emplace(i, std::move(task));
    job.waiting.insert(i);
  }
  schedule(now, out);
  return id;
}

void Jobs::cancel(uint64_t id, Out& out) {
  if (jobs_.count(id)) end(id, fail(Errc::kCancelled, "the job was cancelled"), out);
}

void Jobs::set_executors(Instant now, const std::vector<ExecutorInfo>& infos, Out& out) {
  std::map<NodeKey, Executor> next;
  for (const ExecutorInfo& info : infos) {
    auto it = executors_.find(info.node);
    Executor& executor = next[info.node] = it != executors_.end() ? it->second : Executor{info.owner};
    executor.score = info.score;
  }
  executors_ = std::move(next);
  std::vector<uint64_t> ids;
  for (const auto& [id, job] : jobs_) ids.push_back(id);
  for (uint64_t id : ids) {
    std::vector<std::pair<uint32_t, NodeKey>> gone;
    for (uint32_t index : jobs_.at(id).active) {
      for (const Attempt& attempt : jobs_.at(id).tasks.at(index).attempts) {
        // What was revealed stays a valid witness after its executor left.
        if (!executors_.count(attempt.node) && attempt.stage != Attempt::kRevealed) gone.push_back({index, attempt.node});
      }
    }
    for (const auto& [index, node] : gone) {
      if (!jobs_.count(id)) break;
      lose(now, jobs_.at(id), index, node, "the executor went away");
      give_up_if_hopeless(id, jobs_.at(id), index, out);
    }
  }
  for (auto& [id, job] : jobs_) migrate(now, job, out);
  schedule(now, out);
}

bool Jobs::Attempt::alone() const {
  return !begun || std::all_of(begun->owners.begin(), begun->owners.end(), [&](const crypto::PublicKey& each) { return each == owner; });
}

// Whoever went on from a state that others made is not named for what came out: any of them may have lied. All of them are asked later.
void Jobs::distrust(const Attempt& attempt) {
  for (auto& [node, executor] : executors_) {
    if (attempt.involves(executor.owner)) executor.strikes = std::min(executor.strikes + 1, kStrikesMax);
  }
}

bool Jobs::Attempt::involves(const crypto::PublicKey& owner_key) const {
  return owner == owner_key || (begun && std::find(begun->owners.begin(), begun->owners.end(), owner_key) != begun->owners.end());
}

const NodeKey* Jobs::pick(Instant now, const Task& task, const KeptState* state) const {
  const NodeKey* best = nullptr;
  uint64_t best_score = UINT64_MAX;
  for (const auto& [node, executor] : executors_) {
    if (executor.outstanding >= kOutstandingPerExecutorMax || executor.rest_until > now) continue;
    const bool owner_taken = std::any_of(task.attempts.begin(), task.attempts.end(), [&](const Attempt& a) { return a.involves(executor.owner); });
    if (owner_taken) continue;
    if (task.prefer == node) return &node;
    const bool near = std::find(task.unit.near.begin(), task.unit.near.end(), node) != task.unit.near.end();
    // Bytes that need not move are worth waiting a few places in the queue for.
    const bool failed = std::find(task.failed_on.begin(), task.failed_on.end(), node) != task.failed_on.end();
    constexpr uint64_t kLast = 1'000'000;
    // A state is of use on any machine, so who lost the task is no worse for it than others.
    const uint64_t score = executor.outstanding + (near ? 0 : 4) + 8 * executor.strikes + (failed && state == nullptr ? kLast : 0) +
                           (executor.score < kPoorScore ? kLast / 2 : 0);
    if (score < best_score) {
      best = &node;
      best_score = score;
    }
  }
  return best;
}

bool Jobs::offer_one(Instant now, uint64_t id, Job& job, uint32_t index, Out& out) {
  Task& task = job.tasks.at(index);
  std::optional<KeptState> state = take_state(task);
  const NodeKey* node = pick(now, task, state ? &*state : nullptr);
  if (node == nullptr) {
    if (state) task.states.push_back(std::move(*state));
    return false;
  }
  Executor& executor = executors_.at(*node);
  Attempt attempt;
  attempt.begun = std::move(state);
  attempt.since = now;
  attempt.node = *node;
  attempt.owner = executor.owner;
  attempt.deadline = now + kAttemptTimeout;
  task.prefer.reset();
  job.active.insert(index);
  ++executor.outstanding;
  ++job.counts.executions;
  out.push(MakeOffer{id, index, task.id, *node, attempt.begun ? attempt.begun->bytes : nullptr});
  task.attempts.push_back(std::move(attempt));
  return true;
}

// ---- states

std::optional<KeptState> Jobs::take_state(Task& task) {
  auto best = task.states.end();
  for (auto it = task.states.begin(); it != task.states.end(); ++it) {
    const bool rests_on_it = std::any_of(task.attempts.begin(), task.attempts.end(), [&](const Attempt& a) {
      return std::any_of(it->owners.begin(), it->owners.end(), [&](const crypto::PublicKey& owner) { return a.involves(owner); });
    });
    if (!rests_on_it && (best == task.states.end() || it->fuel > best->fuel)) best = it;
  }
  if (best == task.states.end()) return std::nullopt;
  KeptState out = std::move(*best);
  task.states.erase(best);
  return out;
}

bool Jobs::hand_back(Task& task, Attempt& attempt) {
  const bool progress = attempt.newest.has_value();
  std::optional<KeptState> state = progress ? std::move(attempt.newest) : std::move(attempt.begun);
  if (!state || (!progress && ++state->failures >= kStateFailuresMax)) return false;
  if (task.states.size() >= kAgreeMax) task.states.erase(task.states.begin());
  task.states.push_back(std::move(*state));
  return progress;
}

size_t Jobs::states_bytes() const {
  size_t total = 0;
  for (const auto& [id, job] : jobs_) {
    for (const auto& [index, task] : job.tasks) {
      for (const KeptState& state : task.states) total += state.bytes->size();
      for (const Attempt& a : task.attempts) total += (a.begun ? a.begun->bytes->size() : 0) + (a.newest ? a.newest->bytes->size() : 0);
    }
  }
  return total;
}

bool Jobs::runs(const TaskId& id, const NodeKey& executor) const {
  const auto where = where_.find(id);
  if (where == where_.end()) return false;
  const Task& task = jobs_.at(where->second.job).tasks.at(where->second.index);
  return std::any_of(task.attempts.begin(), task.attempts.end(), [&](const Attempt& each) { return each.node == executor && each.stage == Attempt::kOffered; });
}

void Jobs::on_state(Instant now, const NodeKey& from, const TaskId& task_id, uint64_t fuel, Bytes state) {
  uint64_t id;
  Job* job;
  uint32_t index;
  Task* task = locate(task_id, id, job, index);
  Attempt* attempt = task == nullptr ? nullptr : task->find(from);
  if (attempt == nullptr || attempt->stage != Attempt::kOffered || state.size() > kTaskStateBytesMax) return;
  const uint64_t before = attempt->newest ? attempt->newest->fuel : attempt->begun ? attempt->begun->fuel : 0;
  // Each is a good deal further than the last: so the number of times that a task can be taken up is bounded.
  if (fuel / wasm::kCheckpointFuel <= before / wasm::kCheckpointFuel || fuel > task->unit.spec.fuel_limit) return;
  if (attempt->newest) attempt->newest.reset();
  if (states_bytes() + state.size() > kStatesBytesMax) return;
  KeptState kept{fuel, std::make_shared<const Bytes>(std::move(state)), {attempt->owner}, 0};
  if (attempt->begun) {
    for (const crypto::PublicKey& owner : attempt->begun->owners) {
      if (owner != attempt->owner) kept.owners.push_back(owner);
    }
  }
  attempt->newest = std::move(kept);
  attempt->deadline = now + kAttemptTimeout;
}

Status Jobs::move(Instant now, const std::string& prefix, const NodeKey& to, Out& out) {
  const auto executor = executors_.find(to);
  if (executor == executors_.end()) return fail(Errc::kNotFound, "that machine cannot be asked to run anything now: selvedge grant list shows which can");
  std::vector<TaskId> found;
  for (const auto& [task, where] : where_) {
    if (!prefix.empty() && task.hex().starts_with(prefix)) found.push_back(task);
  }
  if (found.empty()) return fail(Errc::kNotFound, "no task that is under way begins with " + prefix + ": selvedge task list shows them");
  if (found.size() > 1) return fail(Errc::kInvalid, std::to_string(found.size()) + " tasks begin with " + prefix);
  const Where where = where_.at(found.front());
  Job& job = jobs_.at(where.job);
  Task& task = job.tasks.at(where.index);
  if (task.find(to) != nullptr) return fail(Errc::kInvalid, "it runs there already");
  if (!object::may_retry(task.unit.idempotency)) return fail(Errc::kInvalid, "its bundle says that it must not be called twice, and a move may repeat some of it");
  if (executor->second.outstanding >= kOutstandingPerExecutorMax || executor->second.rest_until > now) return fail(Errc::kUnavailable, "that machine has enough to do now; try again shortly");
  Attempt* leaving = nullptr;
  for (Attempt& each : task.attempts) {
    const bool others_know = std::any_of(task.attempts.begin(), task.attempts.end(), [&](const Attempt& a) { return &a != &each && a.involves(executor->second.owner); });
    if (each.stage != Attempt::kOffered || others_know) continue;
    if (leaving == nullptr || (each.newest && !leaving->newest)) leaving = &each;
  }
  if (leaving == nullptr) return fail(Errc::kUnavailable, "no execution of it can go there: each is done already, or that machine's owner runs another one of them");
  const NodeKey from = leaving->node;
  out.push(SendWork{from, WorkMessages::encode(Cancel{task.id})});
  task.prefer = to;
  lose(now, job, where.index, from, "it was moved", Blame::kNobody);
  schedule(now, out);
  return ok();
}

std::vector<RunningTask> Jobs::list() const {
  std::vector<RunningTask> out;
  for (const auto& [id, job] : jobs_) {
    for (const uint32_t index : job.active) {
      const Task& task = job.tasks.at(index);
      for (const Attempt& a : task.attempts) {
        if (a.stage == Attempt::kRevealed) continue;
        const std::optional<KeptState>& state = a.newest ? a.newest : a.begun;
        out.push_back({task.id, id, index, a.node, a.stage != Attempt::kOffered, a.since, state ? state->fuel : 0, state ? state->bytes->size() : 0,
                       task.moves});
      }
    }
  }
  return out;
}

// A task that can be taken up again leaves for a machine that is much better, and stays so.
void Jobs::migrate(Instant now, Job& job, Out& out) {
  for (const uint32_t index : std::vector<uint32_t>(job.active.begin(), job.active.end())) {
    Task& task = job.tasks.at(index);
    if (!object::may_retry(task.unit.idempotency)) continue;
    for (Attempt& attempt : task.attempts) {
      const auto here = executors_.find(attempt.node);
      if (attempt.stage != Attempt::kOffered || !attempt.newest || here == executors_.end()) continue;
      const NodeKey* best = nullptr;
      uint32_t best_score = 0;
      for (const auto& [node, executor] : executors_) {
        const bool taken = std::any_of(task.attempts.begin(), task.attempts.end(), [&](const Attempt& a) { return &a != &attempt && a.involves(executor.owner); });
        const bool room = executor.outstanding < kOutstandingPerExecutorMax && executor.rest_until <= now;
        if (taken || !room || node == attempt.node || executor.score <= best_score) continue;
        best = &node;
        best_score = executor.score;
      }
      if (!attempt.leave.observe(now, attempt.since, here->second.score, best_score)) continue;
      task.prefer = *best;
      out.push(SendWork{attempt.node, WorkMessages::encode(Cancel{task.id})});
      lose(now, job, index, attempt.node, "another machine is much better for it", Blame::kNobody);
      break;  // the list changed; the next look is soon
    }
  }
}

bool Jobs::any_room(Instant now) const {
  return std::any_of(executors_.begin(), executors_.end(), [&](const auto& e) {
    return e.second.outstanding < kOutstandingPerExecutorMax && e.second.rest_until <= now;
  });
}

void Jobs::wake_cooled(Instant now, Job& job) {
  while (!job.cooling.empty() && job.cooling.begin()->first <= now) {
    const uint32_t index = job.cooling.begin()->second;
    job.cooling.erase(job.cooling.begin());
    if (job.tasks.count(index)) job.waiting.insert(index);
  }
}

void Jobs::schedule(Instant now, Out& out) {
  for (auto& [id, job] : jobs_) {
    wake_cooled(now, job);
    bool progress = false;
    size_t scanned = 0;
    for (auto it = job.waiting.begin(); it != job.waiting.end() && any_room(now) && scanned < kScheduleScanMax; ++scanned) {
      Task& task = job.tasks.at(*it);
      bool offered = true;
      while (offered && task.attempts.size() < task.wanted) {
        offered = offer_one(now, id, job, *it, out);
        progress = progress || offered;
      }
      // A task whose owners are used up stays; a later one may still find somebody.
      if (task.attempts.size() >= task.wanted) it = job.waiting.erase(it);
      else ++it;
    }
    const bool busy = std::any_of(job.active.begin(), job.active.end(), [&](uint32_t index) {
      const std::vector<Attempt>& attempts = job.tasks.at(index).attempts;
      // One that has committed waits for others as the job does: it keeps nothing going.
      return std::any_of(attempts.begin(), attempts.end(), [](const Attempt& a) { return a.stage == Attempt::kOffered || a.stage == Attempt::kAsked; });
    });
    if (progress || busy || job.waiting.empty() || !job.cooling.empty()) job.starved_since = Instant::never();
    else if (job.starved_since == Instant::never()) job.starved_since = now;
  }
}

Jobs::Task* Jobs::locate(const TaskId& id, uint64_t& job_id, Job*& job, uint32_t& index) {
  auto it = where_.find(id);
  if (it == where_.end()) return nullptr;
  job_id = it->second.job;
  index = it->second.index;
  job = &jobs_.at(job_id);
  return &job->tasks.at(index);
}

void Jobs::remove_attempt(Job& job, uint32_t index, const NodeKey& node) {
  Task& task = job.tasks.at(index);
  auto executor = executors_.find(node);
  const Attempt* attempt = task.find(node);
  if (attempt == nullptr) return;
  if (executor != executors_.end() && attempt->stage != Attempt::kRevealed && executor->second.outstanding > 0) --executor->second.outstanding;
  const NodeKey gone = node;  // `node` may lie in what is erased
  std::erase_if(task.attempts, [&](const Attempt& a) { return a.node == gone; });
  if (task.attempts.empty()) job.active.erase(index);
}

void Jobs::lose(Instant now, Job& job, uint32_t index, const NodeKey& node, std::string why, Blame blame) {
  auto it = job.tasks.find(index);
  if (it == job.tasks.end() || it->second.find(node) == nullptr) return;
  Task& task = it->second;
  const NodeKey failed = node;  // `node` may lie in what is erased
  // A refusal says that nothing ran; anything else leaves it open whether it did.
  const bool refused = blame == Blame::kNobody || blame == Blame::kRefused;
  if (!refused && !object::may_retry(task.unit.idempotency)) task.undecided = true;
  const bool progress = hand_back(task, *task.find(failed));
  task.moves += task.states.empty() ? 0 : 1;
  remove_attempt(job, index, failed);
  ++job.counts.retries;
  task.last_error = std::move(why);
  if (progress) blame = Blame::kNobody;  // nothing but the last bit was lost: long tasks run in several goes
  if (blame != Blame::kNobody) {
    ++task.lost;
    if (std::find(task.failed_on.begin(), task.failed_on.end(), failed) == task.failed_on.end()) task.failed_on.push_back(failed);
  }
  if (task.lost <= kFreeRetries) {
    job.waiting.insert(index);
    return;
  }
  const uint32_t doublings = std::min(task.lost - kFreeRetries - 1, 20u);
  job.waiting.erase(index);
  job.cooling.insert({now + std::min(kRetryPauseMin * (int64_t(1) << doublings), kRetryPauseMax), index});
}

bool Jobs::give_up_if_hopeless(uint64_t id, Job& job, uint32_t index, Out& out) {
  auto it = job.tasks.find(index);
  if (it != job.tasks.end() && it->second.undecided) {
    end(id, fail(Errc::kInconclusive, "whether task " + std::to_string(index) + " took effect is not known (" + it->second.last_error +
                                          "), and its bundle says that it must not be called twice: look, then decide yourself"), out);
    return true;
  }
  if (it == job.tasks.end() || it->second.lost < kAttemptsMax) return false;
  end(id, fail(Errc::kUnavailable, "task " + std::to_string(index) + " was tried " + std::to_string(kAttemptsMax) +
                                       " times without a result; last: " + it->second.last_error), out);
  return true;
}

void Jobs::on_offer_answer(Instant now, const NodeKey& from, const OfferAnswer& answer, Out& out) {
  if (answer.error == 0) return;
  uint64_t id;
  Job* job;
  uint32_t index;
  Task* task = locate(answer.task, id, job, index);
  if (task == nullptr || task->find(from) == nullptr) return;
  // A full executor says nothing about the task.
  const bool full = answer.error == uint8_t(Errc::kLimit) || answer.error == uint8_t(Errc::kBusy);
  lose(now, *job, index, from, from.brief() + " refused: " + answer.message, full ? Blame::kNobody : Blame::kRefused);
  if (answer.error == uint8_t(Errc::kUnsupported)) job->unsupported.insert(from);
  const auto cannot = [job](const auto& each) { return job->unsupported.count(each.first) != 0; };
  if (std::all_of(executors_.begin(), executors_.end(), cannot)) {
    return end(id, fail(Errc::kUnsupported, "no connected machine can run this: " + answer.message), out);
  }
  auto executor = executors_.find(from);
  if (executor != executors_.end()) {
    // Not authorised, revoked, expired: asking again now would be refused again. The node says when that changes.
    executor->second.rest_until = now + (full ? milliseconds(200) : seconds(5));
  }
  if (!give_up_if_hopeless(id, *job, index, out)) schedule(now, out);
}

void Jobs::on_commitment(Instant now, const NodeKey& from, const object::Commitment& commitment, Out& out) {
  uint64_t id;
  Job* job;
  uint32_t index;
  Task* task = locate(commitment.task, id, job, index);
  Attempt* attempt = task == nullptr ? nullptr : task->find(from);
  if (attempt == nullptr) {
    out.push(SendWork{from, WorkMessages::encode(Cancel{commitment.task})});
    return;
  }
  if (attempt->stage != Attempt::kOffered) return;
  attempt->stage = Attempt::kCommitted;
  attempt->commitment = commitment.digest;
  attempt->deadline = now + kAttemptTimeout;
  ask_reveals(*task, out);
  schedule(now, out);  // with this, a task may have nobody left to wait for
}

// Nobody is asked before everybody wanted has committed.
void Jobs::ask_reveals(Task& task, Out& out) {
  const size_t bound = size_t(std::count_if(task.attempts.begin(), task.attempts.end(), [](const Attempt& a) { return a.stage != Attempt::kOffered; }));
  if (bound < task.wanted) return;
  for (Attempt& attempt : task.attempts) {
    if (attempt.stage != Attempt::kCommitted) continue;
    attempt.stage = Attempt::kAsked;
    out.push(SendWork{attempt.node, WorkMessages::encode(RevealAsk{task.id})});
  }
}

namespace {

// What is wrong with a reveal, or nullptr. Everything here was bound by the commitment or must follow from it.
const char* fault_of(const object::Reveal& reveal, const crypto::Digest& commitment, const object::Receipt& receipt,
                     const object::TaskSpec& spec, const Bytes& output) {
  if (object::commitment_digest(reveal) != commitment) return "the reveal does not match its commitment";
  if (receipt.task != reveal.task || receipt.executor != reveal.executor || receipt.fuel + receipt.fuel_before != reveal.fuel ||
      receipt.trace != reveal.trace || receipt.outcome != reveal.outcome || receipt.output != reveal.output ||
      receipt.origin != spec.origin || !(receipt.module == spec.module)) {
    return "the receipt does not match the reveal";
  }
  if (reveal.output.has_value()) {
    const Result<codec::StoredFile> named = codec::chunk_file(output, [](const codec::Cid&, ByteView) { return ok(); });
    if (!named.ok() || !(named->root == *reveal.output)) return "the output is not the one it committed to";
  } else if (!output.empty()) {
    return "an output came with a result that has none";
  }
  return nullptr;
}

}  // namespace

void Jobs::on_reveal(Instant now, const NodeKey& from, const object::Reveal& reveal, const object::Signed<object::Receipt>& receipt,
                     Bytes output, Out& out) {
  uint64_t id;
  Job* job;
  uint32_t index;
  Task* task = locate(reveal.task, id, job, index);
  Attempt* attempt = task == nullptr ? nullptr : task->find(from);
  if (attempt == nullptr || attempt->stage != Attempt::kAsked) return;
  if (const char* fault = fault_of(reveal, attempt->commitment, receipt.body, task->unit.spec, output)) {
    reject(now, id, index, from, attempt->owner, fault, receipt.bytes, out);
    schedule(now, out);
    return;
  }
  if (reveal.outcome == object::Outcome::kInconclusive) {
    lose(now, *job, index, from, "the execution was inconclusive");
    if (!give_up_if_hopeless(id, *job, index, out)) schedule(now, out);
    return;
  }
  auto executor = executors_.find(from);
  if (executor != executors_.end()) {
    executor->second.strikes = 0;
    if (executor->second.outstanding > 0) --executor->second.outstanding;
  }
  attempt->stage = Attempt::kRevealed;
  attempt->reveal = reveal;
  attempt->receipt = receipt.bytes;
  attempt->output = std::move(output);
  compare(now, id, *job, index, out);
  schedule(now, out);
}

void Jobs::compare(Instant now, uint64_t id, Job& job, uint32_t index, Out& out) {
  Task& task = job.tasks.at(index);
  const size_t revealed = size_t(std::count_if(task.attempts.begin(), task.attempts.end(), [](const Attempt& a) { return a.stage == Attempt::kRevealed; }));
  if (revealed < task.wanted) return;
  for (const Attempt& model : task.attempts) {
    if (model.stage != Attempt::kRevealed) continue;
    const auto agrees = std::count_if(task.attempts.begin(), task.attempts.end(), [&](const Attempt& a) {
      return a.stage == Attempt::kRevealed && same_result(a.reveal, model.reveal);
    });
    if (size_t(agrees) >= job.agree && size_t(agrees) * 2 > revealed) return accept(now, id, job, index, Attempt(model), out);
  }
  // No majority: one more owner decides, while there is one to ask.
  if (task.wanted >= kAgreeMax) {
    end(id, fail(Errc::kDisagreement, "task " + std::to_string(index) + ": " + std::to_string(revealed) + " owners gave results and no majority agrees"), out);
    return;
  }
  ++task.wanted;
  job.waiting.insert(index);
}

void Jobs::accept(Instant now, uint64_t id, Job& job, uint32_t index, const Attempt& model, Out& out) {
  Task task = std::move(job.tasks.at(index));
  job.tasks.erase(index);
  job.waiting.erase(index);
  job.active.erase(index);
  where_.erase(task.id);
  ++job.counts.done;
  TaskResult result{model.reveal, model.output, {}, {}};
  std::vector<const Attempt*> wrong;
  for (const Attempt& attempt : task.attempts) {
    if (attempt.stage == Attempt::kRevealed && same_result(attempt.reveal, model.reveal)) {
      result.owners.push_back(attempt.owner);
      result.receipts.push_back(attempt.receipt);
    } else if (attempt.stage == Attempt::kRevealed && attempt.alone()) {
      wrong.push_back(&attempt);
    } else if (attempt.stage == Attempt::kRevealed) {
      distrust(attempt);
    }
  }
  out.push(TaskDone{id, index, std::move(result)});
  for (const Attempt* attempt : wrong) reject(now, id, index, attempt->node, attempt->owner, "its result differs from what a majority of owners agrees on", attempt->receipt, out);
  auto it = jobs_.find(id);
  if (it != jobs_.end() && it->second.tasks.empty()) end(id, ok(), out);
}

void Jobs::reject(Instant now, uint64_t id, uint32_t index, const NodeKey& node, const crypto::PublicKey& owner, const std::string& why, const Bytes& receipt, Out& out) {
  const NodeKey liar = node;  // `node` may lie in what is erased below
  out.push(TaskRejected{id, index, liar, owner, why, receipt});
  executors_.erase(liar);
  std::vector<std::pair<uint64_t, uint32_t>> relieved;
  const auto touched = [&owner](const KeptState& state) { return std::find(state.owners.begin(), state.owners.end(), owner) != state.owners.end(); };
  for (auto& [job_id, job] : jobs_) {
    for (auto& [i, task] : job.tasks) std::erase_if(task.states, touched);
    const std::vector<uint32_t> active(job.active.begin(), job.active.end());
    for (uint32_t i : active) {
      Task& task = job.tasks.at(i);
      Attempt* theirs = task.find(liar);
      if (theirs == nullptr) continue;
      theirs->newest.reset();
      theirs->begun.reset();
      // One owner more was wanted to outvote this one, and there may be none left to ask.
      if (theirs->stage == Attempt::kRevealed && task.wanted > job.agree) --task.wanted;
      lose(now, job, i, liar, "its executor was caught giving wrong results");
      relieved.push_back({job_id, i});
    }
  }
  for (const auto& [job_id, i] : relieved) {
    auto job = jobs_.find(job_id);
    auto task = job == jobs_.end() ? std::map<uint32_t, Task>::iterator() : job->second.tasks.find(i);
    if (job == jobs_.end() || task == job->second.tasks.end()) continue;
    if (give_up_if_hopeless(job_id, job->second, i, out)) continue;
    ask_reveals(task->second, out);
    compare(now, job_id, job->second, i, out);
  }
}

void Jobs::end(uint64_t id, Status status, Out& out) {
  auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  for (auto& [index, task] : it->second.tasks) {
    for (const Attempt& attempt : task.attempts) {
      out.push(SendWork{attempt.node, WorkMessages::encode(Cancel{task.id})});
      auto executor = executors_.find(attempt.node);
      if (executor != executors_.end() && attempt.stage != Attempt::kRevealed && executor->second.outstanding > 0) --executor->second.outstanding;
    }
    where_.erase(task.id);
  }
  const JobCounts counts = it->second.counts;
  jobs_.erase(it);
  out.push(JobEnded{id, std::move(status), counts});
}

void Jobs::on_deadline(Instant now, Out& out) {
  for (auto& [node, executor] : executors_) {
    if (executor.rest_until <= now) executor.rest_until = Instant{0};
  }
  std::vector<uint64_t> ids;
  for (const auto& [id, job] : jobs_) ids.push_back(id);
  for (uint64_t id : ids) {
    Job& job = jobs_.at(id);
    if (job.starved_since != Instant::never() && job.starved_since + kStarvedTimeout <= now) {
      const Task& task = job.tasks.at(*job.waiting.begin());
      end(id, fail(Errc::kUnavailable, "no executor of another owner can take task " + std::to_string(*job.waiting.begin()) + ": " +
                                           std::to_string(executors_.size()) + " can be asked, " + std::to_string(task.wanted) +
                                           " distinct owners are needed" + (task.last_error.empty() ? "" : "; last: " + task.last_error) +
                                           ". Get more grants (selvedge grant list) or lower --verify"), out);
      continue;
    }
    std::vector<std::pair<uint32_t, NodeKey>> late;
    for (uint32_t index : job.active) {
      for (const Attempt& a : job.tasks.at(index).attempts) {
        if (a.stage != Attempt::kRevealed && a.deadline <= now) late.push_back({index, a.node});
      }
    }
    for (const auto& [index, node] : late) {
      if (!jobs_.count(id)) break;
      lose(now, jobs_.at(id), index, node, "no result in time");
      auto executor = executors_.find(node);
      if (executor != executors_.end()) {
        executor->second.rest_until = now + kLateRest * (int64_t(1) << executor->second.strikes);
        executor->second.strikes = std::min(executor->second.strikes + 1, kStrikesMax);
      }
      give_up_if_hopeless(id, jobs_.at(id), index, out);
    }
  }
  for (auto& [id, job] : jobs_) migrate(now, job, out);
  schedule(now, out);
}

Instant Jobs::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, job] : jobs_) {
    if (job.starved_since != Instant::never()) soonest = std::min(soonest, job.starved_since + kStarvedTimeout);
    if (!job.cooling.empty()) soonest = std::min(soonest, job.cooling.begin()->first);
    for (uint32_t index : job.active) {
      for (const Attempt& a : job.tasks.at(index).attempts) {
        if (a.stage != Attempt::kRevealed) soonest = std::min({soonest, a.deadline, a.leave.due(a.since)});
      }
    }
    if (!job.waiting.empty()) {
      for (const auto& [node, executor] : executors_) {
        if (executor.rest_until > Instant{0}) soonest = std::min(soonest, executor.rest_until);
      }
    }
  }
  return soonest;
}

const object::TaskSpec* Jobs::spec(uint64_t id, uint32_t index) const {
  auto it = jobs_.find(id);
  if (it == jobs_.end()) return nullptr;
  auto task = it->second.tasks.find(index);
  return task == it->second.tasks.end() ? nullptr : &task->second.unit.spec;
}

JobCounts Jobs::counts(uint64_t id) const {
  auto it = jobs_.find(id);
  return it == jobs_.end() ? JobCounts{} : it->second.counts;
}

}  // namespace selvedge::work
