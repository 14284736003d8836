#include "object/share_file.h"

#include "codec/multibase.h"

namespace selvedge::object {
namespace {

constexpr std::string_view kShareFileMagic = "selvedge share file ";
constexpr std::string_view kShareFileFirst = "selvedge share file 1\n";
constexpr size_t kShareFileColumns = 64;

struct SaltTag;
struct ShareValueTag;

/// What the base32 lines hold.
struct ShareFileBody {
  SecretId secret;
  std::string name;
  uint8_t threshold = 0;
  uint8_t number = 0;
  FixedBytes<ShareValueTag, 32> value;
  FixedBytes<SaltTag, 16> salt;
  std::vector<CommitmentBytes> commitments;
  Bytes sealed;

  template <class V>
  void visit(V& v) {
    v("secret", secret);
    v("name", name);
    v("threshold", threshold);
    v("number", number);
    v("value", value);
    v("salt", salt);
    v("commitments", commitments);
    v("sealed", sealed);
  }
  ~ShareFileBody() {
    crypto::wipe(value.bytes);
    crypto::wipe(salt.bytes);
  }
};

bool shows_as_line(std::string_view text) {
  for (const char c : text) {
    if (uint8_t(c) < 0x20 || c == 0x7f) return false;
  }
  return codec::is_utf8(text);
}

std::string share_file_text(const ShareFileBody& body) {
  std::string out(kShareFileFirst);
  out += "# Share " + std::to_string(body.number) + " of " + std::to_string(body.commitments.size()) + " of \"" + body.name + "\". Any " +
         std::to_string(body.threshold) + " of them give the secret:\n#   selvedge secret combine --local FILE FILE... -o SECRET\n" +
         "# Keep it apart from the others: fewer say nothing, but who has " + std::to_string(body.threshold) + " has the secret.\n";
  Bytes bytes = codec::encode(body);
  std::string text = codec::base32_encode(bytes);
  for (size_t at = 0; at < text.size(); at += kShareFileColumns) out += text.substr(at, kShareFileColumns) + "\n";
  crypto::wipe(bytes);
  crypto::wipe({reinterpret_cast<uint8_t*>(text.data()), text.size()});
  return out;
}

/// The base32 of all lines that are no remarks.
Result<std::string> share_file_digits(std::string_view text) {
  if (text.size() > kShareFileSizeMax) return fail(Errc::kLimit, "a share file is at most 256 KiB");
  if (!text.starts_with(kShareFileMagic)) return fail(Errc::kInvalid, "this is no share file: the first line does not say so");
  if (!text.starts_with(kShareFileFirst)) return fail(Errc::kUnsupported, "this share file was made by a later version: update selvedge to read it");
  std::string digits;
  digits.reserve(text.size());
  for (size_t at = kShareFileFirst.size(); at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);  // as editors and mail leave them
    if (!line.starts_with('#')) digits += line;
    at = end + 1;
  }
  return digits;
}

}  // namespace

Result<std::vector<std::string>> make_share_files(std::string_view name, ByteView secret, size_t k, size_t n, crypto::Drbg& drbg) {
  if (name.empty() || name.size() > kNameSizeMax || !shows_as_line(name)) return fail(Errc::kInvalid, "the name of a secret is one line of up to 255 bytes");
  if (secret.size() > kSecretSizeMax) return fail(Errc::kLimit, "a secret is at most 64 KiB: seal what is larger under a key, and split the key");
  ShareFileBody body;
  body.secret = drbg.draw<SecretId>();
  body.name = name;
  body.threshold = uint8_t(k);
  const crypto::Secret<32> key = drbg.seed();
  const crypto::ShamirDealing dealing = TRY(crypto::shamir_split(key, k, n, shamir_context(body.secret, 1), drbg));
  for (const Digest& commitment : dealing.terms.commitments) body.commitments.push_back({commitment.bytes});
  body.sealed = seal_secret(SecretScheme::kShamir, key, ZoneId{}, PublicKey{}, body.secret, secret);
  std::vector<std::string> out;
  for (const crypto::ShamirShare& share : dealing.shares) {
    body.number = share.number;
    std::memcpy(body.value.bytes.data(), share.value.view().data(), 32);
    std::memcpy(body.salt.bytes.data(), share.salt.view().data(), 16);
    out.push_back(share_file_text(body));
  }
  return out;
}

Result<ShareFile> parse_share_file(std::string_view text) {
  std::string digits = TRY(share_file_digits(text));
  Result<Bytes> bytes = codec::base32_decode(digits);
  crypto::wipe({reinterpret_cast<uint8_t*>(digits.data()), digits.size()});
  if (!bytes.ok()) return fail(bytes.code(), "the share file is damaged: " + bytes.error().message);
  Result<ShareFileBody> body = codec::decode<ShareFileBody>(*bytes);
  crypto::wipe(*bytes);
  if (!body.ok()) return fail(body.code(), "the share file is damaged: " + body.error().message);
  if (!shows_as_line(body->name)) return fail(Errc::kInvalid, "the share file is damaged: its name holds control characters");
  if (body->sealed.size() < kSecretSealOverhead || body->sealed.size() > kSecretSizeMax + kSecretSealOverhead) {
    return fail(Errc::kInvalid, "the share file is damaged: the sealed secret has no possible size");
  }
  if (body->commitments.size() > crypto::kShamirSharesMax) return fail(Errc::kLimit, "a secret is split into at most 255 share files");
  ShareFile out;
  out.secret = body->secret;
  out.name = body->name;
  out.terms.threshold = body->threshold;
  out.terms.context = shamir_context(body->secret, 1);
  for (const CommitmentBytes& commitment : body->commitments) out.terms.commitments.push_back({commitment.bytes});
  out.sealed = body->sealed;
  out.share.number = body->number;
  out.share.value = TRY(crypto::Secret<32>::from(body->value));
  out.share.salt = TRY(crypto::Secret<16>::from(body->salt));
  TRY(crypto::shamir_check(out.terms, out.share));
  return out;
}

Result<crypto::LockedBytes> combine_share_files(std::span<const ShareFile> files) {
  if (files.empty()) return fail(Errc::kUnavailable, "no share file was given");
  const ShareFile& first = files[0];
  SecretManifest manifest;  // only what combining looks at
  manifest.secret = first.secret;
  manifest.scheme = SecretScheme::kShamir;
  manifest.threshold = first.terms.threshold;
  manifest.generation = 1;
  for (const Digest& commitment : first.terms.commitments) manifest.commitments.push_back({commitment.bytes});
  manifest.sealed = first.sealed;
  std::vector<SharePlain> shares;
  std::array<bool, 256> seen{};
  for (const ShareFile& file : files) {
    if (file.secret != first.secret || file.terms != first.terms || file.sealed != first.sealed) {
      return fail(Errc::kInvalid, "share " + std::to_string(file.share.number) + " belongs to another split than the first file");
    }
    if (seen[file.share.number] || shares.size() == first.terms.threshold) continue;
    seen[file.share.number] = true;
    shares.push_back(SharePlain::of(file.share));
  }
  return combine_secret(manifest, shares);
}

}  // namespace selvedge::object
