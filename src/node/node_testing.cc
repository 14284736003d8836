#include "node/node_testing.h"

namespace selvedge::node::testing {

Group::Group() = default;
Group::~Group() = default;
Group& Group::operator=(Group&& other) noexcept = default;

Group::Machine::Machine(const std::string& machine_name, const std::string& owner_name)
    : name(machine_name), owner_named(owner_name), owner(seed_of("owner " + owner_name)), signer(seed_of("node " + machine_name)),
      seal(seed_of("seal " + machine_name)) {}
Group::Machine::~Machine() = default;

size_t Group::add(const std::string& name, const std::string& owner_name) {
  machines_.push_back(std::make_unique<Machine>(name, owner_name));
  return machines_.size() - 1;
}

size_t Group::add_device(const std::string& name, const std::string& owner_name) {
  const size_t n = add(name, owner_name);
  at(n).holds_root = false;
  return n;
}

std::string Group::request_of(size_t n, const std::string& label, const crypto::Signer* old_key) {
  Machine& m = at(n);
  EnrolRequest request{m.owner.public_key(), m.key(), m.seal.public_key(), label, m.succeeds, now.unix_seconds(), now.unix_seconds() + kEnrolRequestTtl};
  const auto made = object::sign_object(m.signer, request).value();
  if (old_key == nullptr) return request_text(made, nullptr);
  const auto word = object::sign_object(*old_key, Succession{old_key->public_key(), m.key(), now.unix_seconds()}).value();
  return request_text(made, &word);
}

void Group::enroll(size_t root, size_t n, const std::string& label, std::vector<std::string> zones, const crypto::Signer* old_key) {
  const std::string answered = answer(root, DeviceEnrollRequest{request_of(n, label, old_key), std::move(zones)});
  const auto text = open_answer_text(field(answered, "answer"), at(n).owner.public_key(), at(n).key(), verifier_);
  ASSERT_TRUE(text.ok()) << answered;
  at(n).record = text->record;
  at(n).hosts = text->hosts;
}

Status Group::start(size_t n) {
  Machine& m = at(n);
  NodeConfig config;
  if (m.holds_root) {
    config.owner = &m.owner;
    config.zone_root = seed_of("zones " + m.owner_named);
  }
  config.record = m.record;
  config.succeeds = m.succeeds;
  config.hosts = m.hosts;
  config.birth = m.birth;
  config.label = m.name;
  config.node = &m.signer;
  config.seal = &m.seal;
  config.verifier = &verifier_;
  config.started = now;
  config.random = seed_of("random " + m.name + std::to_string(++m.life));
  config.addresses = {m.name + ":1"};
  config.version = "test";
  config.identity_secret = object::identity_secret(seed_of("identity " + m.name));
  config.paths = m.paths;
  if (m.in_machines) config.isolation = work::Isolation::kMachine, config.isolation_text = "microvm (test)";
  if (m.chip != nullptr) config.attestation = m.chip->tier();
  TRY(Node::check(config));
  m.node = std::make_unique<Node>(std::move(config));
  for (const auto& [key, value] : m.disk) {
    if (key.first == store::Column::kMeta || key.first == store::Column::kRecords) (void)m.node->recover(key.first, key.second, value);
  }
  Node::Out out;
  const Status started = m.node->start(now, out);
  take(n, out);
  settle();
  return started;
}

void Group::stop(size_t n) {
  at(n).node.reset();
  at(n).tasks.clear();
  at(n).stops.clear();
  at(n).held_writes.clear();
  while (!at(n).links.empty()) close(n, at(n).links.begin()->first);
}

std::pair<LinkId, LinkId> Group::link(size_t a, size_t b) {
  const LinkId one = ++last_link_, two = ++last_link_;
  at(a).links[one] = {b, two};
  at(b).links[two] = {a, one};
  give(a, [&](Node& node, Node::Out& out) { node.on_link_opened(now, one, at(b).key(), out); });
  give(b, [&](Node& node, Node::Out& out) { node.on_link_opened(now, two, at(a).key(), out); });
  settle();
  return {one, two};
}

void Group::close(size_t n, LinkId id) {
  const auto other = at(n).links.at(id);
  at(n).links.erase(id);
  at(other.first).links.erase(other.second);
  give(n, [&](Node& node, Node::Out& out) { node.on_link_closed(now, id, fail(Errc::kTimeout, "closed"), out); });
  give(other.first, [&](Node& node, Node::Out& out) { node.on_link_closed(now, other.second, fail(Errc::kTimeout, "closed"), out); });
  settle();
}

RequestId Group::ask(size_t n, ApiRequest request) {
  const RequestId id = ++last_request_;
  give(n, [&](Node& node, Node::Out& out) { node.on_request(now, id, std::move(request), out); });
  settle();
  return id;
}

std::string Group::answer(size_t n, ApiRequest request) {
  const RequestId id = ask(n, std::move(request));
  if (at(n).answers.count(id)) return at(n).answers.at(id);
  if (at(n).refusals.count(id)) return std::string("refused: ") + errc_name(at(n).refusals.at(id).code);
  return "none";
}

std::string Group::field(const std::string& json, const std::string& name) {
  const std::string start = "\"" + name + "\":\"";
  const size_t from = json.find(start);
  if (from == std::string::npos) return "";
  return json.substr(from + start.size(), json.find('"', from + start.size()) - from - start.size());
}

std::string Group::grant(size_t host, size_t origin, GrantGiveRequest shape) {
  shape.origin = codec::key_text(at(origin).owner.public_key());
  return field(answer(host, shape), "id");
}

std::map<size_t, std::string> Group::start_lenders(size_t origin, const std::vector<size_t>& hosts) {
  std::map<size_t, std::string> leases;
  EXPECT_TRUE(start(origin).ok());
  for (const size_t host : hosts) {
    EXPECT_TRUE(start(host).ok());
    at(host).hold_tasks = true;
    GrantGiveRequest shape;
    shape.seconds = 1'000'000;
    leases[host] = grant(host, origin, shape);
  }
  return leases;
}

void Group::inject(size_t from, size_t to, Bytes message) {
  for (const auto& [id, other] : at(to).links) {
    if (other.first != from) continue;
    const LinkId link_id = id;
    give(to, [&](Node& node, Node::Out& out) { node.on_message(now, link_id, message, out); });
    break;
  }
  settle();
}

void Group::other_answered(size_t n, const NodeKey& peer, const std::string& address, const NodeKey& shown) {
  give(n, [&](Node& node, Node::Out& out) { node.on_other_answered(now, peer, address, shown, out); });
  settle();
}

void Group::inject_frame(size_t from, size_t to, Bytes frame) {
  for (const auto& [id, other] : at(to).links) {
    if (other.first != from) continue;
    const LinkId link_id = id;
    give(to, [&](Node& node, Node::Out& out) { node.on_symbols(now, link_id, std::move(frame), out); });
    break;
  }
  settle();
}

void Group::release_disk(size_t n) {
  at(n).hold_disk = false;
  for (store::DiskWrite& write : std::exchange(at(n).held_writes, {})) persist(n, std::move(write));
  settle();
}

void Group::release_stops(size_t n) {
  at(n).hold_stops = false;
  for (const StopTasks& each : std::exchange(at(n).stops, {})) {
    give(n, [&](Node& node, Node::Out& out) { node.on_tasks_stopped(now, each.token, out); });
  }
  settle();
}

void Group::release_attestations(size_t n) {
  at(n).hold_attestations = false;
  for (const Attest& each : std::exchange(at(n).attestations, {})) end_attestation(n, each);
  settle();
}

void Group::finish_task_with(size_t n, const work::RunDomain& run, const object::Handle& lease_cap) {
  end_task(n, run, lease_cap);
  settle();
}

void Group::finish_tasks(size_t n) {
  for (work::RunDomain& run : std::exchange(at(n).tasks, {})) end_task(n, run);
  settle();
}

void Group::pass(Duration time) {
  const Instant end = now + time;
  for (;;) {
    Instant soonest = Instant::never();
    for (const auto& m : machines_) {
      if (m->node) soonest = std::min(soonest, m->node->next_deadline());
    }
    if (soonest > end) break;
    now = std::max(now, soonest);
    for (size_t n = 0; n < machines_.size(); ++n) {
      if (at(n).node && at(n).node->next_deadline() <= now) give(n, [&](Node& node, Node::Out& out) { node.on_deadline(now, out); });
    }
    settle();
  }
  now = end;
}

void Group::give(size_t n, const Input& input) {
  if (!at(n).node) return;
  Node::Out out;
  input(*at(n).node, out);
  take(n, out);
}

void Group::persist(size_t n, store::DiskWrite write) {
  for (const store::Write& w : write.writes) {
    if (w.value) at(n).disk[{w.column, w.key}] = *w.value;
    else at(n).disk.erase({w.column, w.key});
  }
  give(n, [&](Node& node, Node::Out& out) { node.on_persisted(now, write.token, out); });
}

void Group::end_attestation(size_t n, const Attest& attest) {
  Result<object::Attestation> attestation = at(n).chip->attest(attest.request);
  give(n, [&](Node& node, Node::Out& out) { node.on_attested(now, attest.token, std::move(attestation), out); });
}

void Group::end_task(size_t n, const work::RunDomain& run, const object::Handle& lease_cap) {
  work::DomainResult result;
  result.outcome = object::Outcome::kOk;
  result.output = to_bytes(view("result of " + crypto::sha256(run.input).hex()));
  result.fuel = 100 + run.input.size();
  give(n, [&](Node& node, Node::Out& out) { node.on_domain(now, run.task, lease_cap, std::move(result), out); });
}

void Group::take(size_t n, Node::Out& out) {
  for (Effect& effect : out.take()) pending_.push_back({n, std::move(effect)});
}

void Group::settle() {
  if (settling_) return;
  settling_ = true;
  for (size_t steps = 0; !pending_.empty() || !travelling_.empty(); ++steps) {
    ASSERT_LT(steps, 1'000'000u) << "it never comes to rest";
    if (!pending_.empty()) {
      auto [n, effect] = std::move(pending_.front());
      pending_.pop_front();
      act(n, effect);
      continue;
    }
    Travelling message = std::move(travelling_.front());
    travelling_.pop_front();
    if (!at(message.to).links.count(message.link) || at(message.to).deaf) continue;
    (message.bulk ? at(message.to).frames : at(message.to).received).push_back(message.bytes);
    give(message.to, [&](Node& node, Node::Out& out) {
      if (message.bulk) node.on_symbols(now, message.link, std::move(message.bytes), out);
      else node.on_message(now, message.link, message.bytes, out);
    });
  }
  settling_ = false;
}

void Group::act(size_t n, Effect& effect) {
  Machine& m = at(n);
  if (!m.node) return;
  if (auto* message = std::get_if<SendMessage>(&effect)) {
    if (m.links.count(message->link)) travelling_.push_back({m.links.at(message->link).first, m.links.at(message->link).second, std::move(message->message), false});
  } else if (auto* symbols = std::get_if<SendSymbols>(&effect)) {
    if (m.links.count(symbols->link)) travelling_.push_back({m.links.at(symbols->link).first, m.links.at(symbols->link).second, std::move(symbols->frame), true});
  } else if (auto* closing = std::get_if<ClosePeer>(&effect)) {
    const LinkId id = closing->link;
    if (!m.links.count(id)) return;
    const auto other = m.links.at(id);
    m.links.erase(id);
    at(other.first).links.erase(other.second);
    give(n, [&](Node& node, Node::Out& out) { node.on_link_closed(now, id, fail(Errc::kCancelled, closing->reason), out); });
    give(other.first, [&](Node& node, Node::Out& out) { node.on_link_closed(now, other.second, fail(Errc::kUnavailable, closing->reason), out); });
  } else if (auto* use = std::get_if<UseDisk>(&effect)) {
    if (auto* read = std::get_if<store::DiskRead>(&use->effect)) {
      std::vector<std::optional<Bytes>> values;
      for (const Bytes& key : read->keys) {
        auto it = m.disk.find({read->column, key});
        values.push_back(it == m.disk.end() ? std::nullopt : std::optional<Bytes>(it->second));
      }
      give(n, [&](Node& node, Node::Out& out) { node.on_loaded(now, read->token, std::move(values), out); });
    } else if (m.hold_disk) {
      m.held_writes.push_back(std::get<store::DiskWrite>(std::move(use->effect)));
    } else {
      persist(n, std::get<store::DiskWrite>(std::move(use->effect)));
    }
  } else if (auto* work = std::get_if<Compute>(&effect)) {
    ComputeResult result = compute(work->job);
    give(n, [&](Node& node, Node::Out& out) { node.on_computed(now, work->token, std::move(result), out); });
  } else if (auto* attest = std::get_if<Attest>(&effect)) {
    if (m.hold_attestations) m.attestations.push_back(std::move(*attest));
    else end_attestation(n, *attest);
  } else if (auto* task = std::get_if<StartTask>(&effect)) {
    if (m.hold_tasks) m.tasks.push_back(std::move(task->run));
    else end_task(n, task->run);
  } else if (std::get_if<ReclaimMemory>(&effect) != nullptr) {
    ++m.reclaims;
  } else if (auto* stopping = std::get_if<StopTasks>(&effect)) {
    if (m.hold_stops) m.stops.push_back(*stopping);
    else give(n, [&](Node& node, Node::Out& out) { node.on_tasks_stopped(now, stopping->token, out); });
  } else if (auto* reading = std::get_if<ReadFile>(&effect)) {
    auto it = m.files.find(reading->path);
    Result<Bytes> bytes = fail(Errc::kNotFound, "no such file");
    if (it != m.files.end()) {
      const ByteView rest = ByteView(it->second).subspan(std::min<size_t>(size_t(reading->offset), it->second.size()));
      bytes = to_bytes(rest.first(std::min<size_t>(rest.size(), size_t(reading->bytes_max))));
    }
    give(n, [&](Node& node, Node::Out& out) { node.on_file_read(now, reading->token, std::move(bytes), out); });
  } else if (auto* writing = std::get_if<WriteFile>(&effect)) {
    Bytes& content = m.files[writing->path];
    if (writing->offset == 0) content.clear();
    append(content, writing->bytes);
    give(n, [&](Node& node, Node::Out& out) { node.on_file_written(now, writing->token, ok(), out); });
  } else if (auto* answered = std::get_if<Answer>(&effect)) {
    EXPECT_TRUE(m.answers.emplace(answered->request, answered->json).second && !m.refusals.count(answered->request)) << "answered twice";
  } else if (auto* refused = std::get_if<Refuse>(&effect)) {
    EXPECT_TRUE(m.refusals.emplace(refused->request, refused->error).second && !m.answers.count(refused->request)) << "answered twice";
  } else if (auto* dial = std::get_if<DialPeer>(&effect)) {
    m.dials.push_back(*dial);
  } else if (auto* going = std::get_if<Progress>(&effect)) {
    m.progress.push_back(going->json);
  } else if (auto* text = std::get_if<Trace>(&effect)) {
    m.traces.push_back(text->text);
  } else {
    note(m, effect);
  }
}

void Group::note(Machine& m, Effect& effect) {
  if (auto* replied = std::get_if<AnswerHttp>(&effect)) {
    EXPECT_TRUE(m.replies.emplace(replied->id, std::move(replied->reply)).second) << "answered twice";
  } else if (auto* news = std::get_if<JobNews>(&effect)) {
    JobTold broken;
    broken.request = news->request;
    broken.stage = JobStage::kRefused;
    broken.error = uint8_t(Errc::kUnavailable);
    m.heard.push_back(news->told.empty() ? broken : codec::decode<JobTold>(news->told).value());
  } else if (auto* connect = std::get_if<ConnectSocket>(&effect)) {
    m.connects.push_back(*connect);
  } else if (auto* pace = std::get_if<PaceTasks>(&effect)) {
    if (pace->pace) m.paces[pace->lease_number] = *pace->pace;
    else m.paces.erase(pace->lease_number);
  } else if (auto* cancelled = std::get_if<CancelTask>(&effect)) {
    m.cancelled.push_back(*cancelled);
  }
}

}  // namespace selvedge::node::testing
