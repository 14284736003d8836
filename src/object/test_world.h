// A small world for tests of this room and those above: a machine owner with a machine, a data owner (the origin) with a node and
// a zone, and genuine objects of every kind between them. Tests only; nothing in the product includes it.
#pragma once

#include <string>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "object/authorize.h"

namespace selvedge::object::testing {

inline crypto::Seed seed_of(std::string_view name) {
  const Digest digest = crypto::sha256(view(name));
  return crypto::Seed::from(digest).value();
}

inline constexpr uint64_t kNow = 1'790'000'000;
inline Instant now() { return Instant::from_unix_seconds(kNow); }

struct World {
  crypto::Ed25519Signer host_owner{seed_of("host owner")};
  crypto::Ed25519Signer machine{seed_of("machine")};
  crypto::Ed25519Signer origin{seed_of("origin")};
  crypto::Ed25519Signer origin_node{seed_of("origin node")};
  crypto::Ed25519Signer reader{seed_of("reader")};  // another executor, which fetches inputs from the machine
  crypto::Ed25519Signer stranger{seed_of("stranger")};
  crypto::SealKeyPair machine_seal{seed_of("machine seal")};
  crypto::Ed25519Verifier verifier;
  std::string zone_name = "work";
  ZoneId zone = zone_id(origin.public_key(), zone_name);
  ObjectId stored = object_id(zone, SchemaId{}, view("a stored object"));
  TaskId task = TaskId::from(crypto::sha256(view("task"))).value();

  NodeRecord node_record(const crypto::Signer& owner, const crypto::Signer& node) const {
    return {owner.public_key(), node.public_key(), machine_seal.public_key(), kNow - 100, kNow + 30 * kDay, 1, std::nullopt};
  }
  Grant grant() const {
    Grant out;
    out.owner = host_owner.public_key();
    out.node = machine.public_key();
    out.origin = origin.public_key();
    out.classes = kCompute | kStorage | kIngress;
    out.cpu_permille = 2000;
    out.memory_bytes = 1u << 30;
    out.storage_bytes = 10u << 30;
    out.issued = kNow - 50;
    out.expires = kNow + 7 * kDay;
    out.conditions.battery_percent_min = 30;
    return out;
  }
  ZonePolicy policy() const {
    ZonePolicy out;
    out.zone = zone;
    out.owner = origin.public_key();
    out.name = zone_name;
    out.trust_level = 60;
    out.classes = kCompute | kStorage | kIngress;
    out.allow = {"**"};
    out.executors = {host_owner.public_key()};
    out.issued = kNow - 50;
    out.expires = kNow + 20 * kDay;
    out.serial = 3;
    return out;
  }
  Capability capability() const {
    Capability out;
    out.zone = zone;
    out.origin = origin.public_key();
    out.issuer = origin_node.public_key();
    out.audience = reader.public_key();
    out.operations = {"storage.read"};
    out.objects = {stored};
    out.issued = kNow - 10;
    out.expires = kNow + kDay;
    return out;
  }
  Manifest manifest() const {
    Manifest out;
    out.origin = origin.public_key();
    out.publisher = origin.public_key();
    out.name = "wordcount";
    out.version = "1.0";
    out.modules = {{"main.wasm", Cid::of(codec::Codec::kRaw, view("module")), 6}};
    BundleEntry entry;
    entry.operation.name = "count";
    entry.module = "main.wasm";
    out.entries = {entry};
    out.needs = {kCompute, 500, 128u << 20, 0, 1};
    out.issued = kNow - 20;
    out.expires = kNow + 300 * kDay;
    return out;
  }
  RevocationHead head(const crypto::Signer& issuer, const RevocationSet& revocations, uint64_t as_of) const {
    const RevocationSet::Root root = revocations.root_of(origin.public_key(), as_of);
    return {origin.public_key(), issuer.public_key(), root.count, root.root, as_of};
  }
  TaskSpec spec() const {
    TaskSpec out;
    out.origin = origin.public_key();
    out.module = Cid::of(codec::Codec::kRaw, view("module"));
    out.args = {"run"};
    out.environment = {"LANG=C"};
    out.inputs = {{Cid::of(codec::Codec::kRaw, view("input")), stored}, {Cid::of(codec::Codec::kRaw, view("table")), std::nullopt, "in/table.csv"}};
    out.seed = 7;
    out.fuel_limit = 1'000'000;
    out.memory_bytes = 64u << 20;
    out.output_bytes_max = 1u << 20;
    return out;
  }
  BlockGroup group() const {
    BlockGroup out;
    out.zone = zone;
    out.epoch = 1;
    out.object_bytes = 5;
    out.content_tag = crypto::sha256(view("tag"));
    out.whole = true;
    return out;
  }
  TaskOffer offer(const ObjectId& grant_id) const {
    TaskOffer out;
    out.task = task;
    out.zone = zone;
    out.spec = spec();
    out.issuer = origin_node.public_key();
    out.executor = machine.public_key();
    out.grant = grant_id;
    out.blobs = {{spec().inputs[0].cid, 5, {group()}}};
    out.holders = {{reader.public_key(), {"192.0.2.7:7443"}}};
    out.issued = kNow - 5;
    out.expires = kNow + 600;
    return out;
  }
  Reveal reveal() const {
    Reveal out;
    out.task = task;
    out.executor = machine.public_key();
    out.nonce.bytes.fill(9);
    out.output = Cid::of(codec::Codec::kRaw, view("output"));
    out.fuel = 1234;
    return out;
  }
  Receipt receipt() const {
    Receipt out;
    out.executor = machine.public_key();
    out.owner = host_owner.public_key();
    out.origin = origin.public_key();
    out.task = task;
    out.module = spec().module;
    out.started_ms = kNow * 1000;
    out.finished_ms = kNow * 1000 + 20;
    out.fuel = 1234;
    out.output = reveal().output;
    return out;
  }
  Revocation revocation(const crypto::Signer& issuer, RevocationTarget kind, ByteView target) const {
    return {issuer.public_key(), kind, RevokedId::from(target).value(), kNow - 1, RevocationReason::kUserRequest, kNow - 1};
  }
};

}  // namespace selvedge::object::testing
