#include "node/hosting.h"

#include "mesh/pack.h"
#include "node/deployer.h"
#include "node/node_testing.h"
#include "object/ingress.h"

namespace selvedge::node {
namespace {

using namespace testing;

// An origin, and machines of as many owners, each of which granted it computing and storage.
struct HostingTest : ::testing::Test {
  void begin(size_t hosts) {
    origin_ = group_.add("origin");
    for (size_t i = 0; i < hosts; ++i) hosts_.push_back(group_.add("host" + std::to_string(i)));
    leases_ = group_.start_lenders(origin_, hosts_);
    for (const size_t host : hosts_) group_.link(host, origin_);
    // They hold the program's symbols for each other.
    for (size_t i = 0; i < hosts; ++i) {
      for (size_t j = 0; j < i; ++j) group_.link(hosts_[i], hosts_[j]);
    }
    group_.put_file(origin_, "/site.wasm", tiny_module());
  }
  DeployRequest wanted(uint32_t replicas) {
    DeployRequest out;
    out.name = "shop";
    const FileName file = group_.file(origin_, "/site.wasm");
    out.module = {file.path, file.name, file.size};
    out.replicas = replicas;
    return out;
  }
  crypto::PublicKey service() const {
    return crypto::Ed25519Signer(object::service_key_seed(seed_of("zones origin"), "shop")).public_key();
  }
  size_t serving() {
    size_t count = 0;
    for (const size_t host : hosts_) count += group_.at(host).node && group_.answer(host, ServiceListRequest{}).find("\"stage\":\"serving\"") != std::string::npos;
    return count;
  }
  uint64_t say(size_t host, const std::string& path = "/") {
    const uint64_t id = ++last_;
    group_.feed(host, [&](Node& node, Node::Out& out) { node.on_http(group_.now, id, service(), {"GET", path, "", {}, {}}, out); });
    return id;
  }
  /// The task of a request that was just made answers.
  void finish(size_t host, object::Outcome outcome, const std::string& output, const object::Handle* handle = nullptr) {
    const work::RunDomain run = group_.at(host).tasks.back();
    group_.at(host).tasks.pop_back();
    work::DomainResult result;
    result.outcome = outcome;
    result.output = to_bytes(view(output));
    result.fuel = 1000;
    group_.feed(host, [&](Node& node, Node::Out& out) { node.on_domain(group_.now, run.task, handle != nullptr ? *handle : run.lease_cap, result, out); });
  }
  /// A proof as the service would sign it, or somebody else.
  Bytes proof(const crypto::Signer& signer, const NodeKey& machine, uint64_t seconds = 600) {
    object::IngressSet set;
    set.service = signer.public_key();
    set.origin = group_.at(origin_).owner.public_key();
    set.name = "shop";
    set.endpoints.push_back({{}, machine, machine, object::kProtocolHttp});
    set.issued = group_.now.unix_seconds();
    set.expires = set.issued + seconds;
    set.epoch = group_.now.unix_ms();
    return object::sign_object(signer, set).value().bytes;
  }
  std::optional<HostService> last_asked(size_t host) {
    std::optional<HostService> out;
    for (const Bytes& message : group_.at(host).received) {
      const auto parsed = HostingMessages::decode(message[0] == mesh::Packed::kType ? mesh::unpack_message(message).value() : message);
      if (parsed.ok() && std::holds_alternative<HostService>(*parsed)) out = std::get<HostService>(*parsed);
    }
    return out;
  }

  Group group_;
  size_t origin_ = 0;
  std::vector<size_t> hosts_;
  std::map<size_t, std::string> leases_;
  uint64_t last_ = 0;
};

// req: F2
TEST_F(HostingTest, ARequestIsATaskOfTheLease) {
  begin(1);
  const size_t host = hosts_[0];
  const std::string deployed = group_.answer(origin_, wanted(1));
  EXPECT_NE(deployed.find("\"serving\":1"), std::string::npos) << deployed;
  const uint64_t good = say(host, "/a/b");
  ASSERT_EQ(group_.at(host).tasks.size(), 1u);
  const work::RunDomain& run = group_.at(host).tasks.back();
  EXPECT_NE(std::find(run.environment.begin(), run.environment.end(), "PATH_INFO=/a/b"), run.environment.end());
  EXPECT_EQ(run.fuel_limit, kRequestFuelDefault);
  finish(host, object::Outcome::kOk, "Status: 201\nContent-Type: a/b\n\nbody");
  EXPECT_EQ(group_.at(host).replies.at(good).status, 201u);
  const std::map<object::Outcome, unsigned> statuses{{object::Outcome::kTrap, 502}, {object::Outcome::kFuel, 504}, {object::Outcome::kMemory, 502}, {object::Outcome::kOutputTooLarge, 502},
                                                      {object::Outcome::kInconclusive, 503}};
  for (const auto& [outcome, status] : statuses) {
    const uint64_t id = say(host);
    finish(host, outcome, "");
    EXPECT_EQ(group_.at(host).replies.at(id).status, status);
  }
  const uint64_t nonsense = say(host);
  finish(host, object::Outcome::kOk, "no response");
  EXPECT_EQ(group_.at(host).replies.at(nonsense).status, 502u);
  EXPECT_NE(group_.answer(host, LeaseListRequest{}).find("\"tasks\":7"), std::string::npos);
  // The origin sees it too, a moment later.
  EXPECT_NE(group_.answer(origin_, ServiceListRequest{}).find("\"requests\":0,\"failed\":0"), std::string::npos);
  group_.pass(kCountsEvery);
  EXPECT_NE(group_.answer(origin_, ServiceListRequest{}).find("\"requests\":7,\"failed\":6"), std::string::npos) << group_.answer(origin_, ServiceListRequest{});
  // What a domain says without the lease's handle is no answer.
  const uint64_t forged = say(host);
  object::Handle wrong;
  wrong.bytes.fill(7);
  finish(host, object::Outcome::kOk, "A: b\n\n", &wrong);
  EXPECT_EQ(group_.at(host).replies.at(forged).status, 503u);
}

// req: F2
TEST_F(HostingTest, RequestsAreBoundedAndAClientThatLeftIsNotWorkedFor) {
  begin(1);
  const size_t host = hosts_[0];
  group_.answer(origin_, wanted(1));
  std::vector<uint64_t> ids;
  for (size_t i = 0; i < kHostedRequestsMax; ++i) ids.push_back(say(host));
  EXPECT_TRUE(group_.at(host).replies.empty());
  EXPECT_EQ(group_.at(host).replies[say(host)].status, 503u);
  group_.feed(host, [&](Node& node, Node::Out& out) { node.on_http_gone(group_.now, ids.back(), out); });
  ASSERT_EQ(group_.at(host).cancelled.size(), 1u);
  EXPECT_EQ(group_.at(host).cancelled[0].task, group_.at(host).tasks.back().task);
  finish(host, object::Outcome::kOk, "A: b\n\n");
  EXPECT_FALSE(group_.at(host).replies.contains(ids.back()));
  const uint64_t next = say(host);
  finish(host, object::Outcome::kOk, "A: b\n\n");
  EXPECT_EQ(group_.at(host).replies.at(next).status, 200u);
}

// Whatever a machine or a stranger learns, it cannot run, renew or end what is not its.
// req: F2
TEST_F(HostingTest, ExecutionConveysNoTrust) {
  begin(2);
  const size_t host = hosts_[0], other = hosts_[1];
  group_.answer(origin_, wanted(2));
  ASSERT_EQ(serving(), 2u);
  const HostService asked = *last_asked(host);
  // The machine passes on what it was given: it names this machine, and the offer is sealed to it.
  group_.inject(host, other, HostingMessages::encode(asked));
  // A later version, signed by itself in the service's name.
  HostService forged = asked;
  forged.serial += 1;
  forged.proof = proof(group_.at(host).signer, group_.at(other).key());
  group_.inject(host, other, HostingMessages::encode(forged));
  group_.inject(host, other, HostingMessages::encode(RenewService{service(), proof(group_.at(host).signer, group_.at(other).key())}));
  group_.inject(host, other, HostingMessages::encode(EndService{service()}));
  EXPECT_EQ(serving(), 2u);
  // Even with the service's own signature: who asks must be of the origin.
  const crypto::Ed25519Signer key(object::service_key_seed(seed_of("zones origin"), "shop"));
  forged.proof = proof(key, group_.at(other).key());
  group_.inject(host, other, HostingMessages::encode(forged));
  EXPECT_EQ(group_.answer(other, ServiceListRequest{}).find("\"serial\":" + std::to_string(forged.serial)), std::string::npos) << group_.answer(other, ServiceListRequest{});
  // From the origin, but for another machine, or over: refused.
  for (const Bytes& bad : {proof(key, group_.at(host).key()), proof(group_.at(origin_).signer, group_.at(other).key()), Bytes{}}) {
    HostService wrong = asked;
    wrong.serial += 5;
    wrong.proof = bad;
    group_.inject(origin_, other, HostingMessages::encode(wrong));
    EXPECT_EQ(group_.answer(other, ServiceListRequest{}).find("\"serial\":" + std::to_string(wrong.serial) + ",\"stage\":\"serving\""), std::string::npos);
  }
  // A machine that lies about what it runs is believed about itself, and about nothing else.
  group_.inject(other, origin_, HostingMessages::encode(ServiceState{crypto::PublicKey{}, 9, 2, "", 0, 0}));
  group_.inject(other, origin_, HostingMessages::encode(ServiceState{service(), 9, 200, "", 0, 0}));
  EXPECT_NE(group_.answer(origin_, ServiceListRequest{}).find("\"name\":\"shop\""), std::string::npos);
}

// req: F2
TEST_F(HostingTest, WhatTheServiceSignedIsRenewedWhileItIsWantedAndEndsByItself) {
  begin(1);
  const size_t host = hosts_[0];
  group_.answer(origin_, wanted(1));
  const auto renewals = [&] {
    size_t count = 0;
    for (const Bytes& message : group_.at(host).received) {
      const auto parsed = HostingMessages::decode(message);
      count += parsed.ok() && std::holds_alternative<RenewService>(*parsed);
    }
    return count;
  };
  group_.pass(seconds(int64_t(object::kIngressEpochSecondsMax) / 2 + 1));
  EXPECT_EQ(renewals(), 1u);
  group_.pass(seconds(int64_t(object::kIngressEpochSecondsMax) / 2 + 1));
  EXPECT_EQ(renewals(), 2u);

  // Somebody who may comes to it at this machine; what the machine shows is still good.
  const auto shown_problem = [&](RequestId proxy, SocketId socket) {
    Group::Machine& machine = group_.at(origin_);
    machine.progress.clear();
    group_.feed(origin_, [&](Node& node, Node::Out& out) { node.on_local_connection(group_.now, proxy, socket, out); });
    EXPECT_EQ(group_.at(host).connects.size(), 1u);
    const SocketId at_host = group_.at(host).connects.back().socket;
    group_.at(host).connects.clear();
    group_.feed(host, [&](Node& node, Node::Out& out) { node.on_socket_connected(group_.now, at_host, ok(), out); });
    return machine.progress.empty() ? std::string() : Group::field(machine.progress.back(), "problem");
  };
  const RequestId proxy = group_.ask(origin_, ProxyRequest{object::service_address(service()), "127.0.0.1:0", {codec::key_text(group_.at(host).key())}, {}});
  group_.feed(origin_, [&](Node& node, Node::Out& out) { node.on_listening(group_.now, proxy, std::string("127.0.0.1:1"), out); });
  EXPECT_EQ(shown_problem(proxy, 1), "");
  EXPECT_EQ(serving(), 1u);
  // The one that wants it says nothing any more: within the hour the machine is the service no longer.
  group_.at(host).deaf = true;
  group_.pass(seconds(int64_t(object::kIngressEpochSecondsMax)));
  group_.at(host).deaf = false;
  EXPECT_EQ(serving(), 0u);
  group_.at(origin_).progress.clear();
  group_.feed(origin_, [&](Node& node, Node::Out& out) { node.on_local_connection(group_.now, proxy, 3, out); });
  ASSERT_FALSE(group_.at(origin_).progress.empty());
  EXPECT_NE(Group::field(group_.at(origin_).progress.back(), "problem"), "");
}

// req: F2
TEST_F(HostingTest, AnotherDeviceOfTheOwnerLeavesAloneWhatItDoesNotKnow) {
  begin(1);
  group_.answer(origin_, wanted(1));
  const size_t second = group_.add("second", "origin");
  ASSERT_TRUE(group_.start(second).ok());
  group_.link(second, hosts_[0]);
  group_.pass(seconds(60));
  EXPECT_EQ(serving(), 1u);
  EXPECT_EQ(group_.answer(second, ServiceListRequest{}).find("shop"), std::string::npos);
}

// req: F2, F3
TEST_F(HostingTest, AnEndedLeaseTakesItsServicesAlongAndAPausedOneAnswersNothing) {
  begin(2);
  group_.answer(origin_, wanted(1));
  ASSERT_EQ(serving(), 1u);
  const auto runs = [&](size_t host) { return group_.answer(host, ServiceListRequest{}).find("\"stage\":\"serving\"") != std::string::npos; };
  const size_t first = runs(hosts_[0]) ? hosts_[0] : hosts_[1], second = first == hosts_[0] ? hosts_[1] : hosts_[0];
  group_.answer(first, LeaseChangeRequest{leases_[first], LeaseAction::kPause});
  EXPECT_TRUE(runs(second));
  EXPECT_FALSE(runs(first));
  EXPECT_EQ(group_.at(first).replies[say(first)].status, 503u);
  group_.answer(first, LeaseChangeRequest{leases_[first], LeaseAction::kResume});
  group_.answer(second, LeaseChangeRequest{leases_[second], LeaseAction::kRevoke});
  EXPECT_EQ(group_.at(second).replies[say(second)].status, 503u);
  EXPECT_EQ(group_.answer(second, ServiceListRequest{}).find("\"name\":\"shop\""), std::string::npos);
  group_.pass(seconds(30));
  EXPECT_TRUE(runs(first));
}

// The node that wants it stops at any moment and starts anew: what is wanted comes true all the same, once.
// req: F2
TEST_F(HostingTest, WhatIsWantedOutlivesTheNodeThatWantsIt) {
  begin(3);
  group_.answer(origin_, wanted(2));
  ASSERT_EQ(serving(), 2u);
  group_.stop(origin_);
  ASSERT_TRUE(group_.start(origin_).ok());
  EXPECT_EQ(serving(), 2u);
  for (const size_t host : hosts_) group_.link(host, origin_);
  group_.pass(seconds(60));
  EXPECT_EQ(serving(), 2u) << group_.answer(origin_, ServiceListRequest{});
  EXPECT_NE(group_.answer(origin_, ServiceListRequest{}).find("\"serving\":2"), std::string::npos);
  group_.answer(origin_, ScaleRequest{"shop", 3});
  EXPECT_EQ(serving(), 3u);
  group_.answer(origin_, SuspendRequest{"shop", true});
  EXPECT_EQ(serving(), 0u);
  group_.answer(origin_, SuspendRequest{"shop", false});
  EXPECT_EQ(serving(), 3u);
  // Away while it is removed: told when it is back.
  while (!group_.at(origin_).links.empty()) group_.close(origin_, group_.at(origin_).links.begin()->first);
  for (size_t i = 1; i < hosts_.size(); ++i) group_.link(hosts_[i], origin_);
  group_.answer(origin_, RemoveServiceRequest{"shop"});
  EXPECT_EQ(serving(), 1u);
  EXPECT_EQ(group_.answer(origin_, RemoveServiceRequest{"shop"}), "refused: not_found");
  group_.link(hosts_[0], origin_);
  EXPECT_EQ(serving(), 0u);
  group_.answer(origin_, wanted(1));   // the same name again is the same service again
  EXPECT_EQ(serving(), 1u);
}

}  // namespace
}  // namespace selvedge::node
