#include "sim/scenario.h"

#include <algorithm>

#include "codec/multibase.h"

namespace selvedge::sim {

namespace {

constexpr uint32_t kJobNodes = 52;
constexpr uint32_t kJobTasks = 200;
constexpr Duration kConvergeWithin = seconds(600);

Bytes random_bytes(Rng& rng, size_t size) {
  Bytes out(size);
  for (uint8_t& byte : out) byte = uint8_t(rng.next());
  return out;
}

ScenarioResult result_of(World& world, std::string summary) {
  world.finish();
  ScenarioResult result;
  result.violations = world.violations();
  result.trace = world.trace_hash();
  result.events = world.events();
  result.virtual_time = world.now() - Instant::from_unix_seconds(1'790'000'000);
  result.summary = std::move(summary);
  return result;
}

Weather bad_weather() {
  Weather weather;
  weather.latency_max = milliseconds(40);
  weather.retransmit_permille = 20;
  return weather;
}

}  // namespace

// ---- job

ScenarioResult run_job(const ScenarioOptions& options) {
  World world(options.seed, CryptoKind::kSimulated);
  world.log = options.log;
  Checkers checkers(world);
  Driver people(world);
  Rng rng = world.rng().fork();
  const NodeIndex origin = world.add_node("origin");
  std::vector<NodeIndex> hosts;
  for (uint32_t i = 1; i < std::max(4u, options.nodes == 0 ? kJobNodes : options.nodes); ++i) hosts.push_back(world.add_node("host " + std::to_string(i)));
  // Liars among executors must be fewer than what an owner's two-fold check can tell; symbols survive one bad holder.
  constexpr Lie kLies[] = {Lie::kWrongOutput, Lie::kWrongFuel, Lie::kBrokenCommitment, Lie::kNeverReveals};
  for (size_t i = 0; i < hosts.size() / 10; ++i) world.set_lie(hosts[i], i == 4 ? Lie::kTamperedSymbols : kLies[i % 4]);
  world.start(origin);
  for (NodeIndex host : hosts) world.start(host);
  for (NodeIndex host : hosts) {
    const Status connected = people.connect(origin, host);
    if (!connected.ok()) world.violate("calm world: " + connected.error().message);
    const auto granted = people.grant(host, origin);
    if (!granted.ok()) world.violate("calm world: " + granted.error().message);
  }
  node::RunRequest request;
  world.write_file(origin, "/program.wasm", program_module(options.seed));
  request.module = world.file_name(origin, "/program.wasm");
  for (uint32_t i = 0; i < kJobTasks; ++i) {
    const std::string path = "/in/" + std::to_string(i);
    world.write_file(origin, path, random_bytes(rng, 50 + rng.below(i % 20 == 0 ? 60'000 : 3000)));
    request.inputs.push_back(world.file_name(origin, path));
  }
  // The inputs are stored while the world is calm, so that the run itself is what meets the trouble.
  std::vector<std::string> paths{"/program.wasm"};
  for (const node::FileName& input : request.inputs) paths.push_back(input.path);
  const auto stored = people.put(origin, paths);
  if (!stored.ok()) world.violate("calm world: " + stored.error().message);
  request.verify = 2;
  request.merge = true;
  request.out_dir = "/results";

  world.weather = bad_weather();
  Chaos chaos(world, hosts, {true, true, true, true, true, milliseconds(250), 4});
  chaos.start();
  const node::RequestId id = world.request(origin, request);
  const auto answered = [&] { return world.reply(origin, id) != nullptr; };
  (void)world.run_until(answered, seconds(60));
  chaos.stop();
  world.weather = Weather{};
  if (!world.run_until(answered, kConvergeWithin)) world.violate("the job did not end within its time after the trouble had stopped");
  else if (world.reply(origin, id)->refused) world.violate("the job failed: " + world.reply(origin, id)->error.message);
  std::string summary = "no result";
  if (answered() && !world.reply(origin, id)->refused) {
    const auto run = Driver::summarize(world.reply(origin, id)->json);
    if (run.ok()) {
      for (const std::string& liar : run->rejected) {
        const auto key = codec::parse_key(liar);
        const auto n = key.ok() ? world.node_of(*key) : std::nullopt;
        if (!n || world.lie(*n) == Lie::kNone) world.violate("an honest node was named a liar");
      }
      summary = std::to_string(run->outputs.size()) + " outputs, " + std::to_string(run->executions) + " executions, " +
                std::to_string(run->retries) + " retries, " + std::to_string(run->rejected.size()) + " rejections, " +
                std::to_string(chaos.troubles()) + " troubles";
    }
  }
  return result_of(world, summary);
}

// ---- swarm

namespace {

// One owner with files of their own, who keeps doing things and remembers what must come back.
struct Person {
  NodeIndex node;
  std::map<std::string, std::string> stored;    // content id to the path it was put from
  std::vector<std::pair<node::RequestId, std::vector<std::string>>> puts;
  std::vector<node::RequestId> others;
  uint32_t files = 0;
};

class Swarm {
 public:
  explicit Swarm(const ScenarioOptions& options);
  ScenarioResult run();

 private:
  void set_up();
  void act();
  void put(Person& person);
  void collect();
  void calm_down();
  void everything_comes_back();

  ScenarioOptions options_;
  World world_;
  Checkers checkers_;
  Driver people_;
  Rng rng_;
  Bytes canary_;
  std::vector<Person> persons_;
  std::vector<NodeIndex> hosts_;
  std::map<std::pair<NodeIndex, NodeIndex>, std::string> leases_;   // host, origin
  std::unique_ptr<SecrecyChecker> secrecy_;
  std::optional<NodeIndex> bad_holder_;
  std::string drawn_;
};

Swarm::Swarm(const ScenarioOptions& options)
    : options_(options), world_(options.seed, CryptoKind::kReal), checkers_(world_), people_(world_), rng_(world_.rng().fork()) {
  world_.log = options.log;
  canary_ = random_bytes(rng_, 24);
}

void Swarm::set_up() {
  const size_t owners = 1 + rng_.below(2);
  const size_t hosts = options_.nodes != 0 ? options_.nodes : 4 + rng_.below(5);
  for (size_t i = 0; i < owners; ++i) persons_.push_back({world_.add_node("person " + std::to_string(i)), {}, {}, {}, 0});
  for (size_t i = 0; i < hosts; ++i) {
    // Some machines share an owner: those do not count as independent witnesses.
    const bool shares = i >= 4 && rng_.chance(1, 3);
    hosts_.push_back(shares ? world_.add_node("host " + std::to_string(i), hosts_.back()) : world_.add_node("host " + std::to_string(i)));
  }
  constexpr Lie kLies[] = {Lie::kNone, Lie::kWrongOutput, Lie::kSharedOutput, Lie::kWrongFuel, Lie::kBrokenCommitment, Lie::kTamperedSymbols, Lie::kSilentHolder};
  const Lie lie = kLies[rng_.below(std::size(kLies))];
  const NodeIndex liar = hosts_[rng_.below(hosts_.size())];
  world_.set_lie(liar, lie);
  if (lie == Lie::kTamperedSymbols || lie == Lie::kSilentHolder) bad_holder_ = liar;
  drawn_ += std::string("lie: ") + lie_name(lie);
  secrecy_ = std::make_unique<SecrecyChecker>(world_, canary_, world_.owner(persons_[0].node));
  world_.watch(*secrecy_);
  for (NodeIndex n = 0; n < world_.size(); ++n) world_.start(n);
  for (Person& person : persons_) {
    for (NodeIndex host : hosts_) {
      const Status connected = people_.connect(person.node, host);
      if (!connected.ok()) world_.violate("calm world: " + connected.error().message);
      const auto lease = people_.grant(host, person.node);
      if (!lease.ok()) world_.violate("calm world: " + lease.error().message);
      else leases_[{host, person.node}] = *lease;
    }
    world_.write_file(person.node, "/program.wasm", program_module(options_.seed));
  }
}

void Swarm::put(Person& person) {
  node::PutRequest request;
  std::vector<std::string> paths;
  for (uint64_t i = 0; i <= rng_.below(3); ++i) {
    const std::string path = "/in/" + std::to_string(++person.files);
    constexpr size_t kSizes[] = {0, 1, 300, 8192, 8193, 40'000, 200'000};
    Bytes content = random_bytes(rng_, kSizes[rng_.below(std::size(kSizes))]);
    if (&person == &persons_[0]) {
      for (size_t at = 0; at + canary_.size() <= content.size(); at += 1000) std::copy(canary_.begin(), canary_.end(), content.begin() + long(at));
    }
    world_.write_file(person.node, path, std::move(content));
    request.files.push_back(world_.file_name(person.node, path));
    paths.push_back(path);
  }
  person.puts.push_back({world_.request(person.node, std::move(request)), std::move(paths)});
}

void Swarm::act() {
  Person& person = persons_[rng_.below(persons_.size())];
  const uint64_t what = rng_.below(10);
  if (what < 3 || person.stored.empty()) return put(person);
  auto file = person.stored.begin();
  std::advance(file, long(rng_.below(person.stored.size())));
  if (what < 5) {
    person.others.push_back(world_.request(person.node, node::GetRequest{file->first, "/out/" + file->first}));
  } else if (what < 8) {
    node::RunRequest run;
    run.module = world_.file_name(person.node, "/program.wasm");
    run.inputs.push_back(world_.file_name(person.node, file->second));
    run.out_dir = "/results/" + std::to_string(rng_.next());
    run.verify = 2;
    person.others.push_back(world_.request(person.node, run));
  } else {
    // A host changes its mind for a while.
    auto lease = leases_.begin();
    std::advance(lease, long(rng_.below(leases_.size())));
    const NodeIndex host = lease->first.first;
    const std::string id = lease->second;
    (void)world_.request(host, node::LeaseChangeRequest{id, node::LeaseAction::kPause});
    world_.after(seconds(int64_t(1 + rng_.below(5))), [this, host, id] {
      if (world_.up(host)) (void)world_.request(host, node::LeaseChangeRequest{id, node::LeaseAction::kResume});
    });
  }
}

// What was answered counts from then on; what was refused may be tried again by whoever wants it.
void Swarm::collect() {
  for (Person& person : persons_) {
    std::erase_if(person.puts, [&](const auto& put) {
      const Reply* reply = world_.reply(person.node, put.first);
      if (reply == nullptr) return false;
      if (reply->refused) return true;
      for (const std::string& path : put.second) person.stored[work::output_cid(*world_.file(person.node, path)).text()] = path;
      return true;
    });
    std::erase_if(person.others, [&](node::RequestId id) { return world_.reply(person.node, id) != nullptr; });
  }
}

void Swarm::calm_down() {
  world_.weather = Weather{};
  const auto quiet = [&] {
    collect();
    return std::all_of(persons_.begin(), persons_.end(), [](const Person& p) { return p.puts.empty() && p.others.empty(); });
  };
  if (!world_.run_until(quiet, kConvergeWithin)) {
    for (const Person& person : persons_) {
      for (const auto& put : person.puts) world_.violate("put " + std::to_string(put.first) + " got no answer after the trouble had stopped");
      for (node::RequestId id : person.others) world_.violate("request " + std::to_string(id) + " got no answer after the trouble had stopped");
    }
  }
  // Paused leases resume, so that nothing but a revocation stands in the way.
  for (const auto& [at, id] : leases_) (void)people_.change(at.first, id, node::LeaseAction::kResume);
  world_.run_for(seconds(10));
}

void Swarm::everything_comes_back() {
  for (Person& person : persons_) {
    for (const auto& [cid, path] : person.stored) {
      const Status got = people_.get(person.node, cid, "/back/" + cid);
      if (!got.ok()) world_.violate("a stored file does not come back: " + got.error().message);
    }
  }
}

ScenarioResult Swarm::run() {
  set_up();
  Weather weather = bad_weather();
  Chaos::Kinds kinds;
  // Any one holder may vanish, and no more: where one gives nothing back, no other may be away while things are stored.
  const auto draw = [&](const char* name) {
    const bool chosen = rng_.chance(1, 2) && !bad_holder_;
    if (chosen) drawn_ += std::string(", ") + name;
    return chosen;
  };
  kinds.partitions = draw("partitions");
  kinds.one_way_partitions = draw("one-way partitions");
  kinds.crashes = draw("crashes");
  kinds.crashes_in_turn = draw("crashes in turn");
  kinds.link_breaks = draw("link breaks");
  if (draw("write failures")) weather.write_failure_permille = 20;
  if (draw("domain losses")) weather.domain_loss_permille = 100;
  const bool people_crash = draw("people crash");
  world_.weather = weather;
  std::vector<NodeIndex> victims = hosts_;
  if (people_crash) victims.push_back(persons_[0].node);
  Chaos chaos(world_, victims, kinds);
  chaos.start();
  for (int i = 0; i < 60; ++i) {
    act();
    world_.run_for(milliseconds(int64_t(rng_.between(1, 1500))));
    // A crash takes the answers with it: whoever asked a node that died asks no more.
    for (Person& person : persons_) {
      if (world_.up(person.node)) continue;
      collect();
      person.puts.clear();
      person.others.clear();
    }
    collect();
  }
  chaos.stop();
  // Requests to a life that ended are never answered.
  if (people_crash) {
    collect();
    persons_[0].puts.clear();
    persons_[0].others.clear();
  }
  calm_down();
  everything_comes_back();

  // One host takes its grants back for good; what it held must be on the others, and it may go away.
  const NodeIndex leaver = bad_holder_ ? *bad_holder_ : hosts_[rng_.below(hosts_.size())];
  for (const Person& person : persons_) {
    const Status revoked = people_.change(leaver, leases_[{leaver, person.node}], node::LeaseAction::kRevoke);
    if (!revoked.ok()) world_.violate("a revocation failed: " + revoked.error().message);
  }
  const auto repaired = [&] {
    return std::all_of(persons_.begin(), persons_.end(), [&](const Person& p) { return people_.status(p.node, "repairs_pending") == 0; });
  };
  bool whole = false;
  for (int i = 0; i < 60 && !whole; ++i) {
    world_.run_for(seconds(5));
    whole = repaired();
  }
  if (!whole) world_.violate("what a revoked host held was not placed anew in time");
  world_.crash(leaver);
  everything_comes_back();
  size_t files = 0;
  for (const Person& person : persons_) files += person.stored.size();
  return result_of(world_, drawn_ + "; " + std::to_string(files) + " files, " + std::to_string(checkers_.truth.files_checked()) + " reads, " +
                               std::to_string(checkers_.truth.outputs_checked()) + " outputs, " + std::to_string(chaos.troubles()) + " troubles");
}

}  // namespace

ScenarioResult run_swarm(const ScenarioOptions& options) { return Swarm(options).run(); }

const std::vector<NamedScenario>& scenarios() {
  static const std::vector<NamedScenario> all{
      {"job", "one owner, many hosts, 200 tasks, a tenth of the executors lie", run_job},
      {"swarm", "a few owners put, get, run and revoke; faults drawn from the seed", run_swarm},
  };
  return all;
}

}  // namespace selvedge::sim
