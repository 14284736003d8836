// For the tests of this room: a few nodes whose links, disks, workers and domains answer at once and in order, unless a
// test holds them back. Time stands still between calls. Everything that is chance or trouble is in sim/.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <set>

#include "codec/multibase.h"
#include "codec/ticket.h"
#include "crypto/hash.h"
#include "node/node.h"

namespace selvedge::node::testing {

inline crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

/// The smallest module that the rewriter takes.
inline Bytes tiny_module() {
  return {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1,
          7, 19, 2, 6, '_', 's', 't', 'a', 'r', 't', 0, 0, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0, 10, 4, 1, 2, 0, 0x0b};
}

class Group {
 public:
  struct Machine {
    explicit Machine(const std::string& machine_name, const std::string& owner_name)
        : name(machine_name), owner_named(owner_name), owner(seed_of("owner " + owner_name)), signer(seed_of("node " + machine_name)),
          seal(seed_of("seal " + machine_name)) {}
    std::string name;
    std::string owner_named;
    crypto::Ed25519Signer owner;
    crypto::Ed25519Signer signer;
    crypto::SealKeyPair seal;
    std::unique_ptr<Node> node;
    bool holds_root = true;
    Birth birth = Birth::kKnown;
    Bytes record;                          // of a device without the owner's key
    std::optional<NodeKey> succeeds;
    std::vector<object::Holder> hosts;
    int life = 0;
    std::map<std::pair<store::Column, Bytes>, Bytes> disk;
    std::vector<store::DiskWrite> held_writes;
    bool hold_disk = false;
    std::map<std::string, Bytes> files;
    std::map<RequestId, std::string> answers;
    std::map<RequestId, Error> refusals;
    std::vector<std::string> progress;
    std::vector<DialPeer> dials;           // asked for; links are the test's to open
    std::vector<work::RunDomain> tasks;    // started and not answered
    bool hold_tasks = false;
    std::map<uint64_t, work::SetPace> paces;  // by lease number
    int reclaims = 0;
    std::vector<StopTasks> stops;          // asked for and not answered
    bool hold_stops = false;
    bool deaf = false;                     // messages to it get lost; what a test makes it say counts
    object::Attestor* chip = nullptr;      // set before start()
    std::vector<Attest> attestations;      // asked for and not answered
    bool hold_attestations = false;
    std::vector<std::string> traces;
    std::map<LinkId, std::pair<size_t, LinkId>> links;
    PathPolicy paths = PathPolicy::kRelayOk;
    bool in_machines = false;              // offers the stronger isolation
    std::map<uint64_t, work::HttpReply> replies;  // to requests of services
    std::vector<CancelTask> cancelled;
    std::vector<JobTold> heard;            // of what it asked a site as a page does
    std::vector<ConnectSocket> connects;
    std::vector<Bytes> received;           // control messages, as they came
    std::vector<Bytes> frames;             // bulk frames, as they came
    const NodeKey& key() const { return signer.public_key(); }
  };

  size_t add(const std::string& name) { return add(name, name); }
  size_t add(const std::string& name, const std::string& owner_name) {
    machines_.push_back(std::make_unique<Machine>(name, owner_name));
    return machines_.size() - 1;
  }
  /// A further device of an owner, without the owner's key. It starts once it is enrolled.
  size_t add_device(const std::string& name, const std::string& owner_name) {
    const size_t n = add(name, owner_name);
    at(n).holds_root = false;
    return n;
  }
  std::string request_of(size_t n, const std::string& label, const crypto::Signer* old_key = nullptr) {
    Machine& m = at(n);
    EnrolRequest request{m.owner.public_key(), m.key(), m.seal.public_key(), label, m.succeeds, now.unix_seconds(), now.unix_seconds() + kEnrolRequestTtl};
    const auto made = object::sign_object(m.signer, request).value();
    if (old_key == nullptr) return request_text(made, nullptr);
    const auto word = object::sign_object(*old_key, Succession{old_key->public_key(), m.key(), now.unix_seconds()}).value();
    return request_text(made, &word);
  }
  /// As its owner would: the request is carried to `root`, the answer back.
  void enroll(size_t root, size_t n, const std::string& label, std::vector<std::string> zones = {}, const crypto::Signer* old_key = nullptr) {
    const std::string answered = answer(root, DeviceEnrollRequest{request_of(n, label, old_key), std::move(zones)});
    const auto text = open_answer_text(field(answered, "answer"), at(n).owner.public_key(), at(n).key(), verifier_);
    ASSERT_TRUE(text.ok()) << answered;
    at(n).record = text->record;
    at(n).hosts = text->hosts;
  }
  Machine& at(size_t n) { return *machines_[n]; }

  Status start(size_t n) {
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
  void stop(size_t n) {
    at(n).node.reset();
    at(n).tasks.clear();
    at(n).stops.clear();
    at(n).held_writes.clear();
    while (!at(n).links.empty()) close(n, at(n).links.begin()->first);
  }
  /// Opens a link and lets both say hello.
  std::pair<LinkId, LinkId> link(size_t a, size_t b) {
    const LinkId one = ++last_link_, two = ++last_link_;
    at(a).links[one] = {b, two};
    at(b).links[two] = {a, one};
    give(a, [&](Node& node, Node::Out& out) { node.on_link_opened(now, one, at(b).key(), out); });
    give(b, [&](Node& node, Node::Out& out) { node.on_link_opened(now, two, at(a).key(), out); });
    settle();
    return {one, two};
  }
  void close(size_t n, LinkId id) {
    const auto other = at(n).links.at(id);
    at(n).links.erase(id);
    at(other.first).links.erase(other.second);
    give(n, [&](Node& node, Node::Out& out) { node.on_link_closed(now, id, fail(Errc::kTimeout, "closed"), out); });
    give(other.first, [&](Node& node, Node::Out& out) { node.on_link_closed(now, other.second, fail(Errc::kTimeout, "closed"), out); });
    settle();
  }
  RequestId ask(size_t n, ApiRequest request) {
    const RequestId id = ++last_request_;
    give(n, [&](Node& node, Node::Out& out) { node.on_request(now, id, std::move(request), out); });
    settle();
    return id;
  }
  /// The answer's JSON, or "refused: code".
  std::string answer(size_t n, ApiRequest request) {
    const RequestId id = ask(n, std::move(request));
    if (at(n).answers.count(id)) return at(n).answers.at(id);
    if (at(n).refusals.count(id)) return std::string("refused: ") + errc_name(at(n).refusals.at(id).code);
    return "none";
  }
  static std::string field(const std::string& json, const std::string& name) {
    const std::string start = "\"" + name + "\":\"";
    const size_t from = json.find(start);
    if (from == std::string::npos) return "";
    return json.substr(from + start.size(), json.find('"', from + start.size()) - from - start.size());
  }
  /// The lease's id.
  std::string grant(size_t host, size_t origin, GrantGiveRequest shape = {}) {
    shape.origin = codec::key_text(at(origin).owner.public_key());
    return field(answer(host, shape), "id");
  }
  /// A message on the link from `from` to `to`, as if `from`'s node had sent it.
  void inject(size_t from, size_t to, Bytes message) {
    for (const auto& [id, other] : at(to).links) {
      if (other.first != from) continue;
      const LinkId link_id = id;
      give(to, [&](Node& node, Node::Out& out) { node.on_message(now, link_id, message, out); });
      break;
    }
    settle();
  }
  void other_answered(size_t n, const NodeKey& peer, const std::string& address, const NodeKey& shown) {
    give(n, [&](Node& node, Node::Out& out) { node.on_other_answered(now, peer, address, shown, out); });
    settle();
  }
  void inject_frame(size_t from, size_t to, Bytes frame) {
    for (const auto& [id, other] : at(to).links) {
      if (other.first != from) continue;
      const LinkId link_id = id;
      give(to, [&](Node& node, Node::Out& out) { node.on_symbols(now, link_id, std::move(frame), out); });
      break;
    }
    settle();
  }
  void release_disk(size_t n) {
    at(n).hold_disk = false;
    for (store::DiskWrite& write : std::exchange(at(n).held_writes, {})) persist(n, std::move(write));
    settle();
  }
  void release_stops(size_t n) {
    at(n).hold_stops = false;
    for (const StopTasks& each : std::exchange(at(n).stops, {})) {
      give(n, [&](Node& node, Node::Out& out) { node.on_tasks_stopped(now, each.token, out); });
    }
    settle();
  }
  void release_attestations(size_t n) {
    at(n).hold_attestations = false;
    for (const Attest& each : std::exchange(at(n).attestations, {})) end_attestation(n, each);
    settle();
  }
  /// The domain of one held task answers, showing this handle.
  void finish_task_with(size_t n, const work::RunDomain& run, const object::Handle& lease_cap) {
    end_task(n, run, lease_cap);
    settle();
  }
  void finish_tasks(size_t n) {
    for (work::RunDomain& run : std::exchange(at(n).tasks, {})) end_task(n, run);
    settle();
  }
  /// Lets time go by, with every deadline on the way.
  void pass(Duration time) {
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
  /// An input of the machine's surroundings.
  template <class Input>
  void feed(size_t n, Input input) {
    give(n, std::move(input));
    settle();
  }
  void put_file(size_t n, const std::string& path, Bytes content) { at(n).files[path] = std::move(content); }
  FileName file(size_t n, const std::string& path) { return {path, path.substr(path.rfind('/') + 1), at(n).files.at(path).size()}; }

  Instant now = Instant::from_unix_seconds(1'790'000'000);

 private:
  struct Travelling { size_t to; LinkId link; Bytes bytes; bool bulk; };

  template <class Give>
  void give(size_t n, Give what) {
    if (!at(n).node) return;
    Node::Out out;
    what(*at(n).node, out);
    take(n, out);
  }
  void persist(size_t n, store::DiskWrite write) {
    for (const store::Write& w : write.writes) {
      if (w.value) at(n).disk[{w.column, w.key}] = *w.value;
      else at(n).disk.erase({w.column, w.key});
    }
    give(n, [&](Node& node, Node::Out& out) { node.on_persisted(now, write.token, out); });
  }
  void end_attestation(size_t n, const Attest& attest) {
    Result<object::Attestation> attestation = at(n).chip->attest(attest.request);
    give(n, [&](Node& node, Node::Out& out) { node.on_attested(now, attest.token, std::move(attestation), out); });
  }
  void end_task(size_t n, const work::RunDomain& run) { end_task(n, run, run.lease_cap); }
  void end_task(size_t n, const work::RunDomain& run, const object::Handle& lease_cap) {
    work::DomainResult result;
    result.outcome = object::Outcome::kOk;
    result.output = to_bytes(view("result of " + crypto::sha256(run.input).hex()));
    result.fuel = 100 + run.input.size();
    give(n, [&](Node& node, Node::Out& out) { node.on_domain(now, run.task, lease_cap, std::move(result), out); });
  }
  void take(size_t n, Node::Out& out) {
    for (Effect& effect : out.take()) pending_.push_back({n, std::move(effect)});
  }
  void settle() {
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
  void act(size_t n, Effect& effect) {
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
  /// What is only written down.
  static void note(Machine& m, Effect& effect) {
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

  crypto::Ed25519Verifier verifier_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::deque<std::pair<size_t, Effect>> pending_;
  std::deque<Travelling> travelling_;
  LinkId last_link_ = 0;
  RequestId last_request_ = 0;
  bool settling_ = false;
};

}  // namespace selvedge::node::testing
