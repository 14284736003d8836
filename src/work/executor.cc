#include "work/executor.h"

#include <algorithm>

#include "codec/dag.h"
#include "wasm/checkpoint.h"

namespace selvedge::work {

codec::Cid output_cid(ByteView output) {
  const auto forget = [](const codec::Cid&, ByteView) { return ok(); };
  const Result<codec::StoredFile> file = codec::chunk_file(output, forget);
  CHECK(file.ok());  // outputs are far below the size at which a file is refused
  return file->root;
}

Status Executor::accept(Instant now, AcceptedOffer accepted, Out& out) {
  const TaskId id = accepted.offer.body.task;
  if (auto known = tasks_.find(id); known != tasks_.end()) return accept_again(known->second, accepted.from, out);
  if (tasks_.size() >= kExecutionsMax) return fail(Errc::kLimit, "this machine has enough to do; try again shortly");
  Task& task = tasks_.emplace(id, Task(std::move(accepted))).first->second;
  if (!task.accepted.serve) out.push(ExecutorSend{task.accepted.from, WorkMessages::encode(OfferAnswer{id, 0, ""})});
  gather(now, task, out);
  start_if_ready(now, id, out);
  return ok();
}

Status Executor::accept_again(Task& task, const NodeKey& from, Out& out) {
  if (task.accepted.from != from) return fail(Errc::kExists, "this task was offered here already");
  if (task.stage == Task::kEnding || task.stage == Task::kClosing) return fail(Errc::kBusy, "this task is being stopped here; try again shortly");
  out.push(ExecutorSend{from, WorkMessages::encode(OfferAnswer{task.offer().task, 0, ""})});
  if (task.stage == Task::kCommitted) out.push(ExecutorSend{from, WorkMessages::encode(Commit{task.commitment})});
  if (task.stage == Task::kKeeping) task.offered_again = true;
  return ok();
}

void Executor::gather(Instant, Task& task, Out& out) {
  const object::TaskOffer& offer = task.offer();
  for (const object::TaskInput& input : offer.spec.inputs) {
    if (task.inputs.emplace(input.cid, std::nullopt).second) out.push(NeedBlob{offer.task, input.cid});
  }
  want_module(offer.task, task, out);
}

void Executor::want_module(const TaskId& id, Task& task, Out& out) {
  const codec::Cid& cid = task.offer().spec.module;
  auto it = modules_.find(cid);
  if (it == modules_.end()) {
    trim_modules();
    it = modules_.emplace(cid, Module{}).first;
    out.push(NeedBlob{id, cid});
  }
  it->second.used = ++clock_;
  if (it->second.pending) it->second.waiting.push_back(id);
  else task.module_ready = true;
}

void Executor::trim_modules() {
  while (modules_.size() >= kModulesCachedMax) {
    auto oldest = modules_.end();
    for (auto it = modules_.begin(); it != modules_.end(); ++it) {
      if (!it->second.pending && (oldest == modules_.end() || it->second.used < oldest->second.used)) oldest = it;
    }
    if (oldest == modules_.end()) return;
    modules_.erase(oldest);
  }
}

void Executor::on_blob(Instant now, const TaskId& id, const codec::Cid& cid, Result<Bytes> content, Out& out) {
  auto it = tasks_.find(id);
  auto module = modules_.find(cid);
  const bool is_module = module != modules_.end() && module->second.pending &&
                         std::find(module->second.waiting.begin(), module->second.waiting.end(), id) != module->second.waiting.end();
  if (is_module && content.ok()) {
    out.push(NeedRewrite{cid, std::make_shared<const Bytes>(std::move(content).value())});
    return;
  }
  if (is_module) {
    // Whoever else waits for it gets the same answer; the next offer tries anew.
    const std::vector<TaskId> waiting = std::move(module->second.waiting);
    modules_.erase(module);
    for (const TaskId& each : waiting) {
      DomainResult failed;
      failed.message = "the module could not be fetched: " + content.error().message;
      conclude(now, each, std::move(failed), out);
    }
    return;
  }
  if (it == tasks_.end() || it->second.stage != Task::kGathering) return;
  if (!content.ok()) {
    DomainResult failed;
    failed.message = "an input could not be fetched: " + content.error().message;
    conclude(now, id, std::move(failed), out);
    return;
  }
  auto input = it->second.inputs.find(cid);
  if (input == it->second.inputs.end()) return;
  it->second.bytes_in += content->size();
  if (it->second.bytes_in > kTaskInputBytesMax) {
    DomainResult failed;
    failed.message = "the inputs are larger together than a task may have (" + std::to_string(kTaskInputBytesMax >> 20) + " MiB)";
    conclude(now, id, std::move(failed), out);
    return;
  }
  input->second = std::move(content).value();
  start_if_ready(now, id, out);
}

void Executor::on_rewritten(Instant now, const codec::Cid& cid, Result<wasm::Rewritten> rewritten, Out& out) {
  auto it = modules_.find(cid);
  if (it == modules_.end()) return;
  Module& module = it->second;
  module.pending = false;
  if (rewritten.ok()) module.rewritten = std::make_shared<const wasm::Rewritten>(std::move(rewritten).value());
  else module.refusal = rewritten.error();
  const std::vector<TaskId> waiting = std::exchange(module.waiting, {});
  for (const TaskId& id : waiting) {
    auto task = tasks_.find(id);
    if (task == tasks_.end()) continue;
    task->second.module_ready = true;
    start_if_ready(now, id, out);
  }
}

void Executor::start_if_ready(Instant now, const TaskId& id, Out& out) {
  auto it = tasks_.find(id);
  if (it == tasks_.end() || it->second.stage != Task::kGathering || !it->second.module_ready) return;
  Task& task = it->second;
  for (const auto& [cid, content] : task.inputs) {
    if (!content) return;
  }
  const object::TaskSpec& spec = task.offer().spec;
  auto module = modules_.find(spec.module);
  if (module == modules_.end()) return want_module(id, task, out);
  if (task.accepted.serve) return hand_over(it, module->second, out);
  if (module->second.rewritten == nullptr) {
    // Every honest executor refuses the same module, so this is a result like any other.
    DomainResult refused;
    refused.outcome = object::Outcome::kBadModule;
    refused.message = module->second.refusal.message;
    conclude(now, id, std::move(refused), out);
    return;
  }
  RunDomain run{id, task.accepted.lease_number, task.accepted.lease_cap, module->second.rewritten, spec.args, spec.environment, {}, {}, spec.seed, spec.fuel_limit,
                spec.memory_bytes, std::min(spec.output_bytes_max, kTaskOutputBytesMax), kTaskWallMax, std::move(task.accepted.state)};
  for (const object::TaskInput& input : spec.inputs) {
    const Bytes& content = *task.inputs.at(input.cid);
    if (input.path.empty()) append(run.input, content);
    else run.files.push_back({input.path, content});
  }
  task.inputs.clear();
  task.fuel_before = wasm::checkpoint_fuel(run.resume);
  task.stage = Task::kRunning;
  out.push(std::move(run));
}

void Executor::hand_over(std::map<TaskId, Task>::iterator it, const Module& module, Out& out) {
  Task& task = it->second;
  Result<Program> program = module.refusal;
  if (module.rewritten != nullptr) {
    Program whole{module.rewritten, {}};
    for (const object::TaskInput& input : task.offer().spec.inputs) {
      if (!input.path.empty()) whole.files.push_back({input.path, *task.inputs.at(input.cid)});
    }
    program = std::move(whole);
  }
  out.push(ProgramHere{it->first, std::move(program)});
  tasks_.erase(it);
}

void Executor::on_domain(Instant now, const TaskId& id, DomainResult result, Out& out) {
  auto it = tasks_.find(id);
  if (it == tasks_.end()) return;
  if (it->second.stage == Task::kEnding) close(now, id, std::move(result), out);
  else if (it->second.stage == Task::kRunning) conclude(now, id, std::move(result), out);
}

void Executor::on_state(Instant now, const TaskId& id, uint64_t fuel, const Bytes& state, Out& out) {
  auto it = tasks_.find(id);
  if (it == tasks_.end() || it->second.stage != Task::kRunning || state.empty() || state.size() > kTaskStateBytesMax) return;
  Task& task = it->second;
  task.fuel_seen = std::max(task.fuel_seen, fuel);
  if (now < task.next_state) return;
  task.next_state = now + Duration{int64_t(state.size()) * (1'000'000'000 / int64_t(kStateBytesPerSecond))};
  send_state(id, fuel, state, false, [&](Bytes message) { out.push(ExecutorSend{task.accepted.from, std::move(message), task.accepted.lease_number}); });
}

// Binds this machine to the result: the commitment leaves now, the result only when asked for.
void Executor::conclude(Instant now, const TaskId& id, DomainResult result, Out& out) {
  auto it = tasks_.find(id);
  if (it == tasks_.end() || it->second.stage > Task::kRunning) return;
  if (it->second.accepted.serve) {
    out.push(ProgramHere{id, fail(Errc::kUnavailable, result.message)});
    tasks_.erase(it);
    return;
  }
  Task& task = it->second;
  task.result = std::move(result);
  task.inputs.clear();
  object::Reveal& reveal = task.reveal;
  reveal.task = id;
  reveal.executor = signer_.public_key();
  drbg_.fill(reveal.nonce.bytes);
  reveal.outcome = task.result.outcome;
  if (reveal.outcome == object::Outcome::kOk) reveal.output = output_cid(task.result.output);
  else task.result.output.clear();
  reveal.trace = task.result.trace;
  reveal.fuel = task.result.fuel;

  Result<object::Signed<object::Commitment>> commitment =
      object::sign_object(signer_, object::Commitment{id, signer_.public_key(), object::commitment_digest(reveal)});
  CHECK(commitment.ok());  // it is made of our own checked values
  task.receipt = account(now, task);
  task.commitment = std::move(commitment->bytes);
  task.stage = Task::kCommitted;
  task.forget_at = now + kResultKeptMax;
  out.push(ExecutorSend{task.accepted.from, WorkMessages::encode(Commit{task.commitment})});
}

object::Signed<object::Receipt> Executor::account(Instant now, const Task& task) const {
  const object::TaskSpec& spec = task.offer().spec;
  object::Receipt receipt;
  receipt.executor = signer_.public_key();
  receipt.owner = task.accepted.owner;
  receipt.origin = spec.origin;
  receipt.grant = task.offer().grant;
  receipt.task = task.offer().task;
  receipt.module = spec.module;
  receipt.bundle = spec.bundle;
  receipt.authority = task.accepted.authority;
  const auto module = modules_.find(spec.module);
  if (module != modules_.end() && module->second.rewritten) receipt.rewritten = module->second.rewritten->identity;
  receipt.finished_ms = now.unix_ms();
  receipt.started_ms = receipt.finished_ms - std::min(receipt.finished_ms, task.result.wall_ns / 1'000'000);
  receipt.fuel = task.result.fuel - std::min(task.result.fuel, task.fuel_before);
  receipt.fuel_before = task.fuel_before;
  receipt.cpu_ns = task.result.cpu_ns;
  receipt.memory_peak_bytes = task.result.memory_peak_bytes;
  receipt.resident_peak_bytes = task.result.resident_peak_bytes;
  receipt.wakeups = task.result.wakeups;
  receipt.frozen_ms = task.result.frozen_ns / 1'000'000;
  receipt.degraded = task.result.degraded;
  receipt.violations = task.result.violations;
  receipt.bytes_in = task.bytes_in;
  receipt.bytes_out = task.result.output.size();
  receipt.outcome = task.result.outcome;
  if (task.stage != Task::kEnding) receipt.output = task.reveal.output;
  receipt.trace = task.result.trace;
  Result<object::Signed<object::Receipt>> made = object::sign_object(signer_, receipt);
  CHECK(made.ok());  // it is made of our own checked values
  return std::move(made).value();
}

void Executor::close(Instant now, const TaskId& id, DomainResult result, Out& out) {
  Task& task = tasks_.at(id);
  task.result = std::move(result);
  task.result.outcome = object::Outcome::kInconclusive;
  task.result.fuel = std::max(task.result.fuel, std::max(task.fuel_seen, task.fuel_before));
  task.result.trace = {};
  task.result.output.clear();
  task.receipt = account(now, task);
  task.stage = Task::kClosing;
  task.forget_at = Instant::never();
  out.push(KeepReceipt{id, *task.receipt});
}

void Executor::on_reveal_ask(Instant, const NodeKey& from, const TaskId& id, Out& out) {
  auto it = tasks_.find(id);
  if (it == tasks_.end() || it->second.accepted.from != from || it->second.stage != Task::kCommitted) return;
  if (it->second.receipt_kept) return show(it, out);
  it->second.stage = Task::kKeeping;
  out.push(KeepReceipt{id, *it->second.receipt});
}

void Executor::on_receipt_kept(Instant now, const TaskId& id, const Status& kept, Out& out) {
  auto it = tasks_.find(id);
  if (it != tasks_.end() && it->second.stage == Task::kClosing) {
    tasks_.erase(it);
    return;
  }
  if (it == tasks_.end() || it->second.stage != Task::kKeeping) return;
  Task& task = it->second;
  if (!kept.ok()) {
    // Without a receipt on disk nothing is shown: the origin hears that it is to ask somebody else.
    out.push(ExecutorSend{task.accepted.from, WorkMessages::encode(OfferAnswer{id, uint8_t(Errc::kIo), "the receipt could not be written down"})});
    task.stage = Task::kCommitted;
    task.forget_at = now;
    return;
  }
  task.receipt_kept = true;
  if (!task.offered_again) return show(it, out);
  task.offered_again = false;
  task.stage = Task::kCommitted;
  out.push(ExecutorSend{task.accepted.from, WorkMessages::encode(Commit{task.commitment})});
}

void Executor::show(std::map<TaskId, Task>::iterator it, Out& out) {
  Task& task = it->second;
  Result<object::Signed<object::Reveal>> reveal = object::sign_object(signer_, task.reveal);
  CHECK(reveal.ok());
  out.push(ExecutorSend{task.accepted.from,
                        WorkMessages::encode(RevealAnswer{reveal->bytes, task.receipt->bytes, std::move(task.result.output)}), task.accepted.lease_number});
  tasks_.erase(it);
}

void Executor::on_cancel(Instant now, const NodeKey& from, const TaskId& id, Out& out) {
  auto it = tasks_.find(id);
  if (it == tasks_.end() || it->second.accepted.from != from) return;
  Task& task = it->second;
  if (task.stage == Task::kRunning) {
    task.stage = Task::kEnding;
    task.forget_at = now + kEndingMax;
    out.push(CancelDomain{id});
  } else if (task.stage == Task::kCommitted && !task.receipt_kept) {
    // It was done and is not wanted any more: what it took was taken all the same.
    task.stage = Task::kClosing;
    task.forget_at = Instant::never();
    out.push(KeepReceipt{id, *task.receipt});
  } else if (task.stage == Task::kGathering || task.stage == Task::kCommitted) {
    tasks_.erase(it);
  }
}

void Executor::on_lease_stopped(Instant now, uint64_t lease_number, const Error& why, Out& out) {
  for (auto it = tasks_.begin(); it != tasks_.end();) {
    const Task::Stage stage = it->second.stage;
    if (it->second.accepted.lease_number != lease_number || stage == Task::kEnding || stage == Task::kClosing) {
      ++it;
      continue;
    }
    if (!it->second.accepted.serve) out.push(ExecutorSend{it->second.accepted.from, WorkMessages::encode(OfferAnswer{it->first, uint8_t(why.code), why.message})});
    if (stage != Task::kRunning) {
      it = tasks_.erase(it);
      continue;
    }
    it->second.stage = Task::kEnding;
    it->second.forget_at = now + kEndingMax;
    ++it;
  }
}

std::vector<Executor::Execution> Executor::list() const {
  constexpr const char* kStages[] = {"gathering", "running", "stopping", "done", "done", "closing"};
  std::vector<Execution> out;
  for (const auto& [id, task] : tasks_) out.push_back({id, &task.accepted, kStages[task.stage]});
  return out;
}

void Executor::drop_modules() {
  std::erase_if(modules_, [](const auto& m) { return !m.second.pending; });
}

void Executor::on_deadline(Instant now, Out&) {
  std::erase_if(tasks_, [&](const auto& t) { return t.second.forget_at <= now; });
}

Instant Executor::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, task] : tasks_) soonest = std::min(soonest, task.forget_at);
  return soonest;
}

const DomainResult* Executor::result(const TaskId& id) const {
  auto it = tasks_.find(id);
  return it == tasks_.end() ? nullptr : &it->second.result;
}

}  // namespace selvedge::work
