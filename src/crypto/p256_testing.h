// A P-256 key in software that signs as a security chip would, for tests of those who check chips. Tests only: Selvedge signs with
// Ed25519, and this is neither constant in time nor wiped.
#pragma once

#include <memory>
#include <string_view>

#include "crypto/p256.h"

namespace selvedge::crypto::testing {

class P256TestSigner {
 public:
  /// The same key and the same signatures for the same name.
  explicit P256TestSigner(std::string_view name);
  ~P256TestSigner();
  P256TestSigner(const P256TestSigner&) = delete;
  P256TestSigner& operator=(const P256TestSigner&) = delete;

  P256Point point() const;
  P256Signature sign(const Digest& digest);

 private:
  struct Key;
  std::unique_ptr<Key> key_;
};

}  // namespace selvedge::crypto::testing
