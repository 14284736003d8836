#include "tab/tab.h"

namespace selvedge::tab {

namespace {

constexpr const char* kNotInATab = "a browser's tab cannot do this; a node on a machine can (selvedge up)";

/// Of what the tab itself asks of its node; nobody waits for the answer.
constexpr uint64_t kOwnRequest = 0;

Error not_in_a_tab() { return {Errc::kUnsupported, kNotInATab}; }

}  // namespace

Tab::Tab(Instant now, crypto::Seed random, const crypto::PublicKey& owner, std::string version, Out& out)
    : drbg_(std::move(random)), owner_(owner), version_(std::move(version)), node_key_(drbg_.seed()), seal_(drbg_.seed()) {
  object::NodeRecord record;
  record.owner = owner_;
  record.node = node_key_.public_key();
  record.seal_key = seal_.public_key();
  record.issued = now.unix_seconds();
  record.expires = record.issued + kRecordSeconds;
  record.serial = now.unix_ms();
  const Status asked = have_signed(record, [this](Instant at, Bytes bytes, Out& o) { return start(at, std::move(bytes), o); }, out);
  CHECK_MSG(asked.ok(), "a record of this node's own making is in order");
}

// ---- the owner's signatures

template <class T>
Status Tab::have_signed(T body, Signed then, Out& out) {
  const auto make = [body](const crypto::Signer& signer) -> Result<Bytes> { return TRY(object::sign_object(signer, body)).bytes; };
  const Pen pen(owner_);
  TRY(make(pen));
  const uint64_t number = ++last_unsigned_;
  unsigned_[number] = {pen.asked, make, std::move(then)};
  out.push(SignThis{number, pen.asked});
  return ok();
}

Status Tab::on_signed(Instant now, uint64_t number, const crypto::Signature& signature, Out& out) {
  const auto it = unsigned_.find(number);
  if (it == unsigned_.end()) return fail(Errc::kNotFound, "nothing waits for this signature");
  const Unsigned what = std::move(it->second);
  unsigned_.erase(it);
  if (!verifier_.verify(owner_, what.message, signature)) return fail(Errc::kUnauthorized, "this is not the owner's signature");
  Pen pen(owner_);
  pen.given = signature;
  return what.then(now, TRY(what.make(pen)), out);
}

Status Tab::start(Instant now, Bytes record, Out& out) {
  node::NodeConfig config;
  config.record = std::move(record);
  config.node = &node_key_;
  config.seal = &seal_;
  config.verifier = &verifier_;
  config.started = now;
  config.random = drbg_.seed();
  config.label = "browser tab";
  config.version = version_;
  config.identity_secret = drbg_.seed();
  config.attestation_missing = "a browser's tab has no TPM";
  config.isolation_text = "browser worker";
  config.paths = node::PathPolicy::kDirectOnly;
  TRY(node::Node::check(config));
  node_ = std::make_unique<node::Node>(std::move(config));
  Status started = ok();
  feed(now, [&](node::Node::Out& effects) { started = node_->start(now, effects); }, out);
  return started;
}

Status Tab::lend(Instant now, const Consent& consent, Out& out) {
  if (!started()) return fail(Errc::kUnavailable, "the node has not started");
  object::Grant grant;
  grant.owner = owner_;
  grant.node = node_key_.public_key();
  grant.origin = consent.origin;
  grant.classes = object::kCompute;
  grant.cpu_permille = consent.cpu_permille;
  grant.memory_bytes = consent.memory_bytes;
  grant.manners.network_kbps = consent.network_kbps;
  grant.issued = now.unix_seconds();
  grant.expires = grant.issued + consent.seconds;
  node_->set_programs_taken(consent.tasks);
  grant.nonce = drbg_.draw<object::Unique>();
  return have_signed(grant, [this](Instant at, Bytes bytes, Out& o) {
    feed(at, [&](node::Node::Out& effects) { node_->on_owner_record(at, bytes, effects); }, o);
    return ok();
  }, out);
}

Status Tab::take_back(Instant now, const crypto::PublicKey& origin, Out& out) {
  if (!started()) return fail(Errc::kUnavailable, "the node has not started");
  bool found = false;
  for (const object::ObjectId& grant : node_->grants_given_to(origin)) {
    object::Revocation body;
    body.issuer = owner_;
    body.target_kind = object::RevocationTarget::kObject;
    body.target = node::convert<object::RevokedId>(grant);
    body.cutoff = body.issued = now.unix_seconds();
    found = true;
    TRY(have_signed(body, [this](Instant at, Bytes bytes, Out& o) {
      feed(at, [&](node::Node::Out& effects) { node_->on_owner_record(at, bytes, effects); }, o);
      return ok();
    }, out));
  }
  if (!found) return fail(Errc::kNotFound, "nothing is lent to that key");
  return ok();
}

Status Tab::hold(Instant now, const crypto::PublicKey& origin, bool rests, Out& out) {
  if (!started()) return fail(Errc::kUnavailable, "the node has not started");
  const std::vector<object::ObjectId> grants = node_->grants_given_to(origin);
  if (grants.empty()) return fail(Errc::kNotFound, "nothing is lent to that key");
  for (const object::ObjectId& grant : grants) {
    on_request(now, kOwnRequest, node::LeaseChangeRequest{grant.hex(), rests ? node::LeaseAction::kPause : node::LeaseAction::kResume}, out);
  }
  return ok();
}

// ---- connections

Status Tab::on_open(Instant now, uint64_t connection, const mesh::NodeKey& peer, Out& out) {
  if (!started()) return fail(Errc::kUnavailable, "the node has not started");
  if (channels_.count(connection)) return fail(Errc::kExists, "there is such a connection");
  if (channels_.size() >= kTabConnectionsMax) return fail(Errc::kLimit, "a tab has at most " + std::to_string(kTabConnectionsMax) + " connections");
  auto channel = std::make_unique<mesh::SecureChannel>(mesh::ChannelSide::kDialler, node_key_, peer, drbg_.fork());
  mesh::SecureChannel::Out effects;
  channel->start(effects);
  channels_.emplace(connection, std::move(channel));
  carry_out(now, connection, effects, out);
  return ok();
}

void Tab::on_packet(Instant now, uint64_t connection, Bytes packet, Out& out) {
  const auto it = channels_.find(connection);
  if (it == channels_.end()) return;
  mesh::SecureChannel::Out effects;
  it->second->on_record(std::move(packet), effects);
  carry_out(now, connection, effects, out);
}

void Tab::on_closed(Instant now, uint64_t connection, const Error& why, Out& out) {
  if (channels_.erase(connection) == 0) return;
  feed_trunks(now, [&](mesh::Trunks::Out& effects) { trunks_.on_closed(connection, why, effects); }, out);
}

void Tab::carry_out(Instant now, uint64_t connection, mesh::SecureChannel::Out& effects, Out& out) {
  for (mesh::ChannelEffect& effect : effects.take()) {
    if (auto* record = std::get_if<mesh::SendRecord>(&effect)) {
      out.push(SendPacket{connection, std::move(record->record)});
    } else if (const auto* opened = std::get_if<mesh::ChannelOpened>(&effect)) {
      feed_trunks(now, [&](mesh::Trunks::Out& o) { trunks_.on_opened(now, connection, opened->peer, false, "web", o); }, out);
    } else if (auto* received = std::get_if<mesh::ChannelReceived>(&effect)) {
      feed_trunks(now, [&](mesh::Trunks::Out& o) { trunks_.on_message(now, connection, received->bulk, std::move(received->message), o); }, out);
    } else if (const auto* delivered = std::get_if<mesh::ChannelDelivered>(&effect)) {
      feed_trunks(now, [&](mesh::Trunks::Out& o) { trunks_.on_delivered(connection, delivered->bulk, delivered->messages, kTabWindowBytes, o); }, out);
    } else if (const auto* failed = std::get_if<mesh::ChannelFailed>(&effect)) {
      out.push(ClosePage{connection, failed->why.message});
    }
  }
}

template <class Input>
void Tab::feed_trunks(Instant now, Input input, Out& out) {
  mesh::Trunks::Out effects;
  input(effects);
  carry_out(now, effects, out);
  drain(now, out);
}

void Tab::carry_out(Instant now, mesh::Trunks::Out& effects, Out& out) {
  for (mesh::TrunkEffect& effect : effects.take()) {
    if (auto* send = std::get_if<mesh::SendOnConnection>(&effect)) {
      const auto it = channels_.find(send->connection);
      if (it == channels_.end()) continue;
      mesh::SecureChannel::Out records;
      (void)it->second->send(send->bulk, send->message, records);
      carry_out(now, send->connection, records, out);
    } else if (auto* close = std::get_if<mesh::CloseConnection>(&effect)) {
      out.push(ClosePage{close->connection, std::move(close->reason)});
    } else {
      inputs_.push_back([this, now, told = std::make_shared<mesh::TrunkEffect>(std::move(effect))](node::Node::Out& o) { tell(*told, o, now); });
    }
  }
}

void Tab::tell(mesh::TrunkEffect& effect, node::Node::Out& out, Instant now) {
  if (auto* received = std::get_if<mesh::LinkReceived>(&effect)) {
    if (received->bulk) node_->on_symbols(now, received->link, std::move(received->message), out);
    else node_->on_message(now, received->link, received->message, out);
  } else if (const auto* opened = std::get_if<mesh::LinkOpened>(&effect)) {
    node_->on_link_opened(now, opened->link, opened->peer, out);
  } else if (auto* ways = std::get_if<mesh::LinkWays>(&effect)) {
    node_->on_link_ways(ways->link, std::move(ways->addresses));
  } else if (const auto* closed = std::get_if<mesh::LinkClosed>(&effect)) {
    node_->on_link_closed(now, closed->link, closed->why, out);
  }
}

// ---- the node's inputs and effects

template <class Input>
void Tab::feed(Instant now, Input input, Out& out) {
  if (!started()) return;
  inputs_.push_back([input](node::Node::Out& effects) { input(effects); });
  drain(now, out);
}

void Tab::drain(Instant now, Out& out) {
  if (draining_ || !started()) return;
  draining_ = true;
  while (!inputs_.empty()) {
    const auto input = std::move(inputs_.front());
    inputs_.pop_front();
    node::Node::Out effects;
    input(effects);
    for (node::Effect& effect : effects.take()) std::visit([&](auto& each) { perform(now, each, out); }, effect);
  }
  draining_ = false;
}

void Tab::on_ran(Instant now, const work::TaskId& task, work::DomainResult result, Out& out) {
  const auto it = running_.find(task);
  if (it == running_.end()) return;
  const object::Handle lease_cap = it->second;
  running_.erase(it);
  feed(now, [&](node::Node::Out& effects) { node_->on_domain(now, task, lease_cap, result, effects); }, out);
}

void Tab::on_stopped(Instant now, uint64_t token, Out& out) {
  feed(now, [&](node::Node::Out& effects) { node_->on_tasks_stopped(now, token, effects); }, out);
}

void Tab::on_request(Instant now, uint64_t request, node::ApiRequest what, Out& out) {
  if (!started()) return out.push(Reply{request, false, "the node has not started"});
  feed(now, [&](node::Node::Out& effects) { node_->on_request(now, request, what, effects); }, out);
}

void Tab::ask_job(Instant now, const mesh::NodeKey& site, const node::JobAsk& ask, Out& out) {
  Status asked = fail(Errc::kUnavailable, "the node has not started");
  feed(now, [&](node::Node::Out& effects) { asked = node_->on_job_asked(now, site, ask, effects); }, out);
  if (asked.ok()) return;
  if (asked.code() == Errc::kUnavailable) return out.push(JobHeard{ask.request, {}});
  node::JobTold told;
  told.request = ask.request;
  told.stage = node::JobStage::kRefused;
  told.error = uint8_t(asked.code());
  told.message = asked.error().message;
  out.push(JobHeard{ask.request, codec::encode(told)});
}

void Tab::drop_job(Instant now, const mesh::NodeKey& site, uint64_t request, Out& out) {
  feed(now, [&](node::Node::Out& effects) { node_->on_job_dropped(now, site, request, effects); }, out);
}

void Tab::on_deadline(Instant now, Out& out) {
  feed_trunks(now, [&](mesh::Trunks::Out& effects) { trunks_.on_deadline(now, effects); }, out);
  feed(now, [&](node::Node::Out& effects) { node_->on_deadline(now, effects); }, out);
}

Instant Tab::next_deadline() const { return started() ? std::min(trunks_.next_deadline(), node_->next_deadline()) : Instant::never(); }

void Tab::perform(Instant now, node::DialPeer& effect, Out&) {
  inputs_.push_back([this, now, peer = effect.peer](node::Node::Out& o) { node_->on_dial_failed(now, peer, not_in_a_tab(), o); });
}

void Tab::perform(Instant now, node::DialAsNobody& effect, Out&) {
  inputs_.push_back([this, now, peer = effect.peer](node::Node::Out& o) { node_->on_visit_failed(now, peer, not_in_a_tab(), o); });
}

void Tab::perform(Instant now, node::SendMessage& effect, Out& out) {
  mesh::Trunks::Out effects;
  (void)trunks_.send(now, effect.link, false, std::move(effect.message), effects);
  carry_out(now, effects, out);
}

void Tab::perform(Instant now, node::SendSymbols& effect, Out& out) {
  mesh::Trunks::Out effects;
  (void)trunks_.send(now, effect.link, true, std::move(effect.frame), effects);
  carry_out(now, effects, out);
}

void Tab::perform(Instant now, node::ClosePeer& effect, Out& out) {
  mesh::Trunks::Out effects;
  trunks_.close(effect.link, effect.reason, effects);
  carry_out(now, effects, out);
}

// Everything that the contract of a disk asks, but that it outlives the tab (store/effects.h).
void Tab::perform(Instant now, node::UseDisk& effect, Out&) {
  if (auto* write = std::get_if<store::DiskWrite>(&effect.effect)) {
    for (store::Write& each : write->writes) {
      if (each.value) disk_[{each.column, each.key}] = std::move(*each.value);
      else disk_.erase({each.column, each.key});
    }
    inputs_.push_back([this, now, token = write->token](node::Node::Out& o) { node_->on_persisted(now, token, o); });
  } else if (const auto* read = std::get_if<store::DiskRead>(&effect.effect)) {
    std::vector<std::optional<Bytes>> values;
    for (const Bytes& key : read->keys) {
      const auto it = disk_.find({read->column, key});
      values.push_back(it == disk_.end() ? std::nullopt : std::optional<Bytes>(it->second));
    }
    inputs_.push_back([this, now, token = read->token, values](node::Node::Out& o) { node_->on_loaded(now, token, values, o); });
  }
}

void Tab::perform(Instant now, node::Compute& effect, Out&) {
  auto result = std::make_shared<node::ComputeResult>(node::compute(effect.job));
  inputs_.push_back([this, now, token = effect.token, result](node::Node::Out& o) { node_->on_computed(now, token, std::move(*result), o); });
}

void Tab::perform(Instant, node::StartTask& effect, Out& out) {
  running_[effect.run.task] = effect.run.lease_cap;
  out.push(RunProgram{std::move(effect.run)});
}

void Tab::perform(Instant, node::CancelTask& effect, Out& out) { out.push(StopProgram{effect.task}); }

void Tab::perform(Instant, node::PaceTasks& effect, Out& out) {
  if (effect.pace) out.push(PacePrograms{effect.lease_number, effect.pace->permille, effect.pace->burst});
}

void Tab::perform(Instant, node::StopTasks& effect, Out& out) { out.push(StopPrograms{effect.token, effect.lease_number}); }

void Tab::perform(Instant now, node::ReadFile& effect, Out&) {
  inputs_.push_back([this, now, token = effect.token](node::Node::Out& o) { node_->on_file_read(now, token, fail(Errc::kUnsupported, kNotInATab), o); });
}

void Tab::perform(Instant now, node::WriteFile& effect, Out&) {
  inputs_.push_back([this, now, token = effect.token](node::Node::Out& o) { node_->on_file_written(now, token, fail(Errc::kUnsupported, kNotInATab), o); });
}

void Tab::perform(Instant now, node::Attest& effect, Out&) {
  inputs_.push_back([this, now, token = effect.token](node::Node::Out& o) { node_->on_attested(now, token, fail(Errc::kUnsupported, kNotInATab), o); });
}

void Tab::perform(Instant now, node::AskHintSource& effect, Out&) {
  inputs_.push_back([this, now, token = effect.token](node::Node::Out& o) { node_->on_hints(now, token, fail(Errc::kUnsupported, kNotInATab), o); });
}

void Tab::perform(Instant now, node::TellHintSource& effect, Out&) {
  inputs_.push_back([this, now, token = effect.token](node::Node::Out& o) { node_->on_hints_told(now, token, fail(Errc::kUnsupported, kNotInATab), o); });
}

void Tab::perform(Instant now, node::ListenLocal& effect, Out&) {
  inputs_.push_back([this, now, request = effect.request](node::Node::Out& o) { node_->on_listening(now, request, fail(Errc::kUnsupported, kNotInATab), o); });
}

void Tab::perform(Instant now, node::ConnectSocket& effect, Out&) {
  inputs_.push_back([this, now, socket = effect.socket](node::Node::Out& o) { node_->on_socket_connected(now, socket, fail(Errc::kUnsupported, kNotInATab), o); });
}

void Tab::perform(Instant, node::OpenDash& effect, Out& out) { out.push(Reply{effect.request, false, kNotInATab}); }
void Tab::perform(Instant, node::JobNews& effect, Out& out) {
  out.push(JobHeard{effect.request, std::move(effect.told)});
}
void Tab::perform(Instant, node::Answer& effect, Out& out) { if (effect.request != kOwnRequest) out.push(Reply{effect.request, true, std::move(effect.json)}); }
void Tab::perform(Instant, node::Refuse& effect, Out& out) { if (effect.request != kOwnRequest) out.push(Reply{effect.request, false, effect.error.message}); }
void Tab::perform(Instant, node::Trace& effect, Out& out) { out.push(Say{std::move(effect.text)}); }

}  // namespace selvedge::tab
