// The tab as a WebAssembly module: what the page's worker calls (web/sdk/core.ts), and what it is told by.
//
// Everything is (kind, number, bytes); records are CBOR arrays of their fields. An input that fails is told by kError and changes nothing.
#if defined(__wasm__)
#include "tab/tab.h"

namespace selvedge::tab {

namespace {

enum class In : uint32_t { kSigned = 1, kLend, kTakeBack, kOpen, kPacket, kClosed, kRan, kStopped, kRequest, kHold, kJob, kDropJob };
enum class Told : uint32_t { kSign = 1, kPacket, kClose, kRun, kStop, kStopAll, kPace, kAnswer, kRefusal, kSay, kError, kKey, kJob };

extern "C" __attribute__((import_module("env"), import_name("tab_told"))) void tab_told(uint32_t kind, double number, const uint8_t* bytes, size_t size);

void tell(Told kind, uint64_t number, ByteView bytes) { tab_told(uint32_t(kind), double(number), bytes.data(), bytes.size()); }

/// How a run ended, numbered as the runner's ends are (host/domain/domain_pool.h).
enum class RunEnd : uint8_t { kExited, kTrapped, kOutOfFuel, kOutOfMemory, kOutputTooLarge, kForbidden, kKilled, kCrashed, kRefused, kLast = kRefused };

struct RunFile {
  std::string path;
  Bytes content;
  template <class V> void visit(V& v) { v("path", path); v("content", content); }
};
struct Run {
  work::TaskId task;
  uint64_t lease = 0;
  crypto::Digest identity;
  Bytes module;
  bool has_start = false, needs_fresh_instance = false;
  uint32_t pages_min = 0;
  std::vector<std::string> args, environment;
  Bytes input;
  std::vector<RunFile> files;
  uint64_t seed = 0, fuel_limit = 0, memory_bytes = 0, output_bytes_max = 0, wall_ms = 0;
  Bytes resume;
  template <class V> void visit(V& v) {
    v("task", task); v("lease", lease); v("identity", identity); v("module", module); v("has_start", has_start); v("needs_fresh_instance", needs_fresh_instance);
    v("pages_min", pages_min); v("args", args); v("environment", environment); v("input", input); v("files", files); v("seed", seed);
    v("fuel_limit", fuel_limit); v("memory_bytes", memory_bytes); v("output_bytes_max", output_bytes_max); v("wall_ms", wall_ms); v("resume", resume);
  }
};
struct Ran {
  work::TaskId task;
  RunEnd end = RunEnd::kCrashed;
  int32_t exit_code = 0;
  bool comparable = false;
  Bytes output;
  std::string message;
  uint64_t fuel = 0, cpu_ns = 0, wall_ns = 0, memory_bytes = 0;
  crypto::Digest trace;
  template <class V> void visit(V& v) {
    v("task", task); v("end", end); v("exit_code", exit_code); v("comparable", comparable); v("output", output); v("message", message); v("fuel", fuel);
    v("cpu_ns", cpu_ns); v("wall_ns", wall_ns); v("memory_bytes", memory_bytes); v("trace", trace);
  }
};
struct Ask {
  std::string method;
  Bytes params;
  template <class V> void visit(V& v) { v("method", method); v("params", params); }
};

struct AskJob {
  mesh::NodeKey site;
  std::string program;
  std::vector<std::string> args;
  Bytes input;
  node::JobPriority priority = node::JobPriority::kNormal;
  uint32_t verify = 0;
  uint64_t timeout_ms = 0;
  template <class V> void visit(V& v) {
    v("site", site); v("program", program); v("args", args); v("input", input); v("priority", priority); v("verify", verify); v("timeout_ms", timeout_ms);
  }
};

object::Outcome outcome_of(const Ran& ran) {
  switch (ran.end) {
    case RunEnd::kExited: return ran.exit_code == 0 ? object::Outcome::kOk : object::Outcome::kTrap;
    case RunEnd::kTrapped: return object::Outcome::kTrap;
    case RunEnd::kOutOfFuel: return object::Outcome::kFuel;
    case RunEnd::kOutOfMemory: return ran.comparable ? object::Outcome::kMemory : object::Outcome::kInconclusive;
    case RunEnd::kOutputTooLarge: return object::Outcome::kOutputTooLarge;
    default: return object::Outcome::kInconclusive;
  }
}

void tell_run(const work::RunDomain& run) {
  Run out;
  out.task = run.task;
  out.lease = run.lease_number;
  out.identity = run.module->identity;
  out.module = run.module->module;
  out.has_start = run.module->has_start;
  out.needs_fresh_instance = run.module->needs_fresh_instance;
  out.pages_min = run.module->memory_pages_min;
  out.args = run.args;
  out.environment = run.environment;
  out.input = run.input;
  for (const work::TaskFile& file : run.files) out.files.push_back({file.path, file.content});
  out.seed = run.seed;
  out.fuel_limit = run.fuel_limit;
  out.memory_bytes = run.memory_bytes;
  out.output_bytes_max = run.output_bytes_max;
  out.wall_ms = uint64_t(run.wall_max.ms());
  out.resume = run.resume;
  tell(Told::kRun, run.lease_number, codec::encode(out));
}

void tell_all(Tab::Out& out) {
  for (const TabEffect& effect : out.take()) {
    if (const auto* sign = std::get_if<SignThis>(&effect)) tell(Told::kSign, sign->number, sign->message);
    else if (const auto* packet = std::get_if<SendPacket>(&effect)) tell(Told::kPacket, packet->connection, packet->packet);
    else if (const auto* close = std::get_if<ClosePage>(&effect)) tell(Told::kClose, close->connection, view(close->reason));
    else if (const auto* run = std::get_if<RunProgram>(&effect)) tell_run(run->run);
    else if (const auto* stop = std::get_if<StopProgram>(&effect)) tell(Told::kStop, 0, stop->task);
    else if (const auto* all = std::get_if<StopPrograms>(&effect)) {
      uint8_t lease[8];
      store_u64(lease, all->lease_number);
      tell(Told::kStopAll, all->token, ByteView(lease));
    } else if (const auto* pace = std::get_if<PacePrograms>(&effect)) {
      uint8_t share[8];
      store_u32(share, pace->permille);
      store_u32(share + 4, uint32_t(pace->burst.ns / 1000));
      tell(Told::kPace, pace->lease_number, ByteView(share));
    } else if (const auto* heard = std::get_if<JobHeard>(&effect)) tell(Told::kJob, heard->request, heard->told);
    else if (const auto* reply = std::get_if<Reply>(&effect)) tell(reply->ok ? Told::kAnswer : Told::kRefusal, reply->request, view(reply->json));
    else if (const auto* say = std::get_if<Say>(&effect)) tell(Told::kSay, 0, view(say->text));
  }
}

template <class... Requests>
Result<node::ApiRequest> request_of(const Ask& ask) {
  std::optional<Result<node::ApiRequest>> out;
  const auto take = [&]<class R>() {
    if (ask.method != R::kMethod) return false;
    Result<R> request = codec::decode<R>(ask.params);
    out = request.ok() ? Result<node::ApiRequest>(node::ApiRequest(std::move(*request))) : Result<node::ApiRequest>(request.error());
    return true;
  };
  (void)(take.template operator()<Requests>() || ...);
  if (!out) return fail(Errc::kUnsupported, "a tab does not answer " + ask.method);
  return std::move(*out);
}

work::DomainResult result_of(Ran ran) {
  work::DomainResult out;
  out.outcome = outcome_of(ran);
  out.output = std::move(ran.output);
  out.message = std::move(ran.message);
  out.fuel = ran.fuel;
  out.cpu_ns = ran.cpu_ns;
  out.wall_ns = ran.wall_ns;
  out.memory_peak_bytes = out.resident_peak_bytes = ran.memory_bytes;
  if (ran.comparable) out.trace = ran.trace;
  return out;
}

Status take(Tab& tab, Instant now, In kind, uint64_t number, ByteView bytes, Tab::Out& out) {
  switch (kind) {
    case In::kSigned: return tab.on_signed(now, number, TRY(crypto::Signature::from(bytes)), out);
    case In::kLend: return tab.lend(now, TRY(codec::decode<Consent>(bytes)), out);
    case In::kTakeBack: return tab.take_back(now, TRY(crypto::PublicKey::from(bytes)), out);
    case In::kOpen: return tab.on_open(now, number, TRY(mesh::NodeKey::from(bytes)), out);
    case In::kPacket: tab.on_packet(now, number, to_bytes(bytes), out); return ok();
    case In::kClosed: tab.on_closed(now, number, {Errc::kUnavailable, to_string(bytes)}, out); return ok();
    case In::kRan: {
      Ran ran = TRY(codec::decode<Ran>(bytes));
      const work::TaskId task = ran.task;
      tab.on_ran(now, task, result_of(std::move(ran)), out);
      return ok();
    }
    case In::kHold: return tab.hold(now, TRY(crypto::PublicKey::from(bytes)), number != 0, out);
    case In::kJob: {
      AskJob ask = TRY(codec::decode<AskJob>(bytes));
      tab.ask_job(now, ask.site, {number, std::move(ask.program), std::move(ask.args), std::move(ask.input), ask.priority, ask.verify, ask.timeout_ms}, out);
      return ok();
    }
    case In::kDropJob: tab.drop_job(now, TRY(mesh::NodeKey::from(bytes)), number, out); return ok();
    case In::kStopped: tab.on_stopped(now, number, out); return ok();
    case In::kRequest: {
      using namespace node;
      Result<ApiRequest> request = request_of<StatusRequest, LeaseListRequest, LeaseChangeRequest, LeaseThrottleRequest, DomainListRequest, PeerListRequest, ReceiptsRequest, AuditHeadRequest, AuditListRequest, AuditProveRequest>(
          TRY(codec::decode<Ask>(bytes)));
      if (!request.ok()) return request.error();
      tab.on_request(now, number, std::move(*request), out);
      return ok();
    }
  }
  return fail(Errc::kInvalid, "there is no such input");
}

Instant instant_of(double unix_ms) { return {int64_t(unix_ms * 1e6)}; }

}  // namespace

// The module has one tab: its memory is the tab's.
static std::unique_ptr<Tab> the_tab;  // style: allow mutable_global because a WebAssembly instance is the object, and this its one member

extern "C" {

__attribute__((export_name("tab_alloc"))) uint8_t* tab_alloc(size_t size) { return static_cast<uint8_t*>(malloc(size)); }
__attribute__((export_name("tab_free"))) void tab_free(uint8_t* memory) { free(memory); }

/// `start`: 32 random bytes and the owner's public key.
__attribute__((export_name("tab_new"))) void tab_new(double now, const uint8_t* start) {
  Tab::Out out;
  const auto owner = crypto::PublicKey::from(ByteView(start + 32, 32));
  the_tab = std::make_unique<Tab>(instant_of(now), crypto::Seed::from(ByteView(start, 32)).value(), *owner, SELVEDGE_VERSION, out);
  tell(Told::kKey, 0, the_tab->key());
  tell_all(out);
}

__attribute__((export_name("tab_take"))) void tab_take(double now, uint32_t kind, double number, const uint8_t* bytes, size_t size) {
  Tab::Out out;
  const Status taken = take(*the_tab, instant_of(now), In(kind), uint64_t(number), ByteView(bytes, size), out);
  tell_all(out);
  if (!taken.ok()) tell(Told::kError, kind, view(taken.error().message));
}

__attribute__((export_name("tab_due"))) void tab_due(double now) {
  Tab::Out out;
  the_tab->on_deadline(instant_of(now), out);
  tell_all(out);
}

/// Milliseconds since 1970, or infinity.
__attribute__((export_name("tab_next"))) double tab_next() {
  const Instant next = the_tab->next_deadline();
  return next == Instant::never() ? __builtin_inf() : double(next.ns) / 1e6;
}

}  // extern "C"

}  // namespace selvedge::tab
#endif
