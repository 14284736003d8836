// Identity tokens: how a node is somebody towards one origin without being the same somebody towards another.
//
// A node owns one identity secret that never leaves it. From it, an origin's key and the number of a rotation period follows an
// Ed25519 key (key_for_origin), whose public half is the node's id towards that origin in that period. Without the secret two such keys
// cannot be told from two keys of two nodes. An IdentityToken is a short statement signed by that key: this node, this origin, this
// purpose, until then, and what hardware vouches for the key. Nothing in it may be the same, or follow the same clock, towards two
// origins: times are cut to a grain, the lease is named by a blinded digest, and identity_test.cc tries to link what is left.
// What a tier proves and what it does not is in docs/decisions/0017; formats are in docs/spec/identity.md.
// spec: WF 4.1, 6.3, 9.9.1, 11.7
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "object/authorize.h"
#include "object/envelope.h"

namespace selvedge::object {

/// A scoped key serves one period, then the node is somebody new to the origin too.
inline constexpr uint64_t kIdentityPeriodSeconds = kDay;
/// issued and expires are multiples of this: seconds would tell two origins which tokens were asked for together.
inline constexpr uint64_t kTokenTimeGrainSeconds = 60;
inline constexpr uint64_t kTokenTtlDefault = 300;  // spec: WF 6.3
inline constexpr uint64_t kTokenTtlMin = 2 * kTokenTimeGrainSeconds;
inline constexpr uint64_t kTokenTtlMax = 3600;
inline constexpr size_t kTokenPurposeSizeMax = 64;
inline constexpr size_t kAttestationSizeMax = 4096;

struct TokenNonceTag;
using TokenNonce = FixedBytes<TokenNonceTag, 16>;

/// What stands behind a token's key. Higher tiers prove more and, at kHardwareStrong, show more.
enum class IdentityTier : uint8_t {
  kSoftware,        // nothing: a key
  kHardwareBasic,   // a key of a security chip, made for this origin and period, signed the statement; no stable identifier
  kHardwareStrong,  // the chip also signed its measured boot state, and its clock, by which colluding origins can link
  kLast = kHardwareStrong,
};
const char* enum_name(IdentityTier tier);
/// The inverse of enum_name. Errors: kInvalid, listing the names.
Result<IdentityTier> identity_tier_from_name(std::string_view name);

/// The formats of attestation data this build knows.
inline constexpr std::string_view kFormatNone = "none";
inline constexpr std::string_view kFormatTpmKey = "tpm2-key";      // kHardwareBasic, tpm_quote.h
inline constexpr std::string_view kFormatTpmQuote = "tpm2-quote";  // kHardwareStrong, tpm_quote.h

struct Attestation {
  std::string format = std::string(kFormatNone);
  Bytes data;

  template <class V>
  void visit(V& v) {
    v("format", format);
    v("data", data);
  }
};

/// "I am node_id towards origin, for this purpose, until then." Signed by node_id.
struct IdentityToken {
  static constexpr std::string_view kName = "IdentityToken";
  static constexpr uint16_t kVersion = 1;
  PublicKey origin;
  PublicKey node_id;
  IdentityTier tier = IdentityTier::kSoftware;
  Attestation attestation;
  std::string purpose;
  std::optional<Digest> lease;  // lease_binding() of the grant it ends with
  uint64_t issued = 0;
  uint64_t expires = 0;
  TokenNonce nonce;

  template <class V>
  void visit(V& v) {
    v("origin", origin);
    v("node_id", node_id);
    v("tier", tier);
    v("attestation", attestation);
    v("purpose", purpose);
    v("lease", lease);
    v("issued", issued);
    v("expires", expires);
    v("nonce", nonce);
  }
  const PublicKey& author() const { return node_id; }
  Status validate() const;
};

// ---- keys

/// The secret from which all scoped keys of a node follow, itself from the seed of the node's key.
crypto::Seed identity_secret(const crypto::Seed& node_seed);
/// Which rotation period `now` lies in. All nodes change at the same moment, so that the moment tells nothing.
uint64_t identity_period(Instant now);
/// The seed of the node's Ed25519 key towards `origin` in `period` (R21). One secret, two origins or two periods: unrelated keys.
crypto::Seed key_for_origin(const crypto::Seed& secret, const PublicKey& origin, uint64_t period);
/// What tells the attestation keys of a security chip apart, one for each origin and period. Not secret, but not guessable either.
Digest attestation_key_id(const crypto::Seed& secret, const PublicKey& origin, uint64_t period);
/// Names a grant to whoever has it, and nothing to whoever has not: tokens travel further than grants.
Digest lease_binding(const ObjectId& grant, const PublicKey& node_id, const TokenNonce& nonce);

// ---- making

/// issued and expires for a token asked for at `now`: cut to the grain, living at most `ttl_seconds`.
struct TokenTimes {
  uint64_t issued;
  uint64_t expires;
};
/// Errors: kInvalid when the ttl is outside [kTokenTtlMin, kTokenTtlMax].
Result<TokenTimes> token_times(Instant now, uint64_t ttl_seconds);
/// Errors: kInvalid, kLimit. A purpose is short, printable text that says to a person what the token is for.
Status check_purpose(std::string_view purpose);

/// What hardware signs: everything in the token that it vouches for. SHA-256, so that any chip can take it.
Digest attested_statement(const IdentityToken& token);

struct AttestationRequest {
  IdentityTier tier;   // kHardwareBasic or kHardwareStrong
  Digest statement;    // attested_statement()
  Digest key_id;       // attestation_key_id()
  Bytes endorsement;   // a signed KeyEndorsement of that key, to be shown along, or empty
};
/// Something that can vouch for a key. host/tpm has the real one; it is asked by an effect, off the pure machine.
class Attestor {
 public:
  virtual ~Attestor() = default;
  /// The highest tier that it reaches.
  virtual IdentityTier tier() const = 0;
  /// Errors: kUnavailable (what is missing and what to do), kUnsupported (a tier above tier()), kIo.
  virtual Result<Attestation> attest(const AttestationRequest& request) = 0;
};

/// What is asked for, and how little is still acceptable. wanted > least: degrading is permitted, down to least.
struct TierRule {
  IdentityTier wanted = IdentityTier::kSoftware;
  IdentityTier least = IdentityTier::kSoftware;
};
/// The tier to try on a machine that reaches `available`. `why_no_more` says what higher tiers lack there.
/// Errors: kInvalid (least above wanted), kUnavailable with what is missing. spec: WF 4.1.4
Result<IdentityTier> choose_tier(const TierRule& rule, IdentityTier available, std::string_view why_no_more);

// ---- checking

/// An endorser says: the attestation key of this name lies in a genuine security chip. It is one key that speaks for many machines, or
/// it would itself be the identifier that the token leaves out. It has seen the chip's identity; origins do not.
struct KeyEndorsement {
  static constexpr std::string_view kName = "KeyEndorsement";
  static constexpr uint16_t kVersion = 1;
  PublicKey endorser;
  Digest key_name;  // SHA-256 of the key's public area
  uint64_t issued = 0;   // multiples of a day, so that they tell no two keys apart
  uint64_t expires = 0;

  template <class V>
  void visit(V& v) {
    v("endorser", endorser);
    v("key_name", key_name);
    v("issued", issued);
    v("expires", expires);
  }
  const PublicKey& author() const { return endorser; }
  Status validate() const;
};
inline constexpr uint64_t kEndorsementTtlMax = 2 * kDay;
inline constexpr size_t kEndorsersMax = 64;
inline constexpr size_t kMeasuredStatesMax = 256;

/// What a key counts for that says it lies in a chip, when no trusted endorser says so. Anyone can make one in software.
enum class Unendorsed : uint8_t { kCountsAsSoftware, kIsBelieved };

struct HardwareTrust {
  std::vector<PublicKey> endorsers;
  std::vector<Digest> measured_states;  // PCR digests accepted at kHardwareStrong; empty: any
  Unendorsed unendorsed = Unendorsed::kCountsAsSoftware;
};

struct TokenCheck {
  PublicKey origin;                               // who asks: a token for anyone else is refused
  IdentityTier tier_min = IdentityTier::kSoftware;
  const RevocationSet* revocations = nullptr;     // always needed, as in Evidence
  const Signed<Grant>* lease = nullptr;           // when the token must be bound to this grant
  const HardwareTrust* trust = nullptr;           // nullptr: no endorser, unendorsed keys count as software
};

/// What a good token says, as far as it was proven.
struct TokenBearer {
  PublicKey node_id;
  IdentityTier tier = IdentityTier::kSoftware;  // proven, which may be less than the token claims
  bool endorsed = false;
  uint64_t expires = 0;
};

/// Errors: kInvalid (an incomplete question), kUnauthorized (another origin, another lease, a tier not proven), kExpired, kRevoked,
/// kIntegrity (the attestation does not fit), kUnsupported (an unknown format). Who presents the token has still to show that they hold
/// its key: verify_possession().
Result<TokenBearer> verify_token(const Signed<IdentityToken>& token, const TokenCheck& check, const crypto::Verifier& verifier, Instant now);

/// Signed by the token's key over the channel it is used on, so that a token that was seen is of no use to who saw it.
crypto::Signature prove_possession(const crypto::Signer& scoped_key, const ObjectId& token, ByteView channel);
bool verify_possession(const Signed<IdentityToken>& token, ByteView channel, const crypto::Signature& proof, const crypto::Verifier& verifier);

}  // namespace selvedge::object
