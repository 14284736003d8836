// KeyBackup: an owner's root and a node's keys on their way out of a home, sealed with a passphrase.
//
// A backup is a short text that survives paper and a chat window:
//
//   # lines that begin with '#' say what it is, and are not read
//   selvedgekeys1
//   base32( sealed, then the first 4 bytes of its SHA-256 )        in lines of 64 characters
//
// `sealed` is what crypto/passphrase.h makes of
//
//   version (1), holds (1: bit 0 root, bit 1 node), [owner seed (32), zone root (32)], [owner's public key (32), node seed (32),
//   seal seed (32), succeeds (32)], then CBOR of the hosts' addresses, as hints where to look for the owner's index
//
// The checksum tells a copy that is damaged from a passphrase that is wrong. What the root opens follows from it
// (object/zone_keys.h), so one backup is good for all that is stored after it was made, too.
#pragma once

#include <string_view>
#include <vector>

#include "codec/schema.h"
#include "crypto/passphrase.h"
#include "host/daemon/home.h"

namespace selvedge::host {

inline constexpr size_t kBackupHintsMax = 64;
inline constexpr size_t kBackupAddressesMax = 8;
inline constexpr size_t kBackupAddressSizeMax = 255;
inline constexpr size_t kBackupTextSizeMax = 256 * 1024;
inline constexpr size_t kPassphraseSizeMin = 8;

/// Where a host was last seen: a hint, verified when dialled.
struct HostHint {
  crypto::PublicKey node;
  std::vector<std::string> addresses;
  template <class V> void visit(V& v) { v("node", node); v("addresses", addresses); }
  Status validate() const;
  bool operator==(const HostHint&) const = default;
};

struct KeyBackup {
  std::optional<OwnerRoot> root;
  std::optional<NodeKeys> node;
  std::vector<HostHint> hints;
};

/// What is sealed. The caller wipes it. Errors: kInvalid (neither root nor node, or too many hints).
Result<Bytes> encode_key_backup(const KeyBackup& backup);
/// Errors: kInvalid, kNonCanonical, kLimit, kUnsupported (a later version).
Result<KeyBackup> decode_key_backup(ByteView plain);

/// The text around what is sealed, and the way back. Errors: kInvalid (not a backup), kUnsupported, kIntegrity (damaged), kLimit.
std::string key_backup_text(ByteView sealed, std::string_view about);
Result<Bytes> parse_key_backup_text(std::string_view text);

/// Errors: kInvalid (a passphrase of fewer than kPassphraseSizeMin bytes), and what encode_key_backup returns.
Result<std::string> seal_key_backup(const KeyBackup& backup, ByteView passphrase, const crypto::PassphraseCost& cost, crypto::Drbg& drbg);
/// Errors: kUnauthorized (another passphrase), and as parse_key_backup_text and decode_key_backup.
Result<KeyBackup> open_key_backup(std::string_view text, ByteView passphrase);

}  // namespace selvedge::host
