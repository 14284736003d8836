// The audit log of whole nodes: what becomes an entry, who cosigns, and what happens to a log that was cut or rewritten.
#include <gtest/gtest.h>

#include "node/audit_evidence.h"
#include "node/node_testing.h"
#include "object/audit_head.h"
#include "object/tlog_check.h"
#include "store/layout.h"

namespace selvedge::node::testing {
namespace {

class AuditTest : public ::testing::Test {
 protected:
  std::string head(size_t n) { return g.answer(n, AuditHeadRequest{}); }
  /// The number after "name":.
  static uint64_t number(const std::string& json, const std::string& name) {
    const size_t at = json.find("\"" + name + "\":");
    return at == std::string::npos ? UINT64_MAX : std::stoull(json.substr(at + name.size() + 3));
  }
  uint64_t cosigners(size_t n) {
    const std::string json = head(n);
    const size_t from = json.find("\"cosigners\":[");
    const std::string list = json.substr(from, json.find(']', from) - from);
    return uint64_t(std::count(list.begin(), list.end(), '{'));
  }
  std::string alerts(size_t n) {
    const std::string json = head(n);
    return json.substr(json.find("\"alerts\":"));
  }
  /// Kind and detail of every entry, oldest first.
  std::vector<std::string> entries(size_t n) {
    std::vector<std::string> out;
    std::string json = g.answer(n, AuditListRequest{});
    for (size_t at = json.find("\"kind\":\""); at != std::string::npos; at = json.find("\"kind\":\"", at + 1)) {
      const std::string rest = json.substr(at);
      out.insert(out.begin(), Group::field(rest, "kind") + ": " + Group::field(rest, "detail"));
    }
    return out;
  }
  size_t count(size_t n, const std::string& start) {
    const std::vector<std::string> all = entries(n);
    return size_t(std::count_if(all.begin(), all.end(), [&](const std::string& e) { return e.starts_with(start); }));
  }
  /// Before the node's start: its owner's policy, which asks for so many cosigners and names others who may watch.
  void give_policy(size_t n, uint32_t quorum, std::vector<crypto::PublicKey> watchers = {}) {
    object::ZonePolicy policy = *object::default_policy(g.at(n).owner.public_key(), kZoneName);
    policy.audit_quorum = quorum;
    if (!watchers.empty()) policy.issuers.push_back({"watchers", watchers, 1, {"audit.cosign"}});
    policy.issued = g.now.unix_seconds();
    policy.expires = policy.issued + 30 * object::kDay;
    policy.serial = g.now.unix_seconds() + 1;  // later than what the owner's other devices begin with
    const Bytes bytes = object::sign_object(g.at(n).owner, policy).value().bytes;
    const auto id = store::RecordId::from(policy.zone).value();
    g.at(n).disk[{store::Column::kRecords, store::record_key(store::RecordKind(Record::kPolicy), id)}] = bytes;
  }
  template <class T>
  std::optional<T> record(size_t n, Record kind, ByteView id) {
    const auto it = g.at(n).disk.find({store::Column::kRecords, store::record_key(store::RecordKind(kind), store::RecordId::from(id).value())});
    if (it == g.at(n).disk.end()) return std::nullopt;
    return codec::decode<T>(it->second).value();
  }
  void restart(size_t n) {
    g.stop(n);
    ASSERT_TRUE(g.start(n).ok());
  }
  /// What a new owner's node writes down at its start, at `when`.
  static std::multiset<std::string> beginning(Instant when) {
    std::multiset<std::string> out = {"node: the log of this node begins"};
    for (const std::string zone : {"owner", "private", "work", "community", "public"}) {
      out.insert("policy: zone " + zone + ", policy number " + std::to_string(when.unix_seconds()));
      out.insert("zone-epoch: " + zone + ", epoch 1 for 1 devices: a new zone");
    }
    return out;
  }
  /// Pauses and resumes a lease, so that the log grows by so many entries.
  void grow(size_t n, const std::string& lease, size_t by) {
    for (size_t i = 0; i < by; ++i) g.answer(n, LeaseChangeRequest{lease, i % 2 == 0 ? LeaseAction::kPause : LeaseAction::kResume});
  }
  std::string exported(size_t n, const std::string& dir) {
    return g.answer(n, AuditExportRequest{dir, number(head(n), "size")});
  }
  Result<object::CheckedLog> check(size_t n, const std::string& dir, std::optional<uint64_t> old_size = std::nullopt) {
    return object::check_log(
        [&](const std::string& path) -> Result<Bytes> {
          const auto it = g.at(n).files.find(dir + "/" + path);
          if (it == g.at(n).files.end()) return fail(Errc::kNotFound, path);
          return it->second;
        },
        old_size, {});
  }
  Group g;
};

// req: A15
TEST_F(AuditTest, WhatIsDecidedAndDoneBecomesAnEntry) {
  const size_t origin = g.add("origin"), a = g.add("a"), b = g.add("b");
  std::multiset<std::string> expected = beginning(g.now);
  const std::multiset<std::string> expected_of_origin = expected;
  for (const size_t n : {origin, a, b}) ASSERT_TRUE(g.start(n).ok());
  g.link(origin, a);
  g.link(origin, b);
  const std::string lease = g.grant(a, origin);
  g.grant(b, origin);
  g.put_file(origin, "/m.wasm", tiny_module());
  g.put_file(origin, "/in", to_bytes(view("input")));
  RunRequest run;
  run.module = g.file(origin, "/m.wasm");
  run.inputs = {g.file(origin, "/in")};
  EXPECT_NE(g.answer(origin, run).substr(0, 7), "refused");
  g.answer(a, LeaseChangeRequest{lease, LeaseAction::kPause});
  g.answer(a, LeaseChangeRequest{lease, LeaseAction::kResume});
  g.answer(a, LeaseChangeRequest{lease, LeaseAction::kRevoke});
  for (const std::string& entry : {"grant: given to " + codec::key_text(g.at(origin).owner.public_key()), std::string("lease: active"), std::string("receipt: ok"),
                                   std::string("lease: paused"), std::string("lease: resumed"), "revocation: made: lease " + lease, std::string("lease: revoked")}) {
    expected.insert(entry);
  }
  std::vector<std::string> seen = entries(a);
  // The order of what one turn causes is the code's own affair.
  EXPECT_EQ(std::multiset<std::string>(seen.begin(), seen.end()), expected);
  const std::vector<std::string> of_origin = entries(origin);
  EXPECT_EQ(std::multiset<std::string>(of_origin.begin(), of_origin.end()), expected_of_origin);
  EXPECT_EQ(number(head(a), "size"), seen.size());
  EXPECT_EQ(number(g.answer(a, AuditListRequest{"lease", 0, 0, 2}), "index"), seen.size() - 1) << "newest first";
  EXPECT_EQ(g.answer(a, AuditListRequest{"nonsense"}), "refused: invalid");
}

// req: A15
TEST_F(AuditTest, ACrashKeepsAGrantAndItsEntryOrNeither) {
  size_t kept = 0;
  for (int keep = 0; keep < 8; ++keep) {
    Group fresh;
    g = std::move(fresh);
    const size_t host = g.add("host"), origin = g.add("origin");
    ASSERT_TRUE(g.start(host).ok());
    head(host);
    g.at(host).hold_disk = true;
    GrantGiveRequest request;
    request.origin = codec::key_text(g.at(origin).owner.public_key());
    g.ask(host, request);
    g.ask(host, request);
    size_t nth = 0;
    // The crash takes any of the writes, whatever their order.
    for (const store::DiskWrite& write : g.at(host).held_writes) {
      if (!(keep >> nth++ & 1)) continue;
      for (const store::Write& w : write.writes) {
        if (w.value) g.at(host).disk[{w.column, w.key}] = *w.value;
        else g.at(host).disk.erase({w.column, w.key});
      }
    }
    g.at(host).hold_disk = false;
    restart(host);
    const std::string grants = g.answer(host, GrantListRequest{});
    size_t there = 0;
    for (size_t at = grants.find("\"given\":true"); at != std::string::npos; at = grants.find("\"given\":true", at + 1)) ++there;
    EXPECT_EQ(count(host, "grant: given"), there) << "crash " << keep;
    kept += there;
  }
  EXPECT_GT(kept, 0u);
}

// req: A15
TEST_F(AuditTest, TheOwnersOtherNodesCosignAndAQuorumCompletesTheHead) {
  const size_t a = g.add("a", "owner"), b = g.add("b", "owner"), c = g.add("c", "owner"), stranger = g.add("stranger");
  give_policy(a, 2);
  for (const size_t n : {a, b, c, stranger}) ASSERT_TRUE(g.start(n).ok());
  g.link(a, stranger);
  EXPECT_EQ(cosigners(a), 0u);
  g.link(a, b);
  EXPECT_EQ(cosigners(a), 1u);
  EXPECT_EQ(number(head(a), "quorum"), 2u);
  EXPECT_EQ(number(head(a), "complete_size"), 0u);
  g.link(a, c);
  EXPECT_EQ(cosigners(a), 2u);
  EXPECT_EQ(number(head(a), "complete_size"), number(head(a), "size"));
  const std::string lease = g.grant(a, stranger);
  g.pass(seconds(2));
  EXPECT_EQ(cosigners(a), 2u) << "the next checkpoint too, by its own deadline";
  EXPECT_EQ(number(head(a), "complete_size"), number(head(a), "size"));
  EXPECT_GT(number(head(a), "size"), 1u);
  restart(a);
  EXPECT_EQ(cosigners(a), 2u) << "kept over a restart";
  // The signed AuditHead is what others need.
  Bytes id(store::RecordId::kSize);
  id.back() = 1;
  const Bytes bytes = g.at(a).disk.at({store::Column::kRecords, store::record_key(store::RecordKind(Record::kAuditHead), *store::RecordId::from(id))});
  const crypto::Ed25519Verifier verifier;
  const object::AuditHead body = object::open_object<object::AuditHead>(bytes, verifier).value().body;
  std::vector<crypto::PublicKey> members = {g.at(b).key(), g.at(c).key()};
  std::sort(members.begin(), members.end());
  EXPECT_EQ(object::check_audit_head(body, members, 2, verifier)->size(), 2u);
  EXPECT_EQ(alerts(a), "\"alerts\":[]}");
}

// req: A15
TEST_F(AuditTest, WhomThePolicyNamesMayWatchToo) {
  const size_t a = g.add("a"), friendly = g.add("friend");
  give_policy(a, 1, {g.at(friendly).owner.public_key()});
  ASSERT_TRUE(g.start(a).ok());
  ASSERT_TRUE(g.start(friendly).ok());
  g.link(a, friendly);
  EXPECT_EQ(cosigners(a), 0u) << "the friend does not know that it was named: it has no policy of that zone";
  g.grant(friendly, a);
  const LinkId link = g.at(a).links.begin()->first;
  g.close(a, link);
  g.link(a, friendly);
  g.pass(seconds(2));
  EXPECT_EQ(cosigners(a), 1u);
  EXPECT_EQ(number(head(a), "complete_size"), number(head(a), "size"));
}

// req: A15
TEST_F(AuditTest, AWitnessWritesDownBeforeItAnswers) {
  const size_t a = g.add("a", "owner"), b = g.add("b", "owner");
  ASSERT_TRUE(g.start(a).ok());
  ASSERT_TRUE(g.start(b).ok());
  g.at(b).hold_disk = true;
  g.link(a, b);
  const RequestId asked = g.ask(a, AuditHeadRequest{});
  g.pass(kAuditHeadPatience + seconds(1));
  EXPECT_NE(g.at(a).answers.at(asked).find("\"cosigners\":[]"), std::string::npos);
  g.release_disk(b);
  EXPECT_EQ(cosigners(a), 1u);
  EXPECT_EQ(record<WitnessedRecord>(b, Record::kAuditWitnessed, g.at(a).key())->size, number(head(a), "size"));
}

// req: A15
TEST_F(AuditTest, ANodeRolledBackToAnOlderStoreIsCaught) {
  const size_t a = g.add("a", "owner"), b = g.add("b", "owner"), origin = g.add("origin");
  for (const size_t n : {a, b}) ASSERT_TRUE(g.start(n).ok());
  g.link(a, b);
  const std::string lease = g.grant(a, origin);
  EXPECT_EQ(cosigners(a), 1u);
  const auto old_disk = g.at(a).disk;
  g.answer(a, LeaseChangeRequest{lease, LeaseAction::kRevoke});
  EXPECT_EQ(cosigners(a), 1u);
  const uint64_t seen = number(head(a), "size");
  g.stop(a);
  g.at(a).disk = old_disk;
  ASSERT_TRUE(g.start(a).ok());
  EXPECT_EQ(alerts(a), "\"alerts\":[]}") << "by itself a node cannot know";
  g.link(a, b);
  EXPECT_NE(alerts(a).find("has seen this log with " + std::to_string(seen) + " entries"), std::string::npos) << alerts(a);
  EXPECT_NE(alerts(b).find("it had " + std::to_string(seen) + " entries"), std::string::npos) << alerts(b);
  EXPECT_EQ(count(b, "witness: the audit log of node"), 1u);
  const uint64_t stopped_at = number(head(a), "size");
  g.grant(a, origin);
  g.pass(seconds(5));
  EXPECT_EQ(number(head(a), "size"), stopped_at) << "it signs nothing that contradicts what it signed";
  EXPECT_EQ(count(b, "witness: the audit log of node"), 1u) << "said once";
}

// req: A15
TEST_F(AuditTest, ALogThatWasRewrittenFindsNoWitness) {
  const size_t a = g.add("a", "owner"), b = g.add("b", "owner"), origin = g.add("origin");
  for (const size_t n : {a, b}) ASSERT_TRUE(g.start(n).ok());
  const auto old_disk = g.at(a).disk;
  g.link(a, b);
  std::string lease = g.grant(a, origin);
  g.answer(a, LeaseChangeRequest{lease, LeaseAction::kRevoke});
  EXPECT_EQ(cosigners(a), 1u);
  const uint64_t seen = number(head(a), "size");
  g.stop(a);
  g.at(a).disk = old_disk;  // and now, without the witness, another history that is longer
  ASSERT_TRUE(g.start(a).ok());
  lease = g.grant(a, origin);
  grow(a, lease, 2 * seen);
  ASSERT_GT(number(head(a), "size"), seen);
  g.link(a, b);
  EXPECT_EQ(cosigners(a), 0u);
  EXPECT_NE(alerts(a).find("does not go on from size " + std::to_string(seen)), std::string::npos) << alerts(a);
  EXPECT_NE(alerts(b).find("do not begin with the " + std::to_string(seen)), std::string::npos) << alerts(b);
}

// req: A15
TEST_F(AuditTest, TwoLogsOfOneSizeAreKeptAsEvidence) {
  const size_t a = g.add("a", "owner"), b = g.add("b", "owner"), origin = g.add("origin");
  for (const size_t n : {a, b}) ASSERT_TRUE(g.start(n).ok());
  const auto old_disk = g.at(a).disk;
  g.link(a, b);
  g.grant(a, origin);
  EXPECT_EQ(cosigners(a), 1u);
  const uint64_t seen = number(head(a), "size");
  g.stop(a);
  g.at(a).disk = old_disk;
  ASSERT_TRUE(g.start(a).ok());
  std::string lease = g.grant(a, origin);
  // A grant makes two entries, a pause one.
  while (number(head(a), "size") < seen) {
    if (seen - number(head(a), "size") == 1) grow(a, lease, 1);
    else lease = g.grant(a, origin);
  }
  ASSERT_EQ(number(head(a), "size"), seen);
  g.link(a, b);
  EXPECT_NE(alerts(b).find("two different logs of " + std::to_string(seen) + " entries"), std::string::npos) << alerts(b);
  EXPECT_NE(alerts(a).find("another log of this node"), std::string::npos) << alerts(a);
  // Both notes of the evidence are signed by the log, so anyone can judge.
  const crypto::Ed25519Verifier verifier;
  for (const auto& [key, value] : g.at(b).disk) {
    if (key.first != store::Column::kRecords || key.second[0] != uint8_t(Record::kAuditEvidence)) continue;
    const EvidenceRecord evidence = codec::decode<EvidenceRecord>(value).value();
    EXPECT_EQ(evidence.log, g.at(a).key());
    const std::string second = object::parse_add_checkpoint(evidence.second)->checkpoint;
    EXPECT_TRUE(object::audit_cosigners(evidence.first, evidence.log, verifier).ok());
    EXPECT_TRUE(object::audit_cosigners(second, evidence.log, verifier).ok());
    EXPECT_NE(codec::parse_note(evidence.first)->text, codec::parse_note(second)->text);
  }
}

// req: A15
TEST_F(AuditTest, ADiskThatLostWhatAHeadCoversStopsTheLog) {
  const size_t a = g.add("a"), origin = g.add("origin");
  ASSERT_TRUE(g.start(a).ok());
  g.grant(a, origin);
  const uint64_t size = number(head(a), "size");
  g.stop(a);
  Bytes id(store::RecordId::kSize);
  id.back() = uint8_t(size - 1);
  ASSERT_EQ(g.at(a).disk.erase({store::Column::kRecords, store::record_key(store::RecordKind(Record::kAuditEntry), *store::RecordId::from(id))}), 1u);
  ASSERT_TRUE(g.start(a).ok());
  EXPECT_NE(alerts(a).find("entries are gone"), std::string::npos) << alerts(a);
  EXPECT_EQ(number(head(a), "size"), size) << "the last one that was signed is still shown";
}

// req: A15
TEST_F(AuditTest, OnlyALogsOwnNodeIsHeard) {
  const size_t a = g.add("a", "owner"), b = g.add("b", "owner"), c = g.add("c", "owner"), stranger = g.add("stranger");
  for (const size_t n : {a, b, c, stranger}) ASSERT_TRUE(g.start(n).ok());
  g.link(a, b);
  g.link(c, b);
  g.link(stranger, b);
  const auto last_status = [&](size_t n) {
    uint16_t status = 0;
    for (const Bytes& message : g.at(n).received) {
      const auto parsed = AuditMessages::decode(message);
      if (!parsed.ok()) continue;
      if (const auto* answer = std::get_if<AddCheckpointAnswer>(&*parsed)) status = answer->status;
    }
    return status;
  };
  const std::string json = head(a);
  std::string note = Group::field(json, "checkpoint");
  for (size_t at = note.find("\\n"); at != std::string::npos; at = note.find("\\n")) note.replace(at, 2, "\n");
  const Bytes ask = AuditMessages::encode(AddCheckpointAsk{1, object::add_checkpoint_text({0, {}, note})});
  g.inject(c, b, ask);
  EXPECT_EQ(last_status(c), 403) << "another node's checkpoint: not signed by this one";
  g.inject(stranger, b, ask);
  EXPECT_EQ(last_status(stranger), 404);
  g.inject(a, b, AuditMessages::encode(AddCheckpointAsk{1, "nonsense"}));
  EXPECT_EQ(last_status(a), 400);
  EXPECT_EQ(alerts(b), "\"alerts\":[]}");
}

// req: A15
TEST_F(AuditTest, ManyEntriesAreProvedListedAndExported) {
  const size_t a = g.add("a"), origin = g.add("origin");
  ASSERT_TRUE(g.start(a).ok());
  const std::string lease = g.grant(a, origin);
  const std::string early = head(a);
  grow(a, lease, 700);
  restart(a);
  grow(a, lease, 1);
  const uint64_t size = number(head(a), "size");
  ASSERT_GT(size, 700u);
  ASSERT_EQ(exported(a, "/log").substr(0, 7), "{\"size\"");
  const Result<object::CheckedLog> checked = check(a, "/log", number(early, "size"));
  ASSERT_TRUE(checked.ok()) << checked.error().message;
  EXPECT_EQ(checked->checkpoint.size, size);
  EXPECT_EQ(checked->old_root->hex(), Group::field(early, "root")) << "it begins with the log as it was";
  EXPECT_EQ(checked->paths.size(), g.at(a).files.size()) << "and nothing else is written";
  for (const uint64_t index : {uint64_t(0), uint64_t(255), uint64_t(256), uint64_t(511), size - 1}) {
    const std::string answer = g.answer(a, AuditProveRequest{std::to_string(index)});
    std::string text = Group::field(answer, "proof");
    for (size_t at = text.find("\\n"); at != std::string::npos; at = text.find("\\n")) text.replace(at, 2, "\n");
    const object::ProofFile proof = object::parse_proof_file(text).value();
    const object::Checkpoint checkpoint = object::parse_checkpoint(codec::parse_note(proof.checkpoint)->text).value();
    EXPECT_EQ(proof.index, index);
    EXPECT_TRUE(object::check_inclusion(object::merkle_leaf(*proof.extra), index, checkpoint.size, proof.hashes, checkpoint.root).ok());
  }
  EXPECT_EQ(number(g.answer(a, AuditProveRequest{lease.substr(0, 12)}), "index"), size - 1) << "the newest about the lease";
  EXPECT_EQ(g.answer(a, AuditProveRequest{std::to_string(size)}), "refused: not_found");
  EXPECT_EQ(g.answer(a, AuditProveRequest{"0123456789abcdef"}), "refused: not_found");
  EXPECT_EQ(g.answer(a, AuditProveRequest{"xyz"}), "refused: invalid");
  const std::string piece = g.answer(a, AuditListRequest{"", 0, 300, 10});
  EXPECT_EQ(number(piece, "index"), 299u);
  EXPECT_EQ(number(piece, "next_before"), 290u);
}

}  // namespace
}  // namespace selvedge::node::testing
