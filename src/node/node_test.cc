#include "node/node.h"

#include <gtest/gtest.h>

#include "node/node_testing.h"

namespace selvedge::node {
namespace {

using namespace testing;

class NodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (size_t n : {origin_, host_, second_, stranger_}) ASSERT_TRUE(group_.start(n).ok());
    group_.link(origin_, host_);
    group_.link(origin_, second_);
    group_.link(host_, second_);
    group_.link(stranger_, host_);
  }
  void grants() {
    lease_ = group_.grant(host_, origin_);
    second_lease_ = group_.grant(second_, origin_);
    ASSERT_EQ(lease_.size(), 64u);
  }
  std::string put(const std::string& path, Bytes content) {
    group_.put_file(origin_, path, std::move(content));
    const std::string answer = group_.answer(origin_, PutRequest{{group_.file(origin_, path)}});
    return Group::field(answer, "cid");
  }
  RunRequest program() {
    group_.put_file(origin_, "/program.wasm", tiny_module());
    group_.put_file(origin_, "/input", to_bytes(view("some input")));
    RunRequest run;
    run.module = group_.file(origin_, "/program.wasm");
    run.inputs = {group_.file(origin_, "/input")};
    run.verify = 2;
    return run;
  }
  uint64_t held(size_t n) {
    const std::string status = group_.answer(n, StatusRequest{});
    const size_t at = status.find("\"objects_held\":");
    return std::stoull(status.substr(at + 15));
  }

  /// An offer under the origin's grant, whoever signs it.
  Bytes offer_by(size_t signer, uint8_t task) {
    object::TaskOffer offer;
    offer.task.bytes.fill(task);
    offer.zone = object::zone_id(group_.at(signer).owner.public_key(), kZoneName);
    offer.spec.origin = group_.at(signer).owner.public_key();
    offer.spec.module = codec::Cid::of(codec::Codec::kRaw, tiny_module());
    offer.spec.fuel_limit = 1000;
    offer.spec.memory_bytes = 1 << 20;
    offer.spec.output_bytes_max = 1000;
    offer.issuer = group_.at(signer).key();
    offer.executor = group_.at(host_).key();
    offer.grant.bytes = crypto::Digest::from(*from_hex(lease_))->bytes;
    offer.blobs.push_back({offer.spec.module, tiny_module().size(), {}});
    offer.issued = group_.now.unix_seconds();
    offer.expires = offer.issued + 600;
    crypto::Drbg drbg(seed_of("keys"));
    offer.sealed_keys = object::seal_object_keys({}, offer.task, group_.at(host_).seal.public_key(), drbg).value_or(Bytes(64, 1));
    object::BlockGroup group;
    group.zone = offer.zone;
    group.epoch = 1;
    group.object_bytes = tiny_module().size();
    group.whole = true;
    offer.blobs[0].groups = {group};
    return object::sign_object(group_.at(signer).signer, offer).value().bytes;
  }
  /// Why the newest offer was not taken; empty: nothing was said.
  std::string refusal(size_t to) {
    const auto& received = group_.at(to).received;
    for (size_t i = received.size(); i > 0; --i) {
      const auto message = work::WorkMessages::decode(received[i - 1]);
      const auto* answer = message.ok() ? std::get_if<work::OfferAnswer>(&*message) : nullptr;
      if (answer != nullptr) return answer->message;
    }
    return "";
  }

  Group group_;
  size_t origin_ = group_.add("origin");
  size_t host_ = group_.add("host");
  size_t second_ = group_.add("second host");
  size_t stranger_ = group_.add("stranger");
  std::string lease_, second_lease_;
};

// ---- the local API

TEST_F(NodeTest, SaysWhoItIsAndWhereItCanBeDialled) {
  const std::string status = group_.answer(origin_, StatusRequest{});
  EXPECT_EQ(Group::field(status, "node"), codec::key_text(group_.at(origin_).key()));
  EXPECT_EQ(Group::field(status, "owner"), codec::key_text(group_.at(origin_).owner.public_key()));
  EXPECT_NE(status.find("\"peers_connected\":2"), std::string::npos) << status;
  const auto ticket = codec::parse_ticket(Group::field(group_.answer(origin_, TicketRequest{}), "ticket"));
  ASSERT_TRUE(ticket.ok());
  EXPECT_EQ(ticket->node, group_.at(origin_).key());
  EXPECT_EQ(ticket->addresses, std::vector<std::string>{"origin:1"});
}

TEST_F(NodeTest, RefusesWhatItCannotDoAndSaysWhy) {
  EXPECT_EQ(group_.answer(origin_, PeerAddRequest{"selvedge1garbage"}).substr(0, 8), "refused:");
  const std::string own = Group::field(group_.answer(origin_, TicketRequest{}), "ticket");
  EXPECT_EQ(group_.answer(origin_, PeerAddRequest{own}), "refused: invalid");
  EXPECT_EQ(group_.answer(origin_, GetRequest{"not a cid", "/x"}), "refused: invalid");
  EXPECT_EQ(group_.answer(origin_, GetRequest{codec::Cid::of(codec::Codec::kRaw, view("never put")).text(), "/x"}), "refused: not_found");
  EXPECT_EQ(group_.answer(host_, LeaseChangeRequest{"abcdef", LeaseAction::kRevoke}), "refused: not_found");
  GrantGiveRequest to_oneself;
  to_oneself.origin = codec::key_text(group_.at(host_).owner.public_key());
  EXPECT_EQ(group_.answer(host_, to_oneself), "refused: invalid");
  to_oneself.origin = "nobody";
  EXPECT_EQ(group_.answer(host_, to_oneself), "refused: invalid");
  grants();
  EXPECT_EQ(group_.answer(origin_, PutRequest{{{"/not/there", "there", 10}}}), "refused: not_found");
  RunRequest run = program();
  run.verify = 0;
  EXPECT_EQ(group_.answer(origin_, run), "refused: invalid");
}

TEST_F(NodeTest, AFileThatShrankWhileItWasReadIsNotPut) {
  grants();
  group_.put_file(origin_, "/f", Bytes(100, 1));
  FileName name = group_.file(origin_, "/f");
  name.size = 200;
  EXPECT_EQ(group_.answer(origin_, PutRequest{{name}}), "refused: io");
}

TEST_F(NodeTest, PutsAndGets) {
  grants();
  for (size_t size : {size_t(0), size_t(1), size_t(5000), size_t(9000), size_t(400'000)}) {
    Bytes content(size, uint8_t(size));
    const std::string cid = put("/in/" + std::to_string(size), content);
    ASSERT_FALSE(cid.empty()) << size;
    EXPECT_EQ(group_.answer(origin_, GetRequest{cid, "/out"}).substr(0, 1), "{");
    EXPECT_EQ(group_.at(origin_).files["/out"], content);
  }
  EXPECT_GT(held(host_), 0u);
  EXPECT_EQ(held(origin_), 0u);
  const std::string blobs = group_.answer(origin_, BlobListRequest{});
  EXPECT_NE(blobs.find("\"holders\":2"), std::string::npos) << blobs;
}

TEST_F(NodeTest, RunsWithTwoOwnersAndKeepsReceipts) {
  grants();
  const std::string answer = group_.answer(origin_, program());
  EXPECT_NE(answer.find("result of"), std::string::npos) << answer;
  EXPECT_NE(answer.find("\"executions\":2,\"retries\":0"), std::string::npos) << answer;
  // req: D15
  for (size_t n : {host_, second_}) {
    const std::string receipts = group_.answer(n, ReceiptsRequest{});
    EXPECT_NE(receipts.find("\"fuel\":110"), std::string::npos) << receipts;
    EXPECT_NE(group_.answer(n, LeaseListRequest{}).find("\"tasks\":1,\"fuel\":110"), std::string::npos);
  }
  const std::string receipts = group_.answer(origin_, ReceiptsRequest{});
  EXPECT_NE(receipts.find(codec::key_text(group_.at(host_).key())), std::string::npos);
  EXPECT_NE(receipts.find(codec::key_text(group_.at(second_).key())), std::string::npos);
}

// ---- consent

// req: A9 C15
TEST_F(NodeTest, WithoutAGrantNothingIsStoredAndNothingRuns) {
  group_.put_file(origin_, "/f", Bytes(100, 1));
  EXPECT_EQ(group_.answer(origin_, PutRequest{{group_.file(origin_, "/f")}}).substr(0, 8), "none");
  group_.pass(seconds(120));
  EXPECT_EQ(held(host_), 0u);
  group_.at(host_).hold_tasks = true;
  group_.ask(origin_, program());
  group_.pass(seconds(120));
  EXPECT_TRUE(group_.at(host_).tasks.empty());
}

// req: A9 D2
TEST_F(NodeTest, AnOfferUnderSomebodyElsesGrantIsRefused) {
  grants();
  group_.at(host_).hold_tasks = true;
  // With the grant that the origin got.
  const Bytes made = offer_by(stranger_, 1);
  group_.at(stranger_).received.clear();
  group_.inject(stranger_, host_, work::WorkMessages::encode(work::Offer{made}));
  EXPECT_TRUE(group_.at(host_).tasks.empty());
  ASSERT_FALSE(group_.at(stranger_).received.empty());
  const auto answer = work::WorkMessages::decode(group_.at(stranger_).received.back());
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(std::get<work::OfferAnswer>(*answer).error, uint8_t(Errc::kUnauthorized));
}

// req: D6
TEST_F(NodeTest, StatesOfTwoTasksComeBeforeTheirOffers) {
  grants();
  const auto send = [&](size_t from, uint8_t task, size_t size) {
    work::TaskId id;
    id.bytes.fill(task);
    work::send_state(id, 0, Bytes(size, 1), true, [&](Bytes part) { group_.inject(from, host_, std::move(part)); });
  };
  const auto offer = [&](size_t from, uint8_t task, uint32_t state_bytes) {
    group_.at(from).received.clear();
    group_.inject(from, host_, work::WorkMessages::encode(work::Offer{offer_by(from, task), state_bytes}));
    return refusal(from);
  };
  const std::string missing = "did not come whole";
  send(origin_, 1, 10);
  send(origin_, 2, work::kTaskStatePartBytes + 20);
  EXPECT_EQ(offer(origin_, 1, 10).find(missing), std::string::npos);
  EXPECT_EQ(offer(origin_, 2, work::kTaskStatePartBytes + 20).find(missing), std::string::npos);
  EXPECT_NE(offer(origin_, 2, 20).find(missing), std::string::npos) << "it went with its offer";
  send(stranger_, 3, 10);
  EXPECT_NE(offer(stranger_, 3, 10).find(missing), std::string::npos) << "from somebody without a grant none is kept";
}

// req: D3
TEST_F(NodeTest, ATaskThatAsksForAMachineOfItsOwnGetsOneOrIsRefused) {
  grants();
  RunRequest wanted = program();
  wanted.isolation = "microvm";
  group_.at(host_).hold_tasks = true;
  const RequestId refused = group_.ask(origin_, wanted);
  EXPECT_TRUE(group_.at(host_).tasks.empty());
  ASSERT_TRUE(group_.at(origin_).refusals.count(refused));
  EXPECT_NE(group_.at(origin_).refusals.at(refused).message.find("selvedge up --isolation microvm"), std::string::npos)
      << group_.at(origin_).refusals.at(refused).message;

  group_.stop(host_);
  group_.at(host_).in_machines = true;
  ASSERT_TRUE(group_.start(host_).ok());
  group_.link(origin_, host_);
  group_.at(host_).hold_tasks = true;
  EXPECT_NE(group_.answer(host_, StatusRequest{}).find("\"isolation\":\"microvm (test)\""), std::string::npos);
  group_.ask(origin_, wanted);
  EXPECT_EQ(group_.at(host_).tasks.size(), 1u);
  group_.stop(host_);
}

// req: D2
TEST_F(NodeTest, ARevocationStopsWhatRunsAndOutlivesTheProcess) {
  grants();
  group_.at(host_).hold_tasks = true;
  group_.ask(origin_, program());
  ASSERT_EQ(group_.at(host_).tasks.size(), 1u);
  group_.at(host_).hold_stops = true;
  group_.at(host_).hold_disk = true;
  const RequestId id = group_.ask(host_, LeaseChangeRequest{lease_.substr(0, 10), LeaseAction::kRevoke});
  EXPECT_FALSE(group_.at(host_).stops.empty()) << "the kill waits for nothing";
  group_.release_stops(host_);
  EXPECT_FALSE(group_.at(host_).answers.count(id)) << "confirmed before the disk has it";
  group_.release_disk(host_);
  ASSERT_TRUE(group_.at(host_).answers.count(id));
  EXPECT_NE(group_.at(host_).answers.at(id).find("revoked"), std::string::npos);
  EXPECT_NE(group_.answer(origin_, GrantListRequest{}).find("\"state\":\"revoked\""), std::string::npos);

  group_.stop(host_);
  ASSERT_TRUE(group_.start(host_).ok());
  group_.link(origin_, host_);
  group_.at(host_).hold_tasks = true;
  group_.pass(seconds(30));
  EXPECT_TRUE(group_.at(host_).tasks.empty());
  EXPECT_NE(group_.answer(host_, GrantListRequest{}).find("\"state\":\"revoked\""), std::string::npos);
}

// req: D2
TEST_F(NodeTest, APauseOutlivesTheProcessAndEndsWithResume) {
  grants();
  ASSERT_NE(group_.answer(host_, LeaseChangeRequest{lease_, LeaseAction::kPause}).find("paused"), std::string::npos);
  group_.stop(host_);
  ASSERT_TRUE(group_.start(host_).ok());
  group_.link(origin_, host_);
  EXPECT_NE(group_.answer(host_, LeaseListRequest{}).find("\"state\":\"paused\""), std::string::npos);
  group_.at(host_).hold_tasks = true;
  group_.ask(origin_, program());
  EXPECT_TRUE(group_.at(host_).tasks.empty());
  ASSERT_NE(group_.answer(host_, LeaseChangeRequest{lease_, LeaseAction::kResume}).find("active"), std::string::npos);
  group_.pass(seconds(20));
  EXPECT_EQ(group_.at(host_).tasks.size(), 1u);
  group_.stop(host_);
  ASSERT_TRUE(group_.start(host_).ok());
  EXPECT_NE(group_.answer(host_, LeaseListRequest{}).find("\"state\":\"active\""), std::string::npos);
}

TEST_F(NodeTest, ARevokedOriginsDataGoesWhenItsTimeIsOver) {
  grants();
  (void)put("/f", Bytes(3000, 1));
  ASSERT_GT(held(host_), 0u);
  // The origin is away: nobody tells the host to forget anything.
  group_.stop(origin_);
  (void)group_.answer(host_, LeaseChangeRequest{lease_, LeaseAction::kRevoke});
  group_.pass(kRevokedDataKept - seconds(1));
  EXPECT_GT(held(host_), 0u);
  group_.pass(seconds(2));
  EXPECT_EQ(held(host_), 0u);
}

TEST_F(NodeTest, ANewGrantSavesTheData) {
  grants();
  (void)put("/f", Bytes(3000, 1));
  group_.stop(origin_);
  (void)group_.answer(host_, LeaseChangeRequest{lease_, LeaseAction::kRevoke});
  group_.pass(seconds(60));
  (void)group_.grant(host_, origin_);
  group_.pass(kRevokedDataKept + seconds(60));
  EXPECT_GT(held(host_), 0u);
}

// req: A17 B5
TEST_F(NodeTest, AfterARevocationEverythingIsPlacedAnewAndReadsBack) {
  const size_t third = group_.add("third host");
  ASSERT_TRUE(group_.start(third).ok());
  group_.link(origin_, third);
  grants();
  (void)group_.grant(third, origin_);
  const Bytes small(100, 7), large(300'000, 9);
  const std::string a = put("/small", small), b = put("/large", large);
  (void)group_.answer(host_, LeaseChangeRequest{lease_, LeaseAction::kRevoke});
  group_.pass(seconds(5));
  EXPECT_NE(group_.answer(origin_, StatusRequest{}).find("\"repairs_pending\":0"), std::string::npos);
  EXPECT_EQ(held(host_), 0u) << "it was told to forget";
  group_.stop(second_);  // and one of the others may vanish, too
  EXPECT_EQ(group_.answer(origin_, GetRequest{a, "/out/a"}).substr(0, 1), "{");
  EXPECT_EQ(group_.answer(origin_, GetRequest{b, "/out/b"}).substr(0, 1), "{");
  EXPECT_EQ(group_.at(origin_).files["/out/a"], small);
  EXPECT_EQ(group_.at(origin_).files["/out/b"], large);
}

TEST_F(NodeTest, AHostThatComesLaterCompletesTheCoverage) {
  lease_ = group_.grant(host_, origin_);
  (void)put("/f", Bytes(100'000, 3));
  EXPECT_NE(group_.answer(origin_, StatusRequest{}).find("\"repairs_pending\":1"), std::string::npos);
  second_lease_ = group_.grant(second_, origin_);
  group_.pass(seconds(10));
  EXPECT_NE(group_.answer(origin_, StatusRequest{}).find("\"repairs_pending\":0"), std::string::npos);
  EXPECT_GT(held(second_), 0u);
}

// ---- what peers may do

// req: C1, C3
TEST(NodePaths, ASessionThroughARelayIsTriedDirectlyAgainAndAgain) {
  Group group;
  const size_t one = group.add("one"), two = group.add("two");
  group.at(one).paths = PathPolicy::kPreferDirect;
  ASSERT_TRUE(group.start(one).ok());
  ASSERT_TRUE(group.start(two).ok());
  const LinkId link = group.link(one, two).first;
  const auto offers = [&] {
    size_t count = 0;
    for (const Bytes& message : std::exchange(group.at(two).received, {})) {
      const auto parsed = mesh::MeshMessages::decode(message);
      count += parsed.ok() && std::holds_alternative<mesh::PathOffer>(*parsed) ? 1 : 0;
    }
    return count;
  };
  group.pass(seconds(600));
  EXPECT_EQ(offers(), 0u) << "there is a direct way";
  group.at(one).node->on_link_ways(link, {kCircuitAddress});
  group.pass(kPathAgainFirst);
  EXPECT_EQ(offers(), 1u);
  group.pass(kPathAgainFirst * 2 - seconds(1));
  EXPECT_EQ(offers(), 0u) << "less and less often";
  group.pass(seconds(1));
  EXPECT_EQ(offers(), 1u);
  // A router opened a port: that is said at once.
  group.feed(one, [&](Node& node, Node::Out& out) { node.on_addresses(group.now, {"one:1", "198.51.100.1:8000"}, out); });
  EXPECT_EQ(offers(), 1u);
  group.at(one).node->on_link_ways(link, {"198.51.100.2:1"});
  group.pass(seconds(3600));
  EXPECT_EQ(offers(), 0u);
  // The direct way broke, and the relay still carries.
  group.at(one).node->on_link_ways(link, {kCircuitAddress});
  group.pass(kPathAgainFirst);
  EXPECT_EQ(offers(), 1u);
  group.close(one, group.at(one).links.begin()->first);
  group.pass(seconds(3600));
  EXPECT_EQ(offers(), 0u);
}

// req: B4
TEST_F(NodeTest, SymbolsThatComeTooLateAreNotSent) {
  grants();
  (void)put("/f", Bytes(100, 1));
  object::ObjectId object;
  for (const auto& [key, value] : group_.at(host_).disk) {
    if (key.first == store::Column::kSymbols) object.bytes = mesh::parse_frame(value)->header.object.bytes;
  }
  LinkId link = 0;
  for (const auto& [id, other] : group_.at(host_).links) link = other.first == origin_ ? id : link;
  const auto answer_after = [&](Duration took) {
    mesh::SymbolRequest request{5, object, {}, {10}, {}, 1000, true};
    Node& host = *group_.at(host_).node;
    Node::Out out, answer;
    host.on_message(group_.now, link, mesh::MeshMessages::encode(request), out);
    for (Effect& effect : out.take()) {
      const auto* use = std::get_if<UseDisk>(&effect);
      const auto* read = use == nullptr ? nullptr : std::get_if<store::DiskRead>(&use->effect);
      if (read == nullptr) continue;
      std::vector<std::optional<Bytes>> values;
      for (const Bytes& key : read->keys) values.push_back(group_.at(host_).disk.at({read->column, key}));
      host.on_loaded(group_.now + took, read->token, std::move(values), answer);
    }
    return answer.take();
  };
  size_t frames = 0;
  for (const Effect& effect : answer_after(milliseconds(999))) frames += std::holds_alternative<SendSymbols>(effect) ? 1 : 0;
  EXPECT_EQ(frames, 1u);
  const std::vector<Effect> late = answer_after(milliseconds(1000));
  ASSERT_EQ(late.size(), 1u);
  EXPECT_EQ(std::get<mesh::SymbolEnd>(*mesh::MeshMessages::decode(std::get<SendMessage>(late[0]).message)).error, uint8_t(Errc::kTimeout));
}

// req: C15 R24
TEST_F(NodeTest, SymbolsAreNotGivenToWhomTheyDoNotBelong) {
  grants();
  (void)put("/f", Bytes(100, 1));
  object::ObjectId object;
  for (const auto& [key, value] : group_.at(host_).disk) {
    if (key.first == store::Column::kSymbols) object.bytes = mesh::parse_frame(value)->header.object.bytes;
  }
  const auto request = [&](size_t who, std::vector<Bytes> capabilities) {
    group_.at(who).received.clear();
    group_.inject(who, host_, mesh::MeshMessages::encode(mesh::SymbolRequest{5, object, {}, {10}, std::move(capabilities)}));
    EXPECT_FALSE(group_.at(who).received.empty());
    const auto end = mesh::MeshMessages::decode(group_.at(who).received.back());
    return std::get<mesh::SymbolEnd>(*end);
  };
  const mesh::SymbolEnd refused = request(stranger_, {});
  EXPECT_EQ(refused.error, uint8_t(Errc::kUnauthorized));
  EXPECT_EQ(refused.symbols, 0u);
  // Another host of the same origin has no right to them either, unless the origin says so.
  EXPECT_EQ(request(second_, {}).error, uint8_t(Errc::kUnauthorized));
  object::Capability access;
  access.zone = object::zone_id(group_.at(origin_).owner.public_key(), kZoneName);
  access.origin = group_.at(origin_).owner.public_key();
  access.issuer = group_.at(origin_).key();
  access.audience = group_.at(second_).key();
  access.operations = {"storage.read"};
  access.objects = {object};
  access.issued = group_.now.unix_seconds();
  access.expires = access.issued + 100;
  access.nonce.bytes.fill(1);
  const Bytes signed_access = object::sign_object(group_.at(origin_).signer, access).value().bytes;
  const mesh::SymbolEnd given = request(second_, {signed_access});
  EXPECT_EQ(given.error, 0);
  EXPECT_EQ(given.symbols, 1u);
  EXPECT_EQ(request(stranger_, {signed_access}).error, uint8_t(Errc::kUnauthorized)) << "it is made out to another";
}

// req: C15
TEST_F(NodeTest, OnlyOnesOwnDataCanBeDropped) {
  grants();
  (void)put("/f", Bytes(100, 1));
  const uint64_t before = held(host_);
  ASSERT_GT(before, 0u);
  std::vector<object::ObjectId> all;
  for (const auto& [key, value] : group_.at(host_).disk) {
    if (key.first == store::Column::kSymbols) all.push_back(mesh::parse_frame(value)->header.object);
  }
  group_.inject(stranger_, host_, mesh::MeshMessages::encode(mesh::Drop{1, all}));
  group_.inject(second_, host_, mesh::MeshMessages::encode(mesh::Drop{2, all}));
  EXPECT_EQ(held(host_), before);
  group_.inject(origin_, host_, mesh::MeshMessages::encode(mesh::Drop{3, all}));
  EXPECT_EQ(held(host_), 0u);
}

// req: A9
TEST_F(NodeTest, ForgedAndForeignRecordsAreIgnored) {
  grants();
  // A stranger offers the origin's node a grant on the host's machine.
  object::Grant grant;
  grant.owner = group_.at(stranger_).owner.public_key();
  grant.node = group_.at(host_).key();
  grant.origin = group_.at(origin_).owner.public_key();
  grant.classes = object::kStorage;
  grant.storage_bytes = 1 << 30;
  grant.issued = group_.now.unix_seconds();
  grant.expires = grant.issued + 1000;
  const auto foreign = object::sign_object(group_.at(stranger_).owner, grant).value();
  const std::string before = group_.answer(origin_, GrantListRequest{});
  group_.link(stranger_, origin_);
  group_.inject(stranger_, origin_, mesh::MeshMessages::encode(mesh::Records{{foreign.bytes}}));
  EXPECT_EQ(group_.answer(origin_, GrantListRequest{}), before);
  Bytes forged = foreign.bytes;
  forged.back() ^= 1;
  group_.inject(stranger_, origin_, mesh::MeshMessages::encode(mesh::Records{{forged, {}, to_bytes(view("nonsense"))}}));
  EXPECT_EQ(group_.answer(origin_, GrantListRequest{}), before);

  // A stranger revokes the host's grant: its word counts for nothing.
  object::Revocation revocation;
  revocation.issuer = group_.at(stranger_).owner.public_key();
  revocation.target_kind = object::RevocationTarget::kCapability;
  revocation.target.bytes = crypto::Digest::from(*from_hex(lease_))->bytes;
  revocation.cutoff = revocation.issued = group_.now.unix_seconds();
  const auto revoked = object::sign_object(group_.at(stranger_).owner, revocation).value();
  group_.inject(stranger_, origin_, mesh::MeshMessages::encode(mesh::Records{{revoked.bytes}}));
  group_.inject(stranger_, host_, mesh::MeshMessages::encode(mesh::Records{{revoked.bytes}}));
  EXPECT_EQ(group_.answer(origin_, GrantListRequest{}).find("revoked"), std::string::npos);
  EXPECT_FALSE(put("/f", Bytes(10, 1)).empty());

  // A lease of a grant that nobody gave leaves no trace on disk.
  const size_t records = group_.at(origin_).disk.size();
  object::Lease lease;
  lease.grant.bytes.fill(8);
  lease.node = group_.at(stranger_).key();
  lease.origin = group_.at(origin_).owner.public_key();
  lease.started = group_.now.unix_seconds();
  lease.expires = lease.started + 100;
  group_.inject(stranger_, origin_, mesh::MeshMessages::encode(mesh::Records{{object::sign_object(group_.at(stranger_).signer, lease).value().bytes}}));
  EXPECT_EQ(group_.at(origin_).disk.size(), records);
}

TEST_F(NodeTest, BeforeHelloNothingCounts) {
  grants();
  const size_t quiet = group_.add("quiet");
  ASSERT_TRUE(group_.start(quiet).ok());
  // A message of its own before any hello: the link has no session, so nothing happens and nothing is answered.
  Node::Out out;
  group_.at(host_).node->on_link_opened(group_.now, 999, group_.at(quiet).key(), out);
  (void)out.take();
  group_.at(host_).node->on_message(group_.now, 999, mesh::MeshMessages::encode(mesh::SymbolRequest{}), out);
  group_.at(host_).node->on_symbols(group_.now, 999, Bytes(200, 1), out);
  EXPECT_TRUE(out.empty());
}

TEST_F(NodeTest, NonsenseClosesTheLink) {
  const size_t links = group_.at(host_).links.size();
  group_.inject(stranger_, host_, Bytes{250, 1, 2, 3});
  EXPECT_EQ(group_.at(host_).links.size(), links - 1);
  group_.link(stranger_, host_);
  group_.inject(stranger_, host_, Bytes{mesh::SymbolRequest::kType, 0xFF});
  EXPECT_EQ(group_.at(host_).links.size(), links - 1);
  group_.link(stranger_, host_);
  group_.inject_frame(stranger_, host_, Bytes(300, 7));
  EXPECT_EQ(group_.at(host_).links.size(), links) << "a damaged frame is thrown away; the link stays";
}

// ---- durability and starts

// req: B5
TEST_F(NodeTest, NothingIsAcknowledgedBeforeItIsOnDisk) {
  grants();
  group_.at(host_).hold_disk = group_.at(second_).hold_disk = true;
  group_.put_file(origin_, "/f", Bytes(100, 1));
  const RequestId id = group_.ask(origin_, PutRequest{{group_.file(origin_, "/f")}});
  EXPECT_FALSE(group_.at(origin_).answers.count(id));
  group_.release_disk(host_);
  EXPECT_FALSE(group_.at(origin_).answers.count(id));
  group_.release_disk(second_);
  EXPECT_TRUE(group_.at(origin_).answers.count(id));
}

TEST_F(NodeTest, EverythingIsThereAfterARestart) {
  grants();
  const std::string cid = put("/f", Bytes(50'000, 4));
  for (size_t n : {origin_, host_, second_}) group_.stop(n);
  for (size_t n : {origin_, host_, second_}) ASSERT_TRUE(group_.start(n).ok());
  group_.link(origin_, host_);
  group_.link(origin_, second_);
  EXPECT_EQ(group_.answer(origin_, GetRequest{cid, "/out"}).substr(0, 1), "{");
  EXPECT_EQ(group_.at(origin_).files["/out"], Bytes(50'000, 4));
  EXPECT_EQ(group_.answer(origin_, program()).substr(0, 1), "{");
}

TEST_F(NodeTest, AStoreOfAnotherOwnerIsRefused) {
  const auto disk = group_.at(host_).disk;
  group_.stop(host_);
  const size_t moved = group_.add("host", "another owner");  // the same node key under another owner
  group_.at(moved).disk = disk;
  const Status started = group_.start(moved);
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.code(), Errc::kIntegrity);
}

TEST_F(NodeTest, AQuotaIsKept) {
  GrantGiveRequest small;
  small.storage_bytes = 20'000;
  (void)group_.grant(host_, origin_, small);
  (void)group_.grant(second_, origin_, small);
  EXPECT_FALSE(put("/fits", Bytes(5000, 1)).empty());
  group_.put_file(origin_, "/large", Bytes(100'000, 2));
  EXPECT_EQ(group_.answer(origin_, PutRequest{{group_.file(origin_, "/large")}}), "refused: quota");
}

// Machines that come and go, like pages of visitors, each leave a grant: those are not kept for ever. What holds data is not forgotten.
TEST_F(NodeTest, GrantsToComputeThatEndedAreForgotten) {
  const auto known = [&] {
    const std::string list = group_.answer(origin_, GrantListRequest{});
    size_t count = 0;
    for (size_t at = list.find("{\"id\""); at != std::string::npos; at = list.find("{\"id\"", at + 1)) ++count;
    return count;
  };
  GrantGiveRequest brief;
  brief.seconds = 60;
  brief.storage_bytes = 0;
  (void)group_.grant(host_, origin_, brief);
  GrantGiveRequest storage;
  storage.seconds = 60;
  storage.cpu_permille = 0;
  (void)group_.grant(host_, origin_, storage);
  EXPECT_EQ(known(), 2u) << group_.answer(origin_, GrantListRequest{});
  group_.pass(seconds(kEndedGrantKeptSeconds / 2));
  (void)group_.grant(second_, origin_, brief);
  EXPECT_EQ(known(), 3u) << "it may still be asked for";
  group_.pass(seconds(kEndedGrantKeptSeconds / 2 + 100));
  (void)group_.grant(second_, origin_, brief);
  EXPECT_EQ(known(), 3u) << "the first one to compute is gone, the one to store is not";
  ASSERT_TRUE(group_.start(origin_).ok());
  EXPECT_EQ(known(), 3u) << "and does not come back";
}

TEST_F(NodeTest, AnExpiredGrantEndsByItself) {
  GrantGiveRequest brief;
  brief.seconds = 120;
  const std::string id = group_.grant(host_, origin_, brief);
  EXPECT_NE(group_.answer(host_, LeaseListRequest{}).find("\"state\":\"active\""), std::string::npos);
  group_.pass(seconds(70));
  EXPECT_NE(group_.answer(host_, LeaseListRequest{}).find("\"state\":\"expiring\""), std::string::npos);
  group_.pass(seconds(60));
  EXPECT_NE(group_.answer(host_, LeaseListRequest{}).find("\"state\":\"expired\""), std::string::npos);
  EXPECT_NE(group_.answer(origin_, GrantListRequest{}).find("\"state\":\"expired\""), std::string::npos);
}

}  // namespace
}  // namespace selvedge::node
