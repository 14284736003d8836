#include "work/jobs.h"

#include <algorithm>

#include "codec/dag.h"

namespace selvedge::work {

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
    next[info.node] = it != executors_.end() ? it->second : Executor{info.owner, 0, Instant{0}};
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
  schedule(now, out);
}

const NodeKey* Jobs::pick(Instant now, const Task& task) const {
  const NodeKey* best = nullptr;
  uint64_t best_score = UINT64_MAX;
  for (const auto& [node, executor] : executors_) {
    if (executor.outstanding >= kOutstandingPerExecutorMax || executor.rest_until > now) continue;
    const bool owner_taken = std::any_of(task.attempts.begin(), task.attempts.end(), [&](const Attempt& a) { return a.owner == executor.owner; });
    if (owner_taken) continue;
    const bool near = std::find(task.unit.near.begin(), task.unit.near.end(), node) != task.unit.near.end();
    // Bytes that need not move are worth waiting a few places in the queue for.
    const bool failed = std::find(task.failed_on.begin(), task.failed_on.end(), node) != task.failed_on.end();
    constexpr uint64_t kLast = 1'000'000;
    const uint64_t score = executor.outstanding + (near ? 0 : 4) + 8 * executor.strikes + (failed ? kLast : 0);
    if (score < best_score) {
      best = &node;
      best_score = score;
    }
  }
  return best;
}

bool Jobs::offer_one(Instant now, uint64_t id, Job& job, uint32_t index, Out& out) {
  Task& task = job.tasks.at(index);
  const NodeKey* node = pick(now, task);
  if (node == nullptr) return false;
  Executor& executor = executors_.at(*node);
  Attempt attempt;
  attempt.node = *node;
  attempt.owner = executor.owner;
  attempt.deadline = now + kAttemptTimeout;
  task.attempts.push_back(std::move(attempt));
  job.active.insert(index);
  ++executor.outstanding;
  ++job.counts.executions;
  out.push(MakeOffer{id, index, task.id, *node});
  return true;
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
  remove_attempt(job, index, failed);
  ++job.counts.retries;
  task.last_error = std::move(why);
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
  if (receipt.task != reveal.task || receipt.executor != reveal.executor || receipt.fuel != reveal.fuel ||
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
    } else if (attempt.stage == Attempt::kRevealed) {
      wrong.push_back(&attempt);
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
  for (auto& [job_id, job] : jobs_) {
    const std::vector<uint32_t> active(job.active.begin(), job.active.end());
    for (uint32_t i : active) {
      Task& task = job.tasks.at(i);
      const Attempt* theirs = task.find(liar);
      if (theirs == nullptr) continue;
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
  schedule(now, out);
}

Instant Jobs::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, job] : jobs_) {
    if (job.starved_since != Instant::never()) soonest = std::min(soonest, job.starved_since + kStarvedTimeout);
    if (!job.cooling.empty()) soonest = std::min(soonest, job.cooling.begin()->first);
    for (uint32_t index : job.active) {
      for (const Attempt& a : job.tasks.at(index).attempts) {
        if (a.stage != Attempt::kRevealed) soonest = std::min(soonest, a.deadline);
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
