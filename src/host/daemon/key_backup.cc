#include "host/daemon/key_backup.h"

#include <algorithm>

#include "codec/armor.h"
#include "codec/multibase.h"

namespace selvedge::host {

namespace {

constexpr codec::ArmorForm kBackupForm{"selvedgekeys", '1', "backup of keys", kBackupTextSizeMax};
constexpr uint8_t kVersion = 1;
constexpr uint8_t kHoldsRoot = 1;
constexpr uint8_t kHoldsNode = 2;
constexpr size_t kLineLength = 64;
constexpr std::string_view kPurpose = "selvedge key backup v1";

/// Secret bytes that are gone with their holder.
struct Wiped {
  Bytes bytes;
  ~Wiped() { crypto::wipe(bytes); }
};

/// The text without its comment lines.
std::string without_comments(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with('#')) out.append(line).append("\n");
  }
  return out;
}

ByteView take(ByteView& rest, size_t size) {
  const ByteView head = rest.first(size);
  rest = rest.subspan(size);
  return head;
}

}  // namespace

Status HostHint::validate() const {
  if (addresses.size() > kBackupAddressesMax) return fail(Errc::kLimit, "a backup names at most 8 addresses of a host");
  for (const std::string& address : addresses) {
    if (address.empty() || address.size() > kBackupAddressSizeMax) return fail(Errc::kInvalid, "an address in the backup is empty or too long");
  }
  return ok();
}

Result<Bytes> encode_key_backup(const KeyBackup& backup) {
  if (!backup.root && !backup.node) return fail(Errc::kInvalid, "a backup holds the owner's key or a node's keys");
  if (backup.hints.size() > kBackupHintsMax) return fail(Errc::kInvalid, "a backup names at most 64 hosts");
  const Bytes hints = codec::encode(backup.hints);
  Bytes out;
  out.reserve(2 + 6 * 32 + hints.size());  // no secret is left behind where the vector was before it grew
  out.push_back(kVersion);
  out.push_back(uint8_t((backup.root ? kHoldsRoot : 0) | (backup.node ? kHoldsNode : 0)));
  if (backup.root) {
    append(out, backup.root->owner.view());
    append(out, backup.root->zones.view());
  }
  if (backup.node) {
    append(out, backup.node->owner);
    append(out, backup.node->node.view());
    append(out, backup.node->seal.view());
    append(out, backup.node->succeeds);
  }
  append(out, hints);
  return out;
}

Result<KeyBackup> decode_key_backup(ByteView plain) {
  const Error cut = fail(Errc::kInvalid, "the backup ends too early");
  if (plain.size() < 2) return cut;
  const ByteView head = take(plain, 2);
  if (head[0] != kVersion) return fail(Errc::kUnsupported, "the backup was made by a later version: update selvedge");
  if (head[1] == 0 || (head[1] & ~(kHoldsRoot | kHoldsNode)) != 0) return fail(Errc::kUnsupported, "the backup holds something this version does not know");
  KeyBackup backup;
  if (head[1] & kHoldsRoot) {
    if (plain.size() < 2 * 32) return cut;
    backup.root = OwnerRoot{TRY(crypto::Seed::from(take(plain, 32))), TRY(crypto::Seed::from(take(plain, 32)))};
  }
  if (head[1] & kHoldsNode) {
    if (plain.size() < 4 * 32) return cut;
    const crypto::PublicKey owner = TRY(crypto::PublicKey::from(take(plain, 32)));
    crypto::Seed node = TRY(crypto::Seed::from(take(plain, 32)));
    crypto::Seed seal = TRY(crypto::Seed::from(take(plain, 32)));
    backup.node = NodeKeys{owner, std::move(node), std::move(seal), TRY(crypto::PublicKey::from(take(plain, 32)))};
  }
  backup.hints = TRY(codec::decode<std::vector<HostHint>>(plain));
  if (backup.hints.size() > kBackupHintsMax) return fail(Errc::kLimit, "the backup names too many hosts");
  return backup;
}

std::string key_backup_text(ByteView sealed, std::string_view about) {
  const std::string body = codec::armor(kBackupForm, sealed);
  const size_t head = kBackupForm.word.size() + 1;
  std::string out(about);
  out.append(body, 0, head).append("\n");
  for (size_t at = head; at < body.size(); at += kLineLength) out.append(body, at, kLineLength).append("\n");
  return out;
}

Result<Bytes> parse_key_backup_text(std::string_view text) {
  if (text.size() > kBackupTextSizeMax) return fail(Errc::kLimit, "this is too long to be a backup of keys");
  return codec::open_armor(kBackupForm, without_comments(text));
}

Result<std::string> seal_key_backup(const KeyBackup& backup, ByteView passphrase, const crypto::PassphraseCost& cost, crypto::Drbg& drbg) {
  if (passphrase.size() < kPassphraseSizeMin) {
    return fail(Errc::kInvalid, "the passphrase has fewer than " + std::to_string(kPassphraseSizeMin) + " characters; take several words");
  }
  const Wiped plain{TRY(encode_key_backup(backup))};
  const Bytes sealed = TRY(crypto::passphrase_seal(passphrase, plain.bytes, kPurpose, cost, drbg));
  std::string about = "# Selvedge keys, sealed with a passphrase. Restore: selvedge key import FILE\n";
  if (backup.root) about += "# The key of owner " + codec::key_text(backup.root->public_key()) + "\n";
  if (backup.node) about += "# The keys of node " + codec::key_text(backup.node->public_key()) + "\n";
  return key_backup_text(sealed, about);
}

Result<KeyBackup> open_key_backup(std::string_view text, ByteView passphrase) {
  const Bytes sealed = TRY(parse_key_backup_text(text));
  const Result<crypto::LockedBytes> plain = crypto::passphrase_open(passphrase, sealed, kPurpose);
  // The checksum has held, so the copy is whole: what remains is the passphrase.
  if (!plain.ok() && plain.code() == Errc::kIntegrity) return fail(Errc::kUnauthorized, "the passphrase is not the one this backup was sealed with");
  if (!plain.ok()) return plain.error();
  return decode_key_backup(plain->view());
}

}  // namespace selvedge::host
