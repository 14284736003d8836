#include "node/hosting.h"

#include <algorithm>

#include "codec/cbor.h"
#include "codec/multibase.h"
#include "crypto/hash.h"

namespace selvedge::node {

std::optional<crypto::PublicKey> Hosting::owner_of(const NodeKey& node) const {
  if (node == core_.self()) return core_.owner();
  const mesh::Peer* peer = core_.sessions.find(node);
  if (peer == nullptr || !peer->record) return std::nullopt;
  return peer->record->body.owner;
}

// ---- what origins ask

void Hosting::on_message(Turn& turn, const NodeKey& from, const HostingMessages::Message& message) {
  const std::optional<crypto::PublicKey> owner = owner_of(from);
  if (!owner) return;
  if (const auto* asked = std::get_if<HostService>(&message)) {
    const Status taken = take(turn, from, *asked);
    if (taken.ok()) {
      if (hosted_.contains(asked->service)) tell(turn, asked->service);   // else its program could not be had, and that was told
      return;
    }
    const auto known = hosted_.find(asked->service);
    const bool theirs = known != hosted_.end() && known->second.origin == *owner;
    if (theirs) known->second.refusal = taken.error().message, known->second.refused_serial = asked->serial;
    ServiceState refused{asked->service, asked->serial, uint8_t(work::InstanceStage::kRefused), taken.error().message, 0, 0};
    core_.send(turn, from, HostingMessages::encode(refused));
    return;
  }
  if (const auto* renew = std::get_if<RenewService>(&message)) {
    const auto known = hosted_.find(renew->service);
    if (known == hosted_.end() || known->second.origin != *owner) return;
    const auto proof = open_proof(turn, *owner, renew->service, renew->proof);
    if (!proof.ok()) return;
    known->second.proof_expires = std::max(known->second.proof_expires, proof->body.expires);
    services_.renew_hosted(renew->service, renew->proof, proof->body.expires);
    return;
  }
  if (const auto* over = std::get_if<EndService>(&message)) {
    const auto known = hosted_.find(over->service);
    if (known != hosted_.end() && known->second.origin != *owner) return;
    end(turn, over->service);
    // What was said of it before may still be under way: this comes after it.
    core_.send(turn, from, HostingMessages::encode(ServiceState{over->service, 0, uint8_t(work::InstanceStage::kEnded), "", 0, 0}));
  }
}

Result<object::Signed<object::IngressSet>> Hosting::open_proof(Turn& turn, const crypto::PublicKey& origin, const crypto::PublicKey& service, ByteView bytes) const {
  auto proof = TRY(object::open_object<object::IngressSet>(bytes, core_.authority.verifier()));
  const bool names_us = std::any_of(proof.body.endpoints.begin(), proof.body.endpoints.end(), [&](const auto& each) { return each.key == core_.self(); });
  if (proof.signer != service || proof.body.service != service || proof.body.origin != origin || !names_us) return fail(Errc::kUnauthorized, "the service did not sign that this machine may run it");
  if (proof.body.expires <= turn.now.unix_seconds()) return fail(Errc::kExpired, "what the service signed has expired");
  return proof;
}

Status Hosting::take(Turn& turn, const NodeKey& from, const HostService& asked) {
  const crypto::PublicKey origin = *owner_of(from);
  if (asked.access > uint8_t(Access::kLast) || asked.owners.size() > kHostedOwnersMax) return fail(Errc::kInvalid, "nobody is named that way");
  const auto proof = TRY(open_proof(turn, origin, asked.service, asked.proof));
  auto offer = TRY(object::open_object<object::TaskOffer>(asked.offer, core_.authority.verifier()));
  if (offer.body.spec.origin != origin) return fail(Errc::kUnauthorized, "the offer is another origin's");
  const auto known = hosted_.find(asked.service);
  if (known != hosted_.end() && known->second.origin != origin) return fail(Errc::kUnauthorized, "the service is another origin's");
  if (known == hosted_.end() && services_.exposes(asked.service)) return fail(Errc::kExists, "this machine has that service already, as its own");
  if (known == hosted_.end() && hosted_.size() >= kHostedMax) return fail(Errc::kLimit, "this machine runs as many services as it can");
  if (known != hosted_.end() && known->second.running && known->second.running->serial >= asked.serial) {
    known->second.proof_expires = std::max(known->second.proof_expires, proof.body.expires);
    services_.renew_hosted(asked.service, asked.proof, proof.body.expires);
    return ok();   // it runs; the origin forgot that
  }
  const work::TaskId task = offer.body.task;
  Coming coming{task, {asked.serial, offer.body.grant, offer.body.spec, {}}, asked};
  coming.asked.offer.clear();
  Hosted& hosted = hosted_[asked.service];
  hosted.origin = origin;
  hosted.name = proof.body.name;
  hosted.refusal.clear();
  hosted.coming = std::move(coming);   // on_program may come before take_program() is back
  const Status taken = workshop_.take_program(turn, from, std::move(offer));
  if (taken.ok()) return ok();
  const auto there = hosted_.find(asked.service);
  if (there == hosted_.end()) return taken;
  there->second.coming.reset();
  if (!there->second.running) hosted_.erase(there);
  return taken;
}

void Hosting::on_program(Turn& turn, const work::TaskId& task, Result<work::Program> program) {
  const auto it = std::find_if(hosted_.begin(), hosted_.end(), [&](const auto& each) { return each.second.coming && each.second.coming->task == task; });
  if (it == hosted_.end()) return;
  const crypto::PublicKey service = it->first;
  Hosted& hosted = it->second;
  Coming coming = std::move(*hosted.coming);
  hosted.coming.reset();
  const auto proof = open_proof(turn, hosted.origin, service, coming.asked.proof);
  if (!program.ok() || !proof.ok()) {
    hosted.refusal = program.ok() ? proof.error().message : program.error().message;
    hosted.refused_serial = coming.version.serial;
    tell(turn, service);
    if (!hosted.running) hosted_.erase(it);
    return;
  }
  coming.version.program = std::move(program).value();
  const bool first = !hosted.running;
  hosted.proof_expires = proof->body.expires;
  hosted.running = std::move(coming.version);   // requests under way keep what they began with
  hosted.terms = std::move(coming.asked);
  if (!hosted.terms.state) states_.resign(turn, service);   // it was removed, and begins anew without
  if (!hosted.terms.state || states_.leads(service) != 0) show(turn, service, hosted);
  const std::string what = (first ? "runs service " : "runs a newer version of service ") + hosted.name;
  core_.audit(turn, {object::AuditKind::kLease, convert<crypto::Digest>(hosted.running->grant), what, AuditBytes::kWithin}, view(what));
  tell(turn, service);
}

void Hosting::show(Turn& turn, const crypto::PublicKey& service, Hosted& hosted) {
  const HostService& terms = hosted.terms;
  services_.host(turn, service, {hosted.name, hosted_target(service), Access(terms.access), terms.owners, terms.connections_max}, hosted.origin, terms.proof, hosted.proof_expires);
  hosted.shown = true;
  hosted.hide_at = Instant::never();
}

bool Hosting::has_state(const crypto::PublicKey& service, const crypto::PublicKey& origin) const {
  const auto it = hosted_.find(service);
  return it != hosted_.end() && it->second.origin == origin && it->second.running && it->second.terms.state;
}

void Hosting::on_lead_changed(Turn& turn, const crypto::PublicKey& service) {
  const auto it = hosted_.find(service);
  if (it == hosted_.end() || !it->second.running || !it->second.terms.state) return;
  Hosted& hosted = it->second;
  if (states_.leads(service) != 0) {
    show(turn, service, hosted);
  } else {
    refuse_waiting(turn, hosted);
    if (hosted.shown && hosted.hide_at == Instant::never()) hosted.hide_at = turn.now + kShownWithout;
  }
  tell(turn, service);
}

void Hosting::end(Turn& turn, const crypto::PublicKey& service) {
  const auto it = hosted_.find(service);
  if (it == hosted_.end()) return;
  refuse_waiting(turn, it->second);
  for (const auto& [task, request] : requests_) {
    if (request.service == service) workshop_.cancel_request(turn, task);
  }
  if (it->second.running) {
    const std::string what = "runs service " + it->second.name + " no longer";
    core_.audit(turn, {object::AuditKind::kLease, convert<crypto::Digest>(it->second.running->grant), what, AuditBytes::kWithin}, view(what));
  }
  hosted_.erase(it);
  services_.end_hosted(turn, service);
  states_.resign(turn, service);
}

void Hosting::on_lease_ended(Turn& turn, const object::ObjectId& grant) {
  std::vector<crypto::PublicKey> ending;
  for (auto& [service, hosted] : hosted_) {
    if (hosted.coming && hosted.coming->version.grant == grant) hosted.coming.reset();
    if ((hosted.running && hosted.running->grant == grant) || (!hosted.running && !hosted.coming)) ending.push_back(service);
  }
  for (const crypto::PublicKey& service : ending) {
    Hosted& hosted = hosted_.at(service);
    hosted.refusal = "the lease has ended";
    hosted.refused_serial = hosted.running ? hosted.running->serial : 0;
    const bool state = hosted.running && hosted.terms.state;
    hosted.running.reset();
    tell(turn, service);
    end(turn, service);
    if (state) states_.drop(turn, service, [](Turn&, const Status&) {});   // what lies here lies under the lease
  }
}

void Hosting::on_lease_stage(Turn& turn, const object::ObjectId& grant) {
  for (const auto& [service, hosted] : hosted_) {
    if (hosted.running && hosted.running->grant == grant) tell(turn, service);
  }
}

void Hosting::on_deadline(Turn& turn) {
  std::vector<crypto::PublicKey> over;
  for (auto& [service, hosted] : hosted_) {
    if (hosted.tell_at <= turn.now) {
      hosted.tell_at = Instant::never();
      tell(turn, service);
      ServiceLog log = std::exchange(hosted.log, {});
      log.service = service;
      if (!log.lines.empty()) send_origin(turn, hosted, HostingMessages::encode(log));
    }
    if (hosted.terms.state && hosted.shown) {
      // A writer that nobody follows answers nothing: clients look for another one.
      if (states_.serves(turn.now, service)) hosted.hide_at = Instant::never();
      else if (hosted.hide_at == Instant::never()) hosted.hide_at = turn.now + kShownWithout;
      if (hosted.hide_at <= turn.now) hosted.shown = false, hosted.hide_at = Instant::never(), services_.end_hosted(turn, service);
    } else if (hosted.terms.state && hosted.running && states_.serves(turn.now, service)) {
      show(turn, service, hosted);
    }
    if (!hosted.running || hosted.proof_expires > turn.now.unix_seconds()) continue;
    hosted.refusal = "its origin did not renew what the service signed";
    hosted.refused_serial = hosted.running->serial;
    over.push_back(service);
  }
  for (const crypto::PublicKey& service : over) {
    tell(turn, service);
    end(turn, service);
  }
}

Instant Hosting::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [service, hosted] : hosted_) {
    soonest = std::min({soonest, hosted.tell_at, hosted.hide_at});
    if (hosted.running) soonest = std::min(soonest, Instant::from_unix_seconds(hosted.proof_expires));
  }
  return soonest;
}

// ---- telling them

ServiceState Hosting::state_of(const crypto::PublicKey& service, const Hosted& hosted) const {
  ServiceState out{service, 0, uint8_t(work::InstanceStage::kRefused), hosted.refusal, hosted.requests, hosted.failed};
  if (hosted.coming) {
    out.serial = hosted.coming->version.serial;
    out.stage = uint8_t(work::InstanceStage::kGathering);
  } else if (hosted.running && hosted.refusal.empty()) {
    const work::LeaseEntry* lease = workshop_.leases().find(hosted.running->grant);
    const bool runs = lease != nullptr && lease->usable();
    out.serial = hosted.running->serial;
    const bool stands_by = hosted.terms.state && states_.leads(service) == 0;
    out.stage = uint8_t(!runs ? work::InstanceStage::kRefused : stands_by ? work::InstanceStage::kStandby : work::InstanceStage::kServing);
    if (!runs) out.message = "the machine's owner paused the lease";
  } else {
    out.serial = hosted.refused_serial;
  }
  return out;
}

void Hosting::tell(Turn& turn, const crypto::PublicKey& service) {
  const Hosted& hosted = hosted_.at(service);
  send_origin(turn, hosted, HostingMessages::encode(state_of(service, hosted)));
}

void Hosting::send_origin(Turn& turn, const Hosted& hosted, const Bytes& message) {
  if (hosted.origin == core_.owner()) core_.send(turn, core_.self(), Bytes(message));
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (core_.sessions.up(key) && peer.record && peer.record->body.owner == hosted.origin) core_.send(turn, key, Bytes(message));
  }
}

void Hosting::on_peer_up(Turn& turn, const NodeKey& peer) {
  const std::optional<crypto::PublicKey> owner = owner_of(peer);
  for (const auto& [service, hosted] : hosted_) {
    if (owner && hosted.origin == *owner) core_.send(turn, peer, HostingMessages::encode(state_of(service, hosted)));
  }
}

// ---- requests

void Hosting::reply(Turn& turn, uint64_t http, unsigned status, const std::string& text) {
  work::HttpReply out{status, {{"Content-Type", "text/plain; charset=utf-8"}}, to_bytes(view(text + "\n"))};
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  turn.out.push(AnswerHttp{http, std::move(out)});
}

// Another service, or a newer version of this one, is another instance; and so it is where another machine may have changed the state. Never 0.
static uint64_t instance_of(const crypto::PublicKey& service, uint64_t serial, uint64_t term) {
  Bytes name = to_bytes(service);
  append_u64(name, serial);
  append_u64(name, term);
  return load_u64(crypto::sha256(name).bytes.data()) | 1;
}

void Hosting::on_http(Turn& turn, uint64_t id, const crypto::PublicKey& service, const work::HttpCall& call) {
  const auto it = hosted_.find(service);
  if (it == hosted_.end() || !it->second.running) return reply(turn, id, 503, "The service is not here any more.");
  Hosted& hosted = it->second;
  if (hosted.terms.state && !states_.serves(turn.now, service)) return reply(turn, id, 503, "This machine may not change the service's state now.");
  ++hosted.requests;
  if (hosted.tell_at == Instant::never()) hosted.tell_at = turn.now + kCountsEvery;
  if (hosted.under_way >= kHostedRequestsMax) {
    ++hosted.failed;
    return reply(turn, id, 503, "The service has as many requests as it takes.");
  }
  Result<std::vector<std::string>> environment = work::cgi_environment(call, codec::key_text(service), turn.now);
  if (!environment.ok()) {
    ++hosted.failed;
    return reply(turn, id, 431, environment.error().message);
  }
  const Version& version = *hosted.running;
  environment->insert(environment->end(), version.spec.environment.begin(), version.spec.environment.end());
  std::sort(environment->begin(), environment->end());
  work::RunDomain run{core_.drbg.draw<work::TaskId>(), 0, {}, version.program.module, version.spec.args, std::move(environment).value(), call.body, version.program.files,
                      load_u64(core_.drbg.draw<object::Unique>().bytes.data()), version.spec.fuel_limit, version.spec.memory_bytes, kResponseBytesMax, kRequestWallMax};
  run.service = instance_of(service, version.serial, states_.leads(service));
  const work::TaskId task = run.task;
  requests_[task] = {id, service, version.grant};
  by_http_[id] = task;
  ++hosted.under_way;
  if (hosted.terms.state) {
    hosted.queue.push_back(std::move(run));
    return run_next(turn, service);
  }
  const Status started = workshop_.run_request(turn, version.grant, std::move(run));
  if (!started.ok()) not_started(turn, hosted, task, started.error());
}

void Hosting::not_started(Turn& turn, Hosted& hosted, const work::TaskId& task, const Error& why) {
  const uint64_t http = requests_.at(task).http;
  requests_.erase(task);
  by_http_.erase(http);
  --hosted.under_way;
  ++hosted.failed;
  if (http != 0) reply(turn, http, 503, "The machine does not run it now: " + why.message + ".");
}

// Of a service with state: the next request, which sees what the one before it changed.
void Hosting::run_next(Turn& turn, const crypto::PublicKey& service) {
  const auto it = hosted_.find(service);
  while (it != hosted_.end() && !it->second.busy && !it->second.queue.empty()) {
    work::RunDomain run = std::move(it->second.queue.front());
    it->second.queue.pop_front();
    const work::TaskId task = run.task;
    Request& request = requests_.at(task);
    request.term = states_.leads(service);
    run.state = states_.view(service);
    const Status started = run.state == nullptr ? Status(fail(Errc::kUnavailable, "another one is to take over")) : workshop_.run_request(turn, request.grant, std::move(run));
    if (started.ok()) it->second.busy = true;
    else not_started(turn, it->second, task, started.error());
  }
}

void Hosting::refuse_waiting(Turn& turn, Hosted& hosted) {
  for (const work::RunDomain& run : std::exchange(hosted.queue, {})) not_started(turn, hosted, run.task, fail(Errc::kUnavailable, "another one is to take over"));
}

void Hosting::on_http_gone(Turn& turn, uint64_t id) {
  const auto it = by_http_.find(id);
  if (it == by_http_.end()) return;
  const auto hosted = hosted_.find(requests_.at(it->second).service);
  if (hosted != hosted_.end() && std::erase_if(hosted->second.queue, [&](const work::RunDomain& run) { return run.task == it->second; }) > 0) {
    --hosted->second.under_way;
    requests_.erase(it->second);
    by_http_.erase(it);
    return;
  }
  workshop_.cancel_request(turn, it->second);   // its answer still comes, to nobody
  requests_.at(it->second).http = 0;
  by_http_.erase(it);
}

namespace {

struct Failure {
  unsigned status;
  const char* text;
};

Failure failure_of(object::Outcome outcome) {
  switch (outcome) {
    case object::Outcome::kFuel: return {504, "The service used up what one request may compute."};
    case object::Outcome::kMemory: return {502, "The service needs more memory than it may have."};
    case object::Outcome::kOutputTooLarge: return {502, "The service's response is larger than one may be."};
    case object::Outcome::kInconclusive: return {503, "The service was stopped."};
    default: return {502, "The service's program failed."};
  }
}

}  // namespace

// Text that travels: what is no UTF-8, or was cut within a character, loses what nobody could read.
static std::string plain_text(std::string_view text) {
  std::string out(text);
  if (codec::is_utf8(out)) return out;
  for (char& c : out) c = uint8_t(c) < 0x80 ? c : '?';
  return out;
}

// What a program says on its standard error, line by line, and why it failed where it did.
void Hosting::note(Turn& turn, Hosted& hosted, const work::DomainResult& result) {
  const auto add = [&](std::string_view text) {
    if (text.empty()) return;
    if (hosted.log.lines.size() >= kLogLinesPerMessageMax) {
      ++hosted.log.left_out;
      return;
    }
    hosted.log.lines.push_back({turn.now.unix_ms(), plain_text(text.substr(0, kLogLineBytesMax))});
    if (hosted.tell_at == Instant::never()) hosted.tell_at = turn.now + kCountsEvery;
  };
  for (std::string_view rest = result.errors; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    add(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (result.outcome != object::Outcome::kOk && !result.message.empty()) add("a request failed: " + result.message);
}

void Hosting::on_domain(Turn& turn, const work::TaskId& task, const object::Handle& lease_cap, const work::DomainResult& result) {
  const Request request = requests_.at(task);
  requests_.erase(task);
  by_http_.erase(request.http);
  const auto it = hosted_.find(request.service);
  if (it != hosted_.end()) note(turn, it->second, result);
  const Status counts = workshop_.request_done(turn, request.grant, task, lease_cap, result);
  Result<work::HttpReply> response = fail(Errc::kInvalid, "");
  Failure failure{503, "The service was stopped."};
  if (counts.ok()) failure = failure_of(result.outcome);
  if (counts.ok() && result.outcome == object::Outcome::kOk) {
    response = work::parse_cgi_response(result.output);
    if (!response.ok()) core_.trace(turn, "a response of service " + codec::key_text(request.service).substr(0, 8) + " is none: " + response.error().message);
  }
  if (request.term != 0 && it != hosted_.end()) it->second.busy = false;
  if (!response.ok()) {
    answered(request.service, false);
    if (request.http != 0) reply(turn, request.http, failure.status, failure.text);
  } else if (request.term == 0) {
    answered(request.service, true);
    if (request.http != 0) turn.out.push(AnswerHttp{request.http, std::move(response).value()});
  } else {
    keep(turn, request, result.writes, std::move(response).value());
  }
  if (request.term != 0) run_next(turn, request.service);
}

// What the request changed, and what it saw, must not be lost once its client knows of it.
void Hosting::keep(Turn& turn, const Request& request, const std::vector<wasi::StateWrite>& writes, work::HttpReply response) {
  const auto then = [this, request, response](Turn& t, const Status& kept) {
    answered(request.service, kept.ok());
    if (request.http == 0) return;
    if (kept.ok()) t.out.push(AnswerHttp{request.http, response});
    else reply(t, request.http, kept.code() == Errc::kUnavailable ? 503 : 502, "It is not certain that what the request changed is kept: " + kept.error().message + ".");
  };
  if (states_.leads(request.service) != request.term) return then(turn, fail(Errc::kUnavailable, "another machine is to take over"));
  states_.commit(turn, request.service, writes, then);
}

void Hosting::answered(const crypto::PublicKey& service, bool well) {
  const auto it = hosted_.find(service);
  if (it == hosted_.end()) return;
  if (it->second.under_way > 0) --it->second.under_way;
  if (!well) ++it->second.failed;
}

std::vector<HostedInfo> Hosting::list() const {
  std::vector<HostedInfo> out;
  for (const auto& [service, hosted] : hosted_) {
    const ServiceState state = state_of(service, hosted);
    out.push_back({hosted.name, object::service_address(service), hosted.origin, hosted.running ? convert<crypto::Digest>(hosted.running->grant) : crypto::Digest{}, state.serial,
                   work::enum_name(work::InstanceStage(state.stage)), hosted.under_way, hosted.requests, hosted.failed, hosted.refusal});
  }
  return out;
}

}  // namespace selvedge::node
