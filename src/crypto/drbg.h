// Drbg: keys and nonces for pure machines, from one seed.
//
// A deterministic generator (ChaCha20 with fast key erasure: each refill replaces the key, so that a state seen later
// does not give away what was drawn before). The host seeds one from the operating system; the simulator seeds
// it from the run's seed, so that a run replays. It moves and never copies: a copy would repeat nonces.
#pragma once

#include "crypto/types.h"

namespace selvedge::crypto {

class Drbg {
 public:
  explicit Drbg(Seed seed) : key_(std::move(seed)) {}
  Drbg(Drbg&&) noexcept = default;
  Drbg& operator=(Drbg&&) noexcept = default;

  /// The only place where entropy of the operating system enters Selvedge. Called by main() and by tests.
  static Drbg from_os();

  void fill(std::span<uint8_t> out);
  Seed seed();
  /// A FixedBytes of random bytes: draw<Nonce>().
  template <class Fixed>
  Fixed draw() {
    Fixed out;
    fill(out.bytes);
    return out;
  }
  /// An independent generator, so that one machine's draws do not shift another's.
  Drbg fork() { return Drbg(seed()); }

 private:
  static constexpr size_t kBlockSize = 512;
  void refill();
  Seed key_;
  Secret<kBlockSize> block_;
  size_t used_ = kBlockSize;
};

}  // namespace selvedge::crypto
