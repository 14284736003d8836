// Others' tasks on this machine. The leases that they run under are in workshop_leases.cc.
#include "node/workshop.h"

#include <algorithm>

namespace selvedge::node {

namespace {
constexpr size_t kSuppliesMax = work::kExecutionsMax;
constexpr size_t kBundlesNotedMax = 1024;
constexpr size_t kDelayedMax = 4096;   // beyond it nothing is shaped, rather than lost
constexpr Duration kSupplyKept = seconds(300);
constexpr size_t kBegunMax = 4;
}  // namespace

void Workshop::on_message(Turn& turn, const NodeKey& from, const work::WorkMessages::Message& message) {
  work::Executor::Out effects;
  if (const auto* offer = std::get_if<work::Offer>(&message)) on_offer(turn, from, *offer);
  else if (const auto* ask = std::get_if<work::RevealAsk>(&message)) executor_.on_reveal_ask(turn.now, from, ask->task, effects);
  else if (const auto* cancel = std::get_if<work::Cancel>(&message)) executor_.on_cancel(turn.now, from, cancel->task, effects);
  else if (const auto* state = std::get_if<work::TaskState>(&message); state != nullptr && state->to_go_on) on_state_part(turn, from, *state);
  route(turn, effects);
}

void Workshop::on_state_part(Turn& turn, const NodeKey& from, const work::TaskState& part) {
  const mesh::Peer* peer = core_.sessions.find(from);
  const bool may_offer = from == core_.self() || (peer != nullptr && peer->record && core_.authority.serves(turn.now, peer->record->body.owner, object::kCompute));
  if (!may_offer) return;
  std::optional<Bytes> whole = states_.take(turn.now, from, part);
  if (!whole) return;
  if (begun_.size() >= kBegunMax) begun_.clear();  // whose offers did not come
  begun_.insert_or_assign({from, part.task}, std::move(*whole));
}

void Workshop::on_offer(Turn& turn, const NodeKey& from, const work::Offer& message) {
  Result<object::Signed<object::TaskOffer>> offer = object::open_object<object::TaskOffer>(message.offer, core_.authority.verifier());
  if (!offer.ok()) {
    core_.trace(turn, "an offer from " + from.brief() + " was thrown away: " + offer.error().message);
    return;
  }
  const work::TaskId task = offer->body.task;
  Bytes state;
  if (auto begun = begun_.extract({from, task}); !begun.empty()) state = std::move(begun.mapped());
  Status taken = ok();
  if (state.size() != message.state_bytes) {
    taken = fail(Errc::kUnavailable, "the state to go on from did not come whole");
  } else if (message.isolation > uint8_t(core_.config.isolation)) {
    taken = fail(Errc::kUnsupported, "this machine runs programs in a " + core_.config.isolation_text + ", and the task asks for more than that (its owner can start it with selvedge up --isolation microvm)");
  } else if (!taken_kind(offer->body.spec)) {
    taken = fail(Errc::kUnsupported, "this machine's owner lends it for other programs");
  } else {
    taken = take(turn, from, std::move(offer).value(), std::move(state), Purpose::kRun);
  }
  if (taken.ok()) return;
  core_.send(turn, from, work::WorkMessages::encode(work::OfferAnswer{task, uint8_t(taken.code()), taken.error().message}));
}

bool Workshop::taken_kind(const object::TaskSpec& spec) const {
  if (takes.empty()) return true;
  std::string called = spec.args.empty() ? "" : spec.args.front();
  if (called.ends_with(".wasm")) called.resize(called.size() - 5);
  const std::string cid = spec.module.text();
  return std::any_of(takes.begin(), takes.end(), [&](const std::string& each) { return each == cid || (!spec.entry.empty() && each == spec.entry) || (!called.empty() && each == called); });
}

/// Everything that may speak against an offer, and the lease it falls under.
Result<work::LeaseEntry*> Workshop::lease_for(Turn& turn, const NodeKey& from, const object::Signed<object::TaskOffer>& offer, std::vector<object::ObjectId>& chain) {
  const mesh::Peer* peer = core_.sessions.find(from);
  if (peer == nullptr || !peer->record) return fail(Errc::kUnauthorized, "no session");
  chain = TRY(core_.authority.may_run(turn.now, *peer->record, offer)).chain;
  work::LeaseEntry* lease = leases_.find(offer.body.grant);
  if (lease == nullptr) return fail(Errc::kUnauthorized, "there is no lease for this grant");
  if (!lease->usable()) return fail(Errc::kUnavailable, std::string("the lease is ") + work::lease_stage_name(lease->stage));
  TRY(check_cap(turn.now, lease->cap, *lease));
  if (!dtaps_.permits(lease->number)) return fail(Errc::kUnavailable, "the machine is too warm, or not charged enough, for this lease");
  return lease;
}

Status Workshop::take(Turn& turn, const NodeKey& from, object::Signed<object::TaskOffer> offer, Bytes state, Purpose purpose) {
  std::vector<object::ObjectId> chain;
  work::LeaseEntry* lease = TRY(lease_for(turn, from, offer, chain));
  if (executor_.knows(offer.body.task)) {
    // Offered again after a broken session: what it gathered stays.
    work::AcceptedOffer again{std::move(offer), from, core_.owner(), lease->number, std::move(chain), lease->cap};
    work::Executor::Out effects;
    const Status status = executor_.accept(turn.now, std::move(again), effects);
    route(turn, effects);
    return status;
  }
  object::OfferedKeys keys = TRY(object::open_offered_keys(offer.body.sealed_keys, offer.body.task, *core_.config.seal));
  if (const auto* leave = std::get_if<object::KeyLeave>(&keys)) {
    if (purpose == Purpose::kServe) return fail(Errc::kUnsupported, "a service's keys are not among others");
    return ask_for_keys(turn, from, std::move(offer), std::move(state), *leave);
  }
  return take_with(turn, from, std::move(offer), std::move(state), purpose, std::get<std::vector<object::ObjectKey>>(std::move(keys)));
}

Status Workshop::ask_for_keys(Turn& turn, const NodeKey& from, object::Signed<object::TaskOffer> offer, Bytes state, const object::KeyLeave& leave) {
  if (!open_keys) return fail(Errc::kUnsupported, "this machine asks nobody for keys");
  const work::TaskId task = offer.body.task;
  if (asking_keys_.count(task) != 0) return ok();  // offered again meanwhile: there will be one answer
  if (asking_keys_.size() >= kSuppliesMax) return fail(Errc::kLimit, "this machine has enough to do; try again shortly");
  asking_keys_.insert(task);
  const auto kept = std::make_shared<std::pair<object::Signed<object::TaskOffer>, Bytes>>(std::move(offer), std::move(state));
  open_keys(turn, leave, task, [this, from, task, kept](Turn& t, Result<std::vector<object::ObjectKey>> keys) {
    asking_keys_.erase(task);
    const Status taken = keys.ok() ? take_with(t, from, std::move(kept->first), std::move(kept->second), Purpose::kRun, std::move(keys).value()) : Status(keys.error());
    if (!taken.ok()) core_.send(t, from, work::WorkMessages::encode(work::OfferAnswer{task, uint8_t(taken.code()), taken.error().message}));
  });
  return ok();
}

Status Workshop::take_with(Turn& turn, const NodeKey& from, object::Signed<object::TaskOffer> offer, Bytes state, Purpose purpose, std::vector<object::ObjectKey> keys) {
  // Once more, because asking for the keys takes time in which a lease may end.
  std::vector<object::ObjectId> chain;
  work::LeaseEntry* lease = TRY(lease_for(turn, from, offer, chain));
  if (supplies_.size() >= kSuppliesMax) std::erase_if(supplies_, [this](const auto& s) { return !executor_.gathering(s.first); });
  if (supplies_.size() >= kSuppliesMax) return fail(Errc::kLimit, "this machine has enough to do; try again shortly");
  Supply supply;
  supply.lease_number = lease->number;
  supply.keys = std::move(keys);
  supply.blobs = offer.body.blobs;
  if (!offer.body.capability.empty()) supply.capabilities = {offer.body.capability};
  supply.forget_at = turn.now + kSupplyKept;
  for (const object::Holder& holder : offer.body.holders) {
    supply.holders.push_back(holder.node);
    core_.want_peer(turn, holder.node, holder.addresses, turn.now + seconds(60));
  }
  const work::TaskId task = offer.body.task;
  const std::optional<object::ObjectId> bundle = offer.body.spec.bundle;
  const Bytes manifest = offer.body.manifest;
  supplies_.insert_or_assign(task, std::move(supply));
  work::AcceptedOffer accepted{std::move(offer), from, core_.owner(), lease->number, std::move(chain), lease->cap, std::move(state), purpose == Purpose::kServe};
  work::Executor::Out effects;
  const Status status = executor_.accept(turn.now, std::move(accepted), effects);
  if (!status.ok()) supplies_.erase(task);
  else if (bundle) note_bundle(turn, lease->grant.id, *bundle, manifest);
  route(turn, effects);
  return status;
}

// Tasks have receipts; what the owner may want to prove beside them is since when a lease runs which program.
void Workshop::note_bundle(Turn& turn, const object::ObjectId& lease, const object::ObjectId& bundle, const Bytes& manifest) {
  if (bundles_.size() >= kBundlesNotedMax) bundles_.clear();
  if (!bundles_.insert({lease, bundle}).second) return;
  core_.audit(turn, {object::AuditKind::kBundle, convert<crypto::Digest>(bundle), "taken under lease " + lease.hex(), AuditBytes::kWithin}, manifest);
}

void Workshop::route(Turn& turn, work::Executor::Out& effects) {
  for (work::ExecutorEffect& effect : effects.take()) {
    if (auto* run = std::get_if<work::RunDomain>(&effect)) {
      supplies_.erase(run->task);  // all that was needed is here: the keys go
      task_started(turn, run->task, run->lease_number);
      turn.out.push(StartTask{std::move(*run)});
    } else if (const auto* cancel = std::get_if<work::CancelDomain>(&effect)) {
      turn.out.push(CancelTask{cancel->task});
    } else if (auto* need = std::get_if<work::NeedBlob>(&effect)) {
      need_blob(turn, need->task, need->cid);
    } else if (auto* rewrite = std::get_if<work::NeedRewrite>(&effect)) {
      core_.compute(turn, RewriteJob{rewrite->bytes}, [this, module = rewrite->module](Turn& t, ComputeResult result) {
        work::Executor::Out more;
        executor_.on_rewritten(t.now, module, std::get<Result<wasm::Rewritten>>(std::move(result)), more);
        route(t, more);
      });
    } else if (auto* here = std::get_if<work::ProgramHere>(&effect)) {
      supplies_.erase(here->task);
      on_program(turn, here->task, std::move(here->program));
    } else if (auto* send = std::get_if<work::ExecutorSend>(&effect)) {
      if (send->lease_number == 0) {
        core_.send(turn, send->to, std::move(send->message));
        continue;
      }
      const size_t bytes = send->message.size();
      when_due(turn, send->lease_number, bytes, [this, to = send->to, message = std::move(send->message)](Turn& t) mutable { core_.send(t, to, std::move(message)); });
    } else if (auto* keep = std::get_if<work::KeepReceipt>(&effect)) {
      keep_receipt(turn, *keep);
    }
  }
}

void Workshop::task_started(Turn& turn, const work::TaskId& task, uint64_t lease_number) {
  if (!with_domains_.emplace(task, lease_number).second) return;  // it was cancelled, offered again, and has not ended yet
  if (busy_[lease_number].tasks++ > 0) return;  // it waits for its turn
  work::Dtaps::Out paces;
  dtaps_.on_work(turn.now, lease_number, turn.now, paces);
  busy_[lease_number].degraded |= dtaps_.degraded(lease_number);
  route(turn, paces);
}

void Workshop::task_ended(Turn& turn, const work::TaskId& task) {
  const auto given = with_domains_.find(task);
  if (given == with_domains_.end()) return;  // of a lease that was stopped meanwhile
  const uint64_t lease_number = given->second;
  with_domains_.erase(given);
  auto busy = busy_.find(lease_number);
  if (busy == busy_.end()) return;
  const size_t left = --busy->second.tasks;
  if (left == 0) busy_.erase(busy);
  else busy->second = Busy{left, dtaps_.degraded(lease_number), 0, {}};
  work::Dtaps::Out paces;
  dtaps_.on_work(turn.now, lease_number, left > 0 ? std::optional(turn.now) : std::nullopt, paces);
  route(turn, paces);
}

void Workshop::on_uses(const std::vector<work::TaskUse>& uses) {
  for (const work::TaskUse& use : uses) {
    if (const auto busy = busy_.find(use.lease_number); busy != busy_.end()) busy->second.used = use;
  }
}

void Workshop::on_signals(Turn& turn, const work::Signals& signals) {
  core_.authority.set_power({signals.battery_percent, signals.charging});
  work::Dtaps::Out paces;
  dtaps_.on_signals(turn.now, signals, paces);
  route(turn, paces);
}

void Workshop::on_violation(Turn& turn, uint64_t lease_number, work::Violation violation) {
  work::LeaseEntry* lease = leases_.find_number(lease_number);
  if (lease == nullptr || !lease->usable()) return;
  lease->meters.violations += 1;
  if (auto busy = busy_.find(lease_number); busy != busy_.end()) busy->second.violations += 1;
  core_.trace(turn, "a domain of lease " + lease->grant.id.hex() + " " + work::violation_name(violation));
  work::Dtaps::Out paces;
  dtaps_.on_violation(turn.now, lease_number, violation, paces);
  route(turn, paces);
}

void Workshop::when_due(Turn& turn, uint64_t lease_number, uint64_t bytes, std::function<void(Turn&)> then) {
  const Instant due = shaper_.reserve(turn.now, lease_number, bytes);
  if (due <= turn.now || delayed_.size() >= kDelayedMax) return then(turn);
  delayed_.emplace(due, Delayed{lease_number, std::move(then)});
}

void Workshop::run_delayed(Turn& turn) {
  while (!delayed_.empty() && delayed_.begin()->first <= turn.now) {
    Delayed next = std::move(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
    const work::LeaseEntry* lease = leases_.find_number(next.lease_number);
    if (lease != nullptr && lease->usable()) next.then(turn);
  }
}

void Workshop::need_blob(Turn& turn, const work::TaskId& task, const codec::Cid& cid) {
  auto it = supplies_.find(task);
  if (it == supplies_.end()) return blob_here(turn, task, cid, fail(Errc::kNotFound, "the offer does not say where it is"));
  Supply& supply = it->second;
  const uint64_t lease_number = supply.lease_number;
  const auto blob = std::find_if(supply.blobs.begin(), supply.blobs.end(), [&](const object::BlobRef& b) { return b.cid == cid; });
  if (blob == supply.blobs.end()) return blob_here(turn, task, cid, fail(Errc::kNotFound, "the offer does not say where it is"));
  if (blob->size > work::kTaskInputBytesMax) return blob_here(turn, task, cid, fail(Errc::kLimit, "an input is larger than a task may have"));
  if (blob->groups.empty()) return blob_here(turn, task, cid, Bytes{});
  Supply::Parts& parts = supply.gathering[cid];
  parts.parts.resize(blob->groups.size());
  parts.left = blob->groups.size();
  const std::vector<object::BlockGroup> groups = blob->groups;
  for (size_t i = 0; i < groups.size() && supplies_.count(task); ++i) {
    const object::ObjectId object = object::unsigned_id(groups[i]);
    Supply& s = supplies_.at(task);
    const auto key = std::find_if(s.keys.begin(), s.keys.end(), [&](const object::ObjectKey& k) { return k.object() == object; });
    if (key == s.keys.end()) return blob_here(turn, task, cid, fail(Errc::kUnauthorized, "the offer holds no key for it"));
    mesh::FetchRequest request{object, groups[i], key->clone(), s.holders, s.capabilities};
    request.urgent = true;
    // What is held here need not travel.
    if (core_.store.find_object(convert<store::ObjectId>(object)) != nullptr) {
      std::stable_partition(request.holders.begin(), request.holders.end(), [this](const NodeKey& h) { return h == core_.self(); });
    }
    const uint64_t bytes = groups[i].object_bytes;
    when_due(turn, lease_number, bytes, [this, task, cid, i, wanted = std::make_shared<mesh::FetchRequest>(std::move(request))](Turn& t) {
      core_.fetch(t, std::move(*wanted), [this, task, cid, i](Turn& later, Result<Bytes> part) { blob_part(later, task, cid, i, std::move(part)); });
    });
  }
}

void Workshop::blob_part(Turn& turn, const work::TaskId& task, const codec::Cid& cid, size_t index, Result<Bytes> part) {
  auto it = supplies_.find(task);
  // The task is over. But another may wait for a module that was fetched on its behalf.
  if (it == supplies_.end()) return blob_here(turn, task, cid, fail(Errc::kCancelled, "the task it was fetched for is over"));
  auto parts = it->second.gathering.find(cid);
  if (parts == it->second.gathering.end()) return;
  if (!part.ok()) {
    it->second.gathering.erase(parts);
    return blob_here(turn, task, cid, part.error());
  }
  parts->second.parts[index] = std::move(part).value();
  if (--parts->second.left > 0) return;
  auto content = std::make_shared<Bytes>();
  for (std::optional<Bytes>& piece : parts->second.parts) append(*content, *piece);
  it->second.gathering.erase(parts);
  core_.compute(turn, DescribeJob{content, nullptr, 0}, [this, task, cid, content](Turn& t, ComputeResult result) {
    const Result<codec::Cid> named = cid_of_chunks(std::get<Described>(result).chunks);
    if (!named.ok() || !(*named == cid)) return blob_here(t, task, cid, fail(Errc::kIntegrity, "what was fetched is not what its name says"));
    blob_here(t, task, cid, std::move(*content));
  });
}

void Workshop::blob_here(Turn& turn, const work::TaskId& task, const codec::Cid& cid, Result<Bytes> content) {
  work::Executor::Out effects;
  executor_.on_blob(turn.now, task, cid, std::move(content), effects);
  route(turn, effects);
}

// What a domain says counts with the handle of the lease that its task runs under.
Status Workshop::check_running(Turn& turn, const work::TaskId& task, const object::Handle& lease_cap) {
  const work::AcceptedOffer* running = executor_.running(task);
  // What a task used that was stopped counts after its lease ended, too.
  if (running != nullptr && executor_.ending(task)) return crypto::constant_time_equal(running->lease_cap, lease_cap) ? ok() : Status(fail(Errc::kUnauthorized, "another lease's"));
  const work::LeaseEntry* lease = running != nullptr ? leases_.find(running->offer.body.grant) : nullptr;
  const Status counts = lease != nullptr ? check_cap(turn.now, lease_cap, *lease) : fail(Errc::kUnauthorized, "nothing of that name runs here");
  if (!counts.ok()) core_.trace(turn, "what a domain said of task " + task.brief() + " was thrown away: " + counts.error().message);
  return counts;
}

void Workshop::on_state(Turn& turn, const work::TaskId& task, const object::Handle& lease_cap, uint64_t fuel, Bytes state) {
  if (!check_running(turn, task, lease_cap).ok()) return;
  work::Executor::Out effects;
  executor_.on_state(turn.now, task, fuel, state, effects);
  route(turn, effects);
}

void Workshop::on_domain(Turn& turn, const work::TaskId& task, const object::Handle& lease_cap, work::DomainResult result) {
  if (const auto given = with_domains_.find(task); given != with_domains_.end()) {
    const Busy& busy = busy_.at(given->second);
    result.degraded = busy.degraded;
    result.violations = busy.violations;
  }
  task_ended(turn, task);
  if (!check_running(turn, task, lease_cap).ok()) return;
  work::Executor::Out effects;
  executor_.on_domain(turn.now, task, std::move(result), effects);
  route(turn, effects);
}

// ---- requests of services

Status Workshop::run_request(Turn& turn, const object::ObjectId& grant, work::RunDomain run) {
  const work::LeaseEntry* lease = leases_.find(grant);
  if (lease == nullptr || !lease->usable()) return fail(Errc::kUnavailable, std::string("the lease is ") + (lease == nullptr ? "no more" : work::lease_stage_name(lease->stage)));
  TRY(check_cap(turn.now, lease->cap, *lease));
  if (!dtaps_.permits(lease->number)) return fail(Errc::kUnavailable, "the machine needs what it has for itself");
  run.lease_number = lease->number;
  run.lease_cap = lease->cap;
  task_started(turn, run.task, lease->number);
  turn.out.push(StartTask{std::move(run)});
  return ok();
}

Status Workshop::request_done(Turn& turn, const object::ObjectId& grant, const work::TaskId& request, const object::Handle& lease_cap, const work::DomainResult& result) {
  task_ended(turn, request);
  work::LeaseEntry* lease = leases_.find(grant);
  if (lease == nullptr) return fail(Errc::kUnauthorized, "the lease is no more");
  TRY(check_cap(turn.now, lease_cap, *lease));
  lease->meters.tasks += 1;
  lease->meters.fuel += result.fuel;
  lease->meters.cpu_ns += result.cpu_ns;
  lease->meters.bytes_out += result.output.size();
  lease->meters.wakeups += result.wakeups;
  lease->meters.frozen_ms += result.frozen_ns / 1'000'000;
  return ok();
}

void Workshop::keep_receipt(Turn& turn, const work::KeepReceipt& keep) {
  const object::Receipt& receipt = keep.receipt.body;
  if (work::LeaseEntry* lease = leases_.find(receipt.grant)) {
    lease->meters.tasks += 1;
    lease->meters.fuel += receipt.fuel;
    lease->meters.cpu_ns += receipt.cpu_ns;
    lease->meters.bytes_in += receipt.bytes_in;
    lease->meters.bytes_out += receipt.bytes_out;
    lease->meters.wakeups += receipt.wakeups;
    lease->meters.frozen_ms += receipt.frozen_ms;
  }
  const AuditNote note{object::AuditKind::kReceipt, convert<crypto::Digest>(keep.receipt.id), object::enum_name(receipt.outcome), AuditBytes::kElsewhere};
  core_.keep_receipt(turn, receipt.origin, keep.receipt.bytes, note, [this, task = keep.task](Turn& t, const Status& kept) {
    work::Executor::Out effects;
    executor_.on_receipt_kept(t.now, task, kept, effects);
    route(t, effects);
  });
}

void Workshop::on_deadline(Turn& turn) {
  work::Leases::Out leases;
  leases_.on_deadline(turn.now, leases);
  route(turn, leases);
  work::Dtaps::Out paces;
  dtaps_.on_deadline(turn.now, paces);
  route(turn, paces);
  work::Executor::Out effects;
  executor_.on_deadline(turn.now, effects);
  route(turn, effects);
  run_delayed(turn);
  std::erase_if(supplies_, [&](const auto& s) { return s.second.forget_at <= turn.now; });
}

Instant Workshop::next_deadline() const {
  Instant soonest = std::min({leases_.next_deadline(), executor_.next_deadline(), dtaps_.next_deadline(), delayed_.empty() ? Instant::never() : delayed_.begin()->first});
  for (const auto& [task, supply] : supplies_) soonest = std::min(soonest, supply.forget_at);
  return soonest;
}

}  // namespace selvedge::node
