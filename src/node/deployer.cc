#include "node/deployer.h"

#include <algorithm>

#include "codec/multibase.h"
#include "crypto/hash.h"
#include "node/offers.h"
#include "object/ingress.h"

namespace selvedge::node {

namespace {
bool settled(work::InstanceStage stage) { return stage == work::InstanceStage::kServing || stage == work::InstanceStage::kStandby; }
uint32_t wanted_of(const Intent& intent) { return intent.suspended || intent.removed != 0 ? 0 : intent.replicas; }
}  // namespace

void Deployer::restore() {
  for (const store::RecordRef& record : core_.records(Record::kIntent)) {
    Result<Intent> intent = codec::decode<Intent>(*record.value);
    if (intent.ok() && intents_.size() < kIntentsMax) intents_[convert<crypto::PublicKey>(record.id)] = std::move(intent).value();
  }
}

void Deployer::keep(Turn& turn, const crypto::PublicKey& service, const Intent& intent) {
  core_.put_record(turn, Record::kIntent, service, codec::encode(intent), [this](Turn& t, const Status& kept) {
    if (!kept.ok()) core_.trace(t, "ALERT: what is wanted of a service is not on disk, and a restart would forget it: " + kept.error().message);
  });
}

// ---- what is wanted

Result<Intent> Deployer::intent_of(const DeployRequest& request) const {
  TRY(core_.need_root("selvedge deploy"));
  Intent out;
  out.name = request.name;
  out.zone = TRY(core_.zone_named(request.zone));
  if (request.replicas < 1 || request.replicas > work::kReplicasMax) return fail(Errc::kInvalid, "1 to " + std::to_string(work::kReplicasMax) + " machines may run it; to have it rest: selvedge service suspend");
  out.replicas = request.replicas;
  if (request.access == "public") out.access = Access::kPublic;
  else if (request.access == "keys") out.access = Access::kKeys;
  else if (request.access != "owner") return fail(Errc::kInvalid, "\"" + request.access.substr(0, 40) + "\" is nobody: public, owner or keys");
  for (const std::string& text : request.owners) out.owners.push_back(TRY(codec::parse_key(text)));
  if (out.owners.size() > kHostedOwnersMax || (out.access == Access::kKeys && out.owners.empty())) return fail(Errc::kInvalid, "name 1 to 256 owners whose machines may connect");
  out.connections_max = request.connections_max;
  if (request.module.size > work::kModuleBytesMax) return fail(Errc::kLimit, "the program is larger than a module may be (" + std::to_string(work::kModuleBytesMax >> 20) + " MiB)");
  out.spec.origin = core_.owner();
  out.spec.args = {request.module.name};
  if (!request.manifest.empty()) {
    const Bytes bytes = TRY(from_hex(request.manifest));
    const auto manifest = TRY(object::open_object<object::Manifest>(bytes, core_.authority.verifier()));
    const object::BundleEntry* entry = manifest.body.find_entry(request.entry);
    if (entry == nullptr) return fail(Errc::kNotFound, "the bundle has no entry \"" + request.entry + "\": selvedge bundle inspect shows them");
    out.manifest = bytes;
    out.spec.bundle = manifest.id;
    out.spec.entry = request.entry;
    out.spec.args.insert(out.spec.args.end(), entry->args.begin(), entry->args.end());
  }
  out.spec.args.insert(out.spec.args.end(), request.args.begin(), request.args.end());
  out.spec.environment = request.environment;
  std::sort(out.spec.environment.begin(), out.spec.environment.end());
  out.spec.fuel_limit = request.fuel_limit == 0 ? kRequestFuelDefault : request.fuel_limit;
  out.spec.memory_bytes = request.memory_bytes == 0 ? kTaskMemoryDefault : request.memory_bytes;
  out.spec.output_bytes_max = work::kTaskOutputBytesMax;
  return out;
}

void Deployer::deploy(Turn& turn, RequestId id, const DeployRequest& request) {
  Result<Intent> intent = intent_of(request);
  if (!intent.ok()) return turn.out.push(Refuse{id, intent.error()});
  if (intents_.size() >= kIntentsMax) return turn.out.push(Refuse{id, fail(Errc::kLimit, "this owner has as many services as a node keeps running (256)")});
  zones_.tell_hosts(turn, intent->zone);
  std::vector<PutItem> items{{{request.module.path, request.module.name, request.module.size}, nullptr, nullptr, {}}};
  for (const DeployFile& file : request.files) items.push_back({{file.path, file.name, file.size}, nullptr, nullptr, {}});
  const object::ZoneId zone = intent->zone;
  library_.put(turn, zone, std::move(items), [](Turn&, const TransferProgress&) {}, [this, id, request, wanted = std::move(intent).value()](Turn& t, PutOutcome put) {
    stored(t, id, wanted, request, std::move(put));
  });
}

void Deployer::stored(Turn& turn, RequestId id, Intent intent, const DeployRequest& request, PutOutcome put) {
  if (!put.status.ok()) return turn.out.push(Refuse{id, put.status.error()});
  for (size_t i = 0; i < put.files.size(); ++i) {
    const std::optional<Blob> blob = library_.find(intent.zone, put.files[i].cid);
    if (!blob) return turn.out.push(Refuse{id, fail(Errc::kInternal, "what was just stored is not there")});
    intent.blobs.push_back(blob->ref);
    if (i == 0) intent.spec.module = blob->ref.cid;
    else intent.spec.inputs.push_back({blob->ref.cid, std::nullopt, request.files[i - 1].name});
  }
  if (const Status good = intent.spec.validate(); !good.ok()) return turn.out.push(Refuse{id, good.error()});
  const std::unique_ptr<crypto::Signer> signer = core_.config.make_signer(object::service_key_seed(*core_.config.zone_root, intent.name));
  const crypto::PublicKey service = signer->public_key();
  if (const Result<Bytes> proof = prove(turn, intent, core_.self()); !proof.ok()) return turn.out.push(Refuse{id, proof.error()});   // no name for a service, say
  if (!request.state && keeper_.has(service)) {
    return turn.out.push(Refuse{id, fail(Errc::kInvalid, "the service has a state, which the new version would be without: deploy it with --state, or remove it first (selvedge service remove)")});
  }
  if (!request.state) return want(turn, id, service, std::move(intent));
  keeper_.want(turn, service, intent.name, [this, id, service, intent](Turn& t, const Status& kept) {
    if (kept.ok()) want(t, id, service, intent);
    else t.out.push(Refuse{id, kept.error()});
  });
}

void Deployer::want(Turn& turn, RequestId id, const crypto::PublicKey& service, Intent intent) {
  const auto before = intents_.find(service);
  intent.serial = std::max(turn.now.unix_ms(), before == intents_.end() ? 0 : before->second.serial + 1);
  intents_[service] = std::move(intent);
  waiting_[id] = service;
  (void)changed(turn, service, "is wanted");
}

Result<crypto::PublicKey> Deployer::named(const std::string& name) const {
  for (const auto& [service, intent] : intents_) {
    if (intent.name == name && intent.removed == 0) return service;
  }
  return fail(Errc::kNotFound, "no service \"" + name.substr(0, 80) + "\" was deployed from here (selvedge service list)");
}

Result<DeploymentInfo> Deployer::changed(Turn& turn, const crypto::PublicKey& service, const std::string& what) {
  const Intent& intent = intents_.at(service);
  keep(turn, service, intent);
  const std::string text = "service " + intent.name + " " + what + ": " + std::to_string(wanted_of(intent)) + " machines";
  core_.audit(turn, {object::AuditKind::kNode, crypto::sha256(service), text, AuditBytes::kWithin}, view(text));
  refresh(turn);
  return info(turn.now, service, intents_.at(service));
}

Result<DeploymentInfo> Deployer::scale(Turn& turn, const ScaleRequest& request) {
  const crypto::PublicKey service = TRY(named(request.name));
  if (request.replicas < 1 || request.replicas > work::kReplicasMax) return fail(Errc::kInvalid, "1 to " + std::to_string(work::kReplicasMax) + " machines may run it; to have it rest: selvedge service suspend");
  intents_.at(service).replicas = request.replicas;
  return changed(turn, service, "is scaled");
}

Result<DeploymentInfo> Deployer::suspend(Turn& turn, const SuspendRequest& request) {
  const crypto::PublicKey service = TRY(named(request.name));
  intents_.at(service).suspended = request.suspended;
  return changed(turn, service, request.suspended ? "is suspended" : "is resumed");
}

Result<DeploymentInfo> Deployer::remove(Turn& turn, const RemoveServiceRequest& request) {
  const crypto::PublicKey service = TRY(named(request.name));
  const DeploymentInfo was = info(turn.now, service, intents_.at(service));
  Intent& intent = intents_.at(service);
  intent.removed = turn.now.unix_seconds();
  reported_.erase(service);
  keep(turn, service, intent);
  keeper_.remove(turn, service);
  const std::string text = "service " + request.name + " is wanted no longer";
  core_.audit(turn, {object::AuditKind::kNode, crypto::sha256(service), text, AuditBytes::kWithin}, view(text));
  std::vector<RequestId> nobody;
  for (const auto& [id, of] : waiting_) {
    if (of == service) nobody.push_back(id);
  }
  for (const RequestId id : nobody) {
    waiting_.erase(id);
    turn.out.push(Refuse{id, fail(Errc::kCancelled, "the service was removed meanwhile")});
  }
  refresh(turn);
  return was;
}

// ---- what is seen

void Deployer::on_message(Turn& turn, const NodeKey& from, const HostingMessages::Message& message) {
  if (const auto* log = std::get_if<ServiceLog>(&message)) return on_log(from, *log);
  const auto* state = std::get_if<ServiceState>(&message);
  if (state == nullptr || state->stage > uint8_t(work::InstanceStage::kLast) || core_.sessions.find(from) == nullptr) return;
  const auto known = placements_.find({state->service, from});
  if (state->stage == uint8_t(work::InstanceStage::kEnded)) {
    // Asked again meanwhile: that comes later on the same link, and is answered.
    if (known != placements_.end() && known->second.stage != work::InstanceStage::kAsked) placements_.erase(known);
    return refresh(turn);
  }
  if (known == placements_.end() && placements_.size() >= kIntentsMax * work::kReplicasMax) return;
  // One that speaks of an older version than it was just given has not read that yet.
  if (known != placements_.end() && known->second.stage == work::InstanceStage::kAsked && state->serial < known->second.serial) return;
  Placement& placement = placements_[{state->service, from}];
  placement.serial = state->serial;
  placement.stage = work::InstanceStage(state->stage);
  const bool serves = placement.stage == work::InstanceStage::kServing, stands_by = placement.stage == work::InstanceStage::kStandby;
  if (serves || stands_by) placement.runs = serves, placement.has = true;
  if (placement.stage == work::InstanceStage::kRefused) placement.runs = placement.has = false;
  placement.message = state->message.substr(0, 200);
  placement.requests = state->requests;
  placement.failed = state->failed;
  placement.due = serves || stands_by ? Instant::never()
                  : turn.now + (placement.stage == work::InstanceStage::kRefused ? kPlaceRest : kPlaceGatherMax);
  refresh(turn);
}

void Deployer::on_log(const NodeKey& from, const ServiceLog& log) {
  if (!intents_.contains(log.service) || !placements_.contains({log.service, from}) || log.lines.size() > kLogLinesPerMessageMax) return;
  Log& kept = logs_[log.service];
  const auto add = [&](uint64_t at_ms, std::string text) {
    kept.lines.push_back({kept.next++, at_ms, from, std::move(text)});
    if (kept.lines.size() > kServiceLogLinesMax) kept.lines.pop_front();
  };
  for (const LogLine& line : log.lines) add(line.at_ms, line.text.substr(0, kLogLineBytesMax));
  if (log.left_out > 0) add(log.lines.empty() ? 0 : log.lines.back().at_ms, std::to_string(log.left_out) + " more lines were left out");
}

Result<ServiceLogsAnswer> Deployer::logs(const ServiceLogsRequest& request) const {
  const crypto::PublicKey service = TRY(named(request.name));
  ServiceLogsAnswer out;
  const auto kept = logs_.find(service);
  if (kept == logs_.end()) return out;
  out.next = kept->second.next;
  for (const ServiceLogsAnswer::Line& line : kept->second.lines) {
    if (line.number > request.after) out.lines.push_back(line);
  }
  return out;
}

void Deployer::on_peer_down(const NodeKey& peer) {
  std::erase_if(placements_, [&](const auto& each) { return each.first.second == peer; });
}

std::vector<work::HostMachine> Deployer::machines(Instant now, const object::ZoneId& zone) const {
  std::vector<work::HostMachine> out;
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (!core_.serving.count(key) || !core_.sessions.up(key) || !peer.record || contractor_.banned(key)) continue;
    if (core_.authority.granted_by(now, key, object::kCompute) == nullptr || !zones_.ready(key, zone)) continue;
    out.push_back({key, peer.record->body.owner});
  }
  return out;
}

std::vector<NodeKey> Deployer::machines_with(const crypto::PublicKey& service) const {
  std::vector<NodeKey> out;
  for (const bool runs : {true, false}) {
    for (const auto& [name, placement] : placements_) {
      if (name.first == service && placement.has && placement.runs == runs) out.push_back(name.second);
    }
  }
  return out;
}

Result<ServiceStateAnswer> Deployer::state(const ServiceStateRequest& request) const { return keeper_.info(TRY(named(request.name))); }

std::vector<NodeKey> Deployer::machines_of(const crypto::PublicKey& service) const {
  std::vector<NodeKey> out;
  for (const auto& [name, placement] : placements_) {
    if (name.first == service && placement.runs) out.push_back(name.second);
  }
  return out;
}

// ---- making it so

// What nothing is known of here is another device's of this owner: it is left alone.
void Deployer::refresh(Turn& turn) {
  for (const auto& [service, intent] : intents_) {
    std::vector<work::SeenInstance> seen;
    for (const auto& [name, placement] : placements_) {
      if (name.first == service) seen.push_back({name.first, name.second, placement.serial, placement.stage});
    }
    carry_out(turn, work::reconcile({{service, intent.serial, wanted_of(intent)}}, machines(turn.now, intent.zone), seen));
  }
  keeper_.tend(turn);
  report(turn);
}

void Deployer::carry_out(Turn& turn, const std::vector<work::ReconcileStep>& steps) {
  for (const work::ReconcileStep& step : steps) {
    if (const auto* one = std::get_if<work::PlaceInstance>(&step)) {
      place(turn, one->service, one->node);
      continue;
    }
    const auto& end = std::get<work::EndInstance>(step);
    placements_.erase({end.service, end.node});
    core_.send(turn, end.node, HostingMessages::encode(EndService{end.service}));
  }
}

void Deployer::place(Turn& turn, const crypto::PublicKey& service, const NodeKey& node) {
  const Intent& intent = intents_.at(service);
  Placement& placement = placements_[{service, node}];
  placement.serial = intent.serial;
  Result<Bytes> message = host_message(turn, service, intent, node);
  if (message.ok() && core_.send(turn, node, std::move(message).value())) {
    placement.stage = work::InstanceStage::kAsked;
    placement.message.clear();
    placement.due = turn.now + kPlaceAnswerMax;
    placement.proof_expires = turn.now.unix_seconds() + object::kIngressEpochSecondsMax;
    return;
  }
  placement.stage = work::InstanceStage::kRefused;
  placement.message = message.ok() ? "the machine went away" : message.error().message;
  placement.due = turn.now + kPlaceRest;
}

Result<Bytes> Deployer::host_message(Turn& turn, const crypto::PublicKey& service, const Intent& intent, const NodeKey& node) {
  HostService out{service, intent.serial, {}, TRY(prove(turn, intent, node)), uint8_t(intent.access), intent.owners, intent.connections_max, keeper_.has(service)};
  out.offer = TRY(make_offer(turn, core_, library_, {core_.drbg.draw<work::TaskId>(), node, intent.zone, intent.spec, intent.manifest, intent.blobs}));
  return HostingMessages::encode(out);
}

// All that a machine ever gets of the service's key: its word, for an hour, that clients may speak to this machine.
Result<Bytes> Deployer::prove(Turn& turn, const Intent& intent, const NodeKey& node) const {
  if (!core_.config.zone_root) return core_.need_root("selvedge deploy").error();
  const std::unique_ptr<crypto::Signer> signer = core_.config.make_signer(object::service_key_seed(*core_.config.zone_root, intent.name));
  object::IngressSet set;
  set.service = signer->public_key();
  set.origin = core_.owner();
  set.name = intent.name;
  set.endpoints.push_back({core_.drbg.draw<object::EndpointHandle>(), node, node, object::kProtocolHttp});
  set.policy.auth = intent.access == Access::kPublic ? object::IngressAuth::kPublic : object::IngressAuth::kMutual;
  set.policy.connections_max = intent.connections_max;
  set.issued = turn.now.unix_seconds();
  set.expires = set.issued + object::kIngressEpochSecondsMax;
  set.epoch = turn.now.unix_ms();
  return TRY(object::sign_object(*signer, set)).bytes;
}

// ---- time, and telling

void Deployer::on_deadline(Turn& turn) {
  bool moved = false;
  std::vector<Name> rested;
  for (auto& [name, placement] : placements_) {
    if (placement.due <= turn.now && placement.stage == work::InstanceStage::kRefused) {
      rested.push_back(name);
    } else if (placement.due <= turn.now && placement.due != Instant::never()) {
      placement.stage = work::InstanceStage::kRefused;
      placement.message = "it did not answer in time";
      placement.due = turn.now + kPlaceRest;
      moved = true;
    }
    const auto intent = intents_.find(name.first);
    if (intent == intents_.end() || wanted_of(intent->second) == 0 || !settled(placement.stage)) continue;
    if (placement.proof_expires > turn.now.unix_seconds() + object::kIngressEpochSecondsMax / 2) continue;
    const Result<Bytes> proof = prove(turn, intent->second, name.second);
    placement.proof_expires = turn.now.unix_seconds() + object::kIngressEpochSecondsMax;
    if (proof.ok()) core_.send(turn, name.second, HostingMessages::encode(RenewService{name.first, *proof}));
  }
  for (const Name& name : rested) placements_.erase(name);
  forget_removed(turn);
  if (moved || !rested.empty()) refresh(turn);
}

void Deployer::forget_removed(Turn& turn) {
  std::vector<crypto::PublicKey> over;
  for (const auto& [service, intent] : intents_) {
    if (intent.removed != 0 && intent.removed + kRemovedKeptSeconds <= turn.now.unix_seconds()) over.push_back(service);
  }
  for (const crypto::PublicKey& service : over) {
    intents_.erase(service);
    logs_.erase(service);
    core_.erase_record(turn, Record::kIntent, service, [](Turn&, const Status&) {});
  }
}

Instant Deployer::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [service, intent] : intents_) {
    if (intent.removed != 0) soonest = std::min(soonest, Instant::from_unix_seconds(intent.removed + kRemovedKeptSeconds));
  }
  for (const auto& [name, placement] : placements_) {
    soonest = std::min(soonest, placement.due);
    const auto intent = intents_.find(name.first);
    if (!settled(placement.stage) || intent == intents_.end() || wanted_of(intent->second) == 0) continue;
    const uint64_t half = object::kIngressEpochSecondsMax / 2;
    soonest = std::min(soonest, Instant::from_unix_seconds(placement.proof_expires > half ? placement.proof_expires - half : 0));
  }
  return soonest;
}

DeploymentInfo Deployer::info(Instant now, const crypto::PublicKey& service, const Intent& intent) const {
  DeploymentInfo out{intent.name, object::service_address(service), intent.serial, intent.replicas, 0, intent.suspended, enum_name(intent.access), {}, ""};
  std::string refusal;
  bool served = !keeper_.has(service);
  for (const auto& [name, placement] : placements_) {
    if (name.first != service) continue;
    const mesh::Peer* peer = core_.sessions.find(name.second);
    out.machines.push_back({name.second, peer != nullptr && peer->record ? peer->record->body.owner : crypto::PublicKey{}, placement.serial, work::enum_name(placement.stage), placement.message,
                            placement.requests, placement.failed});
    out.serving += settled(placement.stage) && placement.serial == intent.serial;
    served = served || placement.runs;
    if (placement.stage == work::InstanceStage::kRefused) refusal = "; " + name.second.brief() + " does not: " + placement.message;
  }
  const uint32_t wanted = wanted_of(intent);
  if (out.serving < wanted) {
    const size_t able = machines(now, intent.zone).size();
    out.why = std::to_string(out.serving) + " of " + std::to_string(wanted) + " machines run it";
    if (able < wanted) out.why += "; " + std::to_string(able) + " are connected that granted computing (selvedge grant ask NODE --classes compute)";
    out.why += refusal;
  } else if (out.machines.size() > wanted) {
    out.why = "a machine that is too many has not stopped yet";
  } else if (wanted > 0) {
    out.why = keeper_.why(service);
    if (out.why.empty() && !served) out.why = "none of the machines that hold its state serves yet";
  }
  return out;
}

std::vector<DeploymentInfo> Deployer::list(Instant now) const {
  std::vector<DeploymentInfo> out;
  for (const auto& [service, intent] : intents_) {
    if (intent.removed == 0) out.push_back(info(now, service, intent));
  }
  return out;
}

void Deployer::report(Turn& turn) {
  std::vector<RequestId> done;
  for (const auto& [id, service] : waiting_) {
    const std::string json = codec::to_json_text(info(turn.now, service, intents_.at(service)));
    if (info(turn.now, service, intents_.at(service)).why.empty()) {
      turn.out.push(Answer{id, json});
      done.push_back(id);
    } else if (reported_[service] != json) {
      turn.out.push(Progress{id, json});
    }
    reported_[service] = json;
  }
  for (const RequestId id : done) waiting_.erase(id);
}

}  // namespace selvedge::node
