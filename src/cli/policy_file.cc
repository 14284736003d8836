#include "cli/policy_file.h"

#include <algorithm>

#include "cli/toml_section.h"
#include "codec/multibase.h"
#include "object/permission.h"

namespace selvedge::cli {

namespace {

Status read_issuers(Section& zone, object::ZonePolicy& policy) {
  for (Section& section : TRY(zone.children("issuer"))) {
    object::IssuerSet set;
    TRY(section.read("name", set.name));
    TRY(section.read_keys("keys", set.issuers));
    TRY(section.read("threshold", set.threshold, 1024));
    TRY(section.read_patterns("allow", set.operations));
    TRY(section.finish());
    const Status valid = set.validate();
    if (!valid.ok()) return at_line(section.line(), valid.error().message);
    policy.issuers.push_back(std::move(set));
  }
  return ok();
}

Status read_principals(Section& zone, object::ZonePolicy& policy) {
  for (Section& section : TRY(zone.children("principal"))) {
    object::PrincipalRule rule;
    std::string who;
    TRY(section.read("key", who));
    if (who.empty()) return at_line(section.line(), "a principal rule says whose it is: key = \"...\", or key = \"others\"");
    if (who != "others") {
      const Result<crypto::PublicKey> key = codec::parse_key(who);
      if (!key.ok()) return at_line(section.line(), "key: " + key.error().message);
      rule.principal = *key;
    }
    TRY(section.read_patterns("allow", rule.allow));
    TRY(section.read_patterns("deny", rule.deny));
    TRY(section.finish());
    policy.principals.push_back(std::move(rule));
  }
  return ok();
}

/// A zone of the same owner by its name, any zone of anybody, or one by its id.
Result<std::optional<object::ZoneId>> parse_zone(const std::string& text, const crypto::PublicKey& owner) {
  if (text == "any") return std::optional<object::ZoneId>();
  const Result<Bytes> bytes = from_hex(text);
  if (bytes.ok() && bytes->size() == 32) return std::optional<object::ZoneId>(TRY(object::ZoneId::from(*bytes)));
  return std::optional<object::ZoneId>(object::zone_id(owner, text));
}

Status read_flows(Section& zone, object::ZonePolicy& policy) {
  for (Section& section : TRY(zone.children("flow"))) {
    std::string to, from;
    uint32_t taint = 0;
    TRY(section.read("to", to));
    TRY(section.read("from", from));
    TRY(section.read("taint", taint, object::kTaintMax));
    TRY(section.finish());
    if (to.empty() == from.empty()) return at_line(section.line(), "a flow rule has either to = \"ZONE\" or from = \"ZONE\"");
    object::FlowRule rule;
    rule.direction = from.empty() ? object::FlowDirection::kOut : object::FlowDirection::kIn;
    rule.peer = TRY(parse_zone(from.empty() ? to : from, policy.owner));
    rule.taint_max = uint8_t(taint);
    policy.flows.push_back(rule);
  }
  return ok();
}

Status read_placement(Section& zone, object::ZonePolicy& policy) {
  if (std::optional<Section> spread = TRY(zone.child("spread"))) {
    TRY(spread->read("owners", policy.distribution.owners_min, 1024));
    TRY(spread->read("devices", policy.distribution.devices_min, 1024));
    TRY(spread->read("devices_max", policy.distribution.devices_max, 1024));
    TRY(spread->read_permille("repair", policy.distribution.repair_permille, 1000));
    TRY(spread->finish());
  }
  if (std::optional<Section> sources = TRY(zone.child("sources"))) {
    TRY(sources->read("nodes", policy.diversity.nodes_min, 1024));
    TRY(sources->read("owners", policy.diversity.owners_min, 1024));
    TRY(sources->read_permille("largest_share", policy.diversity.node_share_permille_max, 1000));
    TRY(sources->finish());
  }
  return ok();
}

/// `from` is a date and time with an offset; it becomes the first epoch that begins no earlier.
Status read_begin(Section& zone, object::ZonePolicy& policy) {
  uint64_t epoch_seconds = policy.epoch_seconds;
  TRY(zone.read_seconds("epoch", epoch_seconds));
  policy.epoch_seconds = uint32_t(std::min<uint64_t>(epoch_seconds, UINT32_MAX));
  const toml::node* node = zone.find("from");
  if (node == nullptr) return ok();
  const auto when = node->value_exact<toml::date_time>();
  if (!when || !when->offset) return zone.wrong(*node, "from", "a time with its offset, such as 2027-01-01T00:00:00Z");
  // Days from civil, for years of four digits (Howard Hinnant, "chrono-compatible low-level date algorithms").
  const int64_t y = int64_t(when->date.year) - (when->date.month <= 2 ? 1 : 0);
  const int64_t era = y / 400, yoe = y - era * 400;
  const int64_t doy = (153 * (when->date.month + (when->date.month > 2 ? -3 : 9)) + 2) / 5 + when->date.day - 1;
  const int64_t days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
  const int64_t at = days * 86400 + when->time.hour * 3600 + when->time.minute * 60 + when->time.second - int64_t(when->offset->minutes) * 60;
  if (at < 0) return zone.wrong(*node, "from", "a time after 1970");
  policy.effective_epoch = (uint64_t(at) + policy.epoch_seconds - 1) / std::max<uint32_t>(policy.epoch_seconds, 1);
  return ok();
}

Result<FiledPolicy> read_zone(const toml::table& table, const std::string& name, const crypto::PublicKey& owner) {
  Section zone(table, "zone." + name + ".");
  FiledPolicy filed{object::default_policy(owner, name).value_or(object::ZonePolicy{}), 30 * object::kDay, zone.line()};
  object::ZonePolicy& policy = filed.policy;
  policy.owner = owner;
  policy.name = name;
  policy.zone = object::zone_id(owner, name);
  uint32_t trust = policy.trust_level;
  std::vector<std::string> permissions;
  TRY(zone.read("trust", trust, object::kTrustLevelMax));
  policy.trust_level = uint8_t(trust);
  TRY(zone.read("permissions", permissions));
  if (!permissions.empty()) policy.classes = 0;
  for (const std::string& permission : permissions) {
    const Result<object::ClassSet> bit = object::parse_class_names(permission);
    if (!bit.ok()) return at_line(line_of(*table.get("permissions")), bit.error().message);
    policy.classes |= *bit;
  }
  TRY(zone.read_patterns("allow", policy.allow));
  TRY(zone.read_patterns("deny", policy.deny));
  TRY(zone.read_keys("hosts", policy.executors));
  TRY(zone.read_keys("publishers", policy.publishers));
  TRY(zone.read_seconds("capabilities_live", policy.capability_seconds_max));
  TRY(zone.read_seconds("revocations_no_older_than", policy.revocation_age_seconds_max));
  TRY(zone.read("audit_cosigners", policy.audit_quorum, 1024));
  TRY(zone.read_seconds("valid_for", filed.seconds));
  TRY(read_begin(zone, policy));
  TRY(read_placement(zone, policy));
  TRY(read_issuers(zone, policy));
  TRY(read_principals(zone, policy));
  if (table.get("flow") != nullptr) policy.flows.clear();
  TRY(read_flows(zone, policy));
  TRY(zone.finish());
  object::ZonePolicy probe = policy;
  probe.issued = 1, probe.expires = 1 + filed.seconds;
  const Status valid = probe.validate();
  if (!valid.ok()) return at_line(zone.line(), "zone " + name + ": " + valid.error().message);
  return filed;
}

}  // namespace

Result<std::vector<FiledPolicy>> read_policy_file(std::string_view text, const crypto::PublicKey& owner) {
  if (text.size() > kPolicyFileSizeMax) return fail(Errc::kLimit, "a policy file is at most 1 MiB");
  const toml::table file = TRY(parse_toml(text));
  for (const auto& [key, node] : file) {
    if (key.str() != "zone") return at_line(key.source().begin.line, "a policy file has [zone.NAME] tables, and no \"" + std::string(key.str()) + "\"");
  }
  const toml::table* zones = file.get_as<toml::table>("zone");
  if (zones == nullptr || zones->empty()) return fail(Errc::kInvalid, "line 1: a policy file has a table [zone.NAME] for each zone it is about");
  std::vector<FiledPolicy> out;
  for (const auto& [key, node] : *zones) {
    if (node.as_table() == nullptr) return at_line(line_of(node), "zone." + std::string(key.str()) + " must be a table: [zone." + std::string(key.str()) + "]");
    out.push_back(TRY(read_zone(*node.as_table(), std::string(key.str()), owner)));
  }
  return out;
}

const char* policy_example() {
  return R"(# A policy file: a table for each zone it is about. What is left out keeps its default; for the zones owner, private,
# work, community and public that is what every new owner has.  selvedge policy check FILE, then selvedge policy apply FILE.
[zone.work]
trust = 60                             # 0 public to 100 the owner's own
permissions = ["compute", "storage"]   # of compute, storage, ingress, attested
allow = ["**"]                         # operations: storage.read, storage.*, compute.run, bundle.NAME.ENTRY, secret.release, ** for all
deny = ["storage.delete"]              # outranks allow
hosts = []                             # owner keys of the machines that may hold and run it; empty: all that granted
publishers = []                        # whose bundles may run in it, besides the owner's
capabilities_live = "7d"               # at most
revocations_no_older_than = "10m"      # hosts stop when they have not heard for this long what is revoked
audit_cosigners = 0                    # distinct devices that must have signed a head of the audit log
epoch = "1s"                           # nothing is ordered within one
from = 2026-01-01T00:00:00Z            # not in force before
valid_for = "30d"                      # the node renews it before

[zone.work.spread]                     # over how many machines its symbols go
owners = 2
devices = 2
repair = "5%"

[zone.work.sources]                    # what must be true of the sources before data is put together again
nodes = 1
owners = 1
largest_share = "100%"

# Issuer sets: who may issue capabilities besides the owner (without any, the owner's own nodes may), and how many together.
# [[zone.work.issuer]]
# name = "admins"
# keys = ["KEY", "KEY", "KEY"]
# threshold = 2
# allow = ["storage.*"]

# Rules for one owner; "others" is everybody whom no rule names.
[[zone.work.principal]]
key = "others"
allow = ["storage.read", "compute.run"]

# What may leave for and come from other zones, and how often it may have crossed before.
[[zone.work.flow]]
to = "community"
taint = 0
)";
}

}  // namespace selvedge::cli
