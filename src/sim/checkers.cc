#include "sim/checkers.h"

#include <algorithm>
#include <cstring>

#include "codec/multibase.h"
#include "mesh/messages.h"
#include "sim/driver.h"

namespace selvedge::sim {

namespace {

constexpr Duration kPreemptBound = milliseconds(10);
constexpr uint64_t kExpirySlackSeconds = 1;

template <class M>
std::optional<M> message_as(ByteView bytes) {
  Bytes plain;
  if (mesh::packed_type(bytes) == M::kType) {
    Result<Bytes> unpacked = mesh::unpack_message(bytes);
    if (!unpacked.ok()) return std::nullopt;
    plain = std::move(unpacked).value();
    bytes = plain;
  }
  if (bytes.empty() || bytes[0] != M::kType) return std::nullopt;
  Result<M> message = codec::decode<M>(bytes.subspan(1));
  if (!message.ok()) return std::nullopt;
  return std::move(message).value();
}

template <class M>
std::optional<M> message_as(const node::Effect& effect) {
  const auto* send = std::get_if<node::SendMessage>(&effect);
  return send == nullptr ? std::nullopt : message_as<M>(send->message);
}

}  // namespace

// ---- durability

std::vector<DurabilityChecker::Symbol> DurabilityChecker::symbols_of(const mesh::FrameView& frame) {
  std::vector<Symbol> symbols;
  for (uint32_t esi : frame.esis) symbols.push_back({frame.header.object, frame.header.source_block, esi});
  return symbols;
}

bool DurabilityChecker::durable(NodeIndex n, const std::vector<Symbol>& symbols) const {
  auto it = durable_.find(n);
  return it != durable_.end() && std::all_of(symbols.begin(), symbols.end(), [&](const Symbol& s) { return it->second.count(s) != 0; });
}

void DurabilityChecker::delivered(NodeIndex to, NodeIndex from, Channel channel, ByteView bytes) {
  if (channel == Channel::kBulk) {
    const Result<mesh::FrameView> frame = mesh::parse_frame(bytes);
    if (frame.ok() && frame->header.kind == mesh::FrameKind::kStore) {
      transfers_[{to, from, frame->header.transfer}].frames.push_back(symbols_of(*frame));
    }
  } else if (const auto drop = message_as<mesh::Drop>(bytes)) {
    for (const object::ObjectId& object : drop->objects) released_.insert({to, object});
  }
}

void DurabilityChecker::acted(NodeIndex n, const node::Effect& effect) {
  const auto ack = message_as<mesh::StoreAck>(effect);
  if (!ack || ack->error != 0) return;
  const std::optional<NodeIndex> from = world_.link_peer(n, std::get<node::SendMessage>(effect).link);
  if (!from) return;
  Frames& frames = transfers_[{n, *from, ack->transfer}];
  ++frames.acknowledged;
  ++acknowledged_;
  size_t on_disk = 0;
  for (const std::vector<Symbol>& symbols : frames.frames) {
    if (!durable(n, symbols)) continue;
    ++on_disk;
    for (const Symbol& symbol : symbols) {
      promised_.insert({n, symbol});
      released_.erase({n, symbol.object});
    }
  }
  if (on_disk < frames.acknowledged) world_.violate(world_.name(n) + " acknowledged a frame that its disk does not have");
}

void DurabilityChecker::persisted(NodeIndex n, const store::DiskWrite& write) {
  for (const store::Write& each : write.writes) {
    if (each.column != store::Column::kSymbols) continue;
    auto known = by_disk_key_.find({n, each.key});
    if (known != by_disk_key_.end()) {
      for (const Symbol& symbol : known->second) {
        if (--durable_[n][symbol] == 0) durable_[n].erase(symbol);
      }
      by_disk_key_.erase(known);
    }
    if (each.value) note(n, each.key, *each.value);
  }
}

void DurabilityChecker::note(NodeIndex n, const Bytes& disk_key, ByteView value) {
  const Result<mesh::FrameView> frame = mesh::parse_frame(value);
  if (!frame.ok()) return;
  std::vector<Symbol> symbols = symbols_of(*frame);
  for (const Symbol& symbol : symbols) ++durable_[n][symbol];
  by_disk_key_[{n, disk_key}] = std::move(symbols);
}

// A crash may have kept writes that were never answered: what counts is what the disk has now.
void DurabilityChecker::started(NodeIndex n) {
  durable_[n].clear();
  std::erase_if(by_disk_key_, [&](const auto& each) { return each.first.first == n; });
  for (const auto& [key, value] : world_.disk(n).content()) {
    if (key.first == store::Column::kSymbols) note(n, key.second, *value);
  }
}

void DurabilityChecker::requested(NodeIndex n, node::RequestId, const node::ApiRequest& request) {
  const auto* change = std::get_if<node::LeaseChangeRequest>(&request);
  if (change != nullptr && change->action == node::LeaseAction::kRevoke) revoked_at_.emplace(n, world_.now());
}

void DurabilityChecker::finished() {
  // What is really there, whatever the writes were.
  for (NodeIndex n = 0; n < world_.size(); ++n) {
    const auto revoked = revoked_at_.find(n);
    if (revoked != revoked_at_.end() && revoked->second + node::kRevokedDataKept <= world_.now()) continue;
    std::set<Symbol> there;
    for (const auto& [key, value] : world_.disk(n).content()) {
      if (key.first != store::Column::kSymbols) continue;
      const Result<mesh::FrameView> frame = mesh::parse_frame(*value);
      if (!frame.ok()) continue;
      for (const Symbol& symbol : symbols_of(*frame)) there.insert(symbol);
    }
    for (const auto& [holder, symbol] : promised_) {
      if (holder != n || released_.count({n, symbol.object}) || there.count(symbol)) continue;
      world_.violate(world_.name(n) + " lost a symbol of " + symbol.object.brief() + " that it had acknowledged");
      break;
    }
  }
}

// ---- truth

void TruthChecker::requested(NodeIndex n, node::RequestId id, const node::ApiRequest& request) {
  if (const auto* put = std::get_if<node::PutRequest>(&request)) puts_[id] = *put;
  if (const auto* get = std::get_if<node::GetRequest>(&request)) gets_[id] = *get;
  const auto* run = std::get_if<node::RunRequest>(&request);
  if (run == nullptr) return;
  const Bytes* module_bytes = world_.file(n, run->module.path);
  if (module_bytes == nullptr) return;
  const crypto::Digest module = crypto::sha256(*module_bytes);
  std::vector<Bytes> inputs;
  for (const node::FileName& input : run->inputs) inputs.push_back(world_.file(n, input.path) == nullptr ? Bytes{} : *world_.file(n, input.path));
  for (const std::string& cid : run->input_cids) inputs.push_back(contents_[cid]);
  if (inputs.empty()) inputs.emplace_back();
  std::vector<std::string> args{run->module.name};
  args.insert(args.end(), run->args.begin(), run->args.end());
  const uint64_t fuel = run->fuel_limit == 0 ? node::kFuelDefault : run->fuel_limit;
  ExpectedRun expected;
  Bytes all;
  for (const Bytes& input : inputs) {
    const work::DomainResult result = run_program(module, args, input, run->seed, fuel);
    expected.fails = expected.fails || result.outcome != object::Outcome::kOk;
    expected.outputs.push_back(work::output_cid(result.output).text());
    append(all, result.output);
  }
  if (run->merge) {
    const work::DomainResult merged = run_program(module, {run->module.name, "merge"}, all, run->seed, fuel);
    expected.outputs.push_back(work::output_cid(merged.output).text());
  }
  runs_[id] = std::move(expected);
}

void TruthChecker::check_run(NodeIndex n, node::RequestId id, const Reply& reply) {
  const ExpectedRun& expected = runs_.at(id);
  if (expected.fails) return world_.violate(world_.name(n) + ": a run of a program that fails was answered as a success");
  const Result<RunSummary> summary = Driver::summarize(reply.json);
  if (!summary.ok() || summary->outputs.size() != expected.outputs.size()) return world_.violate(world_.name(n) + ": a run has not all of its outputs");
  for (size_t i = 0; i < expected.outputs.size(); ++i) {
    ++outputs_checked_;
    if (summary->outputs[i] != expected.outputs[i]) {
      world_.violate(world_.name(n) + ": output " + std::to_string(i) + " of a run was accepted and is not the true one");
    }
  }
}

void TruthChecker::replied(NodeIndex n, node::RequestId id, const Reply& reply) {
  if (reply.refused) {
    const Errc code = reply.error.code;
    const bool clean = code != Errc::kInternal && code != Errc::kIntegrity && code != Errc::kNonCanonical && !reply.error.message.empty();
    if (!clean) world_.violate(world_.name(n) + ": an unclean error: " + errc_name(code) + " " + reply.error.message);
    return;
  }
  if (runs_.count(id)) check_run(n, id, reply);
  if (auto put = puts_.find(id); put != puts_.end()) {
    for (const node::FileName& file : put->second.files) {
      const Bytes* content = world_.file(n, file.path);
      if (content == nullptr) continue;
      const std::string cid = work::output_cid(*content).text();
      if (reply.json.find(cid) == std::string::npos) world_.violate(world_.name(n) + ": a file was put under a wrong name");
      contents_[cid] = *content;
    }
  }
  if (auto get = gets_.find(id); get != gets_.end()) {
    const Bytes* file = world_.file(n, get->second.path);
    ++files_checked_;
    if (file == nullptr || *file != contents_[get->second.cid]) {
      world_.violate(world_.name(n) + ": " + get->second.cid + " came back with other bytes than were put");
    }
  }
}

// ---- consent

void ConsentChecker::requested(NodeIndex n, node::RequestId id, const node::ApiRequest& request) {
  if (const auto* give = std::get_if<node::GrantGiveRequest>(&request)) {
    const auto origin = codec::parse_key(give->origin);
    if (origin.ok() && give->cpu_permille > 0) asked_[id] = {n, *origin, world_.now().unix_seconds() + give->seconds, "", false, false, {}};
  }
  const auto* change = std::get_if<node::LeaseChangeRequest>(&request);
  if (change == nullptr) return;
  changes_[id] = {change->lease, change->action};
  for (Consent& consent : consents_) {
    if (consent.host != n || consent.id.rfind(change->lease, 0) != 0 || (consent.for_good && change->action != node::LeaseAction::kResume)) continue;
    if (change->action == node::LeaseAction::kResume) {
      consent.stopped = consent.for_good = false;  // a revoked lease does not resume: revocations are told apart below
      continue;
    }
    consent.stopped = true;
    consent.stopped_at = world_.now();
  }
}

void ConsentChecker::replied(NodeIndex n, node::RequestId id, const Reply& reply) {
  if (auto it = asked_.find(id); it != asked_.end()) {
    if (!reply.refused) {
      it->second.id = json_string(reply.json, "id");
      consents_.push_back(it->second);
    }
    asked_.erase(it);
  }
  if (auto it = changes_.find(id); it != changes_.end()) {
    if (!reply.refused && it->second.second != node::LeaseAction::kResume) {
      for (Consent& consent : consents_) {
        if (consent.host == n && consent.id.rfind(it->second.first, 0) == 0) consent.for_good = true;
      }
    }
    changes_.erase(it);
  }
}

void ConsentChecker::started(NodeIndex n) {
  // What the owner asked for and got no answer to may or may not have reached the disk; both are honest.
  for (Consent& consent : consents_) {
    if (consent.host == n && !consent.for_good) consent.stopped = false;
  }
}

void ConsentChecker::delivered(NodeIndex, NodeIndex from, Channel channel, ByteView bytes) {
  if (channel != Channel::kControl) return;
  const auto message = message_as<work::Offer>(bytes);
  if (!message) return;
  const auto offer = object::open_object<object::TaskOffer>(message->offer, world_.verifier());
  if (offer.ok() && offer->signer == world_.key(from)) origin_of_.emplace(offer->body.task, world_.owner(from));
}

bool ConsentChecker::allowed(NodeIndex host, const crypto::PublicKey& origin) const {
  const uint64_t now = world_.now().unix_seconds();
  const auto covers = [&](const Consent& c) { return c.host == host && c.origin == origin && !c.stopped && c.expires + kExpirySlackSeconds > now; };
  // A grant that is asked for counts from then on: its owner wants it, whether or not the answer has come.
  return std::any_of(consents_.begin(), consents_.end(), covers) ||
         std::any_of(asked_.begin(), asked_.end(), [&](const auto& each) { return covers(each.second); });
}

void ConsentChecker::acted(NodeIndex n, const node::Effect& effect) {
  const auto* start = std::get_if<node::StartTask>(&effect);
  if (start == nullptr) return;
  ++tasks_checked_;
  auto origin = origin_of_.find(start->run.task);
  if (origin == origin_of_.end()) return world_.violate(world_.name(n) + " runs a task that no origin's node offered");
  if (!allowed(n, origin->second)) world_.violate(world_.name(n) + " starts a task without a grant in force");
}

void ConsentChecker::check_stopped(NodeIndex n, const work::TaskId& task) {
  auto origin = origin_of_.find(task);
  if (origin == origin_of_.end() || allowed(n, origin->second)) return;
  Instant stopped_at{0};
  for (const Consent& consent : consents_) {
    if (consent.host == n && consent.origin == origin->second && consent.stopped) stopped_at = std::max(stopped_at, consent.stopped_at);
  }
  if (stopped_at.ns != 0 && world_.now() > stopped_at + kPreemptBound) world_.violate(world_.name(n) + " still runs a task after its lease was stopped");
}

void ConsentChecker::turn_ended(NodeIndex n) {
  for (const auto& [task, running] : world_.running(n)) check_stopped(n, task);
}

void ConsentChecker::task_ended(NodeIndex n, const Running& running, const work::DomainResult&) { check_stopped(n, running.run.task); }

// ---- receipts

void ReceiptChecker::task_ended(NodeIndex n, const Running& running, const work::DomainResult& result) {
  ran_[{n, running.run.task}].push_back({result.fuel, result.outcome, result.output.size()});
}

void ReceiptChecker::persisted(NodeIndex n, const store::DiskWrite& write) {
  for (const store::Write& each : write.writes) {
    if (each.column == store::Column::kReceipts && each.value) on_disk_.insert({n, crypto::sha256(*each.value)});
  }
}

void ReceiptChecker::delivered(NodeIndex to, NodeIndex from, Channel channel, ByteView bytes) {
  if (channel != Channel::kControl) return;
  const auto commit = message_as<work::Commit>(bytes);
  if (!commit) return;
  const auto opened = object::open_object<object::Commitment>(commit->commitment, world_.verifier());
  if (opened.ok() && opened->signer == world_.key(from)) committed_[opened->body.task].insert(from);
  (void)to;
}

void ReceiptChecker::acted(NodeIndex n, const node::Effect& effect) {
  if (const auto ask = message_as<work::RevealAsk>(effect)) {
    if (committed_[ask->task].size() < agree_) world_.violate(world_.name(n) + " asks for a result before enough machines are bound to theirs");
  }
  const auto shown = message_as<work::RevealAnswer>(effect);
  if (!shown || world_.lie(n) == Lie::kBrokenCommitment) return;
  ++receipts_checked_;
  const auto receipt = object::open_object<object::Receipt>(shown->receipt, world_.verifier());
  if (!receipt.ok()) return world_.violate(world_.name(n) + " sent a receipt that does not open: " + receipt.error().message);
  if (!on_disk_.count({n, crypto::sha256(shown->receipt)})) world_.violate(world_.name(n) + " showed a result before its receipt was on disk");
  const object::Receipt& body = receipt->body;
  if (body.outcome == object::Outcome::kInconclusive || body.outcome == object::Outcome::kBadModule) return;
  const std::vector<Account>& accounts = ran_[{n, body.task}];
  const bool true_account = std::any_of(accounts.begin(), accounts.end(), [&](const Account& a) {
    return a.fuel == body.fuel && a.outcome == body.outcome && (a.outcome != object::Outcome::kOk || a.output_bytes == body.bytes_out);
  });
  if (!true_account) world_.violate(world_.name(n) + " sent a receipt for work that it did not do");
}

// ---- bounds

void BoundsChecker::turn_ended(NodeIndex n) {
  const store::Limits limits;
  if (world_.disk(n).writes_waiting() > limits.in_flight_max) world_.violate(world_.name(n) + " has more writes under way than its limit");
  if (world_.running(n).size() > work::kExecutionsMax) world_.violate(world_.name(n) + " runs more tasks at once than its limit");
}

// ---- secrecy

bool SecrecyChecker::contains(ByteView bytes) {
  bytes_searched_ += bytes.size();
  return bytes.size() >= canary_.size() && memmem(bytes.data(), bytes.size(), canary_.data(), canary_.size()) != nullptr;
}

void SecrecyChecker::acted(NodeIndex n, const node::Effect& effect) {
  bool found = false;
  if (const auto* message = std::get_if<node::SendMessage>(&effect)) found = contains(message->message);
  if (const auto* symbols = std::get_if<node::SendSymbols>(&effect)) found = contains(symbols->frame);
  if (const auto* disk = std::get_if<node::UseDisk>(&effect); disk != nullptr && world_.owner(n) != owner_) {
    if (const auto* write = std::get_if<store::DiskWrite>(&disk->effect)) {
      for (const store::Write& each : write->writes) found = found || (each.value && contains(*each.value));
    }
  }
  if (const auto* text = std::get_if<node::Trace>(&effect)) found = contains(view(text->text));
  if (found) world_.violate("the plaintext of a file left " + world_.name(n) + " or reached a holder's disk");
}

Checkers::Checkers(World& world, size_t agree) : durability(world), truth(world), consent(world), receipts(world, agree), bounds(world) {
  for (Observer* observer : std::initializer_list<Observer*>{&durability, &truth, &consent, &receipts, &bounds}) world.watch(*observer);
}

}  // namespace selvedge::sim
