// Secrets shared k of n: what their owner signs, how shares travel, and what opens them (requirement A14, ruling R5).
//
// The secret lies sealed under a key in the SecretManifest. The key is HKDF of a random scalar (or, with the Shamir scheme, a
// random key itself), and only that is shared: one SecretShare, sealed to one device, for each holder. A share leaves its holder for a
// SecretRelease only, sealed to a key that the asker made for this one answer. Invariants: the id of a secret is random and says nothing
// about it; no message and no record holds a share or a secret in the clear; a share is bound to its secret, generation and
// number wherever it is sealed. The format is in docs/spec/secrets.md.
#pragma once

#include <variant>

#include "crypto/locked.h"
#include "crypto/seal.h"
#include "crypto/shamir.h"
#include "crypto/vss.h"
#include "object/envelope.h"
#include "object/kinds.h"

namespace selvedge::object {

/// A secret is a key, a token, a small file: it is kept whole in its manifest, and combined in memory that is locked.
inline constexpr size_t kSecretSizeMax = 64 * 1024;
inline constexpr size_t kSecretSealOverhead = 16;
inline constexpr size_t kSecretHoldersMax = kHoldersMax;
inline constexpr size_t kSecretPurposeSizeMax = 255;
inline constexpr uint64_t kSecretTtlMax = kAuditTtlDefault;
inline constexpr uint64_t kReleaseTtlMax = 300;
/// A reshare order is carried out at once or not at all.
inline constexpr uint64_t kReshareTtlMax = 600;

/// The operation that a capability for a secret covers, besides "storage.read".
inline constexpr std::string_view kSecretRelease = "secret.release";

struct SecretIdTag;
struct CommitmentBytesTag;
/// Chosen at random when a secret is split; the same through all generations.
using SecretId = FixedBytes<SecretIdTag, 32>;
/// A group element or a hash, whichever the scheme commits with.
using CommitmentBytes = FixedBytes<CommitmentBytesTag, 32>;

enum class SecretScheme : uint8_t { kShamir = 1, kFeldman, kPedersen, kFirst = kShamir, kLast = kPedersen };
const char* enum_name(SecretScheme scheme);

/// Who holds a share: the one whose number is its place in the list, from 1. Addresses are hints, verified when dialled.
struct SecretHolder {
  PublicKey node;
  PublicKey owner;
  std::vector<std::string> addresses;

  template <class V>
  void visit(V& v) {
    v("node", node);
    v("owner", owner);
    v("addresses", addresses);
  }
};

/// A secret of one generation: who holds its shares, how many it takes, and the secret itself, sealed.
struct SecretManifest {
  static constexpr std::string_view kName = "SecretManifest";
  static constexpr uint16_t kVersion = 1;
  ZoneId zone;
  PublicKey owner;
  SecretId secret;
  std::string name;
  SecretScheme scheme = SecretScheme::kFeldman;
  uint8_t threshold = 0;
  uint64_t generation = 0;
  std::vector<SecretHolder> holders;
  std::vector<CommitmentBytes> commitments;  // Shamir: one for each share; else one for each coefficient
  Digest sealed_digest;                      // SHA-256 of `sealed`, which never changes over the generations
  Bytes sealed;
  uint64_t issued = 0;
  uint64_t expires = 0;

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("owner", owner);
    v("secret", secret);
    v("name", name);
    v("scheme", scheme);
    v("threshold", threshold);
    v("generation", generation);
    v("holders", holders);
    v("commitments", commitments);
    v("sealed_digest", sealed_digest);
    v("sealed", sealed);
    v("issued", issued);
    v("expires", expires);
  }
  const PublicKey& author() const { return owner; }
  Status validate() const;
  /// The share number of a node; 0 when it holds none.
  uint8_t number_of(const PublicKey& node) const;
  /// For the two verifiable schemes.
  crypto::VssCommitments vss() const;
  /// For the Shamir scheme.
  crypto::ShamirTerms shamir() const;
};

/// How a share comes to its holder. Dealt: as it is.
struct DealtShare {
  Bytes sealed;

  template <class V>
  void visit(V& v) { v("sealed", sealed); }
};
/// Added to the share of the generation before, which keeps the secret: `commitments` are to a dealing of zero.
struct RefreshShare {
  std::vector<CommitmentBytes> commitments;
  Bytes sealed;

  template <class V>
  void visit(V& v) {
    v("commitments", commitments);
    v("sealed", sealed);
  }
};
/// What one holder of the generation before dealt of its own share.
struct ResharePiece {
  uint8_t dealer = 0;
  std::vector<CommitmentBytes> commitments;
  Bytes sealed;

  template <class V>
  void visit(V& v) {
    v("dealer", dealer);
    v("commitments", commitments);
    v("sealed", sealed);
  }
};
/// Computed from the pieces of as many old holders as the old threshold says, checked against the old manifest.
struct ReshareShare {
  Bytes old_manifest;
  std::vector<ResharePiece> pieces;

  template <class V>
  void visit(V& v) {
    v("old_manifest", old_manifest);
    v("pieces", pieces);
  }
};

/// One share for one holder. Its owner signs it, so that nobody else can give a holder something in the owner's name.
struct SecretShare {
  static constexpr std::string_view kName = "SecretShare";
  static constexpr uint16_t kVersion = 1;
  ZoneId zone;
  PublicKey owner;
  ObjectId manifest;  // of the generation that the share belongs to
  SecretId secret;
  uint64_t generation = 0;
  uint8_t number = 0;
  PublicKey holder;
  std::variant<DealtShare, RefreshShare, ReshareShare> delivery;
  uint64_t issued = 0;
  uint64_t expires = 0;

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("owner", owner);
    v("manifest", manifest);
    v("secret", secret);
    v("generation", generation);
    v("number", number);
    v("holder", holder);
    v("delivery", delivery);
    v("issued", issued);
    v("expires", expires);
  }
  const PublicKey& author() const { return owner; }
  Status validate() const;
};

/// A node asks a holder for its share: which, what for, and the key to seal the answer to.
struct SecretRelease {
  static constexpr std::string_view kName = "SecretRelease";
  static constexpr uint16_t kVersion = 1;
  ZoneId zone;
  PublicKey origin;  // the secret's owner
  SecretId secret;
  uint64_t generation = 0;
  PublicKey asker;
  SealPublicKey reply_key;  // made for this answer, so that no later theft of a key opens it
  std::string purpose;      // a person's words, for the log
  std::string scope;        // what will be done with it: "combine", or "use" and the command's name
  uint64_t issued = 0;
  uint64_t expires = 0;
  Unique nonce;

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("origin", origin);
    v("secret", secret);
    v("generation", generation);
    v("asker", asker);
    v("reply_key", reply_key);
    v("purpose", purpose);
    v("scope", scope);
    v("issued", issued);
    v("expires", expires);
    v("nonce", nonce);
  }
  const PublicKey& author() const { return asker; }
  Status validate() const;
};

/// A new holder, and the key to seal its pieces to.
struct ShareReceiver {
  PublicKey node;
  SealPublicKey seal_key;

  template <class V>
  void visit(V& v) {
    v("node", node);
    v("seal_key", seal_key);
  }
};

/// The owner asks a holder to deal its share to the holders of the next generation, which may be others and need another number.
struct SecretReshare {
  static constexpr std::string_view kName = "SecretReshare";
  static constexpr uint16_t kVersion = 1;
  ZoneId zone;
  PublicKey owner;
  SecretId secret;
  uint64_t generation = 0;  // of the share to deal
  uint8_t threshold = 0;
  std::vector<ShareReceiver> receivers;
  uint64_t issued = 0;
  uint64_t expires = 0;
  Unique nonce;

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("owner", owner);
    v("secret", secret);
    v("generation", generation);
    v("threshold", threshold);
    v("receivers", receivers);
    v("issued", issued);
    v("expires", expires);
    v("nonce", nonce);
  }
  const PublicKey& author() const { return owner; }
  Status validate() const;
};

/// A holder's account of one release or refusal, for the audit log.
struct SecretVerdict {
  static constexpr std::string_view kName = "SecretVerdict";
  static constexpr uint16_t kVersion = 1;
  ZoneId zone;
  PublicKey origin;
  SecretId secret;
  uint64_t generation = 0;
  PublicKey holder;
  PublicKey asker;
  std::string purpose;
  std::string scope;
  Unique nonce;
  uint8_t error = 0;  // 0: released; else the number of base/result.h
  uint64_t at = 0;

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("origin", origin);
    v("secret", secret);
    v("generation", generation);
    v("holder", holder);
    v("asker", asker);
    v("purpose", purpose);
    v("scope", scope);
    v("nonce", nonce);
    v("error", error);
    v("at", at);
  }
  const PublicKey& author() const { return holder; }
  Status validate() const;
};

/// What capabilities and revocations name a secret by: the same through all its generations.
ObjectId secret_object(const ZoneId& zone, const SecretId& secret);
/// The context that Shamir commitments are bound to.
Digest shamir_context(const SecretId& secret, uint64_t generation);

/// A share as its holder has it in the clear, for as long as it takes.
struct SharePlain {
  uint8_t number = 0;
  crypto::Secret<32> value;
  crypto::Secret<32> extra;  // Pedersen: the blind; Shamir: the salt, then zeros

  static SharePlain of(const crypto::VssShare& share);
  static SharePlain of(const crypto::ShamirShare& share);
  crypto::VssShare vss() const;
  crypto::ShamirShare shamir() const;
};

/// What a sealed share is for. Each use has its own context, so that none passes for another.
struct ShareSeal {
  enum class Use : uint8_t { kHeld = 1, kAddition = 2, kPiece = 3, kRelease = 4 };
  Use use = Use::kHeld;
  SecretId secret;
  uint64_t generation = 0;
  uint8_t dealer = 0;  // kPiece
  Unique nonce;        // kRelease: of the request
};
/// Errors: kInvalid (a bad key to seal to).
Result<Bytes> seal_share(const SharePlain& share, const ShareSeal& seal, const SealPublicKey& to, crypto::Drbg& drbg);
/// Errors: kIntegrity, kUnauthorized (sealed to another key), kInvalid.
Result<SharePlain> open_share(ByteView sealed, const ShareSeal& seal, uint8_t number, const crypto::SealKeyPair& keys);

/// Is this the share of its number that the manifest commits to? Errors: kIntegrity naming the share, kInvalid.
Status check_share(const SecretManifest& manifest, const SharePlain& share);

/// The secret under the key of a scalar or of a Shamir key: ChaCha20-Poly1305 with a zero nonce, for that key seals this and nothing else.
Bytes seal_secret(SecretScheme scheme, const crypto::Secret<32>& shared, const ZoneId& zone, const PublicKey& owner, const SecretId& secret,
                  ByteView plain);
/// What splitting makes of a secret, ready to be handed to the owner's node: nothing in it is in the clear.
struct SplitSecret {
  SecretId secret;
  std::vector<CommitmentBytes> commitments;
  Bytes sealed;
  std::vector<Bytes> shares;  // sealed to the holders, number 1 first
};
/// Splits a secret for these holders, as generation 1. Errors: kInvalid (threshold, a bad key), kLimit (larger than kSecretSizeMax).
Result<SplitSecret> split_secret(SecretScheme scheme, ByteView plain, size_t threshold, const ZoneId& zone, const PublicKey& owner,
                                 std::span<const SealPublicKey> holders, crypto::Drbg& drbg);
/// The secret, from exactly as many shares as the manifest's threshold says. Errors: as check_share; kUnavailable (too few), kIntegrity.
Result<crypto::LockedBytes> combine_secret(const SecretManifest& manifest, std::span<const SharePlain> shares);

}  // namespace selvedge::object
