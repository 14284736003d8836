// Key files: how keys lie on disk, and how a file that only its owner may read gets there whole.
//
//   owner.key = "SELVOWNR", version (u16), owner seed (32), zone root (32), check (8)
//   node.key  = "SELVNODE", version (u16), owner's public key (32), node seed (32), seal seed (32), succeeds (32), check (8)
//
// The check is the beginning of a SHA-256 over all that stands before it, so that a damaged file is named as such and does not
// silently become another identity. Numbers are big-endian. Nothing is encrypted here: the directory is the owner's
// alone, and a copy that leaves it is sealed with a passphrase (key_backup.h).
#pragma once

#include "host/daemon/home.h"

namespace selvedge::host {

inline constexpr uint16_t kKeyFileVersion = 1;
inline constexpr size_t kOwnerFileBytes = 8 + 2 + 2 * 32 + 8;
inline constexpr size_t kNodeFileBytes = 8 + 2 + 4 * 32 + 8;
inline constexpr size_t kHomeFileBytesMax = 64 * 1024;   // of a small file beside the keys

using OwnerFile = crypto::Secret<kOwnerFileBytes>;
using NodeFile = crypto::Secret<kNodeFileBytes>;

OwnerFile encode_owner_file(const OwnerRoot& root);
NodeFile encode_node_file(const NodeKeys& keys);
/// `path` is for the message. Errors: kInvalid (damaged, or not such a file), kUnsupported (a later version).
Result<OwnerRoot> decode_owner_file(ByteView bytes, const std::string& path);
Result<NodeKeys> decode_node_file(ByteView bytes, const std::string& path);

/// kIo with what errno says, and what to do about it.
Error home_error(const std::string& what, const std::string& path);

enum class IfThere : uint8_t { kRefuse, kReplace };
/// Writes a file of mode 0600 that is whole or not there at all, whatever happens meanwhile. Errors: kExists, kIo.
Status write_private_file(const std::string& path, ByteView content, IfThere if_there);
/// Reads a file of at most `out.size()` bytes and says how many there were; one byte more than fits makes it kInvalid.
/// Errors: kNotFound, kInvalid (too large, or others may read it), kIo.
Result<size_t> read_private_file(const std::string& path, std::span<uint8_t> out);

}  // namespace selvedge::host
