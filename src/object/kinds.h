// The kinds of signed objects: who is who, who may do what, what was asked, and what happened.
//
// Each is a visited struct (codec/schema.h): its CBOR, schema id and JSON follow from visit(). author() says whose signature it
// needs; validate() holds what can be checked without looking at anything else, lifetimes among it: an object that would live
// longer than its kind may is neither made nor opened (A12). Times are Unix seconds unless a name ends in _ms.
// Changing a field, its order or its type changes the schema id: raise kVersion with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "object/ids.h"

namespace selvedge::object {

// ---- lifetimes, in seconds (spec: FM 12.2)
inline constexpr uint64_t kDay = 86'400;
inline constexpr uint64_t kCapabilityTtlMax = 90 * kDay;   // Grant, Capability
inline constexpr uint64_t kDelegationTtlMax = 90 * kDay;   // NodeRecord, ZonePolicy
inline constexpr uint64_t kSymbolTtlDefault = 30 * kDay;
inline constexpr uint64_t kAuditTtlDefault = 7 * 365 * kDay;
inline constexpr uint64_t kOfferTtlMax = kDay;             // TaskOffer
inline constexpr uint64_t kLeaseTtlMax = kCapabilityTtlMax;

// ---- bounds of lists and texts
inline constexpr size_t kExecutorsMax = 1024;
inline constexpr size_t kAccessObjectsMax = 4096;
inline constexpr size_t kArgsMax = 256;
inline constexpr size_t kArgSizeMax = 4096;
inline constexpr size_t kInputsMax = 4096;
inline constexpr size_t kTaskFilesMax = 256;      // inputs that are files; an archive is one
inline constexpr size_t kEnvironmentMax = 64;
inline constexpr size_t kBlobGroupsMax = 4096;
inline constexpr size_t kHoldersMax = 64;
inline constexpr size_t kAddressesMax = 16;
inline constexpr size_t kAddressSizeMax = 255;
inline constexpr size_t kNameSizeMax = 255;
inline constexpr size_t kSealedKeysSizeMax = 512 * 1024;
inline constexpr size_t kAuthorityMax = 64;

struct TaskIdTag;
struct UniqueTag;
struct RevealNonceTag;
struct RevokedIdTag;
/// Chosen at random by the origin for each task it wants done.
using TaskId = FixedBytes<TaskIdTag, 32>;
/// Tells two otherwise equal grants or capabilities apart.
using Unique = FixedBytes<UniqueTag, 16>;
/// Hides a result until it is revealed.
using RevealNonce = FixedBytes<RevealNonceTag, 32>;
/// An ObjectId or a public key, whichever a revocation is about.
using RevokedId = FixedBytes<RevokedIdTag, 32>;

/// The four permissions a person decides about one by one (A20), as a bit set.
using ClassSet = uint32_t;
inline constexpr ClassSet kCompute = 1;
inline constexpr ClassSet kStorage = 2;
inline constexpr ClassSet kIngress = 4;
inline constexpr ClassSet kAttested = 8;
inline constexpr ClassSet kClassesAll = 15;

/// What may be done to stored objects, as a bit set.
using VerbSet = uint32_t;
inline constexpr VerbSet kRead = 1;
inline constexpr VerbSet kStore = 2;
inline constexpr VerbSet kDelete = 4;
inline constexpr VerbSet kVerbsAll = 7;

/// An owner says: this node is mine, and this is how to seal things to it: the claim that binds a principal to a device (row A8). For an
/// origin it is the delegation under which its nodes act; of two records for one node the higher serial counts.
struct NodeRecord {
  static constexpr std::string_view kName = "NodeRecord";
  static constexpr uint16_t kVersion = 2;
  PublicKey owner;
  PublicKey node;
  SealPublicKey seal_key;
  uint64_t issued = 0;
  uint64_t expires = 0;
  uint64_t serial = 0;
  std::optional<PublicKey> succeeds;  // the node key that this one replaces: what named that one goes on with this one

  template <class V>
  void visit(V& v) {
    v("owner", owner);
    v("node", node);
    v("seal_key", seal_key);
    v("issued", issued);
    v("expires", expires);
    v("serial", serial);
    v("succeeds", succeeds);
  }
  const PublicKey& author() const { return owner; }
  Status validate() const;
};

/// When a machine may be used, besides how much of it.
struct Conditions {
  uint8_t battery_percent_min = 0;  // applies while not charging
  bool only_while_charging = false;

  template <class V>
  void visit(V& v) {
    v("battery_percent_min", battery_percent_min);
    v("only_while_charging", only_while_charging);
  }
};

/// How a machine may be used: what a lease may ask of it at once, and what it is worth beside others. spec: WF 4.3.2
struct Manners {
  uint32_t burst_us = 10'000;            // of processor time between two rests
  uint32_t wakeups_per_second = 100;
  uint32_t network_kbps = 0;             // thousands of bits a second of inputs, outputs and states, each way; 0: no bound
  uint8_t heat_max = 2;                  // 0 calm, 1 raised, 2 high, 3 critical: when the machine is warmer, nothing runs
  uint32_t utility = 1;                  // of two leases the one with less goes first when the machine needs room

  template <class V>
  void visit(V& v) {
    v("burst_us", burst_us);
    v("wakeups_per_second", wakeups_per_second);
    v("network_kbps", network_kbps);
    v("heat_max", heat_max);
    v("utility", utility);
  }
};
inline constexpr uint32_t kBurstUsMin = 500, kBurstUsMax = 1'000'000, kWakeupsMax = 10'000, kUtilityMax = 1000;

/// A machine owner's consent: `origin` may use `node`, this much of it, under these conditions, until then.
struct Grant {
  static constexpr std::string_view kName = "Grant";
  static constexpr uint16_t kVersion = 2;
  PublicKey owner;
  PublicKey node;
  PublicKey origin;
  ClassSet classes = 0;
  uint32_t cpu_permille = 0;  // thousandths of one core; 4000 is four cores
  uint64_t memory_bytes = 0;
  uint64_t storage_bytes = 0;
  uint64_t issued = 0;
  uint64_t expires = 0;
  Unique nonce;
  Conditions conditions;
  Manners manners;

  template <class V>
  void visit(V& v) {
    v("owner", owner);
    v("node", node);
    v("origin", origin);
    v("classes", classes);
    v("cpu_permille", cpu_permille);
    v("memory_bytes", memory_bytes);
    v("storage_bytes", storage_bytes);
    v("issued", issued);
    v("expires", expires);
    v("nonce", nonce);
    v("conditions", conditions);
    v("manners", manners);
  }
  const PublicKey& author() const { return owner; }
  Status validate() const;
};

enum class LeaseState : uint8_t { kActive, kExpiring, kRevoked, kExpired, kLast = kExpired };
const char* enum_name(LeaseState state);

/// A node says: this grant is in force here, in this state.
struct Lease {
  static constexpr std::string_view kName = "Lease";
  static constexpr uint16_t kVersion = 1;
  ObjectId grant;
  PublicKey node;
  PublicKey origin;
  uint64_t started = 0;
  uint64_t expires = 0;
  LeaseState state = LeaseState::kActive;

  template <class V>
  void visit(V& v) {
    v("grant", grant);
    v("node", node);
    v("origin", origin);
    v("started", started);
    v("expires", expires);
    v("state", state);
  }
  const PublicKey& author() const { return node; }
  Status validate() const;
};

/// One input of a task: content by Cid, and the object its symbols are kept under.
struct TaskInput {
  Cid cid;
  std::optional<ObjectId> object;
  // Where the program finds it: "" on standard input, behind the inputs before it; "a/b" in the file /a/b; "a/" (or "/") as a ustar archive
  // whose tree is in the folder /a (or in the root).
  std::string path{};

  template <class V>
  void visit(V& v) {
    v("cid", cid);
    v("object", object);
    v("path", path);
  }
};

/// What is to be computed. Deterministic: equal specs give equal outputs everywhere.
struct TaskSpec {
  static constexpr std::string_view kName = "TaskSpec";
  static constexpr uint16_t kVersion = 3;
  PublicKey origin;
  std::optional<ObjectId> bundle;  // the manifest (bundle.h) that pins the module
  std::string entry;               // which of its entries; empty without a bundle
  Cid module;
  std::optional<ObjectId> module_object;
  std::vector<std::string> args;
  std::vector<std::string> environment;   // "NAME=value", sorted by name, each name once
  std::vector<TaskInput> inputs;
  uint64_t seed = 0;
  uint64_t fuel_limit = 0;
  uint64_t memory_bytes = 0;
  uint64_t output_bytes_max = 0;

  template <class V>
  void visit(V& v) {
    v("origin", origin);
    v("bundle", bundle);
    v("entry", entry);
    v("module", module);
    v("module_object", module_object);
    v("args", args);
    v("environment", environment);
    v("inputs", inputs);
    v("seed", seed);
    v("fuel_limit", fuel_limit);
    v("memory_bytes", memory_bytes);
    v("output_bytes_max", output_bytes_max);
  }
  Status validate() const;
};

/// A piece of content that is coded into symbols (or travels whole, R27). Unsigned: its ObjectId is what its symbols are named and
/// sealed by (R23), and whoever refers to it signs that reference.
struct BlockGroup {
  static constexpr std::string_view kName = "BlockGroup";
  static constexpr uint16_t kVersion = 2;
  ZoneId zone;
  uint64_t epoch = 0;          // of the zone key that its symbols are sealed under
  uint64_t object_bytes = 0;
  uint32_t symbol_bytes = 0;   // 0 exactly when `whole`
  uint32_t source_blocks = 0;  // 0 exactly when `whole`; at most 256
  Digest content_tag;          // ZoneKeys::content_tag: a holder without the zone's key cannot confirm a guess
  bool whole = false;          // one sealed frame instead of symbols

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("epoch", epoch);
    v("object_bytes", object_bytes);
    v("symbol_bytes", symbol_bytes);
    v("source_blocks", source_blocks);
    v("content_tag", content_tag);
    v("whole", whole);
  }
  Status validate() const;
};

/// How a blob can be had: its content name and size, and the pieces its bytes are kept as, in order. Whoever refers to it signs the
/// reference; the pieces' object ids follow from their BlockGroups.
struct BlobRef {
  static constexpr std::string_view kName = "BlobRef";
  static constexpr uint16_t kVersion = 2;
  Cid cid;
  uint64_t size = 0;
  std::vector<BlockGroup> groups;

  template <class V>
  void visit(V& v) {
    v("cid", cid);
    v("size", size);
    v("groups", groups);
  }
  Status validate() const;
};

/// Where symbols of the inputs can be had: hints, verified when dialled.
struct Holder {
  PublicKey node;
  std::vector<std::string> addresses;

  template <class V>
  void visit(V& v) {
    v("node", node);
    v("addresses", addresses);
  }
};

/// An origin's node asks one executor to run a task under one grant.
struct TaskOffer {
  static constexpr std::string_view kName = "TaskOffer";
  static constexpr uint16_t kVersion = 3;
  TaskId task;
  ZoneId zone;
  TaskSpec spec;
  PublicKey issuer;    // the origin's own key, or a node it delegated to
  PublicKey executor;  // the node key of the machine
  ObjectId grant;
  Bytes sealed_keys;  // object keys of the inputs for the executor (zone_keys.h); never zone keys
  Bytes capability;   // a signed Capability for the executor, or empty
  Bytes manifest;     // the signed Manifest of spec.bundle, or empty
  std::vector<BlobRef> blobs;  // the module and each input of the spec
  std::vector<Holder> holders;
  uint64_t issued = 0;
  uint64_t expires = 0;

  template <class V>
  void visit(V& v) {
    v("task", task);
    v("zone", zone);
    v("spec", spec);
    v("issuer", issuer);
    v("executor", executor);
    v("grant", grant);
    v("sealed_keys", sealed_keys);
    v("capability", capability);
    v("manifest", manifest);
    v("blobs", blobs);
    v("holders", holders);
    v("issued", issued);
    v("expires", expires);
  }
  const PublicKey& author() const { return issuer; }
  Status validate() const;
};

enum class Outcome : uint8_t {
  kOk,
  kTrap,            // the guest trapped or returned an error
  kFuel,            // the fuel limit was reached
  kMemory,          // the memory limit was reached
  kOutputTooLarge,
  kBadModule,       // not a module that the rewriter takes
  kBadInput,        // an input is missing or is not what its name says
  kInconclusive,    // stopped for a reason that says nothing about the result; never compared
  kLast = kInconclusive,
};
const char* enum_name(Outcome outcome);

/// An executor binds itself to a result before anyone shows theirs. `digest` is commitment_digest() of the reveal to come.
struct Commitment {
  static constexpr std::string_view kName = "Commitment";
  static constexpr uint16_t kVersion = 1;
  TaskId task;
  PublicKey executor;
  Digest digest;

  template <class V>
  void visit(V& v) {
    v("task", task);
    v("executor", executor);
    v("digest", digest);
  }
  const PublicKey& author() const { return executor; }
  Status validate() const;
};

struct Reveal {
  static constexpr std::string_view kName = "Reveal";
  static constexpr uint16_t kVersion = 1;
  TaskId task;
  PublicKey executor;
  RevealNonce nonce;
  Outcome outcome = Outcome::kOk;
  std::optional<Cid> output;  // present exactly when the outcome is kOk
  Digest trace;
  uint64_t fuel = 0;

  template <class V>
  void visit(V& v) {
    v("task", task);
    v("executor", executor);
    v("nonce", nonce);
    v("outcome", outcome);
    v("output", output);
    v("trace", trace);
    v("fuel", fuel);
  }
  const PublicKey& author() const { return executor; }
  Status validate() const;
};

/// What a Commitment to this reveal must hold. It covers task and executor, so that nobody can commit by copying.
Digest commitment_digest(const Reveal& reveal);

/// A signed account of what ran, for how long, and what it used.
struct Receipt {
  static constexpr std::string_view kName = "Receipt";
  static constexpr uint16_t kVersion = 4;
  PublicKey executor;
  PublicKey owner;
  PublicKey origin;
  ObjectId grant;
  TaskId task;
  Cid module;
  Digest rewritten;                 // SHA-256 of the module as it ran
  std::optional<ObjectId> bundle;   // the manifest that pinned the module
  std::vector<ObjectId> authority;  // every object that authorize() rested on
  uint64_t started_ms = 0;
  uint64_t finished_ms = 0;
  uint64_t fuel = 0;                // used here
  uint64_t fuel_before = 0;         // used elsewhere, before the task went on here from a state
  uint64_t cpu_ns = 0;
  uint64_t memory_peak_bytes = 0;   // of the program
  uint64_t resident_peak_bytes = 0; // of its process, engine included
  uint64_t wakeups = 0;
  uint64_t frozen_ms = 0;           // of the time between start and end
  uint32_t degraded = 0;            // why it went slower than the grant allows, a set (docs/spec/objects.md)
  uint32_t violations = 0;          // of the lease, while it ran
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  Outcome outcome = Outcome::kOk;
  std::optional<Cid> output;
  Digest trace;

  template <class V>
  void visit(V& v) {
    v("executor", executor);
    v("owner", owner);
    v("origin", origin);
    v("grant", grant);
    v("task", task);
    v("module", module);
    v("rewritten", rewritten);
    v("bundle", bundle);
    v("authority", authority);
    v("started_ms", started_ms);
    v("finished_ms", finished_ms);
    v("fuel", fuel);
    v("fuel_before", fuel_before);
    v("cpu_ns", cpu_ns);
    v("memory_peak_bytes", memory_peak_bytes);
    v("resident_peak_bytes", resident_peak_bytes);
    v("wakeups", wakeups);
    v("frozen_ms", frozen_ms);
    v("degraded", degraded);
    v("violations", violations);
    v("bytes_in", bytes_in);
    v("bytes_out", bytes_out);
    v("outcome", outcome);
    v("output", output);
    v("trace", trace);
  }
  const PublicKey& author() const { return executor; }
  Status validate() const;
};

enum class RevocationTarget : uint8_t { kObject = 1, kCapability, kKey, kPrincipal, kDevice, kFirst = kObject, kLast = kDevice };
const char* enum_name(RevocationTarget target);
enum class RevocationReason : uint8_t { kUnspecified, kUserRequest, kSuperseded, kKeyCompromise, kDeviceLoss, kViolation, kLast = kViolation };
const char* enum_name(RevocationReason reason);

/// Takes trust back, for good, from `cutoff` on. Whose revocations count for a use is authorize()'s to say (spec: FM 12.1).
struct Revocation {
  static constexpr std::string_view kName = "Revocation";
  static constexpr uint16_t kVersion = 1;
  PublicKey issuer;
  RevocationTarget target_kind = RevocationTarget::kObject;
  RevokedId target;
  uint64_t cutoff = 0;
  RevocationReason reason = RevocationReason::kUnspecified;
  uint64_t issued = 0;

  template <class V>
  void visit(V& v) {
    v("issuer", issuer);
    v("target_kind", target_kind);
    v("target", target);
    v("cutoff", cutoff);
    v("reason", reason);
    v("issued", issued);
  }
  const PublicKey& author() const { return issuer; }
  Status validate() const;
};

}  // namespace selvedge::object
