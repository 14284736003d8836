#include "node/page_jobs.h"

#include <algorithm>

#include "crypto/hash.h"

namespace selvedge::node {

namespace {

constexpr RequestId kPageRunBit = RequestId(1) << 63;   // no request of the local API has it

/// "web 192.0.2.7:50000" → "web 192.0.2.7"; empty for the loopback, where whoever comes comes through a proxy.
std::string place_of(const std::string& address) {
  const size_t cut = address.rfind(':');
  const std::string place = cut == std::string::npos ? address : address.substr(0, cut);
  return place.find("127.0.0.1") != std::string::npos || place.find("[::1]") != std::string::npos ? "" : place;
}

Status check_limits(const PageLimits& limits) {
  if (limits.visitor_per_minute == 0 || limits.per_minute == 0) return fail(Errc::kInvalid, "a program that no page may have run need not be published");
  if (limits.verify == 0 || limits.verify > limits.verify_max || limits.verify_max > 16) return fail(Errc::kInvalid, "of 1 to 16 owners: as many as --verify says, and --verify-max is no less");
  if (limits.input_bytes_max > kPageInputBytesMax) return fail(Errc::kLimit, "a page's input is at most " + std::to_string(kPageInputBytesMax >> 20) + " MiB");
  if (limits.output_bytes_max == 0 || limits.output_bytes_max > kPageOutputBytesMax) return fail(Errc::kLimit, "an output has at most " + std::to_string(kPageOutputBytesMax >> 10) + " KiB");
  if (limits.fuel_limit == 0 || limits.memory_bytes == 0) return fail(Errc::kInvalid, "a program needs fuel and memory");
  if (limits.seconds_max == 0 || limits.seconds_max > kPageSecondsMax) return fail(Errc::kLimit, "a page waits at most " + std::to_string(kPageSecondsMax) + " s");
  return ok();
}

crypto::Digest record_id(const std::string& name) { return crypto::sha256(view(name)); }

}  // namespace

// ---- what is published

void PageJobs::restore() {
  for (const store::RecordRef& record : core_.records(Record::kPageProgram)) {
    Result<PageProgram> program = codec::decode<PageProgram>(*record.value);
    if (program.ok()) programs_[program->name].program = std::move(program).value();
  }
}

void PageJobs::publish(Turn& turn, const PagePublishRequest& request, std::function<void(Turn&, Result<PageProgramInfo>)> then) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  if (request.name.empty() || request.name.size() > 64 || !std::all_of(request.name.begin(), request.name.end(), good)) {
    return then(turn, fail(Errc::kInvalid, "a name has 1 to 64 of a-z, 0-9, '-' and '.'"));
  }
  if (!programs_.count(request.name) && programs_.size() >= kPageProgramsMax) return then(turn, fail(Errc::kLimit, "at most " + std::to_string(kPageProgramsMax) + " programs are published"));
  if (request.size > work::kModuleBytesMax) return then(turn, fail(Errc::kLimit, "the program is larger than a module may be"));
  const Status valid = check_limits(request.limits);
  if (!valid.ok()) return then(turn, valid.error());
  const Result<object::ZoneId> zone = core_.zone_named(request.zone);
  if (!zone.ok()) return then(turn, zone.error());
  library_.put(turn, *zone, {{FileName{request.path, request.name, request.size}, nullptr, nullptr, {}}}, [](Turn&, const TransferProgress&) {},
               [this, request, zone = *zone, then = std::move(then)](Turn& t, PutOutcome put) {
    if (!put.status.ok()) return then(t, put.status.error());
    const PageProgram program{request.name, zone, put.files.front().cid, request.limits};
    core_.put_record(t, Record::kPageProgram, record_id(request.name), codec::encode(program), [this, program, then](Turn& later, const Status& kept) {
      if (!kept.ok()) return then(later, kept.error());
      Published& published = programs_[program.name];
      published.program = program;
      then(later, info(published));
    });
  });
}

Result<PageProgramInfo> PageJobs::withdraw(Turn& turn, const std::string& name) {
  const auto it = programs_.find(name);
  if (it == programs_.end()) return fail(Errc::kNotFound, "no program \"" + name + "\" is published for pages; selvedge web list shows them");
  const PageProgramInfo was = info(it->second);
  std::vector<uint64_t> ends;
  for (const auto& [number, job] : jobs_) {
    if (job.ask.program == name) ends.push_back(number);
  }
  for (const uint64_t number : ends) refuse(turn, number, fail(Errc::kCancelled, "the site no longer has this done"));
  programs_.erase(name);
  core_.erase_record(turn, Record::kPageProgram, record_id(name), [](Turn&, const Status&) {});
  return was;
}

PageProgramInfo PageJobs::info(const Published& published) const {
  const PageProgram& program = published.program;
  return {program.name, program.module, core_.zone_name(program.zone), program.limits, published.asked, published.done, published.refused};
}

PageListAnswer PageJobs::list() const {
  PageListAnswer out;
  for (const auto& [name, published] : programs_) out.programs.push_back(info(published));
  out.running = running_;
  out.waiting = jobs_.size() - running_;
  return out;
}

// ---- what pages ask

Status PageJobs::count(Instant now, const std::string& who, uint32_t most) {
  const uint64_t minute = now.unix_seconds() / 60;
  if (counted_minute_ != minute) counted_.clear();
  counted_minute_ = minute;
  uint32_t& so_far = counted_[counted_.size() < kPageVisitorsCountedMax || counted_.count(who) ? who : ""];
  if (so_far >= most) return fail(Errc::kLimit, "the site has no more of this done in a minute; try again in the next");
  ++so_far;
  return ok();
}

Status PageJobs::admit(Turn& turn, const NodeKey& from, const std::string& address, const JobAsk& ask, Published& published) {
  const PageLimits& limits = published.program.limits;
  size_t bytes = 0, own = 0;
  for (const std::string& arg : ask.args) bytes += arg.size() + 1;
  if (ask.args.size() > kPageArgsMax || bytes > kPageArgsBytesMax) return fail(Errc::kLimit, "at most " + std::to_string(kPageArgsMax) + " arguments of " + std::to_string(kPageArgsBytesMax) + " bytes together");
  if (ask.input.size() > limits.input_bytes_max) return fail(Errc::kLimit, "the site takes at most " + std::to_string(limits.input_bytes_max) + " bytes of input for this program");
  if (ask.verify > limits.verify_max) return fail(Errc::kLimit, "the site has results checked by at most " + std::to_string(limits.verify_max) + " owners' machines");
  for (const auto& [number, job] : jobs_) own += job.from == from ? 1 : 0;
  if (own >= kPageJobsPerVisitorMax) return fail(Errc::kLimit, "at most " + std::to_string(kPageJobsPerVisitorMax) + " jobs of one page are under way");
  if (jobs_.size() >= kPageJobsMax) return fail(Errc::kLimit, "the site has enough to do; try again shortly");
  const uint64_t day = turn.now.unix_seconds() / 86'400;
  if (counted_day_ != day) input_bytes_ = 0;
  counted_day_ = day;
  if (input_bytes_ + ask.input.size() > kPageInputBytesPerDay) return fail(Errc::kLimit, "the site takes no more input today");
  const mesh::Peer* peer = core_.sessions.find(from);
  if (peer == nullptr || !peer->record) return fail(Errc::kUnauthorized, "no session");
  TRY(count(turn.now, published.program.name + " by " + peer->record->body.owner.hex(), limits.visitor_per_minute));
  const std::string place = place_of(address);
  if (!place.empty()) TRY(count(turn.now, published.program.name + " from " + place, uint32_t(std::min<uint64_t>(UINT32_MAX, uint64_t(limits.visitor_per_minute) * kPageVisitorsPerAddress))));
  TRY(count(turn.now, published.program.name, limits.per_minute));
  input_bytes_ += ask.input.size();
  return ok();
}

void PageJobs::on_ask(Turn& turn, const NodeKey& from, const std::string& address, JobAsk ask) {
  const auto same = [&](const auto& each) { return each.second.from == from && each.second.ask.request == ask.request; };
  if (std::any_of(jobs_.begin(), jobs_.end(), same)) return;
  JobTold told;
  told.request = ask.request;
  const auto it = programs_.find(ask.program);
  Status admitted = fail(Errc::kNotFound, "this site has no program \"" + ask.program.substr(0, 64) + "\" for pages");
  if (it != programs_.end()) {
    it->second.asked += 1;
    admitted = admit(turn, from, address, ask, it->second);
  }
  if (!admitted.ok()) {
    if (it != programs_.end()) it->second.refused += 1;
    told.stage = JobStage::kRefused;
    told.error = uint8_t(admitted.code());
    told.message = admitted.error().message;
    return tell(turn, from, told);
  }
  const uint64_t most = it->second.program.limits.seconds_max * 1000;
  const uint64_t wait = ask.timeout_ms == 0 ? most : std::min(ask.timeout_ms, most);
  told.ahead = uint32_t(jobs_.size() - running_);
  jobs_.emplace(++last_, Job{from, std::move(ask), turn.now + milliseconds(int64_t(wait)), 0});
  tell(turn, from, told);
  tend(turn);
}

/// Whose turn it is: the visitor with the least under way, and of theirs the most urgent.
PageJobs::Jobs::iterator PageJobs::next() {
  std::map<NodeKey, size_t> under_way;
  for (const auto& [number, job] : jobs_) under_way[job.from] += job.run != 0 ? 1 : 0;
  auto best = jobs_.end();
  for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
    if (it->second.run != 0) continue;
    if (best == jobs_.end()) best = it;
    const Job &a = it->second, &b = best->second;
    if (under_way[a.from] < under_way[b.from] || (a.from == b.from && a.ask.priority > b.ask.priority)) best = it;
  }
  return best;
}

void PageJobs::tend(Turn& turn) {
  if (tending_) return;
  tending_ = true;
  while (running_ < kPageRunsMax && contractor_.running() < kRunsMax) {
    const auto job = next();
    if (job == jobs_.end()) break;
    begin(turn, job->first);
  }
  tending_ = false;
}

void PageJobs::begin(Turn& turn, uint64_t number) {
  Job& job = jobs_.at(number);
  const PageProgram& program = programs_.at(job.ask.program).program;
  job.run = kPageRunBit | number;
  ++running_;
  InlineRun run;
  run.name = program.name;
  run.zone = program.zone;
  run.module = program.module;
  run.args = job.ask.args;
  run.verify = job.ask.verify == 0 ? program.limits.verify : job.ask.verify;
  run.fuel_limit = program.limits.fuel_limit;
  run.memory_bytes = program.limits.memory_bytes;
  run.output_bytes_max = program.limits.output_bytes_max;
  if (!job.ask.input.empty()) run.input = std::make_shared<const Bytes>(std::move(job.ask.input));
  run.on_progress = [this, number](Turn& t, const RunProgress& progress) {
    const auto it = jobs_.find(number);
    if (it == jobs_.end()) return;
    JobTold told;
    told.request = it->second.ask.request;
    told.stage = JobStage::kRunning;
    told.executions = progress.executions;
    told.retries = progress.retries;
    for (const Rejection& each : progress.rejected) told.mismatches.push_back({each.node, each.owner, each.why});
    tell(t, it->second.from, told);
  };
  run.on_end = [this, number](Turn& t, Result<RunResult> result) { on_end(t, number, std::move(result)); };
  JobTold told;
  told.request = job.ask.request;
  told.stage = JobStage::kRunning;
  tell(turn, job.from, told);
  contractor_.run_inline(turn, job.run, std::move(run));
}

void PageJobs::on_end(Turn& turn, uint64_t number, Result<RunResult> result) {
  const auto it = jobs_.find(number);
  if (it == jobs_.end()) return;
  const Job job = std::move(it->second);
  jobs_.erase(it);
  --running_;
  JobTold told;
  told.request = job.ask.request;
  told.stage = result.ok() ? JobStage::kDone : JobStage::kRefused;
  if (result.ok()) {
    told.module = result->answer.module;
    told.output = std::move(result->output);
    told.fuel = result->answer.outputs.front().fuel;
    told.executions = result->answer.executions;
    told.retries = result->answer.retries;
    told.milliseconds = result->answer.milliseconds;
    told.receipts = std::move(result->receipts);
    for (const Rejection& each : result->answer.rejected) told.mismatches.push_back({each.node, each.owner, each.why});
  } else {
    told.error = uint8_t(result.error().code);
    told.message = result.error().message;
  }
  if (const auto program = programs_.find(job.ask.program); program != programs_.end()) ++(result.ok() ? program->second.done : program->second.refused);
  tell(turn, job.from, told);
  tend(turn);
}

void PageJobs::refuse(Turn& turn, uint64_t number, const Error& why) {
  const auto it = jobs_.find(number);
  if (it == jobs_.end()) return;
  JobTold told;
  told.request = it->second.ask.request;
  told.stage = JobStage::kRefused;
  told.error = uint8_t(why.code);
  told.message = why.message;
  tell(turn, it->second.from, told);
  if (const auto program = programs_.find(it->second.ask.program); program != programs_.end()) ++program->second.refused;
  drop(turn, it);
}

void PageJobs::drop(Turn& turn, Jobs::iterator job) {
  const RequestId run = job->second.run;
  jobs_.erase(job);   // first: what the run says of its end is for nobody
  if (run == 0) return;
  --running_;
  contractor_.cancel(turn, run);
}

void PageJobs::on_drop(Turn& turn, const NodeKey& from, const JobDrop& what) {
  const auto it = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& each) { return each.second.from == from && each.second.ask.request == what.request; });
  if (it == jobs_.end()) return;
  refuse(turn, it->first, fail(Errc::kCancelled, "the page wants it no longer"));
  tend(turn);
}

void PageJobs::on_peer_down(Turn& turn, const NodeKey& peer) {
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    const auto job = it++;
    if (job->second.from == peer) drop(turn, job);
  }
  tend(turn);
}

void PageJobs::on_deadline(Turn& turn) {
  std::vector<uint64_t> late;
  for (const auto& [number, job] : jobs_) {
    if (job.until <= turn.now) late.push_back(number);
  }
  for (const uint64_t number : late) refuse(turn, number, fail(Errc::kTimeout, "it was not done in time"));
  if (!jobs_.empty()) tend(turn);
}

Instant PageJobs::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [number, job] : jobs_) soonest = std::min(soonest, job.until);
  return soonest;
}

// ---- the page's side

Status PageAsks::ask(Turn& turn, const NodeKey& site, const JobAsk& what) {
  if (asked_.size() >= kPageJobsMax) return fail(Errc::kLimit, "this page has enough jobs under way");
  if (asked_.count({site, what.request})) return fail(Errc::kExists, "there is such a job");
  if (!core_.send(turn, site, PageMessages::encode(what))) return fail(Errc::kUnavailable, "the site's node is not connected");
  asked_.insert({site, what.request});
  return ok();
}

void PageAsks::drop(Turn& turn, const NodeKey& site, uint64_t request) {
  if (asked_.count({site, request})) core_.send(turn, site, PageMessages::encode(JobDrop{request}));
}

void PageAsks::on_told(Turn& turn, const NodeKey& from, JobTold told) {
  const auto it = asked_.find({from, told.request});
  if (it == asked_.end()) return;
  if (told.stage >= JobStage::kDone) asked_.erase(it);
  turn.out.push(JobNews{told.request, codec::encode(told)});
}

void PageAsks::on_peer_down(Turn& turn, const NodeKey& peer) {
  for (auto it = asked_.lower_bound({peer, 0}); it != asked_.end() && it->first == peer; it = asked_.erase(it)) turn.out.push(JobNews{it->second, {}});
}

}  // namespace selvedge::node
