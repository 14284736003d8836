#include "host/daemon/daemon.h"

#include <signal.h>
#include <uv.h>

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "codec/multibase.h"
#include "crypto/drbg.h"
#include "host/daemon/api_server.h"
#include "host/daemon/dash_server.h"
#include "host/daemon/files.h"
#include "host/daemon/inbox.h"
#include "host/daemon/log.h"
#include "host/daemon/pkarr_relay.h"
#include "host/daemon/wires.h"
#include "host/disk/disk.h"
#include "host/domain/domain_pool.h"
#include "host/domain/microvm.h"
#include "host/kernel/kernel.h"
#include "host/net/hints.h"
#include "host/net/port_map.h"
#include "host/net/sockets.h"
#include "host/quic/addresses.h"
#include "host/tpm/tpm.h"
#include "node/node.h"
#include "object/zone_keys.h"

namespace selvedge::host {

namespace {

object::Outcome outcome_of(const DomainOutcome& outcome) {
  switch (outcome.end) {
    case DomainEnd::kExited: return outcome.exit_code == 0 ? object::Outcome::kOk : object::Outcome::kTrap;
    case DomainEnd::kTrapped:
    case DomainEnd::kForbidden: return object::Outcome::kTrap;
    case DomainEnd::kOutOfFuel: return object::Outcome::kFuel;
    case DomainEnd::kOutOfMemory: return outcome.trace.is_zero() ? object::Outcome::kInconclusive : object::Outcome::kMemory;
    case DomainEnd::kOutputTooLarge: return object::Outcome::kOutputTooLarge;
    case DomainEnd::kKilled:
    case DomainEnd::kCrashed:
    case DomainEnd::kRefused: return object::Outcome::kInconclusive;
  }
  return object::Outcome::kInconclusive;
}

// What a lying machine would say: plausible, signed, and wrong.
void falsify(work::DomainResult& result) {
  if (result.output.empty()) result.output.push_back('0');
  result.output[result.output.size() / 2] ^= 1;
  result.trace.bytes[0] ^= 1;
}

constexpr size_t kServiceBodyMax = 8u << 20;
constexpr unsigned kServiceConnectionsMax = 4096;

class Daemon {
 public:
  Daemon(const DaemonOptions& options, Home home, HomeLock lock, const HomeKeys& keys)
      : options_(options), home_(std::move(home)), lock_(std::move(lock)), node_key_(keys.node.node), seal_(keys.node.seal.clone()),
        log_(home_.log_path()), files_(loop_), pool_(loop_, options.runner_path, DomainClass::kBackground, options.machine), inbox_(loop_, inbox_events()),
        deadline_(loop_, [this] { input([this](Instant now, node::Node::Out& out) { node_->on_deadline(now, out); }); }),
        kernel_timer_(loop_, [this] { look_at_kernel(); }) {
    if (keys.root) owner_.emplace(keys.root->owner);
  }

  Status start(const HomeKeys& keys);
  Status run();

 private:
  template <class Input>
  void input(Input feed) {
    node::Node::Out out;
    feed(loop_.now(), out);
    for (node::Effect& effect : out.take()) {
      std::visit([this](auto& each) { this->perform(each); }, effect);
    }
    // All parts are asked, some of which look at every link: once for all that is handed over in a turn of the loop.
    if (std::exchange(deadline_due_, true)) return;
    loop_.post([this] {
      deadline_due_ = false;
      deadline_.set(node_->next_deadline());
    });
  }

  void perform(node::DialPeer& effect) { wires_->dial(effect.peer, effect.address, DialAs::kNode); }
  void perform(node::DialAsNobody& effect) { wires_->dial(effect.peer, effect.address, DialAs::kNobody); }
  void perform(node::CircuitPackets& effect) { wires_->inject(effect.circuit, effect.segment, std::move(effect.packets)); }
  void perform(node::SendMessage& effect) { wires_->send(effect.link, Channel::kControl, std::move(effect.message)); }
  void perform(node::SendSymbols& effect) { wires_->send(effect.link, Channel::kBulk, std::move(effect.frame)); }
  void perform(node::ClosePeer& effect) { wires_->close(effect.link, effect.reason); }
  void perform(node::AskHintSource& effect);
  void perform(node::TellHintSource& effect);
  void perform(node::ListenLocal& effect);
  void perform(node::CloseLocal& effect) { sockets_.close_listener(effect.request); }
  void perform(node::ConnectSocket& effect) { sockets_.connect(effect.socket, effect.target); }
  void perform(node::WriteSocket& effect) { sockets_.write(effect.socket, std::move(effect.bytes)); }
  void perform(node::EndSocket& effect) { sockets_.end(effect.socket); }
  void perform(node::PauseSocket& effect) { sockets_.set_paused(effect.socket, effect.paused); }
  void perform(node::CloseSocket& effect) { sockets_.close(effect.socket, effect.reset); }
  void perform(node::UseDisk& effect) { disk_->execute(std::move(effect.effect)); }
  void perform(node::Compute& effect);
  void perform(node::Attest& effect);
  void perform(node::StartTask& effect);
  void perform(node::CancelTask& effect);
  void perform(node::PaceTasks& effect);
  void perform(node::ReclaimMemory&) { pool_.drop_idle(); }
  void perform(node::StopTasks& effect);
  void perform(node::ReadFile& effect);
  void perform(node::WriteFile& effect);
  void perform(node::DiscardFile& effect) { files_.discard(effect.path); }
  void perform(node::Progress& effect) { desk_.progress(effect.request, effect.json); }
  void perform(node::Answer& effect) { desk_.answer(effect.request, effect.json); }
  void perform(node::Refuse& effect) { desk_.refuse(effect.request, effect.error); }
  void perform(node::AnswerHttp& effect);
  void perform(node::JobNews&) {}   // a machine asks for nothing in this way
  void perform(node::OpenDash& effect);
  void perform(node::Shutdown&) { shut_down("asked to stop"); }
  void perform(node::Trace& effect) { log_.write(effect.text); }

  Inbox::Events inbox_events();
  Sockets::Events socket_events();
  ApiDesk::Events desk_events();
  void shut_down(const std::string& why);
  Status open_disk();
  Status open_network(const HomeKeys& keys);
  Status open_api();
  Status open_pkarr_relay();
  Status open_services();
  void open_port();
  void watch_signals();
  void watch_kernel();
  void look_at_kernel();
  std::vector<std::string> addresses() const;
  void print_ready();

  DaemonOptions options_;
  Home home_;
  HomeLock lock_;
  std::optional<crypto::Ed25519Signer> owner_;   // where the owner's key is on this device
  crypto::Ed25519Signer node_key_;
  crypto::SealKeyPair seal_;
  std::optional<crypto::VrfKeyPair> vrf_;
  crypto::Ed25519Verifier verifier_;
  Log log_;
  Loop loop_;
  Files files_;
  DomainPool pool_;
  Inbox inbox_;
  HintClient hints_{loop_};
  Sockets sockets_{loop_, socket_events()};
  std::unique_ptr<node::Node> node_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<Wires> wires_;
  ApiDesk desk_{loop_, desk_events()};
  std::unique_ptr<ApiServer> api_;
  std::unique_ptr<HttpServer> services_;  // of what runs here for others: it listens nowhere
  std::unique_ptr<DashServer> dash_;    // null: switched off
  std::unique_ptr<PkarrRelay> pkarr_relay_;   // null: not this node's role
  std::unique_ptr<PortMap> port_map_;   // null: none is asked for
  std::string mapped_;                  // where the world finds this node through the router; empty: not known
  std::shared_ptr<Tpm> tpm_;   // null: the node asks for no attestation
  Loop::Timer deadline_;
  bool deadline_due_ = false;  // is to be set before the loop waits again
  Kernel kernel_;
  Loop::Timer kernel_timer_;
  work::Signals told_;
  struct Given { uint64_t lease, number; };
  std::map<work::TaskId, Given> tasks_;   // with the pool
  uv_signal_t signals_[2];
  bool stopping_ = false;
};

Status Daemon::start(const HomeKeys& keys) {
  node::NodeConfig config;
  if (keys.root) {
    config.owner = &*owner_;
    config.zone_root = keys.root->zones.clone();
  }
  config.record = TRY(home_.load_record());
  config.node = &node_key_;
  config.seal = &seal_;
  if (!keys.node.succeeds.is_zero()) config.succeeds = keys.node.succeeds;
  config.verifier = &verifier_;
  config.started = loop_.now();
  config.random = crypto::Drbg::from_os().seed();
  config.version = options_.version;
  config.label = home_.load_label();
  config.roles = options_.roles;
  if (!options_.pkarr_relay.empty()) config.roles |= node::kRolePkarrRelay;
  config.paths = options_.paths;
  config.hint_sources = options_.hint_sources;
  config.processors = std::max(1u, std::thread::hardware_concurrency());
  if (options_.machine != nullptr) config.isolation = work::Isolation::kMachine, config.isolation_text = options_.machine->text();
  vrf_.emplace(crypto::VrfKeyPair::derive(keys.node.node));
  config.vrf = &*vrf_;
  config.identity_secret = object::identity_secret(keys.node.node);
  if (!options_.tpm.empty()) {
    tpm_ = TRY(Tpm::open({options_.tpm}));
    config.attestation = tpm_->tier();
    config.attestation_missing = "this machine's TPM reaches no further";
  }
  config.plans = fountain::PlanCache::create(size_t(16) << 20);
  if (const Bytes hints = TRY(home_.load_hints()); !hints.empty()) {
    config.hosts = TRY(codec::decode<std::vector<object::Holder>>(hints));
    config.birth = keys.root ? node::Birth::kRestored : node::Birth::kKnown;
  }
  TRY(node::Node::check(config));
  node_ = std::make_unique<node::Node>(std::move(config));
  if (node_->owner() != keys.node.owner) return fail(Errc::kInvalid, home_.record_path() + " is by another owner than this node's; remove it and enrol anew (selvedge device request)");
  TRY(open_disk());
  TRY(open_network(keys));
  for (const mesh::HintSource& each : options_.hint_sources) TRY(hints_.prepare(each));
  TRY(open_api());
  TRY(open_pkarr_relay());
  TRY(open_services());
  node_->set_addresses(addresses());
  Status started;
  input([&](Instant now, node::Node::Out& out) { started = node_->start(now, out); });
  TRY(started);
  // From now on this home can do without the owner's key: it is shown by what its owner said of it.
  TRY(home_.save_record(node_->record()));
  watch_signals();
  watch_kernel();
  if (options_.map_port) open_port();
  print_ready();
  return ok();
}

Status Daemon::open_disk() {
  disk_ = TRY(Disk::open(loop_, home_.store_path()));
  size_t unreadable = 0;
  for (store::Column column : {store::Column::kMeta, store::Column::kRecords}) {
    TRY(disk_->scan(column, [&](ByteView key, ByteView value) { unreadable += node_->recover(column, key, value).ok() ? 0 : 1; }));
  }
  if (unreadable > 0) log_.write(std::to_string(unreadable) + " entries of the store could not be read and were left out");
  Disk::Answers answers;
  answers.persisted = [this](uint64_t token) { input([&](Instant now, node::Node::Out& out) { node_->on_persisted(now, token, out); }); };
  answers.write_failed = [this](uint64_t token, const Error& error) {
    input([&](Instant now, node::Node::Out& out) { node_->on_write_failed(now, token, error, out); });
  };
  answers.loaded = [this](uint64_t token, std::vector<std::optional<Bytes>> values) {
    input([&](Instant now, node::Node::Out& out) { node_->on_loaded(now, token, std::move(values), out); });
  };
  answers.load_failed = [this](uint64_t token, const Error& error) {
    input([&](Instant now, node::Node::Out& out) { node_->on_load_failed(now, token, error, out); });
  };
  disk_->set_answers(std::move(answers));
  return ok();
}

Status Daemon::open_network(const HomeKeys& keys) {
  QuicConfig config;
  config.listen = options_.listen;
  config.node_seed = keys.node.node.clone();
  // A peer that died without a word is noticed after this; three lost keep-alives do not count as death.
  config.idle_timeout = seconds(5);
  config.keep_alive = milliseconds(1200);
  Wires::Events events;
  events.opened = [this](uint64_t link, const PeerKey& peer, bool as_nobody) {
    inbox_.opened(link, peer);
    input([&](Instant now, node::Node::Out& out) {
      if (as_nobody) node_->on_visit_opened(now, peer, link, out);
      else node_->on_link_opened(now, link, peer, out);
    });
  };
  events.ways = [this](uint64_t link, std::vector<std::string> addresses) { node_->on_link_ways(link, std::move(addresses)); };
  events.message = [this](uint64_t link, Channel channel, Bytes message) { inbox_.message(link, channel, std::move(message)); };
  events.busy = [this](uint64_t link) { input([&](Instant now, node::Node::Out& out) { node_->on_link_busy(now, link, out); }); };
  events.closed = [this](uint64_t link, Error why) {
    inbox_.closed(link);
    input([&](Instant now, node::Node::Out& out) { node_->on_link_closed(now, link, why, out); });
  };
  events.dial_failed = [this](const PeerKey& peer, DialAs as, Error why) {
    input([&](Instant now, node::Node::Out& out) {
      if (as == DialAs::kNobody) node_->on_visit_failed(now, peer, why, out);
      else node_->on_dial_failed(now, peer, why, out);
    });
  };
  events.other_answered = [this](const PeerKey& peer, const std::string& address, const PeerKey& shown) {
    input([&](Instant now, node::Node::Out& out) { node_->on_other_answered(now, peer, address, shown, out); });
  };
  events.circuit = [this](uint64_t circuit, size_t segment, Bytes packets) {
    input([&](Instant now, node::Node::Out& out) { node_->on_circuit(now, circuit, segment, std::move(packets), out); });
  };
  events.trace = [this](const std::string& text) { log_.write(text); };
  wires_ = TRY(Wires::create(loop_, std::move(config), std::move(events)));
  if (options_.web.empty()) return ok();
  // For pages, to know whom they meet: keys, which whoever connects is shown anyway.
  const std::string about = "{\"node\":\"" + home_.node_key + "\",\"owner\":\"" + home_.owner_key + "\",\"version\":\"" + options_.version + "\"}\n";
  return wires_->open_door({options_.web, &node_key_, about});
}

Inbox::Events Daemon::inbox_events() {
  Inbox::Events events;
  events.deliver = [this](mesh::Arrival arrival) {
    input([&](Instant now, node::Node::Out& out) {
      if (arrival.bulk) node_->on_symbols(now, arrival.link, std::move(arrival.bytes), out);
      else node_->on_message(now, arrival.link, arrival.bytes, out);
    });
  };
  events.refuse = [this](mesh::Arrival arrival) {
    input([&](Instant now, node::Node::Out& out) {
      if (arrival.bulk) node_->on_symbols_shed(now, arrival.link, arrival.bytes, out);
      else node_->on_message_shed(now, arrival.link, arrival.bytes, out);
    });
  };
  events.pause = [this](uint64_t link, Channel channel) { wires_->pause(link, channel); };
  events.resume = [this](uint64_t link, Channel channel) { wires_->resume(link, channel); };
  return events;
}

Sockets::Events Daemon::socket_events() {
  Sockets::Events events;
  events.came = [this](uint64_t request, uint64_t socket) { input([&](Instant now, node::Node::Out& out) { node_->on_local_connection(now, request, socket, out); }); };
  events.connected = [this](uint64_t socket, const Status& status) { input([&](Instant now, node::Node::Out& out) { node_->on_socket_connected(now, socket, status, out); }); };
  events.read = [this](uint64_t socket, Bytes bytes) { input([&](Instant now, node::Node::Out& out) { node_->on_socket_read(now, socket, std::move(bytes), out); }); };
  events.ended = [this](uint64_t socket) { input([&](Instant now, node::Node::Out& out) { node_->on_socket_end(now, socket, out); }); };
  events.written = [this](uint64_t socket, size_t bytes) { input([&](Instant now, node::Node::Out& out) { node_->on_socket_written(now, socket, bytes, out); }); };
  events.within = [this](const std::string& target, int fd) { return services_->adopt(fd, target); };
  events.closed = [this](uint64_t socket) { input([&](Instant now, node::Node::Out& out) { node_->on_socket_closed(now, socket, out); }); };
  return events;
}

ApiDesk::Events Daemon::desk_events() {
  ApiDesk::Events events;
  events.request = [this](node::RequestId id, node::ApiRequest request) {
    input([&](Instant now, node::Node::Out& out) { node_->on_request(now, id, std::move(request), out); });
  };
  events.withdrawn = [this](node::RequestId id) { input([&](Instant now, node::Node::Out& out) { node_->on_request_withdrawn(now, id, out); }); };
  return events;
}

Status Daemon::open_api() {
  api_ = TRY(ApiServer::listen(loop_, home_.socket_path(), desk_));
  if (options_.dash != "off") dash_ = TRY(DashServer::listen(loop_, options_.dash, desk_, crypto::Drbg::from_os()));
  return ok();
}

void Daemon::perform(node::OpenDash& effect) {
  if (dash_) return desk_.answer(effect.request, codec::to_json_text(node::DashOpenAnswer{dash_->link()}));
  desk_.refuse(effect.request, fail(Errc::kUnavailable, "this node was started without its dashboard (selvedge up --dash off)"));
}

// The requests of hosted services. A connection comes by a stream of the fabric, so nobody reaches this but through the node.
Status Daemon::open_services() {
  HttpServer::Options options;
  options.address = "";
  options.body_bytes_max = kServiceBodyMax;
  options.connections_max = kServiceConnectionsMax;
  HttpServer::Events events;
  events.request = [this](HttpRequest request) {
    const auto service = codec::parse_key(request.tag.substr(request.tag.find(':') + 1));
    CHECK(service.ok());  // the node made the name
    work::HttpCall call{std::move(request.method), std::move(request.path), std::move(request.query), std::move(request.headers), Bytes(request.body.begin(), request.body.end())};
    input([&](Instant now, node::Node::Out& out) { node_->on_http(now, request.id, *service, call, out); });
  };
  events.gone = [this](uint64_t id) { input([&](Instant now, node::Node::Out& out) { node_->on_http_gone(now, id, out); }); };
  services_ = TRY(HttpServer::listen(loop_, options, std::move(events)));
  return ok();
}

void Daemon::perform(node::AnswerHttp& effect) {
  services_->answer(effect.id, {effect.reply.status, std::move(effect.reply.headers), std::string(effect.reply.body.begin(), effect.reply.body.end())});
}

Status Daemon::open_pkarr_relay() {
  if (options_.pkarr_relay.empty()) return ok();
  std::vector<mesh::HintSource> dhts;
  for (const mesh::HintSource& each : options_.hint_sources) {
    if (each.kind == mesh::HintSource::Kind::kDht) dhts.push_back(each);
  }
  pkarr_relay_ = TRY(PkarrRelay::listen(loop_, options_.pkarr_relay, verifier_, hints_, std::move(dhts)));
  log_.write("a PKARR relay at http://" + pkarr_relay_->address());
  return ok();
}

void Daemon::perform(node::AskHintSource& effect) {
  hints_.ask(effect.source, effect.node, [this, token = effect.token](Result<Bytes> payload) {
    input([&](Instant now, node::Node::Out& out) { node_->on_hints(now, token, payload, out); });
  });
}

void Daemon::perform(node::TellHintSource& effect) {
  hints_.tell(effect.source, effect.node, std::move(effect.payload), [this, token = effect.token](Status told) {
    input([&](Instant now, node::Node::Out& out) { node_->on_hints_told(now, token, told, out); });
  });
}

void Daemon::perform(node::ListenLocal& effect) {
  const Result<std::string> at = sockets_.listen(effect.request, effect.address);
  loop_.post([this, request = effect.request, at] {
    input([&](Instant now, node::Node::Out& out) { node_->on_listening(now, request, at, out); });
  });
}

void Daemon::perform(node::Compute& effect) {
  auto result = std::make_shared<node::ComputeResult>(mesh::EncodeResult{});
  const uint64_t token = effect.token;
  loop_.work([result, job = std::move(effect.job)] { *result = node::compute(job); },
             [this, result, token] { input([&](Instant now, node::Node::Out& out) { node_->on_computed(now, token, std::move(*result), out); }); });
}

void Daemon::perform(node::Attest& effect) {
  CHECK(tpm_ != nullptr);  // the node was told at its start that there is no hardware
  auto result = std::make_shared<Result<object::Attestation>>(fail(Errc::kInternal, "the TPM was not asked"));
  loop_.work([result, tpm = tpm_, request = std::move(effect.request)] { *result = tpm->attest(request); },
             [this, result, token = effect.token] {
               input([&](Instant now, node::Node::Out& out) { node_->on_attested(now, token, std::move(*result), out); });
             });
}

void Daemon::perform(node::StartTask& effect) {
  work::RunDomain& run = effect.run;
  DomainTask task;
  task.module = run.module;
  task.args = std::move(run.args);
  task.environment = std::move(run.environment);
  task.input = std::move(run.input);
  for (work::TaskFile& file : run.files) task.files.push_back({std::move(file.path), std::move(file.content)});
  task.seed = run.seed;
  task.fuel_limit = run.fuel_limit;
  task.memory_bytes = run.memory_bytes;
  task.output_bytes_max = run.output_bytes_max;
  task.wall_max = run.wall_max;
  task.handle.bytes = run.lease_cap.bytes;
  task.resume = std::move(run.resume);
  task.service = run.service;
  task.state = std::move(run.state);
  if (task.module->resumable) {
    task.on_checkpoint = [this, id = run.task, lease_cap = run.lease_cap](uint64_t fuel, Bytes state) {
      input([&](Instant now, node::Node::Out& out) { node_->on_domain_state(now, id, lease_cap, fuel, std::move(state), out); });
    };
  }
  const uint64_t lease = run.lease_number;
  const uint64_t number = pool_.run(lease, std::move(task), [this, id = run.task](DomainOutcome outcome) {
    tasks_.erase(id);
    work::DomainResult result;
    result.outcome = outcome_of(outcome);
    result.output = std::move(outcome.output);
    result.message = outcome.message;
    result.errors = std::move(outcome.errors);
    result.fuel = outcome.fuel;
    result.cpu_ns = outcome.cpu_ns;
    result.wall_ns = outcome.wall_ns;
    result.memory_peak_bytes = outcome.memory_peak_bytes;
    result.resident_peak_bytes = outcome.resident_peak_bytes;
    result.wakeups = outcome.wakeups;
    result.frozen_ns = outcome.frozen_ns;
    result.trace = outcome.trace;
    result.writes = std::move(outcome.writes);
    if (result.outcome != object::Outcome::kOk) log_.write("task " + id.brief() + ": " + domain_end_name(outcome.end) + ": " + outcome.message + " " + result.errors);
    if (options_.misbehave == "wrong-results" && result.outcome == object::Outcome::kOk) falsify(result);
    object::Handle lease_cap;
    lease_cap.bytes = outcome.handle.bytes;
    input([&](Instant now, node::Node::Out& out) { node_->on_domain(now, id, lease_cap, std::move(result), out); });
  });
  tasks_[run.task] = {lease, number};
}

void Daemon::perform(node::CancelTask& effect) {
  const auto found = tasks_.find(effect.task);
  if (found != tasks_.end()) pool_.cancel(found->second.lease, found->second.number);
}

void Daemon::perform(node::PaceTasks& effect) {
  DomainPace pace;
  if (effect.pace) pace = {effect.pace->permille, effect.pace->burst, effect.pace->slice, effect.pace->wakeups_per_second_max};
  pool_.pace(effect.lease_number, pace);
}

void Daemon::perform(node::StopTasks& effect) {
  pool_.stop(effect.lease_number, [this, token = effect.token](Duration) {
    input([&](Instant now, node::Node::Out& out) { node_->on_tasks_stopped(now, token, out); });
  });
}

void Daemon::perform(node::ReadFile& effect) {
  files_.read(effect.path, effect.offset, effect.bytes_max, [this, token = effect.token](Result<Bytes> bytes) {
    input([&](Instant now, node::Node::Out& out) { node_->on_file_read(now, token, std::move(bytes), out); });
  });
}

void Daemon::perform(node::WriteFile& effect) {
  files_.write(effect.path, effect.offset, std::move(effect.bytes), effect.last, [this, token = effect.token](const Status& status) {
    input([&](Instant now, node::Node::Out& out) { node_->on_file_written(now, token, status, out); });
  });
}

void Daemon::watch_signals() {
  const int numbers[2] = {SIGINT, SIGTERM};
  for (int i = 0; i < 2; ++i) {
    uv_signal_init(loop_.uv(), &signals_[i]);
    signals_[i].data = this;
    uv_signal_start(&signals_[i], [](uv_signal_t* s, int number) { static_cast<Daemon*>(s->data)->shut_down("signal " + std::to_string(number)); }, numbers[i]);
  }
  signal(SIGPIPE, SIG_IGN);
}

void Daemon::watch_kernel() {
  pool_.watch_violations([this](uint64_t lease, DomainViolation what) {
    input([&](Instant now, node::Node::Out& out) { node_->on_violation(now, lease, work::Violation(what), out); });
  });
  look_at_kernel();
}

void Daemon::look_at_kernel() {
  const Instant now = loop_.now();
  const work::Signals& seen = kernel_.read(now);
  if (!(seen == told_) || seen.frames >= work::Level::kHigh) {
    told_ = seen;
    input([&](Instant at, node::Node::Out& out) { node_->on_signals(at, told_, out); });
  }
  std::vector<work::TaskUse> uses;
  for (const DomainPool::Use& each : pool_.uses()) uses.push_back({each.lease, each.cpu_ns, each.resident_bytes, each.wakeups});
  node_->on_uses(uses);
  pool_.keep_spares(node_->lends_processor() ? 1 : 0);
  kernel_timer_.set(now + kKernelPeriod);
}

void Daemon::shut_down(const std::string& why) {
  if (stopping_) return;
  stopping_ = true;
  log_.write("stopping: " + why);
  for (uv_signal_t& each : signals_) {
    uv_signal_stop(&each);
    uv_close(reinterpret_cast<uv_handle_t*>(&each), nullptr);
  }
  // The answer to whoever asked, and the goodbyes, leave in the next turns of the loop.
  wires_->close_all("the node is stopping");
  loop_.post([this] { loop_.stop(); });
}

std::vector<std::string> Daemon::addresses() const {
  std::vector<std::string> out = options_.advertise.empty() ? reachable_at(wires_->address()) : options_.advertise;
  if (!mapped_.empty()) out.push_back(mapped_);
  return out;
}

void Daemon::open_port() {
  const std::string address = wires_->address();
  const uint16_t port = uint16_t(std::stoul(address.substr(address.rfind(':') + 1)));
  port_map_ = std::make_unique<PortMap>(loop_, port, [this](const Result<MappedPort>& mapped) {
    log_.write(mapped.ok() ? "the router leads " + mapped->address + " here (" + mapped->by + ")" : mapped.error().message);
    mapped_ = mapped.ok() ? mapped->address : "";
    input([&](Instant now, node::Node::Out& out) { node_->on_addresses(now, addresses(), out); });
  });
}

void Daemon::print_ready() {
  const std::string address = wires_->address();
  const std::string dash = dash_ ? "http://" + dash_->address() : "";
  const std::string web = wires_->door_address().empty() ? "" : "http://" + wires_->door_address();
  const std::string relay = pkarr_relay_ ? "http://" + pkarr_relay_->address() : "";
  if (options_.json) {
    const auto member = [](const char* name, const std::string& value) { return value.empty() ? "" : std::string(",\"") + name + "\":\"" + value + "\""; };
    std::printf("{\"ready\":true,\"node\":\"%s\",\"owner\":\"%s\",\"addresses\":[\"%s\"],\"socket\":\"%s\"%s%s%s}\n", home_.node_key.c_str(),
                home_.owner_key.c_str(), address.c_str(), home_.socket_path().c_str(), member("dash", dash).c_str(), member("web", web).c_str(), member("pkarr_relay", relay).c_str());
  } else {
    std::printf("ready: node %s of owner %s listens at %s; socket %s\n", home_.node_key.c_str(), home_.owner_key.c_str(), address.c_str(),
                home_.socket_path().c_str());
    if (dash_) std::printf("dashboard: %s/ (selvedge dash opens it)\n", dash.c_str());
    if (!web.empty()) std::printf("browsers: %s/ (and for other pages %s/sdk/edge.js)\n", web.c_str(), web.c_str());
    if (pkarr_relay_) std::printf("PKARR relay: %s/\n", relay.c_str());
  }
  std::fflush(stdout);
}

Status Daemon::run() {
  loop_.run();
  dash_.reset();
  api_.reset();
  return ok();
}

}  // namespace

Status run_daemon(const DaemonOptions& options) {
  Home home = TRY(Home::open(options.home));
  HomeLock lock = TRY(HomeLock::take(home));
  const HomeKeys keys = TRY(home.load_keys());
  Daemon daemon(options, std::move(home), std::move(lock), keys);
  TRY(daemon.start(keys));
  return daemon.run();
}

}  // namespace selvedge::host
