// World: many nodes in one process, with a simulated network, disk, clock, workers, domains and files.
//
// It runs the same Node that host/ runs. All that happens is an event on one heap ordered by (time, sequence); every
// choice comes from one seed; so a seed replays a run exactly, and trace_hash() says whether it did. Links are what
// the trunks give: messages reliable and in order, frames reliable and in any order, with nothing promised between the two.
// Loss shows as delay, long loss as a link that breaks.
//
// Faults are switched on and off by whoever drives the world (scenario.h) and never by chance alone. Checkers
// (checkers.h) watch as Observers; they see everything, change nothing, and report with violate().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "crypto/hash.h"
#include "node/node.h"
#include "sim/disk.h"
#include "sim/program.h"

namespace selvedge::sim {

using NodeIndex = uint32_t;

enum class CryptoKind : uint8_t { kReal, kSimulated };
enum class Channel : uint8_t { kControl, kBulk };

/// How bad the world is. Chances are in a thousand.
struct Weather {
  Duration latency_min = microseconds(200);
  Duration latency_max = milliseconds(5);
  uint32_t retransmit_permille = 0;          // a message is delayed by retransmit_min..max, and what follows it on its channel
  Duration retransmit_min = milliseconds(30);
  Duration retransmit_max = milliseconds(400);
  uint32_t link_break_permille = 0;          // per message sent
  uint32_t write_failure_permille = 0;       // per disk write
  uint32_t domain_loss_permille = 0;         // a domain dies for reasons that say nothing about the program
};

struct Reply {
  bool refused = false;
  std::string json;
  Error error;
};

/// A task running on a node.
struct Running {
  work::RunDomain run;
  Instant started;
};

class World;

/// Watches from outside. Everything is reported before it has its effect.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void started(NodeIndex) {}
  virtual void crashed(NodeIndex) {}
  virtual void requested(NodeIndex, node::RequestId, const node::ApiRequest&) {}
  virtual void replied(NodeIndex, node::RequestId, const Reply&) {}
  virtual void acted(NodeIndex, const node::Effect&) {}
  virtual void delivered(NodeIndex /*to*/, NodeIndex /*from*/, Channel, ByteView) {}
  virtual void persisted(NodeIndex, const store::DiskWrite&) {}
  virtual void task_ended(NodeIndex, const Running&, const work::DomainResult&) {}
  virtual void turn_ended(NodeIndex) {}
  /// The driver is done and faults are over: what must hold at rest?
  virtual void finished() {}
};

class World {
 public:
  World(uint64_t seed, CryptoKind crypto);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // ---- people and machines
  /// A machine with an owner of its own, or of `same_owner_as`.
  NodeIndex add_node(const std::string& name);
  NodeIndex add_node(const std::string& name, NodeIndex same_owner_as);
  size_t size() const { return nodes_.size(); }
  const std::string& name(NodeIndex n) const { return nodes_[n]->name; }
  const crypto::PublicKey& key(NodeIndex n) const { return nodes_[n]->signer->public_key(); }
  const crypto::PublicKey& owner(NodeIndex n) const { return nodes_[n]->owner->public_key(); }
  const crypto::Signer& signer(NodeIndex n) const { return *nodes_[n]->signer; }
  const crypto::Signer& owner_signer(NodeIndex n) const { return *nodes_[n]->owner; }
  const crypto::Verifier& verifier() const { return *verifier_; }
  std::optional<NodeIndex> node_of(const crypto::PublicKey& key) const;
  std::string ticket(NodeIndex n) const;
  /// Who is at the other end of an open link of `n`.
  std::optional<NodeIndex> link_peer(NodeIndex n, node::LinkId link) const;
  void set_lie(NodeIndex n, Lie lie) { nodes_[n]->lie = lie; }
  Lie lie(NodeIndex n) const { return nodes_[n]->lie; }
  store::Limits& limits(NodeIndex n) { return nodes_[n]->limits; }

  void start(NodeIndex n);
  /// The process is killed: memory is gone, unsynced writes may be.
  void crash(NodeIndex n);
  /// Kills it in the middle of what one of its next inputs makes it do.
  void crash_soon(NodeIndex n);
  /// Takes a crash_soon() back that has not struck.
  void spare(NodeIndex n) { nodes_[n]->effects_until_crash.reset(); }
  bool up(NodeIndex n) const { return nodes_[n]->node != nullptr; }
  const node::Node* node(NodeIndex n) const { return nodes_[n]->node.get(); }
  const SimDisk& disk(NodeIndex n) const { return nodes_[n]->disk; }
  const std::map<work::TaskId, Running>& running(NodeIndex n) const { return nodes_[n]->running; }

  // ---- what its owner does
  node::RequestId request(NodeIndex n, node::ApiRequest request);
  void withdraw(NodeIndex n, node::RequestId id);
  /// nullptr while there is no answer.
  const Reply* reply(NodeIndex n, node::RequestId id) const;
  void write_file(NodeIndex n, const std::string& path, Bytes content) { nodes_[n]->files[path] = std::move(content); }
  const Bytes* file(NodeIndex n, const std::string& path) const;
  node::FileName file_name(NodeIndex n, const std::string& path) const;

  // ---- time
  Instant now() const { return now_; }
  /// Runs until `done` or until the time is up; says whether it was done.
  bool run_until(const std::function<bool()>& done, Duration at_most);
  void run_for(Duration time);
  /// Calls `what` after `delay`, as an event of its own.
  void after(Duration delay, std::function<void()> what);
  uint64_t events() const { return events_; }

  // ---- faults
  Weather weather;
  /// Nothing passes from any of `from` to any of `to` until heal().
  void block(const std::vector<NodeIndex>& from, const std::vector<NodeIndex>& to);
  void heal();
  /// Breaks every link between two nodes, in the way a dead network path does.
  void break_links(NodeIndex a, NodeIndex b);
  /// A message from nowhere: as if a node's peer had sent it on their link.
  void inject(NodeIndex to, NodeIndex as_from, Bytes message);

  Rng& rng() { return rng_; }
  crypto::Digest trace_hash() const;

  // ---- watching
  void watch(Observer& observer) { observers_.push_back(&observer); }
  void violate(std::string what);
  const std::vector<std::string>& violations() const { return violations_; }
  void finish();
  /// Every Trace text and progress report, with time and node, when set.
  std::function<void(const std::string&)> log;

 private:
  struct Machine {
    std::string name;
    std::string address;
    std::unique_ptr<crypto::Signer> owner;
    std::unique_ptr<crypto::Signer> signer;
    std::unique_ptr<crypto::SealKeyPair> seal;
    crypto::Seed zone_root;
    store::Limits limits;
    Lie lie = Lie::kNone;
    SimDisk disk;
    std::map<std::string, Bytes> files;

    // One life of the process.
    uint32_t life = 0;
    std::unique_ptr<node::Node> node;
    std::map<node::LinkId, size_t> links;      // to an index of links_
    std::map<work::TaskId, Running> running;
    std::map<std::string, Bytes> partial_files;
    bool sync_scheduled = false;
    Instant last_file_write{0};
    Instant wake_at = Instant::never();
    uint32_t wakes_at_this_instant = 0;
    std::optional<size_t> effects_until_crash;
    std::map<node::RequestId, Reply> replies;
  };
  struct Side {
    NodeIndex node = 0;
    uint32_t life = 0;
    node::LinkId id = 0;
    bool open = false;
  };
  struct Held { Channel channel; Bytes bytes; };
  struct Link {
    Side sides[2];
    Instant last_arrival[2];                   // of messages, by sender's side
    std::vector<Held> held[2];                 // sent while blocked, by sender's side
  };
  struct Event {
    Instant at;
    uint64_t sequence;
    std::function<void()> what;
    bool operator<(const Event& other) const { return std::tie(other.at, other.sequence) < std::tie(at, sequence); }
  };

  NodeIndex make_node(const std::string& name, std::unique_ptr<crypto::Signer> owner, crypto::Seed zone_root);
  crypto::Seed seed_of(const std::string& what) const;
  std::unique_ptr<crypto::Signer> make_signer(const std::string& what);
  node::NodeConfig config_of(const Machine& machine);

  // world.cc: events and turns
  bool step(Instant until);
  /// Calls `what` after `delay` if the node is still in this life.
  void later(NodeIndex n, Duration delay, std::function<void()> what);
  using Out = node::Node::Out;
  void input(NodeIndex n, const char* kind, ByteView detail, const std::function<void(node::Node&, Out&)>& give);
  void carry_out(NodeIndex n, Out& out);
  void act(NodeIndex n, node::Effect& effect);
  void schedule_wake(NodeIndex n);
  void trace(const char* kind, NodeIndex n, ByteView detail);
  std::string stamp(NodeIndex n) const;
  void settle_reply(NodeIndex n, node::RequestId id, Reply reply);
  /// Whether the lie of a node swallows or changes this effect. False: do not carry it out.
  bool distort_effect(NodeIndex n, node::Effect& effect);

  // world_net.cc
  void dial(NodeIndex from, const node::DialPeer& dial);
  void open_link(NodeIndex from, NodeIndex to);
  void send(NodeIndex n, node::LinkId id, Channel channel, Bytes bytes);
  void transmit(size_t link, int side, Channel channel, Bytes bytes);
  void arrive(size_t link, int side, Channel channel, const Bytes& bytes);
  void close_side(size_t link, int side, const Error& why);
  void close_link(NodeIndex n, node::LinkId id, const std::string& reason);
  void drop_links_of(NodeIndex n);
  bool blocked(NodeIndex from, NodeIndex to) const { return blocks_.count({from, to}) != 0; }
  void expire_if_still_blocked(size_t link, uint64_t block_serial);

  // world_work.cc
  void use_disk(NodeIndex n, store::Effect effect);
  void sync_disk(NodeIndex n);
  void compute(NodeIndex n, node::Compute work);
  void start_task(NodeIndex n, work::RunDomain run);
  void end_task(NodeIndex n, const work::TaskId& task, work::DomainResult result);
  void stop_tasks(NodeIndex n, const node::StopTasks& stop);
  void read_file(NodeIndex n, const node::ReadFile& read);
  void save_file(NodeIndex n, node::WriteFile write);
  void discard_file(NodeIndex n, const std::string& path);

  uint64_t seed_;
  CryptoKind crypto_;
  Rng rng_;
  Rng net_rng_;
  Rng disk_rng_;
  Rng work_rng_;
  Instant now_;
  uint64_t sequence_ = 0;
  uint64_t events_ = 0;
  std::vector<Event> heap_;
  std::shared_ptr<fountain::PlanCache> plans_;
  crypto::SimKeyring keyring_;
  std::unique_ptr<crypto::Verifier> verifier_;
  std::vector<std::unique_ptr<Machine>> nodes_;
  std::map<crypto::PublicKey, NodeIndex> by_key_;
  std::map<std::string, NodeIndex> by_address_;
  std::vector<Link> links_;
  node::LinkId last_link_id_ = 0;
  node::RequestId last_request_ = 0;
  std::map<std::pair<NodeIndex, NodeIndex>, uint64_t> blocks_;   // since which block()
  uint64_t block_serial_ = 0;
  crypto::Sha256 trace_;
  std::vector<Observer*> observers_;
  std::vector<std::string> violations_;
};

}  // namespace selvedge::sim
