// ZonePolicy: what a data owner says may be done with a zone's data, by whom and where; and the one reading of it.
//
// A policy is read by judge_policy() and by nothing else: authorize() asks it for every operation of a use, `selvedge policy explain` shows
// what it answered. The rules, in order, the first that speaks decides: the policy's time has not come; a deny pattern; no allow pattern;
// the principal's deny; the principal's allow; the class is not allowed; the machine's owner is not on the list. Nothing is allowed
// that no rule allows. One policy speaks for one zone, so that a host learns of no other (row C13).
#pragma once

#include <optional>

#include "base/time.h"
#include "object/kinds.h"
#include "object/operation.h"

namespace selvedge::object {

inline constexpr size_t kFlowRulesMax = 256;
inline constexpr size_t kIssuerSetsMax = 64;
inline constexpr size_t kPrincipalRulesMax = 256;
inline constexpr size_t kPublishersMax = 64;
inline constexpr uint8_t kTrustLevelMax = 100;
inline constexpr uint8_t kTaintMax = 255;

enum class FlowDirection : uint8_t { kOut, kIn, kLast = kIn };
const char* enum_name(FlowDirection direction);

/// Data may leave for, or arrive from, another zone. Without a rule on both sides nothing crosses (row A7).
struct FlowRule {
  FlowDirection direction = FlowDirection::kOut;
  std::optional<ZoneId> peer;  // absent: any zone
  uint8_t taint_max = 0;       // what has crossed more often than this stays out; 0: only what never crossed

  template <class V>
  void visit(V& v) {
    v("direction", direction);
    v("peer", peer);
    v("taint_max", taint_max);
  }
};

/// Who may issue capabilities over the zone, besides its owner, and how many of them together (row A9).
struct IssuerSet {
  static constexpr std::string_view kName = "IssuerSet";
  static constexpr uint16_t kVersion = 1;
  std::string name;
  std::vector<PublicKey> issuers;       // sorted
  uint32_t threshold = 1;               // distinct ones that must sign
  std::vector<std::string> operations;  // patterns of what they may give; sorted

  template <class V>
  void visit(V& v) {
    v("name", name);
    v("issuers", issuers);
    v("threshold", threshold);
    v("operations", operations);
  }
  Status validate() const;
};

/// What one owner (or, without a key, everybody no rule names) may do, within what the zone allows at all.
struct PrincipalRule {
  std::optional<PublicKey> principal;
  std::vector<std::string> allow;
  std::vector<std::string> deny;

  template <class V>
  void visit(V& v) {
    v("principal", principal);
    v("allow", allow);
    v("deny", deny);
  }
};

/// Over how many machines the zone's symbols are spread (spec: FM 4.4).
struct Distribution {
  uint32_t owners_min = 1;       // distinct owners of the machines
  uint32_t devices_min = 1;
  uint32_t devices_max = 0;      // 0: no bound
  uint32_t repair_permille = 50; // symbols beyond the source, per thousand

  template <class V>
  void visit(V& v) {
    v("owners_min", owners_min);
    v("devices_min", devices_min);
    v("devices_max", devices_max);
    v("repair_permille", repair_permille);
  }
};

/// What must be true of the sources of an object's symbols before it is put together (row A13). It is about availability and censorship:
/// integrity comes from tags and hashes (R18).
struct Diversity {
  uint32_t nodes_min = 1;
  uint32_t owners_min = 1;
  uint32_t node_share_permille_max = 1000;  // of the symbols, from one node

  template <class V>
  void visit(V& v) {
    v("nodes_min", nodes_min);
    v("owners_min", owners_min);
    v("node_share_permille_max", node_share_permille_max);
  }
};

/// One source of an object's symbols, and how many came from it.
struct SymbolSource {
  PublicKey node;
  PublicKey owner;
  uint64_t symbols = 0;
};
/// Whether symbols from these sources may be put together (spec: FM 10.3). Sources without symbols do not count; a node that is there twice
/// counts once, with all it gave.
/// Errors: kUnavailable, saying what is short.
Status check_diversity(const Diversity& wanted, const std::vector<SymbolSource>& sources);

/// `zone` is zone_id(owner, name), so that nobody else can write a policy for it; of two policies the higher serial counts.
struct ZonePolicy {
  static constexpr std::string_view kName = "ZonePolicy";
  static constexpr uint16_t kVersion = 2;
  ZoneId zone;
  PublicKey owner;
  std::string name;
  uint8_t trust_level = 0;              // 0 public to 100 the owner's own
  ClassSet classes = 0;
  std::vector<std::string> allow;       // patterns of operations; sorted. Empty: nothing
  std::vector<std::string> deny;
  std::vector<PublicKey> executors;     // machine owners, sorted; empty: every machine whose owner granted
  std::vector<PublicKey> publishers;    // whose bundles run in the zone, besides the owner's; sorted
  std::vector<IssuerSet> issuers;       // empty: the owner and the owner's nodes
  std::vector<PrincipalRule> principals;
  std::vector<FlowRule> flows;
  Distribution distribution;
  Diversity diversity;
  uint32_t epoch_seconds = 1;
  uint64_t capability_seconds_max = kCapabilityTtlMax;
  uint64_t revocation_age_seconds_max = 0;  // 0: no proof of freshness is asked for
  uint32_t audit_quorum = 0;                // distinct cosigners of an audit head
  uint64_t effective_epoch = 0;             // in epochs of epoch_seconds
  uint64_t issued = 0;
  uint64_t expires = 0;
  uint64_t serial = 0;

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("owner", owner);
    v("name", name);
    v("trust_level", trust_level);
    v("classes", classes);
    v("allow", allow);
    v("deny", deny);
    v("executors", executors);
    v("publishers", publishers);
    v("issuers", issuers);
    v("principals", principals);
    v("flows", flows);
    v("distribution", distribution);
    v("diversity", diversity);
    v("epoch_seconds", epoch_seconds);
    v("capability_seconds_max", capability_seconds_max);
    v("revocation_age_seconds_max", revocation_age_seconds_max);
    v("audit_quorum", audit_quorum);
    v("effective_epoch", effective_epoch);
    v("issued", issued);
    v("expires", expires);
    v("serial", serial);
  }
  const PublicKey& author() const { return owner; }
  Status validate() const;
};

/// The permission class that an operation belongs to by its name, 0 for operations outside the four.
ClassSet classes_of(std::string_view operation);

/// One operation, as a policy sees it.
struct PolicyQuestion {
  std::string_view operation;   // "storage.read"
  ClassSet classes = 0;         // the permission classes it belongs to; 0 for operations outside them
  PublicKey principal;          // the owner behind the node that asks
  PublicKey machine_owner;      // zero: no machine of anybody is used
};

/// What the policy answered and which rule spoke. `list` and `index` name the rule ("principals", 2); `pattern` the pattern that hit.
struct PolicyVerdict {
  bool allowed = false;
  const char* list = "";
  size_t index = 0;
  const std::string* pattern = nullptr;  // within the policy
  /// "denied by principals[2].deny "storage.*"": for a person.
  std::string text() const;
};
PolicyVerdict judge_policy(const ZonePolicy& policy, const PolicyQuestion& question, Instant now);

/// Whether a policy in force today lets what has crossed `taint` times go to (kOut) or come from (kIn) `peer`. The rule, or nullptr.
const FlowRule* find_flow(const ZonePolicy& policy, FlowDirection direction, const ZoneId& peer, uint8_t taint);

/// What every new owner has (row A6): name, trust level, and who may do what. nullopt for a name that is not one of
/// owner, private, work, community, public. The caller fills in times and serial.
std::optional<ZonePolicy> default_policy(const PublicKey& owner, std::string_view name);
/// The names of the default zones, most trusted first.
const std::vector<std::string>& default_zone_names();

}  // namespace selvedge::object
