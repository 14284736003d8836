#include "mesh/secure_channel.h"

#include <algorithm>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/seal.h"

namespace selvedge::mesh {

namespace {

constexpr std::string_view kProtocol = "selvedge channel v1";
constexpr std::string_view kLabelKeys = "selvedge channel v1 keys";
constexpr std::string_view kLabelOf[] = {"selvedge channel v1 dialler", "selvedge channel v1 acceptor"};
constexpr size_t kSealBytes = crypto::AeadTag::kSize;
constexpr size_t kEphemeralBytes = crypto::SealPublicKey::kSize;
constexpr size_t kProofBytes = crypto::PublicKey::kSize + crypto::Signature::kSize;
constexpr size_t kPieceBytesMax = kChannelRecordBytesMax - kSealBytes - 1;
constexpr size_t kAckBytes = 16;

/// The first byte of what is sealed: pieces name their channel (1: bulk) and whether they are a message's last (2).
constexpr uint8_t kBulkBit = 1, kLastBit = 2, kAck = 4;

/// RFC 8439 nonces, as the Noise framework counts them: 32 zero bits and the number, little-endian.
crypto::Nonce nonce_of(uint64_t number) {
  crypto::Nonce nonce;
  store_le(nonce.bytes.data() + 4, number);
  return nonce;
}

Bytes signed_text(ChannelSide whose, const crypto::Digest& transcript) {
  Bytes text = to_bytes(view(kLabelOf[size_t(whose)]));
  append(text, transcript);
  return text;
}

}  // namespace

SecureChannel::SecureChannel(ChannelSide side, const crypto::Signer& self, std::optional<crypto::PublicKey> expected, crypto::Drbg drbg)
    : side_(side), self_(self), expected_(expected), ephemeral_(drbg.seed()), transcript_(crypto::sha256(view(kProtocol))) {}

void SecureChannel::said(ByteView bytes) { transcript_ = crypto::Sha256().update(transcript_).update(bytes).finish(); }

void SecureChannel::start(Out& out) {
  if (stage_ != Stage::kNew) return;
  stage_ = Stage::kHello;
  if (side_ == ChannelSide::kAcceptor) return;
  const crypto::SealKeyPair pair(ephemeral_.clone());
  Bytes record = to_bytes(pair.public_key());
  said(record);
  out.push(SendRecord{std::move(record)});
}

Status SecureChannel::agree(const crypto::SealPublicKey& theirs) {
  const auto shared = TRY(crypto::x25519(ephemeral_, theirs));
  crypto::Secret<64> keys;
  crypto::hkdf_sha256(shared.view(), transcript_, view(kLabelKeys), keys.mutable_view());
  crypto::AeadKey dialler = TRY(crypto::AeadKey::from(keys.view().first(32)));
  crypto::AeadKey acceptor = TRY(crypto::AeadKey::from(keys.view().subspan(32)));
  const bool dials = side_ == ChannelSide::kDialler;
  sending_.key = std::move(dials ? dialler : acceptor);
  receiving_.key = std::move(dials ? acceptor : dialler);
  ephemeral_ = crypto::Seed();
  return ok();
}

void SecureChannel::append_proof(Bytes& to) {
  Bytes proof = to_bytes(self_.public_key());
  append(proof, self_.sign(signed_text(side_, transcript_)));
  const crypto::AeadTag tag = crypto::aead_seal(sending_.key, nonce_of(sending_.records++), transcript_, proof);
  append(to, proof);
  append(to, tag);
}

Result<crypto::PublicKey> SecureChannel::open_proof(ByteView sealed, ChannelSide whose) {
  if (sealed.size() != kProofBytes + kSealBytes) return fail(Errc::kInvalid, "the other end says who it is in another form");
  Bytes proof = to_bytes(sealed.first(kProofBytes));
  const auto tag = TRY(crypto::AeadTag::from(sealed.subspan(kProofBytes)));
  TRY(crypto::aead_open(receiving_.key, nonce_of(receiving_.records++), transcript_, proof, tag));
  const auto key = TRY(crypto::PublicKey::from(ByteView(proof).first(crypto::PublicKey::kSize)));
  const auto signature = TRY(crypto::Signature::from(ByteView(proof).subspan(crypto::PublicKey::kSize)));
  if (!crypto::Ed25519Verifier().verify(key, signed_text(whose, transcript_), signature)) return fail(Errc::kUnauthorized, "the other end does not prove its key");
  if (expected_ && key != *expected_) return fail(Errc::kUnauthorized, "another node answers than the one that was dialled");
  return key;
}

Status SecureChannel::on_hello(ByteView record, Out& out) {
  const bool dials = side_ == ChannelSide::kDialler;
  if (record.size() != kEphemeralBytes + (dials ? kProofBytes + kSealBytes : 0)) return fail(Errc::kInvalid, "what came first is no beginning of a channel");
  const auto theirs = TRY(crypto::SealPublicKey::from(record.first(kEphemeralBytes)));
  said(record.first(kEphemeralBytes));
  Bytes answer;
  if (dials) {
    TRY(agree(theirs));
    const auto peer = TRY(open_proof(record.subspan(kEphemeralBytes), ChannelSide::kAcceptor));
    said(record.subspan(kEphemeralBytes));
    append_proof(answer);
    stage_ = Stage::kOpen;
    out.push(SendRecord{std::move(answer)});
    out.push(ChannelOpened{peer});
    return ok();
  }
  const crypto::SealKeyPair pair(ephemeral_.clone());
  answer = to_bytes(pair.public_key());
  said(answer);
  TRY(agree(theirs));
  append_proof(answer);
  said(ByteView(answer).subspan(kEphemeralBytes));
  stage_ = Stage::kProof;
  out.push(SendRecord{std::move(answer)});
  return ok();
}

Status SecureChannel::on_proof(ByteView record, Out& out) {
  const auto peer = TRY(open_proof(record, ChannelSide::kDialler));
  stage_ = Stage::kOpen;
  out.push(ChannelOpened{peer});
  return ok();
}

Status SecureChannel::on_ack(ByteView body, Out& out) {
  if (body.size() != kAckBytes) return fail(Errc::kInvalid, "an acknowledgement of another size");
  for (size_t channel = 0; channel < kChannels; ++channel) {
    const uint64_t messages = load_u64(body.data() + 8 * channel);
    if (messages < delivered_[channel] || messages > sent_[channel]) return fail(Errc::kInvalid, "the other end acknowledges what was not sent");
    if (messages == delivered_[channel]) continue;
    delivered_[channel] = messages;
    out.push(ChannelDelivered{channel == 1, messages});
  }
  return ok();
}

Status SecureChannel::on_sealed(Bytes record, Out& out) {
  if (record.size() <= kSealBytes) return fail(Errc::kInvalid, "a packet without content");
  const auto tag = TRY(crypto::AeadTag::from(ByteView(record).last(kSealBytes)));
  record.resize(record.size() - kSealBytes);
  TRY(crypto::aead_open(receiving_.key, nonce_of(receiving_.records++), {}, record, tag));
  const uint8_t kind = record[0];
  const ByteView body = ByteView(record).subspan(1);
  if (kind == kAck) return on_ack(body, out);
  if (kind > (kBulkBit | kLastBit) || body.empty()) return fail(Errc::kInvalid, "a packet of no kind that is known");
  const size_t channel = kind & kBulkBit;
  Bytes& partial = partial_[channel];
  if (partial.size() + body.size() > kChannelMessageBytesMax) return fail(Errc::kLimit, "the other end sends a message longer than 4 MiB");
  append(partial, body);
  if (!(kind & kLastBit)) return ok();
  ++received_[channel];
  Bytes ack{kAck};
  append_u64(ack, received_[0]);
  append_u64(ack, received_[1]);
  seal_and_send(std::move(ack), out);   // before the message, which may be answered at once: packets go in the order of their numbers
  out.push(ChannelReceived{channel == 1, std::exchange(partial, {})});
  return ok();
}

void SecureChannel::on_record(Bytes record, Out& out) {
  const auto step = [&]() -> Status {
    if (record.size() > kChannelRecordBytesMax) return fail(Errc::kLimit, "a packet longer than 128 KiB");
    switch (stage_) {
      case Stage::kHello: return on_hello(record, out);
      case Stage::kProof: return on_proof(record, out);
      case Stage::kOpen: return on_sealed(std::move(record), out);
      default: return ok();   // it is over, or has not begun: nobody listens
    }
  };
  Status status = step();
  if (status.ok()) return;
  stage_ = Stage::kFailed;
  out.push(ChannelFailed{status.error()});
}

void SecureChannel::seal_and_send(Bytes plain, Out& out) {
  const crypto::AeadTag tag = crypto::aead_seal(sending_.key, nonce_of(sending_.records++), {}, plain);
  append(plain, tag);
  out.push(SendRecord{std::move(plain)});
}

Status SecureChannel::send(bool bulk, ByteView message, Out& out) {
  if (stage_ != Stage::kOpen) return fail(Errc::kNotFound, "the channel is not open");
  if (message.empty() || message.size() > kChannelMessageBytesMax) return fail(Errc::kInvalid, "a message has 1 byte to 4 MiB");
  ++sent_[bulk];
  while (!message.empty()) {
    const size_t size = std::min(message.size(), kPieceBytesMax);
    Bytes plain;
    plain.reserve(1 + size + kSealBytes);
    plain.push_back(uint8_t((bulk ? kBulkBit : 0) | (size == message.size() ? kLastBit : 0)));
    append(plain, message.first(size));
    message = message.subspan(size);
    seal_and_send(std::move(plain), out);
  }
  return ok();
}

}  // namespace selvedge::mesh
