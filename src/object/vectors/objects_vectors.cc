// docs/spec/vectors/objects.json: an example of every kind, step by step, and objects that are refused.
#include <algorithm>

#include "object/vectors/cast.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

using testing::kNow;
using testing::seed_of;
using testing::World;

ZonePolicy rich_policy(const World& w) {
  ZonePolicy out = w.policy();
  out.classes = kCompute | kStorage;
  out.allow = {"bundle.**", "compute.*", "storage.**"};
  out.deny = {"storage.delete"};
  out.executors = {w.host_owner.public_key(), w.reader.public_key()};
  std::sort(out.executors.begin(), out.executors.end());
  out.publishers = {w.reader.public_key()};
  IssuerSet set{"board", {w.origin_node.public_key(), w.reader.public_key(), w.stranger.public_key()}, 2, {"storage.read"}};
  std::sort(set.issuers.begin(), set.issuers.end());
  out.issuers = {set};
  out.principals = {{w.reader.public_key(), {"storage.read"}, {}}, {std::nullopt, {}, {"**"}}};
  out.flows = {{FlowDirection::kOut, zone_id(w.origin.public_key(), "community"), 0}, {FlowDirection::kIn, std::nullopt, 3}};
  out.distribution = {2, 3, 12, 250};
  out.diversity = {3, 2, 500};
  out.epoch_seconds = 60;
  out.capability_seconds_max = 30 * kDay;
  out.revocation_age_seconds_max = 3600;
  out.audit_quorum = 2;
  out.effective_epoch = kNow / 60;
  return out;
}

Manifest rich_manifest(const World& w) {
  Manifest out = w.manifest();
  out.assets = {{"img/logo.svg", Cid::of(codec::Codec::kRaw, view("logo")), 4}, {"index.html", Cid::of(codec::Codec::kRaw, view("page")), 4}};
  out.entries[0].operation.input_schema = schema_id_of<TaskSpec>();
  out.entries.push_back({{"serve", RiskLevel::kMedium, SafetyTier::kRisky, Idempotency::kBestEffort, std::nullopt, std::nullopt}, "main.wasm", DomainClass::kService, {"--port", "http"}});
  out.ports = {{"http", "http", 100, 1000}};
  out.needs = {kCompute | kIngress, 500, 128u << 20, 1u << 20, 3};
  out.attestation = BuildAttestation{"in-toto", crypto::sha256(view("source")), to_bytes(view("statement"))};
  return out;
}

void add_people(Cast& c) {
  const World& w = c.w;
  NodeRecord record = w.node_record(w.host_owner, w.machine);
  c.add(w.host_owner, "host owner", record);
  record = w.node_record(w.origin, w.origin_node);
  record.serial = uint64_t(1) << 60;
  record.succeeds = w.stranger.public_key();
  c.add(w.origin, "origin", record);
  const Signed<Grant> grant = c.add(w.host_owner, "host owner", w.grant());
  c.add(w.machine, "machine", Lease{grant.id, w.machine.public_key(), w.origin.public_key(), kNow, kNow + kDay, LeaseState::kExpiring});
  PermissionRequest request;
  request.origin = w.origin.public_key();
  request.issuer = w.origin_node.public_key();
  request.node = w.machine.public_key();
  request.classes = kCompute | kStorage;
  request.cpu_permille = 1000;
  request.memory_bytes = 1u << 30;
  request.storage_bytes = uint64_t(1) << 40;
  request.seconds = 30 * kDay;
  request.purpose = "Zählt Wörter für \"alle\"";
  request.issued = kNow;
  request.expires = kNow + 7 * kDay;
  request.nonce.bytes.fill(3);
  const auto asked = c.add(w.origin_node, "origin node", request);
  c.add(w.host_owner, "host owner",
        PermissionDecision{w.host_owner.public_key(), w.machine.public_key(), w.origin.public_key(), asked.id, kStorage, true, kNow, kNow + 7 * kDay});
  Alert alert{w.host_owner.public_key(), w.machine.public_key(), AlertKind::kEquivocation, {}, "two links for one place", kNow};
  alert.subject.bytes = w.stranger.public_key().bytes;
  c.add(w.machine, "machine", alert);
}

void add_authority(Cast& c) {
  const World& w = c.w;
  const Signed<ZonePolicy> policy = c.add(w.origin, "origin", w.policy());
  c.add(w.origin, "origin", rich_policy(w));
  Capability root = w.capability();
  root.operations = {"secret.release", "storage.*"};
  root.whole_zone = true;
  root.objects.clear();
  root.delegations_left = 2;
  const auto parent = c.add(w.origin_node, "origin node", root);
  Capability narrow = w.capability();
  narrow.issuer = w.reader.public_key();
  narrow.audience = w.stranger.public_key();
  narrow.parent = parent.id;
  narrow.delegations_left = 1;
  narrow.objects.push_back(object_id(w.zone, SchemaId{}, view("another object")));
  std::sort(narrow.objects.begin(), narrow.objects.end());
  narrow.nonce.bytes.fill(7);
  c.add(w.reader, "reader", narrow);
  c.add(w.stranger, "stranger", Endorsement{parent.id, w.stranger.public_key(), kNow, kNow + kDay});
  ZoneKeyEpoch epoch{w.zone, w.origin.public_key(), 2, {}, "a device was lost", kNow};
  ZoneKeys keys(w.zone);
  CHECK(keys.add_epoch(2, zone_epoch_secret(seed_of("zone root"), w.zone, 2)).ok());
  epoch.devices = {{w.machine.public_key(), keys.seal_epoch(2, w.machine_seal.public_key(), c.drbg).value()}};
  c.add(w.origin, "origin", epoch);
  const auto revocation = c.add(w.origin, "origin", w.revocation(w.origin, RevocationTarget::kDevice, w.origin_node.public_key()));
  RevocationSet set(w.origin.public_key());
  CHECK(set.add(revocation).ok());
  c.add(w.origin_node, "origin node", w.head(w.origin_node, set, kNow));
  Provenance provenance;
  provenance.zone = zone_id(w.origin.public_key(), "community");
  provenance.bridge = w.origin_node.public_key();
  provenance.content = Cid::of(codec::Codec::kDagCbor, Bytes{0xa0});
  provenance.origin_zone = w.zone;
  provenance.crossings = {{w.zone, provenance.zone, kNow, policy.id, policy.id}};
  provenance.taint = 1;
  c.add(w.origin_node, "origin node", provenance);
  SequenceLink link{w.zone, {}, w.origin_node.public_key(), 0, std::nullopt, w.stored, kNow};
  link.sequence.bytes.fill(5);
  const auto first = c.add(w.origin_node, "origin node", link);
  link.number = 1;
  link.previous = first.id;
  c.add(w.origin_node, "origin node", link);
}

void add_work(Cast& c) {
  const World& w = c.w;
  c.add(w.origin, "origin", w.manifest());
  const auto manifest = c.add(w.origin, "origin", rich_manifest(w));
  const auto grant = sign_object(w.host_owner, w.grant()).value();
  TaskOffer offer = w.offer(grant.id);
  c.add(w.origin_node, "origin node", offer);
  Capability capability = w.capability();
  capability.audience = w.machine.public_key();
  ZoneKeys keys(w.zone);
  CHECK(keys.add_epoch(1, zone_epoch_secret(seed_of("zone root"), w.zone, 1)).ok());
  std::vector<ObjectKey> wanted;
  wanted.push_back(keys.object_key(1, w.stored, 5, 0).value());
  offer.spec.bundle = manifest.id;
  offer.spec.entry = "count";
  offer.sealed_keys = seal_object_keys(wanted, w.task, w.machine_seal.public_key(), c.drbg).value();
  offer.capability = sign_object(w.origin_node, capability).value().bytes;
  offer.manifest = manifest.bytes;
  c.add(w.origin_node, "origin node", offer);
  c.add(w.machine, "machine", Commitment{w.task, w.machine.public_key(), commitment_digest(w.reveal())});
  c.add(w.machine, "machine", w.reveal());
  Reveal trapped = w.reveal();
  trapped.outcome = Outcome::kTrap;
  trapped.output.reset();
  trapped.trace = crypto::sha256(view("trace"));
  trapped.fuel = uint64_t(1) << 63;
  c.add(w.machine, "machine", trapped);
  Receipt receipt = w.receipt();
  receipt.grant = grant.id;
  receipt.bundle = manifest.id;
  receipt.rewritten = crypto::sha256(view("rewritten"));
  receipt.authority = {grant.id, manifest.id};
  c.add(w.machine, "machine", receipt);
  for (const Reveal& reveal : {w.reveal(), trapped}) {
    c.commitments.push_back(record({{"reveal", codec::encode(reveal)}, {"digest", commitment_digest(reveal)}}));
  }
}

void add_unsigned_kinds(Cast& c) {
  const World& w = c.w;
  c.add_unsigned(rich_policy(w).issuers[0]);
  c.add_unsigned(w.spec());
  c.add_unsigned(w.group());
  BlockGroup coded = w.group();
  coded.whole = false;
  coded.object_bytes = 3'000'000;
  coded.symbol_bytes = 1024;
  coded.source_blocks = 2;
  c.add_unsigned(coded);
  c.add_unsigned(BlobRef{Cid::of(codec::Codec::kRaw, view("input")), 3'000'005, {coded, w.group()}});
}

/// What is wrong with the envelope, whatever is in it.
void add_bad_envelopes(Cast& c) {
  const World& w = c.w;
  const Bytes body = codec::encode(w.revocation(w.origin, RevocationTarget::kDevice, w.origin_node.public_key()));
  const Bytes payload = make_payload(schema_id_of<Revocation>(), body);
  const Bytes good = make_envelope(w.origin, payload).bytes;
  const auto bad = [&c](const Bytes& object, const char* why) { c.refuse_bytes<Revocation>(object, why); };
  const auto changed = [](Bytes bytes, size_t at, uint8_t mask) {
    bytes[at] ^= mask;
    return bytes;
  };
  bad({}, "nothing");
  bad(changed(good, good.size() - 1, 1), "the signature was changed");
  bad(changed(good, good.size() - 70, 1), "the body was changed");
  bad(changed(good, 0, 2), "tag 16 in place of 18");
  bad(Bytes(good.begin() + 1, good.end()), "no tag");
  bad(Bytes(good.begin(), good.end() - 1), "the last byte is missing");
  Bytes longer = good;
  longer.push_back(0);
  bad(longer, "a byte follows");
  bad(changed(good, 4, 3), "two entries in the header in a map of one");
  bad(changed(good, 6, 1), "the algorithm -7 (ES256)");
  bad(changed(good, 7, 1), "header 5 in place of 4");
  const auto payload_bad = [&](const Bytes& what, const char* why) { bad(make_envelope(w.origin, what).bytes, why); };
  payload_bad(changed(payload, 0, 1), "another magic");
  payload_bad(changed(payload, 5, 3), "envelope version 2");
  payload_bad(changed(payload, 6, 1), "an unknown schema");
  payload_bad(make_payload(schema_id_of<Grant>(), body), "the schema of another kind");
  payload_bad(Bytes(payload.begin(), payload.begin() + 20), "a payload shorter than its header");
  payload_bad(make_payload(schema_id_of<Revocation>(), {}), "no body");
  Bytes wide = body;
  wide[0] = 0x98;
  wide.insert(wide.begin() + 1, 6);
  payload_bad(make_payload(schema_id_of<Revocation>(), wide), "the number of fields in two bytes");
  Bytes extra = body;
  extra.push_back(0xf6);
  payload_bad(make_payload(schema_id_of<Revocation>(), extra), "a byte behind the body");
  Bytes more = extra;
  more[0] = 0x87;
  payload_bad(make_payload(schema_id_of<Revocation>(), more), "a field too many");
  bad(make_envelope(w.stranger, payload).bytes, "signed by another key than its author's");
  codec::Writer carrying;
  carrying.put_tag(18);
  carrying.put_array(4);
  carrying.put_bytes(ByteView(good).subspan(4, 38));
  carrying.put_map(1);
  carrying.put_unsigned(5);
  carrying.put_null();
  carrying.put_encoded(ByteView(good).subspan(43));
  bad(carrying.bytes(), "something in the unprotected header");
}

/// What the kinds themselves refuse.
void add_bad_people(Cast& c) {
  const World& w = c.w;
  const NodeRecord node = w.node_record(w.origin, w.origin_node);
  c.refuse<NodeRecord>(w.origin, node, "no key to seal to", [](NodeRecord& r) { r.seal_key = {}; });
  c.refuse<NodeRecord>(w.origin, node, "no node", [](NodeRecord& r) { r.node = {}; });
  c.refuse<NodeRecord>(w.origin, node, "a node that replaces itself", [](NodeRecord& r) { r.succeeds = r.node; });
  c.refuse<NodeRecord>(w.origin, node, "ends as it begins", [](NodeRecord& r) { r.expires = r.issued; });
  c.refuse<NodeRecord>(w.origin, node, "lives for 90 days and a second", [](NodeRecord& r) { r.expires = r.issued + 90 * kDay + 1; });
  c.refuse<Grant>(w.host_owner, w.grant(), "no class", [](Grant& g) { g.classes = 0; });
  c.refuse<Grant>(w.host_owner, w.grant(), "an unknown class", [](Grant& g) { g.classes = 16; });
  c.refuse<Grant>(w.host_owner, w.grant(), "101 percent of battery", [](Grant& g) { g.conditions.battery_percent_min = 101; });
  c.refuse<Grant>(w.host_owner, w.grant(), "lives for 90 days and a second", [](Grant& g) { g.expires = g.issued + 90 * kDay + 1; });
  const Lease lease{w.stored, w.machine.public_key(), w.origin.public_key(), kNow, kNow + 1, LeaseState::kActive};
  c.refuse<Lease>(w.machine, lease, "a state that there is not", [](Lease& l) { l.state = LeaseState(4); });
  PermissionDecision decision{w.host_owner.public_key(), w.machine.public_key(), w.origin.public_key(), std::nullopt, kStorage, true, kNow, kNow + kDay};
  c.refuse<PermissionDecision>(w.host_owner, decision, "two classes in one answer", [](PermissionDecision& d) { d.permission = kCompute | kStorage; });
  Alert alert{w.host_owner.public_key(), w.machine.public_key(), AlertKind::kDeviceLost, {}, "", kNow};
  alert.subject.bytes.fill(1);
  c.refuse<Alert>(w.machine, alert, "about nobody", [](Alert& a) { a.subject = {}; });
  c.refuse<Alert>(w.machine, alert, "a text of 1025 bytes", [](Alert& a) { a.text.assign(1025, 'a'); });
  const Revocation revocation = w.revocation(w.origin, RevocationTarget::kKey, w.stranger.public_key());
  c.refuse<Revocation>(w.origin, revocation, "of nothing", [](Revocation& r) { r.target = {}; });
  c.refuse<Revocation>(w.origin, revocation, "a target that there is not", [](Revocation& r) { r.target_kind = RevocationTarget(0); });
  const RevocationSet nothing(w.origin.public_key());
  c.refuse<RevocationHead>(w.origin, w.head(w.origin, nothing, kNow), "as of no time", [](RevocationHead& h) { h.as_of = 0; });
}

void add_bad_policies(Cast& c) {
  const World& w = c.w;
  const auto bad = [&](const char* why, void (*bend)(ZonePolicy&)) { c.refuse<ZonePolicy>(w.origin, rich_policy(w), why, bend); };
  bad("a zone that is not its owner's", [](ZonePolicy& p) { p.name = "other"; });
  bad("no class", [](ZonePolicy& p) { p.classes = 0; });
  bad("a pattern that is none", [](ZonePolicy& p) { p.allow = {"storage.**.read"}; });
  bad("patterns out of order", [](ZonePolicy& p) { p.allow = {"storage.read", "compute.run"}; });
  bad("a pattern twice", [](ZonePolicy& p) { p.deny = {"a", "a"}; });
  bad("an executor twice", [](ZonePolicy& p) { p.executors[1] = p.executors[0]; });
  bad("two rules for everybody", [](ZonePolicy& p) { p.principals[0].principal.reset(); });
  bad("two rules for one principal", [](ZonePolicy& p) { p.principals[1].principal = p.principals[0].principal; });
  bad("a trust level of 101", [](ZonePolicy& p) { p.trust_level = 101; });
  bad("no owner at all", [](ZonePolicy& p) { p.distribution.owners_min = 0; });
  bad("more devices than it allows", [](ZonePolicy& p) { p.distribution.devices_max = 2; });
  bad("a share above the whole", [](ZonePolicy& p) { p.diversity.node_share_permille_max = 1001; });
  bad("an epoch of no time", [](ZonePolicy& p) { p.epoch_seconds = 0; });
  bad("an epoch of more than a day", [](ZonePolicy& p) { p.epoch_seconds = 86'401; });
  bad("capabilities that live for 91 days", [](ZonePolicy& p) { p.capability_seconds_max = 91 * kDay; });
  bad("a threshold above the number of issuers", [](ZonePolicy& p) { p.issuers[0].threshold = 4; });
  bad("an issuer set that asks for nobody", [](ZonePolicy& p) { p.issuers[0].threshold = 0; });
  const auto wrong = [&](const char* why, void (*bend)(Capability&)) { c.refuse<Capability>(w.origin_node, w.capability(), why, bend); };
  wrong("no operation", [](Capability& a) { a.operations.clear(); });
  wrong("neither objects nor the whole zone", [](Capability& a) { a.objects.clear(); });
  wrong("objects and the whole zone", [](Capability& a) { a.whole_zone = true; });
  wrong("passed on nine times", [](Capability& a) { a.delegations_left = 9; });
  wrong("an object twice", [](Capability& a) { a.objects.push_back(a.objects[0]); });
  wrong("nobody may use it", [](Capability& a) { a.audience = {}; });
  c.refuse<Endorsement>(w.reader, Endorsement{w.stored, w.reader.public_key(), kNow, kNow + 1}, "of nothing", [](Endorsement& e) { e.object = {}; });
  ZoneKeyEpoch epoch{w.zone, w.origin.public_key(), 1, {{w.machine.public_key(), {1}}}, "", kNow};
  c.refuse<ZoneKeyEpoch>(w.origin, epoch, "epoch 0", [](ZoneKeyEpoch& e) { e.epoch = 0; });
  c.refuse<ZoneKeyEpoch>(w.origin, epoch, "a device twice", [](ZoneKeyEpoch& e) { e.devices.push_back(e.devices[0]); });
}

void add_bad_work(Cast& c) {
  const World& w = c.w;
  const auto bad = [&](const char* why, void (*bend)(Manifest&)) { c.refuse<Manifest>(w.origin, rich_manifest(w), why, bend); };
  bad("no module", [](Manifest& m) { m.modules.clear(); });
  bad("no entry", [](Manifest& m) { m.entries.clear(); });
  bad("two entries of one name", [](Manifest& m) { m.entries[1].operation.name = "count"; });
  bad("an entry in a module that is not there", [](Manifest& m) { m.entries[0].module = "other.wasm"; });
  bad("a name with a space", [](Manifest& m) { m.name = "word count"; });
  for (const char* path : {"/etc/passwd", "../up", "a//b", "a/./b", "a/", "a\\b", ""}) {
    Manifest manifest = rich_manifest(w);
    manifest.modules[0].path = manifest.entries[0].module = manifest.entries[1].module = path;
    c.refuse_bytes<Manifest>(make_envelope(w.origin, make_payload(schema_id_of<Manifest>(), codec::encode(manifest))).bytes, "a path that leads out, or is none");
  }
  bad("files out of order", [](Manifest& m) { std::swap(m.assets[0], m.assets[1]); });
  bad("ports without ingress", [](Manifest& m) { m.needs.classes = kCompute; });
  bad("checked by nobody", [](Manifest& m) { m.redundancy = 0; });
  bad("lives longer than seven years", [](Manifest& m) { m.expires = m.issued + 7 * 365 * kDay + 1; });
  const auto offer = [&](const char* why, void (*bend)(TaskOffer&)) { c.refuse<TaskOffer>(w.origin_node, w.offer(w.stored), why, bend); };
  offer("no task id", [](TaskOffer& o) { o.task = {}; });
  offer("a bundle without an entry", [](TaskOffer& o) { o.spec.bundle = o.grant; });
  offer("an entry without a bundle", [](TaskOffer& o) { o.spec.entry = "count"; });
  offer("a manifest without a bundle", [](TaskOffer& o) { o.manifest = {1}; });
  offer("an environment variable without a value", [](TaskOffer& o) { o.spec.environment = {"LANG"}; });
  offer("an environment variable without a name", [](TaskOffer& o) { o.spec.environment = {"=C"}; });
  offer("an environment that is not sorted", [](TaskOffer& o) { o.spec.environment = {"LANG=C", "HOME=/"}; });
  offer("an environment variable twice", [](TaskOffer& o) { o.spec.environment = {"LANG=C", "LANG=D"}; });
  offer("65 environment variables", [](TaskOffer& o) {
    for (int i = 0; i < 64; ++i) o.spec.environment.push_back("N" + std::to_string(100 + i) + "=");
  });
  offer("a file with an absolute path", [](TaskOffer& o) { o.spec.inputs[1].path = "/a"; });
  offer("a file outside the tree", [](TaskOffer& o) { o.spec.inputs[1].path = "a/../../b"; });
  offer("a path with an empty component", [](TaskOffer& o) { o.spec.inputs[1].path = "a//b"; });
  offer("a path with a control character", [](TaskOffer& o) { o.spec.inputs[1].path = "a\x1b"; });
  offer("a name of 100 bytes", [](TaskOffer& o) { o.spec.inputs[1].path.assign(100, 'a'); });
  offer("a path of 156 bytes", [](TaskOffer& o) { o.spec.inputs[1].path = std::string(78, 'a') + "/" + std::string(77, 'b'); });
  offer("a file and an archive at one place", [](TaskOffer& o) { o.spec.inputs[0].path = "in/table.csv/"; });
  offer("257 files", [](TaskOffer& o) {
    for (int i = 0; i < 256; ++i) o.spec.inputs.push_back({o.spec.module, std::nullopt, "f" + std::to_string(i)});
  });
  offer("no fuel", [](TaskOffer& o) { o.spec.fuel_limit = 0; });
  offer("pieces that do not add up to the blob", [](TaskOffer& o) { o.blobs[0].size = 6; });
  offer("a whole piece with symbols", [](TaskOffer& o) { o.blobs[0].groups[0].symbol_bytes = 16; });
  offer("a piece of epoch 0", [](TaskOffer& o) { o.blobs[0].groups[0].epoch = 0; });
  offer("an address of 256 bytes", [](TaskOffer& o) { o.holders[0].addresses[0].assign(256, 'a'); });
  offer("lives for a day and a second", [](TaskOffer& o) { o.expires = o.issued + kDay + 1; });
  c.refuse<Reveal>(w.machine, w.reveal(), "ok without an output", [](Reveal& r) { r.output.reset(); });
  c.refuse<Reveal>(w.machine, w.reveal(), "an output although it trapped", [](Reveal& r) { r.outcome = Outcome::kTrap; });
  c.refuse<Reveal>(w.machine, w.reveal(), "an outcome that there is not", [](Reveal& r) { r.outcome = Outcome(8); });
  c.refuse<Receipt>(w.machine, w.receipt(), "ends before it begins", [](Receipt& r) { r.finished_ms = r.started_ms - 1; });
  SequenceLink link{w.zone, {}, w.origin_node.public_key(), 0, std::nullopt, w.stored, kNow};
  link.sequence.bytes.fill(5);
  c.refuse<SequenceLink>(w.origin_node, link, "a first link that follows another", [](SequenceLink& l) { l.previous = l.operation; });
  c.refuse<SequenceLink>(w.origin_node, link, "a second link that follows none", [](SequenceLink& l) { l.number = 1; });
  const ZoneId other = zone_id(w.origin.public_key(), "community");
  const Provenance crossed{other, w.origin_node.public_key(), w.spec().module, w.zone, {{w.zone, other, kNow, {}, {}}}, 1};
  c.refuse<Provenance>(w.origin_node, crossed, "a taint that is less than its crossings", [](Provenance& p) { p.taint = 0; });
  c.refuse<Provenance>(w.origin_node, crossed, "crossings that do not join", [](Provenance& p) { p.origin_zone = {}; });
  c.refuse<Provenance>(w.origin_node, crossed, "crossings that lead elsewhere", [](Provenance& p) { p.zone = p.origin_zone; });
}

}  // namespace

std::string objects_file() {
  Cast c;
  add_people(c);
  add_authority(c);
  add_work(c);
  add_unsigned_kinds(c);
  add_secrets(c);
  add_identities(c);
  add_audit(c);
  add_oracles(c);
  add_ingress(c);
  add_bad_envelopes(c);
  add_bad_people(c);
  add_bad_policies(c);
  add_bad_work(c);
  return document(
      "An object of every kind: fields, body, signed bytes, object and id. A signer's seed is the SHA-256 of its name. Then objects that are refused, "
      "properly signed where nothing else is said, and what a commitment to a reveal holds.",
      {{"signed", list(c.signed_cases)}, {"unsigned", list(c.unsigned_cases)}, {"refused", list(c.refused)}, {"commitments", list(c.commitments)}});
}

std::vector<std::string> kinds_with_examples() {
  std::vector<std::string> out;
  for_each_kind([&out]<class T>(std::type_identity<T>) { out.emplace_back(T::kName); });
  return out;
}

}  // namespace selvedge::object::vectors
