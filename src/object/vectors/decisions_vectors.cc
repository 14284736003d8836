// docs/spec/vectors/decisions.json: whole uses with the evidence put forward for them, and what authorize() answers.
//
// The objects lie once in a list and are referred to by id, so that a reader opens each of them once and the cases stay readable.
#include <algorithm>
#include <map>

#include "object/vectors/json.h"
#include "object/vectors/kinds_list.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

using testing::kNow;
using testing::World;

/// Bodies to be bent, then signed and put forward. What is absent is not put forward.
struct Scene {
  World w;
  Use use;
  std::optional<NodeRecord> machine_record = w.node_record(w.host_owner, w.machine);
  std::optional<NodeRecord> origin_record = w.node_record(w.origin, w.origin_node);
  std::optional<NodeRecord> actor_record;
  std::optional<Grant> grant = w.grant();
  std::optional<ZonePolicy> policy = w.policy();
  std::optional<Manifest> manifest;
  std::optional<TaskOffer> offer;
  std::vector<Signed<Capability>> capabilities;
  std::vector<Signed<Endorsement>> endorsements;
  std::vector<Signed<Revocation>> revocations;
  std::optional<uint64_t> head_as_of;  // a statement about the revocations that are shown
  bool head_is_stale = false;          // ... made before the last of them was known
  uint64_t policy_serial_min = 0;
  uint64_t at = kNow;

  Scene() {
    use.machine_owner = w.host_owner.public_key();
    use.machine = w.machine.public_key();
    use.origin = w.origin.public_key();
    use.actor = w.origin_node.public_key();
    use.zone = w.zone;
  }
  /// Whose seed made this key.
  const crypto::Signer& signer(const PublicKey& key) const {
    const crypto::Signer* all[] = {&w.host_owner, &w.machine, &w.origin, &w.origin_node, &w.reader, &w.stranger};
    for (const crypto::Signer* one : all) {
      if (one->public_key() == key) return *one;
    }
    CHECK_MSG(false, "a scene signs with keys of its own");
    return w.stranger;
  }
  template <class T>
  Signed<T> sign(const T& body) const {
    return sign_object(signer(body.author()), body).value();
  }
  void revoke(const crypto::Signer& issuer, RevocationTarget kind, ByteView target, uint64_t cutoff = kNow - 1) {
    Revocation body = w.revocation(issuer, kind, target);
    body.cutoff = cutoff;
    revocations.push_back(sign(body));
  }
};

/// Collects objects and cases.
class Album {
 public:
  template <class T>
  Json show(const Signed<T>& object) {
    objects_.emplace(object.id, record({{"id", object.id}, {"kind", T::kName}, {"object", object.bytes}}));
    return object.id;
  }
  void add(const char* why, Scene s);
  std::vector<Json> objects() const {
    std::vector<Json> out;
    for (const auto& [id, shown] : objects_) out.push_back(shown);
    return out;
  }
  const std::vector<Json>& cases() const { return cases_; }

 private:
  template <class T>
  Json show(const std::vector<T>& objects) {
    std::vector<Json> out;
    for (const auto& object : objects) out.push_back(show(object));
    return row(out);
  }
  std::map<ObjectId, Json> objects_;
  std::vector<Json> cases_;
};

Json shown_use(const Use& use) {
  std::vector<Json> operations(use.operations.begin(), use.operations.end());
  return record({{"machine_owner", use.machine_owner},
                 {"machine", use.machine},
                 {"classes", use.classes},
                 {"verbs", use.verbs},
                 {"operations", row(operations)},
                 {"origin", use.origin},
                 {"actor", use.actor},
                 {"zone", use.zone},
                 {"objects", row({use.objects.begin(), use.objects.end()})},
                 {"task", use.task},
                 {"cpu_permille", use.amounts.cpu_permille},
                 {"memory_bytes", use.amounts.memory_bytes},
                 {"storage_bytes", use.amounts.storage_bytes},
                 {"battery_percent", use.power.battery_percent},
                 {"charging", use.power.charging}});
}

/// Signs what a scene holds. Each stays where it is, because Evidence points at it.
struct Signatures {
  std::optional<Signed<NodeRecord>> machine_record, origin_record, actor_record;
  std::optional<Signed<Grant>> grant;
  std::optional<Signed<ZonePolicy>> policy;
  std::optional<Signed<Manifest>> manifest;
  std::optional<Signed<TaskOffer>> offer;
  std::optional<Signed<RevocationHead>> head;
  std::vector<const Signed<Capability>*> chain;
  std::vector<const Signed<Endorsement>*> endorsements;
  RevocationSet revocations;
  Evidence evidence;

  explicit Signatures(const Scene& s) : revocations(s.w.host_owner.public_key()) {
    const auto sign = [&s](auto& to, const auto& from) {
      if (from) to.emplace(s.sign(*from));
    };
    sign(machine_record, s.machine_record);
    sign(origin_record, s.origin_record);
    sign(actor_record, s.actor_record);
    sign(grant, s.grant);
    sign(policy, s.policy);
    sign(manifest, s.manifest);
    sign(offer, s.offer);
    RevocationSet known(s.w.host_owner.public_key());
    for (size_t i = 0; i < s.revocations.size(); ++i) {
      CHECK(revocations.add(s.revocations[i]).ok());
      if (!s.head_is_stale || i + 1 < s.revocations.size()) CHECK(known.add(s.revocations[i]).ok());
    }
    if (s.head_as_of) head.emplace(s.sign(s.w.head(s.w.origin_node, known, *s.head_as_of)));
    for (const auto& one : s.capabilities) chain.push_back(&one);
    for (const auto& one : s.endorsements) endorsements.push_back(&one);
    const auto point = [](const auto& object) { return object ? &*object : nullptr; };
    evidence.machine_record = point(machine_record);
    evidence.origin_record = point(origin_record);
    evidence.actor_record = point(actor_record);
    evidence.grant = point(grant);
    evidence.policy = point(policy);
    evidence.manifest = point(manifest);
    evidence.offer = point(offer);
    evidence.revocation_head = point(head);
    evidence.capabilities = chain;
    evidence.endorsements = this->endorsements;
    evidence.revocations = &revocations;
    evidence.policy_serial_min = s.policy_serial_min;
  }
  Signatures(const Signatures&) = delete;
};

void Album::add(const char* why, Scene s) {
  const Signatures made(s);
  const Instant at = Instant::from_unix_seconds(s.at);
  const auto answer = authorize(s.use, made.evidence, at);
  const std::vector<DecisionStep> steps = explain(s.use, made.evidence, at);
  const auto maybe = [this](const auto& object) { return object ? show(*object) : Json(nullptr); };
  const Json evidence = record({{"machine_record", maybe(made.machine_record)},
                                {"origin_record", maybe(made.origin_record)},
                                {"actor_record", maybe(made.actor_record)},
                                {"grant", maybe(made.grant)},
                                {"policy", maybe(made.policy)},
                                {"capabilities", show(s.capabilities)},
                                {"endorsements", show(s.endorsements)},
                                {"offer", maybe(made.offer)},
                                {"manifest", maybe(made.manifest)},
                                {"revocations", show(s.revocations)},
                                {"revocation_head", maybe(made.head)},
                                {"policy_serial_min", s.policy_serial_min}});
  cases_.push_back(record({{"why", why},
                           {"use", shown_use(s.use)},
                           {"evidence", evidence},
                           {"now", s.at},
                           {"expect", expectation(answer)},
                           {"refused_by", answer.ok() ? Json(nullptr) : Json(steps.back().what)},
                           {"chain", answer.ok() ? row({answer->chain.begin(), answer->chain.end()}) : row({})},
                           {"expires", answer.ok() ? Json(answer->expires) : Json(nullptr)}}));
}

// ---- scenes that are allowed

Scene compute_scene() {
  Scene s;
  s.use.classes = kCompute;
  s.use.task = s.w.task;
  s.use.amounts = {1000, 64u << 20, 0};
  s.offer = s.w.offer(s.sign(*s.grant).id);
  return s;
}

Scene store_scene() {
  Scene s;
  s.use.classes = kStorage;
  s.use.verbs = kStore;
  s.use.objects = {s.w.stored};
  s.use.amounts.storage_bytes = 1u << 30;
  return s;
}

Scene read_scene() {
  Scene s = store_scene();
  s.use.verbs = kRead;
  s.use.actor = s.w.reader.public_key();
  s.capabilities.push_back(s.sign(s.w.capability()));
  return s;
}

/// The reader passes on what the origin's node gave it.
Scene delegated_scene(void (*bend)(Capability&) = nullptr) {
  Scene s = read_scene();
  Capability root = s.w.capability();
  root.delegations_left = 1;
  Capability held = root;
  held.issuer = s.w.reader.public_key();
  held.audience = s.w.stranger.public_key();
  held.parent = s.sign(root).id;
  held.delegations_left = 0;
  if (bend != nullptr) bend(held);
  s.use.actor = s.w.stranger.public_key();
  s.capabilities = {s.sign(held), s.sign(root)};
  return s;
}

/// Two of three must sign; the reader issues and the stranger may endorse.
Scene board_scene() {
  Scene s = read_scene();
  Capability root = s.w.capability();
  root.issuer = s.w.reader.public_key();
  s.capabilities = {s.sign(root)};
  IssuerSet set{"board", {s.w.reader.public_key(), s.w.stranger.public_key(), s.w.machine.public_key()}, 2, {"storage.*"}};
  std::sort(set.issuers.begin(), set.issuers.end());
  s.policy->issuers = {set};
  return s;
}

Signed<Endorsement> endorsed(const Scene& s, const PublicKey& by) {
  return s.sign(Endorsement{s.capabilities.back().id, by, kNow - 5, kNow + kDay});
}

Scene bundle_scene(void (*bend)(Manifest&) = nullptr) {
  Scene s = compute_scene();
  s.manifest = s.w.manifest();
  if (bend != nullptr) bend(*s.manifest);
  const Signed<Manifest> manifest = s.sign(*s.manifest);
  s.offer->spec.bundle = manifest.id;
  s.offer->spec.entry = "count";
  s.offer->manifest = manifest.bytes;
  return s;
}

Scene bent(Scene s, void (*bend)(Scene&)) {
  bend(s);
  return s;
}

void add_allowed(Album& a) {
  a.add("a task under grant, policy and offer", compute_scene());
  a.add("a task of a bundle", bundle_scene());
  a.add("the origin's node stores", store_scene());
  a.add("another node reads by capability", read_scene());
  a.add("by a capability that was passed on", delegated_scene());
  a.add("the origin's own key needs no record", bent(store_scene(), [](Scene& s) { s.use.actor = s.use.origin; s.origin_record.reset(); }));
  a.add("a port is opened", bent(store_scene(), [](Scene& s) { s.use.classes = kIngress; s.use.verbs = 0; s.use.objects.clear(); }));
  a.add("an owner's own machine needs no grant", bent(store_scene(), [](Scene& s) {
          s.use.machine_owner = s.use.origin;
          s.machine_record = s.w.node_record(s.w.origin, s.w.machine);
          s.grant.reset();
        }));
  a.add("a capability made out to an owner", bent(read_scene(), [](Scene& s) {
          Capability capability = s.w.capability();
          capability.audience = s.w.stranger.public_key();
          s.capabilities = {s.sign(capability)};
          s.actor_record = s.w.node_record(s.w.stranger, s.w.reader);
        }));
  a.add("an issuer set with two signers", bent(board_scene(), [](Scene& s) { s.endorsements = {endorsed(s, s.w.stranger.public_key())}; }));
  a.add("a named operation", bent(store_scene(), [](Scene& s) { s.use.operations = {"secret.release"}; }));
  a.add("a fresh statement about revocations", bent(store_scene(), [](Scene& s) { s.policy->revocation_age_seconds_max = 60; s.head_as_of = kNow - 59; }));
  a.add("a revocation whose cutoff has not come", bent(store_scene(), [](Scene& s) { s.revoke(s.w.host_owner, RevocationTarget::kPrincipal, s.use.origin, kNow + 60); }));
  a.add("a stranger's revocations", bent(compute_scene(), [](Scene& s) {
          s.revoke(s.w.stranger, RevocationTarget::kPrincipal, s.use.origin);
          s.revoke(s.w.stranger, RevocationTarget::kCapability, s.sign(*s.grant).id);
        }));
  a.add("what is revoked may still be deleted", bent(store_scene(), [](Scene& s) { s.use.verbs = kDelete; s.revoke(s.w.origin, RevocationTarget::kObject, s.w.stored); }));
  a.add("a clock that is 300 s ahead", bent(store_scene(), [](Scene& s) { s.grant->issued = kNow + 300; }));
}

// ---- and what is wrong with others

void add_refused_roots(Album& a) {
  a.add("no class", bent(store_scene(), [](Scene& s) { s.use.classes = 0; }));
  a.add("storage without an object", bent(store_scene(), [](Scene& s) { s.use.objects.clear(); }));
  a.add("no record of the machine", bent(store_scene(), [](Scene& s) { s.machine_record.reset(); }));
  a.add("a record by a stranger", bent(store_scene(), [](Scene& s) { s.machine_record = s.w.node_record(s.w.stranger, s.w.machine); }));
  a.add("no grant", bent(store_scene(), [](Scene& s) { s.grant.reset(); }));
  a.add("a grant for another machine", bent(store_scene(), [](Scene& s) { s.grant->node = s.w.reader.public_key(); }));
  a.add("a grant for another origin", bent(store_scene(), [](Scene& s) { s.grant->origin = s.w.stranger.public_key(); }));
  a.add("a grant of another class", bent(store_scene(), [](Scene& s) { s.grant->classes = kCompute; }));
  a.add("a grant that has expired", bent(store_scene(), [](Scene& s) { s.grant->issued = kNow - 100; s.grant->expires = kNow; }));
  a.add("a grant from the future", bent(store_scene(), [](Scene& s) { s.grant->issued = kNow + 301; }));
  a.add("no policy", bent(store_scene(), [](Scene& s) { s.policy.reset(); }));
  a.add("a policy that was replaced", bent(store_scene(), [](Scene& s) { s.policy_serial_min = 4; }));
  a.add("a policy that denies it", bent(store_scene(), [](Scene& s) { s.policy->deny = {"storage.store"}; }));
  a.add("a policy without the class", bent(store_scene(), [](Scene& s) { s.policy->classes = kCompute; }));
  a.add("a policy for other machines", bent(store_scene(), [](Scene& s) { s.policy->executors = {s.w.stranger.public_key()}; }));
  a.add("a named operation that nothing allows", bent(store_scene(), [](Scene& s) { s.policy->allow = {"storage.*"}; s.use.operations = {"secret.release"}; }));
  a.add("a stranger stores", bent(store_scene(), [](Scene& s) { s.use.actor = s.w.stranger.public_key(); }));
  a.add("the origin's node without its record", bent(store_scene(), [](Scene& s) { s.origin_record.reset(); }));
  a.add("more storage than granted", bent(store_scene(), [](Scene& s) { s.use.amounts.storage_bytes = (uint64_t(10) << 30) + 1; }));
  a.add("on battery", bent(compute_scene(), [](Scene& s) { s.use.power = {29, false}; }));
  a.add("no statement about revocations", bent(store_scene(), [](Scene& s) { s.policy->revocation_age_seconds_max = 60; }));
  a.add("a statement that is too old", bent(store_scene(), [](Scene& s) { s.policy->revocation_age_seconds_max = 60; s.head_as_of = kNow - 60; }));
  a.add("a statement that knew less", bent(store_scene(), [](Scene& s) {
          s.policy->revocation_age_seconds_max = 60;
          s.head_as_of = kNow;
          s.head_is_stale = true;
          s.revoke(s.w.origin, RevocationTarget::kObject, s.w.task);
        }));
}

void add_refused_work(Album& a) {
  a.add("no offer", bent(compute_scene(), [](Scene& s) { s.offer.reset(); }));
  a.add("an offer of another task", bent(compute_scene(), [](Scene& s) { s.offer->task.bytes[0] ^= 1; }));
  a.add("an offer to another machine", bent(compute_scene(), [](Scene& s) { s.offer->executor = s.w.reader.public_key(); }));
  a.add("an offer under another grant", bent(compute_scene(), [](Scene& s) { s.offer->grant.bytes[0] ^= 1; }));
  a.add("an offer presented by somebody else", bent(compute_scene(), [](Scene& s) { s.use.actor = s.w.stranger.public_key(); }));
  a.add("an offer with data of another zone", bent(compute_scene(), [](Scene& s) { s.offer->blobs[0].groups[0].zone.bytes[0] ^= 1; }));
  a.add("a bundle whose manifest is not shown", bent(bundle_scene(), [](Scene& s) { s.manifest.reset(); }));
  a.add("a bundle by a publisher nobody listed", bundle_scene([](Manifest& m) { m.publisher = crypto::Ed25519Signer(testing::seed_of("stranger")).public_key(); }));
  a.add("an entry that is a service", bundle_scene([](Manifest& m) { m.entries[0].domain = DomainClass::kService; }));
  a.add("an entry that is forbidden", bundle_scene([](Manifest& m) { m.entries[0].operation.safety = SafetyTier::kForbidden; }));
  a.add("a module that the bundle does not pin", bundle_scene([](Manifest& m) { m.modules[0].cid = Cid::of(codec::Codec::kRaw, view("other")); }));
  a.add("a bundle that asks for proofs", bundle_scene([](Manifest& m) { m.verifiability = Verifiability::kProofRequired; }));
  a.add("a bundle that asks for more than the grant", bundle_scene([](Manifest& m) { m.needs.cpu_permille = 2001; }));
  a.add("a capability is missing", bent(read_scene(), [](Scene& s) { s.capabilities.clear(); }));
  a.add("a capability for another node", bent(read_scene(), [](Scene& s) { s.use.actor = s.w.stranger.public_key(); }));
  a.add("a capability without the operation", bent(read_scene(), [](Scene& s) { s.use.verbs = kRead | kDelete; }));
  a.add("a capability without the object", bent(read_scene(), [](Scene& s) { s.use.objects.push_back(ObjectId{}); }));
  a.add("a capability that lives longer than the policy allows", bent(read_scene(), [](Scene& s) { s.policy->capability_seconds_max = kDay; }));
  a.add("a chain without its root", bent(delegated_scene(), [](Scene& s) { s.capabilities.pop_back(); }));
  a.add("a chain that was widened", delegated_scene([](Capability& c) { c.operations = {"storage.*"}; }));
  a.add("an issuer set with one signer", board_scene());
  a.add("an issuer set with the same signer twice", bent(board_scene(), [](Scene& s) { s.endorsements = {endorsed(s, s.w.reader.public_key())}; }));
  a.add("an issuer set and somebody outside it", bent(board_scene(), [](Scene& s) { s.endorsements = {endorsed(s, s.w.host_owner.public_key())}; }));
  a.add("an issuer set that may not give this", bent(board_scene(), [](Scene& s) {
          s.policy->issuers[0].operations = {"compute.*"};
          s.endorsements = {endorsed(s, s.w.stranger.public_key())};
        }));
}

void add_revoked(Album& a) {
  using T = RevocationTarget;
  a.add("the owner bars the origin", bent(compute_scene(), [](Scene& s) { s.revoke(s.w.host_owner, T::kPrincipal, s.use.origin); }));
  a.add("the owner lost the machine", bent(compute_scene(), [](Scene& s) { s.revoke(s.w.host_owner, T::kDevice, s.use.machine); }));
  a.add("the origin lost its node", bent(compute_scene(), [](Scene& s) { s.revoke(s.w.origin, T::kDevice, s.use.actor); }));
  a.add("a node revokes itself", bent(compute_scene(), [](Scene& s) { s.revoke(s.w.origin_node, T::kKey, s.use.actor); }));
  a.add("the grant", bent(compute_scene(), [](Scene& s) { s.revoke(s.w.host_owner, T::kCapability, s.sign(*s.grant).id); }));
  a.add("the policy", bent(compute_scene(), [](Scene& s) { s.revoke(s.w.origin, T::kObject, s.sign(*s.policy).id); }));
  a.add("an input of the task", bent(compute_scene(), [](Scene& s) { s.revoke(s.w.origin, T::kObject, s.w.stored); }));
  a.add("a piece of an input", bent(compute_scene(), [](Scene& s) { s.revoke(s.w.origin, T::kObject, unsigned_id(s.w.group())); }));
  a.add("the capability", bent(read_scene(), [](Scene& s) { s.revoke(s.w.origin, T::kCapability, s.capabilities[0].id); }));
  a.add("the root of a chain", bent(delegated_scene(), [](Scene& s) { s.revoke(s.w.origin, T::kCapability, s.capabilities[1].id); }));
  a.add("the object that is read", bent(read_scene(), [](Scene& s) { s.revoke(s.w.host_owner, T::kObject, s.w.stored); }));
  a.add("its cutoff has come", bent(store_scene(), [](Scene& s) { s.revoke(s.w.host_owner, T::kPrincipal, s.use.origin, kNow); }));
}

}  // namespace

std::string decisions_file() {
  Album album;
  add_allowed(album);
  add_refused_roots(album);
  add_refused_work(album);
  add_revoked(album);
  return document("Whole decisions: a use, the evidence for it (objects by id), and the answer: what it rests on and until when, or the step that refused.",
                  {{"objects", list(album.objects())}, {"cases", list(album.cases())}});
}

}  // namespace selvedge::object::vectors
