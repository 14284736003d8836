#include "object/kinds.h"

#include <set>

#include "codec/tar.h"
#include "crypto/hash.h"
#include "object/validate.h"

namespace selvedge::object {
namespace {

Status check_outcome(Outcome outcome, const std::optional<Cid>& output) {
  if ((outcome == Outcome::kOk) == output.has_value()) return ok();
  return invalid("an output is named exactly when the outcome is ok");
}

}  // namespace

Status check_lifetime(const char* kind, uint64_t issued, uint64_t expires, uint64_t ttl_max) {
  if (expires <= issued) return invalid(std::string(kind) + " expires before it begins");
  if (expires - issued > ttl_max) {
    return invalid(std::string(kind) + " lives at most " + std::to_string(ttl_max / kDay) + " days: renew it instead");
  }
  return ok();
}

Status check_keys(const char* kind, std::initializer_list<const PublicKey*> keys) {
  for (const PublicKey* key : keys) {
    if (key->is_zero()) return invalid(std::string(kind) + " leaves out a key it must name");
  }
  return ok();
}

Status check_bits(const char* kind, uint32_t bits, uint32_t all) {
  if (bits == 0) return invalid(std::string(kind) + " allows nothing");
  if (bits & ~all) return fail(Errc::kUnsupported, std::string(kind) + " names a permission this build does not know");
  return ok();
}

Status check_text(const char* what, const std::string& text, size_t limit) {
  if (text.size() > limit) return fail(Errc::kLimit, std::string(what) + " is longer than " + std::to_string(limit) + " bytes");
  if (!codec::is_utf8(text)) return invalid(std::string(what) + " is not valid UTF-8");
  return ok();
}

const char* enum_name(LeaseState state) {
  switch (state) {
    case LeaseState::kActive: return "active";
    case LeaseState::kExpiring: return "expiring";
    case LeaseState::kRevoked: return "revoked";
    case LeaseState::kExpired: return "expired";
  }
  return "unknown";
}

const char* enum_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk: return "ok";
    case Outcome::kTrap: return "trap";
    case Outcome::kFuel: return "fuel";
    case Outcome::kMemory: return "memory";
    case Outcome::kOutputTooLarge: return "output_too_large";
    case Outcome::kBadModule: return "bad_module";
    case Outcome::kBadInput: return "bad_input";
    case Outcome::kInconclusive: return "inconclusive";
  }
  return "unknown";
}

const char* enum_name(RevocationTarget target) {
  switch (target) {
    case RevocationTarget::kObject: return "object";
    case RevocationTarget::kCapability: return "capability";
    case RevocationTarget::kKey: return "key";
    case RevocationTarget::kPrincipal: return "principal";
    case RevocationTarget::kDevice: return "device";
  }
  return "unknown";
}

const char* enum_name(RevocationReason reason) {
  switch (reason) {
    case RevocationReason::kUnspecified: return "unspecified";
    case RevocationReason::kUserRequest: return "user_request";
    case RevocationReason::kSuperseded: return "superseded";
    case RevocationReason::kKeyCompromise: return "key_compromise";
    case RevocationReason::kDeviceLoss: return "device_loss";
    case RevocationReason::kViolation: return "violation";
  }
  return "unknown";
}

Status NodeRecord::validate() const {
  TRY(check_keys("a node record", {&owner, &node}));
  if (seal_key.is_zero()) return invalid("a node record leaves out the key to seal to");
  if (succeeds && (*succeeds == node || succeeds->is_zero())) return invalid("a node record says that a node replaces itself");
  return check_lifetime("a node record", issued, expires, kDelegationTtlMax);
}

Status Grant::validate() const {
  TRY(check_keys("a grant", {&owner, &node, &origin}));
  TRY(check_bits("a grant", classes, kClassesAll));
  if (conditions.battery_percent_min > 100) return invalid("a grant asks for more than 100 percent of battery");
  const bool sane = manners.burst_us >= kBurstUsMin && manners.burst_us <= kBurstUsMax && manners.wakeups_per_second >= 1 && manners.wakeups_per_second <= kWakeupsMax &&
                    manners.heat_max <= 3 && manners.utility >= 1 && manners.utility <= kUtilityMax;
  if (!sane) return invalid("a grant's burst is 0.5 ms to 1 s, its wake-ups 1 to 10000 a second, its heat at most 3, its utility 1 to 1000");
  return check_lifetime("a grant", issued, expires, kCapabilityTtlMax);
}

Status Lease::validate() const {
  TRY(check_keys("a lease", {&node, &origin}));
  return check_lifetime("a lease", started, expires, kLeaseTtlMax);
}

namespace {

Status check_environment(const std::vector<std::string>& environment) {
  if (environment.size() > kEnvironmentMax) return fail(Errc::kLimit, "a task has more than " + std::to_string(kEnvironmentMax) + " environment variables");
  std::string_view before;
  for (const std::string& variable : environment) {
    TRY(check_text("an environment variable of a task", variable, kArgSizeMax));
    const std::string_view name = std::string_view(variable).substr(0, variable.find('='));
    if (name.empty() || name.size() == variable.size()) return invalid("an environment variable of a task is not NAME=value");
    if (name <= before) return fail(Errc::kNonCanonical, "the environment of a task is not sorted by name, or has a name twice");
    before = name;
  }
  return ok();
}

Status check_files(const std::vector<TaskInput>& inputs) {
  std::set<std::string_view> paths;
  for (const TaskInput& input : inputs) {
    if (input.path.empty()) continue;
    std::string_view path = input.path;
    if (path.ends_with('/')) path.remove_suffix(1);
    if (!path.empty()) TRY(codec::check_tar_path(path));
    if (!paths.insert(path).second) return invalid("two inputs of a task are to be found at one place: " + input.path);
  }
  if (paths.size() > kTaskFilesMax) return fail(Errc::kLimit, "a task has more than " + std::to_string(kTaskFilesMax) + " files; an archive counts once");
  return ok();
}

}  // namespace

Status TaskSpec::validate() const {
  TRY(check_keys("a task", {&origin}));
  if (args.size() > kArgsMax || inputs.size() > kInputsMax) return fail(Errc::kLimit, "a task has too many arguments or inputs");
  for (const std::string& arg : args) TRY(check_text("an argument of a task", arg, kArgSizeMax));
  TRY(check_environment(environment));
  TRY(check_files(inputs));
  if (fuel_limit == 0 || memory_bytes == 0) return invalid("a task says how much fuel and memory it may use");
  TRY(check_text("the entry of a task", entry, kNameSizeMax));
  if (bundle.has_value() == entry.empty()) return invalid("a task names an entry exactly when it names a bundle");
  return ok();
}

Status BlobRef::validate() const {
  if (groups.size() > kBlobGroupsMax) return fail(Errc::kLimit, "a blob is kept in more than " + std::to_string(kBlobGroupsMax) + " pieces");
  uint64_t total = 0;
  for (const BlockGroup& group : groups) {
    TRY(group.validate());
    if (total + group.object_bytes < total) return invalid("the pieces of a blob add up to more than 64 bits hold");
    total += group.object_bytes;
  }
  if (!groups.empty() && total != size) return invalid("the pieces of a blob do not add up to its size");
  return ok();
}

Status TaskOffer::validate() const {
  TRY(spec.validate());
  TRY(check_keys("a task offer", {&issuer, &executor}));
  if (task.is_zero()) return invalid("a task offer leaves out the task id");
  if (sealed_keys.size() > kSealedKeysSizeMax) return fail(Errc::kLimit, "the sealed keys of a task offer are too large");
  if (capability.size() > kSealedKeysSizeMax) return fail(Errc::kLimit, "the capability in a task offer is too large");
  if (manifest.size() > kSealedKeysSizeMax) return fail(Errc::kLimit, "the manifest in a task offer is too large");
  if (spec.bundle.has_value() == manifest.empty()) return invalid("a task offer carries a manifest exactly when its task names a bundle");
  if (blobs.size() > kInputsMax + 1) return fail(Errc::kLimit, "a task offer names more blobs than a task has inputs");
  for (const BlobRef& blob : blobs) TRY(blob.validate());
  if (holders.size() > kHoldersMax) return fail(Errc::kLimit, "a task offer names more than " + std::to_string(kHoldersMax) + " holders");
  for (const Holder& holder : holders) {
    TRY(check_keys("a holder", {&holder.node}));
    if (holder.addresses.size() > kAddressesMax) return fail(Errc::kLimit, "a holder has too many addresses");
    for (const std::string& address : holder.addresses) TRY(check_text("an address", address, kAddressSizeMax));
  }
  return check_lifetime("a task offer", issued, expires, kOfferTtlMax);
}

Status Commitment::validate() const { return check_keys("a commitment", {&executor}); }

Status Reveal::validate() const {
  TRY(check_keys("a reveal", {&executor}));
  return check_outcome(outcome, output);
}

Digest commitment_digest(const Reveal& reveal) {
  return crypto::Sha256().update(view("selvedge commitment v1")).update(codec::encode(reveal)).finish();
}

Status Receipt::validate() const {
  TRY(check_keys("a receipt", {&executor, &owner, &origin}));
  if (finished_ms < started_ms) return invalid("a receipt ends before it begins");
  if (authority.size() > kAuthorityMax) return fail(Errc::kLimit, "a receipt rests on too many objects");
  if (fuel > UINT64_MAX - fuel_before) return invalid("a receipt is of more fuel than there is");
  return check_outcome(outcome, output);
}

Status Revocation::validate() const {
  TRY(check_keys("a revocation", {&issuer}));
  if (target.is_zero()) return invalid("a revocation does not say what it revokes");
  return ok();
}

Status BlockGroup::validate() const {
  if (epoch == 0) return invalid("a block group names the zone key epoch it is sealed under, counted from 1");
  constexpr uint32_t kSourceBlocksMax = 256;  // SBN has eight bits, RFC 6330 3.2
  if (whole) {
    if (symbol_bytes != 0 || source_blocks != 0) return invalid("a block group that travels whole has no symbols");
    return ok();
  }
  if (symbol_bytes == 0 || source_blocks == 0 || object_bytes == 0) return invalid("a block group has symbols of some size, in blocks");
  if (source_blocks > kSourceBlocksMax) return fail(Errc::kLimit, "a block group has at most 256 source blocks");
  return ok();
}

}  // namespace selvedge::object
