#include "codec/cid.h"

#include "codec/multibase.h"
#include "codec/varint.h"
#include "crypto/hash.h"

namespace selvedge::codec {
namespace {

constexpr uint64_t kVersion1 = 1;
constexpr uint64_t kSha256 = 0x12;
constexpr uint64_t kDigestSize = 32;
constexpr uint64_t kLinkTag = 42;
constexpr size_t kCidTextSizeMax = 256;

}  // namespace

Cid Cid::of(Codec codec, ByteView content) { return {codec, crypto::sha256(content)}; }

Bytes Cid::bytes() const {
  Bytes out = {uint8_t(kVersion1), uint8_t(codec), uint8_t(kSha256), uint8_t(kDigestSize)};
  append(out, digest);
  return out;
}

Result<Cid> Cid::from_bytes(ByteView in) {
  if (in.size() == 34 && in[0] == 0x12 && in[1] == 0x20) return fail(Errc::kUnsupported, "this is a CID of version 0: convert it to version 1");
  if (TRY(take_varint(in)) != kVersion1) return fail(Errc::kUnsupported, "only CIDs of version 1 are used here");
  const uint64_t codec = TRY(take_varint(in));
  if (codec != uint64_t(Codec::kRaw) && codec != uint64_t(Codec::kDagCbor)) {
    return fail(Errc::kUnsupported, "only CIDs of raw bytes and dag-cbor are used here");
  }
  if (TRY(take_varint(in)) != kSha256) return fail(Errc::kUnsupported, "only CIDs with SHA-256 are used here");
  if (TRY(take_varint(in)) != kDigestSize) return fail(Errc::kInvalid, "a SHA-256 CID holds a hash of 32 bytes");
  return Cid{Codec(codec), TRY(crypto::Digest::from(in))};
}

std::string Cid::text() const { return 'b' + base32_encode(bytes()); }

Result<Cid> Cid::parse(std::string_view text) {
  if (text.empty() || text.size() > kCidTextSizeMax) return fail(Errc::kInvalid, "this is not a CID: one has 59 characters and begins with 'b'");
  if (text[0] == 'Q') return fail(Errc::kUnsupported, "this is a CID of version 0: convert it to version 1");
  if (text[0] != 'b') return fail(Errc::kUnsupported, "only CIDs in base32, which begin with 'b', are read here");
  return from_bytes(TRY(base32_decode(text.substr(1))));
}

Status Cid::verify(ByteView content) const {
  if (crypto::sha256(content) == digest) return ok();
  return fail(Errc::kIntegrity, "the content is not what " + text() + " names: it was changed or mixed up on the way");
}

void write_cid(Writer& out, const Cid& cid) {
  out.put_tag(kLinkTag);
  Bytes link = {0};  // the identity multibase prefix of binary CIDs
  append(link, cid.bytes());
  out.put_bytes(link);
}

Result<Cid> read_cid(Reader& in) {
  if (TRY(in.read_tag()) != kLinkTag) return fail(Errc::kInvalid, "a link (tag 42) was expected");
  const ByteView link = TRY(in.read_bytes());
  if (link.empty() || link[0] != 0) return fail(Errc::kInvalid, "a link begins with a zero byte");
  return Cid::from_bytes(link.subspan(1));
}

}  // namespace selvedge::codec
