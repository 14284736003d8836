#include "sim/world.h"

#include <algorithm>

#include "codec/ticket.h"
#include "mesh/messages.h"

namespace selvedge::sim {

namespace {

constexpr uint64_t kStartUnixSeconds = 1'790'000'000;
/// A node that asks to be woken now, again and again, does not wait for anything: it spins.
constexpr uint32_t kWakesAtOneInstantMax = 1000;
constexpr size_t kViolationsMax = 50;
constexpr size_t kCrashSoonEffectsMax = 12;

}  // namespace

World::World(uint64_t seed, CryptoKind crypto)
    : seed_(seed), crypto_(crypto), rng_(seed), net_rng_(rng_.fork()), disk_rng_(rng_.fork()), work_rng_(rng_.fork()),
      now_(Instant::from_unix_seconds(kStartUnixSeconds)), plans_(fountain::PlanCache::create()) {
  if (crypto_ == CryptoKind::kReal) verifier_ = std::make_unique<crypto::Ed25519Verifier>();
  else verifier_ = std::make_unique<crypto::SimVerifier>(keyring_);
}

World::~World() = default;

// ---- people and machines

crypto::Seed World::seed_of(const std::string& what) const {
  uint8_t seed[8];
  store_u64(seed, seed_);
  const crypto::Digest digest = crypto::Sha256().update(view("selvedge sim seed")).update(seed).update(view(what)).finish();
  return crypto::Seed::from(digest).value();
}

std::unique_ptr<crypto::Signer> World::make_signer(const std::string& what) {
  if (crypto_ == CryptoKind::kReal) return std::make_unique<crypto::Ed25519Signer>(seed_of(what));
  return std::make_unique<crypto::SimSigner>(seed_of(what), keyring_);
}

NodeIndex World::make_node(const std::string& name, std::unique_ptr<crypto::Signer> owner, crypto::Seed zone_root) {
  const NodeIndex n = NodeIndex(nodes_.size());
  auto machine = std::make_unique<Machine>();
  machine->name = name;
  machine->address = "sim" + std::to_string(n) + ":7443";
  machine->owner = std::move(owner);
  machine->signer = make_signer("node " + name);
  machine->seal = std::make_unique<crypto::SealKeyPair>(seed_of("seal " + name));
  machine->zone_root = std::move(zone_root);
  by_key_[machine->signer->public_key()] = n;
  by_address_[machine->address] = n;
  nodes_.push_back(std::move(machine));
  return n;
}

NodeIndex World::add_node(const std::string& name) { return make_node(name, make_signer("owner " + name), seed_of("zones " + name)); }

NodeIndex World::add_node(const std::string& name, NodeIndex same_owner_as) {
  const std::string first = nodes_[same_owner_as]->name;
  return make_node(name, make_signer("owner " + first), seed_of("zones " + first));
}

std::optional<NodeIndex> World::node_of(const crypto::PublicKey& key) const {
  auto it = by_key_.find(key);
  return it == by_key_.end() ? std::nullopt : std::optional<NodeIndex>(it->second);
}

std::string World::ticket(NodeIndex n) const {
  return codec::ticket_text({key(n), owner(n), {nodes_[n]->address}, std::nullopt}).value();
}

node::NodeConfig World::config_of(const Machine& machine) {
  node::NodeConfig config;
  config.owner = machine.owner.get();
  config.node = machine.signer.get();
  config.seal = machine.seal.get();
  config.verifier = verifier_.get();
  config.started = now_;
  config.zone_root = machine.zone_root.clone();
  // Each life draws its own numbers, as the operating system's entropy would have it.
  config.random = seed_of("random " + machine.name + " " + std::to_string(machine.life));
  config.addresses = {machine.address};
  config.version = "sim";
  config.identity_secret = object::identity_secret(seed_of("identity " + machine.name));
  if (crypto_ == CryptoKind::kSimulated) {
    config.make_signer = [this](const crypto::Seed& seed) -> std::unique_ptr<crypto::Signer> { return std::make_unique<crypto::SimSigner>(seed, keyring_); };
  }
  config.plans = plans_;
  config.limits = machine.limits;
  return config;
}

void World::start(NodeIndex n) {
  Machine& machine = *nodes_[n];
  CHECK(machine.node == nullptr);
  ++machine.life;
  machine.node = std::make_unique<node::Node>(config_of(machine));
  for (const auto& [key, value] : machine.disk.content()) {
    if (key.first != store::Column::kMeta && key.first != store::Column::kRecords) continue;
    const Status recovered = machine.node->recover(key.first, key.second, *value);
    if (!recovered.ok()) violate(machine.name + ": its own disk cannot be read: " + recovered.error().message);
  }
  for (Observer* observer : observers_) observer->started(n);
  input(n, "start", {}, [&](node::Node& node, Out& out) {
    const Status started = node.start(now_, out);
    if (!started.ok()) violate(machine.name + ": does not start: " + started.error().message);
  });
}

void World::crash(NodeIndex n) {
  Machine& machine = *nodes_[n];
  if (machine.node == nullptr) return;
  trace("crash", n, {});
  for (Observer* observer : observers_) observer->crashed(n);
  machine.node.reset();
  ++machine.life;  // what is under way for the old life finds nobody
  drop_links_of(n);
  machine.disk.crash(disk_rng_);
  machine.running.clear();
  machine.partial_files.clear();
  machine.sync_scheduled = false;
  machine.wake_at = Instant::never();
  machine.effects_until_crash.reset();
}

void World::crash_soon(NodeIndex n) {
  if (up(n)) nodes_[n]->effects_until_crash = size_t(rng_.below(kCrashSoonEffectsMax));
}

const Bytes* World::file(NodeIndex n, const std::string& path) const {
  auto it = nodes_[n]->files.find(path);
  return it == nodes_[n]->files.end() ? nullptr : &it->second;
}

node::FileName World::file_name(NodeIndex n, const std::string& path) const {
  const Bytes* content = file(n, path);
  const size_t slash = path.rfind('/');
  return {path, path.substr(slash + 1), content == nullptr ? 0 : content->size()};
}

// ---- requests

node::RequestId World::request(NodeIndex n, node::ApiRequest request) {
  const node::RequestId id = ++last_request_;
  for (Observer* observer : observers_) observer->requested(n, id, request);
  if (!up(n)) {
    settle_reply(n, id, {true, "", fail(Errc::kUnavailable, "the node is down")});
    return id;
  }
  if (log) log(stamp(n) + "request " + std::to_string(id) + ", kind " + std::to_string(request.index()));
  uint8_t number[8];
  store_u64(number, id);
  input(n, "request", number, [&](node::Node& node, Out& out) { node.on_request(now_, id, std::move(request), out); });
  return id;
}

void World::withdraw(NodeIndex n, node::RequestId id) {
  if (up(n)) input(n, "withdraw", {}, [&](node::Node& node, Out& out) { node.on_request_withdrawn(now_, id, out); });
}

const Reply* World::reply(NodeIndex n, node::RequestId id) const {
  auto it = nodes_[n]->replies.find(id);
  return it == nodes_[n]->replies.end() ? nullptr : &it->second;
}

void World::settle_reply(NodeIndex n, node::RequestId id, Reply reply) {
  if (nodes_[n]->replies.count(id)) violate(name(n) + ": answered request " + std::to_string(id) + " twice");
  if (log) log(stamp(n) + "request " + std::to_string(id) + (reply.refused ? " refused: " + reply.error.message : " answered"));
  for (Observer* observer : observers_) observer->replied(n, id, reply);
  nodes_[n]->replies.emplace(id, std::move(reply));
}

// ---- events

void World::after(Duration delay, std::function<void()> what) {
  heap_.push_back({now_ + delay, ++sequence_, std::move(what)});
  std::push_heap(heap_.begin(), heap_.end());
}

void World::later(NodeIndex n, Duration delay, std::function<void()> what) {
  const uint32_t life = nodes_[n]->life;
  after(delay, [this, n, life, what = std::move(what)] {
    if (nodes_[n]->life == life && up(n)) what();
  });
}

bool World::step(Instant until) {
  if (heap_.empty() || heap_.front().at > until) {
    now_ = until;
    return false;
  }
  std::pop_heap(heap_.begin(), heap_.end());
  Event event = std::move(heap_.back());
  heap_.pop_back();
  now_ = event.at;
  ++events_;
  event.what();
  return true;
}

bool World::run_until(const std::function<bool()>& done, Duration at_most) {
  const Instant end = now_ + at_most;
  while (!done()) {
    if (!step(end)) return done();
  }
  return true;
}

void World::run_for(Duration time) {
  (void)run_until([] { return false; }, time);
}

// ---- turns

void World::trace(const char* kind, NodeIndex n, ByteView detail) {
  uint8_t head[20];
  store_u64(head, uint64_t(now_.ns));
  store_u32(head + 8, n);
  store_u64(head + 12, detail.size());
  trace_.update(head).update(view(kind)).update(detail);
}

std::string World::stamp(NodeIndex n) const {
  const double at = (now_ - Instant::from_unix_seconds(kStartUnixSeconds)).seconds();
  return std::to_string(at) + " " + name(n) + ": ";
}

crypto::Digest World::trace_hash() const {
  crypto::Sha256 so_far = trace_;
  return so_far.finish();
}

void World::violate(std::string what) {
  if (violations_.size() < kViolationsMax) violations_.push_back(std::move(what));
}

void World::finish() {
  for (Observer* observer : observers_) observer->finished();
}

void World::input(NodeIndex n, const char* kind, ByteView detail, const std::function<void(node::Node&, Out&)>& give) {
  Machine& machine = *nodes_[n];
  CHECK(machine.node != nullptr);
  trace(kind, n, detail);
  const uint32_t life = machine.life;
  Out out;
  give(*machine.node, out);
  carry_out(n, out);
  if (machine.life != life) return;
  for (Observer* observer : observers_) observer->turn_ended(n);
  schedule_wake(n);
}

void World::carry_out(NodeIndex n, Out& out) {
  Machine& machine = *nodes_[n];
  const uint32_t life = machine.life;
  for (node::Effect& effect : out.take()) {
    if (machine.effects_until_crash && (*machine.effects_until_crash)-- == 0) {
      crash(n);
      return;
    }
    if (!distort_effect(n, effect)) continue;
    for (Observer* observer : observers_) observer->acted(n, effect);
    act(n, effect);
    if (machine.life != life) return;
  }
}

void World::schedule_wake(NodeIndex n) {
  Machine& machine = *nodes_[n];
  const Instant wanted = std::max(machine.node->next_deadline(), now_);
  if (wanted == Instant::never() || wanted >= machine.wake_at) return;
  machine.wake_at = wanted;
  later(n, wanted - now_, [this, n, wanted] {
    Machine& m = *nodes_[n];
    if (m.wake_at != wanted) return;  // an earlier one took its place
    m.wake_at = Instant::never();
    input(n, "deadline", {}, [this](node::Node& node, Out& out) { node.on_deadline(now_, out); });
    if (!up(n)) return;
    const bool again = m.wake_at <= now_;
    m.wakes_at_this_instant = again ? m.wakes_at_this_instant + 1 : 0;
    if (m.wakes_at_this_instant == kWakesAtOneInstantMax) {
      violate(m.name + ": asks to be woken at once for ever");
      m.wake_at = now_ - nanoseconds(1);  // it sleeps from now on
    }
  });
}

void World::act(NodeIndex n, node::Effect& effect) {
  uint8_t number[8];
  if (auto* dialled = std::get_if<node::DialPeer>(&effect)) {
    trace("dial", n, dialled->peer);
    dial(n, *dialled);
  } else if (auto* message = std::get_if<node::SendMessage>(&effect)) {
    trace("send", n, message->message);
    send(n, message->link, Channel::kControl, std::move(message->message));
  } else if (auto* symbols = std::get_if<node::SendSymbols>(&effect)) {
    trace("symbols", n, symbols->frame);
    send(n, symbols->link, Channel::kBulk, std::move(symbols->frame));
  } else if (auto* close = std::get_if<node::ClosePeer>(&effect)) {
    trace("close", n, view(close->reason));
    close_link(n, close->link, close->reason);
  } else if (auto* disk = std::get_if<node::UseDisk>(&effect)) {
    use_disk(n, std::move(disk->effect));
  } else if (auto* work = std::get_if<node::Compute>(&effect)) {
    store_u64(number, work->token);
    trace("compute", n, number);
    compute(n, std::move(*work));
  } else if (std::get_if<node::Attest>(&effect) != nullptr) {
    violate(name(n) + ": asks for hardware that it was not given");
  } else if (auto* task = std::get_if<node::StartTask>(&effect)) {
    trace("task", n, task->run.task);
    start_task(n, std::move(task->run));
  } else if (auto* pace = std::get_if<node::PaceTasks>(&effect)) {
    // Simulated domains take the time that is drawn for them; desk.h simulates paces.
    store_u64(number, pace->lease_number);
    trace("pace", n, number);
  } else if (const auto* visit = std::get_if<node::DialAsNobody>(&effect)) {
    trace("visit", n, visit->peer);  // there are no relays in this world yet: nobody answers
    violate(name(n) + ": visits somebody");
  } else if (std::get_if<node::CircuitPackets>(&effect) != nullptr) {
    violate(name(n) + ": has packets of a circuit");
  } else if (const auto* cancel = std::get_if<node::CancelTask>(&effect)) {
    trace("cancel", n, cancel->task);  // a domain that is slow to hear it: its answer comes when it was to come
  } else if (std::get_if<node::ReclaimMemory>(&effect) != nullptr) {
    trace("reclaim", n, {});
  } else if (auto* stop = std::get_if<node::StopTasks>(&effect)) {
    store_u64(number, stop->lease_number);
    trace("stop", n, number);
    stop_tasks(n, *stop);
  } else if (auto* read = std::get_if<node::ReadFile>(&effect)) {
    trace("read", n, view(read->path));
    read_file(n, *read);
  } else if (auto* write = std::get_if<node::WriteFile>(&effect)) {
    trace("write", n, write->bytes);
    save_file(n, std::move(*write));
  } else if (auto* discard = std::get_if<node::DiscardFile>(&effect)) {
    trace("discard", n, view(discard->path));
    discard_file(n, discard->path);
  } else if (auto* progress = std::get_if<node::Progress>(&effect)) {
    trace("progress", n, view(progress->json));
    if (log) log(stamp(n) + "request " + std::to_string(progress->request) + " " + progress->json);
  } else if (auto* answer = std::get_if<node::Answer>(&effect)) {
    trace("answer", n, view(answer->json));
    settle_reply(n, answer->request, {false, std::move(answer->json), {}});
  } else if (auto* refuse = std::get_if<node::Refuse>(&effect)) {
    trace("refuse", n, view(refuse->error.message));
    settle_reply(n, refuse->request, {true, "", std::move(refuse->error)});
  } else if (auto* dash = std::get_if<node::OpenDash>(&effect)) {
    settle_reply(n, dash->request, {true, "", fail(Errc::kUnavailable, "a simulated node has no dashboard")});
  } else if (auto* text = std::get_if<node::Trace>(&effect)) {
    if (log) log(stamp(n) + text->text);
  } else if (std::get_if<node::Shutdown>(&effect) != nullptr) {
    crash(n);
  }
}

}  // namespace selvedge::sim
