#include "crypto/p256_testing.h"

#include <gmp.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>

#include <algorithm>

#include "crypto/hash.h"

namespace selvedge::crypto::testing {

struct P256TestSigner::Key {
  explicit Key(std::string_view name) : next(sha256(view(name))) {
    ecc_point_init(&point, nettle_get_secp_256r1());
    ecc_scalar_init(&secret, nettle_get_secp_256r1());
    ecdsa_generate_keypair(&point, &secret, this, fill);
  }
  ~Key() {
    ecc_point_clear(&point);
    ecc_scalar_clear(&secret);
  }
  static void fill(void* self, size_t size, uint8_t* out) {
    Digest& chain = static_cast<Key*>(self)->next;
    for (size_t at = 0; at < size; at += 32) {
      std::copy_n(chain.bytes.begin(), std::min<size_t>(32, size - at), out + at);
      chain = sha256(chain);
    }
  }
  Digest next;
  ecc_point point;
  ecc_scalar secret;
};

namespace {

void put_number(mpz_srcptr number, uint8_t* out) {
  uint8_t bytes[32];
  size_t size = 0;
  CHECK(mpz_sizeinbase(number, 2) <= 256);
  mpz_export(bytes, &size, 1, 1, 1, 0, number);
  std::copy_n(bytes, size, out + (32 - size));
}

}  // namespace

P256TestSigner::P256TestSigner(std::string_view name) : key_(std::make_unique<Key>(name)) {}
P256TestSigner::~P256TestSigner() = default;

P256Point P256TestSigner::point() const {
  P256Point out;
  mpz_t x, y;
  mpz_inits(x, y, nullptr);
  ecc_point_get(&key_->point, x, y);
  put_number(x, out.bytes.data());
  put_number(y, out.bytes.data() + 32);
  mpz_clears(x, y, nullptr);
  return out;
}

P256Signature P256TestSigner::sign(const Digest& digest) {
  P256Signature out;
  dsa_signature made;
  dsa_signature_init(&made);
  ecdsa_sign(&key_->secret, key_.get(), Key::fill, digest.bytes.size(), digest.bytes.data(), &made);
  put_number(made.r, out.bytes.data());
  put_number(made.s, out.bytes.data() + 32);
  dsa_signature_clear(&made);
  return out;
}

}  // namespace selvedge::crypto::testing
