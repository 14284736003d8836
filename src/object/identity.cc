#include "object/identity.h"

#include <algorithm>

#include "crypto/hash.h"
#include "object/tpm_quote.h"

namespace selvedge::object {
namespace {

constexpr std::string_view kSecretLabel = "selvedge identity secret v1";
constexpr std::string_view kKeyLabel = "selvedge identity key v1";
constexpr std::string_view kAttestationKeyLabel = "selvedge attestation key v1";
constexpr std::string_view kLeaseLabel = "selvedge token lease v1";
constexpr std::string_view kStatementLabel = "selvedge attested statement v1";
constexpr std::string_view kPossessionLabel = "selvedge token possession v1";

/// Both parts have one length, so that no two scopes run together.
Bytes scope_of(const PublicKey& origin, uint64_t period) {
  Bytes out = to_bytes(origin);
  append_u64(out, period);
  return out;
}

std::string_view format_of(IdentityTier tier) {
  switch (tier) {
    case IdentityTier::kSoftware: return kFormatNone;
    case IdentityTier::kHardwareBasic: return kFormatTpmKey;
    case IdentityTier::kHardwareStrong: return kFormatTpmQuote;
  }
  return kFormatNone;
}

Status check_attestation_shape(IdentityTier tier, const Attestation& attestation) {
  if (attestation.data.size() > kAttestationSizeMax) {
    return fail(Errc::kLimit, "the attestation of an identity token is larger than " + std::to_string(kAttestationSizeMax) + " bytes");
  }
  if (attestation.format != format_of(tier)) {
    return fail(Errc::kUnsupported, std::string("an identity token of tier ") + enum_name(tier) + " has an attestation of a format that this build does not know");
  }
  if ((tier == IdentityTier::kSoftware) != attestation.data.empty()) {
    return fail(Errc::kInvalid, "an identity token holds attestation data exactly when its tier is a hardware tier");
  }
  return ok();
}

bool on_grain(uint64_t time, uint64_t grain) { return time % grain == 0; }

/// What the attestation proves, trust apart.
struct Proven {
  IdentityTier tier = IdentityTier::kSoftware;
  Digest key_name;
  Bytes endorsement;
  Digest measured;
};

Result<Proven> check_attestation(const IdentityToken& token) {
  if (token.tier == IdentityTier::kSoftware) return Proven{};
  TpmEvidence evidence = TRY(codec::decode<TpmEvidence>(token.attestation.data));
  const Digest statement = attested_statement(token);
  if (token.tier == IdentityTier::kHardwareBasic) {
    const TpmKey key = TRY(check_tpm_key(evidence, statement));
    return Proven{token.tier, key.name, std::move(evidence.endorsement), {}};
  }
  const CheckedQuote quote = TRY(check_tpm_quote(evidence, statement));
  return Proven{token.tier, quote.key.name, std::move(evidence.endorsement), quote.measured};
}

/// Whether an endorser that `trust` names says now that the key lies in a chip. Errors: kIntegrity and others for a malformed word.
Result<bool> is_endorsed(const Proven& proven, const HardwareTrust& trust, const RevocationSet& revocations, const crypto::Verifier& verifier, Instant now) {
  if (proven.endorsement.empty()) return false;
  const Signed<KeyEndorsement> word = TRY(open_object<KeyEndorsement>(proven.endorsement, verifier));
  if (!(word.body.key_name == proven.key_name)) return fail(Errc::kIntegrity, "the endorsement is for another attestation key");
  const uint64_t at = now.unix_seconds();
  const bool in_time = word.body.issued <= at + kClockSkewSecondsMax && at < word.body.expires;
  const bool trusted = std::find(trust.endorsers.begin(), trust.endorsers.end(), word.signer) != trust.endorsers.end();
  return in_time && trusted && !revocations.revoked_by(word.signer, RevocationTarget::kObject, word.id, now) &&
         !revocations.revoked_by(word.signer, RevocationTarget::kKey, proven.key_name, now);
}

Status check_token_times(const IdentityToken& token, Instant now) {
  if (now.unix_seconds() + kClockSkewSecondsMax < token.issued) return fail(Errc::kExpired, "the identity token is not valid yet: one of the two clocks is wrong");
  if (now.unix_seconds() >= token.expires) return fail(Errc::kExpired, "the identity token has expired: ask the node for a new one");
  return ok();
}

Status check_token_revocations(const Signed<IdentityToken>& token, const RevocationSet& revocations, Instant now) {
  const PublicKey& id = token.body.node_id;
  // A token is revoked as a capability is: a revocation set forgets those when what they name has long expired.
  if (revocations.revoked_by(id, RevocationTarget::kCapability, token.id, now) || revocations.revoked_by(id, RevocationTarget::kKey, id, now)) {
    return fail(Errc::kRevoked, "the node has taken this identity token back");
  }
  for (const RevocationTarget kind : {RevocationTarget::kKey, RevocationTarget::kDevice, RevocationTarget::kPrincipal}) {
    if (revocations.revoked_by(token.body.origin, kind, id, now)) return fail(Errc::kRevoked, "the origin has shut out the node that this identity token names");
  }
  return ok();
}

Status check_token_lease(const IdentityToken& token, const Signed<Grant>& grant, const RevocationSet& revocations, Instant now) {
  if (!(grant.body.origin == token.origin) || !token.lease || !(*token.lease == lease_binding(grant.id, token.node_id, token.nonce))) {
    return fail(Errc::kUnauthorized, "the identity token is not bound to this lease");
  }
  if (now.unix_seconds() >= grant.body.expires) return fail(Errc::kExpired, "the lease that the identity token is bound to has expired");
  if (revocations.revoked_by(grant.body.owner, RevocationTarget::kCapability, grant.id, now)) {
    return fail(Errc::kRevoked, "the lease that the identity token is bound to was revoked");
  }
  return ok();
}

Error tier_missing(IdentityTier least, const TokenBearer& bearer, const IdentityToken& token) {
  std::string message = std::string("this needs an identity of tier ") + enum_name(least) + ", and the token proves " + enum_name(bearer.tier);
  if (token.tier >= least && bearer.tier == IdentityTier::kSoftware) message += ": no endorser that is trusted here says that its attestation key lies in a chip";
  else if (token.tier >= least) message += ": the machine's measured state is not one that is accepted here";
  return fail(Errc::kUnauthorized, message);
}

Bytes possession_message(const ObjectId& token, ByteView channel) {
  Bytes out = to_bytes(view(kPossessionLabel));
  append(out, token);
  append(out, crypto::sha256(channel));
  return out;
}

}  // namespace

const char* enum_name(IdentityTier tier) {
  switch (tier) {
    case IdentityTier::kSoftware: return "software";
    case IdentityTier::kHardwareBasic: return "hardware-basic";
    case IdentityTier::kHardwareStrong: return "hardware-strong";
  }
  return "unknown";
}

Result<IdentityTier> identity_tier_from_name(std::string_view name) {
  for (const IdentityTier tier : {IdentityTier::kSoftware, IdentityTier::kHardwareBasic, IdentityTier::kHardwareStrong}) {
    if (name == enum_name(tier)) return tier;
  }
  return fail(Errc::kInvalid, "there is no such identity tier: it is one of software, hardware-basic, hardware-strong");
}

Status IdentityToken::validate() const {
  if (origin.is_zero() || node_id.is_zero()) return fail(Errc::kInvalid, "an identity token leaves out a key it must name");
  TRY(check_attestation_shape(tier, attestation));
  TRY(check_purpose(purpose));
  if (!on_grain(issued, kTokenTimeGrainSeconds) || !on_grain(expires, kTokenTimeGrainSeconds)) {
    return fail(Errc::kInvalid, "the times of an identity token are whole minutes, so that they do not tell which tokens belong together");
  }
  if (expires <= issued) return fail(Errc::kInvalid, "an identity token expires before it begins");
  if (expires - issued > kTokenTtlMax) {
    return fail(Errc::kInvalid, "an identity token lives at most " + std::to_string(kTokenTtlMax) + " seconds: ask for a new one instead");
  }
  return ok();
}

Status KeyEndorsement::validate() const {
  if (endorser.is_zero() || key_name.is_zero()) return fail(Errc::kInvalid, "an endorsement leaves out who endorses, or which key");
  if (!on_grain(issued, kDay) || !on_grain(expires, kDay)) return fail(Errc::kInvalid, "the times of an endorsement are whole days");
  if (expires <= issued || expires - issued > kEndorsementTtlMax) {
    return fail(Errc::kInvalid, "an endorsement lives at least one day and at most " + std::to_string(kEndorsementTtlMax / kDay));
  }
  return ok();
}

crypto::Seed identity_secret(const crypto::Seed& node_seed) { return crypto::hkdf_sha256_key(node_seed.view(), view(kSecretLabel), {}); }

uint64_t identity_period(Instant now) { return now.unix_seconds() / kIdentityPeriodSeconds; }

crypto::Seed key_for_origin(const crypto::Seed& secret, const PublicKey& origin, uint64_t period) {
  return crypto::hkdf_sha256_key(secret.view(), view(kKeyLabel), scope_of(origin, period));
}

Digest attestation_key_id(const crypto::Seed& secret, const PublicKey& origin, uint64_t period) {
  Digest out;
  crypto::hkdf_sha256(secret.view(), view(kAttestationKeyLabel), scope_of(origin, period), out.bytes);
  return out;
}

Digest lease_binding(const ObjectId& grant, const PublicKey& node_id, const TokenNonce& nonce) {
  return crypto::Sha256().update(view(kLeaseLabel)).update(grant).update(node_id).update(nonce).finish();
}

Result<TokenTimes> token_times(Instant now, uint64_t ttl_seconds) {
  if (ttl_seconds < kTokenTtlMin || ttl_seconds > kTokenTtlMax) {
    return fail(Errc::kInvalid, "an identity token lives between " + std::to_string(kTokenTtlMin) + " and " + std::to_string(kTokenTtlMax) + " seconds");
  }
  const uint64_t issued = now.unix_seconds() - now.unix_seconds() % kTokenTimeGrainSeconds;
  return TokenTimes{issued, issued + ttl_seconds - ttl_seconds % kTokenTimeGrainSeconds};
}

Status check_purpose(std::string_view purpose) {
  if (purpose.empty()) return fail(Errc::kInvalid, "say what the identity is for: the purpose is shown to the machine's owner");
  if (purpose.size() > kTokenPurposeSizeMax) return fail(Errc::kLimit, "the purpose is longer than " + std::to_string(kTokenPurposeSizeMax) + " bytes");
  const bool printable = std::none_of(purpose.begin(), purpose.end(), [](char c) { return uint8_t(c) < 0x20 || uint8_t(c) == 0x7f; });
  if (!printable || !codec::is_utf8(purpose)) return fail(Errc::kInvalid, "the purpose is not plain text");
  return ok();
}

Digest attested_statement(const IdentityToken& token) {
  Bytes fixed(1 + 16);
  fixed[0] = uint8_t(token.tier);
  store_u64(fixed.data() + 1, token.issued);
  store_u64(fixed.data() + 9, token.expires);
  return crypto::Sha256().update(view(kStatementLabel)).update(fixed).update(token.origin).update(token.node_id).update(token.nonce).finish();
}

Result<IdentityTier> choose_tier(const TierRule& rule, IdentityTier available, std::string_view why_no_more) {
  if (rule.least > rule.wanted) return fail(Errc::kInvalid, "the lowest acceptable tier is above the one that is asked for");
  if (available >= rule.least) return std::min(rule.wanted, available);
  return fail(Errc::kUnavailable, std::string("an identity of tier ") + enum_name(rule.least) + " cannot be had here, only " + enum_name(available) + ": " +
                                      std::string(why_no_more));
}

Result<TokenBearer> verify_token(const Signed<IdentityToken>& token, const TokenCheck& check, const crypto::Verifier& verifier, Instant now) {
  if (check.revocations == nullptr || check.origin.is_zero()) return fail(Errc::kInvalid, "checking an identity token needs the origin and the revocations");
  if (!(token.body.origin == check.origin)) return fail(Errc::kUnauthorized, "the identity token is for another origin");
  TRY(check_token_times(token.body, now));
  TRY(check_token_revocations(token, *check.revocations, now));
  if (check.lease != nullptr) TRY(check_token_lease(token.body, *check.lease, *check.revocations, now));
  const Proven proven = TRY(check_attestation(token.body));
  static const HardwareTrust kNobody;
  const HardwareTrust& trust = check.trust != nullptr ? *check.trust : kNobody;
  TokenBearer bearer{token.body.node_id, IdentityTier::kSoftware, TRY(is_endorsed(proven, trust, *check.revocations, verifier, now)), token.body.expires};
  if (bearer.endorsed || trust.unendorsed == Unendorsed::kIsBelieved) bearer.tier = proven.tier;
  const std::vector<Digest>& states = trust.measured_states;
  if (bearer.tier == IdentityTier::kHardwareStrong && !states.empty() && std::find(states.begin(), states.end(), proven.measured) == states.end()) {
    bearer.tier = IdentityTier::kHardwareBasic;
  }
  if (bearer.tier < check.tier_min) return tier_missing(check.tier_min, bearer, token.body);
  return bearer;
}

crypto::Signature prove_possession(const crypto::Signer& scoped_key, const ObjectId& token, ByteView channel) {
  return scoped_key.sign(possession_message(token, channel));
}

bool verify_possession(const Signed<IdentityToken>& token, ByteView channel, const crypto::Signature& proof, const crypto::Verifier& verifier) {
  return verifier.verify(token.body.node_id, possession_message(token.id, channel), proof);
}

}  // namespace selvedge::object
