#include "object/policy.h"

#include <algorithm>
#include <map>
#include <set>

#include "object/sequence.h"
#include "object/validate.h"

namespace selvedge::object {
namespace {

/// Which rule of a policy a person is told about.
PolicyVerdict verdict(bool allowed, const char* list, size_t index = 0, const std::string* pattern = nullptr) {
  return {allowed, list, index, pattern};
}

/// The rule for this principal: its own, else the one for everybody else, else none.
const PrincipalRule* rule_for(const ZonePolicy& policy, const PublicKey& principal) {
  const PrincipalRule* others = nullptr;
  for (const PrincipalRule& rule : policy.principals) {
    if (!rule.principal) others = &rule;
    else if (*rule.principal == principal) return &rule;
  }
  return others;
}

bool has_room_for(const ZonePolicy& policy) {
  return policy.issuers.size() <= kIssuerSetsMax && policy.principals.size() <= kPrincipalRulesMax && policy.flows.size() <= kFlowRulesMax;
}

Status check_principals(const std::vector<PrincipalRule>& rules) {
  std::vector<PublicKey> seen;
  size_t others = 0;
  for (const PrincipalRule& rule : rules) {
    TRY(check_patterns("a principal rule", rule.allow));
    TRY(check_patterns("a principal rule", rule.deny));
    if (rule.principal) seen.push_back(*rule.principal);
    else ++others;
  }
  std::sort(seen.begin(), seen.end());
  if (others > 1 || std::adjacent_find(seen.begin(), seen.end()) != seen.end()) {
    return invalid("a zone policy has two rules for one principal: which of them counts would be a matter of order");
  }
  return ok();
}

}  // namespace

const char* enum_name(FlowDirection direction) { return direction == FlowDirection::kOut ? "out" : "in"; }

Status IssuerSet::validate() const {
  TRY(check_text("the name of an issuer set", name, kNameSizeMax));
  TRY(check_sorted("an issuer set", issuers, kExecutorsMax));
  TRY(check_patterns("an issuer set", operations));
  if (threshold == 0 || threshold > issuers.size()) return invalid("an issuer set asks for at least one signer and no more than it has");
  return ok();
}

Status ZonePolicy::validate() const {
  TRY(check_keys("a zone policy", {&owner}));
  TRY(check_text("the name of a zone", name, kNameSizeMax));
  if (!(zone == zone_id(owner, name))) return fail(Errc::kUnauthorized, "a zone policy speaks for a zone that is not its owner's");
  TRY(check_bits("a zone policy", classes, kClassesAll));
  TRY(check_patterns("a zone policy", allow));
  TRY(check_patterns("a zone policy", deny));
  TRY(check_sorted("a zone policy", executors, kExecutorsMax));
  TRY(check_sorted("a zone policy", publishers, kPublishersMax));
  if (!has_room_for(*this)) return fail(Errc::kLimit, "a zone policy has too many rules of one sort");
  for (const IssuerSet& set : issuers) TRY(set.validate());
  TRY(check_principals(principals));
  if (trust_level > kTrustLevelMax) return invalid("a trust level is 0 to 100");
  if (distribution.owners_min == 0 || distribution.devices_min == 0) return invalid("a zone policy asks for no owner or device at all: the least is 1");
  if (distribution.devices_max != 0 && distribution.devices_max < distribution.devices_min) {
    return invalid("a zone policy asks for more devices than it allows");
  }
  const uint32_t share = diversity.node_share_permille_max;
  if (diversity.nodes_min == 0 || diversity.owners_min == 0 || share == 0 || share > 1000) return invalid("a zone policy asks for sources that cannot be");
  if (epoch_seconds == 0 || epoch_seconds > kEpochSecondsMax) return invalid("an epoch lasts from one second to one day");
  if (capability_seconds_max == 0 || capability_seconds_max > kCapabilityTtlMax) return invalid("capabilities live from one second to 90 days");
  return check_lifetime("a zone policy", issued, expires, kDelegationTtlMax);
}

Status check_diversity(const Diversity& wanted, const std::vector<SymbolSource>& sources) {
  std::map<PublicKey, uint64_t> nodes;
  std::set<PublicKey> owners;
  uint64_t total = 0, largest = 0;
  for (const SymbolSource& source : sources) {
    if (source.symbols == 0) continue;
    const uint64_t of_node = nodes[source.node] += source.symbols;
    owners.insert(source.owner);
    total += source.symbols;
    largest = std::max(largest, of_node);
  }
  const size_t node_count = nodes.size(), owner_count = owners.size();
  const auto short_of = [](uint64_t have, uint32_t want, const char* what) {
    return fail(Errc::kUnavailable, "the zone's policy wants symbols from at least " + std::to_string(want) + " " + what + ", and " + std::to_string(have) + " gave some");
  };
  if (node_count < wanted.nodes_min) return short_of(node_count, wanted.nodes_min, "nodes");
  if (owner_count < wanted.owners_min) return short_of(owner_count, wanted.owners_min, "owners");
  if (largest * 1000 > total * wanted.node_share_permille_max) {
    return fail(Errc::kUnavailable, "the zone's policy lets one node give at most " + std::to_string(wanted.node_share_permille_max / 10) + " % of the symbols, and one gave " +
                                        std::to_string(largest * 100 / total) + " %");
  }
  return ok();
}

ClassSet classes_of(std::string_view operation) {
  if (operation == "compute.attested") return kAttested;
  if (matches("compute.*", operation)) return kCompute;
  if (matches("storage.*", operation)) return kStorage;
  if (matches("ingress.*", operation)) return kIngress;
  return 0;
}

PolicyVerdict judge_policy(const ZonePolicy& policy, const PolicyQuestion& question, Instant now) {
  if (epoch_of(now.unix_seconds(), policy.epoch_seconds) < policy.effective_epoch) return verdict(false, "effective_epoch");
  if (const std::string* hit = first_match(policy.deny, question.operation)) return verdict(false, "deny", size_t(hit - policy.deny.data()), hit);
  const std::string* allowed = first_match(policy.allow, question.operation);
  if (allowed == nullptr) return verdict(false, "allow");
  PolicyVerdict yes = verdict(true, "allow", size_t(allowed - policy.allow.data()), allowed);
  if (question.principal != policy.owner) {
    if (const PrincipalRule* rule = rule_for(policy, question.principal)) {
      const size_t index = size_t(rule - policy.principals.data());
      if (const std::string* hit = first_match(rule->deny, question.operation)) return verdict(false, "principals.deny", index, hit);
      const std::string* hit = first_match(rule->allow, question.operation);
      if (hit == nullptr) return verdict(false, "principals.allow", index);
      yes = verdict(true, "principals.allow", index, hit);
    }
  }
  if (question.classes & ~policy.classes) return verdict(false, "classes");
  const auto& executors = policy.executors;
  const bool elsewhere = !question.machine_owner.is_zero() && question.machine_owner != policy.owner;
  if (elsewhere && !executors.empty() && !std::binary_search(executors.begin(), executors.end(), question.machine_owner)) {
    return verdict(false, "executors");
  }
  return yes;
}

std::string PolicyVerdict::text() const {
  const std::string_view name = list;
  if (name == "effective_epoch") return "the policy is not in force yet (effective_epoch)";
  if (name == "classes") return "the zone does not allow this class of use (classes)";
  if (name == "executors") return "the zone's data does not go to machines of this owner (executors)";
  if (pattern == nullptr && name == "allow") return "nothing in the zone allows it (allow)";
  std::string where(name);
  const size_t dot = where.find('.');
  if (dot == std::string::npos) where += "[" + std::to_string(index) + "]";
  else where.insert(dot, "[" + std::to_string(index) + "]");
  if (pattern == nullptr) return "nothing that this principal is allowed covers it (" + where + ")";
  return std::string(allowed ? "allowed by " : "denied by ") + where + " \"" + *pattern + "\"";
}

const FlowRule* find_flow(const ZonePolicy& policy, FlowDirection direction, const ZoneId& peer, uint8_t taint) {
  for (const FlowRule& rule : policy.flows) {
    if (rule.direction == direction && taint <= rule.taint_max && (!rule.peer || *rule.peer == peer)) return &rule;
  }
  return nullptr;
}

const std::vector<std::string>& default_zone_names() {
  static const std::vector<std::string> names{"owner", "private", "work", "community", "public"};
  return names;
}

std::optional<ZonePolicy> default_policy(const PublicKey& owner, std::string_view name) {
  const auto& names = default_zone_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  const size_t rank = size_t(found - names.begin());
  ZonePolicy policy;
  policy.owner = owner;
  policy.name = *found;
  policy.zone = zone_id(owner, *found);
  policy.trust_level = std::array<uint8_t, 5>{100, 80, 60, 40, 10}[rank];
  policy.classes = rank == 0 ? kStorage : kCompute | kStorage;
  policy.allow = {"**"};
  policy.distribution.owners_min = rank == 0 ? 1 : 2;
  policy.distribution.devices_min = 2;
  // What is less trusted never flows up by itself, and nothing flows down by itself: each owner writes flows as they need them.
  if (rank >= 3) policy.flows = {{FlowDirection::kIn, std::nullopt, kTaintMax}};
  return policy;
}

}  // namespace selvedge::object
