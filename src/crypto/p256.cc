#include "crypto/p256.h"

#include <gmp.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>

namespace selvedge::crypto {
namespace {

/// A GMP integer that is freed when it goes.
class BigNumber {
 public:
  explicit BigNumber(ByteView big_endian) {
    mpz_init(value_);
    mpz_import(value_, big_endian.size(), 1, 1, 1, 0, big_endian.data());
  }
  ~BigNumber() { mpz_clear(value_); }
  BigNumber(const BigNumber&) = delete;
  BigNumber& operator=(const BigNumber&) = delete;
  mpz_srcptr get() const { return value_; }

 private:
  mpz_t value_;
};

class CurvePoint {
 public:
  CurvePoint() { ecc_point_init(&point_, nettle_get_secp_256r1()); }
  ~CurvePoint() { ecc_point_clear(&point_); }
  CurvePoint(const CurvePoint&) = delete;
  CurvePoint& operator=(const CurvePoint&) = delete;
  /// False when (x, y) is not on the curve.
  bool set(const BigNumber& x, const BigNumber& y) { return ecc_point_set(&point_, x.get(), y.get()) == 1; }
  const ecc_point* get() const { return &point_; }

 private:
  ecc_point point_;
};

}  // namespace

bool p256_verify(const P256Point& key, const Digest& digest, const P256Signature& signature) {
  CurvePoint point;
  if (!point.set(BigNumber(key.view().first(32)), BigNumber(key.view().last(32)))) return false;
  dsa_signature parts;
  dsa_signature_init(&parts);
  mpz_import(parts.r, 32, 1, 1, 1, 0, signature.bytes.data());
  mpz_import(parts.s, 32, 1, 1, 1, 0, signature.bytes.data() + 32);
  const bool good = ecdsa_verify(point.get(), digest.bytes.size(), digest.bytes.data(), &parts) == 1;
  dsa_signature_clear(&parts);
  return good;
}

}  // namespace selvedge::crypto
