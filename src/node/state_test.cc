// State of services that run on machines of others: what is answered is kept, whatever is lost.
#include "node/states.h"

#include "base/rng.h"
#include "node/deployer.h"
#include "node/hosting.h"
#include "node/node_testing.h"
#include "node/state_keeper.h"
#include "object/ingress.h"

namespace selvedge::node {
namespace {

using namespace testing;

// An origin, and machines of as many owners; the program counts requests in its state.
struct StateTest : ::testing::Test {
  void begin(size_t hosts) {
    origin_ = group_.add("origin");
    for (size_t i = 0; i < hosts; ++i) hosts_.push_back(group_.add("host" + std::to_string(i)));
    leases_ = group_.start_lenders(origin_, hosts_);
    connect_all();
    group_.put_file(origin_, "/site.wasm", tiny_module());
  }
  bool linked(size_t a, size_t b) {
    for (const auto& [id, other] : group_.at(a).links) {
      if (other.first == b) return true;
    }
    return false;
  }
  void connect(size_t a, size_t b) {
    if (a != b && group_.at(a).node && group_.at(b).node && !linked(a, b)) group_.link(a, b);
  }
  void cut(size_t a, size_t b) {
    const auto links = group_.at(a).links;
    for (const auto& [id, other] : links) {
      if (other.first == b && group_.at(a).links.contains(id)) group_.close(a, id);
    }
  }
  void cut_off(size_t a) {
    while (!group_.at(a).links.empty()) group_.close(a, group_.at(a).links.begin()->first);
  }
  void start(size_t n) {
    if (!group_.at(n).node) {
      ASSERT_TRUE(group_.start(n).ok());
    }
  }
  void connect_all() {
    for (const size_t a : hosts_) {
      connect(a, origin_);
      for (const size_t b : hosts_) connect(a, b);
    }
  }
  std::string deploy(uint32_t replicas) {
    DeployRequest out;
    out.name = "shop";
    const FileName file = group_.file(origin_, "/site.wasm");
    out.module = {file.path, file.name, file.size};
    out.replicas = replicas;
    out.state = true;
    const RequestId id = group_.ask(origin_, out);
    group_.pass(seconds(5));
    const auto refused = group_.at(origin_).refusals.find(id);
    if (refused != group_.at(origin_).refusals.end()) return "refused: " + refused->second.message;
    return group_.at(origin_).answers.contains(id) ? group_.at(origin_).answers.at(id) : "none: " + group_.answer(origin_, ServiceListRequest{});
  }
  crypto::PublicKey service() const { return crypto::Ed25519Signer(object::service_key_seed(seed_of("zones origin"), "shop")).public_key(); }
  std::vector<size_t> in_stage(const std::string& stage) {
    std::vector<size_t> out;
    for (const size_t host : hosts_) {
      if (group_.at(host).node && group_.answer(host, ServiceListRequest{}).find("\"stage\":\"" + stage + "\"") != std::string::npos) out.push_back(host);
    }
    return out;
  }
  size_t writer() {
    const std::vector<size_t> serving = in_stage("serving");
    EXPECT_EQ(serving.size(), 1u);
    return serving.empty() ? hosts_[0] : serving[0];
  }
  /// A request to a machine; its answer may come later.
  uint64_t ask(size_t host) {
    const uint64_t id = ++last_;
    asked_[id] = acknowledged_;
    group_.feed(host, [&](Node& node, Node::Out& out) { node.on_http(group_.now, id, service(), {"GET", "/", "", {}, {}}, out); });
    run_program(host);
    take_answers();
    return id;
  }
  unsigned status_of(size_t host, uint64_t id) { return group_.at(host).replies.contains(id) ? group_.at(host).replies.at(id).status : 0; }
  unsigned say(size_t host) { return status_of(host, ask(host)); }
  void run_program(size_t host, object::Outcome outcome = object::Outcome::kOk) {
    while (group_.at(host).node && !group_.at(host).tasks.empty()) {
      const work::RunDomain run = group_.at(host).tasks.front();
      group_.at(host).tasks.erase(group_.at(host).tasks.begin());
      ASSERT_NE(run.state, nullptr);
      const auto before = run.state->get("count");
      const std::string count = std::to_string((before ? std::stoull(to_string(*before)) : 0) + 1);
      work::DomainResult result;
      result.outcome = outcome;
      result.output = to_bytes(view("A: b\n\n" + count));
      result.writes = {{"count", to_bytes(view(count))}, {"padding", to_bytes(view("plain as day"))}};
      group_.feed(host, [&](Node& node, Node::Out& out) { node.on_domain(group_.now, run.task, run.lease_cap, result, out); });
    }
  }
  /// Each answer says a number of its own, above all that were answered before it was asked.
  void take_answers() {
    for (const size_t host : hosts_) {
      for (const auto& [id, reply] : group_.at(host).replies) {
        if (reply.status != 200 || !asked_.contains(id)) continue;
        const uint64_t count = std::stoull(to_string(reply.body));
        EXPECT_GT(count, asked_.at(id)) << "request " << id << " of " << group_.at(host).name;
        EXPECT_TRUE(counts_.insert(count).second) << count << " was answered twice";
        acknowledged_ = std::max(acknowledged_, count);
        asked_.erase(id);
      }
    }
  }
  /// How many values of states lie on a machine's disk.
  size_t values_on(size_t n) {
    return size_t(std::count_if(group_.at(n).disk.begin(), group_.at(n).disk.end(), [](const auto& each) {
      return each.first.first == store::Column::kRecords && each.first.second[0] == uint8_t(Record::kStateValue);
    }));
  }

  Group group_;
  size_t origin_ = 0;
  std::vector<size_t> hosts_;
  std::map<size_t, std::string> leases_;
  uint64_t last_ = 0, acknowledged_ = 0;
  std::map<uint64_t, uint64_t> asked_;   // requests not answered, with what was acknowledged when they were made
  std::set<uint64_t> counts_;
};

// req: F3
TEST_F(StateTest, AResponseWaitsUntilItsWritesCannotBeLost) {
  begin(1);
  const std::string deployed = deploy(1);
  EXPECT_NE(deployed.find("\"why\":\"\""), std::string::npos) << deployed;
  const size_t host = writer();
  EXPECT_EQ(say(host), 200u);
  EXPECT_EQ(acknowledged_, 1u);
  for (const size_t slow : {host, origin_}) {
    group_.at(slow).hold_disk = true;
    const uint64_t one = ask(host), two = ask(host);
    EXPECT_EQ(status_of(host, one) + status_of(host, two), 0u);
    group_.release_disk(slow);
    EXPECT_EQ(status_of(host, two), 200u);
    take_answers();
  }
  EXPECT_EQ(acknowledged_, 5u);
  // A request that failed changes nothing.
  const uint64_t failing = ++last_;
  group_.feed(host, [&](Node& node, Node::Out& out) { node.on_http(group_.now, failing, service(), {"GET", "/", "", {}, {}}, out); });
  run_program(host, object::Outcome::kTrap);
  EXPECT_EQ(status_of(host, failing), 502u);
  EXPECT_EQ(say(host), 200u);
  EXPECT_EQ(acknowledged_, 6u);
  EXPECT_NE(group_.answer(origin_, ServiceStateRequest{"shop"}).find("\"keys\":2,\"sequence\":6"), std::string::npos) << group_.answer(origin_, ServiceStateRequest{"shop"});
  // Neither the origin's disk nor the machine's shows what is in it.
  for (const size_t n : {origin_, host}) {
    EXPECT_EQ(values_on(n), 2u);
    for (const auto& [key, value] : group_.at(n).disk) EXPECT_EQ(to_string(value).find("plain as day"), std::string::npos);
  }
}

// req: F3
TEST_F(StateTest, AMachineThatIsLostLosesNothingThatWasAnswered) {
  begin(3);
  deploy(2);
  const size_t first = writer();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(say(first), 200u);
  const std::vector<size_t> standing_by = in_stage("standby");
  ASSERT_EQ(standing_by.size(), 1u);
  EXPECT_EQ(say(standing_by[0]), 503u);
  // What it had not told anybody is lost with it, and its client was not answered.
  group_.at(first).hold_disk = true;
  ask(first);
  group_.stop(first);
  group_.pass(seconds(10));
  const size_t second = writer();
  EXPECT_EQ(second, standing_by[0]);
  EXPECT_EQ(in_stage("standby").size(), 1u);   // the third machine
  EXPECT_EQ(say(second), 200u);
  EXPECT_GE(acknowledged_, 6u);
  // It comes back with what it had, and is told to forget that.
  group_.at(first).hold_disk = false;
  ASSERT_TRUE(group_.start(first).ok());
  connect_all();
  group_.pass(seconds(10));
  EXPECT_EQ(values_on(first), 0u);
  EXPECT_EQ(say(second), 200u);
}

// req: F3
TEST_F(StateTest, WithoutTheOriginTwoMachinesGoOnAndOneAloneDoesNot) {
  begin(2);
  deploy(2);
  const size_t host = writer(), other = host == hosts_[0] ? hosts_[1] : hosts_[0];
  EXPECT_EQ(say(host), 200u);
  group_.stop(origin_);
  EXPECT_EQ(say(host), 200u);
  group_.pass(seconds(20));
  EXPECT_EQ(say(host), 200u);
  cut(host, other);
  const uint64_t lonely = ask(host);   // it does not know yet that nobody follows it
  EXPECT_EQ(status_of(host, lonely), 0u);
  group_.pass(seconds(6));
  EXPECT_EQ(status_of(host, lonely), 503u);
  EXPECT_EQ(say(host), 503u);
  EXPECT_EQ(group_.at(host).replies.rbegin()->second.headers[1].first, "Retry-After");
  connect(host, other);
  group_.pass(seconds(2));
  EXPECT_EQ(say(host), 200u);
  // The origin comes back, and is given what it missed.
  ASSERT_TRUE(group_.start(origin_).ok());
  connect_all();
  group_.pass(seconds(10));
  EXPECT_EQ(values_on(origin_), 2u);
  group_.stop(other);
  group_.pass(seconds(10));
  EXPECT_EQ(say(writer()), 200u);
}

// A writer that is cut off from everybody believes for a moment that it is one: it answers nobody with what is old by then.
// req: F3
TEST_F(StateTest, AWriterThatIsCutOffAnswersNobody) {
  begin(2);
  deploy(2);
  const size_t first = writer(), second = first == hosts_[0] ? hosts_[1] : hosts_[0];
  EXPECT_EQ(say(first), 200u);
  cut_off(first);
  uint64_t waiting = ask(first);
  for (int i = 0; i < 100; ++i) {
    group_.pass(milliseconds(100));
    if (say(second) == 200) break;
  }
  EXPECT_EQ(acknowledged_, 2u);
  EXPECT_EQ(say(first), 503u);
  group_.pass(seconds(10));
  EXPECT_EQ(status_of(first, waiting), 503u);
  EXPECT_EQ(say(first), 503u);
  connect_all();
  group_.pass(seconds(5));
  EXPECT_EQ(say(writer()), 200u);
}

// req: F2, F3
TEST_F(StateTest, ItStaysWithNewVersionsAndMovesAndEndsWithTheService) {
  begin(3);
  deploy(1);
  EXPECT_EQ(say(writer()), 200u);
  deploy(1);   // a newer version
  EXPECT_EQ(say(writer()), 200u);
  EXPECT_EQ(acknowledged_, 2u);
  DeployRequest without;
  without.name = "shop";
  const FileName file = group_.file(origin_, "/site.wasm");
  without.module = {file.path, file.name, file.size};
  EXPECT_EQ(group_.answer(origin_, without), "refused: invalid");
  group_.answer(origin_, ScaleRequest{"shop", 3});
  group_.pass(seconds(5));
  EXPECT_EQ(in_stage("standby").size(), 2u);
  EXPECT_EQ(say(writer()), 200u);
  for (const size_t host : hosts_) EXPECT_EQ(values_on(host), 2u);
  // A machine whose lease ends has nothing of it any more, and the others go on.
  const size_t leaving = writer();
  group_.answer(leaving, LeaseChangeRequest{leases_[leaving], LeaseAction::kRevoke});
  group_.pass(seconds(10));
  EXPECT_EQ(values_on(leaving), 0u);
  EXPECT_EQ(say(writer()), 200u);
  group_.answer(origin_, SuspendRequest{"shop", true});
  group_.pass(seconds(5));
  EXPECT_EQ(in_stage("serving").size(), 0u);
  group_.answer(origin_, SuspendRequest{"shop", false});
  group_.pass(seconds(10));
  EXPECT_EQ(say(writer()), 200u);
  EXPECT_EQ(acknowledged_, 5u);
  // One is away while it is removed, and deletes it when it is back.
  const size_t away = in_stage("standby")[0];
  group_.stop(away);
  group_.answer(origin_, RemoveServiceRequest{"shop"});
  group_.pass(seconds(5));
  for (const size_t host : hosts_) EXPECT_EQ(values_on(host), host == away ? 2u : 0u) << group_.at(host).name;
  EXPECT_EQ(values_on(origin_), 0u);
  ASSERT_TRUE(group_.start(away).ok());
  connect_all();
  group_.pass(seconds(5));
  EXPECT_EQ(values_on(away), 0u);
  // The same name again begins with nothing.
  acknowledged_ = 0;
  counts_.clear();
  deploy(1);
  EXPECT_EQ(say(writer()), 200u);
  EXPECT_EQ(acknowledged_, 1u);
}

// req: F3
TEST_F(StateTest, AStrangerCanNeitherReadNorChangeNorDeleteIt) {
  begin(3);
  deploy(1);
  const size_t host = writer(), stranger = host == hosts_[0] ? hosts_[1] : hosts_[0];
  EXPECT_EQ(say(host), 200u);
  const std::string before = group_.answer(origin_, ServiceStateRequest{"shop"});
  group_.at(stranger).received.clear();
  const NodeKey self = group_.at(stranger).key();
  const std::vector<StateMessages::Message> evil{StatePrepare{service(), 99}, StatePull{service()}, StateDrop{service()}, StateDropped{service()},
                                                 StatePart{service(), 1, 99, 99, 0, true, {}}, StateReady{service(), 99, 99, 99, 0, false, 0, 0},
                                                 StateLead{service(), 99, 1, 1, self, {{self, {}}}, {}}, StateStored{service(), 1, 99, 0, true},
                                                 StateBatch{service(), 1, 1, 2, 0, {{StateSlot{}, Bytes(40)}}}};
  for (const auto& message : evil) {
    for (const size_t to : {host, origin_}) group_.inject(stranger, to, std::visit([](const auto& m) { return StateMessages::encode(m); }, message));
  }
  for (const Bytes& message : group_.at(stranger).received) {
    EXPECT_NE(message[0], StatePart::kType);
    EXPECT_NE(message[0], StateReady::kType);
  }
  EXPECT_EQ(group_.answer(origin_, ServiceStateRequest{"shop"}), before);
  EXPECT_EQ(say(host), 200u);
  EXPECT_EQ(acknowledged_, 2u);
}

// Machines and the origin are lost and come back, links break, disks lag, at any moment.
// req: F3
TEST_F(StateTest, NothingThatWasAnsweredIsLostWhateverFails) {
  const uint64_t seed = ::testing::UnitTest::GetInstance()->random_seed() != 0 ? uint64_t(::testing::UnitTest::GetInstance()->random_seed()) : 1;
  SCOPED_TRACE("--gtest_random_seed=" + std::to_string(seed));
  Rng rng(seed);
  begin(3);
  deploy(2);
  std::vector<size_t> all = hosts_;
  all.push_back(origin_);
  size_t answered = 0;
  for (int step = 0; step < 1500 && !HasFailure(); ++step) {
    const size_t n = all[rng.next() % all.size()], m = all[rng.next() % all.size()];
    const uint64_t what = rng.next() % 100;
    if (what < 55) {
      for (const size_t host : hosts_) {
        if (group_.at(host).node) answered += say(host) == 200;
      }
    } else if (what < 58) {
      if (group_.at(n).node) group_.stop(n);
      group_.at(n).hold_disk = false;
    } else if (what < 75) {
      start(n);
    } else if (what < 79) {
      if (group_.at(n).node) cut(n, m);
    } else if (what < 90) {
      connect(n, m);
    } else if (what < 92) {
      group_.at(n).hold_disk = group_.at(n).node != nullptr;
    } else if (what < 95) {
      if (group_.at(n).hold_disk) group_.release_disk(n);
    }
    group_.pass(milliseconds(int64_t(rng.next() % 400)));
    take_answers();
  }
  for (const size_t n : all) {
    start(n);
    if (group_.at(n).hold_disk) group_.release_disk(n);
  }
  connect_all();
  group_.pass(seconds(60));
  take_answers();
  const uint64_t before = acknowledged_;
  EXPECT_EQ(say(writer()), 200u) << group_.answer(origin_, ServiceStateRequest{"shop"});
  EXPECT_GT(acknowledged_, before);
  EXPECT_GT(answered, 20u);
}

}  // namespace
}  // namespace selvedge::node
