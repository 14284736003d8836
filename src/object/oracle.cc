#include "object/oracle.h"

#include <algorithm>

#include "codec/cbor.h"

namespace selvedge::object {
namespace {

constexpr std::string_view kBeaconLabel = "selvedge oracle beacon v1";
constexpr size_t kOracleNameSizeMax = 32;

Status check_beacon(const OracleAnswer& answer) {
  const ByteView proof(answer.proof);
  if (proof.size() != crypto::VrfPublicKey::kSize + crypto::VrfProof::kSize) return fail(Errc::kInvalid, "a beacon comes with its key and its proof");
  const auto key = TRY(crypto::VrfPublicKey::from(proof.first(crypto::VrfPublicKey::kSize)));
  const auto output = TRY(crypto::vrf_verify(key, oracle_beacon_input(answer.origin, answer.nonce), TRY(crypto::VrfProof::from(proof.subspan(crypto::VrfPublicKey::kSize)))));
  if (answer.value != output.hex()) return fail(Errc::kIntegrity, "a beacon has another value than its proof proves");
  return ok();
}

}  // namespace

Bytes oracle_beacon_input(const PublicKey& origin, const Unique& nonce) {
  Bytes out = to_bytes(view(kBeaconLabel));
  append(out, origin);
  append(out, nonce);
  return out;
}

Status prove_beacon(const crypto::VrfKeyPair& key, OracleAnswer& answer) {
  const crypto::VrfProof proof = TRY(key.prove(oracle_beacon_input(answer.origin, answer.nonce)));
  answer.value = TRY(crypto::vrf_proof_to_hash(proof)).hex();
  answer.proof = to_bytes(key.public_key());
  append(answer.proof, proof);
  return ok();
}

Status OracleAnswer::validate() const {
  if (node.is_zero() || origin.is_zero() || nonce.is_zero()) return fail(Errc::kInvalid, "an oracle's answer names its node, its origin and its nonce");
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (name.empty() || name.size() > kOracleNameSizeMax || !plain) return fail(Errc::kInvalid, "an oracle's name is 1 to 32 of a-z, 0-9 and '-'");
  const bool line = codec::is_utf8(value) && std::none_of(value.begin(), value.end(), [](char c) { return uint8_t(c) < 0x20 || c == 0x7F; });
  if (value.empty() || value.size() > kOracleValueSizeMax || !line) return fail(Errc::kInvalid, "an oracle's value is one line of at most 1024 bytes");
  if (name == kOracleBeacon) return check_beacon(*this);
  if (!proof.empty()) return fail(Errc::kInvalid, "an oracle without proofs has one");
  if (name == kOracleTime && value != std::to_string(issued)) return fail(Errc::kInvalid, "an oracle's time is not when it was asked");
  return ok();
}

}  // namespace selvedge::object
