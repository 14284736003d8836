// Signing and verifying, behind two small interfaces.
//
// Code that signs holds a Signer and code that checks holds a Verifier; neither knows the algorithm. The real ones
// are Ed25519. SimSigner and SimVerifier stand in for them in simulations of many nodes, where a signature must
// cost a hash and not a curve operation; they have the same property inside one process: without the seed that made
// the key nobody produces a signature that verifies. A SimVerifier accepts nothing that Ed25519 made, and the reverse.
#pragma once

#include <map>
#include <memory>

#include "crypto/types.h"

namespace selvedge::crypto {

class Signer {
 public:
  virtual ~Signer() = default;
  virtual const PublicKey& public_key() const = 0;
  virtual Signature sign(ByteView message) const = 0;
};

class Verifier {
 public:
  virtual ~Verifier() = default;
  virtual bool verify(const PublicKey& key, ByteView message, const Signature& signature) const = 0;
};

/// RFC 8032 Ed25519 (pure, deterministic).
class Ed25519Signer final : public Signer {
 public:
  explicit Ed25519Signer(const Seed& seed);
  const PublicKey& public_key() const override { return public_key_; }
  Signature sign(ByteView message) const override;

 private:
  PublicKey public_key_;
  Secret<64> secret_key_;
};

/// Strict verification: S below the group order, no small-order or non-canonical keys, so that a signature has
/// exactly one accepted encoding.
class Ed25519Verifier final : public Verifier {
 public:
  bool verify(const PublicKey& key, ByteView message, const Signature& signature) const override;
};

/// Where simulated keys are known. One per simulation, owned by it, outliving its signers and verifiers.
class SimKeyring {
 public:
  SimKeyring() = default;
  SimKeyring(const SimKeyring&) = delete;
  SimKeyring& operator=(const SimKeyring&) = delete;
  size_t size() const { return secrets_.size(); }

 private:
  friend class SimSigner;
  friend class SimVerifier;
  std::map<PublicKey, Secret<32>> secrets_;
};

class SimSigner final : public Signer {
 public:
  /// Registers the key that `seed` makes. Not thread-safe against other registrations.
  SimSigner(const Seed& seed, SimKeyring& keyring);
  const PublicKey& public_key() const override { return public_key_; }
  Signature sign(ByteView message) const override;

 private:
  PublicKey public_key_;
  Secret<32> secret_;
};

class SimVerifier final : public Verifier {
 public:
  explicit SimVerifier(const SimKeyring& keyring) : keyring_(keyring) {}
  bool verify(const PublicKey& key, ByteView message, const Signature& signature) const override;

 private:
  const SimKeyring& keyring_;
};

}  // namespace selvedge::crypto
