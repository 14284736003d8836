// The kinds of identity tokens, for docs/spec/vectors/objects.json. How scoped keys are derived is in tests/vectors/identity.
#include "object/vectors/cast.h"

namespace selvedge::object::vectors {
namespace {

using testing::kNow;

constexpr uint64_t kMinute = kNow / kTokenTimeGrainSeconds * kTokenTimeGrainSeconds;
constexpr uint64_t kDayBegin = kNow / kDay * kDay;

/// The stranger's seed stands in for a scoped key: a reader cannot tell, and that is the point of them.
IdentityToken token_of(const testing::World& w) {
  IdentityToken out;
  out.origin = w.origin.public_key();
  out.node_id = w.stranger.public_key();
  out.purpose = "run tasks";
  out.issued = kMinute;
  out.expires = kMinute + kTokenTtlDefault / kTokenTimeGrainSeconds * kTokenTimeGrainSeconds;
  out.nonce.bytes.fill(6);
  return out;
}

void add_bad_identities(Cast& c, const IdentityToken& token, const KeyEndorsement& endorsement) {
  const auto bad = [&](const char* why, void (*bend)(IdentityToken&)) { c.refuse<IdentityToken>(c.w.stranger, token, why, bend); };
  bad("times that are not whole minutes", [](IdentityToken& t) { ++t.issued; });
  bad("lives for an hour and a minute", [](IdentityToken& t) { t.expires = t.issued + kTokenTtlMax + kTokenTimeGrainSeconds; });
  bad("for no purpose", [](IdentityToken& t) { t.purpose.clear(); });
  bad("a purpose of 65 bytes", [](IdentityToken& t) { t.purpose.assign(65, 'a'); });
  bad("a line break in the purpose", [](IdentityToken& t) { t.purpose = "a\nb"; });
  bad("software with the attestation of a chip", [](IdentityToken& t) { t.attestation = {"tpm2-key", {1}}; });
  bad("software with attestation data", [](IdentityToken& t) { t.attestation.data = {1}; });
  bad("hardware without attestation data", [](IdentityToken& t) { t.tier = IdentityTier::kHardwareBasic; t.attestation.format = kFormatTpmKey; });
  bad("hardware with the attestation of software", [](IdentityToken& t) { t.tier = IdentityTier::kHardwareBasic; });
  bad("a tier that there is not", [](IdentityToken& t) { t.tier = IdentityTier(3); });
  const auto wrong = [&](const char* why, void (*bend)(KeyEndorsement&)) { c.refuse<KeyEndorsement>(c.w.host_owner, endorsement, why, bend); };
  wrong("times that are not whole days", [](KeyEndorsement& e) { ++e.expires; });
  wrong("lives for three days", [](KeyEndorsement& e) { e.expires = e.issued + 3 * kDay; });
  wrong("of no key", [](KeyEndorsement& e) { e.key_name = {}; });
}

}  // namespace

void add_identities(Cast& c) {
  IdentityToken token = token_of(c.w);
  c.add(c.w.stranger, "stranger", token);
  IdentityToken bound = token;
  bound.tier = IdentityTier::kHardwareBasic;
  bound.attestation = {std::string(kFormatTpmKey), to_bytes(view("what the chip signed"))};
  bound.lease = lease_binding(c.w.stored, bound.node_id, bound.nonce);
  c.add(c.w.stranger, "stranger", bound);
  const KeyEndorsement endorsement{c.w.host_owner.public_key(), crypto::sha256(view("the chip's key")), kDayBegin, kDayBegin + 2 * kDay};
  c.add(c.w.host_owner, "host owner", endorsement);
  add_bad_identities(c, token, endorsement);
}

}  // namespace selvedge::object::vectors
