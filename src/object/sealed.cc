#include "object/sealed.h"

#include "crypto/aead.h"

namespace selvedge::object {
namespace {

constexpr uint64_t kCoseEncrypt0Tag = 16;    // RFC 9052 5.2
constexpr uint64_t kSealedAlgorithm = 1;     // RFC 9052 3.1
constexpr uint64_t kSealedKeyId = 4;
constexpr int64_t kSealedEphemeral = -65537; // private use (RFC 9052 11.1)
constexpr uint64_t kChaCha20Poly1305 = 24;   // RFC 9053 4.3
constexpr size_t kTagSize = 16;

Bytes protected_header(const SealPublicKey& recipient, const SealPublicKey& ephemeral) {
  codec::Writer out;
  out.put_map(3);
  out.put_unsigned(kSealedAlgorithm);
  out.put_unsigned(kChaCha20Poly1305);
  out.put_unsigned(kSealedKeyId);
  out.put_bytes(recipient);
  out.put_signed(kSealedEphemeral);
  out.put_bytes(ephemeral);
  return out.take();
}

/// RFC 9052 5.3: what is authenticated besides the plaintext.
Bytes enc_structure(ByteView header, ByteView context) {
  codec::Writer out;
  out.put_array(3);
  out.put_text("Encrypt0");
  out.put_bytes(header);
  out.put_bytes(context);
  return out.take();
}

Error not_sealed(const char* what) { return fail(Errc::kInvalid, std::string("this is not a sealed thing: ") + what); }

struct Keys {
  SealPublicKey recipient;
  SealPublicKey ephemeral;
};

/// Only the exact header that protected_header() writes is taken.
Result<Keys> read_header(ByteView header) {
  codec::Reader in(header);
  if (TRY(in.read_map()) != 3) return fail(Errc::kUnsupported, "the header of a sealed thing says more or less than algorithm and keys");
  if (TRY(in.read_unsigned()) != kSealedAlgorithm) return not_sealed("its header does not begin with an algorithm");
  if (TRY(in.read_unsigned()) != kChaCha20Poly1305) return fail(Errc::kUnsupported, "it is sealed with another algorithm than ChaCha20-Poly1305");
  if (TRY(in.read_unsigned()) != kSealedKeyId) return not_sealed("its header does not name the recipient");
  Keys keys;
  keys.recipient = TRY(SealPublicKey::from(TRY(in.read_bytes())));
  if (TRY(in.read_signed()) != kSealedEphemeral) return not_sealed("its header does not carry the ephemeral key");
  keys.ephemeral = TRY(SealPublicKey::from(TRY(in.read_bytes())));
  TRY(in.finish());
  return keys;
}

}  // namespace

Result<Bytes> seal_to(const SealPublicKey& recipient, ByteView plaintext, ByteView context, crypto::Drbg& drbg) {
  if (plaintext.size() > kSealedPlainMax) return fail(Errc::kLimit, "at most " + std::to_string(kSealedPlainMax) + " bytes are sealed at once");
  const crypto::StartedSeal seal = TRY(crypto::start_seal(recipient, drbg));
  const Bytes header = protected_header(recipient, seal.ephemeral);
  Bytes data = to_bytes(plaintext);
  const crypto::AeadTag tag = crypto::aead_seal(seal.keys.key, seal.keys.nonce, enc_structure(header, context), data);
  append(data, tag);
  codec::Writer out;
  out.put_tag(kCoseEncrypt0Tag);
  out.put_array(3);
  out.put_bytes(header);
  out.put_map(0);
  out.put_bytes(data);
  return out.take();
}

Result<Bytes> open_sealed(const crypto::SealKeyPair& keys, ByteView sealed, ByteView context) {
  if (sealed.size() > kSealedSizeMax) return fail(Errc::kLimit, "the sealed thing is larger than " + std::to_string(kSealedSizeMax) + " bytes");
  codec::Reader in(sealed);
  if (TRY(in.read_tag()) != kCoseEncrypt0Tag) return not_sealed("it has another tag than COSE_Encrypt0");
  if (TRY(in.read_array()) != 3) return not_sealed("it has not three parts");
  const ByteView header = TRY(in.read_bytes());
  if (TRY(in.read_map()) != 0) return not_sealed("it carries something outside its protection");
  const ByteView body = TRY(in.read_bytes());
  TRY(in.finish());
  const Keys named = TRY(read_header(header));
  if (!(named.recipient == keys.public_key())) return fail(Errc::kUnauthorized, "it is sealed to another device's key");
  if (body.size() < kTagSize) return not_sealed("it is shorter than its tag");
  const crypto::SealKeys opened = TRY(keys.keys_for(named.ephemeral));
  Bytes data = to_bytes(body.first(body.size() - kTagSize));
  TRY(crypto::aead_open(opened.key, opened.nonce, enc_structure(header, context), data, TRY(crypto::AeadTag::from(body.last(kTagSize)))));
  return data;
}

}  // namespace selvedge::object
