#include "mesh/parcel.h"

#include <algorithm>

#include "base/byte_reader.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

namespace selvedge::mesh {

namespace {

constexpr std::string_view kParcelMagic = "SVPC";
constexpr uint8_t kParcelVersion = 1;
constexpr std::string_view kParcelSigned = "selvedge parcel 1";
constexpr std::string_view kParcelTag = "selvedge parcel tag 1";
constexpr size_t kParcelTagBytes = 16;

Bytes parcel_tag(const crypto::SealKeys& keys) {
  const crypto::Digest full = crypto::hmac_sha256(keys.key.view(), view(kParcelTag));
  return to_bytes(full.view().first(kParcelTagBytes));
}

Bytes parcel_signed_bytes(ByteView fields) {
  Bytes out = to_bytes(view(kParcelSigned));
  append(out, fields);
  return out;
}

struct ParcelHeader {
  crypto::SealPublicKey ephemeral;
  ByteView tag;
};
Result<ParcelHeader> read_parcel_header(ByteView bytes) {
  ByteReader in(bytes, "a parcel");
  const ByteView magic = TRY(in.raw(kParcelMagic.size()));
  if (!std::ranges::equal(magic, view(kParcelMagic))) return fail(Errc::kInvalid, "this is no parcel");
  if (TRY(in.u8()) != kParcelVersion) return fail(Errc::kUnsupported, "this parcel was made by a later version; update this node to read it");
  ParcelHeader out;
  out.ephemeral = TRY(in.fixed<crypto::SealPublicKey>());
  out.tag = TRY(in.raw(kParcelTagBytes));
  return out;
}

Result<Parcel> read_parcel_fields(ByteView fields) {
  ByteReader in(fields, "a parcel's content");
  Parcel out;
  out.from = TRY(in.fixed<crypto::PublicKey>());
  out.to = TRY(in.fixed<crypto::PublicKey>());
  out.created = TRY(in.u64());
  out.lifetime = TRY(in.u32());
  const uint8_t priority = TRY(in.u8());
  const uint8_t kind = TRY(in.u8());
  if (priority > uint8_t(ParcelPriority::kLast) || kind > uint8_t(ParcelKind::kLast)) return fail(Errc::kUnsupported, "a parcel of a kind that this node does not know");
  if (out.lifetime == 0 || seconds(out.lifetime) > kParcelLifetimeMax) return fail(Errc::kInvalid, "a parcel's lifetime is out of range");
  if (out.created > uint64_t(INT64_MAX / 2'000'000'000)) return fail(Errc::kInvalid, "a parcel's date is out of range");
  out.priority = ParcelPriority(priority);
  out.kind = ParcelKind(kind);
  out.payload = to_bytes(in.rest());
  return out;
}

}  // namespace

ParcelId parcel_id(ByteView sealed) { return ParcelId::from(crypto::sha256(sealed)).value(); }

Result<Bytes> seal_parcel(const crypto::Signer& signer, const crypto::SealPublicKey& to, const Parcel& parcel, crypto::Drbg& drbg) {
  if (parcel.payload.size() > kParcelPayloadBytesMax) return fail(Errc::kLimit, "a parcel carries at most " + std::to_string(kParcelPayloadBytesMax >> 20) + " MiB");
  if (parcel.lifetime == 0 || seconds(parcel.lifetime) > kParcelLifetimeMax) return fail(Errc::kInvalid, "a parcel lives between a second and 90 days");
  if (!(parcel.from == signer.public_key())) return fail(Errc::kUnauthorized, "a parcel is signed by who sends it");
  Bytes fields;
  append(fields, parcel.from);
  append(fields, parcel.to);
  append_u64(fields, parcel.created);
  append_u32(fields, parcel.lifetime);
  fields.push_back(uint8_t(parcel.priority));
  fields.push_back(uint8_t(parcel.kind));
  append(fields, parcel.payload);
  const crypto::StartedSeal seal = TRY(crypto::start_seal(to, drbg));
  Bytes out = to_bytes(view(kParcelMagic));
  out.push_back(kParcelVersion);
  append(out, seal.ephemeral);
  append(out, parcel_tag(seal.keys));
  append(out, signer.sign(parcel_signed_bytes(fields)));
  append(out, fields);
  const Bytes header(out.begin(), out.begin() + kParcelHeaderBytes);
  const crypto::AeadTag tag = crypto::aead_seal(seal.keys.key, seal.keys.nonce, header, std::span(out).subspan(kParcelHeaderBytes));
  append(out, tag);
  return out;
}

Result<bool> is_parcel_for(const crypto::SealKeyPair& keys, ByteView header) {
  const ParcelHeader read = TRY(read_parcel_header(header));
  const Result<crypto::SealKeys> found = keys.keys_for(read.ephemeral);
  return found.ok() && crypto::constant_time_equal(parcel_tag(found.value()), read.tag);
}

Result<Parcel> open_parcel(const crypto::SealKeyPair& keys, const crypto::PublicKey& self, const crypto::Verifier& verifier, Bytes sealed) {
  if (sealed.size() > kParcelBytesMax) return fail(Errc::kLimit, "a parcel is larger than any may be");
  const ParcelHeader header = TRY(read_parcel_header(sealed));
  const crypto::SealKeys found = TRY(keys.keys_for(header.ephemeral));
  if (!crypto::constant_time_equal(parcel_tag(found), header.tag)) return fail(Errc::kUnauthorized, "this parcel is for somebody else");
  if (sealed.size() < kParcelHeaderBytes + kParcelInnerBytes + crypto::AeadTag::kSize) return fail(Errc::kInvalid, "a parcel is cut off");
  const size_t inner = sealed.size() - kParcelHeaderBytes - crypto::AeadTag::kSize;
  const auto tag = TRY(crypto::AeadTag::from(ByteView(sealed).last(crypto::AeadTag::kSize)));
  const Bytes bound(sealed.begin(), sealed.begin() + kParcelHeaderBytes);
  const std::span<uint8_t> plain = std::span(sealed).subspan(kParcelHeaderBytes, inner);
  TRY(crypto::aead_open(found.key, found.nonce, bound, plain, tag));
  const auto signature = TRY(crypto::Signature::from(plain.first(crypto::Signature::kSize)));
  const ByteView fields = plain.subspan(crypto::Signature::kSize);
  Parcel parcel = TRY(read_parcel_fields(fields));
  // The recipient is inside what is signed: whoever got a parcel cannot seal it anew to another, as if it had been meant for that one.
  if (!(parcel.to == self)) return fail(Errc::kUnauthorized, "this parcel was meant for another node");
  if (!verifier.verify(parcel.from, parcel_signed_bytes(fields), signature)) return fail(Errc::kUnauthorized, "a parcel is not signed by who it says it is from");
  return parcel;
}

}  // namespace selvedge::mesh
