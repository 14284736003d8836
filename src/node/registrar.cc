#include "node/registrar.h"

#include <algorithm>

#include "codec/multibase.h"

namespace selvedge::node {

namespace {

using object::IdentityTier;

std::optional<crypto::Digest> digest_of(const std::optional<object::ObjectId>& id) {
  if (!id) return std::nullopt;
  return convert<crypto::Digest>(*id);
}

constexpr const char* kNotAllowed =
    "hardware-strong shows the machine's boot state and a clock by which origins that compare notes can recognise it, so it needs a grant to this "
    "origin with the permission for attested execution (it asks with selvedge grant ask, you answer with selvedge grant answer)";

}  // namespace

std::unique_ptr<crypto::Signer> Registrar::scoped_signer(const crypto::PublicKey& origin, uint64_t period) const {
  return core_.config.make_signer(object::key_for_origin(core_.config.identity_secret, origin, period));
}

Result<IdentityTier> Registrar::tier_for(Instant now, const crypto::PublicKey& origin, const object::TierRule& rule, std::string& degraded) const {
  IdentityTier available = core_.config.attestation;
  std::string missing = core_.config.attestation_missing;
  const bool allowed = origin == core_.owner() || core_.authority.serves(now, origin, object::kAttested);
  if (available == IdentityTier::kHardwareStrong && !allowed) {
    available = IdentityTier::kHardwareBasic;
    missing = kNotAllowed;
  }
  const IdentityTier chosen = TRY(object::choose_tier(rule, available, missing));
  if (chosen < rule.wanted) degraded = missing;
  return chosen;
}

Result<Registrar::Draft> Registrar::draft(Turn& turn, const IdentityRequest& request) {
  const Result<crypto::PublicKey> origin = codec::parse_key(request.origin);
  if (!origin.ok()) return fail(Errc::kInvalid, "the origin is not a key: " + origin.error().message);
  Draft out;
  out.rule.least = TRY(object::identity_tier_from_name(request.tier_min));
  out.rule.wanted = request.tier.empty() ? out.rule.least : TRY(object::identity_tier_from_name(request.tier));
  const object::TokenTimes times = TRY(object::token_times(turn.now, request.seconds));
  // From here on something is learned, so from here on it is paid for.
  TRY(budget_.spend(turn.now, *origin, request.purpose));
  out.period = object::identity_period(turn.now);
  object::IdentityToken& body = out.body;
  body.origin = *origin;
  body.tier = TRY(tier_for(turn.now, *origin, out.rule, out.degraded));
  body.node_id = scoped_signer(*origin, out.period)->public_key();
  body.purpose = request.purpose;
  body.issued = times.issued;
  body.expires = times.expires;
  body.nonce = core_.drbg.draw<object::TokenNonce>();
  const object::ClassSet needed = body.tier == IdentityTier::kHardwareStrong ? object::kAttested : 0;
  if (const auto* lease = core_.authority.lease_of(turn.now, *origin, needed)) {
    out.lease = lease->id;
    body.lease = object::lease_binding(lease->id, body.node_id, body.nonce);
  }
  return out;
}

void Registrar::request(Turn& turn, const IdentityRequest& request, OnIdentity then) {
  Result<Draft> made = draft(turn, request);
  if (!made.ok()) return then(turn, made.error());
  if (made->body.tier == IdentityTier::kSoftware) return then(turn, issue(turn.now, std::move(made).value()));
  if (waiting_ >= kAttestationsWaitingMax) return then(turn, fail(Errc::kLimit, "the TPM has " + std::to_string(waiting_) + " requests before this one: try again shortly"));
  ++waiting_;
  const object::IdentityToken& body = made->body;
  object::AttestationRequest ask{body.tier, object::attested_statement(body), object::attestation_key_id(core_.config.identity_secret, body.origin, made->period), {}};
  core_.attest(turn, std::move(ask), [this, draft = std::move(made).value(), then = std::move(then)](Turn& t, Result<object::Attestation> attestation) {
    --waiting_;
    attested(t, draft, std::move(attestation), then);
  });
}

void Registrar::attested(Turn& turn, Draft draft, Result<object::Attestation> attestation, const OnIdentity& then) {
  if (attestation.ok()) {
    draft.body.attestation = std::move(attestation).value();
  } else if (draft.rule.least > IdentityTier::kSoftware) {
    return then(turn, fail(attestation.code(), std::string("an identity of tier ") + object::enum_name(draft.rule.least) + " cannot be had now: " + attestation.error().message));
  } else {
    core_.trace(turn, "an identity token is without hardware: " + attestation.error().message);
    draft.body.tier = IdentityTier::kSoftware;
    draft.degraded = attestation.error().message;
  }
  then(turn, issue(turn.now, std::move(draft)));
}

Result<IdentityAnswer> Registrar::issue(Instant now, Draft draft) {
  // The lease may have ended while the hardware was at work.
  if (draft.lease) {
    const object::Signed<object::Grant>* grant = core_.authority.given(*draft.lease);
    if (grant == nullptr || core_.authority.revoked(*grant, now)) {
      return fail(Errc::kRevoked, "the lease that the identity was to be bound to has been revoked meanwhile");
    }
  }
  const std::unique_ptr<crypto::Signer> signer = scoped_signer(draft.body.origin, draft.period);
  const object::Signed<object::IdentityToken> token = TRY(object::sign_object(*signer, std::move(draft.body)));
  TRY(book_.add(token, draft.lease, draft.period, now));
  IdentityAnswer answer;
  answer.id = convert<crypto::Digest>(token.id);
  answer.node_id = token.body.node_id;
  answer.origin = token.body.origin;
  answer.tier = token.body.tier;
  answer.attestation = token.body.attestation;
  answer.purpose = token.body.purpose;
  answer.lease = digest_of(draft.lease);
  answer.expires = token.body.expires;
  answer.degraded = std::move(draft.degraded);
  answer.token = token.bytes;
  answer.left = budget_.left(now, token.body.origin);
  return answer;
}

IdentityListAnswer Registrar::list(Instant now) const {
  IdentityListAnswer out;
  out.tier_available = core_.config.attestation;
  if (out.tier_available < IdentityTier::kLast) out.tier_missing = core_.config.attestation_missing;
  out.left_in_all = budget_.left_in_all(now);
  for (object::OriginBudget& each : budget_.list(now)) {
    out.origins.push_back({each.origin, std::min(each.left, out.left_in_all), each.asked, each.refused, std::move(each.purposes)});
  }
  for (const object::IssuedToken& token : book_.list(now)) {
    out.tokens.push_back({convert<crypto::Digest>(token.id), token.node_id, token.origin, token.tier, token.purpose, digest_of(token.lease), token.issued,
                          token.expires, token.invalidated ? "invalidated" : "in force"});
  }
  return out;
}

uint32_t Registrar::tell_fallen(Turn& turn, const object::IssuedToken& token) {
  const std::unique_ptr<crypto::Signer> signer = scoped_signer(token.origin, token.period);
  object::Revocation revocation;
  revocation.issuer = token.node_id;
  revocation.target_kind = object::RevocationTarget::kCapability;
  revocation.target.bytes = token.id.bytes;
  revocation.cutoff = turn.now.unix_seconds();
  revocation.reason = object::RevocationReason::kUserRequest;
  revocation.issued = turn.now.unix_seconds();
  const Result<object::Signed<object::Revocation>> made = object::sign_object(*signer, revocation);
  CHECK(made.ok());
  uint32_t told = 0;
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (!core_.sessions.up(key) || !peer.record || peer.record->body.owner != token.origin) continue;
    told += core_.send(turn, key, mesh::MeshMessages::encode(mesh::Records{{made->bytes}})) ? 1 : 0;
  }
  return told;
}

Result<IdentityWithdrawAnswer> Registrar::withdraw(Turn& turn, const std::string& id_prefix) {
  std::optional<object::ObjectId> found;
  for (const object::IssuedToken& token : book_.list(turn.now)) {
    if (id_prefix.empty() || token.invalidated || !token.id.hex().starts_with(id_prefix)) continue;
    if (found) return fail(Errc::kInvalid, "several identity tokens begin like that: give more of the id");
    found = token.id;
  }
  if (!found) return fail(Errc::kNotFound, "there is no such identity token in force: selvedge identity list shows them");
  const object::IssuedToken token = TRY(book_.withdraw(*found, turn.now));
  return IdentityWithdrawAnswer{convert<crypto::Digest>(token.id), token.origin, tell_fallen(turn, token)};
}

void Registrar::on_lease_ended(Turn& turn, const object::ObjectId& lease) {
  for (const object::IssuedToken& token : book_.invalidate(lease, turn.now)) tell_fallen(turn, token);
}

void Registrar::on_token_revoked(Turn& turn, const NodeKey& from, const object::Signed<object::Revocation>& revocation) {
  const object::Revocation& body = revocation.body;
  if (body.target_kind != object::RevocationTarget::kCapability || body.cutoff > turn.now.unix_seconds() + object::kClockSkewSecondsMax) return;
  size_t told = 0;
  for (auto it = taken_back_.begin(); it != taken_back_.end();) {
    if (it->second.forget_at <= turn.now) {
      it = taken_back_.erase(it);
    } else {
      told += it->second.told_by == from ? 1 : 0;
      ++it;
    }
  }
  const TakenBackKey key{convert<object::ObjectId>(body.target), revocation.signer};
  if (told >= kTokensTakenBackPerNodeMax || taken_back_.contains(key)) return;
  const Instant forget_at = turn.now + seconds(int64_t(object::kTokenTtlMax));
  if (taken_back_.insert(key, {from, forget_at}) == nullptr) core_.trace(turn, "too many identity tokens were taken back: one more is ignored");
}

Result<IdentityCheckAnswer> Registrar::check(Instant now, const IdentityCheckRequest& request) const {
  const Result<Bytes> bytes = from_hex(request.token);
  if (!bytes.ok()) return fail(Errc::kInvalid, "the identity token is not hexadecimal: " + bytes.error().message);
  const auto token = TRY(object::open_object<object::IdentityToken>(*bytes, core_.authority.verifier()));
  object::HardwareTrust trust;
  if (request.endorsers.size() > object::kEndorsersMax) return fail(Errc::kLimit, "too many endorsers");
  for (const std::string& text : request.endorsers) trust.endorsers.push_back(TRY(codec::parse_key(text)));
  if (request.believe_unendorsed) trust.unendorsed = object::Unendorsed::kIsBelieved;
  object::TokenCheck check;
  check.origin = core_.owner();
  check.tier_min = TRY(object::identity_tier_from_name(request.tier_min));
  check.revocations = &core_.authority.revocations();
  check.trust = &trust;
  if (token.body.lease && token.body.origin == core_.owner()) {
    for (const auto& [id, grant] : core_.authority.all_received()) {
      if (*token.body.lease == object::lease_binding(id, token.body.node_id, token.body.nonce)) check.lease = &grant;
    }
    if (check.lease == nullptr) return fail(Errc::kUnauthorized, "the identity token is bound to a lease that this node's owner does not have");
  }
  if (taken_back_.contains({token.id, token.body.node_id})) return fail(Errc::kRevoked, "the node has taken this identity token back");
  const object::TokenBearer bearer = TRY(object::verify_token(token, check, core_.authority.verifier(), now));
  IdentityCheckAnswer answer;
  answer.id = convert<crypto::Digest>(token.id);
  answer.node_id = bearer.node_id;
  answer.tier = bearer.tier;
  answer.tier_claimed = token.body.tier;
  answer.endorsed = bearer.endorsed;
  answer.purpose = token.body.purpose;
  if (check.lease != nullptr) answer.lease = convert<crypto::Digest>(check.lease->id);
  answer.expires = bearer.expires;
  return answer;
}

}  // namespace selvedge::node
