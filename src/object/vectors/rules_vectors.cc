// docs/spec/vectors/patterns.json, policies.json and capabilities.json: what somebody may do.
#include <algorithm>

#include "object/vectors/json.h"
#include "object/vectors/kinds_list.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

using testing::kNow;
using testing::World;

// ---- patterns

constexpr const char* kWords[] = {"storage.read", "a", "a.b.c.d.e.f.g.h", "a.b.c.d.e.f.g.h.i", "", ".", "a.", ".a", "a..b", "A", "a b", "a/b", "a-b_9", "*", "**",
                                  "a.*", "*.b", "a.**", "**.a", "a.**.b", "a*", "***", "a.*.c", "*.*", "*.**", "\xc3\xa4"};

std::vector<Json> word_cases() {
  std::vector<Json> out;
  for (const char* text : kWords) out.push_back(record({{"text", text}, {"operation", is_operation(text)}, {"pattern", check_pattern(text).ok()}}));
  const std::string long_word(kOperationSizeMax, 'a');
  for (const std::string& text : {long_word, long_word + "a"}) out.push_back(record({{"text", text}, {"operation", is_operation(text)}, {"pattern", check_pattern(text).ok()}}));
  return out;
}

std::vector<Json> match_cases() {
  std::vector<Json> out;
  for (const char* pattern : {"storage.read", "storage.*", "*.read", "*", "**", "storage.**", "*.*", "*.**"}) {
    for (const char* operation : {"storage.read", "storage.store", "storage", "storage.read.part", "secret.read", "read"}) {
      out.push_back(record({{"pattern", pattern}, {"operation", operation}, {"matches", matches(pattern, operation)}}));
    }
  }
  return out;
}

std::vector<Json> containment_cases() {
  constexpr const char* kPatterns[] = {"a", "b", "*", "**", "a.b", "a.*", "*.b", "*.*", "a.**", "*.**", "a.b.c", "a.*.c", "a.b.*", "a.b.**", "a.*.**"};
  std::vector<Json> out;
  for (const char* wide : kPatterns) {
    for (const char* narrow : kPatterns) out.push_back(record({{"wide", wide}, {"narrow", narrow}, {"contains", contains(wide, narrow)}}));
  }
  return out;
}

std::vector<Json> list_containment_cases() {
  using Texts = std::vector<std::string>;
  std::vector<Json> out;
  const auto texts = [](const Texts& patterns) {
    std::vector<Json> items(patterns.begin(), patterns.end());
    return row(items);
  };
  const auto add = [&](const Texts& wide, const Texts& narrow) {
    out.push_back(record({{"wide", texts(wide)}, {"narrow", texts(narrow)}, {"contains", contains_all(wide, narrow)}}));
  };
  add({}, {});
  add({"a"}, {});
  add({}, {"a"});
  add({"a.*", "b"}, {"a.x", "a.y", "b"});
  add({"a.*", "b"}, {"a.x", "c"});
  add({"a.b", "a.c"}, {"a.*"});
  add({"**"}, {"*.**", "a"});
  return out;
}

// ---- policies

ZonePolicy tight_policy(const World& w) {
  ZonePolicy out = w.policy();
  out.classes = kCompute | kStorage;
  out.allow = {"compute.run", "secret.**", "storage.*"};
  out.deny = {"secret.admin.*", "storage.delete"};
  out.principals = {{w.reader.public_key(), {"storage.read", "storage.store"}, {"storage.store"}}, {std::nullopt, {"compute.run"}, {}}};
  out.flows = {{FlowDirection::kOut, zone_id(w.origin.public_key(), "community"), 0},
               {FlowDirection::kIn, std::nullopt, 3},
               {FlowDirection::kOut, zone_id(w.origin.public_key(), "public"), 255}};
  out.epoch_seconds = 60;
  out.effective_epoch = kNow / 60;
  return out;
}

ZonePolicy open_policy(const World& w) {
  ZonePolicy out = w.policy();
  out.executors.clear();
  out.principals = {{w.reader.public_key(), {}, {}}};
  return out;
}

struct Asked {
  size_t policy;
  const char* operation;
  ClassSet classes;
  const char* principal;      // a name of the cast
  const char* machine_owner;  // "" for none
  uint64_t at;
};
constexpr Asked kAsked[] = {
    {0, "storage.read", kStorage, "origin", "host owner", kNow},
    {0, "anything.at.all", 0, "stranger", "", kNow},
    {0, "compute.attested", kAttested, "origin", "host owner", kNow},
    {0, "compute.run", kCompute, "origin", "stranger", kNow},
    {0, "compute.run", kCompute, "origin", "origin", kNow},
    {0, "compute.run", kCompute, "origin", "", kNow},
    {1, "storage.read", kStorage, "origin", "host owner", kNow},
    {1, "storage.read", kStorage, "origin", "host owner", kNow - 60},
    {1, "storage.read", kStorage, "origin", "host owner", kNow / 60 * 60},
    {1, "storage.delete", kStorage, "origin", "host owner", kNow},
    {1, "secret.release", 0, "origin", "", kNow},
    {1, "secret.admin.reset", 0, "origin", "", kNow},
    {1, "secret.admin", 0, "origin", "", kNow},
    {1, "ingress.serve", kIngress, "origin", "host owner", kNow},
    {1, "storage.read", kStorage, "reader", "host owner", kNow},
    {1, "storage.store", kStorage, "reader", "host owner", kNow},
    {1, "compute.run", kCompute, "reader", "host owner", kNow},
    {1, "compute.run", kCompute, "stranger", "host owner", kNow},
    {1, "storage.read", kStorage, "stranger", "host owner", kNow},
    {1, "compute.run", kCompute | kAttested, "stranger", "host owner", kNow},
    {1, "compute.run", kCompute, "stranger", "stranger", kNow},
    {2, "compute.run", kCompute, "origin", "stranger", kNow},
    {2, "storage.read", kStorage, "reader", "stranger", kNow},
    {2, "storage.read", kStorage, "stranger", "stranger", kNow},
};

PublicKey key_of(std::string_view name) {
  return name.empty() ? PublicKey{} : crypto::Ed25519Signer(testing::seed_of(name)).public_key();
}

Json question_case(const std::vector<ZonePolicy>& policies, const Asked& asked) {
  const PolicyVerdict verdict = judge_policy(policies[asked.policy], {asked.operation, asked.classes, key_of(asked.principal), key_of(asked.machine_owner)},
                                             Instant::from_unix_seconds(asked.at));
  return record({{"policy", uint64_t(asked.policy)},
                 {"operation", asked.operation},
                 {"classes", asked.classes},
                 {"principal", key_of(asked.principal)},
                 {"machine_owner", key_of(asked.machine_owner)},
                 {"now", asked.at},
                 {"allowed", verdict.allowed},
                 {"list", verdict.list},
                 {"index", uint64_t(verdict.index)},
                 {"pattern", verdict.pattern ? Json(*verdict.pattern) : Json(nullptr)},
                 {"text", verdict.text()}});
}

std::vector<Json> flow_cases(const World& w, const std::vector<ZonePolicy>& policies) {
  std::vector<Json> out;
  for (const char* peer : {"community", "public", "private"}) {
    for (const FlowDirection direction : {FlowDirection::kOut, FlowDirection::kIn}) {
      for (const uint8_t taint : {uint8_t(0), uint8_t(1), uint8_t(3), uint8_t(4), uint8_t(255)}) {
        const ZoneId zone = zone_id(w.origin.public_key(), peer);
        const FlowRule* rule = find_flow(policies[1], direction, zone, taint);
        out.push_back(record({{"policy", uint64_t(1)}, {"direction", enum_name(direction)}, {"peer", zone}, {"taint", taint},
                              {"rule", rule ? Json(uint64_t(rule - policies[1].flows.data())) : Json(nullptr)}}));
      }
    }
  }
  return out;
}

std::vector<Json> class_cases() {
  std::vector<Json> out;
  for (const char* operation : {"compute.run", "compute.attested", "compute.other", "compute", "storage.read", "storage.read.part", "ingress.serve", "secret.release", "bundle.count"}) {
    out.push_back(record({{"operation", operation}, {"classes", classes_of(operation)}}));
  }
  return out;
}

// ---- capabilities

struct Chain {
  World w;
  Capability outer = w.capability();
  Capability inner;
  Chain() {
    outer.operations = {"secret.release", "storage.*"};
    outer.delegations_left = 2;
    outer.objects.push_back(object_id(w.zone, SchemaId{}, view("another object")));
    std::sort(outer.objects.begin(), outer.objects.end());
    inner = outer;
    inner.issuer = w.reader.public_key();
    inner.audience = w.stranger.public_key();
    inner.operations = {"storage.read"};
    inner.objects.pop_back();
    inner.delegations_left = 1;
  }
};

Json attenuation_case(const char* why, const Errc* wanted, void (*bend)(Chain&), const crypto::Signer& (*signer)(const World&)) {
  Chain c;
  const Signed<Capability> parent = sign_object(c.w.origin_node, c.outer).value();
  c.inner.parent = parent.id;
  bend(c);
  const Signed<Capability> child = sign_object(signer(c.w), c.inner).value();
  // A bend of the outer one gives another parent than the one that the inner one names.
  const Signed<Capability> shown = sign_object(c.w.origin_node, c.outer).value();
  const Status status = check_attenuation(child, shown);
  CHECK(status.ok() == (wanted == nullptr) && (status.ok() || status.code() == *wanted));
  return record({{"parent", shown.bytes}, {"child", child.bytes}, {"expect", expectation(status)}, {"why", why}});
}

std::vector<Json> attenuation_cases() {
  std::vector<Json> out;
  static constexpr Errc kNo = Errc::kUnauthorized;
  const auto reader = [](const World& w) -> const crypto::Signer& { return w.reader; };
  const auto stranger = [](const World& w) -> const crypto::Signer& { return w.stranger; };
  const auto yes = [&](const char* why, void (*bend)(Chain&)) { out.push_back(attenuation_case(why, nullptr, bend, reader)); };
  const auto no = [&](const char* why, void (*bend)(Chain&)) { out.push_back(attenuation_case(why, &kNo, bend, reader)); };
  yes("narrower in everything", [](Chain&) {});
  yes("the same operations and objects", [](Chain& c) { c.inner.operations = c.outer.operations; c.inner.objects = c.outer.objects; });
  yes("a pattern within a pattern", [](Chain& c) { c.inner.operations = {"storage.*"}; });
  yes("not to be passed on", [](Chain& c) { c.inner.delegations_left = 0; });
  no("one more operation", [](Chain& c) { c.inner.operations = {"compute.run", "storage.read"}; });
  no("a wider pattern", [](Chain& c) { c.inner.operations = {"storage.**"}; });
  no("every operation", [](Chain& c) { c.inner.operations = {"**"}; });
  no("one more object", [](Chain& c) { c.inner.objects = c.outer.objects; c.inner.objects.push_back(ObjectId{}); std::sort(c.inner.objects.begin(), c.inner.objects.end()); });
  no("the whole zone", [](Chain& c) { c.inner.objects.clear(); c.inner.whole_zone = true; });
  no("a second longer", [](Chain& c) { c.inner.expires = c.outer.expires + 1; });
  no("a second earlier", [](Chain& c) { c.inner.issued = c.outer.issued - 1; });
  no("passed on as often", [](Chain& c) { c.inner.delegations_left = 2; });
  no("for another zone", [](Chain& c) { c.inner.zone.bytes[0] ^= 1; });
  no("for another origin", [](Chain& c) { c.inner.origin = c.w.stranger.public_key(); });
  no("without a parent", [](Chain& c) { c.inner.parent.reset(); });
  no("with another parent", [](Chain& c) { c.inner.parent->bytes[0] ^= 1; });
  no("with a parent that was replaced", [](Chain& c) { c.outer.nonce.bytes[0] ^= 1; });
  const auto by_stranger = [](Chain& c) { c.inner.issuer = c.w.stranger.public_key(); };
  out.push_back(attenuation_case("by somebody it was not given to", &kNo, by_stranger, stranger));
  return out;
}

std::vector<Json> coverage_cases() {
  std::vector<Json> out;
  const Chain c;
  Capability whole = c.outer;
  whole.objects.clear();
  whole.whole_zone = true;
  const ObjectId listed = c.outer.objects[0];
  const ObjectId other = object_id(c.w.zone, SchemaId{}, view("not listed"));
  for (const Capability& capability : {c.outer, whole}) {
    const Bytes object = sign_object(c.w.origin_node, capability).value().bytes;
    for (const char* operation : {"storage.read", "secret.release", "compute.run"}) {
      for (const std::optional<ObjectId>& about : {std::optional<ObjectId>(), std::optional<ObjectId>(listed), std::optional<ObjectId>(other)}) {
        out.push_back(record({{"capability", object}, {"operation", operation}, {"about", about}, {"covers", covers(capability, operation, about ? &*about : nullptr)}}));
      }
    }
  }
  return out;
}

}  // namespace

std::string patterns_file() {
  return document("Operations and patterns: what is one, which operations a pattern covers, and whether one pattern lies within another.",
                  {{"words", list(word_cases())}, {"matches", list(match_cases())}, {"contains", list(containment_cases())}, {"lists", list(list_containment_cases())}});
}

std::string policies_file() {
  const World w;
  const std::vector<ZonePolicy> policies = {w.policy(), tight_policy(w), open_policy(w)};
  std::vector<Json> objects, questions, defaults;
  for (const ZonePolicy& policy : policies) objects.push_back(sign_object(w.origin, policy).value().bytes);
  for (const Asked& asked : kAsked) questions.push_back(question_case(policies, asked));
  for (const std::string& name : default_zone_names()) defaults.push_back(fields_of(*default_policy(w.origin.public_key(), name)));
  return document("Policies (signed objects), questions to them with the verdict and the rule that spoke, flow rules, and what a new owner's five zones begin with.",
                  {{"policies", list(objects)}, {"questions", list(questions)}, {"flows", list(flow_cases(w, policies))}, {"classes", list(class_cases())}, {"defaults", list(defaults)}});
}

std::string capabilities_file() {
  return document("Capabilities (signed objects): whether one may be passed on as another, and what one covers.",
                  {{"attenuations", list(attenuation_cases())}, {"coverage", list(coverage_cases())}});
}

}  // namespace selvedge::object::vectors
