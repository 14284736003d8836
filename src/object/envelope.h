// Envelope: how an object is written down, signed and opened again.
//
//   payload  = "SELV", version (u16), schema id (32 bytes), canonical CBOR of the body
//   signed   = COSE_Sign1 (RFC 9052, tag 18): [ protected {1: -8 (EdDSA), 4: signer's key}, {}, payload, signature ]
//
// A Signed<T> comes into being here only: sign_object() made it, or open_object() found that it is canonical, of schema T,
// valid in itself, signed, and signed by the very party that its own fields name as its author. So a function that takes a
// Signed<T> need not ask again whether it is genuine; whether it is *authorised* is for authorize() (authorize.h).
// The ObjectId covers the signer and the payload but not the signature, so that no other spelling of a signature renames an object.
#pragma once

#include <concepts>
#include <utility>

#include "crypto/sign.h"
#include "object/ids.h"

namespace selvedge::object {

inline constexpr uint16_t kEnvelopeVersion = 1;
/// The largest signed object.
inline constexpr size_t kObjectSizeMax = 1u << 20;

/// A kind of object: a visited struct with a name, a version and checks of its own.
template <class T>
concept Kind = requires(const T& t) {
  { T::kName } -> std::convertible_to<std::string_view>;
  { T::kVersion } -> std::convertible_to<uint16_t>;
  { t.validate() } -> std::same_as<Status>;
};

/// A kind whose fields say who must have signed it.
template <class T>
concept AuthoredKind = Kind<T> && requires(const T& t) {
  { t.author() } -> std::convertible_to<PublicKey>;
};

/// Header and canonical body. What is signed, and what names an unsigned object.
Bytes make_payload(const SchemaId& schema, ByteView body);
/// The body of a payload. Errors: kInvalid (no header), kUnsupported (version, or another schema).
Result<ByteView> open_payload(ByteView payload, const SchemaId& schema, std::string_view kind_name);

/// What a COSE_Sign1 held. `payload` points into the opened bytes.
struct OpenedEnvelope {
  PublicKey signer;
  ByteView payload;
  Bytes signed_bytes;  // RFC 9052 4.4 Sig_structure
};
struct MadeEnvelope {
  Bytes bytes;
  Bytes signed_bytes;
};
MadeEnvelope make_envelope(const crypto::Signer& signer, ByteView payload);
/// Errors: kLimit, kInvalid, kNonCanonical, kUnsupported (another algorithm), kIntegrity (signature).
Result<OpenedEnvelope> open_envelope(ByteView bytes, const crypto::Verifier& verifier);
/// The schema of a signed object, without checking anything else, to choose how to open it.
Result<SchemaId> peek_schema(ByteView bytes);

Error wrong_author(std::string_view kind_name);

template <class T>
struct Signed {
  T body;
  PublicKey signer;
  ObjectId id;
  Bytes bytes;  // what travels and is stored

  bool operator==(const Signed& other) const { return bytes == other.bytes; }

 private:
  Signed(T body_in, const PublicKey& signer_in, const ObjectId& id_in, Bytes bytes_in)
      : body(std::move(body_in)), signer(signer_in), id(id_in), bytes(std::move(bytes_in)) {}
  template <class U>
  friend Result<Signed<U>> sign_object(const crypto::Signer& signer, U body);
  template <class U>
  friend Result<Signed<U>> open_object(ByteView bytes, const crypto::Verifier& verifier);
};

/// Errors: kUnauthorized when `signer` is not who T::author() says; what T::validate() returned; kLimit when too large.
template <class T>
Result<Signed<T>> sign_object(const crypto::Signer& signer, T body) {
  static_assert(AuthoredKind<T>);
  TRY(body.validate());
  if (!(PublicKey(body.author()) == signer.public_key())) return wrong_author(T::kName);
  MadeEnvelope made = make_envelope(signer, make_payload(schema_id_of<T>(), codec::encode(body)));
  if (made.bytes.size() > kObjectSizeMax) return fail(Errc::kLimit, std::string(T::kName) + " is too large to be an object");
  const ObjectId id = object_id(zone_of(body), schema_id_of<T>(), made.signed_bytes);
  return Signed<T>(std::move(body), signer.public_key(), id, std::move(made.bytes));
}

/// Errors: kLimit, kInvalid, kNonCanonical, kUnsupported (another kind or version), kIntegrity (signature), kUnauthorized (signed by
/// someone other than its author), or what T::validate() returned.
template <class T>
Result<Signed<T>> open_object(ByteView bytes, const crypto::Verifier& verifier) {
  static_assert(AuthoredKind<T>);
  const OpenedEnvelope opened = TRY(open_envelope(bytes, verifier));
  T body = TRY(codec::decode<T>(TRY(open_payload(opened.payload, schema_id_of<T>(), T::kName))));
  if (!(PublicKey(body.author()) == opened.signer)) return wrong_author(T::kName);
  const ObjectId id = object_id(zone_of(body), schema_id_of<T>(), opened.signed_bytes);
  return Signed<T>(std::move(body), opened.signer, id, to_bytes(bytes));
}

/// The bytes of an object that nobody signs, such as BlockGroup.
template <Kind T>
Bytes unsigned_bytes(const T& body) {
  return make_payload(schema_id_of<T>(), codec::encode(body));
}
template <Kind T>
ObjectId unsigned_id(const T& body) {
  return object_id(zone_of(body), schema_id_of<T>(), unsigned_bytes(body));
}
/// Errors: kLimit, kInvalid, kNonCanonical, kUnsupported, or what T::validate() returned.
template <Kind T>
Result<T> open_unsigned(ByteView bytes) {
  if (bytes.size() > kObjectSizeMax) return fail(Errc::kLimit, std::string(T::kName) + " is too large to be an object");
  return codec::decode<T>(TRY(open_payload(bytes, schema_id_of<T>(), T::kName)));
}

}  // namespace selvedge::object
