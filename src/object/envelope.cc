#include "object/envelope.h"

namespace selvedge::object {
namespace {

constexpr std::string_view kMagic = "SELV";
constexpr size_t kHeaderSize = 4 + 2 + 32;
constexpr uint64_t kCoseSign1Tag = 18;    // RFC 9052 4.2
constexpr uint64_t kHeaderAlgorithm = 1;  // RFC 9052 3.1
constexpr uint64_t kHeaderKeyId = 4;
constexpr int64_t kEdDsa = -8;            // RFC 9053 2.2

Bytes protected_header(const PublicKey& signer) {
  codec::Writer out;
  out.put_map(2);
  out.put_unsigned(kHeaderAlgorithm);
  out.put_signed(kEdDsa);
  out.put_unsigned(kHeaderKeyId);
  out.put_bytes(signer);
  return out.take();
}

/// RFC 9052 4.4: what is signed, with empty external data.
Bytes sig_structure(ByteView header, ByteView payload) {
  codec::Writer out;
  out.put_array(4);
  out.put_text("Signature1");
  out.put_bytes(header);
  out.put_bytes({});
  out.put_bytes(payload);
  return out.take();
}

Error no_envelope(const char* what) {
  return fail(Errc::kInvalid, std::string("this is not a signed object: ") + what);
}

/// Only the exact header that protected_header() writes is taken; there is nothing else it could usefully say.
Result<PublicKey> read_signer(ByteView header) {
  codec::Reader in(header);
  if (TRY(in.read_map()) != 2) return fail(Errc::kUnsupported, "the signature header says more or less than algorithm and key");
  if (TRY(in.read_unsigned()) != kHeaderAlgorithm) return no_envelope("its header does not begin with an algorithm");
  if (TRY(in.read_signed()) != kEdDsa) return fail(Errc::kUnsupported, "the object is signed with another algorithm than EdDSA");
  const uint64_t key_label = TRY(in.read_unsigned());
  if (key_label < kHeaderAlgorithm + 1) return fail(Errc::kNonCanonical, "the signature header is not in order");
  if (key_label != kHeaderKeyId) return no_envelope("its header does not name the signer");
  const PublicKey signer = TRY(PublicKey::from(TRY(in.read_bytes())));
  TRY(in.finish());
  return signer;
}

struct Parts {
  ByteView header;
  ByteView payload;
  ByteView signature;
};

Result<Parts> take_apart(ByteView bytes) {
  if (bytes.size() > kObjectSizeMax) return fail(Errc::kLimit, "the object is larger than " + std::to_string(kObjectSizeMax) + " bytes");
  codec::Reader in(bytes);
  if (TRY(in.read_tag()) != kCoseSign1Tag) return no_envelope("it has another tag than COSE_Sign1");
  if (TRY(in.read_array()) != 4) return no_envelope("it has not four parts");
  Parts parts;
  parts.header = TRY(in.read_bytes());
  if (TRY(in.read_map()) != 0) return fail(Errc::kInvalid, "a signed object carries nothing outside its signature");
  parts.payload = TRY(in.read_bytes());
  parts.signature = TRY(in.read_bytes());
  TRY(in.finish());
  return parts;
}

Status check_header(ByteView payload) {
  if (payload.size() < kHeaderSize || to_string(payload.first(kMagic.size())) != kMagic) {
    return fail(Errc::kInvalid, "this is not an object: it does not begin with the object header");
  }
  if (load_u16(payload.data() + kMagic.size()) != kEnvelopeVersion) {
    return fail(Errc::kUnsupported, "the object is of a version this build does not know: update selvedge");
  }
  return ok();
}

}  // namespace

Bytes make_payload(const SchemaId& schema, ByteView body) {
  Bytes out = to_bytes(view(kMagic));
  out.resize(out.size() + 2);
  store_u16(out.data() + kMagic.size(), kEnvelopeVersion);
  append(out, schema);
  append(out, body);
  return out;
}

Result<ByteView> open_payload(ByteView payload, const SchemaId& schema, std::string_view kind_name) {
  TRY(check_header(payload));
  const SchemaId found = TRY(SchemaId::from(payload.subspan(6, 32)));
  if (!(found == schema)) {
    return fail(Errc::kUnsupported, "the object is of another kind or version than " + std::string(kind_name) + " here (schema " + found.brief() + ")");
  }
  return payload.subspan(kHeaderSize);
}

MadeEnvelope make_envelope(const crypto::Signer& signer, ByteView payload) {
  const Bytes header = protected_header(signer.public_key());
  MadeEnvelope made;
  made.signed_bytes = sig_structure(header, payload);
  codec::Writer out;
  out.put_tag(kCoseSign1Tag);
  out.put_array(4);
  out.put_bytes(header);
  out.put_map(0);
  out.put_bytes(payload);
  out.put_bytes(signer.sign(made.signed_bytes));
  made.bytes = out.take();
  return made;
}

Result<OpenedEnvelope> open_envelope(ByteView bytes, const crypto::Verifier& verifier) {
  const Parts parts = TRY(take_apart(bytes));
  OpenedEnvelope opened;
  opened.signer = TRY(read_signer(parts.header));
  opened.payload = parts.payload;
  opened.signed_bytes = sig_structure(parts.header, parts.payload);
  const crypto::Signature signature = TRY(crypto::Signature::from(parts.signature));
  if (!verifier.verify(opened.signer, opened.signed_bytes, signature)) {
    return fail(Errc::kIntegrity, "the signature does not match: the object was changed, or the key it names did not sign it");
  }
  return opened;
}

Result<SchemaId> peek_schema(ByteView bytes) {
  const Parts parts = TRY(take_apart(bytes));
  TRY(check_header(parts.payload));
  return SchemaId::from(parts.payload.subspan(6, 32));
}

Error wrong_author(std::string_view kind_name) {
  return fail(Errc::kUnauthorized, "this " + std::string(kind_name) + " is signed by another key than the one it speaks for");
}

}  // namespace selvedge::object
