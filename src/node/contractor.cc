#include "node/contractor.h"

#include <algorithm>

#include "node/offers.h"
#include "node/parts.h"
#include "work/leases.h"

namespace selvedge::node {

namespace {

constexpr const char* kOracleFolder = "oracle/";  // where a program finds their answers
constexpr Duration kReportInterval = milliseconds(50);
constexpr const char* kMergedName = "merged";

std::string file_name_of(const std::string& name) {
  std::string out;
  for (char c : name) out += c == '/' ? '_' : c;
  return out.empty() ? "output" : out;
}
}  // namespace

// ---- from request to tasks

void Contractor::run(Turn& turn, RequestId id, RunRequest what) {
  if (runs_.size() >= kRunsMax) {
    turn.out.push(Refuse{id, fail(Errc::kLimit, "this node has " + std::to_string(kRunsMax) + " runs going; wait for one to end")});
    return;
  }
  if (what.inputs.size() + what.input_cids.size() > work::kTasksPerJobMax) {
    turn.out.push(Refuse{id, fail(Errc::kLimit, "too many inputs for one run")});
    return;
  }
  if (what.isolation != "process" && what.isolation != "microvm") {
    turn.out.push(Refuse{id, fail(Errc::kInvalid, "isolation is process or microvm, not " + what.isolation)});
    return;
  }
  const Result<object::ZoneId> zone = core_.zone_named(what.zone);
  if (!zone.ok()) {
    turn.out.push(Refuse{id, zone.error()});
    return;
  }
  zones_.tell_hosts(turn, *zone);
  std::optional<object::Signed<object::Manifest>> manifest;
  if (!what.manifest.empty()) {
    Result<object::Signed<object::Manifest>> opened = open_manifest(what);
    if (!opened.ok()) {
      turn.out.push(Refuse{id, opened.error()});
      return;
    }
    manifest.emplace(std::move(opened).value());
  }
  Run& run = runs_[id];
  run.manifest = std::move(manifest);
  run.request = id;
  run.zone = *zone;
  run.started = turn.now;
  run.what = std::move(what);
  if (run.what.fuel_limit == 0) run.what.fuel_limit = kFuelDefault;
  if (run.what.memory_bytes == 0) run.what.memory_bytes = kTaskMemoryDefault;
  if (run.manifest) run.what.memory_bytes = std::min(run.what.memory_bytes, run.manifest->body.needs.memory_bytes);
  if (run.what.module.size > work::kModuleBytesMax) {
    return fail_run(turn, id, fail(Errc::kLimit, run.what.module.name + " is larger than a module may be (" +
                                                     std::to_string(work::kModuleBytesMax >> 20) + " MiB); strip it or split the program"));
  }
  std::sort(run.what.environment.begin(), run.what.environment.end());
  for (const FileName& input : run.what.inputs) {
    if (input.size > work::kTaskInputBytesMax) {
      return fail_run(turn, id, fail(Errc::kLimit, input.name + " is larger than one task's input may be (" +
                                                       std::to_string(work::kTaskInputBytesMax >> 20) + " MiB); split it"));
    }
  }
  if (run.what.oracles.empty()) return store_inputs(turn, id, nullptr);
  ask_oracles(turn, run.what.oracles, [this, id](Turn& t, Result<Bytes> answers) {
    if (!runs_.count(id)) return;
    if (!answers.ok()) return fail_run(t, id, answers.error());
    store_inputs(t, id, std::make_shared<const Bytes>(std::move(answers).value()));
  });
}

void Contractor::run_inline(Turn& turn, RequestId id, InlineRun what) {
  if (runs_.size() >= kRunsMax) return what.on_end(turn, fail(Errc::kLimit, "this node has enough runs going; try again shortly"));
  zones_.tell_hosts(turn, what.zone);
  Run& run = runs_[id];
  run.request = id;
  run.zone = what.zone;
  run.started = turn.now;
  run.what.module.name = std::move(what.name);
  run.what.args = std::move(what.args);
  run.what.zone = core_.zone_name(what.zone);
  run.what.verify = what.verify;
  run.what.fuel_limit = what.fuel_limit;
  run.what.memory_bytes = what.memory_bytes;
  run.output_bytes_max = what.output_bytes_max;
  run.on_progress = std::move(what.on_progress);
  run.on_end = std::move(what.on_end);
  Result<object::BlobRef> module = ref_of(run, what.module);
  if (!module.ok()) return fail_run(turn, id, module.error());
  run.module = std::move(module).value();
  if (what.input == nullptr) return start_tasks(turn, id);
  library_.put(turn, run.zone, {{FileName{"", "input", what.input->size()}, what.input, nullptr, {}}}, [](Turn&, const TransferProgress&) {}, [this, id](Turn& t, PutOutcome put) {
    const auto it = runs_.find(id);
    if (it == runs_.end()) return;
    if (!put.status.ok()) return fail_run(t, id, put.status.error());
    Result<object::BlobRef> input = ref_of(it->second, put.files.front().cid);
    if (!input.ok()) return fail_run(t, id, input.error());
    it->second.inputs.push_back(std::move(input).value());
    it->second.names.push_back("input");
    start_tasks(t, id);
  });
}

// The program, its inputs and the files that it finds, among them what oracles said.
void Contractor::store_inputs(Turn& turn, RequestId id, std::shared_ptr<const Bytes> oracles) {
  const Run& run = runs_.at(id);
  std::vector<PutItem> items{{run.what.module, nullptr, nullptr, {}}};
  for (const FileName& input : run.what.inputs) items.push_back({input, nullptr, nullptr, {}});
  for (const FileName& file : run.what.files) items.push_back({file, nullptr, nullptr, {}});
  if (oracles != nullptr) items.push_back({{"", kOracleFolder, oracles->size()}, oracles, nullptr, {}});
  library_.put(turn, run.zone, std::move(items), [](Turn&, const TransferProgress&) {}, [this, id](Turn& t, PutOutcome put) { stored(t, id, std::move(put)); });
}

// The entry exists, may be called, and a person has confirmed it where its publisher asks for that (row A21).
Result<object::Signed<object::Manifest>> Contractor::open_manifest(const RunRequest& what) const {
  const Bytes bytes = TRY(from_hex(what.manifest));
  object::Signed<object::Manifest> manifest = TRY(object::open_object<object::Manifest>(bytes, core_.authority.verifier()));
  const object::BundleEntry* entry = manifest.body.find_entry(what.entry);
  if (entry == nullptr) return fail(Errc::kNotFound, "the bundle has no entry \"" + what.entry + "\": selvedge bundle inspect shows them");
  TRY(object::may_call(entry->operation, what.confirmed ? object::Confirmation::kGiven : object::Confirmation::kNone));
  if (entry->domain != object::DomainClass::kDeterministic) return fail(Errc::kInvalid, what.entry + " is a service: it is deployed and not run");
  return manifest;
}

Result<object::BlobRef> Contractor::ref_of(const Run& run, const codec::Cid& cid) const {
  const std::optional<Blob> blob = library_.find(run.zone, cid);
  if (blob) return blob->ref;
  const Result<Blob> elsewhere = library_.find(cid);
  if (!elsewhere.ok()) return fail(Errc::kNotFound, "this owner stored nothing named " + cid.text() + "; put it first");
  return fail(Errc::kNotFound, cid.text() + " is in zone " + core_.zone_name(elsewhere->zone) + " and not in " + run.what.zone + ": run in that zone (--zone " +
                                   core_.zone_name(elsewhere->zone) + "), or bring it over (selvedge zone bridge)");
}

void Contractor::stored(Turn& turn, RequestId id, PutOutcome put) {
  auto it = runs_.find(id);
  if (it == runs_.end()) return;
  if (!put.status.ok()) return fail_run(turn, id, put.status.error());
  Run& run = it->second;
  for (size_t i = 0; i < put.files.size(); ++i) {
    Result<object::BlobRef> ref = ref_of(run, put.files[i].cid);
    if (!ref.ok()) return fail_run(turn, id, ref.error());
    if (i == 0) {
      run.module = std::move(ref).value();
    } else if (i > run.what.inputs.size()) {
      run.files.emplace_back(put.files[i].name, std::move(ref).value());
    } else {
      run.inputs.push_back(std::move(ref).value());
      run.names.push_back(put.files[i].name);
    }
  }
  for (const std::string& text : run.what.input_cids) {
    const Result<codec::Cid> cid = codec::Cid::parse(text);
    if (!cid.ok()) return fail_run(turn, id, fail(Errc::kInvalid, text + " is not a content id: " + cid.error().message));
    Result<object::BlobRef> ref = ref_of(run, *cid);
    if (!ref.ok()) return fail_run(turn, id, ref.error());
    run.inputs.push_back(std::move(ref).value());
    run.names.push_back(text);
  }
  for (const std::string& text : run.what.file_cids) {
    const size_t cut = text.rfind('=');
    const Result<codec::Cid> cid = codec::Cid::parse(cut == std::string::npos ? "" : text.substr(cut + 1));
    if (!cid.ok()) return fail_run(turn, id, fail(Errc::kInvalid, text + " is not NAME=CID: " + cid.error().message));
    Result<object::BlobRef> ref = ref_of(run, *cid);
    if (!ref.ok()) return fail_run(turn, id, ref.error());
    run.files.emplace_back(text.substr(0, cut), std::move(ref).value());
  }
  if constexpr (kWholeNode) {
    if (run.what.keys_of > 0) return share_keys(turn, id);
  }
  start_tasks(turn, id);
}

void Contractor::forget_keys(Turn& turn, const std::string& secret) {
  if constexpr (kWholeNode) {
    if (!secret.empty()) run_keys->forget(turn, secret);
  }
}

void Contractor::share_keys(Turn& turn, RequestId id) {
  const RunRequest& what = runs_.at(id).what;
  const Result<object::IdentityTier> tier = object::identity_tier_from_name(what.keys_tier);
  if (run_keys == nullptr) return fail_run(turn, id, fail(Errc::kUnsupported, "this node cannot put a run's keys among others"));
  if (!tier.ok()) return fail_run(turn, id, tier.error());
  run_keys->share(turn, {what.keys_threshold, what.keys_of, *tier, what.keys_endorsers, what.keys_believe_unendorsed}, [this, id](Turn& t, Result<std::string> shared) {
    const auto run = runs_.find(id);
    if (run == runs_.end()) {
      if (shared.ok()) run_keys->forget(t, *shared);
      return;
    }
    if (!shared.ok()) return fail_run(t, id, shared.error());
    run->second.secret = *shared;
    start_tasks(t, id);
  });
}

work::TaskUnit Contractor::unit_for(const Run& run, const object::BlobRef& input, std::vector<std::string> args) const {
  work::TaskUnit unit;
  unit.spec.origin = core_.owner();
  if (run.manifest) {
    unit.spec.bundle = run.manifest->id;
    unit.spec.entry = run.what.entry;
    unit.idempotency = run.manifest->body.find_entry(run.what.entry)->operation.idempotency;
  }
  unit.spec.module = run.module.cid;
  unit.spec.args = std::move(args);
  unit.spec.environment = run.what.environment;
  if (input.size > 0) unit.spec.inputs.push_back({input.cid, std::nullopt});
  for (const auto& [path, blob] : run.files) unit.spec.inputs.push_back({blob.cid, std::nullopt, path});
  unit.spec.seed = run.what.seed;
  unit.spec.fuel_limit = run.what.fuel_limit;
  unit.spec.memory_bytes = run.what.memory_bytes;
  unit.spec.output_bytes_max = run.output_bytes_max;
  for (const object::BlockGroup& group : input.groups) {
    for (const NodeKey& holder : library_.holders_of(object::unsigned_id(group))) unit.near.push_back(holder);
  }
  return unit;
}

void Contractor::start_tasks(Turn& turn, RequestId id) {
  Run& run = runs_.at(id);
  std::vector<std::string> args{run.what.module.name};
  if (run.manifest) {
    const std::vector<std::string>& first = run.manifest->body.find_entry(run.what.entry)->args;
    args.insert(args.end(), first.begin(), first.end());
  }
  args.insert(args.end(), run.what.args.begin(), run.what.args.end());
  if (run.inputs.empty()) {
    run.inputs.push_back({});
    run.names.push_back("output");
  }
  std::vector<work::TaskUnit> units;
  for (const object::BlobRef& input : run.inputs) {
    units.push_back(unit_for(run, input, args));
    const Status valid = units.back().spec.validate();
    if (!valid.ok()) return fail_run(turn, id, valid.error());
  }
  run.outputs.resize(units.size());
  run.contents.resize(units.size());
  for (size_t i = 0; i < units.size(); ++i) {
    run.outputs[i].name = run.names[i];
    run.outputs[i].input = run.inputs[i].cid;
  }
  run.progress.tasks_total = units.size() + (run.what.merge ? 1 : 0);
  refresh(turn);
  work::Jobs::Out effects;
  const Result<uint64_t> job = jobs_.start(turn.now, std::move(units), run.what.verify, effects);
  if (!job.ok()) return fail_run(turn, id, job.error());
  runs_.at(id).job = *job;
  route(turn, effects);
}

// ---- offers

Contractor::Run* Contractor::run_of_job(uint64_t job) {
  for (auto& [id, run] : runs_) {
    if (run.job == job) return &run;
  }
  return nullptr;
}

Result<Bytes> Contractor::make_offer(Turn& turn, const work::MakeOffer& make, const Run& run) {
  const object::TaskSpec* spec = jobs_.spec(make.job, make.index);
  if (spec == nullptr) return fail(Errc::kUnavailable, "the task is over");
  OfferOf of{make.task, make.executor, run.zone, *spec, run.manifest ? run.manifest->bytes : Bytes{}, {run.module}};
  for (const object::TaskInput& input : spec->inputs) of.blobs.push_back(TRY(ref_of(run, input.cid)));
  if (kWholeNode && !run.secret.empty()) {
    of.leave = [&](const std::vector<object::ObjectKey>& keys) { return run_keys->leave(turn, run.secret, make.executor, make.task, keys); };
  }
  return node::make_offer(turn, core_, library_, std::move(of));
}

void Contractor::offer(Turn& turn, const work::MakeOffer& make) {
  const Run* run = run_of_job(make.job);
  Result<Bytes> offer = run == nullptr ? Result<Bytes>(fail(Errc::kCancelled, "the run is over")) : make_offer(turn, make, *run);
  Status sent;
  const work::Isolation isolation = run != nullptr && run->what.isolation == "microvm" ? work::Isolation::kMachine : work::Isolation::kProcess;
  if (!offer.ok()) {
    sent = offer.error();
  } else {
    // The same priority, so the state is there before the offer.
    if (make.state) work::send_state(make.task, 0, *make.state, true, [&](Bytes part) { core_.send(turn, make.executor, std::move(part)); });
    const work::Offer message{std::move(offer).value(), make.state ? uint32_t(make.state->size()) : 0, uint8_t(isolation)};
    if (!core_.send(turn, make.executor, work::WorkMessages::encode(message))) sent = fail(Errc::kUnavailable, "the executor went away");
  }
  if (sent.ok()) return;
  core_.trace(turn, "no task is offered to " + make.executor.brief() + ": " + sent.error().message);
  work::Jobs::Out effects;
  jobs_.on_offer_answer(turn.now, make.executor, work::OfferAnswer{make.task, uint8_t(sent.code()), sent.error().message}, effects);
  route(turn, effects);
}

namespace {

// How well a machine would do. What counts so far is whether its lease lasts: a planner will know more.
uint32_t score(Instant now, const object::Signed<object::Grant>& grant) {
  constexpr uint32_t kUsual = 1000, kEnding = 300;
  return Instant::from_unix_seconds(grant.body.expires) - now < work::kExpiringWindow ? kEnding : kUsual;
}

}  // namespace

void Contractor::refresh(Turn& turn) {
  std::vector<work::ExecutorInfo> executors;
  const auto ready = [this](const NodeKey& key) {
    return std::all_of(runs_.begin(), runs_.end(), [&](const auto& each) { return zones_.ready(key, each.second.zone); });
  };
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (!core_.serving.count(key) || !core_.sessions.up(key) || !peer.record || banned(key)) continue;
    const object::Signed<object::Grant>* granted = core_.authority.granted_by(turn.now, key, object::kCompute);
    if (granted == nullptr || !ready(key)) continue;
    executors.push_back({key, peer.record->body.owner, score(turn.now, *granted)});
  }
  work::Jobs::Out effects;
  jobs_.set_executors(turn.now, executors, effects);
  route(turn, effects);
}

void Contractor::on_message(Turn& turn, const NodeKey& from, const work::WorkMessages::Message& message) {
  work::Jobs::Out effects;
  if (const auto* answer = std::get_if<work::OfferAnswer>(&message)) {
    if (answer->error != 0) core_.trace(turn, "node " + from.brief() + " took no task: " + answer->message.substr(0, 300));
    jobs_.on_offer_answer(turn.now, from, *answer, effects);
  } else if (const auto* state = std::get_if<work::TaskState>(&message); state != nullptr && !state->to_go_on) {
    if (!jobs_.runs(state->task, from)) return;
    if (auto whole = states_.take(turn.now, from, *state)) jobs_.on_state(turn.now, from, state->task, state->fuel, std::move(*whole));
  } else if (const auto* commit = std::get_if<work::Commit>(&message)) {
    const auto opened = object::open_object<object::Commitment>(commit->commitment, core_.authority.verifier());
    if (opened.ok() && opened->signer == from) jobs_.on_commitment(turn.now, from, opened->body, effects);
  } else if (const auto* shown = std::get_if<work::RevealAnswer>(&message)) {
    const auto reveal = object::open_object<object::Reveal>(shown->reveal, core_.authority.verifier());
    const auto receipt = object::open_object<object::Receipt>(shown->receipt, core_.authority.verifier());
    if (reveal.ok() && receipt.ok() && reveal->signer == from && receipt->signer == from) {
      jobs_.on_reveal(turn.now, from, reveal->body, *receipt, shown->output, effects);
    } else {
      core_.trace(turn, "a reveal from " + from.brief() + " was thrown away");
    }
  }
  route(turn, effects);
}

// ---- results

Status Contractor::move(Turn& turn, const std::string& task, const NodeKey& to) {
  work::Jobs::Out effects;
  const Status moved = jobs_.move(turn.now, task, to, effects);
  route(turn, effects);
  return moved;
}

void Contractor::route(Turn& turn, work::Jobs::Out& effects) {
  for (work::JobEffect& effect : effects.take()) {
    if (auto* make = std::get_if<work::MakeOffer>(&effect)) offer(turn, *make);
    else if (auto* send = std::get_if<work::SendWork>(&effect)) core_.send(turn, send->to, std::move(send->message));
    else if (auto* done = std::get_if<work::TaskDone>(&effect)) on_task_done(turn, *done);
    else if (auto* rejected = std::get_if<work::TaskRejected>(&effect)) on_rejected(turn, *rejected);
    else if (auto* ended = std::get_if<work::JobEnded>(&effect)) on_job_ended(turn, *ended);
  }
}

void Contractor::keep_receipt(Turn& turn, const Bytes& receipt, bool accepted) {
  const uint64_t cookie = core_.expect_stored([](Turn&, const Status&) {});
  Outbox<store::Effect> disk;
  const Result<uint64_t> kept =
      core_.store.append_receipt(convert<store::OriginId>(core_.owner()), codec::encode(KeptReceipt{receipt, accepted}), cookie, disk);
  core_.route_disk(turn, disk);
  if (!kept.ok()) core_.trace(turn, "a receipt was not kept: " + kept.error().message);
}

void Contractor::on_task_done(Turn& turn, work::TaskDone& done) {
  Run* run = run_of_job(done.job);
  if (run == nullptr) return;
  for (const Bytes& receipt : done.result.receipts) keep_receipt(turn, receipt, true);
  if (run->on_end) run->receipts = std::move(done.result.receipts);
  const object::Reveal& reveal = done.result.reveal;
  if (reveal.outcome != object::Outcome::kOk && run->failure.empty()) {
    run->failure = (run->merging ? "the merge" : run->names[done.index]) + ": the program ended with " + object::enum_name(reveal.outcome) +
                   ", as " + std::to_string(done.result.owners.size()) + " owners' machines agree";
  }
  RunOutput output;
  output.name = run->merging ? kMergedName : run->names[done.index];
  output.input = run->merging ? codec::Cid{} : run->inputs[done.index].cid;
  if (reveal.output) output.output = *reveal.output;
  output.size = done.result.output.size();
  output.fuel = reveal.fuel;
  output.trace = reveal.trace;
  output.agreed = std::move(done.result.owners);
  run->contents_bytes += done.result.output.size();
  const size_t at = run->merging ? run->outputs.size() - 1 : done.index;
  run->outputs[at] = std::move(output);
  run->contents[at] = std::move(done.result.output);
  ++run->progress.tasks_done;
  const work::JobCounts counts = jobs_.counts(done.job);
  run->progress.executions = run->answer.executions + counts.executions;
  run->progress.retries = run->answer.retries + counts.retries;
  report(turn, *run, false);
}

void Contractor::on_rejected(Turn& turn, const work::TaskRejected& rejected) {
  core_.trace(turn, "node " + rejected.node.brief() + " gave a wrong result: " + rejected.why + "; it gets no more work");
  if (!rejected.receipt.empty()) keep_receipt(turn, rejected.receipt, false);
  core_.put_record(turn, Record::kBanned, rejected.node, to_bytes(view(rejected.why)), [](Turn&, const Status&) {});
  Run* run = run_of_job(rejected.job);
  if (run == nullptr) return;
  Rejection rejection{rejected.node, rejected.owner, rejected.index, rejected.why};
  run->answer.rejected.push_back(rejection);
  run->progress.rejected.push_back(rejection);
  report(turn, *run, true);
}

void Contractor::report(Turn& turn, Run& run, bool now) {
  if (!now && turn.now - run.last_progress < kReportInterval) return;
  run.last_progress = turn.now;
  if (run.on_progress) run.on_progress(turn, run.progress);
  else turn.out.push(Progress{run.request, codec::to_json_text(run.progress)});
  run.progress.rejected.clear();
}

void Contractor::on_job_ended(Turn& turn, const work::JobEnded& ended) {
  Run* run = run_of_job(ended.job);
  if (run == nullptr) return;
  const RequestId id = run->request;
  run->answer.executions += ended.counts.executions;
  run->answer.retries += ended.counts.retries;
  run->job = 0;
  if (!ended.status.ok()) return fail_run(turn, id, ended.status.error());
  if (!run->failure.empty()) return fail_run(turn, id, fail(Errc::kGuest, run->failure));
  if (run->contents_bytes > kOutputsBytesMax) return fail_run(turn, id, fail(Errc::kLimit, "the outputs together are too large for one run"));
  if (run->what.merge && !run->merging) return merge(turn, id);
  write_outputs(turn, id);
}

void Contractor::merge(Turn& turn, RequestId id) {
  Run& run = runs_.at(id);
  auto all = std::make_shared<Bytes>();
  for (const Bytes& content : run.contents) append(*all, content);
  FileName name{"", "outputs to merge", all->size()};
  library_.put(turn, run.zone, {{name, all, nullptr, {}}}, [](Turn&, const TransferProgress&) {}, [this, id](Turn& t, PutOutcome put) { merge_stored(t, id, std::move(put)); });
}

void Contractor::merge_stored(Turn& turn, RequestId id, PutOutcome put) {
  auto it = runs_.find(id);
  if (it == runs_.end()) return;
  if (!put.status.ok()) return fail_run(turn, id, put.status.error());
  Run& run = it->second;
  const Result<object::BlobRef> ref = ref_of(it->second, put.files.front().cid);
  if (!ref.ok()) return fail_run(turn, id, ref.error());
  run.merging = true;
  run.outputs.emplace_back();
  run.contents.emplace_back();
  work::Jobs::Out effects;
  const Result<uint64_t> job = jobs_.start(turn.now, {unit_for(run, *ref, {run.what.module.name, "merge"})}, run.what.verify, effects);
  if (!job.ok()) return fail_run(turn, id, job.error());
  runs_.at(id).job = *job;
  route(turn, effects);
}

void Contractor::write_outputs(Turn& turn, RequestId id) {
  Run& run = runs_.at(id);
  if (run.on_end) return finish(turn, id);
  if (run.what.out_dir.empty()) {
    run.answer.text = to_string(run.contents.back());
    return finish(turn, id);
  }
  run.writes_left = run.contents.size();
  for (size_t i = 0; i < runs_.at(id).contents.size(); ++i) {
    Run& r = runs_.at(id);
    const std::string path = r.what.out_dir + "/" + file_name_of(r.outputs[i].name);
    if (r.merging && i + 1 == r.contents.size()) r.answer.merged = path;
    core_.write_file(turn, path, 0, std::move(r.contents[i]), true, [this, id](Turn& t, const Status& status) {
      auto it = runs_.find(id);
      if (it == runs_.end()) return;
      if (!status.ok() && it->second.write_status.ok()) it->second.write_status = status;
      if (--it->second.writes_left > 0) return;
      if (!it->second.write_status.ok()) return fail_run(t, id, Error(it->second.write_status.error()));
      finish(t, id);
    });
  }
}

void Contractor::finish(Turn& turn, RequestId id) {
  Run run = std::move(runs_.at(id));
  runs_.erase(id);
  forget_keys(turn, run.secret);
  run.answer.module = run.module.cid;
  run.answer.outputs = std::move(run.outputs);
  run.answer.milliseconds = uint64_t((turn.now - run.started).ms());
  if (run.on_end) {
    run.on_end(turn, RunResult{std::move(run.answer), std::move(run.contents.back()), std::move(run.receipts)});
  } else {
    report(turn, run, true);
    turn.out.push(Answer{id, codec::to_json_text(run.answer)});
  }
  on_room(turn);
}

void Contractor::fail_run(Turn& turn, RequestId id, const Error& error) {
  const uint64_t job = runs_.at(id).job;
  const Error why = error;  // may lie in the run that goes
  const std::string secret = std::move(runs_.at(id).secret);
  const auto on_end = std::move(runs_.at(id).on_end);
  runs_.erase(id);
  forget_keys(turn, secret);
  if (on_end) on_end(turn, why);
  else turn.out.push(Refuse{id, why});
  if (job != 0) {
    work::Jobs::Out effects;
    jobs_.cancel(job, effects);
    route(turn, effects);
  }
  on_room(turn);
}

void Contractor::cancel(Turn& turn, RequestId id) {
  if (runs_.count(id)) fail_run(turn, id, fail(Errc::kCancelled, "the request was withdrawn"));
}

void Contractor::on_deadline(Turn& turn) {
  work::Jobs::Out effects;
  jobs_.on_deadline(turn.now, effects);
  route(turn, effects);
}

}  // namespace selvedge::node
