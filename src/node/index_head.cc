#include "node/index_head.h"

#include "crypto/aead.h"
#include "crypto/hash.h"

namespace selvedge::node {

namespace {

constexpr size_t kSaltBytes = 32;

crypto::AeadKey head_key(const crypto::Seed& zone_root, ByteView salt) { return crypto::hkdf_sha256_key(zone_root.view(), salt, view("selvedge index head v1")); }

}  // namespace

Status CopyState::validate() const {
  const auto too_many = [] { return fail(Errc::kLimit, "the copy of the index has more parts than there can be"); };
  if (batches.size() > kCopyBatchesMax || records.size() > kCopyPiecesMax || hosts.size() > kCopyHostsMax) return too_many();
  for (const CopyBatch& batch : batches) {
    if (batch.pieces.size() > kCopyPiecesMax || batch.from.size() > kIndexWritersMax || batch.upto.size() > kIndexWritersMax) return too_many();
  }
  return ok();
}

object::ObjectId index_slot(const crypto::Seed& zone_root, const crypto::PublicKey& owner, uint32_t slot) {
  Bytes info = to_bytes(view("selvedge index slot v1"));
  append_u32(info, slot);
  object::ObjectId id;
  crypto::hkdf_sha256(zone_root.view(), owner, info, id.bytes);
  return id;
}

Result<Bytes> seal_index_head(const CopyState& state, const crypto::Seed& zone_root, const object::ObjectId& slot, const object::ZoneId& zone, uint64_t expires,
                              crypto::Drbg& drbg) {
  const Bytes plain = codec::encode(state);
  if (plain.size() > kCopyStateBytesMax) return fail(Errc::kLimit, "the copy of the index has too many parts to be listed");
  mesh::FrameHeader header;
  header.kind = mesh::FrameKind::kStore;
  header.whole = true;
  header.object = slot;
  header.zone = zone;
  header.object_bytes = kSaltBytes + plain.size();
  header.k = 1;
  header.expires = expires;
  Bytes frame = mesh::make_frame(header, {0});
  std::span<uint8_t> sealed = mesh::frame_symbol(frame, 1, 0, size_t(header.object_bytes) + mesh::kTagBytes);
  drbg.fill(sealed.first(kSaltBytes));
  const std::span<uint8_t> body = sealed.subspan(kSaltBytes, plain.size());
  std::copy(plain.begin(), plain.end(), body.begin());
  // The key seals this one plaintext: its salt was drawn for it.
  const crypto::AeadTag tag = crypto::aead_seal(head_key(zone_root, sealed.first(kSaltBytes)), crypto::Nonce{}, slot, body);
  std::copy(tag.bytes.begin(), tag.bytes.end(), sealed.last(mesh::kTagBytes).begin());
  mesh::close_frame(frame);
  return frame;
}

Result<CopyState> open_index_head(const mesh::FrameView& frame, const crypto::Seed& zone_root) {
  if (!frame.header.whole || frame.header.object_bytes < kSaltBytes) return fail(Errc::kInvalid, "this is no head of an index");
  const ByteView sealed = frame.sealed(0);
  Bytes body = to_bytes(sealed.subspan(kSaltBytes, size_t(frame.header.object_bytes) - kSaltBytes));
  const crypto::AeadTag tag = TRY(crypto::AeadTag::from(sealed.last(mesh::kTagBytes)));
  TRY(crypto::aead_open(head_key(zone_root, sealed.first(kSaltBytes)), crypto::Nonce{}, frame.header.object, body, tag));
  return codec::decode<CopyState>(body);
}

}  // namespace selvedge::node
